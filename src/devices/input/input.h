/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * input.h - what people type, and where the mouse goes: from front ends to input devices.
 *
 * Keys are named by what is printed on a US keyboard and queued here, because a device's own buffer
 * is small and a guest that polls is slow: an event is handed over when the keyboard has room, at
 * typing speed in the guest's own time.  Mouse movement is handed over at once; the mouse sums up
 * what its guest does not collect.  A tablet whose guest listens gets buttons and wheel in the mouse's stead, so that the
 * guest sees each press once.
 *
 * Every function is called with the machine lock held.
 */
#ifndef LODGER_DEVICES_INPUT_INPUT_H
#define LODGER_DEVICES_INPUT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"

/* Keys by position.  Name; make code in scan code set 2 (E0xx: prefixed) and in set 3.  Set 1 is set 2
 * as the keyboard controller translates it.  Print Screen and Pause have codes of their own kind
 * (ps2_keyboard.c). */
#define INPUT_KEYS(X) \
        X(ESCAPE, "escape", 0x76, 0x08) X(F1, "f1", 0x05, 0x07) X(F2, "f2", 0x06, 0x0f) X(F3, "f3", 0x04, 0x17) \
        X(F4, "f4", 0x0c, 0x1f) X(F5, "f5", 0x03, 0x27) X(F6, "f6", 0x0b, 0x2f) X(F7, "f7", 0x83, 0x37) \
        X(F8, "f8", 0x0a, 0x3f) X(F9, "f9", 0x01, 0x47) X(F10, "f10", 0x09, 0x4f) X(F11, "f11", 0x78, 0x56) \
        X(F12, "f12", 0x07, 0x5e) X(PRINT, "print", 0xe07c, 0x57) X(SCROLL_LOCK, "scrolllock", 0x7e, 0x5f) \
        X(PAUSE, "pause", 0xe177, 0x62) X(GRAVE, "grave", 0x0e, 0x0e) X(1, "1", 0x16, 0x16) X(2, "2", 0x1e, 0x1e) \
        X(3, "3", 0x26, 0x26) X(4, "4", 0x25, 0x25) X(5, "5", 0x2e, 0x2e) X(6, "6", 0x36, 0x36) X(7, "7", 0x3d, 0x3d) \
        X(8, "8", 0x3e, 0x3e) X(9, "9", 0x46, 0x46) X(0, "0", 0x45, 0x45) X(MINUS, "minus", 0x4e, 0x4e) \
        X(EQUAL, "equal", 0x55, 0x55) X(BACKSPACE, "backspace", 0x66, 0x66) X(TAB, "tab", 0x0d, 0x0d) \
        X(Q, "q", 0x15, 0x15) X(W, "w", 0x1d, 0x1d) X(E, "e", 0x24, 0x24) X(R, "r", 0x2d, 0x2d) X(T, "t", 0x2c, 0x2c) \
        X(Y, "y", 0x35, 0x35) X(U, "u", 0x3c, 0x3c) X(I, "i", 0x43, 0x43) X(O, "o", 0x44, 0x44) X(P, "p", 0x4d, 0x4d) \
        X(LEFT_BRACKET, "leftbracket", 0x54, 0x54) X(RIGHT_BRACKET, "rightbracket", 0x5b, 0x5b) \
        X(BACKSLASH, "backslash", 0x5d, 0x5c) X(CAPS_LOCK, "capslock", 0x58, 0x14) X(A, "a", 0x1c, 0x1c) \
        X(S, "s", 0x1b, 0x1b) X(D, "d", 0x23, 0x23) X(F, "f", 0x2b, 0x2b) X(G, "g", 0x34, 0x34) X(H, "h", 0x33, 0x33) \
        X(J, "j", 0x3b, 0x3b) X(K, "k", 0x42, 0x42) X(L, "l", 0x4b, 0x4b) X(SEMICOLON, "semicolon", 0x4c, 0x4c) \
        X(APOSTROPHE, "apostrophe", 0x52, 0x52) X(ENTER, "enter", 0x5a, 0x5a) X(LEFT_SHIFT, "shift", 0x12, 0x12) \
        X(LESS, "less", 0x61, 0x13) X(Z, "z", 0x1a, 0x1a) X(X, "x", 0x22, 0x22) X(C, "c", 0x21, 0x21) \
        X(V, "v", 0x2a, 0x2a) X(B, "b", 0x32, 0x32) X(N, "n", 0x31, 0x31) X(M, "m", 0x3a, 0x3a) \
        X(COMMA, "comma", 0x41, 0x41) X(PERIOD, "period", 0x49, 0x49) X(SLASH, "slash", 0x4a, 0x4a) \
        X(RIGHT_SHIFT, "rightshift", 0x59, 0x59) X(LEFT_CTRL, "ctrl", 0x14, 0x11) X(LEFT_META, "meta", 0xe01f, 0x8b) \
        X(LEFT_ALT, "alt", 0x11, 0x19) X(SPACE, "space", 0x29, 0x29) X(RIGHT_ALT, "altgr", 0xe011, 0x39) \
        X(RIGHT_META, "rightmeta", 0xe027, 0x8c) X(MENU, "menu", 0xe02f, 0x8d) X(RIGHT_CTRL, "rightctrl", 0xe014, 0x58) \
        X(INSERT, "insert", 0xe070, 0x67) X(DELETE, "delete", 0xe071, 0x64) X(HOME, "home", 0xe06c, 0x6e) \
        X(END, "end", 0xe069, 0x65) X(PAGE_UP, "pageup", 0xe07d, 0x6f) X(PAGE_DOWN, "pagedown", 0xe07a, 0x6d) \
        X(UP, "up", 0xe075, 0x63) X(LEFT, "left", 0xe06b, 0x61) X(DOWN, "down", 0xe072, 0x60) \
        X(RIGHT, "right", 0xe074, 0x6a) X(NUM_LOCK, "numlock", 0x77, 0x76) X(KP_SLASH, "kp_divide", 0xe04a, 0x77) \
        X(KP_STAR, "kp_multiply", 0x7c, 0x7e) X(KP_MINUS, "kp_subtract", 0x7b, 0x84) X(KP_PLUS, "kp_add", 0x79, 0x7c) \
        X(KP_ENTER, "kp_enter", 0xe05a, 0x79) X(KP_7, "kp_7", 0x6c, 0x6c) X(KP_8, "kp_8", 0x75, 0x75) \
        X(KP_9, "kp_9", 0x7d, 0x7d) X(KP_4, "kp_4", 0x6b, 0x6b) X(KP_5, "kp_5", 0x73, 0x73) X(KP_6, "kp_6", 0x74, 0x74) \
        X(KP_1, "kp_1", 0x69, 0x69) X(KP_2, "kp_2", 0x72, 0x72) X(KP_3, "kp_3", 0x7a, 0x7a) X(KP_0, "kp_0", 0x70, 0x70) \
        X(KP_PERIOD, "kp_decimal", 0x71, 0x71)

