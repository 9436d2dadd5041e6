/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_print.c - reports of `lodger image` on standard output. */
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "cli/image.h"

static void print_line(const char *label, const char *value)
{
        printf("%-16s %s\n", label, value);
}

static void print_size(const char *label, uint64_t bytes)
{
        char *text = g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS), *all = g_strdup_printf("%s (%" G_GUINT64_FORMAT ")", text, bytes);

        print_line(label, all);
        g_free(text);
        g_free(all);
}

void image_print_snapshots(const struct image_info *info)
{
        if (!info->snapshots || !info->snapshots->len) {
                puts(_("no snapshots"));
                return;
        }
        for (guint i = 0; i < info->snapshots->len; i++) {
                const struct block_snapshot *snapshot = g_ptr_array_index(info->snapshots, i);
                GDateTime *time = g_date_time_new_from_unix_local(snapshot->time_s);
                char *when = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : NULL;
                /* A name comes from a file; it must not speak to the terminal. */
                char *id = g_strescape(snapshot->id, NULL), *name = g_strescape(snapshot->name, NULL);

                printf("%-6s %-19s %s%s\n", id, when ? when : "", name, snapshot->vm_state_bytes ? _(" (with a machine's state)") : "");
                g_free(id);
                g_free(name);
                g_free(when);
                if (time)
                        g_date_time_unref(time);
        }
}

static void print_qcow2(const struct image_info *info)
{
        char *text = g_strdup_printf(_("version %u, clusters of %" G_GUINT64_FORMAT " bytes, %s, %u-bit reference counts%s"), info->version,
                                     info->cluster_bytes, info->compression, info->refcount_bits,
                                     info->lazy_refcounts ? _(", lazy") : "");

        print_line(_("qcow2:"), text);
        g_free(text);
        if (info->backing) {
                char *name = g_strescape(info->backing, NULL), *format = info->backing_format ? g_strescape(info->backing_format, NULL) : NULL;

                text = g_strdup_printf("%s (%s)", name, format ? format : _("format not recorded"));
                print_line(_("backing file:"), text);
                g_free(text);
                g_free(name);
                g_free(format);
        }
        if (info->dirty)
                print_line(_("state:"), _("not closed cleanly; repaired when it is next written to"));
        if (info->corrupt)
                print_line(_("state:"), _("marked as damaged; run \"lodger image repair\""));
        if (info->snapshots && info->snapshots->len) {
                puts(_("snapshots:"));
                image_print_snapshots(info);
        }
}

void image_print_info(const char *path, const struct image_info *info)
{
        print_line(_("image:"), path);
        print_line(_("format:"), info->format);
        print_size(_("disk:"), info->size_bytes);
        if (info->file_bytes || info->used_bytes) {
                print_size(_("file:"), info->file_bytes);
                print_size(_("space used:"), info->used_bytes);
        }
        if (info->version)
                print_qcow2(info);
}

void image_print_check(const char *path, const struct image_check_result *result)
{
        if (result->nothing_to_check) {
                printf(_("%s: nothing to check in this format\n"), path);
                return;
        }
        if (!result->errors && !result->leaks)
                printf(_("%s: no errors\n"), path);
        if (result->errors)
                printf(_("%s: %" G_GUINT64_FORMAT " errors, %" G_GUINT64_FORMAT " repaired\n"), path, result->errors, result->fixed_errors);
        if (result->leaks)
                printf(_("%s: %" G_GUINT64_FORMAT " lost clusters, %" G_GUINT64_FORMAT " reclaimed (harmless, they only take space)\n"), path,
                       result->leaks, result->fixed_leaks);
        if (result->clusters_total)
                printf(_("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " clusters in use (%.1f %%)\n"), result->clusters_used,
                       result->clusters_total, (double)result->clusters_used / (double)result->clusters_total * 100);
}

bool image_backing(const char *path, const char *backing, const char **format, uint64_t *size, GError **error)
{
        static char *found;
        char *folder = g_path_get_dirname(path);
        char *full = *backing == '/' ? g_strdup(backing) : g_build_filename(folder, backing, NULL);
        struct image_info *info = image_info(full, *format, error);
        bool ok = info;

        if (info) {
                g_free(found);
                found = g_strdup(info->format);
                *format = found;
                if (size)
                        *size = info->size_bytes;
                image_info_free(info);
        }
        g_free(folder);
        g_free(full);
        return ok;
}
