/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot_multiboot.c - Multiboot 1 images (Multiboot Specification 0.6.96): 32-bit ELF, or any file whose
 * Multiboot header carries load addresses (the "a.out kludge").
 *
 * The image and, behind it on page boundaries, its modules become one piece of bytes, so that the
 * option ROM has one thing to load.  The information structure, the module list and all strings lie
 * at 9000h; the ROM adds the memory map at 8000h.  Hence an image may not lie below 10000h.
 */
#include <string.h>

#include "machine/boot.h"

enum { SEARCH_BYTES = 8192, HEADER_BYTES = 12, KLUDGE_BYTES = 32 };
#define HEADER_MAGIC 0x1badb002u
enum { FLAG_ALIGN = 1 << 0, FLAG_MEMORY = 1 << 1, FLAG_VIDEO = 1 << 2, FLAG_KLUDGE = 1 << 16, FLAGS_REQUIRED = 0xffff };
/* Fields of the header */
enum { H_FLAGS = 4, H_CHECKSUM = 8, H_HEADER_ADDR = 12, H_LOAD = 16, H_LOAD_END = 20, H_BSS_END = 24, H_ENTRY = 28 };
/* Fields of the information structure, and its flags */
enum { I_FLAGS = 0, I_CMDLINE = 16, I_MODS_COUNT = 20, I_MODS = 24, I_LOADER_NAME = 64, INFO_BYTES = 88 };
enum { HAS_CMDLINE = 1 << 2, HAS_MODS = 1 << 3, HAS_LOADER_NAME = 1 << 9 };
enum { MODULE_BYTES = 16 };
/* ELF32 (System V ABI, chapters 4 and 5) */
enum { E_MACHINE = 18, E_ENTRY = 24, E_PHOFF = 28, E_PHENTSIZE = 42, E_PHNUM = 44, EHDR_BYTES = 52, EM_386 = 3 };
enum { P_TYPE = 0, P_OFFSET = 4, P_VADDR = 8, P_PADDR = 12, P_FILESZ = 16, P_MEMSZ = 20, PHDR_BYTES = 32, PT_LOAD = 1 };

enum { INFO_ADDRESS = 0x9000, INFO_END = 0x10000, LOW_START = 0x10000, LOW_END = 0x90000, HIGH_START = 0x100000 };

static uint32_t get32(const uint8_t *bytes, gsize at)
{
        return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | (uint32_t)bytes[at + 3] << 24;
}

static uint16_t get16(const uint8_t *bytes, gsize at)
{
        return (uint16_t)(bytes[at] | bytes[at + 1] << 8);
}

static void put32(uint8_t *bytes, gsize at, uint32_t value)
{
        for (unsigned i = 0; i < 4; i++)
                bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static bool image_error(GError **error, const char *name, const char *reason)
{
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_IMAGE, "%s: %s", name, reason);
        return false;
}

/* Offset of the header, or -1. */
static gssize find_header(const uint8_t *bytes, gsize size)
{
        for (gsize at = 0; at + HEADER_BYTES <= MIN(size, SEARCH_BYTES); at += 4)
                if (get32(bytes, at) == HEADER_MAGIC &&
                    HEADER_MAGIC + get32(bytes, at + H_FLAGS) + get32(bytes, at + H_CHECKSUM) == 0)
                        return (gssize)at;
        return -1;
}

bool boot_is_multiboot(const uint8_t *bytes, gsize size)
{
        return find_header(bytes, size) >= 0;
}

/* -- The image ----------------------------------------------------------------------------------- */

/* Where the image lies and what fills it; addresses are 64 bits wide so that sums cannot wrap. */
struct layout {
        const char *name;
        const uint8_t *bytes;
        gsize size;
        uint64_t end_of_ram;
        uint64_t low, high;             /* of all segments */
        uint32_t entry;
};

static bool check_range(const struct layout *layout, uint64_t low, uint64_t high, GError **error)
{
        if (high > layout->end_of_ram && low >= HIGH_START) {
                g_set_error(error, BOOT_ERROR, BOOT_ERROR_MEMORY,
                            "%s: too big for the machine's memory: it wants bytes up to %#" G_GINT64_MODIFIER
                            "x; give it more with --memory", layout->name, (guint64)high);
                return false;
        }
        if ((low >= LOW_START && high <= LOW_END) || low >= HIGH_START)
                return true;
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_IMAGE,
                    "%s: cannot be loaded at %#" G_GINT64_MODIFIER "x-%#" G_GINT64_MODIFIER "x: only 64 KiB to 576 KiB, "
                    "or memory from 1 MiB on, is free", layout->name, (guint64)low, (guint64)high);
        return false;
}

