/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ps2.c - keyboard and mouse as a guest sees them: scan codes, packets, commands; names and pace of typing. */
#include <string.h>

#include "devices/input/i8042.h"
#include "devices/input/ps2_common.h"
#include "rig.h"
#include "unit.h"

static struct ps2_keyboard keyboard;
static struct ps2_mouse mouse;

static void expect_codes(const char *hex)
{
        GString *text = g_string_new(NULL);
        uint8_t byte;

        while (ps2_keyboard_take(&keyboard, &byte))
                g_string_append_printf(text, "%s%02x", text->len ? " " : "", byte);
        ck_assert_str_eq(text->str, hex);
        g_string_free(text, TRUE);
}

static void expect_packets(const char *hex)
{
        GString *text = g_string_new(NULL);
        uint8_t byte;

        while (ps2_mouse_take(&mouse, &byte))
                g_string_append_printf(text, "%s%02x", text->len ? " " : "", byte);
        ck_assert_str_eq(text->str, hex);
        g_string_free(text, TRUE);
}

static void press(enum input_key key, const char *hex)
{
        ck_assert(ps2_keyboard_key(&keyboard, key, true));
        expect_codes(hex);
}

static void release(enum input_key key, const char *hex)
{
        ck_assert(ps2_keyboard_key(&keyboard, key, false));
        expect_codes(hex);
}

static void keyboard_command(uint8_t byte, const char *hex)
{
        ps2_keyboard_write(&keyboard, byte);
        expect_codes(hex);
}

static void mouse_command(uint8_t byte, const char *hex)
{
        ps2_mouse_write(&mouse, byte);
        expect_packets(hex);
}

START_TEST(scan_set_2)
{
        ps2_keyboard_reset(&keyboard);
        press(INPUT_KEY_A, "1c");
        release(INPUT_KEY_A, "f0 1c");
        press(INPUT_KEY_RIGHT_CTRL, "e0 14");
        release(INPUT_KEY_RIGHT_CTRL, "e0 f0 14");
        press(INPUT_KEY_PAUSE, "e1 14 77 e1 f0 14 f0 77");
        release(INPUT_KEY_PAUSE, "");
        press(INPUT_KEY_PRINT, "e0 12 e0 7c");
        release(INPUT_KEY_PRINT, "e0 f0 7c e0 f0 12");
        press(INPUT_KEY_LEFT_ALT, "11");
        press(INPUT_KEY_PRINT, "84");
        release(INPUT_KEY_PRINT, "f0 84");
        release(INPUT_KEY_LEFT_ALT, "f0 11");
        press(INPUT_KEY_LEFT_CTRL, "14");
        press(INPUT_KEY_PAUSE, "e0 7e e0 f0 7e");
}
END_TEST

START_TEST(scan_set_1)
{
        ps2_keyboard_reset(&keyboard);
        keyboard_command(0xf0, "fa");
        keyboard_command(1, "fa");
        keyboard_command(0xf0, "fa");
        keyboard_command(0, "fa 01");
        press(INPUT_KEY_A, "1e");
        release(INPUT_KEY_A, "9e");
        press(INPUT_KEY_DELETE, "e0 53");
        release(INPUT_KEY_DELETE, "e0 d3");
        press(INPUT_KEY_F7, "41");
        press(INPUT_KEY_PAUSE, "e1 1d 45 e1 9d c5");
        press(INPUT_KEY_PRINT, "e0 2a e0 37");
}
END_TEST

START_TEST(scan_set_3)
{
        ps2_keyboard_reset(&keyboard);
        keyboard_command(0xf0, "fa");
        keyboard_command(3, "fa");
        press(INPUT_KEY_A, "1c");
        release(INPUT_KEY_A, "");               /* only releases of shifts are told after a reset */
        press(INPUT_KEY_LEFT_SHIFT, "12");
        release(INPUT_KEY_LEFT_SHIFT, "f0 12");
        keyboard_command(0xfc, "fa");           /* A: make and break */
        keyboard_command(0x1c, "fa");
        keyboard_command(0xf4, "fa");
        press(INPUT_KEY_A, "1c");
        release(INPUT_KEY_A, "f0 1c");
        keyboard_command(0xf8, "fa");           /* all of them */
        press(INPUT_KEY_UP, "63");
        release(INPUT_KEY_UP, "f0 63");
        keyboard_command(0xf0, "fa");
        keyboard_command(4, "fe");
}
END_TEST

