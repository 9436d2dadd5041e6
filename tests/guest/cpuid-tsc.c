/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid-tsc.c - CPUID is sane, RDTSC never runs backwards and is refused by CR4.TSD in ring 3, the ID
 * flag toggles; EAX only chooses the leaf.
 */
#include "guest.h"

CODE(tsc, "rdtsc");
CODE(tsc_pairs, "mov ecx, 10000\n 1: rdtsc\n mov esi, eax\n mov edi, edx\n rdtsc\n sub eax, esi\n sbb edx, edi\n js 2f\n dec ecx\n jnz 1b\n 2:");
CODE(id_flag, "pushfd\n pop eax\n mov ecx, eax\n xor eax, 0x200000\n push eax\n popfd\n pushfd\n pop eax\n xor eax, ecx\n push ecx\n popfd");
CODE(cpuid_user, "xor eax, eax\n xor ecx, ecx\n cpuid");
CODE(cpuid_flags, "mov eax, 0xd5\n push eax\n popfd\n xor eax, eax\n cpuid\n pushfd\n pop eax");

void guest_main(void)
{
        u32 r[4], s[4];

        print("guest: cpuid-tsc\n");
        cpuid(0, 0, r);
        check("highest leaf", r[0] >= 1 && r[0] < 0x100);
        bool text = true;
        for (unsigned i = 0; i < 12; i++) {
                u8 c = ((u8 *)&r[1])[i];

                text = text && c >= ' ' && c < 0x7f;
        }
        check("vendor is text", text);
        cpuid(1, 0, r);
        check("FPU PSE TSC MSR PAE CX8 PGE CMOV MMX FXSR SSE SSE2", (r[3] & 0x0780a179) == 0x0780a179);
        check("family", (r[0] >> 8 & 15) >= 4);
        check("APIC id 0", r[1] >> 24 == 0);
        cpuid(1, 0, s);
        check("the same twice", r[0] == s[0] && r[2] == s[2] && r[3] == s[3]);
        cpuid(0x80000000, 0, r);
        check("extended leaves", r[0] >= 0x80000000 && r[0] < 0x80000100);
        cpuid(0x40000000, 0, r);
        try("toggle ID", id_flag);
        print("%x\n", ctx.eax);
        try("cpuid in ring 0", cpuid_user);
        u32 ebx = ctx.ebx;
        try_user("cpuid in ring 3", cpuid_user);
        check("the same", ebx == ctx.ebx);
        try("cpuid keeps flags", cpuid_flags);
        print("%x\n", ctx.eax & FL_ARITH);

        u64 last = rdtsc();
        bool forward = true;
        for (unsigned i = 0; i < 20000; i++) {
                u64 now = rdtsc();

                forward = forward && now >= last;
                last = now;
        }
        check("tsc forward", forward);
        try_user("pairs in ring 3", tsc_pairs);
        print("left %u\n", ctx.ecx);
        write_cr4(read_cr4() | 4);
        try("TSD, ring 0", tsc);
        try_user("TSD, ring 3", tsc);
        write_cr4(read_cr4() & ~4u);
        try_user("no TSD, ring 3", tsc);
}
