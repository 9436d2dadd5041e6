/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preferences_window.c - the window of preferences, from data/ui/preferences.ui. */
#include "base/i18n.h"
#include "ui/application.h"
#include "ui/preferences.h"

static void string_chosen(GtkComboBox *combo, const char *key)
{
        if (gtk_combo_box_get_active_id(combo))
                preferences_set_string(key, gtk_combo_box_get_active_id(combo));
        preferences_apply_theme();
}

static void bind_string(GtkBuilder *builder, const char *key)
{
        GtkComboBox *combo = GTK_COMBO_BOX(gtk_builder_get_object(builder, key));
        char *value = preferences_get_string(key);

        gtk_combo_box_set_active_id(combo, value);
        g_signal_connect(combo, "changed", G_CALLBACK(string_chosen), (gpointer)key);
        g_free(value);
}

static void boolean_chosen(GObject *object, GParamSpec *spec, const char *key)
{
        (void)spec;
        preferences_set_boolean(key, gtk_switch_get_active(GTK_SWITCH(object)));
}

static void bind_boolean(GtkBuilder *builder, const char *key)
{
        GObject *object = gtk_builder_get_object(builder, key);

        gtk_switch_set_active(GTK_SWITCH(object), preferences_get_boolean(key));
        g_signal_connect(object, "notify::active", G_CALLBACK(boolean_chosen), (gpointer)key);
}

static gboolean key_pressed(GtkWindow *window, GdkEventKey *event)
{
        if (event->keyval == GDK_KEY_Escape)
                gtk_window_close(window);
        return event->keyval == GDK_KEY_Escape;
}

void preferences_show(GtkWindow *parent)
{
        GtkBuilder *builder = gtk_builder_new_from_resource(LODGER_RESOURCES "ui/preferences.ui");
        GtkWindow *window = GTK_WINDOW(gtk_builder_get_object(builder, "window"));
        GtkComboBoxText *keys = GTK_COMBO_BOX_TEXT(gtk_builder_get_object(builder, "release-keys"));

        for (const char *const *key = preferences_release_keys(); *key; key++)
                gtk_combo_box_text_append(keys, *key, preferences_describe_keys(*key));
        bind_string(builder, "release-keys");
        bind_string(builder, "scaling");
        bind_string(builder, "theme");
        bind_boolean(builder, "inhibit");
        bind_boolean(builder, "notify");
        g_signal_connect(window, "key-press-event", G_CALLBACK(key_pressed), NULL);
        gtk_window_set_transient_for(window, parent);
        gtk_window_present(window);
        g_object_unref(builder);
}
