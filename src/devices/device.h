/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device.h - what a device is to the machine: a class with a state table and a property table.
 *
 * One state table per device (style.md) serves snapshots, `info`, and the two generic tests
 * (coverage, round trip).  One property table serves the command line, configuration files and
 * dialogs.  A class registers itself with DEVICE_CLASS(); no list is edited.
 *
 * Threads: every callback runs with the machine lock held.
 */
#ifndef LODGER_DEVICES_DEVICE_H
#define LODGER_DEVICES_DEVICE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/state.h"
#include "memory/memory.h"
#include "memory/ports.h"

/* -- Wires ------------------------------------------------------------------------------------- */

/* An interrupt or other line.  The owner of the far end fills it in; the device only calls irq_set. */
struct irq {
        void (*set)(void *opaque, int line, bool level);
        void *opaque;
        int line;
};

static inline void irq_set(const struct irq *irq, bool level)
{
        if (irq->set)
                irq->set(irq->opaque, irq->line, level);
}

/* -- Properties -------------------------------------------------------------------------------- */

enum property_type { PROPERTY_BOOL, PROPERTY_UINT, PROPERTY_STRING };

struct property {
        const char *name;
        enum property_type type;
        size_t offset;                  /* bool, uint64_t or char * in the device's struct */
        uint64_t minimum, maximum;
        const char *initial;            /* as a user would write it */
        const char *unit;
        const char *help;               /* translatable, N_() */
};

/* -- Devices ----------------------------------------------------------------------------------- */

enum machine_request {
        MACHINE_POWER_OFF,              /* the guest switched itself off */
        MACHINE_RESET,                  /* hard reset of the whole machine */
        MACHINE_DEBUG_EXIT,             /* argument: process exit status */
        MACHINE_A20_ON, MACHINE_A20_OFF,
        MACHINE_CPU_INIT,               /* INIT to vCPU 0 (keyboard controller, port 92h) */
        MACHINE_FERR_CLEAR,             /* write to port F0h */
};

/* What a device may use of its machine. */
struct device_env {
        struct memory *memory;
        struct ports *ports;
        struct clock *clock;
        struct lock *lock;
        /* Requests to the machine's life cycle. */
        void (*request)(void *opaque, enum machine_request request, int argument);
        void *opaque;
};

struct device;

struct device_class {
        const char *name;               /* "pit" */
        const char *description;        /* "8254 programmable interval timer" */
        size_t size;                    /* of the device's struct, which starts with struct device */
        const struct state_field *state;
        const struct property *properties;
        /* Registers ports and regions.  False with error set, and everything undone, when the host
         * refuses something. */
        bool (*create)(struct device *device, GError **error);
        void (*reset)(struct device *device);
        /* Checks incoming state and rebuilds what is derived.  False: a field is impossible. */
        bool (*post_load)(struct device *device, GError **error);
        void (*destroy)(struct device *device);
};

struct device {
        const struct device_class *class;
        char *id;                       /* unique in its machine: "serial0" */
        const struct device_env *env;
        bool created;                   /* its class's create() succeeded, so destroy() is due */
};

#define DEVICE_CLASS(class_) \
        __attribute__((constructor)) static void class_##_register(void) { device_class_register(&(class_)); } \
        struct device_class_needs_semicolon

void device_class_register(const struct device_class *class);
const struct device_class *device_class_find(const char *name);
/* All classes, sorted by name; n is set to their number. */
const struct device_class *const *device_classes(size_t *n);

/* Allocates a zeroed device with its properties at their initial values.  Then set properties and
 * wires, then device_start() creates and resets it. */
struct device *device_new(const char *class_name, const char *id, const struct device_env *env);
bool device_set(struct device *device, const char *property, const char *value, GError **error);
bool device_start(struct device *device, GError **error);
void device_reset(struct device *device);
void device_free(struct device *device);

#endif
