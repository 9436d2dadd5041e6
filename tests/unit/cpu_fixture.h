/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_fixture.h - a vCPU with 16 MiB of RAM and no machine, for tests of src/cpu.
 *
 * Layout the protected-mode helpers use: GDT at GDT_AT, IDT at IDT_AT, LDT at LDT_AT, a 32-bit TSS at TSS_AT.
 */
#ifndef LODGER_TESTS_CPU_FIXTURE_H
#define LODGER_TESTS_CPU_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/mode.h"
#include "cpu/segment.h"
#include "cpu/tlb.h"

enum {
        RAM_BYTES = 16 << 20,
        GDT_AT = 0x1000, IDT_AT = 0x2000, LDT_AT = 0x3000, TSS_AT = 0x4000,
        STACK0 = 0x8000,        /* top of the ring-0 stack */
        STACK3 = 0x9000,
        CODE_AT = 0x10000,
        TABLES_AT = 0x100000,   /* page tables */
};

/* Selectors of the flat segments that fixture_protected() makes. */
enum {
        CODE0 = 0x08, DATA0 = 0x10, CODE3 = 0x18 | 3, DATA3 = 0x20 | 3, TSS_SELECTOR = 0x28, LDT_SELECTOR = 0x30,
        CODE_CONFORMING = 0x38, DATA_ABSENT = 0x40, CODE1 = 0x48 | 1, DATA1 = 0x50 | 1, FREE_SELECTOR = 0x58,
        GDT_ENTRIES = 32,
};

/* attr as struct segment has it. */
enum {
        ATTR_CODE32 = 0xc09b, ATTR_DATA32 = 0xc093, ATTR_DPL3 = 0x60, ATTR_DPL1 = 0x20,
};

static struct lock fixture_lock;
static struct memory *memory;
static struct cpu *cpu;
static unsigned shutdowns;

/* The engine's, unless an engine is linked in: no vector state is ever live here. */
__attribute__((weak)) void cpu_host_begin(struct cpu *target)
{
        (void)target;
}

static void fixture_shutdown(void *opaque, struct cpu *target)
{
        (void)opaque;
        (void)target;
        shutdowns++;
}

static __attribute__((unused)) void fixture_setup(void)
{
        GError *error = NULL;

        lock_init(&fixture_lock, LOCK_RANK_MACHINE, "machine");
        memory = memory_new(RAM_BYTES, &fixture_lock, &error);
        ck_assert_ptr_nonnull(memory);
        lock_acquire(&fixture_lock);
        memory_map_ram(memory, 0, 0, RAM_BYTES, false, 0, "ram");
        lock_release(&fixture_lock);
        cpu = aligned_alloc(64, sizeof(*cpu));
        memset(cpu, 0, sizeof(*cpu));
        cpu->env.shutdown = fixture_shutdown;
        shutdowns = 0;
        cpu_init(cpu, 0, cpu_model_find(cpu_model_names()[0]), memory);
}

static __attribute__((unused)) void fixture_teardown(void)
{
        free(cpu);
        memory_free(memory);
        lock_destroy(&fixture_lock);
}

/* -- Guest RAM ------------------------------------------------------------------------------------- */

static __attribute__((unused)) void poke(gpa_t gpa, uint64_t value, unsigned size)
{
        memcpy(memory_ram(memory) + gpa, &value, size);
}

static __attribute__((unused)) uint64_t peek(gpa_t gpa, unsigned size)
{
        uint64_t value = 0;

        memcpy(&value, memory_ram(memory) + gpa, size);
        return value;
}

/* -- Descriptors ------------------------------------------------------------------------------------- */

/* A descriptor from base, limit (in units of G) and attr. */
static __attribute__((unused)) uint64_t make_descriptor(uint32_t base, uint32_t limit, unsigned attr)
{
        return (limit & 0xffff) | (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(base & 0xffffff) << 16 |
               (uint64_t)(base >> 24) << 56 | (uint64_t)(attr & 0xf0ff) << 40;
}

static __attribute__((unused)) void set_gdt(unsigned selector, uint32_t base, uint32_t limit, unsigned attr)
{
        poke(GDT_AT + (selector & ~7u), make_descriptor(base, limit, attr), 8);
}

static __attribute__((unused)) uint64_t make_gate(uint16_t selector, uint32_t offset, unsigned attr, unsigned count)
{
        return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)count << 32 | (uint64_t)attr << 40 |
               (uint64_t)(offset >> 16) << 48;
}

