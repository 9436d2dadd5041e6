/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_traps.c - the traps of running guest code on the host's own CPU that show at the translator's
 * edge: what host state callbacks and handlers see, locked and wrapping accesses, code pages written by
 * devices.  tests/README.md maps every trap to its tests.
 */
#include <check.h>
#include <string.h>
#include <sys/auxv.h>
#include <signal.h>
#include <unistd.h>
#include "cpu/cpuid.h"
#include "cpu/tlb.h"
#include "dbt/dbt.h"
#include "memory/note.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51       /* Linux 5.14 */
#endif

enum { CODE = 0x10000, STACK = 0x8000, DATA = 0x20000, RAM_BYTES = 16 << 20 };
enum { HOST_AC = 1 << 18, HOST_DF = 1 << 10, GUEST_AC = 1 << 18 };

static struct lock machine_lock;
static struct memory *memory;
static struct dbt *dbt;
static struct cpu *cpu;

/* -- What a device sees ------------------------------------------------------------------------ */

static __thread uint64_t thread_word = 0x600dc0de;

/* Host state at the last write to a port. */
static struct {
        unsigned calls;
        uint64_t rflags, tls;
        uint32_t mxcsr;
        uint16_t control_word;
        size_t signal_stack;
} seen;

/* What the port's device does besides; NULL: nothing. */
static void (*device)(void);

/* Ruins every vector and x87 register, as any C function may. */
static void clobber_vectors(void)
{
        static const uint32_t odd = 0x9fc0;
        uint64_t ones = ~UINT64_C(0);

        __asm__ volatile("fninit\n\tfldpi\n\tfldpi\n\tldmxcsr %0\n\tfstp %%st(0)" : : "m"(odd));
#define RUIN(n) __asm__ volatile("movq %0, %%xmm" #n : : "r"(ones) : "xmm" #n)
        RUIN(0); RUIN(1); RUIN(2); RUIN(3); RUIN(4); RUIN(5); RUIN(6); RUIN(7);
        RUIN(8); RUIN(9); RUIN(10); RUIN(11); RUIN(12); RUIN(13); RUIN(14); RUIN(15);
#undef RUIN
        if (__builtin_cpu_supports("avx"))
                __asm__ volatile("vcmpps $15, %%ymm0, %%ymm0, %%ymm0\n\tvmovaps %%ymm0, %%ymm1\n\tvmovaps %%ymm0, %%ymm7" : : : "xmm0", "xmm1", "xmm7");
        __asm__ volatile("fninit\n\tldmxcsr %0" : : "m"((const uint32_t){ 0x1f80 }));
}

static uint32_t io_read(void *opaque, uint16_t port, unsigned size)
{
        (void)opaque;
        (void)port;
        clobber_vectors();
        return size == 1 ? 0xff : size == 2 ? 0xffff : 0xffffffff;
}

static void io_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        stack_t stack;

        (void)opaque;
        (void)port;
        (void)value;
        (void)size;
        __asm__ volatile("pushfq\n\tpopq %0" : "=r"(seen.rflags));
        __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(seen.mxcsr), "=m"(seen.control_word));
        seen.tls = thread_word;
        seen.signal_stack = sigaltstack(NULL, &stack) || stack.ss_flags & SS_DISABLE ? 0 : stack.ss_size;
        seen.calls++;
        clobber_vectors();
        if (device)
                device();
}

static uint64_t tsc(void *opaque)
{
        (void)opaque;
        return 1;
}

/* -- The machine ------------------------------------------------------------------------------- */

static void flat(struct segment *segment, uint16_t selector, uint16_t attr)
{
        segment->selector = selector;
        segment->base = 0;
        segment->limit = 0xffffffff;
        segment->attr = attr;
}

static void setup(void)
{
        GError *error = NULL;
        struct cpu_env env = { .io_read = io_read, .io_write = io_write, .tsc = tsc };
        struct dbt_options options = { 0 };

        memset(&seen, 0, sizeof(seen));
        device = NULL;
        lock_init(&machine_lock, LOCK_RANK_MACHINE, "machine");
        memory = memory_new(RAM_BYTES, &machine_lock, &error);
        ck_assert_ptr_nonnull(memory);
        lock_acquire(&machine_lock);
        memory_map_ram(memory, 0, 0, RAM_BYTES, false, 0, "ram");
        lock_release(&machine_lock);
        dbt = dbt_new(memory, &options, &error);
        ck_assert_msg(dbt != NULL, "%s", error ? error->message : "");
        cpu = dbt_cpu_new(dbt, 0, cpu_model_find("host"), &env, &error);
        ck_assert_ptr_nonnull(cpu);
        cpu->cr0 |= CR0_PE;
        cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
        flat(&cpu->seg[SEG_CS], 8, 0xc09b);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                if (i != SEG_CS)
                        flat(&cpu->seg[i], 16, 0xc093);
        dbt_state_changed(cpu);
        dbt_thread_enter(cpu);
}

