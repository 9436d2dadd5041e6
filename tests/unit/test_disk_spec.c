/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_disk_spec.c - options behind a disk's file name, names with commas, values that are none. */
#include <string.h>

#include "machine/disk_spec.h"
#include "unit.h"

START_TEST(options_are_taken_from_the_end)
{
        struct disk_spec spec;

        ck_assert(disk_spec_parse("a,b=c,readonly.img,bus=ahci,serial=X-1,readonly,cache=none,bootindex=7,discard=off", &spec, NULL));
        ck_assert_str_eq(spec.path, "a,b=c,readonly.img");
        ck_assert_int_eq(spec.bus, DISK_BUS_AHCI);
        ck_assert_str_eq(spec.options.serial, "X-1");
        ck_assert(spec.options.read_only && !spec.options.throwaway && spec.options.no_discard);
        ck_assert_int_eq(spec.options.cache, BLOCK_CACHE_NONE);
        ck_assert_int_eq(spec.boot_index, 7);
        disk_spec_clear(&spec);
        ck_assert(disk_spec_parse("plain", &spec, NULL));
        ck_assert_str_eq(spec.path, "plain");
        ck_assert_int_eq(spec.bus, DISK_BUS_DEFAULT);
        ck_assert_int_eq(spec.boot_index, -1);
        ck_assert_ptr_null(spec.options.format);
        disk_spec_clear(&spec);
        ck_assert(disk_spec_parse("x,throwaway,bus=scsi,bus=virtio", &spec, NULL));
        ck_assert(spec.options.throwaway);
        disk_spec_clear(&spec);
}
END_TEST

START_TEST(bad_values_are_refused)
{
        static const char *const bad[] = {
                "x,bus=usb", "x,bus=", "x,cache=maybe", "x,discard=1", "x,bootindex=-1", "x,bootindex=a", "x,bootindex=10000",
                "x,serial=", "x,serial=a\tb", "x,serial=123456789012345678901", "x,format=",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                struct disk_spec spec;
                GError *error = NULL;

                ck_assert_msg(!disk_spec_parse(bad[i], &spec, &error), "%s", bad[i]);
                ck_assert(strstr(error->message, bad[i] + 2) != NULL);
                g_error_free(error);
        }
}
END_TEST

UNIT_MAIN("disk spec", options_are_taken_from_the_end, bad_values_are_refused)
