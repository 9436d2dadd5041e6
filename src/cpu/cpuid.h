/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid.h - CPU models: what CPUID tells a guest, and which instructions the decoder lets through.
 *
 * A model is a set of enum cpu_feature; CPUID leaves, the decoder's feature set, the MSRs and the
 * reserved bits of CR4 and EFER all come from it.  Every model is masked by what the host's own CPU
 * has, because its instructions are executed by that CPU (traps.md T18: a model never offers what the host lacks).
 */
#ifndef LODGER_CPU_CPUID_H
#define LODGER_CPU_CPUID_H

#include "cpu/cpu.h"
#include "cpu/insn.h"

/* The registers of leaves that show features. */
enum cpuid_word { CPUID_NO_WORD, CPUID_1C, CPUID_1D, CPUID_7B, CPUID_7C, CPUID_81C, CPUID_81D, CPUID_WORDS };

/* The local APIC timer's input clock, which leaf 15h calls the crystal; lapic.c counts at this rate. */
enum { CPUID_CRYSTAL_HZ = 1000000000 };

struct cpu_model {
        const char *name;               /* as --cpu takes it */
        const char *description;
        const char *vendor;             /* 12 characters */
        const char *brand;              /* at most 47 characters, or NULL: no brand leaves */
        uint8_t family, model, stepping;
        uint8_t physical_bits;          /* MAXPHYADDR */
        bool hypervisor;                /* shows that it is virtual: leaf 40000000h and ECX bit 31 */
        bool no_fpu_cs_ds;              /* x87 images hold 0 for FCS and FDS (leaf 7 EBX bit 13) */
        uint32_t max_leaf;
        uint32_t max_extended;          /* 0: no extended leaves */
        uint32_t features_1d;           /* leaf 1 EDX bits that no enum cpu_feature stands for */
        uint64_t arch_capabilities;     /* IA32_ARCH_CAPABILITIES; 0: the MSR is not there */
        uint64_t features[2];           /* bit set by enum cpu_feature, masked by the host */
        /* Derived when the first model is looked up. */
        uint32_t feature_words[CPUID_WORDS];    /* the features as CPUID shows them */
        uint64_t tsc_hz;
        uint32_t tsc_ratio_numerator, tsc_ratio_denominator;    /* tsc_hz over CPUID_CRYSTAL_HZ */
};

/* -- model.c: ordinary code, called while a machine is set up ----------------------------------- */

/* By name, case-sensitive; NULL when there is none. */
const struct cpu_model *cpu_model_find(const char *name);
/* Why a model cannot be had here, for a person; NULL: it can.  Old models do without what the host lacks; an x86-64
 * level promises all of its features. */
const char *cpu_model_why_not(const char *name);
/* NULL-terminated; the first is the default. */
const char *const *cpu_model_names(void);

/* Frequency of the guest's TSC, which is the host's: from the host's CPUID or measured once, when the
 * first model is looked up. */
uint64_t cpuid_tsc_hz(void);

/* -- cpuid.c [gpr] ------------------------------------------------------------------------------ */

/* Leaf 1 EAX, which is also EDX after reset. */
uint32_t cpuid_signature(const struct cpu_model *model);
/* Leaf and subleaf to EAX, EBX, ECX, EDX. */
void cpuid_query(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

static inline bool cpu_model_has(const struct cpu_model *model, enum cpu_feature feature)
{
        return model->features[feature / 64] >> (feature % 64) & 1;
}

static inline bool cpu_has(const struct cpu *cpu, enum cpu_feature feature)
{
        return cpu_model_has(cpu->model, feature);
}

#endif
