/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtl8139_ring.c - the RTL8139C+'s frames: four buffers and a byte ring, or rings of descriptors.
 *
 * Byte ring: each frame has a header of four bytes (status, length with FCS) and starts at a multiple of four.  The
 * card writes at CBR, the guest has read up to CAPR + 16.  Descriptors (C+ mode) hold status and size, a tag, and
 * an address; OWN says that they are the card's.  The FCS bytes read as zeros.
 */
#include <string.h>

#include "base/log.h"
#include "devices/net/rtl8139_common.h"

enum { HEADER_BYTES = 4, RING_SLACK = 16, RX_MAX = 1536 };
/* Status of a received frame, byte ring. */
enum { RX_OK = 1 << 0, RX_BROADCAST = 1 << 13, RX_MATCH = 1 << 14, RX_MULTICAST = 1 << 15 };
/* Descriptors. */
#define D_OWN (1u << 31)
#define D_END (1u << 30)
#define D_FIRST (1u << 29)
#define D_LAST (1u << 28)
#define D_LARGE (1u << 27)
enum { D_TX_IP = 1 << 18, D_TX_UDP = 1 << 17, D_TX_TCP = 1 << 16, D_TX_TAG = 1 << 17, D_RX_TAG = 1 << 16 };
enum { D_RX_SIZE = 0x1fff, D_RX_BROADCAST = 1 << 25, D_RX_MATCH = 1 << 26, D_RX_MULTICAST = 1 << 27 };
enum { DESCRIPTOR_BYTES = 16 };

/* -- Transmission ---------------------------------------------------------------------------------- */

uint16_t rtl_summary(const struct rtl8139 *rtl)
{
        uint16_t value = 0;

        for (unsigned i = 0; i < 4; i++) {
                uint32_t status = rtl_get32(rtl, R_TSD + 4 * i);

                value |= (uint16_t)(((status & TSD_OWN) != 0) << i | ((status & TSD_ABORT) != 0) << (4 + i) |
                                    ((status & TSD_UNDERRUN) != 0) << (8 + i) | ((status & TSD_OK) != 0) << (12 + i));
        }
        return value;
}

/* To the network, or (TCR.LBK) to this card's own receiver. */
static void send_frame(struct rtl8139 *rtl, const uint8_t *frame, size_t size, const struct net_offload *offload)
{
        bool was_busy = rtl->busy;

        if ((rtl_get32(rtl, R_TCR) & TCR_LOOPBACK) != TCR_LOOPBACK) {
                net_send(rtl->net, frame, size, offload);
                return;
        }
        if (rtl_can_receive(rtl, size)) {
                rtl_receive(rtl, frame, size, offload);
                rtl->busy = was_busy;
                rtl_received(rtl);
        }
}

void rtl_transmit_buffer(struct rtl8139 *rtl, unsigned n)
{
        uint32_t status = rtl_get32(rtl, R_TSD + 4 * n), size = status & TSD_SIZE;

        if ((status & TSD_OWN) || !(rtl->reg[R_CR] & CR_TE) || !pci_is_master(&rtl->pci))
                return;
        if (size >= ETH_HEADER_BYTES && rtl->net) {
                uint8_t frame[TSD_SIZE + 1];

                rtl->busy = true;
                memory_read(rtl->pci.device.env->memory, rtl_get32(rtl, R_TSAD + 4 * n), frame, size);
                rtl->busy = false;
                send_frame(rtl, frame, size, NULL);
        }
        rtl_put32(rtl, R_TSD + 4 * n, status | TSD_OWN | TSD_OK);
        rtl_raise(rtl, INT_TX_OK);
}

