/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qcow2.c - qcow2 images: what is refused and how, backing files and consent, snapshots, repair on opening. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/block.h"
#include "block/tool.h"
#include "unit.h"

enum { SIZE = 4 << 20, CLUSTER = 65536 };

static struct lock lock;
static char *folder, *path;
static int last_error;

static void begin(const struct image_create_options *options)
{
        GError *error = NULL;

        lock_init(&lock, LOCK_RANK_MACHINE, "machine");
        folder = g_dir_make_tmp("lodger-qcow2-XXXXXX", NULL);
        ck_assert_ptr_nonnull(folder);
        path = g_build_filename(folder, "x.qcow2", NULL);
        ck_assert_msg(image_create(path, "qcow2", SIZE, options, &error), "%s", error ? error->message : "");
}

static void end(void)
{
        GDir *dir = g_dir_open(folder, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(dir)) != NULL) {
                char *each = g_build_filename(folder, name, NULL);

                remove(each);
                g_free(each);
        }
        g_dir_close(dir);
        rmdir(folder);
        g_free(folder);
        g_free(path);
}

/* Damages the file. */
static void poke(off_t at, const void *bytes, size_t size)
{
        int fd = open(path, O_RDWR | O_CLOEXEC);

        ck_assert_int_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
        close(fd);
}

static struct block *open_it(const char *file, struct block_options options)
{
        GError *error = NULL;
        struct block *block = block_open(file, &options, &lock, &error);

        ck_assert_msg(block != NULL, "%s", error ? error->message : "");
        lock_acquire(&lock);
        return block;
}

static void close_it(struct block *block)
{
        block_close(block);
        lock_release(&lock);
}

static void refused(const char *file, struct block_options options, const char *text)
{
        GError *error = NULL;

        ck_assert_ptr_null(block_open(file, &options, &lock, &error));
        ck_assert_msg(strstr(error->message, text) != NULL, "%s", error->message);
        g_error_free(error);
}

static void done(void *opaque, int error)
{
        (void)opaque;
        last_error = error;
}

static void fill(struct block *block, uint64_t offset, uint8_t value)
{
        static uint8_t bytes[CLUSTER];

        memset(bytes, value, sizeof(bytes));
        block_write(block, offset, bytes, sizeof(bytes), done, NULL);
        ck_assert(block_drain(block));
        ck_assert_int_eq(last_error, 0);
}

static uint8_t peek(struct block *block, uint64_t offset)
{
        uint8_t byte;

        ck_assert(block_peek(block, offset, &byte, 1));
        return byte;
}

static void sound(const char *file, uint64_t leaks)
{
        struct image_check_result result;
        GError *error = NULL;

        ck_assert_msg(image_check(file, NULL, false, NULL, NULL, &result, &error), "%s", error ? error->message : "");
        ck_assert_uint_eq(result.errors, 0);
        ck_assert_uint_le(result.leaks, leaks);
}

START_TEST(unknown_features_by_name)
{
        struct block_options look = { .read_only = true };

        begin(NULL);
        poke(79, "\x10", 1);
        refused(path, look, "\"extended L2 entries\"");
        poke(78, "\x01", 1);
        poke(79, "\x00", 1);
        refused(path, look, "\"unknown feature 8\"");
        poke(78, "\x00", 1);
        poke(7, "\x04", 1);
        refused(path, look, "version 4");
        poke(7, "\x03", 1);
        poke(35, "\x02", 1);
        refused(path, look, "encrypted");
        poke(35, "\x00", 1);
        poke(23, "\x3f", 1);
        refused(path, look, "clusters of 2^63");
        poke(23, "\x10", 1);
        poke(40, "\xff", 1);
        refused(path, look, "L1 table");
        end();
}
END_TEST

START_TEST(damaged_is_read_only)
{
        begin(NULL);
        poke(79, "\x02", 1);
        refused(path, (struct block_options){ 0 }, "lodger image repair");
        close_it(open_it(path, (struct block_options){ .read_only = true }));
        end();
}
END_TEST

/* An image that is marked dirty, with counts that were never written, is repaired when it is opened for writing. */
START_TEST(dirty_is_repaired)
{
        static const uint8_t zeroes[16];
        struct image_info *info;
        struct block *block;

        begin(&(struct image_create_options){ .lazy_refcounts = true });
        block = open_it(path, (struct block_options){ 0 });
        fill(block, 0, 1);
        fill(block, 1 << 20, 2);
        close_it(block);
        poke(2 * CLUSTER + 6, zeroes, 8);               /* counts of clusters 3 to 6: L1, L2, data */
        poke(79, "\x01", 1);
        block = open_it(path, (struct block_options){ 0 });
        ck_assert_uint_eq(peek(block, 1 << 20), 2);
        fill(block, 2 << 20, 3);
        close_it(block);
        sound(path, 0);
        info = image_info(path, NULL, NULL);
        ck_assert(!info->dirty && info->lazy_refcounts);
        image_info_free(info);
        end();
}
END_TEST

