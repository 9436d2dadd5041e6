/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports.h - the 64 Ki I/O ports.  Every port is registered with a human name.
 *
 * An access that no range covers reads all ones.  An access wider than a range's max_size is split
 * into aligned smaller ones, low address first.  Callbacks run with the machine lock held.
 */
#ifndef LODGER_MEMORY_PORTS_H
#define LODGER_MEMORY_PORTS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/lock.h"

struct ports;
struct port_range;

/* In max_size: wide accesses at odd ports come whole too (the Bochs display's data port). */
enum { PORTS_UNALIGNED = 0x80 };

struct port_ops {
        uint32_t (*read)(void *opaque, uint16_t port, unsigned size);   /* port: the absolute number */
        void (*write)(void *opaque, uint16_t port, uint32_t value, unsigned size);
        uint8_t max_size;       /* 1, 2 or 4; 0 means 1; with PORTS_UNALIGNED perhaps */
};

struct ports *ports_new(struct lock *machine_lock);
void ports_free(struct ports *ports);
/* Later registrations cover earlier ones.  name and ops outlive the range. */
struct port_range *ports_map(struct ports *ports, uint16_t first, unsigned count, const struct port_ops *ops,
                             void *opaque, const char *name);
void ports_move(struct port_range *range, uint16_t first, bool enabled);
void ports_unmap(struct port_range *range);
uint32_t ports_read(struct ports *ports, uint16_t port, unsigned size);         /* takes the lock */
void ports_write(struct ports *ports, uint16_t port, uint32_t value, unsigned size);
char *ports_describe(struct ports *ports);

#endif
