/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.c - the segments and pages an instruction under test sees, the same in both runners.
 */
#include <string.h>
#include "isa.h"

const struct isa_descriptor isa_ldt[ISA_LDT_ENTRIES] = {
        [ISA_SEL_DATA >> 3] = { .base = ISA_DATA, .limit = 0xffff, .big = true },
        [ISA_SEL_CODE16 >> 3] = { .base = ISA_CODE, .limit = 0xffff, .code = true },
        [ISA_SEL_SMALL >> 3] = { .base = ISA_DATA, .limit = 0x1fff, .big = true },
        [ISA_SEL_STACK16 >> 3] = { .base = ISA_DATA, .limit = 0xffff },
        [ISA_SEL_READONLY >> 3] = { .base = ISA_DATA, .limit = 0xffff, .big = true, .read_only = true },
        [ISA_SEL_EXPAND >> 3] = { .base = ISA_DATA, .limit = 0xfff, .big = true, .expand_down = true },
        [ISA_SEL_ABSENT >> 3] = { .base = ISA_DATA, .limit = 0xffff, .big = true, .absent = true },
        [ISA_SEL_CODE_DATA >> 3] = { .base = ISA_CODE, .limit = 0xffff, .big = true, .read_only = true },
};

/* 0-1 operands, 2 hole, 3 operands (so that accesses cross into a hole from both sides), 4 read-only,
 * 5 hole, 8-b stack.  The last page lets 16-bit addresses wrap at 64 KiB. */
const uint8_t isa_data_pages[ISA_DATA_BYTES / ISA_PAGE] = {
        [0] = ISA_PAGE_RW, [1] = ISA_PAGE_RW, [3] = ISA_PAGE_RW, [4] = ISA_PAGE_RO,
        [8] = ISA_PAGE_RW, [9] = ISA_PAGE_RW, [10] = ISA_PAGE_RW, [11] = ISA_PAGE_RW, [15] = ISA_PAGE_RW,
};

enum { STACK_FIRST_PAGE = 8 };

void isa_data_base(uint8_t *data)
{
        uint32_t x = 0x2545f491;

        for (unsigned i = 0; i < ISA_DATA_BYTES; i++) {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                data[i] = (uint8_t)(x >> 11);
        }
}

void isa_apply_patches(const struct isa_case *c, uint8_t *data)
{
        for (unsigned i = 0; i < c->patches; i++)
                memcpy(data + (c->patch[i].address - ISA_DATA), c->patch[i].bytes, c->patch[i].size);
}

/* One span over the given pages.  before: base with the patches applied. */
static void diff_pages(unsigned first, unsigned last, const uint8_t *before, const uint8_t *data, struct isa_diff *diff)
{
        unsigned low = ISA_DATA_BYTES, high = 0;

        for (unsigned page = first; page <= last; page++) {
                if (isa_data_pages[page] != ISA_PAGE_RW || !memcmp(before + page * ISA_PAGE, data + page * ISA_PAGE, ISA_PAGE))
                        continue;
                for (unsigned i = page * ISA_PAGE; i < (page + 1) * ISA_PAGE; i++) {
                        if (before[i] == data[i])
                                continue;
                        if (i < low)
                                low = i;
                        high = i + 1;
                }
        }
        memset(diff, 0, sizeof(*diff));
        if (high == 0)
                return;
        diff->start = ISA_DATA + low;
        diff->size = high - low;
        for (unsigned i = 0; i < diff->size && i < ISA_DIFF_BYTES; i++)
                diff->bytes[i] = isa_data_pages[(low + i) / ISA_PAGE] == ISA_PAGE_RW ? data[low + i] : 0;
}

void isa_diff_data(const struct isa_case *c, const uint8_t *base, const uint8_t *data, struct isa_result *result)
{
        static uint8_t before[ISA_DATA_BYTES];
        static bool ready;

        if (!ready) {
                memcpy(before, base, sizeof(before));
                ready = true;
        }
        isa_apply_patches(c, before);
        diff_pages(0, STACK_FIRST_PAGE - 1, before, data, &result->data);
        diff_pages(STACK_FIRST_PAGE, ISA_DATA_BYTES / ISA_PAGE - 1, before, data, &result->stack);
        for (unsigned i = 0; i < c->patches; i++)
                memcpy(before + (c->patch[i].address - ISA_DATA), base + (c->patch[i].address - ISA_DATA), c->patch[i].size);
}
