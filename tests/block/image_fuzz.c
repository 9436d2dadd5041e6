/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_fuzz.c - damages images and does with them whatever `lodger image` and a machine would: nothing may crash,
 * hang, or take memory without bounds.
 *
 *      image_fuzz SEED COUNT FILE...   COUNT damaged copies of the files, each from its own seed: SEED, SEED + 1 ...
 *
 * Says the seed before it dies, so that "image_fuzz SEED 1 FILE..." does it again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "block/block.h"
#include "block/tool.h"

/* Of the processor's time, so that a busy host is no hang; and of the wall clock's, for one that sleeps. */
enum { SECONDS_MOST = 60, SECONDS_ASLEEP = 1800, CONVERT_US = 300000, FILE_MOST = 8 << 20 };

static unsigned seed;

static void say_seed(int number)
{
        char text[64];
        int n = snprintf(text, sizeof(text), "image_fuzz: signal %d at seed %u\n", number, seed);

        if (write(STDERR_FILENO, text, (size_t)n) < 0)
                _exit(2);
        signal(number, SIG_DFL);
        raise(number);
}

/* Tables are big-endian numbers; most damage that matters is a wrong one. */
static void damage(GRand *random, uint8_t *bytes, gsize size)
{
        static const uint64_t values[] = {
                0, 1, 2, 511, 512, 0x10000, 0x20000, 0x7fffffff, 0xffffffff, UINT64_C(0x7fffffffffffffff), UINT64_MAX,
                UINT64_C(0x8000000000010000), UINT64_C(0x4000000000000000), UINT64_C(0x00fffffffffffe00), UINT64_C(0x7fffffffffff0000),
        };
        int times = g_rand_int_range(random, 1, 9);

        for (int i = 0; i < times; i++) {
                gsize limit = g_rand_int_range(random, 0, 3) ? size : MIN(size, (gsize)136), at = (gsize)g_rand_int_range(random, 0, (gint32)limit);
                uint64_t value = values[g_rand_int_range(random, 0, G_N_ELEMENTS(values))];
                unsigned width = 1u << g_rand_int_range(random, 0, 4);

                switch (g_rand_int_range(random, 0, 3)) {
                case 0:
                        bytes[at] ^= (uint8_t)(1 << g_rand_int_range(random, 0, 8));
                        break;
                case 1:
                        value = (uint64_t)g_rand_int_range(random, 0, (gint32)size);
                        /* fall through */
                default:
                        at &= ~(gsize)(width - 1);
                        for (unsigned n = 0; n < width && at + n < size; n++)
                                bytes[at + n] = (uint8_t)(value >> 8 * (width - 1 - n));
                }
        }
}

static gint64 convert_began;
static volatile bool cancel;

static void convert_progress(void *opaque, uint64_t done, uint64_t total)
{
        (void)opaque;
        (void)done;
        (void)total;
        if (g_get_monotonic_time() - convert_began > CONVERT_US)
                cancel = true;
}

static void done(void *opaque, int error)
{
        (void)opaque;
        (void)error;
}

/* As a machine: reads, writes, zeroes, discards, flushes, snapshots. */
static void use(GRand *random, const char *path)
{
        static uint8_t bytes[128 << 10];
        struct block_options options = { .format = "qcow2", .cache = BLOCK_CACHE_UNSAFE };
        struct lock lock;
        struct block *block;

        lock_init(&lock, LOCK_RANK_MACHINE, "machine");
        block = block_open(path, &options, &lock, NULL);
        if (block) {
                lock_acquire(&lock);
                for (int i = 0; i < 30 && block_size_bytes(block) >= 1 << 20; i++) {
                        uint64_t offset = (uint64_t)(g_rand_double(random) * (double)MIN(block_size_bytes(block), (uint64_t)64 << 20)) & ~511;
                        size_t size = (size_t)g_rand_int_range(random, 1, sizeof(bytes) / 512) * 512;

                        switch (g_rand_int_range(random, 0, 5)) {
                        case 0: block_read(block, offset, bytes, size, done, NULL); break;
                        case 1: block_write(block, offset, bytes, size, done, NULL); break;
                        case 2: block_write_zeroes(block, offset, size, BLOCK_UNMAP, done, NULL); break;
                        case 3: block_discard(block, offset, size, done, NULL); break;
                        case 4: block_flush(block, done, NULL); break;
                        }
                        block_drain(block);
                }
                block_snapshot_create(block, "new", 0, NULL);
                block_snapshot_apply(block, "one", NULL);
                block_snapshot_delete(block, "one", NULL);
                block_close(block);
                lock_release(&lock);
        }
        lock_destroy(&lock);
}

static void watch(unsigned seconds, unsigned asleep)
{
        setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = seconds }, NULL);
        alarm(asleep);
}

static void one(const char *from, const char *path, const char *raw)
{
        struct image_convert_options convert = { .from = "qcow2", .to = "raw" };
        struct image_progress progress = { .report = convert_progress, .cancel = &cancel };
        GRand *random = g_rand_new_with_seed(seed);
        struct image_check_result result;
        char *bytes;
        gsize size;

        if (!g_file_get_contents(from, &bytes, &size, NULL))
                exit(2);
        size = MIN(size, (gsize)FILE_MOST);
        damage(random, (uint8_t *)bytes, size);
        if (!g_file_set_contents(path, bytes, (gssize)size, NULL))
                exit(2);
        g_free(bytes);
        watch(SECONDS_MOST, SECONDS_ASLEEP);
        image_info_free(image_info(path, NULL, NULL));
        image_check(path, "qcow2", false, NULL, NULL, &result, NULL);
        cancel = false;
        convert_began = g_get_monotonic_time();
        image_convert(path, raw, &convert, &progress, NULL);
        use(random, path);
        image_check(path, "qcow2", true, NULL, NULL, &result, NULL);
        if (seed % 4 == 0)
                image_resize(path, "qcow2", UINT64_C(3) << 20, true, false, NULL);
        watch(0, 0);
        g_rand_free(random);
}

int main(int argc, char **argv)
{
        /* An address space is no memory, but an allocation of everything that a header asks for fails here. */
        struct rlimit files = { (rlim_t)1 << 32, (rlim_t)1 << 32 };
        char *path, *raw, *folder;
        unsigned count, first;

        folder = argc < 4 ? NULL : g_dir_make_tmp("lodger-fuzz-XXXXXX", NULL);
        if (!folder)
                return 2;
        setrlimit(RLIMIT_FSIZE, &files);
        signal(SIGXFSZ, SIG_IGN);
        signal(SIGSEGV, say_seed);
        signal(SIGABRT, say_seed);
        signal(SIGALRM, say_seed);
        signal(SIGPROF, say_seed);
        first = (unsigned)atoi(argv[1]);
        count = (unsigned)atoi(argv[2]);
        path = g_build_filename(folder, "x.qcow2", NULL);
        raw = g_build_filename(folder, "x.raw", NULL);
        for (seed = first; seed - first < count; seed++)
                one(argv[3 + seed % (unsigned)(argc - 3)], path, raw);
        unlink(path);
        unlink(raw);
        rmdir(folder);
        g_free(folder);
        g_free(path);
        g_free(raw);
        return 0;
}
