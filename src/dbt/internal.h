/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the files of the translator share.
 *
 * Reading order: translate.c (a block is made), emit.h, stubs.c (how translated code is entered, left
 * and helped), memory_path.c (the life of one guest access), block.c (tables, chaining, dropping),
 * cache.c (where code lives), dispatch.c (the hub), restore.c (from a host address back to a guest
 * instruction, and host signals).
 *
 * Host registers while translated code runs, in 16- and 32-bit modes:
 *
 *   RSP             struct dbt_cpu: all state is at fixed offsets from it
 *   RAX RDX RBX RBP RSI RDI   the guest's own
 *   R14, R15        the guest's ESP and ECX; upper halves of all eight are zero
 *   RCX, R10, R11   scratch within one guest instruction (what must outlive a check goes to dcpu->temp)
 *   R12, R13        addends of spans (translate_span.c), within a block
 *   R8, R9          free
 *
 * and in 64-bit mode: as above, but R8 is the guest's R8 and R9 its R12; its R9 to R11 and R13 to R15
 * live in memory.
 *
 *   RFLAGS          CF PF AF ZF SF OF are the guest's, always exact: no glue writes them; DF is 0
 *   x87, MMX, SSE   the guest's while cpu->vector_live
 *
 * RCX is scratch because JRCXZ is the one conditional branch that reads no flags.
 */
#ifndef LODGER_DBT_INTERNAL_H
#define LODGER_DBT_INTERNAL_H

#include "base/lock.h"
#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/mode.h"
#include "dbt/dbt.h"
#include "dbt/emit.h"

enum {
        H_GUEST_RSP = H_R14,
        H_GUEST_RCX = H_R15,
        H_ADDEND = H_R10,       /* host minus linear address, once an access is checked */
        H_LINEAR = H_R11,       /* linear address of the access; target of an indirect branch */
};

enum { BLOCK_MAX_INSNS = 64, BLOCK_MAX_BYTES = 48 * 1024, CACHE_CHUNKS = 8, JC_ENTRIES = 65536,
       CONTEXT_CACHE = 4, DBT_CPUS_MAX = 32 };

/* An access that guesses wrong GUESS_CREDIT times within GUESS_CREDIT * WRONG_GUESS_CYCLES does better without. */
enum { GUESS_CREDIT = 256, WRONG_GUESS_CYCLES = 150, UNGUESSABLE_SLOTS = 4096 };

/* Bits of the mode that only the translator uses. */
#define MODE_ONE_INSN (UINT64_C(1) << 17)       /* leave after one instruction (shadow, TF, check) */
#define MODE_CAREFUL (UINT64_C(1) << 42)        /* every access has its own check (translate_span.c) */
#define MODE_BOUNCED (UINT64_C(1) << 40)        /* every access goes out of line (check's first pass) */
#define MODE_CHECK (UINT64_C(1) << 41)          /* callouts in blocks of their own (check's second pass) */
#define MODE_TRANSLATOR (MODE_ONE_INSN | MODE_CAREFUL | MODE_BOUNCED | MODE_CHECK)

/* What a block's translation depends on, interned: blocks compare and hash the small id. */
struct context {
        uint64_t mode;
        uint64_t cs_base;
        uint32_t cs_limit;
        uint32_t id;            /* index + 1 */
        uint64_t debug_key;     /* the set of instruction breakpoints: cpu->debug_key */
        const struct context *step;     /* check.c: the same with MODE_ONE_INSN and MODE_CAREFUL; NULL until needed */
        uint64_t key;           /* random: what the jump cache adds to RIP, so that no RIP of one context is another's */
};

/* 64-bit mode maps registers differently from 16- and 32-bit modes; each mapping has its own stubs. */
static inline unsigned context_wide(const struct context *context) { return context->mode & MODE_CODE64 ? 1 : 0; }

/* Linear address of an offset in the code segment. */
static inline gva_t context_linear(const struct context *context, uint64_t rip)
{
        return context->mode & MODE_CODE64 ? rip : (uint32_t)(context->cs_base + rip);
}

