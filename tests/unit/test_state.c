/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_state.c - state tables: round trip, hostile input, coverage, description. */
#include <glib.h>
#include <string.h>
#include "base/clock.h"
#include "base/state.h"
#include "unit.h"

struct channel {
        uint16_t count;
        bool gate;
        uint32_t latch;
};

static const struct state_field channel_fields[] = {
        STATE_U16(struct channel, count),
        STATE_BOOL(struct channel, gate),
        STATE_U32(struct channel, latch),
        STATE_END
};

struct sample {
        uint8_t status;
        uint64_t total;
        int64_t balance;
        uint32_t words[3];
        uint8_t fifo[16];
        struct channel channel[2];
        struct timer timer;
        void *backend;
};

static const struct state_field sample_fields[] = {
        STATE_U8(struct sample, status),
        STATE_U64(struct sample, total),
        STATE_S64(struct sample, balance),
        STATE_U32(struct sample, words),
        STATE_BYTES(struct sample, fifo),
        STATE_ARRAY(struct sample, channel, 2, channel_fields),
        STATE_TIMER(struct sample, timer),
        STATE_SKIP(struct sample, backend, "the host's"),
        STATE_END
};

static struct lock machine_lock;
static struct clock *clock_;

static void no_callback(void *unused)
{
        (void)unused;
}

static void make(struct sample *sample)
{
        memset(sample, 0, sizeof(*sample));
        timer_init(&sample->timer, clock_, no_callback, NULL);
}

static void fill(struct sample *sample)
{
        make(sample);
        sample->status = 0x5a;
        sample->total = 0x0123456789abcdef;
        sample->balance = -7;
        for (int i = 0; i < 3; i++)
                sample->words[i] = 0x1000u * (unsigned)i;
        memcpy(sample->fifo, "sixteen bytes ok", 16);
        sample->channel[1] = (struct channel){ 0xbeef, true, 77 };
        timer_set(&sample->timer, 123456789);
}

static void set_up(void)
{
        lock_init(&machine_lock, LOCK_RANK_MACHINE, "machine");
        clock_ = clock_new(&machine_lock);
        lock_acquire(&machine_lock);
}

static void tear_down(void)
{
        lock_release(&machine_lock);
        clock_free(clock_);
        lock_destroy(&machine_lock);
}

START_TEST(what_is_saved_comes_back)
{
        struct sample from, to;
        GByteArray *bytes = g_byte_array_new(), *again = g_byte_array_new();
        GError *error = NULL;

        set_up();
        fill(&from);
        make(&to);
        to.backend = &to;
        state_save(sample_fields, &from, bytes);
        ck_assert_msg(state_load(sample_fields, &to, bytes->data, bytes->len, &error), "%s", error ? error->message : "");
        ck_assert_uint_eq(to.total, 0x0123456789abcdef);
        ck_assert_int_eq(to.balance, -7);
        ck_assert_uint_eq(to.channel[1].count, 0xbeef);
        ck_assert(to.channel[1].gate);
        ck_assert_int_eq(to.timer.deadline_ns, 123456789);
        ck_assert_ptr_eq(to.backend, &to);
        state_save(sample_fields, &to, again);
        ck_assert_uint_eq(again->len, bytes->len);
        ck_assert_mem_eq(again->data, bytes->data, bytes->len);
        g_byte_array_unref(bytes);
        g_byte_array_unref(again);
        tear_down();
}
END_TEST

START_TEST(the_format_is_fixed)
{
        static const uint8_t expected[] = {
                5, 'c', 'o', 'u', 'n', 't', STATE_TYPE_U16, 2, 0, 0, 0, 0x34, 0x12,
                4, 'g', 'a', 't', 'e', STATE_TYPE_BOOL, 1, 0, 0, 0, 1,
                5, 'l', 'a', 't', 'c', 'h', STATE_TYPE_U32, 4, 0, 0, 0, 0x44, 0x33, 0x22, 0x11,
        };
        struct channel channel = { 0x1234, true, 0x11223344 };
        GByteArray *bytes = g_byte_array_new();

        state_save(channel_fields, &channel, bytes);
        ck_assert_uint_eq(bytes->len, sizeof(expected));
        ck_assert_mem_eq(bytes->data, expected, sizeof(expected));
        g_byte_array_unref(bytes);
}
END_TEST

