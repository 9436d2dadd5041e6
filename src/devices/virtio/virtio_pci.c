/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio_pci.c - the PCI transport of virtio devices (Virtio 1.2, 4.1), modern interface only.
 *
 * One 64-bit memory BAR (4) holds the four structures, a page each, in the order of enum page; vendor
 * capabilities say where.  BAR 1 is the MSI-X table.  A fifth capability lets a guest that cannot map a
 * BAR (firmware) reach it through configuration space.
 *
 * Interrupts: with MSI-X on, a vector each queue and for changes of the configuration, as the driver maps
 * them; otherwise INTx while ISR is not 0.
 *
 * Not modelled: the legacy and transitional interfaces (drivers from before 2016), reset of single
 * queues, notification data, shared memory.
 */
#include <stdarg.h>
#include <string.h>

#include "base/log.h"
#include "devices/virtio/virtio.h"

enum { VIRTIO_VENDOR = 0x1af4, VIRTIO_DEVICE_BASE = 0x1040, VIRTIO_SUBSYSTEM = 0x1100 };
enum { BAR_MSIX = 1, BAR_STRUCTURES = 4, BAR_PRIORITY = 20 };
enum page { PAGE_COMMON, PAGE_ISR, PAGE_DEVICE, PAGE_NOTIFY, STRUCTURE_PAGES };
enum { STRUCTURES_BYTES = STRUCTURE_PAGES * 4096, NOTIFY_MULTIPLIER = 4 };
/* Capabilities (4.1.4): cfg_type, and fields from the capability's start. */
enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4, CFG_PCI = 5 };
enum { CAP_LENGTH = 2, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_SIZE = 12, CAP_EXTRA = 16, CAP_BYTES = 16 };
/* Common configuration structure (4.1.4.3). */
enum {
        COMMON_DEVICE_FEATURE_SELECT = 0x00, COMMON_DEVICE_FEATURE = 0x04, COMMON_DRIVER_FEATURE_SELECT = 0x08,
        COMMON_DRIVER_FEATURE = 0x0c, COMMON_CONFIG_VECTOR = 0x10, COMMON_QUEUES = 0x12, COMMON_STATUS = 0x14,
        COMMON_GENERATION = 0x15, COMMON_QUEUE_SELECT = 0x16, COMMON_QUEUE_SIZE = 0x18, COMMON_QUEUE_VECTOR = 0x1a,
        COMMON_QUEUE_ENABLE = 0x1c, COMMON_QUEUE_NOTIFY_OFF = 0x1e, COMMON_QUEUE_DESC = 0x20, COMMON_QUEUE_DRIVER = 0x28,
        COMMON_QUEUE_DEVICE = 0x30, COMMON_BYTES = 0x38,
};
enum { NO_VECTOR = 0xffff };
enum { ISR_QUEUE = 1 << 0, ISR_CONFIG = 1 << 1 };

static const struct state_field queue_fields[] = {
        STATE_U16(struct virtio_queue, size),
        STATE_U16(struct virtio_queue, vector),
        STATE_BOOL(struct virtio_queue, enabled),
        STATE_U64(struct virtio_queue, descriptors),
        STATE_U64(struct virtio_queue, driver),
        STATE_U64(struct virtio_queue, device_area),
        STATE_U16(struct virtio_queue, next_avail),
        STATE_U16(struct virtio_queue, next_used),
        STATE_BOOL(struct virtio_queue, avail_wrap),
        STATE_BOOL(struct virtio_queue, used_wrap),
        STATE_U32(struct virtio_queue, pushed),
        STATE_SKIP(struct virtio_queue, outstanding, "requests end before a save"),
        STATE_SKIP(struct virtio_queue, budget, "of one turn of the device"),
        STATE_SKIP(struct virtio_queue, size_max, "fixed by the device's class"),
        STATE_SKIP(struct virtio_queue, index, "fixed by the device's class"),
        STATE_SKIP(struct virtio_queue, device, "identity"),
        STATE_END
};

