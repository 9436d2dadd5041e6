/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_snapshot.c - internal snapshots: further L1 tables, whose clusters are counted once more.
 *
 * The snapshot table is written anew in other clusters and the header is pointed at it.  While counts and COPIED
 * flags are changed (they cannot change together), version 3 images are marked dirty, so that what a crash leaves is
 * repaired on the next open.
 */
#include <time.h>

#include "block/qcow2.h"

enum { ENTRY_BYTES = 40, EXTRA_VM_STATE = 8, EXTRA_SIZE = 16, EXTRA_MAX = 1024, NAME_MAX_BYTES = 255 };
enum { AT_SNAPSHOT_COUNT = 60 };

void qcow2_snapshot_free(gpointer data)
{
        struct qcow2_snapshot *snapshot = data;

        g_free(snapshot->id);
        g_free(snapshot->name);
        g_free(snapshot->extra);
        g_free(snapshot);
}

static void snapshot_fail(struct qcow2 *q, int number, GError **error)
{
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: %s", q->image.path, g_strerror(number));
}

/* -- The table --------------------------------------------------------------------------------------------------- */

/* One entry; false: it does not fit into what is left. */
static bool parse_entry(const uint8_t *at, size_t left, size_t *used, struct qcow2_snapshot *to)
{
        uint32_t extra, id, name;

        if (left < ENTRY_BYTES)
                return false;
        to->l1_offset = be64(at);
        to->l1_entries = be32(at + 8);
        id = (uint32_t)at[12] << 8 | at[13];
        name = (uint32_t)at[14] << 8 | at[15];
        to->date_s = be32(at + 16);
        to->date_ns = be32(at + 20);
        to->vm_clock_ns = be64(at + 24);
        to->vm_state_bytes = be32(at + 32);
        extra = be32(at + 36);
        if (extra > EXTRA_MAX || left - ENTRY_BYTES < (size_t)extra + id + name)
                return false;
        at += ENTRY_BYTES;
        if (extra >= EXTRA_VM_STATE)
                to->vm_state_bytes = be64(at);
        to->has_size = extra >= EXTRA_SIZE;
        if (to->has_size)
                to->size_bytes = be64(at + 8);
        if (extra > EXTRA_SIZE) {
                to->extra_size = extra - EXTRA_SIZE;
                to->extra = g_memdup2(at + EXTRA_SIZE, to->extra_size);
        }
        to->id = g_strndup((const char *)at + extra, id);
        to->name = g_strndup((const char *)at + extra + id, name);
        *used = (ENTRY_BYTES + (size_t)extra + id + name + 7) / 8 * 8;
        return true;
}

bool qcow2_read_snapshots(struct qcow2 *q, uint64_t offset, uint32_t count, GError **error)
{
        size_t size, at = 0, used = 0;
        uint8_t *bytes;
        bool ok = true;

        q->snapshots_offset = count ? offset : 0;
        if (!count)
                return true;
        if (count > QCOW2_SNAPSHOTS_MAX || qcow2_in_cluster(q, offset) || !offset || offset >= q->file->size_bytes) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_CORRUPT, "%s: damaged qcow2 header: bad place or number of snapshots",
                            q->image.path);
                return false;
        }
        size = (size_t)MIN(q->file->size_bytes - offset, (uint64_t)QCOW2_SNAPSHOT_TABLE_BYTES_MAX);
        bytes = g_malloc(size);
        ok = qcow2_file_read(q, offset, bytes, size) == 0;
        for (uint32_t i = 0; i < count && ok; i++) {
                struct qcow2_snapshot *snapshot = g_new0(struct qcow2_snapshot, 1);

                g_ptr_array_add(q->snapshots, snapshot);
                ok = at < size && parse_entry(bytes + at, size - at, &used, snapshot) &&
                     snapshot->l1_entries <= QCOW2_L1_BYTES_MAX / 8 && !qcow2_in_cluster(q, snapshot->l1_offset) &&
                     snapshot->l1_offset < UINT64_C(1) << 56;
                if (!snapshot->has_size)
                        snapshot->size_bytes = q->image.size_bytes;
                at += ok ? used : 0;
        }
        g_free(bytes);
        q->snapshots_bytes = at;
        if (!ok)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_CORRUPT, "%s: its list of snapshots is damaged", q->image.path);
        return ok;
}

