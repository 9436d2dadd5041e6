/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eject.c - `lodger eject`: takes the medium out of a machine's CD drive. */
#include <string.h>

#include "base/i18n.h"
#include "cli/client.h"

static int eject_run(struct client *client, int count, char **arguments)
{
        bool force = count && !strcmp(arguments[count - 1], "--force");
        GError *error = NULL;

        count -= force;
        if (count > 1 || (count && *arguments[0] == '-'))
                return cli_fail(EXIT_USAGE, client->command, _("%s: not understood; \"lodger eject --help\" explains"),
                                arguments[count - 1]);
        if (!control_machine1_call_eject_sync(client->machine, count ? arguments[0] : "", force, NULL, &error))
                return client_fail(client, error);
        return EXIT_OK;
}

int eject_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "eject", .arguments = N_("[DRIVE] [--force]"), .maximum = 2, .run = eject_run,
                .summary = N_("Takes the medium out of a machine's CD drive: cd0, or DRIVE."),
                .description = N_("A guest may have locked the tray; it is then asked to let go.  With --force, the medium is taken\n"
                                  "out all the same."),
        };

        return client_run(&command, argc, argv);
}
