/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scsi_disk.c - commands of a SCSI disk (SPC-4, SBC-3): reads and writes of every length, the cache, UNMAP and
 * WRITE SAME, and what describes the disk.
 *
 * Not modelled: reservations, formatting, protection information, defect lists, changing mode pages.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "devices/virtio/scsi_common.h"

enum {
        TEST_UNIT_READY = 0x00, REQUEST_SENSE = 0x03, READ_6 = 0x08, WRITE_6 = 0x0a, INQUIRY = 0x12, MODE_SENSE_6 = 0x1a,
        START_STOP = 0x1b, PREVENT_ALLOW = 0x1e, READ_CAPACITY_10 = 0x25, READ_10 = 0x28, WRITE_10 = 0x2a, VERIFY_10 = 0x2f,
        SYNCHRONIZE_10 = 0x35, WRITE_SAME_10 = 0x41, UNMAP = 0x42, MODE_SENSE_10 = 0x5a, READ_16 = 0x88, WRITE_16 = 0x8a,
        VERIFY_16 = 0x8f, SYNCHRONIZE_16 = 0x91, WRITE_SAME_16 = 0x93, SERVICE_IN_16 = 0x9e, READ_12 = 0xa8, WRITE_12 = 0xaa,
};
enum { SERVICE_READ_CAPACITY = 0x10 };
enum { ASC_OPCODE = 0x20, ASC_LBA = 0x21, ASC_FIELD = 0x24, ASC_WRITE_ERROR = 0x0c, ASC_READ_ERROR = 0x11,
       ASC_PROTECTED = 0x27 };
enum { VPD_PAGES = 0x00, VPD_SERIAL = 0x80, VPD_IDENTITY = 0x83, VPD_LIMITS = 0xb0, VPD_CHARACTERISTICS = 0xb1, VPD_PROVISIONING = 0xb2 };
enum { SECTOR = 512, DATA_MAX = 16 << 20, UNMAP_RANGES_MAX = 64, PAGE_ALIGN = 4096, PHYSICAL_EXP = 3 };
enum { CDB_FUA = 1 << 3, CDB_UNMAP = 1 << 3, CDB_EVPD = 1 << 0 };

static uint64_t sectors_of(const struct scsi_command *command)
{
        return block_size_bytes(command->block) / SECTOR;
}

static bool in_range(const struct scsi_command *command, uint64_t lba, uint64_t count)
{
        return lba <= sectors_of(command) && count <= sectors_of(command) - lba;
}

static void bad_field(struct scsi_command *command)
{
        scsi_check(command, SCSI_SENSE_ILLEGAL, ASC_FIELD, 0);
}

/* -- What describes the disk ---------------------------------------------------------------------- */

static void serial_of(const struct scsi_command *command, char serial[21])
{
        if (block_serial(command->block))
                g_strlcpy(serial, block_serial(command->block), 21);
        else
                g_snprintf(serial, 21, "LODGER-%s", command->id);
}

