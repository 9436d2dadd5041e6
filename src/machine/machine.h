/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.h - one PC: its configuration, its life, and how it ends.
 *
 * A machine lives in its own process, needs no display, and is driven by a GLib main loop on the
 * thread that calls machine_run().
 */
#ifndef LODGER_MACHINE_MACHINE_H
#define LODGER_MACHINE_MACHINE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { MACHINE_CPUS_MAX = 32 };

struct machine_config {
        char *name;                     /* NULL: "lodger-PID" */
        char *uuid;                     /* as text, valid; NULL: none */
        char *engine;                   /* "auto", "dbt", "kvm" */
        uint64_t memory_bytes;
        unsigned cpus;
        char *cpu_model;                /* "host", "486", ... */
        char *firmware;                 /* NULL: the distribution's SeaBIOS; "uefi": its UEFI */
        char *firmware_variables;       /* file that keeps UEFI's variables; NULL: they end with the process */
        char *kernel;                   /* Linux or Multiboot image, NULL: none */
        GPtrArray *initrds;             /* of char *: initrd, or Multiboot modules */
        char *append;
        GPtrArray *serials;             /* of char *: "stdio", "file:P", "unix:P", "pty", "none" */
        GPtrArray *disks, *cdroms, *floppies;   /* of char *: as disk_spec.h has them; NULL: none */
        GPtrArray *consoles;            /* of char *: "PORT[,name=NAME]" of virtio; NULL: none */
        bool rng, balloon, tablet;      /* virtio's entropy device, memory balloon and tablet */
        GPtrArray *nets;                /* of char *, as net/net.h reads them; NULL or empty: the default network */
        char *boot;                     /* up to three of "cdrom,disk,floppy,network"; NULL: the default */
        bool no_reboot;
        double timeout_seconds;         /* 0: none */
        bool debug_exit;
        GPtrArray *debug_consoles;      /* of char *: "FILE[,port=0xe9]" */
        bool check;
};

/* How the machine ended; the process's exit status follows from it. */
enum machine_end {
        MACHINE_END_POWER_OFF,          /* 0 */
        MACHINE_END_STOPPED,            /* 0: by signal or request */
        MACHINE_END_RESET,              /* 3: reset or triple fault under no_reboot */
        MACHINE_END_TIMEOUT,            /* 4 */
        MACHINE_END_DEBUG_EXIT,         /* status given by the guest */
        MACHINE_END_CHECK,              /* 1: the translator's self-check found a difference */
};

struct machine;

struct machine *machine_new(const struct machine_config *config, GError **error);
/* Starts the vCPUs and runs the main loop until the machine ends.  *status: exit status. */
bool machine_run(struct machine *machine, enum machine_end *end, int *status, GError **error);
void machine_free(struct machine *machine);

#endif
