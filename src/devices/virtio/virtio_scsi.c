/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio_scsi.c - SCSI host (Virtio 1.2, 5.6): eight targets with one logical unit each, disks (scsi_disk.c)
 * and CD drives.
 *
 * A CD drive is the one of the IDE channels: a request's CDB is given to it as a packet, and its data is
 * collected for the request.  It takes one command at a time; others wait in line.
 *
 * Task management answers at once: what a driver wants aborted still completes, which the standard allows
 * for aborts that come too late; a reset of a unit therefore reports "complete" when nothing is in line.
 *
 * Not modelled: events (hot plug, changes), several request queues, protection information.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "devices/storage/ata_common.h"
#include "devices/virtio/scsi_common.h"
#include "devices/virtio/virtio_scsi.h"

enum { CLASS_CODE = 0x010000, QUEUE_CONTROL = 0, QUEUE_EVENT = 1, QUEUE_REQUEST = 2, QUEUE_SIZE = 128, CONTROL_SIZE = 16 };
/* Offsets in the configuration. */
enum {
        CONFIG_QUEUES = 0, CONFIG_SEG_MAX = 4, CONFIG_MAX_SECTORS = 8, CONFIG_PER_LUN = 12, CONFIG_EVENT_SIZE = 16, CONFIG_SENSE_SIZE = 20,
        CONFIG_CDB_SIZE = 24, CONFIG_MAX_CHANNEL = 28, CONFIG_MAX_TARGET = 30, CONFIG_MAX_LUN = 32, CONFIG_BYTES = 36,
};
enum { SENSE_DEFAULT = 96, CDB_DEFAULT = 32, SENSE_MAX = 252, CDB_MAX = 255, MAX_SECTORS = 32768 };
/* Requests: { lun, tag, attribute, priority, crn, cdb } and { sense length, residual, qualifier, status, response, sense }. */
enum { REQUEST_CDB = 19, RESPONSE_BYTES = 12 };
enum { RESPONSE_OK = 0, RESPONSE_BAD_TARGET = 3, RESPONSE_FUNCTION_REJECTED = 11 };
enum { CONTROL_TMF = 0, CONTROL_QUERY = 1, CONTROL_SUBSCRIBE = 2 };
enum { REPORT_LUNS = 0xa0, CMD_PACKET = 0xa0, FEATURE_DMA = 1 };
enum { HELD_MAX = 64 << 20, RETRY_NS = 1000000 };

struct virtio_scsi;

struct scsi_unit {
        struct ata_drive drive;         /* of a CD; a disk has its id and image here, and no more */
        struct scsi_command *current;   /* CD: what it works on */
        GQueue waiting;                 /* CD: of struct scsi_command * */
        uint64_t moved;                 /* CD: bytes of the current one's data */
        bool busy;                      /* CD: cd_work() is on the stack */
        struct virtio_scsi *scsi;
};

struct virtio_scsi {
        struct virtio_device virtio;
        struct scsi_unit unit[VIRTIO_SCSI_TARGETS];
        uint64_t held_bytes;
};

static const struct state_field unit_fields[] = {
        STATE_STRUCT(struct scsi_unit, drive, ata_drive_fields),
        STATE_SKIP(struct scsi_unit, current, "commands end before a save"),
        STATE_SKIP(struct scsi_unit, waiting, "commands end before a save"),
        STATE_SKIP(struct scsi_unit, moved, "commands end before a save"),
        STATE_SKIP(struct scsi_unit, busy, "of a callback"),
        STATE_SKIP(struct scsi_unit, scsi, "wiring"),
        STATE_END
};

static const struct state_field scsi_fields[] = {
        STATE_STRUCT(struct virtio_scsi, virtio, virtio_device_fields),
        STATE_ARRAY(struct virtio_scsi, unit, VIRTIO_SCSI_TARGETS, unit_fields),
        STATE_SKIP(struct virtio_scsi, held_bytes, "of requests, which end before a save"),
        STATE_END
};

static const struct property scsi_properties[] = {
        VIRTIO_PROPERTIES(struct virtio_scsi, virtio),
        { 0 }
};

/* -- Ends of commands ----------------------------------------------------------------------------- */

static uint32_t sense_size(const struct virtio_device *virtio)
{
        return MIN(pci_get32(virtio->config, CONFIG_SENSE_SIZE), (uint32_t)SENSE_MAX);
}

static uint32_t cdb_size(const struct virtio_device *virtio)
{
        return MIN(pci_get32(virtio->config, CONFIG_CDB_SIZE), (uint32_t)CDB_MAX);
}