static void insert_tag(struct rtl8139 *rtl, uint32_t tag, struct net_offload *offload)
{
        uint8_t *at = rtl->tx_data + 2 * ETH_ADDRESS_BYTES;

        if (rtl->tx_size + ETH_TAG_BYTES > NET_FRAME_MAX)
                return;
        memmove(at + ETH_TAG_BYTES, at, rtl->tx_size - 2 * ETH_ADDRESS_BYTES);
        at[0] = 0x81;
        at[1] = 0x00;
        at[2] = (uint8_t)tag;                   /* the descriptor has the tag's bytes swapped */
        at[3] = (uint8_t)(tag >> 8);
        rtl->tx_size += ETH_TAG_BYTES;
        offload->sum_from += ETH_TAG_BYTES;
        offload->sum_at += ETH_TAG_BYTES;
        offload->header_bytes += ETH_TAG_BYTES;
}

static void finish_packet(struct rtl8139 *rtl, uint32_t command, uint32_t tag)
{
        struct net_offload offload = { 0 };
        bool large = command & D_LARGE;

        if (rtl->tx_overflow || rtl->tx_size < ETH_HEADER_BYTES) {
                guest_error("rtl8139", "packet of %u bytes%s", rtl->tx_size, rtl->tx_overflow ? " and more" : "");
        } else if (rtl->net) {
                if (large || (command & (D_TX_IP | D_TX_UDP | D_TX_TCP)))
                        net_offload_find(rtl->tx_data, rtl->tx_size, command & D_TX_IP, command & (D_TX_UDP | D_TX_TCP),
                                         large ? command >> 16 & 0x7ff : 0, &offload);
                if (tag & D_TX_TAG)
                        insert_tag(rtl, tag, &offload);
                send_frame(rtl, rtl->tx_data, rtl->tx_size, &offload);
        }
        rtl->tx_size = 0;
        rtl->tx_overflow = false;
}

/* One descriptor of the normal-priority ring.  False: it is not the card's. */
static bool transmit_descriptor(struct rtl8139 *rtl)
{
        struct memory *memory = rtl->pci.device.env->memory;
        uint64_t at = (rtl_get32(rtl, R_TNPDS) & ~255u) + ((uint64_t)rtl_get32(rtl, R_TNPDS + 4) << 32) + rtl->tx_next * DESCRIPTOR_BYTES;
        uint8_t bytes[DESCRIPTOR_BYTES];
        uint32_t command, tag, size;

        memory_read(memory, at, bytes, sizeof(bytes));
        command = pci_get32(bytes, 0);
        tag = pci_get32(bytes, 4);
        size = command & 0xffff;
        if (!(command & D_OWN))
                return false;
        if (command & D_FIRST) {
                rtl->tx_size = 0;
                rtl->tx_overflow = false;
        }
        if (size > NET_FRAME_MAX - rtl->tx_size)
                rtl->tx_overflow = true;
        if (!rtl->tx_overflow) {
                memory_read(memory, pci_get32(bytes, 8) | (uint64_t)pci_get32(bytes, 12) << 32, rtl->tx_data + rtl->tx_size, size);
                rtl->tx_size += size;
        }
        if (command & D_LAST)
                finish_packet(rtl, command, tag);
        pci_put32(bytes, 0, command & ~D_OWN);
        memory_write(memory, at, bytes, 4);
        rtl->tx_next = (command & D_END) || rtl->tx_next == RTL_RING - 1 ? 0 : rtl->tx_next + 1;
        return true;
}

void rtl_transmit_ring(struct rtl8139 *rtl)
{
        unsigned done = 0;

        if (!(rtl->reg[R_CR] & CR_TE) || !(rtl_get16(rtl, R_CPCR) & CPCR_TX) || !pci_is_master(&rtl->pci) || rtl->busy)
                return;
        rtl->busy = true;
        /* A ring in which every descriptor is the card's would go round for ever if memory refused the write-back. */
        while (done < RTL_RING && (!rtl->net || net_writable(rtl->net)) && transmit_descriptor(rtl))
                done++;
        rtl->busy = false;
        rtl_raise(rtl, done ? INT_TX_OK | INT_TX_NONE : INT_TX_NONE);
}

