/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vme.c - virtual-8086 mode extensions and protected-mode virtual interrupts: VIF, VIP, the redirection bitmap
 * (SDM 3A 20.3, 20.4).
 */
#include "guest.h"

enum { CR4_VME = 1, CR4_PVI = 2, FL_VIF = 1 << 19, FL_VIP = 1 << 20, BITMAP = 136 };

CODE16(flags16, "sti\n pushf\n pop ax\n cli\n pushf\n pop bx\n push 0x3202\n popf\n pushf\n pop cx\n int 0x41");
CODE16(sti16, "sti\n int 0x41");
CODE16(cli16, "cli\n int 0x41");
CODE16(popf_tf, "push 0x0102\n popf\n int 0x41");
CODE16(popf_if, "push 0x0202\n popf\n int 0x41");
CODE16(pushfd16, "pushfd\n int 0x41");
CODE16(iret16, "push 0x0203\n push 0\n push 0x1234\n mov bp, sp\n mov word ptr [bp], offset 1f\n iret\n 1: nop\n int 0x41");
CODE16(int16, "mov ax, 1\n sti\n int 0x60\n mov cx, 7\n int 0x41");
CODE16(handler16, "pushf\n pop bx\n mov bp, sp\n mov dx, [bp+4]\n iret");
CODE(pvi_sti, "sti");
CODE(pvi_cli, "cli");

static void go(const char *name, const void *code, unsigned iopl, u32 flags)
{
        context_init_v86(code, iopl);
        ctx.eflags |= flags;
        run();
        report(name);
        print("  ax %x bx %x cx %x dx %x vif %x if %x iopl %x sp %x\n", ctx.eax & 0xffff, ctx.ebx & 0xffff, ctx.ecx & 0xffff,
              ctx.edx & 0xffff, ctx.eflags >> 19 & 3, ctx.eflags >> 9 & 1, ctx.eflags >> 12 & 3, ctx.esp);
}

static void pvi(const char *name, const void *code, u32 flags)
{
        context_init_user(code);
        ctx.eflags |= flags;
        run();
        report(name);
        print("  vif %x if %x\n", ctx.eflags >> 19 & 3, ctx.eflags >> 9 & 1);
}

static void all(unsigned iopl)
{
        print("iopl %u\n", iopl);
        go("flags", flags16, iopl, 0);
        go("sti", sti16, iopl, 0);
        go("sti, vip", sti16, iopl, FL_VIP);
        go("cli", cli16, iopl, FL_VIF);
        go("popf tf", popf_tf, iopl, 0);
        go("popf if", popf_if, iopl, 0);
        go("popf if, vip", popf_if, iopl, FL_VIP);
        go("pushfd", pushfd16, iopl, 0);
        go("iret", iret16, iopl, 0);
        go("int", int16, iopl, FL_VIF);
}

void guest_main(void)
{
        print("guest: vme\n");
        /* INT 60h stays in the task, INT 41h ends the run. */
        tss.io_base = BITMAP;
        fill((u8 *)&tss + BITMAP - 32, 0xff, 32);
        ((u8 *)&tss)[BITMAP - 32 + 0x60 / 8] = 0xfe;
        *mem16(0x60 * 4) = (u16)(u32)handler16;
        *mem16(0x60 * 4 + 2) = 0;
        idt_set(0x41, idt_default(0x41, ACC_INT32 | ACC_DPL3));
        all(0);
        write_cr4(read_cr4() | CR4_VME | CR4_PVI);
        all(0);
        pvi("pvi sti", pvi_sti, 0);
        pvi("pvi sti, vip", pvi_sti, FL_VIP);
        pvi("pvi cli", pvi_cli, FL_VIF);
        write_cr4(read_cr4() & ~CR4_PVI);
        pvi("no pvi", pvi_sti, 0);
}
