/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_decode_capstone.c - lengths and names of random encodings against Capstone (traps.md T1, T4).
 *
 * Capstone is right about opcodes and operands and loose about prefixes: it lets a prefix select only when it
 * stands right before the opcode, and ignores prefixes that make real processors raise #UD.  So it is shown each
 * encoding with the prefixes that count, in the order it understands; what is done by prefixes is left to
 * test_decode.c and to test_decode_host.c, which asks the processor.  What remains different is listed below with its
 * reason.  LODGER_TEST_ENCODINGS in the environment gives the number of encodings a mode.
 */
#include <capstone/capstone.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/insn.h"
#include "cpu/mode.h"
#include "unit.h"

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

static const uint64_t all_features[2] = { ~UINT64_C(0), ~UINT64_C(0) };

/* -- Encodings ----------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t random_next(void)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state >> 16;
}

/* Random bytes, with prefixes and the wider opcode maps far more often than chance gives them. */
static void random_encoding(uint8_t bytes[16], bool code64)
{
        static const uint8_t prefix[] = { 0x66, 0xf2, 0xf3, 0x67, 0x2e, 0x64, 0xf0, 0x66 };
        unsigned position = 0, kind;

        for (unsigned i = 0; i < 16; i++)
                bytes[i] = random_next();
        for (kind = random_next() % 8; kind < 2; kind++)
                bytes[position++] = prefix[random_next() % 8];
        if (code64 && random_next() % 3 == 0)
                bytes[position++] = 0x40 | (random_next() & 15);
        kind = random_next() % 10;
        if (kind < 5)
                bytes[position++] = 0x0f;
        if (kind == 0)
                bytes[position++] = 0x38;
        if (kind == 1)
                bytes[position++] = 0x3a;
}

/* -- The comparison ------------------------------------------------------------------------------ */

struct oracle {
        csh native, wide;               /* the mode's own; 32 bits, for 16-bit code (see below) */
        cs_insn *insn;
        uint64_t mode;
        unsigned long agreed, refused;
        const struct opcode *blamed[64];        /* each form is reported once */
        unsigned blamed_count;
};

static void oracle_report(struct oracle *oracle, const struct insn *insn, const uint8_t *bytes, unsigned length, const char *claim)
{
        for (unsigned i = 0; i < oracle->blamed_count; i++) {
                if (oracle->blamed[i] == insn->opcode)
                        return;
        }
        if (oracle->blamed_count == COUNT(oracle->blamed))
                return;
        oracle->blamed[oracle->blamed_count++] = insn->opcode;
        for (unsigned i = 0; i < 16; i++)
                fprintf(stderr, "%02x ", bytes[i]);
        fprintf(stderr, "(%s, %u bytes as shown): Capstone says %s %u\n", insn->opcode->form, length, claim, oracle->insn->size);
}

/* Writes the encoding as Capstone understands it: prefixes that count, the selecting one last.
 * Capstone's 16-bit mode knows no form with a selecting 66h, so there the same form is shown in 32-bit
 * mode, with the size prefixes the other way round (flip). */
