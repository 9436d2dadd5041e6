/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahci_command.c - commands of an AHCI port: lists and tables in guest memory (AHCI 1.3, 4.2), FISes in both
 * directions (SATA 3.0, 10.3), data through PRD tables, and native command queuing.
 *
 * An unqueued command goes to the drive (ata_disk.c, atapi_cd.c) one at a time, as on an IDE channel, and data
 * moves at once whenever the drive is ready for it.  Queued reads and writes go straight to the image, side by
 * side, and complete in any order.
 *
 * ahci_port_work() is the one loop that does things; what is called from within it (a drive that is ready for
 * more, or has ended a command) only changes state and lets the loop see it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "devices/storage/ahci_common.h"

/* Command header: first word. */
enum { HEADER_BYTES = 32, HEADER_COUNT_AT = 4 };
/* Command table. */
enum { TABLE_PACKET = 0x40, TABLE_PRDS = 0x80, PRD_BYTES = 16 };
#define PRD_COUNT_MASK 0x3fffffu
/* FISes, and where they go in the received FIS area. */
enum { FIS_FROM_HOST = 0x27, FIS_TO_HOST = 0x34, FIS_SET_BITS = 0xa1, FIS_PIO_SETUP = 0x5f };
enum { FIS_AREA_PIO = 0x20, FIS_AREA_REGISTER = 0x40, FIS_AREA_SET_BITS = 0x58 };
enum { FIS_COMMAND = 0x80, FIS_INTERRUPT = 0x40, FIS_DATA_IN = 0x20, FIS_BYTES = 20, FIS_SET_BITS_BYTES = 8 };
enum { CONTROL_SRST = 1 << 2 };
enum { CMD_DEVICE_RESET = 0x08, CMD_READ_QUEUED = 0x60, CMD_WRITE_QUEUED = 0x61, CMD_DIAGNOSTIC = 0x90, CMD_PACKET = 0xa0 };
enum { QUEUED_FUA = 0x80 };
/* What a port's queued commands hold in buffers at once, and how those are aligned. */
enum { HELD_MAX = 64 << 20, PAGE_ALIGN = 4096 };

/* -- FISes to the guest -------------------------------------------------------------------------- */

static void fis_write(struct ahci_port *port, unsigned at, const uint8_t *fis, unsigned size)
{
        gpa_t area = port->fb | (gpa_t)port->fbu << 32;

        if (port->cmd & AHCI_CMD_FRE)
                pci_dma_write(&port->ahci->pci, area + at, fis, size);
}

/* The drive's registers, as register and PIO setup FISes have them. */
static void fis_fill(const struct ahci_port *port, uint8_t *fis, uint8_t type, bool interrupt)
{
        const struct ata_drive *drive = &port->drive;

        memset(fis, 0, FIS_BYTES);
        fis[0] = type;
        fis[1] = interrupt ? FIS_INTERRUPT : 0;
        fis[2] = (uint8_t)port->tfd;
        fis[3] = (uint8_t)(port->tfd >> 8);
        fis[4] = drive->low[0];
        fis[5] = drive->mid[0];
        fis[6] = drive->high[0];
        fis[7] = drive->select;
        fis[8] = drive->low[1];
        fis[9] = drive->mid[1];
        fis[10] = drive->high[1];
        fis[12] = drive->count[0];
        fis[13] = drive->count[1];
}

static void send_registers(struct ahci_port *port, bool interrupt)
{
        uint8_t fis[FIS_BYTES];

        fis_fill(port, fis, FIS_TO_HOST, interrupt);
        fis_write(port, FIS_AREA_REGISTER, fis, sizeof(fis));
        if (interrupt)
                ahci_port_interrupt(port, AHCI_IS_DHRS);
}

static void send_pio_setup(struct ahci_port *port)
{
        uint8_t fis[FIS_BYTES];

        fis_fill(port, fis, FIS_PIO_SETUP, true);
        fis[1] |= FIS_DATA_IN;
        fis[15] = (uint8_t)port->tfd;           /* the status after the data */
        fis[16] = (uint8_t)port->moved;
        fis[17] = (uint8_t)(port->moved >> 8);
        fis_write(port, FIS_AREA_PIO, fis, sizeof(fis));
        ahci_port_interrupt(port, AHCI_IS_PSS);
}

