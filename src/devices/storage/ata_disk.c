/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ata_disk.c - what the commands of an ATA disk mean (ATA/ATAPI-6, chapter 8; CHS as in ATA-3).
 *
 * A command that moves sectors keeps its place in drive->lba and drive->left and works in pieces: by
 * PIO one block (one sector, or what SET MULTIPLE MODE chose), by DMA as much as the buffer holds.
 *
 * Not modelled: SMART, security, host-protected areas, power states (always active), write protection
 * (there is none in ATA: writes to a read-only image are aborted).
 */
#include <string.h>

#include "base/log.h"
#include "devices/storage/ata_common.h"

enum {
        CMD_NOP = 0x00, CMD_RECALIBRATE = 0x10, CMD_READ = 0x20, CMD_READ_ONCE = 0x21, CMD_READ_EXT = 0x24,
        CMD_READ_DMA_EXT = 0x25, CMD_READ_NATIVE_MAX_EXT = 0x27, CMD_READ_MULTIPLE_EXT = 0x29, CMD_WRITE = 0x30,
        CMD_WRITE_ONCE = 0x31, CMD_WRITE_EXT = 0x34, CMD_WRITE_DMA_EXT = 0x35, CMD_WRITE_MULTIPLE_EXT = 0x39,
        CMD_WRITE_VERIFY = 0x3c, CMD_VERIFY = 0x40, CMD_VERIFY_ONCE = 0x41, CMD_VERIFY_EXT = 0x42, CMD_SEEK = 0x70,
        CMD_SET_GEOMETRY = 0x91, CMD_OLD_STANDBY_NOW = 0x94, CMD_OLD_IDLE_NOW = 0x95, CMD_OLD_STANDBY = 0x96,
        CMD_OLD_IDLE = 0x97, CMD_OLD_CHECK_POWER = 0x98, CMD_OLD_SLEEP = 0x99, CMD_READ_MULTIPLE = 0xc4,
        CMD_WRITE_MULTIPLE = 0xc5, CMD_SET_MULTIPLE = 0xc6, CMD_READ_DMA = 0xc8, CMD_READ_DMA_ONCE = 0xc9,
        CMD_WRITE_DMA = 0xca, CMD_WRITE_DMA_ONCE = 0xcb, CMD_STANDBY_NOW = 0xe0, CMD_IDLE_NOW = 0xe1,
        CMD_STANDBY = 0xe2, CMD_IDLE = 0xe3, CMD_CHECK_POWER = 0xe5, CMD_SLEEP = 0xe6, CMD_FLUSH = 0xe7,
        CMD_DATA_SET = 0x06, CMD_READ_LOG_EXT = 0x2f, CMD_WRITE_DMA_FUA_EXT = 0x3d,
        CMD_FLUSH_EXT = 0xea, CMD_IDENTIFY = 0xec, CMD_SET_FEATURES = 0xef, CMD_READ_NATIVE_MAX = 0xf8,
};
enum {
        FEATURE_WRITE_CACHE_ON = 0x02, FEATURE_TRANSFER_MODE = 0x03, FEATURE_READ_AHEAD_OFF = 0x55,
        FEATURE_KEEP_SETTINGS = 0x66, FEATURE_WRITE_CACHE_OFF = 0x82, FEATURE_READ_AHEAD_ON = 0xaa,
        FEATURE_DEFAULT_SETTINGS = 0xcc,
};
enum { MODE_PIO_4 = 0x0c, MODE_MWDMA = 0x20, MODE_MWDMA_2 = 0x22, MODE_UDMA = 0x40, MODE_UDMA_5 = 0x45 };
enum { IDENTIFY_WORDS = 256, CYLINDERS_MAX = 16383, HEADS = 16, SECTORS = 63 };

#define SECTORS_28_BIT UINT64_C(0x0fffffff)

static uint64_t disk_sectors(const struct ata_drive *drive)
{
        return block_size_bytes(drive->block) / ATA_SECTOR_BYTES;
}

static unsigned disk_cylinders(uint64_t sectors, unsigned heads, unsigned per_track)
{
        return (unsigned)MIN(sectors / (heads * per_track), (uint64_t)CYLINDERS_MAX);
}

void ata_disk_geometry(const struct ata_drive *drive, unsigned chs[3])
{
        chs[0] = disk_cylinders(disk_sectors(drive), HEADS, SECTORS);
        chs[1] = HEADS;
        chs[2] = SECTORS;
}

