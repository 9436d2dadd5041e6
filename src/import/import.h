/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import.h - machines that other programs have defined: VirtualBox's .vbox files, and OVF (DMTF DSP0243), as a folder of
 * files (.ovf) or packed into one (.ova).
 *
 * The files are not trusted: what they name must be an ordinary file in the definition's own folder, or a member of the
 * archive; sizes and counts are bounded (xml.h, tar.h).  What is not carried over is said in notes.
 *
 * import_read() looks, import_make() makes the machine.  Its disks are copies, in qcow2, in the machine's own folder: the
 * originals stay what they are, for whoever else uses them.
 */
#ifndef LODGER_IMPORT_IMPORT_H
#define LODGER_IMPORT_IMPORT_H

#include <stdbool.h>
#include "block/tool.h"
#include "library/library.h"

enum { IMPORT_DISKS_MAX = 16, IMPORT_CARDS_MAX = 4 };

struct import_disk {
        char *path;                     /* of the image; NULL: empty, of so many bytes */
        char *member;                   /* name in the archive, when there is one: path is the archive's */
        uint64_t bytes;
        const char *bus;                /* value of bus= */
};

struct import {
        char *folder, *archive;         /* canonical; archive: NULL, none */
        char *name;                     /* made fit for a machine's */
        const char *os;
        uint64_t memory_bytes;          /* 0: not told */
        unsigned cpus;                  /* 0: not told */
        bool uefi;
        GPtrArray *disks;               /* of struct import_disk * */
        GPtrArray *cdroms;              /* of char * */
        GPtrArray *cards;               /* of const char *: models */
        GPtrArray *notes;               /* of char *, for people: what is left out */
};

/* By its suffix: whether import_read() is meant for it. */
bool import_is_definition(const char *path);
struct import *import_read(const char *path, GError **error);
void import_free(struct import *import);
/* Makes the machine, under import->name unless another is given; nothing is left of it when that fails. */
bool import_make(const struct import *import, const char *name, const struct image_progress *progress, GError **error);

/* -- Between the files of this folder --------------------------------------------------------------- */

struct xml;

bool import_vbox(struct import *import, const struct xml *root, GError **error);
bool import_ovf(struct import *import, const struct xml *root, GError **error);
void import_set_name(struct import *import, const char *name);
/* What a program or standard calls the guest's system, in whatever words. */
void import_set_os(struct import *import, const char *words);
void import_note(struct import *import, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The file that a definition names, canonical, if it is one that it may name; caller frees. */
char *import_find_file(const struct import *import, const char *name, GError **error);
/* bytes: of one that is empty (path is NULL). */
bool import_add_disk(struct import *import, const char *name, uint64_t bytes, const char *bus, GError **error);
void import_add_card(struct import *import, const char *model);
/* "2", or "2" times the unit; 0: it is no number, or too large. */
uint64_t import_number(const char *text, uint64_t unit);

#endif
