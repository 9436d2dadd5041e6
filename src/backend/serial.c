/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial.c - serial back ends: the queue between device and host, and the main-loop sources.
 *
 * Output is queued by the device (any thread, machine lock) and written by the main loop, which
 * holds the lock only to copy a piece out of the queue.  A descriptor may be blocking, because the standard
 * streams are shared with other processes and must stay as they are: it is polled first, and given
 * no more than poll()'s answer promises.
 *
 * Input is read only as far as the device has room (or somewhat ahead, where a kind has keys of its
 * own); the source sleeps otherwise.  At the end of
 * input the source goes, because an ended descriptor is readable for ever (traps.md T20).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/serial.h"
#include "base/log.h"

enum {
        PIECE_BYTES = 4096,             /* PIPE_BUF: what a writable pipe takes without blocking */
        HIGH_WATER_BYTES = 64 << 10,    /* lossless: the guest is held up beyond this */
        LOW_WATER_BYTES = 16 << 10,
        QUEUE_MAX_BYTES = 1 << 20,      /* others: the oldest go beyond this */
        FLUSH_STALL_MS = 10000,         /* at the end: give up after so long without progress */
};

/* -- Sources ----------------------------------------------------------------------------------- */

/* A source polls its descriptor only while there is something to do: an ended one would be reported
 * even if nothing was asked.  Other threads therefore only make the source look again, through its
 * ready time; the main loop adds and removes the descriptor. */
struct serial_source {
        GSource source;
        struct serial_backend *backend;
        bool input;
        gpointer tag;                   /* of the descriptor; NULL while it is not polled */
};

static void serial_read(struct serial_backend *backend);
static void serial_flush_piece(struct serial_backend *backend);

/* Input is wanted while the device has room, output while something is queued.  Machine lock held. */
static bool serial_wants(const struct serial_backend *backend, bool input)
{
        if (!input)
                return backend->queue->len > 0;
        if (backend->kind->filter)
                return backend->ops && backend->ahead_count < SERIAL_AHEAD;
        return backend->ops && backend->ops->room(backend->opaque) > 0;
}

/* Machine lock held, any thread: something that serial_wants() asks has changed. */
static void serial_update(struct serial_backend *backend)
{
        for (int input = 0; input < 2; input++) {
                GSource *source = input ? backend->in : backend->out;
                if (source && !((struct serial_source *)source)->tag && serial_wants(backend, input))
                        g_source_set_ready_time(source, 0);
        }
}

