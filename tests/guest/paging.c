/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paging.c - page faults of every error code, CR2 and the saved EIP, WP, U/S at both levels, accessed
 * and dirty bits, INVLPG and CR3, global and large pages (SDM 3A 4).
 */
#include "guest.h"

CODE(read, "nop\n mov eax, [ebx]");
CODE(write, "nop\n mov [ebx], eax");
CODE(rmw, "nop\n add [ebx], eax");
CODE(fetch, "nop\n jmp ebx");
CODE(cmpxchg, "nop\n cmpxchg [ebx], ecx");
CODE(locked, "nop\n lock inc dword ptr [ebx]");

/* Did the last read, of the same privilege, succeed? */
static bool readable = true;

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
        /* A read-modify-write that may not even read: whether W is set is the processor's choice
         * (SDM 3A 4.7 speaks of "the access"; hardware sets it, QEMU does not). */
        if (code == rmw && !readable)
                ctx.error &= ~2u;
        if (code == read)
                readable = ctx.vector != 14;
        report(name);
}

static void all(const char *name)
{
        print("%s\n", name);
        go(" read", read, ARENA + 0x123, false);
        go(" write", write, ARENA + 0x123, false);
        go(" rmw", rmw, ARENA + 0x123, false);
        go(" user read", read, ARENA + 0x123, true);
        go(" user write", write, ARENA + 0x123, true);
        go(" user rmw", rmw, ARENA + 0x123, true);
        go(" user fetch", fetch, ARENA + 0x800, true);
        go(" fetch", fetch, ARENA + 0x800, false);
}

static void bits(const char *name)
{
        print("%s: A=%u D=%u pdeA=%u\n", name, page_entry(ARENA) >> 5 & 1, page_entry(ARENA) >> 6 & 1,
              page_directory[2] >> 5 & 1);
}

static void clear_bits(void)
{
        page_map(ARENA, ARENA, PTE_ALL);
        page_directory[2] &= ~(u32)PTE_A;
        write_cr3(read_cr3());
}

void guest_main(void)
{
        print("guest: paging\n");
        *mem16(ARENA + 0x800) = 0x40cd; /* INT 40h, for the fetches */
        *mem32(ARENA + 0x1000) = 0x11111111;
        *mem32(ARENA + 0x2000) = 0x22222222;
        paging_on();
        for (unsigned wp = 0; wp < 2; wp++) {
                write_cr0((read_cr0() & ~0x10000u) | wp << 16);
                print("WP=%u\n", wp);
                page_map(ARENA, ARENA, 0);
                all("not present");
                page_map(ARENA, ARENA, PTE_P);
                all("supervisor read-only");
                page_map(ARENA, ARENA, PTE_P | PTE_W);
                all("supervisor writable");
                page_map(ARENA, ARENA, PTE_P | PTE_U);
                all("user read-only");
                page_map(ARENA, ARENA, PTE_P | PTE_U | PTE_W);
                all("user writable");
                page_directory[2] &= ~(u32)PTE_W;
                write_cr3(read_cr3());
                all("directory read-only");
                page_directory[2] = (page_directory[2] | PTE_W) & ~(u32)PTE_U;
                write_cr3(read_cr3());
                all("directory supervisor");
                page_directory[2] &= ~(u32)PTE_P;
                write_cr3(read_cr3());
                all("directory not present");
                page_directory[2] |= PTE_ALL;
                write_cr3(read_cr3());
        }

        clear_bits();
        bits("clear");
        go("read", read, ARENA, false);
        bits("read");
        clear_bits();
        go("write", write, ARENA, false);
        bits("write");
        clear_bits();
        go("read first", read, ARENA, false);
        go("then write", write, ARENA, false);
        bits("both");
        clear_bits();
        go("fetch", fetch, ARENA + 0x800, false);
        bits("fetch");
        clear_bits();
        go("rmw", locked, ARENA, false);
        bits("rmw");
        clear_bits();
        context_init(cmpxchg);
        ctx.ebx = ARENA;
        ctx.eax = *mem32(ARENA) + 1;
        clear_bits();
        run();
        bits("failed cmpxchg");
        page_map(ARENA, ARENA, PTE_P | PTE_U);
        go("user write to read-only", write, ARENA, true);
        print("refused write: D=%u\n", page_entry(ARENA) >> 6 & 1);

        /* Remapping: visible after INVLPG, after a CR3 load; a not-present entry is never cached. */
        page_map(ARENA, ARENA + 0x1000, PTE_ALL);
        print("first: %x\n", *mem32(ARENA));
        page_map(ARENA, ARENA + 0x2000, PTE_ALL);
        print("after invlpg: %x\n", *mem32(ARENA));
        page_tables[2][0] = (ARENA + 0x1000) | PTE_ALL;
        write_cr3(read_cr3());
        print("after cr3: %x\n", *mem32(ARENA));
        page_map(ARENA, ARENA, 0);
        go("absent", read, ARENA, false);
        ((volatile u32 *)page_tables[2])[0] = (ARENA + 0x2000) | PTE_ALL;
        print("present now, no invlpg: %x\n", *mem32(ARENA));
        page_map(ARENA, ARENA + 0x2000, PTE_P | PTE_U);
        write_cr0(read_cr0() | 0x10000u);
        go("read-only", write, ARENA, false);
        ((volatile u32 *)page_tables[2])[0] |= PTE_W;
        go("writable now, no invlpg, after a fault", write, ARENA, false);

        /* CR2 keeps its value, and MOV to CR2 works. */
        asm volatile("movl %0, %%cr2" :: "r"(0x12345678));
        print("cr2=%x\n", read_cr2());
}
