/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_dialog.c - a page per kind of option, a row per option.
 *
 * Nothing here knows a certain option, except for the page it is best found on: an option that is new in the table
 * appears by itself, with its help as its explanation, checked by the table's own checks.
 */
#include <string.h>

#include "base/i18n.h"
#include "library/library.h"
#include "ui/settings_dialog.h"

struct settings {
        GtkWindow *window;
        LodgerMachine *machine;
        struct definition *definition;
        GtkWidget *rows[OPTION_COUNT];  /* GtkEntry, GtkSwitch or GtkTextView by kind; NULL: no row */
        GtkLabel *complaint;
};

static const struct { const char *title, *options; } pages[] = {
        { N_("Computer"), "memory cpus cpu engine firmware boot" },
        { N_("Drives"), "disk cdrom floppy" },
        { N_("Kernel"), "kernel initrd append" },
        { N_("Devices"), "net display serial" },
        { N_("More"), NULL },           /* what no other page has */
};

static gboolean has_word(const char *words, const char *word)
{
        char **list = g_strsplit(words, " ", -1);
        gboolean has = g_strv_contains((const char *const *)list, word);

        g_strfreev(list);
        return has;
}

static gboolean belongs(guint page, const char *name)
{
        if (pages[page].options)
                return has_word(pages[page].options, name);
        for (guint i = 0; i < G_N_ELEMENTS(pages); i++)
                if (pages[i].options && has_word(pages[i].options, name))
                        return FALSE;
        return TRUE;
}

/* -- Rows ------------------------------------------------------------------------------------------------ */

static char *joined(struct settings *settings, enum option option)
{
        char **values = settings->definition->options.values[option];

        return values ? g_strjoinv("\n", values) : g_strdup("");
}

static void file_response(GtkEntry *entry, gint response, GtkNativeDialog *dialog)
{
        char *path = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog)) : NULL;

        if (path)
                gtk_entry_set_text(entry, path);
        g_free(path);
        gtk_native_dialog_hide(dialog);
}

static void file_clicked(GtkEntry *entry)
{
        GtkFileChooserNative *dialog = gtk_file_chooser_native_new(_("Choose a File"), GTK_WINDOW(gtk_widget_get_toplevel(GTK_WIDGET(entry))),
                                                                   GTK_FILE_CHOOSER_ACTION_OPEN, _("_Choose"), NULL);

        gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(dialog), TRUE);
        g_signal_connect_swapped(dialog, "response", G_CALLBACK(file_response), entry);
        g_object_set_data_full(G_OBJECT(entry), "chooser", dialog, g_object_unref);
        gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

/* One value: an entry, with a button where it is a file's path. */
static GtkWidget *text_row(struct settings *settings, enum option option)
{
        const char *value = options_text(&settings->definition->options, option);
        GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6), *entry = gtk_entry_new(), *button;

        gtk_entry_set_text(GTK_ENTRY(entry), value ? value : "");
        gtk_entry_set_placeholder_text(GTK_ENTRY(entry), option_table[option].argument ? _(option_table[option].argument) : NULL);
        gtk_box_pack_start(GTK_BOX(box), entry, TRUE, TRUE, 0);
        if (option_table[option].path == OPTION_PATH_FILE) {
                button = gtk_button_new_from_icon_name("document-open-symbolic", GTK_ICON_SIZE_BUTTON);
                gtk_widget_set_tooltip_text(button, _("Choose a File"));
                atk_object_set_name(gtk_widget_get_accessible(button), _("Choose a File"));
                g_signal_connect_swapped(button, "clicked", G_CALLBACK(file_clicked), entry);
                gtk_box_pack_start(GTK_BOX(box), button, FALSE, FALSE, 0);
        }
        settings->rows[option] = entry;
        return box;
}

/* Several values, one a line. */
static GtkWidget *list_row(struct settings *settings, enum option option)
{
        GtkWidget *view = gtk_text_view_new(), *frame = gtk_scrolled_window_new(NULL, NULL);
        char *text = joined(settings, option);

        gtk_text_buffer_set_text(gtk_text_view_get_buffer(GTK_TEXT_VIEW(view)), text, -1);
        gtk_text_view_set_accepts_tab(GTK_TEXT_VIEW(view), FALSE);
        gtk_scrolled_window_set_shadow_type(GTK_SCROLLED_WINDOW(frame), GTK_SHADOW_IN);
        gtk_scrolled_window_set_min_content_height(GTK_SCROLLED_WINDOW(frame), 56);
        gtk_container_add(GTK_CONTAINER(frame), view);
        settings->rows[option] = view;
        g_free(text);
        return frame;
}

