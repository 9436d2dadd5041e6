/* SPDX-License-Identifier: GPL-2.0-or-later */
/* framebuffer.c - checks and maps the memory of a machine's screen. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"
#include "ui/framebuffer.h"

/* More than any monitor wall a PC's display card drives; 64 MiB bound what drawing one frame can cost. */
enum { SIDE_MAX = 8192, BYTES_MAX = 64 << 20 };

struct mapping {
        void *pixels;
        size_t bytes;
};

static void mapping_free(void *opaque)
{
        struct mapping *mapping = opaque;

        munmap(mapping->pixels, mapping->bytes);
        g_free(mapping);
}

static gboolean refuse(const char *why, GError **error)
{
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("the machine sent no picture: %s"), why);
        return FALSE;
}

static gboolean check(int fd, guint width, guint height, guint stride, GError **error)
{
        struct stat info;
        int seals = fcntl(fd, F_GET_SEALS);

        if (!width || !height || width > SIDE_MAX || height > SIDE_MAX)
                return refuse(_("its size is out of bounds"), error);
        if (stride % 4 || stride / 4 < width || (guint64)stride * height > BYTES_MAX)
                return refuse(_("its rows do not fit its size"), error);
        if (fstat(fd, &info) < 0 || info.st_size < 0 || (guint64)info.st_size < (guint64)stride * height)
                return refuse(_("its memory is too small"), error);
        if (seals < 0 || !(seals & F_SEAL_SHRINK))
                return refuse(_("its memory could shrink"), error);
        return TRUE;
}

cairo_surface_t *framebuffer_map(int fd, guint width, guint height, guint stride, GError **error)
{
        static const cairo_user_data_key_t key;
        struct mapping *mapping;
        cairo_surface_t *surface;

        if (!check(fd, width, height, stride, error))
                return NULL;
        mapping = g_new0(struct mapping, 1);
        mapping->bytes = (size_t)stride * height;
        mapping->pixels = mmap(NULL, mapping->bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (mapping->pixels == MAP_FAILED) {
                refuse(g_strerror(errno), error);
                g_free(mapping);
                return NULL;
        }
        surface = cairo_image_surface_create_for_data(mapping->pixels, CAIRO_FORMAT_RGB24, (int)width, (int)height, (int)stride);
        cairo_surface_set_user_data(surface, &key, mapping, mapping_free);
        return surface;
}
