/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ide.c - the IDE function of the PIIX3: Intel 82371SB function 1 (8086:7010), datasheet 290550, 2.4
 * and 3.3: two channels at the ISA places, each with a bus master; and the registers of the drives
 * behind them (ATA/ATAPI-6, chapter 7).  What commands mean is in ata_disk.c and atapi_cd.c.
 *
 * As on a cable, writes to a task file reach both drives of a channel, and reads come from the one
 * that is selected.  A drive 0 without a drive 1 answers for it, with status 0.
 *
 * A drive's work on its image runs in the background with a buffer of its own, so that a guest that
 * resets the drive meanwhile, or takes its memory away, disturbs nothing.  The bus master copies
 * between the drive's buffer and guest memory at once, when both are ready.
 *
 * Saving: the vCPUs are paused, and ide_drain() lets work end; then every drive is idle, waits for
 * the guest's PIO, or waits for a bus master that the guest has not started or given enough room.
 *
 * Not modelled: timing (IDETIM is kept and only its decode bit matters), the speed of drives.  With the property
 * "decode" channels are switched on from reset on, for firmware that does not do it (OVMF).
 */
#include <string.h>

#include "base/log.h"
#include "devices/storage/ata_common.h"
#include "devices/storage/ide.h"
#include "machine/pci.h"

/* Configuration space. */
enum { IDETIM = 0x40, IDETIM_DECODE = 0x80 /* bit 15, in the second byte */ };
/* Command block, relative to 1F0h or 170h; control block at 3F6h and 376h. */
enum { REG_DATA, REG_FEATURE, REG_COUNT, REG_LOW, REG_MID, REG_HIGH, REG_DEVICE, REG_COMMAND };
enum { CONTROL_NIEN = 1 << 1, CONTROL_SRST = 1 << 2, CONTROL_HOB = 1 << 7 };
/* Bus master, relative to BAR4 and 8 bytes further for the second channel. */
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4, BM_PORTS = 16 };
enum { BM_START = 1 << 0, BM_TO_MEMORY = 1 << 3 };
enum { BM_ACTIVE = 1 << 0, BM_ERROR = 1 << 1, BM_IRQ = 1 << 2, BM_CAPABLE = 0x60 };
enum { PRD_LAST = 0x80 /* bit 31, in the last byte */ };

enum { COMMAND_PACKET = 0xa0, COMMAND_DEVICE_RESET = 0x08, COMMAND_DIAGNOSTIC = 0x90 };

struct ide;

struct ide_channel {
        struct ata_drive drive[2];
        uint8_t control;                /* saved: device control, W, reset 0 */
        uint8_t bm_command;             /* saved: R/W bits 0 and 3, reset 0 */
        uint8_t bm_status;              /* saved: R, W1C, R/W; reset 0 */
        uint32_t bm_table;              /* saved: descriptor table, R/W, reset 0 */
        uint32_t prd_next;              /* saved: address of the next descriptor */
        uint32_t prd_address, prd_left; /* saved: what is left of the present one */
        bool prd_last;                  /* saved: it is the last */
        bool level;                     /* derived by ide_update() */
        struct ide *ide;
        struct irq irq;
        struct port_range *command_ports, *control_port;
};

struct ide {
        struct pci_device pci;
        struct ide_channel channel[2];
        struct port_range *bm_ports;
        bool decode;                    /* property */
};

static const struct state_field channel_fields[] = {
        STATE_ARRAY(struct ide_channel, drive, 2, ata_drive_fields),
        STATE_U8(struct ide_channel, control),
        STATE_U8(struct ide_channel, bm_command),
        STATE_U8(struct ide_channel, bm_status),
        STATE_U32(struct ide_channel, bm_table),
        STATE_U32(struct ide_channel, prd_next),
        STATE_U32(struct ide_channel, prd_address),
        STATE_U32(struct ide_channel, prd_left),
        STATE_BOOL(struct ide_channel, prd_last),
        STATE_SKIP(struct ide_channel, level, "derived by ide_update()"),
        STATE_SKIP(struct ide_channel, ide, "wiring"),
        STATE_SKIP(struct ide_channel, irq, "wire, connected by the machine"),
        STATE_SKIP(struct ide_channel, command_ports, "ports, registered by create()"),
        STATE_SKIP(struct ide_channel, control_port, "ports, registered by create()"),
        STATE_END
};

