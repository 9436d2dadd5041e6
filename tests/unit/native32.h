/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * native32.h - runs one 32-bit instruction on this computer's CPU, from a 64-bit test.
 *
 * Linux keeps a 32-bit code segment at selector 23h.  A page below 4 GiB holds a stub that jumps there, loads
 * general registers and flags, runs the instruction, stores them and jumps back.  EBP and ESP belong to the stub.
 */
#ifndef LODGER_TESTS_NATIVE32_H
#define LODGER_TESTS_NATIVE32_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* The offsets are in the stub. */
struct native32 {
        uint64_t saved_rsp;             /* 0 */
        uint32_t stack;                 /* 8 */
        uint32_t enter;                 /* 12: far pointer to the 32-bit part */
        uint16_t enter_cs;
        uint16_t leave_cs;              /* the far pointer back is at 20 */
        uint32_t leave;
        uint16_t leave_selector;        /* 24 */
        uint16_t pad;
        uint32_t flags;                 /* 28 */
        uint32_t eax, ecx, edx, ebx, esi, edi;  /* 32 ... 52 */
};

enum { NATIVE32_CS32 = 0x23, NATIVE32_CS64 = 0x33, NATIVE32_PAGE = 4096, NATIVE32_INSN_BYTES = 16 };

extern const uint8_t native32_begin[], native32_code32[], native32_insn[], native32_back[], native32_end[];

__asm__(
        ".pushsection .rodata\n"
        "native32_begin:\n"
        "       push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "       mov %rdi, %rbp\n"
        "       mov %rsp, 0(%rbp)\n"
        "       mov 8(%rbp), %esp\n"
        "       ljmp *12(%rbp)\n"
        ".code32\n"
        "native32_code32:\n"
        "       pushl 28(%ebp)\n"
        "       popf\n"
        "       mov 32(%ebp), %eax; mov 36(%ebp), %ecx; mov 40(%ebp), %edx\n"
        "       mov 44(%ebp), %ebx; mov 48(%ebp), %esi; mov 52(%ebp), %edi\n"
        "native32_insn:\n"
        "       .fill 16, 1, 0x90\n"
        "       pushf\n"
        "       popl 28(%ebp)\n"
        "       mov %eax, 32(%ebp); mov %ecx, 36(%ebp); mov %edx, 40(%ebp)\n"
        "       mov %ebx, 44(%ebp); mov %esi, 48(%ebp); mov %edi, 52(%ebp)\n"
        "       cld\n"
        "       ljmp *20(%ebp)\n"
        ".code64\n"
        "native32_back:\n"
        "       mov 0(%rbp), %rsp\n"
        "       pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "       ret\n"
        "native32_end:\n"
        ".popsection\n");

/* Code page, then a page of data and stack.  NULL when the system does not allow it. */
static uint8_t *native32_new(void)
{
        uint8_t *page = mmap(NULL, 2 * NATIVE32_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

        if (page == MAP_FAILED)
                return NULL;
        memcpy(page, native32_begin, (size_t)(native32_end - native32_begin));
        return page;
}

static struct native32 *native32_regs(uint8_t *page)
{
        return (struct native32 *)(page + NATIVE32_PAGE);
}

/* Runs the instruction with the registers and flags of native32_regs(). */
static void native32_run(uint8_t *page, const uint8_t *insn, unsigned length)
{
        uint8_t *at = page + (native32_insn - native32_begin);
        struct native32 *regs = native32_regs(page);
        void (*begin)(struct native32 *) = (void (*)(struct native32 *))(uintptr_t)page;

        memset(at, 0x90, NATIVE32_INSN_BYTES);
        memcpy(at, insn, length);
        regs->stack = (uint32_t)(uintptr_t)page + 2 * NATIVE32_PAGE;
        regs->enter = (uint32_t)(uintptr_t)page + (uint32_t)(native32_code32 - native32_begin);
        regs->enter_cs = NATIVE32_CS32;
        regs->leave = (uint32_t)(uintptr_t)page + (uint32_t)(native32_back - native32_begin);
        regs->leave_selector = NATIVE32_CS64;
        begin(regs);
}

#endif
