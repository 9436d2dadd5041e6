/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_row.c - LodgerMachineRow. */
#include "base/i18n.h"
#include "ui/machine_row.h"
#include "ui/thumbnail.h"

enum { PICTURE_WIDTH = 80, PICTURE_HEIGHT = 50 };

struct _LodgerMachineRow {
        GtkListBoxRow parent;
        LodgerMachine *machine;
        GtkLabel *name, *state;
};

G_DEFINE_TYPE(LodgerMachineRow, lodger_machine_row, GTK_TYPE_LIST_BOX_ROW)

LodgerMachine *lodger_machine_row_get_machine(LodgerMachineRow *row) { return row->machine; }

static void row_update(LodgerMachineRow *row)
{
        const char *engine = lodger_machine_get_engine(row->machine), *state = lodger_machine_describe_state(row->machine);
        char *text = lodger_machine_get_state(row->machine) != LODGER_MACHINE_RUNNING || !*engine ? g_strdup(state) :
                     /* State, engine, share of the host's CPU. */
                     g_strdup_printf(_("%s · %s · CPU %u %%"), state, engine, lodger_machine_get_load(row->machine));

        gtk_label_set_text(row->state, text);
        atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(row)), lodger_machine_get_name(row->machine));
        atk_object_set_description(gtk_widget_get_accessible(GTK_WIDGET(row)), text);
        g_free(text);
}

static void lodger_machine_row_dispose(GObject *object)
{
        LodgerMachineRow *row = LODGER_MACHINE_ROW(object);

        if (row->machine)
                g_signal_handlers_disconnect_by_data(row->machine, row);
        g_clear_object(&row->machine);
        G_OBJECT_CLASS(lodger_machine_row_parent_class)->dispose(object);
}

static void lodger_machine_row_class_init(LodgerMachineRowClass *class)
{
        G_OBJECT_CLASS(class)->dispose = lodger_machine_row_dispose;
}

static void lodger_machine_row_init(LodgerMachineRow *row) { (void)row; }

static GtkLabel *label_new(GtkBox *box, const char *class)
{
        GtkWidget *label = gtk_label_new(NULL);

        gtk_label_set_xalign(GTK_LABEL(label), 0);
        gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
        gtk_style_context_add_class(gtk_widget_get_style_context(label), class);
        gtk_box_pack_start(box, label, FALSE, FALSE, 0);
        return GTK_LABEL(label);
}

GtkWidget *lodger_machine_row_new(LodgerMachine *machine)
{
        LodgerMachineRow *row = g_object_new(LODGER_TYPE_MACHINE_ROW, NULL);
        GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12), *texts = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);
        GtkWidget *picture = lodger_thumbnail_new(PICTURE_WIDTH, PICTURE_HEIGHT);

        row->machine = g_object_ref(machine);
        lodger_thumbnail_set_machine(LODGER_THUMBNAIL(picture), machine);
        gtk_container_set_border_width(GTK_CONTAINER(box), 8);
        gtk_widget_set_valign(texts, GTK_ALIGN_CENTER);
        gtk_box_pack_start(GTK_BOX(box), picture, FALSE, FALSE, 0);
        gtk_box_pack_start(GTK_BOX(box), texts, TRUE, TRUE, 0);
        row->name = label_new(GTK_BOX(texts), "lodger-name");
        row->state = label_new(GTK_BOX(texts), "dim-label");
        gtk_label_set_text(row->name, lodger_machine_get_name(machine));
        gtk_container_add(GTK_CONTAINER(row), box);
        gtk_widget_show_all(GTK_WIDGET(row));
        g_signal_connect_swapped(machine, "changed", G_CALLBACK(row_update), row);
        row_update(row);
        return GTK_WIDGET(row);
}
