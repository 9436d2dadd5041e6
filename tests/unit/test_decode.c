/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_decode.c - the decoder against hand-written cases: forms, sizes, prefixes, limits, fields (traps.md
 * T1, T4), and the consistency of the table.
 *
 * test_decode_capstone.c and test_decode_host.c ask Capstone and the processor.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/mode.h"

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

#define MODE16 ((uint64_t)0)
#define MODE16P ((uint64_t)MODE_PROTECTED)
#define MODE32 ((uint64_t)(MODE_PROTECTED | MODE_CODE32))
#define MODE64 ((uint64_t)(MODE_PROTECTED | MODE_CODE64))

static const uint64_t all_features[2] = { ~UINT64_C(0), ~UINT64_C(0) };

static void without_feature(uint64_t features[2], enum cpu_feature feature)
{
        memcpy(features, all_features, sizeof(all_features));
        features[feature >> 6] &= ~(UINT64_C(1) << (feature & 63));
}

/* Decodes bytes written in hexadecimal, blanks allowed. */
static enum decode_result decode_hex(struct insn *insn, const char *hex, uint64_t mode, const uint64_t *features)
{
        uint8_t bytes[32];
        size_t count = 0;
        unsigned value;
        int used;

        while (sscanf(hex, "%2x%n", &value, &used) == 1) {
                bytes[count++] = value;
                hex += used;
        }
        return insn_decode(insn, bytes, count, mode, features);
}

/* -- Cases that must decode ---------------------------------------------------------------------- */

struct good_case {
        uint64_t mode;
        const char *hex, *form;
        unsigned operand_bytes, address_bytes, memory_bytes;
};

