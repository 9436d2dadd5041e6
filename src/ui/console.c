/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.c - LodgerConsole: the window, what it shows in which state of the machine, and full screen.
 *
 * While the screen has the focus every key is the guest's: the window's own accelerators work when the focus is elsewhere,
 * and together with the release keys.
 */
#include <math.h>
#include <string.h>

#include "base/i18n.h"
#include "ui/console_private.h"
#include "ui/control_display.h"
#include "ui/preferences.h"

enum { WIDTH_MIN = 1024, HEIGHT_MIN = 768, BAR_SECONDS = 3, BAR_EDGE = 2, LOG_BYTES_MAX = 8192 };

G_DEFINE_TYPE(LodgerConsole, lodger_console, GTK_TYPE_APPLICATION_WINDOW)

LodgerMachine *lodger_console_get_machine(LodgerConsole *console) { return console->machine; }

/* -- Messages -------------------------------------------------------------------------------------- */

void console_tell(LodgerConsole *console, GtkMessageType type, const char *text)
{
        gtk_label_set_text(console->info_text, text);
        gtk_info_bar_set_message_type(console->info, type);
        gtk_info_bar_set_revealed(console->info, TRUE);
        gtk_widget_show(GTK_WIDGET(console->info));
}

static void info_response(LodgerConsole *console) { gtk_info_bar_set_revealed(console->info, FALSE); }

static void machine_failed(LodgerMachine *machine, const char *text, LodgerConsole *console)
{
        (void)machine;
        console_tell(console, GTK_MESSAGE_WARNING, text);
}

/* -- States of the machine -------------------------------------------------------------------------- */

/* The end of the machine's log as valid text; caller frees. */
static char *log_tail(const char *path)
{
        char *text = NULL, *valid;
        gsize length = 0;

        if (!path || !g_file_get_contents(path, &text, &length, NULL))
                return g_strdup("");
        valid = g_utf8_make_valid(text + (length > LOG_BYTES_MAX ? length - LOG_BYTES_MAX : 0), -1);
        g_free(text);
        return g_strchomp(valid);
}

static void show_end(LodgerConsole *console)
{
        gboolean orderly;
        const char *reason = lodger_machine_get_end(console->machine, &orderly);
        /* How a process that is not ours ended is not known; what it said last tells. */
        char *log = orderly && !lodger_machine_is_defined(console->machine) ? g_strdup("")
                                                                            : log_tail(lodger_machine_get_log(console->machine));

        gtk_label_set_text(console->end_title, reason ? reason : "");
        gtk_label_set_text(console->end_log, log);
        gtk_widget_set_visible(console->end_log_box, *log);
        gtk_image_set_from_icon_name(console->end_icon, orderly ? "system-shutdown-symbolic" : "dialog-error-symbolic",
                                     GTK_ICON_SIZE_DIALOG);
        gtk_widget_set_visible(console->start_again, lodger_machine_get_command(console->machine) ||
                               lodger_machine_is_defined(console->machine));
        gtk_stack_set_visible_child_name(console->stack, "end");
        if (console->fullscreen)
                console_set_fullscreen(console, FALSE);
        g_free(log);
}

static void update_header(LodgerConsole *console)
{
        const char *engine = lodger_machine_get_engine(console->machine);
        char *subtitle = *engine ? g_strdup_printf("%s · %s", lodger_machine_describe_state(console->machine), engine)
                                 : g_strdup(lodger_machine_describe_state(console->machine));

        gtk_header_bar_set_title(console->header, lodger_machine_get_name(console->machine));
        gtk_header_bar_set_subtitle(console->header, subtitle);
        gtk_window_set_title(GTK_WINDOW(console), lodger_machine_get_name(console->machine));
        g_free(subtitle);
}

static void machine_changed(LodgerMachine *machine, LodgerConsole *console)
{
        LodgerMachineState state = lodger_machine_get_state(machine);
        gboolean alive = lodger_machine_is_alive(machine);

        update_header(console);
        console_update_actions(console);
        console_update_status(console);
        lodger_display_set_dimmed(console->display, state == LODGER_MACHINE_PAUSED || state == LODGER_MACHINE_SILENT);
        if (state == LODGER_MACHINE_ENDED || state == LODGER_MACHINE_OFF) {
                lodger_display_ungrab(console->display);
                show_end(console);
        } else if (alive && strcmp(gtk_stack_get_visible_child_name(console->stack), "screen")) {
                gtk_stack_set_visible_child_name(console->stack, "screen");
                gtk_widget_grab_focus(GTK_WIDGET(console->display));
        } else if (state == LODGER_MACHINE_CONNECTING && !strcmp(gtk_stack_get_visible_child_name(console->stack), "end")) {
                gtk_stack_set_visible_child_name(console->stack, "starting");
        }
}

