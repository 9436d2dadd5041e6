/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio_blk.c - block device (Virtio 1.2, 5.2): one queue, flush, discard, write zeroes, a write cache that
 * the driver can switch.
 *
 * A request is { type, reserved, sector }, data, and a status byte at its end.  Data goes through a buffer of
 * its own, so that a guest that takes its memory away, or resets the device, disturbs nothing: the image is
 * never read into or written from memory that the guest may be using for something else.
 *
 * Without FLUSH agreed on, or with the cache switched off, writes are durable when they complete (5.2.6.2).
 *
 * Not modelled: several queues, zones, secure erase, lifetime.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "devices/virtio/virtio.h"
#include "devices/virtio/virtio_blk.h"

enum { CLASS_CODE = 0x010000, QUEUE_SIZE = 256, SECTOR = 512 };
/* Features. */
enum {
        F_SEG_MAX = 1 << 2, F_GEOMETRY = 1 << 4, F_RO = 1 << 5, F_BLK_SIZE = 1 << 6, F_FLUSH = 1 << 9, F_TOPOLOGY = 1 << 10,
        F_CONFIG_WCE = 1 << 11, F_DISCARD = 1 << 13, F_WRITE_ZEROES = 1 << 14,
};
/* Offsets in the configuration. */
enum {
        CONFIG_CAPACITY = 0, CONFIG_SEG_MAX = 12, CONFIG_CYLINDERS = 16, CONFIG_HEADS = 18, CONFIG_SECTORS = 19, CONFIG_BLK_SIZE = 20,
        CONFIG_PHYSICAL_EXP = 24, CONFIG_MIN_IO = 26, CONFIG_WRITEBACK = 32, CONFIG_QUEUES = 34, CONFIG_DISCARD_SECTORS = 36,
        CONFIG_DISCARD_SEGMENTS = 40, CONFIG_DISCARD_ALIGNMENT = 44, CONFIG_ZERO_SECTORS = 48, CONFIG_ZERO_SEGMENTS = 52,
        CONFIG_ZERO_UNMAP = 56, CONFIG_BYTES = 60,
};
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_GET_ID = 8, TYPE_DISCARD = 11, TYPE_WRITE_ZEROES = 13 };
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPP = 2 };
enum { HEADER_BYTES = 16, ID_BYTES = 20, RANGE_BYTES = 16, RANGE_UNMAP = 1 };
/* Limits: of a request's data, of what all requests hold at once, of ranges in a discard. */
enum { DATA_MAX = 16 << 20, HELD_MAX = 64 << 20, SEGMENTS = 254, RANGES_MAX = 16, PAGE_ALIGN = 4096 };
#define RANGE_SECTORS_MAX UINT32_C(0x3fffff)

struct virtio_blk {
        struct virtio_device virtio;
        /* Host. */
        struct block *block;            /* NULL: no sectors */
        uint64_t held_bytes;            /* in buffers of requests */
        bool complained;                /* the user has been told of a host error */
};

static const struct state_field blk_fields[] = {
        STATE_STRUCT(struct virtio_blk, virtio, virtio_device_fields),
        STATE_SKIP(struct virtio_blk, block, "host side, connected by the machine"),
        STATE_SKIP(struct virtio_blk, held_bytes, "of requests, which end before a save"),
        STATE_SKIP(struct virtio_blk, complained, "about this host"),
        STATE_END
};

static const struct property blk_properties[] = {
        VIRTIO_PROPERTIES(struct virtio_blk, virtio),
        { 0 }
};

/* One request on its way through the image. */
struct work {
        struct virtio_blk *blk;
        struct virtio_request *request; /* NULL: a flush of our own */
        uint8_t *bytes;                 /* data, or NULL */
        size_t size;
        bool read;
        unsigned pending;               /* parts that have not completed */
        int error;
};

static uint64_t blk_sectors(const struct virtio_blk *blk)
{
        return blk->block ? block_size_bytes(blk->block) / SECTOR : 0;
}

static bool in_range(const struct virtio_blk *blk, uint64_t sector, uint64_t count)
{
        return sector <= blk_sectors(blk) && count <= blk_sectors(blk) - sector;
}

/* -- Ends of requests ---------------------------------------------------------------------------- */

static void finish(struct virtio_request *request, uint8_t status, uint32_t data)
{
        struct virtio_queue *queue = request->queue;

        /* The status is the last byte, wherever that is; data shorter than its buffers leaves a gap. */
        virtio_put(request, request->in_bytes - 1, &status, 1);
        virtio_push(request, data + 1);
        virtio_interrupt(queue);
}

