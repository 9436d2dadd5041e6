/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage.c - which images go into which drives, and what the firmware is told about them.
 *
 * Places on the IDE channels (slots 0 to 3: primary and secondary, device 0 and 1): CD drives begin at
 * slot 2, disks at slot 0; each takes the next free one.  A PC without a CD drive is a poor PC, so an
 * empty one is there whenever a slot is left.
 */
#include <string.h>

#include "base/i18n.h"
#include "base/log.h"
#include "block/block.h"
#include "devices/chipset/i8237.h"
#include "devices/chipset/rtc.h"
#include "devices/storage/ahci.h"
#include "devices/storage/floppy.h"
#include "devices/storage/ide.h"
#include "devices/virtio/virtio_blk.h"
#include "devices/virtio/virtio_scsi.h"
#include "machine/disk_spec.h"
#include "machine/firmware.h"
#include "machine/image.h"
#include "machine/internal.h"
#include "machine/manage.h"
#include "machine/pci.h"
#include "machine/storage.h"

enum {
        CMOS_FLOPPY_TYPES = 0x10, CMOS_HARD_DISKS = 0x12, CMOS_EQUIPMENT = 0x14, CMOS_DISK_TYPE = 0x19,
        CMOS_DISK_GEOMETRY = 0x1b, CMOS_BOOT_1 = 0x38, CMOS_TRANSLATION = 0x39, CMOS_BOOT_2 = 0x3d,
};
enum { BOOT_FLOPPY = 1, BOOT_DISK = 2, BOOT_CDROM = 3, BOOT_NETWORK = 4 };
enum { IRQ_FLOPPY = 6, IRQ_IDE = 14, DMA_FLOPPY = 2 };
enum { EQUIPMENT_FLOPPY = 1, EQUIPMENT_TWO_FLOPPIES = 0x40 };
enum { CMOS_GEOMETRY_BYTES = 9, CMOS_TYPE_GEOMETRY_FOLLOWS = 47, CMOS_TRANSLATE_LBA = 1 };

/* -- Images -------------------------------------------------------------------------------------- */

/* A full disk of the host is the user's to mend, not the guest's to suffer from. */
static void image_full(void *opaque, struct block *block)
{
        struct machine *machine = opaque;
        char *reason = g_strdup_printf(_("no room on the host's disk for %s"), block_path(block));

        log_warning(_("%s; the machine is paused: make room, then \"lodger resume %s\""), reason, machine->name);
        machine_pause_because(machine, reason);
        g_free(reason);
}

static void retry(struct block *block, void *unused)
{
        (void)unused;
        block_retry(block);
}

void storage_retry(void)
{
        block_foreach(retry, NULL);
}

static struct block *image_open(struct machine *machine, const char *option, const struct disk_spec *spec, GError **error)
{
        struct block *block = block_open(spec->path, &spec->options, &machine->lock, error);

        if (!block)
                g_prefix_error(error, "%s ", option);
        else
                block_on_full(block, image_full, machine);
        return block;
}

static bool spec_parse(const char *option, const char *text, struct disk_spec *spec, GError **error)
{
        if (disk_spec_parse(text, spec, error))
                return true;
        g_prefix_error(error, "%s ", option);
        return false;
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

/* -- Boot order ---------------------------------------------------------------------------------- */

/* A place that can be started from, as the firmware names it. */
struct boot_place {
        unsigned class;                 /* as in CMOS: BOOT_FLOPPY ... */
        int index;                      /* bootindex=, -1: none */
        char *path;
};

static void add_boot_place(struct machine *machine, unsigned class, int index, char *path)
{
        struct boot_place *place = g_new(struct boot_place, 1);

        *place = (struct boot_place){ class, index, path };
        if (!machine->boot_places)
                machine->boot_places = g_ptr_array_new();
        g_ptr_array_add(machine->boot_places, place);
}

static unsigned class_of(bool cd)
{
        return cd ? BOOT_CDROM : BOOT_DISK;
}

/* -- Drives on each bus --------------------------------------------------------------------------- */

static struct device *add_pci_device(struct machine *machine, const char *class_name, const char *id, GError **error)
{
        unsigned devfn = pci_free_slot(machine->pci);
        struct device *device;

        if (devfn == PCI_NO_SLOT) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "no PCI slot is left for %s; leave something out", id);
                return NULL;
        }
        device = machine_add_device(machine, class_name, id);
        pci_attach(machine->pci, device, devfn);
        return device;
}

