/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_import.c - definitions of other programs: what is read, what is refused, and that nonsense is survived. */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "import/import.h"
#include "import/xml.h"
#include "unit.h"

static char *folder, *outside;

static const char vbox[] =
        "<?xml version=\"1.0\"?>\n"
        "<VirtualBox xmlns=\"http://www.virtualbox.org/\" version=\"1.19-linux\">\n"
        " <Machine uuid=\"{0}\" name=\"My Déb!an\" OSType=\"Debian_64\">\n"
        "  <MediaRegistry><HardDisks><HardDisk uuid=\"{1}\" location=\"%s\" format=\"RAW\" type=\"Normal\"/>\n"
        "   <HardDisk uuid=\"{3}\" location=\"base.vdi\"><HardDisk uuid=\"{4}\" location=\"child.vdi\"/></HardDisk></HardDisks>\n"
        "   <DVDImages><Image uuid=\"{2}\" location=\"gone.iso\"/></DVDImages></MediaRegistry>\n"
        "  <Hardware><CPU count=\"99\"/><Memory RAMSize=\"768\"/><Firmware type=\"EFI\"/>\n"
        "   <Network><Adapter slot=\"0\" enabled=\"true\" type=\"virtio\"><NAT/></Adapter><Adapter slot=\"1\" enabled=\"false\" type=\"82540EM\"/></Network>\n"
        "   <StorageControllers><StorageController name=\"SATA\" type=\"AHCI\">\n"
        "    <AttachedDevice type=\"HardDisk\" port=\"0\" device=\"0\"><Image uuid=\"%s\"/></AttachedDevice>\n"
        "    <AttachedDevice type=\"DVD\" port=\"1\" device=\"0\"><Image uuid=\"{2}\"/></AttachedDevice>\n"
        "   </StorageController></StorageControllers></Hardware>\n"
        "  <Snapshot name=\"s\"><StorageControllers><StorageController type=\"AHCI\"><AttachedDevice type=\"HardDisk\"><Image uuid=\"{3}\"/>"
        "</AttachedDevice></StorageController></StorageControllers></Snapshot>\n"
        " </Machine></VirtualBox>\n";

static const char ovf[] =
        "<Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\" xmlns:ovf=\"http://schemas.dmtf.org/ovf/envelope/1\""
        " xmlns:rasd=\"http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData\">\n"
        " <References><File ovf:id=\"f1\" ovf:href=\"disk.img\"/></References>\n"
        " <DiskSection><Info/><Disk ovf:diskId=\"d1\" ovf:fileRef=\"f1\" ovf:capacity=\"1\"/>"
        "<Disk ovf:diskId=\"d2\" ovf:capacity=\"3\" ovf:capacityAllocationUnits=\"byte * 2^20\"/></DiskSection>\n"
        " <VirtualSystem ovf:id=\"box\"><Name>box</Name>\n"
        "  <OperatingSystemSection ovf:id=\"93\"><Description>Ubuntu</Description></OperatingSystemSection>\n"
        "  <VirtualHardwareSection>\n"
        "   <Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>\n"
        "   <Item><rasd:AllocationUnits>MegaBytes</rasd:AllocationUnits><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>512</rasd:VirtualQuantity></Item>\n"
        "   <Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceType>20</rasd:ResourceType></Item>\n"
        "   <Item><rasd:HostResource>ovf:/disk/d1</rasd:HostResource><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>\n"
        "   <Item><rasd:HostResource>/disk/d2</rasd:HostResource><rasd:ResourceType>17</rasd:ResourceType></Item>\n"
        "   <Item><rasd:ResourceType>10</rasd:ResourceType><rasd:ResourceSubType>E1000</rasd:ResourceSubType></Item>\n"
        "  </VirtualHardwareSection></VirtualSystem></Envelope>\n";

static char *place(const char *name) { return g_build_filename(folder, name, NULL); }

static char *put(const char *name, const void *bytes, gssize size)
{
        char *path = place(name);

        ck_assert(g_file_set_contents(path, bytes, size, NULL));
        return path;
}

static void begin(void)
{
        char disk[1 << 16];
        char *data;

        folder = g_dir_make_tmp("lodger-import-XXXXXX", NULL);
        data = place("data");
        g_setenv("XDG_DATA_HOME", data, TRUE);
        memset(disk, 'd', sizeof(disk));
        g_free(put("disk.img", disk, sizeof(disk)));
        outside = g_strdup_printf("%s-outside", folder);
        ck_assert(g_file_set_contents(outside, disk, sizeof(disk), NULL));
        g_free(data);
}

static void end(void)
{
        char *command = g_strdup_printf("rm -rf '%s' '%s'", folder, outside);

        ck_assert_int_eq(system(command), 0);
        g_free(command);
        g_free(folder);
        g_free(outside);
}

