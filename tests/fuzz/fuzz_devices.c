/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_devices.c - any accesses to the registers of any device class, with its DMA pointed anywhere.
 *
 * Input: a class's name and a line end ("pit\n"), then operations.  A name that is no class picks one by the input's
 * hash, so that inputs of the name "*" reach classes that came after them: nothing lists the classes.  Each run has a
 * machine of its own: 1 MiB of RAM, a clock that the operations move, the PCI bus where the class needs it, and a disk,
 * a floppy and DMA channels where there is something to connect (attach()).
 *
 * An operation is a byte, then what it needs: which of the ports and regions (2 bytes), a value (4).  Reads and writes of 1, 2
 * and 4 bytes, PCI configuration, guest memory (so that descriptors and tables can come about), time, reset, and the
 * device's state to a fresh copy.  Values are addresses as often as not: in RAM, at its end, beyond it, of the device's own registers.
 */
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "block/block.h"
#include "devices/chipset/i8237.h"
#include "devices/device.h"
#include "devices/storage/floppy.h"
#include "devices/storage/ide.h"
#include "devices/virtio/virtio_blk.h"
#include "fuzz.h"
#include "machine/pci.h"

enum { RAM_BYTES = 1 << 20, PLACES_MAX = 64, OPERATIONS_MAX = 400, FLOPPY_BYTES = 1474560 };

const unsigned fuzz_variants = 500;

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
        struct place places[PLACES_MAX];
        unsigned count;
};

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

/* -- A machine around one device ------------------------------------------------------------------ */

static void ignore_request(void *opaque, enum machine_request request, int argument)
{
        (void)opaque;
        (void)request;
        (void)argument;
}

static bool is_pci_function(const struct device_class *class)
{
        for (const struct state_field *field = class->state; field->type != STATE_TYPE_END; field++)
                if (field->fields == pci_device_fields)
                        return true;
        return false;
}

/* An image in memory; each opening has its own overlay. */
static struct block *open_image(struct bench *bench, off_t size)
{
        struct block_options options = { .throwaway = true, .format = "raw" };
        int fd = memfd_create("fuzz", MFD_CLOEXEC);
        char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        struct block *block = NULL;

        if (fd >= 0 && !ftruncate(fd, size))
                block = block_open(path, &options, &bench->lock, NULL);
        if (fd >= 0)
                close(fd);
        g_free(path);
        return block;
}

static void attach_before_start(struct bench *bench, const char *class)
{
        struct irq nowhere = { 0 };

        if (!strcmp(class, "virtio_blk")) {
                virtio_blk_connect(bench->device, open_image(bench, 1 << 20));
        } else if (!strcmp(class, "floppy")) {
                bench->dma = device_new("i8237", "dma", &bench->env);
                g_assert(device_start(bench->dma, NULL));
                floppy_connect(bench->device, nowhere, i8237_channel(bench->dma, 2));
        } else if (!strcmp(class, "debug-console")) {
                g_assert(device_set(bench->device, "path", "/dev/null", NULL));
        }
}

static void attach_after_start(struct bench *bench, const char *class)
{
        static const struct floppy_shape shape = { 80, 2, 18 };
        struct block *image;

        if (!strcmp(class, "piix3_ide")) {
                if ((image = open_image(bench, 1 << 20)))
                        ide_add_disk(bench->device, 0, "disk", image);
                if ((image = open_image(bench, 1 << 20)))
                        ide_add_cd(bench->device, 2, "cd", image);
        } else if (!strcmp(class, "floppy")) {
                if ((image = open_image(bench, FLOPPY_BYTES)))
                        floppy_insert(bench->device, 0, image, shape);
        }
}

static void find_places(struct bench *bench)
{
        char *text[2] = { ports_describe(bench->ports), memory_describe(bench->memory) };

        bench->count = 0;
        for (int memory = 0; memory < 2; memory++) {
                char **lines = g_strsplit(text[memory], "\n", -1);

                for (char **line = lines; *line && **line; line++) {
                        unsigned long long first, last;
                        char kind[8] = "";

                        if (sscanf(*line, "%llx-%llx %7s", &first, &last, kind) < 2 || (memory && strcmp(kind, "device")) ||
                            bench->count == PLACES_MAX)
                                continue;
                        bench->places[bench->count++] = (struct place){ memory, first, last };
                }
                g_strfreev(lines);
                g_free(text[memory]);
        }
}

static struct device *bench_device(struct bench *bench, const struct device_class *class)
{
        struct device *device = bench->device = device_new(class->name, "device", &bench->env);
        GError *error = NULL;

        if (bench->bus)
                pci_attach(bench->bus, device, PCI_DEVFN(3, 0));
        attach_before_start(bench, class->name);
        if (!device_start(device, &error)) {
                fprintf(stderr, "%s does not start: %s\n", class->name, error->message);
                abort();
        }
        attach_after_start(bench, class->name);
        return device;
}

