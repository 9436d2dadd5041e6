/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_create.c - new, empty images, and other sizes for those there are.
 *
 * A new image: header, reference table, the first block of counts, L1 table.  It is opened as an image whose
 * first three clusters are counted, and makes room for its L1 table by the usual means.
 */
#include "block/qcow2.h"

/* Clusters 0 to 2: header, reference table, block of counts that counts these three. */
static int write_skeleton(struct block_image *file, const struct qcow2_options *options)
{
        uint64_t cluster = UINT64_C(1) << options->cluster_bits;
        struct qcow2 shape = { .refcount_order = options->refcount_order };
        uint8_t *bytes = g_malloc0(3 * cluster);
        int error;

        put_be32(bytes, (uint32_t)QCOW2_MAGIC);
        put_be32(bytes + 4, options->version);
        put_be32(bytes + 20, options->cluster_bits);
        put_be64(bytes + 40, 0);
        put_be64(bytes + 48, cluster);
        put_be32(bytes + 56, 1);
        if (options->version >= 3) {
                put_be64(bytes + 72, options->compression ? QCOW2_COMPRESSION : 0);
                put_be64(bytes + 80, options->lazy_refcounts ? QCOW2_LAZY : 0);
                put_be32(bytes + 96, options->refcount_order);
                put_be32(bytes + 100, 112);
                bytes[104] = (uint8_t)options->compression;
        }
        put_be64(bytes + cluster, 2 * cluster);
        for (unsigned i = 0; i < 3; i++)
                qcow2_count_put(&shape, bytes + 2 * cluster, i, 1);
        error = image_write(file, 0, bytes, (size_t)(3 * cluster));
        g_free(bytes);
        return error;
}

bool qcow2_create(struct block_image *file, uint64_t size, const struct qcow2_options *options, GError **error)
{
        char *path = g_strdup(file->path);
        int number = write_skeleton(file, options);
        struct block_image *image;
        bool ok = false;

        file->size_bytes = UINT64_C(3) << options->cluster_bits;
        if (number) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: %s", path, g_strerror(number));
                file->driver->close(file);
        } else if ((image = qcow2_open(file, 0, error)) != NULL) {
                struct qcow2 *q = qcow2_of(image);

                qcow2_set_backing(q, options->backing_name, options->backing_format);
                number = qcow2_write_header(q);
                if (number)
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: its header does not fit: the name of the backing file is too long",
                                    path);
                ok = !number && qcow2_resize(image, size, error) == 0 && image_sync(image) == 0;
                image->driver->close(image);
        }
        g_free(path);
        return ok;
}

/* -- Sizes ------------------------------------------------------------------------------------------------- */

/* A longer L1 table elsewhere; header bytes 24 to 48 hold the size and where the table is. */
static int move_l1(struct qcow2 *q, uint64_t size, uint32_t entries)
{
        uint64_t offset, old = q->l1_offset, old_bytes = q->l1_entries * UINT64_C(8);
        uint8_t head[24] = { 0 }, *bytes;
        int error = qcow2_allocate_row(q, qcow2_clusters(q, entries * UINT64_C(8)), &offset);

        if (error)
                return error;
        bytes = g_malloc0(qcow2_clusters(q, entries * UINT64_C(8)) << q->cluster_bits);
        for (uint32_t i = 0; i < q->l1_entries; i++)
                put_be64(bytes + 8 * i, q->l1[i]);
        error = image_write(q->file, offset, bytes, (size_t)(qcow2_clusters(q, entries * UINT64_C(8)) << q->cluster_bits));
        g_free(bytes);
        if (!error)
                error = qcow2_commit(q, true);
        if (!error)
                error = q->file->driver->flush(q->file);
        put_be64(head, size);
        put_be32(head + 12, entries);
        put_be64(head + 16, offset);
        if (!error)
                error = image_write(q->file, 24, head, sizeof(head));
        if (error)
                return error;
        q->l1 = g_renew(uint64_t, q->l1, (gsize)entries + 1);
        memset(q->l1 + q->l1_entries, 0, (entries + 1 - q->l1_entries) * sizeof(*q->l1));
        q->l1_entries = entries;
        q->l1_offset = offset;
        qcow2_release(q, old, old_bytes);
        return 0;
}

/* What lies beyond the new end, of this image and of what a larger backing file would show, goes. */
static int clear_range(struct qcow2 *q, uint64_t from, uint64_t to)
{
        uint64_t whole = MIN((from + q->cluster_bytes - 1) & ~(q->cluster_bytes - 1), to);
        int error = from < whole ? image_write_zeroes(&q->image, from, whole - from, true) : 0;

        for (uint64_t at = whole; at < to && !error; at += q->cluster_bytes) {
                struct qcow2_mapping mapping;

                pthread_mutex_lock(&q->lock);
                error = qcow2_map(q, at, to - at, &mapping);
                if (!error && mapping.kind != QCOW2_K_UNALLOCATED)
                        error = qcow2_set_entry(q, at, 0);
                else if (!error)
                        at += ((mapping.run - 1) & ~(q->cluster_bytes - 1));
                pthread_mutex_unlock(&q->lock);
        }
        return error;
}

static int set_size(struct qcow2 *q, uint64_t size)
{
        uint64_t per_l1 = q->cluster_bytes << q->l2_bits, needed = size / per_l1 + (size % per_l1 != 0);
        uint8_t bytes[8];
        int error = 0;

        if (needed > QCOW2_L1_BYTES_MAX / 8 || size > (uint64_t)INT64_MAX)
                return EFBIG;
        if (needed > q->l1_entries || !q->l1_offset)
                return move_l1(q, size, (uint32_t)MAX(needed, 1u));
        put_be64(bytes, size);
        error = qcow2_commit(q, true);
        return error ? error : image_write(q->file, 24, bytes, sizeof(bytes));
}

int qcow2_resize(struct block_image *image, uint64_t size, GError **error)
{
        struct qcow2 *q = qcow2_of(image);
        uint64_t old = image->size_bytes;
        int number = 0;

        if (size < old)
                number = clear_range(q, size, old);
        pthread_mutex_lock(&q->lock);
        if (!number)
                number = set_size(q, size);
        pthread_mutex_unlock(&q->lock);
        if (!number) {
                image->size_bytes = size;
                /* A larger backing file must not show through. */
                if (size > old && image->backing && image->backing->size_bytes > old)
                        number = image_write_zeroes(image, old, MIN(size, image->backing->size_bytes) - old, true);
        }
        if (!number)
                number = qcow2_flush(image);
        if (number)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_SIZE, "%s: %s", image->path,
                            number == EFBIG ? "a qcow2 disk with such clusters cannot be that large; choose larger clusters"
                                            : g_strerror(number));
        return number;
}
