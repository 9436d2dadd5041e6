/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * methods.c - the methods and properties of the control interface, carried out on a machine.
 *
 * Handlers run on the main loop and return at once; what takes time in the guest (typing, shutting
 * down) goes on after the answer.
 */
#include "base/clock.h"
#include "control/error.h"
#include "control/methods.h"
#include "machine/manage.h"

#define HANDLED TRUE            /* of a handler: the answer has been given */

/* -- Errors -------------------------------------------------------------------------------------- */

static enum control_error error_on_the_wire(const GError *error)
{
        static const enum control_error codes[] = {
                [MACHINE_ERROR_NOT_LISTENING] = CONTROL_ERROR_NOT_LISTENING,
                [MACHINE_ERROR_NO_SUCH_DEVICE] = CONTROL_ERROR_NO_SUCH_DEVICE,
                [MACHINE_ERROR_NO_SUCH_KEY] = CONTROL_ERROR_NO_SUCH_KEY,
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
        control_machine1_set_state(object, machine_is_paused(machine) ? "paused" : "running");
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

static gboolean handle_set_mouse_buttons(ControlMachine1 *object, GDBusMethodInvocation *call, guint buttons,
                                         struct machine *machine)
{
        machine_set_mouse_buttons(machine, buttons);
        control_machine1_complete_set_mouse_buttons(object, call);
        return HANDLED;
}

/* -- The object ---------------------------------------------------------------------------------- */

ControlMachine1 *control_methods_new(struct machine *machine)
{
        static const struct { const char *signal; GCallback handler; } handlers[] = {
                { "handle-get-uptime", G_CALLBACK(handle_get_uptime) },
                { "handle-stop", G_CALLBACK(handle_stop) },
                { "handle-reset", G_CALLBACK(handle_reset) },
                { "handle-pause", G_CALLBACK(handle_pause) },
                { "handle-resume", G_CALLBACK(handle_resume) },
                { "handle-info", G_CALLBACK(handle_info) },
                { "handle-stats", G_CALLBACK(handle_stats) },
                { "handle-key", G_CALLBACK(handle_key) },
                { "handle-type", G_CALLBACK(handle_type) },
                { "handle-move-mouse", G_CALLBACK(handle_move_mouse) },
                { "handle-set-mouse-buttons", G_CALLBACK(handle_set_mouse_buttons) },
        };
        ControlMachine1 *object = control_machine1_skeleton_new();

        control_machine1_set_name(object, machine_name(machine));
        control_machine1_set_engine(object, machine_engine_name(machine));
        control_machine1_set_memory(object, machine_memory_bytes(machine));
        control_machine1_set_cpus(object, machine_cpus(machine));
        tell_state(object, machine);
        for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++)
                g_signal_connect(object, handlers[i].signal, handlers[i].handler, machine);
        return object;
}
