/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ports.c - who answers at an I/O port, and how wide accesses are split. */
#include <stdio.h>

#include "memory/ports.h"
#include "unit.h"

#include <glib.h>

static struct lock lock;
static struct ports *ports;
static char notes[256];

static uint32_t note_read(void *opaque, uint16_t port, unsigned size)
{
        char text[32];

        g_snprintf(text, sizeof(text), "%s:r%x/%u ", (const char *)opaque, port, size);
        g_strlcat(notes, text, sizeof(notes));
        return 0x44332211;
}

static void note_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        char text[32];

        g_snprintf(text, sizeof(text), "%s:w%x/%u=%x ", (const char *)opaque, port, size, value);
        g_strlcat(notes, text, sizeof(notes));
}

static const struct port_ops bytes = { note_read, note_write, 0 };
static const struct port_ops words = { note_read, note_write, 2 };
static const struct port_ops dwords = { note_read, note_write, 4 };
static const struct port_ops mute = { NULL, NULL, 1 };

static void open_ports(void)
{
        lock_init(&lock, LOCK_RANK_MACHINE, "machine");
        ports = ports_new(&lock);
        notes[0] = 0;
}

static void close_ports(void)
{
        ports_free(ports);
        lock_destroy(&lock);
}

START_TEST(test_nothing_reads_ones)
{
        open_ports();
        ck_assert_uint_eq(ports_read(ports, 0x80, 1), 0xff);
        ck_assert_uint_eq(ports_read(ports, 0x80, 2), 0xffff);
        ck_assert_uint_eq(ports_read(ports, 0xfffe, 4), 0xffffffff);
        ports_write(ports, 0x80, 1, 4);
        ports_map(ports, 0x80, 1, &mute, NULL, "mute");
        ck_assert_uint_eq(ports_read(ports, 0x80, 1), 0xff);
        ports_write(ports, 0x80, 1, 1);
        close_ports();
}
END_TEST

START_TEST(test_split)
{
        open_ports();
        ports_map(ports, 0x40, 4, &bytes, "b", "bytes");
        ports_map(ports, 0x50, 8, &words, "w", "words");
        ports_map(ports, 0x60, 8, &dwords, "d", "dwords");
        ck_assert_uint_eq(ports_read(ports, 0x40, 4), 0x11111111);
        ports_write(ports, 0x42, 0xaabbccdd, 4);
        ck_assert_str_eq(notes, "b:r40/1 b:r41/1 b:r42/1 b:r43/1 b:w42/1=dd b:w43/1=cc ");
        notes[0] = 0;
        ports_write(ports, 0x50, 0xaabbccdd, 4);
        ports_write(ports, 0x51, 0xaabb, 2);
        ports_write(ports, 0x60, 0xaabbccdd, 4);
        ports_write(ports, 0x62, 0xaabb, 2);
        ck_assert_str_eq(notes, "w:w50/2=ccdd w:w52/2=aabb w:w51/1=bb w:w52/1=aa d:w60/4=aabbccdd d:w62/2=aabb ");
        close_ports();
}
END_TEST

START_TEST(test_cover_move_unmap)
{
        open_ports();
        /* As the reset control register lies within the PCI address register: by the first byte. */
        ports_map(ports, 0xcf8, 4, &dwords, "pci", "PCI address");
        struct port_range *reset = ports_map(ports, 0xcf9, 1, &bytes, "reset", "reset control");
        ports_write(ports, 0xcf8, 0x80000000, 4);
        ports_write(ports, 0xcf9, 6, 1);
        ck_assert_str_eq(notes, "pci:wcf8/4=80000000 reset:wcf9/1=6 ");
        notes[0] = 0;
        ports_unmap(reset);
        ports_write(ports, 0xcf9, 6, 1);
        ck_assert_str_eq(notes, "pci:wcf9/1=6 ");

        notes[0] = 0;
        struct port_range *bar = ports_map(ports, 0xc000, 16, &dwords, "bar", "BAR");
        ports_move(bar, 0xfff8, true);
        ck_assert_uint_eq(ports_read(ports, 0xc000, 1), 0xff);
        ck_assert_uint_eq(ports_read(ports, 0xfffc, 4), 0x44332211);
        ck_assert_uint_eq(ports_read(ports, 0, 1), 0xff);
        ck_assert_uint_eq(ports_read(ports, 0xfffe, 4), 0xffff2211);
        ports_move(bar, 0xfff8, false);
        ck_assert_uint_eq(ports_read(ports, 0xfffc, 4), 0xffffffff);
        char *text = ports_describe(ports);
        ck_assert_str_eq(text, "0cf8-0cfb PCI address\n");
        g_free(text);
        close_ports();
}
END_TEST

UNIT_MAIN("ports", test_nothing_reads_ones, test_split, test_cover_move_unmap)
