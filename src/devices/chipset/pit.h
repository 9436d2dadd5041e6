/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pit.h - how a machine is wired to the 8254 interval timer (class "pit").
 *
 * All functions are called with the machine lock held.
 */
#ifndef LODGER_DEVICES_CHIPSET_PIT_H
#define LODGER_DEVICES_CHIPSET_PIT_H

#include "devices/device.h"

/* Output of counter 0: IRQ 0 of the PIC, pin 2 of the I/O APIC. */
void pit_set_output(struct device *pit, struct irq output);
/* An interrupt controller passed the last tick on (pic_watch.taken, ioapic_set_watch()). */
void pit_tick_taken(struct device *pit);
/* The guest opened the mask of the timer's line: ticks missed under it were its own wish. */
void pit_ticks_forget(struct device *pit);

#endif
