/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio_console.c - console device (Virtio 1.2, 5.3) with several ports: consoles (hvc0 ...) and named
 * channels (virtio-ports/NAME, by which guest agents are reached).
 *
 * Port 0 has queues 0 and 1; 2 and 3 are for control messages; port n has 2n + 2 and 2n + 3.  What the device
 * has to tell the driver about a port is kept as bits and sent when the driver has a buffer for it.
 *
 * Input waits in a ring of the port until the guest has buffers, so a save loses none.
 */
#include <string.h>

#include "base/log.h"
#include "devices/virtio/virtio.h"
#include "devices/virtio/virtio_console.h"

enum { CLASS_CODE = 0x078000, QUEUE_SIZE = 64, QUEUE_CONTROL_IN = 2, QUEUE_CONTROL_OUT = 3 };
enum { F_MULTIPORT = 1 << 1 };
enum { CONFIG_PORTS = 4, CONFIG_BYTES = 12 };
/* Control messages: { port, event, value }. */
enum { CONTROL_BYTES = 8, NAME_MAX_BYTES = 64 };
enum {
        DEVICE_READY = 0, PORT_ADD = 1, PORT_READY = 3, CONSOLE_PORT = 4, PORT_OPEN = 6, PORT_NAME = 7,
};
/* What is still to be told of a port, in this order. */
enum { TELL_ADD = 1 << 0, TELL_CONSOLE = 1 << 1, TELL_NAME = 1 << 2, TELL_OPEN = 1 << 3, TELL_ALL = 15 };
/* Input that waits, and the most that one request may write at once. */
enum { INPUT_BYTES = 4096, OUTPUT_MAX = 1 << 20, OUTPUT_PIECE = 4096 };

struct console;

struct port {
        /* Saved. */
        uint8_t tell;                   /* TELL_ bits */
        bool ready, open;               /* as the driver said */
        uint8_t input[INPUT_BYTES];     /* ring */
        uint32_t first, count;
        /* Host. */
        bool there;                     /* somebody added it */
        char *name;                     /* NULL: a console */
        struct serial_backend *backend;
        struct console *console;
        unsigned number;
};

struct console {
        struct virtio_device virtio;
        struct port port[VIRTIO_CONSOLE_PORTS];
};

static const struct state_field port_fields[] = {
        STATE_U8(struct port, tell),
        STATE_BOOL(struct port, ready),
        STATE_BOOL(struct port, open),
        STATE_BYTES(struct port, input),
        STATE_U32(struct port, first),
        STATE_U32(struct port, count),
        STATE_SKIP(struct port, there, "wiring"),
        STATE_SKIP(struct port, name, "wiring"),
        STATE_SKIP(struct port, backend, "host side, connected by the machine"),
        STATE_SKIP(struct port, console, "wiring"),
        STATE_SKIP(struct port, number, "wiring"),
        STATE_END
};

static const struct state_field console_fields[] = {
        STATE_STRUCT(struct console, virtio, virtio_device_fields),
        STATE_ARRAY(struct console, port, VIRTIO_CONSOLE_PORTS, port_fields),
        STATE_END
};

static const struct property console_properties[] = {
        VIRTIO_PROPERTIES(struct console, virtio),
        { 0 }
};

static struct virtio_queue *input_queue(struct port *port)
{
        return &port->console->virtio.queue[port->number ? 2 * port->number + 2 : 0];
}

static bool multiport(const struct console *console)
{
        return virtio_has(&console->virtio, F_MULTIPORT);
}

/* Without MULTIPORT there is port 0, and it is open while the driver runs. */
static bool takes_data(const struct port *port)
{
        return virtio_is_running(&port->console->virtio) && (multiport(port->console) ? port->open : port->number == 0);
}

/* -- Control messages ------------------------------------------------------------------------------ */

/* The next thing to tell of a port, as a message; its size. */
static size_t make_message(struct port *port, uint8_t *to)
{
        uint8_t what = port->tell & (uint8_t)-port->tell;
        uint16_t event = what == TELL_ADD ? PORT_ADD : what == TELL_CONSOLE ? CONSOLE_PORT : what == TELL_NAME ? PORT_NAME : PORT_OPEN;
        size_t name = 0;

        port->tell &= (uint8_t)~what;
        if (what == TELL_NAME && port->name) {
                name = MIN(strlen(port->name), (size_t)NAME_MAX_BYTES);
                memcpy(to + CONTROL_BYTES, port->name, name);
        }
        pci_put32(to, 0, port->number);
        pci_put16(to, 4, event);
        pci_put16(to, 6, 1);
        return CONTROL_BYTES + name;
}