static const struct good_case good_cases[] = {
        /* Sizes by mode and prefix */
        { MODE16, "8b 07", "mov Gv,Ev", 2, 2, 2 },
        { MODE16, "66 67 8b 07", "mov Gv,Ev", 4, 4, 4 },
        { MODE32, "66 8b 07", "mov Gv,Ev", 2, 4, 2 },
        { MODE32, "67 8b 07", "mov Gv,Ev", 4, 2, 4 },
        { MODE64, "48 8b 07", "mov Gv,Ev", 8, 8, 8 },
        { MODE64, "66 48 8b 07", "mov Gv,Ev", 8, 8, 8 },
        { MODE64, "48 66 8b 07", "mov Gv,Ev", 2, 8, 2 },               /* REX not next to the opcode */
        { MODE32, "66 00 07", "add Eb,Gb", 4, 4, 1 },
        { MODE64, "66 e8 00 00 00 00", "call Jz", 8, 8, 0 },           /* Intel ignores 66h here */
        { MODE64, "66 50", "push Zv", 2, 8, 0 },
        { MODE64, "50", "push Zv", 8, 8, 0 },
        { MODE64, "66 9c", "pushf", 2, 8, 0 },
        { MODE64, "9c", "pushfq", 8, 8, 0 },
        { MODE32, "9c", "pushfd", 4, 4, 0 },
        { MODE16, "0f 20 c0", "mov Ry,Cd", 4, 2, 0 },
        { MODE64, "0f 20 c0", "mov Ry,Cd", 8, 8, 0 },
        { MODE16, "f3 0f c7 f8", "rdpid Ry", 4, 2, 0 },
        { MODE64, "f3 0f ae c0", "rdfsbase Ry", 4, 8, 0 },
        { MODE64, "f3 48 0f ae c0", "rdfsbase Ry", 8, 8, 0 },
        /* T4: another meaning in 64-bit mode */
        { MODE32, "40", "inc Zv", 4, 4, 0 },
        { MODE16, "60", "pushaw", 2, 2, 0 },
        { MODE32, "63 c8", "arpl Ew,Gw", 4, 4, 2 },
        { MODE64, "63 c8", "movsxd Gv,Ed", 4, 8, 4 },
        { MODE32, "c5 07", "lds Gv,Mp", 4, 4, 6 },
        { MODE16, "c4 07", "les Gv,Mp", 2, 2, 4 },
        { MODE32, "62 07", "bound Gv,Ma", 4, 4, 8 },
        { MODE32, "82 00 01", "add Eb,Ib /82", 4, 4, 1 },
        { MODE32, "d6", "salc", 4, 4, 0 },
        { MODE32, "06", "push es", 4, 4, 0 },
        { MODE32, "a1 00 00 00 00", "mov eAX,Ov", 4, 4, 4 },
        { MODE64, "a1 00 00 00 00 00 00 00 00", "mov eAX,Ov", 4, 8, 4 },
        { MODE64, "67 a0 00 00 00 00", "mov AL,Ob", 4, 4, 1 },
        { MODE32, "67 e3 00", "jcxz Jb", 4, 2, 0 },
        { MODE64, "41 90", "xchg Zv,eAX", 4, 8, 0 },
        { MODE64, "40 90", "nop", 4, 8, 0 },
        /* Prefixes that select */
        { MODE32, "0f 10 00", "movups Vx,Wx", 4, 4, 16 },
        { MODE32, "66 0f 10 00", "movupd Vx,Wx", 4, 4, 16 },
        { MODE32, "f3 0f 10 00", "movss Vx,Wd", 4, 4, 4 },
        { MODE32, "f2 0f 10 00", "movsd Vx,Wq", 4, 4, 8 },
        { MODE32, "f2 66 0f 10 00", "movsd Vx,Wq", 4, 4, 8 },
        { MODE32, "66 f3 0f 10 00", "movss Vx,Wd", 4, 4, 4 },
        { MODE32, "f2 f3 0f 10 00", "movss Vx,Wd", 4, 4, 4 },
        { MODE32, "f3 f2 0f 10 00", "movsd Vx,Wq", 4, 4, 8 },
        { MODE16, "66 0f 6f 07", "movdqa Vx,Wx", 2, 2, 16 },
        { MODE32, "66 f3 0f b8 00", "popcnt Gv,Ev", 2, 4, 2 },
        { MODE32, "66 f2 0f 38 f1 00", "crc32 Gy,Ev", 2, 4, 2 },
        { MODE32, "66 0f 38 f1 00", "movbe Mv,Gv", 2, 4, 2 },
        { MODE32, "66 0f c7 f0", "rdrand Rv", 2, 4, 0 },
        { MODE32, "f3 90", "pause", 4, 4, 0 },
        { MODE64, "66 48 0f 6e c0", "movd Vx,Ey", 8, 8, 8 },
        { MODE64, "48 0f c7 08", "cmpxchg16b Mdq", 8, 8, 16 },
        { MODE32, "f2 f0 0f c7 08", "cmpxchg8b Mq", 4, 4, 8 },
        /* Sizes of what is not an ordinary operand */
        { MODE32, "0f 01 10", "lgdt Ms", 4, 4, 6 },
        { MODE64, "0f 01 10", "lgdt Ms", 4, 8, 10 },
        { MODE32, "66 ff 28", "ljmp Mp", 2, 4, 4 },
        { MODE64, "48 6d", "insd Yv,DX", 4, 8, 4 },
        { MODE32, "66 a5", "movsw Yv,Xv", 2, 4, 2 },
        { MODE32, "db 28", "fld Mt", 4, 4, 10 },
        { MODE32, "66 d9 30", "fnstenv M", 2, 4, 0 },
        { MODE32, "8c d8", "mov Rv,Sw", 4, 4, 0 },
        { MODE32, "8c 18", "mov Mw,Sw", 4, 4, 2 },
        { MODE32, "66 0f 3a 14 00 01", "pextrb Udq_Mb,Vx,Ib", 4, 4, 1 },
        /* mod is ignored */
        { MODE32, "0f 20 00", "mov Ry,Cd", 4, 4, 0 },
        { MODE32, "0f 23 45", "mov Dd,Ry", 4, 4, 0 },
};

static void check_good(const struct good_case *c)
{
        struct insn insn;

        ck_assert_msg(decode_hex(&insn, c->hex, c->mode, all_features) == DECODE_OK, "%s", c->hex);
        ck_assert_str_eq(insn.opcode->form, c->form);
        ck_assert_msg(insn.operand_bytes == c->operand_bytes, "%s: operand %u", c->hex, insn.operand_bytes);
        ck_assert_msg(insn.address_bytes == c->address_bytes, "%s: address %u", c->hex, insn.address_bytes);
        if (insn.is_memory || c->memory_bytes == 0)
                ck_assert_msg(!insn.is_memory || insn.memory_bytes == c->memory_bytes, "%s: memory %u", c->hex, insn.memory_bytes);
        ck_assert_uint_eq(insn.length, (strlen(c->hex) + 1) / 3);
}

