/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.c - vCPU threads, and which engine runs them.
 *
 * Whichever runs it, a vCPU's struct cpu is the translator's, which every machine has: a guest can always be
 * handed over to it.  The classes below are the ways to run one.
 *
 * Each vCPU thread is in one of three places: running guest code, asleep because the guest halted, or
 * parked because the machine is paused.  engine_pause() asks with CPU_REQUEST_EXIT and waits until all
 * are parked.
 *
 * All vCPUs run under one engine at a time, since KVM writes to memory without telling the translator.  So a hand-over
 * has a barrier: hand_over() waits until no other vCPU is in KVM, and none enters meanwhile.
 */
#include <gio/gio.h>
#include <string.h>
#include "base/log.h"
#include "cpu/lapic.h"
#include "dbt/dbt.h"
#include "engine/engine.h"
#include "engine/kvm/kvm.h"

/* Why a vCPU came back. */
enum run_end { RUN_AGAIN, RUN_SHUTDOWN, RUN_DEBUG, RUN_CHECK, RUN_HALTED, RUN_FAILED };

struct vcpu;

struct engine_class {
        const char *name;
        enum run_end (*run)(struct vcpu *vcpu);
};

struct vcpu {
        struct engine *engine;
        struct cpu *cpu;
        struct kvm_vcpu *kvm;           /* NULL: never ran under KVM */
        pthread_t thread;
        bool started;
        bool parked;
        bool in_kvm;                    /* under the engine's mutex */
};

struct engine {
        struct memory *memory;
        struct dbt *dbt;
        struct kvm *kvm;                /* NULL: not opened */
        GPtrArray *vcpus;
        struct engine_options options;
        pthread_mutex_t mutex;          /* everything below, and vcpu->parked */
        pthread_cond_t changed;
        const struct engine_class *class;       /* what runs vCPUs */
        bool handing_over;              /* no vCPU enters KVM */
        bool paused, debug_paused, stopping;
        char *moved_why;
        void (*debug_stop)(void *opaque, struct cpu *cpu);
        void *debug_opaque;
};

/* -- Classes ------------------------------------------------------------------------------------- */

static enum run_end run_dbt(struct vcpu *vcpu)
{
        switch (dbt_run(vcpu->cpu, 0)) {
        case DBT_STOP_SHUTDOWN: return RUN_SHUTDOWN;
        case DBT_STOP_DEBUG: return RUN_DEBUG;
        case DBT_STOP_CHECK: return RUN_CHECK;
        case DBT_STOP_HALTED: return RUN_HALTED;
        case DBT_STOP_REQUEST:
        case DBT_STOP_BLOCKS: break;
        }
        return RUN_AGAIN;
}

static enum run_end run_kvm(struct vcpu *vcpu)
{
        switch (kvm_vcpu_run(vcpu->kvm)) {
        case KVM_STOP_SHUTDOWN: return RUN_SHUTDOWN;
        case KVM_STOP_FAILED: return RUN_FAILED;
        case KVM_STOP_DEBUG: return RUN_DEBUG;
        case KVM_STOP_REQUEST: break;
        }
        return RUN_AGAIN;
}

static const struct engine_class class_dbt = { "dbt", run_dbt }, class_kvm = { "kvm", run_kvm };

bool engine_probe(const char *name, char **why)
{
        struct kvm_report report;
        bool works;

        if (!strcmp(name, "kvm")) {
                kvm_probe(&report);
                works = report.works;
                *why = g_strdup_printf(report.remedy ? "%s; %s" : "%s", report.why, report.remedy);
                kvm_report_clear(&report);
                return works;
        }
        if (strcmp(name, "dbt") && strcmp(name, "auto")) {
                *why = g_strdup_printf("there is no engine '%s'; the engines are auto, dbt and kvm", name);
                return false;
        }
        char *problem = dbt_why_not();
        if (problem) {
                *why = problem;
                return false;
        }
        *why = g_strdup("binary translation works here: no privilege and no device needed");
        return true;
}

/* KVM where it was asked for, or where "auto" may trust it.  False: it was asked for and cannot be had. */
static bool choose_kvm(struct engine *engine, const char *name, GError **error)
{
        struct kvm_report report;

        if (!strcmp(name, "auto") && !engine->options.check) {
                kvm_probe(&report);
                if (report.works)
                        engine->kvm = kvm_new(engine->memory, NULL);
                else
                        TRACE(BOOT, "engine auto: %s", report.why);
                kvm_report_clear(&report);
        } else if (!strcmp(name, "kvm")) {
                if (engine->options.check) {
                        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--check: checks the translator; use --engine dbt");
                        return false;
                }
                engine->kvm = kvm_new(engine->memory, error);
                if (!engine->kvm)
                        return false;
        }
        if (engine->kvm)
                engine->class = &class_kvm;
        return true;
}

