/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.c - the tables of translated blocks: finding, chaining, dropping.
 *
 * A block is known by context (mode, CS base and limit), RIP and the guest-physical address of its
 * first byte.  Several linear pages may show the same physical page; several physical pages may be
 * seen, over time or by other processes, at the same linear page.  What keeps chains right:
 *
 * Invariants:
 * 1  A block is entered at `host` only when the page it starts in is known to be mapped as it was
 *    when the block was made: by the dispatcher, which has just looked, or from another block in the
 *    same page (whatever changes a mapping leaves to the dispatcher).
 * 2  Every other entry (an edge from another page, an indirect branch, a block with bytes in two
 *    pages) is at `checked`, which compares the TLB's code entries with the pages the block came from.
 *    So chains and the jump cache survive address-space switches.
 * 3  A page that has blocks has PAGE_HOLDS_CODE; the first write into it reaches block_drop_range.
 * 4  A dropped block is in no table, no exit and no jump cache leads to it; its memory stays readable
 *    until its chunk is evicted, since a vCPU may be inside it.  It is marked dead before jump caches are
 *    searched, and a vCPU looks at the mark after it has filled its own: so none is overlooked.
 * 5  What a page's bytes are is asked only when no store to it can be under way that has been let
 *    through (block_page_arm): stores that come later find the mark of the page, and then the block.
 * 6  Whatever another vCPU executes is changed in one store: the displacement of a jump lies within 16
 *    aligned bytes, which all processors with 64-bit mode write and fetch as one.
 *
 * Changed under dbt->lock, by vCPUs, and by other threads whose writes hit code.  Code that another vCPU
 * has changed is old to a vCPU until its next indirect or backward branch, or serializing instruction (SDM
 * 3A 9.1.3 asks for the last): blocks entered later are new ones, and a callout leaves a dead block.
 */
#include "base/log.h"
#include "dbt/slow.h"

const struct context *context_intern(struct dbt *dbt, uint64_t mode, uint64_t cs_base, uint32_t cs_limit,
                                     uint64_t debug_key)
{
        for (guint i = 0; i < dbt->contexts->len; i++) {
                const struct context *c = g_ptr_array_index(dbt->contexts, i);
                if (c->mode == mode && c->cs_base == cs_base && c->cs_limit == cs_limit && c->debug_key == debug_key)
                        return c;
        }
        struct context *c = g_new0(struct context, 1);
        c->mode = mode;
        c->cs_base = cs_base;
        c->cs_limit = cs_limit;
        c->debug_key = debug_key;
        /* The careful version of a context is entered by edges only; indirect branches leave it for the other. */
        c->key = mode & MODE_CAREFUL ? context_intern(dbt, mode & ~MODE_CAREFUL, cs_base, cs_limit, debug_key)->key : dbt_random_key();
        c->id = dbt->contexts->len + 1;
        g_ptr_array_add(dbt->contexts, c);
        return c;
}

/* -- Pages ------------------------------------------------------------------------------------- */

static struct code_page **page_slot(struct dbt *dbt, uint64_t page)
{
        struct code_page **slot = &dbt->pages[page & (PAGE_BUCKETS - 1)];
        while (*slot && (*slot)->page != page)
                slot = &(*slot)->next;
        return slot;
}

static unsigned page_side(const struct block *block, uint64_t page)
{
        return block->gpa >> PAGE_SHIFT == page ? 0 : 1;
}

static void page_add(struct dbt *dbt, uint64_t page, struct block *block)
{
        struct code_page **slot = page_slot(dbt, page);
        g_assert(*slot);                /* block_page_arm() was asked */
        unsigned side = page_side(block, page);
        struct block *first = (*slot)->blocks;
        block->page_next[side] = first;
        block->page_link[side] = &(*slot)->blocks;
        if (first)
                first->page_link[page_side(first, page)] = &block->page_next[side];
        (*slot)->blocks = block;
}

