/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * assistant.c - the window that makes a machine.
 *
 * Two pages: what to start from (a click on a suggestion goes on), and a review with everything filled in.  The machine
 * becomes a definition in the library; its new disk lies in the machine's folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "import/import.h"
#include "library/guest_os.h"
#include "library/library.h"
#include "ui/advice.h"
#include "ui/assistant.h"
#include "ui/guess.h"
#include "ui/launch.h"
#include "ui/tool.h"

enum { MIB = 1 << 20, MEMORY_DEFAULT_MIB = 512, PULSE_MS = 100 };

struct assistant {
        LodgerApplication *application;
        GtkBuilder *builder;
        GtkWindow *window;
        char *path;                     /* chosen; NULL: not yet */
        guint pulse;                    /* while a machine is imported */
};

static void *widget(struct assistant *assistant, const char *id)
{
        return gtk_builder_get_object(assistant->builder, id);
}

static void assistant_free(gpointer opaque)
{
        struct assistant *assistant = opaque;

        g_clear_handle_id(&assistant->pulse, g_source_remove);
        g_object_unref(assistant->builder);
        g_free(assistant->path);
        g_free(assistant);
}

static void complain(struct assistant *assistant, const char *text)
{
        gtk_label_set_text(widget(assistant, "complaint"), text);
        gtk_widget_show(widget(assistant, "complaint"));
}

/* -- The review ---------------------------------------------------------------------------------------- */

/* What suits the chosen kind of guest. */
static void os_changed(struct assistant *assistant)
{
        const char *id = gtk_combo_box_get_active_id(widget(assistant, "os"));
        const struct guest_os *os = guest_os_find(id ? id : "other");
        guint64 mib = MEMORY_DEFAULT_MIB;

        if (os->memory)
                mib = g_ascii_strtoull(os->memory, NULL, 10) << (strchr(os->memory, 'G') ? 10 : 0);
        gtk_spin_button_set_value(widget(assistant, "memory"), (double)mib);
        gtk_spin_button_set_value(widget(assistant, "disk_size"), os->disk_gib);
}

static void disk_toggled(struct assistant *assistant)
{
        gtk_widget_set_sensitive(widget(assistant, "disk_size"), gtk_toggle_button_get_active(widget(assistant, "disk")));
}

static void advice_arrived(const char *summary, const char *text, gboolean can_run, gpointer opaque)
{
        struct assistant *assistant = opaque;

        (void)can_run;
        gtk_label_set_text(widget(assistant, "engine"), summary);
        gtk_label_set_text(widget(assistant, "advice_text"), text);
}

/* -- Machines of other programs -------------------------------------------------------------------------- */

static gboolean import_pulse(gpointer progress)
{
        gtk_progress_bar_pulse(progress);
        return G_SOURCE_CONTINUE;
}

/* The last line is the new machine's name; what stands before it says what is left out. */
static void import_done(char *text, gboolean ok, gpointer opaque)
{
        struct assistant *assistant = opaque;
        char *last = strrchr(text, '\n');

        g_clear_handle_id(&assistant->pulse, g_source_remove);
        gtk_widget_hide(widget(assistant, "import_progress"));
        if (!ok) {
                gtk_label_set_text(widget(assistant, "import_text"), tool_problem(text));
                return;
        }
        lodger_machine_list_scan(lodger_application_get_machines(assistant->application));
        if (last) {
                *last = '\0';
                lodger_application_complain(gtk_window_get_transient_for(assistant->window), _("Some things were left out"), text);
        }
        gtk_widget_destroy(GTK_WIDGET(assistant->window));      /* frees the assistant */
}

static void import_machine(struct assistant *assistant, const char *path)
{
        char *file = g_filename_display_name(path), *name = launch_name_for(path);
        const char *arguments[] = { "import", "--name", name, "--", path, NULL };

        gtk_label_set_text(widget(assistant, "import_text"), file);
        gtk_stack_set_visible_child_name(widget(assistant, "stack"), "import");
        assistant->pulse = g_timeout_add(PULSE_MS, import_pulse, widget(assistant, "import_progress"));
        tool_run(G_OBJECT(assistant->window), arguments, TOOL_BOUND, import_done, assistant);
        g_free(name);
        g_free(file);
}

/* -- Choosing one file ----------------------------------------------------------------------------------- */

