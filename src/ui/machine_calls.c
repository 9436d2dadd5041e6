/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine_calls.c - LodgerMachine: what is asked of a machine, its screen, and measuring it.
 *
 * Calls go out in order, CALLS_MAX at a time.  The mouse moves faster than a machine may answer: movement is summed up
 * until the call before is answered.
 */
#include <gio/gunixfdlist.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/i18n.h"
#include "ui/framebuffer.h"
#include "ui/machine_private.h"

enum { KILL_SECONDS = 3, POLLS_MAX = 3 };

struct call {
        const char *method;
        GVariant *arguments;
};

/* -- The queue ------------------------------------------------------------------------------------ */

static void calls_send(LodgerMachine *machine);

static void call_free(void *opaque)
{
        struct call *call = opaque;

        g_variant_unref(call->arguments);
        g_free(call);
}

static void call_answered(GObject *source, GAsyncResult *result, gpointer opaque)
{
        LodgerMachine *machine = opaque;
        GError *error = NULL;
        GVariant *answer = g_dbus_proxy_call_finish(G_DBUS_PROXY(source), result, &error);

        if (G_DBUS_PROXY(source) == G_DBUS_PROXY(machine->proxy)) {
                machine->unanswered--;
                /* A connection that is lost is reported by the state, not by each call. */
                if (error && !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) &&
                    !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CLOSED) && !machine->forced)
                        machine_failed(machine, error);
                calls_send(machine);
        }
        g_clear_pointer(&answer, g_variant_unref);
        g_clear_error(&error);
        g_object_unref(machine);
}

static void call_send(LodgerMachine *machine, const char *method, GVariant *arguments)
{
        machine->unanswered++;
        g_dbus_proxy_call(G_DBUS_PROXY(machine->proxy), method, arguments, G_DBUS_CALL_FLAGS_NONE, -1, machine->cancellable,
                          call_answered, g_object_ref(machine));
}

static void calls_send(LodgerMachine *machine)
{
        struct call *call;

        while (machine->proxy && machine->unanswered < CALLS_MAX && (call = g_queue_pop_head(&machine->queue))) {
                call_send(machine, call->method, call->arguments);
                call_free(call);
        }
}

void machine_call(LodgerMachine *machine, const char *method, GVariant *arguments)
{
        struct call *call;

        g_variant_ref_sink(arguments);
        if (!machine->proxy || machine->queue.length >= CALLS_QUEUED_MAX) {
                g_variant_unref(arguments);
                return;
        }
        call = g_new(struct call, 1);
        *call = (struct call){ method, arguments };
        g_queue_push_tail(&machine->queue, call);
        calls_send(machine);
}

void machine_calls_drop(LodgerMachine *machine)
{
        g_queue_clear_full(&machine->queue, call_free);
        machine->unanswered = 0;
        machine->moving = machine->placing = FALSE;
        machine->right = machine->down = machine->wheel = 0;
}

/* -- Commands -------------------------------------------------------------------------------------- */

void lodger_machine_pause(LodgerMachine *machine, gboolean pause)
{
        machine_call(machine, pause ? "Pause" : "Resume", g_variant_new("()"));
}

void lodger_machine_reset(LodgerMachine *machine) { machine_call(machine, "Reset", g_variant_new("()")); }

/* One whose process hangs does not end when told to. */
static gboolean machine_kill(gpointer opaque)
{
        LodgerMachine *machine = opaque;

        if (machine->forced && machine->pidfd >= 0)
                syscall(SYS_pidfd_send_signal, machine->pidfd, SIGKILL, NULL, 0);
        return G_SOURCE_REMOVE;
}

void lodger_machine_stop(LodgerMachine *machine, gboolean force)
{
        if (force) {
                machine->forced = TRUE;
                g_timeout_add_seconds_full(G_PRIORITY_DEFAULT, KILL_SECONDS, machine_kill, g_object_ref(machine), g_object_unref);
        }
        machine_call(machine, "Stop", g_variant_new("(b)", force));
}

void lodger_machine_set_key(LodgerMachine *machine, const char *key, gboolean down)
{
        machine_call(machine, "SetKey", g_variant_new("(sb)", key, down));
}

void lodger_machine_press_chord(LodgerMachine *machine, const char *chord)
{
        const char *chords[] = { chord, NULL };

        machine_call(machine, "Key", g_variant_new("(^as)", chords));
}

void lodger_machine_type(LodgerMachine *machine, const char *text) { machine_call(machine, "Type", g_variant_new("(s)", text)); }

