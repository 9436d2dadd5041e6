/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nic_common.h - what network cards share, and how the machine connects them.
 *
 * Each card class has a function *_connect(), called between device_new() and device_start() with the host's side of
 * its cable, which outlives the card (NULL: nothing plugged in).
 */
#ifndef LODGER_DEVICES_NET_NIC_COMMON_H
#define LODGER_DEVICES_NET_NIC_COMMON_H

#include "devices/device.h"
#include "machine/pci.h"
#include "net/net.h"

enum { ETH_ADDRESS_BYTES = 6, ETH_HEADER_BYTES = 14, ETH_MINIMUM = 60, ETH_FCS_BYTES = 4, ETH_TAG_BYTES = 4 };

/* rom: an option ROM for network boot, or NULL. */
void e1000_connect(struct device *device, struct net *net, GBytes *rom);
void rtl8139_connect(struct device *device, struct net *net, GBytes *rom);
void virtio_net_connect(struct device *device, struct net *net, GBytes *rom);
void ne2k_connect(struct device *device, struct net *net, struct irq irq);

/* A 93C46: 64 words of 16 bits, three wires in and one out.  The guest may read it, not write it. */
enum { NIC_EEPROM_WORDS = 64 };

struct nic_eeprom {
        uint16_t word[NIC_EEPROM_WORDS];
        uint16_t shift;                 /* bits since the start bit; while reading, the word's number */
        uint8_t in, out;                /* counts of bits */
        bool reading, select, clock;
};

extern const struct state_field nic_eeprom_fields[];
void nic_eeprom_drive(struct nic_eeprom *eeprom, bool select, bool clock, bool in);
bool nic_eeprom_output(const struct nic_eeprom *eeprom);
/* Power-up of the wires; the words stay. */
void nic_eeprom_reset(struct nic_eeprom *eeprom);
/* After a load. */
void nic_eeprom_restored(struct nic_eeprom *eeprom);

/* The card's address: the cable's end's, or a fixed one when there is none. */
void nic_take_mac(struct net *net, uint8_t mac[ETH_ADDRESS_BYTES]);
/* Shows an option ROM in the ROM BAR; in create(). */
bool nic_map_rom(struct pci_device *pci, GBytes *rom, GError **error);
/* CRC-32 of an address, most significant bit first, as multicast filters hash it. */
uint32_t nic_crc(const uint8_t *bytes, size_t size);

static inline bool nic_is_broadcast(const uint8_t *frame)
{
        return (frame[0] & frame[1] & frame[2] & frame[3] & frame[4] & frame[5]) == 0xff;
}

static inline bool nic_is_multicast(const uint8_t *frame) { return frame[0] & 1; }

#endif
