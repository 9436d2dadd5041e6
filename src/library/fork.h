/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork.h - a second machine whose disks build upon what another one's keep for an instant. */
#ifndef LODGER_LIBRARY_FORK_H
#define LODGER_LIBRARY_FORK_H

#include "library/library.h"

/* Makes machine `name` as `from` is, with disks of its own in its folder.  id: of the instant; disks: canonical paths of the
 * images that keep their content of then (NULL-terminated), each of which gets an image on top, with an instant of that id
 * too, so that the state goes with them.  What only one machine can have (forwarded ports, sockets, files that are written to)
 * the new one has not.  NULL with error set, and nothing made. */
struct definition *library_fork(const struct definition *from, const char *name, const char *id, const char *const *disks,
                                GError **error);
/* Makes machine new_name, which goes on from a snapshot of machine `name` when it is started, likewise. */
bool library_clone_snapshot(const char *name, const char *new_name, const char *snapshot, GError **error);

#endif
