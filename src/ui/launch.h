/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * launch.h - starts machines: each in a process of its own, which outlives this one.
 */
#ifndef LODGER_UI_LAUNCH_H
#define LODGER_UI_LAUNCH_H

#include "ui/machine.h"

/* The program `lodger`: beside this one, or in the search path. */
const char *launch_program(void);
/* A name for a machine made from a file ("debian-12.iso": "debian-12"), one that no running machine has.  Caller frees. */
char *launch_name_for(const char *path);
/* Runs the machine's command (lodger_machine_set_command()) and begins to connect.  What the process writes goes to a log. */
gboolean launch_machine(LodgerMachine *machine, GError **error);
/* A machine that runs an image file, a kernel or a disk with these options ("--memory", "1G" ...; NULL: none) besides;
 * not launched yet. */
LodgerMachine *launch_prepare(const char *name, const char *path, const char *const *options);

#endif
