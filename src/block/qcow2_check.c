/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_check.c - whether the counts of an image are what its tables refer to, and making them so.
 *
 *      1. Every table is read and every cluster referred to is counted, in memory.  An L2 table that several L1
 *         tables share is read once, and weighs as often as it is referred to, so the work is bounded by
 *         the size of the file, whatever its tables say.
 *      2. Entries that point nowhere are errors; repairing makes them read as zeroes.
 *      3. A stored count below the true one is an error (data in danger), one above is a leak (space lost).
 *      4. COPIED flags of the active tables must say "the count is 1".
 *
 * Counts are put right in place, or, when their blocks are damaged too, all written anew behind the end of the file.
 */
#include <stdlib.h>
#include <unistd.h>

#include "block/qcow2.h"

#define CLUSTERS_MAX (UINT64_C(1) << 27)
enum { REPORTS_MAX = 50 };

struct check {
        struct qcow2 *q;
        struct qcow2_check *result;
        unsigned fix;
        uint32_t *true_count;
        uint64_t clusters;              /* of the file */
        GHashTable *l2;                 /* offset -> struct l2_use * */
        bool rebuild;                   /* the blocks of counts themselves are damaged */
        bool bitmaps;                   /* clusters are in use that we know nothing of */
};

struct l2_use {
        uint64_t offset;
        uint32_t times;
        bool active;
};

