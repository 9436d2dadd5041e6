/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stack-limits.c - #SS(0) from stack and EBP accesses past SS's limit, taken in ring 3 so that the
 * handler has a stack of its own.  QEMU 7.2 checks no limits: not run there.
 */
#include "guest.h"

CODE(push32, "push eax");
CODE(pop32, "pop eax");
CODE(pusha, "pushad");
CODE(ebp_access, "mov eax, [ebp]");
CODE(esp_access, "mov eax, [esp+4]");
CODE(ds_override, "mov eax, ds:[ebp]");
CODE(call_near, "call 1f\n 1:");
CODE(ret_near, "ret");
CODE(enter0, "enter 0, 0");
CODE(leave_, "leave");
CODE(push_memory, "push dword ptr [ebp]");

static void try_stack(const char *name, const void *code, u32 esp)
{
        context_init_user(code);
        ctx.ss = SEL_FREE | 3;
        ctx.esp = ctx.ebp = esp;
        run();
        report(name);
        if (ctx.esp != esp || ctx.ebp != esp)
                print("  esp=%x ebp=%x\n", ctx.esp, ctx.ebp);
}

void guest_main(void)
{
        print("guest: stack-limits\n");
        gdt_set(SEL_FREE, descriptor((u32)user_stack, 0xff, ACC_DATA | ACC_DPL3, SEG_DB));
        try_stack("push at the top", push32, 0x100);
        try_stack("push one too high", push32, 0x101);
        try_stack("push at 0", push32, 0);
        try_stack("pop at the top", pop32, 0x100);
        try_stack("pop, last", pop32, 0xfc);
        try_stack("pop, across", pop32, 0xfd);
        try_stack("pusha without room", pusha, 0x1c);
        try_stack("pusha with room", pusha, 0x20);
        try_stack("ebp", ebp_access, 0x100);
        try_stack("esp", esp_access, 0xfc);
        try_stack("ds:ebp", ds_override, 0x100);
        try_stack("call", call_near, 0);
        try_stack("ret", ret_near, 0x100);
        try_stack("enter", enter0, 2);
        try_stack("leave", leave_, 0x100);
        try_stack("push memory", push_memory, 0x100);
}
