/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate_stack.c - PUSH, POP, LEAVE and what else goes through the stack pointer.
 *
 * Guest ESP is R14.  With SS.B clear only SP counts: addresses wrap at 64 KiB and the upper half of ESP
 * stays (SDM 3A 6.2.5).  The stack pointer moves after the last check of an instruction and, for a
 * push, within the tail of its store.
 */
#include "dbt/translate.h"

static bool stack32(const struct translator *t) { return mode_has(t, MODE_STACK32); }

/* R11 = stack pointer + bytes, wrapped as the stack segment wraps. */
static void emit_stack_offset(struct translator *t, int32_t bytes)
{
        if (bytes)
                emit_lea32(&t->e, H_LINEAR, HOST_MEM(H_GUEST_RSP, bytes));
        else
                emit_mov32(&t->e, H_LINEAR, H_GUEST_RSP);
        if (!stack32(t))
                emit_movzx16(&t->e, H_LINEAR, H_LINEAR);
}

void translate_move_stack(struct translator *t, int32_t bytes)
{
        if (stack32(t)) {
                emit_lea32(&t->e, H_GUEST_RSP, HOST_MEM(H_GUEST_RSP, bytes));
        } else {
                emit_lea32(&t->e, H_RCX, HOST_MEM(H_GUEST_RSP, bytes));
                emit_mov16(&t->e, H_GUEST_RSP, H_RCX);
        }
}

void translate_push_value(struct translator *t, uint8_t from, uint32_t imm, unsigned size)
{
        struct emit *e = &t->e;
        struct host_mem top = HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0);

        emit_stack_offset(t, -(int32_t)size);
        translate_check(t, SEG_SS, size, ACCESS_DESC_WRITE, false);
        if (size == 2) {
                if (from == H_NONE)
                        emit_store16_imm(e, top, (uint16_t)imm);
                else
                        emit_store16(e, top, from);
        } else {
                if (from == H_NONE)
                        emit_store32_imm(e, top, imm);
                else
                        emit_store32(e, top, from);
        }
        translate_move_stack(t, -(int32_t)size);
        translate_close_store(t);
}

void translate_stack_top(struct translator *t, unsigned size)
{
        struct host_mem top = HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0);

        emit_stack_offset(t, 0);
        translate_check(t, SEG_SS, size, ACCESS_DESC_READ, false);
        if (size == 2)
                emit_load16zx(&t->e, H_R8, top);
        else
                emit_load32(&t->e, H_R8, top);
}

void translate_push(struct translator *t)
{
        const struct insn *insn = &t->insn;
        unsigned size = insn->operand_bytes;

        switch (insn->opcode->operands[0]) {
        case OPERAND_Zv:
                translate_push_value(t, host_reg(insn->code & 7), 0, size);
                return;
        case OPERAND_Iz: case OPERAND_Ibs: case OPERAND_Ib:
                translate_push_value(t, H_NONE, (uint32_t)insn->imm, size);
                return;
        default:
                break;
        }
        if (!insn->is_memory) {
                translate_push_value(t, host_reg(insn->rm), 0, size);
                return;
        }
        translate_operand(t, size, ACCESS_DESC_READ);
        if (size == 2)
                emit_load16zx(&t->e, H_R8, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0));
        else
                emit_load32(&t->e, H_R8, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0));
        translate_push_value(t, H_R8, 0, size);
}

/* Guest register = R8, of the given size. */
static void emit_set_reg(struct translator *t, unsigned guest, unsigned size)
{
        if (size == 2)
                emit_mov16(&t->e, host_reg(guest), H_R8);
        else
                emit_mov32(&t->e, host_reg(guest), H_R8);
}

void translate_pop(struct translator *t)
{
        const struct insn *insn = &t->insn;
        unsigned size = insn->operand_bytes;

        translate_stack_top(t, size);
        if (insn->opcode->operands[0] == OPERAND_Zv || !insn->is_memory) {
                translate_move_stack(t, (int32_t)size);
                emit_set_reg(t, insn->opcode->operands[0] == OPERAND_Zv ? insn->code & 7u : insn->rm, size);
                return;
        }
        /* An ESP-based destination is addressed with ESP as it is after the pop (SDM 2B, POP). */
        translate_address(t, insn, insn->base == RSP ? (int32_t)size : 0);
        translate_check(t, insn->segment, size, ACCESS_DESC_WRITE, false);
        if (size == 2)
                emit_store16(&t->e, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0), H_R8);
        else
                emit_store32(&t->e, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0), H_R8);
        translate_move_stack(t, (int32_t)size);
        translate_close_store(t);
}

/* ESP = EBP, then pop EBP. */
void translate_leave(struct translator *t)
{
        struct emit *e = &t->e;
        unsigned size = t->insn.operand_bytes;

        emit_mov32(e, H_LINEAR, H_RBP);
        if (!stack32(t))
                emit_movzx16(e, H_LINEAR, H_LINEAR);
        translate_check(t, SEG_SS, size, ACCESS_DESC_READ, false);
        if (size == 2)
                emit_load16zx(e, H_R8, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0));
        else
                emit_load32(e, H_R8, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0));
        if (stack32(t))
                emit_lea32(e, H_GUEST_RSP, HOST_MEM(H_RBP, (int32_t)size));
        else {
                emit_lea32(e, H_RCX, HOST_MEM(H_RBP, (int32_t)size));
                emit_mov16(e, H_GUEST_RSP, H_RCX);
        }
        emit_set_reg(t, RBP, size);
}

static struct host_mem selector_of(unsigned segment)
{
        return HOST_MEM(H_RSP, (int32_t)(offsetof(struct cpu, seg) + segment * sizeof(struct segment) +
                                         offsetof(struct segment, selector)));
}

/* MOV r/m, Sreg: a register gets it zero-extended to the operand size, memory always 16 bits. */
void translate_mov_from_seg(struct translator *t)
{
        const struct insn *insn = &t->insn;
        struct emit *e = &t->e;

        if (insn->opcode->kind == KIND_PUSH_SEG) {
                emit_load16zx(e, H_R8, selector_of((insn->map == MAP_0F ? (insn->code == 0xa0 ? SEG_FS : SEG_GS) : insn->code >> 3)));
                translate_push_value(t, H_R8, 0, insn->operand_bytes);
                return;
        }
        if (!insn->is_memory) {
                emit_load16zx(e, H_R8, selector_of(insn->reg));
                emit_set_reg(t, insn->rm, insn->operand_bytes);
                return;
        }
        translate_operand(t, 2, ACCESS_DESC_WRITE);
        emit_load16zx(e, H_RCX, selector_of(insn->reg));
        emit_store16(e, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0), H_RCX);
        translate_close_store(t);
}
