/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_refcount.c - how often each cluster of the file is referred to, and which are free.
 *
 * Clusters that no block of counts covers are free.  A block is made when allocation comes to its part of
 * the file, in the first cluster there, so that it counts itself.  When that part lies past the end of the
 * reference table, a larger table is written behind the new blocks and the header is pointed at it.
 */
#include "block/qcow2.h"

uint64_t qcow2_count_max(const struct qcow2 *q)
{
        return q->refcount_order == 6 ? UINT64_MAX : (UINT64_C(1) << (1 << q->refcount_order)) - 1;
}

static unsigned block_bits(const struct qcow2 *q)
{
        return q->cluster_bits + 3 - q->refcount_order;         /* log2 of the counts in a block */
}

uint64_t qcow2_count_at(const struct qcow2 *q, const uint8_t *block, uint64_t index)
{
        unsigned bits = 1u << q->refcount_order, shift;

        switch (q->refcount_order) {
        case 3:
                return block[index];
        case 4:
                return (uint64_t)block[2 * index] << 8 | block[2 * index + 1];
        case 5:
                return be32(block + 4 * index);
        case 6:
                return be64(block + 8 * index);
        default:                        /* several in a byte, the first in the lowest bits */
                shift = (unsigned)(index * bits % 8);
                return block[index * bits / 8] >> shift & ((1u << bits) - 1);
        }
}

void qcow2_count_put(const struct qcow2 *q, uint8_t *block, uint64_t index, uint64_t value)
{
        unsigned bits = 1u << q->refcount_order, shift, mask;

        switch (q->refcount_order) {
        case 3:
                block[index] = (uint8_t)value;
                return;
        case 4:
                put_be16(block + 2 * index, (uint16_t)value);
                return;
        case 5:
                put_be32(block + 4 * index, (uint32_t)value);
                return;
        case 6:
                put_be64(block + 8 * index, value);
                return;
        default:
                shift = (unsigned)(index * bits % 8);
                mask = ((1u << bits) - 1) << shift;
                block[index * bits / 8] = (uint8_t)((block[index * bits / 8] & ~mask) | (value << shift & mask));
        }
}

/* The block that counts a cluster; NULL with *error 0 when there is none. */
static struct qcow2_table *block_of(struct qcow2 *q, uint64_t cluster, int *error)
{
        uint64_t index = cluster >> block_bits(q), offset;

        *error = 0;
        if (index >= q->reftable_entries || !(offset = q->reftable[index] & ~UINT64_C(511)))
                return NULL;
        if (qcow2_in_cluster(q, offset) || offset >> 56) {
                *error = qcow2_corrupt(q, "a block of reference counts", offset);
                return NULL;
        }
        return qcow2_cache_get(q, &q->counts, offset, error);
}

int qcow2_count_get(struct qcow2 *q, uint64_t cluster, uint64_t *value)
{
        int error;
        const struct qcow2_table *block = block_of(q, cluster, &error);

        *value = block ? qcow2_count_at(q, block->bytes, cluster & ((UINT64_C(1) << block_bits(q)) - 1)) : 0;
        return error;
}

int qcow2_count_add(struct qcow2 *q, uint64_t offset, uint64_t bytes, int add)
{
        uint64_t mask = (UINT64_C(1) << block_bits(q)) - 1;

        for (uint64_t cluster = offset >> q->cluster_bits; cluster <= (offset + bytes - 1) >> q->cluster_bits; cluster++) {
                int error;
                struct qcow2_table *block = block_of(q, cluster, &error);
                uint64_t count = block ? qcow2_count_at(q, block->bytes, cluster & mask) : 0;

                if (error)
                        return error;
                /* Whatever is referred to has been counted. */
                if (!block || !count || (add > 0 && count == qcow2_count_max(q)))
                        return add > 0 && count ? ENOTSUP : qcow2_corrupt(q, "the reference count of the cluster", cluster << q->cluster_bits);
                qcow2_count_put(q, block->bytes, cluster & mask, add > 0 ? count + 1 : count - 1);
                qcow2_table_dirty(&q->counts, block);
                if (add < 0 && count == 1) {
                        q->free_from = MIN(q->free_from, cluster);
                        /* A later user of the cluster must not find the table it once was. */
                        qcow2_cache_drop(&q->l2, cluster << q->cluster_bits);
                }
        }
        return 0;
}

