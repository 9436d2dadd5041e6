/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.c - frames over a stream socket: another machine (socket=), or passt.
 *
 * Each frame follows its length, 32 bits in network order; QEMU's stream and socket networks speak the same.
 * socket=listen:ADDRESS serves one peer at a time, socket=connect:ADDRESS connects, again once a second when the
 * other side goes; ADDRESS is HOST:PORT or the path of a UNIX socket (it has a '/').  passt=PATH connects to a passt
 * that was started by hand; passt alone starts one of its own that ends with the machine.
 *
 * A peer is not trusted: a length that no frame has ends the connection.  A peer that does not read costs at
 * most PENDING_MAX_BYTES; frames beyond that are lost, as on a wire.
 */
#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/socket.h"
#include "net/internal.h"

enum { LENGTH_BYTES = 4, PENDING_MAX_BYTES = 1 << 20, READ_BYTES = 256 << 10, RETRY_MS = 1000 };

struct stream {
        GSocketAddress *address;
        GSocket *listener;              /* NULL: this side connects */
        int fd;                         /* the peer; -1: none now */
        bool connecting;                /* connect() has not finished */
        bool reconnects;
        int64_t retry_at_us;
        GPid child;                     /* passt; 0: none */
        GByteArray *pending;            /* not yet written */
        GByteArray *partial;            /* of a frame not yet complete */
};

/* -- The peer ------------------------------------------------------------------------------------ */

static void peer_drop(struct net *net)
{
        struct stream *stream = net->data;

        if (stream->fd >= 0)
                close(stream->fd);
        stream->fd = -1;
        stream->connecting = false;
        stream->retry_at_us = g_get_monotonic_time() + RETRY_MS * 1000;
        g_byte_array_set_size(stream->pending, 0);
        g_byte_array_set_size(stream->partial, 0);
}

