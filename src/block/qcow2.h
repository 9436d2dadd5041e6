/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2.h - struct qcow2 and the parts of the format, shared by src/block/qcow2*.c alone.
 *
 * The file is a row of clusters.  Guest addresses are looked up in two steps: L1 table (always in memory)
 * -> L2 table (a cluster of entries, cached) -> cluster of data.  Every cluster of the file has a reference
 * count: reference table (in memory) -> block of counts (a cluster, cached) -> count.
 *
 * What holds on disk at every instant, so that a kill or a full disk costs nothing that was flushed:
 *      Q1  Whatever a table on disk points to has a count of at least 1 on disk, and its own content there.
 *      Q2  A cluster is not used for anything else before the last pointer to it is gone from the disk.
 *      Q3  An entry has COPIED set when its cluster's count is 1, and only then.
 * Hence the order: data; counts that grow; (barrier) L2 tables; (barrier) L1 table; (barrier) counts that
 * shrink.  Tables change in memory only until qcow2_commit() writes them in that order; clusters that
 * lost their last pointer wait in `freed` until a commit and a flush have passed (Q2).  A crash in
 * between leaves counts that are too high (leaks), never too low.
 *
 * Threads: q->lock guards everything but the data itself.  It is a plain mutex without a rank: the
 * images of a backing chain have one each, always taken from the top downwards and never held while
 * another image is called.
 */
#ifndef LODGER_BLOCK_QCOW2_H
#define LODGER_BLOCK_QCOW2_H

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include "block/driver.h"

enum {
        QCOW2_HEADER_V2 = 72, QCOW2_HEADER_V3 = 104,
        QCOW2_CLUSTER_BITS_MIN = 9, QCOW2_CLUSTER_BITS_MAX = 21,
        QCOW2_L1_BYTES_MAX = 32 << 20, QCOW2_REFTABLE_BYTES_MAX = 8 << 20,
        QCOW2_SNAPSHOTS_MAX = 65536, QCOW2_SNAPSHOT_TABLE_BYTES_MAX = 16 << 20,
};
enum { QCOW2_MAGIC = 0x514649fb };

#define QCOW2_COPIED (UINT64_C(1) << 63)
#define QCOW2_COMPRESSED (UINT64_C(1) << 62)
#define QCOW2_ZERO UINT64_C(1)                          /* version 3 */
#define QCOW2_OFFSET UINT64_C(0x00fffffffffffe00)       /* of L1 and standard L2 entries */

enum { QCOW2_DIRTY = 1 << 0, QCOW2_CORRUPT = 1 << 1, QCOW2_DATA_FILE = 1 << 2, QCOW2_COMPRESSION = 1 << 3, QCOW2_EXTENDED_L2 = 1 << 4 };
enum { QCOW2_LAZY = 1 << 0 };                           /* compatible */
enum { QCOW2_BITMAPS = 1 << 0 };                        /* autoclear */
enum { QCOW2_ZLIB, QCOW2_ZSTD };

/* A table of one cluster in memory, as it is on disk (big-endian). */
struct qcow2_table {
        uint64_t offset;
        uint64_t used;                  /* when, of cache->clock */
        bool dirty;
        uint8_t *bytes;
};

struct qcow2_cache {
        GHashTable *tables;             /* offset -> struct qcow2_table * */
        unsigned limit, dirty;          /* tables */
        uint64_t clock;
};

struct qcow2_extension {
        uint32_t type, size;
        uint8_t *bytes;
};

struct qcow2_snapshot {
        uint64_t l1_offset;
        uint32_t l1_entries;
        char *id, *name;
        uint32_t date_s, date_ns;
        uint64_t vm_clock_ns, vm_state_bytes, size_bytes;
        uint8_t *extra;                 /* what is not understood of the extra data, kept */
        uint32_t extra_size;
        bool has_size;
};

struct qcow2_range {
        uint64_t offset, size;
};

struct qcow2 {
        struct block_image image;
        struct block_image *file;       /* a raw image */
        pthread_mutex_t lock;

        /* The header. */
        unsigned version;
        unsigned cluster_bits;
        uint64_t cluster_bytes;
        unsigned l2_bits;               /* of entries in an L2 table */
        unsigned refcount_order;        /* counts have 1 << order bits */
        uint64_t incompatible, compatible, autoclear;
        unsigned compression;           /* QCOW2_ZLIB ... */
        uint32_t header_bytes;
        char *backing_name, *backing_format;
        GArray *extensions;             /* of struct qcow2_extension: those that are kept as they are */

        uint64_t l1_offset;
        uint32_t l1_entries;
        uint64_t *l1;                   /* host byte order, as are reftable[] */
        uint32_t l1_dirty_first, l1_dirty_end;          /* equal: clean */
        uint64_t reftable_offset;
        uint32_t reftable_clusters;
        uint64_t *reftable;
        uint32_t reftable_entries;