static void inquiry_page(struct scsi_command *command)
{
        uint8_t to[64] = { 0 };
        char serial[21];
        unsigned size = 4;

        serial_of(command, serial);
        to[1] = command->cdb[2];
        switch (command->cdb[2]) {
        case VPD_PAGES:
                memcpy(to + 4, (const uint8_t[]){ VPD_PAGES, VPD_SERIAL, VPD_IDENTITY, VPD_LIMITS, VPD_CHARACTERISTICS,
                                                  VPD_PROVISIONING }, 6);
                size += 6;
                break;
        case VPD_SERIAL:
                memcpy(to + 4, serial, strlen(serial));
                size += (unsigned)strlen(serial);
                break;
        case VPD_IDENTITY:                      /* one designator: ASCII, vendor specific */
                to[4] = 2;
                to[7] = (uint8_t)strlen(serial);
                memcpy(to + 8, serial, strlen(serial));
                size += 4 + (unsigned)strlen(serial);
                break;
        case VPD_LIMITS:
                scsi_put16(to + 6, 1 << PHYSICAL_EXP);
                scsi_put32(to + 8, DATA_MAX / SECTOR);
                if (block_can_discard(command->block)) {
                        scsi_put32(to + 20, 0x3fffff);
                        scsi_put32(to + 24, UNMAP_RANGES_MAX);
                        scsi_put32(to + 28, 1 << PHYSICAL_EXP);
                }
                scsi_put32(to + 40, 0x3fffff);  /* WRITE SAME */
                size = 64;
                break;
        case VPD_CHARACTERISTICS:
                scsi_put16(to + 4, 1);          /* nothing turns */
                size = 64;
                break;
        case VPD_PROVISIONING:
                to[5] = block_can_discard(command->block) ? 0xe0 : 0;   /* UNMAP, WRITE SAME (16) and (10) */
                to[6] = block_can_discard(command->block) ? 2 : 0;      /* thin */
                size = 8;
                break;
        default:
                bad_field(command);
                return;
        }
        scsi_put16(to + 2, size - 4);
        scsi_reply(command, to, MIN(size, scsi_get16(command->cdb + 3)));
}

static void inquiry(struct scsi_command *command)
{
        uint8_t to[36] = { 0 };

        if (command->cdb[1] & CDB_EVPD) {
                inquiry_page(command);
                return;
        }
        to[2] = 6;                              /* SPC-4 */
        to[3] = 0x12;                           /* hierarchical addresses, format 2 */
        to[4] = sizeof(to) - 5;
        to[7] = 0x02;                           /* command queuing */
        memcpy(to + 8, "LODGER  ", 8);
        memcpy(to + 16, "HARDDISK        ", 16);
        memset(to + 32, ' ', 4);
        memcpy(to + 32, PACKAGE_VERSION, MIN(sizeof(PACKAGE_VERSION) - 1, 4));
        scsi_reply(command, to, MIN(sizeof(to), scsi_get16(command->cdb + 3)));
}

static void read_capacity_10(struct scsi_command *command)
{
        uint8_t to[8];

        scsi_put32(to, (uint32_t)MIN(sectors_of(command) - 1, (uint64_t)UINT32_MAX));
        scsi_put32(to + 4, SECTOR);
        scsi_reply(command, to, sizeof(to));
}

static void read_capacity_16(struct scsi_command *command)
{
        uint8_t to[32] = { 0 };
        uint64_t last = sectors_of(command) - 1;

        scsi_put32(to, (uint32_t)(last >> 32));
        scsi_put32(to + 4, (uint32_t)last);
        scsi_put32(to + 8, SECTOR);
        to[13] = PHYSICAL_EXP;
        to[14] = block_can_discard(command->block) ? 0x80 : 0;
        scsi_reply(command, to, MIN(sizeof(to), scsi_get32(command->cdb + 10)));
}

static void mode_sense(struct scsi_command *command, bool ten)
{
        uint8_t to[64] = { 0 }, page = command->cdb[2] & 0x3f, control = command->cdb[2] >> 6;
        unsigned header = ten ? 8 : 4, size = header;

        if (page != 0x08 && page != 0x0a && page != 0x3f) {
                bad_field(command);
                return;
        }
        if (page != 0x0a) {                     /* caching */
                to[size] = 0x08;
                to[size + 1] = 18;
                if (control != 1 && block_has_write_cache(command->block))
                        to[size + 2] = 1 << 2;
                size += 20;
        }
        if (page != 0x08) {                     /* control */
                to[size] = 0x0a;
                to[size + 1] = 10;
                size += 12;
        }
        to[ten ? 3 : 2] = (uint8_t)((block_is_read_only(command->block) ? 0x80 : 0) | 0x10);    /* write protect, DPO and FUA */
        if (ten)
                scsi_put16(to, size - 2);
        else
                to[0] = (uint8_t)(size - 1);
        scsi_reply(command, to, MIN(size, ten ? scsi_get16(command->cdb + 7) : command->cdb[4]));
}

/* -- Work on the image ---------------------------------------------------------------------------- */

