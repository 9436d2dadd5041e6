/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage.c - which images go into which drives, and what the firmware is told about them.
 *
 * Places on the IDE channels (slots 0 to 3: primary and secondary, device 0 and 1): CD drives begin at
 * slot 2, disks at slot 0; each takes the next free one.  A PC without a CD drive is a poor PC, so an
 * empty one is there whenever a slot is left.
 */
#include <string.h>

#include "block/block.h"
#include "devices/chipset/i8237.h"
#include "devices/chipset/rtc.h"
#include "devices/storage/floppy.h"
#include "devices/storage/ide.h"
#include "machine/image.h"
#include "machine/internal.h"
#include "machine/pci.h"
#include "machine/storage.h"

enum {
        CMOS_FLOPPY_TYPES = 0x10, CMOS_HARD_DISKS = 0x12, CMOS_EQUIPMENT = 0x14, CMOS_DISK_TYPE = 0x19,
        CMOS_DISK_GEOMETRY = 0x1b, CMOS_BOOT_1 = 0x38, CMOS_TRANSLATION = 0x39, CMOS_BOOT_2 = 0x3d,
};
enum { IRQ_FLOPPY = 6, IRQ_IDE = 14, DMA_FLOPPY = 2 };
enum { EQUIPMENT_FLOPPY = 1, EQUIPMENT_TWO_FLOPPIES = 0x40 };
enum { CMOS_GEOMETRY_BYTES = 9, CMOS_TYPE_GEOMETRY_FOLLOWS = 47, CMOS_TRANSLATE_LBA = 1 };

/* -- Options ------------------------------------------------------------------------------------- */

/* "FILE[,readonly][,throwaway]": options are looked for from the end, so that names may have commas. */
static char *spec_parse(const char *spec, struct block_options *options)
{
        char *path = g_strdup(spec);

        for (;;) {
                if (g_str_has_suffix(path, ",readonly"))
                        options->read_only = true;
                else if (g_str_has_suffix(path, ",throwaway"))
                        options->throwaway = true;
                else
                        return path;
                *strrchr(path, ',') = '\0';
        }
}

static struct block *image_open(struct machine *machine, const char *option, const char *spec, struct block_options options,
                                GError **error)
{
        char *path = spec_parse(spec, &options);
        struct block *block = block_open(path, &options, &machine->lock, error);

        if (!block)
                g_prefix_error(error, "%s ", option);
        g_free(path);
        return block;
}

static struct block *open_cd_path(struct machine *machine, const char *path, GError **error)
{
        struct block_options options = { .read_only = true, .unit_bytes = 2048 };
        struct block *block = block_open(path, &options, &machine->lock, error);
        uint8_t descriptor[IMAGE_CD_DESCRIPTOR_BYTES];

        if (block && block_peek(block, IMAGE_CD_DESCRIPTOR_AT, descriptor, sizeof(descriptor)) &&
            !image_check_cd(descriptor, block_size_bytes(block), block_path(block), error))
                g_clear_pointer(&block, block_close);
        return block;
}

static struct block *open_cd(struct machine *machine, const char *spec, GError **error)
{
        struct block_options unused = { 0 };
        char *path = spec_parse(spec, &unused);         /* a CD is read-only in any case */
        struct block *block = open_cd_path(machine, path, error);

        if (!block)
                g_prefix_error(error, "--cdrom ");
        g_free(path);
        return block;
}

/* -- IDE ----------------------------------------------------------------------------------------- */

static int next_free(bool taken[IDE_SLOTS], unsigned first)
{
        for (unsigned i = 0; i < IDE_SLOTS; i++) {
                unsigned slot = (first + i) % IDE_SLOTS;

                if (!taken[slot]) {
                        taken[slot] = true;
                        return (int)slot;
                }
        }
        return -1;
}

static bool too_many(GError **error)
{
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "a PC has four IDE drives at most, disks and CDs together; leave some out");
        return false;
}

