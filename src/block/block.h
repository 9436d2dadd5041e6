/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.h - what a storage controller sees of an image: an array of bytes that is read and written
 * in the background.
 *
 * A request is handed over and comes back through its completion.  The format behind it is code that
 * may block (a file, qcow2, a network server), so it runs on worker threads and never on a vCPU's or
 * the main loop's.  Several requests of one image are carried out at once, and they complete in any
 * order, but:
 *
 *      1. Of two requests that overlap and do not both only read, the one made first is carried out
 *         first.  A controller that was reset in the middle of a write reads the new bytes.
 *      2. A flush covers at least the writes that had completed when it was made (what NVMe and virtio
 *         ask for); here it covers every write made before it, completed or not (what a controller that
 *         was reset in the middle of a write needs).  Requests made after it need not wait for it.
 *      3. With BLOCK_FUA, a write is durable when it completes.
 *
 * A full disk (ENOSPC, EDQUOT) is not the guest's fault: with a handler set (block_on_full()) the request
 * is kept and not completed, the handler is told once, and block_retry() tries again.
 *
 * Threads: requests are made with the machine lock held, on any thread.  Completions run on the
 * main-loop thread, or within block_end(), with the machine lock held.  Opening, draining and closing happen
 * on the main-loop thread (the one whose thread-default GMainContext was in force at block_open()).
 */
#ifndef LODGER_BLOCK_BLOCK_H
#define LODGER_BLOCK_BLOCK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/lock.h"

struct block;

enum block_cache {
        BLOCK_CACHE_WRITEBACK,          /* writes are durable after a flush */
        BLOCK_CACHE_WRITETHROUGH,       /* every write is made durable before it completes */
        BLOCK_CACHE_NONE,               /* as WRITEBACK, past the host's page cache where alignment allows */
        BLOCK_CACHE_UNSAFE,             /* flushes do nothing: for installations that can be begun again */
};

struct block_options {
        bool read_only;
        bool throwaway;                 /* writes go to a temporary overlay that nobody else sees */
        unsigned unit_bytes;            /* the image is a whole number of these; 0: 512 */
        const char *format;             /* "raw", "qcow2" ...; NULL: told by content */
        enum block_cache cache;
        bool no_discard;                /* discards do nothing */
        bool trust_backing;             /* backing files may be anywhere (open.c says what is allowed otherwise) */
        const char *serial;             /* what the guest is to see as the serial number; NULL: the controller's choice */
};

/* error: 0, or an errno value.  Also called for requests that were out of range (EINVAL), never
 * before the call that made the request has returned. */
typedef void block_done(void *opaque, int error);

/* machine_lock is held around completions.  path may also be an "nbd:" URI.  NULL with error set: one
 * line that names the file and, where there is one, the remedy. */
struct block *block_open(const char *path, const struct block_options *options, struct lock *machine_lock,
                         GError **error);
/* Waits for what is in flight (its completions are not called), makes it durable, closes.  Machine
 * lock held.  NULL is allowed. */
void block_close(struct block *block);

/* Calls fn for each open image of this process.  Main-loop thread, machine lock held. */
void block_foreach(void (*fn)(struct block *block, void *opaque), void *opaque);

const char *block_path(const struct block *block);
const char *block_format(const struct block *block);            /* "raw", "qcow2" ... */
const char *block_serial(const struct block *block);            /* NULL: none was chosen */
uint64_t block_size_bytes(const struct block *block);
bool block_is_read_only(const struct block *block);
bool block_can_discard(const struct block *block);              /* whether a controller should offer TRIM or UNMAP */
bool block_has_write_cache(const struct block *block);          /* false: completed writes are durable */

/* The format whose signature the first 2048 bytes of a file have; "raw" when none. */
const char *block_format_of(const uint8_t *bytes, size_t size);

/* -- Requests ------------------------------------------------------------------------------------ */

enum {
        BLOCK_FUA = 1 << 0,             /* durable on completion */
        BLOCK_UNMAP = 1 << 1,           /* block_write_zeroes(): the space may be given back */
};

/* Buffers belong to the request until it completes; arrays of iovec are copied. */
void block_read(struct block *block, uint64_t offset, void *to, size_t size, block_done *done, void *opaque);
void block_write(struct block *block, uint64_t offset, const void *from, size_t size, block_done *done, void *opaque);
void block_readv(struct block *block, uint64_t offset, const struct iovec *to, unsigned count, block_done *done, void *opaque);
void block_writev(struct block *block, uint64_t offset, const struct iovec *from, unsigned count, unsigned flags,
                  block_done *done, void *opaque);
