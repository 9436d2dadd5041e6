/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.h - long jobs on a terminal: how far they are, and Ctrl-C that leaves nothing half done. */
#ifndef LODGER_CLI_PROGRESS_H
#define LODGER_CLI_PROGRESS_H

#include "block/tool.h"

/* SIGINT, SIGTERM and SIGHUP cancel from now on; quiet: nothing is shown. */
const struct image_progress *progress_watch(bool quiet);

#endif
