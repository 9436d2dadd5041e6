/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start.S - the Multiboot entry, the 256 interrupt stubs, and run(): starting a context and getting
 * the context back that an interrupt ended.
 *
 * A stub never trusts the interrupted stack more than the CPU did: it pushes, then pops each value
 * straight into guest_frame, so that any SS (16 bits, expand-down, based) works, and goes on with the
 * handler's own stack.
 */
#define FRAME_GS 0
#define FRAME_FS 4
#define FRAME_ES 8
#define FRAME_DS 12
#define FRAME_EDI 16
#define FRAME_ESI 20
#define FRAME_EBP 24
#define FRAME_UNUSED 28
#define FRAME_EBX 32
#define FRAME_EDX 36
#define FRAME_ECX 40
#define FRAME_EAX 44
#define FRAME_VECTOR 48
#define FRAME_ERROR 52
#define FRAME_EIP 56
#define FRAME_CS 60
#define FRAME_EFLAGS 64
#define FRAME_ESP 68
#define FRAME_SS 72
#define FRAME_CR2 76

        .section .multiboot, "ax"
        .balign 4
        .long 0x1badb002, 0, -0x1badb002

        .text
        .globl guest_start
guest_start:
        cld
        movl %ebx, guest_multiboot
        movl $guest_handler_stack_end, %esp
        movl $guest_low_load, %esi
        movl $guest_low_start, %edi
        movl $guest_low_end, %ecx
        subl %edi, %ecx
        rep movsb
        lgdt guest_gdtr
        ljmp $0x08, $1f
1:      movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %fs
        movl %eax, %gs
        movl %eax, %ss
        movl $guest_main_stack_end, %esp
        pushl $2
        popfl
        call guest_init
        call guest_main
        pushl $0
        call guest_exit

/* u32 run_frame(void): starts guest_frame. */
        .globl guest_run_frame
guest_run_frame:
        pushl %ebx
        pushl %esi
        pushl %edi
        pushl %ebp
        pushfl
        movl %esp, guest_resume_esp
        .globl guest_load_frame
guest_load_frame:
        movl $guest_frame, %ebp
        testl $0x20000, FRAME_EFLAGS(%ebp)
        jnz load_v86
        testb $3, FRAME_CS(%ebp)
        jnz load_outer
        movw FRAME_SS(%ebp), %ss
        movl guest_frame+FRAME_ESP, %esp        /* not by EBP, whose segment is SS */
        jmp load_inner
load_outer:
        pushl FRAME_SS(%ebp)
        pushl FRAME_ESP(%ebp)
load_inner:
        pushl guest_frame+FRAME_EFLAGS
        pushl guest_frame+FRAME_CS
        pushl guest_frame+FRAME_EIP
        movw guest_frame+FRAME_ES, %es
        movw guest_frame+FRAME_FS, %fs
        movw guest_frame+FRAME_GS, %gs
load_general:
        pushl guest_frame+FRAME_DS
        movl guest_frame+FRAME_EDI, %edi
        movl guest_frame+FRAME_ESI, %esi
        movl guest_frame+FRAME_EBP, %ebp
        movl guest_frame+FRAME_EBX, %ebx
        movl guest_frame+FRAME_EDX, %edx
        movl guest_frame+FRAME_ECX, %ecx
        movl guest_frame+FRAME_EAX, %eax
        popl %ds
        .globl guest_iret
guest_iret:
        iretl
load_v86:
        pushl FRAME_GS(%ebp)
        pushl FRAME_FS(%ebp)
        pushl FRAME_DS(%ebp)
        pushl FRAME_ES(%ebp)
        pushl FRAME_SS(%ebp)
        pushl FRAME_ESP(%ebp)
        pushl FRAME_EFLAGS(%ebp)
        pushl FRAME_CS(%ebp)
        pushl FRAME_EIP(%ebp)
        movl $0x10, guest_frame+FRAME_DS
        jmp load_general

/* Stubs of 16 bytes each; those whose exception pushes no error code push a zero. */
        .balign 16
        .globl guest_stubs
guest_stubs:
        .set vector, 0
        .rept 256
        .balign 16
        .if (vector != 8) && (vector != 10) && (vector != 11) && (vector != 12) && (vector != 13) && (vector != 14) && (vector != 17)
        pushl $0
        .endif
        pushl $vector
        jmp common
        .set vector, vector + 1
        .endr

common:
        cld
        pushal
        /* Not pushl: many processors write only the selector and leave the upper half of the slot. */
        movl %ds, %eax
        pushl %eax
        movl %es, %eax
        pushl %eax
        movl %fs, %eax
        pushl %eax
        movl %gs, %eax
        pushl %eax
        movl $0x10, %eax
        movl %eax, %ds
        popl guest_frame+FRAME_GS
        popl guest_frame+FRAME_FS
        popl guest_frame+FRAME_ES
        popl guest_frame+FRAME_DS
        popl guest_frame+FRAME_EDI
        popl guest_frame+FRAME_ESI
        popl guest_frame+FRAME_EBP
        popl guest_frame+FRAME_UNUSED
        popl guest_frame+FRAME_EBX
        popl guest_frame+FRAME_EDX
        popl guest_frame+FRAME_ECX
        popl guest_frame+FRAME_EAX
        popl guest_frame+FRAME_VECTOR
        popl guest_frame+FRAME_ERROR
        popl guest_frame+FRAME_EIP
        popl guest_frame+FRAME_CS
        popl guest_frame+FRAME_EFLAGS
        movzwl guest_frame+FRAME_CS, %eax
        movl %eax, guest_frame+FRAME_CS
        testl $0x20000, guest_frame+FRAME_EFLAGS
        jnz 2f
        testb $3, guest_frame+FRAME_CS
        jnz 1f
        movl %esp, guest_frame+FRAME_ESP
        movl $0, guest_frame+FRAME_SS
        movw %ss, guest_frame+FRAME_SS
        jmp 3f
1:      popl guest_frame+FRAME_ESP
        popl guest_frame+FRAME_SS
        jmp 3f
2:      popl guest_frame+FRAME_ESP
        popl guest_frame+FRAME_SS
        popl guest_frame+FRAME_ES
        popl guest_frame+FRAME_DS
        popl guest_frame+FRAME_FS
        popl guest_frame+FRAME_GS
3:      movl $0x10, %eax
        movl %eax, %ss
        movl $guest_handler_stack_end, %esp
        .globl guest_captured
guest_captured:
        movl $0x10, %eax
        movl %eax, %es
        movl %eax, %fs
        movl %eax, %gs
        movl %cr2, %eax
        movl %eax, guest_frame+FRAME_CR2
        call guest_handle
        testl %eax, %eax
        jnz guest_load_frame
        movl guest_resume_esp, %esp
        popfl
        popl %ebp
        popl %edi
        popl %esi
        popl %ebx
        ret

        .bss
        .balign 16
        .globl guest_multiboot          /* the Multiboot information the loader left */
guest_multiboot:
        .skip 4
        .globl guest_resume_esp
guest_resume_esp:
        .skip 4
        .balign 16
        .skip 8192
        .globl guest_handler_stack_end
guest_handler_stack_end:
        .skip 16
        .skip 16384
guest_main_stack_end:
        .skip 16
        .section .note.GNU-stack, "", @progbits
