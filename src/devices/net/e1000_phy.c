/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e1000_phy.c - the 82540EM's surroundings: its PHY (a Marvell 88E1011 behind MDIC) and its EEPROM (93C46, 64 words,
 * bit by bit through EECD or word by word through EERD).
 *
 * Autonegotiation takes no time here: the link is up as soon as the cable is.  The EEPROM is write-protected.
 */
#include <string.h>

#include "base/log.h"
#include "devices/net/e1000_common.h"

/* EECD (SDM 13.4.3). */
enum { EECD_SK = 1 << 0, EECD_CS = 1 << 1, EECD_DI = 1 << 2, EECD_DO = 1 << 3, EECD_FWE_OFF = 1 << 4,
       EECD_REQ = 1 << 6, EECD_GNT = 1 << 7, EECD_PRES = 1 << 8 };
enum { EERD_START = 1 << 0, EERD_DONE = 1 << 4, EERD_ADDRESS_SHIFT = 8, EERD_DATA_SHIFT = 16 };
enum { EEPROM_SUM_AT = 0x3f, EEPROM_SUM = 0xbaba };
/* MDIC (SDM 13.4.8). */
enum { MDIC_REGISTER_SHIFT = 16, MDIC_PHY_SHIFT = 21, MDIC_WRITE = 1 << 26, MDIC_READ = 1 << 27,
       MDIC_READY = 1 << 28, MDIC_INTERRUPT = 1 << 29, MDIC_ERROR = 1 << 30 };
enum { PHY_ADDRESS = 1 };
/* PHY registers. */
enum {
        PHY_CONTROL = 0, PHY_STATUS = 1, PHY_ID1 = 2, PHY_ID2 = 3, PHY_ADVERTISE = 4, PHY_PARTNER = 5, PHY_EXPANSION = 6,
        PHY_1000_CONTROL = 9, PHY_1000_STATUS = 10, PHY_EXTENDED_STATUS = 15, M88_CONTROL = 16, M88_STATUS = 17, M88_INT_ENABLE = 18,
        M88_EXT_CONTROL = 20,
};
enum { CONTROL_RESTART = 1 << 9, CONTROL_AUTO = 1 << 12, CONTROL_LOOPBACK = 1 << 14, CONTROL_RESET = 1 << 15 };
enum { PHY_STATUS_LINK = 1 << 2, PHY_STATUS_NEGOTIATED = 1 << 5, M88_STATUS_LINK = 1 << 10 };

/* -- PHY ----------------------------------------------------------------------------------------- */

static bool cable(const struct e1000 *e1000) { return !e1000->net || net_link_up(e1000->net); }

void e1000_link_update(struct e1000 *e1000)
{
        bool up = cable(e1000), was = *e1000_reg(e1000, R_STATUS) & STATUS_LU;

        if (up) {
                e1000->phy[PHY_STATUS] |= PHY_STATUS_LINK | PHY_STATUS_NEGOTIATED;
                e1000->phy[M88_STATUS] |= M88_STATUS_LINK;
                *e1000_reg(e1000, R_STATUS) |= STATUS_LU;
        } else {
                e1000->phy[PHY_STATUS] &= (uint16_t)~(PHY_STATUS_LINK | PHY_STATUS_NEGOTIATED);
                e1000->phy[M88_STATUS] &= (uint16_t)~M88_STATUS_LINK;
                *e1000_reg(e1000, R_STATUS) &= ~(uint32_t)STATUS_LU;
        }
        if (up != was)
                e1000_raise(e1000, INT_LSC);
}

void e1000_phy_reset(struct e1000 *e1000)
{
        memset(e1000->phy, 0, sizeof(e1000->phy));
        e1000->phy[PHY_CONTROL] = 0x1140;               /* autonegotiation, 1000 Mb/s, full duplex */
        e1000->phy[PHY_STATUS] = 0x7949;                /* all of 10 and 100 Mb/s, extended status, able to negotiate */
        e1000->phy[PHY_ID1] = 0x0141;
        e1000->phy[PHY_ID2] = 0x0c20;
        e1000->phy[PHY_ADVERTISE] = 0x0de1;
        e1000->phy[PHY_PARTNER] = 0x4de1;
        e1000->phy[PHY_EXPANSION] = 0x0001;
        e1000->phy[PHY_1000_CONTROL] = 0x0e00;
        e1000->phy[PHY_1000_STATUS] = 0x3c00;
        e1000->phy[PHY_EXTENDED_STATUS] = 0x3000;
        e1000->phy[M88_CONTROL] = 0x0360;
        e1000->phy[M88_STATUS] = 0xa800;                /* 1000 Mb/s, full duplex, resolved */
        e1000->phy[M88_EXT_CONTROL] = 0x0d60;
        e1000_link_update(e1000);
}