const struct state_field virtio_device_fields[] = {
        STATE_STRUCT(struct virtio_device, pci, pci_device_fields),
        STATE_STRUCT(struct virtio_device, msix, pci_msix_fields),
        STATE_U64(struct virtio_device, driver_features),
        STATE_U32(struct virtio_device, device_feature_select),
        STATE_U32(struct virtio_device, driver_feature_select),
        STATE_U8(struct virtio_device, status),
        STATE_U8(struct virtio_device, isr),
        STATE_U8(struct virtio_device, config_generation),
        STATE_U16(struct virtio_device, config_vector),
        STATE_U16(struct virtio_device, queue_select),
        STATE_U32(struct virtio_device, again),
        STATE_TIMER(struct virtio_device, again_timer),
        STATE_ARRAY(struct virtio_device, queue, VIRTIO_QUEUES_MAX, queue_fields),
        STATE_BYTES(struct virtio_device, config),
        STATE_SKIP(struct virtio_device, config_writable, "fixed by the device's class"),
        STATE_SKIP(struct virtio_device, config_bytes, "fixed by the device's class"),
        STATE_SKIP(struct virtio_device, queues, "fixed by the device's class"),
        STATE_SKIP(struct virtio_device, features, "fixed by the device's class and properties"),
        STATE_SKIP(struct virtio_device, ops, "fixed by the device's class"),
        STATE_SKIP(struct virtio_device, region, "region, registered by create()"),
        STATE_SKIP(struct virtio_device, access_capability, "fixed by the device's class"),
        STATE_SKIP(struct virtio_device, generation, "of requests, which a save lets end"),
        STATE_SKIP(struct virtio_device, packed, "property"),
        STATE_END
};

/* -- Interrupts ---------------------------------------------------------------------------------- */

/* The only place that touches the interrupt pin. */
static void virtio_update(struct virtio_device *device)
{
        pci_set_intx(&device->pci, device->isr && !pci_msix_enabled(&device->pci));
}

static void virtio_raise(struct virtio_device *device, uint8_t isr, uint16_t vector)
{
        if (pci_msix_enabled(&device->pci)) {
                if (vector != NO_VECTOR)
                        pci_msix_send(&device->pci, vector);
        } else {
                device->isr |= isr;
                virtio_update(device);
        }
}

void virtio_queue_raise(struct virtio_queue *queue)
{
        virtio_raise(queue->device, ISR_QUEUE, queue->vector);
}

void virtio_config_changed(struct virtio_device *device)
{
        device->config_generation++;
        if (device->status & VIRTIO_DRIVER_OK)
                virtio_raise(device, ISR_CONFIG, device->config_vector);
}

void virtio_fail(struct virtio_device *device, const char *format, ...)
{
        va_list arguments;
        char *text;

        if (device->status & VIRTIO_NEEDS_RESET)
                return;                         /* the first finding is the finding */
        va_start(arguments, format);
        text = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        guest_error(device->pci.device.id, "%s; the device waits for a reset", text);
        g_free(text);
        device->status |= VIRTIO_NEEDS_RESET;
        virtio_config_changed(device);
}

/* -- Turns --------------------------------------------------------------------------------------- */

static void virtio_notify(struct virtio_device *device, unsigned queue)
{
        device->queue[queue].budget = device->queue[queue].size;
        if (virtio_is_running(device))
                device->ops->notify(device, queue);
}

void virtio_queue_again(struct virtio_queue *queue, int64_t delay_ns)
{
        struct virtio_device *device = queue->device;

        device->again |= 1u << queue->index;
        if (!timer_is_set(&device->again_timer))
                timer_set(&device->again_timer, clock_now_ns(device->pci.device.env->clock) + delay_ns);
}

static void virtio_again(void *opaque)
{
        struct virtio_device *device = opaque;
        uint32_t again = device->again;

        device->again = 0;
        for (unsigned i = 0; i < device->queues; i++)
                if (again >> i & 1)
                        virtio_notify(device, i);
}

/* -- Resets -------------------------------------------------------------------------------------- */

/* What the driver does by writing 0 to the status. */
static void virtio_reset(struct virtio_device *device)
{
        device->generation++;
        device->driver_features = 0;
        device->device_feature_select = device->driver_feature_select = 0;
        device->status = device->isr = 0;
        device->config_vector = NO_VECTOR;
        device->queue_select = 0;
        for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
                virtio_queue_reset(&device->queue[i]);
        device->again = 0;
        timer_cancel(&device->again_timer);
        if (device->ops->reset)
                device->ops->reset(device);
        virtio_update(device);
}

