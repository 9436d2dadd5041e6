/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ps2_keyboard.c - a PS/2 keyboard (IBM PS/2 Technical Reference, "Keyboard (101- and 102-key)").
 *
 * Scan code sets:
 *
 *      1       make code; release is the make code with bit 7; E0h before some
 *      2       make code; release is F0h and the make code; E0h before some
 *      3       one code a key, release is F0h and the code; which releases are reported can be set
 *
 * The guest nearly always sees set 2 translated to set 1 by the controller; ps2_translate() is that
 * table, and the keyboard's own set 1 comes from it as well.
 *
 * Not modelled: typematic repeat (front ends repeat keys themselves; the rate is kept for the guest
 * that reads it back through a snapshot) and the extra shift codes around the cursor keys under Num
 * Lock, which are for software that does not know E0h.
 */
#include <string.h>

#include "devices/input/ps2_common.h"

enum {
        COMMAND_LEDS = 0xed, COMMAND_ECHO = 0xee, COMMAND_SCAN_SET = 0xf0, COMMAND_ALL_FIRST = 0xf7, COMMAND_ALL_LAST = 0xfa,
        COMMAND_KEY_TYPEMATIC = 0xfb, COMMAND_KEY_MAKE_BREAK = 0xfc, COMMAND_KEY_MAKE = 0xfd,
};
enum { COMMAND_ALL_TYPEMATIC = 0xf7, COMMAND_ALL_MAKE = 0xf9 };
enum { RELEASE = 0xf0, PREFIX = 0xe0, PREFIX_PAUSE = 0xe1, RATE_RESET = 0x2b, CODES_MAX = 8 };

static const struct { uint16_t set2; uint8_t set3; } codes[INPUT_KEY_COUNT] = {
#define X(id, name, set2, set3) [INPUT_KEY_##id] = { set2, set3 },
        INPUT_KEYS(X)
#undef X
};
_Static_assert(INPUT_KEY_COUNT <= 128, "ps2_keyboard.held has a bit for each key");

const struct state_field ps2_queue_fields[] = {
        STATE_BYTES(struct ps2_queue, bytes),
        STATE_U8(struct ps2_queue, head),
        STATE_U8(struct ps2_queue, count),
        STATE_END
};

const struct state_field ps2_keyboard_fields[] = {
        STATE_STRUCT(struct ps2_keyboard, answers, ps2_queue_fields),
        STATE_STRUCT(struct ps2_keyboard, codes, ps2_queue_fields),
        STATE_U8(struct ps2_keyboard, expecting),
        STATE_U8(struct ps2_keyboard, scan_set),
        STATE_U8(struct ps2_keyboard, leds),
        STATE_U8(struct ps2_keyboard, rate),
        STATE_U8(struct ps2_keyboard, last),
        STATE_BOOL(struct ps2_keyboard, scanning),
        STATE_BYTES(struct ps2_keyboard, held),
        STATE_BYTES(struct ps2_keyboard, silent),
        STATE_END
};

static bool bit_get(const uint8_t *set, unsigned bit) { return set[bit / 8] >> bit % 8 & 1; }

static void bit_put(uint8_t *set, unsigned bit, bool on)
{
        set[bit / 8] = (uint8_t)((set[bit / 8] & ~(1u << bit % 8)) | (unsigned)on << bit % 8);
}

/* -- Codes --------------------------------------------------------------------------------------- */

bool ps2_translate(uint8_t *byte, bool *release)
{
        /* Set 2 to set 1, as in the controller's ROM. */
        static const uint8_t table[128] = {
                0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
                0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
                0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
                0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
                0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
                0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
                0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
                0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
        };
        uint8_t value = *byte;

        if (value == RELEASE) {
                *release = true;
                return false;
        }
        if (value < 0x80)
                value = table[value];
        else if (value == 0x83 || value == 0x84)
                value = value == 0x83 ? 0x41 : 0x54;
        else
                return true;            /* answers and prefixes pass, even between F0h and its code */
        *byte = (uint8_t)(value | (*release ? 0x80 : 0));
        *release = false;
        return true;
}

static unsigned codes_put(uint8_t *to, unsigned count, uint16_t code, bool down)
{
        if (code >> 8)
                to[count++] = (uint8_t)(code >> 8);
        if (!down)
                to[count++] = RELEASE;
        to[count++] = (uint8_t)code;
        return count;
}

