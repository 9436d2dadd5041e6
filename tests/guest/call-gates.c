/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call-gates.c - 32- and 16-bit call gates: the stack switch of rings 3, 1 and 0 with copied
 * parameters, RETF n to an outer ring and what it does to segments, and the errors (SDM 3A 5.8.3-5.8.6).
 */
#include "guest.h"

CODE(call_gate, "push 0x11111111\n push 0x22222222\n push 0x33333333\n call fword ptr gate_pointer\n mov ecx, 99");
CODE(call_gate_short, "push 0x11111111\n call fword ptr gate_pointer\n mov ecx, 99");
CODE(jmp_gate, "jmp fword ptr gate_pointer");
/* Gate targets. */
CODE(inner_look, "mov ebx, [esp]\n mov ecx, [esp+4]\n mov esi, [esp+8]\n mov edi, [esp+12]\n mov ebp, [esp+16]\n"
                 "mov edx, [esp+20]\n mov eax, cs");
CODE(inner_return, "mov eax, cs\n mov edx, ss\n retf 8");
CODE(inner_return_segments, "mov eax, 0x10\n mov fs, eax\n mov eax, 0x23\n mov gs, eax\n retf 8");
CODE(inner_return16, "mov eax, cs\n mov edx, ss\n data16 retf 4");
CODE(ret_outer, "push eax\n push edx\n push ecx\n push ebx\n retf");

struct { u32 offset; u16 selector; } __attribute__((packed)) gate_pointer;

static u8 inner_stack[1024];
#define INNER_TOP ((u32)inner_stack + sizeof inner_stack)

static void call(const char *name, const void *code, u16 selector, bool user)
{
        gate_pointer.offset = 0xffffffff;       /* ignored */
        gate_pointer.selector = selector;
        if (user)
                context_init_user(code);
        else
                context_init(code);
        run();
        report(name);
}

