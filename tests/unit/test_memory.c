/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_memory.c - the physical map, its page view, dispatch to device regions, and page states.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/memory.h"
#include "memory/share.h"

static struct lock lock;
static struct memory *memory;

static void setup(void)
{
        lock_init(&lock, LOCK_RANK_MACHINE, "machine");
        memory = memory_new(8 << 20, &lock, NULL);
        ck_assert_ptr_nonnull(memory);
}

static void teardown(void)
{
        memory_free(memory);
        lock_destroy(&lock);
}

/* -- A device that notes what it is asked -------------------------------------------------------- */

struct probe {
        char log[512];
        gpa_t dma;              /* read from there inside the callback */
};

static uint64_t probe_read(void *opaque, uint64_t offset, unsigned size)
{
        struct probe *probe = opaque;
        char text[32];

        g_snprintf(text, sizeof(text), "r%x/%u ", (unsigned)offset, size);
        g_strlcat(probe->log, text, sizeof(probe->log));
        if (probe->dma) {
                uint32_t value;
                memory_read(memory, probe->dma, &value, sizeof(value));
                return value;
        }
        return UINT64_C(0x8877665544332211) + offset;
}

static void probe_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct probe *probe = opaque;
        char text[48];

        g_snprintf(text, sizeof(text), "w%x/%u=%llx ", (unsigned)offset, size, (unsigned long long)value);
        g_strlcat(probe->log, text, sizeof(probe->log));
}

static const struct mmio_ops probe_default = { probe_read, probe_write, 0, 0 };
static const struct mmio_ops probe_bytes = { probe_read, probe_write, 1, 1 };
static const struct mmio_ops probe_dwords = { probe_read, probe_write, 4, 4 };
static const struct mmio_ops probe_qwords = { probe_read, probe_write, 1, 8 };

/* -- The map ----------------------------------------------------------------------------------- */

START_TEST(test_priorities_and_order)
{
        static const char bios[5000] = "firmware";
        struct probe probe = { .log = "" };

        memory_map_ram(memory, 0, 0, 8 << 20, false, 0, "ram");
        struct memory_region *vga = memory_map_mmio(memory, 0xa0000, 0x20000, &probe_default, &probe, 1, "vga");
        memory_map_rom(memory, 0xfffff000 - 0x1000, bios, sizeof(bios), 0, "bios");

        ck_assert_int_eq(memory_page(memory, 0x9ffff).kind, PAGE_RAM);
        ck_assert_int_eq(memory_page(memory, 0xa0000).kind, PAGE_MMIO);
        ck_assert_ptr_null(memory_page(memory, 0xa0000).host);
        ck_assert_int_eq(memory_page(memory, 0xbffff).kind, PAGE_MMIO);
        struct page_info info = memory_page(memory, 0xc0000);
        ck_assert_int_eq(info.kind, PAGE_RAM);
        ck_assert_ptr_eq(info.host, memory_ram(memory) + 0xc0000);
        ck_assert_uint_eq(info.ram_page, 0xc0);
        ck_assert_int_eq(memory_page(memory, 8 << 20).kind, PAGE_NONE);
        ck_assert_int_eq(memory_page(memory, 0xffffe000).kind, PAGE_ROM);
        ck_assert_str_eq((char *)memory_page(memory, 0xffffe000).host, "firmware");
        ck_assert_uint_ge(memory_page(memory, 0xffffe000).ram_page, (8 << 20) >> 12);
        ck_assert_int_eq(memory_page(memory, 0x100000000).kind, PAGE_NONE);

        /* Same priority: the later one covers.  Hidden and shown again, it keeps its place. */
        struct memory_region *over = memory_map_ram(memory, 0xa0000, 0, 0x1000, false, 1, "over");
        ck_assert_int_eq(memory_page(memory, 0xa0000).kind, PAGE_RAM);
        memory_region_set(over, 0xa0000, false);
        ck_assert_int_eq(memory_page(memory, 0xa0000).kind, PAGE_MMIO);
        memory_region_set(vga, 0xa0000, false);
        ck_assert_int_eq(memory_page(memory, 0xa0000).kind, PAGE_RAM);
        memory_region_set(vga, 0x400000000, true);
        ck_assert_int_eq(memory_page(memory, 0x400000000).kind, PAGE_MMIO);
        memory_unmap(over);
        memory_unmap(vga);
        ck_assert_int_eq(memory_page(memory, 0x400000000).kind, PAGE_NONE);
}
END_TEST

