/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * double-fault.c - faults while an exception is delivered: which pairs make a double fault, which are
 * handled one after the other, and error codes with EXT (SDM 3A 6.13, 6.15 #DF table 6-5).  QEMU 7.2
 * never sets EXT.
 */
#include "guest.h"

CODE(divide, "nop\n div ecx");
CODE(gp, "nop\n mov ds, eax");
CODE(ud, "nop\n ud2");
CODE(pf, "nop\n mov eax, [ebx]");
CODE(int30, "nop\n int 0x30");
CODE(int3, "nop\n int3");

static void go(const char *name, const void *code, bool user)
{
        if (user)
                context_init_user(code);
        else
                context_init(code);
        ctx.eax = 0x1000;
        ctx.ebx = ARENA;
        run();
        report(name);
}

void guest_main(void)
{
        u64 saved[256];

        print("guest: double-fault\n");
        memcpy(saved, idt, sizeof saved);
        paging_on();
        page_map(ARENA, 0, 0);

        idt[0] &= ~((u64)ACC_P << 40);
        go("#DE, gate absent: #NP during a contributory one", divide, false);
        idt[6] &= ~((u64)ACC_P << 40);
        go("#UD is benign: #NP with EXT", ud, false);
        idt[3] &= ~((u64)ACC_P << 40);
        go("#BP by INT3, gate absent: #NP without EXT", int3, false);
        idt[0x30] &= ~((u64)ACC_P << 40);
        go("INT n, gate absent", int30, false);
        idt[13] &= ~((u64)ACC_P << 40);
        go("#GP, gate absent", gp, false);
        idt[14] &= ~((u64)ACC_P << 40);
        go("#PF, gate absent", pf, false);
        memcpy(idt, saved, sizeof saved);

        idt[0] = gate(0x1000, 0, ACC_INT32, 0);
        go("#DE to a bad selector: #GP, so #DF", divide, false);
        idt[6] = gate(0x1000, 0, ACC_INT32, 0);
        go("#UD to a bad selector: #GP with EXT", ud, false);
        idt[6] = gate(SEL_CODE, 0, ACC_CALL32, 0);
        go("#UD through a gate of the wrong type", ud, false);
        memcpy(idt, saved, sizeof saved);

        /* Ring 3 to ring 1 with a bad stack in the TSS. */
        enum { C1 = SEL_FREE };

        gdt_set(C1, descriptor(0, 0xfffff, ACC_CODE | ACC_DPL1, SEG_32));
        idt[6] = gate(C1, 0, ACC_INT32, 0);
        idt[0x30] = gate(C1, 0, ACC_INT32 | ACC_DPL3, 0);
        idt[0] = gate(C1, 0, ACC_INT32, 0);
        tss.ss1 = 0;
        go("ring 3 #UD, TSS.SS1 null: #TS with EXT", ud, true);
        go("ring 3 INT n, TSS.SS1 null: #TS without", int30, true);
        go("ring 3 #DE, TSS.SS1 null: #DF", divide, true);
        tss.ss1 = SEL_UDATA;
        go("ring 3 #UD, TSS.SS1 of ring 3", ud, true);
        go("ring 3 INT n, TSS.SS1 of ring 3", int30, true);
}
