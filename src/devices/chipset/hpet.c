/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hpet.c - the high precision event timers: a 100 MHz counter and three comparators.
 *
 * Specification: Intel, IA-PC HPET 1.0a.  All three timers are 64 bits wide and can be periodic; they
 * go to I/O APIC pins 20 to 23, or, by legacy replacement, timer 0 to ISA line 0 (in the 8254's
 * place) and timer 1 to line 8 (in the real-time clock's).  Not modelled: FSB (message) delivery,
 * which the capability bits deny.
 *
 * The counter is computed from virtual time when somebody looks.  `seen` is the counter value up to
 * which a comparator's matches have been dealt with; a match is an equality, so a comparator written
 * behind the counter fires after the counter has wrapped, as it does in the chip.
 *
 * Periods that end unnoticed because the callback was late are owed and given one by one, a quarter
 * of a period apart, so that a busy host delays ticks without losing them (as pit.c does).
 */
#include "base/log.h"
#include "devices/chipset/hpet.h"

#define TICK_FEMTOSECONDS UINT64_C(10000000)
enum { TICK_NS = 10, HPET_BYTES = 0x400 };

enum {
        REG_CAPABILITY = 0x000, REG_CONFIG = 0x010, REG_STATUS = 0x020, REG_COUNTER = 0x0f0, REG_TIMERS = 0x100,
        TIMER_BYTES = 0x20, TIMER_CONFIG = 0x00, TIMER_COMPARATOR = 0x08, TIMER_FSB = 0x10,
};
enum { CONFIG_ENABLE = 1 << 0, CONFIG_LEGACY = 1 << 1, CONFIG_WRITABLE = 3 };
enum {
        TIMER_LEVEL = 1 << 1, TIMER_INTERRUPT = 1 << 2, TIMER_PERIODIC = 1 << 3, TIMER_PERIODIC_CAPABLE = 1 << 4,
        TIMER_64 = 1 << 5, TIMER_SET_VALUE = 1 << 6, TIMER_32 = 1 << 8, TIMER_ROUTE_SHIFT = 9, TIMER_ROUTE = 31 << 9,
        TIMER_WRITABLE = TIMER_LEVEL | TIMER_INTERRUPT | TIMER_PERIODIC | TIMER_SET_VALUE | TIMER_32 | TIMER_ROUTE,
};
#define TIMER_ROUTES (UINT64_C(0xf) << HPET_PIN_FIRST << 32)

/* Ticks closer than this come in bunches, so that a tiny period does not keep the host busy. */
enum { BUNCH_NS = 20000 };
enum { OWED_MAX = 1000 };
/* The farthest that a host timer is set; it is then set again. */
#define FAR_NS (INT64_C(3600) * NS_PER_SEC)

struct hpet_timer {
        /* Saved. */
        uint32_t config;        /* R/W by TIMER_WRITABLE; reset 0 */
        uint64_t comparator;    /* R/W; reset all ones */
        uint64_t period;        /* W, through the comparator */
        uint64_t seen;          /* counter value up to which matches are dealt with */
        uint32_t owed;          /* periods to be made up for */
        bool high;              /* an edge has been given: towards an 8259 the line stays up until the next */
        struct timer timer;
};

struct hpet {
        struct device device;
        /* Saved.  Machine lock. */
        uint32_t config;        /* R/W; reset 0 */
        uint32_t status;        /* R/W1C: level-triggered interrupts that are active; reset 0 */
        uint64_t offset;        /* counter minus virtual ticks while it runs, else the counter; reset 0 */
        struct hpet_timer timers[HPET_TIMERS];
        /* Host. */
        struct irq pins[HPET_PINS], legacy[2], legacy_on;
        struct memory_region *region;
};

static const struct state_field timer_fields[] = {
        STATE_U32(struct hpet_timer, config),
        STATE_U64(struct hpet_timer, comparator),
        STATE_U64(struct hpet_timer, period),
        STATE_U64(struct hpet_timer, seen),
        STATE_U32(struct hpet_timer, owed),
        STATE_BOOL(struct hpet_timer, high),
        STATE_SKIP(struct hpet_timer, timer, "derived from the registers"),
        STATE_END
};

static const struct state_field hpet_fields[] = {
        STATE_U32(struct hpet, config),
        STATE_U32(struct hpet, status),
        STATE_U64(struct hpet, offset),
        STATE_ARRAY(struct hpet, timers, HPET_TIMERS, timer_fields),
        STATE_SKIP(struct hpet, pins, "wires, connected by the machine"),
        STATE_SKIP(struct hpet, legacy, "wires, connected by the machine"),
        STATE_SKIP(struct hpet, legacy_on, "wire, connected by the machine"),
        STATE_SKIP(struct hpet, region, "registers, mapped by create()"),
        STATE_END
};

/* -- The counter and the lines ------------------------------------------------------------------- */

static uint64_t hpet_ticks(struct hpet *hpet)
{
        return (uint64_t)clock_now_ns(hpet->device.env->clock) / TICK_NS;
}

static uint64_t hpet_counter(struct hpet *hpet)
{
        return hpet->config & CONFIG_ENABLE ? hpet_ticks(hpet) + hpet->offset : hpet->offset;
}

static uint64_t timer_mask(const struct hpet_timer *timer)
{
        return timer->config & TIMER_32 ? UINT32_MAX : UINT64_MAX;
}

/* Ticks from a counter value to the comparator's next match, 1 to the counter's whole range (0: 2^64). */
static uint64_t timer_distance(const struct hpet_timer *timer, uint64_t from)
{
        return ((timer->comparator - from - 1) & timer_mask(timer)) + 1;
}

static bool timer_line(const struct hpet *hpet, unsigned number)
{
        const struct hpet_timer *timer = &hpet->timers[number];

        if (!(hpet->config & CONFIG_ENABLE) || !(timer->config & TIMER_INTERRUPT))
                return false;
        return timer->config & TIMER_LEVEL ? hpet->status >> number & 1 : timer->high;
}

/* Derives the interrupt lines from state; nothing else touches one. */
static void hpet_update_lines(struct hpet *hpet)
{
        bool legacy = hpet->config & CONFIG_LEGACY, pins[HPET_PINS] = { false };

        for (unsigned i = legacy ? 2 : 0; i < HPET_TIMERS; i++) {
                unsigned route = (hpet->timers[i].config & TIMER_ROUTE) >> TIMER_ROUTE_SHIFT;

                if (route >= HPET_PIN_FIRST && route < HPET_PIN_FIRST + HPET_PINS)
                        pins[route - HPET_PIN_FIRST] |= timer_line(hpet, i);
        }
        irq_set(&hpet->legacy_on, legacy);
        for (unsigned i = 0; i < 2; i++)
                irq_set(&hpet->legacy[i], legacy && timer_line(hpet, i));
        for (unsigned i = 0; i < HPET_PINS; i++)
                irq_set(&hpet->pins[i], pins[i]);
}

/* -- Matches ------------------------------------------------------------------------------------- */

static void timer_fire(struct hpet *hpet, unsigned number)
{
        struct hpet_timer *timer = &hpet->timers[number];

        if (timer->config & TIMER_LEVEL) {
                hpet->status |= 1u << number;
        } else {
                timer->high = false;
                hpet_update_lines(hpet);
                timer->high = true;
        }
        hpet_update_lines(hpet);
}

/* Deals with the matches of a timer up to now: an interrupt for one, and the other periods are owed. */
static void timer_account(struct hpet *hpet, unsigned number, uint64_t now)
{
        struct hpet_timer *timer = &hpet->timers[number];
        uint64_t passed = now - timer->seen, distance = timer_distance(timer, timer->seen), period;

        if (!(hpet->config & CONFIG_ENABLE) || !distance || passed < distance)
                return;
        timer->seen = now;
        period = timer->period & timer_mask(timer);
        if ((timer->config & TIMER_PERIODIC) && period) {
                uint64_t more = (passed - distance) / period;

                timer->comparator = (timer->comparator + (more + 1) * period) & timer_mask(timer);
                timer->owed = (uint32_t)MIN(timer->owed + more, OWED_MAX);
        }
        timer_fire(hpet, number);
}

/* Sets a timer to its next match, or to the next of the periods it owes. */
static void timer_arm(struct hpet *hpet, unsigned number, uint64_t now)
{
        struct hpet_timer *timer = &hpet->timers[number];
        int64_t now_ns = clock_now_ns(hpet->device.env->clock), wait = FAR_NS;
        uint64_t distance = timer_distance(timer, now), period = timer->period & timer_mask(timer);

        if (!(hpet->config & CONFIG_ENABLE) || !(timer->config & TIMER_INTERRUPT)) {
                timer->owed = 0;
                timer_cancel(&timer->timer);
                return;
        }
        if (distance && distance < (uint64_t)FAR_NS / TICK_NS)
                wait = (int64_t)distance * TICK_NS;
        if (timer->owed && period < (uint64_t)FAR_NS / TICK_NS)
                wait = MIN(wait, (int64_t)period * TICK_NS / 4);
        if (timer->config & TIMER_PERIODIC)
                wait = MAX(wait, BUNCH_NS);
        timer_set(&timer->timer, now_ns - now_ns % TICK_NS + wait);
}

static void hpet_update(struct hpet *hpet)
{
        uint64_t now = hpet_counter(hpet);

        for (unsigned i = 0; i < HPET_TIMERS; i++) {
                timer_account(hpet, i, now);
                timer_arm(hpet, i, now);
        }
        hpet_update_lines(hpet);
}

/* -- Registers ------------------------------------------------------------------------------------ */

static void hpet_config_write(struct hpet *hpet, uint32_t value)
{
        bool was = hpet->config & CONFIG_ENABLE, is = value & CONFIG_ENABLE;

        if (was && !is)
                hpet->offset += hpet_ticks(hpet);
        else if (!was && is)
                hpet->offset -= hpet_ticks(hpet);
        hpet->config = value & CONFIG_WRITABLE;
}

/* The counter jumped: what lay between is no match. */
static void hpet_counter_write(struct hpet *hpet, uint64_t value)
{
        hpet->offset = value - (hpet->config & CONFIG_ENABLE ? hpet_ticks(hpet) : 0);
        for (unsigned i = 0; i < HPET_TIMERS; i++)
                hpet->timers[i].seen = value - 1;
}

static void timer_config_write(struct hpet *hpet, unsigned number, uint32_t value)
{
        struct hpet_timer *timer = &hpet->timers[number];

        timer->config = value & TIMER_WRITABLE;
        if (!(timer->config & TIMER_PERIODIC))
                timer->config &= ~(uint32_t)TIMER_SET_VALUE;
        if (!(timer->config & TIMER_INTERRUPT))
                timer->high = false;
        if (!(timer->config & TIMER_LEVEL))
                hpet->status &= ~(1u << number);
        timer->comparator &= timer_mask(timer);
        timer->seen = hpet_counter(hpet);
}

/* In periodic mode a write is the period; one after TIMER_SET_VALUE is the next match as well (2.3.9.2.2). */
static void timer_comparator_write(struct hpet *hpet, unsigned number, uint64_t value, uint64_t lanes)
{
        struct hpet_timer *timer = &hpet->timers[number];
        bool periodic = timer->config & TIMER_PERIODIC;

        if (!periodic || (timer->config & TIMER_SET_VALUE)) {
                timer->comparator = ((timer->comparator & ~lanes) | (value & lanes)) & timer_mask(timer);
                timer->seen = hpet_counter(hpet) - 1;
        }
        if (periodic)
                timer->period = ((timer->period & ~lanes) | (value & lanes)) & timer_mask(timer);
        /* A 64-bit comparator written in halves, low half first, takes both as its next match. */
        if (!(timer->config & TIMER_SET_VALUE) || (timer->config & TIMER_32) || lanes >> 32)
                timer->config &= ~(uint32_t)TIMER_SET_VALUE;
        timer->owed = 0;
}

/* A whole 64-bit register. */
static uint64_t hpet_register(struct hpet *hpet, unsigned at)
{
        unsigned number = (at - REG_TIMERS) / TIMER_BYTES;

        switch (at) {
        case REG_CAPABILITY:
                return TICK_FEMTOSECONDS << 32 | HPET_BLOCK_ID;
        case REG_CONFIG:
                return hpet->config;
        case REG_STATUS:
                return hpet->status;
        case REG_COUNTER:
                return hpet_counter(hpet);
        default:
                break;
        }
        if (at < REG_TIMERS || number >= HPET_TIMERS) {
                guest_error("hpet", "read of register %#x", at);
                return 0;
        }
        switch ((at - REG_TIMERS) % TIMER_BYTES) {
        case TIMER_CONFIG:
                return TIMER_ROUTES | hpet->timers[number].config | TIMER_PERIODIC_CAPABLE | TIMER_64;
        case TIMER_COMPARATOR:
                return hpet->timers[number].comparator;
        default:
                return 0;               /* no message delivery */
        }
}

static void hpet_timer_write(struct hpet *hpet, unsigned at, uint64_t value, uint64_t lanes)
{
        unsigned number = (at - REG_TIMERS) / TIMER_BYTES;

        switch ((at - REG_TIMERS) % TIMER_BYTES) {
        case TIMER_CONFIG:
                timer_config_write(hpet, number, (uint32_t)value);
                break;
        case TIMER_COMPARATOR:
                timer_comparator_write(hpet, number, value, lanes);
                break;
        default:
                guest_error("hpet", "write of register %#x, which is not there", at);
        }
}

static uint64_t hpet_read(void *opaque, uint64_t offset, unsigned size)
{
        struct hpet *hpet = opaque;

        hpet_update(hpet);              /* a periodic comparator may have moved on */
        return hpet_register(hpet, (unsigned)offset & ~7u) >> (offset & 4) * 8 & (size == 8 ? UINT64_MAX : UINT32_MAX);
}

static void hpet_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct hpet *hpet = opaque;
        unsigned at = (unsigned)offset & ~7u, shift = (offset & 4) * 8;
        uint64_t lanes = (size == 8 ? UINT64_MAX : UINT32_MAX) << shift, whole;

        hpet_update(hpet);
        /* The lanes that are not written keep their value, but in the status, where a one clears. */
        whole = (value << shift & lanes) | (at == REG_STATUS ? 0 : hpet_register(hpet, at) & ~lanes);
        if (at == REG_CONFIG)
                hpet_config_write(hpet, (uint32_t)whole);
        else if (at == REG_STATUS)
                hpet->status &= ~(uint32_t)whole;
        else if (at == REG_COUNTER)
                hpet_counter_write(hpet, whole);
        else if (at >= REG_TIMERS && at < REG_TIMERS + HPET_TIMERS * TIMER_BYTES)
                hpet_timer_write(hpet, at, whole, lanes);
        else
                guest_error("hpet", "write of register %#x, which cannot be written", at);
        hpet_update(hpet);
}

