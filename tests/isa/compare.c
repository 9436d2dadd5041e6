/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compare.c - whether two results of one case agree, and cases and differences as text.
 *
 * Flags the row calls undefined do not count, but are reported apart: where the translator copies an
 * instruction they agree all the same, and where they do not, a handler in C chose otherwise.
 *
 * A few more differences are choices the SDM leaves to each processor, or come from how the native
 * runner looks at its CPU.  agree_on_choices() removes them before comparing; nothing else is excused.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "compare.h"
#include "cpu/cpu.h"
#include "cpu/insn.h"

struct text {
        char *at;
        size_t left;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vsnprintf(text->at, text->left, format, arguments);
        va_end(arguments);
        if (n < 0)
                return;
        if ((size_t)n >= text->left)
                n = text->left ? (int)text->left - 1 : 0;
        text->at += n;
        text->left -= (size_t)n;
}

static const char *const register_names[8] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
static const char *const segment_names[ISA_SEGMENTS] = { "es", "cs", "ss", "ds", "fs", "gs" };

static void put_bytes(struct text *text, const uint8_t *bytes, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                put(text, "%02x", bytes[i]);
}

static void compare_diffs(struct text *text, const char *name, const struct isa_diff *expected, const struct isa_diff *got)
{
        unsigned n = expected->size < ISA_DIFF_BYTES ? expected->size : ISA_DIFF_BYTES;

        if (expected->start == got->start && expected->size == got->size && !memcmp(expected->bytes, got->bytes, n))
                return;
        put(text, " %s: expected %x+%u:", name, expected->start, expected->size);
        put_bytes(text, expected->bytes, expected->size < 32 ? expected->size : 32);
        put(text, " got %x+%u:", got->start, got->size);
        put_bytes(text, got->bytes, got->size < 32 ? got->size : 32);
        if (expected->start == got->start && expected->size == got->size)
                for (unsigned i = 0; i < n; i++)
                        if (expected->bytes[i] != got->bytes[i]) {
                                put(text, " (first at +%u: %02x, %02x)", i, expected->bytes[i], got->bytes[i]);
                                break;
                        }
}

