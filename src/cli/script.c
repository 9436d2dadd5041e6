/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * script.c - `lodger run --wait-for REGEX --exec COMMAND`: a machine as one step of a script.
 *
 * The guest's first serial port is a socket, and this file the one that talks to it, on the machine's main
 * loop.  Once the text has come, each command is typed, between two marks that the shell prints:
 *
 *      echo "@""lodger-begin-NONCE@"; COMMAND
 *      echo "@""lodger-end-NONCE:$?@"
 *
 * The quotes keep what the terminal echoes from looking like a mark.  What the shell prints between the marks is the
 * command's output, to standard output; all else that the guest says goes to standard error.
 */
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/cli.h"
#include "cli/script.h"
#include "machine/manage.h"

enum { KEEP_BYTES = 64 << 10 };
enum phase { WAITING, BEFORE_OUTPUT, IN_OUTPUT, FINISHED };

struct script {
        GRegex *wait_for;
        char **commands, **next;
        char *folder, *path;
        char *begin, *end;              /* marks, up to what varies */
        struct machine *machine;
        GSocketConnection *connection;
        GString *text;                  /* what has come and is not dealt with */
        char buffer[4096];
        enum phase phase;
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

static void next_command(struct script *script)
{
        GOutputStream *output = g_io_stream_get_output_stream(G_IO_STREAM(script->connection));
        char *line;

        if (script->status || !script->next || !*script->next) {
                script->answered = true;
                finish(script);
                return;
        }
        line = g_strdup_printf("echo \"@\"\"%s\"; %s\necho \"@\"\"%s$?@\"\n", script->begin + 1, *script->next, script->end + 1);
        script->next++;
        script->phase = BEFORE_OUTPUT;
        /* A few hundred bytes: a socket takes them. */
        if (!g_output_stream_write_all(output, line, strlen(line), NULL, NULL, NULL))
                finish(script);
        g_free(line);
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
                if (g_regex_match(script->wait_for, script->text->str, 0, NULL)) {
                        pass(script, script->text->len, stderr);
                        next_command(script);
                        return script->phase == BEFORE_OUTPUT;
                }
                if (script->text->len > KEEP_BYTES)
                        pass(script, script->text->len - KEEP_BYTES / 2, stderr);
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
        if (script->connection)
                read_more(script);
        else
                finish(script);
}

int script_run(struct session *session, struct option_set *options)
{
        struct script script = { .text = g_string_new(NULL) };
        guint32 nonce = g_random_int();
        GError *error = NULL;
        char *serial;
        int status;

        script.folder = g_dir_make_tmp("lodger-script-XXXXXX", &error);
        if (!script.folder) {
                g_string_free(script.text, TRUE);
                return session_fail(session->command, error);
        }
        script.path = g_build_filename(script.folder, "serial", NULL);
        script.wait_for = g_regex_new(options_text(options, OPTION_WAIT_FOR), G_REGEX_MULTILINE | G_REGEX_RAW, 0, NULL);
        script.commands = script.next = options->values[OPTION_EXEC];
        script.begin = g_strdup_printf("@lodger-begin-%08x@", nonce);
        script.end = g_strdup_printf("@lodger-end-%08x:", nonce);
        serial = g_strdup_printf("unix:%s", script.path);
        options_set(options, OPTION_SERIAL, serial);
        session->running = on_running;
        session->opaque = &script;
        status = session_run(session);
        if (script.answered)
                status = script.status;
        else if (status == EXIT_OK)
                status = cli_fail(EXIT_HOST, session->command, "%s", script.phase == WAITING
                                  ? _("the guest ended before it said what --wait-for waits for") : _("the guest ended before the command did"));
        g_clear_object(&script.connection);
        g_unlink(script.path);
        g_rmdir(script.folder);
        g_regex_unref(script.wait_for);
        g_string_free(script.text, TRUE);
        g_free(serial);
        g_free(script.begin);
        g_free(script.end);
        g_free(script.path);
        g_free(script.folder);
        return status;
}
