/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * script.c - `lodger run --wait-for REGEX --exec COMMAND`: a machine as one step of a script.
 *
 * The guest's first serial port is a socket, and this file the one that talks to it, on the machine's main
 * loop.  Once the text has come, each command is typed, between two marks that the shell prints:
 *
 *      echo "@""lodger-begin-NONCE@"; (COMMAND
 *      )
 *      echo "@""lodger-end-NONCE:$?@"
 *
 * An "exit" ends a shell of its own.  The quotes keep what the terminal echoes from looking like a mark.  What the shell
 * prints between the marks is the command's output, to standard output; all else that the guest says goes to standard
 * error.
 *
 * Where the guest's agent answers before the text comes, or there is no text to wait for, commands go through it instead.
 */
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/script.h"
#include "machine/manage.h"

enum { KEEP_BYTES = 64 << 10, CHANNELS_MAX = 3 };
enum phase { WAITING, WITH_AGENT, BEFORE_OUTPUT, IN_OUTPUT, FINISHED };

struct script {
        GRegex *wait_for;               /* NULL: for the agent */
        char **next;                    /* command */
        char *folder, *path;            /* path: of the serial port's socket */
        char *agent_path;               /* of the agent's; NULL: no channel for one */
        struct agent *agent;
        char *begin, *end;              /* marks, up to what varies */
        struct machine *machine;
        GSocketConnection *connection;
        GString *text;                  /* what has come and is not dealt with */
        char buffer[4096];
        enum phase phase;
        bool agent_refuses;             /* to carry out commands */
        bool answered;                  /* text came, and every command was done */
        int status;
};

/* Passes the first `size` bytes on, without the carriage returns of the line ends. */
static void pass(struct script *script, gsize size, FILE *to)
{
        for (gsize i = 0; i < size; i++)
                if (script->text->str[i] != '\r')
                        fputc(script->text->str[i], to);
        fflush(to);
        g_string_erase(script->text, 0, (gssize)size);
}

static void finish(struct script *script)
{
        script->phase = FINISHED;
        machine_stop(script->machine);
}

static void on_agent_done(void *opaque, int status);

static void type_command(struct script *script)
{
        GOutputStream *output = g_io_stream_get_output_stream(G_IO_STREAM(script->connection));
        char *line = g_strdup_printf("echo \"@\"\"%s\"; (%s\n)\necho \"@\"\"%s$?@\"\n", script->begin + 1, *script->next, script->end + 1);
        script->phase = BEFORE_OUTPUT;
        /* A few hundred bytes: a socket takes them. */
        if (!g_output_stream_write_all(output, line, strlen(line), NULL, NULL, NULL))
                finish(script);
        g_free(line);
}

static void next_command(struct script *script)
{
        if (script->status || !script->next || !*script->next) {
                script->answered = true;
                finish(script);
        } else if (agent_is_there(script->agent) && !script->agent_refuses) {
                script->phase = WITH_AGENT;
                agent_run(script->agent, *script->next, on_agent_done);
        } else if (!script->wait_for) {
                finish(script);
        } else {
                type_command(script);
        }
}

static void on_agent_done(void *opaque, int status)
{
        struct script *script = opaque;

        if (script->phase != WITH_AGENT)
                return;
        if (status < 0) {               /* guests may forbid it: the shell remains */
                script->agent_refuses = true;
        } else {
                script->status = status;
                script->next++;
        }
        next_command(script);
}

static void on_agent_answered(void *opaque)
{
        struct script *script = opaque;

        if (!script->wait_for && script->phase == WAITING)
                next_command(script);
}

/* Text that may be the beginning of a mark is kept. */
static gsize safe_size(const struct script *script, const char *mark)
{
        gsize length = strlen(mark), size = script->text->len;

        for (gsize keep = MIN(length - 1, size); keep; keep--)
                if (!strncmp(script->text->str + size - keep, mark, keep))
                        return size - keep;
        return size;
}

/* False: more text is needed. */
static bool advance(struct script *script)
{
        const char *found, *digits;
        char *after;
        gsize before;

        switch (script->phase) {
        case WAITING:
                if (!script->wait_for) {
                        pass(script, script->text->len, stderr);
                        return false;
                }
                if (g_regex_match(script->wait_for, script->text->str, 0, NULL)) {
                        pass(script, script->text->len, stderr);
                        next_command(script);
                        return script->phase == BEFORE_OUTPUT;
                }
                if (script->text->len > KEEP_BYTES)
                        pass(script, script->text->len - KEEP_BYTES / 2, stderr);
                return false;
        case WITH_AGENT:
                pass(script, script->text->len, stderr);
                return false;
        case BEFORE_OUTPUT:
                found = strstr(script->text->str, script->begin);
                if (!found) {
                        pass(script, safe_size(script, script->begin), stderr);
                        return false;
                }
                after = strchr(found, '\n');
                if (!after)
                        return false;
                g_string_erase(script->text, 0, after + 1 - script->text->str);
                script->phase = IN_OUTPUT;
                return true;
        case IN_OUTPUT:
                found = strstr(script->text->str, script->end);
                if (!found) {
                        pass(script, safe_size(script, script->end), stdout);
                        return false;
                }
                digits = found + strlen(script->end);
                if (!strchr(digits, '@'))
                        return false;
                script->status = (int)(g_ascii_strtoull(digits, &after, 10) & 255);
                script->next++;
                before = (gsize)(found - script->text->str);
                pass(script, before, stdout);
                g_string_truncate(script->text, 0);
                next_command(script);
                return false;
        case FINISHED:
                break;
        }
        return false;
}

