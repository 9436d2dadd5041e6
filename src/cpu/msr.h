/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msr.h - model-specific registers, as RDMSR and WRMSR reach them (SDM 4).  [gpr]
 */
#ifndef LODGER_CPU_MSR_H
#define LODGER_CPU_MSR_H

#include "cpu/cpu.h"

enum msr {
        MSR_P5_MC_ADDR = 0x0, MSR_P5_MC_TYPE = 0x1, MSR_TSC = 0x10, MSR_PLATFORM_ID = 0x17, MSR_APIC_BASE = 0x1b,
        MSR_EBL_CR_POWERON = 0x2a, MSR_FEATURE_CONTROL = 0x3a, MSR_TSC_ADJUST = 0x3b, MSR_SPEC_CTRL = 0x48, MSR_PRED_CMD = 0x49,
        MSR_BIOS_UPDT_TRIG = 0x79, MSR_BIOS_SIGN_ID = 0x8b, MSR_PLATFORM_INFO = 0xce, MSR_MTRR_CAP = 0xfe,
        MSR_ARCH_CAPABILITIES = 0x10a, MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176,
        MSR_MCG_CAP = 0x179, MSR_MCG_STATUS = 0x17a, MSR_MISC_ENABLE = 0x1a0, MSR_DEBUGCTL = 0x1d9,
        MSR_LAST_BRANCH_FROM = 0x1db, MSR_LAST_INT_TO = 0x1de, MSR_MTRR_VAR = 0x200, MSR_MTRR_VAR_LAST = 0x20f,
        MSR_MTRR_FIX64K = 0x250, MSR_MTRR_FIX16K = 0x258, MSR_MTRR_FIX16K_A0000 = 0x259, MSR_MTRR_FIX4K = 0x268,
        MSR_MTRR_FIX4K_LAST = 0x26f, MSR_PAT = 0x277, MSR_MTRR_DEF_TYPE = 0x2ff, MSR_TSC_DEADLINE = 0x6e0,
        MSR_X2APIC = 0x800, MSR_X2APIC_LAST = 0x8ff,
};
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u

enum { APIC_BASE_BSP = 1 << 8, APIC_BASE_X2APIC = 1 << 10, APIC_BASE_ENABLE = 1 << 11 };

/* False: #GP(0) has been raised: no such register in this model, or a value it does not take. */
bool msr_read(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write(struct cpu *cpu, uint32_t index, uint64_t value);

#endif
