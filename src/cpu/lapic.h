/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lapic.h - a vCPU's local APIC (SDM 3A chapter 11), and the way interrupts take to a vCPU.
 *
 * There is one struct lapic a vCPU, for models without an APIC too: then it is only the wire from the
 * interrupt controller pair to INTR.  Everything in it is protected by the machine lock.
 *
 * Ordinary code, not [gpr]: src/cpu calls it after cpu_host_begin() only.
 */
#ifndef LODGER_CPU_LAPIC_H
#define LODGER_CPU_LAPIC_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/state.h"
#include "cpu/cpu.h"

struct lapic;

/* Delivery modes of interrupt messages and local vector table entries. */
enum lapic_mode {
        LAPIC_FIXED = 0, LAPIC_LOWEST = 1, LAPIC_SMI = 2, LAPIC_NMI = 4, LAPIC_INIT = 5, LAPIC_SIPI = 6, LAPIC_EXTINT = 7,
};

/* The input clock of the timer, before its divider. */
#define LAPIC_BUS_HZ 1000000000u

/* -- Main loop, machine lock held -------------------------------------------------------------- */

/* Creates cpu->lapic; env.ipi, env.eoi and the clock's callbacks reach the machine with its lock held. */
struct lapic *lapic_new(struct cpu *cpu, struct clock *clock, struct lock *machine_lock);
void lapic_free(struct lapic *lapic);
/* RESET#, or INIT (which keeps the APIC ID). */
void lapic_reset(struct lapic *lapic, bool init_only);
/* Maps the registers at FEE00000h; once a machine, after its first lapic_new().  Which vCPU's APIC an access
 * reaches is the calling thread's, see lapic_bind_thread(). */
void lapic_map(struct lapic *lapic, struct memory *memory);
/* Rebuilds what is derived after the fields of lapic_state have been loaded; false: impossible values. */
bool lapic_post_load(struct lapic *lapic);
extern const struct state_field lapic_state[];
extern const size_t lapic_size;

/* -- Any thread, machine lock held ------------------------------------------------------------- */

/* Interrupt message (IOAPIC, MSI, IPI) for this APIC: level tells a level-triggered vector; vector is the
 * start page for LAPIC_SIPI.  True when this APIC takes messages (software-enabled or a mode that always passes). */
bool lapic_deliver(struct lapic *lapic, uint8_t vector, enum lapic_mode mode, bool level);
/* Whether a message's destination field names this APIC. */
bool lapic_matches(const struct lapic *lapic, uint8_t destination, bool logical);
/* What an entry of the local vector table, counted from the timer's, lets a guest write. */
uint32_t lapic_lvt_writable(unsigned entry);
/* An interrupt from the vCPU to itself. */
void lapic_send_self(struct lapic *lapic, uint8_t vector);
/* Priority for lowest-priority arbitration: the task priority class. */
uint8_t lapic_priority(const struct lapic *lapic);
/* Sends to every lapic that the interrupt command register `icr` names; the machine's env.ipi calls it. */
void lapic_route_icr(struct lapic *const *lapics, unsigned count, struct lapic *from, uint64_t icr);
/* Wires of the CPU package: LINT0 (INTR of the interrupt controllers) and LINT1 (NMI). */
void lapic_set_lint(struct lapic *lapic, unsigned pin, bool level);
/* The vector waiting to be taken, -1: none.  LAPIC_VECTOR_EXTINT: the interrupt controllers have it. */
enum { LAPIC_VECTOR_NONE = -1, LAPIC_VECTOR_EXTINT = 256 };
int lapic_next_vector(const struct lapic *lapic);
/* Moves a vector from IRR to ISR. */
void lapic_accept(struct lapic *lapic, uint8_t vector);
uint64_t lapic_read(struct lapic *lapic, uint32_t offset);
void lapic_write(struct lapic *lapic, uint32_t offset, uint32_t value);

/* -- x2apic.c: the registers as MSRs, in x2APIC mode.  vCPU thread, machine lock held --------------- */

/* False: #GP(0). */
bool lapic_msr_read(struct lapic *lapic, uint32_t index, uint64_t *value);
bool lapic_msr_write(struct lapic *lapic, uint32_t index, uint64_t value);

/* -- vCPU thread, machine lock not held -------------------------------------------------------- */

/* Says whose APIC this thread's accesses to FEE00000h reach; without it, the first one's. */
void lapic_bind_thread(struct lapic *lapic);
/* CPU_REQUEST_INIT is served: the local APIC's part of it. */
void lapic_take_init(struct lapic *lapic);
/* CPU_REQUEST_SIPI is served: clears it, gives the page that the last start-up IPI named; -1: it is gone. */
int lapic_take_sipi(struct lapic *lapic);
/* The same with the lock, for msr.c; false outside x2APIC mode too. */
bool lapic_rdmsr(struct lapic *lapic, uint32_t index, uint64_t *value);
bool lapic_wrmsr(struct lapic *lapic, uint32_t index, uint64_t value);
/* IA32_TSC_DEADLINE, in guest TSC; 0: not armed. */
uint64_t lapic_deadline(struct lapic *lapic);
void lapic_set_deadline(struct lapic *lapic, uint64_t tsc);
/* cpu->cr8 was written: it is the class of the task priority. */
void lapic_priority_changed(struct lapic *lapic);
/* The guest may have ended an interrupt in memory (paravirt.h); afterwards it has not. */
void lapic_settle_eoi(struct lapic *lapic);
/* cpu->tsc_offset has changed. */
void lapic_tsc_changed(struct lapic *lapic);
/* IA32_APIC_BASE was written. */
void lapic_base_changed(struct lapic *lapic);
/* Called by the engine when CPU_REQUEST_INTR is pending and the CPU can take an interrupt, after
 * cpu_host_begin().  Clears the request, acknowledges, and gives the vector; -1 when there is none any
 * more.  Requests again when another one waits.  env.acknowledge is called without the machine lock. */
int cpu_interrupt_vector(struct cpu *cpu);

#endif
