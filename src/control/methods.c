/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * methods.c - the methods and properties of the control interface, carried out on a machine.
 *
 * Handlers run on the main loop and return at once; what takes time in the guest (typing, shutting
 * down) goes on after the answer.
 */
#include <gio/gunixfdlist.h>

#include "base/clock.h"
#include "control/error.h"
#include "control/keys.h"
#include "control/methods.h"
#include "control/screen.h"
#include "control/snapshots.h"
#include "machine/manage.h"

#define HANDLED TRUE            /* of a handler: the answer has been given */

struct methods {
        struct machine *machine;
        struct screen *screen;
        struct keys *keys;
        ControlMachine1 *object;
};

/* -- Errors -------------------------------------------------------------------------------------- */

static enum control_error error_on_the_wire(const GError *error)
{
        static const enum control_error codes[] = {
                [MACHINE_ERROR_NOT_LISTENING] = CONTROL_ERROR_NOT_LISTENING,
                [MACHINE_ERROR_NO_SUCH_DEVICE] = CONTROL_ERROR_NO_SUCH_DEVICE,
                [MACHINE_ERROR_NO_SUCH_KEY] = CONTROL_ERROR_NO_SUCH_KEY,
                [MACHINE_ERROR_NO_DISPLAY] = CONTROL_ERROR_NO_DISPLAY,
                [MACHINE_ERROR_NOT_TEXT] = CONTROL_ERROR_NOT_TEXT,
                [MACHINE_ERROR_BUSY] = CONTROL_ERROR_BUSY,
        };

        if (error->domain == MACHINE_ERROR && (gsize)error->code < G_N_ELEMENTS(codes))
                return codes[error->code];
        return CONTROL_ERROR_FAILED;
}

/* Answers with the error; frees it. */
static gboolean refuse(GDBusMethodInvocation *call, GError *error)
{
        g_dbus_method_invocation_return_error_literal(call, CONTROL_ERROR, (gint)error_on_the_wire(error), error->message);
        g_error_free(error);
        return HANDLED;
}

/* D-Bus strings are UTF-8, and state tables may hold anything. */
static char *make_valid(char *text)
{
        char *valid = g_utf8_make_valid(text, -1);

        g_free(text);
        return valid;
}

/* -- Life ---------------------------------------------------------------------------------------- */

static void tell_state(ControlMachine1 *object, struct machine *machine)
{
        control_machine1_set_engine(object, machine_engine_name(machine));
        control_machine1_set_state(object, machine_is_paused(machine) ? "paused" : "running");
        control_machine1_set_takes_places(object, machine_takes_places(machine));
}

static void state_changed(void *opaque)
{
        struct methods *methods = opaque;

        tell_state(methods->object, methods->machine);
}

static gboolean handle_get_uptime(ControlMachine1 *object, GDBusMethodInvocation *call, struct machine *machine)
{
        control_machine1_complete_get_uptime(object, call, (guint64)(machine_uptime_ns(machine) / NS_PER_SEC));
        return HANDLED;
}

static gboolean handle_stop(ControlMachine1 *object, GDBusMethodInvocation *call, gboolean force, struct machine *machine)
{
        GError *error = NULL;

        if (force)
                machine_stop(machine);
        else if (!machine_press_power(machine, &error))
                return refuse(call, error);
        tell_state(object, machine);
        control_machine1_complete_stop(object, call);
        return HANDLED;
}

static gboolean handle_reset(ControlMachine1 *object, GDBusMethodInvocation *call, struct machine *machine)
{
        machine_press_reset(machine);
        control_machine1_complete_reset(object, call);
        return HANDLED;
}

static gboolean handle_pause(ControlMachine1 *object, GDBusMethodInvocation *call, struct machine *machine)
{
        machine_pause(machine);
        tell_state(object, machine);
        control_machine1_complete_pause(object, call);
        return HANDLED;
}

