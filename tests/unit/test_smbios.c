/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_smbios.c - the tables are well-formed whatever the machine's size. */
#include <string.h>
#include "machine/smbios.h"
#include "unit.h"

static uint8_t sum(const uint8_t *bytes, size_t size)
{
        uint8_t total = 0;

        while (size--)
                total = (uint8_t)(total + *bytes++);
        return total;
}

static void check(const char *uuid, unsigned cpus, uint64_t low, uint64_t all)
{
        struct smbios_tables smbios;
        gsize size, anchor_size;
        unsigned count = 0, types[256] = { 0 };

        smbios_build(uuid, cpus, low, all, &smbios);
        const uint8_t *anchor = g_bytes_get_data(smbios.anchor, &anchor_size);
        const uint8_t *at = g_bytes_get_data(smbios.tables, &size), *end = at + size;
        ck_assert_uint_eq(anchor_size, 0x1f);
        ck_assert(!memcmp(anchor, "_SM_", 4) && !memcmp(anchor + 0x10, "_DMI_", 5));
        ck_assert_uint_eq(sum(anchor, 0x1f), 0);
        ck_assert_uint_eq(sum(anchor + 0x10, 0xf), 0);
        ck_assert_uint_eq(anchor[0x16] | anchor[0x17] << 8, size);
        while (at < end) {
                const uint8_t *next = at + at[1];

                ck_assert_uint_ge(at[1], 4);
                types[at[0]]++;
                count++;
                while (next + 1 < end && (next[0] || next[1]))
                        next++;
                ck_assert(next + 2 <= end);
                ck_assert_uint_le(next + 2 - at, anchor[8] | anchor[9] << 8);
                at = next + 2;
        }
        ck_assert_uint_eq(count, anchor[0x1c] | anchor[0x1d] << 8);
        ck_assert_uint_eq(types[4], cpus);
        ck_assert_uint_eq(types[1], 1);
        ck_assert_uint_eq(types[19], all > low ? 2 : 1);
        ck_assert_uint_eq(types[127], 1);
        g_bytes_unref(smbios.anchor);
        g_bytes_unref(smbios.tables);
}

START_TEST(tables_hold_together)
{
        check(NULL, 1, 64 << 20, 64 << 20);
        check("00112233-4455-6677-8899-aabbccddeeff", 4, UINT64_C(3) << 30, UINT64_C(8) << 30);
        check(NULL, 255, UINT64_C(3) << 30, UINT64_C(4) << 40);
}
END_TEST

UNIT_MAIN("smbios", tables_hold_together)
