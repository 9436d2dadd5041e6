/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iret.c - IRET to the same and to outer rings: what it loads, which data segments it clears, its
 * errors with codes and saved EIP, NT without a back link, 16-bit IRET (SDM 2 "IRET").  QEMU 7.2
 * raises #NP where the stack segment is absent.
 */
#include "guest.h"

CODE(outer, "push eax\n push edx\n push esi\n push ecx\n push ebx\n iretd");
CODE(outer16, "push ax\n push dx\n push si\n push cx\n push bx\n iretw");
CODE(same, "push esi\n push ecx\n push ebx\n iretd");
CODE(there, "mov eax, ds\n mov ebx, es\n mov ecx, fs\n mov edx, gs\n mov esi, ss\n pushfd\n pop edi");
CODE(with_nt, "push 0x4002\n popfd\n iretd");

static void go(const char *name, const void *code, u32 cs, u32 ss, u32 flags)
{
        context_init(code);
        ctx.eax = ss;
        ctx.edx = USER_STACK_TOP;
        ctx.esi = flags;
        ctx.ecx = cs;
        ctx.ebx = (u32)there;
        ctx.fs = SEL_UDATA;
        ctx.gs = SEL_FREE;
        run();
        report(name);
}

static void show(void)
{
        print("  cs=%x ss=%x ds=%x es=%x fs=%x gs=%x flags=%x esp=%d\n", ctx.cs, ctx.esi, ctx.eax, ctx.ebx, ctx.ecx, ctx.edx,
              ctx.edi & ~FL_ARITH, (int)(ctx.esp - USER_STACK_TOP));
}

void guest_main(void)
{
        enum { F = SEL_FREE, X = SEL_FREE + 8 };

        print("guest: iret\n");
        gdt_set(F, descriptor(0, 0xfffff, ACC_CODE_CONFORMING, SEG_32));
        ctx_start = (u32)there;
        go("to ring 3", outer, SEL_UCODE, SEL_UDATA, 2);
        show();
        go("to ring 3, all flags but VM, NT, TF", outer, SEL_UCODE, SEL_UDATA, 0x247ed7 & ~0x4000);
        show();
        go("same ring", same, SEL_CODE, 0, 0x3002);
        print("  flags=%x esp=%d\n", ctx.edi & ~FL_ARITH, (int)(ctx.esp - STACK_TOP));

        go("RPL 3, SS null", outer, SEL_UCODE, 0, 2);
        go("RPL 3, SS null with RPL 3", outer, SEL_UCODE, 3, 2);
        go("RPL 3, SS of ring 0", outer, SEL_UCODE, SEL_DATA, 2);
        go("RPL 3, SS of ring 0 with RPL 3", outer, SEL_UCODE, SEL_DATA | 3, 2);
        go("RPL 3, SS is code", outer, SEL_UCODE, SEL_UCODE, 2);
        go("RPL 3, SS past the GDT", outer, SEL_UCODE, 0x1003, 2);
        gdt_set(X, descriptor(0, 0xfffff, (ACC_DATA | ACC_DPL3) & ~ACC_P, SEG_32));
        go("RPL 3, SS not present", outer, SEL_UCODE, X | 3, 2);
        go("RPL 3, CS of ring 0", outer, SEL_CODE | 3, SEL_UDATA, 2);
        go("RPL 0, CS of ring 3", same, SEL_UCODE & ~3u, 0, 2);
        gdt_set(X, descriptor(0, 0xfffff, (ACC_CODE | ACC_DPL3) & ~ACC_P, SEG_32));
        go("RPL 3, CS not present", outer, X | 3, SEL_UDATA, 2);
        gdt_set(X, descriptor(0, 0xfffff, ACC_CODE_CONFORMING, SEG_32));
        go("RPL 3, conforming CS of ring 0", outer, X | 3, SEL_UDATA, 2);
        print("  cs=%x\n", ctx.cs);
        gdt_set(X, descriptor(0, 0xfffff, ACC_CODE_CONFORMING | ACC_DPL3, SEG_32));
        go("RPL 0, conforming CS of ring 3", same, X, 0, 2);

        /* 16-bit: to a segment that is based so that 16 bits of IP reach it. */
        gdt_set(X, descriptor((u32)there, 0xff, ACC_CODE | ACC_DPL3, SEG_DB));
        context_init(outer16);
        ctx.eax = SEL_UDATA;
        ctx.edx = 0x7000;
        ctx.esi = 2;
        ctx.ecx = X | 3;
        run();
        report("iretw to ring 3");
        print("  cs=%x esp=%x\n", ctx.cs, ctx.esp);

        /* NT set: a task return, to a back link that names no TSS. */
        tss.link = 0;
        context_init(with_nt);
        run();
        report("NT, null back link");
        tss.link = SEL_DATA;
        context_init(with_nt);
        run();
        report("NT, back link to data");
        tss.link = SEL_LDT | 4;
        context_init(with_nt);
        run();
        report("NT, back link into the LDT");
}
