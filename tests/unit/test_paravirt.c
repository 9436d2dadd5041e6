/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_paravirt.c - KVM's paravirtual clock and steal time, as a guest reads them.
 */
#include <time.h>
#include "cpu/msr.h"
#include "cpu/paravirt.h"
#include "cpu_fixture.h"

enum { AREA = 0x5000 };

static void use(const char *name)
{
        cpu_init(cpu, 0, cpu_model_find(name), memory);
        memset(memory_ram(memory) + AREA, 0, 128);
}

static uint64_t field(unsigned offset, unsigned bytes)
{
        uint64_t value = 0;

        memcpy(&value, memory_ram(memory) + AREA + offset, bytes);
        return value;
}

/* The time a guest computes for a value of its TSC. */
static uint64_t guest_ns(uint64_t tsc)
{
        uint64_t ticks = tsc - field(8, 8);
        int8_t shift = (int8_t)field(28, 1);

        ticks = shift < 0 ? ticks >> -shift : ticks << shift;
        return (uint64_t)((unsigned __int128)ticks * field(24, 4) >> 32) + field(16, 8);
}

START_TEST(scale)
{
        static const uint64_t rates[] = { 1000000, 33333333, 999999999, 1000000000, 1000000001, 2000000000, 2300000000, 5800000000 };

        for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
                uint32_t multiplier;
                int8_t shift;
                uint64_t ticks = rates[i] * 1000, ns;

                paravirt_scale(rates[i], &multiplier, &shift);
                ticks = shift < 0 ? ticks >> -shift : ticks << shift;
                ns = (uint64_t)((unsigned __int128)ticks * multiplier >> 32);
                /* A thousand seconds, to a microsecond. */
                ck_assert_uint_ge(ns, UINT64_C(1000000000000) - 1000);
                ck_assert_uint_le(ns, UINT64_C(1000000000000) + 1000);
        }
}
END_TEST

START_TEST(clock_structure)
{
        uint64_t before, after, tsc;

        use("host");
        ck_assert(msr_write(cpu, MSR_PV_SYSTEM_TIME, AREA | 1));
        ck_assert_uint_eq(field(0, 4) & 1, 0);
        ck_assert_uint_gt(field(0, 4), 0);
        ck_assert_uint_eq(field(29, 1), 1);                     /* stable */
        tsc = __builtin_ia32_rdtsc();
        before = guest_ns(tsc);
        /* The guest's clock does not follow its TSC when that is set. */
        uint32_t version = (uint32_t)field(0, 4);
        ck_assert(msr_write(cpu, MSR_TSC_ADJUST, UINT64_C(1) << 40));
        after = guest_ns(tsc + (UINT64_C(1) << 40));
        ck_assert_uint_eq(before, after);
        ck_assert_uint_eq(field(0, 4), version + 2);
        uint64_t value;
        ck_assert(msr_read(cpu, MSR_PV_SYSTEM_TIME, &value));
        ck_assert_uint_eq(value, AREA | 1);
        /* Switched off, and off by INIT. */
        ck_assert(msr_write(cpu, MSR_PV_SYSTEM_TIME, 0));
        ck_assert(msr_write(cpu, MSR_TSC_ADJUST, 0));
        ck_assert_uint_eq(field(0, 4), version + 2);
        ck_assert(msr_write(cpu, MSR_PV_SYSTEM_TIME_OLD, AREA | 1));
        cpu_reset(cpu, true);
        ck_assert(msr_read(cpu, MSR_PV_SYSTEM_TIME, &value));
        ck_assert_uint_eq(value, 0);
}
END_TEST

START_TEST(wall_clock)
{
        struct timespec now;
        uint64_t shown_ns, now_ns;

        use("host");
        ck_assert(msr_write(cpu, MSR_PV_SYSTEM_TIME, (AREA + 64) | 1));
        ck_assert(msr_write(cpu, MSR_PV_WALL_CLOCK, AREA));
        shown_ns = field(4, 4) * 1000000000 + field(8, 4);
        memmove(memory_ram(memory) + AREA, memory_ram(memory) + AREA + 64, 32);
        shown_ns += guest_ns(__builtin_ia32_rdtsc());
        clock_gettime(CLOCK_REALTIME, &now);
        now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
        ck_assert_uint_le(shown_ns, now_ns + 1000000000);
        ck_assert_uint_ge(shown_ns + UINT64_C(5000000000), now_ns);
}
END_TEST

START_TEST(steal_time)
{
        use("host");
        ck_assert(!msr_write(cpu, MSR_PV_STEAL_TIME, AREA | 3));
        ck_exception(EXC_GP, 0);
        ck_assert(msr_write(cpu, MSR_PV_STEAL_TIME, AREA | 1));
        uint64_t last = 0;
        for (unsigned i = 0; i < 20; i++) {
                struct timespec nap = { 0, 1500000 };
                nanosleep(&nap, NULL);
                paravirt_steal_update(cpu);
                ck_assert_uint_eq(field(8, 4) & 1, 0);
                ck_assert_uint_ge(field(0, 8), last);
                last = field(0, 8);
        }
        paravirt_thread_leave();
}
END_TEST

/* Addresses where there is no RAM, and the end of it; a structure over the end of a page. */
START_TEST(hostile_addresses)
{
        static const uint64_t places[] = { UINT64_MAX, RAM_BYTES - 1, RAM_BYTES, UINT64_C(1) << 52, 0xfee00001, 0x5ff1 };

        use("host");
        for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
                ck_assert(msr_write(cpu, MSR_PV_SYSTEM_TIME, places[i] | 1));
                ck_assert(msr_write(cpu, MSR_PV_WALL_CLOCK, places[i]));
                ck_assert(msr_write(cpu, MSR_PV_STEAL_TIME, (places[i] & ~UINT64_C(63)) | 1));
        }
        use("pentium3");
        uint64_t value;
        ck_assert(!msr_read(cpu, MSR_PV_SYSTEM_TIME, &value));
        ck_exception(EXC_GP, 0);
        paravirt_thread_leave();
}
END_TEST

static void fill(TCase *cases)
{
        tcase_add_test(cases, scale);
        tcase_add_test(cases, clock_structure);
        tcase_add_test(cases, wall_clock);
        tcase_add_test(cases, steal_time);
        tcase_add_test(cases, hostile_addresses);
}

int main(void)
{
        return fixture_main("paravirt", fill);
}
