/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_display.h - LodgerControlDisplay: a LodgerDisplay over a machine's control interface. */
#ifndef LODGER_UI_CONTROL_DISPLAY_H
#define LODGER_UI_CONTROL_DISPLAY_H

#include "ui/display.h"
#include "ui/machine.h"

#define LODGER_TYPE_CONTROL_DISPLAY lodger_control_display_get_type()
G_DECLARE_FINAL_TYPE(LodgerControlDisplay, lodger_control_display, LODGER, CONTROL_DISPLAY, LodgerDisplay)

GtkWidget *lodger_control_display_new(LodgerMachine *machine);

#endif
