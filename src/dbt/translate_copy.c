/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate_copy.c - instructions that run on the host as they are.
 *
 * The instruction is encoded anew from its decoded form: prefixes that still mean something, general
 * registers mapped to host registers, its memory operand replaced by [R10+R11] once checked.
 *
 * What makes this less than trivial is that guest ECX and ESP live in R15 and R14:
 *   - instructions that use CL or ECX implicitly get it in RCX, and it is taken back afterwards;
 *   - AH, CH, DH and BH cannot be named in an instruction that has a REX prefix.  Memory is then
 *     reached through [RCX] alone ([RDI] when CH or CL itself is wanted in RCX), which needs no REX.
 */
#include "dbt/translate.h"

/* Which register file a ModRM field names. */
enum file { FILE_NONE, FILE_GPR, FILE_GPR8, FILE_OTHER };

static enum file reg_field(enum operand o)
{
        switch (o) {
        case OPERAND_Gb:
                return FILE_GPR8;
        case OPERAND_Gw: case OPERAND_Gd: case OPERAND_Gv: case OPERAND_Gy:
                return FILE_GPR;
        case OPERAND_Pq: case OPERAND_Vx: case OPERAND_Sw: case OPERAND_Cd: case OPERAND_Dd:
                return FILE_OTHER;
        default:
                return FILE_NONE;
        }
}

static enum file rm_field(enum operand o)
{
        switch (o) {
        case OPERAND_Eb:
                return FILE_GPR8;
        case OPERAND_Ew: case OPERAND_Ed: case OPERAND_Eq: case OPERAND_Ev: case OPERAND_Ey: case OPERAND_Rv: case OPERAND_Ry:
        case OPERAND_Udq_Mb: case OPERAND_Ry_Mw: case OPERAND_Ry_Md:
                return FILE_GPR;
        case OPERAND_Qd: case OPERAND_Qq: case OPERAND_Nq: case OPERAND_Wb: case OPERAND_Ww: case OPERAND_Wd: case OPERAND_Wq:
        case OPERAND_Wx: case OPERAND_Ux:
                return FILE_OTHER;
        default:
                return FILE_NONE;
        }
}

/* Whether 66h still selects the operand size, as opposed to being part of the opcode. */
static bool needs_66(const struct insn *insn)
{
        if (insn->mandatory == 0x66)
                return true;
        if (insn->operand_bytes != 2)
                return false;
        /* Fences and MOVNTI: a prefix selects another instruction, or none. */
        if (insn->map == MAP_0F && (insn->code == 0xae || insn->code == 0xc3))
                return false;
        if (!(insn->opcode->attr & (ATTR_X87 | ATTR_MMX | ATTR_SSE)))
                return true;
        for (unsigned i = 0; i < 4; i++)
                switch (insn->opcode->operands[i]) {
                case OPERAND_Ev: case OPERAND_Gv: case OPERAND_Rv: case OPERAND_Mv:
                        return true;
                }
        return false;
}

/* What the encoder needs to know. */
struct form {
        uint8_t reg, rm;                /* host numbers; byte registers: 4-7 are AH..BH when high */
        bool reg_high, rm_high;         /* AH, CH, DH, BH */
        bool reg8, rm8;                 /* byte registers */
        bool opcode_reg;                /* the register is in the opcode byte */
        bool memory;
        struct host_mem mem;
};

static void emit_form(struct translator *t, const struct insn *insn, const struct form *f)
{
        struct emit *e = &t->e;
        bool no_rex = f->reg_high || f->rm_high;

        if (insn->lock && f->memory)
                emit8(e, 0xf0);
        if (needs_66(insn))
                emit8(e, 0x66);
        if (insn->mandatory == 0xf2 || insn->mandatory == 0xf3)
                emit8(e, insn->mandatory);
        if (!no_rex) {
                if (f->memory)
                        emit_rex(e, false, f->reg, f->mem.index, f->mem.base, false);
                else
                        emit_rex(e, false, f->reg, H_NONE, f->rm, false);
        }
        if (insn->map != MAP_PRIMARY)
                emit8(e, 0x0f);
        if (insn->map == MAP_0F38)
                emit8(e, 0x38);
        else if (insn->map == MAP_0F3A)
                emit8(e, 0x3a);
        if (f->opcode_reg) {
                emit8(e, (insn->code & 0xf8) | (f->rm & 7));
        } else {
                /* 82h is 80h's twin outside 64-bit mode */
                emit8(e, insn->map == MAP_PRIMARY && insn->code == 0x82 ? 0x80 : insn->code);
                if (insn->has_modrm) {
                        if (f->memory)
                                emit_modrm_mem(e, f->reg, f->mem);
                        else
                                emit8(e, 0xc0 | (f->reg & 7) << 3 | (f->rm & 7));
                }
        }
        for (unsigned i = 0; i < insn->imm_bytes; i++)
                emit8(e, (uint8_t)(insn->imm >> 8 * i));
}

