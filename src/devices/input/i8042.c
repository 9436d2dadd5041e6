/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i8042.c - the keyboard controller (ports 60h and 64h) with a PS/2 keyboard and a PS/2 mouse.
 *
 * Controller commands as in the IBM PS/2 Technical Reference, "Keyboard and Auxiliary Device
 * Controller"; the A20 gate and the CPU reset hang on its output port.  Bytes that a device sends
 * wait in the device's queue until the output buffer is empty; the interrupt line drops in between,
 * so each byte is an edge of its own.
 *
 * Both devices answer every command a probe sends.  The keyboard's typematic timing and the mouse's
 * wrap mode are not modelled.
 */
#include <string.h>
#include "base/log.h"
#include "devices/input/i8042.h"

enum { PORT_DATA = 0x60, PORT_COMMAND = 0x64 };
enum {
        STATUS_OBF = 0x01, STATUS_SYSTEM = 0x04, STATUS_COMMAND = 0x08, STATUS_UNLOCKED = 0x10, STATUS_AUX = 0x20,
};
enum {
        MODE_KBD_IRQ = 0x01, MODE_AUX_IRQ = 0x02, MODE_SYSTEM = 0x04, MODE_KBD_OFF = 0x10, MODE_AUX_OFF = 0x20,
        MODE_TRANSLATE = 0x40,
};
enum { OUT_NOT_RESET = 0x01, OUT_A20 = 0x02, OUT_KBD_IRQ = 0x10, OUT_AUX_IRQ = 0x20 };
/* Controller commands */
enum {
        CMD_READ_MODE = 0x20, CMD_WRITE_MODE = 0x60, CMD_TEST_PASSWORD = 0xa4, CMD_AUX_OFF = 0xa7, CMD_AUX_ON = 0xa8,
        CMD_AUX_TEST = 0xa9, CMD_SELF_TEST = 0xaa, CMD_KBD_TEST = 0xab, CMD_KBD_OFF = 0xad, CMD_KBD_ON = 0xae,
        CMD_READ_INPUT = 0xc0, CMD_READ_OUTPUT = 0xd0, CMD_WRITE_OUTPUT = 0xd1, CMD_WRITE_KBD_BUFFER = 0xd2,
        CMD_WRITE_AUX_BUFFER = 0xd3, CMD_WRITE_AUX = 0xd4, CMD_A20_OFF = 0xdd, CMD_A20_ON = 0xdf, CMD_TEST_INPUTS = 0xe0,
        CMD_PULSE = 0xf0,
};
/* Device bytes */
enum { DEV_ACK = 0xfa, DEV_RESEND = 0xfe, DEV_PASSED = 0xaa, DEV_ECHO = 0xee };

/* Bytes a device has ready to send; what does not fit is lost, as in the device's own buffer. */
struct ps2_queue {
        uint8_t bytes[32];
        uint8_t head, count;
};

struct ps2_keyboard {
        struct ps2_queue queue;
        uint8_t expecting;              /* command whose data byte comes next, or 0 */
        uint8_t scan_set, leds, rate;
        bool scanning;
};

struct ps2_mouse {
        struct ps2_queue queue;
        uint8_t expecting;
        uint8_t rate, resolution;
        bool reporting, scale_2_1, remote;
};

struct i8042 {
        struct device device;
        uint8_t status;                 /* saved: OBF, AUX, COMMAND, SYSTEM bits */
        uint8_t mode;                   /* saved: command byte */
        uint8_t output_port;            /* saved: A20 and reset lines */
        uint8_t output;                 /* saved: output buffer */
        uint8_t expecting;              /* saved: controller command whose data byte comes next, or 0 */
        struct ps2_keyboard keyboard;   /* saved */
        struct ps2_mouse mouse;         /* saved */
        struct irq keyboard_irq, mouse_irq;
};

static const struct state_field queue_fields[] = {
        STATE_BYTES(struct ps2_queue, bytes),
        STATE_U8(struct ps2_queue, head),
        STATE_U8(struct ps2_queue, count),
        STATE_END
};

