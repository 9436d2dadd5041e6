/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.c - virtual time, and timers in a binary heap behind one timerfd.
 *
 * A timerfd rather than a GSource ready time: GLib rounds its poll up to whole milliseconds, which
 * would make every guest tick late, and a timerfd may be set from a vCPU thread while the main loop
 * already sleeps in poll().
 *
 * Rules:
 * 1  The heap, the time base and what the timerfd is armed for belong to clock->lock (rank CLOCK).
 *    Deadlines change with the machine lock held too, so their owners may read them under that.
 * 2  The timerfd is armed for the earliest deadline or for some earlier instant, never for a later
 *    one.  Cancelling does not re-arm: the wake-up finds nothing due and arms anew.
 * 3  A stopped clock runs no timers; its timerfd may still fire and is then disarmed.
 * 4  Virtual now = host monotonic + offset while running, `frozen` while stopped.
 */
#include <assert.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"

/* Callbacks a dispatch runs before the main loop looks at other sources again. */
enum { CALLBACKS_PER_DISPATCH = 64 };

struct clock {
        struct lock lock;
        struct lock *machine_lock;      /* held around callbacks */
        bool running;
        int64_t offset_ns;              /* running: virtual minus host monotonic time */
        int64_t frozen_ns;              /* stopped: virtual time */
        int64_t armed_ns;               /* virtual deadline the timerfd is set for; INT64_MAX: none */
        struct timer **heap;            /* heap[0] is due first */
        unsigned count, allocated;
        int timer_fd;
        GSource *source;
};

struct clock_source {
        GSource source;
        struct clock *clock;
};

static int64_t host_now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

static int64_t now_locked(const struct clock *clock)
{
        return clock->running ? host_now_ns() + clock->offset_ns : clock->frozen_ns;
}

/* -- Heap -------------------------------------------------------------------------------------- */

static void heap_put(struct clock *clock, unsigned index, struct timer *timer)
{
        clock->heap[index] = timer;
        timer->heap_index = index;
}

/* Moves the timer at index up or down to where it belongs. */
static void heap_fix(struct clock *clock, unsigned index)
{
        struct timer *timer = clock->heap[index];

        while (index > 0) {
                unsigned parent = (index - 1) / 2;

                if (clock->heap[parent]->deadline_ns <= timer->deadline_ns)
                        break;
                heap_put(clock, index, clock->heap[parent]);
                index = parent;
        }
        for (;;) {
                unsigned child = 2 * index + 1;

                if (child >= clock->count)
                        break;
                if (child + 1 < clock->count && clock->heap[child + 1]->deadline_ns < clock->heap[child]->deadline_ns)
                        child++;
                if (timer->deadline_ns <= clock->heap[child]->deadline_ns)
                        break;
                heap_put(clock, index, clock->heap[child]);
                index = child;
        }
        heap_put(clock, index, timer);
}

static void heap_insert(struct clock *clock, struct timer *timer)
{
        if (clock->count == clock->allocated) {
                clock->allocated = clock->allocated ? 2 * clock->allocated : 16;
                clock->heap = g_renew(struct timer *, clock->heap, clock->allocated);
        }
        heap_put(clock, clock->count++, timer);
        heap_fix(clock, timer->heap_index);
}

static void heap_remove(struct clock *clock, struct timer *timer)
{
        unsigned index = timer->heap_index;
        struct timer *last = clock->heap[--clock->count];

        timer->deadline_ns = -1;
        if (last != timer) {
                heap_put(clock, index, last);
                heap_fix(clock, index);
        }
}

/* -- The timerfd ------------------------------------------------------------------------------- */

