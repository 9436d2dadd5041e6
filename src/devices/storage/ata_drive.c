/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ata_drive.c - what disks and CD drives have in common, whatever controller they hang on: their saved
 * state, work on the image in the background, phases of a command, resets, and the change of a medium.
 *
 * Work on the image has a buffer of its own, so that a guest that resets the drive meanwhile, or takes its
 * memory away, disturbs nothing; what a reset left behind is known by its generation and dropped.
 */
#include <string.h>

#include "base/log.h"
#include "devices/storage/ata_common.h"

const struct state_field ata_drive_fields[] = {
        STATE_U8(struct ata_drive, feature),
        STATE_U8(struct ata_drive, count),
        STATE_U8(struct ata_drive, low),
        STATE_U8(struct ata_drive, mid),
        STATE_U8(struct ata_drive, high),
        STATE_U8(struct ata_drive, select),
        STATE_U8(struct ata_drive, status),
        STATE_U8(struct ata_drive, error),
        STATE_U8(struct ata_drive, command),
        STATE_U8(struct ata_drive, phase),
        STATE_BOOL(struct ata_drive, dma),
        STATE_BOOL(struct ata_drive, irq),
        STATE_BOOL(struct ata_drive, lba48),
        STATE_U32(struct ata_drive, position),
        STATE_U32(struct ata_drive, end),
        STATE_U32(struct ata_drive, filled),
        STATE_U64(struct ata_drive, lba),
        STATE_U32(struct ata_drive, left),
        STATE_U8(struct ata_drive, multiple),
        STATE_U8(struct ata_drive, transfer_mode),
        STATE_BOOL(struct ata_drive, write_cache),
        STATE_U8(struct ata_drive, heads),
        STATE_U8(struct ata_drive, sectors),
        STATE_BYTES(struct ata_drive, packet),
        STATE_U32(struct ata_drive, byte_limit),
        STATE_U8(struct ata_drive, sense),
        STATE_U8(struct ata_drive, asc),
        STATE_U8(struct ata_drive, ascq),
        STATE_U8(struct ata_drive, media_event),
        STATE_BOOL(struct ata_drive, attention),
        STATE_BOOL(struct ata_drive, locked),
        STATE_BOOL(struct ata_drive, tray_open),
        STATE_BYTES(struct ata_drive, ncq_log),
        STATE_BYTES(struct ata_drive, buffer),
        STATE_SKIP(struct ata_drive, kind, "wiring"),
        STATE_SKIP(struct ata_drive, unit, "wiring"),
        STATE_SKIP(struct ata_drive, id, "identity"),
        STATE_SKIP(struct ata_drive, ops, "follows from kind"),
        STATE_SKIP(struct ata_drive, host, "wiring"),
        STATE_SKIP(struct ata_drive, host_opaque, "wiring"),
        STATE_SKIP(struct ata_drive, sata, "wiring"),
        STATE_SKIP(struct ata_drive, block, "host side, connected by the machine"),
        STATE_SKIP(struct ata_drive, generation, "of work that a save lets end"),
        STATE_SKIP(struct ata_drive, complained, "about this host"),
        STATE_END
};

void ata_signature(struct ata_drive *drive)
{
        bool cd = drive->kind == ATA_CD;

        drive->count[0] = drive->low[0] = 1;
        drive->mid[0] = cd ? 0x14 : 0;
        drive->high[0] = cd ? 0xeb : 0;
        drive->select &= ATA_DEVICE_1;
}

/* -- A drive's work on its image ----------------------------------------------------------------- */

struct ata_work {
        struct ata_drive *drive;
        uint32_t generation;
        bool read;
        uint32_t size;
        uint8_t bytes[];
};

void ata_drive_complain(struct ata_drive *drive, int error)
{
        if (drive->complained)
                return;
        drive->complained = true;
        log_warning("%s: %s: %s; the guest is told of an error", drive->id,
                    drive->block ? block_path(drive->block) : "no medium", g_strerror(error));
}

static void ata_worked(void *opaque, int error)
{
        struct ata_work *work = opaque;
        struct ata_drive *drive = work->drive;

        if (work->generation == drive->generation) {
                drive->generation++;
                drive->phase = ATA_IDLE;
                if (error)
                        ata_drive_complain(drive, error);
                if (work->read && !error)
                        memcpy(drive->buffer, work->bytes, work->size);
                drive->ops->io_done(drive, error);
        }
        g_free(work);
}

static struct ata_work *ata_work_new(struct ata_drive *drive, bool read, uint32_t size)
{
        struct ata_work *work = g_malloc(sizeof(*work) + size);

        g_assert(size <= ATA_BUFFER_BYTES && drive->block);
        *work = (struct ata_work){ .drive = drive, .generation = drive->generation, .read = read, .size = size };
        drive->phase = ATA_WORKING;
        drive->status = (uint8_t)((drive->status & ~(ATA_DRQ | ATA_ERR)) | ATA_BSY);
        return work;
}

void ata_read(struct ata_drive *drive, uint64_t offset, uint32_t size)
{
        struct ata_work *work = ata_work_new(drive, true, size);

        drive->filled = size;
        block_read(drive->block, offset, work->bytes, size, ata_worked, work);
}

void ata_write(struct ata_drive *drive, uint64_t offset, uint32_t size)
{
        struct ata_work *work = ata_work_new(drive, false, size);

        memcpy(work->bytes, drive->buffer, size);
        block_write(drive->block, offset, work->bytes, size, ata_worked, work);
}

void ata_flush(struct ata_drive *drive)
{
        block_flush(drive->block, ata_worked, ata_work_new(drive, false, 0));
}

