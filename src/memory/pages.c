/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pages.c - what lies at a guest-physical page, and the page states: the lock-free part of memory.h.
 *
 * Runs while a guest's vector registers are live: compiled without them, calls nothing.  The rules
 * of the view it reads are in internal.h.
 */
#include "memory/internal.h"

/* Acquiring, so that the last look at the generation comes after all of them; a plain move on x86. */
#define LOAD(lvalue) __atomic_load_n(&(lvalue), __ATOMIC_ACQUIRE)

/* The range that holds page, or may be the first one after it; capacity when there is none. */
static uint32_t view_find(const struct view *view, uint64_t page)
{
        uint32_t count = LOAD(view->count);

        if (count > view->capacity)
                count = view->capacity;
        if (page < LOW_PAGES)
                return LOAD(view->low_index[page]);

        uint32_t low = 0;
        if (page < (uint64_t)MIB_COUNT * PAGES_PER_MIB) {
                low = LOAD(view->mib_index[page / PAGES_PER_MIB]);
                while (low < count && LOAD(view->ranges[low].end) <= page)
                        low++;
                return low;
        }

        uint32_t high = count;
        while (low < high) {
                uint32_t middle = low + (high - low) / 2;
                if (LOAD(view->ranges[middle].end) <= page)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* Looks page up once.  False when the map changed meanwhile (rule V1). */
static bool view_read(struct memory *memory, uint64_t page, struct view_range *found)
{
        uint64_t generation = __atomic_load_n(&memory->generation, __ATOMIC_ACQUIRE);
        const struct view *view = LOAD(memory->views[generation & 1]);
        uint32_t i = view_find(view, page);

        found->kind = PAGE_NONE;
        if (i < view->capacity && i < LOAD(view->count)) {
                const struct view_range *range = &view->ranges[i];
                found->first = LOAD(range->first);
                found->end = LOAD(range->end);
                found->host = LOAD(range->host);
                found->table_page = LOAD(range->table_page);
                if (page >= found->first && page < found->end)
                        found->kind = LOAD(range->kind);
        }
        return LOAD(memory->generation) == generation;
}

/* A bare system call: nothing of the C library may run here.  Waits while *word is value. */
static void futex_wait(uint32_t *word, uint32_t value)
{
        enum { SYS_FUTEX = 202, WAIT_PRIVATE = 128 };
        register uint64_t timeout __asm__("r10") = 0;
        uint64_t result;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(SYS_FUTEX), "D"(word), "S"(WAIT_PRIVATE), "d"(value), "r"(timeout)
                         : "rcx", "r11", "memory");
}

void memory_wait_present(struct memory *memory, uint64_t page)
{
        for (;;) {
                uint32_t generation = __atomic_load_n(&memory->lazy_generation, __ATOMIC_SEQ_CST);

                if (!(__atomic_load_n(&memory->states[page], __ATOMIC_SEQ_CST) & PAGE_ABSENT))
                        return;
                __atomic_store_n(&memory->lazy_wanted, page + 1, __ATOMIC_SEQ_CST);
                futex_wait(&memory->lazy_generation, generation);
        }
}

struct page_info memory_page(struct memory *memory, gpa_t gpa)
{
        struct page_info info = { 0 };
        struct view_range range = { 0 };
        uint64_t page = gpa >> PAGE_SHIFT;

        while (!view_read(memory, page, &range))
                ;
        info.kind = (enum page_kind)range.kind;
        if (info.kind == PAGE_RAM || info.kind == PAGE_ROM) {
                info.host = range.host + ((page - range.first) << PAGE_SHIFT);
                info.ram_page = range.table_page + (page - range.first);
                info.state = __atomic_load_n(&memory->states[info.ram_page], __ATOMIC_ACQUIRE);
                if (info.state & PAGE_ABSENT) {
                        memory_wait_present(memory, info.ram_page);
                        info.state = __atomic_load_n(&memory->states[info.ram_page], __ATOMIC_ACQUIRE);
                }
        }
        return info;
}

bool memory_set_state(struct memory *memory, gpa_t gpa, uint32_t set, uint32_t clear)
{
        struct page_info info = memory_page(memory, gpa);

        if (!info.host)
                return false;
        uint8_t *state = &memory->states[info.ram_page];
        uint8_t old = __atomic_load_n(state, __ATOMIC_RELAXED);
        /* Sequentially consistent: whoever then reads the page's bytes reads them after this, which
         * memory_write() relies on. */
        while (!__atomic_compare_exchange_n(state, &old, (uint8_t)((old & ~clear) | set), false,
                                            __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
                ;
        return true;
}

/* -- Before a write ----------------------------------------------------------------------------- */

/* Whole pages, in general registers. */
static void copy_page(uint8_t *to, const uint8_t *from)
{
        uint64_t count = PAGE_SIZE / 8;

        __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

/* Rules K1 and K4 of track.c. */
static void put_aside(struct memory *memory, uint64_t page)
{
        lock_acquire(&memory->pages_lock);
        struct memory_track *track = memory->track;
        if (track && __atomic_load_n(&memory->states[page], __ATOMIC_RELAXED) & PAGE_TRACKED) {
                if (track->ahead) {
                        track->again[page] = 1;
                } else {
                        copy_page(track->shadow + (page << PAGE_SHIFT), memory->host + (page << PAGE_SHIFT));
                        track->copied[page] = 1;
                        track->count++;
                }
                __atomic_fetch_and(&memory->states[page], (uint8_t)~PAGE_TRACKED, __ATOMIC_SEQ_CST);
        }
        lock_release(&memory->pages_lock);
}

void memory_before_write(struct memory *memory, struct page_info *page)
{
        if (!(page->state & PAGE_TRACKED))
                return;
        put_aside(memory, page->ram_page);
        page->state &= ~(uint32_t)PAGE_TRACKED;
}

void memory_before_write_file(struct memory *memory, uint64_t offset, size_t size)
{
        for (uint64_t page = offset >> PAGE_SHIFT; size && page <= (offset + size - 1) >> PAGE_SHIFT; page++)
                switch (__atomic_load_n(&memory->states[page], __ATOMIC_ACQUIRE) & (PAGE_TRACKED | PAGE_ABSENT)) {
                case PAGE_TRACKED:
                        put_aside(memory, page);
                        break;
                case PAGE_ABSENT:
                        memory_wait_present(memory, page);
                        break;
                }
}
