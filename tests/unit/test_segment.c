/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment loads, inspection, far transfers, call gates, IRET.
 */
#include "cpu_fixture.h"
#include "cpu/exec.h"

static struct cpu before;

/* -- Instructions by hand, so that no decoder is needed ------------------------------------------------ */

static struct insn insn_of(enum insn_map map, uint8_t code, unsigned operand_bytes)
{
        struct insn insn = {
                .length = 2, .map = map, .code = code, .operand_bytes = (uint8_t)operand_bytes, .address_bytes = 4,
                .segment = SEG_DS, .base = REG_NONE, .index = REG_NONE,
        };

        cpu->next_rip = cpu->rip + 2;
        cpu->exception.pending = false;
        before = *cpu;
        return insn;
}

static bool run(insn_handler *handler, const struct insn *insn)
{
        bool done = handler(cpu, insn);

        ck_assert_int_eq(done, !cpu->exception.pending);
        if (!done) {
                ck_assert_mem_eq(cpu->regs, before.regs, sizeof(before.regs));
                ck_assert_mem_eq(cpu->seg, before.seg, sizeof(before.seg));
                ck_assert_uint_eq(cpu_rflags(cpu), cpu_rflags(&before));
                ck_assert_uint_eq(cpu->cpl, before.cpl);
                ck_assert_uint_eq(cpu->mode, before.mode);
        }
        return done;
}

/* A two-operand one whose r/m is register RBX and whose reg is RAX. */
static bool run_rm(insn_handler *handler, enum insn_map map, uint8_t code, uint8_t modrm)
{
        struct insn insn = insn_of(map, code, 4);

        insn.has_modrm = true;
        insn.modrm = modrm;
        insn.rm = RBX;
        insn.reg = modrm >> 3 & 7;
        return run(handler, &insn);
}

static bool mov_to_seg(enum cpu_segment segment, uint16_t selector)
{
        cpu->regs[RBX] = selector;
        return run_rm(exec_mov_to_seg, MAP_PRIMARY, 0x8e, (uint8_t)(0xc3 | segment << 3));
}

static void ck_load_fault(enum cpu_segment segment, uint16_t selector, unsigned vector, uint32_t error)
{
        ck_assert(!mov_to_seg(segment, selector));
        ck_exception(vector, error);
}

static bool far(insn_handler *handler, uint16_t selector, uint32_t offset)
{
        struct insn insn = insn_of(MAP_PRIMARY, 0x9a, 4);

        insn.imm = offset;
        insn.imm2 = selector;
        return run(handler, &insn);
}

static void ck_far_fault(insn_handler *handler, uint16_t selector, uint32_t offset, unsigned vector, uint32_t error)
{
        ck_assert(!far(handler, selector, offset));
        ck_exception(vector, error);
}

static bool ret_far(unsigned width, unsigned extra)
{
        struct insn insn = insn_of(MAP_PRIMARY, 0xca, width);

        insn.imm = extra;
        insn.imm_bytes = 2;
        return run(exec_ret_far, &insn);
}

static bool iret(unsigned width)
{
        struct insn insn = insn_of(MAP_PRIMARY, 0xcf, width);

        return run(exec_iret, &insn);
}

/* Pushes 32-bit values, the last one ending up on top. */
static void push(const uint32_t *values, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                cpu->regs[RSP] -= 4;
                poke(cpu->regs[RSP], values[i], 4);
        }
}

#define PUSH(...) push((const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

/* -- Loads ------------------------------------------------------------------------------------------------ */

