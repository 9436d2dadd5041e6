/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_vga.c - the VGA's registers, data path and pictures against values worked out by hand.
 *
 * Pictures are 64 dots wide and a few lines high, so that what a test expects fits on a line.  How real
 * modes look is compared with QEMU in tests/display.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/display/vga.h"
#include "machine/pci.h"
#include "rig.h"
#include "unit.h"

enum { WINDOW = 0xa0000, TEXT = 0xb8000, LFB = 0xe0000000, MMIO = 0xe1000000 };
enum { SEQ = 0x3c4, GFX = 0x3ce, CRTC = 0x3d4 };

static struct rig rig;
static struct device *bus, *vga;
static struct surface surface;

/* -- A guest's hands ---------------------------------------------------------------------------- */

static void set(uint16_t port, uint8_t index, uint8_t value)
{
        ports_write(rig.ports, port, (uint32_t)(index | value << 8), 2);
}

static void set_attr(uint8_t index, uint8_t value)
{
        rig_in(&rig, 0x3da);
        rig_out(&rig, 0x3c0, index);
        rig_out(&rig, 0x3c0, value);
}

static void screen_on(void)
{
        rig_in(&rig, 0x3da);
        rig_out(&rig, 0x3c0, 0x20);
}

static void set_color(uint8_t index, uint8_t red, uint8_t green, uint8_t blue)
{
        rig_out(&rig, 0x3c8, index);
        rig_out(&rig, 0x3c9, red);
        rig_out(&rig, 0x3c9, green);
        rig_out(&rig, 0x3c9, blue);
}

static void put(uint32_t at, uint8_t value)
{
        lock_acquire(&rig.lock);
        memory_write(rig.memory, at, &value, 1);
        lock_release(&rig.lock);
}

static uint8_t get(uint32_t at)
{
        uint8_t value;

        lock_acquire(&rig.lock);
        memory_read(rig.memory, at, &value, 1);
        lock_release(&rig.lock);
        return value;
}

static void vbe(uint16_t index, uint16_t value)
{
        ports_write(rig.ports, 0x1ce, index, 2);
        ports_write(rig.ports, 0x1cf, value, 2);
}

static uint16_t vbe_get(uint16_t index)
{
        ports_write(rig.ports, 0x1ce, index, 2);
        return (uint16_t)ports_read(rig.ports, 0x1cf, 2);
}

static void pci_write(unsigned offset, uint32_t value)
{
        ports_write(rig.ports, 0xcf8, 0x80001000 | offset, 4);
        ports_write(rig.ports, 0xcfc, value, 4);
}

static enum page_kind kind(uint32_t at)
{
        return memory_page(rig.memory, at).kind;
}

static void render(void)
{
        surface_clear_damage(&surface);
        lock_acquire(&rig.lock);
        vga_render(vga, &surface);
        lock_release(&rig.lock);
}

static uint32_t pixel(unsigned x, unsigned y)
{
        return surface.pixels[y * (surface.stride / 4) + x];
}

/* A line as one digit a pixel: which of the 16 colours of open_vga(), '?' for others. */
static const char *line(unsigned y, unsigned count)
{
        static char text[128];

        for (unsigned x = 0; x < count; x++) {
                uint32_t color = pixel(x, y);

                text[x] = color == (color & 0xf) * 0x040000 ? "0123456789abcdef"[color >> 18] : '?';
                for (unsigned i = 0; i < 16; i++)
                        if (color == (i << 18 | (i & 1) * 0x030000))
                                text[x] = "0123456789abcdef"[i];
        }
        text[count] = 0;
        return text;
}

