/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint.c - a machine's whole state into a snapshot.
 *
 *      stop        vCPUs, clock, and requests to disks that are under way come to rest
 *      note        states of vCPUs, local APICs, board and devices into buffers, the screen into a surface;
 *                  RAM is marked (memory/track.h), what follows it in the memory's file is copied
 *      go on       the guest runs again, some milliseconds later
 *      write       a thread of its own writes the file, RAM as it was at the stop
 *      finish      on the main loop: the marks go, whoever asked is told
 */
#include <gio/gio.h>
#include <string.h>

#include "backend/display.h"
#include "block/block.h"
#include "devices/display/vga.h"
#include "memory/track.h"
#include "machine/checkpoint.h"
#include "machine/checkpoint_disks.h"
#include "machine/checkpoint_parts.h"
#include "machine/internal.h"
#include "machine/manage.h"
#include "snapshot/info.h"
#include "snapshot/pages.h"

enum { THUMBNAIL_SIDE = 320 };

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
        struct checkpoint_rest rest;
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
        struct page_source source = { .fetch = checkpoint_fetch, .opaque = checkpoint, .pages = checkpoint->info.file_bytes >> PAGE_SHIFT };
        struct page_totals totals;
        bool ok = snapshot_writer_section(writer, SECTION_INFO, 0, info->data, info->len, false, error);
        gsize size;

        if (ok && png) {
                const void *bytes = g_bytes_get_data(png, &size);

                ok = snapshot_writer_section(writer, SECTION_THUMBNAIL, SECTION_OPTIONAL, bytes, size, false, error);
        }
        ok = ok && checkpoint_parts_write(checkpoint->parts, checkpoint->states, writer, error) &&
             snapshot_write_pages(writer, &source, checkpoint->encoding, &totals, error) &&
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
                struct checkpoint_rest rest;

                checkpoint_come_to_rest(machine, &rest, NULL);
                checkpoint_disks_drop(checkpoint->result.id);
                checkpoint_leave_rest(machine, &rest, true);
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

/* The machine stands still, its lock is held. */
static bool checkpoint_note(struct checkpoint *checkpoint, GError **error)
{
        struct machine *machine = checkpoint->machine;
        const struct checkpoint_options *options = &checkpoint->options;
        uint64_t after = memory_used_bytes(machine->memory) - machine->ram_bytes;

        checkpoint_describe(machine, options, &checkpoint->info);
        checkpoint->info.disks = checkpoint_disks_note(checkpoint->result.id, options->stay_stopped, clock_now_ns(machine->clock),
                                                       &machine->overlays, error);
        if (!checkpoint->info.disks)
                return false;
        checkpoint->parts = checkpoint_parts(machine);
        checkpoint->states = checkpoint_parts_save(checkpoint->parts);
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
        bool rests = checkpoint_come_to_rest(machine, &checkpoint->rest, checkpoint->error ? NULL : &checkpoint->error);

        if (checkpoint_end_ahead(checkpoint) && rests)
                checkpoint_note(checkpoint, &checkpoint->error);
        checkpoint_leave_rest(machine, &checkpoint->rest, true);
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
        checkpoint_id_new(checkpoint->id);
        checkpoint_id_to_text(checkpoint->id, checkpoint->result.id);
        checkpoint->finished = g_source_new(&checkpoint_source_funcs, sizeof(GSource));
        g_source_set_callback(checkpoint->finished, checkpoint_callback, checkpoint, NULL);
        g_source_attach(checkpoint->finished, machine->context);

        ok = checkpoint_come_to_rest(machine, &checkpoint->rest, error) &&
             (checkpoint_begin_ahead(checkpoint) || checkpoint_note(checkpoint, error));
        checkpoint->held = ok && !checkpoint->ahead && checkpoint->rest.was_running &&
                           (options->stay_stopped || strcmp(engine_name(machine->engine), "dbt"));
        checkpoint_leave_rest(machine, &checkpoint->rest, !checkpoint->held);
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
        struct checkpoint_rest rest;
        bool ok;

        if (machine->checkpoint) {
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "a snapshot of it is being taken");
                return false;
        }
        ok = checkpoint_come_to_rest(machine, &rest, error);
        if (ok)
                checkpoint_disks_keep(ids);
        checkpoint_leave_rest(machine, &rest, true);
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
