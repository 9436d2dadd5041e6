/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint_disks.c - what belongs to a snapshot on the machine's disks: a snapshot within each qcow2 image.
 *
 * Its name there is PREFIX and the snapshot's identity, so it can be found without asking anybody.  Those of
 * snapshots that are gone (their file is deleted first) are removed by checkpoint_disks_keep(), whenever
 * whoever manages snapshots calls it; a process that dies in between leaves nothing worse than some space.
 *
 * A raw image cannot go back, so at its machine's first snapshot a qcow2 image is put on top of it, where the machine has a
 * folder for that; other images are refused.  To suspend, nothing is needed: disks stay as they are until the machine goes on.
 */
#include <string.h>

#include "base/log.h"
#include "block/block.h"
#include "machine/checkpoint_disks.h"
#include "machine/manage.h"

#define PREFIX "lodger-"

struct work {
        const char *name;               /* within images */
        const char *const *keep;
        const struct checkpoint_overlays *overlays;
        GString *lines;
        GError **error;
        bool stays, started, ok;
        unsigned count;
        uint64_t now_ns;
};

static bool is_throwaway(struct block *block) { return !strcmp(block_format(block), "overlay"); }

static bool was_written(struct block *block)
{
        struct block_activity activity;

        block_activity(block, &activity);
        return activity.bytes_written || activity.discards;
}

static bool has_snapshot(struct block *block, const char *name)
{
        GPtrArray *list = block_snapshot_list(block, NULL);
        bool found = false;

        for (guint i = 0; list && i < list->len; i++)
                found |= !strcmp(((struct block_snapshot *)g_ptr_array_index(list, i))->name, name);
        if (list)
                g_ptr_array_unref(list);
        return found;
}

static bool complain(struct work *work, struct block *block, const char *what)
{
        g_set_error(work->error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "%s: %s", block_path(block), what);
        return false;
}

/* A raw image becomes the base of a new one that can keep what it held. */
static bool go_on_above(struct work *work, struct block *block)
{
        const struct checkpoint_overlays *overlays = work->overlays;
        char *base, *path;
        bool ok;

        if (strcmp(block_format(block), "raw") || !overlays->folder)
                return true;
        base = g_path_get_basename(block_path(block));
        path = g_strdup_printf("%s/%s.qcow2", overlays->folder, base);
        for (unsigned i = 2; g_file_test(path, G_FILE_TEST_EXISTS); i++) {
                g_free(path);
                path = g_strdup_printf("%s/%s.%u.qcow2", overlays->folder, base, i);
        }
        ok = block_switch_to_overlay(block, path, overlays->moves, overlays->opaque, work->error);
        if (ok)
                log_warning("%s does not change any more; the guest's writes go to %s from now on", base, path);
        g_free(base);
        g_free(path);
        return ok;
}

static void note_one(struct block *block, void *opaque)
{
        struct work *work = opaque;
        char *base;

        if (!work->ok || block_is_read_only(block))
                return;
        if (is_throwaway(block) && !was_written(block))
                return;
        if (is_throwaway(block))
                work->ok = complain(work, block, "the guest has written to a throwaway disk, which ends with the process");
        else if (!work->stays)
                work->ok = go_on_above(work, block) && block_snapshot_create(block, work->name, work->now_ns, work->error);
        if (!work->ok || work->stays)
                return;
        base = g_path_get_basename(block_path(block));
        g_string_append_printf(work->lines, "%s%s", work->lines->len ? "\n" : "", base);
        g_free(base);
}

static void drop_one(struct block *block, void *opaque)
{
        struct work *work = opaque;

        if (!block_is_read_only(block) && !is_throwaway(block) && has_snapshot(block, work->name))
                block_snapshot_delete(block, work->name, NULL);
}

char *checkpoint_disks_name(const char *id) { return g_strconcat(PREFIX, id, NULL); }

char *checkpoint_disks_note(const char *id, bool stays, int64_t now_ns, const struct checkpoint_overlays *overlays, GError **error)
{
        char *name = checkpoint_disks_name(id);
        struct work work = { .name = name, .lines = g_string_new(NULL), .error = error, .stays = stays, .ok = true,
                             .now_ns = (uint64_t)now_ns, .overlays = overlays };

        block_foreach(note_one, &work);
        if (!work.ok)
                block_foreach(drop_one, &work);
        g_free(name);
        return g_string_free(work.lines, !work.ok);
}

void checkpoint_disks_drop(const char *id)
{
        char *name = checkpoint_disks_name(id);
        struct work work = { .name = name };

        block_foreach(drop_one, &work);
        g_free(name);
}

/* -- Going back ----------------------------------------------------------------------------------- */

static void check_one(struct block *block, void *opaque)
{
        struct work *work = opaque;

        if (!work->ok || block_is_read_only(block))
                return;
        if (is_throwaway(block)) {
                if (work->started && was_written(block))
                        work->ok = complain(work, block, "the guest has written to this throwaway disk; start the machine again to restore");
                return;
        }
        if (!work->lines->len)
                return;
        if (has_snapshot(block, work->name))
                work->count++;
        else
                work->ok = complain(work, block, "does not hold what belongs to the snapshot; it is another image, or the snapshot was "
                                                 "removed from it");
}

static void apply_one(struct block *block, void *opaque)
{
        struct work *work = opaque;

        if (work->ok && !block_is_read_only(block) && !is_throwaway(block))
                work->ok = block_snapshot_apply(block, work->name, work->error);
}

static bool go_back(const char *id, const char *lines, bool started, bool apply, GError **error)
{
        char *name = checkpoint_disks_name(id);
        struct work work = { .name = name, .lines = g_string_new(lines), .error = error, .started = started, .ok = true };
        unsigned expected = 0;

        for (const char *line = lines; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : "")
                expected++;
        block_foreach(check_one, &work);
        if (work.ok && work.count != expected) {
                g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_BUSY, "the snapshot belongs to %u disks that were written to, and "
                            "the machine has %u of them", expected, work.count);
                work.ok = false;
        }
        if (work.ok && apply && expected)
                block_foreach(apply_one, &work);
        g_string_free(work.lines, TRUE);
        g_free(name);
        return work.ok;
}

bool checkpoint_disks_check(const char *id, const char *lines, bool started, GError **error)
{
        return go_back(id, lines, started, false, error);
}

bool checkpoint_disks_apply(const char *id, const char *lines, GError **error)
{
        return go_back(id, lines, false, true, error);
}

/* -- Cleaning up ---------------------------------------------------------------------------------- */

bool checkpoint_disks_is_stale(const char *name, const char *const *keep)
{
        return g_str_has_prefix(name, PREFIX) && !g_strv_contains(keep, name + strlen(PREFIX));
}

static void keep_one(struct block *block, void *opaque)
{
        struct work *work = opaque;
        GPtrArray *list = block_is_read_only(block) || is_throwaway(block) ? NULL : block_snapshot_list(block, NULL);

        for (guint i = 0; list && i < list->len; i++) {
                const struct block_snapshot *snapshot = g_ptr_array_index(list, i);

                if (checkpoint_disks_is_stale(snapshot->name, work->keep))
                        block_snapshot_delete(block, snapshot->name, NULL);
        }
        if (list)
                g_ptr_array_unref(list);
}

void checkpoint_disks_keep(const char *const *ids)
{
        struct work work = { .keep = ids };

        block_foreach(keep_one, &work);
}
