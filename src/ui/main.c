/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - the program lodger-gtk. */
#include <locale.h>

#include "base/i18n.h"
#include "ui/application.h"

int main(int argc, char **argv)
{
        LodgerApplication *application;
        int status;

        setlocale(LC_ALL, "");
#if ENABLE_NLS
        bindtextdomain(PACKAGE_TARNAME, g_getenv("LODGER_LOCALEDIR") ? g_getenv("LODGER_LOCALEDIR") : LOCALEDIR);
        bind_textdomain_codeset(PACKAGE_TARNAME, "UTF-8");
        textdomain(PACKAGE_TARNAME);
#endif
        g_set_application_name("Lodger");
        g_set_prgname("lodger-gtk");
        application = lodger_application_new();
        status = g_application_run(G_APPLICATION(application), argc, argv);
        g_object_unref(application);
        return status;
}
