/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_fpu.c - x87 environments and FXSAVE images as this computer's CPU writes and reads them, with the
 * guest's instruction pointers (T10); MASKMOV (T11).
 */
#include "cpu/fpu.h"
#include "exec_fixture.h"

enum { DATA_AT = 0x20000, PAGE_TWO = 0x21000, ROUNDS = 3000 };

struct image {
        uint8_t bytes[512] __attribute__((aligned(64)));
};

/* Host state is saved around what runs natively: the test's own MXCSR and control word stay out of it. */
static struct image mine;

static void native_begin(const struct image *image)
{
        __asm__ volatile("fxsave %0\n\tfxrstor %1" : "=m"(mine) : "m"(*image) : "memory");
}

static void native_end(struct image *image)
{
        __asm__ volatile("fxsave %0\n\tfxrstor %1" : "=m"(*image) : "m"(mine) : "memory");
}

/* A random state: any TOP, tags and contents, special values among them; nothing pending unless asked for. */
static void random_image(struct image *image, bool pending)
{
        static const uint16_t exponents[] = { 0, 0x7fff, 0xffff, 0x3fff, 0xbfff, 0x8000 };

        for (unsigned i = 0; i < sizeof(image->bytes); i++)
                image->bytes[i] = (uint8_t)rand();
        fpu_put16(image->bytes + FPU_FCW, (uint16_t)(0x40 | (rand() & 0xf00) | (pending ? 0 : 0x3f)));
        fpu_put16(image->bytes + FPU_FSW, (uint16_t)(rand() & 0x7f7f & (pending ? 0xffff : ~0x3f)));
        image->bytes[5] = 0;
        fpu_put16(image->bytes + FPU_FOP, (uint16_t)(rand() & 0x7ff));
        fpu_put32(image->bytes + FPU_MXCSR, 0x1f80);
        fpu_put16(image->bytes + FPU_FCS + 2, 0);
        fpu_put16(image->bytes + FPU_FDS + 2, 0);
        for (unsigned i = 0; i < 8; i++) {
                uint8_t *st = image->bytes + FPU_ST + i * FPU_ST_STRIDE;

                if (rand() & 1)
                        fpu_put16(st + 8, exponents[(unsigned)rand() % 6]);
                if (rand() % 4 == 0)
                        fpu_put64(st, rand() & 1 ? 0 : UINT64_C(1) << 63);
                fpu_put32(st + 10, 0);
                fpu_put16(st + 14, 0);
        }
}

/* What the CPU makes of it becomes the guest's state. */
static void take(const struct image *image, struct image *normal)
{
        native_begin(image);
        native_end(normal);
        memcpy(cpu->fpu.image, normal->bytes, 512);
        memset(cpu->fpu.image + FPU_FOP, 0xee, 18);     /* T10: nobody may look at these */
        cpu->fpu.op = fpu_get16(normal->bytes + FPU_FOP);
        cpu->fpu.ip = fpu_get32(normal->bytes + FPU_FIP);
        cpu->fpu.cs = fpu_get16(normal->bytes + FPU_FCS);
        cpu->fpu.dp = fpu_get32(normal->bytes + FPU_FDP);
        cpu->fpu.ds = fpu_get16(normal->bytes + FPU_FDS);
}

static void setup_protected(void)
{
        fixture_protected();
        cpu->cr4 |= CR4_OSFXSR;
        cpu->cr0 |= CR0_NE;
        cpu->regs[RBX] = DATA_AT;
        srand(1);
}

#define AREA (memory_ram(memory) + DATA_AT)

START_TEST(t10_environment_as_the_host_stores_it)
{
        uint8_t native[28];
        struct image start, normal, after;

        setup_protected();
        for (unsigned round = 0; round < ROUNDS; round++) {
                random_image(&start, round & 1);
                take(&start, &normal);
                native_begin(&normal);
                __asm__ volatile("fnstenv %0" : "=m"(native));
                native_end(&after);
                RUN_OK(0xd9, 0x33);
                ck_assert_mem_eq(AREA, native, 28);
                ck_assert_mem_eq(cpu->fpu.image, after.bytes, FPU_FOP);

                take(&start, &normal);
                native_begin(&normal);
                __asm__ volatile("data16 fnstenv %0" : "=m"(native));
                native_end(&after);
                RUN_OK(0x66, 0xd9, 0x33);
                ck_assert_mem_eq(AREA, native, 14);
        }
}
END_TEST

