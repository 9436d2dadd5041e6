/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ide.h - wiring of the IDE function (class "piix3_ide", PCI 00:01.1), and its CD trays.
 *
 * Slots: 0 and 1 are the drives of the primary channel, 2 and 3 those of the secondary one.
 * All functions are called with the machine lock held.
 */
#ifndef LODGER_DEVICES_STORAGE_IDE_H
#define LODGER_DEVICES_STORAGE_IDE_H

#include "block/block.h"
#include "devices/device.h"

enum { IDE_SLOTS = 4 };

/* channel: 0 or 1; IRQ 14 or 15 on a PC. */
void ide_connect_irq(struct device *device, unsigned channel, struct irq irq);
/* After device_start(), before the machine runs.  Takes the image over; a CD drive may have none. */
void ide_add_disk(struct device *device, unsigned slot, const char *id, struct block *image);
void ide_add_cd(struct device *device, unsigned slot, const char *id, struct block *image);
/* Cylinders, heads and sectors a disk tells its guest; false when there is no disk in the slot. */
bool ide_disk_geometry(struct device *device, unsigned slot, unsigned chs[3]);

/* Takes the medium out of drive `id` and closes its image.  When the guest has locked the tray and force is
 * false, the guest is asked to let go, and this fails with an error that says so. */
bool ide_cd_eject(struct device *device, const char *id, bool force, GError **error);
/* Puts a medium in, in place of what is there (the same lock applies).  Takes the image over when it succeeds. */
bool ide_cd_insert(struct device *device, const char *id, struct block *image, bool force, GError **error);
bool ide_has_cd(struct device *device, const char *id);
/* What is in drive `id`: a path, or NULL when empty or no such CD drive. */
const char *ide_cd_path(struct device *device, const char *id);
/* Completes all work on images: before a save, with the vCPUs paused. */
void ide_drain(struct device *device);

#endif
