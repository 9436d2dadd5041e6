/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtl8139.c - the Realtek RTL8139C+ Fast Ethernet controller: registers, interrupts, life.
 *
 * Datasheet: Realtek RTL8139C(L)+ (2002).  Two ways of working in one chip: the 8139's own (four transmit buffers, one
 * ring of bytes for reception; what Windows and old drivers use) and the C+ one (descriptors, checksums,
 * segmentation; Linux's 8139cp), in rtl8139_ring.c.  Not modelled: wake-up, the parallel flash behind the boot
 * ROM, early transmit and receive (thresholds are kept, frames come whole), loopback within the PHY, the high-priority
 * ring.
 *
 * The registers are a file of 256 bytes; a write of any width changes the bytes it names, then what depends on the
 * registers it touched happens.
 */
#include <string.h>

#include "base/log.h"
#include "devices/net/rtl8139_common.h"

enum { PRIORITY_BAR = 1, CHIP_VERSION_C_PLUS = 0x74800000, TCR_READ_ONLY = 0x7cc00001 };
enum { LOCK_UNLOCKED = 0xc0, EE_OUT = 1, EE_IN = 2, EE_CLOCK = 4, EE_SELECT = 8 };
enum { MSR_LINK_BAD = 1 << 2, MSR_POWER = 1 << 4, BMSR_UP = 0x24, BMCR_RESET = 1 << 15, BMCR_RESTART = 1 << 9 };
/* TCTR counts the PCI clock. */
static const int64_t TIMER_HZ = 33000000;

static const struct state_field rtl8139_fields[] = {
        STATE_STRUCT(struct rtl8139, pci, pci_device_fields),
        STATE_BYTES(struct rtl8139, reg),
        STATE_STRUCT(struct rtl8139, eeprom, nic_eeprom_fields),
        STATE_U16(struct rtl8139, rx_at),
        STATE_U8(struct rtl8139, tx_next),
        STATE_U8(struct rtl8139, rx_next),
        STATE_U32(struct rtl8139, tx_size),
        STATE_BOOL(struct rtl8139, tx_overflow),
        STATE_S64(struct rtl8139, timer_start_ns),
        STATE_TIMER(struct rtl8139, timer),
        STATE_BYTES(struct rtl8139, tx_data),
        STATE_SKIP(struct rtl8139, busy, "true within a call only"),
        STATE_SKIP(struct rtl8139, mmio, "mapping, derived from BAR 1"),
        STATE_SKIP(struct rtl8139, io, "mapping, derived from BAR 0"),
        STATE_SKIP(struct rtl8139, net, "the host's side"),
        STATE_SKIP(struct rtl8139, rom, "option ROM file, set by the machine"),
        STATE_END
};

/* -- Interrupts, timer and link -------------------------------------------------------------------- */

static void rtl_update(struct rtl8139 *rtl)
{
        pci_set_intx(&rtl->pci, rtl_get16(rtl, R_ISR) & rtl_get16(rtl, R_IMR));
}

void rtl_raise(struct rtl8139 *rtl, uint16_t causes)
{
        rtl_put16(rtl, R_ISR, rtl_get16(rtl, R_ISR) | causes);
        rtl_update(rtl);
}

static uint32_t timer_count(struct rtl8139 *rtl)
{
        int64_t ns = clock_now_ns(rtl->pci.device.env->clock) - rtl->timer_start_ns;

        return (uint32_t)((unsigned __int128)MAX(ns, 0) * (uint64_t)TIMER_HZ / NS_PER_SEC);
}

/* The next time TCTR will be what TimerInt says. */
static void timer_arm(struct rtl8139 *rtl)
{
        uint32_t at = rtl_get32(rtl, R_TIMER_INT);
        uint64_t ticks;

        if (!at) {
                timer_cancel(&rtl->timer);
                return;
        }
        ticks = (uint32_t)(at - timer_count(rtl));
        if (!ticks)
                ticks = UINT64_C(1) << 32;
        timer_set(&rtl->timer, clock_now_ns(rtl->pci.device.env->clock) + (int64_t)((ticks * NS_PER_SEC + TIMER_HZ - 1) / (uint64_t)TIMER_HZ));
}

static void timer_expired(void *opaque)
{
        struct rtl8139 *rtl = opaque;

        rtl_raise(rtl, INT_TIMEOUT);
        timer_arm(rtl);
}

static bool link_is_up(const struct rtl8139 *rtl) { return !rtl->net || net_link_up(rtl->net); }

/* -- Registers ------------------------------------------------------------------------------------- */

static void reset_registers(struct rtl8139 *rtl)
{
        uint8_t mac[8];

        memcpy(mac, rtl->reg, sizeof(mac));             /* a soft reset keeps the address */
        memset(rtl->reg, 0, sizeof(rtl->reg));
        memcpy(rtl->reg, mac, ETH_ADDRESS_BYTES);
        for (unsigned i = 0; i < 4; i++)
                rtl_put32(rtl, R_TSD + 4 * i, TSD_OWN);
        rtl_put16(rtl, R_CAPR, 0xfff0);
        rtl_put32(rtl, R_TCR, CHIP_VERSION_C_PLUS);
        rtl->reg[R_CONFIG1] = 0x0c;                     /* registers in I/O and memory */
        rtl->reg[R_CONFIG3] = 0x01;                     /* fast back-to-back */
        rtl_put16(rtl, R_BMCR, 0x3100);                 /* 100 Mb/s, full duplex, negotiated */
        rtl_put16(rtl, R_BMSR, 0x7809);
        rtl_put16(rtl, R_ANAR, 0x05e1);
        rtl_put16(rtl, R_ANLPAR, 0x45e1);
        rtl_put16(rtl, R_ANER, 0x0001);
        rtl_put16(rtl, R_CSCR, 0x0400);
        rtl->rx_at = 0;
        rtl->tx_next = rtl->rx_next = 0;
        rtl->tx_size = 0;
        rtl->tx_overflow = false;
        memset(rtl->tx_data, 0, sizeof(rtl->tx_data));
        nic_eeprom_reset(&rtl->eeprom);
        rtl->timer_start_ns = clock_now_ns(rtl->pci.device.env->clock);
        timer_cancel(&rtl->timer);
        rtl_update(rtl);
}

static void load_address(struct rtl8139 *rtl)
{
        for (unsigned i = 0; i < 3; i++)
                rtl_put16(rtl, R_IDR + 2 * i, rtl->eeprom.word[7 + i]);
}

static uint8_t read_byte(struct rtl8139 *rtl, unsigned offset)
{
        switch (offset) {
        case R_CR:
                return rtl->reg[R_CR] | (rtl_ring_is_empty(rtl) ? CR_EMPTY : 0);
        case R_CBR:
                return (uint8_t)rtl->rx_at;
        case R_CBR + 1:
                return (uint8_t)(rtl->rx_at >> 8);
        case R_TCTR ... R_TCTR + 3:
                return (uint8_t)(timer_count(rtl) >> 8 * (offset - R_TCTR));
        case R_9346CR:
                return (uint8_t)((rtl->reg[R_9346CR] & ~EE_OUT) | nic_eeprom_output(&rtl->eeprom));
        case R_MSR:
                return (uint8_t)(rtl->reg[R_MSR] | MSR_POWER | (link_is_up(rtl) ? 0 : MSR_LINK_BAD));
        case R_BMSR:
                return rtl->reg[R_BMSR] | (link_is_up(rtl) ? BMSR_UP : 0);
        case R_TSAD_STATUS:
                return (uint8_t)rtl_summary(rtl);
        case R_TSAD_STATUS + 1:
                return (uint8_t)(rtl_summary(rtl) >> 8);
        default:
                return rtl->reg[offset];
        }
}

/* Bits of a byte that a guest may write. */
static uint8_t writable(const struct rtl8139 *rtl, unsigned offset)
{
        bool unlocked = (rtl->reg[R_9346CR] & LOCK_UNLOCKED) == LOCK_UNLOCKED;

        switch (offset) {
        case R_ERBCR ... R_ERBCR + 2:
        case R_CBR ... R_CBR + 1:
        case R_ISR ... R_ISR + 1:                       /* by writing 1; see write_done() */
        case R_TCTR ... R_TCTR + 3:
        case R_MPC ... R_MPC + 3:
        case R_TSAD_STATUS ... R_TSAD_STATUS + 1:
        case R_BMSR ... R_BMSR + 1:
        case R_ANLPAR ... R_CSCR + 1:
        case R_TPPOLL:
        case 0x5e:
        case R_TPPOLL + 1 ... R_CPCR - 1:               /* the RTL8169 has registers here: drivers tell them apart by that */
        case R_RDSAR + 9 ... RTL_REGISTERS - 1:
                return 0;
        case R_CR:
                return CR_TE | CR_RE;
        case R_TCR ... R_TCR + 3:
                return (uint8_t)~((uint32_t)TCR_READ_ONLY >> 8 * (offset - R_TCR));
        case R_CONFIG0 ... R_CONFIG1:
        case R_CONFIG3 ... R_CONFIG4:
        case R_CONFIG5:
        case R_BMCR ... R_BMCR + 1:
                return unlocked ? 0xff : 0;
        default:
                return 0xff;
        }
}

/* What follows from bytes [offset, offset+size) of a register having been written. */
static void write_done(struct rtl8139 *rtl, unsigned offset, unsigned size, uint32_t value)
{
        unsigned end = offset + size;
#define TOUCHED(first, bytes) (offset < (first) + (bytes) && end > (first))

        if (TOUCHED(R_CR, 1) && (uint8_t)(value >> 8 * (R_CR - offset)) & CR_RST) {
                reset_registers(rtl);
                return;
        }
        if (TOUCHED(R_ISR, 2)) {
                for (unsigned i = 0; i < size; i++)
                        if (offset + i == R_ISR || offset + i == R_ISR + 1)
                                rtl->reg[offset + i] &= (uint8_t)~(value >> 8 * i);
        }
        if (TOUCHED(R_9346CR, 1)) {
                uint8_t control = rtl->reg[R_9346CR];

                nic_eeprom_drive(&rtl->eeprom, control & EE_SELECT, control & EE_CLOCK, control & EE_IN);
                if ((control & LOCK_UNLOCKED) == 0x40) {        /* auto-load */
                        load_address(rtl);
                        rtl->reg[R_9346CR] &= 0x3f;
                }
        }
        if (TOUCHED(R_TCTR, 4)) {
                rtl->timer_start_ns = clock_now_ns(rtl->pci.device.env->clock);
                timer_arm(rtl);
        }
        if (TOUCHED(R_TIMER_INT, 4))
                timer_arm(rtl);
        if (TOUCHED(R_MPC, 4))
                rtl_put32(rtl, R_MPC, 0);
        if (TOUCHED(R_BMCR, 2) && (rtl_get16(rtl, R_BMCR) & BMCR_RESET))
                rtl_put16(rtl, R_BMCR, 0x3100);
        if (TOUCHED(R_BMCR, 2))                 /* done in no time */
                rtl_put16(rtl, R_BMCR, rtl_get16(rtl, R_BMCR) & ~(unsigned)BMCR_RESTART);
        if (TOUCHED(R_TNPDS, 8))
                rtl->tx_next = 0;
        if (TOUCHED(R_RDSAR, 8))
                rtl->rx_next = 0;
        if (TOUCHED(R_RBSTART, 4))
                rtl->rx_at = 0;
        for (unsigned i = 0; i < 4; i++)
                if (TOUCHED(R_TSD + 4 * i, 4))
                        rtl_transmit_buffer(rtl, i);
        if (TOUCHED(R_TPPOLL, 1) && (uint8_t)(value >> 8 * (R_TPPOLL - offset)) & TPPOLL_NORMAL)
                rtl_transmit_ring(rtl);
        if (rtl->net && (TOUCHED(R_CR, 1) || TOUCHED(R_CAPR, 2) || TOUCHED(R_IMR, 4) || TOUCHED(R_RCR, 4) || TOUCHED(R_CPCR, 2)))
                net_accept_input(rtl->net);
        rtl_update(rtl);
#undef TOUCHED
}

static uint64_t rtl_read(void *opaque, uint64_t offset, unsigned size)
{
        uint32_t value = 0;

        for (unsigned i = 0; i < size; i++)
                value |= (uint32_t)(offset + i < RTL_REGISTERS ? read_byte(opaque, (unsigned)offset + i) : 0xff) << 8 * i;
        return value;
}

static void rtl_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct rtl8139 *rtl = opaque;

        if (rtl->busy) {
                guest_error("rtl8139", "DMA to its own register %02x", (unsigned)offset);
                return;
        }
        size = (unsigned)MIN(size, RTL_REGISTERS - offset);
        for (unsigned i = 0; i < size; i++) {
                uint8_t *reg = &rtl->reg[offset + i], mask = writable(rtl, (unsigned)offset + i);

                *reg = (uint8_t)((*reg & ~mask) | ((uint8_t)(value >> 8 * i) & mask));
        }
        write_done(rtl, (unsigned)offset, size, (uint32_t)value);
}