/* Every key has codes of its own in every set. */
START_TEST(codes_are_unique)
{
        static const char *const commands = "\1\2\3";
        GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (const char *set = commands; *set; set++) {
                g_hash_table_remove_all(seen);
                for (unsigned key = 1; key < INPUT_KEY_COUNT; key++) {
                        GString *text = g_string_new(NULL);
                        uint8_t byte;

                        ps2_keyboard_reset(&keyboard);
                        keyboard_command(0xf0, "fa");
                        keyboard_command((uint8_t)*set, "fa");
                        ck_assert(ps2_keyboard_key(&keyboard, (enum input_key)key, true));
                        while (ps2_keyboard_take(&keyboard, &byte))
                                g_string_append_printf(text, "%02x ", byte);
                        ck_assert_msg(text->len, "key %u has no code in set %d", key, *set);
                        ck_assert_msg(g_hash_table_add(seen, g_string_free(text, FALSE)), "key %u, set %d: taken", key, *set);
                }
        }
        g_hash_table_unref(seen);
}
END_TEST

START_TEST(keyboard_commands)
{
        uint8_t byte;

        ps2_keyboard_reset(&keyboard);
        keyboard_command(0xed, "fa");
        keyboard_command(7, "fa");
        ck_assert_uint_eq(keyboard.leds, 7);
        keyboard_command(0xfe, "fa");           /* again what came last */
        keyboard_command(0xf2, "fa ab 83");
        keyboard_command(0xf5, "fa");
        press(INPUT_KEY_A, "");                 /* scanning is off */
        keyboard_command(0xf4, "fa");
        press(INPUT_KEY_A, "1c");
        keyboard_command(0xff, "fa aa");
        ck_assert_uint_eq(keyboard.leds, 0);
        keyboard_command(0x10, "fe");
        /* Answers come before what was typed. */
        ck_assert(ps2_keyboard_key(&keyboard, INPUT_KEY_B, true));
        keyboard_command(0xee, "ee 32");
        /* No room: the key is to wait, and none of its codes is there. */
        for (unsigned i = 0; i < 16; i++)
                ck_assert(ps2_keyboard_key(&keyboard, INPUT_KEY_B, true));
        ck_assert(!ps2_keyboard_key(&keyboard, INPUT_KEY_B, false));
        ck_assert(ps2_keyboard_take(&keyboard, &byte));
        ck_assert(!ps2_keyboard_key(&keyboard, INPUT_KEY_B, false));
        ck_assert(ps2_keyboard_take(&keyboard, &byte));
        ck_assert(ps2_keyboard_key(&keyboard, INPUT_KEY_B, false));
}
END_TEST

START_TEST(mouse_packets)
{
        ps2_mouse_reset(&mouse);
        ps2_mouse_move(&mouse, 5, 5, 0, 0);     /* not reporting yet */
        expect_packets("");
        mouse_command(0xf4, "fa");
        expect_packets("");
        ps2_mouse_move(&mouse, 5, -3, 0, 0);
        expect_packets("08 05 03");
        ps2_mouse_move(&mouse, -1, 2, 0, INPUT_BUTTON_LEFT);
        expect_packets("39 ff fe");
        ps2_mouse_move(&mouse, 0, 0, 0, 0);
        expect_packets("08 00 00");
        ps2_mouse_move(&mouse, 0, 0, 4, 0);     /* no wheel yet, and it is not remembered */
        expect_packets("");
        ps2_mouse_move(&mouse, 300, 0, 0, 0);   /* more than nine bits hold */
        expect_packets("08 ff 00 08 2d 00");
        mouse_command(0xe7, "fa");              /* 2:1 */
        ps2_mouse_move(&mouse, 3, -10, 0, 0);
        expect_packets("08 03 14");
        mouse_command(0xe9, "fa 30 02 64");
        mouse_command(0xf0, "fa");              /* remote: only when asked */
        ps2_mouse_move(&mouse, 7, 0, 0, 0);
        expect_packets("");
        mouse_command(0xeb, "fa 08 07 00");
        mouse_command(0xfe, "08 07 00");
        mouse_command(0xee, "fa");              /* wrap */
        mouse_command(0x42, "42");
        mouse_command(0xec, "fa");
        mouse_command(0x42, "fe");
        mouse_command(0xff, "fa aa 00");
}
END_TEST

static void knock(uint8_t first, uint8_t second, uint8_t third)
{
        const uint8_t rates[] = { first, second, third };

        for (unsigned i = 0; i < 3; i++) {
                mouse_command(0xf3, "fa");
                mouse_command(rates[i], "fa");
        }
}