static gboolean handle_resume(ControlMachine1 *object, GDBusMethodInvocation *call, struct machine *machine)
{
        machine_resume(machine);
        tell_state(object, machine);
        control_machine1_complete_resume(object, call);
        return HANDLED;
}

/* -- Looking inside ------------------------------------------------------------------------------ */

static gboolean handle_info(ControlMachine1 *object, GDBusMethodInvocation *call, const char *device, struct machine *machine)
{
        GError *error = NULL;
        char *text = machine_info(machine, device, &error);

        if (!text)
                return refuse(call, error);
        text = make_valid(text);
        control_machine1_complete_info(object, call, text);
        g_free(text);
        return HANDLED;
}

static gboolean handle_stats(ControlMachine1 *object, GDBusMethodInvocation *call, struct machine *machine)
{
        char *text = make_valid(machine_statistics(machine));

        control_machine1_complete_stats(object, call, text);
        g_free(text);
        return HANDLED;
}

/* -- Media --------------------------------------------------------------------------------------- */

static gboolean handle_eject(ControlMachine1 *object, GDBusMethodInvocation *call, const char *drive, gboolean force,
                             struct machine *machine)
{
        GError *error = NULL;

        if (!machine_eject(machine, drive, force, &error))
                return refuse(call, error);
        control_machine1_complete_eject(object, call);
        return HANDLED;
}

static gboolean handle_insert(ControlMachine1 *object, GDBusMethodInvocation *call, const char *drive, const char *path,
                              gboolean force, struct machine *machine)
{
        GError *error = NULL;

        if (!machine_insert(machine, drive, path, force, &error))
                return refuse(call, error);
        control_machine1_complete_insert(object, call);
        return HANDLED;
}

/* -- The network --------------------------------------------------------------------------------- */

static gboolean handle_get_networks(ControlMachine1 *object, GDBusMethodInvocation *call, struct machine *machine)
{
        char *text = make_valid(machine_networks(machine));

        control_machine1_complete_get_networks(object, call, text);
        g_free(text);
        return HANDLED;
}

static gboolean handle_set_link(ControlMachine1 *object, GDBusMethodInvocation *call, const char *card, gboolean up,
                                struct machine *machine)
{
        GError *error = NULL;

        if (!machine_set_link(machine, card, up, &error))
                return refuse(call, error);
        control_machine1_complete_set_link(object, call);
        return HANDLED;
}

static gboolean handle_add_forward(ControlMachine1 *object, GDBusMethodInvocation *call, const char *card, const char *forward,
                                   struct machine *machine)
{
        GError *error = NULL;

        if (!machine_forward(machine, card, forward, true, &error))
                return refuse(call, error);
        control_machine1_complete_add_forward(object, call);
        return HANDLED;
}

static gboolean handle_remove_forward(ControlMachine1 *object, GDBusMethodInvocation *call, const char *card, const char *forward,
                                      struct machine *machine)
{
        GError *error = NULL;

        if (!machine_forward(machine, card, forward, false, &error))
                return refuse(call, error);
        control_machine1_complete_remove_forward(object, call);
        return HANDLED;
}

static gboolean handle_capture(ControlMachine1 *object, GDBusMethodInvocation *call, const char *card, const char *path,
                               struct machine *machine)
{
        GError *error = NULL;

        if (!machine_capture(machine, card, path, &error))
                return refuse(call, error);
        control_machine1_complete_capture(object, call);
        return HANDLED;
}

/* -- The screen ---------------------------------------------------------------------------------- */

static gboolean handle_get_screen_text(ControlMachine1 *object, GDBusMethodInvocation *call, struct machine *machine)
{
        GError *error = NULL;
        char *text = machine_screen_text(machine, &error);

        if (!text)
                return refuse(call, error);
        control_machine1_complete_get_screen_text(object, call, text);
        g_free(text);
        return HANDLED;
}