static void respond(struct virtio_request *request, uint8_t status, uint8_t response, const uint8_t *sense, uint64_t residual,
                    uint64_t data)
{
        struct virtio_queue *queue = request->queue;
        uint32_t room = sense_size(queue->device), used = sense ? MIN(room, (uint32_t)SCSI_SENSE_BYTES) : 0;
        uint8_t bytes[RESPONSE_BYTES + SENSE_MAX] = { 0 };

        pci_put32(bytes, 0, used);
        pci_put32(bytes, 4, (uint32_t)MIN(residual, (uint64_t)UINT32_MAX));
        bytes[10] = status;
        bytes[11] = response;
        if (used)
                memcpy(bytes + RESPONSE_BYTES, sense, used);
        virtio_put(request, 0, bytes, RESPONSE_BYTES + room);
        virtio_push(request, (uint32_t)MIN(RESPONSE_BYTES + room + data, (uint64_t)UINT32_MAX));
        virtio_interrupt(queue);
}

static void command_free(struct scsi_command *command)
{
        if (command->bytes) {
                *command->held -= command->size;
                free(command->bytes);
        }
        g_free(command);
}

void scsi_end(struct scsi_command *command, uint64_t size)
{
        uint64_t room = command->out_size ? command->out_size : command->in_size;

        respond(command->request, SCSI_GOOD, RESPONSE_OK, NULL, room - MIN(size, room), command->out_size ? 0 : MIN(size, room));
        command_free(command);
}

void scsi_reply(struct scsi_command *command, const void *data, uint32_t size)
{
        scsi_end(command, virtio_put(command->request, command->in_at, data, (size_t)MIN(size, command->in_size)));
}

void scsi_check(struct scsi_command *command, uint8_t key, uint8_t asc, uint8_t ascq)
{
        uint8_t sense[SCSI_SENSE_BYTES] = { 0x70, 0, key, [7] = SCSI_SENSE_BYTES - 8, [12] = asc, [13] = ascq };

        respond(command->request, SCSI_CHECK_CONDITION, RESPONSE_OK, sense,
                command->out_size ? command->out_size : command->in_size, 0);
        command_free(command);
}

/* -- CD drives ------------------------------------------------------------------------------------ */

static void cd_begin(struct scsi_unit *unit, struct scsi_command *command)
{
        struct ata_drive *drive = &unit->drive;

        unit->current = command;
        unit->moved = 0;
        drive->feature[0] = FEATURE_DMA;
        drive->mid[0] = drive->high[0] = 0xff;
        ata_drive_command(drive, CMD_PACKET);
}

/* The one loop that goes on with what there is to do. */
static void cd_work(struct scsi_unit *unit)
{
        struct ata_drive *drive = &unit->drive;

        if (unit->busy)
                return;
        unit->busy = true;
        for (;;) {
                if (!unit->current) {
                        struct scsi_command *command = g_queue_pop_head(&unit->waiting);

                        if (!command)
                                break;
                        cd_begin(unit, command);
                } else if (drive->phase == ATA_PIO_OUT || drive->phase == ATA_DMA_OUT) {
                        memcpy(drive->buffer, unit->current->cdb, ATA_PACKET_BYTES);
                        drive->position = drive->end;
                        drive->ops->moved(drive);
                } else if (drive->phase == ATA_PIO_IN || drive->phase == ATA_DMA_IN) {
                        struct scsi_command *command = unit->current;
                        uint32_t size = drive->end - drive->position;

                        if (unit->moved < command->in_size)
                                virtio_put(command->request, command->in_at + unit->moved, drive->buffer + drive->position,
                                           (size_t)MIN(size, command->in_size - unit->moved));
                        unit->moved += size;
                        drive->position = drive->end;
                        drive->ops->moved(drive);
                } else {
                        break;                  /* it works on its image */
                }
        }
        unit->busy = false;
}

static void cd_data(struct ata_drive *drive, bool interrupt)
{
        (void)interrupt;
        cd_work(drive->host_opaque);
}

static void cd_ended(struct ata_drive *drive)
{
        struct scsi_unit *unit = drive->host_opaque;
        struct scsi_command *command = unit->current;

        if (!command)
                return;
        unit->current = NULL;
        if (drive->status & ATA_ERR)
                scsi_check(command, drive->sense, drive->asc, drive->ascq);
        else
                scsi_end(command, unit->moved);
        cd_work(unit);
}

static const struct ata_host cd_host = { .data = cd_data, .ended = cd_ended };

/* -- Requests ------------------------------------------------------------------------------------- */

/* The unit behind an address: { 1, target, 40h | lun, lun } and zeroes (5.6.6.1); NULL: nobody. */
static struct scsi_unit *unit_of(struct virtio_scsi *scsi, const uint8_t *lun)
{
        if (lun[0] != 1 || lun[1] >= VIRTIO_SCSI_TARGETS || (lun[2] & 0x3f) || lun[3] || scsi->unit[lun[1]].drive.kind == ATA_NONE)
                return NULL;
        return &scsi->unit[lun[1]];
}