/* After an x87 instruction: its address, opcode and operand, as FNSAVE will show them (T10). */
static void emit_x87_pointers(struct translator *t)
{
        const struct insn *insn = &t->insn;
        struct emit *e = &t->e;

        if (insn->map == MAP_PRIMARY && insn->code == 0xdb && insn->modrm == 0xe3) {    /* FNINIT clears them */
                emit_store32_imm(e, STATE(fpu.ip), 0);
                emit_store32_imm(e, STATE(fpu.dp), 0);
                emit_store16_imm(e, STATE(fpu.op), 0);
                emit_store16_imm(e, STATE(fpu.cs), 0);
                emit_store16_imm(e, STATE(fpu.ds), 0);
                return;
        }
        if (!(insn->opcode->attr & ATTR_X87) || (insn->opcode->attr & ATTR_X87_NODATA))
                return;
        emit_store32_imm(e, STATE(fpu.ip), (uint32_t)t->rip);
        emit_store16_imm(e, STATE(fpu.op), (uint16_t)((insn->code & 7) << 8 | insn->modrm));
        emit_load16zx(e, H_RCX, STATE(seg[SEG_CS].selector));
        emit_store16(e, STATE(fpu.cs), H_RCX);
        if (insn->is_memory) {
                emit_store32(e, STATE(fpu.dp), H_R9);
                emit_load16zx(e, H_RCX, HOST_MEM(H_RSP, (int32_t)(offsetof(struct cpu, seg) + insn->segment * sizeof(struct segment) +
                                                                  offsetof(struct segment, selector))));
                emit_store16(e, STATE(fpu.ds), H_RCX);
        }
}

/* INC and DEC with the register in the opcode (40h-4Fh) are prefixes on the host: FF /0, /1. */
static void copy_inc_dec(struct translator *t)
{
        struct emit *e = &t->e;
        uint8_t reg = host_reg(t->insn.code & 7);

        if (t->insn.operand_bytes == 2)
                emit8(e, 0x66);
        emit_op_rr(e, false, 0xff, t->insn.code & 8 ? 1 : 0, reg);
}

/* The register with which a byte operand is named, and whether it is a high one. */
static uint8_t byte_reg(unsigned guest, bool *high)
{
        *high = guest >= 4;
        return *high ? (uint8_t)guest : host_reg(guest);
}

