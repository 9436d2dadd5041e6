/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pit.c - the 8254 programmable interval timer, and port 61h that shares its second and third counters.
 *
 * Datasheets: Intel 8254 (231164), 82371SB PIIX3 (290550) for port 61h (NMI status and control).
 * Counter 0 drives IRQ 0, counter 1 was DRAM refresh, counter 2 the speaker.  Counts are computed
 * from virtual time when somebody looks; only counter 0 needs a timer.
 *
 * Not modelled: the one clock between writing a count and loading it (3 CLK after the write), and
 * triggers by the gates of counters 0 and 1, which are tied high on a PC.
 *
 * Ticks in the periodic modes (2 and 3) are counted, so that a busy host delays them without losing
 * any: the timer works out how many periods have ended, and those that could not be told apart by
 * the guest - because the callback was late, or the previous tick had not been taken yet - are owed.
 * Owed ticks follow one by one, a quarter of a period after the previous one was taken.  Towards the
 * interrupt controller the line of a periodic counter stays up between ticks, so that a slow guest
 * does not see it fall (mode 3 would have it low half of the time).
 */
#include "base/log.h"
#include "devices/chipset/pit.h"

#define PIT_HZ 1193182

enum { COUNTERS = 3, PORT_PIT = 0x40, PORT_CONTROL = 3, PORT_61 = 0x61 };

enum {
        CONTROL_BCD = 1 << 0, CONTROL_MODE_SHIFT = 1, CONTROL_RW_SHIFT = 4, CONTROL_SELECT_SHIFT = 6,
        READ_BACK = 3, READ_BACK_NO_STATUS = 1 << 4, READ_BACK_NO_COUNT = 1 << 5,
        STATUS_NULL = 1 << 6, STATUS_OUT = 1 << 7,
};

enum { RW_LATCH, RW_LOW, RW_HIGH, RW_BOTH };

enum {
        PORT61_GATE2 = 1 << 0, PORT61_SPEAKER = 1 << 1, PORT61_WRITABLE = 0x0f,
        PORT61_REFRESH = 1 << 4, PORT61_OUT2 = 1 << 5,
};
/* The refresh bit toggles with every refresh request of counter 1: 18 clocks as a BIOS programs it. */
enum { REFRESH_TOGGLE_NS = 15085 };

/* Owed ticks beyond this are given up: the guest's clock has long been wrong anyhow. */
#define OWED_MAX (UINT64_C(1) << 20)
/* Ticks closer than this come in bunches, so that a tiny count does not keep the host busy. */
enum { BUNCH_CLOCKS = 24 };

struct counter {
        /* Saved. */
        uint8_t control;        /* RW, mode (0-5), BCD as programmed; reset mode 3, both bytes */
        bool gate;              /* input; counters 0 and 1: true */
        bool loaded;            /* a count has been loaded since the mode was set */
        bool running;           /* counts with time, from start_count at start; else stands at start_count */
        bool null_count;        /* a written count waits to be loaded */
        bool write_high;        /* RW_BOTH: the high byte is next */
        bool read_high;
        uint8_t low_byte;       /* first byte of a count being written */
        uint16_t reload;        /* as written (binary or BCD) */
        uint32_t period;        /* count in use, 1 to 65536 (or 10000) */
        uint32_t start_count;
        uint64_t start;         /* virtual time in clocks */
        uint64_t switch_at;     /* modes 2, 3 with null_count: when the new count is taken */
        bool done;              /* modes 0, 4: the count has ended and that is known */
        uint8_t latched_bytes;  /* of the latched count still to be read: 0, 1, 2 */
        uint16_t latched_count;
        bool status_latched;
        uint8_t latched_status;
};

struct pit {
        struct device device;
        /* Saved.  Machine lock; the timer's callback holds it. */
        struct counter counter[COUNTERS];
        uint8_t port61;         /* R/W bits 0-3; reset 0 */
        bool level;             /* of counter 0's line, as the interrupt controller sees it */
        bool unseen;            /* the last tick has not been taken yet */
        uint64_t ticks;         /* periods of counter 0 accounted for since it was started */
        uint64_t owed;          /* ticks to be made up for */
        struct timer timer;             /* next edge of counter 0 */
        struct timer owed_timer;        /* next owed tick */
        /* Host. */
        bool watched;           /* somebody calls pit_tick_taken() */
        struct irq output;
        struct port_range *ranges[2];
};

