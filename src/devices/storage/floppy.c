/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floppy.c - the 82077AA floppy controller with two drives.
 *
 * Datasheet: Intel 82077AA (290166), AT mode.  A command has three phases: its bytes are written to
 * the FIFO (COMMAND), data moves (EXECUTION) by DMA or byte by byte, result bytes are read (RESULT).
 * Sectors move between image and buffer up to a track side at a time; the image works in the
 * background.  Seeks take no time.  Sectors have 512 bytes, as all PC formats have; other sizes are not found.
 *
 * Saving: with the vCPUs paused, floppy_drain() lets work on the image end; what is left is a wait for
 * the guest, and the next step follows from saved fields.
 *
 * Not modelled: scan commands, deleted data marks (read as normal data), double-stepping, the precise
 * timing that copy protections measure.
 */
#include <string.h>

#include "base/log.h"
#include "devices/storage/floppy.h"

enum { BASE = 0x3f0, REG_DOR = 2, REG_TDR = 3, REG_MSR = 4, REG_FIFO = 5, REG_DIR = 7 };
enum { DOR_DRIVE = 3, DOR_RESET_N = 1 << 2, DOR_DMA = 1 << 3, DOR_MOTOR = 1 << 4 };
enum { MSR_CB = 1 << 4, MSR_NDM = 1 << 5, MSR_DIO = 1 << 6, MSR_RQM = 1 << 7 };
enum { DSR_RESET = 1 << 7, DIR_CHANGED = 1 << 7 };
enum { ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_READY_CHANGED = 0xc0, ST0_SEEK_END = 0x20, ST0_EC = 0x10, ST0_HEAD = 0x04 };
enum { ST1_MA = 1 << 0, ST1_NW = 1 << 1, ST1_ND = 1 << 2, ST1_OR = 1 << 4, ST1_DE = 1 << 5, ST1_EN = 1 << 7 };
enum { ST2_WC = 1 << 4, ST3_WP = 1 << 6, ST3_RDY = 1 << 5, ST3_TRACK_0 = 1 << 4, ST3_TWO_SIDES = 1 << 3 };
enum {
        CMD_READ_TRACK = 0x02, CMD_SPECIFY = 0x03, CMD_SENSE_DRIVE = 0x04, CMD_WRITE = 0x05, CMD_READ = 0x06,
        CMD_RECALIBRATE = 0x07, CMD_SENSE_INTERRUPT = 0x08, CMD_WRITE_DELETED = 0x09, CMD_READ_ID = 0x0a,
        CMD_READ_DELETED = 0x0c, CMD_FORMAT = 0x0d, CMD_DUMPREG = 0x0e, CMD_SEEK = 0x0f, CMD_VERSION = 0x10,
        CMD_PERPENDICULAR = 0x12, CMD_CONFIGURE = 0x13, CMD_LOCK = 0x14, CMD_VERIFY = 0x16, CMD_MASK = 0x1f,
};
enum {
        COMMAND_MT = 0x80, CONFIGURE_IMPLIED_SEEK = 0x40, CONFIGURE_DEFAULT = 0x20, VERSION_82077 = 0x90, RELATIVE_SEEK = 0x80,
        PERPENDICULAR_OW = 0x80,
};
enum { SECTOR = 512, SIZE_CODE = 2, SECTORS_MAX = 63, CYLINDERS_MAX = 255, FIFO_BYTES = 16, ID_BYTES = 4 };

enum phase { PHASE_COMMAND, PHASE_RESULT, PHASE_WORKING /* on an image; never saved */, PHASE_PIO_IN, PHASE_PIO_OUT, PHASES };

struct floppy_drive {
        /* Saved. */
        uint8_t cylinder;               /* where the head is */
        bool changed;                   /* the disk-change line: set by a change, cleared by a seek */
        /* Host. */
        struct floppy_shape shape;
        struct block *block;            /* NULL: empty */
};