        struct qcow2_cache l2, counts;
        uint64_t free_from;             /* cluster number: nothing below it is free */
        uint64_t virgin_from;           /* bytes: from there on the file has never had content */
        GArray *freed;                  /* of struct qcow2_range: lose a reference after the next flush */
        bool data_since_barrier;

        uint64_t snapshots_offset, snapshots_bytes;
        GPtrArray *snapshots;           /* of struct qcow2_snapshot * */

        uint64_t compressed_at;         /* where the next compressed cluster may go; 0: nowhere yet */
        uint64_t unpacked_from;         /* L2 entry whose content `unpacked` is; 0: none */
        uint8_t *unpacked;
        bool complained;                /* of corruption, once */
};

static inline uint32_t be32(const void *at)
{
        uint32_t value;

        memcpy(&value, at, sizeof(value));
        return GUINT32_FROM_BE(value);
}

static inline uint64_t be64(const void *at)
{
        uint64_t value;

        memcpy(&value, at, sizeof(value));
        return GUINT64_FROM_BE(value);
}

static inline void put_be16(void *at, uint16_t value)
{
        value = GUINT16_TO_BE(value);
        memcpy(at, &value, sizeof(value));
}

static inline void put_be32(void *at, uint32_t value)
{
        value = GUINT32_TO_BE(value);
        memcpy(at, &value, sizeof(value));
}

static inline void put_be64(void *at, uint64_t value)
{
        value = GUINT64_TO_BE(value);
        memcpy(at, &value, sizeof(value));
}

static inline uint64_t qcow2_in_cluster(const struct qcow2 *q, uint64_t offset)
{
        return offset & (q->cluster_bytes - 1);
}

static inline uint64_t qcow2_clusters(const struct qcow2 *q, uint64_t bytes)
{
        return (bytes + q->cluster_bytes - 1) >> q->cluster_bits;
}

/* -- qcow2.c --------------------------------------------------------------------------------------- */

extern const struct block_driver qcow2_driver;

enum {
        QCOW2_READ_ONLY = 1 << 0,
        QCOW2_NO_REPAIR = 1 << 1,       /* leave a dirty image dirty: it is going to be checked */
        QCOW2_ALLOW_CORRUPT = 1 << 2,
        QCOW2_LAX = 1 << 3,             /* tables may be damaged: it is going to be repaired */
};
/* Takes the file over, also when it fails.  Backing files are the caller's to open. */
struct block_image *qcow2_open(struct block_image *file, unsigned flags, GError **error);
/* NULL unless the image is qcow2. */
struct qcow2 *qcow2_of(struct block_image *image);
/* Reads bytes of the file; zeroes past its end. */
int qcow2_file_read(struct qcow2 *q, uint64_t offset, void *to, size_t size);
/* Reports corruption once; gives EIO. */
int qcow2_corrupt(struct qcow2 *q, const char *what, uint64_t at);
/* The same where writing on would make it worse: the image opens read-only until it is repaired. */
int qcow2_mark_corrupt(struct qcow2 *q, const char *what, uint64_t at);
/* Whether the range overlaps tables (header, L1, counts, snapshots, cached L2). */
bool qcow2_is_metadata(const struct qcow2 *q, uint64_t offset, uint64_t size);

/* -- qcow2_header.c ---------------------------------------------------------------------------------- */

bool qcow2_read_header(struct qcow2 *q, GError **error);
/* Writes header, extensions and backing name anew, in one piece, and makes them durable. */
int qcow2_write_header(struct qcow2 *q);
void qcow2_free_header(struct qcow2 *q);
/* Points the image at another backing file (NULL: none); the caller writes the header. */
void qcow2_set_backing(struct qcow2 *q, const char *name, const char *format);

/* -- qcow2_cache.c: tables, and the order in which they reach the disk --------------------------------- */

void qcow2_cache_init(struct qcow2_cache *cache, unsigned limit);
void qcow2_cache_free(struct qcow2_cache *cache);
/* Forgets everything; nothing may be dirty. */
void qcow2_cache_clear(struct qcow2_cache *cache);
/* The table at offset, read when it is not there.  NULL with *error (errno value) set. */
struct qcow2_table *qcow2_cache_get(struct qcow2 *q, struct qcow2_cache *cache, uint64_t offset, int *error);
/* An empty table at offset, dirty. */
struct qcow2_table *qcow2_cache_new(struct qcow2_cache *cache, uint64_t offset, uint64_t bytes);
void qcow2_cache_drop(struct qcow2_cache *cache, uint64_t offset);
void qcow2_table_dirty(struct qcow2_cache *cache, struct qcow2_table *table);
/* Writes tables back in order; durable: with barriers in between.  Lock held. */
int qcow2_commit(struct qcow2 *q, bool durable);
/* Commits when so many tables are dirty that clean ones have no room.  Lock held. */
int qcow2_make_room(struct qcow2 *q);
int qcow2_flush(struct block_image *image);
int qcow2_settle(struct block_image *image);

/* -- qcow2_refcount.c; lock held ------------------------------------------------------------------------ */

