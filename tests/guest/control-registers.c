/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control-registers.c - what MOV to CR0, CR3 and CR4, WRMSR and RDMSR refuse, and SMSW, LMSW, CLTS.
 *
 * QEMU 7.2 does not refuse bad CR0 values and unknown MSRs, so this is not run there.
 */
#include "guest.h"

CODE(bad_rdmsr, "mov ecx, 0x12345678\n rdmsr");
CODE(bad_wrmsr, "mov ecx, 0x12345678\n wrmsr");
CODE(pg_no_pe, "mov eax, 0x80000010\n mov cr0, eax");
CODE(nw_no_cd, "mov eax, cr0\n and eax, 0xbfffffff\n or eax, 0x20000000\n mov cr0, eax");
CODE(cr4_reserved, "mov eax, cr4\n or eax, 0x80000000\n mov cr4, eax");
CODE(lmsw_pe, "smsw eax\n and eax, 0xfffe\n lmsw ax\n smsw ebx");
CODE(lmsw_ts, "smsw eax\n or eax, 8\n lmsw ax\n smsw ebx\n clts\n smsw ecx");
CODE(smsw_memory, "mov dword ptr [esp-4], -1\n smsw [esp-4]\n mov eax, [esp-4]\n mov ebx, cr0");
CODE(efer_reserved, "mov ecx, 0xc0000080\n rdmsr\n or eax, 2\n wrmsr");

void guest_main(void)
{
        print("guest: control-registers\n");
        try("rdmsr of no MSR", bad_rdmsr);
        try("wrmsr of no MSR", bad_wrmsr);
        try("PG without PE", pg_no_pe);
        try("NW without CD", nw_no_cd);
        try("reserved bit of CR4", cr4_reserved);
        try("lmsw cannot clear PE", lmsw_pe);
        print("PE=%u\n", ctx.ebx & 1);
        try("lmsw sets TS, clts clears it", lmsw_ts);
        print("TS=%u TS=%u\n", ctx.ebx >> 3 & 1, ctx.ecx >> 3 & 1);
        try("smsw to memory is 16 bits wide", smsw_memory);
        check("smsw value", ctx.eax == ((ctx.ebx & 0xffff) | 0xffff0000));
        try("reserved bit of EFER", efer_reserved);
}
