/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relocate.h - files of a defined machine that are not where its definition says: which, and giving their new place. */
#ifndef LODGER_UI_RELOCATE_H
#define LODGER_UI_RELOCATE_H

#include "ui/machine.h"

/* The path of the first one; NULL: none, or there is no definition.  Caller frees. */
char *relocate_missing(LodgerMachine *machine);
/* Writes the place of the first one that is missing into the definition. */
gboolean relocate(LodgerMachine *machine, const char *path, GError **error);

#endif