uint64_t qcow2_count_max(const struct qcow2 *q);
uint64_t qcow2_count_at(const struct qcow2 *q, const uint8_t *block, uint64_t index);
void qcow2_count_put(const struct qcow2 *q, uint8_t *block, uint64_t index, uint64_t value);
int qcow2_count_get(struct qcow2 *q, uint64_t cluster, uint64_t *value);
int qcow2_count_add(struct qcow2 *q, uint64_t offset, uint64_t bytes, int add);
/* Up to `most` clusters in a row, each with a count of 1.  *virgin: their place in the file has no content. */
int qcow2_allocate(struct qcow2 *q, uint64_t most, uint64_t *offset, uint64_t *got, bool *virgin);
/* Exactly that many in a row. */
int qcow2_allocate_row(struct qcow2 *q, uint64_t clusters, uint64_t *offset);
/* The range loses one reference for each of its clusters, after the next flush. */
void qcow2_release(struct qcow2 *q, uint64_t offset, uint64_t bytes);
/* Now: of what no table on disk has ever pointed to. */
void qcow2_unallocate(struct qcow2 *q, uint64_t offset, uint64_t bytes);

/* -- qcow2_map.c: L1 and L2; lock held ------------------------------------------------------------------- */

enum qcow2_kind { QCOW2_K_UNALLOCATED, QCOW2_K_ZERO, QCOW2_K_ZERO_ALLOCATED, QCOW2_K_DATA, QCOW2_K_COMPRESSED };

struct qcow2_mapping {
        enum qcow2_kind kind;
        bool writable;                  /* DATA, ZERO_ALLOCATED: nobody else refers to the cluster */
        uint64_t entry;                 /* of the first cluster */
        uint64_t host;                  /* of the byte asked for; DATA, ZERO_ALLOCATED */
        uint64_t run;                   /* bytes from there on that are alike, and contiguous in the file if DATA */
};
int qcow2_map(struct qcow2 *q, uint64_t offset, uint64_t size, struct qcow2_mapping *mapping);
/* Sets the entry of a guest cluster; what it pointed to before is released. */
int qcow2_set_entry(struct qcow2 *q, uint64_t offset, uint64_t entry);
/* Releases what an L2 entry points to. */
void qcow2_release_entry(struct qcow2 *q, uint64_t entry);
/* The place of a compressed cluster. */
struct qcow2_range qcow2_compressed_range(const struct qcow2 *q, uint64_t entry);

/* -- qcow2_compress.c -------------------------------------------------------------------------------------- */

/* Unpacks the cluster of that entry into q->unpacked.  Lock held. */
int qcow2_unpack(struct qcow2 *q, uint64_t entry);
/* Writes one whole cluster compressed; EOPNOTSUPP when that would save nothing.  Alone on the image. */
int qcow2_write_compressed(struct qcow2 *q, uint64_t offset, const uint8_t *bytes);
bool qcow2_can_compress(unsigned type);

/* -- qcow2_snapshot.c; alone on the image --------------------------------------------------------------------- */

bool qcow2_read_snapshots(struct qcow2 *q, uint64_t offset, uint32_t count, GError **error);
void qcow2_snapshot_free(gpointer snapshot);
bool qcow2_snapshot_create(struct qcow2 *q, const char *name, uint64_t vm_clock_ns, GError **error);
bool qcow2_snapshot_apply(struct qcow2 *q, const char *name, GError **error);
bool qcow2_snapshot_delete(struct qcow2 *q, const char *name, GError **error);
/* From now on the image, which was opened to be read, shows what it keeps under that name. */
bool qcow2_snapshot_view(struct qcow2 *q, const char *name, GError **error);

/* -- qcow2_check.c --------------------------------------------------------------------------------------------- */

struct qcow2_check {
        uint64_t errors, leaks;         /* found */
        uint64_t fixed_errors, fixed_leaks;
        uint64_t clusters_used, clusters_total;         /* of the disk the guest sees */
        void (*report)(void *opaque, const char *text); /* NULL: none */
        void *opaque;
        unsigned reported;
        const volatile bool *cancel;    /* may be NULL */
};
enum { QCOW2_FIX_LEAKS = 1 << 0, QCOW2_FIX_ERRORS = 1 << 1 };
/* Compares counts with references.  False with error set: it could not be checked. */
bool qcow2_check(struct qcow2 *q, unsigned fix, struct qcow2_check *result, GError **error);

/* -- qcow2_create.c ----------------------------------------------------------------------------------------------- */

struct qcow2_options {
        unsigned version;               /* 2 or 3 */
        unsigned cluster_bits, refcount_order;
        unsigned compression;
        bool lazy_refcounts;
        const char *backing_name, *backing_format;
};
/* Writes an empty image into an empty raw file. */
bool qcow2_create(struct block_image *file, uint64_t size, const struct qcow2_options *options, GError **error);
/* The size of the guest's disk from now on; smaller only if shrink is true. */
int qcow2_resize(struct block_image *image, uint64_t size, GError **error);

#endif
