/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_agent.c - the conversation with a guest's agent, played here by a script: noise, refusals and nonsense included. */
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/agent.h"
#include "unit.h"

static char *folder, *path;
static GSocketService *service;
static GSocketConnection *guest;
static GDataInputStream *from_host;
static struct agent *agent;
static bool answered, hostile;
static int status, statuses, asked;
static char *executed;

static void say(const char *text)
{
        g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(guest)), text, strlen(text), NULL, NULL, NULL);
}

static void hear(const char *line)
{
        const char *id = strstr(line, "\"id\":");
        char *text;

        if (id) {
                if (*line == '\xff')
                        say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\n");
                text = g_strdup_printf("\xff{\"return\": %llu}\n", (unsigned long long)g_ascii_strtoull(id + 5, NULL, 10));
                say(text);
                if (*line == '\xff')            /* an earlier one was there too */
                        say(text);
                g_free(text);
        } else if (strstr(line, "guest-get-osinfo")) {
                say("{\"return\": {\"id\": \"debian\"}}\n");
        } else if (strstr(line, "guest-exec-status")) {
                say(asked++ < 2 ? "{\"return\": {\"exited\": false}}\n"
                                : "{\"return\": {\"exitcode\": 300, \"out-data\": \"aGVsbG8K\", \"exited\": true}}\n");
        } else if (hostile) {
                say("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"disabled\"}}\n");
        } else {
                g_free(executed);
                executed = g_strdup(line);
                asked = 0;
                say("{\"return\": {\"pid\": 77}}\n");
        }
}

static void on_line(GObject *stream, GAsyncResult *result, gpointer opaque)
{
        char *line = g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(stream), result, NULL, NULL);

        (void)opaque;
        if (!line)
                return;
        hear(line);
        g_free(line);
        g_data_input_stream_read_line_async(from_host, G_PRIORITY_DEFAULT, NULL, on_line, NULL);
}

static gboolean on_incoming(GSocketService *from, GSocketConnection *connection, GObject *source, gpointer opaque)
{
        (void)from, (void)source, (void)opaque;
        guest = g_object_ref(connection);
        if (hostile) {
                char *rubbish = g_strnfill(10000, '{');

                say(rubbish);
                say("\n\n\xff\xff{\"return\": }\n{\"return\": {\"pid\"\n\"exited\": true\n");
                g_free(rubbish);
        }
        from_host = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
        g_data_input_stream_read_line_async(from_host, G_PRIORITY_DEFAULT, NULL, on_line, NULL);
        return TRUE;
}

static void on_answered(void *opaque)
{
        (void)opaque;
        answered = true;
}

static void on_done(void *opaque, int result)
{
        (void)opaque;
        status = result;
        statuses++;
}

static void open_channel(void)
{
        GSocketAddress *address;

        folder = g_dir_make_tmp("lodger-agent-XXXXXX", NULL);
        path = g_build_filename(folder, "agent", NULL);
        address = g_unix_socket_address_new(path);
        service = g_socket_service_new();
        ck_assert(g_socket_listener_add_address(G_SOCKET_LISTENER(service), address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL,
                                                NULL));
        g_object_unref(address);
        g_signal_connect(service, "incoming", G_CALLBACK(on_incoming), NULL);
        agent = agent_new(path, on_answered, NULL);
        ck_assert_ptr_nonnull(agent);
        ck_assert(!agent_is_there(agent));
        while (!answered)
                g_main_context_iteration(NULL, TRUE);
        ck_assert(agent_is_there(agent));
}

static void close_channel(void)
{
        agent_free(agent);
        g_clear_object(&from_host);
        g_clear_object(&guest);
        g_socket_service_stop(service);
        g_object_unref(service);
        g_unlink(path);
        g_rmdir(folder);
        g_free(path);
        g_free(folder);
        g_free(executed);
}

static void run(const char *command)
{
        int before = statuses;

        agent_run(agent, command, on_done);
        while (statuses == before)
                g_main_context_iteration(NULL, TRUE);
}

START_TEST(test_commands)
{
        open_channel();
        run("echo \"a\\b\"\n\x01");
        ck_assert_int_eq(status, 300 & 255);
        ck_assert_str_eq(executed, "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/sh\",\"arg\":[\"-c\",\"echo \\\"a\\\\b\\\"\\u000a\\u0001\"],"
                                   "\"capture-output\":true}}");
        run("true");
        ck_assert_int_eq(statuses, 2);
        close_channel();
}
END_TEST

START_TEST(test_refusal)
{
        hostile = true;
        open_channel();
        run("true");
        ck_assert_int_eq(status, -1);
        close_channel();
}
END_TEST

UNIT_MAIN("agent", test_commands, test_refusal)
