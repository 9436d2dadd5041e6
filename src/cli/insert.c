/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insert.c - `lodger insert`: puts an image into a machine's CD drive. */
#include <string.h>

#include "base/i18n.h"
#include "cli/client.h"

static int insert_run(struct client *client, int count, char **arguments)
{
        bool force = count > 1 && !strcmp(arguments[count - 1], "--force");
        GError *error = NULL;
        char *path;
        bool ok;

        count -= force;
        if (count > 2 || (count == 2 && *arguments[1] == '-'))
                return cli_fail(EXIT_USAGE, client->command, _("%s: not understood; \"lodger insert --help\" explains"),
                                arguments[count - 1]);
        /* The machine runs in a folder of its own. */
        path = g_canonicalize_filename(arguments[0], NULL);
        ok = control_machine1_call_insert_sync(client->machine, count == 2 ? arguments[1] : "", path, force, NULL, &error);
        g_free(path);
        return ok ? EXIT_OK : client_fail(client, error);
}

int insert_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "insert", .arguments = N_("FILE [DRIVE] [--force]"), .minimum = 1, .maximum = 3, .run = insert_run,
                .summary = N_("Puts an image into a machine's CD drive: cd0, or DRIVE."),
                .description = N_("What is in the drive is taken out first; see \"lodger eject --help\" about --force."),
        };

        return client_run(&command, argc, argv);
}
