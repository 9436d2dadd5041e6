/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page walks of every format, permissions, error codes, accessed and dirty bits, and the TLB.
 */
#include "cpu_fixture.h"

enum {
        P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100,
        PD = TABLES_AT, PT = TABLES_AT + 0x1000, PDPT = TABLES_AT + 0x2000, PML4 = TABLES_AT + 0x3000,
        PAGE_A = 0x200000, PAGE_B = 0x201000, LINEAR = 0x00403000,
};
#define NX (UINT64_C(1) << 63)

static struct translation t;

/* LINEAR is entry 1 of PD and entry 3 of PT. */
static void map_32(uint32_t pde, uint32_t pte)
{
        poke(PD + 1 * 4, PT | pde, 4);
        poke(PT + 3 * 4, PAGE_A | pte, 4);
        cpu->cr3 = PD;
        cpu->cr0 |= CR0_PE | CR0_PG;
        tlb_flush(cpu, true);
}

static bool walk(gva_t linear, unsigned access)
{
        memset(&t, 0, sizeof(t));
        return cpu_translate(cpu, linear, access, &t);
}

static void ck_refused(gva_t linear, unsigned access, uint32_t error)
{
        ck_assert(!walk(linear, access));
        ck_assert_uint_eq(t.error, error);
}

START_TEST(no_paging)
{
        ck_assert(walk(0x12345678, ACCESS_WRITE));
        ck_assert_uint_eq(t.gpa, 0x12345678);
        cpu->a20 = false;
        ck_assert(walk(0x00100010, ACCESS_READ));
        ck_assert_uint_eq(t.gpa, 0x10);
}
END_TEST

START_TEST(permissions_32)
{
        for (unsigned bits = 0; bits < 32; bits++) {
                unsigned pde = P | (bits & 1 ? W : 0) | (bits & 2 ? U : 0);
                unsigned pte = P | (bits & 4 ? W : 0) | (bits & 8 ? U : 0);
                bool writable = pde & pte & W, user_page = pde & pte & U, wp = bits & 16;
                map_32(pde, pte);
                cpu->cr0 = (cpu->cr0 & ~(uint64_t)CR0_WP) | (wp ? CR0_WP : 0);
                ck_assert(walk(LINEAR + 5, ACCESS_READ));
                ck_assert_uint_eq(t.gpa, PAGE_A + 5);
                ck_assert_int_eq(walk(LINEAR, ACCESS_WRITE), writable || !wp);
                if (!writable && wp)
                        ck_assert_uint_eq(t.error, PF_PRESENT | PF_WRITE);
                ck_assert_int_eq(walk(LINEAR, ACCESS_READ | ACCESS_USER), user_page);
                ck_assert_int_eq(walk(LINEAR, ACCESS_WRITE | ACCESS_USER), user_page && writable);
                if (!(user_page && writable))
                        ck_assert_uint_eq(t.error, PF_PRESENT | PF_WRITE | PF_USER);
        }
}
END_TEST

START_TEST(not_present)
{
        map_32(0, P);
        ck_refused(LINEAR, ACCESS_READ, 0);
        map_32(P, 0);
        ck_refused(LINEAR, ACCESS_WRITE | ACCESS_USER, PF_WRITE | PF_USER);
        /* Neither entry was marked by the walk that failed. */
        ck_assert_uint_eq(peek(PD + 4, 4), PT | P);
        /* A fetch is told apart only with NX or SMEP on. */
        ck_refused(LINEAR, ACCESS_FETCH, 0);
        cpu->cr4 |= CR4_SMEP;
        ck_refused(LINEAR, ACCESS_FETCH, PF_FETCH);
}
END_TEST

START_TEST(accessed_and_dirty)
{
        map_32(P | W, P | W);
        ck_assert(walk(LINEAR, ACCESS_READ));
        ck_assert_uint_eq(peek(PD + 4, 4), PT | P | W | A);
        ck_assert_uint_eq(peek(PT + 12, 4), PAGE_A | P | W | A);
        ck_assert(!t.writable);
        ck_assert(walk(LINEAR, ACCESS_WRITE));
        ck_assert_uint_eq(peek(PD + 4, 4), PT | P | W | A);
        ck_assert_uint_eq(peek(PT + 12, 4), PAGE_A | P | W | A | D);
        ck_assert(t.writable);
        ck_assert(walk(LINEAR, ACCESS_READ));
        ck_assert(t.writable);
        /* A refused write leaves D alone. */
        map_32(P, P | A);
        ck_refused(LINEAR, ACCESS_WRITE | ACCESS_USER, PF_PRESENT | PF_WRITE | PF_USER);
        ck_assert_uint_eq(peek(PT + 12, 4), PAGE_A | P | A);
}
END_TEST

