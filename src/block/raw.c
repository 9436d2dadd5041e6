/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw.c - an image whose bytes are the disk's: a file or a block device.  Other formats keep their bytes in one, too.
 *
 * With RAW_DIRECT, transfers whose offset, size and buffers are all aligned go past the host's page cache
 * through a second descriptor; the others do not (the kernel keeps both views of the file coherent).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "block/driver.h"

enum { DIRECT_ALIGNMENT = 4096 };

struct raw {
        struct block_image image;
        int fd, direct_fd;              /* direct_fd: -1 when there is none */
        bool probed, no_fsync, complained;
};

static int raw_choose_fd(const struct raw *raw, uint64_t offset, const struct iovec *iov, unsigned count)
{
        uint64_t bits = offset;

        if (raw->direct_fd < 0)
                return raw->fd;
        for (unsigned i = 0; i < count; i++)
                bits |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
        return bits & (DIRECT_ALIGNMENT - 1) ? raw->fd : raw->direct_fd;
}

/* Until everything has moved: the kernel may do less at a time. */
static int raw_move(const struct raw *raw, uint64_t offset, const struct iovec *iov, unsigned count, bool write)
{
        size_t size = iov_size(iov, count), done = 0;
        int fd = raw_choose_fd(raw, offset, iov, count);
        struct iovec few[64];

        while (done < size) {
                const struct iovec *piece = iov;
                unsigned pieces = count;
                ssize_t n;

                if (done || count > IOV_MAX) {
                        /* At most as many elements as there is room for; the rest comes with the next call. */
                        unsigned first = 0;
                        size_t skip = done;

                        while (skip >= iov[first].iov_len)
                                skip -= iov[first++].iov_len;
                        pieces = MIN(count - first, (unsigned)G_N_ELEMENTS(few));
                        pieces = iov_slice(iov + first, pieces, skip, size - done, few);
                        piece = few;
                }
                n = write ? pwritev(fd, piece, (int)pieces, (off_t)(offset + done)) : preadv(fd, piece, (int)pieces, (off_t)(offset + done));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EINVAL && fd == raw->direct_fd) {         /* a device with larger blocks */
                        fd = raw->fd;
                        continue;
                }
                if (n < 0)
                        return errno;
                if (!n)                         /* somebody cut the file short under us */
                        return EIO;
                done += (size_t)n;
        }
        return 0;
}

static int raw_readv(struct block_image *image, uint64_t offset, const struct iovec *to, unsigned count)
{
        return raw_move((const struct raw *)image, offset, to, count, false);
}

/* A disk that was taken for raw because nothing said otherwise must not say otherwise from now on (a guest
 * could make it name any file of the host as its backing file, and read that after the next start). */
static bool raw_would_change_format(const struct raw *raw, uint64_t offset, const struct iovec *from, unsigned count)
{
        uint8_t bytes[IMAGE_PROBE_BYTES];
        struct iovec all = { bytes, sizeof(bytes) };
        uint64_t end = MIN(raw->image.size_bytes, (uint64_t)sizeof(bytes));

        if (offset >= end)
                return false;
        memset(bytes, 0, sizeof(bytes));
        all.iov_len = (size_t)end;
        if (raw_move(raw, 0, &all, 1, false))
                return false;
        iov_take(from, count, 0, bytes + offset, MIN(iov_size(from, count), (size_t)(end - offset)));
        return strcmp(block_format_of(bytes, (size_t)end), "raw") != 0;
}

static int raw_writev(struct block_image *image, uint64_t offset, const struct iovec *from, unsigned count)
{
        struct raw *raw = (struct raw *)image;

        if (raw->probed && raw_would_change_format(raw, offset, from, count)) {
                if (!raw->complained)
                        log_warning("%s: the guest was kept from turning this raw image into one of another format; "
                                    "add \",format=raw\" to allow it", image->path);
                raw->complained = true;
                return EPERM;
        }
        return raw_move(raw, offset, from, count, true);
}

static int raw_flush(struct block_image *image)
{
        const struct raw *raw = (const struct raw *)image;

        return !raw->no_fsync && fdatasync(raw->fd) < 0 ? errno : 0;
}

