/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.h - LodgerConsole: the window of one machine.
 *
 * It shows the machine while it runs and why it ended; closing it leaves the machine alone.
 */
#ifndef LODGER_UI_CONSOLE_H
#define LODGER_UI_CONSOLE_H

#include "ui/application.h"

#define LODGER_TYPE_CONSOLE lodger_console_get_type()
G_DECLARE_FINAL_TYPE(LodgerConsole, lodger_console, LODGER, CONSOLE, GtkApplicationWindow)

LodgerConsole *lodger_console_new(LodgerApplication *application, LodgerMachine *machine);
LodgerMachine *lodger_console_get_machine(LodgerConsole *console);

#endif
