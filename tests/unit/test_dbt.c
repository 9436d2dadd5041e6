/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_dbt.c - the translator on small pieces of 32-bit code: registers, flags, memory, control flow.
 */
#include <check.h>
#include <string.h>
#include "cpu/cpuid.h"
#include "dbt/dbt.h"

enum { CODE = 0x10000, STACK = 0x8000, DATA = 0x20000, RAM_BYTES = 16 << 20 };

static struct lock machine_lock;
static struct memory *memory;
static struct dbt *dbt;
static struct cpu *cpu;

static uint32_t io_read(void *opaque, uint16_t port, unsigned size)
{
        (void)opaque;
        (void)port;
        return size == 1 ? 0xff : size == 2 ? 0xffff : 0xffffffff;
}

static void io_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        (void)opaque;
        (void)port;
        (void)value;
        (void)size;
}

static uint64_t tsc(void *opaque)
{
        (void)opaque;
        return 1;
}

static void flat(struct segment *segment, uint16_t selector, uint16_t attr)
{
        segment->selector = selector;
        segment->base = 0;
        segment->limit = 0xffffffff;
        segment->attr = attr;
}

static void setup_with(struct dbt_options options)
{
        GError *error = NULL;
        struct cpu_env env = { .io_read = io_read, .io_write = io_write, .tsc = tsc };

        lock_init(&machine_lock, LOCK_RANK_MACHINE, "machine");
        memory = memory_new(16 << 20, &machine_lock, &error);
        ck_assert_ptr_nonnull(memory);
        lock_acquire(&machine_lock);
        memory_map_ram(memory, 0, 0, RAM_BYTES, false, 0, "ram");
        lock_release(&machine_lock);
        dbt = dbt_new(memory, &options, &error);
        ck_assert_msg(dbt != NULL, "%s", error ? error->message : "");
        cpu = dbt_cpu_new(dbt, 0, cpu_model_find("host"), &env, &error);
        ck_assert_ptr_nonnull(cpu);
        cpu->cr0 |= CR0_PE;
        flat(&cpu->seg[SEG_CS], 8, 0xc09b);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                if (i != SEG_CS)
                        flat(&cpu->seg[i], 16, 0xc093);
        dbt_state_changed(cpu);
        dbt_thread_enter(cpu);
}

static void setup(void) { setup_with((struct dbt_options){ 0 }); }
static void setup_no_bmi2(void) { setup_with((struct dbt_options){ .no_bmi2 = true }); }

static void teardown(void)
{
        dbt_thread_leave();
        dbt_cpu_free(cpu);
        dbt_free(dbt);
        memory_free(memory);
        lock_destroy(&machine_lock);
}

/* Runs code until its HLT. */
static void run(const char *bytes, size_t size)
{
        memcpy(memory_ram(memory) + CODE, bytes, size);
        cpu->rip = CODE;
        cpu->regs[RSP] = STACK;
        ck_assert_int_eq(dbt_run(cpu, 100000), DBT_STOP_HALTED);
        cpu->halted = 0;
}
#define RUN(code) run(code, sizeof(code) - 1)

START_TEST(arithmetic)
{
        cpu->regs[RAX] = 0x7fffffff;
        cpu->regs[RCX] = 1;
        RUN("\x01\xc8"          /* add eax, ecx */
            "\x89\xcb"          /* mov ebx, ecx */
            "\x89\xe2"          /* mov edx, esp */
            "\xf4");
        ck_assert_uint_eq(cpu->regs[RAX], 0x80000000);
        ck_assert_uint_eq(cpu->regs[RBX], 1);
        ck_assert_uint_eq(cpu->regs[RDX], STACK);
        ck_assert_uint_eq(cpu_rflags(cpu) & FLAGS_ARITH, FLAG_OF | FLAG_SF | FLAG_PF | FLAG_AF);
}
END_TEST

START_TEST(memory_and_stack)
{
        cpu->regs[RSI] = DATA;
        cpu->regs[RCX] = 3;
        RUN("\xc7\x44\x8e\x04\x78\x56\x34\x12"  /* mov dword [esi+ecx*4+4], 12345678h */
            "\x8b\x46\x10"                      /* mov eax, [esi+16] */
            "\x50\x59"                          /* push eax; pop ecx */
            "\x68\x11\x22\x33\x44"              /* push 44332211h */
            "\x8b\x1c\x24"                      /* mov ebx, [esp] */
            "\xf4");
        ck_assert_uint_eq(cpu->regs[RAX], 0x12345678);
        ck_assert_uint_eq(cpu->regs[RCX], 0x12345678);
        ck_assert_uint_eq(cpu->regs[RBX], 0x44332211);
        ck_assert_uint_eq(cpu->regs[RSP], STACK - 4);
}
END_TEST