static const struct state_field ide_fields[] = {
        STATE_STRUCT(struct ide, pci, pci_device_fields),
        STATE_ARRAY(struct ide, channel, 2, channel_fields),
        STATE_SKIP(struct ide, bm_ports, "ports, registered by create()"),
        STATE_SKIP(struct ide, decode, "property"),
        STATE_END
};

static const struct property ide_properties[] = {
        { "decode", PROPERTY_BOOL, offsetof(struct ide, decode), 0, 0, "off", NULL, "channels are on from reset on" },
        { 0 }
};

/* -- Pure helpers -------------------------------------------------------------------------------- */

/* The drive that answers the select bit; its kind may be ATA_NONE. */
static struct ata_drive *selected(struct ide_channel *channel)
{
        return &channel->drive[channel->drive[0].select & ATA_DEVICE_1 ? 1 : 0];
}

/* The only place that touches the interrupt line. */
static void ide_update(struct ide_channel *channel)
{
        struct ata_drive *drive = selected(channel);
        bool level = drive->irq && drive->kind != ATA_NONE && !(channel->control & CONTROL_NIEN);

        if (level && !channel->level)
                channel->bm_status |= BM_IRQ;
        channel->level = level;
        irq_set(&channel->irq, level);
}

static void drive_interrupt(struct ata_drive *drive)
{
        drive->irq = true;
        ide_update(drive->host_opaque);
}

/* -- Bus master ---------------------------------------------------------------------------------- */

/* The local APIC's page: what a device writes there is an interrupt message, not memory. */
#define MESSAGE_ADDRESS 0xfee00000u
#define MESSAGE_MASK 0xfff00000u

static void bm_begin(struct ide_channel *channel)
{
        channel->prd_next = channel->bm_table;
        channel->prd_left = 0;
        channel->prd_last = false;
}

/* Takes the next descriptor: address, byte count (0: 64 KiB) and end of table (PIIX3, 3.3). */
static bool bm_next_descriptor(struct ide_channel *channel)
{
        uint8_t prd[8];
        uint32_t count;

        if (!memory_read(channel->ide->pci.device.env->memory, channel->prd_next, prd, sizeof(prd)))
                return false;
        /* A table does not cross a 64 KiB boundary; the chip's counter wraps. */
        channel->prd_next = (channel->prd_next & 0xffff0000) | ((channel->prd_next + 8) & 0xffff);
        count = (uint32_t)(prd[4] | prd[5] << 8) & 0xfffe;
        channel->prd_address = pci_get32(prd, 0) & ~1u;
        channel->prd_left = count ? count : 0x10000;
        channel->prd_last = prd[7] & PRD_LAST;
        return true;
}

static bool bm_copy(struct memory *memory, uint32_t address, uint8_t *bytes, uint32_t size, bool to_memory)
{
        if ((address & MESSAGE_MASK) == MESSAGE_ADDRESS || ((address + size - 1) & MESSAGE_MASK) == MESSAGE_ADDRESS)
                return false;
        return to_memory ? memory_write(memory, address, bytes, size) : memory_read(memory, address, bytes, size);
}

/* Moves data for a drive that waits, if the guest has started the bus master. */
static void bm_run(struct ide_channel *channel)
{
        struct memory *memory = channel->ide->pci.device.env->memory;
        struct ata_drive *drive = selected(channel);
        bool to_memory = drive->phase == ATA_DMA_IN;

        if ((drive->phase != ATA_DMA_IN && drive->phase != ATA_DMA_OUT) || !(channel->bm_status & BM_ACTIVE))
                return;
        /* Bus mastering switched off in the command register, or the other direction: no transfer. */
        if (!(channel->ide->pci.config[PCI_COMMAND] & PCI_COMMAND_MASTER) ||
            !!(channel->bm_command & BM_TO_MEMORY) != to_memory)
                return;
        while (drive->position < drive->end) {
                uint32_t size;

                if (!channel->prd_left) {
                        if (channel->prd_last) {        /* the guest gave too little room: the drive waits */
                                channel->bm_status &= (uint8_t)~BM_ACTIVE;
                                guest_error("ide", "descriptor table ends %u bytes early", drive->end - drive->position);
                                return;
                        }
                        if (!bm_next_descriptor(channel))
                                goto fault;
                }
                size = MIN(channel->prd_left, drive->end - drive->position);
                if (!bm_copy(memory, channel->prd_address, drive->buffer + drive->position, size, to_memory))
                        goto fault;
                channel->prd_address += size;
                channel->prd_left -= size;
                drive->position += size;
        }
        drive->ops->moved(drive);
        /* A table that fits exactly ends the transfer; otherwise the guest stops the bus master. */
        if (drive->phase == ATA_IDLE && !channel->prd_left && channel->prd_last)
                channel->bm_status &= (uint8_t)~BM_ACTIVE;
        return;
fault:
        /* Nothing answers on the bus. */
        guest_error("ide", "DMA at %#x, descriptor after %#x: no memory", channel->prd_address, channel->prd_next);
        channel->bm_status = (uint8_t)((channel->bm_status & ~BM_ACTIVE) | BM_ERROR);
}

