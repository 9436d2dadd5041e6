/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ovf.c - Open Virtualization Format (DMTF DSP0243, versions 0.9 to 2): an Envelope with one VirtualSystem.
 *
 * Hardware is a list of Items told apart by ResourceType (CIM_ResourceAllocationSettingData).  A disk's Item names a Disk
 * ("ovf:/disk/ID"), that one a File, and that one the image; a Disk without a File is empty.  Quantities have
 * units such as "byte * 2^20", "MegaBytes" or none.
 */
#include <string.h>

#include "base/i18n.h"
#include "import/import.h"
#include "import/xml.h"

enum { RESOURCE_CPU = 3, RESOURCE_MEMORY = 4, RESOURCE_IDE = 5, RESOURCE_SCSI = 6, RESOURCE_CARD = 10, RESOURCE_DISK = 17, RESOURCE_SATA = 20 };

/* DSP0004, annex C, "programmatic units", as far as programs write them; and the words of older versions. */
static uint64_t unit_bytes(const char *text, uint64_t otherwise)
{
        const char *power = text ? strchr(text, '^') : NULL;
        guint64 exponent;

        if (!text || !*text)
                return otherwise;
        if (power && g_ascii_string_to_unsigned(power + 1, 10, 0, 50, &exponent, NULL) && power > text && power[-1] == '2')
                return UINT64_C(1) << exponent;
        if (g_str_has_prefix(text, "Mega") || g_str_has_prefix(text, "MB"))
                return 1 << 20;
        if (g_str_has_prefix(text, "Giga") || g_str_has_prefix(text, "GB"))
                return 1 << 30;
        if (g_str_has_prefix(text, "Kilo") || g_str_has_prefix(text, "KB"))
                return 1 << 10;
        return !strcmp(text, "byte") || !strcmp(text, "bytes") ? 1 : otherwise;
}

/* The element called so whose attribute has that value. */
static const struct xml *by_attribute(const struct xml *root, const char *name, const char *attribute, const char *value)
{
        GPtrArray *found = g_ptr_array_new();
        const struct xml *match = NULL;

        xml_find_all(root, name, found);
        for (guint i = 0; i < found->len && !match; i++)
                if (!g_strcmp0(xml_attribute(g_ptr_array_index(found, i), attribute), value))
                        match = g_ptr_array_index(found, i);
        g_ptr_array_unref(found);
        return match;
}

static uint64_t resource_of(const struct xml *item) { return import_number(xml_child_text(item, "ResourceType"), 1); }

/* The bus of the controller an Item hangs on. */
static const char *bus_of(const GPtrArray *items, const struct xml *item)
{
        const char *parent = xml_child_text(item, "Parent");

        for (guint i = 0; *parent && i < items->len; i++) {
                const struct xml *other = g_ptr_array_index(items, i);

                if (strcmp(xml_child_text(other, "InstanceID"), parent))
                        continue;
                switch (resource_of(other)) {
                case RESOURCE_SCSI:
                        return "scsi";
                case RESOURCE_SATA:
                        return "ahci";
                default:
                        return "ide";
                }
        }
        return "ide";
}

static bool add_disk(struct import *import, const struct xml *root, const GPtrArray *items, const struct xml *item, GError **error)
{
        const char *host = xml_child_text(item, "HostResource"), *slash = strrchr(host, '/'), *id = slash ? slash + 1 : host;
        const struct xml *disk = by_attribute(root, "Disk", "diskId", id);
        const char *reference = xml_attribute(disk, "fileRef");
        const struct xml *file = reference ? by_attribute(root, "File", "id", reference) : NULL;
        const char *href = xml_attribute(file, "href");
        uint64_t bytes = import_number(xml_attribute(disk, "capacity"), unit_bytes(xml_attribute(disk, "capacityAllocationUnits"), 1));

        if (!disk || (reference && !href)) {
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, _("the disk “%s” is not described"), id);
                return false;
        }
        if (xml_attribute(disk, "parentRef") || xml_attribute(file, "compression") || xml_attribute(file, "chunkSize")) {
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT,
                            _("%s: disks in pieces, compressed, or built on others are not read; export the machine anew without that"),
                            href ? href : id);
                return false;
        }
        if (!href && (!bytes || bytes % 512)) {
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, _("the disk “%s” has no size"), id);
                return false;
        }
        return import_add_disk(import, href, bytes, bus_of(items, item), error);
}

static const char *card_of(const char *kind)
{
        char *lower = g_ascii_strdown(kind, -1);
        const char *model = strstr(lower, "virtio") ? "virtio" : strstr(lower, "pcnet") ? "rtl8139" : "e1000";

        g_free(lower);
        return model;
}

static bool add_item(struct import *import, const struct xml *root, const GPtrArray *items, const struct xml *item, GError **error)
{
        const char *quantity = xml_child_text(item, "VirtualQuantity");

        switch (resource_of(item)) {
        case RESOURCE_CPU:
                import->cpus = (unsigned)MIN(import_number(quantity, 1), G_MAXUINT);
                return true;
        case RESOURCE_MEMORY:
                import->memory_bytes = import_number(quantity, unit_bytes(xml_child_text(item, "AllocationUnits"), 1 << 20));
                return true;
        case RESOURCE_CARD:
                import_add_card(import, card_of(xml_child_text(item, "ResourceSubType")));
                return true;
        case RESOURCE_DISK:
                return add_disk(import, root, items, item, error);
        default:
                return true;
        }
}

static void read_os(struct import *import, const struct xml *system)
{
        const struct xml *section = xml_child(system, "OperatingSystemSection");
        const char *type = xml_attribute(section, "osType");
        char *words = g_strdup_printf("%s %s %s", type ? type : "", xml_child_text(section, "OSType"), xml_child_text(section, "Description"));

        import_set_os(import, words);
        g_free(words);
}

bool import_ovf(struct import *import, const struct xml *root, GError **error)
{
        const struct xml *system = xml_child(root, "VirtualSystem"), *hardware = xml_child(system, "VirtualHardwareSection");
        const char *name = xml_child_text(system, "Name"), *id = xml_attribute(system, "id");
        GPtrArray *items = g_ptr_array_new();
        bool ok = system != NULL;

        if (!system)
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, _("no single machine is in it"));
        if (*name || id)
                import_set_name(import, *name ? name : id);
        read_os(import, system);
        /* Version 2 has elements of their own for disks and cards. */
        for (guint i = 0; hardware && i < hardware->children->len; i++) {
                struct xml *child = g_ptr_array_index(hardware->children, i);

                if (g_str_has_suffix(child->name, "Item"))
                        g_ptr_array_add(items, child);
        }
        for (guint i = 0; ok && i < items->len; i++)
                ok = add_item(import, root, items, g_ptr_array_index(items, i), error);
        g_ptr_array_unref(items);
        return ok;
}
