/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ata_common.h - what controllers (ide.c, ahci.c) and the two kinds of drives (ata_disk.c, atapi_cd.c) share.
 *
 * A controller owns the registers, the interrupt and all movement of data between drive and guest; a drive
 * decides what a command means; ata_drive.c is what both kinds of drives have in common.  A command goes
 * through these calls:
 *
 *      ops->command()  the guest wrote the command register; the drive is not busy
 *      ata_read(), ata_write(), ata_flush()
 *                      the drive works on its image; it is busy (BSY) until ops->io_done()
 *      ata_data_in(), ata_data_out()
 *                      host->data(): the controller moves buffer[position, end), now or later; ops->moved() follows
 *      ata_end(), ata_fail()
 *                      the command is over; host->ended() interrupts the guest
 *
 * What is to happen in moved() and io_done() follows from saved fields alone (command, packet, left
 * and so on), so a drive can be saved wherever it is not working on its image.
 */
#ifndef LODGER_DEVICES_STORAGE_ATA_COMMON_H
#define LODGER_DEVICES_STORAGE_ATA_COMMON_H

#include "block/block.h"
#include "devices/device.h"

enum {
        ATA_SECTOR_BYTES = 512,
        ATA_MULTIPLE_MAX = 16,          /* sectors in a block of READ/WRITE MULTIPLE */
        ATA_BUFFER_BYTES = 65536,
        ATA_PACKET_BYTES = 12,
        ATA_NCQ_LOG_BYTES = 16,
};

/* Status and error registers (ATA/ATAPI-6, 7.15 and 7.9). */
enum {
        ATA_ERR = 1 << 0, ATA_DRQ = 1 << 3, ATA_DSC = 1 << 4, ATA_DF = 1 << 5, ATA_DRDY = 1 << 6, ATA_BSY = 1 << 7,
};
enum { ATA_ABRT = 1 << 2, ATA_IDNF = 1 << 4, ATA_UNC = 1 << 6 };
enum { ATA_DEVICE_LBA = 1 << 6, ATA_DEVICE_1 = 1 << 4, ATA_DEVICE_OBSOLETE = 0xa0 };

enum ata_kind { ATA_NONE, ATA_DISK, ATA_CD };

enum ata_phase {
        ATA_IDLE,
        ATA_WORKING,                    /* on its image; never saved */
        ATA_PIO_IN, ATA_PIO_OUT,        /* the guest reads or writes the data port */
        ATA_DMA_IN, ATA_DMA_OUT,        /* waits for the bus master */
        ATA_PHASES
};

struct ata_drive;

/* What a drive asks of its controller. */
struct ata_host {
        /* The phase is one of data; interrupt: the guest moves it by PIO and waits for a word. */
        void (*data)(struct ata_drive *drive, bool interrupt);
        void (*ended)(struct ata_drive *drive);
};

struct ata_ops {
        void (*command)(struct ata_drive *drive, uint8_t command);
        void (*moved)(struct ata_drive *drive);
        void (*io_done)(struct ata_drive *drive, int error);
        /* Power-on and hardware reset; SRST and DEVICE RESET keep what a user chose (ATA/ATAPI-6, 9.2). */
        void (*reset)(struct ata_drive *drive, bool hard);
};

extern const struct ata_ops ata_disk_ops, atapi_cd_ops;