static bool is_held(const struct ps2_keyboard *keyboard, enum input_key first, enum input_key second)
{
        return bit_get(keyboard->held, first) || bit_get(keyboard->held, second);
}

/* Print Screen and Pause stand in for two keys of older keyboards each, chosen by Alt and Ctrl. */
static unsigned codes_of_set2(const struct ps2_keyboard *keyboard, enum input_key key, bool down, uint8_t to[CODES_MAX])
{
        bool shift = is_held(keyboard, INPUT_KEY_LEFT_SHIFT, INPUT_KEY_RIGHT_SHIFT);
        bool ctrl = is_held(keyboard, INPUT_KEY_LEFT_CTRL, INPUT_KEY_RIGHT_CTRL);
        bool alt = is_held(keyboard, INPUT_KEY_LEFT_ALT, INPUT_KEY_RIGHT_ALT);
        static const uint8_t pause[] = { PREFIX_PAUSE, 0x14, 0x77, PREFIX_PAUSE, RELEASE, 0x14, RELEASE, 0x77 };
        static const uint8_t pause_ctrl[] = { PREFIX, 0x7e, PREFIX, RELEASE, 0x7e };
        unsigned count = 0;

        switch (key) {
        case INPUT_KEY_PAUSE:           /* all of it on the press, nothing on the release */
                if (!down)
                        return 0;
                memcpy(to, ctrl ? pause_ctrl : pause, ctrl ? sizeof(pause_ctrl) : sizeof(pause));
                return ctrl ? sizeof(pause_ctrl) : sizeof(pause);
        case INPUT_KEY_PRINT:
                if (alt)
                        return codes_put(to, 0, 0x84, down);
                if (down && !shift && !ctrl)
                        count = codes_put(to, count, 0xe012, true);
                count = codes_put(to, count, 0xe07c, down);
                if (!down && !shift && !ctrl)
                        count = codes_put(to, count, 0xe012, false);
                return count;
        default:
                return codes_put(to, 0, codes[key].set2, down);
        }
}

static unsigned codes_of_set1(const struct ps2_keyboard *keyboard, enum input_key key, bool down, uint8_t to[CODES_MAX])
{
        uint8_t set2[CODES_MAX];
        unsigned from = codes_of_set2(keyboard, key, down, set2), count = 0;
        bool release = false;

        for (unsigned i = 0; i < from; i++) {
                uint8_t byte = set2[i];

                if (ps2_translate(&byte, &release))
                        to[count++] = byte;
        }
        return count;
}

static unsigned codes_of_set3(const struct ps2_keyboard *keyboard, enum input_key key, bool down, uint8_t to[CODES_MAX])
{
        uint8_t code = codes[key].set3;

        if (!down && bit_get(keyboard->silent, code))
                return 0;
        return codes_put(to, 0, code, down);
}

bool ps2_keyboard_key(struct ps2_keyboard *keyboard, enum input_key key, bool down)
{
        uint8_t bytes[CODES_MAX];
        unsigned count;

        if (!keyboard->scanning)
                return true;                    /* lost, as on a keyboard that is switched off */
        if (keyboard->scan_set == 1)
                count = codes_of_set1(keyboard, key, down, bytes);
        else if (keyboard->scan_set == 2)
                count = codes_of_set2(keyboard, key, down, bytes);
        else
                count = codes_of_set3(keyboard, key, down, bytes);
        if (count > ps2_queue_room(&keyboard->codes))
                return false;
        for (unsigned i = 0; i < count; i++)
                ps2_queue_put(&keyboard->codes, bytes[i]);
        bit_put(keyboard->held, key, down);
        return true;
}

/* -- Commands ------------------------------------------------------------------------------------ */

/* What set 3 is like after a reset: releases are reported of the keys that are held to change others. */
static void set3_defaults(struct ps2_keyboard *keyboard)
{
        static const enum input_key reported[] = {
                INPUT_KEY_LEFT_SHIFT, INPUT_KEY_RIGHT_SHIFT, INPUT_KEY_LEFT_CTRL, INPUT_KEY_LEFT_ALT, INPUT_KEY_CAPS_LOCK,
        };

        memset(keyboard->silent, 0xff, sizeof(keyboard->silent));
        for (unsigned i = 0; i < sizeof(reported) / sizeof(reported[0]); i++)
                bit_put(keyboard->silent, codes[reported[i]].set3, false);
}

