/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.h - what kind of image a file is, told by its content. */
#ifndef LODGER_MACHINE_IMAGE_H
#define LODGER_MACHINE_IMAGE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum image_kind { IMAGE_KERNEL, IMAGE_CD, IMAGE_DISK, IMAGE_FLOPPY };

/* The tracks and sectors of a floppy whose image has that size; false: no floppy has. */
struct floppy_format {
        uint32_t kib;
        uint8_t tracks, heads, sectors;
        uint8_t drive;                  /* smallest drive it fits, as in CMOS byte 10h: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M */
};
const struct floppy_format *image_floppy_format(uint64_t bytes);

/* False with error set: unreadable, or of no kind that can be started. */
bool image_probe(const char *path, enum image_kind *kind, GError **error);
/* A CD image: false with error set when its own volume descriptor says that much of it is missing.  An
 * image without a volume descriptor is fine. */
bool image_check_cd(const uint8_t *descriptor, uint64_t bytes, const char *path, GError **error);

enum { IMAGE_CD_DESCRIPTOR_AT = 16 * 2048, IMAGE_CD_DESCRIPTOR_BYTES = 2048 };

#endif
