/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshots.h - the control interface's methods about snapshots. */
#ifndef LODGER_CONTROL_SNAPSHOTS_H
#define LODGER_CONTROL_SNAPSHOTS_H

#include "control/machine1.h"

struct machine;

/* Connects the object's methods; the machine outlives it. */
void snapshots_connect(ControlMachine1 *object, struct machine *machine);

#endif
