/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translator64.c - runs one instruction at a time under the translator in 64-bit mode, in the world of isa64.h.
 *
 * As translator.c does for 32-bit code: 4-level paging, user pages at CPL 3, an IDT of 32 gates that lead to a
 * HLT each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/lock.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "dbt/dbt.h"
#include "isa64.h"

enum {
        PHYS_PML4 = 0x1000, PHYS_TABLES = 0x2000, PHYS_TABLES_END = 0x10000, PHYS_GDT = 0x10000, PHYS_IDT = 0x11000,
        PHYS_HANDLERS = 0x12000, PHYS_TSS = 0x13000, PHYS_STACK = 0x14000, PHYS_STACK_TOP = 0x16000, PHYS_CODE = 0x20000,
        PHYS_DATA = 0x30000, RAM_BYTES = 0x100000,
};
#define SYSTEM_LINEAR UINT64_C(0xffffffff80000000)      /* physical address 0 */
enum { SEL_KERNEL_CODE = 0x10, SEL_KERNEL_DATA = 0x18, SEL_USER_DATA = 0x2b, SEL_USER_CODE = 0x33, SEL_TSS = 0x40, GDT_BYTES = 0x50 };
enum { VECTORS = 32, HANDLER_BYTES = 16, CASE_BLOCKS = 10000 };
enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40 };
#define PTE_NX (UINT64_C(1) << 63)

static struct {
        struct lock lock;
        struct memory *memory;
        struct dbt *dbt;
        struct cpu *cpu;
        uint8_t *ram;
        uint8_t base[ISA_DATA_BYTES];
        uint64_t gdt[GDT_BYTES / 8];
        uint32_t next_table;
} vm;

static void put64(uint32_t address, uint64_t value)
{
        memcpy(vm.ram + address, &value, 8);
}

static void map_page(uint64_t linear, uint32_t phys, uint64_t bits)
{
        uint32_t table = PHYS_PML4;

        for (unsigned shift = 39; shift > 12; shift -= 9) {
                uint32_t slot = table + (uint32_t)(linear >> shift & 511) * 8;
                uint64_t entry;

                memcpy(&entry, vm.ram + slot, 8);
                if (!entry) {
                        if (vm.next_table >= PHYS_TABLES_END)
                                abort();
                        entry = vm.next_table | PTE_P | PTE_W | PTE_U | PTE_A;
                        vm.next_table += ISA_PAGE;
                        put64(slot, entry);
                }
                table = (uint32_t)entry & 0xfffff000;
        }
        put64(table + (uint32_t)(linear >> 12 & 511) * 8, phys | bits | PTE_P | PTE_A | PTE_D);
}

static void make_world(void)
{
        static const uint64_t places[] = { 0, ISA64_HIGH };
        uint64_t stack = SYSTEM_LINEAR + PHYS_STACK_TOP;

        vm.next_table = PHYS_TABLES;
        for (unsigned p = 0; p < 2; p++) {
                for (unsigned i = 0; i < ISA_CODE_BYTES / ISA_PAGE; i++)
                        map_page(ISA_CODE + places[p] + i * ISA_PAGE, PHYS_CODE + i * ISA_PAGE, PTE_U);
                for (unsigned i = 0; i < ISA_DATA_BYTES / ISA_PAGE; i++)
                        if (isa_data_pages[i] != ISA_PAGE_HOLE)
                                map_page(ISA_DATA + places[p] + i * ISA_PAGE, PHYS_DATA + i * ISA_PAGE,
                                         PTE_NX | PTE_U | (isa_data_pages[i] == ISA_PAGE_RW ? PTE_W : 0));
        }
        for (unsigned page = PHYS_GDT; page < PHYS_STACK_TOP; page += ISA_PAGE)
                map_page(SYSTEM_LINEAR + page, page, PTE_W);
        vm.gdt[SEL_KERNEL_CODE / 8] = UINT64_C(0x00af9b000000ffff);
        vm.gdt[SEL_KERNEL_DATA / 8] = UINT64_C(0x00cf93000000ffff);
        vm.gdt[SEL_USER_DATA / 8] = UINT64_C(0x00cff3000000ffff);
        vm.gdt[SEL_USER_CODE / 8] = UINT64_C(0x00affb000000ffff);
        vm.gdt[SEL_TSS / 8] = UINT64_C(0x80008b0000000067) | (uint64_t)PHYS_TSS << 16;
        vm.gdt[SEL_TSS / 8 + 1] = 0xffffffff;
        memcpy(vm.ram + PHYS_GDT, vm.gdt, sizeof(vm.gdt));
        for (unsigned vector = 0; vector < VECTORS; vector++) {
                uint64_t handler = SYSTEM_LINEAR + PHYS_HANDLERS + vector * HANDLER_BYTES;
                bool user = vector == EXC_BP || vector == EXC_OF;

                put64(PHYS_IDT + vector * 16, (handler & 0xffff) | (uint64_t)SEL_KERNEL_CODE << 16 |
                      (uint64_t)(user ? 0xee : 0x8e) << 40 | (handler >> 16 & 0xffff) << 48);
                put64(PHYS_IDT + vector * 16 + 8, handler >> 32);
                memset(vm.ram + PHYS_HANDLERS + vector * HANDLER_BYTES, 0xf4, HANDLER_BYTES);
        }
        memcpy(vm.ram + PHYS_TSS + 4, &stack, 8);
        put64(PHYS_TSS + 96, (uint64_t)104 << 48);      /* I/O map beyond the limit */
}

