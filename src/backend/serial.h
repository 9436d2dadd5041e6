/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial.h - what the kinds of serial back end share (private to src/backend).
 *
 * serial.c owns the queue and the main-loop sources of an input and an output descriptor; a kind
 * (serial_stdio.c and its like) opens them, and may look at the input on its way.
 */
#ifndef LODGER_BACKEND_SERIAL_H
#define LODGER_BACKEND_SERIAL_H

#include "backend/backend.h"

struct serial_kind {
        const char *name;               /* before the colon */
        bool has_argument;              /* "file:PATH" */
        bool lossless;                  /* nothing is dropped; the guest waits */
        bool (*open)(struct serial_backend *backend, const char *argument, GError **error);
        /* Closes what open() opened, after the streams have been closed. */
        void (*close)(struct serial_backend *backend);
        /* Rewrites size bytes of input in place and returns how many are for the guest; NULL: all are.
         * Main-loop thread, machine lock not held. */
        size_t (*filter)(struct serial_backend *backend, uint8_t *bytes, size_t size);
        /* The other side hung up; NULL: the input just ends. */
        void (*hung_up)(struct serial_backend *backend);
};

struct serial_backend {
        const struct serial_kind *kind;
        struct serial_host host;
        GMainContext *context;
        void *data;                     /* the kind's own */
        char *place;
        /* Main-loop thread. */
        int in_fd, out_fd;              /* -1: none */
        bool out_is_socket;
        /* Machine lock. */
        const struct serial_device_ops *ops;
        void *opaque;
        GByteArray *queue;
        GSource *in, *out;              /* changed by the main loop only */
        bool out_failed;                /* reported, and output is thrown away from now on */
        bool held_up;                   /* writable() said no */
};

extern const struct serial_kind serial_kind_none, serial_kind_stdio, serial_kind_file, serial_kind_unix, serial_kind_pty;

/* For kinds, on the main-loop thread without the machine lock: start serving descriptors (either may
 * be -1; both may be the same), and stop.  They are closed by the kind. */
void serial_streams_open(struct serial_backend *backend, int in_fd, int out_fd);
void serial_streams_close(struct serial_backend *backend);
/* A break on the line; main-loop thread, machine lock not held. */
void serial_received_break(struct serial_backend *backend);

#endif
