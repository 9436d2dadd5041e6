/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot_show.h - snapshots as people read them. */
#ifndef LODGER_CLI_SNAPSHOT_SHOW_H
#define LODGER_CLI_SNAPSHOT_SHOW_H

#include "snapshot/reader.h"

void snapshot_print_list(const char *machine);
void snapshot_print_tree(const char *machine);
/* thumbnail: where its picture goes, or NULL. */
bool snapshot_print(struct snapshot_reader *reader, bool fields, const char *thumbnail, GError **error);
bool snapshot_print_differences(struct snapshot_reader *first, struct snapshot_reader *second, GError **error);

#endif