static gboolean source_check(GSource *source)
{
        struct serial_source *ours = (struct serial_source *)source;

        return ours->tag && g_source_query_unix_fd(source, ours->tag) != 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc fn, gpointer opaque)
{
        struct serial_source *ours = (struct serial_source *)source;
        struct serial_backend *backend = ours->backend;

        (void)fn;
        (void)opaque;
        g_source_set_ready_time(source, -1);
        if (!ours->input)
                serial_flush_piece(backend);
        else if (ours->tag)
                serial_read(backend);
        if (g_source_is_destroyed(source))
                return G_SOURCE_REMOVE;

        lock_acquire(backend->host.lock);
        bool wanted = serial_wants(backend, ours->input);
        if (wanted && !ours->tag) {
                ours->tag = g_source_add_unix_fd(source, ours->input ? backend->in_fd : backend->out_fd,
                                                 (ours->input ? G_IO_IN : G_IO_OUT) | G_IO_HUP | G_IO_ERR);
        } else if (!wanted && ours->tag) {
                g_source_remove_unix_fd(source, ours->tag);
                ours->tag = NULL;
        }
        lock_release(backend->host.lock);
        return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { .check = source_check, .dispatch = source_dispatch };

static GSource *source_new(struct serial_backend *backend, bool input)
{
        GSource *source = g_source_new(&source_funcs, sizeof(struct serial_source));
        struct serial_source *ours = (struct serial_source *)source;

        ours->backend = backend;
        ours->input = input;
        g_source_set_static_name(source, input ? "serial input" : "serial output");
        g_source_attach(source, backend->context);
        return source;
}

static void source_drop(GSource **source)
{
        if (*source) {
                g_source_destroy(*source);
                g_source_unref(*source);
                *source = NULL;
        }
}

/* -- Output ------------------------------------------------------------------------------------ */

/* One write of what is at the head of the queue.  Whether bytes left it. */
static bool serial_write_piece(struct serial_backend *backend)
{
        uint8_t piece[PIECE_BYTES];
        size_t size;
        ssize_t n;
        struct pollfd ready = { .fd = backend->out_fd, .events = POLLOUT };

        lock_acquire(backend->host.lock);
        size = MIN(backend->queue->len, sizeof(piece));
        memcpy(piece, backend->queue->data, size);
        lock_release(backend->host.lock);
        if (!size || poll(&ready, 1, 0) <= 0)
                return false;

        n = backend->out_is_socket ? send(backend->out_fd, piece, size, MSG_DONTWAIT) : write(backend->out_fd, piece, size);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;

        int saved = errno;
        lock_acquire(backend->host.lock);
        if (n < 0) {
                /* A vanished reader of a socket is its kind's affair; anything else is said once. */
                if (!backend->kind->hung_up)
                        log_error("serial line \"%s\": output is lost: %s", backend->kind->name, g_strerror(saved));
                backend->out_failed = true;
                n = backend->queue->len;
        }
        /* The device may have dropped old bytes meanwhile (QUEUE_MAX_BYTES), never all it has. */
        g_byte_array_remove_range(backend->queue, 0, MIN((guint)n, backend->queue->len));
        if (backend->held_up && backend->queue->len <= LOW_WATER_BYTES) {
                backend->held_up = false;
                if (backend->ops)
                        backend->ops->writable(backend->opaque);
        }
        lock_release(backend->host.lock);
        return true;
}

static void serial_flush_piece(struct serial_backend *backend)
{
        serial_write_piece(backend);
        if (backend->out_failed && backend->kind->hung_up)
                backend->kind->hung_up(backend);
}

/* The machine has ended: writes all there is. */
static void serial_flush(struct serial_backend *backend)
{
        struct pollfd ready = { .fd = backend->out_fd, .events = POLLOUT };

        while (backend->out && backend->queue->len) {
                if (serial_write_piece(backend))
                        continue;
                if (poll(&ready, 1, FLUSH_STALL_MS) == 0) {
                        log_error("serial line \"%s\": nobody reads, %u bytes of output are lost", backend->kind->name,
                                  backend->queue->len);
                        return;
                }
        }
}

void serial_backend_write(struct serial_backend *backend, const uint8_t *bytes, size_t size)
{
        if (backend->out_failed || backend->kind == &serial_kind_none || (backend->kind->lossless && !backend->out))
                return;
        g_byte_array_append(backend->queue, bytes, (guint)size);
        if (!backend->kind->lossless && backend->queue->len > QUEUE_MAX_BYTES)
                g_byte_array_remove_range(backend->queue, 0, backend->queue->len - QUEUE_MAX_BYTES / 2);
        serial_update(backend);
}

bool serial_backend_writable(struct serial_backend *backend)
{
        if (!backend->kind->lossless || backend->out_failed || backend->queue->len < HIGH_WATER_BYTES)
                return true;
        backend->held_up = true;
        return false;
}

/* -- Input ------------------------------------------------------------------------------------- */

/* Gives the device what was read ahead, as far as it has room.  Machine lock held. */
static void serial_give_ahead(struct serial_backend *backend)
{
        while (backend->ops && backend->ahead_count && backend->ops->room(backend->opaque)) {
                uint16_t item = backend->ahead[backend->ahead_first];
                uint8_t byte = (uint8_t)item;
                backend->ahead_first = (backend->ahead_first + 1) % SERIAL_AHEAD;
                backend->ahead_count--;
                if (item == SERIAL_AHEAD_BREAK)
                        backend->ops->receive_break(backend->opaque);
                else
                        backend->ops->receive(backend->opaque, &byte, 1);
        }
}

static void serial_filter(struct serial_backend *backend, const uint8_t *bytes, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                enum serial_input input = backend->kind->filter(backend, bytes[i]);
                if (input == SERIAL_DROP)
                        continue;
                lock_acquire(backend->host.lock);
                unsigned at = (backend->ahead_first + backend->ahead_count++) % SERIAL_AHEAD;
                backend->ahead[at] = input == SERIAL_BREAK ? SERIAL_AHEAD_BREAK : bytes[i];
                serial_give_ahead(backend);
                lock_release(backend->host.lock);
        }
}

