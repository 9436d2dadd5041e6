/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_rtc.c - MC146818: time in every format, setting it, alarm, periodic and update interrupts. */
#include "board_fixture.h"
#include "devices/chipset/rtc.h"

/* 2024-02-29 23:59:58.5 UTC, a Thursday. */
#define LEAP_DAY_US ((INT64_C(1709251198) * 1000000) + 500000)

static int64_t fake_us;

static int64_t fake_now(void)
{
        return fake_us;
}

static struct board board;
static struct device *rtc;

static void begin(void)
{
        board_begin(&board);
        fake_us = LEAP_DAY_US;
        rtc = device_new("rtc", "rtc", &board.env);
        rtc_connect_irq(rtc, board_wire(&board, 8));
        board_start(&board, rtc);
        lock_acquire(&board.lock);
        rtc_set_time_source(rtc, fake_now);
        lock_release(&board.lock);
}

static uint8_t get(uint8_t index)
{
        out(&board, 0x70, index, 1);
        return (uint8_t)in(&board, 0x71, 1);
}

static void set(uint8_t index, uint8_t value)
{
        out(&board, 0x70, index, 1);
        out(&board, 0x71, value, 1);
}

START_TEST(reads_time_in_bcd_and_binary)
{
        begin();
        ck_assert_uint_eq(get(0), 0x58);
        ck_assert_uint_eq(get(2), 0x59);
        ck_assert_uint_eq(get(4), 0x23);
        ck_assert_uint_eq(get(6), 5);
        ck_assert_uint_eq(get(7), 0x29);
        ck_assert_uint_eq(get(8), 0x02);
        ck_assert_uint_eq(get(9), 0x24);
        ck_assert_uint_eq(get(0x32), 0x20);
        set(0x0b, 0x04);                /* binary, 12 hours */
        ck_assert_uint_eq(get(0), 58);
        ck_assert_uint_eq(get(4), 0x80 | 11);
        fake_us += 2 * 1000000;         /* midnight */
        ck_assert_uint_eq(get(4), 12);
        ck_assert_uint_eq(get(7), 1);
        ck_assert_uint_eq(get(8), 3);
        board_end(&board, rtc);
}
END_TEST

START_TEST(set_bit_freezes_and_then_sets)
{
        begin();
        set(0x0b, 0x82);
        fake_us += 10 * 1000000;
        ck_assert_uint_eq(get(0), 0x58);        /* stands still */
        ck_assert_uint_eq(get(0x0a) & 0x80, 0); /* no update in progress */
        set(0, 0x30);
        set(2, 0x15);
        set(4, 0x04);
        set(7, 0x31);
        set(8, 0x12);
        set(9, 0x99);
        set(0x32, 0x19);
        set(0x0b, 0x02);
        fake_us += 2 * 1000000;
        ck_assert_uint_eq(get(0), 0x32);
        ck_assert_uint_eq(get(4), 0x04);
        ck_assert_uint_eq(get(9), 0x99);
        ck_assert_uint_eq(get(0x32), 0x19);
        ck_assert_uint_eq(get(6), 6);           /* a Friday */
        /* Reset keeps time and memory. */
        lock_acquire(&board.lock);
        rtc_cmos_set(rtc, 0x40, 0x5a);
        device_reset(rtc);
        lock_release(&board.lock);
        ck_assert_uint_eq(get(9), 0x99);
        ck_assert_uint_eq(get(0x40), 0x5a);
        ck_assert_uint_eq(get(0x0d), 0x80);
        board_end(&board, rtc);
}
END_TEST

START_TEST(update_in_progress_before_the_second)
{
        begin();
        fake_us = LEAP_DAY_US / 1000000 * 1000000 + 1000000 - 100;
        ck_assert_uint_eq(get(0x0a), 0xa6);
        fake_us += 100;
        ck_assert_uint_eq(get(0x0a), 0x26);
        board_end(&board, rtc);
}
END_TEST

START_TEST(update_and_alarm_interrupts)
{
        begin();
        get(0x0c);
        set(0x0b, 0x12);                        /* UIE */
        fake_us += 1000000;
        ck_assert_uint_eq(get(0x0c) & 0x90, 0x90);
        ck_assert_uint_eq(get(0x0c) & 0x90, 0);
        ck_assert(!board.level[8]);
        set(1, 0x05);                           /* at second 5 of any minute and hour */
        set(3, 0xff);
        set(5, 0xc0);
        set(0x0b, 0x22);                        /* AIE */
        fake_us += 3 * 1000000;                 /* 00:00:02 */
        ck_assert_uint_eq(get(0x0c) & 0xa0, 0);
        fake_us += 4 * 1000000;
        set(0x0b, 0x22);                        /* any write looks at the clock */
        ck_assert(board.level[8]);
        ck_assert_uint_eq(get(0x0c) & 0xa0, 0xa0);
        ck_assert(!board.level[8]);
        board_end(&board, rtc);
}
END_TEST

START_TEST(periodic_interrupt_comes)
{
        begin();
        clock_start(board.clock);
        set(0x0a, 0x26);
        set(0x0b, 0x42);                        /* PIE, 1024 Hz */
        for (unsigned i = 0; i < 1000 && board.edges[8] < 3; i++) {
                g_main_context_iteration(NULL, FALSE);
                g_usleep(1000);
                if (board.level[8])
                        ck_assert_uint_eq(get(0x0c) & 0xc0, 0xc0);
        }
        ck_assert_uint_ge(board.edges[8], 3);
        clock_stop(board.clock);
        board_end(&board, rtc);
}
END_TEST

/* A host that was away for 50 ms gives the guest every one of the interrupts of that time. */
START_TEST(late_periodic_interrupts_are_made_up_for)
{
        enum { PERIOD_NS = 976562 };
        int64_t start;

        begin();
        set(0x0a, 0x26);
        set(0x0b, 0x42);
        get(0x0c);
        board.edges[8] = 0;
        start = clock_now_ns(board.clock);
        clock_set_ns(board.clock, start + 50000000);
        clock_start(board.clock);
        /* In the end there were as many edges as periods, the present one and the one before aside. */
        for (unsigned i = 0; i < 20000 && board.edges[8] + 2 < (clock_now_ns(board.clock) - start) / PERIOD_NS; i++) {
                g_main_context_iteration(NULL, FALSE);
                if (board.level[8])
                        get(0x0c);
                g_usleep(50);
        }
        clock_stop(board.clock);
        ck_assert_uint_ge(board.edges[8] + 2, (clock_now_ns(board.clock) - start) / PERIOD_NS);
        ck_assert_uint_gt(board.edges[8], 45);
        set(0x0b, 0x02);                        /* nothing is owed to who does not want any */
        clock_set_ns(board.clock, clock_now_ns(board.clock) + 50000000);
        set(0x0b, 0x42);
        get(0x0c);
        ck_assert(!board.level[8]);
        board_end(&board, rtc);
}
END_TEST

UNIT_MAIN("rtc", reads_time_in_bcd_and_binary, set_bit_freezes_and_then_sets, update_in_progress_before_the_second,
          update_and_alarm_interrupts, periodic_interrupt_comes, late_periodic_interrupts_are_made_up_for)
