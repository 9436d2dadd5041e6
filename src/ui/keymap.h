/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keymap.h - from the host's hardware key codes to keys of the guest.
 *
 * By position and never by character: what a key means is up to the guest's own layout, so every layout
 * of the host maps rightly.
 */
#ifndef LODGER_UI_KEYMAP_H
#define LODGER_UI_KEYMAP_H

#include <glib.h>

/* The key's name in the control interface ("a", "enter"), or NULL: the guest's keyboard has no such key.  hardware: as in
 * GdkEventKey, on X11 and on Wayland the kernel's key code and 8. */
const char *keymap_find(guint16 hardware);

#endif
