/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paravirt.c - KVM's paravirtual clock, steal time and end of interrupt.
 *
 * The clock: a guest gives the address of a structure and computes the time from its TSC and the scale found there.  All
 * vCPUs' counters are the same but for what each guest itself has added (tsc_adjust), and their clocks start where that sum
 * would be zero without it: so they agree to the tick, and say so (the "stable" flag).  A pause or a restored snapshot
 * stops counter and clock alike.
 *
 * Steal time: how long the vCPU could have run and was not let, which the host's kernel counts for each thread.  A guest
 * takes it off what its processes are said to have consumed.
 *
 * End of interrupt: a guest that finds a bit of its memory set ends an interrupt by clearing it, which costs nothing; the
 * local APIC looks at the bit when it has to know (lapic.c).
 *
 * Structures are written as if by the vCPU itself, piece by piece between two changes of their version number, which is
 * odd meanwhile.  An address where there is no RAM is written to in vain.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "cpu/cpuid.h"
#include "cpu/lapic.h"
#include "cpu/paravirt.h"

enum { ENABLED = 1, STEAL_RESERVED = 0x3e, EOI_RESERVED = 2 };
/* struct pvclock_vcpu_time_info */
enum { TIME_VERSION = 0, TIME_TSC = 8, TIME_SYSTEM = 16, TIME_SCALE = 24, TIME_FLAGS_SHIFT = 40, TIME_STABLE = 1 };
/* struct pvclock_wall_clock */
enum { WALL_VERSION = 0, WALL_SECONDS = 4, WALL_NANOSECONDS = 8 };
/* struct kvm_steal_time */
enum { STEAL_TIME = 0, STEAL_VERSION = 8 };

static void store(struct cpu *cpu, gpa_t gpa, uint64_t value, unsigned size)
{
        if (memory_page(cpu->memory, gpa).kind == PAGE_RAM && memory_page(cpu->memory, gpa + size - 1).kind == PAGE_RAM)
                memory_mmio_write(cpu->memory, gpa, value, size);
}

/* -- Clock ------------------------------------------------------------------------------------- */

void paravirt_scale(uint64_t tsc_hz, uint32_t *multiplier, int8_t *shift)
{
        const uint64_t second_ns = 1000000000;

        /* Between 1 and 2 GHz the multiplier has all its bits. */
        *shift = 0;
        for (; tsc_hz > 2 * second_ns; tsc_hz /= 2)
                --*shift;
        for (; tsc_hz <= second_ns; tsc_hz *= 2)
                ++*shift;
        *multiplier = (uint32_t)((second_ns << 32) / tsc_hz);
}

static uint64_t ticks_to_ns(uint64_t ticks, uint64_t tsc_hz)
{
        uint32_t multiplier;
        int8_t shift;

        paravirt_scale(tsc_hz, &multiplier, &shift);
        ticks = shift < 0 ? ticks >> -shift : ticks << shift;
        return (uint64_t)((unsigned __int128)ticks * multiplier >> 32);
}

void paravirt_clock_update(struct cpu *cpu)
{
        gpa_t gpa = cpu->pv.system_time & ~(uint64_t)ENABLED;
        uint32_t multiplier;
        int8_t shift;

        if (!(cpu->pv.system_time & ENABLED))
                return;
        paravirt_scale(cpu->model->tsc_hz, &multiplier, &shift);
        cpu->pv.clock_version += 2;
        store(cpu, gpa + TIME_VERSION, cpu->pv.clock_version - 1, 4);
        store(cpu, gpa + TIME_TSC, cpu->tsc_adjust, 8);         /* the guest's TSC when system time was zero */
        store(cpu, gpa + TIME_SYSTEM, 0, 8);
        store(cpu, gpa + TIME_SCALE, multiplier | (uint64_t)(uint8_t)shift << 32 | UINT64_C(1) * TIME_STABLE << TIME_FLAGS_SHIFT, 8);
        store(cpu, gpa + TIME_VERSION, cpu->pv.clock_version, 4);
}

/* What the wall clock showed when the system time was zero. */
static void write_wall_clock(struct cpu *cpu, gpa_t gpa)
{
        struct timespec now;
        uint64_t ticks = cpu_tsc(cpu) - cpu->tsc_adjust, then_ns;

        clock_gettime(CLOCK_REALTIME, &now);
        then_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - ticks_to_ns(ticks, cpu->model->tsc_hz);
        cpu->pv.wall_version += 2;
        store(cpu, gpa + WALL_VERSION, cpu->pv.wall_version - 1, 4);
        store(cpu, gpa + WALL_SECONDS, then_ns / 1000000000, 4);
        store(cpu, gpa + WALL_NANOSECONDS, then_ns % 1000000000, 4);
        store(cpu, gpa + WALL_VERSION, cpu->pv.wall_version, 4);
}