static const struct state_field counter_fields[] = {
        STATE_U8(struct counter, control),
        STATE_BOOL(struct counter, gate),
        STATE_BOOL(struct counter, loaded),
        STATE_BOOL(struct counter, running),
        STATE_BOOL(struct counter, null_count),
        STATE_BOOL(struct counter, write_high),
        STATE_BOOL(struct counter, read_high),
        STATE_U8(struct counter, low_byte),
        STATE_U16(struct counter, reload),
        STATE_U32(struct counter, period),
        STATE_U32(struct counter, start_count),
        STATE_U64(struct counter, start),
        STATE_U64(struct counter, switch_at),
        STATE_BOOL(struct counter, done),
        STATE_U8(struct counter, latched_bytes),
        STATE_U16(struct counter, latched_count),
        STATE_BOOL(struct counter, status_latched),
        STATE_U8(struct counter, latched_status),
        STATE_END
};

static const struct state_field pit_fields[] = {
        STATE_ARRAY(struct pit, counter, COUNTERS, counter_fields),
        STATE_U8(struct pit, port61),
        STATE_BOOL(struct pit, level),
        STATE_BOOL(struct pit, unseen),
        STATE_U64(struct pit, ticks),
        STATE_U64(struct pit, owed),
        STATE_TIMER(struct pit, timer),
        STATE_TIMER(struct pit, owed_timer),
        STATE_SKIP(struct pit, watched, "learnt anew from the machine's wiring"),
        STATE_SKIP(struct pit, output, "wire, connected by the machine"),
        STATE_SKIP(struct pit, ranges, "ports, registered by create()"),
        STATE_END
};

/* -- Time and counts --------------------------------------------------------------------------- */

static unsigned counter_mode(const struct counter *counter)
{
        return (counter->control >> CONTROL_MODE_SHIFT) & 7;
}

static unsigned counter_rw(const struct counter *counter)
{
        return (counter->control >> CONTROL_RW_SHIFT) & 3;
}

static bool counter_periodic(const struct counter *counter)
{
        return counter_mode(counter) == 2 || counter_mode(counter) == 3;
}

static uint32_t counter_modulus(const struct counter *counter)
{
        return counter->control & CONTROL_BCD ? 10000 : 0x10000;
}

/* The 8254's clock counts from the beginning of virtual time, so that nothing is lost to rounding. */
static uint64_t ns_to_clocks(int64_t ns)
{
        return (uint64_t)((unsigned __int128)ns * PIT_HZ / NS_PER_SEC);
}

/* The first nanosecond at which that many clocks have passed. */
static int64_t clocks_to_ns(uint64_t clocks)
{
        return (int64_t)(((unsigned __int128)clocks * NS_PER_SEC + PIT_HZ - 1) / PIT_HZ);
}

static uint32_t bcd_to_binary(uint16_t bcd)
{
        return (bcd >> 12) * 1000 + ((bcd >> 8) & 15) * 100 + ((bcd >> 4) & 15) * 10 + (bcd & 15);
}

static uint16_t binary_to_bcd(uint32_t value)
{
        return (uint16_t)(value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10);
}

/* What a written count stands for: zero is the modulus. */
static uint32_t counter_reload_value(const struct counter *counter)
{
        uint32_t value = counter->control & CONTROL_BCD ? bcd_to_binary(counter->reload) % 10000 : counter->reload;

        return value ? value : counter_modulus(counter);
}

/* Since the counter was started. */
static uint64_t counter_elapsed(const struct counter *counter, uint64_t now)
{
        return counter->running && now > counter->start ? now - counter->start : 0;
}

/* The count as the counting element holds it, 0 to modulus - 1. */
static uint32_t counter_value(const struct counter *counter, uint64_t now)
{
        uint64_t elapsed = counter_elapsed(counter, now);
        uint32_t modulus = counter_modulus(counter), phase;

        if (!counter->running)
                return counter->start_count % modulus;
        switch (counter_mode(counter)) {
        case 2:
                return (counter->period - (uint32_t)(elapsed % counter->period)) % modulus;
        case 3:
                /* Counts down by two; odd counts start from one less, and the high half lasts one
                 * clock longer (8254, "Mode 3"). */
                phase = (uint32_t)(elapsed % counter->period);
                if (!(counter->period & 1))
                        return (counter->period - 2 * phase % counter->period) % modulus;
                if (phase >= (counter->period + 1) / 2)
                        phase -= (counter->period + 1) / 2;
                return (counter->period - 1 - 2 * phase) % modulus;
        default:
                return (uint32_t)((counter->start_count + modulus - elapsed % modulus) % modulus);
        }
}

