/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig.h - what surrounds a device in a unit test: memory, ports, and a clock that stands still. */
#ifndef LODGER_TESTS_RIG_H
#define LODGER_TESTS_RIG_H

#include <check.h>
#include "devices/device.h"

struct rig {
        struct lock lock;
        struct memory *memory;
        struct ports *ports;
        struct clock *clock;
        struct device_env env;
        enum machine_request request;
        int argument;
        unsigned requests;
};

static inline void rig_request(void *opaque, enum machine_request request, int argument)
{
        struct rig *rig = opaque;

        rig->request = request;
        rig->argument = argument;
        rig->requests++;
}

static inline void rig_open(struct rig *rig)
{
        *rig = (struct rig){ 0 };
        lock_init(&rig->lock, LOCK_RANK_MACHINE, "machine");
        rig->memory = memory_new(4 << 20, &rig->lock, NULL);
        rig->ports = ports_new(&rig->lock);
        rig->clock = clock_new(&rig->lock);
        rig->env = (struct device_env){ .memory = rig->memory, .ports = rig->ports, .clock = rig->clock, .lock = &rig->lock,
                                        .request = rig_request, .opaque = rig };
}

static inline void rig_close(struct rig *rig)
{
        memory_free(rig->memory);
        ports_free(rig->ports);
        clock_free(rig->clock);
        lock_destroy(&rig->lock);
}

/* Calls device functions as a machine does: with its lock. */
static inline struct device *rig_start(struct rig *rig, struct device *device)
{
        GError *error = NULL;

        lock_acquire(&rig->lock);
        bool started = device_start(device, &error);
        lock_release(&rig->lock);
        ck_assert_msg(started, "%s: %s", device->id, error ? error->message : "no reason given");
        return device;
}

static inline void rig_free(struct rig *rig, struct device *device)
{
        lock_acquire(&rig->lock);
        device_free(device);
        lock_release(&rig->lock);
}

static inline uint8_t rig_in(struct rig *rig, uint16_t port)
{
        return (uint8_t)ports_read(rig->ports, port, 1);
}

static inline void rig_out(struct rig *rig, uint16_t port, uint8_t value)
{
        ports_write(rig->ports, port, value, 1);
}

/* Virtual time jumps to now_ns; no timer runs. */
static inline void rig_set_time(struct rig *rig, int64_t now_ns)
{
        clock_set_ns(rig->clock, now_ns);
}

/* Virtual time jumps on, and what is due then runs (time really passes meanwhile, a little). */
static inline void rig_pass(struct rig *rig, int64_t ns)
{
        clock_set_ns(rig->clock, clock_now_ns(rig->clock) + ns);
        clock_start(rig->clock);
        for (int i = 0; i < 3; i++)
                while (g_main_context_iteration(NULL, FALSE))
                        ;
        clock_stop(rig->clock);
}

#endif
