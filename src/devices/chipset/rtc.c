/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtc.c - Motorola MC146818 real-time clock with 128 bytes of CMOS memory, ports 70h and 71h.
 *
 * The time of day is the host's UTC plus an offset, which a guest changes by setting the clock; it is
 * never a count of ticks, so it is right again after a pause.  While the SET bit of register B is on,
 * the ten time bytes are plain memory; clearing it turns them into a new offset.  Otherwise they are
 * computed on each read.  The century byte is at 32h, as ACPI's FADT says.
 *
 * Interrupts: update-ended and alarm follow the wall clock, the periodic one follows virtual time.
 * Flags in register C are computed when somebody looks (rtc_advance), with a timer running only
 * while an enabled interrupt is still to come.
 *
 * Not modelled: the oscillator's divider (register A, DV), daylight saving (DSE), square wave output.
 */
#include <string.h>
#include <time.h>
#include "base/log.h"
#include "devices/chipset/rtc.h"

enum { PORT_INDEX = 0x70, PORT_DATA = 0x71 };
enum {
        SECONDS = 0, SECONDS_ALARM = 1, MINUTES = 2, MINUTES_ALARM = 3, HOURS = 4, HOURS_ALARM = 5, WEEKDAY = 6,
        DAY = 7, MONTH = 8, YEAR = 9, REG_A = 10, REG_B = 11, REG_C = 12, REG_D = 13, CENTURY = 0x32,
};
enum { A_UIP = 0x80, A_RATE = 0x0f };
enum { B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_BINARY = 0x04, B_24H = 0x02 };
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10 };
enum { D_VALID = 0x80 };
enum { HOUR_PM = 0x80, ALARM_ANY = 0xc0 };

enum { US_PER_SEC = 1000000, OSCILLATOR_HZ = 32768 };
/* Of periodic interrupts: a second's worth at the fastest rate. */
enum { OWED_MAX = 8192 };
/* UIP rises 244 us before the update, which takes 1984 us; the time changes at its end. */
enum { UPDATE_US = 244 + 1984 };

struct rtc {
        struct device device;
        uint8_t index;                  /* saved: port 70h, W, bit 7 (NMI mask) included */
        uint8_t cmos[128];              /* saved: registers and memory */
        int64_t offset_s;               /* saved: guest time minus host time */
        int64_t seen_second;            /* saved: guest second up to which UF and AF are computed */
        int64_t seen_ns;                /* saved: virtual time up to which PF is computed */
        uint32_t owed;                  /* saved: periodic interrupts to be made up for */
        int64_t owed_ns;                /* saved: when the next of them is due */
        struct timer timer;             /* derived: next enabled interrupt */
        struct irq irq;
        int64_t (*now_us)(void);
};

static const struct state_field rtc_fields[] = {
        STATE_SKIP(struct rtc, device, "identity"),
        STATE_U8(struct rtc, index),
        STATE_BYTES(struct rtc, cmos),
        STATE_S64(struct rtc, offset_s),
        STATE_S64(struct rtc, seen_second),
        STATE_S64(struct rtc, seen_ns),
        STATE_U32(struct rtc, owed),
        STATE_S64(struct rtc, owed_ns),
        STATE_SKIP(struct rtc, timer, "derived from the registers"),
        STATE_SKIP(struct rtc, irq, "wiring"),
        STATE_SKIP(struct rtc, now_us, "the host's clock"),
        STATE_END
};

/* -- Formats ------------------------------------------------------------------------------------ */

static uint8_t rtc_encode(const struct rtc *rtc, unsigned value)
{
        return (uint8_t)(rtc->cmos[REG_B] & B_BINARY ? value : (value / 10 % 10) << 4 | value % 10);
}

static unsigned rtc_decode(const struct rtc *rtc, uint8_t value)
{
        return rtc->cmos[REG_B] & B_BINARY ? value : (value >> 4) * 10u + (value & 15);
}

static uint8_t rtc_encode_hour(const struct rtc *rtc, unsigned hour)
{
        if (rtc->cmos[REG_B] & B_24H)
                return rtc_encode(rtc, hour);
        return (uint8_t)(rtc_encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0));
}

static unsigned rtc_decode_hour(const struct rtc *rtc, uint8_t value)
{
        if (rtc->cmos[REG_B] & B_24H)
                return rtc_decode(rtc, value);
        return rtc_decode(rtc, value & 0x7f) % 12 + (value & HOUR_PM ? 12 : 0);
}

