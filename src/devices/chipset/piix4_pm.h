/* SPDX-License-Identifier: GPL-2.0-or-later */
/* piix4_pm.h - ACPI power management (class "piix4_pm", PCI 00:01.3). */
#ifndef LODGER_DEVICES_CHIPSET_PIIX4_PM_H
#define LODGER_DEVICES_CHIPSET_PIIX4_PM_H

#include "devices/device.h"

/* What the ACPI tables say about this device; SeaBIOS programs the same base. */
enum {
        PIIX4_PM_BASE = 0x600, PIIX4_PM_CONTROL = 4, PIIX4_PM_TIMER = 8, PIIX4_PM_GPE0 = 0x0c,
        PIIX4_SMI_COMMAND_PORT = 0xb2, PIIX4_ACPI_ENABLE = 0xf1, PIIX4_ACPI_DISABLE = 0xf0,
        PIIX4_SCI_IRQ = 9,
};

void piix4_pm_connect_sci(struct device *device, struct irq sci);
/* Whether a press of the power button would interrupt the guest. */
bool piix4_pm_hears_power_button(const struct device *device);
/* A press of the power button: the guest decides what to do about it. */
void piix4_pm_press_power_button(struct device *device);
/* Raises a general-purpose event (0-15). */
void piix4_pm_raise_gpe(struct device *device, unsigned event);

#endif
