/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_devices.c - what must hold for every registered device class, whatever it is.
 *
 * Coverage: the state table describes or skips every byte of the struct.  Round trip: after random
 * register traffic the device is saved and loaded into a fresh one, and the next thousand accesses
 * answer identically and leave identical states.  Hostile state: damaged states are refused or
 * harmless.  The registers are found by asking a machine that holds nothing but the device.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/chipset/rtc.h"
#include "pci_function.h"
#include "rig.h"
#include "unit.h"

enum { WARM_UP = 2000, COMPARED = 1000, SEEDS = 4, DAMAGES = 60, PLACES_MAX = 64 };

/* -- Random numbers: the same on every run ------------------------------------------------------- */

static uint64_t random_state;

static uint32_t random_next(void)
{
        random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
        return (uint32_t)(random_state >> 33);
}

/* Registers like small values, single bits and all ones better than noise. */
static uint32_t random_value(void)
{
        switch (random_next() % 4) {
        case 0:
                return random_next() % 32;
        case 1:
                return 1u << random_next() % 32;
        case 2:
                return random_next() % 8 ? 0 : UINT32_MAX;
        default:
                return random_next() << 1 ^ random_next();
        }
}

/* -- A machine around one device ------------------------------------------------------------------ */

struct place {
        bool memory;
        uint64_t first, last;
};

struct bench {
        struct rig rig;
        struct device *device, *bus;    /* bus: for a PCI function */
        struct place places[PLACES_MAX];
        unsigned place_count;
};

static void find_places(struct bench *bench)
{
        char *text[2] = { ports_describe(bench->rig.ports), memory_describe(bench->rig.memory) };

        bench->place_count = 0;
        for (int memory = 0; memory < 2; memory++) {
                char **lines = g_strsplit(text[memory], "\n", -1);
                for (char **line = lines; *line && **line; line++) {
                        unsigned long long first, last;
                        char kind[8] = "";
                        ck_assert_int_ge(sscanf(*line, "%llx-%llx %7s", &first, &last, kind), 2);
                        if ((memory && strcmp(kind, "device")) || bench->place_count == PLACES_MAX)
                                continue;
                        bench->places[bench->place_count++] = (struct place){ memory, first, last };
                }
                g_strfreev(lines);
                g_free(text[memory]);
        }
}

/* For a clock that is compared with another it must not go on between the two. */
static int64_t time_of_day(void) { return INT64_C(1700000000250000); }

static void bench_open(struct bench *bench, const struct device_class *class)
{
        rig_open(&bench->rig);
        bench->bus = NULL;
        rig_set_time(&bench->rig, 3 * NS_PER_SEC + 1234567);
        if (is_pci_function(class->state)) {
                bench->bus = rig_start(&bench->rig, device_new("pci", "bus", &bench->rig.env));
                bench->device = device_new(class->name, "device", &bench->rig.env);
                pci_attach(bench->bus, bench->device, PCI_DEVFN(PCI_FUNCTION_SLOT, 0));
        } else {
                bench->device = device_new(class->name, "device", &bench->rig.env);
        }
        if (!strcmp(class->name, "rtc"))
                rtc_set_time_source(bench->device, time_of_day);
        rig_start(&bench->rig, bench->device);
        if (bench->bus)
                pci_function_assign(bench->rig.ports);
        find_places(bench);
}

static void bench_close(struct bench *bench)
{
        rig_free(&bench->rig, bench->device);
        rig_free(&bench->rig, bench->bus);
        rig_close(&bench->rig);
}

/* One access, drawn from the random numbers; gives what it read. */
static uint64_t bench_access(struct bench *bench)
{
        uint32_t choice = random_next(), value = random_value();
        unsigned size = 1u << (choice >> 8) % 3;

        /* Half of a PCI function's traffic goes to its configuration space, but it seldom loses its BARs. */
        if (bench->bus && choice & 1) {
                unsigned offset = random_next() & 0xfc;

                if (choice & 2)
                        return pci_function_read(bench->rig.ports, offset);
                if (offset < PCI_COMMAND || offset > PCI_BAR0 + 5 * 4 || random_next() % 64 == 0)
                        pci_function_write(bench->rig.ports, offset, value);
                return 0;
        }
        if (!bench->place_count)
                return 0;
        const struct place *place = &bench->places[random_next() % bench->place_count];
        uint64_t span = place->last - place->first + 1;
        uint64_t at = place->first + (choice & 4 && span > 64 ? random_next() % 64 : random_next() % span);
        if (place->memory) {
                at &= ~(uint64_t)(size - 1);
                if (choice & 2)
                        return memory_mmio_read(bench->rig.memory, at, size);
                memory_mmio_write(bench->rig.memory, at, value, size);
                return 0;
        }
        if (choice & 2)
                return ports_read(bench->rig.ports, (uint16_t)at, size);
        ports_write(bench->rig.ports, (uint16_t)at, value, size);
        return 0;
}

