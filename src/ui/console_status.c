/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console_status.c - LodgerConsole: the strip below the screen.
 *
 * Activity comes from the machine's counters: an icon is bright when one of its counters has grown since the last poll.
 * What a counter belongs to shows in its name.
 */
#include <string.h>

#include "base/i18n.h"
#include "ui/console_private.h"

enum { TOOLTIP_BYTES_MAX = 4000 };

/* The sum of the counters whose names hold one of the words. */
static guint64 counters_sum(const char *text, const char *const *words)
{
        char **lines = g_strsplit(text, "\n", -1);
        guint64 sum = 0;

        for (char **line = lines; *line; line++) {
                char *colon = strchr(*line, ':');

                for (const char *const *word = words; colon && *word; word++) {
                        char *at = strstr(*line, *word);

                        if (at && at < colon) {
                                sum += g_ascii_strtoull(colon + 1, NULL, 10);
                                break;
                        }
                }
        }
        g_strfreev(lines);
        return sum;
}

static void show_activity(GtkImage *icon, const char *text, const char *const *words)
{
        guint64 sum = counters_sum(text, words);
        guint64 *before = g_object_get_data(G_OBJECT(icon), "counters");

        if (!before) {
                before = g_new0(guint64, 1);
                g_object_set_data_full(G_OBJECT(icon), "counters", before, g_free);
        }
        gtk_widget_set_opacity(GTK_WIDGET(icon), sum != *before ? 1 : 0.4);
        *before = sum;
}

void console_update_status(LodgerConsole *console)
{
        static const char *const disk[] = { "disk", "ide", "ahci", "cd", "floppy", "blk", NULL };
        static const char *const network[] = { "net", "e1000", "rtl8139", "packets", NULL };
        const char *statistics = lodger_machine_get_statistics(console->machine);
        gboolean alive = lodger_machine_is_alive(console->machine);
        char *text = g_strdup_printf(_("CPU %u %%"), lodger_machine_get_load(console->machine));
        char *memory = g_format_size_full(lodger_machine_get_memory(console->machine), G_FORMAT_SIZE_IEC_UNITS);
        char *used = g_format_size_full(lodger_machine_get_resident(console->machine), G_FORMAT_SIZE_IEC_UNITS);

        gtk_label_set_text(console->status_load, alive ? text : "");
        gtk_label_set_text(console->status_engine, lodger_machine_get_engine(console->machine));
        g_free(text);
        text = g_strdup_printf(_("Guest memory %s; the process uses %s"), memory, used);
        gtk_widget_set_tooltip_text(GTK_WIDGET(console->status_load), text);
        if (statistics) {
                char *shown = g_utf8_make_valid(statistics, (gssize)strnlen(statistics, TOOLTIP_BYTES_MAX));

                gtk_widget_set_tooltip_text(GTK_WIDGET(console->status_engine), g_strchomp(shown));
                show_activity(console->status_disk, statistics, disk);
                show_activity(console->status_network, statistics, network);
                g_free(shown);
        }
        g_free(used);
        g_free(memory);
        g_free(text);
}
