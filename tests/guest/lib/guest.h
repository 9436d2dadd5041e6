/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h - what a guest test is written with.
 *
 * A test is one bare-metal Multiboot program with a guest_main().  It runs snippets: pieces of machine
 * code, in any mode, started from a complete register context and ended by INT 40h or by whatever
 * fault or interrupt comes first.  Either way the whole context at that point comes back, with vector,
 * error code and CR2, and the test prints what it wants compared with its .expect file.
 *
 *      CODE(divide, "div ecx");
 *      ...
 *      context_init(divide);           // ring 0, flat segments, the snippet stack
 *      ctx.ecx = 0;
 *      run();
 *      report("divide by zero");       // prints: divide by zero: #DE +0
 *
 * Output goes to port E9h; guest_main() returning ends the machine through port F4h with value 0.
 */
#ifndef LODGER_GUEST_H
#define LODGER_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* -- Contexts ---------------------------------------------------------------------------------- */

/* The order is known to start.S and real.S. */
struct context {
        u32 gs, fs, es, ds;
        u32 edi, esi, ebp, unused, ebx, edx, ecx, eax;
        u32 vector, error;
        u32 eip, cs, eflags, esp, ss;
        u32 cr2;
};

extern struct context ctx;      /* what run() starts, and what ended it */
extern u32 ctx_start;           /* where the snippet began: report() prints EIP relative to it */

/* What ends a run in an orderly way. */
#define VECTOR_DONE 0x40

/* Ring 0, flat 32-bit segments, interrupts off, all registers zero, ESP the top of snippet_stack. */
void context_init(const void *code);
/* The same in ring 3 (or another), with the user's flat segments and user_stack. */
void context_init_user(const void *code);
/* Virtual-8086 mode: code in .low, CS = DS = ... = 0, IOPL as given, SP = V86_SP. */
void context_init_v86(const void *code, unsigned iopl);
/* Real mode: code in .low, all segments 0. */
void context_init_real(const void *code);
#define V86_SP 0x7000

/* Run ctx until a fault or INT 40h; the vector is the result (and in ctx.vector). */
u32 run(void);
u32 run_real(void);

/* "name: done", "name: #GP(0018) +3", "name: #PF(0002) +0 cr2=00800000". */
void report(const char *name);
/* Sets up, runs and reports a snippet that needs no registers. */
void try(const char *name, const void *code);
void try_user(const char *name, const void *code);

/* A hook sees a vector before it ends the run; true resumes what was interrupted (*frame may be
 * changed first).  Interrupts that come while no run is active need one. */
typedef bool hook_fn(struct context *frame);
extern hook_fn *hooks[256];

/* Snippets, in Intel syntax.  Ends with INT 40h.  NAME_end is past that. */
#define CODE(name, text) CODE_IN(".text", "32", name, text)
#define CODE16(name, text) CODE_IN(".low,\"awx\"", "16", name, text)
#define CODE_IN(section, bits, name, text) \
        extern u8 name[], name##_end[]; \
        asm(".pushsection " section "\n.code" bits "\n.intel_syntax noprefix\n" \
            ".globl " #name "\n" #name ":\n" text "\nint 0x40\n.globl " #name "_end\n" #name "_end:\n" \
            ".att_syntax prefix\n.code32\n.popsection\n")

/* -- Output ------------------------------------------------------------------------------------ */

/* %x %08x %u %d %s %c %% and %X (8 digits). */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void guest_exit(u32 value) __attribute__((noreturn));
/* Prints "name: ok" or "name: FAILED". */
void check(const char *name, bool good);

/* -- Segments ---------------------------------------------------------------------------------- */

enum {
        SEL_CODE = 0x08, SEL_DATA = 0x10, SEL_UCODE = 0x1b, SEL_UDATA = 0x23, SEL_CODE16 = 0x28, SEL_DATA16 = 0x30,
        SEL_TSS = 0x38, SEL_LDT = 0x40, SEL_FREE = 0x48,        /* SEL_FREE to SEL_LAST: for the test */
        SEL_LAST = 0x1f8,
};
/* Access byte */
enum {
        ACC_P = 0x80, ACC_DPL3 = 0x60, ACC_DPL1 = 0x20, ACC_DPL2 = 0x40, ACC_S = 0x10,
        ACC_CODE = 0x9b, ACC_CODE_XO = 0x99, ACC_CODE_CONFORMING = 0x9f, ACC_DATA = 0x93, ACC_DATA_RO = 0x91,
        ACC_DATA_DOWN = 0x97, ACC_LDT = 0x82, ACC_TSS = 0x89, ACC_TSS16 = 0x81, ACC_CALL16 = 0x84, ACC_CALL32 = 0x8c,
        ACC_INT32 = 0x8e, ACC_TRAP32 = 0x8f, ACC_INT16 = 0x86,
};
/* High nibble: G, D/B */
enum { SEG_G = 8, SEG_DB = 4, SEG_32 = 12 };

