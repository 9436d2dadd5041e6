/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.h - the architectural state of one virtual CPU, in the one form both engines share.
 *
 * Between instructions everything a program or a snapshot can see is in struct cpu.  While
 * translated code runs, general registers, arithmetic flags and vector state are in the host's own;
 * the engine brings them here before it calls any function of src/cpu that may read them.
 *
 * Rules:
 * C1  RFLAGS is read and written with cpu_rflags() and cpu_set_rflags() only: IF and DF live in
 *     bytes of their own (iflag, df_step) and their bits in `rflags` are always zero.
 * C2  A function that can fault returns false after it has called cpu_raise*(), and has then changed
 *     no architectural state the SDM says is unchanged (restart semantics).  `return cpu_raise(...)`.
 * C3  After changing CR0, CR4, EFER, CS, SS, another segment cache, VM, TF or CPL: cpu_mode_changed().
 * C4  src/cpu is compiled with -mgeneral-regs-only and calls nothing outside src/cpu and
 *     memory's [gpr] functions without cpu_host_begin() first.  (The cpu_io_*, cpu_mmio_* wrappers do it.)
 * C5  In 16- and 32-bit modes the upper halves of regs[] are zero.
 *
 * Manual references are to the Intel SDM, by volume and section.
 */
#ifndef LODGER_CPU_CPU_H
#define LODGER_CPU_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "memory/memory.h"

enum cpu_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, CPU_REGS };

enum cpu_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, CPU_SEGMENTS };

/* RFLAGS bits */
enum {
        FLAG_CF = 1 << 0, FLAG_ONE = 1 << 1, FLAG_PF = 1 << 2, FLAG_AF = 1 << 4, FLAG_ZF = 1 << 6, FLAG_SF = 1 << 7,
        FLAG_TF = 1 << 8, FLAG_IF = 1 << 9, FLAG_DF = 1 << 10, FLAG_OF = 1 << 11, FLAG_IOPL = 3 << 12,
        FLAG_NT = 1 << 14, FLAG_RF = 1 << 16, FLAG_VM = 1 << 17, FLAG_AC = 1 << 18, FLAG_VIF = 1 << 19,
        FLAG_VIP = 1 << 20, FLAG_ID = 1 << 21,
        FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};
enum { FLAG_IOPL_SHIFT = 12 };

enum {
        CR0_PE = 1 << 0, CR0_MP = 1 << 1, CR0_EM = 1 << 2, CR0_TS = 1 << 3, CR0_ET = 1 << 4, CR0_NE = 1 << 5,
        CR0_WP = 1 << 16, CR0_AM = 1 << 18, CR0_NW = 1 << 29, CR0_CD = 1 << 30,
};
#define CR0_PG (1u << 31)
enum {
        CR4_VME = 1 << 0, CR4_PVI = 1 << 1, CR4_TSD = 1 << 2, CR4_DE = 1 << 3, CR4_PSE = 1 << 4, CR4_PAE = 1 << 5,
        CR4_MCE = 1 << 6, CR4_PGE = 1 << 7, CR4_PCE = 1 << 8, CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10,
        CR4_UMIP = 1 << 11, CR4_FSGSBASE = 1 << 16, CR4_PCIDE = 1 << 17, CR4_OSXSAVE = 1 << 18, CR4_SMEP = 1 << 20,
        CR4_SMAP = 1 << 21, CR4_PKE = 1 << 22,
};
enum { EFER_SCE = 1 << 0, EFER_LME = 1 << 8, EFER_LMA = 1 << 10, EFER_NXE = 1 << 11 };

enum exception {
        EXC_DE = 0, EXC_DB = 1, EXC_NMI = 2, EXC_BP = 3, EXC_OF = 4, EXC_BR = 5, EXC_UD = 6, EXC_NM = 7, EXC_DF = 8,
        EXC_TS = 10, EXC_NP = 11, EXC_SS = 12, EXC_GP = 13, EXC_PF = 14, EXC_MF = 16, EXC_AC = 17, EXC_MC = 18, EXC_XM = 19,
};
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8, PF_FETCH = 16 };