/* It has no blocks any more. */
static void page_forget(struct dbt *dbt, struct code_page **slot)
{
        struct code_page *empty = *slot;

        *slot = empty->next;
        memory_set_state(dbt->memory, empty->page << PAGE_SHIFT, 0, PAGE_HOLDS_CODE);
        g_free(empty);
}

/* Without a walk: a library's page has blocks for each address that it was ever mapped at, thousands of them. */
static void page_remove(struct dbt *dbt, uint64_t page, struct block *block)
{
        struct code_page **slot = page_slot(dbt, page);
        unsigned side = page_side(block, page);
        struct block *next = block->page_next[side];
        *block->page_link[side] = next;
        if (next)
                next->page_link[page_side(next, page)] = block->page_link[side];
        if (!(*slot)->blocks)
                page_forget(dbt, slot);
}

/* Drops write permission to the page from every TLB entry.  Their owners may fill them meanwhile: see view_fill(). */
static void forbid_writes(struct dbt *dbt, const uint8_t *host_page)
{
        for (guint c = 0; c < dbt->cpus->len; c++) {
                struct cpu *cpu = g_ptr_array_index(dbt->cpus, c);
                for (unsigned v = 0; v < 2; v++)
                        for (unsigned i = 0; i < TLB_ENTRIES; i++) {
                                struct tlb_view *view = &cpu->tlb[v];
                                uint64_t tag = __atomic_load_n(&view->write_neg_tag[i], __ATOMIC_ACQUIRE);
                                if (tag != TLB_EMPTY && __atomic_load_n(&view->addend[i], __ATOMIC_RELAXED) - tag ==
                                                                   (uint64_t)(uintptr_t)host_page)
                                        __atomic_store_n(&view->write_neg_tag[i], TLB_EMPTY, __ATOMIC_SEQ_CST);
                        }
        }
}

bool block_page_arm(struct dbt *dbt, gpa_t gpa, const uint8_t *host)
{
        struct code_page **slot = page_slot(dbt, gpa >> PAGE_SHIFT), *page = *slot;

        if (!page) {
                page = *slot = g_new0(struct code_page, 1);
                page->page = gpa >> PAGE_SHIFT;
        }
        /* The mark may have gone with the blocks of another address of the same page of RAM. */
        if (!(memory_page(dbt->memory, gpa).state & PAGE_HOLDS_CODE)) {
                page->ready = !dbt->smp;
                memory_set_state(dbt->memory, gpa, PAGE_HOLDS_CODE, 0);
                forbid_writes(dbt, host);
        }
        return page->ready;
}

void block_page_ready(struct dbt *dbt, gpa_t gpa)
{
        struct code_page *page = *page_slot(dbt, gpa >> PAGE_SHIFT);

        if (page)
                page->ready = true;
}

void block_insert(struct dbt *dbt, struct block *block)
{
        struct block **bucket = &dbt->hash[block_hash(block->context, block->rip, block->gpa)];
        page_add(dbt, block->gpa >> PAGE_SHIFT, block);
        if (block->gpa2 != ~(gpa_t)0 && block->gpa2 >> PAGE_SHIFT != block->gpa >> PAGE_SHIFT)
                page_add(dbt, block->gpa2 >> PAGE_SHIFT, block);
        __atomic_store_n(&block->hash_next, *bucket, __ATOMIC_RELAXED);
        __atomic_store_n(bucket, block, __ATOMIC_RELEASE);
}

/* -- Chaining ---------------------------------------------------------------------------------- */

/* In one store (invariant 6). */
static void patch(struct block_exit *exit, const uint8_t *target_rw)
{
        struct __attribute__((packed)) displacement { int32_t value; };

        ((volatile struct displacement *)exit->place)->value = (int32_t)(target_rw - (exit->place + 4));
}

void block_link(struct dbt *dbt, struct block_exit *exit, struct block *to)
{
        if (exit->to || exit->from->dead || to->dead)
                return;
        const uint8_t *entry = exit->same_page && to->gpa2 == ~(gpa_t)0 ? to->host : to->checked;
        exit->to = to;
        exit->next = to->incoming;
        if (exit->next)
                exit->next->link = &exit->next;
        exit->link = &to->incoming;
        to->incoming = exit;
        patch(exit, entry - dbt->cache.rx + dbt->cache.rw);
        dbt_count_locked(dbt, DBT_COUNT_LINKS, 1);
        TRACE(LINK, "%llx -> %llx\n", (unsigned long long)exit->from->rip, (unsigned long long)to->rip);
}

