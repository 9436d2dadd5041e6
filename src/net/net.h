/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.h - the host's side of a network card: what a NIC sees of it, and what may be asked of it while it runs.
 *
 * A struct net connects one NIC with one backend: NAT in this process (user), a tap device, a bridge, a stream
 * socket (passt, another machine).  Each has a worker thread, so that neither vCPUs nor the main loop carry
 * frames: what the guest sends is copied to a queue, and what arrives is given to the NIC from the worker,
 * many frames under one hold of the machine lock.
 *
 * Back pressure both ways: a NIC that finds net_writable() false leaves its ring alone until writable() is
 * called; frames wait while the NIC has no buffers, and a full queue makes the backend read no more.
 *
 * Threads: functions of the first section and all callbacks are called with the machine lock held; the
 * others on the main-loop thread without it.  Connections are the host's state: no snapshot holds them, and after a
 * restore the queues are empty (net_forget) and new connections work.
 */
#ifndef LODGER_NET_NET_H
#define LODGER_NET_NET_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/lock.h"

struct net;

/* The longest frame: a 64 KiB IP packet, its Ethernet header and VLAN tag. */
enum { NET_FRAME_MAX = 65535 + 18, NET_ETHERNET_BYTES = 14, NET_MTU = 1500, NET_STANDARD_MAX = NET_ETHERNET_BYTES + NET_MTU };

enum net_segments { NET_SEGMENTS_NONE, NET_SEGMENTS_TCP4, NET_SEGMENTS_TCP6 };

/* What a frame leaves to whoever carries it on. */
struct net_offload {
        bool checksum;                  /* the 16 bits at sum_at are the sum from sum_from to the end of the packet, to be
                                         * complemented; they hold the pseudo header's sum now */
        uint16_t sum_from, sum_at;      /* offsets in the frame */
        enum net_segments segments;     /* the frame is to be cut into TCP segments of segment_bytes each */
        uint16_t segment_bytes;
        uint16_t header_bytes;          /* Ethernet to TCP headers, repeated in each segment */
};

/* -- A NIC's side -------------------------------------------------------------------------------- */

struct net_device_ops {
        bool (*can_receive)(void *opaque, size_t size);
        /* offload: only what the NIC said it takes (net_accept_large); all zero otherwise. */
        void (*receive)(void *opaque, const uint8_t *frame, size_t size, const struct net_offload *offload);
        void (*received)(void *opaque);         /* the last of a batch: raise the interrupt now; may be NULL */
        void (*writable)(void *opaque);         /* net_writable() is true again */
        void (*link_changed)(void *opaque, bool up);
        bool no_doorbell;                       /* the guest gives buffers without telling: look again now and then */
};

/* Connects the NIC; NULL ops disconnect it. */
void net_attach(struct net *net, const struct net_device_ops *ops, void *opaque);
/* Queues a copy of a frame (offload NULL: complete as it is).  Never blocks. */
void net_send(struct net *net, const uint8_t *frame, size_t size, const struct net_offload *offload);
bool net_writable(struct net *net);
/* The NIC has buffers again. */
void net_accept_input(struct net *net);
/* From now on the NIC takes TCP segments that stand for several, with their checksums left open. */
void net_accept_large(struct net *net, bool tcp4, bool tcp6);
/* Drops what is queued: the NIC was restored. */
void net_forget(struct net *net);
bool net_link_up(const struct net *net);
const uint8_t *net_mac(const struct net *net);

/* For NICs that find the headers themselves: fills in an IPv4 header's sum at once, and in *offload what is left of
 * TCP's or UDP's, or a TCP segmentation (segment_bytes not 0).  Nothing is done to a frame that is none of these. */
void net_offload_find(uint8_t *frame, size_t size, bool ip_sum, bool transport_sum, unsigned segment_bytes, struct net_offload *offload);

/* -- What the user writes: "KIND[=ARGUMENT][,KEY=VALUE]..." ------------------------------------------ */

struct net_options {
        char *kind, *argument;
        char *model;                    /* "e1000" ... */
        uint8_t mac[6];
        bool has_mac;
        GPtrArray *forwards;            /* of char *: "tcp:[ADDR]:PORT-[ADDR]:PORT" */
        bool restricted, ipv6;
        char *tftp, *bootfile, *hostname, *dns;
        char *port, *irq;               /* of an ISA card */
};

/* NULL with a G_OPTION_ERROR when the text is not understood. */
struct net_options *net_options_parse(const char *spec, GError **error);
void net_options_free(struct net_options *options);
/* What a machine gets when nothing is said: "user", or "none" in a build without libslirp. */
const char *net_default(void);

/* -- Life ------------------------------------------------------------------------------------------ */

/* id: "net0".  clock: frames arrive only while it runs; NULL: always.  NULL with error set when the host refuses. */
struct net *net_new(const char *id, const struct net_options *options, struct lock *machine_lock, struct clock *clock,
                    GError **error);
void net_free(struct net *net);

/* -- While it runs --------------------------------------------------------------------------------- */

const char *net_id(const struct net *net);
/* One line: kind, link, counters, forwards; caller frees. */
char *net_describe(struct net *net);
void net_set_link(struct net *net, bool up);
bool net_forward_add(struct net *net, const char *spec, GError **error);
/* spec: as it was added, or its part up to the '-'. */
bool net_forward_remove(struct net *net, const char *spec, GError **error);
/* Writes frames of both directions to a pcap file; NULL ends it. */
bool net_capture(struct net *net, const char *path, GError **error);

#endif
