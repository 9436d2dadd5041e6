/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg.c - the firmware configuration interface, as QEMU's documentation specifies it.
 *
 * A guest selects an item at port 510h and reads its bytes one by one at 511h, or hands the address
 * of a control block to the DMA registers at 514h, which copy any number of bytes at once:
 *
 *      struct { be32 control; be32 length; be64 address; }     control, from bit 0:
 *      error, read, skip, select (number in bits 16-31), write
 *
 * The device clears control when done, or leaves the error bit alone in it.  Items are read-only here,
 * so a write is an error.  Reading past an item's end gives zeros, as do items that do not exist.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "devices/chipset/fw_cfg.h"

enum { PORT_SELECTOR = 0x510, PORT_DATA = 0x511, PORT_DMA = 0x514 };
enum { DMA_ERROR = 1 << 0, DMA_READ = 1 << 1, DMA_SKIP = 1 << 2, DMA_SELECT = 1 << 3, DMA_WRITE = 1 << 4 };
enum { ID_TRADITIONAL = 1 << 0, ID_DMA = 1 << 1 };
#define DMA_SIGNATURE UINT64_C(0x51454d5520434647)      /* "QEMU CFG", big-endian */

enum { ITEMS = 0x80, NAME_BYTES = 56, DIRECTORY_ENTRY = 64 };

/* Bytes in memory, or a file's when bytes is NULL and size is not 0. */
struct item {
        GBytes *bytes;
        int fd;
        uint32_t size;
};

struct fw_cfg {
        struct device device;
        uint16_t selector;              /* saved: W, reset 0 */
        uint32_t offset;                /* saved: next byte of the item */
        uint32_t dma_high;              /* saved: upper half of the control block's address */
        struct item item[ITEMS];        /* what the machine was configured with */
        unsigned files;
};

static const struct state_field fw_cfg_fields[] = {
        STATE_SKIP(struct fw_cfg, device, "identity"),
        STATE_U16(struct fw_cfg, selector),
        STATE_U32(struct fw_cfg, offset),
        STATE_U32(struct fw_cfg, dma_high),
        STATE_SKIP(struct fw_cfg, item, "made from the machine's configuration"),
        STATE_SKIP(struct fw_cfg, files, "made from the machine's configuration"),
        STATE_END
};

/* -- Items -------------------------------------------------------------------------------------- */

static void item_clear(struct item *item)
{
        if (item->bytes)
                g_bytes_unref(item->bytes);
        else if (item->size)
                close(item->fd);
        *item = (struct item){ 0 };
}

void fw_cfg_set(struct device *device, enum fw_cfg_item number, GBytes *bytes)
{
        struct item *item = &((struct fw_cfg *)device)->item[number];

        g_assert((unsigned)number < ITEMS && g_bytes_get_size(bytes) <= UINT32_MAX);
        item_clear(item);
        item->bytes = bytes;
        item->size = (uint32_t)g_bytes_get_size(bytes);
}

void fw_cfg_set_file(struct device *device, enum fw_cfg_item number, int fd, uint32_t size)
{
        struct item *item = &((struct fw_cfg *)device)->item[number];

        g_assert((unsigned)number < ITEMS && size);
        item_clear(item);
        item->fd = fd;
        item->size = size;
}

static void fw_cfg_set_little_endian(struct device *device, enum fw_cfg_item item, uint64_t value, unsigned size)
{
        uint8_t bytes[8];

        for (unsigned i = 0; i < size; i++)
                bytes[i] = (uint8_t)(value >> 8 * i);
        fw_cfg_set(device, item, g_bytes_new(bytes, size));
}

void fw_cfg_set_u16(struct device *device, enum fw_cfg_item item, uint16_t value)
{
        fw_cfg_set_little_endian(device, item, value, 2);
}

void fw_cfg_set_u32(struct device *device, enum fw_cfg_item item, uint32_t value)
{
        fw_cfg_set_little_endian(device, item, value, 4);
}

void fw_cfg_set_u64(struct device *device, enum fw_cfg_item item, uint64_t value)
{
        fw_cfg_set_little_endian(device, item, value, 8);
}

