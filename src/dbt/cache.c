/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.c - where translated code lives.
 *
 * One region, mapped twice: writable and executable never at the same address (W^X).  It is used as
 * a ring of chunks: when the current chunk is full the oldest one is emptied and becomes current, so
 * that hot code is lost now and then but never all of it at once.  The first half of a chunk holds the main parts of
 * blocks, close together, the second what is out of line and hardly ever runs.  Metadata of blocks (maps, exits,
 * callouts) comes from slabs that belong to the chunk and go with it.
 *
 * What translated code itself writes (struct guess) lies beside the executable mapping, within reach of a RIP-relative
 * operand, yet never in a page that holds code: the CPU takes a store near running code for self-modification.
 *
 * Invariants:
 * 1  Blocks of a chunk lie in rising order in chunk->block[], by either part.
 * 2  Nothing in a chunk is reused while any vCPU may still execute it: between dropping its blocks and
 *    reusing it lies a grace period (smp.c), and no translated code is on this vCPU's stack.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "dbt/internal.h"

enum { STUB_BYTES = 16 * 1024, SLAB_BYTES = 256 * 1024, BLOCK_ALIGN = 16, GUESSES_SHARE = 16 /* of the cache's size */ };

/* A file that no one else sees and that may be mapped executable (T16): a memfd, or, where those are
 * forbidden to be executable, an unlinked file in the user's runtime or temporary directory. */
