/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot_show.c - snapshots as people read them: list, tree, details, differences. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/snapshot_show.h"
#include "library/timeline.h"
#include "snapshot/crc32c.h"
#include "snapshot/fields.h"

/* -- List and tree -------------------------------------------------------------------------------- */

static char *format_date(uint64_t us)
{
        GDateTime *date = g_date_time_new_from_unix_local((gint64)(us / 1000000));
        char *text = date ? g_date_time_format(date, "%Y-%m-%d %H:%M:%S") : g_strdup("?");

        if (date)
                g_date_time_unref(date);
        return text;
}

/* Text from files must not control the terminal. */
static char *printable(const char *text)
{
        GString *to = g_string_new(NULL);

        for (const char *at = text; *at; at = g_utf8_next_char(at)) {
                gunichar c = g_utf8_get_char(at);

                g_string_append_unichar(to, g_unichar_isprint(c) ? c : ' ');
        }
        return g_string_free(to, FALSE);
}

static void print_entry(const struct timeline_entry *entry, int indent)
{
        char *date, *description;

        if (entry->problem) {
                printf("%*s%s  (%s)\n", indent, "", entry->name, entry->problem);
                return;
        }
        date = format_date(entry->info.created_us);
        description = printable(entry->info.description);
        printf("%*s%-*s %c %s %8.1fM  %s\n", indent, "", MAX(20 - indent, 1), entry->name, entry->current ? '*' : ' ', date,
               (double)entry->bytes / 1048576, description);
        g_free(date);
        g_free(description);
}

void snapshot_print_list(const char *machine)
{
        GPtrArray *list = timeline_list(machine);

        if (isatty(STDOUT_FILENO) && list->len)
                printf("%-20s   %-19s %9s  %s\n", _("NAME"), _("DATE"), _("SIZE"), _("DESCRIPTION"));
        for (guint i = 0; i < list->len; i++)
                print_entry(g_ptr_array_index(list, i), 0);
        g_ptr_array_unref(list);
}

/* Ancestors come from files: a snapshot is printed once, however they contradict each other. */
static void print_children(const GPtrArray *list, const struct timeline_entry *parent, int indent, bool *printed)
{
        for (guint i = 0; i < list->len; i++) {
                const struct timeline_entry *entry = g_ptr_array_index(list, i);

                if (printed[i] || timeline_parent(list, entry) != parent)
                        continue;
                printed[i] = true;
                print_entry(entry, indent);
                print_children(list, entry, indent + 2, printed);
        }
}

void snapshot_print_tree(const char *machine)
{
        GPtrArray *list = timeline_list(machine);
        bool *printed = g_new0(bool, list->len + 1);

        print_children(list, NULL, 0, printed);
        for (guint i = 0; i < list->len; i++)
                if (!printed[i])
                        print_entry(g_ptr_array_index(list, i), 0);
        g_free(printed);
        g_ptr_array_unref(list);
}

/* -- Details --------------------------------------------------------------------------------------- */

static void print_text(const char *label, const char *text)
{
        char *shown = printable(text);

        if (*shown)
                printf("%-12s %s\n", label, shown);
        g_free(shown);
}

static void print_memory(struct snapshot_reader *reader)
{
        unsigned long long pages = snapshot_reader_pages(reader), bytes = snapshot_reader_info(reader)->memory_bytes, zero = 0;

        for (uint64_t i = 0; i < pages; i++)
                zero += snapshot_page_is_zero(reader, i);
        printf(_("%-12s %llu MiB; %llu pages, %llu of them zero, in %u chunks\n"), _("memory"), bytes >> 20, pages, zero,
               snapshot_reader_chunks(reader));
}

static void print_devices(struct snapshot_reader *reader, bool fields)
{
        for (unsigned i = 0; i < snapshot_reader_devices(reader); i++) {
                const struct snapshot_device *device = snapshot_reader_device(reader, i);

                if (!fields) {
                        printf("%-12s %s (%s), %zu bytes\n", i ? "" : _("devices"), device->id, device->class_name, device->state_bytes);
                        continue;
                }
                GPtrArray *lines = snapshot_fields(device->state, device->state_bytes);
                for (guint line = 0; line < lines->len; line++)
                        printf("%s.%s\n", device->id, (const char *)g_ptr_array_index(lines, line));
                g_ptr_array_unref(lines);
        }
}