START_TEST(test_top_of_address_space)
{
        struct probe probe = { .log = "" };
        gpa_t top = UINT64_C(1) << 40;
        struct memory_region *bar = memory_map_mmio(memory, top - 0x1000, 0x10000, &probe_default, &probe, 0, "bar");

        ck_assert_int_eq(memory_page(memory, top - 1).kind, PAGE_MMIO);
        ck_assert_int_eq(memory_page(memory, top).kind, PAGE_NONE);
        memory_region_set(bar, UINT64_MAX - 0xfff, true);
        ck_assert_int_eq(memory_page(memory, UINT64_MAX).kind, PAGE_NONE);
        ck_assert_int_eq(memory_page(memory, 0).kind, PAGE_NONE);
        uint8_t bytes[16];
        ck_assert(!memory_read(memory, top - 8, bytes, sizeof(bytes)));
        ck_assert(!memory_read(memory, UINT64_MAX - 4, bytes, 4));
}
END_TEST

/* Every page of a map with odd device regions, against an independent look from the byte side. */
START_TEST(test_view_matches_bytes)
{
        struct probe probe = { .log = "" };

        memory_map_ram(memory, 0, 0, 4 << 20, false, 0, "ram");
        memory_map_ram(memory, 0x100000000, 4 << 20, 4 << 20, false, 0, "high");
        for (unsigned i = 0; i < 40; i++)
                memory_map_mmio(memory, 0x1000 * (7 * i + 3) + 0x10 * i, 0x20 + 0x333 * i, &probe_bytes, &probe, 1, "odd");
        for (unsigned i = 0; i < 20; i++)
                memory_map_ram(memory, 0xc0000 + i * 0x4000, 0x100000 + i * 0x4000, 0x4000, i % 3 == 0, 2, "pam");

        for (unsigned page = 0; page < 1100; page++) {
                bool device = false;
                for (unsigned i = 0; i < 40; i++) {
                        uint64_t first = 0x1000 * (7 * i + 3) + 0x10 * i, end = first + 0x20 + 0x333 * i;
                        device |= first < (page + 1) * 0x1000 && end > page * 0x1000;
                }
                enum page_kind kind = page >= 1024 ? PAGE_NONE : PAGE_RAM;
                uint64_t ram_page = page;
                if (device)
                        kind = PAGE_MMIO;
                if (page >= 0xc0 && page < 0xc0 + 80) {
                        kind = (page - 0xc0) / 4 % 3 == 0 ? PAGE_ROM : PAGE_RAM;
                        ram_page = page - 0xc0 + 0x100;
                }
                struct page_info info = memory_page(memory, page * UINT64_C(0x1000) + 5);
                ck_assert_msg(info.kind == kind, "page %x: kind %d, not %d", page, info.kind, kind);
                if (info.host) {
                        ck_assert_uint_eq(info.ram_page, ram_page);
                        ck_assert_ptr_eq(info.host, memory_ram(memory) + ram_page * 0x1000);
                }
        }
        ck_assert_uint_eq(memory_page(memory, 0x100001000).ram_page, 0x401);
}
END_TEST

/* -- Access ------------------------------------------------------------------------------------ */

