/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stop.c - `lodger stop`: ends a machine, and returns when its process has gone.
 *
 * Plainly, by its power button: the guest shuts down in its own time, and after a while somebody who waits is
 * told that it has not (it may not know of power buttons).  With --force, by steps that
 * take a few seconds at most whatever the guest or the process does: the machine is told to end, and if
 * its process is still there, the process is killed - the one that the kernel says listens on the
 * socket - and the socket removed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/client.h"
#include "library/parse.h"
#include "control/place.h"

enum { ASK_SECONDS = 10, FORCE_ASK_SECONDS = 2, FORCE_WAIT_MS = 3000, KILL_WAIT_MS = 5000, PATIENCE_MS = 10000 };

static int stop_plainly(struct client *client, double timeout_seconds)
{
        int wait_ms = timeout_seconds > 0 ? (int)MIN(timeout_seconds * 1000, (double)G_MAXINT) : -1;
        GError *error = NULL;

        if (!client_open(client, ASK_SECONDS, &error))
                return client_fail(client, error);
        /* A guest that goes at once may take the answer with it. */
        if (!control_machine1_call_stop_sync(client->machine, FALSE, NULL, &error) &&
            !client_wait_gone(client, g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CLOSED) ? FORCE_WAIT_MS : 0)) {
                int status;

                g_dbus_error_strip_remote_error(error);
                status = cli_fail(EXIT_HOST, client->command, _("%s: %s; --force ends the machine anyway"), client->name, error->message);
                g_error_free(error);
                return status;
        }
        g_clear_error(&error);
        /* Not under a short --timeout: its own message comes soon enough. */
        if ((wait_ms < 0 || wait_ms > PATIENCE_MS) && !client_wait_gone(client, PATIENCE_MS)) {
                fprintf(stderr, _("lodger stop: %s: the guest has not answered its power button yet; still waiting"
                                  " (--timeout TIME gives up, --force ends the machine)\n"), client->name);
                wait_ms = wait_ms < 0 ? wait_ms : wait_ms - PATIENCE_MS;
        }
        if (!client_wait_gone(client, wait_ms))
                return cli_fail(EXIT_TIMEOUT, client->command, _("%s: still running; --force ends the machine anyway"), client->name);
        return EXIT_OK;
}

static int stop_by_force(struct client *client)
{
        GError *error = NULL;

        if (client_open(client, FORCE_ASK_SECONDS, &error)) {
                /* It may be gone before it has answered. */
                control_machine1_call_stop_sync(client->machine, TRUE, NULL, NULL);
        } else if (!client->pid) {
                return client_fail(client, error);      /* there is nobody */
        }
        g_clear_error(&error);
        if (client->pidfd < 0 && client->pid)
                return cli_fail(EXIT_HOST, client->command, _("%s: its process %d cannot be watched; look whether it is there"),
                                client->name, (int)client->pid);
        if (!client_wait_gone(client, FORCE_WAIT_MS)) {
                if (syscall(SYS_pidfd_send_signal, client->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
                        return cli_fail(EXIT_HOST, client->command, _("%s: cannot kill process %d: %s"), client->name,
                                        (int)client->pid, g_strerror(errno));
                if (!client_wait_gone(client, KILL_WAIT_MS))
                        return cli_fail(EXIT_HOST, client->command, _("%s: process %d was killed and does not go"), client->name,
                                        (int)client->pid);
        }
        place_clean(client->path);
        return EXIT_OK;
}

int stop_main(int argc, char **argv)
{
        gboolean force = FALSE;
        char *timeout = NULL;
        const GOptionEntry entries[] = {
                { "force", 'f', 0, G_OPTION_ARG_NONE, &force, N_("end the machine at once, whatever it does"), NULL },
                { "timeout", 0, 0, G_OPTION_ARG_STRING, &timeout,
                  N_("give up waiting for the guest after this time, with status 4"), N_("TIME") },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(_("NAME"));
        struct client client = { .command = "stop", .pidfd = -1 };
        double timeout_seconds = 0;
        int status;

        g_option_context_set_summary(context, _("Presses a machine's power button and waits until the machine has gone."));
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "stop", &argc, &argv, &status)) {
                if (argc != 2) {
                        status = cli_fail(EXIT_USAGE, "stop", "%s", _("name one machine; \"lodger list\" shows those that run"));
                } else if (timeout && !parse_duration(timeout, &timeout_seconds)) {
                        status = cli_fail(EXIT_USAGE, "stop", _("--timeout %s: not a duration; write for example 90s, 10m or 2h"), timeout);
                } else {
                        client.name = argv[1];
                        status = force ? stop_by_force(&client) : stop_plainly(&client, timeout_seconds);
                        client_close(&client);
                }
        }
        g_option_context_free(context);
        g_free(timeout);
        return status;
}
