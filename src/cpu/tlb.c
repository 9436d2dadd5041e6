/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tlb.c - the software TLB: filling and flushing the two views that translated code looks into.
 *
 * Invariants:
 * B1  An entry is made only by a walk that the access it permits has passed; a write tag needs the
 *     PTE's dirty bit set and a page that wants nothing done before a write.
 * B2  All three fields of a data entry belong to one page: filling replaces read and write tag both.
 * B3  `global` and `large` bits describe the entry that is there now; they are stale for empty ones.
 * B4  With CR4.SMAP set, the supervisor view holds no user pages: whether it may touch them depends on
 *     EFLAGS.AC, which no entry remembers.
 * B5  Pages with a data watchpoint have no data entries.
 */
#include "cpu/cpu.h"
#include "cpu/debug.h"
#include "cpu/tlb.h"

enum { CODE_PHYSICAL_BITS = CPU_PHYSICAL_BITS - PAGE_SHIFT };
_Static_assert(CODE_PHYSICAL_BITS == 28, "cpu.h describes the code entry with 28 bits of physical page");
_Static_assert(TLB_ENTRIES == ITLB_ENTRIES, "one index serves both sides");

static unsigned tlb_index(gva_t linear)
{
        return (unsigned)(linear >> PAGE_SHIFT) % TLB_ENTRIES;
}

static void bit_assign(uint64_t *bits, unsigned index, bool value)
{
        uint64_t mask = UINT64_C(1) << (index % 64);

        if (value)
                bits[index / 64] |= mask;
        else
                bits[index / 64] &= ~mask;
}

static void mark_used(struct tlb_view *view, uint64_t *used, unsigned index)
{
        bit_assign(used, index, true);
        view->used_words |= UINT64_C(1) << index / 64;
}

/* The bit of large_regions for an address: regions are as big as the largest page, and may share bits. */
static uint64_t tlb_region(const struct cpu *cpu, gva_t linear)
{
        return UINT64_C(1) << (linear >> (cpu_long_mode(cpu) ? 30 : 22)) % 64;
}

static bool bit_test(const uint64_t *bits, unsigned index)
{
        return bits[index / 64] >> (index % 64) & 1;
}

/* The part of a code entry that names the linear page (bits 12 to 47 of the address). */
static uint64_t code_key(gva_t linear)
{
        return (linear >> PAGE_SHIFT) << CODE_PHYSICAL_BITS;
}

/* -- Flushing ------------------------------------------------------------------------------------ */

/* Guests switch address spaces thousands of times a second: only entries that were filled are touched. */
static void view_flush(struct tlb_view *view, bool global_too)
{
        _Static_assert(TLB_ENTRIES / 64 == 64, "used_words has a bit for each");
        for (uint64_t words = view->used_words; words; words &= words - 1) {
                unsigned word = (unsigned)__builtin_ctzll(words);
                uint64_t data = view->used[word], code = view->code_used[word];
                if (!global_too) {
                        data &= ~view->global[word];
                        code &= ~view->code_global[word];
                }
                view->used[word] &= ~data;
                view->code_used[word] &= ~code;
                if (!(view->used[word] | view->code_used[word]))
                        view->used_words &= ~(UINT64_C(1) << word);
                for (; data; data &= data - 1) {
                        unsigned i = word * 64 + (unsigned)__builtin_ctzll(data);
                        view->read_neg_tag[i] = TLB_EMPTY;
                        view->write_neg_tag[i] = TLB_EMPTY;
                }
                for (; code; code &= code - 1)
                        view->code[word * 64 + (unsigned)__builtin_ctzll(code)] = 0;
        }
        if (global_too)
                view->large_regions = 0;
}

void tlb_init(struct cpu *cpu)
{
        for (unsigned v = 0; v < 2; v++)
                for (unsigned i = 0; i < TLB_ENTRIES; i++) {
                        cpu->tlb[v].read_neg_tag[i] = cpu->tlb[v].write_neg_tag[i] = TLB_EMPTY;
                        cpu->tlb[v].code[i] = 0;
                }
}

