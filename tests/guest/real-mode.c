/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * real-mode.c - real mode: INT and IRET through the IVT, segment arithmetic, 64 KiB wrap, 66h and 67h,
 * 16-bit stack wrap (T4), far transfers, big-real mode, and a relocated IVT.
 */
#include "guest.h"

CODE16(r_int, "mov ax, 0x1234\n int 0x60\n mov bx, ax");
CODE16(r_handler, "mov bp, sp\n mov cx, [bp]\n mov dx, [bp+4]\n inc ax\n iret");
CODE16(r_int_flags, "sti\n mov cx, 0\n int 0x61\n pushf\n pop bx\n cli");
CODE16(r_handler_flags, "pushf\n pop ax\n iret");
CODE16(r_segments, "mov ax, 0x1000\n mov ds, ax\n mov word ptr [0x20], 0xbeef\n mov ax, 0x1002\n mov es, ax\n mov bx, es:[0]");
CODE16(r_high, "mov ax, 0xffff\n mov ds, ax\n mov bx, ds:[0x10]");
CODE16(r_ops32, "mov eax, 0x12345678\n mov ecx, 0x9abcdef0\n add eax, ecx\n mov ebx, 0x7400\n mov dword ptr [ebx], eax\n"
                "mov edx, dword ptr [ebx+ecx*1-0x9abcdef0]\n push eax\n pop esi\n shl eax, 4");
CODE16(r_address_wrap, "mov bx, 0xfffe\n mov si, 0x7406\n mov word ptr ds:[0x7404], 0x55aa\n mov ax, [bx+si]\n lea cx, [bx+si]\n"
                       "lea edx, [ebx+esi]");
CODE16(r_stack_wrap, "mov ax, ss\n mov bx, 0x2000\n mov ss, bx\n mov sp, 0\n push 0x1122\n push 0x3344\n mov cx, sp\n pop dx\n"
                     "pop si\n mov di, sp\n mov ss, ax\n mov sp, 0x7000");
CODE16(r_stack_upper, "mov esp, 0xabcd7000\n push ax\n mov ebx, esp\n pop ax\n mov ecx, esp\n mov esp, 0x7000");
CODE16(r_push32, "push eax\n pushd 0x55667788\n mov ax, [esp]\n mov bx, sp\n pop ecx\n pop edx");
CODE16(r_far, "push cs\n push offset 1f\n .byte 0xea\n .word 2f, 0\n 1: mov bx, 0x77\n jmp 3f\n 2: mov cx, 0x66\n retf\n 3:");
CODE16(r_far_segment, ".byte 0xea\n .word 1f - 0x8000, 0x800\n 1: mov ax, cs\n .byte 0xea\n .word 2f, 0\n 2: mov bx, cs");
CODE16(r_far32, ".byte 0x66, 0xea\n .long 1f\n .word 0\n 1: mov ax, 0x99");
CODE16(r_div, "xor bx, bx\n div bx");
CODE16(r_bound, "mov word ptr ds:[0x7400], 1\n mov word ptr ds:[0x7402], 5\n mov ax, 6\n bound ax, ds:[0x7400]");
CODE16(r_into, "mov al, 0x80\n dec al\n into");
CODE16(r_pusha, "mov ax, 1\n mov cx, 2\n mov dx, 3\n mov bx, 4\n mov bp, 5\n mov si, 6\n mov di, 7\n pusha\n mov ax, 0\n mov di, 0\n"
                "mov bp, sp\n mov cx, [bp+6]\n popa\n mov bx, sp");
CODE16(r_enter, "mov bp, 0x6f00\n mov word ptr ds:[0x6efe], 0x1111\n enter 8, 2\n mov ax, bp\n mov bx, sp\n mov cx, [bp-2]\n"
                "mov dx, [bp-4]\n leave\n mov si, sp");
