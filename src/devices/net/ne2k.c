/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ne2k.c - the NE2000 Ethernet card for the ISA bus: a DP8390 with 16 KiB of memory behind a data port.
 *
 * Datasheets: National DP8390D (1992); the card as the packet drivers know it.  32 ports: 00-0F the DP8390 in pages
 * chosen by CR, 10 the data port (8 or 16 bits; 32 as two halves), 18-1F reset by reading.  Card memory as the remote
 * DMA sees it: 00-1F the address PROM, each byte twice, then 57h 57h; 4000-7FFF buffer memory.
 *
 * Frames wait on the host's side while the ring between PSTART and PSTOP has no room, so there are no overruns
 * as long as the guest reads on.  Not modelled: loopback but for swallowing frames, the counters of bad frames
 * (there are none), boot PROM.
 */
#include <string.h>

#include "base/i18n.h"
#include "base/log.h"
#include "devices/net/nic_common.h"

enum { PORTS = 32, DATA_PORT = 0x10, RESET_PORT = 0x18 };
enum { MEMORY_START = 0x4000, MEMORY_END = 0x8000, MEMORY_BYTES = MEMORY_END - MEMORY_START, PROM_BYTES = 32, PAGE_BYTES = 256 };
enum { CR_STP = 1 << 0, CR_STA = 1 << 1, CR_TXP = 1 << 2, CR_RD_READ = 1 << 3, CR_RD_WRITE = 2 << 3,
       CR_RD_ABORT = 4 << 3, CR_RD = 7 << 3, CR_PAGE_SHIFT = 6 };
enum { ISR_PRX = 1 << 0, ISR_PTX = 1 << 1, ISR_OVW = 1 << 4, ISR_RDC = 1 << 6, ISR_RST = 1 << 7 };
enum { RCR_BROADCAST = 1 << 2, RCR_MULTICAST = 1 << 3, RCR_ALL = 1 << 4, RCR_MONITOR = 1 << 5 };
enum { TCR_LOOPBACK = 3 << 1, TSR_SENT = 1 << 0, RSR_GOOD = 1 << 0, RSR_MULTICAST = 1 << 5 };
enum { HEADER_BYTES = 4, FRAME_MAX = 1518 };

struct ne2k {
        struct device device;
        /* Properties. */
        uint64_t port;
        /* Saved; names are the datasheet's. */
        uint8_t cr, isr, imr, rcr, tcr, dcr, rsr, tsr, pstart, pstop, bnry, curr, tpsr;
        uint16_t tbcr, rsar, rbcr;      /* transmit count; remote DMA address and count */
        bool bnry_moved;                /* since PRX was last acknowledged */
        uint8_t par[6], mar[8];
        uint8_t memory[MEMORY_BYTES];
        uint8_t prom[PROM_BYTES];
        /* Host. */
        struct irq irq;
        struct net *net;
        struct port_range *io, *data;
};

static const struct state_field ne2k_fields[] = {
        STATE_SKIP(struct ne2k, port, "property"),
        STATE_U8(struct ne2k, cr), STATE_U8(struct ne2k, isr), STATE_U8(struct ne2k, imr), STATE_U8(struct ne2k, rcr),
        STATE_U8(struct ne2k, tcr), STATE_U8(struct ne2k, dcr), STATE_U8(struct ne2k, rsr), STATE_U8(struct ne2k, tsr),
        STATE_U8(struct ne2k, pstart), STATE_U8(struct ne2k, pstop), STATE_U8(struct ne2k, bnry), STATE_U8(struct ne2k, curr),
        STATE_U8(struct ne2k, tpsr),
        STATE_U16(struct ne2k, tbcr), STATE_U16(struct ne2k, rsar), STATE_U16(struct ne2k, rbcr),
        STATE_BOOL(struct ne2k, bnry_moved),
        STATE_BYTES(struct ne2k, par),
        STATE_BYTES(struct ne2k, mar),
        STATE_BYTES(struct ne2k, memory),
        STATE_BYTES(struct ne2k, prom),
        STATE_SKIP(struct ne2k, irq, "wire, connected by the machine"),
        STATE_SKIP(struct ne2k, net, "the host's side"),
        STATE_SKIP(struct ne2k, io, "mapping"),
        STATE_SKIP(struct ne2k, data, "mapping"),
        STATE_END
};

