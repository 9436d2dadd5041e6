/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console_private.h - the insides of LodgerConsole, shared by the files console*.c. */
#ifndef LODGER_UI_CONSOLE_PRIVATE_H
#define LODGER_UI_CONSOLE_PRIVATE_H

#include "ui/console.h"
#include "ui/display.h"

struct _LodgerConsole {
        GtkApplicationWindow parent;
        LodgerMachine *machine;
        LodgerDisplay *display;
        GSettings *preferences;
        gboolean fullscreen;
        gboolean chosen_size;           /* the window has the size the guest's screen wanted, or the user's */

        /* -- Of data/ui/console.ui -- */
        GtkHeaderBar *header;
        GtkWidget *pause, *power, *keys, *screenshot, *fullscreen_button, *menu;
        GtkInfoBar *info;
        GtkLabel *info_text;
        GtkStack *stack;
        GtkContainer *screen_page;
        GtkLabel *end_title, *end_log;
        GtkWidget *end_log_box, *relocate, *last_snapshot, *start_again;
        GtkImage *end_icon;
        GtkWidget *status;
        GtkLabel *status_grab, *status_load, *status_engine, *status_size;
        GtkImage *status_disk, *status_network;
        GtkRevealer *bar;
        struct recorder *recorder;      /* NULL: no video is being recorded */
        guint bar_timer;
};

void console_add_actions(LodgerConsole *console);
void console_update_actions(LodgerConsole *console);
/* A line above the screen, until it is dismissed or replaced. */
void console_tell(LodgerConsole *console, GtkMessageType type, const char *text);
void console_set_fullscreen(LodgerConsole *console, gboolean fullscreen);
/* The strip below the screen: activity, load, engine. */
void console_update_status(LodgerConsole *console);
/* Actions for a machine that has ended: start-again, relocate, last-snapshot. */
void console_add_rescue(LodgerConsole *console);
/* The newest snapshot of a defined machine, or NULL; caller frees. */
char *console_last_snapshot(LodgerConsole *console);
gboolean console_shortcut(LodgerDisplay *display, guint keyval, LodgerConsole *console);

#endif
