/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork.c - a second machine whose disks build upon what another one's keep for an instant. */
#include <string.h>

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
        if (timeline_set_needs(name, id, error) && fork_drives(definition, OPTION_DISK, id, disks, error) &&
            fork_drives(definition, OPTION_FLOPPY, id, disks, error) && definition_save(definition, error))
                return definition;
        library_delete(name, NULL);
        definition_free(definition);
        return NULL;
}
