/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.h - a machine from its options to its end: what `run` and `start` share. */
#ifndef LODGER_CLI_SESSION_H
#define LODGER_CLI_SESSION_H

#include "library/options.h"

struct session {
        const char *command;            /* for messages */
        const struct option_set *options;       /* checked by session_check() */
        /* On the main loop, once the machine runs and can be controlled; may be NULL. */
        void (*running)(void *opaque, struct machine *machine);
        void *opaque;
        /* It will run without whoever started it: a machine that cannot be controlled then is useless. */
        bool detached;
        /* The machine's own, where UEFI's variables are kept; NULL: it has none, and they end with it. */
        const char *folder;
};

/* Everything that can be found wrong before a machine is made; traces go where they are told from then on. */
bool session_check(const char *command, const struct option_set *options, int *status);
/* Runs the machine until it ends; the exit status. */
int session_run(const struct session *session);
/* Prints the error, frees it, and gives the exit status: 2 for the user's mistakes, 1 for the host's. */
int session_fail(const char *command, GError *error);

#endif
