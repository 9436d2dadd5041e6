/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.c - flattens the regions of the physical map: first to bytes, then to pages, then publishes.
 *
 * Runs with the machine lock held, whenever a region comes, goes, moves or changes kind.  There are
 * some dozens of regions, so the plain quadratic way (cut the address space at every region's ends,
 * ask who is on top of each piece) costs microseconds.
 */
#include <stdlib.h>
#include <string.h>

#include "memory/internal.h"

#define STORE(lvalue, value) __atomic_store_n(&(lvalue), (value), __ATOMIC_RELAXED)

/* -- Regions to segments ----------------------------------------------------------------------- */

/* End of a region within the physical address space; a BAR may point beyond it. */
static gpa_t region_end(const struct memory_region *region)
{
        if (region->gpa >= PHYSICAL_END)
                return region->gpa;
        return MIN(region->size, PHYSICAL_END - region->gpa) + region->gpa;
}

/* The region seen at gpa: highest priority, then the latest. */
static struct memory_region *region_on_top(const struct memory *memory, gpa_t gpa)
{
        struct memory_region *top = NULL;

        for (guint i = 0; i < memory->regions->len; i++) {
                struct memory_region *region = g_ptr_array_index(memory->regions, i);
                if (region->enabled && gpa >= region->gpa && gpa < region_end(region) &&
                    (!top || region->priority >= top->priority))
                        top = region;
        }
        return top;
}

static int compare_addresses(const void *left, const void *right)
{
        gpa_t a = *(const gpa_t *)left, b = *(const gpa_t *)right;
        return a < b ? -1 : a > b;
}

static void segments_update(struct memory *memory)
{
        guint n = memory->regions->len;
        gpa_t *cuts = g_new(gpa_t, 2 * n + 1);
        size_t cut_count = 0;

        for (guint i = 0; i < n; i++) {
                const struct memory_region *region = g_ptr_array_index(memory->regions, i);
                if (region->enabled && region_end(region) > region->gpa) {
                        cuts[cut_count++] = region->gpa;
                        cuts[cut_count++] = region_end(region);
                }
        }
        qsort(cuts, cut_count, sizeof(cuts[0]), compare_addresses);

        struct segment_range *segments = g_new(struct segment_range, cut_count + 1);
        size_t count = 0;
        for (size_t i = 0; i + 1 < cut_count; i++) {
                if (cuts[i] == cuts[i + 1])
                        continue;
                struct memory_region *region = region_on_top(memory, cuts[i]);
                if (!region)
                        continue;
                struct segment_range *last = count ? &segments[count - 1] : NULL;
                if (last && last->region == region && last->end == cuts[i]) {
                        last->end = cuts[i + 1];
                        continue;
                }
                segments[count++] = (struct segment_range) {
                        .first = cuts[i], .end = cuts[i + 1], .region = region, .offset = cuts[i] - region->gpa,
                };
        }
        g_free(cuts);
        g_free(memory->segments);
        memory->segments = segments;
        memory->segment_count = count;
}

const struct segment_range *memory_map_find(const struct memory *memory, gpa_t gpa, gpa_t *end)
{
        size_t low = 0, high = memory->segment_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (memory->segments[middle].end <= gpa)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == memory->segment_count) {
                *end = UINT64_MAX;
                return NULL;
        }
        const struct segment_range *segment = &memory->segments[low];
        if (segment->first > gpa) {
                *end = segment->first;
                return NULL;
        }
        *end = segment->end;
        return segment;
}

/* -- Segments to the view ---------------------------------------------------------------------- */

/* The buffer for the next generation, with room for count ranges. */
static struct view *view_spare(struct memory *memory, uint64_t generation, size_t count)
{
        struct view *view = memory->views[generation & 1];

        if (view && view->capacity >= count)
                return view;
        uint32_t capacity = view ? view->capacity : 64;
        while (capacity < count)
                capacity *= 2;
        g_assert(capacity <= UINT16_MAX);
        if (view)
                g_ptr_array_add(memory->graveyard, view);
        view = g_malloc0(sizeof(*view) + capacity * sizeof(view->ranges[0]));
        view->capacity = capacity;
        return view;
}

static uint32_t view_add(struct view *view, uint32_t count, uint64_t first, uint64_t end, uint8_t *host,
                         uint64_t table_page, enum page_kind kind)
{
        if (first >= end)
                return count;
        /* A page that two device regions share is one page of MMIO. */
        if (kind == PAGE_MMIO && count && view->ranges[count - 1].kind == PAGE_MMIO && view->ranges[count - 1].end >= first) {
                STORE(view->ranges[count - 1].end, MAX(end, view->ranges[count - 1].end));
                return count;
        }
        struct view_range *range = &view->ranges[count];
        STORE(range->first, first);
        STORE(range->end, end);
        STORE(range->host, host);
        STORE(range->table_page, table_page);
        STORE(range->kind, kind);
        return count + 1;
}

/* First range that ends after page. */
static uint16_t view_first_after(const struct view *view, uint32_t count, uint32_t from, uint64_t page)
{
        while (from < count && view->ranges[from].end <= page)
                from++;
        return (uint16_t)from;
}

