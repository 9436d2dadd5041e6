/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.c - direct start of a kernel: reads the user's files, has them laid out, and gives the result
 * to the option ROM that will load it (see boot.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "devices/chipset/fw_cfg.h"
#include "machine/boot.h"
#include "machine/rom_linux.h"
#include "machine/rom_multiboot.h"

enum { ROM_UNIT = 512, ROM_SIZE_AT = 2, PNP_POINTER_AT = 0x1a, PNP_BYTES = 32, PNP_CHECKSUM = 9 };

G_DEFINE_QUARK(lodger-boot-error-quark, boot_error)

/* -- Files --------------------------------------------------------------------------------------- */

/* A regular file or a pipe, read whole: a mapping would let a later truncation kill the process. */
static GBytes *boot_read_file(const char *name, GError **error)
{
        struct stat st;
        char *contents;
        gsize size;

        if (stat(name, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
                g_set_error(error, BOOT_ERROR, BOOT_ERROR_IMAGE, "%s: not a file", name);
                return NULL;
        }
        if (!g_file_get_contents(name, &contents, &size, error))
                return NULL;
        if (size > INT32_MAX) {
                g_set_error(error, BOOT_ERROR, BOOT_ERROR_IMAGE, "%s: larger than 2 GiB", name);
                g_free(contents);
                return NULL;
        }
        return g_bytes_new_take(contents, size);
}

/* Leaves a big file where it is: the guest's own loader will have it read, piece by piece.  False
 * without an error when it is not that kind of file. */
static bool boot_open_file(struct boot_file *file)
{
        struct stat st;
        int fd = open(file->name, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return false;
        if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size || st.st_size > INT32_MAX) {
                close(fd);
                return false;
        }
        file->from.fd = fd;
        file->from.size = (gsize)st.st_size;
        return true;
}

static bool boot_read(struct boot_file *file, GError **error)
{
        file->from.bytes = boot_read_file(file->name, error);
        return file->from.bytes != NULL;
}

/* files[0] is the kernel; one initrd of a Linux kernel stays a file, everything else is needed whole. */
static bool boot_read_all(struct boot_file *files, unsigned n, GError **error)
{
        gsize size;
        const uint8_t *kernel;

        if (!boot_read(&files[0], error))
                return false;
        kernel = g_bytes_get_data(files[0].from.bytes, &size);
        if (n == 2 && boot_is_linux(kernel, size) && boot_open_file(&files[1]))
                return true;
        for (unsigned i = 1; i < n; i++)
                if (!boot_read(&files[i], error))
                        return false;
        return true;
}

static void boot_source_clear(struct boot_source *source)
{
        if (source->bytes)
                g_bytes_unref(source->bytes);
        else if (source->size)
                close(source->fd);
        *source = (struct boot_source){ 0 };
}

/* -- The option ROM ------------------------------------------------------------------------------- */

static uint8_t sum_of(const uint8_t *bytes, size_t size)
{
        uint8_t sum = 0;

        while (size--)
                sum = (uint8_t)(sum + *bytes++);
        return sum;
}

/* Pads the assembled ROM and fills in size and checksums; one byte is kept free for the last one. */
static GBytes *boot_finish_rom(const uint8_t *code, size_t size)
{
        size_t padded = (size + 1 + ROM_UNIT - 1) / ROM_UNIT * ROM_UNIT;
        uint8_t *rom = g_malloc0(padded), *pnp;

        memcpy(rom, code, size);
        rom[ROM_SIZE_AT] = (uint8_t)(padded / ROM_UNIT);
        pnp = rom + rom[PNP_POINTER_AT] + (rom[PNP_POINTER_AT + 1] << 8);
        g_assert(pnp + PNP_BYTES <= rom + size && !memcmp(pnp, "$PnP", 4));
        pnp[PNP_CHECKSUM] = (uint8_t)-sum_of(pnp, PNP_BYTES);
        rom[padded - 1] = (uint8_t)-sum_of(rom, padded);
        return g_bytes_new_take(rom, padded);
}

/* -- Handing over --------------------------------------------------------------------------------- */

static void boot_set_piece(struct device *fw_cfg, const struct boot_piece *piece, enum fw_cfg_item address,
                           enum fw_cfg_item size, enum fw_cfg_item data)
{
        uint32_t bytes = (uint32_t)boot_source_size(&piece->from);

        fw_cfg_set_u32(fw_cfg, address, piece->address);
        fw_cfg_set_u32(fw_cfg, size, bytes);
        if (piece->from.bytes)
                fw_cfg_set(fw_cfg, data, g_bytes_ref(piece->from.bytes));
        else if (bytes)
                fw_cfg_set_file(fw_cfg, data, fcntl(piece->from.fd, F_DUPFD_CLOEXEC, 0), bytes);
        TRACE(BOOT, "item %02xh: %u bytes at %#x", data, bytes, piece->address);
}

static void boot_hand_over(struct device *fw_cfg, const struct boot_image *image)
{
        static const struct {
                const char *file, *order;
                const uint8_t *code;
                size_t size;
        } roms[] = {
                [BOOT_LINUX] = { "genroms/lodger-linux.rom", "/rom@genroms/lodger-linux.rom\n", rom_linux,
                                 sizeof(rom_linux) },
                [BOOT_MULTIBOOT] = { "genroms/lodger-multiboot.rom", "/rom@genroms/lodger-multiboot.rom\n",
                                     rom_multiboot, sizeof(rom_multiboot) },
        };
        const char *order = roms[image->kind].order;

        boot_set_piece(fw_cfg, &image->kernel, FW_CFG_KERNEL_ADDR, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA);
        boot_set_piece(fw_cfg, &image->initrd, FW_CFG_INITRD_ADDR, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA);
        boot_set_piece(fw_cfg, &image->command_line, FW_CFG_CMDLINE_ADDR, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA);
        boot_set_piece(fw_cfg, &image->setup, FW_CFG_SETUP_ADDR, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA);
        fw_cfg_set_u32(fw_cfg, FW_CFG_KERNEL_ENTRY, image->entry);
        fw_cfg_add_file(fw_cfg, roms[image->kind].file, boot_finish_rom(roms[image->kind].code, roms[image->kind].size));
        fw_cfg_add_file(fw_cfg, "bootorder", g_bytes_new_static(order, strlen(order) + 1));
}

void boot_image_clear(struct boot_image *image)
{
        /* Descriptors belong to the files they came from. */
        g_clear_pointer(&image->setup.from.bytes, g_bytes_unref);
        g_clear_pointer(&image->kernel.from.bytes, g_bytes_unref);
        g_clear_pointer(&image->initrd.from.bytes, g_bytes_unref);
        g_clear_pointer(&image->command_line.from.bytes, g_bytes_unref);
}

static bool boot_layout(struct boot_image *image, const struct boot_file *kernel, const struct boot_file *initrds,
                        unsigned n, const char *command_line, uint64_t low_ram_bytes, GError **error)
{
        gsize size;
        const uint8_t *bytes = g_bytes_get_data(kernel->from.bytes, &size);

        if (boot_is_linux(bytes, size))
                return boot_linux_layout(image, kernel, initrds, n, command_line, low_ram_bytes, error);
        if (boot_is_multiboot(bytes, size))
                return boot_multiboot_layout(image, kernel, initrds, n, command_line, low_ram_bytes, error);
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_IMAGE,
                    "%s: not a kernel: neither a Linux image (boot protocol 2.0 or later) nor a Multiboot one",
                    kernel->name);
        return false;
}

bool boot_prepare(struct device *fw_cfg, const char *kernel, const GPtrArray *initrds, const char *command_line,
                  uint64_t low_ram_bytes, GError **error)
{
        unsigned n = initrds ? initrds->len : 0;
        struct boot_file *files = g_new0(struct boot_file, n + 1);      /* [0]: the kernel */
        struct boot_image image = { 0 };
        bool ok;

        files[0].name = kernel;
        for (unsigned i = 0; i < n; i++)
                files[i + 1].name = g_ptr_array_index(initrds, i);
        ok = boot_read_all(files, n + 1, error) &&
             boot_layout(&image, &files[0], files + 1, n, command_line ? command_line : "", low_ram_bytes, error);
        if (ok)
                boot_hand_over(fw_cfg, &image);
        boot_image_clear(&image);
        for (unsigned i = 0; i <= n; i++)
                boot_source_clear(&files[i].from);
        g_free(files);
        return ok;
}
