/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * discard.c - giving memory back to the host that the guest says it does not need (balloon, free page reports).
 *
 * The pages become holes in the memory's file; the mapping stays, so that nothing that has cached host
 * addresses needs to know, and the guest's next access finds a page of zeroes.  Pages with a state are left
 * alone: those that hold code would leave blocks made of bytes that are gone, those that are tracked belong
 * to a picture that is being taken, absent and shared ones have their bytes elsewhere.
 */
#include <sys/mman.h>

#include "memory/internal.h"

static uint64_t give_back(struct memory *memory, uint64_t first, uint64_t count)
{
        uint64_t size = count << PAGE_SHIFT;

        return count && !madvise(memory->host + (first << PAGE_SHIFT), size, MADV_REMOVE) ? size : 0;
}

uint64_t memory_discard(struct memory *memory, gpa_t gpa, uint64_t size)
{
        gpa_t end = gpa > PHYSICAL_END || size > PHYSICAL_END - gpa ? PHYSICAL_END : gpa + size;
        uint64_t first = 0, count = 0, given = 0;

        end &= PAGE_MASK;
        for (gpa = (gpa + PAGE_SIZE - 1) & PAGE_MASK; gpa < end; gpa += PAGE_SIZE) {
                struct page_info page = memory_page(memory, gpa);
                bool may = page.kind == PAGE_RAM && !page.state && page.ram_page < memory->ram_bytes >> PAGE_SHIFT;

                /* Where nothing is, nothing will be for the rest of a hostile range that ends nowhere. */
                if (page.kind == PAGE_NONE && gpa >= memory->ram_bytes + (UINT64_C(1) << 32))
                        break;
                if (may && count && page.ram_page == first + count) {
                        count++;
                        continue;
                }
                given += give_back(memory, first, count);
                first = page.ram_page;
                count = may;
        }
        return given + give_back(memory, first, count);
}
