/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generate64.c - makes 64-bit cases out of the rows of the opcode table.
 *
 * As generate.c does: the decoder is asked about every opcode byte of every map with every prefix (here also
 * every VEX prefix) which row it belongs to; a case is one of those encodings with REX, SIB, displacement and
 * immediate at random, and registers chosen so that the memory operand lies where the case wants it.
 *
 * No case may reach memory of the native process outside the world: where an address cannot be aimed the
 * attempt is dropped.
 */
#include <stdlib.h>
#include <string.h>
#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/mode.h"
#include "isa64.h"

struct encoding {
        uint8_t prefix;
        bool mandatory, vex, vvvv, has_modrm;           /* vvvv: names a register */
        uint8_t vex_w, vex_l, pp, map, code;
        uint64_t modrm[4];
};

struct row {
        const struct opcode *opcode;
        struct encoding *encodings;
        unsigned count;
};

struct isa64_generator {
        uint64_t seed;
        unsigned rows;
        struct row *row;
        uint64_t features[2];
};

enum { MODE64 = MODE_CODE64 | MODE_PROTECTED | MODE_USER | MODE_AVX };

/* -- Rows and their encodings ------------------------------------------------------------------ */

static void add_row(const struct opcode *opcode, void *opaque)
{
        struct isa64_generator *g = opaque;

        if (g->rows % 64 == 0)
                g->row = realloc(g->row, (g->rows + 64) * sizeof(*g->row));
        g->row[g->rows++] = (struct row){ .opcode = opcode };
}

static int compare_opcodes(const void *a, const void *b)
{
        const struct row *left = a, *right = b;

        return left->opcode < right->opcode ? -1 : left->opcode > right->opcode;
}