void lodger_machine_insert(LodgerMachine *machine, const char *drive, const char *path)
{
        machine_call(machine, "Insert", g_variant_new("(s^ayb)", drive, path, FALSE));
}

void lodger_machine_eject(LodgerMachine *machine, const char *drive, gboolean force)
{
        machine_call(machine, "Eject", g_variant_new("(sb)", drive, force));
}

/* -- The mouse ------------------------------------------------------------------------------------- */

static void mouse_send(LodgerMachine *machine);

static void mouse_answered(GObject *source, GAsyncResult *result, gpointer opaque)
{
        GVariant *answer = g_dbus_proxy_call_finish(G_DBUS_PROXY(source), result, NULL);
        LodgerMachine *machine = opaque;

        if (G_DBUS_PROXY(source) == G_DBUS_PROXY(machine->proxy)) {
                machine->moving = FALSE;
                if (answer)
                        mouse_send(machine);
        }
        g_clear_pointer(&answer, g_variant_unref);
        g_object_unref(machine);
}

/* What the place that waits is called with. */
static GVariant *take_place(LodgerMachine *machine)
{
        machine->placing = FALSE;
        return g_variant_new("(uu)", machine->place_x, machine->place_y);
}

/* One call at a time; what comes meanwhile is summed up, of places the last one counts. */
static void mouse_send(LodgerMachine *machine)
{
        GVariant *arguments;
        const char *method;

        if (!machine->proxy || machine->moving)
                return;
        if (machine->placing) {
                method = "PlaceMouse";
                arguments = take_place(machine);
        } else if (machine->right || machine->down || machine->wheel) {
                method = "MoveMouse";
                arguments = g_variant_new("(iii)", machine->right, machine->down, machine->wheel);
                machine->right = machine->down = machine->wheel = 0;
        } else {
                return;
        }
        machine->moving = TRUE;
        g_dbus_proxy_call(G_DBUS_PROXY(machine->proxy), method, arguments, G_DBUS_CALL_FLAGS_NONE, -1, machine->cancellable,
                          mouse_answered, g_object_ref(machine));
}

void lodger_machine_move_mouse(LodgerMachine *machine, int right, int down, int wheel)
{
        if (!machine->proxy)
                return;
        machine->right += right;
        machine->down += down;
        machine->wheel += wheel;
        mouse_send(machine);
}

void lodger_machine_place_pointer(LodgerMachine *machine, guint x, guint y)
{
        machine->place_x = x;
        machine->place_y = y;
        machine->placing = TRUE;
        mouse_send(machine);
}

void lodger_machine_set_buttons(LodgerMachine *machine, guint buttons)
{
        /* A click is where the pointer is now. */
        if (machine->placing)
                machine_call(machine, "PlaceMouse", take_place(machine));
        machine_call(machine, "SetMouseButtons", g_variant_new("(u)", buttons));
}

/* -- The screen ------------------------------------------------------------------------------------ */

/* Takes what an answer of WatchFramebuffer or Screenshot holds; descriptors are checked before use. */
static gboolean screen_take(LodgerMachine *machine, GVariant *answer, GUnixFDList *list, GError **error)
{
        gint handle;
        guint width, height, stride;
        cairo_surface_t *screen;
        int fd;

        g_variant_get(answer, "(huuu)", &handle, &width, &height, &stride);
        fd = list && handle >= 0 && handle < g_unix_fd_list_get_length(list) ? g_unix_fd_list_get(list, handle, error) : -1;
        if (fd < 0) {
                if (!*error)
                        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("the machine sent no picture: %s"),
                                    _("no file descriptor"));
                return FALSE;
        }
        screen = framebuffer_map(fd, width, height, stride, error);
        close(fd);
        if (!screen)
                return FALSE;
        g_clear_pointer(&machine->screen, cairo_surface_destroy);
        machine->screen = screen;
        return TRUE;
}

static void screen_fetched(GObject *source, GAsyncResult *result, gpointer opaque)
{
        LodgerMachine *machine = opaque;
        GUnixFDList *list = NULL;
        GError *error = NULL;
        GVariant *answer = g_dbus_proxy_call_with_unix_fd_list_finish(G_DBUS_PROXY(source), &list, result, &error);

        if (G_DBUS_PROXY(source) == G_DBUS_PROXY(machine->proxy)) {
                machine->screen_asked = FALSE;
                if (answer && screen_take(machine, answer, list, &error))
                        g_signal_emit(machine, machine_signals[MACHINE_SCREEN], 0);
                else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
                        machine_failed(machine, error);
                if (machine->screen_again && machine->watchers)
                        machine_fetch_screen(machine, TRUE);
        }
        g_clear_pointer(&answer, g_variant_unref);
        g_clear_object(&list);
        g_clear_error(&error);
        g_object_unref(machine);
}

