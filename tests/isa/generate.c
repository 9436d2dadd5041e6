/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generate.c - makes cases out of the rows of the opcode table.
 *
 * The rows do not say how they are encoded, and need not: the generator asks the decoder about every
 * opcode byte of every map, with every mandatory prefix and every ModRM byte, and notes which row each
 * belongs to.  A case then is one of those encodings with prefixes, SIB, displacement and immediate
 * filled in at random, decoded once more to learn where its memory operand is, and registers chosen so
 * that the operand lies where the case wants it.
 *
 * Everything comes from one seed, the row's name and the case's number, so that a case can be repeated
 * alone.  Operand values are in values.c.
 *
 * Invariants:
 * G1  No case holds an instruction that would enter the host's kernel (native.c, N3).
 * G2  Selectors come from a list whose descriptors the translator's world mirrors (world.c).
 * G3  Addresses stay below 7FFF0000h: what a sanitizer maps above is not ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/mode.h"
#include "generate.h"

struct encoding {
        uint8_t prefix;                 /* one it cannot do without: mandatory, or a size that selects the row */
        bool mandatory;
        uint8_t map, code;
        bool has_modrm;
        uint64_t modrm[4];              /* bit set: which ModRM bytes give this row */
};

struct row {
        struct isa_form form;
        struct encoding *encodings;
};

struct isa_generator {
        uint64_t seed;
        unsigned cases_per_form;
        bool has_ldt;
        unsigned rows;
        struct row *row;
        uint64_t features[2];
};

/* -- Rows and their encodings ------------------------------------------------------------------ */

static void add_row(const struct opcode *opcode, void *opaque)
{
        struct isa_generator *g = opaque;

        if (g->rows % 64 == 0)
                g->row = realloc(g->row, (g->rows + 64) * sizeof(*g->row));
        memset(&g->row[g->rows], 0, sizeof(*g->row));
        g->row[g->rows++].form.opcode = opcode;
}

static int compare_opcodes(const void *a, const void *b)
{
        const struct row *left = a, *right = b;

        return left->form.opcode < right->form.opcode ? -1 : left->form.opcode > right->form.opcode;
}

static struct row *find_row(struct isa_generator *g, const struct opcode *opcode)
{
        struct row key = { .form.opcode = opcode };

        return bsearch(&key, g->row, g->rows, sizeof(*g->row), compare_opcodes);
}

static void note_encoding(struct isa_generator *g, const struct insn *insn, uint8_t prefix, uint8_t modrm)
{
        struct row *row = find_row(g, insn->opcode);
        bool mandatory = prefix && insn->mandatory == prefix;
        struct encoding *e = NULL;

        if (!row)
                return;
        for (unsigned i = row->form.encodings; i > 0; i--) {
                struct encoding *old = &row->encodings[i - 1];

                if (old->map != insn->map || old->code != insn->code)
                        continue;
                if (old->prefix == prefix)
                        e = old;
                else if (old->prefix == 0 && !mandatory)
                        return;         /* the prefix only changes a size, or nothing */
        }
        if (!e) {
                row->encodings = realloc(row->encodings, (row->form.encodings + 1) * sizeof(*row->encodings));
                e = &row->encodings[row->form.encodings++];
                *e = (struct encoding){ .prefix = prefix, .mandatory = mandatory, .map = insn->map, .code = insn->code,
                                        .has_modrm = insn->has_modrm };
        }
        e->modrm[modrm / 64] |= UINT64_C(1) << (modrm % 64);
}

static unsigned put_opcode(uint8_t *bytes, uint8_t map, uint8_t code)
{
        unsigned n = 0;

        if (map != MAP_PRIMARY)
                bytes[n++] = 0x0f;
        if (map == MAP_0F38 || map == MAP_0F3A)
                bytes[n++] = map == MAP_0F38 ? 0x38 : 0x3a;
        bytes[n++] = code;
        return n;
}

enum { CODE32_MODE = MODE_CODE32 | MODE_STACK32 | MODE_PROTECTED | MODE_USER };

/* Decodes; rows of reserved opcodes (UD2 and its like) count although their decoding is #UD. */
static bool accepts(struct insn *insn, const uint8_t *bytes, uint64_t mode, const uint64_t features[2])
{
        enum decode_result result = insn_decode(insn, bytes, ISA_CODE_MAX - 1, mode, features);

        return result == DECODE_OK || (result == DECODE_UD && insn->opcode && insn->opcode->kind == KIND_INVALID && !insn->lock);
}

