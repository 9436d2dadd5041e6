/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tool.c - one subprocess per request; who asked is held weakly, since a window may be closed meanwhile. */
#include <signal.h>
#include <string.h>

#include "ui/launch.h"
#include "ui/tool.h"

struct request {
        GWeakRef owner;
        GSubprocess *bound;             /* ends with its owner; NULL: none does */
        tool_done done;
        gpointer opaque;
};

/* Of the owner of a bound command. */
static void owner_gone(gpointer opaque, GObject *owner)
{
        struct request *request = opaque;

        (void)owner;
        g_subprocess_send_signal(request->bound, SIGTERM);
        request->bound = NULL;
        request->done = NULL;
}

static void answered(GObject *source, GAsyncResult *result, gpointer opaque)
{
        struct request *request = opaque;
        GObject *owner = g_weak_ref_get(&request->owner);
        GSubprocess *process = G_SUBPROCESS(source);
        char *out = NULL, *errors = NULL, *text;
        GError *error = NULL;
        gboolean ok = g_subprocess_communicate_utf8_finish(process, result, &out, &errors, &error) &&
                      g_subprocess_get_if_exited(process) && g_subprocess_get_exit_status(process) == 0;

        if (owner && request->bound)
                g_object_weak_unref(owner, owner_gone, request);
        if (owner && request->done) {
                text = g_strdup(error ? error->message : out ? out : errors ? errors : "");
                request->done(g_strchomp(text), ok, request->opaque);
                g_free(text);
        }
        g_clear_object(&owner);
        g_clear_error(&error);
        g_free(errors);
        g_free(out);
        g_weak_ref_clear(&request->owner);
        g_free(request);
}

void tool_run(GObject *owner, const char *const *arguments, enum tool_output output, tool_done done, gpointer opaque)
{
        GPtrArray *command = g_ptr_array_new();
        GError *error = NULL;
        GSubprocess *process;
        struct request *request;

        g_ptr_array_add(command, (gpointer)launch_program());
        for (; *arguments; arguments++)
                g_ptr_array_add(command, (gpointer)*arguments);
        g_ptr_array_add(command, NULL);
        process = g_subprocess_newv((const char *const *)command->pdata,
                                    output != TOOL_ERRORS ? G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE
                                                       : G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error);
        g_ptr_array_unref(command);
        if (!process) {
                done(error->message, FALSE, opaque);
                g_error_free(error);
                return;
        }
        request = g_new0(struct request, 1);
        g_weak_ref_init(&request->owner, owner);
        request->done = done;
        request->opaque = opaque;
        if (output == TOOL_BOUND) {
                request->bound = process;       /* its call holds it */
                g_object_weak_ref(owner, owner_gone, request);
        }
        g_subprocess_communicate_utf8_async(process, NULL, NULL, answered, request);
        g_object_unref(process);
}

const char *tool_problem(const char *text)
{
        const char *colon = g_str_has_prefix(text, "lodger ") ? strstr(text, ": ") : NULL;

        return colon ? colon + strlen(": ") : text;
}
