/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world64.c - what both runners of the 64-bit tests do to DATA before and after a case.
 */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "isa64.h"

enum { ARCH_GET_FS_CODE = 0x1003 };

uint64_t isa64_fs_base(void)
{
        uint64_t base = 0;

        syscall(SYS_arch_prctl, ARCH_GET_FS_CODE, &base);
        return base;
}

void isa64_apply(const struct isa64_case *c, uint8_t *data)
{
        for (unsigned i = 0; i < c->patches; i++)
                memcpy(data + c->patch[i].offset, c->patch[i].bytes, c->patch[i].size);
}

static void take_back(const struct isa64_case *c, const uint8_t *base, uint8_t *data)
{
        for (unsigned i = 0; i < c->patches; i++)
                memcpy(data + c->patch[i].offset, base + c->patch[i].offset, c->patch[i].size);
}

void isa64_collect(const struct isa64_case *c, const uint8_t *base, uint8_t *data, struct isa64_result *result)
{
        static uint8_t before[ISA_DATA_BYTES];
        static bool ready;

        if (!ready) {
                memcpy(before, base, sizeof(before));
                ready = true;
        }
        isa64_apply(c, before);
        result->first = 1;
        result->last = 0;
        result->hash = 0;
        memset(result->bytes, 0, sizeof(result->bytes));
        for (unsigned page = 0; page < ISA_DATA_BYTES; page += ISA_PAGE) {
                if (!memcmp(before + page, data + page, ISA_PAGE))
                        continue;
                for (unsigned i = page; i < page + ISA_PAGE; i++) {
                        if (before[i] == data[i])
                                continue;
                        if (result->last < result->first)
                                result->first = i;
                        result->last = i;
                }
        }
        if (result->first <= result->last) {
                for (unsigned i = result->first; i <= result->last; i++) {
                        result->hash = (result->hash ^ data[i]) * UINT64_C(0x100000001b3);
                        if (i - result->first < sizeof(result->bytes))
                                result->bytes[i - result->first] = data[i];
                }
                memcpy(data + result->first, base + result->first, result->last - result->first + 1);
        }
        take_back(c, base, before);
        take_back(c, base, data);
}