void virtio_device_reset(struct virtio_device *device)
{
        pci_device_reset(&device->pci);
        device->config_generation = 0;
        virtio_reset(device);
}

/* -- Common configuration ------------------------------------------------------------------------ */

static uint32_t feature_half(uint64_t features, uint32_t select)
{
        return select < 2 ? (uint32_t)(features >> 32 * select) : 0;
}

/* The selected queue, or one of size 0 that takes no writes. */
static struct virtio_queue *selected(struct virtio_device *device)
{
        return device->queue_select < device->queues ? &device->queue[device->queue_select] : NULL;
}

static uint64_t *queue_address(struct virtio_queue *queue, unsigned offset)
{
        switch (offset & ~7u) {
        case COMMON_QUEUE_DESC:
                return &queue->descriptors;
        case COMMON_QUEUE_DRIVER:
                return &queue->driver;
        default:
                return &queue->device_area;
        }
}

static uint32_t queue_read(const struct virtio_device *device, struct virtio_queue *queue, unsigned offset)
{
        (void)device;
        switch (offset) {
        case COMMON_QUEUE_SIZE:
                return queue->size;
        case COMMON_QUEUE_VECTOR:
                return queue->vector;
        case COMMON_QUEUE_ENABLE:
                return queue->enabled;
        case COMMON_QUEUE_NOTIFY_OFF:
                return queue->index;
        default:
                return (uint32_t)(*queue_address(queue, offset) >> (offset & 4 ? 32 : 0));
        }
}

/* The field at an offset that is one's first byte (or a half of a 64-bit one's). */
static uint32_t common_read(struct virtio_device *device, unsigned offset)
{
        struct virtio_queue *queue = selected(device);

        switch (offset) {
        case COMMON_DEVICE_FEATURE_SELECT:
                return device->device_feature_select;
        case COMMON_DEVICE_FEATURE:
                return feature_half(device->features, device->device_feature_select);
        case COMMON_DRIVER_FEATURE_SELECT:
                return device->driver_feature_select;
        case COMMON_DRIVER_FEATURE:
                return feature_half(device->driver_features, device->driver_feature_select);
        case COMMON_CONFIG_VECTOR:
                return device->config_vector;
        case COMMON_QUEUES:
                return device->queues;
        case COMMON_STATUS:
                return device->status;
        case COMMON_GENERATION:
                return device->config_generation;
        case COMMON_QUEUE_SELECT:
                return device->queue_select;
        default:
                if (offset >= COMMON_BYTES)
                        return 0;
                if (!queue)
                        return offset == COMMON_QUEUE_VECTOR ? NO_VECTOR : 0;
                return queue_read(device, queue, offset);
        }
}

static void status_write(struct virtio_device *device, uint8_t value)
{
        uint8_t added = value & (uint8_t)~device->status;

        if (!value) {
                virtio_reset(device);
                return;
        }
        /* Bits are only added; whether the device agrees to the features shows in FEATURES_OK (2.2.2). */
        added &= VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK | VIRTIO_FAILED;
        if ((added & VIRTIO_FEATURES_OK) &&
            ((device->driver_features & ~device->features) || !virtio_has(device, VIRTIO_F_VERSION_1))) {
                guest_error(device->pci.device.id, "features %#" G_GINT64_MODIFIER "x are not to be had", device->driver_features);
                added &= (uint8_t)~VIRTIO_FEATURES_OK;
        }
        if ((added & VIRTIO_DRIVER_OK) && !((device->status | added) & VIRTIO_FEATURES_OK)) {
                guest_error(device->pci.device.id, "DRIVER_OK without FEATURES_OK");
                added &= (uint8_t)~VIRTIO_DRIVER_OK;
        }
        device->status |= added;
        if ((added & VIRTIO_DRIVER_OK) && device->ops->ready)
                device->ops->ready(device);
}

static uint16_t vector_of(const struct virtio_device *device, uint32_t value)
{
        return value < device->msix.vectors ? (uint16_t)value : NO_VECTOR;
}

