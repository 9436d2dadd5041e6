/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_devices.c - any accesses to the registers of any device class, with its DMA pointed anywhere.
 *
 * Input: a class's name and a line end ("pit\n"), then operations.  A name that is no class picks one by the input's
 * hash, so that inputs of the name "*" reach classes that came after them: nothing lists the classes.  Each run has a
 * machine of its own (device_bench.h).
 *
 * An operation is a byte, then what it needs: which of the ports and regions (1 byte) and how far into it (3), a value (4).
 * Reads and writes of 1, 2 and 4 bytes, PCI configuration, guest memory (so that descriptors and tables can come about), time,
 * reset, the device's state to itself, and what arrives from outside.  Values are addresses as often as not: in RAM, at
 * its end, beyond it, of the device's own registers.  tests/fuzz/make-corpus writes the inputs to begin with.
 */
#include <string.h>

#include "../unit/pci_function.h"
#include "device_bench.h"
#include "fuzz.h"

enum { OPERATIONS_MAX = 400, EVENT_MAX = 2048 };

const unsigned fuzz_variants = 500;

/* -- What the operations are read from ------------------------------------------------------------ */

struct input {
        const uint8_t *at, *end;
};

static uint32_t take(struct input *input, unsigned bytes)
{
        uint32_t value = 0;

        for (unsigned i = 0; i < bytes && input->at < input->end; i++)
                value |= (uint32_t)*input->at++ << 8 * i;
        return value;
}

/* -- Operations ------------------------------------------------------------------------------------ */

/* As it stands, or an address that DMA may be sent to. */
static uint32_t take_value(struct bench *bench, struct input *input, uint8_t operation)
{
        uint32_t value = take(input, 4);

        switch (operation >> 6) {
        case 1:
                return value % BENCH_RAM_USED;                         /* RAM */
        case 2:
                return BENCH_RAM_USED - (value & 0xff);                /* its end */
        case 3:
                if (value & 1 || !bench->place_count)
                        return 1u << (value >> 1 & 31);
                return (uint32_t)bench->places[value % bench->place_count].first + (value >> 16);
        default:
                return value;
        }
}

static void access_place(struct bench *bench, struct input *input, uint8_t operation, bool write)
{
        unsigned size = 1u << (operation >> 4 & 3) % 3;
        uint32_t which = take(input, 1), offset = take(input, 3), value = write ? take_value(bench, input, operation) : 0;
        const struct place *place;
        uint64_t at;

        if (!bench->place_count)
                return;
        place = &bench->places[which % bench->place_count];
        at = place->first + offset % (place->last - place->first + 1);
        if (place->memory && write)
                memory_mmio_write(bench->memory, at, value, size);
        else if (place->memory)
                memory_mmio_read(bench->memory, at, size);
        else if (write)
                ports_write(bench->ports, (uint16_t)at, value, size);
        else
                ports_read(bench->ports, (uint16_t)at, size);
}

/* Four words of guest memory: near its beginning, so that pointers in RAM find them. */
static void write_memory(struct bench *bench, struct input *input, uint8_t operation)
{
        uint32_t at = take(input, 2) * 4u % BENCH_RAM_USED;

        lock_acquire(&bench->lock);
        for (unsigned i = 0; i < 4; i++) {
                uint32_t word = GUINT32_TO_LE(take_value(bench, input, operation));

                memory_write(bench->memory, at + 4 * i, &word, 4);
        }
        lock_release(&bench->lock);
}

/* PCI configuration; the registers may be elsewhere afterwards. */
static void configure(struct bench *bench, struct input *input, uint8_t operation)
{
        unsigned offset = take(input, 1);

        if (!bench->bus)
                return;
        if (operation & 1)
                pci_function_write(bench->ports, offset, take_value(bench, input, operation));
        else
                pci_function_read(bench->ports, offset);
        bench_find_places(bench);
}

/* A length, and as many bytes as the input still has; the rest is zero. */
static void event(struct bench *bench, struct input *input)
{
        uint8_t bytes[EVENT_MAX] = { 0 };
        size_t size = take(input, 2) % EVENT_MAX, given = MIN(MIN(size, 64), (size_t)(input->end - input->at));

        memcpy(bytes, input->at, given);
        input->at += given;
        bench_event(bench, bytes, size);
}

static void operate(struct bench *bench, struct input *input)
{
        uint8_t operation = (uint8_t)take(input, 1);

        switch (operation & 15) {
        case 0: case 1: case 2:
                access_place(bench, input, operation, false);
                break;
        case 8:
                bench_pass(bench, take(input, 4) % 100000000);
                break;
        case 9:
                write_memory(bench, input, operation);
                break;
        case 10: case 11:
                configure(bench, input, operation);
                break;
        case 12:
                if (operation & 16) {
                        lock_acquire(&bench->lock);
                        device_reset(bench->device);
                        lock_release(&bench->lock);
                } else {
                        bench_save_and_load(bench);
                }
                bench_find_places(bench);
                break;
        case 13:
                event(bench, input);
                break;
        default:
                access_place(bench, input, operation, true);
        }
}

static const struct device_class *pick_class(const uint8_t *data, size_t size, struct input *input)
{
        const uint8_t *line = memchr(data, '\n', MIN(size, 32));
        size_t n;
        const struct device_class *const *classes = device_classes(&n), *class = NULL;
        uint32_t hash = 2166136261u;

        *input = (struct input){ data, data + size };
        if (line) {
                char *name = g_strndup((const char *)data, (gsize)(line - data));

                class = device_class_find(name);
                input->at = line + 1;
                g_free(name);
        }
        for (size_t i = 0; i < size; i++)
                hash = (hash ^ data[i]) * 16777619u;
        return class ? class : classes[(hash ^ hash >> 15) % n];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct bench bench;
        struct input input;
        const struct device_class *class = pick_class(data, size, &input);

        bench_open(&bench, class);
        for (unsigned i = 0; i < OPERATIONS_MAX && input.at < input.end; i++)
                operate(&bench, &input);
        bench_close(&bench);
        return 0;
}
