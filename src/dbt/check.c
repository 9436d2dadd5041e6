/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.c - each block is run twice and the results compared.
 *
 * First pass: one instruction at a time, each in a block of its own whose memory accesses all go out of
 * line and through the bounce buffer; stores are logged.  Then the stores are undone, the state put back,
 * and the block runs as it would without the check: whole, with its inline accesses.  Afterwards the
 * registers, the flags, RIP, vector state, a pending exception and every place the first pass stored to
 * must be the same.
 *
 * Not compared: instructions executed in C, and random numbers, which are blocks of their own here
 * (MODE_CHECK); single steps; accesses to devices, which must not happen twice; stores that drop translated
 * code.  A block that has been compared CHECK_ALWAYS times is compared once in CHECK_ONE_IN runs from then on.
 *
 * A difference counts when it comes back: page-table bits that the first pass set, or a device that
 * wrote to memory between the passes, make one that does not.
 *
 * Invariants:
 * 1  The first pass ends where it stands, and its result is kept, whenever it cannot be repeated.
 * 2  No interrupt is delivered between the passes; a kick only makes a block leave with the RIP it
 *    would have gone on at.
 * 3  After anything was translated, `block` is looked at only if dbt->generation is unchanged.
 */
#include "dbt/check.h"
#include "cpu/tlb.h"
#include "dbt/slow.h"

enum { CHECK_ALWAYS = 32, CHECK_ONE_IN = 256, CHECK_TRIES = 3 };

/* -- State ------------------------------------------------------------------------------------- */

static void copy_words(void *to, const void *from, size_t bytes)
{
        uint64_t *t = to;
        const uint64_t *f = from;
        for (size_t i = 0; i < bytes / 8; i++)
                t[i] = f[i];
}

static void state_save(struct cpu *cpu, struct check_state *state, bool vector)
{
        for (unsigned i = 0; i < CPU_REGS; i++)
                state->regs[i] = cpu->regs[i];
        state->rip = cpu->rip;
        state->rflags = cpu->rflags;
        state->df_step = cpu->df_step;
        state->iflag = cpu->iflag;
        state->shadow = cpu->shadow;
        state->exception = cpu->exception;
        state->gs_base = cpu->seg[SEG_GS].base;
        state->kernel_gs_base = cpu->kernel_gs_base;
        if (!vector)
                return;
        cpu_host_begin(cpu);
        state->fpu_ip = cpu->fpu.ip;
        state->fpu_dp = cpu->fpu.dp;
        state->fpu_cs = cpu->fpu.cs;
        state->fpu_ds = cpu->fpu.ds;
        state->fpu_op = cpu->fpu.op;
        copy_words(state->image, cpu->fpu.image, sizeof state->image);
}

static void state_restore(struct cpu *cpu, const struct check_state *state, bool vector)
{
        for (unsigned i = 0; i < CPU_REGS; i++)
                cpu->regs[i] = state->regs[i];
        cpu->rip = state->rip;
        cpu->rflags = state->rflags;
        cpu->df_step = state->df_step;
        cpu->iflag = state->iflag;
        cpu->shadow = state->shadow;
        cpu->exception = state->exception;
        cpu->seg[SEG_GS].base = state->gs_base;
        cpu->kernel_gs_base = state->kernel_gs_base;
        if (!vector)
                return;
        cpu_host_begin(cpu);
        cpu->fpu.ip = state->fpu_ip;
        cpu->fpu.dp = state->fpu_dp;
        cpu->fpu.cs = state->fpu_cs;
        cpu->fpu.ds = state->fpu_ds;
        cpu->fpu.op = state->fpu_op;
        copy_words(cpu->fpu.image, state->image, sizeof state->image);
}

static bool exceptions_same(const struct pending_exception *a, const struct pending_exception *b)
{
        if (!a->pending || !b->pending)
                return a->pending == b->pending;
        return a->vector == b->vector && a->has_error == b->has_error && (!a->has_error || a->error == b->error) &&
               (a->vector != EXC_PF || a->cr2 == b->cr2);
}

