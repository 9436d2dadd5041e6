/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pic.c - the 8259 pair as a program sees it: masks, IRR and ISR, priority, specific and automatic EOI,
 * the cascade, a spurious interrupt, and the 8254's latches and status.
 */
#include "guest.h"

static u32 count[256];
static u8 order[16];
static u32 orders;
static bool eoi = true;

static bool taken(struct context *frame)
{
        count[frame->vector & 0xff]++;
        if (orders < 16)
                order[orders++] = (u8)frame->vector;
        if (eoi)
                pic_eoi(frame->vector - 0x20);
        return true;
}

static u8 isr(void)
{
        outb(0x20, 0x0b);
        return inb(0x20);
}

static u8 irr(void)
{
        outb(0x20, 0x0a);
        return inb(0x20);
}

static void settle(void)
{
        sti();
        for (volatile u32 i = 0; i < 1000; i++)
                continue;
        cli();
}

/* RTC update-ended and periodic interrupts are the slave's handiest source: IRQ 8. */
static void rtc_periodic(bool on)
{
        outb(0x70, 0x0a);
        outb(0x71, 0x26);       /* 1024 Hz */
        outb(0x70, 0x0b);
        u8 b = inb(0x71);
        outb(0x70, 0x0b);
        outb(0x71, (u8)(on ? b | 0x40 : b & ~0x70));
        outb(0x70, 0x0c);
        inb(0x71);
}

void guest_main(void)
{
        print("guest: pic\n");
        for (unsigned v = 0x20; v < 0x30; v++)
                hooks[v] = taken;
        outb(0x21, 0xa5);
        outb(0xa1, 0x5a);
        print("masks %x %x\n", inb(0x21), inb(0xa1));
        pic_mask_all();

        /* One shot of the PIT: requested while masked, taken when unmasked. */
        pit_start(0, 100);
        while (!(irr() & 1))
                continue;
        print("irr %x isr %x\n", irr() & 1, isr());
        settle();
        print("masked: %u\n", count[0x20]);
        pic_unmask(0);
        settle();
        print("unmasked: %u, irr %x isr %x\n", count[0x20], irr() & 1, isr());

        /* Without EOI the line and those below it are held. */
        eoi = false;
        pit_start(0, 100);
        while (!(irr() & 1))
                continue;
        settle();
        print("in service: %u isr %x\n", count[0x20], isr());
        pit_start(0, 100);
        while (!(irr() & 1))
                continue;
        settle();
        print("held: %u irr %x isr %x\n", count[0x20], irr() & 1, isr());
        outb(0x20, 0x60);
        settle();
        print("specific EOI: %u isr %x\n", count[0x20], isr());
        outb(0x20, 0x20);
        print("non-specific EOI: isr %x\n", isr());
        eoi = true;

        /* The slave through the cascade, with IRQ 0 pending as well: IRQ 0 goes first. */
        pic_mask_all();
        rtc_periodic(true);
        outb(0xa0, 0x0a);
        while (!(inb(0xa0) & 1))
                continue;
        pit_start(0, 100);
        while (!(irr() & 1))
                continue;
        orders = 0;
        pic_unmask(8);
        outb(0x21, (u8)(inb(0x21) & ~1u));
        settle();
        print("order %x %x\n", order[0], order[1]);
        rtc_periodic(false);
        pic_mask_all();

        /* Automatic EOI. */
        outb(0x20, 0x11);
        outb(0x21, 0x20);
        outb(0x21, 4);
        outb(0x21, 3);
        outb(0x21, 0xfe);
        eoi = false;
        count[0x20] = 0;
        for (unsigned i = 0; i < 3; i++) {
                pit_start(0, 100);
                while (!(irr() & 1))
                        continue;
                settle();
        }
        print("auto EOI: %u isr %x\n", count[0x20], isr());
        pic_init();

        /* The PIT's channel 2 counts while its gate, bit 0 of port 61h, is set. */
        outb(0x61, (u8)((inb(0x61) & ~3u) | 0));
        outb(0x43, 0xb0);
        outb(0x42, 0xe8);
        outb(0x42, 0x03);
        outb(0x43, 0xe8);       /* read back the status of channel 2 */
        u8 status = inb(0x42);
        print("status %x\n", status & 0xbf);
        outb(0x61, (u8)(inb(0x61) | 1));
        while (!(inb(0x61) & 0x20))
                continue;
        outb(0x43, 0xe8);
        print("out %u\n", inb(0x42) >> 7);
}