static unsigned canonical_bytes(const struct insn *insn, const uint8_t *bytes, uint64_t mode, bool flip, uint8_t *out)
{
        bool operand = false, address = false;
        unsigned from = 0, to = 0;
        uint8_t rex = insn->rex;

        if (insn->vex) {                /* has no prefix that could count twice */
                memcpy(out, bytes, 16);
                return insn->length;
        }
        for (;; from++) {
                uint8_t byte = bytes[from];

                if (byte == 0x66)
                        operand = true;
                else if (byte == 0x67)
                        address = true;
                else if (!(byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x64 || byte == 0x65 ||
                           byte == 0xf0 || byte == 0xf2 || byte == 0xf3 || ((mode & MODE_CODE64) && (byte & 0xf0) == 0x40)))
                        break;
        }
        /* In 64-bit mode Capstone takes 67h with REX for a selecting 66h, follows AMD on 66h before near
         * branches, and lets REX.R reach segment registers. */
        if (mode & MODE_CODE64) {
                uint8_t kind = insn->opcode->kind;

                address &= kind == KIND_MOFFS || kind == KIND_LOOP;
                operand &= !(kind >= KIND_JCC && kind <= KIND_RET);
                if (insn->opcode->operands[0] == OPERAND_Sw || insn->opcode->operands[1] == OPERAND_Sw)
                        rex &= ~4;
                if (kind == KIND_LOOP)
                        rex = 0;
        }
        operand &= insn->opcode->kind != KIND_LOOP;
        if (insn->lock)
                out[to++] = 0xf0;
        if (address != flip)
                out[to++] = 0x67;
        if (insn->rep && insn->opcode->kind == KIND_STRING)
                out[to++] = insn->rep;
        if (insn->sized && operand != flip && !(insn->rex & 8))
                out[to++] = 0x66;
        if (insn->mandatory)
                out[to++] = insn->mandatory;
        if (rex)
                out[to++] = rex;
        memcpy(out + to, bytes + from, 16 - from);
        return to + insn->length - from;
}

/* Why an encoding that the table has is not known to Capstone 4: form prefixes. */
static const char *const unknown_to_capstone[] = {
        "nop Ev", "prefetch Eb 0F 18", "prefetchw Eb 0F 0D",    /* hint NOPs of every reg and mod */
        "lfence", "mfence", "sfence",                           /* rm other than 0 */
        "movdiri", "gf2p8",                                     /* younger than it */
        "mov Dd,Ry", "mov Ry,Dd", "mov Cd,Ry", "mov Ry,Cd",     /* mod other than 3 */
        "endbr",
        NULL
};

static bool form_listed(const char *const *list, const char *form)
{
        for (; *list; list++) {
                if (!strncmp(form, *list, strlen(*list)))
                        return true;
        }
        return false;
}

/* Names that Capstone 4 gives wrongly: ours, its. */
static const char *const capstone_errors[][2] = {
        { "rdpid", "rdseed" },
        { "clwb", "xsaveopt" },                 /* with REX.W */
        { "pause", "xchg" },                    /* with REX.W */
        { "movq", "movd" },                     /* with REX.W */
};

/* Capstone's mnemonic, less what it takes from prefixes and immediates. */
static bool names_agree(const struct insn *insn, const char *mnemonic)
{
        const char *name = insn->opcode->name, *blank = strrchr(mnemonic, ' ');

        if (blank)
                mnemonic = blank + 1;
        if (!strcmp(name, mnemonic))
                return true;
        if (insn->vex && !strncmp(name, mnemonic, 4))
                return true;                    /* vcmpltps is vcmpps, vmovq is vmovd, vpextrq vpextrd */
        if (!strncmp(name, "cmp", 3) && !strncmp(mnemonic, "cmp", 3))
                return !strcmp(name + strlen(name) - 2, mnemonic + strlen(mnemonic) - 2);      /* cmpltps is cmpps */
        if (!strncmp(name, "prefetch", 8) && !strncmp(mnemonic, "prefetch", 8))
                return true;
        if (!insn->rex && ((!strcmp(name, "cbw") && !strcmp(mnemonic, "cwde")) || (!strcmp(name, "cwd") && !strcmp(mnemonic, "cdq"))))
                return true;                    /* Capstone's 16-bit mode */
        if (!strncmp(name, "pclmul", 6) && !strncmp(mnemonic, "pclmul", 6))
                return true;
        if (!strcmp(name, "shl") && !strcmp(mnemonic, "sal"))
                return true;
        if (insn->map == MAP_0F && (insn->code == 0x0d || insn->code == 0x18 || insn->code == 0x1e))
                return true;                    /* nop, prefetch, prefetchw, prefetchwt1, endbr, rdssp */
        for (unsigned i = 0; i < COUNT(capstone_errors); i++) {
                if (!strcmp(name, capstone_errors[i][0]) && !strncmp(mnemonic, capstone_errors[i][1], strlen(capstone_errors[i][1])))
                        return true;
        }
        if (!strcmp(name, "mov") && !strcmp(mnemonic, "movabs"))
                return true;
        if (!(insn->rex & 8))
                return false;
        /* movd movq, pextrd pextrq, fxsave fxsave64 */
        return !strncmp(name, mnemonic, strlen(name)) ||
               (!strncmp(name, mnemonic, strlen(name) - 1) && name[strlen(name) - 1] == 'd' && mnemonic[strlen(name) - 1] == 'q');
}

