/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insn.h - decoded instructions and the opcode table.
 *
 * The table is the single source of what an encoding is: name, operands, feature, flags, how the
 * translator treats it, which C handler executes it when it is not copied, and which test covers it.
 * It is an allow-list (traps.md T1): what is not in it decodes to #UD.
 */
#ifndef LODGER_CPU_INSN_H
#define LODGER_CPU_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu;
struct insn;

/* How the translator treats a form. */
enum insn_kind {
        KIND_INVALID,           /* explicit #UD (UD0, UD1, UD2) */
        KIND_COPY,              /* runs on the host as it is, memory operand rewritten */
        KIND_NOP,               /* no effect, memory operand not touched (0F 1F, prefetch, endbr) */
        KIND_LEA,
        KIND_MOFFS,             /* MOV AL/eAX <-> moffs (A0-A3) */
        KIND_PUSH, KIND_POP,    /* of a general register, memory or immediate */
        KIND_PUSHA, KIND_POPA, KIND_ENTER, KIND_LEAVE,
        KIND_PUSHF, KIND_POPF,
        KIND_PUSH_SEG, KIND_POP_SEG,
        KIND_MOV_FROM_SEG,      /* MOV r/m, Sreg */
        KIND_STRING,            /* MOVS STOS LODS CMPS SCAS, with or without REP */
        KIND_XLAT,
        KIND_JCC, KIND_JMP, KIND_JMP_IND, KIND_CALL, KIND_CALL_IND, KIND_RET,
        KIND_LOOP,              /* LOOP LOOPE LOOPNE JCXZ */
        KIND_BT_MEM,            /* BT BTS BTR BTC with a register bit offset: memory form reaches past the operand */
        KIND_CLI, KIND_STI, KIND_CLD_STD,
        KIND_EXEC,              /* C handler; falls through to the next instruction */
        KIND_EXEC_END,          /* C handler that may change RIP, mode, CPL, mapping or interrupt state: ends the block */
        KIND_HOST_X87_CONTROL,  /* FNINIT, FLDCW and so on that are copied but may unmask pending exceptions */
};

/* Operand descriptions, in the notation of SDM 2D appendix A.  Upper-case letter: where it is. */
enum operand {
        OPERAND_NONE,
        /* General registers or memory through ModRM.rm */
        OPERAND_Eb, OPERAND_Ew, OPERAND_Ed, OPERAND_Eq, OPERAND_Ev, OPERAND_Ey /* d, or q with REX.W */,
        /* ModRM.rm, register only / memory only */
        OPERAND_Rv, OPERAND_Ry,
        OPERAND_Mb, OPERAND_Mw, OPERAND_Md, OPERAND_Mq, OPERAND_Mv, OPERAND_My, OPERAND_Mdq /* 16 bytes */,
        OPERAND_Mt /* 10 bytes */, OPERAND_Mp /* far pointer 16:v */, OPERAND_Ms /* 6 or 10 bytes, descriptor table */,
        OPERAND_Ma /* two v, BOUND */, OPERAND_M /* address only, or size in the row */,
        /* ModRM.reg general register */
        OPERAND_Gb, OPERAND_Gw, OPERAND_Gd, OPERAND_Gv, OPERAND_Gy,
        /* MMX, SSE: reg (P, V), rm register-or-memory (Q, W), rm register only (N, U) */
        OPERAND_Pq, OPERAND_Qd, OPERAND_Qq, OPERAND_Nq,
        OPERAND_Vx, OPERAND_Wb, OPERAND_Ww, OPERAND_Wd, OPERAND_Wq, OPERAND_Wx /* 16 bytes */, OPERAND_Ux,
        OPERAND_Hx /* VEX.vvvv */, OPERAND_Lx /* bits 4-7 of an immediate byte */, OPERAND_By /* VEX.vvvv, general */,
        OPERAND_Wdq /* 16 bytes whatever VEX.L */, OPERAND_Mx /* memory only, 16 or 32 bytes */, OPERAND_Mvsib,
        OPERAND_Udq_Mb /* rm: Ry register form, byte of memory (PINSRB, PEXTRB) */, OPERAND_Ry_Mw, OPERAND_Ry_Md,
        /* Other register files in ModRM.reg */
        OPERAND_Sw, OPERAND_Cd, OPERAND_Dd,
        /* x87: ST(0), ST(i) */
        OPERAND_ST0, OPERAND_STi,
        /* Register in the low three opcode bits */
        OPERAND_Zb, OPERAND_Zv,
        /* Immediates: byte, word, v up to 32 bits, byte sign-extended to operand size, v full (MOV r64, imm64) */
        OPERAND_Ib, OPERAND_Iw, OPERAND_Iz, OPERAND_Ibs, OPERAND_Iv, OPERAND_I1,
        OPERAND_Jb, OPERAND_Jz, OPERAND_Ap, OPERAND_Ob, OPERAND_Ov,
        /* Fixed registers */
        OPERAND_AL, OPERAND_CL, OPERAND_DX, OPERAND_eAX, OPERAND_AX,
        /* String operands */
        OPERAND_Xb, OPERAND_Xv, OPERAND_Yb, OPERAND_Yv,
        OPERAND_COUNT
};