/* -- Addresses ----------------------------------------------------------------------------------- */

/* Reads address and count of a command; false when the address is none of this disk's. */
static bool address_get(struct ata_drive *drive)
{
        uint32_t count = drive->count[0];

        if (drive->lba48) {
                count |= (uint32_t)drive->count[1] << 8;
                drive->left = count ? count : 65536;
                drive->lba = drive->low[0] | (uint64_t)drive->mid[0] << 8 | (uint64_t)drive->high[0] << 16 |
                             (uint64_t)drive->low[1] << 24 | (uint64_t)drive->mid[1] << 32 | (uint64_t)drive->high[1] << 40;
                return drive->select & ATA_DEVICE_LBA;
        }
        drive->left = count ? count : 256;
        if (drive->select & ATA_DEVICE_LBA) {
                drive->lba = drive->low[0] | (uint64_t)drive->mid[0] << 8 | (uint64_t)drive->high[0] << 16 |
                             (uint64_t)(drive->select & 15) << 24;
                return true;
        }
        /* Sectors of a track count from 1; the guest chose heads and sectors. */
        drive->lba = ((uint64_t)(drive->mid[0] | drive->high[0] << 8) * drive->heads + (drive->select & 15)) *
                     drive->sectors + drive->low[0] - 1;
        return drive->low[0] && drive->low[0] <= drive->sectors && (drive->select & 15) < drive->heads;
}

/* Leaves an address in the task file, as the last or the failing one of a command. */
static void address_put(struct ata_drive *drive, uint64_t lba)
{
        if (drive->lba48 || (drive->select & ATA_DEVICE_LBA)) {
                drive->low[0] = (uint8_t)lba;
                drive->mid[0] = (uint8_t)(lba >> 8);
                drive->high[0] = (uint8_t)(lba >> 16);
                if (drive->lba48) {
                        drive->low[1] = (uint8_t)(lba >> 24);
                        drive->mid[1] = (uint8_t)(lba >> 32);
                        drive->high[1] = (uint8_t)(lba >> 40);
                } else {
                        drive->select = (uint8_t)((drive->select & 0xf0) | (lba >> 24 & 15));
                }
        } else {
                uint64_t track = lba / drive->sectors, cylinder = track / drive->heads;

                drive->low[0] = (uint8_t)(lba % drive->sectors + 1);
                drive->mid[0] = (uint8_t)cylinder;
                drive->high[0] = (uint8_t)(cylinder >> 8);
                drive->select = (uint8_t)((drive->select & 0xf0) | track % drive->heads);
        }
}

/* -- Moving sectors ------------------------------------------------------------------------------ */

static bool is_write(uint8_t command)
{
        switch (command) {
        case CMD_WRITE: case CMD_WRITE_ONCE: case CMD_WRITE_EXT: case CMD_WRITE_VERIFY:
        case CMD_WRITE_MULTIPLE: case CMD_WRITE_MULTIPLE_EXT:
        case CMD_WRITE_DMA: case CMD_WRITE_DMA_ONCE: case CMD_WRITE_DMA_EXT: case CMD_WRITE_DMA_FUA_EXT:
                return true;
        default:
                return false;
        }
}

static bool is_verify(uint8_t command)
{
        return command == CMD_VERIFY || command == CMD_VERIFY_ONCE || command == CMD_VERIFY_EXT;
}

/* Sectors of the next piece. */
static uint32_t piece(const struct ata_drive *drive)
{
        uint32_t limit = 1;

        if (drive->dma || is_verify(drive->command))
                limit = ATA_BUFFER_BYTES / ATA_SECTOR_BYTES;
        else if (drive->command == CMD_READ_MULTIPLE || drive->command == CMD_READ_MULTIPLE_EXT ||
                 drive->command == CMD_WRITE_MULTIPLE || drive->command == CMD_WRITE_MULTIPLE_EXT)
                limit = MAX(drive->multiple, 1);
        return MIN(limit, drive->left);
}

