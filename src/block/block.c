/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.c - requests, worker threads and completions, whatever the image's format.
 *
 * The way of a request:
 *      waiting   block_read() and its like append it to its image's list; it stays there while an
 *                earlier request is in its way (request_conflicts(): block.h, rules 1 and 2)
 *      ready     nothing is in its way; it is on the ready queue
 *      running   a pool thread took it from there; up to WORKERS_PER_IMAGE at once.  Or the kernel has it
 *                (io_uring; reads and writes of raw images), and the main loop or block_end() gets it back
 *      stalled   the disk was full; block_retry() makes it ready again
 *      done      the thread put it on the finished queue and woke the main loop
 *      gone      the main loop calls its completion with the machine lock held, or block_end() does
 *
 * Everything but `image` belongs to block->lock (rank BLOCK), under which nothing is called.
 */
#include <errno.h>
#include <string.h>

#include "block/block.h"
#include "block/driver.h"
#include "block/internal.h"

enum { WORKERS_MAX = 16, WORKERS_PER_IMAGE = 8 };
/* What an image would lose if we were killed goes to the kernel after that long. */
enum { SETTLE_US = 3000000 };

G_DEFINE_QUARK(lodger-block-error-quark, block_error)

enum request_kind { REQUEST_READ, REQUEST_WRITE, REQUEST_FLUSH, REQUEST_DISCARD, REQUEST_ZEROES, REQUEST_SETTLE };
enum request_state { WAITING, READY, RUNNING, STALLED, DONE };

struct request {
        enum request_kind kind;
        enum request_state state;
        unsigned flags;
        uint64_t offset, size;
        uint64_t first, end;            /* offset and offset + size, widened to conflict_bytes */
        int error;
        block_done *done;               /* NULL: our own work, nobody waits */
        void *opaque;
        GList unfinished;               /* in block->unfinished */
        unsigned count;
        struct iovec iov[];
};

struct block_source {
        GSource source;
        struct block *block;
};

/* -- Which requests wait for which -------------------------------------------------------------------- */

static bool request_modifies(const struct request *request)
{
        return request->kind == REQUEST_WRITE || request->kind == REQUEST_DISCARD || request->kind == REQUEST_ZEROES;
}

/* Whether `later` must wait for `earlier`, which is not finished. */
static bool request_conflicts(const struct request *earlier, const struct request *later)
{
        if (later->kind == REQUEST_FLUSH)
                return request_modifies(earlier);
        if (earlier->kind == REQUEST_FLUSH || earlier->kind == REQUEST_SETTLE || later->kind == REQUEST_SETTLE)
                return false;
        return (request_modifies(earlier) || request_modifies(later)) && earlier->first < later->end && later->first < earlier->end;
}

static bool request_is_free(const struct request *request)
{
        for (const GList *at = request->unfinished.prev; at; at = at->prev)
                if (request_conflicts(at->data, request))
                        return false;
        return true;
}

/* -- Workers ------------------------------------------------------------------------------------------- */

static bool is_full(int error)
{
        return error == ENOSPC || error == EDQUOT;
}

static int request_carry_out(struct block *block, struct request *request)
{
        struct block_image *image = block->image;

        switch (request->kind) {
        case REQUEST_READ:
                return image->driver->readv(image, request->offset, request->iov, request->count);
        case REQUEST_WRITE:
                return image->driver->writev(image, request->offset, request->iov, request->count);
        case REQUEST_DISCARD:
                return block->discards ? image_discard(image, request->offset, request->size) : 0;
        case REQUEST_ZEROES:
                return image_write_zeroes(image, request->offset, request->size, request->flags & BLOCK_UNMAP && block->discards);
        case REQUEST_FLUSH:
                return block->cache == BLOCK_CACHE_UNSAFE ? 0 : image->driver->flush(image);
        case REQUEST_SETTLE:
                return image->driver->settle ? image->driver->settle(image) : 0;
        }
        g_assert_not_reached();
}

static int request_run(struct block *block, struct request *request)
{
        bool modifies = request_modifies(request);
        int error;

        /* Offsets come from guests. */
        if (request->offset > block->image->size_bytes || request->size > block->image->size_bytes - request->offset)
                return EINVAL;
        if (block->image->read_only && request->kind != REQUEST_READ)
                return modifies ? EROFS : 0;
        error = request_carry_out(block, request);
        if (!error && modifies && (request->flags & BLOCK_FUA || block->cache == BLOCK_CACHE_WRITETHROUGH))
                error = block->image->driver->flush(block->image);
        return error;
}

