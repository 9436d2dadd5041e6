/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * far-transfers.c - far JMP, CALL and RET between 16- and 32-bit code segments, conforming segments,
 * and the checks of SDM 3A 5.8 with error codes.
 */
#include "guest.h"

/* A 16-bit code segment whose base is .low's, offset 0 is `low_base`. */
CODE16(low16, "nop");

CODE(jmp_far, "jmp far ptr [esi]");
CODE(call_far, "call far ptr [esi]\n mov ecx, 77");
CODE(call_far16, "data16 call far ptr [esi]\n mov ecx, 77");
CODE(ret_far, "push eax\n push ebx\n retf");
CODE(ret_far_n, "push 1\n push 2\n push eax\n push ebx\n retf 8");
CODE(iret_same, "pushfd\n push eax\n push ebx\n iretd");
CODE(target32, "mov edx, cs\n mov ebx, esp");
CODE(target32_ret, "mov edx, cs\n mov edi, esp\n mov ebp, [esp]\n retf");
CODE16(target16, "mov dx, cs\n mov ebx, 0x12345678\n mov ecx, esp");
/* Called from 32-bit code with a 32-bit frame: returns with a 32-bit RETF. */
CODE16(target16_ret32, "mov dx, cs\n mov ebx, 0x12345678\n mov edi, esp\n .byte 0x66\n retf");
CODE16(target16_ret16, "mov dx, cs\n mov ebx, 0x12345678\n mov edi, esp\n retf");

struct far32 { u32 offset; u16 selector; } __attribute__((packed));
struct far16 { u16 offset; u16 selector; } __attribute__((packed));
static struct far32 pointer32;
static struct far16 pointer16;

static void transfer(const char *name, const void *code, u32 offset, u16 selector, bool user)
{
        pointer32 = (struct far32) { offset, selector };
        pointer16 = (struct far16) { (u16)offset, selector };
        if (user)
                context_init_user(code);
        else
                context_init(code);
        ctx.esi = code == call_far16 ? (u32)&pointer16 : (u32)&pointer32;
        ctx.eax = selector;
        ctx.ebx = offset;
        run();
        report(name);
}

static void show(void)
{
        print("  cs=%x edx=%x ebx=%x ecx=%x esp=-%x edi=-%x\n", ctx.cs, ctx.edx & 0xffff, ctx.ebx, ctx.ecx, STACK_TOP - ctx.esp,
              STACK_TOP - ctx.edi);
}

#define T32 ((u32)target32)

void guest_main(void)
{
        enum { F = SEL_FREE, N = 0x1000 };

        print("guest: far-transfers\n");
        ctx_start = 0;
        /* A readable 16-bit code segment with base 0 covers .low: SEL_CODE16. */
        transfer("jmp 16", jmp_far, (u32)target16, SEL_CODE16, false);
        print("  cs=%x edx=%x ebx=%x\n", ctx.cs, ctx.edx, ctx.ebx);
        transfer("call 16, return 32", call_far, (u32)target16_ret32, SEL_CODE16, false);
        show();
        /* With o16 the return address is 16 bits wide and the snippet is above 64 KiB: a 16-bit RETF
         * leads to its low 16 bits; so the target ends the run instead. */
        transfer("call o16", call_far16, (u32)target16, SEL_CODE16, false);
        print("  cs=%x ecx=-%x top=%x\n", ctx.cs, STACK_TOP - ctx.ecx, *mem16(STACK_TOP - 2));
        check("  pushed ip", *mem16(STACK_TOP - 4) == (u16)((u32)call_far16 + 3));
        transfer("retf 16", ret_far, (u32)target16, SEL_CODE16, false);
        print("  cs=%x esp=-%x\n", ctx.cs, STACK_TOP - ctx.esp);
        transfer("call 32", call_far, (u32)target32_ret, SEL_CODE, false);
        print("  edi=-%x ecx=%x", STACK_TOP - ctx.edi, ctx.ecx);
        check(" ebp", ctx.ebp == (u32)call_far + 2);
        ctx_start = T32;
        transfer("retf 8", ret_far_n, (u32)target32, SEL_CODE, false);
        print("  esp=-%x\n", STACK_TOP - ctx.esp);

        transfer("jmp null", jmp_far, T32, 0, false);
        transfer("jmp past the GDT", jmp_far, T32, N, false);
        transfer("jmp to data", jmp_far, T32, SEL_DATA, false);
        transfer("jmp RPL 3", jmp_far, T32, SEL_CODE | 3, false);
        transfer("jmp DPL 3", jmp_far, T32, SEL_UCODE & ~3u, false);
        transfer("call null", call_far, T32, 0, false);
        transfer("call to data", call_far, T32, SEL_DATA, false);
        transfer("retf null", ret_far, T32, 0, false);
        transfer("retf to data", ret_far, T32, SEL_DATA, false);
        transfer("retf DPL 3, RPL 0", ret_far, T32, SEL_UCODE & ~3u, false);
        transfer("iret null", iret_same, T32, 0, false);
        transfer("iret to data", iret_same, T32, SEL_DATA, false);
        gdt_set(F, descriptor(0, 0xfffff, ACC_CODE & ~ACC_P, SEG_32));
        transfer("jmp not present", jmp_far, T32, F, false);
        transfer("call not present", call_far, T32, F, false);
        transfer("retf not present", ret_far, T32, F, false);
        transfer("iret not present", iret_same, T32, F, false);
        transfer("jmp not present, from ring 3: privilege first", jmp_far, T32, F, true);
        gdt_set(F, descriptor(T32, 0xff, ACC_CODE, SEG_DB));
        transfer("jmp past the limit", jmp_far, 0x100, F, false);
        transfer("jmp in the limit", jmp_far, 0, F, false);
        print("  cs=%x\n", ctx.cs);

        transfer("ring 3 jmp to ring 0", jmp_far, T32, SEL_CODE, true);
        transfer("ring 3 retf to ring 0", ret_far, T32, SEL_CODE, true);
        transfer("ring 3 iret to ring 0", iret_same, T32, SEL_CODE, true);
        transfer("ring 3 jmp RPL 0, DPL 3", jmp_far, T32, SEL_UCODE & ~3u, true);
        print("  cs=%x\n", ctx.cs);
        gdt_set(F, descriptor(0, 0xfffff, ACC_CODE_CONFORMING, SEG_32));
        transfer("ring 3 jmp to conforming DPL 0", jmp_far, T32, F, true);
        print("  cs=%x edx=%x\n", ctx.cs, ctx.edx & 0xffff);
        transfer("ring 3 call to conforming DPL 0", call_far, (u32)target32_ret, F, true);
        print("  cs=%x edx=%x ecx=%x\n", ctx.cs, ctx.edx & 0xffff, ctx.ecx);
        transfer("ring 0 jmp to conforming DPL 0", jmp_far, T32, F, false);
        print("  cs=%x\n", ctx.cs);
        gdt_set(F, descriptor(0, 0xfffff, ACC_CODE_CONFORMING | ACC_DPL3, SEG_32));
        transfer("ring 0 jmp to conforming DPL 3", jmp_far, T32, F, false);
        gdt_set(F, descriptor(0, 0xfffff, ACC_CODE & ~1, SEG_32));
        transfer("accessed bit of code", jmp_far, T32, F, false);
        print("  access=%x\n", (u32)(gdt[F >> 3] >> 40) & 0xff);
}
