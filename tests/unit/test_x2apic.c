/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_x2apic.c - the local APIC as MSRs: entering and leaving the mode, what each register takes, destinations of 32
 * bits; and the timer that goes off at a value of the TSC.
 */
#include <glib.h>
#include "cpu/lapic.h"
#include "cpu/msr.h"
#include "cpu_fixture.h"

enum { ID = 0x802, VERSION = 0x803, TPR = 0x808, APR = 0x809, PPR = 0x80a, EOI = 0x80b, LDR = 0x80d, DFR = 0x80e, SVR = 0x80f,
       ISR = 0x810, IRR = 0x820, ESR = 0x828, ICR = 0x830, ICR_HIGH = 0x831, LVT_TIMER = 0x832, INITIAL = 0x838,
       CURRENT = 0x839, DIVIDE = 0x83e, SELF_IPI = 0x83f };
enum { BASE = (int)0xfee00000, BSP = 0x100, EXTD = 0x400, EN = 0x800 };
enum { LVT_DEADLINE = 1 << 18, LVT_PERIODIC = 1 << 17, LVT_MASKED = 1 << 16 };

/* Stands in for the engine's cpu_request() (ld --wrap): there is no engine behind this vCPU. */
void __wrap_cpu_request(struct cpu *target, uint32_t bits);
void __wrap_cpu_request(struct cpu *target, uint32_t bits) { __atomic_or_fetch(&target->request, bits, __ATOMIC_SEQ_CST); }

static struct clock *clock_;
static struct lapic *lapic;

static int acknowledge(void *opaque)
{
        (void)opaque;
        return -1;
}

static void begin(unsigned index)
{
        cpu_init(cpu, index, cpu_model_find("host"), memory);
        cpu->env.acknowledge = acknowledge;
        cpu->env.ipi = NULL;
        clock_ = clock_new(&fixture_lock);
        clock_start(clock_);
        lock_acquire(&fixture_lock);
        lapic = lapic_new(cpu, clock_, &fixture_lock);
        lock_release(&fixture_lock);
}

static void end(void)
{
        lock_acquire(&fixture_lock);
        lapic_free(lapic);
        lock_release(&fixture_lock);
        clock_free(clock_);
}

static uint64_t base(uint32_t bits) { return (uint32_t)BASE | bits | (cpu->index ? 0 : BSP); }

static bool refused(bool done)
{
        bool gp = !done && cpu->exception.pending && cpu->exception.vector == EXC_GP && cpu->exception.error == 0;

        cpu->exception.pending = false;
        return gp;
}

static void wr(uint32_t index, uint64_t value) { ck_assert(msr_write(cpu, index, value)); }
static bool wr_refused(uint32_t index, uint64_t value) { return refused(msr_write(cpu, index, value)); }

static uint64_t rd(uint32_t index)
{
        uint64_t value = 0;

        ck_assert(msr_read(cpu, index, &value));
        return value;
}

static bool rd_refused(uint32_t index)
{
        uint64_t value;

        return refused(msr_read(cpu, index, &value));
}

static void begin_x2apic(unsigned index)
{
        begin(index);
        wr(MSR_APIC_BASE, base(EN | EXTD));
        wr(SVR, 0x1ff);
}

START_TEST(modes)
{
        uint32_t out[4];

        begin(0);
        cpuid_query(cpu, 1, 0, out);
        ck_assert(out[2] & 1 << 21);
        ck_assert(rd_refused(ID));                              /* not in xAPIC mode */
        ck_assert(wr_refused(MSR_APIC_BASE, base(EXTD)));
        wr(MSR_APIC_BASE, base(EN | EXTD));
        ck_assert_uint_eq(rd(VERSION), 0x00050014);
        ck_assert(wr_refused(MSR_APIC_BASE, base(EN)));         /* not back */
        wr(MSR_APIC_BASE, base(0));
        ck_assert(rd_refused(ID));
        ck_assert(wr_refused(MSR_APIC_BASE, base(EN | EXTD)));  /* not directly */
        wr(MSR_APIC_BASE, base(EN));
        wr(MSR_APIC_BASE, base(EN | EXTD));
        ck_assert_uint_eq(rd(SVR), 0xff);
        end();
}
END_TEST

