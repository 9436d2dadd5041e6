/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exceptions.c - T9: vector, error code and saved EIP of the exceptions and software interrupts
 * (SDM 3A 6.15), and the DPL check of INT n, INT3 and INTO gates.
 */
#include "guest.h"

u32 bounds[2] = { 10, 20 };

CODE(div_zero, "nop\n div cl");
CODE(div_overflow, "mov edx, 5\n mov eax, 1\n mov ecx, 2\n div ecx");
CODE(idiv_overflow, "mov eax, 0x80000000\n cdq\n mov ecx, -1\n idiv ecx");
CODE(idiv8_overflow, "mov ax, 0x8000\n mov cl, -1\n idiv cl");
CODE(aam_zero, "mov al, 7\n aam 0");
CODE(breakpoint, "nop\n int3\n nop");
CODE(breakpoint_long, "nop\n .byte 0xcd, 0x03\n nop");
CODE(icebp, "nop\n .byte 0xf1\n nop");
CODE(into_clear, "xor eax, eax\n into\n nop");
CODE(into_set, "mov al, 0x7f\n inc al\n into\n nop");
CODE(bound_in, "mov eax, 10\n bound eax, bounds\n mov eax, 20\n bound eax, bounds");
CODE(bound_low, "mov eax, 9\n bound eax, bounds");
CODE(bound_high, "mov eax, 21\n bound eax, bounds");
CODE(ud2, "nop\n ud2");
CODE(halt, "nop\n hlt");
CODE(int30, "int 0x30");
CODE(int0, "int 0");
CODE(int8, "int 8");
CODE(clts, "clts");
CODE(lidt, "lidt [0]");
CODE(wbinvd, "wbinvd");
CODE(mov_cr, "mov eax, cr0");
CODE(mov_dr, "mov eax, dr7");
CODE(rdmsr_user, "mov ecx, 0x10\n rdmsr");

void guest_main(void)
{
        print("guest: exceptions\n");
        try("div by zero", div_zero);
        try("div overflow", div_overflow);
        try("idiv overflow", idiv_overflow);
        try("idiv8 overflow", idiv8_overflow);
        print("operands kept: eax=%x ecx=%x\n", ctx.eax, ctx.ecx);
        try("aam 0", aam_zero);
        try("int3", breakpoint);
        try("cd 03", breakpoint_long);
        try("int1", icebp);
        try("into, OF clear", into_clear);
        try("into, OF set", into_set);
        try("bound inside", bound_in);
        try("bound low", bound_low);
        try("bound high", bound_high);
        try("ud2", ud2);
        try("int 30h", int30);

        try_user("ring 3 int3, gate of ring 0", breakpoint);
        try_user("ring 3 into, gate of ring 0", into_set);
        try_user("ring 3 int1 ignores the DPL", icebp);
        try_user("ring 3 int 30h, gate of ring 0", int30);
        try_user("ring 3 int 0", int0);
        try_user("ring 3 int 8", int8);
        try_user("ring 3 ud2", ud2);
        try_user("ring 3 bound", bound_low);
        try_user("ring 3 hlt", halt);
        try_user("ring 3 clts", clts);
        try_user("ring 3 lidt", lidt);
        try_user("ring 3 wbinvd", wbinvd);
        try_user("ring 3 mov cr", mov_cr);
        try_user("ring 3 mov dr", mov_dr);
        try_user("ring 3 rdmsr", rdmsr_user);

        idt_set(3, idt_default(3, ACC_INT32 | ACC_DPL3));
        idt_set(4, idt_default(4, ACC_INT32 | ACC_DPL3));
        idt_set(0x30, idt_default(0x30, ACC_INT32 | ACC_DPL3));
        try_user("ring 3 int3", breakpoint);
        try_user("ring 3 cd 03", breakpoint_long);
        try_user("ring 3 into", into_set);
        try_user("ring 3 int 30h", int30);

        idt_set(0x30, idt_default(0x30, (ACC_INT32 | ACC_DPL3) & ~ACC_P));
        try("int 30h, gate not present", int30);
        try_user("ring 3 int 30h, gate not present", int30);
        idt_set(0x30, idt_default(0x30, ACC_INT32 & ~ACC_P));
        try_user("ring 3 int 30h, DPL before P", int30);
        idt_set(0x30, gate(0, 0, ACC_INT32, 0));
        try("int 30h, gate with null selector", int30);
        idt_set(0x30, gate(SEL_DATA, 0, ACC_INT32, 0));
        try("int 30h, gate to data", int30);
        idt_set(0x30, gate(0x1000, 0, ACC_INT32, 0));
        try("int 30h, gate past the GDT", int30);
        idt_set(0x30, gate(SEL_UCODE, 0, ACC_INT32, 0));
        try("int 30h, gate to an outer ring", int30);
        idt_set(0x30, gate(SEL_CODE, 0, ACC_CALL32, 0));
        try("int 30h, call gate in the IDT", int30);
        gdt_set(SEL_FREE, descriptor(0, 0xfffff, ACC_CODE & ~ACC_P, SEG_32));
        idt_set(0x30, gate(SEL_FREE, 0, ACC_INT32, 0));
        try("int 30h, code not present", int30);
        idt_set(0x30, idt_default(0x30, ACC_INT32 | ACC_DPL3));
        load_idt(0x30 * 8 + 6);
        try("int 30h past the limit", int30);
        load_idt(sizeof idt - 1);
}
