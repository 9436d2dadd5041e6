/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid.c - the leaves CPUID answers with (SDM 2A, CPUID).
 *
 * Not modelled: processor topology beyond one core a package, performance monitoring (leaf 0Ah),
 * MONITOR/MWAIT (leaf 5), power management (leaf 6 shows only that the APIC timer never stops).
 *
 * Mitigations: a guest under the translator never runs on its own page tables, so the page-table
 * switches and buffer flushes a kernel does against speculation would protect nothing.  The host
 * model says so through IA32_ARCH_CAPABILITIES.
 */
#include "cpu/cpuid.h"
#include "cpu/fpu.h"
#include "cpu/msr.h"
#include "cpu/paravirt.h"

enum { AREA_WITH_AVX = FPU_AVX + 256 };

enum { EDX_APIC = 1 << 9, ECX_OSXSAVE = 1 << 27 };
#define ECX_HYPERVISOR (1u << 31)
/* Leaf 7. */
enum { EBX_TSC_ADJUST = 1 << 1, EBX_NO_FPU_CS_DS = 1 << 13, EDX_SPEC_CTRL = 1 << 26, EDX_ARCH_CAPABILITIES = 1 << 29 };
/* Leaf 7, subleaf 2: a bit of IA32_SPEC_CTRL spares kernels clearing the branch history on every system call. */
enum { EDX_BHI_CTRL = 1 << 4 };

enum { HYPERVISOR_LEAF = 0x40000000, HYPERVISOR_FEATURES = 0x40000001, HYPERVISOR_LAST = 0x40000010 };

uint32_t cpuid_signature(const struct cpu_model *model)
{
        uint32_t extended_family = model->family >= 15 ? model->family - 15u : 0;
        uint32_t family = model->family >= 15 ? 15u : model->family;

        return extended_family << 20 | (uint32_t)(model->model >> 4) << 16 | family << 8 | (model->model & 15u) << 4 |
               model->stepping;
}

static void leaf_1(const struct cpu *cpu, uint32_t out[4])
{
        const struct cpu_model *model = cpu->model;

        out[0] = cpuid_signature(model);
        if (model->family >= 6)
                out[1] = cpu->index << 24;
        out[2] = model->feature_words[CPUID_1C];
        out[3] = model->feature_words[CPUID_1D] | model->features_1d;
        if (cpu_model_has(model, FEATURE_CLFSH))
                out[1] |= 64 / 8 << 8;
        if (model->hypervisor)
                out[2] |= ECX_HYPERVISOR;
        if (cpu->cr4 & CR4_OSXSAVE)
                out[2] |= ECX_OSXSAVE;
        /* The bit follows IA32_APIC_BASE bit 11 (SDM 3A 11.4.3). */
        if (!(cpu->apic_base & APIC_BASE_ENABLE))
                out[3] &= ~(uint32_t)EDX_APIC;
}

/* Deterministic cache parameters: 32 KiB + 32 KiB of 8 ways, 1 MiB and 16 MiB of 16 ways; every CPU a package.  C
 * libraries copy what fits the last cache with REP MOVS, which is fast here, and the rest with streaming stores. */
static void leaf_4(uint32_t subleaf, uint32_t out[4])
{
        static const struct { uint8_t type, level, ways; uint16_t sets; } caches[] = {
                { 1, 1, 8, 64 }, { 2, 1, 8, 64 }, { 3, 2, 16, 1024 }, { 3, 3, 16, 16384 },
        };

        if (subleaf >= sizeof(caches) / sizeof(caches[0]))
                return;
        out[0] = caches[subleaf].type | (uint32_t)caches[subleaf].level << 5 | 1u << 8 /* self-initialising */;
        out[1] = (caches[subleaf].ways - 1u) << 22 | (64 - 1);
        out[2] = caches[subleaf].sets - 1u;
}

static void leaf_7(const struct cpu_model *model, uint32_t subleaf, uint32_t out[4])
{
        if (subleaf == 2 && model->arch_capabilities)
                out[3] = EDX_BHI_CTRL;
        if (subleaf)
                return;
        out[0] = model->arch_capabilities ? 2 : 0;
        out[1] = model->feature_words[CPUID_7B];
        out[2] = model->feature_words[CPUID_7C];
        /* MSR_TSC_ADJUST: with it, kernels trust the time stamp counter and watch it no more. */
        out[1] |= EBX_TSC_ADJUST;
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

/* XSAVE areas, standard format only: x87 and SSE share the legacy part, AVX stands behind the header (SDM 1 13.4). */
static void leaf_d(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
        bool avx = cpu_has(cpu, FEATURE_AVX);

        if (!cpu_has(cpu, FEATURE_XSAVE))
                return;
        if (subleaf == 0) {
                out[0] = XSTATE_X87 | XSTATE_SSE | (avx ? XSTATE_AVX : 0);
                out[1] = cpu->xcr0 & XSTATE_AVX ? AREA_WITH_AVX : FPU_AVX;
                out[2] = avx ? AREA_WITH_AVX : FPU_AVX;
        } else if (subleaf == 2 && avx) {
                out[0] = AREA_WITH_AVX - FPU_AVX;
                out[1] = FPU_AVX;
        }
}

static void leaf_extended(const struct cpu_model *model, uint32_t leaf, uint32_t out[4])
{
        switch (leaf) {
        case 0x80000000:
                out[0] = model->max_extended;
                break;
        case 0x80000001:
                out[2] = model->feature_words[CPUID_81C];
                out[3] = model->feature_words[CPUID_81D];
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
                out[0] = model->physical_bits | (cpu_model_has(model, FEATURE_LM) ? 48 : 32) << 8;
                break;
        default:
                break;
        }
}

/* KVM's leaves, whose interface guests know (paravirt.c), and the one most hypervisors tell the frequencies by. */
static void leaf_hypervisor(const struct cpu_model *model, uint32_t leaf, uint32_t out[4])
{
        switch (leaf) {
        case HYPERVISOR_LEAF:
                out[0] = HYPERVISOR_LAST;
                __builtin_memcpy(&out[1], "KVMKVMKVM\0\0", 12);
                break;
        case HYPERVISOR_FEATURES:
                out[0] = PV_FEATURES;
                break;
        case HYPERVISOR_LAST:
                out[0] = (uint32_t)(model->tsc_hz / 1000);
                out[1] = CPUID_CRYSTAL_HZ / 1000;
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
                leaf_hypervisor(model, leaf, out);
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
                __builtin_memcpy(&out[1], model->vendor, 4);
                __builtin_memcpy(&out[3], model->vendor + 4, 4);
                __builtin_memcpy(&out[2], model->vendor + 8, 4);
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
        case 0xd:
                leaf_d(cpu, subleaf, out);
                break;
        case 0x15:
                out[0] = model->tsc_ratio_denominator;
                out[1] = model->tsc_ratio_numerator;
                out[2] = CPUID_CRYSTAL_HZ;
                break;
        case 0x16:
                out[0] = out[1] = (uint32_t)((model->tsc_hz + 500000) / 1000000) & 0xffff;
                out[2] = 100;
                break;
        default:
                break;
        }
}
