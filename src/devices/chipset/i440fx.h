/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i440fx.h - what the machine's wiring sets on the host bridge (class "i440fx", PCI 00:00.0). */
#ifndef LODGER_DEVICES_CHIPSET_I440FX_H
#define LODGER_DEVICES_CHIPSET_I440FX_H

#include "devices/device.h"

/* rom: the 128 KiB that answer at E0000h when PAM sends reads to PCI; outlives the device. */
void i440fx_set_rom(struct device *device, const uint8_t *rom);

#endif
