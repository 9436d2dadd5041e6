/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console_actions.c - LodgerConsole: what its buttons, menus and shortcuts do. */
#include <string.h>

#include "base/i18n.h"
#include "ui/console_private.h"
#include "ui/launch.h"
#include "ui/machine_actions.h"
#include "ui/preferences.h"
#include "ui/snapshot_dialog.h"

/* -- Life of the machine -------------------------------------------------------------------------------- */

static void action_start_again(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerConsole *console = opaque;
        GError *error = NULL;

        (void)action;
        (void)parameter;
        if (launch_machine(console->machine, &error))
                return;
        lodger_application_complain(GTK_WINDOW(console), _("The machine could not be started"), error->message);
        g_error_free(error);
}

/* -- Keyboard --------------------------------------------------------------------------------------------- */

static void action_send_keys(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerConsole *console = opaque;

        (void)action;
        lodger_machine_press_chord(console->machine, g_variant_get_string(parameter, NULL));
        gtk_widget_grab_focus(GTK_WIDGET(console->display));
}

static void paste_received(GtkClipboard *clipboard, const char *text, gpointer opaque)
{
        LodgerConsole *console = opaque;

        (void)clipboard;
        if (!text || !*text)
                console_tell(console, GTK_MESSAGE_INFO, _("There is no text to paste."));
        else if (console->machine)
                lodger_machine_type(console->machine, text);
        g_object_unref(console);
}

static void action_paste(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerConsole *console = opaque;

        (void)action;
        (void)parameter;
        gtk_clipboard_request_text(gtk_widget_get_clipboard(GTK_WIDGET(console), GDK_SELECTION_CLIPBOARD), paste_received,
                                   g_object_ref(console));
        gtk_widget_grab_focus(GTK_WIDGET(console->display));
}

/* -- Pictures --------------------------------------------------------------------------------------------- */

static char *screenshot_path(const char *name)
{
        const char *folder = g_get_user_special_dir(G_USER_DIRECTORY_PICTURES);
        GDateTime *now = g_date_time_new_now_local();
        char *date = g_date_time_format(now, "%Y-%m-%d %H-%M-%S");
        char *file = g_strdup_printf("%s %s.png", name, date);
        char *path = g_build_filename(folder && g_file_test(folder, G_FILE_TEST_IS_DIR) ? folder : g_get_home_dir(), file, NULL);

        g_free(file);
        g_free(date);
        g_date_time_unref(now);
        return path;
}

static void action_screenshot(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerConsole *console = opaque;
        GdkPixbuf *picture = lodger_display_get_picture(console->display);
        char *path = screenshot_path(lodger_machine_get_name(console->machine)), *text;
        GError *error = NULL;

        (void)action;
        (void)parameter;
        if (picture && gdk_pixbuf_save(picture, path, "png", &error, NULL)) {
                text = g_strdup_printf(_("Screenshot saved as %s"), path);
                console_tell(console, GTK_MESSAGE_INFO, text);
        } else {
                text = g_strdup_printf(_("No screenshot was saved: %s"), error ? error->message : _("there is no picture yet"));
                console_tell(console, GTK_MESSAGE_WARNING, text);
        }
        g_clear_error(&error);
        g_clear_object(&picture);
        g_free(text);
        g_free(path);
}

static void snapshot_taken(char *said, gboolean ok, gpointer opaque)
{
        char *text = ok ? g_strdup(_("A snapshot was taken.")) : g_strdup_printf(_("No snapshot was taken: %s"), tool_problem(said));

        console_tell(opaque, ok ? GTK_MESSAGE_INFO : GTK_MESSAGE_WARNING, text);
        g_free(text);
}

/* With one key, under the name of the moment. */
static void action_take_snapshot(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerConsole *console = opaque;
        char *name = snapshot_name_now();

        (void)action;
        (void)parameter;
        console_tell(console, GTK_MESSAGE_INFO, _("Taking a snapshot…"));
        snapshot_run(G_OBJECT(console), "take", console->machine, name, snapshot_taken, console);
        g_free(name);
}

static void action_snapshots(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerConsole *console = opaque;

        (void)action;
        (void)parameter;
        lodger_display_ungrab(console->display);
        snapshot_dialog_show(GTK_WINDOW(console), console->machine);
}

static void action_fullscreen(GSimpleAction *action, GVariant *state, gpointer console)
{
        (void)action;
        console_set_fullscreen(console, g_variant_get_boolean(state));
}

static void action_scaling(GSimpleAction *action, GVariant *state, gpointer opaque)
{
        g_simple_action_set_state(action, state);
        preferences_set_string("scaling", g_variant_get_string(state, NULL));
        if (!preferences_get()) {
                LodgerConsole *console = opaque;
                const char *scaling = g_variant_get_string(state, NULL);

                lodger_display_set_scaling(console->display, !strcmp(scaling, "integer") ? LODGER_SCALING_INTEGER :
                                           !strcmp(scaling, "none") ? LODGER_SCALING_NONE : LODGER_SCALING_FIT);
        }
}

