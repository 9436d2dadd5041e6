/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e1000.c - the Intel 82540EM Gigabit Ethernet controller ("PRO/1000 MT Desktop"): registers, interrupts, life.
 *
 * What Linux, the BSDs, Windows from XP on and iPXE have drivers for.  Not modelled: wake-up and management (registers
 * are kept, nothing wakes a machine that is off), flow control (a full ring holds frames back, losing none),
 * interrupt delays (RDTR, RADV, TIDV, TADV, ITR: frames come in batches already, and each batch interrupts once),
 * jumbo frames beyond 16 KiB, the plain sum over a received packet (RXCSUM.PCSS; reads as 0).  The
 * frame check sequence, where a guest keeps it, reads as zeros.
 */
#include <string.h>

#include "base/log.h"
#include "devices/net/e1000_common.h"

enum { MMIO_BYTES = 128 << 10, IO_BYTES = 64, PRIORITY_BAR = 1, IO_ADDRESS = 0, IO_DATA = 4 };
enum { RAH_VALID_SHIFT = 31, CTRL_EXT_EE_RST = 1 << 13 };

const struct state_field e1000_context_fields[] = {
        STATE_U32(struct e1000_context, payload_bytes),
        STATE_U16(struct e1000_context, ip_end),
        STATE_U16(struct e1000_context, sum_end),
        STATE_U16(struct e1000_context, segment_bytes),
        STATE_U8(struct e1000_context, ip_start),
        STATE_U8(struct e1000_context, ip_at),
        STATE_U8(struct e1000_context, sum_start),
        STATE_U8(struct e1000_context, sum_at),
        STATE_U8(struct e1000_context, header_bytes),
        STATE_BOOL(struct e1000_context, tcp),
        STATE_BOOL(struct e1000_context, ip4),
        STATE_END
};

static const struct state_field e1000_fields[] = {
        STATE_STRUCT(struct e1000, pci, pci_device_fields),
        STATE_U32(struct e1000, reg),
        STATE_U16(struct e1000, phy),
        STATE_STRUCT(struct e1000, eeprom, nic_eeprom_fields),
        STATE_U32(struct e1000, io_address),
        STATE_STRUCT(struct e1000, context, e1000_context_fields),
        STATE_STRUCT(struct e1000, segment_context, e1000_context_fields),
        STATE_U32(struct e1000, tx_size),
        STATE_U16(struct e1000, tx_special),
        STATE_U8(struct e1000, tx_options),
        STATE_BOOL(struct e1000, tx_first_seen),
        STATE_BOOL(struct e1000, tx_segment),
        STATE_BOOL(struct e1000, tx_tag),
        STATE_BOOL(struct e1000, tx_overflow),
        STATE_BYTES(struct e1000, tx_data),
        STATE_SKIP(struct e1000, busy, "true within a call only"),
        STATE_SKIP(struct e1000, mmio, "mapping, derived from BAR 0"),
        STATE_SKIP(struct e1000, io, "mapping, derived from BAR 1"),
        STATE_SKIP(struct e1000, net, "the host's side"),
        STATE_SKIP(struct e1000, rom, "option ROM file, set by the machine"),
        STATE_END
};

/* -- Interrupts and counters ----------------------------------------------------------------------- */

static void e1000_update(struct e1000 *e1000)
{
        pci_set_intx(&e1000->pci, *e1000_reg(e1000, R_ICR) & *e1000_reg(e1000, R_IMS));
}

void e1000_raise(struct e1000 *e1000, uint32_t causes)
{
        *e1000_reg(e1000, R_ICR) |= causes & INT_ALL;
        e1000_update(e1000);
}

/* Counters stick at their maximum (SDM 13.7). */
void e1000_count(struct e1000 *e1000, unsigned statistic, uint32_t by)
{
        uint32_t *counter = e1000_reg(e1000, statistic);

        *counter = *counter > UINT32_MAX - by ? UINT32_MAX : *counter + by;
}

void e1000_count_octets(struct e1000 *e1000, unsigned statistic, uint32_t by)
{
        uint32_t *low = e1000_reg(e1000, statistic);

        *low += by;
        if (*low < by)
                e1000_count(e1000, statistic + 4, 1);
}

