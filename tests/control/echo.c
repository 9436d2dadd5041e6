/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * echo.c - a guest that prints what its keyboard ("k1e") and its mouse ("m08") send, and that powers itself off when
 * the power button is pressed, or ignores it once F12 has been; a letter on the screen changes with each byte.  With
 * interrupts off, in a loop without end: also what a machine that does not listen looks like, until it prints "ready".
 */
#include "guest.h"

enum { DATA = 0x60, STATUS = 0x64, FULL = 1, AUX = 0x20, WRITE_AUX = 0xd4 };
enum { PM_STATUS = 0x600, PM_ENABLE = 0x602, PM_CONTROL = 0x604, POWER_BUTTON = 0x100, SLEEP = 0x2000, ACPI_PORT = 0xb2, ACPI_ON = 0xf1 };

static void outw(u16 port, u16 value) { asm volatile("outw %0, %1" :: "a"(value), "Nd"(port)); }
static u16 inw(u16 port) { u16 value; asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port)); return value; }

static u8 mouse(u8 byte)
{
        outb(STATUS, WRITE_AUX);
        outb(DATA, byte);
        while (!(inb(STATUS) & FULL))
                ;
        return inb(DATA);
}

enum { SCREEN = 0xb8000, F12 = 0x58 };

void guest_main(void)
{
        bool deaf = false;
        static const char word[] = "control";
        static const u8 knock[] = { 0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4 };

        while (inb(STATUS) & FULL)
                inb(DATA);
        for (unsigned i = 0; i < sizeof(knock); i++)
                if (mouse(knock[i]) != 0xfa)
                        print("the mouse refuses %x\n", knock[i]);
        /* In text mode, left there by the firmware: a word in the corner of an empty screen. */
        for (unsigned i = 0; i < 80 * 25; i++)
                mem16(SCREEN)[i] = 0x0720;
        for (unsigned i = 0; i < sizeof(word) - 1; i++)
                mem16(SCREEN)[i] = 0x0700 | word[i];
        outb(ACPI_PORT, ACPI_ON);
        outw(PM_ENABLE, POWER_BUTTON);
        print("ready\n");
        for (;;) {
                u8 status = inb(STATUS);

                if (status & FULL) {
                        u8 byte = inb(DATA);

                        print("%c%02x\n", status & AUX ? 'm' : 'k', byte);
                        deaf = deaf || byte == F12;
                        mem16(SCREEN)[80] = mem16(SCREEN)[80] == 0x0741 ? 0x0742 : 0x0741;
                }
                if (!deaf && (inw(PM_STATUS) & POWER_BUTTON)) {
                        print("power button\n");
                        outw(PM_CONTROL, SLEEP);
                }
        }
}