static void teardown(void)
{
        dbt_thread_leave();
        dbt_cpu_free(cpu);
        dbt_free(dbt);
        memory_free(memory);
        lock_destroy(&machine_lock);
}

static uint8_t *data(uint32_t offset) { return memory_ram(memory) + DATA + offset; }

static uint32_t data32(uint32_t offset)
{
        uint32_t value;

        memcpy(&value, data(offset), sizeof(value));
        return value;
}

static void put32(uint32_t offset, uint32_t value) { memcpy(data(offset), &value, sizeof(value)); }

/* Guest code, 32-bit, Intel syntax, position-independent but for what it says itself. */
#define GUEST(name, text) \
        extern const uint8_t name[], name##_end[]; \
        __asm__(".pushsection .rodata\n.code32\n.intel_syntax noprefix\n" #name ":\n" text "\nhlt\n" #name "_end:\n" \
                ".att_syntax prefix\n.code64\n.popsection")

static void start(uint32_t eip)
{
        cpu->rip = eip;
        cpu->regs[RSP] = STACK;
        ck_assert_int_eq(dbt_run(cpu, 100000), DBT_STOP_HALTED);
        cpu->halted = 0;
}

static void run_bytes(const uint8_t *from, const uint8_t *end)
{
        memcpy(memory_ram(memory) + CODE, from, (size_t)(end - from));
        start(CODE);
}
#define RUN(name) run_bytes(name, name##_end)

/* -- T3, T7: whose state is in the CPU --------------------------------------------------------- */

GUEST(vectors, "fninit\n fldcw [0x20000]\n ldmxcsr [0x20004]\n"
               "movups xmm0, [0x20010]\n movups xmm1, [0x20020]\n movups xmm7, [0x20030]\n fld qword ptr [0x20040]\n"
               "std\n out 0x80, al\n in al, 0x80\n"
               "movups [0x20110], xmm0\n movups [0x20120], xmm1\n movups [0x20130], xmm7\n"
               "fnstcw [0x20100]\n stmxcsr [0x20104]\n fstp qword ptr [0x20140]\n pushfd\n pop ebx\n cld");

/* A callback of a device is ordinary C: it must find what the ABI promises, and may ruin what the ABI
 * lets it ruin. */
START_TEST(T3_T7_callbacks_see_host_state_and_keep_the_guests)
{
        put32(0, 0x0c7f);               /* x87: round to zero, single precision */
        put32(4, 0x7f80);               /* SSE: round to zero */
        for (unsigned i = 0x10; i < 0x48; i++)
                *data(i) = (uint8_t)(3 * i);
        RUN(vectors);
        ck_assert_uint_eq(seen.calls, 1);
        ck_assert_uint_eq(seen.rflags & (HOST_DF | HOST_AC), 0);
        ck_assert_uint_eq(seen.mxcsr & 0xffc0, 0x1f80);
        ck_assert_uint_eq(seen.control_word, 0x37f);
        ck_assert_uint_eq(seen.tls, 0x600dc0de);
        ck_assert_mem_eq(data(0x110), data(0x10), 0x30);
        ck_assert_mem_eq(data(0x140), data(0x40), 8);
        ck_assert_uint_eq(data32(0x100) & 0xffff, 0x0c7f);
        ck_assert_uint_eq(data32(0x104), 0x7f80);
        ck_assert_uint_eq(cpu->regs[RBX] & HOST_DF, HOST_DF);
}
END_TEST

/* Signal frames hold all the vector state there is (AVX-512, AMX): the kernel says how much. */
START_TEST(T7_signal_stack_is_large_enough)
{
        RUN(vectors);
        ck_assert_uint_ge(seen.signal_stack, getauxval(AT_MINSIGSTKSZ) + 4096);
}
END_TEST

GUEST(sets_ac, "pushfd\n or dword ptr [esp], 0x40000\n popfd\n mov eax, [0x20001]\n inc dword ptr [0x20005]\n out 0x80, al\n"
               "pushfd\n pop ebx\n mov ecx, [0x20003]\n and dword ptr [esp-4], 0xfffbffff\n sub esp, 4\n popfd");

