/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli.h - the subcommands of `lodger`, one file each.
 *
 * A subcommand gets its own name as argv[0], returns the exit status of the process, and never
 * exits by itself.
 */
#ifndef LODGER_CLI_CLI_H
#define LODGER_CLI_CLI_H

#include <glib.h>
#include <stdbool.h>

enum exit_status {
        EXIT_OK = 0,            /* the guest powered itself off or was stopped */
        EXIT_HOST = 1,          /* something on the host failed */
        EXIT_USAGE = 2,
        EXIT_RESET = 3,         /* the guest reset under --no-reboot */
        EXIT_TIMEOUT = 4,
};

int clone_main(int argc, char **argv);
int create_main(int argc, char **argv);
int delete_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int eject_main(int argc, char **argv);
int image_main(int argc, char **argv);
int import_main(int argc, char **argv);
int engine_main(int argc, char **argv);
int info_main(int argc, char **argv);
int insert_main(int argc, char **argv);
int key_main(int argc, char **argv);
int list_main(int argc, char **argv);
int mouse_main(int argc, char **argv);
int net_main(int argc, char **argv);
int pause_main(int argc, char **argv);
int reset_main(int argc, char **argv);
int resume_main(int argc, char **argv);
int run_main(int argc, char **argv);
int screen_main(int argc, char **argv);
int screenshot_main(int argc, char **argv);
int set_main(int argc, char **argv);
int show_main(int argc, char **argv);
int snapshot_main(int argc, char **argv);
int ssh_main(int argc, char **argv);
int start_main(int argc, char **argv);
int stats_main(int argc, char **argv);
int stop_main(int argc, char **argv);
int suspend_main(int argc, char **argv);
int type_main(int argc, char **argv);

/* Prints "lodger COMMAND: message" on standard error and gives status back. */
int cli_fail(int status, const char *command, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Parses options with --help handled.  True: go on.  False: *status is the exit status. */
bool cli_parse(GOptionContext *context, const char *command, int *argc, char ***argv, int *status);

#endif
