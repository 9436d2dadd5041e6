/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu-environment.c - T10: the instruction and operand pointers FNSTENV, FNSAVE and FXSAVE show are the
 * guest's offsets, in every format, also after a fault and in code with a segment base.
 *
 * Selectors may read as zero (CPUID.7.0:EBX[13]) and FOP is not compared: it is only kept for
 * unmasked exceptions on most processors.  QEMU 7.2 leaves the pointers out of FLDENV, FXSAVE and
 * FXRSTOR, and lets control instructions change them.
 */
#include "guest.h"

CODE(env32, "fninit\n 1: fld dword ptr value\n fnstenv [ebx]\n lea eax, 1b\n fninit");
CODE(env16, "fninit\n 1: fld dword ptr value\n .byte 0x66\n fnstenv [ebx]\n lea eax, 1b\n fninit");
CODE(save32, "fninit\n 1: fld dword ptr value\n fnsave [ebx]\n lea eax, 1b");
CODE(fx, "fninit\n 1: fld dword ptr value\n fxsave [ebx]\n lea eax, 1b\n fninit");
CODE(prefixed, "fninit\n 1: .byte 0x3e\n fld dword ptr value\n fnstenv [ebx]\n lea eax, 1b\n fninit");
CODE(control_kept, "fninit\n 1: fld dword ptr value\n fnstcw [ebx+64]\n fldcw [ebx+64]\n fnstsw ax\n fnclex\n fnstenv [ebx]\n lea eax, 1b\n fninit");
CODE(later, "fninit\n fld dword ptr value\n mov ecx, 100\n 1: fadd dword ptr value\n loop 1b\n fnstenv [ebx]\n lea eax, 1b\n fninit");
CODE(init_clears, "fld dword ptr value\n fninit\n fnstenv [ebx]\n xor eax, eax");
CODE(based, "fninit\n 1: fld dword ptr fs:[8]\n fnstenv [ebx]\n lea eax, 1b\n fninit");
CODE(restored, "fninit\n fldenv [ebx]\n fnstenv [ebx+32]\n fninit");
CODE(fxrestored, "fxrstor [ebx]\n fnstenv [ebx+512]\n fninit");
CODE(fault, "fninit\n 1: fld dword ptr value\n mov ecx, [edx]");
CODE(store_env, "fnstenv [ebx]\n fninit");
CODE(faulting_fld, "fninit\n fld dword ptr value\n 2: fadd dword ptr [edx]");
CODE(mf_pointer, "fninit\n fldcw word ptr control\n fld1\n fldz\n fstp dword ptr value2\n fldz\n 1: fdiv dword ptr value2\n nop\n fwait");
CODE16(real_env, "fninit\n 1: fld dword ptr cs:[real_value]\n fnstenv ds:[0x7400]\n mov ax, offset 1b\n fninit\n jmp 2f\n"
                 "real_value: .long 0x3f800000\n 2:");

u32 value = 0x3f800000, value2 = 0;
u16 control = 0x37a;
static u8 area[1024] __attribute__((aligned(64)));
static u32 based_value[4] = { 0, 0, 0x3f800000, 0 };

static void compare(const char *name, u32 ip, u32 cs, u32 dp, u32 ds, u32 want_ip, u32 want_dp)
{
        report(name);
        print("  ip %s, dp %s, cs %s, ds %s\n", ip == want_ip ? "ok" : "WRONG", dp == want_dp ? "ok" : "WRONG",
              cs == SEL_CODE || !cs ? "ok" : "WRONG", ds == SEL_DATA || !ds || ds == SEL_FREE ? "ok" : "WRONG");
        if (ip != want_ip || dp != want_dp)
                print("  %x:%x %x:%x\n", cs, ip, ds, dp);
}

static void go(const char *name, const void *code, u32 dp)
{
        const u32 *e = (const u32 *)area;

        context_init(code);
        ctx.ebx = (u32)area;
        ctx.fs = SEL_FREE;
        run();
        compare(name, e[3], e[4] & 0xffff, e[5], e[6] & 0xffff, ctx.eax, dp);
}

void guest_main(void)
{
        const u32 *e = (const u32 *)area;
        const u16 *w = (const u16 *)area;
        u32 v = (u32)&value;

        print("guest: fpu-environment\n");
        write_cr4(read_cr4() | 0x600);
        write_cr0(read_cr0() | 0x20);
        gdt_set(SEL_FREE, descriptor((u32)based_value, 0xfffff, ACC_DATA, SEG_32));
        go("fnstenv", env32, v);
        go("fnsave", save32, v);
        go("prefix", prefixed, v);
        go("control instructions leave it", control_kept, v);
        go("loop", later, v);
        go("fninit clears", init_clears, 0);
        go("offset in a segment", based, 8);
        context_init(env16);
        ctx.ebx = (u32)area;
        run();
        compare("fnstenv o16", w[3], w[4], w[5], w[6], ctx.eax & 0xffff, v & 0xffff);
        context_init(fx);
        ctx.ebx = (u32)area;
        run();
        compare("fxsave", e[2], e[3] & 0xffff, e[4], e[5] & 0xffff, ctx.eax, v);

        memset(area, 0, 28);
        *(u32 *)area = 0x37f;
        ((u32 *)area)[2] = 0xffff;
        ((u32 *)area)[3] = 0x12345678;
        ((u32 *)area)[5] = 0x9abcdef0;
        context_init(restored);
        ctx.ebx = (u32)area;
        run();
        compare("fldenv", e[8 + 3], 0, e[8 + 5], 0, 0x12345678, 0x9abcdef0);
        context_init(fx);
        ctx.ebx = (u32)area;
        run();
        ((u32 *)area)[2] = 0x11223344;
        ((u32 *)area)[4] = 0x55667788;
        context_init(fxrestored);
        ctx.ebx = (u32)area;
        run();
        compare("fxrstor", e[128 + 3], 0, e[128 + 5], 0, 0x11223344, 0x55667788);

        /* A page fault between, and one by the x87 instruction itself. */
        paging_on();
        page_map(ARENA, 0, 0);
        context_init(fault);
        ctx.edx = ARENA;
        run();
        report("page fault");
        u32 at = (u32)fault + 2;
        context_init(store_env);
        ctx.ebx = (u32)area;
        run();
        compare("after a page fault", e[3], e[4] & 0xffff, e[5], e[6] & 0xffff, at, v);
        context_init(faulting_fld);
        ctx.edx = ARENA;
        run();
        report("page fault by fadd");
        at = (u32)faulting_fld + 2;
        context_init(store_env);
        ctx.ebx = (u32)area;
        run();
        compare("the one before it", e[3], e[4] & 0xffff, e[5], e[6] & 0xffff, at, v);
        paging_off();

        context_init(mf_pointer);
        run();
        report("#MF");
        u32 mf_at = (u32)mf_pointer_end - 2 - 2 - 6;
        context_init(store_env);
        ctx.ebx = (u32)area;
        run();
        compare("pointers at #MF", e[3], e[4] & 0xffff, e[5], e[6] & 0xffff, mf_at, (u32)&value2);
        print("  sw=%x\n", e[1] & 0xff);

        context_init_real(real_env);
        run_real();
        const u16 *r = mem16(0x7400);
        print("real mode: sw tag %x, ip %s, high %x\n", r[2], r[3] == (ctx.eax & 0xffff) ? "ok" : "WRONG", r[4] & 0xf000);
}