/* The next piece of a command, or its end.  The first piece of a write brings no interrupt. */
static void sectors_go_on(struct ata_drive *drive, bool first)
{
        uint32_t sectors = piece(drive);

        if (!drive->left) {
                address_put(drive, drive->lba - 1);
                drive->count[0] = 0;
                if (is_write(drive->command) && (!drive->write_cache || drive->command == CMD_WRITE_DMA_FUA_EXT)) {
                        drive->command = CMD_FLUSH;     /* without a cache, what is written is durable */
                        ata_flush(drive);
                } else {
                        ata_end(drive);
                }
        } else if (drive->lba >= disk_sectors(drive) || sectors > disk_sectors(drive) - drive->lba) {
                address_put(drive, MAX(drive->lba, disk_sectors(drive)));
                ata_fail(drive, ATA_IDNF);
        } else if (is_write(drive->command)) {
                ata_data_out(drive, sectors * ATA_SECTOR_BYTES, !first);
        } else {
                ata_read(drive, drive->lba * ATA_SECTOR_BYTES, sectors * ATA_SECTOR_BYTES);
        }
}

static void sectors_start(struct ata_drive *drive, bool dma, bool lba48)
{
        drive->lba48 = lba48;
        drive->dma = dma;
        if (!address_get(drive))
                ata_fail(drive, ATA_IDNF);
        else if (is_write(drive->command) && block_is_read_only(drive->block))
                ata_fail(drive, ATA_ABRT);
        else
                sectors_go_on(drive, true);
}

/* -- DATA SET MANAGEMENT: TRIM (ACS-2, 7.10) ------------------------------------------------------- */

enum { TRIM = 1 << 0, TRIM_BLOCKS_MAX = 8, TRIM_ENTRY_BYTES = 8 };

/* Discards the next range of the list in the buffer; position is where the list goes on. */
static void trim_go_on(struct ata_drive *drive)
{
        for (; drive->position < drive->filled; drive->position += TRIM_ENTRY_BYTES) {
                const uint8_t *entry = drive->buffer + drive->position;
                uint64_t lba = 0, count = entry[6] | (uint64_t)entry[7] << 8;

                for (unsigned i = 0; i < 6; i++)
                        lba |= (uint64_t)entry[i] << 8 * i;
                if (!count)
                        continue;
                if (lba >= disk_sectors(drive) || count > disk_sectors(drive) - lba) {
                        ata_fail(drive, ATA_ABRT);
                        return;
                }
                drive->position += TRIM_ENTRY_BYTES;
                ata_discard(drive, lba * ATA_SECTOR_BYTES, count * ATA_SECTOR_BYTES);
                return;
        }
        ata_end(drive);
}

static void trim_start(struct ata_drive *drive)
{
        uint32_t blocks = drive->count[0] | (uint32_t)drive->count[1] << 8;

        if (!drive->sata || !(drive->feature[0] & TRIM) || !blocks || blocks > TRIM_BLOCKS_MAX || block_is_read_only(drive->block)) {
                ata_fail(drive, ATA_ABRT);
                return;
        }
        drive->dma = true;
        ata_data_out(drive, blocks * ATA_SECTOR_BYTES, false);
}

/* -- READ LOG EXT (ACS-2, 7.29): the directory, and why a queued command failed ----------------------- */

static void log_read(struct ata_drive *drive)
{
        enum { LOG_DIRECTORY = 0x00, LOG_QUEUED_ERROR = 0x10 };
        uint8_t *to = drive->buffer, sum = 0;

        if (!drive->sata || drive->count[0] != 1 || drive->count[1] || drive->mid[0] || drive->mid[1]) {
                ata_fail(drive, ATA_ABRT);
                return;
        }
        memset(to, 0, ATA_SECTOR_BYTES);
        if (drive->low[0] == LOG_DIRECTORY) {
                ata_put_word(to, 0, 1);
                ata_put_word(to, LOG_QUEUED_ERROR, 1);
        } else if (drive->low[0] == LOG_QUEUED_ERROR) {
                memcpy(to, drive->ncq_log, ATA_NCQ_LOG_BYTES);
                for (unsigned i = 0; i < ATA_SECTOR_BYTES - 1; i++)
                        sum = (uint8_t)(sum + to[i]);
                to[ATA_SECTOR_BYTES - 1] = (uint8_t)-sum;
        } else {
                ata_fail(drive, ATA_ABRT);
                return;
        }
        drive->filled = ATA_SECTOR_BYTES;
        ata_data_in(drive, 0, drive->filled);
}