/* 8 characters of 8 dots, 16 colours that show their numbers in red, 32 lines, all planes in use. */
static void open_vga(void)
{
        rig_open(&rig);
        rig_set_time(&rig, 0);
        bus = rig_start(&rig, device_new("pci", "pci", &rig.env));
        vga = device_new("vga", "vga", &rig.env);
        pci_attach(bus, vga, PCI_DEVFN(2, 0));
        rig_start(&rig, vga);
        surface_init(&surface, false);
        rig_out(&rig, 0x3c2, 0x63);
        set(SEQ, 1, 0x01);
        set(SEQ, 2, 0x0f);
        set(SEQ, 4, 0x06);
        set(GFX, 6, 0x05);
        set(GFX, 7, 0x0f);
        set(GFX, 8, 0xff);
        set(CRTC, 0x01, 7);
        set(CRTC, 0x07, 0x10);
        set(CRTC, 0x09, 0x40);
        set(CRTC, 0x0a, 0x20);
        set(CRTC, 0x12, 31);
        set(CRTC, 0x13, 4);
        set(CRTC, 0x17, 0xe3);
        set(CRTC, 0x18, 0xff);
        for (uint8_t i = 0; i < 16; i++) {
                set_attr(i, i);
                set_color(i, i, 0, 0);
        }
        set_attr(0x12, 0x0f);
        screen_on();
}

static void close_vga(void)
{
        surface_free(&surface);
        rig_free(&rig, vga);
        rig_free(&rig, bus);
        rig_close(&rig);
}

/* -- Data path ---------------------------------------------------------------------------------- */

/* The four planes' bytes at an address, plane 0 lowest. */
static uint32_t planes(uint32_t at)
{
        uint32_t value = 0;

        set(GFX, 5, 0);
        for (uint8_t plane = 0; plane < 4; plane++) {
                set(GFX, 4, plane);
                value |= (uint32_t)get(WINDOW + at) << 8 * plane;
        }
        return value;
}

static void fill_planes(uint32_t at, uint32_t value)
{
        set(GFX, 5, 0);
        set(GFX, 1, 0);
        set(GFX, 3, 0);
        set(GFX, 8, 0xff);
        for (uint8_t plane = 0; plane < 4; plane++) {
                set(SEQ, 2, (uint8_t)(1 << plane));
                put(WINDOW + at, (uint8_t)(value >> 8 * plane));
        }
        set(SEQ, 2, 15);
}

START_TEST(test_write_modes)
{
        open_vga();
        fill_planes(0, 0x44332211);
        ck_assert_uint_eq(planes(0), 0x44332211);

        /* Mode 0: rotation by 4, set/reset 1010b in planes 0 and 1 only, then the map mask. */
        get(WINDOW);
        set(GFX, 3, 4);
        set(GFX, 0, 0x0a);
        set(GFX, 1, 0x03);
        put(WINDOW + 1, 0x12);
        ck_assert_uint_eq(planes(1), 0x2121ff00);
        set(SEQ, 2, 0x05);
        put(WINDOW + 2, 0x12);
        ck_assert_uint_eq(planes(2), 0x00210000);
        set(SEQ, 2, 0x0f);
        set(GFX, 1, 0);

        /* Functions with the latches, and the bit mask, which lets the rest of the latches through. */
        static const uint32_t functions[4] = { 0x4f3f2f1f, 0x44332211, 0x4f3f2f1f, 0x4b3c2d1e };
        for (uint8_t function = 0; function < 4; function++) {
                uint32_t expected = 0;
                fill_planes(0, 0x44332211);
                set(GFX, 3, (uint8_t)(function << 3));
                set(GFX, 8, 0x0f);
                get(WINDOW);
                put(WINDOW + 3, 0x0f);
                for (unsigned plane = 0; plane < 4; plane++) {
                        uint8_t latch = (uint8_t)(0x44332211 >> 8 * plane), value = 0x0f;
                        value = function == 1 ? value & latch : function == 2 ? value | latch : function == 3 ? value ^ latch : value;
                        expected |= (uint32_t)((value & 0x0f) | (latch & 0xf0)) << 8 * plane;
                }
                ck_assert_uint_eq(expected, functions[function]);
                ck_assert_uint_eq(planes(3), expected);
        }

        /* Mode 1 copies; mode 2 spreads bits; mode 3 narrows the mask. */
        fill_planes(0, 0x44332211);
        get(WINDOW);
        set(GFX, 5, 1);
        put(WINDOW + 4, 0xee);
        ck_assert_uint_eq(planes(4), 0x44332211);
        get(WINDOW);
        set(GFX, 5, 2);
        set(GFX, 8, 0xf0);
        put(WINDOW + 5, 0x05);
        ck_assert_uint_eq(planes(5), 0x04f302f1);
        get(WINDOW);
        set(GFX, 5, 3);
        set(GFX, 0, 0x0c);
        set(GFX, 8, 0x3c);
        put(WINDOW + 6, 0xf0);
        ck_assert_uint_eq(planes(6), 0x74330201);
        close_vga();
}
END_TEST