struct floppy {
        struct device device;
        struct floppy_drive drive[FLOPPY_DRIVES];
        uint8_t dor;                    /* R/W, reset 0 */
        uint8_t tdr;                    /* R/W bits 0-1 */
        uint8_t rate;                   /* data rate: CCR, DSR bits 0-1 */
        uint8_t phase;                  /* enum phase */
        uint8_t fifo[FIFO_BYTES];       /* command or result bytes */
        uint8_t fifo_size, fifo_position;
        uint8_t specify[2], configure[2], perpendicular;
        bool lock;
        bool irq;
        uint8_t senses;                 /* drives that SENSE INTERRUPT has still to report after a reset */
        uint8_t seek_end[FLOPPY_DRIVES + 2];    /* ST0 of a finished seek, 0: none */
        /* The command that moves data. */
        uint8_t c, h, r, eot;           /* sector, and the last one of a track */
        uint8_t unit;                   /* drive */
        uint8_t verify_left;            /* sectors VERIFY has still to look at */
        bool terminal;                  /* TC has come */
        uint32_t position, filled;      /* of buffer */
        uint8_t buffer[SECTORS_MAX * SECTOR];
        /* Wiring and host. */
        struct irq wire;
        struct isa_dma dma;
        uint32_t generation;            /* of the work on an image: what a reset leaves behind is dropped */
        bool complained;
};

static const struct state_field drive_fields[] = {
        STATE_U8(struct floppy_drive, cylinder),
        STATE_BOOL(struct floppy_drive, changed),
        STATE_SKIP(struct floppy_drive, shape, "of the image"),
        STATE_SKIP(struct floppy_drive, block, "host side, connected by the machine"),
        STATE_END
};

static const struct state_field floppy_fields[] = {
        STATE_ARRAY(struct floppy, drive, FLOPPY_DRIVES, drive_fields),
        STATE_U8(struct floppy, dor),
        STATE_U8(struct floppy, tdr),
        STATE_U8(struct floppy, rate),
        STATE_U8(struct floppy, phase),
        STATE_BYTES(struct floppy, fifo),
        STATE_U8(struct floppy, fifo_size),
        STATE_U8(struct floppy, fifo_position),
        STATE_U8(struct floppy, specify),
        STATE_U8(struct floppy, configure),
        STATE_U8(struct floppy, perpendicular),
        STATE_BOOL(struct floppy, lock),
        STATE_BOOL(struct floppy, irq),
        STATE_U8(struct floppy, senses),
        STATE_U8(struct floppy, seek_end),
        STATE_U8(struct floppy, c),
        STATE_U8(struct floppy, h),
        STATE_U8(struct floppy, r),
        STATE_U8(struct floppy, eot),
        STATE_U8(struct floppy, unit),
        STATE_U8(struct floppy, verify_left),
        STATE_BOOL(struct floppy, terminal),
        STATE_U32(struct floppy, position),
        STATE_U32(struct floppy, filled),
        STATE_BYTES(struct floppy, buffer),
        STATE_SKIP(struct floppy, wire, "wire, connected by the machine"),
        STATE_SKIP(struct floppy, dma, "wire, connected by the machine"),
        STATE_SKIP(struct floppy, generation, "of work that a save lets end"),
        STATE_SKIP(struct floppy, complained, "about this host"),
        STATE_END
};

/* -- Pure helpers -------------------------------------------------------------------------------- */

/* The only place that touches the interrupt line; DOR bit 3 gates it. */
static void floppy_update(struct floppy *floppy)
{
        irq_set(&floppy->wire, floppy->irq && (floppy->dor & DOR_DMA));
}

static void floppy_interrupt(struct floppy *floppy)
{
        floppy->irq = true;
        floppy_update(floppy);
}

/* NULL: not there, or empty. */
static struct floppy_drive *loaded(struct floppy *floppy, unsigned unit)
{
        return unit < FLOPPY_DRIVES && floppy->drive[unit].block ? &floppy->drive[unit] : NULL;
}

/* The rate at which a disk was written (82077AA table 2-4): 500, 300, 250 kbit/s or 1 Mbit/s. */
static bool rate_fits(const struct floppy_drive *drive, uint8_t rate)
{
        if (drive->shape.sectors >= 30)
                return rate == 3;
        if (drive->shape.sectors > 11)
                return rate == 0;
        return rate == 2 || rate == 1;
}

static uint8_t kind_of(const struct floppy *floppy)
{
        return floppy->fifo[0] & CMD_MASK;
}

static bool is_write(uint8_t kind)
{
        return kind == CMD_WRITE || kind == CMD_WRITE_DELETED || kind == CMD_FORMAT;
}

static bool by_dma(const struct floppy *floppy)
{
        return !(floppy->specify[1] & 1);       /* ND */
}

/* -- Ends ---------------------------------------------------------------------------------------- */

static void floppy_ready(struct floppy *floppy)
{
        floppy->phase = PHASE_COMMAND;
        floppy->fifo_size = floppy->fifo_position = 0;
}

static void floppy_result(struct floppy *floppy, const uint8_t *bytes, uint8_t size)
{
        memcpy(floppy->fifo, bytes, size);
        floppy->fifo_size = size;
        floppy->fifo_position = 0;
        floppy->phase = PHASE_RESULT;
}

/* The seven result bytes of a command that moved data, with its interrupt. */
static void floppy_end(struct floppy *floppy, uint8_t st0, uint8_t st1, uint8_t st2)
{
        uint8_t bytes[7] = { (uint8_t)(st0 | (floppy->h & 1 ? ST0_HEAD : 0) | floppy->unit), st1, st2,
                             floppy->c, floppy->h, floppy->r, SIZE_CODE };

        floppy_result(floppy, bytes, sizeof(bytes));
        floppy_interrupt(floppy);
}

/* The sector after the present one, as the result phase tells it (82077AA table 5-6). */
static void next_sector(struct floppy *floppy)
{
        if (floppy->r != floppy->eot) {
                floppy->r++;
                return;
        }
        floppy->r = 1;
        if (floppy->fifo[0] & COMMAND_MT) {
                floppy->c = (uint8_t)(floppy->c + (floppy->h & 1));
                floppy->h ^= 1;
        } else {
                floppy->c++;
        }
}

/* -- Work on the image --------------------------------------------------------------------------- */

struct floppy_work {
        struct floppy *floppy;
        uint32_t generation;
        bool read;
        uint32_t size;
        uint8_t bytes[];
};

static void floppy_worked(struct floppy *floppy, int error);

static void floppy_done(void *opaque, int error)
{
        struct floppy_work *work = opaque;
        struct floppy *floppy = work->floppy;

        if (work->generation == floppy->generation) {
                floppy->generation++;
                if (error && !floppy->complained) {
                        floppy->complained = true;
                        log_warning("floppy%u: %s; the guest is told of an error", floppy->unit, g_strerror(error));
                }
                if (work->read && !error)
                        memcpy(floppy->buffer, work->bytes, work->size);
                floppy_worked(floppy, error);
        }
        g_free(work);
}

static void floppy_work(struct floppy *floppy, bool read, uint64_t sector, uint32_t size)
{
        struct floppy_drive *drive = loaded(floppy, floppy->unit);
        struct floppy_work *work;

        if (!drive) {                           /* taken out in the middle of a command */
                floppy_end(floppy, ST0_ABNORMAL, ST1_MA, 0);
                return;
        }
        work = g_malloc(sizeof(*work) + size);
        *work = (struct floppy_work){ .floppy = floppy, .generation = floppy->generation, .read = read, .size = size };
        floppy->phase = PHASE_WORKING;
        floppy->filled = size;
        if (read) {
                block_read(drive->block, sector * SECTOR, work->bytes, size, floppy_done, work);
        } else {
                memcpy(work->bytes, floppy->buffer, size);
                block_write(drive->block, sector * SECTOR, work->bytes, size, floppy_done, work);
        }
}

static uint64_t sector_number(const struct floppy *floppy, const struct floppy_drive *drive)
{
        return ((uint64_t)floppy->c * drive->shape.heads + (floppy->h & 1)) * drive->shape.sectors + floppy->r - 1;
}

/* -- Commands that move data --------------------------------------------------------------------- */

/* Finds the present sector on the disk.  False: the command has ended with the reason. */
static bool find_sector(struct floppy *floppy)
{
        const struct floppy_drive *drive = loaded(floppy, floppy->unit);

        if (!drive || !rate_fits(drive, floppy->rate) || (floppy->h & 1) >= drive->shape.heads ||
            drive->cylinder >= drive->shape.tracks)
                floppy_end(floppy, ST0_ABNORMAL, ST1_MA, 0);
        else if (floppy->c != drive->cylinder)
                floppy_end(floppy, ST0_ABNORMAL, ST1_ND, ST2_WC);
        else if (!floppy->r || floppy->r > drive->shape.sectors)
                floppy_end(floppy, ST0_ABNORMAL, ST1_ND, 0);
        else
                return true;
        return false;
}

/* Sectors from the present one to the end of the track side. */
static uint32_t sectors_here(const struct floppy *floppy)
{
        uint8_t last = MIN(floppy->eot, floppy->drive[floppy->unit].shape.sectors);

        return last >= floppy->r ? (uint32_t)(last - floppy->r) + 1 : 1;
}

static void write_take(struct floppy *floppy);

