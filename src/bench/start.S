/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start.S - the guest of `lodger bench`: from Multiboot to 64-bit mode, to ring 3 and back.
 *
 * The first GiB is mapped one to one in pages of 2 MiB, which user code may use too; guest_small, 512 entries, maps the
 * 2 MiB behind it and is what the page-table kernels play with.
 */
#define GUEST_SMALL_BASE 0x40000000

        .section .multiboot, "a"
        .balign 4
header: .long 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
        .long header, guest_start, guest_data_end, guest_end, start32

        .text
        .code32
start32:
        cli
        cld
        movl $stack_end, %esp
        movl $pdpt + 7, pml4
        movl $large + 7, pdpt
        movl $small_directory + 7, pdpt + 8
        movl $guest_small + 7, small_directory
        movl $large, %edi
        movl $0x87, %eax                /* present, writable, user, 2 MiB */
1:      movl %eax, (%edi)
        addl $8, %edi
        addl $0x200000, %eax
        cmpl $large + 4096, %edi
        jb 1b
        movl %cr4, %eax
        orl $0x620, %eax                /* PAE, OSFXSR, OSXMMEXCPT */
        movl %eax, %cr4
        movl $pml4, %eax
        movl %eax, %cr3
        movl $0xc0000080, %ecx
        rdmsr
        orl $0x101, %eax                /* LME, SCE */
        wrmsr
        movl %cr0, %eax
        andl $~4, %eax                  /* EM */
        orl $0x80010003, %eax           /* PG, WP, MP, PE */
        movl %eax, %cr0
        lgdt gdtr
        ljmp $0x08, $start64

        .code64
start64:
        movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        xorl %eax, %eax
        movl %eax, %fs
        movl %eax, %gs
        movl $stack_end, %esp
        /* The descriptor of the TSS, which only says where ring 0's stack is. */
        movl $tss, %eax
        movw %ax, tss_descriptor + 2
        shrl $16, %eax
        movb %al, tss_descriptor + 4
        movb %ah, tss_descriptor + 7
        movq $fault_stack_end, tss + 4
        movl $0x30, %eax
        ltr %ax
        call guest_main
1:      hlt
        jmp 1b

/* uint64_t guest_enter_user(bench_work *work, uint64_t count): calls it in ring 3. */
        .globl guest_enter_user
guest_enter_user:
        pushq %rbx
        pushq %rbp
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, kernel_sp
        movl $user_stack_end, %esp
        movl $1f, %ecx
        movl $2, %r11d
        sysretq
1:      movq %rdi, %rax
        movq %rsi, %rdi
        call *%rax
        movq %rax, %rdi
        movl $1, %eax
        syscall

/* A system call: EAX 0 does nothing, 1 ends guest_enter_user() with RDI. */
        .globl guest_syscall
guest_syscall:
        testl %eax, %eax
        jnz 1f
        sysretq
1:      movq kernel_sp, %rsp
        movq %rdi, %rax
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbp
        popq %rbx
        ret

/* #PF: the page of guest_small that was missing is there now. */
        .globl guest_page_fault
guest_page_fault:
        pushq %rax
        pushq %rcx
        movq %cr2, %rax
        subq $GUEST_SMALL_BASE, %rax
        movq %rax, %rcx
        shrq $12, %rcx
        cmpq $512, %rcx
        jae guest_bad_fault
        andq $~4095, %rax
        addq $guest_backing + 7, %rax
        movq %rax, guest_small(, %rcx, 8)
        popq %rcx
        popq %rax
        addq $8, %rsp
        iretq

        .globl guest_bad_fault
guest_bad_fault:
        call guest_failed

        .data
        .balign 8
gdt:    .quad 0, 0x00209b0000000000, 0x00cf93000000ffff         /* null, code and data of ring 0 */
        .quad 0, 0x00cff3000000ffff, 0x0020fb0000000000         /* unused, data and code of ring 3 */
tss_descriptor:
        .quad 0x0000890000000067, 0
gdtr:   .word gdtr - gdt - 1
        .long gdt

        .bss
        .balign 4096
pml4:   .skip 4096
pdpt:   .skip 4096
large:  .skip 4096
small_directory: .skip 4096
        .globl guest_small
guest_small: .skip 4096
        .globl guest_backing
guest_backing: .skip 0x200000
tss:    .skip 104
        .balign 16
kernel_sp: .skip 16
stack:  .skip 16384
stack_end:
        .skip 4096
fault_stack_end:
        .skip 16384
user_stack_end:
        .section .note.GNU-stack, "", @progbits
