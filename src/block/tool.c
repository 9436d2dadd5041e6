/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tool.c - makes images, tells about them, checks, resizes, and takes snapshots of them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/driver.h"
#include "block/qcow2.h"
#include "block/tool.h"

const char *image_format_of_name(const char *path)
{
        static const struct { const char *suffix, *format; } known[] = {
                { ".qcow2", "qcow2" }, { ".qcow", "qcow2" }, { ".vdi", "vdi" }, { ".vmdk", "vmdk" }, { ".vhd", "vhd" }, { ".vhdx", "vhdx" },
                { ".qed", "qed" },
        };
        char *lower = g_ascii_strdown(path, -1);
        const char *format = "raw";

        for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
                if (g_str_has_suffix(lower, known[i].suffix))
                        format = known[i].format;
        g_free(lower);
        return format;
}

/* -- Create -------------------------------------------------------------------------------------------------- */

static bool qcow2_shape(const char *path, const struct image_create_options *options, struct qcow2_options *shape, GError **error)
{
        uint64_t cluster = options->cluster_bytes ? options->cluster_bytes : 65536;
        unsigned bits = options->refcount_bits ? options->refcount_bits : 16;
        const char *wrong = NULL;

        *shape = (struct qcow2_options){ .version = options->version ? options->version : 3, .lazy_refcounts = options->lazy_refcounts,
                                         .compression = options->zstd ? QCOW2_ZSTD : QCOW2_ZLIB,
                                         .backing_name = options->backing, .backing_format = options->backing_format };
        shape->cluster_bits = (unsigned)g_bit_nth_msf((gulong)cluster, -1);
        shape->refcount_order = (unsigned)g_bit_nth_msf(bits, -1);
        if (cluster & (cluster - 1) || shape->cluster_bits < QCOW2_CLUSTER_BITS_MIN || shape->cluster_bits > QCOW2_CLUSTER_BITS_MAX)
                wrong = "clusters have 512 bytes to 2 MiB, a power of two";
        else if (bits & (bits - 1) || bits > 64)
                wrong = "reference counts have 1, 2, 4, 8, 16, 32 or 64 bits";
        else if (shape->version < 3 && (bits != 16 || options->zstd || options->lazy_refcounts))
                wrong = "version 2 has neither zstd, nor lazy reference counts, nor other than 16 bits for them";
        else if (options->zstd && !qcow2_can_compress(QCOW2_ZSTD))
                wrong = "this program was built without zstd";
        if (wrong)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: %s", path, wrong);
        return !wrong;
}

static bool create_raw(struct block_image *file, uint64_t size, bool preallocate, GError **error)
{
        bool ok = file->driver->resize(file, size, error) == 0;

        if (ok && preallocate) {
                int number = posix_fallocate(raw_fd(file), 0, (off_t)size);

                ok = !number;
                if (!ok)
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: %s", file->path, g_strerror(number));
        }
        image_close(file);
        return ok;
}

bool image_create(const char *path, const char *format, uint64_t size, const struct image_create_options *options, GError **error)
{
        static const struct image_create_options none;
        struct qcow2_options shape;
        struct block_image *file;
        struct stat info;
        bool is_new = lstat(path, &info) < 0, ok;

        if (!options)
                options = &none;
        if (strcmp(format, "raw") && strcmp(format, "qcow2")) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: images of format %s cannot be made here, only raw and qcow2; "
                            "\"qemu-img create -f %s\" may", path, format, format);
                return false;
        }
        if (!is_new && options->must_be_new) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: exists already; choose another name, or remove it first", path);
                return false;
        }
        if (!strcmp(format, "raw") && options->backing) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: raw images have no backing files; make a qcow2 image", path);
                return false;
        }
        if (!strcmp(format, "qcow2") && !qcow2_shape(path, options, &shape, error))
                return false;
        file = raw_open(path, RAW_CREATE, error);
        if (!file)
                return false;
        ok = !strcmp(format, "raw") ? create_raw(file, size, options->preallocate, error) : qcow2_create(file, size, &shape, error);
        if (!ok && is_new)
                unlink(path);
        return ok;
}

/* -- Info ------------------------------------------------------------------------------------------------------ */

GPtrArray *image_snapshots(struct block_image *image)
{
        struct qcow2 *q = qcow2_of(image);
        GPtrArray *list;

        if (!q)
                return NULL;
        list = g_ptr_array_new_with_free_func((GDestroyNotify)block_snapshot_free);
        for (guint i = 0; i < q->snapshots->len; i++) {
                const struct qcow2_snapshot *from = g_ptr_array_index(q->snapshots, i);
                struct block_snapshot *to = g_new0(struct block_snapshot, 1);

                to->id = g_utf8_make_valid(from->id, -1);
                to->name = g_utf8_make_valid(from->name, -1);
                to->vm_state_bytes = from->vm_state_bytes;
                to->time_s = from->date_s;
                to->vm_clock_ns = from->vm_clock_ns;
                to->size_bytes = from->size_bytes;
                g_ptr_array_add(list, to);
        }
        return list;
}

