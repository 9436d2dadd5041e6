/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * v86-limits.c - the 64 KiB limit of virtual-8086 mode (SDM 3A 20.2.1): #GP(0) and #SS(0).  QEMU 7.2
 * checks no limits: not run there.
 */
#include "guest.h"

CODE16(v_word, "mov bx, 0xffff\n mov ax, [bx]");
CODE16(v_address32, "mov ebx, 0x10000\n mov al, [ebx]");
CODE16(v_stack_word, "mov bp, 0xffff\n mov ax, [bp]");
CODE16(v_pop, "mov sp, 0xffff\n pop ax");
CODE16(v_push, "mov sp, 1\n push ax");
CODE16(v_push_wrap, "mov sp, 0\n push ax\n mov bx, sp\n mov sp, 0x7000");
CODE16(v_dword, "mov bx, 0xfffc\n mov eax, [bx]\n inc bx\n mov eax, [bx]");

static void go(const char *name, const void *code)
{
        context_init_v86(code, 3);
        ctx.ss = 0x4000;
        run();
        report(name);
}

void guest_main(void)
{
        print("guest: v86-limits\n");
        go("word at ffffh", v_word);
        go("32-bit address past ffffh", v_address32);
        go("word at ffffh through bp", v_stack_word);
        go("pop at ffffh", v_pop);
        go("push at 1", v_push);
        go("push at 0 wraps", v_push_wrap);
        print("  sp=%x\n", ctx.ebx);
        go("dword at fffdh", v_dword);
}
