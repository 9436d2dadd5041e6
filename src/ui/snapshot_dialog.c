/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot_dialog.c - a window over library/timeline.h.
 *
 * It reads the list itself and changes it through `lodger snapshot` (snapshot_run.c), so that a state of many gigabytes is
 * written while the windows stay alive.
 */
#include "base/i18n.h"
#include "library/timeline.h"
#include "snapshot/reader.h"
#include "ui/application.h"
#include "ui/snapshot_dialog.h"

enum { COLUMN_PICTURE, COLUMN_NAME, COLUMN_TEXT, COLUMN_USABLE, COLUMNS };
enum { PICTURE_WIDTH = 96, PICTURE_HEIGHT = 60, PULSE_MS = 100 };

struct snapshots {
        GtkBuilder *builder;
        GtkWindow *window;
        LodgerMachine *machine;
        guint pulse;                    /* timer, while something is under way */
        char *was_selected;             /* while the list is read anew */
};

static void *widget(struct snapshots *snapshots, const char *id) { return gtk_builder_get_object(snapshots->builder, id); }

static void snapshots_free(gpointer opaque)
{
        struct snapshots *snapshots = opaque;

        g_clear_handle_id(&snapshots->pulse, g_source_remove);
        g_signal_handlers_disconnect_by_data(snapshots->machine, snapshots);
        g_object_unref(snapshots->machine);
        g_object_unref(snapshots->builder);
        g_free(snapshots);
}

/* -- The tree ------------------------------------------------------------------------------------------- */

/* NULL: it has none, or one that is no picture. */
static GdkPixbuf *read_picture(const char *path)
{
        struct snapshot_reader *reader = snapshot_open(path, NULL);
        GBytes *bytes = reader ? snapshot_reader_thumbnail(reader) : NULL;
        GInputStream *stream = bytes ? g_memory_input_stream_new_from_bytes(bytes) : NULL;
        GdkPixbuf *picture = stream ? gdk_pixbuf_new_from_stream_at_scale(stream, PICTURE_WIDTH, PICTURE_HEIGHT, TRUE, NULL, NULL) : NULL;

        g_clear_object(&stream);
        snapshot_close(reader);
        return picture;
}

static char *describe(const struct timeline_entry *entry)
{
        GDateTime *time;
        char *date, *size, *name = g_markup_escape_text(entry->name, -1), *text;

        if (entry->problem) {
                char *problem = g_markup_escape_text(entry->problem, -1);

                text = g_strdup_printf("<b>%s</b>\n%s", name, problem);
                g_free(problem);
                g_free(name);
                return text;
        }
        time = g_date_time_new_from_unix_local((gint64)(entry->info.created_us / G_USEC_PER_SEC));
        date = time ? g_date_time_format(time, "%x %X") : g_strdup("");
        size = g_format_size_full(entry->bytes, G_FORMAT_SIZE_IEC_UNITS);
        text = g_strdup_printf(entry->current ? _("<b>%s</b> (the machine goes on from here)\n%s, %s") : "<b>%s</b>\n%s, %s", name, date, size);
        g_clear_pointer(&time, g_date_time_unref);
        g_free(size);
        g_free(date);
        g_free(name);
        return text;
}

static void add_children(struct snapshots *snapshots, GPtrArray *list, const struct timeline_entry *parent, GtkTreeIter *under)
{
        GtkTreeStore *store = widget(snapshots, "store");

        for (guint i = 0; i < list->len; i++) {
                const struct timeline_entry *entry = g_ptr_array_index(list, i);
                GdkPixbuf *picture;
                GtkTreeIter iter;
                char *text;

                if (timeline_parent(list, entry) != parent)
                        continue;
                text = describe(entry);
                picture = entry->problem ? NULL : read_picture(entry->path);
                gtk_tree_store_insert_with_values(store, &iter, under, -1, COLUMN_PICTURE, picture, COLUMN_NAME, entry->name, COLUMN_TEXT,
                                                  text, COLUMN_USABLE, entry->problem == NULL, -1);
                g_clear_object(&picture);
                g_free(text);
                add_children(snapshots, list, entry, &iter);
        }
}

/* The name of the selected one, or NULL; caller frees. */
static char *selected(struct snapshots *snapshots)
{
        GtkTreeModel *model;
        GtkTreeIter iter;
        char *name = NULL;

        if (gtk_tree_selection_get_selected(gtk_tree_view_get_selection(widget(snapshots, "tree")), &model, &iter))
                gtk_tree_model_get(model, &iter, COLUMN_NAME, &name, -1);
        return name;
}

static void update_buttons(struct snapshots *snapshots)
{
        char *name = selected(snapshots);
        gboolean idle = !snapshots->pulse;

        gtk_widget_set_sensitive(widget(snapshots, "take"), idle && lodger_machine_is_alive(snapshots->machine));
        gtk_widget_set_sensitive(widget(snapshots, "restore"), idle && name);
        gtk_widget_set_sensitive(widget(snapshots, "delete"), idle && name);
        g_free(name);
}

static gboolean select_if_named(GtkTreeModel *model, GtkTreePath *path, GtkTreeIter *iter, gpointer opaque)
{
        struct snapshots *snapshots = opaque;
        char *name;

        (void)path;
        gtk_tree_model_get(model, iter, COLUMN_NAME, &name, -1);
        if (!g_strcmp0(name, snapshots->was_selected))
                gtk_tree_selection_select_iter(gtk_tree_view_get_selection(widget(snapshots, "tree")), iter);
        g_free(name);
        return FALSE;
}