static const struct property ne2k_properties[] = {
        { "port", PROPERTY_UINT, offsetof(struct ne2k, port), 0x100, 0xffe0, "0x300", NULL, N_("first of its 32 I/O ports") },
        { .name = NULL }
};

static void ne2k_update(struct ne2k *ne2k)
{
        irq_set(&ne2k->irq, ne2k->isr & ne2k->imr & 0x7f);
}

/* -- Card memory ----------------------------------------------------------------------------------- */

static uint8_t memory_get(const struct ne2k *ne2k, unsigned address)
{
        if (address < PROM_BYTES)
                return ne2k->prom[address];
        return address >= MEMORY_START && address < MEMORY_END ? ne2k->memory[address - MEMORY_START] : 0xff;
}

static void memory_put(struct ne2k *ne2k, unsigned address, uint8_t value)
{
        if (address >= MEMORY_START && address < MEMORY_END)
                ne2k->memory[address - MEMORY_START] = value;
}

/* Remote DMA moves on by one byte; within the ring it goes back to its start (DP8390D, 7.0). */
static void remote_step(struct ne2k *ne2k)
{
        if (!ne2k->rbcr)
                return;
        ne2k->rsar++;
        if (ne2k->rsar == ne2k->pstop * PAGE_BYTES)
                ne2k->rsar = (uint16_t)(ne2k->pstart * PAGE_BYTES);
        if (!--ne2k->rbcr) {
                ne2k->isr |= ISR_RDC;
                ne2k_update(ne2k);
        }
}

static uint32_t data_read(struct ne2k *ne2k, unsigned size)
{
        uint32_t value = 0;

        for (unsigned i = 0; i < size; i++) {
                value |= (uint32_t)memory_get(ne2k, ne2k->rsar) << 8 * i;
                remote_step(ne2k);
        }
        return value;
}

static void data_write(struct ne2k *ne2k, uint32_t value, unsigned size)
{
        for (unsigned i = 0; i < size && ne2k->rbcr; i++) {
                memory_put(ne2k, ne2k->rsar, (uint8_t)(value >> 8 * i));
                remote_step(ne2k);
        }
}

/* -- Frames ---------------------------------------------------------------------------------------- */

static void ne2k_transmit(struct ne2k *ne2k)
{
        unsigned size = MIN(ne2k->tbcr, FRAME_MAX);
        uint8_t frame[FRAME_MAX];

        for (unsigned i = 0; i < size; i++)
                frame[i] = memory_get(ne2k, ne2k->tpsr * PAGE_BYTES + i);
        if (ne2k->net && !(ne2k->tcr & TCR_LOOPBACK))
                net_send(ne2k->net, frame, size, NULL);
        ne2k->tsr = TSR_SENT;
        ne2k->cr &= (uint8_t)~CR_TXP;
        ne2k->isr |= ISR_PTX;
        ne2k_update(ne2k);
}

/* Whether pstart, pstop and curr describe a ring within card memory. */
static bool ring_is_sane(const struct ne2k *ne2k)
{
        return ne2k->pstart >= MEMORY_START / PAGE_BYTES && ne2k->pstop <= MEMORY_END / PAGE_BYTES && ne2k->pstart < ne2k->pstop &&
               ne2k->curr >= ne2k->pstart && ne2k->curr < ne2k->pstop;
}

/* Drivers keep BNRY one page behind the frame they read next, and some (Linux's 8390) write PSTART - 1 when that is the
 * ring's first. */
static unsigned boundary(const struct ne2k *ne2k)
{
        return ne2k->bnry < ne2k->pstart || ne2k->bnry >= ne2k->pstop ? ne2k->pstop - 1u : ne2k->bnry;
}

/* Frames of the ring that the guest has not passed with BNRY. */
static bool has_unread(const struct ne2k *ne2k)
{
        unsigned read = boundary(ne2k), next = read + 1 == ne2k->pstop ? ne2k->pstart : read + 1;

        return ring_is_sane(ne2k) && ne2k->curr != next && ne2k->curr != read;
}

static bool receiver_on(const struct ne2k *ne2k)
{
        return (ne2k->cr & CR_STA) && !(ne2k->cr & CR_STP) && !(ne2k->rcr & RCR_MONITOR) && !(ne2k->tcr & TCR_LOOPBACK) && ring_is_sane(ne2k);
}

static unsigned pages_for(size_t size)
{
        return (unsigned)((MAX(size, ETH_MINIMUM) + HEADER_BYTES + ETH_FCS_BYTES + PAGE_BYTES - 1) / PAGE_BYTES);
}

