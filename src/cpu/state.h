/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - a vCPU's state as a table, and its time stamp counter across a stop.
 *
 * Ordinary code, for stopped vCPUs.
 */
#ifndef LODGER_CPU_STATE_H
#define LODGER_CPU_STATE_H

#include "base/state.h"
#include "cpu/cpu.h"

extern const struct state_field cpu_state[];
/* Judges fields that were loaded, and brings those without meaning in this CPU into range.  False: something
 * impossible, or not to be had on this host.  The engine then rebuilds what is derived. */
bool cpu_post_load(struct cpu *cpu, GError **error);

/* Notes the counters of all vCPUs at one instant; lets them go on from there at another. */
void cpu_stop_tsc(struct cpu *const *cpus, unsigned count);
void cpu_start_tsc(struct cpu *const *cpus, unsigned count);

#endif
