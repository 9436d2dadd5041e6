/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment checks, accesses that cross pages, wrap or reach devices, and what a write to a code page tells.
 */
#include "cpu_fixture.h"

enum { P = 1, W = 2, U = 4, MMIO_AT = 0x00f00000, ROM_AT = 0x01800000, HOLE_AT = 0x03000000 };

static void ck_linear(enum cpu_segment segment, uint64_t offset, unsigned size, unsigned access, uint32_t expected)
{
        gva_t linear;

        ck_assert(cpu_segment_check(cpu, segment, offset, size, access, &linear));
        ck_assert_uint_eq(linear, expected);
}

static void ck_stopped(enum cpu_segment segment, uint64_t offset, unsigned size, unsigned access, unsigned vector)
{
        gva_t linear;

        ck_assert(!cpu_segment_check(cpu, segment, offset, size, access, &linear));
        ck_exception(vector, 0);
}

static void set_segment(enum cpu_segment segment, uint64_t base, uint32_t limit, unsigned attr)
{
        struct segment value = { .selector = FREE_SELECTOR, .attr = (uint16_t)attr, .limit = limit, .base = base };

        segment_install(cpu, segment, &value);
}

START_TEST(real_mode)
{
        segment_install_real(cpu, SEG_DS, 0x1234);
        ck_linear(SEG_DS, 0xfffe, 2, ACCESS_WRITE, 0x12340 + 0xfffe);
        ck_stopped(SEG_DS, 0xffff, 2, ACCESS_READ, EXC_GP);
        ck_stopped(SEG_SS, 0xffff, 2, ACCESS_READ, EXC_SS);
        ck_linear(SEG_DS, 0xffff, 1, ACCESS_READ, 0x12340 + 0xffff);
        /* Code can be written in real mode. */
        segment_install_real(cpu, SEG_CS, 0);
        ck_linear(SEG_CS, 0, 4, ACCESS_WRITE, 0);
}
END_TEST

START_TEST(limits)
{
        fixture_protected();
        set_segment(SEG_DS, 0x1000, 0xfff, 0x4093);
        ck_linear(SEG_DS, 0xffc, 4, ACCESS_WRITE, 0x1ffc);
        ck_stopped(SEG_DS, 0xffd, 4, ACCESS_READ, EXC_GP);
        ck_stopped(SEG_DS, 0xffffffff, 1, ACCESS_READ, EXC_GP);
        ck_assert_uint_eq(cpu->seg[SEG_DS].read_end, 0x1000);
        ck_assert_uint_eq(cpu->seg[SEG_DS].write_end, 0x1000);
        set_segment(SEG_SS, 0, 0xfff, 0x4093);
        ck_stopped(SEG_SS, 0xffd, 4, ACCESS_WRITE, EXC_SS);
        /* Expand-down, 32-bit and 16-bit. */
        set_segment(SEG_ES, 0, 0xfff, 0x4097);
        ck_stopped(SEG_ES, 0xfff, 1, ACCESS_READ, EXC_GP);
        ck_linear(SEG_ES, 0x1000, 4, ACCESS_WRITE, 0x1000);
        ck_linear(SEG_ES, 0xfffffffc, 4, ACCESS_READ, 0xfffffffc);
        ck_stopped(SEG_ES, 0xfffffffd, 4, ACCESS_READ, EXC_GP);
        ck_assert_uint_eq(cpu->seg[SEG_ES].read_end, 0);
        set_segment(SEG_ES, 0, 0xfff, 0x0097);
        ck_linear(SEG_ES, 0xffff, 1, ACCESS_READ, 0xffff);
        ck_stopped(SEG_ES, 0xffff, 2, ACCESS_READ, EXC_GP);
        /* Base and offset wrap at 4 GiB. */
        set_segment(SEG_FS, 0xfffff000, 0xffffffff, 0xc093);
        ck_linear(SEG_FS, 0x2000, 4, ACCESS_READ, 0x1000);
}
END_TEST

