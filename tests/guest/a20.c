/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * a20.c - the A20 gate through port 92h: while it is closed, bit 20 of every physical address is
 * dropped, in real mode (the wrap at 1 MiB) and with paging off.  The code that runs meanwhile lies
 * below 1 MiB, and so do the tables it needs: none.
 */
#include "guest.h"

/* AX: through 0000:7C10, BX: through FFFF:7C20, gate closed, then open again in CX. */
CODE16(wrap, "in al, 0x92\n and al, 0xfc\n out 0x92, al\n mov ax, 0xffff\n mov fs, ax\n mov bx, fs:[0x7c20]\n"
             "mov word ptr fs:[0x7c22], 0x6666\n mov dx, ds:[0x7c12]\n in al, 0x92\n or al, 2\n out 0x92, al\n mov cx, fs:[0x7c20]\n"
             "mov ax, ds:[0x7c10]");

void guest_main(void)
{
        print("guest: a20\n");
        *mem16(0x7c10) = 0x1111;
        *mem16(0x7c12) = 0x2222;
        /* 107C10h is in this program's image: keep it. */
        u32 kept = *mem32(0x107c10);

        *mem16(0x107c10) = 0x5555;
        for (unsigned i = 0; i < 3; i++) {
                *mem16(0x7c12) = 0x2222;
                context_init_real(wrap);
                run_real();
                report("wrap");
                print("  low %x, closed %x, written %x, open %x\n", ctx.eax & 0xffff, ctx.ebx, ctx.edx, ctx.ecx);
        }
        *mem32(0x107c10) = kept;
        print("port 92h %x\n", inb(0x92) & 2);
}
