/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-permission.c - IN, OUT, INS and OUTS in ring 3 and virtual-8086 mode against IOPL and the TSS's
 * I/O permission bitmap, its end and its absence (SDM 1 19.5).
 */
#include "guest.h"

/* Port 80h: written for delays, harmless everywhere. */
CODE(in8, "in al, 0x80");
CODE(in32, "mov edx, 0x80\n in eax, dx");
CODE(out16, "mov edx, 0x7f\n out dx, ax");
CODE(in_dx, "in al, dx");
CODE(in_dx16, "in ax, dx");
CODE(outs_, "mov esi, offset outs_\n mov edx, 0x80\n outsb");
CODE(rep_ins_zero, "mov edx, 0x80\n xor ecx, ecx\n rep insb");
CODE16(v_in8, "in al, 0x80");
CODE16(v_cli, "cli");

static void allow(unsigned port, bool good)
{
        if (good)
                tss.io_bitmap[port / 8] &= (u8)~(1 << port % 8);
        else
                tss.io_bitmap[port / 8] |= (u8)(1 << port % 8);
}

static void user(const char *name, const void *code, unsigned iopl, u32 port)
{
        context_init_user(code);
        ctx.eflags |= iopl << 12;
        ctx.edx = port;
        run();
        report(name);
}

static void reload(u16 io_base, u32 limit)
{
        tss.io_base = io_base;
        gdt_set(SEL_TSS, descriptor((u32)&tss, limit, ACC_TSS, 0));
        asm volatile("ltr %w0" :: "r"(SEL_TSS));
}

void guest_main(void)
{
        u16 base = offsetof(struct tss, io_bitmap);

        print("guest: io-permission\n");
        user("all denied", in8, 0, 0);
        user("IOPL 3 allows", in8, 3, 0);
        user("IOPL 2", in8, 2, 0);
        allow(0x80, true);
        user("port 80h allowed", in8, 0, 0);
        user("32 bits need four", in32, 0, 0);
        allow(0x81, true);
        allow(0x82, true);
        user("three", in32, 0, 0);
        allow(0x83, true);
        user("four", in32, 0, 0);
        user("16 bits across two bytes of the bitmap", out16, 0, 0);
        allow(0x7f, true);
        user("both", out16, 0, 0);
        user("outs", outs_, 0, 0);
        allow(0x80, false);
        user("outs denied", outs_, 0, 0);
        user("rep ins of nothing denied", rep_ins_zero, 0, 0);
        allow(0xffff, true);
        user("port ffffh", in_dx, 0, 0xffff);
        allow(0x80, true);

        reload(base, base + 0x80 / 8);
        allow(0x70, true);
        user("limit ends at the byte after", in_dx, 0, 0x70);
        user("two bytes are read, the second past the limit", in_dx, 0, 0x80);
        reload(base, base + 0x80 / 8 + 1);
        user("both in the limit", in_dx, 0, 0x80);
        reload(sizeof tss, sizeof tss - 1);
        user("no bitmap", in8, 0, 0);
        reload(base, sizeof tss - 1);
        user("back", in8, 0, 0);

        context_init_v86(v_in8, 3);
        run();
        report("v86, allowed by the bitmap");
        allow(0x80, false);
        context_init_v86(v_in8, 3);
        run();
        report("v86, denied, IOPL 3 does not help");
        context_init_v86(v_cli, 0);
        run();
        report("v86 cli, IOPL 0");
        context_init(in8);
        run();
        report("ring 0 asks nobody");

}
