/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_string.c - MOVS STOS LODS CMPS SCAS INS OUTS, with and without REP (SDM 2B, REP).
 *
 * S1  An element either happens with all of its register changes, or faults with none: at a fault
 *     (E)CX, (E)SI and (E)DI name the element that faulted (traps.md T11).
 * S2  REP goes on for as long as nobody kicks this vCPU; then the instruction is left with next_rip at
 *     itself, having done at least one element.  With TF it does exactly one.
 * S3  REP MOVS and REP STOS upwards go a page at a time, by the host's own instruction with the same
 *     element size, so that overlapping operands propagate as they would in the guest.
 *     With 32-bit addresses in 64-bit mode the registers REP uses lose their upper halves before
 *     anything else, even when the count is zero: RCX always, RSI and RDI of MOVS and STOS (as Intel's do).
 * S4  CMPS and SCAS leave the flags of the last comparison made; a fault leaves those before the
 *     instruction.
 */
#include "cpu/exec.h"
#include "cpu/io.h"
#include "cpu/mode.h"
#include "cpu/operand.h"

enum string_op { OP_MOVS, OP_CMPS, OP_STOS, OP_LODS, OP_SCAS, OP_INS, OP_OUTS };

/* One instruction being carried out. */
struct string {
        enum string_op op;
        unsigned size;                  /* of an element */
        unsigned address_bytes;
        enum cpu_segment source;        /* DS or override; the destination is always ES */
        uint64_t flags;                 /* arithmetic flags of the last comparison */
        bool compared;
};

static uint64_t get_index(const struct cpu *cpu, const struct string *string, enum cpu_reg reg)
{
        return operand_truncate(cpu->regs[reg], string->address_bytes);
}

/* SI, DI and CX change at the address size; 32-bit ones clear the upper half. */
static void set_index(struct cpu *cpu, const struct string *string, enum cpu_reg reg, uint64_t value)
{
        operand_set_reg(cpu, reg, string->address_bytes, 0, value);
}

static void advance(struct cpu *cpu, const struct string *string, enum cpu_reg reg, int64_t elements)
{
        set_index(cpu, string, reg, cpu->regs[reg] + (uint64_t)(elements * cpu->df_step * (int64_t)string->size));
}

/* -- Comparison -------------------------------------------------------------------------------- */

#define COMPARE(type, a, b, flags) \
        __asm__("cmp %2, %1\n\tlahf\n\tseto %%al" : "=&a"(flags) : "r"((type)(a)), "r"((type)(b)) : "cc")

/* Flags of a - b as CMP sets them.  LAHF and SETO, because PUSHF would write below the stack pointer. */
static uint64_t compare_flags(uint64_t a, uint64_t b, unsigned size)
{
        uint32_t flags;

        switch (size) {
        case 1: COMPARE(uint8_t, a, b, flags); break;
        case 2: COMPARE(uint16_t, a, b, flags); break;
        case 4: COMPARE(uint32_t, a, b, flags); break;
        default: COMPARE(uint64_t, a, b, flags); break;
        }
        return (flags >> 8 & (FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF | FLAG_CF)) | (flags & 1 ? FLAG_OF : 0);
}

/* -- One element ------------------------------------------------------------------------------- */

static bool movs_element(struct cpu *cpu, struct string *string)
{
        uint64_t value = 0;

        if (!cpu_read(cpu, string->source, get_index(cpu, string, RSI), &value, string->size) ||
            !cpu_write(cpu, SEG_ES, get_index(cpu, string, RDI), &value, string->size))
                return false;
        advance(cpu, string, RSI, 1);
        advance(cpu, string, RDI, 1);
        return true;
}

static bool cmps_element(struct cpu *cpu, struct string *string)
{
        uint64_t a = 0, b = 0;

        if (!cpu_read(cpu, string->source, get_index(cpu, string, RSI), &a, string->size) ||
            !cpu_read(cpu, SEG_ES, get_index(cpu, string, RDI), &b, string->size))
                return false;
        string->flags = compare_flags(a, b, string->size);
        string->compared = true;
        advance(cpu, string, RSI, 1);
        advance(cpu, string, RDI, 1);
        return true;
}

static bool stos_element(struct cpu *cpu, struct string *string)
{
        if (!cpu_write(cpu, SEG_ES, get_index(cpu, string, RDI), &cpu->regs[RAX], string->size))
                return false;
        advance(cpu, string, RDI, 1);
        return true;
}

static bool lods_element(struct cpu *cpu, struct string *string)
{
        uint64_t value = 0;

        if (!cpu_read(cpu, string->source, get_index(cpu, string, RSI), &value, string->size))
                return false;
        operand_set_reg(cpu, RAX, string->size, 0, value);
        advance(cpu, string, RSI, 1);
        return true;
}

static bool scas_element(struct cpu *cpu, struct string *string)
{
        uint64_t value = 0;

        if (!cpu_read(cpu, SEG_ES, get_index(cpu, string, RDI), &value, string->size))
                return false;
        string->flags = compare_flags(operand_truncate(cpu->regs[RAX], string->size), value, string->size);
        string->compared = true;
        advance(cpu, string, RDI, 1);
        return true;
}

/* The port is read only when its value has a place to go (SDM 2A, INS). */
static bool ins_element(struct cpu *cpu, struct string *string)
{
        uint64_t offset = get_index(cpu, string, RDI);
        uint32_t value;
        gva_t linear;

        if (!cpu_segment_check(cpu, SEG_ES, offset, string->size, ACCESS_WRITE, &linear) ||
            !cpu_probe_write(cpu, linear, string->size, cpu_user_access(cpu)))
                return false;
        value = cpu_io_read(cpu, (uint16_t)cpu->regs[RDX], string->size);
        if (!cpu_write_linear(cpu, linear, &value, string->size, cpu_user_access(cpu)))
                return false;
        advance(cpu, string, RDI, 1);
        return true;
}

static bool outs_element(struct cpu *cpu, struct string *string)
{
        uint32_t value = 0;

        if (!cpu_read(cpu, string->source, get_index(cpu, string, RSI), &value, string->size))
                return false;
        cpu_io_write(cpu, (uint16_t)cpu->regs[RDX], value, string->size);
        advance(cpu, string, RSI, 1);
        return true;
}

static bool one_element(struct cpu *cpu, struct string *string)
{
        switch (string->op) {
        case OP_MOVS: return movs_element(cpu, string);
        case OP_CMPS: return cmps_element(cpu, string);
        case OP_STOS: return stos_element(cpu, string);
        case OP_LODS: return lods_element(cpu, string);
        case OP_SCAS: return scas_element(cpu, string);
        case OP_INS: return ins_element(cpu, string);
        case OP_OUTS: return outs_element(cpu, string);
        }
        __builtin_unreachable();
}

/* -- Many elements (S3) ------------------------------------------------------------------------ */

/* Elements from [offset] that stay within the part of the segment that needs no check, and within one
 * page; 0: go one by one.  *linear is where they begin. */
static uint64_t run_length(const struct cpu *cpu, const struct string *string, enum cpu_segment segment, uint64_t offset,
                           bool write, gva_t *linear)
{
        const struct segment *seg = &cpu->seg[segment];
        uint64_t end = write ? seg->write_end : seg->read_end;
        uint64_t room;

        if (cpu_code64(cpu) || offset >= end)
                return 0;
        *linear = (uint32_t)(seg->base + offset);
        room = PAGE_SIZE - (*linear & ~PAGE_MASK);
        if (room > end - offset)
                room = end - offset;
        /* The index register wraps at the address size before the segment may end. */
        if (string->address_bytes == 2 && room > 0x10000 - offset)
                room = 0x10000 - offset;
        return room / string->size;
}

static void copy_up(uint8_t *to, const uint8_t *from, uint64_t count, unsigned size)
{
        switch (size) {
        case 1: __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
        case 2: __asm__ volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
        case 4: __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
        default: __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
        }
}

static void fill_up(uint8_t *to, uint64_t value, uint64_t count, unsigned size)
{
        switch (size) {
        case 1: __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory"); break;
        case 2: __asm__ volatile("rep stosw" : "+D"(to), "+c"(count) : "a"(value) : "memory"); break;
        case 4: __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(value) : "memory"); break;
        default: __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(value) : "memory"); break;
        }
}

