/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lar-lsl.c - LAR, LSL, VERR, VERW and ARPL over every descriptor type, in ring 0 and ring 3.
 */
#include "guest.h"

CODE(lar, "mov ebx, 0xdeadbeef\n lar ebx, eax\n setz cl");
CODE(lsl_, "mov ebx, 0xdeadbeef\n lsl ebx, eax\n setz cl");
CODE(lar16, "mov ebx, 0xdeadbeef\n lar bx, ax\n setz cl");
CODE(lsl16, "mov ebx, 0xdeadbeef\n lsl bx, ax\n setz cl");
CODE(verr, "verr ax\n setz cl");
CODE(verw, "verw ax\n setz cl");
CODE(arpl, "arpl ax, dx\n setz cl");

static void one(const char *name, const void *code, u32 selector, bool user)
{
        if (user)
                context_init_user(code);
        else
                context_init(code);
        ctx.eax = selector;
        run();
        if (ctx.vector != VECTOR_DONE)
                report(name);
        else if (ctx.ecx & 1)
                print(" %s=%x", name, ctx.ebx);
        else
                print(" %s=-", name);
}

static void all(u32 selector, bool user)
{
        one("lar", lar, selector, user);
        one("lsl", lsl_, selector, user);
        one("lar16", lar16, selector, user);
        one("lsl16", lsl16, selector, user);
        one("r", verr, selector, user);
        one("w", verw, selector, user);
        print("\n");
}

static void adjust(u32 to, u32 from)
{
        context_init_user(arpl);
        ctx.eax = to;
        ctx.edx = from;
        run();
        print("arpl %x, %x: %x ZF=%u\n", to, from, ctx.eax, ctx.ecx & 1);
}

void guest_main(void)
{
        print("guest: lar-lsl\n");
        print("null");
        all(0, false);
        print("past the end");
        all(0x1000, false);
        for (unsigned type = 0; type < 32; type++) {
                u8 access = (u8)(ACC_P | type);

                gdt_set(SEL_FREE, descriptor(0x123456, 0x12345, access, type & 16 ? SEG_32 : 0));
                print("%02x", access);
                all(SEL_FREE, false);
                print("%02x ring 3", access);
                all(SEL_FREE, true);
        }
        gdt_set(SEL_FREE, descriptor(0, 0x12345, ACC_DATA & ~ACC_P, 0));
        print("not present");
        all(SEL_FREE, false);
        gdt_set(SEL_FREE, descriptor(0, 0x12345, ACC_DATA | ACC_DPL3, 0));
        print("DPL 3, RPL 3");
        all(SEL_FREE | 3, true);
        gdt_set(SEL_FREE, descriptor(0, 0x12345, ACC_CODE_CONFORMING, 0));
        print("conforming, RPL 3");
        all(SEL_FREE | 3, true);
        adjust(0x10, 0x1b);
        adjust(0x13, 0x18);
        adjust(0x12, 0x02);
        adjust(0x1230, 0x0001);
}
