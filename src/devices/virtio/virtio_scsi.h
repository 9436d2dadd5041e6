/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_scsi.h - wiring of the virtio SCSI controller (class "virtio_scsi"), and its CD trays; machine lock held. */
#ifndef LODGER_DEVICES_VIRTIO_VIRTIO_SCSI_H
#define LODGER_DEVICES_VIRTIO_VIRTIO_SCSI_H

#include "block/block.h"
#include "devices/device.h"

enum { VIRTIO_SCSI_TARGETS = 8 };

/* After device_start(), before the machine runs.  Takes the image over; a CD drive may have none. */
void virtio_scsi_add_disk(struct device *device, unsigned target, const char *id, struct block *image);
void virtio_scsi_add_cd(struct device *device, unsigned target, const char *id, struct block *image);

/* CD drives by name; ide.h says what force is. */
bool virtio_scsi_has_cd(struct device *device, const char *id);
bool virtio_scsi_cd_change(struct device *device, const char *id, struct block *image, bool force, GError **error);

#endif
