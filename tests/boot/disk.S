/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.S - an MBR that writes two sectors by INT 13h extensions (LBA) and reads them by CHS, and the
 * other way about.
 */
        .include "sector.inc"

        sector_begin 512, 0x4321, 11
        mov     $0x4300, %ax                    /* write block 63 and 64 by LBA */
        mov     $packet, %si
        mov     drive, %dl
        int     $0x13
        jc      bad
        mov     $0x0202, %ax                    /* read cylinder 0, head 1, sector 1: the same */
        call    by_chs
        sector_compare 512
        mov     $0x0302, %ax                    /* write them again, where LBA finds them */
        call    by_chs
        mov     $BACK, %di                      /* nothing of before is to be taken for them */
        mov     $512, %cx
        xor     %ax, %ax
        rep     stosw
        mov     $0x4200, %ax
        mov     $packet, %si
        movw    $BACK, packet + 4
        mov     drive, %dl
        int     $0x13
        jc      bad
        sector_compare 512
        jmp     good
by_chs: mov     $BACK, %bx
        mov     $0x0001, %cx
        mov     $1, %dh
        mov     drive, %dl
        int     $0x13
        jc      bad
        ret
        .balign 4
packet: .byte   16, 0
        .word   2, PATTERN, 0
        .quad   63
good:   sector_end DISK