START_TEST(loops_and_calls)
{
        RUN("\x31\xc0\xb9\x64\x00\x00\x00"      /* xor eax,eax; mov ecx,100 */
            "\xe8\x05\x00\x00\x00"              /* call +5 */
            "\xe2\xf9"                          /* loop to the call */
            "\xf4\x90\x90"
            "\x01\xc8\xc3");                    /* add eax,ecx; ret */
        ck_assert_uint_eq(cpu->regs[RAX], 5050);
        ck_assert_uint_eq(cpu->regs[RSP], STACK);
}
END_TEST

START_TEST(high_bytes)
{
        cpu->regs[RAX] = 0x11223344;
        cpu->regs[RCX] = 0x55667788;
        cpu->regs[RSI] = DATA;
        RUN("\x00\xec"                          /* add ah, ch */
            "\x88\x2e"                          /* mov [esi], ch */
            "\x02\x2e"                          /* add ch, [esi] */
            "\x0f\xb6\xdd"                      /* movzx ebx, ch */
            "\x8a\x26"                          /* mov ah, [esi] */
            "\xf4");
        ck_assert_uint_eq(cpu->regs[RAX], 0x11227744);
        ck_assert_uint_eq(cpu->regs[RCX], 0x5566ee88);
        ck_assert_uint_eq(cpu->regs[RBX], 0xee);
}
END_TEST

START_TEST(divide_error_restores_state)
{
        cpu->regs[RAX] = 5;
        cpu->regs[RDX] = 0;
        cpu->regs[RCX] = 0;
        memcpy(memory_ram(memory) + CODE, "\x90\xf7\xf1\xf4", 4);      /* nop; div ecx */
        cpu->rip = CODE;
        cpu->idt.limit = 0;
        dbt_run(cpu, 1);
        ck_assert(cpu->exception.pending);
        ck_assert_uint_eq(cpu->exception.vector, EXC_DE);
        ck_assert_uint_eq(cpu->rip, CODE + 1);
        ck_assert_uint_eq(cpu->regs[RAX], 5);
}
END_TEST

/* T14: the next instruction of the same block is rewritten. */
START_TEST(T14_next_instruction)
{
        RUN("\xc6\x05\x09\x00\x01\x00\x2a"      /* mov byte [CODE+9], 2Ah */
            "\x90"
            "\xb0\x01"                          /* mov al, 1: becomes mov al, 2Ah */
            "\xf4");
        ck_assert_uint_eq(cpu->regs[RAX] & 0xff, 0x2a);
        ck_assert_uint_ge(dbt_counter(dbt, DBT_COUNT_INVALIDATED), 1);
}
END_TEST

/* Vector state survives what C does with the registers after dbt_run() has returned. */
START_TEST(vector_state_between_runs)
{
        double value = 1.5;

        cpu->cr4 |= CR4_OSFXSR;
        dbt_state_changed(cpu);
        RUN("\x66\x0f\x76\xc0\xf4");           /* pcmpeqd xmm0, xmm0 */
        ck_assert(!cpu->vector_live);
        __asm__ volatile("movsd %0, %%xmm0" : : "m"(value) : "xmm0");
        dbt_flush(dbt);
        RUN("\x66\x0f\x7e\xc0\xf4");           /* movd eax, xmm0 */
        ck_assert_uint_eq(cpu->regs[RAX], 0xffffffff);
}
END_TEST

/* STI inhibits interrupts for one instruction only if IF was clear (SDM 2B, STI). */
START_TEST(sti_with_if_set)
{
        for (unsigned iflag = 0; iflag < 2; iflag++) {
                memory_ram(memory)[CODE + 0xfff] = 0xfb;
                cpu->rip = CODE + 0xfff;
                cpu->iflag = (uint8_t)iflag;
                cpu->shadow = 0;
                dbt_run(cpu, 1);
                ck_assert_uint_eq(cpu->rip, CODE + 0x1000);
                ck_assert_uint_eq(cpu->iflag, 1);
                ck_assert_uint_eq(cpu->shadow, !iflag);
        }
}
END_TEST

