/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scsi_common.h - what the virtio SCSI controller (virtio_scsi.c) and its disks (scsi_disk.c) share.
 *
 * The controller makes a command of each request and ends it with status and sense; a disk decides what it
 * means.  A command ends exactly once, in scsi_end(), scsi_reply() or scsi_check().
 */
#ifndef LODGER_DEVICES_VIRTIO_SCSI_COMMON_H
#define LODGER_DEVICES_VIRTIO_SCSI_COMMON_H

#include "devices/virtio/virtio.h"
#include "block/block.h"

enum { SCSI_CDB_BYTES = 32, SCSI_SENSE_BYTES = 18 };
enum { SCSI_GOOD = 0x00, SCSI_CHECK_CONDITION = 0x02, SCSI_TASK_SET_FULL = 0x28 };
enum { SCSI_SENSE_NONE = 0, SCSI_SENSE_MEDIUM = 3, SCSI_SENSE_ILLEGAL = 5, SCSI_SENSE_ATTENTION = 6, SCSI_SENSE_PROTECT = 7 };

struct scsi_command {
        struct virtio_request *request;
        struct block *block;
        const char *id;                 /* of the drive: "disk0" */
        uint8_t cdb[SCSI_CDB_BYTES];
        uint32_t out_at, in_at;         /* where data begins in the request's buffers */
        uint64_t out_size, in_size;     /* room for data */
        /* A disk's work on its image. */
        uint8_t *bytes;
        uint32_t size;
        bool read;
        unsigned pending;
        int error;
        uint64_t *held;                 /* bytes in buffers, of the whole controller */
};

/* Ends with GOOD; `size` bytes of data were asked for and moved. */
void scsi_end(struct scsi_command *command, uint64_t size);
/* Ends with GOOD and that data, as far as the guest has room. */
void scsi_reply(struct scsi_command *command, const void *data, uint32_t size);
void scsi_check(struct scsi_command *command, uint8_t key, uint8_t asc, uint8_t ascq);

/* -- scsi_disk.c --------------------------------------------------------------------------------- */

void scsi_disk_command(struct scsi_command *command);

static inline uint32_t scsi_get16(const uint8_t *at)
{
        return (uint32_t)(at[0] << 8 | at[1]);
}

static inline uint32_t scsi_get32(const uint8_t *at)
{
        return scsi_get16(at) << 16 | scsi_get16(at + 2);
}

static inline uint64_t scsi_get64(const uint8_t *at)
{
        return (uint64_t)scsi_get32(at) << 32 | scsi_get32(at + 4);
}

static inline void scsi_put16(uint8_t *at, uint32_t value)
{
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}

static inline void scsi_put32(uint8_t *at, uint32_t value)
{
        scsi_put16(at, value >> 16);
        scsi_put16(at + 2, value);
}

#endif
