/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timeline.h - the snapshots of a named machine, and from which of them its present state comes.
 *
 * In the machine's folder:
 *
 *      snapshots/NAME.snapshot         one each
 *      suspended.snapshot              the machine's state, while it is suspended; gone once it runs again
 *      timeline                        GKeyFile [timeline]: current, the ids the present state descends from, nearest
 *                                      first; resume, the file from which the next start goes on; needs, ids of
 *                                      instants of another machine, from, that this one's disks build upon
 *
 * Each file replaces its predecessor by renaming, so whenever a process dies, what is there is whole: either
 * the state before the command or the one after it.
 */
#ifndef LODGER_LIBRARY_TIMELINE_H
#define LODGER_LIBRARY_TIMELINE_H

#include <glib.h>
#include <stdbool.h>
#include "snapshot/info.h"

struct timeline_entry {
        char *name, *path;
        char id[2 * SNAPSHOT_ID_BYTES + 1];
        struct snapshot_info info;
        uint64_t bytes;
        bool current;                   /* the present state comes from it */
        char *problem;                  /* why it cannot be read; the rest is empty then.  NULL: nothing */
};

/* Up to 64 letters, digits, '-', '_' and '.', as names of machines. */
bool timeline_check_name(const char *snapshot, GError **error);
/* Where a snapshot lies or would lie; its folder is made.  Caller frees. */
char *timeline_path(const char *machine, const char *snapshot, GError **error);
/* Sorted by date; of struct timeline_entry *, freed with the array. */
GPtrArray *timeline_list(const char *machine);
const struct timeline_entry *timeline_find(const GPtrArray *list, const char *snapshot);
/* The nearest ancestor that still exists; NULL: none. */
const struct timeline_entry *timeline_parent(const GPtrArray *list, const struct timeline_entry *entry);

/* The ids the present state descends from; empty: none.  Caller frees. */
char *timeline_current(const char *machine);
/* A snapshot was taken or restored: the present state comes from it now. */
bool timeline_set_current(const char *machine, const char *id, const char *ancestors, GError **error);
/* This machine's disks build upon what another one's keep for that instant. */
bool timeline_set_needs(const char *machine, const char *other, const char *id, GError **error);
/* A machine whose disks build upon those of `other`; NULL: none.  Caller frees. */
char *timeline_find_needing(const char *other);
/* Adds the ids of all such instants, of all machines, to an array of char * that frees them. */
void timeline_add_needed(GPtrArray *ids);
/* Lets the next start go on from a snapshot. */
bool timeline_set_resume(const char *machine, const struct timeline_entry *entry, GError **error);
/* Deletes a snapshot; those that come after it then follow its own parent.  Not the one the next start needs. */
bool timeline_delete(const char *machine, const char *snapshot, GError **error);

/* The file the next start goes on from; NULL: it starts from power-on.  Caller frees. */
char *timeline_resume_path(const char *machine);
char *timeline_suspend_path(const char *machine);
/* The machine runs: the next start is from power-on again. */
void timeline_resumed(const char *machine);

#endif