static void put_entry(GByteArray *to, const struct qcow2_snapshot *snapshot)
{
        size_t id = strlen(snapshot->id), name = strlen(snapshot->name);
        uint8_t head[ENTRY_BYTES + EXTRA_SIZE] = { 0 };

        put_be64(head, snapshot->l1_offset);
        put_be32(head + 8, snapshot->l1_entries);
        put_be16(head + 12, (uint16_t)id);
        put_be16(head + 14, (uint16_t)name);
        put_be32(head + 16, snapshot->date_s);
        put_be32(head + 20, snapshot->date_ns);
        put_be64(head + 24, snapshot->vm_clock_ns);
        put_be32(head + 32, (uint32_t)MIN(snapshot->vm_state_bytes, (uint64_t)UINT32_MAX));
        put_be32(head + 36, EXTRA_SIZE + snapshot->extra_size);
        put_be64(head + 40, snapshot->vm_state_bytes);
        put_be64(head + 48, snapshot->size_bytes);
        g_byte_array_append(to, head, sizeof(head));
        if (snapshot->extra_size)
                g_byte_array_append(to, snapshot->extra, snapshot->extra_size);
        g_byte_array_append(to, (const uint8_t *)snapshot->id, (guint)id);
        g_byte_array_append(to, (const uint8_t *)snapshot->name, (guint)name);
        while (to->len % 8)
                g_byte_array_append(to, (const uint8_t *)"", 1);
}

/* Writes the table elsewhere and points the header at it. */
static int write_snapshots(struct qcow2 *q)
{
        GByteArray *bytes = g_byte_array_new();
        uint64_t offset = 0, old = q->snapshots_offset, old_bytes = q->snapshots_bytes;
        uint8_t place[12];
        int error = 0;

        for (guint i = 0; i < q->snapshots->len; i++)
                put_entry(bytes, g_ptr_array_index(q->snapshots, i));
        if (bytes->len > QCOW2_SNAPSHOT_TABLE_BYTES_MAX)
                error = EFBIG;
        if (bytes->len && !error)
                error = qcow2_allocate_row(q, qcow2_clusters(q, bytes->len), &offset);
        if (bytes->len && !error)
                error = image_write(q->file, offset, bytes->data, bytes->len);
        if (!error)
                error = qcow2_commit(q, true);
        if (!error)
                error = q->file->driver->flush(q->file);
        put_be32(place, q->snapshots->len);
        put_be64(place + 4, offset);
        if (!error)
                error = image_write(q->file, AT_SNAPSHOT_COUNT, place, sizeof(place));
        if (!error) {
                q->snapshots_offset = offset;
                q->snapshots_bytes = bytes->len;
                qcow2_release(q, old, old_bytes);
        } else if (offset) {
                qcow2_unallocate(q, offset, bytes->len);
        }
        g_byte_array_free(bytes, TRUE);
        return error;
}

/* -- Counting ------------------------------------------------------------------------------------------------------- */

/* Adds to the counts of all that an L1 table refers to.  The active one's COPIED flags follow the counts. */
static int count_l2(struct qcow2 *q, uint64_t l2_offset, int add, bool active)
{
        int error = 0;

        for (uint64_t i = 0; i < q->cluster_bytes / 8 && !error; i++) {
                struct qcow2_table *l2 = qcow2_cache_get(q, &q->l2, l2_offset, &error);
                uint64_t entry, count;

                if (!l2)
                        return error;
                entry = be64(l2->bytes + 8 * i);
                if (entry & QCOW2_COMPRESSED) {
                        struct qcow2_range range = qcow2_compressed_range(q, entry);

                        if (add < 0)
                                qcow2_release(q, range.offset, range.size);
                        else if (add > 0)
                                error = qcow2_count_add(q, range.offset, range.size, add);
                        continue;
                }
                if (!(entry & QCOW2_OFFSET))
                        continue;
                if (add < 0)
                        qcow2_release(q, entry & QCOW2_OFFSET, q->cluster_bytes);
                else if (add > 0)
                        error = qcow2_count_add(q, entry & QCOW2_OFFSET, q->cluster_bytes, add);
                if (!active || error)
                        continue;
                error = qcow2_count_get(q, (entry & QCOW2_OFFSET) >> q->cluster_bits, &count);
                if (!error && (count == 1) != !!(entry & QCOW2_COPIED)) {
                        /* Counting may have thrown the table out of memory. */
                        l2 = qcow2_cache_get(q, &q->l2, l2_offset, &error);
                        if (!l2)
                                return error;
                        put_be64(l2->bytes + 8 * i, entry ^ QCOW2_COPIED);
                        qcow2_table_dirty(&q->l2, l2);
                }
        }
        return error;
}

