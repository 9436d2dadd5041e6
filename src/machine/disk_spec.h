/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk_spec.h - what people write after --disk, --cdrom and --floppy, taken apart. */
#ifndef LODGER_MACHINE_DISK_SPEC_H
#define LODGER_MACHINE_DISK_SPEC_H

#include "block/block.h"

enum disk_bus { DISK_BUS_DEFAULT, DISK_BUS_IDE, DISK_BUS_AHCI, DISK_BUS_VIRTIO, DISK_BUS_SCSI };

struct disk_spec {
        char *path;
        char *format, *serial;          /* owners of what options points to */
        struct block_options options;
        enum disk_bus bus;
        int boot_index;                 /* -1: none given */
};

/* "FILE[,key=value][,flag]...": options are looked for from the end, so that names may have commas.
 * False with error set: a key that is known has a value that is not. */
bool disk_spec_parse(const char *text, struct disk_spec *spec, GError **error);
void disk_spec_clear(struct disk_spec *spec);
/* The same drive with another image, which may build upon one anywhere if it is trusted to; caller frees. */
char *disk_spec_with_image(const char *text, const char *path, const char *format, bool trusted);

#endif
