/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci_msi.c - capability lists, and interrupts that are memory writes: MSI and MSI-X (PCI Local Bus
 * Specification 3.0, 6.7 and 6.8).
 *
 * A device has MSI with one vector, or MSI-X with a table of up to 64, or neither.  The MSI-X table and
 * the pending bits fill one 4 KiB memory BAR: the table from 0, the pending bits at PCI_MSIX_PENDING_AT.
 * Whatever a guest makes of address and data goes to pci_bus_message(), which knows what is an interrupt.
 */
#include <string.h>

#include "base/log.h"
#include "machine/pci.h"

enum { STATUS_CAPABILITIES = 1 << 4 };
enum { CAPABILITIES_AT = 0x40 };
/* MSI, from the capability's start. */
enum { MSI_CONTROL = 2, MSI_ADDRESS = 4, MSI_ADDRESS_HIGH = 8, MSI_DATA = 12, MSI_BYTES = 14 };
enum { MSI_ENABLE = 1 << 0, MSI_64_BIT = 1 << 7 };
/* MSI-X, from the capability's start; its control register's upper byte. */
enum { MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_PENDING = 8, MSIX_BYTES = 12 };
enum { MSIX_ENABLE = 0x80, MSIX_MASK_ALL = 0x40 };
enum { ENTRY_BYTES = 16, ENTRY_HIGH = 4, ENTRY_DATA = 8, ENTRY_CONTROL = 12, ENTRY_MASKED = 1 };

const struct state_field pci_msix_fields[] = {
        STATE_BYTES(struct pci_msix, table),
        STATE_U64(struct pci_msix, pending),
        STATE_SKIP(struct pci_msix, vectors, "fixed by the device's class"),
        STATE_SKIP(struct pci_msix, capability, "fixed by the device's class"),
        STATE_SKIP(struct pci_msix, pci, "wiring"),
        STATE_SKIP(struct pci_msix, region, "region, registered by create()"),
        STATE_END
};

/* -- Capability lists ---------------------------------------------------------------------------- */

unsigned pci_capability_add(struct pci_device *pci, uint8_t id, unsigned size)
{
        unsigned offset = pci->next_capability ? pci->next_capability : CAPABILITIES_AT;

        g_assert(size >= 2 && offset + size <= 256);
        pci->defaults[pci->last_capability ? pci->last_capability + 1 : PCI_CAPABILITIES] = (uint8_t)offset;
        pci->defaults[PCI_STATUS] |= STATUS_CAPABILITIES;
        pci->defaults[offset] = id;
        pci->last_capability = (uint8_t)offset;
        pci->next_capability = (uint8_t)MIN((offset + size + 3) & ~3u, 0xfc);
        return offset;
}

/* -- MSI ----------------------------------------------------------------------------------------- */

void pci_msi_add(struct pci_device *pci)
{
        unsigned at = pci_capability_add(pci, PCI_CAP_MSI, MSI_BYTES);

        pci->msi = (uint8_t)at;
        pci->defaults[at + MSI_CONTROL] = MSI_64_BIT;
        pci->writable[at + MSI_CONTROL] = MSI_ENABLE;
        pci_put32(pci->writable, at + MSI_ADDRESS, 0xfffffffc);
        pci_put32(pci->writable, at + MSI_ADDRESS_HIGH, 0xffffffff);
        pci_put16(pci->writable, at + MSI_DATA, 0xffff);
}

bool pci_msi_enabled(const struct pci_device *pci)
{
        return pci->msi && (pci->config[pci->msi + MSI_CONTROL] & MSI_ENABLE);
}

void pci_msi_send(struct pci_device *pci)
{
        unsigned at = pci->msi;

        if (!pci_msi_enabled(pci) || !pci_is_master(pci))
                return;
        pci_bus_message(pci->bus, pci_get32(pci->config, at + MSI_ADDRESS) |
                                  (uint64_t)pci_get32(pci->config, at + MSI_ADDRESS_HIGH) << 32,
                        pci_get16(pci->config, at + MSI_DATA));
}

/* -- MSI-X --------------------------------------------------------------------------------------- */

bool pci_msix_enabled(const struct pci_device *pci)
{
        return pci->msix && (pci->config[pci->msix->capability + MSIX_CONTROL + 1] & MSIX_ENABLE);
}

static bool msix_masked(const struct pci_msix *msix, unsigned vector)
{
        uint8_t control = msix->pci->config[msix->capability + MSIX_CONTROL + 1];

        return (control & MSIX_MASK_ALL) || (msix->table[vector * ENTRY_BYTES + ENTRY_CONTROL] & ENTRY_MASKED);
}

