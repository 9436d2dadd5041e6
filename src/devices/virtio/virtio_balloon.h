/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_balloon.h - what a machine may ask of its balloon (class "virtio_balloon"); machine lock held. */
#ifndef LODGER_DEVICES_VIRTIO_VIRTIO_BALLOON_H
#define LODGER_DEVICES_VIRTIO_VIRTIO_BALLOON_H

#include "devices/device.h"

/* How much memory the guest should do without; it takes its time. */
void virtio_balloon_set_target(struct device *device, uint64_t bytes);
/* How much it does without now. */
uint64_t virtio_balloon_bytes(struct device *device);
/* Given back to the host so far, by inflating and by free page reports. */
uint64_t virtio_balloon_given_back(struct device *device);

#endif
