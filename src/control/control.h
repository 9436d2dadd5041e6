/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.h - the control interface of a running machine (data/org.lodger.Machine1.xml), the side of
 * the machine.
 *
 * Made beside the machine by whoever runs it; the machine knows nothing of it.  Everything happens on
 * the main loop of the machine, and nothing a client does or leaves undone can block it.
 */
#ifndef LODGER_CONTROL_CONTROL_H
#define LODGER_CONTROL_CONTROL_H

#include <gio/gio.h>
#include <stdbool.h>

struct control;
struct machine;

/* Takes the name before the machine is made.  name: of the machine; path: NULL, or where the socket is to be
 * instead of the usual place.  Errors are PLACE_ERROR. */
struct control *control_open(const char *name, const char *path, GError **error);
/* Serves from now on, whenever the main loop runs. */
void control_serve(struct control *control, struct machine *machine);
/* Disconnects everybody and removes the socket. */
void control_free(struct control *control);

#endif