static uint32_t bm_read(void *opaque, uint16_t port, unsigned size)
{
        struct ide *ide = opaque;
        unsigned offset = port & (BM_PORTS - 1);
        struct ide_channel *channel = &ide->channel[offset >> 3];

        switch (offset & 7) {
        case BM_COMMAND:
                return channel->bm_command | (size > 2 ? (uint32_t)channel->bm_status << 16 : 0);
        case BM_STATUS:
                return channel->bm_status;
        default:
                return (offset & 4) ? channel->bm_table >> 8 * (offset & 3) : 0;
        }
}

static void bm_command_write(struct ide_channel *channel, uint8_t value)
{
        bool start = (value & BM_START) && !(channel->bm_command & BM_START);

        channel->bm_command = value & (BM_START | BM_TO_MEMORY);
        if (start) {
                bm_begin(channel);
                channel->bm_status |= BM_ACTIVE;
                bm_run(channel);
        } else if (!(value & BM_START)) {
                channel->bm_status &= (uint8_t)~BM_ACTIVE;
        }
}

static void bm_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct ide *ide = opaque;
        unsigned offset = port & (BM_PORTS - 1);
        struct ide_channel *channel = &ide->channel[offset >> 3];

        for (unsigned i = 0; i < size; i++, offset++, value >>= 8) {
                unsigned shift = 8 * (offset & 3);

                switch (offset & 7) {
                case BM_COMMAND:
                        bm_command_write(channel, (uint8_t)value);
                        break;
                case BM_STATUS:
                        channel->bm_status = (uint8_t)((channel->bm_status & ~(BM_CAPABLE | (value & (BM_ERROR | BM_IRQ)))) |
                                                       (value & BM_CAPABLE));
                        break;
                case BM_TABLE: case BM_TABLE + 1: case BM_TABLE + 2: case BM_TABLE + 3:
                        channel->bm_table = ((channel->bm_table & ~(0xffu << shift)) | (value & 0xff) << shift) & ~3u;
                        break;
                default:
                        break;
                }
        }
}

static const struct port_ops bm_ops = { bm_read, bm_write, 4 };

/* -- What drives ask for ------------------------------------------------------------------------- */

static void ide_data(struct ata_drive *drive, bool interrupt)
{
        if (drive->dma)
                bm_run(drive->host_opaque);
        else if (interrupt)
                drive_interrupt(drive);
}

static const struct ata_host ide_host = { .data = ide_data, .ended = drive_interrupt };

/* -- Resets -------------------------------------------------------------------------------------- */

static void channel_reset(struct ide_channel *channel, bool hard)
{
        for (unsigned unit = 0; unit < 2; unit++) {
                ata_drive_reset(&channel->drive[unit], hard);
                channel->drive[unit].select = 0;
        }
        ide_update(channel);
}

/* -- Registers ----------------------------------------------------------------------------------- */

static uint8_t status_read(struct ide_channel *channel)
{
        struct ata_drive *drive = selected(channel);

        if (drive->kind != ATA_NONE)
                return channel->control & CONTROL_SRST ? ATA_BSY : drive->status;
        /* Nobody there: drive 0 answers for drive 1; a cable without drives has a resistor on bit 7. */
        return channel->drive[drive->unit ^ 1].kind != ATA_NONE ? 0 : 0x7f;
}

