/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e1000_transmit.c - the transmit ring: legacy, context and data descriptors (SDM 3.3), checksums, segmentation, tags.
 *
 * Descriptors from TDH up to TDT belong to the card.  Their data is put together in tx_data until a descriptor
 * with EOP completes the packet, which goes to the network with what is left to do (checksum, segmentation) noted:
 * the network's worker does it, not the vCPU.  When the network asks to wait, the ring rests until it calls back.
 */
#include <string.h>

#include "base/log.h"
#include "devices/net/e1000_common.h"

/* Command bits, in the third word of legacy and data descriptors; context descriptors have some at the same places. */
#define CMD_EOP (1u << 24)
#define CMD_RS (1u << 27)
#define CMD_RPS (1u << 28)
#define CMD_IC (1u << 26)       /* legacy: insert checksum; data and context: TCP segmentation */
#define CMD_TSE CMD_IC
#define CMD_DEXT (1u << 29)
#define CMD_VLE (1u << 30)
#define CONTEXT_TCP (1u << 24)
#define CONTEXT_IP4 (1u << 25)
enum { TYPE_SHIFT = 20, TYPE_CONTEXT = 0, TYPE_DATA = 1 };
enum { POPTS_IP = 1, POPTS_TCP = 2 };
enum { TXDCTL_LWTHRESH_SHIFT = 25 };
enum { STATUS_DONE = 1, STATUS_AT = 12, ENTRIES_MAX = 1 << 16 };

static uint32_t get32(const uint8_t *at) { return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24; }

static void take_context(struct e1000 *e1000, const uint8_t *descriptor)
{
        uint32_t ip = get32(descriptor), tcp = get32(descriptor + 4), command = get32(descriptor + 8), sizes = get32(descriptor + 12);
        struct e1000_context *context = command & CMD_TSE ? &e1000->segment_context : &e1000->context;

        *context = (struct e1000_context){
                .ip_start = (uint8_t)ip, .ip_at = (uint8_t)(ip >> 8), .ip_end = (uint16_t)(ip >> 16),
                .sum_start = (uint8_t)tcp, .sum_at = (uint8_t)(tcp >> 8), .sum_end = (uint16_t)(tcp >> 16),
                .payload_bytes = command & 0xfffff, .header_bytes = (uint8_t)(sizes >> 8), .segment_bytes = (uint16_t)(sizes >> 16),
                .tcp = command & CONTEXT_TCP, .ip4 = command & CONTEXT_IP4,
        };
}

/* Puts a checksum of [start, end] (end 0: to the packet's) at `at`, if all that lies in the packet. */
static void insert_sum(struct e1000 *e1000, unsigned start, unsigned at, unsigned end)
{
        struct net_offload offload = { .checksum = true, .sum_from = (uint16_t)start, .sum_at = (uint16_t)at };
        unsigned size = e1000->tx_size;
        uint32_t sum = 0;

        if (end && end + 1 < size)
                size = end + 1;
        if (start >= size || at + 2 > e1000->tx_size)
                return;
        for (unsigned i = offload.sum_from; i < size; i++)
                sum += (i - start) & 1 ? e1000->tx_data[i] : (uint32_t)e1000->tx_data[i] << 8;
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        sum = ~sum & 0xffff;
        e1000->tx_data[at] = (uint8_t)(sum >> 8);
        e1000->tx_data[at + 1] = (uint8_t)sum;
}

/* What the network is to do; the IP header's sum, 20 bytes as a rule, is done here. */
static void fill_offload(struct e1000 *e1000, struct net_offload *offload)
{
        const struct e1000_context *context = e1000->tx_segment ? &e1000->segment_context : &e1000->context;

        if (e1000->tx_segment && context->tcp && context->segment_bytes) {
                offload->segments = context->ip4 ? NET_SEGMENTS_TCP4 : NET_SEGMENTS_TCP6;
                offload->segment_bytes = context->segment_bytes;
                offload->header_bytes = context->header_bytes;
                e1000_count(e1000, S_TSCTC, 1);
                return;
        }
        if (e1000->tx_options & POPTS_IP)
                insert_sum(e1000, context->ip_start, context->ip_at, context->ip_end);
        if (!(e1000->tx_options & POPTS_TCP))
                return;
        if (context->sum_end) {
                insert_sum(e1000, context->sum_start, context->sum_at, context->sum_end);
        } else if (context->sum_start < e1000->tx_size && context->sum_at + 2u <= e1000->tx_size && context->sum_at >= context->sum_start) {
                offload->checksum = true;
                offload->sum_from = context->sum_start;
                offload->sum_at = context->sum_at;
        }
}

static void insert_tag(struct e1000 *e1000, struct net_offload *offload)
{
        uint32_t type = *e1000_reg(e1000, R_VET);
        uint8_t *at = e1000->tx_data + 2 * ETH_ADDRESS_BYTES;

        if (e1000->tx_size < ETH_HEADER_BYTES || e1000->tx_size + ETH_TAG_BYTES > NET_FRAME_MAX)
                return;
        memmove(at + ETH_TAG_BYTES, at, e1000->tx_size - 2 * ETH_ADDRESS_BYTES);
        at[0] = (uint8_t)(type >> 8);
        at[1] = (uint8_t)type;
        at[2] = (uint8_t)(e1000->tx_special >> 8);
        at[3] = (uint8_t)e1000->tx_special;
        e1000->tx_size += ETH_TAG_BYTES;
        offload->sum_from += ETH_TAG_BYTES;
        offload->sum_at += ETH_TAG_BYTES;
        offload->header_bytes += ETH_TAG_BYTES;
}

