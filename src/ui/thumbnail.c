/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thumbnail.c - LodgerThumbnail. */
#include <math.h>

#include "ui/thumbnail.h"

enum { REFRESH_SECONDS = 2, CORNER = 4 };

struct _LodgerThumbnail {
        GtkDrawingArea parent;
        LodgerMachine *machine;
        guint timer;                    /* while mapped */
};

G_DEFINE_TYPE(LodgerThumbnail, lodger_thumbnail, GTK_TYPE_DRAWING_AREA)

/* -- Drawing ---------------------------------------------------------------------------------------- */

static void draw_outline(cairo_t *cr, double width, double height)
{
        cairo_new_sub_path(cr);
        cairo_arc(cr, width - CORNER, CORNER, CORNER, -G_PI / 2, 0);
        cairo_arc(cr, width - CORNER, height - CORNER, CORNER, 0, G_PI / 2);
        cairo_arc(cr, CORNER, height - CORNER, CORNER, G_PI / 2, G_PI);
        cairo_arc(cr, CORNER, CORNER, CORNER, G_PI, 1.5 * G_PI);
        cairo_close_path(cr);
}

/* The sign of a computer that is off. */
static void draw_off(cairo_t *cr, double width, double height)
{
        double radius = fmin(width, height) / 6;

        cairo_set_source_rgba(cr, 1, 1, 1, 0.35);
        cairo_set_line_width(cr, fmax(radius / 4, 1.5));
        cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
        cairo_arc(cr, width / 2, height / 2, radius, -G_PI / 3, 4 * G_PI / 3);
        cairo_move_to(cr, width / 2, height / 2 - radius * 1.2);
        cairo_line_to(cr, width / 2, height / 2 - radius * 0.3);
        cairo_stroke(cr);
}

static gboolean lodger_thumbnail_draw(GtkWidget *widget, cairo_t *cr)
{
        LodgerMachine *machine = LODGER_THUMBNAIL(widget)->machine;
        double width = gtk_widget_get_allocated_width(widget), height = gtk_widget_get_allocated_height(widget);
        gboolean alive = machine && lodger_machine_is_alive(machine);
        cairo_surface_t *screen = alive ? lodger_machine_get_screen(machine) : NULL;

        draw_outline(cr, width, height);
        cairo_clip(cr);
        cairo_set_source_rgb(cr, 0.1, 0.1, 0.12);
        cairo_paint(cr);
        if (screen) {
                double wide = cairo_image_surface_get_width(screen), high = cairo_image_surface_get_height(screen);
                double factor = fmin(width / wide, height / high);

                cairo_translate(cr, (width - wide * factor) / 2, (height - high * factor) / 2);
                cairo_scale(cr, factor, factor);
                cairo_set_source_surface(cr, screen, 0, 0);
                cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_GOOD);
                cairo_paint_with_alpha(cr, lodger_machine_get_state(machine) == LODGER_MACHINE_RUNNING ? 1 : 0.5);
        } else if (!alive) {
                draw_off(cr, width, height);
        }
        return FALSE;
}

/* -- Refreshing ------------------------------------------------------------------------------------- */

static gboolean refresh(gpointer opaque)
{
        LodgerThumbnail *thumbnail = opaque;

        if (thumbnail->machine && lodger_machine_get_state(thumbnail->machine) == LODGER_MACHINE_RUNNING) {
                lodger_machine_take_picture(thumbnail->machine);
                gtk_widget_queue_draw(GTK_WIDGET(thumbnail));
        }
        return G_SOURCE_CONTINUE;
}

static void lodger_thumbnail_map(GtkWidget *widget)
{
        LodgerThumbnail *thumbnail = LODGER_THUMBNAIL(widget);

        GTK_WIDGET_CLASS(lodger_thumbnail_parent_class)->map(widget);
        refresh(thumbnail);
        if (!thumbnail->timer)
                thumbnail->timer = g_timeout_add_seconds(REFRESH_SECONDS, refresh, thumbnail);
}

static void lodger_thumbnail_unmap(GtkWidget *widget)
{
        g_clear_handle_id(&LODGER_THUMBNAIL(widget)->timer, g_source_remove);
        GTK_WIDGET_CLASS(lodger_thumbnail_parent_class)->unmap(widget);
}

void lodger_thumbnail_set_machine(LodgerThumbnail *thumbnail, LodgerMachine *machine)
{
        if (thumbnail->machine == machine)
                return;
        if (thumbnail->machine)
                g_signal_handlers_disconnect_by_data(thumbnail->machine, thumbnail);
        g_set_object(&thumbnail->machine, machine);
        if (machine) {
                g_signal_connect_swapped(machine, "screen", G_CALLBACK(gtk_widget_queue_draw), thumbnail);
                g_signal_connect_swapped(machine, "changed", G_CALLBACK(gtk_widget_queue_draw), thumbnail);
        }
        if (thumbnail->timer)
                refresh(thumbnail);
        gtk_widget_queue_draw(GTK_WIDGET(thumbnail));
}

/* -- Object ----------------------------------------------------------------------------------------- */

static void lodger_thumbnail_dispose(GObject *object)
{
        lodger_thumbnail_set_machine(LODGER_THUMBNAIL(object), NULL);
        g_clear_handle_id(&LODGER_THUMBNAIL(object)->timer, g_source_remove);
        G_OBJECT_CLASS(lodger_thumbnail_parent_class)->dispose(object);
}

static void lodger_thumbnail_class_init(LodgerThumbnailClass *class)
{
        G_OBJECT_CLASS(class)->dispose = lodger_thumbnail_dispose;
        GTK_WIDGET_CLASS(class)->draw = lodger_thumbnail_draw;
        GTK_WIDGET_CLASS(class)->map = lodger_thumbnail_map;
        GTK_WIDGET_CLASS(class)->unmap = lodger_thumbnail_unmap;
}

static void lodger_thumbnail_init(LodgerThumbnail *thumbnail) { (void)thumbnail; }

GtkWidget *lodger_thumbnail_new(int width, int height)
{
        return g_object_new(LODGER_TYPE_THUMBNAIL, "width-request", width, "height-request", height, "visible", TRUE, "valign",
                            GTK_ALIGN_CENTER, "halign", GTK_ALIGN_CENTER, NULL);
}
