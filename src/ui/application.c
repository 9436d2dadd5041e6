/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * application.c - LodgerApplication.
 *
 *      lodger-gtk                 the manager window
 *      lodger-gtk FILE            the assistant, filled in
 *      lodger-gtk --start FILE    starts a machine from FILE and shows it
 *      lodger-gtk --show NAME     shows a machine that runs
 *
 * A second start talks to the first instance.  Without a session bus there is no single instance, and everything else
 * works.
 */
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "ui/application_private.h"
#include "ui/assistant.h"
#include "ui/console.h"
#include "ui/launch.h"
#include "ui/preferences.h"

struct _LodgerApplication {
        GtkApplication parent;
        LodgerMachineList *machines;
        guint cookie;
};

G_DEFINE_TYPE(LodgerApplication, lodger_application, GTK_TYPE_APPLICATION)

LodgerMachineList *lodger_application_get_machines(LodgerApplication *application) { return application->machines; }

guint *application_cookie(LodgerApplication *application) { return &application->cookie; }

/* -- Machines ------------------------------------------------------------------------------------- */

void lodger_application_complain(GtkWindow *parent, const char *title, const char *text)
{
        GtkWidget *dialog = gtk_message_dialog_new(parent, GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, GTK_MESSAGE_ERROR,
                                                   GTK_BUTTONS_CLOSE, "%s", title);

        gtk_message_dialog_format_secondary_text(GTK_MESSAGE_DIALOG(dialog), "%s", text);
        if (!parent)
                gtk_window_set_application(GTK_WINDOW(dialog), GTK_APPLICATION(g_application_get_default()));
        g_signal_connect(dialog, "response", G_CALLBACK(gtk_widget_destroy), NULL);
        gtk_window_present(GTK_WINDOW(dialog));
}

void lodger_application_show_console(LodgerApplication *application, LodgerMachine *machine)
{
        for (GList *window = gtk_application_get_windows(GTK_APPLICATION(application)); window; window = window->next)
                if (LODGER_IS_CONSOLE(window->data) && lodger_console_get_machine(window->data) == machine) {
                        gtk_window_present(window->data);
                        return;
                }
        gtk_window_present(GTK_WINDOW(lodger_console_new(application, machine)));
}

void lodger_application_start(LodgerApplication *application, LodgerMachine *machine, GtkWindow *parent)
{
        GError *error = NULL;
        char *title;

        lodger_machine_list_add(application->machines, machine);
        if (launch_machine(machine, &error)) {
                lodger_application_show_console(application, machine);
                return;
        }
        title = g_strdup_printf(_("“%s” could not be started"), lodger_machine_get_name(machine));
        lodger_application_complain(parent, title, error->message);
        g_free(title);
        g_error_free(error);
}

/* The file named on the command line of some instance, absolute; caller frees. */
static char *path_of(GApplicationCommandLine *line, const char *argument)
{
        GFile *file = g_application_command_line_create_file_for_arg(line, argument);
        char *path = g_file_get_path(file);

        g_object_unref(file);
        return path ? path : g_strdup(argument);
}

/* --start FILE, and what goes with a kernel. */
static void start_file(LodgerApplication *application, GApplicationCommandLine *line, GVariantDict *given)
{
        const char *argument = NULL, *initrd = NULL, *append = NULL, *wanted = NULL, *options[5] = { NULL };
        char *path, *initrd_path = NULL, *name;
        LodgerMachine *machine;
        int count = 0;

        g_variant_dict_lookup(given, "start", "^&ay", &argument);
        path = path_of(line, argument);
        if (g_variant_dict_lookup(given, "initrd", "^&ay", &initrd)) {
                initrd_path = path_of(line, initrd);
                options[count++] = "--initrd";
                options[count++] = initrd_path;
        }
        if (g_variant_dict_lookup(given, "append", "&s", &append)) {
                options[count++] = "--append";
                options[count++] = append;
        }
        name = launch_name_for(g_variant_dict_lookup(given, "name", "&s", &wanted) ? wanted : path);
        machine = launch_prepare(name, path, options);
        lodger_application_start(application, machine, NULL);
        g_object_unref(machine);
        g_free(initrd_path);
        g_free(path);
        g_free(name);
}

/* -- Command line --------------------------------------------------------------------------------- */