START_TEST(data_loads)
{
        fixture_protected();
        set_gdt(FREE_SELECTOR, 0x12345678, 0x1ffff, 0x4092);
        ck_assert(mov_to_seg(SEG_ES, FREE_SELECTOR));
        ck_assert_uint_eq(cpu->seg[SEG_ES].base, 0x12345678);
        ck_assert_uint_eq(cpu->seg[SEG_ES].limit, 0x1ffff);
        ck_assert_uint_eq(cpu->seg[SEG_ES].attr, 0x4093);
        ck_assert_uint_eq(cpu->seg[SEG_ES].write_end, 0x20000);
        /* The accessed bit is in the table now. */
        ck_assert_uint_eq(peek(GDT_AT + FREE_SELECTOR + 5, 1), 0x93);
        ck_assert_uint_eq(cpu->shadow, 0);
        set_gdt(FREE_SELECTOR, 0, 0x12345, 0x8093);
        ck_assert(mov_to_seg(SEG_FS, FREE_SELECTOR));
        ck_assert_uint_eq(cpu->seg[SEG_FS].limit, 0x12345fff);
        /* Null selectors: all of 0 to 3, for everything but SS. */
        ck_assert(mov_to_seg(SEG_DS, 3));
        ck_assert_uint_eq(cpu->seg[SEG_DS].selector, 3);
        ck_assert_uint_eq(cpu->seg[SEG_DS].attr, 0);
        ck_load_fault(SEG_SS, 0, EXC_GP, 0);
        /* Code: readable yes, execute-only no. */
        ck_assert(mov_to_seg(SEG_DS, CODE0));
        set_gdt(FREE_SELECTOR, 0, 0xfffff, 0xc099);
        ck_load_fault(SEG_DS, FREE_SELECTOR, EXC_GP, FREE_SELECTOR);
        ck_load_fault(SEG_DS, TSS_SELECTOR, EXC_GP, TSS_SELECTOR);
        ck_load_fault(SEG_GS, DATA_ABSENT, EXC_NP, DATA_ABSENT);
        ck_load_fault(SEG_GS, GDT_ENTRIES * 8, EXC_GP, GDT_ENTRIES * 8);
        ck_load_fault(SEG_GS, DATA0 | 1, EXC_GP, DATA0);
        /* The LDT */
        poke(LDT_AT + 8, make_descriptor(0x5000, 0xff, 0x4093), 8);
        ck_assert(mov_to_seg(SEG_GS, 8 | 4));
        ck_assert_uint_eq(cpu->seg[SEG_GS].base, 0x5000);
        ck_load_fault(SEG_GS, 0x100 | 4, EXC_GP, 0x100 | 4);
        segment_install_null(cpu, SEG_LDTR, 0);
        ck_load_fault(SEG_GS, 8 | 4, EXC_GP, 8 | 4);
}
END_TEST

START_TEST(privileges)
{
        fixture_protected();
        fixture_user();
        ck_load_fault(SEG_DS, DATA0, EXC_GP, DATA0);
        ck_load_fault(SEG_DS, DATA0 | 3, EXC_GP, DATA0);
        ck_assert(mov_to_seg(SEG_DS, CODE_CONFORMING | 3));
        ck_assert(mov_to_seg(SEG_DS, DATA3 & ~3));
        ck_load_fault(SEG_SS, DATA3 & ~3, EXC_GP, DATA3 & ~3);
}
END_TEST

START_TEST(stack_loads)
{
        fixture_protected();
        ck_assert(mov_to_seg(SEG_SS, DATA0));
        ck_assert_uint_eq(cpu->shadow, SHADOW_SS);
        ck_load_fault(SEG_SS, DATA0 | 3, EXC_GP, DATA0);
        ck_load_fault(SEG_SS, DATA3, EXC_GP, DATA3 & ~3);
        ck_load_fault(SEG_SS, CODE0, EXC_GP, CODE0);
        ck_load_fault(SEG_SS, DATA_ABSENT, EXC_SS, DATA_ABSENT);
        set_gdt(FREE_SELECTOR, 0, 0xfffff, 0xc091);
        ck_load_fault(SEG_SS, FREE_SELECTOR, EXC_GP, FREE_SELECTOR);
        /* POP SS */
        struct insn insn = insn_of(MAP_PRIMARY, 0x17, 4);
        cpu->shadow = 0;
        poke(STACK0 - 4, DATA0, 4);
        cpu->regs[RSP] = STACK0 - 4;
        ck_assert(exec_pop_seg(cpu, &insn));
        ck_assert_uint_eq(cpu->regs[RSP], STACK0);
        ck_assert_uint_eq(cpu->shadow, SHADOW_SS);
}
END_TEST

