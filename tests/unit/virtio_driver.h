/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_driver.h - a small virtio driver for tests: finds the device on a board, runs its queues. */
#ifndef LODGER_TESTS_VIRTIO_DRIVER_H
#define LODGER_TESTS_VIRTIO_DRIVER_H

#include "board_fixture.h"
#include "devices/virtio/virtio.h"

#define DRIVER_BAR UINT64_C(0xfe000000)
#define DRIVER_MSIX_BAR UINT64_C(0xfe010000)
enum { DRIVER_RINGS = 0x100000, DRIVER_RING_BYTES = 0x4000, DRIVER_VECTOR = 0x40 };

struct virtio_buffer {
        gpa_t gpa;
        uint32_t size;
        bool write;
};

struct virtio_driver_queue {
        gpa_t ring, driver, device;
        unsigned size;
        uint16_t avail, used;           /* split: indices; packed: places */
        bool avail_wrap, used_wrap;
        uint16_t slots[256];            /* packed: places of the chain with that id */
        uint16_t next_id;
        gpa_t last;                     /* the descriptor made last */
};

struct virtio_driver {
        struct board *board;
        struct device *bus, *device;
        uint64_t features;
        struct virtio_driver_queue queue[VIRTIO_QUEUES_MAX];
        unsigned interrupts;
        uint32_t last_message;
};

static inline uint32_t driver_config(struct virtio_driver *driver, unsigned offset, unsigned size)
{
        out(driver->board, 0xcf8, 1u << 31 | 3 << 11 | (offset & 0xfc), 4);
        return in(driver->board, (uint16_t)(0xcfc + (offset & 3)), size);
}

static inline void driver_config_set(struct virtio_driver *driver, unsigned offset, uint32_t value, unsigned size)
{
        out(driver->board, 0xcf8, 1u << 31 | 3 << 11 | (offset & 0xfc), 4);
        out(driver->board, (uint16_t)(0xcfc + (offset & 3)), value, size);
}

/* The common configuration structure. */
static inline uint32_t driver_get(struct virtio_driver *driver, unsigned offset, unsigned size)
{
        return (uint32_t)memory_mmio_read(driver->board->memory, DRIVER_BAR + offset, size);
}

static inline void driver_set(struct virtio_driver *driver, unsigned offset, uint32_t value, unsigned size)
{
        memory_mmio_write(driver->board->memory, DRIVER_BAR + offset, value, size);
}

static inline void driver_message(void *opaque, uint64_t address, uint32_t data)
{
        struct virtio_driver *driver = opaque;

        (void)address;
        driver->interrupts++;
        driver->last_message = data;
}

/* Makes the device, in slot 3, without starting it: properties and back ends come in between. */
static inline struct device *driver_make(struct virtio_driver *driver, struct board *board, const char *class_name)
{
        memset(driver, 0, sizeof(*driver));
        driver->board = board;
        driver->bus = device_new("pci", "pci", &board->env);
        driver->device = device_new(class_name, "device", &board->env);
        pci_attach(driver->bus, driver->device, PCI_DEVFN(3, 0));
        pci_bus_connect_messages(driver->bus, driver_message, driver);
        return driver->device;
}

