/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ferr.h - the latch between the CPU's FERR# and IRQ13 (class "ferr"). */
#ifndef LODGER_DEVICES_CHIPSET_FERR_H
#define LODGER_DEVICES_CHIPSET_FERR_H

#include "devices/device.h"

void ferr_connect_irq(struct device *device, struct irq irq);
/* The CPU drives FERR#; machine lock held. */
void ferr_set(struct device *device, bool asserted);

#endif