START_TEST(test_split_and_widen)
{
        struct probe probe = { .log = "" };
        struct memory_region *region = memory_map_mmio(memory, 0x10000, 0x1000, &probe_default, &probe, 0, "a");

        ck_assert_uint_eq(memory_mmio_read(memory, 0x10000, 4), 0x44332211);
        ck_assert_uint_eq(memory_mmio_read(memory, 0x10004, 2), 0x2215);
        memory_mmio_write(memory, 0x10002, 0xaabbccdd, 4);
        memory_mmio_write(memory, 0x10008, UINT64_C(0x1122334455667788), 8);
        ck_assert_str_eq(probe.log, "r0/4 r4/2 w2/2=ccdd w4/2=aabb w8/4=55667788 wc/4=11223344 ");

        memory_unmap(region);
        probe.log[0] = 0;
        region = memory_map_mmio(memory, 0x10000, 0x1000, &probe_bytes, &probe, 0, "b");
        ck_assert_uint_eq(memory_mmio_read(memory, 0x10000, 4), 0x14131211);
        ck_assert_str_eq(probe.log, "r0/1 r1/1 r2/1 r3/1 ");

        memory_unmap(region);
        probe.log[0] = 0;
        region = memory_map_mmio(memory, 0x10000, 0x1000, &probe_dwords, &probe, 0, "c");
        ck_assert_uint_eq(memory_mmio_read(memory, 0x10006, 1), 0x33);
        memory_mmio_write(memory, 0x10006, 0xee, 1);
        ck_assert_str_eq(probe.log, "r4/4 w4/4=ee0000 ");

        memory_unmap(region);
        probe.log[0] = 0;
        region = memory_map_mmio(memory, 0x10000, 0x14, &probe_qwords, &probe, 0, "d");
        memory_mmio_write(memory, 0x10008, 1, 8);
        ck_assert_uint_eq(memory_mmio_read(memory, 0x10010, 8), UINT64_C(0xffffffff44332221));
        ck_assert_str_eq(probe.log, "w8/8=1 r10/4 ");
        memory_unmap(region);
}
END_TEST

START_TEST(test_rom_and_nothing)
{
        memory_map_ram(memory, 0, 0, 0x2000, false, 0, "ram");
        struct memory_region *pam = memory_map_ram(memory, 0x2000, 0x2000, 0x1000, true, 0, "pam");
        uint8_t bytes[0x3000];

        memset(bytes, 0x5a, sizeof(bytes));
        ck_assert(memory_write(memory, 0, bytes, sizeof(bytes)));
        ck_assert_uint_eq(memory_ram(memory)[0x1fff], 0x5a);
        ck_assert_uint_eq(memory_ram(memory)[0x2000], 0);
        memory_mmio_write(memory, 0x2000, 1, 4);
        ck_assert_uint_eq(memory_mmio_read(memory, 0x1ffe, 4), 0x5a5a);
        memory_region_set_read_only(pam, false);
        ck_assert_int_eq(memory_page(memory, 0x2000).kind, PAGE_RAM);
        memory_mmio_write(memory, 0x2000, 1, 4);
        ck_assert_uint_eq(memory_mmio_read(memory, 0x2000, 4), 1);

        ck_assert(!memory_read(memory, 0x2ffe, bytes, 4));
        ck_assert_uint_eq(bytes[0], 0);
        ck_assert_uint_eq(bytes[2], 0xff);
        ck_assert(!memory_write(memory, 0x2ffe, bytes, 4));
        ck_assert_uint_eq(memory_mmio_read(memory, 0x80000000, 8), UINT64_MAX);
        ck_assert_uint_eq(memory_mmio_read(memory, 0x80000000, 2), 0xffff);
}
END_TEST

