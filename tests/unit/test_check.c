/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_check.c - the self-check: right code passes it, planted faults are reported, devices are not touched twice.
 */
#include <check.h>
#include <string.h>
#include "dbt/check.h"
#include "dbt_fixture.h"

static unsigned device_reads;

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
        (void)opaque;
        (void)offset;
        (void)size;
        return ++device_reads;
}

static void setup(void)
{
        static const struct mmio_ops ops = { .read = device_read };

        dbt_fixture_open((struct dbt_options){ .check = true });
        lock_acquire(&fixture_lock);
        memory_map_mmio(memory, DEVICE, PAGE_SIZE, &ops, NULL, 0, "device");
        lock_release(&fixture_lock);
        device_reads = 0;
}

START_TEST(right_code_passes)
{
        RUN("\xb9\x05\x00\x00\x00"              /* mov ecx, 5 */
            "\xbf\x00\x00\x02\x00"              /* mov edi, DATA */
            "\x89\x0f\x01\x4f\x02"              /* mov [edi], ecx; add [edi+2], ecx */
            "\x51\x5b\xe2\xf7"                  /* push ecx; pop ebx; loop */
            "\xdb\xe3\xd9\xe8\xd9\x5f\x10"      /* fninit; fld1; fstp dword [edi+16] */
            "\xf4");
        ck_assert_uint_eq(cpu->regs[RCX], 0);
        ck_assert_uint_eq(cpu->regs[RBX], 1);
        ck_assert_uint_eq(peek(DATA + 16, 4), 0x3f800000);
        ck_assert_uint_ge(dbt_counter(dbt, DBT_COUNT_CHECKED), 5);
        ck_assert_uint_eq(dbt_counter(dbt, DBT_COUNT_CHECK_AGAIN), 0);
}
END_TEST

START_TEST(stores_are_undone_between_the_passes)
{
        memory_ram(memory)[DATA] = 7;
        cpu->regs[RSI] = DATA;
        RUN("\xfe\x06\xfe\x06\x80\x06\x10\xf4");        /* inc byte [esi] twice; add byte [esi], 16 */
        ck_assert_uint_eq(memory_ram(memory)[DATA], 25);
        ck_assert_uint_eq(dbt_counter(dbt, DBT_COUNT_CHECKED), 1);
}
END_TEST

START_TEST(faults_are_compared)
{
        cpu->regs[RCX] = 0;
        place(CODE, "\x40\xf7\xf1\xf4", 4);             /* inc eax; div ecx */
        cpu->rip = CODE;
        dbt_run(cpu, 1);
        ck_assert(cpu->exception.pending);
        ck_assert_uint_eq(cpu->exception.vector, EXC_DE);
        ck_assert_uint_eq(cpu->rip, CODE + 1);
        ck_assert_uint_eq(dbt_counter(dbt, DBT_COUNT_CHECKED), 1);
}
END_TEST

START_TEST(devices_are_read_once)
{
        RUN("\x40\x8b\x1d\x00\x00\x00\x01"              /* inc eax; mov ebx, [DEVICE] */
            "\x8b\x0d\x00\x00\x00\x01\xf4");            /* mov ecx, [DEVICE] */
        ck_assert_uint_eq(device_reads, 2);
        ck_assert_uint_eq(cpu->regs[RBX], 1);
        ck_assert_uint_eq(cpu->regs[RCX], 2);
        ck_assert_uint_ge(dbt_counter(dbt, DBT_COUNT_CHECK_NOT_DEVICE), 2);
}
END_TEST

START_TEST(code_may_rewrite_itself)
{
        RUN("\xc6\x05\x09\x00\x01\x00\x2a"              /* mov byte [CODE+9], 2Ah */
            "\x90\xb0\x01\xf4");                        /* nop; mov al, 1: becomes mov al, 2Ah */
        ck_assert_uint_eq(cpu->regs[RAX] & 0xff, 0x2a);
        ck_assert_uint_ge(dbt_counter(dbt, DBT_COUNT_CHECK_NOT_WRITTEN), 1);
}
END_TEST

/* -- Planted faults ------------------------------------------------------------------------------ */