static void work_free(struct work *work)
{
        work->blk->held_bytes -= work->size;
        free(work->bytes);
        g_free(work);
}

static void work_done(void *opaque, int error)
{
        struct work *work = opaque;
        struct virtio_blk *blk = work->blk;
        uint32_t data = 0;

        if (error)
                work->error = error;
        if (--work->pending)
                return;
        if (work->error && !blk->complained) {
                blk->complained = true;
                log_warning("%s: %s: %s; the guest is told of an error", blk->virtio.pci.device.id, block_path(blk->block),
                            g_strerror(work->error));
        }
        if (work->read && !work->error)
                data = (uint32_t)virtio_put(work->request, 0, work->bytes, work->size);
        if (work->request)
                finish(work->request, work->error == ENOTSUP ? STATUS_UNSUPP : work->error ? STATUS_IOERR : STATUS_OK, data);
        work_free(work);
}

/* -- Requests ------------------------------------------------------------------------------------ */

static struct work *work_new(struct virtio_blk *blk, struct virtio_request *request, size_t size)
{
        struct work *work = g_new0(struct work, 1);

        work->blk = blk;
        work->request = request;
        work->size = size;
        work->pending = 1;
        /* Aligned, so that files opened past the host's cache take it as it is. */
        if (size && posix_memalign((void **)&work->bytes, PAGE_ALIGN, size))
                g_error("out of memory for a request of %zu bytes", size);
        blk->held_bytes += size;
        return work;
}

/* FUA: the driver counts on no cache. */
static unsigned write_flags(const struct virtio_blk *blk)
{
        bool cached = virtio_has(&blk->virtio, F_FLUSH) &&
                      (!virtio_has(&blk->virtio, F_CONFIG_WCE) || blk->virtio.config[CONFIG_WRITEBACK]);

        return cached ? 0 : BLOCK_FUA;
}

static void transfer(struct virtio_blk *blk, struct virtio_request *request, uint64_t sector, bool write)
{
        uint64_t size = write ? request->out_bytes - HEADER_BYTES : request->in_bytes - 1;
        struct iovec iov;
        struct work *work;

        if (!blk->block || size % SECTOR || size > DATA_MAX || !in_range(blk, sector, size / SECTOR) ||
            (write && block_is_read_only(blk->block))) {
                guest_error(blk->virtio.pci.device.id, "%s of %" G_GUINT64_FORMAT " bytes at sector %" G_GUINT64_FORMAT " refused",
                            write ? "write" : "read", size, sector);
                finish(request, STATUS_IOERR, 0);
                return;
        }
        if (!size) {
                finish(request, STATUS_OK, 0);
                return;
        }
        work = work_new(blk, request, (size_t)size);
        work->read = !write;
        if (!write) {
                block_read(blk->block, sector * SECTOR, work->bytes, work->size, work_done, work);
                return;
        }
        if (virtio_get(request, HEADER_BYTES, work->bytes, work->size) != work->size) {
                virtio_push(request, 0);        /* the device has stopped */
                work_free(work);
                return;
        }
        iov = (struct iovec){ work->bytes, work->size };
        block_writev(blk->block, sector * SECTOR, &iov, 1, write_flags(blk), work_done, work);
}

