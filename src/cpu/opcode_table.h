/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opcode_table.h - how the decoder finds a row of opcodes.def; private to decode.c and opcode_table.c.
 *
 * What an encoding is, as far as rows can be chosen by it, is one word with one bit set in each field
 * below (none in the ModRM fields where there is no ModRM byte).  A row holds the bits it admits, so
 * that matching is one AND.
 */
#ifndef LODGER_CPU_OPCODE_TABLE_H
#define LODGER_CPU_OPCODE_TABLE_H

#include "cpu/insn.h"

enum choice_shift {
        CHOICE_PREFIX = 0,              /* 4: none, 66h, F3h, F2h */
        CHOICE_MOD = 4,                 /* 2: memory, register */
        CHOICE_OPERAND = 6,             /* 3: 16, 32, 64 */
        CHOICE_ADDRESS = 9,             /* 3 */
        CHOICE_MODE = 12,               /* 3: real or virtual-8086, protected, 64-bit */
        CHOICE_REG = 15,                /* 8: ModRM.reg */
        CHOICE_RM = 23,                 /* 8: ModRM.rm of a register form */
};
/* VEX encodings have maps of their own in the index, and put what they are chosen by where it has no use otherwise. */
enum { MAP_V0F = 4, MAP_V0F38, MAP_V0F3A, MAPS };
enum {
        CHOICE_VEX_W = CHOICE_OPERAND,  /* 2: VEX.W 0, 1 */
        CHOICE_VEX_L = CHOICE_ADDRESS,  /* 2: 128, 256 bits */
        CHOICE_VEX_V = CHOICE_RM,       /* 2: VEX.vvvv is 1111b, is something else */
};
enum { PREFIX_NONE = 1, PREFIX_66 = 2, PREFIX_F3 = 4, PREFIX_F2 = 8, PREFIX_ALL = 15 };

/* What a row's operands ask of the decoder, one word per row: a size code and bits. */
enum shape {
        SHAPE_SIZE = 15,                /* of the memory operand: one of SIZE_* */
        SIZE_1 = 1, SIZE_2, SIZE_4, SIZE_8, SIZE_16, SIZE_10, SIZE_V, SIZE_Y, SIZE_FAR, SIZE_TABLE, SIZE_PAIR,
        SIZE_DQ,                        /* 16, where SIZE_16 is 32 with VEX.L */
        SHAPE_U8 = 1 << 4,              /* immediates in the order they are encoded: U16 before U8 (ENTER) */
        SHAPE_S8 = 1 << 5,
        SHAPE_U16 = 1 << 6,
        SHAPE_Z = 1 << 7,
        SHAPE_V = 1 << 8,
        SHAPE_POINTER = 1 << 9,
        SHAPE_MOFFS = 1 << 10,
        SHAPE_SIZED = 1 << 11,
        SHAPE_SOURCE = 1 << 12,         /* string operand at rSI */
        SHAPE_DESTINATION = 1 << 13,    /* string operand at ES:rDI */
        SHAPE_LOW_REG = 1 << 14,        /* register in the opcode byte */
        SHAPE_REG_PLAIN = 1 << 15,      /* REX.R, REX.B do not extend this register (SDM 2A 2.2.1.2) */
        SHAPE_RM_PLAIN = 1 << 16,
        SHAPE_NATIVE = 1 << 17,         /* 32 bits, 64 with REX.W, whatever 66h and the mode */
        SHAPE_CONTROL = 1 << 18,        /* MOV CRn, DRn: mod ignored; 32 bits, 64 in 64-bit mode */
        SHAPE_DEBUG = 1 << 19,
        SHAPE_GENERAL = 1 << 20,        /* general registers of VEX.W's size: outside 64-bit mode W is ignored */
        SHAPE_VSIB = 1 << 21,           /* SIB byte with a vector register as index */
};

struct opcode_choice {
        uint32_t admits;
        uint32_t shape;
};

/* Rows in table order; each opcode's list ends with a row without a name that admits everything. */
extern const struct opcode_choice opcode_choices[];
/* [map << 8 | code]: number of the first row plus one, 0 when there is none; INDEX_MODRM. */
extern const uint16_t opcode_index[MAPS * 256];
enum { INDEX_MODRM = 0x8000, INDEX_ROW = 0x7fff };

#endif
