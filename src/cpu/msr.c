/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msr.c - the model-specific registers of the CPU models (SDM 4, chapter 2).
 *
 * Which registers exist follows from the model's features.  One that does not exist, a reserved bit
 * and an impossible memory type give #GP(0), as hardware does; --trace=msr shows them.  MTRRs and PAT
 * are kept and read back but change nothing: all memory is write-back here.  Machine check exists
 * with no banks.
 */
#include "base/log.h"
#include "cpu/cpuid.h"
#include "cpu/lapic.h"
#include "cpu/msr.h"
#include "cpu/paravirt.h"

enum { MTRR_VARIABLES = 8, MTRR_CAP_FIX = 1 << 8, MTRR_CAP_WC = 1 << 10 };
enum { MTRR_DEF_TYPE_FE = 1 << 10, MTRR_DEF_TYPE_E = 1 << 11, MTRR_MASK_VALID = 1 << 11 };
/* IA32_MISC_ENABLE: fast strings, no BTS, no PEBS: always set; these and the following are read-only. */
enum { MISC_FAST_STRINGS = 1 << 0, MISC_NO_BTS = 1 << 11, MISC_NO_PEBS = 1 << 12, MISC_SPEEDSTEP = 1 << 16 };
/* Kept and read back, without effect: thermal control, MONITOR, CPUID limit, xTPR messages, XD disable. */
#define MISC_WRITABLE (UINT64_C(0x400c40008) | MISC_SPEEDSTEP)
enum { SPEC_CTRL_BITS = 0x407 /* IBRS, STIBP, SSBD, BHI_DIS_S */, PRED_CMD_IBPB = 1 };

/* AMD: system configuration registers that kernels touch by family, without asking CPUID. */
enum { AMD_SYSCFG = 0x10, AMD_HWCR = 0x15, AMD_NB_CFG = 0x1f, AMD_INT_PENDING = 0x55, AMD_LS_CFG = 0x1020,
       AMD_DE_CFG = 0x1029, AMD_BASE = (int)0xc0010000 };

static uint64_t physical_mask(const struct cpu *cpu)
{
        return (UINT64_C(1) << cpu->model->physical_bits) - 1;
}

static bool refuse(struct cpu *cpu, const char *what, uint32_t index, uint64_t value)
{
        if (TRACE_ON(MSR)) {
                cpu_host_begin(cpu);
                TRACE(MSR, "%s %08x value %016llx at %08llx: #GP", what, index, (unsigned long long)value,
                      (unsigned long long)cpu->rip);
        }
        return cpu_raise_error(cpu, EXC_GP, 0);
}

/* A memory type that MTRRs and PAT take: UC WC WT WP WB; PAT also UC- (SDM 3A 12.11.2.1, 12.12.2). */
static bool memory_type_valid(unsigned type, bool pat)
{
        return type == 0 || type == 1 || type == 4 || type == 5 || type == 6 || (pat && type == 7);
}

static bool memory_types_valid(uint64_t value, bool pat)
{
        for (unsigned shift = 0; shift < 64; shift += 8)
                if (!memory_type_valid(value >> shift & 0xff, pat))
                        return false;
        return true;
}

/* Position in mtrr_fixed[], or -1. */
static int mtrr_fixed_index(uint32_t index)
{
        if (index == MSR_MTRR_FIX64K)
                return 0;
        if (index == MSR_MTRR_FIX16K || index == MSR_MTRR_FIX16K_A0000)
                return 1 + (int)(index - MSR_MTRR_FIX16K);
        if (index >= MSR_MTRR_FIX4K && index <= MSR_MTRR_FIX4K_LAST)
                return 3 + (int)(index - MSR_MTRR_FIX4K);
        return -1;
}

static bool is_mtrr(uint32_t index)
{
        return (index >= MSR_MTRR_VAR && index <= MSR_MTRR_VAR_LAST) || index == MSR_MTRR_DEF_TYPE ||
               mtrr_fixed_index(index) >= 0;
}

static bool is_x2apic(uint32_t index) { return index >= MSR_X2APIC && index <= MSR_X2APIC_LAST; }

