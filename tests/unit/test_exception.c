/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of exceptions and interrupts: gates, stacks, error codes, double and triple faults, restarts.
 */
#include "cpu_fixture.h"
#include "cpu/exception.h"

#define HANDLER(vector) (CODE_AT + 16u * (vector))

static uint32_t stack32(unsigned slot)
{
        return (uint32_t)peek(cpu->regs[RSP] + 4 * slot, 4);
}

/* State a delivery that fails must not change. */
static struct cpu before;

static void remember(void)
{
        before = *cpu;
}

static void ck_unchanged(void)
{
        ck_assert_mem_eq(cpu->regs, before.regs, sizeof(before.regs));
        ck_assert_mem_eq(cpu->seg, before.seg, sizeof(before.seg));
        ck_assert_uint_eq(cpu_rflags(cpu), cpu_rflags(&before));
        ck_assert_uint_eq(cpu->cpl, before.cpl);
        ck_assert_uint_eq(cpu->rip, before.rip);
        ck_assert_uint_eq(cpu->next_rip, before.next_rip);
        ck_assert_uint_eq(cpu->mode, before.mode);
}

START_TEST(real_mode)
{
        segment_install_real(cpu, SEG_CS, 0x1000);
        segment_install_real(cpu, SEG_SS, 0x2000);
        cpu->regs[RSP] = 0xabcd0100;
        cpu->rip = 0x1234;
        cpu_set_rflags(cpu, FLAG_IF | FLAG_TF | FLAG_CF);
        poke(0x21 * 4, 0x3000 << 16 | 0x5678, 4);
        cpu_deliver_interrupt(cpu, 0x21);
        ck_assert_uint_eq(cpu->seg[SEG_CS].selector, 0x3000);
        ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0x30000);
        ck_assert_uint_eq(cpu->rip, 0x5678);
        ck_assert_uint_eq(cpu->regs[RSP], 0xabcd00fa);
        ck_assert_uint_eq(peek(0x200fa, 2), 0x1234);
        ck_assert_uint_eq(peek(0x200fc, 2), 0x1000);
        ck_assert_uint_eq(peek(0x200fe, 2), FLAG_IF | FLAG_TF | FLAG_CF | FLAG_ONE);
        ck_assert_uint_eq(cpu_rflags(cpu), FLAG_CF | FLAG_ONE);
        /* SP wraps to the top of the segment between pushes. */
        cpu->regs[RSP] = 2;
        cpu_deliver_interrupt(cpu, 0x21);
        ck_assert_uint_eq(cpu->regs[RSP], 0xfffc);
        ck_assert_uint_eq(peek(0x20000, 2), FLAG_CF | FLAG_ONE);
        ck_assert_uint_eq(peek(0x2fffe, 2), 0x3000);
        /* An odd SP of 1 has no room for any frame, the double fault's included. */
        cpu->regs[RSP] = 1;
        cpu_deliver_interrupt(cpu, 0x21);
        ck_assert_uint_eq(shutdowns, 1);
}
END_TEST

START_TEST(same_level)
{
        fixture_protected();
        cpu_set_rflags(cpu, FLAG_IF | FLAG_TF | FLAG_NT | FLAG_ZF);
        cpu_raise_error(cpu, EXC_GP, 0x1230);
        cpu_deliver_exception(cpu);
        ck_assert_uint_eq(cpu->rip, HANDLER(13));
        ck_assert_uint_eq(cpu->regs[RSP], STACK0 - 16);
        ck_assert_uint_eq(stack32(0), 0x1230);
        ck_assert_uint_eq(stack32(1), CODE_AT - 0x100);
        ck_assert_uint_eq(stack32(2), CODE0);
        /* A fault's image has RF. */
        ck_assert_uint_eq(stack32(3), FLAG_RF | FLAG_IF | FLAG_TF | FLAG_NT | FLAG_ZF | FLAG_ONE);
        ck_assert_uint_eq(cpu_rflags(cpu), FLAG_ZF | FLAG_ONE);
        /* A trap gate leaves IF alone; an interrupt's image has no RF, no error code. */
        set_idt(0x40, CODE0, HANDLER(0x40), 0x8f);
        cpu_set_rflags(cpu, FLAG_IF);
        cpu_deliver_interrupt(cpu, 0x40);
        ck_assert_uint_eq(cpu->regs[RSP], STACK0 - 28);
        ck_assert_uint_eq(stack32(0), HANDLER(13));
        ck_assert_uint_eq(stack32(2), FLAG_IF | FLAG_ONE);
        ck_assert_uint_eq(cpu_rflags(cpu), FLAG_IF | FLAG_ONE);
}
END_TEST

