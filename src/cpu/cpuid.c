/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid.c - the CPU models and the CPUID leaves they answer with (SDM 2A, CPUID).
 *
 * The feature table below says where CPUID shows each feature.  It serves both ways: to read what the
 * host has (once, when the first model is looked up) and to answer the guest.  Features marked
 * `emulated` are carried out by Lodger and need nothing of the host.
 *
 * Not modelled: processor topology beyond one core a package, performance monitoring (leaf 0Ah),
 * MONITOR/MWAIT (leaf 5), power management (leaf 6 shows only that the APIC timer never stops).
 *
 * Mitigations: a guest under the translator never runs on its own page tables, so the page-table
 * switches and buffer flushes a kernel does against speculation would protect nothing.  The host
 * model says so through IA32_ARCH_CAPABILITIES.
 */
#include <cpuid.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include "cpu/cpuid.h"
#include "cpu/tlb.h"

/* Leaf 1 EDX bits that stand for no instruction and no enum cpu_feature. */
enum { EDX_DE = 1 << 2, EDX_MCE = 1 << 7, EDX_MCA = 1 << 14, EDX_SS = 1 << 27 };
enum { ECX_OSXSAVE = 1 << 27 };
#define ECX_HYPERVISOR (1u << 31)
/* Leaf 7. */
enum { EBX_NO_FPU_CS_DS = 1 << 13, EDX_SPEC_CTRL = 1 << 26, EDX_ARCH_CAPABILITIES = 1 << 29 };

enum { HYPERVISOR_LEAF = 0x40000000, HYPERVISOR_LAST = 0x40000010, EXTENDED_LEAF = (int)0x80000000 };

/* The local APIC timer's input clock, which leaf 15h calls the crystal; lapic.c counts at this rate. */
enum { CRYSTAL_HZ = 1000000000 };

/* IA32_ARCH_CAPABILITIES (SDM 4, table 2-2): not subject to RDCL, SSB, MDS, TAA, page-size machine check,
 * stale MMIO data, BHI, post-barrier RSB, GDS, RFDS and ITS; indirect branches restricted for good. */
#define ARCH_CAPABILITIES_HOST \
        (UINT64_C(1) << 0 | UINT64_C(1) << 1 | UINT64_C(1) << 3 | UINT64_C(1) << 4 | UINT64_C(1) << 5 | \
         UINT64_C(1) << 6 | UINT64_C(1) << 8 | UINT64_C(1) << 13 | UINT64_C(1) << 14 | UINT64_C(1) << 15 | \
         UINT64_C(1) << 20 | UINT64_C(1) << 24 | UINT64_C(1) << 26 | UINT64_C(1) << 27 | UINT64_C(1) << 62)

/* -- Where CPUID shows each feature ------------------------------------------------------------ */

/* A register of a leaf. */
enum word { WORD_NONE, WORD_1C, WORD_1D, WORD_7B, WORD_7C, WORD_81C, WORD_81D, WORDS };

struct feature_bit {
        uint8_t word;           /* enum word; WORD_NONE: no bit of its own */
        uint8_t bit;
        bool emulated;          /* needs nothing of the host's CPU */
};

