/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_acpi.c - runs the loader's script as the firmware does; checksums, pointers, and iasl's opinion. */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include "machine/acpi.h"
#include "unit.h"

enum { FOUND = 6, DSDT = 4, RSDT = 5 };
enum { TABLES_AT = 0x7ff0000, RSDP_AT = 0xf5a50 };

struct loaded {
        uint8_t *tables, *rsdp;
        gsize tables_size;
};

static uint32_t get32(const uint8_t *at)
{
        return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put32(uint8_t *at, uint32_t value)
{
        for (unsigned i = 0; i < 4; i++)
                at[i] = (uint8_t)(value >> 8 * i);
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
        uint8_t total = 0;

        while (size--)
                total = (uint8_t)(total + *bytes++);
        return total;
}

static uint8_t *file_of(struct loaded *loaded, const uint8_t *name)
{
        if (!strcmp((const char *)name, "etc/acpi/rsdp"))
                return loaded->rsdp;
        ck_assert_str_eq((const char *)name, "etc/acpi/tables");
        return loaded->tables;
}

static void load(struct loaded *loaded, unsigned cpus)
{
        struct acpi_tables tables;
        gsize size, script_size;
        const uint8_t *script;

        acpi_build(&(struct acpi_machine){ cpus, UINT32_C(0x80000000), cpus > 1 ? UINT64_C(0x140000000) : 0, cpus > 1 ? UINT64_C(0x1000000000) : 0 },
                   &tables);
        loaded->tables = g_memdup2(g_bytes_get_data(tables.tables, &loaded->tables_size), g_bytes_get_size(tables.tables));
        loaded->rsdp = g_memdup2(g_bytes_get_data(tables.rsdp, &size), g_bytes_get_size(tables.rsdp));
        ck_assert_uint_eq(size, 20);
        script = g_bytes_get_data(tables.loader, &script_size);
        ck_assert_uint_eq(script_size % 128, 0);
        for (const uint8_t *at = script; at < script + script_size; at += 128) {
                uint8_t *file = file_of(loaded, at + 4);

                if (get32(at) == 2) {
                        uint8_t *field = file + get32(at + 116);

                        ck_assert_uint_eq(at[120], 4);
                        ck_assert_str_eq((const char *)at + 60, "etc/acpi/tables");
                        ck_assert_uint_lt(get32(field), loaded->tables_size);
                        put32(field, get32(field) + TABLES_AT);
                } else if (get32(at) == 3) {
                        file[get32(at + 60)] = (uint8_t)-sum(file + get32(at + 64), get32(at + 68));
                } else {
                        ck_assert_uint_eq(get32(at), 1);
                }
        }
        g_bytes_unref(tables.tables);
        g_bytes_unref(tables.rsdp);
        g_bytes_unref(tables.loader);
}

static void unload(struct loaded *loaded)
{
        g_free(loaded->tables);
        g_free(loaded->rsdp);
}

static uint8_t *table(struct loaded *loaded, uint32_t address, const char *signature)
{
        uint8_t *at = loaded->tables + (address - TABLES_AT);

        ck_assert_uint_lt(address - TABLES_AT, loaded->tables_size);
        ck_assert_msg(!memcmp(at, signature, 4), "%.4s where %s should be", (char *)at, signature);
        ck_assert_uint_le(address - TABLES_AT + get32(at + 4), loaded->tables_size);
        return at;
}

/* Walks from the RSDP as an operating system does; found: FADT, SSDT, MADT, HPET, DSDT, RSDT. */
static void walk(struct loaded *loaded, uint8_t *found[FOUND])
{
        static const char *const in_rsdt[] = { "FACP", "SSDT", "APIC", "HPET" };
        uint8_t *facs;

        ck_assert(!memcmp(loaded->rsdp, "RSD PTR ", 8));
        ck_assert_uint_eq(sum(loaded->rsdp, 20), 0);
        found[RSDT] = table(loaded, get32(loaded->rsdp + 16), "RSDT");
        ck_assert_uint_eq(get32(found[RSDT] + 4), 36 + 4 * 4);
        for (unsigned i = 0; i < 4; i++)
                found[i] = table(loaded, get32(found[RSDT] + 36 + 4 * i), in_rsdt[i]);
        found[DSDT] = table(loaded, get32(found[0] + 40), "DSDT");
        facs = table(loaded, get32(found[0] + 36), "FACS");
        ck_assert_uint_eq((facs - loaded->tables) % 64, 0);
        for (unsigned i = 0; i < FOUND; i++)
                ck_assert_uint_eq(sum(found[i], get32(found[i] + 4)), 0);
}

START_TEST(tables_are_found_and_sum_to_zero)
{
        static const unsigned counts[] = { 1, 2, 7, 32, 255 };

        for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
                struct loaded loaded;
                uint8_t *found[FOUND];

                load(&loaded, counts[i]);
                walk(&loaded, found);
                ck_assert_uint_eq(get32(found[1] + 4), 36 + (counts[i] > 1 ? 57 : 11) + 10 + 1 + 3 + 5 + 13 * counts[i]);
                unload(&loaded);
        }
}
END_TEST

