/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compress.c - zlib and zstd, each at the level that keeps up with a disk.
 */
#include <string.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "snapshot/compress.h"

static const char *const names[ENCODINGS] = { [ENCODING_NONE] = "none", [ENCODING_ZLIB] = "zlib", [ENCODING_ZSTD] = "zstd" };

bool compress_known(enum snapshot_encoding encoding)
{
#ifdef HAVE_ZLIB
        if (encoding == ENCODING_ZLIB)
                return true;
#endif
#ifdef HAVE_ZSTD
        if (encoding == ENCODING_ZSTD)
                return true;
#endif
        return encoding == ENCODING_NONE;
}

enum snapshot_encoding compress_default(void)
{
        return compress_known(ENCODING_ZSTD) ? ENCODING_ZSTD : compress_known(ENCODING_ZLIB) ? ENCODING_ZLIB : ENCODING_NONE;
}

const char *compress_name(enum snapshot_encoding encoding)
{
        return encoding < ENCODINGS ? names[encoding] : "?";
}

bool compress_parse(const char *name, enum snapshot_encoding *encoding)
{
        for (unsigned i = 0; i < ENCODINGS; i++)
                if (!strcmp(name, names[i]) && compress_known((enum snapshot_encoding)i)) {
                        *encoding = (enum snapshot_encoding)i;
                        return true;
                }
        return false;
}

#ifdef HAVE_ZLIB
static size_t zlib_compress(uint8_t *to, const uint8_t *from, size_t size)
{
        uLongf length = size;

        return compress2(to, &length, from, size, 1) == Z_OK ? length : 0;
}
#endif

#ifdef HAVE_ZSTD
/* Contexts cost more to make than a chunk to compress: one a thread. */
static void free_compressor(gpointer context) { ZSTD_freeCCtx(context); }
static void free_decompressor(gpointer context) { ZSTD_freeDCtx(context); }
static GPrivate compressor = G_PRIVATE_INIT(free_compressor);
static GPrivate decompressor = G_PRIVATE_INIT(free_decompressor);

static size_t zstd_compress(uint8_t *to, const uint8_t *from, size_t size)
{
        ZSTD_CCtx *context = g_private_get(&compressor);
        size_t length;

        if (!context) {
                context = ZSTD_createCCtx();
                g_private_set(&compressor, context);
        }
        if (!context)
                return 0;
        length = ZSTD_compressCCtx(context, to, size, from, size, 1);
        return ZSTD_isError(length) ? 0 : length;
}

static bool zstd_decompress(uint8_t *to, size_t to_size, const uint8_t *from, size_t size)
{
        ZSTD_DCtx *context = g_private_get(&decompressor);

        if (!context) {
                context = ZSTD_createDCtx();
                g_private_set(&decompressor, context);
        }
        return context && ZSTD_decompressDCtx(context, to, to_size, from, size) == to_size;
}
#endif

size_t compress_bytes(enum snapshot_encoding encoding, uint8_t *to, const uint8_t *from, size_t size)
{
        size_t length = 0;

        (void)to;
        (void)from;
#ifdef HAVE_ZLIB
        if (encoding == ENCODING_ZLIB)
                length = zlib_compress(to, from, size);
#endif
#ifdef HAVE_ZSTD
        if (encoding == ENCODING_ZSTD)
                length = zstd_compress(to, from, size);
#endif
        return length < size ? length : 0;
}

bool decompress_bytes(enum snapshot_encoding encoding, uint8_t *to, size_t to_size, const uint8_t *from, size_t size)
{
        switch (encoding) {
        case ENCODING_NONE:
                if (size != to_size)
                        return false;
                memcpy(to, from, size);
                return true;
#ifdef HAVE_ZLIB
        case ENCODING_ZLIB: {
                uLongf length = to_size;
                uLong used = size;

                return uncompress2(to, &length, from, &used) == Z_OK && length == to_size && used == size;
        }
#endif
#ifdef HAVE_ZSTD
        case ENCODING_ZSTD:
                return zstd_decompress(to, to_size, from, size);
#endif
        default:
                return false;
        }
}