START_TEST(inner_level)
{
        fixture_protected();
        fixture_user();
        cpu_raise_pf(cpu, 0xdeadbeef, PF_USER | PF_WRITE);
        cpu_deliver_exception(cpu);
        ck_assert_uint_eq(cpu->cr2, 0xdeadbeef);
        ck_assert_uint_eq(cpu->cpl, 0);
        ck_assert_uint_eq(cpu->seg[SEG_CS].selector, CODE0);
        ck_assert_uint_eq(cpu->seg[SEG_SS].selector, DATA0);
        ck_assert_uint_eq(cpu->seg[SEG_DS].selector, DATA3);
        ck_assert_uint_eq(cpu->regs[RSP], STACK0 - 24);
        ck_assert_uint_eq(stack32(0), PF_USER | PF_WRITE);
        ck_assert_uint_eq(stack32(1), CODE_AT - 0x100);
        ck_assert_uint_eq(stack32(2), CODE3);
        ck_assert_uint_eq(stack32(4), STACK3);
        ck_assert_uint_eq(stack32(5), DATA3);
        ck_assert(cpu->mode & MODE_CPL0);
        ck_assert(!(cpu->mode & MODE_USER));
}
END_TEST

START_TEST(conforming_handler)
{
        fixture_protected();
        fixture_user();
        set_idt(0x41, CODE_CONFORMING, HANDLER(0x41), 0xee);
        ck_assert(exception_software(cpu, 0x41, false));
        ck_assert_uint_eq(cpu->cpl, 3);
        ck_assert_uint_eq(cpu->seg[SEG_CS].selector, CODE_CONFORMING | 3);
        ck_assert_uint_eq(cpu->regs[RSP], STACK3 - 12);
        ck_assert_uint_eq(stack32(0), CODE_AT - 0x100 + 2);
}
END_TEST

START_TEST(gate_16)
{
        fixture_protected();
        fixture_user();
        cpu->regs[RSP] = 0x00018000;
        set_idt(0x41, CODE0, 0xffff0000 | 0x1230, 0xe6);
        ck_assert(exception_software(cpu, 0x41, false));
        ck_assert_uint_eq(cpu->next_rip, 0x1230);
        ck_assert_uint_eq(cpu->regs[RSP], STACK0 - 10);
        ck_assert_uint_eq(peek(STACK0 - 2, 2), DATA3);
        ck_assert_uint_eq(peek(STACK0 - 4, 2), 0x8000);
        ck_assert_uint_eq(peek(STACK0 - 10, 2), (CODE_AT - 0x100 + 2) & 0xffff);
}
END_TEST

START_TEST(from_v86)
{
        struct segment old;

        fixture_protected();
        cpu->cpl = 3;
        cpu_set_rflags(cpu, FLAG_VM | FLAG_IF | FLAG_IOPL);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                segment_install_real(cpu, i, (uint16_t)(0x1000 + i));
        old = cpu->seg[SEG_DS];
        ck_assert_uint_eq(old.attr, 0xf3);
        ck_assert_uint_eq(old.limit, 0xffff);
        cpu->regs[RSP] = 0x7000;
        cpu->rip = 0x0123;
        cpu_raise_error(cpu, EXC_GP, 0);
        cpu_deliver_exception(cpu);
        ck_assert_uint_eq(cpu->regs[RSP], STACK0 - 40);
        ck_assert_uint_eq(stack32(1), 0x0123);
        ck_assert_uint_eq(stack32(2), 0x1000 + SEG_CS);
        ck_assert_uint_eq(stack32(3), FLAG_VM | FLAG_RF | FLAG_IF | FLAG_IOPL | FLAG_ONE);
        ck_assert_uint_eq(stack32(4), 0x7000);
        ck_assert_uint_eq(stack32(5), 0x1000 + SEG_SS);
        ck_assert_uint_eq(stack32(6), 0x1000 + SEG_ES);
        ck_assert_uint_eq(stack32(7), 0x1000 + SEG_DS);
        ck_assert_uint_eq(stack32(8), 0x1000 + SEG_FS);
        ck_assert_uint_eq(stack32(9), 0x1000 + SEG_GS);
        ck_assert_uint_eq(cpu->seg[SEG_DS].attr, 0);
        ck_assert_uint_eq(cpu->seg[SEG_GS].selector, 0);
        ck_assert_uint_eq(cpu->cpl, 0);
        ck_assert(cpu->mode & MODE_PROTECTED);
        /* A handler that is not in ring 0 will not do. */
        fixture_protected();
        cpu->cpl = 3;
        cpu_set_rflags(cpu, FLAG_VM | FLAG_IOPL);
        set_idt(0x41, CODE_CONFORMING, HANDLER(0x41), 0xee);
        ck_assert(!exception_software(cpu, 0x41, false));
        ck_exception(EXC_GP, CODE_CONFORMING);
}
END_TEST