START_TEST(test_read_modes)
{
        open_vga();
        /* Pixels 0-7 are colours 1, 2, 4, 8, 15, 0, 3, 12. */
        fill_planes(0, 0x19 << 24 | 0x29 << 16 | 0x4a << 8 | 0x8a);
        set(GFX, 5, 8);
        set(GFX, 2, 0x0c);
        ck_assert_uint_eq(get(WINDOW), 0x01);
        set(GFX, 7, 0x04);
        ck_assert_uint_eq(get(WINDOW), 0x29);
        set(GFX, 7, 0x00);
        ck_assert_uint_eq(get(WINDOW), 0xff);

        /* Odd/even: even addresses are plane 0, odd ones plane 1, at the same even address. */
        set(GFX, 5, 0x10);
        set(GFX, 6, 0x0e);
        set(GFX, 4, 0);
        set(SEQ, 2, 3);
        set(SEQ, 4, 2);
        put(TEXT + 10, 0x41);
        put(TEXT + 11, 0x1e);
        ck_assert_uint_eq(get(TEXT + 10), 0x41);
        ck_assert_uint_eq(get(TEXT + 11), 0x1e);
        ck_assert_uint_eq(get(WINDOW + 10), 0xff);
        set(GFX, 6, 0x05);
        set(SEQ, 4, 6);
        ck_assert_uint_eq(planes(10) & 0xffff, 0x1e41);
        ck_assert_uint_eq(planes(11) & 0xffff, 0);
        close_vga();
}
END_TEST

START_TEST(test_direct_window)
{
        open_vga();
        ck_assert_int_eq(kind(WINDOW), PAGE_MMIO);
        set(SEQ, 4, 0x0e);
        ck_assert_int_eq(kind(WINDOW), PAGE_RAM);
        ck_assert_int_eq(kind(WINDOW + 0x10000), PAGE_MMIO);
        put(WINDOW + 0x1235, 0x77);
        /* Through the callbacks it is the same byte. */
        set(SEQ, 2, 0x02);
        ck_assert_int_eq(kind(WINDOW), PAGE_MMIO);
        ck_assert_uint_eq(get(WINDOW + 0x1235), 0x77);
        put(WINDOW + 0x1235, 0x78);
        put(WINDOW + 0x1236, 0x79);
        ck_assert_uint_eq(get(WINDOW + 0x1235), 0x78);
        ck_assert_uint_eq(get(WINDOW + 0x1236), 0);
        set(SEQ, 2, 0x0f);
        set(GFX, 8, 0x7f);
        ck_assert_int_eq(kind(WINDOW), PAGE_MMIO);
        set(GFX, 8, 0xff);
        set(GFX, 5, 0x42);
        ck_assert_int_eq(kind(WINDOW), PAGE_MMIO);
        set(GFX, 5, 0x40);
        ck_assert_int_eq(kind(WINDOW), PAGE_RAM);
        rig_out(&rig, 0x3c2, 0x61);
        ck_assert_int_eq(kind(WINDOW), PAGE_MMIO);
        ck_assert_uint_eq(get(WINDOW + 0x1235), 0xff);
        close_vga();
}
END_TEST

/* -- Pictures ----------------------------------------------------------------------------------- */

