/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork.c - a second machine whose disks build upon what another one's keep for an instant. */
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "block/tool.h"
#include "library/fork.h"
#include "library/timeline.h"
#include "machine/checkpoint_disks.h"
#include "machine/disk_spec.h"

/* An image at path on top of what `below` keeps. */
static bool make_overlay(const char *path, const char *below, const char *id, GError **error)
{
        char *snapshot = checkpoint_disks_name(id), *backing = image_snapshot_name(snapshot, below);
        struct image_create_options options = { .backing = backing, .backing_format = "qcow2", .must_be_new = true };
        struct image_info *info = image_info(below, "qcow2", error);
        bool ok = info && image_create(path, "qcow2", info->size_bytes, &options, error) &&
                  image_snapshot(path, IMAGE_SNAPSHOT_CREATE, snapshot, error);

        if (info)
                image_info_free(info);
        g_free(backing);
        g_free(snapshot);
        return ok;
}

/* The drives of one option: those whose image keeps the instant get one on top of it. */
static bool fork_drives(struct definition *definition, enum option option, const char *id, const char *const *disks, GError **error)
{
        char **values = definition->options.values[option];
        bool ok = true;

        for (unsigned i = 0; ok && values && values[i]; i++) {
                struct disk_spec spec;
                char *below, *name, *path, *text;

                if (!disk_spec_parse(values[i], &spec, error))
                        return false;
                below = g_canonicalize_filename(spec.path, NULL);
                if (!spec.options.read_only && !spec.options.throwaway && g_strv_contains(disks, below)) {
                        name = g_strdup_printf("%s%u.qcow2", option_table[option].name, i);
                        path = g_build_filename(definition->folder, name, NULL);
                        text = disk_spec_with_image(values[i], path, "qcow2", true);
                        ok = make_overlay(path, below, id, error);
                        g_free(values[i]);
                        values[i] = text;
                        g_free(name);
                        g_free(path);
                }
                g_free(below);
                disk_spec_clear(&spec);
        }
        return ok;
}

/* The number of ports is part of the machine; what they are connected to is not. */
static void disconnect(struct option_set *options)
{
        static const enum option ports[] = { OPTION_SERIAL, OPTION_CONSOLE };

        for (unsigned p = 0; p < G_N_ELEMENTS(ports); p++)
                for (char **value = options->values[ports[p]]; value && *value; value++) {
                        char *name = strstr(*value, ",name="), *text = g_strconcat("none", name ? name : "", NULL);

                        g_free(*value);
                        *value = text;
                }
        for (char **value = options->values[OPTION_NET]; value && *value; value++) {
                char **words = g_strsplit(*value, ",", -1), **to = words;

                for (char **word = words; *word; word++)
                        if (g_str_has_prefix(*word, "hostfwd="))
                                g_free(*word);
                        else
                                *to++ = *word;
                *to = NULL;
                g_free(*value);
                *value = g_strjoinv(",", words);
                g_strfreev(words);
        }
        options_unset(options, OPTION_GDB);
        options_unset(options, OPTION_TRACE_FILE);
}

struct definition *library_fork(const struct definition *from, const char *name, const char *id, const char *const *disks,
                                GError **error)
{
        struct definition *definition;

        if (!library_check_name(name, error))
                return NULL;
        definition = definition_new(name, from->os);
        options_copy(&definition->options, &from->options);
        disconnect(&definition->options);
        if (!library_create(definition, error)) {
                definition_free(definition);
                return NULL;
        }
        /* What is built upon is kept from the moment on that somebody needs it. */
        if (timeline_set_needs(name, from->name, id, error) && fork_drives(definition, OPTION_DISK, id, disks, error) &&
            fork_drives(definition, OPTION_FLOPPY, id, disks, error) && definition_save(definition, error))
                return definition;
        library_delete(name, NULL);
        definition_free(definition);
        return NULL;
}

/* -- From a snapshot ------------------------------------------------------------------------------ */

static bool keeps(const char *path, const char *snapshot)
{
        struct image_info *info = image_info(path, "qcow2", NULL);
        bool found = false;

        for (guint i = 0; info && info->snapshots && i < info->snapshots->len; i++)
                found |= !strcmp(((struct block_snapshot *)g_ptr_array_index(info->snapshots, i))->name, snapshot);
        image_info_free(info);
        return found;
}

/* The images that keep the instant, NULL-terminated. */
static GPtrArray *find_images(const struct definition *definition, const char *id)
{
        static const enum option drives[] = { OPTION_DISK, OPTION_FLOPPY };
        GPtrArray *images = g_ptr_array_new_with_free_func(g_free);
        char *snapshot = checkpoint_disks_name(id);

        for (unsigned i = 0; i < G_N_ELEMENTS(drives); i++)
                for (char **value = definition->options.values[drives[i]]; value && *value; value++) {
                        struct disk_spec spec = { 0 };

                        if (disk_spec_parse(*value, &spec, NULL) && !spec.options.read_only && keeps(spec.path, snapshot))
                                g_ptr_array_add(images, g_canonicalize_filename(spec.path, NULL));
                        disk_spec_clear(&spec);
                }
        g_ptr_array_add(images, NULL);
        g_free(snapshot);
        return images;
}

/* The state as that of a machine that was suspended. */
static bool copy_state(const char *path, const char *new_name, GError **error)
{
        char *to = timeline_suspend_path(new_name);
        GFile *source = g_file_new_for_path(path), *target = g_file_new_for_path(to);
        bool ok = link(path, to) == 0 || g_file_copy(source, target, G_FILE_COPY_NONE, NULL, NULL, NULL, error);

        g_object_unref(source);
        g_object_unref(target);
        g_free(to);
        return ok;
}

bool library_clone_snapshot(const char *name, const char *new_name, const char *snapshot, GError **error)
{
        struct definition *from = definition_load(name, error), *made = NULL;
        GPtrArray *list = from ? timeline_list(name) : NULL, *images;
        const struct timeline_entry *entry = list ? timeline_find(list, snapshot) : NULL;
        bool ok = false;

        if (list && !entry) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_NOT_FOUND, "%s: %s", snapshot,
                            _("no such snapshot; \"lodger snapshot list\" shows those there are"));
        } else if (entry && entry->problem) {
                g_set_error_literal(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, entry->problem);
        } else if (entry) {
                images = find_images(from, entry->id);
                made = library_fork(from, new_name, entry->id, (const char *const *)images->pdata, error);
                ok = made && copy_state(entry->path, new_name, error);
                if (made && !ok)
                        library_delete(new_name, NULL);
                g_ptr_array_unref(images);
        }
        if (list)
                g_ptr_array_unref(list);
        definition_free(made);
        definition_free(from);
        return ok;
}