/* DISCARD and WRITE_ZEROES: a list of { sector, count, flags }. */
static void ranges(struct virtio_blk *blk, struct virtio_request *request, bool zeroes)
{
        uint64_t size = request->out_bytes - HEADER_BYTES;
        uint8_t list[RANGES_MAX * RANGE_BYTES];
        struct work *work;

        if (!blk->block || !virtio_has(&blk->virtio, zeroes ? F_WRITE_ZEROES : F_DISCARD)) {
                finish(request, STATUS_UNSUPP, 0);
                return;
        }
        if (!size || size % RANGE_BYTES || size > sizeof(list) || block_is_read_only(blk->block)) {
                finish(request, STATUS_IOERR, 0);
                return;
        }
        if (virtio_get(request, HEADER_BYTES, list, (size_t)size) != size) {
                virtio_push(request, 0);
                return;
        }
        /* All are checked before any is carried out. */
        for (unsigned at = 0; at < size; at += RANGE_BYTES) {
                uint64_t sector = pci_get32(list, at) | (uint64_t)pci_get32(list, at + 4) << 32;
                uint32_t count = pci_get32(list, at + 8), flags = pci_get32(list, at + 12);

                if (flags & ~(uint32_t)(zeroes ? RANGE_UNMAP : 0)) {
                        finish(request, STATUS_UNSUPP, 0);
                        return;
                }
                if (count > RANGE_SECTORS_MAX || !in_range(blk, sector, count)) {
                        finish(request, STATUS_IOERR, 0);
                        return;
                }
        }
        work = work_new(blk, request, 0);
        work->pending = (unsigned)size / RANGE_BYTES;
        for (unsigned at = 0; at < size; at += RANGE_BYTES) {
                uint64_t offset = (pci_get32(list, at) | (uint64_t)pci_get32(list, at + 4) << 32) * SECTOR;
                uint64_t bytes = (uint64_t)pci_get32(list, at + 8) * SECTOR;
                unsigned flags = write_flags(blk) | (pci_get32(list, at + 12) & RANGE_UNMAP ? BLOCK_UNMAP : 0);

                if (zeroes)
                        block_write_zeroes(blk->block, offset, bytes, flags, work_done, work);
                else
                        block_discard(blk->block, offset, bytes, work_done, work);
        }
}

static void get_id(struct virtio_blk *blk, struct virtio_request *request)
{
        const char *serial = blk->block ? block_serial(blk->block) : NULL;
        char id[ID_BYTES] = "";

        if (serial)
                memcpy(id, serial, MIN(strlen(serial), sizeof(id)));
        else
                g_snprintf(id, sizeof(id), "LODGER-%s", blk->virtio.pci.device.id);
        finish(request, STATUS_OK, (uint32_t)virtio_put(request, 0, id, MIN(sizeof(id), request->in_bytes - 1)));
}

static void serve(struct virtio_blk *blk, struct virtio_request *request)
{
        uint8_t header[HEADER_BYTES];
        uint64_t sector;

        if (!request->in_bytes || request->out_bytes < HEADER_BYTES) {
                virtio_fail(&blk->virtio, "a request without header or status");
                virtio_push(request, 0);
                return;
        }
        if (virtio_get(request, 0, header, sizeof(header)) != sizeof(header)) {
                virtio_push(request, 0);
                return;
        }
        sector = pci_get32(header, 8) | (uint64_t)pci_get32(header, 12) << 32;
        switch (pci_get32(header, 0)) {
        case TYPE_IN:
        case TYPE_OUT:
                transfer(blk, request, sector, pci_get32(header, 0) == TYPE_OUT);
                break;
        case TYPE_FLUSH:
                if (blk->block && !block_is_read_only(blk->block))
                        block_flush(blk->block, work_done, work_new(blk, request, 0));
                else
                        finish(request, STATUS_OK, 0);
                break;
        case TYPE_GET_ID:
                get_id(blk, request);
                break;
        case TYPE_DISCARD:
        case TYPE_WRITE_ZEROES:
                ranges(blk, request, pci_get32(header, 0) == TYPE_WRITE_ZEROES);
                break;
        default:
                finish(request, STATUS_UNSUPP, 0);
                break;
        }
}

static void blk_notify(struct virtio_device *virtio, unsigned index)
{
        enum { RETRY_NS = 1000000 };
        struct virtio_blk *blk = (struct virtio_blk *)virtio;
        struct virtio_request *request;

        if (blk->block)
                block_begin(blk->block);
        while (blk->held_bytes < HELD_MAX && (request = virtio_pop(&virtio->queue[index])) != NULL)
                serve(blk, request);
        if (blk->held_bytes >= HELD_MAX)
                virtio_queue_again(&virtio->queue[index], RETRY_NS);
        if (blk->block)
                block_end(blk->block);
}

static void blk_reset_by_driver(struct virtio_device *virtio)
{
        virtio->config[CONFIG_WRITEBACK] = 1;
}

static void blk_config_written(struct virtio_device *virtio, unsigned offset, unsigned size)
{
        struct virtio_blk *blk = (struct virtio_blk *)virtio;

        /* What was written so far is to be as safe as what comes (5.2.5.2); nobody waits for it. */
        if (offset <= CONFIG_WRITEBACK && offset + size > CONFIG_WRITEBACK && !virtio->config[CONFIG_WRITEBACK] && blk->block &&
            !block_is_read_only(blk->block)) {
                struct work *work = work_new(blk, NULL, 0);

                block_flush(blk->block, work_done, work);
        }
}