static unsigned slot_of(struct device *device)
{
        return ((struct pci_device *)device)->devfn >> 3;
}

/* Takes the image (NULL: an empty CD drive) over, also when it fails. */
static bool add_to_ide(struct machine *machine, const struct disk_spec *spec, const char *id, struct block *image, bool cd,
                       GError **error)
{
        int slot = next_free(machine->ide_taken, cd ? 2 : 0);

        if (slot < 0) {
                block_close(image);
                return too_many(error);
        }
        if (cd)
                ide_add_cd(machine->ide, (unsigned)slot, id, image);
        else
                ide_add_disk(machine->ide, (unsigned)slot, id, image);
        add_boot_place(machine, class_of(cd), spec->boot_index,
                       g_strdup_printf("/pci@i0cf8/ide@1,1/drive@%x/disk@%x", (unsigned)slot / 2, (unsigned)slot % 2));
        return true;
}

/* The controller comes with its first drive. */
static bool add_to_ahci(struct machine *machine, const struct disk_spec *spec, const char *id, struct block *image, bool cd,
                        GError **error)
{
        unsigned port = machine->ahci_ports;

        if (!machine->ahci) {
                struct device *ahci = add_pci_device(machine, "ahci", "ahci", error);

                if (!ahci || !machine_start_device(ahci, error)) {
                        block_close(image);
                        return false;
                }
                machine->ahci = ahci;
        }
        if (port == AHCI_PORTS) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "%s: an AHCI controller has six ports; leave a drive out, or put it on another bus", id);
                block_close(image);
                return false;
        }
        machine->ahci_ports++;
        if (cd)
                ahci_add_cd(machine->ahci, port, id, image);
        else
                ahci_add_disk(machine->ahci, port, id, image);
        add_boot_place(machine, class_of(cd), spec->boot_index,
                       g_strdup_printf("/pci@i0cf8/pci8086,2922@%x/drive@%x/disk@0", slot_of(machine->ahci), port));
        return true;
}

static bool add_to_virtio(struct machine *machine, const struct disk_spec *spec, const char *id, struct block *image, GError **error)
{
        struct device *device = add_pci_device(machine, "virtio_blk", id, error);

        if (!device) {
                block_close(image);
                return false;
        }
        virtio_blk_connect(device, image);
        add_boot_place(machine, BOOT_DISK, spec->boot_index, g_strdup_printf("/pci@i0cf8/scsi@%x/disk@0,0", slot_of(device)));
        return machine_start_device(device, error);
}

static bool add_to_scsi(struct machine *machine, const struct disk_spec *spec, const char *id, struct block *image, bool cd,
                        GError **error)
{
        unsigned target = machine->scsi_targets;

        if (!machine->scsi) {
                struct device *scsi = add_pci_device(machine, "virtio_scsi", "scsi", error);

                if (!scsi || !machine_start_device(scsi, error)) {
                        block_close(image);
                        return false;
                }
                machine->scsi = scsi;
        }
        if (target == VIRTIO_SCSI_TARGETS) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "%s: there are eight SCSI targets; leave a drive out, or put it on another bus", id);
                block_close(image);
                return false;
        }
        machine->scsi_targets++;
        if (cd)
                virtio_scsi_add_cd(machine->scsi, target, id, image);
        else
                virtio_scsi_add_disk(machine->scsi, target, id, image);
        add_boot_place(machine, class_of(cd), spec->boot_index,
                       g_strdup_printf("/pci@i0cf8/scsi@%x/channel@0/disk@%x,0", slot_of(machine->scsi), target));
        return true;
}

static bool add_drive(struct machine *machine, const struct disk_spec *spec, const char *id, struct block *image, bool cd,
                      GError **error)
{
        switch (spec->bus) {
        case DISK_BUS_DEFAULT:
        case DISK_BUS_IDE:
                return add_to_ide(machine, spec, id, image, cd, error);
        case DISK_BUS_AHCI:
                return add_to_ahci(machine, spec, id, image, cd, error);
        case DISK_BUS_SCSI:
                return add_to_scsi(machine, spec, id, image, cd, error);
        case DISK_BUS_VIRTIO:
                if (!cd)
                        return add_to_virtio(machine, spec, id, image, error);
                break;
        default:
                break;
        }
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: no such drive on that bus", spec->path);
        block_close(image);
        return false;
}

