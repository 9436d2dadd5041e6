/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ssh.c - `lodger ssh`: becomes ssh(1), to the host's port that is forwarded to the guest's port 22. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/client.h"

enum { FIXED_WORDS = 8 };

/* What was written before the '@' of USER@NAME. */
static const char *user;

/* Where the guest's port 22 is reached; NULL: no forward.  `text` is what the machine says of its cards. */
static char *find_forward(const char *text, char **port)
{
        GRegex *regex = g_regex_new("hostfwd=tcp:([^:,]*):([0-9]+)-[^:,]*:22$", G_REGEX_MULTILINE, 0, NULL);
        char **cards = g_regex_split_simple("[,\n]", text, 0, 0), *address = NULL;
        GMatchInfo *match;

        for (char **word = cards; *word && !address; word++) {
                if (g_regex_match(regex, *word, 0, &match)) {
                        address = g_match_info_fetch(match, 1);
                        *port = g_match_info_fetch(match, 2);
                }
                g_match_info_free(match);
        }
        g_strfreev(cards);
        g_regex_unref(regex);
        if (address && (!*address || !strcmp(address, "0.0.0.0"))) {
                g_free(address);
                address = g_strdup("127.0.0.1");
        }
        return address;
}

/* Does not return, but when there is no ssh. */
static int become_ssh(const struct client *client, const char *address, const char *port, int count, char **arguments)
{
        /* Each machine has a host key of its own, though all are at one address. */
        char *alias = g_strdup_printf("HostKeyAlias=lodger-%s", client->name);
        const char **words = g_new0(const char *, (gsize)(FIXED_WORDS + count + 1));
        int n = 0, number;

        words[n++] = "ssh";
        words[n++] = "-o";
        words[n++] = alias;
        words[n++] = "-p";
        words[n++] = port;
        if (user) {
                words[n++] = "-l";
                words[n++] = user;
        }
        words[n++] = address;
        for (int i = 0; i < count; i++)
                words[n++] = arguments[i];
        signal(SIGPIPE, SIG_DFL);
        execvp(words[0], (char **)words);
        number = errno;
        g_free(words);
        g_free(alias);
        return cli_fail(EXIT_HOST, client->command, "ssh: %s; %s", g_strerror(number), _("install openssh-client"));
}

static int ssh_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;
        char *text = NULL, *address, *port = NULL;
        int status;

        if (!control_machine1_call_get_networks_sync(client->machine, &text, NULL, &error))
                return client_fail(client, error);
        address = find_forward(text, &port);
        status = address ? become_ssh(client, address, port, count, arguments)
                         : cli_fail(EXIT_HOST, client->command, _("%s: none of its cards forwards a port to the guest's port 22; "
                                    "\"lodger net %s hostfwd add tcp:127.0.0.1:2222-:22\" adds one while it runs"), client->name, client->name);
        g_free(address);
        g_free(port);
        g_free(text);
        return status;
}

int ssh_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "ssh", .arguments = N_("[ARGUMENT...]"), .minimum = 0, .maximum = G_MAXINT / 2, .run = ssh_run,
                .summary = N_("Logs in to a machine's guest with ssh(1), which gets the arguments."),
                .description = N_("NAME may be USER@NAME.  One of the machine's cards must forward a port of this host to the guest's port 22."),
        };
        char *at = argc > 1 ? strchr(argv[1], '@') : NULL;

        if (at) {
                *at = '\0';
                user = argv[1];
                argv[1] = at + 1;
        }
        return client_run(&command, argc, argv);
}
