/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uring.c - transfers of image files that the kernel carries out by itself (io_uring), without a thread of ours.
 *
 * Kernels and containers may forbid io_uring; uring_new() then gives NULL, and requests go to worker threads.
 */
#if HAVE_LIBURING
#include <errno.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>
#endif

#include "block/uring.h"

#if HAVE_LIBURING

enum { DEPTH = 128 };

struct uring {
        struct io_uring ring;
        int event_fd;
        unsigned in_flight;
        bool broken;                    /* a submission was refused: no more of them */
};

struct uring *uring_new(void)
{
        struct uring *uring = g_new0(struct uring, 1);

        if (g_getenv("LODGER_NO_IO_URING") || io_uring_queue_init(DEPTH, &uring->ring, 0) < 0) {
                g_free(uring);
                return NULL;
        }
        uring->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (uring->event_fd < 0 || io_uring_register_eventfd(&uring->ring, uring->event_fd) < 0) {
                if (uring->event_fd >= 0)
                        close(uring->event_fd);
                io_uring_queue_exit(&uring->ring);
                g_free(uring);
                return NULL;
        }
        return uring;
}

void uring_free(struct uring *uring)
{
        if (!uring)
                return;
        io_uring_queue_exit(&uring->ring);
        close(uring->event_fd);
        g_free(uring);
}

int uring_event_fd(const struct uring *uring)
{
        return uring->event_fd;
}

void uring_set_event(struct uring *uring, bool on)
{
        /* Fails only for rings that cannot do it: those go on telling, which costs time and nothing else. */
        (void)!io_uring_cq_eventfd_toggle(&uring->ring, on);
}

unsigned uring_in_flight(const struct uring *uring)
{
        return uring ? uring->in_flight : 0;
}

bool uring_submit(struct uring *uring, int fd, bool write, uint64_t offset, const struct iovec *iov, unsigned count, void *data)
{
        struct io_uring_sqe *sqe;

        if (uring->broken || uring->in_flight >= DEPTH || !(sqe = io_uring_get_sqe(&uring->ring)))
                return false;
        if (write)
                io_uring_prep_writev(sqe, fd, iov, count, offset);
        else
                io_uring_prep_readv(sqe, fd, iov, count, offset);
        io_uring_sqe_set_data(sqe, data);
        if (io_uring_submit(&uring->ring) != 1) {
                uring->broken = true;   /* what was queued is never submitted */
                return false;
        }
        uring->in_flight++;
        return true;
}

void uring_wait(struct uring *uring)
{
        struct io_uring_cqe *cqe;

        while (io_uring_wait_cqe(&uring->ring, &cqe) == -EINTR)
                ;
}

bool uring_next(struct uring *uring, void **data, int *result)
{
        struct io_uring_cqe *cqe;

        if (io_uring_peek_cqe(&uring->ring, &cqe) || !cqe)
                return false;
        *data = io_uring_cqe_get_data(cqe);
        *result = cqe->res;
        io_uring_cqe_seen(&uring->ring, cqe);
        uring->in_flight--;
        return true;
}

void uring_clear_event(struct uring *uring)
{
        uint64_t count;

        if (read(uring->event_fd, &count, sizeof(count)) < 0)
                return;                 /* there was none */
}

#else

struct uring *uring_new(void)
{
        return NULL;
}

void uring_free(struct uring *uring)
{
        (void)uring;
}

int uring_event_fd(const struct uring *uring)
{
        (void)uring;
        return -1;
}

void uring_set_event(struct uring *uring, bool on)
{
        (void)uring;
        (void)on;
}

unsigned uring_in_flight(const struct uring *uring)
{
        (void)uring;
        return 0;
}

bool uring_submit(struct uring *uring, int fd, bool write, uint64_t offset, const struct iovec *iov, unsigned count, void *data)
{
        (void)uring;
        (void)fd;
        (void)write;
        (void)offset;
        (void)iov;
        (void)count;
        (void)data;
        return false;
}

void uring_wait(struct uring *uring)
{
        (void)uring;
}

bool uring_next(struct uring *uring, void **data, int *result)
{
        (void)uring;
        (void)data;
        (void)result;
        return false;
}

void uring_clear_event(struct uring *uring)
{
        (void)uring;
}

#endif