static void oracle_check(struct oracle *oracle, const uint8_t bytes[16])
{
        struct insn insn;
        uint8_t shown[40] = { 0 };
        const uint8_t *code = shown;
        size_t size = sizeof(shown);
        uint64_t address = 0;
        unsigned length;
        bool flip;

        if (insn_decode(&insn, bytes, 16, oracle->mode, all_features) != DECODE_OK) {
                oracle->refused++;
                return;
        }
        if (insn.vex && !(oracle->mode & (MODE_CODE32 | MODE_CODE64))) {
                oracle->refused++;              /* Capstone 4 takes the addresses of 16-bit VEX code for 32-bit ones */
                return;
        }
        flip = !(oracle->mode & (MODE_CODE32 | MODE_CODE64)) && insn.mandatory;
        length = canonical_bytes(&insn, bytes, oracle->mode, flip, shown);
        if (!cs_disasm_iter(flip ? oracle->wide : oracle->native, &code, &size, &address, oracle->insn)) {
                if (!form_listed(unknown_to_capstone, insn.opcode->form))
                        oracle_report(oracle, &insn, bytes, length, "no such instruction");
                return;
        }
        if (oracle->insn->size != length || !names_agree(&insn, oracle->insn->mnemonic)) {
                oracle_report(oracle, &insn, bytes, length, oracle->insn->mnemonic);
                return;
        }
        oracle->agreed++;
}

static void compare_mode(cs_mode mode, uint64_t cpu_mode)
{
        const char *wanted = getenv("LODGER_TEST_ENCODINGS");
        unsigned long count = wanted ? strtoul(wanted, NULL, 0) : 1000000;
        struct oracle oracle = { .mode = cpu_mode };

        random_state = UINT64_C(0x9e3779b97f4a7c15) + cpu_mode;
        ck_assert_int_eq(cs_open(CS_ARCH_X86, mode, &oracle.native), CS_ERR_OK);
        ck_assert_int_eq(cs_open(CS_ARCH_X86, CS_MODE_32, &oracle.wide), CS_ERR_OK);
        oracle.insn = cs_malloc(oracle.native);
        for (unsigned long i = 0; i < count; i++) {
                uint8_t bytes[16];

                random_encoding(bytes, cpu_mode & MODE_CODE64);
                oracle_check(&oracle, bytes);
        }
        ck_assert_msg(oracle.blamed_count == 0, "%u forms differ", oracle.blamed_count);
        ck_assert_uint_gt(oracle.agreed, count / 2);
        cs_free(oracle.insn, 1);
        cs_close(&oracle.native);
        cs_close(&oracle.wide);
}

START_TEST(t1_lengths_and_names_of_16_bit_code)
{
        compare_mode(CS_MODE_16, MODE_PROTECTED);
}
END_TEST

START_TEST(t1_lengths_and_names_of_32_bit_code)
{
        compare_mode(CS_MODE_32, MODE_PROTECTED | MODE_CODE32);
}
END_TEST

START_TEST(t1_t4_lengths_and_names_of_64_bit_code)
{
        compare_mode(CS_MODE_64, MODE_PROTECTED | MODE_CODE64);
}
END_TEST

UNIT_MAIN("decode_capstone", t1_lengths_and_names_of_16_bit_code, t1_lengths_and_names_of_32_bit_code,
          t1_t4_lengths_and_names_of_64_bit_code)
