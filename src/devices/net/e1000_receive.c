/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e1000_receive.c - the receive ring (SDM 3.2): filters, descriptors, checksum results, tags.
 *
 * Descriptors from RDH up to RDT are the card's to fill.  A frame for which there are not enough of them waits in
 * the network's queue; only a disabled receiver loses frames.
 */
#include <string.h>

#include "base/log.h"
#include "devices/net/e1000_common.h"

enum { RX_DONE = 1 << 0, RX_EOP = 1 << 1, RX_IXSM = 1 << 2, RX_TAG = 1 << 3, RX_TCP_SUM = 1 << 5, RX_IP_SUM = 1 << 6, RX_INEXACT = 1 << 7 };
enum { RXCSUM_IP = 1 << 8, RXCSUM_TCP = 1 << 9, ERROR_TCP = 1 << 5, ERROR_IP = 1 << 6 };
enum { RAH_VALID_BIT = 31, RECEIVE_ADDRESSES = 16 };
enum { FRAME_MAX = 1522, FRAME_MAX_LONG = 16384, RESULT_AT = 8 };      /* by RCTL.LPE, FCS included (SDM 13.4.22) */

static unsigned buffer_bytes(struct e1000 *e1000)
{
        static const uint16_t plain[4] = { 2048, 1024, 512, 256 }, extended[4] = { 2048, 16384, 8192, 4096 };
        uint32_t rctl = *e1000_reg(e1000, R_RCTL);

        return (rctl & RCTL_BSEX ? extended : plain)[rctl >> 16 & 3];
}

static bool receiver_on(struct e1000 *e1000)
{
        return (*e1000_reg(e1000, R_RCTL) & RCTL_EN) && pci_is_master(&e1000->pci);
}

/* Descriptors the guest has given; 0 also for a ring that is none. */
static unsigned free_descriptors(struct e1000 *e1000)
{
        uint32_t entries = *e1000_reg(e1000, R_RDLEN) / DESCRIPTOR_BYTES;
        uint32_t head = *e1000_reg(e1000, R_RDH), tail = *e1000_reg(e1000, R_RDT);

        if (head >= entries || tail >= entries)
                return 0;
        return tail >= head ? tail - head : entries - head + tail;
}

bool e1000_can_receive(void *opaque, size_t size)
{
        struct e1000 *e1000 = opaque;

        if (!receiver_on(e1000))
                return true;                    /* and drops it, as a card does */
        return (uint64_t)free_descriptors(e1000) * buffer_bytes(e1000) >= size + ETH_FCS_BYTES;
}

/* -- Filters (SDM 3.2.1) --------------------------------------------------------------------------- */

static bool tag_passes(struct e1000 *e1000, const uint8_t *frame)
{
        unsigned tag = frame[14] << 8 | frame[15];

        if ((*e1000_reg(e1000, R_RCTL) & RCTL_CFIEN) && !(tag & 0x1000) != !(*e1000_reg(e1000, R_RCTL) & RCTL_CFI))
                return false;
        return *e1000_reg(e1000, R_VFTA + (tag >> 5 & 127) * 4) >> (tag & 31) & 1;
}

static bool address_passes(struct e1000 *e1000, const uint8_t *frame, bool *inexact)
{
        static const uint8_t shift[4] = { 4, 3, 2, 0 };
        uint32_t rctl = *e1000_reg(e1000, R_RCTL);
        uint32_t low = frame[0] | frame[1] << 8 | frame[2] << 16 | (uint32_t)frame[3] << 24, high = frame[4] | frame[5] << 8;
        unsigned hash;

        for (unsigned i = 0; i < RECEIVE_ADDRESSES; i++) {
                uint32_t rah = *e1000_reg(e1000, R_RA + 8 * i + 4);

                if (rah >> RAH_VALID_BIT && (rah & 0xffff) == high && *e1000_reg(e1000, R_RA + 8 * i) == low)
                        return true;
        }
        if (nic_is_broadcast(frame))
                return rctl & (RCTL_BAM | RCTL_MPE);
        if (!nic_is_multicast(frame))
                return rctl & RCTL_UPE;
        if (rctl & RCTL_MPE)
                return true;
        hash = high >> shift[rctl >> 12 & 3] & 0xfff;
        *inexact = true;
        return *e1000_reg(e1000, R_MTA + (hash >> 5) * 4) >> (hash & 31) & 1;
}

