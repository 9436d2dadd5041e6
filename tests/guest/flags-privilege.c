/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flags-privilege.c - CLI, STI, PUSHF, POPF and IRET at every IOPL and CPL: which flags change, which
 * are kept silently, which fault (SDM 2 "POPF" tables 4-16, "CLI", "STI").
 */
#include "guest.h"

CODE(t_cli, "cli\n pushfd\n pop eax");
CODE(t_sti, "sti\n nop\n cli");
CODE(t_popf_all, "push 0x003f7ed7\n and dword ptr [esp], 0xffffbeff\n popfd\n pushfd\n pop eax\n push 2\n popfd");
CODE(t_popf_none, "push 0\n popfd\n pushfd\n pop eax");
CODE(t_popfw, "push 0x0ed5\n popfw\n pushfd\n pop eax\n add esp, 2");
CODE(t_pushfw, "push -1\n pushfw\n pop eax");
CODE(t_iret_flags, "push 0x00243ed7\n push eax\n push ebx\n iretd");
CODE(t_after, "pushfd\n pop eax");
CODE(t_sahf, "mov ah, 0xff\n sahf\n lahf\n pushfd\n pop ebx");
CODE(t_sahf0, "stc\n mov ah, 0\n sahf\n lahf");
CODE(t_std, "std\n pushfd\n cld\n pop eax\n cmc\n pushfd\n pop ebx");

static void go(const char *name, const void *code, u32 flags, bool user)
{
        if (user)
                context_init_user(code);
        else
                context_init(code);
        ctx.eflags = flags | 2;
        ctx.ebx = (u32)t_after;
        if (code == t_iret_flags)
                ctx.eax = user ? SEL_UCODE : SEL_CODE;
        run();
        report(name);
        if (ctx.vector == VECTOR_DONE)
                print("  eax=%x\n", ctx.eax);
}

void guest_main(void)
{
        print("guest: flags-privilege\n");
        for (unsigned iopl = 0; iopl < 4; iopl += 3) {
                print("IOPL %u\n", iopl);
                go("ring 0 cli", t_cli, iopl << 12, false);
                go("ring 0 popf all", t_popf_all, iopl << 12, false);
                go("ring 0 popf none", t_popf_none, iopl << 12, false);
                go("ring 0 popfw", t_popfw, iopl << 12, false);
                go("ring 3 cli", t_cli, iopl << 12, true);
                go("ring 3 sti", t_sti, iopl << 12, true);
                go("ring 3 popf all", t_popf_all, iopl << 12, true);
                go("ring 3 popf none", t_popf_none, iopl << 12 | FL_IF, true);
                go("ring 3 popfw", t_popfw, iopl << 12, true);
                go("ring 3 iret", t_iret_flags, iopl << 12, true);
        }
        go("ring 0 iret", t_iret_flags, 0, false);
        go("pushfw", t_pushfw, FL_ARITH, false);
        go("sahf", t_sahf, 0, false);
        print("  ah=%x ebx=%x\n", ctx.eax >> 8 & 0xff, ctx.ebx);
        go("sahf 0", t_sahf0, FL_OF, false);
        go("std cmc", t_std, 0, false);
        print("  ebx=%x\n", ctx.ebx);
}
