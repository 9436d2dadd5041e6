/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa64.h - the instruction tests in 64-bit mode: a case, its result, and the world both runners show.
 *
 * The world is that of isa.h twice: CODE and DATA below 4 GiB, where 32-bit addresses reach them, and
 * the same pages again ISA64_HIGH above, where only 64-bit addresses do.  GS has a base of its own, FS
 * the one the host's C library uses, so that a native case needs no other; no case changes either.
 */
#ifndef LODGER_TESTS_ISA_ISA64_H
#define LODGER_TESTS_ISA_ISA64_H

#include "generate.h"
#include "isa.h"

#define ISA64_HIGH UINT64_C(0x7a3446700000)             /* added to ISA_CODE and ISA_DATA */
#define ISA64_GS_BASE UINT64_C(0x7a3000000123)

enum { ISA64_XSAVE_BYTES = 832, ISA64_HEADER = 512, ISA64_YMM_HIGH = 576, ISA64_XMM = 160, ISA64_PATCHES = 3 };

struct isa64_state {
        uint64_t gpr[16];
        uint64_t rip, rflags;
        uint8_t xsave[ISA64_XSAVE_BYTES] __attribute__((aligned(64)));
};

struct isa64_patch {
        uint32_t offset, size;                          /* in DATA */
        uint8_t bytes[ISA_PATCH_BYTES];
};

struct isa64_case {
        struct isa64_state before;
        uint32_t code_offset, code_bytes;               /* in CODE */
        uint8_t code[ISA_CODE_MAX];
        uint32_t patches;
        struct isa64_patch patch[ISA64_PATCHES];
        uint32_t form, length, number;
        uint64_t operand_linear;
        const char *what;
};

struct isa64_result {
        struct isa64_state after;
        uint32_t vector, error;
        uint64_t cr2;
        uint32_t first, last;                           /* offsets in DATA that changed; last < first: none */
        uint64_t hash;                                  /* of what lies between */
        uint8_t bytes[32];
};

enum { ISA64_BATCH = 512 };

struct isa64_shared {
        uint32_t count;
        volatile uint32_t next;
        struct isa64_case cases[ISA64_BATCH];
        struct isa64_result results[ISA64_BATCH];
};

/* Carries out the cases from next to count - 1 and exits. */
typedef void isa64_child(struct isa64_shared *shared);
isa64_child isa64_native_child;                         /* native64.c */
isa64_child isa64_translator_child;                     /* translator64.c */
void isa64_translator_features(uint64_t features[2]);

/* world64.c */
uint64_t isa64_fs_base(void);
void isa64_apply(const struct isa64_case *c, uint8_t *data);
/* Notes what changed in DATA, and puts it back to base. */
void isa64_collect(const struct isa64_case *c, const uint8_t *base, uint8_t *data, struct isa64_result *result);

/* generate64.c */
struct isa64_generator;
struct isa64_generator *isa64_generator_new(uint64_t seed, const uint64_t features[2]);
unsigned isa64_generator_forms(const struct isa64_generator *g);
const struct opcode *isa64_generator_opcode(const struct isa64_generator *g, unsigned form);
/* Whether the form has encodings in 64-bit mode that can be compared with a process's. */
bool isa64_generator_testable(const struct isa64_generator *g, unsigned form);
bool isa64_generate(struct isa64_generator *g, unsigned form, unsigned n, struct isa64_case *c);
void isa64_generator_free(struct isa64_generator *g);

#endif