START_TEST(test_planar_picture)
{
        open_vga();
        fill_planes(0, 0x19 << 24 | 0x29 << 16 | 0x4a << 8 | 0x8a);
        fill_planes(8, 0x0000ff00);
        render();
        ck_assert_uint_eq(surface.width, 64);
        ck_assert_uint_eq(surface.height, 32);
        ck_assert_str_eq(line(0, 16), "1248f03c00000000");
        ck_assert_str_eq(line(1, 16), "2222222200000000");
        ck_assert(surface.resized);

        /* Panning, start address, colour plane enable. */
        set_attr(0x13, 3);
        screen_on();
        render();
        ck_assert_str_eq(line(0, 8), "8f03c000");
        ck_assert(!surface.resized);
        set(CRTC, 0x0d, 8);
        render();
        ck_assert_str_eq(line(0, 8), "22222000");
        set(CRTC, 0x0d, 0);
        set_attr(0x13, 0);
        set_attr(0x12, 0x0e);
        screen_on();
        render();
        ck_assert_str_eq(line(0, 8), "0248e02c");

        /* Split: line 3 is the last of the upper part; panning ends there when asked for. */
        set_attr(0x12, 0x0f);
        set_attr(0x13, 1);
        set_attr(0x10, 0x20);
        screen_on();
        set(CRTC, 0x0d, 64);
        set(CRTC, 0x07, 0x00);
        set(CRTC, 0x09, 0x00);
        set(CRTC, 0x18, 3);
        render();
        ck_assert_str_eq(line(3, 8), "00000000");
        ck_assert_str_eq(line(4, 8), "1248f03c");
        ck_assert_str_eq(line(5, 8), "22222222");

        /* Every line twice, then each row three lines high; screen off. */
        set(CRTC, 0x0d, 0);
        set(CRTC, 0x18, 0xff);
        set(CRTC, 0x09, 0xc0);
        set_attr(0x13, 0);
        screen_on();
        render();
        ck_assert_str_eq(line(1, 8), "1248f03c");
        ck_assert_str_eq(line(2, 8), "22222222");
        set(CRTC, 0x09, 0x42);
        render();
        ck_assert_str_eq(line(2, 8), "1248f03c");
        ck_assert_str_eq(line(3, 8), "22222222");
        set(SEQ, 1, 0x21);
        render();
        ck_assert_str_eq(line(2, 8), "00000000");
        close_vga();
}
END_TEST

START_TEST(test_cga_picture)
{
        open_vga();
        /* Mode 4: word mode, row bit 0 as address bit 13, two bits a pixel, odd/even window at B8000h. */
        set(GFX, 5, 0x30);
        set(GFX, 6, 0x0f);
        set(SEQ, 2, 3);
        set(SEQ, 4, 2);
        set(CRTC, 0x09, 0x41);
        set(CRTC, 0x17, 0xa2);
        put(TEXT, 0x1b);
        put(TEXT + 1, 0xe4);
        put(TEXT + 16, 0xff);
        put(TEXT + 0x2000, 0x55);
        render();
        ck_assert_str_eq(line(0, 16), "0123321000000000");
        ck_assert_str_eq(line(1, 16), "1111000000000000");
        ck_assert_str_eq(line(2, 8), "33330000");
        /* Mode 6: one plane, a bit a pixel. */
        set(GFX, 5, 0);
        set(GFX, 6, 0x0d);
        set(SEQ, 2, 1);
        set(SEQ, 4, 6);
        set(CRTC, 0x17, 0xc2);
        set_attr(0x12, 1);
        screen_on();
        put(TEXT, 0xa5);
        put(TEXT + 0x2000, 0x0f);
        render();
        ck_assert_str_eq(line(0, 8), "10100101");
        ck_assert_str_eq(line(1, 8), "00001111");
        close_vga();
}
END_TEST

START_TEST(test_256_colors)
{
        open_vga();
        set(SEQ, 4, 0x0e);
        set(GFX, 5, 0x40);
        set(CRTC, 0x14, 0x40);
        set(CRTC, 0x17, 0xa3);
        set_color(200, 5, 0, 0);
        for (unsigned i = 0; i < 16; i++)
                put(WINDOW + i, i == 15 ? 200 : (uint8_t)i);
        render();
        ck_assert_str_eq(line(0, 32), "00112233445566778899aabbccddee55");
        /* The DAC's mask; panning by whole pixels. */
        rig_out(&rig, 0x3c6, 0x07);
        set_attr(0x13, 2);
        screen_on();
        render();
        ck_assert_str_eq(line(0, 32), "11223344556677001122334455660000");
        close_vga();
}
END_TEST

