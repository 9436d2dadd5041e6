/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci_function.h - which device classes are PCI functions, and firmware's part in making one usable: for tests
 * that make a device of any class.
 */
#ifndef LODGER_TESTS_PCI_FUNCTION_H
#define LODGER_TESTS_PCI_FUNCTION_H

#include "machine/pci.h"
#include "memory/ports.h"

enum { PCI_FUNCTION_SLOT = 3, PCI_FUNCTION_PORTS = 0xc000 };
#define PCI_FUNCTION_MEMORY 0xe0000000u

/* Its state has that of a PCI device, at its beginning or within what its beginning is (a virtio device). */
static inline bool is_pci_function(const struct state_field *fields)
{
        for (; fields->type != STATE_TYPE_END; fields++)
                if (fields->fields && (fields->fields == pci_device_fields || is_pci_function(fields->fields)))
                        return true;
        return false;
}

static inline uint32_t pci_function_read(struct ports *ports, unsigned offset)
{
        ports_write(ports, 0xcf8, 1u << 31 | PCI_FUNCTION_SLOT << 11 | (offset & 0xfc), 4);
        return (uint32_t)ports_read(ports, 0xcfc, 4);
}

static inline void pci_function_write(struct ports *ports, unsigned offset, uint32_t value)
{
        ports_write(ports, 0xcf8, 1u << 31 | PCI_FUNCTION_SLOT << 11 | (offset & 0xfc), 4);
        ports_write(ports, 0xcfc, value, 4);
}

/* Each BAR gets a place of its own; the function answers and may be master. */
static inline void pci_function_assign(struct ports *ports)
{
        for (unsigned bar = 0; bar < 6; bar++) {
                unsigned at = PCI_BAR0 + 4 * bar;
                uint32_t kind = pci_function_read(ports, at);

                pci_function_write(ports, at, kind & 1 ? PCI_FUNCTION_PORTS + 0x100 * bar : PCI_FUNCTION_MEMORY + 0x1000000 * bar);
                if ((kind & 7) == 4) {          /* 64 bits: the next one is its upper half */
                        pci_function_write(ports, at + 4, 0);
                        bar++;
                }
        }
        pci_function_write(ports, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

#endif
