/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offload.c - what a NIC's hardware would do to a frame: checksums (RFC 1071), TCP segments, and IP fragments.
 *
 * Frames come from a guest or from the network: every length in them is checked against the frame's.
 * Headers are Ethernet II with at most one VLAN tag, then IPv4 or IPv6.  Of a TCP frame that stands for several
 * segments, each gets the headers with lengths, IPv4 identification, sequence number and flags brought up to date:
 * FIN and PSH belong to the last, CWR to the first (RFC 3168, 6.1.2).
 */
#include <string.h>

#include "net/internal.h"

enum { ETHERTYPE_IP4 = 0x0800, ETHERTYPE_IP6 = 0x86dd, ETHERTYPE_VLAN = 0x8100 };
enum { IP4_HEADER = 20, IP6_HEADER = 40, TCP_HEADER = 20, UDP_HEADER = 8 };
enum { IP4_MORE = 0x2000, IP4_DO_NOT = 0x4000, IP4_OFFSET = 0x1fff };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_PSH = 8, TCP_CWR = 0x80 };
enum { TCP_OPTION_END, TCP_OPTION_NOP, TCP_OPTION_MSS };

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }

static void put16(uint8_t *at, unsigned value)
{
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
        put16(at, value >> 16);
        put16(at + 2, value & 0xffff);
}

/* -- Checksums ----------------------------------------------------------------------------------- */

uint16_t net_sum_fold(uint32_t sum)
{
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)sum;
}

uint32_t net_sum(const uint8_t *bytes, size_t size, uint32_t sum)
{
        uint64_t wide = 0;

        /* One's complement sums may be taken in any byte order, and swapped at the end (RFC 1071, 2B). */
        for (; size >= 4; bytes += 4, size -= 4) {
                uint32_t word;

                memcpy(&word, bytes, sizeof(word));
                wide += word;
        }
        if (size >= 2) {
                uint16_t half;

                memcpy(&half, bytes, sizeof(half));
                wide += half;
                bytes += 2;
                size -= 2;
        }
        if (size)
                wide += *bytes;
        wide = (wide & 0xffffffff) + (wide >> 32);
        wide = (wide & 0xffffffff) + (wide >> 32);
        return net_sum_fold(GUINT16_FROM_BE(net_sum_fold((uint32_t)wide)) + (sum & 0xffff) + (sum >> 16));
}

static uint16_t checksum(const uint8_t *bytes, size_t size, uint32_t sum)
{
        return (uint16_t)~net_sum(bytes, size, sum);
}

uint32_t net_sum_pseudo(const uint8_t *frame, const struct net_headers *headers, unsigned length)
{
        unsigned addresses = headers->ip + (headers->version == 4 ? 12 : 8);

        return net_sum(frame + addresses, headers->version == 4 ? 8 : 32, headers->protocol + length);
}

/* -- Headers ------------------------------------------------------------------------------------- */

/* Skips the extension headers that may precede a transport's; false: something else, a fragment say. */
static bool skip_extensions(const uint8_t *frame, struct net_headers *headers)
{
        unsigned next = frame[headers->ip + 6], at = headers->ip + IP6_HEADER;

        while (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) {
                if (at + 8 > headers->end)
                        return false;
                next = frame[at];
                at += (frame[at + 1] + 1u) * 8;
        }
        headers->protocol = next;
        headers->transport = at;
        headers->ip_bytes = at - headers->ip;
        return at <= headers->end;
}

static bool find_ip4(const uint8_t *frame, size_t size, struct net_headers *headers)
{
        const uint8_t *ip = frame + headers->ip;

        if (headers->ip + IP4_HEADER > size || ip[0] >> 4 != 4)
                return false;
        headers->ip_bytes = (ip[0] & 15u) * 4;
        headers->end = headers->ip + get16(ip + 2);
        headers->transport = headers->ip + headers->ip_bytes;
        headers->protocol = ip[9];
        headers->version = 4;
        return headers->ip_bytes >= IP4_HEADER && headers->transport <= headers->end && headers->end <= size &&
               !(get16(ip + 6) & (IP4_MORE | IP4_OFFSET));
}

static bool find_ip6(const uint8_t *frame, size_t size, struct net_headers *headers)
{
        if (headers->ip + IP6_HEADER > size || frame[headers->ip] >> 4 != 6)
                return false;
        headers->end = headers->ip + IP6_HEADER + get16(frame + headers->ip + 4);
        headers->version = 6;
        return headers->end <= size && skip_extensions(frame, headers);
}