static void note_encoding(struct isa64_generator *g, const struct insn *insn, struct encoding found, unsigned modrm)
{
        struct row key = { .opcode = insn->opcode };
        struct row *row = bsearch(&key, g->row, g->rows, sizeof(*g->row), compare_opcodes);
        struct encoding *e = NULL;

        if (!row)
                return;
        for (unsigned i = row->count; i > 0; i--) {
                struct encoding *old = &row->encodings[i - 1];

                if (old->map != found.map || old->code != found.code || old->vex != found.vex || old->vex_w != found.vex_w ||
                    old->vex_l != found.vex_l || old->pp != found.pp || old->vvvv != found.vvvv)
                        continue;
                if (old->prefix == found.prefix)
                        e = old;
                else if (old->prefix == 0 && !found.mandatory)
                        return;
        }
        if (!e) {
                row->encodings = realloc(row->encodings, (row->count + 1) * sizeof(*row->encodings));
                e = &row->encodings[row->count++];
                *e = found;
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

/* rxb, vvvv: not inverted. */
static unsigned put_vex(uint8_t *bytes, const struct encoding *e, unsigned rxb, unsigned vvvv)
{
        bytes[0] = 0xc4;
        bytes[1] = (uint8_t)((~rxb & 7) << 5 | e->map);
        bytes[2] = (uint8_t)(e->vex_w << 7 | (~vvvv & 15) << 3 | e->vex_l << 2 | e->pp);
        bytes[3] = e->code;
        return 4;
}

static bool accepts(struct insn *insn, const uint8_t *bytes, const uint64_t features[2])
{
        enum decode_result result = insn_decode(insn, bytes, ISA_CODE_MAX - 1, MODE64, features);

        return result == DECODE_OK || (result == DECODE_UD && insn->opcode && insn->opcode->kind == KIND_INVALID && !insn->lock);
}

static void try_encoding(struct isa64_generator *g, struct encoding e, unsigned vvvv)
{
        for (unsigned modrm = 0; modrm < 256; modrm++) {
                uint8_t bytes[24] = { 0 };
                struct insn insn = { 0 };
                unsigned n = 0;

                if (e.prefix)
                        bytes[n++] = e.prefix;
                n += e.vex ? put_vex(bytes + n, &e, 0, vvvv) : put_opcode(bytes + n, e.map, e.code);
                bytes[n] = (uint8_t)modrm;
                bytes[n + 1] = 0x4d;    /* a SIB byte whose index is not the register of either operand */
                if (!accepts(&insn, bytes, g->features))
                        continue;
                if (insn.map != e.map || insn.code != e.code || insn.vex != e.vex)
                        return;
                e.has_modrm = insn.has_modrm;
                e.mandatory = e.prefix && insn.mandatory == e.prefix;
                note_encoding(g, &insn, e, insn.has_modrm ? modrm : 0);
                if (!insn.has_modrm)
                        return;
        }
}

struct isa64_generator *isa64_generator_new(uint64_t seed, const uint64_t features[2])
{
        static const uint8_t prefixes[] = { 0, 0x66, 0xf2, 0xf3 };
        struct isa64_generator *g = calloc(1, sizeof(*g));

        g->seed = seed;
        g->features[0] = features[0];
        g->features[1] = features[1];
        opcode_each(add_row, g);
        qsort(g->row, g->rows, sizeof(*g->row), compare_opcodes);
        for (unsigned map = MAP_PRIMARY; map <= MAP_0F3A; map++)
                for (unsigned code = 0; code < 256; code++) {
                        for (unsigned p = 0; p < sizeof(prefixes); p++)
                                try_encoding(g, (struct encoding){ .prefix = prefixes[p], .map = (uint8_t)map, .code = (uint8_t)code }, 0);
                        for (unsigned wlp = 0; map && wlp < 16; wlp++)
                                for (unsigned vvvv = 0; vvvv < 2; vvvv++)
                                        try_encoding(g, (struct encoding){ .vex = true, .vex_w = wlp >> 3, .vex_l = wlp >> 2 & 1, .pp = wlp & 3,
                                                                           .vvvv = vvvv, .map = (uint8_t)map, .code = (uint8_t)code }, vvvv);
                }
        return g;
}

void isa64_generator_free(struct isa64_generator *g)
{
        for (unsigned i = 0; i < g->rows; i++)
                free(g->row[i].encodings);
        free(g->row);
        free(g);
}

unsigned isa64_generator_forms(const struct isa64_generator *g) { return g->rows; }

const struct opcode *isa64_generator_opcode(const struct isa64_generator *g, unsigned form) { return g->row[form].opcode; }

static bool row_is(const struct opcode *opcode, const char *name)
{
        return !strcmp(opcode->name, name);
}

static bool is_gather(const struct opcode *opcode) { return strstr(opcode->name, "gather"); }
static bool is_maskmov(const struct opcode *opcode) { return !strncmp(opcode->name, "maskmov", 7) || !strncmp(opcode->name, "vmaskmovdqu", 11); }

bool isa64_generator_testable(const struct isa64_generator *g, unsigned form)
{
        static const char *const handlers[] = {
                "cmpxchg16b", "enter", "fxsave", "fxrstor", "fxsave64", "fxrstor64", "fnstenv", "fldenv", "fnsave", "frstor",
                "maskmovq", "maskmovdqu", "xsave", "xrstor", "xsave64", "xrstor64",
        };
        const struct row *row = &g->row[form];
        const struct opcode *opcode = row->opcode;

        if (!row->count || row_is(opcode, "rdrand") || row_is(opcode, "rdseed") || row_is(opcode, "rdpid"))
                return false;
        switch (opcode->kind) {
        case KIND_EXEC_END: case KIND_CLI: case KIND_STI: case KIND_POPF: case KIND_POP_SEG:
                return false;
        case KIND_EXEC:
                if (opcode->attr & ATTR_VEX)
                        return true;
                for (unsigned i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
                        if (row_is(opcode, handlers[i]))
                                return true;
                return false;
        default:
                return true;
        }
}

/* -- One case ---------------------------------------------------------------------------------- */

enum special {
        SPECIAL_PLAIN, SPECIAL_UNMAPPED, SPECIAL_CROSS_IN, SPECIAL_CROSS_OUT, SPECIAL_READ_ONLY, SPECIAL_MISALIGNED,
        SPECIAL_NOT_CANONICAL, SPECIAL_CODE_END, SPECIAL_CODE_CROSS, SPECIAL_STEP, SPECIAL_STACK_END, SPECIAL_STACK_TOP,
        SPECIAL_STACK_NOT_CANONICAL, SPECIAL_UNMASKED, SPECIAL_BAD_LOCK, SPECIAL_COUNT
};

static const char *const special_names[SPECIAL_COUNT] = {
        "plain", "operand unmapped", "operand crosses into a hole", "operand starts in a hole", "operand read-only",
        "operand misaligned", "operand not canonical", "code ends at a hole", "code crosses pages", "single step",
        "stack ends below", "stack ends above", "stack not canonical", "exceptions unmasked", "LOCK where it may not be",
};

struct build {
        struct isa64_generator *g;
        struct isa_random random;
        const struct opcode *opcode;
        const struct encoding *encoding;
        struct isa64_case *c;
        enum special special;
        struct insn insn;
        unsigned modrm_at;
        uint64_t place;                 /* 0 or ISA64_HIGH: which copy of CODE */
        uint32_t used;                  /* registers that aiming has set */
};

static uint64_t random64(struct isa_random *r)
{
        uint64_t high = isa_random32(r);

        return high << 32 | isa_random32(r);
}

static uint64_t interesting64(struct isa_random *r)
{
        switch (isa_random(r) % 6) {
        case 0:
                return isa_interesting32(r);
        case 1:
                return (uint64_t)(int64_t)(int32_t)isa_interesting32(r);
        case 2:
                return (uint64_t)isa_interesting32(r) << 32;
        case 3:
                return UINT64_C(1) << (isa_random(r) % 64);
        default:
                return random64(r);
        }
}

static uint8_t pick_modrm(struct build *b)
{
        const struct encoding *e = b->encoding;
        bool want_memory = isa_chance(&b->random, 3, 5);

        if (b->special >= SPECIAL_UNMAPPED && b->special <= SPECIAL_NOT_CANONICAL)
                want_memory = true;
        for (unsigned attempt = 0; attempt < 1000; attempt++) {
                uint8_t modrm = (uint8_t)isa_random(&b->random);

                if (attempt < 500 && (modrm < 0xc0) != want_memory)
                        continue;
                if (e->modrm[modrm / 64] >> (modrm % 64) & 1)
                        return modrm;
        }
        for (unsigned modrm = 0; modrm < 256; modrm++)
                if (e->modrm[modrm / 64] >> (modrm % 64) & 1)
                        return (uint8_t)modrm;
        return 0;
}

static bool put_bytes(struct build *b)
{
        static const uint8_t overrides[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x64, 0x65 };
        struct isa_random *r = &b->random;
        struct isa64_case *c = b->c;
        const struct encoding *e = b->encoding;
        uint8_t bytes[40];
        unsigned n = 0;

        if (isa_chance(r, 1, 4))
                bytes[n++] = overrides[isa_random(r) % 8];
        if (isa_chance(r, 1, 6))
                bytes[n++] = 0x67;
        if (e->prefix)
                bytes[n++] = e->prefix;
        if (!e->vex) {
                bool string = b->opcode->kind == KIND_STRING;

                if (string && isa_chance(r, 1, 2))
                        bytes[n++] = isa_chance(r, 1, 2) ? 0xf2 : 0xf3;
                if (!e->mandatory && e->prefix != 0x66 && isa_chance(r, 1, 4))
                        bytes[n++] = 0x66;
                if (b->special == SPECIAL_BAD_LOCK || ((b->opcode->attr & ATTR_LOCK) && isa_chance(r, 1, 3)))
                        bytes[n++] = 0xf0;
                if (isa_chance(r, 3, 4))
                        bytes[n++] = (uint8_t)(0x40 | (isa_random(r) & 15));
                n += put_opcode(bytes + n, e->map, e->code);
        } else {
                n += put_vex(bytes + n, e, isa_random(r) & 7, e->vvvv ? isa_random(r) & 15 : 0);
        }
        b->modrm_at = n;
        if (e->has_modrm)
                bytes[n++] = pick_modrm(b);
        while (n < sizeof(bytes))
                bytes[n++] = isa_interesting_byte(r);
        bool accepted = accepts(&b->insn, bytes, b->g->features);

        memcpy(c->code, bytes, ISA_CODE_MAX);
        if (b->special == SPECIAL_BAD_LOCK) {
                c->length = c->code_bytes = ISA_CODE_MAX;
                return !accepted;
        }
        if (!accepted || b->insn.opcode != b->opcode || b->insn.length == 0)
                return false;
        c->length = c->code_bytes = b->insn.length;
        return true;
}

static void put_little(uint8_t *to, uint64_t value, unsigned bytes)
{
        for (unsigned i = 0; i < bytes; i++)
                to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t pick_target(struct build *b, unsigned size, bool align, bool low)
{
        struct isa_random *r = &b->random;
        uint64_t data = ISA_DATA + (low || isa_chance(r, 1, 3) ? 0 : ISA64_HIGH);
        uint32_t inside = isa_random(r) % 0xd00 + 0x180;

        if (align && b->special != SPECIAL_MISALIGNED)
                inside &= ~63u;
        else if (isa_chance(r, 1, 2))
                inside &= ~7u;
        switch (b->special) {
        case SPECIAL_UNMAPPED:
                return data + 0x2000 + inside;
        case SPECIAL_CROSS_IN:
                return data + 0x2000 - (size > 1 ? 1 + isa_random(r) % (size - 1) : 0);
        case SPECIAL_CROSS_OUT:
                return data + 0x3000 - (size > 1 ? 1 + isa_random(r) % (size - 1) : 1);
        case SPECIAL_READ_ONLY:
                return data + 0x4000 + inside;
        case SPECIAL_MISALIGNED:
                return data + (inside | 1);
        case SPECIAL_NOT_CANONICAL:
                if (low)
                        return data + inside;
                switch (isa_random(r) % 4) {
                case 0:
                        return (UINT64_C(1) << 47) - (size > 1 ? 1 + isa_random(r) % (size - 1) : 0);
                case 1:
                        return (UINT64_C(1) << 47) + isa_random(r) % 0x100000;
                case 2:
                        return data | UINT64_C(1) << (48 + isa_random(r) % 16);
                default:
                        return UINT64_C(0xffff7ffffffff000) + isa_random(r) % 4000;
                }
        default:
                break;
        }
        if (isa_chance(r, 1, 8) && !align)
                return data + 0x1000 - isa_random(r) % (size + 1);
        return data + inside + (isa_chance(r, 1, 4) ? 0x1000 : 0);
}

/* x with x * factor = value modulo 2^64; factor is odd. */
static uint64_t divide_odd(uint64_t value, uint64_t factor)
{
        uint64_t inverse = factor;

        for (unsigned i = 0; i < 6; i++)
                inverse *= 2 - factor * inverse;
        return value * inverse;
}

/* Makes the memory operand's offset come to `offset`, or near it; false when it cannot be. */
static bool aim_registers(struct build *b, uint64_t offset)
{
        struct insn *insn = &b->insn;
        uint64_t *gpr = b->c->before.gpr;
        bool wide = insn->address_bytes == 8;
        unsigned disp_at = b->modrm_at + 1 + ((insn->modrm & 7) == 4);
        unsigned factor = 1u << insn->scale;
        uint64_t rest, upper = wide ? 0 : random64(&b->random) << 32;

        if (insn->rip_relative) {
                int64_t disp = (int64_t)(offset - (b->c->before.rip + insn->length));

                if (disp != (int32_t)disp)
                        return false;
                put_little(b->c->code + disp_at, (uint64_t)disp, 4);
                return true;
        }
        /* A push or pop through the same register: its slot must be near the operand. */
        if (insn->base == RSP && (insn->disp > 64 || insn->disp < -64) && insn->modrm >= 0x80)
                put_little(b->c->code + disp_at, (uint64_t)(insn->disp = isa_random(&b->random) % 64), 4);
        rest = offset - (uint64_t)insn->disp;
        if (insn->base == REG_NONE && insn->index == REG_NONE) {
                if ((uint64_t)(int64_t)(int32_t)offset != offset)
                        return false;
                put_little(b->c->code + disp_at, offset, 4);
                return true;
        }
        if (insn->base == REG_NONE) {
                gpr[insn->index] = ((wide ? rest : (uint32_t)rest) >> insn->scale) | upper;
                /* disp32 is all there is besides: it takes the remainder */
                put_little(b->c->code + disp_at, (uint64_t)insn->disp + (rest & (factor - 1)), 4);
                b->used |= 1u << insn->index;
                return true;
        }
        b->used |= 1u << insn->base;
        if (insn->index == REG_NONE) {
                gpr[insn->base] = (wide ? rest : (uint32_t)rest) | upper;
                return true;
        }
        b->used |= 1u << insn->index;
        if (insn->index != insn->base) {
                uint64_t index = isa_chance(&b->random, 1, 3) ? random64(&b->random) : isa_random(&b->random) % 512;

                gpr[insn->index] = index;
                rest -= index << insn->scale;
                gpr[insn->base] = (wide ? rest : (uint32_t)rest) | upper;
                return true;
        }
        if (factor == 1) {
                if (rest & 1)
                        return false;
                gpr[insn->base] = (wide ? rest >> 1 : (uint32_t)rest >> 1) | upper;
                return true;
        }
        rest = divide_odd(wide ? rest : (uint32_t)rest, factor + 1);
        gpr[insn->base] = (wide ? rest : (uint32_t)rest) | upper;
        return true;
}

static uint64_t operand_linear(const struct build *b, bool *inside)
{
        const struct insn *insn = &b->insn;
        const uint64_t *gpr = b->c->before.gpr;
        uint64_t offset = (uint64_t)insn->disp, linear, data;

        if (insn->rip_relative)
                offset += b->c->before.rip + insn->length;
        if (insn->base != REG_NONE)
                offset += gpr[insn->base];
        if (insn->index != REG_NONE && !is_gather(insn->opcode))
                offset += gpr[insn->index] << insn->scale;
        if (insn->address_bytes == 4)
                offset = (uint32_t)offset;
        linear = offset + (insn->segment == SEG_FS ? isa64_fs_base() : insn->segment == SEG_GS ? ISA64_GS_BASE : 0);
        data = linear - ISA_DATA;
        if (data >= ISA64_HIGH)
                data -= ISA64_HIGH;
        *inside = data < 0x8000 || !cpu_canonical(linear) || !cpu_canonical(linear + insn->memory_bytes);
        return linear;
}

static void add_patch(struct isa64_case *c, uint64_t linear, const uint8_t *bytes, uint32_t size)
{
        uint64_t offset = linear - ISA_DATA;

        if (offset >= ISA64_HIGH)
                offset -= ISA64_HIGH;
        if (offset >= ISA_DATA_BYTES || c->patches == ISA64_PATCHES)
                return;
        /* Only within one page that is there. */
        if (isa_data_pages[offset / ISA_PAGE] == ISA_PAGE_HOLE)
                return;
        if (offset % ISA_PAGE + size > ISA_PAGE)
                size = ISA_PAGE - offset % ISA_PAGE;
        for (unsigned i = 0; i < c->patches; i++)       /* they are taken back in order: no overlap */
                if (offset < c->patch[i].offset + c->patch[i].size && c->patch[i].offset < offset + size)
                        return;
        c->patch[c->patches].offset = (uint32_t)offset;
        c->patch[c->patches].size = size;
        memcpy(c->patch[c->patches++].bytes, bytes, size);
}

static uint64_t pick_landing(struct build *b)
{
        struct isa_random *r = &b->random;

        switch (isa_random(r) % 8) {
        case 0:
                return ISA_DATA + 0x2000 + isa_random(r) % 4096;                /* a hole */
        case 1:
                return (UINT64_C(1) << 47) + isa_random(r) % 65536;             /* not canonical */
        case 2:
                return ISA_DATA + 0x100 + isa_random(r) % 256 + (isa_chance(r, 1, 2) ? ISA64_HIGH : 0);      /* no code */
        default:
                return ISA_CODE + 0x800 + isa_random(r) % 0x400 + (isa_chance(r, 1, 2) ? ISA64_HIGH : 0);
        }
}

static void choose_state(struct build *b, unsigned slot)
{
        struct isa64_case *c = b->c;
        struct isa_random *r = &b->random;
        uint32_t offset = 0x1000 + slot % 0x380 * 64;
        uint64_t stack = ISA_STACK + (isa_random(r) % 0x200) * (isa_chance(r, 3, 4) ? 8 : 1);
        struct isa_fx fx;

        for (unsigned i = 0; i < 16; i++)
                c->before.gpr[i] = interesting64(r);
        c->before.rflags = 0x202 | (isa_random32(r) & FLAGS_ARITH) | (isa_chance(r, 1, 4) ? FLAG_DF : 0) |
                           (b->special == SPECIAL_STEP ? FLAG_TF : 0);
        isa_fill_fx(r, &fx, b->opcode->attr & ATTR_MMX, b->special == SPECIAL_UNMASKED, false);
        for (unsigned i = 8; i < 16; i++)
                isa_fill_floats(r, fx.xmm[i], 16, 0);
        memcpy(c->before.xsave, &fx, sizeof(fx));
        for (unsigned i = 0; i < 16; i++)
                isa_fill_floats(r, c->before.xsave + ISA64_YMM_HIGH + 16 * i, 16, 0);
        c->before.xsave[ISA64_HEADER] = 7;
        if (b->special == SPECIAL_STACK_END)
                stack = ISA_DATA + 0x8000 + isa_random(r) % 40;
        else if (b->special == SPECIAL_STACK_TOP)
                stack = ISA_DATA + 0xc000 - isa_random(r) % 40;
        if (isa_chance(r, 2, 3))
                stack += ISA64_HIGH;
        if (b->special == SPECIAL_STACK_NOT_CANONICAL)
                stack = (UINT64_C(1) << 47) + isa_random(r) % 64;
        c->before.gpr[RSP] = stack;
        c->before.gpr[RBP] = stack + isa_random(r) % 32 * 8;
        if (b->special == SPECIAL_CODE_END)
                offset = ISA_CODE_BYTES - c->length;
        else if (b->special == SPECIAL_CODE_CROSS)
                offset = 0x2000 + slot % 8 * ISA_PAGE - (c->length > 1 ? 1 + isa_random(r) % (c->length - 1) : 0);
        if (offset + c->code_bytes > ISA_CODE_BYTES)
                c->code_bytes = ISA_CODE_BYTES - offset;
        c->code_offset = offset;
        b->place = isa_chance(r, 1, 2) ? ISA64_HIGH : 0;
        c->before.rip = ISA_CODE + b->place + offset;
}

static bool aim_strings(struct build *b)
{
        struct isa64_case *c = b->c;
        struct isa_random *r = &b->random;
        struct insn *insn = &b->insn;
        uint64_t *gpr = c->before.gpr;
        bool wide = insn->address_bytes == 8, down = c->before.rflags & FLAG_DF;
        uint64_t place = wide && isa_chance(r, 1, 2) ? ISA64_HIGH : 0, source, destination;
        uint64_t upper = wide ? 0 : random64(r) << 32;
        uint64_t segment = insn->segment == SEG_FS ? isa64_fs_base() : insn->segment == SEG_GS ? ISA64_GS_BASE : 0;
        uint8_t bytes[ISA_PATCH_BYTES];

        if (!wide && insn->segment_override && segment)
                return false;
        source = ISA_DATA + 0x400 + isa_random(r) % 0x800;
        destination = isa_chance(r, 1, 3) ? source + isa_random(r) % 9 - 4 : ISA_DATA + 0x3400 + isa_random(r) % 0x800;
        switch (b->special) {
        case SPECIAL_UNMAPPED:
                source += 0x2000;
                break;
        case SPECIAL_CROSS_IN:
                source = down ? ISA_DATA + 0x3000 + isa_random(r) % 30 : ISA_DATA + 0x2000 - isa_random(r) % 30;
                break;
        case SPECIAL_CROSS_OUT:
                destination = down ? ISA_DATA + 0x3000 + isa_random(r) % 30 : ISA_DATA + 0x2000 - isa_random(r) % 30;
                break;
        case SPECIAL_READ_ONLY:
                destination = ISA_DATA + 0x4400;
                break;
        default:
                break;
        }
        source += place;
        destination += place;
        memset(bytes, (int)(gpr[RAX] & 0xff), sizeof(bytes));
        if (isa_chance(r, 1, 2))
                for (unsigned i = 0; i < 8; i++)
                        gpr[RAX] = gpr[RAX] << 8 | bytes[0];
        bytes[isa_random(r) % sizeof(bytes)] ^= 1;
        if (isa_chance(r, 2, 3)) {
                add_patch(c, down ? source - 48 : source, bytes, sizeof(bytes));
                bytes[isa_random(r) % sizeof(bytes)] ^= 2;
                add_patch(c, down ? destination - 48 : destination, bytes, sizeof(bytes));
        }
        if (b->special == SPECIAL_NOT_CANONICAL && wide) {
                if (isa_chance(r, 1, 2))
                        source = (UINT64_C(1) << 47) + isa_random(r) % 8192;
                else
                        destination = (UINT64_C(1) << 47) + isa_random(r) % 8192;
        }
        /* Only the source can have a base. */
        gpr[RSI] = (source - (insn->segment_override ? segment : 0)) | upper;
        gpr[RDI] = destination | upper;
        gpr[RCX] = isa_random(r) % 24 | upper;
        return true;
}

static bool aim_gather(struct build *b)
{
        struct insn *insn = &b->insn;
        struct isa64_case *c = b->c;
        struct isa_random *r = &b->random;
        bool wide_index = insn->code & 1;
        uint64_t offset;

        /* Indices within +-60, now and then into the next page. */
        for (unsigned half = 0; half < 2; half++)
                for (unsigned i = 0; i < 16; i += wide_index ? 8 : 4) {
                        int64_t index = (int)(isa_random(r) % 120) - 60;
                        uint8_t *at = c->before.xsave + (half ? ISA64_YMM_HIGH : ISA64_XMM) + 16 * insn->index + i;

                        if (isa_chance(r, 1, 20))
                                index = (int64_t)(0x1000 >> insn->scale);
                        put_little(at, (uint64_t)index, wide_index ? 8 : 4);
                }
        offset = ISA_DATA + (isa_chance(r, 1, 2) && insn->address_bytes == 8 ? ISA64_HIGH : 0) + 0x800 +
                 (b->special == SPECIAL_CROSS_IN ? 0x600 : 0);
        if (insn->segment == SEG_FS || insn->segment == SEG_GS)
                return false;
        if (insn->base == REG_NONE) {
                if (offset >> 31)
                        return false;
                put_little(c->code + b->modrm_at + 2, offset, 4);
        } else {
                c->before.gpr[insn->base] = insn->address_bytes == 8 ? offset - (uint64_t)insn->disp
                                                                     : (uint32_t)(offset - (uint64_t)insn->disp) | random64(r) << 32;
        }
        return true;
}

static bool choose_operands(struct build *b)
{
        struct isa64_case *c = b->c;
        struct isa_random *r = &b->random;
        struct insn *insn = &b->insn;
        const struct opcode *opcode = b->opcode;
        uint64_t *gpr = c->before.gpr;
        unsigned size = insn->memory_bytes ? insn->memory_bytes : 8;
        bool align = (opcode->attr & ATTR_ALIGN16) || !strncmp(opcode->name, "xsave", 5) || !strncmp(opcode->name, "xrstor", 6) ||
                     !strncmp(opcode->name, "fx", 2) || row_is(opcode, "cmpxchg16b");

        if ((opcode->attr & ATTR_HOST_FAULT) && isa_chance(r, 1, 2)) {
                gpr[RDX] = isa_random(r) % 4;
                if (isa_chance(r, 1, 2))
                        gpr[RAX] &= 0xff;
        }
        if (opcode->kind == KIND_STRING)
                return aim_strings(b);
        if (is_maskmov(opcode)) {
                if (insn->address_bytes == 4 || insn->segment == SEG_FS || insn->segment == SEG_GS)
                        return false;
                gpr[RDI] = pick_target(b, 16, false, false);
                return true;
        }
        if (opcode->kind == KIND_XLAT) {
                uint64_t target = pick_target(b, 1, false, insn->address_bytes == 4);

                if (insn->segment == SEG_FS || insn->segment == SEG_GS)
                        return false;
                gpr[RBX] = target - (gpr[RAX] & 0xff);
                return true;
        }
        if (!insn->is_memory || opcode->kind == KIND_LEA || opcode->kind == KIND_NOP)
                return true;
        if (is_gather(opcode))
                return aim_gather(b);

        bool low = insn->address_bytes == 4, based = insn->segment == SEG_FS || insn->segment == SEG_GS;

        if (low && based)
                return false;
        if (!low && insn->base == REG_NONE && insn->index == REG_NONE && !insn->rip_relative && opcode->kind != KIND_MOFFS)
                low = true;
        if (insn->rip_relative && !b->place)
                low = true;
        uint64_t target = pick_target(b, size, align, low);

        if (insn->rip_relative && b->place && target < ISA64_HIGH)
                target += ISA64_HIGH;
        target -= insn->segment == SEG_FS ? isa64_fs_base() : insn->segment == SEG_GS ? ISA64_GS_BASE : 0;
        if (opcode->kind == KIND_MOFFS)
                put_little(c->code + insn->length - insn->address_bytes, target, insn->address_bytes);
        else if (!aim_registers(b, target))
                return false;
        if (opcode->kind == KIND_BT_MEM) {
                if (b->used >> insn->reg & 1)
                        return false;
                gpr[insn->reg] = (gpr[insn->reg] & ~UINT64_C(0xffff)) | (isa_random(r) & 0xffff);
                gpr[insn->reg] = (uint64_t)((int64_t)(isa_random(r) % 0x1000) - 0x800);
        }
        if (!strncmp(opcode->name, "xsave", 5) || !strncmp(opcode->name, "xrstor", 6)) {
                if (b->used & (1u << RAX | 1u << RDX))
                        return false;
                gpr[RAX] = (gpr[RAX] & ~UINT64_C(0xffffffff)) | (isa_random(r) & 7);
                gpr[RDX] &= ~UINT64_C(0xffffffff);
        }
        return true;
}

/* Bytes behind the memory operand. */
static void put_operand(struct build *b, uint64_t linear)
{
        struct isa64_case *c = b->c;
        struct isa_random *r = &b->random;
        const struct opcode *opcode = b->opcode;
        uint8_t bytes[ISA_PATCH_BYTES];

        if (opcode->attr & (ATTR_X87 | ATTR_SSE | ATTR_MMX | ATTR_VEX))
                isa_fill_floats(r, bytes, sizeof(bytes), b->insn.memory_bytes);
        else
                isa_fill_integers(r, bytes, sizeof(bytes));
        if (opcode->kind == KIND_JMP_IND || opcode->kind == KIND_CALL_IND) {
                put_little(bytes, pick_landing(b), 8);
        } else if (row_is(opcode, "ldmxcsr") || row_is(opcode, "vldmxcsr")) {
                put_little(bytes, isa_chance(r, 1, 8) ? isa_random32(r) : 0x1f80 | (isa_random32(r) & 0xe07f), 4);
        } else if (!strncmp(opcode->name, "fxrstor", 7) || !strncmp(opcode->name, "xrstor", 6)) {
                put_little(bytes + 24, 0x1f80 | (isa_random32(r) & 0xe07f), 4);
                put_little(bytes + 8, isa_random32(r), 8);      /* pointers: canonical ones stay as they are */
                put_little(bytes + 16, isa_random32(r), 8);
                if (opcode->name[0] == 'x') {
                        uint8_t header[64] = { 0 };

                        header[0] = (uint8_t)(isa_random(r) & 7);
                        if (isa_chance(r, 1, 6))
                                header[isa_random(r) % 24] = 0x80;
                        add_patch(c, linear + ISA64_HEADER, header, sizeof(header));
                }
        } else if (!strncmp(opcode->name, "cmpxchg", 7) && isa_chance(r, 1, 2)) {
                unsigned half = b->insn.memory_bytes / 2 ? b->insn.memory_bytes / 2 : 8;

                put_little(bytes, c->before.gpr[RAX], 8);
                if (opcode->name[7])
                        put_little(bytes + half, c->before.gpr[RDX], half > 8 ? 8 : half);
        }
        add_patch(c, linear, bytes, sizeof(bytes));
}

static void put_stack(struct build *b)
{
        struct isa64_case *c = b->c;
        uint8_t bytes[40];

        isa_fill_integers(&b->random, bytes, sizeof(bytes));
        if (b->opcode->kind == KIND_RET)
                put_little(bytes, pick_landing(b), 8);
        if (cpu_canonical(c->before.gpr[RSP]))
                add_patch(c, c->before.gpr[RSP], bytes, sizeof(bytes));
}

static bool aim_branches(struct build *b)
{
        struct isa64_case *c = b->c;
        struct insn *insn = &b->insn;

        if (b->opcode->operands[0] == OPERAND_Jb && (int8_t)c->code[insn->length - 1] < 0 &&
            (int8_t)c->code[insn->length - 1] >= -(int)insn->length)
                c->code[insn->length - 1] = 0x20;
        if (b->opcode->operands[0] == OPERAND_Jz) {
                uint64_t landing = ISA_CODE + b->place + 0x800 + isa_random(&b->random) % 0x400;

                if (insn->imm_bytes != 4)
                        return false;
                put_little(c->code + insn->length - 4, landing - c->before.rip - insn->length, 4);
        }
        if ((b->opcode->kind == KIND_JMP_IND || b->opcode->kind == KIND_CALL_IND) && !insn->is_memory) {
                if (insn->rm == RSP)
                        return false;
                c->before.gpr[insn->rm] = pick_landing(b);
        }
        return true;
}

bool isa64_generate(struct isa64_generator *g, unsigned form, unsigned n, struct isa64_case *c)
{
        struct row *row = &g->row[form];
        struct build b = { .g = g, .opcode = row->opcode, .c = c };

        isa_random_seed(&b.random, g->seed, b.opcode->form, n);
        b.encoding = &row->encodings[isa_random(&b.random) % row->count];
        b.special = n % 2 ? SPECIAL_PLAIN : (enum special)(n / 2 % SPECIAL_COUNT);
        if (b.special == SPECIAL_BAD_LOCK && (b.opcode->attr & ATTR_LOCK))
                b.special = SPECIAL_PLAIN;
        for (unsigned attempt = 0; attempt < 60; attempt++) {
                bool inside;

                memset(c, 0, sizeof(*c));
                b.used = 0;
                c->form = form;
                c->number = n;
                if (attempt == 30)
                        b.special = SPECIAL_PLAIN;
                if (!put_bytes(&b))
                        continue;
                c->what = special_names[b.special];
                choose_state(&b, form * 37 + n);
                if (b.special == SPECIAL_BAD_LOCK)
                        return true;
                if (!choose_operands(&b) || !aim_branches(&b))
                        continue;
                if (!accepts(&b.insn, c->code, g->features) || b.insn.opcode != b.opcode)
                        continue;
                if (b.insn.is_memory && b.insn.has_modrm && b.opcode->kind != KIND_LEA && b.opcode->kind != KIND_NOP) {
                        c->operand_linear = operand_linear(&b, &inside);
                        if (!inside)
                                continue;
                        put_operand(&b, c->operand_linear);
                }
                /* A stack pointer that was aimed elsewhere. */
                if ((b.used >> RSP & 1) && (b.opcode->kind == KIND_PUSH || b.opcode->kind == KIND_POP || b.opcode->kind == KIND_CALL_IND) &&
                    c->before.gpr[RSP] - ISA_DATA > 0x8000 && c->before.gpr[RSP] - ISA_DATA - ISA64_HIGH > 0x8000 &&
                    cpu_canonical(c->before.gpr[RSP]))
                        continue;
                if ((b.used >> RBP & 1) && (b.opcode->kind == KIND_LEAVE || b.opcode->kind == KIND_ENTER))
                        continue;
                put_stack(&b);
                return true;
        }
        return false;
}