static uint8_t register_read(struct ide_channel *channel, unsigned offset)
{
        struct ata_drive *drive = selected(channel);
        unsigned hob = channel->control & CONTROL_HOB ? 1 : 0;

        if (offset == REG_COMMAND) {
                if (drive->irq) {
                        drive->irq = false;
                        ide_update(channel);
                }
                return status_read(channel);
        }
        if (drive->kind == ATA_NONE)
                drive = &channel->drive[drive->unit ^ 1];
        if (drive->kind == ATA_NONE)
                return 0x7f;
        switch (offset) {
        case REG_FEATURE:
                return drive->error;
        case REG_COUNT:
                return drive->count[hob];
        case REG_LOW:
                return drive->low[hob];
        case REG_MID:
                return drive->mid[hob];
        case REG_HIGH:
                return drive->high[hob];
        default:
                return (uint8_t)((drive->select & ~ATA_DEVICE_1) | (selected(channel)->unit ? ATA_DEVICE_1 : 0) |
                                 ATA_DEVICE_OBSOLETE);
        }
}

static void command_write(struct ide_channel *channel, uint8_t command)
{
        struct ata_drive *drive = selected(channel);

        if (command == COMMAND_DIAGNOSTIC) {            /* for both drives, whichever is selected */
                channel_reset(channel, false);
                if (channel->drive[0].kind != ATA_NONE)
                        drive_interrupt(&channel->drive[0]);
                return;
        }
        if (drive->kind == ATA_NONE)
                return;
        if (command == COMMAND_DEVICE_RESET && drive->kind == ATA_CD) {
                uint8_t device = drive->select & ATA_DEVICE_1;

                ata_drive_reset(drive, false);
                drive->select = device;
                ide_update(channel);
                return;
        }
        if (drive->status & (ATA_BSY | ATA_DRQ)) {
                guest_error("ide", "command %02xh to a busy drive", command);
                /* Undefined while BSY; a drive that waits for data gives up the old command. */
                if (drive->status & ATA_BSY)
                        return;
        }
        drive->irq = false;
        ide_update(channel);
        ata_drive_command(drive, command);
}

static void push(uint8_t *file, uint8_t value)
{
        file[1] = file[0];
        file[0] = value;
}

static void register_write(struct ide_channel *channel, unsigned offset, uint8_t value)
{
        channel->control &= (uint8_t)~CONTROL_HOB;
        if (channel->control & CONTROL_SRST)            /* drives in reset do not listen */
                return;
        if (offset == REG_COMMAND) {
                command_write(channel, value);
                return;
        }
        for (unsigned unit = 0; unit < 2; unit++) {
                struct ata_drive *drive = &channel->drive[unit];

                switch (offset) {
                case REG_FEATURE:
                        push(drive->feature, value);
                        break;
                case REG_COUNT:
                        push(drive->count, value);
                        break;
                case REG_LOW:
                        push(drive->low, value);
                        break;
                case REG_MID:
                        push(drive->mid, value);
                        break;
                case REG_HIGH:
                        push(drive->high, value);
                        break;
                default:
                        drive->select = value;
                        break;
                }
        }
        if (offset == REG_DEVICE)
                ide_update(channel);
}

static uint32_t data_read(struct ide_channel *channel, unsigned size)
{
        struct ata_drive *drive = selected(channel);
        uint32_t value = 0;

        if (drive->phase != ATA_PIO_IN)
                return 0xffffffff;
        for (unsigned i = 0; i < size && drive->position < drive->end; i++)
                value |= (uint32_t)drive->buffer[drive->position++] << 8 * i;
        if (drive->position == drive->end)
                drive->ops->moved(drive);
        return value;
}

static void data_write(struct ide_channel *channel, uint32_t value, unsigned size)
{
        struct ata_drive *drive = selected(channel);

        if (drive->phase != ATA_PIO_OUT)
                return;
        for (unsigned i = 0; i < size && drive->position < drive->end; i++)
                drive->buffer[drive->position++] = (uint8_t)(value >> 8 * i);
        if (drive->position == drive->end)
                drive->ops->moved(drive);
}

/* The data register takes 16 and 32 bits; the others are bytes, taken one after the other. */
static uint32_t command_block_read(void *opaque, uint16_t port, unsigned size)
{
        uint32_t value = 0;

        if ((port & 7) == REG_DATA)
                return data_read(opaque, size);
        for (unsigned i = 0; i < size; i++)
                value |= (uint32_t)register_read(opaque, (port + i) & 7) << 8 * i;
        return value;
}

static void command_block_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        if ((port & 7) == REG_DATA) {
                data_write(opaque, value, size);
                return;
        }
        for (unsigned i = 0; i < size; i++)
                register_write(opaque, (port + i) & 7, (uint8_t)(value >> 8 * i));
}

