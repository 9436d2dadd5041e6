/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multiboot.S - option ROM that starts a Multiboot 1 kernel (Multiboot Specification 0.6.96).
 *
 * KERNEL_* is the image with its modules, INITRD_* the information structure, complete but for what
 * only the firmware knows: the memory map (INT 15h, E820h) and the sizes of low and high memory.
 */
#include "rom.inc"

#define MAP             0x8000          /* memory map, up to 0x8fff */
#define MAP_END         0x8fe0
#define MAP_ENTRY       24              /* 4 bytes of size, 20 of range and type */
#define SMAP            0x534d4150
#define MULTIBOOT_EAX   0x2badb002

/* Fields of the information structure. */
#define INFO_FLAGS      0
#define INFO_MEM_LOWER  4
#define INFO_MEM_UPPER  8
#define INFO_MMAP_BYTES 44
#define INFO_MMAP       48
#define HAS_MEMORY      0x01
#define HAS_MMAP        0x40

product:
        .asciz  "Multiboot kernel"

boot:
        cli
        cld
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $STACK_TOP, %sp

        load    KERNEL_ADDR, KERNEL_SIZE, KERNEL_DATA
        load    INITRD_ADDR, INITRD_SIZE, INITRD_DATA

        /* The memory map; ebp: RAM from 1 MiB on, in KiB. */
        xorl    %ebp, %ebp
        xorl    %ebx, %ebx
        movw    $MAP, %di
next_range:
        movl    $20, (%di)
        addw    $4, %di
        movl    $0xe820, %eax
        movl    $SMAP, %edx
        movl    $20, %ecx
        pushl   %ebp
        int     $0x15
        popl    %ebp
        jc      no_range
        cmpl    $SMAP, %eax
        jne     no_range
        cmpl    $0x100000, (%di)
        jne     1f
        cmpl    $0, 4(%di)
        jne     1f
        cmpl    $1, 16(%di)
        jne     1f
        movl    8(%di), %ebp
        shrl    $10, %ebp
1:      addw    $MAP_ENTRY - 4, %di
        testl   %ebx, %ebx
        jz      map_done
        cmpw    $MAP_END, %di
        jb      next_range
        jmp     map_done
no_range:
        subw    $4, %di
map_done:
        movw    $INITRD_ADDR, %ax
        call    fetch_number
        pushl   %eax                    /* the structure's address, for EBX */
        movl    %eax, %ebx
        shrl    $4, %eax
        andl    $15, %ebx
        movw    %ax, %fs
        orl     $HAS_MEMORY | HAS_MMAP, %fs:INFO_FLAGS(%bx)
        movl    $MAP, %fs:INFO_MMAP(%bx)
        movzwl  %di, %eax
        subl    $MAP, %eax
        movl    %eax, %fs:INFO_MMAP_BYTES(%bx)
        movl    %ebp, %fs:INFO_MEM_UPPER(%bx)
        int     $0x12
        movzwl  %ax, %eax
        movl    %eax, %fs:INFO_MEM_LOWER(%bx)

        movw    $KERNEL_ENTRY, %ax
        call    fetch_number
        movl    %eax, %esi
        popl    %ebx

        /* Machine state the specification asks for: protected mode, flat segments, paging off. */
        cli
        xorl    %edi, %edi
        movw    %cs, %di
        shll    $4, %edi
        leal    gdt(%edi), %eax
        movw    $gdt_end - gdt - 1, GDT_REGISTER
        movl    %eax, GDT_REGISTER + 2
        lgdtl   GDT_REGISTER
        leal    protected(%edi), %eax
        pushl   $0x08
        pushl   %eax
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        lretl

        .code32
protected:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %eax, %ss
        movl    $MULTIBOOT_EAX, %eax
        jmp     *%esi

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9a000000ffff      /* code, base 0, 4 GiB */
        .quad   0x00cf92000000ffff      /* data, base 0, 4 GiB */
gdt_end:
