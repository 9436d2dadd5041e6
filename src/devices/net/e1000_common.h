/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e1000_common.h - struct e1000, shared by the files of the card: e1000.c (registers and life), e1000_phy.c (PHY and
 * EEPROM), e1000_transmit.c, e1000_receive.c.
 *
 * Section numbers are those of Intel's "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual"
 * (317453), called SDM in the files.  Everything runs with the machine lock held, on vCPUs and the network's worker.
 */
#ifndef LODGER_DEVICES_NET_E1000_COMMON_H
#define LODGER_DEVICES_NET_E1000_COMMON_H

#include "devices/net/nic_common.h"

/* Register offsets (SDM, table 13-2). */
enum {
        R_CTRL = 0x0000, R_STATUS = 0x0008, R_EECD = 0x0010, R_EERD = 0x0014, R_CTRL_EXT = 0x0018, R_FLA = 0x001c,
        R_MDIC = 0x0020, R_FCAL = 0x0028, R_FCAH = 0x002c, R_FCT = 0x0030, R_VET = 0x0038, R_ICR = 0x00c0, R_ITR = 0x00c4,
        R_ICS = 0x00c8, R_IMS = 0x00d0, R_IMC = 0x00d8, R_RCTL = 0x0100, R_FCTTV = 0x0170, R_TXCW = 0x0178, R_RXCW = 0x0180,
        R_TCTL = 0x0400, R_TIPG = 0x0410, R_AIT = 0x0458, R_LEDCTL = 0x0e00, R_PBA = 0x1000, R_FCRTL = 0x2160, R_FCRTH = 0x2168,
        R_RDBAL = 0x2800, R_RDBAH = 0x2804, R_RDLEN = 0x2808, R_RDH = 0x2810, R_RDT = 0x2818, R_RDTR = 0x2820, R_RXDCTL = 0x2828,
        R_RADV = 0x282c, R_RSRPD = 0x2c00, R_TXDMAC = 0x3000, R_TDBAL = 0x3800, R_TDBAH = 0x3804, R_TDLEN = 0x3808, R_TDH = 0x3810,
        R_TDT = 0x3818, R_TIDV = 0x3820, R_TXDCTL = 0x3828, R_TADV = 0x382c, R_TSPMT = 0x3830, R_STATISTICS = 0x4000,
        R_STATISTICS_END = 0x4100, R_RXCSUM = 0x5000, R_MTA = 0x5200, R_MTA_END = 0x5400, R_RA = 0x5400, R_RA_END = 0x5480,
        R_VFTA = 0x5600, R_VFTA_END = 0x5800, R_WUC = 0x5800, R_WUFC = 0x5808, R_WUS = 0x5810, R_MANC = 0x5820, R_IPAV = 0x5838,
        R_IP4AT = 0x5840, R_WUPM_END = 0x5c00, R_END = 0x5c00,
};
/* Statistics (SDM 13.7). */
enum {
        S_MPC = 0x4010, S_PRC64 = 0x405c, S_GPRC = 0x4074, S_BPRC = 0x4078, S_MPRC = 0x407c, S_GPTC = 0x4080, S_GORCL = 0x4088,
        S_GOTCL = 0x4090, S_ROC = 0x40ac, S_TORL = 0x40c0, S_TOTL = 0x40c8, S_TPR = 0x40d0, S_TPT = 0x40d4, S_PTC64 = 0x40d8,
        S_MPTC = 0x40f0, S_BPTC = 0x40f4, S_TSCTC = 0x40f8,
};
#define CTRL_FD (1u << 0)
#define CTRL_RST (1u << 26)
#define CTRL_VME (1u << 30)
#define CTRL_PHY_RST (1u << 31)
enum { STATUS_FD = 1 << 0, STATUS_LU = 1 << 1, STATUS_1000 = 1 << 7, STATUS_ASDV_1000 = 1 << 9, STATUS_MTXCKOK = 1 << 10 };
/* Interrupt causes (SDM 13.4.17). */
enum {
        INT_TXDW = 1 << 0, INT_TXQE = 1 << 1, INT_LSC = 1 << 2, INT_RXDMT0 = 1 << 4, INT_RXO = 1 << 6, INT_RXT0 = 1 << 7,
        INT_MDAC = 1 << 9, INT_TXD_LOW = 1 << 15, INT_ALL = 0x1f6df,
};
enum {
        RCTL_EN = 1 << 1, RCTL_UPE = 1 << 3, RCTL_MPE = 1 << 4, RCTL_LPE = 1 << 5, RCTL_LBM = 3 << 6, RCTL_BAM = 1 << 15,
        RCTL_VFE = 1 << 18, RCTL_CFIEN = 1 << 19, RCTL_CFI = 1 << 20, RCTL_BSEX = 1 << 25, RCTL_SECRC = 1 << 26,
};
enum { TCTL_EN = 1 << 1 };
enum { DESCRIPTOR_BYTES = 16, PHY_REGISTERS = 32 };