static void work_done(void *opaque, int error)
{
        struct scsi_command *command = opaque;
        uint64_t moved = command->size;

        if (error)
                command->error = error;
        if (--command->pending)
                return;
        if (command->error) {
                log_warning("%s: %s: %s; the guest is told of an error", command->id, block_path(command->block),
                            g_strerror(command->error));
                scsi_check(command, SCSI_SENSE_MEDIUM, command->read ? ASC_READ_ERROR : ASC_WRITE_ERROR, 0);
                return;
        }
        if (command->read)
                moved = virtio_put(command->request, command->in_at, command->bytes, command->size);
        scsi_end(command, moved);
}

static bool may_write(struct scsi_command *command)
{
        if (!block_is_read_only(command->block))
                return true;
        scsi_check(command, SCSI_SENSE_PROTECT, ASC_PROTECTED, 0);
        return false;
}

static void buffer_new(struct scsi_command *command, uint32_t size)
{
        if (posix_memalign((void **)&command->bytes, PAGE_ALIGN, size))
                g_error("out of memory for a transfer of %u bytes", size);
        command->size = size;
        *command->held += size;
}

static void transfer(struct scsi_command *command, uint64_t lba, uint64_t count, bool write)
{
        uint64_t size = count * SECTOR;
        struct iovec iov;

        if (!in_range(command, lba, count)) {
                scsi_check(command, SCSI_SENSE_ILLEGAL, ASC_LBA, 0);
                return;
        }
        if (size > DATA_MAX || size > (write ? command->out_size : command->in_size)) {
                bad_field(command);
                return;
        }
        if (write && !may_write(command))
                return;
        if (!count) {
                scsi_end(command, 0);
                return;
        }
        buffer_new(command, (uint32_t)size);
        command->pending = 1;
        command->read = !write;
        if (!write) {
                block_read(command->block, lba * SECTOR, command->bytes, command->size, work_done, command);
                return;
        }
        if (virtio_get(command->request, command->out_at, command->bytes, command->size) != command->size) {
                scsi_check(command, SCSI_SENSE_ILLEGAL, ASC_FIELD, 0);  /* the device has stopped */
                return;
        }
        iov = (struct iovec){ command->bytes, command->size };
        block_writev(command->block, lba * SECTOR, &iov, 1,
                     command->cdb[0] != WRITE_6 && command->cdb[1] & CDB_FUA ? BLOCK_FUA : 0, work_done, command);
}

static void synchronize(struct scsi_command *command)
{
        if (block_is_read_only(command->block)) {
                scsi_end(command, 0);
                return;
        }
        command->pending = 1;
        block_flush(command->block, work_done, command);
}

/* The sectors become copies of one; only one of zeroes is known how to do well, others are written. */
static void write_same(struct scsi_command *command, uint64_t lba, uint64_t count)
{
        bool unmap = command->cdb[1] & CDB_UNMAP, no_data = command->cdb[0] == WRITE_SAME_16 && command->cdb[1] & 1;
        uint8_t sector[SECTOR] = { 0 };
        struct iovec iov;

        if (!may_write(command))
                return;
        if (!count)
                count = sectors_of(command) - MIN(lba, sectors_of(command));
        if (!in_range(command, lba, count)) {
                scsi_check(command, SCSI_SENSE_ILLEGAL, ASC_LBA, 0);
                return;
        }
        if (!no_data && virtio_get(command->request, command->out_at, sector, SECTOR) != SECTOR) {
                bad_field(command);
                return;
        }
        command->pending = 1;
        if (!sector[0] && !memcmp(sector, sector + 1, SECTOR - 1)) {
                block_write_zeroes(command->block, lba * SECTOR, count * SECTOR, unmap ? BLOCK_UNMAP : 0, work_done, command);
                return;
        }
        if (count * SECTOR > DATA_MAX) {
                bad_field(command);
                return;
        }
        buffer_new(command, (uint32_t)count * SECTOR);
        for (uint64_t i = 0; i < count; i++)
                memcpy(command->bytes + i * SECTOR, sector, SECTOR);
        iov = (struct iovec){ command->bytes, command->size };
        block_writev(command->block, lba * SECTOR, &iov, 1, 0, work_done, command);
}

