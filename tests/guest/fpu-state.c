/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu-state.c - x87, MMX and SSE state: basic results, rounding control, tags and aliasing, the images
 * of FNSAVE and FXSAVE, and that all of it survives faults, mode switches and 200 timer interrupts.
 */
#include "guest.h"

CODE(basics, "fninit\n fldpi\n fld1\n fadd st(1), st\n fsubp\n fsqrt\n fstp qword ptr [ebx]\n fld1\n fldl2e\n fscale\n fstp qword ptr [ebx+8]\n"
             "fild dword ptr [ebx+32]\n fidiv dword ptr [ebx+36]\n fist dword ptr [ebx+16]\n fstp tbyte ptr [ebx+20]\n fnstsw ax");
CODE(rounding, "fninit\n fldcw [ebx+32]\n fld1\n fild dword ptr [ebx+36]\n fdivp\n fstp dword ptr [ebx]\n fld qword ptr [ebx+40]\n"
               "fistp dword ptr [ebx+4]");
CODE(compare_, "fninit\n fldz\n fld1\n fcomi st, st(1)\n pushfd\n pop ecx\n fucompp\n fnstsw ax\n sahf\n setc dl\n fld1\n fchs\n fsqrt\n"
               "fxam\n fnstsw ax\n fstp st(0)");
CODE(mmx, "fninit\n movq mm0, [ebx]\n paddb mm0, [ebx+8]\n movq mm7, mm0\n punpcklbw mm7, mm0\n pmaddwd mm0, mm7\n movq [ebx+16], mm0\n"
          "fnstenv [ebx+32]\n movq [ebx+24], mm7\n emms");
CODE(sse, "movups xmm0, [ebx]\n movups xmm1, [ebx+16]\n addps xmm0, xmm1\n mulps xmm0, xmm0\n movups [ebx+32], xmm0\n cvtps2pd xmm2, xmm0\n"
          "sqrtpd xmm2, xmm2\n movupd [ebx+48], xmm2\n pshufd xmm3, xmm0, 0x1b\n movmskps eax, xmm3\n cvttss2si ecx, xmm0\n"
          "ucomiss xmm0, xmm1\n seta dl");
CODE(load_all, "fninit\n fld1\n fldpi\n fldl2e\n fldlg2\n fldz\n movups xmm0, [ebx]\n movups xmm3, [ebx+16]\n movups xmm7, [ebx+32]\n nop");
CODE(load_and_fault, "fninit\n fld1\n fldpi\n fldl2e\n movups xmm0, [ebx]\n movups xmm3, [ebx+16]\n movups xmm7, [ebx+32]\n mov eax, [edx]");
CODE(dump, "fxsave [ebx]\n fninit");
CODE(save_restore, "fninit\n fldpi\n fld1\n fnsave [ebx]\n fldz\n frstor [ebx]\n fxsave [edi]\n fninit");
CODE(sum_loop, "fninit\n fldz\n xorps xmm0, xmm0\n mov ecx, eax\n 1: fld1\n faddp\n addsd xmm0, [ebx]\n dec ecx\n jnz 1b\n"
               "fistp dword ptr [ebx+8]\n cvtsd2si edx, xmm0");

static u8 area[2048] __attribute__((aligned(64)));
static u32 *const a = (u32 *)area;
static volatile u32 ticks;

static bool tick(struct context *frame)
{
        (void)frame;
        ticks++;
        pic_eoi(0);
        return true;
}

static void go(const char *name, const void *code)
{
        context_init(code);
        ctx.ebx = (u32)area;
        ctx.edi = (u32)area + 1024;
        ctx.edx = ARENA;
        run();
        report(name);
}

static void words(unsigned from, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                print(" %x", a[from + i]);
        print("\n");
}

