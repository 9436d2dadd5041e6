/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * note.c - reports of vCPUs' own writes to pages with state bits.
 *
 * Listeners are added while a machine is built and stay until it is freed, so the list is walked without a lock.
 */
#include "memory/internal.h"
#include "memory/note.h"

void memory_note_write(struct memory *memory, gpa_t gpa, size_t size)
{
        struct page_info info = memory_page(memory, gpa);

        /* A full barrier that pairs with memory_set_state(): either the translator sees the new bytes,
         * or we see its mark. */
        if (!info.host || !(__atomic_fetch_or(&memory->states[info.ram_page], 0, __ATOMIC_SEQ_CST) & PAGE_HOLDS_CODE))
                return;
        for (struct memory_listener *listener = memory->listeners; listener; listener = listener->next)
                if (listener->code_written)
                        listener->code_written(listener->opaque, gpa, size);
}