void e1000_count_size(struct e1000 *e1000, unsigned first, size_t size)
{
        static const uint16_t last[] = { 64, 127, 255, 511, 1023 };
        unsigned n = 0;

        while (n < G_N_ELEMENTS(last) && size + ETH_FCS_BYTES > last[n])
                n++;
        e1000_count(e1000, first + 4 * n, 1);
}

/* -- Registers ------------------------------------------------------------------------------------- */

/* The EEPROM's address becomes the first receive address. */
static void e1000_load_address(struct e1000 *e1000)
{
        const uint16_t *word = e1000->eeprom.word;

        *e1000_reg(e1000, R_RA) = (uint32_t)word[0] | (uint32_t)word[1] << 16;
        *e1000_reg(e1000, R_RA + 4) = word[2] | 1u << RAH_VALID_SHIFT;
}

/* The software reset of CTRL.RST and power-up: everything but the PHY and what the guest may have in IOADDR. */
static void e1000_reset_registers(struct e1000 *e1000)
{
        memset(e1000->reg, 0, sizeof(e1000->reg));
        memset(&e1000->context, 0, sizeof(e1000->context));
        memset(&e1000->segment_context, 0, sizeof(e1000->segment_context));
        e1000->tx_size = 0;
        e1000->tx_special = 0;
        e1000->tx_options = 0;
        e1000->tx_first_seen = e1000->tx_segment = e1000->tx_tag = e1000->tx_overflow = false;
        memset(e1000->tx_data, 0, sizeof(e1000->tx_data));
        nic_eeprom_reset(&e1000->eeprom);
        *e1000_reg(e1000, R_CTRL) = CTRL_FD | 1 << 9;           /* 1000 Mb/s, full duplex */
        *e1000_reg(e1000, R_STATUS) = STATUS_FD | STATUS_1000 | STATUS_ASDV_1000 | STATUS_MTXCKOK;
        *e1000_reg(e1000, R_PBA) = 0x00100030;                  /* 48 KiB for reception, 16 for transmission */
        *e1000_reg(e1000, R_LEDCTL) = 0x07068302;
        *e1000_reg(e1000, R_VET) = 0x8100;
        *e1000_reg(e1000, R_RXCSUM) = 0x300;
        *e1000_reg(e1000, R_MANC) = 0x1000;
        e1000_load_address(e1000);
        e1000_link_update(e1000);
        *e1000_reg(e1000, R_ICR) = 0;
        e1000_update(e1000);
}

static uint64_t e1000_read(void *opaque, uint64_t offset, unsigned size)
{
        struct e1000 *e1000 = opaque;
        uint32_t value;

        (void)size;
        if (offset >= R_END)
                return 0;
        value = *e1000_reg(e1000, (unsigned)offset & ~3u);
        switch (offset) {
        case R_ICR:
                *e1000_reg(e1000, R_ICR) = 0;           /* cleared by reading */
                e1000_update(e1000);
                break;
        case R_ICS:
        case R_IMC:
                value = 0;                              /* write-only */
                break;
        case R_EECD:
                value = e1000_eecd_read(e1000);
                break;
        case R_EERD:
                value = e1000_eerd_read(e1000);
                break;
        case R_STATISTICS ... R_STATISTICS_END - 1:
                *e1000_reg(e1000, (unsigned)offset & ~3u) = 0;  /* all counters are cleared by reading */
                break;
        }
        return value;
}

static void e1000_ctrl_write(struct e1000 *e1000, uint32_t value)
{
        if (value & CTRL_RST) {
                e1000_reset_registers(e1000);
                return;
        }
        if (value & CTRL_PHY_RST)
                e1000_phy_reset(e1000);
        *e1000_reg(e1000, R_CTRL) = value & ~(CTRL_RST | CTRL_PHY_RST);
}

