/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * v86.c - virtual-8086 mode: entry by IRET, what faults at IOPL 0 and what runs at IOPL 3, the frame an
 * interrupt pushes, segment arithmetic and limits (SDM 3A 20.2, 20.3).
 */
#include "guest.h"

CODE16(v_int, "int 0x21\n nop");
CODE16(v_int3, "int3\n nop");
CODE16(v_into, "mov al, 0x7f\n inc al\n into");
CODE16(v_pushf, "pushf\n pop ax");
CODE16(v_pushfd, "pushfd\n pop eax");
CODE16(v_popf, "push 0x3ed7\n popf\n pushf\n pop ax");
CODE16(v_popfd, "push 0\n push 0x3ed7\n popfd\n pushfd\n pop eax\n");
CODE16(v_cli, "cli\n pushf\n pop ax");
CODE16(v_sti, "sti\n nop\n pushf\n pop ax");
CODE16(v_iret, "push 0x0002\n push cs\n push bx\n iret");
CODE16(v_after, "mov cx, 0x4321");
CODE16(v_hlt, "hlt");
CODE16(v_mov_cr, "mov eax, cr0");
CODE16(v_segments, "mov ax, 0x1234\n mov es, ax\n mov fs, ax\n mov dx, es\n push es\n pop gs");
CODE16(v_address, "mov bx, 0xfff0\n mov ax, 0xffff\n mov ds, ax\n mov ax, [bx+0x22]\n mov cx, ds:[bx+0x20]");
CODE16(v_limit8, "mov bx, 0xffff\n mov al, [bx]");
CODE16(v_lgdt, "lgdt [0]");
CODE16(v_sgdt, "sgdt [0x7800]\n nop");
CODE16(v_ud, "ud2");

static void go(const char *name, const void *code, unsigned iopl)
{
        context_init_v86(code, iopl);
        ctx.ebx = (u32)v_after;
        run();
        report(name);
        if (ctx.vector == VECTOR_DONE)
                print("  eax=%x ecx=%x edx=%x sp=%x flags=%x\n", ctx.eax, ctx.ecx, ctx.edx, ctx.esp, ctx.eflags & ~FL_ARITH);
}

void guest_main(void)
{
        print("guest: v86\n");
        idt_set(3, idt_default(3, ACC_INT32 | ACC_DPL3));
        idt_set(0x21, idt_default(0x21, ACC_INT32 | ACC_DPL3));
        for (unsigned iopl = 0; iopl < 4; iopl += 3) {
                print("IOPL %u\n", iopl);
                go("int 21h", v_int, iopl);
                go("int3", v_int3, iopl);
                go("into", v_into, iopl);
                go("pushf", v_pushf, iopl);
                go("pushfd", v_pushfd, iopl);
                go("popf", v_popf, iopl);
                go("popfd", v_popfd, iopl);
                go("cli", v_cli, iopl);
                go("sti", v_sti, iopl);
                go("iret", v_iret, iopl);
                go("hlt", v_hlt, iopl);
                go("mov cr", v_mov_cr, iopl);
                go("lgdt", v_lgdt, iopl);
                go("sgdt", v_sgdt, 3);
        }
        idt_set(0x21, idt_default(0x21, ACC_INT32));
        go("int 21h, gate of ring 0", v_int, 3);
        go("ud2", v_ud, 3);
        go("segments", v_segments, 3);
        print("  es=%x fs=%x gs=%x ds=%x ss=%x cs=%x\n", ctx.es, ctx.fs, ctx.gs, ctx.ds, ctx.ss, ctx.cs);
        go("ffff:0000 and above 1 MiB", v_address, 3);
        go("byte at ffffh", v_limit8, 3);

        idt_set(0x21, gate(SEL_FREE, 0, ACC_INT32 | ACC_DPL3, 0));
        gdt_set(SEL_FREE, descriptor(0, 0xfffff, ACC_CODE | ACC_DPL1, SEG_32));
        go("int 21h to a handler not in ring 0", v_int, 3);
}
