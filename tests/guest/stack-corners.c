/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stack-corners.c - PUSH and POP with ESP as operand or base, PUSHA and POPA, ENTER and LEAVE, RET n,
 * segment pushes, XCHG and arithmetic on ESP; with paging off and on.
 */
#include "guest.h"

CODE(push_esp, "push esp\n pop eax");
CODE(pop_esp, "push 0x1234\n mov ebx, esp\n push ebx\n pop esp\n mov eax, esp\n add esp, 4");
CODE(push_mem_esp, "push 0x11\n push 0x22\n push [esp+4]\n pop eax\n pop ebx\n pop ecx");
CODE(pop_mem_esp, "push 0x11\n push 0x22\n push 0x33\n pop dword ptr [esp]\n pop eax\n pop ebx");
CODE(pop_mem_esp4, "push 0x11\n push 0x22\n push 0x33\n pop dword ptr [esp+4]\n pop eax\n pop ebx");
CODE(push16, "push ax\n push bx\n pop ecx\n pushw 0x1234\n pushw [esp]\n pop edx");
CODE(push_imm8, "push -2\n pop eax\n pushw -3\n pop bx\n");
CODE(pusha_, "mov eax, 1\n mov ecx, 2\n mov edx, 3\n mov ebx, 4\n mov ebp, 5\n mov esi, 6\n mov edi, 7\n pushad\n"
             "mov eax, [esp+12]\n sub eax, esp\n mov [esp+28], eax\n mov dword ptr [esp+12], 0\n popad");
CODE(enter0, "mov ebp, 0x77\n enter 32, 0\n mov eax, ebp\n sub eax, esp\n mov ebx, [ebp]\n leave\n mov ecx, ebp");
CODE(enter1, "mov ebp, 0x77\n enter 8, 1\n mov eax, [ebp-4]\n sub eax, ebp\n mov ebx, ebp\n sub ebx, esp\n leave");
CODE(enter3, "push 0x1\n push 0x2\n push 0x3\n lea ebp, [esp+12]\n enter 16, 3\n mov eax, [ebp-4]\n mov ebx, [ebp-8]\n"
             "mov ecx, ebp\n sub ecx, [ebp-12]\n mov edx, ebp\n sub edx, esp\n leave\n add esp, 12");
CODE(enter_masks, "mov ebp, esp\n enter 0, 33\n mov ebx, ebp\n sub ebx, esp\n leave");
CODE(enterw, "mov ebp, esp\n mov bp, 0x77\n enterw 8, 0\n mov ax, bp\n sub ax, sp\n leavew\n movzx ecx, bp");
CODE(ret_n_large, "sub esp, 0x1000\n call 1f\n jmp 2f\n 1: ret 0x1000\n 2:");
CODE(call_esp_mem, "push offset 1f\n call [esp]\n 1: pop eax\n pop ebx\n sub eax, offset 1b\n sub ebx, offset 1b");
CODE(call_mem_esp, "push offset 1f\n call [esp]\n jmp 2f\n 1: mov ebx, 5\n ret\n 2: pop ecx\n xor ecx, ecx");
CODE(jmp_esp_mem, "push offset 1f\n jmp [esp]\n nop\n 1: add esp, 4\n mov eax, 3");
CODE(segments, "mov eax, -1\n push eax\n push eax\n pop ebx\n push ds\n pop ebx\n movzx ebx, bx\n push fs\n pop fs\n pushw es\n pop cx\n"
               "pop eax");
CODE(xchg_esp, "mov eax, offset snippet_stack + 256\n mov ebx, eax\n xchg eax, esp\n push 0x99\n xchg eax, esp\n sub eax, ebx\n"
               "mov ecx, [ebx-4]\n xor ebx, ebx");
CODE(esp_arith, "mov ebx, esp\n sub esp, 100\n and esp, -64\n lea ecx, [esp]\n add esp, 4\n sub esp, 4\n cmp ecx, esp\n setz al\n mov esp, ebx\n"
                "xor ebx, ebx\n xor ecx, ecx");
CODE(esp_index, "mov eax, 4\n push 0x55\n push 0x66\n mov ecx, [esp+eax]\n lea edx, [esp+eax*2]\n sub edx, esp\n pop ebx\n pop ebx\n");
CODE(mov_esp, "mov ebx, esp\n mov esp, offset snippet_stack + 512\n mov dword ptr [esp], 0x1357\n pop eax\n mov ecx, esp\n"
              "sub ecx, offset snippet_stack\n mov esp, ebx\n xor ebx, ebx");
CODE(inc_esp, "inc esp\n dec esp\n mov ecx, esp\n not esp\n not esp\n neg esp\n neg esp\n cmp ecx, esp\n setz al\n xor ecx, ecx");
CODE(flags_push, "mov eax, 0x8d5\n push eax\n popfd\n pushfd\n pop ebx\n pushfw\n pop cx");
CODE(bswap_esp, "mov ebx, esp\n bswap esp\n bswap esp\n cmp ebx, esp\n setz al\n xor ebx, ebx");
CODE(cmov_esp, "mov ebx, esp\n xor eax, eax\n mov ecx, offset snippet_stack + 64\n cmovnz esp, ecx\n cmp ebx, esp\n setz al\n test al, al\n"
               "cmovnz esp, ecx\n cmp esp, ecx\n setz ah\n mov esp, ebx\n xor ebx, ebx\n xor ecx, ecx");

static void go(const char *name, const void *code)
{
        context_init_user(code);
        ctx.eax = 0x11112222;
        ctx.ebx = 0x33334444;
        run();
        report(name);
        print("  eax=%x ebx=%x ecx=%x edx=%x esi=%x edi=%x esp=%d\n", ctx.eax, ctx.ebx, ctx.ecx, ctx.edx, ctx.esi, ctx.edi,
              (int)(ctx.esp - USER_STACK_TOP));
}

#define GO(code) go(#code, code)

void guest_main(void)
{
        print("guest: stack-corners\n");
        for (unsigned paged = 0; paged < 2; paged++) {
                if (paged)
                        paging_on();
                context_init_user(push_esp);
                run();
                report("push_esp");
                check("  old value", ctx.eax == USER_STACK_TOP);
                context_init_user(pop_esp);
                run();
                report("pop_esp");
                check("  popped value", ctx.eax == ctx.ebx);
                GO(push_mem_esp);
                GO(pop_mem_esp);
                GO(pop_mem_esp4);
                GO(push16);
                GO(push_imm8);
                GO(pusha_);
                GO(enter0);
                GO(enter1);
                GO(enter3);
                GO(enter_masks);
                GO(enterw);
                GO(ret_n_large);
                GO(call_esp_mem);
                GO(call_mem_esp);
                GO(jmp_esp_mem);
                GO(segments);
                GO(xchg_esp);
                GO(esp_arith);
                GO(esp_index);
                GO(mov_esp);
                GO(inc_esp);
                GO(flags_push);
                GO(bswap_esp);
                GO(cmov_esp);
        }
}