static void queue_enable(struct virtio_queue *queue)
{
        if (queue->enabled || !(queue->device->status & VIRTIO_FEATURES_OK))
                return;
        queue->enabled = true;
        if (!virtio_queue_is_sane(queue))
                virtio_fail(queue->device, "queue %u: impossible size %u or place", queue->index, queue->size);
}

static void queue_write(struct virtio_device *device, struct virtio_queue *queue, unsigned offset, uint32_t value)
{
        uint64_t *address;

        if (offset == COMMON_QUEUE_VECTOR) {
                queue->vector = vector_of(device, value);
                return;
        }
        if (queue->enabled) {
                guest_error(device->pci.device.id, "queue %u is changed while enabled", queue->index);
                return;
        }
        switch (offset) {
        case COMMON_QUEUE_SIZE:
                queue->size = (uint16_t)value;
                break;
        case COMMON_QUEUE_ENABLE:
                if (value == 1)
                        queue_enable(queue);
                break;
        case COMMON_QUEUE_NOTIFY_OFF:
                break;
        default:
                address = queue_address(queue, offset);
                if (offset & 4)
                        *address = (uint32_t)*address | (uint64_t)value << 32;
                else
                        *address = (*address & ~(uint64_t)UINT32_MAX) | value;
                break;
        }
}

static void common_write(struct virtio_device *device, unsigned offset, uint32_t value)
{
        struct virtio_queue *queue = selected(device);

        switch (offset) {
        case COMMON_DEVICE_FEATURE_SELECT:
                device->device_feature_select = value;
                break;
        case COMMON_DRIVER_FEATURE_SELECT:
                device->driver_feature_select = value;
                break;
        case COMMON_DRIVER_FEATURE:
                if (device->status & VIRTIO_FEATURES_OK)
                        guest_error(device->pci.device.id, "features are changed after they were agreed");
                else if (device->driver_feature_select == 0)
                        device->driver_features = (device->driver_features & ~(uint64_t)UINT32_MAX) | value;
                else if (device->driver_feature_select == 1)
                        device->driver_features = (uint32_t)device->driver_features | (uint64_t)value << 32;
                break;
        case COMMON_CONFIG_VECTOR:
                device->config_vector = vector_of(device, value);
                break;
        case COMMON_STATUS:
                status_write(device, (uint8_t)value);
                break;
        case COMMON_QUEUE_SELECT:
                device->queue_select = (uint16_t)value;
                break;
        case COMMON_DEVICE_FEATURE: case COMMON_QUEUES: case COMMON_GENERATION:
                break;                          /* read-only */
        default:
                if (offset < COMMON_BYTES && queue)
                        queue_write(device, queue, offset, value);
                break;
        }
}

/* -- The BAR ------------------------------------------------------------------------------------- */

static uint8_t isr_read(struct virtio_device *device)
{
        uint8_t isr = device->isr;

        device->isr = 0;
        virtio_update(device);
        return isr;
}

/* Fields of the common structure are accessed in their own width (4.1.3.1). */
static unsigned common_width(unsigned offset)
{
        if (offset < COMMON_CONFIG_VECTOR || offset >= COMMON_QUEUE_DESC)
                return 4;
        return offset == COMMON_STATUS || offset == COMMON_GENERATION ? 1 : 2;
}

static uint32_t structures_read(struct virtio_device *device, uint32_t offset, unsigned size)
{
        unsigned at = offset & 4095;
        uint32_t value = 0;

        switch ((enum page)(offset >> 12)) {
        case PAGE_COMMON:
                /* Narrower than the field: its bytes from there; wider ones come as one field after the other. */
                for (unsigned i = 0; i < size; i++) {
                        unsigned first = (at + i) & ~(common_width(at + i) - 1);

                        value |= (common_read(device, first) >> 8 * (at + i - first) & 0xff) << 8 * i;
                }
                return value;
        case PAGE_ISR:
                return at == 0 ? isr_read(device) : 0;
        case PAGE_DEVICE:
                for (unsigned i = 0; i < size && at + i < device->config_bytes; i++)
                        value |= (uint32_t)device->config[at + i] << 8 * i;
                return value;
        default:
                return 0;
        }
}

