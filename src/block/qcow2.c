/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2.c - reading and writing qcow2 images (versions 2 and 3), written from the published description of the
 * format (qcow2.txt, "Qcow2 Image File Format").
 *
 * Requests look up or allocate clusters under q->lock and move data without it.  Of two requests for one
 * cluster the caller lets only one run if either changes it (conflict_bytes is the size of a cluster),
 * so a cluster looked up stays what it is until the request is over.
 *
 * Not read: encryption, external data files, extended L2 entries.  Lazy counts are never made: an image that
 * allows them is written as any other.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "block/qcow2.h"

enum { CACHE_BYTES = 16 << 20, CACHE_TABLES_MIN = 16, CACHE_TABLES_MAX = 4096, ALLOCATE_MOST = 4 << 20 };

struct qcow2 *qcow2_of(struct block_image *image)
{
        return image->driver == &qcow2_driver ? (struct qcow2 *)image : NULL;
}

/* -- The file ---------------------------------------------------------------------------------------------- */

int qcow2_file_read(struct qcow2 *q, uint64_t offset, void *to, size_t size)
{
        int error = image_read(q->file, offset, to, size);
        uint64_t there;
        off_t end;

        if (error != EIO)
                return error;
        /* The end of the file, or a bad disk?  Another request may have made the file longer since, so what lies before
         * its end is read again, whatever the first try met; nobody makes it shorter. */
        end = lseek(raw_fd(q->file), 0, SEEK_END);
        if (end < 0)
                return EIO;
        there = offset < (uint64_t)end ? MIN((uint64_t)end - offset, size) : 0;
        memset((uint8_t *)to + there, 0, size - (size_t)there);
        return there ? image_read(q->file, offset, to, (size_t)there) : 0;
}

int qcow2_corrupt(struct qcow2 *q, const char *what, uint64_t at)
{
        if (!q->complained) {
                log_error("%s: damaged: %s at 0x%" G_GINT64_MODIFIER "x is not right; \"lodger image repair\" may help",
                          q->image.path, what, at);
                q->complained = true;
        }
        return EIO;
}

int qcow2_mark_corrupt(struct qcow2 *q, const char *what, uint64_t at)
{
        uint8_t bits[8];

        /* Nobody writes to it any more before it has been repaired. */
        if (q->version >= 3 && !q->image.read_only && !(q->incompatible & QCOW2_CORRUPT)) {
                q->incompatible |= QCOW2_CORRUPT;
                put_be64(bits, q->incompatible);
                image_write(q->file, 72, bits, sizeof(bits));
        }
        return qcow2_corrupt(q, what, at);
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
        return a < b + b_size && b < a + a_size;
}

bool qcow2_is_metadata(const struct qcow2 *q, uint64_t offset, uint64_t size)
{
        if (offset < q->cluster_bytes || overlaps(offset, size, q->l1_offset, q->l1_entries * UINT64_C(8)) ||
            overlaps(offset, size, q->reftable_offset, (uint64_t)q->reftable_clusters << q->cluster_bits) ||
            overlaps(offset, size, q->snapshots_offset, q->snapshots_bytes))
                return true;
        for (guint i = 0; i < q->snapshots->len; i++) {
                const struct qcow2_snapshot *snapshot = g_ptr_array_index(q->snapshots, i);

                if (overlaps(offset, size, snapshot->l1_offset, snapshot->l1_entries * UINT64_C(8)))
                        return true;
        }
        for (uint64_t at = offset; at < offset + size; at += q->cluster_bytes)
                if (g_hash_table_contains(q->l2.tables, &at) || g_hash_table_contains(q->counts.tables, &at))
                        return true;
        return false;
}

/* -- Reading ------------------------------------------------------------------------------------------------- */

static int read_file_run(struct qcow2 *q, uint64_t host, const struct iovec *iov, unsigned count, size_t size)
{
        uint8_t *bytes;
        int error = q->file->driver->readv(q->file, host, iov, count);

        if (error != EIO)
                return error;
        /* Perhaps past the end of the file, where there are zeroes. */
        bytes = g_malloc(size);
        error = qcow2_file_read(q, host, bytes, size);
        iov_fill(iov, count, 0, bytes, size);
        g_free(bytes);
        return error;
}

static int read_backing(struct qcow2 *q, uint64_t offset, const struct iovec *iov, unsigned count, size_t size)
{
        struct block_image *backing = q->image.backing;
        uint64_t there = backing && offset < backing->size_bytes ? MIN(size, backing->size_bytes - offset) : 0;
        struct iovec *part;
        int error = 0;

        if (there < size)
                iov_zero(iov, count, (size_t)there, size - (size_t)there);
        if (!there)
                return 0;
        part = g_new(struct iovec, count);
        error = backing->driver->readv(backing, offset, part, iov_slice(iov, count, 0, (size_t)there, part));
        g_free(part);
        return error;
}