/* Lock held: starts a worker for what is ready, if more may run. */
static void block_call_worker(struct block *block);

/* Lock held: the kernel does it by itself; false when it cannot. */
static bool block_give_kernel(struct block *block, struct request *request)
{
        const struct block_image *image = block->image;
        bool write = request->kind == REQUEST_WRITE;
        int fd;

        if (!block->uring || (!write && request->kind != REQUEST_READ) || !request->size || request->offset > image->size_bytes ||
            request->size > image->size_bytes - request->offset)
                return false;
        if (write && (image->read_only || request->flags & BLOCK_FUA || block->cache == BLOCK_CACHE_WRITETHROUGH))
                return false;
        fd = raw_kernel_fd(block->image, request->offset, request->iov, request->count);
        if (fd < 0 || !uring_submit(block->uring, fd, write, request->offset, request->iov, request->count, request))
                return false;
        request->state = RUNNING;
        return true;
}

/* Lock held: takes what nothing is in the way of any more from waiting to ready.  A worker goes on with
 * the first itself. */
static void block_advance(struct block *block, bool is_worker)
{
        bool first = is_worker;

        if (!block->waiting)
                return;
        for (GList *at = block->unfinished.head; at; at = at->next) {
                struct request *request = at->data;

                if (request->state == WAITING && request_is_free(request)) {
                        block->waiting--;
                        if (block_give_kernel(block, request))
                                continue;
                        request->state = READY;
                        g_queue_push_tail(&block->ready, request);
                        if (!first)
                                block_call_worker(block);
                        first = false;
                }
        }
}

static void block_count(struct block *block, const struct request *request)
{
        struct block_activity *activity = &block->activity;

        activity->errors += request->error != 0;
        switch (request->kind) {
        case REQUEST_READ:
                activity->reads++;
                activity->bytes_read += request->size;
                break;
        case REQUEST_WRITE:
        case REQUEST_ZEROES:
                activity->writes++;
                activity->bytes_written += request->kind == REQUEST_WRITE ? request->size : 0;
                break;
        case REQUEST_DISCARD:
                activity->discards++;
                break;
        case REQUEST_FLUSH:
                activity->flushes++;
                break;
        case REQUEST_SETTLE:
                break;
        }
}

/* Lock held: a request has been carried out. */
static void block_finish(struct block *block, struct request *request, int error, bool is_worker)
{
        request->error = error;
        if (is_full(error) && block->full && request->kind != REQUEST_READ && request->kind != REQUEST_SETTLE) {
                request->state = STALLED;
                block->stalled++;
                block->tell_full = true;
        } else {
                request->state = DONE;
                g_queue_unlink(&block->unfinished, &request->unfinished);
                block_count(block, request);
                g_queue_push_tail(&block->finished, request);
                block_advance(block, is_worker);
                if (request_modifies(request) && !block->dirty && block->image->driver->settle) {
                        block->dirty = true;
                        g_source_set_ready_time(block->settle_source, g_get_monotonic_time() + SETTLE_US);
                }
        }
        pthread_cond_broadcast(&block->changed);
        if (!block->attended || block->tell_full)
                g_source_set_ready_time(block->source, 0);
}

static void block_work(gpointer data, gpointer unused)
{
        struct block *block = data;
        struct request *request;

        (void)unused;
        lock_acquire(&block->lock);
        while ((request = g_queue_pop_head(&block->ready)) != NULL) {
                int error;

                request->state = RUNNING;
                lock_release(&block->lock);
                error = request_run(block, request);
                lock_acquire(&block->lock);
                block_finish(block, request, error, true);
        }
        block->workers--;
        pthread_cond_broadcast(&block->changed);
        lock_release(&block->lock);
}

static void block_call_worker(struct block *block)
{
        static gsize pool;

        if (g_once_init_enter(&pool)) {
                GThreadPool *made = g_thread_pool_new(block_work, NULL, WORKERS_MAX, FALSE, NULL);

                g_once_init_leave(&pool, (gsize)made);
        }
        if (block->workers >= WORKERS_PER_IMAGE)
                return;
        block->workers++;
        g_thread_pool_push((GThreadPool *)pool, block, NULL);
}