/* -- What a bad gate gives ---------------------------------------------------------------------------- */

static void ck_software(unsigned vector, unsigned exception, uint32_t error)
{
        remember();
        ck_assert(!exception_software(cpu, (uint8_t)vector, false));
        ck_exception(exception, error);
        ck_unchanged();
}

START_TEST(bad_gates)
{
        fixture_protected();
        fixture_user();
        ck_software(13, EXC_GP, 13 * 8 + 2);                    /* DPL 0 */
        set_idt(0x50, CODE0, 0, 0x6e);
        ck_software(0x50, EXC_NP, 0x50 * 8 + 2);
        set_idt(0x50, CODE0, 0, 0xec);                          /* a call gate */
        ck_software(0x50, EXC_GP, 0x50 * 8 + 2);
        set_idt(0x50, 0, 0, 0xee);
        ck_software(0x50, EXC_GP, 0);
        set_idt(0x50, 0x1000, 0, 0xee);                         /* beyond the GDT */
        ck_software(0x50, EXC_GP, 0x1000);
        set_idt(0x50, DATA0, 0, 0xee);
        ck_software(0x50, EXC_GP, DATA0);
        set_gdt(FREE_SELECTOR, 0, 0xfffff, ATTR_CODE32 & ~SEG_P);
        set_idt(0x50, FREE_SELECTOR, 0, 0xee);
        ck_software(0x50, EXC_NP, FREE_SELECTOR);
        set_gdt(FREE_SELECTOR, 0, 0xff, ATTR_CODE32 & ~SEG_G);
        set_idt(0x50, FREE_SELECTOR, 0x100, 0xee);
        ck_software(0x50, EXC_GP, 0);                           /* beyond its limit */
        cpu->idt.limit = 0x50 * 8 + 6;
        ck_software(0x50, EXC_GP, 0x50 * 8 + 2);
        /* The same for an event from outside carries EXT. */
        cpu_deliver_interrupt(cpu, 0x50);
        ck_assert_uint_eq(cpu->rip, HANDLER(13));
        ck_assert_uint_eq(stack32(0), 0x50 * 8 + 3);
}
END_TEST

START_TEST(bad_inner_stacks)
{
        fixture_protected();
        fixture_user();
        poke(TSS_AT + 8, 0, 2);
        ck_software(0x50, EXC_TS, 0);
        poke(TSS_AT + 8, DATA3, 2);
        ck_software(0x50, EXC_TS, DATA3 & ~3);
        poke(TSS_AT + 8, CODE0, 2);
        ck_software(0x50, EXC_TS, CODE0);
        poke(TSS_AT + 8, 0x1000, 2);
        ck_software(0x50, EXC_TS, 0x1000);
        poke(TSS_AT + 8, DATA_ABSENT, 2);
        ck_software(0x50, EXC_SS, DATA_ABSENT);
        set_gdt(FREE_SELECTOR, 0, STACK0 - 9, 0x4093);
        poke(TSS_AT + 8, FREE_SELECTOR, 2);
        ck_software(0x50, EXC_SS, FREE_SELECTOR);
        poke(TSS_AT + 8, DATA0, 2);
        cpu->seg[SEG_TR].limit = 8;
        ck_software(0x50, EXC_TS, TSS_SELECTOR);
}
END_TEST

/* -- Paging and restarts --------------------------------------------------------------------------------- */

/* Identity maps the first 4 MiB with small pages, all user. */
static void page_identity(void)
{
        poke(TABLES_AT, (TABLES_AT + 0x1000) | 7, 4);
        for (unsigned i = 0; i < 1024; i++)
                poke(TABLES_AT + 0x1000 + i * 4, i << 12 | 7, 4);
        cpu->cr3 = TABLES_AT;
        cpu->cr0 |= CR0_PG | CR0_WP;
        tlb_flush(cpu, true);
}

