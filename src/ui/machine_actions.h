/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine_actions.h - what every window that shows a machine can do to it: the actions "pause", "power-button", "reset"
 * and "force-off" of the window.
 */
#ifndef LODGER_UI_MACHINE_ACTIONS_H
#define LODGER_UI_MACHINE_ACTIONS_H

#include <gtk/gtk.h>
#include "ui/machine.h"

/* The machine a window shows now, or NULL. */
typedef LodgerMachine *(*machine_of_window)(GtkWindow *window);

void machine_actions_add(GtkApplicationWindow *window, machine_of_window machine);
/* Whether they can be used, and whether "pause" is on. */
void machine_actions_update(GtkApplicationWindow *window);
GSimpleAction *window_action(gpointer window, const char *name);

/* Asks before something is lost; answer is called when the user agrees.  The machine is held meanwhile: by the time of the
 * answer the window may show another. */
void machine_ask(GtkWindow *window, LodgerMachine *machine, const char *title, const char *text, const char *button,
                 void (*answer)(GtkWindow *window, LodgerMachine *machine));

#endif
