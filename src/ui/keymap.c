/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keymap.c - the kernel's key codes (linux/input-event-codes.h) and the names of src/devices/input/input.h.
 *
 * X servers number keys from 8 (X Protocol, "Keyboards") and have used the kernel's codes since their evdev
 * driver; Wayland's XKB key maps do the same.
 */
#include <linux/input-event-codes.h>

#include "ui/keymap.h"

enum { FIRST_HARDWARE_CODE = 8 };

static const char *const names[] = {
        [KEY_ESC] = "escape", [KEY_1] = "1", [KEY_2] = "2", [KEY_3] = "3", [KEY_4] = "4", [KEY_5] = "5", [KEY_6] = "6",
        [KEY_7] = "7", [KEY_8] = "8", [KEY_9] = "9", [KEY_0] = "0", [KEY_MINUS] = "minus", [KEY_EQUAL] = "equal",
        [KEY_BACKSPACE] = "backspace", [KEY_TAB] = "tab", [KEY_Q] = "q", [KEY_W] = "w", [KEY_E] = "e", [KEY_R] = "r",
        [KEY_T] = "t", [KEY_Y] = "y", [KEY_U] = "u", [KEY_I] = "i", [KEY_O] = "o", [KEY_P] = "p",
        [KEY_LEFTBRACE] = "leftbracket", [KEY_RIGHTBRACE] = "rightbracket", [KEY_ENTER] = "enter", [KEY_LEFTCTRL] = "ctrl",
        [KEY_A] = "a", [KEY_S] = "s", [KEY_D] = "d", [KEY_F] = "f", [KEY_G] = "g", [KEY_H] = "h", [KEY_J] = "j", [KEY_K] = "k",
        [KEY_L] = "l", [KEY_SEMICOLON] = "semicolon", [KEY_APOSTROPHE] = "apostrophe", [KEY_GRAVE] = "grave",
        [KEY_LEFTSHIFT] = "shift", [KEY_BACKSLASH] = "backslash", [KEY_Z] = "z", [KEY_X] = "x", [KEY_C] = "c", [KEY_V] = "v",
        [KEY_B] = "b", [KEY_N] = "n", [KEY_M] = "m", [KEY_COMMA] = "comma", [KEY_DOT] = "period", [KEY_SLASH] = "slash",
        [KEY_RIGHTSHIFT] = "rightshift", [KEY_KPASTERISK] = "kp_multiply", [KEY_LEFTALT] = "alt", [KEY_SPACE] = "space",
        [KEY_CAPSLOCK] = "capslock", [KEY_F1] = "f1", [KEY_F2] = "f2", [KEY_F3] = "f3", [KEY_F4] = "f4", [KEY_F5] = "f5",
        [KEY_F6] = "f6", [KEY_F7] = "f7", [KEY_F8] = "f8", [KEY_F9] = "f9", [KEY_F10] = "f10", [KEY_NUMLOCK] = "numlock",
        [KEY_SCROLLLOCK] = "scrolllock", [KEY_KP7] = "kp_7", [KEY_KP8] = "kp_8", [KEY_KP9] = "kp_9",
        [KEY_KPMINUS] = "kp_subtract", [KEY_KP4] = "kp_4", [KEY_KP5] = "kp_5", [KEY_KP6] = "kp_6", [KEY_KPPLUS] = "kp_add",
        [KEY_KP1] = "kp_1", [KEY_KP2] = "kp_2", [KEY_KP3] = "kp_3", [KEY_KP0] = "kp_0", [KEY_KPDOT] = "kp_decimal",
        [KEY_102ND] = "less", [KEY_F11] = "f11", [KEY_F12] = "f12", [KEY_KPENTER] = "kp_enter", [KEY_RIGHTCTRL] = "rightctrl",
        [KEY_KPSLASH] = "kp_divide", [KEY_SYSRQ] = "print", [KEY_RIGHTALT] = "altgr", [KEY_HOME] = "home", [KEY_UP] = "up",
        [KEY_PAGEUP] = "pageup", [KEY_LEFT] = "left", [KEY_RIGHT] = "right", [KEY_END] = "end", [KEY_DOWN] = "down",
        [KEY_PAGEDOWN] = "pagedown", [KEY_INSERT] = "insert", [KEY_DELETE] = "delete", [KEY_PAUSE] = "pause",
        [KEY_LEFTMETA] = "meta", [KEY_RIGHTMETA] = "rightmeta", [KEY_COMPOSE] = "menu",
};

const char *keymap_find(guint16 hardware)
{
        unsigned code = hardware - (unsigned)FIRST_HARDWARE_CODE;

        return hardware >= FIRST_HARDWARE_CODE && code < G_N_ELEMENTS(names) ? names[code] : NULL;
}
