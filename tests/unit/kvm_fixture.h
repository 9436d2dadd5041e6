/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvm_fixture.h - what the tests of the KVM engine share: small programs without firmware, a machine of memory and one
 * vCPU to run them in, and what they leave behind.
 */
#ifndef LODGER_TESTS_KVM_FIXTURE_H
#define LODGER_TESTS_KVM_FIXTURE_H

#include <check.h>
#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/fpu.h"
#include "dbt/dbt.h"
#include "engine/engine.h"
#include "engine/kvm/kvm.h"

enum { RAM_BYTES = 4 << 20, CODE = 0x8000, STACK = 0x10000, DATA = 0x20000, DATA_BYTES = 0x1000, TABLES = 0x1000, DONE_PORT = 0x11,
       DONE_DEVICE = 0x300000, GDT = 0x6000, IDT = 0x5000 };

/* -- Programs ------------------------------------------------------------------------------------ */

/* User code speaks to a device in memory: KVMs without VT-x lose IOPL, and have IF set.  Each does arithmetic, writes to
 * DATA, says "done" and stays where it is.  EDI or RDI is the number of rounds where there are any.  One with a vector has
 * its handler, the first thing in it, behind a jump of two bytes. */
#define PROGRAM(name, bits, text) \
        __asm__(".pushsection .rodata\n.code" #bits "\n" #name "_begin:\n" text "\n1: jmp 1b\n" #name "_end:\n.code64\n.popsection\n"); \
        extern const uint8_t name##_begin[], name##_end[]
#define SAY_DONE "out %al, $0x11"

PROGRAM(real, 16,
        "mov $0x1234, %ax; mov $300, %cx; mov $0x2000, %di; mov %di, %ds; xor %di, %di\n"
        "1: add %cx, %ax; rol $3, %ax; xor $0x55aa, %ax; mov %ax, (%di); add $2, %di; loop 1b\n"
        "pushf; pop %bx; pushw $0x77; popw %dx; lea 5(%bx,%di), %si\n" SAY_DONE);
PROGRAM(real_loop, 16,
        "mov $0x2000, %ax; mov %ax, %ds; mov $0x1234, %ax\n"
        "1: mov %di, %bx; and $0xffe, %bx; add %di, %ax; rol $3, %ax; xor %ax, (%bx); call 2f; sub $1, %edi; jnz 1b; jmp 3f\n"
        "2: push %ax; adc %ax, %dx; pop %ax; ret\n"
        "3: pushf; pop %bx\n" SAY_DONE);
PROGRAM(flat, 32,
        "mov $0x20000, %edi; mov $200, %ecx; mov $1, %eax\n"
        "1: imul $1103515245, %eax; add $12345, %eax; mov %eax, (%edi); lea 4(%edi), %edi; call 2f; loop 1b; jmp 3f\n"
        "2: push %eax; bswap %eax; adc %eax, %edx; pop %eax; ret\n"
        "3: mov $0x20000, %esi; mov $0x20800, %edi; mov $100, %ecx; rep movsb; fninit; fld1; fldpi; fmulp; fstpl 0x20f00\n"
        "pushf; pop %ebx\n" SAY_DONE);
PROGRAM(flat_loop, 32,
        "mov $1, %eax\n"
        "1: imul $1103515245, %eax; add $12345, %eax; mov %eax, %ebx; shr $8, %ebx; and $0xffc, %ebx; xor %eax, 0x20000(%ebx)\n"
        "call 2f; dec %edi; jnz 1b; jmp 3f\n"
        "2: push %eax; bswap %eax; adc %eax, %edx; pop %eax; ret\n"
        "3: pushf; pop %ebx\n" SAY_DONE);
PROGRAM(user64, 64,
        "mov $0x20000, %r11d; xor %r8d, %r8d; movq %rdi, %xmm1; mov $1, %eax; mov $3, %r9d\n"
        "1: mov $6364136223846793005, %rdx; imul %rdx, %rax; add $1442695041, %rax; movq %rax, %xmm0; paddq %xmm0, %xmm1\n"
        "movq %xmm1, %r10; mov %r10d, %edx; and $0xff8, %edx; xor %rax, (%r11,%rdx); adc %r10, %r8\n"
        "call 2f; dec %rdi; jnz 1b; jmp 3f\n"
        "2: ror $7, %r9; xor %r8, %r9; ret\n"
        "3: pushfq; pop %rbx; mov $0x300000, %edx; mov %al, (%rdx)");
/* The same in a page table of 4 MiB pages, and of PAE. */
PROGRAM(paged, 32,
        "mov $100, %ecx; mov $7, %eax; 1: mov %eax, 0x20000(,%ecx,4); add 0x20000(,%ecx,4), %eax; loop 1b\n"
        "mov %cr3, %ebx; mov %ebx, %cr3; pushf; pop %edx\n" SAY_DONE);
PROGRAM(ring0, 64,
        "mov $100, %ecx; mov $7, %eax; 1: mov %eax, 0x20000(,%rcx,4); add 0x20000(,%rcx,4), %eax; loop 1b\n"
        "mov %cr3, %rbx; mov %rbx, %cr3; mov %cr4, %r8; mov %cr0, %r9; invlpg 0x20000; smsw %r10d; swapgs; swapgs\n"
        "mov %ds, %r11d; str %r12d; sldt %r13d; pushfq; pop %rdx\n" SAY_DONE);
PROGRAM(x87_sse, 64,
        "fninit; fld1; fldpi; fmulp; fstpl 0x20000; fnstenv 0x20040; fnstcw 0x20080\n"
        "mov $0x1234, %eax; movd %eax, %xmm0; paddd %xmm0, %xmm0; cvtsi2sd %eax, %xmm1; sqrtsd %xmm1, %xmm2\n"
        "movups %xmm2, 0x200a0; stmxcsr 0x200c0\n" SAY_DONE);
PROGRAM(breakpoint, 64,
        "jmp 2f; inc %r15; mov (%rsp), %r14; iretq\n"
        "2: mov $5, %ecx; 1: int3; loop 1b\n" SAY_DONE);
PROGRAM(page_fault, 64,
        "jmp 2f; pop %r14; add $3, (%rsp); mov %cr2, %r13; inc %r15; iretq\n"
        "2: mov $0x800123, %ebx; mov (%rbx), %rax; mov %rax, (%rbx); add $4096, %rbx; mov (%rbx), %rax\n" SAY_DONE);
PROGRAM(divide, 64,
        "jmp 2f; addq $2, (%rsp); inc %r15; iretq\n"
        "2: xor %ecx, %ecx; div %ecx; mov $1, %eax; idiv %ecx\n" SAY_DONE);
PROGRAM(wide_exchange, 64,
        "mov $0x20000, %edi; movq $1, (%rdi); movq $2, 8(%rdi); mov $1, %eax; mov $2, %edx; mov $3, %ebx; mov $4, %ecx\n"
        "lock cmpxchg16b (%rdi); pushfq; pop %r8; lock xadd %rax, (%rdi); lock btsq $40, 8(%rdi)\n" SAY_DONE);
PROGRAM(ports, 64,
        "mov $0x40, %edx; in %dx, %al; mov %eax, %r8d; in %dx, %ax; mov %eax, %r9d; in %dx, %eax; mov %eax, %r10d\n"
        "mov $0x20000, %edi; mov $5, %ecx; rep insb; mov $3, %ecx; rep insw; mov $7, %ecx; rep insl\n"
        "mov $0x20000, %esi; mov $9, %ecx; rep outsb; mov $2, %ecx; rep outsl\n" SAY_DONE);
PROGRAM(device, 64,
        "mov $0x301010, %edx; mov (%rdx), %al; mov %eax, %r8d; mov 2(%rdx), %ax; mov %eax, %r9d; mov 4(%rdx), %eax; mov %eax, %r10d\n"
        "mov 8(%rdx), %r11; mov 0x11(%rdx), %r12d; movzwl 0x20(%rdx), %r13d; add 0x24(%rdx), %r14; xchg %r14, 0x30(%rdx)\n"
        "mov %rdx, %rsi; mov $0x20000, %edi; mov $4, %ecx; rep movsq\n" SAY_DONE);
/* EFER, system call registers, the paravirtual clock (its structure is data that is compared), one that does not exist. */
PROGRAM(msrs, 64,
        "jmp 2f; pop %r14; addq $2, (%rsp); inc %r15; iretq\n"
        "2: mov $0xc0000082, %ecx; mov $0x1234, %eax; mov $0xffff8000, %edx; wrmsr; rdmsr; mov %eax, %r8d\n"
        "mov $0xc0000102, %ecx; wrmsr; rdmsr; mov %edx, %r9d; mov $0xc0000080, %ecx; rdmsr; mov %eax, %r10d\n"
        "mov $0x4b564d01, %ecx; mov $0x20101, %eax; xor %edx, %edx; wrmsr; rdmsr; mov %eax, %r11d\n"
        "mov $0x3b, %ecx; mov $0x1000, %eax; wrmsr; rdmsr; mov %eax, %r12d\n"
        "mov $0x277, %ecx; rdmsr; mov %eax, %r13d; mov $0x12345678, %ecx; rdmsr\n" SAY_DONE);
PROGRAM(cpuids, 64,
        "mov $0x20000, %edi; lea 2f(%rip), %rsi\n"
        "1: lodsl; cmp $-1, %eax; je 3f; xor %ecx, %ecx; cpuid; mov %eax, (%rdi); mov %ebx, 4(%rdi); mov %ecx, 8(%rdi); mov %edx, 12(%rdi)\n"
        "add $16, %rdi; jmp 1b\n"
        "2: .long 0, 1, 4, 7, 0x40000000, 0x40000001, 0x40000010, 0x80000000, 0x80000001, 0x80000008, -1\n"
        "3: xor %ebx, %ebx\n" SAY_DONE);
PROGRAM(debug_registers, 64,
        "jmp 2f; mov %dr6, %r14; add %r14, %r13; inc %r15; orl $0x10000, 16(%rsp); iretq\n"
        "2: mov $0x20010, %eax; mov %rax, %dr0; lea 3f(%rip), %rax; mov %rax, %dr1; mov $0xd040a, %eax; mov %rax, %dr7\n"
        "mov $0x20010, %ebx; movl $1, (%rbx); movl $2, 4(%rbx); nop; 3: nop; xor %eax, %eax; mov %rax, %dr7\n" SAY_DONE);

enum mode { REAL, FLAT, PAGED32, PAE32, RING0, USER64 };
enum { NO_VECTOR = -1, HANDLER = 2 };

static const struct program {
        const char *name;
        enum mode mode;
        const uint8_t *begin, *end;
        uint64_t count;
        int vector;
} programs[] = {
#define P(text, mode, name, count, vector) { text, mode, name##_begin, name##_end, count, vector }
        P("real mode", REAL, real, 0, NO_VECTOR),
        P("unpaged 32-bit code", FLAT, flat, 0, NO_VECTOR),
        P("64-bit user code", USER64, user64, 20000, NO_VECTOR),
        P("32-bit paging", PAGED32, paged, 0, NO_VECTOR),
        P("PAE paging", PAE32, paged, 0, NO_VECTOR),
        P("64-bit supervisor code", RING0, ring0, 0, NO_VECTOR),
        P("x87 and SSE in ring 0", RING0, x87_sse, 0, NO_VECTOR),
        P("int3 in ring 0", RING0, breakpoint, 0, 3),
        P("a page fault in ring 0", RING0, page_fault, 0, 14),
        P("a divide error in ring 0", RING0, divide, 0, 0),
        P("lock cmpxchg16b in ring 0", RING0, wide_exchange, 0, NO_VECTOR),
        P("ports", RING0, ports, 0, NO_VECTOR),
        P("a device in memory", RING0, device, 0, NO_VECTOR),
        P("model-specific registers", RING0, msrs, 0, 13),
        P("CPUID", RING0, cpuids, 0, NO_VECTOR),
        P("debug registers", RING0, debug_registers, 0, 1),
};
/* What is long enough to be moved about. */
static const struct program loops[] = {
        P("real mode", REAL, real_loop, 400000, NO_VECTOR),
        P("unpaged protected mode", FLAT, flat_loop, 400000, NO_VECTOR),
        P("64-bit user code", USER64, user64, 3000000, NO_VECTOR),
};
#undef P

/* -- A machine of memory and one vCPU ------------------------------------------------------------ */

static struct lock machine_lock;
static struct memory *memory;
static struct engine *engine;
static struct cpu *cpu;
static bool done, was_reset;

static uint32_t io_read(void *opaque, uint16_t port, unsigned size)
{
        (void)opaque;
        return port * 0x01010101u + size;
}

static void io_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        (void)opaque;
        (void)value;
        (void)size;
        if (port == DONE_PORT)
                __atomic_store_n(&done, true, __ATOMIC_SEQ_CST);
}

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
        (void)opaque;
        return (offset + size) * UINT64_C(0x0101010101010101);
}