/* The next piece: read from the image, or wait for the bytes to be written. */
static void data_go_on(struct floppy *floppy)
{
        uint8_t kind = kind_of(floppy);
        uint32_t sectors;

        if (!find_sector(floppy))
                return;
        sectors = sectors_here(floppy);
        floppy->position = 0;
        if (kind == CMD_VERIFY)
                sectors = MIN(sectors, MAX(floppy->verify_left, 1u));
        if (is_write(kind)) {
                floppy->filled = by_dma(floppy) ? sectors * SECTOR : SECTOR;
                write_take(floppy);
        } else {
                floppy_work(floppy, true, sector_number(floppy, loaded(floppy, floppy->unit)), sectors * SECTOR);
        }
}

/* `bytes` of the present piece have gone by: moves on to the sector after them. */
static void data_moved(struct floppy *floppy, uint32_t bytes)
{
        uint32_t sectors = (bytes + SECTOR - 1) / SECTOR;
        bool end = false, two_sides = (floppy->fifo[0] & COMMAND_MT) && !(floppy->h & 1);

        for (uint32_t i = 0; i < sectors; i++) {
                end = floppy->r == floppy->eot;
                next_sector(floppy);
        }
        if (floppy->terminal)
                floppy_end(floppy, 0, 0, 0);
        else if (end && !two_sides)             /* the track ends and nobody said TC */
                floppy_end(floppy, ST0_ABNORMAL, ST1_EN, 0);
        else
                data_go_on(floppy);
}

/* What has been read goes to the guest. */
static void read_give(struct floppy *floppy)
{
        size_t moved;

        if (!by_dma(floppy)) {
                floppy->phase = PHASE_PIO_IN;
                floppy_interrupt(floppy);
                return;
        }
        moved = isa_dma_transfer(&floppy->dma, floppy->buffer, floppy->filled, true, &floppy->terminal);
        if (moved < floppy->filled && !floppy->terminal)
                floppy_end(floppy, ST0_ABNORMAL, ST1_OR, 0);
        else
                data_moved(floppy, (uint32_t)moved);
}

/* What is to be written comes from the guest. */
static void write_take(struct floppy *floppy)
{
        size_t moved;

        if (!by_dma(floppy)) {
                floppy->phase = PHASE_PIO_OUT;
                floppy_interrupt(floppy);
                return;
        }
        moved = isa_dma_transfer(&floppy->dma, floppy->buffer, floppy->filled, false, &floppy->terminal);
        if (!moved || (moved < floppy->filled && !floppy->terminal)) {
                floppy_end(floppy, ST0_ABNORMAL, ST1_OR, 0);
                return;
        }
        /* A sector that TC cuts short is filled up with zeros. */
        memset(floppy->buffer + moved, 0, (SECTOR - moved % SECTOR) % SECTOR);
        floppy_work(floppy, false, sector_number(floppy, &floppy->drive[floppy->unit]),
                    (uint32_t)(moved + SECTOR - 1) / SECTOR * SECTOR);
}

/* FORMAT TRACK: the sector IDs the guest sent are taken as this disk's own; the track is filled. */
static void format_write(struct floppy *floppy)
{
        const struct floppy_drive *drive = loaded(floppy, floppy->unit);
        uint32_t sectors = floppy->fifo[3];

        if (!drive || drive->cylinder >= drive->shape.tracks || (floppy->h & 1) >= drive->shape.heads || !sectors) {
                floppy_end(floppy, ST0_ABNORMAL, ST1_MA, 0);
                return;
        }
        floppy->c = drive->cylinder;
        floppy->r = 1;
        sectors = MIN(sectors, drive->shape.sectors);
        memset(floppy->buffer, floppy->fifo[5], sectors * SECTOR);
        floppy_work(floppy, false, sector_number(floppy, drive), sectors * SECTOR);
}

static void format_begin(struct floppy *floppy)
{
        const struct floppy_drive *drive = loaded(floppy, floppy->unit);
        uint32_t size = floppy->fifo[3] * (uint32_t)ID_BYTES;

        if (!drive || !rate_fits(drive, floppy->rate) || floppy->fifo[2] != SIZE_CODE) {
                floppy_end(floppy, ST0_ABNORMAL, ST1_MA, 0);
        } else if (block_is_read_only(drive->block)) {
                floppy_end(floppy, ST0_ABNORMAL, ST1_NW, 0);
        } else if (!by_dma(floppy) && size) {
                floppy->position = 0;
                floppy->filled = size;
                floppy->phase = PHASE_PIO_OUT;
                floppy_interrupt(floppy);
        } else {
                isa_dma_transfer(&floppy->dma, floppy->buffer, size, false, &floppy->terminal);
                format_write(floppy);
        }
}

