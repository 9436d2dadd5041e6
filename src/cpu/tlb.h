/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tlb.h - what the memory half of src/cpu offers the translator and the instruction handlers beyond cpu.h.
 */
#ifndef LODGER_CPU_TLB_H
#define LODGER_CPU_TLB_H

#include "cpu/cpu.h"

/* Width of physical addresses; CPUID 80000008h says the same.  A code entry of the TLB holds
 * CPU_PHYSICAL_BITS - 12 bits of page number. */
enum { CPU_PHYSICAL_BITS = 40 };

/* With enum cpu_access: made by the processor itself (descriptor tables, TSS), so that SMAP refuses
 * user pages whatever EFLAGS.AC says (SDM 3A 4.6.1). */
enum { ACCESS_IMPLICIT = 8 };

/* [gpr] Makes a zeroed struct cpu's TLB empty (zero is a tag of page 0). */
void tlb_init(struct cpu *cpu);
/* [gpr] Where in host memory an access would go, if the TLB has its page and permits it; NULL: it does not say.  Nothing
 * is filled, nothing raised. */
uint8_t *tlb_peek(const struct cpu *cpu, gva_t linear, unsigned access);
/* [gpr] Physical address an instruction fetch at the current privilege from linear reads (which is
 * linear, not an offset), filling tlb[].code[].  False: #PF raised. */
bool tlb_fetch(struct cpu *cpu, gva_t linear, gpa_t *gpa);

/* [gpr] Loads the four PDPTE registers from the table CR3 would point to (MOV to CR3, and MOV to CR0 or
 * CR4 that turns on PAE paging).  False, with nothing changed, when a present one has reserved
 * bits set: #GP(0) is due (SDM 3A 4.4.1). */
bool paging_load_pdptes(struct cpu *cpu, uint64_t cr3);

/* [gpr] Sets bits of one byte of a system structure with a locked access, at supervisor privilege:
 * accessed and busy bits.  False: exception raised. */
bool access_lock_or(struct cpu *cpu, gva_t linear, uint8_t bits);
/* The same, clearing. */
bool access_lock_and(struct cpu *cpu, gva_t linear, uint8_t bits);

#endif
