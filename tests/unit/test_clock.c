/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_clock.c - virtual time and timers.
 *
 * Nothing here expects an upper bound on a delay: the machine that runs it may be busy.
 */
#include <glib.h>
#include <stdlib.h>
#include "base/clock.h"
#include "unit.h"

static struct lock machine_lock;
static struct clock *clock_;
static GMainLoop *loop;

static void set_up(void)
{
        lock_init(&machine_lock, LOCK_RANK_MACHINE, "machine");
        clock_ = clock_new(&machine_lock);
        loop = g_main_loop_new(NULL, FALSE);
}

static void tear_down(void)
{
        clock_free(clock_);
        lock_destroy(&machine_lock);
        g_main_loop_unref(loop);
}

static void set(struct timer *timer, int64_t deadline_ns)
{
        lock_acquire(&machine_lock);
        timer_set(timer, deadline_ns);
        lock_release(&machine_lock);
}

static void quit(void *unused)
{
        (void)unused;
        ck_assert(lock_is_held(&machine_lock));
        g_main_loop_quit(loop);
}

/* Runs whatever is ready without waiting. */
static void run_ready(void)
{
        while (g_main_context_iteration(NULL, FALSE))
                ;
}

START_TEST(time_stands_still_while_stopped)
{
        int64_t before, after;

        set_up();
        ck_assert_int_eq(clock_now_ns(clock_), 0);
        clock_set_ns(clock_, 5 * NS_PER_SEC);
        ck_assert_int_eq(clock_now_ns(clock_), 5 * NS_PER_SEC);
        clock_start(clock_);
        before = clock_now_ns(clock_);
        ck_assert_int_ge(before, 5 * NS_PER_SEC);
        g_usleep(1000);
        ck_assert_int_ge(clock_now_ns(clock_), before + 1000000);
        clock_stop(clock_);
        after = clock_now_ns(clock_);
        g_usleep(1000);
        ck_assert_int_eq(clock_now_ns(clock_), after);
        clock_start(clock_);
        ck_assert_int_ge(clock_now_ns(clock_), after);
        tear_down();
}
END_TEST

enum { TIMERS = 200 };
static struct timer timers[TIMERS];
static int64_t planned[TIMERS];
static int64_t last_deadline;
static int fired;

static void check_order(void *opaque)
{
        int index = (int)(intptr_t)opaque;

        ck_assert(!timer_is_set(&timers[index]));
        ck_assert_int_ge(clock_now_ns(clock_), planned[index]);
        ck_assert_int_ge(planned[index], last_deadline);
        last_deadline = planned[index];
        fired++;
}

START_TEST(timers_fire_in_order_and_not_early)
{
        struct timer end;
        int expected = 0;

        set_up();
        srand(1);
        timer_init(&end, clock_, quit, NULL);
        for (int i = 0; i < TIMERS; i++) {
                timer_init(&timers[i], clock_, check_order, (void *)(intptr_t)i);
                planned[i] = rand() % 5000 * 1000LL;
                set(&timers[i], planned[i]);
        }
        /* Moved, earlier or later, and cancelled. */
        for (int i = 0; i < TIMERS; i += 3) {
                planned[i] = rand() % 5000 * 1000LL;
                set(&timers[i], planned[i]);
        }
        lock_acquire(&machine_lock);
        for (int i = 1; i < TIMERS; i += 5)
                timer_cancel(&timers[i]);
        lock_release(&machine_lock);
        for (int i = 0; i < TIMERS; i++)
                expected += timer_is_set(&timers[i]);
        set(&end, 6000000);
        clock_start(clock_);
        g_main_loop_run(loop);
        ck_assert_int_eq(fired, expected);
        tear_down();
}
END_TEST

static void count(void *unused)
{
        (void)unused;
        fired++;
}

START_TEST(stopped_clock_runs_no_timers)
{
        struct timer timer, end;

        set_up();
        timer_init(&timer, clock_, count, NULL);
        timer_init(&end, clock_, quit, NULL);
        set(&timer, 0);
        run_ready();
        ck_assert_int_eq(fired, 0);
        clock_start(clock_);
        clock_stop(clock_);
        g_usleep(2000);
        run_ready();
        ck_assert_int_eq(fired, 0);
        clock_start(clock_);
        set(&end, clock_now_ns(clock_));
        g_main_loop_run(loop);
        ck_assert_int_eq(fired, 1);
        ck_assert(!timer_is_set(&timer));
        tear_down();
}
END_TEST

static void again(void *opaque)
{
        struct timer *timer = opaque;

        /* A device that has fallen behind catches up; the main loop must still get its turn. */
        fired++;
        timer_set(timer, 0);
}

static gboolean quit_idle(gpointer unused)
{
        (void)unused;
        g_main_loop_quit(loop);
        return G_SOURCE_REMOVE;
}

START_TEST(a_busy_timer_does_not_starve_the_loop)
{
        struct timer timer;

        set_up();
        timer_init(&timer, clock_, again, &timer);
        set(&timer, 0);
        clock_start(clock_);
        g_timeout_add(20, quit_idle, NULL);
        g_main_loop_run(loop);
        ck_assert_int_gt(fired, 0);
        tear_down();
        ck_assert(!timer_is_set(&timer));
}
END_TEST

static void *set_from_thread(void *timer)
{
        /* Long enough that the main loop most likely sleeps; right either way. */
        g_usleep(20000);
        set(timer, clock_now_ns(clock_) + 1000);
        return NULL;
}

START_TEST(a_timer_set_on_another_thread_wakes_the_loop)
{
        struct timer timer, far;
        GThread *thread;

        set_up();
        timer_init(&timer, clock_, quit, NULL);
        timer_init(&far, clock_, count, NULL);
        set(&far, INT64_MAX);
        clock_start(clock_);
        thread = g_thread_new("setter", set_from_thread, &timer);
        g_main_loop_run(loop);
        g_thread_join(thread);
        ck_assert_int_eq(fired, 0);
        tear_down();
}
END_TEST

UNIT_MAIN("clock", time_stands_still_while_stopped, timers_fire_in_order_and_not_early, stopped_clock_runs_no_timers,
          a_busy_timer_does_not_starve_the_loop, a_timer_set_on_another_thread_wakes_the_loop)
