/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * png.c - image files of a surface, through libpng.
 */
#include <errno.h>
#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef HAVE_PNG
#include <png.h>
#endif

#include "backend/display.h"

#ifdef HAVE_PNG

struct image_out {
        FILE *file;
        char message[128];
};

static void image_failed(png_structp png, png_const_charp message)
{
        struct image_out *out = png_get_error_ptr(png);

        g_strlcpy(out->message, message, sizeof(out->message));
        png_longjmp(png, 1);
}

static void image_warned(png_structp png, png_const_charp message)
{
        (void)png;
        (void)message;
}

/* libpng reports errors by longjmp(): nothing here is changed between setjmp() and the jump but what
 * out and the locals of the caller hold. */
static bool image_write(const struct surface *surface, struct image_out *out, png_structp png, png_infop info, png_bytep row)
{
        if (setjmp(png_jmpbuf(png)))
                return false;
        png_init_io(png, out->file);
        png_set_compression_level(png, 6);
        png_set_IHDR(png, info, surface->width, surface->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_write_info(png, info);
        for (unsigned y = 0; y < surface->height; y++) {
                const uint32_t *pixels = surface->pixels + (size_t)y * (surface->stride / 4);

                for (unsigned x = 0; x < surface->width; x++) {
                        row[3 * x] = (png_byte)(pixels[x] >> 16);
                        row[3 * x + 1] = (png_byte)(pixels[x] >> 8);
                        row[3 * x + 2] = (png_byte)pixels[x];
                }
                png_write_row(png, row);
        }
        png_write_end(png, info);
        return true;
}

/* Closes out->file. */
static bool surface_write_stream(const struct surface *surface, struct image_out *out)
{
        png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, out, image_failed, image_warned);
        png_infop info = png ? png_create_info_struct(png) : NULL;
        png_bytep row = g_malloc((gsize)surface->width * 3);
        bool ok = info && image_write(surface, out, png, info, row);

        g_free(row);
        if (png)
                png_destroy_write_struct(&png, &info);
        if (fclose(out->file) && ok) {
                g_strlcpy(out->message, g_strerror(errno), sizeof(out->message));
                ok = false;
        }
        return ok;
}

bool surface_write_png(const struct surface *surface, const char *path, GError **error)
{
        struct image_out out = { fopen(path, "wbe"), "" };

        g_assert(surface->pixels);
        if (!out.file) {
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot write %s: %s", path,
                            g_strerror(errno));
                return false;
        }
        if (surface_write_stream(surface, &out))
                return true;
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot write %s: %s", path,
                    *out.message ? out.message : "out of memory");
        return false;
}

/* Averages blocks of step by step pixels. */
static void surface_shrink(const struct surface *from, unsigned step, struct surface *to)
{
        surface_init(to, false);
        surface_resize(to, MAX(from->width / step, 1), MAX(from->height / step, 1));
        for (unsigned y = 0; y < to->height; y++)
                for (unsigned x = 0; x < to->width; x++) {
                        unsigned sum[3] = { 0 }, count = 0;

                        for (unsigned v = y * step; v < (y + 1) * step && v < from->height; v++)
                                for (unsigned u = x * step; u < (x + 1) * step && u < from->width; u++, count++) {
                                        uint32_t pixel = from->pixels[(size_t)v * (from->stride / 4) + u];

                                        for (unsigned i = 0; i < 3; i++)
                                                sum[i] += pixel >> 8 * i & 0xff;
                                }
                        to->pixels[(size_t)y * (to->stride / 4) + x] = sum[0] / count | sum[1] / count << 8 | sum[2] / count << 16;
                }
}

GBytes *surface_make_png(const struct surface *surface, unsigned side_max)
{
        unsigned step = (MAX(surface->width, surface->height) + side_max - 1) / side_max;
        struct surface small;
        char *bytes = NULL;
        size_t size = 0;
        GBytes *result = NULL;

        if (!surface->pixels)
                return NULL;
        surface_shrink(surface, step, &small);
        struct image_out out = { open_memstream(&bytes, &size), "" };
        if (out.file && surface_write_stream(&small, &out) && bytes)
                result = g_bytes_new(bytes, size);
        free(bytes);
        surface_free(&small);
        return result;
}

#else

bool surface_write_png(const struct surface *surface, const char *path, GError **error)
{
        (void)surface;
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                    "cannot write %s: this lodger was configured --without-png", path);
        return false;
}

GBytes *surface_make_png(const struct surface *surface, unsigned side_max)
{
        (void)surface;
        (void)side_max;
        return NULL;
}

#endif
