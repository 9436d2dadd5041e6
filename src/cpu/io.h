/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.h - who may touch an I/O port (SDM 1 19.5).  [gpr]
 */
#ifndef LODGER_CPU_IO_H
#define LODGER_CPU_IO_H

#include "cpu/cpu.h"

/* Passes in real mode and when CPL <= IOPL; otherwise (and always in virtual-8086 mode) asks the TSS's
 * I/O permission bitmap.  False: #GP(0), or a page fault on the TSS, has been raised. */
bool io_permitted(struct cpu *cpu, uint16_t port, unsigned size);

#endif