static void tell(struct console *console)
{
        struct virtio_queue *queue = &console->virtio.queue[QUEUE_CONTROL_IN];

        for (unsigned i = 0; i < VIRTIO_CONSOLE_PORTS; i++) {
                struct port *port = &console->port[i];

                while (port->tell) {
                        struct virtio_request *request = virtio_pop(queue);
                        uint8_t message[CONTROL_BYTES + NAME_MAX_BYTES];

                        if (!request) {
                                virtio_interrupt(queue);
                                return;
                        }
                        virtio_push(request, (uint32_t)virtio_put(request, 0, message, make_message(port, message)));
                }
        }
        virtio_interrupt(queue);
}

static void control(struct console *console, const uint8_t *message)
{
        uint32_t number = pci_get32(message, 0);
        uint16_t event = pci_get16(message, 4), value = pci_get16(message, 6);
        struct port *port = number < VIRTIO_CONSOLE_PORTS && console->port[number].there ? &console->port[number] : NULL;

        if (event == DEVICE_READY) {
                for (unsigned i = 0; value && i < VIRTIO_CONSOLE_PORTS; i++)
                        if (console->port[i].there)
                                console->port[i].tell |= TELL_ADD;
                return;
        }
        if (!port) {
                guest_error(console->virtio.pci.device.id, "a message for port %u, which is not there", number);
                return;
        }
        switch (event) {
        case PORT_READY:
                port->ready = value;
                if (value)
                        port->tell |= (uint8_t)((port->name ? TELL_NAME : TELL_CONSOLE) | TELL_OPEN);
                break;
        case PORT_OPEN:
                port->open = value;
                if (value && port->backend)
                        serial_backend_accept_input(port->backend);
                break;
        default:
                break;
        }
}

static void control_notify(struct console *console)
{
        struct virtio_queue *queue = &console->virtio.queue[QUEUE_CONTROL_OUT];
        struct virtio_request *request;

        while ((request = virtio_pop(queue)) != NULL) {
                uint8_t message[CONTROL_BYTES];

                if (virtio_get(request, 0, message, sizeof(message)) == sizeof(message))
                        control(console, message);
                else
                        guest_error(console->virtio.pci.device.id, "a control message cut short");
                virtio_push(request, 0);
        }
        virtio_interrupt(queue);
        tell(console);
}

/* -- Data ------------------------------------------------------------------------------------------ */

static void send_input(struct port *port)
{
        struct virtio_queue *queue = input_queue(port);
        bool any = port->count;

        while (port->count && takes_data(port)) {
                struct virtio_request *request = virtio_pop(queue);
                uint32_t written = 0;

                if (!request)
                        break;
                while (port->count && written < request->in_bytes) {
                        size_t n = MIN(port->count, INPUT_BYTES - port->first);

                        n = virtio_put(request, written, port->input + port->first, n);
                        if (!n)
                                break;          /* the device has stopped */
                        written += (uint32_t)n;
                        port->first = (port->first + (uint32_t)n) % INPUT_BYTES;
                        port->count -= (uint32_t)n;
                }
                virtio_push(request, written);
        }
        virtio_interrupt(queue);
        if (any && port->backend && port->count < INPUT_BYTES)
                serial_backend_accept_input(port->backend);
}

static void take_output(struct port *port, struct virtio_queue *queue)
{
        struct virtio_request *request;

        while (!port->backend || serial_backend_writable(port->backend)) {
                uint64_t at = 0, size;

                request = virtio_pop(queue);
                if (!request)
                        break;
                size = request->out_bytes;
                if (size > OUTPUT_MAX) {
                        guest_error(port->console->virtio.pci.device.id, "output of %" G_GUINT64_FORMAT " bytes cut short", size);
                        size = OUTPUT_MAX;
                }
                while (port->backend && at < size) {
                        uint8_t bytes[OUTPUT_PIECE];
                        size_t n = virtio_get(request, at, bytes, (size_t)MIN(size - at, sizeof(bytes)));

                        if (!n)
                                break;
                        serial_backend_write(port->backend, bytes, n);
                        at += n;
                }
                virtio_push(request, 0);
        }
        virtio_interrupt(queue);
}

static void console_notify(struct virtio_device *virtio, unsigned index)
{
        struct console *console = (struct console *)virtio;
        unsigned number = index < 2 ? 0 : index / 2 - 1;

        if (index == QUEUE_CONTROL_IN)
                tell(console);
        else if (index == QUEUE_CONTROL_OUT)
                control_notify(console);
        else if (index & 1)
                take_output(&console->port[number], &virtio->queue[index]);
        else
                send_input(&console->port[number]);
}

