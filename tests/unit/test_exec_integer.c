/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_integer.c - instructions that exist in C only: BCD adjustment against this computer's own CPU, string
 * instructions (T11), bit strings, stack frames.
 */
#include "exec_fixture.h"
#include "native32.h"

enum { DATA_AT = 0x20000, PAGE_TWO = 0x21000, FLAGS_SIX = FLAGS_ARITH };

static void setup_protected(void)
{
        fixture_protected();
}

/* -- BCD, every AX, CF and AF, flags that the SDM calls undefined included ----------------------- */

static void compare_natively(uint8_t *page, const uint8_t *insn, unsigned length, uint32_t eax, uint32_t flags)
{
        struct native32 *native = native32_regs(page);

        native->eax = eax;
        native->flags = flags | FLAG_ONE;
        native32_run(page, insn, length);
        cpu->regs[RAX] = eax;
        cpu->rflags = flags;
        ck_assert(run_bytes(insn, length));
        if (cpu->regs[RAX] != native->eax || (cpu->rflags & FLAGS_SIX) != (native->flags & FLAGS_SIX))
                ck_abort_msg("%02x %02x: eax %08x flags %03x: here %08x %03x, natively %08x %03x", insn[0], insn[1], eax, flags,
                             (unsigned)cpu->regs[RAX], (unsigned)(cpu->rflags & FLAGS_SIX), native->eax, native->flags & FLAGS_SIX);
}

START_TEST(bcd_as_the_host_does_it)
{
        static const uint8_t codes[] = { 0x27, 0x2f, 0x37, 0x3f };
        uint8_t *page = native32_new();

        setup_protected();
        if (!page)
                return;
        for (unsigned i = 0; i < sizeof(codes); i++)
                for (unsigned ax = 0; ax < 0x10000; ax += i < 2 && ax >= 0x100 ? 0x1fd : 1)
                        for (unsigned f = 0; f < 4; f++)
                                compare_natively(page, (const uint8_t[]){ codes[i], 0 }, 1, 0x12340000 | ax,
                                                 (f & 1 ? FLAG_CF : 0) | (f & 2 ? FLAG_AF : 0) | (f == 0 ? FLAG_OF | FLAG_SF : 0));
}
END_TEST

START_TEST(aam_aad_as_the_host_does_them)
{
        uint8_t *page = native32_new();

        setup_protected();
        if (!page)
                return;
        for (unsigned ax = 0; ax < 0x10000; ax += 37)
                for (unsigned base = 0; base < 256; base += 5) {
                        compare_natively(page, (const uint8_t[]){ 0xd5, base }, 2, ax, FLAGS_SIX);
                        if (base)
                                compare_natively(page, (const uint8_t[]){ 0xd4, base }, 2, ax, FLAGS_SIX);
                }
        ck_assert(!RUN(0xd4, 0));
        ck_fault(EXC_DE);
}
END_TEST

START_TEST(salc_xlat_bound)
{
        setup_protected();
        cpu->regs[RAX] = 0x11223344;
        cpu->rflags |= FLAG_CF;
        RUN_OK(0xd6);
        ck_assert_uint_eq(cpu->regs[RAX], 0x112233ff);
        cpu->rflags &= ~(uint64_t)FLAG_CF;
        RUN_OK(0xd6);
        ck_assert_uint_eq(cpu->regs[RAX], 0x11223300);

        poke(DATA_AT + 0x80, 0x5a, 1);
        cpu->regs[RBX] = DATA_AT;
        cpu->regs[RAX] = 0xffffff80;
        RUN_OK(0xd7);
        ck_assert_uint_eq(cpu->regs[RAX], 0xffffff5a);

        poke(DATA_AT, (uint32_t)-5, 4);
        poke(DATA_AT + 4, 7, 4);
        cpu->regs[RAX] = 7;
        RUN_OK(0x62, 0x03);                             /* bound eax, [ebx] */
        cpu->regs[RAX] = (uint32_t)-5;
        RUN_OK(0x62, 0x03);
        cpu->regs[RAX] = 8;
        ck_assert(!RUN(0x62, 0x03));
        ck_fault(EXC_BR);
        poke(DATA_AT, 0x0005fffe, 4);                   /* -2 ... 5 in 16 bits */
        cpu->regs[RAX] = 0xfffe;
        RUN_OK(0x66, 0x62, 0x03);
        cpu->regs[RAX] = 0xfffd;
        ck_assert(!RUN(0x66, 0x62, 0x03));
        ck_fault(EXC_BR);
}
END_TEST

