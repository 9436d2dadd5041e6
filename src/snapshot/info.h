/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * info.h - what a snapshot says of itself: the INFO section.
 */
#ifndef LODGER_SNAPSHOT_INFO_H
#define LODGER_SNAPSHOT_INFO_H

#include "snapshot/format.h"

struct snapshot_info {
        char *name;                     /* as the user called it; may be empty */
        char *description;
        char *machine;                  /* the machine's name */
        char *version;                  /* of the Lodger that wrote it */
        char *engine;                   /* that ran the guest; any other may go on */
        char *cpu_model;
        /* Its ancestors' ids in hexadecimal, nearest first, separated by spaces: deleting one leaves the tree whole. */
        char *ancestors;
        /* What has the pages that this file does not: SNAPSHOT_BASE_MEMORY, or the id of another snapshot.  Empty: it has all. */
        char *base;
        char *disks;                    /* which layer of which disk belongs to it: a line each */
        uint64_t created_us;            /* host's wall clock, of the epoch */
        uint64_t virtual_ns;            /* the guest's time */
        uint64_t memory_bytes;          /* guest RAM */
        uint64_t file_bytes;            /* RAM and what follows it: ROMs, video memory */
        uint64_t cpus;
        uint64_t tsc_hz;
};

/* A memory that is handed over along with it (fork). */
#define SNAPSHOT_BASE_MEMORY "memory"

void snapshot_info_clear(struct snapshot_info *info);
GByteArray *snapshot_info_encode(const struct snapshot_info *info);
/* Unknown records are passed over; a known one of another type or a missing one is damage. */
bool snapshot_info_decode(struct snapshot_info *info, const uint8_t *bytes, size_t size, GError **error);

#endif
