/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.h - what the files of `lodger image` share: image.c (verbs) and image_print.c (reports). */
#ifndef LODGER_CLI_IMAGE_H
#define LODGER_CLI_IMAGE_H

#include "block/tool.h"

void image_print_info(const char *path, const struct image_info *info);
void image_print_check(const char *path, const struct image_check_result *result);
void image_print_snapshots(const struct image_info *info);
/* Looks at the backing file of a new image at path: its format unless one is given, and the size of its disk
 * (NULL: not asked for). */
bool image_backing(const char *path, const char *backing, const char **format, uint64_t *size, GError **error);

#endif
