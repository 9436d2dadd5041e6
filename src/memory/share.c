/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share.c - RAM that several machines have in common until one of them writes to it.
 *
 * The frozen file is mapped privately in place of the shared mapping, so the host copies a page at its first write.  That
 * works because RAM has one mapping only, the alias; other views of a private mapping would not see its copies (traps.md
 * T23).  The page-state table says which pages are still the file's:
 *
 * S1  PAGE_SHARED: nobody has written to the page since it was frozen.  Like a tracked page it is never writable without
 *     asking; the first writer clears the mark (pages.c).
 * S2  A page without it may have other bytes than the file.  When RAM is frozen again, such pages go along with the file
 *     as long as there are few; otherwise a new file is made.
 * S3  The file is never written to through this mapping or another one once it has been frozen; what follows RAM in it
 *     (ROMs, video memory) stays shared and is nobody else's.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/internal.h"
#include "memory/share.h"

/* More changed pages than one in so many: not carried along any more, but made part of a new file. */
enum { CHANGED_PART = 16 };

static bool host_error(GError **error, const char *what)
{
        int number = errno;

        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(number), "%s: %s", what, g_strerror(number));
        return false;
}

static bool map_frozen(struct memory *memory, int fd, GError **error)
{
        if (mmap(memory->host, memory->ram_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd, 0) == MAP_FAILED)
                return host_error(error, "cannot share guest memory");
        madvise(memory->host, memory->ram_bytes, MADV_DONTDUMP);
        return true;
}

static void mark_all(struct memory *memory, bool shared)
{
        for (uint64_t i = 0; i < memory->ram_bytes >> PAGE_SHIFT; i++)
                if (shared)
                        __atomic_fetch_or(&memory->states[i], PAGE_SHARED, __ATOMIC_SEQ_CST);
                else
                        __atomic_fetch_and(&memory->states[i], (uint8_t)~PAGE_SHARED, __ATOMIC_SEQ_CST);
        if (!shared)
                return;
        /* Permissions that vCPUs have cached let them write without asking. */
        for (struct memory_listener *listener = memory->listeners; listener; listener = listener->next)
                (listener->data_moved ? listener->data_moved : listener->map_changed)(listener->opaque);
}

static bool changed_little(const struct memory *memory)
{
        uint64_t pages = memory->ram_bytes >> PAGE_SHIFT, changed = 0;

        for (uint64_t i = 0; i < pages; i++)
                changed += memory_share_differs(memory, i);
        return changed <= pages / CHANGED_PART;
}

/* Pages that have never been anything but zeroes stay holes. */
static bool copy_page_to(const struct memory *memory, uint64_t page, int fd, uint64_t *data_from)
{
        uint64_t offset = page << PAGE_SHIFT;

        if (!memory_share_differs(memory, page)) {
                if (offset >= *data_from) {
                        off_t data = lseek(memory->frozen_fd, (off_t)offset, SEEK_DATA);

                        *data_from = data < 0 ? UINT64_MAX : (uint64_t)data;
                }
                if (offset < *data_from)
                        return true;
        }
        return pwrite(fd, memory->host + offset, PAGE_SIZE, (off_t)offset) == PAGE_SIZE;
}

/* RAM as it is now, in a file of its own. */
static int frozen_copy(const struct memory *memory, GError **error)
{
        uint64_t pages = memory->ram_bytes >> PAGE_SHIFT, data_from = 0;
        int fd = memory_backing_open(memory->ram_bytes);

        if (fd < 0) {
                host_error(error, "cannot copy guest memory");
                return -1;
        }
        for (uint64_t page = 0; page < pages; page++)
                if (!copy_page_to(memory, page, fd, &data_from)) {
                        host_error(error, "cannot copy guest memory");
                        close(fd);
                        return -1;
                }
        return fd;
}

static void forget_frozen(struct memory *memory)
{
        if (memory->frozen_fd >= 0)
                close(memory->frozen_fd);
        memory->frozen_fd = -1;
}

/* Takes the descriptor over when it succeeds. */
static bool freeze(struct memory *memory, int fd, bool noted, GError **error)
{
        if (fd < 0 || !map_frozen(memory, fd, error))
                return false;
        forget_frozen(memory);
        memory->frozen_fd = fd;
        mark_all(memory, noted);
        return true;
}

int memory_share(struct memory *memory, bool noted, GError **error)
{
        bool again = memory->frozen_fd >= 0;
        int fd;

        if (memory->fd < 0) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSYS, "this host gives the machine no memfd, so its memory cannot be shared");
                return -1;
        }
        if (!again || !changed_little(memory)) {
                fd = again ? frozen_copy(memory, error) : fcntl(memory->fd, F_DUPFD_CLOEXEC, 0);
                if (!freeze(memory, fd, noted, error)) {
                        if (fd >= 0)
                                close(fd);
                        return -1;
                }
        }
        fd = fcntl(memory->frozen_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                host_error(error, "cannot share guest memory");
        return fd;
}

bool memory_share_differs(const struct memory *memory, uint64_t page)
{
        return !(__atomic_load_n(&memory->states[page], __ATOMIC_ACQUIRE) & PAGE_SHARED);
}

void memory_share_distrust(struct memory *memory)
{
        if (memory->frozen_fd >= 0)
                mark_all(memory, false);
}

bool memory_adopt(struct memory *memory, int fd, bool noted, GError **error)
{
        off_t bytes = lseek(fd, 0, SEEK_END);
        int own;

        if (bytes < (off_t)memory->ram_bytes) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "the memory handed over is smaller than the machine's");
                return false;
        }
        own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (freeze(memory, own, noted, error))
                return true;
        if (own >= 0)
                close(own);
        else
                host_error(error, "cannot share guest memory");
        return false;
}
