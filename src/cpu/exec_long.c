/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_long.c - instructions that exist in 64-bit mode only: SWAPGS and the FS and GS base moves (SDM 2B).
 */
#include "cpu/cpu.h"
#include "cpu/exec.h"
#include "cpu/operand.h"

bool exec_swapgs(struct cpu *cpu, const struct insn *insn)
{
        uint64_t base = cpu->seg[SEG_GS].base;

        (void)insn;
        cpu->seg[SEG_GS].base = cpu->kernel_gs_base;
        cpu->kernel_gs_base = base;
        return true;
}

/* ModRM.reg is 0 and 2 for FS, 1 and 3 for GS. */
static struct segment *named_segment(struct cpu *cpu, const struct insn *insn)
{
        return &cpu->seg[insn->modrm >> 3 & 1 ? SEG_GS : SEG_FS];
}

bool exec_rd_segment_base(struct cpu *cpu, const struct insn *insn)
{
        unsigned bytes = insn->operand_bytes == 8 ? 8 : 4;

        if (!(cpu->cr4 & CR4_FSGSBASE))
                return cpu_raise(cpu, EXC_UD);
        return operand_write_rm(cpu, insn, bytes, operand_truncate(named_segment(cpu, insn)->base, bytes));
}

bool exec_wr_segment_base(struct cpu *cpu, const struct insn *insn)
{
        uint64_t value;

        if (!(cpu->cr4 & CR4_FSGSBASE))
                return cpu_raise(cpu, EXC_UD);
        if (!operand_read_rm(cpu, insn, insn->operand_bytes == 8 ? 8 : 4, &value))
                return false;
        if ((uint64_t)((int64_t)(value << 16) >> 16) != value)
                return cpu_raise_error(cpu, EXC_GP, 0);
        named_segment(cpu, insn)->base = value;
        return true;
}
