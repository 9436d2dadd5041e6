/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - struct block, shared by block.c (requests) and instant.c (the disk's state at an instant). */
#ifndef LODGER_BLOCK_INTERNAL_H
#define LODGER_BLOCK_INTERNAL_H

#include "block/driver.h"
#include "block/uring.h"

struct block {
        struct block_image *image;
        char *path, *serial;
        enum block_cache cache;
        bool discards;
        struct lock *machine_lock;
        GSource *source;                /* made ready when something has finished */
        GSource *settle_source;         /* ready some seconds after a write */

        struct lock lock;
        pthread_cond_t changed;         /* a request has finished or stalled, or a worker has left */
        GQueue unfinished;              /* of struct request *, in the order they were made */
        GQueue ready, finished;
        unsigned waiting, stalled;      /* how many of the unfinished ones */
        unsigned workers;
        struct uring *uring;            /* of a raw image, where the kernel lets us; or NULL */
        bool attended;                  /* between block_begin() and block_end(): the main loop need not be woken */
        bool dirty;                     /* settle_source is set */
        bool tell_full;
        block_full *full;
        void *full_opaque;
        struct block_activity activity;
};

#endif
