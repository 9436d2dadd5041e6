/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_system.c - control registers and their #GP rules, flag instructions and IOPL, time stamp, processor control.
 */
#include "exec_fixture.h"

enum { PDPT_AT = TABLES_AT + 0x8000 };

static void setup_protected(void)
{
        fixture_protected();
        cpu->regs[RAX] = 0;
}

static bool write_cr(unsigned number, uint32_t value)
{
        cpu->regs[RAX] = value;
        return RUN(0x0f, 0x22, (uint8_t)(0xc0 | number << 3));
}

static uint32_t read_cr(unsigned number)
{
        RUN_OK(0x0f, 0x20, (uint8_t)(0xc1 | number << 3));
        return (uint32_t)cpu->regs[RCX];
}

static void cr_refused(unsigned number, uint32_t value)
{
        uint32_t before = read_cr(number);

        ck_assert_msg(!write_cr(number, value), "cr%u = %x", number, value);
        ck_exception(EXC_GP, 0);
        ck_assert_uint_eq(read_cr(number), before);
}

START_TEST(cr0_combinations)
{
        setup_protected();
        cr_refused(0, CR0_PG);                          /* without PE */
        cr_refused(0, CR0_PE | (uint32_t)CR0_NW);       /* NW without CD */
        ck_assert(write_cr(0, CR0_PE | (uint32_t)CR0_CD | (uint32_t)CR0_NW | 0x1000));
        /* ET is always set, reserved bits are dropped. */
        ck_assert_uint_eq(read_cr(0), CR0_PE | CR0_ET | (uint32_t)CR0_CD | (uint32_t)CR0_NW);
        ck_assert(cpu->mode & MODE_PROTECTED);
        ck_assert(write_cr(0, CR0_PE | CR0_TS | CR0_EM | CR0_MP | CR0_NE));
        ck_assert_uint_eq(cpu->mode & (MODE_FPU_TS | MODE_FPU_EM | MODE_FPU_MP | MODE_FPU_NE),
                          MODE_FPU_TS | MODE_FPU_EM | MODE_FPU_MP | MODE_FPU_NE);
        RUN_OK(0x0f, 0x06);                             /* clts */
        ck_assert(!(cpu->mode & MODE_FPU_TS));
        ck_assert(write_cr(0, 0));
        ck_assert(!(cpu->mode & MODE_PROTECTED));
}
END_TEST

START_TEST(cr4_follows_the_model)
{
        setup_protected();
        ck_assert(write_cr(4, CR4_PSE | CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_TSD | CR4_DE | CR4_MCE | CR4_PCE));
        cr_refused(4, CR4_PCIDE);
        cr_refused(4, 1u << 31);
        cpu_init(cpu, 0, cpu_model_find("pentium"), memory);
        setup_protected();
        ck_assert(write_cr(4, CR4_PSE | CR4_TSD));
        cr_refused(4, CR4_PAE);
        cr_refused(4, CR4_OSFXSR);
        cr_refused(4, CR4_OSXSAVE);
        cpu_init(cpu, 0, cpu_model_find("486"), memory);
        setup_protected();
        cr_refused(4, CR4_PSE);
}
END_TEST

START_TEST(pdptes_are_loaded_and_checked)
{
        setup_protected();
        for (unsigned i = 0; i < 4; i++)
                poke(PDPT_AT + 8 * i, (TABLES_AT + 0x1000) | 1, 8);
        poke(PDPT_AT + 16, 0x6, 8);                     /* not present: reserved bits do not count */
        ck_assert(write_cr(3, PDPT_AT));
        ck_assert(write_cr(4, CR4_PAE));
        poke(PDPT_AT + 8, (TABLES_AT + 0x1000) | 3, 8);
        cr_refused(0, CR0_PG | CR0_PE);                 /* a reserved bit in a present one */
        poke(PDPT_AT + 8, (TABLES_AT + 0x1000) | 1, 8);
        poke(TABLES_AT + 0x1000, 0x83, 8);              /* 2 MiB, identity */
        ck_assert(write_cr(0, CR0_PG | CR0_PE));
        ck_assert_uint_eq(cpu->pdpte[0], (TABLES_AT + 0x1000) | 1);
        /* Changing the table in memory does nothing until CR3 is written; a bad one leaves the old. */
        poke(PDPT_AT + 24, UINT64_C(1) << 55 | 1, 8);
        ck_assert_uint_eq(cpu->pdpte[3], (TABLES_AT + 0x1000) | 1);
        cr_refused(3, PDPT_AT);
        ck_assert_uint_eq(cpu->pdpte[3], (TABLES_AT + 0x1000) | 1);
        poke(PDPT_AT + 24, 0, 8);
        ck_assert(write_cr(3, PDPT_AT));
        ck_assert_uint_eq(cpu->pdpte[3], 0);
}
END_TEST

