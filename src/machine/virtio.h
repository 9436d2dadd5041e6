/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio.h - the small virtio devices of a machine: entropy, balloon, console; machine lock held. */
#ifndef LODGER_MACHINE_VIRTIO_H
#define LODGER_MACHINE_VIRTIO_H

#include "backend/backend.h"
#include "machine/machine.h"

/* Adds what the configuration asks for.  host: for the back ends of consoles. */
bool virtio_add(struct machine *machine, const struct machine_config *config, const struct serial_host *host, GError **error);
/* After the devices are gone, without the lock. */
void virtio_free(struct machine *machine);

#endif