static void open_text(void)
{
        open_vga();
        /* Fonts: 'A' in the first map, B3h and 'B'. */
        set(SEQ, 2, 4);
        put(WINDOW + 'A' * 32, 0x81);
        put(WINDOW + 'A' * 32 + 1, 0x18);
        put(WINDOW + 0xc4 * 32, 0xff);
        put(WINDOW + 'B' * 32, 0x01);
        put(WINDOW + 0x4000 + 'A' * 32, 0xf0);
        set(SEQ, 2, 3);
        set(SEQ, 4, 2);
        set(GFX, 5, 0x10);
        set(GFX, 6, 0x0e);
        set(CRTC, 0x09, 0x4f);
        set(CRTC, 0x14, 0x1f);
        set(CRTC, 0x17, 0xa3);
        for (unsigned i = 0; i < 16; i++) {
                put(TEXT + 2 * i, ' ');
                put(TEXT + 2 * i + 1, 0x07);
        }
}

START_TEST(test_text_picture)
{
        open_text();
        put(TEXT, 'A');
        put(TEXT + 1, 0x1e);
        put(TEXT + 2, 0xc4);
        put(TEXT + 4, 'B');
        put(TEXT + 16, 'A');
        put(TEXT + 17, 0x2f);
        render();
        ck_assert_uint_eq(surface.width, 64);
        ck_assert_str_eq(line(0, 24), "e111111e7777777700000007");
        ck_assert_str_eq(line(1, 8), "111ee111");
        ck_assert_str_eq(line(16, 8), "f222222f");

        /* Nine dots: the ninth repeats the eighth for line characters, when enabled. */
        set(SEQ, 1, 0);
        set_attr(0x13, 8);
        screen_on();
        render();
        ck_assert_uint_eq(surface.width, 72);
        ck_assert_str_eq(line(0, 27), "e111111e1777777770000000070");
        set_attr(0x10, 0x04);
        screen_on();
        render();
        ck_assert_str_eq(line(0, 27), "e111111e1777777777000000070");
        /* Panning moves by dots: value 8 is none, 0 is one. */
        set_attr(0x13, 0);
        screen_on();
        render();
        ck_assert_str_eq(line(0, 9), "111111e17");
        set_attr(0x13, 8);
        /* 40 columns: each dot twice. */
        set(SEQ, 1, 9);
        screen_on();
        render();
        ck_assert_uint_eq(surface.width, 128);
        ck_assert_str_eq(line(0, 16), "ee111111111111ee");
        /* Attribute bit 3 picks the second font when there are two. */
        set(SEQ, 1, 1);
        set_attr(0x13, 0);
        set(SEQ, 3, 0x04);
        screen_on();
        render();
        ck_assert_str_eq(line(0, 8), "eeee1111");
        /* Preset row scan: the first row starts in its middle. */
        set(SEQ, 3, 0);
        set(CRTC, 0x08, 1);
        render();
        ck_assert_str_eq(line(0, 8), "111ee111");
        ck_assert_str_eq(line(15, 8), "f222222f");
        close_vga();
}
END_TEST

START_TEST(test_cursor_and_blink)
{
        open_text();
        put(TEXT, 'A');
        put(TEXT + 1, 0x97);
        set(CRTC, 0x0a, 14);
        set(CRTC, 0x0b, 15);
        set(CRTC, 0x0f, 1);
        render();
        ck_assert_str_eq(line(13, 16), "9999999900000000");
        ck_assert_str_eq(line(14, 16), "9999999977777777");
        set(CRTC, 0x0a, 0x2e);
        render();
        ck_assert_str_eq(line(14, 16), "9999999900000000");
        /* Off for the second half of its time; blinking text later. */
        set(CRTC, 0x0a, 14);
        set_attr(0x10, 8);
        screen_on();
        rig_set_time(&rig, 16666500 * INT64_C(9));
        render();
        ck_assert_str_eq(line(0, 8), "71111117");
        ck_assert_str_eq(line(14, 16), "1111111100000000");
        rig_set_time(&rig, 16666500 * INT64_C(17));
        render();
        ck_assert_str_eq(line(0, 8), "11111111");
        ck_assert_str_eq(line(14, 16), "1111111177777777");
        /* Underline, as monochrome text has it. */
        set(CRTC, 0x14, 0x0d);
        put(TEXT + 1, 0x01);
        render();
        ck_assert_str_eq(line(13, 16), "1111111100000000");
        close_vga();
}
END_TEST