START_TEST(t10_environment_as_the_host_loads_it)
{
        struct image start, normal, after;
        uint8_t env[28];

        setup_protected();
        for (unsigned round = 0; round < ROUNDS; round++) {
                bool narrow = round & 1;

                random_image(&start, false);
                take(&start, &normal);
                for (unsigned i = 0; i < sizeof(env); i++)
                        env[i] = (uint8_t)rand();
                native_begin(&normal);
                if (narrow)
                        __asm__ volatile("data16 fldenv %0" : : "m"(env));
                else
                        __asm__ volatile("fldenv %0" : : "m"(env));
                native_end(&after);
                memcpy(AREA, env, sizeof(env));
                ck_assert(narrow ? RUN(0x66, 0xd9, 0x23) : RUN(0xd9, 0x23));
                ck_assert_mem_eq(cpu->fpu.image, after.bytes, FPU_FOP);
                ck_assert_uint_eq((uint32_t)cpu->fpu.ip, fpu_get32(after.bytes + FPU_FIP));
                ck_assert_uint_eq((uint32_t)cpu->fpu.dp, fpu_get32(after.bytes + FPU_FDP));
                if (!narrow)
                        ck_assert_uint_eq(cpu->fpu.op, fpu_get16(after.bytes + FPU_FOP));
                ck_assert_mem_eq(cpu->fpu.image + FPU_ST, after.bytes + FPU_ST, FPU_XMM - FPU_ST);
        }
}
END_TEST

START_TEST(fnsave_and_frstor)
{
        uint8_t native[108];
        struct image start, normal, after;

        setup_protected();
        for (unsigned round = 0; round < ROUNDS; round++) {
                random_image(&start, round & 1);
                take(&start, &normal);
                native_begin(&normal);
                __asm__ volatile("fnsave %0" : "=m"(native));
                native_end(&after);
                RUN_OK(0xdd, 0x33);
                ck_assert_mem_eq(AREA, native, 108);
                ck_assert_mem_eq(cpu->fpu.image, after.bytes, FPU_FOP);
                ck_assert_mem_eq(cpu->fpu.image + FPU_ST, after.bytes + FPU_ST, FPU_XMM - FPU_ST);
                ck_assert_uint_eq(cpu->fpu.ip | cpu->fpu.dp | cpu->fpu.op, 0);
                RUN_OK(0xdd, 0x23);
                ck_assert_mem_eq(cpu->fpu.image, normal.bytes, FPU_FOP);
                ck_assert_mem_eq(cpu->fpu.image + FPU_ST, normal.bytes + FPU_ST, FPU_XMM - FPU_ST);
                ck_assert_uint_eq(cpu->fpu.ip, fpu_get32(normal.bytes + FPU_FIP));
                /* The state this leaves may have an exception pending, which a waiting instruction reports. */
                if (fpu_get16(normal.bytes + FPU_FSW) & FSW_ES) {
                        ck_assert(!RUN(0xdd, 0x23));
                        ck_fault(EXC_MF);
                }
        }
}
END_TEST

START_TEST(real_mode_environment_is_linear)
{
        setup_protected();
        cpu->cr0 &= ~(uint64_t)CR0_PE;
        cpu_mode_changed(cpu);
        cpu->fpu.cs = 0x1234;
        cpu->fpu.ip = 0x5678;
        cpu->fpu.ds = 0x2000;
        cpu->fpu.dp = 0x10;
        cpu->fpu.op = 0x123;
        RUN_OK(0x66, 0xd9, 0x33);                       /* code is still 32-bit: the 14-byte form */
        ck_assert_uint_eq(peek(DATA_AT + 6, 2), 0x79b8);
        ck_assert_uint_eq(peek(DATA_AT + 8, 2), 0x1123);
        ck_assert_uint_eq(peek(DATA_AT + 10, 2), 0x0010);
        ck_assert_uint_eq(peek(DATA_AT + 12, 2), 0x2000);
        RUN_OK(0x66, 0xd9, 0x23);
        ck_assert_uint_eq(cpu->fpu.ip + (cpu->fpu.cs << 4), 0x179b8);
        ck_assert_uint_eq(cpu->fpu.op, 0x123);
        RUN_OK(0xd9, 0x33);
        ck_assert_uint_eq(peek(DATA_AT + 12, 2), 0x79b8);
        ck_assert_uint_eq(peek(DATA_AT + 16, 4), 0x1123);
}
END_TEST