/* -- Host events ----------------------------------------------------------------------------------- */

static size_t port_room(void *opaque)
{
        struct port *port = opaque;

        return takes_data(port) ? INPUT_BYTES - port->count : 0;
}

static void port_receive(void *opaque, const uint8_t *bytes, size_t size)
{
        struct port *port = opaque;

        for (size_t i = 0; i < size && port->count < INPUT_BYTES; i++)
                port->input[(port->first + port->count++) % INPUT_BYTES] = bytes[i];
        send_input(port);
}

static void port_receive_break(void *opaque)
{
        (void)opaque;                           /* there are no breaks on this line */
}

static void port_writable(void *opaque)
{
        struct port *port = opaque;
        unsigned index = port->number ? 2 * port->number + 3 : 1;

        take_output(port, &port->console->virtio.queue[index]);
}

static const struct serial_device_ops port_ops = { port_room, port_receive, port_receive_break, port_writable };

static void console_reset_by_driver(struct virtio_device *virtio)
{
        struct console *console = (struct console *)virtio;

        for (unsigned i = 0; i < VIRTIO_CONSOLE_PORTS; i++) {
                struct port *port = &console->port[i];

                port->tell = 0;
                port->ready = port->open = false;
                port->first = port->count = 0;
        }
}

static void console_ready(struct virtio_device *virtio)
{
        struct port *port = &((struct console *)virtio)->port[0];

        if (!multiport(port->console) && port->backend)
                serial_backend_accept_input(port->backend);
}

static const struct virtio_ops console_ops = { .notify = console_notify, .reset = console_reset_by_driver, .ready = console_ready };

/* -- Life ------------------------------------------------------------------------------------------ */

bool virtio_console_add_port(struct device *device, const char *name, struct serial_backend *backend)
{
        struct console *console = (struct console *)device;

        g_assert(!device->created);
        for (unsigned i = 0; i < VIRTIO_CONSOLE_PORTS; i++) {
                struct port *port = &console->port[i];

                /* Port 0 is the one that drivers without several ports know: a console. */
                if (port->there || (name && i == 0))
                        continue;
                port->there = true;
                port->name = g_strdup(name);
                port->backend = backend;
                return true;
        }
        return false;
}

static bool console_create(struct device *device, GError **error)
{
        struct console *console = (struct console *)device;

        (void)error;
        virtio_init(&console->virtio, VIRTIO_CONSOLE, CLASS_CODE, F_MULTIPORT, CONFIG_BYTES, &console_ops);
        pci_put32(console->virtio.config, CONFIG_PORTS, VIRTIO_CONSOLE_PORTS);
        for (unsigned i = 0; i < 2 * VIRTIO_CONSOLE_PORTS + 2; i++)
                virtio_add_queue(&console->virtio, QUEUE_SIZE);
        for (unsigned i = 0; i < VIRTIO_CONSOLE_PORTS; i++) {
                struct port *port = &console->port[i];

                port->console = console;
                port->number = i;
                if (port->backend)
                        serial_backend_attach(port->backend, &port_ops, port);
        }
        return true;
}

static void console_reset(struct device *device)
{
        virtio_device_reset((struct virtio_device *)device);
}

static bool console_post_load(struct device *device, GError **error)
{
        struct console *console = (struct console *)device;

        for (unsigned i = 0; i < VIRTIO_CONSOLE_PORTS; i++) {
                struct port *port = &console->port[i];

                if (port->first >= INPUT_BYTES || port->count > INPUT_BYTES) {
                        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "virtio_console: impossible state of port %u", i);
                        return false;
                }
                port->tell &= TELL_ALL;
        }
        return virtio_device_restored(&console->virtio, error);
}

static void console_destroy(struct device *device)
{
        struct console *console = (struct console *)device;

        for (unsigned i = 0; i < VIRTIO_CONSOLE_PORTS; i++) {
                if (console->port[i].backend)
                        serial_backend_attach(console->port[i].backend, NULL, NULL);
                g_free(console->port[i].name);
        }
        virtio_device_destroy(&console->virtio);
}

static const struct device_class console_class = {
        .name = "virtio_console",
        .description = "virtio console and channels",
        .size = sizeof(struct console),
        .state = console_fields,
        .properties = console_properties,
        .create = console_create,
        .reset = console_reset,
        .post_load = console_post_load,
        .destroy = console_destroy,
};

DEVICE_CLASS(console_class);