static bool states_same(const struct check_state *a, const struct check_state *b, bool vector)
{
        uint64_t differ = (a->rip ^ b->rip) | (a->rflags ^ b->rflags) | (uint64_t)(a->df_step ^ b->df_step) |
                          (uint64_t)(a->iflag ^ b->iflag) | (uint64_t)(a->shadow ^ b->shadow) | (a->gs_base ^ b->gs_base) |
                          (a->kernel_gs_base ^ b->kernel_gs_base);

        for (unsigned i = 0; i < CPU_REGS; i++)
                differ |= a->regs[i] ^ b->regs[i];
        if (vector) {
                differ |= (a->fpu_ip ^ b->fpu_ip) | (a->fpu_dp ^ b->fpu_dp) | (uint64_t)(a->fpu_cs ^ b->fpu_cs) |
                          (uint64_t)(a->fpu_ds ^ b->fpu_ds) | (uint64_t)(a->fpu_op ^ b->fpu_op);
                for (unsigned i = 0; i < CHECK_IMAGE_BYTES; i++)
                        if (check_image_byte(i))
                                differ |= (uint64_t)(a->image[i] ^ b->image[i]);
        }
        return !differ && exceptions_same(&a->exception, &b->exception);
}

/* -- Memory ------------------------------------------------------------------------------------ */

/* Where [linear, linear+size), within one page, lies if it is memory; NULL: a device, nothing, or a fault. */
static uint8_t *memory_place(struct cpu *cpu, gva_t linear, unsigned access)
{
        struct translation translation;

        if (!cpu_long_mode(cpu))
                linear = (uint32_t)linear;
        if (!cpu_translate(cpu, linear, access, &translation))
                return NULL;
        struct page_info page = memory_page(cpu->memory, translation.gpa);
        if (!page.host || (page.state & PAGE_ABSENT))
                return NULL;
        return page.host + (translation.gpa & (PAGE_SIZE - 1));
}

bool check_access(struct cpu *cpu, gva_t linear, unsigned size, unsigned access)
{
        struct check *check = dbt_cpu(cpu)->check;
        unsigned room = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));
        struct translation translation;
        uint8_t *host;

        if ((access & ACCESS_WRITE) && (check->places + 2 > CHECK_STORES || check->bytes + size > CHECK_STORE_BYTES)) {
                check->stopped = true;
                return false;
        }
        if (size <= room) {
                /* The caller has made sure that this does not fault. */
                if (tlb_access(cpu, linear, size, access & ~(unsigned)ACCESS_WRITE, &host) && host)
                        return true;
                check->stopped = true;
                return false;
        }
        for (unsigned i = 0; i < 2; i++) {
                gva_t at = linear + (i ? room : 0);
                if (!cpu_long_mode(cpu))
                        at = (uint32_t)at;
                if (!cpu_translate(cpu, at, access, &translation))
                        return true;            /* the caller raises it */
                if (!memory_place(cpu, at, access)) {
                        check->stopped = true;
                        return false;
                }
        }
        return true;
}

static void log_place(struct cpu *cpu, gva_t linear, unsigned size)
{
        struct check *check = dbt_cpu(cpu)->check;
        uint8_t *host = memory_place(cpu, linear, cpu_user_access(cpu) | ACCESS_WRITE);

        if (!host)
                return;
        struct check_place *place = &check->place[check->places++];
        *place = (struct check_place){ .host = host, .linear = linear, .at = check->bytes, .size = size };
        for (unsigned i = 0; i < size; i++)
                *(volatile uint8_t *)&check->old[check->bytes++] = host[i];
}

void check_store(struct cpu *cpu, gva_t linear, unsigned size)
{
        unsigned room = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));

        log_place(cpu, linear, size < room ? size : room);
        if (size > room)
                log_place(cpu, linear + room, size - room);
}

static void places_note_new(struct check *check)
{
        for (unsigned p = 0; p < check->places; p++) {
                const struct check_place *place = &check->place[p];
                for (unsigned i = 0; i < place->size; i++)
                        *(volatile uint8_t *)&check->new[place->at + i] = place->host[i];
        }
}

/* In reverse, so that of several stores to a place the oldest bytes remain.  ROM, which stores leave as it
 * is, is not written. */
static void places_undo(struct check *check)
{
        for (unsigned p = check->places; p-- > 0;) {
                const struct check_place *place = &check->place[p];
                for (unsigned i = 0; i < place->size; i++)
                        if (place->host[i] != check->old[place->at + i])
                                *(volatile uint8_t *)&place->host[i] = check->old[place->at + i];
        }
}

static bool places_same(const struct check *check)
{
        for (unsigned p = 0; p < check->places; p++) {
                const struct check_place *place = &check->place[p];
                for (unsigned i = 0; i < place->size; i++)
                        if (place->host[i] != check->new[place->at + i])
                                return false;
        }
        return true;
}

/* Whether a logged store went into the page at host. */
static bool stored_into(const struct check *check, const uint8_t *host)
{
        for (unsigned p = 0; p < check->places; p++)
                if ((uint64_t)(check->place[p].host - host) < PAGE_SIZE)
                        return true;
        return false;
}

