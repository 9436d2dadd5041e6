/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ps2_mouse.c - a PS/2 mouse (IBM PS/2 Technical Reference, "Mouse"), with Microsoft's extensions.
 *
 * A packet is three bytes, or four once a driver has asked for the wheel by setting the sample rates
 * 200, 100, 80 (id 3), or 200, 200, 80 for five buttons as well (id 4).  Movement is summed up until
 * the packet before it has been taken, so a slow guest gets fewer packets and loses no distance.
 *
 * Not modelled: the sample rate as a limit, and the resolution (a unit of movement is what a front
 * end says it is); both are kept and read back.
 */
#include <string.h>

#include "devices/input/ps2_common.h"

enum {
        COMMAND_SCALE_1_1 = 0xe6, COMMAND_SCALE_2_1 = 0xe7, COMMAND_RESOLUTION = 0xe8, COMMAND_STATUS = 0xe9,
        COMMAND_STREAM = 0xea, COMMAND_READ = 0xeb, COMMAND_UNWRAP = 0xec, COMMAND_WRAP = 0xee, COMMAND_REMOTE = 0xf0,
};
/* First byte of a packet; bits 0-2 are the buttons. */
enum { PACKET_ALWAYS = 1 << 3, PACKET_X_SIGN = 1 << 4, PACKET_Y_SIGN = 1 << 5 };
enum { ID_PLAIN = 0, ID_WHEEL = 3, ID_FIVE_BUTTONS = 4 };

const struct state_field ps2_mouse_fields[] = {
        STATE_STRUCT(struct ps2_mouse, answers, ps2_queue_fields),
        STATE_STRUCT(struct ps2_mouse, packets, ps2_queue_fields),
        STATE_U8(struct ps2_mouse, expecting),
        STATE_U8(struct ps2_mouse, id),
        STATE_U8(struct ps2_mouse, rate),
        STATE_U8(struct ps2_mouse, resolution),
        STATE_BYTES(struct ps2_mouse, knock),
        STATE_BOOL(struct ps2_mouse, reporting),
        STATE_BOOL(struct ps2_mouse, scale_2_1),
        STATE_BOOL(struct ps2_mouse, remote),
        STATE_BOOL(struct ps2_mouse, wrap),
        STATE_U8(struct ps2_mouse, buttons),
        STATE_U8(struct ps2_mouse, reported),
        STATE_BYTES(struct ps2_mouse, last),
        STATE_U8(struct ps2_mouse, last_bytes),
        STATE_U32(struct ps2_mouse, right),
        STATE_U32(struct ps2_mouse, down),
        STATE_U32(struct ps2_mouse, wheel),
        STATE_END
};

/* -- Packets ------------------------------------------------------------------------------------- */

static void mouse_answer(struct ps2_mouse *mouse, uint8_t byte)
{
        ps2_queue_put(&mouse->answers, byte);
        mouse->last[0] = byte;
        mouse->last_bytes = 1;
}

/* Takes from a sum what fits between the limits. */
static int sum_take(uint32_t *sum, int minimum, int maximum)
{
        int value = (int32_t)*sum;

        value = value < minimum ? minimum : value > maximum ? maximum : value;
        *sum -= (uint32_t)value;
        return value;
}

/* Scaling 2:1 of the stream mode. */
static int scale(const struct ps2_mouse *mouse, int value)
{
        static const int small[] = { 0, 1, 1, 3, 6, 9 };
        int size = value < 0 ? -value : value;

        if (!mouse->scale_2_1 || mouse->remote)
                return value;
        size = size < 6 ? small[size] : 2 * size;
        return value < 0 ? -size : size;
}

static void mouse_packet(struct ps2_mouse *mouse, struct ps2_queue *to)
{
        /* 2:1 doubles, and nine bits must hold the result. */
        int limit = mouse->scale_2_1 && !mouse->remote ? 127 : 255;
        int right = scale(mouse, sum_take(&mouse->right, -limit, limit));
        int up = -scale(mouse, sum_take(&mouse->down, -limit, limit));

        mouse->last_bytes = 3;
        mouse->last[0] = (uint8_t)(PACKET_ALWAYS | (mouse->buttons & 7) | (right < 0 ? PACKET_X_SIGN : 0) |
                                   (up < 0 ? PACKET_Y_SIGN : 0));
        mouse->last[1] = (uint8_t)right;
        mouse->last[2] = (uint8_t)up;
        if (mouse->id != ID_PLAIN) {
                int wheel = sum_take(&mouse->wheel, -8, 7);

                mouse->last[mouse->last_bytes++] = (uint8_t)(mouse->id == ID_WHEEL ? wheel
                                                                                   : (wheel & 15) | (mouse->buttons & 0x18) << 1);
        } else {
                mouse->wheel = 0;
        }
        mouse->reported = mouse->buttons;
        for (unsigned i = 0; i < mouse->last_bytes; i++)
                ps2_queue_put(to, mouse->last[i]);
}

static bool mouse_has_news(const struct ps2_mouse *mouse)
{
        uint8_t visible = mouse->id == ID_FIVE_BUTTONS ? INPUT_BUTTONS : 7;

        return mouse->right || mouse->down || (mouse->wheel && mouse->id != ID_PLAIN) ||
               ((mouse->buttons ^ mouse->reported) & visible);
}

void ps2_mouse_move(struct ps2_mouse *mouse, int right, int down, int wheel, unsigned buttons)
{
        /* In stream mode a mouse that does not report loses what happens meanwhile. */
        if (mouse->reporting || mouse->remote) {
                mouse->right += (uint32_t)right;
                mouse->down += (uint32_t)down;
                mouse->wheel += (uint32_t)wheel;
        }
        mouse->buttons = (uint8_t)(buttons & INPUT_BUTTONS);
}

