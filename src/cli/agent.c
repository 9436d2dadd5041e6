/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent.c - commands carried out by the guest's agent: the QEMU guest agent's protocol, as far as we need it.
 *
 * Requests and answers are JSON objects, a line each.  A channel that no agent has opened swallows what is written, so
 * guest-sync-delimited is repeated until its answer comes: "\xff" before it makes the agent forget half lines (and
 * complain of them), and in front of the answer makes us forget what was meant for somebody else.  A last one with
 * another number follows: behind its answer, all those of the repeated ones and all complaints are past.  Then the
 * system is asked for (Windows has another shell), and each command goes through guest-exec and guest-exec-status,
 * which is asked until it has ended.
 *
 * Of an answer only a few members are looked at, whose values are numbers, booleans and base64 and so hold no quotes.
 */
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/agent.h"

enum { SYNC_MS = 500, STATUS_MS = 50, LINE_BYTES = 32 << 20, SIGNALLED = 128 };
enum agent_state { SEEKING, SETTLING, ASKING_SYSTEM, READY, STARTING, RUNNING };

struct agent {
        GSocketConnection *connection;
        GCancellable *cancel;
        GString *line, *unsent;         /* unsent: while a write is under way */
        bool writing;
        char buffer[4096], *written;
        enum agent_state state;
        bool windows;
        guint timer;
        guint32 sync;
        gint64 pid;
        void (*answered)(void *opaque);
        void (*done)(void *opaque, int status);
        void *opaque;
};

/* -- Writing ------------------------------------------------------------------------------------- */

static void write_more(struct agent *agent);

static void on_written(GObject *stream, GAsyncResult *result, gpointer opaque)
{
        GError *error = NULL;
        struct agent *agent;

        if (!g_output_stream_write_all_finish(G_OUTPUT_STREAM(stream), result, NULL, &error)) {
                /* Cancelled: the agent is gone.  Otherwise the machine ends, which others notice. */
                g_error_free(error);
                return;
        }
        agent = opaque;
        g_clear_pointer(&agent->written, g_free);
        agent->writing = false;
        write_more(agent);
}

static void write_more(struct agent *agent)
{
        gsize size = agent->unsent->len;

        if (agent->writing || !size)
                return;
        agent->writing = true;
        agent->written = g_memdup2(agent->unsent->str, size);
        g_string_truncate(agent->unsent, 0);
        g_output_stream_write_all_async(g_io_stream_get_output_stream(G_IO_STREAM(agent->connection)), agent->written, size,
                                        G_PRIORITY_DEFAULT, agent->cancel, on_written, agent);
}

static void append_json(GString *text, const char *value)
{
        g_string_append_c(text, '"');
        for (const char *at = value; *at; at++) {
                if (*at == '"' || *at == '\\')
                        g_string_append_c(text, '\\');
                if ((unsigned char)*at < ' ')
                        g_string_append_printf(text, "\\u%04x", (unsigned)*at);
                else
                        g_string_append_c(text, *at);
        }
        g_string_append_c(text, '"');
}

/* -- Reading ------------------------------------------------------------------------------------- */

/* What stands behind "key": in the line; NULL: it is not there. */
static const char *member(const char *line, const char *key)
{
        char *quoted = g_strdup_printf("\"%s\"", key);
        const char *at = strstr(line, quoted);

        if (at) {
                at += strlen(quoted);
                at += strspn(at, " \t");
                at = *at == ':' ? at + 1 + strspn(at + 1, " \t") : NULL;
        }
        g_free(quoted);
        return at;
}

static gint64 number_of(const char *line, const char *key)
{
        const char *at = member(line, key);

        return at ? g_ascii_strtoll(at, NULL, 10) : 0;
}

static void print_member(const char *line, const char *key, FILE *to)
{
        const char *at = member(line, key), *end = at && *at == '"' ? strchr(at + 1, '"') : NULL;
        char *text;
        guchar *bytes;
        gsize size;

        if (!end)
                return;
        text = g_strndup(at + 1, (gsize)(end - at - 1));
        bytes = g_base64_decode(text, &size);
        fwrite(bytes, 1, size, to);
        fflush(to);
        g_free(bytes);
        g_free(text);
}

/* -- The conversation ------------------------------------------------------------------------------ */

static void send_sync(struct agent *agent, const char *before, guint32 number)
{
        g_string_append_printf(agent->unsent, "%s{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%u}}\n", before, number);
        write_more(agent);
}

static gboolean on_timer(gpointer opaque)
{
        struct agent *agent = opaque;

        agent->timer = 0;
        if (agent->state == RUNNING) {
                g_string_append_printf(agent->unsent, "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":%" G_GINT64_FORMAT "}}\n",
                                       agent->pid);
        } else if (agent->state == SEEKING) {
                agent->timer = g_timeout_add(SYNC_MS, on_timer, agent);
                /* Nobody reads yet: what waits to be read is as good as another one. */
                if (!agent->writing)
                        send_sync(agent, "\xff", agent->sync);
        }
        write_more(agent);
        return G_SOURCE_REMOVE;
}

