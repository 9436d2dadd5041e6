/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network.c - which network cards a machine has, and what their other ends are.
 *
 * A machine for which nothing was said has one card on the user network.  Cards are numbered as they were given: net0,
 * net1 and so on are both the cable ends and, with "-card" after it, the devices.  PCI cards take the next free
 * slot; an NE2000 answers at its property "port".  Boot ROMs come from the distribution's iPXE package and are shown
 * only when the machine may boot from the network: setting them up takes the firmware time.
 */
#include <gio/gio.h>
#include <string.h>

#include "base/log.h"
#include "devices/net/nic_common.h"
#include "machine/firmware.h"
#include "machine/manage.h"
#include "machine/network.h"
#include "machine/storage.h"
#include "net/net.h"

enum { FIRST_SLOT = 3, SLOTS = 32, NE2K_IRQ = 5 };

struct network_card {
        struct net *net;
        struct net_options *options;
};

static void card_free(gpointer opaque)
{
        struct network_card *card = opaque;

        net_free(card->net);
        net_options_free(card->options);
        g_free(card);
}

/* -- The host's side ------------------------------------------------------------------------------- */

/* The address of a card that was given none: the same at each start of a machine that is known by a UUID. */
static void choose_mac(const char *uuid, const char *id, struct net_options *options)
{
        char *text = g_strdup_printf("%s/%s", uuid, id);
        const uint32_t hash = g_str_hash(text);
        /* Locally administered. */
        const uint8_t mac[6] = { 0x52, 0x54, 0x00, (uint8_t)(hash >> 16), (uint8_t)(hash >> 8), (uint8_t)hash };

        memcpy(options->mac, mac, sizeof(mac));
        options->has_mac = true;
        g_free(text);
}

static bool card_open(struct machine *machine, const char *uuid, const char *spec, GError **error)
{
        struct network_card *card;
        struct net_options *options = net_options_parse(spec, error);
        char id[16];

        if (!options)
                return false;
        if (!strcmp(options->kind, "none") && !options->model) {
                net_options_free(options);
                return true;
        }
        card = g_new0(struct network_card, 1);
        card->options = options;
        g_ptr_array_add(machine->networks, card);
        g_snprintf(id, sizeof(id), "net%u", machine->networks->len - 1);
        if (uuid && !options->has_mac)
                choose_mac(uuid, id, options);
        card->net = net_new(id, options, &machine->lock, machine->clock, error);
        return card->net != NULL;
}

bool network_open(struct machine *machine, const struct machine_config *config, GError **error)
{
        machine->networks = g_ptr_array_new_with_free_func(card_free);
        if (!config->nets || !config->nets->len)
                return card_open(machine, config->uuid, net_default(), error);
        for (guint i = 0; i < config->nets->len; i++) {
                const char *spec = g_ptr_array_index(config->nets, i);

                if (!card_open(machine, config->uuid, spec, error)) {
                        g_prefix_error(error, "--net %s: ", spec);
                        return false;
                }
        }
        return true;
}

void network_close(struct machine *machine)
{
        if (machine->networks)
                g_ptr_array_free(machine->networks, TRUE);
}

struct net *network_find(struct machine *machine, const char *id, GError **error)
{
        for (guint i = 0; i < machine->networks->len; i++) {
                const struct network_card *card = g_ptr_array_index(machine->networks, i);

                if (!*id || !strcmp(net_id(card->net), id))
                        return card->net;
        }
        if (*id)
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NO_SUCH_DEVICE, "no network card \"%s\"", id);
        else
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NO_SUCH_DEVICE, "this machine has no network card");
        return NULL;
}

/* -- The cards ------------------------------------------------------------------------------------- */

static bool next_slot(struct machine *machine, unsigned *devfn, GError **error)
{
        for (unsigned slot = FIRST_SLOT; slot < SLOTS; slot++) {
                *devfn = PCI_DEVFN(slot, 0);
                if (!pci_bus_device(machine->pci, *devfn))
                        return true;
        }
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "no PCI slot is left for another network card");
        return false;
}

