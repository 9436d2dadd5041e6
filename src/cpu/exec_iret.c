/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_iret.c - IRET in real, virtual-8086, protected and long mode (SDM 2A, IRET).
 */
#include "cpu/exec.h"
#include "cpu/exec_far.h"
#include "cpu/operand.h"
#include "cpu/tlb.h"

/* What IRET takes from the stack. */
struct iret_frame {
        uint64_t rip, selector, flags;
};

enum {
        FLAGS_ANY = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT,
        FLAGS_32BIT = FLAG_RF | FLAG_AC | FLAG_ID,
        FLAGS_SYSTEM_32BIT = FLAG_VIF | FLAG_VIP,
};

/* Puts flags from the image in place, those that mask allows. */
static void load_flags(struct cpu *cpu, uint64_t image, uint64_t mask)
{
        /* RF matters only to instruction breakpoints; without them it would have to be cleared by the next instruction. */
        if (!cpu->debug_key)
                image &= ~(uint64_t)FLAG_RF;
        cpu_set_rflags(cpu, (cpu_rflags(cpu) & ~mask) | (image & mask));
}

/* Which flags IRET may change at the privilege level it is executed at. */
static uint64_t flags_mask(const struct cpu *cpu, unsigned width)
{
        uint64_t mask = FLAGS_ANY | (width == 2 ? 0 : FLAGS_32BIT);

        if (cpu->cpl <= cpu_iopl(cpu))
                mask |= FLAG_IF;
        if (cpu->cpl == 0)
                mask |= FLAG_IOPL | (width == 2 ? 0 : FLAGS_SYSTEM_32BIT);
        return mask;
}

/* -- Real and virtual-8086 mode -------------------------------------------------------------------------- */

static bool iret_real(struct cpu *cpu, struct stack *stack, const struct iret_frame *frame, unsigned width)
{
        uint64_t mask = FLAGS_ANY | FLAG_IF | (width == 2 ? 0 : FLAGS_32BIT);

        if (frame->rip > cpu->seg[SEG_CS].limit)
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (cpu_v86(cpu) && cpu_iopl(cpu) < 3) {
                if (!cpu_virtual_flags_allowed(cpu, frame->flags))
                        return cpu_raise_error(cpu, EXC_GP, 0);
                stack_commit(cpu, stack);
                segment_install_real(cpu, SEG_CS, (uint16_t)frame->selector);
                cpu_set_virtual_flags(cpu, frame->flags);
                cpu->next_rip = frame->rip;
                return true;
        }
        /* In virtual-8086 mode (at IOPL 3) IOPL stays. */
        if (!cpu_v86(cpu))
                mask |= FLAG_IOPL;
        stack_commit(cpu, stack);
        segment_install_real(cpu, SEG_CS, (uint16_t)frame->selector);
        load_flags(cpu, frame->flags, mask);
        cpu->next_rip = frame->rip;
        return true;
}

/* From ring 0 back to a virtual-8086 task: six more values follow. */
static bool iret_to_v86(struct cpu *cpu, struct stack *stack, const struct iret_frame *frame)
{
        static const uint8_t order[] = { SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS };
        uint64_t rsp, selectors[sizeof(order)];

        if (!stack_pop(cpu, stack, &rsp, 4))
                return false;
        for (unsigned i = 0; i < sizeof(order); i++)
                if (!stack_pop(cpu, stack, &selectors[i], 4))
                        return false;
        if (frame->rip > 0xffff)
                return cpu_raise_error(cpu, EXC_GP, 0);
        cpu->cpl = 3;
        load_flags(cpu, frame->flags, ~UINT64_C(0));
        segment_install_real(cpu, SEG_CS, (uint16_t)frame->selector);
        for (unsigned i = 0; i < sizeof(order); i++)
                segment_install_real(cpu, order[i], (uint16_t)selectors[i]);
        cpu->regs[RSP] = (uint32_t)rsp;
        cpu->next_rip = frame->rip;
        return true;
}

/* -- Protected mode ------------------------------------------------------------------------------------------ */

static bool iret_protected(struct cpu *cpu, struct stack *stack, const struct iret_frame *frame, unsigned width)
{
        uint64_t new_sp, new_ss, mask = flags_mask(cpu, width);
        struct segment cs, ss;
        unsigned cpl;

        if (!far_prepare_return(cpu, (uint16_t)frame->selector, &cs, &cpl))
                return false;
        /* 64-bit code always pops SS:RSP (SDM 3A 6.14.3). */
        if (cpl == cpu->cpl && !cpu_code64(cpu)) {
                if (!segment_allows_rip(cpu, &cs, frame->rip))
                        return cpu_raise_error(cpu, EXC_GP, 0);
                stack_commit(cpu, stack);
                segment_install(cpu, SEG_CS, &cs);
                load_flags(cpu, frame->flags, mask);
                cpu->next_rip = frame->rip;
                return true;
        }
        if (!stack_pop(cpu, stack, &new_sp, width) || !stack_pop(cpu, stack, &new_ss, width) ||
            !far_prepare_outer_stack(cpu, (uint16_t)new_ss, &cs, cpl, &ss))
                return false;
        if (!segment_allows_rip(cpu, &cs, frame->rip))
                return cpu_raise_error(cpu, EXC_GP, 0);
        cpu->cpl = (uint8_t)cpl;
        segment_install(cpu, SEG_CS, &cs);
        segment_install(cpu, SEG_SS, &ss);
        frame_set_rsp(cpu, new_sp, segment_is_code64(cpu, &cs) ? ~UINT64_C(0) : stack_mask(&ss));
        load_flags(cpu, frame->flags, mask);
        segment_drop_inner(cpu);
        cpu_mode_changed(cpu);
        cpu->next_rip = frame->rip;
        return true;
}

static bool iret(struct cpu *cpu, unsigned width)
{
        struct iret_frame frame;
        struct stack stack;

        if (cpu_v86(cpu) && cpu_iopl(cpu) < 3 && (!(cpu->cr4 & CR4_VME) || width != 2))
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (cpu_protected(cpu) && (cpu->rflags & FLAG_NT)) {
                struct task_event event = { .return_rip = cpu->next_rip, .flags = cpu_rflags(cpu) };
                uint16_t link;
                if (cpu_long_mode(cpu))
                        return cpu_raise_error(cpu, EXC_GP, 0);
                if (!cpu_read_linear(cpu, cpu->seg[SEG_TR].base, &link, 2, ACCESS_IMPLICIT))
                        return false;
                return task_switch(cpu, link, TASK_IRET, &event);
        }
        stack_begin(cpu, &stack);
        if (!stack_pop(cpu, &stack, &frame.rip, width) || !stack_pop(cpu, &stack, &frame.selector, width) ||
            !stack_pop(cpu, &stack, &frame.flags, width))
                return false;
        if (!cpu_protected(cpu))
                return iret_real(cpu, &stack, &frame, width);
        if (width != 2 && (frame.flags & FLAG_VM) && cpu->cpl == 0 && !cpu_long_mode(cpu))
                return iret_to_v86(cpu, &stack, &frame);
        return iret_protected(cpu, &stack, &frame, width);
}

bool exec_iret(struct cpu *cpu, const struct insn *insn)
{
        /* NMIs come through again from here on, even if IRET itself faults (SDM 3A 6.7.1). */
        __atomic_store_n(&cpu->nmi_blocked, false, __ATOMIC_RELAXED);
        return iret(cpu, insn->operand_bytes);
}
