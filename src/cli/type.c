/* SPDX-License-Identifier: GPL-2.0-or-later */
/* type.c - `lodger type`: types text on a machine's keyboard. */
#include "base/i18n.h"
#include "cli/client.h"

static int type_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;

        (void)count;
        /* D-Bus strings are UTF-8; a US keyboard has ASCII anyway. */
        if (!g_utf8_validate(arguments[0], -1, NULL))
                return cli_fail(EXIT_USAGE, client->command, _("%s: the text is not UTF-8"), client->name);
        if (!control_machine1_call_type_sync(client->machine, arguments[0], NULL, &error))
                return client_fail(client, error);
        return EXIT_OK;
}

int type_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "type", .arguments = N_("TEXT"), .minimum = 1, .maximum = 1, .run = type_run,
                .summary = N_("Types text on a machine's keyboard, which has a US layout."),
                .description = N_("A line feed in TEXT is the Enter key; \"lodger key NAME enter\" presses it too."),
        };

        return client_run(&command, argc, argv);
}
