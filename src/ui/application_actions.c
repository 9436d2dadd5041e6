/* SPDX-License-Identifier: GPL-2.0-or-later */
/* application_actions.c - LodgerApplication: actions that every window has, and what concerns the session. */
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "ui/advice.h"
#include "ui/application_private.h"
#include "ui/assistant.h"
#include "ui/manager.h"
#include "ui/preferences.h"

static GtkWindow *window_of(gpointer application) { return gtk_application_get_active_window(application); }

void application_show_manager(LodgerApplication *application)
{
        for (GList *window = gtk_application_get_windows(GTK_APPLICATION(application)); window; window = window->next)
                if (LODGER_IS_MANAGER(window->data)) {
                        gtk_window_present(window->data);
                        return;
                }
        gtk_window_present(GTK_WINDOW(lodger_manager_new(application)));
}

/* -- Actions ---------------------------------------------------------------------------------------------- */

static void action_new(GSimpleAction *action, GVariant *parameter, gpointer application)
{
        (void)action;
        (void)parameter;
        assistant_show(application, window_of(application), NULL);
}

static void action_machines(GSimpleAction *action, GVariant *parameter, gpointer application)
{
        (void)action;
        (void)parameter;
        application_show_manager(application);
}

static void action_preferences(GSimpleAction *action, GVariant *parameter, gpointer application)
{
        (void)action;
        (void)parameter;
        preferences_show(window_of(application));
}

static void action_doctor(GSimpleAction *action, GVariant *parameter, gpointer application)
{
        (void)action;
        (void)parameter;
        advice_show(window_of(application));
}

static void action_shortcuts(GSimpleAction *action, GVariant *parameter, gpointer application)
{
        GtkBuilder *builder = gtk_builder_new_from_resource(LODGER_RESOURCES "ui/shortcuts.ui");
        GtkWindow *window = GTK_WINDOW(gtk_builder_get_object(builder, "window"));

        (void)action;
        (void)parameter;
        gtk_window_set_transient_for(window, window_of(application));
        gtk_window_present(window);
        g_object_unref(builder);
}

static void action_help(GSimpleAction *action, GVariant *parameter, gpointer application)
{
        GtkWidget *dialog = gtk_message_dialog_new(window_of(application), GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, GTK_MESSAGE_INFO,
                                                   GTK_BUTTONS_CLOSE, "%s", _("Machines Inside Your Computer"));

        (void)action;
        (void)parameter;
        gtk_message_dialog_format_secondary_text(GTK_MESSAGE_DIALOG(dialog), "%s",
                _("“New” makes a machine from a CD image, a disk image or a kernel. Double-click a machine to start it.\n\n"
                  "A machine runs on when its window is closed; the list shows it, and its power button ends it.\n\n"
                  "Click a guest's screen to use its mouse. Left Ctrl and Left Alt, pressed together and let go, give it back; "
                  "other keys can be chosen in the preferences.\n\n"
                  "“lodger help” in a terminal and the manual pages lodger(1) and lodger-gtk(1) tell more."));
        gtk_window_set_title(GTK_WINDOW(dialog), _("Help"));
        g_signal_connect(dialog, "response", G_CALLBACK(gtk_widget_destroy), NULL);
        gtk_window_present(GTK_WINDOW(dialog));
}

static void action_about(GSimpleAction *action, GVariant *parameter, gpointer application)
{
        static const char *const authors[] = { "The Lodger authors", NULL };

        (void)action;
        (void)parameter;
        gtk_show_about_dialog(window_of(application), "program-name", "Lodger", "version", PACKAGE_VERSION, "logo-icon-name",
                              LODGER_APPLICATION_ID, "comments", _("Runs PCs as ordinary programs, without VT-x, root or kernel modules."),
                              "authors", authors, "license-type", GTK_LICENSE_GPL_2_0, "translator-credits", _("translator-credits"), NULL);
}

static void action_close(GSimpleAction *action, GVariant *parameter, gpointer application)
{
        (void)action;
        (void)parameter;
        if (window_of(application))
                gtk_window_close(window_of(application));
}

/* Machines run on. */
static void action_quit(GSimpleAction *action, GVariant *parameter, gpointer application)
{
        (void)action;
        (void)parameter;
        g_application_quit(application);
}

