/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i8042.c - the keyboard controller (ports 60h and 64h), to which a PS/2 keyboard and a PS/2 mouse are
 * connected (ps2_keyboard.c, ps2_mouse.c).
 *
 * Controller commands as in the IBM PS/2 Technical Reference, "Keyboard and Auxiliary Device
 * Controller"; the A20 gate and the CPU reset hang on its output port.  Bytes that a device sends
 * wait in the device's queue until the output buffer is empty; the interrupt line drops in between,
 * so each byte is an edge of its own.
 *
 * Bytes of the keyboard are translated from scan code set 2 to set 1 on their way, if the mode says so;
 * the F0h before a release is swallowed and remembered until its code comes.
 */
#include "base/log.h"
#include "devices/input/i8042.h"
#include "devices/input/ps2_common.h"

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
struct i8042 {
        struct device device;
        uint8_t status;                 /* saved: OBF, AUX, COMMAND, SYSTEM bits */
        uint8_t mode;                   /* saved: command byte */
        uint8_t output_port;            /* saved: A20 and reset lines */
        uint8_t output;                 /* saved: output buffer */
        uint8_t expecting;              /* saved: controller command whose data byte comes next, or 0 */
        bool release;                   /* saved: F0h came, its code has not */
        struct ps2_keyboard keyboard;   /* saved */
        struct ps2_mouse mouse;         /* saved */
        struct irq keyboard_irq, mouse_irq;
};

static const struct state_field i8042_fields[] = {
        STATE_SKIP(struct i8042, device, "identity"),
        STATE_U8(struct i8042, status),
        STATE_U8(struct i8042, mode),
        STATE_U8(struct i8042, output_port),
        STATE_U8(struct i8042, output),
        STATE_U8(struct i8042, expecting),
        STATE_BOOL(struct i8042, release),
        STATE_STRUCT(struct i8042, keyboard, ps2_keyboard_fields),
        STATE_STRUCT(struct i8042, mouse, ps2_mouse_fields),
        STATE_SKIP(struct i8042, keyboard_irq, "wiring"),
        STATE_SKIP(struct i8042, mouse_irq, "wiring"),
        STATE_END
};

/* -- The output buffer -------------------------------------------------------------------------- */

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

/* The next byte of the keyboard, translated if need be. */
static bool i8042_take_key(struct i8042 *kbc, uint8_t *byte)
{
        while (ps2_keyboard_take(&kbc->keyboard, byte))
                if (!(kbc->mode & MODE_TRANSLATE) || ps2_translate(byte, &kbc->release))
                        return true;
        return false;
}

/* Lets a device send its next byte when the output buffer is empty and its clock line is free. */
static void i8042_pump(struct i8042 *kbc)
{
        uint8_t byte;

        if (!(kbc->status & STATUS_OBF)) {
                if (!(kbc->mode & MODE_KBD_OFF) && i8042_take_key(kbc, &byte))
                        i8042_output(kbc, byte, false);
                else if (!(kbc->mode & MODE_AUX_OFF) && ps2_mouse_take(&kbc->mouse, &byte))
                        i8042_output(kbc, byte, true);
        }
        i8042_update(kbc);
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
                ps2_mouse_write(&kbc->mouse, byte);
                break;
        default:
                /* Writing to the keyboard lets its clock run again. */
                kbc->mode &= (uint8_t)~MODE_KBD_OFF;
                ps2_keyboard_write(&kbc->keyboard, byte);
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

/* -- What people do ------------------------------------------------------------------------------ */

static bool i8042_key(void *opaque, enum input_key key, bool down)
{
        struct i8042 *kbc = opaque;
        bool taken = ps2_keyboard_key(&kbc->keyboard, key, down);

        i8042_pump(kbc);
        return taken;
}

static void i8042_move(void *opaque, int right, int down, int wheel, unsigned buttons)
{
        struct i8042 *kbc = opaque;

        ps2_mouse_move(&kbc->mouse, right, down, wheel, buttons);
        i8042_pump(kbc);
}

/* -- Life --------------------------------------------------------------------------------------- */

void i8042_connect_irqs(struct device *device, struct irq keyboard, struct irq mouse)
{
        ((struct i8042 *)device)->keyboard_irq = keyboard;
        ((struct i8042 *)device)->mouse_irq = mouse;
}

void i8042_connect_input(struct device *device, struct input *input)
{
        input_connect_keyboard(input, &(struct input_keyboard){ i8042_key, device });
        input_connect_mouse(input, &(struct input_mouse){ i8042_move, device });
}

static void i8042_reset(struct device *device)
{
        struct i8042 *kbc = (struct i8042 *)device;

        kbc->status = 0;
        kbc->mode = MODE_KBD_IRQ | MODE_AUX_IRQ | MODE_TRANSLATE;
        kbc->output_port = OUT_NOT_RESET | OUT_A20;
        kbc->output = 0;
        kbc->expecting = 0;
        kbc->release = false;
        ps2_keyboard_reset(&kbc->keyboard);
        ps2_mouse_reset(&kbc->mouse);
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

        if (!ps2_keyboard_valid(&kbc->keyboard) || !ps2_mouse_valid(&kbc->mouse)) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "i8042: impossible state of keyboard or mouse");
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
