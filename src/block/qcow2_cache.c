/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_cache.c - tables in memory, and the order in which they reach the disk (qcow2.h, Q1 and Q2).
 *
 * Dirty tables stay in memory until a commit, however many there are; qcow2_make_room() commits when
 * they fill more than half of the cache.
 */
#include "block/qcow2.h"

static void table_free(gpointer data)
{
        struct qcow2_table *table = data;

        g_free(table->bytes);
        g_free(table);
}

void qcow2_cache_init(struct qcow2_cache *cache, unsigned limit)
{
        *cache = (struct qcow2_cache){ .limit = limit };
        cache->tables = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, table_free);
}

void qcow2_cache_free(struct qcow2_cache *cache)
{
        if (cache->tables)
                g_hash_table_destroy(cache->tables);
        cache->tables = NULL;
}

void qcow2_cache_clear(struct qcow2_cache *cache)
{
        g_hash_table_remove_all(cache->tables);
        cache->dirty = 0;
}

static void cache_evict(struct qcow2_cache *cache)
{
        struct qcow2_table *oldest = NULL;
        GHashTableIter iter;
        gpointer table;

        g_hash_table_iter_init(&iter, cache->tables);
        while (g_hash_table_iter_next(&iter, NULL, &table)) {
                struct qcow2_table *each = table;

                if (!each->dirty && (!oldest || each->used < oldest->used))
                        oldest = each;
        }
        if (oldest)
                g_hash_table_remove(cache->tables, &oldest->offset);
}

static struct qcow2_table *cache_add(struct qcow2_cache *cache, uint64_t offset, uint64_t bytes)
{
        struct qcow2_table *table = g_new0(struct qcow2_table, 1);

        if (g_hash_table_size(cache->tables) >= cache->limit)
                cache_evict(cache);
        table->offset = offset;
        table->bytes = g_malloc0(bytes);
        table->used = ++cache->clock;
        g_hash_table_replace(cache->tables, &table->offset, table);
        return table;
}

struct qcow2_table *qcow2_cache_get(struct qcow2 *q, struct qcow2_cache *cache, uint64_t offset, int *error)
{
        struct qcow2_table *table = g_hash_table_lookup(cache->tables, &offset);

        *error = 0;
        if (!table) {
                table = cache_add(cache, offset, q->cluster_bytes);
                *error = qcow2_file_read(q, offset, table->bytes, (size_t)q->cluster_bytes);
                if (*error) {
                        g_hash_table_remove(cache->tables, &offset);
                        return NULL;
                }
        }
        table->used = ++cache->clock;
        return table;
}

struct qcow2_table *qcow2_cache_new(struct qcow2_cache *cache, uint64_t offset, uint64_t bytes)
{
        struct qcow2_table *table;

        qcow2_cache_drop(cache, offset);
        table = cache_add(cache, offset, bytes);
        qcow2_table_dirty(cache, table);
        return table;
}

void qcow2_cache_drop(struct qcow2_cache *cache, uint64_t offset)
{
        struct qcow2_table *table = g_hash_table_lookup(cache->tables, &offset);

        if (!table)
                return;
        cache->dirty -= table->dirty;
        g_hash_table_remove(cache->tables, &offset);
}

void qcow2_table_dirty(struct qcow2_cache *cache, struct qcow2_table *table)
{
        cache->dirty += !table->dirty;
        table->dirty = true;
}

static int cache_write(struct qcow2 *q, struct qcow2_cache *cache)
{
        GHashTableIter iter;
        gpointer each;

        g_hash_table_iter_init(&iter, cache->tables);
        while (cache->dirty && g_hash_table_iter_next(&iter, NULL, &each)) {
                struct qcow2_table *table = each;
                int error;

                if (!table->dirty)
                        continue;
                error = image_write(q->file, table->offset, table->bytes, (size_t)q->cluster_bytes);
                if (error)
                        return error;
                table->dirty = false;
                cache->dirty--;
        }
        return 0;
}

static int write_l1(struct qcow2 *q)
{
        uint32_t first = q->l1_dirty_first, n = q->l1_dirty_end - first;
        uint64_t *entries = g_new(uint64_t, n);
        int error;

        for (uint32_t i = 0; i < n; i++)
                entries[i] = GUINT64_TO_BE(q->l1[first + i]);
        error = image_write(q->file, q->l1_offset + first * UINT64_C(8), entries, n * sizeof(*entries));
        g_free(entries);
        if (!error)
                q->l1_dirty_first = q->l1_dirty_end = 0;
        return error;
}

static int barrier(struct qcow2 *q, bool durable)
{
        return durable ? q->file->driver->flush(q->file) : 0;
}

int qcow2_commit(struct qcow2 *q, bool durable)
{
        bool pointers = q->l2.dirty || q->l1_dirty_first != q->l1_dirty_end;
        int error = cache_write(q, &q->counts);

        if (!error && pointers)
                error = barrier(q, durable);
        if (!error)
                error = cache_write(q, &q->l2);
        if (!error && q->l1_dirty_first != q->l1_dirty_end) {
                error = barrier(q, durable);
                if (!error)
                        error = write_l1(q);
        }
        return error;
}

/* Lock held: after the pointers are gone from the disk for good. */
static void apply_freed(struct qcow2 *q, GArray *freed)
{
        for (guint i = 0; i < freed->len; i++) {
                const struct qcow2_range *range = &g_array_index(freed, struct qcow2_range, i);

                /* What cannot be counted down stays a leak. */
                qcow2_count_add(q, range->offset, range->size, -1);
        }
        g_array_free(freed, TRUE);
}

static GArray *take_freed(struct qcow2 *q)
{
        GArray *freed = q->freed;

        q->freed = g_array_new(FALSE, FALSE, sizeof(struct qcow2_range));
        return freed;
}

static void put_back_freed(struct qcow2 *q, GArray *freed)
{
        g_array_append_vals(q->freed, freed->data, freed->len);
        g_array_free(freed, TRUE);
}

int qcow2_make_room(struct qcow2 *q)
{
        GArray *freed;
        int error;

        if (q->l2.dirty <= q->l2.limit / 2 && q->counts.dirty <= q->counts.limit / 2 && q->freed->len < 4096)
                return 0;
        error = qcow2_commit(q, true);
        if (!error)
                error = barrier(q, true);
        if (error)
                return error;
        freed = take_freed(q);
        apply_freed(q, freed);
        return 0;
}

int qcow2_flush(struct block_image *image)
{
        struct qcow2 *q = (struct qcow2 *)image;
        GArray *freed;
        int error;

        pthread_mutex_lock(&q->lock);
        error = qcow2_commit(q, true);
        freed = take_freed(q);
        pthread_mutex_unlock(&q->lock);
        /* Others go on while the disk works. */
        if (!error)
                error = barrier(q, true);
        pthread_mutex_lock(&q->lock);
        if (error)
                put_back_freed(q, freed);
        else
                apply_freed(q, freed);
        pthread_mutex_unlock(&q->lock);
        return error;
}

int qcow2_settle(struct block_image *image)
{
        struct qcow2 *q = (struct qcow2 *)image;
        int error;

        pthread_mutex_lock(&q->lock);
        error = qcow2_commit(q, true);
        pthread_mutex_unlock(&q->lock);
        return error;
}
