/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pause.c - `lodger pause`: a machine stands still. */
#include "base/i18n.h"
#include "cli/client.h"

static int pause_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;

        (void)count;
        (void)arguments;
        if (!control_machine1_call_pause_sync(client->machine, NULL, &error))
                return client_fail(client, error);
        return EXIT_OK;
}

int pause_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "pause", .arguments = "", .summary = N_("Halts a machine and its time; \"lodger resume\" lets it go on."), .run = pause_run,
        };

        return client_run(&command, argc, argv);
}