/* Host Linux has CR0.AM set: AC in the host's flags would make unaligned accesses of anything fault. */
START_TEST(T3_guest_AC_is_not_the_hosts)
{
        put32(1, 0x11223344);
        RUN(sets_ac);
        ck_assert_uint_eq(seen.calls, 1);
        ck_assert_uint_eq(seen.rflags & HOST_AC, 0);
        ck_assert_uint_eq(cpu->regs[RBX] & GUEST_AC, GUEST_AC);
        ck_assert_uint_eq(cpu->regs[RAX] & 0xffffffff, 0x11223344);
}
END_TEST

/* -- T6: addresses that are not canonical ------------------------------------------------------- */

enum { TABLES = 0xf00000 };

/* 64-bit mode; the first 2 MiB are mapped to themselves. */
static void enter_long_mode(void)
{
        uint64_t entries[] = { TABLES + 0x1000 + 7, TABLES + 0x2000 + 7, 0x80 + 7 };

        for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++)
                memcpy(memory_page(memory, TABLES + i * 0x1000).host, &entries[i], 8);
        cpu->efer = EFER_LME | EFER_LMA;
        cpu->cr4 |= CR4_PAE;
        cpu->cr3 = TABLES;
        cpu->cr0 |= CR0_PG;
        cpu->seg[SEG_CS].attr = 0xa09b;
        dbt_state_changed(cpu);
}

static void run64(const uint8_t *code, size_t size)
{
        lock_acquire(&machine_lock);
        ck_assert(memory_write(memory, CODE, code, size));
        lock_release(&machine_lock);
        cpu->exception.pending = false;
        cpu->halted = 0;
        cpu->rip = CODE;
        dbt_run(cpu, 1);
}

/* The one page whose accesses an empty TLB entry lets through, to be stopped by the host's CPU: a load and a store that
 * guess an entry which has become empty, one that computes it, and one through the stack segment. */
START_TEST(T6_the_tag_of_empty_entries_names_no_memory)
{
        static const struct { uint8_t code[8], size; bool stack; } access[] = {
                { { 0x48, 0x8b, 0x03, 0xf4 }, 4, false },                               /* mov rax, [rbx]; hlt */
                { { 0x48, 0x89, 0x03, 0xf4 }, 4, false },                               /* mov [rbx], rax; hlt */
                { { 0x0f, 0x10, 0x03, 0xf4 }, 4, false },                               /* movups xmm0, [rbx]; hlt */
                { { 0x8b, 0x45, 0x00, 0x8b, 0x4d, 0x04, 0xf4 }, 7, true },              /* mov eax, [rbp]; mov ecx, [rbp+4] */
        };

        enter_long_mode();
        for (unsigned i = 0; i < G_N_ELEMENTS(access); i++) {
                cpu->regs[RBX] = cpu->regs[RBP] = DATA;
                run64(access[i].code, access[i].size);
                ck_assert(!cpu->exception.pending);
                ck_assert_uint_eq(cpu->halted, 1);
                for (unsigned flushed = 0; flushed < 2; flushed++) {
                        if (flushed)
                                tlb_flush(cpu, true);
                        cpu->regs[RBX] = cpu->regs[RBP] = -TLB_EMPTY + 8;
                        run64(access[i].code, access[i].size);
                        ck_assert(cpu->exception.pending);
                        ck_assert_uint_eq(cpu->exception.vector, access[i].stack ? EXC_SS : EXC_GP);
                        ck_assert_uint_eq(cpu->exception.error, 0);
                        ck_assert_uint_eq(cpu->rip, CODE);
                }
        }
}
END_TEST

/* -- T12, T13: accesses that straddle or wrap -------------------------------------------------- */

GUEST(split_locks, "lock add dword ptr [0x2003e], 0x01010101\n lock inc dword ptr [0x20ffd]\n mov eax, 5\n"
                   "lock xadd dword ptr [0x20ffe], eax\n mov esi, eax\n xor eax, eax\n xor edx, edx\n"
                   "mov ebx, 7\n mov ecx, 9\n lock cmpxchg8b qword ptr [0x21ffa]");

/* One vCPU: the only other writers are devices, which hold the machine lock and never expect a guest's
 * read-modify-write to be atomic; so the result is what is asked for, across a line and across pages. */
