/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pages.h - guest memory into PAGE sections: zero pages and duplicates folded, the rest compressed by
 * several threads.
 */
#ifndef LODGER_SNAPSHOT_PAGES_H
#define LODGER_SNAPSHOT_PAGES_H

#include "snapshot/writer.h"

/* Where the pages come from.  fetch() is called on the writing thread only, once at most for each page, in
 * rising order: it copies pages [first, first+count) to `to`. */
struct page_source {
        void (*fetch)(void *opaque, uint64_t first, unsigned count, uint8_t *to);
        /* Whether a page belongs into the file; NULL: all do. */
        bool (*wanted)(void *opaque, uint64_t page);
        void *opaque;
        uint64_t pages;
};

struct page_totals {
        uint64_t zero, same, stored;    /* pages */
        uint64_t bytes;                 /* what the stored ones take */
};

bool snapshot_write_pages(struct snapshot_writer *writer, const struct page_source *source, enum snapshot_encoding encoding,
                          struct page_totals *totals, GError **error);

#endif
