/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine.c - `lodger engine`: moves a running guest to another engine. */
#include "base/i18n.h"
#include "cli/client.h"

static int engine_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;

        (void)count;
        if (!control_machine1_call_set_engine_sync(client->machine, arguments[0], NULL, &error))
                return client_fail(client, error);
        return EXIT_OK;
}

int engine_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "engine", .arguments = N_("dbt|kvm"),
                .summary = N_("Moves a running guest to the translator (dbt) or to hardware virtualization (kvm)."),
                .minimum = 1, .maximum = 1, .run = engine_run,
        };

        return client_run(&command, argc, argv);
}