struct engine *engine_new(const char *name, struct memory *memory, const struct engine_options *options, GError **error)
{
        struct dbt_options dbt_options = { 0 };

        if (strcmp(name, "dbt") && strcmp(name, "auto") && strcmp(name, "kvm")) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "there is no engine '%s'; use auto, dbt or kvm", name);
                return NULL;
        }
        if (options) {
                dbt_options.check = options->check;
                dbt_options.cache_bytes = options->cache_bytes;
        }
        struct dbt *dbt = dbt_new(memory, &dbt_options, error);
        if (!dbt)
                return NULL;
        struct engine *engine = g_new0(struct engine, 1);
        engine->memory = memory;
        engine->class = &class_dbt;
        if (options)
                engine->options = *options;
        engine->dbt = dbt;
        engine->vcpus = g_ptr_array_new_with_free_func(g_free);
        pthread_mutex_init(&engine->mutex, NULL);
        pthread_cond_init(&engine->changed, NULL);
        if (!choose_kvm(engine, name, error)) {
                engine_free(engine);
                return NULL;
        }
        return engine;
}

static const struct engine_class *current_class(const struct engine *engine) { return __atomic_load_n(&engine->class, __ATOMIC_SEQ_CST); }

const char *engine_name(const struct engine *engine) { return current_class(engine)->name; }
const char *engine_moved_why(const struct engine *engine) { return engine->moved_why; }

struct cpu *engine_add_cpu(struct engine *engine, unsigned index, const struct cpu_model *model,
                           const struct cpu_env *env, GError **error)
{
        struct cpu *cpu = dbt_cpu_new(engine->dbt, index, model, env, error);

        if (!cpu)
                return NULL;
        struct vcpu *vcpu = g_new0(struct vcpu, 1);
        vcpu->engine = engine;
        vcpu->cpu = cpu;
        g_ptr_array_add(engine->vcpus, vcpu);
        return cpu;
}

/* -- Running ------------------------------------------------------------------------------------- */

/* Waits while the machine is paused; false when it is to end. */
static bool park(struct vcpu *vcpu)
{
        struct engine *engine = vcpu->engine;

        pthread_mutex_lock(&engine->mutex);
        vcpu->in_kvm = false;
        pthread_cond_broadcast(&engine->changed);
        while ((engine->paused || engine->debug_paused || engine->handing_over) && !engine->stopping) {
                vcpu->parked = engine->paused || engine->debug_paused;
                pthread_cond_broadcast(&engine->changed);
                pthread_cond_wait(&engine->changed, &engine->mutex);
        }
        vcpu->parked = false;
        vcpu->in_kvm = engine->class == &class_kvm;
        bool go_on = !engine->stopping;
        pthread_mutex_unlock(&engine->mutex);
        return go_on;
}

static void ask_to_leave(struct engine *engine)
{
        for (guint i = 0; i < engine->vcpus->len; i++) {
                struct vcpu *vcpu = g_ptr_array_index(engine->vcpus, i);
                cpu_request(vcpu->cpu, CPU_REQUEST_EXIT);
        }
}

/* One vCPU has stopped for the debugger: so do all. */
static void debug_stopped(struct vcpu *vcpu)
{
        struct engine *engine = vcpu->engine;

        pthread_mutex_lock(&engine->mutex);
        engine->debug_paused = engine->debug_stop != NULL;
        if (!engine->debug_stop)
                vcpu->cpu->debug_stop = 0;
        else
                engine->debug_stop(engine->debug_opaque, vcpu->cpu);
        ask_to_leave(engine);
        pthread_mutex_unlock(&engine->mutex);
}

/* -- Moving a guest ------------------------------------------------------------------------------ */

/* No vCPU runs.  KVM's writes to code went unseen, so all that was translated is forgotten. */
static void to_dbt(struct engine *engine)
{
        kvm_set_active(engine->kvm, false);
        dbt_forget(engine->dbt);
        __atomic_store_n(&engine->class, &class_dbt, __ATOMIC_SEQ_CST);
}

