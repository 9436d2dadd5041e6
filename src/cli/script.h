/* SPDX-License-Identifier: GPL-2.0-or-later */
/* script.h - `lodger run --wait-for REGEX --exec COMMAND`: a machine as one step of a script. */
#ifndef LODGER_CLI_SCRIPT_H
#define LODGER_CLI_SCRIPT_H

#include "cli/session.h"

/* Runs the session with its first serial port talking to the script in options; the exit status: of the first command
 * that fails in the guest, or as session_run() says. */
int script_run(struct session *session, struct option_set *options);

#endif
