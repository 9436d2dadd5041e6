/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_log.c - trace lists, trace files, and the rate limit of guest errors. */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "unit.h"

START_TEST(parse_accepts_names)
{
        const char *bad = NULL;

        trace_mask = 0;
        ck_assert(trace_parse("block,irq", &bad));
        ck_assert_uint_eq(trace_mask, 1u << TRACE_BLOCK | 1u << TRACE_IRQ);
        ck_assert(TRACE_ON(IRQ));
        ck_assert(!TRACE_ON(IO));
        ck_assert(trace_parse("all", &bad));
        ck_assert_uint_eq(trace_mask, (1u << TRACE_COUNT) - 1);
}
END_TEST

START_TEST(parse_names_the_bad_word)
{
        const char *bad = NULL;

        trace_mask = 0;
        ck_assert(!trace_parse("block,bogus,irq", &bad));
        ck_assert_str_eq(bad, "bogus");
        ck_assert_uint_eq(trace_mask, 0);
        ck_assert(!trace_parse("block,,irq", &bad));
        ck_assert_str_eq(bad, "");
}
END_TEST

/* Reads and removes the trace file. */
static char *take(const char *path)
{
        char *text = NULL;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        g_unlink(path);
        return text;
}

START_TEST(traces_go_to_the_file)
{
        char path[] = "trace-XXXXXX";
        int fd = mkstemp(path);
        char *text, *big;

        ck_assert_int_ge(fd, 0);
        close(fd);
        ck_assert(trace_open(path));
        trace_mask = 1u << TRACE_IO;
        TRACE(IO, "port %x", 0x3f8);
        TRACE(IRQ, "not this one");
        big = g_strnfill(3000, 'x');
        TRACE(IO, "%s\n", big);
        text = take(path);
        ck_assert(g_str_has_prefix(text, "io: port 3f8\nio: xxxx"));
        ck_assert_uint_eq(strlen(text), strlen("io: port 3f8\nio: \n") + 3000);
        g_free(text);
        g_free(big);
        ck_assert(!trace_open("/nonexistent/file"));
}
END_TEST

START_TEST(guest_errors_are_limited)
{
        char path[] = "trace-XXXXXX";
        int fd = mkstemp(path);
        char *text, **lines;
        guint n;

        ck_assert_int_ge(fd, 0);
        close(fd);
        ck_assert(trace_open(path));
        trace_mask = 0;
        guest_error("pit", "silent unless traced");
        trace_mask = 1u << TRACE_GUEST;
        for (int i = 0; i < 1000; i++)
                guest_error("pit", "write of %d to a reserved bit", i);
        text = take(path);
        ck_assert(g_str_has_prefix(text, "guest: pit: write of 0 to a reserved bit\n"));
        lines = g_strsplit(text, "\n", -1);
        n = g_strv_length(lines);
        /* Twenty a second; the loop may straddle a second or two on a slow machine. */
        ck_assert_uint_ge(n, 20);
        ck_assert_uint_lt(n, 500);
        g_strfreev(lines);
        g_free(text);
}
END_TEST

UNIT_MAIN("log", parse_accepts_names, parse_names_the_bad_word, traces_go_to_the_file, guest_errors_are_limited)
