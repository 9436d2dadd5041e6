/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_integer.c - integer instructions that 64-bit mode does not have, and those whose memory operand
 * is not where ModRM says: BCD adjustment, SALC, BOUND, ENTER, PUSHA, POPA, XLAT, BT with a register bit
 * offset, CMPXCHG16B.
 *
 * Flags that the SDM calls undefined are left as Intel's processors leave them; tests compare them with
 * the host's own CPU in a 32-bit code segment.
 */
#include "cpu/exec.h"
#include "cpu/operand.h"

static void set_flags(struct cpu *cpu, uint64_t flags)
{
        cpu->rflags = (cpu->rflags & ~(uint64_t)FLAGS_ARITH) | flags;
}

static uint64_t result_flags(uint8_t result)
{
        return (result & 0x80 ? FLAG_SF : 0) | (result ? 0 : FLAG_ZF) | (__builtin_parity(result) ? 0 : FLAG_PF);
}

static void set_al(struct cpu *cpu, uint8_t value)
{
        cpu->regs[RAX] = (cpu->regs[RAX] & ~UINT64_C(0xff)) | value;
}

static void set_ax(struct cpu *cpu, uint16_t value)
{
        cpu->regs[RAX] = (cpu->regs[RAX] & ~UINT64_C(0xffff)) | value;
}

/* -- BCD adjustment: OF is always cleared, SF ZF PF follow AL ---------------------------------- */

/* AAA and AAS: AX moves by 106h, so a carry out of AL reaches AH (SDM 2A, AAA, since the 80286). */
static void adjust_ascii(struct cpu *cpu, int step)
{
        uint16_t ax = (uint16_t)cpu->regs[RAX];
        bool adjust = (ax & 15) > 9 || (cpu->rflags & FLAG_AF);

        if (adjust)
                ax = (uint16_t)(ax + step);
        ax &= 0xff0f;
        set_ax(cpu, ax);
        set_flags(cpu, result_flags((uint8_t)ax) | (adjust ? FLAG_AF | FLAG_CF : 0));
}

bool exec_aaa(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        adjust_ascii(cpu, 0x106);
        return true;
}

bool exec_aas(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        adjust_ascii(cpu, -0x106);
        return true;
}

/* DAA and DAS: both corrections look at the AL and CF from before the first. */
static void adjust_decimal(struct cpu *cpu, int sign)
{
        uint8_t old = (uint8_t)cpu->regs[RAX], al = old;
        bool low = (old & 15) > 9 || (cpu->rflags & FLAG_AF);
        bool high = old > 0x99 || (cpu->rflags & FLAG_CF);
        bool carry = high;

        if (low) {
                /* DAS: a borrow out of the first correction shows in CF (SDM 2A, DAS). */
                carry |= sign < 0 ? old < 6 : old > 0xff - 6;
                al = (uint8_t)(al + sign * 6);
        }
        if (high)
                al = (uint8_t)(al + sign * 0x60);
        set_al(cpu, al);
        set_flags(cpu, result_flags(al) | (low ? FLAG_AF : 0) | (carry ? FLAG_CF : 0));
}

bool exec_daa(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        adjust_decimal(cpu, 1);
        return true;
}

bool exec_das(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        adjust_decimal(cpu, -1);
        return true;
}

bool exec_aam(struct cpu *cpu, const struct insn *insn)
{
        uint8_t base = (uint8_t)insn->imm, al = (uint8_t)cpu->regs[RAX];

        if (!base)
                return cpu_raise(cpu, EXC_DE);
        set_ax(cpu, (uint16_t)(al / base << 8 | al % base));
        set_flags(cpu, result_flags(al % base));
        return true;
}

/* The flags are those of the addition of AL and the low byte of AH times the base. */
bool exec_aad(struct cpu *cpu, const struct insn *insn)
{
        uint8_t al = (uint8_t)cpu->regs[RAX];
        uint8_t tens = (uint8_t)((cpu->regs[RAX] >> 8 & 0xff) * (insn->imm & 0xff));
        uint8_t sum = (uint8_t)(al + tens);

        set_ax(cpu, sum);
        set_flags(cpu, result_flags(sum) | (sum < al ? FLAG_CF : 0) | ((al ^ tens ^ sum) & 0x10 ? FLAG_AF : 0) |
                               ((al ^ sum) & (tens ^ sum) & 0x80 ? FLAG_OF : 0));
        return true;
}

bool exec_salc(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        set_al(cpu, cpu->rflags & FLAG_CF ? 0xff : 0);
        return true;
}

/* -- Memory operands of other kinds ------------------------------------------------------------ */

/* The signed value of the lower `size` bytes, 2 or 4. */
static int64_t signed_part(uint64_t value, unsigned size)
{
        return size == 2 ? (int16_t)value : (int32_t)value;
}

