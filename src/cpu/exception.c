/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exception.c - raising exceptions, and delivering exceptions and interrupts (SDM 3A chapter 6).
 *
 * D1  A delivery changes nothing but accessed bits (and CR2 of a page fault) until all of its frame was
 *     found writable; a fault during it is raised against the state before, and then combined with
 *     the first event (SDM 3A table 6-5).
 * D2  Error codes raised on the way carry EXT unless the event was INT n, INT3 or INTO (SDM 3A 6.13).
 */
#include "base/log.h"
#include "cpu/debug.h"
#include "cpu/exception.h"
#include "cpu/segment.h"
#include "cpu/tlb.h"

enum { ERROR_EXT = 1, ERROR_IDT = 2, NOT_FAULTS = 1 << EXC_DB | 1 << EXC_NMI | 1 << EXC_BP | 1 << EXC_OF };
enum { IST_OFFSET = 0x24 };

bool cpu_raise(struct cpu *cpu, enum exception vector)
{
        cpu->exception = (struct pending_exception){ .pending = true, .vector = (uint8_t)vector };
        return false;
}

bool cpu_raise_error(struct cpu *cpu, enum exception vector, uint32_t error)
{
        cpu->exception = (struct pending_exception){
                .pending = true, .has_error = true, .vector = (uint8_t)vector, .error = error,
        };
        return false;
}

bool cpu_raise_pf(struct cpu *cpu, gva_t linear, uint32_t error)
{
        cpu->exception = (struct pending_exception){
                .pending = true, .has_error = true, .vector = EXC_PF, .error = error, .cr2 = linear,
        };
        return false;
}

/* -- What is delivered ------------------------------------------------------------------------------ */

struct event {
        uint8_t vector;
        bool check_dpl;         /* INT n, INT3, INTO */
        bool has_error;
        uint32_t error;
        uint32_t ext;           /* ERROR_EXT or 0, for faults on the way */
        uint64_t return_rip;
        uint64_t flags;         /* image to push */
};

/* Where it goes. */
struct target {
        struct segment cs, ss;
        bool new_ss;
        unsigned cpl;
        uint64_t rip, rsp, rsp_mask;
        bool clear_if;
};

/* The parts of a gate. */
struct gate {
        uint16_t selector;
        uint64_t offset;
        unsigned type;
        unsigned ist;
};

/* -- Real mode (SDM 3A 20.1.4) ------------------------------------------------------------------------ */

static bool deliver_real(struct cpu *cpu, const struct event *event, uint64_t *rip)
{
        uint32_t entry = event->vector * 4u, address;
        struct frame frame = { .width = 2 };
        struct frame_stack stack = {
                .segment = &cpu->seg[SEG_SS], .mask = stack_mask(&cpu->seg[SEG_SS]),
        };

        if (entry + 3 > cpu->idt.limit)
                return cpu_raise_error(cpu, EXC_GP, event->vector * 8u + ERROR_IDT + event->ext);
        if (!cpu_read_linear(cpu, cpu->idt.base + entry, &address, 4, ACCESS_IMPLICIT))
                return false;
        frame_add(&frame, event->flags);
        frame_add(&frame, cpu->seg[SEG_CS].selector);
        frame_add(&frame, event->return_rip);
        stack.sp = cpu->regs[RSP] & stack.mask;
        if (!frame_push(cpu, &frame, &stack))
                return false;

        frame_set_rsp(cpu, stack.sp, stack.mask);
        cpu_set_rflags(cpu, cpu_rflags(cpu) & ~(uint64_t)(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF));
        segment_install_real(cpu, SEG_CS, address >> 16);
        *rip = address & 0xffff;
        return true;
}

/* -- Protected mode: gate and code segment (SDM 3A 6.12) ---------------------------------------------- */

