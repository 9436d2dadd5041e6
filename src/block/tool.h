/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tool.h - what can be done with an image that no machine uses: make, look at, check, repair, copy, resize,
 * merge.  For the command line and for whatever else manages images.
 *
 * All calls block until they are done.  Each takes the lock of the files it works on.  NULL or false: error is
 * set, one line that names the file.
 */
#ifndef LODGER_BLOCK_TOOL_H
#define LODGER_BLOCK_TOOL_H

#include "block/block.h"

struct block_image;

/* Where a long job is.  All fields may be 0. */
struct image_progress {
        void (*report)(void *opaque, uint64_t done, uint64_t total);
        void *opaque;
        const volatile bool *cancel;    /* true: stop, and leave nothing half done (BLOCK_ERROR_CANCELLED) */
};

/* The format a name suggests ("x.qcow2"), "raw" when none does. */
const char *image_format_of_name(const char *path);

struct image_create_options {
        const char *backing;            /* as it is to be recorded; NULL: none */
        const char *backing_format;
        unsigned version;               /* 0: 3 */
        uint64_t cluster_bytes;         /* 0: 64 KiB */
        unsigned refcount_bits;         /* 0: 16 */
        bool zstd, lazy_refcounts;
        bool must_be_new;               /* never replace a file */
        bool preallocate;               /* raw: reserve the space on the host's disk */
};
/* A new image that reads as zeroes, or as its backing file.  Nothing is left at path when it fails. */
bool image_create(const char *path, const char *format, uint64_t size, const struct image_create_options *options, GError **error);

struct image_info {
        char *format;
        uint64_t size_bytes;            /* of the disk */
        uint64_t file_bytes, used_bytes;        /* of the file; used: on the host's disk */
        char *backing, *backing_format; /* NULL: none, or not recorded */
        unsigned version, refcount_bits;        /* qcow2 from here on */
        uint64_t cluster_bytes;
        const char *compression;
        bool lazy_refcounts, dirty, corrupt;
        GPtrArray *snapshots;           /* of struct block_snapshot *; NULL: cannot have any */
};
struct image_info *image_info(const char *path, const char *format, GError **error);
void image_info_free(struct image_info *info);

struct image_check_result {
        uint64_t errors, leaks, fixed_errors, fixed_leaks;
        uint64_t clusters_used, clusters_total;
        bool nothing_to_check;          /* of a format without tables */
};
bool image_check(const char *path, const char *format, bool repair, const struct image_progress *progress,
                 void (*line)(const char *text), struct image_check_result *result, GError **error);

bool image_resize(const char *path, const char *format, uint64_t size, bool shrink, bool trust_backing, GError **error);

struct image_convert_options {
        const char *from, *to;          /* formats; NULL: by content, by name */
        bool compress, trust_backing;
        struct image_create_options create;     /* backing: only what differs from it is written */
};
/* The new image appears under its name when it is complete. */
bool image_convert(const char *from, const char *to, const struct image_convert_options *options, const struct image_progress *progress,
                   GError **error);
/* A new qcow2 image whose backing file is `base`, by its absolute path; the base is opened as its options say, chain
 * and consent included.  From then on the overlay's readers have to trust it. */
bool image_link(const char *path, const char *base, const struct block_options *options, GError **error);
/* Takes its owner's right to write away from an image, which is what raw_open() goes by, or gives it back.  Where the
 * host does not allow that, nothing happens. */
void image_set_protected(const char *path, bool is_protected);
/* Writes what an image holds into its backing file, and empties it. */
bool image_commit(const char *path, bool trust_backing, const struct image_progress *progress, GError **error);
/* Another backing file (NULL: none); the disk stays what it is, unless `unsafe`: then only the name is changed. */
bool image_rebase(const char *path, const char *backing, const char *backing_format, bool unsafe, bool trust_backing,
                  const struct image_progress *progress, GError **error);

enum image_snapshot_action { IMAGE_SNAPSHOT_CREATE, IMAGE_SNAPSHOT_APPLY, IMAGE_SNAPSHOT_DELETE };
bool image_snapshot(const char *path, enum image_snapshot_action action, const char *name, GError **error);
/* Of struct block_snapshot *, freed with it; NULL: the format has none. */
GPtrArray *image_snapshots(struct block_image *image);

#endif
