/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slow.h - the dispatcher's calls into ordinary C: each is made after cpu_host_begin().
 */
#ifndef LODGER_DBT_SLOW_H
#define LODGER_DBT_SLOW_H

#include "dbt/internal.h"

uint64_t dbt_random_key(void);
const struct context *dbt_slow_context(struct dbt *dbt, uint64_t mode, uint64_t cs_base, uint32_t cs_limit,
                                       uint64_t debug_key);
struct block *dbt_slow_translate(struct cpu *cpu, const struct context *context, uint64_t rip, gpa_t gpa);
/* generation: of when the edge was in use; what has been evicted since may have been it. */
void dbt_slow_link(struct dbt *dbt, struct block_exit *exit, struct block *block, uint64_t generation);
void dbt_slow_drop(struct dbt *dbt, struct block *block);
/* RESET# or INIT, and a start-up IPI, with the local APIC's part. */
void dbt_slow_reset(struct cpu *cpu, bool init_only);
void dbt_slow_start(struct cpu *cpu);
bool dbt_is_software_interrupt(insn_handler *handler);
void dbt_wake(struct dbt_cpu *dcpu);
/* Whether dbt_run() would do anything but return DBT_STOP_HALTED. */
bool dbt_can_run(const struct cpu *cpu);
/* Traces; they look at the category first, and only then call cpu_host_begin(). */
void dbt_trace_exception(struct cpu *cpu);
void dbt_trace_enter(struct cpu *cpu, const struct block *block);

/* Makes the vCPU come to the top of the dispatcher's loop soon. */
void dbt_kick(struct dbt_cpu *dcpu);

/* -- smp.c ------------------------------------------------------------------------------------- */

void smp_online(struct dbt_cpu *dcpu);
void smp_offline(struct dbt_cpu *dcpu);
/* Waits until everybody else has let go of what they had in hand.  No lock held. */
void smp_synchronize(struct dbt_cpu *dcpu);
/* At the top of the loop, after a kick, when smp_awaited() says that somebody waits. */
void smp_pass_slowly(struct dbt_cpu *dcpu);
static inline bool smp_awaited(struct dbt_cpu *dcpu)
{
        struct dbt *dbt = dcpu->dbt;

        __atomic_store_n(&dcpu->epoch, dcpu->epoch + 2, __ATOMIC_SEQ_CST);
        return __atomic_load_n(&dbt->grace_waiters, __ATOMIC_SEQ_CST) || __atomic_load_n(&dbt->exclusive, __ATOMIC_SEQ_CST);
}
unsigned smp_host_cpus(void);
void smp_yield(void);

/* -- signals.c --------------------------------------------------------------------------------- */

bool dbt_signals_install(GError **error);
void dbt_signals_thread_enter(struct cpu *cpu);
void dbt_signals_thread_leave(void);

#endif
