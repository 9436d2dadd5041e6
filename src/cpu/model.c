/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.c - the CPU models, and what the host's own CPU leaves of them.
 *
 * The feature table below says where CPUID shows each feature.  It serves both ways: to read what the
 * host has (once, when the first model is looked up) and to answer the guest.  Features marked
 * `emulated` are carried out by Lodger and need nothing of the host.
 */
#include <cpuid.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include "cpu/cpuid.h"
#include "cpu/tlb.h"

/* Leaf 1 EDX bits that stand for no instruction and no enum cpu_feature. */
enum { EDX_DE = 1 << 2, EDX_MCE = 1 << 7, EDX_MCA = 1 << 14, EDX_SS = 1 << 27 };
enum { EBX_NO_FPU_CS_DS = 1 << 13 };    /* leaf 7 */

/* IA32_ARCH_CAPABILITIES (SDM 4, table 2-2): not subject to RDCL, SSB, MDS, TAA, page-size machine check,
 * stale MMIO data, BHI, post-barrier RSB, GDS, RFDS and ITS; indirect branches restricted for good. */
#define ARCH_CAPABILITIES_HOST \
        (UINT64_C(1) << 0 | UINT64_C(1) << 1 | UINT64_C(1) << 3 | UINT64_C(1) << 4 | UINT64_C(1) << 5 | \
         UINT64_C(1) << 6 | UINT64_C(1) << 8 | UINT64_C(1) << 13 | UINT64_C(1) << 14 | UINT64_C(1) << 15 | \
         UINT64_C(1) << 20 | UINT64_C(1) << 24 | UINT64_C(1) << 26 | UINT64_C(1) << 27 | UINT64_C(1) << 62)

/* -- Where CPUID shows each feature ------------------------------------------------------------ */

struct feature_bit {
        uint8_t word;           /* enum cpuid_word; CPUID_NO_WORD: no bit of its own */
        uint8_t bit;
        bool emulated;          /* needs nothing of the host's CPU */
};

