/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uart16550.h - how a machine is wired to a 16550A serial port (class "serial").
 *
 * Called between device_new() and device_start().
 */
#ifndef LODGER_DEVICES_SERIAL_UART16550_H
#define LODGER_DEVICES_SERIAL_UART16550_H

#include "backend/backend.h"
#include "devices/device.h"

void uart_set_irq(struct device *uart, struct irq irq);
/* The host side of the line, which outlives the device; none: what is sent goes nowhere. */
void uart_set_backend(struct device *uart, struct serial_backend *backend);

#endif