static void floppy_worked(struct floppy *floppy, int error)
{
        uint8_t kind = kind_of(floppy);

        if (error) {
                floppy_end(floppy, ST0_ABNORMAL, ST1_DE, 0);
        } else if (kind == CMD_FORMAT) {
                floppy_end(floppy, 0, 0, 0);
        } else if (kind == CMD_VERIFY) {
                uint32_t sectors = floppy->filled / SECTOR;

                if (floppy->verify_left) {      /* EC: that many sectors, then good */
                        floppy->verify_left = (uint8_t)(floppy->verify_left - MIN(sectors, floppy->verify_left));
                        floppy->terminal = !floppy->verify_left;
                }
                data_moved(floppy, floppy->filled);
        } else if (is_write(kind)) {
                data_moved(floppy, floppy->filled);
        } else {
                read_give(floppy);
        }
}

/* READ, WRITE and their kin: nine bytes, 1: head and drive, 2-5: C H R N, 6: EOT, 8: DTL or sector count. */
static void data_begin(struct floppy *floppy)
{
        uint8_t *fifo = floppy->fifo, kind = kind_of(floppy);
        struct floppy_drive *drive;

        floppy->c = fifo[2];
        floppy->h = fifo[3];
        floppy->r = kind == CMD_READ_TRACK ? 1 : fifo[4];
        floppy->eot = fifo[6];
        floppy->verify_left = kind == CMD_VERIFY && (fifo[1] & 0x80) ? fifo[8] : 0;
        drive = loaded(floppy, floppy->unit);
        if (drive && (floppy->configure[0] & CONFIGURE_IMPLIED_SEEK))
                drive->cylinder = floppy->c;
        if (fifo[5] != SIZE_CODE || (fifo[3] & 1) != (fifo[1] >> 2 & 1))
                floppy_end(floppy, ST0_ABNORMAL, ST1_ND, 0);
        else if (is_write(kind) && drive && block_is_read_only(drive->block))
                floppy_end(floppy, ST0_ABNORMAL, ST1_NW, 0);
        else
                data_go_on(floppy);
}

/* -- Other commands ------------------------------------------------------------------------------ */

static void read_id(struct floppy *floppy)
{
        const struct floppy_drive *drive = loaded(floppy, floppy->unit);

        floppy->h = floppy->fifo[1] >> 2 & 1;
        floppy->c = floppy->unit < FLOPPY_DRIVES ? floppy->drive[floppy->unit].cylinder : 0;
        floppy->r = 1;
        if (!drive || !rate_fits(drive, floppy->rate) || floppy->h >= drive->shape.heads ||
            drive->cylinder >= drive->shape.tracks)
                floppy_end(floppy, ST0_ABNORMAL, ST1_MA, 0);
        else
                floppy_end(floppy, 0, 0, 0);
}

static void seek(struct floppy *floppy, int cylinder)
{
        uint8_t st0 = (uint8_t)(ST0_SEEK_END | (floppy->fifo[1] & ST0_HEAD) | floppy->unit);

        if (floppy->unit < FLOPPY_DRIVES) {
                struct floppy_drive *drive = &floppy->drive[floppy->unit];

                drive->cylinder = (uint8_t)CLAMP(cylinder, 0, CYLINDERS_MAX);
                drive->changed = drive->changed && !drive->block;
        } else if (kind_of(floppy) == CMD_RECALIBRATE) {
                st0 |= ST0_ABNORMAL | ST0_EC;   /* track 0 is never reached */
        }
        floppy->seek_end[floppy->unit] = st0;
        floppy_ready(floppy);
        floppy_interrupt(floppy);
}

static void sense_interrupt(struct floppy *floppy)
{
        uint8_t bytes[2] = { ST0_INVALID, 0 };
        unsigned unit;

        if (floppy->senses) {                   /* after a reset: one for each drive */
                unit = 4u - floppy->senses--;
                bytes[0] = (uint8_t)(ST0_READY_CHANGED | unit);
        } else {
                for (unit = 0; unit < 4 && !floppy->seek_end[unit]; unit++)
                        ;
                if (unit == 4) {
                        floppy_result(floppy, bytes, 1);
                        return;
                }
                bytes[0] = floppy->seek_end[unit];
                floppy->seek_end[unit] = 0;
        }
        bytes[1] = unit < FLOPPY_DRIVES ? floppy->drive[unit].cylinder : 0;
        floppy->irq = false;
        floppy_update(floppy);
        floppy_result(floppy, bytes, 2);
}