static const struct feature_bit feature_bits[FEATURE_COUNT] = {
        [FEATURE_NONE] = { CPUID_NO_WORD, 0, true },
        [FEATURE_I486] = { CPUID_NO_WORD, 0, true },
        [FEATURE_CPUID_INSN] = { CPUID_NO_WORD, 0, true },
        [FEATURE_FPU] = { CPUID_1D, 0, false },
        [FEATURE_VME] = { CPUID_1D, 1, true },
        [FEATURE_PSE] = { CPUID_1D, 3, true },
        [FEATURE_TSC] = { CPUID_1D, 4, true },
        [FEATURE_MSR] = { CPUID_1D, 5, true },
        [FEATURE_PAE] = { CPUID_1D, 6, true },
        [FEATURE_CX8] = { CPUID_1D, 8, false },
        [FEATURE_APIC] = { CPUID_1D, 9, true },
        [FEATURE_SEP] = { CPUID_1D, 11, true },
        [FEATURE_MTRR] = { CPUID_1D, 12, true },
        [FEATURE_PGE] = { CPUID_1D, 13, true },
        [FEATURE_CMOV] = { CPUID_1D, 15, false },
        [FEATURE_PAT] = { CPUID_1D, 16, true },
        [FEATURE_PSE36] = { CPUID_1D, 17, true },
        [FEATURE_CLFSH] = { CPUID_1D, 19, false },
        [FEATURE_MMX] = { CPUID_1D, 23, false },
        [FEATURE_FXSR] = { CPUID_1D, 24, false },
        [FEATURE_SSE] = { CPUID_1D, 25, false },
        [FEATURE_SSE2] = { CPUID_1D, 26, false },
        [FEATURE_SSE3] = { CPUID_1C, 0, false },
        [FEATURE_PCLMUL] = { CPUID_1C, 1, false },
        [FEATURE_MONITOR] = { CPUID_1C, 3, true },
        [FEATURE_SSSE3] = { CPUID_1C, 9, false },
        [FEATURE_FMA] = { CPUID_1C, 12, false },
        [FEATURE_CX16] = { CPUID_1C, 13, false },
        [FEATURE_PCID] = { CPUID_1C, 17, true },
        [FEATURE_SSE41] = { CPUID_1C, 19, false },
        [FEATURE_SSE42] = { CPUID_1C, 20, false },
        [FEATURE_X2APIC] = { CPUID_1C, 21, true },
        [FEATURE_MOVBE] = { CPUID_1C, 22, false },
        [FEATURE_POPCNT] = { CPUID_1C, 23, false },
        [FEATURE_TSCDEADLINE] = { CPUID_1C, 24, true },
        [FEATURE_AES] = { CPUID_1C, 25, false },
        [FEATURE_XSAVE] = { CPUID_1C, 26, false },
        [FEATURE_AVX] = { CPUID_1C, 28, false },
        [FEATURE_F16C] = { CPUID_1C, 29, false },
        [FEATURE_RDRAND] = { CPUID_1C, 30, false },
        [FEATURE_FSGSBASE] = { CPUID_7B, 0, true },
        [FEATURE_BMI1] = { CPUID_7B, 3, false },
        [FEATURE_AVX2] = { CPUID_7B, 5, false },
        [FEATURE_SMEP] = { CPUID_7B, 7, true },
        [FEATURE_BMI2] = { CPUID_7B, 8, false },
        [FEATURE_ERMS] = { CPUID_7B, 9, false },
        [FEATURE_INVPCID] = { CPUID_7B, 10, true },
        [FEATURE_AVX512F] = { CPUID_7B, 16, false },
        [FEATURE_RDSEED] = { CPUID_7B, 18, false },
        [FEATURE_ADX] = { CPUID_7B, 19, false },
        [FEATURE_SMAP] = { CPUID_7B, 20, true },
        [FEATURE_CLFLUSHOPT] = { CPUID_7B, 23, false },
        [FEATURE_CLWB] = { CPUID_7B, 24, false },
        [FEATURE_SHA] = { CPUID_7B, 29, false },
        [FEATURE_UMIP] = { CPUID_7C, 2, true },
        [FEATURE_GFNI] = { CPUID_7C, 8, false },
        [FEATURE_VAES] = { CPUID_7C, 9, false },
        [FEATURE_VPCLMULQDQ] = { CPUID_7C, 10, false },
        [FEATURE_RDPID] = { CPUID_7C, 22, true },
        [FEATURE_MOVDIRI] = { CPUID_7C, 27, false },
        [FEATURE_MOVDIR64B] = { CPUID_7C, 28, false },
        [FEATURE_LAHF64] = { CPUID_81C, 0, false },
        [FEATURE_LZCNT] = { CPUID_81C, 5, false },
        [FEATURE_PREFETCHW] = { CPUID_81C, 8, true },
        [FEATURE_SYSCALL] = { CPUID_81D, 11, true },
        [FEATURE_NX] = { CPUID_81D, 20, true },
        [FEATURE_RDTSCP] = { CPUID_81D, 27, true },
        [FEATURE_LM] = { CPUID_81D, 29, true },
};

/* -- Models ------------------------------------------------------------------------------------ */

/* For a model's list of features: word 0 or 1 of the set. */
#define SET_BIT(word, feature) (FEATURE_##feature / 64 == (word) ? UINT64_C(1) << (FEATURE_##feature % 64) : 0)
#define F_486(w) (SET_BIT(w, NONE) | SET_BIT(w, I486) | SET_BIT(w, CPUID_INSN) | SET_BIT(w, FPU))
#define F_PENTIUM(w) \
        (F_486(w) | SET_BIT(w, PSE) | SET_BIT(w, VME) | SET_BIT(w, TSC) | SET_BIT(w, MSR) | SET_BIT(w, CX8) | SET_BIT(w, APIC))
