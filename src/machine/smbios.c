/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smbios.c - SMBIOS tables (DMTF DSP0134, version 2.8): who made the machine and what is in it.
 *
 * The structures follow one another; each is a formatted area, whose length is in its header, and a
 * set of strings that ends with two zeros.  The firmware puts them into memory, completes the
 * entry point, and adds a structure of type 0 (the firmware itself) where there is none.
 */
#include <stdbool.h>
#include <string.h>

#include "machine/smbios.h"

enum {
        TYPE_SYSTEM = 1, TYPE_CHASSIS = 3, TYPE_PROCESSOR = 4, TYPE_MEMORY_ARRAY = 16, TYPE_MEMORY_DEVICE = 17,
        TYPE_MEMORY_MAP = 19, TYPE_BOOT = 32, TYPE_END = 127,
};
enum { VERSION_MAJOR = 2, VERSION_MINOR = 8, ENTRY_BYTES = 0x1f, ENTRY_INTERMEDIATE = 0x10 };
/* A module larger than this is given in the extended field (7.18.5). */
enum { MODULE_MIB_MAX = 0x7fff };
#define MODULE_BYTES_MAX (UINT64_C(16) << 30)
#define FOUR_GIB (UINT64_C(1) << 32)

struct writer {
        GByteArray *bytes;
        guint start;            /* of the structure being written */
        uint16_t handle, count;
        guint largest;
};

static void put8(struct writer *writer, uint8_t value)
{
        g_byte_array_append(writer->bytes, &value, 1);
}

static void put16(struct writer *writer, uint16_t value)
{
        put8(writer, (uint8_t)value);
        put8(writer, (uint8_t)(value >> 8));
}

static void put32(struct writer *writer, uint32_t value)
{
        put16(writer, (uint16_t)value);
        put16(writer, (uint16_t)(value >> 16));
}

static void put_zeros(struct writer *writer, unsigned count)
{
        while (count--)
                put8(writer, 0);
}

static uint16_t structure_begin(struct writer *writer, uint8_t type)
{
        writer->start = writer->bytes->len;
        put8(writer, type);
        put8(writer, 0);                        /* length, structure_end() */
        put16(writer, writer->handle);
        return writer->handle++;
}

/* strings: those the structure refers to by 1, 2 ..., separated by line ends; NULL: none. */
static void structure_end(struct writer *writer, const char *strings)
{
        writer->bytes->data[writer->start + 1] = (uint8_t)(writer->bytes->len - writer->start);
        for (const char *at = strings; at && *at; at++)
                put8(writer, *at == '\n' ? 0 : (uint8_t)*at);
        put8(writer, 0);
        put8(writer, 0);
        writer->largest = MAX(writer->largest, writer->bytes->len - writer->start);
        writer->count++;
}

/* -- Structures ----------------------------------------------------------------------------------- */

/* "00112233-4455-6677-8899-aabbccddeeff": the first three fields are little-endian (SMBIOS 2.8, 7.2.1). */
static void put_uuid(struct writer *writer, const char *uuid)
{
        static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
        uint8_t bytes[16];
        unsigned n = 0;

        for (const char *at = uuid; *at && n < sizeof(bytes); at++) {
                if (*at == '-')
                        continue;
                bytes[n++] = (uint8_t)(g_ascii_xdigit_value(at[0]) << 4 | g_ascii_xdigit_value(at[1]));
                at++;
        }
        for (unsigned i = 0; i < sizeof(bytes); i++)
                put8(writer, n == sizeof(bytes) ? bytes[order[i]] : 0);
}

static void put_system(struct writer *writer, const char *uuid)
{
        structure_begin(writer, TYPE_SYSTEM);
        put8(writer, 1);                        /* manufacturer */
        put8(writer, 2);                        /* product */
        put8(writer, 3);                        /* version */
        put8(writer, 0);                        /* no serial number */
        put_uuid(writer, uuid ? uuid : "");     /* all zeros: not present */
        put8(writer, 6);                        /* woken by the power switch */
        put8(writer, 0);                        /* no SKU, no family */
        put8(writer, 0);
        structure_end(writer, "Lodger\nLodger PC (i440FX + PIIX3)\n" PACKAGE_VERSION);
}

