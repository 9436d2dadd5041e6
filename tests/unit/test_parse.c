/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_parse.c - option values as people write them, and as they mistype them. */
#include <stddef.h>
#include "library/parse.h"
#include "unit.h"

START_TEST(sizes)
{
        static const struct {
                const char *text;
                uint64_t bytes;
        } good[] = {
                { "512M", UINT64_C(512) << 20 }, { "2G", UINT64_C(2) << 30 }, { "2g", UINT64_C(2) << 30 },
                { "64MiB", UINT64_C(64) << 20 }, { "64MB", UINT64_C(64) << 20 }, { "65536K", UINT64_C(64) << 20 },
                { "1T", UINT64_C(1) << 40 }, { "1048576", 1048576 }, { "0", 0 },
        };
        static const char *const bad[] = {
                "", "banana", "M", "-1M", "+1M", " 1M", "1 M", "1MM", "1X", "1.5G", "0x100M", "99999999999999999999",
                "99999999999T", "1Mi",
        };
        uint64_t bytes;

        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
                ck_assert_msg(parse_size(good[i].text, &bytes), "%s", good[i].text);
                ck_assert_uint_eq(bytes, good[i].bytes);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                ck_assert_msg(!parse_size(bad[i], &bytes), "%s", bad[i]);
}
END_TEST

START_TEST(durations)
{
        static const char *const bad[] = { "", "soon", "-1", "0", "0s", "inf", "nan", "1d", "10 m", "0x10", "1e999", "m" };
        double seconds;

        ck_assert(parse_duration("10m", &seconds) && seconds == 600);
        ck_assert(parse_duration("90", &seconds) && seconds == 90);
        ck_assert(parse_duration("90s", &seconds) && seconds == 90);
        ck_assert(parse_duration("1.5h", &seconds) && seconds == 5400);
        ck_assert(parse_duration("0.5", &seconds) && seconds == 0.5);
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                ck_assert_msg(!parse_duration(bad[i], &seconds), "%s", bad[i]);
}
END_TEST

START_TEST(serial_ports)
{
        ck_assert(parse_serial("stdio"));
        ck_assert(parse_serial("pty"));
        ck_assert(parse_serial("none"));
        ck_assert(parse_serial("file:x"));
        ck_assert(parse_serial("unix:/tmp/s"));
        ck_assert(!parse_serial(""));
        ck_assert(!parse_serial("file:"));
        ck_assert(!parse_serial("unix"));
        ck_assert(!parse_serial("nosuch:x"));
        ck_assert(!parse_serial("stdiox"));
}
END_TEST

START_TEST(debug_consoles)
{
        ck_assert(parse_debug_console("out.txt"));
        ck_assert(parse_debug_console("out.txt,port=0xe9"));
        ck_assert(parse_debug_console("a,b,port=1026"));
        ck_assert(!parse_debug_console(""));
        ck_assert(!parse_debug_console(",port=0xe9"));
        ck_assert(!parse_debug_console("x,port="));
        ck_assert(!parse_debug_console("x,port=-1"));
        ck_assert(!parse_debug_console("x,port=0x10000"));
        ck_assert(!parse_debug_console("x,port=e9"));
}
END_TEST

START_TEST(names)
{
        ck_assert(parse_name("debian-12"));
        ck_assert(parse_name("7"));
        ck_assert(!parse_name(""));
        ck_assert(!parse_name("a/b"));
        ck_assert(!parse_name("../x"));
        ck_assert(!parse_name(".x"));
        ck_assert(!parse_name("a b"));
        ck_assert(!parse_name("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
END_TEST

UNIT_MAIN("parse", sizes, durations, serial_ports, debug_consoles, names)
