/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timeline.c - the snapshots of a named machine, and from which of them its present state comes. */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "library/library.h"
#include "library/parse.h"
#include "library/timeline.h"
#include "snapshot/reader.h"

#define SUFFIX ".snapshot"

/* -- Files --------------------------------------------------------------------------------------- */

static char *in_folder(const char *machine, const char *name)
{
        char *folder = library_machine_folder(machine), *path = g_build_filename(folder, name, NULL);

        g_free(folder);
        return path;
}

bool timeline_check_name(const char *snapshot, GError **error)
{
        if (parse_name(snapshot))
                return true;
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    _("snapshot %s: not a name; up to 64 letters, digits, '-', '_' and '.', starting with a letter or digit"), snapshot);
        return false;
}

char *timeline_path(const char *machine, const char *snapshot, GError **error)
{
        char *folder = in_folder(machine, "snapshots"), *name = g_strconcat(snapshot, SUFFIX, NULL);
        char *path = g_build_filename(folder, name, NULL);

        if (g_mkdir(folder, 0700) < 0 && errno != EEXIST) {
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", folder, g_strerror(errno));
                g_clear_pointer(&path, g_free);
        }
        g_free(folder);
        g_free(name);
        return path;
}

static GKeyFile *timeline_load(const char *machine)
{
        GKeyFile *file = g_key_file_new();
        char *path = in_folder(machine, "timeline");

        /* None yet: nothing was taken or restored.  One that cannot be read loses lineage, not state. */
        g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL);
        g_free(path);
        return file;
}

static bool timeline_store(const char *machine, GKeyFile *file, GError **error)
{
        char *path = in_folder(machine, "timeline");
        gsize length;
        char *text = g_key_file_to_data(file, &length, NULL);
        bool ok = g_file_set_contents_full(path, text, (gssize)length, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                           0600, error);

        g_free(text);
        g_free(path);
        return ok;
}

static char *timeline_get(const char *machine, const char *key)
{
        GKeyFile *file = timeline_load(machine);
        char *value = g_key_file_get_string(file, "timeline", key, NULL);

        g_key_file_unref(file);
        return value;
}

/* -- The snapshots there are --------------------------------------------------------------------- */

static void entry_free(gpointer data)
{
        struct timeline_entry *entry = data;

        snapshot_info_clear(&entry->info);
        g_free(entry->name);
        g_free(entry->path);
        g_free(entry->problem);
        g_free(entry);
}

static gint by_date(gconstpointer a, gconstpointer b)
{
        const struct timeline_entry *const *first = a, *const *second = b;

        if ((*first)->info.created_us != (*second)->info.created_us)
                return (*first)->info.created_us < (*second)->info.created_us ? -1 : 1;
        return strcmp((*first)->name, (*second)->name);
}

static struct timeline_entry *entry_read(const char *folder, const char *file_name)
{
        struct timeline_entry *entry = g_new0(struct timeline_entry, 1);
        GError *error = NULL;
        uint8_t id[SNAPSHOT_ID_BYTES];

        entry->name = g_strndup(file_name, strlen(file_name) - strlen(SUFFIX));
        entry->path = g_build_filename(folder, file_name, NULL);
        if (snapshot_read_info(entry->path, &entry->info, id, &entry->bytes, &error)) {
                for (unsigned i = 0; i < SNAPSHOT_ID_BYTES; i++)
                        g_snprintf(entry->id + 2 * i, 3, "%02x", id[i]);
        } else {
                entry->problem = g_strdup(error->message);
                g_error_free(error);
        }
        return entry;
}

GPtrArray *timeline_list(const char *machine)
{
        GPtrArray *list = g_ptr_array_new_with_free_func(entry_free);
        char *folder = in_folder(machine, "snapshots"), *current = timeline_current(machine);
        GDir *dir = g_dir_open(folder, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir)) != NULL) {
                if (*name == '.' || !g_str_has_suffix(name, SUFFIX))
                        continue;
                struct timeline_entry *entry = entry_read(folder, name);
                entry->current = *entry->id && g_str_has_prefix(current, entry->id);
                g_ptr_array_add(list, entry);
        }
        if (dir)
                g_dir_close(dir);
        g_ptr_array_sort(list, by_date);
        g_free(folder);
        g_free(current);
        return list;
}

const struct timeline_entry *timeline_find(const GPtrArray *list, const char *snapshot)
{
        for (guint i = 0; i < list->len; i++) {
                const struct timeline_entry *entry = g_ptr_array_index(list, i);

                if (!strcmp(entry->name, snapshot))
                        return entry;
        }
        return NULL;
}

