/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug.c - what a debugger may do to a machine.
 */
#include <string.h>

#include "base/clock.h"
#include "machine/debug.h"
#include "machine/internal.h"

/* On the main loop, after a vCPU stopped by itself. */
static gboolean debug_stopped(gpointer opaque)
{
        struct machine *machine = opaque;

        if (machine->debug_stopped) {
                machine_debug_pause(machine);
                machine->debug_stopped(machine->debug_opaque);
        }
        return G_SOURCE_REMOVE;
}

/* On a vCPU's thread. */
static void cpu_stopped(void *opaque, struct cpu *cpu)
{
        struct machine *machine = opaque;
        GSource *source = g_idle_source_new();

        (void)cpu;
        /* Before what the debugger says next, which may let the machine go on. */
        g_source_set_priority(source, G_PRIORITY_HIGH);
        g_source_set_callback(source, debug_stopped, machine, NULL);
        g_source_attach(source, machine->context);
        g_source_unref(source);
}

void machine_debug_attach(struct machine *machine, void (*stopped)(void *opaque), void *opaque)
{
        machine->debug_stopped = stopped;
        machine->debug_opaque = opaque;
        engine_set_debug_stop(machine->engine, stopped ? cpu_stopped : NULL, machine);
}

void machine_debug_pause(struct machine *machine)
{
        engine_debug_pause(machine->engine);
        if (!machine->debug_paused)
                clock_stop(machine->clock);
        machine->debug_paused = true;
}

void machine_debug_resume(struct machine *machine)
{
        if (machine->debug_paused)
                clock_start(machine->clock);
        machine->debug_paused = false;
        engine_debug_resume(machine->engine);
}

void machine_debug_kill(struct machine *machine)
{
        lock_acquire(&machine->lock);
        machine_post_end(machine, MACHINE_END_STOPPED, 0);
        lock_release(&machine->lock);
}

unsigned machine_debug_cpus(const struct machine *machine) { return machine->cpus; }

struct cpu *machine_debug_cpu(struct machine *machine, unsigned index) { return machine->cpu[index]; }

/* Every page of the range must be what is asked for. */
static bool range_is(struct machine *machine, gpa_t gpa, size_t bytes, bool write)
{
        for (gpa_t page = gpa & PAGE_MASK; page < gpa + bytes; page += PAGE_SIZE) {
                struct page_info info = memory_page(machine->memory, page);
                if (!info.host || (write && info.kind != PAGE_RAM))
                        return false;
        }
        return true;
}

bool machine_debug_read(struct machine *machine, gpa_t gpa, void *to, size_t bytes)
{
        lock_acquire(&machine->lock);
        bool done = range_is(machine, gpa, bytes, false) && memory_read(machine->memory, gpa, to, bytes);
        lock_release(&machine->lock);
        return done;
}

bool machine_debug_write(struct machine *machine, gpa_t gpa, const void *from, size_t bytes)
{
        lock_acquire(&machine->lock);
        bool done = range_is(machine, gpa, bytes, true) && memory_write(machine->memory, gpa, from, bytes);
        lock_release(&machine->lock);
        return done;
}