static void e1000_write(void *opaque, uint64_t offset, uint64_t value64, unsigned size)
{
        struct e1000 *e1000 = opaque;
        uint32_t value = (uint32_t)value64, *reg;

        (void)size;
        if (e1000->busy) {
                guest_error("e1000", "DMA to its own register %04x", (unsigned)offset);
                return;
        }
        if (offset >= R_END)
                return;
        reg = e1000_reg(e1000, (unsigned)offset & ~3u);
        switch (offset) {
        case R_CTRL:
                e1000_ctrl_write(e1000, value);
                break;
        case R_EECD:
                e1000_eecd_write(e1000, value);
                break;
        case R_EERD:
                *reg = value & 0xff01;
                break;
        case R_MDIC:
                e1000_mdic_write(e1000, value);
                break;
        case R_ICR:
                *reg &= ~value;                         /* writing 1 clears */
                e1000_update(e1000);
                break;
        case R_ICS:
                e1000_raise(e1000, value);
                break;
        case R_IMS:
                *reg |= value & INT_ALL;
                e1000_update(e1000);
                break;
        case R_IMC:
                *e1000_reg(e1000, R_IMS) &= ~value;
                e1000_update(e1000);
                break;
        case R_TCTL:
                *reg = value;
                e1000_transmit(e1000);
                break;
        case R_TDT:
                *reg = value & 0xffff;
                e1000_transmit(e1000);
                break;
        case R_RCTL:
        case R_RDT:
                *reg = offset == R_RDT ? value & 0xffff : value;
                if (e1000->net)
                        net_accept_input(e1000->net);
                break;
        case R_RDBAL:
        case R_TDBAL:
                *reg = value & ~15u;
                break;
        case R_RDLEN:
        case R_TDLEN:
                *reg = value & 0xfff80;
                break;
        case R_RDH:
        case R_TDH:
        case R_RDTR:
        case R_TIDV:
                *reg = value & 0xffff;
                break;
        case R_CTRL_EXT:
                *reg = value & ~(uint32_t)CTRL_EXT_EE_RST;
                if (value & CTRL_EXT_EE_RST)                    /* reads the EEPROM again (SDM 13.4.5) */
                        e1000_load_address(e1000);
                break;
        case R_FLA:
        case R_FCAL:
        case R_FCAH:
        case R_FCT:
        case R_VET:
        case R_ITR:
        case R_FCTTV:
        case R_TXCW:
        case R_TIPG:
        case R_AIT:
        case R_LEDCTL:
        case R_PBA:
        case R_FCRTL:
        case R_FCRTH:
        case R_RDBAH:
        case R_RXDCTL:
        case R_RADV:
        case R_RSRPD:
        case R_TXDMAC:
        case R_TDBAH:
        case R_TXDCTL:
        case R_TADV:
        case R_TSPMT:
        case R_RXCSUM:
        case R_MTA ... R_RA_END - 1:
        case R_VFTA ... R_WUFC:
        case R_MANC:
        case R_IPAV ... R_WUPM_END - 1:
                *reg = value;
                break;
        case R_STATUS:
        case R_RXCW:
        case R_WUS:
        case R_STATISTICS ... R_STATISTICS_END - 1:
                break;                                  /* read-only */
        default:
                guest_error("e1000", "write of %08x to register %04x", value, (unsigned)offset);
                break;
        }
}

static const struct mmio_ops e1000_mmio = { e1000_read, e1000_write, 4, 4 };

/* The I/O BAR: a window on the registers (SDM 13.2.1.2). */
static uint32_t io_read(void *opaque, uint16_t port, unsigned size)
{
        struct e1000 *e1000 = opaque;

        if (size != 4)
                return UINT32_MAX;
        switch (port & (IO_BYTES - 1)) {
        case IO_ADDRESS:
                return e1000->io_address;
        case IO_DATA:
                return e1000->io_address < MMIO_BYTES ? (uint32_t)e1000_read(e1000, e1000->io_address & ~3u, 4) : UINT32_MAX;
        default:
                return 0;
        }
}

static void io_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct e1000 *e1000 = opaque;

        if (size != 4)
                return;
        switch (port & (IO_BYTES - 1)) {
        case IO_ADDRESS:
                e1000->io_address = value;
                break;
        case IO_DATA:
                if (e1000->io_address < MMIO_BYTES)
                        e1000_write(e1000, e1000->io_address & ~3u, value, 4);
                break;
        }
}

static const struct port_ops e1000_io = { io_read, io_write, 4 };