static void review(struct assistant *assistant, const char *path)
{
        struct guess guess;
        char *name = launch_name_for(path), *file = g_filename_display_basename(path);

        guess_file(path, &guess);
        g_free(assistant->path);
        assistant->path = g_strdup(path);
        gtk_label_set_text(widget(assistant, "file"), g_strcmp0(guess.title, file) ? guess.title : file);
        gtk_widget_set_tooltip_text(widget(assistant, "file"), path);
        gtk_entry_set_text(widget(assistant, "name"), name);
        gtk_combo_box_set_active_id(widget(assistant, "os"), guess.os);
        gtk_toggle_button_set_active(widget(assistant, "disk"), guess.installer);
        os_changed(assistant);
        gtk_widget_hide(widget(assistant, "complaint"));
        gtk_stack_set_visible_child_name(widget(assistant, "stack"), "review");
        gtk_widget_show(widget(assistant, "start"));
        gtk_widget_show(widget(assistant, "create"));
        gtk_widget_grab_default(widget(assistant, "start"));
        gtk_widget_grab_focus(widget(assistant, "start"));
        guess_clear(&guess);
        g_free(file);
        g_free(name);
}

static void choose(struct assistant *assistant, const char *path)
{
        if (import_is_definition(path))
                import_machine(assistant, path);
        else
                review(assistant, path);
}

/* -- Making it ----------------------------------------------------------------------------------------- */

/* Sparse: takes no room until its guest writes. */
static gboolean make_disk(const char *path, guint64 gib, GError **error)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        gboolean ok = fd >= 0 && ftruncate(fd, (off_t)(gib << 30)) == 0;

        if (!ok)
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", path, g_strerror(errno));
        if (fd >= 0)
                close(fd);
        return ok;
}

static gboolean fill_in(struct assistant *assistant, struct definition *definition, GError **error)
{
        struct option_set *options = &definition->options;
        char *memory = g_strdup_printf("%dM", gtk_spin_button_get_value_as_int(widget(assistant, "memory")));
        gboolean ok;

        options_set(options, OPTION_MEMORY, memory);
        g_free(memory);
        ok = options_place_image(options, assistant->path, error) && options_check(options, error);
        if (ok)
                options_make_absolute(options);
        return ok;
}

/* The definition with its disk, or NULL with error set. */
static struct definition *make(struct assistant *assistant, GError **error)
{
        const char *name = gtk_entry_get_text(widget(assistant, "name")), *os = gtk_combo_box_get_active_id(widget(assistant, "os"));
        struct definition *definition;
        char *folder, *disk;

        if (!library_check_name(name, error))
                return NULL;
        definition = definition_new(name, os ? os : "other");
        if (!fill_in(assistant, definition, error) || !library_create(definition, error)) {
                definition_free(definition);
                return NULL;
        }
        if (gtk_toggle_button_get_active(widget(assistant, "disk"))) {
                folder = library_machine_folder(name);
                disk = g_build_filename(folder, "disk.raw", NULL);
                if (make_disk(disk, (guint64)gtk_spin_button_get_value_as_int(widget(assistant, "disk_size")), error)) {
                        options_insert(&definition->options, OPTION_DISK, disk);
                        if (!definition_save(definition, error))
                                g_clear_pointer(&definition, definition_free);
                } else {
                        g_clear_pointer(&definition, definition_free);
                }
                if (!definition)
                        library_delete(name, NULL);
                g_free(disk);
                g_free(folder);
        }
        return definition;
}

static void finish(struct assistant *assistant, gboolean start)
{
        LodgerMachineList *machines = lodger_application_get_machines(assistant->application);
        GError *error = NULL;
        struct definition *definition = make(assistant, &error);
        LodgerApplication *application = assistant->application;
        LodgerMachine *machine;
        char *uri;

        if (!definition) {
                complain(assistant, error->message);
                g_error_free(error);
                return;
        }
        uri = g_filename_to_uri(assistant->path, NULL, NULL);
        if (uri)
                gtk_recent_manager_add_item(gtk_recent_manager_get_default(), uri);
        g_free(uri);
        lodger_machine_list_scan(machines);
        machine = lodger_machine_list_find(machines, definition->name);
        definition_free(definition);
        gtk_widget_destroy(GTK_WIDGET(assistant->window));      /* frees the assistant */
        if (machine && start)
                lodger_application_start(application, machine, gtk_application_get_active_window(GTK_APPLICATION(application)));
}

static void start_clicked(struct assistant *assistant) { finish(assistant, TRUE); }
static void create_clicked(struct assistant *assistant) { finish(assistant, FALSE); }
static void cancel_clicked(struct assistant *assistant) { gtk_widget_destroy(GTK_WIDGET(assistant->window)); }

static gboolean key_pressed(struct assistant *assistant, GdkEventKey *event)
{
        if (event->keyval != GDK_KEY_Escape)
                return FALSE;
        cancel_clicked(assistant);
        return TRUE;
}

/* -- Choosing ------------------------------------------------------------------------------------------ */

static void image_activated(struct assistant *assistant, GtkListBoxRow *row)
{
        choose(assistant, g_object_get_data(G_OBJECT(row), "path"));
}

static void file_response(struct assistant *assistant, gint response, GtkNativeDialog *dialog)
{
        char *path = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog)) : NULL;

        if (path)
                choose(assistant, path);
        g_free(path);
        gtk_native_dialog_hide(dialog);
}