static void count_sent(struct e1000 *e1000)
{
        e1000_count(e1000, S_TPT, 1);
        e1000_count(e1000, S_GPTC, 1);
        e1000_count_octets(e1000, S_TOTL, e1000->tx_size + ETH_FCS_BYTES);
        e1000_count_octets(e1000, S_GOTCL, e1000->tx_size + ETH_FCS_BYTES);
        e1000_count_size(e1000, S_PTC64, e1000->tx_size);
        if (nic_is_broadcast(e1000->tx_data))
                e1000_count(e1000, S_BPTC, 1);
        else if (nic_is_multicast(e1000->tx_data))
                e1000_count(e1000, S_MPTC, 1);
}

static void finish_packet(struct e1000 *e1000)
{
        struct net_offload offload = { 0 };

        if (e1000->tx_overflow || e1000->tx_size < ETH_HEADER_BYTES) {
                guest_error("e1000", "packet of %u bytes%s", e1000->tx_size, e1000->tx_overflow ? " and more" : "");
        } else {
                fill_offload(e1000, &offload);
                if (e1000->tx_tag)
                        insert_tag(e1000, &offload);
                count_sent(e1000);
                if ((*e1000_reg(e1000, R_RCTL) & RCTL_LBM) || e1000_phy_loops_back(e1000)) {
                        static const struct net_offload whole = { 0 };

                        if (e1000_can_receive(e1000, e1000->tx_size))
                                e1000_receive(e1000, e1000->tx_data, e1000->tx_size, &whole);
                        e1000_received(e1000);
                } else if (e1000->net) {
                        net_send(e1000->net, e1000->tx_data, e1000->tx_size, &offload);
                }
        }
        e1000->tx_size = 0;
        e1000->tx_first_seen = e1000->tx_overflow = false;
}

static void take_data(struct e1000 *e1000, const uint8_t *descriptor, uint32_t command, bool extended)
{
        uint64_t address = get32(descriptor) | (uint64_t)get32(descriptor + 4) << 32;
        uint32_t last = get32(descriptor + 12), size = extended ? command & 0xfffff : command & 0xffff;

        if (!e1000->tx_first_seen) {            /* the first descriptor's options hold for the packet (SDM 3.3.7) */
                e1000->tx_first_seen = true;
                e1000->tx_segment = extended && (command & CMD_TSE);
                e1000->tx_options = extended ? (uint8_t)(last >> 8) : 0;
                e1000->tx_tag = false;
        }
        if (size > NET_FRAME_MAX - e1000->tx_size)
                e1000->tx_overflow = true;
        if (!e1000->tx_overflow) {
                memory_read(e1000->pci.device.env->memory, address, e1000->tx_data + e1000->tx_size, size);
                e1000->tx_size += size;
        }
        if (!(command & CMD_EOP))
                return;
        /* Tag and, in legacy descriptors, checksum come with the last one. */
        if ((command & CMD_VLE) && (*e1000_reg(e1000, R_CTRL) & CTRL_VME)) {
                e1000->tx_tag = true;
                e1000->tx_special = (uint16_t)(last >> 16);
        }
        if (!extended && (command & CMD_IC))
                insert_sum(e1000, last >> 8 & 0xff, command >> 16 & 0xff, 0);
        finish_packet(e1000);
}

void e1000_transmit(struct e1000 *e1000)
{
        struct memory *memory = e1000->pci.device.env->memory;
        uint64_t base = *e1000_reg(e1000, R_TDBAL) | (uint64_t)*e1000_reg(e1000, R_TDBAH) << 32;
        uint32_t entries = *e1000_reg(e1000, R_TDLEN) / DESCRIPTOR_BYTES, *head = e1000_reg(e1000, R_TDH), causes = 0;

        if (!(*e1000_reg(e1000, R_TCTL) & TCTL_EN) || !pci_is_master(&e1000->pci) || e1000->busy)
                return;
        if (*head >= entries || *e1000_reg(e1000, R_TDT) >= entries) {
                if (*head != *e1000_reg(e1000, R_TDT))
                        guest_error("e1000", "transmit head %u, tail %u, ring of %u", *head, *e1000_reg(e1000, R_TDT), entries);
                return;
        }
        e1000->busy = true;
        while (*head != *e1000_reg(e1000, R_TDT) && (!e1000->net || net_writable(e1000->net))) {
                uint8_t descriptor[DESCRIPTOR_BYTES];
                uint64_t at = base + (uint64_t)*head * DESCRIPTOR_BYTES;
                uint32_t command;
                bool extended;

                memory_read(memory, at, descriptor, sizeof(descriptor));
                command = get32(descriptor + 8);
                extended = command & CMD_DEXT;
                if (extended && (command >> TYPE_SHIFT & 15) == TYPE_CONTEXT)
                        take_context(e1000, descriptor);
                else
                        take_data(e1000, descriptor, command, extended);
                if (command & (CMD_RS | CMD_RPS)) {
                        descriptor[STATUS_AT] |= STATUS_DONE;
                        memory_write(memory, at + STATUS_AT, &descriptor[STATUS_AT], 1);
                        causes |= INT_TXDW;
                }
                *head = *head + 1 == entries ? 0 : *head + 1;
        }
        e1000->busy = false;
        if (*head == *e1000_reg(e1000, R_TDT)) {
                causes |= INT_TXQE;
                if (*e1000_reg(e1000, R_TXDCTL) >> TXDCTL_LWTHRESH_SHIFT)       /* fewer than that are left, too */
                        causes |= INT_TXD_LOW;
        }
        e1000_raise(e1000, causes);
}