enum input_key {
        INPUT_KEY_NONE,
#define X(id, name, set2, set3) INPUT_KEY_##id,
        INPUT_KEYS(X)
#undef X
        INPUT_KEY_COUNT
};

enum input_button {
        INPUT_BUTTON_LEFT = 1, INPUT_BUTTON_RIGHT = 2, INPUT_BUTTON_MIDDLE = 4, INPUT_BUTTON_SIDE = 8, INPUT_BUTTON_EXTRA = 16,
        INPUT_BUTTONS = 31,
};

/* UNKNOWN: nothing on the keyboard is called so; FULL: too much is waiting.  Nothing is queued then. */
enum input_result { INPUT_OK, INPUT_UNKNOWN, INPUT_FULL };

/* -- For the device --------------------------------------------------------------------------- */

struct input_keyboard {
        /* False: no room now, try again later. */
        bool (*key)(void *opaque, enum input_key key, bool down);
        void *opaque;
};

struct input_mouse {
        /* right, down, and wheel towards the user since the last call; buttons that are held. */
        void (*move)(void *opaque, int right, int down, int wheel, unsigned buttons);
        void *opaque;
};

/* A pointer that goes where it is put. */
enum { INPUT_PLACE_MAX = 32767 };

struct input_tablet {
        /* Whether the guest drives it. */
        bool (*is_listening)(void *opaque);
        /* From left to right and from top to bottom, 0 to INPUT_PLACE_MAX. */
        void (*place)(void *opaque, unsigned x, unsigned y);
        /* As of a mouse: wheel and buttons alone. */
        void (*move)(void *opaque, int right, int down, int wheel, unsigned buttons);
        void *opaque;
};

struct input;

/* The device that was connected last gets the events. */
void input_connect_keyboard(struct input *input, const struct input_keyboard *keyboard);
void input_connect_mouse(struct input *input, const struct input_mouse *mouse);
void input_connect_tablet(struct input *input, const struct input_tablet *tablet);
/* The guest of the tablet has begun or ceased to listen. */
void input_listening_changed(struct input *input);

/* -- For the machine and its front ends -------------------------------------------------------- */

struct input *input_new(struct clock *clock);
void input_free(struct input *input);
/* Drops what is waiting (a reset). */
void input_forget(struct input *input);

/* The key of that name ("f1", "a", "-"), also by other usual names; INPUT_KEY_NONE: there is none. */
enum input_key input_find_key(const char *name);
enum input_result input_press_key(struct input *input, enum input_key key, bool down);
/* "ctrl-alt-delete": presses from left to right, releases from right to left. */
enum input_result input_press_chord(struct input *input, const char *chord);
/* UNKNOWN: *bad is the offset of the character (of UTF-8) that a US keyboard does not have. */
enum input_result input_type_text(struct input *input, const char *text, size_t *bad);
void input_move_mouse(struct input *input, int right, int down, int wheel);
void input_set_buttons(struct input *input, unsigned buttons);
/* Whether the guest takes places. */
bool input_takes_places(const struct input *input);
/* 0 to INPUT_PLACE_MAX each; nothing happens when the guest takes none. */
void input_place_pointer(struct input *input, unsigned x, unsigned y);
/* changed is called when input_takes_places() may have another answer. */
void input_watch_listening(struct input *input, void (*changed)(void *opaque), void *opaque);

#endif