START_TEST(real_and_unreal)
{
        cpu->seg[SEG_DS].limit = 0xffffffff;
        ck_assert(mov_to_seg(SEG_DS, 0x1234));
        ck_assert_uint_eq(cpu->seg[SEG_DS].base, 0x12340);
        ck_assert_uint_eq(cpu->seg[SEG_DS].limit, 0xffffffff);
        ck_assert(cpu->mode & MODE_SEG_NO_LIMIT(SEG_DS));
        ck_assert(mov_to_seg(SEG_SS, 0));
        ck_assert_uint_eq(cpu->shadow, SHADOW_SS);
}
END_TEST

START_TEST(far_pointers)
{
        struct insn insn;

        fixture_protected();
        insn = insn_of(MAP_0F, 0xb5, 4);        /* LGS EAX, [20000h] */
        insn.is_memory = true;
        insn.disp = 0x20000;
        poke(0x20000, UINT64_C(0x001087654321), 6);
        ck_assert(run(exec_load_far_pointer, &insn));
        ck_assert_uint_eq(cpu->regs[RAX], 0x87654321);
        ck_assert_uint_eq(cpu->seg[SEG_GS].selector, DATA0);
        poke(0x20004, DATA_ABSENT, 2);
        insn_of(MAP_0F, 0xb5, 4);
        ck_assert(!run(exec_load_far_pointer, &insn));
        ck_exception(EXC_NP, DATA_ABSENT);
}
END_TEST

START_TEST(table_registers)
{
        struct insn insn;

        fixture_protected();
        insn = insn_of(MAP_0F, 1, 4);
        insn.is_memory = true;
        insn.disp = 0x20000;
        poke(0x20000, UINT64_C(0x87654321abcd), 6);
        ck_assert(run(exec_lidt, &insn));
        ck_assert_uint_eq(cpu->idt.base, 0x87654321);
        ck_assert_uint_eq(cpu->idt.limit, 0xabcd);
        insn.operand_bytes = 2;
        ck_assert(run(exec_lidt, &insn));
        ck_assert_uint_eq(cpu->idt.base, 0x654321);
        insn.disp = 0x20010;
        poke(0x20010, UINT64_MAX, 8);
        ck_assert(run(exec_sgdt, &insn));
        ck_assert_uint_eq(peek(0x20010, 8), UINT64_C(0xffff0000100000ff));
        fixture_user();
        insn_of(MAP_0F, 1, 4);
        ck_assert(!run(exec_lgdt, &insn));
        ck_exception(EXC_GP, 0);
        ck_assert(run(exec_sidt, &insn));
        cpu->cr4 |= CR4_UMIP;
        cpu_mode_changed(cpu);
        insn_of(MAP_0F, 1, 4);
        ck_assert(!run(exec_sidt, &insn));
        ck_exception(EXC_GP, 0);
}
END_TEST

START_TEST(ltr_lldt)
{
        fixture_protected();
        cpu->regs[RBX] = TSS_SELECTOR;
        ck_assert(run_rm(exec_ltr, MAP_0F, 0, 0xdb));
        ck_assert_uint_eq(cpu->seg[SEG_TR].attr, 0x8b);
        ck_assert_uint_eq(peek(GDT_AT + TSS_SELECTOR + 5, 1), 0x8b);
        ck_assert(!run_rm(exec_ltr, MAP_0F, 0, 0xdb));          /* busy */
        ck_exception(EXC_GP, TSS_SELECTOR);
        cpu->regs[RBX] = 0;
        ck_assert(!run_rm(exec_ltr, MAP_0F, 0, 0xdb));
        ck_exception(EXC_GP, 0);
        ck_assert(run_rm(exec_lldt, MAP_0F, 0, 0xd3));
        ck_assert_uint_eq(cpu->seg[SEG_LDTR].attr, 0);
        cpu->regs[RBX] = LDT_SELECTOR;
        ck_assert(run_rm(exec_lldt, MAP_0F, 0, 0xd3));
        ck_assert_uint_eq(cpu->seg[SEG_LDTR].base, LDT_AT);
        cpu->regs[RBX] = DATA0;
        ck_assert(!run_rm(exec_lldt, MAP_0F, 0, 0xd3));
        ck_exception(EXC_GP, DATA0);
        set_gdt(FREE_SELECTOR, 0, 0xff, 0x02);
        cpu->regs[RBX] = FREE_SELECTOR;
        ck_assert(!run_rm(exec_lldt, MAP_0F, 0, 0xd3));
        ck_exception(EXC_NP, FREE_SELECTOR);
        fixture_user();
        ck_assert(!run_rm(exec_lldt, MAP_0F, 0, 0xd3));
        ck_exception(EXC_GP, 0);
        ck_assert(run_rm(exec_sldt, MAP_0F, 0, 0xc3));
        ck_assert_uint_eq(cpu->regs[RBX], LDT_SELECTOR);
        cpu->cr0 &= ~(uint64_t)CR0_PE;
        ck_assert(!exec_str(cpu, &(struct insn){ .rm = RBX, .operand_bytes = 4 }));
        ck_assert_uint_eq(cpu->exception.vector, EXC_UD);
}
END_TEST

