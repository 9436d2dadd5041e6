/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_far.h - between exec_far.c, exec_gate.c and exec_iret.c.
 */
#ifndef LODGER_CPU_EXEC_FAR_H
#define LODGER_CPU_EXEC_FAR_H

#include "cpu/segment.h"

/* Checks the code segment a direct far JMP or CALL names, or (gate) the one in a call gate, where RPL
 * does not count and an inner level may be entered by CALL.  On success the accessed bit is set and
 * *cs is ready, its RPL being *cpl, the privilege level it will run at. */
bool far_prepare_code(struct cpu *cpu, const struct descriptor *descriptor, uint16_t selector, struct segment *cs);
/* Checks the code segment RET or IRET goes back to; *cpl is its RPL. */
bool far_prepare_return(struct cpu *cpu, uint16_t selector, struct segment *cs, unsigned *cpl);
/* SS of an outer level for RET and IRET, where 64-bit code may have a null one. */
bool far_prepare_outer_stack(struct cpu *cpu, uint16_t selector, const struct segment *cs, unsigned cpl,
                             struct segment *ss);

/* exec_gate.c: JMP or CALL whose selector names the system descriptor given. */
bool far_through_system(struct cpu *cpu, const struct descriptor *descriptor, uint16_t selector, bool is_call);

#endif