START_TEST(mouse_wheel)
{
        ps2_mouse_reset(&mouse);
        mouse_command(0xf2, "fa 00");
        knock(200, 100, 80);
        mouse_command(0xf2, "fa 03");
        mouse_command(0xf4, "fa");
        ps2_mouse_move(&mouse, 0, 0, 1, INPUT_BUTTON_MIDDLE);
        expect_packets("0c 00 00 01");
        ps2_mouse_move(&mouse, 0, 0, -2, INPUT_BUTTON_MIDDLE | INPUT_BUTTON_SIDE);
        expect_packets("0c 00 00 fe");
        knock(200, 200, 80);
        mouse_command(0xf2, "fa 04");
        mouse_command(0xf4, "fa");
        ps2_mouse_move(&mouse, 0, 0, -2, INPUT_BUTTON_EXTRA);
        expect_packets("08 00 00 2e");
        mouse_command(0xff, "fa aa 00");
        mouse_command(0xf2, "fa 00");
}
END_TEST

/* -- Typing -------------------------------------------------------------------------------------- */

static uint8_t in(struct rig *rig, uint16_t port) { return rig_in(rig, port); }

static void collect(struct rig *rig, GString *text)
{
        while (in(rig, 0x64) & 1)
                g_string_append_printf(text, "%s%02x", text->len ? " " : "", in(rig, 0x60));
}

START_TEST(typing)
{
        struct rig rig;
        struct device *kbc;
        struct input *input;
        GString *text = g_string_new(NULL);
        size_t bad;

        rig_open(&rig);
        kbc = rig_start(&rig, device_new("i8042", "kbc", &rig.env));
        lock_acquire(&rig.lock);
        input = input_new(rig.clock);
        i8042_connect_input(kbc, input);
        ck_assert_int_eq(input_press_chord(input, "ctrl-alt-delete"), INPUT_OK);
        ck_assert_int_eq(input_press_chord(input, "ctrl--"), INPUT_OK);
        ck_assert_int_eq(input_press_chord(input, "-"), INPUT_OK);
        ck_assert_int_eq(input_press_chord(input, "ctrl-nosuch"), INPUT_UNKNOWN);
        ck_assert_int_eq(input_press_chord(input, ""), INPUT_UNKNOWN);
        ck_assert_int_eq(input_press_chord(input, "a-b-c-d-e-f-g-h-i"), INPUT_UNKNOWN);
        ck_assert_int_eq(input_type_text(input, "A~\n", &bad), INPUT_OK);
        ck_assert_int_eq(input_type_text(input, "ab\xc3\xa9", &bad), INPUT_UNKNOWN);
        ck_assert_uint_eq(bad, 2);
        lock_release(&rig.lock);
        for (unsigned i = 0; i < 60; i++) {
                rig_pass(&rig, 11 * NS_PER_SEC / 1000);
                collect(&rig, text);
        }
        ck_assert_str_eq(text->str, "1d 38 e0 53 e0 d3 b8 9d 1d 0c 8c 9d 0c 8c 2a 1e 9e aa 2a 29 a9 aa 1c 9c");

        /* A guest that does not read gets all of it in the end, in order. */
        g_string_truncate(text, 0);
        lock_acquire(&rig.lock);
        ck_assert_int_eq(input_type_text(input, "aaaaaaaaaaaaaaaaaaaa", &bad), INPUT_OK);
        lock_release(&rig.lock);
        for (unsigned i = 0; i < 60; i++)
                rig_pass(&rig, 11 * NS_PER_SEC / 1000);
        for (unsigned i = 0; i < 60; i++) {
                collect(&rig, text);
                rig_pass(&rig, 11 * NS_PER_SEC / 1000);
        }
        ck_assert_uint_eq(text->len, 20 * strlen("1e 9e ") - 1);

        lock_acquire(&rig.lock);
        char *much = g_strnfill(100000, 'x');
        ck_assert_int_eq(input_type_text(input, much, &bad), INPUT_FULL);
        g_free(much);
        input_press_chord(input, "a");
        input_forget(input);
        device_free(kbc);
        input_free(input);
        lock_release(&rig.lock);
        rig_close(&rig);
        g_string_free(text, TRUE);
}
END_TEST

UNIT_MAIN("ps2", scan_set_2, scan_set_1, scan_set_3, codes_are_unique, keyboard_commands, mouse_packets, mouse_wheel, typing)
