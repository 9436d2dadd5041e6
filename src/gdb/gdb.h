/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gdb.h - a server of GDB's remote serial protocol for one machine.
 */
#ifndef LODGER_GDB_GDB_H
#define LODGER_GDB_GDB_H

#include <glib.h>
#include "machine/machine.h"

struct gdb_server;

/* spec: "[HOST:]PORT" (HOST is localhost unless given) or "unix:PATH", then ",wait" (the machine does not start before
 * a debugger lets it) and ",arch=i386" or ",arch=x86-64" (instead of what the vCPU runs when GDB asks).  On the
 * main-loop thread, before machine_run().  NULL with error set: bad spec (G_OPTION_ERROR), or no socket to be had. */
struct gdb_server *gdb_server_new(struct machine *machine, const char *spec, GError **error);
/* After machine_run(): tells the debugger the machine's exit status. */
void gdb_server_free(struct gdb_server *server, int status);

#endif
