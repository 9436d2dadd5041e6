/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * place.h - where the sockets of running machines lie.
 *
 * $XDG_RUNTIME_DIR/lodger/NAME; without a usable XDG_RUNTIME_DIR (containers, sudo: trap T19)
 * lodger-UID/NAME in the folder for temporary files.  The folder belongs to the user alone.
 */
#ifndef LODGER_CONTROL_PLACE_H
#define LODGER_CONTROL_PLACE_H

#include <gio/gio.h>
#include <stdbool.h>

#define PLACE_ERROR place_error_quark()
GQuark place_error_quark(void);
enum place_error {
        PLACE_ERROR_FOLDER,             /* the folder cannot be made, or is not the user's alone */
        PLACE_ERROR_TOO_LONG,           /* for a socket address */
        PLACE_ERROR_TAKEN,              /* a living machine listens there */
        PLACE_ERROR_SOCKET,
};

/* The folder, made when create is true.  NULL with error set; caller frees. */
char *place_folder(bool create, GError **error);
/* The socket of a machine: a name, or a path (anything with a slash). */
char *place_of(const char *name, GError **error);
/* Listens at path.  Left-over sockets of dead machines are replaced, living ones are an error. */
GSocket *place_listen(const char *path, GError **error);
/* Removes the socket at path if nobody listens there.  True: there is none any more. */
bool place_clean(const char *path);
/* Removes the socket of `listener`, unless another one has taken its place. */
void place_leave(const char *path, GSocket *listener);
/* A socket connected to path, whose operations end with an error after timeout_seconds. */
GSocket *place_connect(const char *path, unsigned timeout_seconds, GError **error);
/* The process that listens at path, found without its help (it may be too busy to be connected to); 0: none that
 * this user can see. */
pid_t place_find_listener(const char *path);

#endif