START_TEST(t10_fxsave_image)
{
        struct image start, normal;

        setup_protected();
        for (unsigned round = 0; round < ROUNDS; round++) {
                random_image(&start, round & 1);
                take(&start, &normal);
                memset(AREA, 0xcc, 512);
                RUN_OK(0x0f, 0xae, 0x03);
                ck_assert_mem_eq(AREA, normal.bytes, FPU_XMM_END32);
                ck_assert_uint_eq(peek(DATA_AT + FPU_XMM_END32, 8), UINT64_C(0xcccccccccccccccc));
                ck_assert_uint_eq(peek(DATA_AT + 464, 8), UINT64_C(0xcccccccccccccccc));
                cpu_reset(cpu, false);
                setup_protected();
                memcpy(AREA, start.bytes, 512);
                RUN_OK(0x0f, 0xae, 0x0b);
                ck_assert_mem_eq(cpu->fpu.image, normal.bytes, FPU_FOP);
                ck_assert_mem_eq(cpu->fpu.image + FPU_ST, normal.bytes + FPU_ST, FPU_XMM_END32 - FPU_ST);
                ck_assert_uint_eq(cpu->fpu.image[FPU_HEADER] & 3, 3);
                ck_assert_uint_eq(cpu->fpu.ip, fpu_get32(start.bytes + FPU_FIP));
        }
}
END_TEST

START_TEST(fxsave_faults)
{
        setup_protected();
        exec_paging();
        cpu->regs[RBX] = DATA_AT + 8;
        ck_assert(!RUN(0x0f, 0xae, 0x03));
        ck_exception(EXC_GP, 0);
        ck_assert(!RUN(0x0f, 0xae, 0x0b));
        ck_exception(EXC_GP, 0);
        /* T11: a store over two pages checks both before it writes either. */
        cpu->regs[RBX] = PAGE_TWO - 256;
        set_page(PAGE_TWO, 6);
        poke(PAGE_TWO - 256, 0x7777, 8);
        ck_assert(!RUN(0x0f, 0xae, 0x03));
        ck_exception(EXC_PF, PF_WRITE);
        ck_assert_uint_eq(peek(PAGE_TWO - 256, 8), 0x7777);
        /* Reserved bits of MXCSR. */
        cpu->regs[RBX] = DATA_AT;
        memset(AREA, 0, 512);
        poke(DATA_AT + FPU_MXCSR, 0x10000, 4);
        ck_assert(!RUN(0x0f, 0xae, 0x0b));
        ck_exception(EXC_GP, 0);
        cpu->cr0 |= CR0_TS;
        ck_assert(!RUN(0x0f, 0xae, 0x03));
        ck_fault(EXC_NM);
        ck_assert(!RUN(0xd9, 0x33));
        ck_fault(EXC_NM);
        cpu->cr0 = (cpu->cr0 & ~(uint64_t)CR0_TS) | CR0_EM;
        ck_assert(!RUN(0xdd, 0x33));
        ck_fault(EXC_NM);
}
END_TEST