void application_add_actions(LodgerApplication *application)
{
        static const GActionEntry entries[] = {
                { "new", action_new, NULL, NULL, NULL, { 0 } },
                { "machines", action_machines, NULL, NULL, NULL, { 0 } },
                { "preferences", action_preferences, NULL, NULL, NULL, { 0 } },
                { "doctor", action_doctor, NULL, NULL, NULL, { 0 } },
                { "shortcuts", action_shortcuts, NULL, NULL, NULL, { 0 } },
                { "help", action_help, NULL, NULL, NULL, { 0 } },
                { "about", action_about, NULL, NULL, NULL, { 0 } },
                { "close", action_close, NULL, NULL, NULL, { 0 } },
                { "quit", action_quit, NULL, NULL, NULL, { 0 } },
        };
        static const struct { const char *action, *keys[2]; } keys[] = {
                { "app.new", { "<Primary>n" } }, { "app.machines", { "<Primary>m" } }, { "app.preferences", { "<Primary>comma" } },
                { "app.shortcuts", { "<Primary>question" } }, { "app.help", { "F1" } }, { "app.close", { "<Primary>w" } },
                { "app.quit", { "<Primary>q" } }, { "win.search", { "<Primary>f" } }, { "win.settings", { "<Alt>Return" } },
                { "win.delete", { "<Primary>Delete" } },
        };

        g_action_map_add_action_entries(G_ACTION_MAP(application), entries, G_N_ELEMENTS(entries), application);
        for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
                gtk_application_set_accels_for_action(GTK_APPLICATION(application), keys[i].action, keys[i].keys);
}

/* -- The session ------------------------------------------------------------------------------------------- */

/* Sleep would stop every machine. */
static void update_inhibition(LodgerApplication *application, guint running)
{
        guint *cookie = application_cookie(application);
        gboolean wanted = running && preferences_get_boolean("inhibit");

        if (wanted && !*cookie)
                *cookie = gtk_application_inhibit(GTK_APPLICATION(application), NULL, GTK_APPLICATION_INHIBIT_SUSPEND, _("Machines are running"));
        if (!wanted && *cookie) {
                gtk_application_uninhibit(GTK_APPLICATION(application), *cookie);
                *cookie = 0;
        }
}

static void notify_end(LodgerApplication *application, LodgerMachine *machine)
{
        gboolean orderly;
        const char *end = lodger_machine_get_end(machine, &orderly);
        GNotification *notification;

        if (orderly || !end || !preferences_get_boolean("notify"))
                return;
        notification = g_notification_new(lodger_machine_get_name(machine));
        g_notification_set_body(notification, end);
        g_application_send_notification(G_APPLICATION(application), lodger_machine_get_name(machine), notification);
        g_object_unref(notification);
}

static void machine_changed(LodgerMachine *machine, LodgerApplication *application)
{
        GListModel *machines = G_LIST_MODEL(lodger_application_get_machines(application));
        gboolean alive = lodger_machine_is_alive(machine);
        gboolean was = GPOINTER_TO_INT(g_object_get_data(G_OBJECT(machine), "was-alive"));
        guint running = 0;

        if (alive == was)
                return;
        g_object_set_data(G_OBJECT(machine), "was-alive", GINT_TO_POINTER(alive));
        if (was)
                notify_end(application, machine);
        for (guint i = 0; i < g_list_model_get_n_items(machines); i++) {
                LodgerMachine *other = g_list_model_get_item(machines, i);

                running += lodger_machine_is_alive(other);
                g_object_unref(other);
        }
        update_inhibition(application, running);
}

static void machines_changed(GListModel *machines, guint position, guint removed, guint added, LodgerApplication *application)
{
        (void)removed;
        for (guint i = position; i < position + added; i++) {
                LodgerMachine *machine = g_list_model_get_item(machines, i);

                g_signal_connect_object(machine, "changed", G_CALLBACK(machine_changed), application, 0);
                g_object_unref(machine);
        }
}

void application_watch_machines(LodgerApplication *application)
{
        GListModel *machines = G_LIST_MODEL(lodger_application_get_machines(application));

        g_signal_connect(machines, "items-changed", G_CALLBACK(machines_changed), application);
        machines_changed(machines, 0, 0, g_list_model_get_n_items(machines), application);
}
