/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * display.h - the picture a display device draws and a window, a socket or a file shows.
 *
 * A surface belongs to whoever shows it.  A device renders into it on demand and only touches pixels
 * that differ, so the damage it leaves is what really changed since the last rendering.  Pixels may lie
 * in a memfd, for a viewer in another process.
 */
#ifndef LODGER_BACKEND_DISPLAY_H
#define LODGER_BACKEND_DISPLAY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { SURFACE_DAMAGE_MAX = 16, SURFACE_SIDE_MAX = 16384 };

struct rectangle {
        unsigned x, y, width, height;
};

struct surface {
        unsigned width, height;         /* 0 until the first rendering */
        unsigned stride;                /* bytes from one row to the next */
        uint32_t *pixels;               /* 00RRGGBBh in host order */
        int fd;                         /* memfd that holds the pixels, from its start; -1: private memory */
        bool shared;                    /* wanted: fd */
        bool resized;                   /* since surface_clear_damage(): size, pixels and fd are new */
        unsigned damage_count;
        struct rectangle damage[SURFACE_DAMAGE_MAX];    /* disjoint, from top to bottom */
};

void surface_init(struct surface *surface, bool shared);
void surface_free(struct surface *surface);
/* Nothing changes when the size is the same already; else the picture is black and all of it damaged. */
void surface_resize(struct surface *surface, unsigned width, unsigned height);
/* Stores a row; what differs becomes damage.  Rows of one rendering come from top to bottom. */
void surface_put_row(struct surface *surface, unsigned y, const uint32_t *row);
void surface_clear_damage(struct surface *surface);

/* An image file of what the surface shows.  False with error set when it cannot be written. */
bool surface_write_png(const struct surface *surface, const char *path, GError **error);

/* The same as bytes, made smaller until neither side is longer than side_max pixels; NULL: it cannot be made. */
GBytes *surface_make_png(const struct surface *surface, unsigned side_max);

/* -- Text --------------------------------------------------------------------------------------- */

/* A screen of text, row by row. */
struct text_screen {
        unsigned columns, rows;
        uint8_t *characters;            /* columns * rows of them, in the guest's code page */
        uint8_t *attributes;            /* of the same shape: background and blink, foreground */
        unsigned cursor_column, cursor_row;
        bool cursor_shown;              /* and within the screen */
};

void text_screen_free(struct text_screen *screen);
/* As UTF-8 from code page 437: a line a row, without the spaces at its end.  Caller frees. */
char *text_screen_to_utf8(const struct text_screen *screen);

#endif
