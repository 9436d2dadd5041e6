/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_decode.c - any bytes, in any mode, with any features, through insn_decode() (traps.md T1).
 *
 * Input: one byte that picks mode and features, then instruction bytes.  They are decoded from an allocation of
 * exactly their size, so that AddressSanitizer sees a read past `available`, one instruction after the other.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/mode.h"
#include "fuzz.h"

#define REQUIRE(condition) ((condition) ? (void)0 : fail(#condition, bytes, available))

static void fail(const char *what, const uint8_t *bytes, size_t available)
{
        fprintf(stderr, "does not hold: %s\n", what);
        for (size_t i = 0; i < available && i < 16; i++)
                fprintf(stderr, "%02x ", bytes[i]);
        fprintf(stderr, "\n");
        abort();
}

/* What holds of every decoded instruction, whatever it is. */
static void check_insn(const struct insn *insn, const uint8_t *bytes, size_t available, uint64_t mode)
{
        unsigned last_register = mode & MODE_CODE64 ? 15 : 7;

        REQUIRE(insn->length >= 1 && insn->length <= 15 && insn->length <= available);
        REQUIRE(!memcmp(insn->bytes, bytes, insn->length));
        REQUIRE(insn->opcode && insn->opcode->name && insn->opcode->kind != KIND_INVALID);
        REQUIRE((insn->opcode->kind != KIND_EXEC && insn->opcode->kind != KIND_EXEC_END) || insn->opcode->exec);
        REQUIRE(insn->operand_bytes == 2 || insn->operand_bytes == 4 || insn->operand_bytes == 8);
        REQUIRE(insn->address_bytes == 2 || insn->address_bytes == 4 || insn->address_bytes == 8);
        REQUIRE((mode & MODE_CODE64) || (insn->operand_bytes <= 4 && insn->address_bytes <= 4 && (!insn->rex || insn->vex)));
        REQUIRE(!(mode & MODE_CODE64) || insn->address_bytes >= 4);
        REQUIRE(insn->reg <= last_register && insn->rm <= last_register && insn->scale <= 3);
        REQUIRE(insn->base <= last_register || insn->base == REG_NONE);
        REQUIRE(insn->index <= last_register || insn->index == REG_NONE);
        REQUIRE(insn->segment <= SEG_GS);
        REQUIRE(!insn->lock || ((insn->opcode->attr & ATTR_LOCK) && insn->is_memory));
        REQUIRE(!(insn->opcode->attr & ATTR_MEM_ONLY) || insn->is_memory);
        REQUIRE(!(insn->opcode->attr & ATTR_REG_ONLY) || !insn->is_memory);
        REQUIRE(!(insn->opcode->attr & ATTR_NO_64) || !(mode & MODE_CODE64));
        REQUIRE(!(insn->opcode->attr & ATTR_ONLY_64) || (mode & MODE_CODE64));
        REQUIRE(!(insn->opcode->attr & ATTR_NO_REAL) || (mode & MODE_PROTECTED));
        REQUIRE(insn->memory_bytes <= (insn->vex_l ? 32 : 16));
        REQUIRE(insn->vvvv <= last_register && (insn->vex || (!insn->vvvv && !insn->vex_l)));
}

/* Decodes one instruction; gives the bytes it used. */
static size_t check_bytes(const uint8_t *bytes, size_t available, uint64_t mode, const uint64_t features[2])
{
        struct insn insn, again;
        enum decode_result result = insn_decode(&insn, bytes, available, mode, features);

        REQUIRE(insn.length <= available && insn.length <= 15);
        switch (result) {
        case DECODE_OK:
                check_insn(&insn, bytes, available, mode);
                /* Exactly its own bytes are needed, and they are enough. */
                REQUIRE(insn_decode(&again, bytes, insn.length, mode, features) == DECODE_OK);
                REQUIRE(again.length == insn.length && again.opcode == insn.opcode && again.imm == insn.imm);
                REQUIRE(insn_decode(&again, bytes, insn.length - 1u, mode, features) != DECODE_OK);
                break;
        case DECODE_UD:
                break;
        case DECODE_GP:
                REQUIRE(available >= 15);
                break;
        case DECODE_SHORT:
                REQUIRE(available < 15);
                break;
        default:
                REQUIRE(!"a result of the enumeration");
        }
        return insn.length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint64_t modes[4] = {
                MODE_V86, MODE_PROTECTED, MODE_PROTECTED | MODE_CODE32, MODE_PROTECTED | MODE_CODE64,
        };
        uint64_t features[2] = { UINT64_MAX, UINT64_MAX }, mode;

        if (size < 2)
                return 0;
        mode = modes[data[0] & 3];
        /* Take features away in a pattern that the upper bits give. */
        if (data[0] & 0xfc) {
                features[0] = UINT64_C(0x9e3779b97f4a7c15) * (data[0] | 1);
                features[1] = features[0] >> 7;
        }
        for (size_t at = 1; at < size;) {
                size_t used, available = size - at;
                uint8_t *copy = malloc(available);

                memcpy(copy, data + at, available);
                used = check_bytes(copy, available, mode, features);
                free(copy);
                at += used ? used : 1;
        }
        return 0;
}
