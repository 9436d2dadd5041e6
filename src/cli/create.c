/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create.c - `lodger create`: defines a named machine. */
#include "base/i18n.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "library/guest_os.h"
#include "library/library.h"

static char *describe_systems(void)
{
        GString *text = g_string_new(NULL);

        for (const struct guest_os *os = guest_os_table; os->name; os++)
                g_string_append_printf(text, "  %-10s %s\n", os->name, _(os->title));
        return g_string_free(text, FALSE);
}

static int create(struct option_set *options, const char *os, char **words)
{
        struct definition *definition;
        GError *error = NULL;
        int status;

        if (!words || (words[1] && words[2]))
                return cli_fail(EXIT_USAGE, "create", "%s", _("usage: lodger create NAME [--os TYPE] [OPTIONS] [IMAGE]"));
        if (!guest_os_find(os))
                return cli_fail(EXIT_USAGE, "create", _("--os %s: no such type; \"lodger create --help\" lists them"), os);
        if (!library_check_name(words[0], &error))
                return session_fail("create", error);
        if ((words[1] && !options_place_image(options, words[1], &error)) || !options_check(options, &error))
                return session_fail("create", error);
        options_make_absolute(options);
        definition = definition_new(words[0], os);
        options_copy(&definition->options, options);
        status = library_create(definition, &error) ? EXIT_OK : session_fail("create", error);
        definition_free(definition);
        return status;
}

int create_main(int argc, char **argv)
{
        struct option_set options = { 0 };
        char *os = NULL, **words = NULL;
        const GOptionEntry entries[] = {
                { "os", 0, 0, G_OPTION_ARG_STRING, &os, N_("the guest's operating system (default: other)"), N_("TYPE") },
                { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words, NULL, N_("NAME [IMAGE]") },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(NULL);
        char *systems = describe_systems();
        char *description = g_strdup_printf(_("Options not given are chosen when the machine starts, to suit the operating system:\n%s"), systems);
        int status;

        g_option_context_set_summary(context, _("Defines a machine, which \"lodger start\" starts and \"lodger set\" changes."));
        g_option_context_set_description(context, description);
        g_option_context_set_main_group(context, options_group(&options, false));
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "create", &argc, &argv, &status))
                status = create(&options, os ? os : "other", words);
        g_option_context_free(context);
        g_free(description);
        g_free(systems);
        g_free(os);
        g_strfreev(words);
        options_clear(&options);
        return status;
}
