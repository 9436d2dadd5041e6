/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.c - the GDB server's sockets, and packets in and out: $TEXT#SUM, with + and - until acknowledgement is off.
 *
 * One debugger at a time.  A connection stops the machine, its end lets the machine go on.  What a debugger does not
 * read is kept up to GDB_OUT_MAX, then the connection is closed; so it is after a packet that is too long.
 */
#include <glib/gstdio.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>
#include "gdb/internal.h"

/* -- Out ---------------------------------------------------------------------------------------------------- */

static void source_clear(GSource **source)
{
        if (!*source)
                return;
        g_source_destroy(*source);
        g_source_unref(*source);
        *source = NULL;
}

static GSource *watch_socket(struct gdb_server *server, GIOCondition condition, GSocketSourceFunc fn)
{
        GSource *source = g_socket_create_source(g_socket_connection_get_socket(server->connection), condition, NULL);

        g_source_set_callback(source, G_SOURCE_FUNC(fn), server, NULL);
        g_source_attach(source, g_main_context_get_thread_default());
        return source;
}

static gboolean can_write(GSocket *socket, GIOCondition condition, gpointer opaque)
{
        struct gdb_server *server = opaque;
        GError *error = NULL;

        (void)condition;
        if (server->out->len) {
                gssize sent = g_socket_send_with_blocking(socket, (const gchar *)server->out->data, server->out->len, FALSE, NULL, &error);
                if (sent > 0)
                        g_byte_array_remove_range(server->out, 0, (guint)sent);
                else if (error && !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
                        g_byte_array_set_size(server->out, 0);  /* the reading side sees the end */
                g_clear_error(&error);
        }
        if (server->out->len)
                return G_SOURCE_CONTINUE;
        source_clear(&server->out_source);
        return G_SOURCE_REMOVE;
}

static void send_raw(struct gdb_server *server, const char *bytes, size_t length)
{
        if (!server->connection || server->out->len + length > GDB_OUT_MAX)
                return;
        g_byte_array_append(server->out, (const guint8 *)bytes, (guint)length);
        if (!server->out_source) {
                server->out_source = watch_socket(server, G_IO_OUT, can_write);
                can_write(g_socket_connection_get_socket(server->connection), G_IO_OUT, server);
        }
}

void gdb_send_binary(struct gdb_server *server, const char *bytes, size_t length)
{
        GString *packet = g_string_new("$");
        uint8_t sum = 0;

        for (size_t i = 0; i < length; i++) {
                if (strchr("$#}*", bytes[i]) && bytes[i]) {
                        g_string_append_c(packet, '}');
                        g_string_append_c(packet, (char)(bytes[i] ^ 0x20));
                } else {
                        g_string_append_c(packet, bytes[i]);
                }
        }
        for (gsize i = 1; i < packet->len; i++)
                sum = (uint8_t)(sum + (uint8_t)packet->str[i]);
        g_string_append_printf(packet, "#%02x", sum);
        send_raw(server, packet->str, packet->len);
        g_string_free(packet, TRUE);
}

void gdb_send(struct gdb_server *server, const char *text) { gdb_send_binary(server, text, strlen(text)); }

/* -- In ----------------------------------------------------------------------------------------------------------- */

void gdb_disconnect(struct gdb_server *server)
{
        if (!server->connection)
                return;
        if (server->out->len)           /* the last answer, as far as it goes */
                g_socket_send_with_blocking(g_socket_connection_get_socket(server->connection), (const gchar *)server->out->data,
                                            server->out->len, FALSE, NULL, NULL);
        source_clear(&server->in_source);
        source_clear(&server->out_source);
        g_io_stream_close(G_IO_STREAM(server->connection), NULL, NULL);
        g_clear_object(&server->connection);
        g_byte_array_set_size(server->in, 0);
        g_byte_array_set_size(server->out, 0);
        machine_debug_attach(server->machine, NULL, NULL);
        machine_debug_pause(server->machine);
        server->points.count = 0;
        gdb_points_changed(server);
        for (unsigned i = 0; i < machine_debug_cpus(server->machine); i++) {
                struct cpu *cpu = machine_debug_cpu(server->machine, i);
                cpu->debug_step = false;
                cpu->debug_stop = DEBUG_STOP_NONE;
        }
        machine_debug_resume(server->machine);
}

/* The machine stopped by itself. */
static void stopped(void *opaque)
{
        struct gdb_server *server = opaque;

        if (server->running)
                gdb_report_stop(server, false);
}

static void interrupt(struct gdb_server *server)
{
        if (!server->running)
                return;
        machine_debug_pause(server->machine);
        gdb_report_stop(server, true);
}

/* Takes one packet or signal from the front of what came in; false: it is not complete. */
static bool take_packet(struct gdb_server *server)
{
        GByteArray *in = server->in;
        const uint8_t *end;

        if (!in->len)
                return false;
        if (in->data[0] != '$') {
                if (in->data[0] == 3)
                        interrupt(server);
                g_byte_array_remove_index(in, 0);       /* +, - (a stream loses nothing), or noise */
                return true;
        }
        end = memchr(in->data, '#', in->len);
        if (!end || end + 2 >= in->data + in->len)
                return false;
        size_t length = (size_t)(end - in->data) - 1;
        uint8_t sum = 0;
        for (size_t i = 0; i < length; i++)
                sum = (uint8_t)(sum + in->data[1 + i]);
        bool good = g_ascii_xdigit_value((char)end[1]) == sum >> 4 && g_ascii_xdigit_value((char)end[2]) == (sum & 15);
        char *text = g_malloc(length + 1);
        memcpy(text, in->data + 1, length);
        text[length] = '\0';
        g_byte_array_remove_range(in, 0, (guint)length + 4);
        if (!server->no_ack)
                send_raw(server, good ? "+" : "-", 1);
        if (good)
                gdb_command(server, text, length);
        g_free(text);
        return true;
}

static gboolean can_read(GSocket *socket, GIOCondition condition, gpointer opaque)
{
        struct gdb_server *server = opaque;
        GError *error = NULL;
        char bytes[4096];

        (void)condition;
        gssize n = g_socket_receive_with_blocking(socket, bytes, sizeof(bytes), FALSE, NULL, &error);
        if (n < 0 && g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
                g_error_free(error);
                return G_SOURCE_CONTINUE;
        }
        g_clear_error(&error);
        if (n > 0) {
                g_byte_array_append(server->in, (const guint8 *)bytes, (guint)n);
                while (server->connection && take_packet(server))
                        continue;
                if (server->connection && server->in->len <= GDB_PACKET_MAX + 4 && server->out->len < GDB_OUT_MAX / 2)
                        return G_SOURCE_CONTINUE;
        }
        gdb_disconnect(server);
        return G_SOURCE_REMOVE;
}

/* -- Connections ----------------------------------------------------------------------------------------------------- */

static void accept_next(struct gdb_server *server);

static void accepted(GObject *object, GAsyncResult *result, gpointer opaque)
{
        struct gdb_server *server = opaque;
        GError *error = NULL;
        GSocketConnection *connection = g_socket_listener_accept_finish(G_SOCKET_LISTENER(object), result, NULL, &error);

        if (!connection) {
                bool cancelled = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
                g_error_free(error);
                if (!cancelled)
                        accept_next(server);
                return;
        }
        if (server->connection) {
                g_object_unref(connection);     /* one debugger at a time */
        } else {
                server->connection = connection;
                server->no_ack = server->running = server->physical = false;
                server->current = 0;
                machine_debug_attach(server->machine, stopped, server);
                machine_debug_pause(server->machine);
                server->arch = server->arch_asked != GDB_ARCH_AUTO ? server->arch_asked
                        : cpu_long_mode(machine_debug_cpu(server->machine, 0)) ? GDB_ARCH_X86_64 : GDB_ARCH_I386;
                server->in_source = watch_socket(server, G_IO_IN, can_read);
        }
        accept_next(server);
}

static void accept_next(struct gdb_server *server)
{
        g_socket_listener_accept_async(server->listener, server->cancel, accepted, server);
}

/* -- Making and freeing ------------------------------------------------------------------------------------------------- */

/* Cuts ",wait" and ",arch=..." off the end of spec. */
static bool take_options(struct gdb_server *server, char *spec, GError **error)
{
        char *comma;

        while ((comma = strrchr(spec, ','))) {
                if (!strcmp(comma, ",wait")) {
                        server->wait = true;
                } else if (!strcmp(comma, ",arch=i386")) {
                        server->arch_asked = GDB_ARCH_I386;
                } else if (!strcmp(comma, ",arch=x86-64")) {
                        server->arch_asked = GDB_ARCH_X86_64;
                } else {
                        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                                    "--gdb %s: no such option; write ,wait or ,arch=i386 or ,arch=x86-64", spec);
                        return false;
                }
                *comma = '\0';
        }
        return true;
}

