/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guess.h - what a file is and which guest is on it, and files worth suggesting. */
#ifndef LODGER_UI_GUESS_H
#define LODGER_UI_GUESS_H

#include <glib.h>

struct guess {
        const char *os;                 /* a name of library/guest_os.h; never NULL */
        char *title;                    /* for people: the CD's own name, or the file's; freed by guess_clear() */
        gboolean installer;             /* a CD: wants an empty disk beside it */
};

/* Looks into the file; what cannot be read is "other". */
void guess_file(const char *path, struct guess *guess);
void guess_clear(struct guess *guess);
/* CD images in the folders where people have them, newest first; of char *, freed with the array. */
GPtrArray *guess_images(void);

#endif