static const struct state_field keyboard_fields[] = {
        STATE_STRUCT(struct ps2_keyboard, queue, queue_fields),
        STATE_U8(struct ps2_keyboard, expecting),
        STATE_U8(struct ps2_keyboard, scan_set),
        STATE_U8(struct ps2_keyboard, leds),
        STATE_U8(struct ps2_keyboard, rate),
        STATE_BOOL(struct ps2_keyboard, scanning),
        STATE_END
};

static const struct state_field mouse_fields[] = {
        STATE_STRUCT(struct ps2_mouse, queue, queue_fields),
        STATE_U8(struct ps2_mouse, expecting),
        STATE_U8(struct ps2_mouse, rate),
        STATE_U8(struct ps2_mouse, resolution),
        STATE_BOOL(struct ps2_mouse, reporting),
        STATE_BOOL(struct ps2_mouse, scale_2_1),
        STATE_BOOL(struct ps2_mouse, remote),
        STATE_END
};

static const struct state_field i8042_fields[] = {
        STATE_SKIP(struct i8042, device, "identity"),
        STATE_U8(struct i8042, status),
        STATE_U8(struct i8042, mode),
        STATE_U8(struct i8042, output_port),
        STATE_U8(struct i8042, output),
        STATE_U8(struct i8042, expecting),
        STATE_STRUCT(struct i8042, keyboard, keyboard_fields),
        STATE_STRUCT(struct i8042, mouse, mouse_fields),
        STATE_SKIP(struct i8042, keyboard_irq, "wiring"),
        STATE_SKIP(struct i8042, mouse_irq, "wiring"),
        STATE_END
};

/* -- Queues and the output buffer --------------------------------------------------------------- */

static void queue_put(struct ps2_queue *queue, uint8_t byte)
{
        if (queue->count < sizeof(queue->bytes))
                queue->bytes[(queue->head + queue->count++) % sizeof(queue->bytes)] = byte;
}

static uint8_t queue_take(struct ps2_queue *queue)
{
        uint8_t byte = queue->bytes[queue->head];

        queue->head = (uint8_t)((queue->head + 1) % sizeof(queue->bytes));
        queue->count--;
        return byte;
}

/* Derives the interrupt lines. */
static void i8042_update(struct i8042 *kbc)
{
        bool full = kbc->status & STATUS_OBF, aux = kbc->status & STATUS_AUX;

        irq_set(&kbc->keyboard_irq, full && !aux && (kbc->mode & MODE_KBD_IRQ));
        irq_set(&kbc->mouse_irq, full && aux && (kbc->mode & MODE_AUX_IRQ));
}

static void i8042_output(struct i8042 *kbc, uint8_t byte, bool aux)
{
        kbc->output = byte;
        kbc->status = (uint8_t)((kbc->status & ~STATUS_AUX) | STATUS_OBF | (aux ? STATUS_AUX : 0));
}

/* Lets a device send its next byte when the output buffer is empty and its clock line is free. */
static void i8042_pump(struct i8042 *kbc)
{
        if (!(kbc->status & STATUS_OBF)) {
                if (kbc->keyboard.queue.count && !(kbc->mode & MODE_KBD_OFF))
                        i8042_output(kbc, queue_take(&kbc->keyboard.queue), false);
                else if (kbc->mouse.queue.count && !(kbc->mode & MODE_AUX_OFF))
                        i8042_output(kbc, queue_take(&kbc->mouse.queue), true);
        }
        i8042_update(kbc);
}

/* -- Keyboard ----------------------------------------------------------------------------------- */

static void keyboard_defaults(struct ps2_keyboard *keyboard)
{
        keyboard->scan_set = 2;
        keyboard->leds = 0;
        keyboard->rate = 0x2b;
        keyboard->scanning = true;
        keyboard->expecting = 0;
}