void tlb_flush(struct cpu *cpu, bool global_too)
{
        bool all = global_too || !(cpu->cr4 & CR4_PGE);

        view_flush(&cpu->tlb[0], all);
        view_flush(&cpu->tlb[1], all);
}

static void view_drop_data(struct tlb_view *view, unsigned index)
{
        view->read_neg_tag[index] = TLB_EMPTY;
        __atomic_store_n(&view->write_neg_tag[index], TLB_EMPTY, __ATOMIC_RELAXED);
}

/* INVLPG of one address of a large page drops all of it; the table may have changed since, so only
 * the entries know.  Dropping more than that page is always right (SDM 3A 4.10.4.1). */
static void view_drop_large(struct tlb_view *view, gva_t linear, unsigned shift)
{
        unsigned key_shift = shift - PAGE_SHIFT + CODE_PHYSICAL_BITS;

        for (uint64_t words = view->used_words; words; words &= words - 1) {
                unsigned word = (unsigned)__builtin_ctzll(words);
                for (uint64_t bits = view->large[word] | view->code_large[word]; bits; bits &= bits - 1) {
                        unsigned i = word * 64 + (unsigned)__builtin_ctzll(bits);
                        if (bit_test(view->large, i) && -view->read_neg_tag[i] >> shift == linear >> shift)
                                view_drop_data(view, i);
                        if (bit_test(view->code_large, i) && (view->code[i] ^ code_key(linear)) >> key_shift == 0)
                                view->code[i] = 0;
                }
        }
}

void tlb_flush_page(struct cpu *cpu, gva_t linear)
{
        unsigned index;
        gva_t page;

        if (!cpu_long_mode(cpu))
                linear = (uint32_t)linear;
        page = linear & PAGE_MASK;
        index = tlb_index(linear);
        for (unsigned i = 0; i < 2; i++) {
                struct tlb_view *view = &cpu->tlb[i];
                if (view->read_neg_tag[index] == -page)
                        view_drop_data(view, index);
                if ((view->code[index] ^ code_key(linear)) >> CODE_PHYSICAL_BITS == 0)
                        view->code[index] = 0;
                if (view->large_regions & tlb_region(cpu, linear))
                        view_drop_large(view, linear, cpu_long_mode(cpu) ? 30 : 22);
        }
}

/* -- Filling ------------------------------------------------------------------------------------- */

static void view_fill(struct cpu *cpu, struct tlb_view *view, gva_t linear, const struct translation *translation,
                      const struct page_info *page)
{
        unsigned index = tlb_index(linear);
        gva_t first = linear & PAGE_MASK;

        view->read_neg_tag[index] = -first;
        /* Whoever takes the permission away looks at the tag first and the addend then (block.c, forbid_writes). */
        __atomic_store_n(&view->write_neg_tag[index], TLB_EMPTY, __ATOMIC_RELAXED);
        __atomic_store_n(&view->addend[index], (uint64_t)(uintptr_t)page->host - first, __ATOMIC_RELEASE);
        if (translation->writable && page->kind == PAGE_RAM && page->state == 0) {
                if (!cpu->others) {
                        view->write_neg_tag[index] = -first;
                } else {
                        /* It may have been marked since `page` was looked up: either we see that, or the tag is seen. */
                        __atomic_store_n(&view->write_neg_tag[index], -first, __ATOMIC_SEQ_CST);
                        if (memory_page(cpu->memory, translation->gpa).state)
                                __atomic_store_n(&view->write_neg_tag[index], TLB_EMPTY, __ATOMIC_RELAXED);
                }
        }
        mark_used(view, view->used, index);
        bit_assign(view->global, index, translation->global);
        bit_assign(view->large, index, translation->page_bytes > PAGE_SIZE);
        if (translation->page_bytes > PAGE_SIZE)
                view->large_regions |= tlb_region(cpu, linear);
}

static bool tag_matches(uint64_t neg_tag, gva_t linear) { return neg_tag == -(linear & PAGE_MASK) && neg_tag != TLB_EMPTY; }

