/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * code16.c - protected mode with 16-bit code and stack segments (T4): operand and address sizes, SP
 * against ESP, wrap of SP, IP truncation, in rings 0 and 3.
 */
#include "guest.h"

CODE16(push_pop, "push ax\n push bx\n pop cx\n pop dx\n push eax\n pop esi");
CODE16(esp_upper, "push ax\n mov ecx, esp\n pop ax");
CODE16(calls, "call 1f\n jmp 2f\n 1: mov bp, sp\n mov bx, [bp]\n ret\n 2: mov cx, sp");
CODE16(calls32, "and esp, 0xffff\n .byte 0x66, 0xe8\n .long 1f - . - 4\n jmp 2f\n 1: mov ebx, [esp]\n .byte 0x66\n ret\n 2: mov cx, sp");
CODE16(jump_truncates, "mov eax, offset 1f\n or eax, 0x10000\n jmp ax\n 1: mov bx, 5\n xor eax, eax");
CODE16(ops, "mov ax, 0xffff\n inc ax\n mov ecx, 0xffffffff\n inc ecx\n mov bx, 0x1234\n movzx edx, bx\n cwd\n cbw");
CODE16(addressing, "mov bx, 0x7400\n mov si, 0x10\n mov word ptr [bx+si+4], 0x4242\n mov ecx, 0x7414\n mov ax, [ecx]");
CODE16(leave_, "mov ebp, 0x12346f00\n mov word ptr [0x6f00], 0x1357\n leave\n mov cx, sp\n mov edx, ebp\n mov sp, 0x7000");
CODE16(wrap, "xor sp, sp\n push 0x1234\n mov cx, sp\n pop dx\n mov bx, sp\n mov sp, 0x7000");
CODE16(pushf16, "stc\n pushf\n pop ax\n pushfd\n pop ebx");
CODE16(pop_esp, "push esp\n pop ecx\n push sp\n pop dx");
CODE(stack16_code32, "push eax\n mov ecx, esp\n push bx\n mov edx, esp\n pop bx\n pop esi\n call 1f\n 1: pop edi\n mov esp, 0x7000");

static void go(const char *name, const void *code, u16 cs, u16 ss, u32 esp, bool user)
{
        context_init(code);
        ctx.cs = cs | (user ? 3 : 0);
        ctx.ss = ss | (user ? 3 : 0);
        ctx.ds = ctx.es = user ? SEL_UDATA : SEL_DATA;
        ctx.esp = esp;
        ctx.eax = 0x11112222;
        ctx.ebx = 0x33334444;
        run();
        report(name);
        /* IRET to a 16-bit stack leaves the handler's upper half of ESP behind. */
        if (user) {
                ctx.ecx &= 0xffff;
                ctx.edx &= 0xffff;
        }
        print("  ax=%x bx=%x cx=%x dx=%x si=%x di=%x\n", ctx.eax, ctx.ebx & (code == calls || code == calls32 ? 0 : ~0u),
              ctx.ecx, ctx.edx, ctx.esi, code == stack16_code32 ? ctx.edi - (u32)code : ctx.edi);
}

void guest_main(void)
{
        enum { C = SEL_FREE, S = SEL_FREE + 8, W = SEL_FREE + 16 };

        print("guest: code16\n");
        for (unsigned user = 0; user < 2; user++) {
                u8 dpl = user ? ACC_DPL3 : 0;

                print("ring %u\n", user * 3);
                gdt_set(C, descriptor(0, 0xffff, ACC_CODE | dpl, 0));
                gdt_set(S, descriptor(0, 0xffff, ACC_DATA | dpl, 0));
                gdt_set(W, descriptor(0x20000, 0xffff, ACC_DATA | dpl, 0));
                go("push and pop", push_pop, C, S, 0x7000, user);
                go("call", calls, C, S, 0x7000, user);
                go("call o32", calls32, C, S, 0x7000, user);
                go("jmp r16 truncates", jump_truncates, C, S, 0x7000, user);
                go("operations", ops, C, S, 0x7000, user);
                go("addressing", addressing, C, S, 0x7000, user);
                go("leave", leave_, C, S, 0x7000, user);
                go("sp wraps", wrap, C, W, 0x7000, user);
                go("pushf", pushf16, C, S, 0x7000, user);
                go("push esp", pop_esp, C, S, 0x7000, user);
                go("32-bit code, 16-bit stack", stack16_code32, user ? SEL_UCODE : SEL_CODE, S, 0x7000, user);
                go("upper half of esp", esp_upper, C, S, 0xabcd7000, user);
                check("  kept", user ? (ctx.esp & 0xffff) == 0x7000 : ctx.esp == 0xabcd7000);
                go("16-bit code, 32-bit stack", esp_upper, C, user ? SEL_UDATA : SEL_DATA, 0x7000, user);
        }
}