/* Whether a logged store went into a page table at or below this one, `level` levels from the pages. */
static bool stored_into_table(struct cpu *cpu, gpa_t table, unsigned level)
{
        const struct check *check = dbt_cpu(cpu)->check;
        bool wide = cpu->cr4 & CR4_PAE;
        const uint8_t *host = memory_page(cpu->memory, table & PAGE_MASK).host;

        if (!host)
                return false;
        if (stored_into(check, host))
                return true;
        if (!level)
                return false;
        for (unsigned i = 0; i < (wide ? 512u : 1024u); i++) {
                uint64_t entry = wide ? ((const uint64_t *)host)[i] : ((const uint32_t *)host)[i];
                bool present = entry & 1, large = entry & 0x80;
                if (present && !large && stored_into_table(cpu, entry & UINT64_C(0xfffffff000), level - 1))
                        return true;
        }
        return false;
}

/* A block that writes the tables it is mapped by may see its translations change or not: the TLB may keep
 * them (SDM 3A 4.10.4.3), and the two passes use it differently. */
static bool stored_into_tables(struct cpu *cpu)
{
        if (!(cpu->cr0 & CR0_PG))
                return false;
        return stored_into_table(cpu, cpu->cr3, cpu_long_mode(cpu) ? 3 : cpu->cr4 & CR4_PAE ? 2 : 1);
}

/* Both passes of a repetition walk the page tables afresh: a table that the block itself has written then
 * gets its accessed and dirty bits in both.  False: the code itself cannot be fetched any more; the
 * dispatcher will find that out. */
static bool forget_translations(struct cpu *cpu, const struct block *block)
{
        gva_t linear = context_linear(block->context, block->rip);
        gpa_t gpa;

        tlb_flush(cpu, true);
        bool ok = tlb_fetch(cpu, linear, &gpa) && gpa == block->gpa;
        if (ok && block->gpa2 != ~(gpa_t)0) {
                ok = tlb_fetch(cpu, context_linear(block->context, block->rip + PAGE_SIZE - (linear & (PAGE_SIZE - 1))), &gpa);
                ok = ok && (gpa & PAGE_MASK) == block->gpa2;
        }
        if (!ok)
                cpu->exception.pending = false;
        return ok;
}

/* -- Running ----------------------------------------------------------------------------------- */

static uint64_t enter(struct cpu *cpu, const struct block *block)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        uint64_t reason;

        cpu->shadow = 0;
        dcpu->last_callout = NULL;
        dbt_count(dcpu, DBT_COUNT_ENTRIES, 1);
        reason = dcpu->dbt->stubs[context_wide(block->context)].enter(cpu, block->host);
        if (reason > LEAVE_ONE)
                cpu->rip = ((const struct block_exit *)(uintptr_t)reason)->target;
        return reason;
}

/* The block of the block's instruction i alone; the dispatcher has just found the page mapped as the block
 * wants it.  NULL: the cache made room by dropping blocks, perhaps this one. */
static struct block *step_block(struct cpu *cpu, struct block *block, unsigned i)
{
        struct dbt *dbt = dbt_cpu(cpu)->dbt;
        uint64_t generation = dbt->generation;

        if (block->step_generation != generation) {
                for (unsigned j = 0; j < block->insns; j++)
                        block->step[j] = NULL;
                block->step_generation = generation;
        }
        struct block *step = block->step[i];
        if (step && !step->dead)
                return step;
        cpu_host_begin(cpu);
        struct context *context = (struct context *)block->context;
        if (!context->step)
                context->step = dbt_slow_context(dbt, (context->mode & ~MODE_CHECK) | MODE_ONE_INSN | MODE_BOUNCED,
                                                 context->cs_base, context->cs_limit, context->debug_key);
        gpa_t gpa = block->gpa + block->map[i].guest_offset;
        step = block_find(dbt, context->step, cpu->rip, gpa);
        if (step && step->gpa2 != block->gpa2) {
                dbt_slow_drop(dbt, step);
                step = NULL;
        }
        if (!step)
                step = dbt_slow_translate(cpu, context->step, cpu->rip, gpa);
        if (dbt->generation != generation || !step)
                return NULL;
        block->step[i] = step;
        return step;
}

enum pass { PASS_COMPLETE, PASS_FINAL };

/* The first pass.  PASS_FINAL: what it did must stand. */
static enum pass step_through(struct cpu *cpu, struct block *block)
{
        struct dbt *dbt = dbt_cpu(cpu)->dbt;
        struct check *check = dbt_cpu(cpu)->check;
        uint64_t mask = context_wide(block->context) ? UINT64_MAX : UINT32_MAX;
        uint64_t dropped = dbt_invalidated(dbt);
        unsigned insns = block->insns;

