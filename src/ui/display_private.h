/* SPDX-License-Identifier: GPL-2.0-or-later */
/* display_private.h - the insides of LodgerDisplay, shared by display.c and display_input.c. */
#ifndef LODGER_UI_DISPLAY_PRIVATE_H
#define LODGER_UI_DISPLAY_PRIVATE_H

#include "ui/display.h"

enum display_signal { DISPLAY_GRAB_CHANGED, DISPLAY_SHORTCUT, DISPLAY_SIZE_CHANGED, DISPLAY_SIGNALS };
extern guint display_signals[DISPLAY_SIGNALS];

typedef struct display {
        cairo_surface_t *surface;
        int width, height;              /* of the guest */
        LodgerScaling scaling;
        gboolean dimmed;

        gboolean absolute, grabbed;
        GHashTable *held;               /* set of key names (static strings) the guest was told are down */
        char **release_keys;            /* key names */
        gboolean releasing;             /* exactly the release keys are down, and nothing else was meanwhile */
        guint buttons;
        double last_x, last_y;          /* where the pointer was, in root window coordinates */
        double rest_x, rest_y, rest_wheel;      /* movement of less than a unit, kept */
} LodgerDisplayPrivate;

struct display *display_of(LodgerDisplay *display);
/* Guest pixel under a point of the widget, within the guest's screen. */
void display_to_guest(LodgerDisplay *display, double x, double y, int *guest_x, int *guest_y);
void display_class_init_input(GtkWidgetClass *class);

#endif