static void device_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        if (offset == 0)
                io_write(opaque, DONE_PORT, (uint32_t)value, size);
}

static void on_shutdown(void *opaque, struct cpu *which)
{
        (void)opaque;
        (void)which;
        __atomic_store_n(&was_reset, true, __ATOMIC_SEQ_CST);
}

static void set_segment(enum cpu_segment which, uint16_t selector, uint64_t base, uint32_t limit, uint16_t attr)
{
        cpu->seg[which] = (struct segment){ .selector = selector, .base = base, .limit = limit, .attr = attr };
}

static void put64(uint32_t at, uint64_t value) { memcpy(memory_ram(memory) + at, &value, 8); }

/* The first 4 MiB as they are, by one big page or by PAE's two. */
static void set_paging32(enum mode mode)
{
        cpu->cr3 = TABLES;
        cpu->cr0 |= CR0_PG;
        cpu->cr4 = mode == PAE32 ? CR4_PAE : CR4_PSE;
        if (mode == PAGED32) {
                put64(TABLES, 0xe3);
                return;
        }
        put64(TABLES, cpu->pdpte[0] = (TABLES + 0x1000) | 1);
        for (unsigned i = 0; i < 2; i++)
                put64(TABLES + 0x1000 + 8 * i, (uint64_t)i << 21 | 0xe3);
}