static bool read_gate(struct cpu *cpu, const struct event *event, struct gate *gate)
{
        bool wide = cpu_long_mode(cpu);
        uint32_t entry = event->vector * (wide ? 16u : 8u);
        uint32_t error = event->vector * 8u + ERROR_IDT + event->ext;
        uint64_t raw[2] = { 0, 0 };

        if (entry + (wide ? 15 : 7) > cpu->idt.limit)
                return cpu_raise_error(cpu, EXC_GP, error);
        if (!cpu_read_linear(cpu, cpu->idt.base + entry, raw, wide ? 16 : 8, ACCESS_IMPLICIT))
                return false;
        gate->type = descriptor_is_system(raw[0]) ? descriptor_type(raw[0]) : 0;
        gate->selector = gate_selector(raw[0]);
        gate->offset = gate_offset(raw[0]);
        gate->ist = 0;
        switch (gate->type) {
        case TYPE_INT32:
        case TYPE_TRAP32:
                if (wide) {
                        gate->offset |= raw[1] << 32;
                        gate->ist = raw[0] >> 32 & 7;
                }
                break;
        case TYPE_INT16:
        case TYPE_TRAP16:
                gate->offset &= 0xffff;
                /* fall through */
        case TYPE_TASK_GATE:
                if (!wide)
                        break;
                /* fall through */
        default:
                return cpu_raise_error(cpu, EXC_GP, error);
        }
        if (event->check_dpl && descriptor_dpl(raw[0]) < cpu->cpl)
                return cpu_raise_error(cpu, EXC_GP, error);
        if (!descriptor_present(raw[0]))
                return cpu_raise_error(cpu, EXC_NP, error);
        return true;
}

static bool read_handler_segment(struct cpu *cpu, const struct event *event, const struct gate *gate,
                                 struct target *target)
{
        uint32_t error = selector_error(gate->selector) | event->ext;
        struct descriptor descriptor;
        bool conforming, code64;

        if (selector_is_null(gate->selector))
                return cpu_raise_error(cpu, EXC_GP, event->ext);
        if (!descriptor_read(cpu, gate->selector, EXC_GP, error, &descriptor))
                return false;
        code64 = (descriptor_attr(descriptor.raw) & (SEG_L | SEG_DB)) == SEG_L;
        if (!descriptor_is_code(descriptor.raw) || descriptor_dpl(descriptor.raw) > cpu->cpl ||
            (cpu_long_mode(cpu) && !code64))
                return cpu_raise_error(cpu, EXC_GP, error);
        if (!descriptor_present(descriptor.raw))
                return cpu_raise_error(cpu, EXC_NP, error);
        conforming = descriptor_is_conforming(descriptor.raw);
        target->cpl = conforming ? cpu->cpl : descriptor_dpl(descriptor.raw);
        /* Virtual-8086 code is left for ring 0 and nothing else. */
        if (cpu_v86(cpu) && target->cpl != 0)
                return cpu_raise_error(cpu, EXC_GP, error);
        if (!descriptor_set_accessed(cpu, &descriptor))
                return false;
        segment_from_descriptor(&target->cs, (uint16_t)(selector_error(gate->selector) | target->cpl), descriptor.raw);
        return true;
}

/* -- Protected mode: the stack -------------------------------------------------------------------------- */

/* Chooses SS:RSP for the handler. */
static bool choose_stack(struct cpu *cpu, const struct event *event, const struct gate *gate, struct target *target)
{
        uint16_t selector;

        target->new_ss = target->cpl != cpu->cpl;
        if (cpu_long_mode(cpu)) {
                target->rsp_mask = ~UINT64_C(0);
                target->rsp = cpu->regs[RSP];
                if (gate->ist) {
                        const struct segment *tr = &cpu->seg[SEG_TR];
                        unsigned offset = IST_OFFSET + 8 * (gate->ist - 1);
                        if (!tr->attr || offset + 7 > tr->limit)
                                return cpu_raise_error(cpu, EXC_TS, selector_error(tr->selector) | event->ext);
                        if (!cpu_read_linear(cpu, tr->base + offset, &target->rsp, 8, ACCESS_IMPLICIT))
                                return false;
                } else if (target->new_ss && !tss_read_stack(cpu, target->cpl, event->ext, &selector, &target->rsp)) {
                        return false;
                }
                /* The frame is 16-byte aligned; a new SS is null with RPL = CPL (SDM 3A 6.14.2). */
                target->rsp &= ~UINT64_C(15);
                target->ss = (struct segment){ .selector = (uint16_t)target->cpl, .limit = 0xffff };
                return true;
        }
        if (!target->new_ss) {
                target->ss = cpu->seg[SEG_SS];
                target->rsp_mask = stack_mask(&target->ss);
                target->rsp = cpu->regs[RSP] & target->rsp_mask;
                return true;
        }
        if (!tss_read_stack(cpu, target->cpl, event->ext, &selector, &target->rsp) ||
            !segment_prepare_stack(cpu, selector, target->cpl, EXC_TS, event->ext, &target->ss))
                return false;
        target->rsp_mask = stack_mask(&target->ss);
        target->rsp &= target->rsp_mask;
        return true;
}

