/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info.c - `lodger info`: the devices of a machine, and the state of each. */
#include <stdio.h>

#include "base/i18n.h"
#include "cli/client.h"

static int info_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;
        char *text;

        if (!control_machine1_call_info_sync(client->machine, count ? arguments[0] : "", &text, NULL, &error))
                return client_fail(client, error);
        fputs(text, stdout);
        g_free(text);
        return EXIT_OK;
}

int info_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "info", .arguments = N_("[DEVICE]"), .maximum = 1, .run = info_run,
                .summary = N_("Lists the devices of a machine, or shows the registers of one."),
        };

        return client_run(&command, argc, argv);
}