bool e1000_phy_loops_back(const struct e1000 *e1000) { return e1000->phy[PHY_CONTROL] & CONTROL_LOOPBACK; }

static void phy_write(struct e1000 *e1000, unsigned number, uint16_t value)
{
        switch (number) {
        case PHY_CONTROL:
                if (value & CONTROL_RESET) {
                        e1000_phy_reset(e1000);
                        return;
                }
                e1000->phy[PHY_CONTROL] = value & (uint16_t)~CONTROL_RESTART;
                if ((value & CONTROL_RESTART) && (value & CONTROL_AUTO) && cable(e1000))
                        e1000_raise(e1000, INT_LSC);            /* down and up again, in no time */
                break;
        case PHY_ADVERTISE:
        case PHY_1000_CONTROL:
        case M88_CONTROL:
        case M88_INT_ENABLE:
        case M88_EXT_CONTROL ... 31:
                e1000->phy[number] = value;
                break;
        default:
                guest_error("e1000", "write of %04x to PHY register %u", value, number);
                break;
        }
}

void e1000_mdic_write(struct e1000 *e1000, uint32_t value)
{
        unsigned number = value >> MDIC_REGISTER_SHIFT & 31;
        uint32_t result = (value & 0x2fffffff) | MDIC_READY;

        if ((value >> MDIC_PHY_SHIFT & 31) != PHY_ADDRESS)
                result |= MDIC_ERROR;
        else if (value & MDIC_READ)
                result = (result & ~0xffffu) | e1000->phy[number];
        else if (value & MDIC_WRITE)
                phy_write(e1000, number, (uint16_t)value);
        *e1000_reg(e1000, R_MDIC) = result;
        if (value & MDIC_INTERRUPT)
                e1000_raise(e1000, INT_MDAC);
}

/* -- EEPROM -------------------------------------------------------------------------------------- */

void e1000_eeprom_fill(struct e1000 *e1000, const uint8_t mac[ETH_ADDRESS_BYTES])
{
        static const struct { uint8_t word; uint16_t value; } fixed[] = {
                { 0x03, 0x0600 },               /* compatibility: no special LOM */
                { 0x0a, 0x3000 },               /* initialization control 1 */
                { 0x0b, 0x1100 }, { 0x0c, 0x1af4 }, { 0x0d, 0x100e }, { 0x0e, 0x8086 },
                { 0x0f, 0xb046 },               /* initialization control 2: pause both ways */
                { 0x21, 0x7061 }, { 0x22, 0x280c },
        };
        uint16_t sum = 0;

        for (unsigned i = 0; i < 3; i++)
                e1000->eeprom.word[i] = (uint16_t)(mac[2 * i] | mac[2 * i + 1] << 8);
        for (unsigned i = 0; i < G_N_ELEMENTS(fixed); i++)
                e1000->eeprom.word[fixed[i].word] = fixed[i].value;
        for (unsigned i = 0; i < EEPROM_SUM_AT; i++)
                sum = (uint16_t)(sum + e1000->eeprom.word[i]);
        e1000->eeprom.word[EEPROM_SUM_AT] = (uint16_t)(EEPROM_SUM - sum);
}

uint32_t e1000_eerd_read(struct e1000 *e1000)
{
        uint32_t value = *e1000_reg(e1000, R_EERD);
        unsigned word = value >> EERD_ADDRESS_SHIFT & 0xff;

        if (!(value & EERD_START))
                return value;
        return (value & ~1u) | EERD_DONE | (word < NIC_EEPROM_WORDS ? (uint32_t)e1000->eeprom.word[word] << EERD_DATA_SHIFT : 0);
}

uint32_t e1000_eecd_read(struct e1000 *e1000)
{
        uint32_t value = *e1000_reg(e1000, R_EECD) & (EECD_SK | EECD_CS | EECD_DI | EECD_REQ);

        if (value & EECD_REQ)
                value |= EECD_GNT;
        return value | EECD_PRES | EECD_FWE_OFF | (nic_eeprom_output(&e1000->eeprom) ? EECD_DO : 0);
}

void e1000_eecd_write(struct e1000 *e1000, uint32_t value)
{
        *e1000_reg(e1000, R_EECD) = value & (EECD_SK | EECD_CS | EECD_DI | EECD_REQ);
        nic_eeprom_drive(&e1000->eeprom, value & EECD_CS, value & EECD_SK, value & EECD_DI);
}
