/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_snapshot.c - the snapshot format: what is written is read back, and nothing else is taken for it.
 */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu/cpuid.h"
#include "cpu/state.h"
#include "memory/track.h"
#include "snapshot/compress.h"
#include "snapshot/crc32c.h"
#include "snapshot/fields.h"
#include "snapshot/pages.h"
#include "snapshot/reader.h"
#include "unit.h"

enum { PAGES = 700 };

static uint8_t memory[PAGES][SNAPSHOT_PAGE_BYTES], back[PAGES][SNAPSHOT_PAGE_BYTES];
static char *folder;

static void setup(void)
{
        folder = g_dir_make_tmp("test-snapshot-XXXXXX", NULL);
        ck_assert_ptr_nonnull(folder);
        /* A third zero, a third alike, the rest noise and text in turns. */
        for (unsigned page = 0; page < PAGES; page++)
                for (unsigned i = 0; i < SNAPSHOT_PAGE_BYTES; i++)
                        memory[page][i] = page % 3 == 0 ? 0 : page % 3 == 1 ? (uint8_t)(i * 7) :
                                          page % 2 ? (uint8_t)((page * 2654435761u + i * i * 40503u) >> 9) : (uint8_t)(page + i / 64);
}

static void teardown(void)
{
        GDir *dir = g_dir_open(folder, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(dir)) != NULL) {
                char *path = g_build_filename(folder, name, NULL);

                unlink(path);
                g_free(path);
        }
        g_dir_close(dir);
        g_rmdir(folder);
        g_free(folder);
}

static char *place(const char *name) { return g_build_filename(folder, name, NULL); }

static void fetch(void *opaque, uint64_t first, unsigned count, uint8_t *to)
{
        (void)opaque;
        memcpy(to, memory[first], (size_t)count * SNAPSHOT_PAGE_BYTES);
}

static void write_one(const char *path, enum snapshot_encoding encoding, struct page_totals *totals)
{
        static const uint8_t id[SNAPSHOT_ID_BYTES] = "0123456789abcde";
        struct snapshot_info info = {
                .name = (char *)"one", .description = (char *)"a \"quoted\" text", .machine = (char *)"m", .cpu_model = (char *)"486",
                .created_us = 1234567890, .virtual_ns = 42, .memory_bytes = PAGES * 4096, .file_bytes = PAGES * 4096, .cpus = 1,
        };
        struct page_source source = { fetch, NULL, PAGES };
        GByteArray *bytes = snapshot_info_encode(&info), *state = g_byte_array_new();
        struct snapshot_file *file = snapshot_file_new(path, NULL);
        struct snapshot_sink sink = snapshot_file_sink(file);
        struct snapshot_writer writer;

        g_byte_array_append(state, (const guint8 *)"\003abc\002\002\000\000\000\007\011", 11);
        ck_assert(snapshot_writer_begin(&writer, &sink, id, NULL));
        ck_assert(snapshot_writer_section(&writer, SECTION_INFO, 0, bytes->data, bytes->len, false, NULL));
        ck_assert(snapshot_writer_section(&writer, SECTION_NAME('N', 'E', 'W', ' '), SECTION_OPTIONAL, "what is this", 12, false, NULL));
        ck_assert(snapshot_writer_device(&writer, "dev0", "device", 1, state, NULL));
        ck_assert(snapshot_write_pages(&writer, &source, encoding, totals, NULL));
        ck_assert(snapshot_writer_end(&writer, NULL));
        ck_assert(snapshot_file_commit(file, NULL));
        g_byte_array_unref(bytes);
        g_byte_array_unref(state);
}

static void take(void *opaque, uint64_t page, const uint8_t *bytes)
{
        (void)opaque;
        memcpy(back[page], bytes, SNAPSHOT_PAGE_BYTES);
}

START_TEST(test_crc)
{
        static const uint8_t zeros[32];

        /* RFC 3720, B.4 */
        ck_assert_uint_eq(crc32c(0, zeros, 32), 0x8a9136aa);
        ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
        ck_assert_uint_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}
END_TEST

