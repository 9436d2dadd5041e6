/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.c - the guest of `lodger bench`: runs every kernel in ring 3, then what only a kernel can do, and says on the
 * first serial port what each took: "BENCH NAME CYCLES", of 1000 operations.
 */
#include "bench/kernels.h"

enum { COM1 = 0x3f8, DEBUG_EXIT = 0xf4, PAGES = 256, SMALL_BASE = 0x40000000, PAGE = 4096, VECTORS = 32, PF = 14 };
enum { MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082, MSR_SFMASK = 0xc0000084, PTE = 7 };
static const uint64_t ROUND_CYCLES = 6000000;

uint64_t guest_enter_user(bench_work *work, uint64_t count);
void guest_syscall(void);
void guest_page_fault(void);
void guest_bad_fault(void);
void guest_main(void);
void guest_failed(void);
extern volatile uint64_t guest_small[512];
extern char guest_backing[];

/* -- The machine ---------------------------------------------------------------------------------- */

static void out(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static void print(const char *text)
{
        while (*text)
                out(COM1, (uint8_t)*text++);
}

static void print_number(uint64_t value)
{
        char digits[24], *at = digits + sizeof digits;

        *--at = 0;
        do
                *--at = (char)('0' + value % 10);
        while (value /= 10);
        print(at);
}

static void write_msr(uint32_t number, uint64_t value)
{
        __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void set_gates(void)
{
        static struct { uint16_t low, selector, attributes, middle; uint32_t high, zero; } idt[VECTORS];
        static struct __attribute__((packed)) { uint16_t limit; uint64_t base; } table;

        for (unsigned i = 0; i < VECTORS; i++) {
                uint64_t handler = (uint64_t)(i == PF ? guest_page_fault : guest_bad_fault);
                idt[i].low = (uint16_t)handler;
                idt[i].selector = 8;
                idt[i].attributes = 0x8e00;
                idt[i].middle = (uint16_t)(handler >> 16);
        }
        table.limit = sizeof idt - 1;
        table.base = (uint64_t)idt;
        __asm__ volatile("lidt %0" : : "m"(table));
        write_msr(MSR_STAR, UINT64_C(0x001b0008) << 32);
        write_msr(MSR_LSTAR, (uint64_t)guest_syscall);
        write_msr(MSR_SFMASK, 0);
}

static void load_address_space(void)
{
        uint64_t root;

        __asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(root) : : "memory");
}

void guest_failed(void)
{
        print("BENCH-FAILED\n");
        out(DEBUG_EXIT, 1);
        for (;;)
                __asm__ volatile("hlt");
}

/* -- What only a kernel can do -------------------------------------------------------------------- */

static volatile uint8_t *small_page(unsigned page) { return (volatile uint8_t *)(uint64_t)(SMALL_BASE + page * PAGE); }

static uint64_t user_syscalls(uint64_t count)
{
        for (uint64_t i = 0; i < count; i++)
                __asm__ volatile("syscall" : : "a"(0) : "rcx", "r11", "memory");
        return count;
}

static uint64_t work_syscall(uint64_t count) { return guest_enter_user(user_syscalls, count); }

static uint64_t user_touches(uint64_t count)
{
        for (unsigned page = 0; page < count; page++)
                *small_page(page) = 1;
        return count;
}

/* Ring 3 touches pages that are not there; #PF puts them there. */
static uint64_t work_fault(uint64_t count)
{
        for (uint64_t done = 0; done < count; done += PAGES) {
                for (unsigned i = 0; i < PAGES; i++)
                        guest_small[i] = 0;
                load_address_space();
                guest_enter_user(user_touches, PAGES);
        }
        return count;
}

/* One page: mapped, written to, unmapped and flushed. */
static uint64_t work_mapping(uint64_t count)
{
        for (uint64_t i = 0; i < count; i++) {
                unsigned page = i % PAGES;
                guest_small[page] = (uint64_t)guest_backing + page * PAGE + PTE;
                *small_page(page) = (uint8_t)i;
                guest_small[page] = 0;
                __asm__ volatile("invlpg %0" : : "m"(*small_page(page)) : "memory");
        }
        return count;
}

/* Another address space, of which 16 pages are used. */
static uint64_t work_switch(uint64_t count)
{
        uint64_t sum = 0;

        for (unsigned page = 0; page < 16; page++)
                guest_small[page] = (uint64_t)guest_backing + page * PAGE + PTE;
        for (uint64_t i = 0; i < count; i++) {
                load_address_space();
                for (unsigned page = 0; page < 16; page++)
                        sum += *small_page(page);
        }
        return sum;
}

/* -- All of it ------------------------------------------------------------------------------------ */

static void report(const char *name, uint64_t cycles)
{
        print("BENCH ");
        print(name);
        print(" ");
        print_number(cycles);
        print("\n");
}

static uint64_t measure_kernel(uint64_t number) { return bench_measure(bench_kernels[number].work, ROUND_CYCLES); }

void guest_main(void)
{
        static const struct bench_kernel privileged[] = {
                { "syscall", work_syscall }, { "fault", work_fault }, { "mapping", work_mapping }, { "switch", work_switch },
        };

        set_gates();
        for (unsigned i = 0; i < BENCH_KERNELS; i++)
                report(bench_kernels[i].name, guest_enter_user(measure_kernel, i));
        for (unsigned i = 0; i < sizeof privileged / sizeof privileged[0]; i++)
                report(privileged[i].name, bench_measure(privileged[i].work, ROUND_CYCLES));
        print("BENCH-END\n");
        out(DEBUG_EXIT, 0);
        for (;;)
                __asm__ volatile("hlt");
}
