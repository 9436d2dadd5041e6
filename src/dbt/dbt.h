/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dbt.h - the binary translator, as its engine and its tests see it.
 *
 * One struct dbt per machine: the code cache and the block tables that its vCPUs share.  One
 * dbt_cpu per vCPU; it starts with the architectural struct cpu, and sits at the top of the stack
 * on which helpers of translated code run (stubs.c).
 */
#ifndef LODGER_DBT_DBT_H
#define LODGER_DBT_DBT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "cpu/cpu.h"

struct dbt;

struct dbt_options {
        bool check;             /* run every block twice and compare (check.c) */
        bool no_bmi2;           /* as on a host without BMI2 (tests) */
        uint64_t cache_bytes;   /* 0: default, 32 MiB */
        const char *symbols;    /* of the guest's kernel, for profiles: System.map or vmlinux; NULL: none */
        bool perf_map;          /* tell the host's profilers about translated code */
};

/* Counters: id, text for people. */
#define DBT_COUNTERS(X) \
        X(BLOCKS, "blocks translated") \
        X(AGAIN, "blocks translated again: dropped before") \
        X(INSNS, "instructions translated") \
        X(CODE_BYTES, "bytes of code emitted") \
        X(LINKS, "blocks chained") \
        X(INVALIDATED, "blocks dropped: written to") \
        X(EVICTED, "blocks dropped: cache full") \
        X(ENTRIES, "entries into translated code") \
        X(EXIT_LINK, "exits: edge not chained") \
        X(EXIT_INDIRECT, "exits: indirect branch not cached, or page check") \
        X(EXIT_CALLOUT, "exits: instruction ends the block") \
        X(EXIT_SIGNAL, "exits: host signal") \
        X(CALLOUTS, "callouts: instructions executed in C") \
        X(STRINGS, "callouts: string instructions") \
        X(MEMORY_SLOW, "memory: accesses that missed the TLB") \
        X(MEMORY_BOUNCE, "memory: accesses through the bounce buffer") \
        X(SHORT, "exits: instruction in C, straight on") \
        X(UNGUESSABLE, "memory: guesses given up") \
        X(EXCEPTIONS, "exceptions delivered") \
        X(INTERRUPTS, "interrupts delivered") \
        X(HALTS, "halts") \
        X(GRACE, "vCPUs: waits before a page is translated or code memory reused") \
        X(EXCLUSIVE, "vCPUs: instructions for which the others were stopped") \
        X(YIELDS, "vCPUs: pause loops that gave the host CPU up") \
        X(CHECKED, "check: blocks run twice and compared") \
        X(CHECK_AGAIN, "check: comparisons repeated") \
        X(CHECK_NOT_C, "check: not compared, instruction executed in C or for a single step") \
        X(CHECK_NOT_SPAN, "check: not compared, span not in one page") \
        X(CHECK_NOT_TABLES, "check: not compared, page tables written to") \
        X(CHECK_NOT_DEVICE, "check: not compared, access to a device") \
        X(CHECK_NOT_WRITTEN, "check: not compared, code written to") \
        X(CHECK_NOT_HOT, "check: not compared, compared often before")

enum dbt_counter {
#define X(id, text) DBT_COUNT_##id,
        DBT_COUNTERS(X)
#undef X
        DBT_COUNTS
};

/* NULL with error set: no executable memory can be had, and what to do. */
struct dbt *dbt_new(struct memory *memory, const struct dbt_options *options, GError **error);
void dbt_free(struct dbt *dbt);
/* The reason why the translator cannot run on this host, or NULL. */
char *dbt_why_not(void);

/* A vCPU in reset state. */
struct cpu *dbt_cpu_new(struct dbt *dbt, unsigned index, const struct cpu_model *model, const struct cpu_env *env,
                        GError **error);
void dbt_cpu_free(struct cpu *cpu);

enum dbt_stop {
        DBT_STOP_REQUEST,       /* CPU_REQUEST_EXIT was raised (and has been cleared) */
        DBT_STOP_HALTED,        /* HLT, nothing deliverable pending */
        DBT_STOP_SHUTDOWN,      /* triple fault */
        DBT_STOP_BLOCKS,        /* max_blocks dispatches done */
        DBT_STOP_DEBUG,         /* breakpoint, watchpoint or step of the debugger: cpu->debug_stop, which it clears */
        DBT_STOP_CHECK,         /* options.check found a difference and has reported it */
};

/* Prepares the calling thread to run this vCPU (signal stack, who it is); undone by dbt_thread_leave. */
void dbt_thread_enter(struct cpu *cpu);
void dbt_thread_leave(void);
/* Runs the vCPU on the calling thread.  max_blocks 0: no limit. */
enum dbt_stop dbt_run(struct cpu *cpu, uint64_t max_blocks);
/* Sleeps until a halted vCPU has something to do. */
void dbt_wait(struct cpu *cpu);
/* After changing a vCPU's state from outside (reset, tests, restore): derived parts follow. */
void dbt_state_changed(struct cpu *cpu);
/* RESET, INIT and SIPI among the request bits are carried out on the vCPU's thread, and cleared: for an engine that
 * runs the vCPU instead. */
void dbt_take_reset(struct cpu *cpu, uint32_t bits);
/* cpu_request() calls it, on any thread, while something else than the translator runs the vCPU; NULL: nothing does. */
void dbt_set_kick(struct cpu *cpu, void (*kick)(void *opaque), void *opaque);
/* Drops every translated block. */
void dbt_flush(struct dbt *dbt);
/* The same on any thread, while no vCPU runs: memory was written by other means. */
void dbt_forget(struct dbt *dbt);
uint64_t dbt_counter(const struct dbt *dbt, enum dbt_counter counter);
/* Adds lines of text, "group: what: number", for all that is counted; any thread. */
void dbt_statistics(const struct dbt *dbt, GPtrArray *lines);
/* Host time stamps to milliseconds, as the host's clock has gone since the translator was made. */
uint64_t dbt_cycles_ms(const struct dbt *dbt, uint64_t cycles);

#endif
