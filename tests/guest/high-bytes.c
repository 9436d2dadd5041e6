/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * high-bytes.c - AH, CH, DH and BH as operands next to memory operands of every addressing form: a
 * translator that needs a REX prefix or a scratch register must not turn them into SPL and friends.
 */
#include "guest.h"

u8 bytes[64];

#define FORMS(F, r) \
        F(add, r) F(or, r) F(adc, r) F(sbb, r) F(and, r) F(sub, r) F(xor, r)

#define STORE(op, r) CODE(op##_m_##r, "stc\n " #op " byte ptr [edi], " #r "\n pushfd\n pop ebp");
#define LOAD(op, r) CODE(op##_l_##r, "stc\n " #op " " #r ", byte ptr [edi+esi*2+3]\n pushfd\n pop ebp");

FORMS(STORE, ah)
FORMS(STORE, ch)
FORMS(STORE, dh)
FORMS(STORE, bh)
FORMS(LOAD, ah)
FORMS(LOAD, ch)
FORMS(LOAD, dh)
FORMS(LOAD, bh)
CODE(mov_m, "mov [edi], ah\n mov [edi+1], ch\n mov [edi+2], dh\n mov [edi+3], bh");
CODE(mov_l, "mov ah, [edi]\n mov ch, [edi+1]\n mov dh, [edi+2]\n mov bh, [edi+3]");
CODE(mov_abs, "mov ah, byte ptr bytes+5\n mov byte ptr bytes+6, dh\n mov al, bytes+7\n mov bytes+8, al");
CODE(xchg_m, "xchg [edi], ah\n xchg ch, [edi+1]\n xchg [edi+2], dh\n xchg [edi+3], bh");
CODE(cmpxchg_m, "mov al, [edi]\n cmpxchg [edi], ch\n setz bl\n mov al, 0x77\n cmpxchg [edi+1], dh\n setz bh");
CODE(cmpxchg_ah, "mov al, ch\n cmpxchg ch, ah\n setz bl\n cmpxchg dh, bh\n setz bh");
CODE(xadd_m, "xadd [edi], ah\n lock xadd [edi+1], ch\n xadd dh, bh");
CODE(movx, "movzx eax, byte ptr [edi]\n movsx ecx, ch\n movzx edx, dh\n movsx bx, bh");
CODE(setcc, "xor eax, eax\n setz ah\n setnz [edi]\n setc ch\n sets bh");
CODE(shifts, "shl ah, 3\n sar ch, 1\n ror dh, 5\n rcl bh, 1\n mov cl, 2\n shr byte ptr [edi], cl");
CODE(mul_h, "mov al, 7\n mul ch\n mov ecx, eax\n mov al, 0x85\n imul dh\n mov edx, eax\n mov ax, 0x1234\n div bh");
CODE(inc_h, "inc ah\n dec ch\n neg dh\n not bh\n inc byte ptr [edi]\n test ah, ch\n pushfd\n pop ebp\n and ebp, 0x8c5");
CODE(test_h, "test [edi], dh\n pushfd\n pop ebp\n cmp bh, [edi]\n pushfd\n pop esi\n and ebp, 0x8c5\n and esi, 0x8d5");
CODE(lahf_h, "mov ah, 0xd5\n sahf\n lahf\n mov [edi], ah");
CODE(moffs, "mov al, bytes+9\n mov bytes+10, al\n mov ax, word ptr bytes+11\n mov eax, dword ptr bytes+13\n mov word ptr bytes+20, ax");
CODE(in_h, "mov ecx, 0x11223344\n xchg cl, ch\n xchg ah, al\n bswap ecx\n xchg bl, bh\n rol ax, 8\n rol ecx, 8");
CODE(esp_base, "push 0x44332211\n mov ah, [esp+1]\n add [esp+2], ch\n xchg dh, [esp+3]\n pop ebx");

static void go(const char *name, const void *code)
{
        u32 sum = 0;

        for (unsigned i = 0; i < sizeof bytes; i++)
                bytes[i] = (u8)(i * 37 + 11);
        context_init(code);
        ctx.eax = 0xa1b2c3d4;
        ctx.ecx = 0x15263748;
        ctx.edx = 0x9d8e7f60;
        ctx.ebx = 0x5a4b3c2d;
        ctx.edi = (u32)bytes;
        ctx.esi = 4;
        run();
        for (unsigned i = 0; i < sizeof bytes; i++)
                sum = sum * 31 + bytes[i];
        if (ctx.vector != VECTOR_DONE)
                report(name);
        /* AND, OR and XOR leave AF undefined. */
        if (name[0] == 'o' || name[0] == 'x' || name[1] == 'n')
                ctx.ebp &= ~(u32)FL_AF;
        print("%s: %X %X %X %X %x %x %X\n", name, ctx.eax, ctx.ecx, ctx.edx, ctx.ebx, ctx.ebp & 0x8d5,
              ctx.esi, sum);
}

#define GO(code) go(#code, code);
#define GO_STORE(op, r) GO(op##_m_##r)
#define GO_LOAD(op, r) GO(op##_l_##r)

void guest_main(void)
{
        print("guest: high-bytes\n");
        for (unsigned paged = 0; paged < 2; paged++) {
                if (paged)
                        paging_on();
                FORMS(GO_STORE, ah) FORMS(GO_STORE, ch) FORMS(GO_STORE, dh) FORMS(GO_STORE, bh)
                FORMS(GO_LOAD, ah) FORMS(GO_LOAD, ch) FORMS(GO_LOAD, dh) FORMS(GO_LOAD, bh)
                GO(mov_m) GO(mov_l) GO(mov_abs) GO(xchg_m) GO(cmpxchg_m) GO(cmpxchg_ah) GO(xadd_m)
                GO(movx) GO(setcc) GO(shifts) GO(mul_h) GO(inc_h) GO(test_h) GO(lahf_h) GO(moffs) GO(in_h) GO(esp_base)
        }
}
