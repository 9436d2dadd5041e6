/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint_parts.c - what a machine's state consists of, and standing still so that it can be noted.
 *
 * States are loaded in two passes, first all fields, then each post_load(), so that wires which post_load() drives end at
 * parts that already have their state.
 */
#include <gio/gio.h>

#include "block/block.h"
#include "cpu/state.h"
#include "machine/checkpoint_parts.h"
#include "machine/internal.h"
#include "machine/manage.h"

/* -- Parts: everything with a state table ------------------------------------------------------- */

/* What of the machine itself is state: who drives which interrupt line. */
static const struct state_field board_fields[] = {
        STATE_U8(struct machine, irq_sources),
        STATE_BOOL(struct machine, hpet_legacy),
        STATE_END
};

static void part_clear(gpointer data) { g_free(((struct part *)data)->id); }

static void part_add(GArray *parts, char *id, const char *class_name, enum part_kind kind, const struct state_field *fields,
                     void *object)
{
        struct part part = { id, class_name, kind, fields, object };

        g_array_append_val(parts, part);
}

/* In the order in which they are told that they have been loaded: lines that devices drive end at a local
 * APIC, and that decides what its vCPU has to do. */
GArray *checkpoint_parts(struct machine *machine)
{
        GArray *parts = g_array_new(FALSE, FALSE, sizeof(struct part));

        g_array_set_clear_func(parts, part_clear);
        for (unsigned i = 0; i < machine->cpus; i++)
                part_add(parts, g_strdup_printf("cpu%u", i), "cpu", PART_CPU, cpu_state, machine->cpu[i]);
        part_add(parts, g_strdup("board"), "board", PART_BOARD, board_fields, machine);
        for (guint i = 0; i < machine->devices->len; i++) {
                struct device *device = g_ptr_array_index(machine->devices, i);

                if (device->class->state)
                        part_add(parts, g_strdup(device->id), device->class->name, PART_DEVICE, device->class->state, device);
        }
        for (unsigned i = 0; i < machine->cpus; i++)
                part_add(parts, g_strdup_printf("lapic%u", i), "lapic", PART_LAPIC, lapic_state, machine->lapic[i]);
        return parts;
}

GPtrArray *checkpoint_parts_save(const GArray *parts)
{
        GPtrArray *states = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);

        for (guint i = 0; i < parts->len; i++) {
                const struct part *part = &g_array_index(parts, struct part, i);
                GByteArray *state = g_byte_array_new();

                state_save(part->fields, part->object, state);
                g_ptr_array_add(states, state);
        }
        return states;
}

bool checkpoint_parts_write(const GArray *parts, const GPtrArray *states, struct snapshot_writer *writer, GError **error)
{
        for (guint i = 0; i < parts->len; i++) {
                const struct part *part = &g_array_index(parts, struct part, i);

                if (!snapshot_writer_device(writer, part->id, part->class_name, CHECKPOINT_STATE_VERSION, g_ptr_array_index(states, i),
                                            error))
                        return false;
        }
        return true;
}

static bool part_post_load(struct part *part, GError **error)
{
        struct device *device = part->object;

        switch (part->kind) {
        case PART_CPU:
                return cpu_post_load(part->object, error);
        case PART_DEVICE:
                return !device->class->post_load || device->class->post_load(device, error);
        case PART_LAPIC:
                if (lapic_post_load(part->object))
                        return true;
                g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "impossible state");
                return false;
        case PART_BOARD:
                return true;
        }
        g_assert_not_reached();
}

bool checkpoint_parts_load(struct machine *machine, const GArray *parts, GBytes *const *states, GError **error)
{
        for (unsigned pass = 0; pass < 2; pass++) {
                /* Timers that count by it are set again in the second pass. */
                if (pass)
                        cpu_start_tsc(machine->cpu, machine->cpus);
                for (guint i = 0; i < parts->len; i++) {
                        struct part *part = &g_array_index(parts, struct part, i);
                        gsize size;
                        const void *bytes = g_bytes_get_data(states[i], &size);

                        if (pass ? part_post_load(part, error) : state_load(part->fields, part->object, bytes, size, error))
                                continue;
                        g_prefix_error(error, "device %s: ", part->id);
                        return false;
                }
        }
        return true;
}

/* -- Standing still ----------------------------------------------------------------------------- */

static void drain_one(struct block *block, void *opaque)
{
        struct checkpoint_rest *rest = opaque;

        if (!block_drain(block))
                rest->full = block_path(block);
}

bool checkpoint_come_to_rest(struct machine *machine, struct checkpoint_rest *rest, GError **error)
{
        bool started = machine->started_us != 0;

        *rest = (struct checkpoint_rest){ .was_running = started && !machine->paused };
        if (rest->was_running) {
                engine_pause(machine->engine);
                machine_stop_time(machine);
        }
        lock_acquire(&machine->lock);
        block_foreach(drain_one, rest);
        if (rest->full)
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "%s waits for room on its disk; make some first", rest->full);
        return !rest->full;
}

void checkpoint_leave_rest(struct machine *machine, const struct checkpoint_rest *rest, bool run)
{
        lock_release(&machine->lock);
        if (rest->was_running && run) {
                machine_start_time(machine);
                engine_resume(machine->engine);
        }
}

/* -- What it says of itself ---------------------------------------------------------------------------------- */

void checkpoint_describe(struct machine *machine, const struct checkpoint_options *options, struct snapshot_info *info)
{
        const struct cpu_model *model = machine->cpu[0]->model;

        if (!machine->time_stopped)             /* the counters were noted at the stop */
                cpu_stop_tsc(machine->cpu, machine->cpus);
        *info = (struct snapshot_info){
                .name = g_strdup(options->name ? options->name : ""),
                .description = g_strdup(options->description ? options->description : ""),
                .machine = g_strdup(machine->name),
                .version = g_strdup(PACKAGE_VERSION),
                .engine = g_strdup(engine_name(machine->engine)),
                .cpu_model = g_strdup(model->name),
                .ancestors = g_strdup(options->ancestors ? options->ancestors : ""),
                .created_us = (uint64_t)g_get_real_time(),
                .virtual_ns = (uint64_t)clock_now_ns(machine->clock),
                .memory_bytes = machine->ram_bytes,
                .file_bytes = memory_used_bytes(machine->memory),
                .cpus = machine->cpus,
                .tsc_hz = model->tsc_hz,
        };
}

void checkpoint_id_new(uint8_t id[SNAPSHOT_ID_BYTES])
{
        for (unsigned i = 0; i < SNAPSHOT_ID_BYTES; i++)
                id[i] = (uint8_t)g_random_int();
}

void checkpoint_id_to_text(const uint8_t id[SNAPSHOT_ID_BYTES], char text[2 * SNAPSHOT_ID_BYTES + 1])
{
        for (unsigned i = 0; i < SNAPSHOT_ID_BYTES; i++)
                g_snprintf(text + 2 * i, 3, "%02x", id[i]);
}