static bool add_cdrom(struct machine *machine, const char *text, unsigned n, GError **error)
{
        char *id = g_strdup_printf("cd%u", n);
        struct disk_spec spec;
        struct block *image;
        bool ok = spec_parse("--cdrom", text, &spec, error);

        if (ok) {
                image = open_cd_path(machine, spec.path, error);        /* a CD is read-only in any case */
                if (!image)
                        g_prefix_error(error, "--cdrom ");
                ok = image && add_drive(machine, &spec, id, image, true, error);
                disk_spec_clear(&spec);
        }
        g_free(id);
        return ok;
}

static bool add_disk(struct machine *machine, const char *text, unsigned n, GError **error)
{
        char *id = g_strdup_printf("disk%u", n);
        struct disk_spec spec;
        bool ok = spec_parse("--disk", text, &spec, error);

        if (ok) {
                struct block *image = image_open(machine, "--disk", &spec, error);

                ok = image && add_drive(machine, &spec, id, image, false, error);
                disk_spec_clear(&spec);
        }
        g_free(id);
        return ok;
}

/* Disks that will want a place on the IDE channels. */
static guint count_ide_disks(const struct machine_config *config)
{
        guint n = 0;

        for (guint i = 0; config->disks && i < config->disks->len; i++) {
                struct disk_spec spec;

                if (!disk_spec_parse(g_ptr_array_index(config->disks, i), &spec, NULL))
                        continue;               /* add_disk() complains */
                n += spec.bus == DISK_BUS_DEFAULT || spec.bus == DISK_BUS_IDE;
                disk_spec_clear(&spec);
        }
        return n;
}

static bool add_drives(struct machine *machine, const struct machine_config *config, GError **error)
{
        guint cds = config->cdroms ? config->cdroms->len : 0, disks = config->disks ? config->disks->len : 0;
        struct disk_spec none = { .boot_index = -1 };

        if (!cds && count_ide_disks(config) < IDE_SLOTS && !add_to_ide(machine, &none, "cd0", NULL, true, error))
                return false;
        for (guint i = 0; i < cds; i++)
                if (!add_cdrom(machine, g_ptr_array_index(config->cdroms, i), i, error))
                        return false;
        for (guint i = 0; i < disks; i++)
                if (!add_disk(machine, g_ptr_array_index(config->disks, i), i, error))
                        return false;
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
                const struct floppy_format *format;
                struct disk_spec spec;
                struct block *image;

                if (!spec_parse("--floppy", g_ptr_array_index(config->floppies, i), &spec, error))
                        return false;
                image = image_open(machine, "--floppy", &spec, error);
                add_boot_place(machine, BOOT_FLOPPY, spec.boot_index, g_strdup_printf("/pci@i0cf8/isa@1/fdc@03f0/floppy@%u", i));
                disk_spec_clear(&spec);
                if (!image)
                        return false;
                format = image_floppy_format(block_size_bytes(image));
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
        if (firmware_is_uefi(config->firmware) && !device_set(machine->ide, "decode", "on", error))
                return false;
        pci_attach(machine->pci, machine->ide, PCI_DEVFN(1, 1));
        ide_connect_irq(machine->ide, 0, pc_isa_irq(machine, IRQ_IDE, PC_IRQ_DEVICE));
        ide_connect_irq(machine->ide, 1, pc_isa_irq(machine, IRQ_IDE + 1, PC_IRQ_DEVICE));
        /* Created first: only a created device frees the images it was given. */
        machine->dma = machine_add_device(machine, "i8237", "dma");
        machine->floppy = machine_add_device(machine, "floppy", "floppy");
        floppy_connect(machine->floppy, pc_isa_irq(machine, IRQ_FLOPPY, PC_IRQ_DEVICE), i8237_channel(machine->dma, DMA_FLOPPY));
        return machine_start_device(machine->ide, error) && machine_start_device(machine->dma, error) &&
               machine_start_device(machine->floppy, error) && add_drives(machine, config, error) &&
               add_floppies(machine, config, error);
}

/* -- Changing media ------------------------------------------------------------------------------ */

