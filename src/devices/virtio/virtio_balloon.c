/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio_balloon.c - memory balloon (Virtio 1.2, 5.5) with free page reporting.
 *
 * What the driver puts into the balloon, and free pages it reports, go back to the host at once
 * (memory_discard()) and read as zeroes when they come back.  With free page reporting alone, the target
 * being 0, an idle guest's process shrinks to what the guest uses.
 *
 * Queues are inflate, deflate and reporting.  Drivers number the queues by what was agreed on: without
 * statistics and hints, neither of which is offered, reports come on queue 2.
 *
 * Not modelled: statistics, free page hints, page poison.
 */
#include "base/log.h"
#include "devices/virtio/virtio.h"
#include "devices/virtio/virtio_balloon.h"

enum { CLASS_CODE = 0x00ff00, QUEUE_INFLATE = 0, QUEUE_DEFLATE = 1, QUEUE_REPORT = 2, QUEUE_SIZE = 128 };
enum { F_DEFLATE_ON_OOM = 1 << 2, F_REPORTING = 1 << 5 };
enum { CONFIG_PAGES = 0, CONFIG_ACTUAL = 4, CONFIG_BYTES = 8 };
/* Page frame numbers, of 4 KiB whatever the guest's pages are; as many as one request may bring. */
enum { PFN_BYTES = 4, PFNS_MAX = 4096, PFN_SHIFT = 12 };

struct virtio_balloon {
        struct virtio_device virtio;
        uint64_t given_back;            /* host: for statistics */
};

static const struct state_field balloon_fields[] = {
        STATE_STRUCT(struct virtio_balloon, virtio, virtio_device_fields),
        STATE_SKIP(struct virtio_balloon, given_back, "statistics of this host"),
        STATE_END
};

static const struct property balloon_properties[] = {
        VIRTIO_PROPERTIES(struct virtio_balloon, virtio),
        { 0 }
};

/* -- Pages ---------------------------------------------------------------------------------------- */

static void give_back(struct virtio_balloon *balloon, gpa_t gpa, uint64_t size)
{
        balloon->given_back += memory_discard(balloon->virtio.pci.device.env->memory, gpa, size);
}

/* A list of page numbers; neighbours go together. */
static void inflate(struct virtio_balloon *balloon, const struct virtio_request *request)
{
        uint8_t pfns[PFNS_MAX * PFN_BYTES];
        size_t size = virtio_get(request, 0, pfns, sizeof(pfns));
        gpa_t first = 0;
        uint64_t bytes = 0;

        for (size_t at = 0; at + PFN_BYTES <= size; at += PFN_BYTES) {
                gpa_t gpa = (gpa_t)pci_get32(pfns, (unsigned)at) << PFN_SHIFT;

                if (bytes && gpa == first + bytes) {
                        bytes += PAGE_SIZE;
                } else if (bytes && gpa + PAGE_SIZE == first) {         /* drivers often go downwards */
                        first = gpa;
                        bytes += PAGE_SIZE;
                } else {
                        give_back(balloon, first, bytes);
                        first = gpa;
                        bytes = PAGE_SIZE;
                }
        }
        give_back(balloon, first, bytes);
}

/* The buffers of a report are the free pages themselves. */
static void report(struct virtio_balloon *balloon, const struct virtio_request *request)
{
        for (unsigned i = 0; i < request->in_count; i++)
                give_back(balloon, request->segment[request->out_count + i].gpa, request->segment[request->out_count + i].size);
}

static void balloon_notify(struct virtio_device *virtio, unsigned index)
{
        struct virtio_balloon *balloon = (struct virtio_balloon *)virtio;
        struct virtio_queue *queue = &virtio->queue[index];
        struct virtio_request *request;

        while ((request = virtio_pop(queue)) != NULL) {
                if (index == QUEUE_INFLATE)
                        inflate(balloon, request);
                else if (index == QUEUE_REPORT)
                        report(balloon, request);
                /* Deflating needs nothing: the pages come back by being used. */
                virtio_push(request, 0);
        }
        virtio_interrupt(queue);
}

static void balloon_reset_by_driver(struct virtio_device *virtio)
{
        pci_put32(virtio->config, CONFIG_ACTUAL, 0);
}

static const struct virtio_ops balloon_ops = { .notify = balloon_notify, .reset = balloon_reset_by_driver };

/* -- For the machine ------------------------------------------------------------------------------- */

void virtio_balloon_set_target(struct device *device, uint64_t bytes)
{
        struct virtio_device *virtio = (struct virtio_device *)device;

        pci_put32(virtio->config, CONFIG_PAGES, (uint32_t)MIN(bytes >> PFN_SHIFT, (uint64_t)UINT32_MAX));
        virtio_config_changed(virtio);
}

uint64_t virtio_balloon_bytes(struct device *device)
{
        return (uint64_t)pci_get32(((struct virtio_device *)device)->config, CONFIG_ACTUAL) << PFN_SHIFT;
}

uint64_t virtio_balloon_given_back(struct device *device)
{
        return ((struct virtio_balloon *)device)->given_back;
}

/* -- Life ------------------------------------------------------------------------------------------ */

static bool balloon_create(struct device *device, GError **error)
{
        struct virtio_device *virtio = (struct virtio_device *)device;

        (void)error;
        virtio_init(virtio, VIRTIO_BALLOON, CLASS_CODE, F_DEFLATE_ON_OOM | F_REPORTING, CONFIG_BYTES, &balloon_ops);
        for (unsigned i = 0; i <= QUEUE_REPORT; i++)
                virtio_add_queue(virtio, QUEUE_SIZE);
        pci_put32(virtio->config_writable, CONFIG_ACTUAL, 0xffffffff);
        return true;
}

static void balloon_reset(struct device *device)
{
        virtio_device_reset((struct virtio_device *)device);
}

static bool balloon_post_load(struct device *device, GError **error)
{
        return virtio_device_restored((struct virtio_device *)device, error);
}

static void balloon_destroy(struct device *device)
{
        virtio_device_destroy((struct virtio_device *)device);
}

static const struct device_class balloon_class = {
        .name = "virtio_balloon",
        .description = "virtio memory balloon",
        .size = sizeof(struct virtio_balloon),
        .state = balloon_fields,
        .properties = balloon_properties,
        .create = balloon_create,
        .reset = balloon_reset,
        .post_load = balloon_post_load,
        .destroy = balloon_destroy,
};

DEVICE_CLASS(balloon_class);