/* -- Keyboard ---------------------------------------------------------------------------------------- */

static gboolean lodger_console_key_press(GtkWidget *widget, GdkEventKey *event)
{
        LodgerConsole *console = LODGER_CONSOLE(widget);

        if (gtk_window_get_focus(GTK_WINDOW(console)) == GTK_WIDGET(console->display) &&
            gtk_window_propagate_key_event(GTK_WINDOW(console), event))
                return TRUE;
        return GTK_WIDGET_CLASS(lodger_console_parent_class)->key_press_event(widget, event);
}

static void grab_changed(LodgerDisplay *display, gboolean grabbed, LodgerConsole *console)
{
        char *keys = preferences_get_string("release-keys");
        char *text = g_strdup_printf(grabbed ? _("Press %s to let go of mouse and keyboard") :
                                     lodger_display_is_absolute(display) ? _("Press %s to send all keys to the machine") :
                                     _("Click the screen to use the mouse; %s lets go"), preferences_describe_keys(keys));

        gtk_label_set_text(console->status_grab, text);
        if (grabbed)
                gtk_style_context_add_class(gtk_widget_get_style_context(console->status), "grabbed");
        else
                gtk_style_context_remove_class(gtk_widget_get_style_context(console->status), "grabbed");
        g_free(text);
        g_free(keys);
}

/* -- Full screen -------------------------------------------------------------------------------------- */

static gboolean hide_bar(gpointer opaque)
{
        LodgerConsole *console = opaque;

        console->bar_timer = 0;
        gtk_revealer_set_reveal_child(console->bar, FALSE);
        return G_SOURCE_REMOVE;
}

static void show_bar(LodgerConsole *console)
{
        gtk_revealer_set_reveal_child(console->bar, TRUE);
        g_clear_handle_id(&console->bar_timer, g_source_remove);
        console->bar_timer = g_timeout_add_seconds(BAR_SECONDS, hide_bar, console);
}

void console_set_fullscreen(LodgerConsole *console, gboolean fullscreen)
{
        console->fullscreen = fullscreen;
        gtk_widget_set_visible(console->status, !fullscreen);
        gtk_widget_set_visible(GTK_WIDGET(console->bar), fullscreen);
        if (fullscreen) {
                gtk_window_fullscreen(GTK_WINDOW(console));
                show_bar(console);
        } else {
                gtk_window_unfullscreen(GTK_WINDOW(console));
        }
        g_simple_action_set_state(G_SIMPLE_ACTION(g_action_map_lookup_action(G_ACTION_MAP(console), "fullscreen")),
                                  g_variant_new_boolean(fullscreen));
        gtk_widget_grab_focus(GTK_WIDGET(console->display));
}

static gboolean display_motion(GtkWidget *display, GdkEventMotion *event, LodgerConsole *console)
{
        (void)display;
        if (console->fullscreen && event->y_root <= BAR_EDGE && !lodger_display_is_grabbed(console->display))
                show_bar(console);
        return FALSE;
}

/* -- Sizes --------------------------------------------------------------------------------------------- */

/* The first picture decides the window's size, within the monitor: at least WIDTH_MIN, so that a guest in text mode
 * does not begin in a stamp and grow later. */
static void size_changed(LodgerDisplay *display, int width, int height, LodgerConsole *console)
{
        GdkMonitor *monitor;
        GdkRectangle area;
        char *text;
        int around_x, around_y, own_x, own_y;

        (void)display;
        if (!width)
                return;
        text = g_strdup_printf("%d × %d", width, height);
        gtk_label_set_text(console->status_size, text);
        g_free(text);
        if (console->chosen_size || gtk_window_is_maximized(GTK_WINDOW(console)) || !gtk_widget_get_window(GTK_WIDGET(console)))
                return;
        console->chosen_size = TRUE;
        monitor = gdk_display_get_monitor_at_window(gtk_widget_get_display(GTK_WIDGET(console)), gtk_widget_get_window(GTK_WIDGET(console)));
        gdk_monitor_get_workarea(monitor, &area);
        gtk_window_get_size(GTK_WINDOW(console), &around_x, &around_y);
        own_x = gtk_widget_get_allocated_width(GTK_WIDGET(console->stack));
        own_y = gtk_widget_get_allocated_height(GTK_WIDGET(console->stack));
        around_x = MAX(around_x - own_x, 0);
        around_y = MAX(around_y - own_y, 0);
        gtk_window_resize(GTK_WINDOW(console), MIN(MAX(width, WIDTH_MIN) + around_x, area.width),
                          MIN(MAX(height, HEIGHT_MIN) + around_y, area.height));
}