/* Under the lock; the bytes are copied before it goes. */
static int read_compressed(struct qcow2 *q, const struct qcow2_mapping *mapping, uint64_t offset, const struct iovec *iov, unsigned count)
{
        int error = qcow2_unpack(q, mapping->entry);

        if (!error)
                iov_fill(iov, count, 0, q->unpacked + qcow2_in_cluster(q, offset), (size_t)mapping->run);
        return error;
}

static int qcow2_readv(struct block_image *image, uint64_t offset, const struct iovec *to, unsigned count)
{
        struct qcow2 *q = (struct qcow2 *)image;
        size_t size = iov_size(to, count), done = 0;
        struct iovec *part = g_new(struct iovec, count + 1);
        int error = 0;

        while (done < size && !error) {
                struct qcow2_mapping mapping;
                unsigned parts;

                pthread_mutex_lock(&q->lock);
                error = qcow2_map(q, offset + done, size - done, &mapping);
                parts = error ? 0 : iov_slice(to, count, done, (size_t)mapping.run, part);
                if (!error && mapping.kind == QCOW2_K_COMPRESSED)
                        error = read_compressed(q, &mapping, offset + done, part, parts);
                pthread_mutex_unlock(&q->lock);
                if (error)
                        break;
                switch (mapping.kind) {
                case QCOW2_K_DATA:
                        error = read_file_run(q, mapping.host, part, parts, (size_t)mapping.run);
                        break;
                case QCOW2_K_ZERO:
                case QCOW2_K_ZERO_ALLOCATED:
                        iov_zero(part, parts, 0, (size_t)mapping.run);
                        break;
                case QCOW2_K_UNALLOCATED:
                        error = read_backing(q, offset + done, part, parts, (size_t)mapping.run);
                        break;
                case QCOW2_K_COMPRESSED:
                        break;
                }
                done += (size_t)mapping.run;
        }
        g_free(part);
        return error;
}

/* -- Writing --------------------------------------------------------------------------------------------------- */

/* Writes [offset, offset + size) of the guest to clusters that lie in a row from `host` on, completing the
 * first and the last one with what the guest sees there now.  virgin: zeroes need not be written. */
static int write_clusters(struct qcow2 *q, uint64_t offset, uint64_t host, const struct iovec *iov, unsigned count, size_t size,
                          bool virgin)
{
        size_t head = (size_t)qcow2_in_cluster(q, offset), tail = (size_t)(-(offset + size) & (q->cluster_bytes - 1));
        uint8_t *around = head + tail ? g_malloc0(head + tail) : NULL;
        struct iovec *all = g_new(struct iovec, count + 2);
        uint64_t end = offset + size, rest = MIN(tail, q->image.size_bytes - end);
        unsigned n = 0;
        int error = 0;

        if (head)
                error = image_read(&q->image, offset - head, around, head);
        if (rest && !error)
                error = image_read(&q->image, end, around + head, (size_t)rest);
        if (head && !(virgin && is_all_zero(around, head)))
                all[n++] = (struct iovec){ around, head };
        else
                host += head;
        memcpy(all + n, iov, count * sizeof(*iov));
        n += count;
        if (tail && !(virgin && is_all_zero(around + head, tail)))
                all[n++] = (struct iovec){ around + head, tail };
        if (!error)
                error = q->file->driver->writev(q->file, host, all, n);
        g_free(all);
        g_free(around);
        return error;
}

/* One cluster's entry, in the middle of linking several: what it was keeps its place in the file or goes. */
static int link_clusters(struct qcow2 *q, uint64_t guest, uint64_t host, uint64_t clusters)
{
        int error = 0;

        for (uint64_t i = 0; i < clusters && !error; i++) {
                error = qcow2_set_entry(q, guest + (i << q->cluster_bits), (host + (i << q->cluster_bits)) | QCOW2_COPIED);
                if (error)
                        qcow2_unallocate(q, host + (i << q->cluster_bits), (clusters - i) << q->cluster_bits);
        }
        return error;
}

/* How many bytes from `offset` on have no cluster that may be written in place.  Lock held. */
static int measure_new(struct qcow2 *q, uint64_t offset, uint64_t size, uint64_t *run)
{
        struct qcow2_mapping mapping;

        for (*run = 0; *run < size; *run += mapping.run) {
                int error = qcow2_map(q, offset + *run, size - *run, &mapping);

                if (error)
                        return error;
                if (mapping.writable && (mapping.kind == QCOW2_K_DATA || mapping.kind == QCOW2_K_ZERO_ALLOCATED))
                        break;
        }
        return 0;
}

