/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smoke.c - the framework itself: every kind of run starts and ends.
 */
#include "guest.h"

CODE(nothing, "");
CODE(divide, "nop\n div ecx");
CODE(add, "add eax, ebx\n adc ecx, edx\n push eax\n pop esi");
CODE16(low_nothing, "mov ax, 0x1234");
CODE16(low_divide, "nop\n xor cx, cx\n div cx");
CODE(privileged, "cli");

void guest_main(void)
{
        print("guest: smoke %d %u %x %X %s%c %04x\n", -5, 17u, 0xabcu, 0x12u, "str", '!', 0x5u);
        try("ring 0", nothing);
        try("ring 0 fault", divide);
        context_init(add);
        ctx.eax = 0xffffffff;
        ctx.ebx = 1;
        ctx.edx = 5;
        run();
        report("registers");
        print("eax=%x ecx=%x esi=%x esp ok=%d\n", ctx.eax, ctx.ecx, ctx.esi, ctx.esp == STACK_TOP);
        try_user("ring 3", nothing);
        try_user("ring 3 fault", divide);
        try_user("ring 3 cli", privileged);
        context_init_v86(low_nothing, 3);
        run();
        report("v86");
        print("eax=%x\n", ctx.eax);
        context_init_v86(low_divide, 3);
        run();
        report("v86 fault");
        context_init_real(low_nothing);
        run_real();
        report("real");
        print("eax=%x sp=%x\n", ctx.eax, ctx.esp);
        context_init_real(low_divide);
        run_real();
        report("real fault");
        paging_on();
        try("paging", nothing);
        try_user("paging, ring 3", nothing);
        paging_off();
}