START_TEST(fadt_says_what_the_devices_do)
{
        struct loaded loaded;
        uint8_t *found[FOUND], *fadt;

        load(&loaded, 1);
        walk(&loaded, found);
        fadt = found[0];
        ck_assert_uint_eq(get32(fadt + 4), 244);
        ck_assert_uint_eq(fadt[46], 9);
        ck_assert_uint_eq(get32(fadt + 48), 0xb2);
        ck_assert_uint_eq(get32(fadt + 56), 0x600);
        ck_assert_uint_eq(get32(fadt + 64), 0x604);
        ck_assert_uint_eq(get32(fadt + 76), 0x608);
        ck_assert_uint_eq(fadt[108], 0x32);
        ck_assert_uint_eq(get32(fadt + 120), 0xcf9);
        unload(&loaded);
}
END_TEST

/* Disassembles every table; a table iasl cannot read, or finds wrong, fails. */
START_TEST(iasl_accepts_them)
{
        char *iasl = g_find_program_in_path("iasl"), *directory = g_dir_make_tmp("lodger-acpi-XXXXXX", NULL);
        struct loaded loaded;
        uint8_t *found[FOUND];

        load(&loaded, 3);
        walk(&loaded, found);
        for (unsigned i = 0; iasl && i < FOUND; i++) {
                char *name = g_strdup_printf("table%u.aml", i), *path = g_build_filename(directory, name, NULL);
                char *argv[] = { iasl, (char *)"-d", name, NULL }, *printed, *complaints, *text, *source, *both;
                int status;

                ck_assert(g_file_set_contents(path, (char *)found[i], get32(found[i] + 4), NULL));
                ck_assert(g_spawn_sync(directory, argv, NULL, 0, NULL, NULL, &printed, &complaints, &status, NULL));
                both = g_strconcat(printed, complaints, NULL);
                ck_assert_msg(status == 0 && !strstr(both, "Error") && !strstr(both, "ncorrect") && !strstr(both, "nvalid"),
                              "%s", both);
                source = g_strdup_printf("%s/table%u.dsl", directory, i);
                ck_assert(g_file_get_contents(source, &text, NULL, NULL));
                ck_assert_msg(!strstr(text, "Unknown") && !strstr(text, "ERROR"), "%s", text);
                g_remove(path);
                g_remove(source);
                g_free(text);
                g_free(source);
                g_free(both);
                g_free(printed);
                g_free(complaints);
                g_free(path);
                g_free(name);
        }
        g_rmdir(directory);
        g_free(directory);
        g_free(iasl);
        unload(&loaded);
}
END_TEST

UNIT_MAIN("acpi", tables_are_found_and_sum_to_zero, fadt_says_what_the_devices_do, iasl_accepts_them)