static GByteArray *bench_save(struct bench *bench, struct device *device)
{
        GByteArray *bytes = g_byte_array_new();

        lock_acquire(&bench->rig.lock);
        state_save(device->class->state, device, bytes);
        lock_release(&bench->rig.lock);
        return bytes;
}

/* False: refused. */
static bool bench_load(struct bench *bench, struct device *device, const GByteArray *bytes, GError **error)
{
        lock_acquire(&bench->rig.lock);
        bool loaded = state_load(device->class->state, device, bytes->data, bytes->len, error) &&
                      (!device->class->post_load || device->class->post_load(device, error));
        lock_release(&bench->rig.lock);
        return loaded;
}

/* -- Coverage ------------------------------------------------------------------------------------- */

START_TEST(test_coverage)
{
        size_t n;
        const struct device_class *const *classes = device_classes(&n);

        GString *all = g_string_new(NULL);

        ck_assert_uint_gt(n, 5);
        for (size_t i = 0; i < n; i++) {
                /* Tables may leave struct device out, or skip it (PCI functions do, within their first field). */
                size_t start = sizeof(struct device);
                for (const struct state_field *field = classes[i]->state; field->type != STATE_TYPE_END; field++)
                        start = MIN(start, field->offset);
                char *findings = state_coverage(classes[i]->state, start, classes[i]->size);
                if (findings)
                        g_string_append_printf(all, "%s:\n%s", classes[i]->name, findings);
                g_free(findings);
                ck_assert_ptr_eq(device_class_find(classes[i]->name), classes[i]);
        }
        ck_assert_msg(!all->len, "%s", all->str);
        g_string_free(all, TRUE);
        ck_assert_ptr_null(device_class_find("no such device"));
}
END_TEST

/* -- Round trip ----------------------------------------------------------------------------------- */

static void move(struct bench *from, struct device *old, struct bench *to, struct device *new)
{
        GError *error = NULL;
        GByteArray *bytes = bench_save(from, old);

        ck_assert_msg(bench_load(to, new, bytes, &error), "%s: a state it saved itself is refused: %s", old->class->name,
                      error ? error->message : "");
        g_byte_array_unref(bytes);
}

static void check_same_state(struct bench *first, struct bench *second, const char *when)
{
        GByteArray *a = bench_save(first, first->device), *b = bench_save(second, second->device);

        if (a->len != b->len || (a->len && memcmp(a->data, b->data, a->len))) {
                char *text[2] = { state_describe(first->device->class->state, first->device),
                                  state_describe(second->device->class->state, second->device) };
                ck_abort_msg("%s: states differ %s\n--- original\n%s--- loaded\n%s", first->device->class->name, when, text[0], text[1]);
        }
        g_byte_array_unref(a);
        g_byte_array_unref(b);
}

static void round_trip(const struct device_class *class, unsigned seed)
{
        struct bench original, loaded;

        random_state = seed * 1000003;
        bench_open(&original, class);
        for (unsigned i = 0; i < WARM_UP; i++) {
                bench_access(&original);
                if (i % 16 == 0)
                        rig_set_time(&original.rig, clock_now_ns(original.rig.clock) + random_next() % 3000000);
        }

        bench_open(&loaded, class);
        rig_set_time(&loaded.rig, clock_now_ns(original.rig.clock));
        memcpy(memory_ram(loaded.rig.memory), memory_ram(original.rig.memory), memory_used_bytes(loaded.rig.memory));
        if (original.bus)
                move(&original, original.bus, &loaded, loaded.bus);
        move(&original, original.device, &loaded, loaded.device);
        check_same_state(&original, &loaded, "right after loading");
        find_places(&original);
        find_places(&loaded);
        ck_assert_uint_eq(original.place_count, loaded.place_count);
        for (unsigned i = 0; i < original.place_count; i++)
                ck_assert(original.places[i].memory == loaded.places[i].memory && original.places[i].first == loaded.places[i].first &&
                          original.places[i].last == loaded.places[i].last);

        for (unsigned i = 0; i < COMPARED; i++) {
                uint64_t before = random_state, first, second;
                first = bench_access(&original);
                random_state = before;
                second = bench_access(&loaded);
                ck_assert_msg(first == second, "%s, seed %u: access %u after loading gives %#llx, not %#llx", class->name, seed, i,
                              (unsigned long long)second, (unsigned long long)first);
                if (i % 16 == 0) {
                        int64_t now = clock_now_ns(original.rig.clock) + random_next() % 3000000;
                        rig_set_time(&original.rig, now);
                        rig_set_time(&loaded.rig, now);
                }
        }
        check_same_state(&original, &loaded, "after the accesses");
        bench_close(&original);
        bench_close(&loaded);
}

