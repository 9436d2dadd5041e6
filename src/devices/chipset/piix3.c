/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * piix3.c - the PCI-to-ISA bridge: Intel 82371SB function 0 (8086:7000), datasheet 290550.
 *
 * Owns the routing of the four PCI interrupt lines to ISA interrupts (PIRQRC[A:D], 60h-63h) and the
 * reset control register at port CF9h.  The 8259 pair, the 8254 and the other ISA parts that the
 * real chip contains are devices of their own.  Not modelled: DMA, X-bus decoding, the advanced
 * power management of this chip (the PIIX4's is used, as in other virtual PCs).
 */
#include "base/log.h"
#include "devices/chipset/piix3.h"
#include "machine/pci.h"

enum { IORT = 0x4c, XBCS = 0x4e, PIRQRCA = 0x60, PIRQRCD = 0x63, TOM = 0x69, MBIRQ0 = 0x70 };
enum { PIRQ_DISABLED = 0x80 };
enum { RESET_CONTROL = 0xcf9, RC_HARD = 1 << 1, RC_RESET_CPU = 1 << 2 };

struct piix3 {
        struct pci_device pci;
        uint8_t reset_control;          /* saved: CF9h, R/W, reset 0 */
        bool pirq[4];                   /* derived: levels of the PCI lines */
        struct irq isa[16];
};

static const struct state_field piix3_fields[] = {
        STATE_STRUCT(struct piix3, pci, pci_device_fields),
        STATE_U8(struct piix3, reset_control),
        STATE_SKIP(struct piix3, pirq, "levels, driven again by the devices"),
        STATE_SKIP(struct piix3, isa, "wiring"),
        STATE_END
};

/* Drives every ISA line that PIRQs can reach. */
static void piix3_update(struct piix3 *bridge)
{
        uint32_t levels = 0;

        for (unsigned n = 0; n < 4; n++) {
                uint8_t route = bridge->pci.config[PIRQRCA + n];

                if (bridge->pirq[n] && !(route & PIRQ_DISABLED))
                        levels |= 1u << (route & 15);
        }
        for (unsigned irq = 0; irq < 16; irq++)
                irq_set(&bridge->isa[irq], levels >> irq & 1);
}

static void piix3_pirq_set(void *opaque, int line, bool level)
{
        struct piix3 *bridge = opaque;

        bridge->pirq[line & 3] = level;
        piix3_update(bridge);
}

struct irq piix3_pirq(struct device *device, unsigned line)
{
        return (struct irq){ piix3_pirq_set, device, (int)line };
}

void piix3_connect_isa(struct device *device, unsigned irq, struct irq wire)
{
        ((struct piix3 *)device)->isa[irq & 15] = wire;
}

static void piix3_config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
        if (offset <= PIRQRCD && offset + size > PIRQRCA)
                piix3_update((struct piix3 *)pci);
}

/* -- Reset control ------------------------------------------------------------------------------ */

static uint32_t reset_control_read(void *opaque, uint16_t port, unsigned size)
{
        (void)port;
        (void)size;
        return ((struct piix3 *)opaque)->reset_control;
}

/* RCPU going from 0 to 1 resets: the whole machine when SRST says "hard", else INIT to the CPU. */
static void reset_control_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct piix3 *bridge = opaque;
        const struct device_env *env = bridge->pci.device.env;
        bool rising = (value & RC_RESET_CPU) && !(bridge->reset_control & RC_RESET_CPU);

        (void)port;
        (void)size;
        bridge->reset_control = value & (RC_HARD | RC_RESET_CPU);
        if (rising)
                env->request(env->opaque, value & RC_HARD ? MACHINE_RESET : MACHINE_CPU_INIT, 0);
}

static const struct port_ops reset_control_ops = { reset_control_read, reset_control_write, 1 };

/* -- Life --------------------------------------------------------------------------------------- */

static void piix3_reset(struct device *device)
{
        struct piix3 *bridge = (struct piix3 *)device;

        pci_device_reset(&bridge->pci);
        bridge->reset_control = 0;
        piix3_update(bridge);
}

static bool piix3_create(struct device *device, GError **error)
{
        struct piix3 *bridge = (struct piix3 *)device;
        struct pci_device *pci = &bridge->pci;

        (void)error;
        pci_identify(pci, 0x8086, 0x7000, 0x060100, 0);
        pci_put16(pci->defaults, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
        pci_put16(pci->writable, PCI_COMMAND, 0x0008);
        pci_put16(pci->defaults, PCI_STATUS, 0x0200);
        pci->defaults[PCI_HEADER_TYPE] = 0x80;          /* IDE and others are further functions */
        pci->defaults[IORT] = 0x4d;
        pci->defaults[XBCS] = 0x03;
        pci->defaults[TOM] = 0x02;
        pci->defaults[MBIRQ0] = PIRQ_DISABLED;
        pci->writable[IORT] = 0x7f;
        pci_put16(pci->writable, XBCS, 0x01ff);
        pci->writable[TOM] = 0xfe;
        for (unsigned n = 0; n < 4; n++) {
                pci->defaults[PIRQRCA + n] = PIRQ_DISABLED;
                pci->writable[PIRQRCA + n] = 0x8f;
        }
        pci->config_written = piix3_config_written;
        ports_map(device->env->ports, RESET_CONTROL, 1, &reset_control_ops, bridge, "PIIX3 reset control");
        return true;
}

static bool piix3_post_load(struct device *device, GError **error)
{
        struct piix3 *bridge = (struct piix3 *)device;

        (void)error;
        bridge->reset_control &= RC_HARD | RC_RESET_CPU;
        pci_device_restored(&bridge->pci);
        piix3_update(bridge);
        return true;
}

static const struct device_class piix3_class = {
        .name = "piix3",
        .description = "82371SB PCI-to-ISA bridge",
        .size = sizeof(struct piix3),
        .state = piix3_fields,
        .create = piix3_create,
        .reset = piix3_reset,
        .post_load = piix3_post_load,
};

DEVICE_CLASS(piix3_class);
