/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fields.c - the records of a device's state as text.
 *
 * Records say their own types and lengths (src/base/state.c), so those of devices that this build does not
 * have can be shown too.
 */
#include <string.h>

#include "base/state.h"
#include "snapshot/fields.h"
#include "snapshot/format.h"

enum { SHOWN_NUMBERS = 16, SHOWN_BYTES = 32, DEPTH_MAX = 8 };

static unsigned number_bytes(unsigned type)
{
        switch (type) {
        case STATE_TYPE_BOOL:
        case STATE_TYPE_U8:
                return 1;
        case STATE_TYPE_U16:
                return 2;
        case STATE_TYPE_U32:
                return 4;
        case STATE_TYPE_U64:
        case STATE_TYPE_S64:
        case STATE_TYPE_TIMER:
                return 8;
        default:
                return 0;
        }
}

static void append_number(GString *to, unsigned type, const uint8_t *at, unsigned bytes)
{
        uint64_t value = 0;

        memcpy(&value, at, bytes);
        value = GUINT64_FROM_LE(value);
        if (type == STATE_TYPE_BOOL)
                g_string_append(to, value ? "true" : "false");
        else if (type == STATE_TYPE_TIMER && (int64_t)value < 0)
                g_string_append(to, "not set");
        else if (type == STATE_TYPE_TIMER || type == STATE_TYPE_S64)
                g_string_append_printf(to, "%" G_GINT64_FORMAT, (gint64)value);
        else
                g_string_append_printf(to, "%#" G_GINT64_MODIFIER "x", value);
}

/* Long values are cut, and the rest stands for itself by a checksum that a comparison sees. */
static void append_rest(GString *to, const uint8_t *bytes, size_t size)
{
        char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, size);

        g_string_append_printf(to, " ... (%zu bytes, SHA-256 %.16s)", size, sum);
        g_free(sum);
}

static void add_value(GPtrArray *lines, const char *name, unsigned type, const uint8_t *bytes, size_t size)
{
        GString *text = g_string_new(NULL);
        unsigned width = number_bytes(type);

        g_string_append_printf(text, "%s =", name);
        if (width && size % width == 0) {
                for (size_t i = 0; i < size / width && i < SHOWN_NUMBERS; i++) {
                        g_string_append_c(text, ' ');
                        append_number(text, type, bytes + i * width, width);
                }
                if (size / width > SHOWN_NUMBERS)
                        append_rest(text, bytes, size);
        } else {
                g_string_append_c(text, ' ');
                for (size_t i = 0; i < size && i < SHOWN_BYTES; i++)
                        g_string_append_printf(text, "%02x", bytes[i]);
                if (size > SHOWN_BYTES)
                        append_rest(text, bytes, size);
        }
        g_ptr_array_add(lines, g_string_free(text, FALSE));
}

static bool add_records(GPtrArray *lines, const char *prefix, const uint8_t *at, size_t size, unsigned depth);

/* Elements of a field of structs: a length and records, each. */
static bool add_structs(GPtrArray *lines, const char *name, const uint8_t *at, size_t size, unsigned depth)
{
        for (unsigned i = 0; size; i++) {
                char *prefix = g_strdup_printf("%s[%u].", name, i);
                uint32_t length = size < 4 ? UINT32_MAX : get_le32(at);
                bool ok = size >= 4 && length <= size - 4 && add_records(lines, prefix, at + 4, length, depth + 1);

                g_free(prefix);
                if (!ok)
                        return false;
                at += 4 + length;
                size -= 4 + length;
        }
        return true;
}

static bool add_records(GPtrArray *lines, const char *prefix, const uint8_t *at, size_t size, unsigned depth)
{
        while (size) {
                size_t name_length = at[0], length;
                char *raw, *shown, *name;
                bool ok = true;

                if (depth > DEPTH_MAX || size < name_length + 6)
                        return false;
                length = get_le32(at + name_length + 2);
                if (length > size - name_length - 6)
                        return false;
                raw = g_strndup((const char *)at + 1, name_length);
                shown = g_strescape(raw, NULL);
                name = g_strconcat(prefix, shown, NULL);
                if (at[1 + name_length] == STATE_TYPE_STRUCT)
                        ok = add_structs(lines, name, at + name_length + 6, length, depth);
                else
                        add_value(lines, name, at[1 + name_length], at + name_length + 6, length);
                g_free(name);
                g_free(shown);
                g_free(raw);
                if (!ok)
                        return false;
                at += name_length + 6 + length;
                size -= name_length + 6 + length;
        }
        return true;
}

GPtrArray *snapshot_fields(const uint8_t *state, size_t bytes)
{
        GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

        if (!add_records(lines, "", state, bytes, 0))
                g_ptr_array_add(lines, g_strdup("(damaged from here on)"));
        return lines;
}
