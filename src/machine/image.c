/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.c - tells images apart: CD (ISO 9660), disk (qcow2 and the like, MBR or GPT), floppy (by size), kernel.
 *
 * The order matters: a CD made for USB sticks too begins with an MBR, a Linux image with a boot
 * signature, and a disk with GRUB has a Multiboot header (GRUB's own) in its first sectors.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "machine/boot.h"
#include "machine/image.h"

enum { PROBE_BYTES = IMAGE_CD_DESCRIPTOR_AT + IMAGE_CD_DESCRIPTOR_BYTES, VOLUME_BLOCKS_AT = 80 };
/* What tools append to a CD for slow drives may be cut off without loss. */
enum { CD_PADDING_SECTORS = 300 };

const struct floppy_format *image_floppy_format(uint64_t bytes)
{
        static const struct floppy_format formats[] = {
                { 160, 40, 1, 8, 1 }, { 180, 40, 1, 9, 1 }, { 320, 40, 2, 8, 1 }, { 360, 40, 2, 9, 1 },
                { 720, 80, 2, 9, 3 }, { 1200, 80, 2, 15, 2 }, { 1440, 80, 2, 18, 4 }, { 1680, 80, 2, 21, 4 },
                { 1722, 82, 2, 21, 4 }, { 2880, 80, 2, 36, 5 },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
                if (bytes == formats[i].kib * UINT64_C(1024))
                        return &formats[i];
        return NULL;
}

static bool is_cd(const uint8_t *descriptor)
{
        return descriptor[0] <= 3 && !memcmp(descriptor + 1, "CD001", 5);
}

bool image_check_cd(const uint8_t *descriptor, uint64_t bytes, const char *path, GError **error)
{
        uint64_t blocks;

        if (!is_cd(descriptor) || descriptor[0] != 1)
                return true;
        blocks = descriptor[VOLUME_BLOCKS_AT] | (uint64_t)descriptor[VOLUME_BLOCKS_AT + 1] << 8 |
                 (uint64_t)descriptor[VOLUME_BLOCKS_AT + 2] << 16 | (uint64_t)descriptor[VOLUME_BLOCKS_AT + 3] << 24;
        if (blocks <= bytes / 2048 + CD_PADDING_SECTORS)
                return true;
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_SIZE,
                    "%s: truncated: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes; get a complete copy", path, bytes,
                    blocks * 2048);
        return false;
}

static ssize_t read_all(int fd, uint8_t *to, size_t size)
{
        size_t done = 0;
        ssize_t n = 0;

        while (done < size && (n = pread(fd, to + done, size - done, (off_t)done)) > 0)
                done += (size_t)n;
        return n < 0 ? -1 : (ssize_t)done;
}

static bool has_boot_signature(const uint8_t *bytes, size_t size)
{
        return (size >= 512 && bytes[510] == 0x55 && bytes[511] == 0xaa) || (size >= 520 && !memcmp(bytes + 512, "EFI PART", 8));
}

bool image_probe(const char *path, enum image_kind *kind, GError **error)
{
        uint8_t *bytes = g_malloc0(PROBE_BYTES);
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t n = fd < 0 ? -1 : read_all(fd, bytes, PROBE_BYTES);
        off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
        bool known = true;

        if (n < 0)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: %s", path, g_strerror(errno));
        else if (n == PROBE_BYTES && is_cd(bytes + IMAGE_CD_DESCRIPTOR_AT))
                *kind = IMAGE_CD;
        else if (boot_is_linux(bytes, (gsize)n) || !memcmp(bytes, "\177ELF", 4))
                *kind = IMAGE_KERNEL;
        else if (strcmp(block_format_of(bytes, (size_t)n), "raw"))
                *kind = IMAGE_DISK;
        else if (image_floppy_format((uint64_t)MAX(size, 0)))
                *kind = IMAGE_FLOPPY;
        else if (has_boot_signature(bytes, (size_t)n))
                *kind = IMAGE_DISK;
        else if (boot_is_multiboot(bytes, (gsize)n))
                *kind = IMAGE_KERNEL;
        else
                known = false;
        if (n >= 0 && !known)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN,
                            "%s: neither a CD image, a bootable disk or floppy, nor a kernel; say what it is with --cdrom, "
                            "--disk or --floppy", path);
        if (fd >= 0)
                close(fd);
        g_free(bytes);
        return n >= 0 && known;
}
