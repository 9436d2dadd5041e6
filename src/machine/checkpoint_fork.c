/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint_fork.c - a machine's present instant for a second machine.
 *
 * RAM is frozen and handed over as it is (memory/share.h); the state is a snapshot with the few pages that differ from it,
 * what follows RAM, and the devices.  Images keep their content as for a snapshot, and the second machine's are built upon
 * that.  So nothing is copied that both only read.
 */
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block/block.h"
#include "machine/checkpoint_disks.h"
#include "machine/checkpoint_parts.h"
#include "machine/internal.h"
#include "machine/manage.h"
#include "memory/share.h"
#include "memory/track.h"
#include "snapshot/pages.h"

static bool wanted(void *opaque, uint64_t page)
{
        struct machine *machine = opaque;

        return page >= machine->ram_bytes >> PAGE_SHIFT || memory_share_differs(machine->memory, page);
}

static void fetch(void *opaque, uint64_t first, unsigned count, uint8_t *to)
{
        struct machine *machine = opaque;

        for (uint64_t page = first; page < first + count; page++, to += PAGE_SIZE)
                if (page >= machine->ram_bytes >> PAGE_SHIFT)
                        memory_read_file(machine->memory, page << PAGE_SHIFT, PAGE_SIZE, to);
                else if (wanted(machine, page))
                        memcpy(to, memory_ram(machine->memory) + (page << PAGE_SHIFT), PAGE_SIZE);
}

static bool write_state(struct machine *machine, int fd, const uint8_t id[SNAPSHOT_ID_BYTES], const struct snapshot_info *info,
                        GError **error)
{
        struct snapshot_sink sink = snapshot_descriptor_sink(fd);
        struct page_source source = { .fetch = fetch, .wanted = wanted, .opaque = machine, .pages = info->file_bytes >> PAGE_SHIFT };
        GByteArray *encoded = snapshot_info_encode(info);
        GArray *parts = checkpoint_parts(machine);
        GPtrArray *states = checkpoint_parts_save(parts);
        struct snapshot_writer writer;
        struct page_totals totals;
        bool ok = snapshot_writer_begin(&writer, &sink, id, error) &&
                  snapshot_writer_section(&writer, SECTION_INFO, 0, encoded->data, encoded->len, false, error) &&
                  checkpoint_parts_write(parts, states, &writer, error) &&
                  snapshot_write_pages(&writer, &source, ENCODING_NONE, &totals, error) && snapshot_writer_end(&writer, error);

        g_ptr_array_free(states, TRUE);
        g_array_free(parts, TRUE);
        g_byte_array_unref(encoded);
        return ok;
}

static void add_disk(struct block *block, void *opaque)
{
        if (!block_is_read_only(block) && !strcmp(block_format(block), "qcow2"))
                g_ptr_array_add(opaque, g_canonicalize_filename(block_path(block), NULL));
}

static int new_file(GError **error)
{
        int fd = memfd_create("lodger-fork", MFD_CLOEXEC);

        if (fd < 0)
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot make room for the state: %s", g_strerror(errno));
        return fd;
}

/* At rest. */
static bool fork_at_rest(struct machine *machine, struct machine_fork *fork, GError **error)
{
        static const struct checkpoint_options options = { .encoding = ENCODING_NONE };
        uint8_t id[SNAPSHOT_ID_BYTES];
        struct snapshot_info info;
        bool ok = false;

        checkpoint_id_new(id);
        checkpoint_id_to_text(id, fork->id);
        checkpoint_describe(machine, &options, &info);
        info.base = g_strdup(SNAPSHOT_BASE_MEMORY);
        info.disks = checkpoint_disks_note(fork->id, false, (int64_t)info.virtual_ns, &machine->overlays, error);
        if (info.disks) {
                fork->memory_fd = memory_share(machine->memory, !strcmp(engine_name(machine->engine), "dbt"), error);
                fork->state_fd = fork->memory_fd < 0 ? -1 : new_file(error);
                ok = fork->state_fd >= 0 && write_state(machine, fork->state_fd, id, &info, error);
                if (ok)
                        block_foreach(add_disk, fork->disks);
                else
                        checkpoint_disks_drop(fork->id);
        }
        snapshot_info_clear(&info);
        return ok;
}

bool machine_fork(struct machine *machine, struct machine_fork *fork, GError **error)
{
        int64_t begun_us = g_get_monotonic_time();
        struct checkpoint_rest rest;
        bool ok;

        *fork = (struct machine_fork){ .state_fd = -1, .memory_fd = -1, .disks = g_ptr_array_new_with_free_func(g_free) };
        if (machine->checkpoint) {
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "a snapshot of it is being taken");
                return false;
        }
        machine_lazy_finish(machine, false);
        ok = checkpoint_come_to_rest(machine, &rest, error) && fork_at_rest(machine, fork, error);
        checkpoint_leave_rest(machine, &rest, true);
        fork->stopped_us = g_get_monotonic_time() - begun_us;
        return ok;
}

void machine_fork_clear(struct machine_fork *fork)
{
        if (fork->state_fd >= 0)
                close(fork->state_fd);
        if (fork->memory_fd >= 0)
                close(fork->memory_fd);
        g_clear_pointer(&fork->disks, g_ptr_array_unref);
        fork->state_fd = fork->memory_fd = -1;
}