START_TEST(invlpg_and_cr3_flush)
{
        uint8_t *host;

        setup_protected();
        exec_paging();
        ck_assert(tlb_access(cpu, 0x5000, 4, ACCESS_READ, &host));
        poke(TABLES_AT + 0x1000 + 5 * 4, 0x6000 | 7, 4);
        ck_assert(tlb_access(cpu, 0x5000, 4, ACCESS_READ, &host));
        ck_assert_ptr_eq(host, memory_ram(memory) + 0x5000);
        cpu->regs[RBX] = 0x5123;
        RUN_OK(0x0f, 0x01, 0x3b);
        ck_assert(tlb_access(cpu, 0x5000, 4, ACCESS_READ, &host));
        ck_assert_ptr_eq(host, memory_ram(memory) + 0x6000);
        poke(TABLES_AT + 0x1000 + 5 * 4, 0x7000 | 7, 4);
        ck_assert(write_cr(3, TABLES_AT));
        ck_assert(tlb_access(cpu, 0x5000, 4, ACCESS_READ, &host));
        ck_assert_ptr_eq(host, memory_ram(memory) + 0x7000);
}
END_TEST

static bool invpcid(uint32_t type, uint64_t space, uint64_t address)
{
        poke(0x8000, space, 8);
        poke(0x8008, address, 8);
        cpu->regs[RCX] = type;
        cpu->regs[RBX] = 0x8000;
        return RUN(0x66, 0x0f, 0x38, 0x82, 0x0b);
}

START_TEST(invpcid_types_and_faults)
{
        uint8_t *host;

        setup_protected();
        exec_paging();
        for (uint32_t type = 0; type < 4; type++) {
                ck_assert(tlb_access(cpu, 0x5000, 4, ACCESS_READ, &host));
                poke(TABLES_AT + 0x1000 + 5 * 4, (0x6000 + type * 0x1000) | 7, 4);
                ck_assert(invpcid(type, 0, 0x5123));
                ck_assert(tlb_access(cpu, 0x5000, 4, ACCESS_READ, &host));
                ck_assert_ptr_eq(host, memory_ram(memory) + 0x6000 + type * 0x1000);
        }
        ck_assert(!invpcid(4, 0, 0));
        ck_exception(EXC_GP, 0);
        for (uint32_t type = 0; type < 2; type++) {
                ck_assert(!invpcid(type, 0x1000, 0));           /* reserved bits */
                ck_exception(EXC_GP, 0);
                ck_assert(!invpcid(type, 1, 0));                /* an address space without CR4.PCIDE */
                ck_exception(EXC_GP, 0);
        }
        ck_assert(!invpcid(0, 0, UINT64_C(1) << 47));           /* not canonical */
        ck_exception(EXC_GP, 0);
        ck_assert(invpcid(2, UINT64_MAX, UINT64_C(1) << 47));   /* neither matters */
}
END_TEST

/* Of what CR4.PCIDE brings: when it may be set, CR3's bit 63, and that paging cannot be turned off. */
START_TEST(pcid_rules)
{
        setup_protected();
        exec_paging();
        cpu->efer |= EFER_LME | EFER_LMA;
        cpu->cr4 |= CR4_PAE;
        cpu->cr3 |= 0x18;
        cr_refused(4, CR4_PAE | CR4_PCIDE);             /* CR3 names an address space */
        cpu->cr3 &= ~UINT64_C(0xfff);
        ck_assert(write_cr(4, CR4_PAE | CR4_PCIDE));
        cr_refused(0, CR0_PE);
        ck_assert(write_cr(3, TABLES_AT | 0x123));
        ck_assert_uint_eq(cpu->cr3, TABLES_AT | 0x123);
        ck_assert(write_cr(4, CR4_PAE));
}
END_TEST