static void put_big_endian(uint8_t *to, uint64_t value, unsigned size)
{
        for (unsigned i = 0; i < size; i++)
                to[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static uint64_t get_big_endian(const uint8_t *from, unsigned size)
{
        uint64_t value = 0;

        for (unsigned i = 0; i < size; i++)
                value = value << 8 | from[i];
        return value;
}

/* The directory is an item itself: be32 count, then { be32 size; be16 item; be16 0; char name[56] }. */
void fw_cfg_add_file(struct device *device, const char *name, GBytes *bytes)
{
        struct fw_cfg *cfg = (struct fw_cfg *)device;
        unsigned number = FW_CFG_FILE_FIRST + cfg->files;
        gsize old_size;
        const void *old = g_bytes_get_data(cfg->item[FW_CFG_FILE_DIR].bytes, &old_size);
        gsize size = 4 + (gsize)(cfg->files + 1) * DIRECTORY_ENTRY;
        uint8_t *directory = g_malloc0(size), *entry = directory + size - DIRECTORY_ENTRY;

        g_assert(strlen(name) < NAME_BYTES && number < ITEMS);
        memcpy(directory, old, old_size);
        put_big_endian(directory, ++cfg->files, 4);
        put_big_endian(entry, g_bytes_get_size(bytes), 4);
        put_big_endian(entry + 4, number, 2);
        strcpy((char *)entry + 8, name);
        fw_cfg_set(device, FW_CFG_FILE_DIR, g_bytes_new_take(directory, size));
        fw_cfg_set(device, (enum fw_cfg_item)number, bytes);
}

static const struct item *fw_cfg_selected(const struct fw_cfg *cfg)
{
        static const struct item none;

        return cfg->selector < ITEMS ? &cfg->item[cfg->selector] : &none;
}

/* Bytes of an item, all of them there.  False: its file has become shorter, or cannot be read. */
static bool item_read(const struct item *item, uint32_t offset, uint8_t *to, uint32_t size)
{
        ssize_t done;

        if (item->bytes) {
                memcpy(to, (const uint8_t *)g_bytes_get_data(item->bytes, NULL) + offset, size);
                return true;
        }
        do
                done = pread(item->fd, to, size, offset);
        while (done < 0 && errno == EINTR);
        if (done == (ssize_t)size)
                return true;
        log_error("a kernel's or initrd's file cannot be read any more: %s",
                  done < 0 ? g_strerror(errno) : "it has become shorter");
        return false;
}

/* -- Ports -------------------------------------------------------------------------------------- */

static void fw_cfg_select(struct fw_cfg *cfg, uint16_t selector)
{
        cfg->selector = selector;
        cfg->offset = 0;
        TRACE(BOOT, "fw_cfg: item %02xh", selector);
}

static uint32_t fw_cfg_read(void *opaque, uint16_t port, unsigned size)
{
        struct fw_cfg *cfg = opaque;
        const struct item *item = fw_cfg_selected(cfg);
        uint8_t byte = 0;

        (void)size;
        if (port == PORT_DATA && cfg->offset < item->size)
                item_read(item, cfg->offset++, &byte, 1);
        return byte;
}

static void fw_cfg_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        if (port == PORT_SELECTOR && size == 2)
                fw_cfg_select(opaque, (uint16_t)value);
        else
                guest_error("fw_cfg", "%u-byte write to port %03xh", size, port);
}

/* Copies length bytes of the selected item to the guest; what lies past its end is zeros. */
static bool fw_cfg_dma_copy(struct fw_cfg *cfg, uint64_t address, uint32_t length)
{
        enum { PIECE = 64 << 10 };
        struct memory *memory = cfg->device.env->memory;
        const struct item *item = fw_cfg_selected(cfg);
        uint32_t there = cfg->offset < item->size ? MIN(item->size - cfg->offset, length) : 0;
        uint8_t *buffer;
        bool ok = true;

        if (item->bytes && there == length)             /* the usual case needs no copy */
                return memory_write(memory, address,
                                    (const uint8_t *)g_bytes_get_data(item->bytes, NULL) + cfg->offset, length);
        buffer = g_malloc(PIECE);
        for (uint32_t done = 0; ok && done < length;) {
                uint32_t size = MIN((uint32_t)PIECE, length - done), real = done < there ? MIN(size, there - done) : 0;

                ok = !real || item_read(item, cfg->offset + done, buffer, real);
                memset(buffer + real, 0, size - real);
                ok = ok && memory_write(memory, address + done, buffer, size);
                done += size;
        }
        g_free(buffer);
        return ok;
}

static void fw_cfg_dma(struct fw_cfg *cfg, uint64_t block)
{
        struct memory *memory = cfg->device.env->memory;
        uint8_t bytes[16], status[4] = { 0 };
        uint32_t control, length;
        bool ok = true;

        if (!memory_read(memory, block, bytes, sizeof(bytes))) {
                guest_error("fw_cfg", "control block at %#" PRIx64 " is not in memory", block);
                return;
        }
        control = (uint32_t)get_big_endian(bytes, 4);
        length = (uint32_t)get_big_endian(bytes + 4, 4);
        if (control & DMA_SELECT)
                fw_cfg_select(cfg, (uint16_t)(control >> 16));
        if (control & DMA_READ)
                ok = fw_cfg_dma_copy(cfg, get_big_endian(bytes + 8, 8), length);
        else if (control & DMA_WRITE)
                ok = false;
        if (control & (DMA_READ | DMA_SKIP))
                cfg->offset = length > UINT32_MAX - cfg->offset ? UINT32_MAX : cfg->offset + length;
        if (!ok)
                guest_error("fw_cfg", "transfer failed: control %08x, length %u", control, length);
        put_big_endian(status, ok ? 0 : DMA_ERROR, sizeof(status));
        memory_write(memory, block, status, sizeof(status));
}

static uint32_t dma_read(void *opaque, uint16_t port, unsigned size)
{
        unsigned offset = port - PORT_DMA;
        uint32_t value = 0;

        (void)opaque;
        for (unsigned i = 0; i < size; i++)
                value |= (uint32_t)(DMA_SIGNATURE >> 8 * (7 - offset - i) & 0xff) << 8 * i;
        return value;
}

/* The register is big-endian; writing its lower half starts the transfer. */
static void dma_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct fw_cfg *cfg = opaque;

        if (size != 4) {
                guest_error("fw_cfg", "%u-byte write to the DMA register", size);
        } else if (port == PORT_DMA) {
                cfg->dma_high = GUINT32_SWAP_LE_BE(value);
        } else {
                uint64_t block = (uint64_t)cfg->dma_high << 32 | GUINT32_SWAP_LE_BE(value);

                cfg->dma_high = 0;
                fw_cfg_dma(cfg, block);
        }
}

