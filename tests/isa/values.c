/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * values.c - operand values: random ones, and the corners where instructions go wrong.
 */
#include <string.h>
#include "generate.h"

/* -- Randomness: splitmix64, seeded by form and number ------------------------------------------ */

static uint64_t next64(struct isa_random *random)
{
        uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

void isa_random_seed(struct isa_random *random, uint64_t seed, const char *form, unsigned n)
{
        uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325);

        for (; *form; form++)
                hash = (hash ^ (uint8_t)*form) * UINT64_C(0x100000001b3);
        random->state = hash ^ ((uint64_t)n << 40);
}

unsigned isa_random(struct isa_random *random)
{
        return (unsigned)(next64(random) >> 33);
}

uint32_t isa_random32(struct isa_random *random)
{
        return (uint32_t)(next64(random) >> 32);
}

bool isa_chance(struct isa_random *random, unsigned of, unsigned in)
{
        return isa_random(random) % in < of;
}

/* -- Integers ---------------------------------------------------------------------------------- */

uint8_t isa_interesting_byte(struct isa_random *random)
{
        static const uint8_t corners[] = { 0, 1, 2, 7, 8, 15, 16, 31, 32, 0x7f, 0x80, 0x81, 0xfe, 0xff };

        return isa_chance(random, 1, 3) ? corners[isa_random(random) % sizeof(corners)] : (uint8_t)isa_random(random);
}

uint32_t isa_interesting32(struct isa_random *random)
{
        static const uint32_t corners[] = {
                0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x80000001,
                0xfffffffe, 0xffffffff, 0x55555555, 0xaaaaaaaa, 0x00ff00ff, 0x80008000, 31, 32, 33, 0x09090909, 0x99999999,
        };

        if (isa_chance(random, 1, 3))
                return corners[isa_random(random) % (sizeof(corners) / sizeof(corners[0]))];
        if (isa_chance(random, 1, 4))
                return isa_random(random) % 256;
        return isa_random32(random);
}

void isa_fill_integers(struct isa_random *random, uint8_t *bytes, unsigned size)
{
        for (unsigned i = 0; i + 4 <= size; i += 4) {
                uint32_t value = isa_interesting32(random);

                memcpy(bytes + i, &value, 4);
        }
        for (unsigned i = size & ~3u; i < size; i++)
                bytes[i] = isa_interesting_byte(random);
}

/* -- Floating point ---------------------------------------------------------------------------- */

static uint32_t pick_single(struct isa_random *random)
{
        static const uint32_t corners[] = {
                0, 0x80000000, 0x3f800000, 0xbf800000, 0x00000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0x7f800000,
                0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x4f000000, 0xcf000000, 0x4b000001, 0x3f000000,
        };

        if (isa_chance(random, 1, 2))
                return corners[isa_random(random) % (sizeof(corners) / sizeof(corners[0]))];
        /* Exponents near 1, so that sums round and conversions fit. */
        return (isa_random32(random) & 0x807fffff) | (0x70u + isa_random(random) % 32) << 23;
}

static uint64_t pick_double(struct isa_random *random)
{
        static const uint64_t corners[] = {
                0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 1, 0x000fffffffffffff, 0x0010000000000000,
                0x7fefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000000,
                0x7ff0000000000001, 0xfff7ffffffffffff, 0x41e0000000000000, 0xc1e0000000000000, 0x43e0000000000000,
                0x4330000000000001, 0x3fe0000000000000, 0x36a0000000000000, 0x47f0000000000000,
        };

        if (isa_chance(random, 1, 2))
                return corners[isa_random(random) % (sizeof(corners) / sizeof(corners[0]))];
        return (next64(random) & 0x800fffffffffffff) | (uint64_t)(0x3f0 + isa_random(random) % 64) << 52;
}