        check->places = check->bytes = 0;
        for (unsigned i = 0; i < insns; i++) {
                struct block *step = step_block(cpu, block, i);
                if (!step)
                        return PASS_FINAL;
                check->stopped = false;
                check->stepping = true;
                enter(cpu, step);
                check->stepping = false;
                if (check->stopped) {
                        /* Nothing of the instruction has been done.  The first one is done now, for good. */
                        dbt_count(dbt_cpu(cpu), DBT_COUNT_CHECK_NOT_DEVICE, 1);
                        if (i == 0)
                                enter(cpu, step);
                        return PASS_FINAL;
                }
                if (cpu->exception.pending)
                        break;
                if (dbt_invalidated(dbt) != dropped) {
                        dbt_count(dbt_cpu(cpu), DBT_COUNT_CHECK_NOT_WRITTEN, 1);
                        return PASS_FINAL;
                }
                if (i + 1 < insns && cpu->rip != ((block->rip + block->map[i + 1].guest_offset) & mask))
                        break;
        }
        return PASS_COMPLETE;
}

/* The block came to a span that its check does not allow (translate_span.c): the rest runs in the version
 * without spans, uncompared. */
static void run_careful(struct cpu *cpu, const struct block *block)
{
        struct dbt *dbt = dbt_cpu(cpu)->dbt;
        const struct context *from = block->context;
        gpa_t gpa = block->gpa + (cpu->rip - block->rip);

        cpu_host_begin(cpu);
        dbt_count(dbt_cpu(cpu), DBT_COUNT_CHECK_NOT_SPAN, 1);
        const struct context *context = dbt_slow_context(dbt, (from->mode & ~MODE_CHECK) | MODE_CAREFUL, from->cs_base, from->cs_limit,
                                                         from->debug_key);
        struct block *careful = block_find(dbt, context, cpu->rip, gpa);
        if (!careful)
                careful = dbt_slow_translate(cpu, context, cpu->rip, gpa);
        if (careful)
                enter(cpu, careful);
}

static bool left_for_careful(uint64_t reason)
{
        return reason > LEAVE_ONE && ((const struct block_exit *)(uintptr_t)reason)->careful;
}

enum check_result check_block(struct cpu *cpu, struct block *block)
{
        struct check *check = dbt_cpu(cpu)->check;

        if (block->context->mode & (MODE_ONE_INSN | MODE_TF) || block->dead || block->callout) {
                dbt_count(dbt_cpu(cpu), DBT_COUNT_CHECK_NOT_C, 1);
                return CHECK_RUN;
        }
        if (block->runs++ >= CHECK_ALWAYS && block->runs % CHECK_ONE_IN) {
                dbt_count(dbt_cpu(cpu), DBT_COUNT_CHECK_NOT_HOT, 1);
                return CHECK_RUN;
        }
        for (unsigned tries = 0; tries < CHECK_TRIES; tries++) {
                if (tries) {
                        dbt_count(dbt_cpu(cpu), DBT_COUNT_CHECK_AGAIN, 1);
                        if (!forget_translations(cpu, block))
                                return CHECK_DONE;
                }
                state_save(cpu, &check->before, block->vector);
                if (step_through(cpu, block) == PASS_FINAL)
                        return CHECK_DONE;
                state_save(cpu, &check->stepped, block->vector);
                places_note_new(check);
                places_undo(check);
                state_restore(cpu, &check->before, block->vector);
                if (tries && !forget_translations(cpu, block))
                        return CHECK_DONE;
                if (left_for_careful(enter(cpu, block))) {
                        run_careful(cpu, block);
                        return CHECK_DONE;
                }
                state_save(cpu, &check->run, block->vector);
                if (states_same(&check->stepped, &check->run, block->vector) && places_same(check)) {
                        dbt_count(dbt_cpu(cpu), DBT_COUNT_CHECKED, 1);
                        return CHECK_DONE;
                }
                if (stored_into_tables(cpu)) {
                        dbt_count(dbt_cpu(cpu), DBT_COUNT_CHECK_NOT_TABLES, 1);
                        return CHECK_DONE;
                }
                if (tries + 1 < CHECK_TRIES) {
                        places_undo(check);
                        state_restore(cpu, &check->before, block->vector);
                }
        }
        cpu_host_begin(cpu);
        check_report(cpu, block);
        return CHECK_DIFFERS;
}