static struct import *read_vbox(const char *location, const char *uuid, GError **error)
{
        char *text = g_strdup_printf(vbox, location, uuid), *path = put("my.vbox", text, -1);
        struct import *import = import_read(path, error);

        g_free(path);
        g_free(text);
        return import;
}

START_TEST(virtualbox)
{
        const struct import_disk *disk;
        struct definition *definition;
        struct import *import;
        char *text, *real;

        begin();
        import = read_vbox("disk.img", "{1}", NULL);
        ck_assert_ptr_nonnull(import);
        ck_assert_str_eq(import->name, "My-D-b-an");
        ck_assert_str_eq(import->os, "linux64");
        ck_assert_uint_eq(import->cpus, 32);
        ck_assert_uint_eq(import->memory_bytes, UINT64_C(768) << 20);
        ck_assert_uint_eq(import->disks->len, 1);
        disk = g_ptr_array_index(import->disks, 0);
        ck_assert(g_str_has_suffix(disk->path, "/disk.img"));
        ck_assert_str_eq(disk->bus, "ahci");
        ck_assert_uint_eq(import->cdroms->len, 0);
        ck_assert_uint_eq(import->cards->len, 1);
        ck_assert_str_eq(g_ptr_array_index(import->cards, 0), "virtio");
        ck_assert(import->uefi);
        ck_assert_uint_eq(import->notes->len, 2);               /* the CD, the CPUs */
        ck_assert(import_make(import, NULL, NULL, NULL));
        definition = definition_load("My-D-b-an", NULL);
        ck_assert_ptr_nonnull(definition);
        text = definition_describe(definition);
        ck_assert_ptr_nonnull(strstr(text, "memory=768M"));
        ck_assert_ptr_nonnull(strstr(text, "disk0.qcow2,bus=ahci"));
        g_free(text);
        real = g_build_filename(definition->folder, "disk0.qcow2", NULL);
        ck_assert(g_file_test(real, G_FILE_TEST_IS_REGULAR));
        ck_assert(!import_make(import, NULL, NULL, NULL));      /* there is one of that name now */
        ck_assert(g_file_test(real, G_FILE_TEST_IS_REGULAR));
        g_free(real);
        definition_free(definition);
        import_free(import);
        end();
}
END_TEST

static void refused(const char *location, const char *uuid, const char *why)
{
        GError *error = NULL;

        ck_assert_ptr_null(read_vbox(location, uuid, &error));
        if (!strstr(error->message, why))
                ck_abort_msg("%s", error->message);
        g_clear_error(&error);
}

START_TEST(what_a_definition_may_name)
{
        char *link, *up, *base;

        begin();
        refused(outside, "{1}", "own folder");
        base = g_path_get_basename(outside);
        up = g_strdup_printf("../%s", base);
        refused(up, "{1}", "own folder");
        link = place("link.img");
        ck_assert_int_eq(symlink(outside, link), 0);
        refused("link.img", "{1}", "own folder");
        refused("/dev/zero", "{1}", "own folder");
        refused(".", "{1}", "own folder");
        refused("nothing.img", "{1}", "No such file");
        refused("disk.img", "{4}", "snapshots");
        refused("disk.img", "{3}", "snapshots");
        refused("disk.img", "{9}", "no list");
        g_free(link);
        g_free(up);
        g_free(base);
        end();
}
END_TEST

/* A member of an archive; gives the bytes it takes. */
static size_t tar_put(uint8_t *at, const char *name, const void *bytes, size_t size)
{
        unsigned sum = 0;

        memset(at, 0, 512);
        strcpy((char *)at, name);
        sprintf((char *)at + 124, "%011zo", size);
        memset(at + 148, ' ', 8);
        at[156] = '0';
        memcpy(at + 257, "ustar", 6);
        for (unsigned i = 0; i < 512; i++)
                sum += at[i];
        sprintf((char *)at + 148, "%06o", sum);
        memcpy(at + 512, bytes, size);
        return 512 + (size + 511) / 512 * 512;
}

