/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_blk.h - wiring of a virtio disk (class "virtio_blk"); machine lock held. */
#ifndef LODGER_DEVICES_VIRTIO_VIRTIO_BLK_H
#define LODGER_DEVICES_VIRTIO_VIRTIO_BLK_H

#include "block/block.h"
#include "devices/device.h"

/* Before device_start(), which takes the image over; without one the disk has no sectors. */
void virtio_blk_connect(struct device *device, struct block *image);

#endif
