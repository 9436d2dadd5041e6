/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.h - writes the frame of a snapshot (header, sections, end) through any sink of bytes.
 *
 * A sink is a function: a file, a pipe or a socket.  snapshot_file is the one for files that appear
 * whole or not at all.  A writer belongs to one thread at a time.
 */
#ifndef LODGER_SNAPSHOT_WRITER_H
#define LODGER_SNAPSHOT_WRITER_H

#include "snapshot/format.h"

struct snapshot_sink {
        bool (*write)(void *opaque, const void *bytes, size_t size, GError **error);
        void *opaque;
};

struct snapshot_writer {
        struct snapshot_sink sink;
        uint64_t at;                    /* bytes written */
        uint64_t sections;
        uint32_t crc;                   /* of all headers so far */
};

/* Writes the header. */
bool snapshot_writer_begin(struct snapshot_writer *writer, const struct snapshot_sink *sink,
                           const uint8_t id[SNAPSHOT_ID_BYTES], GError **error);
/* page_aligned: the payload starts at a multiple of the page size. */
bool snapshot_writer_section(struct snapshot_writer *writer, uint32_t type, uint32_t flags, const void *payload, size_t size,
                             bool page_aligned, GError **error);
/* A DEVI section: identity, and records of a state table. */
bool snapshot_writer_device(struct snapshot_writer *writer, const char *id, const char *class_name, uint32_t version,
                            const GByteArray *state, GError **error);
bool snapshot_writer_end(struct snapshot_writer *writer, GError **error);

/* Into an open file, pipe or socket; nobody closes it. */
struct snapshot_sink snapshot_descriptor_sink(int fd);

/* -- Files ------------------------------------------------------------------------------------- */

struct snapshot_file;

/* Begins a file that will be called path; until it is committed it has another name in the same folder. */
struct snapshot_file *snapshot_file_new(const char *path, GError **error);
struct snapshot_sink snapshot_file_sink(struct snapshot_file *file);
/* Makes it durable and gives it its name, in place of what had it; or throws it away.  Both free it. */
bool snapshot_file_commit(struct snapshot_file *file, GError **error);
void snapshot_file_abandon(struct snapshot_file *file);

#endif
