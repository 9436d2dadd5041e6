/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i8042.h - wires of the keyboard controller (class "i8042"). */
#ifndef LODGER_DEVICES_INPUT_I8042_H
#define LODGER_DEVICES_INPUT_I8042_H

#include "devices/device.h"
#include "devices/input/input.h"

void i8042_connect_irqs(struct device *device, struct irq keyboard, struct irq mouse);
/* The keyboard and the mouse get what people do. */
void i8042_connect_input(struct device *device, struct input *input);

#endif
