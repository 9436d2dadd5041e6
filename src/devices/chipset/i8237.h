/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i8237.h - the PC's pair of DMA controllers (class "i8237"). */
#ifndef LODGER_DEVICES_CHIPSET_I8237_H
#define LODGER_DEVICES_CHIPSET_I8237_H

#include "devices/device.h"
#include "devices/dma.h"

/* Channels 0 to 3 move bytes, 5 to 7 words; 4 is the cascade. */
struct isa_dma i8237_channel(struct device *device, unsigned channel);

#endif
