/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alignment-check.c - T3: #AC(0) in ring 3 with CR0.AM and EFLAGS.AC set, for every operand size; none
 * in ring 0, with either bit clear, for aligned or byte operands (SDM 3A 6.15 #AC table 6-7).
 * QEMU 7.2 has no #AC: not run there.
 */
#include "guest.h"

CODE(read16, "nop\n mov ax, [ebx]");
CODE(read32, "nop\n mov eax, [ebx]");
CODE(read8, "nop\n mov al, [ebx]");
CODE(write32, "nop\n mov [ebx], eax");
CODE(rmw32, "nop\n add [ebx], eax");
CODE(locked, "nop\n lock inc dword ptr [ebx]");
CODE(push32, "nop\n push eax");
CODE(pop32, "nop\n pop eax");
CODE(push16, "nop\n push ax");
CODE(fld32, "fninit\n fld dword ptr [ebx]\n fstp st(0)");
CODE(fld64, "fninit\n fld qword ptr [ebx]\n fstp st(0)");
CODE(movs_, "nop\n movsd");
CODE(stos_, "nop\n stosd");
CODE(bound_, "nop\n bound eax, [ebx]");
CODE(lds_, "nop\n lfs eax, [ebx]");
CODE(popfd_sets, "push 0x40002\n popfd\n mov eax, [ebx]");
CODE(enter_, "nop\n enter 0, 0");

static u8 data[64] __attribute__((aligned(64)));

static void go(const char *name, const void *code, u32 offset, bool user, bool ac)
{
        if (user)
                context_init_user(code);
        else
                context_init(code);
        if (ac)
                ctx.eflags |= FL_AC;
        ctx.ebx = ctx.esi = ctx.edi = (u32)data + offset;
        if (code == push32 || code == pop32 || code == push16 || code == enter_)
                ctx.esp = (u32)data + 32 + offset;
        run();
        print("%s at %x", name, offset);
        report("");
}

void guest_main(void)
{
        print("guest: alignment-check\n");
        go("AM clear", read32, 1, true, true);
        write_cr0(read_cr0() | 0x40000 | 0x20);
        go("AC clear", read32, 1, true, false);
        go("ring 0", read32, 1, false, true);
        for (unsigned i = 0; i < 5; i++)
                go("read32", read32, i, true, true);
        go("read16", read16, 1, true, true);
        go("read16", read16, 2, true, true);
        go("read8", read8, 1, true, true);
        go("write32", write32, 2, true, true);
        go("rmw32", rmw32, 3, true, true);
        go("locked", locked, 1, true, true);
        go("push32", push32, 1, true, true);
        go("push32", push32, 2, true, true);
        go("push32", push32, 4, true, true);
        go("pop32", pop32, 2, true, true);
        go("push16", push16, 2, true, true);
        go("fld32", fld32, 2, true, true);
        go("fld64", fld64, 4, true, true);
        go("fld64", fld64, 8, true, true);
        go("movsd", movs_, 2, true, true);
        go("stosd", stos_, 1, true, true);
        go("bound", bound_, 2, true, true);
        go("lfs", lds_, 2, true, true);
        go("popfd sets AC", popfd_sets, 1, true, false);
        go("popfd sets AC, aligned", popfd_sets, 4, true, false);
        print("flags %x\n", ctx.eflags & FL_AC);
}
