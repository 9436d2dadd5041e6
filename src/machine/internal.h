/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - struct machine, shared by the files of src/machine and by nobody else.
 *
 * machine.c owns the life cycle, pc.c the wiring; the rest of the directory are functions they call.
 */
#ifndef LODGER_MACHINE_INTERNAL_H
#define LODGER_MACHINE_INTERNAL_H

#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/lapic.h"
#include "devices/device.h"
#include "devices/input/input.h"
#include "engine/engine.h"
#include "machine/checkpoint_disks.h"
#include "machine/machine.h"

enum { PC_ISA_IRQS = 16, PC_IOAPIC_PINS = 24 };

/* Who drives an ISA interrupt line: lines are shared by OR, as on a board. */
enum pc_irq_source { PC_IRQ_DEVICE, PC_IRQ_DEVICE_2, PC_IRQ_PIRQ, PC_IRQ_SCI, PC_IRQ_HPET, PC_IRQ_SOURCES };

/* Requests of the guest or the user that the main loop carries out. */
enum machine_pending { PENDING_RESET = 1 << 0, PENDING_END = 1 << 1, PENDING_MOVED = 1 << 2 };

struct machine {
        struct lock lock;               /* the machine lock: devices, buses, physical map */

        /* From the configuration. */
        char *name;
        uint64_t ram_bytes, low_ram_bytes;      /* low: what lies below the PCI hole */
        unsigned cpus;
        bool no_reboot;
        double timeout_seconds;
        struct checkpoint_overlays overlays;

        struct clock *clock;
        struct memory *memory;
        struct ports *ports;
        struct engine *engine;
        struct cpu **cpu;               /* cpus of them; the engine's */
        struct lapic **lapic;
        struct device_env env;
        GPtrArray *devices;             /* of struct device *, in order of creation and reset */
        GPtrArray *serial_backends;     /* of struct serial_backend * */
        GPtrArray *console_backends;    /* virtio.c: likewise */
        GPtrArray *networks;            /* network.c: cards and their cables */
        GBytes *firmware;

        /* Devices the wiring or the life cycle refers to; owned by `devices`. */
        struct device *pci, *vga, *host_bridge, *isa_bridge, *pm, *pic, *pit, *ioapic, *rtc, *kbc, *fw_cfg, *ferr, *ide, *dma, *hpet;
        struct device *flash;           /* NULL: the firmware is no UEFI */
        struct device *floppy;
        struct input *input;            /* what people type and move */
        struct device *ahci;            /* NULL: nothing is on it */
        unsigned ahci_ports;            /* storage.c: ports taken */
        struct device *scsi;            /* NULL: nothing is on it */
        unsigned scsi_targets;          /* storage.c: targets taken */
        bool ide_taken[4];              /* storage.c: places on the IDE channels */
        GPtrArray *boot_places;         /* storage.c: what can be started from */
        uint8_t floppy_type[2];         /* as in CMOS byte 10h: 0 none, 4 1.44M */
        struct irq pic_input[PC_ISA_IRQS], ioapic_input[PC_IOAPIC_PINS];
        uint8_t irq_sources[PC_ISA_IRQS];       /* bit set of enum pc_irq_source, under the lock */
        bool hpet_legacy;               /* event timers stand in for the 8254 and the clock, under the lock */

        /* Life. */
        bool time_stopped;              /* clock and time stamp counters stand still */
        bool restored;                  /* from a snapshot, and has not run since */
        struct lazy_restore *lazy;      /* memory that is still to come; NULL: all is there */
        struct checkpoint *checkpoint;  /* being taken; NULL: none */
        GMainContext *context;
        GMainLoop *loop;
        GSource *wake;                  /* made ready by machine_post() */
        bool paused;                    /* by the user, or a full disk; the main loop's */
        char *pause_reason;             /* what for, when nobody asked for it; likewise */
        void (*state_changed)(void *opaque);    /* manage.c: who shows it */
        void *state_opaque;
        int64_t started_us;             /* when machine_run() was called, of the host's monotonic clock */
        uint32_t pending;               /* enum machine_pending, under the lock */
        void (*debug_stopped)(void *opaque);    /* debug.c: the debugger's */
        void *debug_opaque;
        bool debug_paused;
        enum machine_end end;           /* valid with PENDING_END */
        int status;
};

/* -- machine.c --------------------------------------------------------------------------------- */

/* Creates a device and hands it to the machine; wires are connected before machine_start_device(). */
struct device *machine_add_device(struct machine *machine, const char *class_name, const char *id);
bool machine_start_device(struct device *device, GError **error);
/* Any thread, machine lock held: the main loop ends the machine. */
void machine_post_end(struct machine *machine, enum machine_end end, int status);
/* Likewise: the main loop resets the machine, or ends it under no_reboot. */
void machine_post_reset(struct machine *machine);

/* Virtual time stands still, or goes on: the clock, and the vCPUs' time stamp counters with it. */
void machine_stop_time(struct machine *machine);
void machine_start_time(struct machine *machine);

/* -- checkpoint.c ------------------------------------------------------------------------------ */

/* Waits for the end of a checkpoint that is being taken, and throws it away. */
void machine_checkpoint_cancel(struct machine *machine);
/* Memory that is still to come: waits for it, or gives it up, which only a machine that ends may do. */
void machine_lazy_finish(struct machine *machine, bool give_up);

/* serial_host.quit; opaque is the machine. */
void machine_serial_quit(void *opaque);

/* -- pc.c -------------------------------------------------------------------------------------- */

/* An ISA interrupt line as one of its sources drives it. */
struct irq pc_isa_irq(struct machine *machine, unsigned number, enum pc_irq_source source);
/* The interrupt and I/O side of what surrounds a vCPU; opaque is the machine. */
void pc_fill_cpu_env(struct cpu_env *env);
/* Builds the PC: physical map, devices, wires, vCPUs and what the firmware is told. */
bool pc_build(struct machine *machine, const struct machine_config *config, GError **error);
/* A device asked for something (device_env.request), machine lock held. */
void pc_set_a20(struct machine *machine, bool on);
/* INIT to vCPU 0; false when the guest meant a reset of the machine. */
bool pc_cpu_init(struct machine *machine);
/* Resets what is not a device: vCPUs, local APICs, A20.  vCPUs paused, machine lock held. */
void pc_reset(struct machine *machine);

#endif
