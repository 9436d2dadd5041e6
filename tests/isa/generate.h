/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generate.h - cases out of the opcode table (generate.c), and operand values (values.c).
 */
#ifndef LODGER_TESTS_ISA_GENERATE_H
#define LODGER_TESTS_ISA_GENERATE_H

#include "isa.h"

struct opcode;

struct isa_form {
        const struct opcode *opcode;
        unsigned encodings;             /* found by asking the decoder about every opcode byte */
        unsigned cases, mismatches, undefined;
        unsigned vectors;               /* bit set of vectors 0 to 31 the cases ended with natively */
};

struct isa_generator;

/* features: what the decoder may accept (insn_decode()).  has_ldt: LDT selectors work natively. */
struct isa_generator *isa_generator_new(uint64_t seed, unsigned cases_per_form, bool has_ldt, const uint64_t features[2]);
unsigned isa_generator_forms(struct isa_generator *generator);
struct isa_form *isa_generator_form(struct isa_generator *generator, unsigned index);
/* Makes case number n of a form; false when there are no more, or none could be made. */
bool isa_generate(struct isa_generator *generator, unsigned form, unsigned n, struct isa_case *c);
void isa_generator_free(struct isa_generator *generator);

/* -- Values ------------------------------------------------------------------------------------ */

struct isa_random {
        uint64_t state;
};

void isa_random_seed(struct isa_random *random, uint64_t seed, const char *form, unsigned n);
unsigned isa_random(struct isa_random *random);         /* 31 bits */
uint32_t isa_random32(struct isa_random *random);
bool isa_chance(struct isa_random *random, unsigned of, unsigned in);
/* Random, but often 0, -1, the smallest or the largest of a size, or next to them. */
uint8_t isa_interesting_byte(struct isa_random *random);
uint32_t isa_interesting32(struct isa_random *random);
void isa_fill_integers(struct isa_random *random, uint8_t *bytes, unsigned size);
/* Integers, or floating-point numbers of `width` bytes (4, 8, 10; others: any): normal ones, zeros,
 * denormals, infinities, quiet and signalling NaNs, formats the x87 does not accept. */
void isa_fill_floats(struct isa_random *random, uint8_t *bytes, unsigned size, unsigned width);
/* FPU, MMX and SSE state.  mmx: what MMX code would leave.  unmasked: some exceptions are.  pending:
 * an unmasked x87 exception waits. */
void isa_fill_fx(struct isa_random *random, struct isa_fx *fx, bool mmx, bool unmasked, bool pending);

#endif