enum insn_attr {
        ATTR_LOCK = 1 << 0,             /* LOCK allowed when the destination is memory */
        ATTR_LOAD = 1 << 1,             /* reads its memory operand */
        ATTR_STORE = 1 << 2,            /* writes its memory operand */
        ATTR_X87 = 1 << 3,              /* #NM by EM or TS; waits for pending exceptions */
        ATTR_X87_NOWAIT = 1 << 4,       /* FN-forms: no check for pending exceptions (with X87) */
        ATTR_X87_NODATA = 1 << 5,       /* does not update FIP, FDP, FOP */
        ATTR_MMX = 1 << 6,              /* #UD by EM, #NM by TS, #MF pending */
        ATTR_SSE = 1 << 7,              /* #UD by EM or !OSFXSR, #NM by TS */
        ATTR_XM = 1 << 8,               /* may raise SIMD floating-point exceptions */
        ATTR_ALIGN16 = 1 << 9,          /* #GP(0) unless its memory operand is aligned (legacy SSE) */
        ATTR_NO_REAL = 1 << 10,         /* #UD in real and virtual-8086 mode */
        ATTR_NO_64 = 1 << 11,           /* #UD in 64-bit mode */
        ATTR_ONLY_64 = 1 << 12,
        ATTR_DEFAULT_64 = 1 << 13,      /* operand size 64 in 64-bit mode without REX.W */
        ATTR_CPL0 = 1 << 14,            /* #GP(0) unless CPL 0 (real mode is 0, V86 is 3) */
        ATTR_REG_ONLY = 1 << 15,        /* memory form is #UD */
        ATTR_MEM_ONLY = 1 << 16,        /* register form is #UD */
        ATTR_COUNT_FLAGS = 1 << 17,     /* writes no flags when its count is zero (shifts, rotates) */
        ATTR_NO_LOCK_CHECK = 1 << 18,   /* XCHG with memory: locked without a prefix */
        ATTR_IMPLICIT_CL = 1 << 19,     /* reads CL (shifts by CL) */
        ATTR_IMPLICIT_CX = 1 << 20,     /* reads or writes (E/R)CX otherwise: CMPXCHG8B, PCMPESTRI ... */
        ATTR_VEX = 1 << 21,             /* VEX-encoded */
        ATTR_AVX = 1 << 22,             /* #UD unless CR4.OSXSAVE and XCR0 enable AVX, #NM by TS */
        ATTR_HOST_FAULT = 1 << 23,      /* may fault natively for other reasons: DIV, IDIV */
        ATTR_SIZED = 1 << 24,           /* operand size counts although no operand shows it: CBW, PUSHA, IRET (insn->sized) */
};

/* CPUID features a row can require (cpuid.h gives each model's set). */
#define CPU_FEATURES(X) \
        X(NONE) X(FPU) X(VME) X(PSE) X(TSC) X(MSR) X(PAE) X(CX8) X(APIC) X(SEP) X(MTRR) X(PGE) X(CMOV) X(PAT) X(PSE36) \
        X(CLFSH) X(MMX) X(FXSR) X(SSE) X(SSE2) X(SSE3) X(PCLMUL) X(MONITOR) X(SSSE3) X(CX16) X(SSE41) X(SSE42) X(X2APIC) X(MOVBE) \
        X(POPCNT) X(TSCDEADLINE) X(AES) X(XSAVE) X(AVX) X(F16C) X(RDRAND) X(FSGSBASE) X(BMI1) X(AVX2) X(SMEP) X(BMI2) X(ERMS) X(INVPCID) \
        X(RDSEED) X(ADX) X(SMAP) X(CLFLUSHOPT) X(CLWB) X(SHA) X(UMIP) X(RDPID) X(MOVDIRI) X(MOVDIR64B) X(GFNI) X(SYSCALL) X(NX) \
        X(RDTSCP) X(LM) X(LAHF64) X(LZCNT) X(PREFETCHW) X(FMA) X(PCID) X(CPUID_INSN) X(I486) X(AVX512F) X(VAES) X(VPCLMULQDQ)

enum cpu_feature {
#define X(name) FEATURE_##name,
        CPU_FEATURES(X)
#undef X
        FEATURE_COUNT
};