static bool to_kvm(struct engine *engine, GError **error)
{
        for (guint i = 0; i < engine->vcpus->len; i++) {
                struct vcpu *vcpu = g_ptr_array_index(engine->vcpus, i);

                if (!vcpu->kvm)
                        vcpu->kvm = kvm_vcpu_new(engine->kvm, vcpu->cpu, error);
                if (!vcpu->kvm)
                        return false;
        }
        lock_acquire(engine->options.machine_lock);
        kvm_set_active(engine->kvm, true);
        kvm_refresh(engine->kvm);
        lock_release(engine->options.machine_lock);
        __atomic_store_n(&engine->class, &class_kvm, __ATOMIC_SEQ_CST);
        return true;
}

/* KVM cannot run this vCPU on: the machine goes on under the translator, from the same instruction.  Of several
 * that fail at once the first one does it. */
static void hand_over(struct vcpu *vcpu)
{
        struct engine *engine = vcpu->engine;
        bool mine;

        pthread_mutex_lock(&engine->mutex);
        vcpu->in_kvm = false;
        mine = !engine->handing_over && engine->class == &class_kvm;
        if (mine) {
                engine->handing_over = true;
                ask_to_leave(engine);
                for (guint i = 0; i < engine->vcpus->len; i++)
                        while (((struct vcpu *)g_ptr_array_index(engine->vcpus, i))->in_kvm)
                                pthread_cond_wait(&engine->changed, &engine->mutex);
                to_dbt(engine);
                engine->handing_over = false;
        }
        pthread_cond_broadcast(&engine->changed);
        pthread_mutex_unlock(&engine->mutex);
        if (!mine)
                return;
        g_free(engine->moved_why);
        engine->moved_why = g_strdup(kvm_vcpu_reason(vcpu->kvm));
        log_warning("engine: kvm -> dbt at RIP=%#llx, %s, exits=%llu", (unsigned long long)vcpu->cpu->rip,
                    kvm_vcpu_reason(vcpu->kvm), (unsigned long long)kvm_vcpu_exits(vcpu->kvm));
        if (engine->options.moved)
                engine->options.moved(engine->options.opaque);
}

bool engine_switch(struct engine *engine, const char *name, GError **error)
{
        const struct engine_class *from;
        bool was_paused, ok = true;

        if (strcmp(name, "dbt") && strcmp(name, "kvm")) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "there is no engine '%s' to move to; use dbt or kvm", name);
                return false;
        }
        if (engine->options.check) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "the machine checks the translator (--check), and stays there");
                return false;
        }
        pthread_mutex_lock(&engine->mutex);
        was_paused = engine->paused;
        pthread_mutex_unlock(&engine->mutex);
        if (!was_paused)
                engine_pause(engine);
        from = current_class(engine);
        if (!strcmp(name, "kvm") && from != &class_kvm) {
                if (!engine->kvm)
                        engine->kvm = kvm_new(engine->memory, error);
                ok = engine->kvm && to_kvm(engine, error);
        } else if (!strcmp(name, "dbt") && from != &class_dbt) {
                to_dbt(engine);
        }
        if (ok && from != current_class(engine)) {
                struct vcpu *first = g_ptr_array_index(engine->vcpus, 0);

                log_warning("engine: %s -> %s at RIP=%#llx, as asked, exits=%llu", from->name, current_class(engine)->name,
                            (unsigned long long)first->cpu->rip, (unsigned long long)(first->kvm ? kvm_vcpu_exits(first->kvm) : 0));
        }
        if (!was_paused)
                engine_resume(engine);
        return ok;
}

/* -- Threads ------------------------------------------------------------------------------------- */

/* Nothing runs on this vCPU until the machine, which has been told, resets or ends. */
static void stand_still(struct vcpu *vcpu)
{
        vcpu->cpu->halted = 1;
        vcpu->cpu->iflag = 0;
}

static void *vcpu_thread(void *opaque)
{
        struct vcpu *vcpu = opaque;

        dbt_thread_enter(vcpu->cpu);
        if (vcpu->cpu->lapic)
                lapic_bind_thread(vcpu->cpu->lapic);
        while (park(vcpu)) {
                switch ((vcpu->in_kvm ? &class_kvm : &class_dbt)->run(vcpu)) {
                case RUN_AGAIN:
                        break;
                case RUN_SHUTDOWN:
                        stand_still(vcpu);
                        break;
                case RUN_DEBUG:
                        debug_stopped(vcpu);
                        break;
                case RUN_CHECK:
                        if (vcpu->engine->options.check_failed)
                                vcpu->engine->options.check_failed(vcpu->engine->options.opaque);
                        stand_still(vcpu);
                        break;
                case RUN_HALTED:
                        dbt_wait(vcpu->cpu);
                        break;
                case RUN_FAILED:
                        hand_over(vcpu);
                        break;
                }
        }
        dbt_thread_leave();
        return NULL;
}