START_TEST(t11_maskmov)
{
        struct image start, normal;

        setup_protected();
        exec_paging();
        random_image(&start, false);
        fpu_put16(start.bytes + FPU_FSW, 5 << 11);
        take(&start, &normal);
        for (unsigned i = 0; i < 16; i++) {
                cpu->fpu.image[FPU_XMM + 16 + i] = (uint8_t)(0x10 + i);         /* xmm1: data */
                cpu->fpu.image[FPU_XMM + 32 + i] = i % 3 ? 0x80 : 0x7f;         /* xmm2: mask */
        }
        cpu->regs[RDI] = DATA_AT;
        memset(AREA, 0xcc, 16);
        RUN_OK(0x66, 0x0f, 0xf7, 0xca);
        for (unsigned i = 0; i < 16; i++)
                ck_assert_uint_eq(peek(DATA_AT + i, 1), i % 3 ? 0x10 + i : 0xccu);
        /* Bytes that the mask leaves out raise nothing; one that it names spoils all. */
        set_page(PAGE_TWO, 6);
        cpu->regs[RDI] = PAGE_TWO - 15;
        memset(memory_ram(memory) + PAGE_TWO - 15, 0xcc, 15);
        RUN_OK(0x66, 0x0f, 0xf7, 0xca);                 /* byte 15 is not selected */
        cpu->regs[RDI] = PAGE_TWO - 8;
        memset(memory_ram(memory) + PAGE_TWO - 8, 0xcc, 8);
        ck_assert(!RUN(0x66, 0x0f, 0xf7, 0xca));
        ck_exception(EXC_PF, PF_WRITE);
        ck_assert_uint_eq(peek(PAGE_TWO - 8, 8), UINT64_C(0xcccccccccccccccc));

        /* MM1 is the physical register 1: ST(4) while TOP is 5; afterwards TOP is 0. */
        for (unsigned i = 0; i < 8; i++) {
                cpu->fpu.image[FPU_ST + 4 * 16 + i] = (uint8_t)(0x40 + i);
                cpu->fpu.image[FPU_ST + 5 * 16 + i] = 0xff;
        }
        cpu->regs[RDI] = DATA_AT;
        RUN_OK(0x0f, 0xf7, 0xca);
        for (unsigned i = 0; i < 8; i++)
                ck_assert_uint_eq(peek(DATA_AT + i, 1), 0x40 + i);
        ck_assert_uint_eq(fpu_top(cpu), 0);
        ck_assert_uint_eq(cpu->fpu.image[FPU_TAGS], 0xff);
        ck_assert_uint_eq(cpu->fpu.image[FPU_ST + 16], 0x40);
        cpu->cr0 |= CR0_EM;
        ck_assert(!RUN(0x0f, 0xf7, 0xca));
        ck_fault(EXC_UD);
}
END_TEST

/* -- XSAVE: no model offers it yet, so one is made up here -------------------------------------- */

static struct cpu_model with_xsave;

static void setup_xsave(void)
{
        setup_protected();
        exec_paging();
        with_xsave = *cpu->model;
        with_xsave.features[FEATURE_XSAVE / 64] |= UINT64_C(1) << FEATURE_XSAVE % 64;
        with_xsave.features[FEATURE_AVX / 64] |= UINT64_C(1) << FEATURE_AVX % 64;
        cpu->model = &with_xsave;
        cpu->cr4 |= CR4_OSXSAVE;
        cpu->regs[RCX] = cpu->regs[RDX] = 0;
        for (unsigned i = 0; i < 832; i++)
                cpu->fpu.image[i] = (uint8_t)(i * 7);
        memset(cpu->fpu.image + FPU_HEADER, 0, 64);
        fpu_put32(cpu->fpu.image + FPU_MXCSR, 0x1f80);
        fpu_put32(cpu->fpu.image + FPU_MXCSR_MASK, 0xffff);
        fpu_put16(cpu->fpu.image + FPU_FSW, 0);
        fpu_put16(cpu->fpu.image + FPU_FCW, FCW_INIT);
        cpu->fpu.image[FPU_HEADER] = XSTATE_X87 | XSTATE_SSE | XSTATE_AVX;
}

static void set_xcr0(uint32_t value)
{
        cpu->regs[RAX] = value;
        RUN_OK(0x0f, 0x01, 0xd1);
}

START_TEST(xcr0_combinations)
{
        static const uint32_t bad[] = { 0, 2, 4, 5, 15 };

        setup_xsave();
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                cpu->regs[RAX] = bad[i];
                ck_assert(!RUN(0x0f, 0x01, 0xd1));
                ck_exception(EXC_GP, 0);
        }
        set_xcr0(3);
        cpu->regs[RAX] = 0;
        RUN_OK(0x0f, 0x01, 0xd0);
        ck_assert_uint_eq(cpu->regs[RAX], 3);
        cpu->cr4 &= ~(uint64_t)CR4_OSXSAVE;
        ck_assert(!RUN(0x0f, 0x01, 0xd0));
        ck_fault(EXC_UD);
}
END_TEST