START_TEST(truncation_anywhere_is_an_error)
{
        struct sample from, to, untouched;
        GByteArray *bytes = g_byte_array_new();

        set_up();
        fill(&from);
        make(&to);
        make(&untouched);
        state_save(sample_fields, &from, bytes);
        for (guint size = 0; size < bytes->len; size++) {
                /* A copy of exactly that size, so that AddressSanitizer sees any read past its end. */
                uint8_t *copy = g_memdup2(bytes->data, size);
                GError *error = NULL;

                ck_assert(!state_load(sample_fields, &to, copy, size, &error));
                ck_assert_ptr_nonnull(error);
                ck_assert_mem_eq(&to, &untouched, sizeof(to));
                g_clear_error(&error);
                g_free(copy);
        }
        g_byte_array_unref(bytes);
        tear_down();
}
END_TEST

START_TEST(any_byte_may_be_wrong)
{
        struct sample from, to;
        GByteArray *bytes = g_byte_array_new();

        set_up();
        fill(&from);
        state_save(sample_fields, &from, bytes);
        for (guint i = 0; i < bytes->len; i++) {
                for (int flip = 1; flip < 256; flip <<= 1) {
                        uint8_t *copy = g_memdup2(bytes->data, bytes->len);
                        GError *error = NULL;

                        make(&to);
                        copy[i] ^= (uint8_t)flip;
                        /* Either a value changed, or the error says where. */
                        if (!state_load(sample_fields, &to, copy, bytes->len, &error))
                                ck_assert_ptr_nonnull(error);
                        timer_cancel(&to.timer);
                        g_clear_error(&error);
                        g_free(copy);
                }
        }
        g_byte_array_unref(bytes);
        timer_cancel(&from.timer);
        tear_down();
}
END_TEST

static void expect_error(const uint8_t *bytes, size_t size, const char *what)
{
        struct channel channel;
        GError *error = NULL;

        ck_assert(!state_load(channel_fields, &channel, bytes, size, &error));
        ck_assert_msg(strstr(error->message, what) != NULL, "\"%s\" does not name \"%s\"", error->message, what);
        g_clear_error(&error);
}

START_TEST(errors_name_the_field)
{
        uint8_t bytes[] = {
                5, 'c', 'o', 'u', 'n', 't', STATE_TYPE_U16, 2, 0, 0, 0, 0x34, 0x12,
                4, 'g', 'a', 't', 'e', STATE_TYPE_BOOL, 1, 0, 0, 0, 1,
                5, 'l', 'a', 't', 'c', 'h', STATE_TYPE_U32, 4, 0, 0, 0, 0x44, 0x33, 0x22, 0x11, 0,
        };

        expect_error(bytes, sizeof(bytes), "after the last field");
        expect_error(bytes, 24, "latch");
        bytes[23] = 2;
        expect_error(bytes, sizeof(bytes) - 1, "gate: impossible value 2");
        bytes[23] = 1;
        bytes[14] = 'x';
        expect_error(bytes, sizeof(bytes) - 1, "gate: found \"xate\"");
        bytes[14] = 'g';
        bytes[6] = STATE_TYPE_U32;
        expect_error(bytes, sizeof(bytes) - 1, "count: of type");
}
END_TEST

START_TEST(a_full_table_covers)
{
        char *findings = state_coverage(sample_fields, 0, sizeof(struct sample));

        ck_assert_msg(findings == NULL, "%s", findings ? findings : "");
        ck_assert_ptr_null(state_coverage(channel_fields, 0, sizeof(struct channel)));
}
END_TEST

static const struct state_field forgotten[] = {
        STATE_U8(struct sample, status),
        STATE_U64(struct sample, total),
        STATE_U32(struct sample, words),
        STATE_BYTES(struct sample, fifo),
        STATE_ARRAY(struct sample, channel, 2, channel_fields),
        STATE_TIMER(struct sample, timer),
        STATE_SKIP(struct sample, backend, "the host's"),
        STATE_END
};

