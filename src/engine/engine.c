/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.c - vCPU threads, and which engine runs them.
 *
 * Each vCPU thread is in one of three places: running guest code, asleep because the guest halted, or
 * parked because the machine is paused.  engine_pause() asks with CPU_REQUEST_EXIT and waits until all
 * are parked.
 */
#include <gio/gio.h>
#include <string.h>
#include "cpu/lapic.h"
#include "dbt/dbt.h"
#include "engine/engine.h"

struct vcpu {
        struct engine *engine;
        struct cpu *cpu;
        pthread_t thread;
        bool started;
        bool parked;
};

struct engine {
        const char *name;
        struct dbt *dbt;
        GPtrArray *vcpus;
        struct engine_options options;
        pthread_mutex_t mutex;          /* everything below, and vcpu->parked */
        pthread_cond_t changed;
        bool paused, debug_paused, stopping;
        void (*debug_stop)(void *opaque, struct cpu *cpu);
        void *debug_opaque;
};

bool engine_probe(const char *name, char **why)
{
        if (strcmp(name, "dbt") && strcmp(name, "auto")) {
                *why = g_strdup_printf("there is no engine '%s'; the engines are auto and dbt", name);
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

struct engine *engine_new(const char *name, struct memory *memory, const struct engine_options *options, GError **error)
{
        struct dbt_options dbt_options = { 0 };

        if (strcmp(name, "dbt") && strcmp(name, "auto")) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "there is no engine '%s'; use auto or dbt", name);
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
        engine->name = "dbt";
        if (options)
                engine->options = *options;
        engine->dbt = dbt;
        engine->vcpus = g_ptr_array_new_with_free_func(g_free);
        pthread_mutex_init(&engine->mutex, NULL);
        pthread_cond_init(&engine->changed, NULL);
        return engine;
}

const char *engine_name(const struct engine *engine) { return engine->name; }

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

/* Waits while the machine is paused; false when it is to end. */
static bool park(struct vcpu *vcpu)
{
        struct engine *engine = vcpu->engine;

        pthread_mutex_lock(&engine->mutex);
        while ((engine->paused || engine->debug_paused) && !engine->stopping) {
                vcpu->parked = true;
                pthread_cond_broadcast(&engine->changed);
                pthread_cond_wait(&engine->changed, &engine->mutex);
        }
        vcpu->parked = false;
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

static void *vcpu_thread(void *opaque)
{
        struct vcpu *vcpu = opaque;

        dbt_thread_enter(vcpu->cpu);
        if (vcpu->cpu->lapic)
                lapic_bind_thread(vcpu->cpu->lapic);
        while (park(vcpu)) {
                switch (dbt_run(vcpu->cpu, 0)) {
                case DBT_STOP_REQUEST:
                case DBT_STOP_BLOCKS:
                        break;
                case DBT_STOP_SHUTDOWN:
                        /* The machine has been told; nothing runs until it resets or ends. */
                        vcpu->cpu->halted = 1;
                        vcpu->cpu->iflag = 0;
                        break;
                case DBT_STOP_DEBUG:
                        debug_stopped(vcpu);
                        break;
                case DBT_STOP_CHECK:
                        if (vcpu->engine->options.check_failed)
                                vcpu->engine->options.check_failed(vcpu->engine->options.opaque);
                        vcpu->cpu->halted = 1;
                        vcpu->cpu->iflag = 0;
                        break;
                case DBT_STOP_HALTED:
                        dbt_wait(vcpu->cpu);
                        break;
                }
        }
        dbt_thread_leave();
        return NULL;
}

bool engine_start(struct engine *engine, GError **error)
{
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
                dbt_cpu_free(vcpu->cpu);
        }
        g_ptr_array_free(engine->vcpus, TRUE);
        dbt_free(engine->dbt);
        pthread_mutex_destroy(&engine->mutex);
        pthread_cond_destroy(&engine->changed);
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
        g_ptr_array_sort(lines, compare_lines);
        g_ptr_array_add(lines, NULL);
        char *text = g_strjoinv("", (char **)lines->pdata);
        g_ptr_array_free(lines, TRUE);
        return text;
}