static const struct mmio_ops rtl_mmio = { rtl_read, rtl_write, 1, 4 };

static uint32_t io_read(void *opaque, uint16_t port, unsigned size)
{
        return (uint32_t)rtl_read(opaque, port & (RTL_REGISTERS - 1), size);
}

static void io_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        rtl_write(opaque, port & (RTL_REGISTERS - 1), value, size);
}

static const struct port_ops rtl_io = { io_read, io_write, 4 };

/* -- Host events ----------------------------------------------------------------------------------- */

static void rtl_writable(void *opaque) { rtl_transmit_ring(opaque); }

static void rtl_link_changed(void *opaque, bool up)
{
        (void)up;
        rtl_raise(opaque, INT_LINK);
}

static const struct net_device_ops rtl_net_ops = {
        .can_receive = rtl_can_receive, .receive = rtl_receive, .received = rtl_received, .writable = rtl_writable,
        .link_changed = rtl_link_changed, .no_doorbell = true,
};

/* -- Life ------------------------------------------------------------------------------------------ */

void rtl8139_connect(struct device *device, struct net *net, GBytes *rom)
{
        struct rtl8139 *rtl = (struct rtl8139 *)device;

        rtl->net = net;
        rtl->rom = rom ? g_bytes_ref(rom) : NULL;
}

