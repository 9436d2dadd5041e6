/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pit.c - the 8254: modes, reading back, the gate of counter 2, and ticks that must not be lost. */
#include "devices/chipset/pit.h"
#include "rig.h"
#include "unit.h"

#define CLOCKS_NS(n) ((int64_t)(((unsigned __int128)(n) * NS_PER_SEC + 1193181) / 1193182))

static struct rig rig;
static struct device *pit;
static bool level, watched;
static unsigned edges;
static bool latched;            /* an edge waits at the interrupt controller */
static unsigned ticks;          /* edges the guest has seen */
static uint64_t start;          /* when the count under test was written, in clocks */

static void irq0_set(void *opaque, int line, bool value)
{
        (void)opaque;
        (void)line;
        if (value && !level) {
                edges++;
                latched = true;
        }
        level = value;
}

static void open_pit(void)
{
        rig_open(&rig);
        level = false;
        rig_set_time(&rig, NS_PER_SEC);
        pit = device_new("pit", "pit", &rig.env);
        pit_set_output(pit, (struct irq){ irq0_set, NULL, 0 });
        rig_start(&rig, pit);
        edges = 0;
        start = 1193182;
}

static void close_pit(void)
{
        rig_free(&rig, pit);
        rig_close(&rig);
}

static void program(unsigned counter, uint8_t mode, uint16_t count)
{
        rig_out(&rig, 0x43, (uint8_t)(counter << 6 | 0x30 | mode << 1));
        rig_out(&rig, (uint16_t)(0x40 + counter), (uint8_t)count);
        rig_out(&rig, (uint16_t)(0x40 + counter), (uint8_t)(count >> 8));
}

static void at_clock(uint64_t clocks)
{
        rig_set_time(&rig, (int64_t)CLOCKS_NS(start + clocks));
}

static uint16_t read_count(unsigned counter)
{
        rig_out(&rig, 0x43, (uint8_t)(counter << 6));
        uint8_t low = rig_in(&rig, (uint16_t)(0x40 + counter));
        return (uint16_t)(rig_in(&rig, (uint16_t)(0x40 + counter)) << 8 | low);
}

static uint8_t read_status(unsigned counter)
{
        rig_out(&rig, 0x43, (uint8_t)(0xe0 | 2 << counter));
        return rig_in(&rig, (uint16_t)(0x40 + counter));
}

START_TEST(test_mode0)
{
        open_pit();
        program(0, 0, 1000);
        at_clock(0);
        ck_assert_uint_eq(read_count(0), 1000);
        ck_assert_uint_eq(read_status(0), 0x30);
        at_clock(999);
        ck_assert_uint_eq(read_count(0), 1);
        ck_assert_uint_eq(read_status(0), 0x30);
        at_clock(1000);
        ck_assert_uint_eq(read_status(0), 0xb0);
        at_clock(1001);
        ck_assert_uint_eq(read_count(0), 0xffff);
        at_clock(1000 + 0x10000);
        ck_assert_uint_eq(read_status(0), 0xb0);
        close_pit();
}
END_TEST

START_TEST(test_mode0_interrupt)
{
        open_pit();
        program(0, 0, 1000);
        ck_assert(!level);
        rig_pass(&rig, CLOCKS_NS(900));
        ck_assert(!level);
        rig_pass(&rig, CLOCKS_NS(200));
        ck_assert(level);
        ck_assert_uint_eq(edges, 1);
        rig_pass(&rig, NS_PER_SEC);
        ck_assert_uint_eq(edges, 1);
        /* The first byte of a new count lowers the output, the second starts. */
        rig_out(&rig, 0x40, 0x10);
        ck_assert(!level);
        rig_pass(&rig, NS_PER_SEC);
        ck_assert(!level);
        rig_out(&rig, 0x40, 0x00);
        rig_pass(&rig, CLOCKS_NS(100));
        ck_assert_uint_eq(edges, 2);
        close_pit();
}
END_TEST

START_TEST(test_mode2_and_3_counts)
{
        open_pit();
        rig_out(&rig, 0x61, 1);
        program(2, 2, 1000);
        at_clock(300);
        ck_assert_uint_eq(read_count(2), 700);
        start += 300;
        program(2, 2, 10);
        at_clock(0);
        ck_assert_uint_eq(read_count(2), 10);
        at_clock(8);
        ck_assert_uint_eq(read_count(2), 2);
        ck_assert_uint_eq(read_status(2), 0xb4);
        close_pit();

        open_pit();
        rig_out(&rig, 0x61, 1);
        rig_out(&rig, 0x43, 0xb4);
        ck_assert_uint_eq(read_status(2), 0xf4);
        rig_out(&rig, 0x42, 10);
        rig_out(&rig, 0x42, 0);
        for (unsigned i = 0; i < 35; i++) {
                at_clock(i);
                ck_assert_uint_eq(read_count(2), 10 - i % 10);
                ck_assert_uint_eq(read_status(2), i % 10 == 9 ? 0x34 : 0xb4);
                ck_assert_uint_eq(rig_in(&rig, 0x61) >> 5 & 1, i % 10 != 9);
        }
        close_pit();

        static const uint8_t even[] = { 6, 4, 2, 6, 4, 2 }, odd[] = { 4, 2, 0, 4, 2 };
        for (unsigned n = 6; n >= 5; n--) {
                open_pit();
                rig_out(&rig, 0x61, 1);
                program(2, 3, (uint16_t)n);
                for (unsigned i = 0; i < 20; i++) {
                        at_clock(i);
                        ck_assert_uint_eq(read_count(2), (n == 6 ? even : odd)[i % n]);
                        ck_assert_uint_eq(read_status(2), i % n < 3 ? 0xb6 : 0x36);
                }
                close_pit();
        }
}
END_TEST