bool net_headers_find(const uint8_t *frame, size_t size, struct net_headers *headers)
{
        unsigned type;

        *headers = (struct net_headers){ .ip = NET_ETHERNET_BYTES };
        if (size < NET_ETHERNET_BYTES)
                return false;
        type = get16(frame + 12);
        if (type == ETHERTYPE_VLAN && size >= NET_ETHERNET_BYTES + 4) {
                type = get16(frame + 16);
                headers->ip += 4;
        }
        if (!(type == ETHERTYPE_IP4 ? find_ip4(frame, size, headers) : type == ETHERTYPE_IP6 && find_ip6(frame, size, headers)))
                return false;
        if (headers->protocol == IPPROTO_TCP) {
                if (headers->transport + TCP_HEADER > headers->end)
                        return false;
                headers->payload = headers->transport + (frame[headers->transport + 12] >> 4) * 4u;
                return headers->payload >= headers->transport + TCP_HEADER && headers->payload <= headers->end;
        }
        return headers->protocol != IPPROTO_UDP || headers->transport + UDP_HEADER <= headers->end;
}

void net_checksum_complete(uint8_t *frame, size_t size, const struct net_offload *offload)
{
        uint16_t sum;

        if (offload->sum_from >= size || offload->sum_at + 2u > size || offload->sum_at < offload->sum_from)
                return;
        sum = checksum(frame + offload->sum_from, size - offload->sum_from, 0);
        /* A UDP sum of zero would mean "none"; for TCP both zeros are the same. */
        put16(frame + offload->sum_at, sum ? sum : 0xffff);
}

/* Lengths and sums of a packet whose headers lie at the start of frame. */
static void complete(uint8_t *frame, const struct net_headers *headers, unsigned end)
{
        uint8_t *ip = frame + headers->ip, *tcp = frame + headers->transport;
        unsigned length = end - headers->transport;

        if (headers->version == 4) {
                put16(ip + 2, end - headers->ip);
                put16(ip + 10, 0);
                put16(ip + 10, checksum(ip, headers->ip_bytes, 0));
        } else {
                put16(ip + 4, end - headers->ip - IP6_HEADER);
        }
        put16(tcp + 16, 0);
        put16(tcp + 16, checksum(tcp, length, net_sum_pseudo(frame, headers, length)));
}

/* The IP length of a frame to be cut may be anything: NICs fill it in.  It is what the frame holds. */
static bool large_headers(uint8_t *frame, size_t size, struct net_headers *headers)
{
        unsigned ip = size >= 18 && get16(frame + 12) == ETHERTYPE_VLAN ? 18 : 14;

        if (size < ip + IP4_HEADER)
                return false;
        if (frame[ip] >> 4 == 4 && size - ip <= 0xffff)
                put16(frame + ip + 2, (unsigned)size - ip);
        else if (frame[ip] >> 4 == 6 && size >= ip + IP6_HEADER && size - ip - IP6_HEADER <= 0xffff)
                put16(frame + ip + 4, (unsigned)size - ip - IP6_HEADER);
        return net_headers_find(frame, size, headers) && headers->protocol == IPPROTO_TCP;
}

void net_large_complete(uint8_t *frame, size_t size, const struct net_offload *offload)
{
        struct net_headers headers;

        (void)offload;
        if (large_headers(frame, size, &headers))
                complete(frame, &headers, headers.end);
}

void net_offload_find(uint8_t *frame, size_t size, bool ip_sum, bool transport_sum, unsigned segment_bytes, struct net_offload *offload)
{
        struct net_headers headers;

        *offload = (struct net_offload){ 0 };
        if (segment_bytes && large_headers(frame, size, &headers)) {
                offload->segments = headers.version == 4 ? NET_SEGMENTS_TCP4 : NET_SEGMENTS_TCP6;
                offload->segment_bytes = (uint16_t)segment_bytes;
                offload->header_bytes = (uint16_t)headers.payload;
                return;
        }
        if (!net_headers_find(frame, size, &headers))
                return;
        if (ip_sum && headers.version == 4) {
                put16(frame + headers.ip + 10, 0);
                put16(frame + headers.ip + 10, checksum(frame + headers.ip, headers.ip_bytes, 0));
        }
        if (transport_sum && (headers.protocol == IPPROTO_TCP || headers.protocol == IPPROTO_UDP)) {
                unsigned length = headers.end - headers.transport;

                offload->checksum = true;
                offload->sum_from = (uint16_t)headers.transport;
                offload->sum_at = (uint16_t)(headers.transport + (headers.protocol == IPPROTO_TCP ? 16 : 6));
                put16(frame + offload->sum_at, net_sum_fold(net_sum_pseudo(frame, &headers, length)));
        }
}