static void rtl_reset(struct device *device)
{
        struct rtl8139 *rtl = (struct rtl8139 *)device;

        pci_device_reset(&rtl->pci);
        reset_registers(rtl);
        load_address(rtl);
}

static bool rtl_create(struct device *device, GError **error)
{
        struct rtl8139 *rtl = (struct rtl8139 *)device;
        uint8_t mac[ETH_ADDRESS_BYTES];

        pci_identify(&rtl->pci, 0x10ec, 0x8139, 0x020000, 0x20);
        rtl->pci.defaults[PCI_INTERRUPT_PIN] = 1;
        if (rtl->rom && !nic_map_rom(&rtl->pci, rtl->rom, error))
                return false;
        rtl->io = ports_map(device->env->ports, 0, RTL_REGISTERS, &rtl_io, rtl, "rtl8139 registers");
        rtl->mmio = memory_map_mmio(device->env->memory, 0, RTL_REGISTERS, &rtl_mmio, rtl, PRIORITY_BAR, "rtl8139 registers");
        pci_bar_ports(&rtl->pci, 0, RTL_REGISTERS, rtl->io);
        pci_bar_memory(&rtl->pci, 1, RTL_REGISTERS, 0, rtl->mmio);
        nic_take_mac(rtl->net, mac);
        rtl->eeprom.word[0] = 0x8129;
        rtl->eeprom.word[1] = 0x10ec;
        rtl->eeprom.word[2] = 0x8139;
        for (unsigned i = 0; i < 3; i++)
                rtl->eeprom.word[7 + i] = (uint16_t)(mac[2 * i] | mac[2 * i + 1] << 8);
        timer_init(&rtl->timer, device->env->clock, timer_expired, rtl);
        if (rtl->net)
                net_attach(rtl->net, &rtl_net_ops, rtl);
        return true;
}

