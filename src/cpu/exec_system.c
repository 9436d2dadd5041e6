/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_system.c - CPUID, MSRs, time stamp, processor control, and the flag instructions that look at IOPL.
 *
 * Each handler repeats the privilege checks of its table row (exec.h X3).
 */
#include "cpu/cpuid.h"
#include "cpu/exec.h"
#include "cpu/msr.h"
#include "cpu/operand.h"

static bool general_protection(struct cpu *cpu)
{
        return cpu_raise_error(cpu, EXC_GP, 0);
}

/* -- Identification and MSRs ------------------------------------------------------------------- */

bool exec_cpuid(struct cpu *cpu, const struct insn *insn)
{
        uint32_t out[4];

        (void)insn;
        cpuid_query(cpu, (uint32_t)cpu->regs[RAX], (uint32_t)cpu->regs[RCX], out);
        cpu->regs[RAX] = out[0];
        cpu->regs[RBX] = out[1];
        cpu->regs[RCX] = out[2];
        cpu->regs[RDX] = out[3];
        return true;
}

bool exec_rdmsr(struct cpu *cpu, const struct insn *insn)
{
        uint64_t value;

        (void)insn;
        if (cpu->cpl)
                return general_protection(cpu);
        if (!msr_read(cpu, (uint32_t)cpu->regs[RCX], &value))
                return false;
        cpu->regs[RAX] = (uint32_t)value;
        cpu->regs[RDX] = value >> 32;
        return true;
}

bool exec_wrmsr(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        if (cpu->cpl)
                return general_protection(cpu);
        return msr_write(cpu, (uint32_t)cpu->regs[RCX], cpu->regs[RDX] << 32 | (uint32_t)cpu->regs[RAX]);
}

/* -- Time stamp and performance counters ------------------------------------------------------- */

/* CR4.TSD keeps RDTSC and RDTSCP for CPL 0. */
static bool read_tsc(struct cpu *cpu)
{
        uint64_t tsc;

        if ((cpu->cr4 & CR4_TSD) && cpu->cpl)
                return general_protection(cpu);
        tsc = cpu_tsc(cpu);
        cpu->regs[RAX] = (uint32_t)tsc;
        cpu->regs[RDX] = tsc >> 32;
        return true;
}

bool exec_rdtsc(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        return read_tsc(cpu);
}

bool exec_rdtscp(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        if (!read_tsc(cpu))
                return false;
        cpu->regs[RCX] = (uint32_t)cpu->tsc_aux;
        return true;
}

/* The two counters that every P6 has, standing still; no model shows more. */
bool exec_rdpmc(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        if ((!(cpu->cr4 & CR4_PCE) && cpu->cpl) || (uint32_t)cpu->regs[RCX] > 1)
                return general_protection(cpu);
        cpu->regs[RAX] = cpu->regs[RDX] = 0;
        return true;
}

bool exec_rdpid(struct cpu *cpu, const struct insn *insn)
{
        cpu->regs[insn->rm] = (uint32_t)cpu->tsc_aux;
        return true;
}

/* -- Flags ------------------------------------------------------------------------------------- */

/* Whether this code may change IF: CPL <= IOPL, which in virtual-8086 mode is IOPL 3. */
static bool may_change_if(const struct cpu *cpu)
{
        if (cpu_v86(cpu))
                return cpu_iopl(cpu) == 3;
        return cpu_real_mode(cpu) || cpu->cpl <= cpu_iopl(cpu);
}

/* Code that may not change IF has VIF instead: virtual-8086 mode with CR4.VME, ring 3 with CR4.PVI (SDM 3A 20.3, 20.4). */
static bool has_virtual_if(const struct cpu *cpu)
{
        return cpu_v86(cpu) ? cpu->cr4 & CR4_VME : cpu->cpl == 3 && (cpu->cr4 & CR4_PVI);
}

bool exec_cli(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        if (may_change_if(cpu))
                cpu->iflag = 0;
        else if (has_virtual_if(cpu))
                cpu->rflags &= ~(uint64_t)FLAG_VIF;
        else
                return general_protection(cpu);
        return true;
}

/* The instruction after STI runs before any interrupt, unless IF was set before. */
bool exec_sti(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        if (may_change_if(cpu)) {
                if (!cpu->iflag)
                        cpu->shadow = SHADOW_STI;
                cpu->iflag = 1;
                return true;
        }
        /* A virtual interrupt that waits is the monitor's to deliver. */
        if (!has_virtual_if(cpu) || (cpu->rflags & FLAG_VIP))
                return general_protection(cpu);
        cpu->rflags |= FLAG_VIF;
        return true;
}

bool exec_pushf(struct cpu *cpu, const struct insn *insn)
{
        uint64_t image = cpu_rflags(cpu) & ~(uint64_t)(FLAG_VM | FLAG_RF);
        struct stack stack;

        if (cpu_v86(cpu) && cpu_iopl(cpu) != 3) {
                if (!(cpu->cr4 & CR4_VME) || insn->operand_bytes != 2)
                        return general_protection(cpu);
                image = cpu_virtual_flags(cpu);
        }
        stack_begin(cpu, &stack);
        if (!stack_push(cpu, &stack, image, insn->operand_bytes))
                return false;
        stack_commit(cpu, &stack);
        return true;
}

