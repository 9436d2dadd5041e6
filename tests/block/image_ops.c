/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_ops.c - works on an image as a guest would, for tests/check-images and tests/soak/images.
 *
 *      image_ops random FILE SEED COUNT MODEL  COUNT random requests, several at once, and snapshots; every read is
 *                                              compared with what it must give.  MODEL: a raw copy of what the disk holds.
 *      image_ops crash FILE SEED               writes and flushes until it is killed; standard output is the log
 *      image_ops verify FILE LOG               after that: every flushed write is there
 *      image_ops full FILE FILLER              fills the disk on a file system that has no room before FILLER is removed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"

enum { MOST = 300 << 10, SLOTS = 12, SNAPSHOTS = 3, PAGE = 4096 };

static struct lock lock;
static struct block *block;

static void die(const char *text) __attribute__((noreturn));

static void die(const char *text)
{
        fprintf(stderr, "image_ops: %s\n", text);
        exit(1);
}

static void open_image(const char *path)
{
        struct block_options options = { .trust_backing = true };
        GError *error = NULL;

        lock_init(&lock, LOCK_RANK_MACHINE, "machine");
        block = block_open(path, &options, &lock, &error);
        if (!block)
                die(error->message);
        lock_acquire(&lock);
}

/* -- random ----------------------------------------------------------------------------------------------------- */

struct work {
        bool busy, read;
        uint64_t offset;
        size_t size;
        uint8_t bytes[MOST], expected[MOST];
};

static struct work work[SLOTS];

static void worked(void *opaque, int error)
{
        struct work *each = opaque;

        if (error)
                die(g_strerror(error));
        if (each->read && memcmp(each->bytes, each->expected, each->size))
                die("a read gave something else than what was written");
        each->busy = false;
}

static void ignore(void *opaque, int error)
{
        (void)opaque;
        if (error)
                die(g_strerror(error));
}

/* Between requests: snapshots, and what they do to the model. */
static void snapshot_step(GRand *random, uint8_t *model, uint64_t size, uint8_t *kept[SNAPSHOTS])
{
        unsigned which = (unsigned)g_rand_int_range(random, 0, SNAPSHOTS);
        char name[16];
        GError *error = NULL;
        bool ok;

        g_snprintf(name, sizeof(name), "s%u", which);
        block_drain(block);
        if (!kept[which]) {
                ok = block_snapshot_create(block, name, 0, &error);
                kept[which] = g_memdup2(model, size);
        } else if (g_rand_boolean(random)) {
                ok = block_snapshot_apply(block, name, &error);
                memcpy(model, kept[which], size);
        } else {
                ok = block_snapshot_delete(block, name, &error);
                g_clear_pointer(&kept[which], g_free);
        }
        if (!ok)
                die(error->message);
}

static void random_step(GRand *random, struct work *each, uint8_t *model, uint64_t size)
{
        unsigned what = (unsigned)g_rand_int_range(random, 0, 100);
        bool small = g_rand_boolean(random);
        uint64_t offset = (uint64_t)g_rand_int_range(random, 0, (gint32)(size / 512)) * 512;

        each->size = (size_t)g_rand_int_range(random, 1, small ? 16 : MOST / 512) * 512;
        each->size = (size_t)MIN(each->size, size - offset);
        each->offset = offset;
        each->read = what < 30;
        each->busy = true;
        if (each->read) {
                memcpy(each->expected, model + offset, each->size);
                block_read(block, offset, each->bytes, each->size, worked, each);
        } else if (what < 80) {
                struct iovec parts[2] = { { each->bytes, each->size / 2 }, { each->bytes + each->size / 2, each->size - each->size / 2 } };

                memset(each->bytes, g_rand_int_range(random, 0, 256), each->size);
                memcpy(model + offset, each->bytes, each->size);
                block_writev(block, offset, parts, 2, what < 32 ? BLOCK_FUA : 0, worked, each);
        } else if (what < 90) {
                memset(model + offset, 0, each->size);
                block_write_zeroes(block, offset, each->size, what & 1 ? BLOCK_UNMAP : 0, worked, each);
        } else if (what < 95) {
                /* What a discard leaves is looked up. */
                block_discard(block, offset, each->size, worked, each);
                block_drain(block);
                if (!block_peek(block, offset, model + offset, each->size))
                        die("cannot read what was discarded");
        } else {
                block_flush(block, worked, each);
        }
}