static void config_write(struct virtio_device *device, unsigned at, uint32_t value, unsigned size)
{
        bool any = false;

        for (unsigned i = 0; i < size && at + i < device->config_bytes; i++) {
                uint8_t mask = device->config_writable[at + i];

                device->config[at + i] = (uint8_t)((device->config[at + i] & ~mask) | ((value >> 8 * i) & mask));
                any |= mask != 0;
        }
        if (any && device->ops->config_written)
                device->ops->config_written(device, at, size);
}

static void structures_write(struct virtio_device *device, uint32_t offset, uint32_t value, unsigned size)
{
        unsigned at = offset & 4095;

        switch ((enum page)(offset >> 12)) {
        case PAGE_COMMON:
                while (size) {
                        unsigned width = common_width(at);

                        if (width > size || at % width) {
                                guest_error(device->pci.device.id, "a write to part of the field at %xh", at);
                                return;
                        }
                        common_write(device, at, width == 4 ? value : value & ((1u << 8 * width) - 1));
                        value = width == 4 ? 0 : value >> 8 * width;
                        at += width;
                        size -= width;
                }
                break;
        case PAGE_DEVICE:
                config_write(device, at, value, size);
                break;
        case PAGE_NOTIFY:
                if (at / NOTIFY_MULTIPLIER < device->queues)
                        virtio_notify(device, at / NOTIFY_MULTIPLIER);
                break;
        default:
                break;
        }
}

static uint64_t bar_read(void *opaque, uint64_t offset, unsigned size)
{
        return structures_read(opaque, (uint32_t)offset, size);
}

static void bar_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        structures_write(opaque, (uint32_t)offset, (uint32_t)value, size);
}

static const struct mmio_ops bar_ops = { bar_read, bar_write, 1, 4 };

/* -- Access through configuration space (4.1.4.9) ------------------------------------------------- */

/* The access that the guest has set up; false: none that can be made. */
static bool access_get(const struct virtio_device *device, uint32_t *offset, uint32_t *size)
{
        const uint8_t *at = device->pci.config + device->access_capability;

        *offset = pci_get32(at, CAP_OFFSET);
        *size = pci_get32(at, CAP_SIZE);
        return at[CAP_BAR] == BAR_STRUCTURES && (*size == 1 || *size == 2 || *size == 4) && *offset % *size == 0 &&
               *offset < STRUCTURES_BYTES;
}

static bool touches_access_data(const struct virtio_device *device, unsigned offset, unsigned size)
{
        unsigned data = device->access_capability + CAP_EXTRA;

        return device->access_capability && offset < data + 4 && offset + size > data;
}

static void virtio_config_reading(struct pci_device *pci, unsigned offset, unsigned size)
{
        struct virtio_device *device = (struct virtio_device *)pci;
        uint32_t at, width;

        if (touches_access_data(device, offset, size) && access_get(device, &at, &width))
                pci_put32(pci->config, device->access_capability + CAP_EXTRA, structures_read(device, at, width));
}

static void virtio_config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
        struct virtio_device *device = (struct virtio_device *)pci;
        uint32_t at, width;

        virtio_update(device);                  /* MSI-X may have been switched */
        if (touches_access_data(device, offset, size) && access_get(device, &at, &width))
                structures_write(device, at, pci_get32(pci->config, device->access_capability + CAP_EXTRA), width);
}

/* -- Making one ---------------------------------------------------------------------------------- */

static unsigned add_structure(struct pci_device *pci, uint8_t type, enum page page, uint32_t size, unsigned extra)
{
        unsigned at = pci_capability_add(pci, PCI_CAP_VENDOR, CAP_BYTES + extra);

        pci->defaults[at + CAP_LENGTH] = (uint8_t)(CAP_BYTES + extra);
        pci->defaults[at + CAP_TYPE] = type;
        pci->defaults[at + CAP_BAR] = type == CFG_PCI ? 0 : BAR_STRUCTURES;
        pci_put32(pci->defaults, at + CAP_OFFSET, (uint32_t)page * 4096);
        pci_put32(pci->defaults, at + CAP_SIZE, size);
        return at;
}