/* -- Strings ----------------------------------------------------------------------------------- */

static void strings(uint32_t esi, uint32_t edi, uint32_t ecx)
{
        cpu->regs[RSI] = esi;
        cpu->regs[RDI] = edi;
        cpu->regs[RCX] = ecx;
}

static void ck_strings(uint32_t esi, uint32_t edi, uint32_t ecx)
{
        ck_assert_uint_eq(cpu->regs[RSI], esi);
        ck_assert_uint_eq(cpu->regs[RDI], edi);
        ck_assert_uint_eq(cpu->regs[RCX], ecx);
}

START_TEST(single_elements_and_direction)
{
        setup_protected();
        poke(DATA_AT, 0x1122334455667788, 8);
        strings(DATA_AT, DATA_AT + 0x100, 9);
        RUN_OK(0xa5);
        ck_strings(DATA_AT + 4, DATA_AT + 0x104, 9);
        ck_assert_uint_eq(peek(DATA_AT + 0x100, 8), 0x55667788);
        cpu->df_step = -1;
        RUN_OK(0x66, 0xa5);
        ck_strings(DATA_AT + 2, DATA_AT + 0x102, 9);
        RUN_OK(0xa4);
        ck_strings(DATA_AT + 1, DATA_AT + 0x101, 9);
        cpu->df_step = 1;
        RUN_OK(0xac);
        ck_assert_uint_eq(cpu->regs[RAX] & 0xff, 0x77);
        cpu->regs[RAX] = 0xaabbccdd;
        RUN_OK(0xab);
        ck_assert_uint_eq(peek(DATA_AT + 0x101, 4), 0xaabbccdd);
        RUN_OK(0xaf);
        ck_assert(!(cpu->rflags & FLAG_ZF));
}
END_TEST

START_TEST(sixteen_bit_addresses_wrap)
{
        setup_protected();
        poke(0xffff, 0xee, 1);
        poke(0, 0xdd, 1);
        strings(0x5555ffff, 0xabcd8000, 0x77770002);
        RUN_OK(0x67, 0xf3, 0xa4);
        ck_strings(0x55550001, 0xabcd8002, 0x77770000);
        ck_assert_uint_eq(peek(0x8000, 2), 0xddee);
        strings(0, 0x1000fffe, 3);                      /* stosw over the end: 0, 2 */
        cpu->regs[RAX] = 0x1234;
        RUN_OK(0x67, 0x66, 0xf3, 0xab);
        ck_strings(0, 0x10000004, 0);
        ck_assert_uint_eq(peek(0xfffe, 2), 0x1234);
        ck_assert_uint_eq(peek(0, 4), 0x12341234);
}
END_TEST

START_TEST(t11_overlapping_movs_propagates)
{
        setup_protected();
        poke(DATA_AT, 0x0201, 2);
        strings(DATA_AT, DATA_AT + 2, 6000);
        RUN_OK(0xf3, 0xa4);
        ck_strings(DATA_AT + 6000, DATA_AT + 6002, 0);
        for (unsigned i = 0; i < 6002; i++)
                ck_assert_uint_eq(peek(DATA_AT + i, 1), i % 2 + 1);
        /* Downwards, one byte apart: the same the other way round. */
        cpu->df_step = -1;
        poke(DATA_AT + 5000, 0x77, 1);
        strings(DATA_AT + 5000, DATA_AT + 4999, 3000);
        RUN_OK(0xf3, 0xa4);
        ck_assert_uint_eq(peek(DATA_AT + 2000, 8), 0x7777777777777777);
        ck_strings(DATA_AT + 2000, DATA_AT + 1999, 0);
}
END_TEST

START_TEST(t11_fault_names_the_element)
{
        setup_protected();
        exec_paging();
        set_page(PAGE_TWO, 6);                          /* not present */
        strings(DATA_AT, PAGE_TWO - 10, 100);
        cpu->regs[RAX] = 0xa5a5a5a5;
        ck_assert(!RUN(0xf3, 0xab));
        ck_exception(EXC_PF, PF_WRITE);
        ck_assert_uint_eq(cpu->exception.cr2, PAGE_TWO);
        /* Two whole elements fit; the third spans the page end and writes neither part. */
        ck_strings(DATA_AT, PAGE_TWO - 2, 98);
        ck_assert_uint_eq(peek(PAGE_TWO - 4, 4), 0x0000a5a5);

        strings(PAGE_TWO - 6, DATA_AT, 100);
        ck_assert(!RUN(0xf3, 0x66, 0xa5));
        ck_exception(EXC_PF, 0);
        ck_strings(PAGE_TWO, DATA_AT + 6, 97);

        /* Flags of a faulting comparison are those before it. */
        cpu->rflags |= FLAGS_ARITH;
        strings(PAGE_TWO - 3, 0x30000, 100);
        poke(PAGE_TWO - 3, 0, 3);
        poke(0x30000, 0, 3);
        ck_assert(!RUN(0xf3, 0xa6));
        ck_exception(EXC_PF, 0);
        ck_strings(PAGE_TWO, 0x30003, 97);
        ck_assert_uint_eq(cpu->rflags & FLAGS_ARITH, FLAGS_ARITH);
}
END_TEST