/* An instruction executed in C. */
struct callout {
        insn_handler *handler;
        uint64_t rip, next_rip;
        uint64_t mode;                  /* the block's: when it changes, the block is left */
        struct block *block;
        bool ends;                      /* always leaves the block */
        struct insn insn;
};

/* Where each guest instruction's host code starts, in rising order of host_offset; first those of the main part, then
 * those of the part out of line. */
struct insn_origin {
        uint32_t host_offset;           /* in its part */
        uint16_t guest_offset;
        uint8_t length;
        bool ends_block;        /* control leaves the block after it: no early exit needed (T14) */
};

/* A way out of a block to an address known when it was translated. */
struct block_exit {
        struct block *from, *to;        /* to: NULL while not chained */
        uint8_t *place;                 /* the rel32 to patch (writable side) */
        uint8_t *stub;                  /* where it points while not chained */
        uint64_t target;                /* RIP */
        bool careful;                   /* to the MODE_CAREFUL version */
        bool same_page;                 /* target lies in the page `from` starts in */
        struct block_exit *next, **link;        /* to's list of incoming exits */
};

struct block {
        gpa_t gpa;                      /* of the first byte */
        gpa_t gpa2;                     /* page of the second part of an instruction that crosses, or ~0 */
        uint64_t rip;
        const struct context *context;
        uint16_t guest_bytes, insns;
        uint16_t exits, maps, main_maps;
        bool dead;                      /* dropped; still readable until its chunk is evicted.  Atomic */
        uint8_t *host;                  /* entry when the page's mapping is known good (executable side) */
        uint8_t *checked;               /* entry that checks the mapping first */
        uint32_t host_bytes;            /* of the main part, from `checked` */
        uint32_t cold_bytes;
        uint8_t *cold;                  /* the part out of line (executable side) */
        struct block_exit *exit;
        struct insn_origin *map;
        struct block_exit *incoming;
        struct block *hash_next;        /* Atomic: read without the lock */
        struct block *page_next[2];     /* lists of the pages it has bytes in */
        struct block **page_link[2];    /* what points at it there */
        /* For check.c, in contexts with MODE_CHECK only. */
        bool callout;                   /* one instruction executed in C */
        bool vector;                    /* has x87, MMX or SSE instructions */
        uint32_t runs;
        uint64_t step_generation;       /* dbt->generation that step[] is of */
        struct block **step;            /* each of its instructions alone, NULL until needed */
};

struct code_page {
        uint64_t page;                  /* physical page number */
        bool ready;                     /* nobody holds permission to write it any more: bytes may be read */
        struct block *blocks;           /* through page_next[block->gpa's page == page ? 0 : 1] */
        struct code_page *next;
};

/* Which TLB entry an access will need, as translated code remembers it: the one it needed last time.  Written
 * by translated code and by several vCPUs at will; any index is harmless, since the entry's tag decides. */
struct guess {
        uint32_t index;
        uint32_t credit;                /* wrong guesses left until somebody looks at their rate */
        uint64_t since;                 /* host TSC when the credit was last given */
};

struct cache_chunk {
        uint8_t *start, *cold, *end;    /* writable side; from `cold` on there is what is out of line */
        /* In rising order of address.  Room for as many as there can be, so that it never moves: other
         * threads search it while one appends.  Atomic. */
        struct block **block;
        size_t blocks;
        GPtrArray *slabs;               /* metadata memory, freed with the chunk */
        size_t slab_used;
        struct guess *guess;
        size_t guesses, guesses_used;
};

struct cache {
        uint8_t *rw, *rx;
        size_t bytes;                   /* of each of the two */
        size_t mapping_bytes;           /* of everything, from rx on */
        uint8_t *p, *cold;              /* next free bytes of the current chunk's two halves (writable side) */
        unsigned current;
        struct cache_chunk chunk[CACHE_CHUNKS];
        uint8_t *blocks_start;          /* executable side: below it are the stubs */
};

