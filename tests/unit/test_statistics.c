/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_statistics.c - the counters say what has happened, and why. */
#include "dbt_fixture.h"
#include "unit.h"

/* The number in the line that starts with `name`; 0: there is no such line. */
static uint64_t counted(const char *name)
{
        GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
        uint64_t value = 0;

        dbt_statistics(dbt, lines);
        for (guint i = 0; i < lines->len; i++) {
                const char *line = g_ptr_array_index(lines, i);
                ck_assert(g_str_has_suffix(line, "\n"));
                if (g_str_has_prefix(line, name) && line[strlen(name)] == ':')
                        value = g_ascii_strtoull(line + strlen(name) + 1, NULL, 10);
        }
        g_ptr_array_free(lines, TRUE);
        return value;
}

START_TEST(instructions_in_c)
{
        dbt_fixture_open((struct dbt_options){ 0 });
        RUN("\x0f\xa2\x0f\xa2\xec\xee\xf4");    /* cpuid; cpuid; in al, dx; out dx, al; hlt */
        ck_assert_uint_eq(counted("executed in C: cpuid"), 2);
        ck_assert_uint_eq(counted("executed in C: in AL,DX"), 1);
        ck_assert_uint_eq(counted("executed in C: iret"), 0);
        ck_assert_uint_eq(counted("devices: reads"), 1);
        ck_assert_uint_eq(counted("devices: writes"), 1);
        ck_assert_uint_eq(counted("callouts: instructions executed in C"), 5);
        dbt_fixture_close();
}
END_TEST

START_TEST(translated_again)
{
        dbt_fixture_open((struct dbt_options){ 0 });
        RUN("\x90\xf4");
        ck_assert_uint_eq(counted("blocks translated again: dropped before"), 0);
        uint64_t before = counted("blocks translated");
        ck_assert_uint_ge(before, 1);
        dbt_forget(dbt);
        RUN("\x90\xf4");
        ck_assert_uint_eq(counted("blocks translated"), 2 * before);
        ck_assert_uint_eq(counted("blocks translated again: dropped before"), before);
        dbt_fixture_close();
}
END_TEST

START_TEST(loads_of_cr3)
{
        dbt_fixture_open((struct dbt_options){ 0 });
        RUN("\x0f\x20\xd8\x0f\x22\xd8\x0f\x22\xd8\x0f\x01\x3b\xf4");    /* mov eax, cr3; mov cr3, eax; again; invlpg [ebx]; hlt */
        ck_assert_uint_eq(counted("TLB: flushes, address space loaded"), 2);
        ck_assert_uint_eq(counted("TLB: pages flushed by INVLPG"), 1);
        dbt_fixture_close();
}
END_TEST

UNIT_MAIN("statistics", instructions_in_c, translated_again, loads_of_cr3)
