/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.c - the queues between a NIC and its backend, the worker that serves both, and their life.
 *
 * Rules:
 * 1  Locks: machine lock before net->work before net->queue.  A vCPU that sends takes `queue` only, which
 *    nobody holds for longer than it takes to link a frame; `work` may be held through the host's system calls.
 * 2  The worker holds neither of its locks when it takes the machine lock to deliver.
 * 3  It sleeps only after it has seen, under `queue`, that nothing is to be sent or delivered; whoever adds work afterwards
 *    finds `asleep` set, clears it and writes the event descriptor once.
 * 4  While the machine is paused (its clock stands), nothing is written to guest memory: frames wait.
 */
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "net/internal.h"

enum {
        OUT_HIGH_BYTES = 1 << 20,       /* the NIC is held up beyond this */
        OUT_LOW_BYTES = 256 << 10,
        OUT_MAX_BYTES = 4 << 20,        /* and dropped from a NIC that does not ask */
        IN_HIGH_BYTES = 1 << 20,        /* the backend is not served beyond this */
        IN_MAX_BYTES = 8 << 20,
        BATCH_BYTES = 256 << 10,        /* delivered under one hold of the machine lock */
        PAUSED_POLL_MS = 20,
        LARGE_MSS = 8 << 10,              /* several fit a TCP window without scaling */
};

/* -- Queues -------------------------------------------------------------------------------------- */

static void queue_init(struct net_queue *queue)
{
        *queue = (struct net_queue){ .first = NULL };
        queue->last = &queue->first;
}

static void queue_push(struct net_queue *queue, struct net_frame *frame)
{
        frame->next = NULL;
        *queue->last = frame;
        queue->last = &frame->next;
        queue->bytes += frame->size;
}

static struct net_frame *queue_pop(struct net_queue *queue)
{
        struct net_frame *frame = queue->first;

        if (!frame)
                return NULL;
        queue->first = frame->next;
        if (!queue->first)
                queue->last = &queue->first;
        queue->bytes -= frame->size;
        return frame;
}

static void queue_clear(struct net_queue *queue)
{
        for (struct net_frame *frame; (frame = queue_pop(queue)) != NULL;)
                g_free(frame);
}

static struct net_frame *frame_new(const uint8_t *bytes, size_t size, const struct net_offload *offload)
{
        struct net_frame *frame = g_malloc(sizeof(*frame) + size);

        frame->offload = offload ? *offload : (struct net_offload){ 0 };
        frame->size = (uint32_t)size;
        memcpy(frame->bytes, bytes, size);
        return frame;
}

