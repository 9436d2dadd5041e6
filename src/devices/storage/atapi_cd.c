/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * atapi_cd.c - an ATAPI CD-ROM drive: PACKET (ATA/ATAPI-6, 8.23 and 9.8) and the commands within
 * (SFF-8020i 2.6, MMC-3, SPC-2).
 *
 * A packet command goes: the guest writes twelve bytes; a short reply is made in the buffer at once,
 * sectors are read into it piece by piece; the buffer goes out in blocks of at most the byte count
 * the guest allowed (PIO) or as a whole (DMA); the end is an interrupt with the sense key in the
 * error register.  The medium is one data track.
 *
 * Not modelled: audio, raw sectors, writing, more than one session, DVD structures.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "devices/storage/ata_common.h"

enum { CMD_PACKET = 0xa0, CMD_IDENTIFY_PACKET = 0xa1, CMD_IDENTIFY = 0xec, CMD_SET_FEATURES = 0xef, CMD_FLUSH = 0xe7,
       CMD_READ = 0x20, CMD_CHECK_POWER = 0xe5, CMD_STANDBY_NOW = 0xe0, CMD_IDLE_NOW = 0xe1, CMD_SLEEP = 0xe6, CMD_STANDBY = 0xe2,
       CMD_IDLE = 0xe3 };
enum { FEATURE_PACKET_DMA = 1 << 0, FEATURE_TRANSFER_MODE = 0x03 };
/* Interrupt reason, in the sector count register. */
enum { REASON_COMMAND = 1 << 0, REASON_TO_HOST = 1 << 1 };

enum {
        PKT_TEST_UNIT_READY = 0x00, PKT_REQUEST_SENSE = 0x03, PKT_INQUIRY = 0x12, PKT_MODE_SENSE_6 = 0x1a,
        PKT_START_STOP = 0x1b, PKT_PREVENT_ALLOW = 0x1e, PKT_READ_CAPACITY = 0x25, PKT_READ_10 = 0x28, PKT_SEEK = 0x2b,
        PKT_READ_SUBCHANNEL = 0x42, PKT_READ_TOC = 0x43, PKT_GET_CONFIGURATION = 0x46, PKT_EVENT_STATUS = 0x4a,
        PKT_DISC_INFORMATION = 0x51, PKT_MODE_SENSE_10 = 0x5a, PKT_READ_12 = 0xa8, PKT_SET_SPEED = 0xbb,
        PKT_MECHANISM_STATUS = 0xbd, PKT_READ_CD = 0xbe,
};
enum { SENSE_NONE = 0, SENSE_NOT_READY = 2, SENSE_MEDIUM_ERROR = 3, SENSE_ILLEGAL_REQUEST = 5, SENSE_UNIT_ATTENTION = 6 };
enum {
        ASC_READ_ERROR = 0x11, ASC_INVALID_OPCODE = 0x20, ASC_LBA_OUT_OF_RANGE = 0x21, ASC_INVALID_FIELD = 0x24,
        ASC_MEDIUM_CHANGED = 0x28, ASC_SAVING_UNSUPPORTED = 0x39, ASC_NO_MEDIUM = 0x3a, ASC_REMOVAL_PREVENTED = 0x53,
};
enum { ASCQ_TRAY_CLOSED = 1, ASCQ_TRAY_OPEN = 2, ASCQ_REMOVAL_PREVENTED = 2 };
enum { CD_SECTOR = 2048, LEAD_IN_SECTORS = 150, PROFILE_CD_ROM = 0x0008 };
enum { IDENTIFY_WORDS = 256, MODE_PIO_4 = 0x0c, MODE_MWDMA = 0x20, MODE_MWDMA_2 = 0x22, MODE_UDMA = 0x40, MODE_UDMA_2 = 0x42 };

static void put16(uint8_t *to, uint32_t value)
{
        to[0] = (uint8_t)(value >> 8);
        to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
        put16(to, value >> 16);
        put16(to + 2, value);
}

static uint32_t get16(const uint8_t *from)
{
        return (uint32_t)(from[0] << 8 | from[1]);
}

