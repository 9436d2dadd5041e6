/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fields.h - the records of a device's state as text, without its table: for people, and to compare. */
#ifndef LODGER_SNAPSHOT_FIELDS_H
#define LODGER_SNAPSHOT_FIELDS_H

#include <glib.h>
#include <stdint.h>

/* Lines "name = value", of char *, freed with the array.  What is damaged ends the list with a line that says so. */
GPtrArray *snapshot_fields(const uint8_t *state, size_t bytes);

#endif