static int run_random(const char *path, unsigned seed, unsigned count, const char *model_path)
{
        GRand *random = g_rand_new_with_seed(seed);
        uint8_t *model, *kept[SNAPSHOTS] = { NULL };
        bool snapshots;
        uint64_t size;

        open_image(path);
        size = block_size_bytes(block);
        model = g_malloc(size);
        snapshots = !strcmp(block_format(block), "qcow2");
        if (!block_peek(block, 0, model, size))
                die("cannot be read");
        for (unsigned i = 0; i < count; i++) {
                struct work *each = &work[g_rand_int_range(random, 0, SLOTS)];

                if (each->busy)
                        block_drain(block);
                if (snapshots && g_rand_int_range(random, 0, 60) == 0)
                        snapshot_step(random, model, size, kept);
                random_step(random, each, model, size);
        }
        block_drain(block);
        for (unsigned i = 0; i < SNAPSHOTS; i++)
                g_free(kept[i]);
        block_close(block);
        lock_release(&lock);
        g_rand_free(random);
        if (!g_file_set_contents(model_path, (const char *)model, (gssize)size, NULL))
                die("cannot write the model");
        g_free(model);
        return 0;
}

/* -- crash and verify -------------------------------------------------------------------------------------------------- */

/* A page says where it belongs and which write it comes from. */
static void stamp(uint8_t *bytes, uint64_t page, uint64_t generation)
{
        uint64_t *words = (uint64_t *)(void *)bytes;

        for (unsigned i = 0; i < PAGE / 8; i += 2) {
                words[i] = page;
                words[i + 1] = generation;
        }
}

static void run_crash(const char *path, unsigned seed)
{
        static uint8_t bytes[SLOTS][PAGE] __attribute__((aligned(8)));
        GRand *random = g_rand_new_with_seed(seed);
        uint64_t pages;

        open_image(path);
        pages = block_size_bytes(block) / PAGE;
        for (uint64_t generation = 1;;) {
                for (unsigned i = 0; i < SLOTS; i++, generation++) {
                        uint64_t page = (uint64_t)g_rand_int_range(random, 0, (gint32)pages);

                        if (g_rand_int_range(random, 0, 10) == 0) {
                                printf("z %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", page, generation);
                                fflush(stdout);
                                block_write_zeroes(block, page * PAGE, PAGE, BLOCK_UNMAP, ignore, NULL);
                                continue;
                        }
                        stamp(bytes[i], page, generation);
                        printf("w %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", page, generation);
                        fflush(stdout);
                        block_write(block, page * PAGE, bytes[i], PAGE, ignore, NULL);
                }
                block_drain(block);
                if (g_rand_int_range(random, 0, 3) == 0) {
                        block_flush(block, ignore, NULL);
                        block_drain(block);
                        printf("f\n");
                        fflush(stdout);
                }
        }
}

/* -- full ------------------------------------------------------------------------------------------------------------- */

static bool told_full;

static void told(void *opaque, struct block *which)
{
        (void)opaque;
        if (which != block)
                die("told of another image");
        told_full = true;
}

static void run_loop(bool *until, const uint64_t *at_most, uint64_t most)
{
        lock_release(&lock);
        while (!*until && *at_most > most)
                g_main_context_iteration(NULL, TRUE);
        lock_acquire(&lock);
}

static uint64_t unfinished;

static void filled(void *opaque, int error)
{
        (void)opaque;
        if (error)
                die(g_strerror(error));
        unfinished--;
}

