/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_display.c - LodgerControlDisplay: between a LodgerDisplay and a LodgerMachine. */
#include "ui/control_display.h"

struct _LodgerControlDisplay {
        LodgerDisplay parent;
        LodgerMachine *machine;
};

G_DEFINE_TYPE(LodgerControlDisplay, lodger_control_display, LODGER_TYPE_DISPLAY)

static LodgerMachine *machine_of(LodgerDisplay *display) { return LODGER_CONTROL_DISPLAY(display)->machine; }

/* -- To the machine -------------------------------------------------------------------------------- */

static void send_key(LodgerDisplay *display, const char *key, gboolean down)
{
        lodger_machine_set_key(machine_of(display), key, down);
}

static void move_pointer(LodgerDisplay *display, int right, int down, int wheel)
{
        lodger_machine_move_mouse(machine_of(display), right, down, wheel);
}

static void place_pointer(LodgerDisplay *display, int x, int y)
{
        lodger_machine_place_pointer(machine_of(display), (guint)x, (guint)y);
}

static void set_buttons(LodgerDisplay *display, guint buttons) { lodger_machine_set_buttons(machine_of(display), buttons); }

/* -- From the machine ------------------------------------------------------------------------------ */

static void screen_changed(LodgerMachine *machine, LodgerControlDisplay *display)
{
        lodger_display_set_surface(LODGER_DISPLAY(display), lodger_machine_get_screen(machine));
}

static void machine_changed(LodgerMachine *machine, LodgerDisplay *display)
{
        lodger_display_set_absolute(display, lodger_machine_takes_places(machine));
}

static void screen_damaged(LodgerMachine *machine, guint x, guint y, guint width, guint height, LodgerDisplay *display)
{
        (void)machine;
        lodger_display_damage(display, x, y, width, height);
}

/* -- Object ---------------------------------------------------------------------------------------- */

static void lodger_control_display_dispose(GObject *object)
{
        LodgerControlDisplay *display = LODGER_CONTROL_DISPLAY(object);

        if (display->machine) {
                /* While it can still be told. */
                lodger_display_ungrab(LODGER_DISPLAY(object));
                lodger_display_release_keys(LODGER_DISPLAY(object));
                g_signal_handlers_disconnect_by_data(display->machine, display);
                lodger_machine_unwatch(display->machine);
                g_clear_object(&display->machine);
        }
        G_OBJECT_CLASS(lodger_control_display_parent_class)->dispose(object);
}

static void lodger_control_display_class_init(LodgerControlDisplayClass *class)
{
        LodgerDisplayClass *display = LODGER_DISPLAY_CLASS(class);

        G_OBJECT_CLASS(class)->dispose = lodger_control_display_dispose;
        display->send_key = send_key;
        display->move_pointer = move_pointer;
        display->place_pointer = place_pointer;
        display->set_buttons = set_buttons;
}

static void lodger_control_display_init(LodgerControlDisplay *display) { (void)display; }

GtkWidget *lodger_control_display_new(LodgerMachine *machine)
{
        LodgerControlDisplay *display = g_object_new(LODGER_TYPE_CONTROL_DISPLAY, NULL);

        display->machine = g_object_ref(machine);
        g_signal_connect(machine, "screen", G_CALLBACK(screen_changed), display);
        g_signal_connect(machine, "damage", G_CALLBACK(screen_damaged), display);
        g_signal_connect(machine, "changed", G_CALLBACK(machine_changed), display);
        lodger_machine_watch(machine);
        machine_changed(machine, LODGER_DISPLAY(display));
        screen_changed(machine, display);
        return GTK_WIDGET(display);
}