/* -- Segments and fragments ---------------------------------------------------------------------- */

bool net_segment(uint8_t *frame, size_t size, unsigned segment_bytes, net_emit_fn *emit, void *opaque)
{
        struct net_headers headers;
        uint8_t *copy;
        uint32_t sequence;
        uint16_t identification;
        uint8_t flags;

        if (!large_headers(frame, size, &headers) || !segment_bytes)
                return false;
        copy = g_malloc(headers.payload + segment_bytes);
        sequence = get32(frame + headers.transport + 4);
        identification = get16(frame + headers.ip + 4);
        flags = frame[headers.transport + 13];
        for (unsigned at = headers.payload, first = 1; at < headers.end || first; first = 0) {
                unsigned bytes = MIN(segment_bytes, headers.end - at);
                uint8_t now = flags;

                memcpy(copy, frame, headers.payload);
                memcpy(copy + headers.payload, frame + at, bytes);
                put32(copy + headers.transport + 4, sequence + (at - headers.payload));
                if (headers.version == 4)
                        put16(copy + headers.ip + 4, identification++);
                at += bytes;
                if (at < headers.end)
                        now &= (uint8_t)~(TCP_FIN | TCP_PSH);
                if (!first)
                        now &= (uint8_t)~TCP_CWR;
                copy[headers.transport + 13] = now;
                complete(copy, &headers, headers.payload + bytes);
                emit(opaque, copy, headers.payload + bytes);
        }
        g_free(copy);
        return true;
}

bool net_fragment(uint8_t *frame, size_t size, net_emit_fn *emit, void *opaque)
{
        struct net_headers headers;
        uint8_t piece[NET_STANDARD_MAX + 4], *ip;
        unsigned step;

        if (!net_headers_find(frame, size, &headers) || headers.version != 4)
                return false;
        /* Options other than padding would have to be sorted out by their copy bits: such packets are left whole. */
        if (headers.ip_bytes != IP4_HEADER || (get16(frame + headers.ip + 6) & IP4_DO_NOT))
                return false;
        step = (NET_MTU - headers.ip_bytes) & ~7u;
        for (unsigned at = headers.transport; at < headers.end; at += step) {
                unsigned bytes = MIN(step, headers.end - at);

                memcpy(piece, frame, headers.transport);
                memcpy(piece + headers.transport, frame + at, bytes);
                ip = piece + headers.ip;
                put16(ip + 2, headers.ip_bytes + bytes);
                put16(ip + 6, (at - headers.transport) / 8 | (at + bytes < headers.end ? IP4_MORE : 0));
                put16(ip + 10, 0);
                put16(ip + 10, checksum(ip, headers.ip_bytes, 0));
                emit(opaque, piece, headers.transport + bytes);
        }
        return true;
}

/* -- MSS ----------------------------------------------------------------------------------------- */

void net_raise_mss(uint8_t *frame, size_t size, unsigned mss)
{
        struct net_headers headers;

        if (size > NET_STANDARD_MAX || !net_headers_find(frame, size, &headers) || headers.protocol != IPPROTO_TCP ||
            !(frame[headers.transport + 13] & TCP_SYN))
                return;
        for (unsigned at = headers.transport + TCP_HEADER; at < headers.payload && frame[at] != TCP_OPTION_END;) {
                unsigned length = frame[at] == TCP_OPTION_NOP ? 1 : at + 1 < headers.payload ? frame[at + 1] : 0;

                if (!length || (frame[at] != TCP_OPTION_NOP && length < 2) || at + length > headers.payload)
                        return;
                if (frame[at] == TCP_OPTION_MSS && length == 4 && get16(frame + at + 2) >= NET_MTU - 60) {
                        put16(frame + at + 2, mss);
                        complete(frame, &headers, headers.end);
                        return;
                }
                at += length;
        }
}
