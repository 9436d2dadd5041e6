/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * real.S - guest_run_real(): the way from flat protected mode to real mode and back.
 *
 * Lives in .low, where segment 0 reaches it.  Every vector of the IVT leads to a stub here that
 * records the context as the protected-mode stubs do.
 */
#define FRAME(offset) guest_frame+offset

        .section .low, "awx"
        .code32
        .globl guest_run_real
guest_run_real:
        pushl %ebx
        pushl %esi
        pushl %edi
        pushl %ebp
        pushfl
        movl %esp, guest_resume_esp
        .globl guest_load_real
guest_load_real:
        lidt real_idtr
        ljmp $0x28, $1f
        .code16
1:      movw $0x30, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        movw %ax, %ss
        movl %cr0, %eax
        andb $0xfe, %al
        movl %eax, %cr0
        ljmp $0, $2f
2:      xorw %ax, %ax
        movw %ax, %ds
        movw FRAME(72), %ss
        movl FRAME(68), %esp
        pushl FRAME(64)
        pushl FRAME(60)
        pushl FRAME(56)
        movw FRAME(8), %es
        movw FRAME(4), %fs
        movw FRAME(0), %gs
        pushw FRAME(12)
        movl FRAME(16), %edi
        movl FRAME(20), %esi
        movl FRAME(24), %ebp
        movl FRAME(32), %ebx
        movl FRAME(36), %edx
        movl FRAME(40), %ecx
        movl FRAME(44), %eax
        popw %ds
        iretl

        .balign 8
        .globl guest_real_stubs
guest_real_stubs:
        .set vector, 0
        .rept 256
        .balign 8
        pushw $vector
        jmp real_common
        .set vector, vector + 1
        .endr

real_common:
        cld
        pushal
        pushw %ds
        pushw %es
        pushw %fs
        pushw %gs
        xorw %ax, %ax
        movw %ax, %ds
        movl $0, FRAME(0)
        movl $0, FRAME(4)
        movl $0, FRAME(8)
        movl $0, FRAME(12)
        popw FRAME(0)
        popw FRAME(4)
        popw FRAME(8)
        popw FRAME(12)
        popl FRAME(16)
        popl FRAME(20)
        popl FRAME(24)
        popl FRAME(28)
        popl FRAME(32)
        popl FRAME(36)
        popl FRAME(40)
        popl FRAME(44)
        movl $0, FRAME(48)
        movl $0, FRAME(52)
        movl $0, FRAME(56)
        movl $0, FRAME(60)
        movl $0, FRAME(64)
        movl $0, FRAME(72)
        popw FRAME(48)
        popw FRAME(56)
        popw FRAME(60)
        popw FRAME(64)
        movl %esp, FRAME(68)
        movw %ss, FRAME(72)
        lgdtl guest_gdtr_low
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        ljmpl $0x08, $3f
        .code32
3:      movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %ss
        movl $guest_handler_stack_end, %esp
        lidt guest_idtr
        jmp guest_captured

        .balign 16
real_idtr:
        .word 0x3ff
        .long 0
        .globl guest_gdtr_low
guest_gdtr_low:
        .skip 6
        .balign 16
        .globl guest_frame
guest_frame:
        .skip 80
        .section .note.GNU-stack, "", @progbits
