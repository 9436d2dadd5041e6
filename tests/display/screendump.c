/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screendump.c - runs a machine for a while and shows its screen: for the display tests, and for looking.
 *
 *      screendump SECONDS OUT [KERNEL [APPEND [INITRD]]]
 *
 * OUT.png and OUT.ppm are the picture, OUT.txt the text when there is some.  The cursor is shown as it is
 * at that moment.  With "until=TEXT" for SECONDS it looks every 50 ms, for at most 60 seconds, and ends
 * as soon as the screen's text or the debug console (OUT.log) has TEXT.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/display/vga.h"
#include "machine/internal.h"

enum { LOOK_MS = 50, LOOKS_MAX = 1200 };

struct dump {
        struct machine *machine;
        const char *out, *until;
        unsigned looks, looks_max;
};

static void write_file(const char *out, const char *suffix, const void *bytes, size_t size)
{
        char *path = g_strconcat(out, suffix, NULL);
        GError *error = NULL;

        if (!g_file_set_contents(path, bytes, (gssize)size, &error)) {
                fprintf(stderr, "%s\n", error->message);
                exit(1);
        }
        g_free(path);
}

static void write_picture(const char *out, const struct surface *surface)
{
        GByteArray *bytes = g_byte_array_new();
        char *head = g_strdup_printf("P6\n%u %u\n255\n", surface->width, surface->height), *png = g_strconcat(out, ".png", NULL);
        GError *error = NULL;

        g_byte_array_append(bytes, (const guint8 *)head, (guint)strlen(head));
        for (size_t i = 0; i < (size_t)surface->width * surface->height; i++) {
                guint8 rgb[3] = { (guint8)(surface->pixels[i] >> 16), (guint8)(surface->pixels[i] >> 8), (guint8)surface->pixels[i] };

                g_byte_array_append(bytes, rgb, 3);
        }
        write_file(out, ".ppm", bytes->data, bytes->len);
        if (!surface_write_png(surface, png, &error)) {
                fprintf(stderr, "%s\n", error->message);
                g_error_free(error);
        }
        g_free(head);
        g_free(png);
        g_byte_array_unref(bytes);
}

static bool found(struct dump *dump, const char *text)
{
        char *path = g_strconcat(dump->out, ".log", NULL), *log = NULL;
        bool is_found = text && strstr(text, dump->until);

        if (!is_found && g_file_get_contents(path, &log, NULL, NULL))
                is_found = strstr(log, dump->until);
        g_free(log);
        g_free(path);
        return is_found;
}

static gboolean look(gpointer opaque)
{
        struct dump *dump = opaque;
        struct surface surface;
        char *text;

        lock_acquire(&dump->machine->lock);
        text = vga_text(dump->machine->vga);
        if (++dump->looks < dump->looks_max && !(dump->until && found(dump, text))) {
                lock_release(&dump->machine->lock);
                g_free(text);
                return G_SOURCE_CONTINUE;
        }
        surface_init(&surface, false);
        vga_render(dump->machine->vga, &surface);
        machine_post_end(dump->machine, MACHINE_END_STOPPED, 0);
        lock_release(&dump->machine->lock);
        write_picture(dump->out, &surface);
        write_file(dump->out, ".txt", text ? text : "", text ? strlen(text) : 0);
        g_free(text);
        surface_free(&surface);
        return G_SOURCE_REMOVE;
}

int main(int argc, char **argv)
{
        struct machine_config config = { .memory_bytes = 512 << 20, .cpus = 1, .debug_exit = true };
        struct dump dump = { .looks_max = LOOKS_MAX };
        enum machine_end end;
        GError *error = NULL;
        int status = 0;

        if (argc < 3) {
                fprintf(stderr, "usage: screendump SECONDS|until=TEXT OUT [KERNEL [APPEND [INITRD]]]\n");
                return 2;
        }
        dump.out = argv[2];
        if (g_str_has_prefix(argv[1], "until="))
                dump.until = argv[1] + strlen("until=");
        else
                dump.looks_max = (unsigned)(atof(argv[1]) * 1000 / LOOK_MS);
        config.kernel = argc > 3 ? argv[3] : NULL;
        config.append = argc > 4 ? argv[4] : NULL;
        config.initrds = g_ptr_array_new();
        if (argc > 5)
                g_ptr_array_add(config.initrds, argv[5]);
        config.debug_consoles = g_ptr_array_new();
        g_ptr_array_add(config.debug_consoles, g_strconcat(dump.out, ".log", NULL));
        dump.machine = machine_new(&config, &error);
        if (dump.machine) {
                g_timeout_add(LOOK_MS, look, &dump);
                machine_run(dump.machine, &end, &status, &error);
                machine_free(dump.machine);
        }
        if (error) {
                fprintf(stderr, "screendump: %s\n", error->message);
                return 1;
        }
        return status;
}