/* SDM 2B, POPF, table 4-16: what may change follows from mode, CPL and IOPL; RF is cleared, VM kept. */
bool exec_popf(struct cpu *cpu, const struct insn *insn)
{
        uint64_t changes = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_AC;
        uint64_t popped, old = cpu_rflags(cpu);
        struct stack stack;

        bool virtual_if = cpu_v86(cpu) && cpu_iopl(cpu) != 3;

        if (virtual_if && (!(cpu->cr4 & CR4_VME) || insn->operand_bytes != 2))
                return general_protection(cpu);
        stack_begin(cpu, &stack);
        if (!stack_pop(cpu, &stack, &popped, insn->operand_bytes))
                return false;
        if (virtual_if) {
                if (!cpu_virtual_flags_allowed(cpu, popped))
                        return general_protection(cpu);
                stack_commit(cpu, &stack);
                cpu_set_virtual_flags(cpu, popped);
                return true;
        }
        if (cpu_has(cpu, FEATURE_CPUID_INSN))
                changes |= FLAG_ID;
        if (may_change_if(cpu))
                changes |= FLAG_IF;
        if (!cpu_v86(cpu) && (cpu_real_mode(cpu) || cpu->cpl == 0))
                changes |= FLAG_IOPL;
        if (insn->operand_bytes == 2)
                changes &= 0xffff;
        stack_commit(cpu, &stack);
        cpu_set_rflags(cpu, (old & ~changes & ~(uint64_t)FLAG_RF) | (popped & changes));
        return true;
}

/* -- Processor control ------------------------------------------------------------------------- */

bool exec_clts(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        if (cpu->cpl)
                return general_protection(cpu);
        cpu->cr0 &= ~(uint64_t)CR0_TS;
        cpu_mode_changed(cpu);
        return true;
}

/* No segment check: an address that is not mapped, or not canonical, does nothing (SDM 2A, INVLPG). */
bool exec_invlpg(struct cpu *cpu, const struct insn *insn)
{
        uint64_t offset;

        if (cpu->cpl)
                return general_protection(cpu);
        operand_address(cpu, insn, &offset);
        if (!cpu_code64(cpu) || insn->segment == SEG_FS || insn->segment == SEG_GS)
                offset += cpu->seg[insn->segment].base;
        cpu_count(&cpu->counts.page_flushes, 1);
        tlb_flush_page(cpu, cpu_code64(cpu) ? offset : (uint32_t)offset);
        return true;
}

/* The TLB holds nothing of address spaces that are not the current one (exec_control.c, K3).  The descriptor is checked
 * for the types that use it (SDM 2A, INVPCID). */
bool exec_invpcid(struct cpu *cpu, const struct insn *insn)
{
        uint64_t type = operand_get_modrm_reg(cpu, insn, cpu_code64(cpu) ? 8 : 4), offset, descriptor[2];
        uint64_t current = cpu->cr4 & CR4_PCIDE ? cpu->cr3 & 0xfff : 0;
        enum { ADDRESS, CONTEXT, ALL, NOT_GLOBAL };

        if (cpu->cpl)
                return general_protection(cpu);
        operand_address(cpu, insn, &offset);
        if (!cpu_read(cpu, (enum cpu_segment)insn->segment, offset, descriptor, sizeof(descriptor)))
                return false;
        if (type > NOT_GLOBAL || (type <= CONTEXT && (descriptor[0] >> 12 || (descriptor[0] && !(cpu->cr4 & CR4_PCIDE)))) ||
            (type == ADDRESS && !cpu_canonical(descriptor[1])))
                return general_protection(cpu);
        if (type == ADDRESS && descriptor[0] == current)
                tlb_flush_page(cpu, descriptor[1]);
        else if (type > CONTEXT || (type == CONTEXT && descriptor[0] == current))
                tlb_flush(cpu, type == ALL);
        return true;
}

/* The host's caches are coherent and not the guest's to flush. */
bool exec_invd(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        return cpu->cpl ? general_protection(cpu) : true;
}

bool exec_wbinvd(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        return cpu->cpl ? general_protection(cpu) : true;
}

/* The engine sleeps until an interrupt; it is delivered with the address of the next instruction. */
bool exec_hlt(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        if (cpu->cpl)
                return general_protection(cpu);
        cpu->halted = 1;
        return true;
}

/* Only a model with FEATURE_MONITOR decodes these.  MONITOR reads its byte; MWAIT may end its wait at
 * once for reasons of its own (SDM 2B, MWAIT), which it always does here. */
bool exec_monitor(struct cpu *cpu, const struct insn *insn)
{
        uint8_t byte;

        if (cpu->cpl)
                return cpu_raise(cpu, EXC_UD);
        if ((uint32_t)cpu->regs[RCX])
                return general_protection(cpu);
        return cpu_read(cpu, insn->segment_override ? (enum cpu_segment)insn->segment : SEG_DS,
                        operand_truncate(cpu->regs[RAX], insn->address_bytes), &byte, 1);
}

bool exec_mwait(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        if (cpu->cpl)
                return cpu_raise(cpu, EXC_UD);
        if ((uint32_t)cpu->regs[RCX] & ~1u)
                return general_protection(cpu);
        return true;
}
