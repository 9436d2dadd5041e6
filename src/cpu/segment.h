/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment.h - descriptors, segment loads, and stack frames of far transfers (SDM 3A chapters 3 and 5).  [gpr]
 *
 * Functions that return false have raised an exception and left the segment registers alone.
 */
#ifndef LODGER_CPU_SEGMENT_H
#define LODGER_CPU_SEGMENT_H

#include "cpu/cpu.h"

/* -- Selectors and descriptors ------------------------------------------------------------------- */

enum { SELECTOR_RPL = 3, SELECTOR_TI = 4 };

/* Types of system descriptors (S = 0; SDM 3A table 3-2).  Bit 3 tells 32-bit ones from 16-bit ones. */
enum {
        TYPE_TSS16 = 1, TYPE_LDT = 2, TYPE_TSS16_BUSY = 3, TYPE_CALL16 = 4, TYPE_TASK_GATE = 5, TYPE_INT16 = 6,
        TYPE_TRAP16 = 7, TYPE_TSS32 = 9, TYPE_TSS32_BUSY = 11, TYPE_CALL32 = 12, TYPE_INT32 = 14, TYPE_TRAP32 = 15,
        TYPE_32BIT = 8, TYPE_TSS_BUSY = 2,
};

static inline bool selector_is_null(uint16_t selector) { return !(selector & ~SELECTOR_RPL); }
/* As error codes hold it: without RPL. */
static inline uint32_t selector_error(uint16_t selector) { return selector & ~(uint32_t)SELECTOR_RPL; }

struct descriptor {
        uint64_t raw;
        gva_t linear;           /* where it was read */
};

static inline uint16_t descriptor_attr(uint64_t raw) { return raw >> 40 & 0xf0ff; }
static inline unsigned descriptor_dpl(uint64_t raw) { return raw >> 45 & 3; }
static inline bool descriptor_is_code(uint64_t raw) { return (raw >> 43 & 3) == 3; }
static inline bool descriptor_is_conforming(uint64_t raw) { return raw >> 42 & 1; }
static inline bool descriptor_present(uint64_t raw) { return raw >> 47 & 1; }
static inline bool descriptor_is_system(uint64_t raw) { return !(raw >> 44 & 1); }
static inline unsigned descriptor_type(uint64_t raw) { return raw >> 40 & 15; }
static inline uint64_t descriptor_base(uint64_t raw) { return (raw >> 16 & 0xffffff) | (raw >> 56 << 24); }
uint32_t descriptor_limit(uint64_t raw);
static inline uint16_t gate_selector(uint64_t raw) { return raw >> 16 & 0xffff; }
static inline uint32_t gate_offset(uint64_t raw) { return (raw & 0xffff) | (raw >> 48 << 16); }

/* Reads the descriptor a selector (not null) names; beyond its table's limit: vector(error). */
bool descriptor_read(struct cpu *cpu, uint16_t selector, enum exception vector, uint32_t error,
                     struct descriptor *descriptor);
/* The same without raising anything for the table's limit: *found says so (LAR, LSL, VERR, VERW). */
bool descriptor_read_quietly(struct cpu *cpu, uint16_t selector, struct descriptor *descriptor, bool *found);
/* The upper half of a 16-byte system descriptor in long mode; 0 otherwise. */
bool descriptor_read_high(struct cpu *cpu, uint16_t selector, const struct descriptor *descriptor,
                          enum exception vector, uint64_t *high);
/* Sets the accessed bit of a code or data descriptor if it is clear. */
bool descriptor_set_accessed(struct cpu *cpu, struct descriptor *descriptor);

/* -- Segment registers --------------------------------------------------------------------------- */

void segment_from_descriptor(struct segment *segment, uint16_t selector, uint64_t raw);
/* Puts a new value into a segment register and recomputes what derives from it. */
void segment_install(struct cpu *cpu, enum cpu_segment segment, const struct segment *value);
/* As real and virtual-8086 mode load it. */
void segment_install_real(struct cpu *cpu, enum cpu_segment segment, uint16_t selector);
void segment_install_null(struct cpu *cpu, enum cpu_segment segment, uint16_t selector);

/* MOV, POP and LxS to ES, SS, DS, FS or GS in the present mode. */
bool segment_load(struct cpu *cpu, enum cpu_segment segment, uint16_t selector);

/* Checks selector as SS at privilege cpl: vector(selector | ext), #SS when not present, and vector(ext) when it is
 * null.  Accessed bit set on success. */
bool segment_prepare_stack(struct cpu *cpu, uint16_t selector, unsigned cpl, enum exception vector, uint32_t ext,
                           struct segment *segment);
/* After a return to an outer level: data segments the new CPL may not see become null. */
void segment_drop_inner(struct cpu *cpu);

/* In access.c: whether [offset, offset+size) is within the limit. */
bool segment_limit_allows(const struct segment *segment, uint64_t offset, unsigned size);
/* Whether an instruction pointer is within a code segment; in 64-bit code, whether it is canonical. */
bool segment_allows_rip(const struct cpu *cpu, const struct segment *code, uint64_t rip);
static inline bool segment_is_code64(const struct cpu *cpu, const struct segment *code)
{
        return cpu_long_mode(cpu) && (code->attr & SEG_L);
}

/* -- Frames: what a transfer pushes, all or nothing ------------------------------------------------ */

enum { FRAME_VALUES_MAX = 40 };

struct frame {
        uint64_t value[FRAME_VALUES_MAX];       /* in the order of pushing */
        unsigned count;
        unsigned width;                         /* 2, 4 or 8 bytes each */
};

static inline void frame_add(struct frame *frame, uint64_t value) { frame->value[frame->count++] = value; }

/* Where a frame goes. */
struct frame_stack {
        const struct segment *segment;  /* NULL: 64-bit, no segment */
        uint64_t sp;
        uint64_t mask;                  /* of sp's arithmetic */
        unsigned access;                /* ACCESS_USER or 0 */
        uint32_t error;                 /* of the #SS when there is no room */
};

static inline uint64_t stack_mask(const struct segment *ss) { return ss->attr & SEG_DB ? 0xffffffff : 0xffff; }

/* Checks all of the frame's bytes, then writes them and moves stack->sp. */
bool frame_push(struct cpu *cpu, const struct frame *frame, struct frame_stack *stack);
/* Sets RSP as a stack of that mask does: 16-bit stacks keep the upper half of ESP. */
void frame_set_rsp(struct cpu *cpu, uint64_t sp, uint64_t mask);
/* SS:ESP for privilege level cpl from the TSS; #TS(TR | ext) when the TSS is too short.  In long mode only
 * *sp. */
bool tss_read_stack(struct cpu *cpu, unsigned cpl, uint32_t ext, uint16_t *ss, uint64_t *sp);

/* -- Tasks (task.c) --------------------------------------------------------------------------------- */

enum task_switch_reason { TASK_JMP, TASK_CALL, TASK_INTERRUPT, TASK_IRET };

/* What the old task is left with, and what the new one is told. */
struct task_event {
        uint64_t return_rip;
        uint64_t flags;                 /* image saved in the old TSS */
        uint32_t ext;                   /* EXT bit of errors on the way (interrupts) */
        bool has_error;                 /* push error on the new stack */
        uint32_t error;
};

/* Switches to the task whose TSS selector names; cpu->rip and next_rip become the new task's.  False: an
 * exception is pending, in the old task or, with rip at its first instruction, in the new one. */
bool task_switch(struct cpu *cpu, uint16_t selector, enum task_switch_reason reason, const struct task_event *event);

#endif
