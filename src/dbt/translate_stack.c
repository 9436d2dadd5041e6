/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate_stack.c - PUSH, POP, LEAVE and what else goes through the stack pointer.
 *
 * The guest's stack pointer is R14.  With SS.B clear only SP counts: addresses wrap at 64 KiB and the
 * upper half of ESP stays (SDM 3A 6.2.5); in 64-bit mode all of RSP counts.  The stack pointer moves
 * after the last check of an instruction and, for a push, within the tail of its store.
 */
#include "dbt/translate.h"

/* to = reg + bytes, in the width of the stack pointer; for 16-bit stacks the upper bits are the caller's affair. */
static void emit_stack_add(struct translator *t, uint8_t to, uint8_t reg, int32_t bytes)
{
        if (t->wide)
                emit_lea64(&t->e, to, HOST_MEM(reg, bytes));
        else
                emit_lea32(&t->e, to, HOST_MEM(reg, bytes));
}

static bool stack16(const struct translator *t) { return !t->wide && !mode_has(t, MODE_STACK32); }

/* R11 = reg + bytes, wrapped as the stack segment wraps. */
static void emit_stack_offset(struct translator *t, uint8_t reg, int32_t bytes)
{
        emit_stack_add(t, H_LINEAR, reg, bytes);
        if (stack16(t))
                emit_movzx16(&t->e, H_LINEAR, H_LINEAR);
}

/* Stack pointer = reg + bytes. */
static void emit_set_stack(struct translator *t, uint8_t reg, int32_t bytes)
{
        if (stack16(t)) {
                emit_lea32(&t->e, H_RCX, HOST_MEM(reg, bytes));
                emit_mov16(&t->e, H_GUEST_RSP, H_RCX);
        } else {
                emit_stack_add(t, H_GUEST_RSP, reg, bytes);
        }
}

void translate_move_stack(struct translator *t, int32_t bytes)
{
        emit_set_stack(t, H_GUEST_RSP, bytes);
}

void translate_load(struct translator *t, uint8_t to, unsigned size)
{
        if (size == 2)
                emit_load16zx(&t->e, to, t->operand);
        else if (size == 4)
                emit_load32(&t->e, to, t->operand);
        else
                emit_load64(&t->e, to, t->operand);
}

void translate_store(struct translator *t, uint8_t from, unsigned size)
{
        if (size == 2)
                emit_store16(&t->e, t->operand, from);
        else if (size == 4)
                emit_store32(&t->e, t->operand, from);
        else
                emit_store64(&t->e, t->operand, from);
}

/* The store below the top of the stack. */
static void check_push(struct translator *t, unsigned size)
{
        if (translate_span(t, true, -(int32_t)size, size, ACCESS_DESC_WRITE))
                return;
        emit_stack_offset(t, H_GUEST_RSP, -(int32_t)size);
        translate_check(t, SEG_SS, size, ACCESS_DESC_WRITE, false);
}

void translate_push_value(struct translator *t, uint8_t from, uint64_t imm, unsigned size)
{
        struct emit *e = &t->e;

        check_push(t, size);
        if (from != H_NONE) {
                translate_store(t, from, size);
        } else if (size == 2) {
                emit_store16_imm(e, t->operand, (uint16_t)imm);
        } else if (size == 4) {
                emit_store32_imm(e, t->operand, (uint32_t)imm);
        } else if ((uint64_t)(int32_t)imm == imm) {
                emit_op_mem(e, true, 0xc7, 0, t->operand);
                emit32(e, (uint32_t)imm);
        } else {
                emit_mov64_imm(e, H_RCX, imm);
                emit_store64(e, t->operand, H_RCX);
        }
        translate_move_stack(t, -(int32_t)size);
        translate_close_store(t);
}

/* The same for what is in dcpu->temp. */
void translate_push_temp(struct translator *t, unsigned size)
{
        check_push(t, size);
        emit_load64(&t->e, H_RCX, DSTATE(temp));
        translate_store(t, H_RCX, size);
        translate_move_stack(t, -(int32_t)size);
        translate_close_store(t);
}

void translate_stack_top(struct translator *t, unsigned size)
{
        if (!translate_span(t, true, 0, size, ACCESS_DESC_READ)) {
                emit_stack_offset(t, H_GUEST_RSP, 0);
                translate_check(t, SEG_SS, size, ACCESS_DESC_READ, false);
        }
        translate_load(t, H_RCX, size);
}

