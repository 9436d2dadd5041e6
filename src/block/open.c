/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * open.c - from the name of a disk to its image: which format, and what it is based upon.
 *
 * A format that was given is taken; otherwise the content decides.  An image that content made raw is
 * kept from becoming anything else while it is written to (raw.c).
 *
 * A qcow2 image may name a backing file.  Whoever made the image chose that name, so without consent
 * (trust_backing) it may only be a file in the image's own folder or below, and one whose format was not
 * recorded may not name a further one.
 *
 * "lodger-snapshot:NAME:PATH" is the content that the qcow2 image PATH keeps under the name NAME.  It never changes while
 * it is there, so it is read without a lock, also while a machine writes to the image (clones and forks of that machine).
 * Other programs take it for a protocol that they do not have, and never for the image as it is now.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/driver.h"
#include "block/qcow2.h"
#include "block/tool.h"

enum { CHAIN_MAX = 64 };
#define IN_SNAPSHOT "lodger-snapshot:"

static const struct signature {
        const char *format;
        unsigned offset;
        const char *bytes;
        unsigned size;
} signatures[] = {
        { "qcow", 0, "QFI\xfb\0\0\0\1", 8 },            /* version 1 is another format */
        { "qcow2", 0, "QFI\xfb", 4 },
        { "vdi", 0x40, "\x7f\x10\xda\xbe", 4 },
        { "vmdk", 0, "KDMV", 4 },
        { "vmdk", 0, "COWD", 4 },
        { "vmdk", 0, "# Disk DescriptorFile", 21 },
        { "vhdx", 0, "vhdxfile", 8 },
        { "vhd", 0, "conectix", 8 },
        { "qed", 0, "QED\0", 4 },
        { "luks", 0, "LUKS\xba\xbe", 6 },
        { "parallels", 0, "WithoutFreeSpace", 16 },
        { "parallels", 0, "WithouFreSpacExt", 16 },
        { "xz", 0, "\xfd" "7zXZ\0", 6 },
};

const char *block_format_of(const uint8_t *bytes, size_t size)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(signatures); i++) {
                const struct signature *signature = &signatures[i];

                if (size >= signature->offset + signature->size &&
                    !memcmp(bytes + signature->offset, signature->bytes, signature->size))
                        return signature->format;
        }
        return "raw";
}

/* -- Backing files ---------------------------------------------------------------------------------------------- */

bool image_is_protocol(const char *name)
{
        const char *at = name;

        while (g_ascii_isalnum(*at) || *at == '+' || *at == '-' || *at == '.')
                at++;
        return at > name && *at == ':' && !g_str_has_prefix(name, "file:");
}

char *image_snapshot_name(const char *snapshot, const char *path)
{
        return g_strconcat(IN_SNAPSHOT, snapshot, ":", path, NULL);
}

/* The path in the name of a kept content, whose name goes to *snapshot (caller frees); NULL: an ordinary name. */
static const char *split_snapshot(const char *name, char **snapshot)
{
        const char *colon = g_str_has_prefix(name, IN_SNAPSHOT) ? strchr(name + strlen(IN_SNAPSHOT), ':') : NULL;

        if (colon)
                *snapshot = g_strndup(name + strlen(IN_SNAPSHOT), (gsize)(colon - name) - strlen(IN_SNAPSHOT));
        return colon ? colon + 1 : NULL;
}

char *image_backing_path(const char *path, const char *name)
{
        char *folder, *full, *snapshot;
        const char *inner = split_snapshot(name, &snapshot);

        if (inner) {
                char *inner_full = image_backing_path(path, inner);

                full = image_snapshot_name(snapshot, inner_full);
                g_free(inner_full);
                g_free(snapshot);
                return full;
        }
        if (g_str_has_prefix(name, "file:"))
                name += strlen("file:");
        if (*name == '/' || image_is_protocol(name))
                return g_strdup(name);
        folder = g_path_get_dirname(path);
        full = g_build_filename(folder, name, NULL);
        g_free(folder);
        return full;
}

/* Whether a file is in the folder of another one or below, with all links followed. */
static bool is_below(const char *file, const char *image)
{
        char *folder = g_path_get_dirname(image), *real_folder = realpath(folder, NULL), *real = realpath(file, NULL);
        size_t length = real_folder ? strlen(real_folder) : 0;
        bool below = real_folder && real && !strncmp(real, real_folder, length) && (length == 1 || real[length] == '/');

        g_free(folder);
        free(real_folder);
        free(real);
        return below;
}

static bool has_consent(const char *image, const char *backing, const struct block_options *options, GError **error)
{
        char *snapshot = NULL;
        const char *inner = split_snapshot(backing, &snapshot), *file = inner ? inner : backing;

        g_free(snapshot);
        if (options->trust_backing || (!image_is_protocol(file) && (is_below(file, image) || access(file, F_OK))))
                return true;
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_CONSENT,
                    "%s: its backing file %s is not in the same folder; if you trust the image, add \",backing=trust\" (or --trust-backing)",
                    image, backing);
        return false;
}

static struct block_image *open_chain(const char *path, const struct block_options *options, unsigned flags, unsigned depth,
                                      GError **error);