START_TEST(long_rep_is_interrupted_at_a_kick)
{
        setup_protected();
        cpu->quiet = 0;
        strings(0, DATA_AT, 10000);
        cpu->regs[RAX] = 0x11;
        RUN_OK(0xf3, 0xaa);
        ck_assert_uint_eq(cpu->next_rip, cpu->rip);
        ck_assert_uint_lt(cpu->regs[RCX], 10000);
        ck_assert_uint_eq(cpu->regs[RDI] - DATA_AT, 10000 - cpu->regs[RCX]);
        while (cpu->next_rip == cpu->rip)
                RUN_OK(0xf3, 0xaa);
        ck_strings(0, DATA_AT + 10000, 0);
        ck_assert_uint_eq(peek(DATA_AT + 9999, 2), 0x11);
        /* With TF, one element at a time. */
        cpu->quiet = 1;
        cpu_set_rflags(cpu, cpu_rflags(cpu) | FLAG_TF);
        strings(0, DATA_AT, 2);
        RUN_OK(0xf3, 0xab);
        ck_strings(0, DATA_AT + 4, 1);
        ck_assert_uint_eq(cpu->next_rip, cpu->rip);
        RUN_OK(0xf3, 0xab);
        ck_strings(0, DATA_AT + 8, 0);
        ck_assert_uint_ne(cpu->next_rip, cpu->rip);
}
END_TEST

START_TEST(comparisons_end_on_zf)
{
        setup_protected();
        memcpy(memory_ram(memory) + DATA_AT, "hello world", 12);
        strings(0, DATA_AT, 100);
        cpu->regs[RAX] = 0;
        RUN_OK(0xf2, 0xae);                             /* strlen */
        ck_strings(0, DATA_AT + 12, 88);
        ck_assert(cpu->rflags & FLAG_ZF);
        memcpy(memory_ram(memory) + 0x30000, "help", 4);
        strings(DATA_AT, 0x30000, 100);
        RUN_OK(0xf3, 0xa6);
        ck_strings(DATA_AT + 4, 0x30004, 96);
        ck_assert_uint_eq(cpu->rflags & FLAGS_ARITH, FLAG_CF | FLAG_PF * (__builtin_parity('l' - 'p') == 0) | FLAG_SF |
                                                             FLAG_AF * (('l' & 15) < ('p' & 15)));
        /* A count of zero changes nothing. */
        strings(1, 2, 0);
        cpu->rflags &= ~(uint64_t)FLAGS_ARITH;
        RUN_OK(0xf3, 0xa6);
        ck_strings(1, 2, 0);
        ck_assert_uint_eq(cpu->rflags & FLAGS_ARITH, 0);
}
END_TEST

START_TEST(limits_stop_strings)
{
        setup_protected();
        set_gdt(FREE_SELECTOR, DATA_AT, 0xf, 0x4093);   /* 16 bytes */
        load(SEG_ES, FREE_SELECTOR);
        strings(DATA_AT, 0, 10);
        cpu->regs[RAX] = 1;
        ck_assert(!RUN(0xf3, 0xab));
        ck_exception(EXC_GP, 0);
        ck_strings(DATA_AT, 16, 6);
}
END_TEST

/* -- Ports ------------------------------------------------------------------------------------- */

static unsigned ports_read, ports_written;
static uint32_t last_written;

static uint32_t port_read(void *opaque, uint16_t port, unsigned size)
{
        (void)opaque;
        (void)size;
        return port + ports_read++;
}

static void port_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        (void)opaque;
        (void)port;
        (void)size;
        ports_written++;
        last_written = value;
}

