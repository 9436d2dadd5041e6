/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - tables that describe the saved fields of a struct.
 *
 * A table names every byte of a struct: saved fields with type and count, and skips with the reason
 * why they are not saved.  The coverage test checks that they tile the struct (padding aside).
 * Values are written little-endian, by name; a table never contains host pointers.
 */
#ifndef LODGER_BASE_STATE_H
#define LODGER_BASE_STATE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum state_type {
        STATE_TYPE_END, STATE_TYPE_BOOL, STATE_TYPE_U8, STATE_TYPE_U16, STATE_TYPE_U32, STATE_TYPE_U64,
        STATE_TYPE_S64,
        STATE_TYPE_BYTES,       /* opaque bytes, count of them */
        STATE_TYPE_STRUCT,      /* count structs described by fields */
        STATE_TYPE_TIMER,       /* struct timer: its deadline in virtual ns */
        STATE_TYPE_SKIP,
        STATE_TYPE_ADDED,       /* a row of its own: STATE_ADDED */
};

struct state_field {
        const char *name;
        enum state_type type;
        uint32_t offset;
        uint32_t size;                          /* of one element */
        uint32_t count;
        const struct state_field *fields;       /* STRUCT */
        const char *reason;                     /* SKIP */
};

#define STATE_FIELD_(s, m, t, ctype, n, sub, why) \
        { #m, STATE_TYPE_##t, offsetof(s, m), sizeof(ctype), (n), (sub), (why) }
#define STATE_MEMBER_(s, m) ((s *)0)->m
#define STATE_BOOL(s, m) STATE_FIELD_(s, m, BOOL, bool, sizeof(STATE_MEMBER_(s, m)) / sizeof(bool), NULL, NULL)
#define STATE_U8(s, m) STATE_FIELD_(s, m, U8, uint8_t, sizeof(STATE_MEMBER_(s, m)), NULL, NULL)
#define STATE_U16(s, m) STATE_FIELD_(s, m, U16, uint16_t, sizeof(STATE_MEMBER_(s, m)) / 2, NULL, NULL)
#define STATE_U32(s, m) STATE_FIELD_(s, m, U32, uint32_t, sizeof(STATE_MEMBER_(s, m)) / 4, NULL, NULL)
#define STATE_U64(s, m) STATE_FIELD_(s, m, U64, uint64_t, sizeof(STATE_MEMBER_(s, m)) / 8, NULL, NULL)
#define STATE_S64(s, m) STATE_FIELD_(s, m, S64, int64_t, sizeof(STATE_MEMBER_(s, m)) / 8, NULL, NULL)
#define STATE_BYTES(s, m) STATE_FIELD_(s, m, BYTES, uint8_t, sizeof(STATE_MEMBER_(s, m)), NULL, NULL)
#define STATE_STRUCT(s, m, sub) STATE_FIELD_(s, m, STRUCT, STATE_MEMBER_(s, m), 1, sub, NULL)
#define STATE_ARRAY(s, m, n, sub) STATE_FIELD_(s, m, STRUCT, STATE_MEMBER_(s, m)[0], n, sub, NULL)
#define STATE_TIMER(s, m) STATE_FIELD_(s, m, TIMER, STATE_MEMBER_(s, m), 1, NULL, NULL)
#define STATE_SKIP(s, m, why) STATE_FIELD_(s, m, SKIP, STATE_MEMBER_(s, m), 1, NULL, why)
/* The fields that follow were added after the first release: a state that lacks them is an older one, and leaves
 * them as they are, which is as reset made them.  New fields go to the end of their table. */
#define STATE_ADDED { "", STATE_TYPE_ADDED, UINT32_MAX, 0, 0, NULL, NULL }
#define STATE_END { NULL, STATE_TYPE_END, 0, 0, 0, NULL, NULL }

/* Appends the saved fields of *object (state.c describes the format). */
void state_save(const struct state_field *fields, const void *object, GByteArray *to);
/* Reads what state_save() wrote for the same table.  Bytes are taken to be hostile: false, with the
 * field named in *error and *object untouched, when they are cut short, of another type or length, or
 * lack, repeat or add a field.  Values are not judged: that is post_load's affair. */
bool state_load(const struct state_field *fields, void *object, const uint8_t *bytes, size_t size, GError **error);
/* NULL when the fields tile bytes [start, end) of their struct, alignment padding aside; else what
 * they leave out or describe twice, one finding a line (caller frees).  start: sizeof(struct device)
 * for a device's own table. */
char *state_coverage(const struct state_field *fields, size_t start, size_t end);
/* Field names and values, one a line, for people (info); caller frees. */
char *state_describe(const struct state_field *fields, const void *object);

#define STATE_ERROR state_error_quark()
GQuark state_error_quark(void);
enum state_error { STATE_ERROR_TRUNCATED, STATE_ERROR_MISMATCH };

#endif