struct image_info *image_info(const char *path, const char *format, GError **error)
{
        struct block_options options = { .read_only = true, .format = format };
        struct block_image *image = image_open_as(path, &options, IMAGE_NO_BACKING | IMAGE_NO_LOCK | IMAGE_FOR_CHECK, error);
        const struct qcow2 *q = image ? qcow2_of(image) : NULL;
        struct image_info *info;
        struct stat file;

        if (!image)
                return NULL;
        info = g_new0(struct image_info, 1);
        info->format = g_strdup(image->driver->name);
        info->size_bytes = image->size_bytes;
        if (stat(path, &file) == 0) {
                info->file_bytes = (uint64_t)file.st_size;
                info->used_bytes = (uint64_t)file.st_blocks * 512;
        }
        if (q) {
                info->version = q->version;
                info->cluster_bytes = q->cluster_bytes;
                info->refcount_bits = 1u << q->refcount_order;
                info->compression = q->compression == QCOW2_ZSTD ? "zstd" : "zlib";
                info->lazy_refcounts = q->compatible & QCOW2_LAZY;
                info->dirty = q->incompatible & QCOW2_DIRTY;
                info->corrupt = q->incompatible & QCOW2_CORRUPT;
                info->backing = q->backing_name ? g_utf8_make_valid(q->backing_name, -1) : NULL;
                info->backing_format = q->backing_format ? g_utf8_make_valid(q->backing_format, -1) : NULL;
                info->snapshots = image_snapshots(image);
        }
        image->driver->close(image);
        return info;
}

void image_info_free(struct image_info *info)
{
        if (!info)
                return;
        g_free(info->format);
        g_free(info->backing);
        g_free(info->backing_format);
        if (info->snapshots)
                g_ptr_array_free(info->snapshots, TRUE);
        g_free(info);
}

/* -- Check ------------------------------------------------------------------------------------------------------ */

static void check_line(void *opaque, const char *text)
{
        ((void (*)(const char *))opaque)(text);
}

bool image_check(const char *path, const char *format, bool repair, const struct image_progress *progress,
                 void (*line)(const char *text), struct image_check_result *result, GError **error)
{
        struct block_options options = { .read_only = !repair, .format = format };
        struct block_image *image = image_open_as(path, &options, IMAGE_FOR_CHECK, error);
        struct qcow2_check check = { .report = line ? check_line : NULL, .opaque = (void *)line, .cancel = progress ? progress->cancel : NULL };
        struct qcow2 *q;
        bool ok = true;

        *result = (struct image_check_result){ 0 };
        if (!image)
                return false;
        q = qcow2_of(image);
        result->nothing_to_check = !q;
        if (q) {
                ok = qcow2_check(q, repair ? QCOW2_FIX_LEAKS | QCOW2_FIX_ERRORS : 0, &check, error);
                if (ok && repair && check.errors == check.fixed_errors && q->incompatible & (QCOW2_DIRTY | QCOW2_CORRUPT)) {
                        q->incompatible &= ~(uint64_t)(QCOW2_DIRTY | QCOW2_CORRUPT);
                        qcow2_write_header(q);
                }
                *result = (struct image_check_result){ .errors = check.errors, .leaks = check.leaks, .fixed_errors = check.fixed_errors,
                                                       .fixed_leaks = check.fixed_leaks, .clusters_used = check.clusters_used,
                                                       .clusters_total = check.clusters_total };
        }
        image->driver->close(image);
        return ok;
}

/* -- Resize, snapshots ---------------------------------------------------------------------------------------------- */

bool image_resize(const char *path, const char *format, uint64_t size, bool shrink, bool trust_backing, GError **error)
{
        struct block_options options = { .format = format, .trust_backing = trust_backing };
        struct block_image *image = image_open(path, &options, error);
        bool ok = false;

        if (!image)
                return false;
        if (!image->driver->resize)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: %s images cannot be resized", path, image->driver->name);
        else if (size < image->size_bytes && !shrink)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_SIZE, "%s: would lose what lies beyond the new end; add --shrink if that is "
                            "meant (shrink partitions first)", path);
        else if (size < image->size_bytes && qcow2_of(image) && qcow2_of(image)->snapshots->len)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: has snapshots, which keep its size; delete them first", path);
        else
                ok = image->driver->resize(image, size, error) == 0;
        image_close(image);
        return ok;
}

bool image_snapshot(const char *path, enum image_snapshot_action action, const char *name, GError **error)
{
        struct block_options options = { 0 };
        struct block_image *image = image_open_as(path, &options, IMAGE_NO_BACKING, error);
        struct qcow2 *q = image ? qcow2_of(image) : NULL;
        bool ok = false;

        if (!image)
                return false;
        if (!q)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: %s images hold no snapshots; convert it to qcow2", path,
                            image->driver->name);
        else if (action == IMAGE_SNAPSHOT_CREATE)
                ok = qcow2_snapshot_create(q, name, 0, error);
        else if (action == IMAGE_SNAPSHOT_APPLY)
                ok = qcow2_snapshot_apply(q, name, error);
        else
                ok = qcow2_snapshot_delete(q, name, error);
        image_close(image);
        return ok;
}
