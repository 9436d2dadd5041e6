/* SPDX-License-Identifier: GPL-2.0-or-later */
/* piix3.h - wires of the ISA bridge (class "piix3", PCI 00:01.0). */
#ifndef LODGER_DEVICES_CHIPSET_PIIX3_H
#define LODGER_DEVICES_CHIPSET_PIIX3_H

#include "devices/device.h"

/* The ISA interrupt line that routed PIRQs drive (level, active high inside the chip set). */
void piix3_connect_isa(struct device *device, unsigned irq, struct irq wire);
/* The PIRQA#-PIRQD# inputs, for pci_bus_connect(). */
struct irq piix3_pirq(struct device *device, unsigned line);

#endif