static void unlink_exit(struct block_exit *exit)
{
        patch(exit, exit->stub);
        *exit->link = exit->next;
        if (exit->next)
                exit->next->link = exit->link;
        exit->to = NULL;
        exit->next = NULL;
        exit->link = NULL;
}

/* -- Dropping ---------------------------------------------------------------------------------- */

void block_drop(struct dbt *dbt, struct block *block)
{
        if (block->dead)
                return;
        __atomic_store_n(&block->dead, true, __ATOMIC_SEQ_CST);
        struct block **at = &dbt->hash[block_hash(block->context, block->rip, block->gpa)];
        while (*at != block)
                at = &(*at)->hash_next;
        __atomic_store_n(at, block->hash_next, __ATOMIC_RELEASE);
        page_remove(dbt, block->gpa >> PAGE_SHIFT, block);
        if (block->gpa2 != ~(gpa_t)0 && block->gpa2 >> PAGE_SHIFT != block->gpa >> PAGE_SHIFT)
                page_remove(dbt, block->gpa2 >> PAGE_SHIFT, block);
        while (block->incoming)
                unlink_exit(block->incoming);
        for (unsigned i = 0; i < block->exits; i++)
                if (block->exit[i].to)
                        unlink_exit(&block->exit[i]);
        for (guint i = 0; i < dbt->cpus->len; i++) {
                struct jc_entry *entry = jc_slot(g_ptr_array_index(dbt->cpus, i), block->rip);
                /* `host` stays, for an owner that has just compared the key. */
                if (__atomic_load_n(&entry->host, __ATOMIC_SEQ_CST) == block->checked)
                        __atomic_store_n(&entry->neg_key, 0, __ATOMIC_SEQ_CST);
        }
}

void block_drop_range(struct dbt *dbt, gpa_t gpa, size_t size)
{
        uint64_t first = gpa >> PAGE_SHIFT, last = (gpa + size - 1) >> PAGE_SHIFT;
        for (uint64_t page = first; page <= last; page++) {
                struct code_page **slot = page_slot(dbt, page), *found = *slot;
                struct block *block = found ? found->blocks : NULL;

                if (found && found->ready && !block)
                        page_forget(dbt, slot);         /* nothing could be translated there after all */
                while (block) {
                        unsigned side = page_side(block, page);
                        struct block *next = block->page_next[side];
                        /* A crossing block has one part in each page; the parts' exact bounds are not kept. */
                        bool hit = block->gpa2 != ~(gpa_t)0 ||
                                   (gpa < block->gpa + block->guest_bytes && block->gpa < gpa + size);
                        if (hit) {
                                TRACE(SMC, "write to %llx+%zu drops block at %llx\n", (unsigned long long)gpa, size,
                                      (unsigned long long)block->rip);
                                dbt_count_locked(dbt, DBT_COUNT_INVALIDATED, 1);
                                block_drop(dbt, block);
                        }
                        block = next;
                }
        }
}

void block_forget_pages(struct dbt *dbt)
{
        for (unsigned i = 0; i < PAGE_BUCKETS; i++)
                while (dbt->pages[i])
                        page_forget(dbt, &dbt->pages[i]);
}

void block_evict_chunk(struct dbt *dbt, unsigned index)
{
        const struct cache_chunk *chunk = &dbt->cache.chunk[index];
        for (size_t i = 0; i < chunk->blocks; i++) {
                struct block *block = chunk->block[i];
                if (!block->dead) {
                        dbt_count_locked(dbt, DBT_COUNT_EVICTED, 1);
                        block_drop(dbt, block);
                }
        }
        __atomic_store_n(&dbt->generation, dbt->generation + 1, __ATOMIC_SEQ_CST);
}