static void send_set_bits(struct ahci_port *port, uint32_t done)
{
        uint8_t fis[FIS_SET_BITS_BYTES] = { FIS_SET_BITS, FIS_INTERRUPT, (uint8_t)(port->tfd & 0x77), (uint8_t)(port->tfd >> 8) };

        pci_put32(fis, 4, done);
        fis_write(port, FIS_AREA_SET_BITS, fis, sizeof(fis));
}

static void take_status(struct ahci_port *port)
{
        port->tfd = port->drive.status | (uint32_t)port->drive.error << 8;
}

void ahci_port_send_signature(struct ahci_port *port)
{
        const struct ata_drive *drive = &port->drive;

        if (drive->kind == ATA_NONE)
                return;
        take_status(port);
        port->sig = drive->count[0] | (uint32_t)drive->low[0] << 8 | (uint32_t)drive->mid[0] << 16 | (uint32_t)drive->high[0] << 24;
        send_registers(port, false);
}

/* -- Data ---------------------------------------------------------------------------------------- */

/* A walk over a PRD table. */
struct prds {
        gpa_t table;
        uint32_t count, at, offset;
};

enum prd_result { PRD_OK, PRD_FULL, PRD_FAULT };

static enum prd_result prds_copy(struct ahci_port *port, struct prds *prds, uint8_t *bytes, uint32_t size, bool to_guest)
{
        struct pci_device *pci = &port->ahci->pci;

        while (size) {
                uint8_t entry[PRD_BYTES];
                uint32_t length, n;
                gpa_t address;

                if (prds->at >= prds->count)
                        return PRD_FULL;
                if (!pci_dma_read(pci, prds->table + TABLE_PRDS + (gpa_t)prds->at * PRD_BYTES, entry, sizeof(entry)))
                        return PRD_FAULT;
                address = (pci_get32(entry, 0) & ~1u) | (gpa_t)pci_get32(entry, 4) << 32;
                length = ((pci_get32(entry, 12) & PRD_COUNT_MASK) | 1) + 1;     /* even; the field is one less */
                if (prds->offset >= length) {           /* the guest made it shorter meanwhile */
                        prds->at++;
                        prds->offset = 0;
                        continue;
                }
                n = MIN(size, length - prds->offset);
                if (to_guest ? !pci_dma_write(pci, address + prds->offset, bytes, n)
                             : !pci_dma_read(pci, address + prds->offset, bytes, n))
                        return PRD_FAULT;
                bytes += n;
                size -= n;
                prds->offset += n;
                if (prds->offset == length) {
                        prds->at++;
                        prds->offset = 0;
                }
        }
        return PRD_OK;
}

/* Nothing answers on the bus: the port stops until the guest clears ST (AHCI 1.3, 6.2.1). */
static void port_fault(struct ahci_port *port)
{
        guest_error(port->ahci->pci.device.id, "port %u: no memory at a table or at data", port->number);
        ahci_port_abort(port);
        port->stopped = true;
        ahci_port_interrupt(port, AHCI_IS_HBFS);
}

static bool is_data_phase(const struct ata_drive *drive)
{
        return drive->phase >= ATA_PIO_IN && drive->phase < ATA_PHASES;
}

/* Moves what the drive has ready, or wants. */
static void move_data(struct ahci_port *port)
{
        struct ata_drive *drive = &port->drive;
        struct prds prds = { port->table, port->prds, port->prd, port->prd_offset };
        bool to_guest = drive->phase == ATA_PIO_IN || drive->phase == ATA_DMA_IN;
        uint32_t size = drive->end - drive->position;
        enum prd_result result;

        if (!to_guest && port->packet_due) {
                port->packet_due = false;
                result = pci_dma_read(&port->ahci->pci, port->table + TABLE_PACKET, drive->buffer + drive->position,
                                      MIN(size, ATA_PACKET_BYTES)) ? PRD_OK : PRD_FAULT;
        } else {
                result = prds_copy(port, &prds, drive->buffer + drive->position, size, to_guest);
                port->prd = prds.at;
                port->prd_offset = prds.offset;
                port->moved += size;
        }
        if (result == PRD_FAULT) {
                port_fault(port);
                return;
        }
        if (result == PRD_FULL)                 /* the rest is lost, the command goes on */
                ahci_port_interrupt(port, AHCI_IS_OFS);
        drive->position = drive->end;
        drive->ops->moved(drive);
}

