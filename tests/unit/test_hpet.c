/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_hpet.c - event timers: counter, one-shot and periodic matches, levels, legacy replacement, lateness. */
#include "board_fixture.h"
#include "devices/chipset/hpet.h"

enum { CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0, TIMER0 = 0x100, TIMER1 = 0x120, TIMER2 = 0x140, COMPARATOR = 8 };
enum { LEVEL = 1 << 1, ENABLE = 1 << 2, PERIODIC = 1 << 3, SET_VALUE = 1 << 6, ONLY_32 = 1 << 8 };
enum { WIRE_0 = 0, WIRE_8 = 8, WIRE_LEGACY = 9, WIRE_PIN20 = 10 };

static struct board board;
static struct device *hpet;

static uint64_t get(unsigned at, unsigned size)
{
        return memory_mmio_read(board.memory, HPET_BASE + at, size);
}

static void set(unsigned at, uint64_t value, unsigned size)
{
        memory_mmio_write(board.memory, HPET_BASE + at, value, size);
}

/* Virtual time jumps on; what is due is dealt with when somebody looks. */
static void pass(int64_t ns)
{
        clock_set_ns(board.clock, clock_now_ns(board.clock) + ns);
}

static void begin(void)
{
        board_begin(&board);
        pass(12345);
        hpet = device_new("hpet", "hpet", &board.env);
        for (unsigned pin = HPET_PIN_FIRST; pin < HPET_PIN_FIRST + HPET_PINS; pin++)
                hpet_connect_pin(hpet, pin, board_wire(&board, (int)(WIRE_PIN20 + pin - HPET_PIN_FIRST)));
        hpet_connect_legacy(hpet, board_wire(&board, WIRE_0), board_wire(&board, WIRE_8), board_wire(&board, WIRE_LEGACY));
        board_start(&board, hpet);
}

static unsigned route(unsigned pin)
{
        return pin << 9;
}

START_TEST(counter_runs_when_enabled)
{
        begin();
        ck_assert_uint_eq(get(0, 4), HPET_BLOCK_ID);
        ck_assert_uint_eq(get(4, 4), 10000000);
        pass(1000);
        ck_assert_uint_eq(get(COUNTER, 8), 0);
        set(COUNTER, 0xfffffff0, 8);
        set(CONFIG, 1, 4);
        pass(1000);
        ck_assert_uint_eq(get(COUNTER, 8), 0xfffffff0u + UINT64_C(100));
        ck_assert_uint_eq(get(COUNTER + 4, 4), 1);
        set(CONFIG, 0, 4);
        pass(1000);
        ck_assert_uint_eq(get(COUNTER, 8), 0xfffffff0u + UINT64_C(100));
        set(COUNTER + 4, 7, 4);                 /* one half */
        ck_assert_uint_eq(get(COUNTER, 8), (UINT64_C(7) << 32) + 84);
        set(0x160, 1, 4);                       /* no such timer */
        ck_assert_uint_eq(get(0x160, 4), 0);
        board_end(&board, hpet);
}
END_TEST

START_TEST(one_shot_matches_once)
{
        begin();
        set(CONFIG, 1, 4);
        set(TIMER2, ENABLE | route(20), 4);
        set(TIMER2 + COMPARATOR, 500, 8);
        pass(4900);
        get(STATUS, 4);
        ck_assert_uint_eq(board.edges[WIRE_PIN20], 0);
        pass(200);
        get(STATUS, 4);
        ck_assert_uint_eq(board.edges[WIRE_PIN20], 1);
        pass(1000000);
        get(STATUS, 4);
        ck_assert_uint_eq(board.edges[WIRE_PIN20], 1);
        ck_assert_uint_eq(get(TIMER2 + COMPARATOR, 8), 500);
        /* 32 bits: written behind the counter, it fires when that has wrapped. */
        set(TIMER2, ENABLE | ONLY_32 | route(20), 4);
        set(TIMER2 + COMPARATOR, 400, 4);
        pass(INT64_C(10) << 31);
        get(STATUS, 4);
        ck_assert_uint_eq(board.edges[WIRE_PIN20], 1);
        pass(INT64_C(10) << 31);
        get(STATUS, 4);
        ck_assert_uint_eq(board.edges[WIRE_PIN20], 2);
        board_end(&board, hpet);
}
END_TEST

START_TEST(level_stays_until_cleared)
{
        begin();
        set(CONFIG, 1, 4);
        set(TIMER1, ENABLE | LEVEL | route(21), 4);
        set(TIMER1 + COMPARATOR, 100, 8);
        pass(2000);
        ck_assert_uint_eq(get(STATUS, 4), 2);
        ck_assert(board.level[WIRE_PIN20 + 1]);
        set(STATUS, 1, 4);                      /* another's bit */
        ck_assert(board.level[WIRE_PIN20 + 1]);
        set(STATUS, 2, 4);
        ck_assert(!board.level[WIRE_PIN20 + 1]);
        ck_assert_uint_eq(get(STATUS, 4), 0);
        board_end(&board, hpet);
}
END_TEST

/* As Linux programs it: SET_VALUE, the first match, then the period. */
START_TEST(periodic_by_legacy_replacement)
{
        begin();
        set(TIMER0, ENABLE | PERIODIC | SET_VALUE | ONLY_32, 4);
        set(TIMER0 + COMPARATOR, 1000, 4);
        set(TIMER0 + COMPARATOR, 1000, 4);
        set(CONFIG, 3, 4);
        ck_assert(board.level[WIRE_LEGACY]);
        for (unsigned i = 1; i <= 5; i++) {
                pass(10000);
                ck_assert_uint_eq(get(TIMER0 + COMPARATOR, 4), 1000 * (i + 1));
                ck_assert_uint_eq(board.edges[WIRE_0], i);
        }
        set(CONFIG, 1, 4);                      /* not any more: back to its pin, which is none */
        ck_assert(!board.level[WIRE_LEGACY]);
        ck_assert(!board.level[WIRE_0]);
        pass(10000);
        get(STATUS, 4);
        ck_assert_uint_eq(board.edges[WIRE_0], 5);
        board_end(&board, hpet);
}
END_TEST

START_TEST(late_ticks_are_made_up_for)
{
        begin();
        set(TIMER0, ENABLE | PERIODIC | SET_VALUE, 4);
        set(TIMER0 + COMPARATOR, 100000, 8);    /* 1 ms */
        set(CONFIG, 3, 4);
        pass(8500000);                          /* eight periods, and nobody looked */
        get(STATUS, 4);
        ck_assert_uint_eq(board.edges[WIRE_0], 1);
        clock_start(board.clock);
        for (unsigned i = 0; i < 1000 && board.edges[WIRE_0] < 9; i++) {
                g_main_context_iteration(NULL, FALSE);
                g_usleep(500);
        }
        clock_stop(board.clock);
        ck_assert_uint_ge(board.edges[WIRE_0], 9);
        board_end(&board, hpet);
}
END_TEST

UNIT_MAIN("hpet", counter_runs_when_enabled, one_shot_matches_once, level_stays_until_cleared, periodic_by_legacy_replacement,
          late_ticks_are_made_up_for)
