/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tool_chain.c - copies images, and moves content between an image and what it is based upon.
 *
 * A copy is written under another name in the same folder and renamed when it is complete, so that neither
 * a failure nor Ctrl-C leaves half of one, and what had the name before stays until then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/driver.h"
#include "block/qcow2.h"
#include "block/tool.h"

enum { CHUNK = 2 << 20, SPARSE = 4096 };

static bool fail(GError **error, const char *path, int number)
{
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: %s", path, g_strerror(number));
        return false;
}

/* False when the job was cancelled. */
static bool progress_step(const struct image_progress *progress, const char *path, uint64_t done, uint64_t total, GError **error)
{
        if (!progress)
                return true;
        if (progress->cancel && *progress->cancel) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_CANCELLED, "%s: cancelled", path);
                return false;
        }
        if (progress->report)
                progress->report(progress->opaque, done, total);
        return true;
}

/* -- Copying --------------------------------------------------------------------------------------------------- */

struct copy {
        struct block_image *from, *to, *base;   /* base: what `to` shows where nothing is written; may be NULL */
        uint32_t unit;                  /* runs of zeroes of that size are left out */
        bool compress, to_is_blank;
        uint8_t *bytes, *there;
};

/* Writes one run that is not all zeroes, or differs from the base. */
static int copy_run(const struct copy *copy, uint64_t offset, const uint8_t *bytes, size_t size)
{
        if (copy->compress) {
                int error = size == copy->unit ? qcow2_write_compressed(qcow2_of(copy->to), offset, bytes) : EOPNOTSUPP;

                if (error != EOPNOTSUPP)
                        return error;
        }
        return image_write(copy->to, offset, bytes, size);
}

static bool unit_is_there(const struct copy *copy, const uint8_t *bytes, const uint8_t *there, size_t size)
{
        return copy->base ? !memcmp(bytes, there, size) : copy->to_is_blank && is_all_zero(bytes, size);
}

static int copy_chunk(const struct copy *copy, uint64_t offset, size_t size)
{
        int error = image_read(copy->from, offset, copy->bytes, size);
        size_t run = 0;

        if (!error && copy->base) {
                uint64_t there = offset < copy->base->size_bytes ? MIN(size, copy->base->size_bytes - offset) : 0;

                memset(copy->there + there, 0, size - (size_t)there);
                if (there)
                        error = image_read(copy->base, offset, copy->there, (size_t)there);
        }
        /* Runs of units to write, between such that are there already. */
        for (size_t at = 0; at <= size && !error; at += copy->unit) {
                size_t n = at < size ? MIN((size_t)copy->unit, size - at) : 0;

                if (n && !unit_is_there(copy, copy->bytes + at, copy->there + at, n) && !(copy->compress && run)) {
                        run += n;
                        continue;
                }
                if (run)
                        error = copy_run(copy, offset + at - run, copy->bytes + at - run, run);
                run = n && !unit_is_there(copy, copy->bytes + at, copy->there + at, n) ? n : 0;
        }
        if (run && !error)              /* a last unit that the end of the chunk cut short */
                error = copy_run(copy, offset + size - run, copy->bytes + size - run, run);
        return error;
}

static bool copy_all(struct copy *copy, uint64_t size, const struct image_progress *progress, GError **error)
{
        bool ok = true;
        uint64_t run;

        copy->bytes = g_malloc(CHUNK);
        copy->there = g_malloc0(CHUNK);
        for (uint64_t at = 0; at < size && ok; at += run) {
                enum block_status status = image_status_deep(copy->from, at, size - at, &run);
                int number = 0;

                ok = progress_step(progress, copy->to->path, at, size, error);
                if (!ok)
                        break;
                if (status == BLOCK_STATUS_ZERO && copy->to_is_blank && !copy->base) {
                        /* Whole units are left out. */
                        if (at + run < size)
                                run = ((at + run) & ~(uint64_t)(copy->unit - 1)) > at ? ((at + run) & ~(uint64_t)(copy->unit - 1)) - at : 0;
                        if (run)
                                continue;
                }
                /* From one multiple of the chunk to the next, so that units stay aligned. */
                run = MIN(size - at, CHUNK - at % CHUNK);
                number = copy_chunk(copy, at, (size_t)run);
                ok = number == 0 || fail(error, copy->to->path, number);
        }
        g_free(copy->bytes);
        g_free(copy->there);
        return ok && progress_step(progress, copy->to->path, size, size, error);
}

/* -- Convert -------------------------------------------------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
        struct stat first, second;

        return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/* The image to write to, made under a name that is not there yet; a device is written to as it is. */
