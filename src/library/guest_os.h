/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_os.h - what suits guests of each age: the --os of a named machine. */
#ifndef LODGER_LIBRARY_GUEST_OS_H
#define LODGER_LIBRARY_GUEST_OS_H

#include <stddef.h>

struct guest_os {
        const char *name;               /* as --os takes it */
        const char *title;              /* N_() */
        const char *memory, *cpu;       /* values of the options, NULL: as for `run` */
        const char *disk_bus;           /* bus= of disks that name none; NULL: the machine's default */
        const char *net_model;          /* model= of the network card */
        const char *tablet;             /* "yes": its systems have a driver for it */
        unsigned disk_gib;              /* a sensible size for a first disk */
};

/* Ends with a name of NULL; the last one, "other", is the default. */
extern const struct guest_os guest_os_table[];
/* NULL: there is none of that name. */
const struct guest_os *guest_os_find(const char *name);

/* By words in any text: a CD's name, what another program calls a system; NULL: none that is known. */
const char *guest_os_guess(const char *text);

#endif
