/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pic.c - the 8259A pair: priorities, rotation, special modes, polling, spurious interrupts. */
#include "devices/chipset/pic.h"
#include "rig.h"
#include "unit.h"

static struct rig rig;
static struct device *pic;
static bool intr;
static unsigned rises;
static int taken;

static void intr_set(void *opaque, int line, bool level)
{
        (void)opaque;
        (void)line;
        rises += level && !intr;
        intr = level;
}

static void note_taken(void *opaque, int line)
{
        (void)opaque;
        taken = line;
}

/* As a BIOS does it: vectors 08h and 70h, everything open. */
static void open_pic(void)
{
        rig_open(&rig);
        intr = false;
        taken = -1;
        pic = device_new("pic", "pic", &rig.env);
        pic_set_output(pic, (struct irq){ intr_set, NULL, 0 });
        pic_set_watch(pic, &(struct pic_watch){ .taken = note_taken });
        rig_start(&rig, pic);
        rig_out(&rig, 0x20, 0x11);
        rig_out(&rig, 0x21, 0x08);
        rig_out(&rig, 0x21, 0x04);
        rig_out(&rig, 0x21, 0x01);
        rig_out(&rig, 0xa0, 0x11);
        rig_out(&rig, 0xa1, 0x70);
        rig_out(&rig, 0xa1, 0x02);
        rig_out(&rig, 0xa1, 0x01);
        rises = 0;
}

static void close_pic(void)
{
        rig_free(&rig, pic);
        rig_close(&rig);
}

static void line(int number, bool level)
{
        struct irq irq = pic_input(pic, number);

        irq_set(&irq, level);
}

static void pulse(int number)
{
        line(number, false);
        line(number, true);
        line(number, true);
}

static uint8_t isr(uint16_t port)
{
        rig_out(&rig, port, 0x0b);
        return rig_in(&rig, port);
}

static uint8_t irr(uint16_t port)
{
        rig_out(&rig, port, 0x0a);
        return rig_in(&rig, port);
}

START_TEST(test_priorities)
{
        open_pic();
        pulse(3);
        ck_assert(intr);
        pulse(1);
        ck_assert_uint_eq(irr(0x20), 0x0a);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x09);
        ck_assert_int_eq(taken, 1);
        ck_assert(!intr);
        ck_assert_uint_eq(isr(0x20), 0x02);
        pulse(0);
        ck_assert(intr);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x08);
        rig_out(&rig, 0x20, 0x20);
        ck_assert_uint_eq(isr(0x20), 0x02);
        ck_assert(!intr);
        rig_out(&rig, 0x20, 0x61);      /* specific */
        ck_assert(intr);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0b);
        rig_out(&rig, 0x20, 0x20);
        ck_assert_uint_eq(isr(0x20), 0);
        ck_assert(!intr);
        rig_out(&rig, 0x21, 0x10);
        ck_assert_uint_eq(rig_in(&rig, 0x21), 0x10);
        pulse(4);
        ck_assert(!intr);
        rig_out(&rig, 0x21, 0x00);
        ck_assert(intr);
        close_pic();
}
END_TEST

START_TEST(test_cascade)
{
        open_pic();
        pulse(14);
        ck_assert_uint_eq(irr(0xa0), 0x40);
        ck_assert_uint_eq(irr(0x20), 0x04);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x76);
        ck_assert_int_eq(taken, 14);
        ck_assert_uint_eq(isr(0x20), 0x04);
        ck_assert_uint_eq(isr(0xa0), 0x40);
        pulse(8);               /* of higher priority, but line 2 is in service */
        ck_assert(!intr);
        pulse(1);
        ck_assert(intr);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x09);
        rig_out(&rig, 0x20, 0x20);
        rig_out(&rig, 0x20, 0x20);
        ck_assert(intr);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x70);
        rig_out(&rig, 0xa0, 0x20);
        rig_out(&rig, 0xa0, 0x20);
        rig_out(&rig, 0x20, 0x20);
        ck_assert_uint_eq(isr(0xa0) | isr(0x20), 0);
        close_pic();
}
END_TEST

START_TEST(test_special_fully_nested)
{
        open_pic();
        rig_out(&rig, 0x20, 0x11);
        rig_out(&rig, 0x21, 0x08);
        rig_out(&rig, 0x21, 0x04);
        rig_out(&rig, 0x21, 0x11);
        pulse(14);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x76);
        pulse(8);
        ck_assert(intr);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x70);
        close_pic();
}
END_TEST

