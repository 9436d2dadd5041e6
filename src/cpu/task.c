/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task.c - hardware task switches (SDM 3A chapter 8).
 *
 * The descriptor is checked as the SDM says.  The switch itself is not modelled: where one would
 * happen it is reported and refused with #GP(TSS selector), before anything has changed.  No system
 * since the early nineties depends on one, except for double-fault handlers in task gates.
 */
#include "base/log.h"
#include "cpu/segment.h"

/* A JMP, CALL or interrupt goes to an available TSS, IRET back to a busy one (SDM 3A 8.3). */
static bool check_descriptor(struct cpu *cpu, uint16_t selector, enum task_switch_reason reason, uint32_t ext)
{
        bool back = reason == TASK_IRET;
        unsigned types = back ? 1 << TYPE_TSS16_BUSY | 1 << TYPE_TSS32_BUSY : 1 << TYPE_TSS16 | 1 << TYPE_TSS32;
        enum exception vector = back ? EXC_TS : EXC_GP;
        uint32_t error = selector_error(selector) | ext;
        struct descriptor descriptor;

        /* Entry 0 of the GDT is no TSS, so a null selector fails like any other. */
        if (selector_is_null(selector) || (selector & SELECTOR_TI))
                return cpu_raise_error(cpu, vector, error);
        if (!descriptor_read(cpu, selector, vector, error, &descriptor))
                return false;
        if (!descriptor_is_system(descriptor.raw) || !(types >> descriptor_type(descriptor.raw) & 1))
                return cpu_raise_error(cpu, vector, error);
        return descriptor_present(descriptor.raw) || cpu_raise_error(cpu, EXC_NP, error);
}

bool task_switch(struct cpu *cpu, uint16_t selector, enum task_switch_reason reason, uint32_t ext)
{
        static const char *const names[] = {
                [TASK_JMP] = "JMP", [TASK_CALL] = "CALL", [TASK_INTERRUPT] = "interrupt", [TASK_IRET] = "IRET",
        };

        if (!check_descriptor(cpu, selector, reason, ext))
                return false;
        cpu_host_begin(cpu);
        guest_error("cpu", "hardware task switch (%s) to TSS %#x is not supported", names[reason], selector);
        return cpu_raise_error(cpu, EXC_GP, selector_error(selector) | ext);
}
