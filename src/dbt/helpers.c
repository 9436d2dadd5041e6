/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helpers.c - what translated code calls: instructions in C, accesses that missed the TLB, long strings.
 *
 * All of it may run while the guest's vector registers are live: general registers only (traps.md T7).
 *
 * Invariants:
 * 1  A helper that makes the guest fault has set cpu->rip to the faulting instruction; nothing of the
 *    instruction has been done.
 * 2  If a write drops the block that is running, the block is left right after the instruction (T14).
 */
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/tlb.h"
#include "dbt/check.h"
#include "dbt/slow.h"

/* -- The gate to the host ---------------------------------------------------------------------- */

enum { XSAVE_HEADER = 512, XSTATE_X87_SSE = 3, XSTATE_AVX = 4 };

__attribute__((no_sanitize("thread")))
void cpu_host_begin(struct cpu *cpu)
{
        static const uint32_t default_mxcsr = 0x1f80;

        if (!cpu->vector_live)
                return;
        uint8_t *image = cpu->fpu.image;
        if (dbt_cpu(cpu)->dbt->xsave) {
                /* While XCR0 keeps AVX from the guest, its YMM state cannot change and stays in the image as it was. */
                uint32_t mask = XSTATE_X87_SSE | (uint32_t)(cpu->xcr0 & XSTATE_AVX);
                __asm__ volatile("xsave64 %0" : "+m"(*(uint8_t (*)[sizeof cpu->fpu.image])image) : "a"(mask), "d"(0));
                /* A component in its initial state is written all the same, only its bit is clear: x87 and SSE always
                 * count as in use, since what changes their image does not say so everywhere. */
                *(uint64_t *)(image + XSAVE_HEADER) |= XSTATE_X87_SSE;
        } else {
                __asm__ volatile("fxsave64 %0" : "+m"(*(uint8_t (*)[sizeof cpu->fpu.image])image));
        }
        cpu->vector_live = false;
        __asm__ volatile("fninit\n\tldmxcsr %0" : : "m"(default_mxcsr));
}

/* -- Instructions in C ------------------------------------------------------------------------- */

uint64_t dbt_callout(struct cpu *cpu, const struct callout *callout)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);

        dbt_subscribe(dcpu->dbt);
        cpu->rip = callout->rip;
        cpu->next_rip = callout->next_rip;
        cpu->shadow = 0;                /* it was for this instruction; the handler may inhibit the next */
        dcpu->last_callout = callout;
        dbt_count(dcpu, DBT_COUNT_CALLOUTS, 1);
        if (callout->insn.opcode)
                counter_add(&dcpu->callouts[opcode_row(callout->insn.opcode)], 1);
        if (!callout->handler(cpu, &callout->insn))
                return LEAVE_EXCEPTION;
        cpu->rip = cpu->next_rip;
        if (callout->ends || cpu->next_rip != callout->next_rip || cpu->mode != callout->mode || block_dead(callout->block) ||
            cpu->halted || cpu->debug_hits) {
                const uint8_t *next = dbt_next_code(cpu, callout->mode);
                return next ? (uint64_t)(uintptr_t)next : LEAVE_CALLOUT;
        }
        return 0;
}

/* Asked before the instruction, so it returns straight to the block's code, with the instruction still to do. */
bool dbt_breakpoint(struct cpu *cpu, const struct insn *insn)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        uint64_t linear = cpu->mode & MODE_CODE64 ? cpu->rip : (uint32_t)(cpu->seg[SEG_CS].base + cpu->rip);
        uint32_t hits;
        bool debugger;

        (void)insn;
        if (dcpu->resume || !cpu_debug_executes(cpu, linear, &hits, &debugger))
                return true;
        if (debugger) {
                cpu->debug_stop = DEBUG_STOP_BREAK;
                return false;
        }
        if (dcpu->after_ss)
                return true;
        /* This fault alone does not set RF in the image it pushes: the handler does (SDM 3B 18.3.1.1). */
        cpu->dr[6] |= hits;
        return cpu_raise(cpu, EXC_DB);
}

