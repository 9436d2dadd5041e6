/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * real-mode-limits.c - the 64 KiB limit in real mode: #GP and #SS without error codes, code running
 * off the end.  QEMU 7.2 checks no limits: not run there.
 */
#include "guest.h"

CODE16(r_word, "mov bx, 0xffff\n mov ax, [bx]");
CODE16(r_word_ss, "mov bp, 0xffff\n mov ax, [bp]");
CODE16(r_address32, "mov ebx, 0x10000\n mov al, [ebx]");
CODE16(r_jump_out, ".byte 0x66, 0xe9\n .long 0x10000");
CODE16(r_byte, "mov bx, 0xffff\n mov al, [bx]");

static void go(const char *name, const void *code)
{
        context_init_real(code);
        run_real();
        print("%s: vector %x +%x\n", name, ctx.vector, ctx.eip - ctx_start);
}

void guest_main(void)
{
        print("guest: real-mode-limits\n");
        go("word at ffffh", r_word);
        go("word at ffffh through bp", r_word_ss);
        go("32-bit address", r_address32);
        go("jump to 64 KiB", r_jump_out);
        go("byte at ffffh", r_byte);
}