/* A page that is RAM but for some device registers: the bytes of RAM stay reachable. */
START_TEST(test_mixed_page)
{
        struct probe probe = { .log = "" };

        memory_map_ram(memory, 0, 0, 0x2000, false, 0, "ram");
        memory_map_mmio(memory, 0x1800, 4, &probe_default, &probe, 1, "dev");
        ck_assert_int_eq(memory_page(memory, 0x1000).kind, PAGE_MMIO);
        ck_assert_int_eq(memory_page(memory, 0x0fff).kind, PAGE_RAM);
        memory_mmio_write(memory, 0x17fe, 0x44332211, 4);
        ck_assert_uint_eq(memory_ram(memory)[0x17ff], 0x22);
        ck_assert_uint_eq(memory_ram(memory)[0x1800], 0);
        memory_mmio_write(memory, 0x1804, 0x99, 1);
        ck_assert_uint_eq(memory_mmio_read(memory, 0x1803, 2), 0x9914);
        ck_assert_str_eq(probe.log, "w0/2=4433 r3/1 ");
}
END_TEST

/* A device whose registers are the target of its own DMA comes to an end. */
START_TEST(test_dma_recursion)
{
        struct probe probe = { .log = "", .dma = 0x10000 };

        memory_map_mmio(memory, 0x10000, 0x1000, &probe_default, &probe, 0, "loop");
        ck_assert_uint_eq(memory_mmio_read(memory, 0x10000, 4), 0xffffffff);
        ck_assert_str_eq(probe.log, "r0/4 r0/4 r0/4 r0/4 ");
}
END_TEST

/* -- Page states (traps.md T14, T15) ------------------------------------------------------------- */

struct heard {
        unsigned maps;
        char log[256];
};

static void heard_map(void *opaque)
{
        ((struct heard *)opaque)->maps++;
}

static void heard_code(void *opaque, gpa_t gpa, size_t size)
{
        struct heard *heard = opaque;
        char text[32];

        g_snprintf(text, sizeof(text), "%x+%x ", (unsigned)gpa, (unsigned)size);
        g_strlcat(heard->log, text, sizeof(heard->log));
        memory_set_state(memory, gpa, 0, PAGE_HOLDS_CODE);
}

START_TEST(test_t14_dma_to_code)
{
        struct heard heard = { .log = "" };
        struct memory_listener listener = { .map_changed = heard_map, .code_written = heard_code, .opaque = &heard };
        uint8_t bytes[0x3000] = { 0 };

        memory_map_ram(memory, 0, 0, 0x10000, false, 0, "ram");
        memory_add_listener(memory, &listener);
        memory_map_ram(memory, 0x100000, 0, 0x10000, false, 0, "alias");
        ck_assert_uint_eq(heard.maps, 1);

        ck_assert(memory_set_state(memory, 0x2000, PAGE_HOLDS_CODE | PAGE_TRACKED, 0));
        ck_assert(!memory_set_state(memory, 0x80000, PAGE_HOLDS_CODE, 0));
        /* The state belongs to the page of RAM: it is seen through every alias. */
        ck_assert_uint_eq(memory_page(memory, 0x102abc).state, PAGE_HOLDS_CODE | PAGE_TRACKED);
        memory_write(memory, 0x1f00, bytes, 0x100);
        memory_write(memory, 0x3000, bytes, 0x100);
        ck_assert_str_eq(heard.log, "");
        memory_write(memory, 0x101ffe, bytes, sizeof(bytes));
        ck_assert_str_eq(heard.log, "102000+1000 ");
        ck_assert_uint_eq(memory_page(memory, 0x2000).state, PAGE_TRACKED);
        memory_write(memory, 0x2000, bytes, 1);
        ck_assert_str_eq(heard.log, "102000+1000 ");
}
END_TEST

/* -- Readers without a lock ---------------------------------------------------------------------- */

static bool stop;

static void *reader(void *opaque)
{
        unsigned *wrong = opaque;

        while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
                struct page_info info = memory_page(memory, 0x300000);
                *wrong += info.kind != PAGE_RAM || info.host != memory_ram(memory) + 0x300000;
                info = memory_page(memory, 0xc0000);
                *wrong += info.kind == PAGE_NONE || (info.host && info.host != memory_ram(memory) + 0xc0000);
        }
        return NULL;
}

