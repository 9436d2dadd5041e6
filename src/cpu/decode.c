/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode.c - instruction bytes to struct insn, by the opcode table (SDM 2A chapter 2).
 *
 * Compiled for general registers only and free of library calls, because the translator decodes while
 * guest vector state is in the host's registers.
 *
 * Invariants
 * D1  Nothing outside bytes[0 .. min(available, 15)) is read.
 * D2  DECODE_OK only for a row of the table that admits this encoding in this mode with these features (T1).
 * D3  The order of refusal is that of fetching: DECODE_SHORT names a byte that is really needed, so a guest's
 *     page fault on it is architectural; a 16th byte is DECODE_GP even if the opcode would be #UD further on.
 */
#include "cpu/opcode_table.h"

#include "cpu/cpu.h"
#include "cpu/mode.h"

enum { INSN_MAX_BYTES = 15, REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

struct reader {
        const uint8_t *bytes;
        size_t available;
        unsigned position;
};

/* Whether the next count bytes can be had; otherwise why not. */
static inline enum decode_result reader_need(const struct reader *reader, unsigned count)
{
        if (reader->position + count <= reader->available && reader->position + count <= INSN_MAX_BYTES)
                return DECODE_OK;
        return reader->available < INSN_MAX_BYTES ? DECODE_SHORT : DECODE_GP;
}

/* The next count bytes, little-endian; reader_need() has said yes. */
static inline uint64_t reader_take(struct reader *reader, unsigned count)
{
        uint64_t value = 0;

        for (unsigned i = 0; i < count; i++)
                value |= (uint64_t)reader->bytes[reader->position + i] << (8 * i);
        reader->position += count;
        return value;
}

static inline int64_t sign_extend(uint64_t value, unsigned bytes)
{
        unsigned shift = 64 - 8 * bytes;

        return (int64_t)(value << shift) >> shift;
}

/* -- Prefixes ------------------------------------------------------------------------------------ */

struct prefixes {
        bool operand_size, address_size;
};

static bool insn_take_prefix(struct insn *insn, struct prefixes *prefixes, uint8_t byte, bool code64)
{
        switch (byte) {
        case 0x26: case 0x2e: case 0x36: case 0x3e:
                /* In 64-bit mode these four are null prefixes: FS and GS given before them stay. */
                if (!code64) {
                        insn->segment = byte >> 3 & 3;
                        insn->segment_override = true;
                }
                break;
        case 0x64: case 0x65:
                insn->segment = byte == 0x64 ? SEG_FS : SEG_GS;
                insn->segment_override = true;
                break;
        case 0x66:
                prefixes->operand_size = true;
                break;
        case 0x67:
                prefixes->address_size = true;
                break;
        case 0xf0:
                insn->lock = true;
                break;
        case 0xf2: case 0xf3:
                insn->rep = byte;
                break;
        default:
                if (!code64 || (byte & 0xf0) != 0x40)
                        return false;
                insn->rex = byte;
                return true;
        }
        insn->rex = 0;          /* REX counts only right before the opcode (SDM 2A 2.2.1) */
        return true;
}

static enum decode_result insn_read_prefixes(struct insn *insn, struct prefixes *prefixes, struct reader *reader,
                                             bool code64)
{
        for (;;) {
                enum decode_result result = reader_need(reader, 1);

                if (result != DECODE_OK)
                        return result;
                if (!insn_take_prefix(insn, prefixes, reader->bytes[reader->position], code64))
                        return DECODE_OK;
                reader->position++;
        }
}

/* -- Opcode -------------------------------------------------------------------------------------- */

static enum decode_result insn_read_opcode(struct insn *insn, struct reader *reader)
{
        enum decode_result result;