/* -- Segments ---------------------------------------------------------------------------------- */

/* attr: descriptor bits 40-47 and 52-55 as VMX access rights hold them (SDM 3C 25.4.1). */
enum {
        SEG_TYPE = 0xf, SEG_S = 1 << 4, SEG_DPL_SHIFT = 5, SEG_P = 1 << 7, SEG_AVL = 1 << 12, SEG_L = 1 << 13,
        SEG_DB = 1 << 14, SEG_G = 1 << 15,
        SEG_TYPE_ACCESSED = 1, SEG_TYPE_RW = 2 /* data: writable, code: readable */,
        SEG_TYPE_EC = 4 /* data: expand down, code: conforming */, SEG_TYPE_CODE = 8,
};
#define SEG_DPL(attr) (((attr) >> SEG_DPL_SHIFT) & 3)

struct segment {
        uint16_t selector;
        uint16_t attr;          /* 0: unusable (null selector) */
        uint32_t limit;         /* last byte, in bytes, G already applied */
        uint64_t base;
        /* Derived by cpu_segment_changed(): first offset past which the translator's inline check gives
         * up; 0 when every access must go through cpu_segment_check() (expand-down, not readable ...). */
        uint64_t read_end, write_end;
};

struct descriptor_table {
        uint64_t base;
        uint32_t limit;
};

/* -- Software TLB ------------------------------------------------------------------------------ */

/* Two views: what a supervisor access may touch, and what a user (CPL 3) access may.  Entry i covers
 * pages whose number is i modulo TLB_ENTRIES.  An entry permits an access when neg_tag equals minus
 * the page's linear address (modulo 2^64); the host address is then linear
 * address + addend.  Only RAM is ever entered; write tags only for pages whose state needs nothing
 * done first, and only when the PTE's dirty bit is set. */
enum { TLB_ENTRIES = 4096, ITLB_ENTRIES = 4096 };
/* The tag of an empty entry: minus the address of a page far from every canonical one.  Any 64-bit address may be
 * compared with any entry (translate_memory.c), so some address does match.  But an addend is the difference of a host
 * address and a canonical one, less than 2^48 either way: what it makes of that address is not canonical either, and the
 * access raises #GP on the host, which is what the guest is due (signals.c).  C looks at what is canonical first. */
#define TLB_EMPTY UINT64_C(0xa4c3965d2db7f000)

struct tlb_view {
        uint64_t read_neg_tag[TLB_ENTRIES];
        uint64_t write_neg_tag[TLB_ENTRIES];
        uint64_t addend[TLB_ENTRIES];
        /* Instruction side: linear page number << 28 | physical page number, or 0.  Says that code
         * fetched from that linear page in this view comes from that physical page. */
        uint64_t code[ITLB_ENTRIES];
        uint64_t used[TLB_ENTRIES / 64];                /* data entries filled since they were last emptied */
        uint64_t code_used[ITLB_ENTRIES / 64];
        uint64_t global[TLB_ENTRIES / 64];              /* data entries from global pages */
        uint64_t code_global[ITLB_ENTRIES / 64];
        uint64_t large[TLB_ENTRIES / 64];               /* entries that are parts of large pages: INVLPG takes all */
        uint64_t code_large[ITLB_ENTRIES / 64];
        uint64_t used_words;            /* which words of used[] and code_used[] are not zero */
        uint64_t large_regions;         /* hashed: where large pages have had entries (tlb_region()) since all were emptied */
};

/* -- The CPU ----------------------------------------------------------------------------------- */