/* -- CD --------------------------------------------------------------------------------------------------- */

static void cd_chosen(GtkNativeDialog *dialog, gint response, LodgerConsole *console)
{
        char *path = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog)) : NULL;

        if (path)
                lodger_machine_insert(console->machine, "", path);
        g_free(path);
        g_object_unref(dialog);
}

static void action_insert_cd(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        GtkFileChooserNative *dialog = gtk_file_chooser_native_new(_("Choose a CD Image"), GTK_WINDOW(opaque),
                                                                   GTK_FILE_CHOOSER_ACTION_OPEN, _("_Insert"), NULL);
        GtkFileFilter *images = gtk_file_filter_new(), *all = gtk_file_filter_new();

        (void)action;
        (void)parameter;
        gtk_file_filter_set_name(images, _("CD images"));
        gtk_file_filter_add_pattern(images, "*.[iI][sS][oO]");
        gtk_file_filter_set_name(all, _("All files"));
        gtk_file_filter_add_pattern(all, "*");
        gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), images);
        gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), all);
        gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(dialog), TRUE);
        g_signal_connect_object(dialog, "response", G_CALLBACK(cd_chosen), opaque, 0);
        gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static void action_eject_cd(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerConsole *console = opaque;

        (void)action;
        (void)parameter;
        lodger_machine_eject(console->machine, "", FALSE);
}

/* -- All of them -------------------------------------------------------------------------------------------- */

static void action_close(GSimpleAction *action, GVariant *parameter, gpointer console)
{
        (void)action;
        (void)parameter;
        gtk_window_close(console);
}

static const char *const needs_machine[] = { "send-keys", "paste", "screenshot", "insert-cd", "eject-cd" };

void console_update_actions(LodgerConsole *console)
{
        gboolean paused = lodger_machine_get_state(console->machine) == LODGER_MACHINE_PAUSED;
        const char *text = paused ? _("Resume") : _("Pause");

        for (gsize i = 0; i < G_N_ELEMENTS(needs_machine); i++)
                g_simple_action_set_enabled(window_action(console, needs_machine[i]), lodger_machine_is_alive(console->machine));
        g_simple_action_set_enabled(window_action(console, "start-again"), !lodger_machine_is_alive(console->machine));
        g_simple_action_set_enabled(window_action(console, "take-snapshot"), lodger_machine_is_alive(console->machine) &&
                                    lodger_machine_is_defined(console->machine));
        g_simple_action_set_enabled(window_action(console, "snapshots"), lodger_machine_is_defined(console->machine));
        machine_actions_update(GTK_APPLICATION_WINDOW(console));
        gtk_widget_set_tooltip_text(console->pause, text);
        atk_object_set_name(gtk_widget_get_accessible(console->pause), text);
}

/* The release keys and a letter. */
gboolean console_shortcut(LodgerDisplay *display, guint keyval, LodgerConsole *console)
{
        static const struct { guint keyval; const char *action; } shortcuts[] = {
                { GDK_KEY_f, "fullscreen" }, { GDK_KEY_p, "pause" }, { GDK_KEY_s, "screenshot" }, { GDK_KEY_v, "paste" },
                { GDK_KEY_w, "close" }, { GDK_KEY_m, "take-snapshot" },
        };

        (void)display;
        for (gsize i = 0; i < G_N_ELEMENTS(shortcuts); i++)
                if (shortcuts[i].keyval == keyval) {
                        g_action_group_activate_action(G_ACTION_GROUP(console), shortcuts[i].action, NULL);
                        return TRUE;
                }
        return FALSE;
}

static LodgerMachine *machine_shown(GtkWindow *window) { return LODGER_CONSOLE(window)->machine; }

void console_add_actions(LodgerConsole *console)
{
        static const GActionEntry entries[] = {
                { "start-again", action_start_again, NULL, NULL, NULL, { 0 } },
                { "send-keys", action_send_keys, "s", NULL, NULL, { 0 } },
                { "paste", action_paste, NULL, NULL, NULL, { 0 } },
                { "screenshot", action_screenshot, NULL, NULL, NULL, { 0 } },
                { "take-snapshot", action_take_snapshot, NULL, NULL, NULL, { 0 } },
                { "snapshots", action_snapshots, NULL, NULL, NULL, { 0 } },
                { "fullscreen", NULL, NULL, "false", action_fullscreen, { 0 } },
                { "scaling", NULL, "s", "'fit'", action_scaling, { 0 } },
                { "insert-cd", action_insert_cd, NULL, NULL, NULL, { 0 } },
                { "eject-cd", action_eject_cd, NULL, NULL, NULL, { 0 } },
                { "close", action_close, NULL, NULL, NULL, { 0 } },
        };
        char *scaling = preferences_get_string("scaling");

        machine_actions_add(GTK_APPLICATION_WINDOW(console), machine_shown);
        g_action_map_add_action_entries(G_ACTION_MAP(console), entries, G_N_ELEMENTS(entries), console);
        g_simple_action_set_state(window_action(console, "scaling"), g_variant_new_string(scaling));
        g_free(scaling);
}
