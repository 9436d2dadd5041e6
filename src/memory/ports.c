/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports.c - the 64 Ki I/O ports: who answers at each, and how wide accesses are split.
 *
 * A table gives the topmost range of each port, so that a look-up is one load.  It is rebuilt for
 * the ports a change touches.  Everything here is under the machine lock.
 */
#include <glib.h>

#include "base/log.h"
#include "memory/ports.h"

enum { PORT_COUNT = 0x10000 };

struct port_range {
        struct ports *ports;
        uint32_t first, count;
        bool enabled;
        const struct port_ops *ops;
        void *opaque;
        const char *name;
};

struct ports {
        struct lock *lock;
        GPtrArray *ranges;                      /* in order of registration; later ones cover */
        struct port_range *table[PORT_COUNT];
};

struct ports *ports_new(struct lock *machine_lock)
{
        struct ports *ports = g_new0(struct ports, 1);

        ports->lock = machine_lock;
        ports->ranges = g_ptr_array_new_with_free_func(g_free);
        return ports;
}

void ports_free(struct ports *ports)
{
        if (!ports)
                return;
        g_ptr_array_free(ports->ranges, TRUE);
        g_free(ports);
}

/* End of a range; a BAR near the top is cut off, it does not wrap. */
static uint32_t range_end(const struct port_range *range)
{
        return MIN(range->first + range->count, PORT_COUNT);
}

/* Fills the table anew for ports [first, end). */
static void table_update(struct ports *ports, uint32_t first, uint32_t end)
{
        for (uint32_t port = first; port < end; port++)
                ports->table[port] = NULL;
        for (guint i = 0; i < ports->ranges->len; i++) {
                struct port_range *range = g_ptr_array_index(ports->ranges, i);
                if (!range->enabled)
                        continue;
                for (uint32_t port = MAX(first, range->first); port < MIN(end, range_end(range)); port++)
                        ports->table[port] = range;
        }
}

struct port_range *ports_map(struct ports *ports, uint16_t first, unsigned count, const struct port_ops *ops,
                             void *opaque, const char *name)
{
        struct port_range *range = g_new0(struct port_range, 1);

        g_assert(count && count <= PORT_COUNT);
        range->ports = ports;
        range->first = first;
        range->count = count;
        range->enabled = true;
        range->ops = ops;
        range->opaque = opaque;
        range->name = name;
        g_ptr_array_add(ports->ranges, range);
        table_update(ports, range->first, range_end(range));
        return range;
}

void ports_move(struct port_range *range, uint16_t first, bool enabled)
{
        uint32_t old_first = range->first, old_end = range_end(range);

        range->first = first;
        range->enabled = enabled;
        table_update(range->ports, old_first, old_end);
        table_update(range->ports, range->first, range_end(range));
}

void ports_unmap(struct port_range *range)
{
        struct ports *ports = range->ports;
        uint32_t first = range->first, end = range_end(range);

        g_ptr_array_remove(ports->ranges, range);
        table_update(ports, first, end);
}

/* -- Access ------------------------------------------------------------------------------------ */

/* Size of the next piece of an access at port: naturally aligned, within left, within what answers. */
static unsigned piece_size(const struct port_range *range, uint16_t port, unsigned left)
{
        unsigned takes = range ? range->ops->max_size : 1, size = MAX(takes & ~(unsigned)PORTS_UNALIGNED, 1);
        bool aligned = !(takes & PORTS_UNALIGNED);

        while (size > left || (aligned && port % size) || (uint32_t)port + size > (range ? range_end(range) : PORT_COUNT))
                size /= 2;
        return size;
}

static uint32_t ones(unsigned size)
{
        return size >= 4 ? UINT32_MAX : (1u << (size * 8)) - 1;
}

uint32_t ports_read(struct ports *ports, uint16_t port, unsigned size)
{
        uint32_t value = 0;

        lock_acquire(ports->lock);
        /* An access past port FFFFh wraps, as the 16-bit address does. */
        for (unsigned done = 0; done < size;) {
                uint16_t at = (uint16_t)(port + done);
                const struct port_range *range = ports->table[at];
                unsigned piece = piece_size(range, at, size - done);
                uint32_t part = range && range->ops->read ? range->ops->read(range->opaque, at, piece) : UINT32_MAX;
                value |= (part & ones(piece)) << (done * 8);
                done += piece;
        }
        lock_release(ports->lock);
        TRACE(IO, "in %04x/%u = %#x", port, size, value);
        return value;
}

void ports_write(struct ports *ports, uint16_t port, uint32_t value, unsigned size)
{
        TRACE(IO, "out %04x/%u = %#x", port, size, value & ones(size));
        lock_acquire(ports->lock);
        for (unsigned done = 0; done < size;) {
                uint16_t at = (uint16_t)(port + done);
                const struct port_range *range = ports->table[at];
                unsigned piece = piece_size(range, at, size - done);
                if (range && range->ops->write)
                        range->ops->write(range->opaque, at, (value >> (done * 8)) & ones(piece), piece);
                done += piece;
        }
        lock_release(ports->lock);
}

char *ports_describe(struct ports *ports)
{
        GString *text = g_string_new(NULL);

        for (uint32_t port = 0; port < PORT_COUNT;) {
                const struct port_range *range = ports->table[port];
                uint32_t first = port;
                while (port < PORT_COUNT && ports->table[port] == range)
                        port++;
                if (range)
                        g_string_append_printf(text, "%04x-%04x %s\n", first, port - 1, range->name);
        }
        return g_string_free(text, FALSE);
}
