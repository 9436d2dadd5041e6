/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * operand.c - general registers by encoding, effective addresses, r/m operands and the stack.
 */
#include "cpu/operand.h"

/* Without REX, encodings 4 to 7 of a byte register are bits 8-15 of registers 0 to 3 (SDM 1 3.4.1.1). */
static bool operand_is_high_byte(unsigned reg, unsigned bytes, uint8_t rex)
{
        return bytes == 1 && !rex && reg >= 4 && reg < 8;
}

uint64_t operand_get_reg(const struct cpu *cpu, unsigned reg, unsigned bytes, uint8_t rex)
{
        if (operand_is_high_byte(reg, bytes, rex))
                return cpu->regs[reg - 4] >> 8 & 0xff;
        return operand_truncate(cpu->regs[reg], bytes);
}

void operand_set_reg(struct cpu *cpu, unsigned reg, unsigned bytes, uint8_t rex, uint64_t value)
{
        if (operand_is_high_byte(reg, bytes, rex)) {
                cpu->regs[reg - 4] = (cpu->regs[reg - 4] & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
                return;
        }
        switch (bytes) {
        case 1:
                cpu->regs[reg] = (cpu->regs[reg] & ~UINT64_C(0xff)) | (value & 0xff);
                break;
        case 2:
                cpu->regs[reg] = (cpu->regs[reg] & ~UINT64_C(0xffff)) | (value & 0xffff);
                break;
        case 4:
                cpu->regs[reg] = (uint32_t)value;
                break;
        default:
                cpu->regs[reg] = value;
                break;
        }
}

uint64_t operand_get_modrm_reg(const struct cpu *cpu, const struct insn *insn, unsigned bytes)
{
        return operand_get_reg(cpu, insn->reg, bytes, insn->rex);
}

void operand_set_modrm_reg(struct cpu *cpu, const struct insn *insn, unsigned bytes, uint64_t value)
{
        operand_set_reg(cpu, insn->reg, bytes, insn->rex, value);
}

void operand_address(const struct cpu *cpu, const struct insn *insn, uint64_t *offset)
{
        uint64_t sum = (uint64_t)insn->disp;

        if (insn->rip_relative)
                sum += cpu->rip + insn->length;
        if (insn->base != REG_NONE)
                sum += cpu->regs[insn->base];
        if (insn->index != REG_NONE)
                sum += cpu->regs[insn->index] << insn->scale;
        *offset = operand_truncate(sum, insn->address_bytes);
}

bool operand_read_rm(struct cpu *cpu, const struct insn *insn, unsigned bytes, uint64_t *value)
{
        uint64_t offset, got = 0;

        if (!insn->is_memory) {
                *value = operand_get_reg(cpu, insn->rm, bytes, insn->rex);
                return true;
        }
        operand_address(cpu, insn, &offset);
        if (!cpu_read(cpu, insn->segment, offset, &got, bytes))
                return false;
        *value = got;
        return true;
}

bool operand_write_rm(struct cpu *cpu, const struct insn *insn, unsigned bytes, uint64_t value)
{
        uint64_t offset;

        if (!insn->is_memory) {
                operand_set_reg(cpu, insn->rm, bytes, insn->rex, value);
                return true;
        }
        operand_address(cpu, insn, &offset);
        return cpu_write(cpu, insn->segment, offset, &value, bytes);
}

bool operand_probe_rm(struct cpu *cpu, const struct insn *insn, unsigned bytes)
{
        uint64_t offset;
        gva_t linear;

        if (!insn->is_memory)
                return true;
        operand_address(cpu, insn, &offset);
        return cpu_segment_check(cpu, insn->segment, offset, bytes, ACCESS_WRITE, &linear) &&
               cpu_probe_write(cpu, linear, bytes, cpu_user_access(cpu));
}

/* -- Stack ------------------------------------------------------------------------------------- */

void stack_begin(const struct cpu *cpu, struct stack *stack)
{
        if (cpu_code64(cpu))
                stack->mask = ~UINT64_C(0);
        else
                stack->mask = cpu->seg[SEG_SS].attr & SEG_DB ? 0xffffffff : 0xffff;
        stack->sp = cpu->regs[RSP] & stack->mask;
}

bool stack_push(struct cpu *cpu, struct stack *stack, uint64_t value, unsigned bytes)
{
        uint64_t sp = (stack->sp - bytes) & stack->mask;

        if (!cpu_write(cpu, SEG_SS, sp, &value, bytes))
                return false;
        stack->sp = sp;
        return true;
}

bool stack_pop(struct cpu *cpu, struct stack *stack, uint64_t *value, unsigned bytes)
{
        uint64_t got = 0;

        if (!cpu_read(cpu, SEG_SS, stack->sp, &got, bytes))
                return false;
        *value = got;
        stack->sp = (stack->sp + bytes) & stack->mask;
        return true;
}

void stack_adjust(struct stack *stack, int64_t bytes)
{
        stack->sp = (stack->sp + (uint64_t)bytes) & stack->mask;
}

void stack_commit(struct cpu *cpu, const struct stack *stack)
{
        /* A 16-bit stack leaves the upper half of ESP alone; a 32-bit one clears the upper half of RSP (C5). */
        if (stack->mask == 0xffff)
                cpu->regs[RSP] = (cpu->regs[RSP] & ~UINT64_C(0xffff)) | (stack->sp & 0xffff);
        else
                cpu->regs[RSP] = stack->sp & stack->mask;
}
