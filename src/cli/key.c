/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key.c - `lodger key`: presses keys. */
#include <limits.h>

#include "base/i18n.h"
#include "cli/client.h"

static int key_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;

        (void)count;
        if (!control_machine1_call_key_sync(client->machine, (const char *const *)arguments, NULL, &error))
                return client_fail(client, error);
        return EXIT_OK;
}

int key_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "key", .arguments = N_("KEY..."), .minimum = 1, .maximum = INT_MAX, .run = key_run,
                .summary = N_("Presses keys of a machine, one after another."),
                .description = N_("Keys held together are joined by hyphens: ctrl-alt-delete.  Names are what is printed on a US\n"
                                  "keyboard: a, 7, f1, enter, escape, tab, space, backspace, up, down, left, right, home, end,\n"
                                  "pageup, pagedown, insert, delete, shift, ctrl, alt, altgr, meta, menu, print, pause,\n"
                                  "capslock, numlock, scrolllock, minus, equal, kp_1, kp_enter ..."),
        };

        return client_run(&command, argc, argv);
}
