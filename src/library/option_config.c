/* SPDX-License-Identifier: GPL-2.0-or-later */
/* option_config.c - from options that were checked to a machine's configuration. */
#include "library/options.h"
#include "library/parse.h"

static GPtrArray *list_new(const struct option_set *set, enum option option)
{
        GPtrArray *list = g_ptr_array_new();

        for (char **word = set->values[option]; word && *word; word++)
                g_ptr_array_add(list, *word);
        return list;
}

/* The configuration's strings stay the set's; it does not change them. */
static char *text(const struct option_set *set, enum option option)
{
        return set->values[option] ? set->values[option][0] : NULL;
}

void options_config(const struct option_set *set, struct machine_config *config)
{
        static char engine[] = "auto", model[] = "host", memory[] = "512M", one[] = "1";
        char *value;

        *config = (struct machine_config){ 0 };
        config->name = text(set, OPTION_NAME);
        config->engine = text(set, OPTION_ENGINE) ? text(set, OPTION_ENGINE) : engine;
        value = text(set, OPTION_MEMORY);
        parse_size(value ? value : memory, &config->memory_bytes);
        value = text(set, OPTION_CPUS);
        config->cpus = (unsigned)g_ascii_strtoull(value ? value : one, NULL, 10);
        config->cpu_model = text(set, OPTION_CPU) ? text(set, OPTION_CPU) : model;
        config->uuid = text(set, OPTION_UUID);
        config->firmware = text(set, OPTION_FIRMWARE);
        config->kernel = text(set, OPTION_KERNEL);
        config->initrds = list_new(set, OPTION_INITRD);
        config->append = text(set, OPTION_APPEND);
        config->serials = list_new(set, OPTION_SERIAL);
        config->disks = list_new(set, OPTION_DISK);
        config->cdroms = list_new(set, OPTION_CDROM);
        config->floppies = list_new(set, OPTION_FLOPPY);
        config->consoles = list_new(set, OPTION_CONSOLE);
        config->rng = options_flag(set, OPTION_RNG);
        config->balloon = options_flag(set, OPTION_BALLOON);
        config->tablet = options_flag(set, OPTION_TABLET);
        config->nets = list_new(set, OPTION_NET);
        config->boot = text(set, OPTION_BOOT);
        config->no_reboot = options_flag(set, OPTION_NO_REBOOT);
        if (text(set, OPTION_TIMEOUT))
                parse_duration(text(set, OPTION_TIMEOUT), &config->timeout_seconds);
        config->debug_exit = options_flag(set, OPTION_DEBUG_EXIT);
        config->debug_consoles = list_new(set, OPTION_DEBUG_CONSOLE);
        config->check = options_flag(set, OPTION_CHECK);
}

void options_config_clear(struct machine_config *config)
{
        GPtrArray **lists[] = { &config->initrds, &config->serials, &config->consoles, &config->disks, &config->cdroms,
                                &config->floppies, &config->nets,
                                &config->debug_consoles };

        for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
                g_clear_pointer(lists[i], g_ptr_array_unref);
}
