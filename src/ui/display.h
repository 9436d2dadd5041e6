/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * display.h - LodgerDisplay: a guest's screen, keyboard and mouse as a widget.
 *
 * An abstract class.  A subclass knows the transport: it hands in pixels with lodger_display_set_surface() and
 * lodger_display_damage(), and carries out the virtual methods.  A window knows the signals and properties only.
 *
 * Keys go by position (ui/keymap.h).  The pointer is relative and needs a grab, which a click begins and the release keys
 * end, unless the subclass says that the guest takes absolute positions.
 */
#ifndef LODGER_UI_DISPLAY_H
#define LODGER_UI_DISPLAY_H

#include <gtk/gtk.h>

#define LODGER_TYPE_DISPLAY lodger_display_get_type()
G_DECLARE_DERIVABLE_TYPE(LodgerDisplay, lodger_display, LODGER, DISPLAY, GtkDrawingArea)

struct _LodgerDisplayClass {
        GtkDrawingAreaClass parent;

        /* key: a name of ui/keymap.h. */
        void (*send_key)(LodgerDisplay *display, const char *key, gboolean down);
        /* To the right, down, wheel towards the user. */
        void (*move_pointer)(LodgerDisplay *display, int right, int down, int wheel);
        /* In guest pixels; called when absolute is set. */
        void (*place_pointer)(LodgerDisplay *display, int x, int y);
        /* Bits as in enum input_button: 1 left, 2 right, 4 middle, 8 and 16 the side buttons. */
        void (*set_buttons)(LodgerDisplay *display, guint buttons);

        /* Signals.  "shortcut": a letter pressed together with the release keys; TRUE: it meant something. */
        void (*grab_changed)(LodgerDisplay *display, gboolean grabbed);
        gboolean (*shortcut)(LodgerDisplay *display, guint keyval);
        void (*size_changed)(LodgerDisplay *display, int width, int height);
};

/* How guest pixels become pixels of the monitor. */
typedef enum {
        LODGER_SCALING_FIT,             /* as large as fits, smooth where the factor is broken */
        LODGER_SCALING_INTEGER,         /* the largest whole factor that fits */
        LODGER_SCALING_NONE,            /* one to one */
} LodgerScaling;

/* -- For subclasses ------------------------------------------------------------------------------- */

/* An image surface the display draws from now on (a reference is taken); NULL: none. */
void lodger_display_set_surface(LodgerDisplay *display, cairo_surface_t *surface);
void lodger_display_damage(LodgerDisplay *display, guint x, guint y, guint width, guint height);
void lodger_display_set_absolute(LodgerDisplay *display, gboolean absolute);

/* -- For windows ---------------------------------------------------------------------------------- */

void lodger_display_set_scaling(LodgerDisplay *display, LodgerScaling scaling);
/* Names joined by '+', such as "ctrl+alt". */
void lodger_display_set_release_keys(LodgerDisplay *display, const char *keys);
gboolean lodger_display_is_grabbed(LodgerDisplay *display);
/* Whether the pointer needs no grab; "grab-changed" comes when that changes, too. */
gboolean lodger_display_is_absolute(LodgerDisplay *display);
void lodger_display_ungrab(LodgerDisplay *display);
/* Lets go of every key that is held. */
void lodger_display_release_keys(LodgerDisplay *display);
/* Greyed and with a sign over it, while the guest stands still. */
void lodger_display_set_dimmed(LodgerDisplay *display, gboolean dimmed);
/* The guest's size in its own pixels; 0: no picture yet. */
void lodger_display_get_size(LodgerDisplay *display, int *width, int *height);
/* A copy of the picture, or NULL. */
GdkPixbuf *lodger_display_get_picture(LodgerDisplay *display);

#endif