static uint8_t *layout_allocate(const struct layout *layout, GError **error)
{
        uint8_t *image = g_try_malloc0(layout->high - layout->low);

        if (!image)
                g_set_error(error, BOOT_ERROR, BOOT_ERROR_MEMORY, "%s: no memory on this host to load it", layout->name);
        return image;
}

static uint8_t *load_kludge(struct layout *layout, gsize header, GError **error)
{
        const uint8_t *h = layout->bytes + header;
        uint64_t header_address, load, load_end, bss_end, offset, file_bytes;
        uint8_t *image;

        if (header + KLUDGE_BYTES > layout->size) {
                image_error(error, layout->name, "truncated Multiboot image: it ends in its header");
                return NULL;
        }
        header_address = get32(h, H_HEADER_ADDR);
        load = get32(h, H_LOAD);
        load_end = get32(h, H_LOAD_END);
        bss_end = get32(h, H_BSS_END);
        if (header_address < load || header_address - load > header) {
                image_error(error, layout->name, "damaged Multiboot image: its header is not where it says");
                return NULL;
        }
        offset = header - (header_address - load);
        file_bytes = load_end ? load_end - load : layout->size - offset;
        if ((load_end && load_end < load) || file_bytes > layout->size - offset) {
                image_error(error, layout->name, "truncated Multiboot image: it ends before its load_end_addr");
                return NULL;
        }
        layout->low = load;
        layout->high = MAX(load + file_bytes, bss_end);
        layout->entry = get32(h, H_ENTRY);
        if (!check_range(layout, layout->low, layout->high, error))
                return NULL;
        image = layout_allocate(layout, error);
        if (image)
                memcpy(image, layout->bytes + offset, file_bytes);
        return image;
}

/* One pass over the loadable segments: without an image, checks them and finds their bounds; with
 * one, copies them. */
static bool elf_segments(struct layout *layout, uint8_t *image, GError **error)
{
        const uint8_t *elf = layout->bytes;
        uint64_t table = get32(elf, E_PHOFF), step = get16(elf, E_PHENTSIZE), count = get16(elf, E_PHNUM);
        uint32_t entry = get32(elf, E_ENTRY);
        bool any = false;

        if (step < PHDR_BYTES || table + step * count > layout->size)
                return image_error(error, layout->name, "truncated ELF image: its program headers are not in the file");
        for (uint64_t i = 0; i < count; i++) {
                const uint8_t *segment = elf + table + i * step;
                uint64_t offset = get32(segment, P_OFFSET), address = get32(segment, P_PADDR);
                uint64_t virtual = get32(segment, P_VADDR), bytes = get32(segment, P_FILESZ);
                uint64_t memory = get32(segment, P_MEMSZ);

                if (get32(segment, P_TYPE) != PT_LOAD || !memory)
                        continue;
                if (image) {
                        memcpy(image + (address - layout->low), elf + offset, bytes);
                        continue;
                }
                if (bytes > memory || offset + bytes > layout->size)
                        return image_error(error, layout->name, "truncated ELF image: a segment is not in the file");
                if (!check_range(layout, address, address + memory, error))
                        return false;
                layout->low = any ? MIN(layout->low, address) : address;
                layout->high = any ? MAX(layout->high, address + memory) : address + memory;
                /* Kernels linked high give a virtual entry; the CPU starts without paging. */
                if (entry >= virtual && entry < virtual + memory)
                        layout->entry = (uint32_t)(entry - virtual + address);
                any = true;
        }
        return any || image_error(error, layout->name, "ELF image without anything to load");
}

static uint8_t *load_elf(struct layout *layout, GError **error)
{
        uint8_t *image;

        if (layout->size < EHDR_BYTES || memcmp(layout->bytes, "\177ELF\1\1", 6) ||
            get16(layout->bytes, E_MACHINE) != EM_386) {
                image_error(error, layout->name,
                            "Multiboot image that is neither 32-bit x86 ELF nor has load addresses in its header");
                return NULL;
        }
        layout->entry = get32(layout->bytes, E_ENTRY);
        if (!elf_segments(layout, NULL, error))
                return NULL;
        /* Segments on both sides of the ROM area would cover it. */
        if (!check_range(layout, layout->low, layout->high, error))
                return NULL;
        image = layout_allocate(layout, error);
        if (image)
                elf_segments(layout, image, NULL);
        return image;
}

/* -- Modules and information ---------------------------------------------------------------------- */

static uint64_t page_align(uint64_t value)
{
        return (value + PAGE_SIZE - 1) & PAGE_MASK;
}

/* Where module i starts, relative to the image; n: the end of all. */
static uint64_t module_offset(const struct layout *layout, const struct boot_file *modules, unsigned i)
{
        uint64_t address = page_align(layout->high);

        for (unsigned k = 0; k < i; k++)
                address = page_align(address + g_bytes_get_size(modules[k].from.bytes));
        return address - layout->low;
}

