/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uring.h - an io_uring for one image.
 *
 * block->lock guards it: all calls but uring_wait() are made with it held.  Who takes completions holds the machine
 * lock too, so nobody else empties the ring while the main loop waits.
 */
#ifndef LODGER_BLOCK_URING_H
#define LODGER_BLOCK_URING_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct uring;

struct uring *uring_new(void);          /* NULL: not here */
void uring_free(struct uring *uring);
/* Becomes readable when something has completed while uring_set_event(uring, true) was in force, as it is at first. */
int uring_event_fd(const struct uring *uring);
void uring_set_event(struct uring *uring, bool on);
void uring_clear_event(struct uring *uring);
unsigned uring_in_flight(const struct uring *uring);
/* iov must stay until the completion.  False: not taken, another way must be found. */
bool uring_submit(struct uring *uring, int fd, bool write, uint64_t offset, const struct iovec *iov, unsigned count, void *data);
/* Blocks until there is a completion. */
void uring_wait(struct uring *uring);
/* Takes one; *result: bytes moved, or minus an errno value. */
bool uring_next(struct uring *uring, void **data, int *result);

#endif
