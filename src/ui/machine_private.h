/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_private.h - the insides of LodgerMachine, shared by the files machine*.c alone. */
#ifndef LODGER_UI_MACHINE_PRIVATE_H
#define LODGER_UI_MACHINE_PRIVATE_H

#include "control/machine1.h"
#include "ui/machine.h"

/* Machines hang up on a client with more than 64 unanswered calls. */
enum { CALLS_MAX = 16, CALLS_QUEUED_MAX = 4096 };

enum machine_signal { MACHINE_CHANGED, MACHINE_SCREEN, MACHINE_DAMAGE, MACHINE_FAILED, MACHINE_SIGNALS };
extern guint machine_signals[MACHINE_SIGNALS];

struct _LodgerMachine {
        GObject parent;
        char *name;
        LodgerMachineState state;

        /* -- Connection: set while connecting or connected -- */
        GCancellable *cancellable;      /* of everything under way */
        ControlMachine1 *proxy;
        gint flood;                     /* atomic; messages in this second, counted on GDBus's thread */
        gint flood_second;              /* atomic */
        guint poll, retry;              /* main loop sources */
        guint tries;                    /* connections that failed in a row */
        int pidfd;                      /* of the machine's process; -1: unknown */
        pid_t pid;                      /* 0: unknown */

        /* -- The process, if it was started here -- */
        GPid child;                     /* 0: another's, or ended */
        guint child_watch;
        char **command, *log, *end;
        char *running_log;              /* of the process that the child starts; NULL: the child is the machine */
        gboolean orderly, forced, defined;

        /* -- Calls -- */
        GQueue queue;                   /* of struct call *, waiting */
        guint unanswered;
        int right, down, wheel;         /* movement that waits for the call before */
        gboolean placing;               /* so does a place */
        guint place_x, place_y;
        gboolean moving;

        /* -- Screen -- */
        guint watchers;
        gboolean screen_asked;          /* a call for the framebuffer is under way */
        gboolean screen_again;          /* and it has changed since */
        cairo_surface_t *screen;

        /* -- Measurements -- */
        guint64 uptime, resident, cpu_ticks;
        gint64 measured_us;
        guint load, unanswered_polls;
        char *statistics;
};

/* Calls may be made at any time; without a connection they are dropped. */
void machine_call(LodgerMachine *machine, const char *method, GVariant *arguments);
void machine_calls_drop(LodgerMachine *machine);
/* Fetches the framebuffer; watch: and keeps it up to date. */
void machine_fetch_screen(LodgerMachine *machine, gboolean watch);
void machine_set_state(LodgerMachine *machine, LodgerMachineState state);
void machine_changed(LodgerMachine *machine);
void machine_failed(LodgerMachine *machine, const GError *error);
/* Measures the process and asks how long it runs; every POLL_SECONDS while connected. */
enum { POLL_SECONDS = 2 };
gboolean machine_poll(gpointer machine);

#endif
