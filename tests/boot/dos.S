/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dos.S - the first sector of dos.c: loads the sectors behind itself, one by one by CHS as DOS's does, and goes
 * there; and the way from C to the BIOS.
 */
        .code16
        .section .boot, "awx"
        .globl  _start, boot_drive, bios_call
_start: cli
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x7c00, %sp
        sti
        cld
        mov     %dl, boot_drive
        mov     $8, %ah                         /* the drive's shape */
        int     $0x13
        jc      bad
        and     $0x3f, %cx
        mov     %cx, sectors
        mov     %dh, %dl
        xor     %dh, %dh
        inc     %dx
        mov     %dx, heads
        mov     $0x7e0, %bx
        mov     $1, %si
1:      mov     %si, %ax
        xor     %dx, %dx
        divw    sectors
        mov     %dl, %cl
        inc     %cl                             /* sector */
        xor     %dx, %dx
        divw    heads
        mov     %al, %ch                        /* cylinder */
        mov     %dl, %dh                        /* head */
        mov     boot_drive, %dl
        mov     %bx, %es
        push    %bx
        xor     %bx, %bx
        mov     $0x0201, %ax
        int     $0x13
        pop     %bx
        jc      bad
        add     $0x20, %bx
        inc     %si
        cmp     $load_sectors, %si
        jbe     1b
        xor     %ax, %ax
        mov     %ax, %es
        movl    $0x7c00, %esp
        calll   dos_main
        mov     $0xf4, %dx                      /* debug-exit: status 1 */
        xor     %al, %al
        out     %al, %dx
bad:    hlt
        jmp     bad
        .balign 2
sectors: .word  0
heads:  .word   0
boot_drive: .byte 0
        .org    510
        .word   0xaa55

        .text
/* void bios_call(unsigned number, struct regs *regs): the registers go in and come back, flags too.  The number is
 * written into the instruction, which is how programs of that time did it. */
bios_call:
        pushl   %ebp
        pushl   %ebx
        pushl   %esi
        pushl   %edi
        pushw   %es
        movb    22(%esp), %al
        movb    %al, interrupt + 1
        movl    26(%esp), %edi
        movl    %edi, bios_regs
        movw    (%edi), %ax
        movw    2(%edi), %bx
        movw    4(%edi), %cx
        movw    6(%edi), %dx
        movw    8(%edi), %si
        movw    12(%edi), %bp
        movw    14(%edi), %es
        movw    10(%edi), %di
        jmp     interrupt
interrupt:
        int     $0
        cld
        sti
        pushfw
        pushw   %di
        movl    bios_regs, %edi
        movw    %ax, (%edi)
        movw    %bx, 2(%edi)
        movw    %cx, 4(%edi)
        movw    %dx, 6(%edi)
        movw    %si, 8(%edi)
        popw    10(%edi)
        movw    %bp, 12(%edi)
        movw    %es, 14(%edi)
        popw    16(%edi)
        popw    %es
        popl    %edi
        popl    %esi
        popl    %ebx
        popl    %ebp
        retl
        .data
        .balign 4
bios_regs: .long 0