static void report_luns(struct scsi_command *command)
{
        uint8_t to[16] = { 0, 0, 0, 8 };        /* one entry: LUN 0 */

        scsi_reply(command, to, MIN(sizeof(to), scsi_get32(command->cdb + 6)));
}

static void serve(struct virtio_scsi *scsi, struct virtio_request *request)
{
        uint8_t header[REQUEST_CDB + CDB_MAX] = { 0 };
        uint32_t out_at = REQUEST_CDB + cdb_size(&scsi->virtio), in_at = RESPONSE_BYTES + sense_size(&scsi->virtio);
        struct scsi_command *command;
        struct scsi_unit *unit;

        if (request->out_bytes < out_at || request->in_bytes < in_at) {
                virtio_fail(&scsi->virtio, "a request without header or response");
                virtio_push(request, 0);
                return;
        }
        if (virtio_get(request, 0, header, out_at) != out_at) {
                virtio_push(request, 0);
                return;
        }
        unit = unit_of(scsi, header);
        if (!unit) {
                respond(request, 0, RESPONSE_BAD_TARGET, NULL, 0, 0);
                return;
        }
        command = g_new0(struct scsi_command, 1);
        command->request = request;
        command->block = unit->drive.block;
        command->id = unit->drive.id;
        memcpy(command->cdb, header + REQUEST_CDB, MIN(out_at - REQUEST_CDB, (uint32_t)SCSI_CDB_BYTES));
        command->out_at = out_at;
        command->in_at = in_at;
        command->out_size = request->out_bytes - out_at;
        command->in_size = request->in_bytes - in_at;
        command->held = &scsi->held_bytes;
        if (command->cdb[0] == REPORT_LUNS) {
                report_luns(command);
        } else if (unit->drive.kind == ATA_DISK) {
                scsi_disk_command(command);
        } else {
                g_queue_push_tail(&unit->waiting, command);
                cd_work(unit);
        }
}

/* Control requests: { type, ... } and, at the end of what the device writes, the response. */
static void control(struct virtio_scsi *scsi, struct virtio_request *request)
{
        uint8_t bytes[4], answer[5] = { 0 };
        size_t size = 0;

        if (virtio_get(request, 0, bytes, sizeof(bytes)) == sizeof(bytes)) {
                switch (pci_get32(bytes, 0)) {
                case CONTROL_TMF:
                        answer[0] = RESPONSE_OK;
                        size = 1;
                        break;
                case CONTROL_QUERY:
                case CONTROL_SUBSCRIBE:         /* no events: none of those asked for */
                        answer[4] = RESPONSE_OK;
                        size = 5;
                        break;
                default:
                        answer[0] = RESPONSE_FUNCTION_REJECTED;
                        size = 1;
                        break;
                }
        } else {
                virtio_fail(&scsi->virtio, "a control request without a type");
        }
        virtio_push(request, (uint32_t)virtio_put(request, 0, answer, size));
}

static void scsi_notify(struct virtio_device *virtio, unsigned index)
{
        struct virtio_scsi *scsi = (struct virtio_scsi *)virtio;
        struct virtio_queue *queue = &virtio->queue[index];
        struct virtio_request *request;

        if (index == QUEUE_EVENT)
                return;                         /* buffers for events stay in the ring */
        while (scsi->held_bytes < HELD_MAX && (request = virtio_pop(queue)) != NULL) {
                if (index == QUEUE_CONTROL)
                        control(scsi, request);
                else
                        serve(scsi, request);
        }
        if (scsi->held_bytes >= HELD_MAX)
                virtio_queue_again(queue, RETRY_NS);
        virtio_interrupt(queue);
}

static void scsi_fill_config(struct virtio_device *virtio)
{
        uint8_t *config = virtio->config;

        pci_put32(config, CONFIG_QUEUES, 1);
        pci_put32(config, CONFIG_SEG_MAX, 254);
        pci_put32(config, CONFIG_MAX_SECTORS, MAX_SECTORS);
        pci_put32(config, CONFIG_PER_LUN, QUEUE_SIZE);
        pci_put32(config, CONFIG_EVENT_SIZE, 16);
        pci_put32(config, CONFIG_SENSE_SIZE, SENSE_DEFAULT);
        pci_put32(config, CONFIG_CDB_SIZE, CDB_DEFAULT);
        pci_put16(config, CONFIG_MAX_TARGET, VIRTIO_SCSI_TARGETS - 1);
}