/* On whatever controller the drive is. */
static bool change_medium(struct machine *machine, const char *drive, struct block *image, bool force, GError **error)
{
        if (machine->ahci && ahci_has_cd(machine->ahci, drive))
                return ahci_cd_change(machine->ahci, drive, image, force, error);
        if (machine->scsi && virtio_scsi_has_cd(machine->scsi, drive))
                return virtio_scsi_cd_change(machine->scsi, drive, image, force, error);
        return image ? ide_cd_insert(machine->ide, drive, image, force, error) : ide_cd_eject(machine->ide, drive, force, error);
}

bool storage_eject(struct machine *machine, const char *drive, bool force, GError **error)
{
        return change_medium(machine, drive, NULL, force, error);
}

bool storage_insert(struct machine *machine, const char *drive, const char *path, bool force, GError **error)
{
        struct block *block = open_cd_path(machine, path, error);

        if (!block)
                return false;
        if (change_medium(machine, drive, block, force, error))
                return true;
        block_close(block);
        return false;
}

/* -- What the firmware is told ------------------------------------------------------------------- */

/* The classes of CMOS bytes 3Dh and 38h: low nibble, high nibble, high nibble. */
static unsigned boot_class(const char *word, size_t length)
{
        static const char *const words[] = { [BOOT_FLOPPY - 1] = "floppy", [BOOT_DISK - 1] = "disk", [BOOT_CDROM - 1] = "cdrom",
                                             [BOOT_NETWORK - 1] = "network" };

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

static void boot_order(const struct machine_config *config, uint8_t order[3])
{
        if (!config->boot || !storage_boot_order(config->boot, order))
                storage_boot_order("disk,cdrom,floppy", order);
}

static int compare_index(const void *a, const void *b)
{
        const struct boot_place *first = *(const struct boot_place *const *)a, *second = *(const struct boot_place *const *)b;

        return first->index - second->index;
}

/* File "bootorder": a path a line, those with a bootindex= first, then by class; within each as on the command
 * line.  CMOS alone would leave the order of disks to the order in which the firmware finds controllers. */
GBytes *storage_make_boot_order(struct machine *machine, const struct machine_config *config)
{
        GString *text = g_string_new(NULL);
        GPtrArray *indexed = g_ptr_array_new();
        uint8_t order[3];
        gsize size;

        boot_order(config, order);
        for (guint i = 0; machine->boot_places && i < machine->boot_places->len; i++) {
                struct boot_place *place = g_ptr_array_index(machine->boot_places, i);

                if (place->index >= 0)
                        g_ptr_array_add(indexed, place);
        }
        g_ptr_array_sort(indexed, compare_index);
        for (guint i = 0; i < indexed->len; i++)
                g_string_append_printf(text, "%s\n", ((struct boot_place *)g_ptr_array_index(indexed, i))->path);
        for (unsigned n = 0; n < 3; n++) {
                for (guint i = 0; machine->boot_places && i < machine->boot_places->len; i++) {
                        struct boot_place *place = g_ptr_array_index(machine->boot_places, i);

                        if (place->index < 0 && place->class == order[n])
                                g_string_append_printf(text, "%s\n", place->path);
                }
        }
        g_ptr_array_free(indexed, TRUE);
        if (!text->len) {
                g_string_free(text, TRUE);
                return NULL;
        }
        size = text->len + 1;                   /* the firmware wants the NUL */
        return g_bytes_new_take(g_string_free(text, FALSE), size);
}

void storage_add_network_boot(struct machine *machine, unsigned slot)
{
        add_boot_place(machine, BOOT_NETWORK, -1, g_strdup_printf("/pci@i0cf8/ethernet@%x/ethernet-phy@0", slot));
}

void storage_free(struct machine *machine)
{
        for (guint i = 0; machine->boot_places && i < machine->boot_places->len; i++) {
                struct boot_place *place = g_ptr_array_index(machine->boot_places, i);

                g_free(place->path);
                g_free(place);
        }
        g_clear_pointer(&machine->boot_places, g_ptr_array_unref);
}

void storage_fill_cmos(struct machine *machine, const struct machine_config *config)
{
        uint8_t order[3];

        fill_disk_cmos(machine);
        fill_floppy_cmos(machine);
        boot_order(config, order);
        rtc_cmos_set(machine->rtc, CMOS_BOOT_2, (uint8_t)(order[0] | order[1] << 4));
        rtc_cmos_set(machine->rtc, CMOS_BOOT_1, (uint8_t)(order[2] << 4));
}
