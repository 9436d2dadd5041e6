/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_i8042.c - what a kernel's probe asks of the keyboard controller, A20 and reset; port 92h; port F0h. */
#include "board_fixture.h"
#include "devices/chipset/ferr.h"
#include "devices/input/i8042.h"

static struct board board;
static struct device *kbc;

static void begin(void)
{
        board_begin(&board);
        kbc = device_new("i8042", "kbc", &board.env);
        i8042_connect_irqs(kbc, board_wire(&board, 1), board_wire(&board, 12));
        board_start(&board, kbc);
}

static void command(uint8_t value) { out(&board, 0x64, value, 1); }
static void data(uint8_t value) { out(&board, 0x60, value, 1); }

static void expect(uint8_t value, bool aux)
{
        ck_assert_uint_eq(in(&board, 0x64, 1) & 0x21, aux ? 0x21 : 0x01);
        ck_assert_uint_eq(in(&board, 0x60, 1), value);
}

static void expect_nothing(void)
{
        ck_assert_uint_eq(in(&board, 0x64, 1) & 1, 0);
}

START_TEST(controller_tests)
{
        begin();
        expect_nothing();
        command(0xaa);
        expect(0x55, false);
        ck_assert_uint_eq(in(&board, 0x64, 1) & 4, 4);
        command(0xab);
        expect(0, false);
        command(0xa9);
        expect(0, false);
        command(0xa7);
        command(0x20);
        ck_assert_uint_eq(in(&board, 0x60, 1) & 0x20, 0x20);
        command(0xa8);
        command(0x20);
        ck_assert_uint_eq(in(&board, 0x60, 1) & 0x20, 0);
        command(0x60);
        data(0x65);
        command(0x20);
        expect(0x65, false);
        command(0xd3);                          /* the loop-back a probe for the mouse port uses */
        data(0xa5);
        expect(0xa5, true);
        command(0x77);                          /* not a command */
        expect_nothing();
        board_end(&board, kbc);
}
END_TEST

START_TEST(keyboard_answers)
{
        begin();
        data(0xff);
        ck_assert(board.level[1]);
        expect(0xfa, false);
        expect(0xaa, false);
        ck_assert(!board.level[1]);
        ck_assert_uint_eq(board.edges[1], 2);   /* one edge a byte */
        data(0xf2);
        expect(0xfa, false);
        expect(0xab, false);
        expect(0x41, false);                    /* translated */
        data(0xed);
        expect(0xfa, false);
        data(0x02);
        expect(0xfa, false);
        data(0xf0);
        expect(0xfa, false);
        data(0);
        expect(0xfa, false);
        expect(0x41, false);
        data(0xee);
        expect(0xee, false);
        data(0xe0);                             /* unknown */
        expect(0xfe, false);
        command(0xad);                          /* clock held: the answer waits */
        command(0xae);
        data(0xf4);
        expect(0xfa, false);
        expect_nothing();
        board_end(&board, kbc);
}
END_TEST

START_TEST(mouse_answers)
{
        begin();
        command(0xd4);
        data(0xff);
        ck_assert(board.level[12]);
        expect(0xfa, true);
        expect(0xaa, true);
        expect(0x00, true);
        command(0xd4);
        data(0xe9);
        expect(0xfa, true);
        expect(0x00, true);
        expect(0x02, true);
        expect(100, true);
        command(0xd4);
        data(0xf3);
        expect(0xfa, true);
        command(0xd4);
        data(40);
        expect(0xfa, true);
        command(0xd4);
        data(0xe9);
        expect(0xfa, true);
        expect(0x00, true);
        expect(0x02, true);
        expect(40, true);
        expect_nothing();
        /* A device that is never read keeps what fits. */
        for (unsigned i = 0; i < 100; i++) {
                command(0xd4);
                data(0xeb);
        }
        for (unsigned i = 0; i < 33; i++)
                in(&board, 0x60, 1);
        expect_nothing();
        board_end(&board, kbc);
}
END_TEST

START_TEST(a20_and_reset)
{
        begin();
        command(0xd0);
        ck_assert_uint_eq(in(&board, 0x60, 1) & 3, 3);
        command(0xd1);
        data(0xdd);
        ck_assert_uint_eq(board.requests[MACHINE_A20_OFF], 1);
        command(0xd1);
        data(0xdf);
        ck_assert_uint_eq(board.requests[MACHINE_A20_ON], 1);
        command(0xdd);
        ck_assert_uint_eq(board.requests[MACHINE_A20_OFF], 2);
        command(0xff);                          /* pulses nothing */
        ck_assert_uint_eq(board.requests[MACHINE_CPU_INIT], 0);
        command(0xfe);
        ck_assert_uint_eq(board.requests[MACHINE_CPU_INIT], 1);
        command(0xd1);
        data(0xfe);
        ck_assert_uint_eq(board.requests[MACHINE_CPU_INIT], 2);
        board_end(&board, kbc);
}
END_TEST

START_TEST(port92)
{
        struct device *device;

        board_begin(&board);
        device = device_new("port92", "port92", &board.env);
        board_start(&board, device);
        ck_assert_uint_eq(in(&board, 0x92, 1), 2);
        out(&board, 0x92, 2, 1);
        ck_assert_uint_eq(board.requests[MACHINE_A20_ON] + board.requests[MACHINE_A20_OFF], 0);
        out(&board, 0x92, 0, 1);
        out(&board, 0x92, 3, 1);
        out(&board, 0x92, 3, 1);
        ck_assert_uint_eq(board.requests[MACHINE_A20_OFF], 1);
        ck_assert_uint_eq(board.requests[MACHINE_A20_ON], 1);
        ck_assert_uint_eq(board.requests[MACHINE_CPU_INIT], 1);
        board_end(&board, device);
}
END_TEST

START_TEST(ferr_latch)
{
        struct device *device;

        board_begin(&board);
        device = device_new("ferr", "ferr", &board.env);
        ferr_connect_irq(device, board_wire(&board, 13));
        board_start(&board, device);
        lock_acquire(&board.lock);
        ferr_set(device, true);
        ferr_set(device, false);
        lock_release(&board.lock);
        ck_assert(board.level[13]);             /* latched */
        out(&board, 0xf0, 0, 1);
        ck_assert(!board.level[13]);
        ck_assert_uint_eq(board.requests[MACHINE_FERR_CLEAR], 1);
        board_end(&board, device);
}
END_TEST

UNIT_MAIN("i8042", controller_tests, keyboard_answers, mouse_answers, a20_and_reset, port92, ferr_latch)