START_TEST(large_32)
{
        map_32(P, 0);
        poke(PD + 4, 0x00400000 | PS | P | W, 4);
        cpu->cr4 |= CR4_PSE;
        ck_assert(walk(0x00712345, ACCESS_WRITE));
        ck_assert_uint_eq(t.gpa, 0x00712345);
        ck_assert_uint_eq(t.page_bytes, 4 << 20);
        ck_assert_uint_eq(peek(PD + 4, 4), 0x00400000 | PS | P | W | A | D);
        /* PSE-36: bit 13 of the entry is address bit 32. */
        poke(PD + 4, 0x00400000 | 1 << 13 | PS | P, 4);
        ck_assert(walk(0x00712345, ACCESS_READ));
        ck_assert_uint_eq(t.gpa, UINT64_C(0x100712345));
        poke(PD + 4, 0x00400000 | 1 << 21 | PS | P, 4);
        ck_refused(0x00712345, ACCESS_READ, PF_PRESENT | PF_RESERVED);
        /* Physical addresses as wide as the model's. */
        cpu->model = cpu_model_find("pentium3");
        poke(PD + 4, 0x00400000 | 1 << 16 | PS | P, 4);
        ck_assert(walk(0x00712345, ACCESS_READ));
        poke(PD + 4, 0x00400000 | 1 << 17 | PS | P, 4);
        ck_refused(0x00712345, ACCESS_READ, PF_PRESENT | PF_RESERVED);
        cpu->model = cpu_model_find("pentium");
        poke(PD + 4, 0x00400000 | 1 << 13 | PS | P, 4);
        ck_refused(0x00712345, ACCESS_READ, PF_PRESENT | PF_RESERVED);
        cpu->model = cpu_model_find("host");
        /* Without PSE the bit is ignored. */
        cpu->cr4 = 0;
        poke(PD + 4, PT | PS | P, 4);
        poke(PT + 12, PAGE_A | P, 4);
        ck_assert(walk(LINEAR, ACCESS_READ));
        ck_assert_uint_eq(t.gpa, PAGE_A);
}
END_TEST

/* LINEAR under PAE: PDPTE 0, PD entry 2, PT entry 3. */
static void map_pae(uint64_t pde, uint64_t pte)
{
        poke(PDPT, PD | P, 8);
        poke(PD + 2 * 8, PT | pde, 8);
        poke(PT + 3 * 8, PAGE_A | pte, 8);
        cpu->cr3 = PDPT;
        cpu->cr4 |= CR4_PAE;
        cpu->cr0 |= CR0_PE | CR0_PG;
        ck_assert(paging_load_pdptes(cpu, cpu->cr3));
        tlb_flush(cpu, true);
}

