/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * access.c - guest memory as instruction handlers see it: segment checks, linear accesses, device pages.
 *
 * A1  A write touches no byte before every page of it was found writable.
 * A2  Naturally aligned accesses of 1, 2, 4 and 8 bytes to RAM are one host access, as other vCPUs see them.
 * A3  In 16- and 32-bit modes linear addresses wrap at 4 GiB, within an access too.
 */
#include "cpu/cpu.h"
#include "cpu/debug.h"
#include "cpu/mode.h"
#include "cpu/tlb.h"
#include "memory/note.h"

enum { ACCESS_BYTES_MAX = 1024 };

/* -- Copying without the C library (rule C4) ------------------------------------------------------ */

MEMORY_RACY static void copy_bytes(uint8_t *to, const uint8_t *from, unsigned size)
{
        switch (size) {
        case 1:
                *(volatile uint8_t *)to = *from;
                return;
        case 2:
                __builtin_memcpy(to, from, 2);
                return;
        case 4:
                __builtin_memcpy(to, from, 4);
                return;
        case 8:
                __builtin_memcpy(to, from, 8);
                return;
        }
        for (; size >= 8; size -= 8, to += 8, from += 8)
                __builtin_memcpy(to, from, 8);
        for (; size; size--)
                *(volatile uint8_t *)to++ = *from++;
}

/* -- The slow way: pages that RAM does not serve directly ------------------------------------------ */

