/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.c - LodgerMachine: its life, from the socket to the end of the process.
 *
 * A connection that breaks is tried again: the machine may have made room for another client.  It has ended when nobody
 * listens at its socket any more, or, if it is a child of ours, when it has exited.
 */
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/i18n.h"
#include "control/error.h"
#include "control/place.h"
#include "ui/machine_private.h"

enum { CONNECT_SECONDS = 5, RETRY_MS = 300, TRIES_MAX = 5, MESSAGES_PER_SECOND = 2000 };
#define OBJECT_PATH "/org/lodger/Machine1"

G_DEFINE_TYPE(LodgerMachine, lodger_machine, G_TYPE_OBJECT)

guint machine_signals[MACHINE_SIGNALS];

static void machine_try(LodgerMachine *machine);

/* -- State --------------------------------------------------------------------------------------- */

void machine_changed(LodgerMachine *machine) { g_signal_emit(machine, machine_signals[MACHINE_CHANGED], 0); }

void machine_set_state(LodgerMachine *machine, LodgerMachineState state)
{
        if (machine->state == state)
                return;
        machine->state = state;
        machine_changed(machine);
}

void machine_failed(LodgerMachine *machine, const GError *error)
{
        GError *copy = g_error_copy(error);

        g_dbus_error_strip_remote_error(copy);
        g_signal_emit(machine, machine_signals[MACHINE_FAILED], 0, copy->message);
        g_error_free(copy);
}

static void machine_disconnect(LodgerMachine *machine)
{
        g_clear_handle_id(&machine->poll, g_source_remove);
        g_clear_handle_id(&machine->retry, g_source_remove);
        if (machine->cancellable)
                g_cancellable_cancel(machine->cancellable);
        g_clear_object(&machine->cancellable);
        if (machine->proxy) {
                GDBusConnection *connection = g_dbus_proxy_get_connection(G_DBUS_PROXY(machine->proxy));

                g_signal_handlers_disconnect_by_data(connection, machine);
                g_signal_handlers_disconnect_by_data(machine->proxy, machine);
                g_dbus_connection_close(connection, NULL, NULL, NULL);
                g_clear_object(&machine->proxy);
        }
        machine_calls_drop(machine);
        machine->screen_asked = FALSE;
}

static void machine_end(LodgerMachine *machine)
{
        machine_disconnect(machine);
        if (!machine->end) {
                machine->orderly = TRUE;
                machine->end = g_strdup(machine->forced ? _("The machine was forced off.") : _("The machine has ended."));
        }
        if (machine->pidfd >= 0)
                close(machine->pidfd);
        machine->pidfd = -1;
        machine_set_state(machine, LODGER_MACHINE_ENDED);
        machine_changed(machine);
}

/* Why a process ended, from its wait status. */
static void machine_explain(LodgerMachine *machine, int status)
{
        g_clear_pointer(&machine->end, g_free);
        machine->orderly = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (machine->orderly)
                machine->end = g_strdup(machine->forced ? _("The machine was forced off.") : _("The machine is powered off."));
        else if (WIFSIGNALED(status))
                machine->end = g_strdup_printf(_("The machine's process was ended by signal %d (%s)."), WTERMSIG(status),
                                               strsignal(WTERMSIG(status)));
        else if (WEXITSTATUS(status) == 1 || WEXITSTATUS(status) == 2)
                machine->end = g_strdup(_("The machine could not go on."));
        else
                machine->end = g_strdup_printf(_("The machine's process ended with status %d."), WEXITSTATUS(status));
}

/* -- Connecting ---------------------------------------------------------------------------------- */

static gboolean machine_retry(gpointer opaque)
{
        LodgerMachine *machine = opaque;

        machine->retry = 0;
        machine_try(machine);
        return G_SOURCE_REMOVE;
}

/* Nobody is there, or not yet: a child of ours may still be starting. */
static void machine_try_later(LodgerMachine *machine, gboolean nobody)
{
        machine_disconnect(machine);
        if (!machine->child && (nobody || ++machine->tries > TRIES_MAX)) {
                if (nobody)
                        machine_end(machine);
                else
                        machine_set_state(machine, LODGER_MACHINE_SILENT);
                return;
        }
        machine_set_state(machine, LODGER_MACHINE_CONNECTING);
        machine->retry = g_timeout_add(RETRY_MS, machine_retry, machine);
}

static void machine_closed(GDBusConnection *connection, gboolean remote, GError *error, gpointer machine)
{
        (void)connection;
        (void)remote;
        (void)error;
        machine_try_later(machine, FALSE);
}

