/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guess.c - operating systems by the names of CDs (guest_os_guess() has the words).
 *
 * ECMA-119 (ISO 9660) 8.4: the primary volume descriptor is sector 16; bytes 1 to 5 are "CD001", bytes 40 to 71 the
 * volume's name.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library/guest_os.h"
#include "ui/guess.h"

enum { DESCRIPTOR = 16 * 2048, VOLUME_NAME = 40, VOLUME_NAME_BYTES = 32, IMAGES_MAX = 8, ENTRIES_MAX = 2000 };

/* The volume's name without the blanks at its end; NULL: the file is no CD image. */
static char *volume_name(const char *path)
{
        unsigned char sector[VOLUME_NAME + VOLUME_NAME_BYTES];
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        char *name = NULL, *valid;

        if (fd >= 0 && pread(fd, sector, sizeof(sector), DESCRIPTOR) == (ssize_t)sizeof(sector) && !memcmp(sector + 1, "CD001", 5))
                name = g_strchomp(g_strndup((const char *)sector + VOLUME_NAME, VOLUME_NAME_BYTES));
        if (fd >= 0)
                close(fd);
        if (!name)
                return NULL;
        valid = g_utf8_make_valid(name, -1);
        g_free(name);
        return valid;
}

void guess_file(const char *path, struct guess *guess)
{
        char *volume = volume_name(path), *base = g_path_get_basename(path);
        char *shown = g_filename_display_name(base);

        guess->installer = volume != NULL;
        guess->os = volume ? guest_os_guess(volume) : NULL;
        if (!guess->os)
                guess->os = guest_os_guess(shown);
        if (!guess->os)
                guess->os = "other";
        /* "ISOIMAGE" and the like are what tools write when nobody says anything. */
        if (volume && *volume && strcmp(volume, "ISOIMAGE") && strcmp(volume, "CDROM")) {
                guess->title = volume;
                volume = NULL;
                g_free(shown);
        } else {
                guess->title = shown;
        }
        g_free(volume);
        g_free(base);
}

void guess_clear(struct guess *guess) { g_clear_pointer(&guess->title, g_free); }

/* -- Suggestions ------------------------------------------------------------------------------------- */

struct found {
        char *path;
        gint64 time;
};

static void found_free(gpointer opaque)
{
        struct found *found = opaque;

        g_free(found->path);
        g_free(found);
}

static gint found_compare(gconstpointer a, gconstpointer b)
{
        const struct found *one = *(const struct found *const *)a, *other = *(const struct found *const *)b;

        return (one->time < other->time) - (one->time > other->time);
}

static void look_in(const char *folder, GPtrArray *found)
{
        GDir *dir = folder ? g_dir_open(folder, 0, NULL) : NULL;
        const char *name;

        for (int i = 0; dir && i < ENTRIES_MAX && (name = g_dir_read_name(dir)); i++) {
                gsize length = strlen(name);
                struct found *one;
                struct stat info;
                char *path;

                if (length < 5 || g_ascii_strcasecmp(name + length - 4, ".iso"))
                        continue;
                path = g_build_filename(folder, name, NULL);
                if (stat(path, &info) < 0 || !S_ISREG(info.st_mode) || access(path, R_OK) < 0) {
                        g_free(path);
                        continue;
                }
                one = g_new(struct found, 1);
                *one = (struct found){ path, info.st_mtime };
                g_ptr_array_add(found, one);
        }
        if (dir)
                g_dir_close(dir);
}

GPtrArray *guess_images(void)
{
        GPtrArray *found = g_ptr_array_new_with_free_func(found_free), *paths = g_ptr_array_new_with_free_func(g_free);
        char *isos = g_build_filename(g_get_home_dir(), "ISO", NULL);

        look_in(g_get_user_special_dir(G_USER_DIRECTORY_DOWNLOAD), found);
        look_in(g_get_home_dir(), found);
        look_in(isos, found);
        g_ptr_array_sort(found, found_compare);
        for (guint i = 0; i < MIN(found->len, IMAGES_MAX); i++)
                g_ptr_array_add(paths, g_strdup(((struct found *)g_ptr_array_index(found, i))->path));
        g_ptr_array_unref(found);
        g_free(isos);
        return paths;
}