/* The largest power of two that is not above left and 8. */
static unsigned mmio_piece(unsigned left)
{
        return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

static void page_read(struct cpu *cpu, gpa_t gpa, uint8_t *to, unsigned size)
{
        struct page_info page = memory_page(cpu->memory, gpa);

        if (page.host) {
                copy_bytes(to, page.host + (gpa & ~PAGE_MASK), size);
                return;
        }
        cpu_host_begin(cpu);
        uint64_t begin = cpu_device_begin(cpu);
        while (size) {
                unsigned piece = mmio_piece(size);
                uint64_t value = memory_mmio_read(cpu->memory, gpa, piece);
                copy_bytes(to, (const uint8_t *)&value, piece);
                gpa += piece;
                to += piece;
                size -= piece;
        }
        cpu_device_end(cpu, begin, &cpu->counts.device_reads);
}

static void page_write(struct cpu *cpu, gpa_t gpa, const uint8_t *from, unsigned size)
{
        struct page_info page = memory_page(cpu->memory, gpa);
        uint64_t begin;

        switch (page.kind) {
        case PAGE_RAM:
                memory_before_write(cpu->memory, &page);
                copy_bytes(page.host + (gpa & ~PAGE_MASK), from, size);
                if (page.state) {
                        cpu_host_begin(cpu);
                        memory_note_write(cpu->memory, gpa, size);
                }
                break;
        case PAGE_ROM:
                break;
        default:
                cpu_host_begin(cpu);
                begin = cpu_device_begin(cpu);
                while (size) {
                        unsigned piece = mmio_piece(size);
                        uint64_t value = 0;
                        copy_bytes((uint8_t *)&value, from, piece);
                        memory_mmio_write(cpu->memory, gpa, value, piece);
                        gpa += piece;
                        from += piece;
                        size -= piece;
                }
                cpu_device_end(cpu, begin, &cpu->counts.device_writes);
                break;
        }
}

/* Bytes of [linear, linear+left) that lie in its first page. */
static unsigned first_piece(gva_t linear, unsigned left)
{
        unsigned room = PAGE_SIZE - (unsigned)(linear & ~PAGE_MASK);

        return left < room ? left : room;
}

static gva_t linear_wrap(const struct cpu *cpu, gva_t linear)
{
        return cpu_long_mode(cpu) ? linear : (uint32_t)linear;
}

/* An access of at most ACCESS_BYTES_MAX bytes lies in at most two pages. */
struct two_pages {
        gpa_t gpa[2];
        unsigned size[2];
};

static bool translate_pages(struct cpu *cpu, gva_t linear, unsigned size, unsigned access, struct two_pages *pages)
{
        struct translation translation;

        pages->size[0] = first_piece(linear, size);
        pages->size[1] = size - pages->size[0];
        for (unsigned i = 0; i < 2 && pages->size[i]; i++) {
                gva_t at = linear_wrap(cpu, linear + (i ? pages->size[0] : 0));
                if (!cpu_translate(cpu, at, access, &translation))
                        return cpu_raise_pf(cpu, at, translation.error);
                pages->gpa[i] = translation.gpa;
        }
        return true;
}

/* -- Linear accesses ------------------------------------------------------------------------------- */

/* Watchpoints see what the program does, not what the processor reads and writes for itself.  An access that
 * faults further on takes what it noted with it. */
static void note_access(struct cpu *cpu, gva_t linear, unsigned size, unsigned access)
{
        if (!(access & ACCESS_IMPLICIT))
                cpu_debug_note_access(cpu, linear, size, access);
}

bool cpu_read_linear(struct cpu *cpu, gva_t linear, void *to, unsigned size, unsigned access)
{
        struct two_pages pages;
        uint8_t *host;

        linear = linear_wrap(cpu, linear);
        access = (access & ~ACCESS_WRITE) | ACCESS_READ;
        if (!tlb_access(cpu, linear, size, access, &host))
                return false;
        if (cpu->debug_watch)
                note_access(cpu, linear, size, access);
        if (host) {
                copy_bytes(to, host, size);
                return true;
        }
        if (!translate_pages(cpu, linear, size, access, &pages))
                return false;
        page_read(cpu, pages.gpa[0], to, pages.size[0]);
        if (pages.size[1])
                page_read(cpu, pages.gpa[1], (uint8_t *)to + pages.size[0], pages.size[1]);
        return true;
}

bool cpu_write_linear(struct cpu *cpu, gva_t linear, const void *from, unsigned size, unsigned access)
{
        struct two_pages pages;
        uint8_t *host;

        linear = linear_wrap(cpu, linear);
        access |= ACCESS_WRITE;
        if (!tlb_access(cpu, linear, size, access, &host))
                return false;
        if (cpu->debug_watch)
                note_access(cpu, linear, size, access);
        if (host) {
                copy_bytes(host, from, size);
                return true;
        }
        if (!translate_pages(cpu, linear, size, access, &pages))
                return false;
        page_write(cpu, pages.gpa[0], from, pages.size[0]);
        if (pages.size[1])
                page_write(cpu, pages.gpa[1], (const uint8_t *)from + pages.size[0], pages.size[1]);
        return true;
}

bool cpu_probe_write(struct cpu *cpu, gva_t linear, unsigned size, unsigned access)
{
        struct two_pages pages;
        uint8_t *host;

        linear = linear_wrap(cpu, linear);
        access |= ACCESS_WRITE;
        if (!tlb_access(cpu, linear, size, access, &host))
                return false;
        return host || translate_pages(cpu, linear, size, access, &pages);
}

/* -- Locked bit changes of system structures -------------------------------------------------------- */

/* One byte never crosses a page, so after a probe the page is known. */
static bool access_lock_byte(struct cpu *cpu, gva_t linear, uint8_t and, uint8_t or)
{
        unsigned access = ACCESS_WRITE | ACCESS_IMPLICIT;
        struct translation translation;
        struct page_info page;
        uint8_t *at;

        linear = linear_wrap(cpu, linear);
        if (!cpu_translate(cpu, linear, access, &translation))
                return cpu_raise_pf(cpu, linear, translation.error);
        page = memory_page(cpu->memory, translation.gpa);
        if (page.kind != PAGE_RAM)              /* ROM keeps its bits; a device has none to keep */
                return true;
        memory_before_write(cpu->memory, &page);
        at = page.host + (translation.gpa & ~PAGE_MASK);
        if (or)
                __atomic_fetch_or(at, or, __ATOMIC_SEQ_CST);
        else
                __atomic_fetch_and(at, and, __ATOMIC_SEQ_CST);
        if (page.state) {
                cpu_host_begin(cpu);
                memory_note_write(cpu->memory, translation.gpa, 1);
        }
        return true;
}

bool access_lock_or(struct cpu *cpu, gva_t linear, uint8_t bits)
{
        return access_lock_byte(cpu, linear, 0xff, bits);
}

bool access_lock_and(struct cpu *cpu, gva_t linear, uint8_t bits)
{
        return access_lock_byte(cpu, linear, bits, 0);
}

/* -- Segments ---------------------------------------------------------------------------------------- */

static bool segment_fault(struct cpu *cpu, enum cpu_segment segment)
{
        return cpu_raise_error(cpu, segment == SEG_SS ? EXC_SS : EXC_GP, 0);
}

bool segment_limit_allows(const struct segment *segment, uint64_t offset, unsigned size)
{
        uint64_t last = offset + size - 1;

        if ((segment->attr & (SEG_TYPE_CODE | SEG_TYPE_EC)) == SEG_TYPE_EC) {
                /* Expand-down: valid are the offsets above the limit, to 64 KiB or 4 GiB (SDM 3A 3.4.5.1). */
                uint64_t top = segment->attr & SEG_DB ? 0xffffffff : 0xffff;
                return offset > segment->limit && last <= top;
        }
        /* What an access that runs over 4 GiB in a flat segment does is up to the processor (SDM 3A 5.3): it
         * wraps here, so that "no limit" in cpu->mode means just that. */
        return last <= segment->limit || segment->limit == 0xffffffff;
}

static bool segment_type_allows(const struct segment *segment, unsigned access)
{
        if (!(segment->attr & SEG_S))           /* unusable, too */
                return false;
        if (segment->attr & SEG_TYPE_CODE)
                return !(access & ACCESS_WRITE) && (segment->attr & SEG_TYPE_RW);
        return !(access & ACCESS_WRITE) || (segment->attr & SEG_TYPE_RW);
}

bool cpu_segment_check(struct cpu *cpu, enum cpu_segment segment, uint64_t offset, unsigned size, unsigned access,
                       gva_t *linear)
{
        const struct segment *seg = &cpu->seg[segment];

        if (cpu_code64(cpu)) {
                *linear = offset + (segment == SEG_FS || segment == SEG_GS ? seg->base : 0);
                if (!cpu_canonical(*linear) || !cpu_canonical(*linear + size - 1))
                        return segment_fault(cpu, segment);
                return true;
        }
        /* A null selector is #GP(0) through any register; SS cannot hold one outside 64-bit mode. */
        if (!segment_type_allows(seg, access))
                return cpu_raise_error(cpu, segment == SEG_SS && !seg->attr ? EXC_SS : EXC_GP, 0);
        if (!segment_limit_allows(seg, offset, size))
                return segment_fault(cpu, segment);
        *linear = (uint32_t)(seg->base + offset);
        return true;
}

/* #AC is for accesses at CPL 3 only, and comes after every check but paging's (SDM 3A 6.15). */
static bool check_alignment(struct cpu *cpu, gva_t linear, unsigned size)
{
        /* A 48-bit far pointer wants 4 bytes' alignment (SDM 3A table 6-7). */
        unsigned alignment = size == 6 ? 4 : size;

        if (!(cpu->mode & MODE_AC) || alignment & (alignment - 1) || alignment > 8 || !(linear & (alignment - 1)))
                return true;
        return cpu_raise_error(cpu, EXC_AC, 0);
}

bool cpu_read(struct cpu *cpu, enum cpu_segment segment, uint64_t offset, void *to, unsigned size)
{
        gva_t linear;

        return cpu_segment_check(cpu, segment, offset, size, ACCESS_READ, &linear) &&
               check_alignment(cpu, linear, size) &&
               cpu_read_linear(cpu, linear, to, size, cpu_user_access(cpu));
}

bool cpu_write(struct cpu *cpu, enum cpu_segment segment, uint64_t offset, const void *from, unsigned size)
{
        gva_t linear;

        return cpu_segment_check(cpu, segment, offset, size, ACCESS_WRITE, &linear) &&
               check_alignment(cpu, linear, size) &&
               cpu_write_linear(cpu, linear, from, size, cpu_user_access(cpu));
}
