/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * input.c - key names, and the queue between who types and the keyboard.
 *
 * Pace: one event (a press or a release) every 10 ms of virtual time, so that a firmware's sixteen-key
 * buffer and a busy guest keep up; a paused machine is typed to later.  While the keyboard has no
 * room the event at the head waits and is offered again.
 */
#include <glib.h>
#include <string.h>

#include "devices/input/input.h"

enum { EVENTS_MAX = 64 * 1024, CHORD_KEYS_MAX = 8, NAME_BYTES_MAX = 16 };
#define PACE_NS (NS_PER_SEC / 100)

struct input {
        struct input_keyboard keyboard;
        struct input_mouse mouse;
        struct input_tablet tablet;
        void (*listening_changed)(void *opaque);
        void *listening_opaque;
        GQueue events;                  /* of event_pack() */
        struct timer timer;             /* set while events wait */
        unsigned buttons;               /* enum input_button, held */
};

static const char *const key_names[] = {
        [INPUT_KEY_NONE] = "",
#define X(id, name, set2, set3) [INPUT_KEY_##id] = name,
        INPUT_KEYS(X)
#undef X
};

static const struct { const char *name; enum input_key key; } aliases[] = {
        { "esc", INPUT_KEY_ESCAPE }, { "return", INPUT_KEY_ENTER }, { "ret", INPUT_KEY_ENTER }, { "del", INPUT_KEY_DELETE },
        { "ins", INPUT_KEY_INSERT }, { "pgup", INPUT_KEY_PAGE_UP }, { "pgdn", INPUT_KEY_PAGE_DOWN },
        { "control", INPUT_KEY_LEFT_CTRL }, { "leftctrl", INPUT_KEY_LEFT_CTRL }, { "leftshift", INPUT_KEY_LEFT_SHIFT },
        { "leftalt", INPUT_KEY_LEFT_ALT }, { "rightalt", INPUT_KEY_RIGHT_ALT }, { "super", INPUT_KEY_LEFT_META },
        { "win", INPUT_KEY_LEFT_META }, { "sysrq", INPUT_KEY_PRINT }, { "break", INPUT_KEY_PAUSE },
        { "-", INPUT_KEY_MINUS }, { "=", INPUT_KEY_EQUAL }, { "[", INPUT_KEY_LEFT_BRACKET },
        { "]", INPUT_KEY_RIGHT_BRACKET }, { "\\", INPUT_KEY_BACKSLASH }, { ";", INPUT_KEY_SEMICOLON },
        { "'", INPUT_KEY_APOSTROPHE }, { ",", INPUT_KEY_COMMA }, { ".", INPUT_KEY_PERIOD }, { "/", INPUT_KEY_SLASH },
        { "`", INPUT_KEY_GRAVE }, { " ", INPUT_KEY_SPACE },
};

/* The characters of a US keyboard: those of the first line alone, of the second with Shift, on the
 * keys of the third. */
static const char plain[] = "`1234567890-=[]\\;',./";
static const char shifted[] = "~!@#$%^&*()_+{}|:\"<>?";
static const enum input_key symbol_keys[] = {
        INPUT_KEY_GRAVE, INPUT_KEY_1, INPUT_KEY_2, INPUT_KEY_3, INPUT_KEY_4, INPUT_KEY_5, INPUT_KEY_6, INPUT_KEY_7,
        INPUT_KEY_8, INPUT_KEY_9, INPUT_KEY_0, INPUT_KEY_MINUS, INPUT_KEY_EQUAL, INPUT_KEY_LEFT_BRACKET,
        INPUT_KEY_RIGHT_BRACKET, INPUT_KEY_BACKSLASH, INPUT_KEY_SEMICOLON, INPUT_KEY_APOSTROPHE, INPUT_KEY_COMMA,
        INPUT_KEY_PERIOD, INPUT_KEY_SLASH,
};
_Static_assert(sizeof(plain) == sizeof(shifted) && sizeof(plain) - 1 == G_N_ELEMENTS(symbol_keys), "one key each");

/* -- Names --------------------------------------------------------------------------------------- */

enum input_key input_find_key(const char *name)
{
        for (unsigned key = 1; key < INPUT_KEY_COUNT; key++)
                if (!g_ascii_strcasecmp(name, key_names[key]))
                        return (enum input_key)key;
        for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++)
                if (!g_ascii_strcasecmp(name, aliases[i].name))
                        return aliases[i].key;
        return INPUT_KEY_NONE;
}

/* The key that types a character of ASCII, and whether Shift is held. */
static enum input_key input_find_character(char character, bool *shift)
{
        const char *at;
        char letter[2] = { g_ascii_tolower(character), '\0' };

        *shift = g_ascii_isupper(character);
        if (g_ascii_isalpha(character))
                return input_find_key(letter);
        switch (character) {
        case ' ':
                return INPUT_KEY_SPACE;
        case '\n': case '\r':
                return INPUT_KEY_ENTER;
        case '\t':
                return INPUT_KEY_TAB;
        case '\b':
                return INPUT_KEY_BACKSPACE;
        case '\033':
                return INPUT_KEY_ESCAPE;
        case '\0':
                return INPUT_KEY_NONE;
        default:
                break;
        }
        at = strchr(plain, character);
        if (at)
                return symbol_keys[at - plain];
        at = strchr(shifted, character);
        *shift = at != NULL;
        return at ? symbol_keys[at - shifted] : INPUT_KEY_NONE;
}

/* -- Queue --------------------------------------------------------------------------------------- */

