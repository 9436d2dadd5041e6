/* SPDX-License-Identifier: GPL-2.0-or-later */
/* define.c - `lodger set`, `show` and `delete`: definitions of named machines. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "library/guest_os.h"
#include "library/library.h"

/* Parses a command of words only; false: *status is the exit status. */
static bool parse_words(const char *command, const char *usage, const char *summary, int minimum, int maximum, int *argc, char ***argv,
                        int *status)
{
        GOptionContext *context = g_option_context_new(usage);
        bool ok;

        g_option_context_set_summary(context, summary);
        ok = cli_parse(context, command, argc, argv, status);
        if (ok && (*argc - 1 < minimum || *argc - 1 > maximum)) {
                *status = cli_fail(EXIT_USAGE, command, _("usage: lodger %s %s"), command, usage);
                ok = false;
        }
        g_option_context_free(context);
        return ok;
}

static bool assign(struct definition *definition, const char *assignment, GError **error)
{
        if (!g_str_has_prefix(assignment, "os="))
                return options_assign(&definition->options, assignment, error);
        if (!guest_os_find(assignment + 3)) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            _("os %s: no such type; \"lodger create --help\" lists them"), assignment + 3);
                return false;
        }
        g_free(definition->os);
        definition->os = g_strdup(assignment + 3);
        return true;
}

int set_main(int argc, char **argv)
{
        struct definition *definition;
        GError *error = NULL;
        int status, running;
        bool ok = true;

        if (!parse_words("set", _("NAME KEY=VALUE..."),
                         _("Changes a machine's definition: KEY=VALUE, KEY+=VALUE for one more, KEY= for the default.\n"
                           "Keys are the long options of \"lodger create\", and os.  A running machine keeps what it has."),
                         2, G_MAXINT, &argc, &argv, &status))
                return status;
        definition = definition_load(argv[1], &error);
        for (int i = 2; definition && ok && i < argc; i++)
                ok = assign(definition, argv[i], &error);
        if (!definition || !ok || !definition_save(definition, &error)) {
                status = session_fail("set", error);
        } else {
                running = library_lock(argv[1], NULL);
                if (running < 0)
                        fprintf(stderr, _("lodger set: %s is running; the change takes effect when it is started again\n"), argv[1]);
                else
                        close(running);
                status = EXIT_OK;
        }
        definition_free(definition);
        return status;
}

int show_main(int argc, char **argv)
{
        struct definition *definition;
        GError *error = NULL;
        char *text;
        int status;

        if (!parse_words("show", _("NAME"), _("Prints a machine's definition, a KEY=VALUE on each line."), 1, 1, &argc, &argv, &status))
                return status;
        definition = definition_load(argv[1], &error);
        if (!definition)
                return session_fail("show", error);
        text = definition_describe(definition);
        fputs(text, stdout);
        g_free(text);
        definition_free(definition);
        return EXIT_OK;
}

int delete_main(int argc, char **argv)
{
        GError *error = NULL;
        int status;

        if (!parse_words("delete", _("NAME"),
                         _("Deletes a machine: its definition, logs, and what lies in its folder.  Images elsewhere stay."), 1, 1, &argc,
                         &argv, &status))
                return status;
        return library_delete(argv[1], &error) ? EXIT_OK : session_fail("delete", error);
}
