/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_virtio.c - the virtio transport and rings from a driver's side: the handshake, split and packed
 * rings, chains, indirect tables, event indices, MSI-X, and drivers that lie.
 *
 * The device under test turns what it is sent around: byte by byte, with 1 added.
 */
#include "board_fixture.h"
#include "virtio_driver.h"

/* -- A device that answers ------------------------------------------------------------------------ */

struct echo {
        struct virtio_device virtio;
        struct virtio_request *held;
        bool hold;
        unsigned served;
};

static struct board board;
static struct virtio_driver driver;
static struct echo *echo;

static void echo_answer(struct virtio_request *request)
{
        uint8_t bytes[256];
        size_t size = virtio_get(request, 0, bytes, sizeof(bytes));

        for (size_t i = 0; i < size; i++)
                bytes[i]++;
        virtio_push(request, (uint32_t)virtio_put(request, 0, bytes, size));
}

static void echo_notify(struct virtio_device *virtio, unsigned index)
{
        struct virtio_request *request;

        while ((request = virtio_pop(&virtio->queue[index])) != NULL) {
                echo->served++;
                if (echo->hold && !echo->held)
                        echo->held = request;
                else
                        echo_answer(request);
        }
        virtio_interrupt(&virtio->queue[index]);
}

static const struct virtio_ops echo_ops = { .notify = echo_notify };

static bool echo_create(struct device *device, GError **error)
{
        struct virtio_device *virtio = (struct virtio_device *)device;

        (void)error;
        virtio_init(virtio, VIRTIO_ENTROPY, 0xff0000, 1 << 3, 8, &echo_ops);
        virtio->config_writable[4] = 0x0f;
        virtio_add_queue(virtio, 16);
        virtio_add_queue(virtio, 8);
        return true;
}

static void echo_reset(struct device *device)
{
        virtio_device_reset((struct virtio_device *)device);
}

static bool echo_post_load(struct device *device, GError **error)
{
        return virtio_device_restored((struct virtio_device *)device, error);
}

static void echo_destroy(struct device *device)
{
        virtio_device_destroy((struct virtio_device *)device);
}

static const struct state_field echo_fields[] = {
        STATE_STRUCT(struct echo, virtio, virtio_device_fields),
        STATE_SKIP(struct echo, held, "test"),
        STATE_SKIP(struct echo, hold, "test"),
        STATE_SKIP(struct echo, served, "test"),
        STATE_END
};

static const struct property echo_properties[] = { VIRTIO_PROPERTIES(struct echo, virtio), { 0 } };

static const struct device_class echo_class = {
        .name = "test-virtio", .description = "echo", .size = sizeof(struct echo), .state = echo_fields, .properties = echo_properties,
        .create = echo_create, .reset = echo_reset, .post_load = echo_post_load, .destroy = echo_destroy,
};

DEVICE_CLASS(echo_class);

/* The same tests for both rings: bit 0 of a test's number is "packed", bit 1 "event indices". */
enum { KINDS = 4 };

static void begin(unsigned kind)
{
        struct device *device;

        board_begin(&board);
        device = driver_open(&driver, &board, "test-virtio");
        echo = (struct echo *)device;
        driver_start(&driver, (kind & 1 ? VIRTIO_F_RING_PACKED : 0) | (kind & 2 ? VIRTIO_F_EVENT_IDX : 0) | VIRTIO_F_INDIRECT_DESC);
        driver_add_queue(&driver, 0, 16);
        driver_add_queue(&driver, 1, 8);
        driver_run(&driver);
}

static void end(void)
{
        driver_close(&driver);
}

static void check_echo(const char *text, gpa_t at)
{
        char bytes[64];

        for (size_t i = 0; i < strlen(text); i++)
                bytes[i] = (char)(text[i] + 1);
        ck_assert(!memcmp(memory_ram(board.memory) + at, bytes, strlen(text)));
}

static void put_text(gpa_t at, const char *text)
{
        memcpy(memory_ram(board.memory) + at, text, strlen(text));
}

/* -- The transport -------------------------------------------------------------------------------- */

