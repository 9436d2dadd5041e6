/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * access.c - accesses by physical address: DMA, the debugger, and dispatch to device regions.
 *
 * How a device sees an access: an access is cut where regions end, then into naturally aligned
 * pieces no wider than the device takes, low address first, as a bus with byte enables would carry
 * it.  A piece narrower than the device takes is widened to the aligned unit around it: a read
 * picks its bytes out, a write puts zeros into the other lanes (devices that need wide accesses
 * leave narrow ones undefined).
 */
#include <string.h>

#include "base/log.h"
#include "memory/internal.h"
#include "memory/lazy.h"

/* A guest may point a device's DMA at the device's own registers; real ones then hang or abort.
 * Beyond this depth accesses read ones and writes are lost. */
enum { DEPTH_MAX = 4 };

/* -- Device regions ---------------------------------------------------------------------------- */

static uint64_t ones(unsigned size)
{
        return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (size * 8)) - 1;
}

static void region_sizes(const struct memory_region *region, unsigned *minimum, unsigned *maximum)
{
        *minimum = region->ops->min_size ? region->ops->min_size : 1;
        *maximum = region->ops->max_size ? region->ops->max_size : MAX(4, *minimum);
}

/* Size of the next piece: the largest power of two that is aligned and within left and maximum. */
static unsigned piece_size(uint64_t offset, size_t left, unsigned maximum)
{
        unsigned size = maximum;

        while (size > left || offset % size)
                size /= 2;
        return size;
}

/* The aligned unit of minimum bytes around offset must end within the region to be widened to. */
static bool can_widen(const struct memory_region *region, uint64_t offset, unsigned minimum)
{
        return (offset | (minimum - 1)) < region->size;
}

static bool depth_enter(struct memory *memory, const struct memory_region *region)
{
        if (memory->depth >= DEPTH_MAX) {
                guest_error(region->name, "device accesses nest too deeply (DMA to device registers?)");
                return false;
        }
        memory->depth++;
        return true;
}

static void region_read(struct memory_region *region, uint64_t offset, uint8_t *to, size_t size)
{
        unsigned minimum, maximum;

        if (!region->ops->read || !depth_enter(region->memory, region)) {
                memset(to, 0xff, size);
                return;
        }
        region_sizes(region, &minimum, &maximum);
        while (size) {
                unsigned piece = piece_size(offset, size, maximum);
                uint64_t value;
                if (piece >= minimum) {
                        value = region->ops->read(region->opaque, offset, piece);
                } else if (can_widen(region, offset, minimum)) {
                        uint64_t unit = offset & ~(uint64_t)(minimum - 1);
                        value = region->ops->read(region->opaque, unit, minimum) >> ((offset - unit) * 8);
                } else {
                        value = UINT64_MAX;
                }
                memcpy(to, &value, piece);
                to += piece;
                offset += piece;
                size -= piece;
        }
        region->memory->depth--;
}

static void region_write(struct memory_region *region, uint64_t offset, const uint8_t *from, size_t size)
{
        unsigned minimum, maximum;

        if (!region->ops->write || !depth_enter(region->memory, region))
                return;
        region_sizes(region, &minimum, &maximum);
        while (size) {
                unsigned piece = piece_size(offset, size, maximum);
                uint64_t value = 0;
                memcpy(&value, from, piece);
                if (piece >= minimum) {
                        region->ops->write(region->opaque, offset, value, piece);
                } else if (can_widen(region, offset, minimum)) {
                        uint64_t unit = offset & ~(uint64_t)(minimum - 1);
                        region->ops->write(region->opaque, unit, value << ((offset - unit) * 8), minimum);
                }
                from += piece;
                offset += piece;
                size -= piece;
        }
        region->memory->depth--;
}

/* -- RAM --------------------------------------------------------------------------------------- */

static void code_written(struct memory *memory, gpa_t gpa, size_t size)
{
        for (struct memory_listener *listener = memory->listeners; listener; listener = listener->next)
                if (listener->code_written)
                        listener->code_written(listener->opaque, gpa, size);
}

