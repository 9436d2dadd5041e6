/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone.c - `lodger clone`: a machine like another one. */
#include "base/i18n.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "library/library.h"

int clone_main(int argc, char **argv)
{
        gboolean linked = FALSE, quiet = FALSE;
        const GOptionEntry entries[] = {
                { "linked", 0, 0, G_OPTION_ARG_NONE, &linked, N_("store only what differs; NAME's disks stay as they are from then on"), NULL },
                { "quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, N_("show no progress"), NULL },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(_("NAME NEW"));
        struct clone_options options = { 0 };
        GError *error = NULL;
        int status;

        g_option_context_set_summary(context, _("Makes the machine NEW like NAME, with disks, UUID and network addresses of its own."));
        g_option_context_set_description(context, _("NAME must not be running.  Disks that its guest does not write are shared.  While linked\n"
                                                    "clones exist, NAME's disks cannot be written: it starts again when they are deleted."));
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "clone", &argc, &argv, &status)) {
                options.linked = linked;
                if (argc != 3)
                        status = cli_fail(EXIT_USAGE, "clone", "%s", _("usage: lodger clone NAME NEW [--linked]"));
                else if ((options.progress = progress_watch(quiet)) && library_clone(argv[1], argv[2], &options, &error))
                        status = EXIT_OK;
                else
                        status = session_fail("clone", error);
        }
        g_option_context_free(context);
        return status;
}
