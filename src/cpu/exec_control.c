/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_control.c - MOV to and from control and debug registers (SDM 2B, MOV; SDM 3A 2.5, 4.4.1, 18.2).
 *
 * K1  Every check comes before any change: a MOV that raises #GP leaves register, PDPTEs and TLB alone.
 * K2  What CR0, CR3 and CR4 flush follows SDM 3A 4.10.4.1: PG, PGE, PAE, PSE, SMEP and here also WP and PE
 *     flush global entries too; CR3 spares them.
 * K3  The TLB holds one address space: with CR4.PCIDE every switch empties it all the same, which the processor is always
 *     free to do, and so bit 63 of what is moved to CR3 says nothing here (SDM 3A 4.10.4.1).
 *
 * What the debug registers do is in debug.c.
 */
#include "base/log.h"
#include "cpu/cpuid.h"
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/lapic.h"
#include "cpu/operand.h"
#include "cpu/tlb.h"

#define CR3_NO_FLUSH (UINT64_C(1) << 63)
#define CR0_IMPLEMENTED \
        (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | (uint32_t)CR0_NW | \
         (uint32_t)CR0_CD | CR0_PG)
/* DR6: bits that are always set; DR7: bits that can be set, and one that is. */
enum { DR6_WRITABLE = 0xe00f, DR7_WRITABLE = (int)0xffff23ff, DR7_ONE = 1 << 10 };
#define DR6_ONES 0xffff0ff0u

static bool general_protection(struct cpu *cpu)
{
        return cpu_raise_error(cpu, EXC_GP, 0);
}

static unsigned operand_width(const struct cpu *cpu)
{
        return cpu_code64(cpu) ? 8 : 4;
}

static void trace_control(struct cpu *cpu, unsigned number, uint64_t value)
{
        if (!TRACE_ON(MMU))
                return;
        cpu_host_begin(cpu);
        TRACE(MMU, "cr%u = %llx at %llx", number, (unsigned long long)value, (unsigned long long)cpu->rip);
}

/* -- Control registers ------------------------------------------------------------------------- */

/* Entering long mode takes PAE, and a CS that is not 64-bit yet; leaving it, one that is not any more. */
static bool long_mode_allows(const struct cpu *cpu, uint64_t cr0)
{
        if (!(cpu->efer & EFER_LME) || !((cpu->cr0 ^ cr0) & CR0_PG))
                return true;
        if (cpu->seg[SEG_CS].attr & SEG_L)
                return false;
        return !(cr0 & CR0_PG) || (cpu->cr4 & CR4_PAE);
}

static void flush_all(struct cpu *cpu)
{
        cpu_count(&cpu->counts.flushes, 1);
        tlb_flush(cpu, true);
}

static bool write_cr0(struct cpu *cpu, uint64_t value)
{
        uint64_t changed;
        bool pae;

        if (value >> 32 || ((value & CR0_PG) && !(value & CR0_PE)) ||
            ((value & (uint32_t)CR0_NW) && !(value & (uint32_t)CR0_CD)))
                return general_protection(cpu);
        if (!long_mode_allows(cpu, value) || (!(value & CR0_PG) && (cpu->cr4 & CR4_PCIDE)))
                return general_protection(cpu);
        value = (value & CR0_IMPLEMENTED) | CR0_ET;
        changed = cpu->cr0 ^ value;
        pae = (value & CR0_PG) && (cpu->cr4 & CR4_PAE) && !(cpu->efer & EFER_LME);
        if (pae && (changed & (CR0_PG | (uint32_t)CR0_CD | (uint32_t)CR0_NW)) && !paging_load_pdptes(cpu, cpu->cr3))
                return general_protection(cpu);
        if (changed & CR0_PG && cpu->efer & EFER_LME)
                cpu->efer = value & CR0_PG ? cpu->efer | EFER_LMA : cpu->efer & ~(uint64_t)EFER_LMA;
        cpu->cr0 = value;
        if (changed & (CR0_PG | CR0_WP | CR0_PE))
                flush_all(cpu);
        cpu_mode_changed(cpu);
        return true;
}

static bool write_cr3(struct cpu *cpu, uint64_t value)
{
        bool pae = (cpu->cr0 & CR0_PG) && (cpu->cr4 & CR4_PAE) && !cpu_long_mode(cpu);

        if (cpu->cr4 & CR4_PCIDE)
                value &= ~CR3_NO_FLUSH;
        if (cpu_code64(cpu) && value >> cpu->model->physical_bits)
                return general_protection(cpu);
        if (pae && !paging_load_pdptes(cpu, value))
                return general_protection(cpu);
        cpu->cr3 = value;
        cpu_count(&cpu->counts.address_spaces, 1);
        tlb_flush(cpu, false);
        return true;
}

