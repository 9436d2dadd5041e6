/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * format.h - numbers of the snapshot format, which doc/snapshot-format.md describes in full.
 *
 * A snapshot is a header and then sections, to be written and read from front to back, so a pipe or a
 * socket carries one as well as a file does.  All numbers are little-endian.
 *
 *      header          64 bytes: magic, version, checksum
 *      INFO            what it is a snapshot of: records by name
 *      THUM            a small PNG of the screen (may be missing)
 *      DEVI ...        one a device: its identity and the records of its state table
 *      PAGE ...        guest memory, up to 256 pages each
 *      END             counts and checksum of everything before it
 */
#ifndef LODGER_SNAPSHOT_FORMAT_H
#define LODGER_SNAPSHOT_FORMAT_H

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_MAGIC "LodgerSn"
enum { SNAPSHOT_VERSION = 1 };

enum { SNAPSHOT_HEADER_BYTES = 64, SNAPSHOT_ID_BYTES = 16 };
/* Offsets in the header. */
enum { HEADER_MAGIC = 0, HEADER_VERSION = 8, HEADER_BYTES = 12, HEADER_ID = 16, HEADER_CRC = 60 };

enum { SECTION_HEADER_BYTES = 32 };
/* Offsets in a section's header; SECTION_SKIP zero bytes lie between it and the payload. */
enum { SECTION_TYPE = 0, SECTION_FLAGS = 4, SECTION_LENGTH = 8, SECTION_SKIP = 16, SECTION_PAYLOAD_CRC = 20, SECTION_CRC = 28 };
enum { SECTION_OPTIONAL = 1 };  /* of the flags: who does not know the type may pass over it */

#define SECTION_NAME(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define SECTION_INFO SECTION_NAME('I', 'N', 'F', 'O')
#define SECTION_THUMBNAIL SECTION_NAME('T', 'H', 'U', 'M')
#define SECTION_DEVICE SECTION_NAME('D', 'E', 'V', 'I')
#define SECTION_PAGES SECTION_NAME('P', 'A', 'G', 'E')
#define SECTION_END SECTION_NAME('E', 'N', 'D', ' ')

enum { SNAPSHOT_PAGE_BYTES = 4096, CHUNK_PAGES = 256, CHUNK_HEADER_BYTES = 24, CHUNK_ENTRY_BYTES = 8 };
/* Offsets in a PAGE payload, and in each of its entries. */
enum { CHUNK_FIRST = 0, CHUNK_ENTRIES = 8, CHUNK_ENCODING = 10, CHUNK_STORED = 12, CHUNK_DATA_AT = 16, CHUNK_DATA_BYTES = 20 };
enum { ENTRY_PAGE = 0, ENTRY_KIND = 1, ENTRY_SLOT = 2, ENTRY_CHUNK = 4 };

enum snapshot_encoding { ENCODING_NONE, ENCODING_ZLIB, ENCODING_ZSTD, ENCODINGS };
enum page_entry_kind {
        ENTRY_ZERO,             /* all zeros */
        ENTRY_STORED,           /* slot of this chunk's own data */
        ENTRY_SAME,             /* the bytes that an earlier chunk has in that slot */
        ENTRY_KINDS
};

/* Limits that keep hostile files from costing memory. */
enum { SMALL_SECTION_MAX = 64 << 20, DEVICES_MAX = 4096, CHUNKS_MAX = 1 << 24 };

#define SNAPSHOT_ERROR snapshot_error_quark()
GQuark snapshot_error_quark(void);
enum snapshot_error {
        SNAPSHOT_ERROR_HOST,            /* reading or writing failed */
        SNAPSHOT_ERROR_NO_SNAPSHOT,     /* something else, or of a version this build does not know */
        SNAPSHOT_ERROR_DAMAGED,
        SNAPSHOT_ERROR_OTHER_MACHINE,   /* whole, but of a machine that is made otherwise */
};

static inline void put_le16(uint8_t *at, uint16_t value) { value = GUINT16_TO_LE(value); __builtin_memcpy(at, &value, 2); }
static inline void put_le32(uint8_t *at, uint32_t value) { value = GUINT32_TO_LE(value); __builtin_memcpy(at, &value, 4); }
static inline void put_le64(uint8_t *at, uint64_t value) { value = GUINT64_TO_LE(value); __builtin_memcpy(at, &value, 8); }
static inline uint16_t get_le16(const uint8_t *at) { uint16_t value; __builtin_memcpy(&value, at, 2); return GUINT16_FROM_LE(value); }
static inline uint32_t get_le32(const uint8_t *at) { uint32_t value; __builtin_memcpy(&value, at, 4); return GUINT32_FROM_LE(value); }
static inline uint64_t get_le64(const uint8_t *at) { uint64_t value; __builtin_memcpy(&value, at, 8); return GUINT64_FROM_LE(value); }

#endif