static const struct feature_bit feature_bits[FEATURE_COUNT] = {
        [FEATURE_NONE] = { WORD_NONE, 0, true },
        [FEATURE_I486] = { WORD_NONE, 0, true },
        [FEATURE_CPUID_INSN] = { WORD_NONE, 0, true },
        [FEATURE_FPU] = { WORD_1D, 0, false },
        [FEATURE_VME] = { WORD_1D, 1, true },
        [FEATURE_PSE] = { WORD_1D, 3, true },
        [FEATURE_TSC] = { WORD_1D, 4, true },
        [FEATURE_MSR] = { WORD_1D, 5, true },
        [FEATURE_PAE] = { WORD_1D, 6, true },
        [FEATURE_CX8] = { WORD_1D, 8, false },
        [FEATURE_APIC] = { WORD_1D, 9, true },
        [FEATURE_SEP] = { WORD_1D, 11, true },
        [FEATURE_MTRR] = { WORD_1D, 12, true },
        [FEATURE_PGE] = { WORD_1D, 13, true },
        [FEATURE_CMOV] = { WORD_1D, 15, false },
        [FEATURE_PAT] = { WORD_1D, 16, true },
        [FEATURE_PSE36] = { WORD_1D, 17, true },
        [FEATURE_CLFSH] = { WORD_1D, 19, false },
        [FEATURE_MMX] = { WORD_1D, 23, false },
        [FEATURE_FXSR] = { WORD_1D, 24, false },
        [FEATURE_SSE] = { WORD_1D, 25, false },
        [FEATURE_SSE2] = { WORD_1D, 26, false },
        [FEATURE_SSE3] = { WORD_1C, 0, false },
        [FEATURE_PCLMUL] = { WORD_1C, 1, false },
        [FEATURE_MONITOR] = { WORD_1C, 3, true },
        [FEATURE_SSSE3] = { WORD_1C, 9, false },
        [FEATURE_FMA] = { WORD_1C, 12, false },
        [FEATURE_CX16] = { WORD_1C, 13, false },
        [FEATURE_PCID] = { WORD_1C, 17, true },
        [FEATURE_SSE41] = { WORD_1C, 19, false },
        [FEATURE_SSE42] = { WORD_1C, 20, false },
        [FEATURE_X2APIC] = { WORD_1C, 21, true },
        [FEATURE_MOVBE] = { WORD_1C, 22, false },
        [FEATURE_POPCNT] = { WORD_1C, 23, false },
        [FEATURE_TSCDEADLINE] = { WORD_1C, 24, true },
        [FEATURE_AES] = { WORD_1C, 25, false },
        [FEATURE_XSAVE] = { WORD_1C, 26, false },
        [FEATURE_AVX] = { WORD_1C, 28, false },
        [FEATURE_F16C] = { WORD_1C, 29, false },
        [FEATURE_RDRAND] = { WORD_1C, 30, false },
        [FEATURE_FSGSBASE] = { WORD_7B, 0, true },
        [FEATURE_BMI1] = { WORD_7B, 3, false },
        [FEATURE_AVX2] = { WORD_7B, 5, false },
        [FEATURE_SMEP] = { WORD_7B, 7, true },
        [FEATURE_BMI2] = { WORD_7B, 8, false },
        [FEATURE_ERMS] = { WORD_7B, 9, false },
        [FEATURE_INVPCID] = { WORD_7B, 10, true },
        [FEATURE_AVX512F] = { WORD_7B, 16, false },
        [FEATURE_RDSEED] = { WORD_7B, 18, false },
        [FEATURE_ADX] = { WORD_7B, 19, false },
        [FEATURE_SMAP] = { WORD_7B, 20, true },
        [FEATURE_CLFLUSHOPT] = { WORD_7B, 23, false },
        [FEATURE_CLWB] = { WORD_7B, 24, false },
        [FEATURE_SHA] = { WORD_7B, 29, false },
        [FEATURE_UMIP] = { WORD_7C, 2, true },
        [FEATURE_GFNI] = { WORD_7C, 8, false },
        [FEATURE_RDPID] = { WORD_7C, 22, true },
        [FEATURE_MOVDIRI] = { WORD_7C, 27, false },
        [FEATURE_MOVDIR64B] = { WORD_7C, 28, false },
        [FEATURE_LAHF64] = { WORD_81C, 0, false },
        [FEATURE_LZCNT] = { WORD_81C, 5, false },
        [FEATURE_PREFETCHW] = { WORD_81C, 8, true },
        [FEATURE_SYSCALL] = { WORD_81D, 11, true },
        [FEATURE_NX] = { WORD_81D, 20, true },
        [FEATURE_RDTSCP] = { WORD_81D, 27, true },
        [FEATURE_LM] = { WORD_81D, 29, true },
};

/* -- Models ------------------------------------------------------------------------------------ */

