/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exception.h - interrupts that instructions ask for.
 */
#ifndef LODGER_CPU_EXCEPTION_H
#define LODGER_CPU_EXCEPTION_H

#include "cpu/cpu.h"

/* INT n, INT3, INTO (gate DPL checked, no EXT bit) or INT1 (privileged): delivers vector with
 * cpu->next_rip as the address to return to, and makes next_rip the handler's.  False: an exception
 * was raised against the instruction itself. */
bool exception_software(struct cpu *cpu, uint8_t vector, bool privileged);

#endif
