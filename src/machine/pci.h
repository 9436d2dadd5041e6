/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.h - the PCI bus: configuration mechanism 1, type 0 configuration spaces, BARs, INTx, capabilities,
 * MSI and MSI-X.
 *
 * A PCI device's struct starts with struct pci_device.  Its life:
 *      pci_attach()    by whoever wires the machine, before device_start()
 *      create          pci_identify(), masks and defaults of its own registers, pci_bar_*(), capabilities
 *      reset           pci_device_reset() first, then its own registers
 *      post_load       pci_device_restored()
 * Everything runs with the machine lock held.
 */
#ifndef LODGER_MACHINE_PCI_H
#define LODGER_MACHINE_PCI_H

#include "devices/device.h"

/* Registers of a type 0 header (PCI Local Bus Specification 3.0, 6.1). */
enum {
        PCI_VENDOR_ID = 0x00, PCI_DEVICE_ID = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_REVISION = 0x08,
        PCI_CLASS = 0x09, PCI_CACHE_LINE = 0x0c, PCI_LATENCY = 0x0d, PCI_HEADER_TYPE = 0x0e, PCI_BAR0 = 0x10,
        PCI_SUBSYSTEM_VENDOR = 0x2c, PCI_SUBSYSTEM = 0x2e, PCI_ROM_BAR = 0x30, PCI_CAPABILITIES = 0x34,
        PCI_INTERRUPT_LINE = 0x3c, PCI_INTERRUPT_PIN = 0x3d,
};
enum {
        PCI_COMMAND_IO = 1 << 0, PCI_COMMAND_MEMORY = 1 << 1, PCI_COMMAND_MASTER = 1 << 2,
        PCI_COMMAND_INTX_OFF = 1 << 10,
};
enum { PCI_BAR_IO = 1, PCI_BAR_64 = 4, PCI_BAR_PREFETCH = 8 };
enum { PCI_CAP_POWER = 0x01, PCI_CAP_MSI = 0x05, PCI_CAP_VENDOR = 0x09, PCI_CAP_MSIX = 0x11, PCI_CAP_SATA = 0x12 };
enum { PCI_BARS = 7, PCI_BAR_ROM = 6 };

enum { PCI_NO_SLOT = 256 };

#define PCI_DEVFN(device, function) ((device) << 3 | (function))

struct pci_bus;
struct pci_device;

struct pci_bar {
        uint64_t size;                          /* 0: not implemented; else a power of two */
        bool wide;                              /* 64 bits: the next BAR holds the upper half */
        struct port_range *ports;               /* an I/O BAR's range */
        struct memory_region *region;           /* a memory BAR's region */
};

enum { PCI_MSIX_VECTORS_MAX = 64, PCI_MSIX_BAR_BYTES = 4096, PCI_MSIX_PENDING_AT = 2048 };

/* Table and pending bits of a device with MSI-X; a member of the device's own struct. */
struct pci_msix {
        uint8_t table[PCI_MSIX_VECTORS_MAX * 16];       /* saved: address, data, control of each vector */
        uint64_t pending;                               /* saved */
        unsigned vectors;                               /* fixed by the class */
        uint8_t capability;                             /* its offset in configuration space */
        struct pci_device *pci;
        struct memory_region *region;
};

struct pci_device {
        struct device device;
        uint8_t config[256];                    /* saved */
        /* Fixed once created: values after reset, bits a guest may write, bits it clears by writing 1. */
        uint8_t defaults[256], writable[256], write_clears[256];
        struct pci_bar bar[PCI_BARS];
        /* Called after a guest's write to [offset, offset+size) has been stored; may be NULL. */
        void (*config_written)(struct pci_device *pci, unsigned offset, unsigned size);
        /* Called before a guest's read of [offset, offset+size); may be NULL. */
        void (*config_reading)(struct pci_device *pci, unsigned offset, unsigned size);
        struct pci_bus *bus;
        uint8_t devfn;
        bool intx;                              /* level the device wants; set by its update function */
        bool intx_driven;                       /* level on the wire: intx unless the guest switched INTx off */
        uint8_t next_capability;                /* where the next one goes */
        uint8_t last_capability;                /* the link to it goes here; 0: there is none yet */
        uint8_t msi;                            /* offset of the MSI capability, 0: none */
        struct pci_msix *msix;                  /* NULL: none */
};

extern const struct state_field pci_device_fields[];
extern const struct state_field pci_msix_fields[];