void virtio_init(struct virtio_device *device, enum virtio_type type, uint32_t class_code, uint64_t features,
                 unsigned config_bytes, const struct virtio_ops *ops)
{
        struct pci_device *pci = &device->pci;
        unsigned at;

        g_assert(config_bytes <= VIRTIO_CONFIG_BYTES);
        device->features = features | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 |
                           (device->packed ? VIRTIO_F_RING_PACKED : 0);
        device->config_bytes = config_bytes;
        device->ops = ops;
        timer_init(&device->again_timer, pci->device.env->clock, virtio_again, device);
        for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++) {
                device->queue[i].device = device;
                device->queue[i].index = (uint16_t)i;
        }
        pci_identify(pci, VIRTIO_VENDOR, (uint16_t)(VIRTIO_DEVICE_BASE + type), class_code, 1);
        pci_put16(pci->defaults, PCI_SUBSYSTEM_VENDOR, VIRTIO_VENDOR);
        pci_put16(pci->defaults, PCI_SUBSYSTEM, VIRTIO_SUBSYSTEM);
        pci->defaults[PCI_INTERRUPT_PIN] = 1;
        pci->config_reading = virtio_config_reading;
        pci->config_written = virtio_config_written;
        device->region = memory_map_mmio(pci->device.env->memory, 0, STRUCTURES_BYTES, &bar_ops, device, BAR_PRIORITY, "virtio");
        pci_bar_memory64(pci, BAR_STRUCTURES, STRUCTURES_BYTES, PCI_BAR_PREFETCH, device->region);
        pci_msix_add(pci, &device->msix, BAR_MSIX, 1);          /* virtio_add_queue() adds a vector each */
        add_structure(pci, CFG_COMMON, PAGE_COMMON, COMMON_BYTES, 0);
        add_structure(pci, CFG_ISR, PAGE_ISR, 4, 0);
        if (config_bytes)
                add_structure(pci, CFG_DEVICE, PAGE_DEVICE, config_bytes, 0);
        at = add_structure(pci, CFG_NOTIFY, PAGE_NOTIFY, VIRTIO_QUEUES_MAX * NOTIFY_MULTIPLIER, 4);
        pci_put32(pci->defaults, at + CAP_EXTRA, NOTIFY_MULTIPLIER);
        at = add_structure(pci, CFG_PCI, PAGE_COMMON, 0, 4);
        device->access_capability = (uint8_t)at;
        pci->writable[at + CAP_BAR] = 0xff;
        pci_put32(pci->writable, at + CAP_OFFSET, 0xffffffff);
        pci_put32(pci->writable, at + CAP_SIZE, 0xffffffff);
        pci_put32(pci->writable, at + CAP_EXTRA, 0xffffffff);
}

void virtio_device_destroy(struct virtio_device *device)
{
        timer_cancel(&device->again_timer);
}

struct virtio_queue *virtio_add_queue(struct virtio_device *device, unsigned size)
{
        struct virtio_queue *queue = &device->queue[device->queues];

        g_assert(device->queues < VIRTIO_QUEUES_MAX && size && size <= VIRTIO_QUEUE_SIZE_MAX && !(size & (size - 1)));
        device->queues++;
        queue->size_max = (uint16_t)size;
        pci_msix_set_vectors(&device->pci, device->queues + 1);
        memory_region_set_bells(device->region, PAGE_NOTIFY << 12, NOTIFY_MULTIPLIER, device->queues);
        return queue;
}

bool virtio_device_restored(struct virtio_device *device, GError **error)
{
        bool sane = !(device->driver_features & ~device->features) || !(device->status & VIRTIO_FEATURES_OK);

        for (unsigned i = 0; sane && i < VIRTIO_QUEUES_MAX; i++) {
                struct virtio_queue *queue = &device->queue[i];

                if (queue->vector != NO_VECTOR && queue->vector >= device->msix.vectors)
                        sane = false;
                if (i >= device->queues)
                        sane &= !queue->enabled;
                else if (queue->enabled && !(device->status & VIRTIO_NEEDS_RESET))
                        sane &= virtio_queue_is_sane(queue);
        }
        if (!sane || (device->config_vector != NO_VECTOR && device->config_vector >= device->msix.vectors) ||
            ((device->status & VIRTIO_DRIVER_OK) && !(device->status & VIRTIO_FEATURES_OK))) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: impossible state of a virtio device",
                            device->pci.device.id);
                return false;
        }
        device->generation++;
        device->isr &= ISR_QUEUE | ISR_CONFIG;
        pci_device_restored(&device->pci);
        virtio_update(device);
        return true;
}
