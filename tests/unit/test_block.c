/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block.c - images: reading, writing, order, overlays, locks, and files that are none. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "unit.h"

enum { SIZE = 64 << 10 };

static struct lock lock;
static char path[64];
static unsigned completed;
static int last_error;

static void begin(void)
{
        uint8_t *bytes = g_malloc(SIZE);
        int fd;

        lock_init(&lock, LOCK_RANK_MACHINE, "machine");
        strcpy(path, "/tmp/lodger-block-XXXXXX");
        fd = g_mkstemp(path);
        for (unsigned i = 0; i < SIZE; i++)
                bytes[i] = (uint8_t)(i / 512 + i);
        ck_assert_int_eq(write(fd, bytes, SIZE), SIZE);
        close(fd);
        g_free(bytes);
        completed = 0;
        last_error = -1;
}

static void done(void *opaque, int error)
{
        ck_assert(lock_is_held(&lock));
        if (opaque)
                ck_assert_uint_eq(completed, GPOINTER_TO_UINT(opaque) - 1);     /* in order */
        completed++;
        last_error = error;
}

static unsigned flushes;

static void flushed(void *opaque, int error)
{
        (void)opaque;
        ck_assert_int_eq(error, 0);
        flushes++;
}

static struct block *open_it(struct block_options options)
{
        GError *error = NULL;
        struct block *block = block_open(path, &options, &lock, &error);

        ck_assert_msg(block != NULL, "%s", error ? error->message : "");
        return block;
}

static void expect_error(const char *file, struct block_options options, const char *text)
{
        GError *error = NULL;

        ck_assert_ptr_null(block_open(file, &options, &lock, &error));
        ck_assert_msg(strstr(error->message, text) && strstr(error->message, file), "%s", error->message);
        g_error_free(error);
}

static void close_it(struct block *block)
{
        lock_acquire(&lock);
        block_close(block);
        lock_release(&lock);
}

START_TEST(reads_and_writes_in_order)
{
        static uint8_t bytes[32][512], back[512];
        struct block *block;

        begin();
        block = open_it((struct block_options){ 0 });
        ck_assert_uint_eq(block_size_bytes(block), SIZE);
        lock_acquire(&lock);
        for (unsigned i = 0; i < 32; i++) {
                memset(bytes[i], (int)i, 512);
                block_write(block, 4096, bytes[i], 512, done, GUINT_TO_POINTER(i + 1));
        }
        block_read(block, 4096, back, 512, done, GUINT_TO_POINTER(33));
        block_flush(block, flushed, NULL);      /* waits for the writes, not for the read */
        lock_release(&lock);
        while (completed < 33 || !flushes)
                g_main_context_iteration(NULL, TRUE);
        ck_assert_int_eq(last_error, 0);
        ck_assert_uint_eq(back[100], 31);       /* the last write won */
        close_it(block);
        remove(path);
}
END_TEST

/* Between block_begin() and block_end() requests complete at the end or, as others do, on the main loop: once each. */
START_TEST(completes_within_or_later)
{
        enum { ROUNDS = 200, EACH = 3 };
        static uint8_t to[EACH][512], from[512];
        struct block *block;

        begin();
        block = open_it((struct block_options){ 0 });
        for (unsigned round = 0; round < ROUNDS; round++) {
                memset(from, (int)round, sizeof(from));
                lock_acquire(&lock);
                block_begin(block);
                block_write(block, 1024, from, 512, done, NULL);
                block_read(block, 1024, to[0], 512, done, NULL);        /* waits for the write */
                block_read(block, 8192, to[1], 512, done, NULL);
                ck_assert_uint_eq(completed, round * EACH);             /* not within the calls */
                block_end(block);
                lock_release(&lock);
                while (completed < (round + 1) * EACH)
                        g_main_context_iteration(NULL, TRUE);
                ck_assert_uint_eq(to[0][511], (uint8_t)round);
                ck_assert_uint_eq(to[1][1], 17);
        }
        while (g_main_context_iteration(NULL, FALSE))
                ;
        ck_assert_uint_eq(completed, ROUNDS * EACH);
        close_it(block);
        remove(path);
}
END_TEST

START_TEST(range_and_read_only)
{
        uint8_t bytes[1024] = { 0 };
        struct block *block;

        begin();
        block = open_it((struct block_options){ .read_only = true });
        lock_acquire(&lock);
        block_read(block, SIZE - 512, bytes, 1024, done, NULL);
        block_drain(block);
        ck_assert_int_eq(last_error, EINVAL);
        block_read(block, UINT64_MAX - 100, bytes, 512, done, NULL);
        block_drain(block);
        ck_assert_int_eq(last_error, EINVAL);
        block_write(block, 0, bytes, 512, done, NULL);
        block_drain(block);
        ck_assert_int_eq(last_error, EROFS);
        ck_assert_uint_eq(completed, 3);
        lock_release(&lock);
        close_it(block);
        remove(path);
}
END_TEST

