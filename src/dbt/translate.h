/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate.h - the state of one block's translation, shared by the translate_*.c files.
 *
 * Rules every emitter keeps:
 * 1  Nothing but the guest's own instruction writes RFLAGS.
 * 2  Until the last access of an instruction has been checked, no guest register or flag changes: a
 *    fault restarts the instruction.
 * 3  Stores come last.  What follows a store's check, to the end of the instruction, is the "tail":
 *    it is copied to the out-of-line path, where it runs on the bounce buffer, so it is free of jumps.
 * 4  RCX, R10 and R11 (and R8, R9 outside 64-bit mode) hold nothing across guest instructions; a check
 *    clobbers RCX, R10 and R11.
 */
#ifndef LODGER_DBT_TRANSLATE_H
#define LODGER_DBT_TRANSLATE_H

#include "cpu/exec.h"
#include "dbt/internal.h"

enum { MAX_COLD = 3 * BLOCK_MAX_INSNS, MAX_EXITS = 2 * BLOCK_MAX_INSNS + 2, MAX_MAPS = 5 * BLOCK_MAX_INSNS,
       MAX_CALLOUTS = 2 * BLOCK_MAX_INSNS };

enum { MAX_SPANS = 32 };

enum fetch_result { FETCH_OK, FETCH_INVALID, FETCH_GP, FETCH_STOP };

/* An instruction of the block, decoded before any of it is emitted. */
struct planned {
        struct insn insn;
        enum fetch_result result;
        uint8_t span, stack_span;       /* number of the span its operand, its stack access belongs to; 0xff: none */
};

/* Accesses through one base register that share a check (translate_span.c). */
struct span {
        uint8_t number, base, first, last, uses;
        bool write, checked;
        uint8_t reg;                    /* host register of the addend; H_NONE: none was free */
        int32_t low, high;
};

enum cold_kind {
        COLD_SPAN,              /* miss of a span's check: help with the first access; back, or the careful version */
        COLD_LOAD,              /* miss of a load: help, go back to the instruction */
        COLD_STORE,             /* miss of a store or read-modify-write: help; back, or the tail on the bounce buffer */
        COLD_EXIT,              /* stub of an edge that is not chained */
        COLD_POLL_EXIT,         /* taken backward edge: look for a kick, then go */
        COLD_EDGE,              /* taken edge whose own jump cannot be patched while others execute it */
        COLD_LEAVE,             /* leave with a RIP known now */
        COLD_RAISE,             /* an exception known now, through a callout */
        COLD_INDIRECT,          /* 64-bit indirect branch not in the jump cache: says which one it was */
};

struct cold {
        enum cold_kind kind;
        uint16_t insn;                  /* index, for the map */
        uint8_t *jump;                  /* rel32 in the main part that leads here */
        uint8_t *jump2;                 /* a second one, or NULL */
        uint8_t *back;                  /* LOAD, STORE: where the checked access goes on; start of the tail */
        struct guess *guess;            /* LOAD, STORE, SPAN: the probe's; NULL: none */
        uint8_t *probed;                /* with a guess: right behind the probe */
        uint16_t probe_bytes;
        uint8_t *tail_end;              /* STORE */
        uint32_t descriptor;
        struct block_exit *exit;
        uint64_t rip;                   /* LEAVE */
        struct callout *callout;        /* RAISE, INDIRECT */
        uint8_t base, reg;              /* SPAN: host base register, offset of the access at hand, register for the addend */
        int32_t disp;
        uint16_t span_before, span_bytes;
        int32_t span_disp;
};