static void machine_state_told(LodgerMachine *machine)
{
        const char *state = control_machine1_get_state(machine->proxy);

        machine_set_state(machine, g_strcmp0(state, "paused") == 0 ? LODGER_MACHINE_PAUSED : LODGER_MACHINE_RUNNING);
}

static void machine_properties(GDBusProxy *proxy, GVariant *changed, const char *const *invalidated, gpointer machine)
{
        (void)proxy;
        (void)changed;
        (void)invalidated;
        machine_state_told(machine);
        machine_changed(machine);
}

static void machine_damaged(ControlMachine1 *proxy, GVariant *rectangles, gpointer opaque)
{
        LodgerMachine *machine = opaque;
        GVariantIter iter;
        guint x, y, width, height;

        (void)proxy;
        if (!machine->screen)
                return;
        g_variant_iter_init(&iter, rectangles);
        while (g_variant_iter_next(&iter, "(uuuu)", &x, &y, &width, &height)) {
                guint right = (guint)cairo_image_surface_get_width(machine->screen);
                guint bottom = (guint)cairo_image_surface_get_height(machine->screen);

                if (x >= right || y >= bottom || !width || !height)
                        continue;
                cairo_surface_mark_dirty(machine->screen);
                g_signal_emit(machine, machine_signals[MACHINE_DAMAGE], 0, x, y, MIN(width, right - x), MIN(height, bottom - y));
        }
}

static void machine_framebuffer_changed(ControlMachine1 *proxy, gpointer opaque)
{
        LodgerMachine *machine = opaque;

        (void)proxy;
        if (machine->watchers)
                machine_fetch_screen(machine, TRUE);
}

/* On GDBus's thread.  A machine that floods us would fill our memory, since messages wait for the main loop. */
static GDBusMessage *machine_filter(GDBusConnection *connection, GDBusMessage *message, gboolean incoming, gpointer opaque)
{
        LodgerMachine *machine = opaque;
        gint second = (gint)(g_get_monotonic_time() / G_USEC_PER_SEC);

        if (!incoming)
                return message;
        if (g_atomic_int_get(&machine->flood_second) != second) {
                g_atomic_int_set(&machine->flood_second, second);
                g_atomic_int_set(&machine->flood, 0);
        }
        if (g_atomic_int_add(&machine->flood, 1) < MESSAGES_PER_SECOND)
                return message;
        if (g_atomic_int_get(&machine->flood) == MESSAGES_PER_SECOND + 1)
                g_dbus_connection_close(connection, NULL, NULL, NULL);
        g_object_unref(message);
        return NULL;
}

static void machine_connected(GObject *source, GAsyncResult *result, gpointer opaque)
{
        ControlMachine1 *proxy = control_machine1_proxy_new_finish(result, NULL);
        LodgerMachine *machine = opaque;

        (void)source;
        if (!proxy) {
                if (machine->cancellable && !g_cancellable_is_cancelled(machine->cancellable))
                        machine_try_later(machine, FALSE);
                g_object_unref(machine);
                return;
        }
        if (!machine->cancellable) {            /* given up meanwhile */
                g_object_unref(proxy);
                g_object_unref(machine);
                return;
        }
        machine->proxy = proxy;
        machine->tries = 0;
        g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(proxy), CONNECT_SECONDS * 1000);
        g_signal_connect(g_dbus_proxy_get_connection(G_DBUS_PROXY(proxy)), "closed", G_CALLBACK(machine_closed), machine);
        g_signal_connect(proxy, "g-properties-changed", G_CALLBACK(machine_properties), machine);
        g_signal_connect(proxy, "damage", G_CALLBACK(machine_damaged), machine);
        g_signal_connect(proxy, "framebuffer-changed", G_CALLBACK(machine_framebuffer_changed), machine);
        machine->poll = g_timeout_add_seconds(POLL_SECONDS, machine_poll, machine);
        machine_state_told(machine);
        machine_poll(machine);
        machine_changed(machine);
        if (machine->watchers)
                machine_fetch_screen(machine, TRUE);
        g_object_unref(machine);
}

static void machine_authenticated(GObject *source, GAsyncResult *result, gpointer opaque)
{
        GDBusConnection *connection = g_dbus_connection_new_finish(result, NULL);
        LodgerMachine *machine = opaque;

        (void)source;
        if (!connection || !machine->cancellable) {
                if (machine->cancellable && !g_cancellable_is_cancelled(machine->cancellable))
                        machine_try_later(machine, FALSE);
                g_clear_object(&connection);
                g_object_unref(machine);
                return;
        }
        g_dbus_connection_set_exit_on_close(connection, FALSE);
        g_socket_set_timeout(g_socket_connection_get_socket(G_SOCKET_CONNECTION(g_dbus_connection_get_stream(connection))), 0);
        g_dbus_connection_add_filter(connection, machine_filter, g_object_ref(machine), g_object_unref);
        control_machine1_proxy_new(connection, G_DBUS_PROXY_FLAGS_NONE, NULL, OBJECT_PATH, machine->cancellable, machine_connected,
                                   machine);
        g_object_unref(connection);
}

