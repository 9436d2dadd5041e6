/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paging-large.c - PSE 4 MiB pages, PGE and what keeps a global entry, PAE with 4 KiB and 2 MiB pages
 * and NX (SDM 3A 4.3, 4.4, 4.6, 4.10).  QEMU 7.2 reports reserved bits without P and reads the PDPTEs
 * from memory at each walk.
 */
#include "guest.h"

CODE(read, "mov eax, [ebx]");
CODE(write, "mov [ebx], eax");
CODE(fetch, "jmp ebx");

static u64 pdpt[4] __attribute__((aligned(32)));
static u64 pae_directory[512] __attribute__((aligned(4096)));
static u64 pae_table[512] __attribute__((aligned(4096)));

static void go(const char *name, const void *code, u32 address, bool user)
{
        if (user)
                context_init_user(code);
        else
                context_init(code);
        ctx.ebx = address;
        run();
        if (code == fetch && ctx.vector != VECTOR_DONE)
                ctx_start = address;
        report(name);
}

#define NX (1ull << 63)

static void pae_map(u64 flags)
{
        pae_table[0] = ARENA | flags;
        invlpg(ARENA);
}

void guest_main(void)
{
        u32 r[4];

        print("guest: paging-large\n");
        cpuid(1, 0, r);
        check("PSE, PGE, PAE in CPUID", (r[3] & 0x2048) == 0x2048);
        *mem32(ARENA) = 0xaaaaaaaa;
        *mem32(ARENA + 0x400000) = 0xbbbbbbbb;
        *mem16(ARENA + 0x800) = 0x40cd;

        /* 4 MiB pages: linear 10000000h. */
        write_cr4(read_cr4() | 0x10);
        paging_on();
        page_directory[64] = ARENA | PTE_ALL | PTE_PS;
        print("4M: %x\n", *mem32(0x10000000));
        print("A=%u D=%u\n", page_directory[64] >> 5 & 1, page_directory[64] >> 6 & 1);
        go("write", write, 0x10000004, false);
        print("A=%u D=%u\n", page_directory[64] >> 5 & 1, page_directory[64] >> 6 & 1);
        go("last bytes", read, 0x103ffffc, true);
        go("past", read, 0x10400000, true);
        page_directory[64] = ARENA | PTE_P | PTE_PS;
        write_cr3(read_cr3());
        go("user", read, 0x10000000, true);
        write_cr0(read_cr0() | 0x10000);
        go("write read-only", write, 0x10000abc, false);
        page_directory[64] = (ARENA + 0x400000) | PTE_ALL | PTE_PS;
        invlpg(0x10012345);
        print("invlpg anywhere in it: %x\n", *mem32(0x10000000));
        page_directory[64] = (ARENA | PTE_ALL | PTE_PS) + 0x200000;
        write_cr3(read_cr3());
        go("reserved bit 21 of the PDE", read, 0x10000000, false);
        page_directory[64] = 0;

        /* Global pages survive a CR3 load, not INVLPG and not a change of CR4.PGE.  That they may be
         * dropped at any time makes "old" or "new" both right while cached; only the end is printed. */
        write_cr4(read_cr4() | 0x80);
        page_map(ARENA, ARENA, PTE_ALL | PTE_G);
        print("global: %x\n", *mem32(ARENA));
        page_map(ARENA, ARENA + 0x400000, PTE_ALL | PTE_G);
        print("invlpg: %x\n", *mem32(ARENA));
        page_tables[2][0] = ARENA | PTE_ALL | PTE_G;
        write_cr4(read_cr4() & ~0x80u);
        print("PGE cleared: %x\n", *mem32(ARENA));
        page_map(ARENA, ARENA, PTE_ALL);
        paging_off();
        write_cr4(read_cr4() & ~0x90u);

        /* PAE */
        for (unsigned i = 0; i < 8; i++)
                pae_directory[i] = i * 0x200000ull | PTE_ALL | PTE_PS;
        pdpt[0] = (u32)pae_directory | PTE_P;
        pae_directory[4] = (u32)pae_table | PTE_ALL;
        for (unsigned i = 0; i < 512; i++)
                pae_table[i] = (ARENA + i * 0x1000ull) | PTE_ALL;
        write_cr4(read_cr4() | 0x20);
        write_cr3((u32)pdpt);
        write_cr0(read_cr0() | 0x80000000u);
        print("PAE: %x %x\n", *mem32(ARENA), *mem32(ARENA + 0x400000));
        print("A of 2M=%u\n", (u32)pae_directory[6] >> 5 & 1);
        go("not in the PDPT", read, 0x40000000, false);
        go("not in the directory", read, 0x3f000000, true);
        pae_map(PTE_P);
        go("user", read, ARENA, true);
        go("write", write, ARENA, false);
        pae_map(PTE_ALL | 1ull << 51);
        go("reserved bit 51", read, ARENA, false);
        pae_map(PTE_ALL | NX);
        go("NX without NXE", read, ARENA, false);
        cpuid(0x80000001, 0, r);
        check("NX in CPUID", r[3] >> 20 & 1);
        wrmsr(0xc0000080, rdmsr(0xc0000080) | 0x800);
        pae_map(PTE_ALL | NX);
        go("NX read", read, ARENA, false);
        go("NX fetch", fetch, ARENA + 0x800, false);
        go("NX user fetch", fetch, ARENA + 0x800, true);
        pae_map(PTE_ALL);
        go("fetch", fetch, ARENA + 0x800, true);
        pae_map(0);
        go("absent fetch with NXE", fetch, ARENA + 0x800, true);
        pae_map(PTE_P | PTE_W);
        go("supervisor page, user fetch", fetch, ARENA + 0x800, true);
        pae_map(PTE_ALL);
        pae_directory[4] |= NX;
        write_cr3(read_cr3());
        go("NX in the directory", fetch, ARENA + 0x800, false);
        pae_directory[4] &= ~NX;
        pae_directory[7] |= NX;
        write_cr3(read_cr3());
        go("NX 2M page", fetch, 0xe00000, false);

        /* The PDPTEs are loaded with CR3: changing memory alone does nothing. */
        pdpt[1] = (u32)pae_directory | PTE_P;
        go("PDPTE not loaded yet", read, 0x40000000, false);
        write_cr3(read_cr3());
        go("PDPTE loaded", read, 0x40000000, false);
}
