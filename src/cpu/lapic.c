/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lapic.c - the local APIC of one vCPU (SDM 3A chapter 11), in xAPIC and x2APIC mode (x2apic.c has the MSRs).
 *
 * Interrupts take two ways to a vCPU.  Messages (IOAPIC, IPI, local vector table) set a bit in IRR and
 * are taken by priority.  The interrupt controller pair's output comes in on LINT0; while that entry
 * says ExtINT (virtual wire), or the APIC is disabled, it raises INTR and the pair gives the vector.
 * lapic_update() alone decides whether CPU_REQUEST_INTR is raised.
 *
 * The timer counts LAPIC_BUS_HZ divided, so an undivided tick is one nanosecond of virtual time.  Its
 * current count is computed when read.  Periods that the guest had no chance to see (the vector was
 * still in IRR, or the host was busy) are kept and delivered one at each EOI: late, not lost.
 *
 * In TSC-deadline mode the host's timer is set for when the TSC will have come that far, and looks at the TSC when it
 * fires: after a pause of the machine, whose clock stood still, both are late together.
 *
 * A guest that knows KVM's interface may end an interrupt in its memory: then ISR still shows it until settle_eoi() has
 * looked, which only the vCPU's own thread may do, and does before anything that depends on ISR.
 *
 * Not modelled: SMI, performance, thermal and CMCI sources (their entries can be written and never fire), arbitration
 * priority.
 *
 * Guest quirks that matter: firmware probes with the APIC software-disabled and expects interrupt
 * controller interrupts to arrive, so a software-disabled APIC passes LINT0 as a disabled one does.
 */
#include <glib.h>
#include <string.h>
#include "base/log.h"
#include "cpu/cpuid.h"
#include "cpu/lapic.h"
#include "cpu/msr.h"
#include "cpu/paravirt.h"

/* -- Registers --------------------------------------------------------------------------------- */

enum {
        REG_ID = 0x020, REG_VERSION = 0x030, REG_TPR = 0x080, REG_APR = 0x090, REG_PPR = 0x0a0, REG_EOI = 0x0b0,
        REG_RRD = 0x0c0, REG_LDR = 0x0d0, REG_DFR = 0x0e0, REG_SVR = 0x0f0, REG_ISR = 0x100, REG_TMR = 0x180,
        REG_IRR = 0x200, REG_ESR = 0x280, REG_ICR_LOW = 0x300, REG_ICR_HIGH = 0x310, REG_LVT = 0x320,
        REG_LVT_LAST = 0x370, REG_INITIAL = 0x380, REG_CURRENT = 0x390, REG_DIVIDE = 0x3e0,
};
enum lvt { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };
enum { LVT_VECTOR = 0xff, LVT_MODE_SHIFT = 8, LVT_LEVEL = 1 << 15, LVT_MASKED = 1 << 16, LVT_PERIODIC = 1 << 17,
       LVT_DEADLINE = 1 << 18 };
enum { SVR_ENABLED = 1 << 8, SVR_WRITABLE = 0x3ff };
enum { ICR_MODE_SHIFT = 8, ICR_LOGICAL = 1 << 11, ICR_ASSERT = 1 << 14, ICR_LEVEL = 1 << 15, ICR_SHORTHAND_SHIFT = 18,
       ICR_WRITABLE = 0xccfff & ~(1 << 12) };
enum { ESR_SEND_ILLEGAL = 1 << 5, ESR_RECEIVE_ILLEGAL = 1 << 6, ESR_ILLEGAL_REGISTER = 1 << 7 };
/* Version 14h, six LVT entries. */
enum { APIC_VERSION = 0x14 | (LVTS - 1) << 16 };