static int write_new(struct qcow2 *q, uint64_t offset, const struct iovec *from, unsigned count, size_t skip, size_t *size)
{
        uint64_t guest = offset & ~(q->cluster_bytes - 1), run, host, got;
        struct iovec *part;
        bool virgin;
        int error;

        pthread_mutex_lock(&q->lock);
        error = measure_new(q, offset, MIN(*size, (uint64_t)ALLOCATE_MOST), &run);
        if (!error)
                error = qcow2_allocate(q, qcow2_clusters(q, offset + run - guest), &host, &got, &virgin);
        pthread_mutex_unlock(&q->lock);
        if (error)
                return error;
        *size = (size_t)MIN(run, guest + (got << q->cluster_bits) - offset);
        part = g_new(struct iovec, count + 1);
        error = write_clusters(q, offset, host, part, iov_slice(from, count, skip, *size, part), *size, virgin);
        g_free(part);
        pthread_mutex_lock(&q->lock);
        if (error)
                qcow2_unallocate(q, host, got << q->cluster_bits);
        else
                error = link_clusters(q, guest, host, got);
        pthread_mutex_unlock(&q->lock);
        return error;
}

static int write_in_place(struct qcow2 *q, uint64_t offset, const struct qcow2_mapping *mapping, const struct iovec *from,
                          unsigned count, size_t skip, size_t *size)
{
        struct iovec *part = g_new(struct iovec, count + 1);
        unsigned parts;
        int error;

        *size = (size_t)mapping->run;
        if (mapping->kind == QCOW2_K_DATA) {
                parts = iov_slice(from, count, skip, *size, part);
                error = q->file->driver->writev(q->file, mapping->host, part, parts);
        } else {                        /* a place that was kept while it reads as zeroes: one cluster at a time */
                uint64_t in_cluster = qcow2_in_cluster(q, offset), host = mapping->host - in_cluster;

                *size = (size_t)MIN(mapping->run, q->cluster_bytes - in_cluster);
                parts = iov_slice(from, count, skip, *size, part);
                error = write_clusters(q, offset, host, part, parts, *size, false);
                pthread_mutex_lock(&q->lock);
                if (!error)
                        error = qcow2_set_entry(q, offset, host | QCOW2_COPIED);
                pthread_mutex_unlock(&q->lock);
        }
        g_free(part);
        return error;
}

static int qcow2_writev(struct block_image *image, uint64_t offset, const struct iovec *from, unsigned count)
{
        struct qcow2 *q = (struct qcow2 *)image;
        size_t size = iov_size(from, count), done = 0;
        int error = 0;

        while (done < size && !error) {
                struct qcow2_mapping mapping;
                size_t n = size - done;
                bool in_place;

                pthread_mutex_lock(&q->lock);
                error = qcow2_map(q, offset + done, n, &mapping);
                in_place = mapping.writable && (mapping.kind == QCOW2_K_DATA || mapping.kind == QCOW2_K_ZERO_ALLOCATED);
                if (!error && in_place) {
                        uint64_t in_cluster = qcow2_in_cluster(q, mapping.host);

                        if (qcow2_is_metadata(q, mapping.host - in_cluster, mapping.run + in_cluster))
                                error = qcow2_mark_corrupt(q, "a cluster of data", mapping.host);
                }
                pthread_mutex_unlock(&q->lock);
                if (!error)
                        error = in_place ? write_in_place(q, offset + done, &mapping, from, count, done, &n)
                                         : write_new(q, offset + done, from, count, done, &n);
                done += n;
        }
        return error;
}

/* -- Zeroes and discards ------------------------------------------------------------------------------------------ */

/* One cluster reads as zeroes from now on. */
static int zero_cluster(struct qcow2 *q, uint64_t offset, bool unmap)
{
        struct qcow2_mapping mapping;
        int error = qcow2_map(q, offset, q->cluster_bytes, &mapping);

        if (error || mapping.kind == QCOW2_K_ZERO || (mapping.kind == QCOW2_K_ZERO_ALLOCATED && !unmap) ||
            (mapping.kind == QCOW2_K_UNALLOCATED && !q->image.backing))
                return error;
        if (q->version < 3) {
                if (q->image.backing)
                        return EOPNOTSUPP;
                return qcow2_set_entry(q, offset, 0);
        }
        if (!unmap && mapping.kind == QCOW2_K_DATA && mapping.writable)
                return qcow2_set_entry(q, offset, mapping.entry | QCOW2_ZERO);
        return qcow2_set_entry(q, offset, QCOW2_ZERO);
}

