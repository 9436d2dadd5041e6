/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint_lazy.c - a restored machine runs before its memory is there.
 *
 * Checksums of all chunks were compared before, so what is missing now is only to be unpacked: by one thread, chunk
 * after chunk, but first those with pages that somebody waits for.  A chunk that was made by hand to have the right
 * checksum and the wrong content ends the machine.
 */
#include <string.h>

#include "base/log.h"
#include "memory/lazy.h"
#include "machine/checkpoint_lazy.h"
#include "machine/internal.h"

struct lazy_restore {
        struct machine *machine;
        struct snapshot_reader *reader;
        uint64_t ram_pages;
        GThread *thread;
        bool *loaded;                   /* chunks, the thread's own */
        int give_up, failed;            /* atomic */
};

/* What lies after RAM (video memory, ROMs) is not waited for by those who use it, so it was brought before. */
static void take_page(void *opaque, uint64_t page, const uint8_t *bytes)
{
        struct lazy_restore *lazy = opaque;

        if (page >= lazy->ram_pages)
                return;
        memcpy(memory_ram(lazy->machine->memory) + (page << PAGE_SHIFT), bytes, PAGE_SIZE);
        memory_lazy_arrived(lazy->machine->memory, page);
}

static void take_page_now(void *opaque, uint64_t page, const uint8_t *bytes)
{
        struct lazy_restore *lazy = opaque;

        if (page >= lazy->ram_pages)
                memcpy(memory_ram(lazy->machine->memory) + (page << PAGE_SHIFT), bytes, PAGE_SIZE);
}

/* Nobody waits for ever. */
static void release_all(struct lazy_restore *lazy)
{
        for (uint64_t page = 0; page < lazy->ram_pages; page++)
                memory_lazy_arrived(lazy->machine->memory, page);
        memory_lazy_wake(lazy->machine->memory);
}

static bool load_chunk(struct lazy_restore *lazy, unsigned chunk)
{
        GError *error = NULL;

        if (lazy->loaded[chunk])
                return true;
        lazy->loaded[chunk] = true;
        if (snapshot_read_chunk(lazy->reader, chunk, take_page, lazy, &error)) {
                memory_lazy_wake(lazy->machine->memory);
                return true;
        }
        log_error("%s; the machine cannot go on", error->message);
        g_error_free(error);
        return false;
}

static gpointer lazy_thread(gpointer opaque)
{
        struct lazy_restore *lazy = opaque;
        unsigned chunks = snapshot_reader_chunks(lazy->reader);
        bool ok = true;

        for (unsigned chunk = 0; ok && chunk < chunks && !g_atomic_int_get(&lazy->give_up);) {
                uint64_t wanted = memory_lazy_wanted(lazy->machine->memory);

                if (wanted < lazy->ram_pages && !snapshot_page_is_zero(lazy->reader, wanted))
                        ok = load_chunk(lazy, snapshot_page_chunk(lazy->reader, wanted));
                else
                        ok = load_chunk(lazy, chunk++);
        }
        release_all(lazy);
        if (!ok) {
                lock_acquire(&lazy->machine->lock);
                machine_post_end(lazy->machine, MACHINE_END_STOPPED, 1);
                lock_release(&lazy->machine->lock);
        }
        return NULL;
}

bool machine_lazy_begin(struct machine *machine, struct snapshot_reader *reader, GError **error)
{
        struct lazy_restore *lazy = g_new0(struct lazy_restore, 1);
        uint64_t pages = snapshot_reader_pages(reader);

        lazy->machine = machine;
        lazy->reader = reader;
        lazy->ram_pages = machine->ram_bytes >> PAGE_SHIFT;
        lazy->loaded = g_new0(bool, snapshot_reader_chunks(reader) + 1);
        for (uint64_t page = lazy->ram_pages; page < pages; page++)
                if (!snapshot_page_is_zero(reader, page)) {
                        unsigned chunk = snapshot_page_chunk(reader, page);

                        if (lazy->loaded[chunk])
                                continue;
                        lazy->loaded[chunk] = true;
                        if (!snapshot_read_chunk(reader, chunk, take_page_now, lazy, error)) {
                                g_free(lazy->loaded);
                                g_free(lazy);
                                return false;
                        }
                }
        memset(lazy->loaded, 0, snapshot_reader_chunks(reader));
        for (uint64_t page = 0; page < lazy->ram_pages; page++)
                if (!snapshot_page_is_zero(reader, page))
                        memory_lazy_expect(machine->memory, page);
        machine->lazy = lazy;
        lazy->thread = g_thread_new("restore", lazy_thread, lazy);
        return true;
}

void machine_lazy_finish(struct machine *machine, bool give_up)
{
        struct lazy_restore *lazy = machine->lazy;

        if (!lazy)
                return;
        g_atomic_int_set(&lazy->give_up, give_up);
        g_thread_join(lazy->thread);
        machine->lazy = NULL;
        snapshot_close(lazy->reader);
        g_free(lazy->loaded);
        g_free(lazy);
}