static const struct virtio_ops blk_ops = { .notify = blk_notify, .reset = blk_reset_by_driver, .config_written = blk_config_written };

/* -- Life ---------------------------------------------------------------------------------------- */

void virtio_blk_connect(struct device *device, struct block *image)
{
        g_assert(!device->created);
        ((struct virtio_blk *)device)->block = image;
}

static void blk_fill_config(struct virtio_blk *blk)
{
        enum { HEADS = 16, SECTORS = 63, CYLINDERS_MAX = 16383, SECTORS_PER_4K_EXP = 3 };
        uint8_t *config = blk->virtio.config;
        uint64_t sectors = blk_sectors(blk);

        pci_put32(config, CONFIG_CAPACITY, (uint32_t)sectors);
        pci_put32(config, CONFIG_CAPACITY + 4, (uint32_t)(sectors >> 32));
        pci_put32(config, CONFIG_SEG_MAX, SEGMENTS);
        pci_put16(config, CONFIG_CYLINDERS, (uint16_t)MIN(sectors / (HEADS * SECTORS), CYLINDERS_MAX));
        config[CONFIG_HEADS] = HEADS;
        config[CONFIG_SECTORS] = SECTORS;
        pci_put32(config, CONFIG_BLK_SIZE, SECTOR);
        config[CONFIG_PHYSICAL_EXP] = SECTORS_PER_4K_EXP;       /* small writes cost more than those of 4 KiB */
        pci_put16(config, CONFIG_MIN_IO, 1 << SECTORS_PER_4K_EXP);
        config[CONFIG_WRITEBACK] = 1;
        pci_put16(config, CONFIG_QUEUES, 1);
        pci_put32(config, CONFIG_DISCARD_SECTORS, RANGE_SECTORS_MAX);
        pci_put32(config, CONFIG_DISCARD_SEGMENTS, RANGES_MAX);
        pci_put32(config, CONFIG_DISCARD_ALIGNMENT, 1 << SECTORS_PER_4K_EXP);
        pci_put32(config, CONFIG_ZERO_SECTORS, RANGE_SECTORS_MAX);
        pci_put32(config, CONFIG_ZERO_SEGMENTS, RANGES_MAX);
        config[CONFIG_ZERO_UNMAP] = 1;
        blk->virtio.config_writable[CONFIG_WRITEBACK] = 1;
}

static bool blk_create(struct device *device, GError **error)
{
        struct virtio_blk *blk = (struct virtio_blk *)device;
        bool read_only = blk->block && block_is_read_only(blk->block);
        uint64_t features = F_SEG_MAX | F_GEOMETRY | F_BLK_SIZE | F_TOPOLOGY;

        (void)error;
        features |= read_only ? F_RO : F_FLUSH | F_CONFIG_WCE | F_WRITE_ZEROES;
        if (!read_only && blk->block && block_can_discard(blk->block))
                features |= F_DISCARD;
        virtio_init(&blk->virtio, VIRTIO_BLOCK, CLASS_CODE, features, CONFIG_BYTES, &blk_ops);
        virtio_add_queue(&blk->virtio, QUEUE_SIZE);
        blk_fill_config(blk);
        return true;
}

static void blk_reset(struct device *device)
{
        virtio_device_reset((struct virtio_device *)device);
}

static bool blk_post_load(struct device *device, GError **error)
{
        struct virtio_blk *blk = (struct virtio_blk *)device;
        uint8_t writeback = blk->virtio.config[CONFIG_WRITEBACK] & 1;

        /* The disk is as large as this machine's image. */
        blk_fill_config(blk);
        blk->virtio.config[CONFIG_WRITEBACK] = writeback;
        return virtio_device_restored(&blk->virtio, error);
}

static void blk_destroy(struct device *device)
{
        struct virtio_blk *blk = (struct virtio_blk *)device;

        blk->virtio.generation++;               /* what still completes is only freed */
        if (blk->block) {
                block_drain(blk->block);
                block_close(blk->block);
        }
        virtio_device_destroy(&blk->virtio);
}

static const struct device_class blk_class = {
        .name = "virtio_blk",
        .description = "virtio disk",
        .size = sizeof(struct virtio_blk),
        .state = blk_fields,
        .properties = blk_properties,
        .create = blk_create,
        .reset = blk_reset,
        .post_load = blk_post_load,
        .destroy = blk_destroy,
};

DEVICE_CLASS(blk_class);