static void keyboard_data(struct i8042 *kbc, uint8_t command, uint8_t byte)
{
        struct ps2_keyboard *keyboard = &kbc->keyboard;

        queue_put(&keyboard->queue, DEV_ACK);
        switch (command) {
        case 0xed:
                keyboard->leds = byte & 7;
                break;
        case 0xf3:
                keyboard->rate = byte & 0x7f;
                break;
        case 0xf0:
                if (!byte) {
                        /* The controller translates the answer like any other byte: 2 is sent as 41h. */
                        static const uint8_t translated[] = { 0, 0x43, 0x41, 0x3f };

                        queue_put(&keyboard->queue, kbc->mode & MODE_TRANSLATE ? translated[keyboard->scan_set]
                                                                               : keyboard->scan_set);
                } else if (byte <= 3) {
                        keyboard->scan_set = byte;
                }
                break;
        default:                        /* FBh-FDh: one key's type, scan set 3 only */
                break;
        }
}

static void keyboard_write(struct i8042 *kbc, uint8_t byte)
{
        struct ps2_keyboard *keyboard = &kbc->keyboard;

        if (keyboard->expecting && byte < 0xed) {
                uint8_t command = keyboard->expecting;

                keyboard->expecting = 0;
                keyboard_data(kbc, command, byte);
                return;
        }
        keyboard->expecting = 0;
        switch (byte) {
        case 0xee:
                queue_put(&keyboard->queue, DEV_ECHO);
                break;
        case 0xed: case 0xf0: case 0xf3: case 0xfb: case 0xfc: case 0xfd:
                keyboard->expecting = byte;
                queue_put(&keyboard->queue, DEV_ACK);
                break;
        case 0xf2:
                queue_put(&keyboard->queue, DEV_ACK);
                queue_put(&keyboard->queue, 0xab);
                queue_put(&keyboard->queue, kbc->mode & MODE_TRANSLATE ? 0x41 : 0x83);
                break;
        case 0xf4:
                keyboard->scanning = true;
                queue_put(&keyboard->queue, DEV_ACK);
                break;
        case 0xf5: case 0xf6:
                keyboard_defaults(keyboard);
                keyboard->scanning = byte == 0xf6;
                queue_put(&keyboard->queue, DEV_ACK);
                break;
        case 0xf7: case 0xf8: case 0xf9: case 0xfa:
                queue_put(&keyboard->queue, DEV_ACK);
                break;
        case 0xff:
                keyboard_defaults(keyboard);
                keyboard->queue.count = 0;
                queue_put(&keyboard->queue, DEV_ACK);
                queue_put(&keyboard->queue, DEV_PASSED);
                break;
        default:
                queue_put(&keyboard->queue, DEV_RESEND);
                break;
        }
}

/* -- Mouse -------------------------------------------------------------------------------------- */

static void mouse_defaults(struct ps2_mouse *mouse)
{
        mouse->rate = 100;
        mouse->resolution = 2;
        mouse->reporting = mouse->scale_2_1 = mouse->remote = false;
        mouse->expecting = 0;
}

static void mouse_write(struct i8042 *kbc, uint8_t byte)
{
        struct ps2_mouse *mouse = &kbc->mouse;
        struct ps2_queue *queue = &mouse->queue;

        if (mouse->expecting) {
                if (mouse->expecting == 0xf3)
                        mouse->rate = byte;
                else
                        mouse->resolution = byte & 3;
                mouse->expecting = 0;
                queue_put(queue, DEV_ACK);
                return;
        }
        if (byte < 0xe6 || (byte > 0xee && byte < 0xf0) || byte == 0xf1 || (byte > 0xf6 && byte < 0xff)) {
                queue_put(queue, DEV_RESEND);
                return;
        }
        if (byte == 0xff) {
                mouse_defaults(mouse);
                queue->count = 0;
        }
        queue_put(queue, DEV_ACK);
        switch (byte) {
        case 0xe6: case 0xe7:
                mouse->scale_2_1 = byte == 0xe7;
                break;
        case 0xe8: case 0xf3:
                mouse->expecting = byte;
                break;
        case 0xe9:
                queue_put(queue, (uint8_t)(mouse->remote << 6 | mouse->reporting << 5 | mouse->scale_2_1 << 4));
                queue_put(queue, mouse->resolution);
                queue_put(queue, mouse->rate);
                break;
        case 0xea: case 0xf0:
                mouse->remote = byte == 0xf0;
                break;
        case 0xeb:                      /* no movement, no buttons; bit 3 is always set */
                queue_put(queue, 0x08);
                queue_put(queue, 0);
                queue_put(queue, 0);
                break;
        case 0xf2:
                queue_put(queue, 0x00);
                break;
        case 0xf4: case 0xf5:
                mouse->reporting = byte == 0xf4;
                break;
        case 0xf6:
                mouse_defaults(mouse);
                break;
        case 0xff:
                queue_put(queue, DEV_PASSED);
                queue_put(queue, 0x00);
                break;
        default:
                break;
        }
}

