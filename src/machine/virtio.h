/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio.h - the small virtio devices of a machine: entropy, balloon, console. */
#ifndef LODGER_MACHINE_VIRTIO_H
#define LODGER_MACHINE_VIRTIO_H

#include "machine/machine.h"

/* Makes the back ends of consoles; machine lock not held. */
bool virtio_open_consoles(struct machine *machine, const struct machine_config *config, GError **error);
/* Adds the devices the configuration asks for; machine lock held. */
bool virtio_add(struct machine *machine, const struct machine_config *config, GError **error);
/* After the devices are gone; machine lock not held. */
void virtio_free(struct machine *machine);

#endif