static int lodger_application_command_line(GApplication *gapplication, GApplicationCommandLine *line)
{
        LodgerApplication *application = LODGER_APPLICATION(gapplication);
        GVariantDict *options = g_application_command_line_get_options_dict(line);
        const char *name, **files = NULL;
        LodgerMachine *machine;
        char *path;

        if (g_variant_dict_contains(options, "start")) {
                start_file(application, line, options);
        } else if (g_variant_dict_lookup(options, "show", "&s", &name)) {
                machine = lodger_machine_list_find(application->machines, name);
                if (!machine) {
                        g_application_command_line_printerr(line, _("lodger-gtk: %s: no such machine is running\n"), name);
                        return EXIT_FAILURE;
                }
                lodger_application_show_console(application, machine);
        } else {
                g_variant_dict_lookup(options, G_OPTION_REMAINING, "^a&ay", &files);
                application_show_manager(application);
                if (files && *files) {
                        path = path_of(line, *files);
                        assistant_show(application, gtk_application_get_active_window(GTK_APPLICATION(application)), path);
                        g_free(path);
                }
                g_free(files);
        }
        return EXIT_SUCCESS;
}

static gint lodger_application_handle_local_options(GApplication *application, GVariantDict *options)
{
        (void)application;
        if (g_variant_dict_contains(options, "version")) {
                g_print("lodger-gtk %s\n", PACKAGE_VERSION);
                return EXIT_SUCCESS;
        }
        return -1;
}

/* -- Object --------------------------------------------------------------------------------------- */

static void lodger_application_startup(GApplication *application)
{
        GtkCssProvider *style;

        G_APPLICATION_CLASS(lodger_application_parent_class)->startup(application);
        style = gtk_css_provider_new();
        gtk_css_provider_load_from_resource(style, LODGER_RESOURCES "style.css");
        gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(style),
                                                  GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
        g_object_unref(style);
        gtk_icon_theme_add_resource_path(gtk_icon_theme_get_default(), LODGER_RESOURCES "icons");
        gtk_window_set_default_icon_name(LODGER_APPLICATION_ID);
        preferences_apply_theme();
        LODGER_APPLICATION(application)->machines = lodger_machine_list_new();
        application_add_actions(LODGER_APPLICATION(application));
        application_watch_machines(LODGER_APPLICATION(application));
}

static void lodger_application_activate(GApplication *application) { application_show_manager(LODGER_APPLICATION(application)); }

static void lodger_application_dispose(GObject *object)
{
        g_clear_object(&LODGER_APPLICATION(object)->machines);
        G_OBJECT_CLASS(lodger_application_parent_class)->dispose(object);
}

static void lodger_application_class_init(LodgerApplicationClass *class)
{
        GApplicationClass *application = G_APPLICATION_CLASS(class);

        G_OBJECT_CLASS(class)->dispose = lodger_application_dispose;
        application->startup = lodger_application_startup;
        application->activate = lodger_application_activate;
        application->command_line = lodger_application_command_line;
        application->handle_local_options = lodger_application_handle_local_options;
}

static void lodger_application_init(LodgerApplication *application)
{
        static const GOptionEntry entries[] = {
                { "start", 's', 0, G_OPTION_ARG_FILENAME, NULL, N_("start a machine from a CD image, a disk image or a kernel, and show it"),
                  N_("FILE") },
                { "name", 0, 0, G_OPTION_ARG_STRING, NULL, N_("with --start: the machine's name"), N_("NAME") },
                { "initrd", 0, 0, G_OPTION_ARG_FILENAME, NULL, N_("with --start and a kernel: its initial RAM disk"), N_("FILE") },
                { "append", 0, 0, G_OPTION_ARG_STRING, NULL, N_("with --start and a kernel: its command line"), N_("TEXT") },
                { "show", 0, 0, G_OPTION_ARG_STRING, NULL, N_("show a machine that runs"), N_("NAME") },
                { "version", 'v', 0, G_OPTION_ARG_NONE, NULL, N_("print the version"), NULL },
                { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, NULL, NULL, N_("[FILE]") },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };

        g_application_add_main_option_entries(G_APPLICATION(application), entries);
        g_application_set_option_context_summary(G_APPLICATION(application),
                                                 _("Shows, starts and makes machines.  They run on when its windows are closed."));
}

LodgerApplication *lodger_application_new(void)
{
        return g_object_new(LODGER_TYPE_APPLICATION, "application-id", LODGER_APPLICATION_ID, "flags",
                            G_APPLICATION_HANDLES_COMMAND_LINE, "resource-base-path", "/org/lodger/Lodger", NULL);
}
