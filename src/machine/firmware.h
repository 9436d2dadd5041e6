/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firmware.h - finding and checking the firmware image. */
#ifndef LODGER_MACHINE_FIRMWARE_H
#define LODGER_MACHINE_FIRMWARE_H

#include <glib.h>

/* What of the image answers below 1 MiB. */
enum { FIRMWARE_LOW_BYTES = 128 << 10 };

/* file: NULL finds the distribution's SeaBIOS.  NULL with error set when there is none or it is no ROM image. */
GBytes *firmware_load(const char *file, GError **error);

/* The VGA BIOS of the same distribution; NULL when there is none, which a machine can do without. */
GBytes *firmware_load_vga(void);

/* A card's network boot ROM from the distribution's iPXE package, for example "pxe-e1000.rom"; NULL when there is none. */
GBytes *firmware_load_net(const char *name);

#endif
