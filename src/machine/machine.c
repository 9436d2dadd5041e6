/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.c - the life of a machine: made, run by a main loop, reset, ended.
 *
 *      machine_new()   lock, clock, memory, ports, engine; pc_build() adds the rest
 *      machine_run()   starts clock and vCPUs, then the main loop; returns when the machine has ended
 *      machine_free()  stops the vCPUs, frees devices in reverse order
 *
 * Threads: this file runs on the main-loop thread.  Guests ask for a reset or for the end from vCPU
 * threads (machine_request, machine lock held); the request is noted and the main loop woken, since
 * only it may stop vCPUs.  The guest runs on for some microseconds, as real ones do.
 */
#include <glib-unix.h>
#include <signal.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/log.h"
#include "cpu/state.h"
#include "machine/internal.h"
#include "machine/network.h"
#include "machine/storage.h"
#include "machine/virtio.h"

/* -- Requests ----------------------------------------------------------------------------------- */

static void machine_post(struct machine *machine, uint32_t pending)
{
        machine->pending |= pending;
        g_source_set_ready_time(machine->wake, 0);
}

void machine_post_end(struct machine *machine, enum machine_end end, int status)
{
        if (machine->pending & PENDING_END)
                return;                         /* the first reason is the reason */
        machine->end = end;
        machine->status = status;
        machine_post(machine, PENDING_END);
}

void machine_post_reset(struct machine *machine)
{
        if (machine->no_reboot)
                machine_post_end(machine, MACHINE_END_RESET, 3);
        else
                machine_post(machine, PENDING_RESET);
}

/* device_env.request: machine lock held. */
static void machine_request(void *opaque, enum machine_request request, int argument)
{
        struct machine *machine = opaque;

        switch (request) {
        case MACHINE_POWER_OFF:
                machine_post_end(machine, MACHINE_END_POWER_OFF, 0);
                break;
        case MACHINE_RESET:
                TRACE(BOOT, "reset asked for");
                machine_post_reset(machine);
                break;
        case MACHINE_DEBUG_EXIT:
                machine_post_end(machine, MACHINE_END_DEBUG_EXIT, argument);
                break;
        case MACHINE_A20_ON:
        case MACHINE_A20_OFF:
                pc_set_a20(machine, request == MACHINE_A20_ON);
                break;
        case MACHINE_CPU_INIT:
                if (!pc_cpu_init(machine)) {
                        TRACE(BOOT, "reset asked for through INIT");
                        machine_post_reset(machine);
                }
                break;
        case MACHINE_FERR_CLEAR:
                break;                          /* IGNNE# lasts only until the handler clears the error */
        }
}

/* cpu_env.shutdown, on a vCPU thread without the lock: a triple fault resets a PC. */
static void machine_cpu_shutdown(void *opaque, struct cpu *cpu)
{
        struct machine *machine = opaque;

        lock_acquire(&machine->lock);
        TRACE(EXCEPTION, "triple fault of vCPU %u", cpu->index);
        machine_post_reset(machine);
        lock_release(&machine->lock);
}

/* engine_options.check_failed: the translator is wrong, so nothing the guest goes on to do means anything. */
static void machine_check_failed(void *opaque)
{
        struct machine *machine = opaque;

        lock_acquire(&machine->lock);
        machine_post_end(machine, MACHINE_END_CHECK, 1);
        lock_release(&machine->lock);
}

/* engine_options.moved: whoever shows the engine has to hear of it. */
static void machine_moved(void *opaque)
{
        struct machine *machine = opaque;

        lock_acquire(&machine->lock);
        machine_post(machine, PENDING_MOVED);
        lock_release(&machine->lock);
}

/* input_watch_listening(); the lock is held. */
static void machine_listening_changed(void *opaque) { machine_post(opaque, PENDING_MOVED); }

/* -- Main loop ---------------------------------------------------------------------------------- */

static void machine_reset(struct machine *machine)
{
        engine_pause(machine->engine);
        lock_acquire(&machine->lock);
        for (guint i = 0; i < machine->devices->len; i++)
                device_reset(g_ptr_array_index(machine->devices, i));
        pc_reset(machine);
        input_forget(machine->input);
        lock_release(&machine->lock);
        if (!machine->paused)
                engine_resume(machine->engine);
}

static gboolean machine_wake_dispatch(GSource *source, GSourceFunc callback, gpointer opaque)
{
        struct machine *machine = opaque;
        uint32_t pending;

        (void)callback;
        g_source_set_ready_time(source, -1);
        lock_acquire(&machine->lock);
        pending = machine->pending;
        machine->pending &= PENDING_END;
        lock_release(&machine->lock);
        if ((pending & PENDING_MOVED) && machine->state_changed)
                machine->state_changed(machine->state_opaque);
        if (pending & PENDING_END)
                g_main_loop_quit(machine->loop);
        else if (pending & PENDING_RESET)
                machine_reset(machine);
        return G_SOURCE_CONTINUE;
}

