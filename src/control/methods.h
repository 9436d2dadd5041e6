/* SPDX-License-Identifier: GPL-2.0-or-later */
/* methods.h - the methods and properties of the control interface, carried out on a machine. */
#ifndef LODGER_CONTROL_METHODS_H
#define LODGER_CONTROL_METHODS_H

#include "control/machine1.h"

struct machine;
struct methods;

struct methods *methods_new(struct machine *machine);
void methods_free(struct methods *methods);
/* The object that answers for the machine; connections export it. */
ControlMachine1 *methods_object(struct methods *methods);

#endif
