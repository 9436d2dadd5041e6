/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paging.c - linear to physical addresses (SDM 3A chapter 4): no paging, 32-bit, PAE and 4-level.
 *
 * P1  A walk first reads every entry and decides; only an access that is allowed sets accessed bits,
 *     and the dirty bit when it writes, each with one locked compare-exchange against the very value
 *     that was read.  When another agent changed an entry meanwhile the walk starts again.  So D is
 *     set before the store it stands for can be seen.
 * P2  Tables are read and written through the always-writable alias, naturally aligned, so each
 *     entry is read in one piece.  Tables in device regions or nothing read as all ones; bits set in
 *     ROM are lost, as on a bus.
 * P3  Nothing here raises an exception or keeps a translation: tlb.c does.
 */
#include "cpu/cpuid.h"
#include "cpu/tlb.h"
#include "memory/note.h"

enum {
        PTE_P = 1 << 0, PTE_W = 1 << 1, PTE_U = 1 << 2, PTE_A = 1 << 5, PTE_D = 1 << 6,
        PTE_PS = 1 << 7, PTE_G = 1 << 8,
        LEVELS_MAX = 4,
};
#define PTE_NX (UINT64_C(1) << 63)
#define PTE_ADDRESS (((UINT64_C(1) << CPU_PHYSICAL_BITS) - 1) & PAGE_MASK)
/* Address bits of an eight-byte entry.  Those beyond the model's physical width are reserved, and in PAE
 * mode bits 52 to 62 too (SDM 3A tables 4-8 to 4-11). */
#define PTE_ADDRESS_FIELD (((UINT64_C(1) << 52) - 1) & PAGE_MASK)
#define PAE_RESERVED_TOP UINT64_C(0x7ff0000000000000)
#define PDPTE_RESERVED_LOW UINT64_C(0x1e6)      /* bits 1, 2, 5 to 8 */

/* One entry a walk went through. */
struct walk_entry {
        uint8_t *host;          /* NULL: nowhere to write bits to */
        gpa_t gpa;
        uint64_t value;
        bool noted;             /* the table's page wants to know of writes */
};

struct walk {
        struct walk_entry entry[LEVELS_MAX];
        unsigned count;
        unsigned entry_bytes;
        uint64_t rights;        /* AND of the entries' W and U */
        bool no_execute;
        uint64_t page_bytes;
        gpa_t page;             /* physical address of the page, large or small */
};

static uint64_t beyond_physical(const struct cpu *cpu)
{
        return ~((UINT64_C(1) << cpu->model->physical_bits) - 1);
}

static gpa_t a20_mask(const struct cpu *cpu, gpa_t gpa)
{
        return cpu->a20 ? gpa : gpa & ~(UINT64_C(1) << 20);
}

/* Reads the entry at gpa and appends it to the walk. */
static uint64_t walk_read(struct cpu *cpu, struct walk *walk, gpa_t gpa)
{
        struct walk_entry *entry = &walk->entry[walk->count++];
        struct page_info page;

        entry->gpa = a20_mask(cpu, gpa);
        page = memory_page(cpu->memory, entry->gpa);
        entry->host = NULL;
        entry->noted = page.state != 0;
        if (!page.host) {
                entry->value = walk->entry_bytes == 4 ? UINT32_MAX : UINT64_MAX;
                return entry->value;
        }
        page.host += entry->gpa & ~PAGE_MASK;
        if (page.kind == PAGE_RAM)
                entry->host = page.host;
        if (walk->entry_bytes == 4)
                entry->value = __atomic_load_n((uint32_t *)page.host, __ATOMIC_RELAXED);
        else
                entry->value = __atomic_load_n((uint64_t *)page.host, __ATOMIC_RELAXED);
        return entry->value;
}

