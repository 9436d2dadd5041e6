/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * preferences.h - what the user prefers, kept in GSettings (data/org.lodger.Lodger.gschema.xml).
 *
 * Where the schema is not installed (a build tree that was moved, say) the defaults hold and nothing is kept.
 */
#ifndef LODGER_UI_PREFERENCES_H
#define LODGER_UI_PREFERENCES_H

#include <gtk/gtk.h>

/* Where "changed::KEY" signals come from; NULL: nothing is kept. */
GSettings *preferences_get(void);

char *preferences_get_string(const char *key);          /* caller frees */
gboolean preferences_get_boolean(const char *key);
void preferences_set_string(const char *key, const char *value);
void preferences_set_boolean(const char *key, gboolean value);

/* Release keys for people: "Left Ctrl + Left Alt". */
const char *preferences_describe_keys(const char *keys);
/* The choices there are, ended by NULL. */
const char *const *preferences_release_keys(void);

/* The window of preferences; presents it. */
void preferences_show(GtkWindow *parent);
/* Light or dark as preferred. */
void preferences_apply_theme(void);

#endif
