/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mode.h - what the translation of an instruction depends on besides its bytes.
 *
 * cpu->mode packs it; a translated block is valid only where the mode is the same.  Selector values,
 * segment bases that are not "flat", limits and IOPL are not in it: translated code reads those.
 */
#ifndef LODGER_CPU_MODE_H
#define LODGER_CPU_MODE_H

#include <stdint.h>

enum cpu_mode_bits {
        MODE_CODE32 = 1 << 0,           /* CS.D: 32-bit operands and addresses by default */
        MODE_CODE64 = 1 << 1,           /* 64-bit mode */
        MODE_STACK32 = 1 << 2,          /* SS.B, outside 64-bit mode */
        MODE_PROTECTED = 1 << 3,        /* CR0.PE and not V86 */
        MODE_V86 = 1 << 4,
        MODE_USER = 1 << 5,             /* CPL 3: the user view of memory */
        MODE_CPL0 = 1 << 6,
        MODE_TF = 1 << 7,               /* trap after each instruction */
        MODE_FPU_EM = 1 << 8,           /* CR0.EM */
        MODE_FPU_TS = 1 << 9,           /* CR0.TS */
        MODE_FPU_MP = 1 << 10,          /* CR0.MP */
        MODE_FPU_NE = 1 << 11,          /* CR0.NE */
        MODE_OSFXSR = 1 << 12,
        MODE_OSXMMEXCPT = 1 << 13,
        MODE_AC = 1 << 14,              /* alignment checks on: CR0.AM, EFLAGS.AC, CPL 3 */
        MODE_UMIP = 1 << 15,
        MODE_IO_FREE = 1 << 16,         /* CPL <= IOPL: CLI, STI, IN, OUT need no look */
        /* bit 17 is the translator's own (dbt/internal.h) */
        MODE_TSD = 1 << 18,             /* CR4.TSD: RDTSC at CPL 0 only */
        MODE_AVX = 1 << 19,             /* CR4.OSXSAVE and XCR0 let VEX-encoded vector instructions through */
        /* Two bits a segment, from here up: base is zero; limit never stops an access (base may be set). */
        MODE_SEG_SHIFT = 20,
};

#define MODE_SEG_ZERO_BASE(segment) (UINT64_C(1) << (MODE_SEG_SHIFT + 2 * (segment)))
#define MODE_SEG_NO_LIMIT(segment) (UINT64_C(2) << (MODE_SEG_SHIFT + 2 * (segment)))

#endif