/* -- Ends of unqueued commands ------------------------------------------------------------------- */

static void put_count(struct ahci_port *port)
{
        uint8_t bytes[4];

        pci_put32(bytes, 0, port->moved);
        pci_dma_write(&port->ahci->pci, port->header + HEADER_COUNT_AT, bytes, sizeof(bytes));
}

static void command_done(struct ahci_port *port)
{
        put_count(port);
        take_status(port);
        if (!(port->tfd & ATA_ERR))
                port->ci &= ~(1u << port->current);
        else
                port->stopped = true;           /* the slot stays marked, for the guest to see which it was (6.2.2.1) */
        port->current = AHCI_NO_SLOT;
}

static void host_ended(struct ata_drive *drive)
{
        struct ahci_port *port = drive->host_opaque;

        if (port->current == AHCI_NO_SLOT)
                return;
        command_done(port);
        send_registers(port, true);
        if (port->stopped)
                ahci_port_interrupt(port, AHCI_IS_TFES);
        ahci_port_work(port);
}

static void host_data(struct ata_drive *drive, bool interrupt)
{
        (void)interrupt;                        /* comes with the end of the command */
        ahci_port_work(drive->host_opaque);
}

const struct ata_host ahci_host = { .data = host_data, .ended = host_ended };

/* -- Queued commands (SATA 3.0, 13.6) ------------------------------------------------------------- */

struct queued {
        struct ahci_port *port;
        uint32_t generation;
        uint8_t slot;
        bool write;
        uint64_t lba;
        uint32_t count;                 /* sectors */
        uint32_t size;
        struct prds prds;
        uint8_t *bytes;
};

static void queued_free(struct queued *queued)
{
        queued->port->held_bytes -= queued->size;
        free(queued->bytes);
        g_free(queued);
}

/* A queued command has failed: all of them are off, and log page 10h says which one it was. */
static void queued_fail(struct ahci_port *port, const struct queued *queued, uint8_t error)
{
        struct ata_drive *drive = &port->drive;
        uint8_t *log = drive->ncq_log;

        drive->status = ATA_DRDY | ATA_DSC | ATA_ERR;
        drive->error = error;
        memset(log, 0, ATA_NCQ_LOG_BYTES);
        log[0] = queued->slot;
        log[2] = drive->status;
        log[3] = error;
        for (unsigned i = 0; i < 3; i++) {
                log[4 + i] = (uint8_t)(queued->lba >> 8 * i);
                log[8 + i] = (uint8_t)(queued->lba >> 8 * (i + 3));
        }
        log[7] = ATA_DEVICE_LBA;
        log[12] = (uint8_t)queued->count;
        log[13] = (uint8_t)(queued->count >> 8);
        port->generation++;
        port->queued = 0;
        port->stopped = true;
        take_status(port);
        send_set_bits(port, 0);
        ahci_port_interrupt(port, AHCI_IS_TFES | AHCI_IS_SDBS);
}

static void queued_done(void *opaque, int error)
{
        struct queued *queued = opaque;
        struct ahci_port *port = queued->port;

        if (queued->generation == port->generation) {
                enum prd_result result = PRD_OK;

                port->queued &= ~(1u << queued->slot);
                if (error) {
                        ata_drive_complain(&port->drive, error);
                        queued_fail(port, queued, queued->write ? ATA_ABRT : ATA_UNC);
                } else {
                        if (!queued->write)
                                result = prds_copy(port, &queued->prds, queued->bytes, queued->size, true);
                        if (result == PRD_FAULT) {
                                port_fault(port);
                        } else {
                                port->sact &= ~(1u << queued->slot);
                                send_set_bits(port, 1u << queued->slot);
                                ahci_port_interrupt(port, AHCI_IS_SDBS | (result == PRD_FULL ? AHCI_IS_OFS : 0));
                        }
                }
        }
        queued_free(queued);
        ahci_port_work(port);
}

