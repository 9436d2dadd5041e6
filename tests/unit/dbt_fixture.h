/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dbt_fixture.h - a translator, 16 MiB of memory and one vCPU in flat 32-bit protected mode. */
#ifndef LODGER_TESTS_DBT_FIXTURE_H
#define LODGER_TESTS_DBT_FIXTURE_H

#include <check.h>
#include <string.h>
#include "cpu/cpuid.h"
#include "dbt/dbt.h"

enum { CODE = 0x10000, STACK = 0x8000, DATA = 0x20000, RAM_BYTES = 16 << 20, DEVICE = RAM_BYTES };

static struct lock fixture_lock;
static struct memory *memory;
static struct dbt *dbt;
static struct cpu *cpu;

static uint32_t fixture_io_read(void *opaque, uint16_t port, unsigned size)
{
        (void)opaque;
        (void)port;
        return size == 1 ? 0xff : size == 2 ? 0xffff : 0xffffffff;
}

static void fixture_io_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        (void)opaque;
        (void)port;
        (void)value;
        (void)size;
}

static uint64_t fixture_tsc(void *opaque)
{
        (void)opaque;
        return 1;
}

static void fixture_segment(enum cpu_segment segment, uint16_t selector, uint64_t base, uint32_t limit, uint16_t attr)
{
        struct segment *s = &cpu->seg[segment];

        s->selector = selector;
        s->base = base;
        s->limit = limit;
        s->attr = attr;
}

/* Flat 32-bit protected mode at CPL 0; dbt_state_changed() is the caller's. */
static void fixture_flat(void)
{
        cpu->cr0 |= CR0_PE;
        fixture_segment(SEG_CS, 8, 0, 0xffffffff, 0xc09b);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                if (i != SEG_CS)
                        fixture_segment((enum cpu_segment)i, 16, 0, 0xffffffff, 0xc093);
}

static void dbt_fixture_open(struct dbt_options options)
{
        GError *error = NULL;
        struct cpu_env env = { .io_read = fixture_io_read, .io_write = fixture_io_write, .tsc = fixture_tsc };

        lock_init(&fixture_lock, LOCK_RANK_MACHINE, "machine");
        memory = memory_new(RAM_BYTES, &fixture_lock, &error);
        ck_assert_ptr_nonnull(memory);
        lock_acquire(&fixture_lock);
        memory_map_ram(memory, 0, 0, RAM_BYTES, false, 0, "ram");
        lock_release(&fixture_lock);
        dbt = dbt_new(memory, &options, &error);
        ck_assert_msg(dbt != NULL, "%s", error ? error->message : "");
        cpu = dbt_cpu_new(dbt, 0, cpu_model_find("host"), &env, &error);
        ck_assert_ptr_nonnull(cpu);
        fixture_flat();
        dbt_state_changed(cpu);
        dbt_thread_enter(cpu);
}

static void dbt_fixture_close(void)
{
        dbt_thread_leave();
        dbt_cpu_free(cpu);
        dbt_free(dbt);
        memory_free(memory);
        lock_destroy(&fixture_lock);
}

static __attribute__((unused)) void place(uint32_t at, const void *bytes, size_t size)
{
        memcpy(memory_ram(memory) + at, bytes, size);
}

static __attribute__((unused)) uint64_t peek(uint32_t at, size_t size)
{
        uint64_t value = 0;

        memcpy(&value, memory_ram(memory) + at, size);
        return value;
}

/* Runs code until its HLT. */
static __attribute__((unused)) void run(const char *bytes, size_t size)
{
        place(CODE, bytes, size);
        cpu->rip = CODE;
        cpu->regs[RSP] = STACK;
        ck_assert_int_eq(dbt_run(cpu, 100000), DBT_STOP_HALTED);
        cpu->halted = 0;
}
#define RUN(code) run(code, sizeof(code) - 1)

#endif
