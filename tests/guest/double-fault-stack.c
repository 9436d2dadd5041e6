/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * double-fault-stack.c - a page fault whose handler's stack is absent, and a handler that is: #PF
 * during #PF is a double fault, #PF during others is just that #PF (SDM 3A table 6-5).
 *
 * The double fault's handler needs a stack that works: the #DF gate leads to ring 0 from ring 1, the
 * only way without task gates, so the faulting code runs in ring 1 and the gate of #PF or #UD leads to
 * a handler in ring 1, on the bad stack.
 */
#include "guest.h"

CODE(pf, "nop\n mov eax, [ebx]");
CODE(ud, "nop\n ud2");
CODE(push_pf, "nop\n push eax");
CODE(never, "nop");

enum { C1 = SEL_FREE, D1 = SEL_FREE + 8 };

static void go(const char *name, const void *code, u32 esp)
{
        context_init(code);
        ctx.cs = C1 | 1;
        ctx.ss = ctx.ds = ctx.es = D1 | 1;
        ctx.ebx = ARENA + 0x3000;
        ctx.esp = esp;
        run();
        ctx.cr2 &= ~0xfffu;     /* in which order a frame is stored is not specified */
        report(name);
        print("  cs=%x esp=%x\n", ctx.cs, ctx.esp);
}

void guest_main(void)
{
        print("guest: double-fault-stack\n");
        gdt_set(C1, descriptor(0, 0xfffff, ACC_CODE | ACC_DPL1, SEG_32));
        gdt_set(D1, descriptor(0, 0xfffff, ACC_DATA | ACC_DPL1, SEG_32));
        paging_on();
        page_map(ARENA + 0x3000, 0, 0);

        go("plain #PF in ring 1", pf, ARENA + 0x3800);
        /* #PF and #UD are handled in ring 1 itself, without a stack switch. */
        u64 pf_gate = idt[14], ud_gate = idt[6];

        idt[14] = gate(C1, (u32)never, ACC_INT32, 0);
        go("#PF, its stack absent: #DF", pf, ARENA + 0x3800);
        go("push to an absent stack", push_pf, ARENA + 0x3800);
        idt[14] = pf_gate;
        idt[6] = gate(C1, (u32)never, ACC_INT32, 0);
        go("#UD, its stack absent: #PF", ud, ARENA + 0x3800);
        go("#UD, its frame crosses into an absent page", ud, ARENA + 0x4004);
        idt[6] = ud_gate;
}
