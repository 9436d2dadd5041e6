/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_compress.c - compressed clusters: raw deflate streams (window of 12 bits) or zstd frames.
 *
 * They lie one behind the other at any byte, so several share a cluster of the file, which is counted once for
 * each.  An entry says where one begins and how many 512-byte sectors it touches, not where it ends.
 */
#include <stdlib.h>
#if HAVE_ZLIB
#include <zlib.h>
#endif
#if HAVE_ZSTD
#include <zstd.h>
#endif

#include "block/qcow2.h"

bool qcow2_can_compress(unsigned type)
{
#if HAVE_ZLIB
        if (type == QCOW2_ZLIB)
                return true;
#endif
#if HAVE_ZSTD
        if (type == QCOW2_ZSTD)
                return true;
#endif
        (void)type;
        return false;
}

/* -- The two algorithms --------------------------------------------------------------------------------------- */

#if HAVE_ZLIB
enum { DEFLATE_WINDOW = -12, DEFLATE_MEMORY = 9 };

static int inflate_bytes(const uint8_t *from, size_t size, uint8_t *to, size_t to_size)
{
        z_stream stream = { .next_in = (uint8_t *)(uintptr_t)from, .avail_in = (uInt)size, .next_out = to, .avail_out = (uInt)to_size };
        int status;

        if (inflateInit2(&stream, DEFLATE_WINDOW) != Z_OK)
                return ENOMEM;
        status = inflate(&stream, Z_FINISH);
        inflateEnd(&stream);
        /* Z_BUF_ERROR: everything came out, and there are bytes of the neighbour behind it. */
        return (status == Z_STREAM_END || status == Z_BUF_ERROR) && !stream.avail_out ? 0 : EIO;
}

static size_t deflate_bytes(const uint8_t *from, size_t size, uint8_t *to, size_t to_size)
{
        z_stream stream = { .next_in = (uint8_t *)(uintptr_t)from, .avail_in = (uInt)size, .next_out = to, .avail_out = (uInt)to_size };
        int status;

        if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, DEFLATE_WINDOW, DEFLATE_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
                return 0;
        status = deflate(&stream, Z_FINISH);
        deflateEnd(&stream);
        return status == Z_STREAM_END ? to_size - stream.avail_out : 0;
}
#endif

#if HAVE_ZSTD
static int zstd_unpack(const uint8_t *from, size_t size, uint8_t *to, size_t to_size)
{
        ZSTD_DCtx *context = ZSTD_createDCtx();
        ZSTD_inBuffer in = { from, size, 0 };
        ZSTD_outBuffer out = { to, to_size, 0 };

        /* Frames may be flushed in pieces; what follows the last one is the neighbour's. */
        while (context && out.pos < out.size) {
                size_t in_before = in.pos, out_before = out.pos;

                if (ZSTD_isError(ZSTD_decompressStream(context, &out, &in)) || (in.pos == in_before && out.pos == out_before))
                        break;
        }
        ZSTD_freeDCtx(context);
        return out.pos == out.size ? 0 : EIO;
}
#endif

static int unpack_bytes(const struct qcow2 *q, const uint8_t *from, size_t size, uint8_t *to)
{
#if HAVE_ZLIB
        if (q->compression == QCOW2_ZLIB)
                return inflate_bytes(from, size, to, (size_t)q->cluster_bytes);
#endif
#if HAVE_ZSTD
        if (q->compression == QCOW2_ZSTD)
                return zstd_unpack(from, size, to, (size_t)q->cluster_bytes);
#endif
        (void)q;
        (void)from;
        (void)size;
        (void)to;
        return ENOTSUP;
}

static size_t pack_bytes(const struct qcow2 *q, const uint8_t *from, uint8_t *to, size_t to_size)
{
#if HAVE_ZLIB
        if (q->compression == QCOW2_ZLIB)
                return deflate_bytes(from, (size_t)q->cluster_bytes, to, to_size);
#endif
#if HAVE_ZSTD
        if (q->compression == QCOW2_ZSTD) {
                size_t n = ZSTD_compress(to, to_size, from, (size_t)q->cluster_bytes, ZSTD_CLEVEL_DEFAULT);

                return ZSTD_isError(n) ? 0 : n;
        }
#endif
        (void)q;
        (void)from;
        (void)to;
        (void)to_size;
        return 0;
}

/* -- Clusters ------------------------------------------------------------------------------------------------- */

int qcow2_unpack(struct qcow2 *q, uint64_t entry)
{
        struct qcow2_range range = qcow2_compressed_range(q, entry);
        uint8_t *bytes;
        int error;

        if (q->unpacked_from == entry)
                return 0;
        /* No encoder makes a cluster larger than it was; at most two clusters are read. */
        if (!range.offset || range.size > 2 * q->cluster_bytes)
                return qcow2_corrupt(q, "a compressed cluster", range.offset);
        if (!q->unpacked)
                q->unpacked = g_malloc(q->cluster_bytes);
        bytes = g_malloc(range.size);
        q->unpacked_from = 0;
        error = qcow2_file_read(q, range.offset, bytes, (size_t)range.size);
        if (!error)
                error = unpack_bytes(q, bytes, (size_t)range.size, q->unpacked);
        if (!error)
                q->unpacked_from = entry;
        g_free(bytes);
        return error;
}

/* A place for `size` bytes, behind the compressed cluster before.  Lock held. */
static int place_compressed(struct qcow2 *q, size_t size, uint64_t *offset)
{
        uint64_t in_cluster = qcow2_in_cluster(q, q->compressed_at), left = in_cluster ? q->cluster_bytes - in_cluster : 0;
        uint64_t more, got, count;
        bool virgin;
        int error;

        if (left) {                     /* one more reference to the cluster that is half full */
                error = qcow2_count_get(q, q->compressed_at >> q->cluster_bits, &count);
                if (error)
                        return error;
                if (!count || count == qcow2_count_max(q))
                        left = 0;
        }
        if (size <= left) {
                *offset = q->compressed_at;
                error = qcow2_count_add(q, *offset, 1, 1);
        } else {
                error = qcow2_allocate(q, 1, &more, &got, &virgin);
                if (error)
                        return error;
                *offset = more;
                if (left && more == q->compressed_at + left) {  /* they follow each other: across the border */
                        *offset = q->compressed_at;
                        error = qcow2_count_add(q, q->compressed_at, 1, 1);
                }
        }
        q->compressed_at = *offset + size;
        return error;
}

int qcow2_write_compressed(struct qcow2 *q, uint64_t offset, const uint8_t *bytes)
{
        unsigned bits = 62 - (q->cluster_bits - 8);
        uint8_t *packed = g_malloc(q->cluster_bytes);
        size_t size = pack_bytes(q, bytes, packed, (size_t)q->cluster_bytes - 1);
        uint64_t place = 0, sectors;
        int error = size ? 0 : EOPNOTSUPP;

        pthread_mutex_lock(&q->lock);
        if (!error)
                error = place_compressed(q, size, &place);
        if (!error && place >> bits)
                error = EFBIG;
        if (!error)
                error = image_write(q->file, place, packed, size);
        sectors = (place + size - 1) / 512 - place / 512;
        if (!error)
                error = qcow2_set_entry(q, offset, QCOW2_COMPRESSED | sectors << bits | place);
        pthread_mutex_unlock(&q->lock);
        g_free(packed);
        return error;
}
