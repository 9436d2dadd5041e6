/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.c - PCI bus 0 and configuration mechanism 1 (PCI Local Bus Specification 3.0, 3.2.2.3.2).
 *
 * CONFIG_ADDRESS (CF8h) takes 32-bit accesses only; narrower ones pass to whatever else answers
 * there (CF9h, the reset control register of the PIIX3).  CONFIG_DATA (CFCh) takes any width.
 * Only bus 0 exists: there is no bridge to another one, and type 1 cycles end in a master abort,
 * which reads all ones.
 */
#include <string.h>
#include "base/log.h"
#include "machine/pci.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc };
enum { PCI_STATUS_INTERRUPT = 1 << 3, PCI_HEADER_BYTES = 0x40 };
#define CONFIG_ENABLE (1u << 31)
#define CONFIG_ADDRESS_BITS 0x80fffffcu

struct pci_bus {
        struct device device;
        uint32_t address;                       /* saved: CONFIG_ADDRESS, R/W, reset 0 */
        struct pci_device *slot[256];           /* by device and function */
        struct irq line[4];
        uint32_t asserted[4];                   /* derived: devices pulling each line */
        void (*message)(void *opaque, uint64_t address, uint32_t data);
        void *message_opaque;
};

static const struct state_field bus_fields[] = {
        STATE_SKIP(struct pci_bus, device, "identity"),
        STATE_U32(struct pci_bus, address),
        STATE_SKIP(struct pci_bus, slot, "wiring"),
        STATE_SKIP(struct pci_bus, line, "wiring"),
        STATE_SKIP(struct pci_bus, asserted, "derived from the devices' INTx levels"),
        STATE_SKIP(struct pci_bus, message, "wiring"),
        STATE_SKIP(struct pci_bus, message_opaque, "wiring"),
        STATE_END
};

const struct state_field pci_device_fields[] = {
        STATE_SKIP(struct pci_device, device, "identity"),
        STATE_BYTES(struct pci_device, config),
        STATE_SKIP(struct pci_device, defaults, "fixed by the device's class"),
        STATE_SKIP(struct pci_device, writable, "fixed by the device's class"),
        STATE_SKIP(struct pci_device, write_clears, "fixed by the device's class"),
        STATE_SKIP(struct pci_device, bar, "mappings, derived from config"),
        STATE_SKIP(struct pci_device, config_written, "fixed by the device's class"),
        STATE_SKIP(struct pci_device, config_reading, "fixed by the device's class"),
        STATE_SKIP(struct pci_device, bus, "wiring"),
        STATE_SKIP(struct pci_device, devfn, "wiring"),
        STATE_SKIP(struct pci_device, intx, "derived by the device's update function"),
        STATE_SKIP(struct pci_device, intx_driven, "derived from intx and the command register"),
        STATE_SKIP(struct pci_device, next_capability, "fixed by the device's class"),
        STATE_SKIP(struct pci_device, last_capability, "fixed by the device's class"),
        STATE_SKIP(struct pci_device, msi, "fixed by the device's class"),
        STATE_SKIP(struct pci_device, msix, "a part of the device's own struct"),
        STATE_END
};

/* -- BARs -------------------------------------------------------------------------------------- */

static unsigned bar_offset(unsigned n)
{
        return n == PCI_BAR_ROM ? PCI_ROM_BAR : PCI_BAR0 + 4 * n;
}

uint64_t pci_bar_base(const struct pci_device *pci, unsigned n)
{
        uint64_t value = pci_get32(pci->config, bar_offset(n));

        if (pci->bar[n].wide)
                value |= (uint64_t)pci_get32(pci->config, bar_offset(n) + 4) << 32;
        return value & ~(pci->bar[n].size - 1);
}

/* Whether a memory BAR's address is one: 0 and what sizing leaves there are "not assigned yet".  Mapping
 * those would cover RAM or the firmware for the instant a guest sizes the BAR.  A 64-bit BAR is sized in two
 * steps, so either half of ones counts. */
static bool bar_is_assigned(const struct pci_bar *bar, uint64_t base)
{
        if (!base)
                return false;
        if (!bar->wide)
                return base != (uint32_t)~(bar->size - 1);
        return base >> 32 != UINT32_MAX && (uint32_t)base != (uint32_t)~(bar->size - 1);
}

