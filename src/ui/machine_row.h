/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_row.h - LodgerMachineRow: a machine in the manager's list. */
#ifndef LODGER_UI_MACHINE_ROW_H
#define LODGER_UI_MACHINE_ROW_H

#include <gtk/gtk.h>
#include "ui/machine.h"

#define LODGER_TYPE_MACHINE_ROW lodger_machine_row_get_type()
G_DECLARE_FINAL_TYPE(LodgerMachineRow, lodger_machine_row, LODGER, MACHINE_ROW, GtkListBoxRow)

GtkWidget *lodger_machine_row_new(LodgerMachine *machine);
LodgerMachine *lodger_machine_row_get_machine(LodgerMachineRow *row);

#endif