static void report(struct check *check, bool fixable, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* An error, and whether repairing takes it away. */
static void report(struct check *check, bool fixable, const char *format, ...)
{
        va_list arguments;
        char *text;

        check->result->errors++;
        check->result->fixed_errors += fixable && check->fix & QCOW2_FIX_ERRORS;
        if (!check->result->report || check->result->reported++ >= REPORTS_MAX)
                return;
        va_start(arguments, format);
        text = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        check->result->report(check->result->opaque, text);
        g_free(text);
}

static bool cancelled(const struct check *check)
{
        return check->result->cancel && *check->result->cancel;
}

/* Counts a range; false: it is not within the file. */
static bool refer(struct check *check, uint64_t offset, uint64_t bytes, uint32_t times)
{
        uint64_t first = offset >> check->q->cluster_bits, last;

        if (!bytes)
                return true;
        last = (offset + bytes - 1) >> check->q->cluster_bits;
        if (offset + bytes < offset || last >= check->clusters)
                return false;
        for (uint64_t i = first; i <= last; i++)
                check->true_count[i] = check->true_count[i] > UINT32_MAX - times ? UINT32_MAX : check->true_count[i] + times;
        return true;
}

/* -- What is referred to ----------------------------------------------------------------------------------------- */

static void note_l2(struct check *check, uint64_t offset, bool active)
{
        struct l2_use *use = g_hash_table_lookup(check->l2, &offset);

        if (!use) {
                use = g_new0(struct l2_use, 1);
                use->offset = offset;
                g_hash_table_insert(check->l2, &use->offset, use);
        }
        use->times++;
        use->active |= active;
}

/* Entries that point nowhere become empty, if we may. */
static bool note_l1(struct check *check, uint64_t *l1, uint32_t entries, bool active)
{
        struct qcow2 *q = check->q;
        bool changed = false;

        for (uint32_t i = 0; i < entries; i++) {
                uint64_t offset = l1[i] & QCOW2_OFFSET;

                if (!offset)
                        continue;
                if (qcow2_in_cluster(q, offset) || offset >> q->cluster_bits >= check->clusters) {
                        report(check, true, "L1 entry %u points to 0x%" G_GINT64_MODIFIER "x, where no table can be", i, offset);
                        if (check->fix & QCOW2_FIX_ERRORS) {
                                l1[i] = 0;
                                changed = true;
                        }
                        continue;
                }
                note_l2(check, offset, active);
        }
        return changed;
}

static bool note_snapshots(struct check *check)
{
        struct qcow2 *q = check->q;
        uint64_t bytes = 0;

        for (guint i = 0; i < q->snapshots->len; i++) {
                const struct qcow2_snapshot *snapshot = g_ptr_array_index(q->snapshots, i);
                uint64_t size = snapshot->l1_entries * UINT64_C(8);
                uint64_t *l1;

                bytes += size;
                /* Tables that do not overlap fit into the file, all together. */
                if (bytes > check->clusters << q->cluster_bits || !refer(check, snapshot->l1_offset, size, 1)) {
                        report(check, false, "the L1 table of snapshot \"%s\" is not within the file", snapshot->name);
                        return false;
                }
                l1 = g_new0(uint64_t, snapshot->l1_entries + 1);
                if (qcow2_file_read(q, snapshot->l1_offset, l1, (size_t)size)) {
                        g_free(l1);
                        return false;
                }
                for (uint32_t entry = 0; entry < snapshot->l1_entries; entry++)
                        l1[entry] = GUINT64_FROM_BE(l1[entry]);
                if (note_l1(check, l1, snapshot->l1_entries, false)) {
                        for (uint32_t entry = 0; entry < snapshot->l1_entries; entry++)
                                l1[entry] = GUINT64_TO_BE(l1[entry]);
                        if (image_write(q->file, snapshot->l1_offset, l1, (size_t)size))
                                return false;
                }
                g_free(l1);
        }
        return refer(check, q->snapshots_offset, q->snapshots_bytes, 1);
}

static void note_entry(struct check *check, const struct l2_use *use, uint8_t *at, bool *changed)
{
        struct qcow2 *q = check->q;
        uint64_t entry = be64(at), offset = entry & QCOW2_OFFSET;
        bool ok;

        if (entry & QCOW2_COMPRESSED) {
                struct qcow2_range range = qcow2_compressed_range(q, entry);

                /* The sectors may reach past the end of the file, not the bytes. */
                ok = range.offset && range.offset < check->clusters << q->cluster_bits && !(entry & QCOW2_COPIED) &&
                     refer(check, range.offset, MIN(range.size, (check->clusters << q->cluster_bits) - range.offset), use->times);
        } else {
                ok = !offset || (!qcow2_in_cluster(q, offset) && refer(check, offset, q->cluster_bytes, use->times));
        }
        if (use->active && (entry & QCOW2_COMPRESSED || offset || (q->version >= 3 && entry & QCOW2_ZERO)))
                check->result->clusters_used++;
        if (ok)
                return;
        report(check, true, "an entry of the L2 table at 0x%" G_GINT64_MODIFIER "x points to 0x%" G_GINT64_MODIFIER "x, where no cluster can be",
               use->offset, entry & ~(QCOW2_COPIED | QCOW2_COMPRESSED));
        if (check->fix & QCOW2_FIX_ERRORS) {
                put_be64(at, q->version >= 3 ? QCOW2_ZERO : 0);
                *changed = true;
        }
}

static bool note_l2_tables(struct check *check)
{
        struct qcow2 *q = check->q;
        uint8_t *table = g_malloc(q->cluster_bytes);
        GHashTableIter iter;
        gpointer each;
        bool ok = true;

        g_hash_table_iter_init(&iter, check->l2);
        while (ok && g_hash_table_iter_next(&iter, NULL, &each)) {
                const struct l2_use *use = each;
                bool changed = false;

                refer(check, use->offset, q->cluster_bytes, use->times);
                ok = !cancelled(check) && qcow2_file_read(q, use->offset, table, (size_t)q->cluster_bytes) == 0;
                for (uint64_t i = 0; ok && i < q->cluster_bytes / 8; i++)
                        note_entry(check, use, table + 8 * i, &changed);
                if (ok && changed)
                        ok = image_write(q->file, use->offset, table, (size_t)q->cluster_bytes) == 0;
        }
        g_free(table);
        return ok;
}

static void note_counts(struct check *check)
{
        struct qcow2 *q = check->q;
        uint64_t per_block = (q->cluster_bytes << 3) >> q->refcount_order;

        if (!refer(check, q->reftable_offset, (uint64_t)q->reftable_clusters << q->cluster_bits, 1))
                check->rebuild = true;
        for (uint32_t i = 0; i < q->reftable_entries; i++) {
                uint64_t offset = q->reftable[i] & ~UINT64_C(511);

                if (!offset) {
                        continue;
                }
                if (qcow2_in_cluster(q, offset) || !refer(check, offset, q->cluster_bytes, 1)) {
                        report(check, true, "the counts of the clusters from %" G_GUINT64_FORMAT " on are at 0x%" G_GINT64_MODIFIER "x, where they "
                               "cannot be", i * per_block, offset);
                        check->rebuild = true;
                }
        }
}

/* -- Comparing -------------------------------------------------------------------------------------------------------- */

static bool compare_block(struct check *check, uint64_t first, uint64_t n, uint8_t *block, bool *changed)
{
        struct qcow2 *q = check->q;

        for (uint64_t i = 0; i < n; i++) {
                uint64_t truth = first + i < check->clusters ? check->true_count[first + i] : 0;
                uint64_t stored = block ? qcow2_count_at(q, block, i) : 0;
                bool leak = stored > truth;

                if (stored == truth || (leak && check->bitmaps))
                        continue;
                if (leak) {
                        check->result->leaks++;
                        check->result->fixed_leaks += !!(check->fix & QCOW2_FIX_LEAKS);
                } else {
                        report(check, true, "cluster %" G_GUINT64_FORMAT " is counted %" G_GUINT64_FORMAT " times and used %" G_GUINT64_FORMAT
                               " times", first + i, stored, truth);
                        check->rebuild |= !block;
                }
                if (check->fix & (leak ? QCOW2_FIX_LEAKS : QCOW2_FIX_ERRORS) && block) {
                        if (truth > qcow2_count_max(q))
                                return false;
                        qcow2_count_put(q, block, i, truth);
                        *changed = true;
                }
        }
        return true;
}

static bool compare(struct check *check)
{
        struct qcow2 *q = check->q;
        uint64_t per_block = (q->cluster_bytes << 3) >> q->refcount_order;
        uint64_t blocks = MAX((check->clusters + per_block - 1) / per_block, (uint64_t)q->reftable_entries);
        uint8_t *bytes = g_malloc(q->cluster_bytes);
        bool ok = true;

        for (uint64_t i = 0; i < blocks && ok; i++) {
                uint64_t offset = i < q->reftable_entries ? q->reftable[i] & ~UINT64_C(511) : 0;
                bool there = offset && !qcow2_in_cluster(q, offset) && offset >> q->cluster_bits < check->clusters, changed = false;

                if (!there && i * per_block >= check->clusters)
                        continue;
                ok = !cancelled(check) && (!there || qcow2_file_read(q, offset, bytes, (size_t)q->cluster_bytes) == 0);
                if (ok)
                        ok = compare_block(check, i * per_block, there ? per_block : MIN(per_block, check->clusters - i * per_block),
                                           there ? bytes : NULL, &changed);
                if (ok && changed && !check->rebuild)
                        ok = image_write(q->file, offset, bytes, (size_t)q->cluster_bytes) == 0;
        }
        g_free(bytes);
        return ok;
}

/* -- Flags ------------------------------------------------------------------------------------------------------------- */

static bool flag_is_right(struct check *check, uint64_t entry)
{
        uint64_t offset = entry & QCOW2_OFFSET, cluster = offset >> check->q->cluster_bits;

        if (!offset || entry & QCOW2_COMPRESSED || qcow2_in_cluster(check->q, offset) || cluster >= check->clusters)
                return true;
        return (check->true_count[cluster] == 1) == !!(entry & QCOW2_COPIED);
}

static bool check_flags(struct check *check)
{
        struct qcow2 *q = check->q;
        uint8_t *table = g_malloc(q->cluster_bytes);
        bool ok = true, l1_changed = false;
        GHashTableIter iter;
        gpointer each;

        for (uint32_t i = 0; i < q->l1_entries; i++)
                if (!flag_is_right(check, q->l1[i] & ~QCOW2_COMPRESSED)) {
                        report(check, true, "COPIED is wrong in L1 entry %u", i);
                        q->l1[i] ^= check->fix & QCOW2_FIX_ERRORS ? QCOW2_COPIED : 0;
                        l1_changed = true;
                }
        g_hash_table_iter_init(&iter, check->l2);
        while (ok && g_hash_table_iter_next(&iter, NULL, &each)) {
                const struct l2_use *use = each;
                bool changed = false;

                if (!use->active)
                        continue;
                ok = !cancelled(check) && qcow2_file_read(q, use->offset, table, (size_t)q->cluster_bytes) == 0;
                for (uint64_t i = 0; ok && i < q->cluster_bytes / 8; i++) {
                        uint64_t entry = be64(table + 8 * i);

                        if (flag_is_right(check, entry))
                                continue;
                        report(check, true, "COPIED is wrong in an entry of the L2 table at 0x%" G_GINT64_MODIFIER "x", use->offset);
                        put_be64(table + 8 * i, entry ^ QCOW2_COPIED);
                        changed = true;
                }
                if (ok && changed && check->fix & QCOW2_FIX_ERRORS)
                        ok = image_write(q->file, use->offset, table, (size_t)q->cluster_bytes) == 0;
        }
        g_free(table);
        if (ok && l1_changed && check->fix & QCOW2_FIX_ERRORS) {
                q->l1_dirty_first = 0;
                q->l1_dirty_end = q->l1_entries;
        }
        return ok;
}

/* -- All counts anew ------------------------------------------------------------------------------------------------------ */

static bool rebuild_counts(struct check *check)
{
        struct qcow2 *q = check->q;
        uint64_t per_block = (q->cluster_bytes << 3) >> q->refcount_order, at = check->clusters, blocks = 0, table = 0, end = at;
        uint8_t *bytes, place[12];
        bool ok = true;

        /* What the old structure took is free from now on, unless something else is there. */
        for (uint32_t i = 0; i < q->reftable_entries; i++) {
                uint64_t old = (q->reftable[i] & ~UINT64_C(511)) >> q->cluster_bits;

                if (old && old < check->clusters && check->true_count[old])
                        check->true_count[old]--;
        }
        for (uint64_t i = 0; i < q->reftable_clusters; i++) {
                uint64_t old = (q->reftable_offset >> q->cluster_bits) + i;

                if (old < check->clusters && check->true_count[old])
                        check->true_count[old]--;
        }
        while (blocks * per_block < end) {
                blocks++;
                table = qcow2_clusters(q, blocks * 8);
                end = at + blocks + table;
        }
        if (table << q->cluster_bits > QCOW2_REFTABLE_BYTES_MAX)
                return false;
        bytes = g_malloc(q->cluster_bytes);
        for (uint64_t i = 0; i < blocks && ok; i++) {
                memset(bytes, 0, q->cluster_bytes);
                for (uint64_t n = 0; n < per_block && i * per_block + n < end; n++) {
                        uint64_t cluster = i * per_block + n, count = cluster < at ? check->true_count[cluster] : 1;

                        ok &= count <= qcow2_count_max(q);
                        qcow2_count_put(q, bytes, n, count);
                }
                ok = ok && image_write(q->file, (at + i) << q->cluster_bits, bytes, (size_t)q->cluster_bytes) == 0;
        }
        g_free(bytes);
        bytes = g_malloc0(table << q->cluster_bits);
        for (uint64_t i = 0; i < blocks; i++)
                put_be64(bytes + 8 * i, (at + i) << q->cluster_bits);
        put_be64(place, (at + blocks) << q->cluster_bits);
        put_be32(place + 8, (uint32_t)table);
        ok = ok && image_write(q->file, (at + blocks) << q->cluster_bits, bytes, (size_t)(table << q->cluster_bits)) == 0 &&
             q->file->driver->flush(q->file) == 0 && image_write(q->file, 48, place, sizeof(place)) == 0;
        if (ok) {
                g_free(q->reftable);
                q->reftable_entries = (uint32_t)((table << q->cluster_bits) / 8);
                q->reftable = g_new0(uint64_t, q->reftable_entries);
                for (uint64_t i = 0; i < blocks; i++)
                        q->reftable[i] = (at + i) << q->cluster_bits;
                q->reftable_offset = (at + blocks) << q->cluster_bits;
                q->reftable_clusters = (uint32_t)table;
        }
        g_free(bytes);
        return ok;
}

/* -- All of it --------------------------------------------------------------------------------------------------------------- */

static bool check_run(struct check *check)
{
        struct qcow2 *q = check->q;
        bool changed;

        refer(check, 0, q->cluster_bytes, 1);
        if (!refer(check, q->l1_offset, q->l1_entries * UINT64_C(8), 1)) {
                report(check, false, "the L1 table is not within the file");
                return true;
        }
        changed = note_l1(check, q->l1, q->l1_entries, true);
        if (!note_snapshots(check) || !note_l2_tables(check))
                return false;
        note_counts(check);
        if (!compare(check) || !check_flags(check))
                return false;
        if (!check->fix)
                return true;
        if (changed) {
                q->l1_dirty_first = 0;
                q->l1_dirty_end = q->l1_entries;
        }
        if (check->rebuild && check->fix & QCOW2_FIX_ERRORS && !rebuild_counts(check))
                return false;
        qcow2_cache_clear(&q->counts);
        qcow2_cache_clear(&q->l2);
        q->free_from = 0;
        q->virgin_from = MAX(q->virgin_from, (q->file->size_bytes + q->cluster_bytes - 1) & ~(q->cluster_bytes - 1));
        q->complained = false;
        if (check->rebuild)
                q->virgin_from = MAX(q->virgin_from, q->reftable_offset + ((uint64_t)q->reftable_clusters << q->cluster_bits));
        return qcow2_commit(q, true) == 0 && q->file->driver->flush(q->file) == 0;
}

bool qcow2_check(struct qcow2 *q, unsigned fix, struct qcow2_check *result, GError **error)
{
        off_t end = lseek(raw_fd(q->file), 0, SEEK_END);
        struct check check = { .q = q, .result = result, .fix = fix };
        bool ok;

        check.clusters = qcow2_clusters(q, end > 0 ? (uint64_t)end : 0);
        check.bitmaps = q->autoclear & QCOW2_BITMAPS;
        result->clusters_total = qcow2_clusters(q, q->image.size_bytes);
        if (check.clusters <= CLUSTERS_MAX)
                check.true_count = calloc(check.clusters + 1, sizeof(*check.true_count));
        if (!check.true_count) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: has too many clusters to be checked", q->image.path);
                return false;
        }
        check.l2 = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
        ok = check_run(&check);
        g_hash_table_destroy(check.l2);
        free(check.true_count);
        if (!ok && cancelled(&check))
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_CANCELLED, "%s: cancelled", q->image.path);
        else if (!ok)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: could not be checked to the end: it is damaged too badly, or cannot be "
                            "read or written", q->image.path);
        return ok;
}
