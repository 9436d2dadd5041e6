/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys.c - which connection holds which keys. */
#include "control/keys.h"
#include "machine/manage.h"

struct keys {
        struct machine *machine;
        GHashTable *holders;            /* GDBusConnection * to struct holder * */
};

struct holder {
        GDBusConnection *connection;
        gulong closed;                  /* signal handler */
        GHashTable *names;              /* set of lower-case names, bounded by the keys a keyboard has */
};

static void holder_free(void *opaque)
{
        struct holder *holder = opaque;

        g_signal_handler_disconnect(holder->connection, holder->closed);
        g_object_unref(holder->connection);
        g_hash_table_unref(holder->names);
        g_free(holder);
}

static void holder_closed(GDBusConnection *connection, gboolean remote, GError *error, gpointer opaque)
{
        struct keys *keys = opaque;
        struct holder *holder = g_hash_table_lookup(keys->holders, connection);
        GHashTableIter iter;
        gpointer name;

        (void)remote;
        (void)error;
        g_hash_table_iter_init(&iter, holder->names);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                machine_set_key(keys->machine, name, false, NULL);
        g_hash_table_remove(keys->holders, connection);
}

static struct holder *holder_find(struct keys *keys, GDBusConnection *connection)
{
        struct holder *holder = g_hash_table_lookup(keys->holders, connection);

        if (!holder) {
                holder = g_new0(struct holder, 1);
                holder->connection = g_object_ref(connection);
                holder->closed = g_signal_connect(connection, "closed", G_CALLBACK(holder_closed), keys);
                holder->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
                g_hash_table_insert(keys->holders, connection, holder);
        }
        return holder;
}

bool keys_set(struct keys *keys, GDBusConnection *connection, const char *name, bool down, GError **error)
{
        struct holder *holder;
        char *key;

        if (!machine_set_key(keys->machine, name, down, error))
                return false;
        /* Only names that are keys come here, so the set cannot grow without end. */
        key = g_ascii_strdown(name, -1);
        holder = holder_find(keys, connection);
        if (down) {
                g_hash_table_add(holder->names, key);
        } else {
                g_hash_table_remove(holder->names, key);
                g_free(key);
        }
        return true;
}

struct keys *keys_new(struct machine *machine)
{
        struct keys *keys = g_new0(struct keys, 1);

        keys->machine = machine;
        keys->holders = g_hash_table_new_full(NULL, NULL, NULL, holder_free);
        return keys;
}

void keys_free(struct keys *keys)
{
        g_hash_table_unref(keys->holders);
        g_free(keys);
}
