/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dispatch.c - the hub: exceptions, requests, the next block, and into it.
 *
 *            +--> deliver exception --> serve requests --> find or translate block --> enter ---+
 *            |                                                                                  |
 *            +-- link the edge it left by, fill the jump cache, trap after a single step <------+
 *
 * Compiled for general registers only, since the guest's vector registers may be live all the way
 * round; whatever is slow or outside calls cpu_host_begin() first.
 *
 * Invariants:
 * 1  jc_key is set before `quiet` is looked at: a kick that comes later spoils it, one that came earlier
 *    is seen (T8).
 * 2  shadow is cleared when the inhibited instruction has been entered or an exception is delivered.
 */
#include "base/log.h"
#include "cpu/cpuid.h"
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/lapic.h"
#include "cpu/paravirt.h"
#include "cpu/tlb.h"
#include "dbt/check.h"
#include "dbt/slow.h"

void dbt_kick(struct dbt_cpu *dcpu)
{
        __atomic_store_n(&dcpu->cpu.quiet, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&dcpu->jc_key, dcpu->dbt->no_key, __ATOMIC_SEQ_CST);
}

void cpu_request(struct cpu *cpu, uint32_t bits)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);

        __atomic_or_fetch(&cpu->request, bits, __ATOMIC_SEQ_CST);
        dbt_kick(dcpu);
        void (*hook)(void *opaque) = __atomic_load_n(&dcpu->kick_hook, __ATOMIC_SEQ_CST);
        if (hook)
                hook(dcpu->kick_opaque);
        if (__atomic_load_n(&dcpu->sleeping, __ATOMIC_SEQ_CST))
                dbt_wake(dcpu);
}

static uint32_t requests(const struct cpu *cpu) { return __atomic_load_n(&cpu->request, __ATOMIC_SEQ_CST); }

static void request_clear(struct cpu *cpu, uint32_t bits) { __atomic_and_fetch(&cpu->request, ~bits, __ATOMIC_SEQ_CST); }

/* -- Exceptions and interrupts ----------------------------------------------------------------- */

/* False: the CPU stops at an x87 instruction until an interrupt comes (FERR# to IRQ 13, SDM 1 8.7.2). */
static bool deliver_exception(struct cpu *cpu)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);

        if (cpu->exception.vector == EXC_MF && !(cpu->cr0 & CR0_NE)) {
                cpu->exception.pending = false;
                if (cpu->env.ferr) {
                        cpu_host_begin(cpu);
                        cpu->env.ferr(cpu->env.opaque, true);
                }
                dcpu->ferr_wait = true;
                return false;
        }
        dbt_count(dcpu, DBT_COUNT_EXCEPTIONS, 1);
        counter_add(&dcpu->exceptions[cpu->exception.vector % 32], 1);
        dbt_trace_exception(cpu);
        cpu->shadow = 0;
        cpu_deliver_exception(cpu);
        return true;
}

static bool deliverable(const struct cpu *cpu, uint32_t request)
{
        if (request & ~(uint32_t)(CPU_REQUEST_INTR | CPU_REQUEST_NMI | CPU_REQUEST_NMI_AGAIN | CPU_REQUEST_SIPI))
                return true;
        if (cpu->waiting_for_sipi)
                return request & CPU_REQUEST_SIPI;
        return ((request & CPU_REQUEST_INTR) && cpu->iflag) || ((request & CPU_REQUEST_NMI) && !cpu->nmi_blocked);
}

bool dbt_can_run(const struct cpu *cpu)
{
        bool stopped = cpu->halted || cpu->waiting_for_sipi || dbt_cpu((struct cpu *)cpu)->ferr_wait;
        return cpu->exception.pending || !stopped || deliverable(cpu, requests(cpu));
}

