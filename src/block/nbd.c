/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nbd.c - disks that a server offers over the network block device protocol. */
#include "block/driver.h"

struct block_image *nbd_open(const char *uri, const struct block_options *options, GError **error)
{
        (void)options;
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: this program was built without libnbd", uri);
        return NULL;
}
