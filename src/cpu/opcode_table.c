/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opcode_table.c - expands opcodes.def into constant tables, at compile time: rows, what each row
 * admits, and the index by opcode byte.  Nothing is written at run time, so any thread may look.
 */
#include "cpu/opcode_table.h"

#include "cpu/cpu.h"
#include "cpu/exec.h"

/* -- The words of opcodes.def ------------------------------------------------------------------- */

#define FIELD(shift, bits, admitted) (~((uint32_t)(bits) << (shift)) | (uint32_t)(admitted) << (shift))
#define ANY (~UINT32_C(0))
#define NP FIELD(CHOICE_PREFIX, PREFIX_ALL, PREFIX_NONE)
#define P66 FIELD(CHOICE_PREFIX, PREFIX_ALL, PREFIX_66)
#define PF3 FIELD(CHOICE_PREFIX, PREFIX_ALL, PREFIX_F3)
#define PF2 FIELD(CHOICE_PREFIX, PREFIX_ALL, PREFIX_F2)
#define MEM FIELD(CHOICE_MOD, 3, 1)
#define REG FIELD(CHOICE_MOD, 3, 2)
#define O16 FIELD(CHOICE_OPERAND, 7, 1)
#define O32 FIELD(CHOICE_OPERAND, 7, 2)
#define O64 FIELD(CHOICE_OPERAND, 7, 4)
#define A16 FIELD(CHOICE_ADDRESS, 7, 1)
#define A32 FIELD(CHOICE_ADDRESS, 7, 2)
#define A64 FIELD(CHOICE_ADDRESS, 7, 4)
#define D(n) FIELD(CHOICE_REG, 0xff, 1 << (n))
#define RM(n) (FIELD(CHOICE_RM, 0xff, 1 << (n)) & REG)
#define SREG FIELD(CHOICE_REG, 0xff, 0x3f)
#define L0 FIELD(CHOICE_VEX_L, 3, 1)
#define L1 FIELD(CHOICE_VEX_L, 3, 2)
#define W0 FIELD(CHOICE_VEX_W, 3, 1)
#define W1 FIELD(CHOICE_VEX_W, 3, 2)
#define NV FIELD(CHOICE_VEX_V, 3, 1)
#define NOT_CS FIELD(CHOICE_REG, 0xff, 0xfd)
#define CRN FIELD(CHOICE_REG, 0xff, 0x1d)

/* Which modes an attribute takes away. */
#define MODES(attr) \
        ((((attr) & ATTR_NO_64) ? FIELD(CHOICE_MODE, 7, 3) : ANY) & \
         (((attr) & ATTR_ONLY_64) ? FIELD(CHOICE_MODE, 7, 4) : ANY) & \
         (((attr) & ATTR_NO_REAL) ? FIELD(CHOICE_MODE, 7, 6) : ANY))

enum {
        FL__ = 0, FL_C = FLAG_CF, FL_P = FLAG_PF, FL_A = FLAG_AF, FL_Z = FLAG_ZF, FL_S = FLAG_SF, FL_O = FLAG_OF,
        FL_D = FLAG_DF, FL_AC = FL_A | FL_C, FL_CO = FL_C | FL_O, FL_CZ = FL_C | FL_Z, FL_OA = FL_O | FL_A, FL_SO = FL_S | FL_O,
        FL_ZSO = FL_Z | FL_SO, FL_CZP = FL_CZ | FL_P, FL_OAC = FL_OA | FL_C, FL_OSA = FL_OA | FL_S, FL_SZP = FL_S | FL_Z | FL_P,
        FL_OSZP = FL_SZP | FL_O, FL_SZAP = FL_SZP | FL_A, FL_SZPC = FL_SZP | FL_C, FL_SZAPC = FL_SZAP | FL_C,
        FL_OSAP = FL_OSA | FL_P, FL_OSAPC = FL_OSAP | FL_C,
        FL_AP = FL_A | FL_P, FL_SAP = FL_S | FL_AP, FL_OZC = FL_O | FL_CZ, FL_OSZC = FL_OZC | FL_S,
        FL_LOGIC = FL_OSZP | FL_C, FL_NOT_C = FL_SZAP | FL_O, FL_ALL = FLAGS_ARITH, FL_ALL_D = FLAGS_ARITH | FLAG_DF,
};

enum {
        LOCK = ATTR_LOCK, LOAD = ATTR_LOAD, STORE = ATTR_STORE, RMW = ATTR_LOAD | ATTR_STORE, X87 = ATTR_X87,
        X87_NOWAIT = ATTR_X87_NOWAIT, X87_NODATA = ATTR_X87_NODATA, MMX = ATTR_MMX, SSE = ATTR_SSE, XM = ATTR_XM,
        ALIGN16 = ATTR_ALIGN16, NO_REAL = ATTR_NO_REAL, NO_64 = ATTR_NO_64, ONLY_64 = ATTR_ONLY_64,
        DEFAULT_64 = ATTR_DEFAULT_64, CPL0 = ATTR_CPL0, REG_ONLY = ATTR_REG_ONLY, MEM_ONLY = ATTR_MEM_ONLY,
        COUNT_FLAGS = ATTR_COUNT_FLAGS, NO_LOCK_CHECK = ATTR_NO_LOCK_CHECK, IMPLICIT_CL = ATTR_IMPLICIT_CL,
        IMPLICIT_CX = ATTR_IMPLICIT_CX, HOST_FAULT = ATTR_HOST_FAULT, SIZED = ATTR_SIZED,
        V = ATTR_VEX, AVX = ATTR_AVX,
};