/* Sets bits in an entry if it still holds what was read (P1). */
static bool walk_set_bits(struct cpu *cpu, const struct walk *walk, struct walk_entry *entry, uint64_t bits)
{
        uint64_t value = entry->value | bits;
        bool done;

        if (value == entry->value || !entry->host)
                return true;
        if (entry->noted) {
                struct page_info page = memory_page(cpu->memory, entry->gpa);

                if (page.kind == PAGE_RAM)
                        memory_before_write(cpu->memory, &page);
        }
        if (walk->entry_bytes == 4) {
                uint32_t expected = (uint32_t)entry->value;
                done = __atomic_compare_exchange_n((uint32_t *)entry->host, &expected, (uint32_t)value, false,
                                                   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
        } else {
                uint64_t expected = entry->value;
                done = __atomic_compare_exchange_n((uint64_t *)entry->host, &expected, value, false,
                                                   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
        }
        if (done && entry->noted) {
                cpu_host_begin(cpu);
                memory_note_write(cpu->memory, entry->gpa, walk->entry_bytes);
        }
        return done;
}

/* -- The three formats.  Each returns false with *error PF_PRESENT | PF_RESERVED or 0. ------------ */

static void walk_add_rights(struct walk *walk, uint64_t value)
{
        walk->rights &= value;
        if (value & PTE_NX)
                walk->no_execute = true;
}

static bool walk_32(struct cpu *cpu, gva_t linear, struct walk *walk, uint32_t *error)
{
        uint64_t entry;

        walk->entry_bytes = 4;
        entry = walk_read(cpu, walk, (cpu->cr3 & UINT64_C(0xfffff000)) + (linear >> 22 & 0x3ff) * 4);
        if (!(entry & PTE_P))
                return false;
        walk_add_rights(walk, entry);
        if ((entry & PTE_PS) && (cpu->cr4 & CR4_PSE)) {
                /* PSE-36: bits 13 to 20 are address bits 32 to 39, as far as there are any; the rest, and
                 * bit 21, are reserved (SDM 3A table 4-4). */
                unsigned high = cpu_has(cpu, FEATURE_PSE36) ? cpu->model->physical_bits - 32u : 0;
                if (entry & 0x3fe000 & ~(((1u << high) - 1) << 13)) {
                        *error = PF_PRESENT | PF_RESERVED;
                        return false;
                }
                walk->page_bytes = UINT64_C(4) << 20;
                walk->page = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
                return true;
        }
        entry = walk_read(cpu, walk, (entry & 0xfffff000) + (linear >> 12 & 0x3ff) * 4);
        if (!(entry & PTE_P))
                return false;
        walk_add_rights(walk, entry);
        walk->page_bytes = PAGE_SIZE;
        walk->page = entry & 0xfffff000;
        return true;
}

/* Levels of 512 eight-byte entries, from the one that linear address bits [shift, shift+9) select, down. */
static bool walk_levels(struct cpu *cpu, gva_t linear, gpa_t table, unsigned shift, uint64_t reserved,
                        struct walk *walk, uint32_t *error)
{
        walk->entry_bytes = 8;
        if (!(cpu->efer & EFER_NXE))
                reserved |= PTE_NX;
        for (;; shift -= 9) {
                uint64_t entry = walk_read(cpu, walk, table + (linear >> shift & 0x1ff) * 8);
                uint64_t wrong = reserved;
                bool last = shift == 12 || (entry & PTE_PS && shift <= 30);
                if (!(entry & PTE_P))
                        return false;
                if (last && shift > 12)         /* address bits below the large page, but PAT at bit 12 */
                        wrong |= ((UINT64_C(1) << shift) - 1) & ~UINT64_C(0x1fff);
                if (shift > 30)
                        wrong |= PTE_PS;
                if (entry & wrong) {
                        *error = PF_PRESENT | PF_RESERVED;
                        return false;
                }
                walk_add_rights(walk, entry);
                if (last) {
                        walk->page_bytes = UINT64_C(1) << shift;
                        walk->page = entry & PTE_ADDRESS & ~(walk->page_bytes - 1);
                        return true;
                }
                table = entry & PTE_ADDRESS;
        }
}

static bool walk_pae(struct cpu *cpu, gva_t linear, struct walk *walk, uint32_t *error)
{
        uint64_t pdpte = cpu->pdpte[linear >> 30 & 3];

        /* The registers were checked for reserved bits when they were loaded. */
        if (!(pdpte & PTE_P))
                return false;
        return walk_levels(cpu, linear, pdpte & PTE_ADDRESS, 21, (beyond_physical(cpu) & PTE_ADDRESS_FIELD) | PAE_RESERVED_TOP, walk, error);
}

/* Finds the page without a look at permissions. */
static bool walk_tables(struct cpu *cpu, gva_t linear, struct walk *walk, uint32_t *error)
{
        walk->count = 0;
        walk->rights = PTE_W | PTE_U;
        walk->no_execute = false;
        *error = 0;
        if (cpu_long_mode(cpu))
                return walk_levels(cpu, linear, cpu->cr3 & PTE_ADDRESS, 39, beyond_physical(cpu) & PTE_ADDRESS_FIELD, walk,
                                   error);
        if (cpu->cr4 & CR4_PAE)
                return walk_pae(cpu, linear, walk, error);
        return walk_32(cpu, linear, walk, error);
}

/* -- Permissions (SDM 3A 4.6.1) ------------------------------------------------------------------- */

static bool walk_writable(const struct cpu *cpu, const struct walk *walk, bool user)
{
        return walk->rights & PTE_W || (!user && !(cpu->cr0 & CR0_WP));
}

static bool walk_allows(const struct cpu *cpu, const struct walk *walk, unsigned access)
{
        bool user = access & ACCESS_USER, user_page = walk->rights & PTE_U;

        if (user && !user_page)
                return false;
        if (access & ACCESS_FETCH)
                return !walk->no_execute && (user || !user_page || !(cpu->cr4 & CR4_SMEP));
        if (!user && user_page && (cpu->cr4 & CR4_SMAP) &&
            ((access & ACCESS_IMPLICIT) || !(cpu->rflags & FLAG_AC)))
                return false;
        return !(access & ACCESS_WRITE) || walk_writable(cpu, walk, user);
}

static bool walk_set_accessed(struct cpu *cpu, struct walk *walk, bool dirty)
{
        for (unsigned i = 0; i < walk->count; i++) {
                bool last = i == walk->count - 1;
                if (!walk_set_bits(cpu, walk, &walk->entry[i], PTE_A | (last && dirty ? PTE_D : 0)))
                        return false;
        }
        return true;
}

static uint32_t access_error(const struct cpu *cpu, unsigned access)
{
        uint32_t error = 0;

        if (access & ACCESS_WRITE)
                error |= PF_WRITE;
        if (access & ACCESS_USER)
                error |= PF_USER;
        /* Fetches are told apart only where they can be refused (SDM 3A 4.7). */
        if ((access & ACCESS_FETCH) &&
            ((cpu->cr4 & CR4_SMEP) || ((cpu->cr4 & CR4_PAE) && (cpu->efer & EFER_NXE))))
                error |= PF_FETCH;
        return error;
}

bool cpu_translate(struct cpu *cpu, gva_t linear, unsigned access, struct translation *translation)
{
        struct walk walk;
        uint64_t leaf;
        uint32_t error;

        if (!cpu_long_mode(cpu))
                linear = (uint32_t)linear;
        if (!(cpu->cr0 & CR0_PG)) {
                *translation = (struct translation){
                        .gpa = a20_mask(cpu, linear), .page_bytes = PAGE_SIZE, .writable = true, .user = true,
                };
                return true;
        }
        cpu_count(&cpu->counts.walks, 1);
        do {
                if (!walk_tables(cpu, linear, &walk, &error)) {
                        translation->error = error | access_error(cpu, access);
                        return false;
                }
                if (!walk_allows(cpu, &walk, access)) {
                        translation->error = PF_PRESENT | access_error(cpu, access);
                        return false;
                }
        } while (!walk_set_accessed(cpu, &walk, access & ACCESS_WRITE));

        leaf = walk.entry[walk.count - 1].value;
        translation->gpa = a20_mask(cpu, walk.page + (linear & (walk.page_bytes - 1)));
        translation->page_bytes = walk.page_bytes;
        translation->writable = walk_writable(cpu, &walk, access & ACCESS_USER) &&
                                ((access & ACCESS_WRITE) || (leaf & PTE_D));
        translation->global = (leaf & PTE_G) && (cpu->cr4 & CR4_PGE);
        translation->user = walk.rights & PTE_U;
        translation->error = 0;
        return true;
}

bool cpu_translate_debug(struct cpu *cpu, gva_t linear, gpa_t *gpa)
{
        struct walk walk;
        uint32_t error;

        if (!cpu_long_mode(cpu))
                linear = (uint32_t)linear;
        if (!(cpu->cr0 & CR0_PG)) {
                *gpa = a20_mask(cpu, linear);
                return true;
        }
        if (!walk_tables(cpu, linear, &walk, &error))
                return false;
        *gpa = a20_mask(cpu, walk.page + (linear & (walk.page_bytes - 1)));
        return true;
}

bool paging_load_pdptes(struct cpu *cpu, uint64_t cr3)
{
        struct walk walk = { .entry_bytes = 8 };
        uint64_t pdpte[4], reserved = PDPTE_RESERVED_LOW | beyond_physical(cpu);

        for (unsigned i = 0; i < 4; i++) {
                walk.count = 0;
                pdpte[i] = walk_read(cpu, &walk, (cr3 & UINT64_C(0xffffffe0)) + i * 8);
                if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
                        return false;
        }
        for (unsigned i = 0; i < 4; i++)
                cpu->pdpte[i] = pdpte[i];
        return true;
}
