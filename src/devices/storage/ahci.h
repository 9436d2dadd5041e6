/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahci.h - wiring of the AHCI controller (class "ahci"), and its CD trays; machine lock held.
 */
#ifndef LODGER_DEVICES_STORAGE_AHCI_H
#define LODGER_DEVICES_STORAGE_AHCI_H

#include "block/block.h"
#include "devices/device.h"

enum { AHCI_PORTS = 6 };

/* After device_start(), before the machine runs.  Takes the image over; a CD drive may have none. */
void ahci_add_disk(struct device *device, unsigned port, const char *id, struct block *image);
void ahci_add_cd(struct device *device, unsigned port, const char *id, struct block *image);

/* CD drives by name; ide.h says what force is. */
bool ahci_has_cd(struct device *device, const char *id);
bool ahci_cd_change(struct device *device, const char *id, struct block *image, bool force, GError **error);
const char *ahci_cd_path(struct device *device, const char *id);

#endif