START_TEST(throwaway_leaves_the_image_alone)
{
        struct block_options options = { .throwaway = true };
        uint8_t bytes[5000], back[12000];
        struct block *block;
        char *before, *after;
        gsize size;

        begin();
        ck_assert(g_file_get_contents(path, &before, &size, NULL));
        block = open_it(options);
        memset(bytes, 0xee, sizeof(bytes));
        lock_acquire(&lock);
        block_write(block, 3000, bytes, sizeof(bytes), done, NULL);     /* parts of clusters 0 and 1 */
        block_read(block, 0, back, sizeof(back), done, NULL);
        block_flush(block, done, NULL);
        block_drain(block);
        lock_release(&lock);
        ck_assert_int_eq(last_error, 0);
        ck_assert_int_eq(memcmp(back, before, 3000), 0);
        ck_assert_int_eq(memcmp(back + 3000, bytes, sizeof(bytes)), 0);
        ck_assert_int_eq(memcmp(back + 8000, before + 8000, 4000), 0);
        close_it(block);
        ck_assert(g_file_get_contents(path, &after, &size, NULL));
        ck_assert_int_eq(memcmp(before, after, SIZE), 0);
        g_free(before);
        g_free(after);
        remove(path);
}
END_TEST

/* A lock belongs to the open file, so this process can be in its own way. */
START_TEST(one_writer_only)
{
        struct block *writer, *reader[2];
        char holder[32];

        begin();
        writer = open_it((struct block_options){ 0 });
        g_snprintf(holder, sizeof(holder), "in use by process %d", (int)getpid());
        expect_error(path, (struct block_options){ 0 }, holder);
        expect_error(path, (struct block_options){ .read_only = true }, holder);
        close_it(writer);
        reader[0] = open_it((struct block_options){ .read_only = true });
        reader[1] = open_it((struct block_options){ .throwaway = true });
        expect_error(path, (struct block_options){ 0 }, "readonly");
        close_it(reader[0]);
        close_it(reader[1]);
        remove(path);
}
END_TEST

START_TEST(what_is_no_image)
{
        begin();
        expect_error("/tmp", (struct block_options){ 0 }, "is a directory");
        expect_error("/tmp", (struct block_options){ .read_only = true }, "is a directory");
        expect_error("/tmp/lodger-no-such-file", (struct block_options){ 0 }, "No such file");
        expect_error("/dev/null", (struct block_options){ 0 }, "neither a file nor a block device");
        ck_assert_int_eq(truncate(path, 1000), 0);
        expect_error(path, (struct block_options){ 0 }, "truncated");
        ck_assert_int_eq(truncate(path, 512), 0);
        expect_error(path, (struct block_options){ .unit_bytes = 2048 }, "truncated");
        ck_assert_int_eq(truncate(path, 0), 0);
        expect_error(path, (struct block_options){ 0 }, "is empty");
        remove(path);
}
END_TEST

/* What is in flight when an image is closed ends, and its completion is not called. */
START_TEST(close_waits)
{
        static uint8_t bytes[SIZE];
        struct block *block;

        begin();
        block = open_it((struct block_options){ 0 });
        lock_acquire(&lock);
        for (unsigned i = 0; i < 50; i++)
                block_read(block, 0, bytes, SIZE, done, NULL);
        block_close(block);
        lock_release(&lock);
        while (g_main_context_iteration(NULL, FALSE))
                ;
        ck_assert_uint_eq(completed, 0);
        remove(path);
}
END_TEST

