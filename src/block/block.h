/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.h - what a storage controller sees of an image: an array of bytes that is read and written
 * in the background.
 *
 * A request is handed over and comes back through its completion.  The format behind it is code that
 * may block (a file, later qcow2 or a network server), so it runs on worker threads and never on a
 * vCPU's or the main loop's.  The requests of one image are carried out one by one in the order in
 * which they were made: a flush covers every write made before it, and a controller that was reset
 * in the middle of a write reads the new bytes.  Different images work side by side.
 *
 * Threads: requests are made with the machine lock held, on any thread.  Completions run on the
 * main-loop thread with the machine lock held.  Opening, draining and closing happen on the main-loop
 * thread (the one whose thread-default GMainContext was in force at block_open()).
 */
#ifndef LODGER_BLOCK_BLOCK_H
#define LODGER_BLOCK_BLOCK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/lock.h"

struct block;

struct block_options {
        bool read_only;
        bool throwaway;                 /* writes go to a temporary overlay that nobody else sees */
        unsigned unit_bytes;            /* the image is a whole number of these; 0: 512 */
};

/* error: 0, or an errno value.  Also called for requests that were out of range (EINVAL), never
 * before the call that made the request has returned. */
typedef void block_done(void *opaque, int error);

/* machine_lock is held around completions.  NULL with error set: one line that names the file and,
 * where there is one, the remedy. */
struct block *block_open(const char *path, const struct block_options *options, struct lock *machine_lock,
                         GError **error);
/* Waits for what is in flight (its completions are not called), makes it durable, closes.  Machine
 * lock held.  NULL is allowed. */
void block_close(struct block *block);

const char *block_path(const struct block *block);
uint64_t block_size_bytes(const struct block *block);
bool block_is_read_only(const struct block *block);

/* The buffer belongs to the request until it completes. */
void block_read(struct block *block, uint64_t offset, void *to, size_t size, block_done *done, void *opaque);
void block_write(struct block *block, uint64_t offset, const void *from, size_t size, block_done *done, void *opaque);
/* What was written before is durable on completion. */
void block_flush(struct block *block, block_done *done, void *opaque);
/* Runs completions, and the requests they make in turn, until nothing is in flight: before a save, with
 * the vCPUs paused.  Main-loop thread, machine lock held. */
void block_drain(struct block *block);
/* At once, on the calling thread: for looking at an image while a machine is built. */
bool block_peek(struct block *block, uint64_t offset, void *to, size_t size);

#define BLOCK_ERROR block_error_quark()
GQuark block_error_quark(void);
enum { BLOCK_ERROR_OPEN, BLOCK_ERROR_LOCKED, BLOCK_ERROR_SIZE };

#endif
