/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.h - a named machine in a process of its own: what `start` and `fork` share. */
#ifndef LODGER_CLI_START_H
#define LODGER_CLI_START_H

#include "cli/session.h"

/* Runs the machine in a process of its own, with its log in folder, and returns once it runs or has failed: the exit status.
 * options: checked by session_check(); the machine's lock is held, and goes to the process.  forked: NULL, or what the
 * machine goes on from. */
int start_process(const char *command, const struct option_set *options, const char *folder, const struct session_fork *forked);

#endif
