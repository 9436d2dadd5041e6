/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic.c - what network cards share: addresses, option ROMs, the EEPROM, the filter's hash. */
#include <string.h>

#include "devices/net/nic_common.h"

enum { PRIORITY_BAR = 1, ROM_MINIMUM = 2048 };

void nic_take_mac(struct net *net, uint8_t mac[ETH_ADDRESS_BYTES])
{
        static const uint8_t alone[ETH_ADDRESS_BYTES] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

        memcpy(mac, net ? net_mac(net) : alone, ETH_ADDRESS_BYTES);
}

bool nic_map_rom(struct pci_device *pci, GBytes *rom, GError **error)
{
        gsize size, padded = ROM_MINIMUM;
        const uint8_t *bytes = g_bytes_get_data(rom, &size);
        struct memory_region *region;
        uint8_t *image;

        while (padded < MAX(size, PAGE_SIZE))
                padded <<= 1;
        image = g_malloc0(padded);
        memcpy(image, bytes, size);
        region = memory_map_rom(pci->device.env->memory, 0, image, padded, PRIORITY_BAR, "network boot ROM");
        g_free(image);
        if (!region) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "%s: no room for its boot ROM", pci->device.id);
                return false;
        }
        pci_bar_memory(pci, PCI_BAR_ROM, (uint32_t)padded, 0, region);
        return true;
}

uint32_t nic_crc(const uint8_t *bytes, size_t size)
{
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < size; i++) {
                for (unsigned bit = 0, byte = bytes[i]; bit < 8; bit++, byte >>= 1)
                        crc = crc << 1 ^ (((crc >> 31) ^ byte) & 1 ? 0x04c11db7 : 0);
        }
        return crc;
}

/* -- EEPROM -------------------------------------------------------------------------------------- */

enum { ADDRESS_BITS = 6, COMMAND_BITS = 3 + ADDRESS_BITS, COMMAND_READ = 6 /* start bit, 10b */, WORD_BITS = 16 };

const struct state_field nic_eeprom_fields[] = {
        STATE_U16(struct nic_eeprom, word),
        STATE_U16(struct nic_eeprom, shift),
        STATE_U8(struct nic_eeprom, in),
        STATE_U8(struct nic_eeprom, out),
        STATE_BOOL(struct nic_eeprom, reading),
        STATE_BOOL(struct nic_eeprom, select),
        STATE_BOOL(struct nic_eeprom, clock),
        STATE_END
};

void nic_eeprom_reset(struct nic_eeprom *eeprom)
{
        eeprom->shift = 0;
        eeprom->in = eeprom->out = 0;
        eeprom->reading = eeprom->select = eeprom->clock = false;
}

void nic_eeprom_restored(struct nic_eeprom *eeprom)
{
        eeprom->in = MIN(eeprom->in, COMMAND_BITS);
        eeprom->out = MIN(eeprom->out, WORD_BITS);
}

/* A rising edge of the clock: a bit of a command goes in, or of a word comes out (after its last, the next word's). */
static void eeprom_clock(struct nic_eeprom *eeprom, bool in)
{
        if (eeprom->reading) {
                if (eeprom->out == WORD_BITS) {
                        eeprom->shift++;
                        eeprom->out = 0;
                }
                eeprom->out++;
                return;
        }
        if (!eeprom->in && !in)
                return;                         /* waiting for the start bit */
        eeprom->shift = (uint16_t)(eeprom->shift << 1 | in);
        if (eeprom->in < COMMAND_BITS && ++eeprom->in == COMMAND_BITS)
                eeprom->reading = (eeprom->shift >> ADDRESS_BITS & 7) == COMMAND_READ;
}

void nic_eeprom_drive(struct nic_eeprom *eeprom, bool select, bool clock, bool in)
{
        bool rises = clock && !eeprom->clock;

        if (!select || !eeprom->select) {
                eeprom->shift = 0;
                eeprom->in = eeprom->out = 0;
                eeprom->reading = false;
        }
        eeprom->select = select;
        eeprom->clock = clock;
        if (select && rises)
                eeprom_clock(eeprom, in);
}

bool nic_eeprom_output(const struct nic_eeprom *eeprom)
{
        if (!eeprom->reading)
                return true;                    /* pulled up, and "ready" after a write */
        /* A zero precedes the first bit. */
        return eeprom->out && (eeprom->word[eeprom->shift & (NIC_EEPROM_WORDS - 1)] >> (WORD_BITS - eeprom->out) & 1);
}