static uint32_t get32(const uint8_t *from)
{
        return get16(from) << 16 | get16(from + 2);
}

/* -- The medium ---------------------------------------------------------------------------------- */

static bool cd_ready(const struct ata_drive *drive)
{
        return drive->block && !drive->tray_open;
}

static uint32_t cd_sectors(const struct ata_drive *drive)
{
        return (uint32_t)MIN(block_size_bytes(drive->block) / CD_SECTOR, (uint64_t)UINT32_MAX);
}

/* -- How packet commands end --------------------------------------------------------------------- */

static void cd_good(struct ata_drive *drive)
{
        drive->sense = drive->asc = drive->ascq = 0;
        drive->count[0] = REASON_COMMAND | REASON_TO_HOST;
        ata_end(drive);
}

static void cd_check(struct ata_drive *drive, uint8_t sense, uint8_t asc, uint8_t ascq)
{
        drive->sense = sense;
        drive->asc = asc;
        drive->ascq = ascq;
        drive->left = 0;
        drive->count[0] = REASON_COMMAND | REASON_TO_HOST;
        ata_fail(drive, (uint8_t)(sense << 4 | (sense == SENSE_ILLEGAL_REQUEST ? ATA_ABRT : 0)));
}

static void cd_invalid(struct ata_drive *drive)
{
        cd_check(drive, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
}

static void cd_no_medium(struct ata_drive *drive)
{
        cd_check(drive, SENSE_NOT_READY, ASC_NO_MEDIUM, drive->tray_open ? ASCQ_TRAY_OPEN : ASCQ_TRAY_CLOSED);
}

/* The next block of the buffer. */
static void cd_send(struct ata_drive *drive, uint32_t from)
{
        uint32_t size = drive->filled - from;

        if (!drive->dma)
                size = MIN(size, drive->byte_limit);
        drive->count[0] = REASON_TO_HOST;
        drive->mid[0] = (uint8_t)size;
        drive->high[0] = (uint8_t)(size >> 8);
        ata_data_in(drive, from, from + size);
}

/* Sends a reply of `size` bytes, as far as the guest has allowed for. */
static void cd_reply(struct ata_drive *drive, uint32_t size, uint32_t allocated)
{
        drive->filled = MIN(size, allocated);
        drive->left = 0;
        drive->sense = drive->asc = drive->ascq = 0;
        if (drive->filled)
                cd_send(drive, 0);
        else
                cd_good(drive);
}

/* -- Reading sectors ----------------------------------------------------------------------------- */

static void cd_read_more(struct ata_drive *drive)
{
        uint32_t sectors = MIN(drive->left, (uint32_t)(ATA_BUFFER_BYTES / CD_SECTOR));

        /* The medium may have gone, and saved state may be from another one. */
        if (!cd_ready(drive)) {
                cd_no_medium(drive);
                return;
        }
        if (drive->lba >= cd_sectors(drive) || sectors > cd_sectors(drive) - drive->lba) {
                cd_check(drive, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
                return;
        }
        ata_read(drive, drive->lba * CD_SECTOR, sectors * CD_SECTOR);
}

static void cd_read(struct ata_drive *drive, uint32_t lba, uint32_t count)
{
        if (lba > cd_sectors(drive) || count > cd_sectors(drive) - lba) {
                cd_check(drive, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
                return;
        }
        drive->lba = lba;
        drive->left = count;
        if (count)
                cd_read_more(drive);
        else
                cd_good(drive);
}

/* READ CD: only the 2048 bytes of user data of each sector can be had (byte 9). */
static void cd_read_cd(struct ata_drive *drive)
{
        const uint8_t *packet = drive->packet;
        uint8_t fields = packet[9] & 0xf8;

        if (!fields)
                cd_good(drive);
        else if (fields != 0x10 || packet[10] & 7)
                cd_invalid(drive);
        else
                cd_read(drive, get32(packet + 2), (uint32_t)packet[6] << 16 | get16(packet + 7));
}

static void cd_io_done(struct ata_drive *drive, int error)
{
        uint32_t sectors = drive->filled / CD_SECTOR;

        if (error) {
                cd_check(drive, SENSE_MEDIUM_ERROR, ASC_READ_ERROR, 0);
                return;
        }
        drive->lba += sectors;
        drive->left -= MIN(sectors, drive->left);
        cd_send(drive, 0);
}

/* -- Replies ------------------------------------------------------------------------------------- */

static void cd_request_sense(struct ata_drive *drive)
{
        uint8_t *to = drive->buffer;

        memset(to, 0, 18);
        to[0] = 0x70;
        if (drive->attention) {                 /* told here, it needs no telling again */
                drive->attention = false;
                to[2] = SENSE_UNIT_ATTENTION;
                to[12] = ASC_MEDIUM_CHANGED;
        } else {
                to[2] = drive->sense;
                to[12] = drive->asc;
                to[13] = drive->ascq;
        }
        to[7] = 10;
        cd_reply(drive, 18, drive->packet[4]);
}

static void cd_inquiry(struct ata_drive *drive)
{
        uint8_t *to = drive->buffer;

        if (drive->packet[1] & 1) {             /* vital product data: none */
                cd_invalid(drive);
                return;
        }
        memset(to, 0, 36);
        to[0] = 5;                              /* CD-ROM */
        to[1] = 0x80;                           /* removable */
        to[3] = 0x21;                           /* ATAPI, response format 1 */
        to[4] = 31;
        memcpy(to + 8, "LODGER  ", 8);
        memcpy(to + 16, "CD-ROM          ", 16);
        memset(to + 32, ' ', 4);
        memcpy(to + 32, PACKAGE_VERSION, MIN(sizeof(PACKAGE_VERSION) - 1, 4));
        cd_reply(drive, 36, get16(drive->packet + 3));
}

static void cd_read_capacity(struct ata_drive *drive)
{
        put32(drive->buffer, cd_sectors(drive) - 1);
        put32(drive->buffer + 4, CD_SECTOR);
        cd_reply(drive, 8, 8);
}

/* An address of the TOC: a block number, or minute, second and frame. */
static void put_address(uint8_t *to, uint32_t lba, bool msf)
{
        if (!msf) {
                put32(to, lba);
                return;
        }
        lba += LEAD_IN_SECTORS;
        to[0] = 0;
        to[1] = (uint8_t)(lba / (75 * 60));
        to[2] = (uint8_t)(lba / 75 % 60);
        to[3] = (uint8_t)(lba % 75);
}

/* Format 2 (MMC-3, 6.26.2.7): the points A0h, A1h, A2h and track 1. */
static uint32_t toc_full(const struct ata_drive *drive, uint8_t *to)
{
        static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 1 };
        uint8_t address[4];

        for (unsigned i = 0; i < sizeof(points); i++, to += 11) {
                memset(to, 0, 11);
                to[0] = 1;                      /* session */
                to[1] = 0x14;                   /* position data, data track */
                to[3] = points[i];
                if (points[i] == 0xa0 || points[i] == 0xa1) {
                        to[8] = 1;              /* first and last track */
                } else {
                        put_address(address, points[i] == 0xa2 ? cd_sectors(drive) : 0, true);
                        memcpy(to + 8, address + 1, 3);
                }
        }
        return 11 * sizeof(points);
}

static void cd_read_toc(struct ata_drive *drive)
{
        const uint8_t *packet = drive->packet;
        uint8_t *to = drive->buffer, format = packet[2] & 15, track = packet[6];
        bool msf = packet[1] & 2;
        uint32_t size = 4;

        if (!format)                            /* the way of SFF-8020i */
                format = packet[9] >> 6;
        to[2] = to[3] = 1;                      /* first and last track, or session */
        switch (format) {
        case 0:
                if (track > 1 && track != 0xaa) {
                        cd_invalid(drive);
                        return;
                }
                if (track <= 1) {
                        memcpy(to + size, (const uint8_t[]){ 0, 0x14, 1, 0 }, 4);
                        put_address(to + size + 4, 0, msf);
                        size += 8;
                }
                memcpy(to + size, (const uint8_t[]){ 0, 0x14, 0xaa, 0 }, 4);    /* the lead-out */
                put_address(to + size + 4, cd_sectors(drive), msf);
                size += 8;
                break;
        case 1:
                memcpy(to + size, (const uint8_t[]){ 0, 0x14, 1, 0 }, 4);
                put_address(to + size + 4, 0, msf);
                size += 8;
                break;
        case 2:
                size += toc_full(drive, to + size);
                break;
        default:
                cd_invalid(drive);
                return;
        }
        put16(to, size - 2);
        cd_reply(drive, size, get16(packet + 7));
}

/* One mode page into `to`; its size, 0 when there is none of that number. */
static uint32_t mode_page(const struct ata_drive *drive, uint8_t page, uint8_t *to)
{
        switch (page) {
        case 0x01:                              /* error recovery: one retry and more as we like */
                memset(to, 0, 8);
                to[0] = page;
                to[1] = 6;
                to[3] = 5;
                return 8;
        case 0x0e:                              /* audio control: nothing to be heard */
                memset(to, 0, 16);
                to[0] = page;
                to[1] = 14;
                to[2] = 4;
                return 16;
        case 0x2a:                              /* capabilities */
                memset(to, 0, 20);
                to[0] = page;
                to[1] = 18;
                to[4] = 0x70;                   /* mode 2 forms 1 and 2, several sessions */
                to[6] = (uint8_t)(0x29 | (drive->locked ? 2 : 0));      /* tray that can be locked and ejects */
                put16(to + 8, 706);             /* 4 times the speed of audio, in kB/s */
                put16(to + 12, 512);            /* KiB of buffer */
                put16(to + 14, 706);
                return 20;
        default:
                return 0;
        }
}

static void cd_mode_sense(struct ata_drive *drive, bool ten)
{
        static const uint8_t pages[] = { 0x01, 0x0e, 0x2a };
        const uint8_t *packet = drive->packet;
        uint8_t page = packet[2] & 0x3f, *to = drive->buffer;
        uint32_t header = ten ? 8 : 4, size = header;

        if (packet[2] >> 6 == 3) {
                cd_check(drive, SENSE_ILLEGAL_REQUEST, ASC_SAVING_UNSUPPORTED, 0);
                return;
        }
        memset(to, 0, header);
        if (page == 0x3f)
                for (unsigned i = 0; i < sizeof(pages); i++)
                        size += mode_page(drive, pages[i], to + size);
        else
                size += mode_page(drive, page, to + size);
        if (size == header) {
                cd_invalid(drive);
                return;
        }
        /* Values that can be changed: none. */
        if (packet[2] >> 6 == 1)
                for (uint32_t at = header; at < size; at += 2u + to[at + 1])
                        memset(to + at + 2, 0, to[at + 1]);
        if (ten)
                put16(to, size - 2);
        else
                to[0] = (uint8_t)(size - 1);
        to[ten ? 2 : 1] = !cd_ready(drive) ? (drive->tray_open ? 0x71 : 0x70) : 0x01;   /* medium type */
        cd_reply(drive, size, ten ? get16(packet + 7) : packet[4]);
}

/* One feature descriptor (MMC-3, 5.3); data follows the four bytes of the header. */
static uint32_t put_feature(uint8_t *to, unsigned number, uint8_t flags, const uint8_t *data, uint8_t size)
{
        put16(to, number);
        to[2] = flags;
        to[3] = size;
        memcpy(to + 4, data, size);
        return 4u + size;
}

static void cd_get_configuration(struct ata_drive *drive)
{
        static const struct { uint8_t number, flags, size, data[8]; } features[] = {
                { 0x00, 0x03, 4, { 0, PROFILE_CD_ROM, 1, 0 } },         /* profiles; byte 2: current */
                { 0x01, 0x03, 4, { 0, 0, 0, 2 } },                      /* core: ATAPI */
                { 0x03, 0x03, 4, { 0x29, 0, 0, 0 } },                   /* removable: tray, eject, lock */
                { 0x10, 0x01, 8, { 0, 0, 8, 0, 0, 1, 1, 0 } },          /* random readable: 2048 bytes */
                { 0x1e, 0x01, 4, { 0, 0, 0, 0 } },                      /* CD read */
        };
        const uint8_t *packet = drive->packet;
        uint32_t start = get16(packet + 2), size = 8;
        uint8_t *to = drive->buffer, which = packet[1] & 3;
        bool ready = cd_ready(drive);

        memset(to, 0, 8);
        if (ready)
                put16(to + 6, PROFILE_CD_ROM);
        for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
                bool current = ready || features[i].number == 0x01 || features[i].number == 0x03 || !features[i].number;

                /* All from a number on; only current ones; only that one. */
                if (which == 2 ? features[i].number != start : features[i].number < start || (which == 1 && !current))
                        continue;
                size += put_feature(to + size, features[i].number, features[i].flags & (current ? 0xff : 0xfe),
                                    features[i].data, features[i].size);
                if (!features[i].number && !ready)
                        to[size - 2] = 0;
        }
        put32(to, size - 4);
        cd_reply(drive, size, get16(packet + 7));
}

/* Polled only; the one class of events is that of the medium (bit 4). */
static void cd_event_status(struct ata_drive *drive)
{
        const uint8_t *packet = drive->packet;
        uint8_t *to = drive->buffer;

        if (!(packet[1] & 1)) {
                cd_invalid(drive);
                return;
        }
        memset(to, 0, 8);
        to[3] = 1 << 4;
        if (!(packet[4] & 1 << 4)) {
                to[1] = 2;
                to[2] = 0x80;                   /* no event of the classes asked for */
                cd_reply(drive, 4, get16(packet + 7));
                return;
        }
        to[1] = 6;
        to[2] = 4;
        to[4] = drive->media_event;
        to[5] = (uint8_t)((drive->tray_open ? 1 : 0) | (cd_ready(drive) ? 2 : 0));
        drive->media_event = 0;
        cd_reply(drive, 8, get16(packet + 7));
}

static void cd_disc_information(struct ata_drive *drive)
{
        uint8_t *to = drive->buffer;

        memset(to, 0, 34);
        put16(to, 32);
        to[2] = 0x0e;                           /* complete disc, last session complete */
        to[3] = to[4] = to[5] = to[6] = 1;      /* first track, sessions, tracks of the last session */
        to[7] = 0x20;                           /* unrestricted use */
        memset(to + 16, 0xff, 8);               /* no lead-in, no lead-out to be written */
        cd_reply(drive, 34, get16(drive->packet + 7));
}

static void cd_mechanism_status(struct ata_drive *drive)
{
        memset(drive->buffer, 0, 8);
        drive->buffer[1] = drive->tray_open ? 0x10 : 0;
        cd_reply(drive, 8, get16(drive->packet + 8));
}

static void cd_read_subchannel(struct ata_drive *drive)
{
        memset(drive->buffer, 0, 4);
        drive->buffer[1] = 0x15;                /* no audio status to tell */
        cd_reply(drive, 4, get16(drive->packet + 7));
}

/* LoEj and Start (byte 4): the tray opens or closes; what lies in it stays the same. */
static void cd_start_stop(struct ata_drive *drive)
{
        bool start = drive->packet[4] & 1, move = drive->packet[4] & 2;

        if (move && !start && drive->locked) {
                cd_check(drive, SENSE_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, ASCQ_REMOVAL_PREVENTED);
                return;
        }
        if (move && drive->tray_open == start) {
                drive->tray_open = !start;
                drive->media_event = drive->tray_open ? 3 : drive->block ? 2 : 0;
                drive->attention = start && drive->block;
        }
        cd_good(drive);
}

/* -- Packets ------------------------------------------------------------------------------------- */

/* Commands that work without a medium, and before the guest has heard of a new one. */
static bool needs_medium(uint8_t code)
{
        switch (code) {
        case PKT_TEST_UNIT_READY: case PKT_READ_CAPACITY: case PKT_READ_10: case PKT_READ_12: case PKT_READ_CD:
        case PKT_READ_TOC: case PKT_SEEK: case PKT_READ_SUBCHANNEL: case PKT_DISC_INFORMATION:
                return true;
        default:
                return false;
        }
}

static bool before_attention(uint8_t code)
{
        return code == PKT_INQUIRY || code == PKT_REQUEST_SENSE || code == PKT_GET_CONFIGURATION || code == PKT_EVENT_STATUS;
}

static void cd_packet(struct ata_drive *drive)
{
        const uint8_t *packet = drive->packet;

        TRACE(IO, "%s packet %02x lba %08x", drive->id, packet[0], get32(packet + 2));
        if (drive->attention && !before_attention(packet[0])) {
                drive->attention = false;
                cd_check(drive, SENSE_UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0);
                return;
        }
        if (needs_medium(packet[0]) && !cd_ready(drive)) {
                cd_no_medium(drive);
                return;
        }
        switch (packet[0]) {
        case PKT_TEST_UNIT_READY: case PKT_SET_SPEED:
                cd_good(drive);
                break;
        case PKT_PREVENT_ALLOW:
                drive->locked = packet[4] & 1;
                cd_good(drive);
                break;
        case PKT_REQUEST_SENSE:
                cd_request_sense(drive);
                break;
        case PKT_INQUIRY:
                cd_inquiry(drive);
                break;
        case PKT_MODE_SENSE_6:
        case PKT_MODE_SENSE_10:
                cd_mode_sense(drive, packet[0] == PKT_MODE_SENSE_10);
                break;
        case PKT_START_STOP:
                cd_start_stop(drive);
                break;
        case PKT_READ_CAPACITY:
                cd_read_capacity(drive);
                break;
        case PKT_READ_10:
                cd_read(drive, get32(packet + 2), get16(packet + 7));
                break;
        case PKT_READ_12:
                cd_read(drive, get32(packet + 2), get32(packet + 6));
                break;
        case PKT_READ_CD:
                cd_read_cd(drive);
                break;
        case PKT_SEEK:
                if (get32(packet + 2) < cd_sectors(drive))
                        cd_good(drive);
                else
                        cd_check(drive, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
                break;
        case PKT_READ_SUBCHANNEL:
                cd_read_subchannel(drive);
                break;
        case PKT_READ_TOC:
                cd_read_toc(drive);
                break;
        case PKT_GET_CONFIGURATION:
                cd_get_configuration(drive);
                break;
        case PKT_EVENT_STATUS:
                cd_event_status(drive);
                break;
        case PKT_DISC_INFORMATION:
                cd_disc_information(drive);
                break;
        case PKT_MECHANISM_STATUS:
                cd_mechanism_status(drive);
                break;
        default:
                guest_error("ide", "%s: unknown packet command %02xh", drive->id, packet[0]);
                cd_check(drive, SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
                break;
        }
}

/* -- ATA commands -------------------------------------------------------------------------------- */

static void cd_identify(struct ata_drive *drive)
{
        uint8_t *to = drive->buffer;
        char serial[21];

        memset(to, 0, 2 * IDENTIFY_WORDS);
        g_snprintf(serial, sizeof(serial), "LODGER-%s", drive->id);
        ata_put_word(to, 0, 0x85c0);            /* ATAPI, CD-ROM, removable, DRQ within 50 us, 12-byte packets */
        ata_put_string(to + 2 * 10, serial, 20);
        ata_put_string(to + 2 * 23, PACKAGE_VERSION, 8);
        ata_put_string(to + 2 * 27, "LODGER CD-ROM", 40);
        ata_put_word(to, 49, 1 << 11 | 1 << 9 | 1 << 8);
        ata_put_word(to, 53, 6);                /* words 64-70 and 88 are valid */
        ata_put_word(to, 63, 7 | (drive->transfer_mode >> 3 == MODE_MWDMA >> 3 ? 0x100u << (drive->transfer_mode & 7) : 0));
        ata_put_word(to, 64, 3);
        for (unsigned word = 65; word <= 68; word++)
                ata_put_word(to, word, 120);
        ata_put_word(to, 80, 0x7e);
        ata_put_word(to, 82, 1 << 14 | 1 << 9 | 1 << 4);        /* NOP, DEVICE RESET, PACKET */
        ata_put_word(to, 83, 1 << 14);
        ata_put_word(to, 84, 1 << 14);
        ata_put_word(to, 85, 1 << 14 | 1 << 9 | 1 << 4);
        ata_put_word(to, 87, 1 << 14);
        ata_put_word(to, 88, 7 | (drive->transfer_mode >> 3 == MODE_UDMA >> 3 ? 0x100u << (drive->transfer_mode & 7) : 0));
        drive->filled = 2 * IDENTIFY_WORDS;
        ata_data_in(drive, 0, drive->filled);
}

static void cd_set_features(struct ata_drive *drive)
{
        uint8_t mode = drive->count[0];

        if (drive->feature[0] != FEATURE_TRANSFER_MODE || (mode > MODE_PIO_4 && (mode < MODE_MWDMA || mode > MODE_MWDMA_2) &&
                                                            (mode < MODE_UDMA || mode > MODE_UDMA_2))) {
                ata_fail(drive, ATA_ABRT);
                return;
        }
        drive->transfer_mode = mode;
        ata_end(drive);
}

static void cd_start_packet(struct ata_drive *drive)
{
        uint32_t limit = (uint32_t)(drive->mid[0] | drive->high[0] << 8);

        /* 0 and FFFFh stand for the most that a block can have; blocks but the last are even. */
        drive->byte_limit = !limit || limit == 0xffff ? 0xfffe : limit == 1 ? 2 : limit & ~1u;
        drive->left = 0;
        drive->count[0] = REASON_COMMAND;
        ata_data_out(drive, ATA_PACKET_BYTES, false);
}

static void cd_command(struct ata_drive *drive, uint8_t command)
{
        switch (command) {
        case CMD_PACKET:
                cd_start_packet(drive);
                break;
        case CMD_IDENTIFY_PACKET:
                cd_identify(drive);
                break;
        case CMD_SET_FEATURES:
                cd_set_features(drive);
                break;
        case CMD_FLUSH: case CMD_STANDBY_NOW: case CMD_IDLE_NOW: case CMD_SLEEP: case CMD_STANDBY: case CMD_IDLE:
                ata_end(drive);
                break;
        case CMD_CHECK_POWER:
                drive->count[0] = 0xff;
                ata_end(drive);
                break;
        case CMD_IDENTIFY:
        case CMD_READ:
                /* So that a host learns that this is no disk (ATA/ATAPI-6, 8.15.5.2). */
                ata_signature(drive);
                ata_fail(drive, ATA_ABRT);
                break;
        default:
                ata_fail(drive, ATA_ABRT);
                break;
        }
}

static void cd_moved(struct ata_drive *drive)
{
        if (drive->command == CMD_IDENTIFY_PACKET) {
                drive->phase = ATA_IDLE;
                drive->status = ATA_DRDY;
        } else if (drive->phase == ATA_PIO_OUT || drive->phase == ATA_DMA_OUT) {
                memcpy(drive->packet, drive->buffer, ATA_PACKET_BYTES);
                drive->dma = drive->feature[0] & FEATURE_PACKET_DMA;
                drive->phase = ATA_IDLE;
                cd_packet(drive);
        } else if (drive->end < drive->filled) {
                cd_send(drive, drive->end);
        } else if (drive->left) {
                cd_read_more(drive);
        } else {
                cd_good(drive);
        }
}

static void cd_reset(struct ata_drive *drive, bool hard)
{
        drive->sense = drive->asc = drive->ascq = 0;
        drive->locked = false;
        if (!hard)
                return;
        drive->transfer_mode = MODE_PIO_4;
        drive->attention = false;
        drive->media_event = 0;
        drive->byte_limit = 2;
        if (drive->block)                       /* a machine that starts anew finds its CD */
                drive->tray_open = false;
}

const struct ata_ops atapi_cd_ops = { cd_command, cd_moved, cd_io_done, cd_reset };
