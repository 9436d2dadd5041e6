/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.c - the bytes behind guest memory, and the regions that place them in the physical map.
 *
 * RAM and the bytes of ROMs are one file (a memfd) mapped once, with a guard page on either side:
 * RAM page n is page n of the file, ROM pages follow.  One index therefore names a page's bytes, its
 * state, and its place in the file, from which further views of it can be mapped.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "memory/internal.h"
#include "memory/track.h"

/* -- Backing ----------------------------------------------------------------------------------- */

/* A memfd of that size, or -1 where the host forbids it (vm.memfd_noexec, seccomp; traps.md T16). */
int memory_backing_open(uint64_t bytes)
{
        int fd = memfd_create("lodger-ram", MFD_CLOEXEC);

        if (fd >= 0 && ftruncate(fd, (off_t)bytes) < 0) {
                close(fd);
                fd = -1;
        }
        return fd;
}

static bool backing_map(struct memory *memory, uint64_t bytes, GError **error)
{
        memory->fd = memory_backing_open(bytes);
        memory->frozen_fd = -1;
        memory->reservation_bytes = bytes + 2 * PAGE_SIZE;
        memory->reservation = mmap(NULL, memory->reservation_bytes, PROT_NONE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory->reservation != MAP_FAILED) {
                int flags = MAP_SHARED | MAP_NORESERVE | MAP_FIXED | (memory->fd < 0 ? MAP_ANONYMOUS : 0);
                memory->host = mmap(memory->reservation + PAGE_SIZE, bytes, PROT_READ | PROT_WRITE, flags, memory->fd, 0);
                if (memory->host != MAP_FAILED) {
                        /* A core dump of the process is about the process. */
                        madvise(memory->host, bytes, MADV_DONTDUMP);
                        return true;
                }
        }

        int saved = errno;
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved),
                    "cannot map %" G_GUINT64_FORMAT " MiB for guest memory: %s (try a smaller --memory, "
                    "or raise the limit shown by `ulimit -v`)", memory->ram_bytes >> 20, g_strerror(saved));
        if (memory->reservation != MAP_FAILED)
                munmap(memory->reservation, memory->reservation_bytes);
        if (memory->fd >= 0)
                close(memory->fd);
        return false;
}

/* -- Life -------------------------------------------------------------------------------------- */

/* Memory and swap of the host.  A guest that uses more would end by a signal from the kernel, in the middle of its work. */
static bool host_has(uint64_t bytes, GError **error)
{
        struct sysinfo host;

        if (sysinfo(&host))
                return true;
        uint64_t has = ((uint64_t)host.totalram + host.totalswap) * host.mem_unit;
        if (bytes <= has)
                return true;
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOMEM,
                    "%" G_GUINT64_FORMAT " MiB of guest memory: this host has %" G_GUINT64_FORMAT " MiB, swap included (try a smaller --memory)",
                    (guint64)(bytes >> 20), (guint64)(has >> 20));
        return false;
}

struct memory *memory_new(uint64_t ram_bytes, struct lock *machine_lock, GError **error)
{
        if (!ram_bytes || ram_bytes % (1 << 20) || ram_bytes > PHYSICAL_END / 2) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                            "guest memory must be a multiple of 1 MiB and at most %" G_GUINT64_FORMAT " MiB",
                            (guint64)(PHYSICAL_END / 2 >> 20));
                return NULL;
        }

        if (!host_has(ram_bytes, error))
                return NULL;

        struct memory *memory = g_new0(struct memory, 1);
        memory->lock = machine_lock;
        memory->ram_bytes = ram_bytes;
        if (!backing_map(memory, ram_bytes + ROM_AREA_BYTES, error)) {
                g_free(memory);
                return NULL;
        }
        lock_init(&memory->pages_lock, LOCK_RANK_PAGES, "pages");
        memory->table_pages = (ram_bytes + ROM_AREA_BYTES) >> PAGE_SHIFT;
        memory->states = g_malloc0(memory->table_pages);
        memory->regions = g_ptr_array_new();
        memory->graveyard = g_ptr_array_new_with_free_func(g_free);
        memory_map_update(memory);
        return memory;
}

static void region_free(struct memory_region *region)
{
        g_free(region->name);
        g_free(region);
}

void memory_free(struct memory *memory)
{
        if (!memory)
                return;
        for (guint i = 0; i < memory->regions->len; i++)
                region_free(g_ptr_array_index(memory->regions, i));
        g_ptr_array_free(memory->regions, TRUE);
        memory_map_free(memory);
        memory_track_end(memory);
        lock_destroy(&memory->pages_lock);
        g_free(memory->states);
        munmap(memory->reservation, memory->reservation_bytes);
        if (memory->fd >= 0)
                close(memory->fd);
        if (memory->frozen_fd >= 0)
                close(memory->frozen_fd);
        g_free(memory);
}

uint64_t memory_ram_bytes(const struct memory *memory)
{
        return memory->ram_bytes;
}

uint8_t *memory_ram(const struct memory *memory)
{
        return memory->host;
}

void memory_add_listener(struct memory *memory, struct memory_listener *listener)
{
        listener->next = memory->listeners;
        memory->listeners = listener;
}

/* -- Regions ----------------------------------------------------------------------------------- */

