/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * open.c - from the name of a disk to its image: which format, and what it is based upon.
 *
 * A format that was given is taken; otherwise the content decides.  An image that content made raw is
 * kept from becoming anything else while it is written to (raw.c).
 */
#include <string.h>

#include "block/driver.h"

static const struct signature {
        const char *format;
        unsigned offset;
        const char *bytes;
        unsigned size;
} signatures[] = {
        { "qcow2", 0, "QFI\xfb\0\0\0", 7 },             /* versions 2 and 3; version 1 has its own number */
        { "qcow", 0, "QFI\xfb", 4 },
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
        { "gzip", 0, "\x1f\x8b\x08", 3 },
};

const char *image_format_of(const uint8_t *bytes, size_t size)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(signatures); i++) {
                const struct signature *signature = &signatures[i];

                if (size >= signature->offset + signature->size &&
                    !memcmp(bytes + signature->offset, signature->bytes, signature->size) &&
                    (strcmp(signature->format, "qcow2") || bytes[7] >= 2))
                        return signature->format;
        }
        return "raw";
}

struct block_image *image_open(const char *path, const struct block_options *options, GError **error)
{
        unsigned flags = (options->read_only || options->throwaway ? RAW_READ_ONLY : 0) |
                         (options->cache == BLOCK_CACHE_NONE ? RAW_DIRECT : 0) |
                         (options->cache == BLOCK_CACHE_UNSAFE ? RAW_NO_FSYNC : 0) | (options->format ? 0 : RAW_PROBED);
        struct block_image *file = raw_open(path, flags, error);
        uint8_t bytes[IMAGE_PROBE_BYTES];
        size_t size;
        const char *format = options->format;

        if (!file)
                return NULL;
        size = (size_t)MIN(file->size_bytes, (uint64_t)sizeof(bytes));
        if (!format)
                format = image_read(file, 0, bytes, size) ? "raw" : image_format_of(bytes, size);
        if (!strcmp(format, "raw") || !strcmp(format, "gzip"))
                return file;
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_FORMAT, "%s: images of format %s are not supported", path, format);
        file->driver->close(file);
        return NULL;
}

void image_close(struct block_image *image)
{
        if (!image)
                return;
        if (!image->read_only)
                image->driver->flush(image);
        image->driver->close(image);
}
