/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * display.c - LodgerDisplay: drawing, and the object itself; display_input.c has the keyboard and the pointer.
 *
 * Sizes: the guest's pixels are scaled to device pixels, so that on a monitor with scale factor 2 a whole factor is
 * whole in what the eye sees.  `factor` is device pixels per guest pixel.
 */
#include <math.h>

#include "base/i18n.h"
#include "ui/display_private.h"

enum { MINIMUM_WIDTH = 160, MINIMUM_HEIGHT = 100 };

guint display_signals[DISPLAY_SIGNALS];

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(LodgerDisplay, lodger_display, GTK_TYPE_DRAWING_AREA)

struct display *display_of(LodgerDisplay *display) { return lodger_display_get_instance_private(display); }

/* -- Geometry ------------------------------------------------------------------------------------- */

/* Where the picture lies, in device pixels. */
static void display_place(LodgerDisplay *widget, double *factor, double *left, double *top)
{
        struct display *display = display_of(widget);
        int scale = gtk_widget_get_scale_factor(GTK_WIDGET(widget));
        double width = gtk_widget_get_allocated_width(GTK_WIDGET(widget)) * scale;
        double height = gtk_widget_get_allocated_height(GTK_WIDGET(widget)) * scale;

        *factor = 1;
        *left = *top = 0;
        if (!display->width || !display->height)
                return;
        if (display->scaling != LODGER_SCALING_NONE)
                *factor = fmin(width / display->width, height / display->height);
        if (display->scaling == LODGER_SCALING_INTEGER && *factor > 1)
                *factor = floor(*factor);
        /* A hair's breadth off a whole factor is not worth a blurred picture. */
        if (display->scaling == LODGER_SCALING_FIT && *factor > 1 && *factor - floor(*factor) < 0.03)
                *factor = floor(*factor);
        *left = floor((width - display->width * *factor) / 2);
        *top = floor((height - display->height * *factor) / 2);
        if (display->scaling == LODGER_SCALING_NONE) {
                *left = fmax(*left, 0);
                *top = fmax(*top, 0);
        }
}

void display_to_guest(LodgerDisplay *widget, double x, double y, int *guest_x, int *guest_y)
{
        struct display *display = display_of(widget);
        int scale = gtk_widget_get_scale_factor(GTK_WIDGET(widget));
        double factor, left, top;

        display_place(widget, &factor, &left, &top);
        *guest_x = CLAMP((int)floor((x * scale - left) / factor), 0, MAX(display->width - 1, 0));
        *guest_y = CLAMP((int)floor((y * scale - top) / factor), 0, MAX(display->height - 1, 0));
}

void lodger_display_damage(LodgerDisplay *widget, guint x, guint y, guint width, guint height)
{
        int scale = gtk_widget_get_scale_factor(GTK_WIDGET(widget));
        double factor, left, top;
        int x0, y0, x1, y1;

        display_place(widget, &factor, &left, &top);
        /* A pixel more on each side: a smooth filter spreads that far. */
        x0 = (int)floor((left + x * factor - factor - 1) / scale);
        y0 = (int)floor((top + y * factor - factor - 1) / scale);
        x1 = (int)ceil((left + (x + width) * factor + factor + 1) / scale);
        y1 = (int)ceil((top + (y + height) * factor + factor + 1) / scale);
        gtk_widget_queue_draw_area(GTK_WIDGET(widget), x0, y0, x1 - x0, y1 - y0);
}

void lodger_display_set_surface(LodgerDisplay *widget, cairo_surface_t *surface)
{
        struct display *display = display_of(widget);
        int width = surface ? cairo_image_surface_get_width(surface) : 0;
        int height = surface ? cairo_image_surface_get_height(surface) : 0;

        if (surface)
                cairo_surface_reference(surface);
        g_clear_pointer(&display->surface, cairo_surface_destroy);
        display->surface = surface;
        if (width != display->width || height != display->height) {
                display->width = width;
                display->height = height;
                gtk_widget_queue_resize(GTK_WIDGET(widget));
                g_signal_emit(widget, display_signals[DISPLAY_SIZE_CHANGED], 0, width, height);
        }
        gtk_widget_queue_draw(GTK_WIDGET(widget));
}

void lodger_display_get_size(LodgerDisplay *widget, int *width, int *height)
{
        *width = display_of(widget)->width;
        *height = display_of(widget)->height;
}

static void display_preferred(int guest, int minimum, int scaled_minimum, gboolean fixed, gint *least, gint *natural)
{
        *least = fixed ? MAX(guest, minimum) : scaled_minimum;
        *natural = MAX(guest, *least);
}

static void lodger_display_get_preferred_width(GtkWidget *widget, gint *minimum, gint *natural)
{
        struct display *display = display_of(LODGER_DISPLAY(widget));

        display_preferred(display->width / gtk_widget_get_scale_factor(widget), MINIMUM_WIDTH, MINIMUM_WIDTH,
                          display->scaling == LODGER_SCALING_NONE, minimum, natural);
}

static void lodger_display_get_preferred_height(GtkWidget *widget, gint *minimum, gint *natural)
{
        struct display *display = display_of(LODGER_DISPLAY(widget));

        display_preferred(display->height / gtk_widget_get_scale_factor(widget), MINIMUM_HEIGHT, MINIMUM_HEIGHT,
                          display->scaling == LODGER_SCALING_NONE, minimum, natural);
}

/* -- Drawing -------------------------------------------------------------------------------------- */

