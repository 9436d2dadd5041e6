/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import.c - `lodger import`: makes a named machine of one that another program has defined. */
#include <stdio.h>

#include "base/i18n.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "import/import.h"

static int import_file(const char *path, const char *name)
{
        struct import *import;
        GError *error = NULL;
        int status = EXIT_OK;

        if (!import_is_definition(path))
                return cli_fail(EXIT_USAGE, "import", _("%s: neither .vbox, .ovf nor .ova; \"lodger create NAME FILE\" takes disk images"), path);
        import = import_read(path, &error);
        if (!import)
                return session_fail("import", error);
        for (guint i = 0; i < import->notes->len; i++)
                fprintf(stderr, "lodger import: %s\n", (const char *)g_ptr_array_index(import->notes, i));
        if (import_make(import, name, progress_watch(false), &error))
                printf("%s\n", name ? name : import->name);
        else
                status = session_fail("import", error);
        import_free(import);
        return status;
}

int import_main(int argc, char **argv)
{
        char *name = NULL, **words = NULL;
        const GOptionEntry entries[] = {
                { "name", 0, 0, G_OPTION_ARG_STRING, &name, N_("the new machine's name (default: as it was called)"), N_("NAME") },
                { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words, NULL, N_("FILE") },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(NULL);
        int status;

        g_option_context_set_summary(context, _("Makes a machine of a VirtualBox machine (.vbox) or an OVF package (.ovf, .ova); prints its name.\n"
                                                "Its disks are copied into the new machine's folder."));
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "import", &argc, &argv, &status))
                status = words && !words[1] ? import_file(words[0], name)
                                            : cli_fail(EXIT_USAGE, "import", "%s", _("usage: lodger import [--name NAME] FILE"));
        g_option_context_free(context);
        g_strfreev(words);
        g_free(name);
        return status;
}