struct translator {
        struct cpu *cpu;
        struct dbt *dbt;
        const struct context *context;
        uint64_t mode;
        uint64_t rip_mask;              /* EIP wraps at this */
        bool wide;                      /* 64-bit mode */
        const struct stubs *stubs;
        struct emit e;
        uint8_t *part;                  /* where the part begins that is being emitted */
        uint64_t block_rip, rip, next_rip;
        struct insn insn;
        unsigned index;                 /* of the instruction in the block */
        bool ended;                     /* nothing more can be translated */
        bool shadow;                    /* the previous instruction inhibits interrupts */
        bool shadow_known;              /* no: it has stored whether it does */
        bool called;                    /* the instruction is executed in C */
        bool vector;                    /* an instruction so far touches vector state */
        bool poll_after;                /* interrupts may have become deliverable: look after this one */
        gpa_t page, block_gpa;          /* of the block's first byte */
        gpa_t unready;                  /* a page whose bytes cannot be read yet, or ~0 */
        struct cold cold[MAX_COLD];
        unsigned colds;
        unsigned open_store;            /* index + 1 of the COLD_STORE whose tail is being emitted */
        struct block_exit exit[MAX_EXITS];
        unsigned exits;
        struct insn_origin map[MAX_MAPS];
        unsigned maps;
        struct callout *callout[MAX_CALLOUTS];
        unsigned callouts;
        unsigned bytes;                 /* of guest code so far */
        struct planned plan[BLOCK_MAX_INSNS];
        unsigned planned;
        struct span span[MAX_SPANS];
        unsigned spans;
        struct host_mem operand;        /* the memory operand just checked */
};

/* Host register of a guest's general register; H_NONE: it lives in memory (64-bit mode only). */
static inline uint8_t host_reg(unsigned guest)
{
        switch (guest) {
        case RSP:
                return H_GUEST_RSP;
        case RCX:
                return H_GUEST_RCX;
        case R12:
                return H_R9;
        case R9: case R10: case R11: case R13: case R14: case R15:
                return H_NONE;
        default:
                return (uint8_t)guest;
        }
}

static inline struct host_mem guest_home(unsigned guest)
{
        return HOST_MEM(H_RSP, (int32_t)(offsetof(struct cpu, regs) + 8 * guest));
}

/* The host register that holds a guest register: its own, or `scratch` after loading it. */
static inline uint8_t translate_get(struct translator *t, unsigned guest, uint8_t scratch)
{
        uint8_t host = host_reg(guest);

        if (host != H_NONE)
                return host;
        emit_load64(&t->e, scratch, guest_home(guest));
        return scratch;
}

/* Guest register = host register, of the given size: 2 leaves the upper bits, 4 clears them. */
static inline void translate_set(struct translator *t, unsigned guest, uint8_t from, unsigned size)
{
        uint8_t host = host_reg(guest);

        if (host == H_NONE) {
                if (size == 2) {
                        emit_store16(&t->e, guest_home(guest), from);
                } else {
                        if (size == 4)
                                emit_mov32(&t->e, from, from);
                        emit_store64(&t->e, guest_home(guest), from);
                }
        } else if (size == 2) {
                emit_mov16(&t->e, host, from);
        } else if (size == 4) {
                emit_mov32(&t->e, host, from);
        } else {
                emit_mov64(&t->e, host, from);
        }
}

static inline bool mode_has(const struct translator *t, uint64_t bits) { return (t->mode & bits) == bits; }

/* -- translate_memory.c ------------------------------------------------------------------------ */

/* R11 = the memory operand's offset in its segment, plus `extra`. */
void translate_address(struct translator *t, const struct insn *insn, int32_t extra);
void translate_lea(struct translator *t);
/* R11 holds an offset in `segment`: checks [R11, R11+size) for the access.  Afterwards the operand is
 * t->operand, that is [R10+R11].  keep_offset: dcpu->temp holds the offset too.  A store opens the tail (rule 3). */
void translate_check(struct translator *t, unsigned segment, unsigned size, uint32_t access, bool keep_offset);
/* Both, for the instruction's own operand (through its span, if it has one). */
void translate_operand(struct translator *t, unsigned size, uint32_t access);
/* Ends the tail of an open store; nothing of the instruction but jumps may follow. */
void translate_close_store(struct translator *t);
/* Limit check of an offset in R11 against a constant limit: past it, #GP(0). */
void translate_branch_limit(struct translator *t);

