/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paravirt.h - what a guest is told that a real machine has no way to tell: KVM's interface, as Linux's
 * Documentation/virt/kvm/x86/cpuid.rst and msr.rst describe it, since guests know it.
 *
 * Ordinary code, not [gpr]: called after cpu_host_begin() only, on the vCPU's own thread, without the machine lock but for
 * what says otherwise.
 */
#ifndef LODGER_CPU_PARAVIRT_H
#define LODGER_CPU_PARAVIRT_H

#include "cpu/cpu.h"

enum {
        MSR_PV_WALL_CLOCK_OLD = 0x11, MSR_PV_SYSTEM_TIME_OLD = 0x12,
        MSR_PV_WALL_CLOCK = 0x4b564d00, MSR_PV_SYSTEM_TIME = 0x4b564d01, MSR_PV_STEAL_TIME = 0x4b564d03,
        MSR_PV_EOI = 0x4b564d04,
};

/* Leaf 40000001h EAX. */
enum {
        PV_CLOCK_OLD = 1 << 0, PV_NO_IO_DELAY = 1 << 1, PV_CLOCK = 1 << 3, PV_STEAL_TIME = 1 << 5, PV_EOI = 1 << 6,
        PV_CLOCK_STABLE = 1 << 24,
        PV_FEATURES = PV_CLOCK_OLD | PV_NO_IO_DELAY | PV_CLOCK | PV_STEAL_TIME | PV_EOI | PV_CLOCK_STABLE,
};

static inline bool paravirt_is_msr(uint32_t index)
{
        return index == MSR_PV_WALL_CLOCK_OLD || index == MSR_PV_SYSTEM_TIME_OLD || index == MSR_PV_WALL_CLOCK ||
               index == MSR_PV_SYSTEM_TIME || index == MSR_PV_STEAL_TIME || index == MSR_PV_EOI;
}

uint64_t paravirt_msr_read(struct cpu *cpu, uint32_t index);
/* False: #GP(0). */
bool paravirt_msr_write(struct cpu *cpu, uint32_t index, uint64_t value);
/* cpu->tsc_offset has changed, or the state was loaded: the guest's clock goes on from the same time. */
void paravirt_clock_update(struct cpu *cpu);
/* Called now and then while the vCPU runs: adds the time its thread waited for a host CPU. */
void paravirt_steal_update(struct cpu *cpu);
/* Machine lock held.  Tells the guest that it may end the interrupt in service by clearing a bit in memory; false: it has
 * not asked for that. */
bool paravirt_eoi_offer(struct cpu *cpu);
/* Machine lock held.  Takes the offer back; false: the guest has taken it, and the interrupt is over. */
bool paravirt_eoi_withdraw(struct cpu *cpu);
/* The calling vCPU thread ends. */
void paravirt_thread_leave(void);
/* How a guest gets from TSC ticks to nanoseconds: ((ticks << shift, or >> -shift) * multiplier) >> 32. */
void paravirt_scale(uint64_t tsc_hz, uint32_t *multiplier, int8_t *shift);

#endif