static int count_l1(struct qcow2 *q, uint64_t *l1, uint32_t entries, int add, bool active)
{
        int error = 0;

        for (uint32_t i = 0; i < entries && !error; i++) {
                uint64_t offset = l1[i] & QCOW2_OFFSET, count;

                if (!offset)
                        continue;
                if (qcow2_in_cluster(q, offset))
                        return qcow2_corrupt(q, "an L2 table", offset);
                error = qcow2_make_room(q);
                if (!error)
                        error = count_l2(q, offset, add, active);
                if (error)
                        return error;
                if (add < 0)
                        qcow2_release(q, offset, q->cluster_bytes);
                else if (add > 0)
                        error = qcow2_count_add(q, offset, q->cluster_bytes, add);
                if (active && !error)
                        error = qcow2_count_get(q, offset >> q->cluster_bits, &count);
                if (active && !error)
                        l1[i] = offset | (count == 1 ? QCOW2_COPIED : 0);
        }
        return error;
}

static int write_active_l1(struct qcow2 *q)
{
        q->l1_dirty_first = 0;
        q->l1_dirty_end = q->l1_entries;
        return q->l1_entries ? qcow2_commit(q, true) : 0;
}

/* Applies what waits for a flush.  Lock held, as everywhere here. */
static int flush_locked(struct qcow2 *q)
{
        int error;

        pthread_mutex_unlock(&q->lock);
        error = qcow2_flush(&q->image);
        pthread_mutex_lock(&q->lock);
        return error;
}

/* COPIED flags of the active tables as the counts are now. */
static int refresh_copied(struct qcow2 *q)
{
        int error = count_l1(q, q->l1, q->l1_entries, 0, true);

        return error ? error : write_active_l1(q);
}

static int set_dirty(struct qcow2 *q, bool dirty)
{
        if (q->version < 3)
                return 0;
        q->incompatible = (q->incompatible & ~(uint64_t)QCOW2_DIRTY) | (dirty ? QCOW2_DIRTY : 0);
        return qcow2_write_header(q);
}

static uint64_t *read_l1(struct qcow2 *q, const struct qcow2_snapshot *snapshot)
{
        uint64_t *l1 = g_new0(uint64_t, snapshot->l1_entries + 1);

        if (qcow2_file_read(q, snapshot->l1_offset, l1, snapshot->l1_entries * sizeof(*l1))) {
                g_free(l1);
                return NULL;
        }
        for (uint32_t i = 0; i < snapshot->l1_entries; i++)
                l1[i] = GUINT64_FROM_BE(l1[i]);
        return l1;
}

static int write_l1_at(struct qcow2 *q, uint64_t offset, const uint64_t *l1, uint32_t entries)
{
        uint64_t *bytes = g_new(uint64_t, entries + 1);
        int error;

        for (uint32_t i = 0; i < entries; i++)
                bytes[i] = GUINT64_TO_BE(l1[i]);
        error = image_write(q->file, offset, bytes, entries * sizeof(*bytes));
        g_free(bytes);
        return error;
}

