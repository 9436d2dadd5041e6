/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loops.c - LOOP, LOOPE, LOOPNE, JECXZ with both address sizes, 16-bit addressing forms in 32-bit code,
 * branches with 66h, and branch displacements at their ends.
 */
#include "guest.h"

CODE(loop32, "mov ecx, 5\n 1: inc eax\n loop 1b");
CODE(loop16, "mov ecx, 0x10005\n 1: inc eax\n .byte 0x67\n loop 1b");
CODE(loop_zero16, "mov ecx, 0x30000\n 1: inc eax\n .byte 0x67\n loop 1b");
CODE(loope_, "mov ecx, 100\n 1: inc eax\n cmp eax, 7\n loopne 1b\n mov edx, ecx\n 2: inc ebx\n cmp ebx, ebx\n loope 2b");
CODE(loop_flags, "stc\n mov ecx, 3\n 1: loop 1b\n adc eax, 0");
CODE(jecxz_, "mov ecx, 0x10000\n jecxz 1f\n mov eax, 1\n 1: .byte 0x67\n jecxz 2f\n mov ebx, 1\n 2:");
CODE(far_apart, "jmp 1f\n 2: mov eax, 7\n jmp 3f\n .fill 300, 1, 0xcc\n 1: cmp eax, eax\n je 2b\n .fill 120, 1, 0xcc\n 3: mov ebx, 8");
CODE(addressing16, "mov ebx, 0x12347400\n mov esi, 0x56780010\n mov edi, 0x9abc0020\n mov ebp, 0xdef07400\n"
                   "mov dword ptr ds:[0x7410], 0x11\n mov dword ptr ds:[0x7420], 0x22\n mov dword ptr ds:[0x7404], 0x44\n"
                   "mov dword ptr ds:[0x7c10], 0x55\n"
                   "addr16 mov eax, [bx+si]\n addr16 add eax, [bx+di]\n addr16 mov ecx, [bp+si]\n addr16 mov edx, [bx+4]\n"
                   "addr16 add edx, [bx+si+0x800]\n addr16 add ecx, ds:[0x7420]\n addr16 lea esi, [bp+di-1]\n"
                   "mov ebp, 0xfff0\n mov ebx, 0xfff0\n mov edi, 0x7420\n addr16 mov di, [bx+di+0x10]\n movzx edi, di");
CODE(scaled, "mov ebx, 0x7400\n mov ecx, 2\n mov dword ptr ds:[0x7410], 0x99\n mov eax, [ebx+ecx*8]\n mov edx, [ecx*8+0x7400]\n"
             "lea esi, [ecx+ecx*4-7]\n lea edi, [ebx+0x7fffffff]\n mov ecx, 0xffffffff\n mov ebx, [ebx+ecx*8+0x18]");
CODE(wraps, "mov ebx, 0xffffff00\n mov dword ptr ds:[0x7410], 0x77\n mov eax, [ebx+0x7510]\n mov ecx, 0x80000000\n mov edx, [ecx*2+0x7410]");
CODE(setcc_all, "mov ecx, 0\n cmp ecx, 1\n setb al\n setl ah\n setbe bl\n setnz bh\n sets cl\n setp ch\n seto dl\n setnl dh");

static void go(const char *name, const void *code)
{
        context_init_user(code);
        run();
        report(name);
        print("  eax=%x ebx=%x ecx=%x edx=%x esi=%x edi=%x\n", ctx.eax, ctx.ebx, ctx.ecx, ctx.edx, ctx.esi, ctx.edi);
}

void guest_main(void)
{
        print("guest: loops\n");
        for (unsigned paged = 0; paged < 2; paged++) {
                if (paged)
                        paging_on();
                go("loop", loop32);
                go("loop 67h", loop16);
                go("loop 67h from 0", loop_zero16);
                go("loope", loope_);
                go("loop keeps flags", loop_flags);
                go("jecxz", jecxz_);
                go("far apart", far_apart);
                go("16-bit addresses", addressing16);
                go("scaled", scaled);
                go("wraps at 4 GiB", wraps);
                go("setcc", setcc_all);
        }
}
