/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compare.h - whether two results of one case agree (compare.c).
 */
#ifndef LODGER_TESTS_ISA_COMPARE_H
#define LODGER_TESTS_ISA_COMPARE_H

#include "isa.h"

struct opcode;

enum isa_verdict { ISA_EQUAL, ISA_SKIPPED, ISA_UNDEFINED_DIFFERS, ISA_DIFFERENT };

/* What differs, as text, in buffer; empty when nothing does. */
enum isa_verdict isa_compare(const struct isa_case *c, const struct opcode *opcode, const struct isa_result *native,
                             const struct isa_result *other, char *buffer, size_t buffer_bytes);
void isa_describe_case(const struct isa_case *c, const struct opcode *opcode, char *buffer, size_t buffer_bytes);

#endif