        insn->map = MAP_PRIMARY;
        insn->code = reader_take(reader, 1);
        if (insn->code != 0x0f)
                return DECODE_OK;
        if ((result = reader_need(reader, 1)) != DECODE_OK)
                return result;
        insn->map = MAP_0F;
        insn->code = reader_take(reader, 1);
        if (insn->code != 0x38 && insn->code != 0x3a)
                return DECODE_OK;
        if ((result = reader_need(reader, 1)) != DECODE_OK)
                return result;
        insn->map = insn->code == 0x38 ? MAP_0F38 : MAP_0F3A;
        insn->code = reader_take(reader, 1);
        return DECODE_OK;
}

/* C4 and C5 begin a VEX prefix in 64-bit mode, and elsewhere, but for real and virtual-8086 mode, where LES and LDS
 * would have a register operand (SDM 2A 2.3.5). */
static bool vex_begins(const struct insn *insn, const struct reader *reader, uint64_t mode)
{
        if (insn->map != MAP_PRIMARY || (insn->code & 0xfe) != 0xc4)
                return false;
        if (mode & MODE_CODE64)
                return true;
        return (mode & MODE_PROTECTED) && reader_need(reader, 1) == DECODE_OK && reader->bytes[reader->position] >= 0xc0;
}

/* The rest of the prefix and the opcode (SDM 2A 2.3.5). */
static enum decode_result insn_read_vex(struct insn *insn, const struct prefixes *prefixes, struct reader *reader, bool code64)
{
        static const uint8_t mandatory[4] = { 0, 0x66, 0xf3, 0xf2 };
        bool long_form = insn->code == 0xc4, refused = prefixes->operand_size || insn->rep || insn->lock || insn->rex;
        unsigned first, last, map = MAP_0F, rex = 0;
        enum decode_result result;

        if ((result = reader_need(reader, long_form ? 3 : 2)) != DECODE_OK)
                return result;
        first = last = reader_take(reader, 1);
        if (long_form) {
                map = first & 31;
                last = reader_take(reader, 1);
                rex = last & 0x80 ? REX_W : 0;
        }
        insn->code = reader_take(reader, 1);
        if (refused || map < MAP_0F || map > MAP_0F3A)
                return DECODE_UD;
        insn->vex = true;
        insn->map = map;
        insn->mandatory = mandatory[last & 3];
        insn->vex_l = last >> 2 & 1;
        insn->vvvv = ~last >> 3 & 15;
        if (code64) {
                rex |= first & 0x80 ? 0 : REX_R;
                if (long_form)
                        rex |= (first & 0x40 ? 0 : REX_X) | (first & 0x20 ? 0 : REX_B);
        }
        insn->rex = 0x40 | rex;
        return DECODE_OK;
}

/* The number (log2 - 1) of a size of 2, 4 or 8 bytes. */
static inline unsigned size_number(unsigned bytes)
{
        return bytes >> 2;
}

/* Mode and ModRM. */
static inline uint32_t insn_choice_rest(const struct insn *insn, uint64_t mode)
{
        uint32_t choice = 0;

        if (mode & MODE_CODE64)
                choice |= UINT32_C(4) << CHOICE_MODE;
        else
                choice |= (mode & MODE_PROTECTED ? UINT32_C(2) : UINT32_C(1)) << CHOICE_MODE;
        if (insn->has_modrm) {
                choice |= UINT32_C(1) << (CHOICE_REG + (insn->modrm >> 3 & 7));
                if (insn->modrm >= 0xc0)
                        choice |= UINT32_C(2) << CHOICE_MOD | (insn->vex ? 0 : UINT32_C(1) << (CHOICE_RM + (insn->modrm & 7)));
                else
                        choice |= UINT32_C(1) << CHOICE_MOD;
        }
        return choice;
}

/* The word that rows are matched against; see opcode_table.h. */
static uint32_t insn_choice(const struct insn *insn, const struct prefixes *prefixes, uint64_t mode)
{
        uint32_t choice;

        if (insn->vex) {
                choice = insn->mandatory == 0xf3 ? PREFIX_F3 : insn->mandatory == 0xf2 ? PREFIX_F2 :
                         insn->mandatory ? PREFIX_66 : PREFIX_NONE;
                choice <<= CHOICE_PREFIX;
                choice |= UINT32_C(1) << (CHOICE_VEX_W + (insn->rex & REX_W ? 1 : 0));
                choice |= UINT32_C(1) << (CHOICE_VEX_L + insn->vex_l);
                choice |= UINT32_C(1) << (CHOICE_VEX_V + (insn->vvvv ? 1 : 0));
                return choice | insn_choice_rest(insn, mode);
        }
        if (insn->rep)
                choice = insn->rep == 0xf3 ? PREFIX_F3 : PREFIX_F2;
        else
                choice = prefixes->operand_size ? PREFIX_66 : PREFIX_NONE;
        choice <<= CHOICE_PREFIX;
        choice |= UINT32_C(1) << (CHOICE_OPERAND + size_number(insn->operand_bytes));
        choice |= UINT32_C(1) << (CHOICE_ADDRESS + size_number(insn->address_bytes));
        return choice | insn_choice_rest(insn, mode);
}

static inline bool feature_present(const uint64_t features[2], unsigned feature)
{
        return feature == FEATURE_NONE || (features[feature >> 6] >> (feature & 63) & 1);
}

/* Settles what 66h, F2h, F3h and REX.W mean once the row is known. */
static void insn_settle_prefixes(struct insn *insn, const struct prefixes *prefixes, uint32_t admits, uint32_t shape,
                                 uint64_t mode)
{
        const struct opcode *opcode = insn->opcode;
        uint32_t admitted = admits >> CHOICE_PREFIX & PREFIX_ALL;
        unsigned natural = mode & (MODE_CODE64 | MODE_CODE32) ? 4 : 2;

        if (insn->vex) {
                if ((shape & SHAPE_GENERAL) && !(mode & MODE_CODE64))
                        insn->rex &= ~REX_W;
                if (!(mode & MODE_CODE64))
                        insn->vvvv &= 7;
                insn->operand_bytes = (insn->rex & REX_W) && (mode & MODE_CODE64) ? 8 : 4;
                return;
        }
        if (admitted != PREFIX_ALL) {
                if (insn->rep) {
                        insn->mandatory = insn->rep;
                        insn->rep = 0;
                } else if (prefixes->operand_size && !(admitted & PREFIX_NONE)) {
                        insn->mandatory = 0x66;
                }
        }
        insn->sized = (shape & SHAPE_SIZED) && insn->mandatory != 0x66;
        if (!insn->sized)
                insn->operand_bytes = insn->rex & REX_W ? 8 : natural;
        if (insn->map == MAP_PRIMARY && (insn->code & 0xfc) == 0x6c && insn->operand_bytes == 8)
                insn->operand_bytes = 4;        /* INS and OUTS have no 64-bit form */
        if (shape & SHAPE_NATIVE)
                insn->operand_bytes = insn->rex & REX_W ? 8 : 4;
        if (shape & SHAPE_CONTROL)
                insn->operand_bytes = mode & MODE_CODE64 ? 8 : 4;
        if ((mode & MODE_CODE64) && (opcode->attr & ATTR_DEFAULT_64)) {
                /* Intel ignores 66h before near branches in 64-bit mode; stack instructions obey it. */
                bool branch = opcode->kind >= KIND_JCC && opcode->kind <= KIND_LOOP;

                if (branch || insn->operand_bytes != 2)
                        insn->operand_bytes = 8;
        }
}

/* -- Addresses ----------------------------------------------------------------------------------- */

/* SDM 2A table 2-1. */
static enum decode_result insn_read_address16(struct insn *insn, struct reader *reader)
{
        static const uint8_t base[8] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
        static const uint8_t index[8] = { RSI, RDI, RSI, RDI, REG_NONE, REG_NONE, REG_NONE, REG_NONE };
        unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7, disp_bytes = mod;
        enum decode_result result;

