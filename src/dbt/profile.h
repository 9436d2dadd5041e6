/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * profile.h - where a guest's time goes, sampled, and a map of translated code for the host's profilers.
 */
#ifndef LODGER_DBT_PROFILE_H
#define LODGER_DBT_PROFILE_H

#include "dbt/internal.h"

/* *profile stays NULL when nothing is wanted.  False with error set: symbols or map cannot be had. */
bool profile_new(struct profile **profile, const struct dbt_options *options, GError **error);
/* Writes the report; dbt NULL: there is nothing to report. */
void profile_free(struct profile *profile, const struct dbt *dbt);
/* The calling thread runs this vCPU, and is sampled from now on if that is wanted; until it leaves. */
void profile_thread_enter(struct cpu *cpu);
void profile_thread_leave(void);
/* What was sampled goes to the whole. */
void profile_cpu_free(struct dbt_cpu *dcpu);
/* A block was made (dbt->lock held). */
void profile_map_block(struct profile *profile, const struct cpu *cpu, const struct block *block);

#endif