/* -- Controller --------------------------------------------------------------------------------- */

static void i8042_set_output_port(struct i8042 *kbc, uint8_t value)
{
        const struct device_env *env = kbc->device.env;
        uint8_t changed = kbc->output_port ^ value;

        kbc->output_port = value & (OUT_NOT_RESET | OUT_A20);
        if (changed & OUT_A20)
                env->request(env->opaque, value & OUT_A20 ? MACHINE_A20_ON : MACHINE_A20_OFF, 0);
        if (!(value & OUT_NOT_RESET)) {
                kbc->output_port |= OUT_NOT_RESET;
                env->request(env->opaque, MACHINE_CPU_INIT, 0);
        }
}

static uint8_t i8042_output_port(const struct i8042 *kbc)
{
        uint8_t full = kbc->status & STATUS_OBF ? (kbc->status & STATUS_AUX ? OUT_AUX_IRQ : OUT_KBD_IRQ) : 0;

        return kbc->output_port | full | 0xcc;
}

static void i8042_command(struct i8042 *kbc, uint8_t command)
{
        const struct device_env *env = kbc->device.env;

        kbc->status |= STATUS_COMMAND;
        kbc->expecting = 0;
        switch (command) {
        case CMD_READ_MODE:
                i8042_output(kbc, kbc->mode, false);
                break;
        case CMD_WRITE_MODE: case CMD_WRITE_OUTPUT: case CMD_WRITE_KBD_BUFFER: case CMD_WRITE_AUX_BUFFER:
        case CMD_WRITE_AUX:
                kbc->expecting = command;
                break;
        case CMD_TEST_PASSWORD:
                i8042_output(kbc, 0xf1, false);         /* none is set */
                break;
        case CMD_AUX_OFF:
                kbc->mode |= MODE_AUX_OFF;
                break;
        case CMD_AUX_ON:
                kbc->mode &= (uint8_t)~MODE_AUX_OFF;
                break;
        case CMD_AUX_TEST: case CMD_KBD_TEST:
                i8042_output(kbc, 0x00, false);
                break;
        case CMD_SELF_TEST:
                kbc->status |= STATUS_SYSTEM;
                i8042_output(kbc, 0x55, false);
                break;
        case CMD_KBD_OFF:
                kbc->mode |= MODE_KBD_OFF;
                break;
        case CMD_KBD_ON:
                kbc->mode &= (uint8_t)~MODE_KBD_OFF;
                break;
        case CMD_READ_INPUT:
                i8042_output(kbc, 0x80, false);         /* keyboard not locked */
                break;
        case CMD_READ_OUTPUT:
                i8042_output(kbc, i8042_output_port(kbc), false);
                break;
        case CMD_A20_OFF:
                i8042_set_output_port(kbc, kbc->output_port & (uint8_t)~OUT_A20);
                break;
        case CMD_A20_ON:
                i8042_set_output_port(kbc, kbc->output_port | OUT_A20);
                break;
        case CMD_TEST_INPUTS:
                i8042_output(kbc, 0x00, false);
                break;
        default:
                /* F0h-FFh pulse the output lines whose bits are clear; bit 0 is the CPU's reset. */
                if (command >= CMD_PULSE) {
                        if (!(command & OUT_NOT_RESET))
                                env->request(env->opaque, MACHINE_CPU_INIT, 0);
                } else {
                        guest_error("i8042", "unknown command %02xh", command);
                }
                break;
        }
        i8042_pump(kbc);
}

