/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console_rescue.c - LodgerConsole: what is offered when its machine has ended and should not have, or could not start. */
#include "base/i18n.h"
#include "library/timeline.h"
#include "ui/console_private.h"
#include "ui/launch.h"
#include "ui/relocate.h"
#include "ui/snapshot_dialog.h"

static void start_again(LodgerConsole *console)
{
        GError *error = NULL;

        if (launch_machine(console->machine, &error))
                return;
        lodger_application_complain(GTK_WINDOW(console), _("The machine could not be started"), error->message);
        g_error_free(error);
}

static void action_start_again(GSimpleAction *action, GVariant *parameter, gpointer console)
{
        (void)action;
        (void)parameter;
        start_again(console);
}

/* -- A file that is not where it was ---------------------------------------------------------------------- */

static void file_chosen(GtkNativeDialog *dialog, gint response, LodgerConsole *console)
{
        char *path = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog)) : NULL;
        GError *error = NULL;

        if (path && relocate(console->machine, path, &error))
                start_again(console);
        else if (error)
                lodger_application_complain(GTK_WINDOW(console), _("The machine could not be started"), error->message);
        g_clear_error(&error);
        g_free(path);
        g_object_unref(dialog);
}

static void action_relocate(GSimpleAction *action, GVariant *parameter, gpointer console)
{
        char *missing = relocate_missing(LODGER_CONSOLE(console)->machine), *name = missing ? g_filename_display_basename(missing) : NULL;
        char *title = g_strdup_printf(_("Where is “%s” now?"), name ? name : "");
        GtkFileChooserNative *dialog = gtk_file_chooser_native_new(title, console, GTK_FILE_CHOOSER_ACTION_OPEN, _("_Choose"), NULL);

        (void)action;
        (void)parameter;
        gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(dialog), TRUE);
        g_signal_connect_object(dialog, "response", G_CALLBACK(file_chosen), console, 0);
        gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
        g_free(title);
        g_free(name);
        g_free(missing);
}

/* -- Back to a state that was good ------------------------------------------------------------------------- */

char *console_last_snapshot(LodgerConsole *console)
{
        GPtrArray *list;
        char *name = NULL;

        if (!lodger_machine_is_defined(console->machine))
                return NULL;
        list = timeline_list(lodger_machine_get_name(console->machine));
        for (guint i = 0; i < list->len; i++) {         /* sorted by date */
                const struct timeline_entry *entry = g_ptr_array_index(list, i);

                if (!entry->problem) {
                        g_free(name);
                        name = g_strdup(entry->name);
                }
        }
        g_ptr_array_unref(list);
        return name;
}

static void snapshot_restored(char *text, gboolean ok, gpointer console)
{
        if (ok)
                start_again(console);
        else
                lodger_application_complain(console, _("The machine could not be started"), tool_problem(text));
}

static void action_last_snapshot(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerConsole *console = opaque;
        char *name = console_last_snapshot(console);

        (void)action;
        (void)parameter;
        if (name)
                snapshot_run(G_OBJECT(console), "restore", console->machine, name, snapshot_restored, console);
        g_free(name);
}

void console_add_rescue(LodgerConsole *console)
{
        static const GActionEntry entries[] = {
                { "start-again", action_start_again, NULL, NULL, NULL, { 0 } },
                { "relocate", action_relocate, NULL, NULL, NULL, { 0 } },
                { "last-snapshot", action_last_snapshot, NULL, NULL, NULL, { 0 } },
        };

        g_action_map_add_action_entries(G_ACTION_MAP(console), entries, G_N_ELEMENTS(entries), console);
}