START_TEST(ovf_folder_and_archive)
{
        static uint8_t archive[1 << 18];
        struct import *import;
        struct definition *definition;
        char *path, *bytes, *bad;
        size_t size, length;
        GError *error = NULL;

        begin();
        for (unsigned packed = 0; packed < 2; packed++) {
                if (packed) {
                        char *disk = place("disk.img");

                        ck_assert(g_file_get_contents(disk, &bytes, &length, NULL));
                        size = tar_put(archive, "box.ovf", ovf, sizeof(ovf) - 1);
                        size += tar_put(archive + size, "disk.img", bytes, length);
                        path = put("box.ova", archive, (gssize)size + 1024);
                        g_free(bytes);
                        g_free(disk);
                } else {
                        path = put("box.ovf", ovf, -1);
                }
                import = import_read(path, &error);
                ck_assert_msg(import, "%s", error ? error->message : "");
                ck_assert_str_eq(import->name, "box");
                ck_assert_str_eq(import->os, "linux32");
                ck_assert_uint_eq(import->cpus, 2);
                ck_assert_uint_eq(import->memory_bytes, 512 << 20);
                ck_assert_uint_eq(import->disks->len, 2);
                ck_assert_uint_eq(((struct import_disk *)g_ptr_array_index(import->disks, 1))->bytes, 3 << 20);
                ck_assert_msg(import_make(import, packed ? "packed" : "plain", NULL, &error), "%s", error ? error->message : "");
                definition = definition_load(packed ? "packed" : "plain", NULL);
                ck_assert_uint_eq(options_count(&definition->options, OPTION_DISK), 2);
                definition_free(definition);
                import_free(import);
                g_free(path);
        }
        /* An archive without the disk: nothing is left. */
        size = tar_put(archive, "box.ovf", ovf, sizeof(ovf) - 1);
        memset(archive + size, 0, 1024);
        path = put("box.ova", archive, (gssize)size + 1024);
        import = import_read(path, NULL);
        ck_assert_ptr_nonnull(import);
        ck_assert(!import_make(import, "broken", NULL, &error));
        ck_assert(strstr(error->message, "disk.img"));
        g_clear_error(&error);
        ck_assert(!library_exists("broken"));
        bad = library_machine_folder("broken");
        ck_assert(!g_file_test(bad, G_FILE_TEST_EXISTS));
        g_free(bad);
        import_free(import);
        g_free(path);
        end();
}
END_TEST

START_TEST(bounds)
{
        static const char bomb[] = "<!DOCTYPE a [<!ENTITY b SYSTEM \"/etc/passwd\">]><a>&b;</a>";
        GString *deep = g_string_new(NULL);
        struct xml *xml;

        ck_assert_ptr_null(xml_parse(bomb, sizeof(bomb) - 1, NULL));
        for (unsigned i = 0; i < 100; i++)
                g_string_append(deep, "<a>");
        ck_assert_ptr_null(xml_parse(deep->str, deep->len, NULL));
        g_string_assign(deep, "<a>");
        for (unsigned i = 0; i < XML_NODES_MAX; i++)
                g_string_append(deep, "<b/>");
        g_string_append(deep, "</a>");
        ck_assert_ptr_null(xml_parse(deep->str, deep->len, NULL));
        ck_assert_ptr_null(xml_parse("", 0, NULL));
        ck_assert_ptr_null(xml_parse("<a/><b/>", 8, NULL));
        xml = xml_parse("<x:a y:b=\"c\"> t <d>&amp;</d></x:a>", 34, NULL);
        ck_assert_ptr_nonnull(xml);
        ck_assert_str_eq(xml->name, "a");
        ck_assert_str_eq(xml_attribute(xml, "b"), "c");
        ck_assert_str_eq(xml_child_text(xml, "d"), "&");
        ck_assert_str_eq(xml_child_text(NULL, "d"), "");
        xml_free(xml);
        g_string_free(deep, TRUE);
}
END_TEST

/* Definitions and archives with bytes changed, left out and doubled: refused or read, never worse. */
START_TEST(nonsense)
{
        static uint8_t archive[1 << 14];
        size_t size;

        begin();
        size = tar_put(archive, "box.ovf", ovf, sizeof(ovf) - 1) + 1024;
        for (unsigned round = 0; round < 600; round++) {
                GRand *random = g_rand_new_with_seed(round);
                const uint8_t *from = round % 3 == 0 ? (const uint8_t *)vbox : round % 3 == 1 ? (const uint8_t *)ovf : archive;
                size_t length = round % 3 == 0 ? sizeof(vbox) - 1 : round % 3 == 1 ? sizeof(ovf) - 1 : size;
                uint8_t *copy = g_memdup2(from, length);
                struct import *import;
                char *path;

                for (int changes = g_rand_int_range(random, 1, 8); changes; changes--) {
                        int at = g_rand_int_range(random, 0, (int)length - 40);

                        if (g_rand_boolean(random))
                                copy[at] = (uint8_t)g_rand_int(random);
                        else
                                memmove(copy + at, copy + g_rand_int_range(random, 0, (int)length - 40), 30);
                }
                if (g_rand_int_range(random, 0, 4) == 0)
                        length = (size_t)g_rand_int_range(random, 0, (int)length);
                path = put(round % 3 == 0 ? "n.vbox" : round % 3 == 1 ? "n.ovf" : "n.ova", copy, (gssize)length);
                import = import_read(path, NULL);
                import_free(import);
                g_free(path);
                g_free(copy);
                g_rand_free(random);
        }
        end();
}
END_TEST

UNIT_MAIN("import", virtualbox, what_a_definition_may_name, ovf_folder_and_archive, bounds, nonsense)
