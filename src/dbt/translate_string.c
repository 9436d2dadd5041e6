/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate_string.c - MOVS, STOS and LODS without REP, inline; the other forms through dbt_string().
 *
 * The index registers move by df_step times the element size; DF itself never is in the host's RFLAGS.
 */
#include "dbt/translate.h"

static void emit_index_offset(struct translator *t, unsigned guest)
{
        uint8_t reg = host_reg(guest);

        if (t->insn.address_bytes == 2)
                emit_movzx16(&t->e, H_LINEAR, reg);
        else if (t->insn.address_bytes == 4)
                emit_mov32(&t->e, H_LINEAR, reg);
        else
                emit_mov64(&t->e, H_LINEAR, reg);
}

/* Index register += df_step * size.  Clobbers RCX, R11. */
static void emit_advance(struct translator *t, unsigned guest, unsigned size)
{
        struct emit *e = &t->e;
        uint8_t reg = host_reg(guest);
        uint8_t scale = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;

        emit_load64(e, H_RCX, STATE(df_step));
        struct host_mem sum = HOST_MEM_INDEX(reg, H_RCX, scale, 0);
        if (t->insn.address_bytes == 2) {
                emit_lea32(e, H_LINEAR, sum);
                emit_mov16(e, reg, H_LINEAR);
        } else if (t->insn.address_bytes == 4) {
                emit_lea32(e, reg, sum);
        } else {
                emit_lea64(e, reg, sum);
        }
}

static void emit_move(struct translator *t, unsigned size, bool store, uint8_t reg)
{
        if (size == 2)
                emit8(&t->e, 0x66);
        emit_op_mem(&t->e, size == 8, (store ? 0x88 : 0x8a) | (size == 1 ? 0 : 1), reg, t->operand);
}

void translate_string(struct translator *t)
{
        const struct insn *insn = &t->insn;
        struct emit *e = &t->e;
        unsigned size = insn->code & 1 ? insn->operand_bytes : 1;
        bool movs = (insn->code & 0xfe) == 0xa4, stos = (insn->code & 0xfe) == 0xaa, lods = (insn->code & 0xfe) == 0xac;

        if (insn->rep || !(movs || stos || lods)) {
                translate_callout(t, dbt_string, false);
                return;
        }
        if (movs || lods) {
                emit_index_offset(t, RSI);
                translate_check(t, insn->segment, size, ACCESS_DESC_READ, false);
                emit_move(t, size, false, lods ? H_RAX : H_RCX);
                if (movs)
                        emit_store64(e, DSTATE(temp), H_RCX);
        }
        if (movs || stos) {
                emit_index_offset(t, RDI);
                translate_check(t, SEG_ES, size, ACCESS_DESC_WRITE, false);
                if (movs)
                        emit_load64(e, H_RCX, DSTATE(temp));
                emit_move(t, size, true, stos ? H_RAX : H_RCX);
                emit_advance(t, RDI, size);
        }
        if (movs || lods)
                emit_advance(t, RSI, size);
        translate_close_store(t);
}
