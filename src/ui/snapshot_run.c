/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot_run.c - runs `lodger snapshot`, which may take as long as writing a guest's memory takes. */
#include "ui/snapshot_dialog.h"

void snapshot_run(GObject *owner, const char *verb, LodgerMachine *machine, const char *name, tool_done done, gpointer opaque)
{
        const char *arguments[] = { "snapshot", verb, lodger_machine_get_name(machine), name, NULL };

        tool_run(owner, arguments, TOOL_ERRORS, done, opaque);
}

char *snapshot_name_now(void)
{
        GDateTime *now = g_date_time_new_now_local();
        char *name = g_date_time_format(now, "%Y-%m-%d-%H%M%S");

        g_date_time_unref(now);
        return name;
}
