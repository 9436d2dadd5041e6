/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_lapic.c - priorities, both ways an interrupt takes, messages, errors and the timer of the local APIC.
 */
#include <glib.h>
#include "base/state.h"
#include "cpu/lapic.h"
#include "cpu/msr.h"
#include "cpu/paravirt.h"
#include "cpu_fixture.h"

enum { ID = 0x20, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100, TMR = 0x180,
       IRR = 0x200, ESR = 0x280, ICR = 0x300, LVT_TIMER = 0x320, LVT_LINT0 = 0x350, LVT_LINT1 = 0x360, LVT_ERROR = 0x370,
       INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0, MASKED = 1 << 16, PERIODIC = 1 << 17 };

/* Stands in for the engine's cpu_request() (ld --wrap): there is no engine behind this vCPU. */
void __wrap_cpu_request(struct cpu *target, uint32_t bits);
void __wrap_cpu_request(struct cpu *target, uint32_t bits)
{
        __atomic_or_fetch(&target->request, bits, __ATOMIC_SEQ_CST);
}

static struct clock *clock_;
static struct lapic *lapic;
static int pic_vector;
static unsigned eois, ipis;
static uint8_t last_eoi;
static uint64_t last_icr;

static int acknowledge(void *opaque)
{
        int vector = pic_vector;

        (void)opaque;
        pic_vector = -1;
        return vector;
}

static void eoi(void *opaque, uint8_t vector)
{
        (void)opaque;
        ck_assert(lock_is_held(&fixture_lock));
        eois++;
        last_eoi = vector;
}

static void ipi(void *opaque, struct cpu *from, uint64_t icr)
{
        (void)opaque;
        ck_assert_ptr_eq(from, cpu);
        ipis++;
        last_icr = icr;
}

static void begin_model(const char *model)
{
        cpu_init(cpu, 0, cpu_model_find(model), memory);
        cpu->env.acknowledge = acknowledge;
        cpu->env.eoi = eoi;
        cpu->env.ipi = ipi;
        eois = ipis = 0;
        pic_vector = -1;
        clock_ = clock_new(&fixture_lock);
        clock_start(clock_);
        lock_acquire(&fixture_lock);
        lapic = lapic_new(cpu, clock_, &fixture_lock);
        lock_release(&fixture_lock);
}

static void begin(void)
{
        begin_model("host");
        lock_acquire(&fixture_lock);
        lapic_write(lapic, SVR, 0x1ff);
        lock_release(&fixture_lock);
}

static void end(void)
{
        lock_acquire(&fixture_lock);
        lapic_free(lapic);
        lock_release(&fixture_lock);
        ck_assert_ptr_null(cpu->lapic);
        clock_free(clock_);
}

static void wr(uint32_t offset, uint32_t value)
{
        lock_acquire(&fixture_lock);
        lapic_write(lapic, offset, value);
        lock_release(&fixture_lock);
}

static uint32_t rd(uint32_t offset)
{
        uint32_t value;

        lock_acquire(&fixture_lock);
        value = (uint32_t)lapic_read(lapic, offset);
        lock_release(&fixture_lock);
        return value;
}

static void deliver(uint8_t vector, bool level)
{
        lock_acquire(&fixture_lock);
        lapic_deliver(lapic, vector, LAPIC_FIXED, level);
        lock_release(&fixture_lock);
}

static void lint(unsigned pin, bool level)
{
        lock_acquire(&fixture_lock);
        lapic_set_lint(lapic, pin, level);
        lock_release(&fixture_lock);
}

static bool requested(uint32_t bit)
{
        return cpu->request & bit;
}

START_TEST(reset_values)
{
        begin_model("host");
        ck_assert_uint_eq(rd(SVR), 0xff);
        ck_assert_uint_eq(rd(0x30), 0x00050014);
        ck_assert_uint_eq(rd(DFR), 0xffffffff);
        for (uint32_t i = LVT_TIMER; i <= LVT_ERROR; i += 0x10)
                ck_assert_uint_eq(rd(i), MASKED);
        wr(LVT_LINT0, 0x700);                           /* software-disabled: the mask sticks */
        ck_assert_uint_eq(rd(LVT_LINT0), MASKED | 0x700);
        deliver(0x30, false);
        ck_assert_uint_eq(rd(IRR + 0x10), 0);
        end();
}
END_TEST