static bool inspect(insn_handler *handler, uint16_t selector)
{
        cpu->regs[RBX] = selector;
        cpu->regs[RAX] = 0x55555555;
        ck_assert(run_rm(handler, MAP_0F, 2, 0xc3));
        return cpu->rflags & FLAG_ZF;
}

START_TEST(inspection)
{
        fixture_protected();
        ck_assert(inspect(exec_lar, DATA0));
        ck_assert_uint_eq(cpu->regs[RAX], 0x00c09300);
        ck_assert(inspect(exec_lar, TSS_SELECTOR));
        ck_assert_uint_eq(cpu->regs[RAX], 0x00008900);
        ck_assert(inspect(exec_lsl, TSS_SELECTOR));
        ck_assert_uint_eq(cpu->regs[RAX], 0x67);
        ck_assert(inspect(exec_lsl, DATA0));
        ck_assert_uint_eq(cpu->regs[RAX], 0xffffffff);
        ck_assert(!inspect(exec_lar, 0));
        ck_assert_uint_eq(cpu->regs[RAX], 0x55555555);
        ck_assert(!inspect(exec_lsl, 0x1000));
        poke(GDT_AT + FREE_SELECTOR, make_gate(CODE0, 0, 0x8c, 0), 8);
        ck_assert(inspect(exec_lar, FREE_SELECTOR));
        ck_assert(!inspect(exec_lsl, FREE_SELECTOR));
        ck_assert(inspect(exec_verr, CODE0));
        ck_assert(!inspect(exec_verw, CODE0));
        ck_assert(inspect(exec_verw, DATA0));
        ck_assert(!inspect(exec_verr, TSS_SELECTOR));
        /* Not present does not matter; privilege does. */
        ck_assert(inspect(exec_verr, DATA_ABSENT));
        fixture_user();
        ck_assert(!inspect(exec_lar, DATA0));
        ck_assert(inspect(exec_lar, CODE_CONFORMING));
        ck_assert(!inspect(exec_verr, DATA0));
}
END_TEST

START_TEST(arpl)
{
        fixture_protected();
        cpu->regs[RBX] = 0x1230;
        cpu->regs[RAX] = 3;
        ck_assert(run_rm(exec_arpl, MAP_PRIMARY, 0x63, 0xc3));
        ck_assert_uint_eq(cpu->regs[RBX], 0x1233);
        ck_assert(cpu->rflags & FLAG_ZF);
        cpu->regs[RAX] = 1;
        ck_assert(run_rm(exec_arpl, MAP_PRIMARY, 0x63, 0xc3));
        ck_assert_uint_eq(cpu->regs[RBX], 0x1233);
        ck_assert(!(cpu->rflags & FLAG_ZF));
}
END_TEST

START_TEST(lmsw)
{
        cpu->regs[RBX] = 0xffff;
        ck_assert(run_rm(exec_lmsw, MAP_0F, 1, 0xf3));
        ck_assert_uint_eq(cpu->cr0 & 0x3f, 0x1f);
        ck_assert(cpu->mode & MODE_PROTECTED);
        cpu->regs[RBX] = 0;
        ck_assert(run_rm(exec_lmsw, MAP_0F, 1, 0xf3));
        ck_assert_uint_eq(cpu->cr0 & 0x3f, 0x11);               /* PE stays */
}
END_TEST