static void rtc_store_time(struct rtc *rtc, int64_t second)
{
        time_t when = (time_t)second;
        struct tm tm;

        if (!gmtime_r(&when, &tm))
                return;
        rtc->cmos[SECONDS] = rtc_encode(rtc, (unsigned)tm.tm_sec);
        rtc->cmos[MINUTES] = rtc_encode(rtc, (unsigned)tm.tm_min);
        rtc->cmos[HOURS] = rtc_encode_hour(rtc, (unsigned)tm.tm_hour);
        rtc->cmos[WEEKDAY] = rtc_encode(rtc, (unsigned)tm.tm_wday + 1);
        rtc->cmos[DAY] = rtc_encode(rtc, (unsigned)tm.tm_mday);
        rtc->cmos[MONTH] = rtc_encode(rtc, (unsigned)tm.tm_mon + 1);
        rtc->cmos[YEAR] = rtc_encode(rtc, (unsigned)(tm.tm_year + 1900) % 100);
        rtc->cmos[CENTURY] = rtc_encode(rtc, (unsigned)(tm.tm_year + 1900) / 100);
}

/* What the time bytes say, as seconds since 1970; impossible dates run over as timegm() does. */
static int64_t rtc_stored_time(const struct rtc *rtc)
{
        struct tm tm = {
                .tm_sec = (int)rtc_decode(rtc, rtc->cmos[SECONDS]),
                .tm_min = (int)rtc_decode(rtc, rtc->cmos[MINUTES]),
                .tm_hour = (int)rtc_decode_hour(rtc, rtc->cmos[HOURS]),
                .tm_mday = (int)rtc_decode(rtc, rtc->cmos[DAY]),
                .tm_mon = (int)rtc_decode(rtc, rtc->cmos[MONTH]) - 1,
                .tm_year = (int)(rtc_decode(rtc, rtc->cmos[CENTURY]) * 100 + rtc_decode(rtc, rtc->cmos[YEAR])) - 1900,
        };

        return timegm(&tm);
}

static bool rtc_is_time(unsigned index)
{
        return index == SECONDS || index == MINUTES || (index >= HOURS && index <= YEAR && index != HOURS_ALARM) ||
               index == CENTURY;
}

/* -- Time and flags ----------------------------------------------------------------------------- */

static int64_t rtc_now_us(const struct rtc *rtc)
{
        return (rtc->now_us ? rtc->now_us() : g_get_real_time()) + rtc->offset_s * US_PER_SEC;
}

static int64_t floor_div(int64_t value, int64_t by)
{
        return value / by - (value % by < 0);
}

/* The periodic interrupt's period; 0 when off.  Rates 1 and 2 are 256 and 128 Hz. */
static int64_t rtc_period_ns(const struct rtc *rtc)
{
        unsigned rate = rtc->cmos[REG_A] & A_RATE;

        if (!rate)
                return 0;
        if (rate <= 2)
                rate += 7;
        return (NS_PER_SEC << (rate - 1)) / OSCILLATOR_HZ;
}

static bool rtc_alarm_matches(const struct rtc *rtc, int64_t second)
{
        unsigned of_day = (unsigned)(second - floor_div(second, 86400) * 86400);
        uint8_t s = rtc->cmos[SECONDS_ALARM], m = rtc->cmos[MINUTES_ALARM], h = rtc->cmos[HOURS_ALARM];

        return ((s & ALARM_ANY) == ALARM_ANY || rtc_decode(rtc, s) == of_day % 60) &&
               ((m & ALARM_ANY) == ALARM_ANY || rtc_decode(rtc, m) == of_day / 60 % 60) &&
               ((h & ALARM_ANY) == ALARM_ANY || rtc_decode_hour(rtc, h) == of_day / 3600);
}

/* Periods that end before the one before has been read, because a busy host was late, are owed: guests keep time by
 * them.  Not more than a second's worth: then it was the guest that did not care. */
static void rtc_advance_periods(struct rtc *rtc, int64_t now_ns)
{
        int64_t period = rtc_period_ns(rtc), count;

        if (!period || !(rtc->cmos[REG_B] & B_PIE))
                rtc->owed = 0;
        if (!period)
                return;
        count = now_ns / period - rtc->seen_ns / period;
        if (rtc->owed && !(rtc->cmos[REG_C] & C_PF) && now_ns >= rtc->owed_ns) {
                rtc->owed--;
                rtc->cmos[REG_C] |= C_PF;
        }
        if (count <= 0)
                return;
        if (rtc->cmos[REG_B] & B_PIE)
                rtc->owed = (uint32_t)MIN(rtc->owed + count - !(rtc->cmos[REG_C] & C_PF), NS_PER_SEC / period);
        rtc->cmos[REG_C] |= C_PF;
}

