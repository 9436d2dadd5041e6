/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translator.c - runs one instruction at a time under the translator, in the world of isa.h.
 *
 * A machine without devices: 1 MiB of RAM, PAE paging with NX (so that error codes of fetches are the
 * host's), the pages of world.c for user code, and for the supervisor a GDT like Linux's, the LDT, an
 * IDT whose 32 gates lead to a HLT each, a TSS and a stack.  A case starts at CPL 3 and ends when a
 * HLT stops the vCPU: which one tells the vector, and the frame on the supervisor's stack has the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/lock.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "dbt/dbt.h"
#include "isa.h"

/* Guest-physical layout. */
enum {
        PHYS_PDPT = 0x1000, PHYS_PD_LOW = 0x2000, PHYS_PT_LOW = 0x3000, PHYS_PD_HIGH = 0x4000, PHYS_PT_HIGH = 0x5000,
        PHYS_GDT = 0x6000, PHYS_LDT = 0x6800, PHYS_IDT = 0x7000, PHYS_HANDLERS = 0x7800, PHYS_TSS = 0x8000,
        PHYS_STACK = 0x9000, PHYS_STACK_TOP = 0xb000, PHYS_CODE = 0x10000, PHYS_DATA = 0x20000, RAM_BYTES = 0x100000,
};
/* The supervisor's pages appear at the top of the linear space, where no case reaches. */
#define SYSTEM_LINEAR 0xffff0000u
enum { GDT_KERNEL_CODE = 0x08, GDT_KERNEL_DATA = 0x18, GDT_TSS = 0x40, GDT_LDT = 0x50, GDT_BYTES = 0x80 };
enum { VECTORS = 32, HANDLER_BYTES = 16, CASE_BLOCKS = 10000 };
enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40 };

static struct {
        struct lock lock;
        struct memory *memory;
        struct dbt *dbt;
        struct cpu *cpu;
        uint8_t *ram;
        uint8_t base[ISA_DATA_BYTES];
        uint64_t gdt[GDT_BYTES / 8], ldt[ISA_LDT_ENTRIES];
} vm;

/* -- The world --------------------------------------------------------------------------------- */

static void put64(uint32_t address, uint64_t value)
{
        memcpy(vm.ram + address, &value, 8);
}

