/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.h - guest-physical memory: RAM, ROM, device regions, and the one table of page states.
 *
 * RAM is a memfd mapped once, always writable ("the alias"), at a host address that never changes.
 * The physical map says what lies at each guest-physical address: RAM, ROM (an area of RAM or of a
 * file that ignores writes), a device region with callbacks, or nothing (reads all ones).  The page
 * table (one struct page_info per 4 KiB page of the map) is what every other feature asks: "before
 * this access to this page, do something first".  The software TLB, DMA and later the windows, KVM's
 * slots, dirty tracking, lazy restore and copy-on-write take their permissions from it.
 *
 * Threads: look-ups (memory_page, memory_peek) may run on any thread without a lock.  The map is
 * changed with the machine lock held; each change calls the listeners, which make vCPUs drop what
 * they cached.  Page states change under the pages lock.
 *
 * Functions marked [gpr] are compiled without vector registers and may run while a guest's are live.
 */
#ifndef LODGER_MEMORY_MEMORY_H
#define LODGER_MEMORY_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "base/lock.h"

typedef uint64_t gpa_t;         /* guest-physical address */
typedef uint64_t gva_t;         /* guest-linear address */

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define PAGE_MASK (~(uint64_t)4095)

/* Of functions that touch guest memory: what vCPUs and devices do to each other there is the guest's affair, and none of
 * ThreadSanitizer's. */
#define MEMORY_RACY __attribute__((no_sanitize("thread")))

struct memory;
struct memory_region;

/* Callbacks of a device region; run on a vCPU or main-loop thread with the machine lock held.
 * offset is relative to the region; size is 1, 2, 4 or 8 and never crosses the region's end.
 * Accesses wider or narrower than [min_size, max_size] are split or widened by the dispatcher;
 * 0 in both means 1 to 4. */
struct mmio_ops {
        uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
        void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
        uint8_t min_size, max_size;
};

enum page_kind { PAGE_NONE, PAGE_RAM, PAGE_ROM, PAGE_MMIO };

enum page_state {
        PAGE_HOLDS_CODE = 1 << 0,       /* a write must first drop translated blocks */
        PAGE_TRACKED = 1 << 1,          /* a write must first be noted (dirty tracking) */
        PAGE_ABSENT = 1 << 2,           /* contents must first be brought in (lazy restore) */
        PAGE_SHARED = 1 << 3,           /* as in the frozen file: the first write must be noted (share.h) */
};

/* One 4 KiB page as an access sees it. */
struct page_info {
        uint8_t *host;          /* contents, writable alias; NULL for NONE and MMIO */
        enum page_kind kind;
        uint32_t state;         /* enum page_state bits */
        uint64_t ram_page;      /* its page in the memory's file: RAM from 0, pages of ROMs after RAM */
};

/* Called when a page must change before an access: WRITE to a page with HOLDS_CODE, and so on. */
struct memory_listener {
        /* The map or a page's permissions changed: drop cached translations (all vCPUs). */
        void (*map_changed)(void *opaque);
        /* The same when no page of it held code or does now (bank switching, a frame buffer that moves):
         * host addresses are stale, translated code is not.  NULL: map_changed is called. */
        void (*data_moved)(void *opaque);
        /* Bytes [gpa, gpa+size) of a page that holds code are about to be, or were just, written. */
        void (*code_written)(void *opaque, gpa_t gpa, size_t size);
        void *opaque;
        struct memory_listener *next;
};

/* ram_bytes is a multiple of 1 MiB.  NULL with error set when the host cannot provide it. */
struct memory *memory_new(uint64_t ram_bytes, struct lock *machine_lock, GError **error);
void memory_free(struct memory *memory);
uint64_t memory_ram_bytes(const struct memory *memory);
uint8_t *memory_ram(const struct memory *memory);       /* RAM page 0, the writable alias */

/* -- The map ----------------------------------------------------------------------------------- */

/* Places bytes [ram_offset, +size) of RAM, or of what memory_reserve() gave, at gpa.  Later and higher-priority regions cover earlier ones.
 * All addresses and sizes are multiples of PAGE_SIZE, except for MMIO regions. */
struct memory_region *memory_map_ram(struct memory *memory, gpa_t gpa, uint64_t ram_offset, uint64_t size,
                                     bool read_only, int priority, const char *name);