static inline void driver_find(struct virtio_driver *driver)
{
        board_start(driver->board, driver->bus);
        board_start(driver->board, driver->device);
        driver_config_set(driver, 0x14, (uint32_t)DRIVER_MSIX_BAR, 4);
        driver_config_set(driver, 0x20, (uint32_t)DRIVER_BAR, 4);
        driver_config_set(driver, 0x24, 0, 4);
        driver_config_set(driver, 0x04, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

static inline struct device *driver_open(struct virtio_driver *driver, struct board *board, const char *class_name)
{
        driver_make(driver, board, class_name);
        driver_find(driver);
        return driver->device;
}

static inline void driver_close(struct virtio_driver *driver)
{
        lock_acquire(&driver->board->lock);
        device_free(driver->device);
        lock_release(&driver->board->lock);
        board_end(driver->board, driver->bus);
}

/* Agrees on features (VERSION_1 comes with them) and switches MSI-X on. */
static inline void driver_start(struct virtio_driver *driver, uint64_t features)
{
        unsigned at = driver_config(driver, 0x34, 1);

        features |= VIRTIO_F_VERSION_1;
        driver->features = features;
        while (driver_config(driver, at, 1) != PCI_CAP_MSIX)
                at = driver_config(driver, at + 1, 1);
        driver_config_set(driver, at + 2, 0x8000, 2);
        driver_set(driver, 0x14, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER, 1);
        for (unsigned half = 0; half < 2; half++) {
                driver_set(driver, 0x08, half, 4);
                driver_set(driver, 0x0c, (uint32_t)(features >> 32 * half), 4);
        }
        driver_set(driver, 0x14, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK, 1);
        ck_assert_uint_eq(driver_get(driver, 0x14, 1), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
}

static inline void driver_add_queue(struct virtio_driver *driver, unsigned n, unsigned size)
{
        struct virtio_driver_queue *queue = &driver->queue[n];
        gpa_t at = DRIVER_RINGS + (gpa_t)n * DRIVER_RING_BYTES;
        gpa_t entry = DRIVER_MSIX_BAR + 16 * (n + 1);

        memset(memory_ram(driver->board->memory) + at, 0, DRIVER_RING_BYTES);
        *queue = (struct virtio_driver_queue){ .ring = at, .driver = at + 0x2000, .device = at + 0x3000, .size = size,
                                               .avail_wrap = true, .used_wrap = true };
        driver_set(driver, 0x16, n, 2);
        driver_set(driver, 0x18, size, 2);
        driver_set(driver, 0x1a, n + 1, 2);
        ck_assert_uint_eq(driver_get(driver, 0x1a, 2), n + 1);
        driver_set(driver, 0x20, (uint32_t)queue->ring, 4);
        driver_set(driver, 0x28, (uint32_t)queue->driver, 4);
        driver_set(driver, 0x30, (uint32_t)queue->device, 4);
        driver_set(driver, 0x1c, 1, 2);
        memory_mmio_write(driver->board->memory, entry, 0xfee00000, 4);
        memory_mmio_write(driver->board->memory, entry + 8, DRIVER_VECTOR + n + 1, 4);
        memory_mmio_write(driver->board->memory, entry + 12, 0, 4);
}

static inline void driver_run(struct virtio_driver *driver)
{
        driver_set(driver, 0x14, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK, 1);
        ck_assert_uint_eq(driver_get(driver, 0x14, 1) & VIRTIO_NEEDS_RESET, 0);
}

static inline void driver_notify(struct virtio_driver *driver, unsigned n)
{
        memory_mmio_write(driver->board->memory, DRIVER_BAR + 0x3000 + 4 * n, n, 2);
}

static inline bool driver_is_packed(const struct virtio_driver *driver)
{
        return driver->features & VIRTIO_F_RING_PACKED;
}

static inline void driver_put_descriptor(uint8_t *at, const struct virtio_buffer *buffer, uint16_t flags, uint16_t link, bool packed)
{
        pci_put32(at, 0, (uint32_t)buffer->gpa);
        pci_put32(at, 4, (uint32_t)(buffer->gpa >> 32));
        pci_put32(at, 8, buffer->size);
        pci_put16(at, packed ? 12 : 14, link);
        pci_put16(at, packed ? 14 : 12, (uint16_t)(flags | (buffer->write ? 2 : 0)));
}

/* Makes a chain available; extra: more flags (4: indirect). */
static inline void driver_add_chain(struct virtio_driver *driver, unsigned n, const struct virtio_buffer *buffers, unsigned count,
                                    uint16_t extra)
{
        struct virtio_driver_queue *queue = &driver->queue[n];
        uint8_t *ram = memory_ram(driver->board->memory);

        if (driver_is_packed(driver)) {
                uint16_t id = queue->next_id++ & 0xff;

                queue->slots[id] = (uint16_t)count;
                for (unsigned i = 0; i < count; i++) {
                        uint16_t turn = queue->avail_wrap ? 1 << 7 : 1 << 15;

                        queue->last = queue->ring + 16u * queue->avail;
                        driver_put_descriptor(ram + queue->last, &buffers[i], (uint16_t)(turn | extra | (i + 1 < count)), id, true);
                        if (++queue->avail == queue->size) {
                                queue->avail = 0;
                                queue->avail_wrap = !queue->avail_wrap;
                        }
                }
        } else {
                /* Chains follow one another in the table; tests take answers before it wraps onto one in use. */
                unsigned head = queue->next_id % queue->size;

                if (head + count > queue->size)
                        head = 0;
                queue->next_id = (uint16_t)(head + count);
                for (unsigned i = 0; i < count; i++) {
                        queue->last = queue->ring + 16 * (head + i);
                        driver_put_descriptor(ram + queue->last, &buffers[i], (uint16_t)(extra | (i + 1 < count)),
                                              (uint16_t)(head + i + 1), false);
                }
                pci_put16(ram + queue->driver, 4 + 2 * (queue->avail % queue->size), (uint16_t)head);
                queue->avail++;
                pci_put16(ram + queue->driver, 2, queue->avail);
        }
}

static inline void driver_add(struct virtio_driver *driver, unsigned n, const struct virtio_buffer *buffers, unsigned count)
{
        driver_add_chain(driver, n, buffers, count, 0);
}

static inline void driver_add_indirect(struct virtio_driver *driver, unsigned n, gpa_t table, const struct virtio_buffer *buffers,
                                       unsigned count)
{
        uint8_t *at = memory_ram(driver->board->memory) + table;
        bool packed = driver_is_packed(driver);

        for (unsigned i = 0; i < count; i++)
                driver_put_descriptor(at + 16 * i, &buffers[i], !packed && i + 1 < count ? 1 : 0, packed ? 0 : (uint16_t)(i + 1), packed);
        driver_add_chain(driver, n, &(struct virtio_buffer){ table, 16 * count, false }, 1, 4);
}

/* Changes a 32-bit field of the descriptor made last. */
static inline void driver_patch_last(struct virtio_driver *driver, unsigned n, unsigned offset, uint32_t value)
{
        pci_put32(memory_ram(driver->board->memory) + driver->queue[n].last, offset, value);
}

/* Takes one answer; false: there is none. */
static inline bool driver_take(struct virtio_driver *driver, unsigned n, uint32_t *written)
{
        struct virtio_driver_queue *queue = &driver->queue[n];
        uint8_t *ram = memory_ram(driver->board->memory), *at;

        if (driver_is_packed(driver)) {
                uint16_t flags;

                at = ram + queue->ring + 16u * queue->used;
                flags = pci_get16(at, 14);
                if (!!(flags & 1 << 7) != !!(flags & 1 << 15) || !!(flags & 1 << 7) != queue->used_wrap)
                        return false;
                *written = pci_get32(at, 8);
                queue->used = (uint16_t)(queue->used + queue->slots[pci_get16(at, 12) & 0xff]);
                if (queue->used >= queue->size) {
                        queue->used = (uint16_t)(queue->used - queue->size);
                        queue->used_wrap = !queue->used_wrap;
                }
                return true;
        }
        if (pci_get16(ram + queue->device, 2) == queue->used)
                return false;
        at = ram + queue->device + 4 + 8 * (queue->used % queue->size);
        *written = pci_get32(at, 4);
        queue->used++;
        return true;
}

/* No interrupts at all, or (with event indices) one when `after` more answers than one have come. */
static inline void driver_suppress(struct virtio_driver *driver, unsigned n, bool all, unsigned after)
{
        struct virtio_driver_queue *queue = &driver->queue[n];
        uint8_t *at = memory_ram(driver->board->memory) + queue->driver;

        if (driver_is_packed(driver)) {
                unsigned place = queue->used + 2 * after;       /* chains of two */
                bool wrap = queue->used_wrap;

                if (place >= queue->size) {
                        place -= queue->size;
                        wrap = !wrap;
                }
                pci_put16(at, 0, (uint16_t)(place | wrap << 15));
                pci_put16(at, 2, all ? 1 : 2);
        } else if (driver->features & VIRTIO_F_EVENT_IDX) {
                pci_put16(at, 4 + 2 * queue->size, all ? (uint16_t)(queue->used + 0x4000) : (uint16_t)(queue->used + after));
        } else {
                pci_put16(at, 0, all);
        }
}

#endif
