/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate_copy.c - instructions that run on the host as they are.
 *
 * The instruction is encoded anew from its decoded form: prefixes that still mean something, general
 * registers mapped to host registers, its memory operand replaced by [R10+R11] once checked.
 *
 * What makes this less than trivial is that guest RCX and RSP live in R15 and R14, and some registers of
 * 64-bit mode in memory:
 *   - instructions that use CL or ECX implicitly get it in RCX, and it is taken back afterwards;
 *   - registers in memory are loaded into a scratch register first and stored afterwards;
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
        case OPERAND_Wx: case OPERAND_Ux: case OPERAND_Wdq:
                return FILE_OTHER;
        default:
                return FILE_NONE;
        }
}

/* Whether 66h is part of the opcode or selects the operand size. */
static bool needs_66(const struct insn *insn)
{
        return insn->mandatory == 0x66 || (insn->sized && insn->operand_bytes == 2);
}

/* What the encoder needs to know. */
struct form {
        uint8_t code;                   /* the opcode byte */
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
        /* SPL, BPL, SIL and DIL need a REX prefix to be named */
        bool force = !no_rex && ((f->reg8 && f->reg >= 4 && f->reg < 8) || (f->rm8 && !f->memory && f->rm >= 4 && f->rm < 8));
        bool w = insn->rex & 8;