static void set_mode(enum mode mode)
{
        if (mode == REAL) {
                set_segment(SEG_CS, 0, 0, 0xffff, 0x9b);
                return;
        }
        set_segment(SEG_TR, 24, 0x7000, 0x67, 0x8b);
        set_segment(SEG_LDTR, 0, 0, 0xffff, 0);
        cpu->cr0 = CR0_PE | CR0_ET | CR0_NE;
        set_segment(SEG_CS, 8, 0, 0xffffffff, 0xc09b);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                if (i != SEG_CS)
                        set_segment(i, 16, 0, 0xffffffff, 0xc093);
        if (mode == FLAT)
                return;
        if (mode == PAGED32 || mode == PAE32) {
                set_paging32(mode);
                return;
        }
        put64(TABLES, (TABLES + 0x1000) | 7);
        put64(TABLES + 0x1000, (TABLES + 0x2000) | 7);
        for (unsigned i = 0; i < 2; i++)
                put64(TABLES + 0x2000 + 8 * i, (uint64_t)i << 21 | 0xe7);
        cpu->cr3 = TABLES;
        cpu->cr0 = (uint64_t)CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_MP;
        cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | (mode == RING0 ? CR4_DE : 0);
        cpu->efer = EFER_LME | EFER_LMA | EFER_SCE;
        if (mode == RING0) {
                cpu->seg[SEG_CS].attr = 0xa09b;
                return;
        }
        cpu->cpl = 3;
        cpu_set_rflags(cpu, FLAG_ONE | FLAG_IF);
        set_segment(SEG_CS, 11, 0, 0xffffffff, 0xa0fb);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                if (i != SEG_CS)
                        set_segment(i, 19, 0, 0xffffffff, 0xc0f3);
}