/* Lock held. */
static void block_make_ready(struct block *block, struct request *request)
{
        if (block_give_kernel(block, request))
                return;
        request->state = READY;
        g_queue_push_tail(&block->ready, request);
        block_call_worker(block);
}

static void block_submit(struct block *block, const struct request *model, const struct iovec *iov, unsigned count)
{
        struct request *request = g_malloc(sizeof(*request) + count * sizeof(*iov));
        uint64_t mask = block->image->conflict_bytes ? block->image->conflict_bytes - 1 : 0;

        *request = *model;
        request->count = count;
        if (count) {
                memcpy(request->iov, iov, count * sizeof(*iov));
                request->size = iov_size(iov, count);
        }
        request->first = request->offset & ~mask;
        request->end = request->offset + request->size;
        /* A range that wraps around is refused when it runs; it must not stand in the way of others. */
        request->end = request->end < request->offset ? request->offset : (request->end + mask) & ~mask;
        request->unfinished.data = request;
        lock_acquire(&block->lock);
        request->unfinished.prev = request->unfinished.next = NULL;
        g_queue_push_tail_link(&block->unfinished, &request->unfinished);
        block->activity.in_flight++;
        if (request_is_free(request)) {
                block_make_ready(block, request);
        } else {
                request->state = WAITING;
                block->waiting++;
        }
        lock_release(&block->lock);
}

/* Lock held, machine lock too: what the kernel has carried out.  What it did not, or only in part, is begun again by a
 * thread, which finds out why. */
static void block_take_back(struct block *block)
{
        void *data;
        int result;

        while (uring_in_flight(block->uring) && uring_next(block->uring, &data, &result)) {
                struct request *request = data;

                if (result >= 0 && (uint64_t)result == request->size) {
                        block_finish(block, request, 0, false);
                        continue;
                }
                request->state = READY;
                g_queue_push_tail(&block->ready, request);
                block_call_worker(block);
        }
}

/* Lock held, main loop: waits until a request has been carried out. */
static void block_wait(struct block *block)
{
        if (uring_in_flight(block->uring)) {
                lock_release(&block->lock);
                uring_wait(block->uring);
                lock_acquire(&block->lock);
                block_take_back(block);
        } else {
                pthread_cond_wait(&block->changed, &block->lock.mutex);
        }
}

/* -- Completions --------------------------------------------------------------------------------------- */

/* Completes one finished request; false when there is none. */
static bool block_complete_one(struct block *block)
{
        struct request *request;

        lock_acquire(&block->lock);
        request = g_queue_pop_head(&block->finished);
        if (request)
                block->activity.in_flight--;
        lock_release(&block->lock);
        if (!request)
                return false;
        if (request->done)
                request->done(request->opaque, request->error);
        g_free(request);
        return true;
}

void block_begin(struct block *block)
{
        if (!block->uring)
                return;
        lock_acquire(&block->lock);
        block->attended = true;
        uring_set_event(block->uring, false);
        lock_release(&block->lock);
}

void block_end(struct block *block)
{
        if (!block->uring)
                return;
        lock_acquire(&block->lock);
        block_take_back(block);
        lock_release(&block->lock);
        while (block_complete_one(block))
                ;
        lock_acquire(&block->lock);
        block->attended = false;
        uring_set_event(block->uring, true);
        /* What ended before the event was on again has told nobody. */
        block_take_back(block);
        if (!g_queue_is_empty(&block->finished))
                g_source_set_ready_time(block->source, 0);
        lock_release(&block->lock);
}

static gboolean block_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
        struct block *block = ((struct block_source *)source)->block;
        struct lock *machine_lock = block->machine_lock;
        block_full *full = NULL;
        void *opaque = NULL;

        (void)callback;
        (void)data;
        g_source_set_ready_time(source, -1);
        lock_acquire(machine_lock);
        if (block->uring) {
                lock_acquire(&block->lock);
                uring_clear_event(block->uring);
                block_take_back(block);
                lock_release(&block->lock);
        }
        /* A completion may close the image (a CD that its guest ejects does not, but rules change). */
        while (!g_source_is_destroyed(source) && block_complete_one(block))
                ;
        if (!g_source_is_destroyed(source)) {
                lock_acquire(&block->lock);
                if (block->tell_full) {
                        block->tell_full = false;
                        full = block->full;
                        opaque = block->full_opaque;
                }
                lock_release(&block->lock);
        }
        lock_release(machine_lock);
        if (full)
                full(opaque, block);
        return G_SOURCE_CONTINUE;
}