void pci_msix_send(struct pci_device *pci, unsigned vector)
{
        struct pci_msix *msix = pci->msix;
        const uint8_t *entry;

        if (!pci_msix_enabled(pci) || vector >= msix->vectors)
                return;
        if (msix_masked(msix, vector) || !pci_is_master(pci)) {
                msix->pending |= UINT64_C(1) << vector;
                return;
        }
        msix->pending &= ~(UINT64_C(1) << vector);
        entry = msix->table + vector * ENTRY_BYTES;
        pci_bus_message(pci->bus, (pci_get32(entry, 0) & ~3u) | (uint64_t)pci_get32(entry, ENTRY_HIGH) << 32,
                        pci_get32(entry, ENTRY_DATA));
}

/* Sends what has waited for its mask to open. */
static void msix_flush(struct pci_msix *msix)
{
        if (!msix->pending || !pci_msix_enabled(msix->pci) || !pci_is_master(msix->pci))
                return;
        for (unsigned vector = 0; vector < msix->vectors; vector++)
                if ((msix->pending >> vector & 1) && !msix_masked(msix, vector))
                        pci_msix_send(msix->pci, vector);
}

static uint64_t msix_read(void *opaque, uint64_t offset, unsigned size)
{
        const struct pci_msix *msix = opaque;
        uint64_t value = 0;

        for (unsigned i = 0; i < size; i++) {
                uint64_t at = offset + i;

                if (at < msix->vectors * ENTRY_BYTES)
                        value |= (uint64_t)msix->table[at] << 8 * i;
                else if (at >= PCI_MSIX_PENDING_AT && at < PCI_MSIX_PENDING_AT + 8)
                        value |= (msix->pending >> 8 * (at - PCI_MSIX_PENDING_AT) & 0xff) << 8 * i;
        }
        return value;
}

static void msix_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct pci_msix *msix = opaque;

        if (offset >= msix->vectors * ENTRY_BYTES)
                return;                         /* pending bits are read-only; the rest is empty */
        for (unsigned i = 0; i < size; i++)
                msix->table[offset + i] = (uint8_t)(value >> 8 * i);
        /* Control has one bit; the others are reserved and stay 0. */
        msix->table[(offset | 15) - 3] &= ENTRY_MASKED;
        memset(msix->table + (offset | 15) - 2, 0, 3);
        msix_flush(msix);
}

/* Accesses are of 4 or 8 bytes (6.8.2); 4 here, as wider ones come in halves. */
static const struct mmio_ops msix_ops = { msix_read, msix_write, 4, 4 };

void pci_msix_add(struct pci_device *pci, struct pci_msix *msix, unsigned bar, unsigned vectors)
{
        enum { PRIORITY_BAR = 20 };
        unsigned at = pci_capability_add(pci, PCI_CAP_MSIX, MSIX_BYTES);

        g_assert(!pci->msix);
        msix->pci = pci;
        msix->capability = (uint8_t)at;
        msix->region = memory_map_mmio(pci->device.env->memory, 0, PCI_MSIX_BAR_BYTES, &msix_ops, msix, PRIORITY_BAR, "MSI-X");
        pci_bar_memory(pci, bar, PCI_MSIX_BAR_BYTES, 0, msix->region);
        pci->writable[at + MSIX_CONTROL + 1] = MSIX_ENABLE | MSIX_MASK_ALL;
        pci_put32(pci->defaults, at + MSIX_TABLE, bar);
        pci_put32(pci->defaults, at + MSIX_PENDING, PCI_MSIX_PENDING_AT | bar);
        pci->msix = msix;
        pci_msix_set_vectors(pci, vectors);
}

void pci_msix_set_vectors(struct pci_device *pci, unsigned vectors)
{
        g_assert(vectors && vectors <= PCI_MSIX_VECTORS_MAX);
        pci->msix->vectors = vectors;
        pci_put16(pci->defaults, pci->msix->capability + MSIX_CONTROL, (uint16_t)(vectors - 1));
}

void pci_msix_config_written(struct pci_device *pci)
{
        if (pci->msix)
                msix_flush(pci->msix);
}

void pci_msix_reset(struct pci_device *pci)
{
        if (!pci->msix)
                return;
        memset(pci->msix->table, 0, sizeof(pci->msix->table));
        for (unsigned i = 0; i < pci->msix->vectors; i++)
                pci->msix->table[i * ENTRY_BYTES + ENTRY_CONTROL] = ENTRY_MASKED;
        pci->msix->pending = 0;
}

void pci_msix_restored(struct pci_device *pci)
{
        struct pci_msix *msix = pci->msix;

        if (!msix)
                return;
        if (msix->vectors < 64)
                msix->pending &= (UINT64_C(1) << msix->vectors) - 1;
        for (unsigned i = 0; i < PCI_MSIX_VECTORS_MAX; i++) {
                uint8_t *control = msix->table + i * ENTRY_BYTES + ENTRY_CONTROL;

                pci_put32(control, 0, i < msix->vectors ? control[0] & ENTRY_MASKED : 0);
                if (i >= msix->vectors)
                        memset(msix->table + i * ENTRY_BYTES, 0, ENTRY_CONTROL);
        }
}