START_TEST(test_new_count_in_periodic_mode)
{
        open_pit();
        rig_out(&rig, 0x61, 1);
        program(2, 2, 100);
        at_clock(150);
        rig_out(&rig, 0x42, 40);
        rig_out(&rig, 0x42, 0);
        ck_assert_uint_eq(read_count(2), 50);
        ck_assert_uint_eq(read_status(2), 0xf4);
        at_clock(199);
        ck_assert_uint_eq(read_count(2), 1);
        at_clock(205);
        ck_assert_uint_eq(read_count(2), 35);
        ck_assert_uint_eq(read_status(2), 0xb4);
        at_clock(241);
        ck_assert_uint_eq(read_count(2), 39);
        close_pit();
}
END_TEST

START_TEST(test_gate)
{
        open_pit();
        program(2, 1, 100);             /* one-shot: waits for the gate */
        ck_assert_uint_eq(read_status(2), 0xf2);
        at_clock(50);
        rig_out(&rig, 0x61, 1);
        ck_assert_uint_eq(read_status(2), 0x32);
        at_clock(149);
        ck_assert_uint_eq(rig_in(&rig, 0x61) & 0x20, 0);
        at_clock(150);
        ck_assert_uint_eq(rig_in(&rig, 0x61) & 0x20, 0x20);
        rig_out(&rig, 0x61, 0);
        rig_out(&rig, 0x61, 1);         /* again */
        ck_assert_uint_eq(rig_in(&rig, 0x61) & 0x20, 0);
        close_pit();

        open_pit();
        rig_out(&rig, 0x61, 1);
        program(2, 0, 100);
        at_clock(30);
        rig_out(&rig, 0x61, 0x0e);      /* stands still; other bits read back */
        at_clock(500);
        ck_assert_uint_eq(rig_in(&rig, 0x61) & 0x2f, 0x0e);
        ck_assert_uint_eq(read_count(2), 70);
        rig_out(&rig, 0x61, 1);
        at_clock(569);
        ck_assert_uint_eq(read_count(2), 1);
        ck_assert_uint_eq(rig_in(&rig, 0x61) & 0x20, 0);
        at_clock(570);
        ck_assert_uint_eq(rig_in(&rig, 0x61) & 0x20, 0x20);
        rig_out(&rig, 0x61, 0);
        ck_assert_uint_eq(rig_in(&rig, 0x61) & 0x20, 0x20);
        close_pit();
}
END_TEST

START_TEST(test_latches)
{
        open_pit();
        rig_out(&rig, 0x61, 1);
        program(2, 2, 0x4321);
        rig_out(&rig, 0x43, 0xc8);      /* read-back: count and status */
        at_clock(1000);
        rig_out(&rig, 0x43, 0x80);      /* a second latch changes nothing */
        ck_assert_uint_eq(rig_in(&rig, 0x42), 0xb4);
        ck_assert_uint_eq(rig_in(&rig, 0x42), 0x21);
        ck_assert_uint_eq(rig_in(&rig, 0x42), 0x43);
        ck_assert_uint_eq(rig_in(&rig, 0x42), (0x4321 - 1000) & 0xff);
        ck_assert_uint_eq(rig_in(&rig, 0x42), (0x4321 - 1000) >> 8);
        ck_assert_uint_eq(rig_in(&rig, 0x43), 0xff);
        close_pit();

        open_pit();
        rig_out(&rig, 0x61, 1);
        rig_out(&rig, 0x43, 0x95);      /* low byte only, mode 2, BCD */
        rig_out(&rig, 0x42, 0x20);
        at_clock(7);
        ck_assert_uint_eq(rig_in(&rig, 0x42), 0x13);
        ck_assert_uint_eq(rig_in(&rig, 0x42), 0x13);
        rig_out(&rig, 0x43, 0xa1);      /* high byte only, mode 0, BCD */
        rig_out(&rig, 0x42, 0x12);
        ck_assert_uint_eq(rig_in(&rig, 0x42), 0x12);
        rig_out(&rig, 0x43, 0xb1);      /* zero: ten thousand */
        rig_out(&rig, 0x42, 0);
        rig_out(&rig, 0x42, 0);
        start += 7;
        at_clock(2);
        ck_assert_uint_eq(read_count(2), 0x9998);
        close_pit();
}
END_TEST

