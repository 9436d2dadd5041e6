/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - `lodger run`: a machine in the foreground, described by options, until it ends. */
#include <string.h>

#include "base/i18n.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/script.h"
#include "cli/session.h"

static int run_machine(struct option_set *options, char **images)
{
        struct session session = { .command = "run", .options = options };
        GError *error = NULL;
        int status;

        if (images && images[1])
                return cli_fail(EXIT_USAGE, "run", _("%s: one image only, and not together with --kernel"), images[1]);
        if (images && !options_place_image(options, images[0], &error))
                return session_fail("run", error);
        if (!session_check("run", options, &status))
                return status;
        if (options_flag(options, OPTION_THROWAWAY))
                options_throw_away(options);
        return options_text(options, OPTION_WAIT_FOR) || options_count(options, OPTION_EXEC) ? script_run(&session, options) : session_run(&session);
}

int run_main(int argc, char **argv)
{
        struct option_set options = { 0 };
        char **images = NULL;
        const GOptionEntry entries[] = {
                { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &images, NULL, N_("[IMAGE]") },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(NULL);
        char *categories = trace_describe();
        char *description = g_strdup_printf(
                _("Sizes are written 512M or 2G, times 90s, 10m or 2h.  Trace categories:\n%s\n"
                  "Exit status: 0 the guest powered off or was stopped, 1 host error, 2 usage,\n"
                  "3 the guest reset under --no-reboot, 4 timeout."), categories);
        int status;

        g_option_context_set_summary(context, _("Runs a machine in the foreground until it powers off."));
        g_option_context_set_description(context, description);
        g_option_context_set_main_group(context, options_group(&options, true));
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "run", &argc, &argv, &status))
                status = run_machine(&options, images);
        g_option_context_free(context);
        g_free(description);
        g_free(categories);
        g_strfreev(images);
        options_clear(&options);
        return status;
}