/* A loop that waits for another vCPU, which perhaps waits for this thread's host CPU. */
bool dbt_pause(struct cpu *cpu, const struct insn *insn)
{
        enum { PAUSES_A_YIELD = 16 };
        struct dbt_cpu *dcpu = dbt_cpu(cpu);

        (void)insn;
        if (!dcpu->dbt->crowded || ++dcpu->pauses % PAUSES_A_YIELD) {
                __builtin_ia32_pause();
                return true;
        }
        cpu_host_begin(cpu);
        dbt_count(dcpu, DBT_COUNT_YIELDS, 1);
        smp_yield();
        return true;
}

bool dbt_raise_ud(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        return cpu_raise(cpu, EXC_UD);
}

bool dbt_raise_nm(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        return cpu_raise(cpu, EXC_NM);
}

bool dbt_raise_gp0(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        return cpu_raise_error(cpu, EXC_GP, 0);
}

/* -- Memory ------------------------------------------------------------------------------------ */

static unsigned user_access(const struct cpu *cpu) { return cpu->mode & MODE_USER ? ACCESS_USER : 0; }

/* The bounce buffer has the guest's alignment, up to a cache line, so that aligned SSE accesses fault
 * exactly when they would in place. */
static uint8_t *bounce(struct cpu *cpu, uint64_t linear) { return cpu->bounce + (linear & 63); }

/* What alignment checking (EFLAGS.AC) asks of an access of that size: its own, of a ten-byte number 8 (SDM 3A 6.15, #AC). */
static unsigned natural_alignment(unsigned size)
{
        if (size == 10)
                return 8;
        return size & (size - 1) || size > 8 ? 1 : size;
}

/* A guess has been wrong GUESS_CREDIT times.  If that was quick, its block is made again with the index computed. */
static void judge_guess(struct cpu *cpu, const uint8_t *return_address)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        struct guess *guess = dcpu->tired;
        uint64_t now = __builtin_ia32_rdtsc(), rip = cpu->rip, next_rip = cpu->next_rip;
        const struct insn_origin *map;

        dcpu->tired = NULL;
        __atomic_store_n(&guess->credit, GUESS_CREDIT, __ATOMIC_RELAXED);
        bool quick = now - __atomic_load_n(&guess->since, __ATOMIC_RELAXED) < (uint64_t)GUESS_CREDIT * WRONG_GUESS_CYCLES;
        __atomic_store_n(&guess->since, now, __ATOMIC_RELAXED);
        struct block *block = quick ? dbt_restore_rip(cpu, return_address - 1, &map) : NULL;
        cpu->rip = rip;
        cpu->next_rip = next_rip;
        if (!block || block_dead(block))
                return;
        gpa_t gpa = (block->gpa & PAGE_MASK) | ((block->gpa + map->guest_offset) & ~PAGE_MASK);
        __atomic_store_n(dbt_unguessable_slot(dcpu->dbt, gpa), gpa + 1, __ATOMIC_RELAXED);
        dbt_count(dcpu, DBT_COUNT_UNGUESSABLE, 1);
        cpu_host_begin(cpu);
        dbt_slow_drop(dcpu->dbt, block);
}

/* Whether the span around an access that RAM serves lies in the same page, with the rights it needs. */
static bool span_reachable(const struct cpu *cpu, uint64_t linear, uint32_t descriptor)
{
        const struct dbt_cpu *dcpu = (const struct dbt_cpu *)cpu;
        const struct tlb_view *view = &cpu->tlb[cpu->mode & MODE_USER ? 1 : 0];
        uint64_t offset = linear & (PAGE_SIZE - 1), page = linear & PAGE_MASK;
        unsigned index = (linear >> PAGE_SHIFT) % TLB_ENTRIES;

        if (!(cpu->mode & MODE_CODE64) && (linear - (uint64_t)(int64_t)(int32_t)dcpu->span_disp) >> 32)
                return false;
        /* Offsets in the page, so that nothing wraps where a span begins below address 0. */
        if (offset < dcpu->span_before || offset - dcpu->span_before + dcpu->span_bytes > PAGE_SIZE)
                return false;
        return (descriptor & ACCESS_DESC_SPAN_WRITE ? view->write_neg_tag[index] : view->read_neg_tag[index]) == -page;
}

