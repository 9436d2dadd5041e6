/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.h - a long job on the command line: how far it is, and Ctrl-C. */
#ifndef LODGER_CLI_PROGRESS_H
#define LODGER_CLI_PROGRESS_H

#include "block/tool.h"

/* From now on SIGINT, SIGTERM and SIGHUP cancel the job that is given what this returns; a percentage is shown on a
 * terminal, unless quiet. */
const struct image_progress *progress_watch(bool quiet);

#endif