/* For a model's list of features: word 0 or 1 of the set. */
#define SET_BIT(word, feature) (FEATURE_##feature / 64 == (word) ? UINT64_C(1) << (FEATURE_##feature % 64) : 0)
#define F_486(w) (SET_BIT(w, NONE) | SET_BIT(w, I486) | SET_BIT(w, CPUID_INSN) | SET_BIT(w, FPU))
#define F_PENTIUM(w) \
        (F_486(w) | SET_BIT(w, PSE) | SET_BIT(w, TSC) | SET_BIT(w, MSR) | SET_BIT(w, CX8) | SET_BIT(w, APIC))
#define F_PENTIUM3(w) \
        (F_PENTIUM(w) | SET_BIT(w, PAE) | SET_BIT(w, SEP) | SET_BIT(w, MTRR) | SET_BIT(w, PGE) | SET_BIT(w, CMOV) | \
         SET_BIT(w, PAT) | SET_BIT(w, PSE36) | SET_BIT(w, MMX) | SET_BIT(w, FXSR) | SET_BIT(w, SSE))
#define F_CORE2(w) \
        (F_PENTIUM3(w) | SET_BIT(w, CLFSH) | SET_BIT(w, SSE2) | SET_BIT(w, SSE3) | SET_BIT(w, SSSE3) | SET_BIT(w, CX16) | \
         SET_BIT(w, NX))
#define F_HOST(w) \
        (F_CORE2(w) | SET_BIT(w, SSE41) | SET_BIT(w, SSE42) | SET_BIT(w, POPCNT) | SET_BIT(w, MOVBE) | SET_BIT(w, AES) | \
         SET_BIT(w, PCLMUL) | SET_BIT(w, RDRAND) | SET_BIT(w, RDSEED) | SET_BIT(w, ADX) | SET_BIT(w, SHA) | \
         SET_BIT(w, LZCNT) | SET_BIT(w, ERMS) | SET_BIT(w, RDTSCP) | SET_BIT(w, PREFETCHW))

enum { MODEL_HOST, MODEL_486, MODEL_PENTIUM, MODEL_PENTIUM3, MODEL_CORE2, MODELS };

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
};

static char host_vendor[13];
static char host_brand[48];
static uint64_t tsc_hz;
/* tsc_hz over CRYSTAL_HZ as leaf 15h tells it. */
static uint32_t tsc_ratio_numerator, tsc_ratio_denominator;

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

/* The best fraction near hz / CRYSTAL_HZ by continued fractions.  The numerator stays so small that a
 * kernel which multiplies it by the crystal's kHz in 32 bits does not overflow. */
static void find_tsc_ratio(uint64_t hz)
{
        uint64_t n = hz, d = CRYSTAL_HZ, p0 = 0, q0 = 1, p1 = 1, q1 = 0;

        while (d) {
                uint64_t whole = n / d, rest = n % d;
                uint64_t p2 = whole * p1 + p0, q2 = whole * q1 + q0;

                if (p2 > UINT32_MAX / (CRYSTAL_HZ / 1000))
                        break;
                p0 = p1, q0 = q1, p1 = p2, q1 = q2;
                n = d, d = rest;
        }
        tsc_ratio_numerator = (uint32_t)p1;
        tsc_ratio_denominator = (uint32_t)q1;
}