/* Part of a cluster: nothing to do where there are zeroes. */
static int zero_part(struct qcow2 *q, uint64_t offset, uint64_t size)
{
        struct qcow2_mapping mapping;
        uint8_t *zeroes;
        int error;

        pthread_mutex_lock(&q->lock);
        error = qcow2_map(q, offset, size, &mapping);
        pthread_mutex_unlock(&q->lock);
        if (error || mapping.kind == QCOW2_K_ZERO || mapping.kind == QCOW2_K_ZERO_ALLOCATED ||
            (mapping.kind == QCOW2_K_UNALLOCATED && !q->image.backing))
                return error;
        zeroes = g_malloc0(size);
        error = image_write(&q->image, offset, zeroes, (size_t)size);
        g_free(zeroes);
        return error;
}

static int qcow2_write_zeroes(struct block_image *image, uint64_t offset, uint64_t size, bool unmap)
{
        struct qcow2 *q = (struct qcow2 *)image;
        uint64_t end = offset + size;
        int error = 0;

        while (offset < end && !error) {
                uint64_t in_cluster = qcow2_in_cluster(q, offset), n = MIN(end - offset, q->cluster_bytes - in_cluster);

                /* The disk's last cluster may be cut off by its end. */
                if (in_cluster || (n < q->cluster_bytes && offset + n < image->size_bytes)) {
                        error = zero_part(q, offset, n);
                } else {
                        pthread_mutex_lock(&q->lock);
                        error = zero_cluster(q, offset, unmap);
                        pthread_mutex_unlock(&q->lock);
                        if (error == EOPNOTSUPP)
                                error = zero_part(q, offset, n);
                }
                offset += n;
        }
        return error;
}

static int discard_cluster(struct qcow2 *q, uint64_t offset)
{
        struct qcow2_mapping mapping;
        int error = qcow2_map(q, offset, q->cluster_bytes, &mapping);

        if (error || mapping.kind == QCOW2_K_ZERO || mapping.kind == QCOW2_K_UNALLOCATED)
                return error;
        /* Old content of the backing file must not come back. */
        if (q->image.backing)
                return q->version >= 3 ? qcow2_set_entry(q, offset, QCOW2_ZERO) : 0;
        return qcow2_set_entry(q, offset, 0);
}

static int qcow2_discard(struct block_image *image, uint64_t offset, uint64_t size)
{
        struct qcow2 *q = (struct qcow2 *)image;
        uint64_t end = offset + size;
        int error = 0;

        offset = (offset + q->cluster_bytes - 1) & ~(q->cluster_bytes - 1);
        if (end != image->size_bytes)
                end &= ~(q->cluster_bytes - 1);
        while (offset < end && !error) {
                struct qcow2_mapping mapping;

                pthread_mutex_lock(&q->lock);
                error = qcow2_map(q, offset, end - offset, &mapping);
                if (!error && (mapping.kind == QCOW2_K_UNALLOCATED || mapping.kind == QCOW2_K_ZERO)) {
                        offset += mapping.run;          /* at once, however much it is */
                } else if (!error) {
                        error = discard_cluster(q, offset);
                        offset += q->cluster_bytes;
                }
                pthread_mutex_unlock(&q->lock);
        }
        return error;
}

static enum block_status qcow2_status(struct block_image *image, uint64_t offset, uint64_t size, uint64_t *run)
{
        static const enum block_status status[] = {
                [QCOW2_K_UNALLOCATED] = BLOCK_STATUS_UNALLOCATED, [QCOW2_K_ZERO] = BLOCK_STATUS_ZERO,
                [QCOW2_K_ZERO_ALLOCATED] = BLOCK_STATUS_ZERO, [QCOW2_K_DATA] = BLOCK_STATUS_DATA,
                [QCOW2_K_COMPRESSED] = BLOCK_STATUS_DATA,
        };
        struct qcow2 *q = (struct qcow2 *)image;
        struct qcow2_mapping mapping;
        enum block_status first = BLOCK_STATUS_DATA;

        pthread_mutex_lock(&q->lock);
        for (*run = 0; *run < size; *run += mapping.run) {
                if (qcow2_map(q, offset + *run, size - *run, &mapping)) {
                        *run = *run ? *run : MIN(size, q->cluster_bytes);       /* the read will say what is wrong */
                        break;
                }
                if (*run && status[mapping.kind] != first)
                        break;
                first = status[mapping.kind];
        }
        pthread_mutex_unlock(&q->lock);
        return first;
}