static uint64_t make_descriptor(uint32_t base, uint32_t limit, unsigned access, bool big, bool pages)
{
        return (uint64_t)(limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
               (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)big << 54 | (uint64_t)pages << 55 | (uint64_t)(base >> 24) << 56;
}

static void make_page_tables(void)
{
        const uint64_t all = PTE_P | PTE_W | PTE_U | PTE_A;

        put64(PHYS_PDPT, PHYS_PD_LOW | PTE_P);
        put64(PHYS_PDPT + 3 * 8, PHYS_PD_HIGH | PTE_P);
        put64(PHYS_PD_LOW + (ISA_CODE >> 21) * 8, PHYS_PT_LOW | all);
        put64(PHYS_PD_HIGH + 511 * 8, PHYS_PT_HIGH | all);
        for (unsigned i = 0; i < ISA_CODE_BYTES / ISA_PAGE; i++)
                put64(PHYS_PT_LOW + i * 8, (PHYS_CODE + i * ISA_PAGE) | PTE_P | PTE_U | PTE_A | PTE_D);
        for (unsigned i = 0; i < ISA_DATA_BYTES / ISA_PAGE; i++) {
                unsigned index = ((ISA_DATA - ISA_CODE) >> 12) + i;
                uint64_t entry = (PHYS_DATA + i * ISA_PAGE) | PTE_P | PTE_U | PTE_A | PTE_D;

                if (isa_data_pages[i] != ISA_PAGE_HOLE)
                        put64(PHYS_PT_LOW + index * 8, entry | (isa_data_pages[i] == ISA_PAGE_RW ? PTE_W : 0));
        }
        for (unsigned page = PHYS_GDT; page < PHYS_STACK_TOP; page += ISA_PAGE)
                put64(PHYS_PT_HIGH + ((SYSTEM_LINEAR >> 12 & 511) + page / ISA_PAGE) * 8, page | PTE_P | PTE_W | PTE_A | PTE_D);
}

static void make_tables(void)
{
        uint32_t stack = SYSTEM_LINEAR + PHYS_STACK_TOP, kernel_data = GDT_KERNEL_DATA, io_map = 104;

        vm.gdt[GDT_KERNEL_CODE / 8] = make_descriptor(0, 0xfffff, 0x9b, true, true);
        vm.gdt[GDT_KERNEL_DATA / 8] = make_descriptor(0, 0xfffff, 0x93, true, true);
        vm.gdt[ISA_SEL_CODE32 / 8] = make_descriptor(0, 0xfffff, 0xfb, true, true);
        vm.gdt[ISA_SEL_FLAT / 8] = make_descriptor(0, 0xfffff, 0xf3, true, true);
        vm.gdt[GDT_TSS / 8] = make_descriptor(SYSTEM_LINEAR + PHYS_TSS, 103, 0x8b, false, false);
        vm.gdt[GDT_LDT / 8] = make_descriptor(SYSTEM_LINEAR + PHYS_LDT, sizeof(vm.ldt) - 1, 0x82, false, false);
        for (unsigned i = 0; i < ISA_LDT_ENTRIES; i++) {
                const struct isa_descriptor *d = &isa_ldt[i];
                unsigned access = 0x71 | (d->absent ? 0 : 0x80) | (d->read_only && !d->code ? 0 : 2) | (d->code ? 8 : 0) |
                                  (d->expand_down ? 4 : 0);

                vm.ldt[i] = make_descriptor(d->base, d->limit, access, d->big, false);
        }
        memcpy(vm.ram + PHYS_GDT, vm.gdt, sizeof(vm.gdt));
        memcpy(vm.ram + PHYS_LDT, vm.ldt, sizeof(vm.ldt));
        for (unsigned vector = 0; vector < VECTORS; vector++) {
                uint32_t handler = SYSTEM_LINEAR + PHYS_HANDLERS + vector * HANDLER_BYTES;
                bool user = vector == EXC_BP || vector == EXC_OF;      /* the gates Linux opens to INT n */

                put64(PHYS_IDT + vector * 8, (uint64_t)(handler & 0xffff) | (uint64_t)GDT_KERNEL_CODE << 16 |
                      (uint64_t)(user ? 0xee : 0x8e) << 40 | (uint64_t)(handler >> 16) << 48);
                memset(vm.ram + PHYS_HANDLERS + vector * HANDLER_BYTES, 0xf4, HANDLER_BYTES);
        }
        memcpy(vm.ram + PHYS_TSS + 4, &stack, 4);
        memcpy(vm.ram + PHYS_TSS + 8, &kernel_data, 4);
        io_map <<= 16;                  /* beyond the limit: every port is closed */
        memcpy(vm.ram + PHYS_TSS + 100, &io_map, 4);
}

static void load_segment(struct cpu *cpu, enum cpu_segment segment, uint16_t selector)
{
        uint64_t d = selector & 4 ? vm.ldt[selector >> 3] : vm.gdt[selector >> 3];
        struct segment *s = &cpu->seg[segment];

        memset(s, 0, sizeof(*s));
        s->selector = selector;
        if (selector & ~3) {
                s->base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
                s->limit = (uint32_t)((d & 0xffff) | (d >> 32 & 0xf0000));
                s->attr = (uint16_t)(d >> 40 & 0xf0ff);
                if (s->attr & SEG_G)
                        s->limit = s->limit << 12 | 0xfff;
        }
        cpu_segment_changed(cpu, segment);
}

/* -- One case ---------------------------------------------------------------------------------- */

static void write_code(const struct isa_case *c, bool restore)
{
        uint8_t bytes[ISA_CODE_MAX];

        memset(bytes, 0xcc, sizeof(bytes));
        if (!restore)
                memcpy(bytes, c->code, c->code_bytes);
        lock_acquire(&vm.lock);
        memory_write(vm.memory, PHYS_CODE + (c->code_linear - ISA_CODE), bytes, c->code_bytes);
        lock_release(&vm.lock);
}

static void load_case(const struct isa_case *c)
{
        static const enum cpu_segment segments[ISA_SEGMENTS] = { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };
        struct cpu *cpu = vm.cpu;
        uint64_t components = 3;

        write_code(c, false);
        isa_apply_patches(c, vm.ram + PHYS_DATA);
        cpu->cr0 = CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
        cpu->cr2 = 0;
        cpu->cr3 = PHYS_PDPT;
        cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
        cpu->efer = EFER_NXE;
        cpu->pdpte[0] = PHYS_PD_LOW | PTE_P;
        cpu->pdpte[1] = cpu->pdpte[2] = 0;
        cpu->pdpte[3] = PHYS_PD_HIGH | PTE_P;
        cpu->gdt = (struct descriptor_table){ SYSTEM_LINEAR + PHYS_GDT, GDT_BYTES - 1 };
        cpu->idt = (struct descriptor_table){ SYSTEM_LINEAR + PHYS_IDT, VECTORS * 8 - 1 };
        load_segment(cpu, SEG_LDTR, GDT_LDT);
        load_segment(cpu, SEG_TR, GDT_TSS);
        cpu->cpl = 3;
        for (unsigned i = 0; i < ISA_SEGMENTS; i++)
                load_segment(cpu, segments[i], c->before.seg[i]);
        for (unsigned i = 0; i < CPU_REGS; i++)
                cpu->regs[i] = i < 8 ? c->before.gpr[i] : 0;
        cpu->rip = cpu->next_rip = c->before.eip;
        cpu_set_rflags(cpu, c->before.eflags);
        cpu->shadow = 0;
        cpu->halted = 0;
        memset(&cpu->exception, 0, sizeof(cpu->exception));
        memset(cpu->dr, 0, sizeof(cpu->dr));
        cpu->dr[6] = 0xffff0ff0;
        cpu->dr[7] = 0x400;
        memcpy(cpu->fpu.image, &c->before.fx, sizeof(c->before.fx));
        memset(cpu->fpu.image + 512, 0, 64);
        memcpy(cpu->fpu.image + 512, &components, sizeof(components));
        cpu->fpu.ip = c->before.fx.ip;
        cpu->fpu.dp = c->before.fx.dp;
        cpu->fpu.op = c->before.fx.fop;
        cpu->fpu.cs = cpu->fpu.ds = 0;
        dbt_state_changed(cpu);
}

static void store_case(const struct isa_case *c, enum dbt_stop stop, struct isa_result *result)
{
        struct cpu *cpu = vm.cpu;
        uint64_t offset = cpu->rip - (SYSTEM_LINEAR + PHYS_HANDLERS);
        uint32_t frame[6], esp = (uint32_t)cpu->regs[RSP] - SYSTEM_LINEAR;
        bool has_error;

        cpu_host_begin(cpu);
        result->note[0] = 0;
        result->error = result->cr2 = 0;
        if (stop != DBT_STOP_HALTED || offset > VECTORS * HANDLER_BYTES || esp < PHYS_STACK || esp > PHYS_STACK_TOP - 20) {
                result->vector = stop == DBT_STOP_BLOCKS ? ISA_VECTOR_TIMEOUT : ISA_VECTOR_OTHER;
                snprintf(result->note, sizeof(result->note), "stopped: %u at rip %llx cpl %u esp %x", stop, (unsigned long long)cpu->rip,
                         cpu->cpl, (unsigned)cpu->regs[RSP]);
                return;
        }
        result->vector = (uint32_t)(offset / HANDLER_BYTES);
        has_error = result->vector == 8 || (result->vector >= 10 && result->vector <= 14) || result->vector == 17;
        memcpy(frame, vm.ram + esp, sizeof(frame));
        if (has_error) {
                result->error = frame[0];
                memmove(frame, frame + 1, 5 * sizeof(frame[0]));
        }
        if (result->vector == EXC_PF)
                result->cr2 = (uint32_t)cpu->cr2;
        for (unsigned i = 0; i < 8; i++)
                result->after.gpr[i] = (uint32_t)cpu->regs[i];
        result->after.eip = frame[0];
        result->after.eflags = frame[2];
        result->after.gpr[ISA_ESP] = frame[3];
        result->after.seg[ISA_CS] = (uint16_t)frame[1];
        result->after.seg[ISA_SS] = (uint16_t)frame[4];
        result->after.seg[ISA_DS] = cpu->seg[SEG_DS].selector;
        result->after.seg[ISA_ES] = cpu->seg[SEG_ES].selector;
        result->after.seg[ISA_FS] = cpu->seg[SEG_FS].selector;
        result->after.seg[ISA_GS] = cpu->seg[SEG_GS].selector;
        memcpy(&result->after.fx, cpu->fpu.image, sizeof(result->after.fx));
        result->after.fx.ip = cpu->fpu.ip;
        result->after.fx.dp = cpu->fpu.dp;
        result->after.fx.fop = cpu->fpu.op;
        isa_diff_data(c, vm.base, vm.ram + PHYS_DATA, result);
}

static void run_case(const struct isa_case *c, struct isa_result *result)
{
        load_case(c);
        store_case(c, dbt_run(vm.cpu, CASE_BLOCKS), result);
        write_code(c, true);
        memcpy(vm.ram + PHYS_DATA, vm.base, sizeof(vm.base));
        /* Descriptors get their accessed bits, and a TSS its busy bit. */
        memcpy(vm.ram + PHYS_GDT, vm.gdt, sizeof(vm.gdt));
        memcpy(vm.ram + PHYS_LDT, vm.ldt, sizeof(vm.ldt));
}

/* -- The child --------------------------------------------------------------------------------- */

/* What no case should reach; an answer is needed all the same. */
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
        const struct cpu_model *model = cpu_model_find("host");

        return model ? model : cpu_model_find(cpu_model_names()[0]);
}