/* -- JMP and CALL --------------------------------------------------------------------------------------------- */

START_TEST(jumps)
{
        fixture_protected();
        ck_assert(far(exec_jmp_far, CODE0, 0x12345));
        ck_assert_uint_eq(cpu->next_rip, 0x12345);
        ck_far_fault(exec_jmp_far, 0, 0, EXC_GP, 0);
        ck_far_fault(exec_jmp_far, DATA0, 0, EXC_GP, DATA0);
        ck_far_fault(exec_jmp_far, CODE3, 0, EXC_GP, CODE3 & ~3);
        ck_far_fault(exec_jmp_far, CODE0 | 3, 0, EXC_GP, CODE0);
        ck_far_fault(exec_jmp_far, 0x1000, 0, EXC_GP, 0x1000);
        set_gdt(FREE_SELECTOR, 0, 0xfff, 0x401b);
        ck_far_fault(exec_jmp_far, FREE_SELECTOR, 0, EXC_NP, FREE_SELECTOR);
        set_gdt(FREE_SELECTOR, 0x10000, 0xfff, 0x009a);
        ck_far_fault(exec_jmp_far, FREE_SELECTOR, 0x1000, EXC_GP, 0);
        ck_assert(far(exec_jmp_far, FREE_SELECTOR, 0xfff));
        ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0x10000);
        ck_assert(!(cpu->mode & MODE_CODE32));
        fixture_user();
        ck_assert(far(exec_jmp_far, CODE_CONFORMING, 5));
        ck_assert_uint_eq(cpu->seg[SEG_CS].selector, CODE_CONFORMING | 3);
        ck_assert_uint_eq(cpu->cpl, 3);
        ck_far_fault(exec_jmp_far, CODE0, 0, EXC_GP, CODE0);
        ck_far_fault(exec_jmp_far, TSS_SELECTOR, 0, EXC_GP, TSS_SELECTOR);
}
END_TEST

START_TEST(calls_and_returns)
{
        fixture_protected();
        ck_assert(far(exec_call_far, CODE0, 0x12345));
        ck_assert_uint_eq(cpu->regs[RSP], STACK0 - 8);
        ck_assert_uint_eq(peek(STACK0 - 4, 4), CODE0);
        ck_assert_uint_eq(peek(STACK0 - 8, 4), cpu->rip + 2);
        ck_assert(ret_far(4, 0x10));
        ck_assert_uint_eq(cpu->regs[RSP], STACK0 + 0x10);
        ck_assert_uint_eq(cpu->next_rip, cpu->rip + 2);
        /* To ring 3, releasing parameters on both stacks, dropping ring-0 data segments. */
        cpu->regs[RSP] = STACK0;
        PUSH(DATA3, STACK3, 0, 0, CODE3, 0x4444);
        load(SEG_ES, DATA3);
        load(SEG_FS, CODE_CONFORMING);
        ck_assert(ret_far(4, 8));
        ck_assert_uint_eq(cpu->cpl, 3);
        ck_assert_uint_eq(cpu->regs[RSP], STACK3 + 8);
        ck_assert_uint_eq(cpu->seg[SEG_SS].selector, DATA3);
        ck_assert_uint_eq(cpu->seg[SEG_DS].attr, 0);
        ck_assert_uint_eq(cpu->seg[SEG_DS].selector, 0);
        ck_assert_uint_eq(cpu->seg[SEG_ES].selector, DATA3);
        ck_assert_uint_eq(cpu->seg[SEG_FS].selector, CODE_CONFORMING);
        ck_assert(cpu->mode & MODE_USER);
        /* Never inwards. */
        PUSH(CODE0, 0);
        ck_assert(!ret_far(4, 0));
        ck_exception(EXC_GP, CODE0);
        /* Wrong stacks of an outer return. */
        fixture_protected();
        PUSH(DATA0, STACK3, CODE3, 0);
        ck_assert(!ret_far(4, 0));
        ck_exception(EXC_GP, DATA0);
        PUSH(0, STACK3, CODE3, 0);
        ck_assert(!ret_far(4, 0));
        ck_exception(EXC_GP, 0);
}
END_TEST