/* Sets the flags of everything that happened since the last call. */
static void rtc_advance(struct rtc *rtc)
{
        int64_t now_ns = clock_now_ns(rtc->device.env->clock);
        int64_t second = floor_div(rtc_now_us(rtc), US_PER_SEC);

        rtc_advance_periods(rtc, now_ns);
        rtc->seen_ns = now_ns;
        if (second != rtc->seen_second && !(rtc->cmos[REG_B] & B_SET)) {
                /* After a pause of a day or more every time of day has passed once. */
                int64_t from = MAX(rtc->seen_second, second - 86400);

                rtc->cmos[REG_C] |= C_UF;
                for (int64_t at = from + 1; at <= second && !(rtc->cmos[REG_C] & C_AF); at++)
                        if (rtc_alarm_matches(rtc, at))
                                rtc->cmos[REG_C] |= C_AF;
        }
        rtc->seen_second = second;
}

/* Derives IRQF, the interrupt line and the timer. */
static void rtc_update(struct rtc *rtc)
{
        uint8_t enabled = rtc->cmos[REG_B] & (B_PIE | B_AIE | B_UIE);
        int64_t now_ns, deadline = INT64_MAX, period = rtc_period_ns(rtc);
        uint8_t waiting;

        rtc_advance(rtc);
        if (rtc->cmos[REG_C] & enabled)
                rtc->cmos[REG_C] |= C_IRQF;
        irq_set(&rtc->irq, rtc->cmos[REG_C] & C_IRQF);

        now_ns = rtc->seen_ns;
        waiting = enabled & (uint8_t)~rtc->cmos[REG_C];
        if ((waiting & B_PIE) && period)
                deadline = rtc->owed ? MIN((now_ns / period + 1) * period, rtc->owed_ns) : (now_ns / period + 1) * period;
        if ((waiting & (B_AIE | B_UIE)) && !(rtc->cmos[REG_B] & B_SET)) {
                int64_t us = rtc_now_us(rtc), next = (floor_div(us, US_PER_SEC) + 1) * US_PER_SEC;

                deadline = MIN(deadline, now_ns + (next - us) * 1000);
        }
        if (deadline != INT64_MAX)
                timer_set(&rtc->timer, deadline);
        else
                timer_cancel(&rtc->timer);
}

static void rtc_timer_fired(void *opaque)
{
        rtc_update(opaque);
}

static void rtc_set_offset_from_bytes(struct rtc *rtc)
{
        rtc->offset_s += rtc_stored_time(rtc) - floor_div(rtc_now_us(rtc), US_PER_SEC);
        rtc->seen_second = floor_div(rtc_now_us(rtc), US_PER_SEC);
}

/* -- Registers ---------------------------------------------------------------------------------- */

static uint8_t rtc_register_read(struct rtc *rtc, unsigned index)
{
        bool set = rtc->cmos[REG_B] & B_SET;
        uint8_t value;

        if (rtc_is_time(index) && !set)
                rtc_store_time(rtc, floor_div(rtc_now_us(rtc), US_PER_SEC));
        value = rtc->cmos[index];
        switch (index) {
        case REG_A:
                if (!set) {
                        int64_t us = rtc_now_us(rtc);

                        us -= floor_div(us, US_PER_SEC) * US_PER_SEC;
                        if (us >= US_PER_SEC - UPDATE_US)
                                value |= A_UIP;
                }
                break;
        case REG_C:
                /* Reading clears the flags and the interrupt (datasheet, "Register C"). */
                rtc_advance(rtc);
                if (rtc->cmos[REG_C] & rtc->cmos[REG_B] & (B_PIE | B_AIE | B_UIE))
                        rtc->cmos[REG_C] |= C_IRQF;
                value = rtc->cmos[REG_C];
                rtc->cmos[REG_C] = 0;
                if (value & C_PF)
                        rtc->owed_ns = rtc->seen_ns + rtc_period_ns(rtc) / 4;
                rtc_update(rtc);
                break;
        case REG_D:
                value = D_VALID;
                break;
        default:
                break;
        }
        return value;
}