/* What each operand that rows use asks of the decoder. */
enum {
        SHAPE_Eb = SIZE_1, SHAPE_Ew = SIZE_2, SHAPE_Ed = SIZE_4, SHAPE_Ev = SIZE_V | SHAPE_SIZED, SHAPE_Ey = SIZE_Y | SHAPE_GENERAL,
        SHAPE_Rv = SHAPE_SIZED, SHAPE_Ry = SHAPE_NATIVE,
        SHAPE_Mb = SIZE_1, SHAPE_Mw = SIZE_2, SHAPE_Md = SIZE_4, SHAPE_Mq = SIZE_8, SHAPE_Mv = SIZE_V | SHAPE_SIZED,
        SHAPE_My = SIZE_Y, SHAPE_Mdq = SIZE_16, SHAPE_Mt = SIZE_10, SHAPE_Mp = SIZE_FAR | SHAPE_SIZED,
        SHAPE_Ms = SIZE_TABLE | SHAPE_SIZED, SHAPE_Ma = SIZE_PAIR | SHAPE_SIZED, SHAPE_M = 0,
        SHAPE_Gb = 0, SHAPE_Gw = 0, SHAPE_Gd = 0, SHAPE_Gv = SHAPE_SIZED, SHAPE_Gy = SHAPE_GENERAL, SHAPE_By = SHAPE_GENERAL,
        SHAPE_Pq = SHAPE_REG_PLAIN, SHAPE_Qd = SIZE_4 | SHAPE_RM_PLAIN, SHAPE_Qq = SIZE_8 | SHAPE_RM_PLAIN,
        SHAPE_Nq = SHAPE_RM_PLAIN,
        SHAPE_Vx = 0, SHAPE_Ww = SIZE_2, SHAPE_Wd = SIZE_4, SHAPE_Wq = SIZE_8, SHAPE_Wx = SIZE_16, SHAPE_Ux = 0, SHAPE_Wb = SIZE_1,
        SHAPE_Wdq = SIZE_DQ, SHAPE_Mx = SIZE_16, SHAPE_Mvsib = SHAPE_VSIB, SHAPE_Hx = 0, SHAPE_Lx = SHAPE_U8,
        SHAPE_Udq_Mb = SIZE_1, SHAPE_Ry_Mw = SIZE_2, SHAPE_Ry_Md = SIZE_4,
        SHAPE_Sw = SHAPE_REG_PLAIN, SHAPE_Cd = SHAPE_CONTROL, SHAPE_Dd = SHAPE_CONTROL | SHAPE_DEBUG,
        SHAPE_ST0 = 0, SHAPE_STi = SHAPE_RM_PLAIN,
        SHAPE_Zb = SHAPE_LOW_REG, SHAPE_Zv = SHAPE_LOW_REG | SHAPE_SIZED,
        SHAPE_Ib = SHAPE_U8, SHAPE_Iw = SHAPE_U16, SHAPE_Iz = SHAPE_Z, SHAPE_Ibs = SHAPE_S8, SHAPE_Iv = SHAPE_V, SHAPE_I1 = 0,
        SHAPE_Jb = SHAPE_S8 | SHAPE_SIZED, SHAPE_Jz = SHAPE_Z | SHAPE_SIZED, SHAPE_Ap = SHAPE_POINTER | SHAPE_SIZED,
        SHAPE_Ob = SIZE_1 | SHAPE_MOFFS, SHAPE_Ov = SIZE_V | SHAPE_MOFFS | SHAPE_SIZED,
        SHAPE_AL = 0, SHAPE_CL = 0, SHAPE_DX = 0, SHAPE_eAX = SHAPE_SIZED, SHAPE_AX = 0,
        SHAPE_Xb = SIZE_1 | SHAPE_SOURCE, SHAPE_Xv = SIZE_V | SHAPE_SOURCE | SHAPE_SIZED,
        SHAPE_Yb = SIZE_1 | SHAPE_DESTINATION, SHAPE_Yv = SIZE_V | SHAPE_DESTINATION | SHAPE_SIZED,
};

#define exec_none NULL

/* -- Numbers ------------------------------------------------------------------------------------- */

/* An enumerator for every row, in order; FIRST_map_code has the number of the row that follows it (the
 * one after it steps back, so that CODEs in a row share their rows).  A CODE given twice does not compile. */
