/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.c - images of formats that are not read here. */
#include "block/driver.h"

struct block_image *serve_open(const char *path, const char *format, const struct block_options *options, GError **error)
{
        (void)options;
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_FORMAT, "%s: images of format %s are not supported", path, format);
        return NULL;
}