/* True: the vCPU must stop running (EXIT). */
static bool serve_requests(struct cpu *cpu)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        uint32_t request = requests(cpu);

        if (request & CPU_REQUEST_EXIT) {
                request_clear(cpu, CPU_REQUEST_EXIT);
                return true;
        }
        if (request & (CPU_REQUEST_FLUSH | CPU_REQUEST_RESET | CPU_REQUEST_INIT)) {
                request_clear(cpu, request & (CPU_REQUEST_FLUSH | CPU_REQUEST_RESET | CPU_REQUEST_INIT));
                cpu_host_begin(cpu);
                tlb_flush(cpu, true);
                if (request & (CPU_REQUEST_RESET | CPU_REQUEST_INIT)) {
                        dbt_slow_reset(cpu, !(request & CPU_REQUEST_RESET));
                        dcpu->ferr_wait = false;
                        dbt_state_changed(cpu);
                }
        }
        if (requests(cpu) & CPU_REQUEST_SIPI) {
                cpu_host_begin(cpu);
                dbt_slow_start(cpu);
        }
        if (cpu->waiting_for_sipi)      /* all else waits with it (SDM 3A 9.4.3) */
                return false;
        /* A debugger's step is of the program, not of what interrupts it. */
        if (cpu->shadow || (cpu->debug_step && !cpu->halted))
                return false;
        if ((request & CPU_REQUEST_NMI) && !cpu->nmi_blocked) {
                cpu_take_nmi(cpu);
                cpu->halted = 0;
                dcpu->ferr_wait = false;
                cpu_deliver_interrupt(cpu, EXC_NMI);
                __atomic_store_n(&cpu->nmi_blocked, true, __ATOMIC_RELAXED);
                return false;
        }
        if ((request & CPU_REQUEST_INTR) && cpu->iflag) {
                cpu_host_begin(cpu);
                if (cpu->pv.steal_time)
                        paravirt_steal_update(cpu);
                int vector = dcpu->interrupt_vector(cpu);
                if (vector >= 0) {
                        cpu->halted = 0;
                        dcpu->ferr_wait = false;
                        dbt_count(dcpu, DBT_COUNT_INTERRUPTS, 1);
                        cpu_deliver_interrupt(cpu, (uint8_t)vector);
                }
        }
        return false;
}

/* -- Breakpoints and steps ---------------------------------------------------------------------- */

/* Whether the next instruction runs alone: to be stepped over, to hit a watchpoint, or to see RF end. */
static bool debug_single(const struct dbt_cpu *dcpu)
{
        return dcpu->cpu.debug_step || dcpu->single_next || dcpu->resume || (dcpu->cpu.rflags & FLAG_RF);
}

/* INT n and its kin clear TF and so end stepping (INTO that does nothing leaves it); every other
 * instruction that started with TF traps. */
static bool step_traps(const struct dbt_cpu *dcpu)
{
        const struct callout *last = dcpu->last_callout;
        return !last || !dbt_is_software_interrupt(last->handler) || (dcpu->cpu.rflags & FLAG_TF);
}

/* Before a block is entered.  RF holds for one instruction, and an exception of that one sets it again. */
static void debug_before(struct dbt_cpu *dcpu, bool single)
{
        dcpu->single = single;
        dcpu->single_next = false;
        dcpu->cpu.debug_hits = 0;
        if (dcpu->cpu.rflags & FLAG_RF) {
                dcpu->cpu.rflags &= ~(uint64_t)FLAG_RF;
                dcpu->resume = true;
        }
}

/* After a block was left: the traps of its last instruction, all in one #DB (SDM 3A table 6-2), and the
 * debugger's share. */
static void debug_after(struct dbt_cpu *dcpu, bool stepped)
{
        struct cpu *cpu = &dcpu->cpu;
        const struct callout *last = dcpu->last_callout;
        uint32_t hits = cpu->debug_hits | dcpu->held_hits;

        if (cpu->debug_stop || dcpu->single_next)       /* nothing has been done */
                return;
        dcpu->resume = false;
        cpu->debug_hits = dcpu->held_hits = 0;
        if (cpu->shadow) {
                dcpu->held_hits = hits;
        } else if (!cpu->exception.pending) {
                stepped = stepped && step_traps(dcpu);
                /* A REP that has elements left saves RF, so that it is not a new instruction (SDM 3B 18.3.1.1). */
                if ((stepped || cpu->debug_key) && last && last->handler == dbt_string && cpu->rip == last->rip)
                        cpu->rflags |= FLAG_RF;
                if (stepped || (hits & DR6_B_MASK)) {
                        cpu->dr[6] |= (hits & DR6_B_MASK) | (stepped ? DR6_BS : 0);
                        /* What MOV SS held back comes with the #DB that INT1 is, which has been delivered; a second one
                         * would overwrite its frame on an IST stack. */
                        if (!last || last->handler != exec_int1)
                                cpu_raise(cpu, EXC_DB);
                }
                if (hits & DEBUG_HIT_WATCH)
                        cpu->debug_stop = DEBUG_STOP_WATCH;
        }
        if (cpu->debug_step && !cpu->debug_stop)
                cpu->debug_stop = DEBUG_STOP_STEP;
}