START_TEST(priorities_nest)
{
        begin();
        deliver(0x31, false);
        ck_assert(requested(CPU_REQUEST_INTR));
        deliver(0x52, false);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x52);
        ck_assert_uint_eq(rd(PPR), 0x50);
        ck_assert(!requested(CPU_REQUEST_INTR));        /* 31h must wait */
        ck_assert_int_eq(cpu_interrupt_vector(cpu), -1);
        deliver(0x5f, false);                           /* the same class waits too */
        ck_assert(!requested(CPU_REQUEST_INTR));
        deliver(0x60, false);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x60);
        wr(EOI, 0);
        wr(EOI, 0);
        ck_assert(requested(CPU_REQUEST_INTR));
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x5f);
        wr(EOI, 0);
        wr(TPR, 0x30);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), -1);
        wr(TPR, 0x2f);
        ck_assert(requested(CPU_REQUEST_INTR));
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x31);
        wr(EOI, 0);
        ck_assert_uint_eq(eois, 0);
        end();
}
END_TEST

/* CR8 and TPR are one register (SDM 3A 11.8.6). */
START_TEST(cr8_is_the_task_priority)
{
        begin();
        cpu->cr8 = 3;
        lapic_priority_changed(lapic);
        ck_assert_uint_eq(rd(TPR), 0x30);
        deliver(0x31, false);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), -1);
        ck_assert(!requested(CPU_REQUEST_INTR));
        cpu->cr8 = 2;
        lapic_priority_changed(lapic);
        ck_assert(requested(CPU_REQUEST_INTR));
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x31);
        wr(TPR, 0x5a);
        ck_assert_uint_eq(cpu->cr8, 5);
        end();
}
END_TEST

/* KVM's way to end an interrupt: the guest clears a bit that it finds set. */
START_TEST(end_of_interrupt_in_memory)
{
        enum { FLAG_AT = 0x5000 };
        uint8_t *flag = memory_ram(memory) + FLAG_AT;

        begin();
        *flag = 0;
        ck_assert(!msr_write(cpu, MSR_PV_EOI, FLAG_AT | 3));
        ck_exception(EXC_GP, 0);
        ck_assert(msr_write(cpu, MSR_PV_EOI, FLAG_AT | 1));
        deliver(0x41, false);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x41);
        ck_assert_uint_eq(*flag, 1);
        *flag = 0;                                      /* the guest has ended it */
        deliver(0x41, false);
        ck_assert(requested(CPU_REQUEST_INTR));
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x41);
        /* The offer is taken back when another one waits, or the guest looks at the APIC. */
        deliver(0x35, false);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), -1);
        ck_assert_uint_eq(*flag, 0);
        wr(EOI, 0);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x35);
        ck_assert_uint_eq(*flag, 1);
        ck_assert_uint_eq(rd(ISR + 0x10), 1u << (0x35 - 0x20));
        ck_assert_uint_eq(*flag, 0);
        wr(EOI, 0);
        ck_assert_uint_eq(rd(ISR + 0x10), 0);
        /* Level-triggered ones have to tell their end. */
        deliver(0x41, true);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x41);
        ck_assert_uint_eq(*flag, 0);
        wr(EOI, 0);
        ck_assert_uint_eq(eois, 1);
        /* Nothing is written where there is no RAM. */
        ck_assert(msr_write(cpu, MSR_PV_EOI, UINT64_C(0xfffffffffc) | 1));
        deliver(0x42, false);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x42);
        wr(EOI, 0);
        end();
}
END_TEST

/* Two NMIs before the vCPU has looked are two; while one is served, one more is latched. */
START_TEST(nmis_are_latched)
{
        begin();
        lint(1, true);
        lint(1, false);
        wr(LVT_LINT1, 0x400);
        cpu_take_nmi(cpu);
        ck_assert(!requested(CPU_REQUEST_NMI));
        for (unsigned i = 0; i < 3; i++) {
                lint(1, true);
                lint(1, false);
        }
        cpu_take_nmi(cpu);
        ck_assert(requested(CPU_REQUEST_NMI));
        cpu->nmi_blocked = true;
        lint(1, true);
        lint(1, false);
        cpu_take_nmi(cpu);
        ck_assert(!requested(CPU_REQUEST_NMI | CPU_REQUEST_NMI_AGAIN));
        cpu->nmi_blocked = false;
        end();
}
END_TEST

START_TEST(level_vectors_tell_their_end)
{
        begin();
        deliver(0x41, true);
        ck_assert_uint_eq(rd(TMR + 0x20), 2);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x41);
        ck_assert_uint_eq(rd(ISR + 0x20), 2);
        ck_assert_uint_eq(rd(IRR + 0x20), 0);
        wr(EOI, 0);
        ck_assert_uint_eq(eois, 1);
        ck_assert_uint_eq(last_eoi, 0x41);
        end();
}
END_TEST