static int open_backing(size_t bytes)
{
        int fd = memfd_create("lodger-code", MFD_CLOEXEC);
        if (fd >= 0) {
                void *probe = ftruncate(fd, (off_t)bytes) ? MAP_FAILED
                                                          : mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
                if (probe != MAP_FAILED) {
                        munmap(probe, 4096);
                        return fd;
                }
                close(fd);
        }
        const char *directories[] = { g_getenv("XDG_RUNTIME_DIR"), g_get_tmp_dir(), "/var/tmp", "/dev/shm" };
        for (unsigned i = 0; i < G_N_ELEMENTS(directories); i++) {
                if (!directories[i])
                        continue;
                fd = open(directories[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
                if (fd < 0)
                        continue;
                void *probe = ftruncate(fd, (off_t)bytes) ? MAP_FAILED
                                                          : mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
                if (probe != MAP_FAILED) {
                        munmap(probe, 4096);
                        return fd;
                }
                close(fd);
        }
        return -1;
}

/* Maps the file, or shared anonymous memory where no file may be executable, twice into the room at `at`. */
static bool map_twice(struct cache *cache, uint8_t *at, int fd)
{
        size_t bytes = cache->bytes;

        if (fd >= 0)
                return mmap(at, bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED &&
                       mmap(at + bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;
        return mmap(at + bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED &&
               mremap(at + bytes, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED &&
               !mprotect(at, bytes, PROT_READ | PROT_EXEC);
}

/* Bytes of a chunk's table of blocks; each block takes at least one unit of BLOCK_ALIGN bytes. */
static size_t block_room(const struct cache *cache)
{
        return (size_t)(cache->chunk[0].end - cache->chunk[0].start) / BLOCK_ALIGN * sizeof(struct block *);
}

bool cache_init(struct cache *cache, uint64_t bytes, bool anonymous, GError **error)
{
        size_t guesses = bytes / GUESSES_SHARE;

        cache->bytes = bytes;
        cache->mapping_bytes = 2 * bytes + guesses;
        int fd = anonymous ? -1 : open_backing(bytes);
        uint8_t *at = mmap(NULL, cache->mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        bool mapped = at != MAP_FAILED && map_twice(cache, at, fd) &&
                      mmap(at + 2 * bytes, guesses, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
        int saved = errno;
        if (fd >= 0)
                close(fd);
        if (!mapped) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                            "the translator cannot map %zu MiB of executable memory: %s; allow executable memfds "
                            "(vm.memfd_noexec=0) or raise the address-space limit (ulimit -v)",
                            (size_t)(bytes >> 20), g_strerror(saved));
                if (at != MAP_FAILED)
                        munmap(at, cache->mapping_bytes);
                return false;
        }
        cache->rx = at;
        cache->rw = at + bytes;
        cache->blocks_start = cache->rx + STUB_BYTES;
        size_t chunk = (bytes - STUB_BYTES) / CACHE_CHUNKS & ~(size_t)63;
        struct guess *guess = (struct guess *)(at + 2 * bytes);
        size_t guess_count = guesses / sizeof(struct guess) / CACHE_CHUNKS;
        for (unsigned i = 0; i < CACHE_CHUNKS; i++) {
                cache->chunk[i].start = cache->rw + STUB_BYTES + i * chunk;
                cache->chunk[i].end = cache->chunk[i].start + chunk;
                cache->chunk[i].cold = cache->chunk[i].start + chunk / 2;
                cache->chunk[i].guess = guess + i * guess_count;
                cache->chunk[i].guesses = guess_count;
                cache->chunk[i].block = mmap(NULL, block_room(cache), PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
                if (cache->chunk[i].block == MAP_FAILED)
                        g_error("no memory for the table of translated blocks: %s", g_strerror(errno));
                cache->chunk[i].slabs = g_ptr_array_new_with_free_func(g_free);
        }
        cache->p = cache->chunk[0].start;
        cache->cold = cache->chunk[0].cold;
        return true;
}

void cache_fini(struct cache *cache)
{
        for (unsigned i = 0; i < CACHE_CHUNKS; i++) {
                if (!cache->chunk[i].block)
                        continue;
                munmap(cache->chunk[i].block, block_room(cache));
                g_ptr_array_free(cache->chunk[i].slabs, TRUE);
        }
        if (cache->rx)
                munmap(cache->rx, cache->mapping_bytes);
}

bool cache_has_room(const struct cache *cache, size_t need)
{
        const struct cache_chunk *chunk = &cache->chunk[cache->current];

        return (size_t)(chunk->cold - cache->p) >= need && (size_t)(chunk->end - cache->cold) >= need;
}

unsigned cache_next_chunk(struct cache *cache)
{
        cache->current = (cache->current + 1) % CACHE_CHUNKS;
        struct cache_chunk *chunk = &cache->chunk[cache->current];
        __atomic_store_n(&chunk->blocks, 0, __ATOMIC_RELEASE);
        g_ptr_array_set_size(chunk->slabs, 0);
        chunk->slab_used = 0;
        chunk->guesses_used = 0;
        cache->p = chunk->start;
        cache->cold = chunk->cold;
        return cache->current;
}

void cache_add(struct cache *cache, struct block *block)
{
        struct cache_chunk *chunk = &cache->chunk[cache->current];

        __atomic_store_n(&chunk->block[chunk->blocks], block, __ATOMIC_RELAXED);
        __atomic_store_n(&chunk->blocks, chunk->blocks + 1, __ATOMIC_RELEASE);
}

void *cache_meta(struct cache *cache, size_t bytes)
{
        struct cache_chunk *chunk = &cache->chunk[cache->current];

        bytes = (bytes + 15) & ~(size_t)15;
        g_assert(bytes <= SLAB_BYTES);
        if (!chunk->slabs->len || chunk->slab_used + bytes > SLAB_BYTES) {
                g_ptr_array_add(chunk->slabs, g_malloc0(SLAB_BYTES));
                chunk->slab_used = 0;
        }
        uint8_t *slab = g_ptr_array_index(chunk->slabs, chunk->slabs->len - 1);
        void *meta = slab + chunk->slab_used;
        chunk->slab_used += bytes;
        return meta;
}

struct guess *cache_guess(struct cache *cache)
{
        struct cache_chunk *chunk = &cache->chunk[cache->current];

        if (chunk->guesses_used == chunk->guesses)
                return NULL;
        struct guess *guess = &chunk->guess[chunk->guesses_used++];
        *guess = (struct guess){ .credit = GUESS_CREDIT };
        return guess;
}