CODE16(r_les, "mov word ptr ds:[0x7400], 0x1111\n mov word ptr ds:[0x7402], 0x2222\n les bx, ds:[0x7400]\n mov dx, es");
CODE16(r_loop, "mov ecx, 0x10003\n mov ax, 0\n 1: inc ax\n loop 1b\n mov edx, ecx\n mov ecx, 0x10002\n mov bx, 0\n"
               "2: inc bx\n cmp bx, 10\n jz 3f\n .byte 0x67\n loop 2b\n 3: jcxz 4f\n mov si, 1\n 4: mov cx, 0\n jcxz 5f\n mov si, 2\n"
               "5: .byte 0x67\n jcxz 6f\n mov di, 3\n 6:");
CODE16(r_string_wrap, "cld\n mov ax, 0x2000\n mov ds, ax\n mov es, ax\n mov di, 0xfffe\n mov al, 0x41\n mov cx, 4\n rep stosb\n"
                      "mov dx, di\n mov ax, ds:[0]\n mov bx, ds:[0xfffe]");
CODE16(r_string32, "mov ecx, 0x10\n mov edi, 0x7400\n mov eax, 0x61626364\n .byte 0x67\n rep stosd\n mov bx, ds:[0x743e]");
CODE16(r_xlat, "mov bx, 0xfff0\n mov al, 0x20\n mov byte ptr ds:[0x10], 0x3c\n xlatb");
CODE16(r_smsw, "smsw ax\n and ax, 1");
CODE16(r_unreal, "lgdtd cs:[guest_gdtr_low]\n mov eax, cr0\n or al, 1\n mov cr0, eax\n mov bx, 0x10\n mov fs, bx\n and al, 0xfe\n"
                 "mov cr0, eax\n xor ax, ax\n mov fs, ax\n mov ebx, 0x900000\n mov eax, fs:[ebx]\n mov dword ptr fs:[ebx+4], 0x600dcafe");
CODE16(r_lidt, "lidt ds:[0x7480]\n int 0x01\n mov bx, ax\n lidt ds:[0x7488]");
CODE16(r_new_handler, "mov ax, 0x7777\n iret");

static void go(const char *name, const void *code)
{
        context_init_real(code);
        run_real();
        report(name);
        print("  ax=%x bx=%x cx=%x dx=%x si=%x di=%x sp=%x\n", ctx.eax, ctx.ebx, ctx.ecx, ctx.edx, ctx.esi, ctx.edi, ctx.esp);
}

void guest_main(void)
{
        u32 *ivt = mem32(0);

        print("guest: real-mode\n");
        ivt[0x60] = (u32)r_handler;
        ivt[0x61] = (u32)r_handler_flags;
        go("int", r_int);
        check("  return address", ctx.ecx == (u32)r_int + 5);
        go("int clears IF, iret restores it", r_int_flags);
        go("segments overlap", r_segments);
        go("ffff:10", r_high);
        go("32-bit operations", r_ops32);
        go("16-bit addresses wrap", r_address_wrap);
        go("stack wraps", r_stack_wrap);
        go("upper half of esp", r_stack_upper);
        go("push of 32 bits", r_push32);
        go("far jmp, retf", r_far);
        go("far jmp, other base", r_far_segment);
        go("far jmp o32", r_far32);
        go("div", r_div);
        go("bound", r_bound);
        go("into", r_into);
        go("pusha", r_pusha);
        go("enter", r_enter);
        go("les", r_les);
        go("loop, jcxz, 67h", r_loop);
        go("rep stosb wraps di", r_string_wrap);
        go("67h rep stosd", r_string32);
        go("xlat wraps", r_xlat);
        go("smsw", r_smsw);

        *mem32(0x900000) = 0x0badf00d;
        go("big real", r_unreal);
        check("  written", *mem32(0x900004) == 0x600dcafe);

        /* The IVT elsewhere. */
        *mem16(0x7480) = 7;
        *(volatile u16 *)mem16(0x7482) = 0x7500;
        *(volatile u16 *)mem16(0x7484) = 0;
        *mem16(0x7488) = 0x3ff;
        *(volatile u32 *)mem32(0x748a) = 0;
        *mem32(0x7504) = (u32)r_new_handler;
        go("IVT moved", r_lidt);
}