static bool add_ide_drives(struct machine *machine, const struct machine_config *config, GError **error)
{
        guint cds = config->cdroms ? config->cdroms->len : 0, disks = config->disks ? config->disks->len : 0;
        bool taken[IDE_SLOTS] = { false };

        if (cds + disks > IDE_SLOTS)
                return too_many(error);
        if (!cds && disks < IDE_SLOTS)
                ide_add_cd(machine->ide, (unsigned)next_free(taken, 2), "cd0", NULL);
        for (guint i = 0; i < cds; i++) {
                char *id = g_strdup_printf("cd%u", i);
                struct block *image = open_cd(machine, g_ptr_array_index(config->cdroms, i), error);

                if (image)
                        ide_add_cd(machine->ide, (unsigned)next_free(taken, 2), id, image);
                g_free(id);
                if (!image)
                        return false;
        }
        for (guint i = 0; i < disks; i++) {
                char *id = g_strdup_printf("disk%u", i);
                struct block *image = image_open(machine, "--disk", g_ptr_array_index(config->disks, i),
                                                 (struct block_options){ 0 }, error);

                if (image)
                        ide_add_disk(machine->ide, (unsigned)next_free(taken, 0), id, image);
                g_free(id);
                if (!image)
                        return false;
        }
        return true;
}

/* -- Floppies ------------------------------------------------------------------------------------ */

static bool add_floppies(struct machine *machine, const struct machine_config *config, GError **error)
{
        guint n = config->floppies ? config->floppies->len : 0;

        if (n > FLOPPY_DRIVES) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "a PC has two floppy drives at most; leave some out");
                return false;
        }
        for (guint i = 0; i < n; i++) {
                struct block *image = image_open(machine, "--floppy", g_ptr_array_index(config->floppies, i),
                                                 (struct block_options){ 0 }, error);
                const struct floppy_format *format = image ? image_floppy_format(block_size_bytes(image)) : NULL;

                if (!image)
                        return false;
                if (!format) {
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_SIZE,
                                    "--floppy %s: %" G_GUINT64_FORMAT " bytes are the size of no floppy; make one with \"truncate -s "
                                    "1440K FILE\"", block_path(image), block_size_bytes(image));
                        block_close(image);
                        return false;
                }
                floppy_insert(machine->floppy, i, image,
                              (struct floppy_shape){ format->tracks, format->heads, format->sectors });
                machine->floppy_type[i] = format->drive;
        }
        return true;
}

bool storage_add(struct machine *machine, const struct machine_config *config, GError **error)
{
        machine->ide = machine_add_device(machine, "piix3_ide", "ide");
        pci_attach(machine->pci, machine->ide, PCI_DEVFN(1, 1));
        ide_connect_irq(machine->ide, 0, pc_isa_irq(machine, IRQ_IDE, PC_IRQ_DEVICE));
        ide_connect_irq(machine->ide, 1, pc_isa_irq(machine, IRQ_IDE + 1, PC_IRQ_DEVICE));
        /* Created first: only a created device frees the images it was given. */
        machine->dma = machine_add_device(machine, "i8237", "dma");
        machine->floppy = machine_add_device(machine, "floppy", "floppy");
        floppy_connect(machine->floppy, pc_isa_irq(machine, IRQ_FLOPPY, PC_IRQ_DEVICE), i8237_channel(machine->dma, DMA_FLOPPY));
        return machine_start_device(machine->ide, error) && machine_start_device(machine->dma, error) &&
               machine_start_device(machine->floppy, error) && add_ide_drives(machine, config, error) &&
               add_floppies(machine, config, error);
}

/* -- Changing media ------------------------------------------------------------------------------ */

bool storage_eject(struct machine *machine, const char *drive, bool force, GError **error)
{
        return ide_cd_eject(machine->ide, drive, force, error);
}

bool storage_insert(struct machine *machine, const char *drive, const char *path, bool force, GError **error)
{
        struct block *block = open_cd_path(machine, path, error);

        if (!block)
                return false;
        if (ide_cd_insert(machine->ide, drive, block, force, error))
                return true;
        block_close(block);
        return false;
}

