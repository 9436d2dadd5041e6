/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ferr.c - x87 errors reported the way of the PC/AT (SDM 1, appendix D): FERR# sets a latch that
 * raises IRQ13; a write of anything to port F0h clears the latch and asserts IGNNE# until FERR# goes
 * away, so that the handler may run x87 instructions before it has cleared the error.
 */
#include "devices/chipset/ferr.h"

enum { PORT_CLEAR = 0xf0, PORT_RESET = 0xf1 };

struct ferr {
        struct device device;
        bool latched;                   /* saved: IRQ13 */
        struct irq irq;
};

static const struct state_field ferr_fields[] = {
        STATE_SKIP(struct ferr, device, "identity"),
        STATE_BOOL(struct ferr, latched),
        STATE_SKIP(struct ferr, irq, "wiring"),
        STATE_END
};

static void ferr_update(struct ferr *ferr)
{
        irq_set(&ferr->irq, ferr->latched);
}

void ferr_connect_irq(struct device *device, struct irq irq)
{
        ((struct ferr *)device)->irq = irq;
}

void ferr_set(struct device *device, bool asserted)
{
        struct ferr *ferr = (struct ferr *)device;

        /* FERR# going away does not clear the latch; only port F0h does. */
        if (asserted)
                ferr->latched = true;
        ferr_update(ferr);
}

static void ferr_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct ferr *ferr = opaque;
        const struct device_env *env = ferr->device.env;

        (void)port;
        (void)value;
        (void)size;
        ferr->latched = false;
        ferr_update(ferr);
        env->request(env->opaque, MACHINE_FERR_CLEAR, 0);
}

static const struct port_ops ferr_ops = { NULL, ferr_write, 1 };

static void ferr_reset(struct device *device)
{
        struct ferr *ferr = (struct ferr *)device;

        ferr->latched = false;
        ferr_update(ferr);
}

static bool ferr_create(struct device *device, GError **error)
{
        (void)error;
        ports_map(device->env->ports, PORT_CLEAR, PORT_RESET - PORT_CLEAR + 1, &ferr_ops, device, "x87 error latch");
        return true;
}

static bool ferr_post_load(struct device *device, GError **error)
{
        (void)error;
        ferr_update((struct ferr *)device);
        return true;
}

static const struct device_class ferr_class = {
        .name = "ferr",
        .description = "x87 error latch (FERR# to IRQ13)",
        .size = sizeof(struct ferr),
        .state = ferr_fields,
        .create = ferr_create,
        .reset = ferr_reset,
        .post_load = ferr_post_load,
};

DEVICE_CLASS(ferr_class);
