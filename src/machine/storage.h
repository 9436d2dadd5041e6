/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage.h - the PC's drives and the images in them (see storage.c); machine lock held. */
#ifndef LODGER_MACHINE_STORAGE_H
#define LODGER_MACHINE_STORAGE_H

#include "machine/machine.h"

/* Adds controllers and drives, opens images.  Errors name the option and the file. */
bool storage_add(struct machine *machine, const struct machine_config *config, GError **error);
/* CMOS: drives and boot order. */
void storage_fill_cmos(struct machine *machine, const struct machine_config *config);
/* "cdrom,disk,floppy" into classes as CMOS has them (0: none); false: not such a list. */
bool storage_boot_order(const char *text, uint8_t order[3]);

#endif