struct stubs {
        uint64_t (*enter)(struct cpu *cpu, const uint8_t *code);     /* a leave_reason or a struct block_exit * */
        /* All below: writable side, to be targets of emitted jumps and calls. */
        uint8_t *leave_rip;             /* R11: RIP.  Leaves to the dispatcher */
        uint8_t *leave_indirect;        /* RIP has been stored */
        uint8_t *leave_link;            /* R10: struct block_exit * */
        uint8_t *leave_one;             /* R11: RIP.  After a block of one instruction */
        uint8_t *callout;               /* called; R10: struct callout * */
        uint8_t *memory;                /* called; R11: linear address, ECX: descriptor */
        uint8_t *commit;                /* called after a store into the bounce buffer */
        /* [write][user], called.  R10: struct guess *, R11: linear address, ECX: bytes - 1.  Returns with R10 = addend, or
         * five bytes further on when the TLB does not have the page. */
        uint8_t *guess[2][2];
        uint8_t *leave_signal;          /* jumped to by the signal handler; all state saved */
};

enum leave_reason { LEAVE_RIP = 0, LEAVE_CALLOUT = 1, LEAVE_EXCEPTION = 2, LEAVE_COMMIT = 3, LEAVE_ONE = 4, LEAVE_REASONS };

enum { TRANSLATED_SLOTS = 1 << 17, HASH_BUCKETS = 1 << 17, PAGE_BUCKETS = 1 << 12 };

struct dbt {
        struct memory *memory;
        struct dbt_options options;
        struct lock lock;               /* everything below */
        struct cache cache;
        struct stubs stubs[2];          /* by context_wide() */
        uint64_t no_key;                /* jc_key while a kick is pending: no context's */
        struct block *hash[HASH_BUCKETS];       /* Atomic: read without the lock */
        struct code_page *pages[PAGE_BUCKETS];
        GPtrArray *contexts;            /* struct context *, never freed before the dbt */
        GPtrArray *cpus;                /* struct cpu * */
        uint64_t generation;            /* rises when blocks are evicted.  Atomic */
        bool evicting;                  /* somebody waits to reuse a chunk (dbt_slow_translate) */
        struct memory_listener listener;
        uint64_t counter[DBT_COUNTS];   /* what is counted under the lock; atomic, relaxed */
        gpa_t unguessable[UNGUESSABLE_SLOTS];   /* instructions whose guesses were wrong too often; hashed, newest stay.  Atomic */
        uint32_t translated[TRANSLATED_SLOTS];  /* hashes of what has been translated before */
        uint64_t started_tsc, started_ns;       /* one instant by both clocks */
        struct profile *profile;        /* NULL: no profile and no map of translated code */
        bool bmi2, xsave;
        bool smp;                       /* there are several vCPUs; set before any runs */
        bool published;                 /* for ThreadSanitizer: dbt_publish() */
        bool crowded;                   /* more of them than host CPUs */
        /* smp.c */
        pthread_mutex_t smp_mutex;
        pthread_cond_t smp_changed;
        uint32_t grace_waiters;         /* Atomic */
        struct dbt_cpu *exclusive;      /* written under smp_mutex.  Atomic */
        uint64_t xsave_mask;            /* components reset or restored on entry */
};

struct jc_entry {
        uint64_t neg_key;               /* -(context->key + RIP) */
        const uint8_t *host;            /* checked entry */
};

