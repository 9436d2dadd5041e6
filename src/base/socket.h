/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket.h - what all who listen on UNIX sockets need. */
#ifndef LODGER_BASE_SOCKET_H
#define LODGER_BASE_SOCKET_H

#include <stdbool.h>
#include <sys/un.h>

/* Whether a socket lies there that nobody listens on: one left over from a process that died. */
bool socket_is_left_over(const struct sockaddr_un *address);

#endif
