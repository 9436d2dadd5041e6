/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.h - a machine's virtual clock and the timers that run on it.
 *
 * Virtual time is in nanoseconds since the machine was created, follows the host's monotonic clock
 * while the machine runs, stands still while it is paused, and never goes back.  Timer callbacks run
 * on the machine's main-loop thread with the machine lock held; timers are set and cancelled with
 * that lock held.  A late callback sees the real (late) time: periodic devices count what they missed.
 */
#ifndef LODGER_BASE_CLOCK_H
#define LODGER_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/lock.h"

#define NS_PER_SEC 1000000000LL

struct clock;

/* lock: held while callbacks run.  Uses the thread-default GMainContext of the caller. */
struct clock *clock_new(struct lock *lock);
void clock_free(struct clock *clock);
int64_t clock_now_ns(struct clock *clock);      /* any thread */
void clock_start(struct clock *clock);          /* runs from now on; created stopped */
void clock_stop(struct clock *clock);
bool clock_is_running(struct clock *clock);     /* any thread */
/* Sets the present virtual time; only while stopped (restore of a snapshot). */
void clock_set_ns(struct clock *clock, int64_t now_ns);

/* A timer embedded in its owner; all fields but deadline_ns are private. */
struct timer {
        struct clock *clock;
        void (*fn)(void *opaque);
        void *opaque;
        int64_t deadline_ns;    /* -1: not set */
        unsigned heap_index;
};

void timer_init(struct timer *timer, struct clock *clock, void (*fn)(void *opaque), void *opaque);
void timer_set(struct timer *timer, int64_t deadline_ns);
void timer_cancel(struct timer *timer);
static inline bool timer_is_set(const struct timer *timer) { return timer->deadline_ns >= 0; }

#endif
