/* SPDX-License-Identifier: GPL-2.0-or-later */
/* floppy.h - wiring of the floppy controller (class "floppy"), and its disks; machine lock held. */
#ifndef LODGER_DEVICES_STORAGE_FLOPPY_H
#define LODGER_DEVICES_STORAGE_FLOPPY_H

#include "block/block.h"
#include "devices/device.h"
#include "devices/dma.h"

enum { FLOPPY_DRIVES = 2 };

struct floppy_shape {
        uint8_t tracks, heads, sectors;
};

void floppy_connect(struct device *device, struct irq irq, struct isa_dma dma);
/* After device_start().  Puts a disk in, in place of what is there, and takes the image over; NULL takes it out. */
void floppy_insert(struct device *device, unsigned drive, struct block *image, struct floppy_shape shape);
const char *floppy_path(struct device *device, unsigned drive);
/* Completes all work on images: before a save, with the vCPUs paused. */
void floppy_drain(struct device *device);

#endif
