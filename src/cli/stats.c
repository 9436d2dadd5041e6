/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.c - `lodger stats`: a machine's counters. */
#include <stdio.h>

#include "base/i18n.h"
#include "cli/client.h"

static int stats_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;
        char *text;

        (void)count;
        (void)arguments;
        if (!control_machine1_call_stats_sync(client->machine, &text, NULL, &error))
                return client_fail(client, error);
        fputs(text, stdout);
        g_free(text);
        return EXIT_OK;
}

int stats_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "stats", .arguments = "", .summary = N_("Shows the counters of a machine."), .run = stats_run,
        };

        return client_run(&command, argc, argv);
}
