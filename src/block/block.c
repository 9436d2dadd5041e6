/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.c - requests, worker threads and completions, whatever the image's format.
 *
 * The way of a request:
 *      waiting   block_read() and its like append it to its image's queue
 *      running   a pool thread takes requests from the front of the queue until it is empty; an image
 *                is in the pool at most once, so its requests run one by one and in order
 *      done      the thread puts it on the finished queue and wakes the main loop
 *      gone      the main loop calls its completion with the machine lock held
 *
 * Both queues belong to block->lock (rank BLOCK), under which nothing is called.
 */
#include <errno.h>
#include <string.h>

#include "block/block.h"
#include "block/driver.h"

enum { WORKERS_MAX = 4 };

G_DEFINE_QUARK(lodger-block-error-quark, block_error)

enum request_kind { REQUEST_READ, REQUEST_WRITE, REQUEST_FLUSH };

struct request {
        enum request_kind kind;
        uint64_t offset;
        union { void *to; const void *from; } bytes;
        size_t size;
        int error;
        block_done *done;
        void *opaque;
};

struct block {
        struct block_image *image;
        char *path;
        struct lock *machine_lock;
        GSource *source;                /* made ready when something has finished */

        struct lock lock;
        pthread_cond_t changed;         /* a request has finished, or the worker has left */
        GQueue waiting, finished;       /* of struct request * */
        bool in_pool;
        unsigned in_flight;             /* made and not yet completed */
};

struct block_source {
        GSource source;
        struct block *block;
};

/* -- Workers ------------------------------------------------------------------------------------- */

static int request_run(struct block_image *image, const struct request *request)
{
        /* Offsets come from guests. */
        if (request->kind != REQUEST_FLUSH &&
            (request->offset > image->size_bytes || request->size > image->size_bytes - request->offset))
                return EINVAL;
        switch (request->kind) {
        case REQUEST_READ:
                return image->driver->read(image, request->offset, request->bytes.to, request->size);
        case REQUEST_WRITE:
                return image->read_only ? EROFS
                                        : image->driver->write(image, request->offset, request->bytes.from, request->size);
        case REQUEST_FLUSH:
                return image->read_only ? 0 : image->driver->flush(image);
        }
        g_assert_not_reached();
}

static void block_work(gpointer data, gpointer unused)
{
        struct block *block = data;
        struct request *request;

        (void)unused;
        lock_acquire(&block->lock);
        while ((request = g_queue_pop_head(&block->waiting)) != NULL) {
                lock_release(&block->lock);
                request->error = request_run(block->image, request);
                lock_acquire(&block->lock);
                g_queue_push_tail(&block->finished, request);
                pthread_cond_broadcast(&block->changed);
                g_source_set_ready_time(block->source, 0);
        }
        block->in_pool = false;
        pthread_cond_broadcast(&block->changed);
        lock_release(&block->lock);
}

static void block_submit(struct block *block, const struct request *model)
{
        static gsize pool;

        if (g_once_init_enter(&pool)) {
                GThreadPool *made = g_thread_pool_new(block_work, NULL, WORKERS_MAX, FALSE, NULL);

                g_once_init_leave(&pool, (gsize)made);
        }
        lock_acquire(&block->lock);
        g_queue_push_tail(&block->waiting, g_memdup2(model, sizeof(*model)));
        block->in_flight++;
        if (!block->in_pool) {
                block->in_pool = true;
                g_thread_pool_push((GThreadPool *)pool, block, NULL);
        }
        lock_release(&block->lock);
}

/* -- Completions --------------------------------------------------------------------------------- */

/* Completes one finished request; false when there is none. */
static bool block_complete_one(struct block *block)
{
        struct request *request;

        lock_acquire(&block->lock);
        request = g_queue_pop_head(&block->finished);
        if (request)
                block->in_flight--;
        lock_release(&block->lock);
        if (!request)
                return false;
        request->done(request->opaque, request->error);
        g_free(request);
        return true;
}