void block_flush(struct block *block, block_done *done, void *opaque);
/* The bytes are not needed any more and read as anything afterwards; a hint. */
void block_discard(struct block *block, uint64_t offset, uint64_t size, block_done *done, void *opaque);
/* The bytes read as zeroes afterwards. */
void block_write_zeroes(struct block *block, uint64_t offset, uint64_t size, unsigned flags, block_done *done, void *opaque);

/* Around the requests that a controller makes in answer to one access of its guest.  What has been carried out by the
 * end (bytes that were in the host's cache) completes within block_end(), so that the guest needs neither another thread
 * nor to be woken up.  Neither blocks.  Machine lock held, and not within a completion. */
void block_begin(struct block *block);
void block_end(struct block *block);

/* Runs completions, and the requests they make in turn, until nothing is in flight: before a save, with
 * the vCPUs paused.  Main-loop thread, machine lock held.  False: some requests wait for room on the disk;
 * the state cannot be saved before block_retry() succeeded. */
bool block_drain(struct block *block);
/* At once, on the calling thread: for looking at an image while a machine is built. */
bool block_peek(struct block *block, uint64_t offset, void *to, size_t size);

/* -- Full disks ---------------------------------------------------------------------------------- */

/* Called on the main-loop thread, without the machine lock, once for each time requests begin to wait. */
typedef void block_full(void *opaque, struct block *block);
void block_on_full(struct block *block, block_full *full, void *opaque);
/* Tries waiting requests again.  Main-loop thread, machine lock held. */
void block_retry(struct block *block);
bool block_is_waiting(struct block *block);

/* -- Activity ------------------------------------------------------------------------------------ */

struct block_activity {
        uint64_t reads, writes, flushes, discards;      /* requests completed */
        uint64_t bytes_read, bytes_written;
        uint64_t errors;
        unsigned in_flight;
};
/* Any thread. */
void block_activity(struct block *block, struct block_activity *activity);

/* -- The state of a disk at an instant ------------------------------------------------------------ */

struct block_snapshot {
        char *id, *name;
        uint64_t vm_state_bytes;        /* of a machine saved within the image by QEMU */
        int64_t time_s;                 /* since 1970 */
        uint64_t vm_clock_ns;
        uint64_t size_bytes;            /* of the disk then */
};
void block_snapshot_free(struct block_snapshot *snapshot);

/* Snapshots within the image (qcow2).  Main-loop thread, machine lock held, vCPUs paused; all drain the
 * block first and are durable when they return.  NULL or false with error set: not such an image, no such
 * snapshot, or the host failed.  A snapshot is meant by its name, or else by its id. */
bool block_snapshot_create(struct block *block, const char *name, uint64_t vm_clock_ns, GError **error);
bool block_snapshot_apply(struct block *block, const char *name, GError **error);
bool block_snapshot_delete(struct block *block, const char *name, GError **error);
GPtrArray *block_snapshot_list(struct block *block, GError **error);    /* of struct block_snapshot *, freed with it */
/* Whoever refers to a disk by its path: told of the new one when that is there and nothing has been written to it.  False
 * with error set: it is to be left as it is. */
typedef bool block_moves(void *opaque, const char *from, const char *to, GError **error);
/* Makes a new qcow2 image at path whose backing file is this one, and goes on with it: what was written
 * until now is kept in the old file and does not change any more.  moves: may be NULL.  Same conditions. */
bool block_switch_to_overlay(struct block *block, const char *path, block_moves *moves, void *opaque, GError **error);

#define BLOCK_ERROR block_error_quark()
GQuark block_error_quark(void);
enum {
        BLOCK_ERROR_OPEN, BLOCK_ERROR_LOCKED, BLOCK_ERROR_SIZE,
        BLOCK_ERROR_FORMAT,             /* not an image of that format, or one with features we lack */
        BLOCK_ERROR_CORRUPT,
        BLOCK_ERROR_CONSENT,            /* a backing file that nobody has agreed to */
        BLOCK_ERROR_UNSUPPORTED,
        BLOCK_ERROR_NOT_FOUND,
        BLOCK_ERROR_IO,
        BLOCK_ERROR_CANCELLED,
};

#endif