static void view_update(struct memory *memory)
{
        uint64_t generation = memory->generation + 1;
        struct view *view = view_spare(memory, generation, memory->segment_count);
        uint32_t count = 0;

        /* Ranges in rising order: MMIO is rounded outwards; RAM and ROM regions are made of whole
         * pages, so rounding them inwards gives up only pages that MMIO covers in part. */
        for (size_t i = 0; i < memory->segment_count; i++) {
                const struct segment_range *segment = &memory->segments[i];
                const struct memory_region *region = segment->region;
                uint64_t first = segment->first >> PAGE_SHIFT, end = (segment->end + PAGE_SIZE - 1) >> PAGE_SHIFT;
                if (region->kind == PAGE_MMIO) {
                        count = view_add(view, count, first, end, NULL, 0, PAGE_MMIO);
                        continue;
                }
                first = (segment->first + PAGE_SIZE - 1) >> PAGE_SHIFT;
                end = segment->end >> PAGE_SHIFT;
                uint64_t offset = region->offset + ((first << PAGE_SHIFT) - region->gpa);
                count = view_add(view, count, first, end, memory->host + offset, offset >> PAGE_SHIFT, region->kind);
        }
        STORE(view->count, count);

        uint32_t from = 0;
        for (uint64_t page = 0; page < LOW_PAGES; page++) {
                from = view_first_after(view, count, from, page);
                STORE(view->low_index[page], (uint16_t)from);
        }
        from = 0;
        for (uint64_t mib = 0; mib < MIB_COUNT; mib++) {
                from = view_first_after(view, count, from, mib * PAGES_PER_MIB);
                STORE(view->mib_index[mib], (uint16_t)from);
        }
        /* Releasing: a reader that still holds the generation two back may take the new view up (and then
         * discards what it read), so what lies in it must be visible. */
        __atomic_store_n(&memory->views[generation & 1], view, __ATOMIC_RELEASE);
        __atomic_store_n(&memory->generation, generation, __ATOMIC_SEQ_CST);
}

/* -- Entry points ------------------------------------------------------------------------------ */

static void map_changed(struct memory *memory)
{
        for (struct memory_listener *listener = memory->listeners; listener; listener = listener->next)
                if (listener->map_changed)
                        listener->map_changed(listener->opaque);
}

void memory_map_update(struct memory *memory)
{
        segments_update(memory);
        view_update(memory);
        map_changed(memory);
}

static void data_moved(struct memory *memory)
{
        for (struct memory_listener *listener = memory->listeners; listener; listener = listener->next)
                if (listener->data_moved)
                        listener->data_moved(listener->opaque);
                else if (listener->map_changed)
                        listener->map_changed(listener->opaque);
}

/* Whether translated code was made of what [gpa, gpa + size) shows. */
static bool range_holds_code(const struct memory *memory, gpa_t gpa, uint64_t size)
{
        while (size) {
                gpa_t end;
                const struct segment_range *segment = memory_map_find(memory, gpa, &end);
                uint64_t n = end > gpa ? MIN(size, end - gpa) : size;

                if (segment && segment->region->kind != PAGE_MMIO) {
                        uint64_t offset = segment->region->offset + segment->offset + (gpa - segment->first);

                        for (uint64_t page = offset >> PAGE_SHIFT; page <= (offset + n - 1) >> PAGE_SHIFT; page++)
                                if (__atomic_load_n(&memory->states[page], __ATOMIC_SEQ_CST) & PAGE_HOLDS_CODE)
                                        return true;
                }
                gpa += n;
                size -= n;
        }
        return false;
}

static bool change_holds_code(const struct memory_region *region, const struct memory_region *before)
{
        return (region->enabled && range_holds_code(region->memory, region->gpa, region->size)) ||
               (before->enabled && range_holds_code(region->memory, before->gpa, before->size));
}

void memory_map_update_region(struct memory_region *region, const struct memory_region *before)
{
        struct memory *memory = region->memory;
        bool code = change_holds_code(region, before);          /* in what was shown there until now */

        segments_update(memory);
        view_update(memory);
        if (code || change_holds_code(region, before))
                map_changed(memory);
        else
                data_moved(memory);
}

void memory_for_each_backed(struct memory *memory,
                            void (*fn)(void *opaque, gpa_t gpa, uint64_t size, uint8_t *host, bool read_only), void *opaque)
{
        const struct view *view = memory->views[memory->generation & 1];

        for (uint32_t i = 0; view && i < view->count; i++) {
                const struct view_range *range = &view->ranges[i];

                if (range->kind == PAGE_RAM || range->kind == PAGE_ROM)
                        fn(opaque, range->first << PAGE_SHIFT, (range->end - range->first) << PAGE_SHIFT, range->host,
                           range->kind == PAGE_ROM);
        }
}

void memory_for_each_device(struct memory *memory, void (*fn)(void *opaque, const struct memory_device *device), void *opaque)
{
        for (size_t i = 0; i < memory->segment_count; i++) {
                const struct segment_range *segment = &memory->segments[i];
                const struct memory_region *region = segment->region;
                struct memory_device device = { .gpa = segment->first, .size = segment->end - segment->first };

                if (region->kind != PAGE_MMIO)
                        continue;
                device.late_writes = region->late_writes;
                /* Of a region that is covered in part no bells. */
                if (device.size == region->size) {
                        device.first_bell = region->gpa + region->first_bell;
                        device.bell_step = region->bell_step;
                        device.bells = region->bells;
                }
                if (device.late_writes || device.bells)
                        fn(opaque, &device);
        }
}

void memory_map_free(struct memory *memory)
{
        g_free(memory->segments);
        g_free(memory->views[0]);
        g_free(memory->views[1]);
        g_ptr_array_free(memory->graveyard, TRUE);
}