static bool counter_expired(const struct counter *counter, uint64_t now)
{
        return counter->done || (counter->running && counter_elapsed(counter, now) >= counter->start_count);
}

static bool counter_out(const struct counter *counter, uint64_t now)
{
        uint64_t elapsed = counter_elapsed(counter, now);

        switch (counter_mode(counter)) {
        case 0:
                return counter->loaded && counter_expired(counter, now);
        case 1:         /* high until the first trigger */
                return !counter->running || counter_expired(counter, now);
        case 2:
                return !counter->running || elapsed % counter->period != counter->period - 1;
        case 3:
                return !counter->running || elapsed % counter->period < (counter->period + 1) / 2;
        default:        /* 4, 5: low for one clock at the end */
                return !counter->running || counter->done || elapsed != counter->start_count;
        }
}

/* Stops counting; a later start goes on from here. */
static void counter_freeze(struct counter *counter, uint64_t now)
{
        uint64_t elapsed = counter_elapsed(counter, now);

        if (!counter_periodic(counter) && elapsed < counter->start_count)
                counter->start_count -= (uint32_t)elapsed;
        else
                counter->start_count = counter_value(counter, now);
        counter->running = false;
}

/* Starts the count anew from what was last written. */
static void counter_load(struct counter *counter, uint64_t now)
{
        counter->period = counter_reload_value(counter);
        counter->start_count = counter->period;
        counter->start = now;
        counter->loaded = true;
        counter->running = counter->gate || counter_mode(counter) == 1 || counter_mode(counter) == 5;
        counter->null_count = false;
        counter->done = false;
}

/* -- Counter 0 and its ticks ------------------------------------------------------------------- */

static uint64_t pit_now(struct pit *pit)
{
        return ns_to_clocks(clock_now_ns(pit->device.env->clock));
}

static void pit_pulse(struct pit *pit)
{
        pit->unseen = true;
        irq_set(&pit->output, false);
        irq_set(&pit->output, true);
}

/* Ticks owed are given one by one, each some time after the one before was taken. */
static void pit_arm_owed(struct pit *pit, uint64_t now)
{
        if (!pit->owed || (pit->unseen && pit->watched)) {
                timer_cancel(&pit->owed_timer);
                return;
        }
        if (!timer_is_set(&pit->owed_timer)) {
                timer_set(&pit->owed_timer, clocks_to_ns(now + MAX(pit->counter[0].period / 4, BUNCH_CLOCKS)));
        }
}

/* count periods have ended: one edge, and the rest is owed - all of it when the edge before still waits
 * to be taken and the two will be one.  The edge is given all the same: what waited may have been
 * thrown away (ICW1 clears the requests of an 8259A). */
static void pit_give_ticks(struct pit *pit, uint64_t count, uint64_t now)
{
        bool merged = pit->unseen && pit->watched;

        pit->owed = MIN(pit->owed + count - !merged, OWED_MAX);
        pit_pulse(pit);
        pit_arm_owed(pit, now);
}

/* Gives the ticks of counter 0 up to now. */
static void pit_account(struct pit *pit, uint64_t now)
{
        struct counter *counter = &pit->counter[0];
        uint64_t elapsed = counter_elapsed(counter, now);

        if (!counter->running)
                return;
        if (counter_periodic(counter)) {
                uint64_t periods = elapsed / counter->period;
                if (periods > pit->ticks) {
                        uint64_t count = periods - pit->ticks;
                        pit->ticks = periods;
                        pit_give_ticks(pit, count, now);
                }
        } else if (counter_mode(counter) == 4 && !counter->done && elapsed > counter->start_count) {
                counter->done = true;
                pit_pulse(pit);
        }
}

/* A count written to a running periodic counter is taken when its period ends, which may have
 * happened since anybody looked. */
static void pit_catch_up(struct pit *pit, unsigned which, uint64_t now)
{
        struct counter *counter = &pit->counter[which];

        if (!counter->null_count || !counter->running || !counter_periodic(counter) || now < counter->switch_at)
                return;
        if (which == 0) {
                pit_account(pit, counter->switch_at);
                pit->ticks = 0;
        }
        counter_load(counter, counter->switch_at);
}