static bool add_isa_card(struct machine *machine, const struct network_card *card, const char *id, GError **error)
{
        struct device *device = machine_add_device(machine, "ne2k", id);
        guint64 irq = card->options->irq ? g_ascii_strtoull(card->options->irq, NULL, 10) : NE2K_IRQ;

        if (irq < 2 || irq >= PC_ISA_IRQS || irq == 8 || irq == 13) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "irq=%s: write one of 3 to 7, 9 to 12, 14 and 15",
                            card->options->irq);
                return false;
        }
        ne2k_connect(device, card->net, pc_isa_irq(machine, (unsigned)irq, PC_IRQ_DEVICE_2));
        return (!card->options->port || device_set(device, "port", card->options->port, error)) && machine_start_device(device, error);
}

static bool add_pci_card(struct machine *machine, const struct network_card *card, const char *id, const char *model, bool boots,
                         GError **error)
{
        static const struct {
                const char *model, *class, *rom;
                void (*connect)(struct device *device, struct net *net, GBytes *rom);
        } models[] = {
                { "e1000", "e1000", "pxe-e1000.rom", e1000_connect },
                { "rtl8139", "rtl8139", "pxe-rtl8139.rom", rtl8139_connect },
                { "virtio", "virtio_net", "pxe-virtio.rom", virtio_net_connect },
        };
        struct device *device;
        GBytes *rom = NULL;
        unsigned devfn;
        size_t n = 0;

        while (n < G_N_ELEMENTS(models) && strcmp(models[n].model, model))
                n++;
        if (n == G_N_ELEMENTS(models) || card->options->port || card->options->irq) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            n == G_N_ELEMENTS(models) ? "model=%s: not in this build" : "port= and irq= go with model=ne2k, and this is %s", model);
                return false;
        }
        if (!next_slot(machine, &devfn, error))
                return false;
        if (boots) {
                rom = firmware_load_net(models[n].rom);
                if (rom)
                        storage_add_network_boot(machine, devfn >> 3);
                else
                        log_warning("no %s: install ipxe-qemu to boot from the network", models[n].rom);
        }
        device = machine_add_device(machine, models[n].class, id);
        pci_attach(machine->pci, device, devfn);
        models[n].connect(device, card->net, rom);
        if (rom)
                g_bytes_unref(rom);
        return machine_start_device(device, error);
}

bool network_add(struct machine *machine, const struct machine_config *config, GError **error)
{
        bool boots = config->boot && strstr(config->boot, "network");

        for (guint i = 0; i < machine->networks->len; i++) {
                const struct network_card *card = g_ptr_array_index(machine->networks, i);
                const char *model = card->options->model ? card->options->model : "e1000";
                char *id = g_strdup_printf("%s-card", net_id(card->net));
                bool ok = !strcmp(model, "ne2k") ? add_isa_card(machine, card, id, error) :
                                                   add_pci_card(machine, card, id, model, boots, error);

                g_free(id);
                if (!ok)
                        return false;
        }
        return true;
}

/* -- While it runs (manage.h) ------------------------------------------------------------------------ */

char *machine_networks(struct machine *machine)
{
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < machine->networks->len; i++) {
                char *line = net_describe(((struct network_card *)g_ptr_array_index(machine->networks, i))->net);

                g_string_append_printf(text, "%s\n", line);
                g_free(line);
        }
        return g_string_free(text, FALSE);
}

bool machine_set_link(struct machine *machine, const char *card, bool up, GError **error)
{
        struct net *net = network_find(machine, card, error);

        if (net)
                net_set_link(net, up);
        return net;
}

bool machine_forward(struct machine *machine, const char *card, const char *forward, bool add, GError **error)
{
        struct net *net = network_find(machine, card, error);

        return net && (add ? net_forward_add(net, forward, error) : net_forward_remove(net, forward, error));
}

bool machine_capture(struct machine *machine, const char *card, const char *path, GError **error)
{
        struct net *net = network_find(machine, card, error);

        return net && net_capture(net, *path ? path : NULL, error);
}