static const struct mmio_ops hpet_ops = { hpet_read, hpet_write, 4, 8 };

/* -- Host events ----------------------------------------------------------------------------------- */

static void hpet_timer_due(struct hpet *hpet, unsigned number)
{
        struct hpet_timer *timer = &hpet->timers[number];
        uint64_t now = hpet_counter(hpet);

        if (timer->owed && timer_distance(timer, timer->seen) > now - timer->seen) {
                timer->owed--;
                timer_fire(hpet, number);
        }
        hpet_update(hpet);
}

static void hpet_timer0(void *opaque) { hpet_timer_due(opaque, 0); }
static void hpet_timer1(void *opaque) { hpet_timer_due(opaque, 1); }
static void hpet_timer2(void *opaque) { hpet_timer_due(opaque, 2); }

/* -- Wires ------------------------------------------------------------------------------------------ */

void hpet_connect_pin(struct device *device, unsigned pin, struct irq irq)
{
        g_assert(pin >= HPET_PIN_FIRST && pin < HPET_PIN_FIRST + HPET_PINS);
        ((struct hpet *)device)->pins[pin - HPET_PIN_FIRST] = irq;
}

void hpet_connect_legacy(struct device *device, struct irq line0, struct irq line8, struct irq on)
{
        struct hpet *hpet = (struct hpet *)device;

        hpet->legacy[0] = line0;
        hpet->legacy[1] = line8;
        hpet->legacy_on = on;
}

