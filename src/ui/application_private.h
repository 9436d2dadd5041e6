/* SPDX-License-Identifier: GPL-2.0-or-later */
/* application_private.h - between application.c and application_actions.c. */
#ifndef LODGER_UI_APPLICATION_PRIVATE_H
#define LODGER_UI_APPLICATION_PRIVATE_H

#include "ui/application.h"

void application_add_actions(LodgerApplication *application);
void application_show_manager(LodgerApplication *application);
/* Keeps the session awake and tells of ends. */
void application_watch_machines(LodgerApplication *application);
/* Of the session's inhibition; 0: none. */
guint *application_cookie(LodgerApplication *application);

#endif