static GtkWidget *flag_row(struct settings *settings, enum option option)
{
        GtkWidget *flag = gtk_switch_new();

        gtk_switch_set_active(GTK_SWITCH(flag), options_flag(&settings->definition->options, option));
        gtk_widget_set_halign(flag, GTK_ALIGN_START);
        settings->rows[option] = flag;
        return flag;
}

static void add_row(struct settings *settings, GtkBox *page, enum option option)
{
        const struct option_info *info = &option_table[option];
        GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 4), *title = gtk_label_new(info->name), *help = gtk_label_new(_(info->help));
        GtkWidget *control = info->kind == OPTION_TEXT ? text_row(settings, option) :
                             info->kind == OPTION_LIST ? list_row(settings, option) : flag_row(settings, option);

        gtk_label_set_xalign(GTK_LABEL(title), 0);
        gtk_label_set_xalign(GTK_LABEL(help), 0);
        gtk_label_set_line_wrap(GTK_LABEL(help), TRUE);
        gtk_label_set_max_width_chars(GTK_LABEL(help), 64);
        gtk_label_set_mnemonic_widget(GTK_LABEL(title), settings->rows[option]);
        gtk_style_context_add_class(gtk_widget_get_style_context(title), "lodger-name");
        gtk_style_context_add_class(gtk_widget_get_style_context(help), "dim-label");
        atk_object_set_name(gtk_widget_get_accessible(settings->rows[option]), info->name);
        atk_object_set_description(gtk_widget_get_accessible(settings->rows[option]), _(info->help));
        gtk_container_add(GTK_CONTAINER(box), title);
        gtk_container_add(GTK_CONTAINER(box), control);
        gtk_container_add(GTK_CONTAINER(box), help);
        gtk_box_pack_start(page, box, FALSE, FALSE, 0);
}

static GtkWidget *make_page(struct settings *settings, guint number)
{
        GtkWidget *page = gtk_box_new(GTK_ORIENTATION_VERTICAL, 18), *scrolled = gtk_scrolled_window_new(NULL, NULL);

        gtk_container_set_border_width(GTK_CONTAINER(page), 18);
        for (unsigned i = 0; i < OPTION_COUNT; i++)
                if (option_table[i].scope == OPTION_SCOPE_MACHINE && belongs(number, option_table[i].name))
                        add_row(settings, GTK_BOX(page), (enum option)i);
        gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
        gtk_container_add(GTK_CONTAINER(scrolled), page);
        return scrolled;
}

/* -- Applying -------------------------------------------------------------------------------------------- */

static void read_list(GtkTextView *view, struct option_set *set, enum option option)
{
        GtkTextBuffer *buffer = gtk_text_view_get_buffer(view);
        GtkTextIter start, end;
        char *text, **lines;

        gtk_text_buffer_get_bounds(buffer, &start, &end);
        text = gtk_text_buffer_get_text(buffer, &start, &end, FALSE);
        lines = g_strsplit(text, "\n", -1);
        options_unset(set, option);
        for (char **line = lines; *line; line++)
                if (*g_strstrip(*line))
                        options_add(set, option, *line);
        g_strfreev(lines);
        g_free(text);
}

static void read_rows(struct settings *settings, struct option_set *set)
{
        for (unsigned i = 0; i < OPTION_COUNT; i++) {
                GtkWidget *row = settings->rows[i];

                if (!row)
                        continue;
                if (option_table[i].kind == OPTION_LIST)
                        read_list(GTK_TEXT_VIEW(row), set, (enum option)i);
                else if (option_table[i].kind == OPTION_FLAG && gtk_switch_get_active(GTK_SWITCH(row)))
                        options_set(set, (enum option)i, "yes");
                else if (option_table[i].kind == OPTION_TEXT && *gtk_entry_get_text(GTK_ENTRY(row)))
                        options_set(set, (enum option)i, gtk_entry_get_text(GTK_ENTRY(row)));
                else
                        options_unset(set, (enum option)i);
        }
}