/* Does up to `count` elements at once; *done is 0 when one must go the other way.  False: fault at the
 * element the registers name. */
static bool run_elements(struct cpu *cpu, struct string *string, uint64_t count, uint64_t *done)
{
        bool movs = string->op == OP_MOVS;
        unsigned access = cpu_user_access(cpu);
        uint8_t *to, *from = NULL;
        gva_t to_linear = 0, from_linear = 0;
        uint64_t n;

        *done = 0;
        if ((!movs && string->op != OP_STOS) || cpu->df_step < 0 || (cpu->mode & MODE_AC) || cpu->debug_watch)
                return true;
        n = run_length(cpu, string, SEG_ES, get_index(cpu, string, RDI), true, &to_linear);
        if (movs) {
                uint64_t m = run_length(cpu, string, string->source, get_index(cpu, string, RSI), false, &from_linear);

                n = m < n ? m : n;
        }
        n = count < n ? count : n;
        if (!n)
                return true;
        /* A fault of either page is the first element's, the source's first. */
        if (movs && !tlb_access(cpu, from_linear, (unsigned)n * string->size, access, &from))
                return false;
        if (movs && !from)
                return true;
        if (!tlb_access(cpu, to_linear, (unsigned)n * string->size, access | ACCESS_WRITE, &to))
                return false;
        if (!to)
                return true;
        if (movs) {
                copy_up(to, from, n, string->size);
                advance(cpu, string, RSI, (int64_t)n);
        } else {
                fill_up(to, cpu->regs[RAX], n, string->size);
        }
        advance(cpu, string, RDI, (int64_t)n);
        *done = n;
        return true;
}

