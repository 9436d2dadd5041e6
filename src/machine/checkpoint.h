/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint.h - a machine's whole state into a snapshot, and back; and into a second machine.
 *
 * Called on the main-loop thread without the machine lock held.
 */
#ifndef LODGER_MACHINE_CHECKPOINT_H
#define LODGER_MACHINE_CHECKPOINT_H

#include "machine/machine.h"
#include "snapshot/format.h"

struct checkpoint_options {
        const char *name, *description; /* NULL: empty */
        const char *ancestors;          /* ids in hexadecimal, nearest first, separated by spaces */
        enum snapshot_encoding encoding;
        bool stay_stopped;              /* the guest does not run on: suspend */
};

struct checkpoint_result {
        char id[2 * SNAPSHOT_ID_BYTES + 1];
        int64_t stopped_us, total_us;   /* how long the guest stood still; until the file was durable */
        uint64_t bytes;                 /* of the file */
        uint64_t pages_zero, pages_same, pages_stored, pages_aside;
};

/* On the main loop, when the file has its name (error NULL) or has been thrown away. */
typedef void checkpoint_done(void *opaque, const struct checkpoint_result *result, const GError *error);

/* Takes the machine's state as of this instant; memory is written while the guest runs on.  done is called
 * unless this fails.  One at a time. */
bool machine_checkpoint(struct machine *machine, const char *path, const struct checkpoint_options *options,
                        checkpoint_done *done, void *opaque, GError **error);
/* Drops what belongs to snapshots other than ids (hexadecimal, NULL-terminated) on the machine's disks. */
bool machine_keep_disk_snapshots(struct machine *machine, const char *const *ids, GError **error);
bool machine_checkpoint_running(const struct machine *machine);
/* Puts the machine, whether it runs or has not been started yet, into the state of a snapshot.  False: it
 * stays as it is. */
bool machine_restore(struct machine *machine, const char *path, GError **error);

/* -- Forks ------------------------------------------------------------------------------------------ */

/* The machine's present instant for a second one, which has its memory and disks in common with it until one of them writes. */
struct machine_fork {
        char id[2 * SNAPSHOT_ID_BYTES + 1];     /* images keep their content of this instant under "lodger-ID" */
        int state_fd, memory_fd;        /* a snapshot without the pages that the memory has; the memory */
        GPtrArray *disks;               /* of char *: the paths of those images, absolute */
        int64_t stopped_us;             /* how long the guest stood still */
};

bool machine_fork(struct machine *machine, struct machine_fork *fork, GError **error);
void machine_fork_clear(struct machine_fork *fork);
/* A machine that has not run goes on from there. */
bool machine_restore_fork(struct machine *machine, int state_fd, int memory_fd, GError **error);

#endif
