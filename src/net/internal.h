/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - struct net and its backends, shared by the files of src/net.
 *
 * net.c owns queues, worker and life; a kind (slirp.c, stream.c, tap.c) moves frames to and from the host.
 * All functions of a kind run with net->work held: open and close on the main loop, the others on the worker
 * but for forwards.
 */
#ifndef LODGER_NET_INTERNAL_H
#define LODGER_NET_INTERNAL_H

#include <netinet/in.h>
#include <poll.h>
#include "net/net.h"

struct net_kind {
        const char *name;
        bool takes_argument, needs_argument;
        bool (*open)(struct net *net, const struct net_options *options, GError **error);
        void (*close)(struct net *net);
        /* Carries a frame on; all checksums are there, and it has no more than `largest` bytes. */
        void (*send)(struct net *net, const uint8_t *frame, size_t size);
        /* Adds what is to be polled to net->polled, and lowers *timeout_ms (-1: for ever). */
        void (*fill)(struct net *net, int *timeout_ms);
        /* net->polled from `first` on has the answers; frames go to net_arrived(). */
        void (*serve)(struct net *net, unsigned first, bool failed);
        bool (*forward)(struct net *net, const char *spec, bool add, GError **error);
        size_t largest;                 /* frames the host side takes, headers included */
};

extern const struct net_kind net_kind_none, net_kind_socket, net_kind_passt, net_kind_tap, net_kind_bridge;
#ifdef HAVE_SLIRP
extern const struct net_kind net_kind_user;
#endif

struct net_frame {
        struct net_frame *next;
        struct net_offload offload;
        uint32_t size;
        uint8_t bytes[];
};

struct net_queue {
        struct net_frame *first, **last;
        size_t bytes;
};

struct net {
        char *id;
        const struct net_kind *kind;
        void *data;                     /* the kind's own, under work */
        uint8_t mac[6];
        struct lock *machine_lock;
        struct clock *clock;
        pthread_t thread;
        int event_fd;                   /* wakes the worker */
        bool started;

        struct lock work;               /* the kind, polled, capture and forwards */
        GArray *polled;                 /* of struct pollfd */
        struct net_capture *capture;
        GPtrArray *forwards;            /* of char *, for people */

        struct lock queue;              /* what follows, held for moments only */
        struct net_queue out, in;       /* out: from the guest */
        bool asleep;                    /* the worker polls, or is about to */
        bool stop;
        bool held_up;                   /* net_writable() said no */
        bool polls;                     /* the worker's: the NIC gets buffers without a doorbell */
        bool blocked;                   /* the NIC has no buffers for the head of `in` */
        bool link_up;
        bool large[3];                  /* by enum net_segments: the NIC takes such frames */
        uint64_t frames_in, frames_out, bytes_in, bytes_out, dropped;

        const struct net_device_ops *ops;       /* machine lock */
        void *opaque;
};

/* For kinds: a frame for the guest.  More than NET_MTU: it is segmented or fragmented as the NIC needs it. */
void net_arrived(struct net *net, const uint8_t *frame, size_t size);
void net_poll_add(struct net *net, int fd, short events);
/* A MAC as text, and back. */
bool net_parse_mac(const char *text, uint8_t mac[6]);
const struct net_kind *net_kind_find(const char *name, size_t length);

/* -- offload.c: checksums, segments, fragments ----------------------------------------------------- */

typedef void net_emit_fn(void *opaque, const uint8_t *frame, size_t size);

/* The headers of a frame; offsets are in the frame. */
struct net_headers {
        unsigned version;               /* 4, 6, or 0: not IP, or a fragment, or damaged */
        unsigned ip, ip_bytes;          /* header; ip_bytes with extension headers */
        unsigned protocol;              /* 6 TCP, 17 UDP */
        unsigned transport;             /* where it starts */
        unsigned payload;               /* TCP only */
        unsigned end;                   /* of the IP packet, at most the frame's */
};

bool net_headers_find(const uint8_t *frame, size_t size, struct net_headers *headers);
uint32_t net_sum(const uint8_t *bytes, size_t size, uint32_t sum);
uint16_t net_sum_fold(uint32_t sum);
/* Sums of the pseudo header for TCP and UDP, not complemented. */
uint32_t net_sum_pseudo(const uint8_t *frame, const struct net_headers *headers, unsigned length);
/* Completes the checksums that offload leaves open. */
void net_checksum_complete(uint8_t *frame, size_t size, const struct net_offload *offload);
/* Cuts a TCP frame into complete segments of segment_bytes; false when it is no such frame. */
bool net_segment(uint8_t *frame, size_t size, unsigned segment_bytes, net_emit_fn *emit, void *opaque);
/* Completes lengths and checksums of a large TCP frame as one. */
void net_large_complete(uint8_t *frame, size_t size, const struct net_offload *offload);
/* Cuts an IPv4 packet into fragments that fit the MTU; false when it may not be cut. */
bool net_fragment(uint8_t *frame, size_t size, net_emit_fn *emit, void *opaque);
/* Raises the MSS a SYN offers, checksum included, so that the other side sends large segments. */
void net_raise_mss(uint8_t *frame, size_t size, unsigned mss);

/* -- pcap.c ---------------------------------------------------------------------------------------- */

struct net_capture *net_capture_open(const char *path, GError **error);
void net_capture_frame(struct net_capture *capture, const uint8_t *frame, size_t size);
void net_capture_close(struct net_capture *capture);

#endif