static uint32_t control_read(void *opaque, uint16_t port, unsigned size)
{
        (void)port;
        (void)size;
        return status_read(opaque);             /* alternate status: the interrupt stays */
}

static void control_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct ide_channel *channel = opaque;

        (void)port;
        (void)size;
        if ((value & CONTROL_SRST) && !(channel->control & CONTROL_SRST))
                channel_reset(channel, false);
        channel->control = (uint8_t)value & (CONTROL_NIEN | CONTROL_SRST | CONTROL_HOB);
        ide_update(channel);
}

static const struct port_ops command_block_ops = { command_block_read, command_block_write, 4 };
static const struct port_ops control_ops = { control_read, control_write, 1 };

/* -- Configuration ------------------------------------------------------------------------------- */

/* The ISA ports are there when the function may answer I/O and its channel is switched on. */
static void ide_map(struct ide *ide)
{
        static const uint16_t command[] = { 0x1f0, 0x170 }, control[] = { 0x3f6, 0x376 };

        for (unsigned i = 0; i < 2; i++) {
                bool on = (ide->pci.config[PCI_COMMAND] & PCI_COMMAND_IO) &&
                          (ide->pci.config[IDETIM + 2 * i + 1] & IDETIM_DECODE);

                ports_move(ide->channel[i].command_ports, command[i], on);
                ports_move(ide->channel[i].control_port, control[i], on);
        }
}

static void ide_config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
        struct ide *ide = (struct ide *)pci;

        (void)offset;
        (void)size;
        ide_map(ide);
        for (unsigned i = 0; i < 2; i++)
                bm_run(&ide->channel[i]);       /* bus mastering may have been switched on */
}

/* -- Wiring and trays ---------------------------------------------------------------------------- */

static struct ata_drive *ide_slot(struct device *device, unsigned slot)
{
        g_assert(slot < IDE_SLOTS);
        return &((struct ide *)device)->channel[slot / 2].drive[slot % 2];
}

void ide_connect_irq(struct device *device, unsigned channel, struct irq irq)
{
        ((struct ide *)device)->channel[channel & 1].irq = irq;
}

static void ide_add(struct device *device, unsigned slot, const char *id, struct block *image, enum ata_kind kind)
{
        struct ata_drive *drive = ide_slot(device, slot);

        g_assert(device->created);
        ata_drive_attach(drive, kind, id, image);
}

void ide_add_disk(struct device *device, unsigned slot, const char *id, struct block *image)
{
        g_assert(image);
        ide_add(device, slot, id, image, ATA_DISK);
}

void ide_add_cd(struct device *device, unsigned slot, const char *id, struct block *image)
{
        ide_add(device, slot, id, image, ATA_CD);
}

bool ide_disk_geometry(struct device *device, unsigned slot, unsigned chs[3])
{
        const struct ata_drive *drive = ide_slot(device, slot);

        if (drive->kind != ATA_DISK)
                return false;
        ata_disk_geometry(drive, chs);
        return true;
}

static struct ata_drive *ide_find_cd(struct device *device, const char *id)
{
        for (unsigned slot = 0; slot < IDE_SLOTS; slot++) {
                struct ata_drive *drive = ide_slot(device, slot);

                if (drive->kind == ATA_CD && !strcmp(drive->id, id))
                        return drive;
        }
        return NULL;
}

static bool ide_cd_change(struct device *device, const char *id, struct block *image, bool force, GError **error)
{
        struct ata_drive *drive = ide_find_cd(device, id);

        if (drive)
                return ata_drive_change_medium(drive, image, force, error);
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "%s: no such CD drive", id);
        return false;
}

bool ide_cd_eject(struct device *device, const char *id, bool force, GError **error)
{
        return ide_cd_change(device, id, NULL, force, error);
}

bool ide_cd_insert(struct device *device, const char *id, struct block *image, bool force, GError **error)
{
        return ide_cd_change(device, id, image, force, error);
}

bool ide_has_cd(struct device *device, const char *id)
{
        return ide_find_cd(device, id) != NULL;
}

const char *ide_cd_path(struct device *device, const char *id)
{
        struct ata_drive *drive = ide_find_cd(device, id);

        return drive && drive->block ? block_path(drive->block) : NULL;
}