/* Executes one instruction in C.  cpu->rip is its address, cpu->next_rip the next one's (the handler
 * may change it to jump).  False: an exception was raised. */
typedef bool insn_handler(struct cpu *cpu, const struct insn *insn);

struct opcode {
        const char *name;               /* "add", lower case, as Capstone prints it */
        const char *form;               /* "add Eb,Gb": unique; names tests and counters */
        uint8_t kind;                   /* enum insn_kind */
        uint8_t operands[4];            /* enum operand, Intel order */
        uint8_t feature;                /* enum cpu_feature */
        uint16_t memory_bytes;          /* for OPERAND_M rows; 0: from the operand */
        uint16_t flags_read, flags_written, flags_undefined;    /* FLAG_* arithmetic bits and DF */
        uint32_t attr;                  /* enum insn_attr */
        insn_handler *exec;             /* KIND_EXEC*; also the slow way of others where there is one */
};

enum { REG_NONE = 0xff };
enum insn_map { MAP_PRIMARY, MAP_0F, MAP_0F38, MAP_0F3A };

struct insn {
        const struct opcode *opcode;
        uint8_t bytes[15];
        uint8_t length;
        uint8_t map;                    /* enum insn_map */
        uint8_t code;                   /* opcode byte within the map */
        uint8_t mandatory;              /* 0, 66h, F2h or F3h: selects the row, not a size or repeat */
        uint8_t operand_bytes;          /* 2, 4 or 8; where 66h does not size the form (!sized), the mode's own size */
        uint8_t address_bytes;          /* 2, 4 or 8 */
        uint8_t rep;                    /* 0, F2h or F3h when it is a repeat or hint prefix */
        bool lock;
        uint8_t rex;                    /* 0 or 40h-4Fh; of a VEX prefix: W, R, X, B in the same places, with 40h */
        bool vex;                       /* VEX-encoded; `mandatory` and `map` come from the prefix */
        uint8_t vvvv, vex_l;            /* register number (not inverted); vector length 0: 128, 1: 256 bits */
        uint8_t segment;                /* enum cpu_segment that the memory operand uses (override or default) */
        bool segment_override;
        bool has_modrm;
        bool is_memory;                 /* ModRM names memory, or moffs, or string operand */
        uint8_t modrm;
        uint8_t reg, rm;                /* with REX applied; rm valid when !is_memory; OPERAND_Zb and Zv: the register is in rm */
        uint8_t base, index, scale;     /* registers or REG_NONE; scale is 0 to 3 */
        bool rip_relative;
        int64_t disp;                   /* sign-extended; moffs: the offset */
        uint64_t imm;                   /* Iz Ibs Jb Jz sign-extended to 64 bits, others zero-extended; far pointer: the offset */
        uint16_t imm2;                  /* ENTER's level, far pointer's selector */
        uint8_t imm_bytes;              /* of imm as encoded */
        uint16_t memory_bytes;          /* size of the memory access (of one element); 0: none or variable */
        bool sized;                     /* 66h sizes this form: encoding it anew in 64-bit mode takes a 66h when operand_bytes is 2 */
};

enum decode_result {
        DECODE_OK,
        DECODE_UD,              /* not in the table, bad LOCK, wrong mode, feature absent */
        DECODE_GP,              /* longer than 15 bytes */
        DECODE_SHORT,           /* needs more bytes than `available` */
};

/* [gpr] Decodes the instruction at bytes.  mode: cpu->mode (MODE_CODE32, MODE_CODE64, MODE_PROTECTED, MODE_V86);
 * features: bit set by enum cpu_feature (uint64_t[2]).  On UD and GP, insn->length is what was consumed. */
enum decode_result insn_decode(struct insn *insn, const uint8_t *bytes, size_t available, uint64_t mode,
                               const uint64_t features[2]);

/* The table's rows, for counting by them. */
enum { OPCODE_ROWS_MAX = 2560 };
extern const struct opcode opcode_rows[];
static inline unsigned opcode_row(const struct opcode *opcode) { return (unsigned)(opcode - opcode_rows); }
/* Tables for tests: calls fn for every row, in table order. */
void opcode_each(void (*fn)(const struct opcode *opcode, void *opaque), void *opaque);

static inline bool operand_is_memory_capable(enum operand operand)
{
        return (operand >= OPERAND_Eb && operand <= OPERAND_Ey) || (operand >= OPERAND_Mb && operand <= OPERAND_M) ||
               operand == OPERAND_Wdq || operand == OPERAND_Mx || operand == OPERAND_Mvsib ||
               operand == OPERAND_Qd || operand == OPERAND_Qq || (operand >= OPERAND_Wb && operand <= OPERAND_Wx) ||
               (operand >= OPERAND_Udq_Mb && operand <= OPERAND_Ry_Md);
}

#endif