        insn->base = base[rm];
        insn->index = index[rm];
        if (mod == 0 && rm == 6) {
                insn->base = REG_NONE;
                disp_bytes = 2;
        }
        if (disp_bytes) {
                if ((result = reader_need(reader, disp_bytes)) != DECODE_OK)
                        return result;
                insn->disp = sign_extend(reader_take(reader, disp_bytes), disp_bytes);
        }
        return DECODE_OK;
}

/* SDM 2A tables 2-2 and 2-3, and 2.2.1 for REX and RIP-relative addresses. */
static enum decode_result insn_read_address32(struct insn *insn, struct reader *reader, bool code64, bool vsib)
{
        static const uint8_t disp_size[4] = { 0, 1, 4, 0 };
        unsigned mod = insn->modrm >> 6, base = insn->modrm & 7, disp_bytes = disp_size[mod];
        bool has_sib = base == 4;
        enum decode_result result;

        if (has_sib) {
                unsigned sib, index;

                if ((result = reader_need(reader, 1)) != DECODE_OK)
                        return result;
                sib = reader_take(reader, 1);
                base = sib & 7;
                index = (sib >> 3 & 7) | (insn->rex & REX_X ? 8 : 0);
                if (index != 4 || vsib) {
                        insn->index = index;
                        insn->scale = sib >> 6;
                }
        }
        if (mod == 0 && base == 5) {
                disp_bytes = 4;
                insn->rip_relative = code64 && !has_sib;
        } else {
                insn->base = base | (insn->rex & REX_B ? 8 : 0);
        }
        if (disp_bytes) {
                if ((result = reader_need(reader, disp_bytes)) != DECODE_OK)
                        return result;
                insn->disp = sign_extend(reader_take(reader, disp_bytes), disp_bytes);
        }
        return DECODE_OK;
}

static enum decode_result insn_read_modrm_operands(struct insn *insn, struct reader *reader, uint32_t shape, bool code64)
{
        enum decode_result result;