static const struct state_field doubled[] = {
        STATE_U16(struct channel, count),
        STATE_BOOL(struct channel, gate),
        STATE_U16(struct channel, count),
        STATE_SKIP(struct channel, latch, ""),
        STATE_END
};

static const struct state_field cut[] = {
        STATE_U16(struct channel, count),
        STATE_BOOL(struct channel, gate),
        STATE_END
};

static void expect_finding(const struct state_field *fields, size_t end, const char *what)
{
        char *findings = state_coverage(fields, 0, end);

        ck_assert_ptr_nonnull(findings);
        ck_assert_msg(strstr(findings, what) != NULL, "\"%s\" does not tell \"%s\"", findings, what);
        g_free(findings);
}

START_TEST(forgotten_and_doubled_fields_are_found)
{
        expect_finding(forgotten, sizeof(struct sample), "bytes 16 to 23, before words, are in no field");
        expect_finding(doubled, sizeof(struct channel), "described twice");
        expect_finding(doubled, sizeof(struct channel), "two fields of this name");
        expect_finding(doubled, sizeof(struct channel), "latch: skipped without a reason");
        expect_finding(cut, sizeof(struct channel), "at the end");
        expect_finding(channel_fields, 4, "fields reach byte 8 of 4");
}
END_TEST

START_TEST(a_person_can_read_it)
{
        struct sample sample;
        char *text;

        set_up();
        fill(&sample);
        text = state_describe(sample_fields, &sample);
        ck_assert_ptr_nonnull(strstr(text, "status = 5a\n"));
        ck_assert_ptr_nonnull(strstr(text, "balance = -7\n"));
        ck_assert_ptr_nonnull(strstr(text, "words = 00000000 00001000 00002000\n"));
        ck_assert_ptr_nonnull(strstr(text, "channel[1].gate = yes\n"));
        ck_assert_ptr_nonnull(strstr(text, "timer = 123456789 ns\n"));
        ck_assert_ptr_null(strstr(text, "backend"));
        g_free(text);
        tear_down();
}
END_TEST

struct grown {
        uint8_t old;
        uint8_t young;
        uint16_t youngest;
};

/* A state from before a field was added leaves it as reset made it; in any other place a missing field is damage. */
START_TEST(fields_may_be_added)
{
        static const struct state_field before[] = { STATE_U8(struct grown, old), STATE_END };
        static const struct state_field after[] = {
                STATE_U8(struct grown, old), STATE_ADDED, STATE_U8(struct grown, young), STATE_U16(struct grown, youngest), STATE_END
        };
        struct grown object = { 1, 2, 3 }, loaded = { 9, 8, 7 };
        GByteArray *bytes = g_byte_array_new();
        GError *error = NULL;

        ck_assert_ptr_null(state_coverage(after, 0, sizeof(object)));
        state_save(before, &object, bytes);
        ck_assert(state_load(after, &loaded, bytes->data, bytes->len, NULL));
        ck_assert(loaded.old == 1 && loaded.young == 8 && loaded.youngest == 7);
        g_byte_array_set_size(bytes, 0);
        state_save(after, &object, bytes);
        ck_assert(state_load(after, &loaded, bytes->data, bytes->len, NULL));
        ck_assert(loaded.old == 1 && loaded.young == 2 && loaded.youngest == 3);
        ck_assert(!state_load(before, &loaded, bytes->data, bytes->len, &error));
        g_error_free(error);
        ck_assert(!state_load(after, &loaded, bytes->data + 10, bytes->len - 10, NULL));
        g_byte_array_unref(bytes);
}
END_TEST

UNIT_MAIN("state", fields_may_be_added, what_is_saved_comes_back, the_format_is_fixed, truncation_anywhere_is_an_error, any_byte_may_be_wrong,
          errors_name_the_field, a_full_table_covers, forgotten_and_doubled_fields_are_found, a_person_can_read_it)
