/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - what runs a machine's vCPUs: the binary translator ("dbt") or hardware through /dev/kvm ("kvm").
 *
 * One thread per vCPU.  The machine creates an engine, adds its vCPUs, starts it, and stops it;
 * between engine_pause() and engine_resume() every vCPU stands between two instructions with all of
 * its state in struct cpu.  Functions are called on the main-loop thread without the machine lock
 * held, unless noted.
 */
#ifndef LODGER_ENGINE_ENGINE_H
#define LODGER_ENGINE_ENGINE_H

#include <glib.h>
#include <stdbool.h>
#include "cpu/cpu.h"

struct engine;

struct engine_options {
        bool check;                     /* run each block twice and compare */
        uint64_t cache_bytes;           /* translated code; 0: default */
        /* A vCPU thread, without locks: check found a difference, has reported it, and the vCPU will not run on. */
        void (*check_failed)(void *opaque);
        /* A vCPU thread, without locks: the machine has moved to another engine by itself.  May be NULL. */
        void (*moved)(void *opaque);
        void *opaque;
        struct lock *machine_lock;      /* the physical map's */
};

/* Whether the named engine can run here; the reason, and what to do, in *why (caller frees). */
bool engine_probe(const char *name, char **why);
/* name: "auto", "dbt", "kvm".  NULL with error set when it cannot run here. */
struct engine *engine_new(const char *name, struct memory *memory, const struct engine_options *options, GError **error);
const char *engine_name(const struct engine *engine);
/* Why KVM could not run the guest on, the last time; NULL: it never failed.  Paused, or from options.moved. */
const char *engine_moved_why(const struct engine *engine);
/* Adds a vCPU in reset state; vCPU 0 will run, others wait for SIPI.  env is copied. */
struct cpu *engine_add_cpu(struct engine *engine, unsigned index, const struct cpu_model *model,
                           const struct cpu_env *env, GError **error);
bool engine_start(struct engine *engine, GError **error);
/* Moves the guest to "dbt" or "kvm", between two instructions; it runs or is paused.  False with error set: it
 * stays where it is.  Main-loop thread. */
bool engine_switch(struct engine *engine, const char *name, GError **error);
void engine_pause(struct engine *engine);
void engine_resume(struct engine *engine);
/* A debugger's own pause, so that a reset or a resume meant for others does not end it.  stop is called on a
 * vCPU's thread when a breakpoint, a watchpoint or a step has stopped it (cpu->debug_stop); the others are on
 * their way then, and engine_debug_pause() waits for them. */
void engine_set_debug_stop(struct engine *engine, void (*stop)(void *opaque, struct cpu *cpu), void *opaque);
void engine_debug_pause(struct engine *engine);
void engine_debug_resume(struct engine *engine);
/* After the state of vCPUs or the bytes of RAM were changed from outside, all vCPUs stopped: what engines derive
 * from them (TLBs, translated code) is made anew. */
void engine_state_changed(struct engine *engine);
/* For a picture of RAM (memory/track.h).  Machine lock held.
 * True: from now on (off: no more) engine_collect_writes() tells which pages were written to.  False: the engine in
 * use asks the table of page states before it writes, or its hardware keeps no log. */
bool engine_log_writes(struct engine *engine, bool on);
bool engine_collect_writes(struct engine *engine);
void engine_free(struct engine *engine);        /* stops the threads first */
/* Counters by name, sorted: "blocks translated", "exits: io" ... ; caller frees the array's text. */
char *engine_statistics(struct engine *engine);

#endif