struct dbt_cpu {
        struct cpu cpu;
        uint64_t jc_key;                /* context->key; dbt->no_key while a kick is pending */
        uint64_t host_rsp;
        uint64_t spill;                 /* for glue without BMI2 */
        uint64_t spill_zero;            /* what a load past the end of spill reads */
        uint64_t page_mask;             /* ~4095, for PEXT; and so on: what translate_system.c selects */
        uint64_t aligned_mask[4];       /* page_mask, and the bits that are zero in an aligned address of 1 << n bytes */
        uint64_t index_mask;            /* the bits of an address that select its TLB entry */
        uint64_t arith_mask, pushed_mask, df_mask, if_df_mask;
        uint64_t temp;                  /* a value kept across a check */
        uint64_t linear;                /* the access in progress, for stubs.memory and commit */
        uint32_t bounce_skip;           /* 0, or 5: return past the jump back */
        uint32_t access_bytes;
        uint16_t span_before, span_bytes;       /* of the span whose first access is at hand */
        uint32_t span_disp;             /* from its base, which must not wrap; 0: it may, it does not move */
        struct guess *guess;            /* what stubs.guess keeps while it looks */
        struct guess *tired;            /* its credit is used up */
        bool shutdown;                  /* triple fault */
        bool single;                    /* the block that runs has one instruction */
        bool single_next;               /* the next one is to: its access to a watched page was put off */
        uint32_t held_hits;             /* of an instruction whose traps wait for the next one (MOV SS) */
        bool after_ss;                  /* the instruction after that, which no breakpoint stops at */
        bool resume;                    /* RF: the instruction that runs is not stopped by a breakpoint */
        void (*kick_hook)(void *opaque);        /* another engine's (dbt_set_kick()).  Atomic */
        void *kick_opaque;
        bool ferr_wait;                 /* stopped at an x87 instruction until an interrupt (CR0.NE = 0) */
        uint8_t device_code[15];        /* an instruction in device memory, read by the dispatcher */
        const struct callout *last_callout;
        const struct callout *branch;   /* the indirect branch of 64-bit mode that left translated code, or NULL */
        void (*machine_shutdown)(void *opaque, struct cpu *cpu);
        struct dbt *dbt;
        const struct context *context[CONTEXT_CACHE];   /* of recent look-ups */
        unsigned context_next;
        uint64_t extra_mode;            /* or-ed into the mode: MODE_CHECK when blocks are checked */
        struct check *check;            /* check.c; NULL: blocks are not checked */
        bool sleeping;                  /* in dbt_wait().  Atomic */
        bool stopped;                   /* stands still for somebody's exclusive section (smp_mutex) */
        bool locked_bounce;             /* the access in the bounce buffer opened an exclusive section */
        uint32_t epoch;                 /* smp.c: odd while online.  Atomic */
        uint32_t exclusive_depth;       /* of cpu_exclusive_begin() */
        uint32_t pauses;                /* PAUSE instructions since the last yield */
        uint64_t counter[DBT_COUNTS];   /* what its own thread counts; atomic, relaxed */
        int (*interrupt_vector)(struct cpu *cpu);
        void *stack;                    /* mapping that holds stack and this struct */
        size_t mapping_bytes;
        pthread_mutex_t wait_mutex;
        pthread_cond_t wait;
        /* What only statistics and profiles look at. */
        uint64_t exceptions[32];        /* delivered, by vector; atomic, relaxed */
        uint64_t translating_cycles;    /* of the host, in dbt_slow_translate(); likewise */
        bool translating;
        struct profile_cpu *profile;    /* NULL: not sampled (profile.c) */
        struct jc_entry jc[JC_ENTRIES] __attribute__((aligned(64)));
        uint64_t callouts[OPCODE_ROWS_MAX];     /* by row of the opcode table; atomic, relaxed */
};

static inline struct dbt_cpu *dbt_cpu(struct cpu *cpu) { return (struct dbt_cpu *)cpu; }

/* -- cache.c ----------------------------------------------------------------------------------- */

/* anonymous: of shared memory without a file, which host profilers take for generated code. */
bool cache_init(struct cache *cache, uint64_t bytes, bool anonymous, GError **error);
void cache_fini(struct cache *cache);
/* Space for `need` bytes in the current chunk; moves to the next chunk, whose blocks the caller has
 * dropped (dbt_evict_chunk), when there is none. */
