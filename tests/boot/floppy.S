/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floppy.S - a boot sector that writes a track by INT 13h, reads it back through the other side of the
 * firmware, compares, and reads across a track's end.  Says FLOPPY-OK or FLOPPY-BAD on COM1 and leaves
 * through the debug-exit port (status 0: value 0; 3: value 1).
 */
        .code16
        .globl  _start
        .equ    PATTERN, 0x8000
        .equ    BACK, 0xb000
        .equ    TRACK_BYTES, 18 * 512

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
        mov     $TRACK_BYTES / 2, %cx
        mov     $0x1234, %ax
1:      stosw
        add     $7, %ax
        loop    1b

        mov     $0x0312, %ax                    /* write 18 sectors: cylinder 5, head 1 */
        mov     $PATTERN, %bx
        call    disk
        mov     $0x0412, %ax                    /* verify them */
        call    disk
        mov     $0x0212, %ax                    /* read them */
        mov     $BACK, %bx
        call    disk
        mov     $PATTERN, %si
        mov     $BACK, %di
        mov     $TRACK_BYTES / 2, %cx
        repe    cmpsw
        jne     bad
        mov     $0x08, %ah                      /* parameters: 80 tracks, 18 sectors */
        mov     drive, %dl
        int     $0x13
        jc      bad
        cmp     $0x4f12, %cx
        jne     bad
        xor     %ax, %ax
        mov     %ax, %es
        mov     $ok, %si
        xor     %bl, %bl
        jmp     say
disk:   mov     $0x0501, %cx
        mov     drive, %dl
        mov     $1, %dh
        int     $0x13
        jc      bad
        ret
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
drive:  .byte   0
ok:     .asciz  "FLOPPY-OK\n"
failed: .asciz  "FLOPPY-BAD\n"
        .org    510
        .word   0xaa55