/* -- Life --------------------------------------------------------------------------------------------------------- */

static void qcow2_close(struct block_image *image)
{
        struct qcow2 *q = (struct qcow2 *)image;

        if (image->backing)
                image->backing->driver->close(image->backing);
        qcow2_cache_free(&q->l2);
        qcow2_cache_free(&q->counts);
        qcow2_free_header(q);
        g_array_free(q->freed, TRUE);
        g_free(q->l1);
        g_free(q->reftable);
        g_free(q->unpacked);
        pthread_mutex_destroy(&q->lock);
        q->file->driver->close(q->file);
        g_free(image->path);
        g_free(q);
}

const struct block_driver qcow2_driver = {
        .name = "qcow2", .readv = qcow2_readv, .writev = qcow2_writev, .flush = qcow2_flush, .close = qcow2_close,
        .discard = qcow2_discard, .write_zeroes = qcow2_write_zeroes, .status = qcow2_status, .settle = qcow2_settle,
        .resize = qcow2_resize,
};

static uint64_t *read_table(struct qcow2 *q, uint64_t offset, uint32_t entries)
{
        uint64_t *table = g_try_new0(uint64_t, (gsize)entries + 1);

        if (table && qcow2_file_read(q, offset, table, entries * sizeof(*table))) {
                g_free(table);
                return NULL;
        }
        for (uint32_t i = 0; table && i < entries; i++)
                table[i] = GUINT64_FROM_BE(table[i]);
        return table;
}

static bool read_tables(struct qcow2 *q, GError **error)
{
        q->reftable_entries = (uint32_t)(((uint64_t)q->reftable_clusters << q->cluster_bits) / 8);
        q->l1 = read_table(q, q->l1_offset, q->l1_entries);
        q->reftable = q->l1 ? read_table(q, q->reftable_offset, q->reftable_entries) : NULL;
        if (!q->reftable)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: its tables cannot be read", q->image.path);
        return q->reftable;
}

/* A writable image may have been left in the middle of something. */
static bool prepare_writing(struct qcow2 *q, unsigned flags, GError **error)
{
        struct qcow2_check result = { 0 };
        bool header = q->autoclear != 0;

        if (q->incompatible & QCOW2_CORRUPT && !(flags & QCOW2_ALLOW_CORRUPT)) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_CORRUPT, "%s: is marked as damaged; run \"lodger image repair\", or add "
                            "\",readonly\"", q->image.path);
                return false;
        }
        if (q->incompatible & QCOW2_DIRTY && !(flags & QCOW2_NO_REPAIR)) {
                log_warning("%s: was not closed cleanly; its reference counts are repaired", q->image.path);
                if (!qcow2_check(q, QCOW2_FIX_LEAKS | QCOW2_FIX_ERRORS, &result, error))
                        return false;
                q->incompatible &= ~(uint64_t)QCOW2_DIRTY;
                header = true;
        }
        q->autoclear = 0;               /* of features that we do not keep up */
        if (header && qcow2_write_header(q)) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: its header cannot be written", q->image.path);
                return false;
        }
        return true;
}

struct block_image *qcow2_open(struct block_image *file, unsigned flags, GError **error)
{
        struct qcow2 *q = g_new0(struct qcow2, 1);
        unsigned limit;

        q->image = (struct block_image){ .driver = &qcow2_driver, .read_only = flags & QCOW2_READ_ONLY, .path = g_strdup(file->path) };
        q->file = file;
        pthread_mutex_init(&q->lock, NULL);
        q->extensions = g_array_new(FALSE, FALSE, sizeof(struct qcow2_extension));
        q->freed = g_array_new(FALSE, FALSE, sizeof(struct qcow2_range));
        q->snapshots = g_ptr_array_new_with_free_func(qcow2_snapshot_free);
        if (!qcow2_read_header(q, error) || !read_tables(q, error)) {
                qcow2_close(&q->image);
                return NULL;
        }
        limit = CLAMP((unsigned)(CACHE_BYTES >> q->cluster_bits), (unsigned)CACHE_TABLES_MIN, (unsigned)CACHE_TABLES_MAX);
        qcow2_cache_init(&q->l2, limit);
        qcow2_cache_init(&q->counts, MAX(limit / 4, (unsigned)CACHE_TABLES_MIN));
        q->image.conflict_bytes = (uint32_t)q->cluster_bytes;
        q->virgin_from = (file->size_bytes + q->cluster_bytes - 1) & ~(q->cluster_bytes - 1);
        if (!q->image.read_only && !prepare_writing(q, flags, error)) {
                qcow2_close(&q->image);
                return NULL;
        }
        return &q->image;
}
