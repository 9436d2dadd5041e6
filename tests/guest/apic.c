/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apic.c - the local APIC: identity, self IPI, timer one shot and periodic, TPR, EOI order, masking and
 * the spurious register (SDM 3A 11).
 */
#include "guest.h"

static volatile u32 got[256];
static volatile u32 order[8], orders;

#define APIC 0xfee00000u
static u32 apic_read(u32 r) { return *(volatile u32 *)mem32(APIC + r); }
static void apic_write(u32 r, u32 v) { *(volatile u32 *)mem32(APIC + r) = v; }

static bool count(struct context *frame)
{
        got[frame->vector & 0xff]++;
        if (orders < 8)
                order[orders++] = frame->vector;
        apic_write(0xb0, 0);
        return true;
}

static void wait_for(u8 vector, u32 n)
{
        sti();
        for (u32 i = 0; i < 300000000 && got[vector] < n; i++)
                asm volatile("pause");
        cli();
}

static void self(u8 vector)
{
        apic_write(0x310, 0);
        apic_write(0x300, 0x40000u | vector);
        while (apic_read(0x300) & 0x1000)
                continue;
}

void guest_main(void)
{
        print("guest: apic\n");
        print("base %x\n", (u32)rdmsr(0x1b) & 0xfffffd00);
        print("id %x, version %x\n", apic_read(0x20) >> 24, apic_read(0x30) & 0xff);
        for (unsigned v = 0x50; v < 0xf0; v++)
                hooks[v] = count;
        apic_write(0xf0, 0x1ff);
        hooks[0xff] = count;
        apic_write(0x80, 0);

        self(0x61);
        check("not with IF clear", got[0x61] == 0);
        print("irr %x\n", apic_read(0x230));
        wait_for(0x61, 1);
        print("self ipi %u, irr %x isr %x\n", got[0x61], apic_read(0x230), apic_read(0x130));

        /* Three at once: the highest first. */
        orders = 0;
        self(0x72);
        self(0xa1);
        self(0x83);
        wait_for(0x72, 1);
        print("order %x %x %x\n", order[0], order[1], order[2]);

        /* TPR holds back its class and below. */
        orders = 0;
        apic_write(0x80, 0x90);
        self(0x91);
        self(0xb1);
        sti();
        for (u32 i = 0; i < 100000; i++)
                asm volatile("pause");
        cli();
        print("tpr 90: %u of 91, %u of b1, ppr %x\n", got[0x91], got[0xb1], apic_read(0xa0) & 0xf0);
        apic_write(0x80, 0);
        wait_for(0x91, 1);
        print("tpr 0: %u of 91\n", got[0x91]);

        /* Timer. */
        apic_write(0x3e0, 0xb);
        apic_write(0x320, 0x65);
        apic_write(0x380, 100000);
        wait_for(0x65, 1);
        print("one shot %u, current %u\n", got[0x65], apic_read(0x390));
        apic_write(0x320, 0x20066);
        apic_write(0x380, 1000000);
        wait_for(0x66, 5);
        check("periodic", got[0x66] >= 5);
        apic_write(0x320, 0x10066);
        u32 before = got[0x66];
        sti();
        for (u32 i = 0; i < 3000000; i++)
                asm volatile("");
        cli();
        check("masked", got[0x66] <= before + 1);
        apic_write(0x380, 0);
        /* HLT wakes by it. */
        apic_write(0x320, 0x67);
        apic_write(0x380, 1000000);
        while (!got[0x67])
                asm volatile("sti; hlt; cli");
        print("woken %u\n", got[0x67]);
}
