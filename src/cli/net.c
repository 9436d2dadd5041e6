/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net.c - `lodger net`: a running machine's network cards: link, port forwards, captures. */
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "cli/client.h"

static int misused(struct client *client, const char *word)
{
        return cli_fail(EXIT_USAGE, client->command, _("%s: not understood; \"lodger net --help\" explains"), word);
}

/* arguments: an action, its value or values, perhaps a card; *ok: what the machine said. */
static int net_act(struct client *client, int count, char **arguments, bool *ok, GError **error)
{
        const char *action = arguments[0], *value = count > 1 ? arguments[1] : "", *third = count > 2 ? arguments[2] : "";

        if (count < 2)
                return misused(client, action);
        if (!strcmp(action, "link") && count <= 3 && (!strcmp(value, "up") || !strcmp(value, "down"))) {
                *ok = control_machine1_call_set_link_sync(client->machine, third, !strcmp(value, "up"), NULL, error);
        } else if (!strcmp(action, "hostfwd") && (count == 3 || count == 4) && (!strcmp(value, "add") || !strcmp(value, "remove"))) {
                const char *card = count == 4 ? arguments[3] : "";

                *ok = !strcmp(value, "add") ? control_machine1_call_add_forward_sync(client->machine, card, third, NULL, error) :
                                              control_machine1_call_remove_forward_sync(client->machine, card, third, NULL, error);
        } else if (!strcmp(action, "capture") && count <= 3) {
                /* The machine runs in a folder of its own. */
                char *path = strcmp(value, "off") ? g_canonicalize_filename(value, NULL) : g_strdup("");

                *ok = control_machine1_call_capture_sync(client->machine, third, path, NULL, error);
                g_free(path);
        } else {
                return misused(client, strcmp(action, "link") && strcmp(action, "hostfwd") ? action : value);
        }
        return EXIT_OK;
}

static int net_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;
        char *text = NULL;
        bool ok = false;
        int status = EXIT_OK;

        if (count)
                status = net_act(client, count, arguments, &ok, &error);
        else if ((ok = control_machine1_call_get_networks_sync(client->machine, &text, NULL, &error)))
                fputs(text, stdout);
        g_free(text);
        if (status != EXIT_OK)
                return status;
        return ok ? EXIT_OK : client_fail(client, error);
}

int net_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "net", .arguments = N_("[ACTION VALUE... [CARD]]"), .minimum = 0, .maximum = 4, .run = net_run,
                .summary = N_("Shows a machine's network cards, or changes what they are connected to."),
                .description = N_("Actions: link up, link down; hostfwd add tcp:[ADDRESS]:PORT-[ADDRESS]:PORT, hostfwd remove of the same;\n"
                                  "capture FILE (in pcap format), capture off.  CARD is net0 (the default), net1 and so on."),
        };

        return client_run(&command, argc, argv);
}