static void load_segment(struct cpu *cpu, enum cpu_segment segment, uint16_t selector, uint64_t base)
{
        uint64_t d = vm.gdt[selector >> 3];
        struct segment *s = &cpu->seg[segment];

        memset(s, 0, sizeof(*s));
        s->selector = selector;
        s->base = base;
        if (selector) {
                s->limit = (uint32_t)((d & 0xffff) | (d >> 32 & 0xf0000));
                s->attr = (uint16_t)(d >> 40 & 0xf0ff);
                if (s->attr & SEG_G)
                        s->limit = s->limit << 12 | 0xfff;
        }
        cpu_segment_changed(cpu, segment);
}

static void write_code(const struct isa64_case *c, bool restore)
{
        uint8_t bytes[ISA_CODE_MAX];

        memset(bytes, 0xcc, sizeof(bytes));
        if (!restore)
                memcpy(bytes, c->code, c->code_bytes);
        lock_acquire(&vm.lock);
        memory_write(vm.memory, PHYS_CODE + c->code_offset, bytes, c->code_bytes);
        lock_release(&vm.lock);
}

static void load_case(const struct isa64_case *c)
{
        struct cpu *cpu = vm.cpu;
        bool xsave = cpu_has(cpu, FEATURE_XSAVE);
        struct isa_fx fx;

        write_code(c, false);
        isa64_apply(c, vm.ram + PHYS_DATA);
        memcpy(vm.ram + PHYS_GDT, vm.gdt, sizeof(vm.gdt));
        cpu->cr0 = CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
        cpu->cr2 = 0;
        cpu->cr3 = PHYS_PML4;
        cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | (xsave ? CR4_OSXSAVE : 0);
        cpu->xcr0 = cpu_has(cpu, FEATURE_AVX) ? 7 : 3;
        cpu->efer = EFER_NXE | EFER_LME | EFER_LMA | EFER_SCE;
        cpu->gdt = (struct descriptor_table){ SYSTEM_LINEAR + PHYS_GDT, GDT_BYTES - 1 };
        cpu->idt = (struct descriptor_table){ SYSTEM_LINEAR + PHYS_IDT, VECTORS * 16 - 1 };
        cpu->cpl = 3;
        load_segment(cpu, SEG_LDTR, 0, 0);
        load_segment(cpu, SEG_TR, SEL_TSS, SYSTEM_LINEAR + PHYS_TSS);
        load_segment(cpu, SEG_CS, SEL_USER_CODE, 0);
        load_segment(cpu, SEG_SS, SEL_USER_DATA, 0);
        load_segment(cpu, SEG_DS, 0, 0);
        load_segment(cpu, SEG_ES, 0, 0);
        load_segment(cpu, SEG_FS, 0, isa64_fs_base());
        load_segment(cpu, SEG_GS, 0, ISA64_GS_BASE);
        for (unsigned i = 0; i < CPU_REGS; i++)
                cpu->regs[i] = c->before.gpr[i];
        cpu->rip = cpu->next_rip = c->before.rip;
        cpu_set_rflags(cpu, c->before.rflags);
        cpu->shadow = 0;
        cpu->halted = 0;
        memset(&cpu->exception, 0, sizeof(cpu->exception));
        memset(cpu->dr, 0, sizeof(cpu->dr));
        cpu->dr[6] = 0xffff0ff0;
        cpu->dr[7] = 0x400;
        cpu_host_begin(cpu);
        memcpy(cpu->fpu.image, c->before.xsave, ISA64_XSAVE_BYTES);
        memcpy(&fx, c->before.xsave, sizeof(fx));
        cpu->fpu.ip = fx.ip;
        cpu->fpu.dp = fx.dp;
        cpu->fpu.op = fx.fop;
        cpu->fpu.cs = cpu->fpu.ds = 0;
        cpu_mode_changed(cpu);
        dbt_state_changed(cpu);
}

