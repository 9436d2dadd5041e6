/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.c - `lodger list`: a line for each running machine.
 *
 * For people a header and aligned columns; for programs (standard output is no terminal) no header.
 * Sockets of machines that died are removed on the way.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/client.h"
#include "control/place.h"
#include "library/library.h"

enum { PATIENCE_SECONDS = 2 };
#define LINE_FORMAT "%-20s %-12s %-6s %7s %10s"

static char *format_memory(guint64 bytes)
{
        return bytes % (1 << 30) ? g_strdup_printf("%" G_GUINT64_FORMAT "M", bytes >> 20)
                                 : g_strdup_printf("%" G_GUINT64_FORMAT "G", bytes >> 30);
}

static char *format_uptime(guint64 seconds)
{
        return g_strdup_printf("%" G_GUINT64_FORMAT ":%02u:%02u", seconds / 3600, (unsigned)(seconds / 60 % 60),
                               (unsigned)(seconds % 60));
}

static GVariant *get_properties(struct client *client)
{
        GVariant *answer = g_dbus_connection_call_sync(client->connection, NULL, "/org/lodger/Machine1",
                                                       "org.freedesktop.DBus.Properties", "GetAll",
                                                       g_variant_new("(s)", "org.lodger.Machine1"), G_VARIANT_TYPE("(a{sv})"),
                                                       G_DBUS_CALL_FLAGS_NONE, PATIENCE_SECONDS * 1000, NULL, NULL);
        GVariant *properties = answer ? g_variant_get_child_value(answer, 0) : NULL;

        g_clear_pointer(&answer, g_variant_unref);
        return properties;
}

static bool print_properties(const char *name, struct client *client)
{
        GVariant *properties = get_properties(client);
        const char *state, *engine, *reason = "";
        guint64 memory, uptime;
        bool complete = properties && g_variant_lookup(properties, "State", "&s", &state) &&
                        g_variant_lookup(properties, "Engine", "&s", &engine) &&
                        g_variant_lookup(properties, "Memory", "t", &memory) &&
                        control_machine1_call_get_uptime_sync(client->machine, &uptime, NULL, NULL);

        if (complete) {
                char *size = format_memory(memory), *time = format_uptime(uptime);

                /* A machine of an older version has no reasons. */
                g_variant_lookup(properties, "PauseReason", "&s", &reason);
                printf(LINE_FORMAT "%s%s\n", name, state, engine, size, time, *reason ? "  " : "", reason);
                g_free(size);
                g_free(time);
        }
        g_clear_pointer(&properties, g_variant_unref);
        return complete;
}

/* False: no such machine runs. */
static bool list_machine(const char *name)
{
        struct client client = { .command = "list", .name = name, .pidfd = -1 };
        GError *error = NULL;
        bool open = client_open(&client, PATIENCE_SECONDS, &error);

        /* One that ends while we look is no machine any more; one that hangs is, and is worth knowing of. */
        bool there = open && print_properties(name, &client);

        if (!there && client.path && client.pid && !client_wait_gone(&client, 0)) {
                printf(LINE_FORMAT "\n", name, "unresponsive", "-", "-", "-");
                there = true;
        }
        g_clear_error(&error);
        client_close(&client);
        return there;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A named machine that does not run. */
static void list_stopped(const char *name)
{
        struct definition *definition = definition_load(name, NULL);
        struct option_set options = { 0 };
        struct machine_config config;
        char *size;

        if (!definition) {
                printf(LINE_FORMAT "\n", name, "broken", "-", "-", "-");
                return;
        }
        definition_options(definition, &options);
        options_config(&options, &config);
        size = format_memory(config.memory_bytes);
        printf(LINE_FORMAT "\n", name, "stopped", config.engine, size, "-");
        g_free(size);
        options_config_clear(&config);
        options_clear(&options);
        definition_free(definition);
}

/* Adds the library's names to those of sockets. */
static void add_defined(GPtrArray *names)
{
        GPtrArray *defined = library_list();

        for (guint i = 0; i < defined->len; i++)
                if (!g_ptr_array_find_with_equal_func(names, g_ptr_array_index(defined, i), g_str_equal, NULL))
                        g_ptr_array_add(names, g_strdup(g_ptr_array_index(defined, i)));
        g_ptr_array_unref(defined);
}

static int list_machines(bool all)
{
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
        char *folder = place_folder(false, NULL);
        GDir *entries = folder ? g_dir_open(folder, 0, NULL) : NULL;
        const char *name;

        while (entries && (name = g_dir_read_name(entries)))
                g_ptr_array_add(names, g_strdup(name));
        if (all)
                add_defined(names);
        g_ptr_array_sort(names, compare_names);
        if (isatty(STDOUT_FILENO))
                printf(LINE_FORMAT "\n", _("NAME"), _("STATE"), _("ENGINE"), _("MEMORY"), _("UPTIME"));
        for (guint i = 0; i < names->len; i++) {
                name = g_ptr_array_index(names, i);
                if (!list_machine(name) && all && library_exists(name))
                        list_stopped(name);
        }
        if (entries)
                g_dir_close(entries);
        g_free(folder);
        g_ptr_array_unref(names);
        return EXIT_OK;
}

int list_main(int argc, char **argv)
{
        gboolean all = FALSE;
        const GOptionEntry entries[] = {
                { "all", 'a', 0, G_OPTION_ARG_NONE, &all, N_("stopped machines too"), NULL },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(NULL);
        int status;

        g_option_context_set_summary(context, _("Lists the running machines: name, state, engine, memory, uptime."));
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "list", &argc, &argv, &status))
                status = argc > 1 ? cli_fail(EXIT_USAGE, "list", _("%s: takes no arguments"), argv[1]) : list_machines(all);
        g_option_context_free(context);
        return status;
}
