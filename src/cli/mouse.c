/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mouse.c - `lodger mouse`: moves a machine's mouse and presses its buttons. */
#include <string.h>

#include "base/i18n.h"
#include "cli/client.h"

enum { STEPS_MAX = 10000, CLICK_US = 100 * 1000 };

static const struct { const char *name; guint bit; } buttons[] = {
        { "left", 1 }, { "right", 2 }, { "middle", 4 }, { "side", 8 }, { "extra", 16 },
};

static bool parse_steps(const char *text, int *value)
{
        gint64 number;

        if (!g_ascii_string_to_signed(text, 10, -STEPS_MAX, STEPS_MAX, &number, NULL))
                return false;
        *value = (int)number;
        return true;
}

static bool parse_button(const char *text, guint *bit)
{
        for (gsize i = 0; i < G_N_ELEMENTS(buttons); i++) {
                if (!strcmp(text, buttons[i].name)) {
                        *bit = buttons[i].bit;
                        return true;
                }
        }
        return false;
}

static bool parse_pixel(const char *text, int *value) { return parse_steps(text, value) && *value >= 0; }

static bool mouse_click(struct client *client, guint button, GError **error)
{
        if (!control_machine1_call_set_mouse_buttons_sync(client->machine, button, NULL, error))
                return false;
        g_usleep(CLICK_US);                     /* the guest is to see both */
        return control_machine1_call_set_mouse_buttons_sync(client->machine, 0, NULL, error);
}

static int mouse_run(struct client *client, int count, char **arguments)
{
        const char *action = arguments[0], *value = count > 1 ? arguments[1] : "left";
        GError *error = NULL;
        int right, down;
        guint button;
        bool ok;

        if (!strcmp(action, "move") && count == 3 && parse_steps(arguments[1], &right) && parse_steps(arguments[2], &down))
                ok = control_machine1_call_move_mouse_sync(client->machine, right, down, 0, NULL, &error);
        else if (!strcmp(action, "--absolute") && count == 3 && parse_pixel(arguments[1], &right) && parse_pixel(arguments[2], &down))
                ok = control_machine1_call_place_mouse_sync(client->machine, (guint)right, (guint)down, NULL, &error);
        else if (!strcmp(action, "wheel") && count == 2 && parse_steps(value, &down))
                ok = control_machine1_call_move_mouse_sync(client->machine, 0, 0, down, NULL, &error);
        else if (!strcmp(action, "click") && count <= 2 && parse_button(value, &button))
                ok = mouse_click(client, button, &error);
        else if (!strcmp(action, "press") && count <= 2 && parse_button(value, &button))
                ok = control_machine1_call_set_mouse_buttons_sync(client->machine, button, NULL, &error);
        else if (!strcmp(action, "release") && count == 1)
                ok = control_machine1_call_set_mouse_buttons_sync(client->machine, 0, NULL, &error);
        else
                return cli_fail(EXIT_USAGE, client->command, _("%s: not understood; \"lodger mouse --help\" explains"), action);
        return ok ? EXIT_OK : client_fail(client, error);
}

int mouse_main(int argc, char **argv)
{
        static const struct client_command command = {
                .name = "mouse", .arguments = N_("ACTION [VALUE...]"), .minimum = 1, .maximum = 3, .run = mouse_run,
                .summary = N_("Moves a machine's mouse or presses its buttons."),
                .description = N_("Actions:\n"
                                  "  move RIGHT DOWN   moves; negative numbers are left and up\n"
                                  "  --absolute X Y    puts the pointer on a pixel, if the guest drives a tablet (--tablet)\n"
                                  "  wheel STEPS       turns the wheel towards the user\n"
                                  "  click [BUTTON]    presses and releases left (the default), right, middle, side or extra\n"
                                  "  press [BUTTON]    holds a button\n"
                                  "  release           releases all of them"),
        };

        return client_run(&command, argc, argv);
}
