/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smp.c - starting the other CPUs of a guest test and giving them work (SDM 3A 9.4.4).
 */
#include "smp.h"

volatile u32 smp_started[SMP_MAX];
u32 smp_cpus = 1;
extern u32 guest_multiboot;

static u8 stacks[SMP_MAX][8192] __attribute__((aligned(16)));
static void (*volatile work)(u32 cpu);
static volatile u32 work_number, work_done;
static volatile u32 barrier_count, barrier_round;
void smp_main(void) __attribute__((noreturn));
u32 smp_stack(void);
extern u8 smp_entry16[], smp_entry16_end[], guest_stubs[];
extern struct { u16 limit; u32 base; } __attribute__((packed)) guest_idtr, guest_gdtr;

/* Real mode, at any page; the GDT register's image comes with it. */
asm(".pushsection .text\n.code16\n"
    ".globl smp_entry16\nsmp_entry16:\n"
    "cli\nlgdtl %cs:(2f - smp_entry16)\nmovl %cr0, %eax\norb $1, %al\nmovl %eax, %cr0\nljmpl $8, $3f\n"
    ".balign 4\n2: .skip 8\n.globl smp_entry16_end\nsmp_entry16_end:\n"
    ".code32\n3: movl $16, %eax\nmovl %eax, %ds\nmovl %eax, %es\nmovl %eax, %fs\nmovl %eax, %gs\nmovl %eax, %ss\n"
    /* CR0.CD and NW are set after INIT; nobody minds, but tests are to run as programs do. */
    "movl %cr0, %eax\nandl $0x9fffffff, %eax\nmovl %eax, %cr0\n"
    "movl 0xfee00020, %esp\nshrl $24, %esp\nincl %esp\nshll $13, %esp\naddl $smp_stacks, %esp\n"
    "lidt guest_idtr\nfninit\njmp smp_main\n"
    ".popsection\n");
extern u8 smp_stacks[SMP_MAX][8192] __attribute__((alias("stacks")));

u32 apic_read(u32 reg) { return *(volatile u32 *)mem32(0xfee00000 + reg); }
void apic_write(u32 reg, u32 value) { *(volatile u32 *)mem32(0xfee00000 + reg) = value; }
u32 smp_self(void) { return apic_read(APIC_ID) >> 24; }

void smp_ipi(u32 destination, u32 icr)
{
        apic_write(APIC_ICR_HIGH, destination << 24);
        apic_write(APIC_ICR, icr);
        while (apic_read(APIC_ICR) & 0x1000)
                pause();
}

void smp_gate(u8 vector, void (*handler)(frame *))
{
        idt_set(vector, gate(SEL_CODE, (u32)handler, ACC_INT32, 0));
}

static void ready(void)
{
        apic_write(APIC_SVR, 0x1ff);
        apic_write(APIC_LDR, 1u << (24 + smp_self() % 8));
}

void smp_main(void)
{
        u32 self = smp_self(), seen = work_number;

        ready();
        lock_xadd(&smp_started[self], 1);
        for (;;) {
                while (work_number == seen)
                        pause();
                seen = work_number;
                work(self);
                lock_xadd(&work_done, 1);
        }
}

void smp_prepare(u32 page)
{
        u32 bytes = (u32)(smp_entry16_end - smp_entry16);

        memcpy(mem8(page << 12), smp_entry16, bytes);
        memcpy(mem8((page << 12) + bytes - 8), &guest_gdtr, 6);
}

void smp_start_one(u32 cpu, u32 page)
{
        u32 before = smp_started[cpu];

        smp_ipi(cpu, ICR_INIT | ICR_ASSERT);
        smp_ipi(cpu, ICR_SIPI | ICR_ASSERT | page);
        smp_ipi(cpu, ICR_SIPI | ICR_ASSERT | page);
        for (u32 i = 0; i < 200000000 && smp_started[cpu] == before; i++)
                pause();
}

void smp_start(void)
{
        ready();
        smp_prepare(0x10);
        for (u32 cpu = 1; cpu < smp_parameter("cpus", 4); cpu++) {
                smp_start_one(cpu, 0x10);
                if (!smp_started[cpu])
                        break;
                smp_cpus++;
        }
}

void smp_give(void (*fn)(u32 cpu))
{
        work_done = 0;
        work = fn;
        lock_xadd(&work_number, 1);
}

void smp_run(void (*fn)(u32 cpu))
{
        smp_give(fn);
        fn(0);
        while (work_done != smp_cpus - 1)
                pause();
}

void smp_barrier(void)
{
        u32 round = barrier_round;

        if (lock_xadd(&barrier_count, 1) == smp_cpus - 1) {
                barrier_count = 0;
                lock_xadd(&barrier_round, 1);
                return;
        }
        while (barrier_round == round)
                pause();
}

u32 smp_parameter(const char *name, u32 value)
{
        const struct { u32 flags, lower, upper, device, line; } *info = (const void *)guest_multiboot;
        const char *line = info->flags & 4 ? (const char *)info->line : "";

        for (; *line; line++) {
                u32 n = 0;

                while (name[n] && line[n] == name[n])
                        n++;
                if (name[n] || line[n] != '=')
                        continue;
                value = 0;
                for (line += n + 1; *line >= '0' && *line <= '9'; line++)
                        value = value * 10 + (u32)(*line - '0');
                break;
        }
        return value;
}