START_TEST(test_text)
{
        struct text_screen screen;
        char *text;

        open_text();
        put(TEXT, 'A');
        put(TEXT + 1, 0x1e);
        put(TEXT + 2, 0xb3);
        put(TEXT + 4, 0x01);
        put(TEXT + 16, 0xe1);
        set(CRTC, 0x0a, 0);
        set(CRTC, 0x0f, 9);
        lock_acquire(&rig.lock);
        text = vga_text(vga);
        ck_assert_str_eq(text, "A\u2502\u263a\n\u00df\n");
        g_free(text);
        ck_assert(vga_read_text(vga, &screen));
        lock_release(&rig.lock);
        ck_assert_uint_eq(screen.columns, 8);
        ck_assert_uint_eq(screen.rows, 2);
        ck_assert_uint_eq(screen.attributes[0], 0x1e);
        ck_assert(screen.cursor_shown && screen.cursor_row == 1 && screen.cursor_column == 1);
        text_screen_free(&screen);
        set(GFX, 6, 0x05);
        lock_acquire(&rig.lock);
        ck_assert_ptr_null(vga_text(vga));
        lock_release(&rig.lock);
        close_vga();
}
END_TEST

/* -- Bochs display interface -------------------------------------------------------------------- */

static void set_mode(uint16_t width, uint16_t height, uint16_t bpp)
{
        vbe(4, 0);
        vbe(1, width);
        vbe(2, height);
        vbe(3, bpp);
        vbe(4, 0x41);
}

START_TEST(test_vbe_registers)
{
        open_vga();
        ck_assert_uint_eq(vbe_get(0), 0xb0c5);
        ck_assert_uint_eq(vbe_get(10), 256);
        vbe(0, 0xb0c0);
        ck_assert_uint_eq(vbe_get(0), 0xb0c0);
        vbe(0, 0x1234);
        ck_assert_uint_eq(vbe_get(0), 0xb0c0);
        set_mode(1366, 768, 32);
        ck_assert_uint_eq(vbe_get(1), 1360);
        ck_assert_uint_eq(vbe_get(6), 1360);
        ck_assert_uint_eq(vbe_get(7), (16 << 20) / (1360 * 4));
        vbe(1, 640);
        ck_assert_uint_eq(vbe_get(1), 1360);
        vbe(6, 2048);
        ck_assert_uint_eq(vbe_get(6), 2048);
        vbe(9, 0xffff);
        ck_assert_uint_eq(vbe_get(9), 2048 - 768);
        vbe(4, 0x43);
        ck_assert_uint_eq(vbe_get(1), 16000);
        ck_assert_uint_eq(vbe_get(3), 32);
        /* What memory cannot hold is cut down. */
        set_mode(16000, 12000, 32);
        ck_assert_uint_eq(vbe_get(2), (16 << 20) / 64000);
        render();
        ck_assert_uint_eq(surface.width, 16000);
        set_mode(0, 0, 7);
        ck_assert_uint_eq(vbe_get(1), 8);
        ck_assert_uint_eq(vbe_get(3), 8);
        render();
        close_vga();
}
END_TEST