/* -- Reception ------------------------------------------------------------------------------------- */

static unsigned ring_bytes(const struct rtl8139 *rtl) { return 8192u << (rtl_get32(rtl, R_RCR) >> 11 & 3); }

static unsigned ring_read_at(const struct rtl8139 *rtl)
{
        return (rtl_get16(rtl, R_CAPR) + RING_SLACK) & (ring_bytes(rtl) - 1);
}

bool rtl_ring_is_empty(const struct rtl8139 *rtl)
{
        return (rtl->rx_at & (ring_bytes(rtl) - 1)) == ring_read_at(rtl);
}

static bool in_descriptor_mode(const struct rtl8139 *rtl) { return rtl_get16(rtl, R_CPCR) & CPCR_RX; }

static bool receiver_on(const struct rtl8139 *rtl)
{
        return (rtl->reg[R_CR] & CR_RE) && pci_is_master(&rtl->pci);
}

static uint64_t receive_descriptor(const struct rtl8139 *rtl)
{
        return (rtl_get32(rtl, R_RDSAR) & ~255u) + ((uint64_t)rtl_get32(rtl, R_RDSAR + 4) << 32) + rtl->rx_next * DESCRIPTOR_BYTES;
}

/* What a frame takes of the byte ring. */
static unsigned ring_space(size_t size)
{
        return (unsigned)((MAX(size, ETH_MINIMUM) + ETH_FCS_BYTES + HEADER_BYTES + 3) & ~(size_t)3);
}

bool rtl_can_receive(void *opaque, size_t size)
{
        struct rtl8139 *rtl = opaque;
        unsigned all = ring_bytes(rtl), used = (rtl->rx_at - ring_read_at(rtl)) & (all - 1);
        uint8_t command[4];

        if (!receiver_on(rtl) || size > RX_MAX)
                return true;                    /* and drops it, as a card does */
        if (!in_descriptor_mode(rtl))
                return all - used > ring_space(size) + RING_SLACK;
        memory_read(rtl->pci.device.env->memory, receive_descriptor(rtl), command, sizeof(command));
        return pci_get32(command, 0) & D_OWN;
}

/* Which of the filter's answers lets the frame in; 0: none. */
static unsigned classify(const struct rtl8139 *rtl, const uint8_t *frame)
{
        uint32_t rcr = rtl_get32(rtl, R_RCR);

        if (nic_is_broadcast(frame))
                return rcr & (RCR_BROADCAST | RCR_ALL) ? RX_BROADCAST : 0;
        if (nic_is_multicast(frame)) {
                unsigned hash = nic_crc(frame, ETH_ADDRESS_BYTES) >> 26;
                bool hit = (rcr & RCR_MULTICAST) && (rtl->reg[R_MAR + (hash >> 3)] >> (hash & 7) & 1);

                return hit || (rcr & RCR_ALL) ? RX_MULTICAST : 0;
        }
        if (!memcmp(frame, rtl->reg, ETH_ADDRESS_BYTES))
                return rcr & (RCR_MATCH | RCR_ALL) ? RX_MATCH : 0;
        return rcr & RCR_ALL ? RX_OK : 0;
}

/* Writes to the byte ring at offset `at` of it; past its end it goes on at the start, or (RCR.WRAP) in the 1.5 KiB
 * that the guest set aside there, which a ring of 64 KiB cannot have. */
static void ring_write(struct rtl8139 *rtl, unsigned at, const uint8_t *bytes, unsigned size)
{
        struct memory *memory = rtl->pci.device.env->memory;
        unsigned all = ring_bytes(rtl), before;
        uint32_t base = rtl_get32(rtl, R_RBSTART);

        if ((rtl_get32(rtl, R_RCR) & RCR_NO_WRAP) && all < 65536) {
                memory_write(memory, (uint64_t)base + at, bytes, size);
                return;
        }
        at &= all - 1;
        before = MIN(size, all - at);
        memory_write(memory, (uint64_t)base + at, bytes, before);
        memory_write(memory, base, bytes + before, size - before);
}