static void rtc_register_write(struct rtc *rtc, unsigned index, uint8_t value)
{
        uint8_t old_b = rtc->cmos[REG_B];

        switch (index) {
        case REG_A:
                rtc_advance(rtc);
                rtc->owed = 0;
                rtc->cmos[REG_A] = value & (uint8_t)~A_UIP;
                break;
        case REG_B:
                rtc_advance(rtc);
                if ((value & B_SET) && !(old_b & B_SET))        /* the bytes stand still from here */
                        rtc_store_time(rtc, rtc->seen_second);
                rtc->cmos[REG_B] = value & B_SET ? value & (uint8_t)~B_UIE : value;
                if (!(value & B_SET) && (old_b & B_SET))
                        rtc_set_offset_from_bytes(rtc);
                break;
        case REG_C:
        case REG_D:
                return;
        default:
                if (rtc_is_time(index) && !(old_b & B_SET)) {
                        rtc_store_time(rtc, floor_div(rtc_now_us(rtc), US_PER_SEC));
                        rtc->cmos[index] = value;
                        rtc_set_offset_from_bytes(rtc);
                } else {
                        rtc->cmos[index] = value;
                }
                break;
        }
        rtc_update(rtc);
}

static uint32_t rtc_read(void *opaque, uint16_t port, unsigned size)
{
        struct rtc *rtc = opaque;

        (void)size;
        return port == PORT_DATA ? rtc_register_read(rtc, rtc->index & 0x7f) : 0xff;
}

static void rtc_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct rtc *rtc = opaque;

        (void)size;
        if (port == PORT_INDEX)
                rtc->index = (uint8_t)value;
        else
                rtc_register_write(rtc, rtc->index & 0x7f, (uint8_t)value);
}

static const struct port_ops rtc_ops = { rtc_read, rtc_write, 1 };

/* -- Wiring and life ---------------------------------------------------------------------------- */

void rtc_connect_irq(struct device *device, struct irq irq)
{
        ((struct rtc *)device)->irq = irq;
}

uint8_t rtc_cmos_get(struct device *device, unsigned index)
{
        return ((struct rtc *)device)->cmos[index & 0x7f];
}

void rtc_cmos_set(struct device *device, unsigned index, uint8_t value)
{
        g_assert(index > REG_D && index < 128);
        ((struct rtc *)device)->cmos[index] = value;
}

void rtc_set_time_source(struct device *device, int64_t (*now_us)(void))
{
        struct rtc *rtc = (struct rtc *)device;

        rtc->now_us = now_us;
        rtc->seen_second = floor_div(rtc_now_us(rtc), US_PER_SEC);
}

/* RESET# clears the interrupt enables, the flags and SQWE; time and memory are kept. */
static void rtc_reset(struct device *device)
{
        struct rtc *rtc = (struct rtc *)device;

        if (rtc->cmos[REG_B] & B_SET)
                rtc_set_offset_from_bytes(rtc);
        rtc->cmos[REG_B] &= B_BINARY | B_24H | 1;
        rtc->cmos[REG_C] = 0;
        rtc->index = 0;
        rtc->owed = 0;
        rtc_update(rtc);
        rtc->cmos[REG_C] = 0;
}

static bool rtc_create(struct device *device, GError **error)
{
        struct rtc *rtc = (struct rtc *)device;

        (void)error;
        rtc->cmos[REG_A] = 0x26;        /* divider running, 1024 Hz: as firmware leaves it */
        rtc->cmos[REG_B] = B_24H;
        rtc->seen_second = floor_div(rtc_now_us(rtc), US_PER_SEC);
        rtc->seen_ns = clock_now_ns(device->env->clock);
        timer_init(&rtc->timer, device->env->clock, rtc_timer_fired, rtc);
        ports_map(device->env->ports, PORT_INDEX, 2, &rtc_ops, rtc, "RTC and CMOS");
        return true;
}

static bool rtc_post_load(struct device *device, GError **error)
{
        struct rtc *rtc = (struct rtc *)device;

        /* A century either way is a guest's choice; more overflows the arithmetic. */
        if (rtc->offset_s > INT64_C(1) << 40 || rtc->offset_s < -(INT64_C(1) << 40) || rtc->seen_ns < 0 ||
            rtc->owed > OWED_MAX || rtc->owed_ns < 0) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "rtc: impossible time");
                return false;
        }
        rtc_update(rtc);
        return true;
}

static void rtc_destroy(struct device *device)
{
        timer_cancel(&((struct rtc *)device)->timer);
}

static const struct device_class rtc_class = {
        .name = "rtc",
        .description = "MC146818 real-time clock and CMOS memory",
        .size = sizeof(struct rtc),
        .state = rtc_fields,
        .create = rtc_create,
        .reset = rtc_reset,
        .post_load = rtc_post_load,
        .destroy = rtc_destroy,
};

DEVICE_CLASS(rtc_class);
