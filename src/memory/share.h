/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share.h - RAM that several machines have in common until one of them writes to it.
 *
 * memory_share() freezes RAM as it is: its file does not change from then on, and the machine itself goes on with private
 * copies of what it writes to.  Another machine maps the same file with memory_adopt(), and is given what differs from it.
 */
#ifndef LODGER_MEMORY_SHARE_H
#define LODGER_MEMORY_SHARE_H

#include "memory/memory.h"

/* A descriptor of the frozen file, which the caller closes; -1 with error set.  noted: all vCPUs tell of their first write
 * to a page (memory_before_write), so that a later call need not take every page for changed.  vCPUs stopped, machine lock
 * held, no picture being taken and no page absent. */
int memory_share(struct memory *memory, bool noted, GError **error);
/* Whether a page of RAM may have other bytes than the frozen file. */
bool memory_share_differs(const struct memory *memory, uint64_t page);
/* Something wrote to RAM, or will, without telling. */
void memory_share_distrust(struct memory *memory);
/* RAM becomes what the file has, shared likewise.  Before the machine runs. */
bool memory_adopt(struct memory *memory, int fd, bool noted, GError **error);

#endif