START_TEST(types)
{
        fixture_protected();
        set_segment(SEG_DS, 0, 0xffffffff, 0xc091);
        ck_linear(SEG_DS, 0, 4, ACCESS_READ, 0);
        ck_stopped(SEG_DS, 0, 4, ACCESS_WRITE, EXC_GP);
        ck_assert_uint_eq(cpu->seg[SEG_DS].read_end, UINT64_C(1) << 32);
        ck_assert_uint_eq(cpu->seg[SEG_DS].write_end, 0);
        set_segment(SEG_DS, 0, 0xffffffff, 0xc099);
        ck_stopped(SEG_DS, 0, 4, ACCESS_READ, EXC_GP);
        ck_stopped(SEG_CS, 0, 4, ACCESS_WRITE, EXC_GP);
        ck_linear(SEG_CS, 8, 4, ACCESS_READ, 8);
        segment_install_null(cpu, SEG_GS, 3);
        ck_stopped(SEG_GS, 0, 1, ACCESS_READ, EXC_GP);
}
END_TEST

START_TEST(mode_bits)
{
        fixture_protected();
        ck_assert(cpu->mode & MODE_CODE32);
        ck_assert(cpu->mode & MODE_STACK32);
        ck_assert(cpu->mode & MODE_PROTECTED);
        ck_assert(cpu->mode & MODE_CPL0);
        ck_assert(cpu->mode & MODE_IO_FREE);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
                ck_assert(cpu->mode & MODE_SEG_ZERO_BASE(i));
                ck_assert(cpu->mode & MODE_SEG_NO_LIMIT(i));
        }
        set_segment(SEG_DS, 0x10, 0xffffffff, 0xc091);
        ck_assert(!(cpu->mode & MODE_SEG_ZERO_BASE(SEG_DS)));
        ck_assert(!(cpu->mode & MODE_SEG_NO_LIMIT(SEG_DS)));
        fixture_user();
        ck_assert(cpu->mode & MODE_USER);
        ck_assert(!(cpu->mode & (MODE_CPL0 | MODE_IO_FREE)));
        cpu_set_rflags(cpu, FLAG_IOPL | FLAG_TF | FLAG_IF | FLAG_DF);
        ck_assert(cpu->mode & MODE_IO_FREE);
        ck_assert(cpu->mode & MODE_TF);
        ck_assert_uint_eq(cpu->rflags & (FLAG_IF | FLAG_DF), 0);
        ck_assert_uint_eq(cpu_rflags(cpu), FLAG_IOPL | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_ONE);
        ck_assert_int_eq(cpu->df_step, -1);
        cpu_set_rflags(cpu, ~UINT64_C(0) & ~(uint64_t)FLAG_VM);
        ck_assert_uint_eq(cpu_rflags(cpu), 0x3d7fd7);
}
END_TEST

/* Paging with linear page n at 4 MiB + n * 4 KiB mapped by pte[n]. */
static void map_pages(const uint32_t *pte, unsigned count)
{
        poke(TABLES_AT, 0x00000000 | 0x80 | P | W, 4);          /* the first 4 MiB as they are */
        poke(TABLES_AT + 4, (TABLES_AT + 0x1000) | P | W | U, 4);
        for (unsigned i = 0; i < count; i++)
                poke(TABLES_AT + 0x1000 + i * 4, pte[i], 4);
        cpu->cr3 = TABLES_AT;
        cpu->cr4 |= CR4_PSE;
        cpu->cr0 |= CR0_PG | CR0_WP;
        tlb_flush(cpu, true);
}

