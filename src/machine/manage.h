/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manage.h - what may be asked of a machine from outside while it runs.
 *
 * All functions are called on the main-loop thread, without the machine lock held.
 */
#ifndef LODGER_MACHINE_MANAGE_H
#define LODGER_MACHINE_MANAGE_H

#include "backend/display.h"
#include "machine/machine.h"

#define MACHINE_ERROR machine_error_quark()
GQuark machine_error_quark(void);
enum machine_error {
        MACHINE_ERROR_NOT_LISTENING,    /* the guest has not enabled its power button, or has no driver for a tablet */
        MACHINE_ERROR_NO_SUCH_DEVICE,
        MACHINE_ERROR_NO_DISPLAY,
        MACHINE_ERROR_NOT_TEXT,         /* the screen shows graphics, or nothing */
        MACHINE_ERROR_NO_SUCH_KEY,
        MACHINE_ERROR_BUSY,             /* what was typed before must be taken first */
};

/* -- What it is -------------------------------------------------------------------------------- */

const char *machine_name(const struct machine *machine);
const char *machine_engine_name(const struct machine *machine);
/* Moves the guest to another engine, "dbt" or "kvm", while it runs. */
bool machine_set_engine(struct machine *machine, const char *name, GError **error);
uint64_t machine_memory_bytes(const struct machine *machine);
unsigned machine_cpus(const struct machine *machine);
bool machine_is_paused(const struct machine *machine);
int64_t machine_uptime_ns(const struct machine *machine);       /* host time since machine_run(), pauses included */

/* -- Life -------------------------------------------------------------------------------------- */

/* Between the two, no vCPU runs and virtual time stands still.  Repeating either does nothing. */
void machine_pause(struct machine *machine);
void machine_resume(struct machine *machine);
/* changed is called after each of them, whoever asked for it (a full disk of the host pauses a machine, too).  NULL: nobody. */
void machine_watch_state(struct machine *machine, void (*changed)(void *opaque), void *opaque);
/* What the reset button does; carried out by the main loop. */
void machine_press_reset(struct machine *machine);
/* Presses the ACPI power button, after resuming.  False when the guest would not notice. */
bool machine_press_power(struct machine *machine, GError **error);
/* Ends the machine: machine_run() returns with MACHINE_END_STOPPED. */
void machine_stop(struct machine *machine);

/* -- Looking inside ---------------------------------------------------------------------------- */

/* Counters, one a line; caller frees. */
char *machine_statistics(struct machine *machine);
/* The state of the device with this id, or (id empty) a list of what can be asked for; caller frees. */
char *machine_info(struct machine *machine, const char *id, GError **error);

/* -- Media and the screen ---------------------------------------------------------------------- */

/* drive: "cd0", or empty for the first one.  force: whatever the guest has locked. */
bool machine_eject(struct machine *machine, const char *drive, bool force, GError **error);
bool machine_insert(struct machine *machine, const char *drive, const char *path, bool force, GError **error);
/* The text screen as UTF-8, a line a row; caller frees. */
char *machine_screen_text(struct machine *machine, GError **error);
/* Brings the surface up to date with the screen; its damage says where it changed. */
bool machine_render(struct machine *machine, struct surface *surface, GError **error);

/* -- Network (card: "net0", or empty for the first one) -------------------------------------------- */

/* The cards, one a line; caller frees. */
char *machine_networks(struct machine *machine);
bool machine_set_link(struct machine *machine, const char *card, bool up, GError **error);
bool machine_forward(struct machine *machine, const char *card, const char *forward, bool add, GError **error);
/* path: empty ends the capture. */
bool machine_capture(struct machine *machine, const char *card, const char *path, GError **error);

/* -- Keyboard and mouse ------------------------------------------------------------------------ */

/* Each chord is pressed and released after the one before: "ctrl-alt-delete". */
bool machine_press_keys(struct machine *machine, const char *const *chords, GError **error);
/* One key by its name ("a", "ctrl"). */
bool machine_set_key(struct machine *machine, const char *name, bool down, GError **error);
bool machine_type_text(struct machine *machine, const char *text, GError **error);
void machine_move_mouse(struct machine *machine, int right, int down, int wheel);
/* Whether the guest lets its pointer be placed; changes are told of as those of the state are. */
bool machine_takes_places(struct machine *machine);
/* To a pixel of the screen as it is now. */
bool machine_place_pointer(struct machine *machine, unsigned x, unsigned y, GError **error);
/* enum input_button bits held from now on. */
void machine_set_mouse_buttons(struct machine *machine, unsigned buttons);

#endif