static void disk_moved(struct ata_drive *drive)
{
        if (drive->command == CMD_DATA_SET) {
                drive->position = 0;
                trim_go_on(drive);
        } else if (is_write(drive->command)) {
                ata_write(drive, drive->lba * ATA_SECTOR_BYTES, drive->filled);
        } else if (drive->command == CMD_IDENTIFY || drive->command == CMD_READ_LOG_EXT) {
                drive->phase = ATA_IDLE;        /* the interrupt came with the data */
                drive->status = ATA_DRDY | ATA_DSC;
        } else if (drive->left || drive->dma) {
                sectors_go_on(drive, false);    /* the end of a DMA command is its one interrupt */
        } else {
                address_put(drive, drive->lba - 1);
                drive->count[0] = 0;
                drive->phase = ATA_IDLE;
                drive->status = ATA_DRDY | ATA_DSC;
        }
}

static void disk_io_done(struct ata_drive *drive, int error)
{
        uint32_t sectors = drive->filled / ATA_SECTOR_BYTES;

        if (drive->command == CMD_DATA_SET && !error) {
                trim_go_on(drive);
                return;
        }
        if (error) {
                address_put(drive, drive->lba);
                ata_fail(drive, is_write(drive->command) || drive->command == CMD_FLUSH || drive->command == CMD_FLUSH_EXT ||
                                drive->command == CMD_DATA_SET ? ATA_ABRT : ATA_UNC);
                return;
        }
        if (drive->command == CMD_FLUSH || drive->command == CMD_FLUSH_EXT) {
                ata_end(drive);
                return;
        }
        drive->lba += sectors;
        drive->left -= MIN(sectors, drive->left);
        if (is_write(drive->command) || is_verify(drive->command))
                sectors_go_on(drive, false);
        else
                ata_data_in(drive, 0, drive->filled);
}

/* -- Commands without sectors -------------------------------------------------------------------- */

/* Words of a serial drive (ACS-2, 7.16; SATA 3.0, 13.2). */
static void identify_sata(const struct ata_drive *drive, uint8_t *to)
{
        ata_put_word(to, 75, 31);                       /* queue of 32 */
        ata_put_word(to, 76, 1 << 8 | 1 << 3 | 1 << 2 | 1 << 1);        /* queued commands, generations 1 to 3 */
        ata_put_word(to, 80, 0x01fe);                   /* up to ATA8-ACS */
        ata_put_word(to, 84, 1 << 14 | 1 << 6 | 1 << 5);        /* WRITE DMA FUA EXT, logs */
        ata_put_word(to, 87, 1 << 14 | 1 << 6 | 1 << 5);
        ata_put_word(to, 93, 0);
        ata_put_word(to, 106, 0x6003);                  /* 8 sectors in a physical one */
        ata_put_word(to, 217, 1);                       /* nothing turns */
        if (block_can_discard(drive->block) && !block_is_read_only(drive->block)) {
                ata_put_word(to, 105, TRIM_BLOCKS_MAX);
                ata_put_word(to, 169, 1);
        }
}