        if (insn->lock && f->memory)
                emit8(e, 0xf0);
        if (needs_66(insn))
                emit8(e, 0x66);
        if (insn->mandatory == 0xf2 || insn->mandatory == 0xf3)
                emit8(e, insn->mandatory);
        if (!no_rex) {
                if (f->memory)
                        emit_rex(e, w, f->reg, f->mem.index, f->mem.base, force);
                else
                        emit_rex(e, w, f->reg, H_NONE, f->rm, force);
        }
        if (insn->map != MAP_PRIMARY)
                emit8(e, 0x0f);
        if (insn->map == MAP_0F38)
                emit8(e, 0x38);
        else if (insn->map == MAP_0F3A)
                emit8(e, 0x3a);
        if (f->opcode_reg) {
                emit8(e, (f->code & 0xf8) | (f->rm & 7));
        } else {
                /* 82h is 80h's twin outside 64-bit mode */
                emit8(e, insn->map == MAP_PRIMARY && f->code == 0x82 ? 0x80 : f->code);
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

/* The three-byte prefix; W, L and map stay, registers are the host's.  vvvv: 0 where it names nothing. */
static void emit_vex_form(struct translator *t, const struct insn *insn, const struct form *f, uint8_t vvvv)
{
        struct emit *e = &t->e;
        uint8_t x = f->memory && f->mem.index != H_NONE ? f->mem.index : 0, b = f->memory ? f->mem.base : f->rm;
        uint8_t pp = insn->mandatory == 0x66 ? 1 : insn->mandatory == 0xf3 ? 2 : insn->mandatory == 0xf2 ? 3 : 0;

        emit8(e, 0xc4);
        emit8(e, (uint8_t)((f->reg & 8 ? 0 : 0x80) | (x & 8 ? 0 : 0x40) | (b & 8 ? 0 : 0x20) | insn->map));
        emit8(e, (uint8_t)((insn->rex & 8 ? 0x80 : 0) | (~vvvv & 15) << 3 | insn->vex_l << 2 | pp));
        emit8(e, insn->code);
        if (insn->has_modrm) {
                if (f->memory)
                        emit_modrm_mem(e, f->reg, f->mem);
                else
                        emit8(e, 0xc0 | (f->reg & 7) << 3 | (f->rm & 7));
        }
        /* Outside 64-bit mode bit 7 of a register in an immediate counts for nothing. */
        bool fourth = insn->opcode->operands[3] == OPERAND_Lx && !t->wide;
        for (unsigned i = 0; i < insn->imm_bytes; i++)
                emit8(e, (uint8_t)(insn->imm >> 8 * i) & (fourth ? 0x7f : 0xff));
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
        if (t->wide) {
                emit_mov64_imm(e, H_RCX, t->rip);
                emit_store64(e, STATE(fpu.ip), H_RCX);
        } else {
                emit_store32_imm(e, STATE(fpu.ip), (uint32_t)t->rip);
        }
        emit_store16_imm(e, STATE(fpu.op), (uint16_t)((insn->code & 7) << 8 | insn->modrm));
        emit_load16zx(e, H_RCX, STATE(seg[SEG_CS].selector));
        emit_store16(e, STATE(fpu.cs), H_RCX);
        if (insn->is_memory) {
                emit_load64(e, H_RCX, DSTATE(temp));
                emit_store64(e, STATE(fpu.dp), H_RCX);
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

/* The operands of the instruction in host terms. */
struct operands {
        struct form f;
        unsigned guest_reg, guest_rm;   /* general registers named; CPU_REGS: none */
        unsigned reg_position, rm_position;     /* as which operand */
        bool c8, ch;                    /* CL or CH, CH is a byte operand */
};

static void name_byte(const struct insn *insn, unsigned guest, uint8_t *host, bool *high, struct operands *o)
{
        *high = guest >= 4 && guest < 8 && !insn->rex;
        *host = *high ? (uint8_t)guest : host_reg(guest);
        o->c8 |= guest == RCX || (*high && guest == 5);
        o->ch |= *high && guest == 5;
}

static void name_operands(const struct insn *insn, struct operands *o)
{
        struct form *f = &o->f;

        *o = (struct operands){ .guest_reg = CPU_REGS, .guest_rm = CPU_REGS };
        f->code = insn->code;
        f->reg = (insn->modrm >> 3) & 7;
        f->rm = insn->modrm & 7;
        f->memory = insn->is_memory && insn->has_modrm;
        for (unsigned i = 0; i < 4; i++) {
                enum operand operand = insn->opcode->operands[i];
                if (operand == OPERAND_Zb || operand == OPERAND_Zv) {
                        unsigned guest = (insn->code & 7u) | (insn->rex & 1 ? 8 : 0);
                        f->opcode_reg = true;
                        f->rm8 = operand == OPERAND_Zb;
                        o->guest_rm = guest;
                        o->rm_position = i;
                        if (f->rm8)
                                name_byte(insn, guest, &f->rm, &f->rm_high, o);
                        else
                                f->rm = host_reg(guest);
                        continue;
                }
                switch (reg_field(operand)) {
                case FILE_GPR8:
                        f->reg8 = true;
                        o->reg_position = i;
                        o->guest_reg = insn->reg;
                        name_byte(insn, insn->reg, &f->reg, &f->reg_high, o);
                        break;
                case FILE_GPR:
                        o->reg_position = i;
                        o->guest_reg = insn->reg;
                        f->reg = host_reg(insn->reg);
                        break;
                case FILE_OTHER:
                        f->reg = insn->reg;
                        break;
                case FILE_NONE:
                        break;
                }
                if (f->memory)
                        continue;
                switch (rm_field(operand)) {
                case FILE_GPR8:
                        f->rm8 = true;
                        o->rm_position = i;
                        o->guest_rm = insn->rm;
                        name_byte(insn, insn->rm, &f->rm, &f->rm_high, o);
                        break;
                case FILE_GPR:
                        o->rm_position = i;
                        o->guest_rm = insn->rm;
                        f->rm = host_reg(insn->rm);
                        break;
                case FILE_OTHER:
                        f->rm = insn->rm;
                        break;
                case FILE_NONE:
                        break;
                }
        }
}

/* Beside a high byte register, which rules REX out, R14 and R15 cannot be named; nor can CH at all.  The
 * instruction is run on RCX and RDI instead.  Only legacy encodings: no register above 7 is named. */
static void copy_with_high_byte(struct translator *t, struct operands *o)
{
        const struct insn *insn = &t->insn;
        struct emit *e = &t->e;
        struct form *f = &o->f;
        bool c_dword = (o->guest_reg == RCX && !f->reg8) || (o->guest_rm == RCX && !f->rm8);
        bool borrow_c = (insn->opcode->attr & (ATTR_IMPLICIT_CL | ATTR_IMPLICIT_CX)) || o->c8 || c_dword;
        bool stack_result = f->reg == H_GUEST_RSP && !f->reg8;         /* MOVZX ESP, AH and the like */
        bool borrow_rdi = false;

        if (stack_result && o->ch) {
                /* Both: the byte goes through DIL, which REX can name. */
                emit_store64(e, DSTATE(temp), H_RDI);
                emit_mov32(e, H_RCX, H_GUEST_RCX);
                emit8(e, 0x0f);
                emit8(e, 0xb6);
                emit8(e, 0xc0 | H_RDI << 3 | 5);                /* movzx edi, ch */
                f->rm = H_RDI;
                f->rm_high = false;
                emit_form(t, insn, f);
                emit_load64(e, H_RDI, DSTATE(temp));
                return;
        }
        if (f->reg == H_GUEST_RCX || stack_result)
                f->reg = H_RCX;
        if (!f->memory && f->rm == H_GUEST_RCX)
                f->rm = H_RCX;
        if (f->memory) {
                emit_lea64(e, H_LINEAR, f->mem);
                if (borrow_c) {
                        /* no byte register shares RDI's number without REX */
                        borrow_rdi = true;
                        emit_mov64(e, H_R10, H_RDI);
                        emit_mov64(e, H_RDI, H_LINEAR);
                        f->mem = HOST_MEM(H_RDI, 0);
                } else {
                        emit_mov64(e, H_RCX, H_LINEAR);
                        f->mem = HOST_MEM(H_RCX, 0);
                }
        }
        if (borrow_c)
                emit_mov64(e, H_RCX, H_GUEST_RCX);
        else if (stack_result)
                emit_mov64(e, H_RCX, H_GUEST_RSP);
        emit_form(t, insn, f);
        if (borrow_rdi)
                emit_mov64(e, H_RDI, H_R10);
        if (stack_result)
                emit_mov64(e, H_GUEST_RSP, H_RCX);
        else if (borrow_c)
                emit_mov64(e, H_GUEST_RCX, H_RCX);
}

/* Loads a general register that lives in memory into a scratch register for the instruction. */
static bool borrow_home(struct translator *t, unsigned guest, uint8_t *host, uint8_t scratch)
{
        if (guest == CPU_REGS || host_reg(guest) != H_NONE)
                return false;
        emit_load64(&t->e, scratch, guest_home(guest));
        *host = scratch;
        return true;
}

/* BMI: three general registers, each of which may live in memory.  VEX.vvvv is written by BLSR, BLSMSK, BLSI and
 * MULX; the sources are loaded before anything is stored, and ModRM.reg is stored last (of MULX, the upper half). */
static void copy_vex_general(struct translator *t, struct operands *o)
{
        const struct insn *insn = &t->insn;
        struct form *f = &o->f;
        struct emit *e = &t->e;
        bool writes_vvvv = insn->opcode->operands[0] == OPERAND_By || (insn->map == MAP_0F38 && insn->code == 0xf6);
        bool uses_vvvv = false, reg_home, vvvv_home = false;
        uint8_t vvvv = 0;

        for (unsigned i = 0; i < 4; i++)
                uses_vvvv |= insn->opcode->operands[i] == OPERAND_By;
        if (f->memory) {
                emit_lea64(e, H_LINEAR, f->mem);
                f->mem = HOST_MEM(H_LINEAR, 0);
        }
        reg_home = borrow_home(t, o->guest_reg, &f->reg, H_RCX);
        if (uses_vvvv) {
                vvvv = host_reg(insn->vvvv);
                vvvv_home = borrow_home(t, insn->vvvv, &vvvv, H_R10);
        }
        borrow_home(t, o->guest_rm, &f->rm, H_R11);
        emit_vex_form(t, insn, f, vvvv);
        if (vvvv_home && writes_vvvv)
                emit_store64(e, guest_home(insn->vvvv), vvvv);
        if (reg_home)
                emit_store64(e, guest_home(o->guest_reg), f->reg);
}

bool translate_only_reads(const struct insn *insn)
{
        unsigned extension = (insn->modrm >> 3) & 7;

        if (insn->map == MAP_0F)
                return insn->code == 0xa3 || (insn->code == 0xba && extension == 4);            /* BT */
        return insn->map == MAP_PRIMARY &&
               ((insn->code >= 0x38 && insn->code <= 0x3d) || (insn->code & 0xfe) == 0x84 || (insn->code & 0xfe) == 0xa8 ||
                ((insn->code & 0xfc) == 0x80 && extension == 7) || ((insn->code & 0xfe) == 0xf6 && extension < 2));
}

bool translate_writes_both(const struct insn *insn)
{
        return (insn->map == MAP_PRIMARY && ((insn->code & 0xfe) == 0x86 || (insn->code & 0xf8) == 0x90)) ||
               (insn->map == MAP_0F && (insn->code & 0xfe) == 0xc0);
}

static bool is_written(const struct insn *insn, unsigned position)
{
        return position == 0 ? !translate_only_reads(insn) : position == 1 && translate_writes_both(insn);
}

/* Whether what was in a register before counts; in doubt it does. */
static bool is_read(const struct insn *insn, unsigned position)
{
        if (position != 0 || insn->vex || insn->operand_bytes < 4)
                return true;
        if (insn->map == MAP_0F)
                return (insn->code & 0xf6) != 0xb6;                                             /* MOVZX, MOVSX */
        return insn->map != MAP_PRIMARY || !(insn->code == 0x89 || insn->code == 0x8b || (insn->code & 0xf8) == 0xb8 ||
                                             insn->code == 0xc7 || insn->code == 0x63 || insn->code == 0x69 || insn->code == 0x6b);
}

/* XOR or SUB of a register with itself. */
static bool is_zeroing(const struct insn *insn, const struct operands *o)
{
        return o->guest_reg == o->guest_rm && insn->map == MAP_PRIMARY && insn->operand_bytes >= 4 && !o->f.reg8 &&
               ((insn->code & 0xfc) == 0x30 || (insn->code & 0xfc) == 0x28);
}

/* Whether a ModRM.rm register that lives in memory may as well be the instruction's memory operand: what is done to it
 * must be the same, and 32-bit results clear the upper half of a register but not of memory. */
static bool reachable_in_memory(const struct insn *insn, const struct operands *o)
{
        enum operand operand = insn->opcode->operands[o->rm_position];
        bool bit_string = insn->map == MAP_0F && ((insn->code & 0xe7) == 0xa3 || insn->code == 0xba);
        bool locks = insn->map == MAP_PRIMARY && (insn->code & 0xfe) == 0x86;

        if (o->f.opcode_reg || bit_string || locks || insn->vex || (insn->opcode->attr & ATTR_REG_ONLY))
                return false;
        switch (operand) {
        case OPERAND_Eb:
                return true;
        case OPERAND_Ev:
                return insn->operand_bytes != 4 || !is_written(insn, o->rm_position);
        case OPERAND_Ew: case OPERAND_Ed: case OPERAND_Eq: case OPERAND_Ey:
                return !is_written(insn, o->rm_position);
        default:
                return false;
        }
}

/* `op rm, reg` as its twin `op reg, rm`, with the source that lives in memory as the memory operand.  False: there is none. */
static bool turn_around(const struct insn *insn, struct operands *o)
{
        bool test = (insn->code & 0xfe) == 0x84;
        bool twin = (insn->code < 0x40 && (insn->code & 7) < 2) || (insn->code & 0xfe) == 0x88;
        struct form *f = &o->f;

        if (insn->map != MAP_PRIMARY || f->memory || !(test || twin))
                return false;
        f->code |= twin ? 2 : 0;
        f->reg = f->rm;
        f->reg8 = f->rm8;
        f->mem = guest_home(o->guest_reg);
        f->memory = true;
        return true;
}

static bool at_home(unsigned guest) { return guest != CPU_REGS && host_reg(guest) == H_NONE; }

/* Runs the instruction, with those of its registers that live in memory reached there, or through scratch registers. */
static void copy_with_homes(struct translator *t, struct operands *o, const uint8_t scratch[2])
{
        const struct insn *insn = &t->insn;
        struct form *f = &o->f;
        struct emit *e = &t->e;
        bool reg = at_home(o->guest_reg), rm = at_home(o->guest_rm), same = reg && o->guest_reg == o->guest_rm;
        bool read_reg = is_read(insn, o->reg_position), read_rm = is_read(insn, o->rm_position);

        if (same) {
                rm = false;
                read_reg = (read_reg || read_rm) && !is_zeroing(insn, o);
                f->rm = scratch[0];
        } else if (rm && reachable_in_memory(insn, o)) {
                f->mem = guest_home(o->guest_rm);
                f->memory = true;
                rm = false;
        } else if (reg && !rm && turn_around(insn, o)) {
                reg = false;
        }
        if (reg) {
                f->reg = scratch[0];
                if (read_reg)
                        emit_load64(e, f->reg, guest_home(o->guest_reg));
        }
        if (rm) {
                f->rm = scratch[1];
                if (read_rm)
                        emit_load64(e, f->rm, guest_home(o->guest_rm));
        }
        if (insn->vex)
                emit_vex_form(t, insn, f, insn->vvvv);
        else
                emit_form(t, insn, f);
        if (rm && is_written(insn, o->rm_position))
                emit_store64(e, guest_home(o->guest_rm), f->rm);
        if (reg && (is_written(insn, o->reg_position) || (same && is_written(insn, o->rm_position))))
                emit_store64(e, guest_home(o->guest_reg), f->reg);
}

void translate_copy(struct translator *t)
{
        const struct insn *insn = &t->insn;
        const struct opcode *op = insn->opcode;
        struct emit *e = &t->e;
        struct operands o;
        struct form *f = &o.f;

        if (!t->wide && insn->map == MAP_PRIMARY && insn->code >= 0x40 && insn->code <= 0x4f) {
                copy_inc_dec(t);
                return;
        }
        name_operands(insn, &o);
        if (f->memory) {
                uint32_t access = (op->attr & ATTR_LOAD ? ACCESS_DESC_READ : 0) | (op->attr & ATTR_STORE ? ACCESS_DESC_WRITE : 0);
                /* An x87 store that raises an unmasked exception stores nothing: through the bounce buffer, what was there. */
                if ((op->attr & ATTR_X87) && (op->attr & ATTR_STORE))
                        access |= ACCESS_DESC_READ;
                if (op->attr & ATTR_ALIGN16)
                        access |= ACCESS_DESC_ALIGN16;
                if (t->dbt->smp && (insn->lock || (op->attr & ATTR_NO_LOCK_CHECK)))
                        access |= ACCESS_DESC_LOCKED;
                translate_operand(t, insn->memory_bytes, access);
                f->mem = t->operand;
        }
        if ((op->attr & ATTR_VEX) && !(op->attr & ATTR_AVX)) {
                copy_vex_general(t, &o);
        } else if (f->reg_high || f->rm_high) {
                copy_with_high_byte(t, &o);
        } else {
                bool borrow_c = op->attr & (ATTR_IMPLICIT_CL | ATTR_IMPLICIT_CX);
                uint8_t scratch[2] = { borrow_c ? H_R10 : H_RCX, borrow_c || !f->memory ? H_R11 : H_R10 };
                if (borrow_c && f->memory) {
                        /* One register for the address leaves R10 for an operand. */
                        emit_lea64(e, H_LINEAR, f->mem);
                        f->mem = HOST_MEM(H_LINEAR, 0);
                }
                if (borrow_c) {
                        emit_mov64(e, H_RCX, H_GUEST_RCX);
                        if (o.guest_reg == RCX)
                                f->reg = H_RCX;
                        if (o.guest_rm == RCX)
                                f->rm = H_RCX;
                }
                copy_with_homes(t, &o, scratch);
                if (borrow_c && ((op->attr & ATTR_IMPLICIT_CX) || o.guest_reg == RCX || o.guest_rm == RCX))
                        emit_mov64(e, H_GUEST_RCX, H_RCX);
        }
        emit_x87_pointers(t);
        translate_close_store(t);
}

void translate_moffs(struct translator *t)
{
        struct emit *e = &t->e;
        bool store = t->insn.code & 2, byte = !(t->insn.code & 1);
        unsigned size = byte ? 1 : t->insn.operand_bytes;
        uint64_t offset = (uint64_t)t->insn.disp;

        emit_mov64_imm(e, H_LINEAR, t->insn.address_bytes == 2 ? (uint16_t)offset : t->insn.address_bytes == 4 ? (uint32_t)offset : offset);
        translate_check(t, t->insn.segment, size, store ? ACCESS_DESC_WRITE : ACCESS_DESC_READ, false);
        if (size == 2)
                emit8(e, 0x66);
        emit_op_mem(e, size == 8, (store ? 0x88 : 0x8a) | (byte ? 0 : 1), H_RAX, t->operand);
        translate_close_store(t);
}