/* Whether the model has the register at all; value checks come later. */
static bool msr_exists(const struct cpu *cpu, uint32_t index)
{
        unsigned family = cpu->model->family;

        if (is_mtrr(index) || index == MSR_MTRR_CAP)
                return cpu_has(cpu, FEATURE_MTRR);
        if (paravirt_is_msr(index))
                return cpu->model->hypervisor;
        if (is_x2apic(index))
                return cpu_has(cpu, FEATURE_X2APIC) && (cpu->apic_base & APIC_BASE_X2APIC) && cpu->lapic;
        switch (index) {
        case MSR_P5_MC_ADDR: case MSR_P5_MC_TYPE:
                return family >= 5;
        case MSR_TSC:
                return cpu_has(cpu, FEATURE_TSC);
        case MSR_APIC_BASE:
                return cpu_has(cpu, FEATURE_APIC) && family >= 6;
        case MSR_PLATFORM_ID: case MSR_EBL_CR_POWERON: case MSR_BIOS_UPDT_TRIG: case MSR_BIOS_SIGN_ID: case MSR_MCG_CAP:
        case MSR_MCG_STATUS: case MSR_DEBUGCTL:
                return family >= 6;
        case MSR_SPEC_CTRL: case MSR_PRED_CMD: case MSR_ARCH_CAPABILITIES:
                return cpu->model->arch_capabilities;
        case MSR_TSC_ADJUST:
                return cpu->model->max_leaf >= 7;
        case MSR_PLATFORM_INFO: case MSR_FEATURE_CONTROL: case MSR_MISC_ENABLE:
                return family >= 6 && cpu->model->hypervisor;
        case MSR_SYSENTER_CS: case MSR_SYSENTER_ESP: case MSR_SYSENTER_EIP:
                return cpu_has(cpu, FEATURE_SEP);
        case MSR_PAT:
                return cpu_has(cpu, FEATURE_PAT);
        case MSR_TSC_DEADLINE:
                return cpu_has(cpu, FEATURE_TSCDEADLINE);
        case MSR_EFER:
                return cpu_has(cpu, FEATURE_NX) || cpu_has(cpu, FEATURE_LM) || cpu_has(cpu, FEATURE_SYSCALL);
        case MSR_STAR: case MSR_LSTAR: case MSR_CSTAR: case MSR_SFMASK:
                return cpu_has(cpu, FEATURE_SYSCALL);
        case MSR_FS_BASE: case MSR_GS_BASE: case MSR_KERNEL_GS_BASE:
                return cpu_has(cpu, FEATURE_LM);
        case MSR_TSC_AUX:
                return cpu_has(cpu, FEATURE_RDTSCP) || cpu_has(cpu, FEATURE_RDPID);
        case AMD_BASE + AMD_SYSCFG: case AMD_BASE + AMD_HWCR: case AMD_BASE + AMD_NB_CFG:
        case AMD_BASE + AMD_INT_PENDING: case AMD_BASE + AMD_LS_CFG: case AMD_BASE + AMD_DE_CFG:
                return cpu->model->vendor[0] == 'A' && cpu->model->hypervisor;
        default:
                return index >= MSR_LAST_BRANCH_FROM && index <= MSR_LAST_INT_TO && family >= 6;
        }
}

bool msr_read(struct cpu *cpu, uint32_t index, uint64_t *value)
{
        int fixed = mtrr_fixed_index(index);

        if (!msr_exists(cpu, index))
                return refuse(cpu, "rdmsr", index, 0);
        if (is_x2apic(index)) {
                cpu_host_begin(cpu);
                return lapic_rdmsr(cpu->lapic, index, value) || refuse(cpu, "rdmsr", index, 0);
        }
        if (paravirt_is_msr(index)) {
                cpu_host_begin(cpu);
                *value = paravirt_msr_read(cpu, index);
                return true;
        }
        if (fixed >= 0) {
                *value = cpu->mtrr_fixed[fixed];
                return true;
        }
        if (index >= MSR_MTRR_VAR && index <= MSR_MTRR_VAR_LAST) {
                *value = cpu->mtrr_var[index - MSR_MTRR_VAR];
                return true;
        }
        switch (index) {
        case MSR_TSC:
                cpu_host_begin(cpu);
                *value = cpu_tsc(cpu);
                break;
        case MSR_TSC_ADJUST: *value = cpu->tsc_adjust; break;
        case MSR_TSC_DEADLINE:
                cpu_host_begin(cpu);
                *value = cpu->lapic ? lapic_deadline(cpu->lapic) : 0;
                break;
        case MSR_APIC_BASE: *value = cpu->apic_base; break;
        case MSR_FEATURE_CONTROL: *value = 1 /* locked: no VMX */; break;
        case MSR_SPEC_CTRL: *value = cpu->spec_ctrl; break;
        case MSR_BIOS_SIGN_ID: *value = UINT64_C(1) << 32; break;
        case MSR_PLATFORM_INFO: *value = (cpu->model->tsc_hz / 100000000 & 0xff) << 8; break;
        case MSR_MTRR_CAP: *value = MTRR_VARIABLES | MTRR_CAP_FIX | MTRR_CAP_WC; break;
        case MSR_ARCH_CAPABILITIES: *value = cpu->model->arch_capabilities; break;
        case MSR_SYSENTER_CS: *value = cpu->sysenter_cs; break;
        case MSR_SYSENTER_ESP: *value = cpu->sysenter_esp; break;
        case MSR_SYSENTER_EIP: *value = cpu->sysenter_eip; break;
        case MSR_MISC_ENABLE:
                *value = (cpu->misc_enable & MISC_WRITABLE) | MISC_FAST_STRINGS | MISC_NO_BTS | MISC_NO_PEBS;
                break;
        case MSR_PAT: *value = cpu->pat; break;
        case MSR_MTRR_DEF_TYPE: *value = cpu->mtrr_def_type; break;
        case MSR_EFER: *value = cpu->efer; break;
        case MSR_STAR: *value = cpu->star; break;
        case MSR_LSTAR: *value = cpu->lstar; break;
        case MSR_CSTAR: *value = cpu->cstar; break;
        case MSR_SFMASK: *value = cpu->sfmask; break;
        case MSR_FS_BASE: *value = cpu->seg[SEG_FS].base; break;
        case MSR_GS_BASE: *value = cpu->seg[SEG_GS].base; break;
        case MSR_KERNEL_GS_BASE: *value = cpu->kernel_gs_base; break;
        case MSR_TSC_AUX: *value = cpu->tsc_aux; break;
        case MSR_PRED_CMD: case MSR_BIOS_UPDT_TRIG:     /* write-only */
                return refuse(cpu, "rdmsr", index, 0);
        default: *value = 0; break;
        }
        return true;
}