static void put_chassis(struct writer *writer)
{
        structure_begin(writer, TYPE_CHASSIS);
        put8(writer, 1);
        put8(writer, 1);                        /* other: there is no box */
        put_zeros(writer, 3);                   /* no version, serial number, asset tag */
        put8(writer, 3);                        /* boot-up, power supply, thermal state: safe */
        put8(writer, 3);
        put8(writer, 3);
        put8(writer, 2);                        /* security: unknown */
        put32(writer, 0);                       /* OEM */
        put_zeros(writer, 4);                   /* height, power cords, contained elements, their size */
        put8(writer, 0);                        /* no SKU */
        structure_end(writer, "Lodger");
}

static void put_processor(struct writer *writer, unsigned number)
{
        char *strings = g_strdup_printf("CPU %u\nLodger", number);

        structure_begin(writer, TYPE_PROCESSOR);
        put8(writer, 1);                        /* socket */
        put8(writer, 3);                        /* central processor */
        put8(writer, 1);                        /* family: other, CPUID tells */
        put8(writer, 2);                        /* manufacturer */
        put_zeros(writer, 8);                   /* CPUID's signature and features: ask CPUID */
        put8(writer, 0);                        /* version */
        put8(writer, 0);                        /* voltage, external clock, speeds: unknown */
        put16(writer, 0);
        put16(writer, 0);
        put16(writer, 0);
        put8(writer, 0x41);                     /* populated, enabled */
        put8(writer, 1);                        /* socket: other */
        put16(writer, 0xffff);                  /* caches: not told */
        put16(writer, 0xffff);
        put16(writer, 0xffff);
        put_zeros(writer, 3);                   /* no serial number, asset tag, part number */
        put8(writer, 1);                        /* cores, enabled cores, threads */
        put8(writer, 1);
        put8(writer, 1);
        put16(writer, 2);                       /* characteristics: unknown */
        put16(writer, 1);
        structure_end(writer, strings);
        g_free(strings);
}

static uint16_t put_memory_array(struct writer *writer, uint64_t ram_bytes, unsigned modules)
{
        uint16_t handle = structure_begin(writer, TYPE_MEMORY_ARRAY);
        uint64_t kib = ram_bytes >> 10;
        bool extended = kib >= UINT32_C(0x80000000);

        put8(writer, 1);                        /* location: other */
        put8(writer, 3);                        /* system memory */
        put8(writer, 6);                        /* multi-bit ECC: bits do not fall over */
        put32(writer, extended ? UINT32_C(0x80000000) : (uint32_t)kib);
        put16(writer, 0xfffe);                  /* no error information */
        put16(writer, (uint16_t)modules);
        put32(writer, extended ? (uint32_t)ram_bytes : 0);
        put32(writer, extended ? (uint32_t)(ram_bytes >> 32) : 0);
        structure_end(writer, NULL);
        return handle;
}

static void put_module(struct writer *writer, uint16_t array, unsigned number, uint64_t bytes)
{
        char *strings = g_strdup_printf("DIMM %u\nLodger", number);
        uint32_t mib = (uint32_t)(bytes >> 20);

        structure_begin(writer, TYPE_MEMORY_DEVICE);
        put16(writer, array);
        put16(writer, 0xfffe);
        put16(writer, 0xffff);                  /* widths: unknown */
        put16(writer, 0xffff);
        put16(writer, mib >= MODULE_MIB_MAX ? MODULE_MIB_MAX : (uint16_t)mib);
        put8(writer, 9);                        /* DIMM */
        put8(writer, 0);                        /* of no set */
        put8(writer, 1);                        /* locator */
        put8(writer, 0);
        put8(writer, 7);                        /* RAM */
        put16(writer, 1 << 1);                  /* other */
        put16(writer, 0);                       /* speed: unknown */
        put8(writer, 2);                        /* manufacturer */
        put_zeros(writer, 3);                   /* no serial number, asset tag, part number */
        put8(writer, 0);                        /* rank: unknown */
        put32(writer, mib >= MODULE_MIB_MAX ? mib : 0);
        put16(writer, 0);                       /* configured speed, voltages: unknown */
        put_zeros(writer, 6);
        structure_end(writer, strings);
        g_free(strings);
}