/* Overwrites the first `from` in the translation of the block at CODE. */
static void plant(const char *from, const char *to, size_t size)
{
        for (guint i = 0; i < dbt->contexts->len; i++) {
                const struct context *context = g_ptr_array_index(dbt->contexts, i);
                struct block *block = context->mode & MODE_CHECK ? block_find(dbt, context, CODE, CODE) : NULL;
                if (!block)
                        continue;
                uint8_t *host = block->checked - dbt->cache.rx + dbt->cache.rw;
                uint8_t *at = memmem(host, block->host_bytes, from, size);
                ck_assert_ptr_nonnull(at);
                memcpy(at, to, size);
                return;
        }
        ck_abort_msg("there is no block to plant a fault in");
}

/* Runs code once, plants a fault, and runs it again. */
static void check_plant(const char *code, size_t code_size, const char *from, const char *to, size_t size)
{
        run(code, code_size);
        plant(from, to, size);
        cpu->rip = CODE;
        cpu->regs[RSP] = STACK;
        uint64_t checked = dbt_counter(dbt, DBT_COUNT_CHECKED);
        ck_assert_int_eq(dbt_run(cpu, 100), DBT_STOP_CHECK);
        ck_assert_uint_eq(dbt_counter(dbt, DBT_COUNT_CHECKED), checked);
        ck_assert_uint_eq(dbt_counter(dbt, DBT_COUNT_CHECK_AGAIN), 2);
}
#define CHECK_PLANT(code, from, to) check_plant(code, sizeof(code) - 1, from, to, sizeof(from) - 1)

START_TEST(finds_a_wrong_register)
{
        cpu->regs[RDI] = 5;
        CHECK_PLANT("\x89\xd8\x01\xf8\x89\xc2\xf4",     /* mov eax, ebx; add eax, edi; mov edx, eax */
                    "\x01\xf8", "\x01\xf0");            /* add eax, esi */
}
END_TEST

START_TEST(finds_a_wrong_flag)
{
        CHECK_PLANT("\x31\xc0\x40\xf9\xb8\x01\x00\x00\x00\xf4",        /* xor eax, eax; inc eax; stc; mov eax, 1 */
                    "\xf9", "\xf8");                                    /* clc */
}
END_TEST

START_TEST(finds_a_wrong_store)
{
        CHECK_PLANT("\xbe\x00\x00\x02\x00\x05\x44\x33\x22\x11\x89\x06\xf4",    /* add eax, 11223344h; mov [esi], eax */
                    "\x43\x89\x04\x1a", "\x43\x88\x04\x1a");                    /* one byte of it */
}
END_TEST

START_TEST(finds_wrong_vector_state)
{
        cpu->cr4 |= CR4_OSFXSR;
        dbt_state_changed(cpu);
        CHECK_PLANT("\x66\x0f\x76\xc0\x66\x0f\x6f\xc8\xf4",            /* pcmpeqd xmm0, xmm0; movdqa xmm1, xmm0 */
                    "\x0f\x6f\xc8", "\x0f\x6f\xca");                    /* from xmm2 */
}
END_TEST

START_TEST(finds_a_wrong_branch)
{
        CHECK_PLANT("\x31\xc0\x74\x01\xf4\x90\xf4",     /* xor eax, eax; jz over the first hlt */
                    "\x0f\x84", "\x0f\x85");            /* jnz */
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("self-check");
        TCase *tcase = tcase_create("self-check");

        tcase_add_checked_fixture(tcase, setup, dbt_fixture_close);
        tcase_add_test(tcase, right_code_passes);
        tcase_add_test(tcase, stores_are_undone_between_the_passes);
        tcase_add_test(tcase, faults_are_compared);
        tcase_add_test(tcase, devices_are_read_once);
        tcase_add_test(tcase, code_may_rewrite_itself);
        tcase_add_test(tcase, finds_a_wrong_register);
        tcase_add_test(tcase, finds_a_wrong_flag);
        tcase_add_test(tcase, finds_a_wrong_store);
        tcase_add_test(tcase, finds_wrong_vector_state);
        tcase_add_test(tcase, finds_a_wrong_branch);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