static bool write_efer(struct cpu *cpu, uint64_t value)
{
        uint64_t allowed = (cpu_has(cpu, FEATURE_NX) ? EFER_NXE : 0) | (cpu_has(cpu, FEATURE_SYSCALL) ? EFER_SCE : 0) |
                           (cpu_has(cpu, FEATURE_LM) ? EFER_LME | EFER_LMA : 0);

        /* LME cannot change while paging is on (SDM 3A 10.8.5); LMA is read-only, its written value ignored. */
        if ((value & ~allowed) || (((cpu->efer ^ value) & EFER_LME) && (cpu->cr0 & CR0_PG)))
                return refuse(cpu, "wrmsr", MSR_EFER, value);
        value = (value & ~(uint64_t)EFER_LMA) | (cpu->efer & EFER_LMA);
        if ((cpu->efer ^ value) & EFER_NXE)
                tlb_flush(cpu, true);
        cpu->efer = value;
        cpu_mode_changed(cpu);
        return true;
}

static bool write_apic_base(struct cpu *cpu, uint64_t value)
{
        uint64_t allowed = (physical_mask(cpu) & PAGE_MASK) | APIC_BASE_BSP | APIC_BASE_ENABLE |
                           (cpu_has(cpu, FEATURE_X2APIC) ? APIC_BASE_X2APIC : 0);

        unsigned from = cpu->apic_base & (APIC_BASE_X2APIC | APIC_BASE_ENABLE);
        unsigned to = value & (APIC_BASE_X2APIC | APIC_BASE_ENABLE);

        /* x2APIC mode is entered from xAPIC mode and left by disabling (SDM 3A figure 11-27). */
        if ((value & ~allowed) || to == APIC_BASE_X2APIC || (!from && to == (APIC_BASE_X2APIC | APIC_BASE_ENABLE)) ||
            ((from & APIC_BASE_X2APIC) && to == APIC_BASE_ENABLE))
                return refuse(cpu, "wrmsr", MSR_APIC_BASE, value);
        cpu->apic_base = value;
        if (cpu->lapic) {
                cpu_host_begin(cpu);
                lapic_base_changed(cpu->lapic);
        }
        return true;
}

static bool write_mtrr(struct cpu *cpu, uint32_t index, uint64_t value)
{
        int fixed = mtrr_fixed_index(index);
        uint64_t frame = physical_mask(cpu) & PAGE_MASK;

        if (fixed >= 0) {
                if (!memory_types_valid(value, false))
                        return refuse(cpu, "wrmsr", index, value);
                cpu->mtrr_fixed[fixed] = value;
        } else if (index == MSR_MTRR_DEF_TYPE) {
                if ((value & ~(uint64_t)(0xff | MTRR_DEF_TYPE_FE | MTRR_DEF_TYPE_E)) ||
                    !memory_type_valid(value & 0xff, false))
                        return refuse(cpu, "wrmsr", index, value);
                cpu->mtrr_def_type = value;
        } else {
                bool mask = index & 1;

                if (mask ? (value & ~(frame | MTRR_MASK_VALID)) != 0
                         : (value & ~(frame | 0xff)) || !memory_type_valid(value & 0xff, false))
                        return refuse(cpu, "wrmsr", index, value);
                cpu->mtrr_var[index - MSR_MTRR_VAR] = value;
        }
        return true;
}