static int raw_fallocate(struct block_image *image, int mode, uint64_t offset, uint64_t size)
{
        int status;

        if (!size)
                return 0;
        do
                status = fallocate(((struct raw *)image)->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
        while (status < 0 && errno == EINTR);
        if (status == 0)
                return 0;
        /* EINVAL: a device's alignment; ENODEV, ENOSYS: nothing of the kind here. */
        return errno == EINVAL || errno == ENODEV || errno == ENOSYS ? EOPNOTSUPP : errno;
}

static int raw_discard(struct block_image *image, uint64_t offset, uint64_t size)
{
        return raw_fallocate(image, FALLOC_FL_PUNCH_HOLE, offset, size);
}

static int raw_write_zeroes(struct block_image *image, uint64_t offset, uint64_t size, bool unmap)
{
        return raw_fallocate(image, unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE, offset, size);
}

static enum block_status raw_status(struct block_image *image, uint64_t offset, uint64_t size, uint64_t *run)
{
        int fd = ((struct raw *)image)->fd;
        off_t data = lseek(fd, (off_t)offset, SEEK_DATA), end;

        *run = size;
        if (data < 0)
                return errno == ENXIO ? BLOCK_STATUS_ZERO : BLOCK_STATUS_DATA;
        if ((uint64_t)data > offset) {
                *run = MIN(size, (uint64_t)data - offset);
                return BLOCK_STATUS_ZERO;
        }
        end = lseek(fd, (off_t)offset, SEEK_HOLE);
        if (end >= 0 && (uint64_t)end > offset)
                *run = MIN(size, (uint64_t)end - offset);
        return BLOCK_STATUS_DATA;
}

static int raw_resize(struct block_image *image, uint64_t size, GError **error)
{
        if (ftruncate(((struct raw *)image)->fd, (off_t)size) < 0) {
                int number = errno;

                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: %s", image->path, g_strerror(number));
                return number;
        }
        image->size_bytes = size;
        return 0;
}

static void raw_close(struct block_image *image)
{
        struct raw *raw = (struct raw *)image;

        close(raw->fd);
        if (raw->direct_fd >= 0)
                close(raw->direct_fd);
        g_free(image->path);
        g_free(raw);
}

static const struct block_driver raw_driver = {
        .name = "raw", .readv = raw_readv, .writev = raw_writev, .flush = raw_flush, .close = raw_close,
        .discard = raw_discard, .write_zeroes = raw_write_zeroes, .status = raw_status, .resize = raw_resize,
};

/* -- Opening ------------------------------------------------------------------------------------------- */

int raw_fd(struct block_image *image)
{
        return image->driver == &raw_driver ? ((struct raw *)image)->fd : -1;
}

int raw_kernel_fd(struct block_image *image, uint64_t offset, const struct iovec *iov, unsigned count)
{
        const struct raw *raw = (const struct raw *)image;

        if (image->driver != &raw_driver || !count || count > IOV_MAX || (raw->probed && offset < IMAGE_PROBE_BYTES))
                return -1;
        return raw_choose_fd(raw, offset, iov, count);
}

void raw_keep_raw(struct block_image *image)
{
        ((struct raw *)image)->probed = true;
}

static const char *raw_remedy(int error, bool read_only)
{
        if (error == EACCES || error == EROFS || error == EPERM)
                return read_only ? "; change its permissions" : "; change its permissions, or add \",readonly\" or \",throwaway\"";
        return "";
}

static int open_direct(int fd, bool read_only)
{
        char name[32];

        g_snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        return open(name, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_DIRECT);
}

struct block_image *raw_open(const char *path, unsigned flags, GError **error)
{
        bool read_only = flags & RAW_READ_ONLY, create = flags & RAW_CREATE;
        /* O_NONBLOCK: a FIFO must not make us wait; it means nothing to files and disks. */
        int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | (create ? O_CREAT : 0), 0666);
        const char *what = NULL;
        struct stat info;
        struct raw *raw;
        off_t size;

        if (fd < 0 && errno == EISDIR) {        /* a directory, opened for writing */
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: is a directory; name an image file", path);
                return NULL;
        }
        if (fd < 0 || fstat(fd, &info) < 0) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: %s%s", path, g_strerror(errno),
                            raw_remedy(errno, read_only));
                goto fail;
        }
        size = lseek(fd, 0, SEEK_END);          /* of block devices too, whose st_size is 0 */
        if (S_ISDIR(info.st_mode))
                what = "is a directory; name an image file";
        else if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
                what = "is neither a file nor a block device";
        else if (size <= 0 && !(flags & (RAW_EMPTY_OK | RAW_CREATE)))
                what = read_only ? "is empty; get a complete copy" : "is empty; make a disk with for example \"truncate -s 8G FILE\"";
        else if (S_ISREG(info.st_mode) && !read_only && !(info.st_mode & S_IWUSR))
                /* Root could write it all the same, and damage what is based upon it. */
                what = "is write-protected, as what linked clones are based on; add \",readonly\" or \",throwaway\", or copy it";
        if (what) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: %s", path, what);
                goto fail;
        }
        if (!(flags & RAW_NO_LOCK) && !file_lock_take(fd, path, !read_only, error))
                goto fail;
        if (create && S_ISREG(info.st_mode)) {
                if (ftruncate(fd, 0) < 0) {
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: %s", path, g_strerror(errno));
                        goto fail;
                }
                size = 0;
        }
        raw = g_new0(struct raw, 1);
        raw->image = (struct block_image){ .driver = &raw_driver, .size_bytes = (uint64_t)MAX(size, 0), .read_only = read_only,
                                           .path = g_strdup(path) };
        raw->fd = fd;
        raw->direct_fd = flags & RAW_DIRECT ? open_direct(fd, read_only) : -1;
        raw->no_fsync = flags & RAW_NO_FSYNC;
        return &raw->image;
fail:
        if (fd >= 0)
                close(fd);
        return NULL;
}
