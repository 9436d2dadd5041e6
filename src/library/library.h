/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * library.h - named machines: their definitions and folders.
 *
 * A machine NAME is the folder $XDG_DATA_HOME/lodger/machines/NAME:
 *
 *      definition      what it is, a GKeyFile: [machine] version, os; [options] one key an option
 *      lock            locked by whoever runs or changes the machine; its content says nothing
 *      log, log.old    what the machine's process said, this time and the time before
 *      serial0.log     the first serial port's output, unless the definition says otherwise
 *      ...             what belongs to the machine alone: disks of clones, UEFI variables, snapshots
 *
 * A definition's [linked] bases=... names the images that a linked clone's disks are based on.  They are not written as
 * long as such a clone exists: they have lost their owner's write permission, and the machines that have them for
 * disks do not start.
 *
 * Definitions are written to a new file that then replaces the old one, so a reader always finds a whole
 * one.  The lock is an advisory one of the open file description (fcntl(2), F_OFD_SETLK): it goes with the
 * process, however that ends.  Disk images are locked by whoever writes them, whichever machine that is, so
 * no two machines ever write one image.
 *
 * Errors: G_OPTION_ERROR is the user's mistake, LIBRARY_ERROR and others are the host's or the moment's.
 */
#ifndef LODGER_LIBRARY_LIBRARY_H
#define LODGER_LIBRARY_LIBRARY_H

#include <glib.h>
#include <stdbool.h>
#include "block/tool.h"
#include "library/options.h"

#define LIBRARY_ERROR library_error_quark()
GQuark library_error_quark(void);
enum library_error { LIBRARY_ERROR_EXISTS, LIBRARY_ERROR_NOT_FOUND, LIBRARY_ERROR_BUSY, LIBRARY_ERROR_INVALID, LIBRARY_ERROR_NEEDED };

struct definition {
        char *name;
        char *folder;                   /* absolute */
        char *os;                       /* a name of guest_os.h */
        struct option_set options;
        char **bases;                   /* images its own are based on, if it is a linked clone; absolute */
};

/* -- definition.c -------------------------------------------------------------------------------- */

/* In memory only; name was checked with library_check_name(). */
struct definition *definition_new(const char *name, const char *os);
void definition_free(struct definition *definition);
/* Reads a machine's definition; what is unknown in it is an error that names file and key. */
struct definition *definition_load(const char *name, GError **error);
/* Writes it to its folder, which exists. */
bool definition_save(const struct definition *definition, GError **error);
/* The options a machine runs with: the definition's, then what its operating system's age suggests for those not
 * given, then the name.  To be cleared by the caller. */
void definition_options(const struct definition *definition, struct option_set *options);
/* What `show` prints, a line "KEY=VALUE" each, os first. */
char *definition_describe(const struct definition *definition);

/* -- library.c ----------------------------------------------------------------------------------- */

/* In a machine's folder: the contents of its UEFI's flash. */
#define LIBRARY_UEFI_VARIABLES "uefi-vars.fd"

bool library_check_name(const char *name, GError **error);
/* A name made of any text, with what cannot stand in names replaced; caller frees. */
char *library_name_from(const char *text);
/* Where machines lie, and one machine's folder; neither need exist.  Caller frees. */
char *library_folder(void);
char *library_machine_folder(const char *name);
bool library_exists(const char *name);
/* Names of the machines there are, sorted; of char *, freed with the array. */
GPtrArray *library_list(void);
/* Makes the folder and writes the definition, with a UUID if it has none; LIBRARY_ERROR_EXISTS when there is such a
 * machine. */
bool library_create(struct definition *definition, GError **error);
/* Removes the folder and what is in it; images elsewhere stay.  LIBRARY_ERROR_BUSY while it runs, _NEEDED while
 * another machine's image builds on one in the folder. */
bool library_delete(const char *name, GError **error);
/* Locks the machine for as long as the descriptor (close-on-exec) is open, across fork() too.  -1 with error set:
 * LIBRARY_ERROR_BUSY, it is running or being changed. */
int library_lock(const char *name, GError **error);
/* Removes a folder and what is in it, without following links; 0 or an errno value. */
int library_remove_tree(const char *folder);

/* -- clone.c ------------------------------------------------------------------------------------- */

struct clone_options {
        bool linked;                    /* new disks are overlays on the old ones, which stay as they are from then on */
        const struct image_progress *progress;          /* of all disks together; may be NULL */
};
/* Makes a machine like another one, which does not run, with disks, UEFI variables, UUID and addresses of its own.
 * Whenever the process dies, there is either no new machine or a whole one. */
bool library_clone(const char *name, const char *new_name, const struct clone_options *options, GError **error);
/* False with error LIBRARY_ERROR_NEEDED: a disk that the machine would write is what a linked clone is based on. */
bool library_check_bases(const char *name, const struct option_set *options, GError **error);
/* Protects what a machine's disks are based on from writing (also when that was undone by hand), or, if no other machine
 * needs it either, gives it free. */
void library_protect_bases(const struct definition *definition, bool is_protected);

#endif
