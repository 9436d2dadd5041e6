/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset.c - `lodger reset`: the reset button. */
#include "base/i18n.h"
#include "cli/client.h"

static int reset_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;

        (void)count;
        (void)arguments;
        if (!control_machine1_call_reset_sync(client->machine, NULL, &error))
                return client_fail(client, error);
        return EXIT_OK;
}

int reset_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "reset", .arguments = "", .summary = N_("Presses the reset button of a machine."), .run = reset_run,
        };

        return client_run(&command, argc, argv);
}