static void set_page(gpa_t linear, unsigned bits)
{
        poke(TABLES_AT + 0x1000 + (linear >> 12) * 4, (linear & ~UINT64_C(0xfff)) | bits, 4);
        tlb_flush_page(cpu, linear);
}

START_TEST(fault_during_software_interrupt)
{
        fixture_protected();
        page_identity();
        fixture_user();
        /* The ring-0 stack's page is missing, then its frame spans two pages of which the lower is missing. */
        set_page(STACK0 - 0x1000, 0);
        ck_software(0x50, EXC_PF, PF_WRITE);
        ck_assert_uint_eq(cpu->exception.cr2, STACK0 - 4);      /* the first push that fails */
        set_page(STACK0 - 0x1000, 7);
        poke(TSS_AT + 4, 0x5008, 4);
        poke(0x5000, 0x1122334455667788, 8);
        set_page(0x4000, 5);                                    /* holds the TSS: readable, not writable */
        ck_software(0x50, EXC_PF, PF_PRESENT | PF_WRITE);
        ck_assert_uint_eq(cpu->exception.cr2, 0x4ffc);
        ck_assert_uint_eq(peek(0x5000, 8), 0x1122334455667788);
        ck_assert_uint_eq(peek(TABLES_AT + 0x1000 + 4 * 4, 4) & 0x40, 0);
        /* It can be restarted. */
        set_page(0x4000, 7);
        ck_assert(exception_software(cpu, 0x50, false));
        ck_assert_uint_eq(cpu->regs[RSP], 0x5008 - 20);
}
END_TEST

START_TEST(page_fault_during_interrupt)
{
        fixture_protected();
        page_identity();
        fixture_user();
        cpu->rip = 0x12345;
        set_page(IDT_AT, 0);
        /* The IDT itself is missing: page fault, whose gate is missing too: double, whose gate ...: triple. */
        cpu_deliver_interrupt(cpu, 0x50);
        ck_assert_uint_eq(shutdowns, 1);
        ck_assert_uint_eq(cpu->cr2, IDT_AT + 8 * 8);
}
END_TEST

/* -- Combining (SDM 3A table 6-5) ---------------------------------------------------------------------------- */

static void absent_gate(unsigned vector)
{
        set_idt(vector, CODE0, HANDLER(vector), 0x0e);
}

START_TEST(combinations)
{
        static const struct { uint8_t first, broken; bool double_fault; } cases[] = {
                { EXC_UD, EXC_UD, false }, { EXC_GP, EXC_GP, true }, { EXC_DE, EXC_DE, true },
                { EXC_NP, EXC_NP, true }, { EXC_PF, EXC_PF, true }, { EXC_NM, EXC_NM, false },
                { EXC_BP, EXC_BP, false },
        };

        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                fixture_protected();
                absent_gate(cases[i].broken);
                cpu_raise(cpu, cases[i].first);
                cpu_deliver_exception(cpu);
                ck_assert_uint_eq(cpu->rip, cases[i].double_fault ? HANDLER(8) : HANDLER(11));
                ck_assert_uint_eq(stack32(0), cases[i].double_fault ? 0 : cases[i].broken * 8u + 3);
                ck_assert_uint_eq(cpu->regs[RSP], STACK0 - 16);
        }
        /* A page fault during delivery of a contributory exception is delivered as it is. */
        fixture_protected();
        page_identity();
        fixture_user();
        set_page(STACK0 - 0x1000, 0);
        set_idt(EXC_PF, CODE_CONFORMING, HANDLER(EXC_PF), 0x8e);
        cpu_raise_error(cpu, EXC_GP, 0);
        cpu_deliver_exception(cpu);
        ck_assert_uint_eq(cpu->rip, HANDLER(14));
        ck_assert_uint_eq(cpu->cr2, STACK0 - 4);
        ck_assert_uint_eq(stack32(1), CODE_AT - 0x100);
}
END_TEST

START_TEST(triple_fault)
{
        fixture_protected();
        absent_gate(13);
        absent_gate(8);
        cpu_raise_error(cpu, EXC_GP, 0);
        cpu_deliver_exception(cpu);
        ck_assert_uint_eq(shutdowns, 1);
        ck_assert(!cpu->exception.pending);
        /* No IDT at all, as a kernel that wants to reboot does. */
        fixture_protected();
        cpu->idt.limit = 0;
        remember();
        ck_assert(!exception_software(cpu, 3, false));
        ck_assert(cpu->exception.pending);
        ck_unchanged();
        cpu_deliver_exception(cpu);
        ck_assert_uint_eq(shutdowns, 2);
}
END_TEST

