/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * info.c - the INFO section: records as in a device's state (src/base/state.c), in any order.
 */
#include <string.h>

#include "base/state.h"
#include "snapshot/info.h"

struct info_field {
        const char *name;
        enum state_type type;           /* BYTES: text in UTF-8; U64 */
        size_t offset;
        bool required;
};

#define TEXT(member, required) { #member, STATE_TYPE_BYTES, offsetof(struct snapshot_info, member), required }
#define NUMBER(member, required) { #member, STATE_TYPE_U64, offsetof(struct snapshot_info, member), required }

static const struct info_field fields[] = {
        TEXT(name, false), TEXT(description, false), TEXT(machine, true), TEXT(version, false), TEXT(engine, false),
        TEXT(cpu_model, true), TEXT(ancestors, false), TEXT(base, false), TEXT(disks, false),
        NUMBER(created_us, true), NUMBER(virtual_ns, true),
        NUMBER(memory_bytes, true), NUMBER(file_bytes, true), NUMBER(cpus, true), NUMBER(tsc_hz, false),
};

static char **text_of(struct snapshot_info *info, const struct info_field *field)
{
        return (char **)((char *)info + field->offset);
}

static uint64_t *number_of(struct snapshot_info *info, const struct info_field *field)
{
        return (uint64_t *)((char *)info + field->offset);
}

void snapshot_info_clear(struct snapshot_info *info)
{
        for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
                if (fields[i].type == STATE_TYPE_BYTES)
                        g_clear_pointer(text_of(info, &fields[i]), g_free);
}

GByteArray *snapshot_info_encode(const struct snapshot_info *info)
{
        GByteArray *to = g_byte_array_new();

        for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
                const struct info_field *field = &fields[i];
                struct snapshot_info copy = *info;
                uint8_t number[8], head[6], name_length = (uint8_t)strlen(field->name);
                const uint8_t *bytes = number;
                size_t length = 8;

                if (field->type == STATE_TYPE_U64) {
                        put_le64(number, *number_of(&copy, field));
                } else {
                        bytes = (const uint8_t *)(*text_of(&copy, field) ? *text_of(&copy, field) : "");
                        length = strlen((const char *)bytes);
                }
                g_byte_array_append(to, &name_length, 1);
                g_byte_array_append(to, (const guint8 *)field->name, name_length);
                head[0] = (uint8_t)field->type;
                put_le32(head + 1, (uint32_t)length);
                g_byte_array_append(to, head, 5);
                g_byte_array_append(to, bytes, (guint)length);
        }
        return to;
}

static bool info_damaged(GError **error, const char *field, const char *what)
{
        g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_DAMAGED, "INFO: %s: %s", field, what);
        return false;
}

static bool info_take(struct snapshot_info *info, const struct info_field *field, unsigned type, const uint8_t *bytes,
                      uint32_t length, GError **error)
{
        if (type != field->type)
                return info_damaged(error, field->name, "of another type");
        if (field->type == STATE_TYPE_U64) {
                if (length != 8)
                        return info_damaged(error, field->name, "not eight bytes");
                *number_of(info, field) = get_le64(bytes);
                return true;
        }
        if (!g_utf8_validate_len((const char *)bytes, length, NULL))
                return info_damaged(error, field->name, "not UTF-8");
        g_free(*text_of(info, field));
        *text_of(info, field) = g_strndup((const char *)bytes, length);
        return true;
}

bool snapshot_info_decode(struct snapshot_info *info, const uint8_t *bytes, size_t size, GError **error)
{
        uint32_t seen = 0;

        memset(info, 0, sizeof(*info));
        while (size) {
                size_t name_length = bytes[0];
                const char *name = (const char *)bytes + 1;
                uint32_t length;

                if (size < 1 + name_length + 5)
                        return info_damaged(error, "record", "cut short");
                length = get_le32(bytes + name_length + 2);
                if (length > size - (name_length + 6))
                        return info_damaged(error, "record", "cut short");
                for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
                        if (strlen(fields[i].name) != name_length || memcmp(fields[i].name, name, name_length))
                                continue;
                        if (seen & 1u << i)
                                return info_damaged(error, fields[i].name, "there twice");
                        seen |= 1u << i;
                        if (!info_take(info, &fields[i], bytes[1 + name_length], bytes + name_length + 6, length, error))
                                return false;
                }
                bytes += name_length + 6 + length;
                size -= name_length + 6 + length;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
                if (fields[i].required && !(seen & 1u << i))
                        return info_damaged(error, fields[i].name, "missing");
                if (fields[i].type == STATE_TYPE_BYTES && !*text_of(info, &fields[i]))
                        *text_of(info, &fields[i]) = g_strdup("");
        }
        return true;
}
