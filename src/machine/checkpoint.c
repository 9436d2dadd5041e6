/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint.c - a machine's whole state into a snapshot, and back.
 *
 * Taking one:
 *      stop        vCPUs, clock, and requests to disks that are under way come to rest
 *      note        states of vCPUs, local APICs, board and devices into buffers, the screen into a surface;
 *                  RAM is marked (memory/track.h), what follows it in the memory's file is copied
 *      go on       the guest runs again, some milliseconds later
 *      write       a thread of its own writes the file, RAM as it was at the stop
 *      finish      on the main loop: the marks go, whoever asked is told
 *
 * Restoring judges everything first.  States are then loaded in two passes, first all fields, then each
 * post_load(), so that wires which post_load() drives end at parts that already have their state.  Memory comes
 * last: post_load() must not read it.  When a machine that runs refuses a state, it gets back its own.
 */
#include <gio/gio.h>
#include <string.h>

#include "backend/display.h"
#include "block/block.h"
#include "cpu/state.h"
#include "devices/display/vga.h"
#include "memory/track.h"
#include "machine/checkpoint.h"
#include "machine/checkpoint_disks.h"
#include "machine/checkpoint_lazy.h"
#include "machine/internal.h"
#include "machine/manage.h"
#include "snapshot/compress.h"
#include "snapshot/info.h"
#include "snapshot/pages.h"
#include "snapshot/reader.h"

enum { STATE_VERSION = 1, THUMBNAIL_SIDE = 320 };

/* -- Parts: everything with a state table ------------------------------------------------------- */

/* What of the machine itself is state: who drives which interrupt line. */
static const struct state_field board_fields[] = {
        STATE_U8(struct machine, irq_sources),
        STATE_BOOL(struct machine, hpet_legacy),
        STATE_END
};

enum part_kind { PART_CPU, PART_DEVICE, PART_BOARD, PART_LAPIC };

