/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * precise.c - precise state at a page fault in the middle of straight-line code: every register and
 * every arithmetic flag is as the instructions before left it, for each access of a long block.
 */
#include "guest.h"

/* Each step changes flags and registers, then touches [ebp]; the fault is taken at the step whose
 * page is absent, the state printed, and the page made present for the steps after it. */
#define T(n) "mov dword ptr [ebp+" #n "*4096], eax\n"
#define L(n) "mov esi, [ebp+" #n "*4096]\n"
CODE(block,
     "add eax, ecx\n" L(0)
     "adc ebx, edx\n" T(1)
     "sub ecx, 0x12345\n" L(2)
     "inc edx\n" T(3)
     "neg eax\n" L(4)
     "shl ebx, 3\n" "add edx, [ebp+5*4096]\n"
     "imul ecx, edx, 77\n" "cmp eax, eax\n" "xor [ebp+6*4096], ebx\n"
     "stc\n" "push dword ptr [ebp+7*4096]\n" "pop edi\n"
     "std\n" "dec ebx\n" "test byte ptr [ebp+8*4096], 0xff\n" "cld\n"
     "lea eax, [eax+ebx*2+7]\n" "sahf\n" "xchg eax, [ebp+9*4096]\n"
     "bt ecx, 3\n" "cmovc edx, [ebp+10*4096]\n"
     "cmp ecx, edx\n" "setl [ebp+11*4096]\n"
     "xor eax, eax\n" "sub eax, 1\n" "movzx edi, byte ptr [ebp+12*4096]\n"
     "clc\n" "rcr ecx, 1\n" "cmpxchg [ebp+13*4096], ecx\n"
     "bsf ebx, ecx\n" "add bl, 0x7f\n" "mov ah, [ebp+14*4096]\n"
     "mul ecx\n" "or [ebp+15*4096], dl\n");

static bool trace_fault(struct context *f)
{
        u32 index = (f->cr2 - ARENA) >> 12;

        /* Flags an instruction leaves undefined are not compared. */
        u32 defined = FL_ARITH | FL_DF;

        if (index == 5)         /* SHL by 3 */
                defined &= ~(u32)(FL_OF | FL_AF);
        if (index == 7)         /* XOR */
                defined &= ~(u32)FL_AF;
        if (index == 10)        /* BT */
                defined = FL_CF | FL_ZF | FL_DF;
        if (index == 15)        /* MUL */
                defined = FL_CF | FL_OF | FL_DF;
        print("%u: +%x err=%x %X %X %X %X %X %X fl=%x\n", index, f->eip - (u32)block, f->error & ~2u, f->eax, f->ecx, f->edx, f->ebx,
              f->esi, f->edi, f->eflags & defined);
        page_map(ARENA + (index << 12), ARENA + (index << 12), PTE_ALL);
        return true;
}

void guest_main(void)
{
        print("guest: precise\n");
        paging_on();
        for (unsigned user = 0; user < 2; user++) {
                for (unsigned i = 0; i < 16; i++) {
                        page_map(ARENA + (i << 12), ARENA + (i << 12), PTE_ALL);
                        *mem32(ARENA + (i << 12)) = 0x01010101u * (i + 0x70);
                        page_map(ARENA + (i << 12), 0, 0);
                }
                hooks[14] = trace_fault;
                if (user)
                        context_init_user(block);
                else
                        context_init(block);
                ctx.eax = 0x87654321;
                ctx.ecx = 0x9abcdef0;
                ctx.edx = 0x7fffffff;
                ctx.ebx = 0x80000001;
                ctx.ebp = ARENA;
                ctx.esp = user ? USER_STACK_TOP - 64 : STACK_TOP - 64;
                run();
                hooks[14] = NULL;
                report("end");
                print("%X %X %X %X %X\n", ctx.eax, ctx.ecx, ctx.edx, ctx.ebx, ctx.edi);
        }
}