/* An instruction that begins in RAM and ends where nothing is, which reads as ones. */
START_TEST(instruction_over_the_end_of_ram)
{
        memcpy(memory_ram(memory) + RAM_BYTES - 2, "\xb8\x11", 2);     /* mov eax, imm32 */
        for (unsigned i = 0; i < 2; i++) {
                cpu->rip = RAM_BYTES - 2;
                cpu->regs[RAX] = 0;
                dbt_run(cpu, 1);
                ck_assert_uint_eq(cpu->regs[RAX], 0xffffff11);
                ck_assert_uint_eq(cpu->rip, RAM_BYTES + 3);
        }
}
END_TEST

/* Two accesses through one base, which together reach from the end of the address space over its start. */
START_TEST(accesses_around_address_zero)
{
        memcpy(memory_ram(memory) + 0x33, "\x78\x56\x34\x12", 4);
        cpu->regs[RSI] = 0xffffffff;
        RUN("\x8b\x46\x34"                      /* mov eax, [esi+34h]: at 33h */
            "\x8b\x5e\xa2"                      /* mov ebx, [esi-5Eh]: nothing there */
            "\x8b\x4e\x34\xf4");                /* mov ecx, [esi+34h] */
        ck_assert_uint_eq(cpu->regs[RAX], 0x12345678);
        ck_assert_uint_eq(cpu->regs[RBX], 0xffffffff);
        ck_assert_uint_eq(cpu->regs[RCX], 0x12345678);
}
END_TEST

/* A base that wraps between two accesses of a span, by its own steps. */
START_TEST(bases_that_wrap)
{
        memcpy(memory_ram(memory) + 0x10, "\x78\x56\x34\x12", 4);
        cpu->regs[RSI] = 0x10;
        RUN("\x8b\x06"                          /* mov eax, [esi] */
            "\x83\xee\x20"                      /* sub esi, 32 */
            "\x8b\x5e\x20"                      /* mov ebx, [esi+32] */
            "\x83\xee\x20\x8b\x4e\x40\xf4");  /* sub esi, 32; mov ecx, [esi+64] */
        ck_assert_uint_eq(cpu->regs[RAX], 0x12345678);
        ck_assert_uint_eq(cpu->regs[RBX], 0x12345678);
        ck_assert_uint_eq(cpu->regs[RCX], 0x12345678);
        ck_assert_uint_eq(cpu->regs[RSI], 0xffffffd0);
}
END_TEST

/* A constant whose sum with the size passes 2 GiB, beside a small one through the same base. */
START_TEST(largest_constants)
{
        memcpy(memory_ram(memory) + DATA - 23, "\x78\x56\x34\x12", 4);
        cpu->regs[RSI] = DATA;
        RUN("\x8b\x86\xfc\xff\xff\x7f"          /* mov eax, [esi+7FFFFFFCh]: nothing there */
            "\x8b\x5e\xe9\xf4");                /* mov ebx, [esi-23] */
        ck_assert_uint_eq(cpu->regs[RAX], 0xffffffff);
        ck_assert_uint_eq(cpu->regs[RBX], 0x12345678);
}
END_TEST

static void add(TCase *tcase)
{
        tcase_add_test(tcase, arithmetic);
        tcase_add_test(tcase, memory_and_stack);
        tcase_add_test(tcase, loops_and_calls);
        tcase_add_test(tcase, high_bytes);
        tcase_add_test(tcase, divide_error_restores_state);
        tcase_add_test(tcase, T14_next_instruction);
        tcase_add_test(tcase, vector_state_between_runs);
        tcase_add_test(tcase, sti_with_if_set);
        tcase_add_test(tcase, instruction_over_the_end_of_ram);
        tcase_add_test(tcase, accesses_around_address_zero);
        tcase_add_test(tcase, bases_that_wrap);
        tcase_add_test(tcase, largest_constants);
}

int main(void)
{
        Suite *suite = suite_create("dbt");
        TCase *plain = tcase_create("plain"), *old = tcase_create("without BMI2");

        tcase_add_checked_fixture(plain, setup, teardown);
        add(plain);
        tcase_add_checked_fixture(old, setup_no_bmi2, teardown);
        add(old);
        suite_add_tcase(suite, plain);
        suite_add_tcase(suite, old);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
