/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - sets of option values: kept, changed, parsed from a command line (options.h). */
#include <string.h>

#include "library/options.h"
#include "machine/firmware.h"

/* -- Values -------------------------------------------------------------------------------------- */

void options_clear(struct option_set *set)
{
        for (unsigned i = 0; i < OPTION_COUNT; i++)
                g_clear_pointer(&set->values[i], g_strfreev);
}

void options_copy(struct option_set *to, const struct option_set *from)
{
        for (unsigned i = 0; i < OPTION_COUNT; i++)
                to->values[i] = g_strdupv(from->values[i]);
}

const char *options_text(const struct option_set *set, enum option option)
{
        return set->values[option] ? set->values[option][0] : NULL;
}

bool options_flag(const struct option_set *set, enum option option) { return set->values[option] != NULL; }

guint options_count(const struct option_set *set, enum option option)
{
        return set->values[option] ? g_strv_length(set->values[option]) : 0;
}

enum option options_find(const char *name)
{
        for (unsigned i = 0; i < OPTION_COUNT; i++)
                if (!strcmp(option_table[i].name, name))
                        return i;
        return OPTION_COUNT;
}

void options_unset(struct option_set *set, enum option option) { g_clear_pointer(&set->values[option], g_strfreev); }

/* Makes room for one more value, at the end or in front. */
static void put(struct option_set *set, enum option option, const char *value, bool in_front)
{
        guint count = options_count(set, option);
        char **values = g_renew(char *, set->values[option], count + 2);

        if (in_front)
                memmove(values + 1, values, count * sizeof(*values));
        values[in_front ? 0 : count] = g_strdup(value);
        values[count + 1] = NULL;
        set->values[option] = values;
}

void options_add(struct option_set *set, enum option option, const char *value) { put(set, option, value, false); }
void options_insert(struct option_set *set, enum option option, const char *value) { put(set, option, value, true); }

void options_set(struct option_set *set, enum option option, const char *value)
{
        char *copy = g_strdup(value);           /* it may be one of those replaced */

        options_unset(set, option);
        put(set, option, copy, false);
        g_free(copy);
}

char *options_describe(const struct option_set *set)
{
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < OPTION_COUNT; i++)
                for (char **value = set->values[i]; value && *value; value++)
                        g_string_append_printf(text, "%s=%s\n", option_table[i].name, *value);
        return g_string_free(text, FALSE);
}

/* -- Paths --------------------------------------------------------------------------------------- */

/* "nbd:", "https:" and the like: no file of this host. */
static bool is_uri(const char *text)
{
        size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.");

        return length > 1 && text[length] == ':';
}

static char *make_absolute(const struct option_info *info, const char *value)
{
        const char *path = value;
        char *full, *result;

        if (info->path == OPTION_PATH_NONE)
                return g_strdup(value);
        if (info->path == OPTION_PATH_SERIAL) {
                if (!g_str_has_prefix(value, "file:") && !g_str_has_prefix(value, "unix:"))
                        return g_strdup(value);
                path = strchr(value, ':') + 1;
        } else if (info->path == OPTION_PATH_SPEC && is_uri(value)) {
                return g_strdup(value);
        }
        /* A word that names something Lodger finds itself ("uefi") is no path. */
        if (g_path_is_absolute(path) || !*path || (info == &option_table[OPTION_FIRMWARE] && firmware_is_uefi(path)))
                return g_strdup(value);
        char *folder = g_get_current_dir();
        full = g_build_filename(folder, path, NULL);
        result = g_strdup_printf("%.*s%s", (int)(path - value), value, full);
        g_free(full);
        g_free(folder);
        return result;
}

void options_make_absolute(struct option_set *set)
{
        for (unsigned i = 0; i < OPTION_COUNT; i++)
                for (char **value = set->values[i]; value && *value; value++) {
                        char *absolute = make_absolute(&option_table[i], *value);

                        g_free(*value);
                        *value = absolute;
                }
}

