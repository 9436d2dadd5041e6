/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screenshot.c - `lodger screenshot`: a picture of a machine's screen as a PNG file.
 *
 * The machine hands out pixels; the file is written here, with the rights of who asked for it.
 */
#include <errno.h>
#include <gio/gunixfdlist.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/display.h"
#include "base/i18n.h"
#include "cli/client.h"

/* What the machine says of its pixels must agree with what it sent. */
static bool surface_map_received(struct surface *surface, int fd, GError **error)
{
        size_t bytes = (size_t)surface->stride * surface->height;
        struct stat info;

        if (!surface->width || !surface->height || surface->width > SURFACE_SIDE_MAX || surface->height > SURFACE_SIDE_MAX ||
            surface->stride / 4 < surface->width || surface->stride % 4 || fstat(fd, &info) < 0 || (size_t)info.st_size < bytes) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("the machine sent no picture"));
                return false;
        }
        surface->pixels = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (surface->pixels != MAP_FAILED)
                return true;
        surface->pixels = NULL;
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s", g_strerror(errno));
        return false;
}

static int screenshot_run(struct client *client, int count, char **arguments)
{
        GUnixFDList *list = NULL;
        GVariant *handle = NULL;
        struct surface surface;
        GError *error = NULL;
        bool ok;
        int fd;

        (void)count;
        surface_init(&surface, false);
        if (!control_machine1_call_screenshot_sync(client->machine, NULL, &handle, &surface.width, &surface.height, &surface.stride,
                                                   &list, NULL, &error))
                return client_fail(client, error);
        fd = list ? g_unix_fd_list_get(list, g_variant_get_handle(handle), &error) : -1;
        ok = fd >= 0 && surface_map_received(&surface, fd, &error) && surface_write_png(&surface, arguments[0], &error);
        if (surface.pixels)
                munmap(surface.pixels, (size_t)surface.stride * surface.height);
        if (fd >= 0)
                close(fd);
        g_clear_object(&list);
        g_variant_unref(handle);
        if (!ok && !error)
                g_set_error(&error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("the machine sent no picture"));
        return ok ? EXIT_OK : client_fail(client, error);
}

int screenshot_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "screenshot", .arguments = N_("FILE.png"), .minimum = 1, .maximum = 1, .run = screenshot_run,
                .summary = N_("Writes a picture of a machine's screen to a PNG file."),
        };

        return client_run(&command, argc, argv);
}