static bool push_frame(struct cpu *cpu, const struct event *event, const struct gate *gate, struct target *target)
{
        bool wide = cpu_long_mode(cpu);
        struct frame frame = { .width = wide ? 8 : gate->type & TYPE_32BIT ? 4 : 2 };
        struct frame_stack stack = {
                .segment = wide ? NULL : &target->ss, .sp = target->rsp, .mask = target->rsp_mask,
                .access = target->cpl == 3 ? ACCESS_USER : 0,
                .error = (target->new_ss ? selector_error(target->ss.selector) : 0) | event->ext,
        };

        if (cpu_v86(cpu)) {
                frame_add(&frame, cpu->seg[SEG_GS].selector);
                frame_add(&frame, cpu->seg[SEG_FS].selector);
                frame_add(&frame, cpu->seg[SEG_DS].selector);
                frame_add(&frame, cpu->seg[SEG_ES].selector);
        }
        if (target->new_ss || wide) {
                frame_add(&frame, cpu->seg[SEG_SS].selector);
                frame_add(&frame, cpu->regs[RSP]);
        }
        frame_add(&frame, event->flags);
        frame_add(&frame, cpu->seg[SEG_CS].selector);
        frame_add(&frame, event->return_rip);
        if (event->has_error)
                frame_add(&frame, event->error);
        if (!segment_allows_rip(cpu, &target->cs, gate->offset))
                return cpu_raise_error(cpu, EXC_GP, event->ext);
        if (!frame_push(cpu, &frame, &stack))
                return false;
        target->rsp = stack.sp;
        return true;
}

/* -- Protected mode ---------------------------------------------------------------------------------------- */

static void enter_handler(struct cpu *cpu, const struct target *target)
{
        static const uint8_t data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
        uint64_t clear = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (target->clear_if ? FLAG_IF : 0);
        bool was_v86 = cpu_v86(cpu);

        /* CPL and VM first: everything that derives from segments looks at them. */
        cpu->cpl = (uint8_t)target->cpl;
        cpu_set_rflags(cpu, cpu_rflags(cpu) & ~clear);
        if (was_v86)
                for (unsigned i = 0; i < sizeof(data); i++)
                        segment_install_null(cpu, data[i], 0);
        segment_install(cpu, SEG_CS, &target->cs);
        if (target->new_ss)
                segment_install(cpu, SEG_SS, &target->ss);
        frame_set_rsp(cpu, target->rsp, target->rsp_mask);
}

static bool deliver_protected(struct cpu *cpu, const struct event *event, uint64_t *rip)
{
        struct target target;
        struct gate gate;

        if (!read_gate(cpu, event, &gate))
                return false;
        if (gate.type == TYPE_TASK_GATE) {
                struct task_event task = {
                        .return_rip = event->return_rip, .flags = event->flags, .ext = event->ext,
                        .has_error = event->has_error, .error = event->error,
                };
                if (!task_switch(cpu, gate.selector, TASK_INTERRUPT, &task))
                        return false;
                *rip = cpu->rip;
                return true;
        }
        if (!read_handler_segment(cpu, event, &gate, &target) || !choose_stack(cpu, event, &gate, &target) ||
            !push_frame(cpu, event, &gate, &target))
                return false;
        target.clear_if = gate.type == TYPE_INT16 || gate.type == TYPE_INT32;
        enter_handler(cpu, &target);
        *rip = gate.offset;
        return true;
}

static bool deliver(struct cpu *cpu, const struct event *event, uint64_t *rip)
{
        bool done = cpu_real_mode(cpu) ? deliver_real(cpu, event, rip) : deliver_protected(cpu, event, rip);

        if (done) {
                cpu->shadow = 0;
                cpu->halted = 0;
        }
        if (TRACE_ON(EXCEPTION)) {
                cpu_host_begin(cpu);
                trace_write(TRACE_EXCEPTION, "vector %u error %#x from %#x:%#llx %s %#x:%#llx", event->vector,
                            event->has_error ? event->error : 0, cpu->seg[SEG_CS].selector,
                            (unsigned long long)event->return_rip, done ? "to" : "faulted", cpu->seg[SEG_CS].selector,
                            done ? (unsigned long long)*rip : 0);
        }
        return done;
}