START_TEST(test_spurious)
{
        open_pic();
        pulse(3);
        line(3, false);
        ck_assert(!intr);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0f);
        ck_assert_int_eq(taken, -1);
        ck_assert_uint_eq(isr(0x20), 0);
        /* A request that goes away between the two INTA cycles' arbitration and the acknowledge. */
        pulse(10);
        rig_out(&rig, 0xa1, 0x04);
        ck_assert(!intr);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0f);
        close_pic();
}
END_TEST

START_TEST(test_edge_and_level)
{
        open_pic();
        pulse(5);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0d);
        rig_out(&rig, 0x20, 0x20);
        ck_assert(!intr);       /* still high: no new edge */
        line(5, false);
        rig_out(&rig, 0x4d0, 0xff);
        ck_assert_uint_eq(rig_in(&rig, 0x4d0), 0xf8);
        rig_out(&rig, 0x4d1, 0xff);
        ck_assert_uint_eq(rig_in(&rig, 0x4d1), 0xde);
        line(5, true);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0d);
        ck_assert(!intr);
        rig_out(&rig, 0x20, 0x20);
        ck_assert(intr);        /* level: again until it falls */
        line(5, false);
        ck_assert(!intr);
        /* ICW1 forgets latched edges; levels stay. */
        pulse(1);
        line(5, true);
        rig_out(&rig, 0x20, 0x11);
        ck_assert_uint_eq(irr(0x20), 0x20);
        close_pic();
}
END_TEST

START_TEST(test_rotation)
{
        open_pic();
        pulse(3);
        pulse(4);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0b);
        rig_out(&rig, 0x20, 0xa0);      /* rotate on non-specific EOI: 3 is lowest now */
        pulse(3);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0c);
        rig_out(&rig, 0x20, 0xe4);      /* rotate on specific EOI */
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0b);
        rig_out(&rig, 0x20, 0x20);
        rig_out(&rig, 0x20, 0xc6);      /* set priority: 6 lowest, 7 highest */
        pulse(0);
        pulse(7);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0f);
        ck_assert_uint_eq(isr(0x20), 0x80);
        rig_out(&rig, 0x20, 0x20);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x08);
        close_pic();
}
END_TEST

START_TEST(test_automatic_eoi)
{
        open_pic();
        rig_out(&rig, 0x20, 0x11);
        rig_out(&rig, 0x21, 0x08);
        rig_out(&rig, 0x21, 0x04);
        rig_out(&rig, 0x21, 0x03);
        rig_out(&rig, 0x20, 0x80);      /* rotate */
        pulse(0);
        pulse(6);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x08);
        ck_assert_uint_eq(isr(0x20), 0);
        pulse(0);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0e);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x08);
        ck_assert(!intr);
        close_pic();
}
END_TEST

START_TEST(test_special_mask)
{
        open_pic();
        pulse(2 + 1);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0b);
        rig_out(&rig, 0x21, 0x08);
        rig_out(&rig, 0x20, 0x68);
        pulse(6);
        ck_assert(intr);        /* lower priority than what is in service, which is masked */
        ck_assert_uint_eq(pic_acknowledge(pic), 0x0e);
        rig_out(&rig, 0x20, 0x20);      /* non-specific: not the masked one */
        ck_assert_uint_eq(isr(0x20), 0x08);
        rig_out(&rig, 0x20, 0x48);
        pulse(6);
        ck_assert(!intr);
        close_pic();
}
END_TEST

START_TEST(test_poll)
{
        open_pic();
        rig_out(&rig, 0x20, 0x0c);
        ck_assert_uint_eq(rig_in(&rig, 0x20), 0);
        pulse(4);
        rig_out(&rig, 0x20, 0x0c);
        ck_assert_uint_eq(rig_in(&rig, 0x20), 0x84);
        ck_assert_int_eq(taken, 4);
        ck_assert(!intr);
        ck_assert_uint_eq(isr(0x20), 0x10);
        close_pic();
}
END_TEST

START_TEST(test_initialisation)
{
        open_pic();
        rig_out(&rig, 0x21, 0xff);
        pulse(7);
        rig_out(&rig, 0x20, 0x12);      /* single, no ICW4 */
        pulse(6);
        ck_assert(!intr);               /* not before the vectors are known */
        rig_out(&rig, 0x21, 0x47);
        ck_assert(intr);
        ck_assert_uint_eq(rig_in(&rig, 0x21), 0);
        ck_assert_uint_eq(pic_acknowledge(pic), 0x46);
        rig_out(&rig, 0x21, 0x55);
        ck_assert_uint_eq(rig_in(&rig, 0x21), 0x55);
        close_pic();
}
END_TEST

UNIT_MAIN("pic", test_priorities, test_cascade, test_special_fully_nested, test_spurious, test_edge_and_level, test_rotation,
          test_automatic_eoi, test_special_mask, test_poll, test_initialisation)
