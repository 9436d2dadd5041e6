/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_flash.c - the flash with UEFI's variables: commands, what firmware looks for, and the file that keeps it. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "board_fixture.h"
#include "devices/chipset/flash.h"

enum { BASE = 0xff000000u, BYTES = 0x4000, BLOCK = 0x1000 };

static struct board board;
static struct device *flash;

static bool begin(const char *path, GError **error)
{
        uint8_t *contents = g_malloc(BYTES);
        GBytes *bytes;
        bool ok;

        memset(contents, 0xff, BYTES);
        memcpy(contents, "first", 5);
        board_begin(&board);
        flash = device_new("flash", "flash", &board.env);
        bytes = g_bytes_new_take(contents, BYTES);
        flash_set_contents(flash, BASE, bytes);
        g_bytes_unref(bytes);
        lock_acquire(&board.lock);
        ok = (!path || device_set(flash, "path", path, error)) && device_start(flash, error);
        lock_release(&board.lock);
        return ok;
}

static uint64_t get(uint64_t offset, unsigned size) { return memory_mmio_read(board.memory, BASE + offset, size); }

static void put(uint64_t offset, uint64_t value, unsigned size) { memory_mmio_write(board.memory, BASE + offset, value, size); }

static void program(uint64_t offset, uint8_t value)
{
        put(offset, 0x10, 1);
        put(offset, value, 1);
}

START_TEST(looks_like_flash)
{
        ck_assert(begin(NULL, NULL));
        ck_assert_uint_eq(get(0, 4), 0x73726966);               /* "firs" */
        /* Status is 0 after it was cleared: by this firmware knows that it is neither RAM nor ROM. */
        put(0, 0x50, 1);
        ck_assert_uint_eq(get(0, 1), 'f');
        put(0, 0x70, 1);
        ck_assert_uint_eq(get(0, 1), 0);
        put(0, 0x90, 1);
        ck_assert_uint_eq(get(0, 1), 0x89);
        put(0, 0x98, 1);
        ck_assert_uint_eq(get(0x10, 2), 'Q' | 'R' << 8);
        ck_assert_uint_eq(get(0x27, 1), 14);                    /* 2^14 bytes */
        ck_assert_uint_eq(get(0x2d, 2), BYTES / BLOCK - 1);
        ck_assert_uint_eq(get(0x2f, 2) * 256, BLOCK);
        ck_assert_uint_eq(get(BYTES - 8, 8), 0);                /* past the table */
        put(0, 0xff, 1);
        ck_assert_uint_eq(get(4, 1), 't');
        put(0, 0x33, 1);                                        /* no command */
        ck_assert_uint_eq(get(4, 1), 't');
        board_end(&board, flash);
}
END_TEST

START_TEST(programs_and_erases)
{
        ck_assert(begin(NULL, NULL));
        program(BLOCK, 0xa5);
        ck_assert_uint_eq(get(BLOCK, 1), 0x80);                 /* status: ready */
        program(BLOCK, 0x0f);                                   /* bits are only cleared */
        program(BYTES - 1, 0x12);
        put(0, 0xff, 1);
        ck_assert_uint_eq(get(BLOCK, 2), 0xff05);
        ck_assert_uint_eq(get(BYTES - 1, 1), 0x12);
        put(BLOCK + 77, 0x20, 1);
        put(BLOCK + 77, 0xd0, 1);
        ck_assert_uint_eq(get(0, 1), 0x80);
        put(0, 0xff, 1);
        ck_assert_uint_eq(get(BLOCK, 1), 0xff);                 /* the block */
        ck_assert_uint_eq(get(0, 1), 'f');                      /* and no other */
        ck_assert_uint_eq(get(BYTES - 1, 1), 0x12);
        put(0, 0x20, 1);                                        /* without confirmation */
        put(0, 0xff, 1);
        ck_assert_uint_eq(get(0, 1), 0xb0);
        put(0, 0x50, 1);
        ck_assert_uint_eq(get(0, 1), 'f');
        board_end(&board, flash);
}
END_TEST

START_TEST(kept_in_a_file)
{
        char *folder = g_dir_make_tmp("lodger-flash-XXXXXX", NULL), *path = g_build_filename(folder, "variables", NULL);
        GError *error = NULL;
        bool there;
        char *bytes;
        gsize size;

        ck_assert(begin(path, NULL));
        board_end(&board, flash);
        ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));      /* nothing has changed */
        ck_assert(begin(path, NULL));
        program(7, 'x');
        board_end(&board, flash);                               /* before its time to write */
        ck_assert(begin(path, NULL));
        ck_assert_uint_eq(get(7, 1), 'x');
        program(8, 'y');
        clock_start(board.clock);
        do {                                                    /* while it runs */
                g_main_context_iteration(NULL, FALSE);
                ck_assert(g_file_get_contents(path, &bytes, &size, NULL));
                ck_assert_uint_eq(size, BYTES);
                there = bytes[8] == 'y';
                g_free(bytes);
                g_usleep(10000);
        } while (!there);
        board_end(&board, flash);
        ck_assert(g_file_set_contents(path, "short", 5, NULL));
        ck_assert(!begin(path, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "not the variables of this firmware"));
        g_error_free(error);
        board_end(&board, flash);
        g_remove(path);
        g_rmdir(folder);
        g_free(path);
        g_free(folder);
}
END_TEST

UNIT_MAIN("flash", looks_like_flash, programs_and_erases, kept_in_a_file)