static void disk_identify(struct ata_drive *drive)
{
        uint64_t sectors = disk_sectors(drive), small = MIN(sectors, SECTORS_28_BIT);
        uint32_t cylinders = disk_cylinders(sectors, drive->heads, drive->sectors);
        uint32_t chs = cylinders * drive->heads * drive->sectors;
        uint8_t *to = drive->buffer, sum = 0;
        char serial[21];

        memset(to, 0, 2 * IDENTIFY_WORDS);
        if (block_serial(drive->block))
                g_strlcpy(serial, block_serial(drive->block), sizeof(serial));
        else
                g_snprintf(serial, sizeof(serial), "LODGER-%s", drive->id);
        ata_put_word(to, 0, 0x0040);                    /* fixed drive */
        ata_put_word(to, 1, disk_cylinders(sectors, HEADS, SECTORS));
        ata_put_word(to, 3, HEADS);
        ata_put_word(to, 6, SECTORS);
        ata_put_string(to + 2 * 10, serial, 20);
        ata_put_string(to + 2 * 23, PACKAGE_VERSION, 8);
        ata_put_string(to + 2 * 27, "LODGER HARDDISK", 40);
        ata_put_word(to, 47, 0x8000 | ATA_MULTIPLE_MAX);
        ata_put_word(to, 49, 1 << 11 | 1 << 9 | 1 << 8);        /* IORDY, LBA, DMA */
        ata_put_word(to, 50, 1 << 14);
        ata_put_word(to, 51, 0x0200);
        ata_put_word(to, 52, 0x0200);
        ata_put_word(to, 53, 7);                        /* words 54-58, 64-70 and 88 are valid */
        ata_put_word(to, 54, cylinders);
        ata_put_word(to, 55, drive->heads);
        ata_put_word(to, 56, drive->sectors);
        ata_put_word(to, 57, chs);
        ata_put_word(to, 58, chs >> 16);
        if (drive->multiple)
                ata_put_word(to, 59, 0x100u | drive->multiple);
        ata_put_word(to, 60, (uint32_t)small);
        ata_put_word(to, 61, (uint32_t)small >> 16);
        ata_put_word(to, 63, 7 | (drive->transfer_mode >> 3 == MODE_MWDMA >> 3 ? 0x100u << (drive->transfer_mode & 7) : 0));
        ata_put_word(to, 64, 3);                        /* PIO modes 3 and 4 */
        for (unsigned word = 65; word <= 68; word++)
                ata_put_word(to, word, 120);            /* cycle times in ns */
        ata_put_word(to, 80, 0x7e);                     /* ATA-1 to ATA/ATAPI-6 */
        ata_put_word(to, 82, 1 << 14 | 1 << 5 | 1 << 3);        /* NOP, write cache, power management */
        ata_put_word(to, 83, 1 << 14 | 1 << 13 | 1 << 12 | 1 << 10);    /* FLUSH CACHE (EXT), 48-bit addresses */
        ata_put_word(to, 84, 1 << 14);
        ata_put_word(to, 85, 1 << 14 | (drive->write_cache ? 1 << 5 : 0) | 1 << 3);
        ata_put_word(to, 86, 1 << 13 | 1 << 12 | 1 << 10);
        ata_put_word(to, 87, 1 << 14);
        ata_put_word(to, 88, 0x3f | (drive->transfer_mode >> 3 == MODE_UDMA >> 3 ? 0x100u << (drive->transfer_mode & 7) : 0));
        ata_put_word(to, 93, drive->unit ? 0x4b00 : 0x600b);    /* reset result: 80-wire cable, number by jumper */
        for (unsigned i = 0; i < 4; i++)
                ata_put_word(to, 100 + i, (uint32_t)(sectors >> 16 * i) & 0xffff);
        if (drive->sata)
                identify_sata(drive, to);
        to[510] = 0xa5;                                 /* integrity word: all bytes add up to 0 */
        for (unsigned i = 0; i < 511; i++)
                sum = (uint8_t)(sum + to[i]);
        to[511] = (uint8_t)-sum;
        drive->filled = 2 * IDENTIFY_WORDS;
        ata_data_in(drive, 0, drive->filled);
}

static void disk_set_features(struct ata_drive *drive)
{
        uint8_t mode = drive->count[0];

        switch (drive->feature[0]) {
        case FEATURE_WRITE_CACHE_ON:
        case FEATURE_WRITE_CACHE_OFF:
                drive->write_cache = drive->feature[0] == FEATURE_WRITE_CACHE_ON;
                break;
        case FEATURE_TRANSFER_MODE:
                if (mode > MODE_PIO_4 && (mode < MODE_MWDMA || mode > MODE_MWDMA_2) && (mode < MODE_UDMA || mode > MODE_UDMA_5)) {
                        ata_fail(drive, ATA_ABRT);
                        return;
                }
                drive->transfer_mode = mode;
                break;
        case FEATURE_READ_AHEAD_OFF:
        case FEATURE_READ_AHEAD_ON:
        case FEATURE_KEEP_SETTINGS:
        case FEATURE_DEFAULT_SETTINGS:
                break;
        default:
                ata_fail(drive, ATA_ABRT);
                return;
        }
        ata_end(drive);
}

static void disk_set_multiple(struct ata_drive *drive)
{
        uint8_t n = drive->count[0];

        if (n > ATA_MULTIPLE_MAX || (n & (n - 1))) {
                ata_fail(drive, ATA_ABRT);
                return;
        }
        drive->multiple = n;
        ata_end(drive);
}

static void disk_set_geometry(struct ata_drive *drive)
{
        if (!drive->count[0]) {
                ata_fail(drive, ATA_ABRT);
                return;
        }
        drive->heads = (uint8_t)((drive->select & 15) + 1);
        drive->sectors = drive->count[0];
        ata_end(drive);
}