START_TEST(test_vbe_pictures)
{
        static const uint8_t bytes[] = { 0x00, 0x7c, 0xe0, 0x03, 0xff, 0xff, 0x01, 0x00 };
        open_vga();
        pci_write(0x10, LFB);
        pci_write(0x18, MMIO);
        pci_write(0x04, 2);
        ck_assert_int_eq(kind(LFB), PAGE_RAM);
        set_mode(64, 48, 15);
        for (unsigned i = 0; i < sizeof(bytes); i++)
                put(LFB + i, bytes[i]);
        render();
        ck_assert_uint_eq(surface.height, 48);
        ck_assert_uint_eq(pixel(0, 0), 0xff0000);
        ck_assert_uint_eq(pixel(1, 0), 0x00ff00);
        ck_assert_uint_eq(pixel(2, 0), 0xffffff);
        ck_assert_uint_eq(pixel(3, 0), 0x000008);
        set_mode(64, 48, 16);
        for (unsigned i = 0; i < sizeof(bytes); i++)
                put(LFB + i, bytes[i]);
        render();
        ck_assert_uint_eq(pixel(0, 0), 0x7b8200);
        ck_assert_uint_eq(pixel(1, 0), 0x007d00);
        set_mode(64, 48, 24);
        ck_assert_uint_eq(get(LFB), 0);
        put(LFB + 3, 0x12);
        put(LFB + 4, 0x34);
        put(LFB + 5, 0x56);
        render();
        ck_assert_uint_eq(pixel(1, 0), 0x563412);
        set_mode(64, 48, 32);
        vbe(6, 128);
        vbe(8, 16);
        vbe(9, 2);
        put(LFB + 2 * 512 + 16 * 4, 0xab);
        render();
        ck_assert_uint_eq(pixel(0, 0), 0xab);
        /* Only what changed is damage. */
        render();
        ck_assert_uint_eq(surface.damage_count, 0);
        put(LFB + 5 * 512 + 20 * 4 + 1, 0x01);
        render();
        ck_assert_uint_eq(surface.damage_count, 1);
        ck_assert_uint_eq(surface.damage[0].x, 4);
        ck_assert_uint_eq(surface.damage[0].y, 3);
        ck_assert_uint_eq(surface.damage[0].width, 1);
        ck_assert_uint_eq(surface.damage[0].height, 1);

        /* 8 bits with a DAC of 8, banks through the window, registers through BAR 2. */
        set_mode(640, 480, 8);
        vbe(4, 0x61);
        set_color(5, 0x81, 0x82, 0x83);
        vbe(5, 2);
        ck_assert_int_eq(kind(WINDOW), PAGE_RAM);
        put(WINDOW + 1, 5);
        ck_assert_uint_eq(get(LFB + 0x20001), 5);
        memory_mmio_write(rig.memory, MMIO + 0x50a, 0, 2);
        ck_assert_uint_eq(vbe_get(5), 0);
        ck_assert_uint_eq(memory_mmio_read(rig.memory, MMIO + 0x500, 2), 0xb0c5);
        ck_assert_uint_eq(memory_mmio_read(rig.memory, MMIO + 0x400 + 0x0c, 1), 0x63);
        render();
        ck_assert_uint_eq(pixel(0x20001 % 640, 0x20001 / 640), 0x818283);
        close_vga();
}
END_TEST

/* -- Registers ---------------------------------------------------------------------------------- */

START_TEST(test_registers)
{
        open_vga();
        /* The CRTC is at 3B4h for monochrome. */
        rig_out(&rig, CRTC, 0x0f);
        ck_assert_uint_eq(rig_in(&rig, 0x3b4), 0xff);
        rig_out(&rig, 0x3c2, 0x62);
        ck_assert_uint_eq(rig_in(&rig, 0x3b4), 0x0f);
        ck_assert_uint_eq(rig_in(&rig, CRTC), 0xff);
        rig_out(&rig, 0x3c2, 0x63);
        ck_assert_uint_eq(rig_in(&rig, 0x3cc), 0x63);
        /* Protection of registers 0-7, but for one bit. */
        set(CRTC, 0x11, 0x80);
        set(CRTC, 0x01, 99);
        rig_out(&rig, CRTC, 0x01);
        ck_assert_uint_eq(rig_in(&rig, CRTC + 1), 7);
        set(CRTC, 0x07, 0xef);
        rig_out(&rig, CRTC, 0x07);
        ck_assert_uint_eq(rig_in(&rig, CRTC + 1), 0);
        /* The DAC: three reads an entry, its state, entries stored whole. */
        set_color(255, 1, 2, 3);
        rig_out(&rig, 0x3c7, 255);
        ck_assert_uint_eq(rig_in(&rig, 0x3c7), 3);
        ck_assert_uint_eq(rig_in(&rig, 0x3c9), 1);
        ck_assert_uint_eq(rig_in(&rig, 0x3c9), 2);
        ck_assert_uint_eq(rig_in(&rig, 0x3c9), 3);
        ck_assert_uint_eq(rig_in(&rig, 0x3c9), 0);
        rig_out(&rig, 0x3c8, 255);
        ck_assert_uint_eq(rig_in(&rig, 0x3c7), 0);
        rig_out(&rig, 0x3c9, 0xff);
        rig_out(&rig, 0x3c7, 255);
        ck_assert_uint_eq(rig_in(&rig, 0x3c9), 1);
        /* The attribute controller's palette is closed while the display is on. */
        set_attr(0x21, 7);
        rig_in(&rig, 0x3da);
        rig_out(&rig, 0x3c0, 1);
        ck_assert_uint_eq(rig_in(&rig, 0x3c1), 1);
        close_vga();
}
END_TEST

