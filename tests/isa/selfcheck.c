/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selfcheck.c - cases with answers written down by hand, so that the runners are not only compared
 * with each other.  Answers follow the SDM's instruction pages (volume 2) and 3A chapter 6.
 */
#include <stdio.h>
#include <string.h>
#include "selfcheck.h"

struct hand_case {
        const char *name;
        uint8_t code[ISA_CODE_MAX];
        uint8_t bytes;
        uint32_t eax, ecx, edx, ebx;            /* before */
        uint32_t flags;                         /* before, besides IF and bit 1 */
        uint16_t cs;                            /* 0: 32-bit flat */
        uint32_t after_eax, after_edx;
        uint32_t vector, error;
        uint32_t cr2;
        int32_t eip;                            /* after, from the start of the instruction */
        uint32_t flag_mask, flag_value;
};

enum { CF = 1, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800 };

static const struct hand_case hand_cases[] = {
        { .name = "add eax,ebx carries", .code = { 0x01, 0xd8 }, .bytes = 2, .eax = 0xffffffff, .ebx = 1, .vector = 3, .eip = 3,
          .flag_mask = CF | AF | ZF | SF | OF, .flag_value = CF | AF | ZF },
        { .name = "aaa adjusts", .code = { 0x37 }, .bytes = 1, .eax = 0x0c, .after_eax = 0x102, .vector = 3, .eip = 2,
          .flag_mask = CF | AF, .flag_value = CF | AF },
        { .name = "div by zero", .code = { 0xf7, 0xf1 }, .bytes = 2, .eax = 7, .edx = 0, .after_eax = 7, .vector = 0 },
        { .name = "div quotient too large", .code = { 0xf7, 0xf1 }, .bytes = 2, .eax = 7, .edx = 9, .ecx = 3, .after_eax = 7,
          .after_edx = 9, .vector = 0 },
        { .name = "load from a hole", .code = { 0x8b, 0x03 }, .bytes = 2, .eax = 5, .ebx = ISA_DATA + 0x2010, .after_eax = 5,
          .vector = 14, .error = 4, .cr2 = ISA_DATA + 0x2010 },
        { .name = "load crosses into a hole", .code = { 0x8b, 0x03 }, .bytes = 2, .eax = 5, .ebx = ISA_DATA + 0x1ffe,
          .after_eax = 5, .vector = 14, .error = 4, .cr2 = ISA_DATA + 0x2000 },
        { .name = "store to a hole", .code = { 0x89, 0x03 }, .bytes = 2, .eax = 5, .ebx = ISA_DATA + 0x2010, .after_eax = 5,
          .vector = 14, .error = 6, .cr2 = ISA_DATA + 0x2010 },
        { .name = "store to a read-only page", .code = { 0x89, 0x03 }, .bytes = 2, .eax = 5, .ebx = ISA_DATA + 0x4010,
          .after_eax = 5, .vector = 14, .error = 7, .cr2 = ISA_DATA + 0x4010 },
        { .name = "movaps misaligned", .code = { 0x0f, 0x28, 0x03 }, .bytes = 3, .ebx = ISA_DATA + 8, .vector = 13 },
        { .name = "hlt is privileged", .code = { 0xf4 }, .bytes = 1, .vector = 13 },
        { .name = "int 21h has no gate for users", .code = { 0xcd, 0x21 }, .bytes = 2, .vector = 13, .error = 0x21 * 8 + 2 },
        { .name = "ud2", .code = { 0x0f, 0x0b }, .bytes = 2, .vector = 6 },
        { .name = "jmp short", .code = { 0xeb, 0x10 }, .bytes = 2, .vector = 3, .eip = 0x13 },
        { .name = "mov eax,imm32", .code = { 0xb8, 0x78, 0x56, 0x34, 0x12 }, .bytes = 5, .after_eax = 0x12345678, .vector = 3, .eip = 6 },
        { .name = "mov ax,imm16 in a 16-bit segment", .code = { 0xb8, 0x78, 0x56 }, .bytes = 3, .cs = ISA_SEL_CODE16,
          .eax = 0xaaaaaaaa, .after_eax = 0xaaaa5678, .vector = 3, .eip = 4 },
        { .name = "load beyond a segment's limit", .code = { 0x65, 0x8b, 0x03 }, .bytes = 3, .eax = 9, .ebx = 0x1ffe, .after_eax = 9,
          .vector = 13 },
        { .name = "load from ES", .code = { 0x26, 0x8b, 0x03 }, .bytes = 3, .eax = 9, .ebx = 0x2000, .after_eax = 9, .vector = 14,
          .error = 4, .cr2 = ISA_DATA + 0x2000 },
};

