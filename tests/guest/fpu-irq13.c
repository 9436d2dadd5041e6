/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu-irq13.c - an x87 exception with CR0.NE clear: FERR# raises IRQ 13 and the next waiting instruction
 * is held until it comes; port F0h releases it (SDM 1 D.2).  QEMU 7.2's translator aborts on an
 * assertion: not run there.
 */
#include "guest.h"

#define PENDING "fninit\n fldcw word ptr control_word\n fld1\n fldz\n fdivp\n nop\n"
CODE(irq13, PENDING "fwait\n mov ecx, 1");

u16 control_word = 0x37b;

static bool ferr(struct context *frame)
{
        (void)frame;
        outb(0xf0, 0);
        pic_eoi(13);
        return false;
}

void guest_main(void)
{
        enum { NE = 0x20 };

        print("guest: fpu-irq13\n");
        write_cr0(read_cr0() & ~(u32)NE);
        hooks[0x2d] = ferr;
        asm volatile("fninit");
        pic_unmask(13);
        for (unsigned i = 0; i < 3; i++) {
                context_init(irq13);
                ctx.eflags |= FL_IF;
                run();
                print("NE clear: vector %x ecx=%x\n", ctx.vector, ctx.ecx);
                check("  at or before the waiting instruction", ctx.eip <= (u32)irq13_end - 8);
                asm volatile("fninit");
        }
        pic_mask_all();
}
