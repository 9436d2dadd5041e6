/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio.h - what a virtio device is made of (Virtual I/O Device Version 1.2): the modern PCI transport,
 * and its queues, split or packed, which a device sees as one thing.
 *
 * A device's struct starts with struct virtio_device.  Its life:
 *      create          virtio_init(), then virtio_add_queue() and config[] (the device's own space)
 *      reset           virtio_device_reset() (calls ops->reset)
 *      post_load       virtio_device_restored()
 *      destroy         virtio_device_destroy()
 *
 * Requests.  When the driver has something for queue n, ops->notify(device, n) takes requests until there
 * is none:
 *
 *      while ((request = virtio_pop(queue)) != NULL) {
 *              size_t got = virtio_get(request, 0, &header, sizeof(header));
 *              ...
 *              written = virtio_put(request, 0, &answer, sizeof(answer));
 *              virtio_push(request, written);
 *      }
 *      virtio_interrupt(queue);
 *
 * A request may be pushed later, from a completion; it stays valid until then, also over a reset of the
 * device, after which pushing it only frees it.  Every request that was popped must be pushed once.
 * A save happens only while a device holds none: its requests are completed first (drain), and a device
 * that waits for the host (receive queues) leaves buffers in the ring until it has something for them.
 *
 * What a guest puts into rings is not trusted.  What cannot be is reported and stops the device: its
 * status gets "needs reset", virtio_pop() gives NULL, and nothing else happens.  virtio_fail() does
 * the same for a device that finds a request of its own kind impossible.
 *
 * A driver that never stops making requests cannot keep its device's loop going for ever: after a ring's
 * worth virtio_pop() gives NULL, and ops->notify() is called again a little later; the same when as many
 * requests as the ring has places are out.
 *
 * Everything runs with the machine lock held.
 */
#ifndef LODGER_DEVICES_VIRTIO_VIRTIO_H
#define LODGER_DEVICES_VIRTIO_VIRTIO_H

#include "base/i18n.h"
#include "machine/pci.h"

enum { VIRTIO_QUEUES_MAX = 16, VIRTIO_QUEUE_SIZE_MAX = 1024, VIRTIO_SEGMENTS_MAX = 1024, VIRTIO_CONFIG_BYTES = 136 };

/* Device types (chapter 5). */
enum virtio_type {
        VIRTIO_NET = 1, VIRTIO_BLOCK = 2, VIRTIO_CONSOLE = 3, VIRTIO_ENTROPY = 4, VIRTIO_BALLOON = 5, VIRTIO_SCSI = 8,
        VIRTIO_INPUT = 18,
};

/* Feature bits of the transport and the rings (chapter 6); devices offer bits 0-23 and 50-63. */
#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1 (UINT64_C(1) << 32)
#define VIRTIO_F_RING_PACKED (UINT64_C(1) << 34)

/* Device status (2.1). */
enum {
        VIRTIO_ACKNOWLEDGE = 1, VIRTIO_DRIVER = 2, VIRTIO_DRIVER_OK = 4, VIRTIO_FEATURES_OK = 8, VIRTIO_NEEDS_RESET = 64,
        VIRTIO_FAILED = 128,
};

struct virtio_device;

struct virtio_segment {
        gpa_t gpa;
        uint32_t size;
};

struct virtio_queue {
        /* Saved: as the driver set them (R/W), reset 0. */
        uint16_t size;                  /* reset: size_max */
        uint16_t vector;                /* reset: none (FFFFh) */
        bool enabled;
        uint64_t descriptors, driver, device_area;      /* where the three parts of the ring are */
        /* Saved: where the device is.  Split: free-running indices.  Packed: slots, and the wrap counters. */
        uint16_t next_avail, next_used;
        bool avail_wrap, used_wrap;
        uint32_t pushed;                /* places given back since the driver was last interrupted, or chose not to be */
        /* Host: requests that are out, also of drivers that are gone; and how many may be taken before others get a turn. */
        unsigned outstanding, budget;
        /* Fixed. */
        uint16_t size_max, index;
        struct virtio_device *device;
};

/* A chain of buffers: first what the device reads, then what it writes. */
struct virtio_request {
        struct virtio_queue *queue;
        uint32_t generation;            /* of the device, to know a reset */
        uint16_t id;                    /* head descriptor or buffer id */
        uint16_t slots;                 /* ring places it takes (packed) */
        unsigned out_count, in_count;   /* segments */
        uint64_t out_bytes, in_bytes;
        struct virtio_segment segment[];        /* out_count, then in_count of them */
};

struct virtio_ops {
        /* The driver has told of something in queue n.  Only after DRIVER_OK, never while the device waits for a reset. */
        void (*notify)(struct virtio_device *device, unsigned queue);
        /* The driver reset the device, or the machine was reset; may be NULL. */
        void (*reset)(struct virtio_device *device);
        /* The driver has written config[offset, offset + size); may be NULL. */
        void (*config_written)(struct virtio_device *device, unsigned offset, unsigned size);
        /* DRIVER_OK was set: features and queues are what they are; may be NULL. */
        void (*ready)(struct virtio_device *device);
};

struct virtio_device {
        struct pci_device pci;
        struct pci_msix msix;
        /* Saved. */
        uint64_t driver_features;       /* R/W, reset 0 */
        uint32_t device_feature_select, driver_feature_select;  /* R/W, reset 0 */
        uint8_t status;                 /* R/W, reset 0 */
        uint8_t isr;                    /* R, cleared by reading, reset 0 */
        uint8_t config_generation;      /* R */
        uint16_t config_vector;         /* R/W, reset: none */
        uint16_t queue_select;          /* R/W, reset 0 */
        uint32_t again;                 /* queues that are to be notified when the timer ends */
        struct timer again_timer;
        struct virtio_queue queue[VIRTIO_QUEUES_MAX];
        uint8_t config[VIRTIO_CONFIG_BYTES];    /* device's own space, little-endian; kept over resets */
        /* Fixed by the class. */
        uint8_t config_writable[VIRTIO_CONFIG_BYTES];
        unsigned config_bytes, queues;
        uint64_t features;              /* offered */
        const struct virtio_ops *ops;
        struct memory_region *region;
        uint8_t access_capability;      /* offset of the PCI configuration access capability */
        uint32_t generation;            /* counts resets: of requests that are still out */
        bool packed;                    /* property: packed rings are offered */
};

extern const struct state_field virtio_device_fields[];

/* For property tables of devices: `packed`. */
#define VIRTIO_PROPERTIES(type, member) \
        { "packed", PROPERTY_BOOL, offsetof(type, member.packed), 0, 0, "on", NULL, N_("offer packed rings to the guest") }

/* -- For devices (virtio_pci.c) ------------------------------------------------------------------ */

/* features: the device's own bits; those of the rings are added.  class_code: PCI class, subclass, interface. */
void virtio_init(struct virtio_device *device, enum virtio_type type, uint32_t class_code, uint64_t features,
                 unsigned config_bytes, const struct virtio_ops *ops);
/* Queues get numbers 0, 1, ... in the order of the calls.  size: a power of two. */
struct virtio_queue *virtio_add_queue(struct virtio_device *device, unsigned size);
void virtio_device_destroy(struct virtio_device *device);
void virtio_device_reset(struct virtio_device *device);
bool virtio_device_restored(struct virtio_device *device, GError **error);

static inline bool virtio_has(const struct virtio_device *device, uint64_t feature)
{
        return device->driver_features & feature;
}

/* Whether the driver runs the device: requests can be made and answered. */
static inline bool virtio_is_running(const struct virtio_device *device)
{
        return (device->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

/* config[] has changed: the driver is told. */
void virtio_config_changed(struct virtio_device *device);
/* The guest did the impossible: a report, and the device stops until it is reset. */
void virtio_fail(struct virtio_device *device, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* -- Queues (virtio_ring.c) ---------------------------------------------------------------------- */

/* The next request, or NULL: there is none, or the queue or device is not running. */
struct virtio_request *virtio_pop(struct virtio_queue *queue);
/* Whether virtio_pop() would find one; asks the driver to notify when not. */
bool virtio_is_empty(struct virtio_queue *queue);
/* Whether the requests that wait have room for so many bytes to be written, all together; none is taken. */
bool virtio_has_room(struct virtio_queue *queue, uint64_t bytes);
/* Copies from the buffers the driver filled, at `offset` of them all together; gives the number of bytes, less
 * than size when the buffers end or are not in memory (which stops the device). */
size_t virtio_get(const struct virtio_request *request, uint64_t offset, void *to, size_t size);
/* Copies into the buffers the driver wants filled. */
size_t virtio_put(const struct virtio_request *request, uint64_t offset, const void *from, size_t size);
/* Gives the request back, with the number of bytes written to it from the front of its in-buffers, and frees it. */
void virtio_push(struct virtio_request *request, uint32_t written);
/* Interrupts the driver if it wants to hear of what was pushed; once after a batch. */
void virtio_interrupt(struct virtio_queue *queue);

/* Between the two files. */
void virtio_queue_reset(struct virtio_queue *queue);
/* Whether the ring's parts are where they may be. */
bool virtio_queue_is_sane(const struct virtio_queue *queue);
void virtio_queue_raise(struct virtio_queue *queue);
/* Has ops->notify() called for the queue from the main loop, delay_ns from now. */
void virtio_queue_again(struct virtio_queue *queue, int64_t delay_ns);

#endif