static void end_locked_bounce(struct dbt_cpu *dcpu)
{
        if (!dcpu->locked_bounce)
                return;
        cpu_host_begin(&dcpu->cpu);
        dcpu->locked_bounce = false;
        cpu_exclusive_end(&dcpu->cpu);
}

uint8_t *dbt_memory(struct cpu *cpu, uint64_t linear, uint32_t descriptor, const uint8_t *return_address)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        unsigned size = descriptor & ACCESS_SIZE_MASK;
        unsigned access = user_access(cpu) | (descriptor & ACCESS_DESC_WRITE ? ACCESS_WRITE : ACCESS_READ);
        uint8_t *host;

        dbt_count(dcpu, DBT_COUNT_MEMORY_SLOW, 1);
        if (dcpu->tired)
                judge_guess(cpu, return_address);
        enum cpu_segment segment = (descriptor >> ACCESS_DESC_SEGMENT_SHIFT) & 7;
        if (descriptor & ACCESS_DESC_ALIGN16) {
                uint64_t base = descriptor & ACCESS_DESC_SEGMENT ? cpu->seg[segment].base : 0;
                if ((linear + base) & (size == 32 ? 31 : 15)) {
                        cpu_raise_error(cpu, EXC_GP, 0);
                        goto fault;
                }
        }
        if (cpu->mode & MODE_CODE64) {
                /* No page of the TLB is non-canonical, so the check inline left this to us.  The base is in the address. */
                if (!cpu_canonical(linear) || !cpu_canonical(linear + size - 1)) {
                        cpu_raise_error(cpu, segment == SEG_SS ? EXC_SS : EXC_GP, 0);
                        goto fault;
                }
        }
        if (descriptor & ACCESS_DESC_SEGMENT) {
                gva_t checked;
                if (!cpu_segment_check(cpu, segment, linear, size, access, &checked))
                        goto fault;
                linear = checked;
        }
        if ((cpu->mode & MODE_AC) && linear & (natural_alignment(size) - 1)) {
                cpu_raise_error(cpu, EXC_AC, 0);
                goto fault;
        }
        if (!tlb_access(cpu, linear, size, access, &host))
                goto fault;
        if (cpu->debug_watch && cpu_debug_watches(cpu, linear, size, access)) {
                /* The trap comes after the instruction, so that must be the last of its block: nothing of it
                 * has been done, and it starts again alone. */
                if (!dcpu->single) {
                        dcpu->single_next = true;
                        goto fault;
                }
                cpu_debug_note_access(cpu, linear, size, access);
        }
        if (dcpu->check && dcpu->check->stepping) {
                if (!check_access(cpu, linear, size, access))
                        goto fault;
                host = NULL;
        }
        dcpu->linear = linear;
        dcpu->bounce_skip = 0;
        if (descriptor & ACCESS_DESC_SPAN) {
                if (host && span_reachable(cpu, linear, descriptor))
                        return host;
                dcpu->bounce_skip = 5;          /* to the careful version, where the access is made again */
                return cpu->bounce;
        }
        if (host)
                return host;
        dbt_count(dcpu, DBT_COUNT_MEMORY_BOUNCE, 1);
        if ((descriptor & ACCESS_DESC_LOCKED) && dcpu->dbt->smp) {
                /* Until dbt_commit(). */
                cpu_host_begin(cpu);
                cpu_exclusive_begin(cpu);
                dcpu->locked_bounce = true;
        }
        if ((descriptor & ACCESS_DESC_WRITE) && !cpu_probe_write(cpu, linear, size, access))
                goto fault;
        if ((descriptor & ACCESS_DESC_READ) && !cpu_read_linear(cpu, linear, bounce(cpu, linear), size, user_access(cpu)))
                goto fault;
        if (descriptor & ACCESS_DESC_WRITE)
                dcpu->bounce_skip = 5;
        dcpu->access_bytes = size;
        return bounce(cpu, linear);