/* Looks [R11, R11+size) up in the TLB: R10 = addend, or the out-of-line path of the kind is taken. */
/* early: the address is there long before the access is waited for, so the index may be computed. */
struct cold *translate_tlb_probe(struct translator *t, enum cold_kind kind, unsigned size, bool write, bool early);

/* -- translate_span.c -------------------------------------------------------------------------- */

/* Finds the spans of the instructions in plan[]. */
void translate_plan(struct translator *t);
/* reg = R10 (addend) + R11 (linear address of [base + disp]) - the untruncated base + disp.  Clobbers RCX. */
void translate_span_addend(struct translator *t, uint8_t reg, uint8_t base, int32_t disp);
/* When this instruction's operand (or stack access) belongs to a span: checks it if it is the first, and
 * sets t->operand.  disp: relative to the base register as it is now. */
bool translate_span(struct translator *t, bool stack, int32_t disp, unsigned size, uint32_t access);

/* -- translate_copy.c -------------------------------------------------------------------------- */

void translate_copy(struct translator *t);
/* Of an instruction that is copied: whether it leaves its first operand as it is; whether it writes the second too. */
bool translate_only_reads(const struct insn *insn);
bool translate_writes_both(const struct insn *insn);
void translate_moffs(struct translator *t);

/* -- translate_stack.c ------------------------------------------------------------------------- */

void translate_push(struct translator *t);
/* Pushes what is in dcpu->temp. */
void translate_push_temp(struct translator *t, unsigned size);
void translate_pop(struct translator *t);
void translate_leave(struct translator *t);
void translate_push_seg(struct translator *t);
void translate_mov_from_seg(struct translator *t);
/* Moves `size` bytes between a host register and the operand just checked. */
void translate_load(struct translator *t, uint8_t to, unsigned size);
void translate_store(struct translator *t, uint8_t from, unsigned size);
/* Writes host register `from` (or imm when H_NONE) below the top of the stack and moves the stack pointer. */
void translate_push_value(struct translator *t, uint8_t from, uint64_t imm, unsigned size);
/* Loads the top of the stack into RCX; the stack pointer is not moved yet. */
void translate_stack_top(struct translator *t, unsigned size);
void translate_move_stack(struct translator *t, int32_t bytes);

/* -- translate_flow.c -------------------------------------------------------------------------- */

/* A jump that leaves the block, its displacement where it can be patched: returns the displacement's place. */
uint8_t *translate_exit_jmp(struct translator *t);
void translate_jcc(struct translator *t);
void translate_jmp(struct translator *t);
void translate_call(struct translator *t);
void translate_indirect(struct translator *t);          /* JMP and CALL through a register or memory */
void translate_ret(struct translator *t);
void translate_loop(struct translator *t);
/* Ends the block going to rip: chained when possible. */
void translate_go(struct translator *t, uint64_t rip);
/* The stub that leaves with the RIP in R11. */
uint8_t *translate_leave_stub(const struct translator *t);
/* An exit to this very instruction in the version of the code without spans; its jump is the caller's. */
struct block_exit *translate_careful_exit(struct translator *t);
/* Ends the block with a RIP that must not be chained. */
void translate_leave_to(struct translator *t, uint64_t rip);

/* -- translate_system.c ------------------------------------------------------------------------ */

/* False: not here, it takes a callout. */
bool translate_rdtsc(struct translator *t);
bool translate_pushf(struct translator *t);
void translate_swapgs(struct translator *t);

/* -- translate_string.c ------------------------------------------------------------------------ */

void translate_string(struct translator *t);

/* -- translate.c ------------------------------------------------------------------------------- */

struct cold *translate_new_cold(struct translator *t, enum cold_kind kind, uint8_t *jump);
struct callout *translate_new_callout(struct translator *t, insn_handler *handler);
/* Calls a C handler; `ends`: it always leaves the block. */
void translate_callout(struct translator *t, insn_handler *handler, bool ends);
void translate_raise(struct translator *t, insn_handler *raise);

#endif