static void check_round_trip_in_folder(void)
{
        for (int encoding = ENCODING_NONE; encoding < ENCODINGS; encoding++) {
                char *path = place("one");
                struct page_totals totals;
                GError *error = NULL;

                if (!compress_known((enum snapshot_encoding)encoding))
                        continue;
                write_one(path, (enum snapshot_encoding)encoding, &totals);
                ck_assert_uint_eq(totals.zero, (PAGES + 2) / 3);
                ck_assert_uint_ge(totals.same, PAGES / 3 - 3);
                struct snapshot_reader *reader = snapshot_open(path, &error);
                ck_assert_msg(reader != NULL, "%s", error ? error->message : "");
                const struct snapshot_info *info = snapshot_reader_info(reader);
                ck_assert_str_eq(info->description, "a \"quoted\" text");
                ck_assert_uint_eq(info->virtual_ns, 42);
                ck_assert_str_eq(info->ancestors, "");
                ck_assert_uint_eq(snapshot_reader_pages(reader), PAGES);
                ck_assert_uint_eq(snapshot_reader_devices(reader), 1);
                const struct snapshot_device *device = snapshot_reader_find(reader, "dev0");
                GPtrArray *lines = snapshot_fields(device->state, device->state_bytes);
                ck_assert_uint_eq(lines->len, 1);
                ck_assert_str_eq(g_ptr_array_index(lines, 0), "abc = 0x7 0x9");
                g_ptr_array_unref(lines);
                memset(back, 0, sizeof(back));
                ck_assert(snapshot_read_chunks(reader, take, NULL, &error));
                ck_assert_mem_eq(back, memory, sizeof(memory));
                ck_assert(snapshot_page_is_zero(reader, 0) && !snapshot_page_is_zero(reader, 1));
                snapshot_close(reader);
                g_free(path);
        }
}

START_TEST(test_round_trip)
{
        setup();
        check_round_trip_in_folder();
        teardown();
}
END_TEST

/* Uncompressed data lies at multiples of the page size, so that files can be mapped. */
static void check_aligned_in_folder(void)
{
        char *path = place("aligned"), *bytes;
        struct page_totals totals;
        bool found = false;
        gsize size;

        write_one(path, ENCODING_NONE, &totals);
        ck_assert(g_file_get_contents(path, &bytes, &size, NULL));
        for (gsize at = 0; at + SNAPSHOT_PAGE_BYTES <= size && !found; at += SNAPSHOT_PAGE_BYTES)
                found = !memcmp(bytes + at, memory[1], SNAPSHOT_PAGE_BYTES);
        ck_assert(found);
        g_free(bytes);
        g_free(path);
}

START_TEST(test_aligned)
{
        setup();
        check_aligned_in_folder();
        teardown();
}
END_TEST

static bool readable(const char *path, GError **error)
{
        struct snapshot_reader *reader = snapshot_open(path, error);
        bool ok = reader && snapshot_read_chunks(reader, take, NULL, error);

        snapshot_close(reader);
        return ok;
}

/* Cut anywhere, or with any bit changed, it is refused with a reason. */
static void check_damage_in_folder(void)
{
        char *path = place("whole"), *other = place("damaged"), *bytes;
        struct page_totals totals;
        gsize size;

        write_one(path, compress_default(), &totals);
        ck_assert(readable(path, NULL));
        ck_assert(g_file_get_contents(path, &bytes, &size, NULL));
        for (gsize cut = 0; cut < size; cut += cut < 1024 ? 13 : size / 60) {
                GError *error = NULL;

                ck_assert(g_file_set_contents(other, bytes, (gssize)cut, NULL));
                ck_assert_msg(!readable(other, &error), "cut at %zu", cut);
                ck_assert_ptr_nonnull(error);
                g_error_free(error);
        }
        for (gsize at = 0; at < size; at += at < 1024 ? 7 : size / 150) {
                GError *error = NULL;

                bytes[at] ^= (char)(1 << at % 8);
                ck_assert(g_file_set_contents(other, bytes, (gssize)size, NULL));
                ck_assert_msg(!readable(other, &error), "bit %zu of byte %zu", at % 8, at);
                ck_assert_ptr_nonnull(error);
                g_error_free(error);
                bytes[at] ^= (char)(1 << at % 8);
        }
        g_free(bytes);
        g_free(path);
        g_free(other);
}

START_TEST(test_damage)
{
        setup();
        check_damage_in_folder();
        teardown();
}
END_TEST

/* Sections that are whole each, but not all there or not in order. */
static void check_sections_missing_in_folder(void)
{
        static const uint8_t id[SNAPSHOT_ID_BYTES];
        char *path = place("empty");
        struct snapshot_file *file = snapshot_file_new(path, NULL);
        struct snapshot_sink sink = snapshot_file_sink(file);
        struct snapshot_writer writer;
        GError *error = NULL;

        ck_assert(snapshot_writer_begin(&writer, &sink, id, NULL));
        ck_assert(snapshot_writer_end(&writer, NULL));
        ck_assert(snapshot_file_commit(file, NULL));
        ck_assert(!readable(path, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "INFO"));
        g_clear_error(&error);

        file = snapshot_file_new(path, NULL);
        sink = snapshot_file_sink(file);
        ck_assert(snapshot_writer_begin(&writer, &sink, id, NULL));
        ck_assert(snapshot_writer_section(&writer, SECTION_NAME('Z', 'A', 'P', '!'), 0, "x", 1, false, NULL));
        ck_assert(snapshot_writer_end(&writer, NULL));
        ck_assert(snapshot_file_commit(file, NULL));
        ck_assert(!readable(path, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "ZAP!"));
        g_error_free(error);
        g_free(path);
}