fault:
        end_locked_bounce(dcpu);
        dbt_restore_rip(cpu, return_address - 1, NULL);
        return NULL;
}

int dbt_commit(struct cpu *cpu, const uint8_t *return_address)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        uint64_t dropped = dbt_invalidated(dcpu->dbt);
        const struct insn_origin *map;

        if (dcpu->check && dcpu->check->stepping)
                check_store(cpu, dcpu->linear, dcpu->access_bytes);
        cpu_write_linear(cpu, dcpu->linear, bounce(cpu, dcpu->linear), dcpu->access_bytes, user_access(cpu));
        end_locked_bounce(dcpu);
        if (dropped == dbt_invalidated(dcpu->dbt))
                return 0;
        struct block *block = dbt_restore_rip(cpu, return_address - 1, &map);
        if (!block_dead(block) || map->ends_block)
                return 0;
        cpu->rip = cpu->next_rip;
        return LEAVE_COMMIT;
}

/* -- Strings ----------------------------------------------------------------------------------- */

/* Bytes moved by one callout before interrupts are looked for. */
enum { STRING_BUDGET = 64 * 1024 };

static uint64_t page_room(uint64_t linear) { return PAGE_SIZE - (linear & (PAGE_SIZE - 1)); }

static uint64_t address_mask(const struct insn *insn) { return insn->address_bytes == 8 ? UINT64_MAX : UINT32_MAX; }

/* In 64-bit mode the base of ES is zero whatever it holds. */
static uint64_t string_linear(const struct cpu *cpu, unsigned segment, uint64_t offset)
{
        if (cpu->mode & MODE_CODE64)
                return (segment == SEG_FS || segment == SEG_GS ? cpu->seg[segment].base : 0) + offset;
        return (uint32_t)(cpu->seg[segment].base + offset);
}

static void move_elements(uint8_t *to, const uint8_t *from, uint64_t n, unsigned size)
{
        switch (size) {
        case 1:
                __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
                break;
        case 2:
                __asm__ volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
                break;
        case 4:
                __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
                break;
        default:
                __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
                break;
        }
}

static void store_elements(uint8_t *to, uint64_t value, uint64_t n, unsigned size)
{
        switch (size) {
        case 1:
                __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
                break;
        case 2:
                __asm__ volatile("rep stosw" : "+D"(to), "+c"(n) : "a"(value) : "memory");
                break;
        case 4:
                __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(value) : "memory");
                break;
        default:
                __asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(value) : "memory");
                break;
        }
}

/* How many of `bytes` bytes from linear on lie in one piece in host memory: *host is where they begin.  The first page is
 * known to be reachable; the ones behind it count as far as the TLB knows them. */
static uint64_t host_run(struct cpu *cpu, uint64_t linear, uint64_t bytes, unsigned access, const uint8_t *host)
{
        uint64_t run = page_room(linear);

        while (run < bytes && tlb_peek(cpu, linear + run, access) == host + run)
                run += PAGE_SIZE;
        return run < bytes ? run : bytes;
}

/* Elements that are to be moved at most: as many as are left, and before an offset wraps. */
static uint64_t string_reach(const struct cpu *cpu, const struct insn *insn, bool movs)
{
        uint64_t mask = address_mask(insn), to = cpu->regs[RDI] & mask, from = cpu->regs[RSI] & mask;
        uint64_t room = mask - (movs && from > to ? from : to), count = cpu->regs[RCX] & mask;
        uint64_t most = (room < STRING_BUDGET ? room : STRING_BUDGET) / 8;      /* of the largest elements */

        return count < most ? count : most;
}

/* One run of REP MOVS or STOS within pages that RAM serves directly.  Returns elements done; 0: the
 * careful way must do the next one.  *fault: an exception was raised. */
