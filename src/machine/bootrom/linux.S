/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.S - option ROM that starts a Linux kernel by the boot protocol (Linux,
 * Documentation/x86/boot.rst): the host has filled in the set-up header and chosen all addresses.
 */
#include "rom.inc"

product:
        .asciz  "Linux kernel"

boot:
        cli
        cld
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $STACK_TOP, %sp

        load    INITRD_ADDR, INITRD_SIZE, INITRD_DATA
        load    KERNEL_ADDR, KERNEL_SIZE, KERNEL_DATA
        load    CMDLINE_ADDR, CMDLINE_SIZE, CMDLINE_DATA
        load    SETUP_ADDR, SETUP_SIZE, SETUP_DATA

        /* Stack and heap of the set-up code end where the command line begins. */
        movw    $CMDLINE_ADDR, %ax
        call    fetch_number
        pushl   %eax
        movw    $SETUP_ADDR, %ax
        call    fetch_number
        popl    %edx
        subl    %eax, %edx
        subl    $16, %edx
        shrl    $4, %eax

        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movw    %dx, %sp
        addw    $0x20, %ax              /* the entry is 200h past the start */
        pushw   %ax
        pushw   $0
        xorl    %ebx, %ebx
        lret
