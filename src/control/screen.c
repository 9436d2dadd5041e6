/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screen.c - the framebuffer that watchers share with the machine, and telling them what changed.
 *
 * While somebody watches, the screen is rendered FRAMES_PER_SECOND times a second (half as often while it stands still) into
 * a surface in a sealed memfd, and its damage goes to every watcher as a signal.  A watcher that does not read is sent
 * no more than SIGNALS_MAX of them; what changes meanwhile is kept as one rectangle, and sent when it
 * has caught up.
 */
#include "control/screen.h"
#include "machine/manage.h"

enum { FRAMES_PER_SECOND = 60, STILL_TICKS = 30, SIGNALS_MAX = 4 };
#define OBJECT_PATH "/org/lodger/Machine1"
#define INTERFACE "org.lodger.Machine1"

struct screen {
        struct machine *machine;
        struct surface surface;
        GPtrArray *watchers;            /* of struct watcher * */
        GSource *timer;                 /* set while there are any */
        unsigned still_ticks;           /* of the timer, since something changed */
};

struct watcher {
        GDBusConnection *connection;
        gulong closed;                  /* signal handler */
        guint filter;
        gint *unsent;                   /* atomic, counted reference: signals that are not written yet */
        bool renewed;                   /* to be told of another framebuffer */
        struct rectangle missed;        /* damage not sent; width 0: none */
};

/* -- Watchers ------------------------------------------------------------------------------------ */

/* On GDBus's thread. */
static GDBusMessage *count_signals(GDBusConnection *connection, GDBusMessage *message, gboolean incoming, gpointer unsent)
{
        (void)connection;
        if (!incoming && g_dbus_message_get_message_type(message) == G_DBUS_MESSAGE_TYPE_SIGNAL)
                g_atomic_int_add((gint *)unsent, -1);
        return message;
}

static void watcher_free(void *opaque)
{
        struct watcher *watcher = opaque;

        g_signal_handler_disconnect(watcher->connection, watcher->closed);
        g_dbus_connection_remove_filter(watcher->connection, watcher->filter);
        g_object_unref(watcher->connection);
        g_atomic_rc_box_release(watcher->unsent);
        g_free(watcher);
}

static struct watcher *watcher_find(struct screen *screen, GDBusConnection *connection)
{
        for (guint i = 0; i < screen->watchers->len; i++) {
                struct watcher *watcher = g_ptr_array_index(screen->watchers, i);

                if (watcher->connection == connection)
                        return watcher;
        }
        return NULL;
}

static void watcher_emit(struct watcher *watcher, const char *signal, GVariant *arguments)
{
        g_atomic_int_inc(watcher->unsent);
        g_dbus_connection_emit_signal(watcher->connection, NULL, OBJECT_PATH, INTERFACE, signal, arguments, NULL);
}

static GVariant *damage_variant(const struct rectangle *rectangles, unsigned count)
{
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(uuuu)"));
        for (unsigned i = 0; i < count; i++)
                g_variant_builder_add(&builder, "(uuuu)", rectangles[i].x, rectangles[i].y, rectangles[i].width, rectangles[i].height);
        return g_variant_new("(a(uuuu))", &builder);
}

/* The smallest rectangle around both. */
static void rectangle_join(struct rectangle *to, const struct rectangle *other)
{
        unsigned right = MAX(to->x + to->width, other->x + other->width);
        unsigned bottom = MAX(to->y + to->height, other->y + other->height);

        if (!to->width) {
                *to = *other;
                return;
        }
        to->x = MIN(to->x, other->x);
        to->y = MIN(to->y, other->y);
        to->width = right - to->x;
        to->height = bottom - to->y;
}

