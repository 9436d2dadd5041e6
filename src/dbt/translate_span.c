/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate_span.c - one check for several accesses through the same base register.
 *
 * Compiled code reaches most of its memory as [register + constant]: fields of one structure, slots of one
 * stack frame, pushes and pops.  Before a block is emitted, its instructions are looked through for runs
 * of such accesses between two writes of the register.  Where a run has two or more, its first access
 * checks the whole span, from the lowest to the highest byte, against one page, and keeps the page's
 * addend in a register; the accesses then are [base + addend + constant], with no check at all.
 *
 * Invariants:
 * 1  A span's check only looks at the TLB.  When it fails, the first access is carried out as if it were
 *    alone: it may fault, exactly.  If after that the span still is not one page of RAM with the rights it
 *    needs, the rest of the block runs in a version without spans (MODE_CAREFUL).
 * 2  No span crosses a callout: what an instruction in C does to mappings is unknown.  (A request from
 *    elsewhere is seen at the block's end, as it would be between two instructions of the run.)
 * 3  Constants added to the base between two accesses (PUSH, POP, ADD ESP) are followed; any other write
 *    of the base ends the span.
 * 4  [base + addend + constant] is not truncated to 32 bits, while the linear address is.  Where the constant
 *    is small a sum that wraps just misses the tag; where it is large (kernels reach all of physical memory as
 *    [register - 40000000h]) the kept addend makes up for the wrap.
 * 5  Nor does the base itself wrap while it is moved: where it moves, the span includes the byte it stands at, and
 *    when the check misses, span_reachable() looks at the base.
 */
#include "dbt/translate.h"

enum { LARGEST_CONSTANT = INT32_MAX - 65536, SPAN_MAX_BYTES = 1024, NO_SPAN = 0xff, SMALL_CONSTANT = 65536 };

static const uint8_t span_registers[] = { H_R12, H_R13 };

/* A run under construction, one for each base register. */
struct run {
        bool open;
        uint8_t first, last, uses;
        bool write;
        int32_t low, high;      /* bytes touched, relative to the base at the run's start; high is exclusive */
        int32_t moved;          /* what has been added to the base since */
        struct { uint8_t insn, stack; } use[2 * BLOCK_MAX_INSNS];
};

struct planner {
        struct translator *t;
        struct run run[CPU_REGS];
};

static void run_close(struct planner *p, unsigned base)
{
        struct run *run = &p->run[base];
        struct translator *t = p->t;

        if (run->open && run->uses >= 2 && t->spans < MAX_SPANS) {
                struct span *span = &t->span[t->spans];
                *span = (struct span){ .base = (uint8_t)base, .first = run->first, .last = run->last, .uses = run->uses,
                                       .write = run->write, .low = run->low, .high = run->high, .reg = H_NONE };
                for (unsigned i = 0; i < run->uses; i++) {
                        struct planned *planned = &t->plan[run->use[i].insn];
                        if (run->use[i].stack)
                                planned->stack_span = (uint8_t)t->spans;
                        else
                                planned->span = (uint8_t)t->spans;
                }
                t->spans++;
        }
        run->open = false;
}

static void run_close_all(struct planner *p)
{
        for (unsigned i = 0; i < CPU_REGS; i++)
                run_close(p, i);
}

static void run_access(struct planner *p, unsigned index, unsigned base, int64_t disp, unsigned size, bool write, bool stack)
{
        struct run *run = &p->run[base];

        if (host_reg(base) == H_NONE || ABS(disp) > LARGEST_CONSTANT || !size || size > 64)
                return;
        if (run->open) {
                int64_t low = MIN(run->low, run->moved + disp), high = MAX(run->high, run->moved + disp + size);
                if (!p->t->wide && run->moved) {        /* invariant 5 */
                        low = MIN(low, run->moved);
                        high = MAX(high, run->moved + 1);
                }
                if (high - low > SPAN_MAX_BYTES) {
                        run_close(p, base);
                } else {
                        run->low = (int32_t)low;
                        run->high = (int32_t)high;
                }
        }
        if (!run->open) {
                run->open = true;
                run->first = (uint8_t)index;
                run->uses = 0;
                run->write = false;
                run->low = INT32_MAX;
                run->high = INT32_MIN;
                run->moved = 0;
        }
        run->low = MIN(run->low, run->moved + (int32_t)disp);
        run->high = MAX(run->high, run->moved + (int32_t)disp + (int32_t)size);
        run->write |= write;
        run->last = (uint8_t)index;
        run->use[run->uses].insn = (uint8_t)index;
        run->use[run->uses++].stack = stack;
}

static void run_move(struct planner *p, unsigned base, int64_t by)
{
        struct run *run = &p->run[base];

        if (by != (int32_t)by || ABS(by) > SPAN_MAX_BYTES)
                run_close(p, base);
        else
                run->moved += (int32_t)by;
}

static bool flat(const struct translator *t, unsigned segment)
{
        return segment != SEG_CS && mode_has(t, MODE_SEG_ZERO_BASE(segment) | MODE_SEG_NO_LIMIT(segment));
}

/* The ModRM operand, when it is of the kind that spans serve. */
static void plan_operand(struct planner *p, unsigned index, const struct insn *insn, bool write)
{
        if (insn->is_memory && insn->has_modrm && insn->base != REG_NONE && insn->index == REG_NONE && !insn->rip_relative &&
            insn->address_bytes == (p->t->wide ? 8 : 4) && flat(p->t, insn->segment) && !(insn->opcode->attr & ATTR_X87))
                run_access(p, index, insn->base, insn->disp, insn->memory_bytes, write, false);
}

static void plan_stack(struct planner *p, unsigned index, int32_t offset, unsigned size, bool write)
{
        if (flat(p->t, SEG_SS) && (p->t->wide || mode_has(p->t, MODE_STACK32)))
                run_access(p, index, RSP, offset, size, write, true);
}

static bool is_gpr_operand(enum operand operand)
{
        switch (operand) {
        case OPERAND_Gb: case OPERAND_Gw: case OPERAND_Gd: case OPERAND_Gv: case OPERAND_Gy: case OPERAND_Zb: case OPERAND_Zv:
        case OPERAND_AL: case OPERAND_AX: case OPERAND_eAX: case OPERAND_CL: case OPERAND_DX: case OPERAND_Rv: case OPERAND_Ry:
        case OPERAND_Eb: case OPERAND_Ew: case OPERAND_Ed: case OPERAND_Eq: case OPERAND_Ev: case OPERAND_Ey:
        case OPERAND_Udq_Mb: case OPERAND_Ry_Mw: case OPERAND_Ry_Md:
                return true;
        default:
                return false;
        }
}

/* The general register an operand names; CPU_REGS when it is memory. */
static unsigned operand_register(const struct insn *insn, enum operand operand, bool *byte)
{
        unsigned reg = CPU_REGS;

        *byte = operand == OPERAND_Gb || operand == OPERAND_Eb || operand == OPERAND_Zb;
        switch (operand) {
        case OPERAND_Gb: case OPERAND_Gw: case OPERAND_Gd: case OPERAND_Gv: case OPERAND_Gy:
                reg = insn->reg;
                break;
        case OPERAND_AL: case OPERAND_AX: case OPERAND_eAX:
                return RAX;
        case OPERAND_CL:
                return RCX;
        case OPERAND_DX:
                return RDX;
        case OPERAND_Zb: case OPERAND_Zv:
                reg = insn->rm;
                break;
        default:
                reg = insn->is_memory ? CPU_REGS : insn->rm;
                break;
        }
        if (*byte && !insn->rex && reg >= 4 && reg < 8)
                reg -= 4;               /* AH is in EAX */
        return reg;
}

/* ADD or SUB of a constant to a whole register. */
static bool constant_step(const struct insn *insn, bool wide, unsigned *reg, int64_t *by)
{
        if (insn->operand_bytes < 4 || (wide && insn->operand_bytes != 8) || insn->map != MAP_PRIMARY)
                return false;
        if ((insn->code == 0x81 || insn->code == 0x83) && !insn->is_memory && (((insn->modrm >> 3) & 7) == 0 || ((insn->modrm >> 3) & 7) == 5)) {
                *reg = insn->rm;
                *by = ((insn->modrm >> 3) & 7) == 0 ? (int64_t)insn->imm : -(int64_t)insn->imm;
                return true;
        }
        if (insn->code == 0x8d && insn->index == REG_NONE && insn->base == insn->reg && !insn->rip_relative &&
            insn->address_bytes == (wide ? 8 : 4)) {
                *reg = insn->reg;
                *by = insn->disp;
                return true;
        }
        return false;
}

/* Registers a copied instruction writes without naming them as a destination; false: not known. */
static bool plan_implicit(struct planner *p, const struct insn *insn)
{
        if (insn->opcode->attr & ATTR_IMPLICIT_CX)
                return false;
        if (insn->map == MAP_PRIMARY) {
                if (insn->code == 0xf6 || insn->code == 0xf7 || insn->code == 0x98 || insn->code == 0x99) {
                        run_close(p, RAX);
                        run_close(p, RDX);
                } else if (insn->code == 0xd7 || insn->code == 0x9f || (insn->code >= 0xd8 && insn->code <= 0xdf)) {
                        run_close(p, RAX);      /* LAHF, FNSTSW AX */
                }
        } else if (insn->map == MAP_0F) {
                if (insn->code == 0xb0 || insn->code == 0xb1 || insn->code == 0xc7) {
                        run_close(p, RAX);
                        run_close(p, RDX);
                }
        } else if (insn->map == MAP_0F3A && insn->code >= 0x60 && insn->code <= 0x63) {
                return false;
        }
        return true;
}

static void plan_copy(struct planner *p, unsigned index, const struct insn *insn)
{
        const struct opcode *op = insn->opcode;
        unsigned reg;
        int64_t by;
        bool byte;

        plan_operand(p, index, insn, op->attr & ATTR_STORE);
        if (constant_step(insn, p->t->wide, &reg, &by)) {
                run_move(p, reg, by);
                return;
        }
        if (!plan_implicit(p, insn)) {
                run_close_all(p);
                return;
        }
        /* Every general register named may be written, except by what only compares. */
        if (translate_only_reads(insn))
                return;
        bool both = translate_writes_both(insn);
        if (insn->vex && !(op->attr & ATTR_AVX))
                run_close(p, insn->vvvv);       /* BLSR and its like, MULX */
        for (unsigned i = 0; i < (both ? 2u : 1u); i++) {
                if (!is_gpr_operand(op->operands[i]))
                        continue;
                reg = operand_register(insn, op->operands[i], &byte);
                if (reg < CPU_REGS)
                        run_close(p, reg);
        }
}

static void plan_insn(struct planner *p, unsigned index, const struct insn *insn)
{
        unsigned size = insn->operand_bytes, reg;
        int64_t by;

        switch ((enum insn_kind)insn->opcode->kind) {
        case KIND_COPY:
                plan_copy(p, index, insn);
                break;
        case KIND_LEA:
                if (constant_step(insn, p->t->wide, &reg, &by))
                        run_move(p, reg, by);
                else
                        run_close(p, insn->reg);
                break;
        case KIND_PUSH:
                plan_operand(p, index, insn, false);
                plan_stack(p, index, -(int32_t)size, size, true);
                run_move(p, RSP, -(int64_t)size);
                break;
        case KIND_POP:
                plan_stack(p, index, 0, size, false);
                if (insn->is_memory || (insn->opcode->operands[0] == OPERAND_Zv ? insn->rm : insn->rm) == RSP) {
                        run_close(p, RSP);
                } else {
                        run_move(p, RSP, size);
                        run_close(p, insn->rm);
                }
                break;
        case KIND_CALL:
                plan_stack(p, index, -(int32_t)size, size, true);
                break;
        case KIND_CALL_IND:
                plan_operand(p, index, insn, false);
                plan_stack(p, index, -(int32_t)size, size, true);
                break;
        case KIND_JMP_IND:
                plan_operand(p, index, insn, false);
                break;
        case KIND_RET:
                plan_stack(p, index, 0, size, false);
                break;
        case KIND_LEAVE:
                run_close(p, RSP);
                run_close(p, RBP);
                break;
        case KIND_MOFFS:
                run_close(p, RAX);
                break;
        case KIND_NOP: case KIND_JCC: case KIND_JMP: case KIND_CLD_STD:
                break;
        case KIND_LOOP:
                run_close(p, RCX);
                break;
        default:
                run_close_all(p);
                break;
        }
}

/* Gives the spans registers, in the order in which they begin; of two that compete the more used one wins. */
static void assign_registers(struct translator *t)
{
        for (unsigned i = 0; i < t->spans; i++) {
                struct span *span = &t->span[i];
                bool taken[G_N_ELEMENTS(span_registers)] = { false };
                for (unsigned j = 0; j < t->spans; j++) {
                        const struct span *other = &t->span[j];
                        if (j == i || other->reg == H_NONE || other->last < span->first || other->first > span->last)
                                continue;
                        for (unsigned k = 0; k < G_N_ELEMENTS(span_registers); k++)
                                taken[k] |= other->reg == span_registers[k];
                }
                for (unsigned k = 0; k < G_N_ELEMENTS(span_registers) && span->reg == H_NONE; k++)
                        if (!taken[k])
                                span->reg = span_registers[k];
        }
}

static int more_used_first(const void *a, const void *b)
{
        const struct span *x = a, *y = b;
        return (int)y->uses - (int)x->uses;
}

void translate_plan(struct translator *t)
{
        struct planner planner;

        t->spans = 0;
        for (unsigned i = 0; i < t->planned; i++)
                t->plan[i].span = t->plan[i].stack_span = NO_SPAN;
        if (t->planned < 2 || (t->mode & (MODE_ONE_INSN | MODE_TF | MODE_AC | MODE_CAREFUL)))
                return;
        planner.t = t;
        for (unsigned i = 0; i < CPU_REGS; i++)
                planner.run[i].open = false;
        for (unsigned i = 0; i < t->planned; i++)
                if (t->plan[i].result == FETCH_OK)
                        plan_insn(&planner, i, &t->plan[i].insn);
        run_close_all(&planner);

        /* Registers go to the most used spans; plan[] refers to spans by number, so sort a copy. */
        struct span order[MAX_SPANS];
        for (unsigned i = 0; i < t->spans; i++) {
                t->span[i].number = (uint8_t)i;
                order[i] = t->span[i];
        }
        qsort(order, t->spans, sizeof *order, more_used_first);
        struct span saved[MAX_SPANS];
        memcpy(saved, t->span, t->spans * sizeof *saved);
        memcpy(t->span, order, t->spans * sizeof *order);
        assign_registers(t);
        for (unsigned i = 0; i < t->spans; i++)
                saved[t->span[i].number].reg = t->span[i].reg;
        memcpy(t->span, saved, t->spans * sizeof *saved);
}

/* -- Emission ---------------------------------------------------------------------------------- */

void translate_span_addend(struct translator *t, uint8_t reg, uint8_t base, int32_t disp)
{
        struct emit *e = &t->e;

        emit_lea64(e, H_RCX, HOST_MEM(base, disp));
        emit_not64(e, H_RCX);
        emit_lea64(e, reg, HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 1));
        emit_lea64(e, reg, HOST_MEM_INDEX(reg, H_RCX, 0, 0));
}