static void read_list(struct snapshots *snapshots)
{
        GPtrArray *list = timeline_list(lodger_machine_get_name(snapshots->machine));

        snapshots->was_selected = selected(snapshots);
        gtk_tree_store_clear(widget(snapshots, "store"));
        add_children(snapshots, list, NULL, NULL);
        gtk_tree_view_expand_all(widget(snapshots, "tree"));
        gtk_tree_model_foreach(widget(snapshots, "store"), select_if_named, snapshots);
        g_clear_pointer(&snapshots->was_selected, g_free);
        gtk_stack_set_visible_child_name(widget(snapshots, "stack"), list->len ? "tree" : "empty");
        g_ptr_array_unref(list);
        update_buttons(snapshots);
}

/* -- Changing it ---------------------------------------------------------------------------------------- */

static gboolean pulse(gpointer progress)
{
        gtk_progress_bar_pulse(progress);
        return G_SOURCE_CONTINUE;
}

static void done(char *text, gboolean ok, gpointer opaque)
{
        struct snapshots *snapshots = opaque;

        g_clear_handle_id(&snapshots->pulse, g_source_remove);
        gtk_widget_hide(widget(snapshots, "progress"));
        gtk_label_set_text(widget(snapshots, "complaint"), ok ? "" : tool_problem(text));
        gtk_widget_set_visible(widget(snapshots, "complaint"), !ok);
        read_list(snapshots);
}

static void begin(struct snapshots *snapshots, const char *verb, const char *name, const char *text)
{
        gtk_progress_bar_set_text(widget(snapshots, "progress"), text);
        gtk_widget_show(widget(snapshots, "progress"));
        gtk_widget_hide(widget(snapshots, "complaint"));
        snapshots->pulse = g_timeout_add(PULSE_MS, pulse, widget(snapshots, "progress"));
        update_buttons(snapshots);
        snapshot_run(G_OBJECT(snapshots->window), verb, snapshots->machine, name, done, snapshots);
}

static void take_clicked(struct snapshots *snapshots)
{
        const char *typed = gtk_entry_get_text(widget(snapshots, "name"));
        char *name = *typed ? g_strdup(typed) : snapshot_name_now();

        begin(snapshots, "take", name, _("Taking a snapshot…"));
        gtk_entry_set_text(widget(snapshots, "name"), "");
        g_free(name);
}

static void restore_clicked(struct snapshots *snapshots)
{
        char *name = selected(snapshots);

        begin(snapshots, "restore", name, _("Going back to the snapshot…"));
        g_free(name);
}

static void delete_answered(GtkDialog *dialog, gint response, struct snapshots *snapshots)
{
        char *name = selected(snapshots);

        gtk_widget_destroy(GTK_WIDGET(dialog));
        if (response == GTK_RESPONSE_ACCEPT && name && !snapshots->pulse)
                begin(snapshots, "delete", name, _("Deleting the snapshot…"));
        g_free(name);
}

static void delete_clicked(struct snapshots *snapshots)
{
        char *name = selected(snapshots);
        GtkWidget *dialog = gtk_message_dialog_new(snapshots->window, GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, GTK_MESSAGE_WARNING,
                                                   GTK_BUTTONS_NONE, _("Delete the snapshot “%s”?"), name);
        GtkWidget *accept;

        gtk_message_dialog_format_secondary_text(GTK_MESSAGE_DIALOG(dialog), "%s", _("Snapshots that come after it stay."));
        gtk_dialog_add_button(GTK_DIALOG(dialog), _("_Cancel"), GTK_RESPONSE_CANCEL);
        accept = gtk_dialog_add_button(GTK_DIALOG(dialog), _("_Delete"), GTK_RESPONSE_ACCEPT);
        gtk_style_context_add_class(gtk_widget_get_style_context(accept), "destructive-action");
        gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_CANCEL);
        g_signal_connect(dialog, "response", G_CALLBACK(delete_answered), snapshots);
        gtk_window_present(GTK_WINDOW(dialog));
        g_free(name);
}

static gboolean key_pressed(struct snapshots *snapshots, GdkEventKey *event)
{
        if (event->keyval == GDK_KEY_Escape)
                gtk_window_close(snapshots->window);
        return event->keyval == GDK_KEY_Escape;
}

void snapshot_dialog_show(GtkWindow *parent, LodgerMachine *machine)
{
        struct snapshots *snapshots = g_new0(struct snapshots, 1);
        char *title = g_strdup_printf(_("Snapshots of “%s”"), lodger_machine_get_name(machine));

        snapshots->builder = gtk_builder_new_from_resource(LODGER_RESOURCES "ui/snapshots.ui");
        snapshots->machine = g_object_ref(machine);
        snapshots->window = widget(snapshots, "window");
        gtk_header_bar_set_title(widget(snapshots, "header"), title);
        gtk_window_set_title(snapshots->window, title);
        gtk_window_set_transient_for(snapshots->window, parent);
        g_signal_connect_swapped(snapshots->window, "destroy", G_CALLBACK(snapshots_free), snapshots);
        g_signal_connect_swapped(snapshots->window, "key-press-event", G_CALLBACK(key_pressed), snapshots);
        g_signal_connect_swapped(widget(snapshots, "take"), "clicked", G_CALLBACK(take_clicked), snapshots);
        g_signal_connect_swapped(widget(snapshots, "restore"), "clicked", G_CALLBACK(restore_clicked), snapshots);
        g_signal_connect_swapped(widget(snapshots, "delete"), "clicked", G_CALLBACK(delete_clicked), snapshots);
        g_signal_connect_swapped(gtk_tree_view_get_selection(widget(snapshots, "tree")), "changed", G_CALLBACK(update_buttons), snapshots);
        g_signal_connect_swapped(machine, "changed", G_CALLBACK(update_buttons), snapshots);
        read_list(snapshots);
        gtk_window_present(snapshots->window);
        g_free(title);
}
