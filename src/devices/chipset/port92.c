/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port92.c - system control port A (92h): the fast A20 gate and the fast CPU reset of PS/2-style PCs.
 *
 * Bit 0 going from 0 to 1 pulses INIT; bit 1 is the A20 gate.  After a reset bit 1 is set: the
 * machine starts with address line 20 passing, and firmware reads this port to find out.
 */
#include "devices/device.h"

enum { PORT92 = 0x92, INIT_NOW = 1 << 0, A20_GATE = 1 << 1 };

struct port92 {
        struct device device;
        uint8_t value;                  /* saved: R/W, reset 02h */
};

static const struct state_field port92_fields[] = {
        STATE_SKIP(struct port92, device, "identity"),
        STATE_U8(struct port92, value),
        STATE_END
};

static uint32_t port92_read(void *opaque, uint16_t port, unsigned size)
{
        (void)port;
        (void)size;
        return ((struct port92 *)opaque)->value;
}

static void port92_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct port92 *port92 = opaque;
        const struct device_env *env = port92->device.env;
        uint8_t changed = port92->value ^ (uint8_t)value;

        (void)port;
        (void)size;
        port92->value = (uint8_t)value;
        if (changed & A20_GATE)
                env->request(env->opaque, value & A20_GATE ? MACHINE_A20_ON : MACHINE_A20_OFF, 0);
        if (changed & value & INIT_NOW)
                env->request(env->opaque, MACHINE_CPU_INIT, 0);
}

static const struct port_ops port92_ops = { port92_read, port92_write, 1 };

static bool port92_create(struct device *device, GError **error)
{
        (void)error;
        ports_map(device->env->ports, PORT92, 1, &port92_ops, device, "system control port A");
        return true;
}

static void port92_reset(struct device *device)
{
        ((struct port92 *)device)->value = A20_GATE;
}

static const struct device_class port92_class = {
        .name = "port92",
        .description = "system control port A (A20 gate, fast reset)",
        .size = sizeof(struct port92),
        .state = port92_fields,
        .create = port92_create,
        .reset = port92_reset,
};

DEVICE_CLASS(port92_class);