START_TEST(snapshots_of_a_running_disk)
{
        struct block_snapshot *first;
        GError *error = NULL;
        struct block *block;
        GPtrArray *list;

        begin(NULL);
        block = open_it(path, (struct block_options){ 0 });
        fill(block, 0, 1);
        ck_assert(block_snapshot_create(block, "one", 12345, NULL));
        ck_assert(!block_snapshot_create(block, "one", 0, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "already"));
        g_clear_error(&error);
        fill(block, 0, 2);
        fill(block, CLUSTER, 3);
        ck_assert(block_snapshot_create(block, "two", 0, NULL));
        ck_assert(block_snapshot_apply(block, "one", NULL));
        ck_assert_uint_eq(peek(block, 0), 1);
        ck_assert_uint_eq(peek(block, CLUSTER), 0);
        fill(block, 0, 4);
        ck_assert(block_snapshot_apply(block, "2", NULL));      /* by id */
        ck_assert_uint_eq(peek(block, 0), 2);
        ck_assert_uint_eq(peek(block, CLUSTER), 3);
        list = block_snapshot_list(block, NULL);
        ck_assert_uint_eq(list->len, 2);
        first = g_ptr_array_index(list, 0);
        ck_assert_str_eq(first->name, "one");
        ck_assert_uint_eq(first->vm_clock_ns, 12345);
        ck_assert_uint_eq(first->size_bytes, SIZE);
        g_ptr_array_unref(list);
        ck_assert(block_snapshot_delete(block, "one", NULL));
        ck_assert(block_snapshot_delete(block, "two", NULL));
        ck_assert(!block_snapshot_delete(block, "two", &error));
        ck_assert_int_eq((int)error->code, BLOCK_ERROR_NOT_FOUND);
        g_clear_error(&error);
        ck_assert_uint_eq(peek(block, 0), 2);
        close_it(block);
        sound(path, 0);
        end();
}
END_TEST

/* What an image keeps is read while the image is written to, and never written. */
START_TEST(overlay_of_a_kept_content)
{
        struct image_create_options options = { .backing_format = "qcow2" };
        char *top, *kept;
        struct block *block, *above;

        begin(NULL);
        top = g_build_filename(folder, "top.qcow2", NULL);
        block = open_it(path, (struct block_options){ 0 });
        fill(block, 0, 1);
        ck_assert(block_snapshot_create(block, "one", 0, NULL));
        fill(block, 0, 2);
        kept = image_snapshot_name("one", path);
        options.backing = kept;
        ck_assert(image_create(top, "qcow2", SIZE, &options, NULL));
        above = block_open(top, &(struct block_options){ 0 }, &lock, NULL);
        ck_assert_ptr_nonnull(above);
        ck_assert_uint_eq(peek(above, 0), 1);
        fill(above, 0, 3);
        fill(block, 0, 4);
        ck_assert(block_snapshot_create(block, "two", 0, NULL));
        ck_assert_uint_eq(peek(above, 0), 3);
        block_close(above);
        ck_assert_uint_eq(peek(block, 0), 4);
        refused(kept, (struct block_options){ 0 }, "can only be read");
        ck_assert(!image_commit(top, false, NULL, NULL));
        ck_assert(block_snapshot_delete(block, "one", NULL));
        refused(top, (struct block_options){ 0 }, "no snapshot \"one\"");
        close_it(block);
        g_free(kept);
        g_free(top);
        end();
}
END_TEST

START_TEST(overlay_of_a_running_disk)
{
        char *top;
        struct block *block;

        begin(NULL);
        top = g_build_filename(folder, "top.qcow2", NULL);
        block = open_it(path, (struct block_options){ 0 });
        fill(block, 0, 1);
        ck_assert(block_switch_to_overlay(block, top, NULL, NULL, NULL));
        fill(block, 0, 2);
        ck_assert_str_eq(block_path(block), top);
        close_it(block);
        block = open_it(path, (struct block_options){ .read_only = true });
        ck_assert_uint_eq(peek(block, 0), 1);
        close_it(block);
        block = open_it(top, (struct block_options){ 0 });      /* in the same folder: no consent needed */
        ck_assert_uint_eq(peek(block, 0), 2);
        close_it(block);
        sound(top, 0);
        g_free(top);
        end();
}
END_TEST

/* A backing file elsewhere, and a protocol, are not opened without consent (T22). */
START_TEST(t22_consent)
{
        char *secret = g_strdup("/tmp/lodger-secret-XXXXXX"), *server;
        int fd = g_mkstemp(secret);
        struct block *block;

        ck_assert_int_eq(ftruncate(fd, SIZE), 0);
        ck_assert_int_eq(pwrite(fd, "!", 1, 0), 1);
        close(fd);
        begin(&(struct image_create_options){ .backing = secret, .backing_format = "raw" });
        refused(path, (struct block_options){ 0 }, "backing=trust");
        block = open_it(path, (struct block_options){ .trust_backing = true });
        ck_assert_uint_eq(peek(block, 0), '!');
        close_it(block);
        server = g_build_filename(folder, "net.qcow2", NULL);
        ck_assert(image_create(server, "qcow2", SIZE, &(struct image_create_options){ .backing = "nbd://127.0.0.1:1/" }, NULL));
        refused(server, (struct block_options){ 0 }, "backing=trust");
        remove(secret);
        g_free(secret);
        g_free(server);
        end();
}
END_TEST

UNIT_MAIN("qcow2", unknown_features_by_name, damaged_is_read_only, dirty_is_repaired, snapshots_of_a_running_disk,
          overlay_of_a_kept_content, overlay_of_a_running_disk, t22_consent)