enum cpu_request {
        CPU_REQUEST_INTR = 1 << 0,      /* the PIC's or local APIC's output is raised */
        CPU_REQUEST_NMI = 1 << 1,
        CPU_REQUEST_INIT = 1 << 2,
        CPU_REQUEST_SIPI = 1 << 3,
        CPU_REQUEST_EXIT = 1 << 4,      /* leave cpu_run(): stop, pause, snapshot */
        CPU_REQUEST_FLUSH = 1 << 5,     /* flush TLBs (physical map changed, remote request) */
        CPU_REQUEST_RESET = 1 << 6,
        CPU_REQUEST_NMI_AGAIN = 1 << 7, /* with NMI: a second one waits (lapic.c, raise_nmi()) */
};

/* What is held back until the next instruction is done (SDM 3A 6.8.3). */
enum cpu_shadow {
        SHADOW_NONE,
        SHADOW_STI,             /* interrupts */
        SHADOW_SS,              /* debug exceptions too: after MOV and POP to SS */
};

struct pending_exception {
        bool pending;
        bool has_error;
        bool software;          /* INT n, INT3, INTO: DPL of the gate is checked */
        uint8_t vector;
        uint32_t error;
        uint64_t cr2;           /* for #PF */
};

/* Saved and restored in XSAVE's standard format; fpu_ip.. are kept apart because the host's own
 * fields would show code-cache addresses (traps.md T10). */
struct cpu_fpu {
        uint8_t image[4096] __attribute__((aligned(64)));
        uint64_t ip, dp;        /* of the last x87 instruction; offsets, not linear */
        uint16_t cs, ds, op;
};

/* KVM's paravirtual MSRs (paravirt.h), and what the structures in guest memory hold that they point to. */
struct cpu_paravirt {
        uint64_t system_time, wall_clock, steal_time, eoi;      /* as written */
        uint64_t steal_ns;
        uint32_t clock_version, wall_version, steal_version;
        uint64_t steal_seen_ns;         /* host side: the thread's count when last looked at; 0: not yet */
        uint64_t steal_tsc;             /* host side: when that was */
};

/* What a vCPU has cost, for `lodger stats`.  Its own thread counts; others may read.  Atomic, relaxed. */
struct cpu_counts {
        uint64_t walks;                 /* page walks: fills of the TLB, and faults */
        uint64_t address_spaces;        /* loads of CR3 */
        uint64_t flushes;               /* of everything, for other reasons */
        uint64_t page_flushes;          /* INVLPG */
        uint64_t device_reads, device_writes;   /* ports and memory of devices */
        uint64_t device_cycles;         /* host cycles in them, waiting for the machine lock included */
        bool in_device;
};