START_TEST(call_gates)
{
        fixture_protected();
        poke(GDT_AT + FREE_SELECTOR, make_gate(CODE0, 0x20000, 0xec, 2), 8);
        fixture_user();
        PUSH(0xaaaa, 0xbbbb);
        ck_assert(far(exec_call_far, FREE_SELECTOR | 3, 0xdeadbeef));
        ck_assert_uint_eq(cpu->cpl, 0);
        ck_assert_uint_eq(cpu->next_rip, 0x20000);
        ck_assert_uint_eq(cpu->regs[RSP], STACK0 - 24);
        ck_assert_uint_eq(peek(STACK0 - 4, 4), DATA3);
        ck_assert_uint_eq(peek(STACK0 - 8, 4), STACK3 - 8);
        ck_assert_uint_eq(peek(STACK0 - 12, 4), 0xaaaa);
        ck_assert_uint_eq(peek(STACK0 - 16, 4), 0xbbbb);
        ck_assert_uint_eq(peek(STACK0 - 20, 4), CODE3);
        ck_assert_uint_eq(peek(STACK0 - 24, 4), cpu->rip + 2);
        ck_assert(ret_far(4, 8));
        ck_assert_uint_eq(cpu->cpl, 3);
        ck_assert_uint_eq(cpu->regs[RSP], STACK3);
        /* JMP cannot go inwards, a gate of DPL 0 cannot be used, an absent one is #NP. */
        ck_far_fault(exec_jmp_far, FREE_SELECTOR | 3, 0, EXC_GP, CODE0);
        poke(GDT_AT + FREE_SELECTOR, make_gate(CODE0, 0x20000, 0x8c, 0), 8);
        ck_far_fault(exec_call_far, FREE_SELECTOR, 0, EXC_GP, FREE_SELECTOR);
        poke(GDT_AT + FREE_SELECTOR, make_gate(CODE0, 0x20000, 0x6c, 0), 8);
        ck_far_fault(exec_call_far, FREE_SELECTOR, 0, EXC_NP, FREE_SELECTOR);
        poke(GDT_AT + FREE_SELECTOR, make_gate(CODE0, 0x20000, 0xec, 0), 8);
        poke(TSS_AT + 8, 0, 2);
        ck_far_fault(exec_call_far, FREE_SELECTOR, 0, EXC_TS, 0);
        poke(TSS_AT + 8, DATA_ABSENT, 2);
        ck_far_fault(exec_call_far, FREE_SELECTOR, 0, EXC_SS, DATA_ABSENT);
        /* Through conforming code nothing changes level; 16-bit gates push words. */
        poke(GDT_AT + FREE_SELECTOR, make_gate(CODE_CONFORMING, 0xffff2000, 0xe4, 0), 8);
        ck_assert(far(exec_call_far, FREE_SELECTOR, 0));
        ck_assert_uint_eq(cpu->next_rip, 0x2000);
        ck_assert_uint_eq(cpu->regs[RSP], STACK3 - 4);
        ck_assert_uint_eq(cpu->cpl, 3);
}
END_TEST

START_TEST(real_transfers)
{
        segment_install_real(cpu, SEG_CS, 0x1000);
        segment_install_real(cpu, SEG_SS, 0x2000);
        cpu->regs[RSP] = 0x100;
        cpu->rip = 0x10;
        struct insn insn = insn_of(MAP_PRIMARY, 0x9a, 2);
        insn.imm = 0x1234;
        insn.imm2 = 0x3000;
        ck_assert(run(exec_call_far, &insn));
        ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0x30000);
        ck_assert_uint_eq(cpu->next_rip, 0x1234);
        ck_assert_uint_eq(peek(0x200fc, 4), 0x10000012);
        ck_assert(ret_far(2, 0));
        ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0x10000);
        ck_assert_uint_eq(cpu->next_rip, 0x12);
        ck_assert_uint_eq(cpu->regs[RSP], 0x100);
        insn = insn_of(MAP_PRIMARY, 0xea, 4);
        insn.imm = 0x10000;
        ck_assert(!run(exec_jmp_far, &insn));
        ck_exception(EXC_GP, 0);
        /* IRET */
        poke(0x200fa, UINT64_C(0x7fd700500020), 6);
        cpu->regs[RSP] = 0xfa;
        ck_assert(iret(2));
        ck_assert_uint_eq(cpu->seg[SEG_CS].selector, 0x50);
        ck_assert_uint_eq(cpu->next_rip, 0x20);
        ck_assert_uint_eq(cpu_rflags(cpu), 0x7fd7);
}
END_TEST