/* -- Exceptions, and exceptions on the way to their handlers ---------------------------------------------- */

enum exception_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT };

/* SDM 3A table 6-4. */
static enum exception_class exception_class(const struct pending_exception *exception)
{
        if (exception->software)
                return CLASS_BENIGN;
        switch (exception->vector) {
        case EXC_DE:
        case EXC_TS:
        case EXC_NP:
        case EXC_SS:
        case EXC_GP:
                return CLASS_CONTRIBUTORY;
        case EXC_PF:
                return CLASS_PAGE_FAULT;
        case EXC_DF:
                return CLASS_DOUBLE_FAULT;
        default:
                return CLASS_BENIGN;
        }
}

static void triple_fault(struct cpu *cpu)
{
        cpu->exception.pending = false;
        cpu->halted = 1;
        cpu_host_begin(cpu);
        TRACE(EXCEPTION, "triple fault at %#x:%#llx", cpu->seg[SEG_CS].selector, (unsigned long long)cpu->rip);
        cpu->env.shutdown(cpu->env.opaque, cpu);
}

static bool deliver_pending(struct cpu *cpu, const struct pending_exception *exception)
{
        bool fault = !exception->software && !(NOT_FAULTS >> exception->vector & 1);
        struct event event = {
                .vector = exception->vector, .check_dpl = exception->software, .has_error = exception->has_error,
                .error = exception->error, .ext = exception->software ? 0 : ERROR_EXT, .return_rip = cpu->rip,
                /* RF keeps an instruction breakpoint from trapping again after a fault (SDM 3B 17.3.1.1). */
                .flags = cpu_rflags(cpu) | (fault ? FLAG_RF : 0),
        };
        uint64_t rip;

        if (exception->vector == EXC_PF && !exception->software)
                cpu->cr2 = exception->cr2;
        if (!deliver(cpu, &event, &rip))
                return false;
        if (exception->vector == EXC_DB)
                cpu->dr[7] &= ~(uint64_t)DR7_GD;
        cpu->rip = rip;
        return true;
}

void cpu_deliver_exception(struct cpu *cpu)
{
        struct pending_exception first = cpu->exception;

        cpu->exception.pending = false;
        while (!deliver_pending(cpu, &first)) {
                struct pending_exception second = cpu->exception;
                enum exception_class class1 = exception_class(&first), class2 = exception_class(&second);

                cpu->exception.pending = false;
                if (class2 == CLASS_PAGE_FAULT)
                        cpu->cr2 = second.cr2;
                if (class1 == CLASS_DOUBLE_FAULT && class2 != CLASS_BENIGN) {
                        triple_fault(cpu);
                        return;
                }
                /* SDM 3A table 6-5. */
                if ((class1 == CLASS_CONTRIBUTORY && class2 == CLASS_CONTRIBUTORY) ||
                    (class1 == CLASS_PAGE_FAULT && class2 != CLASS_BENIGN))
                        second = (struct pending_exception){ .has_error = true, .vector = EXC_DF };
                first = second;
        }
}

void cpu_deliver_interrupt(struct cpu *cpu, uint8_t vector)
{
        struct event event = {
                .vector = vector, .ext = ERROR_EXT, .return_rip = cpu->rip, .flags = cpu_rflags(cpu),
        };
        uint64_t rip;

        if (deliver(cpu, &event, &rip))
                cpu->rip = rip;
        else
                cpu_deliver_exception(cpu);     /* an interrupt is benign: its fault is delivered as it is */
}

bool exception_software(struct cpu *cpu, uint8_t vector, bool privileged)
{
        struct event event = {
                .vector = vector, .check_dpl = !privileged, .ext = privileged ? ERROR_EXT : 0,
                .return_rip = cpu->next_rip, .flags = cpu_rflags(cpu),
        };

        return deliver(cpu, &event, &cpu->next_rip);
}
