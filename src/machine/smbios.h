/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smbios.h - the SMBIOS tables of the machine, as the firmware gets them. */
#ifndef LODGER_MACHINE_SMBIOS_H
#define LODGER_MACHINE_SMBIOS_H

#include <glib.h>
#include <stdint.h>

struct smbios_tables {
        GBytes *anchor;         /* file "etc/smbios/smbios-anchor": entry point, its address left 0 for the firmware */
        GBytes *tables;         /* file "etc/smbios/smbios-tables" */
};

/* uuid: as text, NULL: none.  low_ram_bytes: of ram_bytes, what lies below the PCI hole; the rest starts at 4 GiB. */
void smbios_build(const char *uuid, unsigned cpus, uint64_t low_ram_bytes, uint64_t ram_bytes, struct smbios_tables *result);

#endif