void ata_discard(struct ata_drive *drive, uint64_t offset, uint64_t size)
{
        block_discard(drive->block, offset, size, ata_worked, ata_work_new(drive, false, 0));
}

/* -- Moving data and ending commands ------------------------------------------------------------- */

static void data_begin(struct ata_drive *drive, uint32_t from, uint32_t to, enum ata_phase phase)
{
        drive->position = from;
        drive->end = to;
        drive->phase = phase;
        drive->status = (uint8_t)((drive->status & ~(ATA_BSY | ATA_ERR)) | ATA_DRQ | ATA_DRDY);
}

void ata_data_in(struct ata_drive *drive, uint32_t from, uint32_t to)
{
        g_assert(from < to && to <= ATA_BUFFER_BYTES);
        data_begin(drive, from, to, drive->dma ? ATA_DMA_IN : ATA_PIO_IN);
        drive->host->data(drive, true);
}

void ata_data_out(struct ata_drive *drive, uint32_t size, bool interrupt)
{
        g_assert(size && size <= ATA_BUFFER_BYTES);
        drive->filled = size;
        data_begin(drive, 0, size, drive->dma ? ATA_DMA_OUT : ATA_PIO_OUT);
        drive->host->data(drive, interrupt);
}

void ata_end(struct ata_drive *drive)
{
        drive->phase = ATA_IDLE;
        drive->dma = false;
        drive->error = 0;
        drive->status = ATA_DRDY | (drive->kind == ATA_DISK ? ATA_DSC : 0);
        drive->host->ended(drive);
}

void ata_fail(struct ata_drive *drive, uint8_t error)
{
        drive->phase = ATA_IDLE;
        drive->dma = false;
        drive->error = error;
        drive->status = ATA_DRDY | ATA_ERR | (drive->kind == ATA_DISK ? ATA_DSC : 0);
        drive->host->ended(drive);
}

/* ATA/ATAPI-6, 9.2 and 9.3. */
void ata_drive_reset(struct ata_drive *drive, bool hard)
{
        drive->generation++;
        drive->phase = ATA_IDLE;
        drive->dma = drive->irq = drive->lba48 = false;
        drive->position = drive->end = drive->filled = 0;
        drive->left = 0;
        drive->error = 1;               /* diagnostic code: no error */
        drive->status = drive->kind == ATA_DISK ? ATA_DRDY | ATA_DSC : 0;
        if (drive->kind == ATA_NONE)
                return;
        drive->ops->reset(drive, hard);
        ata_signature(drive);
}

/* -- Commands ------------------------------------------------------------------------------------ */

void ata_drive_command(struct ata_drive *drive, uint8_t command)
{
        drive->phase = ATA_IDLE;
        drive->dma = drive->lba48 = false;
        drive->command = command;
        drive->error = 0;
        drive->status = ATA_DRDY | (drive->kind == ATA_DISK ? ATA_DSC : 0);
        TRACE(IO, "%s command %02x count %02x lba %02x%02x%02x device %02x", drive->id, command, drive->count[0],
              drive->high[0], drive->mid[0], drive->low[0], drive->select);
        drive->ops->command(drive, command);
}

/* -- Life ---------------------------------------------------------------------------------------- */

void ata_drive_attach(struct ata_drive *drive, enum ata_kind kind, const char *id, struct block *image)
{
        g_assert(drive->kind == ATA_NONE && (image || kind == ATA_CD));
        drive->kind = (uint8_t)kind;
        drive->id = g_strdup(id);
        drive->block = image;
        drive->ops = kind == ATA_CD ? &atapi_cd_ops : &ata_disk_ops;
        ata_drive_reset(drive, true);
}

bool ata_drive_change_medium(struct ata_drive *drive, struct block *image, bool force, GError **error)
{
        if (drive->locked && drive->block && !force) {
                drive->media_event = 1;
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_ACCES,
                            "%s: the guest has locked the tray and was asked to let go; try again, or use force", drive->id);
                return false;
        }
        if (drive->block) {
                block_drain(drive->block);
                block_close(drive->block);
        }
        drive->block = image;
        drive->tray_open = !image;
        drive->locked = drive->locked && image && !force;
        drive->attention = true;
        drive->complained = false;
        drive->media_event = image ? 2 : 3;
        return true;
}

void ata_drive_destroy(struct ata_drive *drive)
{
        drive->generation++;                    /* what still completes is dropped */
        if (drive->block) {
                block_drain(drive->block);
                block_close(drive->block);
        }
        g_free(drive->id);
}

bool ata_drive_is_sane(const struct ata_drive *drive)
{
        bool data = drive->phase >= ATA_PIO_IN && drive->phase < ATA_PHASES;

        if (drive->phase == ATA_WORKING || drive->phase >= ATA_PHASES || (data && drive->kind == ATA_NONE))
                return false;
        if (drive->filled > ATA_BUFFER_BYTES || drive->end > ATA_BUFFER_BYTES || drive->position > drive->end)
                return false;
        /* Between commands the last block's bounds stay behind. */
        if (data && (drive->end > drive->filled || drive->position == drive->end))
                return false;
        if ((drive->phase == ATA_DMA_IN || drive->phase == ATA_DMA_OUT) && !drive->dma)
                return false;
        if (drive->kind == ATA_DISK && (!drive->heads || drive->heads > 16 || !drive->sectors))
                return false;
        if (drive->kind == ATA_CD && (drive->byte_limit < 2 || drive->byte_limit & 1))
                return false;
        return drive->multiple <= ATA_MULTIPLE_MAX && !(drive->multiple & (drive->multiple - 1)) &&
               drive->media_event <= 3 && drive->left <= 65536 * 2 && drive->lba < UINT64_C(1) << 48;
}
