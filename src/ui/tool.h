/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tool.h - runs `lodger` for what the desktop leaves to the command line, without waiting for it. */
#ifndef LODGER_UI_TOOL_H
#define LODGER_UI_TOOL_H

#include <gio/gio.h>

/* What is read of the command's output.  TOOL_BOUND: all, and the command is told to end when its owner does. */
enum tool_output { TOOL_ALL, TOOL_ERRORS, TOOL_BOUND };

/* text: what it said, without the line's end; ok: it ended with status 0. */
typedef void (*tool_done)(char *text, gboolean ok, gpointer opaque);

/* Runs `lodger ARGUMENTS...` (ended by NULL); done is called later, and not at all when owner is gone by then. */
void tool_run(GObject *owner, const char *const *arguments, enum tool_output output, tool_done done, gpointer opaque);
/* A message without the "lodger COMMAND: " it begins with on a terminal. */
const char *tool_problem(const char *text);

#endif