        insn->reg = insn->modrm >> 3 & 7;
        if ((insn->rex & REX_R) && !(shape & SHAPE_REG_PLAIN))
                insn->reg |= 8;
        if (insn->modrm >= 0xc0 || (shape & SHAPE_CONTROL)) {
                insn->rm = insn->modrm & 7;
                if ((insn->rex & REX_B) && !(shape & SHAPE_RM_PLAIN))
                        insn->rm |= 8;
                return DECODE_OK;
        }
        insn->is_memory = true;
        if ((shape & SHAPE_VSIB) && (insn->address_bytes == 2 || (insn->modrm & 7) != 4))
                return DECODE_UD;
        result = insn->address_bytes == 2 ? insn_read_address16(insn, reader)
                                          : insn_read_address32(insn, reader, code64, shape & SHAPE_VSIB);
        if (!insn->segment_override && (insn->base == RSP || insn->base == RBP))
                insn->segment = SEG_SS;
        return result;
}

/* -- Immediates and sizes ------------------------------------------------------------------------ */

static enum decode_result insn_read_immediates(struct insn *insn, struct reader *reader, uint32_t shape)
{
        enum decode_result result;
        unsigned bytes = 0;

        if (!(shape & (SHAPE_U8 | SHAPE_S8 | SHAPE_U16 | SHAPE_Z | SHAPE_V | SHAPE_POINTER | SHAPE_MOFFS)))
                return DECODE_OK;
        if (shape & (SHAPE_U8 | SHAPE_S8))
                bytes = 1;
        if (shape & SHAPE_U16)          /* before the byte of ENTER */
                bytes = 2;
        if (shape & (SHAPE_Z | SHAPE_POINTER))
                bytes = insn->operand_bytes == 2 ? 2 : 4;
        if (shape & SHAPE_V)
                bytes = insn->operand_bytes;
        if (shape & SHAPE_MOFFS)
                bytes = insn->address_bytes;
        if ((result = reader_need(reader, bytes)) != DECODE_OK)
                return result;
        insn->imm = reader_take(reader, bytes);
        if (shape & SHAPE_MOFFS) {
                insn->disp = (int64_t)insn->imm;
                insn->imm = 0;
                insn->is_memory = true;
                return DECODE_OK;
        }
        insn->imm_bytes = bytes;
        if (shape & (SHAPE_S8 | SHAPE_Z))
                insn->imm = (uint64_t)sign_extend(insn->imm, bytes);
        if (shape & SHAPE_POINTER)
                bytes = 2;
        else if ((shape & SHAPE_U16) && (shape & SHAPE_U8))
                bytes = 1;
        else
                return DECODE_OK;
        if ((result = reader_need(reader, bytes)) != DECODE_OK)
                return result;
        insn->imm2 = reader_take(reader, bytes);
        return DECODE_OK;
}

static unsigned insn_memory_bytes(const struct insn *insn, uint32_t shape, bool code64)
{
        switch (shape & SHAPE_SIZE) {
        case SIZE_1:
                return 1;
        case SIZE_2:
                return 2;
        case SIZE_4:
                return 4;
        case SIZE_8:
                return 8;
        case SIZE_10:
                return 10;
        case SIZE_16:
                return insn->vex_l ? 32 : 16;
        case SIZE_DQ:
                return 16;
        case SIZE_V:
                return insn->operand_bytes;
        case SIZE_Y:
                return insn->rex & REX_W ? 8 : 4;
        case SIZE_FAR:
                return insn->operand_bytes + 2;
        case SIZE_TABLE:
                return code64 ? 10 : 6;
        case SIZE_PAIR:
                return 2 * insn->operand_bytes;
        default:
                return insn->opcode->memory_bytes;
        }
}

/* -- All together -------------------------------------------------------------------------------- */

static void insn_clear(struct insn *insn)
{
        insn->opcode = NULL;
        insn->length = insn->map = insn->code = insn->mandatory = insn->rep = insn->rex = 0;
        insn->vvvv = insn->vex_l = 0;
        insn->operand_bytes = insn->address_bytes = 0;
        insn->lock = insn->segment_override = insn->has_modrm = insn->is_memory = false;
        insn->rip_relative = insn->sized = insn->vex = false;
        insn->segment = SEG_DS;
        insn->modrm = insn->reg = insn->rm = insn->scale = 0;
        insn->base = insn->index = REG_NONE;
        insn->disp = 0;
        insn->imm = 0;
        insn->imm2 = 0;
        insn->imm_bytes = 0;
        insn->memory_bytes = 0;
}

static void insn_settle_sizes(struct insn *insn, const struct prefixes *prefixes, uint64_t mode)
{
        if (mode & MODE_CODE64) {
                insn->operand_bytes = insn->rex & REX_W ? 8 : prefixes->operand_size ? 2 : 4;
                insn->address_bytes = prefixes->address_size ? 4 : 8;
        } else {
                bool wide = mode & MODE_CODE32;

                insn->operand_bytes = wide != prefixes->operand_size ? 4 : 2;
                insn->address_bytes = wide != prefixes->address_size ? 4 : 2;
        }
}

static enum decode_result insn_decode_at(struct insn *insn, struct reader *reader, uint64_t mode, const uint64_t features[2])
{
        const struct opcode_choice *choices;
        struct prefixes prefixes = { false, false };
        bool code64 = mode & MODE_CODE64;
        enum decode_result result;
        unsigned slot, row;
        uint32_t choice, shape;