/* Rule 2: arms for the earliest deadline if that is before what is armed. */
static void arm(struct clock *clock)
{
        struct itimerspec spec = { 0 };
        int64_t host_ns;

        if (!clock->running || clock->count == 0 || clock->heap[0]->deadline_ns >= clock->armed_ns)
                return;
        clock->armed_ns = clock->heap[0]->deadline_ns;
        /* A zero time would disarm; any instant long past fires at once.  A deadline beyond what fits
         * is centuries away. */
        if (__builtin_sub_overflow(clock->armed_ns, clock->offset_ns, &host_ns))
                host_ns = INT64_MAX;
        if (host_ns < 1)
                host_ns = 1;
        spec.it_value.tv_sec = host_ns / NS_PER_SEC;
        spec.it_value.tv_nsec = host_ns % NS_PER_SEC;
        timerfd_settime(clock->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* Takes the earliest timer off the heap if it is due. */
static struct timer *take_due(struct clock *clock, int64_t now_ns)
{
        struct timer *timer = NULL;

        lock_acquire(&clock->lock);
        if (clock->running && clock->count > 0 && clock->heap[0]->deadline_ns <= now_ns) {
                timer = clock->heap[0];
                heap_remove(clock, timer);
        }
        lock_release(&clock->lock);
        return timer;
}

static gboolean clock_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
        struct clock *clock = ((struct clock_source *)source)->clock;
        struct timer *timer;
        uint64_t expirations;
        int64_t now_ns;
        int budget = CALLBACKS_PER_DISPATCH;

        (void)callback;
        (void)data;
        lock_acquire(clock->machine_lock);
        lock_acquire(&clock->lock);
        /* Read and armed_ns together, or a timer set between the two would wait for a wake-up
         * that has been read away. */
        if (read(clock->timer_fd, &expirations, sizeof(expirations)) < 0)
                assert(errno == EAGAIN);
        clock->armed_ns = INT64_MAX;
        now_ns = now_locked(clock);
        lock_release(&clock->lock);

        while (budget-- > 0 && (timer = take_due(clock, now_ns)) != NULL)
                timer->fn(timer->opaque);

        lock_acquire(&clock->lock);
        arm(clock);
        lock_release(&clock->lock);
        lock_release(clock->machine_lock);
        return G_SOURCE_CONTINUE;
}

static GSourceFuncs clock_source_funcs = { .dispatch = clock_dispatch };

/* -- Clock ------------------------------------------------------------------------------------- */

struct clock *clock_new(struct lock *lock)
{
        struct clock *clock = g_new0(struct clock, 1);
        GMainContext *context = g_main_context_ref_thread_default();

        lock_init(&clock->lock, LOCK_RANK_CLOCK, "clock");
        clock->machine_lock = lock;
        clock->armed_ns = INT64_MAX;
        clock->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (clock->timer_fd < 0)
                g_error("timerfd_create: %s", g_strerror(errno));       /* as GLib does for its own wake-up descriptor */
        clock->source = g_source_new(&clock_source_funcs, sizeof(struct clock_source));
        ((struct clock_source *)clock->source)->clock = clock;
        g_source_add_unix_fd(clock->source, clock->timer_fd, G_IO_IN);
        g_source_set_name(clock->source, "virtual clock");
        g_source_attach(clock->source, context);
        g_main_context_unref(context);
        return clock;
}

void clock_free(struct clock *clock)
{
        if (clock == NULL)
                return;
        g_source_destroy(clock->source);
        g_source_unref(clock->source);
        for (unsigned i = 0; i < clock->count; i++)
                clock->heap[i]->deadline_ns = -1;
        close(clock->timer_fd);
        lock_destroy(&clock->lock);
        g_free(clock->heap);
        g_free(clock);
}

int64_t clock_now_ns(struct clock *clock)
{
        int64_t now_ns;

        lock_acquire(&clock->lock);
        now_ns = now_locked(clock);
        lock_release(&clock->lock);
        return now_ns;
}

void clock_start(struct clock *clock)
{
        lock_acquire(&clock->lock);
        if (!clock->running) {
                clock->offset_ns = clock->frozen_ns - host_now_ns();
                clock->running = true;
                clock->armed_ns = INT64_MAX;    /* what was armed was so by the old offset */
                arm(clock);
        }
        lock_release(&clock->lock);
}

void clock_stop(struct clock *clock)
{
        lock_acquire(&clock->lock);
        clock->frozen_ns = now_locked(clock);
        clock->running = false;
        lock_release(&clock->lock);
}

bool clock_is_running(struct clock *clock)
{
        bool running;

        lock_acquire(&clock->lock);
        running = clock->running;
        lock_release(&clock->lock);
        return running;
}

void clock_set_ns(struct clock *clock, int64_t now_ns)
{
        lock_acquire(&clock->lock);
        assert(!clock->running);
        clock->frozen_ns = now_ns;
        lock_release(&clock->lock);
}

/* -- Timers ------------------------------------------------------------------------------------ */

void timer_init(struct timer *timer, struct clock *clock, void (*fn)(void *opaque), void *opaque)
{
        *timer = (struct timer){ .clock = clock, .fn = fn, .opaque = opaque, .deadline_ns = -1 };
}

void timer_set(struct timer *timer, int64_t deadline_ns)
{
        struct clock *clock = timer->clock;

        assert(lock_is_held(clock->machine_lock));
        if (deadline_ns < 0)
                deadline_ns = 0;
        lock_acquire(&clock->lock);
        if (timer->deadline_ns >= 0) {
                timer->deadline_ns = deadline_ns;
                heap_fix(clock, timer->heap_index);
        } else {
                timer->deadline_ns = deadline_ns;
                heap_insert(clock, timer);
        }
        arm(clock);
        lock_release(&clock->lock);
}

void timer_cancel(struct timer *timer)
{
        struct clock *clock = timer->clock;

        if (timer->deadline_ns < 0)
                return;
        assert(lock_is_held(clock->machine_lock));
        lock_acquire(&clock->lock);
        heap_remove(clock, timer);
        lock_release(&clock->lock);
}
