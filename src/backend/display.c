/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * display.c - surfaces: their memory, and the damage that storing rows leaves; screens of text.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/display.h"

/* -- Memory ------------------------------------------------------------------------------------- */

static size_t surface_bytes(const struct surface *surface)
{
        return (size_t)surface->stride * surface->height;
}

static void surface_release(struct surface *surface)
{
        if (surface->fd >= 0) {
                munmap(surface->pixels, surface_bytes(surface));
                close(surface->fd);
        } else {
                g_free(surface->pixels);
        }
        surface->fd = -1;
        surface->pixels = NULL;
}

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010      /* Linux 5.1 */
#endif

/* A viewer that shrank the file would kill us with SIGBUS; one that wrote to it could hide what changes. */
static void surface_seal(int fd)
{
        int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

        if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_FUTURE_WRITE) < 0)
                fcntl(fd, F_ADD_SEALS, seals);
}

/* Where the host gives no memfd, the surface stays private: fd says so. */
static bool surface_map(struct surface *surface)
{
        size_t bytes = surface_bytes(surface);
        int fd = memfd_create("lodger-screen", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        void *pixels;

        if (fd < 0)
                return false;
        pixels = ftruncate(fd, (off_t)bytes) < 0 ? MAP_FAILED
                                                 : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (pixels == MAP_FAILED) {
                close(fd);
                return false;
        }
        surface_seal(fd);
        surface->pixels = pixels;
        surface->fd = fd;
        return true;
}

void surface_init(struct surface *surface, bool shared)
{
        *surface = (struct surface){ .fd = -1, .shared = shared };
}

void surface_free(struct surface *surface)
{
        surface_release(surface);
        surface_init(surface, surface->shared);
}

/* -- Pixels and damage -------------------------------------------------------------------------- */

void surface_resize(struct surface *surface, unsigned width, unsigned height)
{
        g_assert(width && height && width <= SURFACE_SIDE_MAX && height <= SURFACE_SIDE_MAX);
        if (surface->pixels && surface->width == width && surface->height == height)
                return;
        surface_release(surface);
        surface->width = width;
        surface->height = height;
        surface->stride = width * 4;
        if (!surface->shared || !surface_map(surface))
                surface->pixels = g_malloc0(surface_bytes(surface));
        surface->resized = true;
        surface->damage_count = 1;
        surface->damage[0] = (struct rectangle){ 0, 0, width, height };
}

/* Rows [y, y + 1) from x to end changed: they widen the rectangle they continue, or open the next one.
 * When all are in use the last one grows downwards. */
static void surface_damage(struct surface *surface, unsigned x, unsigned end, unsigned y)
{
        struct rectangle *last = surface->damage_count ? &surface->damage[surface->damage_count - 1] : NULL;

        if (last && y < last->y) {
                /* Another rendering before the damage was taken: one rectangle around all of it. */
                unsigned bottom = last->y + last->height;

                last = &surface->damage[0];
                for (unsigned i = 1; i < surface->damage_count; i++) {
                        unsigned right = MAX(last->x + last->width, surface->damage[i].x + surface->damage[i].width);

                        last->x = MIN(last->x, surface->damage[i].x);
                        last->width = right - last->x;
                }
                last->height = bottom - MIN(last->y, y);
                last->y = MIN(last->y, y);
                surface->damage_count = 1;
        }
        if (last && (y <= last->y + last->height || surface->damage_count == SURFACE_DAMAGE_MAX)) {
                unsigned right = MAX(last->x + last->width, end);

                last->x = MIN(last->x, x);
                last->width = right - last->x;
                last->height = MAX(last->height, y + 1 - last->y);
                return;
        }
        surface->damage[surface->damage_count++] = (struct rectangle){ x, y, end - x, 1 };
}

void surface_put_row(struct surface *surface, unsigned y, const uint32_t *row)
{
        uint32_t *pixels = (uint32_t *)(void *)((uint8_t *)surface->pixels + (size_t)y * surface->stride);
        unsigned first = 0, end = surface->width;

        if (!memcmp(pixels, row, surface->width * sizeof(*row)))
                return;
        while (pixels[first] == row[first])
                first++;
        while (pixels[end - 1] == row[end - 1])
                end--;
        memcpy(pixels + first, row + first, (end - first) * sizeof(*row));
        surface_damage(surface, first, end, y);
}

void surface_clear_damage(struct surface *surface)
{
        surface->resized = false;
        surface->damage_count = 0;
}

/* -- Text --------------------------------------------------------------------------------------- */

/* What code page 437 shows at 00h-1Fh, 7Fh and 80h-FFh. */
static const uint16_t cp437_low[32] = {
        0x0020, 0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25d8, 0x25cb, 0x25d9, 0x2642, 0x2640, 0x266a,
        0x266b, 0x263c, 0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7, 0x25ac, 0x21a8, 0x2191, 0x2193, 0x2192, 0x2190,
        0x221f, 0x2194, 0x25b2, 0x25bc,
};
static const uint16_t cp437_high[129] = {
        0x2302, 0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee,
        0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc,
        0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf,
        0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562,
        0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500,
        0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565,
        0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1,
        0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5,
        0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f,
        0x00b2, 0x25a0, 0x00a0,
};

static gunichar cp437_unicode(uint8_t character)
{
        if (character < 0x20)
                return cp437_low[character];
        return character < 0x7f ? character : cp437_high[character - 0x7f];
}

void text_screen_free(struct text_screen *screen)
{
        g_free(screen->characters);
        g_free(screen->attributes);
        *screen = (struct text_screen){ 0 };
}

static bool is_blank(uint8_t character)
{
        return character == 0 || character == ' ' || character == 0xff;
}

char *text_screen_to_utf8(const struct text_screen *screen)
{
        GString *text = g_string_new(NULL);

        for (unsigned row = 0; row < screen->rows; row++) {
                const uint8_t *characters = screen->characters + (size_t)row * screen->columns;
                unsigned end = screen->columns;

                while (end && is_blank(characters[end - 1]))
                        end--;
                for (unsigned column = 0; column < end; column++)
                        g_string_append_unichar(text, cp437_unicode(characters[column]));
                g_string_append_c(text, '\n');
        }
        return g_string_free(text, FALSE);
}