#define F_PENTIUM3(w) \
        (F_PENTIUM(w) | SET_BIT(w, PAE) | SET_BIT(w, SEP) | SET_BIT(w, MTRR) | SET_BIT(w, PGE) | SET_BIT(w, CMOV) | \
         SET_BIT(w, PAT) | SET_BIT(w, PSE36) | SET_BIT(w, MMX) | SET_BIT(w, FXSR) | SET_BIT(w, SSE))
#define F_CORE2(w) \
        (F_PENTIUM3(w) | SET_BIT(w, CLFSH) | SET_BIT(w, SSE2) | SET_BIT(w, SSE3) | SET_BIT(w, SSSE3) | SET_BIT(w, CX16) | \
         SET_BIT(w, NX) | SET_BIT(w, LM) | SET_BIT(w, SYSCALL) | SET_BIT(w, LAHF64))
/* The levels of the x86-64 psABI, with what a 64-bit system takes for granted and Lodger carries out itself. */
#define F_V1(w) \
        (F_PENTIUM3(w) | SET_BIT(w, CLFSH) | SET_BIT(w, SSE2) | SET_BIT(w, NX) | SET_BIT(w, LM) | SET_BIT(w, SYSCALL) | \
         SET_BIT(w, RDTSCP))
#define F_V2(w) \
        (F_V1(w) | SET_BIT(w, SSE3) | SET_BIT(w, SSSE3) | SET_BIT(w, SSE41) | SET_BIT(w, SSE42) | SET_BIT(w, CX16) | \
         SET_BIT(w, LAHF64) | SET_BIT(w, POPCNT) | SET_BIT(w, X2APIC) | SET_BIT(w, TSCDEADLINE))
#define F_V3(w) \
        (F_V2(w) | SET_BIT(w, XSAVE) | SET_BIT(w, AVX) | SET_BIT(w, AVX2) | SET_BIT(w, FMA) | SET_BIT(w, F16C) | \
         SET_BIT(w, BMI1) | SET_BIT(w, BMI2) | SET_BIT(w, LZCNT) | SET_BIT(w, MOVBE) | SET_BIT(w, FSGSBASE) | \
         SET_BIT(w, SMEP) | SET_BIT(w, UMIP) | SET_BIT(w, PCID) | SET_BIT(w, INVPCID))
#define F_HOST(w) \
        (F_CORE2(w) | SET_BIT(w, SSE41) | SET_BIT(w, SSE42) | SET_BIT(w, POPCNT) | SET_BIT(w, MOVBE) | SET_BIT(w, AES) | \
         SET_BIT(w, PCLMUL) | SET_BIT(w, RDRAND) | SET_BIT(w, RDSEED) | SET_BIT(w, ADX) | SET_BIT(w, SHA) | \
         SET_BIT(w, LZCNT) | SET_BIT(w, ERMS) | SET_BIT(w, RDTSCP) | SET_BIT(w, PREFETCHW) | SET_BIT(w, FSGSBASE) | \
         SET_BIT(w, SMEP) | SET_BIT(w, UMIP) | SET_BIT(w, XSAVE) | SET_BIT(w, AVX) | SET_BIT(w, AVX2) | SET_BIT(w, FMA) | \
         SET_BIT(w, F16C) | SET_BIT(w, BMI1) | SET_BIT(w, BMI2) | SET_BIT(w, X2APIC) | SET_BIT(w, TSCDEADLINE) | \
         SET_BIT(w, PCID) | SET_BIT(w, INVPCID) | SET_BIT(w, CLFLUSHOPT) | SET_BIT(w, CLWB) | SET_BIT(w, RDPID) | \
         SET_BIT(w, GFNI) | SET_BIT(w, VAES) | SET_BIT(w, VPCLMULQDQ))

enum { MODEL_HOST, MODEL_486, MODEL_PENTIUM, MODEL_PENTIUM3, MODEL_CORE2, MODEL_V1, MODEL_V2, MODEL_V3, MODELS };