struct part {
        char *id;
        const char *class_name;
        enum part_kind kind;
        const struct state_field *fields;
        void *object;
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
static GArray *machine_parts(struct machine *machine)
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

static GPtrArray *parts_save(const GArray *parts)
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

/* -- Standing still ----------------------------------------------------------------------------- */

struct rest {
        bool was_running;
        const char *full;               /* a disk whose requests wait for room */
};

static void drain_one(struct block *block, void *opaque)
{
        struct rest *rest = opaque;

        if (!block_drain(block))
                rest->full = block_path(block);
}

/* Afterwards no vCPU runs and nothing is under way; the machine lock is held. */
static bool machine_come_to_rest(struct machine *machine, struct rest *rest, GError **error)
{
        bool started = machine->started_us != 0;

        *rest = (struct rest){ .was_running = started && !machine->paused };
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

static void machine_leave_rest(struct machine *machine, const struct rest *rest, bool run)
{
        lock_release(&machine->lock);
        if (rest->was_running && run) {
                machine_start_time(machine);
                engine_resume(machine->engine);
        }
}

/* -- Taking one --------------------------------------------------------------------------------- */

struct checkpoint {
        struct machine *machine;
        char *path;
        uint8_t id[SNAPSHOT_ID_BYTES];
        struct snapshot_info info;
        enum snapshot_encoding encoding;
        GArray *parts;
        GPtrArray *states;
        struct surface screen;
        uint8_t *after_ram;             /* what follows RAM in the memory's file */
        uint64_t ram_bytes;
        struct rest rest;
        struct checkpoint_options options;      /* its texts are the checkpoint's own */
        bool ahead;                     /* memory is copied while hardware runs the guest; the picture is still to be taken */
        bool stay_stopped;
        bool held;                      /* the guest has stood still since it began */
        GThread *thread;
        GSource *finished;
        checkpoint_done *done;
        void *opaque;
        int64_t begun_us;
        struct checkpoint_result result;
        GError *error;
};

static void checkpoint_free(struct checkpoint *checkpoint)
{
        if (checkpoint->parts)
                g_array_free(checkpoint->parts, TRUE);
        if (checkpoint->states)
                g_ptr_array_free(checkpoint->states, TRUE);
        if (checkpoint->finished) {
                g_source_destroy(checkpoint->finished);
                g_source_unref(checkpoint->finished);
        }
        surface_free(&checkpoint->screen);
        snapshot_info_clear(&checkpoint->info);
        g_free((char *)checkpoint->options.name);
        g_free((char *)checkpoint->options.description);
        g_free((char *)checkpoint->options.ancestors);
        g_free(checkpoint->after_ram);
        g_free(checkpoint->path);
        g_clear_error(&checkpoint->error);
        g_free(checkpoint);
}

static void checkpoint_fetch(void *opaque, uint64_t first, unsigned count, uint8_t *to)
{
        struct checkpoint *checkpoint = opaque;
        uint64_t ram_pages = checkpoint->ram_bytes >> PAGE_SHIFT;
        unsigned in_ram = first < ram_pages ? (unsigned)MIN(count, ram_pages - first) : 0;

        if (in_ram)
                memory_track_fetch(checkpoint->machine->memory, first, in_ram, to);
        if (count > in_ram)
                memcpy(to + (size_t)in_ram * PAGE_SIZE, checkpoint->after_ram + ((first + in_ram - ram_pages) << PAGE_SHIFT),
                       (size_t)(count - in_ram) * PAGE_SIZE);
}

static bool checkpoint_write_sections(struct checkpoint *checkpoint, struct snapshot_writer *writer, GError **error)
{
        GByteArray *info = snapshot_info_encode(&checkpoint->info);
        GBytes *png = surface_make_png(&checkpoint->screen, THUMBNAIL_SIDE);
        struct page_source source = { checkpoint_fetch, checkpoint, checkpoint->info.file_bytes >> PAGE_SHIFT };
        struct page_totals totals;
        bool ok = snapshot_writer_section(writer, SECTION_INFO, 0, info->data, info->len, false, error);
        gsize size;

        if (ok && png) {
                const void *bytes = g_bytes_get_data(png, &size);

                ok = snapshot_writer_section(writer, SECTION_THUMBNAIL, SECTION_OPTIONAL, bytes, size, false, error);
        }
        for (guint i = 0; ok && i < checkpoint->parts->len; i++) {
                const struct part *part = &g_array_index(checkpoint->parts, struct part, i);

                ok = snapshot_writer_device(writer, part->id, part->class_name, STATE_VERSION,
                                            g_ptr_array_index(checkpoint->states, i), error);
        }
        ok = ok && snapshot_write_pages(writer, &source, checkpoint->encoding, &totals, error) &&
             snapshot_writer_end(writer, error);
        if (ok) {
                checkpoint->result.pages_zero = totals.zero;
                checkpoint->result.pages_same = totals.same;
                checkpoint->result.pages_stored = totals.stored;
                checkpoint->result.bytes = writer->at;
        }
        g_byte_array_unref(info);
        if (png)
                g_bytes_unref(png);
        return ok;
}

static gpointer checkpoint_thread(gpointer opaque)
{
        struct checkpoint *checkpoint = opaque;
        struct snapshot_file *file = snapshot_file_new(checkpoint->path, &checkpoint->error);
        struct snapshot_writer writer;

        if (file) {
                struct snapshot_sink sink = snapshot_file_sink(file);

                if (snapshot_writer_begin(&writer, &sink, checkpoint->id, &checkpoint->error) &&
                    checkpoint_write_sections(checkpoint, &writer, &checkpoint->error))
                        snapshot_file_commit(file, &checkpoint->error);
                else
                        snapshot_file_abandon(file);
        }
        g_source_set_ready_time(checkpoint->finished, 0);
        return NULL;
}

static void checkpoint_end(struct checkpoint *checkpoint)
{
        struct machine *machine = checkpoint->machine;

        g_clear_pointer(&checkpoint->thread, g_thread_join);
        checkpoint->result.pages_aside = memory_track_copied(machine->memory) >> PAGE_SHIFT;
        memory_track_end(machine->memory);
        machine->checkpoint = NULL;
        /* A file that could not be written needs nothing on the disks; a suspend that failed lets the guest go on. */
        if (checkpoint->error && checkpoint->info.disks && *checkpoint->info.disks) {
                struct rest rest;

                machine_come_to_rest(machine, &rest, NULL);
                checkpoint_disks_drop(checkpoint->result.id);
                machine_leave_rest(machine, &rest, true);
        }
        if (checkpoint->held && (checkpoint->error || !checkpoint->stay_stopped) && !machine->paused) {
                machine_start_time(machine);
                engine_resume(machine->engine);
        }
        checkpoint->result.total_us = g_get_monotonic_time() - checkpoint->begun_us;
        checkpoint->done(checkpoint->opaque, &checkpoint->result, checkpoint->error);
        checkpoint_free(checkpoint);
}

static void checkpoint_take(struct checkpoint *checkpoint);

static gboolean checkpoint_dispatch(GSource *source, GSourceFunc callback, gpointer opaque)
{
        struct checkpoint *checkpoint = opaque;

        (void)callback;
        g_source_set_ready_time(source, -1);
        if (checkpoint->ahead) {
                g_clear_pointer(&checkpoint->thread, g_thread_join);
                checkpoint_take(checkpoint);
                if (!checkpoint->error)
                        return G_SOURCE_CONTINUE;
        }
        checkpoint_end(checkpoint);
        return G_SOURCE_REMOVE;
}

static gboolean checkpoint_callback(gpointer unused)
{
        (void)unused;
        return G_SOURCE_REMOVE;
}

static GSourceFuncs checkpoint_source_funcs = { .dispatch = checkpoint_dispatch };

static void fill_info(struct checkpoint *checkpoint, const struct checkpoint_options *options)
{
        struct machine *machine = checkpoint->machine;
        const struct cpu_model *model = machine->cpu[0]->model;

        checkpoint->info = (struct snapshot_info){
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

/* The machine stands still, its lock is held. */
static bool checkpoint_note(struct checkpoint *checkpoint, GError **error)
{
        struct machine *machine = checkpoint->machine;
        const struct checkpoint_options *options = &checkpoint->options;
        uint64_t after = memory_used_bytes(machine->memory) - machine->ram_bytes;

        if (!machine->time_stopped)             /* the counters were noted at the stop */
                cpu_stop_tsc(machine->cpu, machine->cpus);
        fill_info(checkpoint, options);
        checkpoint->info.disks = checkpoint_disks_note(checkpoint->result.id, options->stay_stopped, clock_now_ns(machine->clock), error);
        if (!checkpoint->info.disks)
                return false;
        checkpoint->parts = machine_parts(machine);
        checkpoint->states = parts_save(checkpoint->parts);
        checkpoint->ram_bytes = machine->ram_bytes;
        checkpoint->after_ram = g_malloc(after);
        memory_read_file(machine->memory, machine->ram_bytes, after, checkpoint->after_ram);
        if (machine->vga)
                vga_render(machine->vga, &checkpoint->screen);
        if (memory_track_begin(machine->memory, error))
                return true;
        checkpoint_disks_drop(checkpoint->result.id);
        return false;
}

static void id_to_text(const uint8_t id[SNAPSHOT_ID_BYTES], char text[2 * SNAPSHOT_ID_BYTES + 1])
{
        for (unsigned i = 0; i < SNAPSHOT_ID_BYTES; i++)
                g_snprintf(text + 2 * i, 3, "%02x", id[i]);
}

/* -- Ahead of the picture, under KVM ------------------------------------------------------------- */

/* The rounds end when so few pages are left that the guest hardly notices, or it writes as fast as they are copied. */
enum { AHEAD_ROUNDS = 4 };

static gpointer ahead_thread(gpointer opaque)
{
        struct checkpoint *checkpoint = opaque;
        struct machine *machine = checkpoint->machine;
        bool ok = true;

        for (unsigned round = 0; ok && round < AHEAD_ROUNDS; round++) {
                memory_track_copy(machine->memory);
                lock_acquire(&machine->lock);
                ok = engine_collect_writes(machine->engine);
                lock_release(&machine->lock);
        }
        if (!ok)
                g_set_error(&checkpoint->error, G_IO_ERROR, G_IO_ERROR_FAILED,
                            "KVM does not tell what the guest has written to; move it to the translator first (lodger engine NAME dbt)");
        g_source_set_ready_time(checkpoint->finished, 0);
        return NULL;
}

/* Hardware writes to memory without asking first: it is copied while the guest runs, and what was written to meanwhile
 * once more.  False: the guest has to stand still instead, or need not. */
static bool checkpoint_begin_ahead(struct checkpoint *checkpoint)
{
        struct machine *machine = checkpoint->machine;

        if (checkpoint->stay_stopped || !checkpoint->rest.was_running || !engine_log_writes(machine->engine, true))
                return false;
        if (memory_track_ahead(machine->memory, NULL)) {
                checkpoint->ahead = true;
                return true;
        }
        engine_log_writes(machine->engine, false);
        return false;
}

/* The log's last word, before the picture.  The machine stands still, its lock is held. */
static bool checkpoint_end_ahead(struct checkpoint *checkpoint)
{
        struct machine *machine = checkpoint->machine;
        bool ok = checkpoint->error || engine_collect_writes(machine->engine);

        checkpoint->ahead = false;
        engine_log_writes(machine->engine, false);
        if (!ok)
                g_set_error(&checkpoint->error, G_IO_ERROR, G_IO_ERROR_FAILED, "KVM does not tell what the guest has written to");
        return !checkpoint->error;
}

static void checkpoint_start_writing(struct checkpoint *checkpoint)
{
        checkpoint->thread = g_thread_new("checkpoint", checkpoint_thread, checkpoint);
}

/* The copies are made: now the picture. */
static void checkpoint_take(struct checkpoint *checkpoint)
{
        struct machine *machine = checkpoint->machine;
        int64_t begun_us = g_get_monotonic_time();
        bool rests = machine_come_to_rest(machine, &checkpoint->rest, checkpoint->error ? NULL : &checkpoint->error);

        if (checkpoint_end_ahead(checkpoint) && rests)
                checkpoint_note(checkpoint, &checkpoint->error);
        machine_leave_rest(machine, &checkpoint->rest, true);
        checkpoint->result.stopped_us += g_get_monotonic_time() - begun_us;
        if (!checkpoint->error)
                checkpoint_start_writing(checkpoint);
}

bool machine_checkpoint(struct machine *machine, const char *path, const struct checkpoint_options *options,
                        checkpoint_done *done, void *opaque, GError **error)
{
        struct checkpoint *checkpoint;
        bool ok;

        if (machine->checkpoint) {
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "a snapshot of it is being taken");
                return false;
        }
        machine_lazy_finish(machine, false);
        checkpoint = g_new0(struct checkpoint, 1);
        checkpoint->machine = machine;
        checkpoint->path = g_strdup(path);
        checkpoint->encoding = options->encoding;
        checkpoint->options = *options;
        checkpoint->options.name = g_strdup(options->name);
        checkpoint->options.description = g_strdup(options->description);
        checkpoint->options.ancestors = g_strdup(options->ancestors);
        checkpoint->stay_stopped = options->stay_stopped;
        checkpoint->done = done;
        checkpoint->opaque = opaque;
        checkpoint->begun_us = g_get_monotonic_time();
        surface_init(&checkpoint->screen, false);
        for (unsigned i = 0; i < SNAPSHOT_ID_BYTES; i++)
                checkpoint->id[i] = (uint8_t)g_random_int();
        id_to_text(checkpoint->id, checkpoint->result.id);
        checkpoint->finished = g_source_new(&checkpoint_source_funcs, sizeof(GSource));
        g_source_set_callback(checkpoint->finished, checkpoint_callback, checkpoint, NULL);
        g_source_attach(checkpoint->finished, machine->context);

        ok = machine_come_to_rest(machine, &checkpoint->rest, error) &&
             (checkpoint_begin_ahead(checkpoint) || checkpoint_note(checkpoint, error));
        checkpoint->held = ok && !checkpoint->ahead && checkpoint->rest.was_running &&
                           (options->stay_stopped || strcmp(engine_name(machine->engine), "dbt"));
        machine_leave_rest(machine, &checkpoint->rest, !checkpoint->held);
        checkpoint->result.stopped_us = g_get_monotonic_time() - checkpoint->begun_us;
        if (!ok) {
                checkpoint_free(checkpoint);
                return false;
        }
        machine->checkpoint = checkpoint;
        if (checkpoint->ahead)
                checkpoint->thread = g_thread_new("checkpoint", ahead_thread, checkpoint);
        else
                checkpoint_start_writing(checkpoint);
        return true;
}

bool machine_keep_disk_snapshots(struct machine *machine, const char *const *ids, GError **error)
{
        struct rest rest;
        bool ok;

        if (machine->checkpoint) {
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "a snapshot of it is being taken");
                return false;
        }
        ok = machine_come_to_rest(machine, &rest, error);
        if (ok)
                checkpoint_disks_keep(ids);
        machine_leave_rest(machine, &rest, true);
        return ok;
}

bool machine_checkpoint_running(const struct machine *machine) { return machine->checkpoint != NULL; }

void machine_checkpoint_cancel(struct machine *machine)
{
        struct checkpoint *checkpoint = machine->checkpoint;

        if (!checkpoint)
                return;
        if (checkpoint->ahead) {
                g_clear_pointer(&checkpoint->thread, g_thread_join);
                checkpoint->ahead = false;
                if (!checkpoint->error)
                        g_set_error(&checkpoint->error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "the machine ends before its snapshot is taken");
        }
        checkpoint_end(checkpoint);
}

/* -- Restoring ---------------------------------------------------------------------------------- */

static bool other_machine(GError **error, const char *path, const char *what, const char *there, const char *here)
{
        g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_OTHER_MACHINE, "%s is of another machine: %s: %s there, %s here", path,
                    what, there, here);
        return false;
}

static bool check_number(const char *path, const char *what, uint64_t there, uint64_t here, GError **error)
{
        char text[2][24];

        if (there == here)
                return true;
        g_snprintf(text[0], sizeof(text[0]), "%" G_GUINT64_FORMAT, (guint64)there);
        g_snprintf(text[1], sizeof(text[1]), "%" G_GUINT64_FORMAT, (guint64)here);
        return other_machine(error, path, what, text[0], text[1]);
}

static bool check_machine(struct machine *machine, const GArray *parts, const char *path, struct snapshot_reader *reader,
                          GError **error)
{
        const struct snapshot_info *info = snapshot_reader_info(reader);
        const char *model = machine->cpu[0]->model->name;

        if (!check_number(path, "memory_bytes", info->memory_bytes, machine->ram_bytes, error) ||
            !check_number(path, "cpus", info->cpus, machine->cpus, error) ||
            !check_number(path, "file_bytes", info->file_bytes, memory_used_bytes(machine->memory), error))
                return false;
        if (strcmp(info->cpu_model, model))
                return other_machine(error, path, "cpu_model", info->cpu_model, model);
        for (guint i = 0; i < parts->len; i++) {
                const struct part *part = &g_array_index(parts, struct part, i);
                const struct snapshot_device *device = snapshot_reader_find(reader, part->id);

                if (!device)
                        return other_machine(error, path, part->id, "no such device", part->class_name);
                if (strcmp(device->class_name, part->class_name))
                        return other_machine(error, path, part->id, device->class_name, part->class_name);
                if (device->version > STATE_VERSION) {
                        g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NO_SNAPSHOT,
                                    "%s: the state of %s is of a newer version, %u; restore it with a newer lodger", path, part->id,
                                    device->version);
                        return false;
                }
        }
        for (unsigned i = 0; i < snapshot_reader_devices(reader); i++) {
                const struct snapshot_device *device = snapshot_reader_device(reader, i);
                bool known = false;

                for (guint j = 0; j < parts->len && !known; j++)
                        known = !strcmp(g_array_index(parts, struct part, j).id, device->id);
                if (!known)
                        return other_machine(error, path, device->id, device->class_name, "no such device");
        }
        return true;
}

