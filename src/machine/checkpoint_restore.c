/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint_restore.c - a machine goes back, or on, to the instant of a snapshot.
 *
 * Everything is judged first.  Memory comes last: post_load() must not read it.  When a machine that runs refuses a
 * state, it gets back its own.
 */
#include <gio/gio.h>
#include <string.h>

#include "machine/checkpoint.h"
#include "machine/checkpoint_disks.h"
#include "machine/checkpoint_lazy.h"
#include "machine/checkpoint_parts.h"
#include "machine/internal.h"
#include "machine/manage.h"
#include "memory/share.h"
#include "memory/track.h"
#include "snapshot/reader.h"

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
                if (device->version > CHECKPOINT_STATE_VERSION) {
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

static bool restore_states(struct machine *machine, const GArray *parts, struct snapshot_reader *reader, GError **error)
{
        GPtrArray *incoming = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
        GPtrArray *before = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
        GPtrArray *saved = checkpoint_parts_save(parts);
        int64_t now_ns = clock_now_ns(machine->clock);
        bool ok;

        for (guint i = 0; i < parts->len; i++) {
                const struct snapshot_device *device = snapshot_reader_find(reader, g_array_index(parts, struct part, i).id);
                const GByteArray *state = g_ptr_array_index(saved, i);

                g_ptr_array_add(incoming, g_bytes_new_static(device->state, device->state_bytes));
                g_ptr_array_add(before, g_bytes_new_static(state->data, state->len));
        }
        clock_set_ns(machine->clock, (int64_t)snapshot_reader_info(reader)->virtual_ns);
        ok = checkpoint_parts_load(machine, parts, (GBytes *const *)incoming->pdata, error);
        if (!ok) {
                clock_set_ns(machine->clock, now_ns);
                /* What it saved itself it takes. */
                checkpoint_parts_load(machine, parts, (GBytes *const *)before->pdata, NULL);
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

static void forget_zero_pages(struct machine *machine, const struct snapshot_reader *reader)
{
        uint64_t pages = snapshot_reader_pages(reader);

        for (uint64_t first = 0, end; first < pages; first = end + 1) {
                for (end = first; end < pages && snapshot_page_is_zero(reader, end); end++)
                        ;
                memory_forget_file(machine->memory, first << PAGE_SHIFT, (end - first) << PAGE_SHIFT);
        }
}

/* Pages that are not in the snapshot are as they have come. */
static bool restore_on_memory(struct machine *machine, struct snapshot_reader *reader, int memory_fd, GError **error)
{
        uint64_t pages = snapshot_reader_pages(reader);

        if (!memory_adopt(machine->memory, memory_fd, !strcmp(engine_name(machine->engine), "dbt"), error))
                return false;
        for (uint64_t page = 0; page < pages; page++)
                if (!snapshot_page_is_missing(reader, page))
                        memory_before_write_file(machine->memory, page << PAGE_SHIFT, PAGE_SIZE);
        forget_zero_pages(machine, reader);
        return snapshot_read_chunks(reader, restore_page, memory_ram(machine->memory), error);
}

/* A machine that has not run yet gets the bytes of its memory while it runs; the reader is then its own. */
static bool restore_memory(struct machine *machine, struct snapshot_reader **reader_place, GError **error)
{
        struct snapshot_reader *reader = *reader_place;

        memory_share_distrust(machine->memory);
        if (!machine->started_us && !strcmp(engine_name(machine->engine), "dbt")) {
                if (!machine_lazy_begin(machine, reader, error))
                        return false;
                *reader_place = NULL;
                return true;
        }
        forget_zero_pages(machine, reader);
        return snapshot_read_chunks(reader, restore_page, memory_ram(machine->memory), error);
}

/* memory_fd: a memory that goes with it, -1 for none. */
static bool restore_at_rest(struct machine *machine, const char *path, struct snapshot_reader **reader_place, int memory_fd,
                            GError **error)
{
        struct snapshot_reader *reader = *reader_place;
        GArray *parts = checkpoint_parts(machine);
        const char *disks = snapshot_reader_info(reader)->disks;
        char id[2 * SNAPSHOT_ID_BYTES + 1];
        bool ok;

        checkpoint_id_to_text(snapshot_reader_id(reader), id);
        ok = check_machine(machine, parts, path, reader, error) &&
             checkpoint_disks_check(id, disks, machine->started_us != 0, error);
        if (ok) {
                ok = restore_states(machine, parts, reader, error);
                if (!ok)
                        g_prefix_error(error, "%s: ", path);
                ok = ok && checkpoint_disks_apply(id, disks, error) &&
                     (memory_fd < 0 ? restore_memory(machine, reader_place, error) : restore_on_memory(machine, reader, memory_fd, error));
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
        struct checkpoint_rest rest;

        if (machine->checkpoint) {
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "a snapshot of it is being taken");
                return false;
        }
        reader = snapshot_open(path, error);
        machine_lazy_finish(machine, false);
        /* A machine that runs has something to lose: memory is read twice, first to see whether it can be. */
        ok = reader && (started ? snapshot_read_chunks(reader, NULL, NULL, error) : snapshot_check_chunks(reader, error));
        if (ok) {
                ok = checkpoint_come_to_rest(machine, &rest, error) && restore_at_rest(machine, path, &reader, -1, error);
                machine->restored = ok && !started;
                checkpoint_leave_rest(machine, &rest, true);
        }
        snapshot_close(reader);
        return ok;
}

bool machine_restore_fork(struct machine *machine, int state_fd, int memory_fd, GError **error)
{
        char *path = g_strdup_printf("/proc/self/fd/%d", state_fd);
        struct snapshot_reader *reader = snapshot_open_on_memory(path, error);
        struct checkpoint_rest rest;
        bool ok = reader != NULL;

        if (ok) {
                ok = checkpoint_come_to_rest(machine, &rest, error) && restore_at_rest(machine, path, &reader, memory_fd, error);
                machine->restored = ok;
                checkpoint_leave_rest(machine, &rest, true);
        }
        snapshot_close(reader);
        g_free(path);
        return ok;
}