START_TEST(handshake)
{
        board_begin(&board);
        echo = (struct echo *)driver_open(&driver, &board, "test-virtio");
        ck_assert_uint_eq(driver_config(&driver, 0, 4), 0x10441af4);
        ck_assert_uint_eq(driver_get(&driver, 0x12, 2), 2);             /* queues */
        driver_set(&driver, 0x00, 1, 4);
        ck_assert_uint_eq(driver_get(&driver, 0x04, 4), 5);             /* VERSION_1, RING_PACKED */
        driver_set(&driver, 0x14, 3, 1);
        driver_set(&driver, 0x14, 11, 1);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1), 3);             /* without VERSION_1: not agreed */
        driver_set(&driver, 0x14, 7, 1);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1), 3);
        driver_set(&driver, 0x08, 1, 4);
        driver_set(&driver, 0x0c, 0x11, 4);                             /* a bit that was not offered */
        driver_set(&driver, 0x14, 11, 1);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1), 3);
        driver_set(&driver, 0x0c, 1, 4);
        driver_set(&driver, 0x14, 11, 1);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1), 11);
        driver_set(&driver, 0x0c, 0, 4);                                /* too late */
        ck_assert_uint_eq(driver_get(&driver, 0x0c, 4), 1);
        driver_set(&driver, 0x16, 1, 2);
        ck_assert_uint_eq(driver_get(&driver, 0x18, 2), 8);
        ck_assert_uint_eq(driver_get(&driver, 0x1e, 2), 1);
        driver_set(&driver, 0x16, 2, 2);
        ck_assert_uint_eq(driver_get(&driver, 0x18, 2), 0);             /* no such queue */
        driver_set(&driver, 0x16, 0, 2);
        driver_set(&driver, 0x20, 0x12345670, 4);
        driver_set(&driver, 0x24, 0x3, 4);
        ck_assert_uint_eq(driver_get(&driver, 0x20, 4), 0x12345670);
        ck_assert_uint_eq(driver_get(&driver, 0x24, 4), 3);
        /* The device's own space: only what may be written changes. */
        memory_mmio_write(board.memory, DRIVER_BAR + 0x2004, 0xff, 1);
        ck_assert_uint_eq(memory_mmio_read(board.memory, DRIVER_BAR + 0x2004, 4), 0x0f);
        driver_set(&driver, 0x14, 0, 1);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1), 0);
        ck_assert_uint_eq(driver_get(&driver, 0x20, 4), 0);
        end();
}
END_TEST

START_TEST(access_through_configuration_space)
{
        unsigned at, type;

        board_begin(&board);
        echo = (struct echo *)driver_open(&driver, &board, "test-virtio");
        for (at = driver_config(&driver, 0x34, 1); at; at = driver_config(&driver, at + 1, 1)) {
                type = driver_config(&driver, at, 1) == PCI_CAP_VENDOR ? driver_config(&driver, at + 3, 1) : 0;
                if (type == 5)
                        break;
        }
        ck_assert_uint_ne(at, 0);
        driver_config_set(&driver, at + 4, 4, 1);
        driver_config_set(&driver, at + 8, 0x14, 4);
        driver_config_set(&driver, at + 12, 1, 4);
        driver_config_set(&driver, at + 16, 1, 1);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1), 1);
        driver_set(&driver, 0x14, 3, 1);
        ck_assert_uint_eq(driver_config(&driver, at + 16, 1), 3);
        driver_config_set(&driver, at + 8, 0x12, 4);
        driver_config_set(&driver, at + 12, 2, 4);
        ck_assert_uint_eq(driver_config(&driver, at + 16, 2), 2);
        driver_config_set(&driver, at + 8, 0xfffffffe, 4);              /* nowhere */
        driver_config(&driver, at + 16, 4);
        driver_config_set(&driver, at + 16, 0xffffffff, 4);
        end();
}
END_TEST

/* -- Rings ----------------------------------------------------------------------------------------- */

START_TEST(requests_go_round)
{
        begin((unsigned)_i);
        for (unsigned n = 0; n < 100; n++) {
                struct virtio_buffer chain[] = {
                        { 0x10000, 3, false }, { 0x10100, 2, false }, { 0x20000, 1, true }, { 0x20100, 10, true },
                };
                uint32_t written;

                memset(memory_ram(board.memory) + 0x20000, 0, 0x200);
                put_text(0x10000, "abc");
                put_text(0x10100, "de");
                driver_add(&driver, 0, chain, 4);
                driver_notify(&driver, 0);
                ck_assert(driver_take(&driver, 0, &written));
                ck_assert_uint_eq(written, 5);
                check_echo("a", 0x20000);
                check_echo("bcde", 0x20100);
                ck_assert(!driver_take(&driver, 0, &written));
        }
        ck_assert_uint_eq(echo->served, 100);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1) & VIRTIO_NEEDS_RESET, 0);
        end();
}
END_TEST