static void find_encodings(struct isa_generator *g)
{
        static const uint8_t prefixes[] = { 0, 0x66, 0xf2, 0xf3, 0x67 };

        for (unsigned p = 0; p < sizeof(prefixes); p++)
                for (unsigned map = MAP_PRIMARY; map <= MAP_0F3A; map++)
                        for (unsigned code = 0; code < 256; code++)
                                for (unsigned modrm = 0; modrm < 256; modrm++) {
                                        uint8_t bytes[24] = { 0 };
                                        struct insn insn = { 0 };
                                        unsigned n = 0;

                                        if (prefixes[p])
                                                bytes[n++] = prefixes[p];
                                        n += put_opcode(bytes + n, (uint8_t)map, (uint8_t)code);
                                        bytes[n] = (uint8_t)modrm;
                                        if (!accepts(&insn, bytes, CODE32_MODE, g->features))
                                                continue;
                                        if (insn.map != map || insn.code != code)
                                                break;  /* an escape or a prefix, not an opcode */
                                        note_encoding(g, &insn, prefixes[p], insn.has_modrm ? (uint8_t)modrm : 0);
                                        if (!insn.has_modrm)
                                                break;
                                }
}

static int compare_names(const void *a, const void *b)
{
        const struct row *left = a, *right = b;

        return strcmp(left->form.opcode->form, right->form.opcode->form);
}

struct isa_generator *isa_generator_new(uint64_t seed, unsigned cases_per_form, bool has_ldt, const uint64_t features[2])
{
        struct isa_generator *g = calloc(1, sizeof(*g));

        g->seed = seed;
        g->cases_per_form = cases_per_form;
        g->has_ldt = has_ldt;
        g->features[0] = features[0];
        g->features[1] = features[1];
        opcode_each(add_row, g);
        qsort(g->row, g->rows, sizeof(*g->row), compare_opcodes);
        find_encodings(g);
        qsort(g->row, g->rows, sizeof(*g->row), compare_names);
        return g;
}

void isa_generator_free(struct isa_generator *g)
{
        for (unsigned i = 0; i < g->rows; i++)
                free(g->row[i].encodings);
        free(g->row);
        free(g);
}

unsigned isa_generator_forms(struct isa_generator *g)
{
        return g->rows;
}

struct isa_form *isa_generator_form(struct isa_generator *g, unsigned index)
{
        return &g->row[index].form;
}

/* -- Building one case ------------------------------------------------------------------------- */

/* What is special about a case.  Fault kinds come round for every row; those that do not fit a row
 * become plain ones. */
enum special {
        SPECIAL_PLAIN, SPECIAL_UNMAPPED, SPECIAL_CROSS_IN, SPECIAL_CROSS_OUT, SPECIAL_READ_ONLY, SPECIAL_MISALIGNED,
        SPECIAL_CODE_END, SPECIAL_CODE_CROSS, SPECIAL_BAD_LOCK, SPECIAL_STEP, SPECIAL_ALIGN_CHECK, SPECIAL_STACK_END,
        SPECIAL_STACK_TOP, SPECIAL_LIMIT, SPECIAL_UNMASKED, SPECIAL_PENDING, SPECIAL_COUNT
};

static const char *const special_names[SPECIAL_COUNT] = {
        "plain", "operand unmapped", "operand crosses into a hole", "operand starts in a hole", "operand read-only",
        "operand misaligned", "code ends at a hole", "code crosses pages", "LOCK where it may not be", "single step",
        "alignment check", "stack ends below", "stack ends above", "segment limit", "exceptions unmasked",
        "x87 exception pending",
};

struct build {
        struct isa_generator *g;
        struct isa_random random;
        const struct opcode *opcode;
        const struct encoding *encoding;
        struct isa_case *c;
        enum special special;
        uint64_t mode;
        struct insn insn;
        unsigned modrm_at;              /* offset of the ModRM byte in code[] */
};

static bool row_is(const struct opcode *opcode, const char *name)
{
        return !strcmp(opcode->name, name);
}

static uint8_t pick_modrm(struct build *b)
{
        const struct encoding *e = b->encoding;
        bool want_memory = isa_chance(&b->random, 3, 5);

        /* A fault of the operand needs one. */
        if (b->special >= SPECIAL_UNMAPPED && b->special <= SPECIAL_MISALIGNED)
                want_memory = true;
        for (unsigned attempt = 0; attempt < 2000; attempt++) {
                uint8_t modrm = (uint8_t)isa_random(&b->random);

                /* Three of the four values of mod are memory. */
                if (attempt < 1000 && (modrm < 0xc0) != want_memory)
                        continue;
                if (e->modrm[modrm / 64] >> (modrm % 64) & 1)
                        return modrm;
        }
        for (unsigned modrm = 0; modrm < 256; modrm++)
                if (e->modrm[modrm / 64] >> (modrm % 64) & 1)
                        return (uint8_t)modrm;
        return 0;
}

