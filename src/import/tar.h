/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tar.h - members of a tar archive (POSIX.1-1988 "ustar", and GNU tar's large sizes), as OVA files are.
 *
 * Only ordinary files with plain names count; everything else in an archive is passed over.
 */
#ifndef LODGER_IMPORT_TAR_H
#define LODGER_IMPORT_TAR_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { TAR_NAME_MAX = 255, TAR_MEMBERS_MAX = 1000 };

struct tar_member {
        char name[TAR_NAME_MAX + 1];
        uint64_t offset, size;          /* of its content, which lies in the file as a whole */
};

/* The members of the file, of struct tar_member, freed with the array; NULL with error set: it is no archive, or broken. */
GArray *tar_list(int fd, const char *path, GError **error);
/* NULL: there is none of that name. */
const struct tar_member *tar_find(const GArray *members, const char *name);

#endif