static void sense_drive(struct floppy *floppy)
{
        const struct floppy_drive *drive = loaded(floppy, floppy->unit);
        uint8_t st3 = (uint8_t)(ST3_RDY | ST3_TWO_SIDES | (floppy->fifo[1] & ST0_HEAD) | floppy->unit);

        if (drive && block_is_read_only(drive->block))
                st3 |= ST3_WP;
        if (floppy->unit < FLOPPY_DRIVES && !floppy->drive[floppy->unit].cylinder)
                st3 |= ST3_TRACK_0;
        floppy_result(floppy, &st3, 1);
}

static void dump_registers(struct floppy *floppy)
{
        uint8_t bytes[10] = { floppy->drive[0].cylinder, floppy->drive[1].cylinder, 0, 0, floppy->specify[0], floppy->specify[1],
                              floppy->eot, (uint8_t)(floppy->lock << 7 | floppy->perpendicular),
                              floppy->configure[0], floppy->configure[1] };

        floppy_result(floppy, bytes, sizeof(bytes));
}

/* How many bytes a command has, 0 for one that does not exist (82077AA table 5-1). */
static uint8_t command_bytes(uint8_t command)
{
        switch (command & CMD_MASK) {
        case CMD_READ_TRACK: case CMD_WRITE: case CMD_READ: case CMD_WRITE_DELETED: case CMD_READ_DELETED: case CMD_VERIFY:
                return 9;
        case CMD_FORMAT:
                return 6;
        case CMD_CONFIGURE:
                return 4;
        case CMD_SPECIFY: case CMD_SEEK:
                return 3;
        case CMD_SENSE_DRIVE: case CMD_RECALIBRATE: case CMD_READ_ID: case CMD_PERPENDICULAR:
                return 2;
        case CMD_SENSE_INTERRUPT: case CMD_DUMPREG: case CMD_VERSION: case CMD_LOCK:
                return 1;
        default:
                return 0;
        }
}

static void floppy_command(struct floppy *floppy)
{
        static const uint8_t invalid = ST0_INVALID, version = VERSION_82077;
        uint8_t *fifo = floppy->fifo, locked;

        floppy->unit = fifo[1] & 3;
        floppy->terminal = false;
        TRACE(IO, "floppy command %02x %02x %02x %02x %02x", fifo[0], fifo[1], fifo[2], fifo[3], fifo[4]);
        switch (kind_of(floppy)) {
        case CMD_READ_TRACK: case CMD_WRITE: case CMD_READ: case CMD_WRITE_DELETED: case CMD_READ_DELETED: case CMD_VERIFY:
                data_begin(floppy);
                break;
        case CMD_FORMAT:
                floppy->h = fifo[1] >> 2 & 1;
                format_begin(floppy);
                break;
        case CMD_READ_ID:
                read_id(floppy);
                break;
        case CMD_RECALIBRATE:
                seek(floppy, 0);
                break;
        case CMD_SEEK:
                if (!(fifo[0] & RELATIVE_SEEK))
                        seek(floppy, fifo[2]);
                else if (floppy->unit < FLOPPY_DRIVES)  /* bit 6: towards the centre */
                        seek(floppy, floppy->drive[floppy->unit].cylinder + (fifo[0] & 0x40 ? fifo[2] : -fifo[2]));
                else
                        seek(floppy, 0);
                break;
        case CMD_SENSE_INTERRUPT:
                sense_interrupt(floppy);
                break;
        case CMD_SENSE_DRIVE:
                sense_drive(floppy);
                break;
        case CMD_SPECIFY:
                memcpy(floppy->specify, fifo + 1, 2);
                floppy_ready(floppy);
                break;
        case CMD_CONFIGURE:
                memcpy(floppy->configure, fifo + 2, 2);
                floppy_ready(floppy);
                break;
        case CMD_PERPENDICULAR:
                /* D3-D0 change only with OW, GAP and WGATE always (82077AA 5.2.11). */
                floppy->perpendicular = fifo[1] & PERPENDICULAR_OW ? fifo[1] & 0x3f : (floppy->perpendicular & 0x3c) | (fifo[1] & 3);
                floppy_ready(floppy);
                break;
        case CMD_LOCK:
                floppy->lock = fifo[0] & 0x80;
                locked = (uint8_t)(floppy->lock << 4);
                floppy_result(floppy, &locked, 1);
                break;
        case CMD_DUMPREG:
                dump_registers(floppy);
                break;
        case CMD_VERSION:
                floppy_result(floppy, &version, 1);
                break;
        default:
                guest_error("floppy", "unknown command %02xh", fifo[0]);
                floppy_result(floppy, &invalid, 1);
                break;
        }
}

/* -- Registers ----------------------------------------------------------------------------------- */

