/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hpet.h - how a machine is wired to the high precision event timers (class "hpet").
 *
 * All functions are called with the machine lock held, before the device is started.
 */
#ifndef LODGER_DEVICES_CHIPSET_HPET_H
#define LODGER_DEVICES_CHIPSET_HPET_H

#include "devices/device.h"

enum {
        HPET_BASE = 0xfed00000u, HPET_TIMERS = 3,
        HPET_PIN_FIRST = 20, HPET_PINS = 4,     /* I/O APIC pins the timers can be routed to */
        HPET_MINIMUM_TICK = 2000,               /* of a periodic timer, as the ACPI table tells */
};
/* Low half of the capability register, which the ACPI table repeats. */
#define HPET_BLOCK_ID (UINT32_C(0x8086) << 16 | UINT32_C(1) << 15 | UINT32_C(1) << 13 | (HPET_TIMERS - 1) << 8 | UINT32_C(1))

void hpet_connect_pin(struct device *hpet, unsigned pin, struct irq irq);
/* Legacy replacement: timer 0 drives ISA line 0 and timer 1 line 8 while `on` is high. */
void hpet_connect_legacy(struct device *hpet, struct irq line0, struct irq line8, struct irq on);

#endif
