/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * assistant.h - makes a new machine: pick a file, look at what is suggested, start.
 */
#ifndef LODGER_UI_ASSISTANT_H
#define LODGER_UI_ASSISTANT_H

#include "ui/application.h"

/* path: filled in; NULL: to be picked. */
void assistant_show(LodgerApplication *application, GtkWindow *parent, const char *path);

#endif
