/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ioapic.c - the I/O APIC: registers, edges, levels with remote IRR, masks. */
#include "devices/chipset/ioapic.h"
#include "rig.h"
#include "unit.h"

static struct rig rig;
static struct device *ioapic;
static char notes[256];

static void deliver(void *opaque, uint8_t vector, uint8_t dest, bool logical, uint8_t mode, bool level)
{
        char text[48];

        (void)opaque;
        g_snprintf(text, sizeof(text), "%x>%x%s/%u%s ", vector, dest, logical ? "l" : "", mode, level ? "L" : "");
        g_strlcat(notes, text, sizeof(notes));
}

static void taken(void *opaque, int pin)
{
        char text[16];

        (void)opaque;
        g_snprintf(text, sizeof(text), "t%d ", pin);
        g_strlcat(notes, text, sizeof(notes));
}

static uint32_t read_register(uint8_t number)
{
        memory_mmio_write(rig.memory, IOAPIC_BASE, number, 4);
        return (uint32_t)memory_mmio_read(rig.memory, IOAPIC_BASE + 0x10, 4);
}

static void write_register(uint8_t number, uint32_t value)
{
        memory_mmio_write(rig.memory, IOAPIC_BASE, number, 4);
        memory_mmio_write(rig.memory, IOAPIC_BASE + 0x10, value, 4);
}

static void pin(int number, bool level)
{
        struct irq irq = ioapic_input(ioapic, number);

        irq_set(&irq, level);
}

static void open_ioapic(void)
{
        rig_open(&rig);
        notes[0] = 0;
        ioapic = device_new("ioapic", "ioapic", &rig.env);
        ioapic_set_output(ioapic, &(struct ioapic_output){ .deliver = deliver, .taken = taken });
        rig_start(&rig, ioapic);
}

static void close_ioapic(void)
{
        rig_free(&rig, ioapic);
        rig_close(&rig);
}

START_TEST(test_registers)
{
        open_ioapic();
        ck_assert_uint_eq(read_register(1), 0x00170011);
        write_register(0, 0xffffffff);
        ck_assert_uint_eq(read_register(0), 0x0f000000);
        for (unsigned i = 0; i < 24; i++) {
                ck_assert_uint_eq(read_register((uint8_t)(0x10 + 2 * i)), 0x10000);
                ck_assert_uint_eq(read_register((uint8_t)(0x11 + 2 * i)), 0);
        }
        write_register(0x12, 0xffffffff);
        write_register(0x13, 0xffffffff);
        ck_assert_uint_eq(read_register(0x12), 0x1afff);
        ck_assert_uint_eq(read_register(0x13), 0xff000000);
        ck_assert_uint_eq(read_register(0x40), 0);
        write_register(0xff, 1);
        /* Only whole registers: a byte access reads the unit around it. */
        memory_mmio_write(rig.memory, IOAPIC_BASE, 1, 1);
        ck_assert_uint_eq(memory_mmio_read(rig.memory, IOAPIC_BASE + 0x12, 1), 0x17);
        close_ioapic();
}
END_TEST

START_TEST(test_edge)
{
        open_ioapic();
        pin(4, true);
        ck_assert_str_eq(notes, "");
        write_register(0x19, 0x03000000);
        write_register(0x18, 0x00831);          /* logical, fixed, vector 31h */
        ck_assert_str_eq(notes, "");            /* the masked edge is gone */
        pin(4, true);
        ck_assert_str_eq(notes, "");
        pin(4, false);
        pin(4, true);
        pin(4, false);
        pin(4, true);
        ck_assert_str_eq(notes, "31>3l/0 t4 31>3l/0 t4 ");
        notes[0] = 0;
        write_register(0x10, 0x00700);          /* ExtINT */
        pin(0, true);
        ck_assert_str_eq(notes, "0>0/7 t0 ");
        close_ioapic();
}
END_TEST

START_TEST(test_level)
{
        open_ioapic();
        pin(10, true);
        write_register(0x24, 0x0a141);          /* level, active low, lowest priority */
        ck_assert_str_eq(notes, "41>0/1L ");
        ck_assert_uint_eq(read_register(0x24), 0x0e141);
        pin(10, true);
        pin(10, false);
        pin(10, true);
        ck_assert_str_eq(notes, "41>0/1L ");    /* not before the EOI */
        ioapic_eoi(ioapic, 0x42);
        ck_assert_str_eq(notes, "41>0/1L ");
        ioapic_eoi(ioapic, 0x41);
        ck_assert_str_eq(notes, "41>0/1L 41>0/1L ");
        pin(10, false);
        ioapic_eoi(ioapic, 0x41);
        ck_assert_str_eq(notes, "41>0/1L 41>0/1L ");
        ck_assert_uint_eq(read_register(0x24), 0x0a141);

        /* A masked level stays pending with the device; edge and back clears a stuck remote IRR. */
        notes[0] = 0;
        write_register(0x24, 0x1a141);
        pin(10, true);
        ck_assert_str_eq(notes, "");
        write_register(0x24, 0x0a141);
        ck_assert_str_eq(notes, "41>0/1L ");
        write_register(0x24, 0x12141);
        ck_assert_uint_eq(read_register(0x24), 0x12141);
        write_register(0x24, 0x0a141);
        ck_assert_str_eq(notes, "41>0/1L 41>0/1L ");
        close_ioapic();
}
END_TEST

UNIT_MAIN("ioapic", test_registers, test_edge, test_level)
