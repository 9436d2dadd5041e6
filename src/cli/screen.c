/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen.c - `lodger screen`: the text on a machine's screen. */
#include <stdio.h>

#include "base/i18n.h"
#include "cli/client.h"

static int screen_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;
        char *text;

        (void)count;
        (void)arguments;
        if (!control_machine1_call_get_screen_text_sync(client->machine, &text, NULL, &error))
                return client_fail(client, error);
        fputs(text, stdout);
        g_free(text);
        return EXIT_OK;
}

int screen_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "screen", .arguments = "", .run = screen_run,
                .summary = N_("Prints what a machine shows in text mode, as it is shown."),
        };

        return client_run(&command, argc, argv);
}