static void i8042_data(struct i8042 *kbc, uint8_t byte)
{
        uint8_t command = kbc->expecting;

        kbc->status &= (uint8_t)~STATUS_COMMAND;
        kbc->expecting = 0;
        switch (command) {
        case CMD_WRITE_MODE:
                kbc->mode = byte;
                kbc->status = (uint8_t)((kbc->status & ~STATUS_SYSTEM) | (byte & MODE_SYSTEM ? STATUS_SYSTEM : 0));
                break;
        case CMD_WRITE_OUTPUT:
                i8042_set_output_port(kbc, byte);
                break;
        case CMD_WRITE_KBD_BUFFER: case CMD_WRITE_AUX_BUFFER:
                i8042_output(kbc, byte, command == CMD_WRITE_AUX_BUFFER);
                break;
        case CMD_WRITE_AUX:
                kbc->mode &= (uint8_t)~MODE_AUX_OFF;
                mouse_write(kbc, byte);
                break;
        default:
                /* Writing to the keyboard lets its clock run again. */
                kbc->mode &= (uint8_t)~MODE_KBD_OFF;
                keyboard_write(kbc, byte);
                break;
        }
        i8042_pump(kbc);
}

static uint32_t i8042_read(void *opaque, uint16_t port, unsigned size)
{
        struct i8042 *kbc = opaque;
        uint8_t value;

        (void)size;
        if (port == PORT_COMMAND)
                return kbc->status | STATUS_UNLOCKED;
        value = kbc->output;
        kbc->status &= (uint8_t)~(STATUS_OBF | STATUS_AUX);
        i8042_update(kbc);
        i8042_pump(kbc);
        return value;
}

static void i8042_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        (void)size;
        if (port == PORT_COMMAND)
                i8042_command(opaque, (uint8_t)value);
        else
                i8042_data(opaque, (uint8_t)value);
}

static const struct port_ops i8042_ops = { i8042_read, i8042_write, 1 };

/* -- Life --------------------------------------------------------------------------------------- */

void i8042_connect_irqs(struct device *device, struct irq keyboard, struct irq mouse)
{
        ((struct i8042 *)device)->keyboard_irq = keyboard;
        ((struct i8042 *)device)->mouse_irq = mouse;
}

static void i8042_reset(struct device *device)
{
        struct i8042 *kbc = (struct i8042 *)device;

        kbc->status = 0;
        kbc->mode = MODE_KBD_IRQ | MODE_AUX_IRQ | MODE_TRANSLATE;
        kbc->output_port = OUT_NOT_RESET | OUT_A20;
        kbc->output = 0;
        kbc->expecting = 0;
        memset(&kbc->keyboard, 0, sizeof(kbc->keyboard));
        memset(&kbc->mouse, 0, sizeof(kbc->mouse));
        keyboard_defaults(&kbc->keyboard);
        mouse_defaults(&kbc->mouse);
        i8042_update(kbc);
}

static bool i8042_create(struct device *device, GError **error)
{
        (void)error;
        ports_map(device->env->ports, PORT_DATA, 1, &i8042_ops, device, "keyboard controller data");
        ports_map(device->env->ports, PORT_COMMAND, 1, &i8042_ops, device, "keyboard controller command");
        return true;
}

static bool i8042_post_load(struct device *device, GError **error)
{
        struct i8042 *kbc = (struct i8042 *)device;
        const struct ps2_queue *queues[] = { &kbc->keyboard.queue, &kbc->mouse.queue };

        for (unsigned i = 0; i < 2; i++) {
                if (queues[i]->head >= sizeof(queues[i]->bytes) || queues[i]->count > sizeof(queues[i]->bytes)) {
                        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "i8042: impossible queue");
                        return false;
                }
        }
        if (kbc->keyboard.scan_set < 1 || kbc->keyboard.scan_set > 3) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "i8042: impossible scan code set");
                return false;
        }
        i8042_update(kbc);
        return true;
}

static const struct device_class i8042_class = {
        .name = "i8042",
        .description = "keyboard controller with PS/2 keyboard and mouse",
        .size = sizeof(struct i8042),
        .state = i8042_fields,
        .create = i8042_create,
        .reset = i8042_reset,
        .post_load = i8042_post_load,
};

DEVICE_CLASS(i8042_class);
