/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * driver.h - what an image format provides (private to src/block).
 *
 * The functions of a driver may block.  block.c calls them from one thread at a time for each image,
 * so a driver needs no locks of its own.  Offsets and sizes are within the image.
 */
#ifndef LODGER_BLOCK_DRIVER_H
#define LODGER_BLOCK_DRIVER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block_image;

struct block_driver {
        const char *name;
        /* All give 0 or an errno value. */
        int (*read)(struct block_image *image, uint64_t offset, uint8_t *to, size_t size);
        int (*write)(struct block_image *image, uint64_t offset, const uint8_t *from, size_t size);
        int (*flush)(struct block_image *image);
        void (*close)(struct block_image *image);       /* frees it */
};

/* A driver's own struct starts with this. */
struct block_image {
        const struct block_driver *driver;
        uint64_t size_bytes;
        bool read_only;
};

struct block_image *raw_open(const char *path, bool read_only, GError **error);
/* Takes the base over (also when it fails); the base is only read. */
struct block_image *overlay_open(struct block_image *base, GError **error);

/* Takes an advisory lock on an image for as long as fd is open: shared for readers, exclusive for a
 * writer.  False: another process has it, and error says which. */
bool file_lock_take(int fd, const char *path, bool exclusive, GError **error);

#endif
