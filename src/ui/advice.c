/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * advice.c - runs `lodger doctor` and shows what it says.
 *
 * Its last line is the verdict; lines before are findings, each with its remedy.
 */
#include <string.h>

#include "base/i18n.h"
#include "ui/advice.h"
#include "ui/tool.h"

struct question {
        advice_callback callback;
        gpointer opaque;
};

static void doctor_done(char *text, gboolean ok, gpointer opaque)
{
        struct question *question = opaque;
        char *last = strrchr(text, '\n');

        if (last) {
                *last++ = '\0';
                g_strchomp(text);
        }
        question->callback(last ? last : text, last ? text : "", ok, question->opaque);
}

void advice_ask(GObject *owner, advice_callback callback, gpointer opaque)
{
        static const char *const arguments[] = { "doctor", NULL };
        struct question *question = g_new(struct question, 1);

        *question = (struct question){ callback, opaque };
        g_object_set_data_full(owner, "advice", question, g_free);      /* as long as an answer can come */
        tool_run(owner, arguments, TOOL_ALL, doctor_done, question);
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
