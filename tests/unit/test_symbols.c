/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_symbols.c - System.map and ELF symbol tables, good and damaged. */
#include <elf.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include "base/symbols.h"
#include "unit.h"

static const char map[] = "0000000000000000 A fixed_percpu_data\n"
                          "ffffffff81000000 T _stext\n"
                          "ffffffff81000100 t helper\n"
                          "ffffffff81000180 D some_data\n"
                          "ffffffff81000200 T entry_SYSCALL_64\n"
                          "not a line\n"
                          "ffffffff81001000 W last\n"
                          "ffffffffc0001000 t in_module\t[module]";

/* What is loaded from these bytes. */
static struct symbols *load(const void *bytes, size_t size)
{
        const char *path = "symbols.test";
        GError *error = NULL;

        ck_assert(g_file_set_contents(path, bytes, (gssize)size, NULL));
        struct symbols *symbols = symbols_load(path, &error);
        ck_assert_int_eq(symbols == NULL, error != NULL);
        g_clear_error(&error);
        g_unlink(path);
        return symbols;
}

static void finds(const struct symbols *symbols, uint64_t address, const char *name, uint64_t behind)
{
        uint64_t offset = 0;
        const char *found = symbols_find(symbols, address, &offset);

        ck_assert_msg(!g_strcmp0(found, name), "%llx is %s, not %s", (unsigned long long)address, found, name);
        if (name)
                ck_assert_uint_eq(offset, behind);
}

START_TEST(system_map)
{
        struct symbols *symbols = load(map, sizeof map - 1);
        uint64_t address;

        finds(symbols, 0xffffffff81000000, "_stext", 0);
        finds(symbols, 0xffffffff810001ff, "helper", 0xff);
        finds(symbols, 0xffffffff81000200, "entry_SYSCALL_64", 0);
        finds(symbols, 0xffffffff81001004, "last", 4);
        finds(symbols, 0xffffffff81200000, NULL, 0);
        finds(symbols, 0xffffffffc0001010, "in_module", 0x10);
        finds(symbols, 0x400000, NULL, 0);
        ck_assert(symbols_address(symbols, "entry_SYSCALL_64", &address));
        ck_assert_uint_eq(address, 0xffffffff81000200);
        ck_assert(!symbols_address(symbols, "some_data", &address));
        symbols_free(symbols);
}
END_TEST

/* This program's own table: it is an ELF file with symbols. */
START_TEST(elf)
{
        struct symbols *symbols = symbols_load("/proc/self/exe", NULL);
        uint64_t address, offset;

        ck_assert_ptr_nonnull(symbols);
        ck_assert(symbols_address(symbols, "symbols_find", &address));
        ck_assert_ptr_nonnull(symbols_find(symbols, address, &offset));
        ck_assert_uint_eq(offset, 0);
        symbols_free(symbols);
}
END_TEST

START_TEST(damaged)
{
        char *bytes;
        gsize size;
        GRand *rand = g_rand_new_with_seed(1);

        ck_assert_ptr_null(load("", 0));
        ck_assert_ptr_null(load("0000\n\n", 6));
        ck_assert(g_file_get_contents("/proc/self/exe", &bytes, &size, NULL));
        symbols_free(load(bytes, 64));
        symbols_free(load(bytes, size / 2));
        /* Its header, with any field wrong. */
        for (int i = 0; i < 200; i++) {
                Elf64_Ehdr saved;
                memcpy(&saved, bytes, sizeof saved);
                bytes[g_rand_int_range(rand, 4, sizeof saved)] = (char)g_rand_int(rand);
                symbols_free(load(bytes, MIN(size, 1 << 16)));
                memcpy(bytes, &saved, sizeof saved);
        }
        g_rand_free(rand);
        g_free(bytes);
}
END_TEST

UNIT_MAIN("symbols", system_map, elf, damaged)