static uint64_t string_run(struct cpu *cpu, const struct insn *insn, unsigned size, bool movs, bool *fault)
{
        uint64_t mask = address_mask(insn), count = cpu->regs[RCX] & mask;
        uint64_t to, from = 0, bytes;
        uint8_t *host_to, *host_from = NULL;

        /* Segments that can stop an access are checked element by element. */
        if (!(cpu->mode & MODE_SEG_NO_LIMIT(SEG_ES)) || (movs && !(cpu->mode & MODE_SEG_NO_LIMIT(insn->segment))))
                return 0;
        to = string_linear(cpu, SEG_ES, cpu->regs[RDI] & mask);
        bytes = page_room(to);
        if (movs) {
                from = string_linear(cpu, insn->segment, cpu->regs[RSI] & mask);
                if (page_room(from) < bytes)
                        bytes = page_room(from);
        }
        if (bytes / size < count)
                count = bytes / size;
        if (!count)
                return 0;
        bytes = count * size;
        if (!cpu_canonical(to) || !cpu_canonical(from))
                return 0;
        *fault = true;
        if (movs && !tlb_access(cpu, from, (unsigned)bytes, user_access(cpu) | ACCESS_READ, &host_from))
                return 0;
        if (!tlb_access(cpu, to, (unsigned)bytes, user_access(cpu) | ACCESS_WRITE, &host_to))
                return 0;
        *fault = false;
        if (!host_to || (movs && !host_from))
                return 0;
        uint64_t wanted = string_reach(cpu, insn, movs) * size;
        if (wanted > bytes) {
                wanted = host_run(cpu, to, wanted, user_access(cpu) | ACCESS_WRITE, host_to);
                if (movs)
                        wanted = host_run(cpu, from, wanted, user_access(cpu) | ACCESS_READ, host_from);
                count = wanted / size;
                bytes = count * size;
        }
        if (movs) {
                move_elements(host_to, host_from, count, size);
                cpu->regs[RSI] = (cpu->regs[RSI] + bytes) & mask;
        } else {
                store_elements(host_to, cpu->regs[RAX], count, size);
        }
        cpu->regs[RDI] = (cpu->regs[RDI] + bytes) & mask;
        cpu->regs[RCX] = (cpu->regs[RCX] - count) & mask;
        return count;
}

bool dbt_string(struct cpu *cpu, const struct insn *insn)
{
        bool movs = (insn->code & 0xfe) == 0xa4, stos = (insn->code & 0xfe) == 0xaa;
        unsigned size = insn->code & 1 ? insn->operand_bytes : 1;
        uint64_t budget = STRING_BUDGET;

        dbt_count(dbt_cpu(cpu), DBT_COUNT_STRINGS, 1);
        if (!insn->rep || !(movs || stos) || insn->address_bytes == 2 || cpu->df_step < 0 ||
            (cpu->mode & (MODE_TF | MODE_AC)) || cpu->debug_watch)
                return exec_string(cpu, insn);
        exec_string_truncate(cpu, insn);
        while (cpu->regs[RCX] & address_mask(insn)) {
                bool fault = false;
                uint64_t done = string_run(cpu, insn, size, movs, &fault);
                if (fault)
                        return false;
                if (!done)
                        return exec_string(cpu, insn);
                uint64_t bytes = done * size;
                budget -= bytes < budget ? bytes : budget;
                if (!budget && (cpu->regs[RCX] & address_mask(insn))) {
                        cpu->next_rip = cpu->rip;
                        break;
                }
        }
        return true;
}

/* -- ThreadSanitizer --------------------------------------------------------------------------- */

#ifdef __SANITIZE_THREAD__
/* Its run-time library uses vector registers wherever an instrumented function reads or writes, so the guest's are
 * put away before the first of them is called. */
#define UNSEEN __attribute__((noinline, no_sanitize("thread")))

UNSEEN uint64_t dbt_callout_outer(struct cpu *cpu, const struct callout *callout)
{
        cpu_host_begin(cpu);
        return dbt_callout(cpu, callout);
}

UNSEEN uint8_t *dbt_memory_outer(struct cpu *cpu, uint64_t linear, uint32_t descriptor, const uint8_t *return_address)
{
        cpu_host_begin(cpu);
        return dbt_memory(cpu, linear, descriptor, return_address);
}

UNSEEN int dbt_commit_outer(struct cpu *cpu, const uint8_t *return_address)
{
        cpu_host_begin(cpu);
        return dbt_commit(cpu, return_address);
}
#endif
