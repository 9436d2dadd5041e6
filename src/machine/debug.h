/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug.h - what a debugger may do to a machine.
 *
 * All functions are called on the main-loop thread, without the machine lock held.
 */
#ifndef LODGER_MACHINE_DEBUG_H
#define LODGER_MACHINE_DEBUG_H

#include "cpu/cpu.h"
#include "machine/machine.h"

/* stopped is called on the main-loop thread when a vCPU has stopped by itself (cpu->debug_stop); all of them stand
 * still then.  NULL: nobody debugs. */
void machine_debug_attach(struct machine *machine, void (*stopped)(void *opaque), void *opaque);
/* Stops all vCPUs and virtual time; while they stand, their state may be read and changed.  Idempotent, and apart
 * from other reasons for a machine to be paused. */
void machine_debug_pause(struct machine *machine);
void machine_debug_resume(struct machine *machine);
/* Ends the machine. */
void machine_debug_kill(struct machine *machine);

unsigned machine_debug_cpus(const struct machine *machine);
struct cpu *machine_debug_cpu(struct machine *machine, unsigned index);
/* Physical memory; only RAM and ROM can be read and only RAM written: devices would notice. */
bool machine_debug_read(struct machine *machine, gpa_t gpa, void *to, size_t bytes);
bool machine_debug_write(struct machine *machine, gpa_t gpa, const void *from, size_t bytes);

#endif