static struct block_image *open_target(const char *to, const char *format, uint64_t size, const struct image_convert_options *options,
                                       char **temporary, GError **error)
{
        struct block_options open_options = { .format = format, .trust_backing = true, .cache = BLOCK_CACHE_UNSAFE };
        struct block_image *image = NULL;
        struct stat info;
        int fd;

        if (stat(to, &info) == 0 && S_ISBLK(info.st_mode)) {
                open_options.format = "raw";
                image = strcmp(format, "raw") ? NULL : image_open(to, &open_options, error);
                if (!image && error && !*error)
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: only raw images are written to a block device", to);
                if (image && image->size_bytes < size) {
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_SIZE, "%s: has %" G_GUINT64_FORMAT " bytes, and the image %" G_GUINT64_FORMAT,
                                    to, image->size_bytes, size);
                        g_clear_pointer(&image, image_close);
                }
                return image;
        }
        *temporary = g_strdup_printf("%s.part-XXXXXX", to);
        fd = g_mkstemp_full(*temporary, 0, 0666);
        if (fd < 0) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: %s", to, g_strerror(errno));
                g_clear_pointer(temporary, g_free);
                return NULL;
        }
        close(fd);
        if (image_create(*temporary, format, size, &options->create, error))
                image = image_open_as(*temporary, &open_options, IMAGE_NO_BACKING, error);
        return image;
}

static struct block_image *open_base(const char *to, const struct image_convert_options *options, GError **error)
{
        struct block_options below = { .read_only = true, .format = options->create.backing_format, .trust_backing = true };
        char *path = image_backing_path(to, options->create.backing);
        struct block_image *base = image_open(path, &below, error);

        g_free(path);
        return base;
}

bool image_convert(const char *from, const char *to, const struct image_convert_options *options, const struct image_progress *progress,
                   GError **error)
{
        struct block_options source = { .read_only = true, .format = options->from, .trust_backing = options->trust_backing };
        const char *format = options->to ? options->to : image_format_of_name(to);
        struct copy copy = { .compress = options->compress };
        char *temporary = NULL;
        struct block_image *guard = NULL;
        bool ok = false;

        if (same_file(from, to)) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: cannot be converted onto itself; choose another name", to);
                return false;
        }
        if (options->compress && (strcmp(format, "qcow2") || !qcow2_can_compress(options->create.zstd ? QCOW2_ZSTD : QCOW2_ZLIB))) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: only qcow2 images are compressed, where zlib or zstd was built in", to);
                return false;
        }
        copy.from = image_open(from, &source, error);
        if (!copy.from)
                return false;
        /* Nobody may be using what is going to be replaced. */
        if (access(to, F_OK) == 0 && (guard = raw_open(to, RAW_EMPTY_OK, error)) == NULL)
                goto out;
        if (guard && raw_fd(guard) >= 0) {
                struct stat info;

                if (fstat(raw_fd(guard), &info) == 0 && S_ISBLK(info.st_mode))
                        g_clear_pointer(&guard, image_close);
        }
        if (options->create.backing && (copy.base = open_base(to, options, error)) == NULL)
                goto out;
        copy.to = open_target(to, format, copy.from->size_bytes, options, &temporary, error);
        if (!copy.to)
                goto out;
        copy.to_is_blank = temporary;
        copy.unit = copy.to->conflict_bytes > SPARSE || options->compress ? copy.to->conflict_bytes : SPARSE;
        ok = copy_all(&copy, copy.from->size_bytes, progress, error);
        if (ok) {
                int number = image_sync(copy.to);

                ok = number == 0 || fail(error, to, number);
        }
        copy.to->driver->close(copy.to);
        if (ok && temporary) {          /* on the disk before it takes the name of what may be there now */
                int fd = open(temporary, O_RDONLY | O_CLOEXEC);

                ok = (fd >= 0 && fsync(fd) == 0) || fail(error, to, errno);
                if (fd >= 0)
                        close(fd);
        }
        if (ok && temporary && rename(temporary, to) < 0)
                ok = fail(error, to, errno);
out:
        if (temporary && !ok)
                unlink(temporary);
        g_free(temporary);
        image_close(guard);
        image_close(copy.base);
        image_close(copy.from);
        return ok;
}

/* -- Link ------------------------------------------------------------------------------------------------------------- */

bool image_link(const char *path, const char *base, const struct block_options *options, GError **error)
{
        struct block_options below = *options;
        struct block_image *image;
        bool ok;

        below.read_only = true;
        image = image_open(base, &below, error);
        if (!image)
                return false;
        /* The base stays open, and so locked, until there is something that depends on it. */
        const struct image_create_options create = { .backing = base, .backing_format = image->driver->name, .must_be_new = true };

        ok = image_create(path, "qcow2", image->size_bytes, &create, error);
        image_close(image);
        return ok;
}

void image_set_protected(const char *path, bool is_protected)
{
        struct stat info;

        if (stat(path, &info) == 0 && S_ISREG(info.st_mode))
                (void)!chmod(path, is_protected ? info.st_mode & 07777 & ~(mode_t)S_IWUSR : (info.st_mode & 07777) | S_IWUSR);
}

/* -- Commit --------------------------------------------------------------------------------------------------------- */