static void watcher_tell(struct watcher *watcher, const struct surface *surface)
{
        watcher->renewed |= surface->resized;
        if (g_atomic_int_get(watcher->unsent) >= SIGNALS_MAX) {
                for (unsigned i = 0; i < surface->damage_count; i++)
                        rectangle_join(&watcher->missed, &surface->damage[i]);
                return;
        }
        if (watcher->renewed) {
                watcher_emit(watcher, "FramebufferChanged", NULL);
        } else if (watcher->missed.width) {
                for (unsigned i = 0; i < surface->damage_count; i++)
                        rectangle_join(&watcher->missed, &surface->damage[i]);
                watcher_emit(watcher, "Damage", damage_variant(&watcher->missed, 1));
        } else if (surface->damage_count) {
                watcher_emit(watcher, "Damage", damage_variant(surface->damage, surface->damage_count));
        }
        watcher->renewed = false;
        watcher->missed.width = 0;
}

/* -- Frames -------------------------------------------------------------------------------------- */

static bool screen_update(struct screen *screen, GError **error)
{
        if (!machine_render(screen->machine, &screen->surface, error))
                return false;
        for (guint i = 0; i < screen->watchers->len; i++)
                watcher_tell(g_ptr_array_index(screen->watchers, i), &screen->surface);
        if (screen->surface.damage_count || screen->surface.resized)
                screen->still_ticks = 0;
        surface_clear_damage(&screen->surface);
        return true;
}

static gboolean screen_tick(gpointer opaque)
{
        struct screen *screen = opaque;

        if (++screen->still_ticks < STILL_TICKS || screen->still_ticks % 2)
                screen_update(screen, NULL);
        return G_SOURCE_CONTINUE;
}

const struct surface *screen_surface(struct screen *screen, GError **error)
{
        return screen_update(screen, error) ? &screen->surface : NULL;
}

static void screen_set_timer(struct screen *screen)
{
        if (screen->watchers->len && !screen->timer) {
                screen->timer = g_timeout_source_new(1000 / FRAMES_PER_SECOND);
                /* Below calls and timers of the guest. */
                g_source_set_priority(screen->timer, G_PRIORITY_DEFAULT_IDLE);
                g_source_set_callback(screen->timer, screen_tick, screen, NULL);
                g_source_attach(screen->timer, g_main_context_get_thread_default());
        } else if (!screen->watchers->len && screen->timer) {
                g_source_destroy(screen->timer);
                g_clear_pointer(&screen->timer, g_source_unref);
        }
}

static void watcher_closed(GDBusConnection *connection, gboolean remote, GError *error, gpointer opaque)
{
        (void)remote;
        (void)error;
        screen_unwatch(opaque, connection);
}

void screen_watch(struct screen *screen, GDBusConnection *connection)
{
        struct watcher *watcher = watcher_find(screen, connection);

        if (watcher) {                          /* it has just been given the framebuffer as it is now */
                watcher->renewed = false;
                watcher->missed.width = 0;
                return;
        }
        watcher = g_new0(struct watcher, 1);
        watcher->connection = g_object_ref(connection);
        watcher->unsent = g_atomic_rc_box_new0(gint);
        watcher->filter = g_dbus_connection_add_filter(connection, count_signals, g_atomic_rc_box_acquire(watcher->unsent),
                                                       (GDestroyNotify)g_atomic_rc_box_release);
        watcher->closed = g_signal_connect(connection, "closed", G_CALLBACK(watcher_closed), screen);
        g_ptr_array_add(screen->watchers, watcher);
        screen_set_timer(screen);
}

void screen_unwatch(struct screen *screen, GDBusConnection *connection)
{
        struct watcher *watcher = watcher_find(screen, connection);

        if (watcher)
                g_ptr_array_remove_fast(screen->watchers, watcher);
        screen_set_timer(screen);
}

/* -- Life ---------------------------------------------------------------------------------------- */

struct screen *screen_new(struct machine *machine)
{
        struct screen *screen = g_new0(struct screen, 1);

        screen->machine = machine;
        surface_init(&screen->surface, true);
        screen->watchers = g_ptr_array_new_with_free_func(watcher_free);
        return screen;
}

void screen_free(struct screen *screen)
{
        g_ptr_array_set_size(screen->watchers, 0);
        screen_set_timer(screen);
        g_ptr_array_unref(screen->watchers);
        surface_free(&screen->surface);
        g_free(screen);
}
