/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga.h - what the machine and its viewers may ask of the VGA; device class "vga".  Machine lock held. */
#ifndef LODGER_DEVICES_VGA_H
#define LODGER_DEVICES_VGA_H

#include "backend/display.h"
#include "devices/device.h"

/* The option ROM behind the expansion ROM BAR, before device_start(); without one firmware shows nothing. */
void vga_set_rom(struct device *device, GBytes *rom);
/* The size of the picture now; false: there is none. */
bool vga_get_size(struct device *device, unsigned *width, unsigned *height);
/* Brings the surface up to date.  True when it changed: its damage says where. */
bool vga_render(struct device *device, struct surface *surface);
/* The screen as text, as shown; false in graphics modes and while the screen is blank. */
bool vga_read_text(struct device *device, struct text_screen *screen);
/* The same as UTF-8, a line a row; NULL in graphics modes.  Caller frees. */
char *vga_text(struct device *device);

#endif