START_TEST(test_readers_see_whole_maps)
{
        struct probe probe = { .log = "" };
        pthread_t thread;
        unsigned wrong = 0;
        struct memory_region *regions[100];

        memory_map_ram(memory, 0, 0, 8 << 20, false, 0, "ram");
        stop = false;
        ck_assert_int_eq(pthread_create(&thread, NULL, reader, &wrong), 0);
        for (unsigned round = 0; round < 50; round++) {
                for (unsigned i = 0; i < 100; i++)
                        regions[i] = memory_map_mmio(memory, i * 0x2000, 0x1000, &probe_default, &probe, 1, "r");
                for (unsigned i = 0; i < 100; i++)
                        memory_unmap(regions[i]);
        }
        __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* T23: two machines with one memory until they write; a third one gets what has changed since. */
START_TEST(test_shared_until_written)
{
        struct lock other_lock;
        struct memory *other;
        char text[8];
        int fd, again;

        memory_map_ram(memory, 0, 0, 8 << 20, false, 0, "ram");
        memory_write(memory, 0x1000, "before", 7);
        fd = memory_share(memory, true, NULL);
        ck_assert_int_ge(fd, 0);
        ck_assert(!memory_share_differs(memory, 1));
        memory_write(memory, 0x1000, "after!", 7);
        ck_assert(memory_share_differs(memory, 1));
        ck_assert(!memory_share_differs(memory, 2));

        lock_init(&other_lock, LOCK_RANK_MACHINE, "machine");
        other = memory_new(8 << 20, &other_lock, NULL);
        ck_assert(memory_adopt(other, fd, true, NULL));
        memory_map_ram(other, 0, 0, 8 << 20, false, 0, "ram");
        memory_read(other, 0x1000, text, 7);
        ck_assert_str_eq(text, "before");
        memory_write(other, 0x2000, "other!", 7);
        memory_read(memory, 0x2000, text, 7);
        ck_assert_str_eq(text, "");
        memory_free(other);

        /* Little has changed: the same file, and the page that differs goes along. */
        again = memory_share(memory, true, NULL);
        ck_assert(memory_share_differs(memory, 1));
        close(again);
        /* Who does not trust the marks gets a new file with everything. */
        memory_share_distrust(memory);
        again = memory_share(memory, true, NULL);
        ck_assert(!memory_share_differs(memory, 1));
        ck_assert_int_eq(pread(again, text, 7, 0x1000), 7);
        ck_assert_str_eq(text, "after!");
        close(again);
        close(fd);
        lock_destroy(&other_lock);
}
END_TEST

START_TEST(test_refusals)
{
        GError *error = NULL;

        ck_assert_ptr_null(memory_new(0, &lock, &error));
        ck_assert_ptr_nonnull(error);
        g_clear_error(&error);
        ck_assert_ptr_null(memory_new(12345, &lock, &error));
        g_clear_error(&error);
        char *bytes = g_malloc0(65 << 20);
        ck_assert_ptr_null(memory_map_rom(memory, 0, bytes, 65 << 20, 0, "huge"));
        g_free(bytes);
        char *text = memory_describe(memory);
        ck_assert_str_eq(text, "");
        g_free(text);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("memory");
        TCase *tcase = tcase_create("memory");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, test_priorities_and_order);
        tcase_add_test(tcase, test_top_of_address_space);
        tcase_add_test(tcase, test_view_matches_bytes);
        tcase_add_test(tcase, test_split_and_widen);
        tcase_add_test(tcase, test_rom_and_nothing);
        tcase_add_test(tcase, test_mixed_page);
        tcase_add_test(tcase, test_dma_recursion);
        tcase_add_test(tcase, test_t14_dma_to_code);
        tcase_add_test(tcase, test_readers_see_whole_maps);
        tcase_add_test(tcase, test_shared_until_written);
        tcase_add_test(tcase, test_refusals);
        suite_add_tcase(suite, tcase);

        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