/* What each LVT entry lets a guest write: vector, mask; mode; polarity and trigger; timer mode. */
static const uint32_t lvt_writable[LVTS] = {
        [LVT_TIMER] = LVT_VECTOR | LVT_MASKED | LVT_PERIODIC | LVT_DEADLINE,
        [LVT_THERMAL] = LVT_VECTOR | LVT_MASKED | 7 << LVT_MODE_SHIFT,
        [LVT_PERFORMANCE] = LVT_VECTOR | LVT_MASKED | 7 << LVT_MODE_SHIFT,
        [LVT_LINT0] = LVT_VECTOR | LVT_MASKED | 7 << LVT_MODE_SHIFT | 1 << 13 | LVT_LEVEL,
        [LVT_LINT1] = LVT_VECTOR | LVT_MASKED | 7 << LVT_MODE_SHIFT | 1 << 13 | LVT_LEVEL,
        [LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
};

#define APIC_DEFAULT_BASE UINT64_C(0xfee00000)
/* The shortest interval between two host timers of one APIC, and the most periods kept for later. */
enum { TIMER_MIN_NS = 20000, TIMER_BACKLOG_MAX = 1000 };

/* Lock: the machine lock.  Register accesses and cpu_interrupt_vector() run on vCPU threads, the timer and
 * incoming messages on any. */
struct lapic {
        /* -- Saved. -- */
        uint32_t id;                    /* R/W, bits 31-24; reset: vCPU number */
        uint32_t tpr;                   /* R/W; its class is also cpu->cr8, which the vCPU's own thread keeps the same */
        uint32_t ldr, dfr;              /* R/W; DFR resets to all ones: flat */
        uint32_t svr;                   /* R/W; resets to FFh: software-disabled */
        uint32_t isr[8], tmr[8], irr[8];        /* R */
        uint32_t esr;                   /* as the guest reads it */
        uint32_t errors;                /* gathered since ESR was last written */
        uint32_t icr_low, icr_high;     /* R/W */
        uint32_t lvt[LVTS];             /* R/W; reset: masked */
        uint32_t initial, divide;       /* R/W */
        uint32_t backlog;               /* timer periods that wait for their EOI */
        uint32_t count;                 /* the count at count_start_ns */
        int64_t count_start_ns;
        uint64_t expired;               /* expirations since count_start_ns that have been dealt with */
        struct timer timer;
        bool lint[2];                   /* levels of the pins */
        bool extint;                    /* a message of mode ExtINT waits */
        uint8_t sipi_page;
        bool eoi_offered;               /* the highest vector in service may have been ended in memory */
        uint64_t deadline;              /* IA32_TSC_DEADLINE; 0: not armed */
        uint64_t tsc_offset;            /* the vCPU's, when it last mattered: cpu->tsc_offset is its thread's own */

        /* -- Derived. -- */
        uint64_t base;                  /* IA32_APIC_BASE as other threads may read it */

        /* -- Host. -- */
        struct cpu *cpu;
        struct clock *clock;
        struct lock *lock;
        struct memory_region *region;   /* of the APIC that lapic_map() was called for */
};

const struct state_field lapic_state[] = {
        STATE_U32(struct lapic, id),
        STATE_U32(struct lapic, tpr),
        STATE_U32(struct lapic, ldr),
        STATE_U32(struct lapic, dfr),
        STATE_U32(struct lapic, svr),
        STATE_U32(struct lapic, isr),
        STATE_U32(struct lapic, tmr),
        STATE_U32(struct lapic, irr),
        STATE_U32(struct lapic, esr),
        STATE_U32(struct lapic, errors),
        STATE_U32(struct lapic, icr_low),
        STATE_U32(struct lapic, icr_high),
        STATE_U32(struct lapic, lvt),
        STATE_U32(struct lapic, initial),
        STATE_U32(struct lapic, divide),
        STATE_U32(struct lapic, backlog),
        STATE_U32(struct lapic, count),
        STATE_S64(struct lapic, count_start_ns),
        STATE_U64(struct lapic, expired),
        STATE_TIMER(struct lapic, timer),
        STATE_BOOL(struct lapic, lint),
        STATE_BOOL(struct lapic, extint),
        STATE_U8(struct lapic, sipi_page),
        STATE_BOOL(struct lapic, eoi_offered),
        STATE_U64(struct lapic, deadline),
        STATE_U64(struct lapic, tsc_offset),
        STATE_SKIP(struct lapic, base, "IA32_APIC_BASE, which the vCPU saves"),
        STATE_SKIP(struct lapic, cpu, "host pointer"),
        STATE_SKIP(struct lapic, clock, "host pointer"),
        STATE_SKIP(struct lapic, lock, "host pointer"),
        STATE_SKIP(struct lapic, region, "derived from IA32_APIC_BASE"),
        STATE_END
};

const size_t lapic_size = sizeof(struct lapic);

static __thread struct lapic *thread_lapic;

/* -- Helpers ----------------------------------------------------------------------------------- */

static bool globally_enabled(const struct lapic *lapic)
{
        return cpu_has(lapic->cpu, FEATURE_APIC) && (lapic->base & APIC_BASE_ENABLE);
}

static bool x2apic(const struct lapic *lapic) { return lapic->base & APIC_BASE_X2APIC; }

static bool enabled(const struct lapic *lapic)
{
        return globally_enabled(lapic) && (lapic->svr & SVR_ENABLED);
}

static void set_bit(uint32_t *set, uint8_t vector) { set[vector / 32] |= 1u << vector % 32; }
static void clear_bit(uint32_t *set, uint8_t vector) { set[vector / 32] &= ~(1u << vector % 32); }
static bool test_bit(const uint32_t *set, uint8_t vector) { return set[vector / 32] >> vector % 32 & 1; }

static int highest_bit(const uint32_t *set)
{
        for (int i = 7; i >= 0; i--)
                if (set[i])
                        return i * 32 + 31 - __builtin_clz(set[i]);
        return -1;
}

/* Processor priority: the higher class of TPR and of what is in service (SDM 3A 11.8.3.1). */
static uint8_t processor_priority(const struct lapic *lapic)
{
        int serving = highest_bit(lapic->isr);
        unsigned class = serving < 0 ? 0 : (unsigned)serving >> 4;

        return lapic->tpr >> 4 >= class ? (uint8_t)lapic->tpr : (uint8_t)(class << 4);
}

static bool extint_waits(const struct lapic *lapic)
{
        uint32_t lvt = lapic->lvt[LVT_LINT0];

        if (lapic->extint)
                return true;
        if (!lapic->lint[0])
                return false;
        return !enabled(lapic) || (!(lvt & LVT_MASKED) && (lvt >> LVT_MODE_SHIFT & 7) == LAPIC_EXTINT);
}

int lapic_next_vector(const struct lapic *lapic)
{
        if (enabled(lapic)) {
                int vector = highest_bit(lapic->irr);

                if (vector >= 0 && vector >> 4 > processor_priority(lapic) >> 4)
                        return vector;
        }
        return extint_waits(lapic) ? LAPIC_VECTOR_EXTINT : LAPIC_VECTOR_NONE;
}

/* The only place that raises INTR. */
static void lapic_update(struct lapic *lapic)
{
        if (lapic_next_vector(lapic) != LAPIC_VECTOR_NONE || (lapic->eoi_offered && highest_bit(lapic->irr) >= 0))
                cpu_request(lapic->cpu, CPU_REQUEST_INTR);
}

/* An NMI is latched while another is served, and no more than one is (SDM 3A 6.7.1).  So of two that arrive before the
 * vCPU has looked, the second is the latched one and not lost. */
static void raise_nmi(struct cpu *cpu)
{
        uint32_t old = __atomic_load_n(&cpu->request, __ATOMIC_SEQ_CST), set;

        do {
                bool second = (old & CPU_REQUEST_NMI) && !__atomic_load_n(&cpu->nmi_blocked, __ATOMIC_RELAXED);
                set = CPU_REQUEST_NMI | (second ? CPU_REQUEST_NMI_AGAIN : 0);
        } while (!__atomic_compare_exchange_n(&cpu->request, &old, old | set, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
        cpu_request(cpu, 0);            /* it looks */
}

static void deliver_local(struct lapic *lapic, enum lvt entry);

/* Gathers an error; the error entry fires when something new is gathered (SDM 3A 11.5.3). */
static void note_error(struct lapic *lapic, uint32_t error)
{
        if (lapic->errors & error)
                return;
        lapic->errors |= error;
        deliver_local(lapic, LVT_ERROR);
}

static void set_request(struct lapic *lapic, uint8_t vector, bool level)
{
        if (vector < 16) {
                /* The error entry itself may hold an illegal vector: note_error() does not come back here twice. */
                note_error(lapic, ESR_RECEIVE_ILLEGAL);
                return;
        }
        set_bit(lapic->irr, vector);
        if (level)
                set_bit(lapic->tmr, vector);
        else
                clear_bit(lapic->tmr, vector);
        TRACE(IRQ, "lapic %u: vector %02x requested%s", lapic->cpu->index, vector, level ? ", level" : "");
        lapic_update(lapic);
}

/* Fires an entry of the local vector table. */
static void deliver_local(struct lapic *lapic, enum lvt entry)
{
        uint32_t lvt = lapic->lvt[entry];
        unsigned mode = entry == LVT_TIMER || entry == LVT_ERROR ? LAPIC_FIXED : lvt >> LVT_MODE_SHIFT & 7;

        if ((lvt & LVT_MASKED) || !enabled(lapic))
                return;
        switch (mode) {
        case LAPIC_FIXED:
                set_request(lapic, lvt & LVT_VECTOR, (entry == LVT_LINT0 || entry == LVT_LINT1) && (lvt & LVT_LEVEL));
                break;
        case LAPIC_NMI:
                raise_nmi(lapic->cpu);
                break;
        case LAPIC_INIT:
                cpu_request(lapic->cpu, CPU_REQUEST_INIT);
                break;
        default:                        /* ExtINT follows the pin's level, see extint_waits() */
                lapic_update(lapic);
                break;
        }
}

/* -- Timer ------------------------------------------------------------------------------------- */

/* Shift of the divide configuration register: bits 3, 1, 0 count 2, 4 ... 128, 1. */
static unsigned divide_shift(const struct lapic *lapic)
{
        return (((lapic->divide & 8) >> 1 | (lapic->divide & 3)) + 1) & 7;
}

static uint64_t elapsed_ticks(const struct lapic *lapic, int64_t now_ns)
{
        return now_ns <= lapic->count_start_ns ? 0 : (uint64_t)(now_ns - lapic->count_start_ns) >> divide_shift(lapic);
}

static bool periodic(const struct lapic *lapic)
{
        return (lapic->lvt[LVT_TIMER] & LVT_PERIODIC) && lapic->initial;
}

/* How often the count has reached zero since count_start_ns. */
static uint64_t expirations(const struct lapic *lapic, int64_t now_ns)
{
        uint64_t ticks = elapsed_ticks(lapic, now_ns);

        if (!lapic->count || ticks < lapic->count)
                return 0;
        return 1 + (periodic(lapic) ? (ticks - lapic->count) / lapic->initial : 0);
}

static uint32_t current_count(const struct lapic *lapic, int64_t now_ns)
{
        uint64_t ticks = elapsed_ticks(lapic, now_ns);

        if (ticks < lapic->count)
                return lapic->count - (uint32_t)ticks;
        if (!lapic->count || !periodic(lapic))
                return 0;
        return lapic->initial - (uint32_t)((ticks - lapic->count) % lapic->initial);
}

static bool deadline_mode(const struct lapic *lapic) { return lapic->lvt[LVT_TIMER] & LVT_DEADLINE; }

/* The guest's TSC, on any thread. */
static uint64_t guest_tsc(const struct lapic *lapic)
{
        const struct cpu_env *env = &lapic->cpu->env;

        return (env->tsc ? env->tsc(env->opaque) : __builtin_ia32_rdtsc()) + lapic->tsc_offset;
}

static void deadline_arm(struct lapic *lapic)
{
        uint64_t left, hz = lapic->cpu->model->tsc_hz, tsc = guest_tsc(lapic);

        if (!lapic->deadline) {
                timer_cancel(&lapic->timer);
                return;
        }
        left = lapic->deadline > tsc ? lapic->deadline - tsc : 0;
        /* A day at most, and then another: no product overflows. */
        left = MIN(left, hz * 86400);
        timer_set(&lapic->timer, clock_now_ns(lapic->clock) + (int64_t)((unsigned __int128)left * 1000000000 / hz));
}

/* Fires if the deadline has come, and waits for what there is to wait for. */
static void deadline_look(struct lapic *lapic)
{
        if (lapic->deadline && guest_tsc(lapic) >= lapic->deadline) {
                lapic->deadline = 0;
                deliver_local(lapic, LVT_TIMER);
        }
        deadline_arm(lapic);
}

/* Sets the host timer for the next expiration that would interrupt, or none. */
static void timer_arm(struct lapic *lapic)
{
        int64_t now_ns = clock_now_ns(lapic->clock);
        uint64_t ticks;
        int64_t deadline_ns;

        if (deadline_mode(lapic)) {
                deadline_arm(lapic);
                return;
        }
        if (!lapic->count || (lapic->lvt[LVT_TIMER] & LVT_MASKED) || !enabled(lapic) ||
            (lapic->expired && !periodic(lapic))) {
                timer_cancel(&lapic->timer);
                return;
        }
        ticks = lapic->count + lapic->expired * lapic->initial;
        deadline_ns = lapic->count_start_ns + (int64_t)(ticks << divide_shift(lapic));
        if (deadline_ns < now_ns + TIMER_MIN_NS && lapic->expired)
                deadline_ns = now_ns + TIMER_MIN_NS;
        timer_set(&lapic->timer, deadline_ns);
}

/* Starts counting down from `count` now. */
static void timer_start(struct lapic *lapic, uint32_t count)
{
        lapic->count = count;
        lapic->count_start_ns = clock_now_ns(lapic->clock);
        lapic->expired = 0;
        lapic->backlog = 0;
        timer_arm(lapic);
}

static void timer_expired(void *opaque)
{
        struct lapic *lapic = opaque;

        if (deadline_mode(lapic)) {
                deadline_look(lapic);
                return;
        }
        uint64_t total = expirations(lapic, clock_now_ns(lapic->clock));
        uint64_t due = total > lapic->expired ? total - lapic->expired : 0;
        uint8_t vector = lapic->lvt[LVT_TIMER] & LVT_VECTOR;

        lapic->expired = MAX(total, lapic->expired);
        if (due && vector >= 16 && !test_bit(lapic->irr, vector)) {
                due--;
                deliver_local(lapic, LVT_TIMER);
        } else if (due && vector < 16) {
                deliver_local(lapic, LVT_TIMER);
        }
        if (periodic(lapic))
                lapic->backlog = (uint32_t)MIN(lapic->backlog + due, (uint64_t)TIMER_BACKLOG_MAX);
        timer_arm(lapic);
}

/* The timer's entry, divider or the APIC's enable changed: counts on, without firing for the past. */
static void timer_reprogram(struct lapic *lapic)
{
        lapic->expired = MAX(lapic->expired, expirations(lapic, clock_now_ns(lapic->clock)));
        timer_arm(lapic);
}

/* -- Pins and messages ------------------------------------------------------------------------- */

void lapic_set_lint(struct lapic *lapic, unsigned pin, bool level)
{
        bool rises = level && !lapic->lint[pin];

        lapic->lint[pin] = level;
        if (!enabled(lapic)) {
                if (pin == 1 && rises)
                        raise_nmi(lapic->cpu);
                lapic_update(lapic);
                return;
        }
        if (rises)
                deliver_local(lapic, pin ? LVT_LINT1 : LVT_LINT0);
        else
                lapic_update(lapic);
}

bool lapic_deliver(struct lapic *lapic, uint8_t vector, enum lapic_mode mode, bool level)
{
        switch (mode) {
        case LAPIC_FIXED:
        case LAPIC_LOWEST:
                if (!enabled(lapic))
                        return false;
                set_request(lapic, vector, level);
                return true;
        case LAPIC_NMI:
                raise_nmi(lapic->cpu);
                return true;
        case LAPIC_INIT:
                /* A start-up IPI from before it is lost. */
                __atomic_fetch_and(&lapic->cpu->request, ~(uint32_t)CPU_REQUEST_SIPI, __ATOMIC_SEQ_CST);
                cpu_request(lapic->cpu, CPU_REQUEST_INIT);
                return true;
        case LAPIC_SIPI:
                lapic->sipi_page = vector;
                cpu_request(lapic->cpu, CPU_REQUEST_SIPI);
                return true;
        case LAPIC_EXTINT:
                lapic->extint = true;
                lapic_update(lapic);
                return true;
        case LAPIC_SMI:
                break;
        }
        return false;
}

/* A vCPU's number is its x2APIC ID. */
static uint32_t x2apic_ldr(const struct lapic *lapic)
{
        uint32_t id = lapic->cpu->index;

        return id >> 4 << 16 | 1u << (id & 15);
}

/* destination: 32 bits, as x2APIC mode has them. */
static bool matches(const struct lapic *lapic, uint32_t destination, bool logical)
{
        uint8_t mine = lapic->ldr >> 24;

        if (destination == UINT32_MAX)
                return true;
        if (x2apic(lapic)) {
                uint32_t ldr = x2apic_ldr(lapic);

                if (!logical)
                        return lapic->cpu->index == destination;
                return ldr >> 16 == destination >> 16 && (ldr & destination & 0xffff);
        }
        if (destination > 0xff)
                return false;
        if (!logical)
                return lapic->id >> 24 == destination;
        if (lapic->dfr >> 28 == 0xf)            /* flat model: one bit each */
                return mine & destination;
        return mine >> 4 == destination >> 4 && (mine & destination & 15);
}

bool lapic_matches(const struct lapic *lapic, uint8_t destination, bool logical)
{
        return matches(lapic, destination == 0xff ? UINT32_MAX : destination, logical);
}

uint8_t lapic_priority(const struct lapic *lapic)
{
        return processor_priority(lapic);
}

void lapic_route_icr(struct lapic *const *lapics, unsigned count, struct lapic *from, uint64_t icr)
{
        enum lapic_mode mode = (enum lapic_mode)(icr >> ICR_MODE_SHIFT & 7);
        unsigned shorthand = icr >> ICR_SHORTHAND_SHIFT & 3;
        struct lapic *lowest = NULL;
        uint32_t destination = x2apic(from) ? (uint32_t)(icr >> 32) : icr >> 56 == 0xff ? UINT32_MAX : (uint32_t)(icr >> 56);

        /* INIT level de-assert only resets arbitration IDs, which are not modelled. */
        if (mode == LAPIC_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
                return;
        for (unsigned i = 0; i < count; i++) {
                struct lapic *to = lapics[i];
                bool named = shorthand == 0 ? matches(to, destination, icr & ICR_LOGICAL)
                                            : shorthand == 1 ? to == from : shorthand == 2 || to != from;

                if (!named)
                        continue;
                if (mode != LAPIC_LOWEST)
                        lapic_deliver(to, (uint8_t)icr, mode, false);
                else if (enabled(to) && (!lowest || processor_priority(to) < processor_priority(lowest)))
                        lowest = to;
        }
        if (lowest)
                lapic_deliver(lowest, (uint8_t)icr, LAPIC_FIXED, false);
}

static void send_ipi(struct lapic *lapic)
{
        uint64_t icr = (uint64_t)lapic->icr_high << 32 | lapic->icr_low;
        unsigned mode = icr >> ICR_MODE_SHIFT & 7;

        TRACE(IRQ, "lapic %u: icr %016llx", lapic->cpu->index, (unsigned long long)icr);
        if ((mode == LAPIC_FIXED || mode == LAPIC_LOWEST) && (icr & 0xff) < 16) {
                note_error(lapic, ESR_SEND_ILLEGAL);
                return;
        }
        if (lapic->cpu->env.ipi)
                lapic->cpu->env.ipi(lapic->cpu->env.opaque, lapic->cpu, icr);
        else
                lapic_route_icr(&lapic, 1, lapic, icr);
}

void lapic_accept(struct lapic *lapic, uint8_t vector)
{
        clear_bit(lapic->irr, vector);
        set_bit(lapic->isr, vector);
}

void lapic_send_self(struct lapic *lapic, uint8_t vector)
{
        if (vector < 16)
                note_error(lapic, ESR_SEND_ILLEGAL);
        else
                lapic_deliver(lapic, vector, LAPIC_FIXED, false);
}

static void end_of_interrupt(struct lapic *lapic)
{
        int vector = highest_bit(lapic->isr);

        if (vector < 0)
                return;
        clear_bit(lapic->isr, (uint8_t)vector);
        TRACE(IRQ, "lapic %u: end of %02x", lapic->cpu->index, (unsigned)vector);
        if (test_bit(lapic->tmr, (uint8_t)vector)) {
                /* A pin that is still up asks again; another's level is its owner's affair. */
                for (unsigned pin = 0; pin < 2; pin++) {
                        uint32_t lvt = lapic->lvt[LVT_LINT0 + pin];

                        if (lapic->lint[pin] && (lvt & LVT_LEVEL) && (lvt & LVT_VECTOR) == (uint32_t)vector)
                                deliver_local(lapic, (enum lvt)(LVT_LINT0 + pin));
                }
                if (lapic->cpu->env.eoi)
                        lapic->cpu->env.eoi(lapic->cpu->env.opaque, (uint8_t)vector);
        }
        if (lapic->backlog && (lapic->lvt[LVT_TIMER] & LVT_VECTOR) == (uint32_t)vector &&
            !test_bit(lapic->irr, (uint8_t)vector)) {
                lapic->backlog--;
                deliver_local(lapic, LVT_TIMER);
        }
        lapic_update(lapic);
}

/* vCPU's thread. */
static void settle_eoi(struct lapic *lapic)
{
        if (!lapic->eoi_offered)
                return;
        lapic->eoi_offered = false;
        if (!paravirt_eoi_withdraw(lapic->cpu))
                end_of_interrupt(lapic);
}

/* Where the end of `vector`, just accepted, has no consequences that could not wait. */
static void offer_eoi(struct lapic *lapic, uint8_t vector)
{
        if (lapic->cpu->pv.eoi && !test_bit(lapic->tmr, vector) && !lapic->backlog && highest_bit(lapic->irr) < 0)
                lapic->eoi_offered = paravirt_eoi_offer(lapic->cpu);
}

/* -- Register access --------------------------------------------------------------------------- */

uint64_t lapic_read(struct lapic *lapic, uint32_t offset)
{
        if (offset & 15)
                return 0;
        settle_eoi(lapic);
        switch (offset) {
        case REG_ID: return x2apic(lapic) ? lapic->cpu->index : lapic->id;
        case REG_VERSION: return APIC_VERSION;
        case REG_TPR: return lapic->tpr;
        case REG_APR: case REG_PPR: return processor_priority(lapic);
        case REG_EOI: case REG_RRD: return 0;
        case REG_LDR: return x2apic(lapic) ? x2apic_ldr(lapic) : lapic->ldr;
        case REG_DFR: return lapic->dfr;
        case REG_SVR: return lapic->svr;
        case REG_ISR ... REG_ISR + 0x70: return lapic->isr[(offset - REG_ISR) >> 4];
        case REG_TMR ... REG_TMR + 0x70: return lapic->tmr[(offset - REG_TMR) >> 4];
        case REG_IRR ... REG_IRR + 0x70: return lapic->irr[(offset - REG_IRR) >> 4];
        case REG_ESR: return lapic->esr;
        case REG_ICR_LOW: return lapic->icr_low;
        case REG_ICR_HIGH: return lapic->icr_high;
        case REG_LVT ... REG_LVT_LAST: return lapic->lvt[(offset - REG_LVT) >> 4];
        case REG_INITIAL: return lapic->initial;
        case REG_CURRENT: return deadline_mode(lapic) ? 0 : current_count(lapic, clock_now_ns(lapic->clock));
        case REG_DIVIDE: return lapic->divide;
        default:
                note_error(lapic, ESR_ILLEGAL_REGISTER);
                guest_error("lapic", "read of register %03x", offset);
                return 0;
        }
}

static void write_svr(struct lapic *lapic, uint32_t value)
{
        lapic->svr = value & SVR_WRITABLE;
        if (!(lapic->svr & SVR_ENABLED))
                for (unsigned i = 0; i < LVTS; i++)
                        lapic->lvt[i] |= LVT_MASKED;
        timer_reprogram(lapic);
        lapic_update(lapic);
}

uint32_t lapic_lvt_writable(unsigned entry) { return lvt_writable[entry]; }

static uint32_t writable_here(const struct lapic *lapic, enum lvt entry)
{
        bool deadline = entry == LVT_TIMER && cpu_has(lapic->cpu, FEATURE_TSCDEADLINE);

        return lvt_writable[entry] & ~(deadline ? 0u : (uint32_t)LVT_DEADLINE);
}

static void write_lvt(struct lapic *lapic, enum lvt entry, uint32_t value)
{
        int64_t now_ns = clock_now_ns(lapic->clock);

        value &= writable_here(lapic, entry);
        if (!(lapic->svr & SVR_ENABLED))
                value |= LVT_MASKED;
        if (entry == LVT_TIMER && ((lapic->lvt[entry] ^ value) & LVT_DEADLINE)) {
                /* Either mode starts with nothing armed (SDM 3A 11.5.4.1). */
                lapic->lvt[entry] = value;
                lapic->deadline = 0;
                timer_start(lapic, 0);
        } else if (entry == LVT_TIMER && ((lapic->lvt[entry] ^ value) & LVT_PERIODIC)) {
                /* Goes on in the new mode from the present count; a one-shot that has run out stays so. */
                uint32_t count = current_count(lapic, now_ns);

                lapic->lvt[entry] = value;
                timer_start(lapic, count);
        }
        lapic->lvt[entry] = value;
        if (entry == LVT_TIMER)
                timer_reprogram(lapic);
        else if (entry == LVT_LINT0 && lapic->lint[0] && (value & LVT_LEVEL))
                deliver_local(lapic, LVT_LINT0);
        lapic_update(lapic);
}

void lapic_write(struct lapic *lapic, uint32_t offset, uint32_t value)
{
        if (offset & 15)
                return;
        settle_eoi(lapic);
        switch (offset) {
        case REG_ID:
                lapic->id = value & 0xff000000;
                break;
        case REG_TPR:
                lapic->tpr = value & 0xff;
                lapic->cpu->cr8 = lapic->tpr >> 4;
                lapic_update(lapic);
                break;
        case REG_EOI:
                end_of_interrupt(lapic);
                break;
        case REG_LDR:
                lapic->ldr = value & 0xff000000;
                break;
        case REG_DFR:
                lapic->dfr = value | 0x0fffffff;
                break;
        case REG_SVR:
                write_svr(lapic, value);
                break;
        case REG_ESR:
                lapic->esr = lapic->errors;
                lapic->errors = 0;
                break;
        case REG_ICR_LOW:
                lapic->icr_low = value & ICR_WRITABLE;
                send_ipi(lapic);
                break;
        case REG_ICR_HIGH:
                lapic->icr_high = x2apic(lapic) ? value : value & 0xff000000;
                break;
        case REG_LVT ... REG_LVT_LAST:
                write_lvt(lapic, (enum lvt)((offset - REG_LVT) >> 4), value);
                break;
        case REG_INITIAL:
                if (deadline_mode(lapic))
                        break;
                lapic->initial = value;
                timer_start(lapic, value);
                break;
        case REG_DIVIDE:
                if ((value & 0xb) != lapic->divide) {
                        uint32_t count = current_count(lapic, clock_now_ns(lapic->clock));

                        lapic->divide = value & 0xb;
                        if (!deadline_mode(lapic))
                                timer_start(lapic, count);
                }
                break;
        case REG_VERSION: case REG_APR: case REG_PPR: case REG_RRD: case REG_CURRENT:
        case REG_ISR ... REG_ISR + 0x70: case REG_TMR ... REG_TMR + 0x70: case REG_IRR ... REG_IRR + 0x70:
                break;                  /* read-only */
        default:
                note_error(lapic, ESR_ILLEGAL_REGISTER);
                guest_error("lapic", "write of %08x to register %03x", value, offset);
                break;
        }
}

/* Whether this APIC answers in the page; which is there while the first one wants it. */
static bool in_page(const struct lapic *lapic) { return globally_enabled(lapic) && !x2apic(lapic); }

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
        struct lapic *lapic = thread_lapic ? thread_lapic : opaque;

        (void)size;
        return in_page(lapic) ? lapic_read(lapic, (uint32_t)offset) : UINT32_MAX;
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct lapic *lapic = thread_lapic ? thread_lapic : opaque;

        (void)size;
        if (in_page(lapic))
                lapic_write(lapic, (uint32_t)offset, (uint32_t)value);
}

static const struct mmio_ops lapic_mmio = { .read = mmio_read, .write = mmio_write, .min_size = 4, .max_size = 4 };

/* -- The vCPU's side --------------------------------------------------------------------------- */

void lapic_bind_thread(struct lapic *lapic)
{
        thread_lapic = lapic;
}

void lapic_take_init(struct lapic *lapic)
{
        lock_acquire(lapic->lock);
        lapic_reset(lapic, true);
        __atomic_fetch_and(&lapic->cpu->request, ~(uint32_t)(CPU_REQUEST_NMI | CPU_REQUEST_NMI_AGAIN), __ATOMIC_SEQ_CST);
        /* A pin that is up stays so. */
        lapic_update(lapic);
        lock_release(lapic->lock);
}

int lapic_take_sipi(struct lapic *lapic)
{
        uint32_t request;

        lock_acquire(lapic->lock);
        request = __atomic_fetch_and(&lapic->cpu->request, ~(uint32_t)CPU_REQUEST_SIPI, __ATOMIC_SEQ_CST);
        uint8_t page = lapic->sipi_page;
        lock_release(lapic->lock);
        return request & CPU_REQUEST_SIPI ? page : -1;
}

static void place_region(struct lapic *lapic)
{
        if (lapic->region)
                memory_region_set(lapic->region, lapic->base & PAGE_MASK, globally_enabled(lapic));
}

bool lapic_rdmsr(struct lapic *lapic, uint32_t index, uint64_t *value)
{
        bool done;

        lock_acquire(lapic->lock);
        done = x2apic(lapic) && lapic_msr_read(lapic, index, value);
        lock_release(lapic->lock);
        return done;
}

bool lapic_wrmsr(struct lapic *lapic, uint32_t index, uint64_t value)
{
        bool done;

        lock_acquire(lapic->lock);
        done = x2apic(lapic) && lapic_msr_write(lapic, index, value);
        lock_release(lapic->lock);
        return done;
}

void lapic_priority_changed(struct lapic *lapic)
{
        if (lapic->tpr == lapic->cpu->cr8 << 4)
                return;
        lock_acquire(lapic->lock);
        lapic->tpr = (uint32_t)lapic->cpu->cr8 << 4;
        lapic_update(lapic);
        lock_release(lapic->lock);
}

void lapic_settle_eoi(struct lapic *lapic)
{
        lock_acquire(lapic->lock);
        settle_eoi(lapic);
        lock_release(lapic->lock);
}

uint64_t lapic_deadline(struct lapic *lapic)
{
        uint64_t deadline;

        lock_acquire(lapic->lock);
        deadline = lapic->deadline;
        lock_release(lapic->lock);
        return deadline;
}

void lapic_set_deadline(struct lapic *lapic, uint64_t tsc)
{
        lock_acquire(lapic->lock);
        if (deadline_mode(lapic)) {
                lapic->tsc_offset = lapic->cpu->tsc_offset;
                lapic->deadline = tsc;
                deadline_look(lapic);           /* one that is past interrupts after this very instruction */
        }
        lock_release(lapic->lock);
}

void lapic_tsc_changed(struct lapic *lapic)
{
        lock_acquire(lapic->lock);
        lapic->tsc_offset = lapic->cpu->tsc_offset;
        if (deadline_mode(lapic))
                deadline_arm(lapic);
        lock_release(lapic->lock);
}

void lapic_base_changed(struct lapic *lapic)
{
        lock_acquire(lapic->lock);
        if (!x2apic(lapic) && (lapic->cpu->apic_base & APIC_BASE_X2APIC))
                lapic->icr_high = 0;            /* a destination of another format */
        lapic->base = lapic->cpu->apic_base;
        if (!globally_enabled(lapic))
                lapic_reset(lapic, true);
        place_region(lapic);
        lapic_update(lapic);
        lock_release(lapic->lock);
}

int cpu_interrupt_vector(struct cpu *cpu)
{
        struct lapic *lapic = cpu->lapic;
        bool extint;
        int vector;

        if (!lapic) {
                __atomic_fetch_and(&cpu->request, ~(uint32_t)CPU_REQUEST_INTR, __ATOMIC_SEQ_CST);
                return cpu->env.acknowledge(cpu->env.opaque);
        }
        /* Cleared under the lock that every lapic_update() runs under: none is lost between. */
        lock_acquire(lapic->lock);
        __atomic_fetch_and(&cpu->request, ~(uint32_t)CPU_REQUEST_INTR, __ATOMIC_SEQ_CST);
        settle_eoi(lapic);
        vector = lapic_next_vector(lapic);
        if (vector >= 0 && vector != LAPIC_VECTOR_EXTINT) {
                lapic_accept(lapic, (uint8_t)vector);
                offer_eoi(lapic, (uint8_t)vector);
        }
        lock_release(lapic->lock);

        extint = vector == LAPIC_VECTOR_EXTINT;
        if (extint)
                vector = cpu->env.acknowledge(cpu->env.opaque);
        lock_acquire(lapic->lock);
        if (extint)
                lapic->extint = false;
        lapic_update(lapic);
        lock_release(lapic->lock);
        return vector;
}

/* -- Life cycle -------------------------------------------------------------------------------- */

void lapic_reset(struct lapic *lapic, bool init_only)
{
        if (!init_only) {
                lapic->id = lapic->cpu->index << 24;
                lapic->base = lapic->cpu->apic_base;
        }
        lapic->deadline = 0;
        lapic->cpu->cr8 = 0;
        lapic->tpr = lapic->ldr = lapic->esr = lapic->errors = lapic->icr_low = lapic->icr_high = 0;
        lapic->initial = lapic->divide = lapic->backlog = lapic->count = 0;
        lapic->expired = 0;
        lapic->dfr = 0xffffffff;
        lapic->svr = 0xff;
        lapic->extint = lapic->eoi_offered = false;
        memset(lapic->isr, 0, sizeof(lapic->isr));
        memset(lapic->tmr, 0, sizeof(lapic->tmr));
        memset(lapic->irr, 0, sizeof(lapic->irr));
        for (unsigned i = 0; i < LVTS; i++)
                lapic->lvt[i] = LVT_MASKED;
        timer_cancel(&lapic->timer);
        if (!init_only)
                place_region(lapic);
}

struct lapic *lapic_new(struct cpu *cpu, struct clock *clock, struct lock *machine_lock)
{
        struct lapic *lapic = g_new0(struct lapic, 1);

        lapic->cpu = cpu;
        lapic->clock = clock;
        lapic->lock = machine_lock;
        timer_init(&lapic->timer, clock, timer_expired, lapic);
        lapic_reset(lapic, false);
        cpu->lapic = lapic;
        return lapic;
}

void lapic_map(struct lapic *lapic, struct memory *memory)
{
        lapic->region = memory_map_mmio(memory, APIC_DEFAULT_BASE, PAGE_SIZE, &lapic_mmio, lapic, 1000, "local APIC");
        place_region(lapic);
}

bool lapic_post_load(struct lapic *lapic)
{
        if ((lapic->divide & ~0xbu) || (lapic->svr & ~(uint32_t)SVR_WRITABLE) || lapic->backlog > TIMER_BACKLOG_MAX)
                return false;
        for (unsigned i = 0; i < LVTS; i++)
                if (lapic->lvt[i] & ~(lvt_writable[i] | LVT_MASKED))
                        return false;
        lapic->irr[0] &= 0xffff0000;
        lapic->cpu->cr8 = lapic->tpr >> 4;
        lapic->base = lapic->cpu->apic_base;
        lapic->tsc_offset = lapic->cpu->tsc_offset;     /* of this host */
        place_region(lapic);
        timer_arm(lapic);
        lapic_update(lapic);
        return true;
}

void lapic_free(struct lapic *lapic)
{
        if (!lapic)
                return;
        timer_cancel(&lapic->timer);
        lapic->cpu->lapic = NULL;
        g_free(lapic);
}
