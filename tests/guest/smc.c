/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smc.c - T14: code that modifies itself.  Every store must be seen by the very next instruction that
 * executes the bytes (SDM 3A 8.1.3; a jump is executed where that section asks for one, and also
 * left out: all processors since the Pentium notice).
 */
#include "guest.h"

/* Changes the immediate of the next instruction of the same block. */
CODE(next_insn, "mov byte ptr smc_a + 1, 0x55\n jmp smc_a\n smc_a: mov eax, 0x11");
CODE(next_insn_nojump, "mov byte ptr smc_b + 1, 0x66\n smc_b: mov eax, 0x11");
CODE(later_insn, "mov ecx, 3\n 2: mov byte ptr smc_c + 1, cl\n smc_c: mov al, 0x11\n add ebx, eax\n loop 2b");
/* A loop that counts up its own immediate. */
CODE(counted, "mov ecx, 1000\n xor eax, eax\n 2: .byte 0x05\n smc_d: .long 1\n inc dword ptr smc_d\n dec ecx\n jnz 2b\n"
              "mov dword ptr smc_d, 1");
/* Stores of every kind over the code that follows. */
CODE(rep_over, "mov esi, offset smc_e\n mov edi, offset smc_f\n mov ecx, 5\n rep movsb\n smc_f: mov eax, 0x11111111\n"
               "jmp 5f\n smc_e: mov eax, 0x22222222\n 5:");
CODE(stos_over, "mov edi, offset smc_g\n mov al, 0x43\n mov ecx, 8\n rep stosb\n smc_g: .fill 8, 1, 0x90");
CODE(push_over, "mov edx, esp\n mov esp, offset smc_h + 4\n push 0x43434343\n smc_h: .fill 4, 1, 0x90\n mov esp, edx\n xor edx, edx");
CODE(call_over, "mov byte ptr smc_i, 0xc3\n call smc_i\n mov edx, 7\n jmp 5f\n smc_i: ud2\n 5:");
CODE(fst_over, "fninit\n fild qword ptr smc_k\n fistp qword ptr smc_j\n smc_j: .fill 8, 1, 0x90\n jmp 5f\n"
               "smc_k: .fill 8, 1, 0x43\n 5:");
CODE(xadd_over, "mov eax, 0x43434343 - 0x90909090\n lock xadd dword ptr smc_l, eax\n smc_l: .fill 4, 1, 0x90");
CODE(cmpxchg_over, "mov eax, 0x90909090\n mov ecx, 0x43434343\n cmpxchg dword ptr smc_m, ecx\n smc_m: .fill 4, 1, 0x90");

/* Data on the same page as the loop that changes it. */
CODE(hot, "mov dword ptr smc_n, 0\n mov ecx, 20000\n 1: add dword ptr smc_n, 3\n dec ecx\n jnz 1b\n mov eax, smc_n\n"
          "jmp 2f\n smc_n: .long 0\n 2:");

/* Puts back what a snippet changed. */
static u8 pristine[1024];

static const u8 function[] = { 0xb8, 1, 0, 0, 0, 0xc3 };

static u32 call(u32 address)
{
        u32 result;

        asm volatile("call *%1" : "=a"(result) : "r"(address) : "ecx", "edx", "memory");
        return result;
}

static void go(const char *name, const void *code)
{
        context_init(code);
        run();
        report(name);
        print("  eax=%x ebx=%x edx=%x\n", ctx.eax, ctx.ebx, ctx.edx);
}

static void functions(void)
{
        u32 sum = 0;

        for (u32 i = 0; i < 300; i++) {
                memcpy(mem8(ARENA), function, sizeof function);
                *mem32(ARENA + 1) = i;
                sum += call(ARENA);
        }
        print("rewritten function: %u\n", sum);
        sum = 0;
        for (u32 i = 0; i < 300; i++) {
                *mem8(ARENA + 1) = (u8)i;
                sum += call(ARENA);
        }
        print("one byte changed: %u\n", sum);
        /* Two functions on the page, one changed: the other goes on. */
        memcpy(mem8(ARENA + 0x100), function, sizeof function);
        sum = 0;
        for (u32 i = 0; i < 300; i++) {
                *mem32(ARENA + 1) = i;
                sum += call(ARENA) + call(ARENA + 0x100);
        }
        print("neighbour: %u\n", sum);
}

void guest_main(void)
{
        size_t bytes = (size_t)(hot_end - next_insn);

        print("guest: smc\n");
        check("snippets fit", bytes <= sizeof pristine);
        memcpy(pristine, next_insn, bytes);
        for (unsigned paged = 0; paged < 2; paged++) {
                print("paging %u\n", paged);
                memcpy(next_insn, pristine, bytes);
                if (paged)
                        paging_on();
                go("next instruction", next_insn);
                go("next instruction, no jump", next_insn_nojump);
                go("loop", later_insn);
                go("own immediate", counted);
                go("rep movsb over the next instruction", rep_over);
                go("rep stosb", stos_over);
                go("push", push_over);
                go("call", call_over);
                go("fistp", fst_over);
                go("lock xadd", xadd_over);
                go("cmpxchg", cmpxchg_over);
                go("data next to hot code", hot);
                functions();
        }

        /* Through an alias: linear 00A00000h is the same page as ARENA. */
        u32 alias = 0x00a00000, sum = 0;

        page_map(alias, ARENA, PTE_ALL);
        memcpy(mem8(ARENA), function, sizeof function);
        for (u32 i = 0; i < 300; i++) {
                *mem32(alias + 1) = i;
                sum += call(ARENA);
                *mem32(ARENA + 1) = i * 2;
                sum += call(alias);
        }
        print("alias: %u\n", sum);

        /* A function across a page end; stores to either page, and one spanning both. */
        u32 edge = ARENA + 0x1000;

        sum = 0;
        memcpy(mem8(edge - 3), function, sizeof function);
        for (u32 i = 0; i < 300; i++) {
                *mem8(edge - 2) = (u8)i;
                sum += call(edge - 3);
                *mem8(edge) = (u8)(i >> 1);
                sum += call(edge - 3);
                *mem32(edge - 2) = i << 8;
                sum += call(edge - 3);
        }
        print("across a page end: %u\n", sum);

        /* A write that spans a data page and a code page. */
        sum = 0;
        memcpy(mem8(edge), function, sizeof function);
        for (u32 i = 0; i < 300; i++) {
                *mem32(edge - 2) = 0xffff | (u32)0xb8 << 16 | i << 24;
                *mem8(edge + 1) = (u8)i;
                sum += call(edge);
        }
        print("data and code page in one store: %u\n", sum);

        /* Code pages written while mapped read-only elsewhere, then freed and used again. */
        sum = 0;
        for (u32 i = 0; i < 50; i++) {
                u32 page = ARENA + 0x10000 + (i % 7) * 0x1000;

                memset(mem8(page), 0x90, 0x1000);
                memcpy(mem8(page + 0x800), function, sizeof function);
                *mem8(page + 0x801) = (u8)i;
                page_map(alias, page, PTE_P);
                sum += call(alias);
                memset(mem8(page), 0xcc, 0x1000);
        }
        print("pages reused: %u\n", sum);
}