START_TEST(page_is_gone)
{
        begin(0);
        lock_acquire(&fixture_lock);
        lapic_map(lapic, memory);
        lock_release(&fixture_lock);
        ck_assert_uint_eq(memory_mmio_read(memory, 0xfee00030, 4), 0x00050014);
        wr(MSR_APIC_BASE, base(EN | EXTD));
        ck_assert_uint_eq(memory_mmio_read(memory, 0xfee00030, 4), 0xffffffff);
        memory_mmio_write(memory, 0xfee00080, 0x20, 4);
        ck_assert_uint_eq(rd(TPR), 0);
        end();
}
END_TEST

START_TEST(registers)
{
        static const uint32_t absent[] = { 0x800, APR, 0x80c, DFR, 0x829, 0x82f, ICR_HIGH, 0x83a, 0x840, 0x8ff };
        static const uint32_t read_only[] = { ID, VERSION, PPR, LDR, ISR, 0x81f, IRR, 0x827, CURRENT };

        begin_x2apic(18);
        ck_assert_uint_eq(rd(ID), 18);
        ck_assert_uint_eq(rd(LDR), 1 << 16 | 1 << 2);
        for (unsigned i = 0; i < G_N_ELEMENTS(absent); i++)
                ck_assert(rd_refused(absent[i]) && wr_refused(absent[i], 0));
        for (unsigned i = 0; i < G_N_ELEMENTS(read_only); i++)
                ck_assert(wr_refused(read_only[i], 0));
        ck_assert(rd_refused(EOI) && rd_refused(SELF_IPI));
        ck_assert(wr_refused(EOI, 1) && wr_refused(ESR, 1) && wr_refused(TPR, 0x100) && wr_refused(SVR, 0x400));
        ck_assert(wr_refused(LVT_TIMER, 3u << 18 | 1 << 20) && wr_refused(LVT_TIMER, UINT64_C(1) << 32));
        ck_assert(wr_refused(ICR, 1 << 12) && wr_refused(ICR, 1 << 20) && wr_refused(DIVIDE, 4));
        ck_assert(wr_refused(INITIAL, UINT64_C(1) << 32) && wr_refused(SELF_IPI, 0x100));
        wr(TPR, 0x30);
        ck_assert_uint_eq(rd(TPR), 0x30);
        ck_assert_uint_eq(rd(PPR), 0x30);
        end();
}
END_TEST

START_TEST(interrupts)
{
        begin_x2apic(0);
        wr(SELF_IPI, 0x45);
        ck_assert_uint_eq(rd(IRR + 2), 1 << 5);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x45);
        ck_assert_uint_eq(rd(ISR + 2), 1 << 5);
        wr(EOI, 0);
        ck_assert_uint_eq(rd(ISR + 2), 0);
        wr(SELF_IPI, 5);
        wr(ESR, 0);
        ck_assert_uint_eq(rd(ESR), 1 << 5);

        wr(ICR, 0x46);                                          /* physical 0 */
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x46);
        wr(EOI, 0);
        wr(ICR, UINT64_C(0x00000003) << 32 | 0x847);            /* logical: cluster 0, members 0 and 1 */
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x47);
        wr(EOI, 0);
        wr(ICR, UINT64_C(0x00010001) << 32 | 0x848);            /* cluster 1 */
        wr(ICR, UINT64_C(0xff) << 32 | 0x49);                   /* no broadcast: FFh is an ID here */
        ck_assert_int_eq(cpu_interrupt_vector(cpu), -1);
        wr(ICR, UINT64_C(0xffffffff) << 32 | 0x4a);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x4a);
        ck_assert_uint_eq(rd(ICR), UINT64_C(0xffffffff) << 32 | 0x4a);
        end();
}
END_TEST