/* -- Results --------------------------------------------------------------------------------------- */

static uint32_t sum_bytes(const uint8_t *bytes, size_t size, uint32_t sum)
{
        for (; size > 1; bytes += 2, size -= 2)
                sum += (uint32_t)(bytes[0] << 8 | bytes[1]);
        if (size)
                sum += (uint32_t)*bytes << 8;
        return sum;
}

static bool sum_is_good(uint32_t sum)
{
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return sum == 0xffff;
}

/* Status and errors of the checksums the guest asked about (SDM 3.2.9): IPv4 and, in it, TCP and UDP. */
static void judge_sums(struct e1000 *e1000, const uint8_t *frame, size_t size, uint8_t *status, uint8_t *errors)
{
        uint32_t rxcsum = *e1000_reg(e1000, R_RXCSUM);
        const uint8_t *ip = frame + ETH_HEADER_BYTES;
        unsigned header, total;

        if (!(rxcsum & (RXCSUM_IP | RXCSUM_TCP)) || size < ETH_HEADER_BYTES + 20 || frame[12] != 8 || frame[13] != 0 || ip[0] >> 4 != 4) {
                *status |= RX_IXSM;
                return;
        }
        header = (ip[0] & 15u) * 4;
        total = (unsigned)(ip[2] << 8 | ip[3]);
        if (header < 20 || total < header || total > size - ETH_HEADER_BYTES) {
                *status |= RX_IXSM;
                return;
        }
        if (rxcsum & RXCSUM_IP) {
                *status |= RX_IP_SUM;
                if (!sum_is_good(sum_bytes(ip, header, 0)))
                        *errors |= ERROR_IP;
        }
        /* A fragment's transport header says nothing about it; a UDP sum of zero is none. */
        if (!(rxcsum & RXCSUM_TCP) || (ip[6] & 0x3f) || ip[7] ||
            (ip[9] != 6 && (ip[9] != 17 || total < header + 8 || !(ip[header + 6] | ip[header + 7]))))
                return;
        *status |= RX_TCP_SUM;
        if (!sum_is_good(sum_bytes(ip + header, total - header, sum_bytes(ip + 12, 8, ip[9] + total - header))))
                *errors |= ERROR_TCP;
}

static void count_received(struct e1000 *e1000, const uint8_t *frame, size_t size)
{
        e1000_count(e1000, S_TPR, 1);
        e1000_count(e1000, S_GPRC, 1);
        e1000_count_octets(e1000, S_TORL, (uint32_t)size + ETH_FCS_BYTES);
        e1000_count_octets(e1000, S_GORCL, (uint32_t)size + ETH_FCS_BYTES);
        e1000_count_size(e1000, S_PRC64, size);
        if (nic_is_broadcast(frame))
                e1000_count(e1000, S_BPRC, 1);
        else if (nic_is_multicast(frame))
                e1000_count(e1000, S_MPRC, 1);
}

/* -- Descriptors ----------------------------------------------------------------------------------- */

