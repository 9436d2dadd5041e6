/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segments.c - loading segment registers: every check of SDM 2 "MOV" and 3A 5.6, with error codes and
 * their order, null selectors, the LDT, the accessed bit.
 */
#include "guest.h"

CODE(load_ds, "mov ds, eax");
CODE(load_es_pop, "push eax\n pop es");
CODE(load_ss, "mov ss, eax");
CODE(load_ss_pop, "push eax\n pop ss");
CODE(load_fs_lfs, "lfs ebx, [esi]");
CODE(load_ss_lss, "lss ebx, [esi]");
CODE(load_lldt, "lldt ax");
CODE(load_ltr, "ltr ax");
CODE(use_null, "mov ds, eax\n mov eax, ds:[0x8000]");
CODE(use_null_write, "mov es, eax\n mov es:[0x8000], eax");
CODE(read_segments, "mov ds, eax\n mov ecx, ds\n mov ebx, -1\n mov bx, ds\n push ds\n pop edx");

static void try_selector(const char *name, const void *code, u32 selector)
{
        context_init(code);
        ctx.eax = selector;
        run();
        report(name);
}

static void try_selector_user(const char *name, const void *code, u32 selector)
{
        context_init_user(code);
        ctx.eax = selector;
        run();
        report(name);
}

static void try_pointer(const char *name, const void *code, u16 selector)
{
        static struct { u32 offset; u16 selector; } __attribute__((packed)) pointer;

        pointer.offset = 0x11223344;
        pointer.selector = selector;
        context_init(code);
        ctx.esi = (u32)&pointer;
        ctx.ebx = 0x55667788;
        run();
        report(name);
        print("  ebx=%x fs=%x\n", ctx.ebx, ctx.fs);
}

void guest_main(void)
{
        enum { F = SEL_FREE };
        u64 flat = descriptor(0, 0xfffff, ACC_DATA, SEG_32);

        print("guest: segments\n");
        try_selector("ds null", load_ds, 0);
        try_selector("ds null, RPL 3", load_ds, 3);
        try_selector("ds past the GDT", load_ds, 0x1000);
        try_selector("ds past the GDT, RPL 3", load_ds, 0x1003);
        try_selector("ds from no LDT", load_ds, 0x0c);
        gdt_set(F, descriptor(0, 0xfffff, ACC_CODE, SEG_32));
        try_selector("ds readable code", load_ds, F);
        gdt_set(F, descriptor(0, 0xfffff, ACC_CODE_XO, SEG_32));
        try_selector("ds execute-only code", load_ds, F);
        gdt_set(F, descriptor(0, 0xfffff, ACC_TSS, 0));
        try_selector("ds system segment", load_ds, F);
        gdt_set(F, flat & ~((u64)ACC_P << 40));
        try_selector("ds not present", load_ds, F);
        try_selector("es not present", load_es_pop, F);
        try_selector("ss not present", load_ss, F);
        try_selector("pop ss not present", load_ss_pop, F);
        try_pointer("lfs not present", load_fs_lfs, F);
        try_pointer("lss not present", load_ss_lss, F);
        try_pointer("lfs null", load_fs_lfs, 0);
        try_pointer("lfs good", load_fs_lfs, SEL_DATA);
        try_selector("ds RPL 3 of DPL 0", load_ds, SEL_DATA | 3);
        gdt_set(F, descriptor(0, 0xfffff, ACC_CODE_CONFORMING, SEG_32));
        try_selector("ds conforming, RPL 3", load_ds, F | 3);
        try_selector("ss null", load_ss, 0);
        try_selector("ss code", load_ss, SEL_CODE);
        gdt_set(F, descriptor(0, 0xfffff, ACC_DATA_RO, SEG_32));
        try_selector("ss read-only", load_ss, F);
        try_selector("ss RPL 3", load_ss, SEL_DATA | 3);
        try_selector("ss DPL 3", load_ss, SEL_UDATA & ~3u);
        gdt_set(F, (flat | (u64)ACC_DPL3 << 40) & ~((u64)ACC_P << 40));
        try_selector("ss privilege before presence", load_ss, F);
        try_selector("ds not present, DPL 3", load_ds, F);

        try_selector_user("ring 3 ds null", load_ds, 0);
        try_selector_user("ring 3 ds DPL 0", load_ds, SEL_DATA);
        try_selector_user("ring 3 ds DPL 3, RPL 0", load_ds, SEL_UDATA & ~3u);
        try_selector_user("ring 3 ss null", load_ss, 0);
        try_selector_user("ring 3 ss null, RPL 3", load_ss, 3);
        try_selector_user("ring 3 ss RPL 0", load_ss, SEL_UDATA & ~3u);
        try_selector_user("ring 3 lldt", load_lldt, 0);
        try_selector_user("ring 3 ltr", load_ltr, SEL_TSS);

        try_selector("use of null ds", use_null, 0);
        try_selector("use of null es for a write", use_null_write, 3);

        gdt_set(F, descriptor(0, 0xfffff, ACC_DATA & ~1, SEG_32));
        try_selector("accessed bit", load_ds, F);
        print("access byte %x\n", (u32)(gdt[F >> 3] >> 40) & 0xff);
        try_selector("32-bit reads of a selector are zero-extended", read_segments, SEL_DATA);
        print("ecx=%x ebx=%x edx=%x\n", ctx.ecx, ctx.ebx, ctx.edx & 0xffff);

        try_selector("lldt of data", load_lldt, SEL_DATA);
        try_selector("lldt past the GDT", load_lldt, 0x1000);
        try_selector("lldt from the LDT", load_lldt, 0x0c);
        gdt_set(F, descriptor((u32)ldt, sizeof ldt - 1, ACC_LDT & ~ACC_P, 0));
        try_selector("lldt not present", load_lldt, F);
        try_selector("ltr busy", load_ltr, SEL_TSS);
        try_selector("ltr null", load_ltr, 0);
        try_selector("ltr of data", load_ltr, SEL_DATA);
        gdt_set(F, descriptor((u32)&tss, sizeof tss - 1, ACC_TSS & ~ACC_P, 0));
        try_selector("ltr not present", load_ltr, F);
        try_selector("lldt null", load_lldt, 0);
        load_ldt();
        ldt[1] = flat;
        ldt[2] = flat & ~((u64)ACC_P << 40);
        try_selector("ds from the LDT", load_ds, 0x0c);
        try_selector("ds from the LDT, empty", load_ds, 0x04);
        try_selector("ds from the LDT, not present", load_ds, 0x14);
        try_selector("ds past the LDT", load_ds, 0x84);
}
