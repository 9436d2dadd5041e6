/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint_disks.h - what belongs to a snapshot on the machine's disks.
 *
 * id: the snapshot's, in hexadecimal.  All but checkpoint_disks_name() and checkpoint_disks_is_stale(): main-loop thread, machine lock held,
 * vCPUs stopped, disks drained.
 */
#ifndef LODGER_MACHINE_CHECKPOINT_DISKS_H
#define LODGER_MACHINE_CHECKPOINT_DISKS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Where disks go on whose images hold no snapshots: in new qcow2 images on top of them. */
struct checkpoint_overlays {
        char *folder;                   /* NULL: nowhere, such a disk is refused */
        bool (*moves)(void *opaque, const char *from, const char *to, GError **error);
        void *opaque;
};

/* What the content of an instant is called within an image; caller frees. */
char *checkpoint_disks_name(const char *id);
/* Keeps the disks' content of this instant; the names of images, a line each, for INFO.  stays: nothing will write
 * to them before the machine goes on.  NULL with error set, and nothing kept: an image that cannot. */
char *checkpoint_disks_note(const char *id, bool stays, int64_t now_ns, const struct checkpoint_overlays *overlays, GError **error);
void checkpoint_disks_drop(const char *id);
/* lines: as they were noted.  Whether disks can go back, and going back. */
bool checkpoint_disks_check(const char *id, const char *lines, bool started, GError **error);
bool checkpoint_disks_apply(const char *id, const char *lines, GError **error);
/* Drops what belongs to snapshots that are not among ids (NULL-terminated). */
void checkpoint_disks_keep(const char *const *ids);
/* Whether a snapshot of that name within an image is one of those. */
bool checkpoint_disks_is_stale(const char *name, const char *const *keep);

#endif
