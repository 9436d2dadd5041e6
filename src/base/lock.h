/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.h - mutexes with ranks.
 *
 * A thread takes locks in rising rank only; debug builds (any sanitizer, or --enable-debug) assert it.
 */
#ifndef LODGER_BASE_LOCK_H
#define LODGER_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

enum lock_rank {
        LOCK_RANK_MACHINE = 1,          /* devices, buses, timers, physical map */
        LOCK_RANK_NET_WORK,             /* a network backend */
        LOCK_RANK_TRANSLATOR,           /* block table, code cache, links */
        LOCK_RANK_PAGES,                /* page states */
        LOCK_RANK_BLOCK,                /* the request queues of an image */
        LOCK_RANK_CPU_WAIT,             /* a vCPU's sleep */
        LOCK_RANK_NET_QUEUE,            /* frames between a NIC and its backend */
        LOCK_RANK_CLOCK,                /* timer heap */
        LOCK_RANK_LOG,
};

struct lock {
        pthread_mutex_t mutex;
        enum lock_rank rank;
        const char *name;
};

void lock_init(struct lock *lock, enum lock_rank rank, const char *name);
void lock_destroy(struct lock *lock);
void lock_acquire(struct lock *lock);
void lock_release(struct lock *lock);
bool lock_is_held(const struct lock *lock);     /* by this thread; always true in release builds */

#endif