static bool ne2k_can_receive(void *opaque, size_t size)
{
        struct ne2k *ne2k = opaque;
        int room;

        if (!receiver_on(ne2k) || size + ETH_FCS_BYTES > FRAME_MAX)
                return true;                    /* and drops it */
        room = (int)boundary(ne2k) - ne2k->curr;
        if (room <= 0)                          /* equal: the guest has read everything */
                room += ne2k->pstop - ne2k->pstart;
        if ((unsigned)room > pages_for(size))
                return true;
        /* The guest may have acknowledged PRX with frames left to read: what would raise it again is the one that waits. */
        if (!(ne2k->isr & ISR_PRX)) {
                ne2k->isr |= ISR_PRX;
                ne2k_update(ne2k);
        }
        return false;
}

static bool address_passes(const struct ne2k *ne2k, const uint8_t *frame)
{
        unsigned hash;

        if (nic_is_broadcast(frame))
                return ne2k->rcr & RCR_BROADCAST;
        if (nic_is_multicast(frame)) {
                hash = nic_crc(frame, ETH_ADDRESS_BYTES) >> 26;
                return (ne2k->rcr & RCR_MULTICAST) && (ne2k->mar[hash >> 3] >> (hash & 7) & 1);
        }
        return (ne2k->rcr & RCR_ALL) || !memcmp(frame, ne2k->par, ETH_ADDRESS_BYTES);
}

static void ne2k_receive(void *opaque, const uint8_t *frame, size_t size, const struct net_offload *offload)
{
        struct ne2k *ne2k = opaque;
        unsigned padded = (unsigned)MAX(size, ETH_MINIMUM), pages = pages_for(size), next, total = padded + HEADER_BYTES;
        unsigned at = ne2k->curr * PAGE_BYTES;

        (void)offload;
        if (!receiver_on(ne2k) || size + ETH_FCS_BYTES > FRAME_MAX || !address_passes(ne2k, frame) ||
            pages >= (unsigned)(ne2k->pstop - ne2k->pstart))
                return;
        next = ne2k->curr + pages;
        if (next >= ne2k->pstop)
                next -= ne2k->pstop - ne2k->pstart;
        ne2k->rsr = RSR_GOOD | (nic_is_multicast(frame) ? RSR_MULTICAST : 0);
        const uint8_t header[HEADER_BYTES] = { ne2k->rsr, (uint8_t)next, (uint8_t)total, (uint8_t)(total >> 8) };

        for (unsigned i = 0; i < total; i++) {
                memory_put(ne2k, at, i < HEADER_BYTES ? header[i] : i - HEADER_BYTES < size ? frame[i - HEADER_BYTES] : 0);
                if (++at == ne2k->pstop * PAGE_BYTES)
                        at = ne2k->pstart * PAGE_BYTES;
        }
        ne2k->curr = (uint8_t)next;
        ne2k->isr |= ISR_PRX;
        ne2k_update(ne2k);
}

static void ne2k_writable(void *opaque) { (void)opaque; }       /* frames go one by one, each when asked for */
static void ne2k_link_changed(void *opaque, bool up) { (void)opaque, (void)up; }        /* the chip cannot tell */

static const struct net_device_ops ne2k_net_ops = {
        .can_receive = ne2k_can_receive, .receive = ne2k_receive, .writable = ne2k_writable, .link_changed = ne2k_link_changed,
};

/* -- Registers ------------------------------------------------------------------------------------- */

static void reset_chip(struct ne2k *ne2k)
{
        ne2k->cr = CR_STP | CR_RD_ABORT;
        ne2k->isr = ISR_RST;
        ne2k->imr = 0;
        ne2k_update(ne2k);
}

/* Some drivers (Linux's 8390) read ten frames, acknowledge PRX, and count on the next frame to raise it for those that are
 * left.  On a wire one comes; here the other side may be waiting for an answer to one in the ring.  So PRX rises again. */
static void isr_write(struct ne2k *ne2k, uint8_t value)
{
        bool again = (value & ISR_PRX) && ne2k->bnry_moved && (ne2k->cr & CR_STA) && has_unread(ne2k);

        ne2k->isr &= (uint8_t)~(value & 0x7f);
        if (value & ISR_PRX)
                ne2k->bnry_moved = false;
        ne2k_update(ne2k);                      /* the line falls in between: it may be taken by its edges */
        if (again)
                ne2k->isr |= ISR_PRX;
}