/* -- REP --------------------------------------------------------------------------------------- */

void exec_string_truncate(struct cpu *cpu, const struct insn *insn)
{
        unsigned op = insn->code & ~1u;

        if (!cpu_code64(cpu) || insn->address_bytes != 4)
                return;
        cpu->regs[RCX] = (uint32_t)cpu->regs[RCX];
        if (op == 0xa4 || op == 0xaa)
                cpu->regs[RDI] = (uint32_t)cpu->regs[RDI];
        if (op == 0xa4)
                cpu->regs[RSI] = (uint32_t)cpu->regs[RSI];
}

/* REPE (F3) ends when ZF is clear, REPNE (F2) when it is set; only CMPS and SCAS look. */
static bool condition_ends(const struct string *string, uint8_t rep)
{
        return string->compared && !(string->flags & FLAG_ZF) == (rep == 0xf3);
}

static void keep_flags(struct cpu *cpu, const struct string *string)
{
        if (string->compared)
                cpu->rflags = (cpu->rflags & ~(uint64_t)FLAGS_ARITH) | string->flags;
}

static bool repeat(struct cpu *cpu, const struct insn *insn, struct string *string)
{
        exec_string_truncate(cpu, insn);
        uint64_t count = get_index(cpu, string, RCX);

        while (count) {
                uint64_t done;

                if (!run_elements(cpu, string, cpu->rflags & FLAG_TF ? 1 : count, &done))
                        return false;
                if (!done) {
                        if (!one_element(cpu, string))
                                return false;
                        done = 1;
                }
                count -= done;
                set_index(cpu, string, RCX, count);
                if (condition_ends(string, insn->rep))
                        break;
                if (count && ((cpu->rflags & FLAG_TF) || cpu->debug_hits || !__atomic_load_n(&cpu->quiet, __ATOMIC_RELAXED))) {
                        cpu->next_rip = cpu->rip;
                        break;
                }
        }
        keep_flags(cpu, string);
        return true;
}

static bool execute(struct cpu *cpu, const struct insn *insn, enum string_op op)
{
        struct string string = {
                .op = op, .size = insn->code & 1 ? insn->operand_bytes : 1, .address_bytes = insn->address_bytes,
                .source = insn->segment_override ? (enum cpu_segment)insn->segment : SEG_DS,
        };

        if (op == OP_INS || op == OP_OUTS) {
                if (string.size > 4)
                        string.size = 4;
                if (!io_permitted(cpu, (uint16_t)cpu->regs[RDX], string.size))
                        return false;
        }
        if (insn->rep)
                return repeat(cpu, insn, &string);
        if (!one_element(cpu, &string))
                return false;
        keep_flags(cpu, &string);
        return true;
}

bool exec_string(struct cpu *cpu, const struct insn *insn)
{
        switch (insn->code & ~1) {
        case 0xa4: return execute(cpu, insn, OP_MOVS);
        case 0xa6: return execute(cpu, insn, OP_CMPS);
        case 0xaa: return execute(cpu, insn, OP_STOS);
        case 0xac: return execute(cpu, insn, OP_LODS);
        default: return execute(cpu, insn, OP_SCAS);
        }
}

bool exec_ins(struct cpu *cpu, const struct insn *insn)
{
        return execute(cpu, insn, OP_INS);
}

bool exec_outs(struct cpu *cpu, const struct insn *insn)
{
        return execute(cpu, insn, OP_OUTS);
}