/* 10 bytes. */
static void pick_extended(struct isa_random *random, uint8_t *bytes)
{
        static const struct { uint64_t significand; uint16_t exponent; } corners[] = {
                { 0, 0 }, { 0, 0x8000 }, { 0x8000000000000000, 0x3fff }, { 0x8000000000000000, 0xbfff },
                { 1, 0 }, { 0x7fffffffffffffff, 0 }, { 0x8000000000000000, 0 } /* pseudo-denormal */,
                { 0x8000000000000000, 1 }, { 0xffffffffffffffff, 0x7ffe }, { 0x8000000000000000, 0x7fff },
                { 0x8000000000000000, 0xffff }, { 0xc000000000000000, 0x7fff }, { 0xc000000000000000, 0xffff },
                { 0x8000000000000001, 0x7fff }, { 0xbfffffffffffffff, 0xffff }, { 0x7fffffffffffffff, 0x4000 } /* unnormal */,
                { 0, 0x7fff } /* pseudo-infinity */, { 0x4000000000000000, 0x7fff } /* pseudo-NaN */,
                { 0xc90fdaa22168c235, 0x4000 }, { 0x8000000000000000, 0x401e }, { 0x8000000000000000, 0x403e },
        };
        uint64_t significand;
        uint16_t exponent;

        if (isa_chance(random, 1, 2)) {
                unsigned i = isa_random(random) % (sizeof(corners) / sizeof(corners[0]));

                significand = corners[i].significand;
                exponent = corners[i].exponent;
        } else {
                significand = next64(random) | UINT64_C(1) << 63;
                if (isa_chance(random, 1, 2))
                        significand &= ~UINT64_C(0) << (isa_random(random) % 60);
                exponent = (uint16_t)((0x3ff0 + isa_random(random) % 80) | (isa_random(random) & 0x8000));
        }
        memcpy(bytes, &significand, 8);
        memcpy(bytes + 8, &exponent, 2);
}

void isa_fill_floats(struct isa_random *random, uint8_t *bytes, unsigned size, unsigned width)
{
        unsigned kind = isa_random(random) % 4;

        isa_fill_integers(random, bytes, size);
        if (width == 10) {
                if (kind && size >= 10)
                        pick_extended(random, bytes);
                return;
        }
        if (width == 4 && kind)
                kind = 1;
        if (kind == 1)
                for (unsigned i = 0; i + 4 <= size; i += 4) {
                        uint32_t value = pick_single(random);

                        memcpy(bytes + i, &value, 4);
                }
        if (kind == 2)
                for (unsigned i = 0; i + 8 <= size; i += 8) {
                        uint64_t value = pick_double(random);

                        memcpy(bytes + i, &value, 8);
                }
}

void isa_fill_fx(struct isa_random *random, struct isa_fx *fx, bool mmx, bool unmasked, bool pending)
{
        uint16_t masks = 0x3f;

        memset(fx, 0, sizeof(*fx));
        if (unmasked)
                masks = (uint16_t)(isa_random(random) & 0x3f);
        fx->fcw = (uint16_t)(0x40 | masks | (isa_random(random) & 0xc00) | (isa_chance(random, 2, 3) ? 0x300 : isa_random(random) & 0x300));
        fx->fsw = (uint16_t)((isa_random(random) & 0x7f00) & ~0x8000u);
        if (isa_chance(random, 1, 3))
                fx->fsw |= (uint16_t)(isa_random(random) & masks);      /* sticky flags of masked exceptions */
        if (pending) {
                fx->fcw &= (uint16_t)~1u;
                fx->fsw |= 0x8081;                                      /* ES and B follow from FCW and the flags */
        }
        fx->ftw = isa_chance(random, 2, 3) ? 0xff : (uint8_t)isa_random(random);
        fx->fop = (uint16_t)(isa_random(random) & 0x7ff);
        fx->ip = isa_random32(random);
        fx->dp = isa_random32(random);
        fx->mxcsr = 0x1f80 | (isa_random32(random) & 0x603f);
        if (isa_chance(random, 1, 6))
                fx->mxcsr |= isa_random32(random) & 0x8040;             /* FTZ, DAZ */
        if (unmasked)
                fx->mxcsr = (fx->mxcsr & ~0x1f80u & ~0x3fu) | (isa_random32(random) & 0x1f80);
        for (unsigned i = 0; i < 8; i++) {
                if (mmx) {
                        isa_fill_integers(random, fx->st[i], 8);
                        memset(fx->st[i] + 8, 0xff, 2);
                } else {
                        pick_extended(random, fx->st[i]);
                }
                isa_fill_floats(random, fx->xmm[i], 16, 0);
        }
}
