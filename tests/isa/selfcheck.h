/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selfcheck.h - hand-written cases (selfcheck.c).
 */
#ifndef LODGER_TESTS_ISA_SELFCHECK_H
#define LODGER_TESTS_ISA_SELFCHECK_H

#include "isa.h"

/* Puts the hand cases in a runner's batch; gives their number. */
unsigned isa_selfcheck_fill(struct isa_shared *shared, bool has_ldt);
/* After the batch ran: reports and counts wrong answers. */
unsigned isa_selfcheck_verify(const struct isa_shared *shared, const char *runner);

#endif
