/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.c - what can be done with a state table: save, load, check coverage, show.
 *
 * Format.  All numbers are little-endian and unaligned.  A struct is a sequence of records
 *
 *      u8 name_length, name (no terminator), u8 type (enum state_type), u32 length, payload
 *
 * in table order, one for each field that is not a skip.  The payload of a field of numbers is its
 * elements; of a timer, a 64-bit deadline in virtual ns, -1 when not set; of a field of structs, for
 * each element a u32 length and that many bytes of records.  enum state_type is therefore part of the
 * format: new types go to its end.
 *
 * Loading walks the bytes twice, first judging and then storing, so that a bad buffer changes nothing.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/state.h"

/* A file could otherwise not be read back by a build that numbers types differently. */
static_assert(STATE_TYPE_BOOL == 1 && STATE_TYPE_S64 == 6 && STATE_TYPE_TIMER == 9, "types are stored by number");

G_DEFINE_QUARK(lodger-state-error-quark, state_error)

/* Names are "outer.inner[2].field" in messages. */
enum { PATH_BYTES = 256 };

static const uint8_t *element_at(const struct state_field *field, const void *object, uint32_t index)
{
        return (const uint8_t *)object + field->offset + (size_t)index * field->size;
}

/* Bytes of one element as stored; 0 for structs, whose length varies. */
static uint32_t stored_size(const struct state_field *field)
{
        switch (field->type) {
        case STATE_TYPE_TIMER:
                return 8;
        case STATE_TYPE_STRUCT:
                return 0;
        default:
                return field->size;
        }
}

/* -- Save -------------------------------------------------------------------------------------- */

static void put_number(GByteArray *to, uint64_t value, unsigned size)
{
        uint8_t bytes[8];

        for (unsigned i = 0; i < size; i++)
                bytes[i] = (uint8_t)(value >> (8 * i));
        g_byte_array_append(to, bytes, size);
}

/* Overwrites the u32 at offset with the number of bytes that follow it. */
static void patch_length(GByteArray *to, guint offset)
{
        uint32_t length = to->len - offset - 4;

        for (unsigned i = 0; i < 4; i++)
                to->data[offset + i] = (uint8_t)(length >> (8 * i));
}

static uint64_t get_element(const struct state_field *field, const void *element)
{
        uint64_t value = 0;

        switch (field->type) {
        case STATE_TYPE_BOOL:
                return *(const bool *)element;
        case STATE_TYPE_TIMER:
                return (uint64_t)((const struct timer *)element)->deadline_ns;
        default:
                memcpy(&value, element, field->size);   /* the host is little-endian */
                return value;
        }
}

void state_save(const struct state_field *fields, const void *object, GByteArray *to)
{
        for (const struct state_field *field = fields; field->type != STATE_TYPE_END; field++) {
                size_t name_length = strlen(field->name);
                guint length_at;

                if (field->type == STATE_TYPE_SKIP || field->type == STATE_TYPE_ADDED)
                        continue;
                assert(name_length <= UINT8_MAX);
                put_number(to, name_length, 1);
                g_byte_array_append(to, (const guint8 *)field->name, (guint)name_length);
                put_number(to, field->type, 1);
                length_at = to->len;
                put_number(to, 0, 4);
                if (field->type == STATE_TYPE_BYTES) {
                        g_byte_array_append(to, element_at(field, object, 0), field->count);
                } else for (uint32_t i = 0; i < field->count; i++) {
                        const uint8_t *element = element_at(field, object, i);

                        if (field->type == STATE_TYPE_STRUCT) {
                                guint element_length_at = to->len;

                                put_number(to, 0, 4);
                                state_save(field->fields, element, to);
                                patch_length(to, element_length_at);
                        } else {
                                put_number(to, get_element(field, element), stored_size(field));
                        }
                }
                patch_length(to, length_at);
        }
}

/* -- Load -------------------------------------------------------------------------------------- */

struct reader {
        const uint8_t *next, *end;
};

static bool get_number(struct reader *reader, unsigned size, uint64_t *value)
{
        if ((size_t)(reader->end - reader->next) < size)
                return false;
        *value = 0;
        for (unsigned i = 0; i < size; i++)
                *value |= (uint64_t)*reader->next++ << (8 * i);
        return true;
}

/* Splits the next size bytes off as a reader of their own. */
static bool get_part(struct reader *reader, uint64_t size, struct reader *part)
{
        if ((uint64_t)(reader->end - reader->next) < size)
                return false;
        part->next = reader->next;
        part->end = reader->next += size;
        return true;
}

static void store_element(const struct state_field *field, void *element, uint64_t value)
{
        switch (field->type) {
        case STATE_TYPE_BOOL:
                *(bool *)element = value;
                break;
        case STATE_TYPE_TIMER:
                /* A timer without a clock belongs to a device that has not been created yet. */
                if (((struct timer *)element)->clock == NULL)
                        ((struct timer *)element)->deadline_ns = -1;
                else if ((int64_t)value < 0)
                        timer_cancel(element);
                else
                        timer_set(element, (int64_t)value);
                break;
        default:
                memcpy(element, &value, field->size);
                break;
        }
}