static void store_case(const struct isa64_case *c, enum dbt_stop stop, struct isa64_result *result)
{
        struct cpu *cpu = vm.cpu;
        uint64_t offset = cpu->rip - (SYSTEM_LINEAR + PHYS_HANDLERS), rsp = cpu->regs[RSP] - SYSTEM_LINEAR;
        uint64_t frame[6];
        struct isa_fx fx;

        cpu_host_begin(cpu);
        isa64_collect(c, vm.base, vm.ram + PHYS_DATA, result);
        result->error = 0;
        result->cr2 = 0;
        memset(&result->after, 0, sizeof(result->after));
        if (stop != DBT_STOP_HALTED || offset > VECTORS * HANDLER_BYTES || rsp < PHYS_STACK || rsp > PHYS_STACK_TOP - 40) {
                result->vector = stop == DBT_STOP_BLOCKS ? ISA_VECTOR_TIMEOUT : ISA_VECTOR_OTHER;
                result->after.rip = cpu->rip;
                return;
        }
        result->vector = (uint32_t)(offset / HANDLER_BYTES);
        memcpy(frame, vm.ram + rsp, sizeof(frame));
        if (result->vector == 8 || (result->vector >= 10 && result->vector <= 14) || result->vector == 17) {
                result->error = (uint32_t)frame[0];
                memmove(frame, frame + 1, 5 * sizeof(frame[0]));
        }
        if (result->vector == EXC_PF)
                result->cr2 = cpu->cr2;
        for (unsigned i = 0; i < CPU_REGS; i++)
                result->after.gpr[i] = cpu->regs[i];
        result->after.rip = frame[0];
        result->after.rflags = frame[2];
        result->after.gpr[RSP] = frame[3];
        memcpy(result->after.xsave, cpu->fpu.image, ISA64_XSAVE_BYTES);
        memcpy(&fx, result->after.xsave, sizeof(fx));
        fx.ip = cpu->fpu.ip;
        fx.dp = cpu->fpu.dp;
        fx.fop = cpu->fpu.op;
        memcpy(result->after.xsave, &fx, sizeof(fx));
}

/* -- The child --------------------------------------------------------------------------------- */

static uint32_t no_port_read(void *opaque, uint16_t port, unsigned size)
{
        (void)opaque;
        (void)port;
        (void)size;
        return 0xffffffff;
}

static void no_port_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        (void)opaque;
        (void)port;
        (void)value;
        (void)size;
}

static uint64_t no_tsc(void *opaque)
{
        (void)opaque;
        return 0;
}

static int no_acknowledge(void *opaque)
{
        (void)opaque;
        return -1;
}

static void no_line(void *opaque, bool level)
{
        (void)opaque;
        (void)level;
}

static void no_shutdown(void *opaque, struct cpu *cpu)
{
        (void)opaque;
        (void)cpu;
}

static const struct cpu_model *test_model(void)
{
        const char *name = getenv("ISA_MODEL");

        return cpu_model_find(name ? name : "host");
}

void isa64_translator_features(uint64_t features[2])
{
        features[0] = test_model()->features[0];
        features[1] = test_model()->features[1];
}

static void fail(GError *error)
{
        fprintf(stderr, "isa: translator runner: %s\n", error ? error->message : "cannot start");
        _exit(3);
}

void isa64_translator_child(struct isa64_shared *shared)
{
        static const struct cpu_env env = {
                .io_read = no_port_read, .io_write = no_port_write, .tsc = no_tsc, .acknowledge = no_acknowledge,
                .ferr = no_line, .shutdown = no_shutdown,
        };
        const struct dbt_options options = { .cache_bytes = 4 << 20, .no_bmi2 = getenv("ISA_NO_BMI2"), .check = getenv("ISA_CHECK") };
        GError *error = NULL;

        lock_init(&vm.lock, LOCK_RANK_MACHINE, "machine");
        vm.memory = memory_new(RAM_BYTES, &vm.lock, &error);
        if (!vm.memory)
                fail(error);
        lock_acquire(&vm.lock);
        memory_map_ram(vm.memory, 0, 0, RAM_BYTES, false, 0, "ram");
        lock_release(&vm.lock);
        vm.ram = memory_ram(vm.memory);
        isa_data_base(vm.base);
        memcpy(vm.ram + PHYS_DATA, vm.base, sizeof(vm.base));
        memset(vm.ram + PHYS_CODE, 0xcc, ISA_CODE_BYTES);
        make_world();
        vm.dbt = dbt_new(vm.memory, &options, &error);
        if (!vm.dbt)
                fail(error);
        vm.cpu = dbt_cpu_new(vm.dbt, 0, test_model(), &env, &error);
        if (!vm.cpu)
                fail(error);
        dbt_thread_enter(vm.cpu);
        for (; shared->next < shared->count; shared->next++) {
                const struct isa64_case *c = &shared->cases[shared->next];

                load_case(c);
                store_case(c, dbt_run(vm.cpu, CASE_BLOCKS), &shared->results[shared->next]);
                write_code(c, true);
        }
        _exit(0);
}