/* Prefixes in a random order; false when the row does not survive them. */
static bool put_bytes(struct build *b)
{
        static const uint8_t overrides[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
        struct isa_random *r = &b->random;
        struct isa_case *c = b->c;
        uint8_t prefix[8], bytes[32];
        unsigned prefixes = 0, n = 0;
        bool string = b->opcode->kind == KIND_STRING;

        if (b->encoding->prefix)
                prefix[prefixes++] = b->encoding->prefix;
        if (b->encoding->mandatory)
                ;                       /* another one could select another row; and F3 BSF is TZCNT on a later host */
        else if (string && isa_chance(r, 1, 2))
                prefix[prefixes++] = isa_chance(r, 1, 2) ? 0xf2 : 0xf3;
        else if (isa_chance(r, 1, 40) && !row_is(b->opcode, "bsf") && !row_is(b->opcode, "bsr"))
                prefix[prefixes++] = isa_chance(r, 1, 2) ? 0xf2 : 0xf3;
        if (b->encoding->prefix != 0x66 && isa_chance(r, 1, 3))
                prefix[prefixes++] = 0x66;
        if (b->encoding->prefix != 0x67 && isa_chance(r, 1, 5))
                prefix[prefixes++] = 0x67;
        if (isa_chance(r, 1, 4))
                prefix[prefixes++] = overrides[isa_random(r) % 6];
        if (b->special == SPECIAL_BAD_LOCK || ((b->opcode->attr & ATTR_LOCK) && isa_chance(r, 1, 3)))
                prefix[prefixes++] = 0xf0;
        for (unsigned i = prefixes; i > 1; i--) {
                unsigned j = isa_random(r) % i;
                uint8_t t = prefix[i - 1];

                prefix[i - 1] = prefix[j];
                prefix[j] = t;
        }
        memcpy(bytes, prefix, prefixes);
        n = prefixes + put_opcode(bytes + prefixes, b->encoding->map, b->encoding->code);
        b->modrm_at = n;
        if (b->encoding->has_modrm)
                bytes[n++] = pick_modrm(b);
        while (n < sizeof(bytes))
                bytes[n++] = isa_interesting_byte(r);

        bool accepted = accepts(&b->insn, bytes, b->mode, b->g->features);

        if (b->special == SPECIAL_BAD_LOCK) {
                if (accepted)
                        return false;
                c->length = n = b->modrm_at + 8;
                memcpy(c->code, bytes, ISA_CODE_MAX);
                c->code_bytes = ISA_CODE_MAX;
                return true;
        }
        if (!accepted || b->insn.opcode != b->opcode || b->insn.length == 0)
                return false;
        c->length = c->code_bytes = b->insn.length;
        memcpy(c->code, bytes, b->insn.length);
        return true;
}

/* N3: would it enter the host's kernel? */
static bool enters_kernel(const struct build *b)
{
        const struct insn *insn = &b->insn;

        if (insn->map == MAP_0F && (insn->code == 0x05 || insn->code == 0x34))
                return true;
        return insn->map == MAP_PRIMARY && insn->code == 0xcd && insn->imm == 0x80;
}

static void put_little(uint8_t *to, uint32_t value, unsigned bytes)
{
        for (unsigned i = 0; i < bytes; i++)
                to[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t segment_base(uint16_t selector)
{
        return (selector & 4) && (selector >> 3) < ISA_LDT_ENTRIES ? isa_ldt[selector >> 3].base : 0;
}

static int isa_segment_of(unsigned segment)
{
        static const int map[] = { [SEG_ES] = ISA_ES, [SEG_CS] = ISA_CS, [SEG_SS] = ISA_SS, [SEG_DS] = ISA_DS,
                                   [SEG_FS] = ISA_FS, [SEG_GS] = ISA_GS };

        return map[segment];
}

/* A linear address for an operand of `size` bytes. */
static uint32_t pick_target(struct build *b, unsigned size, bool align16)
{
        struct isa_random *r = &b->random;
        uint32_t inside = isa_random(r) % 0xe00 + 0x100;

        if (align16 && b->special != SPECIAL_MISALIGNED)
                inside &= ~15u;
        else if (isa_chance(r, 1, 2))
                inside &= ~7u;
        switch (b->special) {
        case SPECIAL_UNMAPPED:
                return ISA_DATA + 0x2000 + inside;
        case SPECIAL_CROSS_IN:
                return ISA_DATA + 0x2000 - (size > 1 ? 1 + isa_random(r) % (size - 1) : 0);
        case SPECIAL_CROSS_OUT:
                return ISA_DATA + 0x3000 - (size > 1 ? 1 + isa_random(r) % (size - 1) : 1);
        case SPECIAL_READ_ONLY:
                return ISA_DATA + 0x4000 + inside;
        case SPECIAL_MISALIGNED:
                return ISA_DATA + (inside | 1);
        case SPECIAL_LIMIT:
                return ISA_DATA + 0x2000 - isa_random(r) % (size + 2);
        default:
                break;
        }
        if (isa_chance(r, 1, 8) && !align16)
                return ISA_DATA + 0x1000 - isa_random(r) % (size + 1);  /* across two mapped pages */
        return ISA_DATA + inside + (isa_chance(r, 1, 4) ? 0x1000 : 0);
}

/* Makes base + index * scale + disp come to offset. */
static void aim_registers(struct build *b, uint32_t offset)
{
        struct insn *insn = &b->insn;
        uint32_t *gpr = b->c->before.gpr;
        unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;
        bool wide = insn->address_bytes == 4;
        uint32_t mask = wide ? 0xffffffff : 0xffff;
        unsigned disp_at = b->modrm_at + 1 + (wide && rm == 4), disp_bytes;
        uint32_t disp = (uint32_t)insn->disp, rest;

        if (insn->base == REG_NONE && mod == 0)
                disp_bytes = wide ? 4 : 2;
        else
                disp_bytes = mod == 1 ? 1 : mod == 2 ? (wide ? 4 : 2) : 0;
        if (insn->base == REG_NONE) {
                uint32_t scaled = insn->index == REG_NONE ? 0 : gpr[insn->index] << insn->scale;

                put_little(b->c->code + disp_at, offset - scaled, disp_bytes);
                return;
        }
        rest = offset - disp;
        if (insn->index == REG_NONE) {
                gpr[insn->base] = (gpr[insn->base] & ~mask) | (rest & mask);
        } else if (insn->index != insn->base) {
                rest -= gpr[insn->index] << insn->scale;
                gpr[insn->base] = (gpr[insn->base] & ~mask) | (rest & mask);
        } else if (insn->scale == 0) {
                gpr[insn->base] = rest / 2;     /* an odd rest comes out one byte off, which is as good */
        } else {
                uint32_t factor = 1 + (1u << insn->scale), inverse = factor;

                for (unsigned i = 0; i < 5; i++)        /* Newton's iteration modulo 2^32 */
                        inverse *= 2 - factor * inverse;
                gpr[insn->base] = rest * inverse;
        }
}

static void add_patch(struct isa_case *c, uint32_t address, const void *bytes, uint32_t size)
{
        if (c->patches == ISA_PATCHES || address < ISA_DATA || address >= ISA_DATA + ISA_DATA_BYTES)
                return;
        if (address + size > ISA_DATA + ISA_DATA_BYTES)
                size = ISA_DATA + ISA_DATA_BYTES - address;
        c->patch[c->patches].address = address;
        c->patch[c->patches].size = size;
        memcpy(c->patch[c->patches].bytes, bytes, size);
        c->patches++;
}

/* The linear address the ModRM, moffs, XLAT or implicit operand really has, after all choices. */
static uint32_t operand_linear(const struct build *b)
{
        const struct insn *insn = &b->insn;
        const uint32_t *gpr = b->c->before.gpr;
        uint32_t mask = insn->address_bytes == 4 ? 0xffffffff : 0xffff, offset = (uint32_t)insn->disp;

        if (insn->base != REG_NONE)
                offset += gpr[insn->base];
        if (insn->index != REG_NONE)
                offset += gpr[insn->index] << insn->scale;
        return (offset & mask) + segment_base(b->c->before.seg[isa_segment_of(insn->segment)]);
}

/* A segment through which 16-bit offsets reach DATA, or the limit of the operand's segment. */
static void choose_operand_segment(struct build *b)
{
        struct isa_case *c = b->c;
        int segment = isa_segment_of(b->insn.segment);

        if (!b->g->has_ldt || segment == ISA_CS)
                return;
        if (b->special == SPECIAL_LIMIT)
                c->before.seg[segment] = ISA_SEL_SMALL;
        else if (b->insn.address_bytes == 2 || isa_chance(&b->random, 1, 6))
                c->before.seg[segment] = ISA_SEL_DATA;
        if (segment != ISA_SS && isa_chance(&b->random, 1, 60))
                c->before.seg[segment] = isa_chance(&b->random, 1, 2) ? ISA_SEL_READONLY : 0;
}

static uint16_t pick_selector(struct build *b)
{
        static const uint16_t selectors[] = {
                0, 3, ISA_SEL_FLAT, ISA_SEL_CODE32, 0x20, 0x28, ISA_SEL_DATA, ISA_SEL_CODE16, ISA_SEL_SMALL, ISA_SEL_STACK16,
                ISA_SEL_READONLY, ISA_SEL_EXPAND, ISA_SEL_ABSENT, ISA_SEL_CODE_DATA, ISA_SEL_DATA & ~3, 0x47, 0xfff7,
        };

        /* Without an LDT only what the GDT has. */
        return selectors[isa_random(&b->random) % (b->g->has_ldt ? sizeof(selectors) / sizeof(selectors[0]) : 6)];
}

static bool takes_selector(const struct opcode *opcode)
{
        return opcode->operands[0] == OPERAND_Sw || opcode->kind == KIND_POP_SEG || row_is(opcode, "lar") ||
               row_is(opcode, "lsl") || row_is(opcode, "verr") || row_is(opcode, "verw") || row_is(opcode, "arpl");
}

static bool is_far(const struct opcode *opcode)
{
        for (unsigned i = 0; i < 4; i++)
                if (opcode->operands[i] == OPERAND_Ap || opcode->operands[i] == OPERAND_Mp)
                        return true;
        return row_is(opcode, "retf") || row_is(opcode, "lret") || row_is(opcode, "iret") || row_is(opcode, "iretd");
}

/* An instruction pointer, relative to the code segment, that leads to INT3 in CODE. */
static uint32_t pick_landing(struct build *b, bool code16)
{
        uint32_t slot = 0x400 + (isa_random(&b->random) % 0xf000 & ~63u);

        /* In the second half of a slot, where no instruction under test lies: it would go round for ever. */
        return (code16 ? 0 : ISA_CODE) + slot + 32 + isa_random(&b->random) % 16;
}

/* Words on the stack that RET, IRET, POP and their like find. */
static void put_stack(struct build *b)
{
        struct isa_case *c = b->c;
        struct isa_random *r = &b->random;
        bool code16 = c->before.seg[ISA_CS] == ISA_SEL_CODE16;
        uint8_t bytes[ISA_PATCH_BYTES];
        uint32_t linear = c->before.gpr[ISA_ESP];
        unsigned size = b->insn.operand_bytes == 2 ? 2 : 4, step = size;

        if (c->before.seg[ISA_SS] == ISA_SEL_STACK16)
                linear = ISA_DATA + (linear & 0xffff);
        else
                linear += segment_base(c->before.seg[ISA_SS]);
        isa_fill_integers(r, bytes, sizeof(bytes));
        if (b->opcode->kind == KIND_RET || is_far(b->opcode)) {
                bool far = is_far(b->opcode);
                uint16_t cs = c->before.seg[ISA_CS];

                if (far && isa_chance(r, 1, 3))
                        cs = isa_chance(r, 1, 2) ? pick_selector(b) : (b->g->has_ldt && !code16) ? ISA_SEL_CODE16 : ISA_SEL_CODE32;
                put_little(bytes, pick_landing(b, cs == ISA_SEL_CODE16), size);
                if (far) {
                        put_little(bytes + step, cs, 2);
                        /* IRET's flags; NT would make the next IRET a task switch. */
                        put_little(bytes + 2 * step, (isa_random32(r) & 0x244dd5) | 2, size);
                        /* An outer frame that a wrong privilege level must not reach. */
                        put_little(bytes + 3 * step, ISA_STACK, size);
                        put_little(bytes + 4 * step, ISA_SEL_FLAT, size);
                }
        } else if (takes_selector(b->opcode)) {
                put_little(bytes, pick_selector(b), 2);
        }
        add_patch(c, linear, bytes, 40);
}

/* Bytes behind the memory operand. */
static void put_operand(struct build *b, uint32_t linear)
{
        struct isa_case *c = b->c;
        struct isa_random *r = &b->random;
        const struct opcode *opcode = b->opcode;
        uint8_t bytes[ISA_PATCH_BYTES];
        bool code16 = c->before.seg[ISA_CS] == ISA_SEL_CODE16;

        if (opcode->attr & (ATTR_X87 | ATTR_SSE | ATTR_MMX))
                isa_fill_floats(r, bytes, sizeof(bytes), b->insn.memory_bytes);
        else
                isa_fill_integers(r, bytes, sizeof(bytes));
        if (opcode->kind == KIND_JMP_IND || opcode->kind == KIND_CALL_IND || is_far(opcode)) {
                uint16_t cs = code16 ? ISA_SEL_CODE16 : ISA_SEL_CODE32;

                if (isa_chance(r, 1, 3))
                        cs = pick_selector(b);
                put_little(bytes, pick_landing(b, cs == ISA_SEL_CODE16), b->insn.operand_bytes == 2 ? 2 : 4);
                if (is_far(opcode))
                        put_little(bytes + (b->insn.operand_bytes == 2 ? 2 : 4), cs, 2);
        } else if (takes_selector(opcode)) {
                put_little(bytes, pick_selector(b), 2);
        } else if (row_is(opcode, "fxrstor") || row_is(opcode, "ldmxcsr")) {
                put_little(bytes + (row_is(opcode, "fxrstor") ? 24 : 0),
                           isa_chance(r, 1, 8) ? isa_random32(r) : 0x1f80 | (isa_random32(r) & 0xe07f), 4);
        } else if (!strncmp(opcode->name, "cmpxchg", 7) && isa_chance(r, 1, 2)) {
                put_little(bytes, c->before.gpr[ISA_EAX], 4);
                put_little(bytes + 4, c->before.gpr[ISA_EDX], 4);
        } else if (row_is(opcode, "bound") && isa_chance(r, 2, 3)) {
                uint32_t index = c->before.gpr[b->insn.reg];
                unsigned size = b->insn.operand_bytes;

                put_little(bytes, index - isa_random(r) % 3, size);
                put_little(bytes + size, index + isa_random(r) % 3, size);
        }
        add_patch(c, linear, bytes, sizeof(bytes));
}

/* ESI, EDI and ECX of string instructions and the like. */
static void aim_strings(struct build *b)
{
        struct isa_case *c = b->c;
        struct isa_random *r = &b->random;
        struct insn *insn = &b->insn;
        uint32_t *gpr = c->before.gpr;
        uint32_t mask = insn->address_bytes == 4 ? 0xffffffff : 0xffff;
        unsigned size = insn->opcode->operands[0] == OPERAND_Xb || insn->opcode->operands[0] == OPERAND_Yb ||
                        insn->opcode->operands[1] == OPERAND_Xb || insn->opcode->operands[1] == OPERAND_Yb ? 1 : insn->operand_bytes;
        unsigned source_segment = insn->segment_override ? (unsigned)isa_segment_of(insn->segment) : ISA_DS;
        bool step_down = c->before.eflags & FLAG_DF;
        uint32_t count = isa_random(r) % 24, source, destination;
        uint8_t bytes[ISA_PATCH_BYTES];

        if (b->g->has_ldt && (mask == 0xffff || isa_chance(r, 1, 6))) {
                c->before.seg[ISA_ES] = ISA_SEL_DATA;
                if (source_segment != ISA_CS)
                        c->before.seg[source_segment] = ISA_SEL_DATA;
        }
        source = ISA_DATA + 0x400 + isa_random(r) % 0x800;
        destination = isa_chance(r, 1, 3) ? source + isa_random(r) % 9 - 4 : ISA_DATA + 0x3400 + isa_random(r) % 0x800;
        switch (b->special) {
        case SPECIAL_UNMAPPED:
                source += 0x2000;
                break;
        case SPECIAL_CROSS_IN:
                source = step_down ? ISA_DATA + 0x3000 + isa_random(r) % 30 : ISA_DATA + 0x2000 - isa_random(r) % 30;
                break;
        case SPECIAL_CROSS_OUT:
                destination = step_down ? ISA_DATA + 0x3000 + isa_random(r) % 30 : ISA_DATA + 0x2000 - isa_random(r) % 30;
                break;
        case SPECIAL_READ_ONLY:
                destination = ISA_DATA + 0x4400;
                break;
        default:
                break;
        }
        source -= segment_base(c->before.seg[source_segment]);
        destination -= segment_base(c->before.seg[ISA_ES]);
        gpr[ISA_ESI] = (gpr[ISA_ESI] & ~mask) | (source & mask);
        gpr[ISA_EDI] = (gpr[ISA_EDI] & ~mask) | (destination & mask);
        gpr[ISA_ECX] = (gpr[ISA_ECX] & ~mask) | (count & mask);
        source += segment_base(c->before.seg[source_segment]);
        destination += segment_base(c->before.seg[ISA_ES]);
        /* Runs of equal bytes make CMPS and SCAS go on for a while. */
        memset(bytes, (int)(gpr[ISA_EAX] & 0xff), sizeof(bytes));
        if (isa_chance(r, 1, 2))
                for (unsigned i = 0; i < 4; i++)
                        gpr[ISA_EAX] = gpr[ISA_EAX] << 8 | bytes[0];
        bytes[isa_random(r) % sizeof(bytes)] ^= 1;
        if (isa_chance(r, 2, 3)) {
                add_patch(c, step_down ? source - 48 : source, bytes, sizeof(bytes));
                bytes[isa_random(r) % sizeof(bytes)] ^= 2;
                if (isa_chance(r, 1, 2))
                        add_patch(c, step_down ? destination - 48 : destination, bytes, sizeof(bytes));
        }
        (void)size;
        c->operand_linear = source;
}

static void choose_stack(struct build *b)
{
        struct isa_case *c = b->c;
        struct isa_random *r = &b->random;
        uint32_t top = ISA_STACK + (isa_random(r) % 0x200) * (isa_chance(r, 3, 4) ? 4 : 1);
        uint16_t ss = ISA_SEL_FLAT;

        if (b->special == SPECIAL_STACK_END)
                top = ISA_DATA + 0x8000 + isa_random(r) % 40;
        else if (b->special == SPECIAL_STACK_TOP)
                top = ISA_DATA + 0xc000 - isa_random(r) % 40;
        if (b->g->has_ldt && isa_chance(r, 1, 5))
                ss = isa_chance(r, 1, 2) ? ISA_SEL_DATA : ISA_SEL_STACK16;
        c->before.seg[ISA_SS] = ss;
        c->before.gpr[ISA_ESP] = top - segment_base(ss);
        if (ss == ISA_SEL_STACK16) {
                if (isa_chance(r, 1, 6))
                        c->before.gpr[ISA_ESP] = isa_random(r) % 8;     /* wraps at 64 KiB */
                c->before.gpr[ISA_ESP] |= isa_random32(r) & 0xffff0000;
        }
        c->before.gpr[ISA_EBP] = c->before.gpr[ISA_ESP] + (isa_random(r) % 32) * 4;
}

static void choose_state(struct build *b)
{
        struct isa_case *c = b->c;
        struct isa_random *r = &b->random;
        uint32_t flags = 0x202 | (isa_random32(r) & FLAGS_ARITH);
        bool code16 = !(b->mode & MODE_CODE32);

        for (unsigned i = 0; i < 8; i++)
                c->before.gpr[i] = isa_interesting32(r);
        if (isa_chance(r, 1, 4))
                flags |= FLAG_DF;
        if (b->special == SPECIAL_STEP)
                flags |= FLAG_TF;
        if (b->special == SPECIAL_ALIGN_CHECK)
                flags |= FLAG_AC;
        c->before.eflags = flags;
        c->before.seg[ISA_CS] = code16 ? ISA_SEL_CODE16 : ISA_SEL_CODE32;
        c->before.seg[ISA_DS] = c->before.seg[ISA_ES] = ISA_SEL_FLAT;
        c->before.seg[ISA_FS] = b->g->has_ldt ? ISA_SEL_DATA : ISA_SEL_FLAT;
        c->before.seg[ISA_GS] = b->g->has_ldt && isa_chance(r, 1, 2) ? ISA_SEL_SMALL : ISA_SEL_FLAT;
        isa_fill_fx(r, &c->before.fx, b->opcode->attr & ATTR_MMX, b->special == SPECIAL_UNMASKED,
                    b->special == SPECIAL_PENDING);
}

static void choose_place(struct build *b, unsigned slot)
{
        struct isa_case *c = b->c;
        uint32_t offset = 0x1000 + slot % 0x380 * 64;

        if (b->special == SPECIAL_CODE_END)
                offset = ISA_CODE_BYTES - c->length;
        else if (b->special == SPECIAL_CODE_CROSS)
                offset = 0x2000 + slot % 8 * ISA_PAGE - (c->length > 1 ? 1 + isa_random(&b->random) % (c->length - 1) : 0);
        if (offset + c->code_bytes > ISA_CODE_BYTES)
                c->code_bytes = ISA_CODE_BYTES - offset;
        c->code_linear = ISA_CODE + offset;
        c->before.eip = b->mode & MODE_CODE32 ? c->code_linear : offset;
}

/* Branch displacements, far pointers and register targets. */
static void aim_branches(struct build *b)
{
        struct isa_case *c = b->c;
        struct insn *insn = &b->insn;
        bool code16 = !(b->mode & MODE_CODE32);
        const uint8_t *operands = b->opcode->operands;

        /* Not into the instruction itself: it could go round for ever. */
        if (operands[0] == OPERAND_Jb && (int8_t)c->code[insn->length - 1] < 0 && (int8_t)c->code[insn->length - 1] >= -(int)insn->length)
                c->code[insn->length - 1] = 0x20;
        if (operands[0] == OPERAND_Jz)
                put_little(c->code + insn->length - insn->operand_bytes, pick_landing(b, code16) - c->before.eip - insn->length,
                           insn->operand_bytes);
        if (operands[0] == OPERAND_Ap) {
                uint16_t cs = isa_chance(&b->random, 1, 3) ? pick_selector(b) : c->before.seg[ISA_CS];
                unsigned size = insn->operand_bytes;

                put_little(c->code + insn->length - 2, cs, 2);
                put_little(c->code + insn->length - 2 - size, pick_landing(b, cs == ISA_SEL_CODE16), size);
        }
        if ((b->opcode->kind == KIND_JMP_IND || b->opcode->kind == KIND_CALL_IND) && !insn->is_memory)
                c->before.gpr[insn->rm & 7] = pick_landing(b, code16 || insn->operand_bytes == 2);
}

static void choose_operands(struct build *b)
{
        struct isa_case *c = b->c;
        struct isa_random *r = &b->random;
        struct insn *insn = &b->insn;
        const struct opcode *opcode = b->opcode;
        uint32_t *gpr = c->before.gpr;
        unsigned size = insn->memory_bytes ? insn->memory_bytes : 4;

        /* Quotients that fit, half of the time. */
        if ((opcode->attr & ATTR_HOST_FAULT) && isa_chance(r, 1, 2)) {
                gpr[ISA_EDX] = isa_random(r) % 4;
                if (isa_chance(r, 1, 2))
                        gpr[ISA_EAX] &= 0xff;
        }
        if (takes_selector(opcode)) {
                if (insn->has_modrm && !insn->is_memory)
                        gpr[insn->rm & 7] = (gpr[insn->rm & 7] & 0xffff0000) | pick_selector(b);
                if (row_is(opcode, "arpl"))
                        gpr[insn->reg & 7] = (gpr[insn->reg & 7] & 0xffff0000) | pick_selector(b);
        }
        if (opcode->kind == KIND_BT_MEM && insn->is_memory && (int32_t)gpr[insn->reg & 7] != 0)
                gpr[insn->reg & 7] = isa_random32(r) % 0x4000 - 0x2000;
        if (opcode->kind == KIND_STRING || row_is(opcode, "maskmovq") || row_is(opcode, "maskmovdqu")) {
                aim_strings(b);
                return;
        }
        if (opcode->kind == KIND_XLAT) {
                choose_operand_segment(b);
                uint32_t offset = pick_target(b, 1, false) - segment_base(c->before.seg[isa_segment_of(insn->segment)]);

                gpr[ISA_EBX] = offset - (gpr[ISA_EAX] & 0xff);
                return;
        }
        if (!insn->is_memory)
                return;
        if (opcode->kind == KIND_LEA || opcode->kind == KIND_NOP)
                return;
        choose_operand_segment(b);

        uint32_t offset = pick_target(b, size, opcode->attr & ATTR_ALIGN16) -
                          segment_base(c->before.seg[isa_segment_of(insn->segment)]);

        if (opcode->kind == KIND_MOFFS)
                put_little(c->code + insn->length - insn->address_bytes, offset, insn->address_bytes);
        else
                aim_registers(b, offset);
}

bool isa_generate(struct isa_generator *g, unsigned form, unsigned n, struct isa_case *c)
{
        struct row *row = &g->row[form];
        struct build b = { .g = g, .opcode = row->form.opcode, .c = c };

        if (n >= g->cases_per_form || !row->form.encodings)
                return false;
        isa_random_seed(&b.random, g->seed, b.opcode->form, n);
        b.encoding = &row->encodings[isa_random(&b.random) % row->form.encodings];
        b.special = n % 2 ? SPECIAL_PLAIN : (enum special)(n / 2 % SPECIAL_COUNT);
        if (b.special == SPECIAL_BAD_LOCK && (b.opcode->attr & ATTR_LOCK))
                b.special = SPECIAL_PLAIN;
        if (b.special == SPECIAL_LIMIT && !g->has_ldt)
                b.special = SPECIAL_UNMAPPED;
        for (unsigned attempt = 0; attempt < 40; attempt++) {
                memset(c, 0, sizeof(*c));
                c->form = form;
                b.mode = CODE32_MODE;
                if (g->has_ldt && isa_chance(&b.random, 1, 6))
                        b.mode &= ~(uint64_t)MODE_CODE32;
                if (!put_bytes(&b)) {
                        if (attempt == 20)
                                b.special = SPECIAL_PLAIN;
                        continue;
                }
                c->what = special_names[b.special];
                choose_state(&b);
                choose_stack(&b);
                choose_place(&b, form * 37 + n);
                if (b.special == SPECIAL_BAD_LOCK)
                        return true;
                if (enters_kernel(&b))
                        continue;
                choose_operands(&b);
                aim_branches(&b);
                /* The bytes as they are now: aiming may have changed displacement and immediate. */
                if (!accepts(&b.insn, c->code, b.mode, g->features) || b.insn.opcode != b.opcode)
                        continue;
                if (b.insn.is_memory && b.opcode->kind != KIND_STRING) {
                        c->operand_linear = operand_linear(&b);
                        if (c->operand_linear >= 0x7fff0000 && b.opcode->kind != KIND_LEA && b.opcode->kind != KIND_NOP)
                                continue;       /* G3 */
                        if (b.opcode->kind != KIND_LEA && b.opcode->kind != KIND_NOP)
                                put_operand(&b, c->operand_linear);
                }
                put_stack(&b);
                return true;
        }
        return false;
}
