/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * workload.c - what bench/run measures: the same static program natively and as a guest's only process.
 *
 *   workload [MILLISECONDS [NAME...]]
 *
 * Each line it prints is "NAME NANOSECONDS", the time of one operation: the least of several rounds, each of
 * about MILLISECONDS (default 20), so that a slow guest takes no longer than a fast one.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5, PAGE = 4096, CHECK_BYTES = 1 << 16, RING = 1 << 16, SORTED = 4096, TABLE = 1 << 13, SIDE = 48, COPY_BYTES = 1 << 20,
       FAULT_PAGES = 256 };

struct workload {
        const char *name;
        void (*run)(uint64_t count);    /* so many operations */
        void (*prepare)(void);
        void (*finish)(void);
};

/* Results go here, so that no compiler may leave the work out. */
static volatile uint64_t result;

static void fail(const char *what)
{
        perror(what);
        exit(1);
}

static uint32_t next_random(uint32_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        return *state;
}

/* -- Integer work ------------------------------------------------------------------------------ */

__attribute__((noinline)) static unsigned fibonacci(unsigned n)
{
        if (n < 2)
                return n;
        unsigned before = fibonacci(n - 2);
        __asm__ volatile("" : "+r"(n));         /* both calls stay calls */
        return before + fibonacci(n - 1);
}

static void run_fib(uint64_t count)
{
        while (count--)
                result += fibonacci(16);
}

static uint32_t crc_of[256];
static uint8_t *checked_bytes;

static void prepare_crc32(void)
{
        uint32_t state = 99;

        for (unsigned byte = 0; byte < 256; byte++) {
                uint32_t remainder = byte;
                for (int bit = 0; bit < 8; bit++)
                        remainder = remainder >> 1 ^ (remainder & 1 ? 0xedb88320u : 0);
                crc_of[byte] = remainder;
        }
        checked_bytes = malloc(CHECK_BYTES);
        for (unsigned i = 0; i < CHECK_BYTES; i++)
                checked_bytes[i] = (uint8_t)next_random(&state);
}

static void run_crc32(uint64_t count)
{
        while (count--) {
                uint32_t remainder = 0xffffffff;
                for (const uint8_t *p = checked_bytes; p < checked_bytes + CHECK_BYTES; p++)
                        remainder = crc_of[(uint8_t)(remainder ^ *p)] ^ remainder >> 8;
                result += remainder;
        }
}

static void finish_crc32(void) { free(checked_bytes); }

static uint32_t step_add(uint32_t x) { return x + 0x9e37; }
static uint32_t step_rotate(uint32_t x) { return x << 7 | x >> 25; }
static uint32_t step_invert(uint32_t x) { return ~x; }
static uint32_t step_scale(uint32_t x) { return x * 5; }
static uint32_t (*volatile steps[])(uint32_t) = { step_add, step_rotate, step_invert, step_scale };

static void run_indirect(uint64_t count)
{
        uint32_t x = 1;

        for (uint64_t i = 0; i < count; i++)
                x = steps[i & 3](x);
        result += x;
}

static uint32_t *ring;

/* One cycle through all elements, in random order (Sattolo's shuffle). */
static void prepare_chase(void)
{
        uint32_t state = 2024;

        ring = malloc(RING * sizeof *ring);
        for (uint32_t i = 0; i < RING; i++)
                ring[i] = i;
        for (uint32_t i = RING - 1; i > 0; i--) {
                uint32_t other = next_random(&state) % i, kept = ring[i];
                ring[i] = ring[other];
                ring[other] = kept;
        }
}

static void run_chase(uint64_t count)
{
        uint32_t at = 0;

        while (count--)
                at = ring[at];
        result += at;
}

static void finish_chase(void) { free(ring); }

static int by_value(const void *a, const void *b)
{
        uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

        return left < right ? -1 : left > right;
}

static void run_qsort(uint64_t count)
{
        static uint32_t values[SORTED];
        uint32_t state = 7;

        while (count--) {
                for (unsigned i = 0; i < SORTED; i++)
                        values[i] = next_random(&state);
                qsort(values, SORTED, sizeof values[0], by_value);
                result += values[SORTED / 2];
        }
}

/* Open addressing with linear probing; old keys are overwritten when a run of slots is full. */
static void run_hash(uint64_t count)
{
        static uint32_t slot[TABLE];
        uint32_t state = 31337;

        while (count--) {
                uint32_t key = next_random(&state), at = key * 0x9e3779b1u >> 19;
                for (unsigned tries = 0; tries < 6 && slot[at] != 0 && slot[at] != key; tries++)
                        at = (at + 1) % TABLE;
                slot[at] = key;
        }
        result += slot[5];
}

/* -- Floating point and bulk memory ------------------------------------------------------------- */

static void run_matmul(uint64_t count)
{
        static double left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];

        for (unsigned row = 0; row < SIDE; row++)
                for (unsigned column = 0; column < SIDE; column++) {
                        left[row][column] = row * 0.5 + column;
                        right[row][column] = (double)row - column * 0.25;
                }
        while (count--)
                for (unsigned row = 0; row < SIDE; row++)
                        for (unsigned column = 0; column < SIDE; column++) {
                                double sum = 0;
                                for (unsigned i = 0; i < SIDE; i++)
                                        sum += left[row][i] * right[i][column];
                                product[row][column] = sum;
                        }
        result += (uint64_t)(int64_t)product[1][2];
}