void guest_main(void)
{
        enum { G = SEL_FREE, C1 = SEL_FREE + 8, D1 = SEL_FREE + 16, X = SEL_FREE + 24 };
        u32 top0 = tss.esp0;

        print("guest: call-gates\n");
        gdt_set(C1, descriptor(0, 0xfffff, ACC_CODE | ACC_DPL1, SEG_32));
        gdt_set(D1, descriptor(0, 0xfffff, ACC_DATA | ACC_DPL1, SEG_32));
        tss.ss1 = D1 | 1;
        tss.esp1 = INNER_TOP;

        gdt_set(G, gate(SEL_CODE, (u32)inner_look, ACC_CALL32 | ACC_DPL3, 2));
        call("3 to 0", call_gate, G | 3, true);
        print("  cs=%x parameters %x %x, old ss=%x old cs=%x frame=%u\n", ctx.cs, ctx.esi, ctx.edi, ctx.edx, ctx.ecx,
              top0 - ctx.esp);
        check("  old esp", ctx.ebp == USER_STACK_TOP - 12);
        check("  return address", ctx.ebx == (u32)call_gate_end - 7);

        gdt_set(G, gate(C1 | 1, (u32)inner_look, ACC_CALL32 | ACC_DPL3, 2));
        call("3 to 1", call_gate, G | 3, true);
        print("  cs=%x ss=%x frame=%u old ss=%x\n", ctx.cs, ctx.ss, INNER_TOP - ctx.esp, ctx.edx);

        gdt_set(G, gate(SEL_CODE, (u32)inner_return, ACC_CALL32 | ACC_DPL3, 2));
        call("3 to 0 and back", call_gate, G | 3, true);
        print("  cs=%x ss=%x inside %x %x ecx=%u", ctx.cs, ctx.ss, ctx.eax, ctx.edx & 0xffff, ctx.ecx);
        check(" esp", ctx.esp == USER_STACK_TOP - 4);
        gdt_set(G, gate(SEL_CODE, (u32)inner_return_segments, ACC_CALL32 | ACC_DPL3, 2));
        call("return clears inner segments", call_gate, G | 3, true);
        print("  fs=%x gs=%x ds=%x\n", ctx.fs, ctx.gs, ctx.ds);

        gdt_set(G, gate(SEL_CODE, (u32)inner_return, ACC_CALL32, 2));
        call("0 to 0", call_gate, G, false);
        print("  cs=%x ecx=%u esp=-%x\n", ctx.cs, ctx.ecx, STACK_TOP - ctx.esp);

        gdt_set(G, gate(SEL_CODE, (u32)inner_look, ACC_CALL32 | ACC_DPL3, 1));
        call("jmp through a gate, same ring", jmp_gate, G, false);
        call("jmp through a gate, inner ring", jmp_gate, G | 3, true);

        gdt_set(G, gate(SEL_CODE, (u32)inner_look, ACC_CALL32, 1));
        call("gate DPL 0 from ring 3", call_gate, G | 3, true);
        gdt_set(G, gate(SEL_CODE, (u32)inner_look, ACC_CALL32 | ACC_DPL1, 1));
        call("gate DPL 1 with RPL 3", call_gate, G | 3, false);
        gdt_set(G, gate(SEL_CODE, (u32)inner_look, (ACC_CALL32 | ACC_DPL3) & ~ACC_P, 1));
        call("gate not present", call_gate, G | 3, true);
        gdt_set(G, gate(0, (u32)inner_look, ACC_CALL32 | ACC_DPL3, 1));
        call("gate with null selector", call_gate, G | 3, true);
        gdt_set(G, gate(SEL_DATA, (u32)inner_look, ACC_CALL32 | ACC_DPL3, 1));
        call("gate to data", call_gate, G | 3, true);
        gdt_set(G, gate(SEL_UCODE, (u32)inner_look, ACC_CALL32 | ACC_DPL3, 1));
        call("gate to an outer ring", call_gate, G, false);
        gdt_set(X, descriptor(0, 0xfffff, ACC_CODE & ~ACC_P, SEG_32));
        gdt_set(G, gate(X, (u32)inner_look, ACC_CALL32 | ACC_DPL3, 1));
        call("gate to code not present", call_gate, G | 3, true);
        gdt_set(X, descriptor((u32)inner_look, 0xf, ACC_CODE, SEG_DB));
        gdt_set(G, gate(X, 0x10, ACC_CALL32 | ACC_DPL3, 1));
        call("gate past the limit", call_gate, G | 3, true);

        gdt_set(G, gate(C1 | 1, (u32)inner_look, ACC_CALL32 | ACC_DPL3, 1));
        tss.ss1 = 0;
        call("TSS: null SS", call_gate, G | 3, true);
        tss.ss1 = D1;
        call("TSS: SS RPL 0", call_gate, G | 3, true);
        tss.ss1 = SEL_DATA | 1;
        call("TSS: SS DPL 0", call_gate, G | 3, true);
        tss.ss1 = C1 | 1;
        call("TSS: SS is code", call_gate, G | 3, true);
        tss.ss1 = 0x1001;
        call("TSS: SS past the GDT", call_gate, G | 3, true);
        gdt_set(D1, descriptor(0, 0xfffff, (ACC_DATA | ACC_DPL1) & ~ACC_P, SEG_32));
        tss.ss1 = D1 | 1;
        call("TSS: SS not present", call_gate, G | 3, true);

        /* 16-bit gate: words are pushed and copied. */
        gdt_set(D1, descriptor(0, 0xfffff, ACC_DATA | ACC_DPL1, SEG_32));
        gdt_set(G, gate(SEL_CODE, (u32)inner_look & 0xffff, ACC_CALL16 | ACC_DPL3, 2));
        gdt_set(X, descriptor((u32)inner_look & ~0xffffu, 0xffff, ACC_CODE, SEG_DB));
        gdt_set(G, gate(X, (u32)inner_look & 0xffff, ACC_CALL16 | ACC_DPL3, 2));
        call("16-bit gate", call_gate_short, G | 3, true);
        print("  cs=%x cs:ip=%x:%x parameters %x ss:sp=%x:%x frame=%u\n", ctx.cs, ctx.ebx >> 16,
              (ctx.ebx & 0xffff) - (((u32)call_gate_short_end - 7) & 0xffff), ctx.ecx, ctx.esi >> 16,
              (USER_STACK_TOP - ctx.esi) & 0xffff, top0 - ctx.esp);

        /* RETF from ring 0 to ring 3, and its checks. */
        context_init(ret_outer);
        ctx.eax = SEL_UDATA, ctx.edx = USER_STACK_TOP, ctx.ecx = SEL_UCODE, ctx.ebx = (u32)inner_look;
        run();
        report("retf to ring 3");
        print("  cs=%x ss=%x ds=%x es=%x\n", ctx.cs, ctx.ss, ctx.ds, ctx.es);
        context_init(ret_outer);
        ctx.eax = SEL_DATA, ctx.edx = USER_STACK_TOP, ctx.ecx = SEL_UCODE, ctx.ebx = (u32)inner_look;
        run();
        report("retf to ring 3, SS of ring 0");
        context_init(ret_outer);
        ctx.eax = 0, ctx.edx = USER_STACK_TOP, ctx.ecx = SEL_UCODE, ctx.ebx = (u32)inner_look;
        run();
        report("retf to ring 3, null SS");
        context_init(ret_outer);
        ctx.eax = SEL_UDATA, ctx.edx = USER_STACK_TOP, ctx.ecx = SEL_CODE | 3, ctx.ebx = (u32)inner_look;
        run();
        report("retf to ring 3, CS of ring 0");
}
