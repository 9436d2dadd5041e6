/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.c - the state of a vCPU after power-up, RESET and INIT (SDM 3A 10.1.1, table 10-1).
 */
#include "cpu/cpu.h"
#include "cpu/tlb.h"
#include "cpu/cpuid.h"
#include "cpu/debug.h"

enum {
        ATTR_DATA16 = SEG_P | SEG_S | SEG_TYPE_RW | SEG_TYPE_ACCESSED,  /* 93h: every segment after reset, CS too */
        ATTR_LDT = SEG_P | 2,
        ATTR_TSS32_BUSY = SEG_P | 11,
        DR6_RESET = 0xffff0ff0, DR7_RESET = 0x400,
        APIC_BASE_BSP = 1 << 8, APIC_BASE_ENABLED = 1 << 11,
        FCW_RESET = 0x40, MXCSR_RESET = 0x1f80,
        /* Offsets in the XSAVE image (SDM 1 10.5.1, 13.4). */
        XSAVE_FCW = 0, XSAVE_FTW = 4, XSAVE_MXCSR = 24, XSAVE_MXCSR_MASK = 28, XSAVE_HEADER = 512,
        XSAVE_X87_SSE = 3,
};
#define PAT_RESET UINT64_C(0x0007040600070406)
#define APIC_BASE_RESET UINT64_C(0xfee00000)

static void reset_segment(struct cpu *cpu, enum cpu_segment segment, uint16_t selector, uint64_t base, uint16_t attr)
{
        cpu->seg[segment] = (struct segment){ .selector = selector, .attr = attr, .limit = 0xffff, .base = base };
        cpu_segment_changed(cpu, segment);
}

static void store32(uint8_t *at, uint32_t value)
{
        __builtin_memcpy(at, &value, 4);
}

/* RESET gives the x87 another state than FNINIT does: all registers +0.0, and FCW 40h. */
static void reset_fpu(struct cpu_fpu *fpu)
{
        uint64_t *words = (uint64_t *)fpu->image;

        for (unsigned i = 0; i < sizeof(fpu->image) / sizeof(*words); i++)
                words[i] = 0;
        store32(fpu->image + XSAVE_FCW, FCW_RESET);
        fpu->image[XSAVE_FTW] = 0xff;
        store32(fpu->image + XSAVE_MXCSR, MXCSR_RESET);
        store32(fpu->image + XSAVE_MXCSR_MASK, 0xffff);
        fpu->image[XSAVE_HEADER] = XSAVE_X87_SSE;
        fpu->ip = fpu->dp = 0;
        fpu->cs = fpu->ds = fpu->op = 0;
}

/* What RESET changes and INIT does not: vector state, caches' control, and MSRs. */
static void reset_power_up(struct cpu *cpu)
{
        reset_fpu(&cpu->fpu);
        cpu->cr0 = (uint32_t)CR0_CD | CR0_NW | CR0_ET;
        cpu->xcr0 = 1;
        cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = 0;
        cpu->star = cpu->lstar = cpu->cstar = cpu->sfmask = cpu->kernel_gs_base = cpu->tsc_aux = 0;
        cpu->pat = PAT_RESET;
        cpu->apic_base = APIC_BASE_RESET | APIC_BASE_ENABLED | (cpu->index == 0 ? APIC_BASE_BSP : 0);
        cpu->misc_enable = 1;           /* fast strings */
        cpu->mtrr_def_type = 0;
        for (unsigned i = 0; i < sizeof(cpu->mtrr_fixed) / sizeof(cpu->mtrr_fixed[0]); i++)
                cpu->mtrr_fixed[i] = 0;
        for (unsigned i = 0; i < sizeof(cpu->mtrr_var) / sizeof(cpu->mtrr_var[0]); i++)
                cpu->mtrr_var[i] = 0;
}

void cpu_take_nmi(struct cpu *cpu)
{
        uint32_t old = __atomic_load_n(&cpu->request, __ATOMIC_SEQ_CST), taken;

        do {
                taken = old & CPU_REQUEST_NMI_AGAIN ? CPU_REQUEST_NMI_AGAIN : CPU_REQUEST_NMI;
        } while (!__atomic_compare_exchange_n(&cpu->request, &old, old & ~taken, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

void cpu_reset(struct cpu *cpu, bool init_only)
{
        if (!init_only)
                reset_power_up(cpu);
        /* INIT keeps CD and NW. */
        cpu->cr0 = (cpu->cr0 & ((uint32_t)CR0_CD | CR0_NW)) | CR0_ET;
        cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->cr8 = 0;
        cpu->efer = 0;
        for (unsigned i = 0; i < 4; i++)
                cpu->dr[i] = cpu->pdpte[i] = 0;
        cpu->dr[6] = DR6_RESET;
        cpu->dr[7] = DR7_RESET;
        for (unsigned i = 0; i < CPU_REGS; i++)
                cpu->regs[i] = 0;
        cpu->regs[RDX] = cpuid_signature(cpu->model);
        cpu->cpl = 0;
        cpu_set_rflags(cpu, FLAG_ONE);
        cpu->gdt = cpu->idt = (struct descriptor_table){ .base = 0, .limit = 0xffff };
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                reset_segment(cpu, i, 0, 0, ATTR_DATA16);
        reset_segment(cpu, SEG_CS, 0xf000, 0xffff0000, ATTR_DATA16);
        reset_segment(cpu, SEG_LDTR, 0, 0, ATTR_LDT);
        reset_segment(cpu, SEG_TR, 0, 0, ATTR_TSS32_BUSY);
        cpu->rip = cpu->next_rip = 0xfff0;
        cpu->exception = (struct pending_exception){ .pending = false };
        cpu->shadow = 0;
        cpu->halted = 0;
        cpu->nmi_blocked = false;
        cpu->pv.system_time = cpu->pv.wall_clock = cpu->pv.steal_time = cpu->pv.eoi = 0;
        /* Application processors sleep until a start-up IPI (SDM 3A 9.4.3). */
        cpu->waiting_for_sipi = !(cpu->apic_base & APIC_BASE_BSP);
        tlb_flush(cpu, true);
        cpu_debug_changed(cpu);
        cpu->debug_hits = 0;
}

void cpu_init(struct cpu *cpu, unsigned index, const struct cpu_model *model, struct memory *memory)
{
        cpu->index = index;
        cpu->model = model;
        cpu->memory = memory;
        cpu->a20 = true;
        cpu->quiet = 1;
        tlb_init(cpu);
        cpu_reset(cpu, false);
}