/* The bits that the model's features bring along. */
static uint64_t cr4_allowed(const struct cpu *cpu)
{
        static const struct { uint8_t feature; uint32_t bits; } table[] = {
                { FEATURE_VME, CR4_VME | CR4_PVI }, { FEATURE_TSC, CR4_TSD | CR4_DE | CR4_MCE }, { FEATURE_PSE, CR4_PSE },
                { FEATURE_PAE, CR4_PAE }, { FEATURE_PGE, CR4_PGE | CR4_PCE }, { FEATURE_FXSR, CR4_OSFXSR },
                { FEATURE_SSE, CR4_OSXMMEXCPT }, { FEATURE_UMIP, CR4_UMIP }, { FEATURE_FSGSBASE, CR4_FSGSBASE },
                { FEATURE_PCID, CR4_PCIDE }, { FEATURE_XSAVE, CR4_OSXSAVE }, { FEATURE_SMEP, CR4_SMEP },
                { FEATURE_SMAP, CR4_SMAP },
        };
        uint64_t allowed = 0;

        for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                if (cpu_has(cpu, (enum cpu_feature)table[i].feature))
                        allowed |= table[i].bits;
        return allowed;
}

static bool write_cr4(struct cpu *cpu, uint64_t value)
{
        const uint64_t paging = CR4_PGE | CR4_PAE | CR4_PSE | CR4_SMEP;
        uint64_t changed = cpu->cr4 ^ value;
        bool pae = (cpu->cr0 & CR0_PG) && (value & CR4_PAE) && !cpu_long_mode(cpu);

        if (value & ~cr4_allowed(cpu))
                return general_protection(cpu);
        if (cpu_long_mode(cpu) && !(value & CR4_PAE))
                return general_protection(cpu);
        if ((changed & value & CR4_PCIDE) && (!cpu_long_mode(cpu) || (cpu->cr3 & 0xfff)))
                return general_protection(cpu);
        if (pae && (changed & paging) && !paging_load_pdptes(cpu, cpu->cr3))
                return general_protection(cpu);
        cpu->cr4 = value;
        if (changed & CR4_DE)
                cpu_debug_changed(cpu);
        if (changed & (paging | CR4_SMAP | CR4_PCIDE))
                flush_all(cpu);
        cpu_mode_changed(cpu);
        return true;
}

/* CR8 is the class of the local APIC's task priority (SDM 3A 11.8.6). */
static void write_cr8(struct cpu *cpu, uint64_t value)
{
        cpu->cr8 = value;
        if (cpu->lapic) {
                cpu_host_begin(cpu);
                lapic_priority_changed(cpu->lapic);
        }
}

bool exec_mov_to_cr(struct cpu *cpu, const struct insn *insn)
{
        uint64_t value = operand_get_reg(cpu, insn->rm, operand_width(cpu), insn->rex);

        if (cpu->cpl)
                return general_protection(cpu);
        trace_control(cpu, insn->reg, value);
        switch (insn->reg) {
        case 0:
                return write_cr0(cpu, value);
        case 2:
                cpu->cr2 = value;
                return true;
        case 3:
                return write_cr3(cpu, value);
        case 4:
                return write_cr4(cpu, value);
        case 8:
                if (value > 15)
                        return general_protection(cpu);
                write_cr8(cpu, value);
                return true;
        default:
                return cpu_raise(cpu, EXC_UD);
        }
}

bool exec_mov_from_cr(struct cpu *cpu, const struct insn *insn)
{
        uint64_t value;

        if (cpu->cpl)
                return general_protection(cpu);
        switch (insn->reg) {
        case 0: value = cpu->cr0; break;
        case 2: value = cpu->cr2; break;
        case 3: value = cpu->cr3; break;
        case 4: value = cpu->cr4; break;
        case 8: value = cpu->cr8; break;
        default: return cpu_raise(cpu, EXC_UD);
        }
        operand_set_reg(cpu, insn->rm, operand_width(cpu), insn->rex, value);
        return true;
}

/* -- Debug registers --------------------------------------------------------------------------- */

/* DR4 and DR5 are other names of DR6 and DR7 until CR4.DE is set (SDM 3A 18.2.2).  False: #UD raised. */
static bool debug_register(struct cpu *cpu, unsigned *number)
{
        if (cpu->cpl)
                return general_protection(cpu);
        if (*number == 4 || *number == 5) {
                if (cpu->cr4 & CR4_DE)
                        return cpu_raise(cpu, EXC_UD);
                *number += 2;
        }
        if (*number >= 8)
                return cpu_raise(cpu, EXC_UD);
        if (cpu->dr[7] & DR7_GD) {
                /* A fault, so RF is set in its image (SDM 3B 18.3.1.3); the delivery clears GD. */
                cpu->dr[6] |= DR6_BD;
                cpu->rflags |= FLAG_RF;
                return cpu_raise(cpu, EXC_DB);
        }
        return true;
}

bool exec_mov_to_dr(struct cpu *cpu, const struct insn *insn)
{
        uint64_t value = operand_get_reg(cpu, insn->rm, operand_width(cpu), insn->rex);
        unsigned number = insn->reg;

        if (!debug_register(cpu, &number))
                return false;
        if (number >= 6 && value >> 32)
                return general_protection(cpu);
        if (number == 6)
                value = (value & DR6_WRITABLE) | DR6_ONES;
        else if (number == 7)
                value = (value & (uint32_t)DR7_WRITABLE) | DR7_ONE;
        cpu->dr[number] = value;
        if (number != 6)
                cpu_debug_changed(cpu);
        return true;
}

bool exec_mov_from_dr(struct cpu *cpu, const struct insn *insn)
{
        unsigned number = insn->reg;

        if (!debug_register(cpu, &number))
                return false;
        operand_set_reg(cpu, insn->rm, operand_width(cpu), insn->rex, cpu->dr[number]);
        return true;
}
