/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.h - LodgerMachine: what the desktop knows of one machine, fed by its control interface.
 *
 * Lives on the main loop and never blocks it: connecting happens on a thread, calls are asynchronous, queued and bounded
 * (a machine hangs up on clients with too many unanswered ones).  The machine's process is not trusted; what it sends is
 * checked before anything is told of it.
 *
 * States:
 *
 *      OFF             defined, not running
 *      CONNECTING      started, or seen, and not yet reached
 *      RUNNING, PAUSED connected
 *      SILENT          connected, but it does not answer
 *      ENDED           its process is gone; lodger_machine_get_end() says why
 *
 * Signals: "changed" (any of the getters), "screen" (another framebuffer), "damage" (x, y, width, height; guest pixels),
 * "failed" (text: a command was refused).
 */
#ifndef LODGER_UI_MACHINE_H
#define LODGER_UI_MACHINE_H

#include <cairo.h>
#include <gio/gio.h>

typedef enum {
        LODGER_MACHINE_OFF, LODGER_MACHINE_CONNECTING, LODGER_MACHINE_RUNNING, LODGER_MACHINE_PAUSED, LODGER_MACHINE_SILENT,
        LODGER_MACHINE_ENDED,
} LodgerMachineState;

#define LODGER_TYPE_MACHINE lodger_machine_get_type()
G_DECLARE_FINAL_TYPE(LodgerMachine, lodger_machine, LODGER, MACHINE, GObject)

LodgerMachine *lodger_machine_new(const char *name);
/* Starts to reach for it (again); for one that has just been started, child is its process and log where it writes. */
void lodger_machine_connect(LodgerMachine *machine);
void lodger_machine_set_child(LodgerMachine *machine, GPid child, const char *log);
/* The same for a child that only starts the machine's process (`lodger start`); running: the log of that process. */
void lodger_machine_set_starter(LodgerMachine *machine, GPid child, const char *log, const char *running);
/* A machine with a definition is OFF, not ENDED, while it does not run. */
void lodger_machine_set_defined(LodgerMachine *machine, gboolean defined);
gboolean lodger_machine_is_defined(LodgerMachine *machine);
/* What starts it (again), NULL: nothing that is known here. */
void lodger_machine_set_command(LodgerMachine *machine, const char *const *command);
const char *const *lodger_machine_get_command(LodgerMachine *machine);

/* -- What it is ---------------------------------------------------------------------------------- */

const char *lodger_machine_get_name(LodgerMachine *machine);
LodgerMachineState lodger_machine_get_state(LodgerMachine *machine);
/* For people. */
const char *lodger_machine_describe_state(LodgerMachine *machine);
gboolean lodger_machine_is_alive(LodgerMachine *machine);       /* RUNNING, PAUSED or SILENT */
const char *lodger_machine_get_engine(LodgerMachine *machine);
guint64 lodger_machine_get_memory(LodgerMachine *machine);
guint lodger_machine_get_cpus(LodgerMachine *machine);
guint64 lodger_machine_get_uptime(LodgerMachine *machine);      /* seconds, as of the last poll */
/* Host CPU it used between the last two polls, in percent of one CPU; resident memory in bytes. */
guint lodger_machine_get_load(LodgerMachine *machine);
guint64 lodger_machine_get_resident(LodgerMachine *machine);
/* Whether the guest lets its pointer be placed. */
gboolean lodger_machine_takes_places(LodgerMachine *machine);
/* Counters as of the last poll while somebody watches, one a line; or NULL. */
const char *lodger_machine_get_statistics(LodgerMachine *machine);
/* Why it ended, for people, and whether that was in order; the path of its log, or NULL. */
const char *lodger_machine_get_end(LodgerMachine *machine, gboolean *orderly);
const char *lodger_machine_get_log(LodgerMachine *machine);

/* -- Its screen ----------------------------------------------------------------------------------- */

/* Counted: while anybody watches, "screen" and "damage" come. */
void lodger_machine_watch(LodgerMachine *machine);
void lodger_machine_unwatch(LodgerMachine *machine);
/* NULL: none (yet). */
cairo_surface_t *lodger_machine_get_screen(LodgerMachine *machine);
/* One picture without watching; "screen" follows. */
void lodger_machine_take_picture(LodgerMachine *machine);

/* -- Commands; a refusal becomes "failed" ----------------------------------------------------------- */

void lodger_machine_pause(LodgerMachine *machine, gboolean pause);
void lodger_machine_reset(LodgerMachine *machine);
void lodger_machine_stop(LodgerMachine *machine, gboolean force);
void lodger_machine_set_key(LodgerMachine *machine, const char *key, gboolean down);
void lodger_machine_press_chord(LodgerMachine *machine, const char *chord);
void lodger_machine_type(LodgerMachine *machine, const char *text);
void lodger_machine_move_mouse(LodgerMachine *machine, int right, int down, int wheel);
/* To a pixel of the guest's; only while lodger_machine_takes_places(). */
void lodger_machine_place_pointer(LodgerMachine *machine, guint x, guint y);
void lodger_machine_set_buttons(LodgerMachine *machine, guint buttons);
void lodger_machine_insert(LodgerMachine *machine, const char *drive, const char *path);
void lodger_machine_eject(LodgerMachine *machine, const char *drive, gboolean force);

#endif