static void cr_write(struct ne2k *ne2k, uint8_t value)
{
        /* It goes on, or stays stopped, when neither start nor stop is written; TXP is cleared by the card only. */
        if (!(value & (CR_STA | CR_STP)))
                value |= ne2k->cr & (CR_STA | CR_STP);
        ne2k->cr = value;
        if (value & CR_STP)
                ne2k->isr |= ISR_RST;
        else
                ne2k->isr &= (uint8_t)~ISR_RST;
        if ((value & (CR_RD_READ | CR_RD_WRITE)) && !ne2k->rbcr)
                ne2k->isr |= ISR_RDC;
        if ((value & CR_TXP) && (value & CR_STA) && !(value & CR_STP))
                ne2k_transmit(ne2k);
        ne2k_update(ne2k);
        if (ne2k->net)
                net_accept_input(ne2k->net);
}

static uint8_t page0_read(struct ne2k *ne2k, unsigned reg)
{
        switch (reg) {
        case 0x01:
                return (uint8_t)ne2k->rsar;     /* CLDA: local DMA rests between frames */
        case 0x02:
                return (uint8_t)(ne2k->rsar >> 8);
        case 0x03:
                return ne2k->bnry;
        case 0x04:
                return ne2k->tsr;
        case 0x07:
                return ne2k->isr;
        case 0x08:
                return (uint8_t)ne2k->rsar;
        case 0x09:
                return (uint8_t)(ne2k->rsar >> 8);
        case 0x0a:
                return 0x50;                    /* 8019ID, as the later single-chip cards have it */
        case 0x0b:
                return 0x70;
        case 0x0c:
                return ne2k->rsr;
        default:
                return 0;                       /* collisions and tallies of errors: there are none */
        }
}

static void page0_write(struct ne2k *ne2k, unsigned reg, uint8_t value)
{
        switch (reg) {
        case 0x01: ne2k->pstart = value; break;
        case 0x02: ne2k->pstop = value; break;
        case 0x03:
                ne2k->bnry = value;
                ne2k->bnry_moved = true;
                break;
        case 0x04: ne2k->tpsr = value; break;
        case 0x05: ne2k->tbcr = (uint16_t)((ne2k->tbcr & 0xff00) | value); break;
        case 0x06: ne2k->tbcr = (uint16_t)((ne2k->tbcr & 0x00ff) | value << 8); break;
        case 0x07: isr_write(ne2k, value); break;
        case 0x08: ne2k->rsar = (uint16_t)((ne2k->rsar & 0xff00) | value); break;
        case 0x09: ne2k->rsar = (uint16_t)((ne2k->rsar & 0x00ff) | value << 8); break;
        case 0x0a: ne2k->rbcr = (uint16_t)((ne2k->rbcr & 0xff00) | value); break;
        case 0x0b: ne2k->rbcr = (uint16_t)((ne2k->rbcr & 0x00ff) | value << 8); break;
        case 0x0c: ne2k->rcr = value; break;
        case 0x0d: ne2k->tcr = value; break;
        case 0x0e: ne2k->dcr = value; break;
        case 0x0f: ne2k->imr = value; break;
        }
        ne2k_update(ne2k);
        if (ne2k->net)
                net_accept_input(ne2k->net);
}

/* Page 1: physical address, current page, multicast hash. */
static uint8_t *page1_register(struct ne2k *ne2k, unsigned reg)
{
        return reg <= 6 ? &ne2k->par[reg - 1] : reg == 7 ? &ne2k->curr : &ne2k->mar[reg - 8];
}

/* Page 2: what was written, for diagnostics. */
static uint8_t page2_read(const struct ne2k *ne2k, unsigned reg)
{
        switch (reg) {
        case 0x01: return ne2k->pstart;
        case 0x02: return ne2k->pstop;
        case 0x04: return ne2k->tpsr;
        case 0x0c: return ne2k->rcr | 0xc0;
        case 0x0d: return ne2k->tcr | 0xe0;
        case 0x0e: return ne2k->dcr | 0x80;
        case 0x0f: return ne2k->imr | 0x80;
        default: return 0;
        }
}

