/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * long-blocks.c - long straight runs of the instructions that cost a translator most: two memory
 * operands each, in segments with limits and bases, in real mode, virtual-8086 mode, 16- and 32-bit
 * protected mode, with and without alignment checks.
 */
#include "guest.h"

#define SIXTEEN(x) x x x x x x x x x x x x x x x x
#define MANY(x) SIXTEEN(x) SIXTEEN(x) SIXTEEN(x) SIXTEEN(x) SIXTEEN(x) SIXTEEN(x)

#define LIST(F) \
        F(pushes, "push [bx]\n pop [bx+2]\n") \
        F(movs, "movsw\n") \
        F(cmps, "cmpsb\n") \
        F(rmw, "add [bx+si], ax\n") \
        F(calls, "call 1f\n 1: add sp, 2\n") \
        F(branches, "jnz 9f\n") \
        F(locked, "lock xadd [bx], ax\n") \
        F(wide, "fld qword ptr [bx]\n fstp qword ptr [bx+16]\n") \
        F(pairs, "lea dx, [bx]\n bound dx, [bx+32]\n") \
        F(pusha, "pusha\n popa\n") \
        F(enters, "enter 4, 3\n leave\n") \
        F(bts_, "bts [bx], cx\n") \
        F(divs, "div word ptr [bx+8]\n")
#define CODE_16(name, text) CODE16(name##16, "mov ax, 0\n mov bx, 0x7400\n xor dx, dx\n cmp ax, ax\n" MANY(text) "9:\n");
LIST(CODE_16)

static void set(void)
{
        memset(mem8(0x7400), 0, 64);
        *mem16(0x7422) = 0x7fff;
        *mem16(0x7408) = 3;
}

static void go(const char *name, const void *code)
{
        print("%s:", name);
        for (unsigned kind = 0; kind < 6; kind++) {
                set();
                switch (kind) {
                case 0:
                        context_init_real(code);
                        break;
                case 1:
                        context_init_v86(code, 3);
                        break;
                case 2:
                case 3:
                        context_init(code);
                        ctx.cs = SEL_FREE | 3;
                        ctx.ss = ctx.ds = ctx.es = (SEL_FREE + 8) | 3;
                        ctx.eflags |= kind == 3 ? FL_AC : 0;
                        break;
                default:
                        context_init(code);
                        ctx.cs = SEL_CODE16;
                        ctx.ss = ctx.ds = ctx.es = kind == 4 ? SEL_DATA16 : SEL_DATA;
                        break;
                }
                ctx.esp = 0x7000;
                ctx.ebp = 0x6800;
                ctx.esi = ctx.edi = 0x7600;
                if (kind == 0)
                        run_real();
                else
                        run();
                print(" %x", ctx.vector);
        }
        print("\n");
}

#define GO_16(name, text) go(#name, name##16);

void guest_main(void)
{
        print("guest: long-blocks\n");
        write_cr0(read_cr0() | 0x40020);
        gdt_set(SEL_FREE, descriptor(0, 0xffff, ACC_CODE | ACC_DPL3, 0));
        gdt_set(SEL_FREE + 8, descriptor(0, 0xffff, ACC_DATA | ACC_DPL3, 0));
        LIST(GO_16)
}