#define PASTE(a, b) a##b
#define NUMBERED(prefix, n) PASTE(prefix, n)
#define ROW(...) NUMBERED(ROW_, __COUNTER__),
#define END() NUMBERED(ROW_, __COUNTER__),
#define CODE(map, code) FIRST_##map##_##code, BACK_##map##_##code = FIRST_##map##_##code - 1,
#define CODE_M(map, code) CODE(map, code)
enum {
#include "cpu/opcodes.def"
        ROW_COUNT
};
#undef ROW
#undef END
#undef CODE
#undef CODE_M

/* -- The index ----------------------------------------------------------------------------------- */

#define ROW(...)
#define END()
#define CODE(map, code) [MAP_##map << 8 | 0x##code] = FIRST_##map##_##code + 1,
#define CODE_M(map, code) [MAP_##map << 8 | 0x##code] = (FIRST_##map##_##code + 1) | INDEX_MODRM,
const uint16_t opcode_index[MAPS * 256] = {
#include "cpu/opcodes.def"
};
#undef ROW
#undef END
#undef CODE
#undef CODE_M

/* -- What rows admit ----------------------------------------------------------------------------- */

#define CODE(map, code)
#define CODE_M(map, code)
#define END() { ANY, 0 },
#define ROW(choice, form, kind, feature, read, written, undefined, attr, handler) \
        { (choice) & MODES(attr), (form) | (((attr) & ATTR_SIZED) ? (uint32_t)SHAPE_SIZED : 0) },
#define F0(name) 0
#define F1(name, a) (uint32_t)SHAPE_##a
#define F2(name, a, b) ((uint32_t)SHAPE_##a | (uint32_t)SHAPE_##b)
#define F3(name, a, b, c) ((uint32_t)SHAPE_##a | (uint32_t)SHAPE_##b | (uint32_t)SHAPE_##c)
#define F4(name, a, b, c, d) ((uint32_t)SHAPE_##a | (uint32_t)SHAPE_##b | (uint32_t)SHAPE_##c | (uint32_t)SHAPE_##d)
#define X0(name, note) F0(name)
#define X1(name, a, note) F1(name, a)
#define X2(name, a, b, note) F2(name, a, b)
#define X3(name, a, b, c, note) F3(name, a, b, c)
#define X4(name, a, b, c, d, note) F4(name, a, b, c, d)
const struct opcode_choice opcode_choices[ROW_COUNT] = {
#include "cpu/opcodes.def"
};
#undef END
#undef ROW
#undef F0
#undef F1
#undef F2
#undef F3
#undef F4
#undef X0
#undef X1
#undef X2
#undef X3
#undef X4

/* -- The rows ------------------------------------------------------------------------------------ */

#define END() { .name = NULL },
#define ROW(choice, what, what_kind, needs, reads, writes, leaves, attributes, handler) \
        { what, .kind = KIND_##what_kind, .feature = FEATURE_##needs, .flags_read = FL_##reads, .flags_written = FL_##writes, \
          .flags_undefined = FL_##leaves, .attr = (attributes), .exec = exec_##handler },
#define NAMED(text, text_form, ...) .name = text, .form = text_form, .operands = { __VA_ARGS__ }
#define F0(insn) NAMED(#insn, #insn, OPERAND_NONE)
#define F1(insn, a) NAMED(#insn, #insn " " #a, OPERAND_##a)
#define F2(insn, a, b) NAMED(#insn, #insn " " #a "," #b, OPERAND_##a, OPERAND_##b)
#define F3(insn, a, b, c) NAMED(#insn, #insn " " #a "," #b "," #c, OPERAND_##a, OPERAND_##b, OPERAND_##c)
#define F4(insn, a, b, c, d) \
        NAMED(#insn, #insn " " #a "," #b "," #c "," #d, OPERAND_##a, OPERAND_##b, OPERAND_##c, OPERAND_##d)
#define X0(insn, note) NAMED(#insn, #insn " " note, OPERAND_NONE)
#define X1(insn, a, note) NAMED(#insn, #insn " " #a " " note, OPERAND_##a)
#define X2(insn, a, b, note) NAMED(#insn, #insn " " #a "," #b " " note, OPERAND_##a, OPERAND_##b)
#define X3(insn, a, b, c, note) NAMED(#insn, #insn " " #a "," #b "," #c " " note, OPERAND_##a, OPERAND_##b, OPERAND_##c)
#define X4(insn, a, b, c, d, note) \
        NAMED(#insn, #insn " " #a "," #b "," #c "," #d " " note, OPERAND_##a, OPERAND_##b, OPERAND_##c, OPERAND_##d)
_Static_assert((int)ROW_COUNT <= (int)OPCODE_ROWS_MAX, "counters by row have no room");
const struct opcode opcode_rows[ROW_COUNT] = {
#include "cpu/opcodes.def"
};

void opcode_each(void (*fn)(const struct opcode *opcode, void *opaque), void *opaque)
{
        for (size_t i = 0; i < ROW_COUNT; i++) {
                if (opcode_rows[i].name)
                        fn(&opcode_rows[i], opaque);
        }
}
