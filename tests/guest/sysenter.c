/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysenter.c - SYSENTER and SYSEXIT: the segments they make up, flags, and when they are refused.
 */
#include "guest.h"

CODE(enter_, "mov ecx, esp\n lea edx, 1f\n sysenter\n nop\n 1: mov eax, cs\n mov ebx, ss");
CODE(kernel, "mov eax, cs\n mov ebx, ss\n mov esi, esp\n pushfd\n pop edi");
CODE(kernel_exit, "mov esi, esp\n sysexit");
CODE(exit_, "sysexit");

void guest_main(void)
{
        u32 r[4];

        print("guest: sysenter\n");
        cpuid(1, 0, r);
        check("SEP", r[3] >> 11 & 1);
        wrmsr(0x174, 0);
        try_user("CS MSR zero", enter_);
        try("sysexit, CS MSR zero", exit_);
        wrmsr(0x174, SEL_CODE);
        wrmsr(0x175, STACK_TOP - 64);
        wrmsr(0x176, (u32)kernel);
        print("msrs %x\n", (u32)rdmsr(0x174));
        context_init_user(enter_);
        ctx.eflags |= FL_IF | FL_DF;
        run();
        ctx_start = (u32)kernel;
        report("sysenter");
        print("  cs=%x ss=%x esp=-%d flags=%x\n", ctx.eax, ctx.ebx, (int)(STACK_TOP - ctx.esi), ctx.edi & ~FL_ARITH);
        wrmsr(0x176, (u32)kernel_exit);
        context_init_user(enter_);
        run();
        report("there and back");
        print("  cs=%x ss=%x esp=%d\n", ctx.eax, ctx.ebx, (int)(ctx.esp - USER_STACK_TOP));
        try_user("sysexit in ring 3", exit_);
}