static bool load_fields(const struct state_field *fields, void *object, struct reader *reader, const char *path,
                        GError **error);

static bool load_field(const struct state_field *field, void *object, struct reader *payload, const char *path,
                       GError **error)
{
        for (uint32_t i = 0; i < field->count; i++) {
                void *element = object ? (void *)element_at(field, object, i) : NULL;
                uint64_t value;

                if (field->type == STATE_TYPE_STRUCT) {
                        char inner[PATH_BYTES];
                        struct reader part;

                        if (!get_number(payload, 4, &value) || !get_part(payload, value, &part)) {
                                g_set_error(error, STATE_ERROR, STATE_ERROR_TRUNCATED, "%s[%u]: cut short", path, i);
                                return false;
                        }
                        g_snprintf(inner, sizeof(inner), "%s[%u].", path, i);
                        if (!load_fields(field->fields, element, &part, inner, error))
                                return false;
                        continue;
                }
                if (!get_number(payload, stored_size(field), &value)) {
                        g_set_error(error, STATE_ERROR, STATE_ERROR_TRUNCATED, "%s: cut short", path);
                        return false;
                }
                if ((field->type == STATE_TYPE_BOOL && value > 1) ||
                    (field->type == STATE_TYPE_TIMER && (int64_t)value < -1)) {
                        g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s: impossible value %" PRIu64, path, value);
                        return false;
                }
                if (element != NULL)
                        store_element(field, element, value);
        }
        if (payload->next != payload->end) {
                g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s: longer than %u elements", path, field->count);
                return false;
        }
        return true;
}

/* Whether the next record is of that name. */
static bool next_is(const struct reader *reader, const char *name)
{
        size_t length = strlen(name);

        return reader->next < reader->end && *reader->next == length && (size_t)(reader->end - reader->next) > length &&
               !memcmp(reader->next + 1, name, length);
}

/* object NULL: judge only.  path: what stands before a field's name in messages. */
static bool load_fields(const struct state_field *fields, void *object, struct reader *reader, const char *path,
                        GError **error)
{
        bool added = false;

        for (const struct state_field *field = fields; field->type != STATE_TYPE_END; field++) {
                char name[PATH_BYTES];
                struct reader stored_name, payload;
                uint64_t length, type;

                if (field->type == STATE_TYPE_ADDED)
                        added = true;
                if (field->type == STATE_TYPE_SKIP || field->type == STATE_TYPE_ADDED || (added && !next_is(reader, field->name)))
                        continue;
                g_snprintf(name, sizeof(name), "%s%s", path, field->name);
                if (!get_number(reader, 1, &length) || !get_part(reader, length, &stored_name) ||
                    !get_number(reader, 1, &type) || !get_number(reader, 4, &length) ||
                    !get_part(reader, length, &payload)) {
                        g_set_error(error, STATE_ERROR, STATE_ERROR_TRUNCATED, "%s: cut short", name);
                        return false;
                }
                length = (uint64_t)(stored_name.end - stored_name.next);
                if (length != strlen(field->name) || memcmp(stored_name.next, field->name, length) != 0) {
                        char *raw = g_strndup((const char *)stored_name.next, length);
                        char *found = g_strescape(raw, NULL);

                        g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s: found \"%s\" in its place", name, found);
                        g_free(found);
                        g_free(raw);
                        return false;
                }
                if (type != field->type) {
                        g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s: of type %u, not %u", name,
                                    (unsigned)type, field->type);
                        return false;
                }
                if (!load_field(field, object, &payload, name, error))
                        return false;
        }
        if (reader->next != reader->end) {
                g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s%zu bytes after the last field", path,
                            (size_t)(reader->end - reader->next));
                return false;
        }
        return true;
}

bool state_load(const struct state_field *fields, void *object, const uint8_t *bytes, size_t size, GError **error)
{
        struct reader reader;

        if (!size)
                bytes = (const uint8_t *)"";    /* a table without saved fields saves nothing, perhaps at NULL */
        reader = (struct reader){ bytes, bytes + size };
        if (!load_fields(fields, NULL, &reader, "", error))
                return false;
        reader.next = bytes;
        return load_fields(fields, object, &reader, "", error);
}

/* -- Coverage ---------------------------------------------------------------------------------- */

static size_t lowest_bit(size_t value)
{
        return value & -value;
}

/* The largest alignment the field's type can have asked for.  Of a skipped member only offset and
 * size are known, both multiples of its alignment. */
static size_t field_alignment(const struct state_field *field)
{
        size_t alignment = 1;

        switch (field->type) {
        case STATE_TYPE_STRUCT:
                for (const struct state_field *sub = field->fields; sub->type != STATE_TYPE_END; sub++)
                        alignment = MAX(alignment, field_alignment(sub));
                return alignment;
        case STATE_TYPE_TIMER:
                return _Alignof(struct timer);
        case STATE_TYPE_BYTES:
                /* May be declared aligned (an XSAVE image). */
                return field->count >= 64 ? MIN(lowest_bit(field->offset | 64), 64) : 1;
        case STATE_TYPE_SKIP:
                return MIN(lowest_bit(field->offset | field->size | 64), 64);
        default:
                return field->size;
        }
}