/* One 64-bit interrupt gate to the program's handler. */
static void set_handler(const struct program *program)
{
        unsigned handler = CODE + HANDLER;

        put64(GDT + 8, UINT64_C(0x00af9b000000ffff));
        put64(GDT + 16, UINT64_C(0x00cf93000000ffff));
        cpu->gdt = (struct descriptor_table){ GDT, 23 };
        if (program->vector == NO_VECTOR)
                return;
        put64(IDT + 16 * (uint32_t)program->vector, UINT64_C(0x00008e0000080000) | handler);
        cpu->idt = (struct descriptor_table){ IDT, 16 * 32 - 1 };
}

/* False with error set: the engine cannot be had. */
static bool open_machine(const char *name, const struct program *program, uint64_t count, GError **error)
{
        static const struct mmio_ops device = { device_read, device_write, 1, 8 };
        struct engine_options options = { .machine_lock = &machine_lock };
        struct cpu_env env = { .io_read = io_read, .io_write = io_write, .shutdown = on_shutdown };

        done = was_reset = false;
        lock_init(&machine_lock, LOCK_RANK_MACHINE, "machine");
        memory = memory_new(RAM_BYTES, &machine_lock, NULL);
        lock_acquire(&machine_lock);
        memory_map_ram(memory, 0, 0, RAM_BYTES, false, 0, "ram");
        memory_map_mmio(memory, DONE_DEVICE, 2 * PAGE_SIZE, &device, NULL, 1, "done");
        lock_release(&machine_lock);
        engine = engine_new(name, memory, &options, error);
        if (!engine)
                return false;
        cpu = engine_add_cpu(engine, 0, cpu_model_find("host"), &env, NULL);
        ck_assert_ptr_nonnull(cpu);
        memcpy(memory_ram(memory) + CODE, program->begin, (size_t)(program->end - program->begin));
        set_mode(program->mode);
        set_handler(program);
        cpu->rip = CODE;
        cpu->regs[RSP] = program->mode == REAL ? 0x7000 : STACK;
        cpu->regs[RDI] = count;
        dbt_state_changed(cpu);
        return engine_start(engine, error);
}

static void close_machine(void)
{
        engine_free(engine);
        memory_free(memory);
        lock_destroy(&machine_lock);
        engine = NULL;
}

