/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot_linux.c - Linux images by the x86 boot protocol, 2.00 and later (Linux,
 * Documentation/x86/boot.rst).
 *
 * An image is the boot sector and set-up code (setup_sects + 1 sectors, run in real mode), then the
 * protected-mode kernel.  What goes where:
 *
 *                      protocol 2.02 and later     older
 *      set-up          10000h                      90000h
 *      command line    20000h                      9a000h minus its size
 *      kernel          100000h ("loaded high") or 10000h (zImage)
 *      initrd          as high as the kernel (initrd_addr_max) and memory allow
 */
#include <string.h>

#include "machine/boot.h"

/* Offsets in the image; all fields little-endian. */
enum {
        SETUP_SECTS = 0x1f1, SYSSIZE = 0x1f4, BOOT_FLAG = 0x1fe, HEADER_MAGIC = 0x202, VERSION = 0x206,
        TYPE_OF_LOADER = 0x210, LOADFLAGS = 0x211, RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c, HEAP_END_PTR = 0x224,
        CMD_LINE_PTR = 0x228, INITRD_ADDR_MAX = 0x22c, CMDLINE_SIZE = 0x238, PREF_ADDRESS = 0x258, INIT_SIZE = 0x260,
        HEADER_END = 0x264,
};
/* Before 2.02 the command line is announced in the boot sector. */
enum { OLD_CL_MAGIC_AT = 0x20, OLD_CL_OFFSET_AT = 0x22, OLD_CL_MAGIC = 0xa33f };
enum { LOADED_HIGH = 1 << 0, CAN_USE_HEAP = 1 << 7 };
enum { LOADER_UNDEFINED = 0xff };
enum { SECTOR = 512, SETUP_SECTS_DEFAULT = 4, SETUP_SECTS_MAX = 63, HEAP_MARGIN = 0x200 };
enum { CMDLINE_DEFAULT_MAX = 255 };
#define INITRD_DEFAULT_MAX 0x37ffffffu

struct linux_header {
        uint16_t version;
        bool high;
        gsize setup_bytes, kernel_bytes;
        uint32_t initrd_max;            /* last byte an initrd may have */
        uint32_t cmdline_max;           /* without the final zero */
        uint64_t needed_end;            /* end of what the kernel uses before it knows the memory map */
};

static uint64_t get(const uint8_t *bytes, unsigned at, unsigned size)
{
        uint64_t value = 0;

        while (size--)
                value = value << 8 | bytes[at + size];
        return value;
}

static void put(uint8_t *bytes, unsigned at, unsigned size, uint64_t value)
{
        for (unsigned i = 0; i < size; i++)
                bytes[at + i] = (uint8_t)(value >> 8 * i);
}

bool boot_is_linux(const uint8_t *bytes, gsize size)
{
        return size >= VERSION + 2 && !memcmp(bytes + HEADER_MAGIC, "HdrS", 4) && get(bytes, BOOT_FLAG, 2) == 0xaa55;
}

static bool image_error(GError **error, const char *name, const char *reason)
{
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_IMAGE, "%s: %s", name, reason);
        return false;
}

/* -- Checking ------------------------------------------------------------------------------------ */

static bool linux_parse(const struct boot_file *file, struct linux_header *header, GError **error)
{
        gsize size;
        const uint8_t *bytes = g_bytes_get_data(file->from.bytes, &size);
        unsigned sectors;
        uint64_t kernel_base, syssize;

        if (!boot_is_linux(bytes, size))
                return image_error(error, file->name, "not a Linux image");
        if (size < HEADER_END)
                return image_error(error, file->name, "truncated Linux image: it ends in its header");
        header->version = (uint16_t)get(bytes, VERSION, 2);
        if (header->version < 0x200)
                return image_error(error, file->name, "Linux image of a boot protocol before 2.0");
        header->high = bytes[LOADFLAGS] & LOADED_HIGH;
        sectors = bytes[SETUP_SECTS] ? bytes[SETUP_SECTS] : SETUP_SECTS_DEFAULT;
        if (sectors > SETUP_SECTS_MAX)
                return image_error(error, file->name, "damaged Linux image: impossible size of its set-up code");
        header->setup_bytes = (sectors + 1) * SECTOR;
        /* Before 2.04 the field has 16 bits; the bytes after it were not always zero. */
        syssize = get(bytes, SYSSIZE, header->version >= 0x204 ? 4 : 2) * 16;
        if (size <= header->setup_bytes || size - header->setup_bytes + 15 < syssize) {
                g_set_error(error, BOOT_ERROR, BOOT_ERROR_IMAGE,
                            "%s: truncated Linux image: %" G_GSIZE_FORMAT " bytes, its header promises %" G_GUINT64_FORMAT,
                            file->name, size, (guint64)(header->setup_bytes + syssize));
                return false;
        }
        header->kernel_bytes = size - header->setup_bytes;
        header->cmdline_max = header->version >= 0x206 ? (uint32_t)get(bytes, CMDLINE_SIZE, 4) : CMDLINE_DEFAULT_MAX;
        header->initrd_max = header->version >= 0x203 ? (uint32_t)get(bytes, INITRD_ADDR_MAX, 4) : INITRD_DEFAULT_MAX;

        kernel_base = header->high ? 0x100000 : 0x10000;
        header->needed_end = kernel_base + header->kernel_bytes;
        if (header->version >= 0x20a) {
                uint64_t end = get(bytes, PREF_ADDRESS, 8);

                /* A hostile sum must not wrap around. */
                end = end > UINT32_MAX ? UINT64_MAX : end + get(bytes, INIT_SIZE, 4);
                header->needed_end = MAX(header->needed_end, end);
        }
        if (!header->high && header->needed_end > 0x90000)
                return image_error(error, file->name, "damaged Linux image: too big to be loaded low");
        return true;
}