/* What the x86-64 levels have in common. */
#define LEVEL \
        .hypervisor = true, .max_leaf = 0x16, .max_extended = 0x80000008, .physical_bits = CPU_PHYSICAL_BITS, \
        .features_1d = EDX_DE | EDX_MCE | EDX_MCA | EDX_SS, .arch_capabilities = ARCH_CAPABILITIES_HOST

/* Completed by read_host(): features masked, the host model's vendor, brand and signature. */
static struct cpu_model models[MODELS] = {
        [MODEL_HOST] = {
                .name = "host", .description = "this computer's CPU, as far as Lodger supports it",
                .hypervisor = true, .max_leaf = 0x16, .max_extended = 0x80000008, .physical_bits = CPU_PHYSICAL_BITS,
                .features_1d = EDX_DE | EDX_MCE | EDX_MCA | EDX_SS,
                .arch_capabilities = ARCH_CAPABILITIES_HOST, .features = { F_HOST(0), F_HOST(1) },
        },
        [MODEL_486] = {
                .name = "486", .description = "Intel 486DX4",
                .vendor = "GenuineIntel", .family = 4, .model = 8, .stepping = 0, .physical_bits = 32,
                .max_leaf = 1, .features = { F_486(0), F_486(1) },
        },
        [MODEL_PENTIUM] = {
                .name = "pentium", .description = "Intel Pentium (P54C)",
                .vendor = "GenuineIntel", .family = 5, .model = 2, .stepping = 12, .physical_bits = 32,
                .max_leaf = 1, .features_1d = EDX_DE | EDX_MCE, .features = { F_PENTIUM(0), F_PENTIUM(1) },
        },
        [MODEL_PENTIUM3] = {
                .name = "pentium3", .description = "Intel Pentium III",
                .vendor = "GenuineIntel", .family = 6, .model = 8, .stepping = 6, .physical_bits = 36,
                .max_leaf = 2, .features_1d = EDX_DE | EDX_MCE | EDX_MCA,
                .features = { F_PENTIUM3(0), F_PENTIUM3(1) },
        },
        [MODEL_CORE2] = {
                .name = "core2", .description = "Intel Core 2 Duo, 32 bits of it",
                .vendor = "GenuineIntel", .brand = "Intel(R) Core(TM)2 Duo CPU",
                .family = 6, .model = 15, .stepping = 11, .physical_bits = CPU_PHYSICAL_BITS,
                .hypervisor = true, .max_leaf = 10, .max_extended = 0x80000008,
                .features_1d = EDX_DE | EDX_MCE | EDX_MCA | EDX_SS, .features = { F_CORE2(0), F_CORE2(1) },
        },
        [MODEL_V1] = {
                .name = "x86-64-v1", .description = "any 64-bit x86 CPU",
                .vendor = "GenuineIntel", .brand = "x86-64-v1", .family = 6, .model = 15, .stepping = 11, LEVEL,
                .features = { F_V1(0), F_V1(1) },
        },
        [MODEL_V2] = {
                .name = "x86-64-v2", .description = "64-bit x86 CPUs since about 2009: SSE4.2, POPCNT",
                .vendor = "GenuineIntel", .brand = "x86-64-v2", .family = 6, .model = 26, .stepping = 3, LEVEL,
                .features = { F_V2(0), F_V2(1) },
        },
        [MODEL_V3] = {
                .name = "x86-64-v3", .description = "64-bit x86 CPUs since about 2013: AVX2, FMA, BMI2",
                .vendor = "GenuineIntel", .brand = "x86-64-v3", .family = 6, .model = 60, .stepping = 3, LEVEL,
                .features = { F_V3(0), F_V3(1) },
        },
};

/* As they were before the host's CPU took from them. */
static const uint64_t level_features[][2] = { { F_V1(0), F_V1(1) }, { F_V2(0), F_V2(1) }, { F_V3(0), F_V3(1) } };

