/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vbox.c - VirtualBox's machine definitions (VirtualBox-settings.xsd).
 *
 * Images are listed in MediaRegistry and attached by their uuid.  An image within another one's element holds what changed
 * since a snapshot: it means nothing without the others, so it is refused.
 */
#include <string.h>

#include "base/i18n.h"
#include "import/import.h"
#include "import/xml.h"

/* Types of controllers and cards, by what they begin with. */
static const struct { const char *type, *bus; } controllers[] = {
        { "PIIX", "ide" }, { "ICH6", "ide" }, { "AHCI", "ahci" }, { "IntelAhci", "ahci" }, { "LsiLogic", "scsi" }, { "BusLogic", "scsi" },
        { "VirtioSCSI", "scsi" }, { "NVMe", "ahci" }, { "USB", "ahci" },
};
static const struct { const char *type, *model; } cards[] = {
        { "8254", "e1000" }, { "Am79", "rtl8139" }, { "virtio", "virtio" }, { "NE", "ne2k" }, { "3C", "ne2k" },
};

static const char *bus_of(const char *type)
{
        for (gsize i = 0; type && i < G_N_ELEMENTS(controllers); i++)
                if (g_str_has_prefix(type, controllers[i].type))
                        return controllers[i].bus;
        return "ide";
}

static const char *card_of(const char *type)
{
        for (gsize i = 0; type && i < G_N_ELEMENTS(cards); i++)
                if (g_str_has_prefix(type, cards[i].type))
                        return cards[i].model;
        return "e1000";
}

/* The element of that uuid among those called so. */
static const struct xml *medium(const struct xml *machine, const char *kind, const char *uuid)
{
        GPtrArray *media = g_ptr_array_new();
        const struct xml *found = NULL;

        xml_find_all(xml_child(machine, "MediaRegistry"), kind, media);
        for (guint i = 0; i < media->len && !found; i++)
                if (!g_strcmp0(xml_attribute(g_ptr_array_index(media, i), "uuid"), uuid))
                        found = g_ptr_array_index(media, i);
        g_ptr_array_unref(media);
        return found;
}

/* Whether an image is one of those directly in the registry. */
static bool stands_alone(const struct xml *machine, const struct xml *image)
{
        const struct xml *list = xml_child(xml_child(machine, "MediaRegistry"), "HardDisks");

        for (guint i = 0; list && i < list->children->len; i++)
                if (g_ptr_array_index(list->children, i) == image)
                        return !xml_child(image, "HardDisk");
        return false;
}

static bool add_disk(struct import *import, const struct xml *machine, const char *uuid, const char *bus, GError **error)
{
        const struct xml *image = medium(machine, "HardDisk", uuid);
        const char *location = xml_attribute(image, "location");

        if (!location) {
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, _("the disk %s is in no list of media"), uuid);
                return false;
        }
        if (!stands_alone(machine, image)) {
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT,
                            _("%s: the disk has snapshots; delete them in VirtualBox, or clone the machine there, first"), location);
                return false;
        }
        return import_add_disk(import, location, 0, bus, error);
}

/* A CD that is not there any more is no reason to refuse a machine. */
static void add_cd(struct import *import, const struct xml *machine, const char *uuid)
{
        const char *location = xml_attribute(medium(machine, "Image", uuid), "location");
        GError *error = NULL;
        char *path = location ? import_find_file(import, location, &error) : NULL;

        if (path)
                g_ptr_array_add(import->cdroms, path);
        else if (error)
                import_note(import, _("the CD is left out: %s"), error->message);
        g_clear_error(&error);
}

static bool add_drives(struct import *import, const struct xml *machine, const struct xml *controller, GError **error)
{
        const char *bus = bus_of(xml_attribute(controller, "type"));

        for (guint i = 0; i < controller->children->len; i++) {
                const struct xml *drive = g_ptr_array_index(controller->children, i);
                const char *type = xml_attribute(drive, "type"), *uuid = xml_attribute(xml_child(drive, "Image"), "uuid");

                if (strcmp(drive->name, "AttachedDevice") || !type || !uuid)
                        continue;
                if (!strcmp(type, "DVD"))
                        add_cd(import, machine, uuid);
                else if (strcmp(type, "HardDisk"))
                        import_note(import, _("a drive of the kind %s is left out"), type);
                else if (!add_disk(import, machine, uuid, bus, error))
                        return false;
        }
        return true;
}

bool import_vbox(struct import *import, const struct xml *root, GError **error)
{
        const struct xml *machine = xml_child(root, "Machine"), *hardware = xml_child(machine, "Hardware");
        GPtrArray *found = g_ptr_array_new();
        const char *text = xml_attribute(machine, "name");
        bool ok = machine != NULL;

        if (!machine)
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, _("no machine is in it (an encrypted one?)"));
        if (text)
                import_set_name(import, text);
        text = xml_attribute(machine, "OSType");
        import_set_os(import, text ? text : "");
        import->cpus = (unsigned)MIN(import_number(xml_attribute(xml_child(hardware, "CPU"), "count"), 1), G_MAXUINT);
        import->memory_bytes = import_number(xml_attribute(xml_child(hardware, "Memory"), "RAMSize"), 1 << 20);
        text = xml_attribute(xml_child(hardware, "Firmware"), "type");
        import->uefi = text && g_str_has_prefix(text, "EFI");
        xml_find_all(xml_child(hardware, "Network"), "Adapter", found);
        for (guint i = 0; i < found->len; i++)
                if (!g_strcmp0(xml_attribute(g_ptr_array_index(found, i), "enabled"), "true"))
                        import_add_card(import, card_of(xml_attribute(g_ptr_array_index(found, i), "type")));
        /* Of the machine itself: its snapshots have controllers of their own.  Newer versions keep them under Hardware. */
        g_ptr_array_set_size(found, 0);
        xml_find_all(xml_child(machine, "StorageControllers"), "StorageController", found);
        xml_find_all(xml_child(hardware, "StorageControllers"), "StorageController", found);
        for (guint i = 0; ok && i < found->len; i++)
                ok = add_drives(import, machine, g_ptr_array_index(found, i), error);
        g_ptr_array_unref(found);
        return ok;
}