static struct memory_region *region_add(struct memory *memory, gpa_t gpa, uint64_t size, enum page_kind kind,
                                        int priority, const char *name)
{
        struct memory_region *region = g_new0(struct memory_region, 1);

        region->memory = memory;
        region->gpa = gpa;
        region->size = size;
        region->kind = kind;
        region->enabled = true;
        region->priority = priority;
        region->name = g_strdup(name);
        g_ptr_array_add(memory->regions, region);
        return region;
}

/* Within RAM, or within what follows it. */
static bool offset_valid(const struct memory *memory, uint64_t offset, uint64_t size)
{
        uint64_t end = offset < memory->ram_bytes ? memory->ram_bytes : memory_used_bytes(memory);

        return offset <= end && size <= end - offset;
}

struct memory_region *memory_map_ram(struct memory *memory, gpa_t gpa, uint64_t ram_offset, uint64_t size,
                                     bool read_only, int priority, const char *name)
{
        g_assert(!(gpa % PAGE_SIZE) && !(ram_offset % PAGE_SIZE) && !(size % PAGE_SIZE));
        g_assert(offset_valid(memory, ram_offset, size));

        struct memory_region *region =
                region_add(memory, gpa, size, read_only ? PAGE_ROM : PAGE_RAM, priority, name);
        region->offset = ram_offset;
        memory_map_update(memory);
        return region;
}

uint64_t memory_reserve(struct memory *memory, uint64_t size)
{
        uint64_t offset = memory->ram_bytes + memory->rom_used;

        g_assert(!(size % PAGE_SIZE));
        if (size > ROM_AREA_BYTES - memory->rom_used)
                return 0;
        memory->rom_used += size;
        return offset;
}

uint64_t memory_used_bytes(const struct memory *memory)
{
        return memory->ram_bytes + memory->rom_used;
}

struct memory_region *memory_map_rom(struct memory *memory, gpa_t gpa, const void *bytes, size_t size,
                                     int priority, const char *name)
{
        uint64_t padded = ((uint64_t)size + PAGE_SIZE - 1) & PAGE_MASK;

        g_assert(!(gpa % PAGE_SIZE));
        if (padded < size || padded > ROM_AREA_BYTES - memory->rom_used)
                return NULL;
        struct memory_region *region = region_add(memory, gpa, padded, PAGE_ROM, priority, name);
        region->offset = memory->ram_bytes + memory->rom_used;
        memory->rom_used += padded;
        memcpy(memory->host + region->offset, bytes, size);
        memory_map_update(memory);
        return region;
}

struct memory_region *memory_map_mmio(struct memory *memory, gpa_t gpa, uint64_t size, const struct mmio_ops *ops,
                                      void *opaque, int priority, const char *name)
{
        struct memory_region *region = region_add(memory, gpa, size, PAGE_MMIO, priority, name);

        region->ops = ops;
        region->opaque = opaque;
        memory_map_update(memory);
        return region;
}

void memory_region_set(struct memory_region *region, gpa_t gpa, bool enabled)
{
        g_assert(region->kind == PAGE_MMIO || !(gpa % PAGE_SIZE));
        if (region->gpa == gpa && region->enabled == enabled)
                return;
        struct memory_region before = *region;
        region->gpa = gpa;
        region->enabled = enabled;
        if (before.enabled || enabled)
                memory_map_update_region(region, &before);
}

void memory_region_set_offset(struct memory_region *region, uint64_t ram_offset)
{
        g_assert(region->kind != PAGE_MMIO && !(ram_offset % PAGE_SIZE));
        g_assert(offset_valid(region->memory, ram_offset, region->size));
        if (region->offset == ram_offset)
                return;
        struct memory_region before = *region;
        region->offset = ram_offset;
        if (region->enabled)
                memory_map_update_region(region, &before);
}

void memory_region_set_read_only(struct memory_region *region, bool read_only)
{
        enum page_kind kind = read_only ? PAGE_ROM : PAGE_RAM;

        g_assert(region->kind != PAGE_MMIO);
        if (region->kind == kind)
                return;
        region->kind = kind;
        memory_map_update(region->memory);
}

void memory_region_set_late_writes(struct memory_region *region) { region->late_writes = true; }

void memory_region_set_bells(struct memory_region *region, uint32_t first, uint32_t step, unsigned count)
{
        if (region->first_bell == first && region->bell_step == step && region->bells == count)
                return;
        region->first_bell = first;
        region->bell_step = step;
        region->bells = count;
        if (region->enabled)
                memory_map_update(region->memory);
}

void memory_unmap(struct memory_region *region)
{
        struct memory *memory = region->memory;

        g_ptr_array_remove(memory->regions, region);
        memory_map_update(memory);
        region_free(region);
}

char *memory_describe(struct memory *memory)
{
        static const char *const kinds[] = {
                [PAGE_NONE] = "none", [PAGE_RAM] = "ram", [PAGE_ROM] = "rom", [PAGE_MMIO] = "device",
        };
        GString *text = g_string_new(NULL);

        for (size_t i = 0; i < memory->segment_count; i++) {
                const struct segment_range *segment = &memory->segments[i];
                g_string_append_printf(text, "%010" G_GINT64_MODIFIER "x-%010" G_GINT64_MODIFIER "x %-6s %s", segment->first,
                                       segment->end - 1, kinds[segment->region->kind], segment->region->name);
                if (segment->offset)
                        g_string_append_printf(text, " +%" G_GINT64_MODIFIER "x", segment->offset);
                g_string_append_c(text, '\n');
        }
        return g_string_free(text, FALSE);
}