static int socket_for(GSocketAddress *address)
{
        return socket(g_socket_address_get_family(address) == G_SOCKET_FAMILY_UNIX ? AF_UNIX :
                      g_socket_address_get_family(address) == G_SOCKET_FAMILY_IPV6 ? AF_INET6 : AF_INET,
                      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Starts to connect; false with errno set. */
static bool peer_connect(struct stream *stream)
{
        struct sockaddr_storage native;
        gssize size = g_socket_address_get_native_size(stream->address);

        if (!g_socket_address_to_native(stream->address, &native, sizeof(native), NULL)) {
                errno = EINVAL;
                return false;
        }
        stream->fd = socket_for(stream->address);
        if (stream->fd < 0)
                return false;
        if (!connect(stream->fd, (struct sockaddr *)&native, (socklen_t)size)) {
                stream->connecting = false;
                return true;
        }
        stream->connecting = errno == EINPROGRESS;
        if (stream->connecting)
                return true;
        int saved = errno;
        close(stream->fd);
        stream->fd = -1;
        errno = saved;
        return false;
}

static void peer_accept(struct stream *stream)
{
        if (stream->fd < 0)
                stream->fd = accept4(g_socket_get_fd(stream->listener), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* -- Frames -------------------------------------------------------------------------------------- */

static void stream_flush(struct net *net)
{
        struct stream *stream = net->data;
        guint done = 0;

        while (done < stream->pending->len) {
                ssize_t n = send(stream->fd, stream->pending->data + done, stream->pending->len - done, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno != EAGAIN) {
                        peer_drop(net);
                        return;
                }
                if (n < 0)
                        break;
                done += (guint)n;
        }
        g_byte_array_remove_range(stream->pending, 0, done);
}

static void stream_send(struct net *net, const uint8_t *frame, size_t size)
{
        struct stream *stream = net->data;
        uint32_t length = GUINT32_TO_BE((uint32_t)size);

        if (stream->fd < 0 || stream->pending->len > PENDING_MAX_BYTES)
                return;
        g_byte_array_append(stream->pending, (const guint8 *)&length, LENGTH_BYTES);
        g_byte_array_append(stream->pending, frame, (guint)size);
        /* Several go out in one system call; the rest follow from serve(). */
        if (!stream->connecting && stream->pending->len >= READ_BYTES)
                stream_flush(net);
}

/* Hands over the complete frames of `partial`.  False: a length that is none. */
static bool stream_take(struct net *net)
{
        struct stream *stream = net->data;
        guint at = 0;

        while (stream->partial->len - at >= LENGTH_BYTES) {
                uint32_t length;

                memcpy(&length, stream->partial->data + at, LENGTH_BYTES);
                length = GUINT32_FROM_BE(length);
                if (length > NET_FRAME_MAX)
                        return false;
                if (stream->partial->len - at - LENGTH_BYTES < length)
                        break;
                net_arrived(net, stream->partial->data + at + LENGTH_BYTES, length);
                at += LENGTH_BYTES + length;
        }
        g_byte_array_remove_range(stream->partial, 0, at);
        return true;
}

static void stream_read(struct net *net)
{
        struct stream *stream = net->data;
        guint had = stream->partial->len;
        ssize_t n;

        g_byte_array_set_size(stream->partial, had + READ_BYTES);
        n = recv(stream->fd, stream->partial->data + had, READ_BYTES, 0);
        g_byte_array_set_size(stream->partial, had + (n > 0 ? (guint)n : 0));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                peer_drop(net);
        } else if (!stream_take(net)) {
                log_warning("%s: what the other side of the %s network sends are no frames; it was hung up on", net->id,
                            net->kind->name);
                peer_drop(net);
        }
}

/* -- The worker's turn ----------------------------------------------------------------------------- */

static void stream_fill(struct net *net, int *timeout_ms)
{
        struct stream *stream = net->data;

        if (stream->fd >= 0 && !stream->connecting && stream->pending->len)
                stream_flush(net);
        if (stream->fd >= 0) {
                net_poll_add(net, stream->fd, (short)((stream->connecting ? 0 : POLLIN) |
                                                      (stream->connecting || stream->pending->len ? POLLOUT : 0)));
        } else if (stream->listener) {
                net_poll_add(net, g_socket_get_fd(stream->listener), POLLIN);
        } else if (stream->reconnects) {
                int64_t left_ms = (stream->retry_at_us - g_get_monotonic_time()) / 1000;

                *timeout_ms = (int)CLAMP(left_ms, 0, RETRY_MS);
        }
}

static void stream_serve(struct net *net, unsigned first, bool failed)
{
        struct stream *stream = net->data;
        short got = net->polled->len > first && !failed ? g_array_index(net->polled, struct pollfd, first).revents : 0;

        if (stream->fd < 0) {
                if (stream->listener && got)
                        peer_accept(stream);
                else if (!stream->listener && stream->reconnects && g_get_monotonic_time() >= stream->retry_at_us &&
                         !peer_connect(stream))
                        peer_drop(net);
                return;
        }
        if (stream->connecting) {
                int problem = 0;
                socklen_t size = sizeof(problem);

                if (!got)
                        return;
                getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
                stream->connecting = false;
                if (problem)
                        peer_drop(net);
                return;
        }
        if (got & (POLLIN | POLLHUP | POLLERR))
                stream_read(net);
        if (stream->fd >= 0 && (got & POLLOUT))
                stream_flush(net);
}

/* -- Life ---------------------------------------------------------------------------------------- */

/* "HOST:PORT" or a path. */
static GSocketAddress *parse_address(const char *text, GError **error)
{
        const char *colon = strrchr(text, ':');
        GSocketAddress *address = NULL;
        guint64 port;
        char *host, *end;

        if (strchr(text, '/')) {
                if (strlen(text) < sizeof(((struct sockaddr_un *)0)->sun_path))
                        return g_unix_socket_address_new(text);
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG, "%s: longer than a socket's path may be", text);
                return NULL;
        }
        port = colon ? g_ascii_strtoull(colon + 1, &end, 10) : 0;
        if (port && port < 65536 && !*end) {
                host = colon == text ? g_strdup("127.0.0.1") : g_strndup(text, (gsize)(colon - text));
                address = g_inet_socket_address_new_from_string(host, (guint)port);
                g_free(host);
        }
        if (!address)
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "\"%s\" is no address; write for example 127.0.0.1:4444, or the path of a UNIX socket", text);
        return address;
}

static struct stream *stream_new(struct net *net)
{
        struct stream *stream = g_new0(struct stream, 1);

        stream->fd = -1;
        stream->pending = g_byte_array_new();
        stream->partial = g_byte_array_new();
        net->data = stream;
        return stream;
}

static void stream_close(struct net *net)
{
        struct stream *stream = net->data;

        if (stream->fd >= 0)
                close(stream->fd);
        if (stream->listener) {
                g_socket_close(stream->listener, NULL);
                if (G_IS_UNIX_SOCKET_ADDRESS(stream->address))
                        unlink(g_unix_socket_address_get_path(G_UNIX_SOCKET_ADDRESS(stream->address)));
                g_object_unref(stream->listener);
        }
        if (stream->child) {
                /* It ends by itself when its only connection does. */
                kill(stream->child, SIGTERM);
                waitpid(stream->child, NULL, 0);
        }
        g_clear_object(&stream->address);
        g_byte_array_unref(stream->pending);
        g_byte_array_unref(stream->partial);
        g_free(stream);
}

static bool stream_listen(struct stream *stream, GError **error)
{
        stream->listener = g_socket_new(g_socket_address_get_family(stream->address), G_SOCKET_TYPE_STREAM,
                                        G_SOCKET_PROTOCOL_DEFAULT, error);
        if (!stream->listener)
                return false;
        if (G_IS_UNIX_SOCKET_ADDRESS(stream->address)) {
                struct sockaddr_un native;

                if (g_socket_address_to_native(stream->address, &native, sizeof(native), NULL) && socket_is_left_over(&native))
                        unlink(native.sun_path);
        }
        g_socket_set_blocking(stream->listener, FALSE);
        if (g_socket_bind(stream->listener, stream->address, TRUE, error) && g_socket_listen(stream->listener, error))
                return true;
        g_clear_object(&stream->listener);
        return false;
}

static bool stream_connect(struct stream *stream, const char *what, const char *remedy, GError **error)
{
        stream->reconnects = true;
        if (peer_connect(stream))
                return true;
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s: %s; %s", what, g_strerror(errno), remedy);
        return false;
}

static bool socket_open(struct net *net, const struct net_options *options, GError **error)
{
        struct stream *stream = stream_new(net);
        const char *text = options->argument;
        bool listens = g_str_has_prefix(text, "listen:"), ok = listens || g_str_has_prefix(text, "connect:");

        if (!ok)
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "socket=%s: write socket=listen:ADDRESS or socket=connect:ADDRESS", text);
        else
                ok = (stream->address = parse_address(strchr(text, ':') + 1, error)) != NULL;
        if (ok)
                ok = listens ? stream_listen(stream, error) :
                               stream_connect(stream, text, "start the machine that listens there first", error);
        if (ok)
                return true;
        if (*error && (*error)->domain != G_OPTION_ERROR)
                g_prefix_error(error, "the socket network: ");
        stream_close(net);
        return false;
}

