/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manage.c - what may be asked of a machine from outside while it runs.
 *
 * Only pausing needs thought: a paused machine has its vCPUs parked and its clock stopped, and stays
 * so through a reset (machine.c looks at machine->paused before it resumes the engine).
 */
#include <gio/gio.h>
#include <string.h>

#include "devices/chipset/piix4_pm.h"
#include "devices/display/vga.h"
#include "devices/input/input.h"
#include "machine/internal.h"
#include "machine/manage.h"
#include "machine/storage.h"

G_DEFINE_QUARK(lodger-machine-error-quark, machine_error)

/* -- What it is --------------------------------------------------------------------------------- */

const char *machine_name(const struct machine *machine) { return machine->name; }
const char *machine_engine_name(const struct machine *machine) { return engine_name(machine->engine); }

bool machine_set_engine(struct machine *machine, const char *name, GError **error)
{
        /* Hardware writes to memory that a checkpoint has not read yet without asking. */
        if (machine->checkpoint) {
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "a snapshot of it is being taken");
                return false;
        }
        machine_lazy_finish(machine, false);    /* nor would it wait for memory to come */
        return engine_switch(machine->engine, name, error);
}

uint64_t machine_memory_bytes(const struct machine *machine) { return machine->ram_bytes; }
unsigned machine_cpus(const struct machine *machine) { return machine->cpus; }
bool machine_is_paused(const struct machine *machine) { return machine->paused; }

int64_t machine_uptime_ns(const struct machine *machine)
{
        return (g_get_monotonic_time() - machine->started_us) * 1000;
}

/* -- Life --------------------------------------------------------------------------------------- */

void machine_pause(struct machine *machine)
{
        if (machine->paused)
                return;
        machine->paused = true;
        engine_pause(machine->engine);
        machine_stop_time(machine);
        if (machine->state_changed)
                machine->state_changed(machine->state_opaque);
}

void machine_resume(struct machine *machine)
{
        if (!machine->paused)
                return;
        machine->paused = false;
        machine_start_time(machine);
        engine_resume(machine->engine);
        lock_acquire(&machine->lock);
        storage_retry();
        lock_release(&machine->lock);
        if (machine->state_changed)
                machine->state_changed(machine->state_opaque);
}

void machine_watch_state(struct machine *machine, void (*changed)(void *opaque), void *opaque)
{
        machine->state_changed = changed;
        machine->state_opaque = opaque;
}

void machine_press_reset(struct machine *machine)
{
        lock_acquire(&machine->lock);
        machine_post_reset(machine);
        lock_release(&machine->lock);
}

bool machine_press_power(struct machine *machine, GError **error)
{
        bool heard;

        lock_acquire(&machine->lock);
        heard = piix4_pm_hears_power_button(machine->pm);
        if (heard)
                piix4_pm_press_power_button(machine->pm);
        lock_release(&machine->lock);
        if (!heard) {
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NOT_LISTENING,
                            "its guest does not listen to the power button (too early, or no ACPI)");
                return false;
        }
        machine_resume(machine);
        return true;
}

void machine_stop(struct machine *machine)
{
        lock_acquire(&machine->lock);
        machine_post_end(machine, MACHINE_END_STOPPED, 0);
        lock_release(&machine->lock);
}

/* -- Looking inside ----------------------------------------------------------------------------- */

char *machine_statistics(struct machine *machine)
{
        return engine_statistics(machine->engine);
}

static char *machine_list_devices(struct machine *machine)
{
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < machine->devices->len; i++) {
                const struct device *device = g_ptr_array_index(machine->devices, i);

                g_string_append_printf(text, "%-20s %s\n", device->id, device->class->description);
        }
        g_string_append_printf(text, "%-20s %s\n", "memory", "map of physical memory");
        g_string_append_printf(text, "%-20s %s\n", "ports", "map of I/O ports");
        return g_string_free(text, FALSE);
}

static char *machine_describe(struct machine *machine, const char *id)
{
        if (!*id)
                return machine_list_devices(machine);
        if (!strcmp(id, "memory"))
                return memory_describe(machine->memory);
        if (!strcmp(id, "ports"))
                return ports_describe(machine->ports);
        for (guint i = 0; i < machine->devices->len; i++) {
                const struct device *device = g_ptr_array_index(machine->devices, i);

                if (!strcmp(id, device->id))
                        return device->class->state ? state_describe(device->class->state, device) : g_strdup("");
        }
        return NULL;
}

char *machine_info(struct machine *machine, const char *id, GError **error)
{
        char *text;

        lock_acquire(&machine->lock);
        text = machine_describe(machine, id);
        lock_release(&machine->lock);
        if (!text)
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NO_SUCH_DEVICE, "no device \"%s\"", id);
        return text;
}