static inline void cpu_count(uint64_t *counter, uint64_t n)
{
        __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

struct cpu;
struct cpu_model;
struct lapic;

/* What surrounds a vCPU; filled in by the machine (or by a test).  Called with vector state saved. */
struct cpu_env {
        void *opaque;
        uint32_t (*io_read)(void *opaque, uint16_t port, unsigned size);
        void (*io_write)(void *opaque, uint16_t port, uint32_t value, unsigned size);
        uint64_t (*tsc)(void *opaque);                  /* guest TSC before tsc_offset; NULL: the host's own */
        int (*acknowledge)(void *opaque);               /* PIC: vector of the interrupt, -1 if it went away */
        void (*ferr)(void *opaque, bool level);         /* FERR# -> IRQ 13 */
        void (*ipi)(void *opaque, struct cpu *from, uint64_t icr);
        void (*shutdown)(void *opaque, struct cpu *cpu); /* triple fault */
        void (*eoi)(void *opaque, uint8_t vector);      /* local APIC EOI of a level-triggered vector */
};

struct cpu {
        /* -- Hot: translated code reaches these by short offsets from its state pointer. -- */
        uint64_t regs[CPU_REGS];
        uint64_t rip;                   /* of the instruction being executed, when in C */
        uint64_t next_rip;              /* where it falls through to; set before a handler is called */
        uint64_t rflags;                /* see C1 */
        int64_t df_step;                /* +1 or -1 */
        uint32_t quiet;                 /* 1; 0: somebody kicked, leave at the next poll.  Atomic. */
        uint8_t iflag;                  /* IF: 0 or 1 */
        uint8_t cpl;
        uint8_t shadow;                 /* enum cpu_shadow */
        uint8_t halted;
        uint64_t mode;                  /* enum cpu_mode_bits (mode.h), the block key's flags */
        struct segment seg[CPU_SEGMENTS];

        /* -- Saved. -- */
        struct descriptor_table gdt, idt;
        uint64_t cr0, cr2, cr3, cr4, cr8;
        uint64_t efer;
        uint64_t dr[8];
        uint64_t pdpte[4];              /* PAE: loaded with CR3 (SDM 3A 4.4.1) */
        uint64_t tsc_offset;            /* guest's counter minus the host's; host side */
        uint64_t tsc_adjust;            /* IA32_TSC_ADJUST: what the guest itself has added */
        uint64_t tsc_stopped;           /* guest's counter while the machine stands still */
        uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
        uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
        uint64_t pat, apic_base, misc_enable, spec_ctrl;
        uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_var[16];
        uint64_t xcr0;
        struct cpu_paravirt pv;
        struct pending_exception exception;
        struct cpu_fpu fpu;
        bool nmi_blocked;               /* until IRET */
        bool waiting_for_sipi;
        bool a20;                       /* A20M# released: bit 20 passes */

        /* -- Derived and host side. -- */
        uint32_t request;               /* enum cpu_request.  Atomic; set by any thread via cpu_request() */
        bool vector_live;               /* guest vector state is in the host's registers */
        /* Breakpoints (debug.h): which instructions are stopped at (0: none), whether there are data and port
         * watchpoints, and what the current instruction has hit. */
        uint64_t debug_key;
        uint32_t debug_hits;
        bool debug_watch, debug_io;
        bool debug_step;                /* the debugger wants one instruction */
        uint8_t debug_stop;             /* enum cpu_debug_stop: why the debugger has the vCPU */
        uint8_t debug_watch_kind;       /* enum debug_kind, and the address, of the watchpoint that was hit */
        uint64_t debug_watch_linear;
        const struct cpu_debugger *debugger;    /* NULL: none attached */
        bool others;                    /* there are other vCPUs */
        unsigned index;                 /* vCPU number, APIC id */
        const struct cpu_model *model;
        struct memory *memory;
        struct lapic *lapic;            /* NULL: none */
        struct cpu_env env;
        void *engine;                   /* the engine's own part */
        struct cpu_counts counts;
        struct tlb_view tlb[2];         /* [0] supervisor, [1] user */
        /* Where instructions see the bytes of an access that RAM cannot serve directly. */
        uint8_t bounce[1024] __attribute__((aligned(64)));
};

/* -- Life cycle (cpu.c) ------------------------------------------------------------------------ */

/* Puts *cpu (zeroed, env and memory filled in) in the state after RESET# (SDM 3A 10.1.1). */
void cpu_init(struct cpu *cpu, unsigned index, const struct cpu_model *model, struct memory *memory);
void cpu_reset(struct cpu *cpu, bool init_only);

/* Any thread: sets request bits and makes the vCPU notice (engine.h supplies the kick). */
void cpu_request(struct cpu *cpu, uint32_t bits);

/* vCPU's thread: takes one NMI out of the requests. */
void cpu_take_nmi(struct cpu *cpu);

static inline bool cpu_real_mode(const struct cpu *cpu) { return !(cpu->cr0 & CR0_PE); }
static inline bool cpu_v86(const struct cpu *cpu) { return cpu->rflags & FLAG_VM; }
static inline bool cpu_protected(const struct cpu *cpu) { return (cpu->cr0 & CR0_PE) && !cpu_v86(cpu); }
static inline bool cpu_long_mode(const struct cpu *cpu) { return cpu->efer & EFER_LMA; }
static inline bool cpu_code64(const struct cpu *cpu) { return cpu_long_mode(cpu) && (cpu->seg[SEG_CS].attr & SEG_L); }
/* Whether bits 47 to 63 are alike (SDM 1 3.3.7.1). */
static inline bool cpu_canonical(uint64_t address) { return (uint64_t)((int64_t)(address << 16) >> 16) == address; }
static inline unsigned cpu_iopl(const struct cpu *cpu) { return (cpu->rflags >> FLAG_IOPL_SHIFT) & 3; }

/* -- Flags and mode (mode.c) ------------------------------------------------------------------- */

uint64_t cpu_rflags(const struct cpu *cpu);
/* Sets all of RFLAGS (bit 1 forced, reserved bits dropped) and what derives from it. */
void cpu_set_rflags(struct cpu *cpu, uint64_t rflags);
/* FLAGS as virtual-8086 code below IOPL 3 sees them with CR4.VME: IF is VIF, IOPL is 3; whether it may load an image
 * (SDM 3A 20.3.2), and loading it: IF and IOPL stay. */
uint64_t cpu_virtual_flags(const struct cpu *cpu);
bool cpu_virtual_flags_allowed(const struct cpu *cpu, uint64_t image);
void cpu_set_virtual_flags(struct cpu *cpu, uint64_t image);
/* Recomputes cpu->mode. */
void cpu_mode_changed(struct cpu *cpu);
/* Recomputes read_end and write_end of one segment from its other fields, then the mode. */
void cpu_segment_changed(struct cpu *cpu, enum cpu_segment segment);

/* -- Exceptions (exception.c) ------------------------------------------------------------------ */

/* Record an exception against the current instruction; all return false.  (A contributory second
 * one during delivery is the deliverer's affair.) */
bool cpu_raise(struct cpu *cpu, enum exception vector);
bool cpu_raise_error(struct cpu *cpu, enum exception vector, uint32_t error);
bool cpu_raise_pf(struct cpu *cpu, gva_t linear, uint32_t error);
/* Delivers cpu->exception, with cpu->rip the address to save: gate, stack switch, double and triple
 * fault (env.shutdown).  Afterwards rip is the handler's first instruction. */
void cpu_deliver_exception(struct cpu *cpu);
/* Delivers an external interrupt (or NMI) whose vector is known. */
void cpu_deliver_interrupt(struct cpu *cpu, uint8_t vector);

/* -- Paging (paging.c) [gpr] ------------------------------------------------------------------- */

enum cpu_access { ACCESS_READ = 0, ACCESS_WRITE = 1, ACCESS_FETCH = 2, ACCESS_USER = 4 /* as CPL 3 does */ };

struct translation {
        gpa_t gpa;              /* of the byte asked for, A20 applied */
        uint64_t page_bytes;    /* 4 KiB, 2 MiB, 4 MiB or 1 GiB */
        bool writable;          /* a write with the same user bit would be allowed and D is set */
        bool global;
        bool user;              /* a user page (U/S set at every level) */
        uint32_t error;         /* when it failed: the #PF error code */
};

/* Walks the page tables, sets A (and D for a write) with locked compare-exchange as hardware does.
 * False: the access would fault with translation->error; raises nothing. */
bool cpu_translate(struct cpu *cpu, gva_t linear, unsigned access, struct translation *translation);
/* The same without setting any bit, for debuggers; ignores permissions. */
bool cpu_translate_debug(struct cpu *cpu, gva_t linear, gpa_t *gpa);

/* -- TLB (tlb.c) [gpr] ------------------------------------------------------------------------- */

void tlb_flush(struct cpu *cpu, bool global_too);
void tlb_flush_page(struct cpu *cpu, gva_t linear);
/* Host address of [linear, linear+size) when it lies in one page of RAM that the access may touch
 * right now, filling the TLB; NULL when the access needs the slow way (device, ROM, crossing, page
 * state); false with an exception raised when the guest faults. */
bool tlb_access(struct cpu *cpu, gva_t linear, unsigned size, unsigned access, uint8_t **host);

/* -- Memory as instructions see it (access.c) -------------------------------------------------- */

/* Linear addresses, any alignment, 1 to 64 bytes... (size <= 1024); a write checks every page before it writes any
 * byte.  access: ACCESS_USER or 0 is taken from CPL by cpu_user_access(); system structures pass 0. */
bool cpu_read_linear(struct cpu *cpu, gva_t linear, void *to, unsigned size, unsigned access);
bool cpu_write_linear(struct cpu *cpu, gva_t linear, const void *from, unsigned size, unsigned access);
/* Raises what a write of that range would raise, writes nothing. */
bool cpu_probe_write(struct cpu *cpu, gva_t linear, unsigned size, unsigned access);
static inline unsigned cpu_user_access(const struct cpu *cpu) { return cpu->cpl == 3 ? ACCESS_USER : 0; }
/* Segment check: offset, size and kind against limit and type; gives the linear address or raises
 * #GP(0) / #SS(0) (also for a null or unusable segment). */
bool cpu_segment_check(struct cpu *cpu, enum cpu_segment segment, uint64_t offset, unsigned size, unsigned access,
                       gva_t *linear);
/* Both together, at the current privilege. */
bool cpu_read(struct cpu *cpu, enum cpu_segment segment, uint64_t offset, void *to, unsigned size);
bool cpu_write(struct cpu *cpu, enum cpu_segment segment, uint64_t offset, const void *from, unsigned size);

/* -- The gate to the host (supplied by the engine) --------------------------------------------- */

/* Saves guest vector state to cpu->fpu.image if it is live, and gives C its own MXCSR and x87 control
 * word.  The engine reloads it before translated code runs again.  Idempotent. */
void cpu_host_begin(struct cpu *cpu);
/* Stops the other vCPUs, between two accesses of theirs, until cpu_exclusive_end(): for what must look atomic to
 * them and is not.  After cpu_host_begin(), without locks; may be nested. */
void cpu_exclusive_begin(struct cpu *cpu);
void cpu_exclusive_end(struct cpu *cpu);

/* debug.c: matches an I/O access against the debug registers. */
void cpu_debug_note_io(struct cpu *cpu, uint16_t port, unsigned size);

/* Around what a device does for the guest. */
static inline uint64_t cpu_device_begin(struct cpu *cpu)
{
        __atomic_store_n(&cpu->counts.in_device, true, __ATOMIC_RELAXED);
        return __builtin_ia32_rdtsc();
}

static inline void cpu_device_end(struct cpu *cpu, uint64_t begin, uint64_t *counter)
{
        cpu_count(counter, 1);
        cpu_count(&cpu->counts.device_cycles, __builtin_ia32_rdtsc() - begin);
        __atomic_store_n(&cpu->counts.in_device, false, __ATOMIC_RELAXED);
}

static inline uint32_t cpu_io_read(struct cpu *cpu, uint16_t port, unsigned size)
{
        if (cpu->debug_io)
                cpu_debug_note_io(cpu, port, size);
        cpu_host_begin(cpu);
        uint64_t begin = cpu_device_begin(cpu);
        uint32_t value = cpu->env.io_read(cpu->env.opaque, port, size);
        cpu_device_end(cpu, begin, &cpu->counts.device_reads);
        return value;
}

/* The guest's TSC. */
static inline uint64_t cpu_tsc(struct cpu *cpu)
{
        if (!cpu->env.tsc)
                return __builtin_ia32_rdtsc() + cpu->tsc_offset;
        cpu_host_begin(cpu);
        return cpu->env.tsc(cpu->env.opaque) + cpu->tsc_offset;
}

static inline void cpu_io_write(struct cpu *cpu, uint16_t port, uint32_t value, unsigned size)
{
        if (cpu->debug_io)
                cpu_debug_note_io(cpu, port, size);
        cpu_host_begin(cpu);
        uint64_t begin = cpu_device_begin(cpu);
        cpu->env.io_write(cpu->env.opaque, port, value, size);
        cpu_device_end(cpu, begin, &cpu->counts.device_writes);
}

#endif
