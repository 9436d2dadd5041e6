/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i440fx.c - the host bridge: Intel 82441FX PMC (8086:1237), datasheet 290549.
 *
 * What matters to a PC is the map of the first megabyte.  The PAM registers say for thirteen areas
 * of C0000h-FFFFFh whether reads and writes reach RAM or go on to PCI, where the firmware's ROM
 * answers at E0000h-FFFFFh and nothing elsewhere; SMRAM opens the RAM behind the VGA window.
 *
 *      RE WE   reads           writes          how it is mapped here
 *      0  0    PCI (ROM)       dropped         nothing over the ROM
 *      1  0    RAM             dropped         RAM, read-only
 *      0  1    PCI (ROM)       RAM             a callback region (firmware copying itself; rare)
 *      1  1    RAM             RAM             RAM
 *
 * Not modelled: DRAM timing and row registers are stored only; SMRAM is never closed again by
 * leaving system-management mode, because there is no such mode (D_OPEN alone counts).
 */
#include "base/log.h"
#include "devices/chipset/i440fx.h"
#include "machine/pci.h"

enum { PMCCFG = 0x50, DRAMT = 0x58, PAM0 = 0x59, PAM6 = 0x5f, DRB0 = 0x60, SMRAM = 0x72 };
enum { PAM_READ = 1, PAM_WRITE = 2 };
enum { SMRAM_G_SMRAME = 1 << 3, SMRAM_D_LCK = 1 << 4, SMRAM_D_CLS = 1 << 5, SMRAM_D_OPEN = 1 << 6 };
enum { AREAS = 13 };
enum { PRIORITY_RAM = 10 };             /* over the firmware's ROM, which is at 0 */

/* The areas in the order of the register nibbles: PAM0 high, PAM1 low, PAM1 high, ... */
struct area {
        struct i440fx *bridge;
        uint32_t base, size;
        struct memory_region *ram;              /* RE=1 */
        struct memory_region *write_through;    /* RE=0, WE=1 */
};

struct i440fx {
        struct pci_device pci;
        const uint8_t *rom;                     /* last 128 KiB of the firmware, at E0000h */
        struct area area[AREAS];
        struct memory_region *smram;
};

static const struct state_field i440fx_fields[] = {
        STATE_STRUCT(struct i440fx, pci, pci_device_fields),
        STATE_SKIP(struct i440fx, rom, "firmware file, set by the machine"),
        STATE_SKIP(struct i440fx, area, "mappings, derived from the PAM registers"),
        STATE_SKIP(struct i440fx, smram, "mapping, derived from the SMRAM register"),
        STATE_END
};

static unsigned area_attributes(const struct i440fx *bridge, unsigned n)
{
        const uint8_t *pam = &bridge->pci.config[PAM0];

        return (n & 1 ? pam[(n + 1) / 2] : pam[n / 2] >> 4) & (PAM_READ | PAM_WRITE);
}

/* -- Areas whose reads go to ROM and whose writes go to RAM ------------------------------------- */

static uint64_t write_through_read(void *opaque, uint64_t offset, unsigned size)
{
        struct area *area = opaque;
        uint64_t value = 0;

        for (unsigned i = 0; i < size; i++) {
                uint32_t address = area->base + (uint32_t)offset + i;
                bool rom = area->bridge->rom && address >= 0xe0000;

                value |= (uint64_t)(rom ? area->bridge->rom[address - 0xe0000] : 0xff) << 8 * i;
        }
        return value;
}

static void write_through_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct area *area = opaque;
        struct memory *memory = area->bridge->pci.device.env->memory;
        uint8_t *ram = memory_ram(memory) + area->base + offset;

        memory_before_write_file(memory, area->base + offset, size);

        /* Nothing executes from this RAM while it cannot be read, so no translated code can be stale:
         * making it readable changes the map, which drops what was cached. */
        for (unsigned i = 0; i < size; i++)
                ram[i] = (uint8_t)(value >> 8 * i);
}

static const struct mmio_ops write_through_ops = { write_through_read, write_through_write, 1, 8 };

/* -- The map follows the registers -------------------------------------------------------------- */

