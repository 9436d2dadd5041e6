/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.h - keys that clients hold down, so that none stays down when its client goes away.
 *
 * Everything happens on the main loop.
 */
#ifndef LODGER_CONTROL_KEYS_H
#define LODGER_CONTROL_KEYS_H

#include <gio/gio.h>
#include <stdbool.h>

struct keys;
struct machine;

struct keys *keys_new(struct machine *machine);
/* Nothing is released: the machine ends too. */
void keys_free(struct keys *keys);
bool keys_set(struct keys *keys, GDBusConnection *connection, const char *name, bool down, GError **error);

#endif
