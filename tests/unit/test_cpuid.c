/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_cpuid.c - T18: models, CPUID leaves and the host agree.
 */
#include <cpuid.h>
#include "cpu_fixture.h"

struct shown {
        enum cpu_feature feature;
        uint32_t leaf;
        unsigned reg;           /* of out[] */
        unsigned bit;
        bool emulated;
};

/* Written out again from the manual, on purpose: the table in model.c must not be its own witness. */
static const struct shown shown[] = {
        { FEATURE_FPU, 1, 3, 0, false }, { FEATURE_PSE, 1, 3, 3, true }, { FEATURE_TSC, 1, 3, 4, true },
        { FEATURE_MSR, 1, 3, 5, true }, { FEATURE_PAE, 1, 3, 6, true }, { FEATURE_CX8, 1, 3, 8, false },
        { FEATURE_APIC, 1, 3, 9, true }, { FEATURE_SEP, 1, 3, 11, true }, { FEATURE_MTRR, 1, 3, 12, true },
        { FEATURE_PGE, 1, 3, 13, true }, { FEATURE_CMOV, 1, 3, 15, false }, { FEATURE_PAT, 1, 3, 16, true },
        { FEATURE_CLFSH, 1, 3, 19, false }, { FEATURE_MMX, 1, 3, 23, false }, { FEATURE_FXSR, 1, 3, 24, false },
        { FEATURE_SSE, 1, 3, 25, false }, { FEATURE_SSE2, 1, 3, 26, false }, { FEATURE_SSE3, 1, 2, 0, false },
        { FEATURE_PCLMUL, 1, 2, 1, false }, { FEATURE_SSSE3, 1, 2, 9, false }, { FEATURE_SSE41, 1, 2, 19, false },
        { FEATURE_SSE42, 1, 2, 20, false }, { FEATURE_MOVBE, 1, 2, 22, false }, { FEATURE_POPCNT, 1, 2, 23, false },
        { FEATURE_AES, 1, 2, 25, false }, { FEATURE_XSAVE, 1, 2, 26, false }, { FEATURE_AVX, 1, 2, 28, false },
        { FEATURE_RDRAND, 1, 2, 30, false }, { FEATURE_BMI1, 7, 1, 3, false }, { FEATURE_ERMS, 7, 1, 9, false },
        { FEATURE_RDSEED, 7, 1, 18, false }, { FEATURE_ADX, 7, 1, 19, false }, { FEATURE_SHA, 7, 1, 29, false },
        { FEATURE_LZCNT, 0x80000001, 2, 5, false }, { FEATURE_NX, 0x80000001, 3, 20, true },
        { FEATURE_RDTSCP, 0x80000001, 3, 27, true }, { FEATURE_LM, 0x80000001, 3, 29, true },
};

static void use(const char *name)
{
        const struct cpu_model *model = cpu_model_find(name);

        ck_assert_msg(model != NULL, "%s", name);
        cpu_init(cpu, 0, model, memory);
}

static uint32_t max_leaf(uint32_t base)
{
        uint32_t out[4];

        cpuid_query(cpu, base, 0, out);
        return out[0];
}

START_TEST(every_model_is_found)
{
        for (const char *const *name = cpu_model_names(); *name; name++)
                ck_assert_str_eq(cpu_model_find(*name)->name, *name);
        ck_assert_str_eq(cpu_model_names()[0], "host");
        ck_assert_ptr_null(cpu_model_find("pentium5"));
}
END_TEST

START_TEST(t18_no_model_offers_what_the_host_lacks)
{
        for (const char *const *name = cpu_model_names(); *name; name++) {
                use(*name);
                for (unsigned i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
                        uint32_t host[4] = { 0 };

                        if (!cpu_has(cpu, shown[i].feature) || shown[i].emulated)
                                continue;
                        __get_cpuid_count(shown[i].leaf, 0, &host[0], &host[1], &host[2], &host[3]);
                        ck_assert_msg(host[shown[i].reg] >> shown[i].bit & 1, "%s: feature %d", *name, shown[i].feature);
                }
        }
}
END_TEST

START_TEST(t18_leaves_show_the_decoders_features)
{
        for (const char *const *name = cpu_model_names(); *name; name++) {
                use(*name);
                for (unsigned i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
                        uint32_t out[4] = { 0 };
                        bool has = cpu_has(cpu, shown[i].feature);

                        if (shown[i].leaf <= max_leaf(shown[i].leaf & 0x80000000))
                                cpuid_query(cpu, shown[i].leaf, 0, out);
                        ck_assert_msg((out[shown[i].reg] >> shown[i].bit & 1) == has, "%s: feature %d", *name, shown[i].feature);
                }
        }
}
END_TEST

START_TEST(t18_xsave_leaves_agree_with_its_feature)
{
        uint32_t out[4];

        for (const char *const *name = cpu_model_names(); *name; name++) {
                use(*name);
                if (cpu_has(cpu, FEATURE_XSAVE) || max_leaf(0) < 0xd)
                        continue;
                cpuid_query(cpu, 0xd, 0, out);
                ck_assert_uint_eq(out[0] | out[1] | out[2] | out[3], 0);
        }
}
END_TEST

