/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot.c - `lodger snapshot ...` and `lodger suspend`: states of machines, kept.
 *
 * SNAP is the name of a snapshot of the machine, or the path of a file (anything with a slash); machines without
 * a definition have no folder and take paths only.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "block/tool.h"
#include "cli/client.h"
#include "cli/session.h"
#include "cli/snapshot_show.h"
#include "library/library.h"
#include "library/timeline.h"
#include "machine/checkpoint_disks.h"
#include "machine/disk_spec.h"
#include "snapshot/reader.h"

enum { CONNECT_SECONDS = 10 };

static struct {
        char *description, *compression, *thumbnail;
        gboolean fields;
} options;

static int fail(GError *error) { return session_fail("snapshot", error); }

static bool is_path(const char *snapshot) { return strchr(snapshot, '/') != NULL; }

/* Where the snapshot is or would be, absolute; NULL: complained, *status says how. */
static char *locate(const char *machine, const char *snapshot, int *status)
{
        GError *error = NULL;
        char *path = NULL;

        if (is_path(snapshot))
                return g_canonicalize_filename(snapshot, NULL);
        if (!library_exists(machine)) {
                *status = cli_fail(EXIT_HOST, "snapshot", _("%s: no such machine is defined; a machine of \"lodger run\" takes the path of a "
                                                                 "file, for example ./%s.snapshot"),
                                   machine, snapshot);
                return NULL;
        }
        if (timeline_check_name(snapshot, &error))
                path = timeline_path(machine, snapshot, &error);
        if (!path)
                *status = fail(error);
        return path;
}

/* A connection whose calls may take as long as they need. */
static bool reach(struct client *client, const char *machine, GError **error)
{
        *client = (struct client){ .command = "snapshot", .name = machine, .pidfd = -1 };
        if (!client_open(client, CONNECT_SECONDS, error))
                return false;
        g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(client->machine), G_MAXINT);
        return true;
}

static bool is_running(const char *machine)
{
        int lock = library_exists(machine) ? library_lock(machine, NULL) : -1;

        if (lock >= 0)
                close(lock);
        return lock < 0;
}

/* -- take ---------------------------------------------------------------------------------------- */

static int take(int count, char **words)
{
        const char *machine = words[0], *snapshot = words[1];
        char *path, *id, *ancestors;
        struct client client;
        GError *error = NULL;
        guint64 stopped, bytes;
        int status = EXIT_OK;

        (void)count;
        path = locate(machine, snapshot, &status);
        if (!path)
                return status;
        if (access(path, F_OK) == 0) {
                status = cli_fail(EXIT_HOST, "snapshot", _("%s: there is such a snapshot; choose another name, or delete it"), snapshot);
                g_free(path);
                return status;
        }
        if (is_path(snapshot) && library_exists(machine)) {
                g_free(path);
                return cli_fail(EXIT_USAGE, "snapshot", _("%s: a machine with a definition keeps its snapshots in its folder; write a name"),
                                snapshot);
        }
        ancestors = is_path(snapshot) ? g_strdup("") : timeline_current(machine);
        if (!reach(&client, machine, &error) ||
            !control_machine1_call_take_snapshot_sync(client.machine, path, is_path(snapshot) ? "" : snapshot,
                                                      options.description ? options.description : "", ancestors,
                                                      options.compression ? options.compression : "", &id, &stopped, &bytes, NULL, &error)) {
                status = client_fail(&client, error);
        } else {
                printf(_("%s: %.1f MiB; the guest stood still for %.1f ms\n"), snapshot, (double)bytes / 1048576, (double)stopped / 1000);
                if (!is_path(snapshot) && !timeline_set_current(machine, id, ancestors, &error))
                        status = fail(error);
                g_free(id);
        }
        client_close(&client);
        g_free(ancestors);
        g_free(path);
        return status;
}

/* -- restore and delete -------------------------------------------------------------------------- */

static int restore_running(const char *machine, const char *path, GError **error)
{
        struct client client;
        bool ok = reach(&client, machine, error) && control_machine1_call_restore_snapshot_sync(client.machine, path, NULL, error);

        client_close(&client);
        if (!ok && *error)
                g_dbus_error_strip_remote_error(*error);
        return ok;
}

/* What the next start would refuse for being damaged is refused now. */
static bool check_whole(const char *path, GError **error)
{
        struct snapshot_reader *reader = snapshot_open(path, error);
        bool ok = reader && snapshot_check_chunks(reader, error);

        snapshot_close(reader);
        return ok;
}