/* Two bars, for a machine that stands still. */
static void draw_pause_sign(cairo_t *cr, double width, double height)
{
        double size = fmin(fmin(width, height) / 4, 96);

        cairo_set_source_rgba(cr, 0, 0, 0, 0.5);
        cairo_paint(cr);
        cairo_set_source_rgba(cr, 1, 1, 1, 0.85);
        cairo_rectangle(cr, width / 2 - size / 2, height / 2 - size / 2, size * 0.36, size);
        cairo_rectangle(cr, width / 2 + size * 0.14, height / 2 - size / 2, size * 0.36, size);
        cairo_fill(cr);
}

static gboolean lodger_display_draw(GtkWidget *widget, cairo_t *cr)
{
        struct display *display = display_of(LODGER_DISPLAY(widget));
        double width = gtk_widget_get_allocated_width(widget), height = gtk_widget_get_allocated_height(widget);
        int scale = gtk_widget_get_scale_factor(widget);
        double factor, left, top;

        cairo_set_source_rgb(cr, 0, 0, 0);
        cairo_paint(cr);
        if (display->surface) {
                display_place(LODGER_DISPLAY(widget), &factor, &left, &top);
                cairo_save(cr);
                cairo_scale(cr, 1.0 / scale, 1.0 / scale);      /* device pixels */
                cairo_translate(cr, left, top);
                cairo_scale(cr, factor, factor);
                cairo_rectangle(cr, 0, 0, display->width, display->height);
                cairo_clip(cr);
                cairo_set_source_surface(cr, display->surface, 0, 0);
                cairo_pattern_set_filter(cairo_get_source(cr), factor == floor(factor) ? CAIRO_FILTER_NEAREST :
                                                               factor < 1 ? CAIRO_FILTER_GOOD : CAIRO_FILTER_BILINEAR);
                /* Beyond its edge a smooth filter would mix in nothing. */
                cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
                cairo_paint(cr);
                cairo_restore(cr);
        }
        if (display->dimmed)
                draw_pause_sign(cr, width, height);
        if (gtk_widget_has_visible_focus(widget))
                gtk_render_focus(gtk_widget_get_style_context(widget), cr, 0, 0, width, height);
        return FALSE;
}

void lodger_display_set_dimmed(LodgerDisplay *widget, gboolean dimmed)
{
        display_of(widget)->dimmed = dimmed;
        gtk_widget_queue_draw(GTK_WIDGET(widget));
}

void lodger_display_set_scaling(LodgerDisplay *widget, LodgerScaling scaling)
{
        display_of(widget)->scaling = scaling;
        gtk_widget_queue_resize(GTK_WIDGET(widget));
        gtk_widget_queue_draw(GTK_WIDGET(widget));
}

GdkPixbuf *lodger_display_get_picture(LodgerDisplay *widget)
{
        struct display *display = display_of(widget);

        return display->surface ? gdk_pixbuf_get_from_surface(display->surface, 0, 0, display->width, display->height) : NULL;
}

/* -- Object --------------------------------------------------------------------------------------- */

static void lodger_display_dispose(GObject *object)
{
        struct display *display = display_of(LODGER_DISPLAY(object));

        g_clear_pointer(&display->surface, cairo_surface_destroy);
        g_clear_pointer(&display->release_keys, g_strfreev);
        g_clear_pointer(&display->held, g_hash_table_unref);
        G_OBJECT_CLASS(lodger_display_parent_class)->dispose(object);
}

static void lodger_display_class_init(LodgerDisplayClass *class)
{
        GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);
        GType type = G_TYPE_FROM_CLASS(class);

        G_OBJECT_CLASS(class)->dispose = lodger_display_dispose;
        widget->draw = lodger_display_draw;
        widget->get_preferred_width = lodger_display_get_preferred_width;
        widget->get_preferred_height = lodger_display_get_preferred_height;
        gtk_widget_class_set_css_name(widget, "lodgerdisplay");
        display_class_init_input(widget);
        display_signals[DISPLAY_GRAB_CHANGED] = g_signal_new("grab-changed", type, G_SIGNAL_RUN_LAST,
                                                             G_STRUCT_OFFSET(LodgerDisplayClass, grab_changed), NULL, NULL, NULL,
                                                             G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
        display_signals[DISPLAY_SHORTCUT] = g_signal_new("shortcut", type, G_SIGNAL_RUN_LAST,
                                                         G_STRUCT_OFFSET(LodgerDisplayClass, shortcut),
                                                         g_signal_accumulator_true_handled, NULL, NULL, G_TYPE_BOOLEAN, 1, G_TYPE_UINT);
        display_signals[DISPLAY_SIZE_CHANGED] = g_signal_new("size-changed", type, G_SIGNAL_RUN_LAST,
                                                             G_STRUCT_OFFSET(LodgerDisplayClass, size_changed), NULL, NULL, NULL,
                                                             G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
}

static void lodger_display_init(LodgerDisplay *widget)
{
        struct display *display = display_of(widget);
        AtkObject *accessible;

        display->held = g_hash_table_new(g_str_hash, g_str_equal);
        lodger_display_set_release_keys(widget, "ctrl+alt");
        gtk_widget_set_can_focus(GTK_WIDGET(widget), TRUE);
        gtk_widget_add_events(GTK_WIDGET(widget), GDK_BUTTON_PRESS_MASK | GDK_BUTTON_RELEASE_MASK | GDK_POINTER_MOTION_MASK |
                              GDK_SCROLL_MASK | GDK_SMOOTH_SCROLL_MASK | GDK_KEY_PRESS_MASK | GDK_KEY_RELEASE_MASK |
                              GDK_FOCUS_CHANGE_MASK);
        accessible = gtk_widget_get_accessible(GTK_WIDGET(widget));
        atk_object_set_name(accessible, _("Screen of the guest"));
        atk_object_set_role(accessible, ATK_ROLE_CANVAS);
}