/* False: it has to wait. */
static bool queued_begin(struct ahci_port *port, uint8_t slot, const uint8_t *fis, const struct prds *prds)
{
        struct ata_drive *drive = &port->drive;
        uint64_t sectors = block_size_bytes(drive->block) / ATA_SECTOR_BYTES;
        struct queued *queued;
        struct iovec iov;
        uint32_t count = fis[3] | (uint32_t)fis[11] << 8;
        bool write = fis[2] == CMD_WRITE_QUEUED;

        if (!count)
                count = 65536;
        if (port->held_bytes && port->held_bytes + count * ATA_SECTOR_BYTES > HELD_MAX)
                return false;
        queued = g_new0(struct queued, 1);
        *queued = (struct queued){ .port = port, .generation = port->generation, .slot = slot, .write = write, .count = count,
                                   .prds = *prds };
        for (unsigned i = 0; i < 3; i++)
                queued->lba |= (uint64_t)fis[4 + i] << 8 * i | (uint64_t)fis[8 + i] << 8 * (i + 3);
        /* The drive takes it: its slot is free for the next, SACT says that it is not done. */
        port->ci &= ~(1u << slot);
        drive->status = ATA_DRDY | ATA_DSC;
        drive->error = 0;
        take_status(port);
        send_registers(port, false);
        if (fis[12] >> 3 != slot || !(port->sact >> slot & 1) || queued->lba >= sectors || count > sectors - queued->lba ||
            (write && block_is_read_only(drive->block))) {
                queued_fail(port, queued, queued->lba >= sectors || count > sectors - queued->lba ? ATA_IDNF : ATA_ABRT);
                g_free(queued);
                return true;
        }
        if (posix_memalign((void **)&queued->bytes, PAGE_ALIGN, count * ATA_SECTOR_BYTES))
                g_error("out of memory for a transfer of %u sectors", count);
        queued->size = count * ATA_SECTOR_BYTES;
        port->held_bytes += queued->size;
        port->queued |= 1u << slot;
        if (!write) {
                block_read(drive->block, queued->lba * ATA_SECTOR_BYTES, queued->bytes, queued->size, queued_done, queued);
                return true;
        }
        switch (prds_copy(port, &queued->prds, queued->bytes, queued->size, false)) {
        case PRD_OK:
                break;
        case PRD_FULL:                          /* less data than promised: nothing is written */
                queued_fail(port, queued, ATA_ABRT);
                queued_free(queued);
                return true;
        case PRD_FAULT:
                port_fault(port);
                queued_free(queued);
                return true;
        }
        iov = (struct iovec){ queued->bytes, queued->size };
        block_writev(drive->block, queued->lba * ATA_SECTOR_BYTES, &iov, 1,
                     (fis[7] & QUEUED_FUA) || !drive->write_cache ? BLOCK_FUA : 0, queued_done, queued);
        return true;
}

/* -- Beginning commands --------------------------------------------------------------------------- */

/* A FIS that writes the control register: software reset, in two steps (SATA 3.0, 11.4). */
static void control_written(struct ahci_port *port, uint8_t slot, uint8_t control)
{
        port->ci &= ~(1u << slot);
        if (control & CONTROL_SRST) {
                port->soft_reset = true;
        } else if (port->soft_reset) {
                port->soft_reset = false;
                ata_drive_reset(&port->drive, false);
                ahci_port_send_signature(port);
        }
}