START_TEST(pic_through_lint0)
{
        begin();
        pic_vector = 8;
        lint(0, true);
        ck_assert(!requested(CPU_REQUEST_INTR));        /* masked */
        wr(LVT_LINT0, 0x700);
        ck_assert(requested(CPU_REQUEST_INTR));
        deliver(0x90, false);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x90);
        ck_assert(requested(CPU_REQUEST_INTR));         /* ExtINT looks at no priority */
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 8);
        lint(0, false);
        cpu_interrupt_vector(cpu);
        ck_assert(!requested(CPU_REQUEST_INTR));
        end();
}
END_TEST

START_TEST(disabled_apic_is_a_wire)
{
        for (unsigned way = 0; way < 3; way++) {
                begin_model(way == 2 ? "486" : "host");
                if (way == 1) {
                        wr(SVR, 0x1ff);
                        ck_assert(msr_write(cpu, MSR_APIC_BASE, 0xfee00100));
                }
                pic_vector = 0x70;
                lint(0, true);
                ck_assert(requested(CPU_REQUEST_INTR));
                ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x70);
                lint(0, false);
                lint(1, true);
                ck_assert(requested(CPU_REQUEST_NMI));
                end();
        }
}
END_TEST

START_TEST(lint1_is_nmi)
{
        begin();
        wr(LVT_LINT1, 0x400);
        lint(1, true);
        ck_assert(requested(CPU_REQUEST_NMI));
        end();
}
END_TEST

START_TEST(messages_and_destinations)
{
        begin();
        wr(ICR + 0x10, 0x03000000);
        wr(ICR, 0x000c4500);                            /* INIT to all but self */
        ck_assert_uint_eq(ipis, 1);
        ck_assert_uint_eq(last_icr, UINT64_C(0x03000000000c4500));
        wr(ICR, 0x0000000f);                            /* illegal vector */
        ck_assert_uint_eq(ipis, 1);
        wr(ESR, 0);
        ck_assert_uint_eq(rd(ESR), 1 << 5);
        wr(ESR, 0);
        ck_assert_uint_eq(rd(ESR), 0);

        wr(ID, 0x05000000);
        ck_assert(lapic_matches(lapic, 5, false));
        ck_assert(!lapic_matches(lapic, 4, false));
        ck_assert(lapic_matches(lapic, 0xff, false));
        wr(LDR, 0x06000000);
        ck_assert(lapic_matches(lapic, 4, true));
        ck_assert(!lapic_matches(lapic, 1, true));
        wr(DFR, 0x0fffffff);                            /* clusters */
        wr(LDR, 0x21000000);
        ck_assert(lapic_matches(lapic, 0x23, true));
        ck_assert(!lapic_matches(lapic, 0x22, true));
        ck_assert(!lapic_matches(lapic, 0x11, true));

        lock_acquire(&fixture_lock);
        lapic_route_icr(&lapic, 1, lapic, 0x40045);     /* self, fixed */
        lapic_route_icr(&lapic, 1, lapic, 0xc0046);     /* all but self */
        lapic_route_icr(&lapic, 1, lapic, UINT64_C(0x0500000000000699)); /* SIPI, page 99h */
        lock_release(&fixture_lock);
        ck_assert(requested(CPU_REQUEST_SIPI));
        ck_assert_int_eq(lapic_take_sipi(lapic), 0x99);
        ck_assert(!requested(CPU_REQUEST_SIPI));
        ck_assert_int_eq(lapic_take_sipi(lapic), -1);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x45);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), -1);
        end();
}
END_TEST

START_TEST(errors_interrupt_once)
{
        begin();
        wr(LVT_ERROR, 0xfe);
        deliver(5, false);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0xfe);
        wr(EOI, 0);
        deliver(6, false);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), -1);
        wr(ESR, 0);
        ck_assert_uint_eq(rd(ESR), 1 << 6);
        wr(0x3f0, 1);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0xfe);
        end();
}
END_TEST

/* Until `done` or two seconds; the machine may be busy. */
static bool wait_for_request(void)
{
        gint64 until = g_get_monotonic_time() + 2 * G_USEC_PER_SEC;

        while (!requested(CPU_REQUEST_INTR) && g_get_monotonic_time() < until)
                if (!g_main_context_iteration(NULL, FALSE))
                        g_usleep(200);
        return requested(CPU_REQUEST_INTR);
}

START_TEST(timer_one_shot)
{
        begin();
        wr(DIVIDE, 0xb);                                /* by 1 */
        wr(LVT_TIMER, 0x40);
        wr(INITIAL, 3000000);
        ck_assert_uint_le(rd(CURRENT), 3000000);
        ck_assert(wait_for_request());
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x40);
        ck_assert_uint_eq(rd(CURRENT), 0);
        wr(EOI, 0);
        for (unsigned i = 0; i < 30; i++) {
                g_main_context_iteration(NULL, FALSE);
                g_usleep(200);
        }
        ck_assert(!requested(CPU_REQUEST_INTR));
        end();
}
END_TEST