/* Fills as many descriptors as the frame takes; there are enough. */
static void store(struct e1000 *e1000, const uint8_t *frame, size_t size, size_t stored, uint8_t status, uint8_t errors, uint16_t tag)
{
        static const uint8_t no_fcs[ETH_FCS_BYTES];
        struct memory *memory = e1000->pci.device.env->memory;
        uint64_t base = *e1000_reg(e1000, R_RDBAL) | (uint64_t)*e1000_reg(e1000, R_RDBAH) << 32;
        uint32_t entries = *e1000_reg(e1000, R_RDLEN) / DESCRIPTOR_BYTES, *head = e1000_reg(e1000, R_RDH);
        size_t room = buffer_bytes(e1000);

        for (size_t at = 0; at < stored;) {
                uint64_t descriptor = base + (uint64_t)*head * DESCRIPTOR_BYTES;
                size_t bytes = MIN(room, stored - at), from_frame = at < size ? MIN(bytes, size - at) : 0;
                bool last = at + bytes == stored;
                uint8_t address_bytes[8], result[8] = { (uint8_t)bytes, (uint8_t)(bytes >> 8), 0, 0, RX_DONE };
                uint64_t address;

                memory_read(memory, descriptor, address_bytes, sizeof(address_bytes));
                memcpy(&address, address_bytes, sizeof(address));
                address = GUINT64_FROM_LE(address);
                memory_write(memory, address, frame + at, from_frame);
                if (from_frame < bytes)
                        memory_write(memory, address + from_frame, no_fcs, bytes - from_frame);
                if (last) {
                        result[4] |= status | RX_EOP;
                        result[5] = errors;
                        result[6] = (uint8_t)tag;
                        result[7] = (uint8_t)(tag >> 8);
                }
                memory_write(memory, descriptor + RESULT_AT, result, sizeof(result));
                at += bytes;
                *head = *head + 1 == entries ? 0 : *head + 1;
        }
}

void e1000_receive(void *opaque, const uint8_t *frame, size_t size, const struct net_offload *offload)
{
        struct e1000 *e1000 = opaque;
        uint32_t rctl = *e1000_reg(e1000, R_RCTL), vet = *e1000_reg(e1000, R_VET);
        uint8_t small[ETH_MINIMUM], *untagged = NULL, status = 0, errors = 0;
        bool tagged, was_busy = e1000->busy, inexact = false;
        uint16_t tag = 0;

        (void)offload;
        if (!receiver_on(e1000))
                return;
        if (size < ETH_MINIMUM) {
                memset(small, 0, sizeof(small));
                memcpy(small, frame, size);
                frame = small;
                size = sizeof(small);
        }
        tagged = (unsigned)(frame[12] << 8 | frame[13]) == (vet & 0xffff);
        if ((tagged && (rctl & RCTL_VFE) && !tag_passes(e1000, frame)) || !address_passes(e1000, frame, &inexact))
                return;
        if (size + ETH_FCS_BYTES > (rctl & RCTL_LPE ? FRAME_MAX_LONG : FRAME_MAX)) {
                e1000_count(e1000, S_ROC, 1);
                return;
        }
        count_received(e1000, frame, size);
        if (inexact)
                status |= RX_INEXACT;
        if (tagged && (*e1000_reg(e1000, R_CTRL) & CTRL_VME)) {
                status |= RX_TAG;
                tag = (uint16_t)(frame[14] << 8 | frame[15]);
                untagged = g_malloc(size - ETH_TAG_BYTES);
                memcpy(untagged, frame, 2 * ETH_ADDRESS_BYTES);
                memcpy(untagged + 2 * ETH_ADDRESS_BYTES, frame + 2 * ETH_ADDRESS_BYTES + ETH_TAG_BYTES,
                       size - 2 * ETH_ADDRESS_BYTES - ETH_TAG_BYTES);
                frame = untagged;
                size -= ETH_TAG_BYTES;
        }
        judge_sums(e1000, frame, size, &status, &errors);
        e1000->busy = true;
        store(e1000, frame, size, size + (rctl & RCTL_SECRC ? 0 : ETH_FCS_BYTES), status, errors, tag);
        e1000->busy = was_busy;
        g_free(untagged);
}

void e1000_received(void *opaque)
{
        struct e1000 *e1000 = opaque;
        uint32_t entries = *e1000_reg(e1000, R_RDLEN) / DESCRIPTOR_BYTES, causes = INT_RXT0;

        if (!receiver_on(e1000))
                return;
        /* Few are left: half, a quarter or an eighth of the ring (RCTL.RDMTS). */
        if (free_descriptors(e1000) <= entries >> (1 + (*e1000_reg(e1000, R_RCTL) >> 8 & 3)))
                causes |= INT_RXDMT0;
        e1000_raise(e1000, causes);
}
