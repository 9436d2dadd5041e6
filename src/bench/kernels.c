/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernels.c - small pieces of user-mode work.  Compiled once, freestanding, so that what runs in the guest is to the
 * byte what runs natively.
 */
#include "bench/kernels.h"

enum { ROUNDS = 25, CHECKED = 4096, RING = 1 << 16, SORTED = 1024, COPIED = 256 * 1024, SIDE = 32 };

static uint32_t next_random(uint32_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        return *state;
}

/* -- Integers ------------------------------------------------------------------------------------ */

/* The 111 steps of the 3n+1 sequence from 27: arithmetic and branches, no memory. */
static uint64_t work_integer(uint64_t count)
{
        uint64_t steps = 0;

        while (count--) {
                uint64_t x = 27;
                __asm__ volatile("" : "+r"(x));
                for (; x != 1; steps++)
                        x = x & 1 ? 3 * x + 1 : x / 2;
        }
        return steps;
}

static uint64_t work_checksum(uint64_t count)
{
        static uint32_t table[256];
        static uint8_t bytes[CHECKED];
        uint32_t crc = 0;

        for (uint32_t i = 0; i < 256; i++) {
                uint32_t remainder = i;
                for (int bit = 0; bit < 8; bit++)
                        remainder = remainder & 1 ? remainder >> 1 ^ 0x82f63b78u : remainder >> 1;
                table[i] = remainder;
        }
        while (count--)
                for (unsigned i = 0; i < CHECKED; i++)
                        crc = table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
        return crc;
}

__attribute__((noinline)) static uint64_t tree_nodes(unsigned depth)
{
        uint64_t left;

        if (!depth)
                return 1;
        left = tree_nodes(depth - 1);
        __asm__ volatile("" : "+r"(depth));
        return left + tree_nodes(depth - 1) + 1;
}

static uint64_t work_calls(uint64_t count)
{
        uint64_t nodes = 0;

        while (count--)
                nodes += tree_nodes(10);
        return nodes;
}

static uint64_t twist_a(uint64_t x) { return x + 12345; }
static uint64_t twist_b(uint64_t x) { return x ^ x >> 3; }
static uint64_t twist_c(uint64_t x) { return x * 9; }
static uint64_t twist_d(uint64_t x) { return ~x; }
static bench_work *volatile twists[4] = { twist_a, twist_b, twist_c, twist_d };

static uint64_t work_indirect(uint64_t count)
{
        uint64_t x = 1;

        for (uint64_t i = 0; i < count; i++)
                x = twists[i & 3](x);
        return x;
}

/* -- Memory -------------------------------------------------------------------------------------- */

static void sort(uint32_t *values, int first, int last)
{
        while (first < last) {
                uint32_t pivot = values[first + (last - first) / 2];
                int i = first, j = last;

                while (i <= j) {
                        while (values[i] < pivot)
                                i++;
                        while (values[j] > pivot)
                                j--;
                        if (i <= j) {
                                uint32_t kept = values[i];
                                values[i++] = values[j];
                                values[j--] = kept;
                        }
                }
                sort(values, first, j);
                first = i;
        }
}

static uint64_t work_sort(uint64_t count)
{
        static uint32_t values[SORTED];
        uint32_t state = 5;

        while (count--) {
                for (unsigned i = 0; i < SORTED; i++)
                        values[i] = next_random(&state);
                sort(values, 0, SORTED - 1);
        }
        return values[SORTED / 2];
}

/* Every load waits for the one before: a cycle through all elements in random order. */
static uint64_t work_chase(uint64_t count)
{
        static uint32_t next[RING];
        static int made;
        uint32_t state = 77, at = 0;

        if (!made) {
                for (uint32_t i = 0; i < RING; i++)
                        next[i] = i;
                for (uint32_t i = RING - 1; i > 0; i--) {
                        uint32_t other = next_random(&state) % i, kept = next[i];
                        next[i] = next[other];
                        next[other] = kept;
                }
                made = 1;
        }
        while (count--)
                at = next[at];
        return at;
}

static uint64_t work_copy(uint64_t count)
{
        static uint8_t from[COPIED], to[COPIED];

        while (count--) {
                uint8_t *target = to, *source = from;
                uint64_t bytes = COPIED;
                __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(bytes) : : "memory");
        }
        return to[1];
}

/* -- Floating point ------------------------------------------------------------------------------ */

static uint64_t work_matrix(uint64_t count)
{
        static double left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];

        for (int i = 0; i < SIDE; i++)
                for (int j = 0; j < SIDE; j++) {
                        left[i][j] = i - j * 0.5;
                        right[i][j] = i * 0.25 + j;
                }
        while (count--)
                for (int i = 0; i < SIDE; i++)
                        for (int j = 0; j < SIDE; j++) {
                                double sum = 0;
                                for (int k = 0; k < SIDE; k++)
                                        sum += left[i][k] * right[k][j];
                                product[i][j] = sum;
                        }
        return (uint64_t)(int64_t)product[3][4];
}

const struct bench_kernel bench_kernels[BENCH_KERNELS] = {
        { "integer", work_integer }, { "checksum", work_checksum }, { "calls", work_calls }, { "indirect", work_indirect },
        { "sort", work_sort }, { "chase", work_chase }, { "copy", work_copy }, { "matrix", work_matrix },
};

/* -- Measuring ----------------------------------------------------------------------------------- */

static uint64_t cycles_of(bench_work *work, uint64_t count)
{
        uint64_t begin = __builtin_ia32_rdtsc(), result = work(count);

        __asm__ volatile("" : : "r"(result));
        return __builtin_ia32_rdtsc() - begin;
}

uint64_t bench_measure(bench_work *work, uint64_t round_cycles)
{
        uint64_t count = 1, took, best = UINT64_MAX;

        while ((took = cycles_of(work, count)) < round_cycles / 4)
                count *= 2;
        count = count * (round_cycles / 1024) / (took / 1024 + 1);
        count = count ? count : 1;
        for (int round = 0; round < ROUNDS; round++) {
                took = cycles_of(work, count);
                best = took < best ? took : best;
        }
        return best > UINT64_MAX / 1000 ? UINT64_MAX : best * 1000 / count;
}
