/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_snapshot.c - any bytes as a snapshot: refused with a reason, or read without harm.
 *
 * Checksums would stop nearly every change, so each input is read twice, as it is and with its checksums made right,
 * which is what somebody who means harm would do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "snapshot/crc32c.h"
#include "snapshot/fields.h"
#include "snapshot/reader.h"

#define REQUIRE(condition) ((condition) ? (void)0 : fail(#condition))

static void fail(const char *what)
{
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
}

static void take_page(void *opaque, uint64_t page, const uint8_t *bytes)
{
        struct snapshot_reader *reader = opaque;
        volatile uint8_t seen;

        REQUIRE(page < snapshot_reader_pages(reader));
        for (unsigned i = 0; i < SNAPSHOT_PAGE_BYTES; i += 512)
                seen = bytes[i];
        (void)seen;
}

static void read_all(const uint8_t *data, size_t size)
{
        int fd = memfd_create("fuzz", MFD_CLOEXEC);
        struct snapshot_reader *reader;
        GError *error = NULL;
        char path[32];

        REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        reader = snapshot_open(path, &error);
        REQUIRE((reader != NULL) == (error == NULL));
        for (unsigned i = 0; reader && i < snapshot_reader_devices(reader); i++) {
                const struct snapshot_device *device = snapshot_reader_device(reader, i);
                GPtrArray *lines = snapshot_fields(device->state, device->state_bytes);

                REQUIRE(snapshot_reader_find(reader, device->id) == device);
                g_ptr_array_unref(lines);
        }
        for (unsigned i = 0; reader && i < snapshot_reader_chunks(reader); i++)
                REQUIRE(snapshot_read_chunk(reader, i, take_page, reader, &error) == (error == NULL) || error), g_clear_error(&error);
        snapshot_close(reader);
        g_clear_error(&error);
        close(fd);
}

/* Puts right every checksum that is where one should be. */
static void repair(uint8_t *data, size_t size)
{
        uint32_t crc = 0;
        uint64_t sections = 0;

        if (size < SNAPSHOT_HEADER_BYTES)
                return;
        put_le32(data + HEADER_CRC, crc32c(0, data, HEADER_CRC));
        for (size_t at = SNAPSHOT_HEADER_BYTES; size - at >= SECTION_HEADER_BYTES; sections++) {
                uint8_t *header = data + at;
                uint64_t bytes = get_le64(header + SECTION_LENGTH), skip = get_le32(header + SECTION_SKIP);
                size_t payload = at + SECTION_HEADER_BYTES + skip;

                if (payload <= size && bytes <= size - payload) {
                        if (get_le32(header + SECTION_TYPE) == SECTION_END && bytes >= 16) {
                                put_le64(data + payload, sections);
                                put_le32(data + payload + 8, crc);
                        }
                        put_le32(header + SECTION_PAYLOAD_CRC, crc32c(0, data + payload, bytes));
                }
                put_le32(header + SECTION_CRC, crc32c(0, header, SECTION_CRC));
                crc = crc32c(crc, header, SECTION_HEADER_BYTES);
                if (payload > size || bytes > size - payload)
                        return;
                at = payload + bytes;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint8_t *copy = malloc(size + 1);

        REQUIRE(copy != NULL);
        memcpy(copy, data, size);
        read_all(copy, size);
        repair(copy, size);
        read_all(copy, size);
        free(copy);
        return 0;
}