static void read_more(struct script *script);

static void on_read(GObject *stream, GAsyncResult *result, gpointer opaque)
{
        gssize size = g_input_stream_read_finish(G_INPUT_STREAM(stream), result, NULL);
        struct script *script = opaque;

        if (size <= 0)
                return;
        for (gssize i = 0; i < size; i++)
                if (script->buffer[i])          /* what searches the text ends at a zero */
                        g_string_append_c(script->text, script->buffer[i]);
        while (advance(script))
                ;
        if (script->phase != FINISHED)
                read_more(script);
}

static void read_more(struct script *script)
{
        g_input_stream_read_async(g_io_stream_get_input_stream(G_IO_STREAM(script->connection)), script->buffer, sizeof(script->buffer),
                                  G_PRIORITY_DEFAULT, NULL, on_read, script);
}

static void on_running(void *opaque, struct machine *machine)
{
        struct script *script = opaque;
        GSocketAddress *address = g_unix_socket_address_new(script->path);
        GSocketClient *client = g_socket_client_new();

        script->machine = machine;
        script->connection = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
        g_object_unref(client);
        g_object_unref(address);
        if (script->agent_path)
                script->agent = agent_new(script->agent_path, on_agent_answered, script);
        if (script->connection)
                read_more(script);
        else
                finish(script);
}

/* The guest gets a channel for its agent, unless somebody else serves that or there is no room. */
static void add_agent_channel(struct script *script, struct option_set *options)
{
        char **consoles = options->values[OPTION_CONSOLE], *channel;

        for (char **value = consoles; value && *value; value++)
                if (g_str_has_suffix(*value, ",name=" AGENT_CHANNEL))
                        return;
        if (consoles && g_strv_length(consoles) >= CHANNELS_MAX)
                return;
        script->agent_path = g_build_filename(script->folder, "agent", NULL);
        channel = g_strdup_printf("unix:%s,name=%s", script->agent_path, AGENT_CHANNEL);
        options_add(options, OPTION_CONSOLE, channel);
        g_free(channel);
}

static bool script_prepare(struct script *script, struct option_set *options, GError **error)
{
        const char *wait_for = options_text(options, OPTION_WAIT_FOR);
        guint32 nonce = g_random_int();
        char *serial;

        script->folder = g_dir_make_tmp("lodger-script-XXXXXX", error);
        if (!script->folder)
                return false;
        script->path = g_build_filename(script->folder, "serial", NULL);
        script->wait_for = wait_for ? g_regex_new(wait_for, G_REGEX_MULTILINE | G_REGEX_RAW, 0, NULL) : NULL;
        script->next = options->values[OPTION_EXEC];
        script->begin = g_strdup_printf("@lodger-begin-%08x@", nonce);
        script->end = g_strdup_printf("@lodger-end-%08x:", nonce);
        serial = g_strdup_printf("unix:%s", script->path);
        options_set(options, OPTION_SERIAL, serial);
        g_free(serial);
        if (script->next)
                add_agent_channel(script, options);
        return true;
}

static void script_clear(struct script *script)
{
        agent_free(script->agent);
        g_clear_object(&script->connection);
        g_unlink(script->path);
        if (script->agent_path)
                g_unlink(script->agent_path);
        g_rmdir(script->folder);
        g_clear_pointer(&script->wait_for, g_regex_unref);
        g_free(script->begin);
        g_free(script->end);
        g_free(script->path);
        g_free(script->agent_path);
        g_free(script->folder);
}

int script_run(struct session *session, struct option_set *options)
{
        struct script script = { .text = g_string_new(NULL) };
        GError *error = NULL;
        int status;

        if (!script_prepare(&script, options, &error)) {
                g_string_free(script.text, TRUE);
                return session_fail(session->command, error);
        }
        session->running = on_running;
        session->opaque = &script;
        status = session_run(session);
        if (script.answered)
                status = script.status;
        else if (status == EXIT_OK)
                status = cli_fail(EXIT_HOST, session->command, "%s",
                                  script.agent_refuses ? _("the guest's agent does not carry out commands; give --wait-for and have them typed")
                                  : script.phase == WAITING ? _("the guest ended before it said what --wait-for waits for")
                                                            : _("the guest ended before the command did"));
        script_clear(&script);
        g_string_free(script.text, TRUE);
        return status;
}