START_TEST(ins_checks_memory_first)
{
        setup_protected();
        exec_paging();
        cpu->env.io_read = port_read;
        cpu->env.io_write = port_write;
        ports_read = ports_written = 0;
        set_page(PAGE_TWO, 6);
        strings(0, PAGE_TWO - 4, 10);
        cpu->regs[RDX] = 0x1f0;
        ck_assert(!RUN(0xf3, 0x66, 0x6d));
        ck_exception(EXC_PF, PF_WRITE);
        ck_strings(0, PAGE_TWO, 8);
        ck_assert_uint_eq(ports_read, 2);
        ck_assert_uint_eq(peek(PAGE_TWO - 4, 4), 0x01f101f0);
        poke(DATA_AT, 0xabcd1234, 4);
        strings(DATA_AT, 0, 2);
        RUN_OK(0xf3, 0x66, 0x6f);
        ck_assert_uint_eq(ports_written, 2);
        ck_assert_uint_eq(last_written, 0xabcd);
}
END_TEST

START_TEST(port_permission)
{
        setup_protected();
        cpu->env.io_read = port_read;
        ports_read = 0;
        cpu->regs[RDX] = 0x3f8;
        RUN_OK(0xec);
        ck_assert_uint_eq(cpu->regs[RAX] & 0xff, 0xf8);
        fixture_user();
        ck_assert(!RUN(0xec));                          /* limit 67h holds no bitmap */
        ck_exception(EXC_GP, 0);
        cpu->seg[SEG_TR].limit = 0x68 + 0x2000;
        poke(TSS_AT + 0x66, 0x68, 2);
        poke(TSS_AT + 0x68 + 0x3f8 / 8, 0x06, 1);
        RUN_OK(0xec);
        ck_assert(!RUN(0x66, 0xed));                    /* 3F9h is denied */
        ck_exception(EXC_GP, 0);
        cpu->regs[RDX] = 0x3fb;
        RUN_OK(0xed);
        cpu->rflags |= FLAG_IOPL;
        cpu->regs[RDX] = 0x3f9;
        RUN_OK(0xec);
        /* The last bits of the bitmap need a byte after them within the limit. */
        cpu->rflags &= ~(uint64_t)FLAG_IOPL;
        cpu->seg[SEG_TR].limit = 0x68 + 0x3f8 / 8;
        ck_assert(!RUN(0xec));
        ck_exception(EXC_GP, 0);
        ck_assert_uint_eq(ports_read, 4);
}
END_TEST

/* -- Bits and stack ---------------------------------------------------------------------------- */

START_TEST(bit_offsets_reach_beyond_the_operand)
{
        setup_protected();
        cpu->regs[RBX] = DATA_AT;
        cpu->regs[RAX] = 100;
        RUN_OK(0x0f, 0xab, 0x03);                       /* bts [ebx], eax */
        ck_assert_uint_eq(peek(DATA_AT + 12, 4), 1 << 4);
        ck_assert(!(cpu->rflags & FLAG_CF));
        RUN_OK(0x0f, 0xa3, 0x03);
        ck_assert(cpu->rflags & FLAG_CF);
        cpu->regs[RAX] = (uint32_t)-1;
        RUN_OK(0xf0, 0x0f, 0xbb, 0x03);                 /* lock btc: bit 31 of the unit before */
        ck_assert_uint_eq(peek(DATA_AT - 4, 4), 0x80000000);
        RUN_OK(0x0f, 0xb3, 0x03);
        ck_assert(cpu->rflags & FLAG_CF);
        ck_assert_uint_eq(peek(DATA_AT - 4, 4), 0);
        cpu->regs[RAX] = 0xffff;                        /* -1 in 16 bits */
        RUN_OK(0x66, 0x0f, 0xab, 0x03);
        ck_assert_uint_eq(peek(DATA_AT - 2, 2), 0x8000);
        cpu->regs[RCX] = 0;
        cpu->regs[RAX] = 33;
        RUN_OK(0x0f, 0xab, 0xc1);                       /* bts ecx, eax */
        ck_assert_uint_eq(cpu->regs[RCX], 2);
}
END_TEST

