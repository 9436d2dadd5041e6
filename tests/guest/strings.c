/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * strings.c - string instructions: both directions, segment overrides, address sizes, overlapping
 * moves by element, REPE and REPNE ends, counts of zero, flags, XLAT, and segments with bases.
 */
#include "guest.h"

CODE(movsb_, "rep movsb");
CODE(movsw_, "rep movsw");
CODE(movsd_, "rep movsd");
CODE(stosb_, "rep stosb");
CODE(stosd_, "rep stosd");
CODE(lodsb_, "rep lodsb");
CODE(lodsw_, "lodsw");
CODE(cmpsb_, "repe cmpsb\n pushfd\n pop edx");
CODE(cmpsd_ne, "repne cmpsd\n pushfd\n pop edx");
CODE(scasb_, "repne scasb\n pushfd\n pop edx");
CODE(scasd_e, "repe scasd\n pushfd\n pop edx");
CODE(movsb16, ".byte 0x67\n rep movsb");
CODE(movsb_fs, "rep movs byte ptr es:[edi], byte ptr fs:[esi]");
CODE(lodsb_gs, "lods byte ptr gs:[esi]");
CODE(cmps_fs, "cmps byte ptr fs:[esi], byte ptr es:[edi]\n pushfd\n pop edx");
CODE(movs_one, "movsb\n movsw\n movsd");
CODE(xlat_fs, "xlat byte ptr fs:[ebx]");
CODE(rep_nop_prefixes, "rep nop\n .byte 0xf2, 0x40\n .byte 0xf3, 0x43");
CODE(repne_movsb, ".byte 0xf2\n movsb");

static u8 buffer[256];
static u8 *const b = buffer;

static void prepare(void)
{
        for (unsigned i = 0; i < 256; i++)
                buffer[i] = (u8)i;
}

static u32 sum(void)
{
        u32 s = 0;

        for (unsigned i = 0; i < 256; i++)
                s = s * 31 + buffer[i];
        return s;
}

static void go(const char *name, const void *code, int si, int di, u32 count, u32 eax, bool down)
{
        prepare();
        context_init(code);
        ctx.esi = (u32)b + (u32)si;
        ctx.edi = (u32)b + (u32)di;
        ctx.ecx = count;
        ctx.eax = eax;
        ctx.edx = 0;
        if (down)
                ctx.eflags |= FL_DF;
        run();
        report(name);
        print("  ecx=%x si=%d di=%d eax=%x flags=%x sum=%x\n", ctx.ecx, (int)(ctx.esi - (u32)b), (int)(ctx.edi - (u32)b), ctx.eax,
              ctx.edx & FL_ARITH, sum());
}

void guest_main(void)
{
        print("guest: strings\n");
        go("movsb", movsb_, 0, 100, 50, 0, false);
        go("movsb down", movsb_, 99, 199, 50, 0, true);
        go("movsb overlap up by 1", movsb_, 0, 1, 100, 0, false);
        go("movsb overlap up by 3", movsb_, 0, 3, 100, 0, false);
        go("movsb overlap down by 1", movsb_, 101, 100, 90, 0, true);
        go("movsw overlap by 1", movsw_, 0, 1, 50, 0, false);
        go("movsd overlap by 2", movsd_, 0, 2, 30, 0, false);
        go("movsd overlap by 7", movsd_, 0, 7, 30, 0, false);
        go("movsd down overlap", movsd_, 104, 100, 20, 0, true);
        go("movsd unaligned", movsd_, 1, 131, 30, 0, false);
        go("movsb none", movsb_, 0, 100, 0, 0, false);
        go("stosb", stosb_, 0, 10, 30, 0x55, false);
        go("stosd down", stosd_, 0, 100, 10, 0x01020304, true);
        go("stosd unaligned", stosd_, 0, 3, 40, 0x11223344, false);
        go("lodsb", lodsb_, 10, 0, 20, 0xffffff00, false);
        go("lodsw down", lodsw_, 10, 0, 20, 0xffffff00, true);
        go("repe cmpsb differs at once", cmpsb_, 0, 100, 50, 0, false);
        go("repe cmpsb all the same", cmpsb_, 10, 10, 50, 0, false);
        go("repe cmpsb none keeps flags", cmpsb_, 0, 100, 0, 0, false);
        go("repne cmpsd", cmpsd_ne, 0, 100, 10, 0, false);
        go("repne scasb found", scasb_, 0, 0, 200, 77, false);
        go("repne scasb not found", scasb_, 0, 0, 50, 77, false);
        go("repne scasb down", scasb_, 0, 100, 200, 77, true);
        go("repe scasd", scasd_e, 0, 4, 5, 0x07060504, false);
        go("one each", movs_one, 0, 100, 9, 0, false);
        go("prefixes that mean nothing", rep_nop_prefixes, 0, 0, 3, 7, false);
        go("f2 movsb repeats", repne_movsb, 0, 100, 5, 0, false);

        /* Segment overrides; the destination is always ES. */
        gdt_set(SEL_FREE, descriptor((u32)b + 16, 0xfffff, ACC_DATA, SEG_32));
        prepare();
        context_init(movsb_fs);
        ctx.fs = SEL_FREE;
        ctx.esi = 4;
        ctx.edi = (u32)b + 100;
        ctx.ecx = 10;
        run();
        print("fs: esi=%x sum=%x\n", ctx.esi, sum());
        prepare();
        context_init(movsb_);
        ctx.es = SEL_FREE;
        ctx.esi = (u32)b;
        ctx.edi = 8;
        ctx.ecx = 10;
        run();
        print("es: edi=%x sum=%x\n", ctx.edi, sum());
        context_init(lodsb_gs);
        ctx.gs = SEL_FREE;
        ctx.esi = 4;
        run();
        print("gs lods: %x\n", ctx.eax);
        context_init(cmps_fs);
        ctx.fs = SEL_FREE;
        ctx.esi = 4;
        ctx.edi = (u32)b + 19;
        run();
        print("fs cmps: %x\n", ctx.edx & FL_ARITH);
        context_init(xlat_fs);
        ctx.fs = SEL_FREE;
        ctx.ebx = 1;
        ctx.eax = 0x105;
        run();
        print("fs xlat: %x\n", ctx.eax);

        /* 67h: SI, DI and CX; their upper halves stay. */
        prepare();
        gdt_set(SEL_FREE, descriptor((u32)b, 0xfffff, ACC_DATA, SEG_32));
        context_init(movsb16);
        ctx.ds = ctx.es = SEL_FREE;
        ctx.esi = 0xabcd0000;
        ctx.edi = 0x12340064;
        ctx.ecx = 0x5678000a;
        run();
        print("67h: esi=%x edi=%x ecx=%x sum=%x\n", ctx.esi, ctx.edi, ctx.ecx, sum());
}