/* What a context descriptor set (SDM 3.3.6). */
struct e1000_context {
        uint32_t payload_bytes;
        uint16_t ip_end, sum_end, segment_bytes;
        uint8_t ip_start, ip_at, sum_start, sum_at, header_bytes;
        bool tcp, ip4;
};

struct e1000 {
        struct pci_device pci;
        /* Saved. */
        uint32_t reg[R_END / 4];        /* registers by offset; what is special about each is in e1000.c */
        uint16_t phy[PHY_REGISTERS];    /* IEEE 802.3 clause 22 and the 88E1011's own */
        struct nic_eeprom eeprom;
        uint32_t io_address;            /* IOADDR of the I/O BAR */
        struct e1000_context context, segment_context;  /* for single packets; for TCP segmentation */
        /* The packet being put together from descriptors, and what its first one asked for. */
        uint32_t tx_size;
        uint16_t tx_special;
        uint8_t tx_options;             /* POPTS */
        bool tx_first_seen, tx_segment, tx_tag, tx_overflow;
        uint8_t tx_data[NET_FRAME_MAX + 16];
        /* Derived. */
        bool busy;                      /* a DMA of this card's own is under way: it must not come back to it */
        /* Host. */
        struct memory_region *mmio;
        struct port_range *io;
        struct net *net;
        GBytes *rom;
};

extern const struct state_field e1000_context_fields[];

/* e1000.c */
void e1000_raise(struct e1000 *e1000, uint32_t causes);
void e1000_count(struct e1000 *e1000, unsigned statistic, uint32_t by);
void e1000_count_octets(struct e1000 *e1000, unsigned statistic, uint32_t by);
/* One of six counters by size, from `first` on. */
void e1000_count_size(struct e1000 *e1000, unsigned first, size_t size);
static inline uint32_t *e1000_reg(struct e1000 *e1000, unsigned offset) { return &e1000->reg[offset / 4]; }

/* e1000_phy.c */
void e1000_eeprom_fill(struct e1000 *e1000, const uint8_t mac[ETH_ADDRESS_BYTES]);
uint32_t e1000_eecd_read(struct e1000 *e1000);
void e1000_eecd_write(struct e1000 *e1000, uint32_t value);
uint32_t e1000_eerd_read(struct e1000 *e1000);
void e1000_mdic_write(struct e1000 *e1000, uint32_t value);
void e1000_phy_reset(struct e1000 *e1000);
/* The cable was plugged in or pulled. */
void e1000_link_update(struct e1000 *e1000);
bool e1000_phy_loops_back(const struct e1000 *e1000);

/* e1000_transmit.c, e1000_receive.c */
void e1000_transmit(struct e1000 *e1000);
bool e1000_can_receive(void *opaque, size_t size);
void e1000_receive(void *opaque, const uint8_t *frame, size_t size, const struct net_offload *offload);
void e1000_received(void *opaque);

#endif