void translate_copy(struct translator *t)
{
        const struct insn *insn = &t->insn;
        const struct opcode *op = insn->opcode;
        struct emit *e = &t->e;
        struct form f = { .reg = (insn->modrm >> 3) & 7, .rm = insn->modrm & 7 };
        bool uses_c = false;            /* a byte operand is CL or CH: hosted in R15, of which only CL has a name */
        bool ch = false;
        bool implicit_c = op->attr & (ATTR_IMPLICIT_CL | ATTR_IMPLICIT_CX);
        bool c_operand = false;         /* ECX (any size) is an explicit operand */
        bool gpr_reg_high_number = false;

        if (insn->map == MAP_PRIMARY && insn->code >= 0x40 && insn->code <= 0x4f) {
                copy_inc_dec(t);
                return;
        }
        for (unsigned i = 0; i < 4; i++) {
                enum operand o = op->operands[i];
                if (o == OPERAND_Zb || o == OPERAND_Zv) {
                        f.opcode_reg = true;
                        if (o == OPERAND_Zb) {
                                f.rm8 = true;
                                f.rm = byte_reg(insn->code & 7, &f.rm_high);
                                uses_c |= (insn->code & 3) == 1;
                                ch |= (insn->code & 7) == 5;
                        } else {
                                f.rm = host_reg(insn->code & 7);
                                c_operand |= (insn->code & 7) == RCX;
                        }
                }
                switch (reg_field(o)) {
                case FILE_GPR8:
                        f.reg8 = true;
                        f.reg = byte_reg(insn->reg, &f.reg_high);
                        uses_c |= (insn->reg & 3) == 1;
                        ch |= insn->reg == 5;
                        break;
                case FILE_GPR:
                        f.reg = host_reg(insn->reg);
                        gpr_reg_high_number = f.reg >= 8;
                        c_operand |= insn->reg == RCX;
                        break;
                default:
                        break;
                }
                if (insn->is_memory)
                        continue;
                switch (rm_field(o)) {
                case FILE_GPR8:
                        f.rm8 = true;
                        f.rm = byte_reg(insn->rm, &f.rm_high);
                        uses_c |= (insn->rm & 3) == 1;
                        ch |= insn->rm == 5;
                        break;
                case FILE_GPR:
                        f.rm = host_reg(insn->rm);
                        c_operand |= insn->rm == RCX;
                        break;
                default:
                        break;
                }
        }
        if (insn->is_memory && insn->has_modrm) {
                uint32_t access = (op->attr & ATTR_LOAD ? ACCESS_DESC_READ : 0) | (op->attr & ATTR_STORE ? ACCESS_DESC_WRITE : 0);
                /* An x87 store that raises an unmasked exception stores nothing: through the bounce buffer, what was there. */
                if ((op->attr & ATTR_X87) && (op->attr & ATTR_STORE))
                        access |= ACCESS_DESC_READ;
                if (op->attr & ATTR_ALIGN16)
                        access |= ACCESS_DESC_ALIGN16;
                f.memory = true;
                translate_operand(t, insn->memory_bytes, access);
                f.mem = HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0);
        }

        bool high = f.reg_high || f.rm_high;
        /* RCX plays guest ECX: implicitly used, or next to a high byte register with which R15 cannot be named. */
        bool borrow_c = implicit_c || ch || (high && (uses_c || (gpr_reg_high_number && c_operand)));
        bool borrow_rdi = false;
        uint8_t result_in = H_NONE;     /* a 16/32-bit destination that needs REX beside a high byte: taken from RCX */

        if (borrow_c) {
                /* a mapped register only ever becomes R15 by being guest ECX */
                if (f.reg == H_GUEST_RCX)
                        f.reg = H_RCX;
                if (!f.memory && f.rm == H_GUEST_RCX)
                        f.rm = H_RCX;
        }
        if (high && f.reg == H_GUEST_RSP) {
                /* MOVZX ESP, AH and the like; beside CH, the byte goes through DIL, which REX can name */
                if (ch) {
                        emit_mov64(e, H_R8, H_RDI);
                        emit_mov32(e, H_RCX, H_GUEST_RCX);
                        emit8(e, 0x0f);
                        emit8(e, 0xb6);
                        emit8(e, 0xc0 | H_RDI << 3 | 5);        /* movzx edi, ch */
                        f.rm = H_RDI;
                        f.rm_high = high = borrow_c = false;
                        borrow_rdi = true;
                } else {
                        result_in = H_GUEST_RSP;
                        f.reg = H_RCX;
                }
        }
        if (f.memory && high) {
                emit_lea64(e, H_LINEAR, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0));
                if (borrow_c) {
                        /* no byte register shares RDI's number without REX */
                        borrow_rdi = true;
                        emit_mov64(e, H_R8, H_RDI);
                        emit_mov64(e, H_RDI, H_LINEAR);
                        f.mem = HOST_MEM(H_RDI, 0);
                } else {
                        emit_mov64(e, H_RCX, H_LINEAR);
                        f.mem = HOST_MEM(H_RCX, 0);
                }
        }
        if (borrow_c)
                emit_mov32(e, H_RCX, H_GUEST_RCX);
        else if (result_in != H_NONE)
                emit_mov32(e, H_RCX, result_in);

        emit_form(t, insn, &f);

        if (borrow_rdi)
                emit_mov64(e, H_RDI, H_R8);
        if (result_in != H_NONE)
                emit_mov32(e, result_in, H_RCX);
        else if (borrow_c && !(op->attr & ATTR_IMPLICIT_CL && !c_operand && !uses_c))
                emit_mov32(e, H_GUEST_RCX, H_RCX);
        emit_x87_pointers(t);
        translate_close_store(t);
}

void translate_lea(struct translator *t)
{
        const struct insn *insn = &t->insn;

        translate_address(t, insn, 0);
        if (insn->operand_bytes == 2)
                emit_mov16(&t->e, host_reg(insn->reg), H_LINEAR);
        else
                emit_mov32(&t->e, host_reg(insn->reg), H_LINEAR);
}

void translate_moffs(struct translator *t)
{
        struct emit *e = &t->e;
        bool store = t->insn.code & 2, byte = !(t->insn.code & 1);
        unsigned size = byte ? 1 : t->insn.operand_bytes;

        emit_mov32_imm(e, H_LINEAR, t->insn.address_bytes == 2 ? (uint16_t)t->insn.disp : (uint32_t)t->insn.disp);
        translate_check(t, t->insn.segment, size, store ? ACCESS_DESC_WRITE : ACCESS_DESC_READ, false);
        if (size == 2)
                emit8(e, 0x66);
        emit_op_mem(e, false, (store ? 0x88 : 0x8a) | (byte ? 0 : 1), H_RAX, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0));
        translate_close_store(t);
}