static void i440fx_update_area(struct i440fx *bridge, unsigned n)
{
        struct area *area = &bridge->area[n];
        unsigned attributes = area_attributes(bridge, n);

        memory_region_set(area->write_through, area->base, attributes == PAM_WRITE);
        if (attributes & PAM_READ)
                memory_region_set_read_only(area->ram, !(attributes & PAM_WRITE));
        memory_region_set(area->ram, area->base, attributes & PAM_READ);
}

static void i440fx_update(struct i440fx *bridge)
{
        for (unsigned n = 0; n < AREAS; n++)
                i440fx_update_area(bridge, n);
        memory_region_set(bridge->smram, 0xa0000, bridge->pci.config[SMRAM] & SMRAM_D_OPEN);
}

static void i440fx_config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
        struct i440fx *bridge = (struct i440fx *)pci;

        for (unsigned at = offset; at < offset + size; at++) {
                if (at == PAM0) {
                        i440fx_update_area(bridge, 0);
                } else if (at > PAM0 && at <= PAM6) {
                        i440fx_update_area(bridge, 2 * (at - PAM0) - 1);
                        i440fx_update_area(bridge, 2 * (at - PAM0));
                } else if (at == SMRAM) {
                        /* D_LCK holds until reset: D_OPEN is cleared and the register frozen. */
                        if (pci->config[SMRAM] & SMRAM_D_LCK) {
                                pci->config[SMRAM] &= (uint8_t)~SMRAM_D_OPEN;
                                pci->writable[SMRAM] = 0;
                        }
                        memory_region_set(bridge->smram, 0xa0000, pci->config[SMRAM] & SMRAM_D_OPEN);
                }
        }
}

/* -- Life --------------------------------------------------------------------------------------- */

void i440fx_set_rom(struct device *device, const uint8_t *rom)
{
        ((struct i440fx *)device)->rom = rom;
}

static void i440fx_reset(struct device *device)
{
        struct i440fx *bridge = (struct i440fx *)device;

        bridge->pci.writable[SMRAM] = 0x78;
        pci_device_reset(&bridge->pci);
        i440fx_update(bridge);
}

static bool i440fx_create(struct device *device, GError **error)
{
        struct i440fx *bridge = (struct i440fx *)device;
        struct pci_device *pci = &bridge->pci;
        struct memory *memory = device->env->memory;

        (void)error;
        pci_identify(pci, 0x8086, 0x1237, 0x060000, 2);
        pci_put16(pci->defaults, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
        pci_put16(pci->writable, PCI_COMMAND, 0x0140);
        pci_put16(pci->defaults, PCI_STATUS, 0x0280);
        pci->defaults[SMRAM] = 0x02;
        for (unsigned at = PMCCFG; at < 0x70; at++)
                pci->writable[at] = 0xff;
        for (unsigned at = PAM0; at <= PAM6; at++)
                pci->writable[at] = at == PAM0 ? 0x30 : 0x33;
        pci->config_written = i440fx_config_written;

        for (unsigned n = 0; n < AREAS; n++) {
                struct area *area = &bridge->area[n];

                area->bridge = bridge;
                area->base = n ? 0xc0000 + (n - 1) * 0x4000 : 0xf0000;
                area->size = n ? 0x4000 : 0x10000;
                area->ram = memory_map_ram(memory, area->base, area->base, area->size, false, PRIORITY_RAM, "PAM RAM");
                area->write_through = memory_map_mmio(memory, area->base, area->size, &write_through_ops, area,
                                                      PRIORITY_RAM, "PAM write-only RAM");
        }
        bridge->smram = memory_map_ram(memory, 0xa0000, 0xa0000, 0x20000, false, PRIORITY_RAM, "SMRAM");
        return true;
}

static bool i440fx_post_load(struct device *device, GError **error)
{
        struct i440fx *bridge = (struct i440fx *)device;

        (void)error;
        bridge->pci.writable[SMRAM] = bridge->pci.config[SMRAM] & SMRAM_D_LCK ? 0 : 0x78;
        pci_device_restored(&bridge->pci);
        i440fx_update(bridge);
        return true;
}

static const struct device_class i440fx_class = {
        .name = "i440fx",
        .description = "82441FX host bridge",
        .size = sizeof(struct i440fx),
        .state = i440fx_fields,
        .create = i440fx_create,
        .reset = i440fx_reset,
        .post_load = i440fx_post_load,
};

DEVICE_CLASS(i440fx_class);