START_TEST(test_sections_missing)
{
        setup();
        check_sections_missing_in_folder();
        teardown();
}
END_TEST

/* An abandoned file leaves the old one, and what a dead writer left is removed. */
static void check_replace_in_folder(void)
{
        char *path = place("r"), *dead = place(".r.999999999"), *bytes;
        struct snapshot_file *file;
        struct snapshot_sink sink;

        ck_assert(g_file_set_contents(path, "old", 3, NULL));
        ck_assert(g_file_set_contents(dead, "x", 1, NULL));
        file = snapshot_file_new(path, NULL);
        sink = snapshot_file_sink(file);
        ck_assert(!g_file_test(dead, G_FILE_TEST_EXISTS));
        ck_assert(sink.write(sink.opaque, "new", 3, NULL));
        snapshot_file_abandon(file);
        ck_assert(g_file_get_contents(path, &bytes, NULL, NULL));
        ck_assert_str_eq(bytes, "old");
        g_free(bytes);
        file = snapshot_file_new(path, NULL);
        sink = snapshot_file_sink(file);
        ck_assert(sink.write(sink.opaque, "new", 3, NULL));
        ck_assert(snapshot_file_commit(file, NULL));
        ck_assert(g_file_get_contents(path, &bytes, NULL, NULL));
        ck_assert_str_eq(bytes, "new");
        g_free(bytes);
        g_free(path);
        g_free(dead);
}

START_TEST(test_replace)
{
        setup();
        check_replace_in_folder();
        teardown();
}
END_TEST

/* -- vCPUs ------------------------------------------------------------------------------------------ */

START_TEST(test_cpu_coverage)
{
        char *findings = state_coverage(cpu_state, 0, sizeof(struct cpu));

        ck_assert_msg(!findings, "%s", findings);
}
END_TEST

static struct cpu *cpu_make(struct memory *ram)
{
        struct cpu *cpu = aligned_alloc(64, (sizeof(struct cpu) + 63) / 64 * 64);

        memset(cpu, 0, sizeof(*cpu));
        cpu_init(cpu, 0, cpu_model_find("host"), ram);
        return cpu;
}

/* A state is loaded as it was; what XRSTOR or the translator could not live with is refused or put right. */
START_TEST(test_cpu_state)
{
        struct lock lock;
        struct memory *ram;
        struct cpu *first, *second;
        GByteArray *bytes = g_byte_array_new(), *again = g_byte_array_new();
        GError *error = NULL;

        lock_init(&lock, LOCK_RANK_MACHINE, "machine");
        ram = memory_new(1 << 20, &lock, NULL);
        first = cpu_make(ram);
        second = cpu_make(ram);
        for (unsigned i = 0; i < CPU_REGS; i++)
                first->regs[i] = 0x1000 + i;
        first->rip = 0x7c00;
        cpu_set_rflags(first, FLAG_ONE | FLAG_IF | FLAG_DF | FLAG_CF);
        first->exception = (struct pending_exception){ .pending = true, .vector = EXC_GP, .has_error = true, .error = 8 };
        first->fpu.image[33] = 0x55;
        first->tsc_stopped = 123456789;
        state_save(cpu_state, first, bytes);
        ck_assert(state_load(cpu_state, second, bytes->data, bytes->len, &error));
        ck_assert(cpu_post_load(second, &error));
        ck_assert_uint_eq(second->request, CPU_REQUEST_FLUSH);
        second->request = first->request;
        state_save(cpu_state, second, again);
        ck_assert_uint_eq(bytes->len, again->len);
        ck_assert_mem_eq(bytes->data, again->data, bytes->len);
        cpu_start_tsc(&second, 1);
        ck_assert_uint_ge(cpu_tsc(second), 123456789);
        ck_assert_uint_lt(cpu_tsc(second), 123456789 + UINT64_C(100000000000));

        memset(second->fpu.image + 512, 0xff, 64);
        memset(second->fpu.image + 24, 0xff, 4);
        ck_assert(cpu_post_load(second, &error));
        ck_assert_uint_le(second->fpu.image[512], 7);
        for (unsigned i = 520; i < 576; i++)
                ck_assert_uint_eq(second->fpu.image[i], 0);
        ck_assert_uint_eq(second->fpu.image[26] | second->fpu.image[27], 0);
        second->regs[RAX] = UINT64_MAX;
        ck_assert(cpu_post_load(second, &error));
        ck_assert_uint_eq(second->regs[RAX], UINT32_MAX);
        second->cpl = 4;
        ck_assert(!cpu_post_load(second, &error) && error);
        g_clear_error(&error);
        second->cpl = 0;
        second->efer = EFER_LMA;
        ck_assert(!cpu_post_load(second, &error) && error);
        g_clear_error(&error);
        free(first);
        free(second);
        g_byte_array_unref(bytes);
        g_byte_array_unref(again);
        memory_free(ram);
        lock_destroy(&lock);
}
END_TEST

