/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_tablet.c - the virtio tablet: what it says of itself, what it reports, and who gets buttons. */
#include "devices/input/input.h"
#include "devices/input/virtio_tablet.h"
#include "virtio_driver.h"

enum { EVENTS = 0x20000, EVENT_BYTES = 8, CONFIG = 0x2000 };

static struct board board;
static struct virtio_driver driver;
static struct input *input;
static unsigned mouse_buttons, changes, buffers;
static int mouse_right;

static void mouse_move(void *opaque, int right, int down, int wheel, unsigned buttons)
{
        (void)opaque;
        (void)down;
        (void)wheel;
        mouse_right += right;
        mouse_buttons = buttons;
}

static void listening_changed(void *opaque)
{
        (void)opaque;
        changes++;
}

static void begin(void)
{
        struct device *device;

        board_begin(&board);
        mouse_buttons = changes = buffers = 0;
        mouse_right = 0;
        input = input_new(board.env.clock);
        input_connect_mouse(input, &(struct input_mouse){ mouse_move, NULL });
        input_watch_listening(input, listening_changed, NULL);
        device = driver_make(&driver, &board, "virtio_tablet");
        virtio_tablet_connect_input(device, input);
        driver_find(&driver);
        changes = 0;
}

static void end(void)
{
        driver_close(&driver);
        input_free(input);
}

static void run(void)
{
        driver_start(&driver, 0);
        driver_add_queue(&driver, 0, 64);
        driver_add_queue(&driver, 1, 8);
        driver_run(&driver);
}

static void offer(unsigned count)
{
        while (count--) {
                driver_add(&driver, 0, &(struct virtio_buffer){ EVENTS + EVENT_BYTES * buffers, EVENT_BYTES, true }, 1);
                buffers++;
        }
        driver_notify(&driver, 0);
}

/* The next event is this one. */
static void expect(unsigned at, uint16_t type, uint16_t code, int32_t value)
{
        const uint8_t *event = memory_ram(board.memory) + EVENTS + EVENT_BYTES * at;
        uint32_t written;

        ck_assert(driver_take(&driver, 0, &written));
        ck_assert_uint_eq(written, EVENT_BYTES);
        ck_assert_uint_eq(pci_get16(event, 0), type);
        ck_assert_uint_eq(pci_get16(event, 2), code);
        ck_assert_int_eq((int32_t)pci_get32(event, 4), value);
}

static void expect_nothing(void)
{
        uint32_t written;

        ck_assert(!driver_take(&driver, 0, &written));
}

static void with_lock(void (*what)(void))
{
        lock_acquire(&board.lock);
        what();
        lock_release(&board.lock);
}

static unsigned ask(unsigned select, unsigned subselect)
{
        memory_mmio_write(board.memory, DRIVER_BAR + CONFIG, select, 1);
        memory_mmio_write(board.memory, DRIVER_BAR + CONFIG + 1, subselect, 1);
        return (unsigned)memory_mmio_read(board.memory, DRIVER_BAR + CONFIG + 2, 1);
}

static uint32_t config(unsigned offset, unsigned size)
{
        return (uint32_t)memory_mmio_read(board.memory, DRIVER_BAR + CONFIG + 8 + offset, size);
}

START_TEST(describes_itself)
{
        begin();
        ck_assert_uint_eq(driver_config(&driver, 2, 2), 0x1052);
        ck_assert_uint_eq(ask(1, 0), strlen("Lodger tablet"));
        ck_assert_uint_eq(config(0, 1), 'L');
        ck_assert_uint_eq(ask(3, 0), 8);
        ck_assert_uint_eq(config(0, 2), 6);
        ck_assert_uint_eq(ask(0x11, 1), 0x114 / 8 + 1);                 /* keys: five buttons */
        ck_assert_uint_eq(config(0x110 / 8, 1), 0x1f);
        ck_assert_uint_eq(config(0, 4), 0);
        ck_assert_uint_eq(ask(0x11, 2), 2);                             /* the wheel */
        ck_assert_uint_eq(config(0, 2), 1 << 8);
        ck_assert_uint_eq(ask(0x11, 3), 1);                             /* both axes */
        ck_assert_uint_eq(config(0, 1), 3);
        ck_assert_uint_eq(ask(0x12, 1), 20);
        ck_assert_uint_eq(config(0, 4), 0);
        ck_assert_uint_eq(config(4, 4), INPUT_PLACE_MAX);
        for (unsigned select = 0; select < 256; select++)               /* nothing else, and nothing left over */
                if (select != 1 && select != 3 && select != 0x11 && select != 0x12) {
                        ck_assert_uint_eq(ask(select, 0), 0);
                        ck_assert_uint_eq(config(4, 4), 0);
                }
        ck_assert_uint_eq(ask(0x12, 2), 0);
        ck_assert_uint_eq(ask(0x11, 0x20), 0);
        memory_mmio_write(board.memory, DRIVER_BAR + CONFIG + 8, 0xff, 1);      /* read-only */
        ck_assert_uint_eq(config(0, 1), 0);
        end();
}
END_TEST

static void place_and_click(void)
{
        input_place_pointer(input, 100, 200);
        input_set_buttons(input, INPUT_BUTTON_LEFT);
}

static void turn(void) { input_move_mouse(input, 7, 0, 2); }

static void hurry(void)
{
        for (unsigned i = 0; i < 1000; i++)
                input_place_pointer(input, i, 300);
        input_set_buttons(input, 0);
        input_place_pointer(input, 1u << 20, 301);
}

START_TEST(reports)
{
        begin();
        with_lock(place_and_click);                                     /* nobody listens: the mouse has the button */
        ck_assert_uint_eq(mouse_buttons, INPUT_BUTTON_LEFT);
        ck_assert(!input_takes_places(input));
        input_set_buttons(input, 0);
        run();
        ck_assert_uint_ge(changes, 1);
        ck_assert(input_takes_places(input));
        offer(16);
        expect_nothing();
        with_lock(place_and_click);
        ck_assert_uint_eq(mouse_buttons, 0);
        expect(0, 3, 0, 100);
        expect(1, 3, 1, 200);
        expect(2, 0, 0, 0);
        expect(3, 1, 0x110, 1);
        expect(4, 0, 0, 0);
        with_lock(turn);                                                /* the wheel, and the mouse moves as ever */
        expect(5, 2, 8, -2);
        expect(6, 0, 0, 0);
        expect_nothing();
        ck_assert_int_eq(mouse_right, 7);
        end();
}
END_TEST

START_TEST(sums_up_for_a_slow_guest)
{
        begin();
        run();
        offer(2);
        with_lock(place_and_click);                                     /* three events and no room for them */
        expect_nothing();
        with_lock(hurry);
        expect_nothing();
        offer(14);
        expect(0, 3, 0, INPUT_PLACE_MAX);
        expect(1, 3, 1, 301);
        expect(2, 0, 0, 0);
        expect_nothing();
        /* A new driver begins where Linux does: at nothing. */
        driver_set(&driver, 0x14, 0, 1);
        ck_assert(!input_takes_places(input));
        buffers = 0;
        run();
        offer(16);
        with_lock(place_and_click);
        expect(0, 3, 0, 100);
        end();
}
END_TEST

UNIT_MAIN("tablet", describes_itself, reports, sums_up_for_a_slow_guest)
