/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa.h - what the parts of the instruction tests share: a case, its result, and the world both run in.
 *
 * A case is the whole state before one instruction and the bytes of that instruction.  A runner is a
 * child process that carries cases out and fills in results: the native runner on the host's CPU, in
 * 32-bit compatibility mode, and the translator runner under src/dbt.  Both show the instruction the
 * same linear addresses, the same selectors and the same bytes, so results compare bit by bit.
 *
 * The world (linear addresses; the same in both runners):
 *   CODE  16 pages of INT3 with the instruction under test somewhere in it
 *   DATA  16 pages as data_pages[] in world.c says: read-write, read-only, or holes
 * Everything else is not mapped.  Selectors: 23h and 2Bh flat, as Linux has them, and an LDT (world.c).
 */
#ifndef LODGER_TESTS_ISA_H
#define LODGER_TESTS_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISA_PAGE 4096u
#define ISA_CODE 0x10000000u
#define ISA_CODE_BYTES 0x10000u
#define ISA_DATA 0x10020000u
#define ISA_DATA_BYTES 0x10000u
#define ISA_STACK (ISA_DATA + 0xa000u)          /* middle of the stack pages */

enum { ISA_SEL_CODE32 = 0x23, ISA_SEL_FLAT = 0x2b };

/* LDT selectors (index << 3 | TI | RPL 3), in the order of isa_ldt[]. */
enum isa_selector {
        ISA_SEL_DATA = 0x07,            /* base DATA, 64 KiB, B = 1: where 16-bit addresses reach memory */
        ISA_SEL_CODE16 = 0x0f,          /* base CODE, 64 KiB, D = 0 */
        ISA_SEL_SMALL = 0x17,           /* base DATA, 8 KiB: limit checks */
        ISA_SEL_STACK16 = 0x1f,         /* base DATA, 64 KiB, B = 0 */
        ISA_SEL_READONLY = 0x27,        /* base DATA, not writable */
        ISA_SEL_EXPAND = 0x2f,          /* base DATA, expand-down above 1000h */
        ISA_SEL_ABSENT = 0x37,          /* not present */
        ISA_SEL_CODE_DATA = 0x3f,       /* base CODE: the instruction's own bytes as data */
};

struct isa_descriptor {
        uint32_t base, limit;
        bool big, code, read_only, expand_down, absent;
};
enum { ISA_LDT_ENTRIES = 8 };
extern const struct isa_descriptor isa_ldt[ISA_LDT_ENTRIES];

enum isa_page { ISA_PAGE_HOLE, ISA_PAGE_RW, ISA_PAGE_RO };
extern const uint8_t isa_data_pages[ISA_DATA_BYTES / ISA_PAGE];
/* Bytes DATA holds before a case's patches. */
void isa_data_base(uint8_t *data);

enum { ISA_EAX, ISA_ECX, ISA_EDX, ISA_EBX, ISA_ESP, ISA_EBP, ISA_ESI, ISA_EDI };
enum { ISA_ES, ISA_CS, ISA_SS, ISA_DS, ISA_FS, ISA_GS, ISA_SEGMENTS };

/* FXSAVE's layout; ip and dp are offsets, as FXSAVE64 gives them. */
struct isa_fx {
        uint16_t fcw, fsw;
        uint8_t ftw, reserved;
        uint16_t fop;
        uint64_t ip, dp;
        uint32_t mxcsr, mxcsr_mask;
        uint8_t st[8][16];
        uint8_t xmm[16][16];            /* 8 to 15 are not compared */
        uint8_t rest[96];
};
_Static_assert(sizeof(struct isa_fx) == 512, "FXSAVE area");

struct isa_state {
        uint32_t gpr[8];
        uint32_t eip, eflags;
        uint16_t seg[ISA_SEGMENTS];
        struct isa_fx fx;
};

enum { ISA_PATCHES = 4, ISA_PATCH_BYTES = 64, ISA_CODE_MAX = 16 };

struct isa_patch {
        uint32_t address;               /* linear, in RW or RO pages of DATA */
        uint32_t size;
        uint8_t bytes[ISA_PATCH_BYTES];
};

struct isa_case {
        struct isa_state before;
        uint32_t code_linear;           /* of code[0] */
        uint32_t code_bytes;
        uint8_t code[ISA_CODE_MAX];
        uint32_t patches;
        struct isa_patch patch[ISA_PATCHES];
        /* For the driver and the reports. */
        uint32_t form;                  /* index of the row in the order of opcode_each() */
        uint32_t length;                /* what the decoder says */
        uint32_t operand_linear;        /* of the memory operand; 0: none */
        const char *what;               /* what is special: "plain", "unmapped" ... */
};

/* Vectors beyond the CPU's own. */
enum { ISA_VECTOR_TIMEOUT = 256, ISA_VECTOR_CRASH = 257, ISA_VECTOR_SKIPPED = 258, ISA_VECTOR_OTHER = 259 };

enum { ISA_DIFF_BYTES = 1024 };

/* What changed in a part of DATA: one span from the first to the last byte that changed. */
struct isa_diff {
        uint32_t start, size;           /* size may exceed ISA_DIFF_BYTES; bytes[] then has the first */
        uint8_t bytes[ISA_DIFF_BYTES];
};

struct isa_result {
        struct isa_state after;
        uint32_t vector, error, cr2;    /* vector 3 at the end of the instruction: it ran */
        struct isa_diff data, stack;
        char note[96];                  /* CRASH, SKIPPED, OTHER: why */
};

/* Fills in the differences of DATA against its contents before the case. */
void isa_diff_data(const struct isa_case *c, const uint8_t *base, const uint8_t *data, struct isa_result *result);
/* The bytes DATA has when a case starts, from base. */
void isa_apply_patches(const struct isa_case *c, uint8_t *data);

/* -- Runners (runner.c) ------------------------------------------------------------------------ */

enum { ISA_BATCH = 256 };

struct isa_shared {
        uint32_t count;                 /* cases in this batch */
        volatile uint32_t next;         /* the case being carried out */
        struct isa_case cases[ISA_BATCH];
        struct isa_result results[ISA_BATCH];
};

struct isa_runner;

/* A child's main function: waits for a byte on fd, carries out cases next to count - 1, answers with
 * a byte, and so on; exits on end of file. */
typedef void isa_child(struct isa_shared *shared, int fd);

struct isa_runner *isa_runner_new(const char *name, isa_child *child);
struct isa_shared *isa_runner_shared(struct isa_runner *runner);
/* Carries out the batch in shared.  A child that dies or hangs spoils one case only. */
void isa_runner_run(struct isa_runner *runner);
void isa_runner_free(struct isa_runner *runner);
unsigned isa_runner_deaths(const struct isa_runner *runner);

isa_child isa_native_child;             /* native.c */
/* Whether LDT selectors work natively (modify_ldt), learned once in a child. */
bool isa_native_has_ldt(void);
isa_child isa_translator_child;         /* translator.c */
/* What the translator's CPU model offers, for insn_decode(). */
void isa_translator_features(uint64_t features[2]);

#endif