/* A passt of our own, with one end of a socket pair as its descriptor 3. */
static bool passt_start(struct stream *stream, GError **error)
{
        static char *arguments[] = { (char *)"passt", (char *)"--foreground", (char *)"--quiet", (char *)"--fd", (char *)"3", NULL };
        int pair[2], source, target = 3;
        bool ok;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
                g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s", g_strerror(errno));
                return false;
        }
        source = pair[1];
        ok = g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)arguments, NULL,
                                              G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1, -1, -1, &source, &target, 1,
                                              &stream->child, NULL, NULL, NULL, error);
        close(pair[1]);
        if (!ok) {
                close(pair[0]);
                g_prefix_error(error, "passt does not start (install the package \"passt\"): ");
                return false;
        }
        stream->fd = pair[0];
        g_unix_set_fd_nonblocking(stream->fd, TRUE, NULL);
        return true;
}

static bool passt_open(struct net *net, const struct net_options *options, GError **error)
{
        struct stream *stream = stream_new(net);
        bool ok;

        if (!options->argument) {
                ok = passt_start(stream, error);
        } else {
                stream->address = g_unix_socket_address_new(options->argument);
                ok = stream_connect(stream, options->argument, "start passt with --socket of this path first", error);
        }
        if (!ok)
                stream_close(net);
        return ok;
}

const struct net_kind net_kind_socket = {
        .name = "socket", .takes_argument = true, .needs_argument = true, .open = socket_open, .close = stream_close,
        .send = stream_send, .fill = stream_fill, .serve = stream_serve, .largest = NET_STANDARD_MAX + 4,
};

const struct net_kind net_kind_passt = {
        .name = "passt", .takes_argument = true, .open = passt_open, .close = stream_close, .send = stream_send,
        .fill = stream_fill, .serve = stream_serve, .largest = NET_FRAME_MAX,
};
