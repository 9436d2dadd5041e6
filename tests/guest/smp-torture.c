/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smp-torture.c - what several CPUs must agree on: locked instructions (also over page ends and on pages of code), code
 * that one changes and others execute (T14), TLB shootdowns, dirty bits (T12).
 *
 * "rounds=N" on the command line multiplies the work: --append rounds=100 runs for minutes.
 */
#include "smp.h"

static u32 rounds;

/* -- Locked instructions ----------------------------------------------------------------------- */

enum { COUNTS = 8000 };

static volatile u32 counters[8] __attribute__((aligned(64)));
static volatile u32 spin_lock, plain, ticket_next, ticket_now, plain2;
static volatile u64 wide __attribute__((aligned(64)));

static void locked(u32 cpu)
{
        for (u32 i = 0; i < COUNTS; i++) {
                lock_xadd(&counters[0], 1);
                asm volatile("lock incl %0" : "+m"(counters[1]) :: "memory");
                asm volatile("lock addl %1, %0" : "+m"(counters[2]) : "r"(i) : "memory");
                for (u32 old = counters[3], seen; (seen = cmpxchg(&counters[3], old, old + 1)) != old; old = seen)
                        continue;
                asm volatile("lock btcl %1, %0" : "+m"(counters[4]) : "Ir"(cpu) : "memory");
                u64 old = wide;
                bool done;
                do {
                        u64 next = old + 0x100000001;
                        asm volatile("lock cmpxchg8b %1" : "=@ccz"(done), "+m"(wide), "+A"(old)
                                     : "b"((u32)next), "c"((u32)(next >> 32)) : "memory");
                } while (!done);
        }
}

static void locks(u32 cpu)
{
        (void)cpu;
        for (u32 i = 0; i < COUNTS / 8; i++) {
                while (xchg(&spin_lock, 1))
                        pause();
                plain++;
                asm volatile("" ::: "memory");
                spin_lock = 0;
                u32 mine = lock_xadd(&ticket_next, 1);
                while (ticket_now != mine)
                        pause();
                plain2++;
                asm volatile("" ::: "memory");
                ticket_now++;
        }
}

/* Over the end of a page, and of a cache line. */
static void split(u32 cpu)
{
        volatile u32 *over_page = mem32(ARENA + 0xffd), *over_line = mem32(ARENA + 0x203e);

        (void)cpu;
        for (u32 i = 0; i < COUNTS / 16; i++) {
                lock_xadd(over_page, 0x10001);
                lock_xadd(over_line, 0x10001);
                asm volatile("lock btsl %1, (%0); lock btrl %1, (%0)" :: "r"(ARENA + 0x3ffe), "r"(cpu) : "memory");
        }
}

static void do_locked(void)
{
        u32 n = COUNTS * smp_cpus;

        smp_run(locked);
        check("xadd", counters[0] == n);
        check("inc", counters[1] == n);
        check("add", counters[2] == smp_cpus * (COUNTS / 2 * (COUNTS - 1)));
        check("cmpxchg", counters[3] == n);
        check("btc", counters[4] == 0);
        check("cmpxchg8b", wide == n * 0x100000001ull);
        smp_run(locks);
        check("spin lock", plain == n / 8);
        check("ticket lock", plain2 == n / 8);
        memset(mem8(ARENA), 0, 0x5000);
        smp_run(split);
        check("split over pages", *mem32(ARENA + 0xffd) == COUNTS / 16 * smp_cpus * 0x10001);
        check("split over lines", *mem32(ARENA + 0x203e) == COUNTS / 16 * smp_cpus * 0x10001);
        check("bits over pages", *mem32(ARENA + 0x3ffe) == 0);
        for (u32 i = 0; i < 8; i++)
                counters[i] = 0;
        wide = plain = plain2 = ticket_next = ticket_now = 0;
}

/* -- Code and data on one page ------------------------------------------------------------------ */

static volatile u32 bad;

static void put_function(u32 at, u32 result)
{
        *mem8(at) = 0xb8;                       /* mov eax, imm32; ret */
        *mem32(at + 1) = result;
        *mem8(at + 5) = 0xc3;
}

static u32 call(u32 address)
{
        u32 result;

        asm volatile("call *%1" : "=a"(result) : "r"(address) : "ecx", "edx", "memory");
        return result;
}

/* Each CPU counts in words of its own and in a shared one, on a page that all the time becomes one of code and ceases
 * to be: CPU 0 writes a function there, executes it, and writes over it. */