static bool rtl_post_load(struct device *device, GError **error)
{
        struct rtl8139 *rtl = (struct rtl8139 *)device;

        if (rtl->tx_size > NET_FRAME_MAX) {
                g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s: a packet of %u bytes", device->id, rtl->tx_size);
                return false;
        }
        rtl->tx_next %= RTL_RING;
        rtl->rx_next %= RTL_RING;
        nic_eeprom_restored(&rtl->eeprom);
        if (rtl->net)
                net_forget(rtl->net);
        pci_device_restored(&rtl->pci);
        rtl_update(rtl);
        return true;
}

static void rtl_destroy(struct device *device)
{
        struct rtl8139 *rtl = (struct rtl8139 *)device;

        if (rtl->net)
                net_attach(rtl->net, NULL, NULL);
        timer_cancel(&rtl->timer);
        memory_unmap(rtl->mmio);
        ports_unmap(rtl->io);
        if (rtl->rom)
                g_bytes_unref(rtl->rom);
}

static const struct device_class rtl8139_class = {
        .name = "rtl8139",
        .description = "Realtek RTL8139C+ Fast Ethernet controller",
        .size = sizeof(struct rtl8139),
        .state = rtl8139_fields,
        .create = rtl_create,
        .reset = rtl_reset,
        .post_load = rtl_post_load,
        .destroy = rtl_destroy,
};

DEVICE_CLASS(rtl8139_class);
