/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_console.h - wiring of the virtio console (class "virtio_console"). */
#ifndef LODGER_DEVICES_VIRTIO_VIRTIO_CONSOLE_H
#define LODGER_DEVICES_VIRTIO_VIRTIO_CONSOLE_H

#include "backend/backend.h"
#include "devices/device.h"

enum { VIRTIO_CONSOLE_PORTS = 4 };

/* Before device_start(): the next port, a console without a name, or a channel with one.  The back end stays the
 * caller's.  False: there are no more ports. */
bool virtio_console_add_port(struct device *device, const char *name, struct serial_backend *backend);

#endif
