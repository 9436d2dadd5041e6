/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_gate.c - far JMP and CALL through call gates, to task gates and to TSSs (SDM 3A 5.8.3 to 5.8.6).
 */
#include "cpu/exec_far.h"
#include "cpu/tlb.h"

/* What a call gate says. */
struct call_gate {
        uint16_t selector;
        uint64_t offset;
        unsigned parameters;
        unsigned width;         /* 2, 4 or 8 */
};

/* JMP and CALL to a gate or TSS need both CPL and RPL to be no less privileged than its DPL. */
static bool system_allowed(const struct cpu *cpu, const struct descriptor *descriptor, uint16_t selector)
{
        unsigned dpl = descriptor_dpl(descriptor->raw);

        return cpu->cpl <= dpl && (selector & SELECTOR_RPL) <= dpl;
}

static bool push_and_enter(struct cpu *cpu, const struct call_gate *gate, const struct segment *cs,
                           const struct segment *ss, struct frame *frame, struct frame_stack *stack)
{
        if (!segment_allows_rip(cpu, cs, gate->offset))
                return cpu_raise_error(cpu, EXC_GP, 0);
        frame_add(frame, cpu->seg[SEG_CS].selector);
        frame_add(frame, cpu->next_rip);
        if (!frame_push(cpu, frame, stack))
                return false;
        cpu->cpl = cs->selector & SELECTOR_RPL;
        segment_install(cpu, SEG_CS, cs);
        if (ss)
                segment_install(cpu, SEG_SS, ss);
        frame_set_rsp(cpu, stack->sp, stack->mask);
        cpu->next_rip = gate->offset;
        return true;
}

static bool call_same_level(struct cpu *cpu, const struct call_gate *gate, const struct segment *cs)
{
        bool wide = gate->width == 8;
        struct frame frame = { .width = gate->width };
        struct frame_stack stack = {
                .segment = wide ? NULL : &cpu->seg[SEG_SS], .mask = wide ? ~UINT64_C(0) : stack_mask(&cpu->seg[SEG_SS]),
                .access = cpu_user_access(cpu),
        };

        stack.sp = cpu->regs[RSP] & stack.mask;
        return push_and_enter(cpu, gate, cs, NULL, &frame, &stack);
}

/* Copies the gate's count of parameters from the caller's stack to the frame, last one first. */
static bool copy_parameters(struct cpu *cpu, const struct call_gate *gate, struct frame *frame)
{
        uint64_t mask = stack_mask(&cpu->seg[SEG_SS]);

        for (unsigned i = gate->parameters; i > 0; i--) {
                uint64_t offset = (cpu->regs[RSP] + (uint64_t)(i - 1) * gate->width) & mask, value = 0;
                if (!cpu_read(cpu, SEG_SS, offset, &value, gate->width))
                        return false;
                frame_add(frame, value);
        }
        return true;
}

static bool call_inner_level(struct cpu *cpu, const struct call_gate *gate, const struct segment *cs)
{
        unsigned cpl = cs->selector & SELECTOR_RPL;
        struct segment ss = { .selector = (uint16_t)cpl, .limit = 0xffff };
        struct frame frame = { .width = gate->width };
        struct frame_stack stack = { .mask = ~UINT64_C(0) };
        uint16_t selector;

        if (!tss_read_stack(cpu, cpl, 0, &selector, &stack.sp))
                return false;
        if (gate->width != 8) {
                if (!segment_prepare_stack(cpu, selector, cpl, EXC_TS, 0, &ss))
                        return false;
                stack.segment = &ss;
                stack.mask = stack_mask(&ss);
                stack.sp &= stack.mask;
                stack.error = selector_error(selector);
        }
        frame_add(&frame, cpu->seg[SEG_SS].selector);
        frame_add(&frame, cpu->regs[RSP]);
        if (gate->width != 8 && !copy_parameters(cpu, gate, &frame))
                return false;
        return push_and_enter(cpu, gate, cs, &ss, &frame, &stack);
}