struct ata_drive {
        /* Saved.  The task file; [1] holds what was written before, for 48-bit commands. */
        uint8_t feature[2], count[2], low[2], mid[2], high[2];
        uint8_t select;                 /* device register */
        uint8_t status, error;
        uint8_t command;
        uint8_t phase;                  /* enum ata_phase */
        bool dma;                       /* the command moves data by DMA */
        bool irq;                       /* INTRQ; a read of status clears it */
        bool lba48;                     /* the command uses 48-bit addresses */
        uint32_t position, end;         /* of the present data block in buffer; end <= filled */
        uint32_t filled;                /* valid bytes in buffer */
        uint64_t lba;                   /* next sector (512 or 2048 bytes) of the command */
        uint32_t left;                  /* sectors the command has yet to move */
        uint8_t multiple;               /* sectors in a block, 0: READ/WRITE MULTIPLE is off */
        uint8_t transfer_mode;          /* as SET FEATURES put it */
        bool write_cache;
        uint8_t heads, sectors;         /* geometry the guest chose */
        uint8_t packet[ATA_PACKET_BYTES];
        uint32_t byte_limit;            /* of a PIO block of a packet command */
        uint8_t sense, asc, ascq;
        uint8_t media_event;            /* for GET EVENT STATUS NOTIFICATION: 0, 1 eject asked for, 2 new, 3 removed */
        bool attention;                 /* the medium changed and the guest does not know */
        bool locked, tray_open;
        uint8_t ncq_log[ATA_NCQ_LOG_BYTES];     /* SATA: what the last queued command to fail left (log page 10h) */
        uint8_t buffer[ATA_BUFFER_BYTES];
        /* Wiring and host. */
        uint8_t kind;                   /* enum ata_kind, chosen before create() */
        uint8_t unit;                   /* 0 or 1 */
        char *id;                       /* "disk0", "cd0" */
        const struct ata_ops *ops;
        const struct ata_host *host;
        void *host_opaque;              /* the controller's */
        bool sata;                      /* behind a serial link: queued commands, TRIM, FUA */
        struct block *block;            /* NULL: an empty CD drive */
        uint32_t generation;            /* of the work on the image: what a reset leaves behind is dropped */
        bool complained;                /* the user has been told of a host error */
};

extern const struct state_field ata_drive_fields[];

/* -- ata_drive.c, for drives --------------------------------------------------------------------- */

/* Work on the image, with buffer[0, size). */
void ata_read(struct ata_drive *drive, uint64_t offset, uint32_t size);
void ata_write(struct ata_drive *drive, uint64_t offset, uint32_t size);
void ata_flush(struct ata_drive *drive);
void ata_discard(struct ata_drive *drive, uint64_t offset, uint64_t size);
/* buffer[from, to) goes to the guest; by PIO with an interrupt. */
void ata_data_in(struct ata_drive *drive, uint32_t from, uint32_t to);
/* The guest is to fill buffer[0, size); by PIO with an interrupt if so asked. */
void ata_data_out(struct ata_drive *drive, uint32_t size, bool interrupt);
/* The command is over, with interrupt. */
void ata_end(struct ata_drive *drive);
void ata_fail(struct ata_drive *drive, uint8_t error);
/* The task file says what the drive is (ATA/ATAPI-6, 9.12). */
void ata_signature(struct ata_drive *drive);

/* -- ata_drive.c, for controllers ---------------------------------------------------------------- */

/* Puts a drive into its place; takes the image over.  A CD drive may have none. */
void ata_drive_attach(struct ata_drive *drive, enum ata_kind kind, const char *id, struct block *image);
/* What all resets of a drive have in common; hard: power-on and hardware reset. */
void ata_drive_reset(struct ata_drive *drive, bool hard);
/* Begins a command whose registers are in the task file. */
void ata_drive_command(struct ata_drive *drive, uint8_t command);
/* Puts image (or nothing) in place of a CD drive's medium; see ide.h for force. */
bool ata_drive_change_medium(struct ata_drive *drive, struct block *image, bool force, GError **error);
/* Tells the user of the first host error, for requests a controller makes itself. */
void ata_drive_complain(struct ata_drive *drive, int error);
bool ata_drive_is_sane(const struct ata_drive *drive);
void ata_drive_destroy(struct ata_drive *drive);

/* Cylinders, heads and sectors as IDENTIFY DEVICE has them by default. */
void ata_disk_geometry(const struct ata_drive *drive, unsigned chs[3]);

/* A string as IDENTIFY DEVICE has it: padded with blanks, two characters to a word, the first on top. */
static inline void ata_put_string(uint8_t *to, const char *text, unsigned size)
{
        for (unsigned i = 0; i < size; i++)
                to[i ^ 1] = *text ? (uint8_t)*text++ : ' ';
}

static inline void ata_put_word(uint8_t *to, unsigned word, uint32_t value)
{
        to[2 * word] = (uint8_t)value;
        to[2 * word + 1] = (uint8_t)(value >> 8);
}

#endif