/* -- Memory at one instant ------------------------------------------------------------------------- */

START_TEST(test_track)
{
        static uint8_t page[4096];
        struct lock lock;
        struct memory *ram;

        lock_init(&lock, LOCK_RANK_MACHINE, "machine");
        ram = memory_new(1 << 20, &lock, NULL);
        lock_acquire(&lock);
        memory_map_ram(ram, 0, 0, 1 << 20, false, 0, "RAM");
        memset(memory_ram(ram), 1, 4 * PAGE_SIZE);
        ck_assert(memory_track_begin(ram, NULL));
        ck_assert_uint_eq(memory_page(ram, 0x1000).state, PAGE_TRACKED);
        memory_write(ram, 0x1ffe, "\2\2\2\2", 4);              /* pages 1 and 2, by a device */
        ck_assert_uint_eq(memory_page(ram, 0x1000).state, 0);
        struct page_info info = memory_page(ram, 0x3000);        /* page 3, by a vCPU */
        memory_before_write(ram, &info);
        ck_assert_uint_eq(info.state, 0);
        info.host[0] = 3;
        ck_assert_uint_eq(memory_track_copied(ram), 3 * PAGE_SIZE);
        for (unsigned i = 0; i < 6; i++) {
                memory_track_fetch(ram, i, 1, page);
                for (unsigned j = 0; j < 4096; j++)
                        ck_assert_uint_eq(page[j], i < 4 ? 1 : 0);
                ck_assert_uint_eq(memory_page(ram, i * 4096).state, 0);
        }
        ck_assert_uint_eq(memory_page(ram, 0x6000).state, PAGE_TRACKED);
        memory_track_end(ram);
        ck_assert_uint_eq(memory_page(ram, 0x6000).state, 0);
        ck_assert_uint_eq(memory_ram(ram)[0x1fff], 2);
        memory_forget_file(ram, 0x1000, 0x1000);
        ck_assert_uint_eq(memory_ram(ram)[0x1fff], 0);
        ck_assert_uint_eq(memory_ram(ram)[0x2000], 2);
        lock_release(&lock);
        memory_free(ram);
        lock_destroy(&lock);
}
END_TEST

/* What hardware writes to, without asking, is logged; a device asks. */
START_TEST(test_track_ahead)
{
        static uint8_t page[4096];
        struct lock lock;
        struct memory *ram;

        lock_init(&lock, LOCK_RANK_MACHINE, "machine");
        ram = memory_new(1 << 20, &lock, NULL);
        lock_acquire(&lock);
        memory_map_ram(ram, 0, 0, 1 << 20, false, 0, "RAM");
        memset(memory_ram(ram), 1, 8 * PAGE_SIZE);
        ck_assert(memory_track_ahead(ram, NULL));
        memory_write(ram, 0x1000, "\2", 1);                     /* before the copy, and again after it */
        memory_track_copy(ram);
        memory_write(ram, 0x1000, "\3", 1);
        memory_write(ram, 0x2000, "\3", 1);                     /* after the copy only */
        memory_ram(ram)[0x3000] = 3;                            /* hardware */
        memory_ram(ram)[0x20000] = 3;                           /* in what was a hole */
        memory_track_written(ram, 3);
        memory_track_written(ram, 0x20);
        memory_track_written(ram, 1 << 20);                     /* no page of RAM */
        memory_track_copy(ram);
        memory_ram(ram)[0x4000] = 3;
        memory_track_written(ram, 4);
        ck_assert(memory_track_begin(ram, NULL));
        ck_assert_uint_eq(memory_track_copied(ram), 3 * PAGE_SIZE);
        ck_assert_uint_eq(memory_page(ram, 0x5000).state, 0);
        for (unsigned i = 0; i < 8; i++)                        /* none of it is in the picture */
                memory_write(ram, i * PAGE_SIZE, "\4", 1);
        for (unsigned i = 0; i < 256; i++) {
                memory_track_fetch(ram, i, 1, page);
                ck_assert_msg(page[0] == ((i >= 1 && i <= 4) || i == 0x20 ? 3 : i < 8 ? 1 : 0), "page %u begins with %u", i, page[0]);
                ck_assert_uint_eq(page[1], i < 8 ? 1 : 0);
        }
        memory_track_end(ram);
        lock_release(&lock);
        memory_free(ram);
        lock_destroy(&lock);
}
END_TEST

UNIT_MAIN("snapshot", test_cpu_coverage, test_cpu_state, test_track, test_track_ahead, test_crc, test_round_trip, test_aligned, test_damage, test_sections_missing, test_replace)