START_TEST(crossing)
{
        static const uint32_t pages[] = { 0x300000 | P | W, 0x200000 | P, 0x200000 | P | W };
        uint32_t value = 0x44332211, got;

        fixture_protected();
        map_pages(pages, 3);
        /* A write that ends in a read-only page writes nothing at all. */
        poke(0x300ffe, 0xaaaa, 2);
        ck_assert(!cpu_write(cpu, SEG_DS, 0x400ffe, &value, 4));
        ck_exception(EXC_PF, PF_PRESENT | PF_WRITE);
        ck_assert_uint_eq(cpu->exception.cr2, 0x401000);
        ck_assert_uint_eq(peek(0x300ffe, 2), 0xaaaa);
        ck_assert_uint_eq(peek(TABLES_AT + 0x1004, 4) & 0x40, 0);
        ck_assert(!cpu_probe_write(cpu, 0x400ffe, 4, 0));
        ck_exception(EXC_PF, PF_PRESENT | PF_WRITE);
        /* The two halves are where the tables say. */
        poke(0x200000, 0xbbbb, 2);
        ck_assert(cpu_read(cpu, SEG_DS, 0x400ffe, &got, 4));
        ck_assert_uint_eq(got, 0xbbbbaaaa);
        poke(0x00001000 + TABLES_AT + 4, 0x201000 | P | W, 4);
        tlb_flush(cpu, true);
        ck_assert(cpu_write(cpu, SEG_DS, 0x400ffe, &value, 4));
        ck_assert_uint_eq(peek(0x300ffe, 2), 0x2211);
        ck_assert_uint_eq(peek(0x201000, 2), 0x4433);
        /* Missing second page: its address, not the access's, is reported. */
        poke(TABLES_AT + 0x1000 + 12, 0, 4);
        ck_assert(!cpu_read(cpu, SEG_DS, 0x402ffd, &got, 4));
        ck_exception(EXC_PF, 0);
        ck_assert_uint_eq(cpu->exception.cr2, 0x403000);
}
END_TEST

START_TEST(wrap_at_4_gib)
{
        uint32_t got;

        /* Linear FFFFF000 is page 1 of RAM and linear 0 is what it is. */
        fixture_protected();
        poke(TABLES_AT, 0x80 | P | W, 4);
        poke(TABLES_AT + 0xffc, (TABLES_AT + 0x1000) | P | W, 4);
        poke(TABLES_AT + 0x1ffc, 0x300000 | P | W, 4);
        poke(0x300ffe, 0x2211, 2);
        poke(0, 0x4433, 2);
        cpu->cr3 = TABLES_AT;
        cpu->cr4 |= CR4_PSE;
        cpu->cr0 |= CR0_PG;
        ck_assert(cpu_read(cpu, SEG_DS, 0xfffffffe, &got, 4));
        ck_assert_uint_eq(got, 0x44332211);
}
END_TEST

static uint64_t mmio_last[3];
static unsigned mmio_count;

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
        (void)opaque;
        mmio_count++;
        mmio_last[0] = offset;
        mmio_last[1] = size;
        return 0x8877665544332211 >> (offset * 8 % 64);
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        (void)opaque;
        mmio_count++;
        mmio_last[0] = offset;
        mmio_last[1] = size;
        mmio_last[2] = value;
}

static const struct mmio_ops ops = { .read = mmio_read, .write = mmio_write, .min_size = 1, .max_size = 8 };