static void wait_done(void)
{
        int64_t end = g_get_monotonic_time() + 100 * G_USEC_PER_SEC;

        while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST) && !__atomic_load_n(&was_reset, __ATOMIC_SEQ_CST)) {
                ck_assert_msg(g_get_monotonic_time() < end, "the program does not end");
                g_usleep(200);
        }
        engine_pause(engine);
}

/* What a program leaves behind. */
struct outcome {
        uint64_t regs[CPU_REGS], rip, rflags, cr0, cr3, cr4, efer, xcr0;
        struct segment seg[CPU_SEGMENTS];
        uint8_t xmm[256], st[128], data[DATA_BYTES];
};

static struct outcome take_outcome(void)
{
        struct outcome outcome;

        memset(&outcome, 0, sizeof(outcome));
        memcpy(outcome.regs, cpu->regs, sizeof(outcome.regs));
        outcome.rip = cpu->rip;
        outcome.rflags = cpu_rflags(cpu);
        outcome.cr0 = cpu->cr0;
        outcome.cr3 = cpu->cr3;
        outcome.cr4 = cpu->cr4;
        outcome.efer = cpu->efer;
        outcome.xcr0 = cpu->xcr0;
        for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
                outcome.seg[i].selector = cpu->seg[i].selector;
                outcome.seg[i].attr = cpu->seg[i].attr;
                outcome.seg[i].limit = cpu->seg[i].limit;
                outcome.seg[i].base = cpu->seg[i].base;
        }
        memcpy(outcome.xmm, cpu->fpu.image + FPU_XMM, sizeof(outcome.xmm));
        memcpy(outcome.st, cpu->fpu.image + FPU_ST, sizeof(outcome.st));
        memcpy(outcome.data, memory_ram(memory) + DATA, DATA_BYTES);
        return outcome;
}

typedef unsigned long long ull;

/* NULL: none. */
static char *difference(const struct outcome *a, const struct outcome *b)
{
        for (unsigned i = 0; i < CPU_REGS; i++)
                if (a->regs[i] != b->regs[i])
                        return g_strdup_printf("register %u is %#llx and %#llx", i, (ull)a->regs[i], (ull)b->regs[i]);
        if (a->rip != b->rip)
                return g_strdup_printf("RIP is %#llx and %#llx", (ull)a->rip, (ull)b->rip);
        if (a->rflags != b->rflags)
                return g_strdup_printf("RFLAGS is %#llx and %#llx", (ull)a->rflags, (ull)b->rflags);
        for (unsigned i = 0; i < CPU_SEGMENTS; i++)
                if (memcmp(&a->seg[i], &b->seg[i], sizeof(a->seg[i])))
                        return g_strdup_printf("segment %u is %x %x %x %llx and %x %x %x %llx", i, a->seg[i].selector, a->seg[i].attr,
                                               a->seg[i].limit, (ull)a->seg[i].base, b->seg[i].selector, b->seg[i].attr,
                                               b->seg[i].limit, (ull)b->seg[i].base);
        for (unsigned i = 0; i < DATA_BYTES; i++)
                if (a->data[i] != b->data[i])
                        return g_strdup_printf("byte %#x of memory is %#x and %#x", i, a->data[i], b->data[i]);
        if (memcmp(a->xmm, b->xmm, sizeof(a->xmm)) || memcmp(a->st, b->st, sizeof(a->st)))
                return g_strdup("vector or x87 registers differ");
        if (a->cr0 != b->cr0 || a->cr3 != b->cr3 || a->cr4 != b->cr4 || a->efer != b->efer || a->xcr0 != b->xcr0)
                return g_strdup_printf("CR0 is %#llx and %#llx, CR3 %#llx and %#llx, CR4 %#llx and %#llx, EFER %#llx and %#llx", (ull)a->cr0,
                                       (ull)b->cr0, (ull)a->cr3, (ull)b->cr3, (ull)a->cr4, (ull)b->cr4, (ull)a->efer, (ull)b->efer);
        return NULL;
}

static void compare(const char *name, const struct outcome *a, const struct outcome *b)
{
        char *found = difference(a, b);

        ck_assert_msg(!found, "%s: %s", name, found);
}

/* Where it ended: *moved_why is NULL when it never left that engine. */
static struct outcome run_under(const char *name, const struct program *program, uint64_t count, char **moved_why)
{
        struct outcome outcome;

        ck_assert(open_machine(name, program, count, NULL));
        wait_done();
        ck_assert(!was_reset);
        outcome = take_outcome();
        *moved_why = g_strdup(engine_moved_why(engine));
        close_machine();
        return outcome;
}

#endif
