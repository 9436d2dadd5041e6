/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_boot_image.c - Linux and Multiboot images: placed where they should be; hostile ones refused. */
#include <string.h>
#include "machine/boot.h"
#include "unit.h"

#define RAM (UINT64_C(256) << 20)

static void put(uint8_t *bytes, unsigned at, unsigned size, uint64_t value)
{
        for (unsigned i = 0; i < size; i++)
                bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get32(const uint8_t *at)
{
        return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

static const uint8_t *bytes_of(const struct boot_piece *piece)
{
        return g_bytes_get_data(piece->from.bytes, NULL);
}

static struct boot_file file(const char *name, const void *bytes, gsize size)
{
        return (struct boot_file){ name, { g_bytes_new(bytes, size), -1, 0 } };
}

/* -- Linux --------------------------------------------------------------------------------------- */

enum { LINUX_BYTES = 3 * 512 + 8000 };

/* Two sectors of set-up code, protocol 2.15, 8000 bytes of kernel. */
static void make_linux(uint8_t *image)
{
        memset(image, 0xcc, LINUX_BYTES);
        image[0x1f1] = 2;
        put(image, 0x1f4, 4, 8000 / 16);
        put(image, 0x1fe, 2, 0xaa55);
        memcpy(image + 0x202, "HdrS", 4);
        put(image, 0x206, 2, 0x20f);
        image[0x211] = 1;
        put(image, 0x22c, 4, 0x37ffffff);
        put(image, 0x238, 4, 2047);
        put(image, 0x258, 8, 0x1000000);
        put(image, 0x260, 4, 0x800000);
}

/* Lays an image out; the message of the error, or NULL.  The layout is checked and released. */
static char *try_linux(const uint8_t *bytes, gsize size, gsize initrd_bytes, const char *command_line, uint64_t ram)
{
        void *initrd = g_malloc0(initrd_bytes + 1);
        struct boot_file kernel = file("vmlinuz", bytes, size), module = file("initrd.gz", initrd, initrd_bytes);
        struct boot_image image;
        GError *error = NULL;
        char *message = NULL;

        if (boot_linux_layout(&image, &kernel, &module, initrd_bytes ? 1 : 0, command_line, ram, &error)) {
                ck_assert_ptr_null(error);
                ck_assert_uint_le(image.kernel.address + g_bytes_get_size(image.kernel.from.bytes), ram);
                if (image.initrd.from.bytes) {
                        ck_assert_uint_le(image.initrd.address + g_bytes_get_size(image.initrd.from.bytes), ram);
                        ck_assert_uint_ge(image.initrd.address, image.kernel.address + g_bytes_get_size(image.kernel.from.bytes));
                }
        } else {
                ck_assert_ptr_nonnull(error);
                message = g_strdup(error->message);
                g_error_free(error);
        }
        boot_image_clear(&image);
        g_bytes_unref(kernel.from.bytes);
        g_bytes_unref(module.from.bytes);
        g_free(initrd);
        return message;
}

static void refused(char *message, const char *name, const char *reason)
{
        ck_assert_ptr_nonnull(message);
        ck_assert_msg(g_str_has_prefix(message, name) && strstr(message, reason), "\"%s\" does not say \"%s\"", message,
                      reason);
        g_free(message);
}

START_TEST(linux_is_placed)
{
        uint8_t bytes[LINUX_BYTES];
        struct boot_file kernel, initrds[2];
        struct boot_image image;
        const uint8_t *setup;

        make_linux(bytes);
        kernel = file("vmlinuz", bytes, sizeof(bytes));
        initrds[0] = file("one", "12345", 5);
        initrds[1] = file("two", "6789", 4);
        ck_assert(boot_linux_layout(&image, &kernel, initrds, 2, "console=ttyS0", RAM, NULL));
        ck_assert_uint_eq(image.kernel.address, 0x100000);
        ck_assert_uint_eq(g_bytes_get_size(image.kernel.from.bytes), 8000);
        ck_assert_uint_eq(image.setup.address, 0x10000);
        ck_assert_uint_eq(g_bytes_get_size(image.setup.from.bytes), 3 * 512);
        ck_assert_str_eq((const char *)bytes_of(&image.command_line), "console=ttyS0");
        setup = bytes_of(&image.setup);
        ck_assert_uint_eq(setup[0x210], 0xff);
        ck_assert_uint_eq(setup[0x211], 0x81);
        ck_assert_uint_eq(setup[0x224] | setup[0x225] << 8, 0xfe00);
        ck_assert_uint_eq(get32(setup + 0x228), 0x20000);
        /* As high as memory allows, page-aligned, padded in between. */
        ck_assert_uint_eq(image.initrd.address, RAM - BOOT_FIRMWARE_RESERVE - 4096);
        ck_assert_uint_eq(get32(setup + 0x218), image.initrd.address);
        ck_assert_uint_eq(get32(setup + 0x21c), 12);
        ck_assert(!memcmp(bytes_of(&image.initrd), "12345\0\0\0006789", 12));
        boot_image_clear(&image);
        /* As high as the kernel allows. */
        ck_assert(boot_linux_layout(&image, &kernel, initrds, 1, "", UINT64_C(2) << 30, NULL));
        ck_assert_uint_eq(image.initrd.address, 0x37fff000);
        boot_image_clear(&image);
        g_bytes_unref(kernel.from.bytes);
        g_bytes_unref(initrds[0].from.bytes);
        g_bytes_unref(initrds[1].from.bytes);
}
END_TEST

START_TEST(old_linux_protocols)
{
        uint8_t bytes[LINUX_BYTES];
        struct boot_file kernel;
        struct boot_image image;
        const uint8_t *setup;

        make_linux(bytes);
        put(bytes, 0x206, 2, 0x200);
        kernel = file("bzImage", bytes, sizeof(bytes));
        ck_assert(boot_linux_layout(&image, &kernel, NULL, 0, "root=/dev/hda1", RAM, NULL));
        setup = bytes_of(&image.setup);
        ck_assert_uint_eq(image.setup.address, 0x90000);
        ck_assert_uint_eq(setup[0x20] | setup[0x21] << 8, 0xa33f);
        ck_assert_uint_eq(0x90000 + (setup[0x22] | setup[0x23] << 8), image.command_line.address);
        ck_assert_uint_le(image.command_line.address + 15, 0x9a000);
        boot_image_clear(&image);
        g_bytes_unref(kernel.from.bytes);
        bytes[0x211] = 0;                       /* zImage */
        kernel = file("zImage", bytes, sizeof(bytes));
        ck_assert(boot_linux_layout(&image, &kernel, NULL, 0, "", RAM, NULL));
        ck_assert_uint_eq(image.kernel.address, 0x10000);
        boot_image_clear(&image);
        g_bytes_unref(kernel.from.bytes);
}
END_TEST

START_TEST(linux_errors_name_file_and_reason)
{
        uint8_t bytes[LINUX_BYTES];
        char *text = g_strnfill(3000, 'x');

        make_linux(bytes);
        refused(try_linux(bytes, 0x210, 0, "", RAM), "vmlinuz", "truncated");
        refused(try_linux(bytes, 1000, 0, "", RAM), "vmlinuz", "truncated");
        refused(try_linux(bytes, LINUX_BYTES - 100, 0, "", RAM), "vmlinuz", "truncated");
        refused(try_linux(bytes, 10, 0, "", RAM), "vmlinuz", "not a Linux image");
        refused(try_linux(bytes, LINUX_BYTES, 0, text, RAM), "vmlinuz", "2047 characters");
        refused(try_linux(bytes, LINUX_BYTES, 0, "", 16 << 20), "vmlinuz", "memory");
        refused(try_linux(bytes, LINUX_BYTES, 16 << 20, "", 32 << 20), "initrd.gz", "memory");
        put(bytes, 0x258, 8, UINT64_MAX);
        refused(try_linux(bytes, LINUX_BYTES, 0, "", RAM), "vmlinuz", "memory");
        put(bytes, 0x258, 8, 0x1000000);
        put(bytes, 0x22c, 4, 0x100);            /* no initrd can lie there */
        refused(try_linux(bytes, LINUX_BYTES, 100, "", RAM), "initrd.gz", "memory");
        g_free(text);
}
END_TEST

/* Every length, and random damage to the header: refused or laid out within memory, never worse. */
START_TEST(linux_mutations)
{
        uint8_t good[LINUX_BYTES], bad[LINUX_BYTES];
        GRand *random = g_rand_new_with_seed(1);

        make_linux(good);
        for (gsize size = 0; size < 2048; size += 7)
                g_free(try_linux(good, size, 100, "", RAM));
        for (unsigned i = 0; i < 3000; i++) {
                memcpy(bad, good, sizeof(bad));
                for (unsigned n = (unsigned)g_rand_int_range(random, 1, 6); n; n--)
                        bad[g_rand_int_range(random, 0x1f0, 0x268)] = (uint8_t)g_rand_int(random);
                g_free(try_linux(bad, sizeof(bad), 5000, "quiet", RAM));
        }
        g_rand_free(random);
}
END_TEST

/* -- Multiboot ----------------------------------------------------------------------------------- */

enum { ELF_BYTES = 0x2000, ELF_LOAD = 0x1000 };

/* One segment: 200h bytes at 1 MiB, 3000h in memory, linked at C0100000h. */
static void make_elf(uint8_t *image)
{
        memset(image, 0, ELF_BYTES);
        memcpy(image, "\177ELF\1\1\1", 7);
        put(image, 16, 2, 2);
        put(image, 18, 2, 3);
        put(image, 24, 4, 0xc0100010);
        put(image, 28, 4, 52);
        put(image, 42, 2, 32);
        put(image, 44, 2, 1);
        put(image, 52, 4, 1);
        put(image, 56, 4, ELF_LOAD);
        put(image, 60, 4, 0xc0100000);
        put(image, 64, 4, 0x100000);
        put(image, 68, 4, 0x200);
        put(image, 72, 4, 0x3000);
        put(image, ELF_LOAD, 4, 0x1badb002);
        put(image, ELF_LOAD + 4, 4, 3);
        put(image, ELF_LOAD + 8, 4, -(0x1badb002u + 3));
        image[ELF_LOAD + 0x1ff] = 0x99;
}

static char *try_multiboot(const uint8_t *bytes, gsize size, gsize module_bytes, const char *command_line, uint64_t ram)
{
        void *module = g_malloc0(module_bytes + 1);
        struct boot_file kernel = file("kernel.elf", bytes, size), modules = file("module", module, module_bytes);
        struct boot_image image;
        GError *error = NULL;
        char *message = NULL;

        if (boot_multiboot_layout(&image, &kernel, &modules, module_bytes ? 1 : 0, command_line, ram, &error)) {
                uint64_t end = image.kernel.address + (uint64_t)g_bytes_get_size(image.kernel.from.bytes);

                ck_assert_ptr_null(error);
                ck_assert_uint_ge(image.kernel.address, 0x10000);
                ck_assert_uint_le(end, ram);
                ck_assert_uint_ge(image.entry, image.kernel.address);
                ck_assert_uint_lt(image.entry, end);
        } else {
                ck_assert_ptr_nonnull(error);
                message = g_strdup(error->message);
                g_error_free(error);
        }
        boot_image_clear(&image);
        g_bytes_unref(kernel.from.bytes);
        g_bytes_unref(modules.from.bytes);
        g_free(module);
        return message;
}

START_TEST(multiboot_elf_with_modules)
{
        uint8_t bytes[ELF_BYTES];
        struct boot_file kernel, modules[2];
        struct boot_image image;
        const uint8_t *info, *list, *loaded;

        make_elf(bytes);
        kernel = file("kernel.elf", bytes, sizeof(bytes));
        modules[0] = file("m0", "hello", 5);
        modules[1] = file("m1", "there", 6);
        ck_assert(boot_multiboot_layout(&image, &kernel, modules, 2, "a b", RAM, NULL));
        ck_assert_uint_eq(image.kernel.address, 0x100000);
        ck_assert_uint_eq(image.entry, 0x100010);
        loaded = bytes_of(&image.kernel);
        ck_assert_uint_eq(loaded[0x1ff], 0x99);
        ck_assert_uint_eq(loaded[0x200], 0);
        info = bytes_of(&image.initrd);
        ck_assert_uint_eq(get32(info), 0x20c);
        ck_assert_str_eq((const char *)info + get32(info + 16) - image.initrd.address, "kernel.elf a b");
        ck_assert_uint_eq(get32(info + 20), 2);
        list = info + get32(info + 24) - image.initrd.address;
        ck_assert_uint_eq(get32(list), 0x103000);
        ck_assert_uint_eq(get32(list + 4), 0x103005);
        ck_assert_str_eq((const char *)info + get32(list + 8) - image.initrd.address, "m0");
        ck_assert_uint_eq(get32(list + 16), 0x104000);
        ck_assert_str_eq((const char *)loaded + 0x3000, "hello");
        ck_assert_str_eq((const char *)loaded + 0x4000, "there");
        boot_image_clear(&image);
        g_bytes_unref(kernel.from.bytes);
        g_bytes_unref(modules[0].from.bytes);
        g_bytes_unref(modules[1].from.bytes);
}
END_TEST

START_TEST(multiboot_kludge)
{
        uint8_t bytes[0x400] = { 0 };
        struct boot_file kernel;
        struct boot_image image;
        const uint8_t *loaded;

        put(bytes, 0x100, 4, 0x1badb002);
        put(bytes, 0x104, 4, 0x10002);
        put(bytes, 0x108, 4, -(0x1badb002u + 0x10002));
        put(bytes, 0x10c, 4, 0x200100);         /* header_addr: load starts at file offset 80h */
        put(bytes, 0x110, 4, 0x200080);
        put(bytes, 0x114, 4, 0x200280);
        put(bytes, 0x118, 4, 0x200800);
        put(bytes, 0x11c, 4, 0x200200);
        bytes[0x80] = 0x42;
        bytes[0x27f] = 0x43;
        bytes[0x280] = 0x44;
        kernel = file("a.out", bytes, sizeof(bytes));
        ck_assert(boot_multiboot_layout(&image, &kernel, NULL, 0, "", RAM, NULL));
        ck_assert_uint_eq(image.kernel.address, 0x200080);
        ck_assert_uint_eq(g_bytes_get_size(image.kernel.from.bytes), 0x780);
        ck_assert_uint_eq(image.entry, 0x200200);
        loaded = bytes_of(&image.kernel);
        ck_assert_uint_eq(loaded[0], 0x42);
        ck_assert_uint_eq(loaded[0x1ff], 0x43);
        ck_assert_uint_eq(loaded[0x200], 0);
        boot_image_clear(&image);
        g_bytes_unref(kernel.from.bytes);
        refused(try_multiboot(bytes, 0x110, 0, "", RAM), "kernel.elf", "truncated");
        refused(try_multiboot(bytes, 0x200, 0, "", RAM), "kernel.elf", "truncated");
}
END_TEST

START_TEST(multiboot_errors_name_file_and_reason)
{
        uint8_t bytes[ELF_BYTES];
        char *text = g_strnfill(30000, 'x');

        make_elf(bytes);
        refused(try_multiboot(bytes, ELF_LOAD, 0, "", RAM), "kernel.elf", "not a Multiboot image");
        refused(try_multiboot(bytes, ELF_LOAD + 0x100, 0, "", RAM), "kernel.elf", "truncated");
        refused(try_multiboot(bytes, ELF_BYTES, 0, text, RAM), "kernel.elf", "28 KiB");
        refused(try_multiboot(bytes, ELF_BYTES, 20 << 20, "", 16 << 20), "kernel.elf", "memory");
        put(bytes, 64, 4, 0x9f000);
        refused(try_multiboot(bytes, ELF_BYTES, 0, "", RAM), "kernel.elf", "cannot be loaded");
        put(bytes, 64, 4, 0xfffff000);
        refused(try_multiboot(bytes, ELF_BYTES, 0, "", RAM), "kernel.elf", "memory");
        put(bytes, 64, 4, 0x100000);
        put(bytes, 24, 4, 0x1234);
        refused(try_multiboot(bytes, ELF_BYTES, 0, "", RAM), "kernel.elf", "entry");
        make_elf(bytes);
        put(bytes, 44, 2, 0xffff);
        refused(try_multiboot(bytes, ELF_BYTES, 0, "", RAM), "kernel.elf", "truncated");
        make_elf(bytes);
        put(bytes, ELF_LOAD + 4, 4, 0x13);
        put(bytes, ELF_LOAD + 8, 4, -(0x1badb002u + 0x13));
        refused(try_multiboot(bytes, ELF_BYTES, 0, "", RAM), "kernel.elf", "features");
        g_free(text);
}
END_TEST

START_TEST(multiboot_mutations)
{
        uint8_t good[ELF_BYTES], bad[ELF_BYTES];
        GRand *random = g_rand_new_with_seed(2);

        make_elf(good);
        for (gsize size = 0; size < ELF_BYTES; size += 61)
                g_free(try_multiboot(good, size, 10, "", RAM));
        for (unsigned i = 0; i < 3000; i++) {
                memcpy(bad, good, sizeof(bad));
                for (unsigned n = (unsigned)g_rand_int_range(random, 1, 5); n; n--)
                        bad[g_rand_int_range(random, 16, 84)] = (uint8_t)g_rand_int(random);
                g_free(try_multiboot(bad, sizeof(bad), 10, "", RAM));
        }
        g_rand_free(random);
}
END_TEST

UNIT_MAIN("boot image", linux_is_placed, old_linux_protocols, linux_errors_name_file_and_reason, linux_mutations,
          multiboot_elf_with_modules, multiboot_kludge, multiboot_errors_name_file_and_reason, multiboot_mutations)