/* -- Blocks and the reference table ------------------------------------------------------------------------ */

static int write_reftable_entry(struct qcow2 *q, uint64_t index)
{
        uint64_t entry = GUINT64_TO_BE(q->reftable[index]);

        return image_write(q->file, q->reftable_offset + index * 8, &entry, sizeof(entry));
}

/* The blocks for the part of the file that begins with `cluster`, and a larger table behind them. */
static int grow_reftable(struct qcow2 *q, uint64_t cluster)
{
        unsigned bits = block_bits(q);
        uint64_t first = cluster >> bits, entries = MAX(first + 1, q->reftable_entries) * 3 / 2 + 1, blocks = 1, clusters, end;
        uint64_t *table, old_offset = q->reftable_offset, old_bytes = (uint64_t)q->reftable_clusters << q->cluster_bits;
        uint8_t *bytes, place[12];
        int error = 0;

        clusters = qcow2_clusters(q, entries * 8);
        while ((first + blocks) << bits < cluster + blocks + clusters)
                blocks++;
        entries = MAX(entries, first + blocks);
        clusters = qcow2_clusters(q, entries * 8);
        if ((first + blocks) << bits < cluster + blocks + clusters)
                blocks++;
        entries = (clusters << q->cluster_bits) / 8;
        if (clusters << q->cluster_bits > QCOW2_REFTABLE_BYTES_MAX)
                return EFBIG;
        if (qcow2_is_metadata(q, cluster << q->cluster_bits, (blocks + clusters) << q->cluster_bits))
                return qcow2_mark_corrupt(q, "a free cluster that is in use", cluster << q->cluster_bits);
        table = g_new0(uint64_t, entries);
        memcpy(table, q->reftable, q->reftable_entries * sizeof(*table));
        bytes = g_malloc0(q->cluster_bytes);
        end = cluster + blocks + clusters;
        for (uint64_t i = 0; i < blocks && !error; i++) {
                table[first + i] = (cluster + i) << q->cluster_bits;
                memset(bytes, 0, q->cluster_bytes);
                for (uint64_t each = MAX(cluster, (first + i) << bits); each < MIN(end, (first + i + 1) << bits); each++)
                        qcow2_count_put(q, bytes, each & ((UINT64_C(1) << bits) - 1), 1);
                qcow2_cache_drop(&q->counts, table[first + i]);
                error = image_write(q->file, table[first + i], bytes, (size_t)q->cluster_bytes);
        }
        g_free(bytes);
        bytes = g_malloc0(clusters << q->cluster_bits);
        for (uint64_t i = 0; i < entries; i++)
                put_be64(bytes + 8 * i, table[i]);
        if (!error)
                error = image_write(q->file, (cluster + blocks) << q->cluster_bits, bytes, (size_t)(clusters << q->cluster_bits));
        g_free(bytes);
        if (!error)
                error = q->file->driver->flush(q->file);
        put_be64(place, (cluster + blocks) << q->cluster_bits);
        put_be32(place + 8, (uint32_t)clusters);
        if (!error)
                error = image_write(q->file, 48, place, sizeof(place));         /* offset and size in one */
        if (error) {
                g_free(table);
                return error;
        }
        g_free(q->reftable);
        q->reftable = table;
        q->reftable_entries = (uint32_t)entries;
        q->reftable_offset = (cluster + blocks) << q->cluster_bits;
        q->reftable_clusters = (uint32_t)clusters;
        q->virgin_from = MAX(q->virgin_from, end << q->cluster_bits);
        qcow2_release(q, old_offset, old_bytes);
        return 0;
}