static void command_begin(struct ahci_port *port, uint8_t slot, const uint8_t *fis)
{
        struct ata_drive *drive = &port->drive;
        uint8_t *const file[] = { drive->feature, drive->count, drive->low, drive->mid, drive->high };
        static const uint8_t low[] = { 3, 12, 4, 5, 6 }, high[] = { 11, 13, 8, 9, 10 };

        for (unsigned i = 0; i < G_N_ELEMENTS(file); i++) {
                file[i][0] = fis[low[i]];
                file[i][1] = fis[high[i]];
        }
        drive->select = fis[7];
        port->current = slot;
        port->packet_due = fis[2] == CMD_PACKET;
        port->tfd = ATA_BSY;
        if (fis[2] == CMD_DIAGNOSTIC || (fis[2] == CMD_DEVICE_RESET && drive->kind == ATA_CD)) {
                ata_drive_reset(drive, false);
                host_ended(drive);
        } else {
                ata_drive_command(drive, fis[2]);
        }
}

/* Takes the command in a slot; false: it has to wait. */
static bool slot_begin(struct ahci_port *port, uint8_t slot)
{
        struct pci_device *pci = &port->ahci->pci;
        gpa_t list = port->clb | (gpa_t)port->clbu << 32;
        uint8_t header[HEADER_BYTES], fis[FIS_BYTES];
        struct prds prds = { 0 };

        port->header = list + (gpa_t)slot * HEADER_BYTES;
        if (!pci_dma_read(pci, port->header, header, sizeof(header))) {
                port_fault(port);
                return true;
        }
        prds.table = (pci_get32(header, 8) & ~0x7fu) | (gpa_t)pci_get32(header, 12) << 32;
        prds.count = pci_get16(header, 2);
        if (!pci_dma_read(pci, prds.table, fis, sizeof(fis)) || fis[0] != FIS_FROM_HOST) {
                port_fault(port);
                return true;
        }
        if (!(fis[1] & FIS_COMMAND)) {
                control_written(port, slot, fis[15]);
                return true;
        }
        if (port->drive.kind == ATA_DISK && (fis[2] == CMD_READ_QUEUED || fis[2] == CMD_WRITE_QUEUED)) {
                if (!queued_begin(port, slot, fis, &prds))
                        return false;
                port->last_slot = slot;
                return true;
        }
        if (port->queued)                       /* not to be mixed; the others end first */
                return false;
        port->last_slot = slot;
        port->table = prds.table;
        port->prds = prds.count;
        port->prd = port->prd_offset = port->moved = 0;
        command_begin(port, slot, fis);
        return true;
}

/* The next slot with a command, after the one begun last. */
static uint8_t next_slot(const struct ahci_port *port)
{
        for (unsigned i = 1; i <= AHCI_SLOTS; i++)
                if (port->ci >> (port->last_slot + i) % AHCI_SLOTS & 1)
                        return (uint8_t)((port->last_slot + i) % AHCI_SLOTS);
        return AHCI_NO_SLOT;
}

void ahci_port_work(struct ahci_port *port)
{
        struct ata_drive *drive = &port->drive;

        if (port->busy)
                return;
        port->busy = true;
        for (;;) {
                if (port->current != AHCI_NO_SLOT) {
                        if (!is_data_phase(drive))
                                break;          /* it works on its image */
                        move_data(port);
                        /* PIO commands end with their data, without a word. */
                        if (port->current != AHCI_NO_SLOT && drive->phase == ATA_IDLE) {
                                command_done(port);
                                send_pio_setup(port);
                        }
                } else {
                        uint8_t slot = next_slot(port);

                        if (slot == AHCI_NO_SLOT || !(port->cmd & AHCI_CMD_ST) || port->stopped || drive->kind == ATA_NONE ||
                            !pci_is_master(&port->ahci->pci) || !slot_begin(port, slot))
                                break;
                }
        }
        port->busy = false;
}

void ahci_port_abort(struct ahci_port *port)
{
        struct ata_drive *drive = &port->drive;

        port->generation++;
        port->queued = 0;
        if (port->current == AHCI_NO_SLOT)
                return;
        port->current = AHCI_NO_SLOT;
        drive->generation++;                    /* what it does to its image is dropped */
        drive->phase = ATA_IDLE;
        drive->status = ATA_DRDY | (drive->kind == ATA_DISK ? ATA_DSC : 0);
        take_status(port);
}