START_TEST(timer_counts_while_masked)
{
        uint32_t first;

        begin();
        wr(DIVIDE, 0xa);                                /* by 128 */
        wr(INITIAL, 0xffffffff);
        first = rd(CURRENT);
        g_usleep(2000);
        ck_assert_uint_lt(rd(CURRENT), first);
        ck_assert_uint_ge(first - rd(CURRENT), 2000000 / 128);
        wr(INITIAL, 0);
        ck_assert_uint_eq(rd(CURRENT), 0);
        end();
}
END_TEST

/* Periods that pass while the guest does not look are late, not lost. */
START_TEST(timer_periods_are_not_lost)
{
        unsigned taken = 0;
        int64_t start_ns, elapsed_ns;

        begin();
        wr(DIVIDE, 0xb);
        wr(LVT_TIMER, 0x40 | PERIODIC);
        start_ns = clock_now_ns(clock_);
        wr(INITIAL, 1000000);
        g_usleep(20000);
        while (taken < 30) {
                ck_assert(wait_for_request());
                if (cpu_interrupt_vector(cpu) == 0x40) {
                        taken++;
                        wr(EOI, 0);
                }
        }
        elapsed_ns = clock_now_ns(clock_) - start_ns;
        ck_assert_int_ge(elapsed_ns, 29 * 1000000);
        wr(LVT_TIMER, 0x40 | PERIODIC | MASKED);
        ck_assert_uint_le(rd(CURRENT), 1000000);
        end();
}
END_TEST

START_TEST(state_table)
{
        GByteArray *bytes = g_byte_array_new();
        GError *error = NULL;

        ck_assert_ptr_null(state_coverage(lapic_state, 0, lapic_size));
        begin();
        wr(TPR, 0x20);
        deliver(0x77, true);
        lock_acquire(&fixture_lock);
        state_save(lapic_state, lapic, bytes);
        lapic_reset(lapic, false);
        ck_assert(state_load(lapic_state, lapic, bytes->data, bytes->len, &error));
        ck_assert(lapic_post_load(lapic));
        lock_release(&fixture_lock);
        ck_assert_uint_eq(rd(TPR), 0x20);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x77);
        wr(EOI, 0);
        ck_assert_uint_eq(last_eoi, 0x77);
        end();
        g_byte_array_free(bytes, TRUE);
}
END_TEST

START_TEST(registers_are_mapped)
{
        begin_model("host");
        lock_acquire(&fixture_lock);
        lapic_map(lapic, memory);
        lock_release(&fixture_lock);
        memory_mmio_write(memory, 0xfee000f0, 0x1ff, 4);
        ck_assert_uint_eq(memory_mmio_read(memory, 0xfee000f0, 4), 0x1ff);
        ck_assert(msr_write(cpu, MSR_APIC_BASE, 0xfed00900));
        ck_assert_uint_eq(memory_mmio_read(memory, 0xfed000f0, 4), 0x1ff);
        ck_assert_uint_eq(memory_mmio_read(memory, 0xfee000f0, 4), 0xffffffff);
        ck_assert(msr_write(cpu, MSR_APIC_BASE, 0xfee00100));
        ck_assert_uint_eq(memory_mmio_read(memory, 0xfee000f0, 4), 0xffffffff);
        ck_assert(msr_write(cpu, MSR_APIC_BASE, 0xfee00900));
        ck_assert_uint_eq(memory_mmio_read(memory, 0xfee000f0, 4), 0xff);
        end();
}
END_TEST

static void fill(TCase *cases)
{
        tcase_set_timeout(cases, 60);
        tcase_add_test(cases, reset_values);
        tcase_add_test(cases, priorities_nest);
        tcase_add_test(cases, cr8_is_the_task_priority);
        tcase_add_test(cases, end_of_interrupt_in_memory);
        tcase_add_test(cases, nmis_are_latched);
        tcase_add_test(cases, level_vectors_tell_their_end);
        tcase_add_test(cases, pic_through_lint0);
        tcase_add_test(cases, disabled_apic_is_a_wire);
        tcase_add_test(cases, lint1_is_nmi);
        tcase_add_test(cases, messages_and_destinations);
        tcase_add_test(cases, errors_interrupt_once);
        tcase_add_test(cases, timer_one_shot);
        tcase_add_test(cases, timer_counts_while_masked);
        tcase_add_test(cases, timer_periods_are_not_lost);
        tcase_add_test(cases, state_table);
        tcase_add_test(cases, registers_are_mapped);
}

int main(void)
{
        return fixture_main("lapic", fill);
}
