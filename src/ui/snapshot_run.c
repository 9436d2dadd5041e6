/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot_run.c - runs `lodger snapshot`, which may take as long as writing a guest's memory takes. */
#include <string.h>

#include "ui/launch.h"
#include "ui/snapshot_dialog.h"

struct request {
        GWeakRef owner;
        snapshot_done done;
        gpointer opaque;
};

static void answered(GObject *source, GAsyncResult *result, gpointer opaque)
{
        struct request *request = opaque;
        GObject *owner = g_weak_ref_get(&request->owner);
        GSubprocess *process = G_SUBPROCESS(source);
        char *text = NULL, *problem;
        GError *error = NULL;
        gboolean ok = g_subprocess_communicate_utf8_finish(process, result, NULL, &text, &error) && g_subprocess_get_if_exited(process) &&
                      g_subprocess_get_exit_status(process) == 0;

        if (owner) {
                problem = error ? error->message : g_strchomp(text ? text : g_strdup(""));
                if (g_str_has_prefix(problem, "lodger snapshot: "))
                        problem += strlen("lodger snapshot: ");
                request->done(ok ? NULL : problem, request->opaque);
                g_object_unref(owner);
        }
        g_clear_error(&error);
        g_free(text);
        g_weak_ref_clear(&request->owner);
        g_free(request);
}

void snapshot_run(GObject *owner, const char *verb, LodgerMachine *machine, const char *name, snapshot_done done, gpointer opaque)
{
        GError *error = NULL;
        GSubprocess *process = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error, launch_program(),
                                                "snapshot", verb, lodger_machine_get_name(machine), name, NULL);
        struct request *request;

        if (!process) {
                done(error->message, opaque);
                g_error_free(error);
                return;
        }
        request = g_new0(struct request, 1);
        g_weak_ref_init(&request->owner, owner);
        request->done = done;
        request->opaque = opaque;
        g_subprocess_communicate_utf8_async(process, NULL, NULL, answered, request);
        g_object_unref(process);
}

char *snapshot_name_now(void)
{
        GDateTime *now = g_date_time_new_now_local();
        char *name = g_date_time_format(now, "%Y-%m-%d-%H%M%S");

        g_date_time_unref(now);
        return name;
}