static gboolean block_settle(GSource *source, GSourceFunc callback, gpointer data)
{
        struct block *block = ((struct block_source *)source)->block;

        (void)callback;
        (void)data;
        g_source_set_ready_time(source, -1);
        lock_acquire(block->machine_lock);
        lock_acquire(&block->lock);
        block->dirty = false;
        lock_release(&block->lock);
        block_submit(block, &(struct request){ .kind = REQUEST_SETTLE }, NULL, 0);
        lock_release(block->machine_lock);
        return G_SOURCE_CONTINUE;
}

static GSourceFuncs block_source_funcs = { .dispatch = block_dispatch };
static GSourceFuncs settle_source_funcs = { .dispatch = block_settle };

bool block_drain(struct block *block)
{
        bool done;

        lock_acquire(&block->lock);
        for (;;) {
                unsigned held = block->stalled + block->waiting;        /* nothing of it is at work */

                if (!g_queue_is_empty(&block->finished)) {
                        lock_release(&block->lock);
                        block_complete_one(block);
                        lock_acquire(&block->lock);
                } else if (g_queue_get_length(&block->unfinished) > held) {
                        block_wait(block);
                } else {
                        break;
                }
        }
        done = g_queue_is_empty(&block->unfinished);
        lock_release(&block->lock);
        return done;
}

/* -- Full disks ---------------------------------------------------------------------------------------- */

void block_on_full(struct block *block, block_full *full, void *opaque)
{
        lock_acquire(&block->lock);
        block->full = full;
        block->full_opaque = opaque;
        lock_release(&block->lock);
}

void block_retry(struct block *block)
{
        lock_acquire(&block->lock);
        for (GList *at = block->unfinished.head; at && block->stalled; at = at->next) {
                struct request *request = at->data;

                if (request->state != STALLED)
                        continue;
                block->stalled--;
                block_make_ready(block, request);
        }
        lock_release(&block->lock);
}

bool block_is_waiting(struct block *block)
{
        bool waiting;

        lock_acquire(&block->lock);
        waiting = block->stalled > 0;
        lock_release(&block->lock);
        return waiting;
}

/* -- Requests ------------------------------------------------------------------------------------------ */

void block_readv(struct block *block, uint64_t offset, const struct iovec *to, unsigned count, block_done *done, void *opaque)
{
        block_submit(block, &(struct request){ .kind = REQUEST_READ, .offset = offset, .done = done, .opaque = opaque }, to, count);
}

void block_writev(struct block *block, uint64_t offset, const struct iovec *from, unsigned count, unsigned flags,
                  block_done *done, void *opaque)
{
        block_submit(block, &(struct request){ .kind = REQUEST_WRITE, .offset = offset, .flags = flags, .done = done,
                                               .opaque = opaque }, from, count);
}

void block_read(struct block *block, uint64_t offset, void *to, size_t size, block_done *done, void *opaque)
{
        block_readv(block, offset, &(struct iovec){ to, size }, 1, done, opaque);
}

void block_write(struct block *block, uint64_t offset, const void *from, size_t size, block_done *done, void *opaque)
{
        block_writev(block, offset, &(struct iovec){ (void *)(uintptr_t)from, size }, 1, 0, done, opaque);
}

void block_flush(struct block *block, block_done *done, void *opaque)
{
        block_submit(block, &(struct request){ .kind = REQUEST_FLUSH, .done = done, .opaque = opaque }, NULL, 0);
}

void block_discard(struct block *block, uint64_t offset, uint64_t size, block_done *done, void *opaque)
{
        block_submit(block, &(struct request){ .kind = REQUEST_DISCARD, .offset = offset, .size = size, .done = done,
                                               .opaque = opaque }, NULL, 0);
}

void block_write_zeroes(struct block *block, uint64_t offset, uint64_t size, unsigned flags, block_done *done, void *opaque)
{
        block_submit(block, &(struct request){ .kind = REQUEST_ZEROES, .offset = offset, .size = size, .flags = flags,
                                               .done = done, .opaque = opaque }, NULL, 0);
}

bool block_peek(struct block *block, uint64_t offset, void *to, size_t size)
{
        uint64_t end = block->image->size_bytes;

        return offset <= end && size <= end - offset && image_read(block->image, offset, to, size) == 0;
}