static void serial_read(struct serial_backend *backend)
{
        uint8_t bytes[64];

        lock_acquire(backend->host.lock);
        size_t room = !backend->ops ? 0 : backend->kind->filter ? SERIAL_AHEAD - backend->ahead_count :
                      backend->ops->room(backend->opaque);
        lock_release(backend->host.lock);
        if (!room)
                return;

        ssize_t n = read(backend->in_fd, bytes, MIN(room, sizeof(bytes)));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                if (backend->kind->hung_up) {
                        backend->kind->hung_up(backend);
                        return;
                }
                lock_acquire(backend->host.lock);
                source_drop(&backend->in);
                lock_release(backend->host.lock);
                return;
        }
        if (backend->kind->filter) {
                serial_filter(backend, bytes, (size_t)n);
                return;
        }
        lock_acquire(backend->host.lock);
        if (backend->ops)
                backend->ops->receive(backend->opaque, bytes, (size_t)n);
        lock_release(backend->host.lock);
}

void serial_backend_accept_input(struct serial_backend *backend)
{
        serial_give_ahead(backend);
        serial_update(backend);
}

/* -- Streams ----------------------------------------------------------------------------------- */

void serial_streams_open(struct serial_backend *backend, int in_fd, int out_fd)
{
        lock_acquire(backend->host.lock);
        backend->in_fd = in_fd;
        backend->out_fd = out_fd;
        backend->out_failed = false;
        if (in_fd >= 0)
                backend->in = source_new(backend, true);
        if (out_fd >= 0)
                backend->out = source_new(backend, false);
        struct stat status;
        backend->out_is_socket = out_fd >= 0 && !fstat(out_fd, &status) && S_ISSOCK(status.st_mode);
        serial_update(backend);
        lock_release(backend->host.lock);
}

void serial_streams_close(struct serial_backend *backend)
{
        lock_acquire(backend->host.lock);
        source_drop(&backend->in);
        source_drop(&backend->out);
        backend->in_fd = backend->out_fd = -1;
        backend->out_failed = false;
        lock_release(backend->host.lock);
}

/* -- Life -------------------------------------------------------------------------------------- */

static bool none_open(struct serial_backend *backend, const char *argument, GError **error)
{
        (void)backend;
        (void)argument;
        (void)error;
        return true;
}

const struct serial_kind serial_kind_none = { .name = "none", .open = none_open };

static const struct serial_kind *const serial_kinds[] = {
        &serial_kind_none, &serial_kind_stdio, &serial_kind_file, &serial_kind_unix, &serial_kind_pty,
};

/* The kind that spec names; *argument is what follows its colon. */
static const struct serial_kind *serial_kind_find(const char *spec, const char **argument)
{
        for (size_t i = 0; i < G_N_ELEMENTS(serial_kinds); i++) {
                const struct serial_kind *kind = serial_kinds[i];
                size_t length = strlen(kind->name);
                if (strncmp(spec, kind->name, length))
                        continue;
                *argument = spec + length + (kind->has_argument ? 1 : 0);
                if (kind->has_argument ? spec[length] == ':' && spec[length + 1] : !spec[length])
                        return kind;
        }
        return NULL;
}

struct serial_backend *serial_backend_new(const char *spec, const struct serial_host *host, GError **error)
{
        const char *argument = NULL;
        const struct serial_kind *kind = serial_kind_find(spec, &argument);

        if (!kind) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "serial line \"%s\" is none of stdio, file:PATH, unix:PATH, pty, none", spec);
                return NULL;
        }
        /* A reader that goes away is an error of write(), not the end of the machine. */
        signal(SIGPIPE, SIG_IGN);

        struct serial_backend *backend = g_new0(struct serial_backend, 1);
        backend->kind = kind;
        backend->host = *host;
        backend->context = g_main_context_ref_thread_default();
        backend->queue = g_byte_array_new();
        backend->in_fd = backend->out_fd = -1;
        if (!kind->open(backend, argument, error)) {
                g_byte_array_unref(backend->queue);
                g_main_context_unref(backend->context);
                g_free(backend);
                return NULL;
        }
        return backend;
}

void serial_backend_free(struct serial_backend *backend)
{
        if (!backend)
                return;
        if (backend->kind->lossless)
                serial_flush(backend);
        else if (backend->out)
                while (serial_write_piece(backend))
                        ;
        serial_backend_attach(backend, NULL, NULL);
        serial_streams_close(backend);
        if (backend->kind->close)
                backend->kind->close(backend);
        g_byte_array_unref(backend->queue);
        g_main_context_unref(backend->context);
        g_free(backend->place);
        g_free(backend);
}

void serial_backend_attach(struct serial_backend *backend, const struct serial_device_ops *ops, void *opaque)
{
        backend->ops = ops;
        backend->opaque = opaque;
        serial_update(backend);
}

const char *serial_backend_place(const struct serial_backend *backend)
{
        return backend->place;
}
