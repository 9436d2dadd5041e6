/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manager.h - LodgerManager: the window with all machines, and details of the selected one. */
#ifndef LODGER_UI_MANAGER_H
#define LODGER_UI_MANAGER_H

#include "ui/application.h"

#define LODGER_TYPE_MANAGER lodger_manager_get_type()
G_DECLARE_FINAL_TYPE(LodgerManager, lodger_manager, LODGER, MANAGER, GtkApplicationWindow)

LodgerManager *lodger_manager_new(LodgerApplication *application);

#endif
