/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostile.c - random bytes run as code in ring 3 (32- and 16-bit segments, and a conforming one)
 * and virtual-8086 mode, with a fixed seed: each round ends by a fault, an INT or the timer.  Nothing a
 * round does may change the supervisor's memory, and nothing may end the machine.
 *
 * What each round ends with differs between processors, so only the end is printed.
 */
#include "guest.h"

#ifndef ROUNDS
#define ROUNDS 1500
#endif
#ifndef SEED
#define SEED 0x1d872b41
#endif
enum { BYTES = 512 };
#define PLAY ARENA              /* 64 KiB of user memory, code and data */

static u32 seed = SEED;
static volatile u32 ticks;
static u32 ends[256];

static u32 next(void)
{
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        return seed;
}

static bool tick(struct context *frame)
{
        (void)frame;
        ticks++;
        pic_eoi(0);
        return false;
}

static u32 checksum(u32 from, u32 to)
{
        u32 sum = 0;

        for (u32 a = from; a < to; a += 4)
                sum = sum * 33 + *mem32(a);
        return sum;
}

extern u8 guest_rodata_end[];

static void fill_random(u32 address)
{
        /* Half of the rounds: opcodes that decode, more often; the others pure noise. */
        static const u8 likely[] = { 0x0f, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x64, 0x8b, 0x89, 0xff, 0x8e, 0xcd, 0xea, 0x9a, 0xcf, 0x9d,
                0xc4, 0xc5, 0xd8, 0xdd, 0xae, 0xa4, 0xa5, 0xab, 0xe8, 0xe9, 0x75, 0xe2, 0xc8, 0xc9, 0x01, 0x00 };
        bool mixed = next() & 1;

        for (u32 i = 0; i < BYTES; i++) {
                u32 r = next();

                *mem8(address + i) = mixed && (r & 0x300) ? likely[(r >> 16) % sizeof likely] : (u8)r;
        }
}

static void run_round(unsigned kind)
{
        u32 offset = next() & 0xefff;

        fill_random(PLAY + offset);
        switch (kind) {
        case 0:
                context_init_user((void *)(PLAY + offset));
                break;
        case 1:
                context_init_user((void *)offset);
                ctx.cs = SEL_FREE | 3;
                ctx.ss = ctx.ds = ctx.es = (SEL_FREE + 8) | 3;
                break;
        case 2:
                context_init_v86((void *)offset, 0);
                /* Linear 10000h is the start of PLAY. */
                ctx.cs = ctx.ds = ctx.es = ctx.ss = 0x1000;
                break;
        default:
                context_init((void *)(PLAY + offset));
                ctx.cs = (SEL_FREE + 16) | 3;
                ctx.ss = ctx.ds = ctx.es = ctx.fs = ctx.gs = (SEL_FREE + 24) | 3;
                break;
        }
        ctx.eax = next();
        ctx.ecx = next() & 0xffff;
        ctx.edx = next();
        ctx.ebx = PLAY + (next() & 0xffff);
        ctx.ebp = PLAY + (next() & 0xffff);
        ctx.esi = PLAY + (next() & 0xffff);
        ctx.edi = PLAY + (next() & 0xffff);
        ctx.esp = kind == 0 || kind == 3 ? PLAY + 0x8000 : 0x8000;
        ctx.eflags |= FL_IF | (next() & FL_ARITH);
        run();
        ends[ctx.vector & 0xff]++;
        asm volatile("clts");
}

void guest_main(void)
{
        u32 before, total = 0;

        print("guest: hostile\n");
        write_cr0(read_cr0() | 0x10020);
        write_cr4(read_cr4() | 0x600);
        gdt_set(SEL_FREE, descriptor(PLAY, 0xffff, ACC_CODE | ACC_DPL3, 0));
        gdt_set(SEL_FREE + 8, descriptor(PLAY, 0xffff, ACC_DATA | ACC_DPL3, 0));
        gdt_set(SEL_FREE + 16, descriptor(0, 0xfffff, ACC_CODE_CONFORMING | ACC_DPL3, SEG_32));
        gdt_set(SEL_FREE + 24, descriptor(0, 0xfffff, ACC_DATA | ACC_DPL3, SEG_32));
        /* Everything is the supervisor's, but PLAY, and PLAY again at linear 10000h. */
        for (u32 a = 0; a < 0x01000000; a += 0x1000)
                page_map(a, a, PTE_P | PTE_W);
        for (u32 a = 0; a < 0x10000; a += 0x1000) {
                page_map(PLAY + a, PLAY + a, PTE_ALL);
                page_map(0x10000 + a, PLAY + a, PTE_ALL);
        }
        paging_on();
        asm volatile("fninit");
        hooks[0x20] = tick;
        pit_start(2, 2000);
        pic_unmask(0);
        before = checksum(0x100000, (u32)guest_rodata_end);
        for (unsigned i = 0; i < ROUNDS; i++)
                run_round(i & 3);
        pic_mask_all();
        for (unsigned i = 0; i < 256; i++)
                total += ends[i];
        check("rounds", total == ROUNDS);
        check("many kinds of end", ends[6] && ends[13] && ends[14]);
        check("the supervisor's code", checksum(0x100000, (u32)guest_rodata_end) == before);
        print("rounds done\n");
}