/* The descriptor of a surface that was rendered; NULL with error set. */
static GUnixFDList *surface_descriptor(GDBusMethodInvocation *call, const struct surface *surface, GError **error)
{
        GDBusConnection *connection = g_dbus_method_invocation_get_connection(call);
        GUnixFDList *list;

        if (!(g_dbus_connection_get_capabilities(connection) & G_DBUS_CAPABILITY_FLAGS_UNIX_FD_PASSING)) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "this connection cannot pass file descriptors");
                return NULL;
        }
        if (surface->fd < 0) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "this host gives the machine no memfd");
                return NULL;
        }
        list = g_unix_fd_list_new();
        if (g_unix_fd_list_append(list, surface->fd, error) < 0)
                g_clear_object(&list);
        return list;
}

static gboolean handle_screenshot(ControlMachine1 *object, GDBusMethodInvocation *call, GUnixFDList *in, struct machine *machine)
{
        GUnixFDList *list = NULL;
        struct surface surface;
        GError *error = NULL;

        (void)in;
        surface_init(&surface, true);
        if (machine_render(machine, &surface, &error))
                list = surface_descriptor(call, &surface, &error);
        if (list)
                control_machine1_complete_screenshot(object, call, list, g_variant_new_handle(0), surface.width, surface.height,
                                                     surface.stride);
        else
                refuse(call, error);
        g_clear_object(&list);
        surface_free(&surface);
        return HANDLED;
}

static gboolean handle_watch(ControlMachine1 *object, GDBusMethodInvocation *call, GUnixFDList *in, struct methods *methods)
{
        GError *error = NULL;
        const struct surface *surface = screen_surface(methods->screen, &error);
        GUnixFDList *list = surface ? surface_descriptor(call, surface, &error) : NULL;

        (void)in;
        if (!list)
                return refuse(call, error);
        screen_watch(methods->screen, g_dbus_method_invocation_get_connection(call));
        control_machine1_complete_watch_framebuffer(object, call, list, g_variant_new_handle(0), surface->width, surface->height,
                                                    surface->stride);
        g_object_unref(list);
        return HANDLED;
}

static gboolean handle_unwatch(ControlMachine1 *object, GDBusMethodInvocation *call, struct methods *methods)
{
        screen_unwatch(methods->screen, g_dbus_method_invocation_get_connection(call));
        control_machine1_complete_unwatch_framebuffer(object, call);
        return HANDLED;
}

/* -- Keyboard and mouse -------------------------------------------------------------------------- */

static gboolean handle_key(ControlMachine1 *object, GDBusMethodInvocation *call, const char *const *chords,
                           struct machine *machine)
{
        GError *error = NULL;

        if (!machine_press_keys(machine, chords, &error))
                return refuse(call, error);
        control_machine1_complete_key(object, call);
        return HANDLED;
}

static gboolean handle_set_key(ControlMachine1 *object, GDBusMethodInvocation *call, const char *key, gboolean down,
                               struct methods *methods)
{
        GError *error = NULL;

        if (!keys_set(methods->keys, g_dbus_method_invocation_get_connection(call), key, down, &error))
                return refuse(call, error);
        control_machine1_complete_set_key(object, call);
        return HANDLED;
}

static gboolean handle_type(ControlMachine1 *object, GDBusMethodInvocation *call, const char *text, struct machine *machine)
{
        GError *error = NULL;

        if (!machine_type_text(machine, text, &error))
                return refuse(call, error);
        control_machine1_complete_type(object, call);
        return HANDLED;
}

static gboolean handle_move_mouse(ControlMachine1 *object, GDBusMethodInvocation *call, int right, int down, int wheel,
                                  struct machine *machine)
{
        machine_move_mouse(machine, right, down, wheel);
        control_machine1_complete_move_mouse(object, call);
        return HANDLED;
}

static gboolean handle_place_mouse(ControlMachine1 *object, GDBusMethodInvocation *call, guint x, guint y, struct machine *machine)
{
        GError *error = NULL;

        if (!machine_place_pointer(machine, x, y, &error))
                return refuse(call, error);
        control_machine1_complete_place_mouse(object, call);
        return HANDLED;
}