/* Vectors, FUA, zeroes and discards on a raw image; and what was counted. */
START_TEST(vectors_and_holes)
{
        uint8_t a[700], b[1300], whole[2000], back[16384];
        struct iovec from[] = { { a, sizeof(a) }, { NULL, 0 }, { b, sizeof(b) } };
        struct iovec to[] = { { back, 1 }, { back + 1, 1999 } };
        struct block_activity activity;
        struct block *block;

        begin();
        memset(a, 0xaa, sizeof(a));
        memset(b, 0xbb, sizeof(b));
        memcpy(whole, a, sizeof(a));
        memcpy(whole + sizeof(a), b, sizeof(b));
        block = open_it((struct block_options){ .cache = BLOCK_CACHE_NONE, .serial = "S1" });
        ck_assert_str_eq(block_format(block), "raw");
        ck_assert_str_eq(block_serial(block), "S1");
        lock_acquire(&lock);
        block_writev(block, 1000, from, 3, BLOCK_FUA, done, NULL);
        block_readv(block, 1000, to, 2, done, NULL);
        ck_assert(block_drain(block));
        ck_assert_int_eq(last_error, 0);
        ck_assert_int_eq(memcmp(back, whole, sizeof(whole)), 0);
        block_write_zeroes(block, 8192, 8192, BLOCK_UNMAP, done, NULL);
        block_write_zeroes(block, 1000, 100, 0, done, NULL);
        block_discard(block, 32768, 16384, done, NULL);
        block_read(block, 0, back, sizeof(back), done, NULL);
        ck_assert(block_drain(block));
        ck_assert_int_eq(last_error, 0);
        for (unsigned i = 0; i < 8192; i++)
                ck_assert_uint_eq(back[8192 + i], 0);
        ck_assert_uint_eq(back[1099], 0);
        ck_assert_uint_eq(back[1100], 0xaa);
        block_discard(block, SIZE, 1, done, NULL);
        ck_assert(block_drain(block));
        ck_assert_int_eq(last_error, EINVAL);
        lock_release(&lock);
        block_activity(block, &activity);
        ck_assert_uint_eq(activity.reads, 2);
        ck_assert_uint_eq(activity.writes, 3);
        ck_assert_uint_eq(activity.discards, 2);
        ck_assert_uint_eq(activity.bytes_written, 2000);
        ck_assert_uint_eq(activity.errors, 1);
        ck_assert_uint_eq(activity.in_flight, 0);
        close_it(block);
        remove(path);
}
END_TEST

/* Many requests of random places, with many in flight: as if they had been made one by one. */
START_TEST(order_of_what_overlaps)
{
        enum { ROUNDS = 400, MOST = 3000 };
        struct { uint8_t bytes[MOST], expected[MOST]; size_t size; bool read; } *work = g_malloc(ROUNDS * sizeof(*work));
        uint8_t *model = g_malloc(SIZE);
        GRand *random = g_rand_new_with_seed(7);
        struct block *block;

        begin();
        block = open_it((struct block_options){ 0 });
        ck_assert(block_peek(block, 0, model, SIZE));
        lock_acquire(&lock);
        for (unsigned i = 0; i < ROUNDS; i++) {
                uint64_t offset = (uint64_t)g_rand_int_range(random, 0, 9000);

                work[i].size = (size_t)g_rand_int_range(random, 1, MOST);
                work[i].read = g_rand_boolean(random);
                if (work[i].read) {
                        memcpy(work[i].expected, model + offset, work[i].size);
                        block_read(block, offset, work[i].bytes, work[i].size, done, NULL);
                } else {
                        memset(work[i].bytes, (int)i, work[i].size);
                        memcpy(model + offset, work[i].bytes, work[i].size);
                        block_write(block, offset, work[i].bytes, work[i].size, done, NULL);
                }
        }
        ck_assert(block_drain(block));
        lock_release(&lock);
        ck_assert_uint_eq(completed, ROUNDS);
        for (unsigned i = 0; i < ROUNDS; i++)
                if (work[i].read)
                        ck_assert_msg(!memcmp(work[i].bytes, work[i].expected, work[i].size), "request %u", i);
        close_it(block);
        g_rand_free(random);
        g_free(model);
        g_free(work);
        remove(path);
}
END_TEST

/* A raw disk that probing found stays raw; one that was called raw may hold anything. */
START_TEST(raw_stays_raw)
{
        uint8_t header[512] = "QFI\xfb\0\0\0\3";
        struct block *block;

        begin();
        block = open_it((struct block_options){ 0 });
        lock_acquire(&lock);
        block_write(block, 0, header, sizeof(header), done, NULL);
        block_drain(block);
        ck_assert_int_eq(last_error, EPERM);
        lock_release(&lock);
        close_it(block);
        block = open_it((struct block_options){ .format = "raw" });
        lock_acquire(&lock);
        block_write(block, 0, header, sizeof(header), done, NULL);
        block_drain(block);
        ck_assert_int_eq(last_error, 0);
        lock_release(&lock);
        close_it(block);
        remove(path);
}
END_TEST

UNIT_MAIN("block", reads_and_writes_in_order, completes_within_or_later, vectors_and_holes,
          order_of_what_overlaps, raw_stays_raw, range_and_read_only, throwaway_leaves_the_image_alone,
          one_writer_only, what_is_no_image, close_waits)
