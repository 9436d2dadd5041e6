/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kick.c - T8: a timer interrupt gets into tight loops of every shape, 20 times into each, at ring 0
 * and ring 3, and the interrupted state is exact (the loop's own invariant holds at each tick).
 */
#include "guest.h"

static volatile u32 ticks;
static u32 bad;
static u32 low, high;

static bool tick(struct context *frame)
{
        ticks++;
        if (frame->eip < low || frame->eip >= high)
                bad++;
        /* Every loop keeps EBX = ESI or is between the two instructions that change them. */
        if (frame->ebx != frame->esi && frame->ebx != frame->esi + 1)
                bad++;
        pic_eoi(0);
        return ticks < 20;
}

CODE(self_jump, "1: jmp 1b");
CODE(self_jump_near, "1: .byte 0xe9, 0xfb, 0xff, 0xff, 0xff");
CODE(two_jumps, "1: jmp 2f\n nop\n 2: jmp 1b");
CODE(counter, "1: inc ebx\n inc esi\n jmp 1b");
CODE(loop_, "1: mov ecx, 0x7fffffff\n 2: loop 2b\n jmp 1b");
CODE(jcc_, "xor eax, eax\n 1: test eax, eax\n jz 1b");
CODE(indirect, "mov edx, offset 1f\n 1: inc ebx\n inc esi\n jmp edx");
CODE(calls, "1: call 2f\n jmp 1b\n 2: inc ebx\n inc esi\n ret");
CODE(call_indirect, "mov edx, offset 2f\n 1: call edx\n jmp 1b\n 2: inc ebx\n inc esi\n ret");
CODE(push_ret, "1: push offset 1b\n ret");
CODE(rep_stos, "1: mov edi, offset area\n mov ecx, 4096\n rep stosb\n jmp 1b");
CODE(string_one, "1: mov edi, offset area\n stosd\n jmp 1b");
CODE(divs, "mov ecx, 3\n 1: mov eax, 1000\n xor edx, edx\n div ecx\n jmp 1b");
CODE(locked, "1: lock inc dword ptr [area]\n jmp 1b");
CODE(fpu, "fninit\n 1: fld1\n fstp st(0)\n jmp 1b");
CODE(flags, "1: pushfd\n popfd\n jmp 1b");
CODE(far_, "1: jmp fword ptr far_pointer\n 2:");
CODE(int_loop, "1: nop\n nop\n nop\n cmp eax, ebx\n setz al\n cmovz ecx, edx\n bswap edx\n jmp 1b");
CODE(table, "1: mov eax, 2\n jmp dword ptr [offset jump_table + eax*4]\n 2: inc ebx\n inc esi\n jmp 1b");

u8 area[8192];
struct { u32 offset; u16 selector; } __attribute__((packed)) far_pointer;
u32 jump_table[4];

static void spin(const char *name, const u8 *code, const u8 *end, bool user)
{
        if (user)
                context_init_user(code);
        else
                context_init(code);
        low = (u32)code;
        high = (u32)end;
        ticks = 0;
        bad = 0;
        far_pointer.offset = (u32)code;
        far_pointer.selector = user ? SEL_UCODE : SEL_CODE;
        for (unsigned i = 0; i < 4; i++)
                jump_table[i] = (u32)code;
        ctx.eflags |= FL_IF;
        pic_unmask(0);
        run();
        pic_mask_all();
        print("%s%s: vector=%x ticks=%u bad=%u\n", user ? "ring 3 " : "", name, ctx.vector, ticks, bad);
}

#define SPIN(code) do { spin(#code, code, code##_end, false); spin(#code, code, code##_end, true); } while (0)

void guest_main(void)
{
        print("guest: kick\n");
        hooks[0x20] = tick;
        pit_start(2, 1193);
        SPIN(self_jump);
        SPIN(self_jump_near);
        SPIN(two_jumps);
        SPIN(counter);
        SPIN(loop_);
        SPIN(jcc_);
        SPIN(indirect);
        SPIN(calls);
        SPIN(call_indirect);
        SPIN(push_ret);
        SPIN(rep_stos);
        SPIN(string_one);
        SPIN(divs);
        SPIN(locked);
        SPIN(fpu);
        SPIN(flags);
        SPIN(far_);
        SPIN(int_loop);
        SPIN(table);
        paging_on();
        SPIN(counter);
        SPIN(calls);
        SPIN(rep_stos);
}