static const struct virtio_ops scsi_ops = { .notify = scsi_notify, .reset = scsi_fill_config };

/* -- Wiring and trays ----------------------------------------------------------------------------- */

static void scsi_add(struct device *device, unsigned target, const char *id, struct block *image, enum ata_kind kind)
{
        struct virtio_scsi *scsi = (struct virtio_scsi *)device;

        g_assert(target < VIRTIO_SCSI_TARGETS && device->created);
        ata_drive_attach(&scsi->unit[target].drive, kind, id, image);
}

void virtio_scsi_add_disk(struct device *device, unsigned target, const char *id, struct block *image)
{
        scsi_add(device, target, id, image, ATA_DISK);
}

void virtio_scsi_add_cd(struct device *device, unsigned target, const char *id, struct block *image)
{
        scsi_add(device, target, id, image, ATA_CD);
}

static struct ata_drive *find_cd(struct device *device, const char *id)
{
        struct virtio_scsi *scsi = (struct virtio_scsi *)device;

        for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++)
                if (scsi->unit[i].drive.kind == ATA_CD && !strcmp(scsi->unit[i].drive.id, id))
                        return &scsi->unit[i].drive;
        return NULL;
}

bool virtio_scsi_has_cd(struct device *device, const char *id)
{
        return find_cd(device, id) != NULL;
}

bool virtio_scsi_cd_change(struct device *device, const char *id, struct block *image, bool force, GError **error)
{
        return ata_drive_change_medium(find_cd(device, id), image, force, error);
}

/* -- Life ----------------------------------------------------------------------------------------- */

/* What a drive was at when its reset came: requests end unanswered, since the rings are gone. */
static void unit_abandon(struct scsi_unit *unit)
{
        struct scsi_command *command = unit->current;

        unit->current = NULL;
        do {
                if (command) {
                        virtio_push(command->request, 0);
                        command_free(command);
                }
        } while ((command = g_queue_pop_head(&unit->waiting)) != NULL);
}

static void scsi_reset(struct device *device)
{
        struct virtio_scsi *scsi = (struct virtio_scsi *)device;

        virtio_device_reset(&scsi->virtio);
        for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++) {
                unit_abandon(&scsi->unit[i]);
                ata_drive_reset(&scsi->unit[i].drive, true);
        }
}

static bool scsi_create(struct device *device, GError **error)
{
        struct virtio_scsi *scsi = (struct virtio_scsi *)device;

        (void)error;
        virtio_init(&scsi->virtio, VIRTIO_SCSI, CLASS_CODE, 0, CONFIG_BYTES, &scsi_ops);
        virtio_add_queue(&scsi->virtio, CONTROL_SIZE);
        virtio_add_queue(&scsi->virtio, CONTROL_SIZE);
        virtio_add_queue(&scsi->virtio, QUEUE_SIZE);
        pci_put32(scsi->virtio.config_writable, CONFIG_SENSE_SIZE, 0xffffffff);
        pci_put32(scsi->virtio.config_writable, CONFIG_CDB_SIZE, 0xffffffff);
        scsi_fill_config(&scsi->virtio);
        for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++) {
                scsi->unit[i].scsi = scsi;
                scsi->unit[i].drive.host = &cd_host;
                scsi->unit[i].drive.host_opaque = &scsi->unit[i];
                g_queue_init(&scsi->unit[i].waiting);
        }
        return true;
}

static bool scsi_post_load(struct device *device, GError **error)
{
        struct virtio_scsi *scsi = (struct virtio_scsi *)device;

        for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++) {
                if (!ata_drive_is_sane(&scsi->unit[i].drive)) {
                        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "virtio_scsi: impossible state of drive %u", i);
                        return false;
                }
                unit_abandon(&scsi->unit[i]);
                scsi->unit[i].drive.generation++;
                scsi->unit[i].drive.phase = ATA_IDLE;   /* no command is half done */
        }
        return virtio_device_restored(&scsi->virtio, error);
}

static void scsi_destroy(struct device *device)
{
        struct virtio_scsi *scsi = (struct virtio_scsi *)device;

        scsi->virtio.generation++;              /* what still completes is only freed */
        for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++) {
                unit_abandon(&scsi->unit[i]);
                ata_drive_destroy(&scsi->unit[i].drive);
        }
        virtio_device_destroy(&scsi->virtio);
}

static const struct device_class scsi_class = {
        .name = "virtio_scsi",
        .description = "virtio SCSI controller",
        .size = sizeof(struct virtio_scsi),
        .state = scsi_fields,
        .properties = scsi_properties,
        .create = scsi_create,
        .reset = scsi_reset,
        .post_load = scsi_post_load,
        .destroy = scsi_destroy,
};

DEVICE_CLASS(scsi_class);
