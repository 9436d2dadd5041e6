/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task.c - hardware task switches (SDM 3A chapter 8).
 *
 * Not modelled: a switch is reported and refused with #GP(TSS selector), before anything has changed.
 * No system since the early nineties depends on one, except for double-fault handlers in task gates.
 */
#include "base/log.h"
#include "cpu/segment.h"

bool task_switch(struct cpu *cpu, uint16_t selector, enum task_switch_reason reason)
{
        static const char *const names[] = {
                [TASK_JMP] = "JMP", [TASK_CALL] = "CALL", [TASK_INTERRUPT] = "interrupt", [TASK_IRET] = "IRET",
        };

        cpu_host_begin(cpu);
        guest_error("cpu", "hardware task switch (%s) to TSS %#x is not supported", names[reason], selector);
        return cpu_raise_error(cpu, EXC_GP, selector_error(selector));
}