START_TEST(devices)
{
        static const uint8_t rom[4096] = { 0x12, 0x34 };
        uint64_t value = 0;

        fixture_protected();
        lock_acquire(&fixture_lock);
        memory_map_mmio(memory, MMIO_AT, 0x1000, &ops, NULL, 1, "mmio");
        memory_map_rom(memory, ROM_AT, rom, sizeof(rom), 0, "rom");
        lock_release(&fixture_lock);
        mmio_count = 0;
        ck_assert(cpu_read(cpu, SEG_DS, MMIO_AT + 4, &value, 4));
        ck_assert_uint_eq(value, 0x88776655);
        ck_assert_uint_eq(mmio_last[1], 4);
        ck_assert_uint_eq(mmio_count, 1);
        value = 0xa5;
        ck_assert(cpu_write(cpu, SEG_DS, MMIO_AT + 9, &value, 1));
        ck_assert_uint_eq(mmio_last[0], 9);
        ck_assert_uint_eq(mmio_last[2], 0xa5);
        /* An access that is half RAM and half device does both. */
        poke(MMIO_AT - 2, 0xbeef, 2);
        ck_assert(cpu_read(cpu, SEG_DS, MMIO_AT - 2, &value, 4));
        ck_assert_uint_eq((uint32_t)value, 0x2211beef);
        /* ROM reads, and ignores writes. */
        ck_assert(cpu_read(cpu, SEG_DS, ROM_AT, &value, 2));
        ck_assert_uint_eq((uint16_t)value, 0x3412);
        ck_assert(cpu_write(cpu, SEG_DS, ROM_AT, &value, 1));
        value = 0xffff;
        ck_assert(cpu_write(cpu, SEG_DS, ROM_AT, &value, 2));
        ck_assert(cpu_read(cpu, SEG_DS, ROM_AT, &value, 2));
        ck_assert_uint_eq((uint16_t)value, 0x3412);
        /* Nothing reads as ones. */
        ck_assert(cpu_read(cpu, SEG_DS, HOLE_AT, &value, 8));
        ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

static unsigned notes;
static gpa_t note_gpa;

static void note_code(void *opaque, gpa_t gpa, size_t size)
{
        (void)opaque;
        (void)size;
        notes++;
        note_gpa = gpa;
}

START_TEST(code_pages)
{
        struct memory_listener listener = { .code_written = note_code };
        uint32_t value = 1;

        fixture_protected();
        memory_add_listener(memory, &listener);
        notes = 0;
        ck_assert(cpu_write(cpu, SEG_DS, 0x20000, &value, 4));
        ck_assert_uint_eq(notes, 0);
        memory_set_state(memory, 0x20000, PAGE_HOLDS_CODE, 0);
        tlb_flush(cpu, true);
        ck_assert(cpu_write(cpu, SEG_DS, 0x20010, &value, 4));
        ck_assert_uint_eq(notes, 1);
        ck_assert_uint_eq(note_gpa, 0x20010);
        ck_assert_uint_eq(peek(0x20010, 4), 1);
        /* A write that spans a plain page and a code page. */
        ck_assert(cpu_write(cpu, SEG_DS, 0x1fffe, &value, 4));
        ck_assert_uint_eq(notes, 2);
        ck_assert_uint_eq(note_gpa, 0x20000);
        /* Accessed bits in a GDT that shares its page with code. */
        memory_set_state(memory, GDT_AT, PAGE_HOLDS_CODE, 0);
        set_gdt(FREE_SELECTOR, 0, 0xfffff, ATTR_DATA32 & ~SEG_TYPE_ACCESSED);
        load(SEG_ES, FREE_SELECTOR);
        ck_assert_uint_eq(notes, 3);
}
END_TEST

START_TEST(alignment_check)
{
        uint32_t value;

        fixture_protected();
        fixture_user();
        cpu->cr0 |= CR0_AM;
        cpu_set_rflags(cpu, FLAG_AC);
        ck_assert(cpu_read(cpu, SEG_DS, 0x20004, &value, 4));
        ck_assert(!cpu_read(cpu, SEG_DS, 0x20002, &value, 4));
        ck_exception(EXC_AC, 0);
        ck_assert(cpu_read(cpu, SEG_DS, 0x20002, &value, 2));
}
END_TEST

static void fill(TCase *cases)
{
        tcase_add_test(cases, real_mode);
        tcase_add_test(cases, limits);
        tcase_add_test(cases, types);
        tcase_add_test(cases, mode_bits);
        tcase_add_test(cases, crossing);
        tcase_add_test(cases, wrap_at_4_gib);
        tcase_add_test(cases, devices);
        tcase_add_test(cases, code_pages);
        tcase_add_test(cases, alignment_check);
}

int main(void)
{
        return fixture_main("access", fill);
}