static int run_full(const char *path, const char *filler)
{
        enum { BIG = 64 << 10 };
        uint64_t size;
        uint8_t *bytes;
        bool never = false;

        open_image(path);
        block_on_full(block, told, NULL);
        size = block_size_bytes(block) / BIG * BIG;
        bytes = g_malloc(size);
        for (uint64_t i = 0; i < size; i += 8)
                memcpy(bytes + i, &i, 8);
        for (uint64_t at = 0; at < size && !told_full; at += BIG) {
                unfinished++;
                block_write(block, at, bytes + at, BIG, filled, NULL);
                run_loop(&told_full, &unfinished, 4);
        }
        if (!told_full)
                die("the file system was never full");
        if (block_drain(block) || !block_is_waiting(block))
                die("nothing waits for room");
        block_retry(block);             /* as full as before */
        if (block_drain(block))
                die("there was room");
        unlink(filler);
        block_retry(block);
        for (uint64_t at = 0; at < size; at += BIG) {
                unfinished++;
                block_write(block, at, bytes + at, BIG, filled, NULL);
                run_loop(&never, &unfinished, 4);
        }
        unfinished++;
        block_flush(block, filled, NULL);
        if (!block_drain(block) || unfinished)
                die("requests got lost");
        for (uint64_t at = 0; at < size; at += BIG) {
                static uint8_t back[BIG];

                if (!block_peek(block, at, back, BIG) || memcmp(back, bytes + at, BIG))
                        die("what was written is not there");
        }
        block_close(block);
        lock_release(&lock);
        g_free(bytes);
        return 0;
}

struct page {
        uint64_t flushed, last;         /* generations; a page has one of [flushed, last], or reads as zeroes */
        bool zero_possible;
};

static int run_verify(const char *path, const char *log)
{
        FILE *file = fopen(log, "r");
        uint8_t bytes[PAGE] __attribute__((aligned(8))), expected[PAGE] __attribute__((aligned(8)));
        struct page *page;
        uint64_t pages, flushes = 0;
        char line[64];

        if (!file)
                die("no log");
        open_image(path);
        pages = block_size_bytes(block) / PAGE;
        page = g_new0(struct page, pages);
        for (uint64_t i = 0; i < pages; i++)
                page[i].zero_possible = true;
        while (fgets(line, sizeof(line), file)) {
                unsigned long long at, generation;

                if (!strchr(line, '\n'))        /* cut off by the kill */
                        break;
                if (*line == 'f') {
                        flushes++;
                        for (uint64_t i = 0; i < pages; i++)
                                if (page[i].last > page[i].flushed) {
                                        page[i].flushed = page[i].last;
                                        page[i].zero_possible = page[i].last & UINT64_C(1) << 63;
                                }
                } else if (sscanf(line + 1, "%llu %llu", &at, &generation) == 2 && at < pages) {
                        /* The top bit says that the last one was a zeroing. */
                        page[at].last = generation | (*line == 'z' ? UINT64_C(1) << 63 : 0);
                        page[at].zero_possible |= *line == 'z';
                        page[at].flushed &= ~(UINT64_C(1) << 63);
                }
        }
        fclose(file);
        for (uint64_t i = 0; i < pages; i++) {
                uint64_t low = page[i].flushed & ~(UINT64_C(1) << 63), high = page[i].last & ~(UINT64_C(1) << 63), generation;

                if (!block_peek(block, i * PAGE, bytes, PAGE))
                        die("cannot be read");
                memcpy(&generation, bytes + 8, 8);
                if (generation == 0 && page[i].zero_possible)
                        continue;
                stamp(expected, i, generation);
                if (memcmp(bytes, expected, PAGE) || generation < low || generation > high) {
                        fprintf(stderr, "image_ops: page %llu has generation %llu, not %llu to %llu\n", (unsigned long long)i,
                                (unsigned long long)generation, (unsigned long long)low, (unsigned long long)high);
                        return 1;
                }
        }
        printf("%llu flushes\n", (unsigned long long)flushes);
        g_free(page);
        block_close(block);
        lock_release(&lock);
        return 0;
}

int main(int argc, char **argv)
{
        if (argc == 6 && !strcmp(argv[1], "random"))
                return run_random(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), argv[5]);
        if (argc == 4 && !strcmp(argv[1], "crash"))
                run_crash(argv[2], (unsigned)atoi(argv[3]));
        if (argc == 4 && !strcmp(argv[1], "verify"))
                return run_verify(argv[2], argv[3]);
        if (argc == 4 && !strcmp(argv[1], "full"))
                return run_full(argv[2], argv[3]);
        die("usage: image_ops random FILE SEED COUNT MODEL | crash FILE SEED | verify FILE LOG | full FILE FILLER");
}