START_TEST(test_retrace)
{
        unsigned retrace = 0, blank = 0;

        open_vga();
        /* Mode 3's timing: 100 characters, 449 lines, 400 shown, retrace in lines 412 and 413. */
        set(SEQ, 1, 0);
        rig_out(&rig, 0x3c2, 0x67);
        set(CRTC, 0x00, 0x5f);
        set(CRTC, 0x01, 0x4f);
        set(CRTC, 0x06, 0xbf);
        set(CRTC, 0x07, 0x1f);
        set(CRTC, 0x10, 0x9c);
        set(CRTC, 0x11, 0x0e);
        set(CRTC, 0x12, 0x8f);
        for (unsigned i = 0; i < 4490; i++) {
                uint8_t status;

                rig_set_time(&rig, (int64_t)i * 3178);
                status = rig_in(&rig, 0x3da);
                retrace += status >> 3 & 1;
                blank += status & 1;
                ck_assert(!(status & 8) || (status & 1));
        }
        ck_assert_uint_ge(retrace, 18);
        ck_assert_uint_le(retrace, 22);
        ck_assert_uint_ge(blank, 490 + 400);
        ck_assert_uint_le(blank, 490 + 1000);
        close_vga();
}
END_TEST

START_TEST(test_state)
{
        GByteArray *bytes = g_byte_array_new();
        GError *error = NULL;

        open_vga();
        set_mode(640, 480, 32);
        lock_acquire(&rig.lock);
        state_save(vga->class->state, vga, bytes);
        ck_assert(state_load(vga->class->state, vga, bytes->data, bytes->len, NULL));
        ck_assert(vga->class->post_load(vga, NULL));
        lock_release(&rig.lock);
        /* An offset beyond memory would be read when the screen is drawn. */
        for (guint at = 0; at + 9 < bytes->len; at++) {
                if (memcmp(bytes->data + at, "\003vbe", 4))
                        continue;
                bytes->data[at + 9 + 2 * 9 + 1] = 0xff;
                lock_acquire(&rig.lock);
                ck_assert(state_load(vga->class->state, vga, bytes->data, bytes->len, NULL));
                ck_assert(!vga->class->post_load(vga, &error));
                device_reset(vga);
                lock_release(&rig.lock);
                ck_assert_ptr_nonnull(strstr(error->message, "vbe"));
                g_clear_error(&error);
        }
        g_byte_array_unref(bytes);
        close_vga();
}
END_TEST

START_TEST(test_image_file)
{
        char path[] = "/tmp/lodger-test-XXXXXX";
        GError *error = NULL;
        char *bytes;
        gsize size;

        close(g_mkstemp(path));
        surface_init(&surface, true);
        surface_resize(&surface, 40, 30);
        surface.pixels[0] = 0x123456;
#ifdef HAVE_PNG
        ck_assert_msg(surface_write_png(&surface, path, &error), "%s", error ? error->message : "");
        ck_assert(g_file_get_contents(path, &bytes, &size, NULL));
        ck_assert_uint_gt(size, 60);
        ck_assert(!memcmp(bytes, "\211PNG\r\n\032\n", 8));
        ck_assert(!memcmp(bytes + 16, "\0\0\0\050\0\0\0\036\010\002", 10));
        g_free(bytes);
#else
        (void)bytes;
        (void)size;
#endif
        ck_assert(!surface_write_png(&surface, "/nonexistent/picture.png", &error));
        ck_assert_ptr_nonnull(error);
        g_clear_error(&error);
        surface_free(&surface);
        remove(path);
}
END_TEST

UNIT_MAIN("vga", test_write_modes, test_read_modes, test_direct_window, test_planar_picture, test_cga_picture,
          test_256_colors, test_text_picture, test_cursor_and_blink, test_text, test_vbe_registers, test_vbe_pictures,
          test_registers, test_retrace, test_state, test_image_file)
