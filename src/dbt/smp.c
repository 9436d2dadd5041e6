/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smp.c - what vCPUs owe each other: grace periods and exclusive sections.
 *
 * All vCPUs share one code cache and one set of block tables.  Tables and code are changed under
 * dbt->lock and read without it, so whoever takes something away must know that nobody still uses it:
 * a block's memory, or the permission to write a page that is about to be translated.
 *
 * A vCPU is *online* while it is in dbt_run(), and may then hold anything: a check made and an access
 * still to come, an address in a block.  It holds nothing at the top of the dispatcher's loop, where it
 * comes soon after a kick and counts its epoch on.  A *grace period* lasts until every vCPU that was
 * online has done so, or has gone offline: smp_synchronize().  It costs the others nothing when nobody
 * waits, and no time at all when they are halted.
 *
 * An *exclusive section* is for the one instruction that must look atomic and cannot be: a locked
 * access over a page end, or to a page that is written out of line.  The others stand still meanwhile,
 * each at the top of its loop, offline, or waiting for an exclusive section of its own.
 *
 * Invariants:
 * 1  epoch is odd while online.  Only its own thread writes it.
 * 2  Nobody waits here with a lock held; a vCPU that waits for a grace period is offline itself, so two
 *    that wait for each other both go on.
 * 3  An epoch is counted on, then waiters looked at; a waiter is counted, then epochs looked at: one of
 *    the two sees the other.
 * 4  Nobody goes online during an exclusive section.
 * With one vCPU none of this runs.
 */
#include <sched.h>
#include <unistd.h>
#include "dbt/slow.h"

static struct dbt_cpu *other(struct dbt *dbt, guint i, const struct dbt_cpu *self)
{
        struct dbt_cpu *dcpu = dbt_cpu(g_ptr_array_index(dbt->cpus, i));

        return dcpu == self ? NULL : dcpu;
}

static uint32_t epoch_of(const struct dbt_cpu *dcpu) { return __atomic_load_n(&dcpu->epoch, __ATOMIC_SEQ_CST); }

/* smp_mutex held: waits until nobody is exclusive.  The caller counts as standing still. */
static void wait_exclusive(struct dbt *dbt, struct dbt_cpu *dcpu)
{
        dcpu->stopped = true;
        pthread_cond_broadcast(&dbt->smp_changed);
        while (dbt->exclusive)
                pthread_cond_wait(&dbt->smp_changed, &dbt->smp_mutex);
        dcpu->stopped = false;
}

static void go_online(struct dbt *dbt, struct dbt_cpu *dcpu)
{
        wait_exclusive(dbt, dcpu);
        __atomic_store_n(&dcpu->epoch, dcpu->epoch + 1, __ATOMIC_SEQ_CST);
}

static void go_offline(struct dbt *dbt, struct dbt_cpu *dcpu)
{
        __atomic_store_n(&dcpu->epoch, dcpu->epoch + 1, __ATOMIC_SEQ_CST);
        pthread_cond_broadcast(&dbt->smp_changed);
}

void smp_online(struct dbt_cpu *dcpu)
{
        struct dbt *dbt = dcpu->dbt;

        if (!dbt->smp)
                return;
        pthread_mutex_lock(&dbt->smp_mutex);
        go_online(dbt, dcpu);
        pthread_mutex_unlock(&dbt->smp_mutex);
}

void smp_offline(struct dbt_cpu *dcpu)
{
        struct dbt *dbt = dcpu->dbt;

        if (!dbt->smp)
                return;
        pthread_mutex_lock(&dbt->smp_mutex);
        go_offline(dbt, dcpu);
        pthread_mutex_unlock(&dbt->smp_mutex);
}

void smp_pass_slowly(struct dbt_cpu *dcpu)
{
        struct dbt *dbt = dcpu->dbt;

        pthread_mutex_lock(&dbt->smp_mutex);
        wait_exclusive(dbt, dcpu);
        pthread_mutex_unlock(&dbt->smp_mutex);
}

void smp_synchronize(struct dbt_cpu *dcpu)
{
        struct dbt *dbt = dcpu->dbt;
        uint32_t seen[DBT_CPUS_MAX];

        if (!dbt->smp)
                return;
        pthread_mutex_lock(&dbt->smp_mutex);
        go_offline(dbt, dcpu);
        __atomic_add_fetch(&dbt->grace_waiters, 1, __ATOMIC_SEQ_CST);
        for (guint i = 0; i < dbt->cpus->len; i++) {
                struct dbt_cpu *them = other(dbt, i, dcpu);

                seen[i] = them ? epoch_of(them) : 0;
                if (seen[i] & 1)
                        dbt_kick(them);
        }
        for (guint i = 0; i < dbt->cpus->len; i++) {
                const struct dbt_cpu *them = other(dbt, i, dcpu);

                while (them && (seen[i] & 1) && epoch_of(them) == seen[i])
                        pthread_cond_wait(&dbt->smp_changed, &dbt->smp_mutex);
        }
        __atomic_sub_fetch(&dbt->grace_waiters, 1, __ATOMIC_SEQ_CST);
        go_online(dbt, dcpu);
        pthread_mutex_unlock(&dbt->smp_mutex);
}

void cpu_exclusive_begin(struct cpu *cpu)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        struct dbt *dbt = dcpu->dbt;

        if (!dbt->smp || dcpu->exclusive_depth++)
                return;
        pthread_mutex_lock(&dbt->smp_mutex);
        wait_exclusive(dbt, dcpu);
        __atomic_store_n(&dbt->exclusive, dcpu, __ATOMIC_SEQ_CST);
        for (guint i = 0; i < dbt->cpus->len; i++) {
                struct dbt_cpu *them = other(dbt, i, dcpu);

                if (!them || !(epoch_of(them) & 1))
                        continue;
                dbt_kick(them);
                while ((epoch_of(them) & 1) && !them->stopped)
                        pthread_cond_wait(&dbt->smp_changed, &dbt->smp_mutex);
        }
        pthread_mutex_unlock(&dbt->smp_mutex);
        dbt_count(dcpu, DBT_COUNT_EXCLUSIVE, 1);
}

void cpu_exclusive_end(struct cpu *cpu)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        struct dbt *dbt = dcpu->dbt;

        if (!dbt->smp || --dcpu->exclusive_depth)
                return;
        pthread_mutex_lock(&dbt->smp_mutex);
        __atomic_store_n(&dbt->exclusive, NULL, __ATOMIC_SEQ_CST);
        pthread_cond_broadcast(&dbt->smp_changed);
        pthread_mutex_unlock(&dbt->smp_mutex);
}

/* -- Pause loops ------------------------------------------------------------------------------- */

unsigned smp_host_cpus(void)
{
        cpu_set_t set;

        /* Those we may run on, which in a container are fewer than there are. */
        if (!sched_getaffinity(0, sizeof set, &set))
                return (unsigned)CPU_COUNT(&set);
        return 1;
}

void smp_yield(void) { sched_yield(); }