START_TEST(privileged_instructions_fault_in_ring_3)
{
        static const uint8_t code[][3] = {
                { 0x0f, 0x20, 0xc0 }, { 0x0f, 0x22, 0xc0 }, { 0x0f, 0x21, 0xc0 }, { 0x0f, 0x23, 0xc0 }, { 0x0f, 0x01, 0x3b },
        };
        static const uint8_t two[][2] = { { 0x0f, 0x06 }, { 0x0f, 0x08 }, { 0x0f, 0x09 }, { 0x0f, 0x30 }, { 0x0f, 0x32 } };

        setup_protected();
        fixture_user();
        for (unsigned i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
                ck_assert(!run_bytes(code[i], 3));
                ck_exception(EXC_GP, 0);
        }
        for (unsigned i = 0; i < sizeof(two) / sizeof(two[0]); i++) {
                ck_assert(!run_bytes(two[i], 2));
                ck_exception(EXC_GP, 0);
        }
        ck_assert(!RUN(0xf4));
        ck_exception(EXC_GP, 0);
        ck_assert(!cpu->halted);
}
END_TEST

START_TEST(cli_sti_and_the_shadow)
{
        setup_protected();
        RUN_OK(0xfb);
        ck_assert_uint_eq(cpu->iflag, 1);
        ck_assert_uint_eq(cpu->shadow, 1);
        cpu->shadow = 0;
        RUN_OK(0xfb);
        ck_assert_uint_eq(cpu->shadow, 0);              /* IF was set: no shadow */
        RUN_OK(0xfa);
        ck_assert_uint_eq(cpu->iflag, 0);
        RUN_OK(0xf4);
        ck_assert_uint_eq(cpu->halted, 1);
        fixture_user();
        ck_assert(!RUN(0xfb));
        ck_exception(EXC_GP, 0);
        ck_assert(!RUN(0xfa));
        ck_exception(EXC_GP, 0);
        cpu_set_rflags(cpu, cpu_rflags(cpu) | FLAG_IOPL);
        RUN_OK(0xfb);
        ck_assert_uint_eq(cpu->iflag, 1);
}
END_TEST

static void push(uint64_t value, unsigned size)
{
        cpu->regs[RSP] -= size;
        poke(cpu->regs[RSP], value, size);
}

START_TEST(popf_by_privilege)
{
        const uint32_t all = 0x3f7fd5;

        setup_protected();
        push(all, 4);
        RUN_OK(0x9d);
        /* RF and VM, VIF and VIP are not among what changes. */
        ck_assert_uint_eq(cpu_rflags(cpu), FLAGS_ARITH | FLAG_ONE | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_ID);
        push(0, 2);
        RUN_OK(0x66, 0x9d);
        ck_assert_uint_eq(cpu_rflags(cpu), FLAG_ONE | FLAG_AC | FLAG_ID);
        /* Ring 3 with IOPL 0: IF and IOPL stay, silently. */
        fixture_user();
        push(all, 4);
        RUN_OK(0x9d);
        ck_assert_uint_eq(cpu_rflags(cpu), FLAGS_ARITH | FLAG_ONE | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID);
        cpu_set_rflags(cpu, FLAG_IOPL);
        push(FLAG_IF, 4);
        RUN_OK(0x9d);
        ck_assert_uint_eq(cpu_rflags(cpu), FLAG_ONE | FLAG_IF | FLAG_IOPL);
        cpu_set_rflags(cpu, FLAG_RF | FLAG_IF | FLAG_CF);
        RUN_OK(0x9c);
        ck_assert_uint_eq(peek(cpu->regs[RSP], 4), FLAG_ONE | FLAG_IF | FLAG_CF);
}
END_TEST