START_TEST(t11_pusha_stops_at_the_exact_push)
{
        setup_protected();
        exec_paging();
        for (unsigned i = 0; i < 8; i++)
                cpu->regs[i] = 0x100 + i;
        cpu->regs[RSP] = PAGE_TWO + 12;
        RUN_OK(0x60);
        ck_assert_uint_eq(cpu->regs[RSP], PAGE_TWO + 12 - 32);
        for (unsigned i = 0; i < 8; i++)
                ck_assert_uint_eq(peek(PAGE_TWO + 12 - 4 - 4 * i, 4), i == RSP ? PAGE_TWO + 12u : 0x100 + i);
        for (unsigned i = 0; i < 8; i++)
                if (i != RSP)
                        cpu->regs[i] = 0;
        RUN_OK(0x61);
        for (unsigned i = 0; i < 8; i++)
                ck_assert_uint_eq(cpu->regs[i], i == RSP ? PAGE_TWO + 12u : 0x100 + i);

        set_page(DATA_AT, 6);                           /* the lower half is not there */
        memset(memory_ram(memory) + PAGE_TWO, 0, 12);
        ck_assert(!RUN(0x60));
        ck_exception(EXC_PF, PF_WRITE);
        ck_assert_uint_eq(cpu->regs[RSP], PAGE_TWO + 12u);
        ck_assert_uint_eq(cpu->exception.cr2, PAGE_TWO - 4);
        ck_assert_uint_eq(peek(PAGE_TWO, 4), 0x100 + RDX);      /* three pushes were made */
}
END_TEST

START_TEST(pusha_wraps_a_small_stack)
{
        /* Real mode: SS.B is 0, limit FFFFh. */
        cpu->regs[RSP] = 0xabcd0006;
        for (unsigned i = 0; i < 8; i++)
                if (i != RSP)
                        cpu->regs[i] = 0x10 + i;
        RUN_OK(0x60);
        ck_assert_uint_eq(cpu->regs[RSP], 0xabcdfff6);
        ck_assert_uint_eq(peek(4, 2), 0x10);
        ck_assert_uint_eq(peek(0xfff6, 2), 0x10 + RDI);
        RUN_OK(0x61);
        ck_assert_uint_eq(cpu->regs[RSP], 0xabcd0006);
        ck_assert_uint_eq(cpu->regs[RAX], 0x10);
}
END_TEST

START_TEST(enter_copies_frames)
{
        setup_protected();
        cpu->regs[RSP] = DATA_AT + 0x100;
        cpu->regs[RBP] = DATA_AT + 0x200;
        poke(DATA_AT + 0x1fc, 0xf1, 4);
        poke(DATA_AT + 0x1f8, 0xf2, 4);
        RUN_OK(0xc8, 0x10, 0x00, 0x03);
        ck_assert_uint_eq(peek(DATA_AT + 0xfc, 4), DATA_AT + 0x200);
        ck_assert_uint_eq(peek(DATA_AT + 0xf8, 4), 0xf1);
        ck_assert_uint_eq(peek(DATA_AT + 0xf4, 4), 0xf2);
        ck_assert_uint_eq(peek(DATA_AT + 0xf0, 4), DATA_AT + 0xfc);
        ck_assert_uint_eq(cpu->regs[RBP], DATA_AT + 0xfc);
        ck_assert_uint_eq(cpu->regs[RSP], DATA_AT + 0xe0);
        /* The new stack pointer must be usable. */
        exec_paging();
        set_page(DATA_AT - 0x1000, 6);
        cpu->regs[RSP] = DATA_AT + 0x100;
        ck_assert(!RUN(0xc8, 0x00, 0x02, 0x00));
        ck_exception(EXC_PF, PF_WRITE);
        ck_assert_uint_eq(cpu->regs[RSP], DATA_AT + 0x100);
        ck_assert_uint_eq(cpu->regs[RBP], DATA_AT + 0xfc);
}
END_TEST

static void fill(TCase *cases)
{
        tcase_set_timeout(cases, 120);
        tcase_add_test(cases, bcd_as_the_host_does_it);
        tcase_add_test(cases, aam_aad_as_the_host_does_them);
        tcase_add_test(cases, salc_xlat_bound);
        tcase_add_test(cases, single_elements_and_direction);
        tcase_add_test(cases, sixteen_bit_addresses_wrap);
        tcase_add_test(cases, t11_overlapping_movs_propagates);
        tcase_add_test(cases, t11_fault_names_the_element);
        tcase_add_test(cases, long_rep_is_interrupted_at_a_kick);
        tcase_add_test(cases, comparisons_end_on_zf);
        tcase_add_test(cases, limits_stop_strings);
        tcase_add_test(cases, ins_checks_memory_first);
        tcase_add_test(cases, port_permission);
        tcase_add_test(cases, bit_offsets_reach_beyond_the_operand);
        tcase_add_test(cases, t11_pusha_stops_at_the_exact_push);
        tcase_add_test(cases, pusha_wraps_a_small_stack);
        tcase_add_test(cases, enter_copies_frames);
}

int main(void)
{
        return fixture_main("exec_integer", fill);
}
