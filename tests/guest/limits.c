/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limits.c - segment limits of data, stack and code accesses: byte and page granular, expand-down,
 * read-only and execute-only segments (SDM 3A 5.3, 5.4).
 *
 * QEMU 7.2 checks no data limits: not run there.
 */
#include "guest.h"

CODE(read8, "mov al, fs:[ebx]");
CODE(read32, "mov eax, fs:[ebx]");
CODE(write8, "mov fs:[ebx], al");
CODE(write32, "mov fs:[ebx], eax");
CODE(add32, "add fs:[ebx], eax");
CODE(read64, "fld qword ptr fs:[ebx]");
CODE(push32, "push eax");
CODE(pop32, "pop eax");
CODE(movsb, "mov ecx, 8\n mov esi, ebx\n mov edi, offset copied\n rep movs byte ptr es:[edi], byte ptr fs:[esi]");
CODE(ebp_access, "mov ebp, ebx\n mov eax, [ebp]");
CODE(lea_only, "lea eax, [ebx]");
CODE(jump_out, "jmp ebx");
CODE(call_far, "push eax\n push ebx\n call fword ptr [esp]");
CODE(ret_far, "push eax\n push ebx\n retf");

u8 copied[64];
static u8 target[256];

static void try_at(const char *name, const void *code, u16 selector, u32 offset)
{
        context_init(code);
        ctx.fs = selector;
        ctx.ebx = offset;
        run();
        print("%s %x", name, offset);
        report("");
}

static void try_stack(const char *name, const void *code, u16 selector, u32 offset)
{
        context_init(code);
        ctx.fs = selector;
        ctx.ss = selector;
        ctx.esp = offset;
        ctx.ebx = offset;
        run();
        print("%s %x", name, offset);
        report("");
}

void guest_main(void)
{
        enum { F = SEL_FREE, G = SEL_FREE + 8 };
        u32 base = (u32)target;

        print("guest: limits\n");
        gdt_set(F, descriptor(base, 0x3f, ACC_DATA, SEG_DB));
        try_at("read8", read8, F, 0x3f);
        try_at("read8", read8, F, 0x40);
        try_at("read8", read8, F, 0xffffffff);
        try_at("read32", read32, F, 0x3c);
        try_at("read32", read32, F, 0x3d);
        try_at("read32", read32, F, 0xfffffffe);
        try_at("write8", write8, F, 0x40);
        try_at("write32", write32, F, 0x3d);
        try_at("add32", add32, F, 0x3e);
        try_at("read64", read64, F, 0x38);
        try_at("read64", read64, F, 0x39);
        try_at("movsb", movsb, F, 0x3b);
        print("ecx=%x esi=%x edi=+%x\n", ctx.ecx, ctx.esi, ctx.edi - (u32)copied);
        try_at("lea", lea_only, F, 0x1000);

        gdt_set(F, descriptor(base, 0, ACC_DATA, SEG_32));
        try_at("page granular read32", read32, F, 0xffc);
        try_at("page granular read32", read32, F, 0xffd);

        gdt_set(F, descriptor(base - 0x1000, 0xfff, ACC_DATA_DOWN, SEG_DB));
        try_at("expand-down read8", read8, F, 0xfff);
        try_at("expand-down read8", read8, F, 0x1000);
        try_at("expand-down read32", read32, F, 0x0ffd);
        gdt_set(F, descriptor(base - 0x1000, 0xfff, ACC_DATA_DOWN, 0));
        try_at("expand-down 16 read8", read8, F, 0xffff);
        try_at("expand-down 16 read8", read8, F, 0x10000);
        try_at("expand-down 16 read32", read32, F, 0xfffd);

        gdt_set(F, descriptor(base, 0x3f, ACC_DATA_RO, SEG_DB));
        try_at("read-only read8", read8, F, 0);
        try_at("read-only write8", write8, F, 0);
        try_at("read-only add32", add32, F, 0);
        gdt_set(F, descriptor(base, 0x3f, ACC_CODE, SEG_DB));
        try_at("code read8", read8, F, 0);
        try_at("code write8", write8, F, 0);

        gdt_set(F, descriptor((u32)snippet_stack, 0xff, ACC_DATA, SEG_DB));
        try_stack("pop", pop32, F, 0xfc);
        try_stack("ebp", ebp_access, F, 0xfc);
        gdt_set(G, descriptor(0, 0xfffff, ACC_CODE, SEG_32));

        gdt_set(G, descriptor((u32)jump_out, 0xff, ACC_CODE, SEG_DB));
        context_init((void *)0);
        ctx.cs = G;
        ctx.ebx = 0x100;
        run();
        report("jump past the code limit");
        context_init((void *)0);
        ctx.cs = G;
        ctx.eip = 0x100;
        run();
        report("iret past the code limit");

        context_init(call_far);
        ctx.eax = G;
        ctx.ebx = 0x100;
        run();
        report("far call past the code limit");
        context_init(ret_far);
        ctx.eax = G;
        ctx.ebx = 0x100;
        run();
        report("far return past the code limit");
}
