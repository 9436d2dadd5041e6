/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend.h - the host side of devices: what a device sees of it.  Serial lines so far.
 *
 * A back end owns the host's file descriptors and serves them from the main loop.  What the device
 * sends is queued and never blocks it.  A back end that must lose nothing (terminal, file) says when
 * its queue is long, and the device slows its guest down; one whose reader may never come (socket,
 * pseudo-terminal) keeps the newest bytes.
 *
 * Threads: all functions, and the device's callbacks, are called with the machine lock held, but for
 * serial_backend_new() and serial_backend_free(), called on the main-loop thread without it.
 */
#ifndef LODGER_BACKEND_BACKEND_H
#define LODGER_BACKEND_BACKEND_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/lock.h"

/* -- Serial lines ------------------------------------------------------------------------------ */

struct serial_backend;

/* What the device at this end wants to be told. */
struct serial_device_ops {
        size_t (*room)(void *opaque);           /* how many bytes receive() may be given now */
        void (*receive)(void *opaque, const uint8_t *bytes, size_t size);
        void (*receive_break)(void *opaque);
        void (*writable)(void *opaque);         /* serial_backend_writable() is true again */
};

struct serial_host {
        struct lock *lock;                      /* the machine lock */
        /* The user typed the escape that leaves (Ctrl-A X).  Main-loop thread, no lock held. */
        void (*quit)(void *opaque);
        void *opaque;
};

/* spec: "stdio", "file:PATH", "unix:PATH", "pty" or "none".  Uses the thread-default main context. */
struct serial_backend *serial_backend_new(const char *spec, const struct serial_host *host, GError **error);
/* Writes out what must not be lost, restores the terminal, removes the socket. */
void serial_backend_free(struct serial_backend *backend);

/* Connects the device; NULL ops disconnect it. */
void serial_backend_attach(struct serial_backend *backend, const struct serial_device_ops *ops, void *opaque);
void serial_backend_write(struct serial_backend *backend, const uint8_t *bytes, size_t size);
/* False: please write no more until writable() is called.  What is written all the same is kept. */
bool serial_backend_writable(struct serial_backend *backend);
/* room() has become more than zero. */
void serial_backend_accept_input(struct serial_backend *backend);
/* Where it can be reached, for messages: "/dev/pts/3"; NULL when there is nothing to say. */
const char *serial_backend_place(const struct serial_backend *backend);

#endif