static bool snapshot_find(struct qcow2 *q, const char *name, guint *index, GError **error)
{
        for (unsigned by_id = 0; by_id < 2; by_id++)
                for (*index = 0; *index < q->snapshots->len; ++*index) {
                        const struct qcow2_snapshot *snapshot = g_ptr_array_index(q->snapshots, *index);

                        if (!strcmp(by_id ? snapshot->id : snapshot->name, name))
                                return true;
                }
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_NOT_FOUND, "%s: has no snapshot \"%s\"; \"lodger image snapshot list\" shows them",
                    q->image.path, name);
        return false;
}

/* -- What can be done ------------------------------------------------------------------------------------------------- */

static struct qcow2_snapshot *snapshot_new(struct qcow2 *q, const char *name, uint64_t vm_clock_ns)
{
        struct qcow2_snapshot *snapshot = g_new0(struct qcow2_snapshot, 1);
        uint64_t highest = 0;
        struct timespec now;

        for (guint i = 0; i < q->snapshots->len; i++)
                highest = MAX(highest, g_ascii_strtoull(((struct qcow2_snapshot *)g_ptr_array_index(q->snapshots, i))->id, NULL, 10));
        clock_gettime(CLOCK_REALTIME, &now);
        snapshot->id = g_strdup_printf("%" G_GUINT64_FORMAT, highest + 1);
        snapshot->name = g_strdup(name);
        snapshot->date_s = (uint32_t)now.tv_sec;
        snapshot->date_ns = (uint32_t)now.tv_nsec;
        snapshot->vm_clock_ns = vm_clock_ns;
        snapshot->l1_entries = q->l1_entries;
        snapshot->size_bytes = q->image.size_bytes;
        snapshot->has_size = true;
        return snapshot;
}

static int create_locked(struct qcow2 *q, struct qcow2_snapshot *snapshot)
{
        uint64_t clusters = qcow2_clusters(q, MAX(snapshot->l1_entries, 1u) * UINT64_C(8));
        int error = set_dirty(q, true);

        if (!error)
                error = qcow2_allocate_row(q, clusters, &snapshot->l1_offset);
        if (error)
                return error;
        error = count_l1(q, q->l1, q->l1_entries, 1, true);
        if (!error)
                error = write_active_l1(q);
        if (!error)
                error = write_l1_at(q, snapshot->l1_offset, q->l1, q->l1_entries);
        if (!error) {
                g_ptr_array_add(q->snapshots, snapshot);
                error = write_snapshots(q);
                if (error)
                        g_ptr_array_steal_index(q->snapshots, q->snapshots->len - 1);
        }
        if (error)                      /* what has been counted too often is repaired on the next open: the image stays dirty */
                return error;
        return set_dirty(q, false);
}

static bool begin(struct qcow2 *q, GError **error)
{
        int number = qcow2_flush(&q->image);

        if (q->image.read_only)
                number = EROFS;
        if (number)
                snapshot_fail(q, number, error);
        pthread_mutex_lock(&q->lock);
        if (number)
                pthread_mutex_unlock(&q->lock);
        return !number;
}

static bool end(struct qcow2 *q, int number, GError **error)
{
        if (!number)
                number = flush_locked(q);
        pthread_mutex_unlock(&q->lock);
        if (number)
                snapshot_fail(q, number, error);
        return !number;
}

bool qcow2_snapshot_create(struct qcow2 *q, const char *name, uint64_t vm_clock_ns, GError **error)
{
        struct qcow2_snapshot *snapshot;
        int number;

        if (!*name || strlen(name) > NAME_MAX_BYTES || q->snapshots->len >= QCOW2_SNAPSHOTS_MAX) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: a snapshot's name has 1 to %d bytes, and an image at most %d "
                            "snapshots", q->image.path, NAME_MAX_BYTES, QCOW2_SNAPSHOTS_MAX);
                return false;
        }
        for (guint i = 0; i < q->snapshots->len; i++)
                if (!strcmp(((struct qcow2_snapshot *)g_ptr_array_index(q->snapshots, i))->name, name)) {
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: there is a snapshot \"%s\" already; choose another "
                                    "name, or delete it first", q->image.path, name);
                        return false;
                }
        if (!begin(q, error))
                return false;
        snapshot = snapshot_new(q, name, vm_clock_ns);
        number = create_locked(q, snapshot);
        if (number)
                qcow2_snapshot_free(snapshot);
        return end(q, number, error);
}