START_TEST(indirect_tables)
{
        begin((unsigned)_i);
        for (unsigned n = 0; n < 40; n++) {
                struct virtio_buffer chain[20];
                uint32_t written;

                for (unsigned i = 0; i < 20; i++)
                        chain[i] = (struct virtio_buffer){ i < 10 ? 0x10000 + i : 0x20000 + i, 1, i >= 10 };
                put_text(0x10000, "0123456789");
                driver_add_indirect(&driver, 1, 0x30000, chain, 20);
                driver_notify(&driver, 1);
                ck_assert(driver_take(&driver, 1, &written));
                ck_assert_uint_eq(written, 10);
                check_echo("0123456789", 0x2000a);
        }
        end();
}
END_TEST

START_TEST(batches_and_interrupts)
{
        struct virtio_buffer chain[] = { { 0x10000, 2, false }, { 0x20000, 2, true } };
        uint32_t written;

        begin((unsigned)_i);
        put_text(0x10000, "ok");
        driver.interrupts = 0;
        for (unsigned n = 0; n < 4; n++)
                driver_add(&driver, 0, chain, 2);
        driver_notify(&driver, 0);
        ck_assert_uint_eq(driver.interrupts, 1);                        /* one for the batch */
        ck_assert_uint_eq(driver.last_message, 0x41);                   /* vector of queue 0 */
        for (unsigned n = 0; n < 4; n++)
                ck_assert(driver_take(&driver, 0, &written));
        /* A driver that wants none gets none, and one that wants to hear of the third hears of that. */
        driver_suppress(&driver, 0, true, 0);
        driver_add(&driver, 0, chain, 2);
        driver_notify(&driver, 0);
        ck_assert_uint_eq(driver.interrupts, 1);
        ck_assert(driver_take(&driver, 0, &written));
        if (_i & 2) {
                driver_suppress(&driver, 0, false, 2);
                for (unsigned n = 0; n < 4; n++) {
                        driver_add(&driver, 0, chain, 2);
                        driver_notify(&driver, 0);
                        ck_assert_uint_eq(driver.interrupts, n < 2 ? 1 : 2);
                        ck_assert(driver_take(&driver, 0, &written));
                }
        }
        end();
}
END_TEST

START_TEST(answers_out_of_order_and_after_resets)
{
        struct virtio_buffer chain[] = { { 0x10000, 1, false }, { 0x20000, 1, true } };
        uint32_t written;
        struct virtio_request *old;

        begin((unsigned)_i);
        put_text(0x10000, "x");
        echo->hold = true;
        driver_add(&driver, 0, chain, 2);
        driver_add(&driver, 0, chain, 2);
        driver_notify(&driver, 0);
        ck_assert(driver_take(&driver, 0, &written));                   /* the second */
        ck_assert(!driver_take(&driver, 0, &written));
        lock_acquire(&board.lock);
        echo_answer(echo->held);
        virtio_interrupt(&echo->virtio.queue[0]);
        echo->held = NULL;
        lock_release(&board.lock);
        ck_assert(driver_take(&driver, 0, &written));
        /* One that is answered after a reset changes nothing. */
        driver_add(&driver, 0, chain, 2);
        driver_notify(&driver, 0);
        old = echo->held;
        ck_assert_ptr_nonnull(old);
        driver_set(&driver, 0x14, 0, 1);
        memory_ram(board.memory)[0x20000] = 7;
        driver.interrupts = 0;
        lock_acquire(&board.lock);
        echo_answer(old);
        virtio_interrupt(&echo->virtio.queue[0]);
        lock_release(&board.lock);
        ck_assert_uint_eq(memory_ram(board.memory)[0x20000], 7);
        ck_assert_uint_eq(driver.interrupts, 0);
        end();
}
END_TEST

