/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.c - a viewer: watch SOCKET COUNT.
 *
 * Maps the framebuffer of a machine, and waits for COUNT reports of damage; the pixels of each must lie in
 * the picture, and must have changed the time before or this time.  Exit status 0: so it was.
 */
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/machine1.h"
#include "control/place.h"

enum { PATIENCE_SECONDS = 10 };

static struct view {
        GMainLoop *loop;
        guint width, height, stride;
        const guint8 *pixels;
        guint8 *before;
        int left;
        int status;
} view = { .status = 1 };

static void finish(int status, const char *why)
{
        if (status)
                fprintf(stderr, "%s\n", why);
        view.status = status;
        g_main_loop_quit(view.loop);
}

static void damaged(ControlMachine1 *machine, GVariant *rectangles, gpointer opaque)
{
        size_t bytes = (size_t)view.stride * view.height;
        GVariantIter iterator;
        guint x, y, width, height;

        (void)machine;
        (void)opaque;
        g_variant_iter_init(&iterator, rectangles);
        while (g_variant_iter_next(&iterator, "(uuuu)", &x, &y, &width, &height))
                if (!width || !height || x + width > view.width || y + height > view.height)
                        finish(1, "damage outside of the picture");
        if (memcmp(view.before, view.pixels, bytes)) {
                memcpy(view.before, view.pixels, bytes);
                if (--view.left == 0)
                        finish(0, NULL);
        }
}

static gboolean too_late(gpointer opaque)
{
        (void)opaque;
        finish(1, "no damage");
        return G_SOURCE_REMOVE;
}

/* The seals hold: nobody but the machine changes size or content. */
static bool is_sealed(int fd)
{
        return ftruncate(fd, 0) < 0 &&
               mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED;
}

int main(int argc, char **argv)
{
        GError *error = NULL;
        GUnixFDList *list = NULL;
        GVariant *handle = NULL;

        if (argc != 3)
                return 99;
        view.loop = g_main_loop_new(NULL, FALSE);
        view.left = atoi(argv[2]);
        GSocket *socket = place_connect(argv[1], PATIENCE_SECONDS, &error);
        GSocketConnection *stream = socket ? g_socket_connection_factory_create_connection(socket) : NULL;
        GDBusConnection *connection = stream ? g_dbus_connection_new_sync(G_IO_STREAM(stream), NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
                                                                          NULL, NULL, &error) : NULL;
        ControlMachine1 *machine = connection ? control_machine1_proxy_new_sync(connection, G_DBUS_PROXY_FLAGS_NONE, NULL,
                                                                                "/org/lodger/Machine1", NULL, &error) : NULL;
        if (!machine || (g_signal_connect(machine, "damage", G_CALLBACK(damaged), NULL), false) ||
            !control_machine1_call_watch_framebuffer_sync(machine, NULL, &handle, &view.width, &view.height, &view.stride, &list, NULL,
                                                          &error)) {
                fprintf(stderr, "%s\n", error->message);
                return 99;
        }
        int fd = g_unix_fd_list_get(list, g_variant_get_handle(handle), NULL);
        size_t bytes = (size_t)view.stride * view.height;
        view.pixels = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (view.pixels == MAP_FAILED || !is_sealed(fd)) {
                fprintf(stderr, "the framebuffer cannot be mapped, or is not sealed\n");
                return 1;
        }
        view.before = g_malloc(bytes);
        memcpy(view.before, view.pixels, bytes);
        g_timeout_add_seconds(PATIENCE_SECONDS, too_late, NULL);
        g_main_loop_run(view.loop);
        return view.status;
}