/* -- Host events ----------------------------------------------------------------------------------- */

static void e1000_writable(void *opaque) { e1000_transmit(opaque); }

static void e1000_link_changed(void *opaque, bool up)
{
        (void)up;
        e1000_link_update(opaque);
}

static const struct net_device_ops e1000_net_ops = {
        .can_receive = e1000_can_receive, .receive = e1000_receive, .received = e1000_received, .writable = e1000_writable,
        .link_changed = e1000_link_changed,
};

/* -- Life ------------------------------------------------------------------------------------------ */

void e1000_connect(struct device *device, struct net *net, GBytes *rom)
{
        struct e1000 *e1000 = (struct e1000 *)device;

        e1000->net = net;
        e1000->rom = rom ? g_bytes_ref(rom) : NULL;
}

static void e1000_reset(struct device *device)
{
        struct e1000 *e1000 = (struct e1000 *)device;

        pci_device_reset(&e1000->pci);
        e1000->io_address = 0;
        e1000_phy_reset(e1000);
        e1000_reset_registers(e1000);
}

static void e1000_config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
        struct e1000 *e1000 = (struct e1000 *)pci;

        /* A guest that switches bus mastering on may have filled its rings before. */
        if (offset <= PCI_COMMAND && offset + size > PCI_COMMAND && pci_is_master(pci) && e1000->net)
                net_accept_input(e1000->net);
}

static bool e1000_create(struct device *device, GError **error)
{
        struct e1000 *e1000 = (struct e1000 *)device;
        uint8_t mac[ETH_ADDRESS_BYTES];

        pci_identify(&e1000->pci, 0x8086, 0x100e, 0x020000, 3);
        e1000->pci.defaults[PCI_INTERRUPT_PIN] = 1;
        e1000->pci.config_written = e1000_config_written;
        if (e1000->rom && !nic_map_rom(&e1000->pci, e1000->rom, error))
                return false;
        e1000->mmio = memory_map_mmio(device->env->memory, 0, MMIO_BYTES, &e1000_mmio, e1000, PRIORITY_BAR, "e1000 registers");
        e1000->io = ports_map(device->env->ports, 0, IO_BYTES, &e1000_io, e1000, "e1000 registers");
        pci_bar_memory(&e1000->pci, 0, MMIO_BYTES, 0, e1000->mmio);
        pci_bar_ports(&e1000->pci, 1, IO_BYTES, e1000->io);
        nic_take_mac(e1000->net, mac);
        e1000_eeprom_fill(e1000, mac);
        if (e1000->net)
                net_attach(e1000->net, &e1000_net_ops, e1000);
        return true;
}

static bool e1000_post_load(struct device *device, GError **error)
{
        struct e1000 *e1000 = (struct e1000 *)device;

        if (e1000->tx_size > NET_FRAME_MAX) {
                g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s: a packet of %u bytes", device->id, e1000->tx_size);
                return false;
        }
        e1000->reg[R_RDBAL / 4] &= ~15u;
        e1000->reg[R_TDBAL / 4] &= ~15u;
        e1000->reg[R_RDLEN / 4] &= 0xfff80;
        e1000->reg[R_TDLEN / 4] &= 0xfff80;
        nic_eeprom_restored(&e1000->eeprom);
        if (e1000->net)
                net_forget(e1000->net);
        pci_device_restored(&e1000->pci);
        e1000_link_update(e1000);
        e1000_update(e1000);
        return true;
}

static void e1000_destroy(struct device *device)
{
        struct e1000 *e1000 = (struct e1000 *)device;

        if (e1000->net)
                net_attach(e1000->net, NULL, NULL);
        memory_unmap(e1000->mmio);
        ports_unmap(e1000->io);
        if (e1000->rom)
                g_bytes_unref(e1000->rom);
}

static const struct device_class e1000_class = {
        .name = "e1000",
        .description = "Intel 82540EM Gigabit Ethernet controller",
        .size = sizeof(struct e1000),
        .state = e1000_fields,
        .create = e1000_create,
        .reset = e1000_reset,
        .post_load = e1000_post_load,
        .destroy = e1000_destroy,
};

DEVICE_CLASS(e1000_class);