/* -- Finding the next block -------------------------------------------------------------------- */

static const struct context *current_context(struct cpu *cpu, bool careful)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        uint64_t mode = cpu->mode | (cpu->shadow || debug_single(dcpu) ? MODE_ONE_INSN : 0) | dcpu->extra_mode |
                        (careful ? MODE_CAREFUL : 0);
        const struct segment *cs = &cpu->seg[SEG_CS];

        for (unsigned i = 0; i < CONTEXT_CACHE; i++) {
                const struct context *c = dcpu->context[i];
                if (c && c->mode == mode && c->cs_base == cs->base && c->cs_limit == cs->limit && c->debug_key == cpu->debug_key)
                        return c;
        }
        cpu_host_begin(cpu);
        const struct context *c = dbt_slow_context(dcpu->dbt, mode, cs->base, cs->limit, cpu->debug_key);
        dcpu->context[dcpu->context_next++ % CONTEXT_CACHE] = c;
        return c;
}

/* The block at RIP; NULL: fetching raised an exception. */
static struct block *find_block(struct cpu *cpu, const struct context *context)
{
        struct dbt *dbt = dbt_cpu(cpu)->dbt;
        gva_t linear = context_linear(context, cpu->rip);
        const struct tlb_view *view = &cpu->tlb[cpu->mode & MODE_USER ? 1 : 0];
        uint64_t code = view->code[(linear >> PAGE_SHIFT) % ITLB_ENTRIES];
        gpa_t gpa;

        if (!context_wide(context) && cpu->rip > context->cs_limit) {
                cpu_raise_error(cpu, EXC_GP, 0);
                return NULL;
        }
        if (context_wide(context) && !cpu_canonical(cpu->rip)) {
                cpu_raise_error(cpu, EXC_GP, 0);
                return NULL;
        }
        if (code && code >> 28 == (linear >> PAGE_SHIFT & ((UINT64_C(1) << 36) - 1)))
                gpa = (code & ((1 << 28) - 1)) << PAGE_SHIFT | (linear & (PAGE_SIZE - 1));
        else if (!tlb_fetch(cpu, linear, &gpa))
                return NULL;
        struct block *block = block_find(dbt, context, cpu->rip, gpa);
        if (!block) {
                cpu_host_begin(cpu);
                block = dbt_slow_translate(cpu, context, cpu->rip, gpa);
        } else if (block->gpa2 != ~(gpa_t)0) {
                /* Its second page is checked on entry, against a code entry that must be there. */
                gva_t next = context_linear(context, cpu->rip + PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
                gpa_t second;
                if (!tlb_fetch(cpu, next, &second))
                        return NULL;
                if ((second & PAGE_MASK) != block->gpa2) {
                        cpu_host_begin(cpu);
                        dbt_slow_drop(dbt, block);
                        block = dbt_slow_translate(cpu, context, cpu->rip, gpa);
                }
        }
        return block;
}

/* False: another vCPU has dropped the block meanwhile. */
static bool fill_jump_cache(struct dbt_cpu *dcpu, const struct block *block)
{
        struct jc_entry *entry = jc_slot(dcpu, block->rip);

        __atomic_store_n(&entry->host, block->checked, __ATOMIC_RELAXED);
        if (!dcpu->dbt->smp) {
                entry->neg_key = -(block->context->key + block->rip);
                return true;
        }
        __atomic_store_n(&entry->neg_key, -(block->context->key + block->rip), __ATOMIC_SEQ_CST);
        if (!block_dead(block))
                return true;
        __atomic_store_n(&entry->neg_key, 0, __ATOMIC_RELAXED);
        return false;
}

/* A near RET, JMP or CALL whose target is not canonical faults before it does anything (SDM 2B, RET). */
static void undo_branch(struct cpu *cpu, const struct callout *branch)
{
        const struct insn *insn = &branch->insn;

        if (insn->opcode->kind == KIND_RET)
                cpu->regs[RSP] -= insn->operand_bytes + (insn->imm_bytes ? (uint16_t)insn->imm : 0u);
        else if (insn->opcode->kind == KIND_CALL_IND)
                cpu->regs[RSP] += insn->operand_bytes;
        cpu->rip = branch->rip;
        cpu_raise_error(cpu, EXC_GP, 0);
}

/* The short way round after an instruction in C that left its block (a system call, an interrupt return, a segment
 * load): the code to go on with, if nothing waits for the dispatcher and the jump cache knows it; else NULL.
 * before: the mode that the instruction began in. */
const uint8_t *dbt_next_code(struct cpu *cpu, uint64_t before)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        uint64_t mode = cpu->mode | dcpu->extra_mode;
        const struct segment *cs = &cpu->seg[SEG_CS];

