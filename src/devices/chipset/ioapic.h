/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioapic.h - how a machine is wired to the 82093AA I/O APIC (class "ioapic").
 *
 * All functions are called with the machine lock held, and so are the callbacks.
 */
#ifndef LODGER_DEVICES_CHIPSET_IOAPIC_H
#define LODGER_DEVICES_CHIPSET_IOAPIC_H

#include "devices/device.h"

enum { IOAPIC_PINS = 24, IOAPIC_BASE = 0xfec00000 };

/* Delivery modes of a message, as the redirection table and the local APIC's ICR encode them. */
enum ioapic_mode { IOAPIC_FIXED = 0, IOAPIC_LOWEST = 1, IOAPIC_SMI = 2, IOAPIC_NMI = 4, IOAPIC_INIT = 5, IOAPIC_EXTINT = 7 };

struct ioapic_output {
        /* A message on the APIC bus, to the local APICs.  logical: dest is a logical destination. */
        void (*deliver)(void *opaque, uint8_t vector, uint8_t dest, bool logical, uint8_t mode, bool level);
        /* An edge on that pin was passed on (for timers that make up for lost ticks); may be NULL. */
        void (*taken)(void *opaque, int pin);
        void *opaque;
};

struct irq ioapic_input(struct device *ioapic, int pin);
void ioapic_set_output(struct device *ioapic, const struct ioapic_output *output);
/* A local APIC ended a level-triggered interrupt of that vector. */
void ioapic_eoi(struct device *ioapic, uint8_t vector);

#endif