static void disk_native_max(struct ata_drive *drive, bool lba48)
{
        uint64_t last = disk_sectors(drive) - 1;

        if (!(drive->select & ATA_DEVICE_LBA)) {
                ata_fail(drive, ATA_ABRT);
                return;
        }
        drive->lba48 = lba48;
        address_put(drive, lba48 ? last : MIN(last, SECTORS_28_BIT - 1));
        ata_end(drive);
}

static void disk_seek(struct ata_drive *drive)
{
        if (!address_get(drive) || drive->lba >= disk_sectors(drive))
                ata_fail(drive, ATA_IDNF);
        else
                ata_end(drive);
}

static void disk_command(struct ata_drive *drive, uint8_t command)
{
        switch (command) {
        case CMD_READ: case CMD_READ_ONCE: case CMD_WRITE: case CMD_WRITE_ONCE: case CMD_WRITE_VERIFY:
        case CMD_VERIFY: case CMD_VERIFY_ONCE:
                sectors_start(drive, false, false);
                break;
        case CMD_READ_EXT: case CMD_WRITE_EXT: case CMD_VERIFY_EXT:
                sectors_start(drive, false, true);
                break;
        case CMD_READ_DMA: case CMD_READ_DMA_ONCE: case CMD_WRITE_DMA: case CMD_WRITE_DMA_ONCE:
                sectors_start(drive, true, false);
                break;
        case CMD_WRITE_DMA_FUA_EXT:
                if (drive->sata)
                        sectors_start(drive, true, true);
                else
                        ata_fail(drive, ATA_ABRT);
                break;
        case CMD_DATA_SET:
                trim_start(drive);
                break;
        case CMD_READ_LOG_EXT:
                log_read(drive);
                break;
        case CMD_READ_DMA_EXT: case CMD_WRITE_DMA_EXT:
                sectors_start(drive, true, true);
                break;
        case CMD_READ_MULTIPLE: case CMD_WRITE_MULTIPLE: case CMD_READ_MULTIPLE_EXT: case CMD_WRITE_MULTIPLE_EXT:
                if (drive->multiple)
                        sectors_start(drive, false, command == CMD_READ_MULTIPLE_EXT || command == CMD_WRITE_MULTIPLE_EXT);
                else
                        ata_fail(drive, ATA_ABRT);
                break;
        case CMD_SET_MULTIPLE:
                disk_set_multiple(drive);
                break;
        case CMD_SET_GEOMETRY:
                disk_set_geometry(drive);
                break;
        case CMD_SET_FEATURES:
                disk_set_features(drive);
                break;
        case CMD_IDENTIFY:
                disk_identify(drive);
                break;
        case CMD_READ_NATIVE_MAX:
        case CMD_READ_NATIVE_MAX_EXT:
                disk_native_max(drive, command == CMD_READ_NATIVE_MAX_EXT);
                break;
        case CMD_FLUSH: case CMD_FLUSH_EXT: case CMD_STANDBY_NOW: case CMD_SLEEP: case CMD_OLD_STANDBY_NOW: case CMD_OLD_SLEEP:
                /* A drive that is put to sleep first empties its cache. */
                drive->command = CMD_FLUSH;
                ata_flush(drive);
                break;
        case CMD_CHECK_POWER: case CMD_OLD_CHECK_POWER:
                drive->count[0] = 0xff;                 /* active or idle */
                ata_end(drive);
                break;
        case CMD_IDLE_NOW: case CMD_STANDBY: case CMD_IDLE: case CMD_OLD_IDLE_NOW: case CMD_OLD_STANDBY: case CMD_OLD_IDLE:
                ata_end(drive);
                break;
        default:
                if ((command & 0xf0) == CMD_RECALIBRATE) {
                        ata_end(drive);
                } else if ((command & 0xf0) == CMD_SEEK) {
                        disk_seek(drive);
                } else {
                        if (command != CMD_NOP)
                                guest_error("ide", "%s: unknown command %02xh", drive->id, command);
                        ata_fail(drive, ATA_ABRT);
                }
                break;
        }
}

static void disk_reset(struct ata_drive *drive, bool hard)
{
        drive->multiple = 0;
        if (!hard)
                return;
        drive->heads = HEADS;
        drive->sectors = SECTORS;
        drive->transfer_mode = MODE_PIO_4;
        drive->write_cache = true;
}

const struct ata_ops ata_disk_ops = { disk_command, disk_moved, disk_io_done, disk_reset };
