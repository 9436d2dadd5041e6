/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preferences.c - finding the schema, reading and writing keys. */
#include <string.h>

#include "base/i18n.h"
#include "ui/preferences.h"

#define SCHEMA "org.lodger.Lodger"

/* As in the schema. */
static const struct { const char *key, *value; } defaults[] = {
        { "release-keys", "ctrl+alt" },
        { "scaling", "fit" },
        { "theme", "system" },
        { "inhibit", "true" },
        { "notify", "true" },
};

static const struct { const char *keys, *text; } release_keys[] = {
        { "ctrl+alt", N_("Left Ctrl + Left Alt") },
        { "rightctrl", N_("Right Ctrl") },
        { "shift+f12", N_("Left Shift + F12") },
        { "scrolllock", N_("Scroll Lock") },
        { "pause", N_("Pause") },
};

/* -- The schema ----------------------------------------------------------------------------------- */

static GSettingsSchema *schema_in(const char *folder)
{
        GSettingsSchemaSource *source = g_settings_schema_source_new_from_directory(folder, g_settings_schema_source_get_default(), TRUE,
                                                                                    NULL);
        GSettingsSchema *schema = source ? g_settings_schema_source_lookup(source, SCHEMA, FALSE) : NULL;

        g_clear_pointer(&source, g_settings_schema_source_unref);
        return schema;
}

/* Where the session looks; where this program was installed; where it was built. */
static GSettingsSchema *schema_find(void)
{
        GSettingsSchemaSource *source = g_settings_schema_source_get_default();
        GSettingsSchema *schema = source ? g_settings_schema_source_lookup(source, SCHEMA, TRUE) : NULL;

        if (!schema)
                schema = schema_in(SCHEMADIR);
        if (!schema) {
                char *self = g_file_read_link("/proc/self/exe", NULL), *folder = self ? g_path_get_dirname(self) : g_strdup(".");
                char *data = g_build_filename(folder, "data", NULL);

                schema = schema_in(data);
                g_free(data);
                g_free(folder);
                g_free(self);
        }
        return schema;
}

GSettings *preferences_get(void)
{
        static GSettings *settings;
        static gboolean sought;
        GSettingsSchema *schema;

        if (!sought) {
                sought = TRUE;
                schema = schema_find();
                if (schema) {
                        settings = g_settings_new_full(schema, NULL, NULL);
                        g_settings_schema_unref(schema);
                }
        }
        return settings;
}

/* -- Keys ----------------------------------------------------------------------------------------- */

static const char *default_of(const char *key)
{
        for (gsize i = 0; i < G_N_ELEMENTS(defaults); i++)
                if (!strcmp(defaults[i].key, key))
                        return defaults[i].value;
        g_assert_not_reached();
}

char *preferences_get_string(const char *key)
{
        return preferences_get() ? g_settings_get_string(preferences_get(), key) : g_strdup(default_of(key));
}

gboolean preferences_get_boolean(const char *key)
{
        return preferences_get() ? g_settings_get_boolean(preferences_get(), key) : !strcmp(default_of(key), "true");
}

void preferences_set_string(const char *key, const char *value)
{
        if (preferences_get())
                g_settings_set_string(preferences_get(), key, value);
}

void preferences_set_boolean(const char *key, gboolean value)
{
        if (preferences_get())
                g_settings_set_boolean(preferences_get(), key, value);
}

const char *preferences_describe_keys(const char *keys)
{
        for (gsize i = 0; i < G_N_ELEMENTS(release_keys); i++)
                if (!strcmp(release_keys[i].keys, keys))
                        return _(release_keys[i].text);
        return keys;
}

const char *const *preferences_release_keys(void)
{
        static const char *list[G_N_ELEMENTS(release_keys) + 1];

        for (gsize i = 0; i < G_N_ELEMENTS(release_keys); i++)
                list[i] = release_keys[i].keys;
        return list;
}

void preferences_apply_theme(void)
{
        char *theme = preferences_get_string("theme");
        GtkSettings *settings = gtk_settings_get_default();

        if (!strcmp(theme, "system"))
                gtk_settings_reset_property(settings, "gtk-application-prefer-dark-theme");
        else
                g_object_set(settings, "gtk-application-prefer-dark-theme", !strcmp(theme, "dark"), NULL);
        g_free(theme);
}