bool snapshot_print(struct snapshot_reader *reader, bool fields, const char *thumbnail, GError **error)
{
        const struct snapshot_info *info = snapshot_reader_info(reader);
        char *date = format_date(info->created_us), number[32];
        GBytes *picture = snapshot_reader_thumbnail(reader);
        bool ok = true;

        print_text(_("name"), info->name);
        print_text(_("description"), info->description);
        print_text(_("machine"), info->machine);
        print_text(_("date"), date);
        print_text(_("written by"), info->version);
        print_text(_("engine"), info->engine);
        print_text(_("CPU model"), info->cpu_model);
        g_snprintf(number, sizeof(number), "%" G_GUINT64_FORMAT, (guint64)info->cpus);
        print_text(_("vCPUs"), number);
        g_snprintf(number, sizeof(number), "%.3f s", (double)info->virtual_ns / 1e9);
        print_text(_("guest ran"), number);
        print_text(_("disks"), info->disks);
        g_snprintf(number, sizeof(number), "%.1f MiB", (double)snapshot_reader_bytes(reader) / 1048576);
        print_text(_("file"), number);
        print_memory(reader);
        print_devices(reader, fields);
        if (thumbnail && picture) {
                gsize size;
                const char *bytes = g_bytes_get_data(picture, &size);

                ok = g_file_set_contents(thumbnail, bytes, (gssize)size, error);
        } else if (thumbnail) {
                g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NO_SNAPSHOT, _("it has no picture"));
                ok = false;
        }
        g_free(date);
        return ok;
}

/* -- Differences ------------------------------------------------------------------------------------ */

static GHashTable *fields_by_name(GPtrArray *lines)
{
        GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (guint i = 0; i < lines->len; i++) {
                const char *line = g_ptr_array_index(lines, i), *equals = strstr(line, " =");

                if (equals)
                        g_hash_table_insert(table, g_strndup(line, (gsize)(equals - line)), (gpointer)(uintptr_t)(equals + 2));
        }
        return table;
}

static void print_device_differences(const struct snapshot_device *first, const struct snapshot_device *second)
{
        GPtrArray *old = snapshot_fields(first->state, first->state_bytes), *new = snapshot_fields(second->state, second->state_bytes);
        GHashTable *before = fields_by_name(old), *after = fields_by_name(new);

        for (guint i = 0; i < old->len; i++) {
                const char *line = g_ptr_array_index(old, i), *equals = strstr(line, " =");
                char *name = equals ? g_strndup(line, (gsize)(equals - line)) : NULL;
                const char *value = name ? g_hash_table_lookup(after, name) : NULL;

                if (name && (!value || strcmp(value, equals + 2)))
                        printf("%s.%s:%s ->%s\n", first->id, name, equals + 2, value ? value : _(" nothing"));
                g_free(name);
        }
        for (guint i = 0; i < new->len; i++) {
                const char *line = g_ptr_array_index(new, i), *equals = strstr(line, " =");
                char *name = equals ? g_strndup(line, (gsize)(equals - line)) : NULL;

                if (name && !g_hash_table_contains(before, name))
                        printf(_("%s.%s: nothing ->%s\n"), second->id, name, equals + 2);
                g_free(name);
        }
        g_hash_table_unref(before);
        g_hash_table_unref(after);
        g_ptr_array_unref(old);
        g_ptr_array_unref(new);
}

/* Pages are compared by two checksums, which is good enough to count them. */
static void sum_page(void *opaque, uint64_t page, const uint8_t *bytes)
{
        uint64_t *sums = opaque;
        uint64_t low = crc32c(0, bytes, SNAPSHOT_PAGE_BYTES), high = crc32c(1, bytes, SNAPSHOT_PAGE_BYTES / 2);

        sums[page] = (high << 32 | low) + 1;
}

static bool print_memory_differences(struct snapshot_reader *first, struct snapshot_reader *second, GError **error)
{
        uint64_t pages = snapshot_reader_pages(first), different = 0;
        uint64_t *sums[2] = { NULL, NULL };
        bool ok = true;

        if (pages != snapshot_reader_pages(second)) {
                printf(_("memory: %llu pages -> %llu pages\n"), (unsigned long long)pages,
                       (unsigned long long)snapshot_reader_pages(second));
                return true;
        }
        for (unsigned i = 0; ok && i < 2; i++) {
                sums[i] = g_new0(uint64_t, pages);
                ok = snapshot_read_chunks(i ? second : first, sum_page, sums[i], error);
        }
        for (uint64_t i = 0; ok && i < pages; i++)
                different += sums[0][i] != sums[1][i];
        if (ok)
                printf(_("memory: %llu of %llu pages differ\n"), (unsigned long long)different, (unsigned long long)pages);
        g_free(sums[0]);
        g_free(sums[1]);
        return ok;
}

bool snapshot_print_differences(struct snapshot_reader *first, struct snapshot_reader *second, GError **error)
{
        for (unsigned i = 0; i < snapshot_reader_devices(first); i++) {
                const struct snapshot_device *device = snapshot_reader_device(first, i);
                const struct snapshot_device *other = snapshot_reader_find(second, device->id);

                if (other)
                        print_device_differences(device, other);
                else
                        printf(_("%s: only in the first\n"), device->id);
        }
        for (unsigned i = 0; i < snapshot_reader_devices(second); i++)
                if (!snapshot_reader_find(first, snapshot_reader_device(second, i)->id))
                        printf(_("%s: only in the second\n"), snapshot_reader_device(second, i)->id);
        return print_memory_differences(first, second, error);
}