/* -- What the firmware is told ------------------------------------------------------------------- */

/* The classes of CMOS bytes 3Dh and 38h: low nibble, high nibble, high nibble. */
static unsigned boot_class(const char *word, size_t length)
{
        static const char *const words[] = { "floppy", "disk", "cdrom", "network" };

        for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
                if (strlen(words[i]) == length && !strncmp(words[i], word, length))
                        return i + 1;
        return 0;
}

bool storage_boot_order(const char *text, uint8_t order[3])
{
        unsigned n = 0;

        memset(order, 0, 3);
        for (const char *word = text;; word++) {
                size_t length = strcspn(word, ",");
                unsigned class = boot_class(word, length);

                if (!class || n == 3 || memchr(order, (int)class, 3))
                        return false;
                order[n++] = (uint8_t)class;
                word += length;
                if (!*word)
                        return true;
        }
}

static void fill_disk_cmos(struct machine *machine)
{
        struct device *rtc = machine->rtc;
        uint8_t types = 0, translation = 0;

        for (unsigned slot = 0; slot < IDE_SLOTS; slot++) {
                unsigned chs[3];

                if (!ide_disk_geometry(machine->ide, slot, chs))
                        continue;
                if (chs[0] > 1024)
                        translation |= (uint8_t)(CMOS_TRANSLATE_LBA << 2 * slot);
                if (slot < 2) {                 /* "drive C" and "drive D" */
                        unsigned at = CMOS_DISK_GEOMETRY + CMOS_GEOMETRY_BYTES * slot;

                        types |= (uint8_t)(slot ? 0x0f : 0xf0);
                        rtc_cmos_set(rtc, CMOS_DISK_TYPE + slot, CMOS_TYPE_GEOMETRY_FOLLOWS);
                        rtc_cmos_set(rtc, at, (uint8_t)chs[0]);
                        rtc_cmos_set(rtc, at + 1, (uint8_t)(chs[0] >> 8));
                        rtc_cmos_set(rtc, at + 2, (uint8_t)chs[1]);
                        rtc_cmos_set(rtc, at + 3, 0xff);        /* no write precompensation */
                        rtc_cmos_set(rtc, at + 4, 0xff);
                        rtc_cmos_set(rtc, at + 5, 0xc0 | (chs[1] > 8) << 3);
                        rtc_cmos_set(rtc, at + 6, (uint8_t)chs[0]);     /* landing zone */
                        rtc_cmos_set(rtc, at + 7, (uint8_t)(chs[0] >> 8));
                        rtc_cmos_set(rtc, at + 8, (uint8_t)chs[2]);
                }
        }
        rtc_cmos_set(rtc, CMOS_HARD_DISKS, types);
        rtc_cmos_set(rtc, CMOS_TRANSLATION, translation);
}

static void fill_floppy_cmos(struct machine *machine)
{
        uint8_t first = machine->floppy_type[0], second = machine->floppy_type[1];
        uint8_t equipment = rtc_cmos_get(machine->rtc, CMOS_EQUIPMENT);

        rtc_cmos_set(machine->rtc, CMOS_FLOPPY_TYPES, (uint8_t)(first << 4 | second));
        if (first)
                equipment |= EQUIPMENT_FLOPPY;
        if (second)
                equipment |= EQUIPMENT_TWO_FLOPPIES;
        rtc_cmos_set(machine->rtc, CMOS_EQUIPMENT, equipment);
}

void storage_fill_cmos(struct machine *machine, const struct machine_config *config)
{
        uint8_t order[3];

        fill_disk_cmos(machine);
        fill_floppy_cmos(machine);
        if (!config->boot || !storage_boot_order(config->boot, order))
                storage_boot_order("disk,cdrom,floppy", order);
        rtc_cmos_set(machine->rtc, CMOS_BOOT_2, (uint8_t)(order[0] | order[1] << 4));
        rtc_cmos_set(machine->rtc, CMOS_BOOT_1, (uint8_t)(order[2] << 4));
}