static void keyboard_defaults(struct ps2_keyboard *keyboard)
{
        keyboard->scan_set = 2;
        keyboard->rate = RATE_RESET;
        keyboard->expecting = 0;
        ps2_queue_clear(&keyboard->codes);
        set3_defaults(keyboard);
}

static void keyboard_data(struct ps2_keyboard *keyboard, uint8_t command, uint8_t byte)
{
        switch (command) {
        case COMMAND_LEDS:
                keyboard->leds = byte & 7;
                break;
        case PS2_SET_RATE:
                keyboard->rate = byte & 0x7f;
                break;
        case COMMAND_SCAN_SET:
                if (byte > 3) {
                        ps2_queue_put(&keyboard->answers, PS2_RESEND);
                        return;
                }
                ps2_queue_put(&keyboard->answers, PS2_ACK);
                if (!byte)
                        ps2_queue_put(&keyboard->answers, keyboard->scan_set);
                else
                        keyboard->scan_set = byte;
                return;
        default:                                /* FBh-FDh: one key's type, until a code that is none */
                if (byte < PS2_SET3_CODES) {
                        bit_put(keyboard->silent, byte, command != COMMAND_KEY_MAKE_BREAK);
                        keyboard->expecting = command;
                }
                break;
        }
        ps2_queue_put(&keyboard->answers, PS2_ACK);
}

void ps2_keyboard_write(struct ps2_keyboard *keyboard, uint8_t byte)
{
        uint8_t command = keyboard->expecting;

        keyboard->expecting = 0;
        if (command && byte < COMMAND_LEDS) {
                keyboard_data(keyboard, command, byte);
                return;
        }
        if (byte != PS2_RESEND_LAST)
                ps2_queue_clear(&keyboard->answers);
        switch (byte) {
        case COMMAND_ECHO:
                ps2_queue_put(&keyboard->answers, PS2_ECHO);
                return;
        case PS2_RESEND_LAST:
                ps2_queue_put(&keyboard->answers, keyboard->last);
                return;
        case COMMAND_LEDS: case COMMAND_SCAN_SET: case PS2_SET_RATE:
        case COMMAND_KEY_TYPEMATIC: case COMMAND_KEY_MAKE_BREAK: case COMMAND_KEY_MAKE:
                keyboard->expecting = byte;
                break;
        case PS2_ENABLE:
                keyboard->scanning = true;
                ps2_queue_clear(&keyboard->codes);
                break;
        case PS2_DISABLE: case PS2_DEFAULTS:
                keyboard_defaults(keyboard);
                keyboard->scanning = byte == PS2_DEFAULTS;
                break;
        case COMMAND_ALL_FIRST ... COMMAND_ALL_LAST:
                memset(keyboard->silent, byte == COMMAND_ALL_TYPEMATIC || byte == COMMAND_ALL_MAKE ? 0xff : 0,
                       sizeof(keyboard->silent));
                break;
        case PS2_READ_ID: case PS2_RESET:
                break;
        default:
                ps2_queue_put(&keyboard->answers, PS2_RESEND);
                return;
        }
        ps2_queue_put(&keyboard->answers, PS2_ACK);
        if (byte == PS2_READ_ID) {
                ps2_queue_put(&keyboard->answers, 0xab);
                ps2_queue_put(&keyboard->answers, 0x83);
        } else if (byte == PS2_RESET) {
                uint8_t sent = keyboard->last;

                ps2_keyboard_reset(keyboard);
                keyboard->last = sent;
                ps2_queue_put(&keyboard->answers, PS2_ACK);
                ps2_queue_put(&keyboard->answers, PS2_PASSED);
        }
}

bool ps2_keyboard_take(struct ps2_keyboard *keyboard, uint8_t *byte)
{
        struct ps2_queue *queue = keyboard->answers.count ? &keyboard->answers : &keyboard->codes;

        if (!queue->count)
                return false;
        *byte = keyboard->last = ps2_queue_take(queue);
        return true;
}

/* -- Life ---------------------------------------------------------------------------------------- */

void ps2_keyboard_reset(struct ps2_keyboard *keyboard)
{
        memset(keyboard, 0, sizeof(*keyboard));
        keyboard_defaults(keyboard);
        keyboard->scanning = true;
}

bool ps2_keyboard_valid(const struct ps2_keyboard *keyboard)
{
        return ps2_queue_valid(&keyboard->answers) && ps2_queue_valid(&keyboard->codes) && keyboard->scan_set >= 1 &&
               keyboard->scan_set <= 3;
}
