/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.S - an MBR that writes two sectors by INT 13h extensions (LBA) and reads them by CHS, and the
 * other way about.  Says DISK-OK or DISK-BAD on COM1 and leaves as floppy.S does.
 */
        .code16
        .globl  _start
        .equ    PATTERN, 0x8000
        .equ    BACK, 0xb000

_start: cli
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x7c00, %sp
        sti
        cld
        mov     %dl, drive

        mov     $PATTERN, %di
        mov     $512, %cx
        mov     $0x4321, %ax
1:      stosw
        add     $11, %ax
        loop    1b

        mov     $0x4300, %ax                    /* write block 63 and 64 by LBA */
        mov     $packet, %si
        mov     drive, %dl
        int     $0x13
        jc      bad
        mov     $0x0202, %ax                    /* read cylinder 0, head 1, sector 1: the same */
        mov     $BACK, %bx
        mov     $0x0001, %cx
        mov     $1, %dh
        mov     drive, %dl
        int     $0x13
        jc      bad
        mov     $PATTERN, %si
        mov     $BACK, %di
        mov     $512, %cx
        repe    cmpsw
        jne     bad
        mov     $ok, %si
        xor     %bl, %bl
        jmp     say
bad:    mov     $failed, %si
        mov     $1, %bl
say:    lodsb
        test    %al, %al
        jz      leave
        mov     $0x3f8, %dx
        out     %al, %dx
        jmp     say
leave:  mov     %bl, %al
        mov     $0xf4, %dx
        out     %al, %dx
        hlt
        jmp     leave
        .balign 4
packet: .byte   16, 0
        .word   2, PATTERN, 0
        .quad   63
drive:  .byte   0
ok:     .asciz  "DISK-OK\n"
failed: .asciz  "DISK-BAD\n"
        .org    510
        .word   0xaa55