/* Writes within one page.  Blocks are dropped before the write; a vCPU that translated the page
 * again in between has marked it before it read the bytes (memory_set_state()), so looking once
 * more afterwards, with a full barrier, catches a block made of old ones. */
static void ram_write_page(struct memory *memory, gpa_t gpa, uint64_t offset, const void *from, size_t size)
{
        uint8_t *state = &memory->states[offset >> PAGE_SHIFT];

        memory_before_write_file(memory, offset, size);
        if (__atomic_load_n(state, __ATOMIC_ACQUIRE) & PAGE_HOLDS_CODE)
                code_written(memory, gpa, size);
        memcpy(memory->host + offset, from, size);
        if (__atomic_fetch_or(state, 0, __ATOMIC_SEQ_CST) & PAGE_HOLDS_CODE)
                code_written(memory, gpa, size);
}

static void ram_write(struct memory *memory, gpa_t gpa, uint64_t offset, const uint8_t *from, size_t size)
{
        while (size) {
                size_t n = MIN(size, PAGE_SIZE - offset % PAGE_SIZE);
                ram_write_page(memory, gpa, offset, from, n);
                gpa += n;
                offset += n;
                from += n;
                size -= n;
        }
}

/* -- Ranges ------------------------------------------------------------------------------------ */

bool memory_read(struct memory *memory, gpa_t gpa, void *to, size_t size)
{
        uint8_t *bytes = to;
        bool whole = true;

        while (size) {
                gpa_t end;
                const struct segment_range *segment = memory_map_find(memory, gpa, &end);
                size_t n = end > gpa ? MIN(size, end - gpa) : size;      /* the last address of all ends at itself */
                if (!segment) {
                        memset(bytes, 0xff, n);
                        whole = false;
                } else if (segment->region->kind == PAGE_MMIO) {
                        /* The callback may change the map: use nothing of the segment after it. */
                        region_read(segment->region, segment->offset + (gpa - segment->first), bytes, n);
                } else {
                        uint64_t offset = segment->region->offset + segment->offset + (gpa - segment->first);

                        memory_lazy_ensure(memory, offset, n);
                        memcpy(bytes, memory->host + offset, n);
                }
                gpa += n;
                bytes += n;
                size -= n;
        }
        return whole;
}

bool memory_write(struct memory *memory, gpa_t gpa, const void *from, size_t size)
{
        const uint8_t *bytes = from;
        bool whole = true;

        while (size) {
                gpa_t end;
                const struct segment_range *segment = memory_map_find(memory, gpa, &end);
                size_t n = end > gpa ? MIN(size, end - gpa) : size;      /* the last address of all ends at itself */
                if (!segment) {
                        whole = false;
                } else if (segment->region->kind == PAGE_MMIO) {
                        region_write(segment->region, segment->offset + (gpa - segment->first), bytes, n);
                } else if (segment->region->kind == PAGE_RAM) {
                        ram_write(memory, gpa, segment->region->offset + segment->offset + (gpa - segment->first), bytes, n);
                }
                gpa += n;
                bytes += n;
                size -= n;
        }
        return whole;
}

/* -- One access -------------------------------------------------------------------------------- */

uint64_t memory_mmio_read(struct memory *memory, gpa_t gpa, unsigned size)
{
        uint64_t value = 0;

        lock_acquire(memory->lock);
        memory_read(memory, gpa, &value, size);
        lock_release(memory->lock);
        TRACE(IO, "read %#" G_GINT64_MODIFIER "x/%u = %#" G_GINT64_MODIFIER "x", gpa, size, value);
        return value & ones(size);
}

void memory_mmio_write(struct memory *memory, gpa_t gpa, uint64_t value, unsigned size)
{
        TRACE(IO, "write %#" G_GINT64_MODIFIER "x/%u = %#" G_GINT64_MODIFIER "x", gpa, size, value & ones(size));
        lock_acquire(memory->lock);
        memory_write(memory, gpa, &value, size);
        lock_release(memory->lock);
}