START_TEST(test_refresh_bit)
{
        open_pit();
        unsigned changes = 0;
        uint8_t last = rig_in(&rig, 0x61);
        for (unsigned i = 0; i < 1000; i++) {
                rig_set_time(&rig, NS_PER_SEC + i * 1000);
                changes += (rig_in(&rig, 0x61) ^ last) >> 4 & 1;
                last = rig_in(&rig, 0x61);
        }
        ck_assert_uint_ge(changes, 65);
        ck_assert_uint_le(changes, 67);
        close_pit();
}
END_TEST

/* -- Ticks ------------------------------------------------------------------------------------- */

enum { PERIOD = 11932 };        /* 100 Hz */

/* The guest takes the edge that waits, if one does. */
static void take_tick(void)
{
        if (!latched)
                return;
        latched = false;
        ticks++;
        lock_acquire(&rig.lock);
        if (watched)
                pit_tick_taken(pit);
        lock_release(&rig.lock);
}

static void open_ticks(uint8_t mode, bool somebody_watches)
{
        open_pit();
        watched = somebody_watches;
        program(0, mode, PERIOD);
        latched = true;
        take_tick();
        ticks = 0;
}

/* Takes each tick as it comes, for that much virtual time. */
static void take_ticks(int64_t ns, int64_t step)
{
        for (int64_t end = clock_now_ns(rig.clock) + ns; clock_now_ns(rig.clock) < end;) {
                take_tick();
                rig_pass(&rig, step);
        }
        take_tick();
}

/* As many edges have come as periods have passed; one may be on its way, and more where this host has just made the
 * test wait: those the guest takes now, a quarter of a period after one another. */
static void check_ticks(void)
{
        int64_t periods = 0;

        for (unsigned i = 0; i < 1000; i++) {
                periods = (clock_now_ns(rig.clock) - NS_PER_SEC) / CLOCKS_NS(PERIOD);
                if (ticks > periods || ticks + 1 >= periods)
                        break;
                rig_pass(&rig, CLOCKS_NS(PERIOD) / 8);
                take_tick();
        }
        ck_assert_msg(ticks <= periods && ticks + 1 >= periods, "%u ticks in %u periods", ticks, (unsigned)periods);
}

START_TEST(test_ticks_in_time)
{
        for (uint8_t mode = 2; mode <= 3; mode++) {
                open_ticks(mode, true);
                take_ticks(NS_PER_SEC, 1000000);
                check_ticks();
                close_pit();
        }
}
END_TEST

/* A host that stops for a second delays 100 ticks and loses none (few, when nobody reports them as
 * taken). */
START_TEST(test_late_host_loses_no_tick)
{
        for (int round = 0; round < 2; round++) {
                open_ticks(2, round);
                rig_pass(&rig, NS_PER_SEC);
                take_ticks(NS_PER_SEC, 500000);
                if (watched)
                        check_ticks();
                else    /* edges that come together cannot be told apart then */
                        ck_assert_uint_ge(ticks, 180);
                close_pit();
        }
}
END_TEST

/* A guest (its thread, rather) that takes a tick every 50 ms gets all of them later. */
START_TEST(test_slow_guest_loses_no_tick)
{
        open_ticks(3, true);
        for (unsigned i = 0; i < 10; i++) {
                for (unsigned j = 0; j < 10; j++)
                        rig_pass(&rig, 5000000);
                ck_assert(level);
                take_tick();
        }
        take_ticks(NS_PER_SEC, 500000);
        check_ticks();

        /* Ticks under a mask are the guest's own wish. */
        for (unsigned j = 0; j < 100; j++)
                rig_pass(&rig, 5000000);
        unsigned before = ticks;
        lock_acquire(&rig.lock);
        pit_ticks_forget(pit);
        lock_release(&rig.lock);
        take_ticks(NS_PER_SEC / 10, 500000);
        ck_assert_uint_le(ticks - before, 12);
        close_pit();
}
END_TEST

/* A tick that the interrupt controller forgot (ICW1) must not end all ticks. */
START_TEST(test_forgotten_tick)
{
        open_ticks(2, true);
        rig_pass(&rig, CLOCKS_NS(PERIOD));
        ck_assert(latched);
        latched = false;
        rig_pass(&rig, CLOCKS_NS(PERIOD));
        ck_assert(latched);
        close_pit();
}
END_TEST

/* The shortest counts do not keep the host busy. */
START_TEST(test_tiny_count)
{
        open_pit();
        program(0, 2, 1);
        rig_pass(&rig, NS_PER_SEC);
        rig_pass(&rig, 1000);
        close_pit();
}
END_TEST

UNIT_MAIN("pit", test_mode0, test_mode0_interrupt, test_mode2_and_3_counts, test_new_count_in_periodic_mode, test_gate,
          test_latches, test_refresh_bit, test_ticks_in_time, test_late_host_loses_no_tick, test_slow_guest_loses_no_tick,
          test_forgotten_tick, test_tiny_count)