        if (cpu->shadow | cpu->halted | !cpu->quiet || ((mode | before) & (MODE_TF | MODE_CHECK)) || cpu->debug_key || cpu->debug_stop ||
            cpu->debug_hits || dcpu->held_hits || dcpu->ferr_wait || debug_single(dcpu) || TRACE_ON(EXEC) ||
            deliverable(cpu, requests(cpu)))
                return NULL;
        for (unsigned i = 0; i < CONTEXT_CACHE; i++) {
                const struct context *c = dcpu->context[i];
                if (!c || c->mode != mode || c->cs_base != cs->base || c->cs_limit != cs->limit || c->debug_key)
                        continue;
                const struct jc_entry *entry = jc_slot(dcpu, cpu->rip);
                if ((c->mode ^ before) & MODE_CODE64 || __atomic_load_n(&entry->neg_key, __ATOMIC_ACQUIRE) + c->key + cpu->rip)
                        return NULL;
                const uint8_t *host = __atomic_load_n(&entry->host, __ATOMIC_RELAXED);
                __atomic_store_n(&dcpu->jc_key, c->key, __ATOMIC_SEQ_CST);
                if (!__atomic_load_n(&cpu->quiet, __ATOMIC_SEQ_CST))      /* invariant 1 */
                        return NULL;
                dcpu->single = false;
                dcpu->last_callout = NULL;
                dbt_count(dcpu, DBT_COUNT_SHORT, 1);
                return host;
        }
        return NULL;
}

/* -- The loop ---------------------------------------------------------------------------------- */

#ifdef __SANITIZE_THREAD__
/* Not instrumented, and the guest's vector state is put away before anything that is: see helpers.c. */
__attribute__((noinline, no_sanitize("thread")))
static uint64_t enter_block(struct cpu *cpu, const struct context *context, const struct block *block)
{
        uint64_t reason = dbt_cpu(cpu)->dbt->stubs[context_wide(context)].enter(cpu, block->host);

        cpu_host_begin(cpu);
        dbt_subscribe(dbt_cpu(cpu)->dbt);
        return reason;
}
#else
static inline uint64_t enter_block(struct cpu *cpu, const struct context *context, const struct block *block)
{
        return dbt_cpu(cpu)->dbt->stubs[context_wide(context)].enter(cpu, block->host);
}
#endif

