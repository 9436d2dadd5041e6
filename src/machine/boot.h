/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.h - direct start of a kernel: images checked, laid out in guest memory, and handed over.
 *
 * The host reads and checks the files and decides where everything goes; a small option ROM of ours,
 * which the firmware starts as a boot device, fetches the pieces through fw_cfg to those places and
 * jumps.  So a kernel starts on a PC whose firmware has run, as it would from a disk (traps.md T21).
 * Files are hostile: every error names the file and says what is wrong with it.
 */
#ifndef LODGER_MACHINE_BOOT_H
#define LODGER_MACHINE_BOOT_H

#include "devices/device.h"

enum boot_kind { BOOT_LINUX, BOOT_MULTIBOOT };

/* Bytes in memory, or `size` bytes of the open file fd when bytes is NULL. */
struct boot_source {
        GBytes *bytes;
        int fd;
        gsize size;
};

static inline gsize boot_source_size(const struct boot_source *source)
{
        return source->bytes ? g_bytes_get_size(source->bytes) : source->size;
}

/* Bytes and the guest-physical address they go to. */
struct boot_piece {
        uint32_t address;
        struct boot_source from;        /* size 0: nothing */
};

struct boot_image {
        enum boot_kind kind;
        struct boot_piece setup;        /* Linux: the real-mode part, header filled in */
        struct boot_piece kernel;       /* Linux: protected-mode part; Multiboot: image and modules */
        struct boot_piece initrd;       /* Linux: initrd; Multiboot: the information structure */
        struct boot_piece command_line; /* Linux */
        uint32_t entry;                 /* Multiboot */
};

/* A file of the user's, by the name he gave it. */
struct boot_file {
        const char *name;
        struct boot_source from;        /* a file only for the one initrd of a Linux kernel */
};

/* low_ram_bytes: end of the RAM that starts at 1 MiB. */
bool boot_linux_layout(struct boot_image *image, const struct boot_file *kernel, const struct boot_file *initrds,
                       unsigned n_initrds, const char *command_line, uint64_t low_ram_bytes, GError **error);
bool boot_multiboot_layout(struct boot_image *image, const struct boot_file *kernel, const struct boot_file *modules,
                           unsigned n_modules, const char *command_line, uint64_t low_ram_bytes, GError **error);
bool boot_is_multiboot(const uint8_t *bytes, gsize size);
bool boot_is_linux(const uint8_t *bytes, gsize size);
void boot_image_clear(struct boot_image *image);

/* Reads the files, lays them out and adds them to fw_cfg with the ROM that loads them.
 * initrds: of char *, may be NULL. */
bool boot_prepare(struct device *fw_cfg, const char *kernel, const GPtrArray *initrds, const char *command_line,
                  uint64_t low_ram_bytes, GError **error);

enum { BOOT_ERROR_IMAGE, BOOT_ERROR_MEMORY };
#define BOOT_ERROR boot_error_quark()
GQuark boot_error_quark(void);

/* High memory that the firmware may keep for its tables, at the end of low RAM. */
enum { BOOT_FIRMWARE_RESERVE = 1 << 20 };

#endif