static void compare_fx(struct text *text, const struct isa_fx *expected, const struct isa_fx *got)
{
#define FIELD(name, format) \
        if (expected->name != got->name) \
                put(text, " " #name ": expected " format " got " format, expected->name, got->name)
        FIELD(fcw, "%x");
        FIELD(fsw, "%x");
        FIELD(ftw, "%x");
        FIELD(fop, "%x");
        FIELD(mxcsr, "%x");
#undef FIELD
        if (expected->ip != got->ip)
                put(text, " fip: expected %llx got %llx", (unsigned long long)expected->ip, (unsigned long long)got->ip);
        if (expected->dp != got->dp)
                put(text, " fdp: expected %llx got %llx", (unsigned long long)expected->dp, (unsigned long long)got->dp);
        for (unsigned i = 0; i < 8; i++) {
                if (memcmp(expected->st[i], got->st[i], 10)) {
                        put(text, " st%u: expected ", i);
                        put_bytes(text, expected->st[i], 10);
                        put(text, " got ");
                        put_bytes(text, got->st[i], 10);
                }
                if (memcmp(expected->xmm[i], got->xmm[i], 16)) {
                        put(text, " xmm%u: expected ", i);
                        put_bytes(text, expected->xmm[i], 16);
                        put(text, " got ");
                        put_bytes(text, got->xmm[i], 16);
                }
        }
}

static bool is_memory_fault(uint32_t vector)
{
        return vector == 12 || vector == 13 || vector == 14 || vector == 17;
}

static bool is_far_call(const struct opcode *opcode)
{
        return opcode->operands[0] == OPERAND_Ap || opcode->operands[0] == OPERAND_Mp;
}

static void agree_on_choices(const struct isa_case *c, const struct opcode *opcode, struct isa_result *expected,
                             struct isa_result *got)
{
        /* FOP and FDP: many processors write them at unmasked exceptions only (SDM 1, 8.1.8 and 8.1.9). */
        if (expected->after.fx.fop == c->before.fx.fop)
                expected->after.fx.fop = got->after.fx.fop;
        if (expected->after.fx.dp == c->before.fx.dp)
                expected->after.fx.dp = got->after.fx.dp;
        /* The kernel's IRET clears the RPL of null selectors in DS, ES, FS and GS. */
        for (unsigned i = 0; i < ISA_SEGMENTS; i++)
                if (expected->after.seg[i] == 0 && got->after.seg[i] < 4)
                        got->after.seg[i] = 0;
        /* LAR: bits 16 to 19 are undefined (SDM 2A, LAR). */
        if (!strcmp(opcode->name, "lar"))
                for (unsigned i = 0; i < 8; i++)
                        if (!((expected->after.gpr[i] ^ got->after.gpr[i]) & ~0xf0000u))
                                got->after.gpr[i] = expected->after.gpr[i];
        /* The order in which the parts of a state image are accessed, so which fault comes first. */
        if (opcode->operands[0] == OPERAND_M && is_memory_fault(expected->vector) && is_memory_fault(got->vector)) {
                got->vector = expected->vector;
                got->error = expected->error;
                got->cr2 = expected->cr2;
        }
        /* An MMX instruction whose operand faults may have switched the x87 registers to MMX before. */
        if ((opcode->attr & ATTR_MMX) && is_memory_fault(expected->vector)) {
                expected->after.fx.fsw = got->after.fx.fsw;
                expected->after.fx.ftw = got->after.fx.ftw;
                memcpy(expected->after.fx.st, got->after.fx.st, sizeof(got->after.fx.st));
        }
        /* Whether the limit for the target or the one for the stack is checked first. */
        if (opcode->kind == KIND_CALL_IND && (expected->vector == EXC_SS || expected->vector == EXC_GP) &&
            (got->vector == EXC_SS || got->vector == EXC_GP))
                got->vector = expected->vector;
        /* A call that faults may have pushed something, and a ten-byte store that faults in its second page may have
         * written to the first; POPA may have loaded some of the registers. */
        if ((is_far_call(opcode) || opcode->kind == KIND_CALL_IND || opcode->operands[0] == OPERAND_Mt) &&
            is_memory_fault(expected->vector) && got->data.size == 0 && got->stack.size == 0) {
                expected->stack = got->stack;
                expected->data = got->data;
        }
        if (opcode->kind == KIND_POPA && is_memory_fault(expected->vector) &&
            !memcmp(got->after.gpr, c->before.gpr, sizeof(got->after.gpr)))
                memcpy(expected->after.gpr, got->after.gpr, sizeof(got->after.gpr));
        /* Between two elements CMPS and SCAS may show the flags of the last one, or those from before. */
        if (opcode->kind == KIND_STRING && expected->vector == EXC_DB && expected->after.eip == c->before.eip)
                expected->after.eflags = (expected->after.eflags & ~(uint32_t)FLAGS_ARITH) | (got->after.eflags & FLAGS_ARITH);
}

enum isa_verdict isa_compare(const struct isa_case *c, const struct opcode *opcode, const struct isa_result *native,
                             const struct isa_result *other, char *buffer, size_t buffer_bytes)
{
        static struct isa_result agreed[2];
        struct isa_result *expected = &agreed[0], *got = &agreed[1];
        struct text text = { buffer, buffer_bytes };
        uint32_t undefined = opcode->flags_undefined, flags;

        *expected = *native;
        *got = *other;
        agree_on_choices(c, opcode, expected, got);
        flags = expected->after.eflags ^ got->after.eflags;
        buffer[0] = 0;
        if (got->vector == ISA_VECTOR_SKIPPED)
                return ISA_SKIPPED;
        if (expected->vector != got->vector || expected->error != got->error || expected->cr2 != got->cr2)
                put(&text, " vector: expected %u error %x cr2 %x got %u error %x cr2 %x %s", expected->vector, expected->error,
                    expected->cr2, got->vector, got->error, got->cr2, got->note);
        if (got->vector >= ISA_VECTOR_TIMEOUT || expected->vector >= ISA_VECTOR_TIMEOUT)
                return buffer[0] ? ISA_DIFFERENT : ISA_EQUAL;
        for (unsigned i = 0; i < 8; i++)
                if (expected->after.gpr[i] != got->after.gpr[i])
                        put(&text, " %s: expected %x got %x", register_names[i], expected->after.gpr[i], got->after.gpr[i]);
        if (expected->after.eip != got->after.eip)
                put(&text, " eip: expected %x got %x", expected->after.eip, got->after.eip);
        if (flags & ~undefined)
                put(&text, " eflags: expected %x got %x", expected->after.eflags, got->after.eflags);
        for (unsigned i = 0; i < ISA_SEGMENTS; i++)
                if (expected->after.seg[i] != got->after.seg[i])
                        put(&text, " %s: expected %x got %x", segment_names[i], expected->after.seg[i], got->after.seg[i]);
        compare_fx(&text, &expected->after.fx, &got->after.fx);
        compare_diffs(&text, "data", &expected->data, &got->data);
        compare_diffs(&text, "stack", &expected->stack, &got->stack);
        if (buffer[0])
                return ISA_DIFFERENT;
        if (flags) {
                put(&text, " undefined eflags: host %x got %x", expected->after.eflags, got->after.eflags);
                return ISA_UNDEFINED_DIFFERS;
        }
        return ISA_EQUAL;
}

void isa_describe_case(const struct isa_case *c, const struct opcode *opcode, char *buffer, size_t buffer_bytes)
{
        struct text text = { buffer, buffer_bytes };

        put(&text, "%s [%s] ", opcode->form, c->what);
        put_bytes(&text, c->code, c->code_bytes);
        put(&text, " at %x", c->code_linear);
        for (unsigned i = 0; i < 8; i++)
                put(&text, " %s=%x", register_names[i], c->before.gpr[i]);
        put(&text, " eflags=%x", c->before.eflags);
        for (unsigned i = 0; i < ISA_SEGMENTS; i++)
                put(&text, " %s=%x", segment_names[i], c->before.seg[i]);
        if (opcode->attr & (ATTR_X87 | ATTR_MMX))
                put(&text, " fcw=%x fsw=%x ftw=%x", c->before.fx.fcw, c->before.fx.fsw, c->before.fx.ftw);
        if (opcode->attr & ATTR_SSE)
                put(&text, " mxcsr=%x", c->before.fx.mxcsr);
        if (c->operand_linear)
                put(&text, " operand at %x", c->operand_linear);
}