unsigned isa_selfcheck_fill(struct isa_shared *shared, bool has_ldt)
{
        unsigned n = 0;

        for (unsigned i = 0; i < sizeof(hand_cases) / sizeof(hand_cases[0]); i++) {
                const struct hand_case *hand = &hand_cases[i];
                struct isa_case *c = &shared->cases[n];
                uint32_t offset = 0x100 + i * 64;

                if (!has_ldt && (hand->cs || hand->code[0] == 0x65 || hand->code[0] == 0x26))
                        continue;
                memset(c, 0, sizeof(*c));
                c->code_linear = ISA_CODE + offset;
                memcpy(c->code, hand->code, hand->bytes);
                c->code_bytes = hand->bytes;
                c->before.eip = hand->cs ? offset : c->code_linear;
                c->before.eflags = 0x202 | hand->flags;
                c->before.gpr[ISA_EAX] = hand->eax;
                c->before.gpr[ISA_ECX] = hand->ecx;
                c->before.gpr[ISA_EDX] = hand->edx;
                c->before.gpr[ISA_EBX] = hand->ebx;
                c->before.gpr[ISA_ESP] = ISA_STACK;
                c->before.seg[ISA_CS] = hand->cs ? hand->cs : ISA_SEL_CODE32;
                c->before.seg[ISA_DS] = c->before.seg[ISA_SS] = ISA_SEL_FLAT;
                c->before.seg[ISA_ES] = has_ldt ? ISA_SEL_DATA : ISA_SEL_FLAT;
                c->before.seg[ISA_GS] = has_ldt ? ISA_SEL_SMALL : 0;
                c->before.fx.fcw = 0x37f;
                c->before.fx.mxcsr = 0x1f80;
                c->form = i;
                c->what = hand->name;
                n++;
        }
        shared->count = n;
        return n;
}

unsigned isa_selfcheck_verify(const struct isa_shared *shared, const char *runner)
{
        unsigned failures = 0;

        for (unsigned i = 0; i < shared->count; i++) {
                const struct isa_case *c = &shared->cases[i];
                const struct isa_result *r = &shared->results[i];
                const struct hand_case *hand = &hand_cases[c->form];

                if (r->vector == hand->vector && r->error == hand->error && r->cr2 == hand->cr2 &&
                    r->after.eip == c->before.eip + (uint32_t)hand->eip &&
                    (hand->vector != 3 || (r->after.eflags & hand->flag_mask) == hand->flag_value) &&
                    r->after.gpr[ISA_EAX] == hand->after_eax && r->after.gpr[ISA_EDX] == hand->after_edx &&
                    r->after.gpr[ISA_ESP] == ISA_STACK)
                        continue;
                printf("FAIL hand case \"%s\" (%s): vector %u error %x cr2 %x eip %+d eax %x edx %x flags %x esp %x %s\n", hand->name,
                       runner, r->vector, r->error, r->cr2, (int)(r->after.eip - c->before.eip), r->after.gpr[ISA_EAX],
                       r->after.gpr[ISA_EDX], r->after.eflags, r->after.gpr[ISA_ESP], r->note);
                failures++;
        }
        return failures;
}
