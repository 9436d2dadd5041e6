/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ps2_common.h - the two devices behind a keyboard controller, as the controller sees them.
 *
 * A device receives command bytes and has bytes to send, which the controller takes one by one when
 * its output buffer is empty and the device's clock line is free.  Answers go out before what was
 * typed or moved.  The machine lock is held throughout.
 */
#ifndef LODGER_DEVICES_INPUT_PS2_COMMON_H
#define LODGER_DEVICES_INPUT_PS2_COMMON_H

#include "base/state.h"
#include "devices/input/input.h"

/* What both devices say. */
enum { PS2_ACK = 0xfa, PS2_RESEND = 0xfe, PS2_PASSED = 0xaa, PS2_ECHO = 0xee };
/* Commands that both know. */
enum {
        PS2_READ_ID = 0xf2, PS2_SET_RATE = 0xf3, PS2_ENABLE = 0xf4, PS2_DISABLE = 0xf5, PS2_DEFAULTS = 0xf6, PS2_RESEND_LAST = 0xfe,
        PS2_RESET = 0xff,
};

struct ps2_queue {
        uint8_t bytes[16];              /* a ring; what does not fit is lost, as in a device's own buffer */
        uint8_t head, count;
};

extern const struct state_field ps2_queue_fields[];

static inline void ps2_queue_put(struct ps2_queue *queue, uint8_t byte)
{
        if (queue->count < sizeof(queue->bytes))
                queue->bytes[(queue->head + queue->count++) % sizeof(queue->bytes)] = byte;
}

static inline uint8_t ps2_queue_take(struct ps2_queue *queue)
{
        uint8_t byte = queue->bytes[queue->head];

        queue->head = (uint8_t)((queue->head + 1) % sizeof(queue->bytes));
        queue->count--;
        return byte;
}

static inline unsigned ps2_queue_room(const struct ps2_queue *queue) { return sizeof(queue->bytes) - queue->count; }
static inline void ps2_queue_clear(struct ps2_queue *queue) { queue->head = queue->count = 0; }
static inline bool ps2_queue_valid(const struct ps2_queue *queue)
{
        return queue->head < sizeof(queue->bytes) && queue->count <= sizeof(queue->bytes);
}

/* -- Keyboard ---------------------------------------------------------------------------------- */

enum { PS2_SET3_CODES = 144 };

struct ps2_keyboard {
        struct ps2_queue answers, codes;
        uint8_t expecting;              /* command whose data byte comes next, or 0 */
        uint8_t scan_set;               /* 1-3, reset value 2 */
        uint8_t leds;                   /* 1 scroll lock, 2 num lock, 4 caps lock */
        uint8_t rate;                   /* typematic rate and delay, reset value 2Bh */
        uint8_t last;                   /* byte sent last, for Resend */
        bool scanning;                  /* reports keys */
        uint8_t held[16];               /* bit set of enum input_key: reported as pressed */
        uint8_t silent[PS2_SET3_CODES / 8];     /* bit set of set 3 codes whose release is not reported */
};

extern const struct state_field ps2_keyboard_fields[];

void ps2_keyboard_reset(struct ps2_keyboard *keyboard);
bool ps2_keyboard_valid(const struct ps2_keyboard *keyboard);
void ps2_keyboard_write(struct ps2_keyboard *keyboard, uint8_t byte);
/* False: nothing to send. */
bool ps2_keyboard_take(struct ps2_keyboard *keyboard, uint8_t *byte);
/* False: no room for its codes now. */
bool ps2_keyboard_key(struct ps2_keyboard *keyboard, enum input_key key, bool down);
/* A byte of set 2 becomes what the controller passes on in set 1.  False: nothing, it was F0h, which sets
 * *release for the code that follows. */
bool ps2_translate(uint8_t *byte, bool *release);

/* -- Mouse ------------------------------------------------------------------------------------- */

struct ps2_mouse {
        struct ps2_queue answers, packets;
        uint8_t expecting;              /* command whose data byte comes next, or 0 */
        uint8_t id;                     /* 0 plain, 3 with a wheel, 4 with wheel and five buttons */
        uint8_t rate, resolution;       /* reset values 100 and 2 */
        uint8_t knock[2];               /* the rates set before the last one: how drivers ask for the wheel */
        bool reporting, scale_2_1, remote, wrap;
        uint8_t buttons, reported;      /* enum input_button: held now, and in the last packet */
        uint8_t last[4], last_bytes;    /* the answer or packet sent last, for Resend */
        uint32_t right, down, wheel;    /* two's complement: movement not reported yet */
};

extern const struct state_field ps2_mouse_fields[];

void ps2_mouse_reset(struct ps2_mouse *mouse);
bool ps2_mouse_valid(const struct ps2_mouse *mouse);
void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t byte);
bool ps2_mouse_take(struct ps2_mouse *mouse, uint8_t *byte);
void ps2_mouse_move(struct ps2_mouse *mouse, int right, int down, int wheel, unsigned buttons);

#endif
