/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restore.c - from an address in the code cache back to the guest instruction it belongs to.
 *
 * Rules 1 to 3 of translate.h make this a look-up of RIP only: whenever an instruction faults, every
 * guest register and flag is what it was before it, in its host register.
 */
#include "dbt/internal.h"

struct block *cache_find(const struct cache *cache, const uint8_t *host)
{
        if (host < cache->blocks_start || host >= cache->rx + cache->bytes)
                return NULL;
        const uint8_t *rw = host - cache->rx + cache->rw;
        size_t chunk_bytes = (size_t)(cache->chunk[0].end - cache->chunk[0].start);
        size_t index = (size_t)(rw - cache->chunk[0].start) / chunk_bytes;
        if (index >= CACHE_CHUNKS)
                return NULL;
        const struct cache_chunk *chunk = &cache->chunk[index];
        bool cold = rw >= chunk->cold;
        size_t low = 0, high = __atomic_load_n(&chunk->blocks, __ATOMIC_ACQUIRE);
        while (low < high) {
                size_t mid = (low + high) / 2;
                struct block *block = __atomic_load_n(&chunk->block[mid], __ATOMIC_RELAXED);
                const uint8_t *part = cold ? block->cold : block->checked;
                if (host < part)
                        high = mid;
                else if (host >= part + (cold ? block->cold_bytes : block->host_bytes))
                        low = mid + 1;
                else
                        return block;
        }
        return NULL;
}

struct block *dbt_restore_rip(struct cpu *cpu, const uint8_t *host, const struct insn_origin **map)
{
        struct block *block = cache_find(&dbt_cpu(cpu)->dbt->cache, host);

        if (!block)
                return NULL;
        bool cold = host < block->checked || host >= block->checked + block->host_bytes;
        uint32_t offset = (uint32_t)(host - (cold ? block->cold : block->checked));
        unsigned low = cold ? block->main_maps : 0, high = cold ? block->maps : block->main_maps;
        while (low + 1 < high) {
                unsigned mid = (low + high) / 2;
                if (block->map[mid].host_offset <= offset)
                        low = mid;
                else
                        high = mid;
        }
        const struct insn_origin *entry = &block->map[low];
        uint64_t mask = context_wide(block->context) ? UINT64_MAX : UINT32_MAX;
        cpu->rip = (block->rip + entry->guest_offset) & mask;
        cpu->next_rip = (cpu->rip + entry->length) & mask;
        if (map)
                *map = entry;
        return block;
}
