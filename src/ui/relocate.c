/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relocate.c - a definition's file names, and those that lead nowhere.
 *
 * An option's value begins with the path; what follows it (",bus=ahci") stays as it is.
 */
#include <string.h>

#include "library/library.h"
#include "machine/disk_spec.h"
#include "ui/relocate.h"

static const enum option options[] = { OPTION_DISK, OPTION_CDROM, OPTION_FLOPPY, OPTION_KERNEL, OPTION_INITRD };

/* The path in a value; NULL: it is no local file's.  Caller frees. */
static char *path_of(enum option option, const char *value)
{
        struct disk_spec spec;
        char *path = NULL;

        if (option_table[option].path != OPTION_PATH_SPEC) {
                path = g_strdup(value);
        } else if (disk_spec_parse(value, &spec, NULL)) {
                path = g_strdup(spec.path);
                disk_spec_clear(&spec);
        }
        if (path && !g_path_is_absolute(path))          /* "nbd://..." */
                g_clear_pointer(&path, g_free);
        return path;
}

/* The value whose file is missing, where it stands; *path: its file. */
static char **find_missing(const struct definition *definition, char **path)
{
        for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
                for (char **value = definition->options.values[options[i]]; value && *value; value++) {
                        *path = path_of(options[i], *value);
                        if (*path && !g_file_test(*path, G_FILE_TEST_EXISTS))
                                return value;
                        g_clear_pointer(path, g_free);
                }
        return NULL;
}

char *relocate_missing(LodgerMachine *machine)
{
        struct definition *definition = definition_load(lodger_machine_get_name(machine), NULL);
        char *path = NULL;

        if (definition)
                find_missing(definition, &path);
        definition_free(definition);
        return path;
}

gboolean relocate(LodgerMachine *machine, const char *path, GError **error)
{
        struct definition *definition = definition_load(lodger_machine_get_name(machine), error);
        char *old = NULL, *changed, **value = definition ? find_missing(definition, &old) : NULL;
        gboolean ok = definition != NULL;

        if (value) {
                changed = g_strconcat(path, *value + strlen(old), NULL);
                g_free(*value);
                *value = changed;
                ok = options_check(&definition->options, error) && definition_save(definition, error);
        }
        g_free(old);
        definition_free(definition);
        return ok;
}