static int restore(int count, char **words)
{
        const char *machine = words[0], *snapshot = words[1];
        const struct timeline_entry *entry = NULL;
        GPtrArray *list = NULL;
        GError *error = NULL;
        int status = EXIT_OK;
        char *path = locate(machine, snapshot, &status);
        bool ok;

        (void)count;
        if (!path)
                return status;
        if (!is_path(snapshot)) {
                list = timeline_list(machine);
                entry = timeline_find(list, snapshot);
        }
        if (access(path, R_OK) < 0) {
                status = cli_fail(EXIT_HOST, "snapshot", "%s: %s", snapshot,
                                  errno == ENOENT ? _("no such snapshot; \"lodger snapshot list\" shows those there are") : g_strerror(errno));
        } else {
                if (entry && !is_running(machine)) {
                        ok = !entry->problem;
                        if (!ok)
                                g_set_error_literal(&error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_DAMAGED, entry->problem);
                        ok = ok && check_whole(path, &error) && timeline_set_resume(machine, entry, &error);
                } else {
                        ok = restore_running(machine, path, &error) &&
                             (!entry || timeline_set_current(machine, entry->id, entry->info.ancestors, &error));
                }
                if (!ok)
                        status = fail(error);
        }
        if (list)
                g_ptr_array_unref(list);
        g_free(path);
        return status;
}

/* Within the images of a machine that does not run. */
static bool clean_images(const char *machine, const char *const *ids, GError **error)
{
        struct definition *definition = definition_load(machine, error);
        char **disks = definition ? definition->options.values[OPTION_DISK] : NULL;
        bool ok = definition != NULL;

        for (; ok && disks && *disks; disks++) {
                struct disk_spec spec;
                struct image_info *info = NULL;

                if (disk_spec_parse(*disks, &spec, NULL) && !spec.options.read_only && !spec.options.throwaway)
                        info = image_info(spec.path, spec.options.format, NULL);
                for (guint i = 0; ok && info && info->snapshots && i < info->snapshots->len; i++) {
                        const struct block_snapshot *snapshot = g_ptr_array_index(info->snapshots, i);

                        if (checkpoint_disks_is_stale(snapshot->name, ids))
                                ok = image_snapshot(spec.path, IMAGE_SNAPSHOT_DELETE, snapshot->name, error);
                }
                if (info)
                        image_info_free(info);
                disk_spec_clear(&spec);
        }
        definition_free(definition);
        return ok;
}

/* Removes from the disks what belongs to no snapshot any more. */
static bool clean_disks(const char *machine, GError **error)
{
        GPtrArray *list = timeline_list(machine), *ids = g_ptr_array_new_with_free_func(g_free);
        bool ok = true;

        for (guint i = 0; i < list->len; i++) {
                struct timeline_entry *entry = g_ptr_array_index(list, i);

                /* Whose id cannot be read may need any of them. */
                ok = ok && !entry->problem;
                g_ptr_array_add(ids, g_strdup(entry->id));
        }
        timeline_add_needed(ids);
        g_ptr_array_add(ids, NULL);
        if (ok && is_running(machine)) {
                struct client client;

                ok = reach(&client, machine, error) &&
                     control_machine1_call_keep_disk_snapshots_sync(client.machine, (const char *const *)ids->pdata, NULL, error);
                client_close(&client);
                if (!ok && *error)
                        g_dbus_error_strip_remote_error(*error);
        } else if (ok) {
                ok = clean_images(machine, (const char *const *)ids->pdata, error);
        } else {
                ok = true;
        }
        g_ptr_array_unref(ids);
        g_ptr_array_unref(list);
        return ok;
}

static int delete(int count, char **words)
{
        GError *error = NULL;

        (void)count;
        if (!library_exists(words[0]))
                return cli_fail(EXIT_HOST, "snapshot", _("%s: no such machine is defined"), words[0]);
        return timeline_delete(words[0], words[1], &error) && clean_disks(words[0], &error) ? EXIT_OK : fail(error);
}

/* -- Looking at them ------------------------------------------------------------------------------ */

static int list(int count, char **words)
{
        (void)count;
        if (!library_exists(words[0]))
                return cli_fail(EXIT_HOST, "snapshot", _("%s: no such machine is defined"), words[0]);
        snapshot_print_list(words[0]);
        return EXIT_OK;
}

static int tree(int count, char **words)
{
        (void)count;
        if (!library_exists(words[0]))
                return cli_fail(EXIT_HOST, "snapshot", _("%s: no such machine is defined"), words[0]);
        snapshot_print_tree(words[0]);
        return EXIT_OK;
}

static int show(int count, char **words)
{
        struct snapshot_reader *reader;
        GError *error = NULL;
        int status = EXIT_OK;
        char *path = locate(words[0], words[count - 1], &status);

        if (!path)
                return status;
        reader = snapshot_open(path, &error);
        if (!reader || !snapshot_print(reader, options.fields, options.thumbnail, &error))
                status = fail(error);
        snapshot_close(reader);
        g_free(path);
        return status;
}