/* SYSENTER's and the like hold 32 bits where there is no long mode, canonical addresses where there is. */
static bool write_address(struct cpu *cpu, uint32_t index, uint64_t *field, uint64_t value)
{
        if (!cpu_has(cpu, FEATURE_LM))
                value = (uint32_t)value;
        else if ((uint64_t)((int64_t)(value << 16) >> 16) != value)
                return refuse(cpu, "wrmsr", index, value);
        *field = value;
        return true;
}

/* A deadline is one of the TSC, and the paravirtual clock is read through it. */
static bool tsc_moved(struct cpu *cpu)
{
        cpu_host_begin(cpu);
        if (cpu->lapic)
                lapic_tsc_changed(cpu->lapic);
        paravirt_clock_update(cpu);
        return true;
}

bool msr_write(struct cpu *cpu, uint32_t index, uint64_t value)
{
        if (!msr_exists(cpu, index))
                return refuse(cpu, "wrmsr", index, value);
        if (is_mtrr(index))
                return write_mtrr(cpu, index, value);
        if (paravirt_is_msr(index)) {
                cpu_host_begin(cpu);
                return paravirt_msr_write(cpu, index, value) || refuse(cpu, "wrmsr", index, value);
        }
        if (is_x2apic(index)) {
                cpu_host_begin(cpu);
                return lapic_wrmsr(cpu->lapic, index, value) || refuse(cpu, "wrmsr", index, value);
        }
        switch (index) {
        case MSR_TSC:
                cpu_host_begin(cpu);
                value -= cpu_tsc(cpu);
                cpu->tsc_offset += value;
                cpu->tsc_adjust += value;
                return tsc_moved(cpu);
        case MSR_TSC_ADJUST:            /* a write of MSR_TSC moves it by as much (SDM 3B 18.17.3) */
                cpu->tsc_offset += value - cpu->tsc_adjust;
                cpu->tsc_adjust = value;
                return tsc_moved(cpu);
        case MSR_TSC_DEADLINE:
                cpu_host_begin(cpu);
                if (cpu->lapic)
                        lapic_set_deadline(cpu->lapic, value);
                return true;
        case MSR_APIC_BASE:
                return write_apic_base(cpu, value);
        case MSR_SPEC_CTRL:
                if (value & ~(uint64_t)SPEC_CTRL_BITS)
                        break;
                cpu->spec_ctrl = value;
                return true;
        case MSR_PRED_CMD:
                if (value & ~(uint64_t)PRED_CMD_IBPB)
                        break;
                return true;
        case MSR_SYSENTER_CS:
                cpu->sysenter_cs = (uint32_t)value;
                return true;
        case MSR_SYSENTER_ESP:
                return write_address(cpu, index, &cpu->sysenter_esp, value);
        case MSR_SYSENTER_EIP:
                return write_address(cpu, index, &cpu->sysenter_eip, value);
        case MSR_MISC_ENABLE:
                cpu->misc_enable = value & MISC_WRITABLE;
                return true;
        case MSR_PAT:
                if (!memory_types_valid(value, true))
                        break;
                cpu->pat = value;
                return true;
        case MSR_EFER:
                return write_efer(cpu, value);
        case MSR_STAR:
                cpu->star = value;
                return true;
        case MSR_LSTAR:
                return write_address(cpu, index, &cpu->lstar, value);
        case MSR_CSTAR:
                return write_address(cpu, index, &cpu->cstar, value);
        case MSR_SFMASK:
                cpu->sfmask = (uint32_t)value;
                return true;
        case MSR_FS_BASE: case MSR_GS_BASE: {
                enum cpu_segment segment = index == MSR_FS_BASE ? SEG_FS : SEG_GS;

                if (!write_address(cpu, index, &cpu->seg[segment].base, value))
                        return false;
                cpu_segment_changed(cpu, segment);
                return true;
        }
        case MSR_KERNEL_GS_BASE:
                return write_address(cpu, index, &cpu->kernel_gs_base, value);
        case MSR_TSC_AUX:
                if (value >> 32)
                        break;
                cpu->tsc_aux = value;
                return true;
        case MSR_PLATFORM_ID: case MSR_MTRR_CAP: case MSR_ARCH_CAPABILITIES: case MSR_MCG_CAP: case MSR_FEATURE_CONTROL:
                break;                  /* read-only, or locked */
        default:
                return true;            /* no effect: microcode update trigger, debug control, machine check */
        }
        return refuse(cpu, "wrmsr", index, value);
}
