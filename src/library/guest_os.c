/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_os.c - what suits guests of each age.
 *
 * A guest that is offered less than it could use is slow; one that is offered more than it knows does not
 * start: Windows 9x dies with much memory or a new CPU, XP has no driver for AHCI or virtio on its CD, DOS
 * knows NE2000 cards from packet drivers.  So the table errs on the old side.
 */
#include <glib.h>
#include <string.h>

#include "base/i18n.h"
#include "library/guest_os.h"

const struct guest_os guest_os_table[] = {
        { "dos", N_("DOS and its extenders"), "32M", "pentium", "ide", "ne2k", NULL, 1 },
        { "win9x", N_("Windows 95, 98 and ME"), "128M", "pentium3", "ide", "rtl8139", NULL, 4 },
        { "winxp", N_("Windows 2000, XP and 2003"), "512M", "core2", "ide", "rtl8139", NULL, 16 },
        { "win10", N_("Windows Vista to 11"), "2G", NULL, "ahci", "e1000", NULL, 64 },
        { "linux32", N_("Linux, 32 bits"), "512M", NULL, "virtio", "virtio", "yes", 16 },
        { "linux64", N_("Linux, 64 bits"), "1G", NULL, "virtio", "virtio", "yes", 32 },
        { "other", N_("anything else"), "512M", NULL, "ide", "e1000", NULL, 16 },
        { NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0 },
};

const struct guest_os *guest_os_find(const char *name)
{
        for (const struct guest_os *os = guest_os_table; os->name; os++)
                if (!strcmp(os->name, name))
                        return os;
        return NULL;
}

/* The first row with a word in the text, in lower case. */
static const struct { const char *word, *os; } words[] = {
        { "amd64", "linux64" }, { "x86_64", "linux64" }, { "x86-64", "linux64" }, { "i386", "linux32" }, { "i686", "linux32" },
        { "i586", "linux32" }, { "freedos", "dos" }, { "fd13", "dos" }, { "msdos", "dos" }, { "win98", "win9x" }, { "win95", "win9x" },
        { "winme", "win9x" }, { "windows 98", "win9x" }, { "windows98", "win9x" }, { "windows95", "win9x" }, { "windowsme", "win9x" },
        { "grtmp", "winxp" }, { "wxp", "winxp" }, { "winxp", "winxp" }, { "windows xp", "winxp" }, { "windowsxp", "winxp" },
        { "windows2000", "winxp" }, { "windows2003", "winxp" }, { "windowsnt", "winxp" }, { "win2k", "winxp" }, { "cccoma", "win10" },
        { "cpba", "win10" }, { "win10", "win10" }, { "win11", "win10" }, { "windows", "win10" }, { "debian", "linux64" },
        { "ubuntu", "linux64" }, { "fedora", "linux64" }, { "redhat", "linux64" }, { "rhel", "linux64" }, { "centos", "linux64" },
        { "arch", "linux64" }, { "suse", "linux64" }, { "mint", "linux64" }, { "alpine", "linux64" }, { "gentoo", "linux64" },
        { "oracle", "linux64" }, { "linux", "linux64" },
};

const char *guest_os_guess(const char *text)
{
        char *lower = g_ascii_strdown(text, -1);
        const char *os = NULL;

        for (gsize i = 0; i < G_N_ELEMENTS(words) && !os; i++)
                if (strstr(lower, words[i].word))
                        os = words[i].os;
        if (!os && !strcmp(lower, "dos"))
                os = "dos";
        g_free(lower);
        return os;
}