/* -- IRET ------------------------------------------------------------------------------------------------------ */

START_TEST(iret_levels)
{
        fixture_protected();
        cpu->nmi_blocked = true;
        PUSH(FLAG_IF | FLAG_CF | FLAG_IOPL | FLAG_ID, CODE0, 0x3333);
        ck_assert(iret(4));
        ck_assert(!cpu->nmi_blocked);
        ck_assert_uint_eq(cpu->next_rip, 0x3333);
        ck_assert_uint_eq(cpu_rflags(cpu), FLAG_IF | FLAG_CF | FLAG_IOPL | FLAG_ID | FLAG_ONE);
        cpu_set_rflags(cpu, 0);
        PUSH(DATA3, STACK3, FLAG_IF, CODE3, 0x3333);
        ck_assert(iret(4));
        ck_assert_uint_eq(cpu->cpl, 3);
        ck_assert_uint_eq(cpu->regs[RSP], STACK3);
        ck_assert_uint_eq(cpu->seg[SEG_DS].attr, 0);
        ck_assert(cpu->iflag);
        /* Ring 3 may not change IOPL or, above IOPL, IF; VM in its image is ignored. */
        PUSH(FLAG_IOPL | FLAG_VM | FLAG_ZF, CODE3, 0x5555);
        ck_assert(iret(4));
        ck_assert_uint_eq(cpu_rflags(cpu), FLAG_IF | FLAG_ZF | FLAG_ONE);
        PUSH(FLAG_IF, CODE0, 0);
        ck_assert(!iret(4));
        ck_exception(EXC_GP, CODE0);
        /* A task return whose back link names no busy TSS. */
        cpu_set_rflags(cpu, FLAG_NT);
        poke(TSS_AT, DATA0, 2);
        ck_assert(!iret(4));
        ck_exception(EXC_TS, DATA0);
        poke(TSS_AT, 0, 2);
        ck_assert(!iret(4));
        ck_exception(EXC_TS, 0);
}
END_TEST

START_TEST(iret_to_16_bit_stack)
{
        /* Only SP of ESP is loaded: what Linux's espfix is about. */
        fixture_protected();
        set_gdt(FREE_SELECTOR, 0, 0xffff, 0x00f3);
        PUSH(FREE_SELECTOR | 3, 0xabcd1234, FLAG_IF, CODE3, 0x3333);
        ck_assert(iret(4));
        ck_assert_uint_eq(cpu->regs[RSP], 0x1234);
        ck_assert(!(cpu->mode & MODE_STACK32));
}
END_TEST