/* Loads all parts; states are in their order. */
static bool parts_load(struct machine *machine, const GArray *parts, GBytes *const *states, GError **error)
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

static bool restore_states(struct machine *machine, const GArray *parts, struct snapshot_reader *reader, GError **error)
{
        GPtrArray *incoming = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
        GPtrArray *before = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
        GPtrArray *saved = parts_save(parts);
        int64_t now_ns = clock_now_ns(machine->clock);
        bool ok;

        for (guint i = 0; i < parts->len; i++) {
                const struct snapshot_device *device = snapshot_reader_find(reader, g_array_index(parts, struct part, i).id);
                const GByteArray *state = g_ptr_array_index(saved, i);

                g_ptr_array_add(incoming, g_bytes_new_static(device->state, device->state_bytes));
                g_ptr_array_add(before, g_bytes_new_static(state->data, state->len));
        }
        clock_set_ns(machine->clock, (int64_t)snapshot_reader_info(reader)->virtual_ns);
        ok = parts_load(machine, parts, (GBytes *const *)incoming->pdata, error);
        if (!ok) {
                clock_set_ns(machine->clock, now_ns);
                /* What it saved itself it takes. */
                parts_load(machine, parts, (GBytes *const *)before->pdata, NULL);
        }
        g_ptr_array_free(incoming, TRUE);
        g_ptr_array_free(before, TRUE);
        g_ptr_array_free(saved, TRUE);
        return ok;
}

