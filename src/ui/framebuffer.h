/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * framebuffer.h - the pixels a machine shares, as something cairo can draw.
 *
 * The machine's process is not trusted: what it says of its memory is compared with the memory, and memory that
 * could shrink under us (SIGBUS) is refused.
 */
#ifndef LODGER_UI_FRAMEBUFFER_H
#define LODGER_UI_FRAMEBUFFER_H

#include <cairo.h>
#include <gio/gio.h>

/* A picture of this size over the descriptor's memory, for reading only; the descriptor stays the caller's to close.
 * NULL with error set. */
cairo_surface_t *framebuffer_map(int fd, guint width, guint height, guint stride, GError **error);

#endif