/* RESET by DOR or DSR: parameters stay when LOCK says so (82077AA 4.2). */
static void controller_reset(struct floppy *floppy)
{
        floppy->generation++;
        floppy_ready(floppy);
        floppy->irq = false;
        floppy->senses = 0;
        memset(floppy->seek_end, 0, sizeof(floppy->seek_end));
        floppy->position = floppy->filled = 0;
        if (!floppy->lock) {
                floppy->configure[0] = CONFIGURE_DEFAULT;
                floppy->configure[1] = 0;
        }
        floppy->perpendicular &= 0x3c;
        floppy_update(floppy);
}

/* The controller comes out of reset, finds the drives ready and says so. */
static void controller_released(struct floppy *floppy)
{
        floppy->senses = 4;
        floppy_interrupt(floppy);
}

static uint8_t status_read(const struct floppy *floppy)
{
        if (!(floppy->dor & DOR_RESET_N))
                return 0;
        switch (floppy->phase) {
        case PHASE_COMMAND:
                return MSR_RQM | (floppy->fifo_position ? MSR_CB : 0);
        case PHASE_RESULT:
                return MSR_RQM | MSR_DIO | MSR_CB;
        case PHASE_PIO_IN:
                return MSR_RQM | MSR_DIO | MSR_NDM | MSR_CB;
        case PHASE_PIO_OUT:
                return MSR_RQM | MSR_NDM | MSR_CB;
        default:
                return MSR_CB;
        }
}

static uint8_t fifo_read(struct floppy *floppy)
{
        uint8_t value;

        if (floppy->phase == PHASE_PIO_IN) {
                value = floppy->buffer[floppy->position++];
                if (floppy->position == floppy->filled) {
                        floppy->irq = false;
                        data_moved(floppy, floppy->filled);
                        floppy_update(floppy);
                }
                return value;
        }
        if (floppy->phase != PHASE_RESULT)
                return 0xff;
        value = floppy->fifo[floppy->fifo_position++];
        if (floppy->irq) {
                floppy->irq = false;
                floppy_update(floppy);
        }
        if (floppy->fifo_position == floppy->fifo_size)
                floppy_ready(floppy);
        return value;
}

static void fifo_write(struct floppy *floppy, uint8_t value)
{
        if (!(floppy->dor & DOR_RESET_N))
                return;
        if (floppy->phase == PHASE_PIO_OUT) {
                floppy->buffer[floppy->position++] = value;
                if (floppy->position < floppy->filled)
                        return;
                floppy->irq = false;
                floppy_update(floppy);
                if (kind_of(floppy) == CMD_FORMAT)
                        format_write(floppy);
                else if (find_sector(floppy))
                        floppy_work(floppy, false, sector_number(floppy, &floppy->drive[floppy->unit]), floppy->filled);
                return;
        }
        if (floppy->phase != PHASE_COMMAND) {
                guest_error("floppy", "write of %02x in phase %u", value, floppy->phase);
                return;
        }
        if (!floppy->fifo_position) {
                memset(floppy->fifo, 0, sizeof(floppy->fifo));
                floppy->fifo_size = MAX(command_bytes(value), 1);
        }
        floppy->fifo[floppy->fifo_position++] = value;
        if (floppy->fifo_position == floppy->fifo_size)
                floppy_command(floppy);
}

static uint32_t floppy_read(void *opaque, uint16_t port, unsigned size)
{
        struct floppy *floppy = opaque;
        unsigned unit = floppy->dor & DOR_DRIVE;

        (void)size;
        switch (port - BASE) {
        case REG_DOR:
                return floppy->dor;
        case REG_TDR:
                return floppy->tdr | 0xfc;
        case REG_MSR:
                return status_read(floppy);
        case REG_FIFO:
                return fifo_read(floppy);
        case REG_DIR:
                /* The line of the selected drive, while its motor is on; the rest floats, as on an AT. */
                return unit < FLOPPY_DRIVES && (floppy->dor & DOR_MOTOR << unit) && floppy->drive[unit].changed ? 0xff : 0x7f;
        default:
                return 0xff;                    /* status registers A and B: PS/2 only */
        }
}

static void dor_write(struct floppy *floppy, uint8_t value)
{
        bool was_running = floppy->dor & DOR_RESET_N;

        floppy->dor = value;
        if (was_running && !(value & DOR_RESET_N))
                controller_reset(floppy);
        else if (!was_running && (value & DOR_RESET_N))
                controller_released(floppy);
        floppy_update(floppy);
}

