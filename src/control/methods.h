/* SPDX-License-Identifier: GPL-2.0-or-later */
/* methods.h - the methods and properties of the control interface, carried out on a machine. */
#ifndef LODGER_CONTROL_METHODS_H
#define LODGER_CONTROL_METHODS_H

#include "control/machine1.h"

struct machine;

/* The object that answers for the machine; connections export it. */
ControlMachine1 *control_methods_new(struct machine *machine);

#endif
