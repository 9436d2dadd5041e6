/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * display_input.c - LodgerDisplay: keyboard and pointer.
 *
 * The grab takes pointer and keyboard of the whole seat, so that Alt+Tab and the like reach the guest.  While it lasts the
 * pointer is hidden and put back to the middle of the widget whenever it strays, so that it never meets an edge; Wayland
 * does not let programs move the pointer, there a movement ends at the monitor's edge.
 *
 * The release keys do both: pressed and released alone they end (or begin) the grab; together with a letter they are the
 * window's shortcuts ("shortcut").
 */
#include <math.h>
#include <string.h>

#include "ui/display_private.h"
#include "ui/keymap.h"

enum { LEASH = 60 };                    /* pixels the pointer may stray from the middle */

/* -- To the subclass ------------------------------------------------------------------------------ */

static void send_key(LodgerDisplay *widget, const char *key, gboolean down)
{
        struct display *display = display_of(widget);

        if (down)
                g_hash_table_add(display->held, (gpointer)key);
        else if (!g_hash_table_remove(display->held, key))
                return;                 /* pressed elsewhere: no business of the guest's */
        if (LODGER_DISPLAY_GET_CLASS(widget)->send_key)
                LODGER_DISPLAY_GET_CLASS(widget)->send_key(widget, key, down);
}

void lodger_display_release_keys(LodgerDisplay *widget)
{
        GHashTable *held = display_of(widget)->held;
        GList *keys = held ? g_hash_table_get_keys(held) : NULL;

        for (GList *key = keys; key; key = key->next)
                send_key(widget, key->data, FALSE);
        g_list_free(keys);
        display_of(widget)->releasing = FALSE;
}

static void send_buttons(LodgerDisplay *widget, guint buttons)
{
        struct display *display = display_of(widget);

        if (buttons == display->buttons)
                return;
        display->buttons = buttons;
        if (LODGER_DISPLAY_GET_CLASS(widget)->set_buttons)
                LODGER_DISPLAY_GET_CLASS(widget)->set_buttons(widget, buttons);
}

static void send_movement(LodgerDisplay *widget, double right, double down, double wheel)
{
        struct display *display = display_of(widget);
        int x, y, turns;

        display->rest_x += right;
        display->rest_y += down;
        display->rest_wheel += wheel;
        x = (int)trunc(display->rest_x);
        y = (int)trunc(display->rest_y);
        turns = (int)trunc(display->rest_wheel);
        display->rest_x -= x;
        display->rest_y -= y;
        display->rest_wheel -= turns;
        if ((x || y || turns) && LODGER_DISPLAY_GET_CLASS(widget)->move_pointer)
                LODGER_DISPLAY_GET_CLASS(widget)->move_pointer(widget, x, y, turns);
}

/* -- The grab ------------------------------------------------------------------------------------- */

gboolean lodger_display_is_grabbed(LodgerDisplay *widget) { return display_of(widget)->grabbed; }
gboolean lodger_display_is_absolute(LodgerDisplay *widget) { return display_of(widget)->absolute; }

static gboolean can_warp(GtkWidget *widget)
{
        return !strcmp(G_OBJECT_TYPE_NAME(gtk_widget_get_display(widget)), "GdkX11Display");
}

/* To the middle of the widget, from where movement counts. */
static void warp(LodgerDisplay *widget, GdkDevice *pointer)
{
        struct display *display = display_of(widget);
        GdkWindow *window = gtk_widget_get_window(GTK_WIDGET(widget));
        int x, y;

        gdk_window_get_origin(window, &x, &y);
        x += gdk_window_get_width(window) / 2;
        y += gdk_window_get_height(window) / 2;
        gdk_device_warp(pointer, gtk_widget_get_screen(GTK_WIDGET(widget)), x, y);
        display->last_x = x;
        display->last_y = y;
}

/* Where the guest draws its own pointer under the host's, the host's is a dot. */
static void show_pointer(LodgerDisplay *widget)
{
        GdkWindow *window = gtk_widget_get_window(GTK_WIDGET(widget));
        GdkCursor *dot = display_of(widget)->absolute ? gdk_cursor_new_for_display(gtk_widget_get_display(GTK_WIDGET(widget)), GDK_DOT) : NULL;

        if (window)
                gdk_window_set_cursor(window, dot);
        g_clear_object(&dot);
}