static char host_vendor[13];
static char host_brand[48];

/* -- The host ---------------------------------------------------------------------------------- */

static uint64_t monotonic_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* One instant on both clocks.  Of several tries the tightest counts: the thread may be preempted between. */
static void sample_clocks(uint64_t *ns, uint64_t *tsc)
{
        uint64_t best = UINT64_MAX;

        for (unsigned try = 0; try < 16; try++) {
                uint64_t before = __builtin_ia32_rdtsc();
                uint64_t now = monotonic_ns();
                uint64_t after = __builtin_ia32_rdtsc();

                if (after - before < best) {
                        best = after - before;
                        *ns = now;
                        *tsc = before + (after - before) / 2;
                }
        }
}

/* 20 ms between two samples that are good to some 50 ns: a few parts in a million. */
static uint64_t measure_tsc_hz(void)
{
        const struct timespec pause = { .tv_nsec = 20000000 };
        uint64_t ns[2], tsc[2];

        sample_clocks(&ns[0], &tsc[0]);
        nanosleep(&pause, NULL);
        sample_clocks(&ns[1], &tsc[1]);
        return (uint64_t)((unsigned __int128)(tsc[1] - tsc[0]) * 1000000000 / (ns[1] - ns[0]));
}

static uint64_t host_tsc_hz(uint32_t max_leaf)
{
        uint32_t a, b, c, d;

        if (max_leaf >= 0x15) {
                __cpuid_count(0x15, 0, a, b, c, d);
                if (a && b && c)
                        return (uint64_t)c * b / a;
        }
        return measure_tsc_hz();
}

/* The best fraction near hz / CPUID_CRYSTAL_HZ by continued fractions.  The numerator stays so small that a
 * kernel which multiplies it by the crystal's kHz in 32 bits does not overflow. */
static void find_tsc_ratio(uint64_t hz, uint32_t *numerator, uint32_t *denominator)
{
        uint64_t n = hz, d = CPUID_CRYSTAL_HZ, p0 = 0, q0 = 1, p1 = 1, q1 = 0;

        while (d) {
                uint64_t whole = n / d, rest = n % d;
                uint64_t p2 = whole * p1 + p0, q2 = whole * q1 + q0;

                if (p2 > UINT32_MAX / (CPUID_CRYSTAL_HZ / 1000))
                        break;
                p0 = p1, q0 = q1, p1 = p2, q1 = q2;
                n = d, d = rest;
        }
        *numerator = (uint32_t)p1;
        *denominator = (uint32_t)q1;
}

/* Takes from every model what the host lacks, and puts the rest where CPUID shows it. */
static void mask_models(const uint32_t host[CPUID_WORDS])
{
        for (unsigned i = 0; i < MODELS; i++)
                for (unsigned f = 0; f < FEATURE_COUNT; f++) {
                        const struct feature_bit *where = &feature_bits[f];

                        if (!where->emulated && !(host[where->word] >> where->bit & 1))
                                models[i].features[f / 64] &= ~(UINT64_C(1) << (f % 64));
                        if (where->word != CPUID_NO_WORD && cpu_model_has(&models[i], (enum cpu_feature)f))
                                models[i].feature_words[where->word] |= 1u << where->bit;
                }
}

/* Vector state that the host's system does not enable is not there; without its own XSAVE the guest has none. */
static void mask_disabled_state(uint32_t words[CPUID_WORDS])
{
        enum { XSAVE = 1 << 26, OSXSAVE = 1 << 27, AVX_AND_KIN = 1 << 28 | 1 << 29 | 1 << 12, AVX2 = 1 << 5,
               VAES_VPCLMULQDQ = 1 << 9 | 1 << 10, XMM_YMM = 6 };
        uint32_t low = 0, high;

        if (words[CPUID_1C] & OSXSAVE)
                __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        else
                words[CPUID_1C] &= ~(uint32_t)XSAVE;
        if ((low & XMM_YMM) != XMM_YMM) {
                words[CPUID_1C] &= ~(uint32_t)AVX_AND_KIN;
                words[CPUID_7B] &= ~(uint32_t)AVX2;
                words[CPUID_7C] &= ~(uint32_t)VAES_VPCLMULQDQ;
        }
}

