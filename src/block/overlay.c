/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overlay.c - writes kept apart from an image, in a temporary file without a name.
 *
 * Clusters of 4 KiB: one bit each says whether the overlay has it.  A cluster that is written in part
 * is first completed from the base.  The file is as sparse as the writes are; it goes with the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "block/driver.h"

enum { CLUSTER = 4096 };

struct overlay {
        struct block_image image;
        struct block_image *base;
        struct block_image *file;       /* the temporary file */
        uint8_t *present;               /* a bit for each cluster */
};

static bool is_present(const struct overlay *overlay, uint64_t cluster)
{
        return __atomic_load_n(&overlay->present[cluster / 8], __ATOMIC_RELAXED) >> cluster % 8 & 1;
}

/* Requests of neighbouring clusters, whose bits share a byte, run at the same time. */
static void set_present(struct overlay *overlay, uint64_t cluster)
{
        __atomic_fetch_or(&overlay->present[cluster / 8], (uint8_t)(1 << cluster % 8), __ATOMIC_RELAXED);
}

static int overlay_readv(struct block_image *image, uint64_t offset, const struct iovec *to, unsigned count)
{
        struct overlay *overlay = (struct overlay *)image;
        size_t size = iov_size(to, count), done = 0;
        struct iovec *part = g_new(struct iovec, count + 1);
        int error = 0;

        while (done < size && !error) {
                uint64_t at = offset + done, cluster = at / CLUSTER, end = (cluster + 1) * CLUSTER;
                bool here = is_present(overlay, cluster);
                struct block_image *from = here ? overlay->file : overlay->base;
                size_t n;

                /* As long a run as lies in one place. */
                while (end < offset + size && is_present(overlay, end / CLUSTER) == here)
                        end += CLUSTER;
                n = (size_t)MIN(end - at, (uint64_t)(size - done));
                error = from->driver->readv(from, at, part, iov_slice(to, count, done, n, part));
                done += n;
        }
        g_free(part);
        return error;
}

/* Brings a whole cluster over, before a part of it is written. */
static int overlay_copy(struct overlay *overlay, uint64_t cluster)
{
        uint8_t bytes[CLUSTER];
        uint64_t offset = cluster * CLUSTER;
        size_t size = (size_t)MIN((uint64_t)CLUSTER, overlay->image.size_bytes - offset);
        int error = image_read(overlay->base, offset, bytes, size);

        return error ? error : image_write(overlay->file, offset, bytes, size);
}

static int overlay_writev(struct block_image *image, uint64_t offset, const struct iovec *from, unsigned count)
{
        struct overlay *overlay = (struct overlay *)image;
        uint64_t first = offset / CLUSTER, last;
        size_t size = iov_size(from, count);
        int error = 0;

        if (!size)
                return 0;
        last = (offset + size - 1) / CLUSTER;
        /* Only the ends can be partial.  The bits are set once the bytes are there. */
        if (offset % CLUSTER && !is_present(overlay, first))
                error = overlay_copy(overlay, first);
        if (!error && (offset + size) % CLUSTER && offset + size < image->size_bytes && !is_present(overlay, last) &&
            (last != first || offset % CLUSTER == 0))
                error = overlay_copy(overlay, last);
        if (!error)
                error = overlay->file->driver->writev(overlay->file, offset, from, count);
        if (error)
                return error;
        for (uint64_t cluster = first; cluster <= last; cluster++)
                set_present(overlay, cluster);
        return 0;
}

/* Nothing of an overlay outlives its process, so nothing needs to reach the disk. */
static int overlay_flush(struct block_image *image)
{
        (void)image;
        return 0;
}

static void overlay_close(struct block_image *image)
{
        struct overlay *overlay = (struct overlay *)image;

        overlay->base->driver->close(overlay->base);
        overlay->file->driver->close(overlay->file);
        free(overlay->present);
        g_free(overlay);
}

static const struct block_driver overlay_driver = {
        .name = "overlay", .readv = overlay_readv, .writev = overlay_writev, .flush = overlay_flush, .close = overlay_close,
};

/* A file of that size with no name left, opened through the raw driver so that there is one reader. */
static struct block_image *temporary_open(uint64_t size, GError **error)
{
        /* /var/tmp before /tmp: it may grow to the size of the disk, and /tmp is often in memory. */
        const char *folder = g_getenv("TMPDIR");
        char *path = g_build_filename(folder ? folder : "/var/tmp", "lodger-overlay-XXXXXX", NULL);
        struct block_image *file = NULL;
        int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);

        if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN,
                            "%s: %s; set TMPDIR to a folder with room for what the guest writes", path, g_strerror(errno));
        else
                file = raw_open(path, 0, error);
        if (fd >= 0) {
                unlink(path);
                close(fd);
        }
        g_free(path);
        return file;
}

struct block_image *overlay_open(struct block_image *base, GError **error)
{
        struct block_image *file = temporary_open(base->size_bytes, error);
        struct overlay *overlay;
        uint8_t *present;

        if (!file) {
                base->driver->close(base);
                return NULL;
        }
        present = calloc(base->size_bytes / CLUSTER / 8 + 1, 1);
        if (!present) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "not enough memory for an overlay of %" G_GUINT64_FORMAT
                            " bytes; use a smaller image", base->size_bytes);
                file->driver->close(file);
                base->driver->close(base);
                return NULL;
        }
        overlay = g_new0(struct overlay, 1);
        overlay->image = (struct block_image){ .driver = &overlay_driver, .size_bytes = base->size_bytes, .conflict_bytes = CLUSTER,
                                               .path = base->path };
        overlay->base = base;
        overlay->file = file;
        overlay->present = present;
        return &overlay->image;
}
