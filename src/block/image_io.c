/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_io.c - calls of drivers with one buffer, what drivers may leave out, and vectors of buffers. */
#include <errno.h>
#include <string.h>

#include "block/driver.h"

/* -- Vectors --------------------------------------------------------------------------------------- */

size_t iov_size(const struct iovec *iov, unsigned count)
{
        size_t size = 0;

        for (unsigned i = 0; i < count; i++)
                size += iov[i].iov_len;
        return size;
}

unsigned iov_slice(const struct iovec *iov, unsigned count, size_t skip, size_t size, struct iovec *to)
{
        unsigned n = 0;

        for (unsigned i = 0; i < count && size; i++) {
                size_t length;

                if (skip >= iov[i].iov_len) {
                        skip -= iov[i].iov_len;
                        continue;
                }
                length = MIN(iov[i].iov_len - skip, size);
                to[n++] = (struct iovec){ (uint8_t *)iov[i].iov_base + skip, length };
                skip = 0;
                size -= length;
        }
        return n;
}

enum iov_way { IOV_ZERO, IOV_FILL, IOV_TAKE };

static void iov_move(const struct iovec *iov, unsigned count, size_t skip, size_t size, uint8_t *bytes, enum iov_way way)
{
        for (unsigned i = 0; i < count && size; i++) {
                uint8_t *piece = iov[i].iov_base;
                size_t length;

                if (skip >= iov[i].iov_len) {
                        skip -= iov[i].iov_len;
                        continue;
                }
                length = MIN(iov[i].iov_len - skip, size);
                if (way == IOV_ZERO)
                        memset(piece + skip, 0, length);
                else if (way == IOV_FILL)
                        memcpy(piece + skip, bytes, length);
                else
                        memcpy(bytes, piece + skip, length);
                if (bytes)
                        bytes += length;
                skip = 0;
                size -= length;
        }
}

void iov_zero(const struct iovec *iov, unsigned count, size_t skip, size_t size)
{
        iov_move(iov, count, skip, size, NULL, IOV_ZERO);
}

void iov_fill(const struct iovec *iov, unsigned count, size_t skip, const void *from, size_t size)
{
        iov_move(iov, count, skip, size, (uint8_t *)(uintptr_t)from, IOV_FILL);
}

void iov_take(const struct iovec *iov, unsigned count, size_t skip, void *to, size_t size)
{
        iov_move(iov, count, skip, size, to, IOV_TAKE);
}

bool is_all_zero(const void *bytes, size_t size)
{
        const uint8_t *at = bytes;

        /* Equal to itself shifted by one, and begins with a zero. */
        return !size || (!at[0] && !memcmp(at, at + 1, size - 1));
}

/* -- One buffer -------------------------------------------------------------------------------------- */

int image_read(struct block_image *image, uint64_t offset, void *to, size_t size)
{
        struct iovec iov = { to, size };

        return image->driver->readv(image, offset, &iov, 1);
}

int image_write(struct block_image *image, uint64_t offset, const void *from, size_t size)
{
        struct iovec iov = { (void *)(uintptr_t)from, size };

        return image->driver->writev(image, offset, &iov, 1);
}

/* -- What drivers may leave out ----------------------------------------------------------------------- */

int image_write_zeroes(struct block_image *image, uint64_t offset, uint64_t size, bool unmap)
{
        enum { CHUNK = 256 << 10 };
        uint8_t *zeroes;
        int error = EOPNOTSUPP;

        if (image->driver->write_zeroes)
                error = image->driver->write_zeroes(image, offset, size, unmap);
        if (error != EOPNOTSUPP)
                return error;
        error = 0;
        zeroes = g_malloc0((size_t)MIN(size, (uint64_t)CHUNK));
        while (size && !error) {
                size_t n = (size_t)MIN(size, (uint64_t)CHUNK);

                error = image_write(image, offset, zeroes, n);
                offset += n;
                size -= n;
        }
        g_free(zeroes);
        return error;
}

int image_discard(struct block_image *image, uint64_t offset, uint64_t size)
{
        int error = image->driver->discard ? image->driver->discard(image, offset, size) : 0;

        /* A hint that the host's file system does not take is no error. */
        return error == EOPNOTSUPP ? 0 : error;
}

enum block_status image_status(struct block_image *image, uint64_t offset, uint64_t size, uint64_t *run)
{
        *run = size;
        return image->driver->status ? image->driver->status(image, offset, size, run) : BLOCK_STATUS_DATA;
}

enum block_status image_status_deep(struct block_image *image, uint64_t offset, uint64_t size, uint64_t *run)
{
        *run = size;
        for (; image; image = image->backing) {
                enum block_status status;

                if (offset >= image->size_bytes)
                        return BLOCK_STATUS_ZERO;
                size = MIN(*run, image->size_bytes - offset);
                status = image_status(image, offset, size, run);
                if (status != BLOCK_STATUS_UNALLOCATED)
                        return status;
        }
        return BLOCK_STATUS_ZERO;
}