/* When the line of counter 0 next changes; 0: never. */
static uint64_t pit_next_edge(const struct pit *pit)
{
        const struct counter *counter = &pit->counter[0];

        if (!counter->running || counter->done)
                return 0;
        switch (counter_mode(counter)) {
        case 0:
                return counter->start + counter->start_count;
        case 2:
        case 3:
                return counter->null_count ? counter->switch_at : counter->start + (pit->ticks + 1) * counter->period;
        case 4:
                return counter->start + counter->start_count + 1;
        default:
                return 0;
        }
}

/* Derives counter 0's line and timer from state; but for the pulses of ticks nothing else touches
 * the line. */
static void pit_update(struct pit *pit, uint64_t now)
{
        struct counter *counter = &pit->counter[0];

        pit_catch_up(pit, 0, now);
        pit_account(pit, now);
        if (counter_mode(counter) == 0 && counter->loaded && counter_expired(counter, now))
                counter->done = true;
        bool level = counter_mode(counter) == 0 ? counter->done : true;
        if (level != pit->level) {
                pit->level = level;
                pit->unseen = level;
                irq_set(&pit->output, level);
        }

        uint64_t next = pit_next_edge(pit);
        if (!next)
                timer_cancel(&pit->timer);
        else
                timer_set(&pit->timer, clocks_to_ns(counter_periodic(counter) ? MAX(next, now + BUNCH_CLOCKS) : next));
}

void pit_tick_taken(struct device *device)
{
        struct pit *pit = (struct pit *)device;

        pit->watched = true;
        pit->unseen = false;
        pit_arm_owed(pit, pit_now(pit));
}

void pit_ticks_forget(struct device *device)
{
        struct pit *pit = (struct pit *)device;

        pit->owed = 0;
        pit->unseen = false;
        timer_cancel(&pit->owed_timer);
}

void pit_set_output(struct device *device, struct irq output)
{
        struct pit *pit = (struct pit *)device;

        pit->output = output;
        irq_set(&pit->output, pit->level);
}

/* -- Counter registers ------------------------------------------------------------------------- */

static void counter_latch_count(struct counter *counter, uint64_t now)
{
        if (counter->latched_bytes)
                return;
        uint32_t value = counter_value(counter, now);
        counter->latched_count = counter->control & CONTROL_BCD ? binary_to_bcd(value) : (uint16_t)value;
        counter->latched_bytes = counter_rw(counter) == RW_BOTH ? 2 : 1;
}

static void counter_latch_status(struct counter *counter, uint64_t now)
{
        if (counter->status_latched)
                return;
        counter->status_latched = true;
        counter->latched_status = counter->control | (counter->null_count ? STATUS_NULL : 0) |
                                  (counter_out(counter, now) ? STATUS_OUT : 0);
}

static uint8_t counter_read(struct counter *counter, uint64_t now)
{
        uint16_t value = counter->latched_count;
        bool high = counter_rw(counter) == RW_HIGH;

        if (counter->status_latched) {
                counter->status_latched = false;
                return counter->latched_status;
        }
        if (!counter->latched_bytes) {
                uint32_t count = counter_value(counter, now);
                value = counter->control & CONTROL_BCD ? binary_to_bcd(count) : (uint16_t)count;
        } else {
                counter->latched_bytes--;
        }
        if (counter_rw(counter) == RW_BOTH) {
                high = counter->read_high;
                counter->read_high = !high;
        }
        return high ? value >> 8 : value & 0xff;
}

/* A whole count has been written. */
static void pit_count_written(struct pit *pit, unsigned which, uint16_t value, uint64_t now)
{
        struct counter *counter = &pit->counter[which];
        unsigned mode = counter_mode(counter);

        counter->reload = value;
        counter->null_count = true;
        if (mode == 1 || mode == 5)
                return;
        if (counter_periodic(counter) && counter->running) {
                uint64_t periods = counter_elapsed(counter, now) / counter->period + 1;
                counter->switch_at = counter->start + periods * counter->period;
                return;
        }
        counter_load(counter, now);
        if (which == 0)
                pit->ticks = 0;
}

