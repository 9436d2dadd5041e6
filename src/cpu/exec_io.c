/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_io.c - IN, OUT, and the permission check that string I/O shares.
 */
#include "cpu/exec.h"
#include "cpu/io.h"
#include "cpu/operand.h"
#include "cpu/tlb.h"

enum { TSS32_IO_MAP_BASE = 0x66, TSS32_MIN_LIMIT = 0x67, TYPE_TSS32_AVAILABLE = 9, TYPE_TSS32_BUSY = 11 };

/* The processor reads two bytes of the bitmap whatever the port, so both must lie within the limit. */
static bool bitmap_permits(struct cpu *cpu, uint16_t port, unsigned size)
{
        const struct segment *tr = &cpu->seg[SEG_TR];
        unsigned type = tr->attr & SEG_TYPE;
        uint16_t base, bits;
        uint64_t at;

        if (!(tr->attr & SEG_P) || (type != TYPE_TSS32_AVAILABLE && type != TYPE_TSS32_BUSY) ||
            tr->limit < TSS32_MIN_LIMIT)
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (!cpu_read_linear(cpu, tr->base + TSS32_IO_MAP_BASE, &base, 2, ACCESS_IMPLICIT))
                return false;
        at = (uint64_t)base + port / 8;
        if (at + 1 > tr->limit)
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (!cpu_read_linear(cpu, tr->base + at, &bits, 2, ACCESS_IMPLICIT))
                return false;
        if (bits >> port % 8 & ((1u << size) - 1))
                return cpu_raise_error(cpu, EXC_GP, 0);
        return true;
}

bool io_permitted(struct cpu *cpu, uint16_t port, unsigned size)
{
        if (cpu_real_mode(cpu) || (!cpu_v86(cpu) && cpu->cpl <= cpu_iopl(cpu)))
                return true;
        return bitmap_permits(cpu, port, size);
}

/* E4-E7 take the port from the immediate, EC-EF from DX; bit 0 is the width. */
static uint16_t port_operand(const struct cpu *cpu, const struct insn *insn)
{
        return insn->code & 8 ? (uint16_t)cpu->regs[RDX] : (uint16_t)(insn->imm & 0xff);
}

static unsigned width_operand(const struct insn *insn)
{
        if (!(insn->code & 1))
                return 1;
        return insn->operand_bytes > 4 ? 4 : insn->operand_bytes;
}

bool exec_in(struct cpu *cpu, const struct insn *insn)
{
        uint16_t port = port_operand(cpu, insn);
        unsigned size = width_operand(insn);

        if (!io_permitted(cpu, port, size))
                return false;
        operand_set_reg(cpu, RAX, size, insn->rex, cpu_io_read(cpu, port, size));
        return true;
}

bool exec_out(struct cpu *cpu, const struct insn *insn)
{
        uint16_t port = port_operand(cpu, insn);
        unsigned size = width_operand(insn);

        if (!io_permitted(cpu, port, size))
                return false;
        cpu_io_write(cpu, port, (uint32_t)operand_get_reg(cpu, RAX, size, insn->rex), size);
        return true;
}
