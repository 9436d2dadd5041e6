/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fetch-crossing.c - instructions that lie across a page end: the second page absent, no-access or
 * remapped; straight-line code that runs into an absent page; code pages remapped with INVLPG.
 */
#include "guest.h"

#define EDGE (ARENA + 0x1000)

static const u8 mov_eax[] = { 0xb8, 0x11, 0x22, 0x33, 0x44, 0xcd, 0x40 };      /* mov eax, imm32; int 40h */
static const u8 nops[] = { 0x40, 0x40, 0x40, 0x40 };                            /* inc eax */

static void at(const char *name, u32 address, bool user)
{
        if (user)
                context_init_user((void *)address);
        else
                context_init((void *)address);
        run();
        report(name);
        if (ctx.eax)
                print("  eax=%x\n", ctx.eax);
}

static void edge(u32 physical, u32 flags)
{
        page_map(EDGE, physical, flags);
}

void guest_main(void)
{
        print("guest: fetch-crossing\n");
        paging_on();
        for (int split = 1; split <= 5; split++) {
                edge(EDGE, PTE_ALL);
                memcpy(mem8(EDGE - (u32)split), mov_eax, sizeof mov_eax);
                edge(EDGE, 0);
                print("split %d\n", split);
                at(" absent", EDGE - (u32)split, false);
                at(" absent, ring 3", EDGE - (u32)split, true);
                edge(EDGE, PTE_P | PTE_W);
                at(" supervisor, ring 3", EDGE - (u32)split, true);
                at(" supervisor, ring 0", EDGE - (u32)split, false);
                edge(EDGE, PTE_ALL);
                at(" present", EDGE - (u32)split, true);
                edge(EDGE, 0);
                at(" absent again", EDGE - (u32)split, true);
                /* Another page with other bytes. */
                edge(ARENA + 0x5000, PTE_ALL);
                memcpy(mem8(EDGE), mov_eax + split, sizeof mov_eax - (u32)split);
                if (split < 5)
                        *mem8(EDGE) ^= 0xff;
                at(" remapped", EDGE - (u32)split, true);
                edge(EDGE, PTE_ALL);
                at(" and back", EDGE - (u32)split, true);
        }

        /* Straight into an absent page: all before has executed. */
        memcpy(mem8(EDGE - 4), nops, 4);
        edge(EDGE, 0);
        at("runs off the page", EDGE - 4, false);
        at("runs off the page, ring 3", EDGE - 4, true);
        /* A jump over the edge is not a fetch of what it skips. */
        edge(EDGE, PTE_ALL);
        *mem16(EDGE - 2) = 0x04eb;      /* jmp +4 */
        *mem16(EDGE + 4) = 0x40cd;
        at("jump across", EDGE - 2, true);
        edge(EDGE, 0);
        at("jump across to absent", EDGE - 2, true);
        print("  eip=%x\n", ctx.eip);

        /* A whole code page replaced under hot code. */
        page_map(ARENA, ARENA, PTE_ALL);
        memcpy(mem8(ARENA + 0x6000), mov_eax, sizeof mov_eax);
        memcpy(mem8(ARENA + 0x7000), mov_eax, sizeof mov_eax);
        *mem8(ARENA + 0x7001) = 0x99;
        for (int i = 0; i < 3; i++) {
                page_map(ARENA, ARENA + 0x6000, PTE_ALL);
                at("page one", ARENA, true);
                page_map(ARENA, ARENA + 0x7000, PTE_ALL);
                at("page two", ARENA, true);
                page_tables[2][0] = (ARENA + 0x6000) | PTE_ALL;
                write_cr3(read_cr3());
                at("page one by CR3", ARENA, true);
        }
        /* Both at once through two linear addresses. */
        page_map(ARENA, ARENA + 0x6000, PTE_ALL);
        page_map(EDGE, ARENA + 0x7000, PTE_ALL);
        at("first", ARENA, true);
        at("second", EDGE, true);
        at("first", ARENA, true);
}
