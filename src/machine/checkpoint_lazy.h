/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checkpoint_lazy.h - a restored machine runs before its memory is there. */
#ifndef LODGER_MACHINE_CHECKPOINT_LAZY_H
#define LODGER_MACHINE_CHECKPOINT_LAZY_H

#include "snapshot/reader.h"

struct machine;

/* For a machine that has not run, whose RAM is zero.  Takes the reader over when it succeeds.  False with error set:
 * nothing has begun. */
bool machine_lazy_begin(struct machine *machine, struct snapshot_reader *reader, GError **error);

#endif
