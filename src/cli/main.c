/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - the program `lodger`: finds the subcommand and runs it.
 *
 * The only place that ends the process; everything below returns.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "base/i18n.h"

int main(int argc, char **argv)
{
        setlocale(LC_ALL, "");
#if ENABLE_NLS
        bindtextdomain(PACKAGE_TARNAME, LOCALEDIR);
        textdomain(PACKAGE_TARNAME);
#endif
        signal(SIGPIPE, SIG_IGN);
        if (argc == 2 && strcmp(argv[1], "version") == 0) {
                puts(PACKAGE_STRING);
                return 0;
        }
        fputs(_("usage: lodger COMMAND [OPTIONS]\n"), stderr);
        return 2;
}