/* ST0 to ST4 and XMM0, 3, 7 of an FXSAVE image. */
static void state(const char *name)
{
        context_init(dump);
        ctx.ebx = (u32)area + 512;
        run();
        print("%s: cw=%x top=%u tags=%x", name, a[128] & 0xffff, a[128] >> 27 & 7, a[129] & 0xff);
        for (unsigned i = 0; i < 5 && a[129] >> (((a[128] >> 27) + i) & 7) & 1; i++)
                print(" %x:%x%08x", a[128 + 10 + i * 4] & 0xffff, a[128 + 9 + i * 4], a[128 + 8 + i * 4]);
        for (unsigned i = 0; i < 8; i += i ? 4 : 3)
                print(" %x.%x.%x.%x", a[128 + 40 + i * 4], a[128 + 41 + i * 4], a[128 + 42 + i * 4], a[128 + 43 + i * 4]);
        print("\n");
}

void guest_main(void)
{
        print("guest: fpu-state\n");
        write_cr4(read_cr4() | 0x600);
        write_cr0(read_cr0() | 0x22);
        a[8] = 1000;
        a[9] = 7;
        go("basics", basics);
        words(0, 7);
        print("sw=%x\n", ctx.eax & 0x383f);
        for (unsigned rc = 0; rc < 4; rc++) {
                for (unsigned pc = 0; pc < 4; pc += pc ? 1 : 2) {
                        a[8] = 0x7f | pc << 8 | rc << 10;
                        a[9] = 3;
                        a[10] = 0;
                        a[11] = 0x40040000; /* 2.5 */
                        go("rounding", rounding);
                        words(0, 2);
                }
        }
        go("compare", compare_);
        print("flags=%x c=%u fxam=%x\n", ctx.ecx & FL_ARITH, ctx.edx & 1, ctx.eax & 0x4700);
        for (unsigned i = 0; i < 16; i++)
                area[i] = (u8)(i * 29 + 100);
        go("mmx", mmx);
        words(4, 4);
        unsigned empty = 0;
        for (unsigned i = 0; i < 16; i += 2)
                empty += (a[10] >> i & 3) == 3;
        print("empty=%u top=%u\n", empty, a[9] >> 11 & 7);
        static const u32 floats[8] = { 0x3f800000, 0xc0000000, 0x40400000, 0x7f800000, 0x3f000000, 0x3e800000, 0xbf800000, 0x41200000 };
        memcpy(area, floats, sizeof floats);
        go("sse", sse);
        words(8, 8);
        print("eax=%x ecx=%x dl=%x\n", ctx.eax, ctx.ecx, ctx.edx & 0xff);

        for (unsigned i = 0; i < 48; i++)
                area[i] = (u8)(i + 1);
        go("load", load_all);
        state("kept");
        for (unsigned i = 0; i < 48; i++)
                area[i] = (u8)(0xff - i);
        paging_on();
        page_map(ARENA, 0, 0);
        go("load and fault", load_and_fault);
        paging_off();
        state("kept");
        go("fnsave and frstor", save_restore);
        memcpy(area + 512, area + 1024, 512);
        print("top=%u tags=%x st0=%x:%x%08x st1=%x:%x%08x\n", a[128] >> 27 & 7, a[129] & 0xff, a[138] & 0xffff, a[137], a[136],
              a[142] & 0xffff, a[141], a[140]);

        /* Interrupts while sums are taken. */
        hooks[0x20] = tick;
        pit_start(2, 1193);
        pic_unmask(0);
        bool good = true;
        for (unsigned i = 0; ticks < 200; i++) {
                u32 n = 20000 + i;

                a[0] = 0;
                a[1] = 0x3ff00000; /* 1.0 */
                context_init_user(sum_loop);
                ctx.eflags |= FL_IF;
                ctx.ebx = (u32)area;
                ctx.eax = n;
                run();
                good = good && ctx.vector == VECTOR_DONE && a[2] == n && ctx.edx == n;
        }
        pic_mask_all();
        check("sums under interrupts", good);
}
