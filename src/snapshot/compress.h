/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compress.h - the ways in which a chunk of pages is stored, as far as this build has them. */
#ifndef LODGER_SNAPSHOT_COMPRESS_H
#define LODGER_SNAPSHOT_COMPRESS_H

#include "snapshot/format.h"

/* The best one there is. */
enum snapshot_encoding compress_default(void);
bool compress_known(enum snapshot_encoding encoding);
const char *compress_name(enum snapshot_encoding encoding);
/* "zstd", "zlib" or "none"; false: no such, or not in this build. */
bool compress_parse(const char *name, enum snapshot_encoding *encoding);
/* Bytes stored; 0: it does not get smaller, so it is stored as it is.  to has room for size bytes. */
size_t compress_bytes(enum snapshot_encoding encoding, uint8_t *to, const uint8_t *from, size_t size);
/* False unless the input is whole and gives exactly to_size bytes. */
bool decompress_bytes(enum snapshot_encoding encoding, uint8_t *to, size_t to_size, const uint8_t *from, size_t size);

#endif