/* -- Placing ------------------------------------------------------------------------------------- */

/* Several initrds are one after another, each aligned as the kernel's unpacker wants it. */
static struct boot_source linux_join_initrds(const struct boot_file *initrds, unsigned n)
{
        struct boot_source joined = initrds[0].from;
        GByteArray *all;

        if (n == 1) {
                if (joined.bytes)
                        g_bytes_ref(joined.bytes);
                return joined;
        }
        all = g_byte_array_new();
        for (unsigned i = 0; i < n; i++) {
                gsize size;
                const uint8_t *bytes = g_bytes_get_data(initrds[i].from.bytes, &size);
                static const uint8_t zeros[4];

                g_byte_array_append(all, bytes, (guint)size);
                g_byte_array_append(all, zeros, (guint)(-size & 3));
        }
        joined.bytes = g_byte_array_free_to_bytes(all);
        return joined;
}

static bool linux_place_initrd(struct boot_image *image, const struct linux_header *header,
                               const struct boot_file *initrds, unsigned n, uint64_t end_of_ram, GError **error)
{
        uint64_t total = 0, end = MIN(end_of_ram, (uint64_t)header->initrd_max + 1), address;

        if (!n)
                return true;
        for (unsigned i = 0; i < n; i++)
                total += (boot_source_size(&initrds[i].from) + 3) & ~(gsize)3;
        address = total <= end ? (end - total) & PAGE_MASK : 0;
        if (address < MAX(header->needed_end, 0x100000)) {
                g_set_error(error, BOOT_ERROR, BOOT_ERROR_MEMORY,
                            "%s: too big for the machine's memory: %" G_GUINT64_FORMAT " KiB beside the kernel's %"
                            G_GUINT64_FORMAT " KiB; give it more with --memory",
                            initrds[0].name, (guint64)(total >> 10), (guint64)(header->needed_end >> 10));
                return false;
        }
        image->initrd.address = (uint32_t)address;
        image->initrd.from = linux_join_initrds(initrds, n);
        return true;
}

static void linux_fill_header(uint8_t *setup, const struct linux_header *header, const struct boot_image *image)
{
        uint32_t base = image->setup.address, cmdline = image->command_line.address;

        setup[TYPE_OF_LOADER] = LOADER_UNDEFINED;
        if (header->version >= 0x201) {
                setup[LOADFLAGS] |= CAN_USE_HEAP;
                put(setup, HEAP_END_PTR, 2, cmdline - base - HEAP_MARGIN);
        }
        if (header->version >= 0x202) {
                put(setup, CMD_LINE_PTR, 4, cmdline);
        } else {
                put(setup, OLD_CL_MAGIC_AT, 2, OLD_CL_MAGIC);
                put(setup, OLD_CL_OFFSET_AT, 2, cmdline - base);
        }
        if (boot_source_size(&image->initrd.from)) {
                put(setup, RAMDISK_IMAGE, 4, image->initrd.address);
                put(setup, RAMDISK_SIZE, 4, boot_source_size(&image->initrd.from));
        }
}

bool boot_linux_layout(struct boot_image *image, const struct boot_file *kernel, const struct boot_file *initrds,
                       unsigned n_initrds, const char *command_line, uint64_t low_ram_bytes, GError **error)
{
        struct linux_header header;
        uint64_t end_of_ram = low_ram_bytes > BOOT_FIRMWARE_RESERVE ? low_ram_bytes - BOOT_FIRMWARE_RESERVE : 0;
        size_t cmdline_bytes = strlen(command_line) + 1;
        uint8_t *setup;

        memset(image, 0, sizeof(*image));
        image->kind = BOOT_LINUX;
        if (!linux_parse(kernel, &header, error))
                return false;
        /* The area above 20000h that command line and set-up code share ends long after 32 KiB. */
        if (cmdline_bytes - 1 > MIN(header.cmdline_max, 0x8000)) {
                g_set_error(error, BOOT_ERROR, BOOT_ERROR_IMAGE,
                            "%s: takes a command line of up to %u characters, --append has %zu", kernel->name,
                            MIN(header.cmdline_max, 0x8000), cmdline_bytes - 1);
                return false;
        }
        if (header.needed_end > end_of_ram) {
                g_set_error(error, BOOT_ERROR, BOOT_ERROR_MEMORY,
                            "%s: too big for the machine's memory: it needs %" G_GUINT64_FORMAT
                            " MiB; give it more with --memory",
                            kernel->name, (guint64)(MIN(header.needed_end, UINT64_C(1) << 40) >> 20) + 2);
                return false;
        }
        if (!linux_place_initrd(image, &header, initrds, n_initrds, end_of_ram, error))
                return false;

        image->kernel.address = header.high ? 0x100000 : 0x10000;
        image->kernel.from.bytes = g_bytes_new_from_bytes(kernel->from.bytes, header.setup_bytes, header.kernel_bytes);
        if (header.version >= 0x202 && header.high) {
                image->setup.address = 0x10000;
                image->command_line.address = 0x20000;
        } else {
                image->setup.address = 0x90000;
                image->command_line.address = (uint32_t)(0x9a000 - cmdline_bytes) & ~15u;
        }
        image->command_line.from.bytes = g_bytes_new(command_line, cmdline_bytes);
        setup = g_memdup2(g_bytes_get_data(kernel->from.bytes, NULL), header.setup_bytes);
        linux_fill_header(setup, &header, image);
        image->setup.from.bytes = g_bytes_new_take(setup, header.setup_bytes);
        return true;
}