/* Brings the maps in line with the command register and the BARs. */
static void pci_update_bars(struct pci_device *pci)
{
        uint16_t command = pci_get16(pci->config, PCI_COMMAND);

        for (unsigned n = 0; n < PCI_BARS; n++) {
                const struct pci_bar *bar = &pci->bar[n];
                uint64_t base;

                if (!bar->size)
                        continue;
                base = pci_bar_base(pci, n);
                if (bar->ports) {
                        bool on = (command & PCI_COMMAND_IO) && base && base + bar->size <= 0x10000;

                        ports_move(bar->ports, on ? (uint16_t)base : 0, on);
                } else if (bar->region) {
                        bool on = (command & PCI_COMMAND_MEMORY) && bar_is_assigned(bar, base);

                        if (n == PCI_BAR_ROM && !(pci->config[PCI_ROM_BAR] & 1))
                                on = false;
                        memory_region_set(bar->region, on ? base : 0, on);
                }
        }
}

static void pci_bar_declare(struct pci_device *pci, unsigned n, uint64_t size, unsigned flags)
{
        unsigned offset = bar_offset(n);

        g_assert(n < PCI_BARS && size >= 4 && !(size & (size - 1)) && !pci->bar[n].size);
        pci->bar[n].size = size;
        pci_put32(pci->defaults, offset, flags);
        pci_put32(pci->writable, offset, (uint32_t)~(size - 1) | (n == PCI_BAR_ROM));
}

void pci_bar_ports(struct pci_device *pci, unsigned n, uint32_t size, struct port_range *ports)
{
        pci_bar_declare(pci, n, size, PCI_BAR_IO);
        pci->bar[n].ports = ports;
        ports_move(ports, 0, false);
}

void pci_bar_memory(struct pci_device *pci, unsigned n, uint32_t size, unsigned flags, struct memory_region *region)
{
        pci_bar_declare(pci, n, size, flags & PCI_BAR_PREFETCH);
        pci->bar[n].region = region;
        memory_region_set(region, 0, false);
}

void pci_bar_memory64(struct pci_device *pci, unsigned n, uint64_t size, unsigned flags, struct memory_region *region)
{
        g_assert(n < PCI_BAR_ROM - 1 && !pci->bar[n + 1].size);
        pci_bar_declare(pci, n, size, (flags & PCI_BAR_PREFETCH) | PCI_BAR_64);
        pci_put32(pci->writable, bar_offset(n + 1), (uint32_t)(~(size - 1) >> 32));
        pci->bar[n].wide = true;
        pci->bar[n].region = region;
        memory_region_set(region, 0, false);
}

/* -- A device's side --------------------------------------------------------------------------- */

void pci_attach(struct device *bus, struct device *device, unsigned devfn)
{
        struct pci_bus *pci_bus = (struct pci_bus *)bus;
        struct pci_device *pci = (struct pci_device *)device;

        g_assert(devfn < 256 && !pci_bus->slot[devfn]);
        pci_bus->slot[devfn] = pci;
        pci->bus = pci_bus;
        pci->devfn = (uint8_t)devfn;
}

unsigned pci_free_slot(struct device *bus)
{
        enum { FIRST_FREE = 3, SLOTS = 32 };
        const struct pci_bus *pci_bus = (const struct pci_bus *)bus;

        for (unsigned slot = FIRST_FREE; slot < SLOTS; slot++)
                if (!pci_bus->slot[PCI_DEVFN(slot, 0)])
                        return PCI_DEVFN(slot, 0);
        return PCI_NO_SLOT;
}

void pci_identify(struct pci_device *pci, uint16_t vendor, uint16_t device, uint32_t class_code, uint8_t revision)
{
        pci_put16(pci->defaults, PCI_VENDOR_ID, vendor);
        pci_put16(pci->defaults, PCI_DEVICE_ID, device);
        pci->defaults[PCI_REVISION] = revision;
        pci->defaults[PCI_CLASS] = (uint8_t)class_code;
        pci_put16(pci->defaults, PCI_CLASS + 1, (uint16_t)(class_code >> 8));
        /* SeaBIOS takes this subsystem on the host bridge for "a virtual PC with fw_cfg". */
        pci_put16(pci->defaults, PCI_SUBSYSTEM_VENDOR, 0x1af4);
        pci_put16(pci->defaults, PCI_SUBSYSTEM, 0x1100);
        pci_put16(pci->writable, PCI_COMMAND, 0x0547);
        pci->writable[PCI_CACHE_LINE] = 0xff;
        pci->writable[PCI_LATENCY] = 0xff;
        pci->writable[PCI_INTERRUPT_LINE] = 0xff;
        pci->write_clears[PCI_STATUS + 1] = 0xf9;       /* error bits of the status register */
}