/* Where the view has the address, if it may be accessed so; NULL: it does not know. */
static uint8_t *view_peek(const struct tlb_view *view, gva_t linear, unsigned access)
{
        unsigned index = tlb_index(linear);
        uint64_t tag = access & ACCESS_WRITE ? __atomic_load_n(&view->write_neg_tag[index], __ATOMIC_RELAXED)
                                             : view->read_neg_tag[index];

        return tag_matches(tag, linear) ? (uint8_t *)(uintptr_t)(linear + view->addend[index]) : NULL;
}

uint8_t *tlb_peek(const struct cpu *cpu, gva_t linear, unsigned access)
{
        return view_peek(&cpu->tlb[access & ACCESS_USER ? 1 : 0], linear, access);
}

bool tlb_access(struct cpu *cpu, gva_t linear, unsigned size, unsigned access, uint8_t **host)
{
        struct tlb_view *view = &cpu->tlb[access & ACCESS_USER ? 1 : 0];
        struct translation translation;
        struct page_info page;

        if (!cpu_long_mode(cpu))
                linear = (uint32_t)linear;
        *host = NULL;
        if ((linear & ~PAGE_MASK) + size > PAGE_SIZE)
                return true;
        *host = view_peek(view, linear, access);
        if (*host)
                return true;
        /* A kernel that reaches into a user's page, with leave to: what the user may do there, it may (B4). */
        if (!(access & (ACCESS_USER | ACCESS_IMPLICIT)) && (cpu->cr4 & CR4_SMAP) && (cpu->rflags & FLAG_AC)) {
                *host = view_peek(&cpu->tlb[1], linear, access);
                if (*host)
                        return true;
        }
        if (!cpu_translate(cpu, linear, access, &translation))
                return cpu_raise_pf(cpu, linear, translation.error);
        page = memory_page(cpu->memory, translation.gpa);
        if (!page.host || (page.state & PAGE_ABSENT))
                return true;
        if ((access & ACCESS_WRITE) && page.kind == PAGE_RAM)
                memory_before_write(cpu->memory, &page);
        if ((access & ACCESS_WRITE) && (page.kind != PAGE_RAM || page.state))
                return true;
        if (!(translation.user && !(access & ACCESS_USER) && (cpu->cr4 & CR4_SMAP)) &&  /* B4 */
            !(cpu->debug_watch && cpu_debug_watches_page(cpu, linear)))                 /* B5 */
                view_fill(cpu, view, linear, &translation, &page);
        *host = page.host + (translation.gpa & ~PAGE_MASK);
        return true;
}

bool tlb_fetch(struct cpu *cpu, gva_t linear, gpa_t *gpa)
{
        unsigned access = ACCESS_FETCH | cpu_user_access(cpu);
        struct tlb_view *view = &cpu->tlb[access & ACCESS_USER ? 1 : 0];
        struct translation translation;
        uint64_t entry;
        unsigned index;

        if (!cpu_long_mode(cpu))
                linear = (uint32_t)linear;
        index = tlb_index(linear);
        entry = view->code[index];
        if (entry && (entry ^ code_key(linear)) >> CODE_PHYSICAL_BITS == 0) {
                *gpa = (entry & ((UINT64_C(1) << CODE_PHYSICAL_BITS) - 1)) << PAGE_SHIFT | (linear & ~PAGE_MASK);
                return true;
        }
        if (!cpu_translate(cpu, linear, access, &translation))
                return cpu_raise_pf(cpu, linear, translation.error);
        view->code[index] = code_key(linear) | translation.gpa >> PAGE_SHIFT;
        mark_used(view, view->code_used, index);
        bit_assign(view->code_global, index, translation.global);
        bit_assign(view->code_large, index, translation.page_bytes > PAGE_SIZE);
        if (translation.page_bytes > PAGE_SIZE)
                view->large_regions |= tlb_region(cpu, linear);
        *gpa = translation.gpa;
        return true;
}
