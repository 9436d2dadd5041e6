/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug.c - a debugger's breakpoints, watchpoints and steps under KVM.
 *
 * They go into the CPU's debug registers, which KVM then keeps from the guest.  There are four, for aligned pieces of 1, 2,
 * 4 or 8 bytes, none for reads alone: a debugger that wants more, or a guest that uses the registers itself, is served by
 * the translator, which has no such limits.
 *
 * A step is of the program, not of what interrupts it: vcpu.c holds interrupts back meanwhile.  To go on from a
 * breakpoint debuggers take it away, step, and set it again.
 */
#include <errno.h>
#include <string.h>

#include "cpu/debug.h"
#include "engine/kvm/internal.h"

enum { DEBUG_REGISTERS = 4, DR_EXECUTE = 0, DR_WRITE = 1, DR_ACCESS = 3 };

/* The bits of DR7 for a point in register i (SDM 3B 18.2.4); 0: it cannot be expressed. */
static uint64_t control_bits(const struct debug_point *point, unsigned i)
{
        unsigned kind = point->kind == DEBUG_EXECUTE ? DR_EXECUTE : point->kind == DEBUG_WRITE ? DR_WRITE : DR_ACCESS;
        unsigned bytes = point->kind == DEBUG_EXECUTE ? 1 : point->bytes;
        unsigned length = bytes == 8 ? 2 : bytes - 1;

        if (point->kind == DEBUG_READ || !bytes || bytes > 8 || (bytes & (bytes - 1)) || (point->linear & (bytes - 1)))
                return 0;
        return UINT64_C(2) << (2 * i) | (uint64_t)(kind | length << 2) << (16 + 4 * i);
}

/* False with vcpu->reason set. */
static bool fill_registers(struct kvm_vcpu *vcpu, struct kvm_guest_debug *debug)
{
        const struct cpu_debugger *debugger = vcpu->cpu->debugger;

        if (vcpu->cpu->dr[7] & DR7_ENABLES)
                return kvm_vcpu_fail(vcpu, "a debugger and the guest both want the debug registers");
        if (debugger->count > DEBUG_REGISTERS)
                return kvm_vcpu_fail(vcpu, "a debugger has more than the %d points that the CPU has registers for", DEBUG_REGISTERS);
        for (unsigned i = 0; i < debugger->count; i++) {
                uint64_t bits = control_bits(&debugger->point[i], i);

                if (!bits)
                        return kvm_vcpu_fail(vcpu, "a debugger watches what no debug register can");
                debug->arch.debugreg[i] = debugger->point[i].linear;
                debug->arch.debugreg[7] |= bits;
        }
        debug->control |= KVM_GUESTDBG_USE_HW_BP;
        return true;
}

bool kvm_debug_load(struct kvm_vcpu *vcpu)
{
        struct kvm_guest_debug debug = { 0 };
        struct cpu *cpu = vcpu->cpu;
        bool wanted = cpu->debug_step || (cpu->debugger && cpu->debugger->count);

        if (!wanted && !vcpu->debugging)
                return true;
        if (wanted && !vcpu->kvm->believed)
                return kvm_vcpu_fail(vcpu, "a debugger is attached, and this KVM fails its self-test");
        if (wanted) {
                debug.control = KVM_GUESTDBG_ENABLE | (cpu->debug_step ? KVM_GUESTDBG_SINGLESTEP : 0);
                if (cpu->debugger && cpu->debugger->count && !fill_registers(vcpu, &debug))
                        return false;
        }
        if (kvm_call(vcpu->fd, KVM_SET_GUEST_DEBUG, &debug) < 0)
                return kvm_vcpu_fail(vcpu, "KVM_SET_GUEST_DEBUG: %s", g_strerror(errno));
        vcpu->debugging = wanted;
        return true;
}

void kvm_debug_serve(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        uint64_t hits = vcpu->run->debug.arch.dr6;

        cpu->debug_stop = cpu->debug_step ? DEBUG_STOP_STEP : DEBUG_STOP_NONE;
        for (unsigned i = 0; cpu->debugger && i < MIN(cpu->debugger->count, (unsigned)DEBUG_REGISTERS); i++) {
                const struct debug_point *point = &cpu->debugger->point[i];

                if (!(hits >> i & 1))
                        continue;
                cpu->debug_stop = point->kind == DEBUG_EXECUTE ? DEBUG_STOP_BREAK : DEBUG_STOP_WATCH;
                if (point->kind != DEBUG_EXECUTE) {
                        cpu->debug_watch_linear = point->linear;
                        cpu->debug_watch_kind = (uint8_t)point->kind;
                }
        }
}