static gpointer event_pack(enum input_key key, bool down) { return GUINT_TO_POINTER((unsigned)key << 1 | down); }

static void input_fired(void *opaque)
{
        struct input *input = opaque;
        unsigned event = GPOINTER_TO_UINT(g_queue_peek_head(&input->events));

        if (g_queue_is_empty(&input->events))
                return;
        if (!input->keyboard.key || input->keyboard.key(input->keyboard.opaque, (enum input_key)(event >> 1), event & 1))
                g_queue_pop_head(&input->events);
        if (!g_queue_is_empty(&input->events))
                timer_set(&input->timer, clock_now_ns(input->timer.clock) + PACE_NS);
}

static bool input_has_room(const struct input *input, size_t events)
{
        return input->events.length + events <= EVENTS_MAX;
}

static void input_queue(struct input *input, enum input_key key, bool down)
{
        g_queue_push_tail(&input->events, event_pack(key, down));
        if (!timer_is_set(&input->timer))
                timer_set(&input->timer, clock_now_ns(input->timer.clock));
}

enum input_result input_press_key(struct input *input, enum input_key key, bool down)
{
        if (key <= INPUT_KEY_NONE || key >= INPUT_KEY_COUNT)
                return INPUT_UNKNOWN;
        if (!input_has_room(input, 1))
                return INPUT_FULL;
        input_queue(input, key, down);
        return INPUT_OK;
}

/* Splits a chord at hyphens; a hyphen at the start of a name is the key itself ("ctrl--"). */
static int chord_parse(const char *chord, enum input_key keys[CHORD_KEYS_MAX])
{
        int count = 0;

        do {
                const char *end = *chord ? strchr(chord + 1, '-') : NULL;
                size_t length = end ? (size_t)(end - chord) : strlen(chord);
                char name[NAME_BYTES_MAX];

                if (length >= sizeof(name) || count == CHORD_KEYS_MAX)
                        return 0;
                memcpy(name, chord, length);
                name[length] = '\0';
                keys[count] = input_find_key(name);
                if (keys[count++] == INPUT_KEY_NONE)
                        return 0;
                chord = end ? end + 1 : NULL;
        } while (chord);
        return count;
}

enum input_result input_press_chord(struct input *input, const char *chord)
{
        enum input_key keys[CHORD_KEYS_MAX];
        int count = chord_parse(chord, keys);

        if (!count)
                return INPUT_UNKNOWN;
        if (!input_has_room(input, 2 * (size_t)count))
                return INPUT_FULL;
        for (int i = 0; i < count; i++)
                input_queue(input, keys[i], true);
        while (count-- > 0)
                input_queue(input, keys[count], false);
        return INPUT_OK;
}

enum input_result input_type_text(struct input *input, const char *text, size_t *bad)
{
        size_t length = strlen(text);
        bool shift;

        for (*bad = 0; *bad < length; ++*bad)
                if (input_find_character(text[*bad], &shift) == INPUT_KEY_NONE)
                        return INPUT_UNKNOWN;
        if (!input_has_room(input, 4 * length))
                return INPUT_FULL;
        for (size_t i = 0; i < length; i++) {
                enum input_key key = input_find_character(text[i], &shift);

                if (shift)
                        input_queue(input, INPUT_KEY_LEFT_SHIFT, true);
                input_queue(input, key, true);
                input_queue(input, key, false);
                if (shift)
                        input_queue(input, INPUT_KEY_LEFT_SHIFT, false);
        }
        return INPUT_OK;
}

bool input_takes_places(const struct input *input)
{
        return input->tablet.is_listening && input->tablet.is_listening(input->tablet.opaque);
}

void input_move_mouse(struct input *input, int right, int down, int wheel)
{
        bool tablet = input_takes_places(input);

        if (tablet)
                input->tablet.move(input->tablet.opaque, 0, 0, wheel, input->buttons);
        if (input->mouse.move)
                input->mouse.move(input->mouse.opaque, right, down, tablet ? 0 : wheel, tablet ? 0 : input->buttons);
}

void input_place_pointer(struct input *input, unsigned x, unsigned y)
{
        if (input_takes_places(input))
                input->tablet.place(input->tablet.opaque, x, y);
}

void input_set_buttons(struct input *input, unsigned buttons)
{
        input->buttons = buttons & INPUT_BUTTONS;
        input_move_mouse(input, 0, 0, 0);
}

/* -- Life ---------------------------------------------------------------------------------------- */

void input_connect_keyboard(struct input *input, const struct input_keyboard *keyboard) { input->keyboard = *keyboard; }
void input_connect_mouse(struct input *input, const struct input_mouse *mouse) { input->mouse = *mouse; }

void input_connect_tablet(struct input *input, const struct input_tablet *tablet) { input->tablet = *tablet; }

void input_listening_changed(struct input *input)
{
        if (input->listening_changed)
                input->listening_changed(input->listening_opaque);
}

void input_watch_listening(struct input *input, void (*changed)(void *opaque), void *opaque)
{
        input->listening_changed = changed;
        input->listening_opaque = opaque;
}

void input_forget(struct input *input)
{
        g_queue_clear(&input->events);
        timer_cancel(&input->timer);
}

struct input *input_new(struct clock *clock)
{
        struct input *input = g_new0(struct input, 1);

        g_queue_init(&input->events);
        timer_init(&input->timer, clock, input_fired, input);
        return input;
}

void input_free(struct input *input)
{
        if (!input)
                return;
        input_forget(input);
        g_free(input);
}
