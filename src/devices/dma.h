/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dma.h - a channel of the ISA DMA controllers, as the device at its other end uses it. */
#ifndef LODGER_DEVICES_DMA_H
#define LODGER_DEVICES_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct isa_dma {
        /* DREQ: moves up to `size` bytes between the device and memory; how many is the answer (0: the channel
         * is masked or set for the other direction).  *terminal: the channel's count ran out (TC). */
        size_t (*transfer)(void *opaque, unsigned channel, uint8_t *bytes, size_t size, bool to_memory, bool *terminal);
        void *opaque;
        unsigned channel;
};

static inline size_t isa_dma_transfer(const struct isa_dma *dma, uint8_t *bytes, size_t size, bool to_memory, bool *terminal)
{
        *terminal = false;
        return dma->transfer ? dma->transfer(dma->opaque, dma->channel, bytes, size, to_memory, terminal) : 0;
}

#endif