static void grab(LodgerDisplay *widget, const GdkEvent *event)
{
        struct display *display = display_of(widget);
        GdkWindow *window = gtk_widget_get_window(GTK_WIDGET(widget));
        GdkSeat *seat = gdk_display_get_default_seat(gtk_widget_get_display(GTK_WIDGET(widget)));
        GdkSeatCapabilities what = GDK_SEAT_CAPABILITY_KEYBOARD;
        GdkCursor *cursor;
        GdkGrabStatus status;

        if (display->grabbed)
                return;
        if (!display->absolute)
                what |= GDK_SEAT_CAPABILITY_ALL_POINTING;
        cursor = gdk_cursor_new_for_display(gtk_widget_get_display(GTK_WIDGET(widget)), GDK_BLANK_CURSOR);
        status = gdk_seat_grab(seat, window, what, TRUE, cursor, event, NULL, NULL);
        if (status == GDK_GRAB_SUCCESS) {
                display->grabbed = TRUE;
                if (!display->absolute) {
                        gdk_window_set_cursor(window, cursor);
                        gdk_device_get_position_double(gdk_seat_get_pointer(seat), NULL, &display->last_x, &display->last_y);
                        if (can_warp(GTK_WIDGET(widget)))
                                warp(widget, gdk_seat_get_pointer(seat));
                }
                g_signal_emit(widget, display_signals[DISPLAY_GRAB_CHANGED], 0, TRUE);
        }
        g_object_unref(cursor);
}

void lodger_display_ungrab(LodgerDisplay *widget)
{
        struct display *display = display_of(widget);

        if (!display->grabbed)
                return;
        display->grabbed = FALSE;
        lodger_display_release_keys(widget);
        send_buttons(widget, 0);
        gdk_seat_ungrab(gdk_display_get_default_seat(gtk_widget_get_display(GTK_WIDGET(widget))));
        show_pointer(widget);
        g_signal_emit(widget, display_signals[DISPLAY_GRAB_CHANGED], 0, FALSE);
}

void lodger_display_set_absolute(LodgerDisplay *widget, gboolean absolute)
{
        if (display_of(widget)->absolute == absolute)
                return;
        lodger_display_ungrab(widget);
        display_of(widget)->absolute = absolute;
        show_pointer(widget);
        g_signal_emit(widget, display_signals[DISPLAY_GRAB_CHANGED], 0, FALSE);
}

static gboolean lodger_display_grab_broken(GtkWidget *widget, GdkEventGrabBroken *event)
{
        (void)event;
        lodger_display_ungrab(LODGER_DISPLAY(widget));
        return FALSE;
}

/* -- Keyboard ------------------------------------------------------------------------------------- */

void lodger_display_set_release_keys(LodgerDisplay *widget, const char *keys)
{
        struct display *display = display_of(widget);

        g_strfreev(display->release_keys);
        display->release_keys = g_strsplit(keys, "+", -1);
        display->releasing = FALSE;
}

static gboolean is_release_key(const struct display *display, const char *key)
{
        return g_strv_contains((const char *const *)display->release_keys, key);
}

/* Whether the release keys are down; others: and no other key is. */
static gboolean release_keys_held(const struct display *display, gboolean others)
{
        guint count = g_strv_length(display->release_keys);

        for (guint i = 0; i < count; i++)
                if (!g_hash_table_contains(display->held, display->release_keys[i]))
                        return FALSE;
        return count && (others || g_hash_table_size(display->held) == count);
}

static gboolean lodger_display_key_press(GtkWidget *widget, GdkEventKey *event)
{
        struct display *display = display_of(LODGER_DISPLAY(widget));
        const char *key = keymap_find(event->hardware_keycode);
        gboolean handled = FALSE;

        if (!key)
                return FALSE;
        if (release_keys_held(display, FALSE) && !is_release_key(display, key)) {
                display->releasing = FALSE;
                g_signal_emit(widget, display_signals[DISPLAY_SHORTCUT], 0, gdk_keyval_to_lower(event->keyval), &handled);
                if (handled) {
                        lodger_display_release_keys(LODGER_DISPLAY(widget));
                        return TRUE;
                }
        }
        send_key(LODGER_DISPLAY(widget), key, TRUE);
        display->releasing = release_keys_held(display, FALSE);
        return TRUE;
}

static gboolean lodger_display_key_release(GtkWidget *widget, GdkEventKey *event)
{
        struct display *display = display_of(LODGER_DISPLAY(widget));
        const char *key = keymap_find(event->hardware_keycode);
        gboolean releasing;

        if (!key)
                return FALSE;
        releasing = display->releasing && is_release_key(display, key);
        send_key(LODGER_DISPLAY(widget), key, FALSE);
        if (releasing) {
                display->releasing = FALSE;
                if (display->grabbed)
                        lodger_display_ungrab(LODGER_DISPLAY(widget));
                else
                        grab(LODGER_DISPLAY(widget), (GdkEvent *)event);
        }
        return TRUE;
}

static gboolean lodger_display_focus_out(GtkWidget *widget, GdkEventFocus *event)
{
        /* A grab of our own may send one; anything else takes the keyboard away. */
        if (!display_of(LODGER_DISPLAY(widget))->grabbed)
                lodger_display_release_keys(LODGER_DISPLAY(widget));
        return GTK_WIDGET_CLASS(g_type_class_peek(GTK_TYPE_DRAWING_AREA))->focus_out_event(widget, event);
}

