/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thumbnail.h - LodgerThumbnail: a small live picture of a machine's screen, or a sign that it is off. */
#ifndef LODGER_UI_THUMBNAIL_H
#define LODGER_UI_THUMBNAIL_H

#include <gtk/gtk.h>
#include "ui/machine.h"

#define LODGER_TYPE_THUMBNAIL lodger_thumbnail_get_type()
G_DECLARE_FINAL_TYPE(LodgerThumbnail, lodger_thumbnail, LODGER, THUMBNAIL, GtkDrawingArea)

GtkWidget *lodger_thumbnail_new(int width, int height);
/* NULL: none.  Pictures are fetched every few seconds while the widget is mapped. */
void lodger_thumbnail_set_machine(LodgerThumbnail *thumbnail, LodgerMachine *machine);

#endif
