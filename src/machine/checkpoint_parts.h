/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint_parts.h - what a machine's state consists of, and standing still: shared by what takes, restores and forks.
 *
 * Main-loop thread.
 */
#ifndef LODGER_MACHINE_CHECKPOINT_PARTS_H
#define LODGER_MACHINE_CHECKPOINT_PARTS_H

#include "base/state.h"
#include "machine/checkpoint.h"
#include "snapshot/info.h"
#include "snapshot/writer.h"

/* Of a device's state: its DEVI section. */
enum { CHECKPOINT_STATE_VERSION = 1 };

enum part_kind { PART_CPU, PART_DEVICE, PART_BOARD, PART_LAPIC };

/* One thing with a state table. */
struct part {
        char *id;
        const char *class_name;
        enum part_kind kind;
        const struct state_field *fields;
        void *object;
};

/* Of struct part, freed with the array. */
GArray *checkpoint_parts(struct machine *machine);
/* Of GByteArray *, in the same order. */
GPtrArray *checkpoint_parts_save(const GArray *parts);
/* Their DEVI sections. */
bool checkpoint_parts_write(const GArray *parts, const GPtrArray *states, struct snapshot_writer *writer, GError **error);
/* Loads all parts; states are in their order. */
bool checkpoint_parts_load(struct machine *machine, const GArray *parts, GBytes *const *states, GError **error);

struct checkpoint_rest {
        bool was_running;
        const char *full;               /* a disk whose requests wait for room */
};

/* Afterwards no vCPU runs and nothing is under way; the machine lock is held.  Also when it gives false. */
bool checkpoint_come_to_rest(struct machine *machine, struct checkpoint_rest *rest, GError **error);
void checkpoint_leave_rest(struct machine *machine, const struct checkpoint_rest *rest, bool run);

/* What a snapshot taken now says of itself, but for its disks.  At rest; before states are saved, since the vCPUs' counters
 * are noted here. */
void checkpoint_describe(struct machine *machine, const struct checkpoint_options *options, struct snapshot_info *info);

/* A snapshot's identity: a new one, and in hexadecimal. */
void checkpoint_id_new(uint8_t id[SNAPSHOT_ID_BYTES]);
void checkpoint_id_to_text(const uint8_t id[SNAPSHOT_ID_BYTES], char text[2 * SNAPSHOT_ID_BYTES + 1]);

#endif