/* The upper bound is looked at only when the lower one is kept, as on the processor: it may be unmapped. */
bool exec_bound(struct cpu *cpu, const struct insn *insn)
{
        enum cpu_segment segment = (enum cpu_segment)insn->segment;
        unsigned size = insn->operand_bytes;
        uint64_t offset, lower = 0, upper = 0;
        int64_t index = signed_part(operand_get_modrm_reg(cpu, insn, size), size);

        operand_address(cpu, insn, &offset);
        if (!cpu_read(cpu, segment, offset, &lower, size))
                return false;
        if (index < signed_part(lower, size))
                return cpu_raise(cpu, EXC_BR);
        if (!cpu_read(cpu, segment, operand_truncate(offset + size, insn->address_bytes), &upper, size))
                return false;
        return index <= signed_part(upper, size) || cpu_raise(cpu, EXC_BR);
}

bool exec_xlat(struct cpu *cpu, const struct insn *insn)
{
        enum cpu_segment segment = insn->segment_override ? (enum cpu_segment)insn->segment : SEG_DS;
        uint64_t offset = operand_truncate(cpu->regs[RBX] + (uint8_t)cpu->regs[RAX], insn->address_bytes);
        uint8_t byte;

        if (!cpu_read(cpu, segment, offset, &byte, 1))
                return false;
        set_al(cpu, byte);
        return true;
}

