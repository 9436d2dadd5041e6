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
void dbt_slow_link(struct dbt *dbt, struct block_exit *exit, struct block *block);
void dbt_slow_drop(struct dbt *dbt, struct block *block);
/* Drops blocks that other threads have written over. */
void dbt_drop_written(struct dbt *dbt);
bool dbt_is_software_interrupt(insn_handler *handler);
void dbt_wake(struct dbt_cpu *dcpu);
/* Whether dbt_run() would do anything but return DBT_STOP_HALTED. */
bool dbt_can_run(const struct cpu *cpu);
/* Traces; they look at the category first, and only then call cpu_host_begin(). */
void dbt_trace_exception(struct cpu *cpu);
void dbt_trace_enter(struct cpu *cpu, const struct block *block);

/* -- signals.c --------------------------------------------------------------------------------- */

bool dbt_signals_install(GError **error);
void dbt_signals_thread_enter(struct cpu *cpu);
void dbt_signals_thread_leave(void);

#endif
