/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtl8139_common.h - struct rtl8139, shared by rtl8139.c (registers and life) and rtl8139_ring.c (frames).
 *
 * Everything runs with the machine lock held, on vCPUs, the network's worker and the main loop (timer).
 */
#ifndef LODGER_DEVICES_NET_RTL8139_COMMON_H
#define LODGER_DEVICES_NET_RTL8139_COMMON_H

#include "devices/net/nic_common.h"

enum { RTL_REGISTERS = 256, RTL_RING = 64 };

/* Registers (datasheet, chapter 6). */
enum {
        R_IDR = 0x00, R_MAR = 0x08, R_TSD = 0x10, R_TSAD = 0x20, R_TNPDS = 0x20, R_RBSTART = 0x30, R_ERBCR = 0x34, R_CR = 0x37,
        R_CAPR = 0x38, R_CBR = 0x3a, R_IMR = 0x3c, R_ISR = 0x3e, R_TCR = 0x40, R_RCR = 0x44, R_TCTR = 0x48, R_MPC = 0x4c,
        R_9346CR = 0x50, R_CONFIG0 = 0x51, R_CONFIG1 = 0x52, R_TIMER_INT = 0x54, R_MSR = 0x58, R_CONFIG3 = 0x59, R_CONFIG4 = 0x5a,
        R_TSAD_STATUS = 0x60, R_BMCR = 0x62, R_BMSR = 0x64, R_ANAR = 0x66, R_ANLPAR = 0x68, R_ANER = 0x6a, R_CSCR = 0x74,
        R_CONFIG5 = 0xd8, R_TPPOLL = 0xd9, R_CPCR = 0xe0, R_RDSAR = 0xe4,
};
enum { CR_EMPTY = 1 << 0, CR_TE = 1 << 2, CR_RE = 1 << 3, CR_RST = 1 << 4 };
enum { TSD_SIZE = 0x1fff, TSD_OWN = 1 << 13, TSD_UNDERRUN = 1 << 14, TSD_OK = 1 << 15, TSD_ABORT = 1 << 30 };
enum { INT_RX_OK = 1 << 0, INT_TX_OK = 1 << 2, INT_TX_ERROR = 1 << 3, INT_LINK = 1 << 5, INT_TX_NONE = 1 << 7, INT_TIMEOUT = 1 << 14 };
enum { RCR_ALL = 1 << 0, RCR_MATCH = 1 << 1, RCR_MULTICAST = 1 << 2, RCR_BROADCAST = 1 << 3, RCR_RUNT = 1 << 4, RCR_NO_WRAP = 1 << 7 };
enum { CPCR_TX = 1 << 0, CPCR_RX = 1 << 1, CPCR_RX_SUM = 1 << 5, CPCR_RX_TAG = 1 << 6 };
enum { TPPOLL_NORMAL = 1 << 6 };
enum { TCR_LOOPBACK = 3 << 17 };

struct rtl8139 {
        struct pci_device pci;
        /* Saved. */
        uint8_t reg[RTL_REGISTERS];
        struct nic_eeprom eeprom;
        uint16_t rx_at;                 /* CBR: where the next frame goes in the byte ring */
        uint8_t tx_next, rx_next;       /* descriptors, C+ mode */
        uint32_t tx_size;               /* of the packet being put together in tx_data */
        bool tx_overflow;
        int64_t timer_start_ns;         /* when TCTR was 0 */
        struct timer timer;             /* TimerInt */
        uint8_t tx_data[NET_FRAME_MAX + 16];
        /* Derived. */
        bool busy;                      /* a DMA of this card's own is under way: it must not come back to it */
        /* Host. */
        struct memory_region *mmio;
        struct port_range *io;
        struct net *net;
        GBytes *rom;
};

static inline uint16_t rtl_get16(const struct rtl8139 *rtl, unsigned at) { return pci_get16(rtl->reg, at); }
static inline uint32_t rtl_get32(const struct rtl8139 *rtl, unsigned at) { return pci_get32(rtl->reg, at); }
static inline void rtl_put16(struct rtl8139 *rtl, unsigned at, unsigned value) { pci_put16(rtl->reg, at, (uint16_t)value); }
static inline void rtl_put32(struct rtl8139 *rtl, unsigned at, uint32_t value) { pci_put32(rtl->reg, at, value); }

/* rtl8139.c */
void rtl_raise(struct rtl8139 *rtl, uint16_t causes);

/* rtl8139_ring.c */
bool rtl_ring_is_empty(const struct rtl8139 *rtl);
uint16_t rtl_summary(const struct rtl8139 *rtl);        /* TSAD: the four buffers' OWN, abort, underrun and OK bits */
void rtl_transmit_buffer(struct rtl8139 *rtl, unsigned n);
void rtl_transmit_ring(struct rtl8139 *rtl);
bool rtl_can_receive(void *opaque, size_t size);
void rtl_receive(void *opaque, const uint8_t *frame, size_t size, const struct net_offload *offload);
void rtl_received(void *opaque);

#endif
