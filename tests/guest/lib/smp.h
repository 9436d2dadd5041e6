/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smp.h - several CPUs in a guest test: starting them, giving them work, and their local APICs.
 *
 * guest_main() runs on CPU 0.  Interrupt handlers of the other CPUs cannot be hooks (those share one frame): tests set
 * gates to functions with __attribute__((interrupt)).
 */
#ifndef LODGER_GUEST_SMP_H
#define LODGER_GUEST_SMP_H

#include "guest.h"

enum { SMP_MAX = 32 };

enum {
        APIC_ID = 0x20, APIC_EOI = 0xb0, APIC_LDR = 0xd0, APIC_SVR = 0xf0, APIC_ICR = 0x300, APIC_ICR_HIGH = 0x310,
};
enum {
        ICR_LOWEST = 1 << 8, ICR_NMI = 4 << 8, ICR_INIT = 5 << 8, ICR_SIPI = 6 << 8, ICR_LOGICAL = 1 << 11, ICR_ASSERT = 1 << 14,
        ICR_SELF = 1 << 18, ICR_ALL = 2 << 18, ICR_OTHERS = 3 << 18,
};

struct interrupt_frame;         /* what the CPU pushes; handlers here do not look */
typedef struct interrupt_frame frame;

extern volatile u32 smp_started[SMP_MAX];      /* how often each CPU came out of its start-up code */
extern u32 smp_cpus;                            /* CPUs that run */

u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 value);
u32 smp_self(void);                             /* this CPU's APIC ID */
void smp_ipi(u32 destination, u32 icr);
/* Starts the CPUs with INIT and two start-up IPIs each, or one of them; they wait for work. */
void smp_start(void);
void smp_start_one(u32 cpu, u32 page);
/* Copies the start-up code to a page below 1 MiB. */
void smp_prepare(u32 page);
/* Runs fn on every CPU but this one. */
void smp_give(void (*fn)(u32 cpu));
/* Runs fn on every CPU, this one too, and waits until all have returned. */
void smp_run(void (*fn)(u32 cpu));
/* Waits until all CPUs have come here (from within fn). */
void smp_barrier(void);
void smp_gate(u8 vector, void (*handler)(frame *));
/* The number after "name=" on the command line, or the default. */
u32 smp_parameter(const char *name, u32 value);

static inline void pause(void) { asm volatile("pause" ::: "memory"); }
static inline u32 lock_xadd(volatile u32 *p, u32 v) { asm volatile("lock xaddl %0, %1" : "+r"(v), "+m"(*p) :: "memory"); return v; }
static inline u32 xchg(volatile u32 *p, u32 v) { asm volatile("xchgl %0, %1" : "+r"(v), "+m"(*p) :: "memory"); return v; }
static inline u32 cmpxchg(volatile u32 *p, u32 old, u32 new)
{
        asm volatile("lock cmpxchgl %2, %1" : "+a"(old), "+m"(*p) : "r"(new) : "memory");
        return old;
}

#endif
