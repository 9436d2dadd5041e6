/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - what subcommands that talk to a running machine share.
 *
 * A machine is named by its name or by the path of its control socket (anything with a slash).  Every
 * wait has a limit, so that a machine that hangs does not hang its clients.
 */
#ifndef LODGER_CLI_CLIENT_H
#define LODGER_CLI_CLIENT_H

#include <sys/types.h>
#include "cli/cli.h"
#include "control/machine1.h"

struct client {
        const char *command, *name;     /* as written, for messages */
        char *path;                     /* of the socket */
        pid_t pid;                      /* of the machine, as the kernel knows it; 0: unknown */
        int pidfd;                      /* refers to that process and no later one; -1: none */
        GDBusConnection *connection;
        ControlMachine1 *machine;
};

/* Finds the socket and who listens there.  False with error set: there is no such machine. */
bool client_reach(struct client *client, unsigned timeout_seconds, GSocket **socket, GError **error);
/* client_reach(), then the control interface; takes no longer than about timeout_seconds. */
bool client_open(struct client *client, unsigned timeout_seconds, GError **error);
void client_close(struct client *client);
/* Prints the error, frees it, and gives the exit status. */
int client_fail(const struct client *client, GError *error);
/* Waits for the end of the machine's process; negative: for ever.  True: it is gone. */
bool client_wait_gone(const struct client *client, int timeout_ms);

/* A subcommand of the form "lodger COMMAND NAME ARGUMENTS". */
struct client_command {
        const char *name;
        const char *arguments;          /* for the usage line, N_() */
        const char *summary;            /* N_() */
        const char *description;        /* N_(), or NULL */
        int minimum, maximum;           /* arguments after NAME */
        /* Gets the arguments after NAME; the exit status. */
        int (*run)(struct client *client, int count, char **arguments);
};

int client_run(const struct client_command *command, int argc, char **argv);

#endif
