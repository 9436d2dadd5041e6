/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pic.h - how a machine is wired to the pair of 8259A interrupt controllers (class "pic").
 *
 * All functions are called with the machine lock held.
 */
#ifndef LODGER_DEVICES_CHIPSET_PIC_H
#define LODGER_DEVICES_CHIPSET_PIC_H

#include "devices/device.h"

/* The wire into IRQ line 0 to 15 (2 is the cascade and has none). */
struct irq pic_input(struct device *pic, int line);
/* INTR, to the CPU (or to LINT0 of its local APIC). */
void pic_set_output(struct device *pic, struct irq output);
/* The CPU's two INTA cycles: gives the vector.  When the request has gone away, that of a spurious
 * IRQ 7 (or 15); never fails. */
uint8_t pic_acknowledge(struct device *pic);

/* What the source of periodic interrupts wants to know to make up for lost ones. */
struct pic_watch {
        void (*taken)(void *opaque, int line);          /* the CPU acknowledged that line */
        void (*unmasked)(void *opaque, int line);       /* the guest opened its mask */
        void *opaque;
};
void pic_set_watch(struct device *pic, const struct pic_watch *watch);

#endif
