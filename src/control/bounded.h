/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bounded.h - a UNIX connection on which only so many bytes can be read as a stream. */
#ifndef LODGER_CONTROL_BOUNDED_H
#define LODGER_CONTROL_BOUNDED_H

#include <gio/gio.h>

/* GDBus reads lines of the authentication from the stream, without limit, and messages from the
 * socket.  The stream of this connection ends with an error after limit_bytes. */
GIOStream *bounded_connection_new(GSocket *socket, gsize limit_bytes);

#endif
