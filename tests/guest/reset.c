/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reset.c - a reset through the keyboard controller ends the machine under --no-reboot: status 3.
 */
#include "guest.h"

void guest_main(void)
{
        print("guest: reset\n");
        while (inb(0x64) & 2)
                continue;
        outb(0x64, 0xfe);
        for (volatile u32 i = 0; i < 100000000; i++)
                continue;
        print("not reset\n");
}