static gboolean handle_set_mouse_buttons(ControlMachine1 *object, GDBusMethodInvocation *call, guint buttons,
                                         struct machine *machine)
{
        machine_set_mouse_buttons(machine, buttons);
        control_machine1_complete_set_mouse_buttons(object, call);
        return HANDLED;
}

/* -- The object ---------------------------------------------------------------------------------- */

static gboolean handle_set_engine(ControlMachine1 *object, GDBusMethodInvocation *call, const char *engine, struct machine *machine)
{
        GError *error = NULL;

        if (!machine_set_engine(machine, engine, &error))
                return refuse(call, error);
        control_machine1_set_engine(object, machine_engine_name(machine));
        control_machine1_complete_set_engine(object, call);
        return HANDLED;
}

struct methods *methods_new(struct machine *machine)
{
        static const struct { const char *signal; GCallback handler; } handlers[] = {
                { "handle-get-uptime", G_CALLBACK(handle_get_uptime) },
                { "handle-stop", G_CALLBACK(handle_stop) },
                { "handle-reset", G_CALLBACK(handle_reset) },
                { "handle-pause", G_CALLBACK(handle_pause) },
                { "handle-resume", G_CALLBACK(handle_resume) },
                { "handle-set-engine", G_CALLBACK(handle_set_engine) },
                { "handle-info", G_CALLBACK(handle_info) },
                { "handle-stats", G_CALLBACK(handle_stats) },
                { "handle-eject", G_CALLBACK(handle_eject) },
                { "handle-insert", G_CALLBACK(handle_insert) },
                { "handle-get-networks", G_CALLBACK(handle_get_networks) },
                { "handle-set-link", G_CALLBACK(handle_set_link) },
                { "handle-add-forward", G_CALLBACK(handle_add_forward) },
                { "handle-remove-forward", G_CALLBACK(handle_remove_forward) },
                { "handle-capture", G_CALLBACK(handle_capture) },
                { "handle-get-screen-text", G_CALLBACK(handle_get_screen_text) },
                { "handle-screenshot", G_CALLBACK(handle_screenshot) },
                { "handle-key", G_CALLBACK(handle_key) },
                { "handle-type", G_CALLBACK(handle_type) },
                { "handle-move-mouse", G_CALLBACK(handle_move_mouse) },
                { "handle-place-mouse", G_CALLBACK(handle_place_mouse) },
                { "handle-set-mouse-buttons", G_CALLBACK(handle_set_mouse_buttons) },
        };
        struct methods *methods = g_new0(struct methods, 1);
        ControlMachine1 *object = control_machine1_skeleton_new();

        methods->screen = screen_new(machine);
        methods->keys = keys_new(machine);
        methods->object = object;
        methods->machine = machine;
        machine_watch_state(machine, state_changed, methods);
        control_machine1_set_name(object, machine_name(machine));
        control_machine1_set_engine(object, machine_engine_name(machine));
        control_machine1_set_memory(object, machine_memory_bytes(machine));
        control_machine1_set_cpus(object, machine_cpus(machine));
        tell_state(object, machine);
        for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++)
                g_signal_connect(object, handlers[i].signal, handlers[i].handler, machine);
        snapshots_connect(object, machine);
        g_signal_connect(object, "handle-watch-framebuffer", G_CALLBACK(handle_watch), methods);
        g_signal_connect(object, "handle-unwatch-framebuffer", G_CALLBACK(handle_unwatch), methods);
        g_signal_connect(object, "handle-set-key", G_CALLBACK(handle_set_key), methods);
        return methods;
}

void methods_free(struct methods *methods)
{
        if (!methods)
                return;
        machine_watch_state(methods->machine, NULL, NULL);
        screen_free(methods->screen);
        keys_free(methods->keys);
        g_object_unref(methods->object);
        g_free(methods);
}

ControlMachine1 *methods_object(struct methods *methods) { return methods->object; }