/* -- What it is ---------------------------------------------------------------------------------------- */

const char *block_path(const struct block *block) { return block->path; }
const char *block_format(const struct block *block) { return block->image->driver->name; }
const char *block_serial(const struct block *block) { return block->serial; }
uint64_t block_size_bytes(const struct block *block) { return block->image->size_bytes; }
bool block_is_read_only(const struct block *block) { return block->image->read_only; }

bool block_can_discard(const struct block *block)
{
        return block->discards && block->image->driver->discard && !block->image->read_only;
}

bool block_has_write_cache(const struct block *block)
{
        return block->cache != BLOCK_CACHE_WRITETHROUGH;
}

void block_activity(struct block *block, struct block_activity *activity)
{
        lock_acquire(&block->lock);
        *activity = block->activity;
        lock_release(&block->lock);
}

/* -- Life ---------------------------------------------------------------------------------------------- */

static GSource *block_attach(struct block *block, GSourceFuncs *funcs, const char *name)
{
        GSource *source = g_source_new(funcs, sizeof(struct block_source));
        GMainContext *context = g_main_context_ref_thread_default();

        ((struct block_source *)source)->block = block;
        g_source_set_name(source, name);
        g_source_attach(source, context);
        g_main_context_unref(context);
        return source;
}

/* The main loop's. */
static GList *open_blocks;

struct block *block_open(const char *path, const struct block_options *options, struct lock *machine_lock,
                         GError **error)
{
        unsigned unit = options->unit_bytes ? options->unit_bytes : 512;
        struct block_image *image = image_open(path, options, error);
        struct block *block;

        if (image && image->size_bytes % unit) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_SIZE,
                            "%s: truncated: not a whole number of %u-byte sectors; get a complete copy, or pad it with "
                            "\"truncate -s %%%u\"", path, unit, unit);
                image->driver->close(image);
                return NULL;
        }
        if (image && options->throwaway)
                image = overlay_open(image, error);
        if (!image)
                return NULL;
        image->read_only = options->read_only;
        block = g_new0(struct block, 1);
        block->image = image;
        block->path = g_strdup(path);
        block->serial = g_strdup(options->serial);
        block->cache = options->throwaway ? BLOCK_CACHE_UNSAFE : options->cache;
        block->discards = !options->no_discard;
        block->machine_lock = machine_lock;
        lock_init(&block->lock, LOCK_RANK_BLOCK, "block");
        pthread_cond_init(&block->changed, NULL);
        g_queue_init(&block->unfinished);
        g_queue_init(&block->ready);
        g_queue_init(&block->finished);
        block->source = block_attach(block, &block_source_funcs, "block completions");
        block->settle_source = block_attach(block, &settle_source_funcs, "block settling");
        block->uring = raw_fd(image) >= 0 ? uring_new() : NULL;
        if (block->uring)
                g_source_add_unix_fd(block->source, uring_event_fd(block->uring), G_IO_IN);
        open_blocks = g_list_prepend(open_blocks, block);
        return block;
}

void block_foreach(void (*fn)(struct block *block, void *opaque), void *opaque)
{
        g_list_foreach(open_blocks, (GFunc)(void (*)(void))fn, opaque);
}

static void request_drop(gpointer data)
{
        g_free(data);
}

void block_close(struct block *block)
{
        if (!block)
                return;
        open_blocks = g_list_remove(open_blocks, block);
        lock_acquire(&block->lock);
        while (block->workers || uring_in_flight(block->uring) || (g_queue_get_length(&block->unfinished) && !block->stalled))
                block_wait(block);
        lock_release(&block->lock);
        uring_free(block->uring);
        g_source_destroy(block->source);
        g_source_unref(block->source);
        g_source_destroy(block->settle_source);
        g_source_unref(block->settle_source);
        /* What waited for room on a full disk is lost, as by a power failure. */
        while (block->unfinished.head) {
                struct request *request = block->unfinished.head->data;

                g_queue_unlink(&block->unfinished, &request->unfinished);
                request_drop(request);
        }
        g_queue_clear_full(&block->finished, request_drop);
        image_close(block->image);
        pthread_cond_destroy(&block->changed);
        lock_destroy(&block->lock);
        g_free(block->path);
        g_free(block->serial);
        g_free(block);
}