START_TEST(test_round_trip)
{
        size_t n;
        const struct device_class *const *classes = device_classes(&n);

        for (size_t i = 0; i < n; i++)
                for (unsigned seed = 1; seed <= SEEDS; seed++)
                        round_trip(classes[i], seed);
}
END_TEST

/* -- Hostile state --------------------------------------------------------------------------------- */

/* Where state_save() put a field's bytes is its own business, so damage is done at random; what is
 * accepted must then live with traffic, timers and a reset. */
static void damage(const struct device_class *class, unsigned seed)
{
        struct bench bench;
        GError *error = NULL;

        random_state = seed * 7919;
        bench_open(&bench, class);
        for (unsigned i = 0; i < 50; i++)
                bench_access(&bench);
        GByteArray *bytes = bench_save(&bench, bench.device);
        for (unsigned i = 0; i <= random_next() % 4 && bytes->len; i++)
                bytes->data[random_next() % bytes->len] = (uint8_t)random_value();
        if (bench_load(&bench, bench.device, bytes, &error)) {
                for (unsigned i = 0; i < 200; i++)
                        bench_access(&bench);
                rig_pass(&bench.rig, 100000000);
                lock_acquire(&bench.rig.lock);
                device_reset(bench.device);
                lock_release(&bench.rig.lock);
        } else {
                ck_assert_msg(error != NULL, "%s: refused without a reason", class->name);
                g_error_free(error);
        }
        g_byte_array_unref(bytes);
        bench_close(&bench);
}

START_TEST(test_damaged_state)
{
        size_t n;
        const struct device_class *const *classes = device_classes(&n);

        for (size_t i = 0; i < n; i++)
                for (unsigned seed = 1; seed <= DAMAGES; seed++)
                        damage(classes[i], seed);
}
END_TEST

/* -- Properties and the debug ports ---------------------------------------------------------------- */

START_TEST(test_properties)
{
        struct rig rig;
        GError *error = NULL;

        rig_open(&rig);
        struct device *console = device_new("debug-console", "debug0", &rig.env);
        ck_assert(!device_set(console, "colour", "red", &error));
        g_clear_error(&error);
        ck_assert(!device_set(console, "port", "0x10000", &error));
        g_clear_error(&error);
        ck_assert(!device_set(console, "port", "-1", &error));
        g_clear_error(&error);
        ck_assert(!device_set(console, "port", "12x", &error));
        g_clear_error(&error);
        ck_assert(device_set(console, "port", "0x402", NULL));
        ck_assert(device_set(console, "path", "/nonexistent/file", NULL));
        ck_assert(!device_start(console, &error));
        ck_assert_ptr_nonnull(error);
        g_clear_error(&error);
        rig_free(&rig, console);
        rig_close(&rig);
}
END_TEST

START_TEST(test_debug_ports)
{
        struct rig rig;
        char path[] = "/tmp/lodger-test-XXXXXX";
        int fd = g_mkstemp(path);

        rig_open(&rig);
        struct device *console = device_new("debug-console", "debug0", &rig.env);
        device_set(console, "path", path, NULL);
        rig_start(&rig, console);
        struct device *debug_exit = rig_start(&rig, device_new("debug-exit", "exit", &rig.env));
        ck_assert_uint_eq(rig_in(&rig, 0xe9), 0xe9);
        for (const char *text = "hello\nworld"; *text; text++)
                rig_out(&rig, 0xe9, (uint8_t)*text);
        ports_write(rig.ports, 0xf4, 0x10, 4);
        ck_assert_uint_eq(rig.requests, 1);
        ck_assert_int_eq(rig.request, MACHINE_DEBUG_EXIT);
        ck_assert_int_eq(rig.argument, 0x21);
        rig_free(&rig, console);
        rig_free(&rig, debug_exit);
        char *bytes;
        ck_assert(g_file_get_contents(path, &bytes, NULL, NULL));
        ck_assert_str_eq(bytes, "hello\nworld");
        g_free(bytes);
        close(fd);
        remove(path);
        rig_close(&rig);
}
END_TEST

UNIT_MAIN("devices", test_coverage, test_round_trip, test_damaged_state, test_properties, test_debug_ports)