bool cache_has_room(const struct cache *cache, size_t need);
unsigned cache_next_chunk(struct cache *cache);         /* index of the chunk that is now current, emptied */
void cache_add(struct cache *cache, struct block *block);       /* the one just emitted */
void *cache_meta(struct cache *cache, size_t bytes);    /* metadata that lives as long as the chunk; zeroed */
struct guess *cache_guess(struct cache *cache);         /* likewise; NULL: the chunk has no more */
struct block *cache_find(const struct cache *cache, const uint8_t *host);      /* executable side */
static inline const uint8_t *cache_rx(const struct cache *cache, const uint8_t *rw) { return rw - cache->rw + cache->rx; }

/* -- stubs.c ----------------------------------------------------------------------------------- */

void stubs_emit(struct dbt *dbt, struct emit *e);

/* -- block.c (dbt->lock held) ------------------------------------------------------------------ */

const struct context *context_intern(struct dbt *dbt, uint64_t mode, uint64_t cs_base, uint32_t cs_limit,
                                     uint64_t debug_key);
unsigned block_hash(const struct context *context, uint64_t rip, gpa_t gpa);
struct block *block_find(struct dbt *dbt, const struct context *context, uint64_t rip, gpa_t gpa);
void block_insert(struct dbt *dbt, struct block *block);
void block_drop(struct dbt *dbt, struct block *block);
void block_link(struct dbt *dbt, struct block_exit *exit, struct block *to);
void block_evict_chunk(struct dbt *dbt, unsigned chunk);
/* No page is taken to hold code any more: there are no blocks. */
void block_forget_pages(struct dbt *dbt);
/* Drops blocks with bytes in [gpa, gpa+size). */
void block_drop_range(struct dbt *dbt, gpa_t gpa, size_t size);
/* The page is to be translated from: marks it, and takes write permission to it out of every TLB.  False: after
 * a grace period (smp.c) block_page_ready() says that its bytes can be read, and not before. */
bool block_page_arm(struct dbt *dbt, gpa_t gpa, const uint8_t *host);
void block_page_ready(struct dbt *dbt, gpa_t gpa);
static inline struct jc_entry *jc_slot(struct dbt_cpu *dcpu, uint64_t rip) { return &dcpu->jc[rip & (JC_ENTRIES - 1)]; }

/* -- translate.c ------------------------------------------------------------------------------- */

/* Translates the block at rip (linear address within gpa's page).  NULL: fetching its first
 * instruction raised an exception in the guest; or *unready is not ~0, but a page to make ready first.
 * max_insns 0: the usual limit.  The current chunk must have room. */
struct block *dbt_translate(struct cpu *cpu, const struct context *context, uint64_t rip, gpa_t gpa, unsigned max_insns,
                            gpa_t *unready);

/* -- dispatch.c [gpr] -------------------------------------------------------------------------- */

const uint8_t *dbt_next_code(struct cpu *cpu, uint64_t before);

/* -- Called from translated code [gpr] --------------------------------------------------------- */

/* 0: go on in the block; an enum leave_reason; or an address of translated code. */
uint64_t dbt_callout(struct cpu *cpu, const struct callout *callout);
uint8_t *dbt_memory(struct cpu *cpu, uint64_t linear, uint32_t descriptor, const uint8_t *return_address);
int dbt_commit(struct cpu *cpu, const uint8_t *return_address);
bool dbt_string(struct cpu *cpu, const struct insn *insn);
/* In front of an instruction with a breakpoint: fault, stop for the debugger, or go on. */
bool dbt_breakpoint(struct cpu *cpu, const struct insn *insn);
/* What the stubs call. */
#ifdef __SANITIZE_THREAD__
uint64_t dbt_callout_outer(struct cpu *cpu, const struct callout *callout);
uint8_t *dbt_memory_outer(struct cpu *cpu, uint64_t linear, uint32_t descriptor, const uint8_t *return_address);
int dbt_commit_outer(struct cpu *cpu, const uint8_t *return_address);
#define DBT_STUB_TARGET(name) name##_outer
#else
#define DBT_STUB_TARGET(name) name
#endif
/* PAUSE, with several vCPUs. */
bool dbt_pause(struct cpu *cpu, const struct insn *insn);
bool dbt_raise_ud(struct cpu *cpu, const struct insn *insn);
bool dbt_raise_nm(struct cpu *cpu, const struct insn *insn);
bool dbt_raise_gp0(struct cpu *cpu, const struct insn *insn);