static void worker_wake(struct net *net)
{
        uint64_t one = 1;

        while (write(net->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
                ;
}

/* -- A NIC's side -------------------------------------------------------------------------------- */

void net_attach(struct net *net, const struct net_device_ops *ops, void *opaque)
{
        net->ops = ops;
        net->opaque = opaque;
        if (!ops)
                net_forget(net);
}

void net_send(struct net *net, const uint8_t *bytes, size_t size, const struct net_offload *offload)
{
        struct net_frame *frame;
        bool wake = false;

        if (size < NET_ETHERNET_BYTES || size > NET_FRAME_MAX)
                return;
        frame = frame_new(bytes, size, offload);
        lock_acquire(&net->queue);
        if (net->link_up && net->out.bytes < OUT_MAX_BYTES) {
                queue_push(&net->out, frame);
                frame = NULL;
                wake = net->asleep;
                net->asleep = false;
        } else {
                net->dropped++;
        }
        lock_release(&net->queue);
        g_free(frame);
        if (wake)
                worker_wake(net);
}

bool net_writable(struct net *net)
{
        bool writable;

        lock_acquire(&net->queue);
        writable = net->out.bytes < OUT_HIGH_BYTES;
        if (!writable)
                net->held_up = true;
        lock_release(&net->queue);
        return writable;
}

void net_accept_input(struct net *net)
{
        bool wake;

        lock_acquire(&net->queue);
        wake = net->blocked && net->asleep;
        net->blocked = false;
        if (wake)
                net->asleep = false;
        lock_release(&net->queue);
        if (wake)
                worker_wake(net);
}

void net_accept_large(struct net *net, bool tcp4, bool tcp6)
{
        lock_acquire(&net->queue);
        net->large[NET_SEGMENTS_TCP4] = tcp4;
        net->large[NET_SEGMENTS_TCP6] = tcp6;
        lock_release(&net->queue);
}

void net_forget(struct net *net)
{
        lock_acquire(&net->queue);
        queue_clear(&net->in);
        queue_clear(&net->out);
        net->blocked = net->held_up = false;
        lock_release(&net->queue);
}

bool net_link_up(const struct net *net) { return net->link_up; }
const uint8_t *net_mac(const struct net *net) { return net->mac; }
const char *net_id(const struct net *net) { return net->id; }

/* -- From the guest (worker, work held) ------------------------------------------------------------ */

static void emit_to_host(void *opaque, const uint8_t *bytes, size_t size)
{
        struct net *net = opaque;

        net_capture_frame(net->capture, bytes, size);
        net->kind->send(net, bytes, size);
}

static void carry_out(struct net *net, struct net_frame *frame, bool large)
{
        const struct net_offload *offload = &frame->offload;

        if (offload->segments && frame->size > net->kind->largest) {
                if (net_segment(frame->bytes, frame->size, offload->segment_bytes, emit_to_host, net))
                        return;
        } else if (offload->segments) {
                net_large_complete(frame->bytes, frame->size, offload);
        } else if (offload->checksum) {
                net_checksum_complete(frame->bytes, frame->size, offload);
        }
        if (large && net->kind->largest > NET_STANDARD_MAX)
                net_raise_mss(frame->bytes, frame->size, LARGE_MSS);
        emit_to_host(net, frame->bytes, frame->size);
}

/* Carries all that is queued.  Whether the NIC waits to hear that there is room again. */
static bool worker_send(struct net *net)
{
        struct net_frame *frame, *next;
        bool freed, large;

        lock_acquire(&net->queue);
        frame = net->out.first;
        freed = net->held_up;
        net->held_up = false;
        large = net->large[NET_SEGMENTS_TCP4];
        queue_init(&net->out);
        for (struct net_frame *counted = frame; counted; counted = counted->next) {
                net->frames_out++;
                net->bytes_out += counted->size;
        }
        lock_release(&net->queue);
        for (; frame; frame = next) {
                next = frame->next;
                carry_out(net, frame, large);
                g_free(frame);
        }
        return freed;
}

/* -- To the guest ---------------------------------------------------------------------------------- */

static void enqueue_in(struct net *net, const uint8_t *bytes, size_t size, const struct net_offload *offload)
{
        struct net_frame *frame = frame_new(bytes, size, offload);

        lock_acquire(&net->queue);
        if (net->link_up && net->in.bytes < IN_MAX_BYTES) {
                queue_push(&net->in, frame);
                net->frames_in++;
                net->bytes_in += size;
                frame = NULL;
        } else {
                net->dropped++;
        }
        lock_release(&net->queue);
        g_free(frame);
}

static void emit_to_guest(void *opaque, const uint8_t *bytes, size_t size)
{
        struct net *net = opaque;

        net_capture_frame(net->capture, bytes, size);
        enqueue_in(net, bytes, size, NULL);
}

void net_arrived(struct net *net, const uint8_t *bytes, size_t size)
{
        struct net_headers headers;
        struct net_offload offload = { 0 };
        uint8_t *copy;
        bool takes;

        if (size < NET_ETHERNET_BYTES || size > NET_FRAME_MAX)
                return;
        if (size <= NET_STANDARD_MAX || !net_headers_find(bytes, size, &headers)) {
                emit_to_guest(net, bytes, size);
                return;
        }
        copy = g_memdup2(bytes, size);
        if (headers.protocol != IPPROTO_TCP) {
                if (!net_fragment(copy, size, emit_to_guest, net))
                        emit_to_guest(net, bytes, size);
                g_free(copy);
                return;
        }
        offload.segments = headers.version == 4 ? NET_SEGMENTS_TCP4 : NET_SEGMENTS_TCP6;
        offload.header_bytes = (uint16_t)headers.payload;
        offload.segment_bytes = (uint16_t)(NET_STANDARD_MAX - headers.payload);
        lock_acquire(&net->queue);
        takes = net->large[offload.segments];
        lock_release(&net->queue);
        if (!takes) {
                net_segment(copy, size, offload.segment_bytes, emit_to_guest, net);
        } else {
                unsigned length = headers.end - headers.transport;
                uint16_t sum = net_sum_fold(net_sum_pseudo(copy, &headers, length));

                /* The guest checks nothing of what never left this machine: the pseudo header's sum stands for it. */
                net_capture_frame(net->capture, bytes, size);
                offload.checksum = true;
                offload.sum_from = (uint16_t)headers.transport;
                offload.sum_at = (uint16_t)(headers.transport + 16);
                copy[offload.sum_at] = (uint8_t)(sum >> 8);
                copy[offload.sum_at + 1] = (uint8_t)sum;
                enqueue_in(net, copy, size, &offload);
        }
        g_free(copy);
}

/* The head of the queue, if the NIC takes it now; machine lock held. */
static struct net_frame *next_for_guest(struct net *net)
{
        struct net_frame *frame;

        /* Only this thread takes frames out, but for clearing, which the machine lock keeps off. */
        lock_acquire(&net->queue);
        frame = net->in.first;
        net->blocked = frame;                   /* before the NIC is asked: what it hears meanwhile counts */
        lock_release(&net->queue);
        if (!frame || !net->ops->can_receive(net->opaque, frame->size))
                return NULL;
        lock_acquire(&net->queue);
        net->blocked = false;
        queue_pop(&net->in);
        lock_release(&net->queue);
        return frame;
}

/* One hold of the machine lock.  Whether to come again at once; *paused: frames wait for the machine. */
static bool worker_deliver(struct net *net, bool *freed, bool *paused)
{
        size_t bytes = 0;
        bool waiting;

        lock_acquire(&net->queue);
        if (net->polls)
                net->blocked = false;
        waiting = net->in.first && !net->blocked;
        lock_release(&net->queue);
        *paused = false;
        if (!waiting && !*freed)
                return false;
        lock_acquire(net->machine_lock);
        if (net->clock && !clock_is_running(net->clock)) {
                lock_release(net->machine_lock);
                *paused = true;
                return false;
        }
        if (net->ops && *freed)
                net->ops->writable(net->opaque);
        *freed = false;
        net->polls = net->ops && net->ops->no_doorbell;
        while (net->ops && bytes < BATCH_BYTES) {
                struct net_frame *frame = next_for_guest(net);

                if (!frame)
                        break;
                net->ops->receive(net->opaque, frame->bytes, frame->size, &frame->offload);
                bytes += frame->size;
                g_free(frame);
        }
        if (bytes && net->ops->received)
                net->ops->received(net->opaque);
        lock_release(net->machine_lock);
        return bytes >= BATCH_BYTES;
}

/* -- The worker ------------------------------------------------------------------------------------ */

void net_poll_add(struct net *net, int fd, short events)
{
        struct pollfd entry = { .fd = fd, .events = events };

        g_array_append_val(net->polled, entry);
}

/* Rule 3.  False: there is something to send or to deliver already. */
static bool worker_may_sleep(struct net *net, bool paused, bool *stop, bool *full, bool *waits)
{
        bool sleep;

        lock_acquire(&net->queue);
        sleep = !net->out.first && (!net->in.first || net->blocked || paused);
        *stop = net->stop;
        *full = net->in.bytes >= IN_HIGH_BYTES;
        *waits = net->in.first;
        net->asleep = sleep;
        lock_release(&net->queue);
        return sleep;
}

static void *worker_main(void *opaque)
{
        struct net *net = opaque;
        bool freed = false, paused = false, again = false, stop = false, full = false, waits = false;

        for (;;) {
                int timeout_ms = -1, ready;
                uint64_t count;

                lock_acquire(&net->work);
                freed |= worker_send(net);
                bool sleep = worker_may_sleep(net, paused, &stop, &full, &waits);

                g_array_set_size(net->polled, 0);
                net_poll_add(net, net->event_fd, POLLIN);
                if (!full)
                        net->kind->fill(net, &timeout_ms);
                lock_release(&net->work);
                if (stop)
                        return NULL;
                if (!sleep || again || (freed && !paused))
                        timeout_ms = 0;
                else if (paused)
                        timeout_ms = timeout_ms < 0 ? PAUSED_POLL_MS : MIN(timeout_ms, PAUSED_POLL_MS);
                else if (net->polls && waits)
                        timeout_ms = 1;
                ready = poll((struct pollfd *)(void *)net->polled->data, net->polled->len, timeout_ms);
                lock_acquire(&net->queue);
                net->asleep = false;
                lock_release(&net->queue);
                if (g_array_index(net->polled, struct pollfd, 0).revents &&
                    read(net->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
                        log_error("%s: the worker's event descriptor: %s", net->id, g_strerror(errno));
                if (!full) {
                        lock_acquire(&net->work);
                        net->kind->serve(net, 1, ready < 0);
                        lock_release(&net->work);
                }
                again = worker_deliver(net, &freed, &paused);
        }
}

/* -- Life ------------------------------------------------------------------------------------------ */

static bool none_open(struct net *net, const struct net_options *options, GError **error)
{
        (void)net, (void)options, (void)error;
        return true;
}

static void none_close(struct net *net) { (void)net; }
static void none_send(struct net *net, const uint8_t *frame, size_t size) { (void)net, (void)frame, (void)size; }
static void none_fill(struct net *net, int *timeout_ms) { (void)net, (void)timeout_ms; }
static void none_serve(struct net *net, unsigned first, bool failed) { (void)net, (void)first, (void)failed; }

/* A card whose cable ends nowhere ("none" with a model). */
const struct net_kind net_kind_none = {
        .name = "none", .open = none_open, .close = none_close, .send = none_send, .fill = none_fill, .serve = none_serve,
        .largest = NET_FRAME_MAX,
};

const struct net_kind *net_kind_find(const char *name, size_t length)
{
        static const struct net_kind *const kinds[] = {
                &net_kind_none,
#ifdef HAVE_SLIRP
                &net_kind_user,
#endif
                &net_kind_tap, &net_kind_bridge, &net_kind_passt, &net_kind_socket,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
                if (strlen(kinds[i]->name) == length && !strncmp(kinds[i]->name, name, length))
                        return kinds[i];
        return NULL;
}

const char *net_default(void)
{
#ifdef HAVE_SLIRP
        return "user";
#else
        return "none";
#endif
}

/* A locally administered address that differs from machine to machine and from card to card. */
static void make_mac(const char *id, uint8_t mac[6])
{
        const uint8_t prefix[3] = { 0x52, 0x54, 0x00 };
        uint32_t hash = g_str_hash(id) ^ (g_random_int() << 4);

        memcpy(mac, prefix, sizeof(prefix));
        mac[3] = (uint8_t)(hash >> 16);
        mac[4] = (uint8_t)(hash >> 8);
        mac[5] = (uint8_t)hash;
}

static void net_release(struct net *net)
{
        if (net->event_fd >= 0)
                close(net->event_fd);
        net_capture_close(net->capture);
        queue_clear(&net->in);
        queue_clear(&net->out);
        g_array_free(net->polled, TRUE);
        g_ptr_array_free(net->forwards, TRUE);
        lock_destroy(&net->work);
        lock_destroy(&net->queue);
        g_free(net->id);
        g_free(net);
}

struct net *net_new(const char *id, const struct net_options *options, struct lock *machine_lock, struct clock *clock,
                    GError **error)
{
        struct net *net = g_new0(struct net, 1);
        bool ok;

        net->id = g_strdup(id);
        net->kind = net_kind_find(options->kind, strlen(options->kind));
        net->machine_lock = machine_lock;
        net->clock = clock;
        net->link_up = true;
        net->polled = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
        net->forwards = g_ptr_array_new_with_free_func(g_free);
        net->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        queue_init(&net->in);
        queue_init(&net->out);
        lock_init(&net->work, LOCK_RANK_NET_WORK, "network backend");
        lock_init(&net->queue, LOCK_RANK_NET_QUEUE, "network queue");
        if (options->has_mac)
                memcpy(net->mac, options->mac, sizeof(net->mac));
        else
                make_mac(id, net->mac);
        lock_acquire(&net->work);
        ok = net->kind->open(net, options, error);
        lock_release(&net->work);
        if (!ok) {
                net_release(net);
                return NULL;
        }
        for (guint i = 0; i < options->forwards->len; i++) {
                if (!net_forward_add(net, g_ptr_array_index(options->forwards, i), error)) {
                        net_free(net);
                        return NULL;
                }
        }
        if (pthread_create(&net->thread, NULL, worker_main, net)) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: the host gives no thread", id);
                net_free(net);
                return NULL;
        }
        net->started = true;
        return net;
}

void net_free(struct net *net)
{
        if (!net)
                return;
        if (net->started) {
                lock_acquire(&net->queue);
                net->stop = true;
                lock_release(&net->queue);
                worker_wake(net);
                pthread_join(net->thread, NULL);
        }
        net->kind->close(net);
        net_release(net);
}

/* -- While it runs --------------------------------------------------------------------------------- */

char *net_describe(struct net *net)
{
        GString *text = g_string_new(NULL);

        lock_acquire(&net->work);
        lock_acquire(&net->queue);
        g_string_append_printf(text, "%s: %s, link %s, mac %02x:%02x:%02x:%02x:%02x:%02x, in %" G_GUINT64_FORMAT " frames %"
                               G_GUINT64_FORMAT " bytes, out %" G_GUINT64_FORMAT " frames %" G_GUINT64_FORMAT " bytes, dropped %"
                               G_GUINT64_FORMAT, net->id, net->kind->name, net->link_up ? "up" : "down", net->mac[0], net->mac[1],
                               net->mac[2], net->mac[3], net->mac[4], net->mac[5], net->frames_in, net->bytes_in,
                               net->frames_out, net->bytes_out, net->dropped);
        lock_release(&net->queue);
        for (guint i = 0; i < net->forwards->len; i++)
                g_string_append_printf(text, ", hostfwd=%s", (char *)g_ptr_array_index(net->forwards, i));
        if (net->capture)
                g_string_append(text, ", capturing");
        lock_release(&net->work);
        return g_string_free(text, FALSE);
}

void net_set_link(struct net *net, bool up)
{
        lock_acquire(net->machine_lock);
        lock_acquire(&net->queue);
        if (net->link_up != up) {
                net->link_up = up;
                queue_clear(&net->in);
                queue_clear(&net->out);
                lock_release(&net->queue);
                if (net->ops)
                        net->ops->link_changed(net->opaque, up);
        } else {
                lock_release(&net->queue);
        }
        lock_release(net->machine_lock);
}

static bool forward_possible(const struct net *net, GError **error)
{
        if (net->kind->forward)
                return true;
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "%s: \"%s\" forwards no ports; the user network does", net->id,
                    net->kind->name);
        return false;
}

bool net_forward_add(struct net *net, const char *spec, GError **error)
{
        bool ok;

        if (!forward_possible(net, error))
                return false;
        lock_acquire(&net->work);
        ok = net->kind->forward(net, spec, true, error);
        if (ok)
                g_ptr_array_add(net->forwards, g_strdup(spec));
        lock_release(&net->work);
        worker_wake(net);
        return ok;
}

bool net_forward_remove(struct net *net, const char *spec, GError **error)
{
        size_t length = strcspn(spec, "-");
        bool ok = false;

        if (!forward_possible(net, error))
                return false;
        lock_acquire(&net->work);
        for (guint i = 0; i < net->forwards->len; i++) {
                const char *known = g_ptr_array_index(net->forwards, i);

                if (spec[length] ? strcmp(known, spec) : strcspn(known, "-") != length || strncmp(known, spec, length))
                        continue;
                ok = net->kind->forward(net, known, false, error);
                if (ok)
                        g_ptr_array_remove_index(net->forwards, i);
                lock_release(&net->work);
                worker_wake(net);
                return ok;
        }
        lock_release(&net->work);
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "%s: no forward \"%s\"", net->id, spec);
        return false;
}

bool net_capture(struct net *net, const char *path, GError **error)
{
        struct net_capture *capture = NULL;

        if (path && !(capture = net_capture_open(path, error)))
                return false;
        lock_acquire(&net->work);
        net_capture_close(net->capture);
        net->capture = capture;
        lock_release(&net->work);
        return true;
}