START_TEST(T12_locked_accesses_across_line_and_page)
{
        put32(0x3e, 0x0f0f0f0f);
        put32(0xffd, 0x00ffffff);
        RUN(split_locks);
        ck_assert_uint_eq(data32(0x3e), 0x10101010);
        ck_assert_uint_eq(*data(0xffd), 0);
        /* 01000000h at FFDh is 00010000h at FFEh. */
        ck_assert_uint_eq(cpu->regs[RSI] & 0xffffffff, 0x00010000);
        ck_assert_uint_eq(data32(0xffe), 0x00010005);
        ck_assert_uint_eq(data32(0x1ffa), 7);
        ck_assert_uint_eq(data32(0x1ffe), 9);
}
END_TEST

GUEST(wraps, "mov ebx, 0x80020010\n mov eax, [ebx+0x7ffffff0+0x0]\n mov ecx, 0x40000000\n mov edx, [ebx+ecx*2-0x10]\n"
             "mov esi, 0xfffffffe\n mov edi, [esi+4*0+0x20002]");

/* The largest displacements, and sums beyond 4 GiB, reach what the guest's own 32-bit sum names. */
START_TEST(T13_displacements_wrap_inside_the_guest)
{
        put32(0, 0xcafef00d);
        RUN(wraps);
        ck_assert_uint_eq(cpu->regs[RAX] & 0xffffffff, 0xcafef00d);
        ck_assert_uint_eq(cpu->regs[RDX] & 0xffffffff, 0xcafef00d);
        ck_assert_uint_eq(cpu->regs[RDI] & 0xffffffff, 0xcafef00d);
}
END_TEST

/* -- T14, T15: code pages written from outside ------------------------------------------------- */

GUEST(calls_device, "xor eax, eax\n out 0x80, al\n mov al, 0x11\n mov ah, al");
GUEST(returns_one, "mov eax, 1");
GUEST(returns_two, "mov eax, 2");
enum { CALLS_DEVICE_IMMEDIATE = CODE + 5 };

static void device_writes_next_instruction(void)
{
        uint8_t byte = 0x22;

        ck_assert(memory_write(memory, CALLS_DEVICE_IMMEDIATE, &byte, 1));
}

START_TEST(T14_device_writes_the_block_that_runs)
{
        RUN(calls_device);
        ck_assert_uint_eq(cpu->regs[RAX] & 0xffff, 0x1111);
        device = device_writes_next_instruction;
        start(CODE);
        ck_assert_uint_eq(cpu->regs[RAX] & 0xffff, 0x2222);
}
END_TEST

/* read(2) and its like go straight to guest memory that holds code: the alias takes them (no EFAULT),
 * and what is reported is translated anew. */
START_TEST(T15_system_calls_write_to_code_pages)
{
        size_t size = (size_t)(returns_two_end - returns_two);
        int ends[2];

        RUN(returns_one);
        ck_assert_uint_eq(memory_page(memory, CODE).state & PAGE_HOLDS_CODE, PAGE_HOLDS_CODE);
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(write(ends[1], returns_two, size), (ssize_t)size);
        ck_assert_int_eq(read(ends[0], memory_page(memory, CODE).host, size), (ssize_t)size);
        close(ends[0]);
        close(ends[1]);
        lock_acquire(&machine_lock);
        memory_note_write(memory, CODE, size);
        lock_release(&machine_lock);
        start(CODE);
        ck_assert_uint_eq(cpu->regs[RAX], 2);
}
END_TEST

/* -- T17 --------------------------------------------------------------------------------------- */

/* XSAVEOPT and XSAVES remember host addresses: never offered. */
START_TEST(T17_no_modified_optimisation_is_offered)
{
        enum { XSAVEOPT = 1 << 0, XSAVES = 1 << 3 };
        uint32_t out[4];

        cpu->cr4 |= CR4_OSXSAVE;
        cpuid_query(cpu, 0xd, 1, out);
        ck_assert_uint_eq(out[0] & (XSAVEOPT | XSAVES), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("traps");
        TCase *cases = tcase_create("traps");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_add_test(cases, T3_T7_callbacks_see_host_state_and_keep_the_guests);
        tcase_add_test(cases, T7_signal_stack_is_large_enough);
        tcase_add_test(cases, T3_guest_AC_is_not_the_hosts);
        tcase_add_test(cases, T6_the_tag_of_empty_entries_names_no_memory);
        tcase_add_test(cases, T12_locked_accesses_across_line_and_page);
        tcase_add_test(cases, T13_displacements_wrap_inside_the_guest);
        tcase_add_test(cases, T14_device_writes_the_block_that_runs);
        tcase_add_test(cases, T15_system_calls_write_to_code_pages);
        tcase_add_test(cases, T17_no_modified_optimisation_is_offered);
        suite_add_tcase(suite, cases);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