static GSocketAddress *parse_address(const char *spec, GError **error)
{
        if (g_str_has_prefix(spec, "unix:") && spec[5])
                return g_unix_socket_address_new(spec + 5);
        const char *colon = strrchr(spec, ':');
        const char *port = colon ? colon + 1 : spec;
        bool local = !colon || colon == spec || g_str_has_prefix(spec, "localhost:");
        char *host = local ? g_strdup("127.0.0.1") : g_strndup(spec, (gsize)(colon - spec));
        guint64 number;
        GSocketAddress *address = NULL;
        if (g_ascii_string_to_unsigned(port, 10, 1, 65535, &number, NULL))
                address = g_inet_socket_address_new_from_string(host, (guint)number);
        if (!address)
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "--gdb %s: no address; write for example 1234, 127.0.0.1:1234 or unix:PATH", spec);
        g_free(host);
        return address;
}

struct gdb_server *gdb_server_new(struct machine *machine, const char *spec, GError **error)
{
        struct gdb_server *server = g_new0(struct gdb_server, 1);
        char *where = g_strdup(spec);
        GSocketAddress *address = NULL;
        bool ok = take_options(server, where, error) && (address = parse_address(where, error));

        server->machine = machine;
        server->in = g_byte_array_new();
        server->out = g_byte_array_new();
        server->cancel = g_cancellable_new();
        server->listener = g_socket_listener_new();
        if (ok && !g_socket_listener_add_address(server->listener, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL,
                                                 NULL, error)) {
                g_prefix_error(error, "--gdb %s: ", where);
                ok = false;
        }
        if (ok && g_str_has_prefix(where, "unix:"))
                server->path = g_strdup(where + 5);
        g_clear_object(&address);
        g_free(where);
        if (!ok) {
                gdb_server_free(server, 0);
                return NULL;
        }
        if (server->wait)
                machine_debug_pause(machine);
        accept_next(server);
        return server;
}

void gdb_server_free(struct gdb_server *server, int status)
{
        char text[8];

        if (!server)
                return;
        g_cancellable_cancel(server->cancel);
        if (server->connection) {
                g_snprintf(text, sizeof(text), "W%02x", (unsigned)status & 0xff);
                gdb_send(server, text);
                gdb_disconnect(server);
        }
        g_socket_listener_close(server->listener);
        /* The cancelled accept still calls back, into what is about to go. */
        while (g_main_context_iteration(g_main_context_get_thread_default(), FALSE))
                continue;
        if (server->path)
                g_unlink(server->path);
        g_object_unref(server->listener);
        g_object_unref(server->cancel);
        g_byte_array_unref(server->in);
        g_byte_array_unref(server->out);
        g_free(server->path);
        g_free(server);
}