static void read_host(void)
{
        struct cpu_model *host = &models[MODEL_HOST];
        uint32_t words[CPUID_WORDS] = { 0 };
        uint32_t a, b, c, d, max_leaf, max_extended, signature;

        __cpuid_count(0, 0, max_leaf, b, c, d);
        memcpy(host_vendor, &b, 4);
        memcpy(host_vendor + 4, &d, 4);
        memcpy(host_vendor + 8, &c, 4);
        __cpuid_count(1, 0, signature, b, words[CPUID_1C], words[CPUID_1D]);
        if (max_leaf >= 7) {
                __cpuid_count(7, 0, a, words[CPUID_7B], words[CPUID_7C], d);
                host->no_fpu_cs_ds = words[CPUID_7B] & EBX_NO_FPU_CS_DS;
        }
        __cpuid_count(0x80000000, 0, max_extended, b, c, d);
        if (max_extended >= 0x80000001)
                __cpuid_count(0x80000001, 0, a, b, words[CPUID_81C], words[CPUID_81D]);
        if (max_extended >= 0x80000004)
                for (uint32_t i = 0; i < 3; i++) {
                        uint32_t text[4];

                        __cpuid_count(0x80000002 + i, 0, text[0], text[1], text[2], text[3]);
                        memcpy(host_brand + 16 * i, text, 16);
                }
        host_brand[sizeof(host_brand) - 1] = 0;

        host->vendor = host_vendor;
        host->brand = host_brand[0] ? host_brand : "Lodger virtual CPU";
        host->stepping = signature & 15;
        host->family = signature >> 8 & 15;
        host->model = signature >> 4 & 15;
        if (host->family == 6 || host->family == 15)
                host->model |= signature >> 12 & 0xf0;
        if (host->family == 15)
                host->family += signature >> 20 & 0xff;

        mask_disabled_state(words);
        mask_models(words);
        for (unsigned i = 0; i < MODELS; i++) {
                models[i].tsc_hz = i ? models[0].tsc_hz : host_tsc_hz(max_leaf);
                find_tsc_ratio(models[i].tsc_hz, &models[i].tsc_ratio_numerator, &models[i].tsc_ratio_denominator);
        }
}

static void need_host(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, read_host);
}

const struct cpu_model *cpu_model_find(const char *name)
{
        need_host();
        for (unsigned i = 0; i < MODELS; i++)
                if (!strcmp(models[i].name, name))
                        return &models[i];
        return NULL;
}

const char *cpu_model_why_not(const char *name)
{
        bool missing = false;

        if (!strcmp(name, "x86-64-v4"))
                return "AVX-512 is not supported for guests; x86-64-v3 is the highest level";
        need_host();
        for (unsigned i = MODEL_V1; i < MODELS; i++) {
                if (strcmp(models[i].name, name))
                        continue;
                for (unsigned f = 0; f < FEATURE_COUNT; f++)
                        if (level_features[i - MODEL_V1][f / 64] >> (f % 64) & 1 && !cpu_model_has(&models[i], (enum cpu_feature)f))
                                missing = true;
                return !missing ? NULL : "this computer's CPU lacks some of its features";
        }
        return cpu_model_find(name) ? NULL : "no such model";
}

const char *const *cpu_model_names(void)
{
        static const char *const names[] = { "host", "486", "pentium", "pentium3", "core2", "x86-64-v1", "x86-64-v2", "x86-64-v3", NULL };

        return names;
}

uint64_t cpuid_tsc_hz(void)
{
        need_host();
        return models[MODEL_HOST].tsc_hz;
}
