/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_tablet.h - wiring of a tablet (class "virtio_tablet"). */
#ifndef LODGER_DEVICES_INPUT_VIRTIO_TABLET_H
#define LODGER_DEVICES_INPUT_VIRTIO_TABLET_H

#include "devices/device.h"

struct input;

void virtio_tablet_connect_input(struct device *device, struct input *input);

#endif