/* On a thread of its own: connect() waits while the machine is busy. */
static void machine_reach(GTask *task, gpointer source, gpointer opaque, GCancellable *cancellable)
{
        GError *error = NULL;
        const char *name = opaque;
        char *path = place_of(name, &error);
        GSocket *socket = NULL;

        (void)source;
        (void)cancellable;
        if (path && (access(path, F_OK) < 0 || place_clean(path)))
                g_set_error(&error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "nobody listens");
        else if (path)
                socket = place_connect(path, CONNECT_SECONDS, &error);
        g_free(path);
        if (socket)
                g_task_return_pointer(task, socket, g_object_unref);
        else
                g_task_return_error(task, error);
}

static void machine_reached(GObject *source, GAsyncResult *result, gpointer opaque)
{
        LodgerMachine *machine = LODGER_MACHINE(source);
        GError *error = NULL;
        GSocket *socket = g_task_propagate_pointer(G_TASK(result), &error);
        GCancellable *cancellable = opaque;
        GCredentials *credentials;
        GSocketConnection *stream;

        if (g_cancellable_is_cancelled(cancellable) || !machine->cancellable) {
                g_clear_object(&socket);
        } else if (!socket) {
                machine_try_later(machine, g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
        } else {
                credentials = g_socket_get_credentials(socket, NULL);
                machine->pid = credentials ? MAX(g_credentials_get_unix_pid(credentials, NULL), 0) : 0;
                g_clear_object(&credentials);
                if (machine->pidfd >= 0)
                        close(machine->pidfd);
                machine->pidfd = machine->pid ? (int)syscall(SYS_pidfd_open, machine->pid, 0) : -1;
                stream = g_socket_connection_factory_create_connection(socket);
                g_dbus_connection_new(G_IO_STREAM(stream), NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL,
                                      machine->cancellable, machine_authenticated, g_object_ref(machine));
                g_object_unref(stream);
                g_object_unref(socket);
        }
        g_clear_error(&error);
        g_object_unref(cancellable);
}

static void machine_try(LodgerMachine *machine)
{
        GTask *task;

        machine_disconnect(machine);
        machine->cancellable = g_cancellable_new();
        task = g_task_new(machine, NULL, machine_reached, g_object_ref(machine->cancellable));
        g_task_set_task_data(task, g_strdup(machine->name), g_free);
        g_task_run_in_thread(task, machine_reach);
        g_object_unref(task);
}

void lodger_machine_connect(LodgerMachine *machine)
{
        (void)CONTROL_ERROR;            /* registers the errors' names before one can arrive */
        if (lodger_machine_is_alive(machine) || machine->cancellable || machine->retry)
                return;
        g_clear_pointer(&machine->end, g_free);
        machine->tries = 0;
        machine->forced = FALSE;
        machine_set_state(machine, LODGER_MACHINE_CONNECTING);
        machine_try(machine);
}

/* -- A process of ours ---------------------------------------------------------------------------- */

static void machine_child_ended(GPid pid, int status, gpointer opaque)
{
        LodgerMachine *machine = opaque;

        machine->child = 0;
        machine->child_watch = 0;
        g_spawn_close_pid(pid);
        if (machine->running_log && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                g_free(machine->log);
                machine->log = g_steal_pointer(&machine->running_log);
                return;                 /* it runs, in a process that is not ours */
        }
        machine_explain(machine, status);
        machine_end(machine);
}

void lodger_machine_set_child(LodgerMachine *machine, GPid child, const char *log)
{
        g_free(machine->log);
        machine->log = g_strdup(log);
        g_clear_pointer(&machine->running_log, g_free);
        g_clear_handle_id(&machine->child_watch, g_source_remove);
        machine->child = child;
        machine->child_watch = g_child_watch_add(child, machine_child_ended, machine);
}

void lodger_machine_set_starter(LodgerMachine *machine, GPid child, const char *log, const char *running)
{
        lodger_machine_set_child(machine, child, log);
        machine->running_log = g_strdup(running);
}

void lodger_machine_set_defined(LodgerMachine *machine, gboolean defined)
{
        if (machine->defined == defined)
                return;
        machine->defined = defined;
        machine_changed(machine);
}

gboolean lodger_machine_is_defined(LodgerMachine *machine) { return machine->defined; }

void lodger_machine_set_command(LodgerMachine *machine, const char *const *command)
{
        char **copy = g_strdupv((char **)command);

        g_strfreev(machine->command);
        machine->command = copy;
}

const char *const *lodger_machine_get_command(LodgerMachine *machine) { return (const char *const *)machine->command; }

/* -- What it is ---------------------------------------------------------------------------------- */

const char *lodger_machine_get_name(LodgerMachine *machine) { return machine->name; }
LodgerMachineState lodger_machine_get_state(LodgerMachine *machine) { return machine->state; }

const char *lodger_machine_describe_state(LodgerMachine *machine)
{
        switch (machine->state) {
        case LODGER_MACHINE_OFF:
                return _("Off");
        case LODGER_MACHINE_CONNECTING:
                return _("Starting");
        case LODGER_MACHINE_RUNNING:
                return _("Running");
        case LODGER_MACHINE_PAUSED:
                return _("Paused");
        case LODGER_MACHINE_SILENT:
                return _("Not responding");
        case LODGER_MACHINE_ENDED:
                return machine->defined ? _("Off") : _("Ended");
        }
        g_assert_not_reached();
}

gboolean lodger_machine_is_alive(LodgerMachine *machine)
{
        return machine->state == LODGER_MACHINE_RUNNING || machine->state == LODGER_MACHINE_PAUSED ||
               machine->state == LODGER_MACHINE_SILENT;
}

const char *lodger_machine_get_engine(LodgerMachine *machine)
{
        const char *engine = machine->proxy ? control_machine1_get_engine(machine->proxy) : NULL;

        return engine ? engine : "";
}

guint64 lodger_machine_get_memory(LodgerMachine *machine)
{
        return machine->proxy ? control_machine1_get_memory(machine->proxy) : 0;
}

guint lodger_machine_get_cpus(LodgerMachine *machine) { return machine->proxy ? control_machine1_get_cpus(machine->proxy) : 0; }
gboolean lodger_machine_takes_places(LodgerMachine *machine)
{
        return machine->proxy && control_machine1_get_takes_places(machine->proxy);
}

guint64 lodger_machine_get_uptime(LodgerMachine *machine) { return machine->uptime; }
guint lodger_machine_get_load(LodgerMachine *machine) { return machine->load; }
guint64 lodger_machine_get_resident(LodgerMachine *machine) { return machine->resident; }
const char *lodger_machine_get_statistics(LodgerMachine *machine) { return machine->statistics; }
const char *lodger_machine_get_log(LodgerMachine *machine) { return machine->log; }

const char *lodger_machine_get_end(LodgerMachine *machine, gboolean *orderly)
{
        *orderly = machine->orderly;
        return machine->end;
}

/* -- Object -------------------------------------------------------------------------------------- */

static void lodger_machine_dispose(GObject *object)
{
        LodgerMachine *machine = LODGER_MACHINE(object);

        machine_disconnect(machine);
        g_clear_handle_id(&machine->child_watch, g_source_remove);
        g_clear_pointer(&machine->screen, cairo_surface_destroy);
        G_OBJECT_CLASS(lodger_machine_parent_class)->dispose(object);
}

static void lodger_machine_finalize(GObject *object)
{
        LodgerMachine *machine = LODGER_MACHINE(object);

        if (machine->pidfd >= 0)
                close(machine->pidfd);
        g_free(machine->name);
        g_strfreev(machine->command);
        g_free(machine->log);
        g_free(machine->running_log);
        g_free(machine->end);
        g_free(machine->statistics);
        G_OBJECT_CLASS(lodger_machine_parent_class)->finalize(object);
}

static void lodger_machine_class_init(LodgerMachineClass *class)
{
        GType type = G_TYPE_FROM_CLASS(class);

        G_OBJECT_CLASS(class)->dispose = lodger_machine_dispose;
        G_OBJECT_CLASS(class)->finalize = lodger_machine_finalize;
        machine_signals[MACHINE_CHANGED] = g_signal_new("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
        machine_signals[MACHINE_SCREEN] = g_signal_new("screen", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
        machine_signals[MACHINE_DAMAGE] = g_signal_new("damage", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 4,
                                                       G_TYPE_UINT, G_TYPE_UINT, G_TYPE_UINT, G_TYPE_UINT);
        machine_signals[MACHINE_FAILED] = g_signal_new("failed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                                       G_TYPE_STRING);
}

static void lodger_machine_init(LodgerMachine *machine)
{
        machine->pidfd = -1;
        g_queue_init(&machine->queue);
}

LodgerMachine *lodger_machine_new(const char *name)
{
        LodgerMachine *machine = g_object_new(LODGER_TYPE_MACHINE, NULL);

        machine->name = g_strdup(name);
        return machine;
}