static void unmap(struct scsi_command *command)
{
        uint8_t list[8 + 16 * UNMAP_RANGES_MAX];
        uint32_t size = MIN(scsi_get16(command->cdb + 7), (uint32_t)sizeof(list)), ranges;

        if (!may_write(command))
                return;
        if (size < 8 || size > command->out_size || virtio_get(command->request, command->out_at, list, size) != size) {
                if (!scsi_get16(command->cdb + 7))
                        scsi_end(command, 0);
                else
                        bad_field(command);
                return;
        }
        ranges = MIN(scsi_get16(list + 2), size - 8) / 16;
        for (uint32_t i = 0; i < ranges; i++) {
                if (!in_range(command, scsi_get64(list + 8 + 16 * i), scsi_get32(list + 16 + 16 * i))) {
                        scsi_check(command, SCSI_SENSE_ILLEGAL, ASC_LBA, 0);
                        return;
                }
        }
        if (!ranges) {
                scsi_end(command, 0);
                return;
        }
        command->pending = ranges;
        for (uint32_t i = 0; i < ranges; i++)
                block_discard(command->block, scsi_get64(list + 8 + 16 * i) * SECTOR,
                              (uint64_t)scsi_get32(list + 16 + 16 * i) * SECTOR, work_done, command);
}

/* -- Commands ------------------------------------------------------------------------------------- */

void scsi_disk_command(struct scsi_command *command)
{
        const uint8_t *cdb = command->cdb;

        switch (cdb[0]) {
        case TEST_UNIT_READY: case START_STOP: case PREVENT_ALLOW: case VERIFY_10: case VERIFY_16:
                scsi_end(command, 0);
                break;
        case REQUEST_SENSE: {
                uint8_t sense[SCSI_SENSE_BYTES] = { 0x70, [7] = SCSI_SENSE_BYTES - 8 };

                scsi_reply(command, sense, MIN(sizeof(sense), cdb[4]));         /* it went with the status */
                break;
        }
        case INQUIRY:
                inquiry(command);
                break;
        case MODE_SENSE_6:
        case MODE_SENSE_10:
                mode_sense(command, cdb[0] == MODE_SENSE_10);
                break;
        case READ_CAPACITY_10:
                read_capacity_10(command);
                break;
        case SERVICE_IN_16:
                if ((cdb[1] & 31) == SERVICE_READ_CAPACITY)
                        read_capacity_16(command);
                else
                        bad_field(command);
                break;
        case READ_6:
        case WRITE_6:
                transfer(command, scsi_get32(cdb) & 0x1fffff, cdb[4] ? cdb[4] : 256, cdb[0] == WRITE_6);
                break;
        case READ_10:
        case WRITE_10:
                transfer(command, scsi_get32(cdb + 2), scsi_get16(cdb + 7), cdb[0] == WRITE_10);
                break;
        case READ_12:
        case WRITE_12:
                transfer(command, scsi_get32(cdb + 2), scsi_get32(cdb + 6), cdb[0] == WRITE_12);
                break;
        case READ_16:
        case WRITE_16:
                transfer(command, scsi_get64(cdb + 2), scsi_get32(cdb + 10), cdb[0] == WRITE_16);
                break;
        case SYNCHRONIZE_10:
        case SYNCHRONIZE_16:
                synchronize(command);
                break;
        case WRITE_SAME_10:
                write_same(command, scsi_get32(cdb + 2), scsi_get16(cdb + 7));
                break;
        case WRITE_SAME_16:
                write_same(command, scsi_get64(cdb + 2), scsi_get32(cdb + 10));
                break;
        case UNMAP:
                unmap(command);
                break;
        default:
                scsi_check(command, SCSI_SENSE_ILLEGAL, ASC_OPCODE, 0);
                break;
        }
}