static GSourceFuncs machine_wake_funcs = { .dispatch = machine_wake_dispatch };

static void machine_end_now(struct machine *machine, enum machine_end end, int status)
{
        lock_acquire(&machine->lock);
        machine_post_end(machine, end, status);
        lock_release(&machine->lock);
}

static gboolean machine_stop_signal(gpointer opaque)
{
        machine_end_now(opaque, MACHINE_END_STOPPED, 0);
        return G_SOURCE_CONTINUE;
}

static gboolean machine_timed_out(gpointer opaque)
{
        machine_end_now(opaque, MACHINE_END_TIMEOUT, 4);
        return G_SOURCE_CONTINUE;
}

/* Adds a source to the machine's context for the time of machine_run(). */
static void machine_attach(GPtrArray *sources, struct machine *machine, GSource *source, GSourceFunc fn)
{
        g_source_set_callback(source, fn, machine, NULL);
        g_source_attach(source, machine->context);
        g_ptr_array_add(sources, source);
}

static void source_remove(gpointer source)
{
        g_source_destroy(source);
        g_source_unref(source);
}

void machine_stop_time(struct machine *machine)
{
        if (machine->time_stopped)
                return;
        machine->time_stopped = true;
        clock_stop(machine->clock);
        cpu_stop_tsc(machine->cpu, machine->cpus);
}

static void machine_start_tsc(struct machine *machine)
{
        cpu_start_tsc(machine->cpu, machine->cpus);
        for (unsigned i = 0; i < machine->cpus; i++)
                lapic_tsc_changed(machine->lapic[i]);
}

void machine_start_time(struct machine *machine)
{
        if (!machine->time_stopped)
                return;
        machine->time_stopped = false;
        machine_start_tsc(machine);
        clock_start(machine->clock);
}

bool machine_run(struct machine *machine, enum machine_end *end, int *status, GError **error)
{
        GPtrArray *sources = g_ptr_array_new_with_free_func(source_remove);
        bool ok;

        machine_attach(sources, machine, g_unix_signal_source_new(SIGINT), machine_stop_signal);
        machine_attach(sources, machine, g_unix_signal_source_new(SIGTERM), machine_stop_signal);
        machine_attach(sources, machine, g_unix_signal_source_new(SIGHUP), machine_stop_signal);
        if (machine->timeout_seconds > 0) {
                double ms = MIN(machine->timeout_seconds * 1000, (double)G_MAXUINT);

                machine_attach(sources, machine, g_timeout_source_new((guint)ms), machine_timed_out);
        }
        machine->started_us = g_get_monotonic_time();
        if (machine->restored)
                machine_start_tsc(machine);
        machine->restored = false;
        clock_start(machine->clock);
        ok = engine_start(machine->engine, error);
        if (ok) {
                g_main_loop_run(machine->loop);
                engine_pause(machine->engine);
                *end = machine->end;
                *status = machine->status;
        }
        machine_checkpoint_cancel(machine);
        machine_lazy_finish(machine, true);
        clock_stop(machine->clock);
        g_ptr_array_free(sources, TRUE);
        return ok;
}

/* -- Making and freeing ------------------------------------------------------------------------- */

struct device *machine_add_device(struct machine *machine, const char *class_name, const char *id)
{
        struct device *device = device_new(class_name, id, &machine->env);

        g_ptr_array_add(machine->devices, device);
        return device;
}

bool machine_start_device(struct device *device, GError **error)
{
        return device_start(device, error);
}

/* The vCPUs, with what surrounds them; pc.c fills in the interrupt side. */
static bool machine_add_cpus(struct machine *machine, const struct machine_config *config, struct cpu_env *env,
                             GError **error)
{
        const struct cpu_model *model = cpu_model_find(config->cpu_model ? config->cpu_model : "host");

        if (!model) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "no CPU model is called \"%s\"",
                            config->cpu_model);
                return false;
        }
        env->opaque = machine;
        env->shutdown = machine_cpu_shutdown;
        machine->cpu = g_new0(struct cpu *, machine->cpus);
        machine->lapic = g_new0(struct lapic *, machine->cpus);
        for (unsigned i = 0; i < machine->cpus; i++) {
                machine->cpu[i] = engine_add_cpu(machine->engine, i, model, env, error);
                if (!machine->cpu[i])
                        return false;
                machine->lapic[i] = lapic_new(machine->cpu[i], machine->clock, &machine->lock);
        }
        lapic_map(machine->lapic[0], machine->memory);
        return true;
}