enum bit_op { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static uint64_t bit_apply(enum bit_op op, uint64_t value, uint64_t mask)
{
        switch (op) {
        case BIT_SET: return value | mask;
        case BIT_RESET: return value & ~mask;
        case BIT_COMPLEMENT: return value ^ mask;
        default: return value;
        }
}

/* The whole unit with one locked instruction, as other vCPUs must see it; gives the old value of its bit. */
static bool bit_change_locked(uint8_t *host, enum bit_op op, unsigned bit)
{
        /* The byte that holds the bit is part of the unit: changing it alone looks the same to everyone. */
        uint8_t *byte = host + bit / 8, mask = (uint8_t)(1u << bit % 8);

        switch (op) {
        case BIT_SET: return __atomic_fetch_or(byte, mask, __ATOMIC_SEQ_CST) & mask;
        case BIT_RESET: return __atomic_fetch_and(byte, (uint8_t)~mask, __ATOMIC_SEQ_CST) & mask;
        default: return __atomic_fetch_xor(byte, mask, __ATOMIC_SEQ_CST) & mask;
        }
}

/* 0F A3 AB B3 BB: the register is a signed bit offset that reaches beyond the operand (SDM 2A 3.1.1.9).
 * ZF keeps its value; so do, on Intel's processors, OF SF AF PF. */
bool exec_bt_mem(struct cpu *cpu, const struct insn *insn)
{
        enum bit_op op = (enum bit_op)(insn->code >> 3 & 3);
        unsigned size = insn->operand_bytes, unit_bits = size * 8, unit_shift = (unsigned)__builtin_ctz(unit_bits);
        uint64_t index = operand_get_modrm_reg(cpu, insn, size), value = 0, offset;
        int64_t signed_index = size == 2 ? (int16_t)index : size == 4 ? (int32_t)index : (int64_t)index;
        int64_t unit = signed_index >> unit_shift;
        unsigned bit = (unsigned)(index & (unit_bits - 1));
        unsigned access = op == BIT_TEST ? ACCESS_READ : ACCESS_WRITE;
        uint64_t mask = UINT64_C(1) << bit;
        bool carry;

        if (!insn->is_memory) {
                value = operand_get_reg(cpu, insn->rm, size, insn->rex);
                carry = value & mask;
                if (op != BIT_TEST)
                        operand_set_reg(cpu, insn->rm, size, insn->rex, bit_apply(op, value, mask));
        } else if (op == BIT_TEST) {
                operand_address(cpu, insn, &offset);
                offset = operand_truncate(offset + (uint64_t)(unit * (int64_t)size), insn->address_bytes);
                if (!cpu_read(cpu, (enum cpu_segment)insn->segment, offset, &value, size))
                        return false;
                carry = value & mask;
        } else {
                unsigned user = cpu_user_access(cpu);
                uint8_t *host;
                gva_t linear;

                operand_address(cpu, insn, &offset);
                offset = operand_truncate(offset + (uint64_t)(unit * (int64_t)size), insn->address_bytes);
                if (!cpu_segment_check(cpu, (enum cpu_segment)insn->segment, offset, size, access, &linear) ||
                    !tlb_access(cpu, linear, size, access | user, &host))
                        return false;
                if (host) {
                        carry = bit_change_locked(host, op, bit);
                } else {
                        /* Not in one piece: with LOCK the others must not look. */
                        bool done;

                        cpu_host_begin(cpu);
                        if (insn->lock)
                                cpu_exclusive_begin(cpu);
                        done = cpu_probe_write(cpu, linear, size, user) &&
                               cpu_read_linear(cpu, linear, &value, size, user);
                        carry = value & mask;
                        value = bit_apply(op, value, mask);
                        done = done && cpu_write_linear(cpu, linear, &value, size, user);
                        if (insn->lock)
                                cpu_exclusive_end(cpu);
                        if (!done)
                                return false;
                }
        }
        cpu->rflags = (cpu->rflags & ~(uint64_t)FLAG_CF) | (carry ? FLAG_CF : 0);
        return true;
}

bool exec_cmpxchg16b(struct cpu *cpu, const struct insn *insn)
{
        uint64_t offset, memory[2] = { 0, 0 }, expected[2] = { cpu->regs[RAX], cpu->regs[RDX] };
        unsigned user = cpu_user_access(cpu);
        uint8_t *host;
        gva_t linear;
        bool equal;

        operand_address(cpu, insn, &offset);
        if (!cpu_segment_check(cpu, (enum cpu_segment)insn->segment, offset, 16, ACCESS_WRITE, &linear))
                return false;
        if (linear & 15)
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (!tlb_access(cpu, linear, 16, ACCESS_WRITE | user, &host))
                return false;
        if (host) {
                __asm__ volatile("lock cmpxchg16b %1"
                                 : "=@ccz"(equal), "+m"(*(unsigned __int128 *)host), "+a"(expected[0]), "+d"(expected[1])
                                 : "b"(cpu->regs[RBX]), "c"(cpu->regs[RCX])
                                 : "memory");
                memory[0] = expected[0];
                memory[1] = expected[1];
        } else {
                uint64_t next[2] = { cpu->regs[RBX], cpu->regs[RCX] };

                cpu_host_begin(cpu);
                if (insn->lock)
                        cpu_exclusive_begin(cpu);
                bool done = cpu_probe_write(cpu, linear, 16, user) && cpu_read_linear(cpu, linear, memory, 16, user);
                equal = done && memory[0] == expected[0] && memory[1] == expected[1];
                /* Writes in any case, as the locked instruction does. */
                done = done && cpu_write_linear(cpu, linear, equal ? next : memory, 16, user);
                if (insn->lock)
                        cpu_exclusive_end(cpu);
                if (!done)
                        return false;
        }
        if (!equal) {
                cpu->regs[RAX] = memory[0];
                cpu->regs[RDX] = memory[1];
        }
        cpu->rflags = (cpu->rflags & ~(uint64_t)FLAG_ZF) | (equal ? FLAG_ZF : 0);
        return true;
}

/* -- Stack frames ------------------------------------------------------------------------------ */

/* Nothing is visible before the last check: stack_push() only writes below the stack pointer, and the
 * write that the new stack pointer would do is checked too (SDM 2A, ENTER). */
bool exec_enter(struct cpu *cpu, const struct insn *insn)
{
        unsigned size = insn->operand_bytes, level = insn->imm2 & 31;
        uint64_t frame, frame_pointer = cpu->regs[RBP];
        struct stack stack;
        gva_t linear;

        stack_begin(cpu, &stack);
        if (!stack_push(cpu, &stack, frame_pointer, size))
                return false;
        /* ESP as a whole goes into EBP and the display, although a 16-bit stack moves its lower half only. */
        frame = (cpu->regs[RSP] & ~stack.mask) | stack.sp;
        for (unsigned i = 1; i < level; i++) {
                uint64_t outer = 0;

                frame_pointer = (frame_pointer - size) & stack.mask;
                if (!cpu_read(cpu, SEG_SS, frame_pointer, &outer, size) || !stack_push(cpu, &stack, outer, size))
                        return false;
        }
        if (level && !stack_push(cpu, &stack, frame, size))
                return false;
        stack_adjust(&stack, -(int64_t)(insn->imm & 0xffff));
        if (!cpu_segment_check(cpu, SEG_SS, stack.sp, size, ACCESS_WRITE, &linear) ||
            !cpu_probe_write(cpu, linear, size, cpu_user_access(cpu)))
                return false;
        operand_set_reg(cpu, RBP, size, insn->rex, frame);
        stack_commit(cpu, &stack);
        return true;
}

/* Eight pushes: one that faults leaves those before it written, as on the processor, and ESP as it was. */
bool exec_pusha(struct cpu *cpu, const struct insn *insn)
{
        unsigned size = insn->operand_bytes, bytes = 8 * size;
        struct stack stack;

        stack_begin(cpu, &stack);
        for (unsigned i = 0; i < 8; i++)
                if (!cpu_write(cpu, SEG_SS, (stack.sp - (i + 1) * size) & stack.mask, &cpu->regs[i], size))
                        return false;
        stack_adjust(&stack, -(int64_t)bytes);
        stack_commit(cpu, &stack);
        return true;
}

bool exec_popa(struct cpu *cpu, const struct insn *insn)
{
        unsigned size = insn->operand_bytes;
        uint64_t values[8];
        struct stack stack;

        stack_begin(cpu, &stack);
        for (unsigned i = 0; i < 8; i++)
                if (!stack_pop(cpu, &stack, &values[i], size))
                        return false;
        for (unsigned i = 0; i < 8; i++)
                if (7 - i != RSP)               /* the saved stack pointer is thrown away */
                        operand_set_reg(cpu, 7 - i, size, insn->rex, values[i]);
        stack_commit(cpu, &stack);
        return true;
}