bool engine_start(struct engine *engine, GError **error)
{
        if (engine->kvm && current_class(engine) == &class_kvm && !to_kvm(engine, error))
                return false;
        for (guint i = 0; i < engine->vcpus->len; i++) {
                struct vcpu *vcpu = g_ptr_array_index(engine->vcpus, i);
                int result = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
                if (result) {
                        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(result), "cannot start the thread of vCPU %u: %s", i,
                                    g_strerror(result));
                        return false;
                }
                vcpu->started = true;
        }
        return true;
}

static void pause_all(struct engine *engine, bool *flag)
{
        pthread_mutex_lock(&engine->mutex);
        *flag = true;
        ask_to_leave(engine);
        for (guint i = 0; i < engine->vcpus->len; i++) {
                struct vcpu *vcpu = g_ptr_array_index(engine->vcpus, i);
                while (vcpu->started && !vcpu->parked)
                        pthread_cond_wait(&engine->changed, &engine->mutex);
        }
        pthread_mutex_unlock(&engine->mutex);
}

static void resume_all(struct engine *engine, bool *flag)
{
        pthread_mutex_lock(&engine->mutex);
        *flag = false;
        pthread_cond_broadcast(&engine->changed);
        pthread_mutex_unlock(&engine->mutex);
}

/* -- Pausing and ending --------------------------------------------------------------------------- */

void engine_pause(struct engine *engine) { pause_all(engine, &engine->paused); }
void engine_resume(struct engine *engine) { resume_all(engine, &engine->paused); }
void engine_debug_pause(struct engine *engine) { pause_all(engine, &engine->debug_paused); }
void engine_debug_resume(struct engine *engine) { resume_all(engine, &engine->debug_paused); }

void engine_set_debug_stop(struct engine *engine, void (*stop)(void *opaque, struct cpu *cpu), void *opaque)
{
        pthread_mutex_lock(&engine->mutex);
        engine->debug_stop = stop;
        engine->debug_opaque = opaque;
        pthread_mutex_unlock(&engine->mutex);
}

void engine_state_changed(struct engine *engine)
{
        dbt_flush(engine->dbt);
        for (guint i = 0; i < engine->vcpus->len; i++)
                dbt_state_changed(((struct vcpu *)g_ptr_array_index(engine->vcpus, i))->cpu);
}

bool engine_log_writes(struct engine *engine, bool on)
{
        /* A guest may have moved to the translator since the log began. */
        if (!engine->kvm || (on && current_class(engine) != &class_kvm))
                return false;
        return kvm_log_writes(engine->kvm, on);
}

bool engine_collect_writes(struct engine *engine) { return kvm_collect_writes(engine->kvm); }

void engine_free(struct engine *engine)
{
        if (!engine)
                return;
        pthread_mutex_lock(&engine->mutex);
        engine->stopping = true;
        pthread_cond_broadcast(&engine->changed);
        pthread_mutex_unlock(&engine->mutex);
        ask_to_leave(engine);
        for (guint i = 0; i < engine->vcpus->len; i++) {
                struct vcpu *vcpu = g_ptr_array_index(engine->vcpus, i);
                if (vcpu->started)
                        pthread_join(vcpu->thread, NULL);
                kvm_vcpu_free(vcpu->kvm);
                dbt_cpu_free(vcpu->cpu);
        }
        g_ptr_array_free(engine->vcpus, TRUE);
        kvm_free(engine->kvm);
        dbt_free(engine->dbt);
        pthread_mutex_destroy(&engine->mutex);
        pthread_cond_destroy(&engine->changed);
        g_free(engine->moved_why);
        g_free(engine);
}

static int compare_lines(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

char *engine_statistics(struct engine *engine)
{
        static const char *const names[] = {
#define X(id, text) text,
                DBT_COUNTERS(X)
#undef X
        };
        GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

        for (unsigned i = 0; i < DBT_COUNTS; i++)
                g_ptr_array_add(lines, g_strdup_printf("%s: %llu\n", names[i],
                                                       (unsigned long long)dbt_counter(engine->dbt, (enum dbt_counter)i)));
        if (engine->kvm)
                g_ptr_array_add(lines, g_strdup_printf("exits: kvm: %llu\n", (unsigned long long)kvm_exits(engine->kvm)));
        g_ptr_array_sort(lines, compare_lines);
        g_ptr_array_add(lines, NULL);
        char *text = g_strjoinv("", (char **)lines->pdata);
        g_ptr_array_free(lines, TRUE);
        return text;
}