static void bench_open(struct bench *bench, const struct device_class *class)
{
        memset(bench, 0, sizeof(*bench));
        lock_init(&bench->lock, LOCK_RANK_MACHINE, "machine");
        bench->memory = memory_new(RAM_BYTES, &bench->lock, NULL);
        bench->ports = ports_new(&bench->lock);
        bench->clock = clock_new(&bench->lock);
        bench->env = (struct device_env){ .memory = bench->memory, .ports = bench->ports, .clock = bench->clock,
                                          .lock = &bench->lock, .request = ignore_request, .opaque = bench };
        clock_set_ns(bench->clock, 3 * NS_PER_SEC);
        lock_acquire(&bench->lock);
        memory_map_ram(bench->memory, 0, 0, 0xa0000, false, 0, "RAM");
        if (is_pci_function(class)) {
                bench->bus = device_new("pci", "bus", &bench->env);
                g_assert(device_start(bench->bus, NULL));
        }
        bench_device(bench, class);
        lock_release(&bench->lock);
        find_places(bench);
}

static void bench_close(struct bench *bench)
{
        /* What was asked of the images comes to its end first: it refers to the device. */
        for (unsigned i = 0; i < 4; i++)
                g_main_context_iteration(NULL, FALSE);
        lock_acquire(&bench->lock);
        device_free(bench->device);
        if (bench->dma)
                device_free(bench->dma);
        if (bench->bus)
                device_free(bench->bus);
        lock_release(&bench->lock);
        memory_free(bench->memory);
        ports_free(bench->ports);
        clock_free(bench->clock);
        lock_destroy(&bench->lock);
}

/* -- Operations ------------------------------------------------------------------------------------ */

/* As it stands, or an address that DMA may be sent to. */
static uint32_t take_value(struct bench *bench, struct input *input, uint8_t operation)
{
        uint32_t value = take(input, 4);

        switch (operation >> 6) {
        case 1:
                return value % 0xa0000;                         /* RAM */
        case 2:
                return 0xa0000 - (value & 0xff);                /* its end */
        case 3:
                if (value & 1 || !bench->count)
                        return 1u << (value >> 1 & 31);
                return (uint32_t)bench->places[value % bench->count].first + (value >> 16);
        default:
                return value;
        }
}

static void pass_time(struct bench *bench, uint32_t ns)
{
        clock_set_ns(bench->clock, clock_now_ns(bench->clock) + ns);
        clock_start(bench->clock);
        for (unsigned i = 0; i < 8 && g_main_context_iteration(NULL, FALSE); i++)
                ;
        clock_stop(bench->clock);
}

/* Its state is taken by a fresh device; what a device saves it must also accept. */
static void save_and_load(struct bench *bench)
{
        GByteArray *bytes = g_byte_array_new();
        const struct device_class *class = bench->device->class;
        GError *error = NULL;

        state_save(class->state, bench->device, bytes);
        if (!state_load(class->state, bench->device, bytes->data, bytes->len, &error) ||
            (class->post_load && !class->post_load(bench->device, &error))) {
                fprintf(stderr, "%s refuses its own state: %s\n", class->name, error->message);
                abort();
        }
        g_byte_array_unref(bytes);
}

static void access_place(struct bench *bench, struct input *input, uint8_t operation, bool write)
{
        unsigned size = 1u << (operation >> 4 & 3) % 3;
        uint32_t where = take(input, 2), value = write ? take_value(bench, input, operation) : 0;
        const struct place *place;
        uint64_t at;

        if (!bench->count)
                return;
        place = &bench->places[where % bench->count];
        at = place->first + (where / bench->count) % (place->last - place->first + 1);
        if (place->memory && write)
                memory_mmio_write(bench->memory, at, value, size);
        else if (place->memory)
                memory_mmio_read(bench->memory, at, size);
        else if (write)
                ports_write(bench->ports, (uint16_t)at, value, size);
        else
                ports_read(bench->ports, (uint16_t)at, size);
}

static void operate(struct bench *bench, struct input *input)
{
        uint8_t operation = (uint8_t)take(input, 1);
        uint32_t value;

        switch (operation & 15) {
        case 0: case 1: case 2:
                access_place(bench, input, operation, false);
                break;
        case 8:
                pass_time(bench, take(input, 4) % 100000000);
                break;
        case 9:
                /* A word of guest memory: near its beginning, so that pointers in RAM find it. */
                value = take(input, 2) * 4u % 0xa0000;
                for (unsigned i = 0; i < 4; i++) {
                        uint32_t word = GUINT32_TO_LE(take_value(bench, input, operation));

                        lock_acquire(&bench->lock);
                        memory_write(bench->memory, value + 4 * i, &word, 4);
                        lock_release(&bench->lock);
                }
                break;
        case 10: case 11:
                if (!bench->bus)
                        break;
                ports_write(bench->ports, 0xcf8, 0x80001800 | (take(input, 1) & 0xfc), 4);
                if (operation & 1)
                        ports_write(bench->ports, 0xcfc, take_value(bench, input, operation), 4);
                else
                        ports_read(bench->ports, 0xcfc, 4);
                find_places(bench);
                break;
        case 12:
                lock_acquire(&bench->lock);
                if (operation & 16)
                        device_reset(bench->device);
                else
                        save_and_load(bench);
                lock_release(&bench->lock);
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
