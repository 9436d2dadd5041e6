/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine_list.h - LodgerMachineList: the machines there are, as a GListModel of LodgerMachine.
 *
 * Running machines are found by their sockets, whoever started them, others by their definitions; two managers so see
 * the same.
 */
#ifndef LODGER_UI_MACHINE_LIST_H
#define LODGER_UI_MACHINE_LIST_H

#include "ui/machine.h"

#define LODGER_TYPE_MACHINE_LIST lodger_machine_list_get_type()
G_DECLARE_FINAL_TYPE(LodgerMachineList, lodger_machine_list, LODGER, MACHINE_LIST, GObject)

LodgerMachineList *lodger_machine_list_new(void);
/* NULL: none of that name. */
LodgerMachine *lodger_machine_list_find(LodgerMachineList *list, const char *name);
/* Adds one, in place of an ended one of the same name. */
void lodger_machine_list_add(LodgerMachineList *list, LodgerMachine *machine);
void lodger_machine_list_remove(LodgerMachineList *list, LodgerMachine *machine);
/* Looks at the folder now. */
void lodger_machine_list_scan(LodgerMachineList *list);

#endif