START_TEST(t17_requests_are_masked_by_xcr0)
{
        setup_xsave();
        set_xcr0(3);
        memset(AREA, 0xcc, 832);
        memset(AREA + FPU_HEADER, 0, 64);
        cpu->regs[RAX] = cpu->regs[RDX] = 0xffffffff;
        RUN_OK(0x0f, 0xae, 0x23);
        ck_assert_uint_eq(peek(DATA_AT + FPU_HEADER, 8), 3);
        ck_assert_mem_eq(AREA + FPU_ST, cpu->fpu.image + FPU_ST, FPU_XMM_END32 - FPU_ST);
        ck_assert_uint_eq(peek(DATA_AT + FPU_AVX, 8), UINT64_C(0xcccccccccccccccc));
        /* XSTATE_BV names what XCR0 does not have. */
        poke(DATA_AT + FPU_HEADER, 7, 8);
        ck_assert(!RUN(0x0f, 0xae, 0x2b));
        ck_exception(EXC_GP, 0);
        poke(DATA_AT + FPU_HEADER, 3, 8);
        poke(DATA_AT + FPU_HEADER + 8, UINT64_C(1) << 63, 8);   /* compacted */
        ck_assert(!RUN(0x0f, 0xae, 0x2b));
        ck_exception(EXC_GP, 0);
        cpu->regs[RBX] = DATA_AT + 16;
        ck_assert(!RUN(0x0f, 0xae, 0x23));
        ck_exception(EXC_GP, 0);
}
END_TEST

START_TEST(t17_initial_state_is_exact)
{
        uint8_t before[832];

        setup_xsave();
        set_xcr0(7);
        memcpy(before, cpu->fpu.image, sizeof(before));
        memset(AREA, 0, 832);
        cpu->regs[RAX] = 7;
        cpu->regs[RDX] = 0;
        RUN_OK(0x0f, 0xae, 0x23);
        ck_assert_uint_eq(peek(DATA_AT + FPU_HEADER, 8), 7);
        ck_assert_mem_eq(AREA + FPU_AVX, before + FPU_AVX, 128);
        /* Absent components get their initial state, others their bytes; what is not requested stays. */
        poke(DATA_AT + FPU_HEADER, XSTATE_SSE, 8);
        poke(DATA_AT + FPU_XMM, 0x1234, 8);
        cpu->regs[RAX] = XSTATE_X87 | XSTATE_SSE;
        RUN_OK(0x0f, 0xae, 0x2b);
        ck_assert_uint_eq(fpu_get16(cpu->fpu.image + FPU_FCW), FCW_INIT);
        ck_assert_uint_eq(cpu->fpu.image[FPU_TAGS], 0);
        ck_assert_uint_eq(fpu_get64(cpu->fpu.image + FPU_ST), 0);
        ck_assert_uint_eq(fpu_get64(cpu->fpu.image + FPU_XMM), 0x1234);
        ck_assert_mem_eq(cpu->fpu.image + FPU_AVX, before + FPU_AVX, 128);
        ck_assert_uint_eq(fpu_get64(cpu->fpu.image + FPU_HEADER), XSTATE_SSE | XSTATE_AVX);
        /* And the next XSAVE says so. */
        cpu->regs[RAX] = 7;
        RUN_OK(0x0f, 0xae, 0x23);
        ck_assert_uint_eq(peek(DATA_AT + FPU_HEADER, 8), XSTATE_SSE | XSTATE_AVX);
}
END_TEST

START_TEST(t11_xsave_over_two_pages)
{
        setup_xsave();
        set_xcr0(7);
        set_page(PAGE_TWO, 6);
        cpu->regs[RBX] = PAGE_TWO - 576;
        cpu->regs[RAX] = 7;
        poke(PAGE_TWO - 576, 0x7777, 8);
        ck_assert(!RUN(0x0f, 0xae, 0x23));
        ck_exception(EXC_PF, PF_WRITE);
        ck_assert_uint_eq(peek(PAGE_TWO - 576, 8), 0x7777);
        cpu->regs[RAX] = 3;                             /* without AVX, 576 bytes are enough */
        RUN_OK(0x0f, 0xae, 0x23);
}
END_TEST

static void fill(TCase *cases)
{
        tcase_set_timeout(cases, 60);
        tcase_add_test(cases, t10_environment_as_the_host_stores_it);
        tcase_add_test(cases, t10_environment_as_the_host_loads_it);
        tcase_add_test(cases, fnsave_and_frstor);
        tcase_add_test(cases, real_mode_environment_is_linear);
        tcase_add_test(cases, t10_fxsave_image);
        tcase_add_test(cases, fxsave_faults);
        tcase_add_test(cases, t11_maskmov);
        tcase_add_test(cases, xcr0_combinations);
        tcase_add_test(cases, t17_requests_are_masked_by_xcr0);
        tcase_add_test(cases, t17_initial_state_is_exact);
        tcase_add_test(cases, t11_xsave_over_two_pages);
}

int main(void)
{
        return fixture_main("exec_fpu", fill);
}
