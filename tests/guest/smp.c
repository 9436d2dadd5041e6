/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smp.c - starting and stopping CPUs, and interprocessor interrupts of every mode and shorthand (SDM 3A 9.4, 11.6).
 */
#include "smp.h"

static volatile u32 got[SMP_MAX][256], nmis[SMP_MAX], spin_count[SMP_MAX], stop;

static void note(u8 vector)
{
        got[smp_self()][vector]++;
        apic_write(APIC_EOI, 0);
}

__attribute__((interrupt)) static void on_51(frame *f) { (void)f; note(0x51); }
__attribute__((interrupt)) static void on_52(frame *f) { (void)f; note(0x52); }
__attribute__((interrupt)) static void on_53(frame *f) { (void)f; note(0x53); }
__attribute__((interrupt)) static void on_54(frame *f) { (void)f; note(0x54); }
__attribute__((interrupt)) static void on_55(frame *f) { (void)f; note(0x55); }
__attribute__((interrupt)) static void on_56(frame *f) { (void)f; note(0x56); }
__attribute__((interrupt)) static void on_nmi(frame *f) { (void)f; nmis[smp_self()]++; }

static u32 sum(u8 vector)
{
        u32 n = 0;

        for (u32 i = 0; i < smp_cpus; i++)
                n += got[i][vector];
        return n;
}

static void wait_sum(u8 vector, u32 wanted)
{
        for (u32 i = 0; i < 100000000 && sum(vector) < wanted; i++)
                pause();
}

static void show(const char *name, u8 vector)
{
        print("%s:", name);
        for (u32 i = 0; i < smp_cpus; i++)
                print(" %u", got[i][vector]);
        print("\n");
}

/* CPU 0 sends, the others take interrupts: running, or halted. */
static void ipis(u32 cpu)
{
        if (cpu) {
                sti();
                while (!stop)
                        if (cpu & 1)
                                asm volatile("sti; hlt");
                        else
                                pause();
                cli();
                return;
        }
        sti();
        for (u32 i = 0; i < smp_cpus; i++)
                smp_ipi(i, ICR_ASSERT | 0x51);
        wait_sum(0x51, smp_cpus);
        smp_ipi(5 & ((1u << smp_cpus) - 1), ICR_LOGICAL | ICR_ASSERT | 0x52);
        wait_sum(0x52, 2);
        smp_ipi(0, ICR_SELF | ICR_ASSERT | 0x53);
        wait_sum(0x53, 1);
        smp_ipi(0, ICR_ALL | ICR_ASSERT | 0x54);
        wait_sum(0x54, smp_cpus);
        smp_ipi(0, ICR_OTHERS | ICR_ASSERT | 0x55);
        wait_sum(0x55, smp_cpus - 1);
        smp_ipi(0xe, ICR_LOGICAL | ICR_LOWEST | ICR_ASSERT | 0x56);
        wait_sum(0x56, 1);
        for (u32 i = 1; i < smp_cpus; i++) {
                smp_ipi(i, ICR_NMI | ICR_ASSERT);
                for (u32 n = 0; n < 100000000 && !nmis[i]; n++)
                        pause();
        }
        cli();
        stop = 1;
        smp_ipi(0, ICR_OTHERS | ICR_ASSERT | 0x51);     /* out of HLT */
}

static void spin_forever(u32 cpu)
{
        while (cpu == smp_cpus - 1 || !stop)
                spin_count[cpu]++;
}

static void wait_long(void)
{
        u64 end = rdtsc() + 100000000;

        while (rdtsc() < end)
                pause();
}

/* Whether the CPU executes anything: its count moves, however busy the host is. */
static bool moves(u32 cpu)
{
        u32 before = spin_count[cpu];

        for (u32 i = 0; i < 100000000 && spin_count[cpu] == before; i++)
                pause();
        return spin_count[cpu] != before;
}

static bool stands(u32 cpu)
{
        u32 before = spin_count[cpu];

        wait_long();
        return spin_count[cpu] == before;
}

void guest_main(void)
{
        u32 last;

        print("guest: smp\n");
        smp_start();
        print("%u CPUs\n", smp_cpus);
        for (u32 i = 1; i < smp_cpus; i++)
                print("CPU %u started %u\n", i, smp_started[i]);
        /* One that runs does not listen. */
        smp_ipi(1, ICR_SIPI | ICR_ASSERT | 0x10);
        wait_long();
        print("start-up IPI to a running CPU: started %u\n", smp_started[1]);

        smp_gate(0x51, on_51);
        smp_gate(0x52, on_52);
        smp_gate(0x53, on_53);
        smp_gate(0x54, on_54);
        smp_gate(0x55, on_55);
        smp_gate(0x56, on_56);
        smp_gate(2, on_nmi);
        smp_run(ipis);
        check("physical", got[0][0x51] == 1 && got[smp_cpus - 1][0x51] >= 1);
        show("logical 5", 0x52);
        show("self", 0x53);
        show("all", 0x54);
        show("others", 0x55);
        print("lowest priority of 1 to 3: %u, of 0: %u\n", sum(0x56), got[0][0x56]);
        print("nmi: %u %u %u %u\n", nmis[0], nmis[1], nmis[2], nmis[3]);

        /* INIT stops a CPU with interrupts off, for good; only a start-up IPI, to another page, gets it out. */
        last = smp_cpus - 1;
        smp_prepare(0x23);
        stop = 0;
        smp_give(spin_forever);
        check("runs", moves(last));
        smp_ipi(last, ICR_INIT | ICR_ASSERT);
        wait_long();
        check("stopped by INIT", stands(last));
        smp_ipi(last, ICR_ASSERT | 0x51);
        check("nothing wakes it", stands(last));
        smp_ipi(last, ICR_SIPI | ICR_ASSERT | 0x23);
        for (u32 i = 0; i < 200000000 && smp_started[last] < 2; i++)
                pause();
        print("started again: %u\n", smp_started[last]);
        stop = 1;
}
