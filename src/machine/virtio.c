/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio.c - which of the small virtio devices a machine has.
 *
 * None is there unless asked for: guests without drivers show them as unknown hardware.
 */
#include <string.h>

#include "backend/backend.h"
#include "devices/input/virtio_tablet.h"
#include "devices/virtio/virtio_console.h"
#include "machine/internal.h"
#include "machine/pci.h"
#include "machine/virtio.h"

static struct device *add(struct machine *machine, const char *class_name, const char *id, GError **error)
{
        unsigned devfn = pci_free_slot(machine->pci);
        struct device *device;

        if (devfn == PCI_NO_SLOT) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "no PCI slot is left for %s; leave something out", id);
                return NULL;
        }
        device = machine_add_device(machine, class_name, id);
        pci_attach(machine->pci, device, devfn);
        return device;
}

static bool add_simple(struct machine *machine, bool wanted, const char *class_name, const char *id, GError **error)
{
        struct device *device = wanted ? add(machine, class_name, id, error) : NULL;

        return !wanted || (device && machine_start_device(device, error));
}

/* "PORT[,name=NAME]": a console, or a channel with a name.  The name, or NULL. */
static const char *console_name(const char *spec)
{
        const char *option = g_strrstr(spec, ",name=");

        return option ? option + strlen(",name=") : NULL;
}

static struct serial_backend *open_console(struct machine *machine, const char *spec, GError **error)
{
        struct serial_host host = { &machine->lock, machine_serial_quit, machine };
        const char *name = console_name(spec);
        char *port = name ? g_strndup(spec, (gsize)(name - spec) - strlen(",name=")) : g_strdup(spec);
        struct serial_backend *backend = serial_backend_new(port, &host, error);

        if (!backend)
                g_prefix_error(error, "--console ");
        else if (serial_backend_place(backend))
                g_printerr("%s is %s\n", name ? name : "console", serial_backend_place(backend));
        g_free(port);
        return backend;
}

bool virtio_open_consoles(struct machine *machine, const struct machine_config *config, GError **error)
{
        machine->console_backends = g_ptr_array_new();
        for (guint i = 0; config->consoles && i < config->consoles->len; i++) {
                struct serial_backend *backend = open_console(machine, g_ptr_array_index(config->consoles, i), error);

                if (!backend)
                        return false;
                g_ptr_array_add(machine->console_backends, backend);
        }
        return true;
}

static bool add_tablet(struct machine *machine, GError **error)
{
        struct device *tablet = add(machine, "virtio_tablet", "tablet", error);

        if (!tablet)
                return false;
        virtio_tablet_connect_input(tablet, machine->input);
        return machine_start_device(tablet, error);
}

bool virtio_add(struct machine *machine, const struct machine_config *config, GError **error)
{
        struct device *console;

        if (!add_simple(machine, config->rng, "virtio_rng", "rng", error) ||
            !add_simple(machine, config->balloon, "virtio_balloon", "balloon", error) ||
            (config->tablet && !add_tablet(machine, error)))
                return false;
        if (!machine->console_backends->len)
                return true;
        console = add(machine, "virtio_console", "console", error);
        for (guint i = 0; console && i < machine->console_backends->len; i++) {
                const char *spec = g_ptr_array_index(config->consoles, i);

                if (virtio_console_add_port(console, console_name(spec), g_ptr_array_index(machine->console_backends, i)))
                        continue;
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "--console %s: there are four ports, the first for a console without a name; leave one out", spec);
                return false;
        }
        return console && machine_start_device(console, error);
}

void virtio_free(struct machine *machine)
{
        for (guint i = 0; machine->console_backends && i < machine->console_backends->len; i++)
                serial_backend_free(g_ptr_array_index(machine->console_backends, i));
        g_clear_pointer(&machine->console_backends, g_ptr_array_unref);
}