static int diff(int count, char **words)
{
        struct snapshot_reader *first = NULL, *second = NULL;
        GError *error = NULL;
        int status = EXIT_OK;
        char *paths[2] = { locate(words[0], words[count - 2], &status), NULL };

        if (paths[0])
                paths[1] = locate(words[0], words[count - 1], &status);
        if (paths[1]) {
                first = snapshot_open(paths[0], &error);
                second = first ? snapshot_open(paths[1], &error) : NULL;
                if (!second || !snapshot_print_differences(first, second, &error))
                        status = fail(error);
        }
        snapshot_close(first);
        snapshot_close(second);
        g_free(paths[0]);
        g_free(paths[1]);
        return status;
}

/* -- The command ---------------------------------------------------------------------------------- */

static const struct {
        const char *name, *usage;
        int minimum, maximum;
        int (*run)(int count, char **words);
} verbs[] = {
        { "take", N_("take NAME SNAP [--description TEXT]"), 2, 2, take },
        { "list", N_("list NAME"), 1, 1, list },
        { "tree", N_("tree NAME"), 1, 1, tree },
        { "show", N_("show [NAME] SNAP [--fields]"), 1, 2, show },
        { "diff", N_("diff [NAME] SNAP SNAP"), 2, 3, diff },
        { "restore", N_("restore NAME SNAP"), 2, 2, restore },
        { "delete", N_("delete NAME SNAP"), 2, 2, delete },
};

static int run_verb(int argc, char **argv)
{
        GString *all;
        int status;

        for (size_t i = 0; argc > 1 && i < G_N_ELEMENTS(verbs); i++)
                if (!strcmp(argv[1], verbs[i].name)) {
                        if (argc - 2 < verbs[i].minimum || argc - 2 > verbs[i].maximum)
                                return cli_fail(EXIT_USAGE, "snapshot", _("usage: lodger snapshot %s"), _(verbs[i].usage));
                        return verbs[i].run(argc - 2, argv + 2);
                }
        all = g_string_new(NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
                g_string_append_printf(all, "%s%s", i ? ", " : "", verbs[i].name);
        status = argc > 1 ? cli_fail(EXIT_USAGE, "snapshot", _("%s: no such verb; write one of %s"), argv[1], all->str)
                          : cli_fail(EXIT_USAGE, "snapshot", _("what to do is missing; write one of %s"), all->str);
        g_string_free(all, TRUE);
        return status;
}

int snapshot_main(int argc, char **argv)
{
        const GOptionEntry entries[] = {
                { "description", 0, 0, G_OPTION_ARG_STRING, &options.description, N_("take: what is worth remembering about it"), N_("TEXT") },
                { "compression", 0, 0, G_OPTION_ARG_STRING, &options.compression,
                  N_("take: zstd, zlib or none (default: the first of them that there is)"), N_("WAY") },
                { "fields", 0, 0, G_OPTION_ARG_NONE, &options.fields, N_("show: every field of every device"), NULL },
                { "thumbnail", 0, 0, G_OPTION_ARG_FILENAME, &options.thumbnail, N_("show: write its picture to FILE.png"), N_("FILE.png") },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(_("VERB NAME [SNAP]"));
        GString *description = g_string_new(_("Verbs:\n"));
        int status;

        for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
                g_string_append_printf(description, "  %s\n", _(verbs[i].usage));
        g_string_append(description, _("SNAP is a name, or the path of a file (anything with a slash)."));
        g_option_context_set_summary(context, _("Keeps the whole state of a machine at an instant, and goes back to it."));
        g_option_context_set_description(context, description->str);
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "snapshot", &argc, &argv, &status))
                status = run_verb(argc, argv);
        g_option_context_free(context);
        g_string_free(description, TRUE);
        g_free(options.description);
        g_free(options.compression);
        g_free(options.thumbnail);
        return status;
}

/* -- suspend --------------------------------------------------------------------------------------- */

static int suspend_run(struct client *client, int count, char **arguments)
{
        GError *error = NULL;
        char *path, *ancestors;
        int status = EXIT_OK;

        (void)count;
        (void)arguments;
        if (!library_exists(client->name))
                return cli_fail(EXIT_HOST, "suspend", _("%s: only machines made by \"lodger create\" can be suspended; "
                                                                "\"lodger snapshot take\" keeps the state of others"),
                                client->name);
        path = timeline_suspend_path(client->name);
        ancestors = timeline_current(client->name);
        g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(client->machine), G_MAXINT);
        if (control_machine1_call_suspend_sync(client->machine, path, ancestors, NULL, &error))
                client_wait_gone(client, -1);
        else
                status = client_fail(client, error);
        g_free(path);
        g_free(ancestors);
        return status;
}

int suspend_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "suspend", .arguments = "", .run = suspend_run,
                .summary = N_("Writes a machine's state to disk and ends it; the next start goes on from there."),
        };

        return client_run(&command, argc, argv);
}
