/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - what subcommands that talk to a running machine share. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/client.h"
#include "control/error.h"
#include "control/place.h"

enum { TIMEOUT_SECONDS = 10 };
#define OBJECT_PATH "/org/lodger/Machine1"

/* -- Reaching a machine -------------------------------------------------------------------------- */

/* Who listens: the kernel knows of a connection; a process that hangs may have too many waiting to be connected to. */
static void client_identify(struct client *client, GSocket *socket)
{
        GCredentials *credentials = socket ? g_socket_get_credentials(socket, NULL) : NULL;

        client->pid = credentials ? MAX(g_credentials_get_unix_pid(credentials, NULL), 0) : place_find_listener(client->path);
        client->pidfd = client->pid ? (int)syscall(SYS_pidfd_open, client->pid, 0) : -1;
        g_clear_object(&credentials);
}

bool client_reach(struct client *client, unsigned timeout_seconds, GSocket **socket, GError **error)
{
        client->pidfd = -1;
        client->path = place_of(client->name, error);
        if (!client->path)
                return false;
        if (access(client->path, F_OK) < 0 || place_clean(client->path)) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("no such machine is running; \"lodger list\" shows those that are"));
                return false;
        }
        *socket = place_connect(client->path, timeout_seconds, error);
        client_identify(client, *socket);
        return *socket != NULL;
}

bool client_open(struct client *client, unsigned timeout_seconds, GError **error)
{
        GSocketConnection *stream;
        GSocket *socket;

        /* Registers the errors' names before one can arrive. */
        (void)CONTROL_ERROR;
        if (!client_reach(client, timeout_seconds, &socket, error))
                return false;
        stream = g_socket_connection_factory_create_connection(socket);
        client->connection = g_dbus_connection_new_sync(G_IO_STREAM(stream), NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
                                                        NULL, NULL, error);
        /* From now on calls have their own limits, and silence between them is no error. */
        g_socket_set_timeout(socket, 0);
        g_object_unref(stream);
        g_object_unref(socket);
        if (!client->connection)
                return false;
        g_dbus_connection_set_exit_on_close(client->connection, FALSE);
        client->machine = control_machine1_proxy_new_sync(client->connection, G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES, NULL,
                                                          OBJECT_PATH, NULL, error);
        if (!client->machine)
                return false;
        g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(client->machine), (gint)timeout_seconds * 1000);
        return true;
}

void client_close(struct client *client)
{
        g_clear_object(&client->machine);
        g_clear_object(&client->connection);
        if (client->pidfd >= 0)
                close(client->pidfd);
        client->pidfd = -1;
        g_clear_pointer(&client->path, g_free);
}

int client_fail(const struct client *client, GError *error)
{
        int status;

        g_dbus_error_strip_remote_error(error);
        status = cli_fail(EXIT_HOST, client->command, "%s: %s", client->name, error->message);
        g_error_free(error);
        return status;
}

bool client_wait_gone(const struct client *client, int timeout_ms)
{
        struct pollfd wait = { .fd = client->pidfd, .events = POLLIN };
        int result;

        if (client->pidfd < 0)                  /* it had gone before we could look, or cannot be seen from here */
                return true;
        do
                result = poll(&wait, 1, timeout_ms);
        while (result < 0 && errno == EINTR);
        return result > 0;
}

/* -- Subcommands --------------------------------------------------------------------------------- */

int client_run(const struct client_command *command, int argc, char **argv)
{
        char *usage = g_strdup_printf(*command->arguments ? "%s %s" : "%s", _("NAME"), _(command->arguments));
        GOptionContext *context = g_option_context_new(usage);
        struct client client = { .command = command->name, .pidfd = -1 };
        GError *error = NULL;
        int status;

        g_option_context_set_summary(context, _(command->summary));
        if (command->description)
                g_option_context_set_description(context, _(command->description));
        /* What follows the name may start with a hyphen. */
        g_option_context_set_strict_posix(context, TRUE);
        if (cli_parse(context, command->name, &argc, &argv, &status)) {
                int first = argc > 1 && !strcmp(argv[1], "--") ? 2 : 1;
                int count = argc - first - 1;

                if (count < command->minimum || count > command->maximum) {
                        status = cli_fail(EXIT_USAGE, command->name, _("usage: lodger %s %s"), command->name, usage);
                } else {
                        client.name = argv[first];
                        status = client_open(&client, TIMEOUT_SECONDS, &error) ? command->run(&client, count, argv + first + 1)
                                                                               : client_fail(&client, error);
                        client_close(&client);
                }
        }
        g_option_context_free(context);
        g_free(usage);
        return status;
}