static void restore_page(void *opaque, uint64_t page, const uint8_t *bytes)
{
        memcpy((uint8_t *)opaque + (page << PAGE_SHIFT), bytes, PAGE_SIZE);
}

/* A machine that has not run yet gets the bytes of its memory while it runs; the reader is then its own. */
static bool restore_memory(struct machine *machine, struct snapshot_reader **reader_place, GError **error)
{
        struct snapshot_reader *reader = *reader_place;
        uint64_t pages = snapshot_reader_pages(reader);

        if (!machine->started_us && !strcmp(engine_name(machine->engine), "dbt")) {
                if (!machine_lazy_begin(machine, reader, error))
                        return false;
                *reader_place = NULL;
                return true;
        }
        for (uint64_t first = 0, end; first < pages; first = end + 1) {
                for (end = first; end < pages && snapshot_page_is_zero(reader, end); end++)
                        ;
                memory_forget_file(machine->memory, first << PAGE_SHIFT, (end - first) << PAGE_SHIFT);
        }
        return snapshot_read_chunks(reader, restore_page, memory_ram(machine->memory), error);
}

static bool restore_at_rest(struct machine *machine, const char *path, struct snapshot_reader **reader_place, GError **error)
{
        struct snapshot_reader *reader = *reader_place;
        GArray *parts = machine_parts(machine);
        const char *disks = snapshot_reader_info(reader)->disks;
        char id[2 * SNAPSHOT_ID_BYTES + 1];
        bool ok;

        id_to_text(snapshot_reader_id(reader), id);
        ok = check_machine(machine, parts, path, reader, error) &&
             checkpoint_disks_check(id, disks, machine->started_us != 0, error);
        if (ok) {
                ok = restore_states(machine, parts, reader, error);
                if (!ok)
                        g_prefix_error(error, "%s: ", path);
                ok = ok && checkpoint_disks_apply(id, disks, error) && restore_memory(machine, reader_place, error);
                input_forget(machine->input);
                engine_state_changed(machine->engine);
        }
        g_array_free(parts, TRUE);
        return ok;
}

bool machine_restore(struct machine *machine, const char *path, GError **error)
{
        bool started = machine->started_us != 0, ok;
        struct snapshot_reader *reader;
        struct rest rest;

        if (machine->checkpoint) {
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "a snapshot of it is being taken");
                return false;
        }
        reader = snapshot_open(path, error);
        machine_lazy_finish(machine, false);
        /* A machine that runs has something to lose: memory is read twice, first to see whether it can be. */
        ok = reader && (started ? snapshot_read_chunks(reader, NULL, NULL, error) : snapshot_check_chunks(reader, error));
        if (ok) {
                ok = machine_come_to_rest(machine, &rest, error) && restore_at_rest(machine, path, &reader, error);
                machine->restored = ok && !started;
                machine_leave_rest(machine, &rest, true);
        }
        snapshot_close(reader);
        return ok;
}