static void mixed(u32 cpu)
{
        volatile u32 *mine = mem32(ARENA + 0x800 + cpu * 4), *shared = mem32(ARENA + 0x900);

        for (u32 i = 0; i < COUNTS / 8; i++) {
                ++*mine;
                lock_xadd(shared, 1);
                if (cpu == 0 && i % 8 == 0) {
                        put_function(ARENA + 0x100, i);
                        if (call(ARENA + 0x100) != i)
                                bad++;
                        *mem32(ARENA + 0x101) = i + 1;
                        if (call(ARENA + 0x100) != i + 1)
                                bad++;
                        if (i % 16 == 0)        /* drops the last block: the page is one of data again */
                                memset(mem8(ARENA + 0x100), 0, 16);
                }
        }
}

static void do_mixed(void)
{
        bool exact = true;

        memset(mem8(ARENA), 0, 0x1000);
        bad = 0;
        smp_run(mixed);
        for (u32 i = 0; i < smp_cpus; i++)
                exact &= *mem32(ARENA + 0x800 + i * 4) == COUNTS / 8;
        check("data beside code", exact);
        check("locked data beside code", *mem32(ARENA + 0x900) == COUNTS / 8 * smp_cpus);
        check("code beside data", !bad);
}

/* -- One piece of code, data of each CPU's own ---------------------------------------------------- */

struct own_data {
        u32 owner, count, complement;
};

/* Several fields through one register: what the translator may check together, and remember for the next time. */
__attribute__((noinline)) static bool touch(volatile struct own_data *data, u32 owner)
{
        bool good = data->owner == owner && data->count == ~data->complement;

        data->count++;
        data->complement--;
        return good;
}

static void shared_code(u32 cpu)
{
        u32 first = ARENA + 0x40000 + cpu * 0x3000;

        for (u32 page = 0; page < 3; page++)
                *(struct own_data *)mem32(first + page * 0x1000) = (struct own_data){ cpu * 8 + page, 0, ~0u };
        smp_barrier();
        for (u32 i = 0; i < COUNTS * 2; i++)
                if (!touch((struct own_data *)mem32(first + i % 3 * 0x1000), cpu * 8 + i % 3))
                        bad++;
}

static void do_shared_code(void)
{
        bad = 0;
        smp_run(shared_code);
        check("data of its own through shared code", !bad);
}

/* -- Code changed by another CPU ---------------------------------------------------------------- */

enum { CROSSINGS = 200 };

static volatile u32 published, acknowledged, where;

/* CPU 0 writes a function, then says so; the others call it.  Odd rounds without a serializing instruction, through
 * a pointer: what programs that generate code rely on. */
static void cross(u32 cpu)
{
        for (u32 i = 1; i <= CROSSINGS; i++) {
                if (cpu == 0) {
                        u32 at = ARENA + 0x1000 + (i % 3) * 0x400;      /* in turn: three places on one page */

                        put_function(at, i);
                        where = at;
                        asm volatile("" ::: "memory");
                        published = i;
                        while (acknowledged != i * (smp_cpus - 1))
                                pause();
                } else {
                        while (published != i)
                                pause();
                        if (i % 2 == 0) {
                                u32 r[4];
                                cpuid(0, 0, r);
                        }
                        if (call(where) != i)
                                bad++;
                        lock_xadd(&acknowledged, 1);
                }
        }
}

/* All of them rewrite functions of their own and call them, on one page. */
static void own(u32 cpu)
{
        for (u32 i = 0; i < CROSSINGS; i++) {
                put_function(ARENA + 0x2000 + cpu * 0x40, i);
                if (call(ARENA + 0x2000 + cpu * 0x40) != i)
                        bad++;
        }
}

/* A loop that runs on while its immediate is changed under it: it must see the last value in the end. */
static volatile u32 loop_ready;

static void loop(u32 cpu)
{
        u32 at = ARENA + 0x3000 + 0x100;

        if (cpu == 0) {
                /* 1: mov eax, imm; cmp eax, ebx; pause; jne 1b; ret */
                static const u8 code[] = { 0xb8, 0, 0, 0, 0, 0x39, 0xd8, 0xf3, 0x90, 0x75, 0xf5, 0xc3 };
                memcpy(mem8(at), code, sizeof code);
                loop_ready = 1;
                for (u32 i = 1; i <= CROSSINGS; i++)
                        *mem32(at + 1) = i;
        } else {
                while (!loop_ready)
                        pause();
                asm volatile("call *%0" :: "r"(at), "b"(CROSSINGS) : "eax", "memory");
        }
}

static void do_cross(void)
{
        bad = published = acknowledged = loop_ready = 0;
        smp_run(cross);
        check("functions of another CPU", !bad);
        smp_run(own);
        check("functions of its own", !bad);
        smp_run(loop);
        check("changed loop ends", true);
}

/* -- Page tables -------------------------------------------------------------------------------- */