/* Brings the wire in line with what the device wants and the guest allows. */
static void pci_update_intx(struct pci_device *pci)
{
        bool level = pci->intx && !(pci_get16(pci->config, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
        unsigned line;

        if (pci->intx_driven == level || !pci->bus || !pci->config[PCI_INTERRUPT_PIN])
                return;
        pci->intx_driven = level;
        line = pci_line_of(pci->devfn, pci->config[PCI_INTERRUPT_PIN]);
        pci->bus->asserted[line] += level ? 1 : (uint32_t)-1;
        irq_set(&pci->bus->line[line], pci->bus->asserted[line] != 0);
}

void pci_device_reset(struct pci_device *pci)
{
        pci_set_intx(pci, false);
        memcpy(pci->config, pci->defaults, sizeof(pci->config));
        pci_update_bars(pci);
        pci_msix_reset(pci);
}

void pci_device_restored(struct pci_device *pci)
{
        unsigned end = pci->last_capability ? pci->next_capability : PCI_HEADER_BYTES;

        /* What a class fixes is not the saved state's to choose: identity, pins and the capability list. */
        for (unsigned i = 0; i < end; i++) {
                uint8_t may_change = pci->writable[i] | pci->write_clears[i];

                pci->config[i] = (uint8_t)((pci->config[i] & may_change) | (pci->defaults[i] & ~may_change));
        }
        pci_update_bars(pci);
        pci_update_intx(pci);
        pci_msix_restored(pci);
}

unsigned pci_line_of(unsigned devfn, unsigned pin)
{
        /* Lines rotate by slot; slot 1 (the PIIX3) has INTA# on PIRQA#. */
        return (pin - 1 + (devfn >> 3) - 1) & 3;
}

void pci_set_intx(struct pci_device *pci, bool level)
{
        pci->intx = level;
        pci_update_intx(pci);
}

/* -- Bus masters -------------------------------------------------------------------------------- */

static size_t dma_piece(struct pci_device *pci, gpa_t gpa, size_t size, bool write)
{
        enum page_kind kind = memory_page(pci->device.env->memory, gpa).kind;

        if (kind != PAGE_RAM && (write || kind != PAGE_ROM))
                return 0;
        return MIN(size, PAGE_SIZE - (gpa & ~PAGE_MASK));
}

bool pci_dma_read(struct pci_device *pci, gpa_t gpa, void *to, size_t size)
{
        uint8_t *bytes = to;

        while (size) {
                size_t n = pci_is_master(pci) ? dma_piece(pci, gpa, size, false) : 0;

                if (!n || !memory_read(pci->device.env->memory, gpa, bytes, n))
                        return false;
                gpa += n;
                bytes += n;
                size -= n;
        }
        return true;
}

bool pci_dma_write(struct pci_device *pci, gpa_t gpa, const void *from, size_t size)
{
        const uint8_t *bytes = from;

        while (size) {
                size_t n = pci_is_master(pci) ? dma_piece(pci, gpa, size, true) : 0;

                if (!n || !memory_write(pci->device.env->memory, gpa, bytes, n))
                        return false;
                gpa += n;
                bytes += n;
                size -= n;
        }
        return true;
}

/* -- Configuration cycles ---------------------------------------------------------------------- */

static struct pci_device *bus_target(struct pci_bus *bus)
{
        if (!(bus->address & CONFIG_ENABLE) || (bus->address >> 16 & 0xff))
                return NULL;
        return bus->slot[bus->address >> 8 & 0xff];
}

static void config_write(struct pci_device *pci, unsigned offset, uint32_t value, unsigned size)
{
        bool mapping = false;

        for (unsigned i = 0; i < size; i++) {
                unsigned at = offset + i;
                uint8_t byte = (uint8_t)(value >> 8 * i);

                pci->config[at] = (uint8_t)((pci->config[at] & ~pci->writable[at]) | (byte & pci->writable[at]));
                pci->config[at] &= (uint8_t)~(byte & pci->write_clears[at]);
                mapping |= at == PCI_COMMAND || (at >= PCI_BAR0 && at < PCI_BAR0 + 24) ||
                           (at >= PCI_ROM_BAR && at < PCI_ROM_BAR + 4);
        }
        if (mapping) {
                pci_update_bars(pci);
                pci_update_intx(pci);
        }
        pci_msix_config_written(pci);
        if (pci->config_written)
                pci->config_written(pci, offset, size);
}

static uint8_t config_byte(const struct pci_device *pci, unsigned offset)
{
        /* Interrupt status: what the device wants, whether or not INTx is switched off (PCI 3.0, 6.2.3). */
        return pci->config[offset] | (offset == PCI_STATUS && pci->intx ? PCI_STATUS_INTERRUPT : 0);
}

static uint32_t address_read(void *opaque, uint16_t port, unsigned size)
{
        struct pci_bus *bus = opaque;

        return size == 4 && port == CONFIG_ADDRESS ? bus->address : 0xffffffff;
}

static void address_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct pci_bus *bus = opaque;

        if (size == 4 && port == CONFIG_ADDRESS)
                bus->address = value & CONFIG_ADDRESS_BITS;
        else
                guest_error("pci", "%u-byte write to port %03xh", size, port);
}

static uint32_t data_read(void *opaque, uint16_t port, unsigned size)
{
        struct pci_bus *bus = opaque;
        struct pci_device *pci = bus_target(bus);
        unsigned offset = (bus->address & 0xfc) + (port & 3);
        uint32_t value = 0;

        if (!pci)
                return 0xffffffff;
        if (pci->config_reading)
                pci->config_reading(pci, offset, size);
        for (unsigned i = 0; i < size; i++)
                value |= (uint32_t)(offset + i < 256 ? config_byte(pci, offset + i) : 0xff) << 8 * i;
        TRACE(IO, "pci %02x.%x config %02x read %x", pci->devfn >> 3, pci->devfn & 7, offset, value);
        return value;
}

static void data_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct pci_bus *bus = opaque;
        struct pci_device *pci = bus_target(bus);
        unsigned offset = (bus->address & 0xfc) + (port & 3);

        if (!pci)
                return;
        TRACE(IO, "pci %02x.%x config %02x write %x", pci->devfn >> 3, pci->devfn & 7, offset, value);
        config_write(pci, offset, value, MIN(size, 256 - offset));
}