/* -- Preferences ---------------------------------------------------------------------------------------- */

static void preferences_changed(LodgerConsole *console)
{
        char *scaling = preferences_get_string("scaling"), *keys = preferences_get_string("release-keys");

        lodger_display_set_scaling(console->display, !strcmp(scaling, "integer") ? LODGER_SCALING_INTEGER :
                                   !strcmp(scaling, "none") ? LODGER_SCALING_NONE : LODGER_SCALING_FIT);
        lodger_display_set_release_keys(console->display, keys);
        grab_changed(console->display, lodger_display_is_grabbed(console->display), console);
        g_free(scaling);
        g_free(keys);
}

/* -- Object ---------------------------------------------------------------------------------------------- */

static void lodger_console_dispose(GObject *object)
{
        LodgerConsole *console = LODGER_CONSOLE(object);

        g_clear_handle_id(&console->bar_timer, g_source_remove);
        if (console->preferences)
                g_signal_handlers_disconnect_by_data(console->preferences, console);
        console->preferences = NULL;
        if (console->machine)
                g_signal_handlers_disconnect_by_data(console->machine, console);
        g_clear_object(&console->machine);
        G_OBJECT_CLASS(lodger_console_parent_class)->dispose(object);
}

static void lodger_console_class_init(LodgerConsoleClass *class)
{
        GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

        G_OBJECT_CLASS(class)->dispose = lodger_console_dispose;
        widget->key_press_event = lodger_console_key_press;
        gtk_widget_class_set_template_from_resource(widget, LODGER_RESOURCES "ui/console.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget, LodgerConsole, name)
        CHILD(header);
        CHILD(pause);
        CHILD(power);
        CHILD(keys);
        CHILD(screenshot);
        CHILD(fullscreen_button);
        CHILD(menu);
        CHILD(info);
        CHILD(info_text);
        CHILD(stack);
        CHILD(screen_page);
        CHILD(end_title);
        CHILD(end_log);
        CHILD(end_log_box);
        CHILD(end_icon);
        CHILD(start_again);
        CHILD(status);
        CHILD(status_grab);
        CHILD(status_load);
        CHILD(status_engine);
        CHILD(status_size);
        CHILD(status_disk);
        CHILD(status_network);
        CHILD(bar);
#undef CHILD
        gtk_widget_class_bind_template_callback(widget, info_response);
}

static void lodger_console_init(LodgerConsole *console) { gtk_widget_init_template(GTK_WIDGET(console)); }

LodgerConsole *lodger_console_new(LodgerApplication *application, LodgerMachine *machine)
{
        LodgerConsole *console = g_object_new(LODGER_TYPE_CONSOLE, "application", application, NULL);

        console->machine = g_object_ref(machine);
        console->display = LODGER_DISPLAY(lodger_control_display_new(machine));
        gtk_container_add(console->screen_page, GTK_WIDGET(console->display));
        gtk_widget_set_hexpand(GTK_WIDGET(console->display), TRUE);
        gtk_widget_set_vexpand(GTK_WIDGET(console->display), TRUE);
        gtk_widget_show(GTK_WIDGET(console->display));
        console_add_actions(console);
        g_signal_connect(console->display, "grab-changed", G_CALLBACK(grab_changed), console);
        g_signal_connect(console->display, "size-changed", G_CALLBACK(size_changed), console);
        g_signal_connect(console->display, "shortcut", G_CALLBACK(console_shortcut), console);
        g_signal_connect(console->display, "motion-notify-event", G_CALLBACK(display_motion), console);
        g_signal_connect(machine, "changed", G_CALLBACK(machine_changed), console);
        g_signal_connect(machine, "failed", G_CALLBACK(machine_failed), console);
        console->preferences = preferences_get();
        if (console->preferences)
                g_signal_connect_swapped(console->preferences, "changed", G_CALLBACK(preferences_changed), console);
        preferences_changed(console);
        gtk_window_set_default_size(GTK_WINDOW(console), WIDTH_MIN, HEIGHT_MIN);
        machine_changed(machine, console);
        return console;
}