static void receive_to_ring(struct rtl8139 *rtl, uint8_t *frame, unsigned size, unsigned class)
{
        unsigned at = rtl->rx_at & (ring_bytes(rtl) - 1);
        uint8_t header[HEADER_BYTES];

        pci_put16(header, 0, (uint16_t)(class | RX_OK));
        pci_put16(header, 2, (uint16_t)(size + ETH_FCS_BYTES));
        ring_write(rtl, at, header, sizeof(header));
        memset(frame + size, 0, ETH_FCS_BYTES);
        ring_write(rtl, at + HEADER_BYTES, frame, size + ETH_FCS_BYTES);
        rtl->rx_at = (uint16_t)((at + ring_space(size)) & (ring_bytes(rtl) - 1));
}

static void receive_to_descriptor(struct rtl8139 *rtl, uint8_t *frame, unsigned size, unsigned class)
{
        struct memory *memory = rtl->pci.device.env->memory;
        uint64_t at = receive_descriptor(rtl);
        uint8_t bytes[DESCRIPTOR_BYTES];
        uint32_t command, result, tag = 0;

        memory_read(memory, at, bytes, sizeof(bytes));
        command = pci_get32(bytes, 0);
        if (!(command & D_OWN))
                return;
        if ((rtl_get16(rtl, R_CPCR) & CPCR_RX_TAG) && frame[12] == 0x81 && frame[13] == 0) {
                tag = (uint32_t)(frame[14] | frame[15] << 8) | D_RX_TAG;
                memmove(frame + 12, frame + 16, size - 16);
                size -= ETH_TAG_BYTES;
        }
        if (size + ETH_FCS_BYTES > (command & D_RX_SIZE)) {
                guest_error("rtl8139", "receive buffer of %u bytes, frame of %u", command & D_RX_SIZE, size);
                return;
        }
        result = (command & D_END) | D_FIRST | D_LAST | (size + ETH_FCS_BYTES);
        result |= class == RX_BROADCAST ? D_RX_BROADCAST : class == RX_MULTICAST ? D_RX_MULTICAST : class == RX_MATCH ? D_RX_MATCH : 0;
        memset(frame + size, 0, ETH_FCS_BYTES);
        memory_write(memory, pci_get32(bytes, 8) | (uint64_t)pci_get32(bytes, 12) << 32, frame, size + ETH_FCS_BYTES);
        /* Protocol bits that are clear leave the checksums to the guest, which is always right. */
        pci_put32(bytes, 0, result);
        pci_put32(bytes, 4, tag);
        memory_write(memory, at, bytes, 8);
        rtl->rx_next = (command & D_END) || rtl->rx_next == RTL_RING - 1 ? 0 : rtl->rx_next + 1;
}

void rtl_receive(void *opaque, const uint8_t *frame, size_t size, const struct net_offload *offload)
{
        struct rtl8139 *rtl = opaque;
        uint8_t copy[RX_MAX + ETH_FCS_BYTES] = { 0 };
        unsigned class;

        (void)offload;
        if (!receiver_on(rtl) || size > RX_MAX)
                return;
        class = classify(rtl, frame);
        if (!class)
                return;
        memcpy(copy, frame, size);
        rtl->busy = true;
        if (in_descriptor_mode(rtl))
                receive_to_descriptor(rtl, copy, (unsigned)MAX(size, ETH_MINIMUM), class);
        else
                receive_to_ring(rtl, copy, (unsigned)MAX(size, ETH_MINIMUM), class);
        rtl->busy = false;
        rtl_put16(rtl, R_ISR, rtl_get16(rtl, R_ISR) | INT_RX_OK);
}

void rtl_received(void *opaque) { rtl_raise(opaque, 0); }
