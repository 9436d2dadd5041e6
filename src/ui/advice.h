/* SPDX-License-Identifier: GPL-2.0-or-later */
/* advice.h - what `lodger doctor` finds, for windows. */
#ifndef LODGER_UI_ADVICE_H
#define LODGER_UI_ADVICE_H

#include <gtk/gtk.h>

/* summary: one sentence, which engine machines would run with; text: all findings. */
typedef void (*advice_callback)(const char *summary, const char *text, gboolean can_run, gpointer opaque);

/* Asks; the answer comes later, and not at all when owner is gone by then. */
void advice_ask(GObject *owner, advice_callback callback, gpointer opaque);
/* A window with all of it. */
void advice_show(GtkWindow *parent);

#endif