        if ((result = insn_read_prefixes(insn, &prefixes, reader, code64)) != DECODE_OK)
                return result;
        if ((result = insn_read_opcode(insn, reader)) != DECODE_OK)
                return result;
        if (vex_begins(insn, reader, mode) && (result = insn_read_vex(insn, &prefixes, reader, code64)) != DECODE_OK)
                return result;
        insn_settle_sizes(insn, &prefixes, mode);

        slot = insn->map << 8 | insn->code;
        if (insn->vex)
                slot += (MAP_V0F - MAP_0F) << 8;
        if (slot == 0x90 && (insn->rex & REX_B))
                slot = 0x91;            /* XCHG R8,rAX, no NOP */
        if (!opcode_index[slot])
                return DECODE_UD;
        if (opcode_index[slot] & INDEX_MODRM) {
                if ((result = reader_need(reader, 1)) != DECODE_OK)
                        return result;
                insn->has_modrm = true;
                insn->modrm = reader_take(reader, 1);
        }
        choice = insn_choice(insn, &prefixes, mode);
        row = (opcode_index[slot] & INDEX_ROW) - 1;
        choices = opcode_choices + row;
        while ((choice & ~choices->admits) || !feature_present(features, opcode_rows[row].feature)) {
                row++;
                choices++;
        }
        if (!opcode_rows[row].name)
                return DECODE_UD;
        insn->opcode = &opcode_rows[row];
        shape = choices->shape;
        insn_settle_prefixes(insn, &prefixes, choices->admits, shape, mode);

        if (insn->has_modrm && (result = insn_read_modrm_operands(insn, reader, shape, code64)) != DECODE_OK)
                return result;
        if ((result = insn_read_immediates(insn, reader, shape)) != DECODE_OK)
                return result;
        if (shape & SHAPE_LOW_REG)
                insn->rm = (insn->code & 7) | (insn->rex & REX_B ? 8 : 0);
        if (shape & (SHAPE_SOURCE | SHAPE_DESTINATION)) {
                insn->is_memory = true;
                if (!(shape & SHAPE_SOURCE))
                        insn->segment = SEG_ES;         /* no override applies */
        }
        insn->memory_bytes = insn_memory_bytes(insn, shape, code64);

        if (insn->opcode->kind == KIND_INVALID)
                return DECODE_UD;
        if (insn->lock && !((insn->opcode->attr & ATTR_LOCK) && insn->is_memory))
                return DECODE_UD;
        /* REX.R reaches CR8 and nothing else that exists. */
        if ((shape & SHAPE_CONTROL) && insn->reg >= 8 && ((shape & SHAPE_DEBUG) || insn->reg != 8))
                return DECODE_UD;
        return DECODE_OK;
}

enum decode_result insn_decode(struct insn *insn, const uint8_t *bytes, size_t available, uint64_t mode,
                               const uint64_t features[2])
{
        struct reader reader = { bytes, available, 0 };
        enum decode_result result;

        insn_clear(insn);
        result = insn_decode_at(insn, &reader, mode, features);
        insn->length = reader.position;
        for (unsigned i = 0; i < reader.position; i++)
                insn->bytes[i] = bytes[i];
        return result;
}
