/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * driver.h - what a format of images offers, to the files of src/block alone.
 *
 * Calls block, and come from worker threads, several at once.  Of two calls that overlap when rounded to
 * conflict_bytes and do not both read, the caller makes one wait for the other; flush() may come at any
 * time.  Offsets and sizes are within the image.  What opens, closes, resizes or takes snapshots runs alone.
 */
#ifndef LODGER_BLOCK_DRIVER_H
#define LODGER_BLOCK_DRIVER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "block/block.h"

struct block_image;

/* What is known of a run of bytes without reading them. */
enum block_status {
        BLOCK_STATUS_DATA,
        BLOCK_STATUS_ZERO,              /* reads as zeroes */
        BLOCK_STATUS_UNALLOCATED,       /* not in this image: in its backing file, or zeroes */
};

struct block_driver {
        const char *name;
        /* All that give int give 0 or an errno value. */
        int (*readv)(struct block_image *image, uint64_t offset, const struct iovec *to, unsigned count);
        int (*writev)(struct block_image *image, uint64_t offset, const struct iovec *from, unsigned count);
        int (*flush)(struct block_image *image);
        void (*close)(struct block_image *image);       /* frees it; does not flush */
        /* May be NULL from here on. */
        int (*discard)(struct block_image *image, uint64_t offset, uint64_t size);
        int (*write_zeroes)(struct block_image *image, uint64_t offset, uint64_t size, bool unmap);
        /* Of the byte at offset; *run: how far (from 1 to size bytes) that holds.  NULL: all data. */
        enum block_status (*status)(struct block_image *image, uint64_t offset, uint64_t size, uint64_t *run);
        /* Hands to the host's kernel what it would lose if this process were killed. */
        int (*settle)(struct block_image *image);
        int (*resize)(struct block_image *image, uint64_t size, GError **error);
};

/* A driver's own struct starts with this. */
struct block_image {
        const struct block_driver *driver;
        uint64_t size_bytes;
        bool read_only;
        uint32_t conflict_bytes;        /* a power of two; 0 is 1 */
        struct block_image *backing;    /* below a qcow2 image; owned by it */
        char *path;                     /* for messages */
};

/* -- open.c: from a name to an image --------------------------------------------------------------- */

/* Opens an image of any format with what it is based upon. */
struct block_image *image_open(const char *path, const struct block_options *options, GError **error);
enum {
        IMAGE_NO_BACKING = 1 << 0,      /* leave backing files closed */
        IMAGE_NO_LOCK = 1 << 1,         /* only look, whoever writes */
        IMAGE_FOR_CHECK = 1 << 2,       /* damaged images open too, and are not repaired; implies NO_BACKING */
};
struct block_image *image_open_as(const char *path, const struct block_options *options, unsigned flags, GError **error);
/* Opens the backing file that a qcow2 image names; true when it names none. */
bool image_open_backing(struct block_image *image, const struct block_options *options, GError **error);
/* Where a backing file is that an image at `path` names so; caller frees. */
char *image_backing_path(const char *path, const char *name);
/* "nbd:", "https:" ...: the name is not that of a file. */
bool image_is_protocol(const char *name);
/* Flushes, and writes what the flush has made free. */
int image_sync(struct block_image *image);
/* Syncs (unless read-only) and closes; NULL is allowed. */
void image_close(struct block_image *image);
enum { IMAGE_PROBE_BYTES = 2048 };

/* -- image_io.c: calls with one buffer, and what drivers may leave out -------------------------------- */

int image_read(struct block_image *image, uint64_t offset, void *to, size_t size);
int image_write(struct block_image *image, uint64_t offset, const void *from, size_t size);
int image_write_zeroes(struct block_image *image, uint64_t offset, uint64_t size, bool unmap);
int image_discard(struct block_image *image, uint64_t offset, uint64_t size);
enum block_status image_status(struct block_image *image, uint64_t offset, uint64_t size, uint64_t *run);
/* Through the backing files: DATA or ZERO. */
enum block_status image_status_deep(struct block_image *image, uint64_t offset, uint64_t size, uint64_t *run);

size_t iov_size(const struct iovec *iov, unsigned count);
/* The part [skip, skip + size) of a vector; gives the number of elements, at most count. */
unsigned iov_slice(const struct iovec *iov, unsigned count, size_t skip, size_t size, struct iovec *to);
void iov_zero(const struct iovec *iov, unsigned count, size_t skip, size_t size);
void iov_fill(const struct iovec *iov, unsigned count, size_t skip, const void *from, size_t size);
void iov_take(const struct iovec *iov, unsigned count, size_t skip, void *to, size_t size);
bool is_all_zero(const void *bytes, size_t size);

/* -- Formats ----------------------------------------------------------------------------------------- */

enum {
        RAW_READ_ONLY = 1 << 0, RAW_EMPTY_OK = 1 << 1, RAW_NO_LOCK = 1 << 2, RAW_DIRECT = 1 << 3,
        RAW_CREATE = 1 << 4,            /* a new file, or an old one emptied */
        RAW_NO_FSYNC = 1 << 5,
};
struct block_image *raw_open(const char *path, unsigned flags, GError **error);
int raw_fd(struct block_image *image);
/* Nothing but content said that it is raw: a guest must not make it look like another format. */
void raw_keep_raw(struct block_image *image);
/* The descriptor through which the kernel may carry out a transfer by itself; -1: raw_driver must. */
int raw_kernel_fd(struct block_image *image, uint64_t offset, const struct iovec *iov, unsigned count);

/* Other formats and protocols, through NBD (nbd.c, serve.c). */
struct block_image *nbd_open(const char *uri, const struct block_options *options, GError **error);
struct block_image *serve_open(const char *path, const char *format, const struct block_options *options, GError **error);

/* Takes the base over (also when it fails); the base is only read. */
struct block_image *overlay_open(struct block_image *base, GError **error);

/* Takes an advisory lock on an image for as long as fd is open: shared for readers, exclusive for a
 * writer.  False: another process has it, and error says which. */
bool file_lock_take(int fd, const char *path, bool exclusive, GError **error);

#endif