/* A saved device goes on in the middle of a ring. */
START_TEST(saved_and_loaded)
{
        struct virtio_buffer chain[] = { { 0x10000, 1, false }, { 0x20000, 1, true } };
        GByteArray *bytes = g_byte_array_new();
        uint32_t written;

        begin((unsigned)_i);
        for (unsigned n = 0; n < 21; n++) {
                driver_add(&driver, 0, chain, 2);
                driver_notify(&driver, 0);
                ck_assert(driver_take(&driver, 0, &written));
        }
        driver_add(&driver, 0, chain, 2);                               /* not yet told of */
        lock_acquire(&board.lock);
        state_save(echo_class.state, echo, bytes);
        device_reset((struct device *)echo);
        ck_assert(state_load(echo_class.state, echo, bytes->data, bytes->len, NULL));
        ck_assert(echo_post_load((struct device *)echo, NULL));
        lock_release(&board.lock);
        driver_notify(&driver, 0);
        ck_assert(driver_take(&driver, 0, &written));
        ck_assert_uint_eq(echo->served, 22);
        g_byte_array_unref(bytes);
        end();
}
END_TEST

/* -- Drivers that lie ------------------------------------------------------------------------------ */

static void check_stopped(void)
{
        unsigned served = echo->served;
        struct virtio_buffer chain[] = { { 0x10000, 1, false }, { 0x20000, 1, true } };

        driver_notify(&driver, 0);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1) & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
        ck_assert_uint_eq(echo->served, served);
        driver_add(&driver, 1, chain, 2);
        driver_notify(&driver, 1);                                      /* the other queue stands still too */
        ck_assert_uint_eq(echo->served, served);
        /* A reset, and all is well. */
        driver_set(&driver, 0x14, 0, 1);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1), 0);
        end();
}

START_TEST(hostile_buffers)
{
        static const struct virtio_buffer bad[][2] = {
                { { 0x20000, 1, true }, { 0x10000, 1, false } },                /* to be read behind to be written */
                { { UINT64_C(0xfffffffffffffff0), 0x20, false }, { 0, 0, true } },      /* wraps */
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
                begin((unsigned)_i);
                driver_add(&driver, 0, bad[i], 2);
                check_stopped();
        }
}
END_TEST

/* Buffers where there is no RAM: also the device's own registers. */
START_TEST(buffers_that_are_no_memory)
{
        static const gpa_t places[] = { 0x8000000, DRIVER_BAR + 0x3000, 0xfee00000, UINT64_C(0x123456789000) };

        for (unsigned i = 0; i < G_N_ELEMENTS(places) * 2; i++) {
                struct virtio_buffer chain[] = { { 0x10000, 4, false }, { 0x20000, 4, true } };

                begin((unsigned)_i);
                chain[i & 1].gpa = places[i / 2];
                driver_add(&driver, 0, chain, 2);
                driver_notify(&driver, 0);
                ck_assert_uint_eq(echo->served, 1);
                check_stopped();
        }
}
END_TEST

START_TEST(hostile_indirect_tables)
{
        struct virtio_buffer chain[] = { { 0x10000, 1, false }, { 0x20000, 1, true } };

        for (unsigned what = 0; what < 6; what++) {
                uint8_t *table;

                begin((unsigned)_i);
                driver_add_indirect(&driver, 0, 0x30000, chain, 2);
                table = memory_ram(board.memory) + 0x30000;
                switch (what) {
                case 0:
                        driver_patch_last(&driver, 0, 8, 0);            /* length 0 */
                        break;
                case 1:
                        driver_patch_last(&driver, 0, 8, 17);           /* no whole number of entries */
                        break;
                case 2:
                        driver_patch_last(&driver, 0, 8, 0xfffffff0);   /* vast */
                        break;
                case 3:
                        driver_patch_last(&driver, 0, 0, 0x9000000);    /* no memory */
                        break;
                case 4:
                        table[_i & 1 ? 14 : 12] |= 4;                   /* a table in the table */
                        break;
                default:
                        if (_i & 1)
                                table[8 + 16] = table[8] = 0xff, memset(table, 0xff, 8);
                        else
                                table[16 + 12] = 3, table[16 + 14] = 0; /* a loop */
                        break;
                }
                check_stopped();
        }
}
END_TEST

START_TEST(hostile_split_rings)
{
        struct virtio_buffer chain[] = { { 0x10000, 1, false }, { 0x20000, 1, true } };

        for (unsigned what = 0; what < 5; what++) {
                uint8_t *ram;

                begin(0);
                ram = memory_ram(board.memory);
                driver_add(&driver, 0, chain, 2);
                switch (what) {
                case 0:
                        pci_put16(ram + driver.queue[0].driver, 2, 17); /* more heads than places */
                        break;
                case 1:
                        pci_put16(ram + driver.queue[0].driver, 4, 16); /* a head outside */
                        break;
                case 2:
                        pci_put16(ram + driver.queue[0].ring, 16 + 12, 3);      /* a loop */
                        pci_put16(ram + driver.queue[0].ring, 16 + 14, 0);
                        pci_put16(ram + driver.queue[0].ring, 12, 3);
                        break;
                case 3:
                        pci_put16(ram + driver.queue[0].ring, 14, 0xffff);      /* a link outside */
                        break;
                default:
                        pci_put16(ram + driver.queue[0].ring, 12, 5);   /* indirect and next */
                        break;
                }
                check_stopped();
        }
}
END_TEST

