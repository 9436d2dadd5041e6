/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_bench.h - a machine around one device of any class, for the fuzz target of registers.
 *
 * 1 MiB of RAM, a clock that stands still, the PCI bus where the class needs it, with its BARs assigned and its command
 * register on, and on the host's side what the class is made for: disks, CDs, a floppy and its DMA, a cable, a line.
 */
#ifndef LODGER_TESTS_DEVICE_BENCH_H
#define LODGER_TESTS_DEVICE_BENCH_H

#include "block/block.h"
#include "devices/device.h"
#include "devices/input/input.h"
#include "net/net.h"

enum { BENCH_RAM_BYTES = 1 << 20, BENCH_RAM_USED = 0xa0000, BENCH_PLACES_MAX = 64, BENCH_IMAGES_MAX = 4 };

struct place {
        bool memory;
        uint64_t first, last;
};

struct bench {
        struct lock lock;
        struct memory *memory;
        struct ports *ports;
        struct clock *clock;
        struct device_env env;
        struct device *device, *bus, *dma;
        struct block *images[BENCH_IMAGES_MAX];        /* the device closes them */
        struct net *net;
        struct serial_backend *line;
        struct input *input;
        struct place places[BENCH_PLACES_MAX];
        unsigned image_count, place_count;
};

void bench_open(struct bench *bench, const struct device_class *class);
void bench_close(struct bench *bench);
/* Where the device's registers are now: PCI configuration moves them. */
void bench_find_places(struct bench *bench);
/* Virtual time goes on, and what was asked of images comes to its end. */
void bench_pass(struct bench *bench, uint32_t ns);
/* The device's state is saved and loaded again: what a device saves it must also accept. */
void bench_save_and_load(struct bench *bench);
/* Something comes from outside: a frame for a network card, a key, an interrupt line, somebody who looks at the screen. */
void bench_event(struct bench *bench, const uint8_t *bytes, size_t size);

#endif