/* A block of counts for a part of the file that has none, in its cluster `cluster`. */
static int add_block(struct qcow2 *q, uint64_t cluster)
{
        uint64_t index = cluster >> block_bits(q), offset = cluster << q->cluster_bits;
        uint8_t *bytes;
        int error;

        if (index >= q->reftable_entries)
                return grow_reftable(q, cluster);
        if (qcow2_is_metadata(q, offset, q->cluster_bytes))
                return qcow2_mark_corrupt(q, "a free cluster that is in use", offset);
        bytes = g_malloc0(q->cluster_bytes);
        qcow2_count_put(q, bytes, cluster & ((UINT64_C(1) << block_bits(q)) - 1), 1);
        error = image_write(q->file, offset, bytes, (size_t)q->cluster_bytes);
        g_free(bytes);
        if (!error)
                error = q->file->driver->flush(q->file);        /* once in thousands of clusters */
        if (error)
                return error;
        q->reftable[index] = offset;
        error = write_reftable_entry(q, index);
        if (error) {
                q->reftable[index] = 0;
                return error;
        }
        q->virgin_from = MAX(q->virgin_from, offset + q->cluster_bytes);
        return 0;
}

/* -- Allocation ------------------------------------------------------------------------------------------------ */

/* Finds the next free cluster at or after *cluster, making blocks of counts as needed. */
static int next_free(struct qcow2 *q, uint64_t *cluster, struct qcow2_table **block)
{
        uint64_t mask = (UINT64_C(1) << block_bits(q)) - 1;

        for (;;) {
                int error;

                *block = block_of(q, *cluster, &error);
                if (!error && !*block)
                        error = add_block(q, *cluster);
                if (error)
                        return error;
                if (!*block)
                        continue;
                do {
                        if (!qcow2_count_at(q, (*block)->bytes, *cluster & mask))
                                return 0;
                        ++*cluster;
                } while (*cluster & mask);
        }
}

int qcow2_allocate(struct qcow2 *q, uint64_t most, uint64_t *offset, uint64_t *got, bool *virgin)
{
        uint64_t mask = (UINT64_C(1) << block_bits(q)) - 1, first = q->free_from, end;
        struct qcow2_table *block;
        int error = qcow2_make_room(q);

        if (!error)
                error = next_free(q, &first, &block);
        if (error)
                return error;
        /* As many as follow in the same block of counts. */
        for (end = first; end - first < most && (end == first || end & mask) && !qcow2_count_at(q, block->bytes, end & mask); end++)
                qcow2_count_put(q, block->bytes, end & mask, 1);
        qcow2_table_dirty(&q->counts, block);
        q->free_from = end;
        *offset = first << q->cluster_bits;
        *got = end - first;
        if (qcow2_is_metadata(q, *offset, *got << q->cluster_bits))
                return qcow2_mark_corrupt(q, "a free cluster that is in use", *offset);
        *virgin = *offset >= q->virgin_from;
        q->virgin_from = MAX(q->virgin_from, end << q->cluster_bits);
        return 0;
}

int qcow2_allocate_row(struct qcow2 *q, uint64_t clusters, uint64_t *offset)
{
        uint64_t first = q->free_from, n = 0, mask = (UINT64_C(1) << block_bits(q)) - 1;
        struct qcow2_table *block;

        while (n < clusters) {
                uint64_t at = first + n;
                int error = next_free(q, &at, &block);

                if (error)
                        return error;
                if (at != first + n) {
                        first = at;
                        n = 0;
                }
                n++;
        }
        if (qcow2_is_metadata(q, first << q->cluster_bits, clusters << q->cluster_bits))
                return qcow2_mark_corrupt(q, "a free cluster that is in use", first << q->cluster_bits);
        for (n = 0; n < clusters; n++) {
                int error;

                block = block_of(q, first + n, &error);
                if (!block)
                        return error ? error : EIO;
                qcow2_count_put(q, block->bytes, (first + n) & mask, 1);
                qcow2_table_dirty(&q->counts, block);
        }
        if (first == q->free_from)
                q->free_from = first + clusters;
        q->virgin_from = MAX(q->virgin_from, (first + clusters) << q->cluster_bits);
        *offset = first << q->cluster_bits;
        return 0;
}

void qcow2_release(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
        struct qcow2_range range = { offset, bytes };
        struct qcow2_range *last = q->freed->len ? &g_array_index(q->freed, struct qcow2_range, q->freed->len - 1) : NULL;

        if (last && last->offset + last->size == offset && !qcow2_in_cluster(q, offset) && !qcow2_in_cluster(q, last->offset))
                last->size += bytes;    /* whole clusters in a row */
        else if (bytes)
                g_array_append_val(q->freed, range);
}

void qcow2_unallocate(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
        qcow2_count_add(q, offset, bytes, -1);
}
