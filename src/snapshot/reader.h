/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader.h - reads snapshots, which are taken to be hostile.
 *
 * snapshot_open() reads and judges everything but the bytes of guest memory; those are checked when
 * they are read, chunk by chunk, by any thread.  Nothing a file says makes a reader touch memory that
 * is not its own, or take more of it than the file is worth.
 */
#ifndef LODGER_SNAPSHOT_READER_H
#define LODGER_SNAPSHOT_READER_H

#include "snapshot/info.h"

struct snapshot_device {
        char *id, *class_name;
        uint32_t version;
        const uint8_t *state;           /* in payload */
        size_t state_bytes;
        uint8_t *payload;
};

struct snapshot_reader;

/* The file is kept open until snapshot_close(), and may be deleted meanwhile. */
struct snapshot_reader *snapshot_open(const char *path, GError **error);
/* One that goes with a memory that is handed over: that has the pages which are missing here. */
struct snapshot_reader *snapshot_open_on_memory(const char *path, GError **error);
/* Only what it says of itself, which stands at its front; the rest is not looked at. */
bool snapshot_read_info(const char *path, struct snapshot_info *info, uint8_t id[SNAPSHOT_ID_BYTES], uint64_t *bytes,
                        GError **error);
void snapshot_close(struct snapshot_reader *reader);

const struct snapshot_info *snapshot_reader_info(const struct snapshot_reader *reader);
const uint8_t *snapshot_reader_id(const struct snapshot_reader *reader);
/* PNG, or NULL. */
GBytes *snapshot_reader_thumbnail(const struct snapshot_reader *reader);
uint64_t snapshot_reader_bytes(const struct snapshot_reader *reader);
unsigned snapshot_reader_devices(const struct snapshot_reader *reader);
const struct snapshot_device *snapshot_reader_device(const struct snapshot_reader *reader, unsigned index);
const struct snapshot_device *snapshot_reader_find(const struct snapshot_reader *reader, const char *id);

/* -- Memory ------------------------------------------------------------------------------------ */

uint64_t snapshot_reader_pages(const struct snapshot_reader *reader);
unsigned snapshot_reader_chunks(const struct snapshot_reader *reader);
bool snapshot_page_is_zero(const struct snapshot_reader *reader, uint64_t page);
/* Only with a base. */
bool snapshot_page_is_missing(const struct snapshot_reader *reader, uint64_t page);
/* The chunk whose bytes the page needs (when it is neither). */
unsigned snapshot_page_chunk(const struct snapshot_reader *reader, uint64_t page);
/* Reads a chunk and hands out each page that needs its bytes. */
typedef void snapshot_take_page(void *opaque, uint64_t page, const uint8_t *bytes);
bool snapshot_read_chunk(struct snapshot_reader *reader, unsigned chunk, snapshot_take_page *take, void *opaque, GError **error);
/* Whether what the chunks' bytes are is what was written: their checksums, nothing more. */
bool snapshot_check_chunks(struct snapshot_reader *reader, GError **error);
/* All chunks, with several threads; take may be NULL: only whether they are whole. */
bool snapshot_read_chunks(struct snapshot_reader *reader, snapshot_take_page *take, void *opaque, GError **error);

#endif