START_TEST(v86_needs_iopl_3)
{
        setup_protected();
        fixture_user();
        cpu_set_rflags(cpu, FLAG_VM | FLAG_IF);
        cpu->seg[SEG_CS].attr &= (uint16_t)~SEG_DB;
        cpu->seg[SEG_SS].attr &= (uint16_t)~SEG_DB;
        cpu_mode_changed(cpu);
        static const uint8_t codes[] = { 0x9c, 0x9d, 0xfa, 0xfb };
        for (unsigned i = 0; i < sizeof(codes); i++) {
                ck_assert(!run_bytes(&codes[i], 1));
                ck_exception(EXC_GP, 0);
        }
        cpu_set_rflags(cpu, FLAG_VM | FLAG_IF | FLAG_IOPL);
        RUN_OK(0xfa);
        push(FLAG_IF | FLAG_CF, 2);
        RUN_OK(0x9d);
        ck_assert_uint_eq(cpu_rflags(cpu), FLAG_ONE | FLAG_VM | FLAG_IF | FLAG_IOPL | FLAG_CF);
}
END_TEST

static uint64_t fake_tsc(void *opaque)
{
        (void)opaque;
        return UINT64_C(0x123456789);
}

START_TEST(time_stamp)
{
        setup_protected();
        cpu->env.tsc = fake_tsc;
        cpu->tsc_offset = 0x10;
        cpu->tsc_aux = 7;
        RUN_OK(0x0f, 0x31);
        ck_assert_uint_eq(cpu->regs[RAX], 0x23456799);
        ck_assert_uint_eq(cpu->regs[RDX], 1);
        RUN_OK(0x0f, 0x01, 0xf9);
        ck_assert_uint_eq(cpu->regs[RCX], 7);
        cpu->cr4 |= CR4_TSD;
        RUN_OK(0x0f, 0x31);
        fixture_user();
        ck_assert(!RUN(0x0f, 0x31));
        ck_exception(EXC_GP, 0);
        cpu->regs[RCX] = 0;
        ck_assert(!RUN(0x0f, 0x33));
        ck_exception(EXC_GP, 0);
}
END_TEST

START_TEST(debug_registers_are_kept)
{
        setup_protected();
        cpu->regs[RAX] = 0xffffffff;
        RUN_OK(0x0f, 0x23, 0xf0);                       /* dr6 */
        RUN_OK(0x0f, 0x21, 0xf1);
        ck_assert_uint_eq(cpu->regs[RCX], 0xffffefff);
        RUN_OK(0x0f, 0x23, 0xe8);                       /* dr5 is dr7; GD makes the next move a fault */
        ck_assert(!RUN(0x0f, 0x21, 0xf9));
        ck_fault(EXC_DB);
        ck_assert_uint_eq(cpu->dr[6], 0xffffefff);
        ck_assert(cpu->rflags & FLAG_RF);
        cpu->dr[7] &= ~UINT64_C(0x2000);                /* as the delivery does */
        RUN_OK(0x0f, 0x21, 0xf9);
        ck_assert_uint_eq(cpu->regs[RCX], 0xffff07ff);
        cpu->cr4 |= CR4_DE;
        ck_assert(!RUN(0x0f, 0x21, 0xe1));
        ck_fault(EXC_UD);
        cpu->regs[RAX] = 0x1234;
        RUN_OK(0x0f, 0x23, 0xd8);
        ck_assert_uint_eq(cpu->dr[3], 0x1234);
}
END_TEST

static void fill(TCase *cases)
{
        tcase_add_test(cases, cr0_combinations);
        tcase_add_test(cases, cr4_follows_the_model);
        tcase_add_test(cases, pdptes_are_loaded_and_checked);
        tcase_add_test(cases, invlpg_and_cr3_flush);
        tcase_add_test(cases, invpcid_types_and_faults);
        tcase_add_test(cases, pcid_rules);
        tcase_add_test(cases, privileged_instructions_fault_in_ring_3);
        tcase_add_test(cases, cli_sti_and_the_shadow);
        tcase_add_test(cases, popf_by_privilege);
        tcase_add_test(cases, v86_needs_iopl_3);
        tcase_add_test(cases, time_stamp);
        tcase_add_test(cases, debug_registers_are_kept);
}

int main(void)
{
        return fixture_main("exec_system", fill);
}