static gboolean block_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
        struct block *block = ((struct block_source *)source)->block;
        struct lock *machine_lock = block->machine_lock;

        (void)callback;
        (void)data;
        g_source_set_ready_time(source, -1);
        lock_acquire(machine_lock);
        /* A completion may close the image (a CD that its guest ejects does not, but rules change). */
        while (!g_source_is_destroyed(source) && block_complete_one(block))
                ;
        lock_release(machine_lock);
        return G_SOURCE_CONTINUE;
}

static GSourceFuncs block_source_funcs = { .dispatch = block_dispatch };

void block_drain(struct block *block)
{
        lock_acquire(&block->lock);
        while (block->in_flight) {
                if (g_queue_is_empty(&block->finished)) {
                        pthread_cond_wait(&block->changed, &block->lock.mutex);
                        continue;
                }
                lock_release(&block->lock);
                block_complete_one(block);
                lock_acquire(&block->lock);
        }
        lock_release(&block->lock);
}

/* -- Requests ------------------------------------------------------------------------------------ */

void block_read(struct block *block, uint64_t offset, void *to, size_t size, block_done *done, void *opaque)
{
        block_submit(block, &(struct request){ .kind = REQUEST_READ, .offset = offset, .bytes.to = to, .size = size,
                                               .done = done, .opaque = opaque });
}

void block_write(struct block *block, uint64_t offset, const void *from, size_t size, block_done *done, void *opaque)
{
        block_submit(block, &(struct request){ .kind = REQUEST_WRITE, .offset = offset, .bytes.from = from,
                                               .size = size, .done = done, .opaque = opaque });
}

void block_flush(struct block *block, block_done *done, void *opaque)
{
        block_submit(block, &(struct request){ .kind = REQUEST_FLUSH, .done = done, .opaque = opaque });
}

bool block_peek(struct block *block, uint64_t offset, void *to, size_t size)
{
        struct request request = { .kind = REQUEST_READ, .offset = offset, .bytes.to = to, .size = size };

        return request_run(block->image, &request) == 0;
}

/* -- Life ---------------------------------------------------------------------------------------- */

const char *block_path(const struct block *block)
{
        return block->path;
}

uint64_t block_size_bytes(const struct block *block)
{
        return block->image->size_bytes;
}

bool block_is_read_only(const struct block *block)
{
        return block->image->read_only;
}

struct block *block_open(const char *path, const struct block_options *options, struct lock *machine_lock,
                         GError **error)
{
        unsigned unit = options->unit_bytes ? options->unit_bytes : 512;
        GMainContext *context;
        struct block_image *image = raw_open(path, options->read_only || options->throwaway, error);
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
        block->machine_lock = machine_lock;
        lock_init(&block->lock, LOCK_RANK_BLOCK, "block");
        pthread_cond_init(&block->changed, NULL);
        g_queue_init(&block->waiting);
        g_queue_init(&block->finished);
        block->source = g_source_new(&block_source_funcs, sizeof(struct block_source));
        ((struct block_source *)block->source)->block = block;
        g_source_set_name(block->source, "block completions");
        context = g_main_context_ref_thread_default();
        g_source_attach(block->source, context);
        g_main_context_unref(context);
        return block;
}

void block_close(struct block *block)
{
        if (!block)
                return;
        lock_acquire(&block->lock);
        while (block->in_pool)
                pthread_cond_wait(&block->changed, &block->lock.mutex);
        lock_release(&block->lock);
        g_source_destroy(block->source);
        g_source_unref(block->source);
        g_queue_clear_full(&block->finished, g_free);
        if (!block->image->read_only)
                block->image->driver->flush(block->image);
        block->image->driver->close(block->image);
        pthread_cond_destroy(&block->changed);
        lock_destroy(&block->lock);
        g_free(block->path);
        g_free(block);
}
