/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nbd.h - starting a server for one image: between serve.c (which one) and nbd.c (talking to it). */
#ifndef LODGER_BLOCK_NBD_H
#define LODGER_BLOCK_NBD_H

#include "block/driver.h"

/* Starts a server, handed its socket as systemd does, and talks to it; it ends when the image is closed, or when this
 * process does. */
struct block_image *nbd_serve(char **command, const char *path, const char *format, bool read_only, GError **error);

#endif
