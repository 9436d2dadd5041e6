/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_map.c - from guest addresses to places in the file: the L1 and L2 tables.
 *
 * An L1 entry without COPIED is shared with a snapshot: its L2 table is copied before it is changed.
 */
#include "block/qcow2.h"

static uint64_t l2_index(const struct qcow2 *q, uint64_t offset)
{
        return offset >> q->cluster_bits & ((UINT64_C(1) << q->l2_bits) - 1);
}

static uint64_t l1_index(const struct qcow2 *q, uint64_t offset)
{
        return offset >> (q->cluster_bits + q->l2_bits);
}

static bool offset_is_sane(const struct qcow2 *q, uint64_t offset)
{
        return offset && !qcow2_in_cluster(q, offset);
}

/* Marks an L1 entry for the next commit. */
static void set_l1(struct qcow2 *q, uint64_t index, uint64_t entry)
{
        bool clean = q->l1_dirty_first == q->l1_dirty_end;

        q->l1[index] = entry;
        q->l1_dirty_first = clean ? (uint32_t)index : MIN(q->l1_dirty_first, (uint32_t)index);
        q->l1_dirty_end = clean ? (uint32_t)index + 1 : MAX(q->l1_dirty_end, (uint32_t)index + 1);
}

struct qcow2_range qcow2_compressed_range(const struct qcow2 *q, uint64_t entry)
{
        unsigned bits = 62 - (q->cluster_bits - 8);
        uint64_t offset = entry & ((UINT64_C(1) << bits) - 1);
        uint64_t sectors = (entry & (QCOW2_COMPRESSED - 1)) >> bits;

        return (struct qcow2_range){ offset, (sectors + 1) * 512 - offset % 512 };
}

static enum qcow2_kind entry_kind(const struct qcow2 *q, uint64_t entry)
{
        if (entry & QCOW2_COMPRESSED)
                return QCOW2_K_COMPRESSED;
        if (q->version >= 3 && entry & QCOW2_ZERO)
                return entry & QCOW2_OFFSET ? QCOW2_K_ZERO_ALLOCATED : QCOW2_K_ZERO;
        return entry & QCOW2_OFFSET ? QCOW2_K_DATA : QCOW2_K_UNALLOCATED;
}

/* The L2 table for reading; NULL with *error 0 when there is none. */
static struct qcow2_table *l2_for_reading(struct qcow2 *q, uint64_t index, int *error)
{
        uint64_t offset = index < q->l1_entries ? q->l1[index] & QCOW2_OFFSET : 0;

        *error = 0;
        if (!offset)
                return NULL;
        if (!offset_is_sane(q, offset)) {
                *error = qcow2_corrupt(q, "an L2 table", offset);
                return NULL;
        }
        return qcow2_cache_get(q, &q->l2, offset, error);
}

int qcow2_map(struct qcow2 *q, uint64_t offset, uint64_t size, struct qcow2_mapping *mapping)
{
        uint64_t in_cluster = qcow2_in_cluster(q, offset), index = l2_index(q, offset), l1 = l1_index(q, offset);
        uint64_t table_end = ((l1 + 1) << (q->cluster_bits + q->l2_bits)) - offset, n;
        int error;
        const struct qcow2_table *l2 = l2_for_reading(q, l1, &error);

        *mapping = (struct qcow2_mapping){ .kind = QCOW2_K_UNALLOCATED, .run = MIN(size, table_end) };
        if (!l2)
                return error;
        mapping->entry = be64(l2->bytes + 8 * index);
        mapping->kind = entry_kind(q, mapping->entry);
        mapping->writable = mapping->entry & QCOW2_COPIED && q->l1[l1] & QCOW2_COPIED;
        if (mapping->kind == QCOW2_K_DATA || mapping->kind == QCOW2_K_ZERO_ALLOCATED) {
                if (!offset_is_sane(q, mapping->entry & QCOW2_OFFSET))
                        return qcow2_corrupt(q, "a cluster of data", mapping->entry & QCOW2_OFFSET);
                mapping->host = (mapping->entry & QCOW2_OFFSET) + in_cluster;
        }
        /* How far the following entries say the same. */
        size = mapping->run;
        mapping->run = q->cluster_bytes - in_cluster;
        for (n = 1; mapping->run < size && mapping->kind != QCOW2_K_COMPRESSED; n++) {
                uint64_t entry = be64(l2->bytes + 8 * (index + n));

                if (entry_kind(q, entry) != mapping->kind)
                        break;
                if (mapping->host && entry != mapping->entry + (n << q->cluster_bits))
                        break;
                mapping->run += q->cluster_bytes;
        }
        mapping->run = MIN(mapping->run, size);
        return 0;
}

/* -- Changing ------------------------------------------------------------------------------------------------- */

/* The L2 table for changing: made, or copied, when that is needed. */
static struct qcow2_table *l2_for_writing(struct qcow2 *q, uint64_t index, int *error)
{
        uint64_t old, offset, got;
        struct qcow2_table *table, *from;
        bool virgin;

        if (index >= q->l1_entries) {
                *error = EIO;
                return NULL;
        }
        from = l2_for_reading(q, index, error);
        if (*error || (from && q->l1[index] & QCOW2_COPIED))
                return from;
        old = q->l1[index] & QCOW2_OFFSET;
        *error = qcow2_allocate(q, 1, &offset, &got, &virgin);
        if (*error)
                return NULL;
        table = qcow2_cache_new(&q->l2, offset, q->cluster_bytes);
        if (old) {
                /* Allocating or adding a table may have thrown the old one out. */
                from = qcow2_cache_get(q, &q->l2, old, error);
                if (*error) {
                        qcow2_cache_drop(&q->l2, offset);
                        qcow2_unallocate(q, offset, q->cluster_bytes);
                        return NULL;
                }
                memcpy(table->bytes, from->bytes, (size_t)q->cluster_bytes);
                qcow2_release(q, old, q->cluster_bytes);
        }
        set_l1(q, index, offset | QCOW2_COPIED);
        return table;
}

void qcow2_release_entry(struct qcow2 *q, uint64_t entry)
{
        struct qcow2_range range;

        if (entry & QCOW2_COMPRESSED) {
                range = qcow2_compressed_range(q, entry);
                qcow2_release(q, range.offset, range.size);
        } else if (entry & QCOW2_OFFSET) {
                qcow2_release(q, entry & QCOW2_OFFSET, q->cluster_bytes);
        }
}

int qcow2_set_entry(struct qcow2 *q, uint64_t offset, uint64_t entry)
{
        int error;
        struct qcow2_table *table = l2_for_writing(q, l1_index(q, offset), &error);
        uint8_t *at;
        uint64_t old;

        if (!table)
                return error;
        at = table->bytes + 8 * l2_index(q, offset);
        old = be64(at);
        if (old == entry)
                return 0;
        put_be64(at, entry);
        qcow2_table_dirty(&q->l2, table);
        if ((old & QCOW2_COMPRESSED) || (old & QCOW2_OFFSET) != (entry & QCOW2_OFFSET))
                qcow2_release_entry(q, old);
        if (q->unpacked_from == old)
                q->unpacked_from = 0;
        return 0;
}