static int by_offset(const void *a, const void *b)
{
        const struct state_field *left = *(const struct state_field *const *)a;
        const struct state_field *right = *(const struct state_field *const *)b;

        return (left->offset > right->offset) - (left->offset < right->offset);
}

static void cover(const struct state_field *fields, size_t start, size_t end, const char *path, GString *findings)
{
        const struct state_field **sorted;
        size_t rows = 0, count = 0, next = start, struct_alignment = 1;

        while (fields[rows].type != STATE_TYPE_END)
                rows++;
        sorted = g_new(const struct state_field *, rows + 1);
        for (size_t i = 0; i < rows; i++)
                if (fields[i].type != STATE_TYPE_ADDED)
                        sorted[count++] = &fields[i];
        qsort(sorted, count, sizeof(*sorted), by_offset);

        for (size_t i = 0; i < count; i++) {
                const struct state_field *field = sorted[i];
                size_t alignment = field_alignment(field);
                size_t aligned = (next + alignment - 1) / alignment * alignment;

                struct_alignment = MAX(struct_alignment, alignment);
                if (field->offset < next)
                        g_string_append_printf(findings, "%s%s: bytes %u to %zu are described twice\n", path, field->name,
                                               field->offset, next - 1);
                else if (field->offset > aligned)
                        g_string_append_printf(findings, "%s: bytes %zu to %u, before %s, are in no field\n", path, next,
                                               field->offset - 1, field->name);
                next = MAX(next, field->offset + (size_t)field->size * field->count);
                if (field->type == STATE_TYPE_SKIP && (field->reason == NULL || *field->reason == '\0'))
                        g_string_append_printf(findings, "%s%s: skipped without a reason\n", path, field->name);
                if (field->type == STATE_TYPE_STRUCT) {
                        char *inner = g_strdup_printf("%s%s.", path, field->name);

                        cover(field->fields, 0, field->size, inner, findings);
                        g_free(inner);
                }
                for (size_t j = 0; j < i; j++) {
                        if (strcmp(sorted[j]->name, field->name) == 0)
                                g_string_append_printf(findings, "%s%s: two fields of this name\n", path, field->name);
                }
        }
        if (next > end)
                g_string_append_printf(findings, "%s: fields reach byte %zu of %zu\n", path, next, end);
        else if (end - next >= struct_alignment)
                g_string_append_printf(findings, "%s: bytes %zu to %zu, at the end, are in no field\n", path, next, end - 1);
        g_free(sorted);
}

char *state_coverage(const struct state_field *fields, size_t start, size_t end)
{
        GString *findings = g_string_new(NULL);

        cover(fields, start, end, "", findings);
        return g_string_free(findings, findings->len == 0);
}

/* -- Show -------------------------------------------------------------------------------------- */

/* Elements of a byte area shown before the rest is only counted. */
enum { BYTES_SHOWN = 32 };

static void describe(const struct state_field *fields, const void *object, const char *path, GString *text)
{
        for (const struct state_field *field = fields; field->type != STATE_TYPE_END; field++) {
                if (field->type == STATE_TYPE_SKIP || field->type == STATE_TYPE_ADDED)
                        continue;
                if (field->type == STATE_TYPE_STRUCT) {
                        for (uint32_t i = 0; i < field->count; i++) {
                                char *inner = field->count == 1 ? g_strdup_printf("%s%s.", path, field->name)
                                                                : g_strdup_printf("%s%s[%u].", path, field->name, i);

                                describe(field->fields, element_at(field, object, i), inner, text);
                                g_free(inner);
                        }
                        continue;
                }
                g_string_append_printf(text, "%s%s =", path, field->name);
                for (uint32_t i = 0; i < field->count; i++) {
                        uint64_t value = get_element(field, element_at(field, object, i));

                        if (field->type == STATE_TYPE_BYTES && i == BYTES_SHOWN) {
                                g_string_append_printf(text, " ... (%u bytes)", field->count);
                                break;
                        }
                        if (field->type == STATE_TYPE_BOOL)
                                g_string_append(text, value ? " yes" : " no");
                        else if (field->type == STATE_TYPE_S64)
                                g_string_append_printf(text, " %" PRId64, (int64_t)value);
                        else if (field->type == STATE_TYPE_TIMER && (int64_t)value < 0)
                                g_string_append(text, " not set");
                        else if (field->type == STATE_TYPE_TIMER)
                                g_string_append_printf(text, " %" PRId64 " ns", (int64_t)value);
                        else
                                g_string_append_printf(text, " %0*" PRIx64, 2 * (int)field->size, value);
                }
                g_string_append_c(text, '\n');
        }
}

char *state_describe(const struct state_field *fields, const void *object)
{
        GString *text = g_string_new(NULL);

        describe(fields, object, "", text);
        return g_string_free(text, FALSE);
}