bool ps2_mouse_take(struct ps2_mouse *mouse, uint8_t *byte)
{
        if (mouse->answers.count) {
                *byte = ps2_queue_take(&mouse->answers);
                return true;
        }
        if (!mouse->packets.count && mouse->reporting && !mouse->remote && !mouse->wrap && mouse_has_news(mouse))
                mouse_packet(mouse, &mouse->packets);
        if (!mouse->packets.count)
                return false;
        *byte = ps2_queue_take(&mouse->packets);
        return true;
}

/* -- Commands ------------------------------------------------------------------------------------ */

static void mouse_forget(struct ps2_mouse *mouse)
{
        ps2_queue_clear(&mouse->packets);
        mouse->right = mouse->down = mouse->wheel = 0;
        mouse->reported = mouse->buttons;
}

static void mouse_defaults(struct ps2_mouse *mouse)
{
        mouse->rate = 100;
        mouse->resolution = 2;
        mouse->reporting = mouse->scale_2_1 = mouse->remote = mouse->wrap = false;
        memset(mouse->knock, 0, sizeof(mouse->knock));
        mouse_forget(mouse);
}

static void mouse_set_rate(struct ps2_mouse *mouse, uint8_t rate)
{
        if (mouse->knock[0] == 200 && rate == 80) {
                if (mouse->knock[1] == 100)
                        mouse->id = ID_WHEEL;
                else if (mouse->knock[1] == 200)
                        mouse->id = ID_FIVE_BUTTONS;
        }
        mouse->knock[0] = mouse->knock[1];
        mouse->knock[1] = rate;
        mouse->rate = rate;
}

static void mouse_resend(struct ps2_mouse *mouse)
{
        ps2_queue_clear(&mouse->answers);
        for (unsigned i = 0; i < mouse->last_bytes; i++)
                ps2_queue_put(&mouse->answers, mouse->last[i]);
}

static void mouse_command(struct ps2_mouse *mouse, uint8_t byte)
{
        switch (byte) {
        case COMMAND_SCALE_1_1: case COMMAND_SCALE_2_1:
                mouse->scale_2_1 = byte == COMMAND_SCALE_2_1;
                break;
        case COMMAND_RESOLUTION: case PS2_SET_RATE:
                mouse->expecting = byte;
                break;
        case COMMAND_STREAM: case COMMAND_REMOTE:
                mouse->remote = byte == COMMAND_REMOTE;
                mouse_forget(mouse);
                break;
        case COMMAND_WRAP: case COMMAND_UNWRAP:
                mouse->wrap = byte == COMMAND_WRAP;
                break;
        case PS2_ENABLE: case PS2_DISABLE:
                mouse->reporting = byte == PS2_ENABLE;
                mouse_forget(mouse);
                break;
        case PS2_DEFAULTS:
                mouse_defaults(mouse);
                break;
        case PS2_RESET:
                mouse_defaults(mouse);
                mouse->id = ID_PLAIN;
                break;
        case COMMAND_STATUS: case COMMAND_READ: case PS2_READ_ID:
                break;
        default:
                mouse_answer(mouse, PS2_RESEND);
                return;
        }
        mouse_answer(mouse, PS2_ACK);
        switch (byte) {
        case COMMAND_STATUS:
                mouse_answer(mouse, (uint8_t)(mouse->remote << 6 | mouse->reporting << 5 | mouse->scale_2_1 << 4 |
                                              (mouse->buttons & INPUT_BUTTON_LEFT) << 2 | (mouse->buttons & INPUT_BUTTON_MIDDLE) >> 1 |
                                              (mouse->buttons & INPUT_BUTTON_RIGHT) >> 1));
                mouse_answer(mouse, mouse->resolution);
                mouse_answer(mouse, mouse->rate);
                break;
        case COMMAND_READ:
                mouse_packet(mouse, &mouse->answers);
                break;
        case PS2_READ_ID:
                mouse_answer(mouse, mouse->id);
                break;
        case PS2_RESET:
                mouse_answer(mouse, PS2_PASSED);
                mouse_answer(mouse, mouse->id);
                break;
        default:
                break;
        }
}

void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t byte)
{
        uint8_t command = mouse->expecting;

        mouse->expecting = 0;
        if (byte == PS2_RESEND_LAST) {
                mouse_resend(mouse);
                return;
        }
        /* A command ends what was being sent, in the middle of a packet too. */
        ps2_queue_clear(&mouse->answers);
        ps2_queue_clear(&mouse->packets);
        if (mouse->wrap && byte != PS2_RESET && byte != COMMAND_UNWRAP) {
                mouse_answer(mouse, byte);
        } else if (command == PS2_SET_RATE && byte != PS2_RESET) {
                mouse_set_rate(mouse, byte);
                mouse_answer(mouse, PS2_ACK);
        } else if (command == COMMAND_RESOLUTION && byte != PS2_RESET) {
                mouse->resolution = byte & 3;
                mouse_answer(mouse, PS2_ACK);
        } else {
                mouse_command(mouse, byte);
        }
}

/* -- Life ---------------------------------------------------------------------------------------- */

void ps2_mouse_reset(struct ps2_mouse *mouse)
{
        memset(mouse, 0, sizeof(*mouse));
        mouse_defaults(mouse);
}

bool ps2_mouse_valid(const struct ps2_mouse *mouse)
{
        return ps2_queue_valid(&mouse->answers) && ps2_queue_valid(&mouse->packets) && mouse->last_bytes <= sizeof(mouse->last) &&
               (mouse->id == ID_PLAIN || mouse->id == ID_WHEEL || mouse->id == ID_FIVE_BUTTONS);
}
