/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resume.c - `lodger resume`: a paused machine goes on. */
#include "base/i18n.h"
#include "cli/client.h"

static int resume_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;

        (void)count;
        (void)arguments;
        if (!control_machine1_call_resume_sync(client->machine, NULL, &error))
                return client_fail(client, error);
        return EXIT_OK;
}

int resume_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "resume", .arguments = "", .summary = N_("Lets a paused machine go on."), .run = resume_run,
        };

        return client_run(&command, argc, argv);
}