static void pit_counter_write(struct pit *pit, unsigned which, uint8_t value, uint64_t now)
{
        struct counter *counter = &pit->counter[which];

        switch (counter_rw(counter)) {
        case RW_LOW:
                pit_count_written(pit, which, value, now);
                return;
        case RW_HIGH:
                pit_count_written(pit, which, (uint16_t)(value << 8), now);
                return;
        default:
                counter->write_high = !counter->write_high;
                if (!counter->write_high) {
                        pit_count_written(pit, which, (uint16_t)(value << 8 | counter->low_byte), now);
                        return;
                }
                counter->low_byte = value;
                /* "Writing the first byte disables counting" and lowers OUT (8254, "Mode 0"). */
                if (counter_mode(counter) == 0) {
                        counter_freeze(counter, now);
                        counter->loaded = false;
                        counter->done = false;
                }
        }
}

static void pit_set_mode(struct pit *pit, unsigned which, uint8_t value, uint64_t now)
{
        struct counter *counter = &pit->counter[which];
        uint8_t mode = (value >> CONTROL_MODE_SHIFT) & 7;

        counter_freeze(counter, now);
        if (mode > 5)
                mode -= 4;
        counter->control = (value & (CONTROL_BCD | RW_BOTH << CONTROL_RW_SHIFT)) | mode << CONTROL_MODE_SHIFT;
        counter->loaded = false;
        counter->done = false;
        counter->null_count = true;
        counter->write_high = false;
        counter->read_high = false;
        counter->latched_bytes = 0;
        counter->status_latched = false;
        if (which == 0) {
                pit->ticks = 0;
                pit->owed = 0;
                pit->unseen = false;
                timer_cancel(&pit->owed_timer);
        }
}

static void pit_control_write(struct pit *pit, uint8_t value, uint64_t now)
{
        unsigned select = value >> CONTROL_SELECT_SHIFT;

        if (select != READ_BACK) {
                if ((value >> CONTROL_RW_SHIFT & 3) == RW_LATCH)
                        counter_latch_count(&pit->counter[select], now);
                else
                        pit_set_mode(pit, select, value, now);
                return;
        }
        for (unsigned i = 0; i < COUNTERS; i++) {
                if (!(value & (2 << i)))
                        continue;
                if (!(value & READ_BACK_NO_COUNT))
                        counter_latch_count(&pit->counter[i], now);
                if (!(value & READ_BACK_NO_STATUS))
                        counter_latch_status(&pit->counter[i], now);
        }
}

/* The gate input of a counter (8254, "Gate Pin Operations Summary"). */
static void counter_set_gate(struct counter *counter, bool gate, uint64_t now)
{
        unsigned mode = counter_mode(counter);

        if (gate == counter->gate)
                return;
        if (!gate && mode != 1 && mode != 5 && counter->running) {
                if (mode == 0 || mode == 4)
                        counter->done = counter_expired(counter, now);
                counter_freeze(counter, now);
        }
        counter->gate = gate;
        if (!gate)
                return;
        if (mode == 0 || mode == 4) {
                counter->start = now;
                counter->running = counter->loaded;
        } else if (counter->loaded || mode == 1 || mode == 5) {
                counter_load(counter, now);
        }
}

/* -- Ports ------------------------------------------------------------------------------------- */

static uint32_t pit_read(void *opaque, uint16_t port, unsigned size)
{
        struct pit *pit = opaque;
        unsigned which = port - PORT_PIT;
        uint64_t now = pit_now(pit);

        (void)size;
        if (which == PORT_CONTROL)
                return 0xff;    /* the control register cannot be read */
        pit_catch_up(pit, which, now);
        return counter_read(&pit->counter[which], now);
}

static void pit_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct pit *pit = opaque;
        unsigned which = port - PORT_PIT;
        uint64_t now = pit_now(pit);

        (void)size;
        for (unsigned i = 0; i < COUNTERS; i++)
                pit_catch_up(pit, i, now);
        pit_account(pit, now);
        if (which == PORT_CONTROL)
                pit_control_write(pit, (uint8_t)value, now);
        else
                pit_counter_write(pit, which, (uint8_t)value, now);
        pit_update(pit, now);
}

static const struct port_ops pit_ops = { pit_read, pit_write, 1 };

static uint32_t port61_read(void *opaque, uint16_t port, unsigned size)
{
        struct pit *pit = opaque;
        uint64_t now = pit_now(pit);
        int64_t now_ns = clock_now_ns(pit->device.env->clock);
        uint32_t value = pit->port61;

        (void)port;
        (void)size;
        pit_catch_up(pit, 2, now);
        if (now_ns / REFRESH_TOGGLE_NS & 1)
                value |= PORT61_REFRESH;
        if (counter_out(&pit->counter[2], now))
                value |= PORT61_OUT2;
        return value;
}