/* -- Media and the screen ----------------------------------------------------------------------- */

bool machine_eject(struct machine *machine, const char *drive, bool force, GError **error)
{
        bool ok;

        lock_acquire(&machine->lock);
        ok = storage_eject(machine, *drive ? drive : "cd0", force, error);
        lock_release(&machine->lock);
        return ok;
}

bool machine_insert(struct machine *machine, const char *drive, const char *path, bool force, GError **error)
{
        bool ok;

        lock_acquire(&machine->lock);
        ok = storage_insert(machine, *drive ? drive : "cd0", path, force, error);
        lock_release(&machine->lock);
        return ok;
}

static bool machine_has_display(const struct machine *machine, GError **error)
{
        if (!machine->vga)
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NO_DISPLAY, "this machine has no display");
        return machine->vga;
}

char *machine_screen_text(struct machine *machine, GError **error)
{
        char *text;

        if (!machine_has_display(machine, error))
                return NULL;
        lock_acquire(&machine->lock);
        text = vga_text(machine->vga);
        lock_release(&machine->lock);
        if (!text)
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NOT_TEXT,
                            "the screen shows no text now but graphics, or nothing; \"lodger screenshot\" takes a picture of it");
        return text;
}

bool machine_render(struct machine *machine, struct surface *surface, GError **error)
{
        if (!machine_has_display(machine, error))
                return false;
        lock_acquire(&machine->lock);
        vga_render(machine->vga, surface);
        lock_release(&machine->lock);
        return true;
}

/* -- Keyboard and mouse ------------------------------------------------------------------------- */

static bool machine_input_result(enum input_result result, const char *what, GError **error)
{
        switch (result) {
        case INPUT_OK:
                return true;
        case INPUT_UNKNOWN:
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NO_SUCH_KEY, "no key \"%s\" on a US keyboard", what);
                return false;
        case INPUT_FULL:
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "too many keys are waiting for the guest to take them");
                return false;
        }
        g_assert_not_reached();
}

bool machine_press_keys(struct machine *machine, const char *const *chords, GError **error)
{
        enum input_result result = INPUT_OK;

        lock_acquire(&machine->lock);
        for (; *chords && result == INPUT_OK; chords++)
                result = input_press_chord(machine->input, *chords);
        lock_release(&machine->lock);
        return machine_input_result(result, result == INPUT_OK ? NULL : chords[-1], error);
}

bool machine_set_key(struct machine *machine, const char *name, bool down, GError **error)
{
        enum input_result result;

        lock_acquire(&machine->lock);
        result = input_press_key(machine->input, input_find_key(name), down);
        lock_release(&machine->lock);
        return machine_input_result(result, name, error);
}

bool machine_type_text(struct machine *machine, const char *text, GError **error)
{
        enum input_result result;
        char culprit[8] = "";
        size_t bad;

        lock_acquire(&machine->lock);
        result = input_type_text(machine->input, text, &bad);
        lock_release(&machine->lock);
        if (result == INPUT_UNKNOWN)            /* one character, of however many bytes */
                g_utf8_strncpy(culprit, text + bad, 1);
        return machine_input_result(result, culprit, error);
}

void machine_move_mouse(struct machine *machine, int right, int down, int wheel)
{
        lock_acquire(&machine->lock);
        input_move_mouse(machine->input, right, down, wheel);
        lock_release(&machine->lock);
}

bool machine_takes_places(struct machine *machine)
{
        bool takes;

        lock_acquire(&machine->lock);
        takes = input_takes_places(machine->input);
        lock_release(&machine->lock);
        return takes;
}

/* The middle of pixel number at of size, as a place. */
static unsigned place_of_pixel(unsigned at, unsigned size)
{
        return (unsigned)((2 * (uint64_t)MIN(at, size - 1) + 1) * (INPUT_PLACE_MAX + 1) / (2 * (uint64_t)size));
}

bool machine_place_pointer(struct machine *machine, unsigned x, unsigned y, GError **error)
{
        unsigned width, height;
        bool takes;

        if (!machine_has_display(machine, error))
                return false;
        lock_acquire(&machine->lock);
        takes = input_takes_places(machine->input);
        if (vga_get_size(machine->vga, &width, &height))
                input_place_pointer(machine->input, place_of_pixel(x, width), place_of_pixel(y, height));
        lock_release(&machine->lock);
        if (!takes)
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NOT_LISTENING,
                            "the guest has no driver for a tablet, or the machine has none (--tablet); move the mouse instead");
        return takes;
}

void machine_set_mouse_buttons(struct machine *machine, unsigned buttons)
{
        lock_acquire(&machine->lock);
        input_set_buttons(machine->input, buttons);
        lock_release(&machine->lock);
}
