/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the files of src/memory share: regions, the flattened map, and its published form.
 *
 * The map exists three times, each derived from the one before:
 *   regions   what the machine asked for; they overlap and have priorities;
 *   segments  regions flattened to disjoint byte ranges; dispatch and DMA read them (machine lock);
 *   view      segments rounded to pages; memory_page() reads it without a lock.
 *
 * Rules of the view (map.c writes, pages.c reads):
 * V1  There are two buffers; generation g uses buffer g & 1.  The writer fills the other buffer and
 *     then publishes g + 1, so a reader that sees the same generation before and after its reads
 *     has read a consistent view.  Otherwise it reads again.
 * V2  A reader may meanwhile see anything in a buffer, so it checks every index against capacity, which never
 *     changes, and buffers are freed only with the memory.  A buffer that grows leaves its old self
 *     in the graveyard; sizes double, so that is bounded.
 * V3  Shared fields are written with relaxed and read with acquiring atomics (plain moves on x86).
 */
#ifndef LODGER_MEMORY_INTERNAL_H
#define LODGER_MEMORY_INTERNAL_H

#include "memory/memory.h"

enum { PHYSICAL_BITS = 40 };
#define PHYSICAL_END (UINT64_C(1) << PHYSICAL_BITS)

/* Room after RAM, in the same file and mapping, for the bytes of ROMs; sparse, so unused room is free. */
#define ROM_AREA_BYTES (UINT64_C(64) << 20)

enum { LOW_PAGES = 256, MIB_COUNT = 4096, PAGES_PER_MIB = 256 };

struct memory_region {
        struct memory *memory;
        gpa_t gpa;
        uint64_t size;
        enum page_kind kind;            /* RAM, ROM or MMIO */
        bool enabled;
        int priority;
        uint64_t offset;                /* RAM, ROM: of its first byte in the mapping */
        const struct mmio_ops *ops;
        void *opaque;
        char *name;
};

/* Bytes [first, end) of the map show region from `offset` on. */
struct segment_range {
        gpa_t first, end;
        struct memory_region *region;
        uint64_t offset;
};

/* Pages [first, end) of the view. */
struct view_range {
        uint64_t first, end;            /* page numbers */
        uint8_t *host;                  /* of page `first`; NULL for MMIO */
        uint64_t table_page;            /* its index in the page-state table */
        uint64_t kind;
};

struct view {
        uint32_t capacity;              /* of ranges; constant */
        uint32_t count;
        /* First range that ends after the start of that page (first MiB) or MiB (first 4 GiB). */
        uint16_t low_index[LOW_PAGES];
        uint16_t mib_index[MIB_COUNT];
        struct view_range ranges[];
};

/* Under the pages lock. */
struct memory_track {
        uint8_t *shadow;                /* as large as RAM: pages as they were */
        uint8_t *copied;                /* a byte a page: it is in the shadow */
        uint8_t *again;                 /* before the picture: written to since, copied once more when it is taken */
        bool ahead;                     /* the picture is still to be taken */
        uint64_t count;                 /* pages put aside */
        uint64_t data_from;             /* track.c: before it, and after what was fetched, are holes only */
};

struct memory {
        struct lock *lock;              /* the machine lock */
        uint64_t ram_bytes;
        uint64_t rom_used;              /* bytes of the ROM area handed out */
        int fd;                         /* memfd, or -1: anonymous shared memory */
        uint8_t *host;                  /* RAM, then the ROM area */
        uint8_t *reservation;           /* the whole mapping with a guard page on either side */
        size_t reservation_bytes;
        /* Page states, one byte a page, RAM first and then the ROM area.  Atomic. */
        uint8_t *states;
        uint64_t table_pages;
        /* A picture of RAM that is being taken (track.h); NULL: none. */
        struct lock pages_lock;
        struct memory_track *track;
        /* Pages that are still to come (lazy.h).  Atomic. */
        uint64_t lazy_wanted;           /* a page somebody waits for, plus 1; 0: none */
        uint32_t lazy_generation;       /* rises when pages have arrived; a futex */
        /* Machine lock. */
        GPtrArray *regions;             /* in the order they were made */
        struct segment_range *segments;
        size_t segment_count;
        struct memory_listener *listeners;
        unsigned depth;                 /* of nested device callbacks */
        GPtrArray *graveyard;
        /* The published view (V1). */
        uint64_t generation;
        struct view *views[2];
};

/* pages.c [gpr]: returns when the page, which was absent, is there. */
void memory_wait_present(struct memory *memory, uint64_t page);
/* map.c: recomputes segments and view, publishes them, and tells the listeners. */
void memory_map_update(struct memory *memory);
/* The same after a region of `size` bytes was changed (its address, its bytes, whether it is seen):
 * `before` is a copy of what it was.  Cheaper for the vCPUs where no code is concerned. */
void memory_map_update_region(struct memory_region *region, const struct memory_region *before);
void memory_map_free(struct memory *memory);
/* map.c: the segment that holds gpa; NULL when nothing is there, and then *end is where something
 * begins (or the end of the address space). */
const struct segment_range *memory_map_find(const struct memory *memory, gpa_t gpa, gpa_t *end);

#endif