/* -- Life ------------------------------------------------------------------------------------------- */

static void hpet_reset(struct device *device)
{
        struct hpet *hpet = (struct hpet *)device;

        hpet->config = 0;
        hpet->status = 0;
        hpet->offset = 0;
        for (unsigned i = 0; i < HPET_TIMERS; i++) {
                struct hpet_timer *timer = &hpet->timers[i];

                timer->config = 0;
                timer->comparator = UINT64_MAX;
                timer->period = 0;
                timer->seen = 0;
                timer->owed = 0;
                timer->high = false;
        }
        hpet_update(hpet);
}

static bool hpet_create(struct device *device, GError **error)
{
        static void (*const due[HPET_TIMERS])(void *) = { hpet_timer0, hpet_timer1, hpet_timer2 };
        struct hpet *hpet = (struct hpet *)device;

        (void)error;
        for (unsigned i = 0; i < HPET_TIMERS; i++)
                timer_init(&hpet->timers[i].timer, device->env->clock, due[i], hpet);
        hpet->region = memory_map_mmio(device->env->memory, HPET_BASE, HPET_BYTES, &hpet_ops, hpet, 1, "hpet");
        return true;
}

static void hpet_destroy(struct device *device)
{
        struct hpet *hpet = (struct hpet *)device;

        for (unsigned i = 0; i < HPET_TIMERS; i++)
                timer_cancel(&hpet->timers[i].timer);
        memory_unmap(hpet->region);
}

static bool hpet_post_load(struct device *device, GError **error)
{
        struct hpet *hpet = (struct hpet *)device;
        bool valid = !(hpet->config & ~(uint32_t)CONFIG_WRITABLE) && !(hpet->status >> HPET_TIMERS);

        for (unsigned i = 0; i < HPET_TIMERS; i++) {
                const struct hpet_timer *timer = &hpet->timers[i];

                valid = valid && !(timer->config & ~(uint32_t)TIMER_WRITABLE) && timer->owed <= OWED_MAX &&
                        timer->comparator <= timer_mask(timer) && timer->period <= timer_mask(timer);
        }
        if (!valid) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: impossible state", device->id);
                return false;
        }
        hpet_update(hpet);
        return true;
}

static const struct device_class hpet_class = {
        .name = "hpet",
        .description = "high precision event timers",
        .size = sizeof(struct hpet),
        .state = hpet_fields,
        .create = hpet_create,
        .reset = hpet_reset,
        .post_load = hpet_post_load,
        .destroy = hpet_destroy,
};
DEVICE_CLASS(hpet_class);