/* The first function of the first slot, after the board's own, where nothing is; PCI_NO_SLOT: the bus is full. */
unsigned pci_free_slot(struct device *bus);
/* Gives the device its place; the bus is a device of class "pci". */
void pci_attach(struct device *bus, struct device *device, unsigned devfn);
/* Fills in the identity part of the defaults.  class_code: 24 bits, class, subclass, interface. */
void pci_identify(struct pci_device *pci, uint16_t vendor, uint16_t device, uint32_t class_code, uint8_t revision);
/* Declares BAR n.  The range or region is one the device mapped; the bus moves, shows and hides it. */
void pci_bar_ports(struct pci_device *pci, unsigned n, uint32_t size, struct port_range *ports);
void pci_bar_memory(struct pci_device *pci, unsigned n, uint32_t size, unsigned flags, struct memory_region *region);
/* BAR n and n + 1 as one of 64 bits, which a guest may place above 4 GiB. */
void pci_bar_memory64(struct pci_device *pci, unsigned n, uint64_t size, unsigned flags, struct memory_region *region);
/* Where BAR n is now (I/O port or address), flags removed. */
uint64_t pci_bar_base(const struct pci_device *pci, unsigned n);

void pci_device_reset(struct pci_device *pci);
void pci_device_restored(struct pci_device *pci);
/* Drives the device's INTx pin (PCI_INTERRUPT_PIN says which). */
void pci_set_intx(struct pci_device *pci, bool level);

/* -- Capabilities and messages (PCI 3.0, 6.7 and 6.8; pci_msi.c) ---------------------------------- */

/* Adds a capability of `size` bytes, its header included, to the list; gives its offset. */
unsigned pci_capability_add(struct pci_device *pci, uint8_t id, unsigned size);
/* MSI with one vector, 64-bit addresses, no masking. */
void pci_msi_add(struct pci_device *pci);
/* MSI-X with its table and pending bits in memory BAR n, 4 KiB, of its own. */
void pci_msix_add(struct pci_device *pci, struct pci_msix *msix, unsigned bar, unsigned vectors);
/* Before the device is started: another number of vectors. */
void pci_msix_set_vectors(struct pci_device *pci, unsigned vectors);
bool pci_msi_enabled(const struct pci_device *pci);
bool pci_msix_enabled(const struct pci_device *pci);
/* Sends the message, if MSI is on; an edge, as all messages are. */
void pci_msi_send(struct pci_device *pci);
/* Sends vector n, now or once the guest unmasks it.  Out of range or MSI-X off: nothing. */
void pci_msix_send(struct pci_device *pci, unsigned vector);
/* For pci.c: after a configuration write, at reset and after a load. */
void pci_msix_config_written(struct pci_device *pci);
void pci_msix_reset(struct pci_device *pci);
void pci_msix_restored(struct pci_device *pci);

/* DMA of a bus master: the guest's RAM (reads: ROM too), and nothing else.  What lies in the way of other
 * devices' registers is refused, so that no device's work makes another's; false, with part of it perhaps
 * done, then and when bus mastering is off. */
bool pci_dma_read(struct pci_device *pci, gpa_t gpa, void *to, size_t size);
bool pci_dma_write(struct pci_device *pci, gpa_t gpa, const void *from, size_t size);

static inline bool pci_is_master(const struct pci_device *pci)
{
        return pci->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

/* -- Access to fields --------------------------------------------------------------------------- */

static inline uint16_t pci_get16(const uint8_t *config, unsigned offset)
{
        return (uint16_t)(config[offset] | config[offset + 1] << 8);
}

static inline uint32_t pci_get32(const uint8_t *config, unsigned offset)
{
        return pci_get16(config, offset) | (uint32_t)pci_get16(config, offset + 2) << 16;
}

static inline void pci_put16(uint8_t *config, unsigned offset, uint16_t value)
{
        config[offset] = (uint8_t)value;
        config[offset + 1] = (uint8_t)(value >> 8);
}

static inline void pci_put32(uint8_t *config, unsigned offset, uint32_t value)
{
        pci_put16(config, offset, (uint16_t)value);
        pci_put16(config, offset + 2, (uint16_t)(value >> 16));
}

/* -- For the machine's wiring ------------------------------------------------------------------ */

/* The bus's four interrupt lines, PIRQA# to PIRQD#. */
void pci_bus_connect(struct device *bus, unsigned line, struct irq irq);
/* Where messages to the local APICs go; writes to other addresses reach memory. */
void pci_bus_connect_messages(struct device *bus, void (*send)(void *opaque, uint64_t address, uint32_t data), void *opaque);
/* A message-signalled interrupt: the device writes data to address. */
void pci_bus_message(struct pci_bus *bus, uint64_t address, uint32_t data);
/* Configuration space of a device, or NULL; for tables and `info pci`. */
struct pci_device *pci_bus_device(struct device *bus, unsigned devfn);
/* Which of the bus's lines (0-3) a device's pin (1-4) is tied to on this board. */
unsigned pci_line_of(unsigned devfn, unsigned pin);

#endif