START_TEST(t1_t4_forms_and_sizes)
{
        for (unsigned i = 0; i < COUNT(good_cases); i++)
                check_good(&good_cases[i]);
}
END_TEST

/* -- Cases that must not ------------------------------------------------------------------------- */

struct bad_case {
        uint64_t mode;
        const char *hex;
        enum decode_result result;
};

static const struct bad_case bad_cases[] = {
        { MODE32, "0f 0b", DECODE_UD }, { MODE32, "0f b9 c0", DECODE_UD }, { MODE32, "0f ff c0", DECODE_UD },
        /* LOCK: memory destinations of the listed instructions only (SDM 2A LOCK) */
        { MODE32, "f0 01 c0", DECODE_UD }, { MODE32, "f0 03 00", DECODE_UD }, { MODE32, "f0 39 00", DECODE_UD },
        { MODE32, "f0 0f a3 00", DECODE_UD }, { MODE32, "f0 8b 00", DECODE_UD }, { MODE32, "f0 90", DECODE_UD },
        { MODE32, "f0 0f 20 c0", DECODE_UD }, { MODE32, "f0 d1 00", DECODE_UD }, { MODE32, "f0 a4", DECODE_UD },
        /* Only memory, only registers */
        { MODE32, "8d c0", DECODE_UD }, { MODE32, "ff d8", DECODE_UD }, { MODE32, "ff e8", DECODE_UD },
        { MODE32, "62 c0", DECODE_UD }, { MODE32, "c4 c0", DECODE_SHORT }, { MODE_CODE32, "c5 f8 77", DECODE_UD },
        { MODE32, "0f 2b c0", DECODE_UD }, { MODE32, "66 0f e7 c0", DECODE_UD }, { MODE32, "0f c3 c0", DECODE_UD },
        { MODE32, "0f 50 00", DECODE_UD }, { MODE32, "66 0f f7 00", DECODE_UD }, { MODE32, "0f c7 c8", DECODE_UD },
        { MODE32, "f2 0f d6 00", DECODE_UD }, { MODE32, "0f 01 d8", DECODE_UD }, { MODE32, "0f 71 10 00", DECODE_UD },
        /* Registers that do not exist */
        { MODE32, "8e c8", DECODE_UD }, { MODE32, "8e f0", DECODE_UD }, { MODE32, "8c f8", DECODE_UD },
        { MODE32, "0f 20 c8", DECODE_UD }, { MODE32, "0f 22 e8", DECODE_UD }, { MODE64, "44 0f 21 c0", DECODE_UD },
        { MODE64, "44 0f 20 d0", DECODE_UD },
        /* Modes */
        { MODE16, "63 c8", DECODE_UD }, { MODE16, "0f 00 c0", DECODE_UD }, { MODE16 | MODE_V86, "0f 02 c0", DECODE_UD },
        { MODE64, "06", DECODE_UD }, { MODE64, "60", DECODE_UD }, { MODE64, "27", DECODE_UD }, { MODE64, "82 00 00", DECODE_UD },
        { MODE64, "9a 00 00 00 00 00 00", DECODE_UD }, { MODE64, "ce", DECODE_UD }, { MODE64, "d4 0a", DECODE_UD },
        { MODE32, "0f 05", DECODE_UD }, { MODE32, "0f 07", DECODE_UD },
        /* Prefixes that select nothing */
        { MODE32, "f3 0f fc c0", DECODE_UD }, { MODE32, "f2 0f 28 c0", DECODE_UD }, { MODE32, "0f 6c c0", DECODE_UD },
        { MODE32, "66 0f ae 00", DECODE_UD }, { MODE32, "66 0f 77", DECODE_UD }, { MODE32, "66 0f 38 c8 c0", DECODE_UD },
        { MODE32, "f3 0f c7 f0", DECODE_UD },
        /* Left out */
        { MODE32, "0f 01 c1", DECODE_UD }, { MODE32, "0f aa", DECODE_UD }, { MODE32, "c7 f8 00 00 00 00", DECODE_UD },
        { MODE32, "0f 0f c0 9e", DECODE_UD }, { MODE32, "f3 0f ae c0", DECODE_UD }, { MODE32, "0f 01 ef", DECODE_UD },
        { MODE32, "db e5", DECODE_UD }, { MODE32, "d9 d1", DECODE_UD }, { MODE32, "8f 08", DECODE_UD },
        /* Fifteen bytes and no more */
        { MODE32, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", DECODE_GP },
        { MODE32, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 81 00 01 02 03 04", DECODE_GP },
        { MODE32, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 0f 05", DECODE_GP },
        /* Too few bytes to tell */
        { MODE32, "", DECODE_SHORT }, { MODE32, "66", DECODE_SHORT }, { MODE32, "0f", DECODE_SHORT },
        { MODE32, "8b", DECODE_SHORT }, { MODE32, "8b 04", DECODE_SHORT }, { MODE32, "8b 05 00 00 00", DECODE_SHORT },
        { MODE32, "b8 00 00 00", DECODE_SHORT }, { MODE32, "c8 00 00", DECODE_SHORT },
        { MODE32, "9a 00 00 00 00 00", DECODE_SHORT }, { MODE16, "a1 00", DECODE_SHORT },
        { MODE32, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 81 00 01 02", DECODE_SHORT },
};

START_TEST(t1_refusals)
{
        for (unsigned i = 0; i < COUNT(bad_cases); i++) {
                const struct bad_case *c = &bad_cases[i];
                struct insn insn;

                ck_assert_msg(decode_hex(&insn, c->hex, c->mode, all_features) == c->result, "%s", c->hex);
                ck_assert_uint_le(insn.length, 15);
        }
}
END_TEST

START_TEST(limit_of_fifteen_is_inclusive)
{
        struct insn insn;

        ck_assert(decode_hex(&insn, "2e 2e 2e 2e 2e 2e 2e 2e 2e 81 00 01 02 03 04", MODE32, all_features) == DECODE_OK);
        ck_assert_uint_eq(insn.length, 15);
        ck_assert_uint_eq(insn.imm, 0x04030201);
        ck_assert_mem_eq(insn.bytes + 9, "\x81\x00\x01\x02\x03\x04", 6);
}
END_TEST

/* -- Fields -------------------------------------------------------------------------------------- */

START_TEST(features_choose_rows)
{
        struct insn insn;
        uint64_t features[2];

        without_feature(features, FEATURE_LZCNT);
        ck_assert(decode_hex(&insn, "f3 0f bd c1", MODE32, features) == DECODE_OK);
        ck_assert_str_eq(insn.opcode->name, "bsr");
        ck_assert_uint_eq(insn.mandatory, 0);
        ck_assert(decode_hex(&insn, "f3 0f bd c1", MODE32, all_features) == DECODE_OK);
        ck_assert_str_eq(insn.opcode->name, "lzcnt");
        ck_assert_uint_eq(insn.mandatory, 0xf3);
        without_feature(features, FEATURE_POPCNT);
        ck_assert(decode_hex(&insn, "f3 0f b8 c1", MODE32, features) == DECODE_UD);
        without_feature(features, FEATURE_SSE2);
        ck_assert(decode_hex(&insn, "0f 6f c1", MODE32, features) == DECODE_OK);
        ck_assert(decode_hex(&insn, "66 0f 6f c1", MODE32, features) == DECODE_UD);
}
END_TEST

START_TEST(addresses_of_16_bits)
{
        static const uint8_t base[8] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
        static const uint8_t index[8] = { RSI, RDI, RSI, RDI, REG_NONE, REG_NONE, REG_NONE, REG_NONE };
        struct insn insn;

        for (unsigned rm = 0; rm < 8; rm++) {
                uint8_t bytes[3] = { 0x8b, 0x40 | rm, 0x80 };

                ck_assert(insn_decode(&insn, bytes, 3, MODE16, all_features) == DECODE_OK);
                ck_assert_uint_eq(insn.base, base[rm]);
                ck_assert_uint_eq(insn.index, index[rm]);
                ck_assert_int_eq(insn.disp, -128);
                ck_assert_uint_eq(insn.segment, base[rm] == RBP ? SEG_SS : SEG_DS);
        }
        ck_assert(decode_hex(&insn, "8b 06 34 92", MODE16, all_features) == DECODE_OK);
        ck_assert_uint_eq(insn.base, REG_NONE);
        ck_assert_uint_eq(insn.segment, SEG_DS);
        ck_assert_uint_eq(insn.disp & 0xffff, 0x9234);
}
END_TEST

START_TEST(addresses_of_32_and_64_bits)
{
        struct insn insn;

        ck_assert(decode_hex(&insn, "8b 84 8d 00 00 00 80", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.base == RBP && insn.index == RCX && insn.scale == 2 && insn.segment == SEG_SS);
        ck_assert_int_eq(insn.disp, INT32_MIN);
        ck_assert(decode_hex(&insn, "8b 04 25 10 00 00 00", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.base == REG_NONE && insn.index == REG_NONE && insn.segment == SEG_DS && insn.disp == 16);
        ck_assert(decode_hex(&insn, "8b 04 24", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.base == RSP && insn.index == REG_NONE && insn.segment == SEG_SS);
        ck_assert(decode_hex(&insn, "8b 04 6d 00 00 00 00", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.base == REG_NONE && insn.index == RBP && insn.segment == SEG_DS);
        ck_assert(decode_hex(&insn, "8b 05 f0 ff ff ff", MODE64, all_features) == DECODE_OK);
        ck_assert(insn.rip_relative && insn.base == REG_NONE && insn.disp == -16);
        ck_assert(decode_hex(&insn, "8b 05 f0 ff ff ff", MODE32, all_features) == DECODE_OK);
        ck_assert(!insn.rip_relative);
        ck_assert(decode_hex(&insn, "42 8b 04 24", MODE64, all_features) == DECODE_OK);
        ck_assert(insn.base == RSP && insn.index == R12);
        ck_assert(decode_hex(&insn, "41 8b 45 00", MODE64, all_features) == DECODE_OK);
        ck_assert(insn.base == R13 && insn.segment == SEG_DS);
        ck_assert(decode_hex(&insn, "4d 0f 6f c1", MODE64, all_features) == DECODE_OK);
        ck_assert(insn.reg == 0 && insn.rm == 1);                      /* no MM8 */
        ck_assert(decode_hex(&insn, "45 0f 28 c1", MODE64, all_features) == DECODE_OK);
        ck_assert(insn.reg == 8 && insn.rm == 9);
}
END_TEST

START_TEST(segments)
{
        struct insn insn;

        ck_assert(decode_hex(&insn, "26 64 8b 45 00", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.segment == SEG_FS && insn.segment_override);
        ck_assert(decode_hex(&insn, "64 26 8b 45 00", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.segment == SEG_ES);
        ck_assert(decode_hex(&insn, "64 2e 8b 45 00", MODE64, all_features) == DECODE_OK);
        ck_assert(insn.segment == SEG_FS);
        ck_assert(decode_hex(&insn, "2e 8b 45 00", MODE64, all_features) == DECODE_OK);
        ck_assert(!insn.segment_override);
        ck_assert(decode_hex(&insn, "64 ab", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.segment == SEG_ES && insn.is_memory);
        ck_assert(decode_hex(&insn, "65 a4", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.segment == SEG_GS && insn.is_memory);
        ck_assert(decode_hex(&insn, "36 d7", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.segment == SEG_SS);
        ck_assert(decode_hex(&insn, "2e a1 00 00 00 c0", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.segment == SEG_CS && insn.is_memory && insn.disp == 0xc0000000);
}
END_TEST

START_TEST(immediates)
{
        struct insn insn;

        ck_assert(decode_hex(&insn, "83 c0 ff", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.imm == UINT64_MAX && insn.imm_bytes == 1);
        ck_assert(decode_hex(&insn, "80 c0 ff", MODE32, all_features) == DECODE_OK);
        ck_assert_uint_eq(insn.imm, 0xff);
        ck_assert(decode_hex(&insn, "b8 ff ff ff ff", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.imm == 0xffffffff && insn.rm == RAX && insn.imm_bytes == 4);
        ck_assert(decode_hex(&insn, "49 b9 08 07 06 05 04 03 02 81", MODE64, all_features) == DECODE_OK);
        ck_assert(insn.imm == UINT64_C(0x8102030405060708) && insn.rm == R9 && insn.imm_bytes == 8);
        ck_assert(decode_hex(&insn, "c8 34 12 05", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.imm == 0x1234 && insn.imm2 == 5);
        ck_assert(decode_hex(&insn, "ea 78 56 34 12 bc 9a", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.imm == 0x12345678 && insn.imm2 == 0x9abc);
        ck_assert(decode_hex(&insn, "ea 78 96 bc 9a", MODE16, all_features) == DECODE_OK);
        ck_assert(insn.imm == 0x9678 && insn.imm2 == 0x9abc);
        ck_assert(decode_hex(&insn, "eb fe", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.imm == (uint64_t)-2);
        ck_assert(decode_hex(&insn, "66 e9 fe ff", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.imm == (uint64_t)-2 && insn.operand_bytes == 2 && insn.imm_bytes == 2);
        ck_assert(decode_hex(&insn, "c2 fe ff", MODE32, all_features) == DECODE_OK);
        ck_assert_uint_eq(insn.imm, 0xfffe);
}
END_TEST

START_TEST(repeat_prefix_is_kept_where_it_does_not_select)
{
        struct insn insn;

        ck_assert(decode_hex(&insn, "f3 a4", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.rep == 0xf3 && insn.mandatory == 0);
        ck_assert(decode_hex(&insn, "f2 66 a7", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.rep == 0xf2 && insn.sized && insn.operand_bytes == 2);
        ck_assert(decode_hex(&insn, "f3 0f 58 c0", MODE32, all_features) == DECODE_OK);
        ck_assert(insn.rep == 0 && insn.mandatory == 0xf3 && !insn.sized);
        ck_assert(decode_hex(&insn, "66 0f 58 c0", MODE16, all_features) == DECODE_OK);
        ck_assert(insn.mandatory == 0x66 && insn.operand_bytes == 2 && !insn.sized);
}
END_TEST

/* -- The table itself ---------------------------------------------------------------------------- */

struct table_state {
        const char *forms[2000];
        unsigned count;
};

static int compare_forms(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_row(const struct opcode *opcode, void *opaque)
{
        struct table_state *state = opaque;
        bool exec_kind = opcode->kind == KIND_EXEC || opcode->kind == KIND_EXEC_END;
        bool memory = false;

        ck_assert(state->count < 2000);
        state->forms[state->count++] = opcode->form;
        ck_assert_msg(!exec_kind || opcode->exec, "%s has no handler", opcode->form);
        ck_assert_msg(opcode->kind != KIND_COPY || !opcode->exec, "%s is copied and has a handler", opcode->form);
        ck_assert_msg(!(opcode->flags_written & opcode->flags_undefined), "%s: flags written and undefined", opcode->form);
        ck_assert_msg(!(opcode->attr & ATTR_LOCK) || (opcode->attr & ATTR_STORE), "%s: LOCK without a store", opcode->form);
        ck_assert_msg(!((opcode->attr & ATTR_MEM_ONLY) && (opcode->attr & ATTR_REG_ONLY)), "%s", opcode->form);
        for (unsigned i = 0; i < 4; i++)
                memory |= operand_is_memory_capable(opcode->operands[i]);
        if (opcode->kind == KIND_COPY)
                ck_assert_msg(!memory || (opcode->attr & (ATTR_LOAD | ATTR_STORE)), "%s neither loads nor stores", opcode->form);
}

START_TEST(rows_are_consistent_and_named_once)
{
        static struct table_state state;

        opcode_each(check_row, &state);
        ck_assert_uint_gt(state.count, 900);
        qsort(state.forms, state.count, sizeof(state.forms[0]), compare_forms);
        for (unsigned i = 1; i < state.count; i++)
                ck_assert_msg(strcmp(state.forms[i - 1], state.forms[i]), "%s appears twice", state.forms[i]);
}
END_TEST

UNIT_MAIN("decode", t1_t4_forms_and_sizes,
          t1_refusals,
          limit_of_fifteen_is_inclusive,
          features_choose_rows,
          addresses_of_16_bits,
          addresses_of_32_and_64_bits,
          segments,
          immediates,
          repeat_prefix_is_kept_where_it_does_not_select,
          rows_are_consistent_and_named_once)