START_TEST(hostile_packed_ring)
{
        begin(1);
        /* Every place of the ring says "and one more". */
        for (unsigned i = 0; i < 16; i++) {
                uint8_t *at = memory_ram(board.memory) + driver.queue[0].ring + 16 * i;

                pci_put32(at, 0, 0x10000);
                pci_put32(at, 8, 1);
                pci_put16(at, 14, 1 | 1 << 7);
        }
        check_stopped();
}
END_TEST

START_TEST(rings_where_none_can_be)
{
        static const struct { unsigned field; uint32_t value; } bad[] = {
                { 0x18, 0 }, { 0x18, 32 }, { 0x18, 12 }, { 0x20, 0x40001 }, { 0x24, 0xfff00000 }, { 0x28, 0x50001 }, { 0x30, 0x60001 },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
                if (bad[i].field == 0x18 && bad[i].value == 12 && (_i & 1))
                        continue;                                       /* a packed ring may have any size */
                board_begin(&board);
                echo = (struct echo *)driver_open(&driver, &board, "test-virtio");
                driver_start(&driver, _i & 1 ? VIRTIO_F_RING_PACKED : 0);
                driver_set(&driver, 0x16, 0, 2);
                driver_set(&driver, 0x20, 0x40000, 4);
                driver_set(&driver, 0x28, 0x50000, 4);
                driver_set(&driver, 0x30, 0x60000, 4);
                driver_set(&driver, bad[i].field, bad[i].value, bad[i].field == 0x18 ? 2 : 4);
                driver_set(&driver, 0x1c, 1, 2);
                ck_assert_uint_eq(driver_get(&driver, 0x14, 1) & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
                end();
        }
}
END_TEST

/* Any bytes at all in the rings. */
START_TEST(noise_in_the_rings)
{
        uint64_t state = 1 + (unsigned)_i;

        for (unsigned round = 0; round < 300; round++) {
                uint8_t *ram;

                begin((unsigned)_i);
                ram = memory_ram(board.memory);
                for (unsigned i = 0; i < 0x1000; i++) {
                        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
                        ram[driver.queue[0].ring + i] = (uint8_t)(state >> 40 & (round % 3 ? 0xff : state >> 56 & 0x83));
                }
                for (unsigned i = 0; i < 10; i++)
                        driver_notify(&driver, i & 1);
                end();
        }
}
END_TEST

static Suite *virtio_suite(void)
{
        Suite *suite = suite_create("virtio");
        TCase *once = tcase_create("once"), *each = tcase_create("each ring");

        tcase_set_timeout(once, 60);
        tcase_set_timeout(each, 120);
        tcase_add_test(once, handshake);
        tcase_add_test(once, access_through_configuration_space);
        tcase_add_test(once, hostile_split_rings);
        tcase_add_test(once, hostile_packed_ring);
        tcase_add_loop_test(each, requests_go_round, 0, KINDS);
        tcase_add_loop_test(each, indirect_tables, 0, KINDS);
        tcase_add_loop_test(each, batches_and_interrupts, 0, KINDS);
        tcase_add_loop_test(each, answers_out_of_order_and_after_resets, 0, KINDS);
        tcase_add_loop_test(each, saved_and_loaded, 0, KINDS);
        tcase_add_loop_test(each, hostile_buffers, 0, KINDS);
        tcase_add_loop_test(each, buffers_that_are_no_memory, 0, KINDS);
        tcase_add_loop_test(each, hostile_indirect_tables, 0, KINDS);
        tcase_add_loop_test(each, rings_where_none_can_be, 0, 2);
        tcase_add_loop_test(each, noise_in_the_rings, 0, KINDS);
        suite_add_tcase(suite, once);
        suite_add_tcase(suite, each);
        return suite;
}

int main(void)
{
        SRunner *runner = srunner_create(virtio_suite());
        int failed;

        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