static void end_command(struct agent *agent, int status)
{
        agent->state = READY;
        agent->done(agent->opaque, status);
}

static void take_status(struct agent *agent, const char *line)
{
        const char *exited = member(line, "exited");

        if (!exited)
                return;
        if (!g_str_has_prefix(exited, "true") && *exited != '1') {
                agent->timer = g_timeout_add(STATUS_MS, on_timer, agent);
        } else {
                gint64 signal = number_of(line, "signal");

                print_member(line, "out-data", stdout);
                print_member(line, "err-data", stderr);
                end_command(agent, (int)((signal ? SIGNALLED + signal : number_of(line, "exitcode")) & 255));
        }
}

static void take_line(struct agent *agent, const char *line)
{
        if ((agent->state == STARTING || agent->state == RUNNING) && member(line, "error")) {
                end_command(agent, -1);
                return;
        }
        switch (agent->state) {
        case SEEKING:
                if (!member(line, "return") || number_of(line, "return") != agent->sync)
                        break;
                g_clear_handle_id(&agent->timer, g_source_remove);
                agent->state = SETTLING;
                send_sync(agent, "", ++agent->sync);
                break;
        case SETTLING:
                if (!member(line, "return") || number_of(line, "return") != agent->sync)
                        break;
                agent->state = ASKING_SYSTEM;
                g_string_append(agent->unsent, "{\"execute\":\"guest-get-osinfo\"}\n");
                write_more(agent);
                break;
        case ASKING_SYSTEM:
                agent->windows = strstr(line, "\"mswindows\"");
                agent->state = READY;
                agent->answered(agent->opaque);
                break;
        case STARTING:
                agent->pid = number_of(line, "pid");
                if (!member(line, "pid"))
                        break;
                agent->state = RUNNING;
                on_timer(agent);
                break;
        case RUNNING:
                take_status(agent, line);
                break;
        case READY:
                break;
        }
}

static void on_read(GObject *stream, GAsyncResult *result, gpointer opaque)
{
        GError *error = NULL;
        gssize size = g_input_stream_read_finish(G_INPUT_STREAM(stream), result, &error);
        struct agent *agent = opaque;
        char *line;

        if (size <= 0) {
                g_clear_error(&error);
                return;
        }
        for (gssize i = 0; i < size; i++) {
                char byte = agent->buffer[i];

                if (byte == '\xff' || agent->line->len >= LINE_BYTES)
                        g_string_truncate(agent->line, 0);
                else if (byte && byte != '\n')
                        g_string_append_c(agent->line, byte);
                if (byte != '\n' || !agent->line->len)
                        continue;
                line = g_string_free(agent->line, FALSE);
                agent->line = g_string_new(NULL);
                take_line(agent, line);
                g_free(line);
        }
        g_input_stream_read_async(G_INPUT_STREAM(stream), agent->buffer, sizeof(agent->buffer), G_PRIORITY_DEFAULT, agent->cancel, on_read,
                                  agent);
}

/* -- Life and use ---------------------------------------------------------------------------------- */

bool agent_is_there(const struct agent *agent) { return agent && agent->state >= READY; }

void agent_run(struct agent *agent, const char *command, void (*done)(void *opaque, int status))
{
        g_string_append_printf(agent->unsent, "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"%s\",\"arg\":[\"%s\",",
                               agent->windows ? "cmd.exe" : "/bin/sh", agent->windows ? "/c" : "-c");
        append_json(agent->unsent, command);
        g_string_append(agent->unsent, "],\"capture-output\":true}}\n");
        agent->done = done;
        agent->state = STARTING;
        write_more(agent);
}

struct agent *agent_new(const char *path, void (*answered)(void *opaque), void *opaque)
{
        GSocketAddress *address = g_unix_socket_address_new(path);
        GSocketClient *client = g_socket_client_new();
        GSocketConnection *connection = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
        struct agent *agent;

        g_object_unref(client);
        g_object_unref(address);
        if (!connection)
                return NULL;
        agent = g_new0(struct agent, 1);
        agent->connection = connection;
        agent->cancel = g_cancellable_new();
        agent->line = g_string_new(NULL);
        agent->unsent = g_string_new(NULL);
        agent->sync = g_random_int() >> 1;
        agent->answered = answered;
        agent->opaque = opaque;
        g_input_stream_read_async(g_io_stream_get_input_stream(G_IO_STREAM(connection)), agent->buffer, sizeof(agent->buffer),
                                  G_PRIORITY_DEFAULT, agent->cancel, on_read, agent);
        on_timer(agent);
        return agent;
}

void agent_free(struct agent *agent)
{
        if (!agent)
                return;
        g_clear_handle_id(&agent->timer, g_source_remove);
        g_cancellable_cancel(agent->cancel);
        /* Their callbacks touch the agent no more once they see the cancellation. */
        while (g_main_context_iteration(NULL, FALSE))
                ;
        g_object_unref(agent->cancel);
        g_object_unref(agent->connection);
        g_string_free(agent->line, TRUE);
        g_string_free(agent->unsent, TRUE);
        g_free(agent->written);
        g_free(agent);
}
