/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings_dialog.h - the definition of a named machine, built from the table of options (library/option_table.h). */
#ifndef LODGER_UI_SETTINGS_DIALOG_H
#define LODGER_UI_SETTINGS_DIALOG_H

#include <gtk/gtk.h>
#include "ui/machine.h"

void settings_dialog_show(GtkWindow *parent, LodgerMachine *machine);

#endif