static void apply(struct settings *settings)
{
        struct option_set set = { 0 };
        GError *error = NULL;

        options_copy(&set, &settings->definition->options);
        read_rows(settings, &set);
        if (options_check(&set, &error)) {
                options_make_absolute(&set);
                options_clear(&settings->definition->options);
                settings->definition->options = set;
                definition_save(settings->definition, &error);
        } else {
                options_clear(&set);
        }
        if (error) {
                gtk_label_set_text(settings->complaint, error->message);
                gtk_widget_show(GTK_WIDGET(settings->complaint));
                g_error_free(error);
                return;
        }
        g_signal_emit_by_name(settings->machine, "changed");
        gtk_widget_destroy(GTK_WIDGET(settings->window));
}

static void settings_free(gpointer opaque)
{
        struct settings *settings = opaque;

        definition_free(settings->definition);
        g_object_unref(settings->machine);
        g_free(settings);
}

static void settings_response(struct settings *settings, gint response)
{
        if (response == GTK_RESPONSE_APPLY)
                apply(settings);
        else
                gtk_widget_destroy(GTK_WIDGET(settings->window));
}

/* -- The window ------------------------------------------------------------------------------------------- */

static void add_pages(struct settings *settings, GtkBox *content)
{
        GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0), *stack = gtk_stack_new(), *sidebar = gtk_stack_sidebar_new();

        for (guint i = 0; i < G_N_ELEMENTS(pages); i++)
                gtk_stack_add_titled(GTK_STACK(stack), make_page(settings, i), pages[i].title, _(pages[i].title));
        gtk_stack_sidebar_set_stack(GTK_STACK_SIDEBAR(sidebar), GTK_STACK(stack));
        gtk_box_pack_start(GTK_BOX(box), sidebar, FALSE, FALSE, 0);
        gtk_box_pack_start(GTK_BOX(box), stack, TRUE, TRUE, 0);
        gtk_box_pack_start(content, box, TRUE, TRUE, 0);
        gtk_widget_show_all(box);
}

static GtkWidget *add_note(GtkBox *content, const char *text, const char *class)
{
        GtkWidget *label = gtk_label_new(text);

        gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
        gtk_label_set_max_width_chars(GTK_LABEL(label), 80);
        gtk_widget_set_margin_top(label, 6);
        gtk_widget_set_margin_bottom(label, 6);
        gtk_style_context_add_class(gtk_widget_get_style_context(label), class);
        gtk_box_pack_start(content, label, FALSE, FALSE, 0);
        return label;
}

void settings_dialog_show(GtkWindow *parent, LodgerMachine *machine)
{
        GError *error = NULL;
        struct definition *definition = definition_load(lodger_machine_get_name(machine), &error);
        struct settings *settings;
        GtkWidget *dialog, *content;
        char *title;

        if (!definition) {
                dialog = gtk_message_dialog_new(parent, GTK_DIALOG_MODAL, GTK_MESSAGE_ERROR, GTK_BUTTONS_CLOSE, "%s",
                                                _("The definition cannot be read"));
                gtk_message_dialog_format_secondary_text(GTK_MESSAGE_DIALOG(dialog), "%s", error->message);
                g_signal_connect(dialog, "response", G_CALLBACK(gtk_widget_destroy), NULL);
                gtk_window_present(GTK_WINDOW(dialog));
                g_error_free(error);
                return;
        }
        settings = g_new0(struct settings, 1);
        settings->definition = definition;
        settings->machine = g_object_ref(machine);
        title = g_strdup_printf(_("Settings of “%s”"), lodger_machine_get_name(machine));
        dialog = gtk_dialog_new_with_buttons(title, parent, GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT | GTK_DIALOG_USE_HEADER_BAR,
                                             _("_Cancel"), GTK_RESPONSE_CANCEL, _("_Apply"), GTK_RESPONSE_APPLY, NULL);
        g_free(title);
        settings->window = GTK_WINDOW(dialog);
        gtk_window_set_default_size(settings->window, 720, 560);
        gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_APPLY);
        content = gtk_dialog_get_content_area(GTK_DIALOG(dialog));
        gtk_container_set_border_width(GTK_CONTAINER(content), 0);
        add_pages(settings, GTK_BOX(content));
        if (lodger_machine_is_alive(machine))
                gtk_widget_show(add_note(GTK_BOX(content), _("The machine runs: changes take effect when it is started the next time."),
                                         "dim-label"));
        settings->complaint = GTK_LABEL(add_note(GTK_BOX(content), NULL, "error"));
        g_signal_connect_swapped(dialog, "response", G_CALLBACK(settings_response), settings);
        g_signal_connect_swapped(dialog, "destroy", G_CALLBACK(settings_free), settings);
        gtk_window_present(settings->window);
}