/* -- Pointer -------------------------------------------------------------------------------------- */

/* X11's numbers to bits of enum input_button. */
static guint button_bit(guint button)
{
        switch (button) {
        case GDK_BUTTON_PRIMARY:
                return 1;
        case GDK_BUTTON_MIDDLE:
                return 4;
        case GDK_BUTTON_SECONDARY:
                return 2;
        case 8:
                return 8;
        case 9:
                return 16;
        default:
                return 0;
        }
}

static void place_pointer(LodgerDisplay *widget, double x, double y)
{
        int guest_x, guest_y;

        display_to_guest(widget, x, y, &guest_x, &guest_y);
        if (LODGER_DISPLAY_GET_CLASS(widget)->place_pointer)
                LODGER_DISPLAY_GET_CLASS(widget)->place_pointer(widget, guest_x, guest_y);
}

static gboolean lodger_display_button(GtkWidget *widget, GdkEventButton *event)
{
        struct display *display = display_of(LODGER_DISPLAY(widget));
        guint bit = button_bit(event->button);
        gboolean down = event->type == GDK_BUTTON_PRESS;

        if (!bit || (event->type != GDK_BUTTON_PRESS && event->type != GDK_BUTTON_RELEASE))
                return TRUE;            /* double clicks are the guest's to recognise */
        if (down) {
                gtk_widget_grab_focus(widget);
                /* The click that begins a grab is the user's way in and not meant for the guest. */
                if (!display->absolute && !display->grabbed) {
                        grab(LODGER_DISPLAY(widget), (GdkEvent *)event);
                        return TRUE;
                }
        }
        if (display->absolute)
                place_pointer(LODGER_DISPLAY(widget), event->x, event->y);
        if (display->absolute || display->grabbed)
                send_buttons(LODGER_DISPLAY(widget), down ? display->buttons | bit : display->buttons & ~bit);
        return TRUE;
}

static gboolean lodger_display_motion(GtkWidget *widget, GdkEventMotion *event)
{
        struct display *display = display_of(LODGER_DISPLAY(widget));
        GdkWindow *window = gtk_widget_get_window(widget);
        double right, down;
        int x, y;

        if (display->absolute) {
                place_pointer(LODGER_DISPLAY(widget), event->x, event->y);
                return TRUE;
        }
        if (!display->grabbed)
                return FALSE;
        right = event->x_root - display->last_x;
        down = event->y_root - display->last_y;
        display->last_x = event->x_root;
        display->last_y = event->y_root;
        send_movement(LODGER_DISPLAY(widget), right, down, 0);
        gdk_window_get_origin(window, &x, &y);
        if (can_warp(widget) && (fabs(event->x_root - x - gdk_window_get_width(window) / 2) > LEASH ||
                                 fabs(event->y_root - y - gdk_window_get_height(window) / 2) > LEASH))
                warp(LODGER_DISPLAY(widget), gdk_event_get_device((GdkEvent *)event));
        return TRUE;
}

static gboolean lodger_display_scroll(GtkWidget *widget, GdkEventScroll *event)
{
        struct display *display = display_of(LODGER_DISPLAY(widget));
        double wheel = 0;

        if (!display->absolute && !display->grabbed)
                return FALSE;
        if (event->direction == GDK_SCROLL_UP)
                wheel = -1;
        else if (event->direction == GDK_SCROLL_DOWN)
                wheel = 1;
        else if (event->direction == GDK_SCROLL_SMOOTH)
                wheel = event->delta_y;
        send_movement(LODGER_DISPLAY(widget), 0, 0, wheel);
        return TRUE;
}

static void lodger_display_realize(GtkWidget *widget)
{
        GTK_WIDGET_CLASS(g_type_class_peek(GTK_TYPE_DRAWING_AREA))->realize(widget);
        show_pointer(LODGER_DISPLAY(widget));
}

static void lodger_display_unmap(GtkWidget *widget)
{
        lodger_display_ungrab(LODGER_DISPLAY(widget));
        lodger_display_release_keys(LODGER_DISPLAY(widget));
        GTK_WIDGET_CLASS(g_type_class_peek(GTK_TYPE_DRAWING_AREA))->unmap(widget);
}

void display_class_init_input(GtkWidgetClass *class)
{
        class->key_press_event = lodger_display_key_press;
        class->key_release_event = lodger_display_key_release;
        class->focus_out_event = lodger_display_focus_out;
        class->button_press_event = lodger_display_button;
        class->button_release_event = lodger_display_button;
        class->motion_notify_event = lodger_display_motion;
        class->scroll_event = lodger_display_scroll;
        class->grab_broken_event = lodger_display_grab_broken;
        class->realize = lodger_display_realize;
        class->unmap = lodger_display_unmap;
}
