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

enum { SERIAL_AHEAD = 1024, SERIAL_AHEAD_BREAK = 0x100 /* not a byte */ };
enum serial_input { SERIAL_PASS, SERIAL_DROP, SERIAL_BREAK /* a break instead of it */ };

struct serial_kind {
        const char *name;               /* before the colon */
        bool has_argument;              /* "file:PATH" */
        bool lossless;                  /* nothing is dropped; the guest waits */
        bool (*open)(struct serial_backend *backend, const char *argument, GError **error);
        /* Closes what open() opened, after the streams have been closed. */
        void (*close)(struct serial_backend *backend);
        /* What becomes of one byte of input; NULL: all pass.  Main-loop thread, machine lock not held. */
        enum serial_input (*filter)(struct serial_backend *backend, uint8_t byte);
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
        /* Input of a kind with a filter that the device has no room for yet (ring): read ahead, so that
         * the keys meant for Lodger work while the guest reads none. */
        uint16_t ahead[SERIAL_AHEAD];
        unsigned ahead_first, ahead_count;
};

extern const struct serial_kind serial_kind_none, serial_kind_stdio, serial_kind_file, serial_kind_unix, serial_kind_pty;

/* For kinds, on the main-loop thread without the machine lock: start serving descriptors (either may
 * be -1; both may be the same), and stop.  They are closed by the kind. */
void serial_streams_open(struct serial_backend *backend, int in_fd, int out_fd);
void serial_streams_close(struct serial_backend *backend);
#endif