static void choose_file(struct assistant *assistant)
{
        GtkFileChooserNative *dialog = gtk_file_chooser_native_new(_("Choose a File to Start From"), assistant->window,
                                                                   GTK_FILE_CHOOSER_ACTION_OPEN, _("_Choose"), NULL);

        gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(dialog), TRUE);
        g_signal_connect_swapped(dialog, "response", G_CALLBACK(file_response), assistant);
        g_object_set_data_full(G_OBJECT(assistant->window), "chooser", dialog, g_object_unref);
        gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static void add_image(struct assistant *assistant, const char *path)
{
        GtkWidget *row = gtk_list_box_row_new(), *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
        GtkWidget *texts = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2), *title, *detail;
        const struct guest_os *os;
        struct guess guess;
        char *shown = g_filename_display_name(path);

        guess_file(path, &guess);
        os = guest_os_find(guess.os);
        title = gtk_label_new(guess.title);
        detail = gtk_label_new(shown);
        gtk_label_set_xalign(GTK_LABEL(title), 0);
        gtk_label_set_xalign(GTK_LABEL(detail), 0);
        gtk_label_set_ellipsize(GTK_LABEL(detail), PANGO_ELLIPSIZE_START);
        gtk_style_context_add_class(gtk_widget_get_style_context(detail), "dim-label");
        gtk_container_set_border_width(GTK_CONTAINER(box), 8);
        gtk_container_add(GTK_CONTAINER(box), gtk_image_new_from_icon_name("media-optical-symbolic", GTK_ICON_SIZE_LARGE_TOOLBAR));
        gtk_container_add(GTK_CONTAINER(texts), title);
        gtk_container_add(GTK_CONTAINER(texts), detail);
        gtk_box_pack_start(GTK_BOX(box), texts, TRUE, TRUE, 0);
        if (os && strcmp(os->name, "other")) {
                GtkWidget *system = gtk_label_new(_(os->title));

                gtk_style_context_add_class(gtk_widget_get_style_context(system), "dim-label");
                gtk_container_add(GTK_CONTAINER(box), system);
        }
        gtk_container_add(GTK_CONTAINER(row), box);
        atk_object_set_name(gtk_widget_get_accessible(row), guess.title);
        g_object_set_data_full(G_OBJECT(row), "path", g_strdup(path), g_free);
        gtk_widget_show_all(row);
        gtk_container_add(widget(assistant, "images"), row);
        guess_clear(&guess);
        g_free(shown);
}

static void add_images(struct assistant *assistant)
{
        GPtrArray *images = guess_images();

        for (guint i = 0; i < images->len; i++)
                add_image(assistant, g_ptr_array_index(images, i));
        gtk_widget_set_visible(widget(assistant, "images_box"), images->len > 0);
        gtk_widget_set_visible(widget(assistant, "no_images"), images->len == 0);
        g_ptr_array_unref(images);
}

void assistant_show(LodgerApplication *application, GtkWindow *parent, const char *path)
{
        struct assistant *assistant = g_new0(struct assistant, 1);

        assistant->application = application;
        assistant->builder = gtk_builder_new_from_resource(LODGER_RESOURCES "ui/assistant.ui");
        assistant->window = widget(assistant, "window");
        gtk_window_set_transient_for(assistant->window, parent);
        gtk_window_set_application(assistant->window, GTK_APPLICATION(application));
        g_signal_connect_swapped(assistant->window, "destroy", G_CALLBACK(assistant_free), assistant);
        for (const struct guest_os *os = guest_os_table; os->name; os++)
                gtk_combo_box_text_append(widget(assistant, "os"), os->name, _(os->title));
        g_signal_connect_swapped(widget(assistant, "os"), "changed", G_CALLBACK(os_changed), assistant);
        g_signal_connect_swapped(widget(assistant, "disk"), "toggled", G_CALLBACK(disk_toggled), assistant);
        g_signal_connect_swapped(widget(assistant, "images"), "row-activated", G_CALLBACK(image_activated), assistant);
        g_signal_connect_swapped(widget(assistant, "choose_file"), "clicked", G_CALLBACK(choose_file), assistant);
        g_signal_connect_swapped(widget(assistant, "start"), "clicked", G_CALLBACK(start_clicked), assistant);
        g_signal_connect_swapped(widget(assistant, "create"), "clicked", G_CALLBACK(create_clicked), assistant);
        g_signal_connect_swapped(widget(assistant, "cancel"), "clicked", G_CALLBACK(cancel_clicked), assistant);
        g_signal_connect_swapped(assistant->window, "key-press-event", G_CALLBACK(key_pressed), assistant);
        gtk_widget_hide(widget(assistant, "start"));
        gtk_widget_hide(widget(assistant, "create"));
        advice_ask(G_OBJECT(assistant->window), advice_arrived, assistant);
        if (path)
                choose(assistant, path);
        else
                add_images(assistant);
        gtk_window_present(assistant->window);
}