START_TEST(signatures)
{
        ck_assert_uint_eq(cpuid_signature(cpu_model_find("486")), 0x480);
        ck_assert_uint_eq(cpuid_signature(cpu_model_find("pentium")), 0x52c);
        ck_assert_uint_eq(cpuid_signature(cpu_model_find("pentium3")), 0x686);
        ck_assert_uint_eq(cpuid_signature(cpu_model_find("core2")), 0x6fb);
        use("host");
        uint32_t a, b, c, d;

        __cpuid(1, a, b, c, d);
        ck_assert_uint_eq(cpuid_signature(cpu->model), a & 0x0fff0fff);
        ck_assert_uint_eq(cpu->regs[RDX], a & 0x0fff0fff);
}
END_TEST

START_TEST(old_models_are_plain)
{
        uint32_t out[4];

        use("486");
        cpuid_query(cpu, 0, 0, out);
        ck_assert_uint_eq(out[0], 1);
        ck_assert_mem_eq(&out[1], "Genu", 4);
        ck_assert_mem_eq(&out[3], "ineI", 4);
        ck_assert_mem_eq(&out[2], "ntel", 4);
        cpuid_query(cpu, 1, 0, out);
        ck_assert_uint_eq(out[3], 1);
        ck_assert_uint_eq(out[2], 0);
        /* Beyond the last leaf: the last leaf. */
        cpuid_query(cpu, 0x40000000, 0, out);
        ck_assert_uint_eq(out[0], 0x480);
        cpuid_query(cpu, 0x80000000, 0, out);
        ck_assert_uint_eq(out[0], 0x480);
}
END_TEST

START_TEST(hypervisor_leaves)
{
        uint32_t out[4];

        use("host");
        cpuid_query(cpu, 1, 0, out);
        ck_assert(out[2] >> 31);
        cpuid_query(cpu, 0x40000000, 0, out);
        ck_assert_uint_ge(out[0], 0x40000010);
        ck_assert_mem_eq(&out[1], "KVMKVMKVM\0\0", 12);
        cpuid_query(cpu, 0x40000001, 0, out);
        ck_assert_uint_eq(out[0], 0x0100006b);
        cpuid_query(cpu, 0x40000010, 0, out);
        ck_assert_uint_eq(out[0], cpuid_tsc_hz() / 1000);
        ck_assert_uint_eq(out[1], 1000000);
}
END_TEST

/* Kernels compute crystal kHz * EBX / EAX in 32 bits. */
START_TEST(tsc_frequency)
{
        uint32_t out[4], khz;
        int64_t error;

        use("host");
        cpuid_query(cpu, 0x15, 0, out);
        ck_assert_uint_eq(out[2], 1000000000);
        ck_assert_uint_ne(out[0], 0);
        ck_assert_uint_le((uint64_t)out[2] / 1000 * out[1], UINT32_MAX);
        khz = out[2] / 1000 * out[1] / out[0];
        error = (int64_t)khz - (int64_t)(cpuid_tsc_hz() / 1000);
        ck_assert_int_le(llabs(error), (int64_t)(khz / 100000) + 1);
        cpuid_query(cpu, 0x16, 0, out);
        ck_assert_uint_eq(out[0], (cpuid_tsc_hz() + 500000) / 1000000);
}
END_TEST

START_TEST(state_shows_through)
{
        uint32_t out[4];

        use("host");
        cpuid_query(cpu, 1, 0, out);
        ck_assert(out[3] >> 9 & 1);
        cpu->apic_base &= ~(uint64_t)(1 << 11);
        cpuid_query(cpu, 1, 0, out);
        ck_assert(!(out[3] >> 9 & 1));
        ck_assert(!(out[2] >> 27 & 1));
        cpu->cr4 |= CR4_OSXSAVE;
        cpuid_query(cpu, 1, 0, out);
        ck_assert(out[2] >> 27 & 1);
        cpu->index = 3;
        cpuid_query(cpu, 1, 0, out);
        ck_assert_uint_eq(out[1] >> 24, 3);
        cpuid_query(cpu, 0xb, 0, out);
        ck_assert_uint_eq(out[3], 3);
        ck_assert_uint_eq(out[2] >> 8, 1);
}
END_TEST

START_TEST(brand_is_text)
{
        char brand[49] = { 0 };

        use("core2");
        for (uint32_t i = 0; i < 3; i++)
                cpuid_query(cpu, 0x80000002 + i, 0, (uint32_t *)(void *)(brand + 16 * i));
        ck_assert_str_eq(brand, "Intel(R) Core(TM)2 Duo CPU");
        cpuid_query(cpu, 0x80000008, 0, (uint32_t *)(void *)brand);
        ck_assert_uint_eq((uint8_t)brand[0], CPU_PHYSICAL_BITS);
}
END_TEST

static void fill(TCase *cases)
{
        tcase_add_test(cases, every_model_is_found);
        tcase_add_test(cases, t18_no_model_offers_what_the_host_lacks);
        tcase_add_test(cases, t18_leaves_show_the_decoders_features);
        tcase_add_test(cases, t18_xsave_leaves_agree_with_its_feature);
        tcase_add_test(cases, signatures);
        tcase_add_test(cases, old_models_are_plain);
        tcase_add_test(cases, hypervisor_leaves);
        tcase_add_test(cases, tsc_frequency);
        tcase_add_test(cases, state_shows_through);
        tcase_add_test(cases, brand_is_text);
}

int main(void)
{
        return fixture_main("cpuid", fill);
}
