/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial_unix.c - a serial line on a UNIX socket: listens, serves one client at a time.
 *
 * While nobody is connected the newest output waits in the queue, so a client that comes late sees
 * how things got there.  A second client waits in the socket's backlog until the first has gone.
 */
#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/serial.h"
#include "base/socket.h"

struct listener {
        int fd, client;                 /* client -1: nobody */
        char *path;
        dev_t device;                   /* which file the socket is, so that only it is removed */
        ino_t inode;
        GSource *source;                /* set while waiting for a client */
};

static void unix_wait_for_client(struct serial_backend *backend);

static gboolean unix_accept(gint fd, GIOCondition condition, gpointer opaque)
{
        struct serial_backend *backend = opaque;
        struct listener *listener = backend->data;

        (void)condition;
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0)
                return G_SOURCE_CONTINUE;
        listener->client = client;
        g_clear_pointer(&listener->source, g_source_unref);
        serial_streams_open(backend, client, client);
        return G_SOURCE_REMOVE;
}

static void unix_wait_for_client(struct serial_backend *backend)
{
        struct listener *listener = backend->data;

        listener->source = g_unix_fd_source_new(listener->fd, G_IO_IN);
        g_source_set_callback(listener->source, G_SOURCE_FUNC(unix_accept), backend, NULL);
        g_source_attach(listener->source, backend->context);
}

static void unix_hung_up(struct serial_backend *backend)
{
        struct listener *listener = backend->data;

        if (listener->client < 0)
                return;
        serial_streams_close(backend);
        close(listener->client);
        listener->client = -1;
        unix_wait_for_client(backend);
}

static bool unix_open(struct serial_backend *backend, const char *path, GError **error)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct stat status;
        int fd;

        if (strlen(path) >= sizeof(address.sun_path)) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NAMETOOLONG,
                            "serial socket \"%s\": the path of a socket has at most %zu bytes", path, sizeof(address.sun_path) - 1);
                return false;
        }
        strcpy(address.sun_path, path);
        if (socket_is_left_over(&address))
                unlink(path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0 || stat(path, &status) < 0) {
                int saved = errno;
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved), "cannot listen on serial socket \"%s\": %s",
                            path, g_strerror(saved));
                if (fd >= 0)
                        close(fd);
                return false;
        }

        struct listener *listener = g_new0(struct listener, 1);
        listener->fd = fd;
        listener->client = -1;
        listener->path = g_strdup(path);
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
        backend->data = listener;
        backend->place = g_strdup(path);
        unix_wait_for_client(backend);
        return true;
}

static void unix_close(struct serial_backend *backend)
{
        struct listener *listener = backend->data;
        struct stat status;

        if (listener->source) {
                g_source_destroy(listener->source);
                g_source_unref(listener->source);
        }
        if (listener->client >= 0)
                close(listener->client);
        close(listener->fd);
        if (!lstat(listener->path, &status) && status.st_dev == listener->device && status.st_ino == listener->inode)
                unlink(listener->path);
        g_free(listener->path);
        g_free(listener);
}

const struct serial_kind serial_kind_unix = {
        .name = "unix",
        .has_argument = true,
        .open = unix_open,
        .close = unix_close,
        .hung_up = unix_hung_up,
};