/* -- Steal time -------------------------------------------------------------------------------- */

static __thread int schedstat = -1;

/* Nanoseconds this thread has waited for a CPU since it began; 0 where the kernel does not tell. */
static uint64_t waited_ns(void)
{
        char text[96], *end;
        ssize_t n;

        if (schedstat == -1) {
                schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
                if (schedstat < 0)
                        schedstat = -2;
        }
        if (schedstat < 0 || (n = pread(schedstat, text, sizeof text - 1, 0)) <= 0)
                return 0;
        text[n] = 0;
        strtoull(text, &end, 10);               /* time on a CPU; then the time waited for one */
        return strtoull(end, NULL, 10);
}

void paravirt_thread_leave(void)
{
        if (schedstat >= 0)
                close(schedstat);
        schedstat = -1;
}

void paravirt_steal_update(struct cpu *cpu)
{
        uint64_t tsc, waited;
        gpa_t gpa;

        if (!(cpu->pv.steal_time & ENABLED))
                return;
        tsc = __builtin_ia32_rdtsc();
        if (tsc - cpu->pv.steal_tsc < cpu->model->tsc_hz / 1000)
                return;
        cpu->pv.steal_tsc = tsc;
        waited = waited_ns();
        /* Another thread's count, after a restore, or none: begin anew. */
        if (waited <= cpu->pv.steal_seen_ns || !cpu->pv.steal_seen_ns) {
                cpu->pv.steal_seen_ns = waited;
                return;
        }
        cpu->pv.steal_ns += waited - cpu->pv.steal_seen_ns;
        cpu->pv.steal_seen_ns = waited;
        gpa = cpu->pv.steal_time & ~(uint64_t)(ENABLED | STEAL_RESERVED);
        cpu->pv.steal_version += 2;
        store(cpu, gpa + STEAL_VERSION, cpu->pv.steal_version - 1, 4);
        store(cpu, gpa + STEAL_TIME, cpu->pv.steal_ns, 8);
        store(cpu, gpa + STEAL_VERSION, cpu->pv.steal_version, 4);
}

/* -- End of interrupt -------------------------------------------------------------------------- */

bool paravirt_eoi_offer(struct cpu *cpu)
{
        gpa_t gpa = cpu->pv.eoi & ~(uint64_t)ENABLED;
        const uint8_t set = 1;

        return (cpu->pv.eoi & ENABLED) && memory_page(cpu->memory, gpa).kind == PAGE_RAM && memory_write(cpu->memory, gpa, &set, 1);
}

bool paravirt_eoi_withdraw(struct cpu *cpu)
{
        gpa_t gpa = cpu->pv.eoi & ~(uint64_t)ENABLED;
        uint8_t bits;

        if (!(cpu->pv.eoi & ENABLED) || !memory_read(cpu->memory, gpa, &bits, 1) || !(bits & 1))
                return false;
        bits &= 0xfe;
        memory_write(cpu->memory, gpa, &bits, 1);
        return true;
}

/* -- MSRs -------------------------------------------------------------------------------------- */

uint64_t paravirt_msr_read(struct cpu *cpu, uint32_t index)
{
        switch (index) {
        case MSR_PV_SYSTEM_TIME: case MSR_PV_SYSTEM_TIME_OLD:
                return cpu->pv.system_time;
        case MSR_PV_STEAL_TIME:
                return cpu->pv.steal_time;
        case MSR_PV_EOI:
                return cpu->pv.eoi;
        default:
                return cpu->pv.wall_clock;
        }
}

bool paravirt_msr_write(struct cpu *cpu, uint32_t index, uint64_t value)
{
        switch (index) {
        case MSR_PV_SYSTEM_TIME: case MSR_PV_SYSTEM_TIME_OLD:
                cpu->pv.system_time = value;
                paravirt_clock_update(cpu);
                return true;
        case MSR_PV_STEAL_TIME:
                if (value & STEAL_RESERVED)
                        return false;
                cpu->pv.steal_time = value;
                cpu->pv.steal_seen_ns = 0;
                cpu->pv.steal_tsc = 0;
                paravirt_steal_update(cpu);
                return true;
        case MSR_PV_EOI:
                if (value & EOI_RESERVED)
                        return false;
                if (cpu->lapic)
                        lapic_settle_eoi(cpu->lapic);
                cpu->pv.eoi = value;
                return true;
        default:
                cpu->pv.wall_clock = value;
                write_wall_clock(cpu, value);
                return true;
        }
}