static uint32_t ne2k_read(void *opaque, uint16_t port, unsigned size)
{
        struct ne2k *ne2k = opaque;
        unsigned reg = (unsigned)(port - ne2k->port), page = ne2k->cr >> CR_PAGE_SHIFT;

        if (reg >= RESET_PORT) {
                reset_chip(ne2k);
                return 0;
        }
        if (reg >= DATA_PORT)
                return data_read(ne2k, size);
        if (!reg)
                return ne2k->cr;
        return page == 0 ? page0_read(ne2k, reg) : page == 1 ? *page1_register(ne2k, reg) : page == 2 ? page2_read(ne2k, reg) : 0;
}

static void ne2k_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct ne2k *ne2k = opaque;
        unsigned reg = (unsigned)(port - ne2k->port), page = ne2k->cr >> CR_PAGE_SHIFT;

        if (reg >= RESET_PORT)
                return;                         /* the write that follows the reset's read has no effect */
        if (reg >= DATA_PORT)
                data_write(ne2k, value, size);
        else if (!reg)
                cr_write(ne2k, (uint8_t)value);
        else if (page == 0)
                page0_write(ne2k, reg, (uint8_t)value);
        else if (page == 1)
                *page1_register(ne2k, reg) = (uint8_t)value;
        else
                guest_error("ne2k", "write of %02x to register %x of page %u", value, reg, page);
}

/* The data port takes words, the others bytes; a doubleword at the data port is two words in a row. */
static const struct port_ops ne2k_registers = { ne2k_read, ne2k_write, 1 };
static const struct port_ops ne2k_data = { ne2k_read, ne2k_write, 4 };

/* -- Life ------------------------------------------------------------------------------------------ */

void ne2k_connect(struct device *device, struct net *net, struct irq irq)
{
        struct ne2k *ne2k = (struct ne2k *)device;

        ne2k->net = net;
        ne2k->irq = irq;
}

static void ne2k_reset(struct device *device)
{
        struct ne2k *ne2k = (struct ne2k *)device;
        uint8_t mac[ETH_ADDRESS_BYTES];

        ne2k->rcr = ne2k->tcr = ne2k->dcr = ne2k->rsr = ne2k->tsr = 0;
        ne2k->pstart = ne2k->pstop = ne2k->bnry = ne2k->curr = ne2k->tpsr = 0;
        ne2k->tbcr = ne2k->rsar = ne2k->rbcr = 0;
        ne2k->bnry_moved = false;
        memset(ne2k->mar, 0, sizeof(ne2k->mar));
        memset(ne2k->memory, 0, sizeof(ne2k->memory));
        nic_take_mac(ne2k->net, mac);
        memcpy(ne2k->par, mac, sizeof(ne2k->par));
        memset(ne2k->prom, 0x57, sizeof(ne2k->prom));
        for (unsigned i = 0; i < ETH_ADDRESS_BYTES; i++)
                ne2k->prom[2 * i] = ne2k->prom[2 * i + 1] = mac[i];
        reset_chip(ne2k);
}

static bool ne2k_create(struct device *device, GError **error)
{
        struct ne2k *ne2k = (struct ne2k *)device;

        (void)error;
        ne2k->io = ports_map(device->env->ports, (uint16_t)ne2k->port, PORTS, &ne2k_registers, ne2k, "NE2000 registers");
        ne2k->data = ports_map(device->env->ports, (uint16_t)(ne2k->port + DATA_PORT), RESET_PORT - DATA_PORT, &ne2k_data, ne2k,
                               "NE2000 data");
        if (ne2k->net)
                net_attach(ne2k->net, &ne2k_net_ops, ne2k);
        return true;
}

static bool ne2k_post_load(struct device *device, GError **error)
{
        struct ne2k *ne2k = (struct ne2k *)device;

        (void)error;
        if (ne2k->net)
                net_forget(ne2k->net);
        ne2k_update(ne2k);
        return true;
}

static void ne2k_destroy(struct device *device)
{
        struct ne2k *ne2k = (struct ne2k *)device;

        if (ne2k->net)
                net_attach(ne2k->net, NULL, NULL);
        ports_unmap(ne2k->data);
        ports_unmap(ne2k->io);
}

static const struct device_class ne2k_class = {
        .name = "ne2k",
        .description = "NE2000 Ethernet card, ISA",
        .size = sizeof(struct ne2k),
        .state = ne2k_fields,
        .properties = ne2k_properties,
        .create = ne2k_create,
        .reset = ne2k_reset,
        .post_load = ne2k_post_load,
        .destroy = ne2k_destroy,
};

DEVICE_CLASS(ne2k_class);