static bool read_gate_code(struct cpu *cpu, const struct call_gate *gate, bool is_call, struct segment *cs)
{
        uint32_t error = selector_error(gate->selector);
        struct descriptor code;
        unsigned dpl, cpl = cpu->cpl;
        bool allowed;

        if (selector_is_null(gate->selector))
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (!descriptor_read(cpu, gate->selector, EXC_GP, error, &code))
                return false;
        dpl = descriptor_dpl(code.raw);
        /* RPL does not count.  CALL may enter an inner level; JMP only conforming code there. */
        allowed = is_call || descriptor_is_conforming(code.raw) ? dpl <= cpu->cpl : dpl == cpu->cpl;
        if (!descriptor_is_code(code.raw) || !allowed ||
            (cpu_long_mode(cpu) && (descriptor_attr(code.raw) & (SEG_L | SEG_DB)) != SEG_L))
                return cpu_raise_error(cpu, EXC_GP, error);
        if (!descriptor_present(code.raw))
                return cpu_raise_error(cpu, EXC_NP, error);
        if (!descriptor_set_accessed(cpu, &code))
                return false;
        if (is_call && !descriptor_is_conforming(code.raw))
                cpl = dpl;
        segment_from_descriptor(cs, (uint16_t)(error | cpl), code.raw);
        return true;
}

static bool through_call_gate(struct cpu *cpu, const struct descriptor *descriptor, uint16_t selector, bool is_call)
{
        bool wide = cpu_long_mode(cpu), is32 = descriptor_type(descriptor->raw) & TYPE_32BIT;
        struct call_gate gate = {
                .selector = gate_selector(descriptor->raw), .offset = gate_offset(descriptor->raw),
                .parameters = wide ? 0 : descriptor->raw >> 32 & 31, .width = wide ? 8 : is32 ? 4 : 2,
        };
        struct segment cs;
        uint64_t high;

        if (!is32)
                gate.offset &= 0xffff;
        if (!descriptor_present(descriptor->raw))
                return cpu_raise_error(cpu, EXC_NP, selector_error(selector));
        if (!descriptor_read_high(cpu, selector, descriptor, EXC_GP, &high))
                return false;
        gate.offset |= high << 32;
        if (!read_gate_code(cpu, &gate, is_call, &cs))
                return false;
        if (!is_call) {
                if (!segment_allows_rip(cpu, &cs, gate.offset))
                        return cpu_raise_error(cpu, EXC_GP, 0);
                segment_install(cpu, SEG_CS, &cs);
                cpu->next_rip = gate.offset;
                return true;
        }
        return (cs.selector & SELECTOR_RPL) < cpu->cpl ? call_inner_level(cpu, &gate, &cs)
                                                       : call_same_level(cpu, &gate, &cs);
}

bool far_through_system(struct cpu *cpu, const struct descriptor *descriptor, uint16_t selector, bool is_call)
{
        unsigned type = descriptor_type(descriptor->raw);
        uint32_t error = selector_error(selector);
        enum task_switch_reason reason = is_call ? TASK_CALL : TASK_JMP;
        struct task_event event = { .return_rip = cpu->next_rip, .flags = cpu_rflags(cpu) };
        bool wide = cpu_long_mode(cpu);

        switch (type) {
        case TYPE_CALL16:
                if (wide)
                        break;
                /* fall through */
        case TYPE_CALL32:
                if (!system_allowed(cpu, descriptor, selector))
                        break;
                return through_call_gate(cpu, descriptor, selector, is_call);
        case TYPE_TASK_GATE:
                if (wide || !system_allowed(cpu, descriptor, selector))
                        break;
                if (!descriptor_present(descriptor->raw))
                        return cpu_raise_error(cpu, EXC_NP, error);
                return task_switch(cpu, gate_selector(descriptor->raw), reason, &event);
        case TYPE_TSS16:
        case TYPE_TSS32:
                if (wide || (selector & SELECTOR_TI) || !system_allowed(cpu, descriptor, selector))
                        break;
                if (!descriptor_present(descriptor->raw))
                        return cpu_raise_error(cpu, EXC_NP, error);
                return task_switch(cpu, selector, reason, &event);
        default:
                break;
        }
        return cpu_raise_error(cpu, EXC_GP, error);
}