static void push_register(struct translator *t, unsigned guest, unsigned size)
{
        uint8_t host = host_reg(guest);

        if (host != H_NONE) {
                translate_push_value(t, host, 0, size);
                return;
        }
        emit_load64(&t->e, H_RCX, guest_home(guest));
        emit_store64(&t->e, DSTATE(temp), H_RCX);
        translate_push_temp(t, size);
}

static unsigned opcode_register(const struct insn *insn) { return (insn->code & 7u) | (insn->rex & 1 ? 8 : 0); }

void translate_push(struct translator *t)
{
        const struct insn *insn = &t->insn;
        unsigned size = insn->operand_bytes;

        switch (insn->opcode->operands[0]) {
        case OPERAND_Zv:
                push_register(t, opcode_register(insn), size);
                return;
        case OPERAND_Iz: case OPERAND_Ibs: case OPERAND_Ib:
                translate_push_value(t, H_NONE, insn->imm, size);
                return;
        default:
                break;
        }
        if (!insn->is_memory) {
                push_register(t, insn->rm, size);
                return;
        }
        translate_operand(t, size, ACCESS_DESC_READ);
        translate_load(t, H_RCX, size);
        emit_store64(&t->e, DSTATE(temp), H_RCX);
        translate_push_temp(t, size);
}

void translate_pop(struct translator *t)
{
        const struct insn *insn = &t->insn;
        struct emit *e = &t->e;
        unsigned size = insn->operand_bytes;
        bool in_opcode = insn->opcode->operands[0] == OPERAND_Zv;

        translate_stack_top(t, size);
        if (in_opcode || !insn->is_memory) {
                if (stack16(t)) {
                        emit_lea32(e, H_R10, HOST_MEM(H_GUEST_RSP, (int32_t)size));
                        emit_mov16(e, H_GUEST_RSP, H_R10);
                } else {
                        emit_stack_add(t, H_GUEST_RSP, H_GUEST_RSP, (int32_t)size);
                }
                translate_set(t, in_opcode ? opcode_register(insn) : insn->rm, H_RCX, size);
                return;
        }
        emit_store64(e, DSTATE(temp), H_RCX);
        /* An RSP-based destination is addressed with RSP as it is after the pop (SDM 2B, POP). */
        translate_address(t, insn, insn->base == RSP ? (int32_t)size : 0);
        translate_check(t, insn->segment, size, ACCESS_DESC_WRITE, false);
        emit_load64(e, H_RCX, DSTATE(temp));
        translate_store(t, H_RCX, size);
        translate_move_stack(t, (int32_t)size);
        translate_close_store(t);
}

/* RSP = RBP, then pop RBP. */
void translate_leave(struct translator *t)
{
        unsigned size = t->insn.operand_bytes;

        emit_stack_offset(t, H_RBP, 0);
        translate_check(t, SEG_SS, size, ACCESS_DESC_READ, false);
        translate_load(t, H_LINEAR, size);
        emit_set_stack(t, H_RBP, (int32_t)size);
        translate_set(t, RBP, H_LINEAR, size);
}

static struct host_mem selector_of(unsigned segment)
{
        return HOST_MEM(H_RSP, (int32_t)(offsetof(struct cpu, seg) + segment * sizeof(struct segment) +
                                         offsetof(struct segment, selector)));
}

/* Of a four-byte slot only the selector is written, as current processors do (SDM 2B, PUSH); an eight-byte one is
 * written whole. */
void translate_push_seg(struct translator *t)
{
        int32_t size = t->insn.operand_bytes;
        unsigned written = size == 8 ? 8 : 2;

        emit_stack_offset(t, H_GUEST_RSP, -size);
        translate_check(t, SEG_SS, written, ACCESS_DESC_WRITE, false);
        emit_load16zx(&t->e, H_RCX, selector_of(insn_segment_operand(&t->insn)));
        translate_store(t, H_RCX, written);
        translate_move_stack(t, -size);
        translate_close_store(t);
}

/* MOV r/m, Sreg: a register gets it zero-extended to the operand size, memory always 16 bits. */
void translate_mov_from_seg(struct translator *t)
{
        const struct insn *insn = &t->insn;

        if (!insn->is_memory) {
                emit_load16zx(&t->e, H_RCX, selector_of(insn->reg));
                translate_set(t, insn->rm, H_RCX, insn->operand_bytes);
                return;
        }
        translate_operand(t, 2, ACCESS_DESC_WRITE);
        emit_load16zx(&t->e, H_RCX, selector_of(insn->reg));
        translate_store(t, H_RCX, 2);
        translate_close_store(t);
}