static void messages_of(unsigned index, uint8_t destination, bool logical, bool matches)
{
        begin_x2apic(index);
        lock_acquire(&fixture_lock);
        ck_assert(lapic_matches(lapic, destination, logical) == matches);
        lock_release(&fixture_lock);
        end();
}

START_TEST(messages)
{
        messages_of(3, 3, false, true);
        messages_of(3, 4, false, false);
        messages_of(3, 0xff, false, true);
        messages_of(3, 8, true, true);
        messages_of(3, 4, true, false);
        messages_of(19, 8, true, false);                        /* cluster 1 is out of reach of 8 bits */
}
END_TEST

START_TEST(init_keeps_the_mode)
{
        begin_x2apic(1);
        wr(TPR, 0x40);
        lapic_take_init(lapic);
        ck_assert_uint_eq(rd(TPR), 0);
        ck_assert_uint_eq(rd(ID), 1);
        end();
}
END_TEST

/* Lets the clock's timers run until the vector is requested; false after ten seconds. */
static bool comes(uint8_t vector)
{
        int64_t end_us = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

        while (!(rd(IRR + vector / 32u) >> vector % 32 & 1)) {
                if (g_get_monotonic_time() > end_us)
                        return false;
                g_main_context_iteration(NULL, FALSE);
        }
        return true;
}

START_TEST(deadline)
{
        uint64_t tsc;

        begin_x2apic(0);
        wr(MSR_TSC_DEADLINE, 1);                                /* ignored in the other modes */
        ck_assert_uint_eq(rd(MSR_TSC_DEADLINE), 0);
        wr(LVT_TIMER, LVT_DEADLINE | 0x52);
        tsc = rd(MSR_TSC) + cpu->model->tsc_hz / 50;
        wr(MSR_TSC_DEADLINE, tsc);
        ck_assert_uint_eq(rd(CURRENT), 0);
        ck_assert(comes(0x52));
        ck_assert_uint_ge(rd(MSR_TSC), tsc);
        ck_assert_uint_eq(rd(MSR_TSC_DEADLINE), 0);
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x52);
        wr(EOI, 0);

        wr(MSR_TSC_DEADLINE, 1);                                /* long past */
        ck_assert(comes(0x52));
        ck_assert_int_eq(cpu_interrupt_vector(cpu), 0x52);
        wr(EOI, 0);

        /* Zero disarms; so does another mode; an initial count is ignored. */
        wr(MSR_TSC_DEADLINE, UINT64_MAX);
        ck_assert_uint_eq(rd(MSR_TSC_DEADLINE), UINT64_MAX);
        wr(MSR_TSC_DEADLINE, 0);
        wr(INITIAL, 1000);
        ck_assert_uint_eq(rd(INITIAL), 0);
        wr(MSR_TSC_DEADLINE, UINT64_MAX);
        wr(LVT_TIMER, LVT_PERIODIC | LVT_MASKED | 0x52);
        ck_assert_uint_eq(rd(MSR_TSC_DEADLINE), 0);

        /* The deadline is one of the guest's TSC. */
        wr(LVT_TIMER, LVT_DEADLINE | 0x53);
        wr(MSR_TSC, 1000);
        wr(MSR_TSC_DEADLINE, cpu->model->tsc_hz * 3600);
        wr(MSR_TSC, cpu->model->tsc_hz * 3600);
        ck_assert(comes(0x53));
        end();
}
END_TEST

static void fill(TCase *cases)
{
        tcase_set_timeout(cases, 60);
        tcase_add_test(cases, modes);
        tcase_add_test(cases, page_is_gone);
        tcase_add_test(cases, registers);
        tcase_add_test(cases, interrupts);
        tcase_add_test(cases, messages);
        tcase_add_test(cases, init_keeps_the_mode);
        tcase_add_test(cases, deadline);
}

int main(void)
{
        return fixture_main("x2apic", fill);
}
