/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug.h - breakpoints and watchpoints: the guest's debug registers (SDM 3B chapter 18) and a debugger's.  [gpr]
 *
 * Nothing is looked at while nothing is set.  An instruction breakpoint is found when code is translated:
 * blocks belong to the set of addresses (cpu->debug_key) and ask before such an instruction.  Pages with a data
 * watchpoint get no TLB entries, so that every access to them comes through C, which notes what it hits in
 * cpu->debug_hits; the engine traps when the instruction is done.
 */
#ifndef LODGER_CPU_DEBUG_H
#define LODGER_CPU_DEBUG_H

#include "cpu/cpu.h"

enum {
        DR6_B_MASK = 15, DR6_BD = 1 << 13, DR6_BS = 1 << 14, DR6_BT = 1 << 15,
        DR7_ENABLES = 0xff, DR7_GD = 1 << 13,
};

/* cpu->debug_hits: DR6's B0 to B3, and these. */
enum { DEBUG_HIT_WATCH = 1 << 8 /* a debugger's watchpoint */, DEBUG_CHANGED = 1 << 9 /* debug_key may be another */ };

enum cpu_debug_stop { DEBUG_STOP_NONE, DEBUG_STOP_BREAK, DEBUG_STOP_WATCH, DEBUG_STOP_STEP };

enum debug_kind { DEBUG_EXECUTE, DEBUG_WRITE, DEBUG_READ, DEBUG_ACCESS };

struct debug_point {
        uint64_t linear;
        uint32_t bytes;
        enum debug_kind kind;
};

enum { DEBUG_POINTS_MAX = 256 };

/* A debugger's points, the same for all vCPUs.  Changed only while none of them runs. */
struct cpu_debugger {
        struct debug_point point[DEBUG_POINTS_MAX];
        unsigned count;
};

/* After any change to DR0-DR3, DR7, CR4.DE or cpu->debugger. */
void cpu_debug_changed(struct cpu *cpu);
/* Whether an instruction at linear is asked about; then whether it is to stop: *hits gets DR6's bits. */
bool cpu_debug_executes(const struct cpu *cpu, gva_t linear, uint32_t *hits, bool *debugger);
bool cpu_debug_watches_page(const struct cpu *cpu, gva_t linear);
/* What an access would hit, and noting it. */
bool cpu_debug_watches(const struct cpu *cpu, gva_t linear, unsigned size, unsigned access);
void cpu_debug_note_access(struct cpu *cpu, gva_t linear, unsigned size, unsigned access);

#endif