static bool commit_content(struct block_image *top, struct block_image *base, const struct image_progress *progress, GError **error)
{
        uint8_t *bytes = g_malloc(CHUNK);
        bool ok = true;
        uint64_t run;

        for (uint64_t at = 0; at < top->size_bytes && ok; at += run) {
                enum block_status status = image_status(top, at, top->size_bytes - at, &run);
                int number = 0;

                ok = progress_step(progress, top->path, at, top->size_bytes, error);
                if (!ok || status == BLOCK_STATUS_UNALLOCATED)
                        continue;
                if (status == BLOCK_STATUS_DATA) {
                        run = MIN(run, (uint64_t)CHUNK);
                        number = image_read(top, at, bytes, (size_t)run);
                        if (!number)
                                number = image_write(base, at, bytes, (size_t)run);
                } else {
                        number = image_write_zeroes(base, at, run, true);
                }
                ok = number == 0 || fail(error, base->path, number);
        }
        g_free(bytes);
        if (ok) {
                int number = base->driver->flush(base);

                ok = number == 0 || fail(error, base->path, number);
        }
        return ok;
}

/* Every cluster of the top image shows the backing file again. */
static bool empty_image(struct qcow2 *q, GError **error)
{
        int number = 0;

        for (uint64_t at = 0; at < q->image.size_bytes && !number; ) {
                struct qcow2_mapping mapping;

                pthread_mutex_lock(&q->lock);
                number = qcow2_map(q, at, q->image.size_bytes - at, &mapping);
                if (!number && mapping.kind == QCOW2_K_UNALLOCATED) {
                        at += mapping.run;
                } else if (!number) {
                        number = qcow2_set_entry(q, at, 0);
                        at += q->cluster_bytes;
                }
                pthread_mutex_unlock(&q->lock);
        }
        if (!number)
                number = image_sync(&q->image);
        return number == 0 || fail(error, q->image.path, number);
}

bool image_commit(const char *path, bool trust_backing, const struct image_progress *progress, GError **error)
{
        struct block_options options = { .trust_backing = trust_backing };
        struct block_image *top = image_open(path, &options, error), *base;
        struct qcow2 *q;
        char *below;
        bool ok = false;

        if (!top)
                return false;
        q = qcow2_of(top);
        if (!q || !top->backing) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: has no backing file to commit to", path);
                image_close(top);
                return false;
        }
        /* The chain was opened under the rules of consent; now for writing. */
        g_clear_pointer(&top->backing, image_close);
        below = image_backing_path(path, q->backing_name);
        options.format = q->backing_format;
        base = image_open(below, &options, error);
        g_free(below);
        if (base && base->size_bytes < top->size_bytes &&
            (!base->driver->resize || base->driver->resize(base, top->size_bytes, error)))
                g_clear_pointer(&base, image_close);
        if (base) {
                ok = commit_content(top, base, progress, error) && empty_image(q, error);
                image_close(base);
        } else if (error && !*error) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_SIZE, "%s: its backing file is smaller and cannot grow", path);
        }
        image_close(top);
        return ok;
}

/* -- Rebase ------------------------------------------------------------------------------------------------------------ */

/* What the image shows from its old backing file and would not from the new one is written into it. */
static bool keep_content(struct block_image *image, struct block_image *base, const struct image_progress *progress, GError **error)
{
        struct copy copy = { .from = image, .to = image, .base = base, .unit = image->conflict_bytes, .to_is_blank = true };
        bool ok = true;
        uint64_t run;

        copy.bytes = g_malloc(CHUNK);
        copy.there = g_malloc0(CHUNK);
        for (uint64_t at = 0; at < image->size_bytes && ok; at += run) {
                int number;

                ok = progress_step(progress, image->path, at, image->size_bytes, error);
                if (image_status(image, at, image->size_bytes - at, &run) != BLOCK_STATUS_UNALLOCATED)
                        continue;
                run = MIN(run, CHUNK - at % CHUNK);
                number = copy_chunk(&copy, at, (size_t)run);
                ok = ok && (number == 0 || fail(error, image->path, number));
        }
        g_free(copy.bytes);
        g_free(copy.there);
        return ok;
}

bool image_rebase(const char *path, const char *backing, const char *backing_format, bool unsafe, bool trust_backing,
                  const struct image_progress *progress, GError **error)
{
        struct block_options options = { .trust_backing = trust_backing };
        struct block_options below = { .read_only = true, .format = backing_format, .trust_backing = true };
        struct block_image *image = image_open_as(path, &options, unsafe ? IMAGE_NO_BACKING : 0, error), *base = NULL;
        char *base_path = NULL, *format = g_strdup(backing_format);
        bool ok = image;

        if (ok && !qcow2_of(image)) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: only qcow2 images have backing files", path);
                ok = false;
        }
        if (ok && backing) {
                base_path = image_backing_path(path, backing);
                base = unsafe && access(base_path, F_OK) ? NULL : image_open(base_path, &below, error);
                ok = base || unsafe;
                if (base && !format)
                        format = g_strdup(base->driver->name);
        }
        if (ok && !unsafe)
                ok = keep_content(image, base, progress, error);
        if (ok) {
                int number = image->driver->flush(image);

                if (!number) {
                        qcow2_set_backing(qcow2_of(image), backing, format);
                        number = qcow2_write_header(qcow2_of(image));
                }
                ok = number == 0 || fail(error, path, number);
        }
        image_close(base);
        image_close(image);
        g_free(base_path);
        g_free(format);
        return ok;
}
