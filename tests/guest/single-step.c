/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * single-step.c - T9: TF traps after each instruction, patched ones included; when it starts and what
 * suppresses it; DR6.BS (SDM 3B 18.3.1.4).
 */
#include "guest.h"

CODE(plain, "nop\n inc eax\n add eax, ebx\n mov ecx, [esp-4]\n jmp 1f\n nop\n 1: call 2f\n 2: pop edx\n push 0\n pop ecx\n cpuid\n"
            "mov eax, ds\n pushfd\n pop edx\n mov ecx, 3\n 3: loop 3b\n mov ecx, 3\n lea edi, [esp-64]\n rep stosb");
CODE(by_popf, "pushfd\n or dword ptr [esp], 0x100\n popfd\n nop\n inc eax\n nop");
CODE(mov_ss, "mov ecx, ss\n mov ss, ecx\n inc eax\n nop");
CODE(interrupt, "int 0x31\n nop");
CODE(handler, "nop\n inc ebx\n iretd");
CODE(fault, "nop\n ud2");
CODE(clears, "pushfd\n and dword ptr [esp], 0xfffffeff\n popfd\n nop\n nop\n nop");

static u32 steps;
static bool noisy;

static bool step(struct context *frame)
{
        u32 dr6;

        asm volatile("movl %%dr6, %0" : "=r"(dr6));
        asm volatile("movl %0, %%dr6" :: "r"(0xffff0ff0));
        steps++;
        if (noisy)
                print(" %x%s%s", frame->eip - ctx_start, dr6 & 0x4000 ? "" : " no BS", frame->eflags & FL_TF ? "" : " no TF");
        return true;
}

static void go(const char *name, const void *code, bool user, u32 flags)
{
        if (user)
                context_init_user(code);
        else
                context_init(code);
        ctx.eflags |= flags;
        steps = 0;
        print("%s:", name);
        run();
        print("\n");
        report(" end");
        print("  %u steps\n", steps);
}

void guest_main(void)
{
        print("guest: single-step\n");
        hooks[1] = step;
        noisy = true;
        go("plain", plain, false, FL_TF);
        go("ring 3", plain, true, FL_TF);
        go("popf", by_popf, false, 0);
        go("popf clears", clears, false, FL_TF);
        go("mov ss", mov_ss, false, FL_TF);
        go("fault", fault, false, FL_TF);
        idt_set(0x31, gate(SEL_CODE, (u32)handler, ACC_INT32, 0));
        go("int", interrupt, false, FL_TF);
        paging_on();
        go("ring 3, paging", plain, true, FL_TF);
}