static const struct port_ops address_ops = { address_read, address_write, 4 };
static const struct port_ops data_ops = { data_read, data_write, 4 };

/* -- The bus as a device ----------------------------------------------------------------------- */

void pci_bus_connect(struct device *bus, unsigned line, struct irq irq)
{
        ((struct pci_bus *)bus)->line[line & 3] = irq;
}

void pci_bus_connect_messages(struct device *bus, void (*send)(void *opaque, uint64_t address, uint32_t data), void *opaque)
{
        struct pci_bus *pci_bus = (struct pci_bus *)bus;

        pci_bus->message = send;
        pci_bus->message_opaque = opaque;
}

void pci_bus_message(struct pci_bus *bus, uint64_t address, uint32_t data)
{
        /* The local APICs' page takes messages; anywhere else the write is an ordinary one (SDM 3A, 11.11.1). */
        if (address >> 20 == 0xfee) {
                if (bus && bus->message)
                        bus->message(bus->message_opaque, address, data);
        } else if (bus) {
                uint8_t bytes[4] = { (uint8_t)data, (uint8_t)(data >> 8), (uint8_t)(data >> 16), (uint8_t)(data >> 24) };

                memory_write(bus->device.env->memory, address, bytes, sizeof(bytes));
        }
}

struct pci_device *pci_bus_device(struct device *bus, unsigned devfn)
{
        return devfn < 256 ? ((struct pci_bus *)bus)->slot[devfn] : NULL;
}

static void bus_reset(struct device *device)
{
        ((struct pci_bus *)device)->address = 0;
}

static bool bus_create(struct device *device, GError **error)
{
        (void)error;
        ports_map(device->env->ports, CONFIG_ADDRESS, 4, &address_ops, device, "PCI configuration address");
        ports_map(device->env->ports, CONFIG_DATA, 4, &data_ops, device, "PCI configuration data");
        return true;
}

static bool bus_post_load(struct device *device, GError **error)
{
        (void)error;
        ((struct pci_bus *)device)->address &= CONFIG_ADDRESS_BITS;
        return true;
}

static const struct device_class pci_class = {
        .name = "pci",
        .description = "PCI bus, configuration mechanism 1",
        .size = sizeof(struct pci_bus),
        .state = bus_fields,
        .create = bus_create,
        .reset = bus_reset,
        .post_load = bus_post_load,
};

DEVICE_CLASS(pci_class);