static __attribute__((unused)) void set_idt(unsigned vector, uint16_t selector, uint32_t offset, unsigned attr)
{
        poke(IDT_AT + vector * 8, make_gate(selector, offset, attr, 0), 8);
}

static __attribute__((unused)) void load(enum cpu_segment segment, uint16_t selector)
{
        ck_assert(segment_load(cpu, segment, selector));
}

static __attribute__((unused)) void load_code(uint16_t selector)
{
        struct segment cs;

        segment_from_descriptor(&cs, selector, peek(GDT_AT + (selector & ~7u), 8));
        cpu->cpl = selector & 3;
        segment_install(cpu, SEG_CS, &cs);
}

/* Flat 32-bit protected mode at CPL 0, with a ring-0 stack in the TSS and interrupt gates for every
 * vector: vector v's handler is CODE0:CODE_AT + 16 v, DPL 0 (DPL 3 from 20h on). */
static __attribute__((unused)) void fixture_protected(void)
{
        set_gdt(CODE0, 0, 0xfffff, ATTR_CODE32);
        set_gdt(DATA0, 0, 0xfffff, ATTR_DATA32);
        set_gdt(CODE3, 0, 0xfffff, ATTR_CODE32 | ATTR_DPL3);
        set_gdt(DATA3, 0, 0xfffff, ATTR_DATA32 | ATTR_DPL3);
        set_gdt(TSS_SELECTOR, TSS_AT, 0x67, 0x89);
        set_gdt(LDT_SELECTOR, LDT_AT, 0xff, 0x82);
        set_gdt(CODE_CONFORMING, 0, 0xfffff, ATTR_CODE32 | SEG_TYPE_EC);
        set_gdt(DATA_ABSENT, 0, 0xfffff, ATTR_DATA32 & ~SEG_P);
        set_gdt(CODE1, 0, 0xfffff, ATTR_CODE32 | ATTR_DPL1);
        set_gdt(DATA1, 0, 0xfffff, ATTR_DATA32 | ATTR_DPL1);
        for (unsigned i = 0; i < 256; i++)
                set_idt(i, CODE0, CODE_AT + 16 * i, i < 0x20 ? 0x8e : 0xee);
        poke(TSS_AT + 4, STACK0, 4);
        poke(TSS_AT + 8, DATA0, 4);
        poke(TSS_AT + 12, STACK0 - 0x800, 4);
        poke(TSS_AT + 16, DATA1, 4);
        cpu->gdt = (struct descriptor_table){ .base = GDT_AT, .limit = GDT_ENTRIES * 8 - 1 };
        cpu->idt = (struct descriptor_table){ .base = IDT_AT, .limit = 0x7ff };
        cpu->cr0 |= CR0_PE;
        load_code(CODE0);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                if (i != SEG_CS)
                        load(i, DATA0);
        cpu->seg[SEG_TR] = (struct segment){ .selector = TSS_SELECTOR, .attr = 0x8b, .limit = 0x67, .base = TSS_AT };
        cpu->seg[SEG_LDTR] = (struct segment){ .selector = LDT_SELECTOR, .attr = 0x82, .limit = 0xff, .base = LDT_AT };
        cpu->regs[RSP] = STACK0;
        cpu->rip = CODE_AT - 0x100;
        cpu->next_rip = cpu->rip + 2;
}

/* To ring 3 of the same. */
static __attribute__((unused)) void fixture_user(void)
{
        load_code(CODE3);
        load(SEG_SS, DATA3);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                if (i != SEG_CS && i != SEG_SS)
                        load(i, DATA3);
        cpu->regs[RSP] = STACK3;
}

static __attribute__((unused)) void ck_exception(unsigned vector, uint32_t error)
{
        ck_assert(cpu->exception.pending);
        ck_assert_uint_eq(cpu->exception.vector, vector);
        ck_assert(cpu->exception.has_error);
        ck_assert_uint_eq(cpu->exception.error, error);
        cpu->exception.pending = false;
}

static __attribute__((unused)) int fixture_main(const char *name, void (*fill)(TCase *))
{
        Suite *suite = suite_create(name);
        TCase *cases = tcase_create(name);
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(cases, fixture_setup, fixture_teardown);
        fill(cases);
        suite_add_tcase(suite, cases);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
