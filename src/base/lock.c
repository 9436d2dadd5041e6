/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.c - mutexes with ranks, and the check that a thread takes them in rising rank.
 *
 * Belongs to lodger_gpr: src/memory takes locks while a guest's vector registers are live.  The
 * checking build keeps a small stack of held locks per thread; the release build keeps nothing.
 */
#include <assert.h>
#include <stddef.h>
#include "base/lock.h"

#ifdef LODGER_DEBUG

enum { LOCKS_HELD_MAX = 16 };

/* Locks this thread holds, in the order it took them; ranks rise strictly. */
static _Thread_local const struct lock *held[LOCKS_HELD_MAX];
static _Thread_local unsigned held_count;

static void note_acquire(const struct lock *lock)
{
        assert(held_count < LOCKS_HELD_MAX);
        /* The same rank twice would be two locks of one kind, or one lock taken again. */
        assert(held_count == 0 || held[held_count - 1]->rank < lock->rank);
        held[held_count++] = lock;
}

static void note_release(const struct lock *lock)
{
        unsigned i = held_count;

        /* Releasing out of order is fine: the ranks that stay still rise. */
        while (i > 0 && held[i - 1] != lock)
                i--;
        assert(i > 0);
        for (; i < held_count; i++)
                held[i - 1] = held[i];
        held_count--;
}

bool lock_is_held(const struct lock *lock)
{
        for (unsigned i = 0; i < held_count; i++) {
                if (held[i] == lock)
                        return true;
        }
        return false;
}

#else

static void note_acquire(const struct lock *lock)
{
        (void)lock;
}

static void note_release(const struct lock *lock)
{
        (void)lock;
}

bool lock_is_held(const struct lock *lock)
{
        (void)lock;
        return true;
}

#endif

void lock_init(struct lock *lock, enum lock_rank rank, const char *name)
{
        int error = pthread_mutex_init(&lock->mutex, NULL);

        assert(error == 0);
        (void)error;
        lock->rank = rank;
        lock->name = name;
}

void lock_destroy(struct lock *lock)
{
        int error = pthread_mutex_destroy(&lock->mutex);

        assert(error == 0);     /* EBUSY: somebody holds it */
        (void)error;
}

void lock_acquire(struct lock *lock)
{
        /* Looked at before waiting, so that a wrong order asserts rather than deadlocks. */
        note_acquire(lock);
        pthread_mutex_lock(&lock->mutex);
}

void lock_release(struct lock *lock)
{
        note_release(lock);
        pthread_mutex_unlock(&lock->mutex);
}
