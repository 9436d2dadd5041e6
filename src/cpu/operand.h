/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * operand.h - operands and the stack, as instruction handlers written in C see them.
 *
 * All of them follow rule C2 of cpu.h: false means that an exception was raised and nothing changed.
 */
#ifndef LODGER_CPU_OPERAND_H
#define LODGER_CPU_OPERAND_H

#include "cpu/cpu.h"
#include "cpu/insn.h"

/* -- Registers --------------------------------------------------------------------------------- */

/* General register by its encoding.  bytes is 1, 2, 4 or 8; rex (insn->rex) tells SPL..DIL from AH..BH.
 * A 32-bit write clears the upper half, 8- and 16-bit writes keep the rest of the register. */
uint64_t operand_get_reg(const struct cpu *cpu, unsigned reg, unsigned bytes, uint8_t rex);
void operand_set_reg(struct cpu *cpu, unsigned reg, unsigned bytes, uint8_t rex, uint64_t value);

/* ModRM.reg as a general register. */
uint64_t operand_get_modrm_reg(const struct cpu *cpu, const struct insn *insn, unsigned bytes);
void operand_set_modrm_reg(struct cpu *cpu, const struct insn *insn, unsigned bytes, uint64_t value);

/* -- ModRM.rm: register or memory -------------------------------------------------------------- */

/* Offset of the memory operand within insn->segment, wrapped to the address size. */
void operand_address(const struct cpu *cpu, const struct insn *insn, uint64_t *offset);

bool operand_read_rm(struct cpu *cpu, const struct insn *insn, unsigned bytes, uint64_t *value);
bool operand_write_rm(struct cpu *cpu, const struct insn *insn, unsigned bytes, uint64_t value);
/* Raises what a write of the memory operand would raise; a register operand always passes. */
bool operand_probe_rm(struct cpu *cpu, const struct insn *insn, unsigned bytes);

/* -- Instruction pointer ----------------------------------------------------------------------- */

/* value truncated to 2, 4 or 8 bytes. */
static inline uint64_t operand_truncate(uint64_t value, unsigned bytes)
{
        return bytes >= 8 ? value : value & ((UINT64_C(1) << (bytes * 8)) - 1);
}

/* -- Stack ------------------------------------------------------------------------------------- */

/* A working copy of the stack pointer.  Pushes and pops move the copy; stack_commit() makes it RSP
 * once nothing can fail any more. */
struct stack {
        uint64_t sp;
        uint64_t mask;          /* FFFFh, FFFFFFFFh or all ones, by SS.B and 64-bit mode */
};

void stack_begin(const struct cpu *cpu, struct stack *stack);
bool stack_push(struct cpu *cpu, struct stack *stack, uint64_t value, unsigned bytes);
bool stack_pop(struct cpu *cpu, struct stack *stack, uint64_t *value, unsigned bytes);
/* Moves the pointer up without reading (RET n) or down without writing. */
void stack_adjust(struct stack *stack, int64_t bytes);
void stack_commit(struct cpu *cpu, const struct stack *stack);

#endif