/* The check of a whole span, with the access at hand as the one that may fault. */
static void emit_span_check(struct translator *t, struct span *span, unsigned segment, int32_t disp, unsigned size,
                            uint32_t access)
{
        struct emit *e = &t->e;
        uint8_t base = host_reg(span->base);

        bool wraps = !t->wide && (span->low < -SMALL_CONSTANT || span->high > SMALL_CONSTANT);
        if (wraps)
                emit_lea32(e, H_LINEAR, HOST_MEM(base, span->low));
        else
                emit_lea64(e, H_LINEAR, HOST_MEM(base, span->low));
        struct cold *cold = translate_tlb_probe(t, COLD_SPAN, (unsigned)(span->high - span->low), span->write,
                                                span->base == RSP || span->base == RBP);
        if (wraps)
                translate_span_addend(t, span->reg, base, span->low);
        else
                emit_mov64(e, span->reg, H_ADDEND);
        cold->back = e->p;
        cold->reg = span->reg;
        cold->descriptor = size | access | ACCESS_DESC_SPAN | (span->write ? ACCESS_DESC_SPAN_WRITE : 0) |
                           segment << ACCESS_DESC_SEGMENT_SHIFT;
        cold->base = base;
        cold->disp = disp;
        cold->span_disp = wraps ? 0 : disp;
        cold->span_before = (uint16_t)(disp - span->low);
        cold->span_bytes = (uint16_t)(span->high - span->low);
        cold->exit = translate_careful_exit(t);
        span->checked = true;
}

bool translate_span(struct translator *t, bool stack, int32_t disp, unsigned size, uint32_t access)
{
        unsigned number = stack ? t->plan[t->index].stack_span : t->plan[t->index].span;

        if (number == NO_SPAN || t->span[number].reg == H_NONE)
                return false;
        struct span *span = &t->span[number];
        /* `low` counts from the base as it is at the first access: no other may make the check. */
        if (!span->checked && t->index != span->first)
                return false;
        if (!span->checked)
                emit_span_check(t, span, stack ? SEG_SS : t->insn.segment, disp, size, access);
        t->operand = HOST_MEM_INDEX(host_reg(span->base), span->reg, 0, disp);
        return true;
}