static uint32_t add_string(GByteArray *info, const char *first, const char *second)
{
        uint32_t address = INFO_ADDRESS + info->len;

        g_byte_array_append(info, (const guint8 *)first, (guint)strlen(first));
        if (*second) {
                g_byte_array_append(info, (const guint8 *)" ", 1);
                g_byte_array_append(info, (const guint8 *)second, (guint)strlen(second));
        }
        g_byte_array_append(info, (const guint8 *)"", 1);
        return address;
}

static bool make_info(struct boot_image *image, const struct layout *layout, const struct boot_file *modules,
                      unsigned n, const char *command_line, GError **error)
{
        GByteArray *info = g_byte_array_new();
        uint32_t name;

        if (n > (INFO_END - INFO_ADDRESS) / MODULE_BYTES)
                n = (INFO_END - INFO_ADDRESS) / MODULE_BYTES;   /* fails below */
        g_byte_array_set_size(info, INFO_BYTES + n * MODULE_BYTES);
        memset(info->data, 0, info->len);
        put32(info->data, I_FLAGS, HAS_CMDLINE | HAS_LOADER_NAME | HAS_MODS);
        put32(info->data, I_MODS_COUNT, n);
        put32(info->data, I_MODS, INFO_ADDRESS + INFO_BYTES);
        for (unsigned i = 0; i < n; i++) {
                gsize at = INFO_BYTES + i * MODULE_BYTES;
                uint64_t start = layout->low + module_offset(layout, modules, i);
                uint32_t string = add_string(info, modules[i].name, "");

                put32(info->data, at, (uint32_t)start);
                put32(info->data, at + 4, (uint32_t)(start + g_bytes_get_size(modules[i].from.bytes)));
                put32(info->data, at + 8, string);
        }
        name = add_string(info, layout->name, command_line);
        put32(info->data, I_CMDLINE, name);
        name = add_string(info, "Lodger", "");
        put32(info->data, I_LOADER_NAME, name);
        image->initrd.address = INFO_ADDRESS;
        image->initrd.from.bytes = g_byte_array_free_to_bytes(info);
        if (g_bytes_get_size(image->initrd.from.bytes) > INFO_END - INFO_ADDRESS)
                return image_error(error, layout->name, "command line and module names are longer than 28 KiB together");
        return true;
}

bool boot_multiboot_layout(struct boot_image *image, const struct boot_file *kernel, const struct boot_file *modules,
                           unsigned n_modules, const char *command_line, uint64_t low_ram_bytes, GError **error)
{
        struct layout layout = { .name = kernel->name };
        uint8_t *bytes;
        uint64_t size, total;
        gssize header;

        memset(image, 0, sizeof(*image));
        image->kind = BOOT_MULTIBOOT;
        layout.bytes = g_bytes_get_data(kernel->from.bytes, &layout.size);
        layout.end_of_ram = low_ram_bytes > BOOT_FIRMWARE_RESERVE ? low_ram_bytes - BOOT_FIRMWARE_RESERVE : 0;
        header = find_header(layout.bytes, layout.size);
        if (header < 0)
                return image_error(error, kernel->name, "not a Multiboot image");
        if (get32(layout.bytes, (gsize)header + H_FLAGS) & FLAGS_REQUIRED & ~(FLAG_ALIGN | FLAG_MEMORY | FLAG_VIDEO))
                return image_error(error, kernel->name, "Multiboot image that requires features unknown here");
        bytes = get32(layout.bytes, (gsize)header + H_FLAGS) & FLAG_KLUDGE ? load_kludge(&layout, (gsize)header, error)
                                                                         : load_elf(&layout, error);
        if (!bytes)
                return false;

        if (layout.entry < layout.low || layout.entry >= layout.high) {
                g_free(bytes);
                return image_error(error, kernel->name, "damaged Multiboot image: its entry point is outside of it");
        }
        size = layout.high - layout.low;
        total = n_modules ? module_offset(&layout, modules, n_modules) : size;
        if (!check_range(&layout, layout.low, layout.low + total, error)) {
                g_free(bytes);
                return false;
        }
        bytes = g_realloc(bytes, total);
        memset(bytes + size, 0, total - size);
        for (unsigned i = 0; i < n_modules; i++) {
                gsize length;
                const void *module = g_bytes_get_data(modules[i].from.bytes, &length);

                if (length)
                        memcpy(bytes + module_offset(&layout, modules, i), module, length);
        }
        image->kernel.address = (uint32_t)layout.low;
        image->kernel.from.bytes = g_bytes_new_take(bytes, total);
        image->entry = layout.entry;
        if (make_info(image, &layout, modules, n_modules, command_line, error))
                return true;
        boot_image_clear(image);
        return false;
}