static void port61_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct pit *pit = opaque;
        uint64_t now = pit_now(pit);

        (void)port;
        (void)size;
        pit_catch_up(pit, 2, now);
        pit->port61 = value & PORT61_WRITABLE;
        counter_set_gate(&pit->counter[2], value & PORT61_GATE2, now);
}

static const struct port_ops port61_ops = { port61_read, port61_write, 1 };

/* -- Host events ------------------------------------------------------------------------------- */

static void pit_timer(void *opaque)
{
        struct pit *pit = opaque;

        pit_update(pit, pit_now(pit));
}

static void pit_owed_timer(void *opaque)
{
        struct pit *pit = opaque;

        if (pit->owed && !(pit->unseen && pit->watched)) {
                pit->owed--;
                pit_pulse(pit);
        }
        pit_arm_owed(pit, pit_now(pit));
}

/* -- Life -------------------------------------------------------------------------------------- */

/* The chip comes up undefined; guests that never program it find what a BIOS leaves: mode 3 with the
 * longest count. */
static void pit_reset(struct device *device)
{
        struct pit *pit = (struct pit *)device;
        uint64_t now = pit_now(pit);

        for (unsigned i = 0; i < COUNTERS; i++) {
                struct counter *counter = &pit->counter[i];
                *counter = (struct counter) { .control = RW_BOTH << CONTROL_RW_SHIFT | 3 << CONTROL_MODE_SHIFT, .gate = i != 2 };
                counter_load(counter, now);
        }
        pit->port61 = 0;
        pit->ticks = 0;
        pit->owed = 0;
        pit->unseen = false;
        timer_cancel(&pit->owed_timer);
        pit_update(pit, now);
}

static bool pit_create(struct device *device, GError **error)
{
        struct pit *pit = (struct pit *)device;
        const struct device_env *env = device->env;

        (void)error;
        timer_init(&pit->timer, env->clock, pit_timer, pit);
        timer_init(&pit->owed_timer, env->clock, pit_owed_timer, pit);
        pit->ranges[0] = ports_map(env->ports, PORT_PIT, 4, &pit_ops, pit, "8254 timer");
        pit->ranges[1] = ports_map(env->ports, PORT_61, 1, &port61_ops, pit, "speaker and timer control");
        return true;
}

static void pit_destroy(struct device *device)
{
        struct pit *pit = (struct pit *)device;

        timer_cancel(&pit->timer);
        timer_cancel(&pit->owed_timer);
        for (size_t i = 0; i < G_N_ELEMENTS(pit->ranges); i++)
                ports_unmap(pit->ranges[i]);
}

/* A mode that has no count yet leaves the period of the one before, which may have been a binary one. */
static bool counter_valid(const struct counter *counter, uint64_t now)
{
        uint32_t longest = counter->running ? counter_modulus(counter) : 0x10000;

        return counter_mode(counter) <= 5 && counter_rw(counter) != RW_LATCH && !(counter->control & 0xc0) &&
               counter->period >= 1 && counter->period <= longest && counter->start_count <= 0x10000 &&
               counter->start <= now && counter->switch_at <= now + 0x10000 && counter->latched_bytes <= 2;
}

static bool pit_post_load(struct device *device, GError **error)
{
        struct pit *pit = (struct pit *)device;
        uint64_t now = pit_now(pit);
        bool valid = pit->owed <= OWED_MAX && !(pit->port61 & ~PORT61_WRITABLE) &&
                     pit->counter[2].gate == (pit->port61 & PORT61_GATE2) && pit->counter[0].gate && pit->counter[1].gate;

        for (unsigned i = 0; i < COUNTERS; i++)
                valid = valid && counter_valid(&pit->counter[i], now);
        if (!valid || (pit->ticks && pit->ticks > counter_elapsed(&pit->counter[0], now) / pit->counter[0].period)) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: impossible state of a counter", device->id);
                return false;
        }
        pit_update(pit, now);
        pit_arm_owed(pit, now);
        return true;
}

static const struct device_class pit_class = {
        .name = "pit",
        .description = "8254 programmable interval timer",
        .size = sizeof(struct pit),
        .state = pit_fields,
        .create = pit_create,
        .reset = pit_reset,
        .post_load = pit_post_load,
        .destroy = pit_destroy,
};
DEVICE_CLASS(pit_class);