START_TEST(v86)
{
        fixture_protected();
        PUSH(0x6000, 0x5000, 0x4000, 0x3000, 0x2000, 0x7ffe, FLAG_VM | FLAG_IF, 0x1000, 0x234);
        ck_assert(iret(4));
        ck_assert(cpu_v86(cpu));
        ck_assert_uint_eq(cpu->cpl, 3);
        ck_assert(cpu->mode & MODE_V86);
        ck_assert(!(cpu->mode & (MODE_PROTECTED | MODE_CODE32 | MODE_STACK32 | MODE_IO_FREE)));
        ck_assert_uint_eq(cpu->next_rip, 0x234);
        ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0x10000);
        ck_assert_uint_eq(cpu->seg[SEG_SS].base, 0x20000);
        ck_assert_uint_eq(cpu->seg[SEG_ES].base, 0x30000);
        ck_assert_uint_eq(cpu->seg[SEG_DS].base, 0x40000);
        ck_assert_uint_eq(cpu->seg[SEG_FS].base, 0x50000);
        ck_assert_uint_eq(cpu->seg[SEG_GS].base, 0x60000);
        ck_assert_uint_eq(cpu->seg[SEG_GS].limit, 0xffff);
        ck_assert_uint_eq(cpu->regs[RSP], 0x7ffe);
        /* IOPL 0: INT n and IRET belong to the monitor. */
        struct insn insn = insn_of(MAP_PRIMARY, 0xcd, 2);
        insn.imm = 0x50;
        ck_assert(!run(exec_int, &insn));
        ck_exception(EXC_GP, 0);
        ck_assert(!iret(2));
        ck_exception(EXC_GP, 0);
        /* INT3 does not ask for IOPL. */
        set_idt(3, CODE0, 0x1230, 0xee);
        insn_of(MAP_PRIMARY, 0xcc, 2);
        ck_assert(run(exec_int3, &insn));
        ck_assert_uint_eq(cpu->cpl, 0);
        ck_assert_uint_eq(cpu->next_rip, 0x1230);
        /* An EIP above 64 KiB is refused. */
        PUSH(0, 0, 0, 0, 0, 0, FLAG_VM, 0, 0x10000);
        ck_assert(!iret(4));
        ck_exception(EXC_GP, 0);
}
END_TEST

START_TEST(sysenter_sysexit)
{
        struct insn insn;

        fixture_protected();
        fixture_user();
        insn = insn_of(MAP_0F, 0x34, 4);
        ck_assert(!run(exec_sysenter, &insn));
        ck_exception(EXC_GP, 0);
        cpu->sysenter_cs = 0x60;
        cpu->sysenter_esp = 0x1111;
        cpu->sysenter_eip = 0x2222;
        cpu_set_rflags(cpu, FLAG_IF);
        ck_assert(run(exec_sysenter, &insn));
        ck_assert_uint_eq(cpu->seg[SEG_CS].selector, 0x60);
        ck_assert_uint_eq(cpu->seg[SEG_SS].selector, 0x68);
        ck_assert_uint_eq(cpu->regs[RSP], 0x1111);
        ck_assert_uint_eq(cpu->next_rip, 0x2222);
        ck_assert(!cpu->iflag);
        ck_assert(cpu->mode & MODE_CPL0);
        cpu->regs[RCX] = 0x3333;
        cpu->regs[RDX] = 0x4444;
        ck_assert(run(exec_sysexit, &insn));
        ck_assert_uint_eq(cpu->seg[SEG_CS].selector, 0x73);
        ck_assert_uint_eq(cpu->seg[SEG_SS].selector, 0x7b);
        ck_assert_uint_eq(cpu->regs[RSP], 0x3333);
        ck_assert_uint_eq(cpu->next_rip, 0x4444);
        ck_assert_uint_eq(cpu->cpl, 3);
        insn_of(MAP_0F, 0x35, 4);
        ck_assert(!run(exec_sysexit, &insn));
        ck_exception(EXC_GP, 0);
}
END_TEST

static void fill(TCase *cases)
{
        tcase_add_test(cases, data_loads);
        tcase_add_test(cases, privileges);
        tcase_add_test(cases, stack_loads);
        tcase_add_test(cases, real_and_unreal);
        tcase_add_test(cases, far_pointers);
        tcase_add_test(cases, table_registers);
        tcase_add_test(cases, ltr_lldt);
        tcase_add_test(cases, inspection);
        tcase_add_test(cases, arpl);
        tcase_add_test(cases, lmsw);
        tcase_add_test(cases, jumps);
        tcase_add_test(cases, calls_and_returns);
        tcase_add_test(cases, call_gates);
        tcase_add_test(cases, real_transfers);
        tcase_add_test(cases, iret_levels);
        tcase_add_test(cases, iret_to_16_bit_stack);
        tcase_add_test(cases, v86);
        tcase_add_test(cases, sysenter_sysexit);
}

int main(void)
{
        return fixture_main("segment", fill);
}
