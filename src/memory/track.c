/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * track.c - a picture of RAM at one instant: marking pages, and fetching them.
 *
 * What writers do is in pages.c (memory_before_write).  Rules:
 * K1  While a page is tracked its bytes do not change.  The first writer takes the pages lock, copies the page to
 *     the shadow, clears the mark, and only then writes.
 * K2  Fetching takes the same lock, so it sees a page either tracked (bytes in place) or put aside.
 * K3  A page of RAM that was never touched is a hole in the memory's file.  Reading it through the mapping
 *     would make the host find memory for it, so holes are asked for first.
 * K4  Copying ahead, marks are set once and a writer clears one for good: whether its bytes come before or after a copy
 *     is not known, so such a page is copied again at the picture.  Pages that hardware logs are copied again any time.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/internal.h"
#include "memory/track.h"

static void track_free(struct memory_track *track, uint64_t ram_bytes)
{
        if (track->shadow)
                munmap(track->shadow, ram_bytes);
        g_free(track->copied);
        g_free(track->again);
        g_free(track);
}

/* vCPUs stopped, machine lock held: every page gets its mark. */
static bool track_start(struct memory *memory, bool ahead, GError **error)
{
        struct memory_track *track = g_new0(struct memory_track, 1);
        uint64_t pages = memory->ram_bytes >> PAGE_SHIFT;

        track->ahead = ahead;
        track->copied = g_malloc0(pages);
        track->again = ahead ? g_malloc0(pages) : NULL;
        track->shadow = mmap(NULL, memory->ram_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (track->shadow == MAP_FAILED) {
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot set memory aside for a snapshot: %s",
                            g_strerror(errno));
                track->shadow = NULL;
                track_free(track, memory->ram_bytes);
                return false;
        }
        madvise(track->shadow, memory->ram_bytes, MADV_DONTDUMP);
        lock_acquire(&memory->pages_lock);
        g_assert(!memory->track);
        memory->track = track;
        for (uint64_t i = 0; i < pages; i++)
                __atomic_fetch_or(&memory->states[i], PAGE_TRACKED, __ATOMIC_SEQ_CST);
        lock_release(&memory->pages_lock);
        /* Permissions that vCPUs have cached let them write without asking. */
        for (struct memory_listener *listener = memory->listeners; listener; listener = listener->next)
                (listener->data_moved ? listener->data_moved : listener->map_changed)(listener->opaque);
        return true;
}

/* Whether there is anything but zeroes, which the shadow has anyway (K3).  Pages lock held. */
static bool page_has_data(struct memory *memory, struct memory_track *track, uint64_t page)
{
        uint64_t offset = page << PAGE_SHIFT;

        if (memory->fd >= 0 && offset >= track->data_from) {
                off_t data = lseek(memory->fd, (off_t)offset, SEEK_DATA);

                track->data_from = data < 0 ? UINT64_MAX : (uint64_t)data;
        }
        return memory->fd < 0 || offset >= track->data_from;
}

static void copy_to_shadow(struct memory *memory, struct memory_track *track, uint64_t page)
{
        memcpy(track->shadow + (page << PAGE_SHIFT), memory->host + (page << PAGE_SHIFT), PAGE_SIZE);
}

bool memory_track_ahead(struct memory *memory, GError **error) { return track_start(memory, true, error); }

void memory_track_copy(struct memory *memory)
{
        struct memory_track *track = memory->track;

        track->data_from = 0;
        for (uint64_t page = 0; page < memory->ram_bytes >> PAGE_SHIFT; page++) {
                if (track->copied[page])
                        continue;
                track->copied[page] = 1;
                if (page_has_data(memory, track, page))
                        copy_to_shadow(memory, track, page);
        }
}

void memory_track_written(struct memory *memory, uint64_t page)
{
        if (memory->track && page < memory->ram_bytes >> PAGE_SHIFT)
                memory->track->copied[page] = 0;
}

