/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - the program `lodger`: finds the subcommand and runs it.
 *
 * The only place that ends the process; everything below returns.
 */
#include <glib.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/i18n.h"
#include "cli/cli.h"

static int help_main(int argc, char **argv);
static int version_main(int argc, char **argv);

static const struct command {
        const char *name;
        int (*main)(int argc, char **argv);
        const char *help;
} commands[] = {
        { "run", run_main, N_("run a machine in the foreground") },
        { "create", create_main, N_("define a named machine") },
        { "start", start_main, N_("start a named machine in a process of its own") },
        { "set", set_main, N_("change a named machine's definition") },
        { "show", show_main, N_("print a named machine's definition") },
        { "clone", clone_main, N_("make a machine like another one") },
        { "delete", delete_main, N_("delete a named machine") },
        { "import", import_main, N_("make a named machine of a VirtualBox or OVF one") },
        { "list", list_main, N_("list the running machines, or all there are") },
        { "stop", stop_main, N_("shut a machine down by its power button, or end it by force") },
        { "reset", reset_main, N_("press a machine's reset button") },
        { "pause", pause_main, N_("let a machine stand still") },
        { "resume", resume_main, N_("let a paused machine go on") },
        { "suspend", suspend_main, N_("write a machine's state to disk and end it; start goes on from there") },
        { "snapshot", snapshot_main, N_("keep a machine's state at an instant, and go back to it") },
        { "engine", engine_main, N_("move a running guest to another engine") },
        { "screen", screen_main, N_("print the text on a machine's screen") },
        { "screenshot", screenshot_main, N_("write a picture of a machine's screen") },
        { "key", key_main, N_("press keys of a machine") },
        { "type", type_main, N_("type text on a machine's keyboard") },
        { "mouse", mouse_main, N_("move a machine's mouse, press its buttons") },
        { "eject", eject_main, N_("take the medium out of a machine's CD drive") },
        { "insert", insert_main, N_("put an image into a machine's CD drive") },
        { "net", net_main, N_("change a machine's network while it runs") },
        { "ssh", ssh_main, N_("log in to a machine's guest") },
        { "image", image_main, N_("make, check, copy and change disk images") },
        { "info", info_main, N_("show the devices of a machine and their registers") },
        { "stats", stats_main, N_("show the counters of a machine") },
        { "doctor", doctor_main, N_("tell whether this host can run machines, and what to do if not") },
        { "version", version_main, N_("print the version") },
        { "help", help_main, N_("show this list, or help on one command") },
};

static const struct command *command_find(const char *name)
{
        for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        }
        return NULL;
}

/* -- What subcommands share -------------------------------------------------------------------- */

int cli_fail(int status, const char *command, const char *format, ...)
{
        va_list arguments;
        char *message;

        va_start(arguments, format);
        message = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        fprintf(stderr, "lodger %s: %s\n", command, message);
        g_free(message);
        return status;
}

bool cli_parse(GOptionContext *context, const char *command, int *argc, char ***argv, int *status)
{
        gboolean help = FALSE;
        const GOptionEntry entries[] = {
                { "help", 'h', 0, G_OPTION_ARG_NONE, &help, N_("show this help"), NULL },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        char *program = g_strdup_printf("lodger %s", command);
        GError *error = NULL;
        bool go_on = false;

        g_option_context_add_main_entries(context, entries, NULL);
        /* GLib's own --help would exit from inside the parser. */
        g_option_context_set_help_enabled(context, FALSE);
#if ENABLE_NLS
        g_option_context_set_translation_domain(context, PACKAGE_TARNAME);
#endif
        g_set_prgname(program);
        if (!g_option_context_parse(context, argc, argv, &error)) {
                *status = cli_fail(EXIT_USAGE, command, _("%s; \"lodger %s --help\" lists the options"), error->message, command);
                g_clear_error(&error);
        } else if (help) {
                char *text = g_option_context_get_help(context, TRUE, NULL);

                fputs(text, stdout);
                g_free(text);
                *status = EXIT_OK;
        } else {
                go_on = true;
        }
        g_free(program);
        return go_on;
}

/* -- Subcommands about the program itself ------------------------------------------------------ */

static void print_commands(FILE *to)
{
        fputs(_("usage: lodger COMMAND [OPTIONS] [ARGUMENTS]\n\n"), to);
        for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
                fprintf(to, "  %-10s %s\n", commands[i].name, _(commands[i].help));
        fputs(_("\n\"lodger COMMAND --help\" explains a command; lodger(1) explains everything.\n"), to);
}

static int version_main(int argc, char **argv)
{
        if (argc > 1 && strcmp(argv[1], "--help") != 0)
                return cli_fail(EXIT_USAGE, "version", _("%s: takes no arguments"), argv[1]);
        puts(argc > 1 ? _("usage: lodger version") : PACKAGE_STRING);
        return EXIT_OK;
}

static int help_main(int argc, char **argv)
{
        const struct command *command;

        if (argc < 2 || strcmp(argv[1], "--help") == 0) {
                print_commands(stdout);
                return EXIT_OK;
        }
        command = command_find(argv[1]);
        if (command == NULL)
                return cli_fail(EXIT_USAGE, "help", _("%s: no such command; \"lodger help\" lists them"), argv[1]);
        if (command->main == help_main) {
                print_commands(stdout);
                return EXIT_OK;
        }

        char name[32], option[] = "--help";
        char *arguments[] = { name, option, NULL };

        g_strlcpy(name, command->name, sizeof(name));
        return command->main(2, arguments);
}

int main(int argc, char **argv)
{
        const struct command *command;
        const char *name;

        setlocale(LC_ALL, "");
#if ENABLE_NLS
        bindtextdomain(PACKAGE_TARNAME, LOCALEDIR);
        bind_textdomain_codeset(PACKAGE_TARNAME, "UTF-8");
        textdomain(PACKAGE_TARNAME);
#endif
        /* A reader that goes away shows as EPIPE where it matters, not as the death of the guest. */
        signal(SIGPIPE, SIG_IGN);

        if (argc < 2) {
                print_commands(stderr);
                return EXIT_USAGE;
        }
        name = argv[1];
        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
                name = "help";
        else if (strcmp(name, "--version") == 0)
                name = "version";
        command = command_find(name);
        if (command == NULL) {
                fprintf(stderr, _("lodger: %s: no such command; \"lodger help\" lists them\n"), name);
                return EXIT_USAGE;
        }
        return command->main(argc - 1, argv + 1);
}
