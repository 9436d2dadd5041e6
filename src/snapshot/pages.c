/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pages.c - guest memory into PAGE sections.
 *
 * The writing thread fetches chunk after chunk into a ring of jobs and hands them to a pool; workers find
 * zero pages and duplicates, and compress; the writing thread writes the finished jobs in order.  So
 * memory in use is bounded, and the file is the same whatever the threads do.
 *
 * Duplicates are found by a 128-bit hash keyed with random numbers, which a guest cannot aim at: that
 * two different pages of one snapshot share it is less likely than any fault of the host's memory.
 */
#include <string.h>

#include "snapshot/compress.h"
#include "snapshot/pages.h"

enum { CHUNK_BYTES = CHUNK_PAGES * SNAPSHOT_PAGE_BYTES, RAW_DATA_AT = SNAPSHOT_PAGE_BYTES };

/* -- Duplicates --------------------------------------------------------------------------------- */

struct page_hash {
        uint64_t low, high;
};

struct known_page {
        struct page_hash hash;
        uint32_t chunk;
        uint16_t slot;
        bool used;
};

/* Open addressing; never more than half full. */
struct known_pages {
        GMutex mutex;
        uint64_t mask;
        struct known_page *pages;
        uint64_t key[4];
};

static uint64_t fold(uint64_t a, uint64_t b)
{
        __uint128_t product = (__uint128_t)a * b;

        return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static struct page_hash page_hash(const uint64_t key[4], const uint8_t *page)
{
        struct page_hash hash = { key[0], key[1] };
        uint64_t words[4];

        for (unsigned at = 0; at < SNAPSHOT_PAGE_BYTES; at += sizeof(words)) {
                memcpy(words, page + at, sizeof(words));
                hash.low = fold(hash.low ^ words[0] ^ key[2], words[1] ^ key[3]) + words[2];
                hash.high = fold(hash.high ^ words[2] ^ key[3], words[3] ^ key[2]) + words[0];
        }
        return hash;
}

static bool page_is_zero(const uint8_t *page)
{
        return !page[0] && !memcmp(page, page + 1, SNAPSHOT_PAGE_BYTES - 1);
}

/* Looks the page up for chunk; notes it as (chunk, slot) when no chunk up to this one has it.  Chunks are
 * worked on in any order, so an entry of a later one is taken over. */
static bool known_find(struct known_pages *known, const uint8_t *page, uint32_t chunk, uint16_t slot, struct known_page *found)
{
        struct page_hash hash = page_hash(known->key, page);
        uint64_t i = hash.low & known->mask;
        bool hit;

        g_mutex_lock(&known->mutex);
        while (known->pages[i].used && memcmp(&known->pages[i].hash, &hash, sizeof(hash)))
                i = (i + 1) & known->mask;
        hit = known->pages[i].used && known->pages[i].chunk <= chunk;
        if (!hit)
                known->pages[i] = (struct known_page){ hash, chunk, slot, true };
        *found = known->pages[i];
        g_mutex_unlock(&known->mutex);
        return hit;
}

/* -- Jobs --------------------------------------------------------------------------------------- */

struct encoder {
        struct known_pages known;
        enum snapshot_encoding encoding;
        GMutex mutex;
        GCond finished;
};

struct job {
        struct encoder *encoder;
        uint64_t first;
        uint32_t chunk;
        unsigned count;
        bool done;                      /* encoder->mutex */
        size_t payload_bytes;
        unsigned zero, same, stored;
        size_t stored_bytes;
        const struct page_source *source;
        uint8_t *pages;                 /* CHUNK_BYTES; stored ones are moved to its front */
        uint8_t *payload;               /* RAW_DATA_AT + CHUNK_BYTES */
};

static bool page_wanted(const struct page_source *source, uint64_t page)
{
        return !source->wanted || source->wanted(source->opaque, page);
}

static void job_encode(struct job *job)
{
        struct encoder *encoder = job->encoder;
        enum snapshot_encoding encoding = encoder->encoding;
        uint8_t *entry = job->payload + CHUNK_HEADER_BYTES;
        size_t at, bytes, stored;
        unsigned entries = 0;

        memset(job->payload, 0, RAW_DATA_AT);
        job->zero = job->same = job->stored = 0;
        for (unsigned i = 0; i < job->count; i++) {
                const uint8_t *page = job->pages + (size_t)i * SNAPSHOT_PAGE_BYTES;
                struct known_page found;

                if (!page_wanted(job->source, job->first + i))
                        continue;
                entry[ENTRY_PAGE] = (uint8_t)i;
                if (page_is_zero(page)) {
                        entry[ENTRY_KIND] = ENTRY_ZERO;
                        job->zero++;
                } else if (known_find(&encoder->known, page, job->chunk, (uint16_t)job->stored, &found)) {
                        entry[ENTRY_KIND] = found.chunk == job->chunk ? ENTRY_STORED : ENTRY_SAME;
                        put_le16(entry + ENTRY_SLOT, found.slot);
                        put_le32(entry + ENTRY_CHUNK, found.chunk == job->chunk ? 0 : found.chunk);
                        job->same++;
                } else {
                        entry[ENTRY_KIND] = ENTRY_STORED;
                        put_le16(entry + ENTRY_SLOT, (uint16_t)job->stored);
                        if (job->stored != i)
                                memcpy(job->pages + (size_t)job->stored * SNAPSHOT_PAGE_BYTES, page, SNAPSHOT_PAGE_BYTES);
                        job->stored++;
                }
                entries++;
                entry += CHUNK_ENTRY_BYTES;
        }
        bytes = (size_t)job->stored * SNAPSHOT_PAGE_BYTES;
        at = encoding == ENCODING_NONE ? RAW_DATA_AT : (size_t)(entry - job->payload);
        stored = bytes && encoding != ENCODING_NONE ? compress_bytes(encoding, job->payload + at, job->pages, bytes) : 0;
        if (!stored) {
                encoding = ENCODING_NONE;
                memcpy(job->payload + at, job->pages, bytes);
                stored = bytes;
        }
        put_le64(job->payload + CHUNK_FIRST, job->first);
        put_le16(job->payload + CHUNK_ENTRIES, (uint16_t)entries);
        job->payload[CHUNK_ENCODING] = (uint8_t)encoding;
        put_le32(job->payload + CHUNK_STORED, job->stored);
        put_le32(job->payload + CHUNK_DATA_AT, (uint32_t)at);
        put_le32(job->payload + CHUNK_DATA_BYTES, (uint32_t)stored);
        job->stored_bytes = stored;
        job->payload_bytes = at + stored;
}

static void job_run(gpointer data, gpointer unused)
{
        struct job *job = data;

        (void)unused;
        job_encode(job);
        g_mutex_lock(&job->encoder->mutex);
        job->done = true;
        g_cond_signal(&job->encoder->finished);
        g_mutex_unlock(&job->encoder->mutex);
}

static bool job_write(struct snapshot_writer *writer, struct job *job, struct page_totals *totals, GError **error)
{
        struct encoder *encoder = job->encoder;

        g_mutex_lock(&encoder->mutex);
        while (!job->done)
                g_cond_wait(&encoder->finished, &encoder->mutex);
        g_mutex_unlock(&encoder->mutex);
        totals->zero += job->zero;
        totals->same += job->same;
        totals->stored += job->stored;
        totals->bytes += job->stored_bytes;
        return snapshot_writer_section(writer, SECTION_PAGES, 0, job->payload, job->payload_bytes,
                                       encoder->encoding == ENCODING_NONE, error);
}

/* -- The whole ---------------------------------------------------------------------------------- */

static void encoder_init(struct encoder *encoder, uint64_t pages, enum snapshot_encoding encoding)
{
        uint64_t places = 1024;

        while (places < 2 * pages)
                places *= 2;
        encoder->encoding = encoding;
        encoder->known.mask = places - 1;
        encoder->known.pages = g_new0(struct known_page, places);
        for (unsigned i = 0; i < G_N_ELEMENTS(encoder->known.key); i++)
                encoder->known.key[i] = (uint64_t)g_random_int() << 32 | g_random_int() | 1;
        g_mutex_init(&encoder->known.mutex);
        g_mutex_init(&encoder->mutex);
        g_cond_init(&encoder->finished);
}

/* Moves on to the next chunk that has any page in the file; false: there is none. */
static bool next_wanted(const struct page_source *source, uint64_t *first)
{
        for (; *first < source->pages; *first += CHUNK_PAGES)
                for (uint64_t page = *first; page < MIN(source->pages, *first + CHUNK_PAGES); page++)
                        if (page_wanted(source, page))
                                return true;
        return false;
}

bool snapshot_write_pages(struct snapshot_writer *writer, const struct page_source *source, enum snapshot_encoding encoding,
                          struct page_totals *totals, GError **error)
{
        unsigned threads = MIN(g_get_num_processors(), 8), ring = 2 * threads + 1;
        GThreadPool *pool = g_thread_pool_new(job_run, NULL, (gint)threads, TRUE, NULL);
        struct encoder encoder = { 0 };
        struct job *jobs = g_new0(struct job, ring);
        uint64_t chunks = 0, first = 0, written = 0;
        bool ok = true;

        *totals = (struct page_totals){ 0 };
        encoder_init(&encoder, source->pages, encoding);
        for (; ok && next_wanted(source, &first); first += CHUNK_PAGES, chunks++) {
                struct job *job = &jobs[chunks % ring];

                if (chunks >= ring)
                        ok = job_write(writer, &jobs[written++ % ring], totals, error);
                if (!job->pages) {
                        job->pages = g_malloc(CHUNK_BYTES);
                        job->payload = g_malloc(RAW_DATA_AT + CHUNK_BYTES);
                }
                job->encoder = &encoder;
                job->source = source;
                job->first = first;
                job->chunk = (uint32_t)chunks;
                job->count = (unsigned)MIN(source->pages - job->first, CHUNK_PAGES);
                job->done = false;
                source->fetch(source->opaque, job->first, job->count, job->pages);
                g_thread_pool_push(pool, job, NULL);
        }
        for (; written < chunks && ok; written++)
                ok = job_write(writer, &jobs[written % ring], totals, error);
        g_thread_pool_free(pool, FALSE, TRUE);
        for (unsigned i = 0; i < ring; i++) {
                g_free(jobs[i].pages);
                g_free(jobs[i].payload);
        }
        g_free(jobs);
        g_free(encoder.known.pages);
        g_mutex_clear(&encoder.known.mutex);
        g_mutex_clear(&encoder.mutex);
        g_cond_clear(&encoder.finished);
        return ok;
}