void ide_drain(struct device *device)
{
        for (unsigned slot = 0; slot < IDE_SLOTS; slot++)
                if (ide_slot(device, slot)->block)
                        block_drain(ide_slot(device, slot)->block);
}

/* -- Life ---------------------------------------------------------------------------------------- */

static void ide_reset(struct device *device)
{
        struct ide *ide = (struct ide *)device;

        pci_device_reset(&ide->pci);
        for (unsigned i = 0; i < 2; i++) {
                struct ide_channel *channel = &ide->channel[i];

                channel->control = channel->bm_command = channel->bm_status = 0;
                channel->bm_table = channel->prd_address = 0;
                bm_begin(channel);
                for (unsigned unit = 0; unit < 2; unit++) {
                        struct ata_drive *drive = &channel->drive[unit];

                        /* Fields a reset of the drive alone keeps. */
                        memset(drive->feature, 0, sizeof(drive->feature));
                        memset(drive->count, 0, sizeof(drive->count));
                        memset(drive->low, 0, sizeof(drive->low));
                        memset(drive->mid, 0, sizeof(drive->mid));
                        memset(drive->high, 0, sizeof(drive->high));
                        drive->command = 0;
                }
                channel_reset(channel, true);
        }
        ide_map(ide);
}

static bool ide_create(struct device *device, GError **error)
{
        static const char *const command_name[] = { "IDE primary", "IDE secondary" };
        static const char *const control_name[] = { "IDE primary control", "IDE secondary control" };
        struct ide *ide = (struct ide *)device;
        struct pci_device *pci = &ide->pci;

        (void)error;
        pci_identify(pci, 0x8086, 0x7010, 0x010180, 0);
        pci_put16(pci->writable, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
        pci_put16(pci->defaults, PCI_STATUS, 0x0280);
        memset(pci->writable + IDETIM, 0xff, 4);
        if (ide->decode)
                pci->defaults[IDETIM + 1] = pci->defaults[IDETIM + 3] = IDETIM_DECODE;
        pci->config_written = ide_config_written;
        for (unsigned i = 0; i < 2; i++) {
                struct ide_channel *channel = &ide->channel[i];

                channel->ide = ide;
                for (unsigned unit = 0; unit < 2; unit++) {
                        channel->drive[unit].host = &ide_host;
                        channel->drive[unit].host_opaque = channel;
                        channel->drive[unit].unit = (uint8_t)unit;
                }
                channel->command_ports = ports_map(device->env->ports, 0, 8, &command_block_ops, channel, command_name[i]);
                channel->control_port = ports_map(device->env->ports, 0, 1, &control_ops, channel, control_name[i]);
                ports_move(channel->command_ports, 0, false);
                ports_move(channel->control_port, 0, false);
        }
        ide->bm_ports = ports_map(device->env->ports, 0, BM_PORTS, &bm_ops, ide, "IDE bus master");
        pci_bar_ports(pci, 4, BM_PORTS, ide->bm_ports);
        return true;
}

static void ide_destroy(struct device *device)
{
        for (unsigned slot = 0; slot < IDE_SLOTS; slot++)
                ata_drive_destroy(ide_slot(device, slot));
}

static bool ide_post_load(struct device *device, GError **error)
{
        struct ide *ide = (struct ide *)device;

        for (unsigned i = 0; i < 2; i++) {
                struct ide_channel *channel = &ide->channel[i];

                if (!ata_drive_is_sane(&channel->drive[0]) || !ata_drive_is_sane(&channel->drive[1]) || channel->prd_left > 0x10000) {
                        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "ide: impossible state of a drive");
                        return false;
                }
                channel->bm_table &= ~3u;
                channel->bm_command &= BM_START | BM_TO_MEMORY;
                channel->bm_status &= BM_ACTIVE | BM_ERROR | BM_IRQ | BM_CAPABLE;
                channel->level = true;          /* no new edge: BM_IRQ was saved */
                ide_update(channel);
        }
        pci_device_restored(&ide->pci);
        ide_map(ide);
        return true;
}

static const struct device_class ide_class = {
        .name = "piix3_ide",
        .description = "82371SB IDE function with bus master",
        .size = sizeof(struct ide),
        .state = ide_fields,
        .properties = ide_properties,
        .create = ide_create,
        .reset = ide_reset,
        .post_load = ide_post_load,
        .destroy = ide_destroy,
};

DEVICE_CLASS(ide_class);
