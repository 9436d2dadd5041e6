/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * definition.c - a named machine's definition as a GKeyFile.
 *
 * Keys of [options] are names of the option table; a LIST is a GKeyFile list (";" between its values, a
 * ";" of a value written "\;").  People edit these files, so everything read is checked like a command line.
 */
#include <gio/gio.h>
#include <string.h>

#include "library/guest_os.h"
#include "net/net.h"
#include "library/library.h"

#define GROUP_MACHINE "machine"
#define GROUP_OPTIONS "options"
#define GROUP_LINKED "linked"
#define FILE_NAME "definition"
enum { VERSION = 1 };

struct definition *definition_new(const char *name, const char *os)
{
        struct definition *definition = g_new0(struct definition, 1);

        definition->name = g_strdup(name);
        definition->folder = library_machine_folder(name);
        definition->os = g_strdup(os);
        return definition;
}

void definition_free(struct definition *definition)
{
        if (!definition)
                return;
        options_clear(&definition->options);
        g_free(definition->name);
        g_free(definition->folder);
        g_free(definition->os);
        g_strfreev(definition->bases);
        g_free(definition);
}

/* -- Reading ------------------------------------------------------------------------------------- */

static bool read_option(struct definition *definition, GKeyFile *file, const char *key, GError **error)
{
        enum option option = options_find(key);
        char **values;
        bool ok = true;

        if (option == OPTION_COUNT || option_table[option].scope == OPTION_SCOPE_RUN) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, _("%s: no such key in [options]; remove it"), key);
                return false;
        }
        if (option_table[option].kind == OPTION_LIST) {
                values = g_key_file_get_string_list(file, GROUP_OPTIONS, key, NULL, error);
        } else {
                values = g_new0(char *, 2);
                values[0] = g_key_file_get_string(file, GROUP_OPTIONS, key, error);
                if (!values[0])
                        g_clear_pointer(&values, g_strfreev);
        }
        for (char **value = values; ok && value && *value; value++) {
                char *assignment = g_strdup_printf(option_table[option].kind == OPTION_LIST ? "%s+=%s" : "%s=%s", key, *value);

                ok = options_assign(&definition->options, assignment, error);
                g_free(assignment);
        }
        ok = ok && values;
        g_strfreev(values);
        return ok;
}

static bool read_file(struct definition *definition, GKeyFile *file, GError **error)
{
        char **keys;
        bool ok = true;

        if (g_key_file_get_integer(file, GROUP_MACHINE, "version", NULL) != VERSION) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, _("not a definition of version %d"), VERSION);
                return false;
        }
        definition->os = g_key_file_get_string(file, GROUP_MACHINE, "os", NULL);
        if (!definition->os || !guest_os_find(definition->os)) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, _("os=%s: no such operating system type"),
                            definition->os ? definition->os : "");
                return false;
        }
        definition->bases = g_key_file_get_string_list(file, GROUP_LINKED, "bases", NULL, NULL);
        keys = g_key_file_get_keys(file, GROUP_OPTIONS, NULL, NULL);
        for (char **key = keys; ok && key && *key; key++)
                ok = read_option(definition, file, *key, error);
        g_strfreev(keys);
        return ok;
}

struct definition *definition_load(const char *name, GError **error)
{
        struct definition *definition;
        GKeyFile *file;
        GError *problem = NULL;
        char *path;

        if (!library_check_name(name, error))
                return NULL;
        if (!library_exists(name)) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_NOT_FOUND,
                            _("%s: no such machine; \"lodger list --all\" shows them, \"lodger create\" makes one"), name);
                return NULL;
        }
        definition = definition_new(name, NULL);
        path = g_build_filename(definition->folder, FILE_NAME, NULL);
        file = g_key_file_new();
        if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &problem) || !read_file(definition, file, &problem)) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, "%s: %s", path, problem->message);
                g_error_free(problem);
                g_clear_pointer(&definition, definition_free);
        }
        g_key_file_free(file);
        g_free(path);
        return definition;
}

/* -- Writing ------------------------------------------------------------------------------------- */

bool definition_save(const struct definition *definition, GError **error)
{
        GKeyFile *file = g_key_file_new();
        char *path = g_build_filename(definition->folder, FILE_NAME, NULL), *text;
        gsize size;
        bool ok;

        g_key_file_set_integer(file, GROUP_MACHINE, "version", VERSION);
        g_key_file_set_string(file, GROUP_MACHINE, "os", definition->os);
        for (unsigned i = 0; i < OPTION_COUNT; i++) {
                char **values = definition->options.values[i];

                if (!values || option_table[i].scope == OPTION_SCOPE_RUN)
                        continue;
                if (option_table[i].kind == OPTION_LIST)
                        g_key_file_set_string_list(file, GROUP_OPTIONS, option_table[i].name, (const char *const *)values,
                                                   g_strv_length(values));
                else
                        g_key_file_set_string(file, GROUP_OPTIONS, option_table[i].name, values[0]);
        }
        if (definition->bases)
                g_key_file_set_string_list(file, GROUP_LINKED, "bases", (const char *const *)definition->bases,
                                           g_strv_length(definition->bases));
        text = g_key_file_to_data(file, &size, NULL);
        ok = g_file_set_contents_full(path, text, (gssize)size, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                      0600, error);
        g_free(text);
        g_free(path);
        g_key_file_free(file);
        return ok;
}

/* -- Using --------------------------------------------------------------------------------------- */

static void suggest(struct option_set *options, enum option option, const char *value)
{
        if (value && !options_text(options, option) && !option_table[option].check(value))
                options_set(options, option, value);
}

void definition_options(const struct definition *definition, struct option_set *options)
{
        const struct guest_os *os = guest_os_find(definition->os);

        options_copy(options, &definition->options);
        options_set(options, OPTION_NAME, definition->name);
        suggest(options, OPTION_MEMORY, os->memory);
        suggest(options, OPTION_CPU, os->cpu);
        suggest(options, OPTION_TABLET, os->tablet);
        if (os->net_model && strcmp(net_default(), "none")) {
                char *network = g_strdup_printf("%s,model=%s", net_default(), os->net_model);

                suggest(options, OPTION_NET, network);
                g_free(network);
        }
        for (char **disk = options->values[OPTION_DISK]; os->disk_bus && disk && *disk; disk++)
                if (!strstr(*disk, ",bus=")) {
                        char *longer = g_strdup_printf("%s,bus=%s", *disk, os->disk_bus);

                        g_free(*disk);
                        *disk = longer;
                }
        if (!options_text(options, OPTION_SERIAL)) {
                char *serial = g_strdup_printf("file:%s/serial0.log", definition->folder);

                options_set(options, OPTION_SERIAL, serial);
                g_free(serial);
        }
}

char *definition_describe(const struct definition *definition)
{
        char *options = options_describe(&definition->options);
        char *text = g_strdup_printf("os=%s\n%s", definition->os, options);

        g_free(options);
        return text;
}
