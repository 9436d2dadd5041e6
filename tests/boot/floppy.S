/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floppy.S - a boot sector that writes a track by INT 13h, verifies it, reads it back and compares, and asks for
 * the drive's parameters.
 */
        .include "sector.inc"
        .equ    TRACK_WORDS, 18 * 512 / 2

        sector_begin TRACK_WORDS, 0x1234, 7
        mov     $0x0312, %ax                    /* write 18 sectors: cylinder 5, head 1 */
        mov     $PATTERN, %bx
        call    track
        mov     $0x0412, %ax                    /* verify them */
        call    track
        mov     $0x0212, %ax                    /* read them */
        mov     $BACK, %bx
        call    track
        sector_compare TRACK_WORDS
        mov     $0x08, %ah                      /* parameters: 80 tracks, 18 sectors */
        mov     drive, %dl
        int     $0x13
        jc      bad
        cmp     $0x4f12, %cx
        jne     bad
        jmp     good
track:  mov     $0x0501, %cx
        mov     drive, %dl
        mov     $1, %dh
        int     $0x13
        jc      bad
        ret
good:   sector_end FLOPPY