const struct timeline_entry *timeline_parent(const GPtrArray *list, const struct timeline_entry *entry)
{
        char **ancestors = g_strsplit(entry->info.ancestors ? entry->info.ancestors : "", " ", -1);
        const struct timeline_entry *parent = NULL;

        for (char **id = ancestors; *id && !parent; id++)
                for (guint i = 0; i < list->len && !parent; i++) {
                        const struct timeline_entry *other = g_ptr_array_index(list, i);

                        if (**id && other != entry && !strcmp(other->id, *id))
                                parent = other;
                }
        g_strfreev(ancestors);
        return parent;
}

/* -- The present --------------------------------------------------------------------------------- */

char *timeline_current(const char *machine)
{
        char *current = timeline_get(machine, "current");

        return current ? current : g_strdup("");
}

static void set_current(GKeyFile *file, const char *id, const char *ancestors)
{
        char *chain = *ancestors ? g_strconcat(id, " ", ancestors, NULL) : g_strdup(id);

        g_key_file_set_string(file, "timeline", "current", chain);
        g_free(chain);
}

bool timeline_set_current(const char *machine, const char *id, const char *ancestors, GError **error)
{
        GKeyFile *file = timeline_load(machine);
        bool ok;

        set_current(file, id, ancestors);
        ok = timeline_store(machine, file, error);
        g_key_file_unref(file);
        return ok;
}

bool timeline_set_needs(const char *machine, const char *other, const char *id, GError **error)
{
        GKeyFile *file = timeline_load(machine);
        bool ok;

        g_key_file_set_string(file, "timeline", "needs", id);
        g_key_file_set_string(file, "timeline", "from", other);
        ok = timeline_store(machine, file, error);
        g_key_file_unref(file);
        return ok;
}

char *timeline_find_needing(const char *other)
{
        GPtrArray *machines = library_list();
        char *found = NULL;

        for (guint i = 0; !found && i < machines->len; i++) {
                char *from = timeline_get(g_ptr_array_index(machines, i), "from");

                if (!g_strcmp0(from, other))
                        found = g_strdup(g_ptr_array_index(machines, i));
                g_free(from);
        }
        g_ptr_array_unref(machines);
        return found;
}

void timeline_add_needed(GPtrArray *ids)
{
        GPtrArray *machines = library_list();

        for (guint i = 0; i < machines->len; i++) {
                char *needs = timeline_get(g_ptr_array_index(machines, i), "needs");

                if (needs)
                        g_ptr_array_add(ids, needs);
        }
        g_ptr_array_unref(machines);
}

bool timeline_set_resume(const char *machine, const struct timeline_entry *entry, GError **error)
{
        char *name = g_path_get_basename(entry->path), *relative = g_build_filename("snapshots", name, NULL);
        GKeyFile *file = timeline_load(machine);
        bool ok;

        g_key_file_set_string(file, "timeline", "resume", relative);
        set_current(file, entry->id, entry->info.ancestors);
        ok = timeline_store(machine, file, error);
        g_key_file_unref(file);
        g_free(relative);
        g_free(name);
        if (ok) {
                char *suspended = timeline_suspend_path(machine);

                unlink(suspended);
                g_free(suspended);
        }
        return ok;
}

char *timeline_suspend_path(const char *machine) { return in_folder(machine, "suspended" SUFFIX); }

char *timeline_resume_path(const char *machine)
{
        char *resume = timeline_get(machine, "resume"), *path;

        if (resume) {
                path = in_folder(machine, resume);
                g_free(resume);
                return path;
        }
        path = timeline_suspend_path(machine);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
                g_clear_pointer(&path, g_free);
        return path;
}

void timeline_resumed(const char *machine)
{
        GKeyFile *file = timeline_load(machine);
        char *suspended = timeline_suspend_path(machine);

        if (g_key_file_remove_key(file, "timeline", "resume", NULL))
                timeline_store(machine, file, NULL);
        g_key_file_unref(file);
        unlink(suspended);
        g_free(suspended);
}

bool timeline_delete(const char *machine, const char *snapshot, GError **error)
{
        char *path, *resume;
        bool ok;

        if (!timeline_check_name(snapshot, error))
                return false;
        path = timeline_path(machine, snapshot, error);
        if (!path)
                return false;
        resume = timeline_resume_path(machine);
        ok = !resume || strcmp(resume, path);
        if (!ok)
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_NEEDED,
                            _("%s: the next start of %s goes on from it; start it first, or restore another one"), snapshot, machine);
        else if (unlink(path) < 0) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_NOT_FOUND, "%s: %s", snapshot,
                            errno == ENOENT ? _("no such snapshot; \"lodger snapshot list\" shows those there are") : g_strerror(errno));
                ok = false;
        }
        g_free(path);
        g_free(resume);
        return ok;
}
