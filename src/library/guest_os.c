/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_os.c - what suits guests of each age.
 *
 * A guest that is offered less than it could use is slow; one that is offered more than it knows does not
 * start: Windows 9x dies with much memory or a new CPU, XP has no driver for AHCI or virtio on its CD, DOS
 * knows NE2000 cards from packet drivers.  So the table errs on the old side.
 */
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