void machine_serial_quit(void *opaque)
{
        machine_end_now(opaque, MACHINE_END_STOPPED, 0);
}

static bool machine_add_serials(struct machine *machine, const GPtrArray *specs, GError **error)
{
        struct serial_host host = { &machine->lock, machine_serial_quit, machine };

        for (guint i = 0; specs && i < specs->len; i++) {
                struct serial_backend *backend = serial_backend_new(g_ptr_array_index(specs, i), &host, error);

                if (!backend)
                        return false;
                g_ptr_array_add(machine->serial_backends, backend);
                if (serial_backend_place(backend))
                        g_printerr("serial%u is %s\n", i, serial_backend_place(backend));
        }
        return true;
}

static void machine_configure(struct machine *machine, const struct machine_config *config)
{
        machine->name = config->name ? g_strdup(config->name) : g_strdup_printf("lodger-%d", (int)getpid());
        machine->ram_bytes = config->memory_bytes;
        machine->cpus = config->cpus ? config->cpus : 1;
        machine->no_reboot = config->no_reboot;
        machine->timeout_seconds = config->timeout_seconds;
}

struct machine *machine_new(const struct machine_config *config, GError **error)
{
        struct machine *machine = g_new0(struct machine, 1);
        struct engine_options options = { .check = config->check, .check_failed = machine_check_failed, .opaque = machine,
                                          .moved = machine_moved, .machine_lock = &machine->lock };
        struct cpu_env cpu_env = { 0 };

        lock_init(&machine->lock, LOCK_RANK_MACHINE, "machine");
        machine_configure(machine, config);
        machine->devices = g_ptr_array_new();
        machine->serial_backends = g_ptr_array_new();
        machine->context = g_main_context_ref_thread_default();
        machine->loop = g_main_loop_new(machine->context, FALSE);
        machine->wake = g_source_new(&machine_wake_funcs, sizeof(GSource));
        g_source_set_callback(machine->wake, NULL, machine, NULL);
        g_source_attach(machine->wake, machine->context);

        machine->clock = clock_new(&machine->lock);
        machine->input = input_new(machine->clock);
        input_watch_listening(machine->input, machine_listening_changed, machine);
        machine->memory = memory_new(machine->ram_bytes, &machine->lock, error);
        if (!machine->memory)
                goto fail;
        machine->ports = ports_new(&machine->lock);
        machine->env = (struct device_env){
                .memory = machine->memory, .ports = machine->ports, .clock = machine->clock, .lock = &machine->lock,
                .request = machine_request, .opaque = machine,
        };
        machine->engine = engine_new(config->engine ? config->engine : "auto", machine->memory, &options, error);
        if (!machine->engine || !machine_add_serials(machine, config->serials, error) ||
            !virtio_open_consoles(machine, config, error) || !network_open(machine, config, error))
                goto fail;
        pc_fill_cpu_env(&cpu_env);
        lock_acquire(&machine->lock);
        if (!machine_add_cpus(machine, config, &cpu_env, error) || !pc_build(machine, config, error)) {
                lock_release(&machine->lock);
                goto fail;
        }
        lock_release(&machine->lock);
        return machine;
fail:
        machine_free(machine);
        return NULL;
}

void machine_free(struct machine *machine)
{
        if (!machine)
                return;
        if (machine->engine)
                engine_pause(machine->engine);
        machine_lazy_finish(machine, true);
        lock_acquire(&machine->lock);
        for (guint i = machine->devices->len; i-- > 0;)
                device_free(g_ptr_array_index(machine->devices, i));
        if (machine->lapic)
                for (unsigned i = 0; i < machine->cpus; i++)
                        if (machine->lapic[i])
                                lapic_free(machine->lapic[i]);
        input_free(machine->input);
        storage_free(machine);
        lock_release(&machine->lock);
        g_ptr_array_free(machine->devices, TRUE);
        for (guint i = 0; i < machine->serial_backends->len; i++)
                serial_backend_free(g_ptr_array_index(machine->serial_backends, i));
        g_ptr_array_free(machine->serial_backends, TRUE);
        virtio_free(machine);
        network_close(machine);
        if (machine->engine)
                engine_free(machine->engine);
        if (machine->ports)
                ports_free(machine->ports);
        if (machine->memory)
                memory_free(machine->memory);
        clock_free(machine->clock);
        if (machine->firmware)
                g_bytes_unref(machine->firmware);
        g_source_destroy(machine->wake);
        g_source_unref(machine->wake);
        g_main_loop_unref(machine->loop);
        g_main_context_unref(machine->context);
        lock_destroy(&machine->lock);
        g_free(machine->lapic);
        g_free(machine->cpu);
        g_free(machine->name);
        g_free(machine);
}