bool qcow2_snapshot_delete(struct qcow2 *q, const char *name, GError **error)
{
        struct qcow2_snapshot *snapshot;
        uint64_t *l1 = NULL;
        guint index;
        int number;

        if (!snapshot_find(q, name, &index, error) || !begin(q, error))
                return false;
        snapshot = g_ptr_array_steal_index(q->snapshots, index);
        l1 = read_l1(q, snapshot);
        number = l1 ? set_dirty(q, true) : EIO;
        if (!number)
                number = write_snapshots(q);
        if (number) {
                g_ptr_array_insert(q->snapshots, (gint)index, snapshot);
                g_free(l1);
                return end(q, number, error);
        }
        number = count_l1(q, l1, snapshot->l1_entries, -1, false);
        qcow2_release(q, snapshot->l1_offset, MAX(snapshot->l1_entries, 1u) * UINT64_C(8));
        if (!number)
                number = flush_locked(q);       /* now the counts go down */
        if (!number)
                number = refresh_copied(q);
        if (!number)
                number = set_dirty(q, false);
        g_free(l1);
        qcow2_snapshot_free(snapshot);
        return end(q, number, error);
}

/* The active L1 table becomes a copy of the snapshot's, whose clusters have been counted once more. */
static int apply_locked(struct qcow2 *q, const struct qcow2_snapshot *snapshot, uint64_t *l1)
{
        uint64_t *old = g_memdup2(q->l1, (q->l1_entries + 1) * sizeof(*old));
        int error = set_dirty(q, true);

        if (!error)
                error = count_l1(q, l1, MIN(snapshot->l1_entries, q->l1_entries), 1, false);
        if (!error)
                error = qcow2_commit(q, true);
        if (!error) {
                memset(q->l1, 0, q->l1_entries * sizeof(*q->l1));
                for (uint32_t i = 0; i < snapshot->l1_entries && i < q->l1_entries; i++)
                        q->l1[i] = l1[i] & QCOW2_OFFSET;
                error = write_active_l1(q);
        }
        if (!error)
                error = count_l1(q, old, q->l1_entries, -1, false);
        if (!error)
                error = flush_locked(q);
        if (!error)
                error = refresh_copied(q);
        if (!error)
                error = set_dirty(q, false);
        q->unpacked_from = 0;
        g_free(old);
        return error;
}

bool qcow2_snapshot_apply(struct qcow2 *q, const char *name, GError **error)
{
        const struct qcow2_snapshot *snapshot;
        uint64_t *l1;
        guint index;
        int number;

        if (!snapshot_find(q, name, &index, error))
                return false;
        snapshot = g_ptr_array_index(q->snapshots, index);
        if (snapshot->size_bytes != q->image.size_bytes) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: the disk had %" G_GUINT64_FORMAT " bytes when \"%s\" was taken; "
                            "resize it to that first", q->image.path, snapshot->size_bytes, name);
                return false;
        }
        if (!begin(q, error))
                return false;
        l1 = read_l1(q, snapshot);
        number = l1 ? apply_locked(q, snapshot, l1) : EIO;
        g_free(l1);
        return end(q, number, error);
}

bool qcow2_snapshot_view(struct qcow2 *q, const char *name, GError **error)
{
        const struct qcow2_snapshot *snapshot;
        uint64_t per_l1 = q->cluster_bytes << q->l2_bits, *l1;
        guint index;

        if (!snapshot_find(q, name, &index, error))
                return false;
        snapshot = g_ptr_array_index(q->snapshots, index);
        l1 = snapshot->size_bytes / per_l1 + (snapshot->size_bytes % per_l1 != 0) <= snapshot->l1_entries ? read_l1(q, snapshot) : NULL;
        if (!l1) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_CORRUPT, "%s: the table of snapshot \"%s\" cannot be read", q->image.path, name);
                return false;
        }
        g_free(q->l1);
        q->l1 = l1;
        q->l1_entries = snapshot->l1_entries;
        q->image.size_bytes = snapshot->size_bytes;
        return true;
}