START_TEST(pae)
{
        map_pae(P | W | U, P | W | U);
        ck_assert(walk(LINEAR + 7, ACCESS_WRITE | ACCESS_USER));
        ck_assert_uint_eq(t.gpa, PAGE_A + 7);
        ck_assert_uint_eq(peek(PT + 24, 8), PAGE_A | P | W | U | A | D);
        ck_assert_uint_eq(peek(PD + 16, 8), PT | P | W | U | A);
        ck_assert_uint_eq(peek(PDPT, 8), PD | P);       /* PDPTEs have no accessed bit */
        /* NX is reserved until EFER.NXE is set. */
        map_pae(P | U, P | U | NX);
        ck_refused(LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
        cpu->efer |= EFER_NXE;
        ck_assert(walk(LINEAR, ACCESS_READ));
        ck_refused(LINEAR, ACCESS_FETCH | ACCESS_USER, PF_PRESENT | PF_USER | PF_FETCH);
        map_pae(P | U | NX, P | U);
        ck_refused(LINEAR, ACCESS_FETCH, PF_PRESENT | PF_FETCH);
        /* 2 MiB pages, and the reserved bits below them. */
        map_pae(P, P);
        poke(PD + 16, 0x400000 | PS | P | W, 8);
        ck_assert(walk(0x00512345, ACCESS_WRITE));
        ck_assert_uint_eq(t.gpa, 0x00512345);
        ck_assert_uint_eq(t.page_bytes, 2 << 20);
        poke(PD + 16, 0x400000 | 1 << 13 | PS | P, 8);
        ck_refused(0x00512345, ACCESS_READ, PF_PRESENT | PF_RESERVED);
        map_pae(P | UINT64_C(1) << 55, P);
        ck_refused(LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
        /* PDPTE registers keep what was loaded. */
        map_pae(P, P);
        poke(PDPT, 0, 8);
        ck_assert(walk(LINEAR, ACCESS_READ));
        poke(PDPT, PD | P | W, 8);
        ck_assert(!paging_load_pdptes(cpu, cpu->cr3));
        ck_assert(walk(LINEAR, ACCESS_READ));
}
END_TEST

START_TEST(long_mode)
{
        const gva_t high = UINT64_C(0xffff800000000000) | LINEAR;

        map_pae(P | W, P | W);
        poke(PML4 + 256 * 8, PDPT | P | W, 8);
        poke(PDPT, PD | P | W, 8);
        cpu->cr3 = PML4;
        cpu->efer |= EFER_LME | EFER_LMA;
        ck_assert(walk(high + 9, ACCESS_WRITE));
        ck_assert_uint_eq(t.gpa, PAGE_A + 9);
        ck_assert_uint_eq(peek(PML4 + 256 * 8, 8), PDPT | P | W | A);
        ck_refused(LINEAR, ACCESS_READ, 0);
        /* 1 GiB */
        poke(PDPT, UINT64_C(0x40000000) | PS | P | W, 8);
        ck_assert(walk(high, ACCESS_READ));
        ck_assert_uint_eq(t.gpa, 0x40000000 | LINEAR);
        ck_assert_uint_eq(t.page_bytes, 1 << 30);
        /* Reading through the page that the empty tag must not match. */
        uint32_t value;
        poke(PDPT, PD | P | W, 8);
        poke(PD, PT | P | W, 8);
        poke(PT, PAGE_B | P | W, 8);
        poke(PAGE_B, 0x600d, 4);
        ck_assert(cpu_read_linear(cpu, UINT64_C(0xffff800000000000), &value, 4, 0));
        ck_assert_uint_eq(value, 0x600d);
}
END_TEST

START_TEST(smep_and_smap)
{
        map_32(P | W | U, P | W | U);
        cpu->cr4 |= CR4_SMEP;
        ck_refused(LINEAR, ACCESS_FETCH, PF_PRESENT | PF_FETCH);
        ck_assert(walk(LINEAR, ACCESS_FETCH | ACCESS_USER));
        cpu->cr4 |= CR4_SMAP;
        ck_refused(LINEAR, ACCESS_READ, PF_PRESENT);
        cpu_set_rflags(cpu, FLAG_AC);
        ck_assert(walk(LINEAR, ACCESS_READ));
        ck_refused(LINEAR, ACCESS_READ | ACCESS_IMPLICIT, PF_PRESENT);
        /* What depends on AC is not kept. */
        uint32_t value;
        ck_assert(cpu_read_linear(cpu, LINEAR, &value, 4, 0));
        cpu_set_rflags(cpu, 0);
        ck_assert(!cpu_read_linear(cpu, LINEAR, &value, 4, 0));
        ck_exception(EXC_PF, PF_PRESENT);
}
END_TEST

START_TEST(tables_outside_ram)
{
        /* All ones: a present entry that leads to the last page of 4 GiB. */
        map_32(P, P);
        poke(PD + 4, 0xf0000000 | P, 4);
        ck_assert(walk(LINEAR, ACCESS_WRITE));
        ck_assert_uint_eq(t.gpa, 0xfffff000);
}
END_TEST

START_TEST(tlb_views)
{
        uint8_t *host;

        map_32(P | W | U, P | W);
        ck_assert(tlb_access(cpu, LINEAR, 4, ACCESS_READ, &host));
        ck_assert_ptr_eq(host, memory_ram(memory) + PAGE_A);
        unsigned index = LINEAR / PAGE_SIZE % TLB_ENTRIES;
        ck_assert_uint_eq(cpu->tlb[0].read_neg_tag[index], -(uint64_t)LINEAR);
        ck_assert_uint_eq(LINEAR + cpu->tlb[0].addend[index], (uintptr_t)host);
        /* Not dirty yet: no write tag. */
        ck_assert_uint_eq(cpu->tlb[0].write_neg_tag[index], TLB_EMPTY);
        ck_assert(!tlb_access(cpu, LINEAR, 4, ACCESS_READ | ACCESS_USER, &host));
        ck_exception(EXC_PF, PF_PRESENT | PF_USER);
        ck_assert_uint_eq(cpu->exception.cr2, LINEAR);
        ck_assert(tlb_access(cpu, LINEAR + 8, 4, ACCESS_WRITE, &host));
        ck_assert_uint_eq(cpu->tlb[0].write_neg_tag[index], -(uint64_t)LINEAR);
        /* Crossing goes the slow way; a page with state is never written directly. */
        ck_assert(tlb_access(cpu, LINEAR + 0xffe, 4, ACCESS_READ, &host));
        ck_assert_ptr_null(host);
        memory_set_state(memory, PAGE_A, PAGE_HOLDS_CODE, 0);
        tlb_flush(cpu, true);
        ck_assert(tlb_access(cpu, LINEAR, 4, ACCESS_WRITE, &host));
        ck_assert_ptr_null(host);
        ck_assert(tlb_access(cpu, LINEAR, 4, ACCESS_READ, &host));
        ck_assert_ptr_nonnull(host);
        ck_assert_uint_eq(cpu->tlb[0].write_neg_tag[index], TLB_EMPTY);
}
END_TEST

START_TEST(tlb_flushes)
{
        unsigned index = LINEAR / PAGE_SIZE % TLB_ENTRIES;
        uint8_t *host;
        gpa_t gpa;

        cpu->cr4 |= CR4_PGE | CR4_PSE;
        map_32(P | W, P | W | G);
        poke(PT + 4 * 4, PAGE_B | P | W, 4);
        ck_assert(tlb_access(cpu, LINEAR, 4, ACCESS_READ, &host));
        ck_assert(tlb_access(cpu, LINEAR + 0x1000, 4, ACCESS_READ, &host));
        ck_assert(tlb_fetch(cpu, LINEAR, &gpa));
        ck_assert_uint_eq(cpu->tlb[0].code[index], (uint64_t)(LINEAR >> 12) << 28 | PAGE_A >> 12);
        tlb_flush(cpu, false);
        ck_assert_uint_eq(cpu->tlb[0].read_neg_tag[index], -(uint64_t)LINEAR);
        ck_assert_uint_eq(cpu->tlb[0].read_neg_tag[index + 1], TLB_EMPTY);
        ck_assert_uint_ne(cpu->tlb[0].code[index], 0);
        tlb_flush_page(cpu, LINEAR + 0x123);
        ck_assert_uint_eq(cpu->tlb[0].read_neg_tag[index], TLB_EMPTY);
        ck_assert_uint_eq(cpu->tlb[0].code[index], 0);
        /* INVLPG anywhere in a large page drops every entry made from it. */
        poke(PD + 4, 0x00400000 | PS | P | W, 4);
        ck_assert(tlb_access(cpu, LINEAR, 4, ACCESS_READ, &host));
        ck_assert(tlb_fetch(cpu, LINEAR + 0x2000, &gpa));
        ck_assert_uint_eq(gpa, LINEAR + 0x2000);
        tlb_flush_page(cpu, 0x00400000);
        ck_assert_uint_eq(cpu->tlb[0].read_neg_tag[index], TLB_EMPTY);
        ck_assert_uint_eq(cpu->tlb[0].code[index + 2], 0);
        /* Without PGE nothing stays. */
        ck_assert(tlb_access(cpu, LINEAR, 4, ACCESS_READ, &host));
        cpu->cr4 = 0;
        tlb_flush(cpu, false);
        ck_assert_uint_eq(cpu->tlb[0].read_neg_tag[index], TLB_EMPTY);
}
END_TEST

static unsigned code_writes;
static gpa_t code_write_gpa;

static void note_code(void *opaque, gpa_t gpa, size_t size)
{
        (void)opaque;
        (void)size;
        code_writes++;
        code_write_gpa = gpa;
}

START_TEST(tables_that_hold_code)
{
        struct memory_listener listener = { .code_written = note_code };

        map_32(P, P);
        memory_add_listener(memory, &listener);
        memory_set_state(memory, PT, PAGE_HOLDS_CODE, 0);
        code_writes = 0;
        ck_assert(walk(LINEAR, ACCESS_READ));
        ck_assert_uint_eq(code_writes, 1);
        ck_assert_uint_eq(code_write_gpa, PT + 12);
        ck_assert(walk(LINEAR, ACCESS_READ));
        ck_assert_uint_eq(code_writes, 1);
}
END_TEST

START_TEST(debug_walk)
{
        gpa_t gpa;

        map_32(P, P);
        ck_assert(cpu_translate_debug(cpu, LINEAR + 1, &gpa));
        ck_assert_uint_eq(gpa, PAGE_A + 1);
        ck_assert_uint_eq(peek(PT + 12, 4), PAGE_A | P);
        ck_assert(!cpu_translate_debug(cpu, 0x00800000, &gpa));
}
END_TEST

static void fill(TCase *cases)
{
        tcase_add_test(cases, no_paging);
        tcase_add_test(cases, permissions_32);
        tcase_add_test(cases, not_present);
        tcase_add_test(cases, accessed_and_dirty);
        tcase_add_test(cases, large_32);
        tcase_add_test(cases, pae);
        tcase_add_test(cases, long_mode);
        tcase_add_test(cases, smep_and_smap);
        tcase_add_test(cases, tables_outside_ram);
        tcase_add_test(cases, tlb_views);
        tcase_add_test(cases, tlb_flushes);
        tcase_add_test(cases, tables_that_hold_code);
        tcase_add_test(cases, debug_walk);
}

int main(void)
{
        return fixture_main("paging", fill);
}