/* Places a private copy of bytes (padded with zeros) as ROM.  NULL: more than 64 MiB of ROMs. */
struct memory_region *memory_map_rom(struct memory *memory, gpa_t gpa, const void *bytes, size_t size,
                                     int priority, const char *name);
struct memory_region *memory_map_mmio(struct memory *memory, gpa_t gpa, uint64_t size, const struct mmio_ops *ops,
                                      void *opaque, int priority, const char *name);
/* Sets aside zeroed memory of a device (video memory), in the file after RAM: an offset that memory_map_ram()
 * takes, memory_ram() + offset being its bytes; 0 when ROMs and devices have used up their 64 MiB.  It is
 * never given back. */
uint64_t memory_reserve(struct memory *memory, uint64_t size);
/* RAM and what was set aside after it, from memory_ram() on: what a copy of the machine's memory consists of. */
uint64_t memory_used_bytes(const struct memory *memory);
/* Shows other bytes in a RAM region (bank switching). */
void memory_region_set_offset(struct memory_region *region, uint64_t ram_offset);
/* Moves, hides or shows a region (PCI BARs, PAM). */
void memory_region_set(struct memory_region *region, gpa_t gpa, bool enabled);
void memory_region_set_read_only(struct memory_region *region, bool read_only);
/* Of an MMIO region that is not seen yet: writes may come late, all of them in order, and before any other access of a
 * vCPU to a device. */
void memory_region_set_late_writes(struct memory_region *region);
/* Of an MMIO region: a write to offset first + i * step, i < count, does the same whatever its width and value, and may be
 * done by the main loop while the vCPU runs on. */
void memory_region_set_bells(struct memory_region *region, uint32_t first, uint32_t step, unsigned count);
void memory_unmap(struct memory_region *region);
void memory_add_listener(struct memory *memory, struct memory_listener *listener);
/* Every range of whole pages that memory backs, in rising order: what hardware can map by itself.  Machine lock held. */
void memory_for_each_backed(struct memory *memory,
                            void (*fn)(void *opaque, gpa_t gpa, uint64_t size, uint8_t *host, bool read_only), void *opaque);
/* What engines may know of device regions with bells or late writes, where they are seen.  Machine lock held. */
struct memory_device {
        gpa_t gpa;
        uint64_t size;
        bool late_writes;
        gpa_t first_bell;
        uint32_t bell_step;
        unsigned bells;
};
void memory_for_each_device(struct memory *memory, void (*fn)(void *opaque, const struct memory_device *device), void *opaque);
/* The regions as a person reads them, one a line (info memory). */
char *memory_describe(struct memory *memory);

/* -- Access ------------------------------------------------------------------------------------ */

/* [gpr] What lies at gpa. */
struct page_info memory_page(struct memory *memory, gpa_t gpa);
/* [gpr] Sets and clears state bits of the RAM page behind gpa; false when there is none.  Setting
 * HOLDS_CODE takes effect for all vCPUs before it returns to translated code (the caller flushes). */
bool memory_set_state(struct memory *memory, gpa_t gpa, uint32_t set, uint32_t clear);
/* [gpr] Whoever is about to write through page->host calls this first when page->state has PAGE_TRACKED or PAGE_SHARED (or
 * always); afterwards the page may be written to, and page->state says what is left to be done. */
void memory_before_write(struct memory *memory, struct page_info *page);
/* The same for [offset, +size) of the memory's file, for devices that write through memory_ram(). */
void memory_before_write_file(struct memory *memory, uint64_t offset, size_t size);

/* Device and debugger access: any length, RAM, ROM (reads) and MMIO, splitting as needed.  Writes
 * to pages that hold code call the listeners.  False when part of the range is not there (reads
 * give 0xff there, writes are dropped there).  Machine lock held. */
bool memory_read(struct memory *memory, gpa_t gpa, void *to, size_t size);
bool memory_write(struct memory *memory, gpa_t gpa, const void *from, size_t size);
/* Gives the whole pages of RAM in [gpa, gpa+size) back to the host, as far as nothing stands against it: they read
 * as zeroes afterwards.  The guest must not need them.  Gives the number of bytes.  Machine lock held. */
uint64_t memory_discard(struct memory *memory, gpa_t gpa, uint64_t size);
/* One access of 1, 2, 4 or 8 bytes to a device region or to nothing.  Takes the machine lock. */
uint64_t memory_mmio_read(struct memory *memory, gpa_t gpa, unsigned size);
void memory_mmio_write(struct memory *memory, gpa_t gpa, uint64_t value, unsigned size);

#endif