struct tss {
        u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
        u32 es, cs, ss, ds, fs, gs, ldt;
        u16 trap, io_base;
        u8 io_bitmap[8192 + 1];
};

extern u64 gdt[64];
extern u64 ldt[16];
extern u64 idt[256];
extern struct tss tss;

u64 descriptor(u32 base, u32 limit, u8 access, u8 flags);
u64 gate(u16 selector, u32 offset, u8 access, u8 parameters);
void gdt_set(u16 selector, u64 value);
void idt_set(u8 vector, u64 value);
/* The IDT's normal entry for a vector, with this access byte. */
u64 idt_default(u8 vector, u8 access);
void load_ldt(void);
void load_idt(u32 limit);

/* -- Paging ------------------------------------------------------------------------------------ */

enum {
        PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80, PTE_G = 0x100, PTE_ALL = 7,
};
/* Linear 0 to 16 MiB is mapped one to one, present, writable, user, with 4 KiB pages.  The arena is
 * 1 MiB of it for the test to play with. */
#define ARENA 0x00800000u
extern u32 page_directory[1024];
extern u32 page_tables[4][1024];
void paging_on(void);
void paging_off(void);
/* Sets the PTE of a linear address below 16 MiB (INVLPG included). */
void page_map(u32 linear, u32 physical, u32 flags);
u32 page_entry(u32 linear);

/* -- Interrupt hardware ------------------------------------------------------------------------ */

/* PICs at vectors 20h and 28h, all lines masked. */
void pic_init(void);
void pic_unmask(unsigned line);
void pic_mask_all(void);
void pic_eoi(unsigned line);
/* PIT channel 0, mode 2 (periodic) or 0 (one shot), count in 1193182 Hz ticks. */
void pit_start(unsigned mode, u16 count);

/* -- Instructions ------------------------------------------------------------------------------ */

static inline void outb(u16 port, u8 v) { asm volatile("outb %0, %1" :: "a"(v), "Nd"(port)); }
static inline void outl(u16 port, u32 v) { asm volatile("outl %0, %1" :: "a"(v), "Nd"(port)); }
static inline u8 inb(u16 port) { u8 v; asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32 inl(u16 port) { u32 v; asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32 read_cr0(void) { u32 v; asm volatile("movl %%cr0, %0" : "=r"(v)); return v; }
static inline u32 read_cr2(void) { u32 v; asm volatile("movl %%cr2, %0" : "=r"(v)); return v; }
static inline u32 read_cr3(void) { u32 v; asm volatile("movl %%cr3, %0" : "=r"(v)); return v; }
static inline u32 read_cr4(void) { u32 v; asm volatile("movl %%cr4, %0" : "=r"(v)); return v; }
static inline void write_cr0(u32 v) { asm volatile("movl %0, %%cr0" :: "r"(v) : "memory"); }
static inline void write_cr3(u32 v) { asm volatile("movl %0, %%cr3" :: "r"(v) : "memory"); }
static inline void write_cr4(u32 v) { asm volatile("movl %0, %%cr4" :: "r"(v) : "memory"); }
static inline void invlpg(u32 a) { asm volatile("invlpg (%0)" :: "r"(a) : "memory"); }
static inline void cpuid(u32 leaf, u32 sub, u32 r[4])
{
        asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}
static inline u64 rdtsc(void) { u64 v; asm volatile("rdtsc" : "=A"(v)); return v; }
static inline u64 rdmsr(u32 m) { u64 v; asm volatile("rdmsr" : "=A"(v) : "c"(m)); return v; }
static inline void wrmsr(u32 m, u64 v) { asm volatile("wrmsr" :: "A"(v), "c"(m)); }
static inline void cli(void) { asm volatile("cli" ::: "memory"); }
static inline void sti(void) { asm volatile("sti" ::: "memory"); }
static inline u32 *mem32(u32 a) { asm("" : "+r"(a)); return (u32 *)a; }
static inline u16 *mem16(u32 a) { asm("" : "+r"(a)); return (u16 *)a; }
static inline u8 *mem8(u32 a) { asm("" : "+r"(a)); return (u8 *)a; }

void copy(void *to, const void *from, size_t n);
void fill(void *to, u8 byte, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

/* Arithmetic flags, and some others. */
enum {
        FL_CF = 1, FL_PF = 4, FL_AF = 0x10, FL_ZF = 0x40, FL_SF = 0x80, FL_TF = 0x100, FL_IF = 0x200, FL_DF = 0x400,
        FL_OF = 0x800, FL_IOPL = 0x3000, FL_NT = 0x4000, FL_RF = 0x10000, FL_VM = 0x20000, FL_AC = 0x40000,
        FL_ARITH = 0x8d5,
};

extern u8 snippet_stack[8192];  /* ESP starts at its end */
extern u8 user_stack[8192];
#define STACK_TOP ((u32)snippet_stack + sizeof snippet_stack)
#define USER_STACK_TOP ((u32)user_stack + sizeof user_stack)

#endif
