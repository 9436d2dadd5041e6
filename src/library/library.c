/* SPDX-License-Identifier: GPL-2.0-or-later */
/* library.c - the folders of named machines: found, made, locked, removed (library.h). */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <gio/gio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library/library.h"
#include "library/parse.h"

/* Leaves room for a number behind it. */
enum { NAME_MADE_BYTES = 40 };

GQuark library_error_quark(void) { return g_quark_from_static_string("lodger-library-error"); }

/* -- Names and places ---------------------------------------------------------------------------- */

bool library_check_name(const char *name, GError **error)
{
        if (parse_name(name))
                return true;
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    _("%s: not a name; up to 64 letters, digits, '-', '_' and '.', starting with a letter or digit"), name);
        return false;
}

char *library_name_from(const char *text)
{
        GString *name = g_string_new(NULL);

        for (; *text && name->len < NAME_MADE_BYTES; text++)
                if (g_ascii_isalnum(*text))
                        g_string_append_c(name, *text);
                else if (name->len && name->str[name->len - 1] != '-')
                        g_string_append_c(name, strchr("._", *text) ? *text : '-');
        while (name->len && !g_ascii_isalnum(name->str[name->len - 1]))
                g_string_truncate(name, name->len - 1);
        if (!name->len)
                g_string_assign(name, "machine");
        return g_string_free(name, FALSE);
}

char *library_folder(void) { return g_build_filename(g_get_user_data_dir(), "lodger", "machines", NULL); }

/* parse_name() lets no "..", no hidden file and no slash through. */
char *library_machine_folder(const char *name)
{
        return g_build_filename(g_get_user_data_dir(), "lodger", "machines", name, NULL);
}

static bool has_definition(const char *folder)
{
        char *path = g_build_filename(folder, "definition", NULL);
        bool there = g_file_test(path, G_FILE_TEST_IS_REGULAR);

        g_free(path);
        return there;
}

bool library_exists(const char *name)
{
        char *folder = library_machine_folder(name);
        bool there = parse_name(name) && has_definition(folder);

        g_free(folder);
        return there;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *library_list(void)
{
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
        char *folder = library_folder();
        GDir *entries = g_dir_open(folder, 0, NULL);
        const char *name;

        while (entries && (name = g_dir_read_name(entries)))
                if (library_exists(name))
                        g_ptr_array_add(names, g_strdup(name));
        g_ptr_array_sort(names, compare_names);
        if (entries)
                g_dir_close(entries);
        g_free(folder);
        return names;
}

/* -- Making -------------------------------------------------------------------------------------- */

bool library_create(struct definition *definition, GError **error)
{
        char *parent = library_folder();
        bool ok = false, made;

        if (g_mkdir_with_parents(parent, 0700) < 0) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, "%s: %s", parent, g_strerror(errno));
                goto out;
        }
        /* The folder is the claim to the name: of two that make it at once one fails. */
        made = mkdir(definition->folder, 0700) == 0;
        if (!made && (errno != EEXIST || has_definition(definition->folder))) {
                if (errno == EEXIST)
                        g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_EXISTS,
                                    _("%s: there is such a machine already; choose another name, or \"lodger delete %s\""),
                                    definition->name, definition->name);
                else
                        g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, "%s: %s", definition->folder, g_strerror(errno));
                goto out;
        }
        if (!options_text(&definition->options, OPTION_UUID)) {
                char *uuid = g_uuid_string_random();

                options_set(&definition->options, OPTION_UUID, uuid);
                g_free(uuid);
        }
        ok = definition_save(definition, error);
        if (!ok && made)
                rmdir(definition->folder);
out:
        g_free(parent);
        return ok;
}

/* -- Locking ------------------------------------------------------------------------------------- */

/* A process that was killed keeps its locks until the last of its threads is gone. */
enum { LOCK_PATIENCE_MS = 1000, LOCK_LOOK_MS = 20 };

static bool lock_patiently(int fd)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        for (int waited = 0; fcntl(fd, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES); waited += LOCK_LOOK_MS) {
                if (waited >= LOCK_PATIENCE_MS)
                        return false;
                g_usleep(LOCK_LOOK_MS * 1000);
        }
        /* Any other failure is a file system without locks, which the control socket has to make up for. */
        return true;
}

int library_lock(const char *name, GError **error)
{
        char *folder = library_machine_folder(name), *path = g_build_filename(folder, "lock", NULL);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, "%s: %s", path, g_strerror(errno));
        } else if (!lock_patiently(fd)) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_BUSY,
                            _("%s: is running, or being changed; \"lodger stop %s\" ends it"), name, name);
                close(fd);
                fd = -1;
        }
        g_free(path);
        g_free(folder);
        return fd;
}

/* -- Removing ------------------------------------------------------------------------------------ */

/* Whether it has a file of that folder among its own, or builds on one. */
static bool refers_to(const struct definition *definition, const char *prefix)
{
        for (unsigned option = 0; option < OPTION_COUNT; option++)
                for (char **value = definition->options.values[option]; value && *value; value++)
                        if (option_table[option].path != OPTION_PATH_NONE && strstr(*value, prefix))
                                return true;
        for (char **base = definition->bases; base && *base; base++)
                if (g_str_has_prefix(*base, prefix))
                        return true;
        return false;
}

/* Another machine that refers to a file in that folder; caller frees. */
static char *find_user(const char *name, const char *folder)
{
        GPtrArray *names = library_list();
        char *prefix = g_strconcat(folder, "/", NULL), *user = NULL;

        for (guint i = 0; !user && i < names->len; i++) {
                const char *other = g_ptr_array_index(names, i);
                struct definition *definition = strcmp(other, name) ? definition_load(other, NULL) : NULL;

                if (definition && refers_to(definition, prefix))
                        user = g_strdup(other);
                definition_free(definition);
        }
        g_free(prefix);
        g_ptr_array_unref(names);
        return user;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
        (void)info;
        (void)type;
        (void)walk;
        return remove(path) < 0 && errno != ENOENT ? errno : 0;
}

/* Depth first, without following links or leaving the file system. */
int library_remove_tree(const char *folder)
{
        int result = nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

        return result < 0 ? errno : result;
}

bool library_delete(const char *name, GError **error)
{
        char *folder = library_machine_folder(name), *parent = library_folder(), *user = NULL, *doomed = NULL;
        struct definition *definition;
        int fd = -1, result;
        bool ok = false;

        if (!library_check_name(name, error))
                goto out;
        if (!library_exists(name)) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_NOT_FOUND, _("%s: no such machine; \"lodger list --all\" shows them"), name);
                goto out;
        }
        fd = library_lock(name, error);
        if (fd < 0)
                goto out;
        user = find_user(name, folder);
        if (user) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_NEEDED, _("%s: machine %s uses files in its folder; delete that one first"),
                            name, user);
                goto out;
        }
        /* While the definition still names them: what has been given free by mistake is protected when a clone starts. */
        definition = definition_load(name, NULL);
        if (definition)
                library_protect_bases(definition, false);
        definition_free(definition);
        /* First out of the way as a whole: half a machine is never seen. */
        doomed = g_strdup_printf("%s/.%s.deleted", parent, name);
        library_remove_tree(doomed);
        if (rename(folder, doomed) < 0) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, "%s: %s", folder, g_strerror(errno));
                goto out;
        }
        result = library_remove_tree(doomed);
        ok = !result;
        if (!ok)
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, "%s: %s", doomed, g_strerror(result));
out:
        if (fd >= 0)
                close(fd);
        g_free(doomed);
        g_free(user);
        g_free(parent);
        g_free(folder);
        return ok;
}