bool memory_track_begin(struct memory *memory, GError **error)
{
        struct memory_track *track = memory->track;

        if (!track)
                return track_start(memory, false, error);
        lock_acquire(&memory->pages_lock);
        for (uint64_t page = 0; page < memory->ram_bytes >> PAGE_SHIFT; page++) {
                if (!track->copied[page] || track->again[page]) {
                        copy_to_shadow(memory, track, page);
                        track->copied[page] = 1;
                        track->count++;
                }
                __atomic_fetch_and(&memory->states[page], (uint8_t)~PAGE_TRACKED, __ATOMIC_SEQ_CST);
        }
        track->ahead = false;
        lock_release(&memory->pages_lock);
        return true;
}

void memory_read_file(struct memory *memory, uint64_t offset, size_t size, uint8_t *to)
{
        uint64_t end = offset + size;

        while (offset < end) {
                off_t data = memory->fd < 0 ? (off_t)offset : lseek(memory->fd, (off_t)offset, SEEK_DATA);
                uint64_t from = data < 0 ? end : MIN((uint64_t)data, end), until = end;

                memset(to, 0, from - offset);
                to += from - offset;
                if (from < end && memory->fd >= 0) {
                        off_t hole = lseek(memory->fd, (off_t)from, SEEK_HOLE);
                        until = hole > (off_t)from ? MIN((uint64_t)hole, end) : end;
                }
                memcpy(to, memory->host + from, until - from);
                to += until - from;
                offset = until;
        }
}

/* A tracked page.  Holes are looked for once for a run of them: pages in it that were filled since have been put aside.
 * (Where a run of data ends is not asked: the host would walk through all of it.) */
static void read_untouched(struct memory *memory, struct memory_track *track, uint64_t page, uint8_t *to)
{
        if (page_has_data(memory, track, page))
                memcpy(to, memory->host + (page << PAGE_SHIFT), PAGE_SIZE);
        else
                memset(to, 0, PAGE_SIZE);
}

void memory_track_fetch(struct memory *memory, uint64_t first, unsigned count, uint8_t *to)
{
        struct memory_track *track = memory->track;

        /* Page by page, so that no writer waits for long. */
        for (uint64_t i = first; i < first + count; i++, to += PAGE_SIZE) {
                lock_acquire(&memory->pages_lock);
                if (track->copied[i])
                        memcpy(to, track->shadow + (i << PAGE_SHIFT), PAGE_SIZE);
                else
                        read_untouched(memory, track, i, to);
                __atomic_fetch_and(&memory->states[i], (uint8_t)~PAGE_TRACKED, __ATOMIC_SEQ_CST);
                lock_release(&memory->pages_lock);
                /* What was put aside is not needed twice. */
                if (track->copied[i])
                        madvise(track->shadow + (i << PAGE_SHIFT), PAGE_SIZE, MADV_DONTNEED);
        }
}

void memory_track_end(struct memory *memory)
{
        struct memory_track *track;
        uint64_t pages = memory->ram_bytes >> PAGE_SHIFT;

        lock_acquire(&memory->pages_lock);
        track = memory->track;
        memory->track = NULL;
        for (uint64_t i = 0; track && i < pages; i++)
                if (__atomic_load_n(&memory->states[i], __ATOMIC_RELAXED) & PAGE_TRACKED)
                        __atomic_fetch_and(&memory->states[i], (uint8_t)~PAGE_TRACKED, __ATOMIC_SEQ_CST);
        lock_release(&memory->pages_lock);
        if (track)
                track_free(track, memory->ram_bytes);
}

uint64_t memory_track_copied(struct memory *memory)
{
        uint64_t bytes;

        lock_acquire(&memory->pages_lock);
        bytes = memory->track ? memory->track->count << PAGE_SHIFT : 0;
        lock_release(&memory->pages_lock);
        return bytes;
}

void memory_forget_file(struct memory *memory, uint64_t offset, size_t size)
{
        if (!size)
                return;
        if (madvise(memory->host + offset, size, MADV_REMOVE) < 0)
                memset(memory->host + offset, 0, size);
}