void isa_translator_features(uint64_t features[2])
{
        features[0] = test_model()->features[0];
        features[1] = test_model()->features[1];
}

static void fail(GError *error)
{
        fprintf(stderr, "isa: translator runner: %s\n", error ? error->message : "cannot start");
        _exit(3);
}

void isa_translator_child(struct isa_shared *shared, int fd)
{
        static const struct cpu_env env = {
                .io_read = no_port_read, .io_write = no_port_write, .tsc = no_tsc, .acknowledge = no_acknowledge,
                .ferr = no_line, .shutdown = no_shutdown,
        };
        /* A small cache, so that chunks are evicted. */
        const struct dbt_options options = { .cache_bytes = 4 << 20, .no_bmi2 = getenv("ISA_NO_BMI2") };
        GError *error = NULL;
        char byte;

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
        make_page_tables();
        make_tables();
        vm.dbt = dbt_new(vm.memory, &options, &error);
        if (!vm.dbt)
                fail(error);
        vm.cpu = dbt_cpu_new(vm.dbt, 0, test_model(), &env, &error);
        if (!vm.cpu)
                fail(error);
        dbt_thread_enter(vm.cpu);
        while (read(fd, &byte, 1) == 1) {
                for (; shared->next < shared->count; shared->next++)
                        run_case(&shared->cases[shared->next], &shared->results[shared->next]);
                if (write(fd, &byte, 1) != 1)
                        break;
        }
        dbt_thread_leave();
        dbt_cpu_free(vm.cpu);
        dbt_free(vm.dbt);
        memory_free(vm.memory);
}