START_TEST(bad_task_gates)
{
        fixture_protected();
        set_gdt(TSS_SELECTOR, TSS_AT, 0x67, 0x8b);
        set_idt(8, TSS_SELECTOR, 0, 0x85);
        set_idt(0x50, TSS_SELECTOR, 0, 0xe5);
        ck_software(0x50, EXC_GP, TSS_SELECTOR);
        set_gdt(TSS_SELECTOR, TSS_AT, 0x67, 0x09);
        ck_software(0x50, EXC_NP, TSS_SELECTOR);
        set_idt(0x50, 0x1000, 0, 0xe5);
        ck_software(0x50, EXC_GP, 0x1000);
}
END_TEST

/* -- Long mode ---------------------------------------------------------------------------------------------------- */

START_TEST(long_mode)
{
        fixture_protected();
        /* Identity map of the first GiB. */
        poke(TABLES_AT, (TABLES_AT + 0x1000) | 7, 8);
        poke(TABLES_AT + 0x1000, 0x87, 8);
        cpu->cr3 = TABLES_AT;
        cpu->cr4 |= CR4_PAE;
        cpu->efer |= EFER_LME | EFER_LMA;
        cpu->cr0 |= CR0_PG;
        set_gdt(CODE0, 0, 0, 0x209b);
        set_gdt(CODE3, 0, 0, 0x20fb);
        load_code(CODE3);
        cpu->idt.limit = 0xfff;
        poke(IDT_AT + 14 * 16, make_gate(CODE0, 0x12345678, 0x8e, 0), 8);
        poke(IDT_AT + 14 * 16 + 8, 0xffffffff, 8);
        poke(IDT_AT + 2 * 16, make_gate(CODE0, 0x20000, 0x8e, 1), 8);
        poke(IDT_AT + 2 * 16 + 8, 0, 8);
        poke(TSS_AT + 4, 0x8008, 8);
        poke(TSS_AT + 0x24, 0x9000, 8);
        cpu->regs[RSP] = UINT64_C(0x7fffffff0008);
        cpu->rip = UINT64_C(0x555500001234);
        cpu_raise_pf(cpu, UINT64_C(0xffff888800000000), 4);
        cpu_deliver_exception(cpu);
        ck_assert_uint_eq(cpu->rip, UINT64_C(0xffffffff12345678));
        ck_assert_uint_eq(cpu->regs[RSP], 0x8000 - 48);         /* aligned down first */
        ck_assert_uint_eq(peek(0x8000 - 48, 8), 4);
        ck_assert_uint_eq(peek(0x8000 - 40, 8), UINT64_C(0x555500001234));
        ck_assert_uint_eq(peek(0x8000 - 16, 8), UINT64_C(0x7fffffff0008));
        ck_assert_uint_eq(peek(0x8000 - 8, 8), DATA0);
        ck_assert_uint_eq(cpu->seg[SEG_SS].selector, 0);
        ck_assert_uint_eq(cpu->cr2, UINT64_C(0xffff888800000000));
        cpu_deliver_interrupt(cpu, 2);                          /* IST 1, same level */
        ck_assert_uint_eq(cpu->rip, 0x20000);
        ck_assert_uint_eq(cpu->regs[RSP], 0x9000 - 40);
        ck_assert_uint_eq(peek(0x9000 - 16, 8), 0x8000 - 48);
}
END_TEST

static void fill(TCase *cases)
{
        tcase_add_test(cases, real_mode);
        tcase_add_test(cases, same_level);
        tcase_add_test(cases, inner_level);
        tcase_add_test(cases, conforming_handler);
        tcase_add_test(cases, gate_16);
        tcase_add_test(cases, from_v86);
        tcase_add_test(cases, bad_gates);
        tcase_add_test(cases, bad_inner_stacks);
        tcase_add_test(cases, fault_during_software_interrupt);
        tcase_add_test(cases, page_fault_during_interrupt);
        tcase_add_test(cases, combinations);
        tcase_add_test(cases, triple_fault);
        tcase_add_test(cases, bad_task_gates);
        tcase_add_test(cases, long_mode);
}

int main(void)
{
        return fixture_main("exception", fill);
}