static void read_host(void)
{
        struct cpu_model *host = &models[MODEL_HOST];
        uint32_t words[WORDS] = { 0 };
        uint32_t a, b, c, d, max_leaf, max_extended, signature;

        __cpuid_count(0, 0, max_leaf, b, c, d);
        memcpy(host_vendor, &b, 4);
        memcpy(host_vendor + 4, &d, 4);
        memcpy(host_vendor + 8, &c, 4);
        __cpuid_count(1, 0, signature, b, words[WORD_1C], words[WORD_1D]);
        if (max_leaf >= 7) {
                __cpuid_count(7, 0, a, words[WORD_7B], words[WORD_7C], d);
                host->no_fpu_cs_ds = words[WORD_7B] & EBX_NO_FPU_CS_DS;
        }
        __cpuid_count(0x80000000, 0, max_extended, b, c, d);
        if (max_extended >= 0x80000001)
                __cpuid_count(0x80000001, 0, a, b, words[WORD_81C], words[WORD_81D]);
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

        for (unsigned i = 0; i < MODELS; i++)
                for (unsigned f = 0; f < FEATURE_COUNT; f++) {
                        const struct feature_bit *where = &feature_bits[f];

                        if (!where->emulated && !(words[where->word] >> where->bit & 1))
                                models[i].features[f / 64] &= ~(UINT64_C(1) << (f % 64));
                }
        tsc_hz = host_tsc_hz(max_leaf);
        find_tsc_ratio(tsc_hz);
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

const char *const *cpu_model_names(void)
{
        static const char *const names[] = { "host", "486", "pentium", "pentium3", "core2", NULL };

        return names;
}

uint64_t cpuid_tsc_hz(void)
{
        need_host();
        return tsc_hz;
}

/* -- Leaves ------------------------------------------------------------------------------------ */

uint32_t cpuid_signature(const struct cpu_model *model)
{
        uint32_t extended_family = model->family >= 15 ? model->family - 15u : 0;
        uint32_t family = model->family >= 15 ? 15u : model->family;

        return extended_family << 20 | (uint32_t)(model->model >> 4) << 16 | family << 8 | (model->model & 15u) << 4 |
               model->stepping;
}

/* The features that one register of a leaf shows. */
static uint32_t feature_word(const struct cpu_model *model, enum word word)
{
        uint32_t value = 0;

        for (unsigned f = 0; f < FEATURE_COUNT; f++)
                if (feature_bits[f].word == word && cpu_model_has(model, (enum cpu_feature)f))
                        value |= 1u << feature_bits[f].bit;
        return value;
}

static void leaf_1(const struct cpu *cpu, uint32_t out[4])
{
        const struct cpu_model *model = cpu->model;

        out[0] = cpuid_signature(model);
        if (model->family >= 6)
                out[1] = cpu->index << 24;
        out[2] = feature_word(model, WORD_1C);
        out[3] = feature_word(model, WORD_1D) | model->features_1d;
        if (cpu_model_has(model, FEATURE_CLFSH))
                out[1] |= 64 / 8 << 8;
        if (model->hypervisor)
                out[2] |= ECX_HYPERVISOR;
        if (cpu->cr4 & CR4_OSXSAVE)
                out[2] |= ECX_OSXSAVE;
        /* The bit follows IA32_APIC_BASE bit 11 (SDM 3A 11.4.3). */
        if (!(cpu->apic_base & 1 << 11))
                out[3] &= ~(1u << feature_bits[FEATURE_APIC].bit);
}

/* Deterministic cache parameters: 32 KiB + 32 KiB of 8 ways, 1 MiB of 16 ways; every CPU a package. */
static void leaf_4(uint32_t subleaf, uint32_t out[4])
{
        static const struct { uint8_t type, level, ways; uint16_t sets; } caches[] = {
                { 1, 1, 8, 64 }, { 2, 1, 8, 64 }, { 3, 2, 16, 1024 },
        };

        if (subleaf >= sizeof(caches) / sizeof(caches[0]))
                return;
        out[0] = caches[subleaf].type | (uint32_t)caches[subleaf].level << 5 | 1u << 8 /* self-initialising */;
        out[1] = (caches[subleaf].ways - 1u) << 22 | (64 - 1);
        out[2] = caches[subleaf].sets - 1u;
}

static void leaf_7(const struct cpu_model *model, uint32_t subleaf, uint32_t out[4])
{
        if (subleaf)
                return;
        out[1] = feature_word(model, WORD_7B);
        out[2] = feature_word(model, WORD_7C);
        if (model->no_fpu_cs_ds)
                out[1] |= EBX_NO_FPU_CS_DS;
        if (model->arch_capabilities)
                out[3] |= EDX_SPEC_CTRL | EDX_ARCH_CAPABILITIES;
}

/* Extended topology: one thread a core, one core a package. */
static void leaf_b(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
        out[2] = subleaf & 0xff;
        out[3] = cpu->index;
        if (subleaf > 1)
                return;
        out[1] = 1;
        out[2] |= (subleaf + 1) << 8;   /* 1: threads, 2: cores */
}

static void leaf_extended(const struct cpu_model *model, uint32_t leaf, uint32_t out[4])
{
        switch (leaf) {
        case 0x80000000:
                out[0] = model->max_extended;
                break;
        case 0x80000001:
                out[2] = feature_word(model, WORD_81C);
                out[3] = feature_word(model, WORD_81D);
                break;
        case 0x80000002: case 0x80000003: case 0x80000004: {
                const char *text = model->brand;
                uint8_t *to = (uint8_t *)out;
                unsigned skip = 16 * (leaf - 0x80000002);

                /* Copied by hand: the string may end before this part of it begins. */
                for (unsigned i = 0; i < skip + 16 && i < 47 && text[i]; i++)
                        if (i >= skip)
                                to[i - skip] = (uint8_t)text[i];
                break;
        }
        case 0x80000006:
                out[2] = 1024 << 16 | 8 << 12 | 64;     /* L2: 1 MiB, 16 ways, 64-byte lines */
                break;
        case 0x80000007:
                out[3] = 1 << 8;                        /* invariant TSC */
                break;
        case 0x80000008:
                out[0] = model->physical_bits | 32 << 8;
                break;
        default:
                break;
        }
}

/* Ours: nobody's paravirtual interface, but the leaf most hypervisors tell the frequencies by. */
static void leaf_hypervisor(uint32_t leaf, uint32_t out[4])
{
        switch (leaf) {
        case HYPERVISOR_LEAF:
                out[0] = HYPERVISOR_LAST;
                memcpy(&out[1], "LodgerLodger", 12);
                break;
        case HYPERVISOR_LAST:
                out[0] = (uint32_t)(tsc_hz / 1000);
                out[1] = CRYSTAL_HZ / 1000;
                break;
        default:
                break;
        }
}

void cpuid_query(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
        const struct cpu_model *model = cpu->model;

        out[0] = out[1] = out[2] = out[3] = 0;
        if (leaf >= HYPERVISOR_LEAF && leaf <= HYPERVISOR_LAST && model->hypervisor) {
                leaf_hypervisor(leaf, out);
                return;
        }
        if (leaf >= 0x80000000u && leaf <= model->max_extended) {
                leaf_extended(model, leaf, out);
                return;
        }
        /* A leaf past the last answers as the last basic leaf does (SDM 2A, CPUID). */
        if (leaf > model->max_leaf)
                leaf = model->max_leaf;
        switch (leaf) {
        case 0:
                out[0] = model->max_leaf;
                memcpy(&out[1], model->vendor, 4);
                memcpy(&out[3], model->vendor + 4, 4);
                memcpy(&out[2], model->vendor + 8, 4);
                break;
        case 1:
                leaf_1(cpu, out);
                break;
        case 2:
                /* 4 KiB pages: 64 data and 32 code TLB entries; L1 16 KiB each; L2 512 KiB.  Newer: leaf 4. */
                out[0] = model->max_leaf >= 4 ? 0x00feff01 : 0x03020101;
                out[3] = model->max_leaf >= 4 ? 0x000000f0 : 0x0c040843;
                break;
        case 4:
                leaf_4(subleaf, out);
                break;
        case 6:
                out[0] = 1 << 2;        /* the APIC timer always runs */
                break;
        case 7:
                leaf_7(model, subleaf, out);
                break;
        case 0xb:
                leaf_b(cpu, subleaf, out);
                break;
        case 0x15:
                out[0] = tsc_ratio_denominator;
                out[1] = tsc_ratio_numerator;
                out[2] = CRYSTAL_HZ;
                break;
        case 0x16:
                out[0] = out[1] = (uint32_t)(tsc_hz / 1000000) & 0xffff;
                out[2] = 100;
                break;
        default:
                break;
        }
}
