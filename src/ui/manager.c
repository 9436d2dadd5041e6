/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manager.c - LodgerManager.
 *
 * It holds no machine and decides nothing: it shows the application's list, and its buttons are actions on the selected
 * machine.  Files that are dropped on it become machines through the assistant.
 */
#include <string.h>

#include "base/i18n.h"
#include "library/library.h"
#include "ui/assistant.h"
#include "ui/machine_actions.h"
#include "ui/machine_row.h"
#include "ui/manager.h"
#include "ui/settings_dialog.h"
#include "ui/snapshot_dialog.h"
#include "ui/thumbnail.h"

enum { PICTURE_WIDTH = 400, PICTURE_HEIGHT = 250 };

struct _LodgerManager {
        GtkApplicationWindow parent;
        LodgerApplication *application;
        LodgerMachine *machine;         /* selected; NULL: none */
        GtkWidget *picture;

        /* -- Of data/ui/manager.ui -- */
        GtkStack *stack, *start_stack;
        GtkListBox *list;
        GtkSearchBar *search_bar;
        GtkEntry *search;
        GtkContainer *picture_box;
        GtkLabel *name, *state;
        GtkGrid *details;
};

G_DEFINE_TYPE(LodgerManager, lodger_manager, GTK_TYPE_APPLICATION_WINDOW)

/* -- Details of the selected machine ------------------------------------------------------------------ */

static void details_add(LodgerManager *manager, int *row, const char *title, const char *text)
{
        GtkWidget *left, *right;

        if (!text || !*text)
                return;
        left = gtk_label_new(title);
        right = gtk_label_new(text);
        gtk_label_set_xalign(GTK_LABEL(left), 1);
        gtk_label_set_yalign(GTK_LABEL(left), 0);
        gtk_style_context_add_class(gtk_widget_get_style_context(left), "dim-label");
        gtk_label_set_xalign(GTK_LABEL(right), 0);
        gtk_label_set_line_wrap(GTK_LABEL(right), TRUE);
        gtk_label_set_line_wrap_mode(GTK_LABEL(right), PANGO_WRAP_WORD_CHAR);
        gtk_label_set_max_width_chars(GTK_LABEL(right), 60);
        gtk_label_set_selectable(GTK_LABEL(right), TRUE);
        gtk_widget_set_can_focus(right, FALSE);
        gtk_grid_attach(manager->details, left, 0, *row, 1, 1);
        gtk_grid_attach(manager->details, right, 1, (*row)++, 1, 1);
        gtk_widget_show(left);
        gtk_widget_show(right);
}

