/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_image.c - telling images apart, and boot orders. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "machine/image.h"
#include "machine/storage.h"
#include "unit.h"

static char path[64];

static int make(size_t size)
{
        int fd;

        strcpy(path, "/tmp/lodger-image-XXXXXX");
        fd = g_mkstemp(path);
        ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
        return fd;
}

static void put(int fd, off_t at, const char *bytes, size_t size)
{
        ck_assert_int_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
}

static void expect(int fd, int kind)
{
        enum image_kind found;
        GError *error = NULL;
        bool known = image_probe(path, &found, &error);

        ck_assert_int_eq(known, kind >= 0);
        if (known)
                ck_assert_int_eq(found, kind);
        else
                ck_assert_ptr_nonnull(strstr(error->message, path));
        g_clear_error(&error);
        close(fd);
        remove(path);
}

START_TEST(kinds)
{
        int fd = make(1 << 20);

        put(fd, 510, "\x55\xaa", 2);            /* a CD for sticks too */
        put(fd, 0x8000, "\1CD001\1", 7);
        expect(fd, IMAGE_CD);
        fd = make(1 << 20);
        put(fd, 510, "\x55\xaa", 2);
        expect(fd, IMAGE_DISK);
        fd = make(1 << 20);                     /* GRUB on a disk: its core has a Multiboot header */
        put(fd, 510, "\x55\xaa", 2);
        put(fd, 1024, "\x02\xb0\xad\x1b\0\0\0\0\xfe\x4f\x52\xe4", 12);
        expect(fd, IMAGE_DISK);
        fd = make(1 << 20);
        put(fd, 1024, "\x02\xb0\xad\x1b\0\0\0\0\xfe\x4f\x52\xe4", 12);
        expect(fd, IMAGE_KERNEL);
        fd = make(1 << 20);
        put(fd, 512, "EFI PART", 8);
        expect(fd, IMAGE_DISK);
        fd = make(1440 << 10);
        put(fd, 510, "\x55\xaa", 2);
        expect(fd, IMAGE_FLOPPY);
        fd = make(1 << 20);
        put(fd, 0x1fe, "\x55\xaa", 2);
        put(fd, 0x202, "HdrS\x0c\x02", 6);
        expect(fd, IMAGE_KERNEL);
        expect(make(1 << 20), -1);
        expect(make(0), -1);
        fd = make(100);
        remove(path);
        expect(fd, -1);
}
END_TEST

START_TEST(cut_short_cds)
{
        uint8_t descriptor[IMAGE_CD_DESCRIPTOR_BYTES] = { 1, 'C', 'D', '0', '0', '1' };
        GError *error = NULL;

        descriptor[81] = 0x10;                  /* 4096 blocks */
        ck_assert(image_check_cd(descriptor, 4096 * 2048, "x.iso", &error));
        ck_assert(image_check_cd(descriptor, (4096 - 150) * 2048, "x.iso", &error));
        ck_assert(!image_check_cd(descriptor, 2000 * 2048, "x.iso", &error));
        ck_assert_ptr_nonnull(strstr(error->message, "x.iso: truncated"));
        g_error_free(error);
        memset(descriptor, 0, sizeof(descriptor));
        ck_assert(image_check_cd(descriptor, 2048, "x.iso", NULL));
}
END_TEST

START_TEST(floppy_sizes)
{
        ck_assert_uint_eq(image_floppy_format(1440 << 10)->sectors, 18);
        ck_assert_uint_eq(image_floppy_format(2880 << 10)->drive, 5);
        ck_assert_uint_eq(image_floppy_format(160 << 10)->heads, 1);
        ck_assert_ptr_null(image_floppy_format(1441 << 10));
        ck_assert_ptr_null(image_floppy_format(0));
}
END_TEST

START_TEST(boot_orders)
{
        static const char *const bad[] = { "", ",", "disk,", "cdrom,cdrom", "tape", "disk,cdrom,floppy,disk", "Disk", "disk cdrom" };
        uint8_t order[3];

        ck_assert(storage_boot_order("cdrom,disk,floppy", order));
        ck_assert(order[0] == 3 && order[1] == 2 && order[2] == 1);
        ck_assert(storage_boot_order("floppy", order));
        ck_assert(order[0] == 1 && !order[1] && !order[2]);
        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
                ck_assert_msg(!storage_boot_order(bad[i], order), "%s", bad[i]);
}
END_TEST

UNIT_MAIN("image", kinds, cut_short_cds, floppy_sizes, boot_orders)