void options_throw_away(struct option_set *set)
{
        static const enum option drives[] = { OPTION_DISK, OPTION_FLOPPY };

        for (size_t i = 0; i < G_N_ELEMENTS(drives); i++)
                for (char **value = set->values[drives[i]]; value && *value; value++)
                        if (!strstr(*value, ",throwaway")) {
                                char *longer = g_strconcat(*value, ",throwaway", NULL);

                                g_free(*value);
                                *value = longer;
                        }
}

/* -- Assignments --------------------------------------------------------------------------------- */

static bool fail(GError **error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(GError **error, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        if (error)
                *error = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, arguments);
        va_end(arguments);
        return false;
}

static bool assign(struct option_set *set, const char *key, bool add, const char *value, GError **error)
{
        enum option option = options_find(key);
        const struct option_info *info = &option_table[option];
        const char *remedy;
        char *absolute;

        if (option == OPTION_COUNT || info->scope == OPTION_SCOPE_RUN)
                return fail(error, _("%s: no such key; they are the long options of \"lodger create --help\""), key);
        if (add && info->kind != OPTION_LIST)
                return fail(error, _("%s: has one value; write %s=VALUE"), key, key);
        if (!*value) {
                if (!add)
                        options_unset(set, option);
                return true;
        }
        if (info->kind == OPTION_FLAG && !strcmp(value, "no")) {
                options_unset(set, option);
                return true;
        }
        remedy = info->check(value);
        if (remedy)
                return fail(error, "%s %s: %s", key, value, remedy);
        absolute = make_absolute(info, value);
        if (add)
                options_add(set, option, absolute);
        else
                options_set(set, option, absolute);
        g_free(absolute);
        return true;
}

bool options_assign(struct option_set *set, const char *assignment, GError **error)
{
        const char *equals = strchr(assignment, '=');
        bool add = equals && equals > assignment && equals[-1] == '+';
        bool ok;
        char *key;

        if (!equals || equals == assignment)
                return fail(error, _("%s: write KEY=VALUE, KEY+=VALUE or KEY="), assignment);
        key = g_strndup(assignment, (gsize)(equals - assignment) - add);
        ok = assign(set, key, add, equals + 1, error);
        g_free(key);
        return ok;
}

/* -- Command line -------------------------------------------------------------------------------- */

static gboolean take_option(const char *name, const char *value, gpointer opaque, GError **error)
{
        struct option_set *set = opaque;
        enum option option = options_find(name + strspn(name, "-"));

        (void)error;
        if (option_table[option].kind == OPTION_LIST)
                options_add(set, option, value);
        else
                options_set(set, option, option_table[option].kind == OPTION_FLAG ? "yes" : value);
        return TRUE;
}

GOptionGroup *options_group(struct option_set *set, bool of_a_run)
{
        GOptionGroup *group = g_option_group_new("machine", NULL, NULL, set, NULL);
        GOptionEntry entries[OPTION_COUNT + 1] = { 0 };
        unsigned n = 0;

        for (unsigned i = 0; i < OPTION_COUNT; i++) {
                const struct option_info *info = &option_table[i];

                if (info->scope == OPTION_SCOPE_RUN && !of_a_run)
                        continue;
                /* Values are taken byte by byte (FILENAME), whatever the locale: paths, kernel command lines. */
                entries[n++] = (GOptionEntry){
                        .long_name = info->name, .arg = G_OPTION_ARG_CALLBACK,
                        .flags = info->kind == OPTION_FLAG ? G_OPTION_FLAG_NO_ARG : G_OPTION_FLAG_FILENAME,
                        .arg_data = (gpointer)(uintptr_t)take_option, .description = info->help, .arg_description = info->argument,
                };
        }
        g_option_group_add_entries(group, entries);
#if ENABLE_NLS
        g_option_group_set_translation_domain(group, PACKAGE_TARNAME);
#endif
        return group;
}