static const struct port_ops fw_cfg_ops = { fw_cfg_read, fw_cfg_write, 2 };
static const struct port_ops dma_ops = { dma_read, dma_write, 4 };

/* -- Life --------------------------------------------------------------------------------------- */

static void fw_cfg_reset(struct device *device)
{
        struct fw_cfg *cfg = (struct fw_cfg *)device;

        cfg->selector = 0;
        cfg->offset = 0;
        cfg->dma_high = 0;
}

static bool fw_cfg_create(struct device *device, GError **error)
{
        static const uint8_t no_files[4];

        (void)error;
        fw_cfg_set(device, FW_CFG_SIGNATURE, g_bytes_new_static("QEMU", 4));
        fw_cfg_set_u32(device, FW_CFG_ID, ID_TRADITIONAL | ID_DMA);
        fw_cfg_set(device, FW_CFG_FILE_DIR, g_bytes_new_static(no_files, sizeof(no_files)));
        ports_map(device->env->ports, PORT_SELECTOR, 2, &fw_cfg_ops, device, "firmware configuration");
        ports_map(device->env->ports, PORT_DMA, 8, &dma_ops, device, "firmware configuration DMA");
        return true;
}

static void fw_cfg_destroy(struct device *device)
{
        struct fw_cfg *cfg = (struct fw_cfg *)device;

        for (unsigned i = 0; i < ITEMS; i++)
                item_clear(&cfg->item[i]);
}

static const struct device_class fw_cfg_class = {
        .name = "fw_cfg",
        .description = "firmware configuration interface",
        .size = sizeof(struct fw_cfg),
        .state = fw_cfg_fields,
        .create = fw_cfg_create,
        .reset = fw_cfg_reset,
        .destroy = fw_cfg_destroy,
};

DEVICE_CLASS(fw_cfg_class);
