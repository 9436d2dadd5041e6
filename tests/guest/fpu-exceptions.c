/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu-exceptions.c - #NM by TS, EM and MP; #UD of MMX and SSE by EM and OSFXSR; #MF with CR0.NE set;
 * #XM, and #UD in its place; which instructions wait (SDM 1 8.6, 8.7, 3A 12.1,
 * 13.1).  QEMU 7.2 raises #MF at FWAIT and stores only, never #XM, and prefers #NM to #UD.
 */
#include "guest.h"

CODE(x87, "nop\n fld1\n fstp st(0)");
CODE(wait_, "nop\n fwait");
CODE(fninit_, "nop\n fninit");
CODE(fnstsw_, "nop\n fnstsw ax");
CODE(mmx, "nop\n pxor mm0, mm0\n emms");
CODE(sse, "nop\n xorps xmm0, xmm0");
CODE(sse_memory, "nop\n movups xmm0, [esp-16]");
CODE(sse2_integer, "nop\n paddd xmm0, xmm1");
CODE(ldmxcsr_, "nop\n ldmxcsr [esp-4]");
CODE(fxsave_, "nop\n fxsave [ebx]");
CODE(sfence_, "nop\n sfence");
CODE(prefetch_, "nop\n prefetcht0 [esp]");

/* Divides by zero with that unmasked, then meets the instruction behind. */
#define PENDING "fninit\n fldcw word ptr control_word\n fld1\n fldz\n fdivp\n nop\n"
CODE(mf_fld, PENDING "fld1");
CODE(mf_wait, PENDING "fwait");
CODE(mf_fnstsw, PENDING "fnstsw ax\n fnclex\n fld1\n fstp st(0)");
CODE(mf_fninit, PENDING "fninit\n fld1\n fstp st(0)");
CODE(mf_fnsave, PENDING "fnsave [ebx]\n fld1");
CODE(mf_mmx, PENDING "pxor mm0, mm0");
CODE(mf_fstp, PENDING "fstp dword ptr [ebx]");
CODE(mf_int, PENDING "mov ecx, 5\n add ecx, ecx\n fild dword ptr [ebx]");
CODE(mf_unmask, "fninit\n fld1\n fldz\n fdivp\n fldcw word ptr control_word\n nop\n fld1");
CODE(mf_invalid, "fninit\n fldcw word ptr control_invalid\n fstp st(0)\n nop\n fld1");
CODE(mf_store, "fninit\n fldcw word ptr control_overflow\n fld qword ptr huge\n fstp dword ptr [ebx]\n nop\n fwait");

CODE(xm_div, "mov eax, 0x3f800000\n movd xmm1, eax\n xorps xmm0, xmm0\n ldmxcsr dword ptr mxcsr_unmasked\n divss xmm1, xmm0\n"
             "mov ecx, 1");
CODE(xm_masked, "ldmxcsr dword ptr mxcsr_masked\n xorps xmm0, xmm0\n mov eax, 0x3f800000\n movd xmm1, eax\n divss xmm1, xmm0\n"
                "movd eax, xmm1\n stmxcsr [ebx]");
CODE(mxcsr_reserved, "ldmxcsr dword ptr mxcsr_bad");
CODE(movaps_odd, "movaps xmm0, [ebx+4]");
CODE(movaps_store_odd, "movaps [ebx+8], xmm0");
CODE(paddd_odd, "paddd xmm0, [ebx+1]");
CODE(movups_odd, "movups xmm0, [ebx+1]");
CODE(fxsave_odd, "fxsave [ebx+8]");

u16 control_word = 0x37b, control_invalid = 0x37e, control_overflow = 0x377;
u64 huge = 0x7fe0000000000000;
u32 mxcsr_unmasked = 0x1d80, mxcsr_masked = 0x1f80, mxcsr_bad = 0x10000;
static u8 area[1024] __attribute__((aligned(64)));

static void go(const char *name, const void *code)
{
        context_init(code);
        ctx.ebx = (u32)area;
        run();
        report(name);
}

static void all(const char *name, u32 cr0, u32 cr4)
{
        print("%s\n", name);
        write_cr0((read_cr0() & ~0xeu) | cr0);
        write_cr4((read_cr4() & ~0x600u) | cr4);
        go(" x87", x87);
        go(" wait", wait_);
        go(" fninit", fninit_);
        go(" fnstsw", fnstsw_);
        go(" mmx", mmx);
        go(" sse", sse);
        go(" sse memory", sse_memory);
        go(" sse2 integer", sse2_integer);
        go(" fxsave", fxsave_);
        go(" sfence", sfence_);
        go(" prefetch", prefetch_);
        write_cr0(read_cr0() & ~0xeu);
}

void guest_main(void)
{
        enum { MP = 2, EM = 4, TS = 8, NE = 0x20 };

        print("guest: fpu-exceptions\n");
        write_cr0(read_cr0() | NE);
        all("plain", 0, 0x200);
        all("TS", TS, 0x200);
        all("TS, MP", TS | MP, 0x200);
        all("MP", MP, 0x200);
        all("EM", EM, 0x200);
        all("EM, MP", EM | MP, 0x200);
        all("EM, TS, MP", EM | TS | MP, 0x200);
        all("OSFXSR clear", 0, 0);
        all("OSFXSR clear, TS", TS, 0);

        write_cr4(read_cr4() | 0x600);
        go("#MF at fld1", mf_fld);
        go("#MF at fwait", mf_wait);
        go("fnstsw, fnclex do not wait", mf_fnstsw);
        print("  sw=%x\n", ctx.eax & 0x80ff);
        go("fninit does not", mf_fninit);
        go("fnsave does not, and clears it", mf_fnsave);
        print("  saved sw=%x\n", *(u16 *)(area + 4) & 0x80ff);
        go("#MF at an MMX instruction", mf_mmx);
        go("#MF at a store", mf_fstp);
        go("integer instructions go on", mf_int);
        print("  ecx=%x\n", ctx.ecx);
        go("unmasking one that happened", mf_unmask);
        go("stack underflow", mf_invalid);
        go("overflow of a store", mf_store);
        write_cr0(read_cr0() | TS);
        go("#NM before #MF", x87);
        asm volatile("clts; fninit");

        go("#XM", xm_div);
        print("  ecx=%x\n", ctx.ecx);
        go("masked", xm_masked);
        print("  eax=%x mxcsr=%x\n", ctx.eax, *(u32 *)area);
        write_cr4(read_cr4() & ~0x400u);
        go("#UD without OSXMMEXCPT", xm_div);
        write_cr4(read_cr4() | 0x400);
        go("reserved bits of MXCSR", mxcsr_reserved);
        go("movaps unaligned", movaps_odd);
        go("movaps store unaligned", movaps_store_odd);
        go("paddd unaligned", paddd_odd);
        go("movups unaligned", movups_odd);
        go("fxsave unaligned", fxsave_odd);
}