static bool open_backing(struct block_image *image, const struct block_options *options, unsigned flags, unsigned depth, GError **error)
{
        const struct qcow2 *q = qcow2_of(image);
        struct block_options below = { .read_only = true, .trust_backing = options->trust_backing };
        char *path;

        if (!q || !q->backing_name)
                return true;
        if (depth >= CHAIN_MAX) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: more than %d backing files, one behind the other", image->path, CHAIN_MAX);
                return false;
        }
        path = image_backing_path(image->path, q->backing_name);
        below.format = q->backing_format;
        if (has_consent(image->path, path, options, error)) {
                image->backing = open_chain(path, &below, flags, depth + 1, error);
                if (!image->backing)
                        g_prefix_error(error, "%s: backing file ", image->path);
        }
        g_free(path);
        if (image->backing && !q->backing_format && !options->trust_backing && image->backing->backing) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_CONSENT,
                            "%s: the format of its backing file is not recorded, and that names another one; if you trust both, add "
                            "\",backing=trust\" (or --trust-backing)", image->path);
                g_clear_pointer(&image->backing, image_close);
        }
        return image->backing;
}

bool image_open_backing(struct block_image *image, const struct block_options *options, GError **error)
{
        return open_backing(image, options, 0, 0, error);
}

/* -- Images ------------------------------------------------------------------------------------------------------ */

static struct block_image *open_qcow2(struct block_image *file, const struct block_options *options, unsigned flags, unsigned depth,
                                      GError **error)
{
        bool read_only = file->read_only;
        struct block_image *image = qcow2_open(file, (read_only ? QCOW2_READ_ONLY : 0) |
                                               (flags & IMAGE_FOR_CHECK ? QCOW2_NO_REPAIR | QCOW2_ALLOW_CORRUPT : 0), error);

        if (image && !(flags & (IMAGE_NO_BACKING | IMAGE_FOR_CHECK)) && !open_backing(image, options, flags, depth, error)) {
                image->driver->close(image);
                return NULL;
        }
        return image;
}

/* The list of an image's snapshots may be replaced while it is read: by another one that has ours too. */
enum { VIEW_ATTEMPTS = 5 };

static struct block_image *open_snapshot(const char *path, const char *snapshot, const struct block_options *options, unsigned flags,
                                         unsigned depth, GError **error)
{
        struct block_image *file, *image = NULL;

        if (!options->read_only) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: what it keeps as \"%s\" can only be read", path, snapshot);
                return NULL;
        }
        for (unsigned attempt = 0; attempt < VIEW_ATTEMPTS && !image; attempt++) {
                g_clear_error(error);
                file = raw_open(path, RAW_READ_ONLY | RAW_NO_LOCK, error);
                if (!file)
                        return NULL;
                image = qcow2_open(file, QCOW2_READ_ONLY, error);
                if (image && !qcow2_snapshot_view(qcow2_of(image), snapshot, error)) {
                        image->driver->close(image);
                        image = NULL;
                }
        }
        if (image && !(flags & IMAGE_NO_BACKING) && !open_backing(image, options, flags, depth, error)) {
                image->driver->close(image);
                return NULL;
        }
        return image;
}

static struct block_image *open_chain(const char *path, const struct block_options *options, unsigned flags, unsigned depth,
                                      GError **error)
{
        unsigned raw_flags = (options->read_only || options->throwaway ? RAW_READ_ONLY : 0) |
                             (options->cache == BLOCK_CACHE_NONE ? RAW_DIRECT : 0) |
                             (options->cache == BLOCK_CACHE_UNSAFE ? RAW_NO_FSYNC : 0) |
                             (flags & IMAGE_NO_LOCK ? RAW_NO_LOCK : 0);
        const char *format = options->format;
        uint8_t bytes[IMAGE_PROBE_BYTES];
        struct block_image *file;
        char *snapshot = NULL;
        const char *inner = split_snapshot(path, &snapshot);
        size_t size;

        if (inner) {
                file = open_snapshot(inner, snapshot, options, flags, depth, error);
                g_free(snapshot);
                return file;
        }
        if (image_is_protocol(path))
                return g_str_has_prefix(path, "nbd") ? nbd_open(path, options, error) : serve_open(path, format, options, error);
        if (g_str_has_prefix(path, "file:"))
                path += strlen("file:");
        file = raw_open(path, raw_flags, error);
        if (!file)
                return NULL;
        size = (size_t)MIN(file->size_bytes, (uint64_t)sizeof(bytes));
        if (!format) {
                format = image_read(file, 0, bytes, size) ? "raw" : block_format_of(bytes, size);
                if (!strcmp(format, "raw"))
                        raw_keep_raw(file);
        }
        if (!strcmp(format, "raw"))
                return file;
        if (!strcmp(format, "qcow2"))
                return open_qcow2(file, options, flags, depth, error);
        file->driver->close(file);
        return serve_open(path, format, options, error);
}

struct block_image *image_open_as(const char *path, const struct block_options *options, unsigned flags, GError **error)
{
        return open_chain(path, options, flags, 0, error);
}

struct block_image *image_open(const char *path, const struct block_options *options, GError **error)
{
        return image_open_as(path, options, 0, error);
}

int image_sync(struct block_image *image)
{
        int error = image->driver->flush(image);

        return error || !image->driver->settle ? error : image->driver->settle(image);
}

void image_close(struct block_image *image)
{
        if (!image)
                return;
        if (!image->read_only)
                image_sync(image);
        image->driver->close(image);
}
