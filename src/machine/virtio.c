/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio.c - which of the small virtio devices a machine has.
 *
 * None is there unless asked for: guests without drivers show them as unknown hardware.
 */
#include <string.h>

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

/* "PORT[,name=NAME]": a console, or a channel with a name. */
static bool add_console_port(struct machine *machine, struct device *console, const char *spec, const struct serial_host *host,
                             GError **error)
{
        const char *option = g_strrstr(spec, ",name=");
        char *port = option ? g_strndup(spec, (gsize)(option - spec)) : g_strdup(spec);
        const char *name = option ? option + strlen(",name=") : NULL;
        struct serial_backend *backend = serial_backend_new(port, host, error);
        bool ok = backend != NULL;

        if (ok) {
                g_ptr_array_add(machine->console_backends, backend);
                if (serial_backend_place(backend))
                        g_printerr("%s is %s\n", name ? name : "console", serial_backend_place(backend));
                ok = virtio_console_add_port(console, name, backend);
                if (!ok)
                        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                                    "--console %s: there are four ports, the first for a console without a name; leave one out", spec);
        } else {
                g_prefix_error(error, "--console ");
        }
        g_free(port);
        return ok;
}

bool virtio_add(struct machine *machine, const struct machine_config *config, const struct serial_host *host, GError **error)
{
        struct device *console;

        machine->console_backends = g_ptr_array_new();
        if (!add_simple(machine, config->rng, "virtio_rng", "rng", error) ||
            !add_simple(machine, config->balloon, "virtio_balloon", "balloon", error))
                return false;
        if (!config->consoles || !config->consoles->len)
                return true;
        console = add(machine, "virtio_console", "console", error);
        for (guint i = 0; console && i < config->consoles->len; i++)
                if (!add_console_port(machine, console, g_ptr_array_index(config->consoles, i), host, error))
                        return false;
        return console && machine_start_device(console, error);
}

void virtio_free(struct machine *machine)
{
        for (guint i = 0; machine->console_backends && i < machine->console_backends->len; i++)
                serial_backend_free(g_ptr_array_index(machine->console_backends, i));
        g_clear_pointer(&machine->console_backends, g_ptr_array_unref);
}
