/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firmware.h - finding and checking the firmware image. */
#ifndef LODGER_MACHINE_FIRMWARE_H
#define LODGER_MACHINE_FIRMWARE_H

#include <glib.h>
#include <stdbool.h>

/* What of the image answers below 1 MiB. */
enum { FIRMWARE_LOW_BYTES = 128 << 10 };

/* Whether file (may be NULL) is no file but the word "uefi". */
bool firmware_is_uefi(const char *file);
/* file: NULL finds the distribution's SeaBIOS, "uefi" its UEFI.  NULL with error set when there is none or it is no ROM
 * image. */
GBytes *firmware_load(const char *file, GError **error);
/* The variables that UEFI begins with; they lie below its code. */
GBytes *firmware_load_variables(GError **error);

/* The VGA BIOS of the same distribution; NULL when there is none, which a machine can do without. */
GBytes *firmware_load_vga(void);

/* A card's network boot ROM from the distribution's iPXE package, for example "pxe-e1000.rom"; NULL when there is none. */
GBytes *firmware_load_net(const char *name);

#endif
