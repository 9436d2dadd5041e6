/* SPDX-License-Identifier: GPL-2.0-or-later */
/* raw.c - an image whose bytes are the disk's: a file or a block device. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/block.h"
#include "block/driver.h"

struct raw {
        struct block_image image;
        int fd;
};

static int raw_read(struct block_image *image, uint64_t offset, uint8_t *to, size_t size)
{
        const struct raw *raw = (const struct raw *)image;

        while (size) {
                ssize_t n = pread(raw->fd, to, size, (off_t)offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno;
                if (!n)                         /* somebody cut the file short under us */
                        return EIO;
                to += n;
                offset += (uint64_t)n;
                size -= (size_t)n;
        }
        return 0;
}

static int raw_write(struct block_image *image, uint64_t offset, const uint8_t *from, size_t size)
{
        const struct raw *raw = (const struct raw *)image;

        while (size) {
                ssize_t n = pwrite(raw->fd, from, size, (off_t)offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno;
                from += n;
                offset += (uint64_t)n;
                size -= (size_t)n;
        }
        return 0;
}

static int raw_flush(struct block_image *image)
{
        return fdatasync(((const struct raw *)image)->fd) < 0 ? errno : 0;
}

static void raw_close(struct block_image *image)
{
        close(((struct raw *)image)->fd);
        g_free(image);
}

static const struct block_driver raw_driver = { "raw", raw_read, raw_write, raw_flush, raw_close };

static const char *raw_remedy(int error, bool read_only)
{
        if (error == EACCES || error == EROFS || error == EPERM)
                return read_only ? "; change its permissions" : "; change its permissions, or add \",readonly\" or \",throwaway\"";
        return "";
}

struct block_image *raw_open(const char *path, bool read_only, GError **error)
{
        /* O_NONBLOCK: a FIFO must not make us wait; it means nothing to files and disks. */
        int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
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
        else if (size <= 0)
                what = read_only ? "is empty; get a complete copy" : "is empty; make a disk with for example \"truncate -s 8G FILE\"";
        if (what) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: %s", path, what);
                goto fail;
        }
        if (!file_lock_take(fd, path, !read_only, error))
                goto fail;
        raw = g_new0(struct raw, 1);
        raw->image = (struct block_image){ &raw_driver, (uint64_t)size, read_only };
        raw->fd = fd;
        return &raw->image;
fail:
        if (fd >= 0)
                close(fd);
        return NULL;
}
