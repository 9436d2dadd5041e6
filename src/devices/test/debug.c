/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug.c - two devices for people who write guests: a port whose bytes go to a file, and a port that
 * ends the machine with a status.
 *
 * "debug-console" (port E9h as Bochs has it, 402h as SeaBIOS uses it): a write appends its bytes to
 * the file; a read gives E9h at whatever port, by which firmware finds out that somebody listens.  "debug-exit" (port F4h): a
 * write of v ends the process with status (v << 1) | 1.  Both have no state the guest can see.
 *
 * How to add a device.  This file is a complete one, in the order all of them keep:
 *  1. Copy it to src/devices/KIND/CHIP.c and add that name to src/devices/local.mk.  No other list
 *     is edited: DEVICE_CLASS() registers the class, device_new("name", ...) finds it.
 *  2. Open with what the chip is, its datasheet, what is not modelled, and the guests' quirks.
 *  3. The struct begins with struct device.  Then what is saved (say R/W and the reset value), what is
 *     derived (and by whom), what is the host's (wires, back ends, ports).
 *  4. The state table names every member, saved or skipped with the reason.  The coverage test
 *     fails when one is forgotten; the round-trip test saves, loads, and compares what the guest sees.
 *  5. The property table gives each setting its type, range, default and help.
 *  6. One read and one write function per register block, one switch each.  What a guest does
 *     wrong goes to guest_error() and does what the hardware would do; it never asserts.
 *  7. If there is an interrupt line, one x_update() derives it from state, and only it calls irq_set().
 *  8. create() registers ports and regions, destroy() undoes it, reset() is the RESET# pin,
 *     post_load() refuses what cannot be and rebuilds what is derived.
 *  9. Wires and back ends are given to it by functions in its own header, called by the machine
 *     between device_new() and device_start(); a device works with none of them connected.
 * Every callback runs with the machine lock held.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "devices/device.h"

enum { DEBUG_CONSOLE_HERE = 0xe9 };

/* -- Console ----------------------------------------------------------------------------------- */

struct debug_console {
        struct device device;
        /* Properties. */
        char *path;             /* NULL: bytes go nowhere */
        uint64_t port;
        /* Host. */
        FILE *file;
        struct port_range *range;
};

static const struct state_field debug_console_fields[] = {
        STATE_SKIP(struct debug_console, path, "property"),
        STATE_SKIP(struct debug_console, port, "property"),
        STATE_SKIP(struct debug_console, file, "host file, opened by create()"),
        STATE_SKIP(struct debug_console, range, "ports, registered by create()"),
        STATE_END
};

static const struct property debug_console_properties[] = {
        { "path", PROPERTY_STRING, offsetof(struct debug_console, path), 0, 0, NULL, NULL, "file that gets the bytes" },
        { "port", PROPERTY_UINT, offsetof(struct debug_console, port), 0, 0xffff, "0xe9", NULL, "I/O port" },
        { 0 }
};

static uint32_t debug_console_read(void *opaque, uint16_t port, unsigned size)
{
        (void)opaque;
        (void)port;
        (void)size;
        return DEBUG_CONSOLE_HERE;
}

static void debug_console_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct debug_console *console = opaque;

        (void)port;
        (void)size;
        if (console->file)
                putc_unlocked((int)(value & 0xff), console->file);
}

static const struct port_ops debug_console_ops = { debug_console_read, debug_console_write, 1 };

static bool debug_console_create(struct device *device, GError **error)
{
        struct debug_console *console = (struct debug_console *)device;

        if (console->path) {
                console->file = fopen(console->path, "we");
                if (!console->file) {
                        int saved = errno;
                        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved),
                                    "cannot write debug console file \"%s\": %s", console->path, g_strerror(saved));
                        return false;
                }
                /* By line, so that a reader of the file follows, and a crash loses little. */
                setvbuf(console->file, NULL, _IOLBF, BUFSIZ);
        }
        console->range = ports_map(device->env->ports, (uint16_t)console->port, 1, &debug_console_ops, console, "debug console");
        return true;
}

static void debug_console_destroy(struct device *device)
{
        struct debug_console *console = (struct debug_console *)device;

        ports_unmap(console->range);
        if (console->file && fclose(console->file))
                log_error("debug console file \"%s\": %s", console->path, g_strerror(errno));
}

static const struct device_class debug_console_class = {
        .name = "debug-console",
        .description = "port whose bytes go to a file",
        .size = sizeof(struct debug_console),
        .state = debug_console_fields,
        .properties = debug_console_properties,
        .create = debug_console_create,
        .destroy = debug_console_destroy,
};
DEVICE_CLASS(debug_console_class);

/* -- Exit -------------------------------------------------------------------------------------- */

struct debug_exit {
        struct device device;
        uint64_t port;                  /* property */
        struct port_range *range;       /* host */
};

static const struct state_field debug_exit_fields[] = {
        STATE_SKIP(struct debug_exit, port, "property"),
        STATE_SKIP(struct debug_exit, range, "ports, registered by create()"),
        STATE_END
};

static const struct property debug_exit_properties[] = {
        { "port", PROPERTY_UINT, offsetof(struct debug_exit, port), 0, 0xffff, "0xf4", NULL, "I/O port" },
        { 0 }
};

static void debug_exit_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct debug_exit *debug_exit = opaque;
        const struct device_env *env = debug_exit->device.env;

        (void)port;
        (void)size;
        if (env->request)
                env->request(env->opaque, MACHINE_DEBUG_EXIT, (int)(value << 1 | 1));
}

static const struct port_ops debug_exit_ops = { NULL, debug_exit_write, 4 };

static bool debug_exit_create(struct device *device, GError **error)
{
        struct debug_exit *debug_exit = (struct debug_exit *)device;

        (void)error;
        debug_exit->range = ports_map(device->env->ports, (uint16_t)debug_exit->port, 4, &debug_exit_ops, debug_exit, "debug exit");
        return true;
}

static void debug_exit_destroy(struct device *device)
{
        ports_unmap(((struct debug_exit *)device)->range);
}

static const struct device_class debug_exit_class = {
        .name = "debug-exit",
        .description = "port that ends the machine with a status",
        .size = sizeof(struct debug_exit),
        .state = debug_exit_fields,
        .properties = debug_exit_properties,
        .create = debug_exit_create,
        .destroy = debug_exit_destroy,
};
DEVICE_CLASS(debug_exit_class);
