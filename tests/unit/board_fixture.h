/* SPDX-License-Identifier: GPL-2.0-or-later */
/* board_fixture.h - memory, ports, a clock and a lock for devices under test; notes what they request. */
#ifndef LODGER_TESTS_BOARD_FIXTURE_H
#define LODGER_TESTS_BOARD_FIXTURE_H

#include <string.h>
#include "devices/device.h"
#include "unit.h"

struct board {
        struct lock lock;
        struct clock *clock;
        struct memory *memory;
        struct ports *ports;
        struct device_env env;
        unsigned requests[MACHINE_FERR_CLEAR + 1];      /* how often each was made */
        bool level[16];                                 /* of wires made by board_wire() */
        unsigned edges[16];
};

static inline void board_request(void *opaque, enum machine_request request, int argument)
{
        (void)argument;
        ((struct board *)opaque)->requests[request]++;
}

static inline void board_wire_set(void *opaque, int line, bool level)
{
        struct board *board = opaque;

        board->edges[line] += level && !board->level[line];
        board->level[line] = level;
}

static inline struct irq board_wire(struct board *board, int line)
{
        return (struct irq){ board_wire_set, board, line };
}

static inline void board_begin(struct board *board)
{
        memset(board, 0, sizeof(*board));
        lock_init(&board->lock, LOCK_RANK_MACHINE, "test");
        board->clock = clock_new(&board->lock);
        board->memory = memory_new(16 << 20, &board->lock, NULL);
        board->ports = ports_new(&board->lock);
        board->env = (struct device_env){ board->memory, board->ports, board->clock, &board->lock, board_request, board };
        lock_acquire(&board->lock);
        memory_map_ram(board->memory, 0, 0, 0xa0000, false, 0, "low RAM");
        memory_map_ram(board->memory, 0x100000, 0x100000, 15 << 20, false, 0, "RAM");
        lock_release(&board->lock);
}

static inline void board_end(struct board *board, struct device *device)
{
        lock_acquire(&board->lock);
        device_free(device);
        lock_release(&board->lock);
        ports_free(board->ports);
        memory_free(board->memory);
        clock_free(board->clock);
        lock_destroy(&board->lock);
}

static inline void board_start(struct board *board, struct device *device)
{
        lock_acquire(&board->lock);
        ck_assert(device_start(device, NULL));
        lock_release(&board->lock);
}

static inline uint32_t in(struct board *board, uint16_t port, unsigned size)
{
        return ports_read(board->ports, port, size);
}

static inline void out(struct board *board, uint16_t port, uint32_t value, unsigned size)
{
        ports_write(board->ports, port, value, size);
}

#endif
