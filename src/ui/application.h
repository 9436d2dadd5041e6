/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * application.h - LodgerApplication: the one instance per session, its actions and command line.
 */
#ifndef LODGER_UI_APPLICATION_H
#define LODGER_UI_APPLICATION_H

#include <gtk/gtk.h>
#include "ui/machine_list.h"

#define LODGER_TYPE_APPLICATION lodger_application_get_type()
G_DECLARE_FINAL_TYPE(LodgerApplication, lodger_application, LODGER, APPLICATION, GtkApplication)

#define LODGER_APPLICATION_ID "org.lodger.Lodger"
#define LODGER_RESOURCES "/org/lodger/Lodger/"

LodgerApplication *lodger_application_new(void);
LodgerMachineList *lodger_application_get_machines(LodgerApplication *application);
/* Shows a machine's console, a window of its own. */
void lodger_application_show_console(LodgerApplication *application, LodgerMachine *machine);
/* Starts a machine (its command, or its definition) and shows it; parent: of the message when it cannot. */
void lodger_application_start(LodgerApplication *application, LodgerMachine *machine, GtkWindow *parent);
/* A modal message. */
void lodger_application_complain(GtkWindow *parent, const char *title, const char *text);

#endif