static void floppy_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct floppy *floppy = opaque;

        (void)size;
        switch (port - BASE) {
        case REG_DOR:
                dor_write(floppy, (uint8_t)value);
                break;
        case REG_TDR:
                floppy->tdr = value & 3;
                break;
        case REG_MSR:                           /* data rate select register; its reset ends by itself */
                floppy->rate = value & 3;
                if ((value & DSR_RESET) && (floppy->dor & DOR_RESET_N)) {
                        controller_reset(floppy);
                        controller_released(floppy);
                }
                break;
        case REG_FIFO:
                fifo_write(floppy, (uint8_t)value);
                break;
        case REG_DIR:                           /* configuration control register */
                floppy->rate = value & 3;
                break;
        default:
                break;
        }
}

static const struct port_ops floppy_ops = { floppy_read, floppy_write, 1 };

/* -- Wiring and disks ---------------------------------------------------------------------------- */

void floppy_connect(struct device *device, struct irq irq, struct isa_dma dma)
{
        struct floppy *floppy = (struct floppy *)device;

        floppy->wire = irq;
        floppy->dma = dma;
}

void floppy_insert(struct device *device, unsigned unit, struct block *image, struct floppy_shape shape)
{
        struct floppy_drive *drive = &((struct floppy *)device)->drive[unit];

        g_assert(unit < FLOPPY_DRIVES && device->created);
        if (drive->block) {
                block_drain(drive->block);
                block_close(drive->block);
        }
        drive->block = image;
        drive->shape = shape;
        drive->changed = true;
}

const char *floppy_path(struct device *device, unsigned unit)
{
        const struct floppy_drive *drive = loaded((struct floppy *)device, unit);

        return drive ? block_path(drive->block) : NULL;
}

void floppy_drain(struct device *device)
{
        struct floppy *floppy = (struct floppy *)device;

        for (unsigned unit = 0; unit < FLOPPY_DRIVES; unit++)
                if (floppy->drive[unit].block)
                        block_drain(floppy->drive[unit].block);
}

/* -- Life ---------------------------------------------------------------------------------------- */

static void floppy_reset(struct device *device)
{
        struct floppy *floppy = (struct floppy *)device;

        floppy->lock = false;
        controller_reset(floppy);
        floppy->dor = floppy->tdr = 0;
        floppy->rate = 2;
        memset(floppy->specify, 0, sizeof(floppy->specify));
        floppy->perpendicular = 0;
        floppy_update(floppy);
}

static bool floppy_create(struct device *device, GError **error)
{
        (void)error;
        for (unsigned unit = 0; unit < FLOPPY_DRIVES; unit++)
                ((struct floppy *)device)->drive[unit].changed = true;
        ports_map(device->env->ports, BASE, 6, &floppy_ops, device, "floppy controller");
        ports_map(device->env->ports, BASE + REG_DIR, 1, &floppy_ops, device, "floppy disk change and data rate");
        return true;
}

static void floppy_destroy(struct device *device)
{
        struct floppy *floppy = (struct floppy *)device;

        floppy->generation++;                   /* what still completes is dropped */
        for (unsigned unit = 0; unit < FLOPPY_DRIVES; unit++)
                if (floppy->drive[unit].block) {
                        block_drain(floppy->drive[unit].block);
                        block_close(floppy->drive[unit].block);
                }
}

static bool floppy_post_load(struct device *device, GError **error)
{
        struct floppy *floppy = (struct floppy *)device;
        bool data = floppy->phase == PHASE_PIO_IN || floppy->phase == PHASE_PIO_OUT;
        /* While bytes of a command or result are on their way, there are more to come. */
        bool fifo = floppy->fifo_size <= FIFO_BYTES && (floppy->fifo_position < floppy->fifo_size || !floppy->fifo_size) &&
                    (floppy->phase != PHASE_RESULT || floppy->fifo_size) && (floppy->fifo_size || !floppy->fifo_position);

        if (floppy->phase == PHASE_WORKING || floppy->phase >= PHASES || (!data && !fifo) || floppy->unit > 3 ||
            floppy->senses > 4 || floppy->filled > sizeof(floppy->buffer) || (data && floppy->position >= floppy->filled) ||
            (data && floppy->unit >= FLOPPY_DRIVES)) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "floppy: impossible state of the controller");
                return false;
        }
        floppy_update(floppy);
        return true;
}

static const struct device_class floppy_class = {
        .name = "floppy",
        .description = "82077AA floppy controller",
        .size = sizeof(struct floppy),
        .state = floppy_fields,
        .create = floppy_create,
        .reset = floppy_reset,
        .post_load = floppy_post_load,
        .destroy = floppy_destroy,
};

DEVICE_CLASS(floppy_class);