static enum dbt_stop dispatch(struct cpu *cpu, uint64_t max_blocks)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        struct dbt *dbt = dcpu->dbt;
        struct block_exit *edge = NULL;         /* the one that was left by, if it can be chained */
        bool indirect = false;
        uint64_t generation = 0, blocks = 0;

        for (;;) {
                if (max_blocks && blocks++ >= max_blocks)
                        return DBT_STOP_BLOCKS;
                if (cpu->exception.pending) {
                        edge = NULL;
                        indirect = false;
                        if (deliver_exception(cpu) && dcpu->shutdown) {
                                dcpu->shutdown = false;
                                return DBT_STOP_SHUTDOWN;
                        }
                }
                if (cpu->debug_stop) {
                        cpu->debug_step = false;
                        return DBT_STOP_DEBUG;
                }
                if (!__atomic_load_n(&cpu->quiet, __ATOMIC_RELAXED)) {
                        __atomic_store_n(&cpu->quiet, 1, __ATOMIC_SEQ_CST);
                        if (dbt->smp && smp_awaited(dcpu)) {
                                edge = NULL;            /* nothing in hand */
                                cpu_host_begin(cpu);
                                smp_pass_slowly(dcpu);
                        }
                }
                if (requests(cpu)) {
                        uint64_t rip = cpu->rip;
                        if (serve_requests(cpu))
                                return DBT_STOP_REQUEST;
                        if (cpu->exception.pending)
                                continue;
                        if (cpu->rip != rip) {
                                edge = NULL;
                                indirect = false;
                        }
                }
                if (cpu->halted || cpu->waiting_for_sipi || dcpu->ferr_wait)
                        return DBT_STOP_HALTED;
                const struct context *context = current_context(cpu, edge && edge->careful);
                struct block *block = find_block(cpu, context);
                if (!block) {
                        if (cpu->debug_step)
                                cpu->debug_stop = DEBUG_STOP_STEP;
                        continue;
                }
                bool chainable = !(context->mode & (MODE_ONE_INSN | MODE_TF | MODE_CHECK)) && !block_dead(block);
                if (edge && generation == dbt_generation(dbt) && chainable) {
                        cpu_host_begin(cpu);
                        dbt_slow_link(dbt, edge, block, generation);
                } else if (indirect && chainable && !(context->mode & MODE_CAREFUL)) {
                        if (!fill_jump_cache(dcpu, block))
                                continue;
                }
                /* What follows may translate, which may free the edge with the chunk it is in. */
                edge = NULL;
                indirect = false;
                uint64_t key = chainable ? context->key : dbt->no_key;
                if (__atomic_load_n(&dcpu->jc_key, __ATOMIC_RELAXED) != key)
                        __atomic_store_n(&dcpu->jc_key, key, __ATOMIC_SEQ_CST);
                if (!__atomic_load_n(&cpu->quiet, __ATOMIC_SEQ_CST))
                        continue;
                if (dcpu->check) {
                        dcpu->branch = NULL;
                        enum check_result checked = check_block(cpu, block);
                        if (checked == CHECK_DIFFERS)
                                return DBT_STOP_CHECK;
                        if (checked == CHECK_DONE) {
                                if (dcpu->branch && !cpu->exception.pending && !cpu_canonical(cpu->rip))
                                        undo_branch(cpu, dcpu->branch);
                                continue;
                        }
                }
                dcpu->after_ss = cpu->shadow == SHADOW_SS;
                cpu->shadow = 0;
                debug_before(dcpu, context->mode & (MODE_ONE_INSN | MODE_TF));
                dcpu->last_callout = NULL;
                dcpu->branch = NULL;
                generation = dbt_generation(dbt);
                dbt_count(dcpu, DBT_COUNT_ENTRIES, 1);
                dbt_trace_enter(cpu, block);
                uint64_t reason = enter_block(cpu, context, block);
                if (dcpu->branch && !cpu_canonical(cpu->rip)) {
                        undo_branch(cpu, dcpu->branch);
                        continue;
                }
                switch (reason) {
                case LEAVE_RIP:
                        dbt_count(dcpu, DBT_COUNT_EXIT_INDIRECT, 1);
                        indirect = true;
                        break;
                case LEAVE_CALLOUT:
                        indirect = true;        /* so that dbt_next_code() finds it */
                        /* fall through */
                case LEAVE_COMMIT:
                case LEAVE_ONE:
                        dbt_count(dcpu, DBT_COUNT_EXIT_CALLOUT, 1);
                        break;
                case LEAVE_EXCEPTION:
                        break;
                default:
                        dbt_count(dcpu, DBT_COUNT_EXIT_LINK, 1);
                        edge = (struct block_exit *)(uintptr_t)reason;
                        cpu->rip = edge->target;
                        break;
                }
                bool stepped = context->mode & MODE_TF;
                if (stepped || cpu->debug_hits || dcpu->held_hits || dcpu->resume || cpu->debug_key || cpu->debug_step)
                        debug_after(dcpu, stepped);
        }
}

enum dbt_stop dbt_run(struct cpu *cpu, uint64_t max_blocks)
{
        smp_online(dbt_cpu(cpu));
        enum dbt_stop stop = dispatch(cpu, max_blocks);

        cpu_host_begin(cpu);            /* all of the state is in struct cpu, and C may use the registers */
        smp_offline(dbt_cpu(cpu));
        return stop;
}
