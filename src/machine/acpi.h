/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi.h - the ACPI tables of the machine, as the firmware gets them. */
#ifndef LODGER_MACHINE_ACPI_H
#define LODGER_MACHINE_ACPI_H

#include <glib.h>
#include <stdint.h>

/* What the tables depend on. */
struct acpi_machine {
        unsigned cpus;
        uint32_t window32_base;                 /* PCI memory below 4 GiB, up to the I/O APIC */
        uint64_t window64_base, window64_end;   /* PCI memory above 4 GiB; equal: none */
};

struct acpi_tables {
        GBytes *rsdp;           /* file "etc/acpi/rsdp" */
        GBytes *tables;         /* file "etc/acpi/tables" */
        GBytes *loader;         /* file "etc/table-loader": what the firmware does with the two */
};

/* Pointers in the tables are offsets into their file, and checksums are left 0: the firmware runs the
 * loader's script, which puts both right wherever it has placed the files. */
void acpi_build(const struct acpi_machine *machine, struct acpi_tables *tables);

#endif
