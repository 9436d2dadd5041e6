/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage.h - the PC's drives and the images in them (see storage.c); machine lock held. */
#ifndef LODGER_MACHINE_STORAGE_H
#define LODGER_MACHINE_STORAGE_H

#include "machine/machine.h"

/* Adds controllers and drives, opens images.  Errors name the option and the file. */
bool storage_add(struct machine *machine, const struct machine_config *config, GError **error);
/* Writes that waited for room on the host's disk are tried again. */
void storage_retry(void);
/* CMOS: drives and boot order. */
void storage_fill_cmos(struct machine *machine, const struct machine_config *config);
/* The fw_cfg file "bootorder"; NULL: nothing to start from. */
GBytes *storage_make_boot_order(struct machine *machine, const struct machine_config *config);
/* A network card with a boot ROM is in this PCI slot. */
void storage_add_network_boot(struct machine *machine, unsigned slot);
void storage_free(struct machine *machine);
/* Changes the medium of a CD drive while the machine runs (ide.h says what force is). */
bool storage_eject(struct machine *machine, const char *drive, bool force, GError **error);
bool storage_insert(struct machine *machine, const char *drive, const char *path, bool force, GError **error);
/* Up to three of "cdrom,disk,floppy,network" into classes as CMOS has them (0: none); false: not such a list. */
bool storage_boot_order(const char *text, uint8_t order[3]);

#endif
