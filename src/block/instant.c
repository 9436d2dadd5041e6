/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * instant.c - the state of a running machine's disk at an instant: snapshots within its image, or a new
 * image on top of it.
 *
 * All of it works on an image that is drained, on the main-loop thread.
 */
#include <string.h>
#include <unistd.h>

#include "block/internal.h"
#include "block/qcow2.h"
#include "block/tool.h"

void block_snapshot_free(struct block_snapshot *snapshot)
{
        g_free(snapshot->id);
        g_free(snapshot->name);
        g_free(snapshot);
}

static struct qcow2 *take_qcow2(struct block *block, GError **error)
{
        struct qcow2 *q = qcow2_of(block->image);

        if (!block_drain(block)) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_IO, "%s: writes wait for room on the host's disk; free some first", block->path);
                return NULL;
        }
        if (!q)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: %s images hold no snapshots; convert it to qcow2 with \"lodger "
                            "image convert\"", block->path, block->image->driver->name);
        return q;
}

bool block_snapshot_create(struct block *block, const char *name, uint64_t vm_clock_ns, GError **error)
{
        struct qcow2 *q = take_qcow2(block, error);

        return q && qcow2_snapshot_create(q, name, vm_clock_ns, error);
}

bool block_snapshot_apply(struct block *block, const char *name, GError **error)
{
        struct qcow2 *q = take_qcow2(block, error);

        return q && qcow2_snapshot_apply(q, name, error);
}

bool block_snapshot_delete(struct block *block, const char *name, GError **error)
{
        struct qcow2 *q = take_qcow2(block, error);

        return q && qcow2_snapshot_delete(q, name, error);
}

GPtrArray *block_snapshot_list(struct block *block, GError **error)
{
        struct qcow2 *q = take_qcow2(block, error);

        return q ? image_snapshots(&q->image) : NULL;
}

bool block_switch_to_overlay(struct block *block, const char *path, block_moves *moves, void *opaque, GError **error)
{
        struct block_image *base = block->image, *top;
        struct block_options options = { .format = "qcow2", .cache = block->cache, .trust_backing = true };
        char *below = g_canonicalize_filename(block->path, NULL);
        bool ok;

        if (base->read_only || !strcmp(base->driver->name, "overlay") || !block_drain(block) || base->driver->flush(base)) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED,
                            "%s: cannot be the base of a new image now (it is read-only or throwaway, or "
                            "the host's disk is full)", block->path);
                g_free(below);
                return false;
        }
        ok = image_create(path, "qcow2", base->size_bytes, &(struct image_create_options){ .backing = below,
                          .backing_format = base->driver->name, .must_be_new = true }, error);
        g_free(below);
        if (!ok)
                return false;
        top = image_open_as(path, &options, IMAGE_NO_BACKING, error);
        if (top && moves && !moves(opaque, block->path, path, error)) {
                top->driver->close(top);
                top = NULL;
        }
        if (!top) {
                unlink(path);
                return false;
        }
        /* Others may build upon it from now on, since nobody writes to it. */
        if (raw_fd(base) >= 0)
                file_lock_take(raw_fd(base), block->path, false, NULL);
        base->read_only = true;
        top->backing = base;
        block->image = top;
        g_free(block->path);
        block->path = g_strdup(path);
        return true;
}
