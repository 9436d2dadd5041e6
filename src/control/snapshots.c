/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshots.c - the control interface's methods about snapshots.
 *
 * Taking one is answered when the file is durable; the machine runs, and answers others, meanwhile.
 */
#include <gio/gunixfdlist.h>

#include "control/error.h"
#include "control/snapshots.h"
#include "machine/checkpoint.h"
#include "machine/manage.h"
#include "snapshot/compress.h"

#define HANDLED TRUE            /* of a handler: the answer has been given, or will be */

struct asked {
        ControlMachine1 *object;
        GDBusMethodInvocation *call;
        struct machine *machine;
        bool suspend;
};

static gboolean refuse(GDBusMethodInvocation *call, const GError *error)
{
        bool busy = g_error_matches(error, MACHINE_ERROR, MACHINE_ERROR_BUSY);

        g_dbus_method_invocation_return_error_literal(call, CONTROL_ERROR, busy ? CONTROL_ERROR_BUSY : CONTROL_ERROR_FAILED,
                                                      error->message);
        return HANDLED;
}

/* Also when the client has gone. */
static void answer_sent(GObject *connection, GAsyncResult *result, gpointer machine)
{
        g_dbus_connection_flush_finish(G_DBUS_CONNECTION(connection), result, NULL);
        machine_stop(machine);
}

static void answer(void *opaque, const struct checkpoint_result *result, const GError *error)
{
        struct asked *asked = opaque;

        if (error) {
                refuse(asked->call, error);
        } else if (asked->suspend) {
                GDBusConnection *connection = g_object_ref(g_dbus_method_invocation_get_connection(asked->call));

                /* The answer leaves before the process does. */
                control_machine1_complete_suspend(asked->object, asked->call);
                g_dbus_connection_flush(connection, NULL, answer_sent, asked->machine);
                g_object_unref(connection);
        } else {
                control_machine1_complete_take_snapshot(asked->object, asked->call, result->id, (guint64)result->stopped_us,
                                                        result->bytes);
        }
        g_object_unref(asked->object);
        g_free(asked);
}

static gboolean take(struct machine *machine, const char *path, const struct checkpoint_options *options, ControlMachine1 *object,
                     GDBusMethodInvocation *call)
{
        struct asked *asked = g_new(struct asked, 1);
        GError *error = NULL;

        *asked = (struct asked){ g_object_ref(object), call, machine, options->stay_stopped };
        if (!machine_checkpoint(machine, path, options, answer, asked, &error)) {
                g_object_unref(object);
                g_free(asked);
                refuse(call, error);
                g_error_free(error);
        }
        return HANDLED;
}

static gboolean handle_take(ControlMachine1 *object, GDBusMethodInvocation *call, const char *path, const char *name,
                            const char *description, const char *ancestors, const char *compression, struct machine *machine)
{
        struct checkpoint_options options = { name, description, ancestors, compress_default(), false };

        if (*compression && !compress_parse(compression, &options.encoding)) {
                g_dbus_method_invocation_return_error(call, CONTROL_ERROR, CONTROL_ERROR_FAILED,
                                                      "this lodger has no compression \"%s\"", compression);
                return HANDLED;
        }
        return take(machine, path, &options, object, call);
}

static gboolean handle_suspend(ControlMachine1 *object, GDBusMethodInvocation *call, const char *path, const char *ancestors,
                               struct machine *machine)
{
        struct checkpoint_options options = { "", "", ancestors, compress_default(), true };

        return take(machine, path, &options, object, call);
}

static gboolean handle_restore(ControlMachine1 *object, GDBusMethodInvocation *call, const char *path, struct machine *machine)
{
        GError *error = NULL;

        if (!machine_restore(machine, path, &error)) {
                refuse(call, error);
                g_error_free(error);
                return HANDLED;
        }
        control_machine1_complete_restore_snapshot(object, call);
        return HANDLED;
}

static gboolean handle_keep(ControlMachine1 *object, GDBusMethodInvocation *call, const char *const *ids, struct machine *machine)
{
        GError *error = NULL;

        if (!machine_keep_disk_snapshots(machine, ids, &error)) {
                refuse(call, error);
                g_error_free(error);
                return HANDLED;
        }
        control_machine1_complete_keep_disk_snapshots(object, call);
        return HANDLED;
}

static gboolean handle_fork(ControlMachine1 *object, GDBusMethodInvocation *call, GUnixFDList *in, struct machine *machine)
{
        GUnixFDList *list = g_unix_fd_list_new();
        struct machine_fork fork;
        GError *error = NULL;

        (void)in;
        if (machine_fork(machine, &fork, &error) && g_unix_fd_list_append(list, fork.state_fd, &error) == 0 &&
            g_unix_fd_list_append(list, fork.memory_fd, &error) == 1) {
                g_ptr_array_add(fork.disks, NULL);
                control_machine1_complete_fork(object, call, list, fork.id, (guint64)fork.stopped_us,
                                               (const char *const *)fork.disks->pdata, g_variant_new_handle(0), g_variant_new_handle(1));
        } else {
                refuse(call, error);
                g_error_free(error);
        }
        machine_fork_clear(&fork);
        g_object_unref(list);
        return HANDLED;
}

void snapshots_connect(ControlMachine1 *object, struct machine *machine)
{
        g_signal_connect(object, "handle-take-snapshot", G_CALLBACK(handle_take), machine);
        g_signal_connect(object, "handle-restore-snapshot", G_CALLBACK(handle_restore), machine);
        g_signal_connect(object, "handle-keep-disk-snapshots", G_CALLBACK(handle_keep), machine);
        g_signal_connect(object, "handle-fork", G_CALLBACK(handle_fork), machine);
        g_signal_connect(object, "handle-suspend", G_CALLBACK(handle_suspend), machine);
}
