/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * advice.c - runs `lodger doctor` and shows what it says.
 *
 * Its last line is the verdict; lines before are findings, each with its remedy.
 */
#include <string.h>

#include "base/i18n.h"
#include "ui/advice.h"
#include "ui/launch.h"

struct request {
        GWeakRef owner;
        advice_callback callback;
        gpointer opaque;
};

static void answered(GObject *source, GAsyncResult *result, gpointer opaque)
{
        struct request *request = opaque;
        GObject *owner = g_weak_ref_get(&request->owner);
        GError *error = NULL;
        char *text = NULL, *last;

        if (!g_subprocess_communicate_utf8_finish(G_SUBPROCESS(source), result, &text, NULL, &error) || !text) {
                g_free(text);
                text = g_strdup(error ? error->message : "");
        }
        if (owner) {
                g_strchomp(text);
                last = strrchr(text, '\n');
                if (last) {
                        *last++ = '\0';
                        g_strchomp(text);
                }
                request->callback(last ? last : text, last ? text : "", g_subprocess_get_if_exited(G_SUBPROCESS(source)) &&
                                  g_subprocess_get_exit_status(G_SUBPROCESS(source)) == 0, request->opaque);
                g_object_unref(owner);
        }
        g_clear_error(&error);
        g_free(text);
        g_weak_ref_clear(&request->owner);
        g_free(request);
}

void advice_ask(GObject *owner, advice_callback callback, gpointer opaque)
{
        GError *error = NULL;
        GSubprocess *process = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error,
                                                launch_program(), "doctor", NULL);
        struct request *request;

        if (!process) {
                callback(error->message, "", FALSE, opaque);
                g_error_free(error);
                return;
        }
        request = g_new0(struct request, 1);
        g_weak_ref_init(&request->owner, owner);
        request->callback = callback;
        request->opaque = opaque;
        g_subprocess_communicate_utf8_async(process, NULL, NULL, answered, request);
        g_object_unref(process);
}

static void show_advice(const char *summary, const char *text, gboolean can_run, gpointer dialog)
{
        g_object_set(dialog, "text", summary, "message-type", can_run ? GTK_MESSAGE_INFO : GTK_MESSAGE_WARNING, NULL);
        gtk_message_dialog_format_secondary_text(dialog, "%s", text);
}

void advice_show(GtkWindow *parent)
{
        GtkWidget *dialog = gtk_message_dialog_new(parent, GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, GTK_MESSAGE_INFO,
                                                   GTK_BUTTONS_CLOSE, "%s", _("Looking at this computer…"));

        gtk_window_set_title(GTK_WINDOW(dialog), _("Check This Computer"));
        g_signal_connect(dialog, "response", G_CALLBACK(gtk_widget_destroy), NULL);
        advice_ask(G_OBJECT(dialog), show_advice, dialog);
        gtk_window_present(GTK_WINDOW(dialog));
}
