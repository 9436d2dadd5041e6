/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot_dialog.h - the tree of a machine's snapshots: take, restore, delete. */
#ifndef LODGER_UI_SNAPSHOT_DIALOG_H
#define LODGER_UI_SNAPSHOT_DIALOG_H

#include <gtk/gtk.h>
#include "ui/machine.h"
#include "ui/tool.h"

void snapshot_dialog_show(GtkWindow *parent, LodgerMachine *machine);

/* `lodger snapshot VERB MACHINE NAME`, answered later, and not at all when owner is gone by then. */
void snapshot_run(GObject *owner, const char *verb, LodgerMachine *machine, const char *name, tool_done done, gpointer opaque);
/* A name for a snapshot taken now; caller frees. */
char *snapshot_name_now(void);

#endif