void machine_fetch_screen(LodgerMachine *machine, gboolean watch)
{
        if (!machine->proxy)
                return;
        if (machine->screen_asked) {
                machine->screen_again |= watch;
                return;
        }
        machine->screen_asked = TRUE;
        machine->screen_again = FALSE;
        g_dbus_proxy_call_with_unix_fd_list(G_DBUS_PROXY(machine->proxy), watch ? "WatchFramebuffer" : "Screenshot", NULL,
                                            G_DBUS_CALL_FLAGS_NONE, -1, NULL, machine->cancellable, screen_fetched,
                                            g_object_ref(machine));
}

cairo_surface_t *lodger_machine_get_screen(LodgerMachine *machine) { return machine->screen; }

void lodger_machine_take_picture(LodgerMachine *machine)
{
        if (!machine->watchers)
                machine_fetch_screen(machine, FALSE);
}

void lodger_machine_watch(LodgerMachine *machine)
{
        if (!machine->watchers++)
                machine_fetch_screen(machine, TRUE);
}

void lodger_machine_unwatch(LodgerMachine *machine)
{
        if (!--machine->watchers)
                machine_call(machine, "UnwatchFramebuffer", g_variant_new("()"));
}

/* -- Measuring ------------------------------------------------------------------------------------- */

/* From /proc/PID/stat (proc(5)): fields 14 and 15, user and system time in clock ticks; 24, resident pages. */
static void machine_measure(LodgerMachine *machine)
{
        char *path = g_strdup_printf("/proc/%d/stat", (int)machine->pid), *text = NULL, *fields;
        unsigned long long user, system, resident;
        gint64 now = g_get_monotonic_time();

        /* The second field, the name in parentheses, may hold anything. */
        if (machine->pid && g_file_get_contents(path, &text, NULL, NULL) && (fields = strrchr(text, ')')) &&
            sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %*u %*u %llu", &user,
                   &system, &resident) == 3) {
                guint64 ticks = user + system;
                gint64 elapsed = now - machine->measured_us;

                if (machine->measured_us && elapsed > 0 && ticks >= machine->cpu_ticks)
                        machine->load = (guint)((ticks - machine->cpu_ticks) * 100 * G_USEC_PER_SEC / (guint64)sysconf(_SC_CLK_TCK) /
                                                (guint64)elapsed);
                machine->cpu_ticks = ticks;
                machine->measured_us = now;
                machine->resident = resident * (guint64)sysconf(_SC_PAGESIZE);
        }
        g_free(text);
        g_free(path);
}

static void uptime_answered(GObject *source, GAsyncResult *result, gpointer opaque)
{
        LodgerMachine *machine = opaque;
        GError *error = NULL;

        if (control_machine1_call_get_uptime_finish(CONTROL_MACHINE1(source), &machine->uptime, result, &error) &&
            CONTROL_MACHINE1(source) == machine->proxy) {
                machine->unanswered_polls = 0;
                if (machine->state == LODGER_MACHINE_SILENT)
                        machine_set_state(machine, g_strcmp0(control_machine1_get_state(machine->proxy), "paused")
                                                           ? LODGER_MACHINE_RUNNING : LODGER_MACHINE_PAUSED);
                machine_changed(machine);
        }
        g_clear_error(&error);
        g_object_unref(machine);
}

static void statistics_answered(GObject *source, GAsyncResult *result, gpointer opaque)
{
        LodgerMachine *machine = opaque;
        char *text = NULL;

        if (control_machine1_call_stats_finish(CONTROL_MACHINE1(source), &text, result, NULL)) {
                g_free(machine->statistics);
                machine->statistics = text;
                machine_changed(machine);
        }
        g_object_unref(machine);
}

gboolean machine_poll(gpointer opaque)
{
        LodgerMachine *machine = opaque;

        machine_measure(machine);
        if (machine->unanswered_polls >= POLLS_MAX)
                machine_set_state(machine, LODGER_MACHINE_SILENT);
        machine->unanswered_polls++;
        control_machine1_call_get_uptime(machine->proxy, machine->cancellable, uptime_answered, g_object_ref(machine));
        if (machine->watchers)
                control_machine1_call_stats(machine->proxy, machine->cancellable, statistics_answered, g_object_ref(machine));
        return G_SOURCE_CONTINUE;
}