static uint8_t *copy_from, *copy_to;

static void prepare_memcpy(void)
{
        copy_from = malloc(COPY_BYTES);
        copy_to = malloc(COPY_BYTES);
        memset(copy_from, 0x5a, COPY_BYTES);
        memset(copy_to, 1, COPY_BYTES);
}

static void run_memcpy(uint64_t count)
{
        while (count--) {
                memcpy(copy_to, copy_from, COPY_BYTES);
                result += copy_to[count % COPY_BYTES];
        }
}

static void finish_memcpy(void)
{
        free(copy_from);
        free(copy_to);
}

/* -- The kernel's work ---------------------------------------------------------------------------- */

static void run_syscall(uint64_t count)
{
        while (count--)
                syscall(SYS_getppid);
}

/* An operation is FAULT_PAGES first touches, with the mapping made and undone. */
static void run_pgfault(uint64_t count)
{
        while (count--) {
                volatile uint8_t *pages = mmap(NULL, FAULT_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (pages == MAP_FAILED)
                        fail("mmap");
                madvise((void *)(uintptr_t)pages, FAULT_PAGES * PAGE, MADV_NOHUGEPAGE);
                for (unsigned i = 0; i < FAULT_PAGES; i++)
                        pages[i * PAGE] = 1;
                munmap((void *)(uintptr_t)pages, FAULT_PAGES * PAGE);
        }
}

static volatile uint8_t *protected_page;

static void prepare_mprotect(void)
{
        protected_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (protected_page == MAP_FAILED)
                fail("mmap");
}

static void run_mprotect(uint64_t count)
{
        while (count--) {
                *protected_page = (uint8_t)count;
                if (mprotect((void *)(uintptr_t)protected_page, PAGE, PROT_READ) ||
                    mprotect((void *)(uintptr_t)protected_page, PAGE, PROT_READ | PROT_WRITE))
                        fail("mprotect");
        }
}

static int question[2], answer[2];
static pid_t echo;

static void prepare_pipe(void)
{
        char byte;

        if (pipe(question) || pipe(answer) || (echo = fork()) < 0)
                fail("pipe");
        if (echo)
                return;
        close(question[1]);
        while (read(question[0], &byte, 1) == 1 && write(answer[1], &byte, 1) == 1)
                ;
        _exit(0);
}

static void run_pipe(uint64_t count)
{
        char byte = 'x';

        while (count--)
                if (write(question[1], &byte, 1) != 1 || read(answer[0], &byte, 1) != 1)
                        fail("pipe");
}

static void finish_pipe(void)
{
        close(question[1]);
        waitpid(echo, NULL, 0);
}

static void run_forkwait(uint64_t count)
{
        while (count--) {
                pid_t child = fork();
                if (child == 0)
                        _exit(0);
                if (child < 0 || waitpid(child, NULL, 0) != child)
                        fail("fork");
        }
}

/* -- Measuring ---------------------------------------------------------------------------------- */

static const struct workload workloads[] = {
        { "fib", run_fib, NULL, NULL },
        { "crc32", run_crc32, prepare_crc32, finish_crc32 },
        { "indirect", run_indirect, NULL, NULL },
        { "chase", run_chase, prepare_chase, finish_chase },
        { "qsort", run_qsort, NULL, NULL },
        { "hash", run_hash, NULL, NULL },
        { "matmul", run_matmul, NULL, NULL },
        { "memcpy", run_memcpy, prepare_memcpy, finish_memcpy },
        { "syscall", run_syscall, NULL, NULL },
        { "pgfault", run_pgfault, NULL, NULL },
        { "mprotect", run_mprotect, prepare_mprotect, NULL },
        { "pipe", run_pipe, prepare_pipe, finish_pipe },
        { "forkwait", run_forkwait, NULL, NULL },
};

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t time_of(const struct workload *workload, uint64_t count)
{
        uint64_t begin = now_ns();

        workload->run(count);
        return now_ns() - begin;
}

static void measure(const struct workload *workload, uint64_t round_ns)
{
        uint64_t count = 1, took;
        double best = 0;

        if (workload->prepare)
                workload->prepare();
        while ((took = time_of(workload, count)) < round_ns / 4)
                count *= 2;
        count = count * round_ns / (took ? took : 1);
        if (count == 0)
                count = 1;
        for (int round = 0; round < ROUNDS; round++) {
                double each = (double)time_of(workload, count) / (double)count;
                if (round == 0 || each < best)
                        best = each;
        }
        printf("%s %.1f\n", workload->name, best);
        fflush(stdout);
        if (workload->finish)
                workload->finish();
}

static bool wanted(const char *name, int count, char **names)
{
        for (int i = 0; i < count; i++)
                if (!strcmp(names[i], name))
                        return true;
        return count == 0;
}

int main(int argc, char **argv)
{
        uint64_t round_ns = (uint64_t)(argc > 1 ? atoi(argv[1]) : 20) * 1000000u;

        for (unsigned i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
                if (wanted(workloads[i].name, argc > 2 ? argc - 2 : 0, argv + 2))
                        measure(&workloads[i], round_ns);
        return 0;
}
