/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen.h - the framebuffer that watchers share with the machine, and telling them what changed. */
#ifndef LODGER_CONTROL_SCREEN_H
#define LODGER_CONTROL_SCREEN_H

#include <gio/gio.h>

#include "backend/display.h"

struct machine;
struct screen;

struct screen *screen_new(struct machine *machine);
void screen_free(struct screen *screen);
/* The shared surface, up to date.  NULL with error set: there is no display. */
const struct surface *screen_surface(struct screen *screen, GError **error);
/* The connection gets signals from now on, until it is closed or does not want them any more. */
void screen_watch(struct screen *screen, GDBusConnection *connection);
void screen_unwatch(struct screen *screen, GDBusConnection *connection);

#endif
