/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console_actions.c - LodgerConsole: what its buttons, menus and shortcuts do. */
#include <string.h>

#include "base/i18n.h"
#include "ui/console_private.h"
#include "ui/launch.h"
#include "ui/preferences.h"
#include "ui/snapshot_dialog.h"

/* -- Life of the machine -------------------------------------------------------------------------------- */

static void action_pause(GSimpleAction *action, GVariant *state, gpointer opaque)
{
        LodgerConsole *console = opaque;

        (void)action;                   /* its state follows the machine's */
        lodger_machine_pause(console->machine, g_variant_get_boolean(state));
}

static void action_power_button(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerConsole *console = opaque;

        (void)action;
        (void)parameter;
        lodger_machine_stop(console->machine, FALSE);
}

struct question {
        LodgerConsole *console;
        void (*answer)(LodgerConsole *console);
};

static void question_answered(GtkDialog *dialog, gint response, struct question *question)
{
        if (response == GTK_RESPONSE_ACCEPT)
                question->answer(question->console);
        gtk_widget_destroy(GTK_WIDGET(dialog));
}

static void question_free(gpointer question, GClosure *closure)
{
        (void)closure;
        g_free(question);
}

/* What loses the guest's unsaved work is asked about first. */
static void ask(LodgerConsole *console, const char *title, const char *text, const char *button, void (*answer)(LodgerConsole *console))
{
        GtkWidget *dialog = gtk_message_dialog_new(GTK_WINDOW(console), GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT,
                                                   GTK_MESSAGE_WARNING, GTK_BUTTONS_NONE, "%s", title);
        struct question *question = g_new(struct question, 1);
        GtkWidget *accept;

        lodger_display_ungrab(console->display);
        *question = (struct question){ console, answer };
        gtk_message_dialog_format_secondary_text(GTK_MESSAGE_DIALOG(dialog), "%s", text);
        gtk_dialog_add_button(GTK_DIALOG(dialog), _("_Cancel"), GTK_RESPONSE_CANCEL);
        accept = gtk_dialog_add_button(GTK_DIALOG(dialog), button, GTK_RESPONSE_ACCEPT);
        gtk_style_context_add_class(gtk_widget_get_style_context(accept), "destructive-action");
        gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_CANCEL);
        g_signal_connect_data(dialog, "response", G_CALLBACK(question_answered), question, question_free, 0);
        gtk_window_present(GTK_WINDOW(dialog));
}

static void do_reset(LodgerConsole *console) { lodger_machine_reset(console->machine); }
static void do_force_off(LodgerConsole *console) { lodger_machine_stop(console->machine, TRUE); }

static void action_reset(GSimpleAction *action, GVariant *parameter, gpointer console)
{
        (void)action;
        (void)parameter;
        ask(console, _("Reset the machine?"), _("It starts anew at once; what its guest has not saved is lost."), _("_Reset"), do_reset);
}

static void action_force_off(GSimpleAction *action, GVariant *parameter, gpointer console)
{
        (void)action;
        (void)parameter;
        ask(console, _("Force the machine off?"), _("It ends at once; what its guest has not saved is lost."), _("_Force Off"),
            do_force_off);
}

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

static void snapshot_taken(const char *problem, gpointer opaque)
{
        char *text = problem ? g_strdup_printf(_("No snapshot was taken: %s"), problem) : g_strdup(_("A snapshot was taken."));

        console_tell(opaque, problem ? GTK_MESSAGE_WARNING : GTK_MESSAGE_INFO, text);
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

static const char *const needs_machine[] = { "pause", "power-button", "reset", "force-off", "send-keys", "paste", "screenshot",
                                             "insert-cd", "eject-cd" };

static GSimpleAction *action_of(LodgerConsole *console, const char *name)
{
        return G_SIMPLE_ACTION(g_action_map_lookup_action(G_ACTION_MAP(console), name));
}

void console_update_actions(LodgerConsole *console)
{
        gboolean paused = lodger_machine_get_state(console->machine) == LODGER_MACHINE_PAUSED;
        const char *text = paused ? _("Resume") : _("Pause");

        for (gsize i = 0; i < G_N_ELEMENTS(needs_machine); i++)
                g_simple_action_set_enabled(action_of(console, needs_machine[i]), lodger_machine_is_alive(console->machine));
        g_simple_action_set_enabled(action_of(console, "start-again"), !lodger_machine_is_alive(console->machine));
        g_simple_action_set_enabled(action_of(console, "take-snapshot"), lodger_machine_is_alive(console->machine) &&
                                    lodger_machine_is_defined(console->machine));
        g_simple_action_set_enabled(action_of(console, "snapshots"), lodger_machine_is_defined(console->machine));
        g_simple_action_set_state(action_of(console, "pause"), g_variant_new_boolean(paused));
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

void console_add_actions(LodgerConsole *console)
{
        static const GActionEntry entries[] = {
                { "pause", NULL, NULL, "false", action_pause, { 0 } },
                { "power-button", action_power_button, NULL, NULL, NULL, { 0 } },
                { "reset", action_reset, NULL, NULL, NULL, { 0 } },
                { "force-off", action_force_off, NULL, NULL, NULL, { 0 } },
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

        g_action_map_add_action_entries(G_ACTION_MAP(console), entries, G_N_ELEMENTS(entries), console);
        g_simple_action_set_state(action_of(console, "scaling"), g_variant_new_string(scaling));
        g_free(scaling);
}