enum { SHOOTS = 120, PAGE_SHARED = ARENA + 0x10000, PAGE_A = ARENA + 0x20000 };

static volatile u32 shoot_acks, finished, epoch;

__attribute__((interrupt)) static void on_shoot(frame *f)
{
        (void)f;
        invlpg(PAGE_SHARED);
        lock_xadd(&shoot_acks, 1);
        apic_write(APIC_EOI, 0);
}

static void shoot(void)
{
        shoot_acks = 0;
        invlpg(PAGE_SHARED);
        smp_ipi(0, ICR_OTHERS | ICR_ASSERT | 0x60);
        while (shoot_acks != smp_cpus - 1)
                pause();
}

static void paged(void)
{
        page_directory[0xfee00000 >> 22] = 0xfec00000 | PTE_PS | PTE_P | PTE_W;
        write_cr4(read_cr4() | 0x10);
        paging_on();
}

/* The page moves to another frame with a higher number in it; nobody sees an older one once the move is announced. */
static void shootdown(u32 cpu)
{
        paged();
        smp_barrier();
        if (cpu == 0) {
                for (u32 i = 1; i <= SHOOTS; i++) {
                        u32 frame_at = PAGE_A + (i % 2) * 0x1000;

                        *mem32(frame_at) = i;
                        page_tables[PAGE_SHARED >> 22][PAGE_SHARED >> 12 & 1023] = frame_at | PTE_P | PTE_W;
                        shoot();
                        epoch = i;
                }
                finished = 1;
        } else {
                sti();
                while (!finished) {
                        u32 at_least = epoch;
                        asm volatile("" ::: "memory");
                        if (*(volatile u32 *)mem32(PAGE_SHARED) < at_least)
                                bad++;
                }
                cli();
        }
        smp_barrier();
        paging_off();
}

/* A page whose entry, taken away, was not dirty has not been written to since it was put there. */
static volatile u32 writes[SMP_MAX], cleans;

__attribute__((interrupt)) static void on_fault(frame *f, u32 error)
{
        volatile u32 *entry = &page_tables[PAGE_SHARED >> 22][PAGE_SHARED >> 12 & 1023];

        (void)f;
        (void)error;
        sti();
        while (!(*entry & PTE_P))
                pause();
        cli();
}

static void dirty(u32 cpu)
{
        volatile u32 *entry = &page_tables[PAGE_SHARED >> 22][PAGE_SHARED >> 12 & 1023];

        paged();
        if (cpu == 0)
                *entry = 0;
        smp_barrier();
        invlpg(PAGE_SHARED);
        smp_barrier();
        if (cpu == 0) {
                for (u32 i = 0; i < SHOOTS; i++) {
                        u32 old, before[SMP_MAX];
                        bool changed = false;

                        for (u32 j = 1; j < smp_cpus; j++)
                                before[j] = *mem32(PAGE_A + j * 64);
                        *entry = PAGE_A | PTE_P | PTE_W;
                        for (u32 j = 0; j < i % 64; j++)
                                pause();
                        old = xchg(entry, 0);
                        shoot();
                        for (u32 j = 1; j < smp_cpus; j++)
                                changed |= *mem32(PAGE_A + j * 64) != before[j];
                        if (changed && !(old & PTE_D))
                                bad++;
                        if (!(old & PTE_D))
                                cleans++;
                }
                finished = 1;
                *entry = PAGE_A | PTE_P | PTE_W;
        } else {
                sti();
                while (!finished) {
                        *mem32(PAGE_SHARED + cpu * 64) += 1;
                        writes[cpu]++;
                }
                cli();
        }
        smp_barrier();
        paging_off();
}

static void do_paging(void)
{
        bool exact = true;

        smp_gate(0x60, on_shoot);
        smp_gate(14, (void (*)(frame *))(void *)on_fault);
        bad = finished = epoch = 0;
        smp_run(shootdown);
        check("shootdowns", !bad);
        memset(mem8(PAGE_A), 0, 0x1000);
        bad = finished = 0;
        for (u32 i = 0; i < SMP_MAX; i++)
                writes[i] = 0;
        smp_run(dirty);
        check("dirty bits", !bad);
        for (u32 i = 1; i < smp_cpus; i++)
                exact &= *mem32(PAGE_A + i * 64) == writes[i];
        check("no write lost", exact);
}

void guest_main(void)
{
        print("guest: smp-torture\n");
        smp_start();
        print("%u CPUs\n", smp_cpus);
        rounds = smp_parameter("rounds", 1);
        for (u32 i = 0; i < rounds; i++) {
                if (rounds > 1)
                        print("round %u\n", i);
                do_locked();
                do_mixed();
                do_shared_code();
                do_cross();
                do_paging();
        }
}