static void put_memory_map(struct writer *writer, uint16_t array, uint64_t start, uint64_t size)
{
        bool extended = start + size > UINT64_C(0xffffffff) << 10;

        structure_begin(writer, TYPE_MEMORY_MAP);
        put32(writer, extended ? UINT32_MAX : (uint32_t)(start >> 10));
        put32(writer, extended ? UINT32_MAX : (uint32_t)((start + size - 1) >> 10));
        put16(writer, array);
        put8(writer, 1);                        /* width of a row */
        put32(writer, extended ? (uint32_t)start : 0);
        put32(writer, extended ? (uint32_t)(start >> 32) : 0);
        put32(writer, extended ? (uint32_t)(start + size - 1) : 0);
        put32(writer, extended ? (uint32_t)((start + size - 1) >> 32) : 0);
        structure_end(writer, NULL);
}

static void put_memory(struct writer *writer, uint64_t low_ram_bytes, uint64_t ram_bytes)
{
        unsigned modules = (unsigned)((ram_bytes + MODULE_BYTES_MAX - 1) / MODULE_BYTES_MAX);
        uint16_t array = put_memory_array(writer, ram_bytes, modules);

        for (unsigned i = 0; i < modules; i++)
                put_module(writer, array, i, MIN(ram_bytes - i * MODULE_BYTES_MAX, MODULE_BYTES_MAX));
        put_memory_map(writer, array, 0, low_ram_bytes);
        if (ram_bytes > low_ram_bytes)
                put_memory_map(writer, array, FOUR_GIB, ram_bytes - low_ram_bytes);
}

/* -- Entry point ----------------------------------------------------------------------------------- */

static uint8_t checksum(const uint8_t *bytes, size_t size)
{
        uint8_t sum = 0;

        while (size--)
                sum = (uint8_t)(sum + *bytes++);
        return (uint8_t)-sum;
}

static GBytes *make_anchor(const struct writer *tables)
{
        struct writer writer = { .bytes = g_byte_array_new() };
        uint8_t *entry;

        g_byte_array_append(writer.bytes, (const guint8 *)"_SM_", 4);
        put8(&writer, 0);                       /* checksum */
        put8(&writer, ENTRY_BYTES);
        put8(&writer, VERSION_MAJOR);
        put8(&writer, VERSION_MINOR);
        put16(&writer, (uint16_t)tables->largest);
        put_zeros(&writer, 6);
        g_byte_array_append(writer.bytes, (const guint8 *)"_DMI_", 5);
        put8(&writer, 0);                       /* checksum of this half */
        put16(&writer, (uint16_t)tables->bytes->len);
        put32(&writer, 0);                      /* address: the firmware's */
        put16(&writer, tables->count);
        put8(&writer, VERSION_MAJOR << 4 | VERSION_MINOR);
        entry = writer.bytes->data;
        entry[ENTRY_INTERMEDIATE + 5] = checksum(entry + ENTRY_INTERMEDIATE, ENTRY_BYTES - ENTRY_INTERMEDIATE);
        entry[4] = checksum(entry, ENTRY_BYTES);
        return g_byte_array_free_to_bytes(writer.bytes);
}

void smbios_build(const char *uuid, unsigned cpus, uint64_t low_ram_bytes, uint64_t ram_bytes, struct smbios_tables *result)
{
        struct writer writer = { .bytes = g_byte_array_new(), .handle = 0x100 };

        put_system(&writer, uuid);
        put_chassis(&writer);
        for (unsigned i = 0; i < cpus; i++)
                put_processor(&writer, i);
        put_memory(&writer, low_ram_bytes, ram_bytes);
        structure_begin(&writer, TYPE_BOOT);
        put_zeros(&writer, 7);                  /* reserved; no errors */
        structure_end(&writer, NULL);
        structure_begin(&writer, TYPE_END);
        structure_end(&writer, NULL);
        result->anchor = make_anchor(&writer);
        result->tables = g_byte_array_free_to_bytes(writer.bytes);
}
