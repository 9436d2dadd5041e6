/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ud-modes.c - instructions that exist in protected mode only raise #UD in real and virtual-8086 mode.
 */
#include "guest.h"

CODE16(t_arpl, "arpl ax, bx");
CODE16(t_lar, "lar ax, bx");
CODE16(t_lsl, "lsl ax, bx");
CODE16(t_verr, "verr ax");
CODE16(t_verw, "verw ax");
CODE16(t_sldt, "sldt ax");
CODE16(t_str, "str ax");
CODE16(t_lldt, "lldt ax");
CODE16(t_ltr, "ltr ax");
CODE16(t_smsw, "smsw ax");
CODE16(t_ud2, "ud2");
CODE16(t_lock, ".byte 0xf0, 0x90");
CODE16(t_clts, "clts");

static void both(const char *name, const void *code)
{
        context_init_real(code);
        run_real();
        print("real ");
        report(name);
        context_init_v86(code, 3);
        run();
        print("v86 ");
        report(name);
}

void guest_main(void)
{
        print("guest: ud-modes\n");
        both("arpl", t_arpl);
        both("lar", t_lar);
        both("lsl", t_lsl);
        both("verr", t_verr);
        both("verw", t_verw);
        both("sldt", t_sldt);
        both("str", t_str);
        both("lldt", t_lldt);
        both("ltr", t_ltr);
        both("smsw", t_smsw);
        print("PE=%u\n", ctx.eax & 1);
        both("ud2", t_ud2);
        both("lock nop", t_lock);
        both("clts", t_clts);
}