static void details_add_running(LodgerManager *manager, int *row)
{
        LodgerMachine *machine = manager->machine;
        guint64 seconds = lodger_machine_get_uptime(machine);
        char *memory = g_format_size_full(lodger_machine_get_memory(machine), G_FORMAT_SIZE_IEC_UNITS);
        char *resident = g_format_size_full(lodger_machine_get_resident(machine), G_FORMAT_SIZE_IEC_UNITS);
        char *text;

        details_add(manager, row, _("Engine"), lodger_machine_get_engine(machine));
        text = g_strdup_printf(ngettext("%u CPU, %s of memory", "%u CPUs, %s of memory", lodger_machine_get_cpus(machine)),
                               lodger_machine_get_cpus(machine), memory);
        details_add(manager, row, _("Hardware"), text);
        g_free(text);
        text = g_strdup_printf(_("CPU %u %%, memory %s"), lodger_machine_get_load(machine), resident);
        details_add(manager, row, _("Uses"), text);
        g_free(text);
        text = g_strdup_printf("%" G_GUINT64_FORMAT ":%02u:%02u", seconds / 3600, (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
        details_add(manager, row, _("Runs for"), text);
        g_free(text);
        g_free(resident);
        g_free(memory);
}

/* What its definition says, an option a line. */
static void details_add_definition(LodgerManager *manager, int *row)
{
        GError *error = NULL;
        struct definition *definition = definition_load(lodger_machine_get_name(manager->machine), &error);
        char *text, **lines;

        if (!definition) {
                if (lodger_machine_is_defined(manager->machine))
                        details_add(manager, row, _("Definition"), error->message);
                g_clear_error(&error);
                return;
        }
        text = definition_describe(definition);
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                char *equals = strchr(*line, '=');

                if (!equals)
                        continue;
                *equals = '\0';
                details_add(manager, row, *line, equals + 1);
        }
        g_strfreev(lines);
        g_free(text);
        definition_free(definition);
}

static LodgerMachine *machine_shown(GtkWindow *window) { return LODGER_MANAGER(window)->machine; }

static void remove_detail(GtkWidget *widget, gpointer unused)
{
        (void)unused;
        gtk_widget_destroy(widget);
}

static void update_details(LodgerManager *manager)
{
        LodgerMachine *machine = manager->machine;
        gboolean alive = machine && lodger_machine_is_alive(machine);
        gboolean busy = machine && lodger_machine_get_state(machine) == LODGER_MACHINE_CONNECTING;
        gboolean defined = machine && lodger_machine_is_defined(machine);
        const char *end;
        gboolean orderly;
        int row = 0;

        g_simple_action_set_enabled(window_action(manager, "start"), machine && !alive && !busy &&
                                    (defined || lodger_machine_get_command(machine)));
        g_simple_action_set_enabled(window_action(manager, "show"), alive || busy);
        machine_actions_update(GTK_APPLICATION_WINDOW(manager));
        g_simple_action_set_enabled(window_action(manager, "settings"), defined);
        g_simple_action_set_enabled(window_action(manager, "snapshots"), defined);
        g_simple_action_set_enabled(window_action(manager, "delete"), defined && !alive && !busy);
        gtk_stack_set_visible_child_name(manager->start_stack, alive || busy ? "show" : "start");
        gtk_container_foreach(GTK_CONTAINER(manager->details), remove_detail, NULL);
        lodger_thumbnail_set_machine(LODGER_THUMBNAIL(manager->picture), machine);
        if (!machine)
                return;
        gtk_label_set_text(manager->name, lodger_machine_get_name(machine));
        end = lodger_machine_get_end(machine, &orderly);
        gtk_label_set_text(manager->state, end && !alive ? end : lodger_machine_describe_state(machine));
        if (alive)
                details_add_running(manager, &row);
        details_add_definition(manager, &row);
}

static void select_machine(LodgerManager *manager, LodgerMachine *machine)
{
        if (manager->machine != machine) {
                if (manager->machine)
                        g_signal_handlers_disconnect_by_func(manager->machine, update_details, manager);
                g_set_object(&manager->machine, machine);
                if (machine)
                        g_signal_connect_swapped(machine, "changed", G_CALLBACK(update_details), manager);
        }
        update_details(manager);
}

/* -- The list ------------------------------------------------------------------------------------------- */

static void row_selected(LodgerManager *manager, GtkListBoxRow *row)
{
        select_machine(manager, row ? lodger_machine_row_get_machine(LODGER_MACHINE_ROW(row)) : NULL);
}

static void open_machine(LodgerManager *manager)
{
        if (!manager->machine)
                return;
        if (g_action_get_enabled(G_ACTION(window_action(manager, "start"))))
                lodger_application_start(manager->application, manager->machine, GTK_WINDOW(manager));
        else
                lodger_application_show_console(manager->application, manager->machine);
}

static void row_activated(LodgerManager *manager) { open_machine(manager); }

static gboolean row_matches(GtkListBoxRow *row, gpointer opaque)
{
        LodgerManager *manager = opaque;
        char *wanted = g_utf8_casefold(gtk_entry_get_text(manager->search), -1);
        char *name = g_utf8_casefold(lodger_machine_get_name(lodger_machine_row_get_machine(LODGER_MACHINE_ROW(row))), -1);
        gboolean matches = strstr(name, wanted) != NULL;

        g_free(name);
        g_free(wanted);
        return matches;
}

static void search_changed(LodgerManager *manager) { gtk_list_box_invalidate_filter(manager->list); }

/* A list box bound to a model would not filter. */
static void list_changed(GListModel *machines, guint position, guint removed, guint added, LodgerManager *manager)
{
        for (guint i = 0; i < removed; i++)
                gtk_widget_destroy(GTK_WIDGET(gtk_list_box_get_row_at_index(manager->list, (gint)position)));
        for (guint i = position; i < position + added; i++) {
                LodgerMachine *machine = g_list_model_get_item(machines, i);

                gtk_list_box_insert(manager->list, lodger_machine_row_new(machine), (gint)i);
                g_object_unref(machine);
        }
        gtk_stack_set_visible_child_name(manager->stack, g_list_model_get_n_items(machines) ? "machines" : "empty");
        if (!gtk_list_box_get_selected_row(manager->list))
                gtk_list_box_select_row(manager->list, gtk_list_box_get_row_at_index(manager->list, 0));
}

/* -- Actions -------------------------------------------------------------------------------------------- */

static void action_start(GSimpleAction *action, GVariant *parameter, gpointer manager)
{
        (void)action;
        (void)parameter;
        open_machine(manager);
}

static void do_delete(GtkWindow *window, LodgerMachine *machine)
{
        LodgerManager *manager = LODGER_MANAGER(window);
        GError *error = NULL;

        if (library_delete(lodger_machine_get_name(machine), &error)) {
                lodger_machine_list_remove(lodger_application_get_machines(manager->application), machine);
                return;
        }
        lodger_application_complain(window, _("The machine was not deleted"), error->message);
        g_error_free(error);
}

static void action_delete(GSimpleAction *action, GVariant *parameter, gpointer manager)
{
        (void)action;
        (void)parameter;
        machine_ask(manager, machine_shown(manager), _("Delete “%s”?"),
                    _("Its definition, its snapshots and the disks made for it are removed for good. Images that lie elsewhere stay."),
                    _("_Delete"), do_delete);
}

static void action_settings(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerManager *manager = opaque;

        (void)action;
        (void)parameter;
        settings_dialog_show(GTK_WINDOW(manager), manager->machine);
}

static void action_snapshots(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
        LodgerManager *manager = opaque;

        (void)action;
        (void)parameter;
        snapshot_dialog_show(GTK_WINDOW(manager), manager->machine);
}

static void action_search(GSimpleAction *action, GVariant *state, gpointer opaque)
{
        LodgerManager *manager = opaque;

        g_simple_action_set_state(action, state);
        gtk_search_bar_set_search_mode(manager->search_bar, g_variant_get_boolean(state));
}

static void search_mode_changed(LodgerManager *manager)
{
        g_simple_action_set_state(window_action(manager, "search"),
                                  g_variant_new_boolean(gtk_search_bar_get_search_mode(manager->search_bar)));
}

/* Typing anywhere begins a search. */
static gboolean lodger_manager_key_press(GtkWidget *widget, GdkEventKey *event)
{
        LodgerManager *manager = LODGER_MANAGER(widget);

        if (GTK_WIDGET_CLASS(lodger_manager_parent_class)->key_press_event(widget, event))
                return TRUE;
        return gtk_search_bar_handle_event(manager->search_bar, (GdkEvent *)event);
}

static void dropped(LodgerManager *manager, GdkDragContext *context, gint x, gint y, GtkSelectionData *data, guint info, guint time)
{
        char **uris = gtk_selection_data_get_uris(data);
        char *path = uris && *uris ? g_filename_from_uri(*uris, NULL, NULL) : NULL;

        (void)x;
        (void)y;
        (void)info;
        gtk_drag_finish(context, path != NULL, FALSE, time);
        if (path)
                assistant_show(manager->application, GTK_WINDOW(manager), path);
        g_free(path);
        g_strfreev(uris);
}

/* -- Object --------------------------------------------------------------------------------------------- */

static void lodger_manager_dispose(GObject *object)
{
        LodgerManager *manager = LODGER_MANAGER(object);

        if (manager->application)
                g_signal_handlers_disconnect_by_data(lodger_application_get_machines(manager->application), manager);
        manager->application = NULL;
        if (manager->machine)
                g_signal_handlers_disconnect_by_func(manager->machine, update_details, manager);
        g_clear_object(&manager->machine);
        if (manager->list)
                g_signal_handlers_disconnect_by_data(manager->list, manager);
        G_OBJECT_CLASS(lodger_manager_parent_class)->dispose(object);
}

static void lodger_manager_class_init(LodgerManagerClass *class)
{
        GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

        G_OBJECT_CLASS(class)->dispose = lodger_manager_dispose;
        widget->key_press_event = lodger_manager_key_press;
        gtk_widget_class_set_template_from_resource(widget, LODGER_RESOURCES "ui/manager.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget, LodgerManager, name)
        CHILD(stack);
        CHILD(start_stack);
        CHILD(list);
        CHILD(search_bar);
        CHILD(search);
        CHILD(picture_box);
        CHILD(name);
        CHILD(state);
        CHILD(details);
#undef CHILD
        gtk_widget_class_bind_template_callback(widget, row_selected);
        gtk_widget_class_bind_template_callback(widget, row_activated);
        gtk_widget_class_bind_template_callback(widget, search_changed);
        gtk_widget_class_bind_template_callback(widget, search_mode_changed);
        gtk_widget_class_bind_template_callback(widget, dropped);
}

static void lodger_manager_init(LodgerManager *manager)
{
        static const GActionEntry entries[] = {
                { "start", action_start, NULL, NULL, NULL, { 0 } },
                { "show", action_start, NULL, NULL, NULL, { 0 } },
                { "settings", action_settings, NULL, NULL, NULL, { 0 } },
                { "snapshots", action_snapshots, NULL, NULL, NULL, { 0 } },
                { "delete", action_delete, NULL, NULL, NULL, { 0 } },
                { "search", NULL, NULL, "false", action_search, { 0 } },
        };

        machine_actions_add(GTK_APPLICATION_WINDOW(manager), machine_shown);
        g_action_map_add_action_entries(G_ACTION_MAP(manager), entries, G_N_ELEMENTS(entries), manager);
        gtk_widget_init_template(GTK_WIDGET(manager));
        manager->picture = lodger_thumbnail_new(PICTURE_WIDTH, PICTURE_HEIGHT);
        gtk_container_add(manager->picture_box, manager->picture);
        gtk_search_bar_connect_entry(manager->search_bar, manager->search);
        gtk_drag_dest_set(GTK_WIDGET(manager), GTK_DEST_DEFAULT_ALL, NULL, 0, GDK_ACTION_COPY);
        gtk_drag_dest_add_uri_targets(GTK_WIDGET(manager));
}

LodgerManager *lodger_manager_new(LodgerApplication *application)
{
        LodgerManager *manager = g_object_new(LODGER_TYPE_MANAGER, "application", application, NULL);
        GListModel *machines = G_LIST_MODEL(lodger_application_get_machines(application));

        manager->application = application;
        gtk_list_box_set_filter_func(manager->list, row_matches, manager, NULL);
        g_signal_connect_after(machines, "items-changed", G_CALLBACK(list_changed), manager);
        select_machine(manager, NULL);
        list_changed(machines, 0, 0, g_list_model_get_n_items(machines), manager);
        return manager;
}