/* Descriptor of an access: size, kind, segment, and whether a segment check is still to be made. */
enum {
        ACCESS_SIZE_MASK = 0xfff,
        ACCESS_DESC_READ = 1 << 12,
        ACCESS_DESC_WRITE = 1 << 13,
        ACCESS_DESC_SEGMENT = 1 << 14,          /* R11 is an offset, to be checked; else a linear address */
        ACCESS_DESC_ALIGN16 = 1 << 15,          /* #GP(0) unless aligned, before anything else can fault */
        ACCESS_DESC_SEGMENT_SHIFT = 16,
        ACCESS_DESC_SPAN = 1 << 20,             /* the first of a span: dcpu->span_* say what else must be reachable */
        ACCESS_DESC_SPAN_WRITE = 1 << 21,
        ACCESS_DESC_LOCKED = 1 << 22,           /* reads and writes as one, as others see it */
};

/* -- restore.c --------------------------------------------------------------------------------- */

/* Sets cpu->rip and next_rip from an address within translated code; the block, or NULL. */
struct block *dbt_restore_rip(struct cpu *cpu, const uint8_t *host, const struct insn_origin **map);

/* -- dump.c ------------------------------------------------------------------------------------ */

/* Guest and host instructions of a block side by side; caller frees. */
char *dbt_describe_block(struct dbt *dbt, const struct block *block);
/* The same to the trace. */
void dbt_dump_block(struct dbt *dbt, const struct block *block);

/* Whether the access of the instruction at gpa is better off without a guess. */
static inline gpa_t *dbt_unguessable_slot(struct dbt *dbt, gpa_t gpa) { return &dbt->unguessable[gpa % UNGUESSABLE_SLOTS]; }
static inline bool dbt_is_unguessable(struct dbt *dbt, gpa_t gpa)
{
        return __atomic_load_n(dbt_unguessable_slot(dbt, gpa), __ATOMIC_RELAXED) == gpa + 1;
}

/* Each counter has one writer at a time: a vCPU's own thread, or who holds dbt->lock. */
static inline void counter_add(uint64_t *counter, uint64_t n)
{
        __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline void dbt_count(struct dbt_cpu *dcpu, enum dbt_counter counter, uint64_t n) { counter_add(&dcpu->counter[counter], n); }
static inline void dbt_count_locked(struct dbt *dbt, enum dbt_counter counter, uint64_t n) { counter_add(&dbt->counter[counter], n); }

/* Blocks dropped because of writes, so far: whether a write of this thread has done it. */
static inline uint64_t dbt_invalidated(const struct dbt *dbt)
{
        return __atomic_load_n(&dbt->counter[DBT_COUNT_INVALIDATED], __ATOMIC_RELAXED);
}

/* What translated code refers to has been written before the jump that leads there.  ThreadSanitizer does not see that
 * jump, so it is told. */
#ifdef __SANITIZE_THREAD__
static inline void dbt_publish(struct dbt *dbt) { __atomic_store_n(&dbt->published, true, __ATOMIC_RELEASE); }
static inline void dbt_subscribe(struct dbt *dbt) { (void)__atomic_load_n(&dbt->published, __ATOMIC_ACQUIRE); }
#else
static inline void dbt_publish(struct dbt *dbt) { (void)dbt; }
static inline void dbt_subscribe(struct dbt *dbt) { (void)dbt; }
#endif

static inline bool block_dead(const struct block *block) { return __atomic_load_n(&block->dead, __ATOMIC_ACQUIRE); }
static inline uint64_t dbt_generation(const struct dbt *dbt) { return __atomic_load_n(&dbt->generation, __ATOMIC_ACQUIRE); }

#endif
